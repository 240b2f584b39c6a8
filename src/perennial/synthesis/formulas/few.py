"""Formulas for a handful of rows: nothing is fitted, since two numbers fit any two rows.

A formula of the bank is right as it is, or with one or two numbers that people would write: times one, plus one, or
both. The least to write down comes first (minimum description length; Rissanen 1978).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perennial.lang.program import Program
from perennial.synthesis.formulas.algebra import number, plus, product
from perennial.synthesis.formulas.bank import Bank
from perennial.synthesis.formulas.combinations import Problem
from perennial.synthesis.formulas.constants import digits, plain_numbers
from perennial.synthesis.formulas.front import Front

MOST_ROWS = 8
AGREES = 1e-9
MOST_OFFERED = 20


def search(problem: Problem, bank: Bank, front: Front) -> None:
    """Offers the formulas of a bank over all rows that are right, with what has to be written of them.

    Args:
        problem: with at most `MOST_ROWS` rows.
        bank: over `problem.columns`.
        front: receives every formula that is right.
    """
    table, target = bank.table, problem.target
    found = []
    for place, factor, shift in [
        *_as_it_is(table, target), *_times(table, target), *_plus(table, target), *_both(table, target)
    ]:  # fmt: skip
        cost = bank.costs[place] + sum(
            1 + digits(value) / 2 for value, none in ((factor, 1.0), (shift, 0.0)) if value != none
        )
        found.append((cost, place, factor, shift))
    for _, place, factor, shift in sorted(found)[:MOST_OFFERED]:
        front.offer(problem.wrap(_written(bank.program(place), factor, shift)))


def _written(program: Program, factor: float, shift: float) -> Program:
    program = product(number(factor), program) if factor != 1.0 else program
    return plus(program, number(shift)) if shift else program


def _as_it_is(table: np.ndarray, target: np.ndarray) -> Iterator[tuple[int, float, float]]:
    right = np.abs(table - target).max(axis=1) <= AGREES * np.abs(target).max()
    yield from ((int(place), 1.0, 0.0) for place in np.flatnonzero(right))


def _times(table: np.ndarray, target: np.ndarray) -> Iterator[tuple[int, float, float]]:
    if len(target) < 2:
        return
    with np.errstate(all="ignore"):
        factors = target / table
        same = np.ptp(factors, axis=1) <= AGREES * np.abs(factors).max(axis=1)
    for place in np.flatnonzero(same):
        if (value := _plain(factors[place].mean())) is not None:
            yield int(place), value, 0.0


def _plus(table: np.ndarray, target: np.ndarray) -> Iterator[tuple[int, float, float]]:
    if len(target) < 2:
        return
    shifts = target - table
    same = np.ptp(shifts, axis=1) <= AGREES * np.abs(target).max()
    for place in np.flatnonzero(same):
        if (value := _plain(shifts[place].mean())) is not None:
            yield int(place), 1.0, value


def _both(table: np.ndarray, target: np.ndarray) -> Iterator[tuple[int, float, float]]:
    """Straight lines through the first and the last distinct row, where the others lie on them."""
    if len(target) < 2:
        return
    low, high = int(np.argmin(target)), int(np.argmax(target))
    with np.errstate(all="ignore"):
        factors = (target[high] - target[low]) / (table[:, high] - table[:, low])
        shifts = target[low] - factors * table[:, low]
        left = np.abs(factors[:, None] * table + shifts[:, None] - target).max(axis=1)
        right = np.flatnonzero((left <= AGREES * np.abs(target).max()) & np.isfinite(factors))
    for place in right:
        factor, shift = _plain(factors[place]), _plain(shifts[place])
        if factor is not None and shift is not None:
            yield int(place), factor, shift


def _plain(value: float) -> float | None:
    return next(plain_numbers(float(value), AGREES), None) if abs(value) > AGREES else None
