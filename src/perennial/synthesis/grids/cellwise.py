"""Rules that say the colour of each cell, grown over planes of states that have the shape of the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from perennial.lang import Grid
from perennial.primitives import cells as c
from perennial.primitives import grids as g
from perennial.synthesis.base import Budget
from perennial.synthesis.grids.bank import State, fingerprint
from perennial.synthesis.grids.planes import TURNING, Tests, colour_planes, constant_planes, number_planes
from perennial.synthesis.grids.rules import Cells, Grower, Limits, Split, as_state, rules, shown_by
from perennial.synthesis.grids.transforms import Solution
from perennial.synthesis.grids.views import Puzzle

MOST_MATRIX = 24_000_000
TURNED_BONUS = 5.0
MISSED_COST = 12.0
OPPOSITE_PLACES = (
    (c.row_number, c.row_from_end),
    (c.column_number, c.column_from_end),
    (c.row_number, c.column_number),
    (c.row_number, c.column_from_end),
)
PLACE_WORDS = {c.row_number, c.column_number, c.row_from_end, c.column_from_end, c.reading_number}


def groups(puzzle: Puzzle) -> list[list[State]]:
    """States with the shapes of the outputs, those that agree on the unlabelled grids together."""
    found: dict[tuple, list[State]] = {}
    for state in sorted(puzzle.bank.states.values(), key=lambda state: state.cost):
        if puzzle.fits(state):
            found.setdefault(state.shapes, []).append(state)
    return sorted(found.values(), key=lambda states: states[0].cost)


def matrices(puzzle: Puzzle, states: list[State], bases: list[State], most_leaves: int = 260) -> Cells:
    """Leaves, tests and their values for rules over cells of the states' shape."""
    target = np.concatenate([grid.ravel() for grid in puzzle.outputs])
    cells = sum(value.size for value in states[0].values)
    tests = Tests(cells, max(200, MOST_MATRIX // cells))
    told, numbers_told = constant_planes(states[0], puzzle.start)
    planes = [plane for base in bases for plane in colour_planes(base)]
    leaves = _cheapest_of_equals([*planes, *told, *states])[:most_leaves]
    for state in leaves:
        tests.values(state, len(target), ordered=False)
    tests.agreements(leaves[:36])
    numbers = [plane for base in bases for plane in number_planes(base, puzzle.input_colours[:4])]
    for state in sorted([*numbers, *numbers_told], key=lambda state: state.cost):
        tests.values(state, len(target), ordered=True)
    places = [state for state in numbers if state.word in PLACE_WORDS and state.arguments[0] is bases[0]]
    tests.below(places, numbers_told)
    for one, other in OPPOSITE_PLACES:
        tests.agreements([state for state in places if state.word in (one, other)])
    constants = [
        State(Grid, [g.like.kernel(v, colour) for v in states[0].values], 3.0, g.like, (states[0], colour))
        for colour in puzzle.target_colours
    ]
    return Cells.of([*constants, *leaves], tests.tests, tests.rows, target)


def _cheapest_of_equals(states: Sequence[State]) -> list[State]:
    found: dict[bytes, State] = {}
    for state in states:
        key = b"".join(map(fingerprint, state.values))
        if key not in found or found[key].cost > state.cost:
            found[key] = state
    return sorted(found.values(), key=lambda state: state.cost)


def cell_rules(puzzle: Puzzle, states: list[State], bases: list[State], budget: Budget) -> Iterator[Solution]:
    """Rules over cells, those without directions first, priced by leaving examples out."""
    cells = matrices(puzzle, states, bases)
    sizes = [grid.size for grid in puzzle.outputs]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    for some, bonus in ((cells.without(TURNING), TURNED_BONUS), (cells, 0.0)):
        missed = None
        for rule in rules(some, owner >= 0, Limits(), budget):
            if missed is None:
                missed = _missed_when_left_out(some, owner, budget)
            state = as_state(rule)
            yield (
                rule.cost + MISSED_COST * missed - bonus,
                state,
                state.values[puzzle.labelled :],
                "cell rule",
            )
            if budget.over:
                return


def partial_rules(puzzle: Puzzle, states: list[State], bases: list[State], budget: Budget) -> list[State]:
    """Small rules that are right on most cells: bases to look from once more."""
    cells = matrices(puzzle, states, bases)
    everything = np.ones(len(cells.target), dtype=bool)
    found = [
        Grower(some, Limits(depth, 2**depth, partial=True), budget).grow(everything)
        for some in (cells, cells.without(TURNING))
        for depth in (1, 2)
    ]
    return _cheapest_of_equals([as_state(rule) for rule in found if isinstance(rule, Split)])


def _missed_when_left_out(cells: Cells, owner: np.ndarray, budget: Budget) -> float:
    """Share of the examples that a rule grown without them gets wrong."""
    wrong = 0
    examples = int(owner.max()) + 1
    if examples < 2:
        return 1.0
    for example in range(examples):
        rule = next(iter(rules(cells, owner != example, Limits(), budget)), None)
        here = owner == example
        if rule is None or (shown_by(rule, cells)[: len(owner)][here] != cells.target[here]).any():
            wrong += 1
        if budget.over:
            break
    return wrong / examples
