"""Terms with one unknown number inside, such as `sin(2.7·f)` or `1/(f + 0.3)`: the number is scanned on a grid.

Everything outside is linear, so it is solved for at each point of the grid (variable projection; Golub and Pereyra
1973); the best points are finished by Levenberg–Marquardt on the whole formula.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product as product_of

import numpy as np

from perennial.lang.program import Program, call
from perennial.primitives import reals
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import plus, product, quotient, raised, weighted_sum
from perennial.synthesis.formulas.bank import LARGEST_VALUE, Bank
from perennial.synthesis.formulas.combinations import UNDONE, Problem, Undone
from perennial.synthesis.formulas.front import Front
from perennial.synthesis.formulas.simplification import simplified

WAVES = 48  # frequencies of a wave, up to about a dozen periods over the range
STEPS = 14  # points of the other grids
MONOMIALS = 120
WORTH = 0.5  # unexplained share above which a term is not worth finishing


@dataclass(frozen=True)
class Term:
    """A family of columns `(grid, rows)`, one or two (sine and cosine) for each number of the grid."""

    write: Callable[[float, np.ndarray], Program]
    grid: np.ndarray
    first: np.ndarray
    second: np.ndarray | None = None


def search(
    problem: Problem, bank: Bank, front: Front, *, inner: int, partners: int, budget: Budget, keep: int = 4
) -> None:
    """Fit one term with a number inside, alone, beside one known term, and as a factor.

    Args:
        problem: what is asked.
        bank: where inner formulas and partners come from.
        front: receives what fits.
        inner: how many formulas are tried inside.
        partners: how many known terms are tried beside it.
        budget: for all of it.
        keep: how many of the best fits are finished for each question.
    """
    inside = [(bank.table[place], bank.program(place)) for place in range(min(inner, bank.size))]
    inside += list(_monomials(problem))
    terms = [_finite(term) for column, formula in inside for term in _terms(column, formula)]
    ones = np.ones(len(problem.rows))
    questions = [
        ([ones], None),
        *(([ones, bank.table[place]], place) for place in range(min(partners, bank.size))),
    ]
    for base, partner in questions:
        if budget.over:
            return
        basis = np.linalg.qr(np.array(base).T)[0].T
        table = [_unit_rest(term, basis) for term in terms]
        for undone, multiplier, written in _targets(problem):
            if budget.over or front.solved:
                return
            with np.errstate(all="ignore"):
                target = undone.forward(problem.target[problem.rows]) * multiplier
            if not np.isfinite(target).all() or np.ptp(target) == 0:
                continue
            rest = target - (target @ basis.T) @ basis
            norm = np.linalg.norm(rest)
            if norm < 1e-12 * np.linalg.norm(target):
                continue
            best = sorted(_best_of_each(table, rest / norm))[:keep]
            for left, at, number in best:
                if left < WORTH:
                    _finish(problem, bank, front, undone, target, written, terms[at], number, base, partner)


def _targets(problem: Problem):
    ones = np.ones(len(problem.rows))
    for undone in UNDONE:
        if undone.name in ("y", "1/y", "y²", "log y"):
            yield undone, ones, 1.0
    with np.errstate(all="ignore"):
        for leaf, column in zip(problem.leaves, problem.part, strict=True):
            yield UNDONE[0], 1 / column, quotient(1, leaf)
            yield UNDONE[0], column, leaf


def _monomials(problem: Problem):
    """Products of powers of the leaves, of low degree."""
    variables = len(problem.leaves)
    found = []
    for powers in product_of(range(-2, 3), repeat=variables) if variables <= 6 else ():
        degree = sum(map(abs, powers))
        if 2 <= degree <= 4:
            found.append((degree, powers))
    for _, powers in sorted(found, key=lambda item: item[0])[:MONOMIALS]:
        with np.errstate(all="ignore"):
            column = np.prod(
                [leaf ** float(power) for leaf, power in zip(problem.part, powers, strict=True)], axis=0
            )
        if np.isfinite(column).all() and np.ptp(column) > 0:
            formula: Program | float = 1.0
            for leaf, power in zip(problem.leaves, powers, strict=True):
                formula = product(formula, raised(leaf, power)) if power else formula
            yield column, simplified(formula)


def _terms(column: np.ndarray, formula: Program):
    """Every family around one inner formula."""
    low, high = float(column.min()), float(column.max())
    width = high - low

    def wave(number: float, weights: np.ndarray) -> Program:
        angle = product(number, formula)
        return weighted_sum(weights, [call(reals.sin, angle), call(reals.cos, angle)])

    with np.errstate(all="ignore"):
        speeds = np.arange(1, WAVES + 1) * 1.6 / width
        angles = speeds[:, None] * column
        yield Term(wave, speeds, np.sin(angles), np.cos(angles))
        rates = np.concatenate([-np.geomspace(0.2, 12, STEPS)[::-1], np.geomspace(0.2, 12, STEPS)]) / width
        grown = np.exp(rates[:, None] * (column - (low + high) / 2))
        yield Term(lambda c, w: product(float(w[0]), call(reals.exp, product(c, formula))), rates, grown)
        distances = width * np.geomspace(0.02, 20, STEPS)
        shifts = np.concatenate([distances - low, -high - distances])
        moved = column + shifts[:, None]
        yield Term(lambda c, w: quotient(float(w[0]), plus(formula, c)), shifts, 1 / moved)
        yield Term(
            lambda c, w: product(float(w[0]), call(reals.log, call(reals.magnitude, plus(formula, c)))),
            shifts,
            np.log(np.abs(moved)),
        )
        above = shifts[:STEPS]
        yield Term(
            lambda c, w: product(float(w[0]), raised(plus(formula, c), 0.5)), above, np.sqrt(moved[:STEPS])
        )
        inside = np.linspace(low, high, STEPS + 2)[1:-1]
        yield Term(
            lambda c, w: product(float(w[0]), call(reals.magnitude, plus(formula, -c))),
            inside,
            np.abs(column - inside[:, None]),
        )
        steep = (rates[:, None, None] * (column - inside[::4, None])).reshape(-1, len(column))
        pairs = [(rate, middle) for rate in rates for middle in inside[::4]]
        numbers = np.arange(len(pairs))
        yield Term(
            lambda k, w: product(
                float(w[0]), call(reals.tanh, product(pairs[int(k)][0], plus(formula, -pairs[int(k)][1])))
            ),
            numbers,
            np.tanh(steep),
        )
        if low > 0:
            powers = np.array([-3.5, -2.5, -1.5, -0.75, -0.35, 0.3, 0.65, 0.8, 1.25, 1.5, 1.8, 2.5, 3.5, 4.5])
            yield Term(
                lambda c, w: product(float(w[0]), call(reals.power, formula, float(c))),
                powers,
                (column / high) ** powers[:, None],
            )


def _finite(term: Term) -> Term:
    """The term with zeros for columns that overflow."""
    good = np.abs(term.first).max(axis=1) < LARGEST_VALUE
    return term if good.all() else replace(term, first=np.where(good[:, None], term.first, 0.0))


def _unit_rest(term: Term, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The columns of a term without what the base explains, as orthonormal pairs."""
    first = _normed(_without(term.first, basis), term.first)
    if term.second is None:
        return first, None
    second = _without(term.second, basis)
    second -= np.sum(second * first, axis=1, keepdims=True) * first
    return first, _normed(second, term.second)


def _without(columns: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return columns - (columns @ basis.T) @ basis


def _normed(rest: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(rest, axis=1, keepdims=True)
        good = (norms > 1e-9 * np.linalg.norm(whole, axis=1, keepdims=True)) & np.isfinite(norms)
        return np.where(good, rest / np.where(good, norms, 1.0), 0.0)


def _best_of_each(table: list, target: np.ndarray):
    """For every term the two best points of its grid: `(unexplained share, term, point)`."""
    for at, (first, second) in enumerate(table):
        explained = (first @ target) ** 2
        if second is not None:
            explained += (second @ target) ** 2
        best = int(np.argmax(explained))
        yield 1.0 - float(explained[best]), at, best


def _finish(
    problem: Problem,
    bank: Bank,
    front: Front,
    undone: Undone,
    target,
    written,
    term: Term,
    point: int,
    base,
    partner,
) -> None:
    columns = [term.first[point]] if term.second is None else [term.first[point], term.second[point]]
    matrix = np.array([*columns, *base]).T
    weights = np.linalg.lstsq(matrix, target, rcond=None)[0]
    formula = term.write(float(term.grid[point]), weights[: len(columns)])
    formula = plus(formula, float(weights[len(columns)]))
    if partner is not None:
        formula = plus(formula, product(float(weights[-1]), bank.program(partner)))
    for program in undone.back(quotient(formula, written)):
        front.refine(problem.wrap(program))
