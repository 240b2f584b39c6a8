"""One column in two units of measure: which conversion turns the values of a task into those that a model knows.

Only conversions between units that people use are considered, and powers of ten. They are exact, so that rows that a model
has learnt from are known again after them; a free factor would fit anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FEWEST = 25
APART, CLOSE, CLOSER, AS_NEAR = 0.25, 0.15, 0.5, 0.05
NEAREST = 7
EXACT, FINE, ROUNDING = 1e-6, 1e4, 1e-12
DIGITS = 9

SAME_MEASURE = (
    1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e9,  # prefixes, per cent, hectares
    7.0, 12.0, 24.0, 365.25 / 12, 365.25 / 7, 60.0, 365.25, 3600.0, 86400.0,  # time, dozens
    2.54, 0.3048, 0.9144, 1.609344, 1.852,  # inch, foot, yard, mile, nautical mile
    0.09290304, 0.40468564224, 2.589988110336,  # square foot, acre, square mile
    28.349523125, 0.45359237,  # ounce, pound
    3.785411784, 4.54609,  # gallons
    4.184, 0.74569987158227022, 6.894757293, 1.8,  # calorie, horsepower, psi, degrees without their zero
    1024.0, 1024.0**2, 1024.0**3, 180.0 / math.pi,  # bytes, degrees of an angle
)  # fmt: skip


@dataclass(frozen=True)
class Conversion:
    """`asked = factor * known + offset`.

    >>> Conversion(1.8, 32.0).back(np.array([32.0, 212.0, np.nan])).tolist()
    [0.0, 100.0, nan]
    """

    factor: float = 1.0
    offset: float = 0.0

    def back(self, asked: np.ndarray) -> np.ndarray:
        """Values in the units that are known, to nine digits."""
        return to_digits((np.asarray(asked, np.float64) - self.offset) / self.factor)

    def __str__(self) -> str:
        """
        >>> str(Conversion(1.8, 32.0)), str(Conversion(0.001))
        ('1.8 x + 32', '0.001 x')
        """
        sign = "+" if self.offset >= 0 else "-"
        return f"{self.factor:.6g} x" + (f" {sign} {abs(self.offset):g}" if self.offset else "")


SAME = Conversion()
CONVERSIONS = (
    Conversion(1.8, 32.0), Conversion(1 / 1.8, -32.0 / 1.8), Conversion(1.0, 273.15), Conversion(1.0, -273.15),
    Conversion(1.8, -459.67), Conversion(1 / 1.8, 459.67 / 1.8),
    *(Conversion(factor) for value in SAME_MEASURE for factor in (value, 1.0 / value)),
)  # fmt: skip


def to_digits(values: np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """Numbers rounded to so many significant digits; a number that has fewer stays what it is.

    >>> to_digits(np.array([0.1 + 0.2, -123456789012.0, 0.0, np.nan])).tolist()
    [0.3, -123456789000.0, 0.0, nan]
    """
    values = np.asarray(values, np.float64)
    usable = np.isfinite(values) & (np.abs(values) > 1e-280) & (np.abs(values) < 1e280)
    magnitude = np.floor(np.log10(np.abs(np.where(usable, values, 1.0))))
    places = digits - 1 - magnitude
    power = 10.0 ** np.abs(places)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.where(places >= 0, np.rint(values * power) / power, np.rint(values / power) * power)
    return np.where(usable & np.isfinite(rounded), rounded, values)


def profile(values: np.ndarray) -> tuple[float, ...]:
    """Eleven quantiles of a column; nothing where few of its numbers are known.

    >>> profile(np.arange(101.0))[:3], profile(np.array([1.0, np.nan]))
    ((5.0, 10.0, 20.0), ())
    """
    known = values[np.isfinite(values)]
    return tuple(np.quantile(known, LEVELS).tolist()) if len(known) >= FEWEST else ()


def between(
    known: Mapping[str, Sequence[float]], asked: Mapping[str, Sequence[float]]
) -> list[dict[str, Conversion]]:
    """For each column the conversion after which it is distributed alike; none for those that are so as they are, or never.

    Where several would do, such as `1.8 x` and `1.8 x + 32` for large numbers, the first answer has that which would do for
    most columns, and there is an answer more for each of the others, wherever it would do.

    Args:
        known, asked: of `profile`, by column.

    >>> def drawn(seed, factor, offset):
    ...     return profile(factor * np.random.default_rng(seed).normal(15, 8, 500) + offset)
    >>> known = {"oven": drawn(0, 20.0, 0.0), "room": drawn(0, 1.0, 0.0), "rate": drawn(2, 1.0, 0.0)}
    >>> asked = {"oven": drawn(1, 36.0, 32.0), "room": drawn(1, 1.8, 32.0), "rate": drawn(3, 1.0, 0.0)}
    >>> {name: str(units) for name, units in between(known, asked)[0].items()}
    {'oven': '1.8 x + 32', 'room': '1.8 x + 32'}
    """
    found = {
        name: _likely(np.array(known[name]), np.array(asked[name]))
        for name in known
        if len(known[name]) == len(asked.get(name, ())) == len(LEVELS)
    }
    likely = {name: conversions for name, conversions in found.items() if conversions}
    votes = Counter(conversion for conversions in likely.values() for conversion in conversions)
    best = {name: max(conversions, key=votes.__getitem__) for name, conversions in likely.items()}
    others = [
        {name: other if other in conversions else best[name] for name, conversions in likely.items()}
        for other in votes
    ]
    return [best, *(answer for answer in others if answer != best)]


def _likely(known: np.ndarray, asked: np.ndarray) -> list[Conversion]:
    """The conversions that make two profiles alike, the nearest first; none where they are alike without."""
    width = float(known[-2] - known[1]) or abs(float(known[len(known) // 2])) or 1.0

    def distance(units: Conversion) -> float:
        return float(np.sort(np.abs(units.back(asked) - known))[:NEAREST].mean()) / width

    as_they_are = distance(SAME)
    if not as_they_are > APART:
        return []
    distances = {each: distance(each) for each in CONVERSIONS}
    nearest = min(distances.values())
    if nearest > min(CLOSE, CLOSER * as_they_are):
        return []
    near = [each for each, apart in distances.items() if apart <= nearest + AS_NEAR]
    return sorted(near, key=distances.__getitem__)


def same_values(known: Mapping[str, Sequence[float]], asked: Mapping[str, Sequence[float]]) -> bool:
    """Whether profiles are of the very same rows: each is the other one after a line, to six digits, and one at least is too
    fine for that to be chance.

    >>> told = profile(np.random.default_rng(0).normal(size=500))
    >>> same_values({"a": told}, {"a": [3.7 * value + 1 for value in told]}), same_values({"a": told}, {"a": np.cbrt(told)})
    (True, False)
    """
    fine = False
    for name, one in known.items():
        one, other = np.array(one), np.array(asked.get(name, ()))
        if len(one) != len(LEVELS) or one.shape != other.shape:
            return False
        widths = one[-1] - one[0], other[-1] - other[0]
        if not all(widths):
            continue
        apart = np.abs((one - one[0]) / widths[0] - (other - other[0]) / widths[1])
        if not apart.max() <= EXACT:
            return False
        fine = fine or abs(widths[0]) > FINE * _grain(one)
    return bool(fine)


def _grain(values: np.ndarray) -> float:
    """The largest power of ten that all values are multiples of, nearly.

    >>> _grain(np.array([12.5, 3.75])), _grain(np.array([1000.0, 2500.0])), _grain(np.array([1e-30, np.pi])) < 1e-8
    (0.01, 100.0, True)
    """
    for digits in range(-9, 10):
        scaled = values * 10.0**digits
        if np.abs(scaled - np.rint(scaled)).max() <= ROUNDING * np.abs(scaled).max():
            return 10.0**-digits
    return 0


def same_levels(known: Sequence[str], asked: Sequence[str]) -> dict[str, str]:
    """For levels that are all numbers, the known level of each asked one, by the conversion that finds most of them.

    Nothing where some are the same as they are, or fewer than half are found.

    >>> same_levels(["0", "1", "2"], ["33.8", "32", "50"])
    {'33.8': '1', '32': '0'}
    >>> same_levels(["a", "b"], ["c"]), same_levels(["0", "1"], ["1", "10"])
    ({}, {})
    """
    if set(known) & set(asked):
        return {}
    there, wanted = _numbers(known), _numbers(asked)
    if len(there) < 2 or len(wanted) < 2:
        return {}
    places = {value: level for level, value in zip(known, to_digits(there).tolist(), strict=True)}
    best: dict[str, str] = {}
    for conversion in CONVERSIONS:
        back = conversion.back(wanted).tolist()
        found = {level: places[value] for level, value in zip(asked, back, strict=True) if value in places}
        if len(found) > len(best):
            best = found
    return best if 2 * len(best) >= len(asked) and len(best) >= 2 else {}


def _numbers(levels: Sequence[str]) -> np.ndarray:
    try:
        return np.array([float(level) for level in levels])
    except ValueError:
        return np.empty(0)


def profiles(columns: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """The profile of each column of numbers that has one."""
    found = {name: profile(values) for name, values in columns.items() if values.dtype.kind == "f"}
    return {name: list(told) for name, told in found.items() if told}
