"""Examples from JSON, tables and Python: pairs of inputs and outputs, and inputs that wait for an output."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError, TypeMismatch, UnreadableData
from perennial.lang.program import RESERVED_NAMES
from perennial.lang.types import (
    Grid,
    Int,
    List,
    Real,
    Text,
    Type,
)
from perennial.modalities.base import counted
from perennial.modalities.cells import MISSING_TOKENS
from perennial.modalities.columns import as_texts
from perennial.modalities.csv_rows import written_rows
from perennial.modalities.examples.values import (
    column_type,
    fitted,
    fitted_row,
    is_grid,
    joined_types,
    shown,
    type_of,
)
from perennial.modalities.files import find_source
from perennial.modalities.reading import read_table
from perennial.primitives import vocabulary

LARGEST_JSON = 64 * 2**20
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


@dataclass(frozen=True)
class ExampleSet:
    """Typed pairs, and inputs without an output.

    Args:
        names, types: of the arguments.
        output_type: of the results.
        inputs: one tuple of values per example; lists are tuples.
        outputs: one value per example.
        unlabelled: inputs that wait for an output.
        known: outputs of the unlabelled inputs where people gave them, for one final test; else empty.
        table: of a table, the source columns and last the target; empty for examples.
        origin: where they came from, as JSON.
    """

    names: tuple[str, ...]
    types: tuple[Type, ...]
    output_type: Type
    inputs: tuple[tuple, ...]
    outputs: tuple
    unlabelled: tuple[tuple, ...] = ()
    known: tuple = ()
    table: tuple[str, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)


def with_rows(examples: ExampleSet, inputs: tuple, output: Any) -> ExampleSet:
    """The examples with one more, as an answer to a question."""
    return replace(
        examples,
        inputs=(*examples.inputs, inputs),
        outputs=(*examples.outputs, fitted(output, examples.output_type)),
        unlabelled=tuple(row for row in examples.unlabelled if row != inputs),
    )


def is_examples(data: Any) -> bool:
    """Whether a path leads to a JSON file of examples.

    >>> is_examples("table.csv")
    False
    """
    if not isinstance(data, str | os.PathLike) or not str(data).lower().endswith(".json"):
        return False
    path = Path(os.path.expanduser(data))
    if not os.path.isfile(path) or path.stat().st_size > LARGEST_JSON:
        return False
    try:
        told = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    pairs = pairs_of(told)[0]
    return bool(pairs) and all(
        isinstance(pair, Mapping) and {"input", "inputs"} & set(pair) and "output" in pair for pair in pairs
    )


def read_examples(path: str | os.PathLike) -> ExampleSet:
    """The examples of a JSON file.

    Raises:
        UnreadableData: no JSON.
        DataError: no pairs, types that differ, or values over their bounds, with the place.
    """
    told, origin = read_json(path)
    train, test = pairs_of(told)
    return examples_from(train, test, origin=origin)


def examples_from(
    examples: Iterable[Any],
    test: Iterable[Any] = (),
    *,
    names: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> ExampleSet:
    """Examples from Python: pairs `(input, output)`, or mappings with `input` or `inputs`, and `output`.

    Args:
        examples: an input that is a tuple holds several arguments; a list is one value.
        test: inputs to predict: mappings, with or without `output`, or bare inputs.
        names: of the arguments.
        origin: where they came from.

    Raises:
        DataError: what cannot be used, with the place and the remedy.
    """
    pairs = [_pair(pair, f"train pair {number}") for number, pair in enumerate(examples, 1)]
    asked = [asked_pair(pair, f"test pair {number}") for number, pair in enumerate(test, 1)]
    if not pairs:
        raise DataError(
            "There are no examples to learn from.",
            todo='Give pairs: {"train": [{"input": 1, "output": 2}]}.',
        )
    told = list(pairs[0][0]) if isinstance(pairs[0][0], Mapping) else None
    rows, outputs = [row_of(inputs, told) for inputs, _ in pairs], [output for _, output in pairs]
    waiting = [row_of(inputs, told) for inputs, _ in asked]
    known = [output for _, output in asked]
    known = [] if any(output is NOTHING for output in known) else known
    width = len(rows[0])
    for number, row in enumerate([*rows, *waiting], 1):
        if len(row) != width:
            raise DataError(
                f"The first example has {counted(width, 'argument')}, example {number} has {len(row)}.",
                todo="Give each example the same arguments.",
            )
    columns = [[row[place] for row in (*rows, *waiting)] for place in range(width)]
    types = [column_type(column, f"argument {place}") for place, column in enumerate(columns, 1)]
    output_type = column_type([*outputs, *known], "output")
    if output_type == Grid and Grid not in types:
        output_type = List(List(Int))
    types = [List(List(Int)) if kind == Grid and output_type != Grid else kind for kind in types]
    return ExampleSet(
        tuple(names or (map(argument_name, told) if told else argument_names(types))),
        tuple(types),
        output_type,
        tuple(fitted_row(row, types) for row in rows),
        tuple(fitted(output, output_type) for output in outputs),
        tuple(fitted_row(row, types) for row in waiting),
        tuple(fitted(output, output_type) for output in known),
        origin=dict(origin or {}),
    )


def table_examples(
    data: str | os.PathLike,
    target: str,
    sources: Sequence[str] = (),
    *,
    numbers: bool = False,
    **reading: Any,
) -> ExampleSet:
    """A table whose empty target cells are to be filled by the example of the others.

    Args:
        data: path of a table.
        target: column to fill.
        sources: columns to fill it from; all others by default.
        numbers: read every cell as a number (for formulas) instead of as the text that was written.
        reading: `encoding`, `delimiter`, `skip_bad_lines`.

    Raises:
        DataError: no such column, no row with a target, or a cell that is no number when numbers are wanted.
    """
    names, rows, origin = raw_table(data, **reading)
    for name in (target, *sources):
        if name not in names:
            raise DataError(
                f"There is no column {name!r}.", where=str(data), todo=f"It has: {', '.join(names)}."
            )
    sources = tuple(sources) or tuple(name for name in names if name != target)
    if target in sources or not sources:
        raise DataError(f"The column {target!r} cannot be filled from itself.", todo="Name other columns.")
    places, goal = [names.index(name) for name in sources], names.index(target)
    read = number_of if numbers else str
    labelled = [row for row in rows if row[goal].strip()]
    if not labelled:
        raise DataError(
            f"No row of the column {target!r} is filled.", where=str(data), todo="Fill two or three by hand."
        )
    waiting = [row for row in rows if not row[goal].strip()]
    kind = Real if numbers else Text
    return ExampleSet(
        unique_names(map(argument_name, sources)),
        (kind,) * len(sources),
        kind,
        tuple(tuple(read(row[place]) for place in places) for row in labelled),
        tuple(read(row[goal]) for row in labelled),
        tuple(tuple(read(row[place]) for place in places) for row in waiting),
        table=(*sources, target),
        origin=origin,
    )


def raw_table(data: str | os.PathLike, **reading: Any) -> tuple[list[str], list[list[str]], dict[str, Any]]:
    """Names, rows and origin of a table with every cell as it was written; a missing one is the empty text."""
    frame = read_table(data, **reading)
    names, origin = list(frame.names), dict(frame.origin)
    if origin.get("format") == "csv":
        rows = written_rows(find_source(data), origin["dialect"], len(names))
        if len(rows) == frame.rows:
            return names, rows, origin
    columns = [_written(cells) for cells in frame.columns]
    return names, [list(row) for row in zip(*columns, strict=True)], origin


def _written(cells: np.ndarray) -> list[str]:
    """Cells that came typed, as people would write them: `2` and `2.5`, dates no finer than they are."""
    if cells.dtype.kind == "M":
        known = cells[~np.isnat(cells)]
        exact = (unit for unit in ("D", "s") if (known.astype(f"datetime64[{unit}]") == known).all())
        cells = cells.astype(f"datetime64[{next(exact, 'us')}]")
    return ["" if text is None else text for text in as_texts(cells)]


def read_json(path: str | os.PathLike) -> tuple[Any, dict[str, Any]]:
    source = find_source(path)
    with source.open() as stream:
        data = stream.read(LARGEST_JSON + 1)
    if len(data) > LARGEST_JSON:
        raise DataError(f"A file of examples has at most {LARGEST_JSON} bytes.", where=str(source.path))
    try:
        told = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(
            f"This is no JSON: {error}.",
            where=str(source.path),
            todo="Check it with python -m json.tool.",
        ) from None
    return told, {"path": str(source.path), "sha256": hashlib.sha256(data).hexdigest()}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number that an example may hold")


def pairs_of(told: Any) -> tuple[list, list]:
    if isinstance(told, list):
        return told, []
    if isinstance(told, Mapping):
        train, test = told.get("train", told.get("examples", [])), told.get("test", [])
        if isinstance(train, list) and isinstance(test, list):
            return train, test
    return [], []


class Nothing:
    """Stands for an output that was not given."""


NOTHING = Nothing()


def _pair(pair: Any, where: str) -> tuple[Any, Any]:
    if isinstance(pair, Mapping):
        inputs, output = asked_pair(pair, where)
        if output is not NOTHING:
            return inputs, output
    elif isinstance(pair, tuple | list) and len(pair) == 2:
        inputs = pair[0]
        return (inputs if isinstance(inputs, tuple) else (inputs,)), pair[1]
    raise DataError(
        'An example is {"input": …, "output": …} or a pair (input, output).',
        where=f"{where}: {shown(pair)}",
    )


def asked_pair(pair: Any, where: str) -> tuple[Any, Any]:
    """Arguments and output of a test pair; the arguments of a mapping stay one."""
    if not isinstance(pair, Mapping) or not {"input", "inputs"} & set(pair):
        return (pair if isinstance(pair, tuple) else (pair,)), NOTHING
    output = pair.get("output", NOTHING)
    if "inputs" not in pair:
        return (pair["input"],), output
    inputs = pair["inputs"]
    if not isinstance(inputs, list | tuple | Mapping) or not inputs:
        raise DataError('"inputs" is a list of arguments.', where=f"{where}: {shown(inputs)}")
    return (inputs if isinstance(inputs, Mapping) else tuple(inputs)), output


def row_of(inputs: Any, told: list[str] | None) -> tuple:
    if told is None:
        return tuple(inputs)
    if not isinstance(inputs, Mapping) or set(inputs) != set(told):
        raise DataError(f"The first example names the arguments {', '.join(told)}, another one does not.")
    return tuple(inputs[name] for name in told)


def number_of(cell: str) -> float:
    try:
        value = float(cell.strip().replace(",", "")) if cell.strip() else math.nan
    except ValueError:
        if cell.strip() in MISSING_TOKENS:
            return math.nan
        raise DataError(
            f"A formula needs numbers, received {cell!r}.", todo="Leave that column out with --from."
        ) from None
    return value


def cell_value(cell: str, kind: Type, where: str) -> Any:
    """A cell of a table as a value of a type; what is neither text nor a number is written as JSON.

    Raises:
        DataError: it holds none.
    """
    if kind == Text:
        return cell
    if kind == Real:
        return number_of(cell)
    try:
        value = json.loads(cell)
        value = int(value) if isinstance(value, float) and value.is_integer() else value
        if is_grid(value) if kind == Grid else joined_types(type_of(value), kind) == kind:
            return fitted(value, kind)
    except (ValueError, TypeMismatch, DataError):
        pass
    raise DataError(f"A cell is to hold {kind}, received {cell!r}.", where=where)


# -- names of arguments -----------------------------------------------------------------------------------------


def argument_names(types: Sequence[Type]) -> tuple[str, ...]:
    """Names for arguments that people did not name.

    >>> argument_names([List(Int)]), argument_names([Text, Int])
    (('xs',), ('a', 'b'))
    """
    if len(types) == 1:
        return ({"List": "xs", "Text": "text", "Grid": "grid"}.get(types[0].name, "x"),)
    return tuple(
        "abcdefghijklmnopqrstuvwxyz"[place] if place < 26 else f"a{place}" for place in range(len(types))
    )


def argument_name(column: str) -> str:
    """A name that a program may use, made from a column's.

    >>> argument_name("First Name"), argument_name("title"), argument_name("2nd")
    ('first_name', 'title_cell', 'c_2nd')
    """
    import keyword

    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "column"
    name = name if name[0].isalpha() else f"c_{name}"
    return (
        f"{name}_cell" if name in vocabulary() or name in RESERVED_NAMES or keyword.iskeyword(name) else name
    )


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names, with numbers where they repeat."""
    found: list[str] = []
    for name in names:
        number, new = 2, name
        while new in found:
            new, number = f"{name}_{number}", number + 1
        found.append(new)
    return tuple(found)
