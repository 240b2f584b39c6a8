"""Words for grids: small pictures of whole numbers in which 0 is the empty colour.

A grid is a tuple of equally long rows. The words are written on NumPy arrays (`word.kernel`), so that a
search can chain them without leaving arrays; called as words they take and give tuples. A word without an
answer raises `NoAnswer`.

>>> mirror(((1, 2), (0, 3)))
((2, 1), (3, 0))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang.ops import Primitive
from perennial.lang.types import Grid, Int, List, Type

LONGEST_SIDE = 64
LARGEST_CELL = 30_000
OUTSIDE = -1
NOWHERE = -32_768  # no cell of a grid holds it
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def to_array(grid: Any) -> np.ndarray:
    """The cells as an array `(rows, columns)` of 16-bit whole numbers, larger ones cut off.

    Raises:
        NoAnswer: when it has no cells or a side over 64.
    """
    if not grid or not grid[0] or len(grid) > LONGEST_SIDE or len(grid[0]) > LONGEST_SIDE:
        raise NoAnswer("A grid has 1 to 64 rows and columns.")
    bound = LARGEST_CELL
    return np.array([[min(max(cell, -bound), bound) for cell in row] for row in grid], dtype=np.int16)


def to_tuple(array: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The array as a grid value of the language."""
    return tuple(map(tuple, array.tolist()))


def checked(array: np.ndarray) -> np.ndarray:
    """The array itself when it can be a grid.

    Raises:
        NoAnswer: when it is empty or has a side over 64.
    """
    if array.size == 0 or max(array.shape) > LONGEST_SIDE:
        raise NoAnswer(f"The result would have the shape {array.shape}.")
    return array


def _from_value(kind: Type, value: Any) -> Any:
    if kind == Grid:
        return to_array(value)
    return [to_array(grid) for grid in value] if kind == List(Grid) else value


def _to_value(kind: Type, value: Any) -> Any:
    if kind == Grid:
        return to_tuple(checked(value))
    return tuple(to_tuple(checked(grid)) for grid in value) if kind == List(Grid) else value


def grid_word(function: Callable) -> Primitive:
    """A word from a function on arrays; `word.kernel` is the function itself."""

    @wraps(function)
    def on_tuples(*values: Any) -> Any:
        arguments = map(_from_value, word.signature.inputs, values)
        return _to_value(word.signature.result, function(*arguments))

    word = Primitive(on_tuples)
    word.kernel = function
    return word


def _colour(value: int) -> int:
    return min(max(value, -LARGEST_CELL), LARGEST_CELL)


def _bounded(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise NoAnswer(f"Expected a number from {low} to {high}, received {value}.")
    return value


# --- turning and mirroring ---


@grid_word
def mirror(grid: Grid) -> Grid:
    """The grid with left and right exchanged."""
    return grid[:, ::-1]


@grid_word
def upside_down(grid: Grid) -> Grid:
    """The grid with top and bottom exchanged."""
    return grid[::-1]


@grid_word
def half_turn(grid: Grid) -> Grid:
    """The grid turned by 180 degrees."""
    return grid[::-1, ::-1]


@grid_word
def turn_right(grid: Grid) -> Grid:
    """The grid turned by 90 degrees clockwise."""
    return grid[::-1].T


@grid_word
def turn_left(grid: Grid) -> Grid:
    """The grid turned by 90 degrees counter-clockwise."""
    return grid.T[::-1]


@grid_word
def transpose(grid: Grid) -> Grid:
    """Rows become columns."""
    return grid.T


@grid_word
def antitranspose(grid: Grid) -> Grid:
    """Mirrored on the other diagonal."""
    return grid[::-1, ::-1].T


# --- cutting ---


@grid_word
def crop(grid: Grid) -> Grid:
    """The smallest rectangle with every cell that is not empty."""
    filled = grid != 0
    rows, columns = filled.any(axis=1).nonzero()[0], filled.any(axis=0).nonzero()[0]
    if not len(rows):
        raise NoAnswer("The grid is empty.")
    return grid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@grid_word
def trim(grid: Grid) -> Grid:
    """The grid without its outermost rows and columns."""
    return checked(grid[1:-1, 1:-1])


@grid_word
def top_half(grid: Grid) -> Grid:
    """The upper half; a middle row belongs to neither half."""
    return checked(grid[: len(grid) // 2])


@grid_word
def bottom_half(grid: Grid) -> Grid:
    """The lower half; a middle row belongs to neither half."""
    return checked(grid[(len(grid) + 1) // 2 :])


@grid_word
def left_half(grid: Grid) -> Grid:
    """The left half; a middle column belongs to neither half."""
    return checked(grid[:, : grid.shape[1] // 2])


@grid_word
def right_half(grid: Grid) -> Grid:
    """The right half; a middle column belongs to neither half."""
    return checked(grid[:, (grid.shape[1] + 1) // 2 :])


@grid_word
def corner_square(grid: Grid) -> Grid:
    """The largest square from the upper left corner."""
    side = min(grid.shape)
    return grid[:side, :side]


@grid_word
def top_rows(grid: Grid, number: Int) -> Grid:
    """The first so many rows."""
    return grid[: _bounded(number, 1, len(grid))]


@grid_word
def left_columns(grid: Grid, number: Int) -> Grid:
    """The first so many columns."""
    return grid[:, : _bounded(number, 1, grid.shape[1])]


@grid_word
def without_empty_lines(grid: Grid) -> Grid:
    """The grid without rows and columns in which every cell is empty."""
    filled = grid != 0
    return checked(grid[filled.any(axis=1)][:, filled.any(axis=0)])


@grid_word
def without_repeated_lines(grid: Grid) -> Grid:
    """The grid without rows and columns that equal the one before."""
    rows = np.concatenate([[True], (grid[1:] != grid[:-1]).any(axis=1)])
    columns = np.concatenate([[True], (grid[:, 1:] != grid[:, :-1]).any(axis=0)])
    return grid[rows][:, columns]


@grid_word
def smallest_tile(grid: Grid) -> Grid:
    """The smallest upper left rectangle that gives the grid when it is repeated."""
    rows = next(p for p in range(1, len(grid) + 1) if (grid[p:] == grid[:-p]).all() or p == len(grid))
    wide = grid.shape[1]
    columns = next(p for p in range(1, wide + 1) if p == wide or (grid[:, p:] == grid[:, :-p]).all())
    return grid[:rows, :columns]


@grid_word
def parts(grid: Grid, rows: Int, columns: Int) -> List[Grid]:
    """The grid cut into so many equal parts in each direction, in reading order."""
    rows, columns = _bounded(rows, 1, len(grid)), _bounded(columns, 1, grid.shape[1])
    if len(grid) % rows or grid.shape[1] % columns:
        raise NoAnswer(f"{grid.shape} cannot be cut into {rows} times {columns} equal parts.")
    high, wide = len(grid) // rows, grid.shape[1] // columns
    return [
        grid[r * high : (r + 1) * high, c * wide : (c + 1) * wide]
        for r in range(rows)
        for c in range(columns)
    ]


def _line_runs(full: np.ndarray) -> list[tuple[int, int]]:
    """Stretches between lines as (start, end)."""
    runs, start = [], None
    for place, line in enumerate([*full.tolist(), True]):
        if not line and start is None:
            start = place
        if line and start is not None:
            runs.append((start, place))
            start = None
    return runs


@grid_word
def cells_between_lines(grid: Grid) -> List[Grid]:
    """The parts between full straight lines of one colour, in reading order."""
    best: list[np.ndarray] = []
    for colour in np.unique(grid):
        line = grid == colour
        rows, columns = _line_runs(line.all(axis=1)), _line_runs(line.all(axis=0))
        found = [grid[a:b, c:d] for a, b in rows for c, d in columns]
        if len(rows) + len(columns) > 2 and (not best or colour != 0) and len(found) > 1:
            best = found if not best or len({part.shape for part in found}) == 1 else best
    if not best:
        raise NoAnswer("No line of one colour crosses the grid.")
    return best


def table_spans(grid: np.ndarray) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Stretches of rows and of columns between full straight lines of one colour.

    Raises:
        NoAnswer: when no line crosses the grid.
    """
    for colour in np.unique(grid)[::-1]:
        line = grid == colour
        rows, columns = _line_runs(line.all(axis=1)), _line_runs(line.all(axis=0))
        if len(rows) > 1 or len(columns) > 1:
            return rows, columns
    raise NoAnswer("No line of one colour crosses the grid.")


@grid_word
def table_of_lines(grid: Grid) -> Grid:
    """One cell for each part between full lines: its most common colour that is not empty, or 0."""
    rows, columns = table_spans(grid)
    cells = [[most_common_colour.kernel(grid[a:b, c:d]) for c, d in columns] for a, b in rows]
    return checked(np.array(cells, dtype=np.int16))


@grid_word
def table_filled(lined: Grid, colours: Grid) -> Grid:
    """A grid with full lines whose parts each take one colour of a smaller grid."""
    rows, columns = table_spans(lined)
    if colours.shape != (len(rows), len(columns)):
        raise NoAnswer(f"{len(rows)} times {len(columns)} parts cannot take {colours.shape} colours.")
    result = np.array(lined)
    for (top, bottom), line in zip(rows, colours, strict=True):
        for (left, right), colour in zip(columns, line, strict=True):
            result[top:bottom, left:right] = colour
    return result


@grid_word
def rows_of(grid: Grid) -> List[Grid]:
    """Each row as a grid of its own."""
    return [grid[row : row + 1] for row in range(len(grid))]


@grid_word
def columns_of(grid: Grid) -> List[Grid]:
    """Each column as a grid of its own."""
    return [grid[:, column : column + 1] for column in range(grid.shape[1])]


# --- joining and growing ---


@grid_word
def beside(left: Grid, right: Grid) -> Grid:
    """Two grids of the same height next to each other."""
    if len(left) != len(right):
        raise NoAnswer("The heights differ.")
    return checked(np.hstack([left, right]))


@grid_word
def above(top: Grid, bottom: Grid) -> Grid:
    """Two grids of the same width, one above the other."""
    if top.shape[1] != bottom.shape[1]:
        raise NoAnswer("The widths differ.")
    return checked(np.vstack([top, bottom]))


@grid_word
def scale(grid: Grid, factor: Int) -> Grid:
    """Every cell as a square of so many cells a side."""
    factor = _bounded(factor, 1, LONGEST_SIDE // max(grid.shape))
    return grid.repeat(factor, axis=0).repeat(factor, axis=1)


@grid_word
def stretch(grid: Grid, rows: Int, columns: Int) -> Grid:
    """Every cell as a rectangle of so many cells."""
    rows, columns = _bounded(rows, 1, LONGEST_SIDE), _bounded(columns, 1, LONGEST_SIDE)
    return checked(grid.repeat(rows, axis=0).repeat(columns, axis=1))


@grid_word
def shrink(grid: Grid, factor: Int) -> Grid:
    """The upper left cell of each square of so many cells a side."""
    return grid[:: _bounded(factor, 1, LONGEST_SIDE), ::factor]


@grid_word
def unscaled(grid: Grid) -> Grid:
    """The smallest grid that gives this one when every cell becomes a square."""
    high, wide = grid.shape
    for factor in range(min(high, wide), 1, -1):
        if high % factor == 0 and wide % factor == 0:
            small = grid[::factor, ::factor]
            if (small.repeat(factor, axis=0).repeat(factor, axis=1) == grid).all():
                return small
    raise NoAnswer("The grid is not made of equal squares.")


@grid_word
def tile(grid: Grid, rows: Int, columns: Int) -> Grid:
    """The grid repeated so many times in each direction."""
    rows, columns = _bounded(rows, 1, LONGEST_SIDE), _bounded(columns, 1, LONGEST_SIDE)
    if len(grid) * rows > LONGEST_SIDE or grid.shape[1] * columns > LONGEST_SIDE:
        raise NoAnswer("The result would be too large.")
    return np.tile(grid, (rows, columns))


@grid_word
def kaleidoscope(grid: Grid) -> Grid:
    """The grid and its mirror images, four in all, around the lower right corner."""
    top = np.hstack([grid, grid[:, ::-1]])
    return checked(np.vstack([top, top[::-1]]))


@grid_word
def pinwheel(grid: Grid) -> Grid:
    """A square grid and its quarter turns, four in all."""
    if grid.shape[0] != grid.shape[1]:
        raise NoAnswer("Only a square can be turned in its place.")
    turned = [np.rot90(grid, -turn) for turn in range(4)]
    return checked(np.vstack([np.hstack(turned[:2]), np.hstack([turned[3], turned[2]])]))


@grid_word
def frame(grid: Grid, colour: Int) -> Grid:
    """The grid with one more cell of a colour all around."""
    return checked(np.pad(grid, 1, constant_values=_colour(colour)))


@grid_word
def canvas(rows: Int, columns: Int, colour: Int) -> Grid:
    """A grid of one colour."""
    rows, columns = _bounded(rows, 1, LONGEST_SIDE), _bounded(columns, 1, LONGEST_SIDE)
    return np.full((rows, columns), _colour(colour), dtype=np.int16)


@grid_word
def side_by_side(grids: List[Grid]) -> Grid:
    """Grids of the same height next to each other."""
    if not grids or len({len(grid) for grid in grids}) > 1 or sum(g.shape[1] for g in grids) > LONGEST_SIDE:
        raise NoAnswer("The heights differ, or the result would be too wide.")
    return np.hstack(grids)


@grid_word
def stacked(grids: List[Grid]) -> Grid:
    """Grids of the same width from top to bottom."""
    if not grids or len({g.shape[1] for g in grids}) > 1 or sum(map(len, grids)) > LONGEST_SIDE:
        raise NoAnswer("The widths differ, or the result would be too high.")
    return np.vstack(grids)


@grid_word
def overlaid(grids: List[Grid]) -> Grid:
    """Grids of one shape on top of each other: the first colour that is not empty shows."""
    if not grids or len({grid.shape for grid in grids}) > 1:
        raise NoAnswer("The shapes differ.")
    result = grids[0].copy()
    for grid in grids[1:]:
        np.copyto(result, grid, where=result == 0)
    return result


@grid_word
def grid_at(grids: List[Grid], place: Int) -> Grid:
    """The grid at a place from 0, or from the end when negative."""
    if not -len(grids) <= place < len(grids):
        raise NoAnswer(f"There is no place {place} among {len(grids)}.")
    return grids[place]


# --- colours ---


def _counts(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    colours, counts = np.unique(grid[grid != 0], return_counts=True)
    if not len(colours):
        raise NoAnswer("The grid is empty.")
    return colours, counts


@grid_word
def most_common_colour(grid: Grid) -> Int:
    """The colour of most cells that are not empty, the lower one on a tie; 0 in an empty grid."""
    colours, counts = np.unique(grid[grid != 0], return_counts=True)
    return int(colours[counts.argmax()]) if len(colours) else 0


@grid_word
def rarest_colour(grid: Grid) -> Int:
    """The colour of fewest cells that are not empty, the lower one on a tie; 0 in an empty grid."""
    colours, counts = np.unique(grid[grid != 0], return_counts=True)
    return int(colours[counts.argmin()]) if len(colours) else 0


@grid_word
def background(grid: Grid) -> Int:
    """The colour of most cells, the lower one on a tie."""
    colours, counts = np.unique(grid, return_counts=True)
    return int(colours[counts.argmax()])


@grid_word
def keep_colour(grid: Grid, colour: Int) -> Grid:
    """Only the cells of one colour; all others are empty."""
    return np.where(grid == colour, grid, 0)


@grid_word
def without_colour(grid: Grid, colour: Int) -> Grid:
    """The grid with the cells of one colour emptied."""
    return np.where(grid == colour, 0, grid)


@grid_word
def painted(grid: Grid, colour: Int) -> Grid:
    """Every cell that is not empty in one colour."""
    return np.where(grid != 0, np.int16(_colour(colour)), np.int16(0))


@grid_word
def swapped(grid: Grid, one: Int, other: Int) -> Grid:
    """The grid with two colours exchanged."""
    one, other = _colour(one), _colour(other)
    return np.where(grid == one, np.int16(other), np.where(grid == other, np.int16(one), grid))


@grid_word
def recoloured(grid: Grid, old: List[Int], new: List[Int]) -> Grid:
    """Each colour of a list replaced by the one at the same place of another list, all at once."""
    result = np.array(grid)
    for colour, to in zip(np.ravel(old).tolist(), np.ravel(new).tolist(), strict=False):
        result[grid == colour] = _colour(to)
    return result


@grid_word
def keep_most_common(grid: Grid) -> Grid:
    """Only the most common colour that is not 0."""
    colours, counts = _counts(grid)
    return np.where(grid == colours[counts.argmax()], grid, 0)


@grid_word
def keep_rarest(grid: Grid) -> Grid:
    """Only the rarest colour that is not 0."""
    colours, counts = _counts(grid)
    return np.where(grid == colours[counts.argmin()], grid, 0)


@grid_word
def without_most_common(grid: Grid) -> Grid:
    """The grid with its most common colour emptied."""
    colours, counts = _counts(grid)
    return np.where(grid == colours[counts.argmax()], 0, grid)


@grid_word
def without_rarest(grid: Grid) -> Grid:
    """The grid with its rarest colour emptied."""
    colours, counts = _counts(grid)
    return np.where(grid == colours[counts.argmin()], 0, grid)


@grid_word
def inverse(grid: Grid) -> Grid:
    """Empty cells take the most common colour, and cells that were not empty become empty."""
    colours, counts = _counts(grid)
    return np.where(grid == 0, colours[counts.argmax()], 0).astype(np.int16)


@grid_word
def two_colours_exchanged(grid: Grid) -> Grid:
    """The two colours of a grid exchanged."""
    colours = np.unique(grid)
    if len(colours) != 2:
        raise NoAnswer(f"Expected two colours, received {len(colours)}.")
    return np.where(grid == colours[0], colours[1], colours[0])


@grid_word
def colour_layers(grid: Grid) -> List[Grid]:
    """One grid for each colour that is not empty, the most common first."""
    colours, counts = _counts(grid)
    order = sorted(range(len(colours)), key=lambda place: (-counts[place], colours[place]))
    return [np.where(grid == colours[place], grid, 0) for place in order]


@grid_word
def colour_column(grid: Grid) -> Grid:
    """The colours that are not empty from the most to the least common, one in each row."""
    colours, counts = _counts(grid)
    return colours[np.lexsort((colours, -counts))][:, None].astype(np.int16)


@grid_word
def colour_bars(grid: Grid) -> Grid:
    """A row for each colour that is not empty, as long as its count, the longest first."""
    colours, counts = _counts(grid)
    order = np.lexsort((colours, -counts))
    bars = np.where(np.arange(counts.max())[None] < counts[order][:, None], colours[order][:, None], 0)
    return checked(bars.astype(np.int16))


@grid_word
def cells_in_a_row(grid: Grid) -> Grid:
    """The cells that are not empty in one row, in reading order."""
    return checked(grid[grid != 0][None, :])


# --- moving ---


@grid_word
def moved(grid: Grid, down: Int, right: Int) -> Grid:
    """The grid moved in its frame; what leaves is lost, what enters is empty."""
    return displaced(grid, down, right, 0)


def displaced(grid: np.ndarray, down: int, right: int, fill: int) -> np.ndarray:
    """The array moved in its frame, filled up with a value."""
    high, wide = grid.shape
    result = np.full(grid.shape, fill, dtype=np.int16)
    if abs(down) < high and abs(right) < wide:
        source = grid[max(0, -down) : high - max(0, down), max(0, -right) : wide - max(0, right)]
        result[max(0, down) : high - max(0, -down), max(0, right) : wide - max(0, -right)] = source
    return result


@grid_word
def rolled(grid: Grid, down: Int, right: Int) -> Grid:
    """The grid moved in its frame; what leaves on one side enters on the other."""
    return np.roll(grid, (down % len(grid), right % grid.shape[1]), axis=(0, 1))


@grid_word
def fallen(grid: Grid, direction: Int) -> Grid:
    """Every cell that is not empty slides up (0), down (1), left (2) or right (3) as far as it can."""
    turned = grid.T if _bounded(direction, 0, 3) < 2 else grid
    order = np.argsort(turned != 0 if direction in (1, 3) else turned == 0, axis=1, kind="stable")
    result = np.take_along_axis(turned, order, axis=1)
    return result.T if direction < 2 else result


# --- patterns ---


@grid_word
def overlaid_with_mirror(grid: Grid) -> Grid:
    """Empty cells take the colour of the cell opposite from left to right."""
    return np.where(grid == 0, grid[:, ::-1], grid)


@grid_word
def overlaid_with_upside_down(grid: Grid) -> Grid:
    """Empty cells take the colour of the cell opposite from top to bottom."""
    return np.where(grid == 0, grid[::-1], grid)


@grid_word
def overlaid_with_transpose(grid: Grid) -> Grid:
    """Empty cells of a square take the colour of the cell across the diagonal."""
    if grid.shape[0] != grid.shape[1]:
        raise NoAnswer("Only a square can be mirrored on its diagonal.")
    return np.where(grid == 0, grid.T, grid)


def _symmetric_places(grid: np.ndarray, hole: int) -> list[np.ndarray]:
    """Index maps (flat, -1 outside) of the symmetries of a grid that ignore one colour."""
    high, wide = grid.shape
    rows, columns = np.indices(grid.shape)
    known = grid != hole
    if not known.any() or known.all():
        return []
    candidates = []
    for axis in range(high - 1 - high // 4, high + high // 4):
        candidates.append((axis - rows, columns))
    for axis in range(wide - 1 - wide // 4, wide + wide // 4):
        candidates.append((rows, axis - columns))
    for offset in range(-2, 3):
        candidates.append((columns + offset, rows - offset))
        candidates.append((high - 1 + offset - columns, high - 1 + offset - rows))
    maps, filled = [], grid.ravel()
    for r, c in candidates:
        inside = (r >= 0) & (r < high) & (c >= 0) & (c < wide)
        place = np.where(inside, r * wide + c, 0)
        other = filled[place]
        compared = inside & known & (other != hole) & (place != rows * wide + columns)
        number = int(compared.sum())
        if number * 4 >= grid.size and (other == grid)[compared].all():
            maps.append(np.where(inside, place, -1))
    return maps


@grid_word
def completed_by_symmetry(grid: Grid, hole: Int) -> Grid:
    """Cells of one colour replaced by what the symmetries of all other cells ask for.

    Mirror lines may lie off the middle, by up to a quarter of the grid.
    """
    maps = _symmetric_places(grid, hole)
    if not maps:
        raise NoAnswer("The grid has no symmetry, or nothing to complete.")
    result = np.array(grid)
    for _ in range(3):
        for places in maps:
            seen = np.where(places >= 0, result.ravel()[places], hole)
            np.copyto(result, seen, where=result == hole)
    return result


def _periods(grid: np.ndarray, hole: int) -> np.ndarray | None:
    """The grid completed with the smallest period in which all known cells agree, or None."""
    high, wide = grid.shape
    known = grid != hole
    sizes = [(p, q) for p in range(1, high + 1) for q in range(1, wide + 1)]
    sizes = [(p, q) for p, q in sizes if p * q * 2 <= grid.size and (p <= high // 2 or q <= wide // 2)]
    for p, q in sorted(sizes, key=lambda size: (size[0] * size[1], size)):
        padded = np.full((-(-high // p) * p, -(-wide // q) * q), hole, dtype=np.int16)
        padded[:high, :wide] = grid
        blocks = padded.reshape(len(padded) // p, p, padded.shape[1] // q, q)
        cells = np.where(blocks == hole, np.int16(-LARGEST_CELL), blocks).max(axis=(0, 2))
        lows = np.where(blocks == hole, np.int16(LARGEST_CELL), blocks).min(axis=(0, 2))
        if (cells == lows).all():
            full = np.tile(cells, (len(padded) // p, padded.shape[1] // q))[:high, :wide]
            if (full == grid)[known].all():
                return full
    return None


@grid_word
def completed_by_period(grid: Grid, hole: Int) -> Grid:
    """Cells of one colour replaced by the smallest repeating pattern that agrees with all other cells."""
    if not (grid == hole).any():
        raise NoAnswer("Nothing to complete.")
    full = _periods(grid, hole)
    if full is None:
        raise NoAnswer("The grid does not repeat itself.")
    return full


@grid_word
def patch(whole: Grid, broken: Grid) -> Grid:
    """The part of one grid, as a rectangle, in which another grid of the same shape differs from it."""
    if whole.shape != broken.shape or (whole == broken).all():
        raise NoAnswer("The grids do not differ, or their shapes do.")
    different = whole != broken
    rows, columns = different.any(axis=1).nonzero()[0], different.any(axis=0).nonzero()[0]
    return whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


# --- cell by cell ---


def _same_shape(*grids: np.ndarray) -> None:
    if len({grid.shape for grid in grids}) > 1:
        raise NoAnswer("The shapes differ.")


@grid_word
def where(mask: Grid, then: Grid, otherwise: Grid) -> Grid:
    """Cell by cell: of the second grid where the first is not 0, else of the third."""
    _same_shape(mask, then, otherwise)
    return np.where(mask != 0, then, otherwise)


@grid_word
def cells_equal(left: Grid, right: Grid) -> Grid:
    """1 in every cell in which two grids agree, else 0."""
    _same_shape(left, right)
    return (left == right).astype(np.int16)


@grid_word
def cells_are(grid: Grid, value: Int) -> Grid:
    """1 in every cell with this value, else 0."""
    return (grid == value).astype(np.int16)


@grid_word
def cells_at_most(grid: Grid, value: Int) -> Grid:
    """1 in every cell with at most this value, else 0."""
    return (grid <= value).astype(np.int16)


@grid_word
def cells_below(left: Grid, right: Grid) -> Grid:
    """1 in every cell in which the first grid has the smaller number, else 0."""
    _same_shape(left, right)
    return (left < right).astype(np.int16)


@grid_word
def like(grid: Grid, value: Int) -> Grid:
    """A grid of the same shape, of one value."""
    return np.full(grid.shape, _colour(value), dtype=np.int16)
