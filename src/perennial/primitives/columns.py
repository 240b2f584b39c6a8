"""Words that read a row of a table: choose fields by their type, and turn them into tensors.

They work on whole batches: a record is a dictionary of columns, a tensor an `(n, d)` array or sparse
matrix. A column's dtype tells its type: float64 is `Real`, int32 codes are `Categories`, datetime64 is
`Date`, objects are `Text`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from perennial.errors import TypeMismatch
from perennial.lang.ops import Op
from perennial.lang.types import Record, Tensor, Type, fresh

SECONDS_PER_DAY = 86_400.0
DATE_PARTS = (
    "days", "year", "month", "day", "weekday", "day_of_year", "hour", "minute",
    "hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "month_sin", "month_cos",
)  # fmt: skip


class FieldsOf(Op):
    """The fields of a record that have one of some types, as a record."""

    def __init__(self, name: str, kinds: tuple[str, ...], doc: str) -> None:
        self.name, self._kinds, self.doc = name, kinds, doc

    def infer(self, *types: Type, **parameters: Any) -> Type:
        record = _record(self.name, types)
        return fresh("record") if record is None else Record(self._chosen(record))

    def call(self, *values: Any, **parameters: Any) -> dict[str, np.ndarray]:
        return {field: column for field, column in values[0].items() if kind_of(column) in self._kinds}

    def _chosen(self, record: Record) -> dict[str, Type]:
        return {field: kind for field, kind in record.fields.items() if kind.name in self._kinds}


class Numbers(Op):
    """The numbers of a record side by side."""

    name, doc = "numbers", "All fields of a row that are numbers, as a tensor; NaN where missing."

    def infer(self, *types: Type, **parameters: Any) -> Type:
        record = _record(self.name, types)
        if record is None:
            return Tensor(fresh("d"))
        return Tensor(sum(kind.name in ("Real", "Int") for kind in record.fields.values()))

    def call(self, *values: Any, **parameters: Any) -> np.ndarray:
        columns = [column for column in values[0].values() if kind_of(column) == "Real"]
        return np.column_stack(columns).astype(np.float64) if columns else np.empty((rows_of(values[0]), 0))


class DateParts(Op):
    """What a date tells: elapsed days, calendar parts down to the minute, cycles of day, week and year."""

    name, doc = (
        "date_parts",
        "Days since 1970, calendar parts down to the minute, and sine and cosine of the cycles.",
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        record = _record(self.name, types)
        return Tensor(fresh("d") if record is None else len(record.fields) * len(DATE_PARTS))

    def call(self, *values: Any, **parameters: Any) -> np.ndarray:
        parts = [_parts(column) for column in values[0].values()]
        return np.hstack(parts) if parts else np.empty((rows_of(values[0]), 0))


class Ordinal(Op):
    """The codes of categories as numbers; levels are ordered by frequency, a level never seen is the last."""

    name, doc = "ordinal", "Codes of categories as numbers: 0 is the most frequent level; missing is NaN."

    def infer(self, *types: Type, **parameters: Any) -> Type:
        record = _record(self.name, types)
        return Tensor(fresh("d") if record is None else len(record.fields))

    def call(self, *values: Any, **parameters: Any) -> np.ndarray:
        columns = [_codes_as_numbers(column) for column in values[0].values()]
        return np.column_stack(columns) if columns else np.empty((rows_of(values[0]), 0))


class Join(Op):
    """Tensors side by side; sparse when one of them is."""

    name, doc = "join", "Tensors side by side."

    def infer(self, *types: Type, **parameters: Any) -> Type:
        if not types:
            raise TypeMismatch("`join` takes at least one tensor, received none.")
        widths = [kind.dims[-1] if isinstance(kind, Tensor) else fresh("d") for kind in types]
        return Tensor(sum(widths) if all(isinstance(width, int) for width in widths) else fresh("d"))

    def call(self, *values: Any, **parameters: Any) -> Any:
        from scipy import sparse

        if any(sparse.issparse(value) for value in values):
            return sparse.hstack([sparse.csr_matrix(value) for value in values], format="csr")
        return values[0] if len(values) == 1 else np.hstack(values)


def kind_of(column: np.ndarray) -> str:
    """The name of the type that a column of a batch holds.

    >>> kind_of(np.zeros(2)), kind_of(np.zeros(2, np.int32)), kind_of(np.zeros(2, "datetime64[s]"))
    ('Real', 'Categories', 'Date')
    """
    return {"f": "Real", "i": "Categories", "M": "Date", "O": "Text"}[column.dtype.kind]


def rows_of(value: Any) -> int:
    """How many rows a batch value has.

    >>> rows_of({"f0001": np.zeros(3)}), rows_of(np.zeros((2, 5)))
    (3, 2)
    """
    if isinstance(value, dict):
        return len(next(iter(value.values()))) if value else 0
    return value.shape[0]


def _parts(column: np.ndarray) -> np.ndarray:
    seconds = column.astype("datetime64[s]")
    missing = np.isnat(seconds)
    filled = np.where(missing, np.datetime64(0, "s"), seconds)
    days, months, years = (filled.astype(f"datetime64[{unit}]") for unit in "DMY")
    second = (filled - days).astype(np.int64)
    weekday = (days.astype(np.int64) + 3) % 7
    month = months.astype(np.int64) % 12
    hour = second / 3600.0
    parts = np.column_stack(
        [
            filled.astype(np.int64) / SECONDS_PER_DAY, years.astype(np.int64) + 1970, month + 1,
            (days - months).astype(np.int64) + 1,
            weekday, (days - years).astype(np.int64) + 1, second // 3600, second // 60 % 60,
            np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24),
            np.sin(2 * np.pi * weekday / 7), np.cos(2 * np.pi * weekday / 7),
            np.sin(2 * np.pi * month / 12), np.cos(2 * np.pi * month / 12),
        ]
    ).astype(np.float64)  # fmt: skip
    parts[missing] = np.nan
    return parts


def _codes_as_numbers(column: np.ndarray) -> np.ndarray:
    values = column.astype(np.float64)
    highest = values.max(initial=-1.0)
    return np.where(column == -1, np.nan, np.where(column < -1, highest + 1.0, values))


def _record(name: str, types: tuple[Type, ...]) -> Record | None:
    """The record that a word received; None while its type is still open."""
    if len(types) != 1:
        raise TypeMismatch(f"`{name}` takes one record, received {len(types)} arguments.")
    if isinstance(types[0], Record):
        return types[0]
    if types[0].name == "TypeVar" or types[0].variables:
        return None
    raise TypeMismatch(f"`{name}` takes a record, received {types[0]}.")


numbers = Numbers()
categories = FieldsOf("categories", ("Categories",), "The fields of a row that are categories.")
dates = FieldsOf("dates", ("Date",), "The fields of a row that are dates.")
texts = FieldsOf("texts", ("Text",), "The fields of a row that are text.")
date_parts = DateParts()
ordinal = Ordinal()
join = Join()
