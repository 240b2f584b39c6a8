"""Transforms of whole grids, put on top of each other in the order of their cost, and what follows from them.

A state of the bank may be the output, or become it when colours are exchanged, or be a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang import Grid, Int
from perennial.primitives import grids as g
from perennial.synthesis.base import Budget
from perennial.synthesis.grids.bank import GRIDS, Bank, State, column
from perennial.synthesis.grids.moves import COMPLETED, PLACES, SHALLOW, SLOW, grid_moves, list_moves
from perennial.synthesis.grids.planes import GLOBALS
from perennial.synthesis.grids.views import Puzzle

Solution = tuple[float, State, list[np.ndarray], str]  # bits, what was found, its answers, the family

DEEPEST = 14.0


def explore(puzzle: Puzzle, budget: Budget, deepest: float = DEEPEST) -> Iterator[Solution]:
    """Fills the bank in the order of cost until the budget ends; gives every state that is the output."""
    bank = puzzle.bank
    moves, listed = grid_moves(puzzle.inputs, puzzle.outputs), list_moves()
    _grow_by_numbers(puzzle)
    told = 0
    for state in bank.cheapest():
        if budget.over or state.cost > deepest:
            break
        if state.kind == GRIDS:
            _explore_list(bank, state, listed)
        else:
            for move in moves:
                if state.cost > SHALLOW and move.word in SLOW:
                    continue
                found = bank.apply(move.word, (state, *move.literals), state.cost + move.cost)
                if found is not None and move.word in COMPLETED:
                    bank.apply(g.patch, (found, state), found.cost + 2.0)
        for new in bank.news(told):
            if puzzle.right(new):
                yield new.cost, new, new.values[puzzle.labelled :], "transform"
        told = len(bank.states)


def _grow_by_numbers(puzzle: Puzzle) -> None:
    """The input scaled and tiled by numbers of itself."""
    start = puzzle.start
    for word, literals in GLOBALS:
        values = column(word, (start, *literals))
        if values is not None and max(values) < 12:
            number = State(Int, values, 3.0, word, (start, *literals))
            puzzle.bank.apply(g.scale, (start, number), 6.0)
            puzzle.bank.apply(g.tile, (start, number, number), 6.0)


def _explore_list(bank: Bank, state: State, moves: list[tuple]) -> None:
    for word, before, after, cost in moves:
        bank.apply(word, (*before, state, *after), state.cost + cost)
    shortest = min(map(len, state.values))
    for place in PLACES:
        if -shortest <= place < shortest:
            bank.apply(g.grid_at, (state, place), state.cost + 2.5 + abs(place) / 4)


def colour_maps(puzzle: Puzzle) -> Iterator[Solution]:
    """States of the bank that become the outputs when colours are exchanged."""
    for state in puzzle.bank.states.values():
        if puzzle.fits(state) and not puzzle.right(state):
            found = colour_map(puzzle, state)
            if found is not None:
                yield found


def colour_map(puzzle: Puzzle, state: State) -> Solution | None:
    """The state with colours exchanged as all examples do it, or None."""
    table: dict[int, int] = {}
    for grid, wanted in zip(state.values, puzzle.outputs, strict=False):
        pairs = np.unique(grid.ravel().astype(np.int32) * 1000 + wanted.ravel())
        for pair in pairs.tolist():
            if table.setdefault(pair // 1000, pair % 1000) != pair % 1000:
                return None
    changed = {old: new for old, new in table.items() if old != new}
    old, new = tuple(changed), tuple(changed.values())
    values = column(g.recoloured, (state, old, new))
    unseen = sum(len(set(np.unique(v).tolist()) - set(table)) for v in state.values[puzzle.labelled :])
    recoloured = State(
        Grid, values, state.cost + 2 + 3 * len(changed) + 4 * unseen, g.recoloured, (state, old, new)
    )
    return recoloured.cost, recoloured, values[puzzle.labelled :], "colour map"


def blocks(puzzle: Puzzle) -> Iterator[Solution]:
    """Outputs cut into equal parts, each of which is in the bank already."""
    for rows in range(1, 7):
        for columns in range(1, 7):
            if rows * columns == 1 or rows * columns > 16:
                continue
            found = _assembled(puzzle, rows, columns)
            if found is not None:
                yield found.cost, found, found.values[puzzle.labelled :], "blocks"


def _assembled(puzzle: Puzzle, rows: int, columns: int) -> State | None:
    try:
        cut = [g.parts.kernel(grid, rows, columns) for grid in puzzle.outputs]
    except NoAnswer:
        return None
    found = [_known(puzzle, [pieces[place] for pieces in cut]) for place in range(rows * columns)]
    if any(state is None for state in found):
        return None
    lines = [_joined(g.beside, found[row * columns : (row + 1) * columns]) for row in range(rows)]
    return _joined(g.above, lines) if all(line is not None for line in lines) else None


def _known(puzzle: Puzzle, values: list[np.ndarray]) -> State | None:
    state = puzzle.bank.known(values)
    if state is None and all(len(set(value.ravel().tolist())) == 1 for value in values):
        colours = {int(value[0, 0]) for value in values}
        base = next(
            (
                s
                for s in puzzle.bank.states.values()
                if s.kind == Grid and s.shapes[: len(values)] == tuple(v.shape for v in values)
            ),
            None,
        )
        if len(colours) == 1 and base is not None:
            colour = colours.pop()
            return State(Grid, column(g.like, (base, colour)), base.cost + 3, g.like, (base, colour))
    return state


def _joined(word: Any, states: Sequence[State]) -> State | None:
    whole = states[0]
    for state in states[1:]:
        values = column(word, (whole, state))
        if values is None:
            return None
        whole = State(Grid, values, whole.cost + state.cost + 1, word, (whole, state))
    return whole


def canvases(puzzle: Puzzle) -> State | None:
    """Empty grids of the outputs' sizes, when numbers of the inputs or constants tell both sides."""
    sides = [_side(puzzle, [shape[axis] for shape in puzzle.output_shapes]) for axis in (0, 1)]
    if None in sides:
        return None
    arguments = (sides[0], sides[1], 0)
    if any(isinstance(side, State) for side in sides):
        values = column(g.canvas, arguments)
    else:
        values = [g.canvas.kernel(*arguments) for _ in puzzle.start.values]
    return None if values is None else State(Grid, values, 6.0, g.canvas, arguments)


def _side(puzzle: Puzzle, wanted: list[int]) -> State | int | None:
    if len(set(wanted)) == 1:
        return wanted[0]
    for word, literals in GLOBALS:
        values = column(word, (puzzle.start, *literals))
        if values is not None and values[: puzzle.labelled] == wanted:
            return State(Int, values, 3.0, word, (puzzle.start, *literals))
    return None
