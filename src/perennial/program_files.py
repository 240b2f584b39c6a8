"""Files around a program that was grown from examples: `program.py`, filled tables, predictions, a page."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from perennial.errors import PerennialError, UsageError
from perennial.lang import evaluate, to_html
from perennial.modalities.reading import write_table
from perennial.model import Model
from perennial.programming import filled_table, predictions

FORMATS = ("python", "pipeline", "latex", "pandas", "sql")
ROWS_SHOWN = 3
NOTE = """This folder was written by perennial.

program.py   the program, which runs without perennial (python program.py checks its examples)
report.html  how it was found and where it errs
best/        the model, for perennial predict
study.db     the journal
"""


def exported(model: Model, kind: str) -> str:
    """The program in a form that runs without perennial.

    Args:
        model: of a program from examples.
        kind: `python pipeline latex pandas sql`.

    Raises:
        UsageError: no such form, or the model is no program from examples.
        ProgramError: a word that the form cannot say.
    """
    if kind not in FORMATS:
        raise UsageError(f"No format called {kind!r}.", todo=f"Choose one of: {', '.join(FORMATS)}.")
    if model.codec.batched:
        raise UsageError("Only programs from examples can be exported so.")
    codec = model.codec
    columns = dict(zip(codec.names, codec.table[:-1] or codec.names, strict=True))
    if kind == "pipeline":
        from perennial.export.pipeline import to_pipeline

        return to_pipeline(model.program) + "\n"
    if kind == "latex":
        from perennial.synthesis.formulas.notation import to_latex

        return to_latex(model.program) + "\n"
    if kind in ("pandas", "sql"):
        from perennial.export import frames

        write = frames.to_pandas if kind == "pandas" else frames.to_sql
        return write(model.program, columns) + "\n"
    return _module(model)


def _module(model: Model) -> str:
    from perennial.export.python import to_module
    from perennial.modalities.examples import fitted

    codec, result = model.codec, model.result
    name = codec.table[-1] if codec.table else "predict"
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name.lower()).strip(
        "_"
    )
    name = name if name.isidentifier() and name not in codec.names else "predict"
    right = [pair["inputs"] for pair in model.information.get("pairs", []) if pair["right"]]
    asked = (
        tuple(fitted(value, kind) for value, kind in zip(inputs, codec.types, strict=True))
        for inputs in right
    )
    # what it says itself: a number of the data is met to so many digits only
    shown = ((inputs, evaluate(model.program, *inputs)) for inputs in asked)
    told = result.get("examples", {})
    about = f"Found from {told.get('all', 'some')} examples; right on {told.get('right', 'some')} of them."
    return to_module(model.program, name, shown, about)


def write(model: Model, folder: Path, data: str) -> list[Path]:
    """Everything that people find in the folder of the study; what cannot be written is left out."""
    paths = []
    try:
        paths.append(_written(folder / "program.py", exported(model, "python")))
    except PerennialError:
        pass  # a word without a source; best/ holds the program
    if model.codec.table:
        names, columns = filled_table(model, data)
        write_table(folder / "filled.csv", names, columns)
        paths.append(folder / "filled.csv")
    paths.append(write_report(model, folder))
    _written(folder / "README.txt", NOTE)
    return paths


def predict(model: Model, data: str, output: str | None = None, **reading: Any) -> list[Any]:
    """Writes predictions: `[{"output": …}, …]` as JSON, or a table with the target column filled.

    Args:
        model: of a program from examples.
        data: a JSON file of examples or inputs, or a table.
        output: the file to write; stdout when `None`.
    """
    said = predictions(model, data, **reading)
    if not str(data).lower().removesuffix(".gz").endswith(".json"):
        if model.codec.table:
            names, columns = filled_table(model, data, **reading)
        else:
            names, columns = ["output"], [said]
        if output is None or str(output).lower().endswith((".csv", ".tsv")):
            write_table(sys.stdout if output is None else output, names, columns)
            return said
    text = json.dumps([{"output": value} for value in said], ensure_ascii=False, allow_nan=False) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        _written(Path(output), text)
    return said


def ask(inputs: tuple, answers: Sequence[Any]) -> Any:
    """Asks at the terminal which output is meant; an empty line or the end of input means none.

    The answer is the number of a proposal, or the output itself as people write it.
    """
    print(f"For {', '.join(map(repr, inputs))} the programs that fit say:", file=sys.stderr)
    different = list(dict.fromkeys(map(repr, answers)))
    for number, answer in enumerate(different, 1):
        print(f"  {number}  {answer}", file=sys.stderr)
    print(
        "Which one is right? Its number, another output, or nothing to go on: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        return None
    if line.isascii() and line.isdigit() and 1 <= int(line) <= len(different):
        return next(answer for answer in answers if repr(answer) == different[int(line) - 1])
    if line.startswith('"') and line.endswith('"') and len(line) > 1:
        return line[1:-1]
    return line


def write_report(model: Model, folder: Path) -> Path:
    """One self-contained page: the program, its examples, where programs differ."""
    result, pairs = model.result, model.information.get("pairs", [])
    rows = "".join(
        f"<tr><td>{pair['place'] + 1}</td><td>{escape(json.dumps(pair['inputs'], ensure_ascii=False))}</td>"
        f"<td>{escape(json.dumps(pair['output'], ensure_ascii=False))}</td>"
        f"<td>{escape(json.dumps(pair['given'], ensure_ascii=False))}"
        f"{'' if pair['right'] else ' (missed)'}</td></tr>"
        for pair in pairs
    )
    others = "".join(f"<pre>{escape(source)}</pre>" for source in result.get("others", []))
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>'
        f"{escape(str(result.get('study')))}</title><style>body{{font:16px sans-serif;max-width:60em;margin:2em auto}}"
        "td,th{padding:.2em .8em;text-align:left;vertical-align:top}pre,.node{background:#f4f4f4;padding:.4em}"
        "</style>"
        f"<h1>{escape(str(result.get('study')))}</h1><pre>{escape(model.report)}</pre>"
        f"<h2>The program</h2>{to_html(model.program)}"
        f"<h2>Examples</h2><table><tr><th>row<th>input<th>output<th>the program says</tr>{rows}</table>"
        + (f"<h2>Others that fit</h2>{others}" if others else "")
        + "</html>\n"
    )
    return _written(folder / "report.html", page)


def _written(path: Path, text: str) -> Path:
    """The file is there whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".perennial-", suffix=".part")
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
    return path
