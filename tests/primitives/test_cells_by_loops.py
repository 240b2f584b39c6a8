"""Words that tell every cell a number, against a loop over cells that says what the docstring says."""

import itertools

import pytest

from perennial.errors import NoAnswer
from perennial.primitives import vocabulary

WORD = vocabulary()
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
WAYS = ((0, 1), (1, 0), (-1, 1), (-1, -1))


def places(grid):
    return itertools.product(range(len(grid)), range(len(grid[0])))


def cell(grid, row, column, outside=None):
    inside = 0 <= row < len(grid) and 0 <= column < len(grid[0])
    return grid[row][column] if inside else outside


def around(grid, row, column, steps):
    """The cells at these steps that are inside."""
    found = [cell(grid, row + down, column + right) for down, right in steps]
    return [each for each in found if each is not None]


def around_some(grid, row, column, diagonal):
    return around(grid, row, column, SIDES + CORNERS if diagonal else SIDES)


def ahead(grid, row, column, down, right):
    """The cells on the way in a direction, the nearest first."""
    way = [(row + step * down, column + step * right) for step in range(1, 64)]
    return [cell(grid, *place) for place in way if cell(grid, *place) is not None]


def first_ahead(grid, row, column, down, right):
    return next((colour for colour in ahead(grid, row, column, down, right) if colour), 0)


def ways_of(kind):
    return CORNERS if kind else SIDES


def column_of(grid, column):
    return [line[column] for line in grid]


def filled(cells):
    return sum(colour != 0 for colour in cells)


def region(grid, row, column, diagonal):
    """The empty cells that are connected to an empty cell, that one included."""
    if grid[row][column]:
        return set()
    seen, waiting = {(row, column)}, [(row, column)]
    while waiting:
        r, c = waiting.pop()
        for down, right in SIDES + CORNERS if diagonal else SIDES:
            place = (r + down, c + right)
            if cell(grid, *place) == 0 and place not in seen:
                seen.add(place)
                waiting.append(place)
    return seen


def is_hole(grid, cells):
    ends = (0, len(grid) - 1), (0, len(grid[0]) - 1)
    return bool(cells) and not any(row in ends[0] or column in ends[1] for row, column in cells)


def in_square(grid, row, column, side, full):
    corners = itertools.product(range(row - side + 1, row + 1), range(column - side + 1, column + 1))
    squares = [
        [cell(grid, top + down, left + right) for down in range(side) for right in range(side)]
        for top, left in corners
    ]
    return int(any(None not in square and all((c != 0) == full for c in square) for square in squares))


def hole_rank(grid, row, column, diagonal):
    own = region(grid, row, column, diagonal)
    if not is_hole(grid, own):
        return 0
    holes = [region(grid, *place, diagonal) for place in places(grid)]
    return 1 + len({len(hole) for hole in holes if is_hole(grid, hole) and len(hole) > len(own)})


def rank_of_colour(grid, row, column):
    colours = [colour for line in grid for colour in line if colour]
    order = sorted(set(colours), key=lambda colour: (-colours.count(colour), colour))
    return order.index(grid[row][column]) + 1 if grid[row][column] else 0


LOOPS = {
    "neighbour": (
        lambda g, r, c, down, right: cell(g, r + down, c + right, -1),
        [(0, 1), (-2, 0), (1, -1), (0, 0), (70, 0), (0, -70)],
    ),
    "filled_neighbours": (lambda g, r, c, d: filled(around_some(g, r, c, d)), [(0,), (1,)]),
    "equal_neighbours": (lambda g, r, c, d: around_some(g, r, c, d).count(g[r][c]), [(0,), (1,)]),
    "neighbour_colour": (lambda g, r, c, d: max(around_some(g, r, c, d), default=0), [(0,), (1,)]),
    "colour_to_edge": (
        lambda g, r, c, colour, *way: int(colour in ahead(g, r, c, *way)),
        [(colour, *way) for colour in (1, 2) for way in WAYS],
    ),
    "steps_to_seen": (
        lambda g, r, c, *way: next((s for s, each in enumerate(ahead(g, r, c, *way), 1) if each), 0),
        WAYS,
    ),
    "touching": (
        lambda g, r, c, colour, kind: around(g, r, c, ways_of(kind)).count(colour),
        [(0, 0), (0, 1), (1, 0), (2, 1)],
    ),
    "seeing": (
        lambda g, r, c, colour, kind: [first_ahead(g, r, c, *way) for way in ways_of(kind)].count(colour),
        [(1, 0), (1, 1), (2, 0), (2, 1)],
    ),
    "in_line_with": (
        lambda g, r, c, colour, kind: sum(colour in ahead(g, r, c, *way) for way in ways_of(kind)),
        [(1, 0), (1, 1), (2, 0)],
    ),
    "directions_seen": (
        lambda g, r, c, kind: sum(any(ahead(g, r, c, *way)) for way in ways_of(kind)),
        [(0,), (1,)],
    ),
    "row_number": (lambda g, r, c: r, [()]),
    "column_number": (lambda g, r, c: c, [()]),
    "row_from_end": (lambda g, r, c: len(g) - 1 - r, [()]),
    "column_from_end": (lambda g, r, c: len(g[0]) - 1 - c, [()]),
    "border_distance": (lambda g, r, c: min(r, c, len(g) - 1 - r, len(g[0]) - 1 - c), [()]),
    "row_plus_column": (lambda g, r, c: r + c, [()]),
    "row_minus_column": (lambda g, r, c: r - c, [()]),
    "reading_number": (lambda g, r, c: r * len(g[0]) + c, [()]),
    "cells_modulo": (lambda g, r, c, by: g[r][c] % by if by else g[r][c], [(2,), (3,), (0,)]),
    "filled_in_row": (lambda g, r, c: filled(g[r]), [()]),
    "filled_in_column": (lambda g, r, c: filled(column_of(g, c)), [()]),
    "colour_of_row": (lambda g, r, c: max(g[r]), [()]),
    "colour_of_column": (lambda g, r, c: max(column_of(g, c)), [()]),
    "count_of_colour": (lambda g, r, c: sum(line.count(g[r][c]) for line in g), [()]),
    "colour_rank": (rank_of_colour, [()]),
    "in_full_square": (lambda g, r, c, side: in_square(g, r, c, side, True), [(1,), (2,), (3,)]),
    "in_empty_square": (lambda g, r, c, side: in_square(g, r, c, side, False), [(1,), (2,), (3,)]),
    "size_of_region": (lambda g, r, c, d: len(region(g, r, c, d)), [(0,), (1,)]),
    "enclosed": (lambda g, r, c, d: int(is_hole(g, region(g, r, c, d))), [(0,), (1,)]),
    "rank_of_hole": (hole_rank, [(0,), (1,)]),
    "distance_to_filled": (
        lambda g, r, c: min(max(abs(r - a), abs(c - b)) for a, b in places(g) if g[a][b]),
        [()],
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_every_cell_has_the_number_that_a_loop_finds(name, pictures):
    loop, settings = LOOPS[name]
    for grid, arguments in itertools.product(pictures, settings):
        expected = [
            [loop(grid, row, column, *arguments) for column in range(len(grid[0]))]
            for row in range(len(grid))
        ]
        received = WORD[name](grid, *arguments)
        assert list(map(list, received)) == expected, (grid, arguments)


def test_the_nearest_colour_is_that_of_a_filled_cell_that_no_other_is_nearer_than(pictures):
    for grid in pictures:
        seen = WORD["nearest_colour"](grid)
        for row, column in places(grid):
            steps = {(a, b): abs(row - a) + abs(column - b) for a, b in places(grid) if grid[a][b]}
            nearest = {grid[a][b] for (a, b), far in steps.items() if far == min(steps.values())}
            assert seen[row][column] in nearest, (grid, row, column)


@pytest.mark.parametrize("diagonal", [0, 1])
def test_a_colour_between_is_seen_on_both_sides_of_a_line_through_an_empty_cell(diagonal, pictures):
    lines = ((0, 1), (1, 0), (1, 1), (1, -1))[: 4 if diagonal else 2]
    for grid in pictures:
        received = WORD["colour_between"](grid, diagonal)
        for row, column in places(grid):
            both = {
                first_ahead(grid, row, column, down, right)
                for down, right in lines
                if first_ahead(grid, row, column, down, right)
                == first_ahead(grid, row, column, -down, -right)
            } - {0}
            allowed = both if both and not grid[row][column] else {0}
            assert received[row][column] in allowed, (grid, row, column)


def test_a_hole_takes_the_colour_that_touches_it_most_often(pictures):
    holes = 0
    for grid in pictures:
        received = WORD["colour_around"](grid)
        for row, column in places(grid):
            inside = region(grid, row, column, 0)
            if not is_hole(grid, inside):
                assert received[row][column] == 0
                continue
            holes += 1
            ring = {(r + d, c + s) for r, c in inside for d, s in SIDES} - inside
            colours = [grid[r][c] for r, c in ring]
            assert colours.count(received[row][column]) == max(map(colours.count, colours)), grid
    assert holes, "no picture has a hole"


@pytest.mark.parametrize("name", ["nearest_colour", "distance_to_filled"])
def test_in_an_empty_grid_there_is_nothing_near(name):
    with pytest.raises(NoAnswer, match="empty"):
        WORD[name](((0, 0), (0, 0)))


@pytest.mark.parametrize("name", ["in_full_square", "in_empty_square"])
@pytest.mark.parametrize("side", [-1, 0, 4, 10**9])
def test_no_cell_lies_in_a_square_that_does_not_fit(name, side):
    grid = ((0, 1, 2), (0, 0, 3), (4, 0, 0))
    assert WORD[name](grid, side) == ((0, 0, 0),) * 3


def test_what_is_outside_is_like_no_colour():
    assert WORD["equal_neighbours"](((-1, -1), (2, -1)), 0) == ((1, 2), (0, 1))


@pytest.mark.parametrize("name", ["steps_to_seen", "seen"])
def test_only_the_sign_of_a_direction_counts(name, pictures):
    for grid in pictures:
        assert WORD[name](grid, -7, 3) == WORD[name](grid, -1, 1)


def test_without_a_direction_nothing_is_ahead_and_a_cell_sees_itself(pictures):
    for grid in pictures:
        assert not any(map(any, WORD["steps_to_seen"](grid, 0, 0)))
        assert WORD["seen"](grid, 0, 0) == grid


# --- parts between lines ---

LINE = 9
PARTS = (
    ((0, 1, 1), (2, 0, 0)),
    ((3, 0, 0), (0, 0, 0)),
    ((2, 2, 1), (2, 1, 0)),
    ((0, 0, 0), (0, 0, 0)),
)


def lined(parts):
    """Four parts in a square, with lines between them."""
    upper, lower = [
        [(*left, LINE, *right) for left, right in zip(*pair, strict=True)] for pair in (parts[:2], parts[2:])
    ]
    return (*upper, (LINE,) * len(upper[0]), *lower)


def in_every_part(numbers):
    """The grid that gives every cell the number of its part, and 0 on the lines."""
    high, wide = len(PARTS[0]), len(PARTS[0][0])
    filled_parts = [((number,) * wide,) * high for number in numbers]
    return tuple(tuple(0 if c == LINE else c for c in line) for line in lined(filled_parts))


@pytest.mark.parametrize(
    "name, numbers",
    [
        ("filled_in_part", [3, 1, 5, 0]),
        ("rank_of_part", [2, 3, 1, 4]),
        ("colour_of_part", [1, 3, 2, 0]),
        ("colours_in_part", [2, 1, 2, 0]),
    ],
)
def test_parts_between_lines_are_measured_one_by_one(name, numbers):
    assert WORD[name](lined(PARTS)) == in_every_part(numbers)


@pytest.mark.parametrize("name", ["filled_in_part", "rank_of_part", "colour_of_part", "colours_in_part"])
def test_without_a_line_there_are_no_parts(name):
    with pytest.raises(NoAnswer, match="line"):
        WORD[name](((0, 1), (1, 0)))


def test_a_table_is_read_from_lines_and_written_back():
    grid = lined(PARTS)
    assert WORD["cells_between_lines"](grid) == PARTS
    small = WORD["table_of_lines"](grid)
    assert small == ((1, 3), (2, 0))
    assert WORD["table_of_lines"](WORD["table_filled"](grid, small)) == small
    with pytest.raises(NoAnswer, match="2 times 2 parts"):
        WORD["table_filled"](grid, ((1, 2, 3),))
