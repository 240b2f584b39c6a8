"""One column of a table: what it was taken for, and how its cells become values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perennial.modalities.calendars import Calendar
from perennial.modalities.cells import typed_column
from perennial.modalities.numerals import Numerals
from perennial.modalities.values import is_missing

KINDS = (
    "number",
    "category",
    "date",
    "text",
    "identifier",
    "constant",
    "empty",
    "target",
    "ignored",
    "group",
    "time",
)
USED = ("number", "category", "date", "text")
EXACT = 2**53
TRUTH = {"true": 1.0, "false": 0.0}
SECONDS_OF = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
EXCEL_ZERO = np.datetime64("1899-12-30T00:00:00", "s")
SECONDS_PER_DAY = 86_400.0
MOST_SECONDS = 2.5e11
NUMBERS_BEGIN = "+-.0123456789"
NUMBERED_DATES = ("epoch", "excel", "yyyymmdd")
MISSING, UNSEEN = -1, -2


@dataclass(frozen=True)
class ColumnSchema:
    """One column: what it was taken for and how its cells become values.

    Args:
        name: as the user wrote it.
        id: `f0001`, the name inside programs.
        kind: one of `KINDS`.
        reason: in one sentence, with how to overrule it.
        missing: how many cells were missing.
        unique: how many distinct values there were.
        examples: a few values as text.
        format: how cells are read: `{"mark": ".", "unit": ""}` (numbers written as text), `{"truth": True}`,
            `{"calendar": name}`, `{"epoch": "s"}`, `{"excel": True}`, `{"yyyymmdd": True}`, or nothing.
        vocabulary: levels of a category by falling frequency.
        rare: levels beyond the vocabulary share one more code.
    """

    name: str
    id: str
    kind: str
    reason: str
    missing: int = 0
    unique: int = 0
    examples: tuple[str, ...] = ()
    format: dict[str, Any] = field(default_factory=dict)
    vocabulary: tuple[str, ...] = ()
    rare: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> ColumnSchema:
        """The inverse of `to_json`."""
        return ColumnSchema(
            **{**data, "examples": tuple(data["examples"]), "vocabulary": tuple(data["vocabulary"])}
        )

    @property
    def as_written(self) -> bool:
        """Whether its cells in a delimited file are read from their text, one by one.

        A column that is typed as a whole has lost how `2.400` was written. Plain numbers come typed all the same:
        each is the number that its text is.
        """
        return self.kind in ("category", "date", "text") or "mark" in self.format

    @property
    def levels(self) -> int:
        """How many codes a category has."""
        return max(1, len(self.vocabulary) + int(self.rare))


def flatten(cells: np.ndarray) -> np.ndarray:
    """Cells that are lists become text joined by `;`, other objects their text; NaN among objects is missing.

    >>> flatten(np.array([("a", "b"), None], dtype=object)).tolist()
    ['a;b', None]
    """
    if cells.dtype != object or set(map(type, cells.tolist())) <= {str, type(None)}:
        return cells
    flat = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        if isinstance(cell, str) or cell is None:
            flat[row] = cell
        elif isinstance(cell, list | tuple):
            flat[row] = ";".join(map(str, cell))
        else:
            flat[row] = None if is_missing(cell) else str(cell)
    return flat


def levels_of(cells: np.ndarray) -> tuple[list[str | None], np.ndarray]:
    """The distinct cells as texts, and for each cell which one it is, `(n,)`.

    Whole numbers are written without a decimal point, whatever their dtype; None stands for missing.
    """
    if cells.dtype == object:
        positions: dict[Any, int] = {}
        where = [positions.setdefault(cell, len(positions)) for cell in flatten(cells).tolist()]
        levels = [None if level is None or not level.strip() else level for level in positions]
        return levels, np.array(where, dtype=np.int64)
    distinct, where = np.unique(cells, return_inverse=True)
    return [_text(value) for value in distinct], where


def as_texts(cells: np.ndarray) -> list[str | None]:
    """Each cell as the text of a level; None where missing.

    >>> as_texts(np.array([1.0, 2.5, np.nan]))
    ['1', '2.5', None]
    """
    levels, where = levels_of(cells)
    return [levels[position] for position in where.tolist()]


def values_of(column: ColumnSchema, cells: np.ndarray) -> np.ndarray:
    """Canonical values of a column `(n,)`: float64, int32 codes, datetime64[s] or texts.

    What cannot be read as the column's kind is missing; a level that is not in the vocabulary is -2, or the
    code that rare levels share.
    """
    if column.kind == "number":
        values = _as_numbers(column, flatten(cells))
        return values if np.isfinite(values).all() else np.where(np.isfinite(values), values, np.nan)
    if column.kind == "category":
        levels, where = levels_of(cells)
        codes = np.array(_codes(column, levels), dtype=np.int32)
        return codes[where] if len(where) else np.empty(0, dtype=np.int32)
    if column.kind == "date":
        return _as_dates(column, flatten(cells))
    texts = as_texts(cells)
    values = np.empty(len(texts), dtype=object)
    values[:] = ["" if text is None else text for text in texts]
    return values


def unreadable(column: ColumnSchema, cells: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which cells hold text that is no number or no date, though the column is one, `(n,)`."""
    lost = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    if cells.dtype != object or not lost.any():
        return np.zeros(len(cells), dtype=bool)
    flat = flatten(cells)
    bad = np.zeros(len(cells), dtype=bool)
    rows = np.flatnonzero(lost)
    bad[rows] = [cell is not None and bool(cell.strip()) for cell in flat[rows]]
    return bad


def _codes(column: ColumnSchema, levels: Sequence[str | None]) -> list[int]:
    """A level is found as it is written, else as it would be written plainly (`1.0` is `1`, spaces around
    do not count)."""
    exact = {level: code for code, level in enumerate(column.vocabulary)}
    other = len(column.vocabulary) if column.rare else UNSEEN
    codes = [MISSING if level is None else exact.get(level, other) for level in levels]
    if any(code == other for code in codes):
        plain: dict[str, int] = {}
        for level, code in exact.items():
            key = _plainly(level)
            plain[key] = other if key in plain else code
        codes = [
            plain.get(_plainly(level), other) if code == other and level is not None else code
            for level, code in zip(levels, codes, strict=True)
        ]
    return codes


def _plainly(level: str) -> str:
    """One spelling for texts that mean the same level, that of `levels_of` for numbers and dates.

    >>> _plainly(" 1.0"), _plainly("2.50"), _plainly("007"), _plainly("TRUE"), _plainly("a ")
    ('1', '2.5', '007', 'true', 'a')
    """
    text = level.strip()
    if text.lower() in TRUTH:
        return text.lower()
    value = typed_column([text]).values[0] if text[:1] in NUMBERS_BEGIN else None
    return text if value is None else _text(value)


def _text(value: Any) -> str | None:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.floating):
        if np.isnan(value):
            return None
        return str(int(value)) if abs(value) < EXACT and float(value).is_integer() else repr(float(value))
    return str(value)


def _as_numbers(column: ColumnSchema, cells: np.ndarray) -> np.ndarray:
    if cells.dtype == object:
        numbers = Numerals(column.format.get("mark", "."), column.format.get("unit", "")).parse(
            cells.tolist()
        )
        if column.format.get("truth") and np.isnan(numbers).any():
            truth = [
                TRUTH.get(cell.strip().lower(), np.nan) if cell is not None else np.nan for cell in cells
            ]
            return np.where(np.isnan(numbers), truth, numbers)
        return numbers
    if cells.dtype.kind == "M":
        return np.where(
            np.isnat(cells), np.nan, cells.astype("datetime64[s]").astype(np.int64).astype(np.float64)
        )
    return cells.astype(np.float64)


def _as_dates(column: ColumnSchema, cells: np.ndarray) -> np.ndarray:
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[s]")
    if cells.dtype != object:
        return _dates_of_numbers(column.format, cells.astype(np.float64))
    texts = cells.tolist()
    dates = Calendar(column.format.get("calendar", "year-month-day")).parse(texts)
    if not any(how in column.format for how in NUMBERED_DATES):
        return dates
    numbered = _dates_of_numbers(column.format, Numerals(".").parse(texts))
    return np.where(np.isnat(numbered), dates, numbered)


def _dates_of_numbers(how: dict[str, Any], numbers: np.ndarray) -> np.ndarray:
    if how.get("yyyymmdd") or how.get("calendar") == "yyyymmdd":
        texts = ["" if not np.isfinite(number) else str(int(number)) for number in numbers.tolist()]
        return Calendar("yyyymmdd").parse(texts)
    if how.get("excel"):
        seconds = np.round(numbers * SECONDS_PER_DAY)
        return _from_seconds(seconds + EXCEL_ZERO.astype(np.int64))
    return _from_seconds(numbers * SECONDS_OF[how.get("epoch", "s")])


def _from_seconds(seconds: np.ndarray) -> np.ndarray:
    known = np.isfinite(seconds) & (np.abs(seconds) < MOST_SECONDS)
    return np.where(known, np.where(known, seconds, 0).astype("datetime64[s]"), np.datetime64("NaT", "s"))
