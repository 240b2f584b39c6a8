"""Examples: pairs of inputs and outputs from which a program is to be found, from JSON, tables and Python.

A file of examples is `{"train": [{"input": …, "output": …}, …], "test": [{"input": …}, …]}` (ARC files are
this), or the list alone; several arguments are `"inputs": […]`, or `"inputs": {"name": …}`. A table is filled by
example: rows with an empty target are the ones to fill.

>>> examples = examples_from([([3, 1, 2], [1, 2, 3]), ([9, 7], [7, 9])])
>>> examples.names, examples.types, examples.output_type
(('xs',), (List[Int],), List[Int])
"""

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
    Bool,
    Dict,
    Grid,
    Int,
    List,
    Option,
    Pair,
    Real,
    Text,
    Type,
    TypeVar,
    fresh,
    parse_type,
    unify,
)
from perennial.modalities.base import Codec, Finding, Sensed, counted
from perennial.modalities.cells import MISSING_TOKENS
from perennial.modalities.csv_dialect import find_encoding
from perennial.modalities.csv_text import check_text
from perennial.modalities.files import find_source
from perennial.modalities.reading import read_table
from perennial.primitives import vocabulary

LARGEST_JSON = 64 * 2**20
LARGEST_EXAMPLE = 1_000_000
LONGEST_INTEGER = 2**63 - 1
COLOURS = range(10)
SHOWN = 60
FEW_EXAMPLES = 2
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
BASIC = {bool: Bool, int: Int, float: Real, str: Text}

__all__ = ["ExampleSet", "ExamplesCodec", "examples_from", "is_examples", "sense_examples", "table_examples"]


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


# -- reading -----------------------------------------------------------------------------------------------------


def is_examples(data: Any) -> bool:
    """Whether a path leads to a JSON file of examples.

    >>> is_examples("table.csv")
    False
    """
    if not isinstance(data, str | os.PathLike) or not str(data).lower().endswith(".json"):
        return False
    path = Path(data).expanduser()
    if not path.is_file() or path.stat().st_size > LARGEST_JSON:
        return False
    try:
        told = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    pairs = _pairs_of(told)[0]
    return bool(pairs) and all(
        isinstance(pair, Mapping) and {"input", "inputs"} & set(pair) and "output" in pair for pair in pairs
    )


def read_examples(path: str | os.PathLike) -> ExampleSet:
    """The examples of a JSON file.

    Raises:
        UnreadableData: no JSON.
        DataError: no pairs, types that differ, or values over their bounds, with the place.
    """
    told, origin = _told(path)
    train, test = _pairs_of(told)
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
    asked = [_asked(pair, f"test pair {number}") for number, pair in enumerate(test, 1)]
    if not pairs:
        raise DataError(
            "There are no examples to learn from.",
            todo='Give pairs: {"train": [{"input": 1, "output": 2}]}.',
        )
    told = list(pairs[0][0]) if isinstance(pairs[0][0], Mapping) else None
    rows, outputs = [_row(inputs, told) for inputs, _ in pairs], [output for _, output in pairs]
    waiting = [_row(inputs, told) for inputs, _ in asked]
    known = [output for _, output in asked]
    known = [] if any(output is _NOTHING for output in known) else known
    width = len(rows[0])
    for number, row in enumerate([*rows, *waiting], 1):
        if len(row) != width:
            raise DataError(
                f"The first example has {counted(width, 'argument')}, example {number} has {len(row)}.",
                todo="Give each example the same arguments.",
            )
    columns = [[row[place] for row in (*rows, *waiting)] for place in range(width)]
    types = [_column_type(column, f"argument {place}") for place, column in enumerate(columns, 1)]
    output_type = _column_type([*outputs, *known], "output")
    if output_type == Grid and Grid not in types:
        output_type = List(List(Int))
    types = [List(List(Int)) if kind == Grid and output_type != Grid else kind for kind in types]
    return ExampleSet(
        tuple(names or (map(argument_name, told) if told else argument_names(types))),
        tuple(types),
        output_type,
        tuple(_fitted(row, types) for row in rows),
        tuple(fitted(output, output_type) for output in outputs),
        tuple(_fitted(row, types) for row in waiting),
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
    read = _number if numbers else str
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
    if frame.origin.get("format") == "csv":
        import csv

        dialect = frame.origin["dialect"]
        source = find_source(data)
        lines = check_text(source, find_encoding(source.head, dialect["encoding"], str(data))).line_iterator()
        rows = [row for row in csv.reader(lines, delimiter=dialect["delimiter"]) if any(row)]
        rows = rows[1:] if dialect["header"] else rows
        if len(rows) == frame.rows and all(len(row) == len(frame.names) for row in rows):
            return list(frame.names), rows, dict(frame.origin)
    columns = [["" if cell is None else str(cell) for cell in column] for column in frame.columns]
    return list(frame.names), [list(row) for row in zip(*columns, strict=True)], dict(frame.origin)


def _told(path: str | os.PathLike) -> tuple[Any, dict[str, Any]]:
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


def _pairs_of(told: Any) -> tuple[list, list]:
    if isinstance(told, list):
        return told, []
    if isinstance(told, Mapping):
        train, test = told.get("train", told.get("examples", [])), told.get("test", [])
        if isinstance(train, list) and isinstance(test, list):
            return train, test
    return [], []


class _Nothing:
    """Stands for an output that was not given."""


_NOTHING = _Nothing()


def _pair(pair: Any, where: str) -> tuple[Any, Any]:
    if isinstance(pair, Mapping):
        inputs, output = _asked(pair, where)
        if output is not _NOTHING:
            return inputs, output
    elif isinstance(pair, tuple | list) and len(pair) == 2:
        inputs = pair[0]
        return (inputs if isinstance(inputs, tuple) else (inputs,)), pair[1]
    raise DataError(
        'An example is {"input": …, "output": …} or a pair (input, output).',
        where=f"{where}: {_shown(pair)}",
    )


def _asked(pair: Any, where: str) -> tuple[Any, Any]:
    """Arguments and output of a test pair; the arguments of a mapping stay one."""
    if not isinstance(pair, Mapping) or not {"input", "inputs"} & set(pair):
        return (pair if isinstance(pair, tuple) else (pair,)), _NOTHING
    output = pair.get("output", _NOTHING)
    if "inputs" not in pair:
        return (pair["input"],), output
    inputs = pair["inputs"]
    if not isinstance(inputs, list | tuple | Mapping) or not inputs:
        raise DataError('"inputs" is a list of arguments.', where=f"{where}: {_shown(inputs)}")
    return (inputs if isinstance(inputs, Mapping) else tuple(inputs)), output


def _row(inputs: Any, told: list[str] | None) -> tuple:
    if told is None:
        return tuple(inputs)
    if not isinstance(inputs, Mapping) or set(inputs) != set(told):
        raise DataError(f"The first example names the arguments {', '.join(told)}, another one does not.")
    return tuple(inputs[name] for name in told)


def _number(cell: str) -> float:
    try:
        value = float(cell.strip().replace(",", "")) if cell.strip() else math.nan
    except ValueError:
        if cell.strip() in MISSING_TOKENS:
            return math.nan
        raise DataError(
            f"A formula needs numbers, received {cell!r}.", todo="Leave that column out with --from."
        ) from None
    return value


# -- names -------------------------------------------------------------------------------------------------------


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


# -- types -------------------------------------------------------------------------------------------------------


def type_of(value: Any) -> Type:
    """The type of one value; unknown parts are variables.

    >>> type_of([1, 2.5]), type_of({"a": 1}), type_of("x")
    (List[Real], Dict[Text, Int], Text)
    """
    if value is None:
        return Option(fresh())
    if type(value) in BASIC:
        if isinstance(value, int) and abs(value) > LONGEST_INTEGER:
            raise DataError(f"A whole number has at most 63 bits, received {str(value)[:30]}….")
        if isinstance(value, float) and not math.isfinite(value):
            raise DataError(f"An example holds finite numbers, received {value}.")
        return BASIC[type(value)]
    if isinstance(value, tuple | list):
        common: Type = fresh()
        for item in value:
            common = joined_types(common, type_of(item))
        return List(common)
    if isinstance(value, Mapping):
        keys, values = fresh(), fresh()
        for key, item in value.items():
            keys, values = joined_types(keys, type_of(key)), joined_types(values, type_of(item))
        return Dict(keys, values)
    if hasattr(value, "tolist"):
        return type_of(value.tolist())
    raise DataError(
        f"An example holds numbers, texts, truths, lists and mappings, received {type(value).__name__}."
    )


def joined_types(one: Type, other: Type) -> Type:
    """The type of values of both types: equal, or numbers that are not all whole, or sometimes missing.

    Raises:
        TypeMismatch: when there is none.

    >>> joined_types(List(Int), List(Real))
    List[Real]
    """
    if isinstance(one, TypeVar):
        return other
    if isinstance(other, TypeVar):
        return one
    if {one, other} == {Int, Real}:
        return Real
    if isinstance(one, Option) or isinstance(other, Option):
        plain = [kind.element if isinstance(kind, Option) else kind for kind in (one, other)]
        return Option(joined_types(*plain))
    if type(one) is type(other) and len(one.arguments) == len(other.arguments) and one.arguments:
        return one.with_arguments(tuple(map(joined_types, one.arguments, other.arguments)))
    return unify(one, other).apply(one)


def _column_type(column: Sequence[Any], where: str) -> Type:
    common: Type = fresh()
    first = None
    for number, value in enumerate(column, 1):
        _check_size(value, f"{where} of example {number}")
        kind = type_of(value)
        try:
            common = joined_types(common, kind)
        except TypeMismatch:
            raise DataError(
                f"The {where} of example {number} is {kind}, but {common} in those before it.",
                where=f"{_shown(value)} beside {_shown(first)}",
                why="A program has one type for each argument and one for its result.",
                todo="Write all of them in the same way, for instance all as text.",
            ) from None
        first = value if first is None else first
    if column and all(_is_grid(value) for value in column):
        return Grid
    return _closed(common)


def _closed(kind: Type) -> Type:
    """The type with `Int` where nothing is known, as in a list that is always empty."""
    if isinstance(kind, TypeVar):
        return Int
    if isinstance(kind, List | Option | Dict | Pair):
        return kind.with_arguments(tuple(map(_closed, kind.arguments)))
    return kind


def _is_grid(value: Any) -> bool:
    if (
        not isinstance(value, tuple | list)
        or not value
        or not all(isinstance(row, tuple | list) for row in value)
    ):
        return False
    widths = {len(row) for row in value}
    cells = (cell for row in value for cell in row)
    return (
        len(widths) == 1 and 0 not in widths and all(type(cell) is int and cell in COLOURS for cell in cells)
    )


def _check_size(value: Any, where: str, allowed: int = LARGEST_EXAMPLE) -> None:
    """Refuses values that are too large or hold themselves, without walking all of them."""
    stack, seen = [(value, 0)], 0
    while stack:
        item, depth = stack.pop()
        seen += len(item) if isinstance(item, str) else 1
        if depth > 40:
            raise DataError("A value nests more than 40 deep, or holds itself.", where=where)
        children = (
            item.values() if isinstance(item, Mapping) else item if isinstance(item, tuple | list) else ()
        )
        if seen + len(children) > allowed:
            raise DataError(
                f"A value has more than {allowed} parts.",
                where=where,
                why="A search looks at every example many thousand times.",
                todo="Cut it into smaller examples.",
            )
        stack.extend((child, depth + 1) for child in children)


def fitted(value: Any, kind: Type) -> Any:
    """A value as programs take it: lists as tuples, whole numbers as reals where the type says so."""
    if isinstance(value, tuple | list):
        element = kind.element if isinstance(kind, List) else Int
        return tuple(fitted(item, element) for item in value)
    if isinstance(value, Mapping) and isinstance(kind, Dict):
        return {key: fitted(item, kind.value) for key, item in value.items()}
    if isinstance(kind, Option):
        return None if value is None else fitted(value, kind.element)
    if hasattr(value, "tolist"):
        return fitted(value.tolist(), kind)
    return float(value) if kind == Real and type(value) is int else value


def _fitted(row: Sequence[Any], types: Sequence[Type]) -> tuple:
    return tuple(fitted(value, kind) for value, kind in zip(row, types, strict=True))


def plain(value: Any) -> Any:
    """A value as JSON holds it: tuples as lists.

    >>> plain(((1, 2), "a"))
    [[1, 2], 'a']
    """
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value.item() if hasattr(value, "item") else value


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, tuple | list) or len(value) <= 50 else repr(value[:20])
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


# -- sensing -----------------------------------------------------------------------------------------------------


def sense_examples(examples: ExampleSet, name: str | None = None, tolerance: float = 0.0) -> Sensed:
    """What a task is built from.

    Args:
        examples: typed pairs.
        name: short.
        tolerance: share of the examples that may be wrong; without it a contradiction is an error.

    Raises:
        DataError: two examples contradict each other; it shows both.
    """
    findings = [*_contradictions(examples, tolerance), *_too_few(examples)]
    codec = ExamplesCodec(examples.names, examples.types, examples.output_type, examples.table)
    path = examples.origin.get("path")
    told = json.dumps([plain(examples.inputs), plain(examples.outputs)], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()
    hashes = np.frombuffer(digest, dtype=np.uint64)
    return Sensed(
        "examples",
        name or (Path(path).stem if path else "examples"),
        codec,
        codec.as_columns(examples.inputs),
        object_array(examples.outputs),
        hashes,
        tuple(findings),
        origin={**examples.origin, "tolerance": tolerance},
        unlabelled=codec.as_columns(examples.unlabelled),
        held_back=object_array(examples.known),
    )


def _contradictions(examples: ExampleSet, tolerance: float) -> list[Finding]:
    seen: dict[str, int] = {}
    found = []
    for number, row in enumerate(examples.inputs):
        before = seen.setdefault(repr(row), number)
        if examples.outputs[before] != examples.outputs[number]:
            found.append((before, number))
    if not found:
        return []
    one, other = found[0]
    where = (
        f"examples {one + 1} and {other + 1}: {_shown(examples.inputs[one])} gives "
        f"{_shown(examples.outputs[one])} and {_shown(examples.outputs[other])}"
    )
    if len(found) > tolerance * len(examples.outputs):
        raise DataError(
            "Two examples have the same input and different outputs.",
            where=where,
            why="No program can give both.",
            todo="Correct one of them, or allow errors with --tolerance 0.1.",
        )
    return [
        Finding("contradictions", "warning", f"{counted(len(found), 'example')} contradict others.", where)
    ]


def _too_few(examples: ExampleSet) -> list[Finding]:
    different = len(set(map(repr, examples.inputs)))
    if different > FEW_EXAMPLES:
        return []
    return [
        Finding(
            "few_examples",
            "warning",
            f"There {'is one example' if different == 1 else 'are two examples'}: many programs may fit.",
            why="The simplest program is chosen, which may not be the one you mean.",
            action="Programs that differ on new inputs are shown.",
            flag="--ask asks for the most telling example",
        )
    ]


# -- codec -------------------------------------------------------------------------------------------------------


def object_array(values: Sequence[Any]) -> np.ndarray:
    """A column of any values."""
    column = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        column[place] = value
    return column


@dataclass(frozen=True)
class ExamplesCodec(Codec):
    """The way between JSON or table cells and the arguments of a program.

    Args:
        names, types: of the arguments.
        result: type of the output.
        table: of a table, the source columns and last the target.
    """

    names: tuple[str, ...]
    types: tuple[Type, ...]
    result: Type
    table: tuple[str, ...] = ()

    problem = "program"
    classes = ()
    columns = ()
    decided = ()
    batched = False

    @property
    def targets(self) -> tuple[str, ...]:
        """Name of what is predicted."""
        return (self.table[-1] if self.table else "output",)

    @property
    def input_type(self) -> Type:
        return self.types[0] if len(self.types) == 1 else List(Text) if not self.types else _record(self)

    @property
    def output_type(self) -> Type:
        return self.result

    @property
    def target_type(self) -> Type:
        """The type of a true value."""
        return self.result

    def as_columns(self, rows: Sequence[tuple]) -> dict[str, np.ndarray]:
        """Rows of arguments as named columns."""
        return {name: object_array([row[place] for row in rows]) for place, name in enumerate(self.names)}

    def rows(self, columns: Mapping[str, np.ndarray]) -> list[tuple]:
        """Named columns as rows of arguments."""
        return list(zip(*(columns[name] for name in self.names), strict=True))

    def read(self, path: Any, **reading: Any) -> ExampleSet:
        """Inputs of a file: the test inputs of examples (else the train inputs), or every row of a table."""
        if not str(path).lower().removesuffix(".gz").endswith(".json"):
            return self._read_table(path, **reading)
        told, origin = _told(path)
        train, test = _pairs_of(told)
        asked = [_asked(pair, f"input {number}") for number, pair in enumerate(test or train, 1)]
        names = list(asked[0][0]) if asked and isinstance(asked[0][0], Mapping) else None
        rows = tuple(self.arguments(_row(inputs, names)) for inputs, _ in asked)
        return ExampleSet(self.names, self.types, self.result, (), (), rows, origin=origin)

    def _read_table(self, path: Any, **reading: Any) -> ExampleSet:
        names, rows, origin = raw_table(path, **{key: value for key, value in reading.items() if value})
        sources = self.table[:-1] or self.names
        missing = [name for name in sources if name not in names]
        if missing:
            raise DataError(f"The column {missing[0]!r} is missing.", where=str(path))
        read = {Text: str, Real: _number, Int: lambda cell: int(_number(cell))}
        places = [names.index(name) for name in sources]
        found = tuple(
            tuple(read.get(kind, str)(row[place]) for place, kind in zip(places, self.types, strict=True))
            for row in rows
        )
        return ExampleSet(self.names, self.types, self.result, (), (), found, table=self.table, origin=origin)

    def arguments(self, row: Sequence[Any]) -> tuple:
        """One row of arguments, checked.

        Raises:
            DataError: another number of arguments, or of another type.
        """
        if len(row) != len(self.types):
            raise DataError(f"The program takes {counted(len(self.types), 'argument')}, received {len(row)}.")
        for value, kind, name in zip(row, self.types, self.names, strict=True):
            received = Grid if kind == Grid and _is_grid(value) else type_of(value)
            try:
                fits = _closed(joined_types(received, kind)) == kind or kind == Grid == received
            except TypeMismatch:
                fits = False
            if not fits:
                raise DataError(f"The argument `{name}` is {kind}, received {_shown(value)} ({received}).")
        return _fitted(row, self.types)

    def encode(self, data: Any) -> dict[str, np.ndarray]:
        """Columns of a path, of examples that were read, or of a list of inputs."""
        if isinstance(data, str | os.PathLike):
            data = self.read(data)
        if isinstance(data, ExampleSet):
            return self.as_columns(data.unlabelled)
        if isinstance(data, Mapping):
            return {name: object_array(list(data[name])) for name in self.names}
        return self.as_columns([self.arguments(row if isinstance(row, tuple) else (row,)) for row in data])

    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        return prediction

    def to_json(self) -> dict[str, Any]:
        return {
            "modality": "examples",
            "names": list(self.names),
            "types": list(map(str, self.types)),
            "result": str(self.result),
            "table": list(self.table),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ExamplesCodec:
        """The inverse of `to_json`."""
        return ExamplesCodec(
            tuple(data["names"]),
            tuple(map(parse_type, data["types"])),
            parse_type(data["result"]),
            tuple(data["table"]),
        )


def _record(codec: ExamplesCodec) -> Type:
    from perennial.lang.types import Record

    return Record(dict(zip(codec.names, codec.types, strict=True)))


def with_rows(examples: ExampleSet, inputs: tuple, output: Any) -> ExampleSet:
    """The examples with one more, as an answer to a question."""
    return replace(
        examples,
        inputs=(*examples.inputs, inputs),
        outputs=(*examples.outputs, fitted(output, examples.output_type)),
        unlabelled=tuple(row for row in examples.unlabelled if row != inputs),
    )
