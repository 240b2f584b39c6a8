"""Laws of the words for whole grids: turning, cutting, joining, colouring, completing; and plain definitions."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import NoAnswer
from perennial.lang import Grid
from perennial.primitives import vocabulary
from perennial.primitives.grids import LARGEST_CELL, LONGEST_SIDE
from perennial.testing.language import values_of

WORD = vocabulary()
GRIDS = values_of(Grid)
TURNS = ("mirror", "upside_down", "half_turn", "turn_right", "turn_left", "transpose", "antitranspose")
WIDE = ((1,) * LONGEST_SIDE,)
HIGH = tuple((1,) for _ in range(LONGEST_SIDE))


def after(*names):
    """The words one after another."""

    def run(grid):
        for name in names:
            grid = WORD[name](grid)
        return grid

    return run


def colours_of(grid):
    return [colour for line in grid for colour in line]


# --- turning: the eight symmetries of a square ---


@pytest.mark.parametrize(
    "names",
    [
        ("mirror",) * 2, ("upside_down",) * 2, ("half_turn",) * 2, ("transpose",) * 2, ("antitranspose",) * 2,
        ("turn_right",) * 4, ("turn_left",) * 4, ("turn_left", "turn_right"),
        ("mirror", "upside_down", "half_turn"), ("transpose", "antitranspose", "half_turn"),
        ("transpose", "mirror", "turn_left"), ("turn_right", "turn_right", "half_turn"),
    ],
    ids="-".join,
)  # fmt: skip
@settings(max_examples=30)
@given(GRIDS)
def test_these_turns_together_change_nothing(names, grid):
    assert after(*names)(grid) == grid


@settings(max_examples=30)
@given(GRIDS)
def test_any_two_turns_are_one_of_the_eight(grid):
    single = {grid, *(WORD[name](grid) for name in TURNS)}
    assert {after(*pair)(grid) for pair in itertools.product(TURNS, TURNS)} == single


@settings(max_examples=30)
@given(GRIDS, GRIDS)
def test_turning_what_was_joined_is_joining_what_was_turned(left, right):
    right = tuple(right[place % len(right)] for place in range(len(left)))
    mirrored = WORD["beside"](WORD["mirror"](right), WORD["mirror"](left))
    assert WORD["mirror"](WORD["beside"](left, right)) == mirrored
    columns = map(WORD["transpose"], (left, right))
    assert WORD["transpose"](WORD["beside"](left, right)) == WORD["above"](*columns)


# --- cutting and joining ---


@settings(max_examples=40)
@given(GRIDS)
def test_halves_and_the_line_between_them_are_the_grid(grid):
    high, wide = len(grid), len(grid[0])
    if high > 1:
        middle = grid[high // 2 : high // 2 + high % 2]
        assert (*WORD["top_half"](grid), *middle, *WORD["bottom_half"](grid)) == grid
    if wide > 1:
        left, right = WORD["left_half"](grid), WORD["right_half"](grid)
        middle = [line[wide // 2 : wide // 2 + wide % 2] for line in grid]
        assert tuple((*a, *b, *c) for a, b, c in zip(left, middle, right, strict=True)) == grid


@settings(max_examples=40)
@given(GRIDS)
def test_rows_columns_and_parts_put_together_are_the_grid(grid):
    assert WORD["stacked"](WORD["rows_of"](grid)) == grid
    assert WORD["side_by_side"](WORD["columns_of"](grid)) == grid
    cells = WORD["parts"](grid, len(grid), len(grid[0]))
    assert cells == tuple(((colour,),) for colour in colours_of(grid))
    assert WORD["parts"](grid, 1, 1) == (grid,)


@settings(max_examples=40)
@given(GRIDS, st.integers(1, 4), st.integers(1, 4))
def test_growing_and_cutting_back_gives_the_grid(grid, rows, columns):
    assert WORD["shrink"](WORD["scale"](grid, rows), rows) == grid
    assert WORD["parts"](WORD["tile"](grid, rows, columns), rows, columns) == (grid,) * (rows * columns)
    assert WORD["trim"](WORD["frame"](grid, rows)) == grid
    stretched = WORD["stretch"](grid, rows, columns)
    assert stretched == tuple(map(tuple, np.kron(grid, np.ones((rows, columns), dtype=int)).tolist()))
    assert WORD["top_rows"](WORD["above"](grid, grid), len(grid)) == grid
    assert WORD["left_columns"](WORD["beside"](grid, grid), len(grid[0])) == grid


@settings(max_examples=40)
@given(GRIDS, st.integers(2, 4))
def test_an_unscaled_grid_cannot_be_unscaled_once_more(grid, factor):
    small = WORD["unscaled"](WORD["scale"](grid, factor))
    assert WORD["scale"](small, factor * len(grid) // len(small)) == WORD["scale"](grid, factor)
    with pytest.raises(NoAnswer):
        WORD["unscaled"](small)


def repeats(grid, rows, columns):
    """Whether the upper left corner of that size gives the grid when it is repeated, the last copies cut off."""
    places = itertools.product(range(len(grid)), range(len(grid[0])))
    return all(grid[r][c] == grid[r % rows][c % columns] for r, c in places)


@settings(max_examples=40)
@given(GRIDS, st.integers(1, 3), st.integers(1, 3))
def test_no_tile_is_smaller_than_the_smallest(grid, rows, columns):
    whole = WORD["tile"](grid, rows, columns)
    sizes = itertools.product(range(1, len(whole) + 1), range(1, len(whole[0]) + 1))
    high, wide = min((size for size in sizes if repeats(whole, *size)), key=lambda size: size[0] * size[1])
    assert WORD["smallest_tile"](whole) == tuple(line[:wide] for line in whole[:high])
    assert high <= len(grid) and wide <= len(grid[0])


@settings(max_examples=40)
@given(GRIDS)
def test_a_crop_keeps_every_filled_cell_and_is_tight(grid):
    if not any(colours_of(grid)):
        return
    small = WORD["crop"](grid)
    assert Counter(filter(None, colours_of(small))) == Counter(filter(None, colours_of(grid)))
    assert all(any(line) for line in (small[0], small[-1], [r[0] for r in small], [r[-1] for r in small]))
    assert WORD["crop"](WORD["frame"](small, 0)) == small


@settings(max_examples=40)
@given(GRIDS)
def test_lines_that_say_nothing_are_left_out(grid):
    unlike = WORD["without_repeated_lines"](grid)
    assert WORD["without_repeated_lines"](WORD["scale"](grid, 2)) == unlike
    assert all(one != other for one, other in itertools.pairwise(unlike))
    if any(colours_of(grid)):
        full = WORD["without_empty_lines"](grid)
        assert all(map(any, full)) and all(map(any, zip(*full, strict=True)))
        assert WORD["without_empty_lines"](full) == full


@settings(max_examples=30)
@given(GRIDS)
def test_a_kaleidoscope_is_symmetric_and_a_pinwheel_looks_the_same_when_turned(grid):
    four = WORD["kaleidoscope"](grid)
    assert WORD["mirror"](four) == four == WORD["upside_down"](four)
    square = WORD["corner_square"](grid)
    wheel = WORD["pinwheel"](square)
    assert WORD["turn_right"](wheel) == wheel
    assert WORD["left_half"](WORD["top_half"](wheel)) == square


# --- what does not fit has no answer ---


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("trim", (((1, 1), (1, 1)),)),
        ("top_half", (((1, 2),),)),
        ("bottom_half", (((1, 2),),)),
        ("left_half", (((1,), (2,)),)),
        ("right_half", (((1,), (2,)),)),
        ("top_rows", (((1,),), 0)),
        ("top_rows", (((1,),), 2)),
        ("left_columns", (((1,),), -1)),
        ("parts", (((1, 2, 3),), 1, 2)),
        ("parts", (((1, 2, 3),), 0, 1)),
        ("beside", (((1,),), ((1,), (2,)))),
        ("beside", (WIDE, ((1,),))),
        ("above", (((1,),), ((1, 2),))),
        ("above", (HIGH, ((1,),))),
        ("scale", (((1,) * 33,), 2)),
        ("stretch", (((1,), (1,)), 33, 1)),
        ("shrink", (((1,),), 0)),
        ("unscaled", (((1, 1), (1, 2)),)),
        ("tile", (((1, 2),), 1, 33)),
        ("tile", (((1, 2),), 0, 1)),
        ("kaleidoscope", (((1,) * 33,),)),
        ("pinwheel", (((1, 2),),)),
        ("frame", (WIDE, 1)),
        ("canvas", (0, 1, 1)),
        ("canvas", (1, LONGEST_SIDE + 1, 1)),
        ("side_by_side", ((),)),
        ("side_by_side", ((WIDE, WIDE),)),
        ("side_by_side", ((((1,),), ((1,), (1,))),)),
        ("stacked", ((),)),
        ("stacked", ((HIGH, HIGH),)),
        ("stacked", ((((1,),), ((1, 1),)),)),
        ("overlaid", ((((1,),), ((1, 1),)),)),
        ("overlaid", ((),)),
        ("grid_at", ((((1,),),), 1)),
        ("without_empty_lines", (((0,),),)),
        ("two_colours_exchanged", (((1, 2, 3),),)),
        ("two_colours_exchanged", (((1, 1),),)),
        ("keep_most_common", (((0, 0),),)),
        ("colour_bars", (((0,),),)),
        ("colour_bars", (((1,) * 40, (1,) * 40),)),
        ("cells_in_a_row", (((0,),),)),
        ("cells_in_a_row", (((1,) * 40, (1,) * 40),)),
        ("overlaid_with_transpose", (((1, 0),),)),
        ("completed_by_symmetry", (((1, 2), (3, 4)), 0)),
        ("completed_by_period", (((1, 1, 1, 1),), 0)),
        ("completed_by_period", (((1, 0, 2, 3, 4, 5),), 0)),
        ("patch", (((1,),), ((1,),))),
        ("patch", (((1,),), ((1, 2),))),
        ("where", (((1,),), ((1,),), ((1, 2),))),
        ("cells_below", (((1,),), ((1, 2),))),
        ("mirror", ((((1,) * (LONGEST_SIDE + 1)),),)),
    ],
)  # fmt: skip
def test_what_cannot_be_a_grid_has_no_answer(name, arguments):
    with pytest.raises(NoAnswer):
        WORD[name](*arguments)


def test_the_largest_grids_and_cells_are_still_taken():
    assert WORD["canvas"](LONGEST_SIDE, LONGEST_SIDE, 3) == ((3,) * LONGEST_SIDE,) * LONGEST_SIDE
    assert WORD["scale"](((1, 2),), LONGEST_SIDE // 2)[-1] == (1,) * 32 + (2,) * 32
    assert WORD["mirror"](((-(10**9), 10**9),)) == ((LARGEST_CELL, -LARGEST_CELL),)
    assert WORD["like"](((1, 2),), 10**9) == ((LARGEST_CELL,) * 2,)


# --- colours ---


@settings(max_examples=60)
@given(GRIDS)
def test_colours_are_ranked_by_their_counts(grid):
    counts = Counter(filter(None, colours_of(grid)))
    if not counts:
        return
    order = sorted(counts, key=lambda colour: (-counts[colour], colour))
    rarest = min(counts, key=lambda colour: (counts[colour], colour))
    every = Counter(colours_of(grid))
    assert WORD["most_common_colour"](grid) == order[0]
    assert WORD["rarest_colour"](grid) == rarest
    assert WORD["background"](grid) == min(every, key=lambda colour: (-every[colour], colour))
    assert WORD["colour_column"](grid) == tuple((colour,) for colour in order)
    layers = WORD["colour_layers"](grid)
    assert layers == tuple(WORD["keep_colour"](grid, colour) for colour in order)
    bars = WORD["colour_bars"](grid)
    assert [sum(map(bool, bar)) for bar in bars] == [counts[colour] for colour in order]
    assert [bar[0] for bar in bars] == order
    assert WORD["cells_in_a_row"](grid) == (tuple(filter(None, colours_of(grid))),)
    for kind, colour in (("most_common", order[0]), ("rarest", rarest)):
        assert WORD[f"keep_{kind}"](grid) == WORD["keep_colour"](grid, colour)
        assert WORD[f"without_{kind}"](grid) == WORD["without_colour"](grid, colour)


def recoloured_by(rule, grid):
    return tuple(tuple(map(rule, line)) for line in grid)


@settings(max_examples=40)
@given(GRIDS, st.integers(0, 9), st.integers(0, 9))
def test_every_cell_is_coloured_as_it_says(grid, one, other):
    exchanged = {one: other, other: one}
    rules = {
        "keep_colour": ((one,), lambda colour: colour if colour == one else 0),
        "without_colour": ((one,), lambda colour: 0 if colour == one else colour),
        "painted": ((one,), lambda colour: one if colour else 0),
        "swapped": ((one, other), lambda colour: exchanged.get(colour, colour)),
        "recoloured": (((one, other), (other, one)), lambda colour: exchanged.get(colour, colour)),
        "cells_are": ((one,), lambda colour: int(colour == one)),
        "cells_at_most": ((one,), lambda colour: int(colour <= one)),
        "like": ((one,), lambda colour: one),
    }
    for name, (arguments, rule) in rules.items():
        assert WORD[name](grid, *arguments) == recoloured_by(rule, grid), name


@settings(max_examples=40)
@given(GRIDS)
def test_the_inverse_fills_what_was_empty_and_empties_what_was_filled(grid):
    if any(colours_of(grid)):
        colour = WORD["most_common_colour"](grid)
        assert WORD["inverse"](grid) == recoloured_by(lambda cell: 0 if cell else colour, grid)
    if len(set(colours_of(grid))) == 2:
        assert after("two_colours_exchanged", "two_colours_exchanged")(grid) == grid
        assert WORD["two_colours_exchanged"](grid) == WORD["swapped"](grid, *set(colours_of(grid)))


# --- moving, comparing, completing ---


@settings(max_examples=60)
@given(GRIDS, st.integers(-6, 6), st.integers(-6, 6))
def test_moving_loses_what_leaves_and_rolling_brings_it_back(grid, down, right):
    high, wide = len(grid), len(grid[0])
    inside = [
        [
            (r - down, c - right) if 0 <= r - down < high and 0 <= c - right < wide else None
            for c in range(wide)
        ]
        for r in range(high)
    ]
    expected = recoloured_by(lambda place: grid[place[0]][place[1]] if place else 0, inside)
    assert WORD["moved"](grid, down, right) == expected
    rolled = WORD["rolled"](grid, down, right)
    assert rolled == tuple(map(tuple, np.roll(grid, (down, right), (0, 1)).tolist()))
    assert WORD["rolled"](rolled, -down, -right) == grid


@settings(max_examples=40)
@given(GRIDS, GRIDS)
def test_grids_of_one_shape_are_compared_cell_by_cell(grid, other):
    other = tuple(
        tuple(other[r % len(other)][c % len(other[0])] for c in range(len(grid[0]))) for r in range(len(grid))
    )
    pairs = [list(zip(*lines, strict=True)) for lines in zip(grid, other, strict=True)]
    assert WORD["cells_equal"](grid, other) == recoloured_by(lambda both: int(both[0] == both[1]), pairs)
    assert WORD["cells_below"](grid, other) == recoloured_by(lambda both: int(both[0] < both[1]), pairs)
    on_top = recoloured_by(lambda both: both[0] or both[1], pairs)
    assert WORD["overlaid"]((grid, other)) == on_top == WORD["where"](grid, grid, other)
    if grid != other:
        piece = WORD["patch"](grid, other)
        rows = [r for r, line in enumerate(pairs) if any(a != b for a, b in line)]
        columns = [c for c, line in enumerate(zip(*pairs, strict=True)) if any(a != b for a, b in line)]
        box = grid[rows[0] : rows[-1] + 1]
        assert piece == tuple(line[columns[0] : columns[-1] + 1] for line in box)


@settings(max_examples=30)
@given(GRIDS)
def test_empty_cells_take_the_colour_across(grid):
    for name, turn in (
        ("overlaid_with_mirror", "mirror"),
        ("overlaid_with_upside_down", "upside_down"),
    ):
        assert WORD[name](grid) == WORD["overlaid"]((grid, WORD[turn](grid)))
    square = WORD["corner_square"](grid)
    expected = WORD["overlaid"]((square, WORD["transpose"](square)))
    assert WORD["overlaid_with_transpose"](square) == expected


HOLE = 9


def holed(grid, places):
    return tuple(
        tuple(HOLE if (r, c) in places else colour for c, colour in enumerate(line))
        for r, line in enumerate(grid)
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_hole_in_a_symmetric_picture_is_filled_again(seed):
    generator = np.random.default_rng(seed)
    quarter = tuple(map(tuple, generator.integers(0, 6, (5, 4)).tolist()))
    whole = WORD["kaleidoscope"](quarter)
    top, left = generator.integers(0, 3, 2).tolist()
    places = set(itertools.product(range(top, top + 2), range(left, left + 2)))
    assert WORD["completed_by_symmetry"](holed(whole, places), HOLE) == whole


@pytest.mark.parametrize("seed", range(6))
def test_a_hole_in_a_repeating_picture_is_filled_again(seed):
    generator = np.random.default_rng(seed)
    pattern = tuple(map(tuple, generator.integers(0, 6, (2, 3)).tolist()))
    whole = WORD["tile"](pattern, 4, 3)
    places = {tuple(place) for place in generator.integers(0, 4, (3, 2)).tolist()}
    assert WORD["completed_by_period"](holed(whole, places), HOLE) == whole


def test_of_several_periods_the_smallest_completes():
    grid = ((1, HOLE, HOLE, HOLE, 1, 2),)  # 1 1 2 repeated would agree as well
    assert WORD["completed_by_period"](grid, HOLE) == ((1, 2, 1, 2, 1, 2),)


def test_of_several_grids_one_is_taken_by_its_place():
    grids = (((1,),), ((2,),), ((3,),))
    assert [WORD["grid_at"](grids, place) for place in range(-3, 3)] == [*grids, *grids]
