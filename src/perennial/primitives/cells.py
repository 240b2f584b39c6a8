"""Words for what can be seen from a cell: each gives a grid of the same shape with a number in every cell.

Regions of empty cells, neighbours, the first colour in a direction, places, parts between lines, rows,
columns.

>>> seen(((0, 0, 5),), 0, 1)
((5, 5, 0),)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang.types import Grid, Int
from perennial.primitives.grids import DIRECTIONS, NOWHERE, OUTSIDE, displaced, grid_word, table_spans
from perennial.primitives.objects import CROSS, SQUARE, dense_rank, most_cells

# --- regions, neighbours, rays ---


@lru_cache(maxsize=256)
def _regions_of(cells: bytes, shape: tuple[int, int], diagonal: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy import ndimage

    grid = np.frombuffer(cells, dtype=np.int16).reshape(shape)
    labels, count = ndimage.label(grid == 0, SQUARE if diagonal else CROSS)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inside = np.ones(count + 1, dtype=bool)
    inside[edge] = False
    inside[0] = False
    return labels, inside


def _regions(grid: np.ndarray, diagonal: int) -> tuple[np.ndarray, np.ndarray]:
    cells = np.ascontiguousarray(grid, dtype=np.int16).tobytes()
    return _regions_of(cells, grid.shape, int(diagonal != 0))


@grid_word
def enclosed(grid: Grid, diagonal: Int) -> Grid:
    """1 in empty cells from which no way of empty cells leads to the border, else 0."""
    labels, inside = _regions(grid, diagonal)
    return inside[labels].astype(np.int16)


@grid_word
def size_of_region(grid: Grid, diagonal: Int) -> Grid:
    """In each empty cell, how many empty cells are connected to it; 0 elsewhere."""
    labels, _ = _regions(grid, diagonal)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return sizes[labels].astype(np.int16)


@grid_word
def rank_of_hole(grid: Grid, diagonal: Int) -> Grid:
    """In enclosed empty cells, 1 for the largest enclosed region, 2 for the next size; 0 elsewhere."""
    labels, inside = _regions(grid, diagonal)
    sizes = np.bincount(labels.ravel(), minlength=len(inside))
    ranks = np.zeros(len(inside), dtype=np.int16)
    if inside.any():
        ranks[inside] = dense_rank(-sizes[inside])
    return ranks[labels]


@grid_word
def colour_around(grid: Grid) -> Grid:
    """In enclosed empty cells, the most common colour that touches their region; 0 elsewhere."""
    labels, inside = _regions(grid, 0)
    result = np.zeros(grid.shape, dtype=np.int16)
    for region in inside.nonzero()[0]:
        cells = labels == region
        ring = np.zeros(grid.shape, dtype=bool)
        for down, right in DIRECTIONS[:4]:
            ring |= displaced(cells, down, right, 0) != 0
        around = grid[ring & ~cells]
        if len(around):
            result[cells] = most_cells(around)
    return result


@grid_word
def neighbour(grid: Grid, down: Int, right: Int) -> Grid:
    """Each cell shows the cell so far down and right of it; -1 where that is outside."""
    return displaced(grid, -down, -right, OUTSIDE)


@grid_word
def filled_neighbours(grid: Grid, diagonal: Int) -> Grid:
    """How many of the 4 or 8 cells around are not empty."""
    total = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[: 8 if diagonal else 4]:
        total += displaced(grid, down, right, 0) != 0
    return total


@grid_word
def equal_neighbours(grid: Grid, diagonal: Int) -> Grid:
    """How many of the 4 or 8 cells around have the colour of the cell."""
    total = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[: 8 if diagonal else 4]:
        total += displaced(grid, down, right, NOWHERE) == grid
    return total


@grid_word
def neighbour_colour(grid: Grid, diagonal: Int) -> Grid:
    """The greatest colour among the 4 or 8 cells around."""
    result = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[: 8 if diagonal else 4]:
        result = np.maximum(result, displaced(grid, down, right, 0))
    return result


@grid_word
def seen(grid: Grid, down: Int, right: Int) -> Grid:
    """The first colour that is not empty on the way from each cell in a direction (steps of -1, 0 or 1)."""
    return _seen(grid, int(np.sign(down)), int(np.sign(right)))


def _seen(grid: np.ndarray, down: int, right: int) -> np.ndarray:
    if not (down or right):
        return np.array(grid)
    result = displaced(grid, -down, -right, 0)
    for _ in range(int(np.ceil(np.log2(max(grid.shape) + 1)))):
        step = 2**_
        result = np.where(result == 0, displaced(result, -down * step, -right * step, 0), result)
    return result


@grid_word
def colour_to_edge(grid: Grid, colour: Int, down: Int, right: Int) -> Grid:
    """1 where a cell of a colour lies in a direction, whatever is in between, else 0."""
    only = np.where(grid == colour, np.int16(1), np.int16(0))
    return _seen(only, int(np.sign(down)), int(np.sign(right)))


@grid_word
def steps_to_seen(grid: Grid, down: Int, right: Int) -> Grid:
    """How many steps in a direction to the first cell that is not empty; 0 when there is none."""
    down, right = int(np.sign(down)), int(np.sign(right))
    result, filled = np.zeros(grid.shape, dtype=np.int16), grid != 0
    if not (down or right):
        return result
    for steps in range(max(grid.shape), 0, -1):
        result[displaced(filled, -down * steps, -right * steps, 0) != 0] = steps
    return result


@grid_word
def colour_between(grid: Grid, diagonal: Int) -> Grid:
    """In empty cells between two of one colour, on a row, column or (1) diagonal, that colour; else 0."""
    result = np.zeros(grid.shape, dtype=np.int16)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))[: 4 if diagonal else 2]:
        ahead, behind = _seen(grid, down, right), _seen(grid, -down, -right)
        result = np.where((grid == 0) & (ahead == behind) & (ahead != 0), ahead, result)
    return result


@grid_word
def touching(grid: Grid, colour: Int, kind: Int) -> Grid:
    """How many of the cells at the sides (0) or corners (1) of each cell have a colour."""
    total = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[4:] if kind else DIRECTIONS[:4]:
        total += displaced(grid, down, right, OUTSIDE) == colour
    return total


@grid_word
def seeing(grid: Grid, colour: Int, kind: Int) -> Grid:
    """In how many of 4 straight (0) or diagonal (1) directions the first filled cell has a colour."""
    total = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[4:] if kind else DIRECTIONS[:4]:
        total += _seen(grid, down, right) == colour
    return total


@grid_word
def in_line_with(grid: Grid, colour: Int, kind: Int) -> Grid:
    """In how many of 4 straight (0) or diagonal (1) directions a colour lies, whatever is between."""
    only = np.where(grid == colour, np.int16(1), np.int16(0))
    total = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[4:] if kind else DIRECTIONS[:4]:
        total += _seen(only, down, right)
    return total


@grid_word
def directions_seen(grid: Grid, kind: Int) -> Grid:
    """In how many of 4 straight (0) or diagonal (1) directions there is a cell that is not empty."""
    total = np.zeros(grid.shape, dtype=np.int16)
    for down, right in DIRECTIONS[4:] if kind else DIRECTIONS[:4]:
        total += _seen(grid, down, right) != 0
    return total


# --- places ---


@grid_word
def row_number(grid: Grid) -> Grid:
    """The row of each cell, from 0."""
    return np.indices(grid.shape)[0].astype(np.int16)


@grid_word
def column_number(grid: Grid) -> Grid:
    """The column of each cell, from 0."""
    return np.indices(grid.shape)[1].astype(np.int16)


@grid_word
def row_from_end(grid: Grid) -> Grid:
    """The row of each cell counted from the last, from 0."""
    return (len(grid) - 1 - np.indices(grid.shape)[0]).astype(np.int16)


@grid_word
def column_from_end(grid: Grid) -> Grid:
    """The column of each cell counted from the last, from 0."""
    return (grid.shape[1] - 1 - np.indices(grid.shape)[1]).astype(np.int16)


@grid_word
def border_distance(grid: Grid) -> Grid:
    """Steps from each cell to the border, from 0."""
    rows, columns = np.indices(grid.shape)
    high, wide = grid.shape
    return np.minimum(np.minimum(rows, high - 1 - rows), np.minimum(columns, wide - 1 - columns)).astype(
        np.int16
    )


@grid_word
def row_plus_column(grid: Grid) -> Grid:
    """Row and column number added: the same along rising diagonals."""
    rows, columns = np.indices(grid.shape)
    return (rows + columns).astype(np.int16)


@grid_word
def row_minus_column(grid: Grid) -> Grid:
    """Row less column number: the same along falling diagonals."""
    rows, columns = np.indices(grid.shape)
    return (rows - columns).astype(np.int16)


@grid_word
def reading_number(grid: Grid) -> Grid:
    """The place of each cell in reading order, from 0."""
    return np.arange(grid.size, dtype=np.int16).reshape(grid.shape)


@grid_word
def cells_modulo(grid: Grid, divisor: Int) -> Grid:
    """What is left of each cell when divided; the cell itself when the divisor is not above 0."""
    return grid % np.int16(min(divisor, np.iinfo(np.int16).max)) if divisor > 0 else np.array(grid)


# --- parts between lines ---


def _part_numbers(grid: np.ndarray) -> tuple[np.ndarray, int]:
    """The number of the part between full lines that each cell lies in, from 1; 0 on the lines."""
    spans = table_spans(grid)
    labels = np.zeros(grid.shape, dtype=np.int32)
    number = 0
    for top, bottom in spans[0]:
        for left, right in spans[1]:
            number += 1
            labels[top:bottom, left:right] = number
    return labels, number


def _per_part(grid: np.ndarray, measure: Callable) -> np.ndarray:
    labels, count = _part_numbers(grid)
    numbers = [measure(grid[labels == part]) for part in range(1, count + 1)]
    return np.concatenate([[0], np.asarray(numbers)]).astype(np.int16)[labels]


@grid_word
def filled_in_part(grid: Grid) -> Grid:
    """In every cell between full straight lines, how many cells of its part are not empty; 0 on the lines."""
    return _per_part(grid, np.count_nonzero)


@grid_word
def rank_of_part(grid: Grid) -> Grid:
    """1 in the part between lines with most filled cells, 2 for the next number; 0 on the lines."""
    labels, count = _part_numbers(grid)
    counts = np.array([np.count_nonzero(grid[labels == part]) for part in range(1, count + 1)])
    return np.concatenate([[0], dense_rank(-counts)]).astype(np.int16)[labels]


@grid_word
def colour_of_part(grid: Grid) -> Grid:
    """In cells between full lines, the most common filled colour of their part; 0 on the lines."""
    return _per_part(grid, lambda cells: most_cells(cells) if cells.any() else 0)


@grid_word
def colours_in_part(grid: Grid) -> Grid:
    """In cells between full lines, how many colours their part has beside the empty one; 0 on the lines."""
    return _per_part(grid, lambda cells: len(np.unique(cells[cells != 0])))


# --- rows and columns ---


@grid_word
def filled_in_row(grid: Grid) -> Grid:
    """In every cell, how many cells of its row are not empty."""
    return np.broadcast_to((grid != 0).sum(axis=1, keepdims=True), grid.shape).astype(np.int16)


@grid_word
def filled_in_column(grid: Grid) -> Grid:
    """In every cell, how many cells of its column are not empty."""
    return np.broadcast_to((grid != 0).sum(axis=0, keepdims=True), grid.shape).astype(np.int16)


@grid_word
def colour_of_row(grid: Grid) -> Grid:
    """In every cell, the greatest colour of its row."""
    return np.broadcast_to(grid.max(axis=1, keepdims=True), grid.shape).astype(np.int16)


@grid_word
def colour_of_column(grid: Grid) -> Grid:
    """In every cell, the greatest colour of its column."""
    return np.broadcast_to(grid.max(axis=0, keepdims=True), grid.shape).astype(np.int16)


@grid_word
def count_of_colour(grid: Grid) -> Grid:
    """In every cell, how many cells of the grid have its colour."""
    _, order, counts = np.unique(grid, return_inverse=True, return_counts=True)
    return counts[order].reshape(grid.shape).astype(np.int16)


@grid_word
def colour_rank(grid: Grid) -> Grid:
    """1 in cells of the most common colour, 2 for the next, lower colours first on a tie; 0 if empty."""
    colours, order, counts = np.unique(grid, return_inverse=True, return_counts=True)
    ranks = np.zeros(len(colours), dtype=np.int16)
    filled = (colours != 0).nonzero()[0]
    ranks[filled[np.lexsort((colours[filled], -counts[filled]))]] = np.arange(1, len(filled) + 1)
    return ranks[order].reshape(grid.shape)


@grid_word
def nearest_colour(grid: Grid) -> Grid:
    """The colour of the nearest cell that is not empty, a step going to one of the 4 neighbours."""
    from scipy import ndimage

    if not (grid != 0).any():
        raise NoAnswer("The grid is empty.")
    places = ndimage.distance_transform_cdt(grid == 0, "taxicab", return_distances=False, return_indices=True)
    return grid[tuple(places)]


@grid_word
def distance_to_filled(grid: Grid) -> Grid:
    """Steps (to any of 8 neighbours) from each cell to the nearest cell that is not empty."""
    from scipy import ndimage

    if not (grid != 0).any():
        raise NoAnswer("The grid is empty.")
    return ndimage.distance_transform_cdt(grid == 0, "chessboard").astype(np.int16)


@grid_word
def in_full_square(grid: Grid, side: Int) -> Grid:
    """1 in cells that lie in a square of so many cells a side without an empty one, else 0."""
    return _in_square(grid != 0, side)


@grid_word
def in_empty_square(grid: Grid, side: Int) -> Grid:
    """1 in cells that lie in a square of so many empty cells a side, else 0."""
    return _in_square(grid == 0, side)


def _in_square(full: np.ndarray, side: int) -> np.ndarray:
    if not 1 <= side <= min(full.shape):
        return np.zeros(full.shape, dtype=np.int16)
    windows = np.lib.stride_tricks.sliding_window_view(full, (side, side)).all(axis=(2, 3))
    result = np.zeros(full.shape, dtype=np.int16)
    for down in range(side):
        for right in range(side):
            result[down : down + len(windows), right : right + windows.shape[1]] |= windows
    return result
