"""`perennial grow`: from data to a tested model, or from examples to a program."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from perennial.cli.answers import answer_grown, say
from perennial.cli.app import Flag, Many, app
from perennial.cli.arguments import bytes_of, kinds_of, seconds_of
from perennial.cli.studies import name_of
from perennial.errors import StoreError, UsageError

USUAL_STRATEGY, USUAL_SCHEDULER = "mixture", "full"


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
    strategy: str = USUAL_STRATEGY,
    scheduler: str = USUAL_SCHEDULER,
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
    library: str | None = None,
    no_library: Flag = False,
    reuse: str = "all",
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
    library
        The folder of a library that remembers what was grown. Default: PERENNIAL_LIBRARY, else the user's data folder;
        with --trials none, so that the same command gives the same result.
    no_library
        Remember nothing.
    reuse
        What is taken from the library: all, recipes, frozen (what networks, models and programs of other tasks know) or off.
    json
        Print one JSON object on stdout.
    """
    if seed < 0:
        raise UsageError(f"--seed is a whole number of at least 0, received {seed}.", todo="Give --seed 0.")
    reading = {"encoding": encoding, "delimiter": delimiter, "skip_bad_lines": skip_bad_lines}
    from_examples = bool(from_ or as_) or _is_examples(data, target)
    if from_examples:
        _refuse_for_examples(
            trials, test=test, metric=metric, protocol=protocol, folds=folds, test_share=test_share,
            strategy=None if strategy == USUAL_STRATEGY else strategy,
            scheduler=None if scheduler == USUAL_SCHEDULER else scheduler, type=type_, drop=drop,
            group=group, time_column=time_column, problem=problem, drop_unlabelled=drop_unlabelled,
            drop_leaky=drop_leaky, strict=strict, allow_overlap=allow_overlap, image_size=image_size,
            image_fit=image_fit, skip_bad_images=skip_bad_images,
        )  # fmt: skip
    else:
        _refuse(
            "A model is judged by rows that it has not seen", _given(ask=ask, tolerance=tolerance or None)
        )
    remembering = None if no_library else library or _usual_library(trials)
    if from_examples:
        return _grow_program(
            data, target, from_, as_, time, out, seed, memory, ask, tolerance, remembering, reuse, reading, json
        )  # fmt: skip
    budget = seconds_of(time) if time else None
    kinds = kinds_of(type_)
    limit = bytes_of(memory) if memory else None
    configuration = {
        "target": target, "metric": metric, "protocol": protocol, "folds": folds, "test_share": test_share,
        "strategy": strategy, "scheduler": scheduler, "seed": seed, "kinds": kinds, "drop": drop or [], "group": group,
        "time_column": time_column, "problem": problem, "test": test,
        **_given(
            image_size=image_size, image_fit=image_fit, skip_bad_images=skip_bad_images, **reading,
            drop_unlabelled=drop_unlabelled, drop_leaky=drop_leaky, strict=strict, allow_overlap=allow_overlap,
        ),
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
            drop_leaky=drop_leaky or strict, allow_overlap=allow_overlap, **reading,
            image_size=size_of(image_size), image_fit=image_fit,
            skip_bad_images=skip_bad_images, library=remembering, reuse=reuse,
        )  # fmt: skip
    return answer_grown(model, folder, json)


def _usual_library(trials: int | None) -> str | None:
    """The folder that is remembered in when none is named; None, and a line about it, where it cannot be written."""
    from perennial.library.library import ENVIRONMENT, Library, default_place

    place = str(default_place())
    if os.environ.get(ENVIRONMENT):
        return place
    if trials is not None:
        return None
    try:
        Library(place).close()
    except StoreError as error:
        say(f"  nothing is remembered: {error.what} ({place})")
        return None
    return place


def _is_examples(data: str, target: list[str] | None) -> bool:
    if target or not data.lower().endswith(".json"):
        return False
    from perennial.modalities.examples import is_examples

    return is_examples(data)


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given, by name."""
    return {name: value for name, value in options.items() if value is not None and value is not False}


def _refuse_for_examples(trials: int | None, **options: Any) -> None:
    """Refuses options that would not be heard while a program is looked for."""
    if trials is not None:
        raise UsageError("Programs are looked for by the clock, not by --trials.", todo="Give --time 60s.")
    _refuse("Programs are judged by their examples", _given(**options))


def _refuse(why: str, given: dict[str, Any]) -> None:
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        todo = f"Leave {'it' if len(given) == 1 else 'them'} out."
        raise UsageError(f"{names} would not be heard.", why=f"{why}.", todo=todo)


def _grow_program(
    data: str, target: list[str] | None, from_: list[str] | None, as_: str | None, time: str | None, out: str | None,
    seed: int, memory: str | None, ask: bool, tolerance: float, library: str | None, reuse: str,
    reading: dict[str, Any], json: bool,
) -> int:  # fmt: skip
    """A program from examples: JSON pairs, or a column of a table to be filled."""
    from perennial import program_files, terminal, workflow
    from perennial.task import Task

    sources = [name.strip() for names in from_ or () for name in names.split(",") if name.strip()]
    if as_ not in (None, "formula", "program"):
        raise UsageError(f"--as is formula or program, received {as_!r}.")
    if not 0.0 <= tolerance < 1.0:
        raise UsageError(f"--tolerance is a share from 0 up to 1, received {tolerance}.")
    configuration = {
        "target": target, "from": sources, "as": as_, "seed": seed, "tolerance": tolerance, **_given(**reading),
    }  # fmt: skip
    folder = Path(out) if out else Path("runs") / name_of(data, configuration)
    if data.lower().endswith(".json") and not target:
        _refuse("Examples in JSON are read in one way only", _given(**reading))
        task = Task.from_examples(data, tolerance=tolerance)
    elif target and len(target) == 1:
        task = Task.fill(data, target[0], sources, numbers=as_ == "formula", tolerance=tolerance, **reading)
    else:
        raise UsageError("A table is filled by example in one column.", todo="Name it with --target COLUMN.")
    with closing(terminal.listener(lively=not ask)) as watching:
        model = workflow.grow(
            task, seconds=seconds_of(time) if time else None, out=folder, seed=seed, memory=bytes_of(memory) if memory else None,
            listeners=[watching], configuration=configuration, ask=program_files.ask if ask else None, library=library,
            reuse=reuse,
        )  # fmt: skip
    for path in program_files.write(model, folder, data, **reading):
        say(f"wrote {path}")
    return answer_grown(model, folder, json)
