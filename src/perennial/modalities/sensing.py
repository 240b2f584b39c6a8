"""What a column is: a number, a category, a date, text, an identifier, or nothing to learn from; with the
reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from perennial.modalities.base import Finding, counted
from perennial.modalities.calendars import Calendar
from perennial.modalities.calendars import recognise as recognise_dates
from perennial.modalities.columns import (
    EXACT,
    TRUTH,
    ColumnSchema,
    flatten,
    levels_of,
    unreadable,
    values_of,
)
from perennial.modalities.identifiers import counts_rows, is_code, is_composed, names_owner, names_rows
from perennial.modalities.numerals import Numerals, plain_share
from perennial.modalities.numerals import recognise as recognise_numbers
from perennial.modalities.wishes import Wish

MOST_LEVELS = 4_000
FEW_LEVELS = 50
SENTINELS = (-999.0, -9999.0, -99.0, -1.0, 999.0, 9999.0, 99999.0, 999999.0)
DATE_NAME = re.compile(r"(time|date|stamp|epoch|created|updated|day|dob|_at$)", re.IGNORECASE)
EPOCH_SECONDS = (3e8, 4.2e9)
EXCEL_DAYS = (20_000, 60_000)
DAYS_AS_NUMBERS = (19_000_101, 21_001_231)
UNIT_SIZES = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
EXCEPTIONS = 0.001
MIXED = 0.5
MOSTLY_NUMBERS = 0.8
SEVERAL = re.compile(r"\s*[;|]\s*")

Tell = Callable[[Finding], None]


def sense_column(name: str, identity: str, cells: np.ndarray, wanted: str | None, tell: Tell) -> ColumnSchema:
    """Takes one column for what it most likely is, or for what the user said.

    Args:
        name: of the column.
        identity: its name inside programs.
        cells: float64, int64, uint64, bool, datetime64 or object, `(n,)`.
        wanted: the user's kind, or None; see `Wish`.
        tell: receives findings.

    Raises:
        UsageError: the wish names no kind of column.
    """
    wish = Wish.of(name, wanted)
    base = ColumnSchema(name, identity, "ignored", "you left it out")
    if wish.kind == "ignored":
        return base
    cells = flatten(cells)
    if wish.kind in ("category", "text", "identifier", "constant", "empty"):
        return _as_wished(base, cells, wish)
    if cells.dtype == object:
        return _sense_text(base, cells, wish, tell)
    return (
        _sense_dates(base, cells, wish, tell)
        if cells.dtype.kind == "M"
        else _sense_numbers(base, cells, wish, tell)
    )


def with_vocabulary(column: ColumnSchema, counts: Counter) -> ColumnSchema:
    """The column with its levels by falling frequency; levels seen once in a large vocabulary share one
    code."""
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    kept = ordered
    if len(ordered) > FEW_LEVELS:
        kept = [level for level in ordered if counts[level] > 1][:MOST_LEVELS]
    return replace(column, vocabulary=tuple(kept), rare=len(kept) < len(ordered))


def _as_wished(base: ColumnSchema, cells: np.ndarray, wish: Wish) -> ColumnSchema:
    counts, missing = _tally(cells)
    column = replace(_described(base, list(counts), missing), kind=wish.kind, reason="you said so")
    return with_vocabulary(column, counts) if wish.kind == "category" else column


def _tally(cells: np.ndarray) -> tuple[Counter, int]:
    """How often each text occurs, in the order of first rows, and how many cells are missing."""
    levels, where = levels_of(cells)
    sizes = np.bincount(where, minlength=len(levels)).tolist()
    counts = Counter({level: size for level, size in zip(levels, sizes, strict=True) if level is not None})
    return counts, len(cells) - sum(counts.values())


def _described(base: ColumnSchema, distinct: list, missing: int) -> ColumnSchema:
    return replace(
        base, missing=missing, unique=len(distinct), examples=tuple(str(value)[:40] for value in distinct[:3])
    )


def _nothing(
    base: ColumnSchema, distinct: Sequence[Any], sizes: np.ndarray, rows: int, tell: Tell
) -> ColumnSchema | None:
    """Empty, constant and all but constant columns, whose first example is their value; None for all others."""
    if base.unique == 0:
        return replace(base, kind="empty", reason="every cell is missing")
    if base.missing:
        return None
    usual = str(distinct[int(sizes.argmax())])
    if base.unique == 1:
        return replace(base, kind="constant", examples=(usual,), reason="one value in every row")
    exceptions = rows - int(sizes.max())
    if rows < 50 or exceptions > max(1, min(5, EXCEPTIONS * rows)):
        return None
    tell(
        Finding(
            "near-constant",
            "info",
            f"{base.name!r} holds one value in all but {exceptions} of {rows} rows.",
            base.name,
            "So few exceptions cannot be learnt from and judged.",
            "It is left out.",
            f"--type {base.name}=category",
        )
    )
    return replace(
        base,
        kind="constant",
        examples=tuple(dict.fromkeys((usual, *base.examples)))[:3],
        reason=_overrule(f"one value in all but {counted(exceptions, 'row')}", base.name, "category"),
    )


# -- typed columns -------------------------------------------------------------------------------------------


def _sense_dates(base: ColumnSchema, cells: np.ndarray, wish: Wish, tell: Tell) -> ColumnSchema:
    known = cells[~np.isnat(cells)]
    distinct, sizes = np.unique(known, return_counts=True)
    base = _described(base, known[:3].tolist(), len(cells) - len(known))
    base = replace(
        base, unique=len(distinct), examples=tuple(str(value.astype("datetime64[s]")) for value in known[:3])
    )
    if wish.kind == "number":
        return replace(base, kind="number", reason="you said so; seconds since 1970")
    nothing = None if wish.kind else _nothing(base, distinct, sizes, len(cells), tell)
    if nothing is not None:
        return nothing
    reason = "you said so" if wish.kind else _overrule("every value is a date", base.name, "category")
    return replace(base, kind="date", reason=reason)


def _sense_numbers(base: ColumnSchema, cells: np.ndarray, wish: Wish, tell: Tell) -> ColumnSchema:
    infinite = np.isinf(cells) if cells.dtype.kind == "f" else np.zeros(0, dtype=bool)
    if infinite.any():
        tell(
            Finding(
                "infinite",
                "warning",
                f"{int(infinite.sum())} infinite values in {base.name!r}.",
                _rows(infinite),
                "Infinity breaks means and distances.",
                "They count as missing.",
                f"--drop {base.name}",
            )
        )
    known = cells[np.isfinite(cells)] if cells.dtype.kind == "f" else cells
    distinct, sizes = np.unique(known, return_counts=True)
    base = _described(base, known[:3].tolist(), len(cells) - len(known))
    base = replace(
        base, unique=len(distinct), examples=tuple(dict.fromkeys(map(str, known[:50].tolist())))[:3]
    )
    nothing = None if wish.kind else _nothing(base, distinct, sizes, len(cells), tell)
    if nothing is not None:
        return nothing
    if cells.dtype.kind == "b":
        return replace(
            base,
            kind="number",
            format={"truth": True},
            reason=_overrule("true or false, as 1 and 0", base.name, "category"),
        )
    if wish.kind == "number":
        return replace(base, kind="number", reason="you said so")
    dated = _numbers_as_dates(base, known.astype(np.float64), distinct.astype(np.float64), wish, tell)
    return dated or _numbers_as_such(base, cells, known, distinct, sizes, tell)


def _numbers_as_such(
    base: ColumnSchema,
    cells: np.ndarray,
    known: np.ndarray,
    distinct: np.ndarray,
    sizes: np.ndarray,
    tell: Tell,
) -> ColumnSchema:
    """A key, a code or a quantity."""
    values = known.astype(np.float64)
    why = counts_rows(base.name, known) if cells.dtype.kind in "iu" else ""
    if why:
        tell(_identifier(base.name, "number"))
        return replace(base, kind="identifier", reason=_overrule(why, base.name, "number"))
    if names_owner(base.name, base.unique, len(known)) and cells.dtype.kind in "iu":
        tell(_owner(base.name, base.unique, len(known)))
        return replace(
            base, kind="identifier", reason=_overrule("it names to whom a row belongs", base.name, "category")
        )
    if is_code(base.name, values, base.unique):
        counts, _ = _tally(cells)
        reason = _overrule(f"{base.unique} whole numbers under the name of a code", base.name, "number")
        return with_vocabulary(replace(base, kind="category", reason=reason), counts)
    _warn_about_numbers(base.name, distinct.astype(np.float64), sizes, cells.dtype, tell)
    return replace(base, kind="number", reason=_overrule("every value is a number", base.name, "category"))


def _numbers_as_dates(
    base: ColumnSchema, known: np.ndarray, distinct: np.ndarray, wish: Wish, tell: Tell
) -> ColumnSchema | None:
    """Seconds since 1970 and serial days when the name says so; 20240131 when every value is such a day."""
    if not len(known):
        return replace(base, kind="date", reason="you said so")
    asked, named = wish.kind == "date", bool(DATE_NAME.search(base.name))
    low, high = float(distinct[0]), float(distinct[-1])
    if DAYS_AS_NUMBERS[0] <= low and high <= DAYS_AS_NUMBERS[1] and (asked or named or len(distinct) >= 5):
        column = replace(base, kind="date", format={"yyyymmdd": True})
        whole = bool((distinct == np.round(distinct)).all())
        if whole and not np.isnat(values_of(column, distinct)).any():
            why = _overrule("every number is a day written yyyymmdd", base.name, "number")
            return replace(column, reason="you said so; read as days written yyyymmdd" if asked else why)
    for unit, size in UNIT_SIZES.items():
        if (asked or named) and EPOCH_SECONDS[0] * size < low and high < EPOCH_SECONDS[1] * size:
            why = _overrule(f"its name and its range say time since 1970 in {unit}", base.name, "number")
            reason = f"you said so; read as time since 1970 in {unit}" if asked else why
            return replace(base, kind="date", format={"epoch": unit}, reason=reason)
    if asked:
        return replace(
            base,
            kind="date",
            format={"excel": True},
            reason="you said so; read as serial days of a spreadsheet",
        )
    if named and EXCEL_DAYS[0] <= low and high <= EXCEL_DAYS[1] and len(distinct) > 5:
        tell(
            Finding(
                "serial dates",
                "warning",
                f"{base.name!r} holds numbers that may be serial dates of a spreadsheet ({low:g} to "
                f"{high:g}).",
                base.name,
                "Months and weekdays cannot be seen in a serial number.",
                "It is read as a number.",
                f"--type {base.name}=date",
            )
        )
    return None


def _warn_about_numbers(
    name: str, distinct: np.ndarray, sizes: np.ndarray, dtype: np.dtype, tell: Tell
) -> None:
    largest = max(abs(float(distinct[0])), abs(float(distinct[-1])))
    if largest > 1e300 or (dtype.kind in "iu" and largest > EXACT):
        tell(
            Finding(
                "precision",
                "warning",
                f"{name!r} holds numbers too large for exact arithmetic.",
                name,
                "Neighbouring values become equal.",
                "They are read as 64-bit floats.",
                f"--type {name}=category",
            )
        )
    for sentinel in SENTINELS:
        found = distinct == sentinel
        share = float(sizes[found].sum() / sizes.sum()) if found.any() else 0.0
        if share < 0.005 or len(distinct) < 10:
            continue
        low, high = (float(value) for value in (distinct[~found][0], distinct[~found][-1]))
        if (
            sentinel < low - 0.5 * (high / 2 - low / 2) - 1
            or sentinel > high + 0.5 * (high / 2 - low / 2) + 1
        ):
            tell(
                Finding(
                    "sentinel",
                    "warning",
                    f"{share:.1%} of {name!r} is {sentinel:g}, far from all other values.",
                    name,
                    "It may stand for a missing value.",
                    "Nothing: it is read as a number.",
                    "Replace it by an empty cell if it means missing.",
                )
            )


# -- columns of text -----------------------------------------------------------------------------------------


def _sense_text(base: ColumnSchema, cells: np.ndarray, wish: Wish, tell: Tell) -> ColumnSchema:
    tally, missing = _tally(cells)
    levels, sizes = list(tally), np.array(list(tally.values()), dtype=np.int64)
    base = _described(base, levels, missing)
    nothing = None if wish.kind else _nothing(base, levels, sizes, len(cells), tell)
    if nothing is not None:
        return nothing
    if (
        levels
        and wish.kind != "date"
        and {level.strip().lower() for level in levels[:3]} <= TRUTH.keys()
        and len(levels) <= 6
        and all(level.strip().lower() in TRUTH for level in levels)
    ):
        return replace(
            base,
            kind="number",
            format={"truth": True},
            reason=_overrule("true or false, as 1 and 0", base.name, "category"),
        )
    return (
        _text_as_numbers(base, cells, levels, sizes, wish, tell)
        or _text_as_dates(base, cells, levels, sizes, wish, tell)
        or _text_as_such(base, levels, sizes, tally, tell)
    )


def _text_as_numbers(
    base: ColumnSchema, cells: np.ndarray, levels: list[str], sizes: np.ndarray, wish: Wish, tell: Tell
) -> ColumnSchema | None:
    if wish.kind == "date" or not levels:
        return replace(base, kind=wish.kind, reason="you said so") if wish.kind and not levels else None
    numerals, share, why = recognise_numbers(levels, sizes)
    if wish.detail:
        numerals = Numerals(wish.detail, "" if numerals is None else numerals.unit)
    if numerals is None and (wish.kind or (share >= MIXED and _mostly_numbers(levels, sizes))):
        numerals, why = Numerals("."), "nearly all of its cells are numbers, other texts count as missing"
    if numerals is None:
        return None
    reason = "you said so" if wish.kind else _overrule(why, base.name, "category")
    column = replace(
        base, kind="number", format={"mark": numerals.mark, "unit": numerals.unit}, reason=reason
    )
    _tell_lost(column, cells, "numbers", tell)
    return column


def _text_as_dates(
    base: ColumnSchema, cells: np.ndarray, levels: list[str], sizes: np.ndarray, wish: Wish, tell: Tell
) -> ColumnSchema | None:
    calendar, why, rival = recognise_dates(levels, sizes)
    if wish.kind == "date":
        calendar, why, rival = (
            Calendar(wish.detail) if wish.detail else calendar or Calendar("year-month-day"),
            "you said so",
            "",
        )
    if calendar is None:
        return None
    reason = why if wish.kind else _overrule(why, base.name, "category")
    column = replace(base, kind="date", format={"calendar": calendar.format}, reason=reason)
    if rival:
        tell(
            Finding(
                "ambiguous dates",
                "warning",
                f"Every date of {base.name!r} could be read {calendar.format} and {rival}.",
                base.name,
                "Days and months would be exchanged.",
                f"It is read {calendar.format}.",
                f"--type {base.name}=date:{rival}",
            )
        )
    _tell_lost(column, cells, "dates", tell)
    return column


def _tell_lost(column: ColumnSchema, cells: np.ndarray, what: str, tell: Tell) -> None:
    """Says which cells could not be read."""
    bad = np.flatnonzero(unreadable(column, cells, values_of(column, cells)))
    if len(bad):
        tell(
            Finding(
                "mixed" if what == "numbers" else "dates",
                "warning",
                f"{counted(len(bad), 'cell')} of {column.name!r} with text that is no {what[:-1]}.",
                "rows " + ", ".join(f"{row + 1} ({str(cells[row])[:20]!r})" for row in bad[:5]),
                "Each is an error of entry, or has a meaning that is lost.",
                "They count as missing.",
                f"--type {column.name}=category",
            )
        )


def _mostly_numbers(levels: list[str], sizes: np.ndarray) -> bool:
    """Plain numbers with a few words between them, such as `unknown`: a number, whose missing cells say the
    rest."""
    share, distinct = plain_share(levels, sizes)
    few_words = len(levels) - distinct <= 2
    return distinct >= 10 and share >= (MIXED if few_words else MOSTLY_NUMBERS)


def _text_as_such(
    base: ColumnSchema, levels: list[str], sizes: np.ndarray, tally: Counter, tell: Tell
) -> ColumnSchema:
    known = int(sizes.sum())
    if why := names_rows(levels, known):
        tell(_identifier(base.name, "text"))
        return replace(base, kind="identifier", reason=_overrule(why, base.name, "text"))
    if names_owner(base.name, len(levels), known):
        tell(_owner(base.name, len(levels), known))
        return replace(
            base, kind="identifier", reason=_overrule("it names to whom a row belongs", base.name, "category")
        )
    share, _ = plain_share(levels, sizes)
    if share >= MIXED:
        tell(
            Finding(
                "mixed",
                "warning",
                f"{base.name!r} mixes numbers and text ({share:.0%} of its cells are numbers).",
                base.name,
                "Read as numbers, the text would be lost.",
                "It is read as text or as categories.",
                f"--type {base.name}=number",
            )
        )
    if why := _prose(levels, known):
        return replace(base, kind="text", reason=_overrule(why, base.name, "category"))
    reason = _overrule(f"{len(levels)} levels of text", base.name, "text")
    return with_vocabulary(replace(base, kind="category", reason=reason), tally)


def _prose(levels: list[str], known: int) -> str:
    """Why texts are to be read word by word; "" when they are names of categories."""
    sample = levels[:2_000]
    words = float(np.mean([len(level.split()) for level in sample]))
    distinct = len(levels) / known
    if (words >= 4 and distinct > 0.2) or (words >= 2 and distinct > 0.5 and len(levels) > 20):
        return f"{words:.1f} words a cell, {distinct:.0%} of them distinct"
    if distinct > 0.5 and len(levels) > FEW_LEVELS and words < 1.5 and is_composed(sample):
        return f"strings composed of parts that recur, {distinct:.0%} of them distinct"
    several = np.mean([bool(SEVERAL.search(level.strip(";| "))) for level in sample])
    if several > 0.2 and len(levels) > 20:
        return f"several values in one cell, separated, in {several:.0%} of the levels"
    return ""


# -- sentences -----------------------------------------------------------------------------------------------


def _identifier(name: str, other: str) -> Finding:
    return Finding(
        "identifier",
        "warning",
        f"{name!r} identifies rows.",
        name,
        "A model could only learn rows by heart from it.",
        "It is left out of the features.",
        f"--type {name}={other}",
    )


def _owner(name: str, unique: int, known: int) -> Finding:
    return Finding(
        "identifier",
        "warning",
        f"{name!r} names to whom a row belongs: {unique} of them in {known} rows.",
        name,
        "A model would learn them by heart and know nothing of new ones.",
        "It is left out of the features.",
        f"--group {name}, or --type {name}=category",
    )


def _overrule(reason: str, name: str, other: str) -> str:
    return f"{reason}; --type {name}={other} overrules"


def _rows(mask: np.ndarray) -> str:
    return "rows " + ", ".join(str(row + 1) for row in np.flatnonzero(mask)[:5])
