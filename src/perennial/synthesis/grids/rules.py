"""Decision trees over cells: which colour does each cell of the output take?

Divide and conquer as in EUSolver (Alur et al. 2017): leaves are colours or planes that are right on some
cells, tests tell the cells apart, and a tree of few bits that is right on every labelled cell is a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perennial.lang import Program, call
from perennial.primitives.grids import like, where
from perennial.synthesis.base import Budget
from perennial.synthesis.grids.bank import State, column
from perennial.synthesis.grids.planes import Test

MOST_LABELS = 7


@dataclass(frozen=True, eq=False)
class Leaf:
    """Every cell takes what a plane shows."""

    plane: State

    @property
    def cost(self) -> float:
        """Bits of the plane."""
        return self.plane.cost

    def program(self, argument: Program) -> Program:
        """The plane's program."""
        return self.plane.program(argument)


@dataclass(frozen=True, eq=False)
class Split:
    """Cells where the test holds follow one rule, the others another."""

    test: Test
    then: Leaf | Split
    otherwise: Leaf | Split

    @property
    def cost(self) -> float:
        """Bits of the test and both rules."""
        return 1.0 + self.test.cost + self.then.cost + self.otherwise.cost

    def program(self, argument: Program) -> Program:
        """Nested calls of `where`."""
        return call(
            where, self.test.program(argument), self.then.program(argument), self.otherwise.program(argument)
        )


class Cells:
    """All a rule can be made of, as matrices over the cells of all examples.

    Args:
        leaves: planes that may be copied.
        shown: what each leaf shows, `(leaves, cells)`.
        tests: questions.
        answers: their answers, `(tests, cells)`, true or false.
        target: colours of the labelled cells, which come first.
    """

    @classmethod
    def of(cls, leaves: list[State], tests: list[Test], rows: list, target: np.ndarray) -> Cells:
        """From states and the answers of tests as rows."""
        shown = np.stack([np.concatenate([np.asarray(v).ravel() for v in state.values]) for state in leaves])
        return cls(
            leaves, shown, tests, np.stack(rows) if rows else np.zeros((0, shown.shape[1]), bool), target
        )

    def without(self, words: set) -> Cells:
        """Only what is made without some words."""
        leaves = [
            place for place, leaf in enumerate(self.leaves) if leaf.word is like or not leaf.uses(words)
        ]
        tests = [place for place, test in enumerate(self.tests) if not test.uses(words)]
        return Cells(
            [self.leaves[place] for place in leaves],
            self.shown[leaves],
            [self.tests[place] for place in tests],
            self.answers[tests],
            self.target,
        )

    def __init__(
        self,
        leaves: list[State],
        shown: np.ndarray,
        tests: list[Test],
        answers: np.ndarray,
        target: np.ndarray,
    ) -> None:
        self.leaves, self.shown, self.tests, self.answers = leaves, shown, tests, answers
        self.target = target
        labelled = len(target)
        self.right = (shown[:, :labelled] == target).astype(np.float32)
        self.asked = answers[:, :labelled].astype(np.float32)
        self.leaf_costs = np.array([leaf.cost for leaf in leaves], dtype=np.float32)
        self.test_costs = np.array([test.cost for test in tests], dtype=np.float32)


@dataclass(frozen=True)
class Limits:
    """How far a tree may grow: splits on a way down, leaves in all, whether its ends may be wrong."""

    depth: int = 8
    leaves: int = 14
    partial: bool = False


class Grower:
    """Grows a tree on the labelled cells of a mask, greedily; the first choices may be steered.

    Args:
        cells: the matrices.
        limits: how far it may grow.
        budget: when it has run down, it gives up.
        first: which of the best tests to take at the root, from 0.
        leaf: which of the best leaves to believe in first, from 0.
    """

    def __init__(self, cells: Cells, limits: Limits, budget: Budget, first: int = 0, leaf: int = 0) -> None:
        self.cells, self.limits, self.budget, self.first, self.leaf = cells, limits, budget, first, leaf
        self.leaves_left = limits.leaves

    def grow(self, mask: np.ndarray) -> Leaf | Split | None:
        """The rule that is right on every cell of the mask, or None when it would grow too large."""
        return self._node(mask.astype(np.float32), 0)

    def _node(self, mask: np.ndarray, depth: int) -> Leaf | Split | None:
        counts = self.cells.right @ mask
        total = mask.sum()
        full = counts >= total - 0.5
        if full.any():
            self.leaves_left -= 1
            best = np.where(full, self.cells.leaf_costs, np.inf).argmin()
            return Leaf(self.cells.leaves[int(best)])
        if depth >= self.limits.depth or self.leaves_left < 2 or self.budget.over:
            return Leaf(self.cells.leaves[int(counts.argmax())]) if self.limits.partial else None
        weights = self._labels(mask, counts, depth)
        if weights is None or not len(self.cells.tests):
            return None
        test = self._best_test(weights, depth)
        if test is None:
            return None
        yes = self.cells.asked[test] * mask
        if yes.sum() < 0.5 or total - yes.sum() < 0.5:
            return None
        then = self._node(yes, depth + 1)
        otherwise = self._node(mask - yes, depth + 1) if then is not None else None
        if then is None or otherwise is None:
            return None
        return Split(self.cells.tests[test], then, otherwise)

    def _labels(self, mask: np.ndarray, counts: np.ndarray, depth: int) -> np.ndarray | None:
        """Cell weights, a column for each leaf of a greedy cover; cells that two share weigh nothing."""
        right, costs = self.cells.right, self.cells.leaf_costs
        left, chosen = mask.copy(), []
        for number in range(MOST_LABELS):
            gain = right @ left if number else counts
            score = np.where(gain > 0.5, gain - 0.3 * costs * (1 + 0.02 * gain), -np.inf)
            order = np.argsort(-score, kind="stable")
            place = self.leaf if number == 0 and depth == 0 else 0
            leaf = int(order[min(place, len(order) - 1)])
            if gain[leaf] < 0.5:
                return None
            chosen.append(leaf)
            left = left * (1 - right[leaf])
            if left.sum() < 0.5:
                break
        else:
            return None
        rows = right[chosen] * mask
        return (rows * (rows.sum(axis=0) == 1)).T

    def _best_test(self, weights: np.ndarray, depth: int) -> int | None:
        yes = self.cells.asked @ weights
        no = weights.sum(axis=0) - yes
        before = _entropy(weights.sum(axis=0)[None])[0]
        gain = before - _entropy(yes) - _entropy(no)
        if gain.max() < 1e-3:
            return None
        score = gain - self.cells.test_costs
        score[gain < 1e-3] = -np.inf
        order = np.argsort(-score, kind="stable")
        return int(order[min(self.first, len(order) - 1)] if depth == 0 else order[0])


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Bits to name the labels of all cells in each row."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = counts * np.log2(np.where(counts > 0, total / counts, 1.0))
    return np.nan_to_num(bits).sum(axis=1)


def as_state(rule: Leaf | Split) -> State:
    """The rule as a state, with its grids."""
    if isinstance(rule, Leaf):
        return rule.plane
    parts = (rule.test.state(), as_state(rule.then), as_state(rule.otherwise))
    return State(rule.test.arguments[0].kind, column(where, parts), rule.cost, where, parts)


def shown_by(rule: Leaf | Split, cells: Cells) -> np.ndarray:
    """What the rule shows in every cell, labelled or not."""
    if isinstance(rule, Leaf):
        return cells.shown[cells.leaves.index(rule.plane)]
    place = cells.tests.index(rule.test)
    return np.where(cells.answers[place], shown_by(rule.then, cells), shown_by(rule.otherwise, cells))


def rules(cells: Cells, mask: np.ndarray, limits: Limits, budget: Budget) -> Iterator[Leaf | Split]:
    """Distinct ways to grow, the plain greedy one first."""
    for first, leaf in ((0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (3, 0), (1, 1)):
        rule = Grower(cells, limits, budget, first, leaf).grow(mask)
        if rule is not None:
            yield rule
