"""What a grown model is good for: `predict evaluate export`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from perennial.cli.answers import answer, say
from perennial.cli.app import EXIT_GOOD, Flag, app
from perennial.cli.studies import find_grown, model_of
from perennial.errors import DataError, UsageError

OTHER_FORMATS = {".json", ".jsonl", ".parquet", ".pq", ".feather", ".xlsx", ".xls", ".gz", ".zip", ".npz"}


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
        The file to write: CSV, with tabs where its name ends in .tsv; of programs a list in JSON where it ends in .json.
        Default: stdout, where examples in JSON are answered in JSON.
    impute_missing
        Treat columns that the data lack as missing values, and broken images as blank, instead of refusing.
    """
    from perennial.modalities.reading import write_table

    model = model_of(study)
    _check_format(output, *([] if model.codec.batched else [".json"]))
    reading = {"encoding": encoding, "delimiter": delimiter, "skip_bad_lines": skip_bad_lines}
    if not model.codec.batched:
        if impute_missing:
            raise UsageError(
                "--impute-missing would not be heard.",
                why="A program is asked with whole inputs; one that it has no answer for stays empty.",
                todo="Leave it out.",
            )
        return _predict_program(model, study, data, output, json, reading)
    rows = model.codec.read(data, **reading)
    _refuse_sample(rows.origin, rows.rows, data)
    names, columns, odd = model.prediction_table(rows, impute_missing=impute_missing)
    notes = _told(rows.origin, odd)
    if output is None and not json:
        write_table(sys.stdout, names, columns)
        return EXIT_GOOD
    if output is not None:
        write_table(output, names, columns)
    figures = {"study": study, "rows": rows.rows, "output": output, "columns": list(names), "notes": notes}
    if output is None:
        figures["predictions"] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return answer(figures, json, f"{rows.rows} rows written to {output}")


def _check_format(output: str | None, *more: str) -> None:
    """Refuses a file name that promises another format than is written."""
    suffix = Path(output).suffix.lower() if output is not None else ""
    if suffix in OTHER_FORMATS and suffix not in more:
        raise UsageError(
            f"Predictions are not written as {suffix}.",
            where=f"--output {output}",
            todo="Name the file .csv, or .tsv for tabs.",
        )


def _predict_program(
    model: Any, study: str, data: str, output: str | None, json: bool, reading: dict[str, Any]
) -> int:
    """Outputs as a JSON list, or a table with its column filled."""
    from perennial import program_files

    asked = model.codec.read(data, **reading)
    _refuse_sample(asked.origin, len(asked.unlabelled), data)
    only_json = json and output is None
    said = program_files.predict(model, data, only_json or program_files.is_json(output or data), **reading)
    rows, odd = len(said.outputs), []
    if said.unanswered:
        odd = [f"The program has no answer for {said.unanswered} of {rows} inputs."]
    notes = _told(asked.origin, odd)
    if not only_json:
        said.write(sys.stdout if output is None else output)
    if output is None and not json:
        return EXIT_GOOD
    figures: dict[str, Any] = {
        "study": study, "rows": rows, "output": output, "unanswered": said.unanswered, "notes": notes,
    }  # fmt: skip
    if output is None:
        figures["predictions"] = said.listed
    return answer(figures, json, f"{rows} rows written to {output}")


def _told(origin: Mapping[str, Any] | None, odd: Sequence[str]) -> list[str]:
    """The notes on how data were read and on what was odd in them, which are said to people as well."""
    notes = [*(origin or {}).get("notes", ()), *odd]
    for note in notes:
        say(note)
    return notes


def _refuse_sample(origin: Mapping[str, Any] | None, rows: int, data: str) -> None:
    """One row out for each row in: a file that was too large to read whole cannot be predicted in one go."""
    written = (origin or {}).get("rows_in_file", rows)
    if written != rows:
        raise DataError(
            f"The file has {written} rows, more than fit into memory.", where=data,
            why="A prediction is wanted for each row.", todo="Cut the file into parts and predict them one by one.",
        )  # fmt: skip


@app.command
def evaluate(
    study: str,
    data: str,
    *,
    allow_overlap: Flag = False,
    drop_unlabelled: Flag = False,
    encoding: str | None = None,
    delimiter: str | None = None,
    skip_bad_lines: Flag = False,
    json: Flag = False,
) -> int:
    """Score the model on labelled rows, with an interval and the baseline beside it.

    Parameters
    ----------
    allow_overlap
        Accept rows that the model was trained on.
    drop_unlabelled
        Leave out rows without a target.
    encoding
        Of the text file, such as latin-1.
    delimiter
        Of the cells, when the guess is wrong.
    skip_bad_lines
        Leave out lines that do not parse, and count them.
    """
    from perennial.judgement import evaluate_on

    figures = evaluate_on(
        find_grown(study), data, allow_overlap=allow_overlap, drop_unlabelled=drop_unlabelled, encoding=encoding,
        delimiter=delimiter, skip_bad_lines=skip_bad_lines,
    )  # fmt: skip
    for note in figures["notes"]:
        say(note)
    text = (
        f"{figures['metric']} {figures['value']:.4g} [{figures['low']:.4g}, {figures['high']:.4g}] on {figures['n']} rows; "
        f"baseline {figures['baseline']:.4g}"
    )
    return answer(figures, json, text)


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

    text = program_files.exported(model_of(study), format_)
    if output is not None:
        program_files.write_text(output, text)
        return answer({"study": study, "format": format_, "output": output}, json, f"written to {output}")
    return answer({"study": study, "format": format_, "text": text}, json, text.rstrip("\n"))
