"""Files around a program that was grown from examples: `program.py`, filled tables, predictions, a page."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, TextIO

from perennial.errors import DataError, PerennialError, UsageError
from perennial.lang import evaluate, to_html
from perennial.modalities.reading import write_table, write_whole
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


def write(model: Model, folder: Path, data: str, **reading: Any) -> list[Path]:
    """Everything that people find in the folder of the study.

    Args:
        model: of a program from examples.
        folder: of the study.
        data: the examples, or the table that is filled.
        reading: `encoding`, `delimiter`, `skip_bad_lines` of a table.

    Raises:
        DataError: a file cannot be written.
    """
    paths = []
    try:
        source = exported(model, "python")
    except PerennialError:
        pass  # a word without a source; best/ holds the program
    else:
        paths.append(write_text(folder / "program.py", source))
    if model.codec.table:
        names, columns = filled_table(model, data, **reading)
        write_table(folder / "filled.csv", names, columns)
        paths.append(folder / "filled.csv")
    paths.append(write_report(model, folder))
    write_text(folder / "README.txt", NOTE)
    return paths


@dataclass(frozen=True)
class Predicted:
    """What a program says for every input of a file.

    Args:
        outputs: as JSON holds them; None where there is no answer, or a number that is not finite.
        names, columns: of the table that holds them; without names it is a list in JSON.
    """

    outputs: list[Any]
    names: list[str] = field(default_factory=list)
    columns: list[list[Any]] = field(default_factory=list)

    @property
    def unanswered(self) -> int:
        """How many inputs have no output."""
        return sum(output is None for output in self.outputs)

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The outputs as JSON tells them."""
        return [{"output": output} for output in self.outputs]

    def write(self, target: str | os.PathLike | TextIO) -> None:
        """Writes the table or the list.

        Args:
            target: the path, or an open text stream such as `sys.stdout`.

        Raises:
            DataError: the file cannot be written.
        """
        if self.names:
            write_table(target, self.names, self.columns)
            return
        text = json.dumps(self.listed, ensure_ascii=False, allow_nan=False) + "\n"
        if hasattr(target, "write"):
            target.write(text)
        else:
            write_text(target, text)


def predict(model: Model, data: str, as_list: bool, **reading: Any) -> Predicted:
    """Asks a program once for every input of a file.

    Args:
        model: of a program from examples.
        data: a JSON file of examples or inputs, or a table.
        as_list: outputs alone are wanted, those of filled cells too. Else a table: the one of the file with its empty
            target cells filled, or for a program from examples the one column `output`.
        reading: `encoding`, `delimiter`, `skip_bad_lines` of a table.
    """
    if as_list:
        return Predicted(_finite(predictions(model, data, **reading)))
    if is_json(data) or not model.codec.table:
        outputs = _finite(predictions(model, data, **reading))
        return Predicted(outputs, ["output"], [list(map(_cell, outputs))])
    names, columns = filled_table(model, data, **reading)
    place = names.index(model.codec.table[-1])
    columns[place] = _finite(columns[place])
    return Predicted(columns[place], names, columns)


def is_json(name: str) -> bool:
    """Whether a file is called one of JSON, gzipped or not.

    >>> is_json("examples.JSON.gz"), is_json("table.csv")
    (True, False)
    """
    return name.lower().removesuffix(".gz").endswith(".json")


def _finite(outputs: list[Any]) -> list[Any]:
    """The outputs with None in place of every number that JSON lacks."""
    return json.loads(json.dumps(outputs), parse_constant=lambda name: None)


def _cell(output: Any) -> Any:
    """An output in a table: what is neither text nor a number as JSON, which is how it is read again."""
    plain = output is None or isinstance(output, str | int | float) and not isinstance(output, bool)
    return output if plain else json.dumps(output, ensure_ascii=False)


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
    return write_text(folder / "report.html", page)


def write_text(path: str | os.PathLike, text: str) -> Path:
    """Writes a file: all of it or nothing.

    Raises:
        DataError: it cannot be written.
    """
    place = Path(os.path.realpath(os.path.expanduser(path)))
    try:
        write_whole(place, lambda stream: stream.write(text))
    except OSError as error:
        raise DataError(
            f"The file cannot be written: {error.strerror or error}.",
            where=str(path),
            todo="Check that the folder exists, may be written and has space.",
        ) from None
    return Path(path)
