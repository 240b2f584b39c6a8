"""Words for real numbers: what formulas are made of.

Where a function has no real value (the root or logarithm of a negative number), or none that fits a float, there
is no answer; a missing number, NaN, that comes in goes out.
"""

from __future__ import annotations

import math

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Real

__all__ = [
    "arccos",
    "arcsin",
    "arctan",
    "cos",
    "exp",
    "log",
    "magnitude",
    "minus",
    "plus",
    "power",
    "sin",
    "sqrt",
    "tan",
    "tanh",
    "times",
]


def _real(function, *values: float) -> float:
    """The function's value.

    Raises:
        NoAnswer: where it has no finite one although the arguments are finite.
    """
    try:
        numbers = [float(value) for value in values]
        result = function(*numbers)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise NoAnswer(f"There is no real number for {', '.join(map(str, values))} here.") from None
    if not math.isfinite(result) and all(map(math.isfinite, numbers)):
        raise NoAnswer(f"The result for {', '.join(map(str, values))} is too large.")
    return result


@primitive
def plus(x: Real, y: Real) -> Real:
    """The sum of two numbers.

    >>> plus(1.5, 2.0)
    3.5
    """
    return _real(lambda a, b: a + b, x, y)


@primitive
def minus(x: Real, y: Real) -> Real:
    """The first number less the second.

    >>> minus(1.5, 2.0)
    -0.5
    """
    return _real(lambda a, b: a - b, x, y)


@primitive
def times(x: Real, y: Real) -> Real:
    """The product of two numbers.

    >>> times(1.5, 2.0)
    3.0
    """
    return _real(lambda a, b: a * b, x, y)


@primitive
def power(x: Real, y: Real) -> Real:
    """The first number to the power of the second.

    >>> power(3.0, 2.0), power(9.0, 0.5)
    (9.0, 3.0)
    """
    return _real(math.pow, x, y)


@primitive
def sqrt(x: Real) -> Real:
    """The square root.

    >>> sqrt(9.0)
    3.0
    """
    return _real(math.sqrt, x)


@primitive
def exp(x: Real) -> Real:
    """The exponential function.

    >>> exp(0.0)
    1.0
    """
    return _real(math.exp, x)


@primitive
def log(x: Real) -> Real:
    """The natural logarithm.

    >>> log(1.0)
    0.0
    """
    return _real(math.log, x)


@primitive
def sin(x: Real) -> Real:
    """The sine of an angle in radians.

    >>> sin(0.0)
    0.0
    """
    return _real(math.sin, x)


@primitive
def cos(x: Real) -> Real:
    """The cosine of an angle in radians.

    >>> cos(0.0)
    1.0
    """
    return _real(math.cos, x)


@primitive
def tan(x: Real) -> Real:
    """The tangent of an angle in radians.

    >>> tan(0.0)
    0.0
    """
    return _real(math.tan, x)


@primitive(name="hyperbolic_tangent")
def tanh(x: Real) -> Real:
    """The hyperbolic tangent.

    >>> tanh(0.0)
    0.0
    """
    return _real(math.tanh, x)


@primitive
def arcsin(x: Real) -> Real:
    """The angle in radians, from -π/2 to π/2, with this sine.

    >>> arcsin(0.0)
    0.0
    """
    return _real(math.asin, x)


@primitive
def arccos(x: Real) -> Real:
    """The angle in radians, from 0 to π, with this cosine.

    >>> arccos(1.0)
    0.0
    """
    return _real(math.acos, x)


@primitive
def arctan(x: Real) -> Real:
    """The angle in radians, between -π/2 and π/2, with this tangent.

    >>> arctan(0.0)
    0.0
    """
    return _real(math.atan, x)


@primitive
def magnitude(x: Real) -> Real:
    """The number without its sign.

    >>> magnitude(-2.5)
    2.5
    """
    return _real(abs, x)
