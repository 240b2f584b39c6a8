"""Numbers as people write them: `1,234.5`, `1.234,5`, `€ 5`, `5 %`. One reading for a whole column, or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARE = 0.99
DECORATION = re.compile(r"[\s\u00a0\u202f'’€$£¥₹%]|\b(?:EUR|USD|GBP|CHF)\b")
POINT = re.compile(r"(?=[+-]?\.?\d)[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?")
COMMA = re.compile(r"(?=[+-]?,?\d)[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d*)?(?:[eE][+-]?\d+)?")
LEADING_ZERO = re.compile(r"[+-]?0\d")


@dataclass(frozen=True)
class Numerals:
    """A way to write numbers: which character is the decimal mark.

    >>> Numerals(",").parse(["1.234,5", "€ 7"]).tolist()
    [1234.5, 7.0]
    """

    mark: str

    def parse(self, texts: Sequence[str | None]) -> np.ndarray:
        """float64 values; NaN for what is missing or is no number in this writing."""
        known: dict[str | None, float] = {None: float("nan")}
        for text in set(texts):
            if text is not None:
                known[text] = self._one(text)
        return np.array([known[text] for text in texts], dtype=np.float64)

    def _one(self, text: str) -> float:
        plain = DECORATION.sub("", text)
        pattern, group = (POINT, ",") if self.mark == "." else (COMMA, ".")
        if not pattern.fullmatch(plain):
            return float("nan")
        return float(plain.replace(group, "").replace(self.mark, "."))


def recognise(levels: Sequence[str]) -> tuple[Numerals | None, float, str]:
    """The writing in which the most of the distinct texts are numbers.

    Returns:
        the writing (None when fewer than 99 % are numbers), the share that are, and a reason in words.
    """
    if not levels or any(LEADING_ZERO.match(text.strip()) and text.strip().isdigit() for text in levels):
        return None, 0.0, "codes with leading zeros"
    shares = {}
    for mark in (".", ","):
        shares[mark] = float(np.mean(~np.isnan(Numerals(mark).parse(levels))))
    mark = "," if shares[","] > shares["."] else "."
    if shares[mark] < SHARE:
        return None, shares[mark], f"{shares[mark]:.0%} of the values are numbers"
    sign = "comma" if mark == "," else "point"
    ambiguous = shares["."] == shares[","] and any("," in text or "." in text for text in levels)
    doubt = "; a comma would be as possible" if ambiguous else ""
    return Numerals(mark), shares[mark], f"{shares[mark]:.0%} of the values are numbers with a decimal {sign}{doubt}"
