"""Words for whole numbers beyond the four operations: parity, powers, divisors, digits.

All are bounded: a number grows by at most a few thousand bits, and what would be larger has no answer.
"""

from __future__ import annotations

import math

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int, Real

LARGEST_POWER = 2_000
LARGEST_TESTED_PRIME = 10**6
LONGEST_DIGITS = 1_000
TOO_LONG = 10**LONGEST_DIGITS


@primitive
def negate(x: Int) -> Int:
    """The number with the other sign.

    >>> negate(3)
    -3
    """
    return -x


@primitive
def absolute(x: Int) -> Int:
    """The number without its sign.

    >>> absolute(-3)
    3
    """
    return abs(x)


@primitive
def sign(x: Int) -> Int:
    """-1, 0 or 1.

    >>> sign(-7)
    -1
    """
    return (x > 0) - (x < 0)


@primitive
def square(x: Int) -> Int:
    """The number times itself.

    >>> square(7)
    49
    """
    return x * x


@primitive
def is_even(x: Int) -> Bool:
    """Whether two divides it.

    >>> is_even(4)
    True
    """
    return x % 2 == 0


@primitive
def is_odd(x: Int) -> Bool:
    """Whether two does not divide it.

    >>> is_odd(4)
    False
    """
    return x % 2 == 1


@primitive
def divides(divisor: Int, x: Int) -> Bool:
    """Whether the first number divides the second without a rest.

    >>> divides(3, 9), divides(0, 9)
    (True, False)
    """
    return divisor != 0 and x % divisor == 0


@primitive(cost=1.5)
def is_prime(x: Int) -> Bool:
    """Whether it has exactly two divisors; no answer above a million.

    >>> is_prime(7), is_prime(1)
    (True, False)
    """
    if x > LARGEST_TESTED_PRIME:
        raise NoAnswer("Only numbers up to a million are tested.")
    return x > 1 and all(x % divisor for divisor in range(2, math.isqrt(x) + 1))


@primitive(cost=1.5)
def is_square(x: Int) -> Bool:
    """Whether it is the square of a whole number.

    >>> is_square(49), is_square(-4)
    (True, False)
    """
    return x >= 0 and math.isqrt(x) ** 2 == x


@primitive(cost=1.5)
def to_the(x: Int, exponent: Int) -> Int:
    """The number multiplied by itself so many times.

    >>> to_the(2, 10)
    1024
    """
    if exponent < 0 or (abs(x) > 1 and x.bit_length() * exponent > LARGEST_POWER):
        raise NoAnswer("The exponent is negative or the power too large.")
    return x**exponent


@primitive(cost=1.5)
def root(x: Int) -> Int:
    """The largest whole number whose square is not above it.

    >>> root(50)
    7
    """
    if x < 0:
        raise NoAnswer("A negative number has no root.")
    return math.isqrt(x)


@primitive(cost=1.5)
def common_divisor(x: Int, y: Int) -> Int:
    """The greatest common divisor.

    >>> common_divisor(12, 18)
    6
    """
    return math.gcd(x, y)


@primitive
def at_most(x: Real, y: Real) -> Bool:
    """Whether the first number is not larger; never when one is missing.

    >>> at_most(2, 2)
    True
    """
    return x <= y


@primitive
def in_range(x: Real, low: Real, high: Real) -> Bool:
    """Whether a number lies from one to another, both included.

    >>> in_range(3, 1, 3)
    True
    """
    return low <= x <= high


@primitive(cost=1.5)
def clamp(x: Int, low: Int, high: Int) -> Int:
    """The number, moved into the range from one to another.

    >>> clamp(12, 0, 9)
    9
    """
    return max(low, min(x, high))


@primitive(cost=1.3)
def digits(x: Int) -> List[Int]:
    """Its decimal digits, the first one first, without the sign.

    >>> digits(305)
    (3, 0, 5)
    """
    if abs(x) >= TOO_LONG:
        raise NoAnswer("The number has too many digits.")
    return tuple(map(int, str(abs(x))))


@primitive(cost=1.3)
def from_digits(items: List[Int]) -> Int:
    """The number that these decimal digits write.

    >>> from_digits((3, 0, 5))
    305
    """
    if len(items) > LONGEST_DIGITS or not all(0 <= digit <= 9 for digit in items):
        raise NoAnswer("Expected at most 1000 digits, each from 0 to 9.")
    value = 0
    for digit in items:
        value = 10 * value + digit
    return value


@primitive
def rounded(x: Real) -> Int:
    """The nearest whole number, halves upwards.

    >>> rounded(2.5)
    3
    """
    if not math.isfinite(x) or abs(x) > 1e15:
        raise NoAnswer("The number is missing or too large to round.")
    below = math.floor(x)
    return below + (x - below >= 0.5)
