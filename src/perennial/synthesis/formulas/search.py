"""The search for a formula: quick exact methods first, then wider ones, evolution for the rest of the time.

Every method offers what it finds to one Pareto front, so there is an answer at any time, and all stop when a
formula is right to the last digits (or to the tolerance that was asked for).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perennial.errors import DataError
from perennial.lang.program import Var
from perennial.primitives import reals
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas import combinations, few, polynomials, scan, structure
from perennial.synthesis.formulas.algebra import number
from perennial.synthesis.formulas.bank import ARITHMETIC, STANDARD, Bank
from perennial.synthesis.formulas.combinations import Problem
from perennial.synthesis.formulas.evolution import Evolution
from perennial.synthesis.formulas.front import Front

SEARCH_ROWS = 80
SEEDS = 8
MOST_ROWS = 2_000
SHARE_OF_SEARCH = 0.97  # the rest is for the last polish


class Discovery:
    """A search for a formula for `y` over the columns of `x`, whose variables are called `x0, x1 …`.

    Its Pareto front can be looked at whenever the search was ended.

    Args:
        x: `(n, d)`, finite numbers.
        y: `(n,)`, finite numbers.
        seed: of every random decision.
        tolerance: root mean squared error in the unit of `y` that counts as right; 0 asks for the last digit.

    Raises:
        DataError: when there is nothing to learn from.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        seed: int = 0,
        tolerance: float = 0.0,
    ) -> None:
        x, y = _checked(x, y)
        names = [f"x{place}" for place in range(x.shape[1])]
        self._generator = generator = np.random.default_rng(seed)
        if len(y) > MOST_ROWS:
            some = generator.permutation(len(y))[:MOST_ROWS]
            x, y = x[some], y[some]
        self.front = Front(dict(zip(names, x.T, strict=True)), y, tolerance=tolerance)
        self.front.offer(number(float(y.mean())))
        order = generator.permutation(len(y))
        order = order[np.argsort((x[order] == 0).any(axis=1), kind="stable")]  # nothing can be divided by 0
        rows = order[: min(SEARCH_ROWS, max(len(y) // 2, int((x != 0).all(axis=1).sum())))]
        self._problem = Problem([Var(name) for name in names], x.T.copy(), y, lambda program: program, rows)

    def run(self, budget: Budget) -> Front:
        """Searches within a budget; stops at once when a formula is exact."""
        budget = budget.share(SHARE_OF_SEARCH)
        for stage in STAGES:
            if self.front.solved or budget.over:
                break
            stage(self._problem, self.front, budget, self._generator)
        self.front.polish(budget)
        return self.front


def _few_rows(problem: Problem, front: Front, budget: Budget, generator) -> None:
    for limit in (2_000, 30_000):
        if len(problem.target) <= few.MOST_ROWS and not front.solved:
            bank = Bank(problem.leaves, problem.columns, limit=limit, budget=budget.share(0.1))
            few.search(problem, bank, front)


def _exact_polynomials(problem: Problem, front: Front, budget: Budget, generator) -> None:
    polynomials.approximations(problem, front)
    polynomials.search(problem, front, degrees=range(1, 7), budget=budget.share(0.05))


def _long_polynomials(problem: Problem, front: Front, budget: Budget, generator) -> None:
    """Late, since a long polynomial comes close to every smooth function."""
    polynomials.search(problem, front, degrees=range(7, 13), budget=budget.share(0.05))


def _small_bank(problem: Problem, front: Front, budget: Budget, generator) -> None:
    bank = Bank(problem.leaves, problem.part, alphabet=STANDARD, limit=4_000, budget=budget)
    combinations.search(problem, bank, front, paired=800, budget=budget.share(0.2))


def _numbers_inside(problem: Problem, front: Front, budget: Budget, generator) -> None:
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=40)
    scan.search(problem, bank, front, inner=40, partners=20, budget=budget.share(0.2))


def _arithmetic_bank(problem: Problem, front: Front, budget: Budget, generator) -> None:
    """Arithmetic goes deep, and one function around each formula."""
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=15_000, budget=budget)
    bank.wrapped(FUNCTIONS, limit=60_000)
    combinations.search(problem, bank, front, paired=200, budget=budget.share(0.35), keep=1)


def _large_bank(problem: Problem, front: Front, budget: Budget, generator) -> None:
    bank = Bank(problem.leaves, problem.part, alphabet=STANDARD, limit=120_000, budget=budget.share(0.3))
    combinations.search(problem, bank, front, paired=120, budget=budget.share(0.5), keep=1)


def _fewer_variables(problem: Problem, front: Front, budget: Budget, generator) -> None:
    """The same methods on a problem whose symmetries are used up."""
    if len(problem.leaves) < 3:
        return
    until = budget.share(0.5)
    for reduced, inner in reversed(list(structure.reductions(problem, until.share(0.5)))):
        if front.solved or until.over:
            return
        bank = Bank([reduced.leaves[i] for i in inner], reduced.part[inner], limit=8_000, budget=until)
        if bank.size:
            combinations.search(reduced, bank, front, paired=300, budget=until, keep=1)
            _over_terms(reduced, bank, front, until.share(0.5))


def _seeded_banks(problem: Problem, front: Front, budget: Budget, generator) -> None:
    until = budget.share(0.4)
    bank = Bank(problem.leaves, problem.part, limit=8_000, budget=until)
    _over_terms(problem, bank, front, until)


def _over_terms(problem: Problem, bank: Bank, front: Front, until: float) -> None:
    """Terms that explain much alone become leaves, and arithmetic grows over them."""
    for seed, column in combinations.telling_terms(problem, bank, front, SEEDS):
        if front.solved or until.over:
            return
        leaves, columns = [*problem.leaves, seed], np.vstack([problem.columns, column])
        grown = replace(problem, leaves=leaves, columns=columns)
        over = Bank(leaves, grown.part, alphabet=ARITHMETIC, limit=8_000, budget=until)
        combinations.search(grown, over, front, paired=200, budget=until.share(0.3), keep=0)


def _evolution(problem: Problem, front: Front, budget: Budget, generator) -> None:
    bank = Bank(problem.leaves, problem.part, alphabet=STANDARD, limit=10_000, budget=budget.share(0.5))
    Evolution(problem, bank, front, int(generator.integers(2**31))).run(budget)


FUNCTIONS = (reals.sin, reals.cos, reals.exp, reals.log, reals.sqrt, reals.tanh)
STAGES = (
    _few_rows,
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
