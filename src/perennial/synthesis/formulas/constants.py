"""Constants of a formula fitted by damped least squares (Levenberg 1944, Marquardt 1963), then made simple.

A constant such as 0.49999999997 is one half as far as the data can tell; `simple_constants` tries the numbers
that people write (whole numbers, fractions, π and roots of it) and keeps what costs no accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from perennial.lang.program import Literal, Program
from perennial.synthesis.formulas.algebra import Columns, filled, number, slopes, template, values

MOST_CONSTANTS = 12
LARGEST_DENOMINATOR = 12
MOST_SIMPLE = 4
ROUNDING = 1e-14
HALF_PRECISION = 1e-8  # least squares finds a constant to about the root of the precision of the data
SQUARE_ROOT_OF_PI = math.sqrt(math.pi)


def mean_square(program: Program, columns: Columns, target: np.ndarray) -> float:
    """The mean squared error; infinite where the formula has no value on some row."""
    with np.errstate(all="ignore"):
        error = float(np.mean((values(program, columns) - target) ** 2))
    return error if math.isfinite(error) else math.inf


def fit_constants(
    program: Program,
    columns: Columns,
    target: np.ndarray,
    *,
    steps: int = 30,
) -> Program:
    """The same formula with constants at a local minimum of the squared error; never worse than it came.

    Args:
        program: a formula.
        columns: variable → `(n,)`.
        target: `(n,)`.
        steps: how many linear systems are solved at most.
    """
    pattern, start = template(program)
    if not start or len(start) > MOST_CONSTANTS:
        return program
    fitted = _fitted(pattern, start, columns, target, steps)
    return program if fitted is start else filled(pattern, fitted)


def _fitted(pattern, start: dict[str, float], columns, target, steps: int) -> dict[str, float]:
    """Constants at a local minimum; `start` itself when nothing is better."""
    names, place = list(start), np.array(list(start.values()))
    error, residual, jacobian = _linearised(pattern, columns, target, names, place)
    if not math.isfinite(error):
        return start
    first, damping = error, 1e-3
    for _ in range(steps):
        step = _step(jacobian, residual, damping)
        if step is None:
            break
        candidate = place - step
        new_error, new_residual, new_jacobian = _linearised(pattern, columns, target, names, candidate)
        if new_error < error:
            gain = (error - new_error) / error
            place, error, residual, jacobian = candidate, new_error, new_residual, new_jacobian
            damping = max(damping / 8, 1e-14)
            if gain < 1e-9 or error == 0:
                break
        else:
            damping *= 6
            if damping > 1e8:
                break
    return dict(zip(names, map(float, place), strict=True)) if error < first else start


def _linearised(pattern, columns, target, names, place):
    value, jacobian = slopes(pattern, columns, dict(zip(names, place, strict=True)))
    residual = value - target
    with np.errstate(all="ignore"):
        error = float(residual @ residual)
    if not math.isfinite(error) or not np.isfinite(jacobian).all():
        return math.inf, residual, jacobian
    return error, residual, jacobian


def _step(jacobian: np.ndarray, residual: np.ndarray, damping: float) -> np.ndarray | None:
    """One damped step, solved by QR on scaled columns: the normal equations would lose half the digits."""
    norms = np.linalg.norm(jacobian, axis=1)
    norms[norms == 0] = 1.0
    scaled = (jacobian / norms[:, None]).T
    size = scaled.shape[1]
    matrix = np.concatenate([scaled, math.sqrt(damping) * np.eye(size)])
    right = np.concatenate([residual, np.zeros(size)])
    try:
        return np.linalg.lstsq(matrix, right, rcond=None)[0] / norms
    except np.linalg.LinAlgError:
        return None


# -- simple numbers ----------------------------------------------------------------------------------------------------


def plain_numbers(value: float, tolerance: float) -> Iterator[float]:
    """Numbers that people write within a relative tolerance of a value, simplest kind first.

    >>> next(plain_numbers(0.3333333334, 1e-8)) == 1 / 3, list(plain_numbers(0.1234567, 1e-8))
    (True, [])
    """
    for unit in (1.0, math.pi, 1 / math.pi, math.sqrt(2.0), SQUARE_ROOT_OF_PI, 1 / SQUARE_ROOT_OF_PI,
                 1 / math.sqrt(2 * math.pi), math.sqrt(2 * math.pi), math.pi**2, 1 / math.pi**2, math.e):  # fmt: skip
        share = value / unit
        if abs(share) > 1e6:
            continue
        fraction = Fraction(share).limit_denominator(LARGEST_DENOMINATOR)
        near = float(fraction) * unit
        if near and abs(near - value) <= tolerance * abs(value):
            yield near
    for digits in (2, 3, 4, 6):
        near = float(f"{value:.{digits}g}")
        if near and abs(near - value) <= min(tolerance, 0.01 * 10.0**-digits) * abs(value):
            yield near


def fitted_numbers(program: Program) -> int:
    """How many numbers of a formula nobody would write down, so that they were fitted to the data.

    >>> from perennial.lang import Literal
    >>> fitted_numbers(Literal(2.5)), fitted_numbers(Literal(2.4938710))
    (0, 1)
    """
    numbers = (node.value for node in program.walk() if isinstance(node, Literal))
    return sum(1 for value in numbers if value and next(plain_numbers(float(value), ROUNDING), None) is None)


def simple_constants(
    program: Program,
    columns: Columns,
    target: np.ndarray,
    *,
    slack: float,
    enough: float = 0.0,
    refit: bool = False,
) -> Program:
    """The formula with its constants replaced by simple numbers where that costs little accuracy.

    Args:
        program: a formula with fitted constants.
        columns: variable → `(n,)`.
        target: `(n,)`.
        slack: by what factor each simple number may raise the mean squared error.
        enough: mean squared error that is allowed in any case.
        refit: whether the other constants are fitted again around each simple number; for data with noise.
    """
    pattern, constants = template(program)
    if not constants or len(constants) > MOST_CONSTANTS:
        return program
    error = mean_square(program, columns, target)
    spread = _uncertainty(pattern, constants, columns, target)
    for name in sorted(constants, key=lambda name: -spread[name]):
        for near in _candidates(constants[name], spread[name]):
            trial = _with_number(pattern, constants, name, near, columns, target, refit)
            reached = mean_square(filled(pattern, trial), columns, target)
            if reached <= max(enough, error * slack):
                constants, error = trial, max(error, reached)
                pattern = pattern.substitute({name: number(near)})
                del constants[name]
                break
    return filled(pattern, constants)


def _candidates(value: float, spread: float) -> Iterator[float]:
    """Simple numbers within three standard errors, 0 among them when it is."""
    if abs(value) <= 1e-6 or spread > 0.4:
        yield 0.0
    near = min(0.02, max(HALF_PRECISION, 3 * spread))
    seen = sorted(set(plain_numbers(value, near)), key=lambda simple: (digits(simple), abs(simple - value)))
    yield from seen[:MOST_SIMPLE]


def digits(value: float) -> int:
    """How much there is to write of a number; a fraction or a multiple of π counts more than a whole one."""
    fraction = Fraction(value).limit_denominator(1_000)
    if float(fraction) == value:
        return len(str(abs(fraction.numerator))) + 2 * (
            len(str(fraction.denominator)) - (fraction.denominator == 1)
        )
    return 4 + min(len(f"{value:.12g}".replace(".", "")), 4)


def _with_number(pattern, constants, name, near, columns, target, refit) -> dict[str, float]:
    """All constants with one of them fixed, the others fitted again when asked."""
    others = {other: value for other, value in constants.items() if other != name}
    if not refit or not others:
        return constants | {name: near}
    fixed = pattern.substitute({name: number(near)})
    fitted = _fitted(fixed, others, columns, target, steps=6)
    return fitted | {name: near}


def _uncertainty(pattern: Program, constants: dict[str, float], columns: Columns, target: np.ndarray):
    """The relative standard error of every constant (Gauss 1823); 1e-8 where the data are exact."""
    value, jacobian = slopes(pattern, columns, constants)
    freedom = max(1, len(target) - len(constants))
    with np.errstate(all="ignore"):
        variance = float(np.sum((value - target) ** 2)) / freedom
    try:
        inverse = np.linalg.pinv(jacobian @ jacobian.T)
        errors = np.sqrt(np.abs(np.diag(inverse)) * variance)
    except (np.linalg.LinAlgError, ValueError):
        errors = np.zeros(len(constants))
    return {
        name: float(error / abs(known)) if known and math.isfinite(error) else 0.0
        for (name, known), error in zip(constants.items(), errors, strict=True)
    }
