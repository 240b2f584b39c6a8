"""Dates and times as people write them; whether the day or the month comes first is decided by the whole
column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARE = 0.9
PROBE = 200
CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d{1,9})?)?(?:\s?(?P<p>[AaPp])\.?[Mm]\.?)?"
ZONE = r"(?:\s?(?P<z>Z|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?))?"
WEEKDAY = r"(?:(?i:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?i:day)?\.?,?\s+)?"
MONTH = (
    r"(?P<b>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
ORDINAL = r"(?i:st|nd|rd|th)?"
YEAR, SHORT, NUMBER = r"(?P<Y>\d{4})", r"(?P<y>\d{2})", r"\d{1,2}"
DAY_FIRST = rf"(?P<d>{NUMBER})(?P<s>[-/.])(?P<m>{NUMBER})(?P=s)"
MONTH_FIRST = rf"(?P<m>{NUMBER})(?P<s>[-/.])(?P<d>{NUMBER})(?P=s)"

# Only the first three groups can be mistaken for one another; all others say themselves what they are.
WRITINGS = {
    "year-month-day": rf"{YEAR}(?P<s>[-/.])(?P<m>{NUMBER})(?P=s)(?P<d>{NUMBER})",
    "day-month-year": DAY_FIRST + YEAR,
    "month-day-year": MONTH_FIRST + YEAR,
    "day-month-yy": DAY_FIRST + SHORT,
    "month-day-yy": MONTH_FIRST + SHORT,
    "day-name-year": rf"(?P<d>{NUMBER}){ORDINAL}[-\s.]+{MONTH},?[-\s]+{YEAR}",
    "name-day-year": rf"{MONTH}\s+(?P<d>{NUMBER}){ORDINAL},?\s+{YEAR}",
    "day-name-yy": rf"(?P<d>{NUMBER})[-\s]{MONTH}[-\s]{SHORT}",
    "yyyymmdd": r"(?P<Y>(?:19|20)\d{2})(?P<m>[01]\d)(?P<d>[0-3]\d)",
    "year-month": rf"{YEAR}[-/](?P<m>{NUMBER})",
    "month-year": rf"(?P<m>{NUMBER})[-/]{YEAR}",
    "name-year": rf"{MONTH}[-,\s]+{YEAR}",
    "iso-week": r"(?P<Y>\d{4})-?W(?P<w>\d{2})(?:-?(?P<u>[1-7]))?",
}
TIME_OF_DAY = "time-of-day"
UNMISTAKABLE = ("year-month-day", "day-name-year", "name-day-year")
RIVALS = {
    "day-month-year": "month-day-year", "month-day-year": "day-month-year",
    "day-month-yy": "month-day-yy", "month-day-yy": "day-month-yy",
}  # fmt: skip
PATTERNS = {name: re.compile(rf"{WEEKDAY}{date}(?:[T,\s]+{CLOCK}{ZONE})?") for name, date in WRITINGS.items()}
PATTERNS[TIME_OF_DAY] = re.compile(CLOCK + ZONE)
MONTH_NUMBERS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
NAT = np.datetime64("NaT", "s")


@dataclass(frozen=True)
class Calendar:
    """A way to write dates: one of `WRITINGS` or `time-of-day`.

    Texts in a writing that cannot be mistaken (year first, names of months) are read whatever the format.

    >>> dates = Calendar("day-month-year").parse(["31/12/2023", "30/02/2024", "2024-01-05 07:30"])
    >>> dates.astype(str).tolist()
    ['2023-12-31T00:00:00', 'NaT', '2024-01-05T07:30:00']
    """

    format: str

    def parse(self, texts: Sequence[str | None]) -> np.ndarray:
        """datetime64[s] in UTC `(n,)`; NaT for what is missing or is no date in this writing.

        A time without a zone stays as it stands; a time of day falls on 1970-01-01.
        """
        if not len(texts):
            return np.empty(0, dtype="datetime64[s]")
        positions: dict[str | None, int] = {}
        where = np.fromiter(
            (positions.setdefault(text, len(positions)) for text in texts), dtype=np.int64, count=len(texts)
        )
        return self._parse_levels(["" if text is None else text for text in positions])[where]

    def _parse_levels(self, levels: list[str]) -> np.ndarray:
        moments = np.full(len(levels), NAT)
        for name in dict.fromkeys((self.format, *UNMISTAKABLE)):
            left = np.flatnonzero(np.isnat(moments))
            match = PATTERNS[name].fullmatch
            parts = [
                found.groups() if (found := match(levels[row].strip())) else None for row in left.tolist()
            ]
            rows = left[[part is not None for part in parts]] if len(left) else left
            if len(rows):
                fields = zip(*(part for part in parts if part is not None), strict=True)
                moments[rows] = _moments(dict(zip(PATTERNS[name].groupindex, fields, strict=True)), len(rows))
        return moments


def recognise(levels: Sequence[str], counts: np.ndarray) -> tuple[Calendar | None, str, str]:
    """The writing in which the most cells of a column are dates.

    Where every cell may be read day first and month first, the reading in which the rows run in order of
    time is taken, else day first.

    Args:
        levels: the distinct texts, in the order of their first rows.
        counts: how many cells hold each, `(levels,)`.

    Returns:
        the writing (None when fewer than nine in ten cells are dates), a reason in words, and the rival
        writing that would fit
        as well ("" when there is none)."""
    step = max(1, len(levels) // PROBE)
    probe = levels[::step]
    if not probe or np.mean([any(character.isdigit() for character in text) for text in probe]) < SHARE / 2:
        return None, "no dates", ""
    likely = [name for name in (*WRITINGS, TIME_OF_DAY) if _share(name, probe, counts[::step]) >= SHARE - 0.1]
    shares = {name: _share(name, levels, counts) for name in likely}
    if not shares or max(shares.values()) < SHARE:
        return None, "no dates", ""
    best = max(shares, key=shares.get)
    rival = RIVALS.get(best, "")
    ambiguous = rival in shares and shares[rival] == shares[best]
    if ambiguous and _runs_in_order(rival, levels) and not _runs_in_order(best, levels):
        best, rival = rival, best
    return (
        Calendar(best),
        f"{_percent(shares[best])} of its cells are dates written {best}",
        rival * ambiguous,
    )


def _share(name: str, levels: Sequence[str], counts: np.ndarray) -> float:
    """The share of cells that are dates in a writing."""
    known = ~np.isnat(Calendar(name).parse(levels))
    return float(counts[known].sum() / counts.sum())


def _runs_in_order(name: str, levels: Sequence[str]) -> bool:
    steps = np.diff(Calendar(name).parse(levels).astype(np.int64))
    return len(steps) > 1 and bool((steps >= 0).all() or (steps <= 0).all())


Fields = dict[str, tuple[str | None, ...]]


def _moments(fields: Fields, rows: int) -> np.ndarray:
    """datetime64[s] of matched fields; NaT for days and times that do not exist."""
    days, good = _days(fields, rows)
    hour, minute, second = (_numbers(fields, name, 0, rows) for name in "HMS")
    if any(fields["p"]):
        half = np.array([(letter or "").lower() for letter in fields["p"]])
        good &= (half == "") | ((hour >= 1) & (hour <= 12))
        hour = np.where(half == "", hour, hour % 12 + 12 * (half == "p"))
    good &= (hour <= 23) & (minute <= 59) & (second <= 60)
    moments = days.astype("datetime64[s]") + (3600 * hour + 60 * minute + second)
    if any(fields["z"]):
        moments = moments - np.array([_offset(zone) for zone in fields["z"]])
    return np.where(good, moments, NAT)


def _days(fields: Fields, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """datetime64[D], and which of them exist."""
    if not fields.keys() & {"Y", "y"}:
        return np.zeros(rows, dtype="datetime64[D]"), np.ones(rows, dtype=bool)
    year = _numbers(fields, "Y", 0, rows) if "Y" in fields else _two_digits(_numbers(fields, "y", 0, rows))
    if "w" in fields:
        return _weeks(year, _numbers(fields, "w", 1, rows), _numbers(fields, "u", 1, rows))
    month = _numbers(fields, "m", 1, rows)
    if "b" in fields:
        month = np.array([MONTH_NUMBERS[name[:3].lower()] for name in fields["b"]])
    day = _numbers(fields, "d", 1, rows)
    start = (np.clip(year, 1, 9999) - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (
        np.clip(month, 1, 12) - 1
    )
    days = start.astype("datetime64[D]") + (day - 1)
    good = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("datetime64[M]") == start)
    return days, good


def _numbers(fields: Fields, name: str, default: int, rows: int) -> np.ndarray:
    texts = fields.get(name, ())
    if not any(texts):
        return np.full(rows, default, dtype=np.int64)
    return np.array([default if text is None else int(text) for text in texts], dtype=np.int64)


def _two_digits(year: np.ndarray) -> np.ndarray:
    """69 to 99 belong to the last century, as POSIX has it."""
    return np.where(year >= 69, 1900 + year, 2000 + year)


def _weeks(year: np.ndarray, week: np.ndarray, weekday: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The day of an ISO week; the week with 4 January is the first, and each belongs to the year of its Thursday."""
    fourth = (np.clip(year, 1, 9999) - 1970).astype("datetime64[Y]").astype("datetime64[D]") + 3
    monday = fourth - (fourth.astype(np.int64) + 3) % 7
    monday = monday + 7 * (week - 1)
    return monday + (weekday - 1), (monday + 3).astype("datetime64[Y]").astype(np.int64) == year - 1970


def _offset(zone: str | None) -> int:
    """Seconds that a zone is ahead of UTC."""
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def _percent(share: float) -> str:
    return "all" if share == 1.0 else f"{share:.1%}"
