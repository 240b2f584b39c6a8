"""Polynomials, and quotients of polynomials, that fit exactly: linear algebra finds them without search.

A polynomial is a least squares problem over its monomials. A quotient p/q solves `p(x) - y·q(x) = 0`, which is
linear as well: the coefficients are the direction in which the matrix of all terms vanishes (total least squares;
Golub and Van Loan 1980). Degrees grow until something fits; terms that are not needed are dropped one by one.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from perennial.lang.program import Program
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import product, quotient, raised, weighted_sum
from perennial.synthesis.formulas.combinations import UNDONE, Problem
from perennial.synthesis.formulas.front import Front

MOST_TERMS = 300
VANISHES = 1e-12  # relative to the target; a Taylor series of a smooth function comes to about 1e-11
ROWS_PER_TERM = 1.3


def search(problem: Problem, front: Front, *, degrees: range, budget: Budget) -> None:
    """Offer every polynomial and quotient of polynomials that fits a function of the target exactly."""
    wanted = ("y", "y²", "log y", "exp y", "1/y²", "sin y", "cos y")
    targets = [
        (undone, target) for undone in UNDONE if undone.name in wanted for target in [_values(undone, problem)] if target is not None
    ]  # fmt: skip
    for degree in degrees:
        exponents = monomials(len(problem.leaves), degree)
        if len(exponents) > min(MOST_TERMS, len(problem.target) / ROWS_PER_TERM):
            return
        table = _table(problem.columns, exponents)
        for undone, target in targets:
            for divided in (False, True):
                if budget.over or front.solved:
                    return
                solve = _quotient if divided else _polynomial
                inner = solve(problem, table, exponents, target)
                if inner is not None:
                    for program in undone.back(inner):
                        front.refine(problem.wrap(program))


def approximations(problem: Problem, front: Front) -> None:
    """Offer sparse polynomials of low degree that fit less than exactly, for the front."""
    for degree in (1, 2, 3):
        exponents = monomials(len(problem.leaves), degree)
        if len(exponents) > min(40, len(problem.target) / 3):
            return
        table = _table(problem.columns, exponents)
        for kept in _backward(table, problem.target):
            weights = np.linalg.lstsq(table[kept].T, problem.target, rcond=None)[0]
            front.offer(problem.wrap(_sum(problem.leaves, [exponents[i] for i in kept], weights)))


def monomials(variables: int, degree: int) -> list[tuple[int, ...]]:
    """The exponents of all monomials up to a degree, lowest first.

    >>> monomials(2, 1)
    [(0, 0), (1, 0), (0, 1)]
    """
    found = []
    for total in range(degree + 1):
        for chosen in combinations_with_replacement(range(variables), total):
            found.append(tuple(chosen.count(variable) for variable in range(variables)))
    return found


def _values(undone, problem: Problem) -> np.ndarray | None:
    with np.errstate(all="ignore"):
        target = undone.forward(problem.target)
    return target if np.isfinite(target).all() and np.ptp(target) > 0 else None


def _table(columns: np.ndarray, exponents: list[tuple[int, ...]]) -> np.ndarray:
    powers = np.array(exponents)
    table = np.ones((len(exponents), columns.shape[1]))
    for variable, column in enumerate(columns):
        for power in range(1, powers[:, variable].max(initial=0) + 1):
            table[powers[:, variable] >= power] *= column
    return table


def _polynomial(problem: Problem, table, exponents, target) -> Program | None:
    scale = np.linalg.norm(table, axis=1)
    weights, _, rank, _ = np.linalg.lstsq((table / scale[:, None]).T, target, rcond=1e-13)
    left = np.linalg.norm(target - weights @ (table / scale[:, None]))
    if rank < len(table) or left > VANISHES * np.linalg.norm(target - target.mean()):
        return None
    kept = _needed(weights, (table / scale[:, None]), target)
    weights = np.linalg.lstsq(table[kept].T, target, rcond=None)[0]
    return _sum(problem.leaves, [exponents[i] for i in kept], weights)


def _needed(weights: np.ndarray, table: np.ndarray, target: np.ndarray) -> list[int]:
    """The terms whose weights are more than rounding, smallest dropped first while the fit holds."""
    kept = list(range(len(weights)))
    for place in np.argsort(np.abs(weights)):
        trial = [other for other in kept if other != place]
        if not trial:
            break
        fitted = np.linalg.lstsq(table[trial].T, target, rcond=None)[0]
        if np.linalg.norm(target - fitted @ table[trial]) > VANISHES * np.linalg.norm(target):
            break
        kept = trial
    return kept


def _quotient(problem: Problem, table, exponents, target) -> Program | None:
    if 2 * len(table) > len(target) / ROWS_PER_TERM:
        return None
    both = np.concatenate([table, -table * target])
    scale = np.linalg.norm(both, axis=1)
    both = both / scale[:, None]
    sizes, directions = _vanishing(both)
    if sizes[0] > VANISHES or sizes[1] < 1e3 * max(sizes[0], 1e-15):
        return None
    weights = directions[:, 0] / scale
    weights[np.abs(directions[:, 0]) < 1e-7 * np.abs(directions[:, 0]).max()] = 0.0
    over, under = weights[: len(table)], weights[len(table) :]
    if not over.any() or not under.any():
        return None
    unit = under[np.flatnonzero(under)[0]]
    return quotient(
        _sum(problem.leaves, exponents, over / unit), _sum(problem.leaves, exponents, under / unit)
    )


def _vanishing(both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two smallest singular values relative to the largest, and their directions as columns."""
    _, sizes, right = np.linalg.svd(both.T, full_matrices=False)
    order = np.argsort(sizes)[:2]
    return sizes[order] / sizes.max(), right[order].T


def _backward(table: np.ndarray, target: np.ndarray):
    """Sets of terms, each one smaller than the last by the term that is missed least."""
    scaled = table / np.linalg.norm(table, axis=1, keepdims=True)
    kept = list(range(len(table)))
    while kept:
        yield list(kept)
        losses = []
        for place in kept:
            trial = [other for other in kept if other != place]
            if trial:
                weights = np.linalg.lstsq(scaled[trial].T, target, rcond=None)[0]
                losses.append((float(np.sum((target - weights @ scaled[trial]) ** 2)), place))
        if not losses:
            return
        kept.remove(min(losses)[1])


def _sum(leaves: list[Program], exponents: list[tuple[int, ...]], weights: np.ndarray) -> Program:
    terms = []
    for powers in exponents:
        term: Program | float = 1.0
        for leaf, power in zip(leaves, powers, strict=True):
            if power:
                term = product(term, raised(leaf, power))
        terms.append(product(1.0, term))
    return weighted_sum(weights, terms)
