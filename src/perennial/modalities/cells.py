"""From text cells to a typed column: only what is a number, or an ISO date, in every cell stops being text.

The rule is all or nothing, because half-typed columns lose information silently: "007" is a code,
9007199254740993 does not fit a float64, "1,234" has a meaning that depends on the country. All these stay
text; the sensor decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MISSING_TOKENS = frozenset(
    (
        "",
        "?",
        "-",
        "--",
        ".",
        "NA",
        "na",
        "N/A",
        "n/a",
        "#N/A",
        "#NA",
        "<NA>",
        "NaN",
        "nan",
        "NAN",
        "-NaN",
        "-nan",
    )
    + ("NULL", "null", "Null", "None", "NaT")
)
INFINITIES = frozenset(sign + word for sign in ("", "+", "-") for word in ("inf", "infinity"))
EXACT_IN_FLOAT64 = 2**53
NUMBER_CHARACTERS = b"0123456789+-.eE \t"
INTEGER_CHARACTERS = b"0123456789+- \t"
CODE_WITH_LEADING_ZERO = re.compile(r"^[ \t]*[+-]?0[0-9]", re.MULTILINE)
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?")


@dataclass(frozen=True, eq=False)
class TypedColumn:
    """A column after typing.

    Args:
        values: array (rows,) of float64, int64, uint64, datetime64[us] or object (str | None).
        missing_tokens: the non-empty texts that were read as missing, with how often each occurred.
    """

    values: np.ndarray
    missing_tokens: dict[str, int]


def typed_column(cells: Sequence[str | None]) -> TypedColumn:
    """The most specific type that loses nothing from any cell.

    Args:
        cells: the text of each cell as written; None means missing.

    Returns:
        int64, or uint64 where needed, for whole numbers without missing cells; float64 for other numbers (NaN
        = missing, "inf" allowed); datetime64[us] for ISO dates and times without a zone; else object: the
        very text, None = missing. Whole numbers beyond 2^53 beside a missing cell, or beyond 64 bits, stay
        text.

    >>> typed_column(["1", "2"]).values
    array([1, 2])
    >>> typed_column(["1.5", "NA"]).values
    array([1.5, nan])
    >>> typed_column(["007", "12"]).values
    array(['007', '12'], dtype=object)
    """
    missing, present = _levels(cells)
    values = _numbers(cells, present, missing) if present else None
    if values is None and present:
        values = _dates(cells, present, missing)
    return TypedColumn(_text(cells, present) if values is None else values, _count_tokens(cells, missing))


def text_column(cells: Sequence[str | None]) -> TypedColumn:
    """The very text of each cell, whatever the others are; None where it is a known missing token.

    >>> text_column(["1.50", "NA"]).values
    array(['1.50', None], dtype=object)
    """
    missing, present = _levels(cells)
    return TypedColumn(_text(cells, present), _count_tokens(cells, missing))


def _levels(cells: Sequence[str | None]) -> tuple[set[str | None], list[str]]:
    """The distinct cells that are missing, and those that are not."""
    levels = set(cells)
    missing = {level for level in levels if level is None or level.strip() in MISSING_TOKENS}
    return missing, [level for level in levels if level not in missing]


def _count_tokens(cells: Sequence[str | None], missing: set) -> dict[str, int]:
    written = [token for token in missing if token is not None and token.strip()]
    if not written:
        return {}
    wanted, counts = set(written), {}
    for cell in cells:
        if cell in wanted:
            counts[cell.strip()] = counts.get(cell.strip(), 0) + 1
    return dict(sorted(counts.items()))


def _text(cells: Sequence[str | None], present: list[str]) -> np.ndarray:
    """The cells with one shared string per level, which saves most of the memory of a category."""
    shared = {level: level for level in present}
    values = np.empty(len(cells), dtype=object)
    values[:] = [shared.get(cell) for cell in cells]
    return values


def _numbers(cells: Sequence[str | None], present: list[str], missing: set) -> np.ndarray | None:
    """float64, int64 or uint64, or None when some cell is not plainly a number."""
    infinite = [level for level in present if level.strip().lower() in INFINITIES]
    finite = [level for level in present if level not in set(infinite)] if infinite else present
    if not finite or not _made_of(finite, NUMBER_CHARACTERS):
        return None
    if CODE_WITH_LEADING_ZERO.search("\n".join(finite)):
        return None
    try:
        if not infinite and _made_of(finite, INTEGER_CHARACTERS):
            return _whole_numbers(cells, finite, missing)
        return np.array([np.nan if cell in missing else float(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        return None


def _whole_numbers(cells: Sequence[str | None], present: list[str], missing: set) -> np.ndarray | None:
    if max(map(len, present)) > 40:
        return None
    numbers = [int(level) for level in present]
    low, high = min(numbers), max(numbers)
    if -EXACT_IN_FLOAT64 <= low and high <= EXACT_IN_FLOAT64:
        if missing:
            return np.array([np.nan if cell in missing else float(cell) for cell in cells], dtype=np.float64)
        return np.array(list(map(int, cells)), dtype=np.int64)
    if missing:
        return None
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.array(list(map(int, cells)), dtype=dtype)
    return None


def _made_of(levels: list[str], characters: bytes) -> bool:
    """Whether every level is written with these ASCII characters only (the first few are looked at first)."""
    for some in (levels[:5], levels):
        joined = "".join(some)
        if not joined.isascii() or joined.encode("ascii").translate(None, characters):
            return False
    return True


def _dates(cells: Sequence[str | None], present: list[str], missing: set) -> np.ndarray | None:
    """datetime64[us], or None when some cell is not an ISO date that exists in the calendar."""
    if not all(ISO_DATE.fullmatch(level.strip()) for level in present):
        return None
    try:
        known = dict(
            zip(present, np.array([level.strip() for level in present], dtype="datetime64[us]"), strict=True)
        )
    except ValueError:
        return None
    nothing = np.datetime64("NaT", "us")
    return np.array([nothing if cell in missing else known[cell] for cell in cells], dtype="datetime64[us]")
