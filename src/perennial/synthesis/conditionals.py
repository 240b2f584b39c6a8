"""Conditionals by divide and conquer: partial solutions cover the examples, predicates tell which one to use.

A decision tree is learnt whose leaves are programs that are right on the examples that reach them and whose
inner nodes are truth values that some other search enumerated (EUSolver; Alur, Radhakrishna and Udupa 2017).
Sets of examples are whole numbers, one bit an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from perennial.lang import Op, Program, call
from perennial.synthesis.base import Budget

DEEPEST = 3
MOST_SPLITS = 60
LONELY_LEAF_COST = 8
CONDITION_COST = 4


@dataclass(frozen=True)
class Part:
    """A program known by what it does on the examples.

    Args:
        mask: for a solution the examples it is right on; for a predicate those on which it holds.
        cost: in bits.
        program: the program, or whatever the caller finds it by.
    """

    mask: int
    cost: int
    program: Any


@dataclass(frozen=True)
class Tree:
    """A decision tree: a leaf has only a `part`; an inner node asks `test`, then goes to `yes` or `no`."""

    cost: int
    part: Part | None = None
    test: Part | None = None
    yes: Tree | None = None
    no: Tree | None = None

    def parts(self) -> list[Part]:
        """Every part in the tree."""
        if self.part is not None:
            return [self.part]
        return [self.test, *self.yes.parts(), *self.no.parts()]

    def program(self, word: Op) -> Program:
        """The tree as a program of the word `if`; parts must hold programs."""
        if self.part is not None:
            return self.part.program
        return call(word, self.test.program, self.yes.program(word), self.no.program(word))


def cheapest_by_mask(parts: Iterable[Part]) -> list[Part]:
    """Of parts that do the same the cheapest, in the order of cost.

    >>> [part.program for part in cheapest_by_mask([Part(3, 9, "long"), Part(3, 2, "short")])]
    ['short']
    """
    best: dict[int, Part] = {}
    for part in parts:
        known = best.get(part.mask)
        if known is None or part.cost < known.cost:
            best[part.mask] = part
    return sorted(best.values(), key=lambda part: part.cost)


def decision_tree(
    solutions: Sequence[Part],
    tests: Sequence[Part],
    everything: int,
    *,
    deepest: int = DEEPEST,
    budget: Budget | None = None,
) -> Tree | None:
    """A tree of the least depth that is right on all examples, or None when there is none.

    One program is taken before a tree, whatever it costs; of trees of one depth the cheapest.

    Args:
        solutions: programs that are right on some examples.
        tests: truth values.
        everything: the set of examples that must come out right.
        deepest: longest way from the root to a leaf.
        budget: the search gives up when it has run out.

    >>> small, large = Part(0b0011, 3, "x"), Part(0b1100, 5, "y")
    >>> decision_tree([small, large], [Part(0b0011, 4, "x < 5")], 0b1111).cost
    16
    """
    search = _Search(
        cheapest_by_mask(part for part in solutions if part.mask), cheapest_by_mask(tests), budget
    )
    for depth in range(deepest + 1):
        found = search.best(everything, depth)
        if found is not None:
            return found
    return None


class _Search:
    def __init__(self, solutions: list[Part], tests: list[Part], budget: Budget | None) -> None:
        self.solutions, self.tests, self.budget = solutions, tests, budget
        self.known: dict[tuple[int, int], Tree | None] = {}

    def best(self, examples: int, depth: int) -> Tree | None:
        """A program for these examples, else the cheapest tree."""
        key = (examples, depth)
        if key not in self.known:
            self.known[key] = self._leaf(examples) or self._split(examples, depth)
        return self.known[key]

    def _leaf(self, examples: int) -> Tree | None:
        for part in self.solutions:
            if part.mask & examples == examples:
                lonely = LONELY_LEAF_COST if examples.bit_count() == 1 else 0
                return Tree(part.cost + lonely, part)
        return None

    def _split(self, examples: int, depth: int) -> Tree | None:
        if depth == 0 or not any(part.mask & examples for part in self.solutions):
            return None
        best: Tree | None = None
        seen: set[int] = set()
        for test in self.tests:
            if self.budget is not None and self.budget.over:
                break
            yes, no = examples & test.mask, examples & ~test.mask
            if not yes or not no or yes in seen:
                continue
            seen.add(yes)
            if depth > 1 and len(seen) > MOST_SPLITS:
                break
            if best is not None and test.cost >= best.cost:
                break
            found = self._joined(test, yes, no, depth)
            if found is not None and (best is None or found.cost < best.cost):
                best = found
        return best

    def _joined(self, test: Part, yes: int, no: int, depth: int) -> Tree | None:
        left = self.best(yes, depth - 1)
        if left is None:
            return None
        right = self.best(no, depth - 1)
        if right is None:
            return None
        return Tree(CONDITION_COST + test.cost + left.cost + right.cost, None, test, left, right)
