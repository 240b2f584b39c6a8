"""The command line: the verbs of perennial, one function each.

Data go to stdout, talk goes to stderr. Exit codes: 0 good, 1 failed, 2 usage, 3 bad data, 4 nothing beat the baseline,
130 interrupted with the best so far saved. Heavy libraries are imported inside the verbs, so `--help` is quick.
"""

from __future__ import annotations

import json as jsonlib
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import App, Parameter

from perennial.errors import DataError, PerennialError, UsageError

EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_BAD_DATA, EXIT_NOT_BEATEN, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
SHORTEST_TIME = 1.0

app = App(
    name="perennial",
    help="Grows a model from your data by the universal workflow of machine learning.",
    version_flags=["--version"],
    config=[
        cyclopts.config.Toml("perennial.toml", must_exist=False, search_parents=False),
        cyclopts.config.Env("PERENNIAL_"),
    ],
)

Many = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=False)]
Flag = Annotated[bool, Parameter(negative=())]


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the `perennial` command; turns every error into a message and an exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; nothing but a bug leaves a traceback."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else EXIT_GOOD
    except cyclopts.CycloptsError as error:
        return _complain(
            f"{error}\n  to do: perennial {_verb(arguments)} --help shows what is allowed.", EXIT_USAGE
        )
    except PerennialError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("Interrupted. What was scored is saved; the same command goes on.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_GOOD
    except Exception as error:
        return _confess(error)


@app.command
def grow(
    data: str,
    *,
    target: Many = None,
    time: str | None = None,
    out: str | None = None,
    test: str | None = None,
    metric: str | None = None,
    protocol: str | None = None,
    folds: int | None = None,
    test_share: float | None = None,
    strategy: str = "mixture",
    scheduler: str = "full",
    trials: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    memory: str | None = None,
    type_: Annotated[list[str] | None, Parameter(name="--type", negative=(), consume_multiple=False)] = None,
    drop: Many = None,
    group: str | None = None,
    time_column: str | None = None,
    problem: str | None = None,
    drop_unlabelled: Flag = False,
    drop_leaky: Flag = False,
    strict: Flag = False,
    allow_overlap: Flag = False,
    encoding: str | None = None,
    delimiter: str | None = None,
    skip_bad_lines: Flag = False,
    image_size: str | None = None,
    image_fit: str | None = None,
    skip_bad_images: Flag = False,
    from_: Annotated[list[str] | None, Parameter(name="--from", negative=(), consume_multiple=False)] = None,
    as_: Annotated[str | None, Parameter(name="--as")] = None,
    ask: Flag = False,
    tolerance: float = 0.0,
    json: Flag = False,
) -> int:
    """Grow a model: look at the data, beat a baseline, search, confirm, test once. The same command goes on.

    Parameters
    ----------
    data
        A CSV, TSV, Parquet or JSONL file (also .gz); for images a folder or zip of class folders, a folder of IDX
        files, or an .npz file of arrays.
    target
        The column to predict; repeat it for several targets. Without it perennial guesses and says so.
    time
        For everything, with a unit: 90s, 10m, 2h, 1h30m. Default: 60s.
    out
        The study folder. Default: runs/NAME, the name following from the data and the options.
    test
        A file of rows to test on, once, at the end. Default: a part of DATA is sealed.
    metric
        Such as roc_auc, accuracy, log_loss, rmse, mae. Default: chosen with a reason.
    protocol
        holdout, kfold, repeated_kfold, leave_one_out, time or group. Default: chosen with a reason.
    folds
        How many folds of cross-validation.
    test_share
        The part of the rows that is sealed for the test, 0 to 0.5.
    strategy
        What to try: mixture, random, local, evolution or surrogate.
    scheduler
        How long to try it: full, halving or hyperband.
    trials
        A budget of candidates instead of time: the same result on every run (with --workers 1).
    seed
        Of every random decision.
    workers
        Processes. Default: one a core.
    memory
        What one worker may use, such as 2GB; of examples, what the search may take.
    type_
        COL=KIND overrules what a column was taken for (number, category, date, text, identifier, ignored).
    drop
        A column to leave out; repeat it for several.
    group
        The column whose values must not be on both sides of a split, such as a patient.
    time_column
        The column that orders the rows in time; later rows then judge models of earlier ones.
    problem
        binary, multiclass, multilabel, regression or multiregression, when the guess is wrong.
    drop_unlabelled
        Leave out rows without a target.
    drop_leaky
        Leave out columns that give the target away.
    strict
        Treat every warning that has an automatic remedy as an order to apply it.
    allow_overlap
        Accept test rows that are also training rows.
    encoding
        Of the text file, such as latin-1.
    delimiter
        Of the cells, when the guess is wrong.
    skip_bad_lines
        Leave out lines that do not parse, and count them.
    image_size
        Of all images: pixels of the longer side, or HEIGHTxWIDTH. Default: chosen with a reason.
    image_fit
        pad, crop or stretch images of another shape. Default: chosen with a reason.
    skip_bad_images
        Leave out images that cannot be read, however many they are.
    from_
        Columns to fill the empty cells of --target from, by the example of the filled ones: a,b.
    as_
        formula: find a formula for a column of numbers; program: fill a column by example.
    ask
        Ask for the output of the input on which the programs that fit differ most.
    tolerance
        The share of the examples that may be wrong, 0 to 1.
    json
        Print one JSON object on stdout.
    """
    if from_ or as_ or _is_examples(data, target):
        if trials is not None:
            raise UsageError(
                "Programs are looked for by the clock, not by --trials.", todo="Give --time 60s."
            )
        return _grow_program(data, target, from_, as_, time, out, seed, memory, ask, tolerance, json)
    budget = seconds_of(time) if time else None
    kinds = _kinds(type_)
    limit = bytes_of(memory) if memory else None
    configuration = {
        "target": target, "metric": metric, "protocol": protocol, "folds": folds, "test_share": test_share,
        "strategy": strategy, "scheduler": scheduler, "seed": seed, "kinds": kinds, "drop": drop or [], "group": group,
        "time_column": time_column, "problem": problem, "test": test,
        **{name: value for name, value in (("image_size", image_size), ("image_fit", image_fit)) if value},
    }  # fmt: skip
    folder = Path(out) if out else Path("runs") / name_of(data, configuration)

    from perennial import terminal, workflow
    from perennial.modalities.images.wishes import size_of

    with closing(terminal.listener()) as watching:
        model = workflow.grow(
            data,
            list(target) if target and len(target) > 1 else (target[0] if target else None),
            seconds=budget, trials=trials, out=folder, test=test, metric=metric, protocol=protocol, folds=folds,
            test_share=test_share, strategy=strategy, scheduler=scheduler, seed=seed, workers=workers, memory=limit,
            listeners=[watching], configuration=configuration, kinds=kinds, drop=tuple(drop or ()), group=group,
            time=time_column, problem=problem, drop_unlabelled=drop_unlabelled or strict,
            drop_leaky=drop_leaky or strict, allow_overlap=allow_overlap, encoding=encoding, delimiter=delimiter,
            skip_bad_lines=skip_bad_lines, image_size=size_of(image_size), image_fit=image_fit,
            skip_bad_images=skip_bad_images,
        )  # fmt: skip
    return _tell_result(model, folder, json)


def _is_examples(data: str, target: list[str] | None) -> bool:
    if target or not data.lower().endswith(".json"):
        return False
    from perennial.modalities.examples import is_examples

    return is_examples(data)


def _grow_program(
    data: str, target: list[str] | None, from_: list[str] | None, as_: str | None, time: str | None, out: str | None,
    seed: int, memory: str | None, ask: bool, tolerance: float, json: bool,
) -> int:  # fmt: skip
    """A program from examples: JSON pairs, or a column of a table to be filled."""
    from perennial import program_files, terminal, workflow
    from perennial.task import Task

    sources = [name.strip() for names in from_ or () for name in names.split(",") if name.strip()]
    if as_ not in (None, "formula", "program"):
        raise UsageError(f"--as is formula or program, received {as_!r}.")
    if not 0.0 <= tolerance < 1.0:
        raise UsageError(f"--tolerance is a share from 0 up to 1, received {tolerance}.")
    configuration = {"target": target, "from": sources, "as": as_, "seed": seed, "tolerance": tolerance}
    folder = Path(out) if out else Path("runs") / name_of(data, configuration)
    if data.lower().endswith(".json") and not target:
        task = Task.from_examples(data, tolerance=tolerance)
    elif target and len(target) == 1:
        task = Task.fill(data, target[0], sources, numbers=as_ == "formula", tolerance=tolerance)
    else:
        raise UsageError("A table is filled by example in one column.", todo="Name it with --target COLUMN.")
    with closing(terminal.listener(lively=not ask)) as watching:
        model = workflow.grow(
            task, seconds=seconds_of(time) if time else None, out=folder, seed=seed, memory=bytes_of(memory) if memory else None,
            listeners=[watching], configuration=configuration, ask=program_files.ask if ask else None,
        )  # fmt: skip
    for path in program_files.write(model, folder, data):
        _say(f"wrote {path}")
    return _tell_result(model, folder, json)


@app.command
def status(study: str, *, json: Flag = False) -> int:
    """Where a study stands: step, time, trials, best against baseline, and how well the workers were used."""
    from perennial import report

    figures = report.status(_history(study))
    return _print(figures, json, "\n".join(f"{name}: {value}" for name, value in figures.items()))


@app.command
def stop(study: str, *, json: Flag = False) -> int:
    """Ask a growing study to stop cleanly: it saves the best so far and can go on later."""
    import signal

    from perennial.storages import holder

    found = holder(find_study(study))
    if found is None:
        return _print({"stopped": False}, json, "Nobody is growing this study.")
    os.kill(found["pid"], signal.SIGTERM)
    return _print({"stopped": True, **found}, json, f"Asked process {found['pid']} to save and stop.")


@app.command
def board(study: str, *, top: int = 20, json: Flag = False) -> int:
    """The leaderboard: candidates by validation score, with time, kind and ancestors.

    Parameters
    ----------
    top
        How many rows.
    """
    from perennial import report

    history = _history(study)
    rows = (report.programs if history.found else report.board)(history)[:top]
    return _print(rows, json, report.table(rows))


@app.command(name="report")
def report_(study: str, *, json: Flag = False) -> int:
    """Write the HTML report and the model card again from the journal, and say where they are."""
    from perennial import report

    folder = find_study(study)
    if _history(study).sensed.get("modality") == "examples":
        from perennial import program_files

        path = program_files.write_report(_model(study), folder)
        return _print({"report": str(path)}, json, str(path))
    paths = report.write(_history(study), folder)
    return _print({"report": str(paths[0]), "card": str(paths[1])}, json, str(paths[0]))


@app.command
def show(study: str, *, json: Flag = False) -> int:
    """Print the program that was chosen, as readable Python."""
    history = _history(study)
    source = history.current["program"]
    return _print({"program": source}, json, source)


@app.command
def explain(study: str, *, json: Flag = False) -> int:
    """Why: what was sensed and decided, which columns matter, where the model errs."""
    from perennial import report

    figures, text = report.explanation(_history(study))
    return _print(figures, json, text)


@app.command
def predict(
    study: str,
    data: str,
    *,
    output: str | None = None,
    impute_missing: Flag = False,
    encoding: str | None = None,
    delimiter: str | None = None,
    skip_bad_lines: Flag = False,
    json: Flag = False,
) -> int:
    """Predict new rows: one row out for each row in, in order, with probabilities or an interval.

    Images that have file names are told apart by an extra first column, `file`.

    Parameters
    ----------
    data
        A table with the columns of the training data; or a folder, archive, array file or single image.
    output
        The CSV file to write. Default: stdout.
    impute_missing
        Treat columns that the data lack as missing values, and broken images as blank, instead of refusing.
    """
    from perennial.modalities.reading import write_table

    model = _model(study)
    if not model.codec.batched:
        return _predict_program(model, study, data, output, json, encoding=encoding, delimiter=delimiter)
    rows = model.codec.read(data, encoding=encoding, delimiter=delimiter, skip_bad_lines=skip_bad_lines)
    _refuse_sample(rows, data)
    names, columns, notes = model.prediction_table(rows, impute_missing=impute_missing)
    for note in notes:
        _say(note)
    if output is None and not json:
        write_table(sys.stdout, names, columns)
        return EXIT_GOOD
    if output is not None:
        write_table(output, names, columns)
    figures = {"study": study, "rows": rows.rows, "output": output, "columns": list(names), "notes": notes}
    if output is None:
        figures["predictions"] = [
            dict(zip(names, row, strict=True)) for row in zip(*map(_plain, columns), strict=True)
        ]
    return _print(figures, json, f"{rows.rows} rows written to {output}")


def _predict_program(
    model: Any, study: str, data: str, output: str | None, json: bool, **reading: Any
) -> int:
    """Outputs as a JSON list, or a table with its column filled."""
    from perennial import program_files

    reading = {name: value for name, value in reading.items() if value is not None}
    rows = program_files.predict(model, data, output, **reading)
    unanswered = sum(row is None for row in rows)
    if unanswered:
        _say(f"The program has no answer for {unanswered} of {len(rows)} inputs.")
    figures: dict[str, Any] = {"study": study, "rows": len(rows), "output": output, "unanswered": unanswered}
    if output is None:
        if not json:
            return EXIT_GOOD
        figures["predictions"] = [{"output": row} for row in rows]
    return _print(figures, json, f"{len(rows)} rows written to {output}")


@app.command
def export(
    study: str,
    *,
    format_: Annotated[str, Parameter(name="--format")] = "python",
    output: str | None = None,
    json: Flag = False,
) -> int:
    """Write the program in a form that runs without perennial.

    Parameters
    ----------
    format_
        python (a module with doctests), pipeline (one line), latex, pandas or sql.
    output
        The file to write. Default: stdout.
    """
    from perennial import program_files

    text = program_files.exported(_model(study), format_)
    if output is not None:
        Path(output).write_text(text, encoding="utf-8")
        return _print({"study": study, "format": format_, "output": output}, json, f"written to {output}")
    return _print({"study": study, "format": format_, "text": text}, json, text.rstrip("\n"))


@app.command
def evaluate(
    study: str, data: str, *, allow_overlap: Flag = False, encoding: str | None = None, json: Flag = False
) -> int:
    """Score the model on labelled rows, with an interval and the baseline beside it.

    Parameters
    ----------
    allow_overlap
        Accept rows that the model was trained on.
    """
    from perennial.judgement import evaluate_on

    figures = evaluate_on(find_study(study), data, allow_overlap=allow_overlap, encoding=encoding)
    text = (
        f"{figures['metric']} {figures['value']:.4g} [{figures['low']:.4g}, {figures['high']:.4g}] on {figures['n']} rows; "
        f"baseline {figures['baseline']:.4g}"
    )
    return _print(figures, json, text)


@app.command
def bench(
    name: str,
    *,
    data: str | None = None,
    time: str | None = None,
    seeds: int = 3,
    only: Many = None,
    keep: str | None = None,
    suite: str | None = None,
    json: Flag = False,
) -> int:
    """Reproduce the numbers of the README; exits 0 when every bar holds.

    Parameters
    ----------
    name
        Which bench; `perennial bench list` names them.
    data
        The folder of data sets.
    time
        For each grown model; a bare number is seconds.
    seeds
        How many repetitions with other splits.
    only
        Names of data sets to keep.
    keep
        A file for results as they come: the same command later goes on from there.
    suite
        A part of the bench: `lists`, `text`, `grids` or `formulas` of `programs`.
    """
    from perennial import bench as benches

    if time and re.fullmatch(r"\d+(\.\d+)?", time):
        time = f"{time}s"
    seconds = seconds_of(time) if time else None
    figures = benches.run(
        name, data=data, seconds=seconds, seeds=seeds, only=only or (), keep=keep, suite=suite
    )
    _print(figures, json, benches.text(figures))
    return EXIT_GOOD if all(bar["ok"] for bar in figures["bars"]) else EXIT_FAILED


@app.command
def doctor(subject: str | None = None, *, json: Flag = False) -> int:
    """Check the environment, and a study or data file when one is named.

    Parameters
    ----------
    subject
        A study folder or a data file.
    """
    from perennial import doctor as physician

    checks = physician.examine(subject)
    _print(checks, json, physician.text(checks))
    return EXIT_GOOD if all(check["ok"] for check in checks) else EXIT_FAILED


# -- reading arguments -------------------------------------------------------------------------------------------------


def seconds_of(text: str) -> float:
    """A duration with its unit as seconds.

    >>> seconds_of("1h30m"), seconds_of("90s")
    (5400.0, 90.0)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip().lower())
    spelled = "".join(number + unit for number, unit in parts)
    if (
        not parts
        or spelled != re.sub(r"\s+", "", text.strip().lower())
        or any(unit not in UNITS for _, unit in parts)
    ):
        number = re.fullmatch(r"\d+(\.\d+)?", text.strip())
        hint = (
            f"Did you mean {text.strip()}s or {text.strip()}m?"
            if number
            else "Write for instance 90s, 10m or 1h30m."
        )
        raise UsageError(f"A time needs a unit, received {text!r}.", where="--time", todo=hint)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds < SHORTEST_TIME:
        raise UsageError(
            f"The time must be at least {SHORTEST_TIME:g} second, received {text!r}.",
            where="--time",
            todo="Give --time 60s.",
        )
    return seconds


def bytes_of(text: str) -> int:
    """A size with its unit as bytes.

    >>> bytes_of("2GB")
    2147483648
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]b)", text.strip().lower())
    if not found or float(found[1]) <= 0:
        raise UsageError(
            f"A size needs a unit, received {text!r}.",
            where="--memory",
            todo="Write for instance 2GB or 500MB.",
        )
    return int(float(found[1]) * SIZES[found[2]])


def name_of(data: str, configuration: dict[str, Any]) -> str:
    """A short name for a study that the same data path and options always get, such as `oak-17`."""
    import hashlib

    trees = [
        "alder",
        "ash",
        "beech",
        "birch",
        "cedar",
        "elm",
        "fir",
        "hazel",
        "holly",
        "juniper",
        "larch",
        "linden",
        "maple",
        "oak",
        "olive",
        "pine",
        "plum",
        "rowan",
        "spruce",
        "willow",
        "yew",
    ]
    told = jsonlib.dumps([str(Path(data).expanduser().resolve()), configuration], sort_keys=True, default=str)
    number = int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big")
    return f"{trees[number % len(trees)]}-{number // len(trees) % 1000}"


def find_study(name: str) -> Path:
    """The folder of a study, given as a path or as the short name of one under `runs/`."""
    for folder in (Path(name).expanduser(), Path("runs") / name):
        if (folder / "study.db").is_file():
            return folder
    import difflib

    known = sorted(path.parent.name for path in Path("runs").glob("*/study.db"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known[-5:]) or 'none'}."
    raise UsageError(f"No study called {name!r}.", where=str(Path.cwd() / "runs"), todo=hint)


def _kinds(pairs: Sequence[str] | None) -> dict[str, str]:
    kinds = {}
    for pair in pairs or ():
        column, separator, kind = pair.rpartition("=")
        if not separator or not column:
            raise UsageError(
                f"--type takes COLUMN=KIND, received {pair!r}.",
                todo="Write for instance --type zip=category.",
            )
        kinds[column] = kind
    return kinds


def _history(study: str) -> Any:
    from perennial.history import History
    from perennial.storages import SQLite

    storage = SQLite(find_study(study), mode="ro")
    try:
        return History.of(storage.events())
    finally:
        storage.close()


def _model(study: str) -> Any:
    from perennial.model import Model

    folder = find_study(study)
    if not (folder / "best").is_dir():
        raise DataError(
            "This study has no saved model yet.",
            where=str(folder),
            todo=f"Run perennial grow again; it goes on in {folder}.",
        )
    return Model.load(folder / "best")


def _refuse_sample(frame: Any, data: str) -> None:
    """One row out for each row in: a file that was too large to read whole cannot be predicted in one go."""
    written = (frame.origin or {}).get("rows_in_file", frame.rows)
    if written != frame.rows:
        raise DataError(
            f"The file has {written} rows, more than fit into memory.", where=data,
            why="A prediction is wanted for each row.", todo="Cut the file into parts and predict them one by one.",
        )  # fmt: skip


# -- answering -----------------------------------------------------------------------------------------------------------


def _tell_result(model: Any, folder: Path, json: bool) -> int:
    result = dict(model.result)
    beaten, interrupted = result.pop("beaten"), result.pop("interrupted")
    if interrupted:
        _say("Interrupted: the best so far is saved. The same command goes on.")
    elif not beaten:
        _say(
            "Nothing beat the baseline; the baseline is saved and can be used. More time or more rows may help."
        )
    _print(result, json, model.report)
    return EXIT_INTERRUPTED if interrupted else EXIT_GOOD if beaten else EXIT_NOT_BEATEN


def _print(figures: Any, json: bool, text: str) -> int:
    print(jsonlib.dumps(figures, ensure_ascii=False, allow_nan=False, default=_jsonable) if json else text)
    return EXIT_GOOD


def _jsonable(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def _plain(column: Any) -> list:
    return [
        value if value == value else None
        for value in (column.tolist() if hasattr(column, "tolist") else list(column))
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _complain(text: str, code: int) -> int:
    print(f"perennial: {text}", file=sys.stderr)
    return code


def _confess(error: Exception) -> int:
    """A mistake of ours: one sentence and the place; the whole traceback with PERENNIAL_DEBUG=1."""
    import traceback

    if os.environ.get("PERENNIAL_DEBUG"):
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = f"A bug in perennial: {type(error).__name__}: {error}\n  where: {Path(last.filename).name}, line {last.lineno}"
    return _complain(
        f"{text}\n  to do: Please report it; PERENNIAL_DEBUG=1 shows the whole story.", EXIT_FAILED
    )


def _verb(arguments: Sequence[str]) -> str:
    return arguments[0] if arguments and not arguments[0].startswith("-") else ""
