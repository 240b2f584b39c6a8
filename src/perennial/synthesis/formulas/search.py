"""The search for a formula: quick exact methods first, then wider ones, evolution for the rest of the time.

Every method offers what it finds to one Pareto front, so there is an answer at any time, and all stop when a
formula is right to the last digits (or to the tolerance that was asked for).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from perennial.errors import DataError
from perennial.lang.program import Var
from perennial.primitives import reals
from perennial.synthesis.formulas import combinations, polynomials, scan, structure
from perennial.synthesis.formulas.algebra import number
from perennial.synthesis.formulas.bank import ARITHMETIC, STANDARD, Bank
from perennial.synthesis.formulas.combinations import Problem
from perennial.synthesis.formulas.evolution import Evolution
from perennial.synthesis.formulas.front import Front

SEARCH_ROWS = 80
SEEDS = 8
MOST_ROWS = 2_000


def discover(
    x: np.ndarray,
    y: np.ndarray,
    *,
    seconds: float,
    seed: int = 0,
    tolerance: float = 0.0,
    listener: Callable | None = None,
) -> Front:
    """The Pareto front of formulas for `y` over the columns of `x`, whose variables are called `x0, x1 …`.

    Args:
        x: `(n, d)`, finite numbers.
        y: `(n,)`, finite numbers.
        seconds: when to stop at the latest; it stops at once when a formula is exact.
        seed: of every random decision.
        tolerance: root mean squared error in the unit of `y` that counts as right; 0 asks for the last digit.
        listener: hears of every formula that enters the front.

    Raises:
        DataError: when there is nothing to learn from.
    """
    x, y = _checked(x, y)
    deadline = time.monotonic() + 0.97 * seconds  # the rest is for the last polish
    names = [f"x{place}" for place in range(x.shape[1])]
    generator = np.random.default_rng(seed)
    if len(y) > MOST_ROWS:
        some = generator.permutation(len(y))[:MOST_ROWS]
        x, y = x[some], y[some]
    columns = dict(zip(names, x.T, strict=True))
    front = Front(columns, y, tolerance=tolerance, listener=listener)
    front.offer(number(float(y.mean())))
    order = generator.permutation(len(y))
    order = order[np.argsort((x[order] == 0).any(axis=1), kind="stable")]  # nothing can be divided by 0
    rows = order[: min(SEARCH_ROWS, max(len(y) // 2, int((x != 0).all(axis=1).sum())))]
    problem = Problem([Var(name) for name in names], x.T.copy(), y, lambda program: program, rows)
    for stage in STAGES:
        if front.solved or time.monotonic() > deadline:
            break
        stage(problem, front, deadline, generator)
    front.polish(deadline)
    return front


def _exact_polynomials(problem: Problem, front: Front, deadline: float, generator) -> None:
    polynomials.approximations(problem, front)
    polynomials.search(problem, front, degrees=range(1, 7), deadline=_within(deadline, 0.05))


def _long_polynomials(problem: Problem, front: Front, deadline: float, generator) -> None:
    """Late, since a long polynomial comes close to every smooth function."""
    polynomials.search(problem, front, degrees=range(7, 13), deadline=_within(deadline, 0.05))


def _small_bank(problem: Problem, front: Front, deadline: float, generator) -> None:
    bank = Bank(problem.leaves, problem.part, alphabet=STANDARD, limit=4_000, deadline=deadline)
    combinations.search(problem, bank, front, paired=800, deadline=_within(deadline, 0.2))


def _numbers_inside(problem: Problem, front: Front, deadline: float, generator) -> None:
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=40)
    scan.search(problem, bank, front, inner=40, partners=20, deadline=_within(deadline, 0.2))


def _arithmetic_bank(problem: Problem, front: Front, deadline: float, generator) -> None:
    """Arithmetic goes deep, and one function around each formula."""
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=15_000, deadline=deadline)
    bank.wrapped(FUNCTIONS, limit=60_000)
    combinations.search(problem, bank, front, paired=200, deadline=_within(deadline, 0.35), keep=1)


def _large_bank(problem: Problem, front: Front, deadline: float, generator) -> None:
    bank = Bank(
        problem.leaves, problem.part, alphabet=STANDARD, limit=120_000, deadline=_within(deadline, 0.3)
    )
    combinations.search(problem, bank, front, paired=120, deadline=_within(deadline, 0.5), keep=1)


def _fewer_variables(problem: Problem, front: Front, deadline: float, generator) -> None:
    """The same methods on a problem whose symmetries are used up."""
    if len(problem.leaves) < 3:
        return
    until = _within(deadline, 0.5)
    for reduced, inner in reversed(list(structure.reductions(problem, _within(until, 0.5)))):
        if front.solved or time.monotonic() > until:
            return
        bank = Bank([reduced.leaves[i] for i in inner], reduced.part[inner], limit=8_000, deadline=until)
        if bank.size:
            combinations.search(reduced, bank, front, paired=300, deadline=until, keep=1)
            _over_terms(reduced, bank, front, _within(until, 0.5))


def _seeded_banks(problem: Problem, front: Front, deadline: float, generator) -> None:
    until = _within(deadline, 0.4)
    bank = Bank(problem.leaves, problem.part, limit=8_000, deadline=until)
    _over_terms(problem, bank, front, until)


def _over_terms(problem: Problem, bank: Bank, front: Front, until: float) -> None:
    """Terms that explain much alone become leaves, and arithmetic grows over them."""
    for seed, column in combinations.telling_terms(problem, bank, front, SEEDS):
        if front.solved or time.monotonic() > until:
            return
        leaves, columns = [*problem.leaves, seed], np.vstack([problem.columns, column])
        grown = replace(problem, leaves=leaves, columns=columns)
        over = Bank(leaves, grown.part, alphabet=ARITHMETIC, limit=8_000, deadline=until)
        combinations.search(grown, over, front, paired=200, deadline=_within(until, 0.3), keep=0)


def _evolution(problem: Problem, front: Front, deadline: float, generator) -> None:
    bank = Bank(
        problem.leaves, problem.part, alphabet=STANDARD, limit=10_000, deadline=_within(deadline, 0.5)
    )
    Evolution(problem, bank, front, int(generator.integers(2**31))).run(deadline)


def _within(deadline: float, share: float) -> float:
    """The time when a share of what is left is over."""
    now = time.monotonic()
    return now + share * max(0.0, deadline - now)


FUNCTIONS = (reals.sin, reals.cos, reals.exp, reals.log, reals.sqrt, reals.tanh)
STAGES = (
    _exact_polynomials,
    _small_bank,
    _long_polynomials,
    _numbers_inside,
    _fewer_variables,
    _arithmetic_bank,
    _seeded_banks,
    _large_bank,
    _evolution,
)


def _checked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 2 or y.shape != (len(x),) or not len(y):
        raise DataError(
            f"A formula needs columns (n, d) and a target (n,), received {x.shape} and {y.shape}."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError(
            "A formula needs finite numbers in every cell.", todo="Leave out rows with missing cells."
        )
    return x, y
