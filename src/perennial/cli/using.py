"""What a grown model is good for: `predict evaluate export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from perennial.cli.answers import answer, say
from perennial.cli.app import EXIT_GOOD, Flag, app
from perennial.cli.studies import find_study, model_of
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
        The file to write: CSV, or with tabs where its name ends in .tsv; of programs also .json. Default: stdout.
    impute_missing
        Treat columns that the data lack as missing values, and broken images as blank, instead of refusing.
    """
    from perennial.modalities.reading import write_table

    model = model_of(study)
    _check_format(output, *([] if model.codec.batched else [".json"]))
    if not model.codec.batched:
        return _predict_program(model, study, data, output, json, encoding=encoding, delimiter=delimiter)
    rows = model.codec.read(data, encoding=encoding, delimiter=delimiter, skip_bad_lines=skip_bad_lines)
    _refuse_sample(rows, data)
    names, columns, notes = model.prediction_table(rows, impute_missing=impute_missing)
    for note in notes:
        say(note)
    if output is None and not json:
        write_table(sys.stdout, names, columns)
        return EXIT_GOOD
    if output is not None:
        write_table(output, names, columns)
    figures = {"study": study, "rows": rows.rows, "output": output, "columns": list(names), "notes": notes}
    if output is None:
        figures["predictions"] = [
            dict(zip(names, row, strict=True)) for row in zip(*map(plain_column, columns), strict=True)
        ]
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
    model: Any, study: str, data: str, output: str | None, json: bool, **reading: Any
) -> int:
    """Outputs as a JSON list, or a table with its column filled."""
    from perennial import program_files

    reading = {name: value for name, value in reading.items() if value is not None}
    rows = program_files.predict(model, data, output, **reading)
    unanswered = sum(row is None for row in rows)
    if unanswered:
        say(f"The program has no answer for {unanswered} of {len(rows)} inputs.")
    figures: dict[str, Any] = {"study": study, "rows": len(rows), "output": output, "unanswered": unanswered}
    if output is None:
        if not json:
            return EXIT_GOOD
        figures["predictions"] = [{"output": row} for row in rows]
    return answer(figures, json, f"{len(rows)} rows written to {output}")


def _refuse_sample(frame: Any, data: str) -> None:
    """One row out for each row in: a file that was too large to read whole cannot be predicted in one go."""
    written = (frame.origin or {}).get("rows_in_file", frame.rows)
    if written != frame.rows:
        raise DataError(
            f"The file has {written} rows, more than fit into memory.", where=data,
            why="A prediction is wanted for each row.", todo="Cut the file into parts and predict them one by one.",
        )  # fmt: skip


def plain_column(column: Any) -> list:
    return [
        value if value == value else None
        for value in (column.tolist() if hasattr(column, "tolist") else list(column))
    ]


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
        Path(output).write_text(text, encoding="utf-8")
        return answer({"study": study, "format": format_, "output": output}, json, f"written to {output}")
    return answer({"study": study, "format": format_, "text": text}, json, text.rstrip("\n"))
