"""The way between JSON or table cells and the arguments of a program."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.errors import DataError, TypeMismatch
from perennial.lang.types import (
    Grid,
    List,
    Text,
    Type,
    parse_type,
)
from perennial.modalities.base import Codec, counted
from perennial.modalities.examples.reading import (
    NOTHING,
    ExampleSet,
    argument_name,
    asked_pair,
    cell_value,
    pairs_of,
    raw_table,
    read_json,
)
from perennial.modalities.examples.values import (
    closed,
    fitted,
    fitted_row,
    is_grid,
    joined_types,
    object_array,
    shown,
    type_of,
)


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
        told, origin = read_json(path)
        train, test = pairs_of(told)
        asked = [asked_pair(pair, f"input {number}") for number, pair in enumerate(test or train, 1)]
        rows = tuple(self._in_order(inputs) for inputs, _ in asked)
        return ExampleSet(self.names, self.types, self.result, (), (), rows, origin=origin)

    def read_labelled(self, path: Any, **reading: Any) -> ExampleSet:
        """Inputs and outputs of a file: its test pairs when they have outputs, else its train pairs.

        Raises:
            DataError: no output is given.
        """
        if not str(path).lower().removesuffix(".gz").endswith(".json"):
            return self._labelled_table(path, **reading)
        told, origin = read_json(path)
        train, test = pairs_of(told)
        asked = [[asked_pair(pair, f"pair {n}") for n, pair in enumerate(part, 1)] for part in (test, train)]
        given = [[pair for pair in part if pair[1] is not NOTHING] for part in asked]
        pairs = given[0] or given[1]
        if not pairs:
            raise DataError("There are no outputs to compare with.", where=str(path), todo='Give "output".')
        rows = tuple(self._in_order(inputs) for inputs, _ in pairs)
        outputs = tuple(self._output(output) for _, output in pairs)
        return ExampleSet(self.names, self.types, self.result, rows, outputs, origin=origin)

    def _in_order(self, inputs: Any) -> tuple:
        """Arguments in the order of the program; named ones are found by their names."""
        if not isinstance(inputs, Mapping):
            return self.arguments(tuple(inputs))
        by_name = {argument_name(name): value for name, value in inputs.items()}
        if set(by_name) != set(self.names):
            raise DataError(
                f"The program takes {', '.join(self.names)}, received {', '.join(by_name) or 'nothing'}."
            )
        return self.arguments([by_name[name] for name in self.names])

    def _output(self, value: Any) -> Any:
        """An output as programs give it; one of another type is only found to differ."""
        try:
            return fitted(value, self.result)
        except (TypeError, ValueError, AttributeError):
            return value

    def _read_table(self, path: Any, **reading: Any) -> ExampleSet:
        names, rows, origin = raw_table(path, **{key: value for key, value in reading.items() if value})
        found = self._table_inputs(names, rows, path)
        return ExampleSet(self.names, self.types, self.result, (), (), found, table=self.table, origin=origin)

    def _labelled_table(self, path: Any, **reading: Any) -> ExampleSet:
        names, rows, origin = raw_table(path, **{key: value for key, value in reading.items() if value})
        target = self.targets[0]
        if target not in names:
            raise DataError(f"The column {target!r} is missing.", where=str(path))
        goal = names.index(target)
        rows = [row for row in rows if row[goal].strip()]
        if not rows:
            raise DataError(f"No row of the column {target!r} is filled.", where=str(path))
        outputs = tuple(
            cell_value(row[goal], self.result, f"{target}, row {n}") for n, row in enumerate(rows, 1)
        )
        found = self._table_inputs(names, rows, path)
        return ExampleSet(
            self.names, self.types, self.result, found, outputs, table=self.table, origin=origin
        )  # fmt: skip

    def _table_inputs(self, names: list[str], rows: list[list[str]], path: Any) -> tuple[tuple, ...]:
        sources = self.table[:-1] or self.names
        missing = [name for name in sources if name not in names]
        if missing:
            raise DataError(f"The column {missing[0]!r} is missing.", where=str(path))
        places = [names.index(name) for name in sources]
        return tuple(
            tuple(
                cell_value(row[place], kind, f"{names[place]}, row {number}")
                for place, kind in zip(places, self.types, strict=True)
            )
            for number, row in enumerate(rows, 1)
        )

    def arguments(self, row: Sequence[Any]) -> tuple:
        """One row of arguments, checked.

        Raises:
            DataError: another number of arguments, or of another type.
        """
        if len(row) != len(self.types):
            raise DataError(f"The program takes {counted(len(self.types), 'argument')}, received {len(row)}.")
        for value, kind, name in zip(row, self.types, self.names, strict=True):
            received = Grid if kind == Grid and is_grid(value) else type_of(value)
            try:
                fits = closed(joined_types(received, kind)) == kind or kind == Grid == received
            except TypeMismatch:
                fits = False
            if not fits:
                raise DataError(f"The argument `{name}` is {kind}, received {shown(value)} ({received}).")
        return fitted_row(row, self.types)

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
