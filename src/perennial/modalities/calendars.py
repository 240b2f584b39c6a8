"""Dates and times as people write them. One format for a whole column; day before month or after is decided by all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

SHARE = 0.9
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M", "T%H:%M:%S")
DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y",
        "%B %d, %Y", "%d-%b-%Y", "%d/%m/%y", "%m/%d/%y", "%Y%m%d")  # fmt: skip
ISO, WEEK = "iso", "%G-W%V-%u"
PROBE = 200


@dataclass(frozen=True)
class Calendar:
    """A way to write dates.

    >>> Calendar("%d/%m/%Y").parse(["31/12/2023", "30/02/2024"]).astype(str).tolist()
    ['2023-12-31T00:00:00', 'NaT']
    """

    format: str

    def parse(self, texts: Sequence[str | None]) -> np.ndarray:
        """datetime64[s] in UTC; NaT for what is missing or no date in this writing."""
        known = {text: self._one(text) for text in set(texts) if text is not None}
        return np.array([known.get(text, "NaT") for text in texts], dtype="datetime64[s]")

    def _one(self, text: str) -> str:
        try:
            plain = text.strip()
            if self.format == ISO:
                moment = datetime.fromisoformat(plain)
            elif self.format == WEEK:
                moment = datetime.strptime(plain if plain.count("-") == 2 else f"{plain}-1", WEEK)
            else:
                moment = datetime.strptime(plain, self.format)
        except ValueError:
            return "NaT"
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return moment.replace(microsecond=0).isoformat()


def recognise(levels: Sequence[str]) -> tuple[Calendar | None, str]:
    """The writing in which the most of the distinct texts are dates, and a reason in words.

    None when fewer than nine in ten are. What fits day-first and month-first alike is read day-first unless a row
    forbids it.
    """
    if not levels or not all(any(character.isdigit() for character in text) for text in levels[:PROBE]):
        return None, "no dates"
    if all(text.strip().replace(".", "").isdigit() and len(text.strip()) != 8 for text in levels[:PROBE]):
        return None, "no dates"
    formats = [ISO, WEEK, *(day + time for day in DAYS for time in TIMES)]
    probe = levels[:: max(1, len(levels) // PROBE)]
    shares = {name: float(np.mean(~np.isnat(Calendar(name).parse(probe)))) for name in formats}
    likely = [name for name in formats if shares[name] >= SHARE * 0.9]
    if not likely:
        return None, "no dates"
    full = {name: float(np.mean(~np.isnat(Calendar(name).parse(levels)))) for name in likely}
    best = max(likely, key=lambda name: full[name])
    if full[best] < SHARE:
        return None, f"{full[best]:.0%} of the values are dates"
    rivals = [name for name in likely if name != best and full[name] == full[best] and name != ISO]
    doubt = f"; {rivals[0]} would fit as well" if rivals else ""
    return Calendar(best), f"{full[best]:.0%} of the values are dates written as {best}{doubt}"
