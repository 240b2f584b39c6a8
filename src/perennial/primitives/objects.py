"""Words for the objects of a grid: its connected parts, measuring them and choosing among them.

An object is a grid of the full size in which everything else is empty, so it keeps its place; `crop` cuts it
out. Two switches say what is connected: `diagonal` (1: cells that touch at a corner too) and `mixed` (1:
cells of different colours too). Words that end in `_of_object` tell each cell a number of its object.

>>> objects(((1, 0, 2),), 0, 0)
(((1, 0, 0),), ((0, 0, 2),))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang.ops import Primitive
from perennial.lang.types import Grid, Int, List
from perennial.primitives.grids import (
    DIRECTIONS,
    crop,
    displaced,
    grid_word,
)

MOST_OBJECTS, BORDER = 100, -1
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
SQUARE = np.ones((3, 3), dtype=int)


class Parts:
    """The connected parts: `labels` (0 outside, then 1 to `count` in reading order) and boxes."""

    def __init__(self, grid: np.ndarray, diagonal: int, mixed: int) -> None:
        self.grid = grid
        self.labels, self.count = _labelled(grid, SQUARE if diagonal else CROSS, bool(mixed))
        if self.count > MOST_OBJECTS:
            raise NoAnswer(f"The grid has {self.count} objects, more than {MOST_OBJECTS}.")
        numbers = self.labels.ravel()
        rows, columns = np.indices(grid.shape)
        size = self.count + 1
        self.size = np.bincount(numbers, minlength=size)
        self.top, self.left = (np.full(size, 999), np.full(size, 999))
        self.bottom, self.right = (np.full(size, -1), np.full(size, -1))
        np.minimum.at(self.top, numbers, rows.ravel())
        np.minimum.at(self.left, numbers, columns.ravel())
        np.maximum.at(self.bottom, numbers, rows.ravel())
        np.maximum.at(self.right, numbers, columns.ravel())
        self.height, self.width = self.bottom - self.top + 1, self.right - self.left + 1
        self._crops: list[np.ndarray] | None = None

    @property
    def crops(self) -> list[np.ndarray]:
        """Each part cut out, everything else in its box empty."""
        if self._crops is None:
            self._crops = []
            for part in range(1, self.count + 1):
                box = (
                    slice(self.top[part], self.bottom[part] + 1),
                    slice(self.left[part], self.right[part] + 1),
                )
                self._crops.append(np.where(self.labels[box] == part, self.grid[box], 0))
        return self._crops

    def spread(self, per_part: Any) -> np.ndarray:
        """A grid that gives every cell of a part its number, 0 elsewhere."""
        return np.concatenate([[0], np.asarray(per_part)]).astype(np.int16)[self.labels]


def _labelled(grid: np.ndarray, structure: np.ndarray, mixed: bool) -> tuple[np.ndarray, int]:
    from scipy import ndimage

    if mixed:
        return ndimage.label(grid != 0, structure)
    labels, count = np.zeros(grid.shape, dtype=np.int32), 0
    for colour in np.unique(grid[grid != 0]):
        found, number = ndimage.label(grid == colour, structure)
        labels[found > 0] = found[found > 0] + count
        count += number
    _, first, order = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(np.where(np.arange(len(first)) == 0, -1, first) if (labels == 0).any() else first)] = (
        np.arange(len(first))
    )
    shift = 0 if (labels == 0).any() else 1
    return (rank[order].reshape(grid.shape) + shift), count


@lru_cache(maxsize=512)
def _parts_of(cells: bytes, shape: tuple[int, int], diagonal: int, mixed: int) -> Parts:
    return Parts(np.frombuffer(cells, dtype=np.int16).reshape(shape), diagonal, mixed)


def parts_of(grid: np.ndarray, diagonal: int = 0, mixed: int = 0) -> Parts:
    """The connected parts of an array, remembered for the grids asked about last."""
    cells = np.ascontiguousarray(grid, dtype=np.int16).tobytes()
    return _parts_of(cells, grid.shape, int(diagonal != 0), int(mixed != 0))


# --- lists of objects ---


@grid_word
def objects(grid: Grid, diagonal: Int, mixed: Int) -> List[Grid]:
    """The connected parts that are not empty, each in its place, in reading order."""
    found = parts_of(grid, diagonal, mixed)
    return [np.where(found.labels == part, grid, 0) for part in range(1, found.count + 1)]


@grid_word
def object_crops(grid: Grid, diagonal: Int, mixed: Int) -> List[Grid]:
    """The connected parts that are not empty, each cut out, in reading order."""
    return list(parts_of(grid, diagonal, mixed).crops)


@grid_word
def object_boxes(grid: Grid, diagonal: Int, mixed: Int) -> List[Grid]:
    """The rectangle around each connected part, with everything that lies in it."""
    found = parts_of(grid, diagonal, mixed)
    return [
        grid[found.top[part] : found.bottom[part] + 1, found.left[part] : found.right[part] + 1]
        for part in range(1, found.count + 1)
    ]


@grid_word
def each_cropped(grids: List[Grid]) -> List[Grid]:
    """Each grid of a list cut to its cells that are not empty."""
    return [crop.kernel(grid) for grid in grids]


def _maximal_rectangle(full: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, height, width of the largest rectangle of true cells (by histogram heights)."""
    high, wide = full.shape
    heights = np.zeros(wide, dtype=int)
    best = (0, 0, 0, 0, 0)
    for row in range(high):
        heights = np.where(full[row], heights + 1, 0)
        for left in range(wide):
            if heights[left] == 0:
                continue
            lowest = np.minimum.accumulate(heights[left:])
            areas = lowest * np.arange(1, wide - left + 1)
            place = int(areas.argmax())
            if areas[place] > best[0]:
                best = (int(areas[place]), row - int(lowest[place]) + 1, left, int(lowest[place]), place + 1)
    return best[1:]


@grid_word
def largest_rectangle(grid: Grid) -> Grid:
    """The largest rectangle of one colour that is not 0, cut out with its colour."""
    best = max(
        (
            (found[2] * found[3], -colour, found)
            for colour in np.unique(grid[grid != 0]).tolist()
            for found in [_maximal_rectangle(grid == colour)]
        ),
        default=None,
    )
    if best is None:
        raise NoAnswer("The grid is empty.")
    top, left, high, wide = best[2]
    return grid[top : top + high, left : left + wide]


# --- measures: a grid to a number ---


@grid_word
def filled_cells(grid: Grid) -> Int:
    """How many cells are not empty."""
    return int((grid != 0).sum())


@grid_word
def number_of_colours(grid: Grid) -> Int:
    """How many colours there are, the empty one aside."""
    return len(np.unique(grid[grid != 0]))


@grid_word
def number_of_objects(grid: Grid, diagonal: Int, mixed: Int) -> Int:
    """How many connected parts are not empty."""
    return parts_of(grid, diagonal, mixed).count


@grid_word
def height(grid: Grid) -> Int:
    """How many rows."""
    return grid.shape[0]


@grid_word
def width(grid: Grid) -> Int:
    """How many columns."""
    return grid.shape[1]


@grid_word
def box_height(grid: Grid) -> Int:
    """Rows of the smallest rectangle around all cells that are not empty; 0 when there are none."""
    rows = (grid != 0).any(axis=1).nonzero()[0]
    return int(rows[-1] - rows[0] + 1) if len(rows) else 0


@grid_word
def box_width(grid: Grid) -> Int:
    """Columns of the smallest rectangle around all cells that are not empty; 0 when there are none."""
    columns = (grid != 0).any(axis=0).nonzero()[0]
    return int(columns[-1] - columns[0] + 1) if len(columns) else 0


@grid_word
def box_area(grid: Grid) -> Int:
    """Cells of the smallest rectangle around all cells that are not empty; 0 when there are none."""
    return box_height.kernel(grid) * box_width.kernel(grid)


@grid_word
def first_row(grid: Grid) -> Int:
    """The first row, from 0, with a cell that is not empty; -1 when there is none."""
    rows = (grid != 0).any(axis=1).nonzero()[0]
    return int(rows[0]) if len(rows) else -1


@grid_word
def first_column(grid: Grid) -> Int:
    """The first column, from 0, with a cell that is not empty; -1 when there is none."""
    columns = (grid != 0).any(axis=0).nonzero()[0]
    return int(columns[0]) if len(columns) else -1


@grid_word
def number_of_holes(grid: Grid) -> Int:
    """How many empty regions do not reach the border of the smallest rectangle around all cells."""
    from scipy import ndimage

    padded = np.pad(grid, 1)
    return int(ndimage.label(padded == 0)[1]) - 1


@grid_word
def symmetries(grid: Grid) -> Int:
    """How many of four mirrorings (sides, top and bottom, diagonals) leave the cropped grid as it is."""
    if not grid.any():
        return 4
    shape = crop.kernel(grid)
    number = int((shape == shape[:, ::-1]).all()) + int((shape == shape[::-1]).all())
    if shape.shape[0] == shape.shape[1]:
        number += int((shape == shape.T).all()) + int((shape == shape[::-1, ::-1].T).all())
    return number


@grid_word
def is_mirror_symmetric(grid: Grid) -> Int:
    """1 when the cropped grid equals itself with left and right exchanged, else 0."""
    if not grid.any():
        return 1
    shape = crop.kernel(grid)
    return int((shape == shape[:, ::-1]).all())


@grid_word
def rarest_count(grid: Grid) -> Int:
    """How many cells the rarest colour has; 0 in an empty grid."""
    counts = np.unique(grid[grid != 0], return_counts=True)[1]
    return int(counts.min()) if len(counts) else 0


@grid_word
def empty_cells(grid: Grid) -> Int:
    """How many cells are empty."""
    return int((grid == 0).sum())


@grid_word
def shape_code(grid: Grid) -> Int:
    """A number that two grids share when their cropped outlines are equal, whatever their colours."""
    import zlib

    shape = (crop.kernel(grid) != 0) if grid.any() else np.zeros((0, 0), dtype=bool)
    return zlib.crc32(shape.tobytes() + bytes(shape.shape))


@grid_word
def turned_shape_code(grid: Grid) -> Int:
    """A number that two grids share when one outline can be turned or mirrored into the other."""
    import zlib

    shape = (crop.kernel(grid) != 0) if grid.any() else np.zeros((0, 0), dtype=bool)
    return min(zlib.crc32(form.tobytes() + bytes(form.shape)) for form in _turned(shape))


@grid_word
def picture_code(grid: Grid) -> Int:
    """A number that two grids share when they are equal, colours included, once cropped."""
    import zlib

    shape = crop.kernel(grid) if grid.any() else np.zeros((0, 0), dtype=np.int16)
    return zlib.crc32(np.ascontiguousarray(shape).tobytes() + bytes(shape.shape))


def _turned(shape: np.ndarray) -> list[np.ndarray]:
    forms = [np.rot90(shape, turn) for turn in range(4)]
    return forms + [form[:, ::-1] for form in forms]


# --- choosing ---


def _choosing(function: Callable) -> Primitive:
    """A word from a function of numbers and grids that gives one of the grids, or all in an order."""

    def by_measure(measure: "Grid -> Int", grids: List[Grid]) -> Grid:
        return function([measure(grid) for grid in grids], grids)

    by_measure.__name__ = by_measure.__qualname__ = function.__name__
    by_measure.__doc__ = function.__doc__
    by_measure.__module__ = function.__module__
    if function.__annotations__["return"] == "tuple":
        by_measure.__annotations__["return"] = List(Grid)
    word = Primitive(by_measure)
    word.kernel = lambda measure, grids: function([measure.kernel(grid) for grid in grids], grids)
    return word


def _only(numbers: list[int], wanted: int, grids: Any) -> Any:
    found = [grid for grid, number in zip(grids, numbers, strict=True) if number == wanted]
    if any(not np.array_equal(grid, found[0]) for grid in found[1:]):
        raise NoAnswer("Several are best.")
    return found[0]


@_choosing
def largest_by(numbers, grids) -> Grid:
    """The grid of a list with the greatest measure; none when different grids share it."""
    if not grids:
        raise NoAnswer("The list is empty.")
    return _only(numbers, max(numbers), grids)


@_choosing
def smallest_by(numbers, grids) -> Grid:
    """The grid of a list with the smallest measure; none when different grids share it."""
    if not grids:
        raise NoAnswer("The list is empty.")
    return _only(numbers, min(numbers), grids)


@_choosing
def odd_one_out(numbers, grids) -> Grid:
    """The only grid of a list whose measure no other shares; none when there are several or none."""
    found = [place for place, number in enumerate(numbers) if numbers.count(number) == 1]
    if len(found) != 1 or len(grids) < 3:
        raise NoAnswer(f"{len(found)} of {len(grids)} grids stand alone.")
    return grids[found[0]]


@_choosing
def most_frequent_by(numbers, grids) -> Grid:
    """The first grid with the measure that most grids of the list share; none on a tie."""
    counts = sorted(((numbers.count(number), number) for number in set(numbers)), reverse=True)
    if not counts or (len(counts) > 1 and counts[0][0] == counts[1][0]):
        raise NoAnswer("No measure is shared by most.")
    return grids[numbers.index(counts[0][1])]


@_choosing
def ordered_by(numbers, grids) -> tuple:
    """The grids of a list from the smallest to the greatest measure; equal ones keep their order."""
    order = sorted(range(len(numbers)), key=lambda place: numbers[place])
    return type(grids)(grids[place] for place in order)


@grid_word
def only_largest_object(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
    """The grid with every object but the largest emptied; ties stay together."""
    found = parts_of(grid, diagonal, mixed)
    return np.where(found.spread(found.size[1:] == found.size[1:].max(initial=0)) != 0, grid, 0)


@grid_word
def without_largest_object(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
    """The grid with its largest object emptied; ties go together."""
    found = parts_of(grid, diagonal, mixed)
    return np.where(found.spread(found.size[1:] == found.size[1:].max(initial=0)) != 0, 0, grid)


@grid_word
def without_single_cells(grid: Grid) -> Grid:
    """The grid without objects of one cell (corners connect)."""
    found = parts_of(grid, 1, 0)
    return np.where(found.spread(found.size[1:] == 1) != 0, 0, grid)


def _step(way: int) -> tuple[int, int]:
    return DIRECTIONS[way % 4]


@grid_word
def objects_fallen(grid: Grid, direction: Int, diagonal: Int, mixed: Int) -> Grid:
    """Every object slides up (0), down (1), left (2) or right (3) until it meets another or the border."""
    found, (down, right) = parts_of(grid, diagonal, mixed), _step(direction)
    labels, result = found.labels, np.where(found.labels != 0, grid, 0)
    while True:
        resting = _resting(labels, found.count, down, right)
        moving = ~resting[labels]
        moving[labels == 0] = False
        if not moving.any():
            return result
        labels, result = (
            np.where(moving, 0, plane) + displaced(np.where(moving, plane, 0), down, right, 0)
            for plane in (labels, result)
        )


def _resting(labels: np.ndarray, count: int, down: int, right: int) -> np.ndarray:
    """Which parts cannot go one step: those at the border, and those that lie on such."""
    ahead = displaced(labels, -down, -right, BORDER)
    met = (labels != 0) & (ahead != 0) & (ahead != labels)
    pairs = np.unique(np.stack([labels[met], ahead[met]]), axis=1)
    resting = np.zeros(count + 1, dtype=bool)
    resting[pairs[0, pairs[1] == BORDER]] = True
    below = pairs[:, pairs[1] != BORDER]
    for _ in range(count):
        held = below[0, resting[below[1]] & ~resting[below[0]]]
        if not len(held):
            break
        resting[held] = True
    return resting


@grid_word
def drawn_to(grid: Grid, colour: Int, diagonal: Int) -> Grid:
    """Every object that has cells of one colour straight ahead moves towards them until it touches them or the border."""
    target = grid == colour
    if not target.any():
        raise NoAnswer("The colour is not there.")
    found = parts_of(np.where(target, 0, grid), diagonal, 1)
    result = np.where(target, grid, 0)
    for part in range(1, found.count + 1):
        mask = found.labels == part
        moves = [
            (steps - 1, way)
            for way in range(4)
            for steps in range(1, max(grid.shape))
            if (target & (displaced(mask, _step(way)[0] * steps, _step(way)[1] * steps, 0) != 0)).any()
        ]
        steps, way = min(moves, default=(0, 0))
        steps = min(steps, _room(found, part, grid.shape)[way])
        down, right = _step(way)[0] * steps, _step(way)[1] * steps
        place = displaced(mask, down, right, 0) != 0
        result[place] = displaced(np.where(mask, grid, 0), down, right, 0)[place]
    return result


def _room(found: Parts, part: int, shape: tuple[int, int]) -> tuple[int, ...]:
    """How many steps a part can go up, down, left and right within the frame."""
    return (
        int(found.top[part]), shape[0] - 1 - int(found.bottom[part]),
        int(found.left[part]), shape[1] - 1 - int(found.right[part]),
    )  # fmt: skip


# --- numbers of the object at each cell ---


def _object_plane(name: str, doc: str, numbers: Callable[[Parts], Any]):
    def plane(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
        found = parts_of(grid, diagonal, mixed)
        return found.spread(numbers(found)) if found.count else np.zeros(grid.shape, dtype=np.int16)

    plane.__name__ = plane.__qualname__ = name
    plane.__doc__ = doc
    return grid_word(plane)


def dense_rank(numbers: np.ndarray) -> np.ndarray:
    """1 for the smallest number, 2 for the next different one, and so on."""
    return np.unique(numbers, return_inverse=True)[1].reshape(-1) + 1


def _count_equal(codes: list) -> list[int]:
    return [codes.count(code) for code in codes]


def _colour_rank(found: Parts) -> list[int]:
    return [most_cells(part) for part in found.crops]


def most_cells(grid: np.ndarray) -> int:
    """The most common colour of an array that is not 0."""
    colours, counts = np.unique(grid[grid != 0], return_counts=True)
    return int(colours[counts.argmax()])


def least_cells(grid: np.ndarray) -> int:
    """The rarest colour of an array that is not 0."""
    colours, counts = np.unique(grid[grid != 0], return_counts=True)
    return int(colours[counts.argmin()])


def _touches(found: Parts) -> np.ndarray:
    high, wide = found.grid.shape
    return ((found.top == 0) | (found.left == 0) | (found.bottom == high - 1) | (found.right == wide - 1))[1:]


size_of_object = _object_plane(
    "size_of_object", "How many cells the object at the cell has.", lambda p: p.size[1:]
)
rank_of_object = _object_plane(
    "rank_of_object",
    "1 for the largest object, 2 for the next size, and so on.",
    lambda p: dense_rank(-p.size[1:]),
)
small_rank_of_object = _object_plane(
    "small_rank_of_object",
    "1 for the smallest object, 2 for the next size, and so on.",
    lambda p: dense_rank(p.size[1:]),
)
height_of_object = _object_plane(
    "height_of_object", "Rows of the object at the cell.", lambda p: p.height[1:]
)
width_of_object = _object_plane(
    "width_of_object", "Columns of the object at the cell.", lambda p: p.width[1:]
)
number_of_object = _object_plane(
    "number_of_object", "The place of the object in reading order, from 1.", lambda p: range(1, p.count + 1)
)
column_rank_of_object = _object_plane(
    "column_rank_of_object",
    "1 for the leftmost object, 2 for the next column, and so on.",
    lambda p: dense_rank(p.left[1:]),
)
row_rank_of_object = _object_plane(
    "row_rank_of_object",
    "1 for the topmost object, 2 for the next row, and so on.",
    lambda p: dense_rank(p.top[1:]),
)
holes_of_object = _object_plane(
    "holes_of_object",
    "How many holes the object has.",
    lambda p: [number_of_holes.kernel(c) for c in p.crops],
)
fullness_of_object = _object_plane(
    "fullness_of_object",
    "1 when the object fills its box, 0 otherwise.",
    lambda p: (p.size == p.height * p.width)[1:],
)
squareness_of_object = _object_plane(
    "squareness_of_object", "1 when the box of the object is a square.", lambda p: (p.height == p.width)[1:]
)
border_of_object = _object_plane(
    "border_of_object", "1 when the object touches the border of the grid.", _touches
)
symmetries_of_object = _object_plane(
    "symmetries_of_object",
    "How many of four mirrorings leave the object as it is.",
    lambda p: [symmetries.kernel(c) for c in p.crops],
)
mirror_symmetry_of_object = _object_plane(
    "mirror_symmetry_of_object",
    "1 when the object equals its mirror image.",
    lambda p: [is_mirror_symmetric.kernel(c) for c in p.crops],
)
copies_of_object = _object_plane(
    "copies_of_object",
    "How many objects have the outline of this one.",
    lambda p: _count_equal([shape_code.kernel(c) for c in p.crops]),
)
turned_copies_of_object = _object_plane(
    "turned_copies_of_object",
    "How many objects have the outline of this one, turned or mirrored.",
    lambda p: _count_equal([turned_shape_code.kernel(c) for c in p.crops]),
)
colours_of_object = _object_plane(
    "colours_of_object",
    "How many colours the object has.",
    lambda p: [number_of_colours.kernel(c) for c in p.crops],
)
main_colour_of_object = _object_plane(
    "main_colour_of_object", "The most common colour of the object.", _colour_rank
)
rare_colour_of_object = _object_plane(
    "rare_colour_of_object", "The rarest colour of the object.", lambda p: [least_cells(c) for c in p.crops]
)
same_size_of_object = _object_plane(
    "same_size_of_object",
    "How many objects have the size of this one.",
    lambda p: _count_equal(p.size[1:].tolist()),
)


@grid_word
def row_in_object(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
    """The row of a cell in the box of its object, from 1; 0 for empty cells."""
    found = parts_of(grid, diagonal, mixed)
    rows = np.indices(grid.shape)[0]
    return np.where(found.labels > 0, rows - found.top[found.labels] + 1, 0).astype(np.int16)


@grid_word
def column_in_object(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
    """The column of a cell in the box of its object, from 1; 0 for empty cells."""
    found = parts_of(grid, diagonal, mixed)
    columns = np.indices(grid.shape)[1]
    return np.where(found.labels > 0, columns - found.left[found.labels] + 1, 0).astype(np.int16)


@grid_word
def object_box_colour(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
    """The main colour of the object whose box holds the cell, the smallest box winning; 0 outside all."""
    found = parts_of(grid, diagonal, mixed)
    result = np.zeros(grid.shape, dtype=np.int16)
    areas = (found.height * found.width)[1:]
    for part in np.argsort(-areas, kind="stable") + 1:
        box = slice(found.top[part], found.bottom[part] + 1), slice(found.left[part], found.right[part] + 1)
        result[box] = most_cells(found.crops[part - 1])
    return result


@grid_word
def depth_in_box(grid: Grid, diagonal: Int, mixed: Int) -> Grid:
    """How far inside the box of its object a cell lies, from 1 at the edge; 0 outside all boxes."""
    found = parts_of(grid, diagonal, mixed)
    result = np.zeros(grid.shape, dtype=np.int16)
    rows, columns = np.indices(grid.shape)
    areas = (found.height * found.width)[1:]
    for part in np.argsort(-areas, kind="stable") + 1:
        top, left, bottom, right = found.top[part], found.left[part], found.bottom[part], found.right[part]
        depth = (
            np.minimum(np.minimum(rows - top, bottom - rows), np.minimum(columns - left, right - columns)) + 1
        )
        result = np.where(depth > 0, depth, result)
    return result.astype(np.int16)
