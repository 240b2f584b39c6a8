"""Words for the objects of a grid, against a flood fill and plain loops."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from perennial.errors import NoAnswer
from perennial.primitives import vocabulary
from perennial.primitives.objects import MOST_OBJECTS

WORD = vocabulary()
SWITCHES = tuple(itertools.product((0, 1), (0, 1)))
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


class Found:
    """One object: its cells, and what can be read off them."""

    def __init__(self, grid, cells):
        self.cells, self.rows, self.columns = cells, [r for r, _ in cells], [c for _, c in cells]
        self.top, self.left, self.bottom, self.right = (
            min(self.rows), min(self.columns), max(self.rows), max(self.columns),
        )  # fmt: skip
        self.height, self.width = self.bottom - self.top + 1, self.right - self.left + 1
        self.colours = Counter(grid[r][c] for r, c in cells)
        self.at_border = bool(
            {self.top, self.bottom - len(grid) + 1, self.left, self.right - len(grid[0]) + 1} & {0}
        )
        self.crop = np.zeros((self.height, self.width), dtype=int)
        for r, c in cells:
            self.crop[r - self.top, c - self.left] = grid[r][c]

    @property
    def outline(self):
        return tuple(map(tuple, (self.crop != 0).tolist()))

    @property
    def outlines(self):
        """The outline in all eight positions."""
        turned = [np.rot90(self.crop != 0, turn) for turn in range(4)]
        forms = turned + [form[:, ::-1] for form in turned]
        return {tuple(map(tuple, form.tolist())) for form in forms}

    def equals(self, other):
        return other.shape == self.crop.shape and (other == self.crop).all()

    @property
    def mirrorings(self):
        forms = [self.crop[:, ::-1], self.crop[::-1], self.crop.T, np.rot90(self.crop, 2).T]
        return sum(map(self.equals, forms))


def found_in(grid, diagonal, mixed):
    """The objects in reading order, by flood fill."""
    seen, objects = set(), []
    for start in itertools.product(range(len(grid)), range(len(grid[0]))):
        if start in seen or not grid[start[0]][start[1]]:
            continue
        cells, waiting = {start}, [start]
        while waiting:
            r, c = waiting.pop()
            for down, right in SIDES + CORNERS if diagonal else SIDES:
                a, b = r + down, c + right
                inside = 0 <= a < len(grid) and 0 <= b < len(grid[0])
                if inside and grid[a][b] and (a, b) not in cells and (mixed or grid[a][b] == grid[r][c]):
                    cells.add((a, b))
                    waiting.append((a, b))
        seen |= cells
        objects.append(Found(grid, cells))
    return objects


def rank(number, numbers):
    return 1 + len({other for other in numbers if other < number})


def holes(one):
    return int(ndimage.label(np.pad(one.crop, 1) == 0)[1]) - 1


MEASURES = {
    "size_of_object": lambda one, every: len(one.cells),
    "rank_of_object": lambda one, every: rank(-len(one.cells), [-len(each.cells) for each in every]),
    "small_rank_of_object": lambda one, every: rank(len(one.cells), [len(each.cells) for each in every]),
    "height_of_object": lambda one, every: one.height,
    "width_of_object": lambda one, every: one.width,
    "number_of_object": lambda one, every: every.index(one) + 1,
    "column_rank_of_object": lambda one, every: rank(one.left, [each.left for each in every]),
    "row_rank_of_object": lambda one, every: rank(one.top, [each.top for each in every]),
    "holes_of_object": lambda one, every: holes(one),
    "fullness_of_object": lambda one, every: int(len(one.cells) == one.height * one.width),
    "squareness_of_object": lambda one, every: int(one.height == one.width),
    "border_of_object": lambda one, every: int(one.at_border),
    "symmetries_of_object": lambda one, every: one.mirrorings,
    "mirror_symmetry_of_object": lambda one, every: int(one.equals(one.crop[:, ::-1])),
    "copies_of_object": lambda one, every: [each.outline for each in every].count(one.outline),
    "turned_copies_of_object": lambda one, every: sum(each.outline in one.outlines for each in every),
    "colours_of_object": lambda one, every: len(one.colours),
    "same_size_of_object": lambda one, every: sum(len(each.cells) == len(one.cells) for each in every),
}


def spread(grid, objects, number):
    """A grid with a number of each object in its cells."""
    result = [[0] * len(grid[0]) for _ in grid]
    for one in objects:
        for r, c in one.cells:
            result[r][c] = number(one, (r, c))
    return tuple(map(tuple, result))


@pytest.mark.parametrize("name", MEASURES)
def test_every_cell_of_an_object_has_the_number_of_its_object(name, pictures):
    for grid, switches in itertools.product(pictures, SWITCHES):
        objects = found_in(grid, *switches)
        expected = spread(grid, objects, lambda one, _, objects=objects: MEASURES[name](one, objects))
        assert WORD[name](grid, *switches) == expected, (grid, switches)


@pytest.mark.parametrize("name", [*MEASURES, "main_colour_of_object", "rare_colour_of_object"])
def test_a_grid_without_objects_has_no_numbers_of_them(name):
    assert WORD[name](((0, 0, 0),), 0, 0) == ((0, 0, 0),)


@pytest.mark.parametrize("name, best", [("main_colour_of_object", max), ("rare_colour_of_object", min)])
def test_the_colour_of_an_object_is_one_that_no_other_beats(name, best, pictures):
    for grid, switches in itertools.product(pictures, SWITCHES):
        received = WORD[name](grid, *switches)
        for one in found_in(grid, *switches):
            [colour] = {received[r][c] for r, c in one.cells}
            assert one.colours[colour] == best(one.colours.values()), (grid, switches)


def test_a_cell_knows_its_row_and_column_in_the_box_of_its_object(pictures):
    for grid, switches in itertools.product(pictures, SWITCHES):
        objects = found_in(grid, *switches)
        rows = spread(grid, objects, lambda one, place: place[0] - one.top + 1)
        columns = spread(grid, objects, lambda one, place: place[1] - one.left + 1)
        assert WORD["row_in_object"](grid, *switches) == rows
        assert WORD["column_in_object"](grid, *switches) == columns


def boxes_over(objects, row, column):
    """The objects whose box holds a place and that no smaller box covers there."""
    over = [one for one in objects if one.top <= row <= one.bottom and one.left <= column <= one.right]
    smallest = min((one.height * one.width for one in over), default=0)
    return [one for one in over if one.height * one.width == smallest]


def depth(one, row, column):
    return 1 + min(row - one.top, one.bottom - row, column - one.left, one.right - column)


def test_the_smallest_box_over_a_cell_gives_it_depth_and_colour(pictures):
    for grid, switches in itertools.product(pictures, SWITCHES):
        objects = found_in(grid, *switches)
        depths = WORD["depth_in_box"](grid, *switches)
        colours = WORD["object_box_colour"](grid, *switches)
        for row, column in itertools.product(range(len(grid)), range(len(grid[0]))):
            over = boxes_over(objects, row, column)
            assert depths[row][column] in ({depth(one, row, column) for one in over} or {0})
            most = {
                colour for one in over for colour, n in one.colours.items() if n == max(one.colours.values())
            }
            assert colours[row][column] in (most or {0})


def test_objects_keep_their_place_are_cut_out_and_boxed(pictures):
    for grid, switches in itertools.product(pictures, SWITCHES):
        expected = found_in(grid, *switches)
        whole = WORD["objects"](grid, *switches)
        crops = WORD["object_crops"](grid, *switches)
        boxes = WORD["object_boxes"](grid, *switches)
        assert len(whole) == len(crops) == len(boxes) == len(expected)
        assert WORD["number_of_objects"](grid, *switches) == len(expected)
        for one, kept, cut, box in zip(expected, whole, crops, boxes, strict=True):
            assert kept == spread(grid, [one], lambda _, place, grid=grid: grid[place[0]][place[1]])
            assert cut == tuple(map(tuple, one.crop.tolist()))
            lines = grid[one.top : one.bottom + 1]
            assert box == tuple(line[one.left : one.right + 1] for line in lines)
        assert WORD["overlaid"](whole) == grid
        assert WORD["each_cropped"](whole) == crops


def test_the_largest_objects_and_the_others_make_up_the_grid(pictures):
    for grid, switches in itertools.product(pictures, SWITCHES):
        objects = found_in(grid, *switches)
        most = max(len(one.cells) for one in objects)
        largest = spread(
            grid,
            [one for one in objects if len(one.cells) == most],
            lambda _, place, grid=grid: grid[place[0]][place[1]],
        )
        only = WORD["only_largest_object"](grid, *switches)
        assert only == largest
        assert WORD["overlaid"]((only, WORD["without_largest_object"](grid, *switches))) == grid


def test_single_cells_go_and_all_others_stay(pictures):
    for grid in pictures:
        larger = [one for one in found_in(grid, 1, 0) if len(one.cells) > 1]
        expected = spread(grid, larger, lambda _, place, grid=grid: grid[place[0]][place[1]])
        assert WORD["without_single_cells"](grid) == expected


def test_a_grid_of_more_objects_than_are_allowed_has_no_answer():
    crowded = tuple(tuple((row + column) % 2 for column in range(20)) for row in range(20))
    assert WORD["number_of_objects"](crowded, 1, 0) == 1
    with pytest.raises(NoAnswer, match=f"more than {MOST_OBJECTS}"):
        WORD["number_of_objects"](crowded, 0, 0)


# --- measures of a whole grid ---


def rectangles(grid):
    """The area of every rectangle of one colour, with the rectangle."""
    high, wide = len(grid), len(grid[0])
    for top, left in itertools.product(range(high), range(wide)):
        for bottom, right in itertools.product(range(top + 1, high + 1), range(left + 1, wide + 1)):
            block = tuple(line[left:right] for line in grid[top:bottom])
            if len({c for line in block for c in line}) == 1 and block[0][0]:
                yield (bottom - top) * (right - left), block


def test_no_rectangle_of_one_colour_is_larger_than_the_largest(pictures):
    for grid in pictures:
        known = dict.fromkeys(rectangles(grid))
        received = WORD["largest_rectangle"](grid)
        assert (len(received) * len(received[0]), received) in known
        assert len(received) * len(received[0]) == max(area for area, _ in known)


def test_measures_count_what_a_loop_counts(pictures):
    for grid in pictures:
        cells = [(r, c) for r, line in enumerate(grid) for c, colour in enumerate(line) if colour]
        colours = Counter(grid[r][c] for r, c in cells)
        rows, columns = sorted({r for r, _ in cells}), sorted({c for _, c in cells})
        high, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        expected = {
            "filled_cells": len(cells),
            "empty_cells": len(grid) * len(grid[0]) - len(cells),
            "number_of_colours": len(colours),
            "rarest_count": min(colours.values()),
            "height": len(grid),
            "width": len(grid[0]),
            "box_height": high,
            "box_width": wide,
            "box_area": high * wide,
            "first_row": rows[0],
            "first_column": columns[0],
        }
        assert {name: WORD[name](grid) for name in expected} == expected, grid


@pytest.mark.parametrize(
    "name, number",
    [
        ("filled_cells", 0), ("empty_cells", 6), ("number_of_colours", 0), ("rarest_count", 0),
        ("box_height", 0), ("box_width", 0), ("box_area", 0), ("first_row", -1), ("first_column", -1),
        ("number_of_holes", 0), ("symmetries", 4), ("is_mirror_symmetric", 1), ("most_common_colour", 0),
    ],
)  # fmt: skip
def test_an_empty_grid_is_measured_too(name, number):
    assert WORD[name](((0, 0, 0), (0, 0, 0))) == number


def moved_and_recoloured(grid):
    """The grid in a larger frame, with other colours."""
    wide = len(grid[0]) + 3
    inner = [(0, 0, *(5 * (c != 0) + c for c in line), 0) for line in grid]
    return ((0,) * wide, *inner)


def test_codes_are_shared_by_what_is_alike_and_by_nothing_else(pictures):
    crops = {}
    for grid in pictures:
        moved, turned = moved_and_recoloured(grid), WORD["turn_left"](WORD["mirror"](grid))
        assert WORD["shape_code"](grid) == WORD["shape_code"](moved)
        assert WORD["turned_shape_code"](grid) == WORD["turned_shape_code"](turned)
        assert WORD["picture_code"](grid) == WORD["picture_code"](WORD["crop"](grid))
        assert WORD["picture_code"](grid) != WORD["picture_code"](moved)
        crops.setdefault(WORD["picture_code"](grid), set()).add(WORD["crop"](grid))
    assert all(len(alike) == 1 for alike in crops.values())


# --- choosing and moving ---

THREE = (((1, 0),), ((2, 2),), ((0, 3),))


def test_grids_are_chosen_and_ordered_by_a_measure():
    filled, colours = WORD["filled_cells"], WORD["most_common_colour"]
    assert WORD["largest_by"](colours, THREE) == ((0, 3),)
    assert WORD["smallest_by"](colours, THREE) == ((1, 0),)
    assert WORD["odd_one_out"](filled, THREE) == ((2, 2),)
    assert WORD["most_frequent_by"](filled, THREE) == ((1, 0),)
    assert WORD["ordered_by"](filled, THREE) == (THREE[0], THREE[2], THREE[1])


@pytest.mark.parametrize(
    "name, grids",
    [
        ("smallest_by", ()),
        ("smallest_by", THREE),  # two grids of one filled cell that differ
        ("odd_one_out", THREE[:2]),
        ("most_frequent_by", ()),
        ("most_frequent_by", THREE[:2]),
    ],
)
def test_a_choice_that_is_not_clear_has_no_answer(name, grids):
    with pytest.raises(NoAnswer):
        WORD[name](WORD["filled_cells"], grids)


def test_equal_grids_may_share_the_best_measure():
    twice = (THREE[1], THREE[0], THREE[1])
    assert WORD["largest_by"](WORD["filled_cells"], twice) == THREE[1]


@pytest.mark.parametrize(
    "direction, expected",
    [
        (0, ((1, 1, 2), (3, 0, 0), (0, 0, 0))),
        (1, ((0, 0, 0), (1, 1, 0), (3, 0, 2))),
        (2, ((1, 1, 0), (2, 0, 0), (3, 0, 0))),
        (3, ((0, 1, 1), (0, 0, 2), (0, 0, 3))),
    ],
)
def test_objects_fall_until_they_meet_another_or_the_border(direction, expected):
    grid = ((1, 1, 0), (0, 0, 2), (3, 0, 0))
    assert WORD["objects_fallen"](grid, direction, 0, 0) == expected


@pytest.mark.parametrize("direction", range(4))
def test_what_has_fallen_keeps_its_cells_and_does_not_fall_again(direction, pictures):
    for grid in pictures:
        fallen = WORD["fallen"](grid, direction)
        assert WORD["fallen"](fallen, direction) == fallen
        lines = (zip(*grid, strict=True), zip(*fallen, strict=True)) if direction < 2 else (grid, fallen)
        for before, after in zip(*lines, strict=True):
            kept = [colour for colour in before if colour]
            gap = [0] * (len(before) - len(kept))
            assert list(after) == (kept + gap if direction in (0, 2) else gap + kept)


def test_objects_are_drawn_to_a_colour_straight_ahead_and_stop_before_it():
    grid = (
        (1, 0, 0, 0, 8),
        (0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0),
        (0, 3, 0, 0, 0),
        (0, 0, 0, 2, 8),
    )
    moved = WORD["drawn_to"](grid, 8, 0)
    assert moved == (
        (0, 0, 0, 1, 8),
        (0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0),
        (0, 3, 0, 0, 0),  # nothing of that colour straight ahead
        (0, 0, 0, 2, 8),  # touches already
    )
    with pytest.raises(NoAnswer, match="not there"):
        WORD["drawn_to"](grid, 7, 0)


def test_an_object_under_an_overhang_stays_under_it():
    grid = ((1, 1), (1, 2), (1, 0), (0, 0), (0, 0), (0, 0))
    assert WORD["objects_fallen"](grid, 1, 0, 0) == ((0, 0), (0, 0), (0, 0), (1, 1), (1, 0), (1, 2))


@pytest.mark.parametrize("direction", range(4))
def test_fallen_objects_keep_their_shape_and_order_and_rest_on_something(direction, pictures):
    down, right = ((-1, 0), (1, 0), (0, -1), (0, 1))[direction]
    for grid in pictures:
        before = WORD["objects"](grid, 0, 1)
        fallen = WORD["objects_fallen"](grid, direction, 0, 1)
        assert WORD["objects_fallen"](fallen, direction, 0, 1) == fallen
        assert sorted(c for row in fallen for c in row) == sorted(c for row in grid for c in row)
        lines = (zip(*grid, strict=True), zip(*fallen, strict=True)) if down else (grid, fallen)
        for one, other in zip(*lines, strict=True):  # nothing overtakes anything on its way
            assert [c for c in one if c] == [c for c in other if c]
        if len(before) == 1:
            assert WORD["crop"](before[0]) == WORD["crop"](fallen)


def test_a_hollow_object_is_not_pushed_out_of_the_grid():
    grid = ((1, 0, 0, 0, 2), (1, 1, 1, 1, 0))
    assert WORD["drawn_to"](grid, 2, 0) == ((0, 1, 0, 0, 2), (0, 1, 1, 1, 1))
