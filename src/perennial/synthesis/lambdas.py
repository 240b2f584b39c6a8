"""Inner functions found in flattened contexts: all items of all examples side by side, as one long column.

When a list of the outputs is `map` or `filter` of a known list, the inner function is a program on single items
whose inputs and outputs are known: one row for each item of each example. Its body is enumerated like any
other program, with the item, its place and a few numbers about the example as variables (the deductive step of
λ²; Feser, Chaudhuri and Dillig 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perennial.lang import Op, Program, call
from perennial.synthesis import kernels
from perennial.synthesis.base import Budget
from perennial.synthesis.columns import Bank, Rule, Workshop

MOST_ROWS = 160
ROOM = 10_000
FIRST_LEVELS = 5  # bodies that are cheaper are too few to be worth a turn of their own
LONGEST_COVER = 1_500
CONDITION_COST = 4


@dataclass(frozen=True, eq=False)
class Leaf:
    """A part known from the start: its kind, one value a row, its program and cost."""

    kind: str
    column: Sequence
    program: Program
    cost: int


@dataclass(eq=False)
class InnerSearch:
    """The search for one inner function.

    Args:
        leaves: variables and constants, one value for each flattened row.
        rules: words on numbers and truth values.
        target: the value wanted in each row.
        kind: `int` or `bool`.
        finish: makes the whole program from the body.
        base: what the whole program costs without the body.
        choose: the word `if`, when conditionals are allowed.
    """

    leaves: Sequence[Leaf]
    rules: Sequence[Rule]
    target: Sequence[int]
    kind: str
    finish: Callable[[Program], Program]
    base: int
    choose: Op | None = None
    workshop: Workshop | None = None
    tried_before: int = 0

    @property
    def next_cost(self) -> int:
        """The least cost of a whole program that the next step can find."""
        return self.base + (FIRST_LEVELS if self.workshop is None else self.workshop.level + 1)

    @property
    def finished(self) -> bool:
        """Whether nothing more can be found."""
        return self.workshop is not None and self.workshop.finished()

    def step(self, budget: Budget) -> Iterator[Program]:
        """Whole programs found at the next level; the first step takes several levels."""
        levels = 1
        if self.workshop is None:
            self.workshop, levels = self._open(), FIRST_LEVELS
        for _ in range(levels):
            for _ in self.workshop.grow(budget):
                pass
        bank = self.workshop.banks[self.kind]
        with np.errstate(over="ignore"):
            place = bank.find(self._rows(self.target))
        if place >= 0:
            yield self.finish(self.workshop.program(self.kind, place))
        elif self.choose is not None and self.kind == "int" and self.workshop.level >= 4:
            body = self._conditional()
            if body is not None:
                yield self.finish(body)

    def _open(self) -> Workshop:
        rows = self._rows(self.target)
        banks = {kind: Bank(kind, len(rows), ROOM) for kind in ("int", "bool")}
        workshop = Workshop(banks, self.rules)
        for leaf in self.leaves:
            workshop.leaf(leaf.kind, self._rows(leaf.column), leaf.program, leaf.cost)
        return workshop

    def _rows(self, column: Sequence) -> np.ndarray:
        """The column itself, or some of its rows when there are too many."""
        step = max(1, -(-len(self.target) // MOST_ROWS))
        return np.asarray(column, np.int32)[::step]

    def _conditional(self) -> Program | None:
        """`if` over two known columns that together are right everywhere; the cheapest test comes first."""
        numbers, tests = self.workshop.banks["int"], self.workshop.banks["bool"]
        some, few = min(len(numbers), LONGEST_COVER), min(len(tests), LONGEST_COVER)
        if not some or not few:
            return None
        target = self._rows(self.target)
        wrong = (numbers.values[:some] != target).astype(np.float32)
        useful = np.flatnonzero(wrong.sum(axis=1) < len(target) - 1)
        truth = tests.values[:few]
        known = np.flatnonzero((truth != kernels.NONE).all(axis=1))
        if not len(useful) or not len(known):
            return None
        held = truth[known].astype(np.float32)
        yes = (wrong[useful] @ held.T) == 0
        no = (wrong[useful] @ (1 - held).T) == 0
        both = np.flatnonzero(yes.any(axis=0) & no.any(axis=0))
        if not len(both):
            return None
        best = min(both, key=lambda at: (yes[:, at].argmax() + no[:, at].argmax() + known[at], at))
        parts = [("bool", known[best]), ("int", useful[yes[:, best].argmax()])]
        parts.append(("int", useful[no[:, best].argmax()]))
        return call(self.choose, *(self.workshop.program(kind, int(place)) for kind, place in parts))


def broadcast(values: Sequence, lists: Sequence[Sequence]) -> list:
    """One value per example, repeated for every item of the example's list."""
    return [value for value, items in zip(values, lists, strict=True) for _ in items]
