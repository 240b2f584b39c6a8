"""The one call for people who only want a formula, and what a front of formulas says.

>>> x = np.linspace(1.0, 4.0, 20)
>>> answer = find_formula(x[:, None], 3.0 * x**2 + 1.0, ("x",), seconds=5)
>>> print(answer.program)
lambda x: plus(times(3.0, power(x, 2.0)), 1.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perennial.lang import Lambda, Var
from perennial.lang.program import Program
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.front import Front
from perennial.synthesis.formulas.search import Discovery

FEWEST_EXAMPLES = 4


@dataclass(frozen=True)
class Answer:
    """The formula that is believed, and the others that were good for their length.

    Args:
        program: a function of the named numbers.
        error: share of the target's variance that it leaves.
        length: symbols.
        exact: whether it is right to the last digits, or to the tolerance.
        front: `(program, error, length)` from the shortest to the most exact.
        tried: how many formulas were judged on all rows.
    """

    program: Lambda
    error: float
    length: int
    exact: bool
    front: tuple[tuple[Lambda, float, int], ...]
    tried: int


def find_formula(
    x: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    *,
    seconds: float = 60.0,
    seed: int = 0,
    tolerance: float = 0.0,
) -> Answer:
    """A formula for `y` in terms of the columns of `x`.

    Args:
        x: `(n, d)` finite numbers; whole numbers and truth values count as numbers.
        y: `(n,)` finite numbers.
        names: of the columns, names of variables.
        seconds: at most; it ends early when a formula is exact.
        seed: of every random decision.
        tolerance: root mean squared error, in the unit of `y`, that is good enough; 0 asks for the last digit.

    Raises:
        DataError: when there are no rows, or a cell holds no finite number.
    """
    return answer_of(Discovery(x, y, seed=seed, tolerance=tolerance).run(Budget(seconds)), names)


def answer_of(front: Front, names: Sequence[str]) -> Answer:
    """What a front says, with the names of the columns."""
    best = front.best
    members = tuple((named(one.program, names), one.error, one.length) for one in front)
    return Answer(
        named(best.program, names),
        best.error,
        best.length,
        best.error <= front.enough,
        members,
        front.offered,
    )


def named(body: Program, names: Sequence[str]) -> Lambda:
    """A formula over `x0, x1 …` as a function of these names."""
    return Lambda(tuple(names), body.substitute({f"x{place}": Var(name) for place, name in enumerate(names)}))
