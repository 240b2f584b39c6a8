"""Formulas that become a sum, or a product of powers, of a few known terms once the right function is undone.

A target `y` may be the root, the inverse, the exponential … of a simple combination. So every such function is undone
on the data, and what is left is looked up among all formulas of a bank:

    sums        h(y)·m = a·f + b·g + c              f, g from the bank, m a monomial
    products    |h(y)| = c·x₁ᵖ·x₂ᵠ·…·fʳ·gˢ          every variable has a power, f and g come from the bank
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, zip_longest

import numpy as np

from perennial.lang.program import Program, call
from perennial.primitives import reals
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import product, quotient, raised, values, weighted_sum
from perennial.synthesis.formulas.arena import Arena
from perennial.synthesis.formulas.bank import Bank
from perennial.synthesis.formulas.front import Front

HIT = 1e-9  # unexplained share on few rows that is worth a look on all


@dataclass(frozen=True)
class Undone:
    """A function of the target, and how to get the target back.

    Args:
        name: for people.
        forward: `(n,)` → `(n,)`; rows without a value are NaN.
        back: the formulas of the target, given that of the undone one.
    """

    name: str
    forward: Callable[[np.ndarray], np.ndarray]
    back: Callable[[Program], tuple[Program, ...]]


def _signed(root: Callable[[Program], Program]) -> Callable[[Program], tuple[Program, ...]]:
    return lambda inner: (root(inner), product(-1, root(inner)))


UNDONE = (
    Undone("y", lambda y: y, lambda f: (f,)),
    Undone("1/y", lambda y: 1 / y, lambda f: (quotient(1, f),)),
    Undone("y²", np.square, _signed(lambda f: raised(f, 0.5))),
    Undone("log y", lambda y: np.log(np.abs(y)), _signed(lambda f: call(reals.exp, f))),
    Undone("1/y²", lambda y: y**-2.0, _signed(lambda f: raised(f, -0.5))),
    Undone("√y", np.sqrt, lambda f: (raised(f, 2),)),
    Undone("exp y", np.exp, lambda f: (call(reals.log, f),)),
    Undone("sin y", lambda y: np.where(np.abs(y) <= math.pi / 2, np.sin(y), np.nan), lambda f: (call(reals.arcsin, f),)),
    Undone("cos y", lambda y: np.where((y >= 0) & (y <= math.pi), np.cos(y), np.nan), lambda f: (call(reals.arccos, f),)),
    Undone("tan y", lambda y: np.where(np.abs(y) < math.pi / 2, np.tan(y), np.nan), lambda f: (call(reals.arctan, f),)),
    Undone("artanh y", lambda y: np.arctanh(y), lambda f: (call(reals.tanh, f),)),
    Undone("arcsin y", np.arcsin, lambda f: (call(reals.sin, f),)),
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Formulas to build on and a target, with the rows that the bank sees.

    Args:
        leaves: formulas over the front's columns.
        columns: their values on all rows, `(leaves, n)`.
        target: `(n,)`.
        wrap: formula of the target → formula of the front's target.
        rows: places of the rows that are searched with; all rows judge.
    """

    leaves: list[Program]
    columns: np.ndarray
    target: np.ndarray
    wrap: Callable[[Program], Program]
    rows: np.ndarray

    @property
    def part(self) -> np.ndarray:
        """The columns on the rows of the search."""
        return self.columns[:, self.rows]


def search(problem: Problem, bank: Bank, front: Front, *, paired: int, budget: Budget, keep: int = 3) -> None:
    """Try all sums and products over a bank; what fits is refined into the front.

    Args:
        problem: what is asked.
        bank: over `problem.part`.
        front: receives every good formula.
        paired: how many of the simplest formulas are partners in pairs.
        budget: for all of it.
        keep: how many of the best are refined even when they do not fit.
    """
    ones, *others = _monomials(problem)
    attempts = [lambda: _sums(problem, bank, front, [], [ones], paired, budget, keep)]
    attempts += [lambda: _products(problem, bank, front, paired, budget, keep)]
    attempts += [lambda: _sums(problem, bank, front, problem.leaves, [ones], paired, budget, keep)]
    attempts += [lambda: _sums(problem, bank, front, [], others, paired, budget, keep)]
    for attempt in attempts:
        attempt()
        if front.solved or budget.over:
            return


def telling_terms(
    problem: Problem, bank: Bank, front: Front, count: int
) -> Iterator[tuple[Program, np.ndarray]]:
    """Formulas of the bank that explain most of the target alone, as a term or as a factor, with their columns."""
    rows = len(problem.rows)
    leaves = [leaf for leaf in problem.part if (np.abs(leaf) > 0).all()]
    target = problem.target[problem.rows]
    with np.errstate(all="ignore"):
        tables = [(bank.table, target, np.vstack([np.ones((1, rows)), problem.part]))]
        if (target != 0).all():
            base = np.vstack([np.ones((1, rows)), *(np.log(np.abs(leaf)) for leaf in leaves)])
            tables.append((np.log(np.abs(bank.table)), np.log(np.abs(target)), base))
    found: list[list[int]] = []
    for table, aim, base in tables:
        arena = Arena(table, base, 200)
        unit, share = arena.rest(aim)
        if share < 1e-12:
            continue
        best = arena.singles(unit, 4 * count) + arena.pairs(unit, count)
        found.append(list(dict.fromkeys(place for _, places in sorted(best) for place in places)))
    places = list(
        dict.fromkeys(place for together in zip_longest(*found) for place in together if place is not None)
    )
    kept: list[np.ndarray] = []
    for place in places:
        column = bank.table[place] - bank.table[place].mean()
        column = column / np.linalg.norm(column)
        if (
            bank.costs[place] > 1
            and all(abs(column @ other) < 0.9999 for other in kept)
            and len(kept) < count
        ):
            kept.append(column)
            program = bank.program(place)
            yield program, values(program, front.columns)


def _undone(problem: Problem) -> Iterator[tuple[Undone, np.ndarray]]:
    """Every function of the target that has a value on the rows of the search and tells something new."""
    for undone in UNDONE:
        with np.errstate(all="ignore"):
            target = undone.forward(problem.target[problem.rows])
        if np.isfinite(target).all() and np.ptp(target) > 1e-9 * np.abs(target).max():
            yield undone, target


# -- sums --------------------------------------------------------------------------------------------------------------


def _sums(
    problem: Problem, bank: Bank, front: Front, beside: list[Program], multipliers, paired, budget, keep
) -> None:
    """Sums of one or two formulas of the bank, and of the formulas `beside`, which cost nothing to try."""
    known = [values(formula, front.columns)[problem.rows] for formula in beside]
    base = np.array([np.ones(len(problem.rows)), *known])
    arena = Arena(bank.table, base, paired)
    for multiplier, factor in multipliers:
        for undone, target in _undone(problem):
            if budget.over or front.solved:
                return
            with np.errstate(all="ignore"):
                target = target * multiplier[problem.rows]
                unit, share = arena.rest(target)
            if share < 1e-12 or not np.isfinite(unit).all():
                continue
            found = arena.singles(unit, keep or 1) + arena.pairs(unit, keep or 1)
            for rank, (left, places) in enumerate(sorted(found)):
                if left < HIT or (keep and _promising(front, undone, factor, rank, left)):
                    terms = [bank.program(place) for place in places] + beside
                    columns = np.concatenate([bank.table[list(places)], base[1:], base[:1]])
                    _take_sum(problem, front, undone, factor, target, terms, columns)


def _promising(front: Front, undone: Undone, factor: Program | float, rank: int, left: float) -> bool:
    """Whether a candidate that does not fit exactly is worth a look: the target may be noisy."""
    if undone.name == "y" and factor == 1.0:
        return True
    return rank == 0 and left < 2 * front.closest


def _take_sum(problem, front, undone, factor, target, terms, columns) -> None:
    scale = np.linalg.norm(columns, axis=1)
    weights = np.linalg.lstsq((columns / scale[:, None]).T, target, rcond=None)[0]
    weights[np.abs(weights) < 1e-8 * np.abs(weights).max()] = 0.0
    weights = weights / scale
    inner = quotient(weighted_sum(weights[:-1], terms, float(weights[-1])), factor)
    for program in undone.back(inner):
        front.refine(problem.wrap(program))


def _monomials(problem: Problem) -> Iterator[tuple[np.ndarray, Program | float]]:
    """What the target is multiplied by: 1, variables, their products, quotients and inverses."""
    yield np.ones(len(problem.target)), 1.0
    leaves = range(len(problem.leaves))
    with np.errstate(all="ignore"):
        for i in leaves:
            yield problem.columns[i], problem.leaves[i]
            yield 1 / problem.columns[i], quotient(1, problem.leaves[i])
        for i, j in combinations_with_replacement(leaves, 2):
            yield problem.columns[i] * problem.columns[j], product(problem.leaves[i], problem.leaves[j])
            if i != j:
                yield problem.columns[i] / problem.columns[j], quotient(problem.leaves[i], problem.leaves[j])
                yield problem.columns[j] / problem.columns[i], quotient(problem.leaves[j], problem.leaves[i])


# -- products ----------------------------------------------------------------------------------------------------------


def _products(problem: Problem, bank: Bank, front: Front, paired: int, budget: Budget, keep: int) -> None:
    """Products of powers: linear in logarithms, the logarithms of all variables are the base."""
    rows = len(problem.rows)
    powered = [i for i in range(len(problem.leaves)) if (np.abs(problem.part[i]) > 0).all()]
    if len(powered) + 4 > rows:
        return
    with np.errstate(all="ignore"):
        base = np.concatenate([np.ones((1, rows)), np.log(np.abs(problem.part[powered]))])
        base = base[np.isfinite(base).all(axis=1)]
        logarithms = np.log(np.abs(bank.table))
    arena = Arena(logarithms, base, paired)
    grown = Arena(bank.table, base, 0)
    for undone, target in _undone(problem):
        if budget.over or front.solved:
            return
        if undone.name in ("1/y", "y²", "1/y²", "√y") or (target == 0).any():
            continue
        unit, share = arena.rest(np.log(np.abs(target)))
        if share < 1e-10:
            _take_product(problem, bank, front, undone, powered, (), None)
            continue
        found = [(left, places, None) for left, places in arena.singles(unit, keep) + arena.pairs(unit, keep)]
        found += [(left, places, call) for left, places in grown.singles(unit, keep)]
        for rank, (left, places, exponential) in enumerate(sorted(found, key=lambda item: item[:2])):
            if left < HIT or (keep and (undone.name == "y" or rank == 0)):
                _take_product(problem, bank, front, undone, powered, places, exponential)


def _take_product(problem, bank, front, undone, powered, places, exponential) -> None:
    """Solve for the exponents; near whole, half and third ones are made so, and the factor is solved again."""
    with np.errstate(all="ignore"):
        target = undone.forward(problem.target[problem.rows])
        factors = bank.table[list(places)] if exponential else np.log(np.abs(bank.table[list(places)]))
        columns = np.concatenate([np.log(np.abs(problem.part[powered])), factors]).reshape(
            -1, len(problem.rows)
        )
    system = np.column_stack([columns.T, np.ones(len(problem.rows))])
    exponents = np.linalg.lstsq(system, np.log(np.abs(target)), rcond=None)[0]
    free = len(places) if exponential else 0
    fixed = [_near(exponent) for exponent in exponents[: len(exponents) - 1 - free]]
    fixed += list(exponents[len(fixed) : -1])
    for powers in (fixed, list(exponents[:-1])):
        inner = _written(problem, bank, powered, places, powers, exponential)
        ratio = np.sign(target) * np.exp(np.log(np.abs(target)) - system[:, :-1] @ np.array(powers))
        scale = float(np.median(ratio)) if len(ratio) else 1.0
        scales = (scale,) if (np.sign(ratio) == np.sign(scale)).all() else (abs(scale), -abs(scale))
        errors = [
            front.refine(problem.wrap(back)) for one in scales for back in undone.back(product(one, inner))
        ]
        if min(errors, default=math.inf) < front.enough:
            return


def _near(exponent: float) -> float:
    for parts in (1, 2, 3, 4):
        if abs(exponent * parts - round(exponent * parts)) < 0.02:
            return round(exponent * parts) / parts
    return float(exponent)


def _written(problem, bank, powered, places, powers, exponential) -> Program:
    over: Program | float = 1.0
    under: Program | float = 1.0
    formulas = [problem.leaves[i] for i in powered]
    formulas += [bank.program(place) for place in places] if not exponential else []
    for formula, power in zip(formulas, powers, strict=False):
        if power > 0:
            over = product(over, raised(formula, power))
        elif power < 0:
            under = product(under, raised(formula, -power))
    if exponential:
        over = product(over, call(reals.exp, product(float(powers[-1]), bank.program(places[0]))))
    return quotient(over, under)
