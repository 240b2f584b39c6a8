"""The search for programs on grids: bank, colour maps, blocks and cell rules, and the guesses they vote for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang import Grid, Int, Lambda, Program, Var, call
from perennial.primitives import grids as g
from perennial.primitives import objects as o
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import Clock, Engine, Examples, Found, judged
from perennial.synthesis.grids.bank import GRIDS, Bank, State, column, fingerprint
from perennial.synthesis.grids.moves import COMPLETED, PLACES, grid_moves, list_moves
from perennial.synthesis.grids.planes import (
    GLOBALS,
    TURNING,
    Tests,
    colour_planes,
    constant_planes,
    number_planes,
)
from perennial.synthesis.grids.rules import Cells, Grower, Limits, Split, as_state, rules, shown_by

MOST_MATRIX = 24_000_000
LARGEST_OUTPUT = 40
TURNED_BONUS = 5.0
MISSED_COST = 12.0
LEAST_COST = 20.0
OPPOSITE_PLACES = (
    (o.row_number, o.row_from_end),
    (o.column_number, o.column_from_end),
    (o.row_number, o.column_number),
    (o.row_number, o.column_from_end),
)
PLACE_WORDS = {o.row_number, o.column_number, o.row_from_end, o.column_from_end, o.reading_number}


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


class Puzzle:
    """Pairs of grids and grids without an answer, with all that is known about them so far."""

    def __init__(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], asked: Sequence[np.ndarray]
    ):
        self.inputs, self.outputs, self.asked = list(inputs), list(outputs), list(asked)
        self.labelled = len(self.outputs)
        self.bank = Bank(self.labelled)
        self.start = State(Grid, [*self.inputs, *self.asked], 1.0)
        self.bank.add(self.start)
        self.output_shapes = tuple(grid.shape for grid in self.outputs)
        self.target_colours = sorted({c for grid in outputs for c in np.unique(grid).tolist()})

        self.input_colours = sorted({c for grid in inputs for c in np.unique(grid).tolist()} - {0})

    def fits(self, state: State) -> bool:
        """Whether the state has the shapes of the outputs."""
        return state.kind == Grid and state.shapes[: self.labelled] == self.output_shapes

    def right(self, state: State) -> bool:
        """Whether the state is every output."""
        return self.fits(state) and all(map(np.array_equal, state.values, self.outputs))


def explore(puzzle: Puzzle, clock: Clock, deepest: float = 14.0) -> None:
    """Fills the bank in the order of cost until the clock ends."""
    bank = puzzle.bank
    moves, listed = grid_moves(puzzle.inputs, puzzle.outputs), list_moves()
    _grow_by_numbers(puzzle)
    for state in bank.cheapest():
        if clock.over or state.cost > deepest:
            return
        if state.kind == GRIDS:
            _explore_list(bank, state, listed)
        else:
            for move in moves:
                found = bank.apply(move.word, (state, *move.literals), state.cost + move.cost)
                if found is not None and move.word in COMPLETED:
                    bank.apply(g.patch, (found, state), found.cost + 2.0)


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


def exact(puzzle: Puzzle) -> Iterator[tuple[float, Any, list, str]]:
    """States of the bank that are the outputs, and those that become them when colours are exchanged."""
    for state in puzzle.bank.states.values():
        if puzzle.right(state):
            yield state.cost, state, state.values[puzzle.labelled :], "transform"
        elif puzzle.fits(state):
            found = colour_map(puzzle, state)
            if found is not None:
                yield found


def colour_map(puzzle: Puzzle, state: State) -> tuple | None:
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


def blocks(puzzle: Puzzle) -> Iterator[tuple]:
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


# --- cell rules ------------------------------------------------------------------------------------------------


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
        State(Grid, [g.like.kernel(v, c) for v in states[0].values], 3.0, g.like, (states[0], c))
        for c in puzzle.target_colours
    ]
    return Cells.of([*constants, *leaves], tests.tests, tests.rows, target)


def _cheapest_of_equals(states: Sequence[State]) -> list[State]:
    found: dict[bytes, State] = {}
    for state in states:
        key = b"".join(map(fingerprint, state.values))
        if key not in found or found[key].cost > state.cost:
            found[key] = state
    return sorted(found.values(), key=lambda state: state.cost)


def cell_rules(puzzle: Puzzle, states: list[State], bases: list[State], clock: Clock) -> Iterator[tuple]:
    """Rules over cells, those that hold when everything is turned first; with what leaving out says of them."""
    cells = matrices(puzzle, states, bases)
    sizes = [grid.size for grid in puzzle.outputs]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    for some, bonus in ((cells.without(TURNING), TURNED_BONUS), (cells, 0.0)):
        missed = None
        for rule in rules(some, owner >= 0, Limits()):
            if missed is None:
                missed = _missed_when_left_out(some, owner, clock)
            state = as_state(rule)
            yield (
                rule.cost + MISSED_COST * missed - bonus,
                state,
                state.values[puzzle.labelled :],
                "cell rule",
            )
            if clock.over:
                return


def partial_rules(puzzle: Puzzle, states: list[State], bases: list[State]) -> list[State]:
    """Small rules that are right on most cells: bases to look from once more."""
    cells = matrices(puzzle, states, bases)
    everything = np.ones(len(cells.target), dtype=bool)
    found = [
        Grower(some, Limits(depth, 2**depth, partial=True)).grow(everything)
        for some in (cells, cells.without(TURNING))
        for depth in (1, 2)
    ]
    return _cheapest_of_equals([as_state(rule) for rule in found if isinstance(rule, Split)])


def _missed_when_left_out(cells: Cells, owner: np.ndarray, clock: Clock) -> float:
    """Share of the examples that a rule grown without them gets wrong."""
    wrong = 0
    examples = int(owner.max()) + 1
    if examples < 2:
        return 1.0
    for example in range(examples):
        rule = next(iter(rules(cells, owner != example, Limits())), None)
        here = owner == example
        if rule is None or (shown_by(rule, cells)[: len(owner)][here] != cells.target[here]).any():
            wrong += 1
        if clock.over:
            break
    return wrong / examples


# --- sizes -----------------------------------------------------------------------------------------------------


def canvases(puzzle: Puzzle) -> State | None:
    """Empty grids of the outputs' sizes, when numbers of the inputs or constants tell both sides."""
    sides = [_side(puzzle, [shape[axis] for shape in puzzle.output_shapes]) for axis in (0, 1)]
    if None in sides:
        return None
    arguments = (sides[0], sides[1], 0)
    values = (
        column(g.canvas, (*[s if isinstance(s, State) else s for s in sides], 0))
        if any(isinstance(side, State) for side in sides)
        else [g.canvas.kernel(*arguments) for _ in puzzle.start.values]
    )
    return values and State(Grid, values, 6.0, g.canvas, arguments)


def _side(puzzle: Puzzle, wanted: list[int]) -> State | int | None:
    if len(set(wanted)) == 1:
        return wanted[0]
    for word, literals in GLOBALS:
        values = column(word, (puzzle.start, *literals))
        if values is not None and values[: puzzle.labelled] == wanted:
            return State(Int, values, 3.0, word, (puzzle.start, *literals))
    return None


# --- guesses ---------------------------------------------------------------------------------------------------


def solutions(puzzle: Puzzle, clock: Clock) -> Iterator[tuple]:
    """Everything that is right on the examples: `(cost, state, outputs, family)`."""
    explore(puzzle, clock.share(0.4))
    yield from exact(puzzle)
    yield from blocks(puzzle)
    found = groups(puzzle)
    canvas = canvases(puzzle)
    if canvas is not None and all(canvas.shapes != states[0].shapes for states in found):
        found.append([canvas])
    for states in found[:3]:
        if clock.over:
            return
        cheap = 1e9
        bases = states[: 2 if states[0] is puzzle.start else 3]
        for solution in cell_rules(puzzle, states, bases, clock):
            cheap = min(cheap, solution[0])
            yield solution
        if cheap > 40 and not clock.over:
            for base in partial_rules(puzzle, states, bases):
                if not clock.over:
                    yield from cell_rules(puzzle, [*states, base], [base, states[0]], clock)


def guesses(
    inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], asked: Sequence[np.ndarray], seconds: float
) -> list[Guess]:
    """Programs that are right on all pairs, the most credible first, one for each distinct answer.

    Args:
        inputs: arrays of the pairs.
        outputs: arrays of the pairs.
        asked: grids to answer.
        seconds: for all of it.
    """
    import scipy.ndimage  # noqa: F401  (a second on a cold start, which the first grid should not pay)

    clock = Clock(seconds)
    best: dict[bytes, Guess] = {}
    looked = views(inputs, outputs, asked)
    for number, view in enumerate(looked):
        for cost, state, values, family in solutions(view.puzzle, clock.share(1 / (len(looked) - number))):
            try:
                values = view.back(values)
            except NoAnswer:
                continue
            if any(max(value.shape) > LARGEST_OUTPUT for value in values):
                continue
            key = b"|".join(map(fingerprint, values))
            if key not in best or cost + view.cost < best[key].cost:
                program = Lambda(("grid",), view.program(state))
                best[key] = Guess(program, cost + view.cost, values, family)
    return sorted(best.values(), key=lambda guess: guess.cost)


# --- the empty colour ------------------------------------------------------------------------------------------


class View:
    """A puzzle and the way back from its answers to those of the task; this one is the puzzle itself."""

    cost = 0.0

    def __init__(self, inputs: Sequence, outputs: Sequence, asked: Sequence) -> None:
        self.asked = asked
        self.puzzle = Puzzle(inputs, outputs, asked)

    def back(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Answers of the task."""
        return values

    def program(self, state: State) -> Program:
        """The program on the task's own grid."""
        return state.program(Var("grid"))


class Emptied(View):
    """The background of each input exchanged with the empty colour."""

    cost = 4.0

    def __init__(self, inputs: Sequence, outputs: Sequence, asked: Sequence) -> None:
        outputs = [_exchanged(grid, given) for grid, given in zip(outputs, inputs, strict=True)]
        super().__init__(
            [_exchanged(grid, grid) for grid in inputs], outputs, [_exchanged(a, a) for a in asked]
        )
        self.asked = asked

    def back(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Backgrounds exchanged back."""
        return [_exchanged(value, given) for value, given in zip(values, self.asked, strict=True)]

    def program(self, state: State) -> Program:
        """Exchange, what was found, exchange."""
        grid = Var("grid")
        colour = call(g.background, grid)
        return call(g.swapped, state.program(call(g.swapped, grid, 0, colour)), 0, colour)


class Tabled(View):
    """Each part between lines as one cell."""

    cost = 4.0

    def __init__(self, inputs: Sequence, outputs: Sequence, asked: Sequence) -> None:
        small = [[g.table_of_lines.kernel(grid) for grid in grids] for grids in (inputs, outputs, asked)]
        super().__init__(*small)
        self.asked = asked
        if not all(map(np.array_equal, map(g.table_filled.kernel, inputs, small[1]), outputs)):
            raise NoAnswer("The outputs are no filled tables.")

    def back(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Tables filled."""
        return [g.table_filled.kernel(given, value) for value, given in zip(values, self.asked, strict=True)]

    def program(self, state: State) -> Program:
        """The table, what was found, the table filled."""
        grid = Var("grid")
        return call(g.table_filled, grid, state.program(call(g.table_of_lines, grid)))


def _exchanged(grid: np.ndarray, given: np.ndarray) -> np.ndarray:
    return g.swapped.kernel(grid, 0, g.background.kernel(given))


def views(inputs: Sequence, outputs: Sequence, asked: Sequence) -> list[View]:
    """How to look at the puzzle: as a table, as it is, and with backgrounds emptied when they are not."""
    other = any(g.background.kernel(grid) != 0 for grid in inputs)
    found = []
    for kind in [Tabled, View] + [Emptied] * other:
        try:
            found.append(kind(inputs, outputs, asked))
        except NoAnswer:
            continue
    return found


class GridSearch(Engine):
    """Transforms, colour maps, blocks and cell rules on one grid."""

    name = "grids"

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """One grid in, one grid out."""
        return examples.types == (Grid,) and examples.output_type == Grid

    def run(self, examples: Examples, grammar: Grammar, seconds: float, memory: int) -> Iterator[Found]:
        """Programs that are right on every example, the most credible first."""
        clock = Clock(seconds)
        inputs = [g.to_array(row[0]) for row in examples.inputs]
        outputs = [g.to_array(value) for value in examples.outputs]
        asked = [g.to_array(row[0]) for row in examples.unlabelled]
        for guess in guesses(inputs, outputs, asked or inputs[:1], seconds * 0.9):
            program = Lambda(examples.names, guess.program.body.replace(Var("grid"), Var(examples.names[0])))
            found = judged(program, examples, grammar, self.name, clock.spent)
            yield replace(found, cost=max(1, round(LEAST_COST + guess.cost)))
