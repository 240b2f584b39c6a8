"""Numbers as people write them: `1,234.5`, `1.234,5`, `€ 5`, `5 %`, `(7)`, `12 kg`. One reading for a whole
column, or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARE = 0.99
PROBE = 500
DECORATION = str.maketrans("", "", " \t\u00a0\u202f\u2009'\u2019€$£¥₹₽₩%‰+")
CURRENCY = re.compile(r"\b(?:EUR|USD|GBP|CHF|JPY|CNY|INR|CAD|AUD)\b", re.IGNORECASE)
UNIT = re.compile(r"[+-]?[\d.,]*\d[\d.,]*\s*([A-Za-zµ°²³/]{1,8})")
EXPONENT = r"(?:[eE][+-]?\d+)?"
POINT = re.compile(rf"-?(?:[1-9]\d{{,2}}(?:,\d{{3}})+|\d+)?(?:(?<=\d)\.\d*|\.\d+)?(?<=[\d.]){EXPONENT}")
COMMA = re.compile(rf"-?(?:[1-9]\d{{,2}}(?:\.\d{{3}})+|\d+)?(?:(?<=\d),\d*|,\d+)?(?<=[\d,]){EXPONENT}")
BRACKETS = re.compile(r"\(([^()]+)\)")
LEADING_ZERO = re.compile(r"\s*[+-]?0\d+\s*")
PLAIN = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
FEWEST_NUMBERS = 8


@dataclass(frozen=True)
class Numerals:
    """A way to write numbers: which character is the decimal mark, and the unit that all of them carry.

    >>> Numerals(",").parse(["1.234,5", "€ 7", "(3)", None, "many"]).tolist()
    [1234.5, 7.0, -3.0, nan, nan]
    >>> Numerals(".", "kg").parse(["12 kg", "3"]).tolist()
    [12.0, 3.0]
    """

    mark: str
    unit: str = ""

    def parse(self, texts: Sequence[str | None]) -> np.ndarray:
        """float64 `(n,)`; NaN for what is missing or is no number in this writing."""
        positions: dict[str | None, int] = {}
        where = np.fromiter(
            (positions.setdefault(text, len(positions)) for text in texts), dtype=np.int64, count=len(texts)
        )
        numbers = np.array(
            self._parse_levels(["" if text is None else text for text in positions]), dtype=np.float64
        )
        numbers[np.isinf(numbers)] = np.nan  # 1e999 is written like a number and is none of float64
        return numbers[where] if len(where) else np.empty(0)

    def _parse_levels(self, levels: list[str]) -> list[float]:
        pattern, group = (POINT, ",") if self.mark == "." else (COMMA, ".")
        match, nothing = pattern.fullmatch, float("nan")
        return [
            float(plain.replace(group, "").replace(self.mark, ".")) if plain and match(plain) else nothing
            for plain in self._undecorated(levels)
        ]

    def _undecorated(self, levels: list[str]) -> list[str]:
        """The texts without signs of money, units and spaces; joined, because one pass over a long text is
        much faster."""
        joined = "\n".join(levels).replace("\u2212", "-")
        if "(" in joined:
            joined = BRACKETS.sub(r"-\1", joined)
        if self.unit:
            joined = re.sub(rf"(?<=[\d\s]){re.escape(self.unit)}(?=\n|\Z)", "", joined)
        elif any(letter.isalpha() for letter in joined[:10_000]):
            joined = CURRENCY.sub("", joined)
        plain = joined.translate(DECORATION).split("\n")
        if len(plain) == len(levels):
            return plain
        return [self._undecorated([text])[0] if "\n" not in text else "" for text in levels]


def recognise(levels: Sequence[str], counts: np.ndarray) -> tuple[Numerals | None, float, str]:
    """The writing in which the most cells of a column are numbers.

    Args:
        levels: the distinct texts.
        counts: how many cells hold each, `(levels,)`.

    Returns:
        the writing (None when fewer than 99 % of the cells are numbers), the share that are, and a reason in
        words.
    """
    if not len(levels):
        return None, 0.0, "nothing"
    step = max(1, len(levels) // PROBE)
    unit = _common_unit(levels[::step])
    if max(_share(Numerals(mark, unit), levels[::step], counts[::step]) for mark in ".,") < 0.2:
        return None, 0.0, "no numbers"
    if _share_of_codes(levels, counts) > 1 - SHARE:
        return None, 0.0, "codes with leading zeros"
    shares = {mark: _share(Numerals(mark, unit), levels, counts) for mark in ".,"}
    mark = "," if shares[","] > shares["."] else "."
    sign = "comma" if mark == "," else "point"
    if shares[mark] < SHARE:
        return None, shares[mark], f"{shares[mark]:.0%} of its cells are numbers"
    marked = any("," in text or "." in text for text in levels)
    doubt = (
        "; they could be read with a decimal comma as well" if shares["."] == shares[","] and marked else ""
    )
    told = f" with a decimal {sign}" if marked else ""
    told += f" in {unit}" if unit else ""
    return (
        Numerals(mark, unit),
        shares[mark],
        f"{_percent(shares[mark])} of its cells are numbers{told}{doubt}",
    )


def plain_share(levels: Sequence[str], counts: np.ndarray) -> tuple[float, int]:
    """The share of cells that are plain numbers without any decoration, and how many distinct ones there
    are."""
    plain = np.fromiter((PLAIN.fullmatch(text) is not None for text in levels), dtype=bool, count=len(levels))
    return float(counts[plain].sum() / max(1, counts.sum())), int(plain.sum())


def _share(numerals: Numerals, levels: Sequence[str], counts: np.ndarray) -> float:
    """The share of cells that are numbers in a writing."""
    known = ~np.isnan(numerals.parse(levels))
    return float(counts[known].sum() / counts.sum())


def _share_of_codes(levels: Sequence[str], counts: np.ndarray) -> float:
    """The share of cells that begin with a zero, as codes do and numbers do not."""
    led = np.fromiter(
        (LEADING_ZERO.fullmatch(text) is not None for text in levels), dtype=bool, count=len(levels)
    )
    return float(counts[led].sum() / counts.sum())


def _common_unit(levels: Sequence[str]) -> str:
    """The unit that stands behind nearly all numbers: `kg` in `12 kg`."""
    units = [match.group(1) if (match := UNIT.fullmatch(text.strip())) else "" for text in levels]
    unit = max(set(units), key=units.count)
    return (
        unit
        if unit
        and unit not in "eE"
        and units.count(unit) >= SHARE * len(units)
        and len(units) >= FEWEST_NUMBERS
        else ""
    )


def _percent(share: float) -> str:
    return "all" if share == 1.0 else f"{share:.1%}"
