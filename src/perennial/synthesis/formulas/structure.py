"""Fewer variables: which of them enter alone as a power, or only together as a sum, difference, product or quotient?

A smooth interpolation (a Gaussian process; Rasmussen and Williams 2006) of the data is judged by leaving out one row
at a time, which has a closed form. If `y` depends on `a` and `b` through `a - b` alone, the interpolation over
`a - b` predicts better than the one over both: it has fewer directions to get wrong. So the data show their
symmetries (Udrescu and Tegmark 2020) without a network, in milliseconds a question, also under noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from perennial.lang.program import Program
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import minus, plus, product, quotient, squared, values
from perennial.synthesis.formulas.combinations import Problem

ROWS = 120
SCALES = (1.0, 2.5, 6.0)  # length scales, in standard deviations, times the root of the number of variables
NUGGET = 1e-8
EXPONENTS = (-2, -1, -0.5, 0.5, 1, 2)
ALMOST_ALL = 1e6  # prior variance of what is linear
ALLOWED = 1.02  # a simpler description may be this much worse

PAIRS: tuple[tuple[Callable[[Program, Program], Program], Callable], ...] = (
    (minus, np.subtract),
    (product, np.multiply),
    (quotient, np.divide),
    (plus, np.add),
    (lambda a, b: plus(squared(a), squared(b)), lambda a, b: a * a + b * b),
    (lambda a, b: minus(squared(a), squared(b)), lambda a, b: a * a - b * b),
)


@dataclass(frozen=True)
class Description:
    """Formulas that the target depends on in some smooth way, and those that it only has as powers.

    Args:
        inner: formulas and their columns `(n,)`.
        powers: formulas and their columns; only their logarithm enters, linearly.
        factor: what the target is multiplied by before it is interpolated, `(n,)`; used where it changes its sign.
        error: what the interpolation misses, one row left out at a time.
        scale: the length scale at which it misses least.
    """

    inner: tuple[tuple[Program, np.ndarray], ...]
    powers: tuple[tuple[Program, np.ndarray], ...]
    factor: np.ndarray | float = 1.0
    error: float = np.inf
    scale: float = 1.0


def reductions(problem: Problem, budget: Budget) -> Iterator[tuple[Problem, list[int]]]:
    """Problems with fewer variables, each simpler than the one before: the problem, and the leaves to build on.

    The other leaves of a problem are factors that enter as powers.
    """
    target = problem.target[problem.rows]
    logarithmic = bool((target > 0).all() or (target < 0).all())
    wanted = np.log(np.abs(target)) if logarithmic else target
    start = tuple((leaf, column) for leaf, column in zip(problem.leaves, problem.part, strict=True))
    current = _judged(Description(start, ()), wanted, SCALES)
    while len(current.inner) > 1 and not budget.over:
        best = None
        for simpler in _simpler(current, logarithmic):
            if budget.over:
                break
            judged = _judged(simpler, wanted, (current.scale,))
            if best is None or judged.error < best.error:
                best = judged
        if best is None:
            return
        best = _judged(best, wanted, SCALES)
        if best.error > ALLOWED * current.error:
            return
        current = best
        yield _as_problem(problem, current)


def _as_problem(problem: Problem, found: Description) -> tuple[Problem, list[int]]:
    names = {leaf.name: column for leaf, column in zip(problem.leaves, problem.columns, strict=True)}
    leaves = [formula for formula, _ in (*found.inner, *found.powers)]
    columns = np.array([values(formula, names) for formula in leaves])
    return replace(problem, leaves=leaves, columns=columns), list(range(len(found.inner)))


def _simpler(found: Description, logarithmic: bool) -> Iterator[Description]:
    """Every description with one inner formula less."""
    for place, (formula, column) in enumerate(found.inner):
        rest = found.inner[:place] + found.inner[place + 1 :]
        if logarithmic and (np.abs(column) > 0).all():
            yield Description(rest, (*found.powers, (formula, column)))
            continue
        yield Description(rest, found.powers, found.factor)
        if not logarithmic and (np.abs(column) > 0).all():
            for exponent in EXPONENTS:
                factor = found.factor * np.abs(column) ** exponent
                yield Description(rest, (*found.powers, (formula, column)), factor)
    for (i, (one, first)), (j, (other, second)) in combinations(enumerate(found.inner), 2):
        rest = tuple(item for place, item in enumerate(found.inner) if place not in (i, j))
        for write, compute in PAIRS:
            with np.errstate(all="ignore"):
                joined = compute(first, second)
            if np.isfinite(joined).all() and np.ptp(joined) > 0:
                yield Description(((write(one, other), joined), *rest), found.powers, found.factor)


def _judged(found: Description, values: np.ndarray, scales: Sequence[float]) -> Description:
    """The description with its error: the least over some length scales."""
    rows = min(ROWS, len(values))
    values = (values * found.factor)[:rows]
    spread = float(values.std()) or 1.0
    values = (values - values.mean()) / spread
    logarithms = (
        [np.log(np.abs(column[:rows])) for _, column in found.powers] if np.ndim(found.factor) == 0 else []
    )
    linear = np.array([np.ones(rows), *(column - column.mean() for column in logarithms)])
    always = ALMOST_ALL * (linear.T @ linear)
    if not found.inner:
        return replace(found, error=_left_out(always, values))
    distances = np.zeros((rows, rows))
    for _, column in found.inner:
        point = column[:rows] / (column[:rows].std() or 1.0)
        distances += (point[:, None] - point[None, :]) ** 2
    errors = {}
    for scale in scales:
        smooth = np.exp(-0.5 * distances / (scale**2 * len(found.inner)))
        errors[scale] = _left_out(always + 100.0 * smooth, values)
    best = min(errors, key=errors.get)
    return replace(found, error=errors[best], scale=best)


def _left_out(covariance: np.ndarray, values: np.ndarray) -> float:
    """The mean squared error of predicting each row from all others (Rasmussen and Williams, equation 5.12)."""
    try:
        inverse = np.linalg.inv(covariance + 100.0 * NUGGET * np.eye(len(values)))
    except np.linalg.LinAlgError:
        return np.inf
    with np.errstate(all="ignore"):
        errors = (inverse @ values) / np.diag(inverse)
        return float(np.mean(errors**2)) if np.isfinite(errors).all() else np.inf
