"""What a column is: a number, a category, a date, text, an identifier, or nothing to learn from; with the reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from perennial.errors import UsageError
from perennial.modalities.base import Finding
from perennial.modalities.calendars import Calendar, recognise as recognise_dates
from perennial.modalities.numerals import Numerals, recognise as recognise_numbers

KINDS = ("number", "category", "date", "text", "identifier", "constant", "empty", "target", "ignored", "group", "time")
USED = ("number", "category", "date", "text")
MOST_LEVELS = 4_000
FEW_LEVELS = 50
IDENTIFIER_ROWS = 20
EXACT = 2**53
SENTINELS = (-999.0, -9999.0, -99.0, 9999.0, 99999.0, 999999.0)
IDENTIFIER_NAME = re.compile(r"(^|[_\s.-])(id|uuid|guid|key|index|idx|row|rownum|rowid|nr|no|number)$|^unnamed|^$|(?-i:[a-z]Id$)", re.I)
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.I)
EPOCH_NAME = re.compile(r"(time|date|stamp|epoch|created|updated)", re.I)
EPOCH_SECONDS = (3e8, 4.2e9)


@dataclass(frozen=True)
class ColumnSchema:
    """One column: what it was taken for and how its cells become values.

    Args:
        name: as the user wrote it.
        id: `f0001`, the name inside programs.
        kind: one of `KINDS`.
        reason: in one sentence, with how to overrule it.
        missing, unique: counts over all rows.
        examples: a few values as text.
        format: how cells are read: `{"numerals": "."}`, `{"calendar": "%d/%m/%Y"}`, `{"epoch": 1}` or nothing.
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
        return ColumnSchema(**{**data, "examples": tuple(data["examples"]), "vocabulary": tuple(data["vocabulary"])})

    @property
    def levels(self) -> int:
        """How many codes a category has."""
        return max(1, len(self.vocabulary) + int(self.rare))


def sense_column(name: str, identity: str, cells: np.ndarray, wanted: str | None, tell: Callable[[Finding], None]) -> ColumnSchema:
    """Takes one column for what it most likely is, or for what the user said.

    Args:
        name: of the column.
        identity: its name inside programs.
        cells: float64, int64, uint64, bool, datetime64 or object.
        wanted: the user's kind, or None.
        tell: receives findings.
    """
    if wanted is not None and wanted not in KINDS:
        raise UsageError(
            f"A column is one of {', '.join(KINDS[:7])}; received {wanted!r}.", where=f"--type {name}={wanted}",
            todo=f"Write for instance --type {name}=category.",
        )  # fmt: skip
    cells = flatten_lists(cells)
    base = ColumnSchema(name, identity, "ignored", "you left it out")
    if wanted == "ignored":
        return base
    sensed = _sense_text(base, cells, wanted, tell) if cells.dtype == object else _sense_typed(base, cells, wanted, tell)
    if wanted is not None:
        sensed = replace(sensed, kind=wanted, reason=f"you said so (it looked like {sensed.kind})" if sensed.kind != wanted else "you said so, and it looks so")
        if wanted == "category":
            sensed = with_vocabulary(sensed, as_texts(cells))
    return sensed


def _sense_typed(base: ColumnSchema, cells: np.ndarray, wanted: str | None, tell: Callable) -> ColumnSchema:
    if cells.dtype.kind == "M":
        missing = np.isnat(cells)
        base = _counted(base, cells[~missing], int(missing.sum()))
        if base.unique <= 1:
            return _nothing(base)
        return replace(base, kind="date", reason=_overrule("every value is a date", base.name, "category"))
    values = cells.astype(np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        tell(Finding("infinite", "warning", f"{int(infinite.sum())} infinite values in {base.name!r}.", _rows(infinite),
                     "Infinity breaks means and distances.", "They count as missing.", f"--drop {base.name}"))  # fmt: skip
    missing = ~np.isfinite(values)
    known = values[~missing]
    base = _counted(base, cells[~missing], int(missing.sum()))
    if base.unique == 0 or (base.unique == 1 and not base.missing):
        return _nothing(base)
    if wanted is None and cells.dtype.kind in "iu" and _is_key(base, known, len(cells)):
        tell(_identifier(base.name))
        return replace(base, kind="identifier", reason=_overrule("whole numbers that differ in every row", base.name, "number"))
    if (wanted == "date" or (wanted is None and EPOCH_NAME.search(base.name))) and EPOCH_SECONDS[0] < known.min() and known.max() < EPOCH_SECONDS[1]:
        return replace(base, kind="date", format={"epoch": 1}, reason=_overrule("its name and range say seconds since 1970", base.name, "number"))
    _warn_about_numbers(base.name, known, cells.dtype, tell)
    return replace(base, kind="number", reason=_overrule("every value is a number", base.name, "category"))


def _sense_text(base: ColumnSchema, cells: np.ndarray, wanted: str | None, tell: Callable) -> ColumnSchema:
    missing = np.array([cell is None or not cell.strip() for cell in cells], dtype=bool)
    known = cells[~missing]
    base = _counted(base, known, int(missing.sum()))
    tally = Counter(known.tolist())
    levels = sorted(tally)
    counts = np.array([tally[level] for level in levels])
    if not levels or (len(levels) == 1 and not base.missing):
        return _nothing(base)
    numerals, share, why = recognise_numbers(levels, counts)
    if wanted == "number" and numerals is None:
        numerals, why = Numerals("."), "you said so; other texts count as missing"
    if numerals is not None and wanted in (None, "number"):
        return replace(base, kind="number", format={"numerals": numerals.mark}, reason=_overrule(why, base.name, "category"))
    if wanted in (None, "date"):
        calendar, why_date, _ = recognise_dates(levels, counts)
        if calendar is not None:
            lost = int(np.isnat(calendar.parse(known.tolist())).sum())
            if lost:
                tell(Finding("dates", "warning", f"{lost} values of {base.name!r} are no dates.", _rows_of_bad(cells, calendar),
                             "A calendar day that does not exist is an error of entry.", "They count as missing.", f"--type {base.name}=category"))  # fmt: skip
            return replace(base, kind="date", format={"calendar": calendar.format}, reason=_overrule(why_date, base.name, "category"))
    if wanted is None and share >= 0.5:
        tell(Finding("mixed", "warning", f"{base.name!r} mixes numbers and text ({share:.0%} of its values are numbers).", "",
                     "Read as numbers the text would be lost.", "It is read as text or categories.", f"--type {base.name}=number"))  # fmt: skip
    return _text_or_category(base, known, levels, tell, wanted)


def _text_or_category(base: ColumnSchema, known: np.ndarray, levels: list[str], tell: Callable, wanted: str | None) -> ColumnSchema:
    words = float(np.mean([len(level.split()) for level in levels[:2_000]]))
    distinct = len(levels) / len(known)
    unique = len(levels) == len(known) and len(known) >= IDENTIFIER_ROWS
    if unique and words < 1.5 and wanted is None:
        tell(_identifier(base.name))
        why = "a universally unique identifier in every row" if UUID.fullmatch(levels[0]) else "single words that differ in every row"
        return replace(base, kind="identifier", reason=_overrule(why, base.name, "text"))
    if (words >= 4 and distinct > 0.2) or (words >= 2 and distinct > 0.5 and len(levels) > FEW_LEVELS):
        why = f"{words:.1f} words a value, {distinct:.0%} of them distinct"
        return replace(base, kind="text", reason=_overrule(why, base.name, "category"))
    reason = _overrule(f"{len(levels)} levels of text", base.name, "text")
    return with_vocabulary(replace(base, kind="category", reason=reason), known.tolist())


def with_vocabulary(column: ColumnSchema, values: list[str | None]) -> ColumnSchema:
    """The column with its levels by falling frequency; levels seen once in a large vocabulary share one code."""
    counts = Counter(value for value in values if value is not None)
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    kept = ordered
    if len(ordered) > FEW_LEVELS:
        kept = [level for level in ordered if counts[level] > 1][:MOST_LEVELS]
    return replace(column, vocabulary=tuple(kept), rare=len(kept) < len(ordered))


def as_texts(cells: np.ndarray) -> list[str | None]:
    """Each cell as the text of a level; whole numbers without a decimal point, None where missing."""
    if cells.dtype == object:
        return [None if cell is None or not str(cell).strip() else str(cell) for cell in cells]
    if cells.dtype.kind == "f":
        return [None if value != value else str(int(value)) if float(value).is_integer() and abs(value) < EXACT else repr(float(value)) for value in cells]
    if cells.dtype.kind == "M":
        return [None if np.isnat(value) else str(value) for value in cells]
    return [str(value) for value in cells]


def flatten_lists(cells: np.ndarray) -> np.ndarray:
    """Cells that are lists become text joined by `;`, other objects their text; floats among objects that are NaN are missing."""
    if cells.dtype != object:
        return cells
    flat = np.empty(len(cells), dtype=object)
    for number, cell in enumerate(cells):
        if isinstance(cell, str) or cell is None:
            flat[number] = cell
        elif isinstance(cell, list | tuple):
            flat[number] = ";".join(map(str, cell))
        else:
            flat[number] = None if cell != cell else str(cell)
    return flat


def values_of(column: ColumnSchema, cells: np.ndarray) -> np.ndarray:
    """Canonical values of a column: float64, int32 codes, datetime64[s] or texts."""
    cells = flatten_lists(cells)
    if column.kind == "number":
        return _as_numbers(column, cells)
    if column.kind == "category":
        codes = {level: code for code, level in enumerate(column.vocabulary)}
        rare = len(column.vocabulary) if column.rare else -2
        return np.array([-1 if text is None else codes.get(text, rare) for text in as_texts(cells)], dtype=np.int32)
    if column.kind == "date":
        return _as_dates(column, cells)
    return np.array(["" if text is None else text for text in as_texts(cells)], dtype=object)


def _as_numbers(column: ColumnSchema, cells: np.ndarray) -> np.ndarray:
    if cells.dtype == object:
        values = Numerals(column.format.get("numerals", ".")).parse([None if cell is None else str(cell) for cell in cells])
    elif cells.dtype.kind == "M":
        values = np.where(np.isnat(cells), np.nan, cells.astype("datetime64[s]").astype(np.int64).astype(np.float64))
    else:
        values = cells.astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _as_dates(column: ColumnSchema, cells: np.ndarray) -> np.ndarray:
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[s]")
    if cells.dtype == object:
        first = Calendar(column.format.get("calendar", "iso")).parse(cells.tolist())
        return np.where(np.isnat(first), Calendar("iso").parse(cells.tolist()), first) if np.isnat(first).any() else first
    seconds = cells.astype(np.float64)
    known = np.isfinite(seconds) & (np.abs(seconds) < 1e11)
    return np.where(known, np.where(known, seconds, 0).astype("datetime64[s]"), np.datetime64("NaT", "s"))


def _counted(base: ColumnSchema, known: np.ndarray, missing: int) -> ColumnSchema:
    distinct = sorted(set(known.tolist())) if known.dtype == object else np.unique(known).tolist()
    shown = tuple(str(value)[:40] for value in list(dict.fromkeys(known[:50].tolist()))[:3])
    return replace(base, missing=missing, unique=len(distinct), examples=shown)


def _nothing(base: ColumnSchema) -> ColumnSchema:
    if base.unique == 0:
        return replace(base, kind="empty", reason="every cell is missing")
    return replace(base, kind="constant", reason="one value in every row")


def _is_key(base: ColumnSchema, known: np.ndarray, rows: int) -> bool:
    """Unique whole numbers that count rows or are called a key."""
    if base.missing or base.unique < rows or rows < IDENTIFIER_ROWS:
        return False
    steps = np.diff(np.sort(known))
    counting = steps.max() == 1 and (np.diff(known) > 0).all()
    return bool(counting or IDENTIFIER_NAME.search(base.name))


def _warn_about_numbers(name: str, known: np.ndarray, kind: np.dtype, tell: Callable) -> None:
    if kind.kind in "iu" and np.abs(known).max() > EXACT or np.abs(known).max() > 1e300:
        tell(Finding("precision", "warning", f"{name!r} holds numbers too large for exact arithmetic.", "", "Neighbouring values become equal.",
                     "They are read as 64-bit floats.", f"--type {name}=category"))  # fmt: skip
    for sentinel in SENTINELS:
        share = float(np.mean(known == sentinel))
        others = known[known != sentinel]
        if share > 0.005 and len(others) and not others.min() * 1.5 - 1 <= sentinel <= others.max() * 1.5 + 1:
            tell(Finding("sentinel", "warning", f"{share:.1%} of {name!r} is {sentinel:g}, far from all other values.", "",
                         "It may stand for a missing value.", "Nothing; trees can split it off.", "Replace it by an empty cell if so."))  # fmt: skip


def _identifier(name: str) -> Finding:
    return Finding("identifier", "warning", f"{name!r} identifies rows.", name, "A model could only learn rows by heart from it.",
                   "It is left out of the features.", f"--type {name}=category")  # fmt: skip


def _overrule(reason: str, name: str, other: str) -> str:
    return f"{reason}; --type {name}={other} overrules"


def _rows(mask: np.ndarray) -> str:
    return "rows " + ", ".join(str(row + 1) for row in np.flatnonzero(mask)[:5])


def _rows_of_bad(cells: np.ndarray, calendar: Calendar) -> str:
    bad = [row for row, cell in enumerate(cells) if cell is not None and cell.strip() and np.isnat(calendar.parse([cell])[0])]
    return "rows " + ", ".join(f"{row + 1} ({cells[row]})" for row in bad[:5])
