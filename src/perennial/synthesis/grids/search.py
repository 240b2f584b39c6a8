"""The search for programs on grids: transforms, colour maps, blocks, cell rules, and what they guess."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang import Grid, Lambda, Program, Var
from perennial.primitives import grids as g
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import Budget, Engine, Examples, Found
from perennial.synthesis.grids.bank import State, fingerprint
from perennial.synthesis.grids.cellwise import cell_rules, groups, partial_rules
from perennial.synthesis.grids.moves import grid_moves
from perennial.synthesis.grids.transforms import Solution, blocks, canvases, colour_maps, explore
from perennial.synthesis.grids.views import Puzzle, views
from perennial.synthesis.ranking import judged

LARGEST_OUTPUT = 40
LEAST_COST = 20.0
SHARE_OF_TIME = 0.85


@dataclass(frozen=True, eq=False)
class Guess:
    """What one program gives for the unlabelled grids.

    Args:
        program: a `Lambda` of one grid.
        cost: bits, with what leaving examples out says about it.
        outputs: one array per unlabelled grid.
        family: which part of the search made it.
    """

    program: Lambda
    cost: float
    outputs: list[np.ndarray]
    family: str


def solutions(puzzle: Puzzle, budget: Budget) -> Iterator[Solution]:
    """Everything that is right on the examples: `(cost, state, outputs, family)`."""
    yield from explore(puzzle, budget.share(0.4))
    yield from colour_maps(puzzle)
    yield from blocks(puzzle)
    found = groups(puzzle)
    canvas = canvases(puzzle)
    if canvas is not None and all(canvas.shapes != states[0].shapes for states in found):
        found.append([canvas])
    for states in found[:3]:
        if budget.over:
            return
        cheap = 1e9
        bases = states[: 2 if states[0] is puzzle.start else 3]
        for solution in cell_rules(puzzle, states, bases, budget):
            cheap = min(cheap, solution[0])
            yield solution
        if cheap > 40 and not budget.over:
            for base in partial_rules(puzzle, states, bases, budget):
                if not budget.over:
                    yield from cell_rules(puzzle, [*states, base], [base, states[0]], budget)


def improving(
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    asked: Sequence[np.ndarray],
    budget: Budget,
) -> Iterator[Guess]:
    """Guesses as they are found: each with an answer that none had before, or with fewer bits for the same.

    Args:
        inputs: arrays of the pairs.
        outputs: arrays of the pairs.
        asked: grids to answer.
        budget: for all of it; the bank of transforms takes at most a quarter of the memory, the matrices of cell
            rules about 300 MB whatever it is.
    """
    import scipy.ndimage  # noqa: F401  (a second on a cold start, which the first grid should not pay)

    best: dict[bytes, float] = {}
    looked = views(inputs, outputs, asked)
    for number, view in enumerate(looked):
        view.puzzle.bank.memory = budget.memory // 4 // len(looked)
        for cost, state, values, family in solutions(view.puzzle, budget.share(1 / (len(looked) - number))):
            try:
                values = view.back(values)
            except NoAnswer:
                continue
            if any(max(value.shape) > LARGEST_OUTPUT for value in values):
                continue
            key = b"|".join(map(fingerprint, values))
            if cost + view.cost < best.get(key, math.inf):
                best[key] = cost + view.cost
                yield Guess(Lambda(("grid",), view.program(state)), cost + view.cost, values, family)


def guesses(
    inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], asked: Sequence[np.ndarray], seconds: float
) -> list[Guess]:
    """Programs that are right on all pairs, the most credible first, one for each distinct answer."""
    best = {
        b"|".join(map(fingerprint, guess.outputs)): guess
        for guess in improving(inputs, outputs, asked, Budget(seconds))
    }
    return sorted(best.values(), key=lambda guess: guess.cost)


class GridSearch(Engine):
    """Transforms, colour maps, blocks and cell rules on one grid."""

    name = "grids"

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """One grid in, one grid out."""
        return examples.types == (Grid,) and examples.output_type == Grid

    def run(self, examples: Examples, grammar: Grammar, budget: Budget) -> Iterator[Found]:
        """Programs that are right on every example as they come; if none is, one that misses few."""
        inputs = [g.to_array(row[0]) for row in examples.inputs]
        outputs = [g.to_array(value) for value in examples.outputs]
        asked = [g.to_array(row[0]) for row in examples.unlabelled]
        cheapest = math.inf
        for guess in improving(inputs, outputs, asked or inputs[:1], budget.share(SHARE_OF_TIME)):
            if guess.cost < cheapest:
                cheapest = guess.cost
                found = self._judged(guess.program, examples, grammar, budget)
                yield replace(found, cost=max(1, round(LEAST_COST + guess.cost)))
        if cheapest == math.inf:
            yield self._judged(Lambda(("grid",), _nearest(inputs, outputs)), examples, grammar, budget)

    def _judged(self, program: Lambda, examples: Examples, grammar: Grammar, budget: Budget) -> Found:
        body = program.body.replace(Var("grid"), Var(examples.names[0]))
        return judged(Lambda(examples.names, body), examples, grammar, self.name, budget.spent)


def _nearest(inputs: list[np.ndarray], outputs: list[np.ndarray]) -> Program:
    """One word on the input that is right on most examples; the input itself when none is right on any."""
    puzzle = Puzzle(inputs, outputs, [])
    bank = puzzle.bank
    for move in grid_moves(inputs, outputs):
        bank.apply(move.word, (puzzle.start, *move.literals), 1.0 + move.cost)

    def right(state: State) -> int:
        return sum(map(np.array_equal, state.values, outputs)) if state.kind == Grid else 0

    best = max(bank.states.values(), key=lambda state: (right(state), -state.cost))
    return best.program(Var("grid"))
