"""Formulas as an engine among others, and the one call for people who only want a formula.

>>> x = np.linspace(1.0, 4.0, 20)
>>> answer = find_formula(x[:, None], 3.0 * x**2 + 1.0, ("x",), seconds=5)
>>> print(answer.program)
lambda x: plus(times(3.0, power(x, 2.0)), 1.0)
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perennial.lang import Bool, Int, Lambda, Real, Var
from perennial.lang.program import Program
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import Clock, Engine, Examples, Found, judged
from perennial.synthesis.formulas.front import Formula
from perennial.synthesis.formulas.search import discover

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
    front = discover(x, y, seconds=seconds, seed=seed, tolerance=tolerance)
    best = front.best
    members = tuple((_function(one.program, names), one.error, one.length) for one in front)
    return Answer(
        _function(best.program, names),
        best.error,
        best.length,
        best.error <= front.enough,
        members,
        front.offered,
    )


def _function(body: Program, names: Sequence[str]) -> Lambda:
    return Lambda(tuple(names), body.substitute({f"x{place}": Var(name) for place, name in enumerate(names)}))


class Formulas(Engine):
    """Formulas for examples whose inputs and output are numbers; it needs four examples at least.

    Args:
        seed: of every random decision.
    """

    name = "formulas"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """Whether all values are numbers, the result is a real one, and there are enough."""
        numeric = all(type_ in (Real, Int, Bool) for type_ in examples.types)
        return (
            bool(examples.names)
            and numeric
            and examples.output_type == Real
            and len(examples) >= FEWEST_EXAMPLES
        )

    def run(self, examples: Examples, grammar: Grammar, seconds: float, memory: int) -> Iterator[Found]:
        """Formulas as they enter the front: each more exact than all shorter ones."""
        clock = Clock(seconds)
        x = np.array(examples.inputs, dtype=float)
        y = np.array(examples.outputs, dtype=float)
        for formula in _as_found(x, y, clock.left, self.seed):
            program = _function(formula.program, examples.names)
            yield judged(program, examples, grammar, self.name, clock.spent)


def _as_found(x: np.ndarray, y: np.ndarray, seconds: float, seed: int) -> Iterator[Formula]:
    """The search runs in a thread beside, so that every formula is seen as soon as it is found."""
    found: queue.SimpleQueue = queue.SimpleQueue()
    stopped = threading.Event()

    def listen(formula: Formula) -> None:
        if stopped.is_set():
            raise _Stopped
        found.put(formula)

    def search() -> None:
        try:
            discover(x, y, seconds=seconds, seed=seed, listener=listen)
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - handed over to whoever waits
            found.put(error)
        finally:
            found.put(None)

    worker = threading.Thread(target=search, name="formulas", daemon=True)
    worker.start()
    try:
        while (item := found.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
        worker.join()
    finally:
        stopped.set()


class _Stopped(Exception):
    """Nobody listens any more."""
