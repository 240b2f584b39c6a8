"""Words for single values: whole numbers, truth, pairs.

All are total: a division by zero is 0, never an error, so that a program that was put together by a search
always runs.
"""

from __future__ import annotations

from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int, Real


@primitive
def add(x: Int, y: Int) -> Int:
    """The sum of two whole numbers."""
    return x + y


@primitive
def subtract(x: Int, y: Int) -> Int:
    """The first number less the second."""
    return x - y


@primitive
def multiply(x: Int, y: Int) -> Int:
    """The product of two whole numbers."""
    return x * y


@primitive
def divide(x: Int, y: Int) -> Int:
    """How often the second number goes into the first, rounded down; 0 when it is 0."""
    return x // y if y else 0


@primitive
def remainder(x: Int, y: Int) -> Int:
    """What is left of a division, with the sign of the second number; the first number when that is 0."""
    return x % y if y else x


@primitive
def ratio(x: Real, y: Real) -> Real:
    """The quotient of two numbers; 0 when the second is 0 or too small to divide by."""
    try:
        return float(x) / float(y)
    except (ZeroDivisionError, OverflowError):  # a whole number may be larger than any float
        return 0.0


@primitive
def smaller(x: Int, y: Int) -> Int:
    """The smaller of two whole numbers."""
    return min(x, y)


@primitive
def larger(x: Int, y: Int) -> Int:
    """The larger of two whole numbers."""
    return max(x, y)


@primitive
def less(x: Real, y: Real) -> Bool:
    """Whether the first number is smaller; never when one is missing."""
    return x < y


@primitive
def equal(x: a, y: a) -> Bool:
    """Whether two values are the same."""
    return x == y


@primitive(name="and")
def and_(x: Bool, y: Bool) -> Bool:
    """Whether both hold."""
    return x and y


@primitive(name="or")
def or_(x: Bool, y: Bool) -> Bool:
    """Whether at least one holds."""
    return x or y


@primitive(name="not")
def not_(x: Bool) -> Bool:
    """Whether it does not hold."""
    return not x


@primitive
def pair(x: a, y: b) -> Pair[a, b]:
    """Two values in order."""
    return (x, y)


@primitive
def first(pair: Pair[a, b]) -> a:
    """The first of a pair."""
    return pair[0]


@primitive
def second(pair: Pair[a, b]) -> b:
    """The second of a pair."""
    return pair[1]
