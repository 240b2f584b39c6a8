"""From the values of one column, as Python or NumPy holds them, to one of the dtypes of a frame."""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from perennial.errors import DataError
from perennial.modalities.cells import EXACT_IN_FLOAT64, MISSING_TOKENS

MISSING_TYPES = ("NAType", "NaTType", "MaskedConstant")
EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class ConvertedColumn:
    """A column of a frame.

    Args:
        values: array (rows,) of a dtype that a frame may hold.
        missing_tokens: texts that were read as missing, with how often each occurred.
        notes: sentences on what was adapted.
    """

    values: np.ndarray
    missing_tokens: dict[str, int]
    notes: tuple[str, ...] = ()


def column_of(column: Sequence[object] | np.ndarray, name: str) -> ConvertedColumn:
    """Convert one column.

    Args:
        column: values (rows,); an array, or any sequence of Python values; None, NaN, NaT, pandas.NA and
            masked entries are missing.
        name: of the column, for messages.

    Raises:
        DataError: values of a type that a table cannot hold (bytes, complex numbers, arrays of arrays, sets
            of dictionaries …), with the name of the type and the first row where it occurs.

    >>> column_of([True, None], "x").values
    array(['True', None], dtype=object)
    >>> column_of([2**60, 1], "x").values
    array([1152921504606846976,                   1])
    """
    if isinstance(column, np.ma.MaskedArray):
        if np.ma.getmaskarray(column).any():
            column = [
                None if hidden else value
                for value, hidden in zip(column.data, np.ma.getmaskarray(column), strict=True)
            ]
        else:
            column = column.data
    if (
        not isinstance(column, np.ndarray)
        and hasattr(column, "__array__")
        and not isinstance(column, (list, tuple))
    ):
        column = column.tolist() if hasattr(column, "tolist") else list(column)
    if isinstance(column, np.ndarray):
        if column.ndim != 1:
            raise _unusable(name, f"an array of shape {column.shape}")
        if column.dtype.kind in "biufM":
            return ConvertedColumn(_plain_array(column), {})
        if column.dtype.kind in "mcV":
            raise _unusable(name, f"{column.dtype}")
        column = (
            column.tolist()
            if column.dtype.kind != "S"
            else [value.decode("utf-8", "replace") for value in column.tolist()]
        )
    return _from_values(list(column), name)


def _plain_array(column: np.ndarray) -> np.ndarray:
    kind = column.dtype.kind
    if kind == "b":
        return np.array(column)
    if kind == "M":
        return column.astype("datetime64[us]")
    if kind == "f":
        return column.astype(np.float64)
    return column.astype(
        np.uint64 if column.dtype == np.uint64 and column.max(initial=0) > 2**63 - 1 else np.int64
    )


def is_missing(value: object) -> bool:
    """Whether a value stands for "not known": None, NaN, NaT, pandas.NA, a masked entry."""
    if value is None or type(value).__name__ in MISSING_TYPES:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _kind(value: object) -> str:
    """The family that a value belongs to; the name of its type where there is none."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, numbers.Integral):
        return "whole"
    if isinstance(value, (float, np.floating, decimal.Decimal, numbers.Rational)):
        return "real"
    if isinstance(value, (datetime.date, np.datetime64)):
        return "date"
    if isinstance(value, (datetime.time, uuid.UUID)):
        return "named"
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return "list"
    return type(value).__name__


def _from_values(values: list[object], name: str) -> ConvertedColumn:
    missing = [is_missing(value) for value in values]
    kinds = {_kind(value) for value, lost in zip(values, missing, strict=True) if not lost}
    unknown = kinds - {"text", "bool", "whole", "real", "date", "named", "list"}
    if unknown:
        row = next(row for row, value in enumerate(values) if not missing[row] and _kind(value) in unknown)
        raise _unusable(name, f"{type(values[row]).__name__} (first in row {row})")
    if not kinds:
        return ConvertedColumn(np.full(len(values), None, dtype=object), {})
    if kinds <= {"whole", "real"}:
        return _numbers(values, missing, "real" in kinds)
    if kinds == {"bool"} and not any(missing):
        return ConvertedColumn(np.array(values, dtype=bool), {})
    if kinds == {"date"}:
        return ConvertedColumn(_dates(values, missing, name), {})
    if kinds == {"list"}:
        return ConvertedColumn(_filled(values, missing, lambda value: _tuple(value, name)), {})
    return _text(values, missing, kinds, name)


def _numbers(values: list[object], missing: list[bool], real: bool) -> ConvertedColumn:
    if not real:
        whole = [int(value) for value, lost in zip(values, missing, strict=True) if not lost]
        low, high = min(whole), max(whole)
        fits = next(
            (t for t in (np.int64, np.uint64) if np.iinfo(t).min <= low and high <= np.iinfo(t).max), None
        )
        if fits is not None and not any(missing):
            return ConvertedColumn(np.array(whole, dtype=fits), {})
        if not -EXACT_IN_FLOAT64 <= low <= high <= EXACT_IN_FLOAT64:
            note = "Whole numbers beyond 2^53 beside missing values were kept as text, digit by digit."
            return ConvertedColumn(_filled(values, missing, lambda value: str(int(value))), {}, (note,))
    array = np.array([np.nan if lost else _real(value) for value, lost in zip(values, missing, strict=True)])
    return ConvertedColumn(array.astype(np.float64), {})


def _real(value: object) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _dates(values: list[object], missing: list[bool], name: str) -> np.ndarray:
    try:
        return np.array(
            [
                np.datetime64("NaT") if lost else _instant(value)
                for value, lost in zip(values, missing, strict=True)
            ],
            dtype="datetime64[us]",
        )
    except (ValueError, OverflowError) as error:
        raise DataError(f"A date in column {name!r} cannot be used: {error}.") from None


def _instant(value: object) -> np.datetime64:
    """A date or time as UTC; without a zone it is taken as it stands."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return np.datetime64((value - EPOCH) // datetime.timedelta(microseconds=1), "us")
    return np.datetime64(value, "us")


def _tuple(value: object, name: str) -> tuple:
    items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
    items = [item.item() if isinstance(item, np.generic) else item for item in items]
    odd = next((item for item in items if not isinstance(item, (str, int, float, bool, type(None)))), None)
    if odd is not None:
        raise _unusable(name, f"a list of {type(odd).__name__}")
    return tuple(items)


def _text(values: list[object], missing: list[bool], kinds: set[str], name: str) -> ConvertedColumn:
    """Text with known missing tokens taken out; other values in their usual spelling."""
    spelled = [None if lost else _spelling(value) for value, lost in zip(values, missing, strict=True)]
    tokens = Counter(cell.strip() for cell in spelled if cell is not None and cell.strip() in MISSING_TOKENS)
    tokens.pop("", None)
    lost = [cell is None or cell.strip() in MISSING_TOKENS for cell in spelled]
    notes = ()
    if len(kinds) > 1:
        notes = (f"Column {name!r} mixes {', '.join(sorted(kinds))} values; all were turned into text.",)
    return ConvertedColumn(_filled(spelled, lost, lambda cell: cell), dict(sorted(tokens.items())), notes)


def _spelling(value: object) -> str:
    return str.__str__(value) if isinstance(value, str) else str(value)


def _filled(values: list[object], missing: list[bool], convert: Callable[[object], object]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    for row, (value, lost) in enumerate(zip(values, missing, strict=True)):
        array[row] = None if lost else convert(value)
    return array


def _unusable(name: str, kind: str) -> DataError:
    return DataError(
        f"Column {name!r} holds {kind}, which a table cannot hold.",
        todo="Convert it to numbers, text, dates or lists of these, or leave it out.",
    )
