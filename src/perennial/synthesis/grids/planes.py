"""What can be seen from a cell: planes of numbers over a base grid, and yes-or-no tests on them.

A plane is a state whose grids have the shape of the base. Planes of colours may be copied to the output; all
planes may be asked about: is the number here this one, is it at most that, do two planes agree here?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perennial.lang import Grid, Int, List, Program, call
from perennial.primitives import cells as c
from perennial.primitives import grids as g
from perennial.primitives import objects as o
from perennial.primitives.grids import DIRECTIONS
from perennial.synthesis.grids.bank import State, column

WAYS = ((0, 0), (1, 0), (0, 1), (1, 1))
MOST_VALUES = 12

COLOURS = [
    *[(c.neighbour, way, 3.0) for way in DIRECTIONS],
    *[(c.seen, way, 3.0) for way in DIRECTIONS],
    *[(c.neighbour, (2 * down, 2 * right), 5.0) for down, right in DIRECTIONS],
    (c.colour_around, (), 2.5),
    (c.colour_between, (0,), 3.0),
    (c.colour_between, (1,), 4.0),
    *[(o.main_colour_of_object, way, 3.5) for way in ((0, 1), (1, 1))],
    *[(o.rare_colour_of_object, way, 4.0) for way in ((0, 1), (1, 1))],
    *[(o.object_box_colour, way, 4.0) for way in ((0, 0), (1, 0), (1, 1))],
    (c.colour_of_row, (), 3.5),
    (c.colour_of_column, (), 3.5),
    (c.nearest_colour, (), 4.0),
    (c.colour_of_part, (), 4.0),
    (c.neighbour_colour, (0,), 4.0),
    (c.neighbour_colour, (1,), 4.0),
    (g.mirror, (), 3.5),
    (g.upside_down, (), 3.5),
    (g.half_turn, (), 4.0),
    (g.transpose, (), 4.0),
]
NUMBERS = [
    *[
        (word, way, 3.0 + way[0] / 2 + way[1] / 2)
        for way in WAYS
        for word in (o.size_of_object, o.rank_of_object)
    ],
    *[(o.small_rank_of_object, way, 3.5 + way[0] / 2 + way[1] / 2) for way in WAYS],
    *[(word, way, 4.5) for way in WAYS for word in (o.height_of_object, o.width_of_object)],
    *[
        (word, way, 4.0 + way[0] / 2 + way[1] / 2)
        for way in WAYS
        for word in (o.border_of_object, o.holes_of_object, o.fullness_of_object, o.copies_of_object)
    ],
    *[
        (word, way, 5.0)
        for way in WAYS
        for word in (
            o.squareness_of_object,
            o.symmetries_of_object,
            o.mirror_symmetry_of_object,
            o.turned_copies_of_object,
            o.same_size_of_object,
            o.number_of_object,
            o.row_rank_of_object,
            o.column_rank_of_object,
        )
    ],
    *[(o.colours_of_object, way, 4.0) for way in ((0, 1), (1, 1))],
    *[(word, way, 5.0) for way in WAYS[:2] for word in (o.row_in_object, o.column_in_object)],
    *[(o.depth_in_box, way, 4.5) for way in WAYS],
    (c.enclosed, (0,), 2.5),
    (c.enclosed, (1,), 3.5),
    (c.size_of_region, (0,), 4.0),
    (c.rank_of_hole, (0,), 4.0),
    *[(word, (way,), 4.0) for way in (0, 1) for word in (c.filled_neighbours, c.equal_neighbours)],
    *[(c.directions_seen, (kind,), 4.0) for kind in (0, 1)],
    *[(c.steps_to_seen, way, 5.0) for way in DIRECTIONS],
    (c.reading_number, (), 4.5),
    (c.row_number, (), 3.5),
    (c.column_number, (), 3.5),
    (c.row_from_end, (), 4.0),
    (c.column_from_end, (), 4.0),
    (c.border_distance, (), 3.5),
    (c.row_plus_column, (), 5.0),
    (c.row_minus_column, (), 5.0),
    (c.filled_in_row, (), 4.0),
    (c.filled_in_column, (), 4.0),
    (c.count_of_colour, (), 4.0),
    (c.colour_rank, (), 3.5),
    (c.distance_to_filled, (), 4.5),
    *[(word, (), 4.0) for word in (c.filled_in_part, c.rank_of_part, c.colours_in_part)],
    *[(c.in_full_square, (side,), 4.5) for side in (2, 3)],
    *[(c.in_empty_square, (side,), 4.5) for side in (2, 3)],
]
TURNING = {
    *(c.neighbour, c.seen, c.steps_to_seen, c.colour_to_edge, c.row_number, c.column_number, c.row_from_end),
    *(c.column_from_end, c.row_plus_column, c.row_minus_column, o.row_in_object, o.column_in_object),
    *(o.row_rank_of_object, o.column_rank_of_object, o.number_of_object, c.colour_of_row, c.colour_of_column),
    *(
        c.filled_in_row,
        c.filled_in_column,
        o.height_of_object,
        o.width_of_object,
        o.mirror_symmetry_of_object,
    ),
    *(
        g.mirror,
        g.upside_down,
        g.transpose,
        g.antitranspose,
        g.turn_left,
        g.turn_right,
        g.fallen,
        g.half_turn,
    ),
    *(c.reading_number, g.overlaid_with_mirror, g.overlaid_with_upside_down),
}
REPEATS = [
    (word, divisor)
    for word in (
        c.row_number,
        c.column_number,
        c.row_plus_column,
        c.row_minus_column,
        c.row_from_end,
        c.column_from_end,
        c.border_distance,
    )
    for divisor in (2, 3)
]


@dataclass(frozen=True, eq=False)
class Test:
    """A question to every cell, as a program of 0s and 1s: a word on one or two planes."""

    word: object
    arguments: tuple
    cost: float

    def program(self, argument: Program) -> Program:
        """The mask as a program."""
        return call(self.word, *[p.program(argument) if isinstance(p, State) else p for p in self.arguments])

    def uses(self, words: set) -> bool:
        """Whether any of the words is in it."""
        return any(isinstance(given, State) and given.uses(words) for given in self.arguments)

    def state(self) -> State:
        """The mask as a state."""
        return State(Grid, column(self.word, self.arguments), self.cost, self.word, self.arguments)


def flat(state: State) -> np.ndarray:
    """All cells of a column of grids in one row."""
    return np.concatenate([np.asarray(value).ravel() for value in state.values])


def plane(word: object, base: State, literals: tuple, cost: float) -> State | None:
    """The state of a word on a base, when it keeps the base's shapes."""
    values = column(word, (base, *literals))
    if values is None or tuple(value.shape for value in values) != base.shapes:
        return None
    return State(base.kind, values, cost, word, (base, *literals))


def colour_planes(base: State) -> list[State]:
    """Planes of colours on a base, the base first."""
    found = [base] + [plane(word, base, literals, base.cost + cost) for word, literals, cost in COLOURS]
    return [state for state in found if state is not None]


def number_planes(base: State, colours: Sequence[int]) -> list[State]:
    """Planes of other numbers on a base."""
    found = [plane(word, base, literals, base.cost + cost) for word, literals, cost in NUMBERS]
    for colour in colours:
        for way in DIRECTIONS:
            found.append(plane(c.colour_to_edge, base, (colour, *way), base.cost + 5.5))
        for word, cost in ((c.touching, 4.5), (c.seeing, 5.0), (c.in_line_with, 5.0)):
            for kind in (0, 1):
                found.append(plane(word, base, (colour, kind), base.cost + cost + kind))
    for word, divisor in REPEATS:
        inner = plane(word, base, (), base.cost + 3.5)
        if inner is not None:
            found.append(plane(c.cells_modulo, inner, (divisor,), base.cost + 4.0))
    return [state for state in found if state is not None]


GLOBALS = [
    *[(o.number_of_objects, way) for way in ((0, 0), (1, 0), (1, 1))],
    *[(word, ()) for word in (o.number_of_colours, o.filled_cells, o.height, o.width, o.symmetries)],
]


def constant_planes(base: State, start: State) -> tuple[list[State], list[State]]:
    """Colours, and numbers, of the whole input in every cell of a base."""

    def told(word: object, literals: tuple, cost: float, start: State = start) -> State:
        values = column(word, (start, *literals))
        number = State(Int, values, 0.0, word, (start, *literals))
        shown = [g.like.kernel(grid, value) for grid, value in zip(base.values, values, strict=True)]
        return State(Grid, shown, base.cost + cost, g.like, (base, number))

    colours = [told(word, (), cost) for word, cost in ((g.most_common_colour, 4.0), (g.rarest_colour, 4.5))]
    for chosen in _chosen_objects(start):
        colours.append(told(g.most_common_colour, (), chosen.cost, chosen))
    return colours, [
        told(word, literals, 6.0) for word, literals in GLOBALS if _answers(word, start, literals)
    ]


def _chosen_objects(start: State) -> list[State]:
    """The largest, smallest and most holed objects of the whole input."""
    crops = State(List(Grid), column(o.object_crops, (start, 0, 0)) or [], 0.0, o.object_crops, (start, 0, 0))
    if not crops.values:
        return []
    found = []
    for word, measure, cost in (
        (o.largest_by, o.filled_cells, 5.0),
        (o.largest_by, o.box_area, 5.5),
        (o.smallest_by, o.filled_cells, 5.5),
        (o.largest_by, o.number_of_holes, 6.5),
    ):
        values = column(word, (measure, crops))
        if values is not None:
            found.append(State(Grid, values, cost, word, (measure, crops)))
    return found


def _answers(word: object, start: State, literals: tuple) -> bool:
    return column(word, (start, *literals)) is not None


class Tests:
    """Distinct tests as rows over all cells, labelled examples first; the first of equals stays."""

    def __init__(self, cells: int, most: int) -> None:
        self.cells, self.most = cells, most
        self.tests: list[Test] = []
        self.rows: list[np.ndarray] = []
        self._known: set[bytes] = set()

    def add(self, test: Test, answers: np.ndarray) -> None:
        """Keep a test unless it is constant or says the same as a kept one."""
        if len(self.rows) >= self.most:
            return
        packed = np.packbits(answers if answers[0] else ~answers).tobytes()
        if packed in self._known:
            return
        self._known.add(packed)
        if answers.all() or not answers.any():
            return
        self.tests.append(test)
        self.rows.append(answers)

    def values(self, state: State, labelled: int, ordered: bool) -> None:
        """Tests of equality with, and when `ordered` of order against, the numbers seen on labelled cells."""
        cells = flat(state)
        numbers = np.unique(cells[:labelled])
        if len(numbers) > MOST_VALUES:
            numbers = np.concatenate([numbers[: MOST_VALUES // 2], numbers[-MOST_VALUES // 2 :]])
        for number in numbers.tolist():
            self.add(Test(g.cells_are, (state, number), state.cost + 3.0), cells == number)
        if ordered and len(numbers) > 2:
            for number in numbers[:-1].tolist():
                self.add(Test(g.cells_at_most, (state, number), state.cost + 3.5), cells <= number)

    def below(self, places: Sequence[State], numbers: Sequence[State]) -> None:
        """Tests whether the place of a cell is less than a number of the whole input."""
        for place in places:
            for number in numbers:
                cost = place.cost + number.cost
                self.add(Test(g.cells_below, (place, number), cost), flat(place) < flat(number))

    def agreements(self, states: Sequence[State]) -> None:
        """Tests whether two planes show the same."""
        rows = [flat(state) for state in states]
        for one in range(len(states)):
            for other in range(one):
                cost = states[one].cost + states[other].cost + 2.0
                self.add(Test(g.cells_equal, (states[one], states[other]), cost), rows[one] == rows[other])
