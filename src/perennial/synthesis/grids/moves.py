"""Which words a search over grids may put on top of what it has, and with which numbers, given a task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perennial.primitives import grids as g
from perennial.primitives import objects as o
from perennial.synthesis.grids.bank import Move

WAYS = ((0, 0), (1, 0), (0, 1), (1, 1))

PLAIN = [
    *[(word, 2.0) for word in (g.mirror, g.upside_down, g.transpose, g.half_turn, g.turn_right, g.turn_left)],
    *[
        (word, 2.5)
        for word in (g.antitranspose, g.crop, g.top_half, g.bottom_half, g.left_half, g.right_half)
    ],
    *[(word, 3.0) for word in (g.trim, g.without_empty_lines, g.without_repeated_lines, g.kaleidoscope)],
    *[(word, 3.0) for word in (g.keep_most_common, g.keep_rarest, g.without_most_common, g.without_rarest)],
    *[
        (word, 3.5)
        for word in (g.inverse, g.two_colours_exchanged, g.table_of_lines, g.smallest_tile, g.unscaled)
    ],
    *[
        (word, 4.0)
        for word in (g.corner_square, g.pinwheel, g.colour_column, g.colour_bars, g.cells_in_a_row)
    ],
    *[(word, 4.0) for word in (o.largest_rectangle, o.without_single_cells)],
    *[
        (word, 4.0)
        for word in (g.overlaid_with_mirror, g.overlaid_with_upside_down, g.overlaid_with_transpose)
    ],
]
TO_LISTS = [
    *[(o.object_crops, way, 3.0) for way in WAYS],
    *[(o.objects, way, 3.5) for way in WAYS],
    *[(o.object_boxes, way, 4.0) for way in WAYS],
    (g.cells_between_lines, (), 3.0),
    (g.colour_layers, (), 4.0),
    (g.rows_of, (), 5.0),
    (g.columns_of, (), 5.0),
]
MEASURES = [
    (o.filled_cells, 1.0),
    (o.box_area, 1.5),
    (o.box_height, 2.0),
    (o.box_width, 2.0),
    (o.number_of_colours, 2.0),
    (o.number_of_holes, 2.5),
    (o.symmetries, 2.5),
    (o.is_mirror_symmetric, 2.5),
    (o.rarest_count, 2.5),
    (o.empty_cells, 2.0),
    (o.shape_code, 2.0),
    (o.turned_shape_code, 3.0),
    (o.picture_code, 2.0),
    (o.first_row, 2.5),
    (o.first_column, 2.5),
    (g.most_common_colour, 3.0),
]
CODES = {o.shape_code, o.turned_shape_code, o.picture_code, g.most_common_colour}


def grid_moves(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> list[Move]:
    """Words from a grid to a grid or a list of grids, with the numbers that this task suggests."""
    moves = [Move(word, (), cost) for word, cost in PLAIN]
    moves += [Move(word, literals, cost) for word, literals, cost in TO_LISTS]
    moves += [Move(g.fallen, (way,), 4.0) for way in range(4)]
    moves += [
        Move(word, way, 4.0) for word in (o.only_largest_object, o.without_largest_object) for way in WAYS[:3]
    ]
    moves += [
        Move(o.objects_fallen, (way, *switches), 5.0) for way in range(4) for switches in ((0, 0), (1, 1))
    ]
    for colour in colours_everywhere(inputs):
        moves += [Move(o.drawn_to, (colour, diagonal), 5.0) for diagonal in (0, 1)]
        moves += [Move(word, (colour,), 4.0) for word in (g.keep_colour, g.without_colour)]
        moves += [Move(word, (colour,), 5.0) for word in (g.completed_by_symmetry, g.completed_by_period)]
    moves += [Move(word, (0,), 4.0) for word in (g.completed_by_symmetry, g.completed_by_period)]
    for colour in colours_everywhere(outputs):
        moves += [Move(g.painted, (colour,), 5.0), Move(g.frame, (colour,), 5.0)]
    moves += [Move(g.frame, (0,), 5.0)]
    return moves + _sized_moves(inputs, outputs)


def _sized_moves(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> list[Move]:
    moves = [Move(g.scale, (k,), 3.0 + k / 2) for k in (2, 3)]
    moves += [Move(g.shrink, (k,), 4.0) for k in (2, 3)]
    moves += [Move(g.parts, size, 3.5) for size in ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (3, 3))]
    moves += [Move(g.tile, size, 3.5) for size in ((1, 2), (2, 1), (2, 2), (3, 3))]
    ratios = {
        (b.shape[0] / a.shape[0], b.shape[1] / a.shape[1]) for a, b in zip(inputs, outputs, strict=False)
    }
    if len(ratios) == 1:
        high, wide = ratios.pop()
        if high >= 1 and wide >= 1 and high == int(high) and wide == int(wide) and (high, wide) != (1, 1):
            moves += [Move(g.tile, (int(high), int(wide)), 2.5), Move(g.stretch, (int(high), int(wide)), 2.5)]
        high, wide = round(1 / high), round(1 / wide)
        if 0 < high < 10 and 0 < wide < 10 and (high, wide) != (1, 1):
            moves += [Move(g.parts, (high, wide), 2.5)]
    shapes = {grid.shape for grid in outputs}
    if len(shapes) == 1:
        high, wide = shapes.pop()
        moves += [Move(g.top_rows, (high,), 4.0), Move(g.left_columns, (wide,), 4.0)]
    return moves


def list_moves() -> list[tuple]:
    """`(word, arguments before the list, arguments after it, cost)` from a list of grids."""
    moves: list[tuple] = []
    for measure, cost in MEASURES:
        if measure not in CODES:
            moves += [(word, (measure,), (), 2.5 + cost) for word in (o.largest_by, o.smallest_by)]
            moves += [(o.ordered_by, (measure,), (), 3.5 + cost)]
        moves += [(word, (measure,), (), 3.5 + cost) for word in (o.odd_one_out, o.most_frequent_by)]
    moves += [(word, (), (), 3.0) for word in (g.overlaid, g.side_by_side, g.stacked)]
    moves += [(o.each_cropped, (), (), 3.0)]
    return moves


COMPLETED = {g.completed_by_symmetry, g.completed_by_period}
SLOW = {*COMPLETED, o.objects_fallen, o.drawn_to}  # about 10 ms a task: only on what is almost the input
SHALLOW = 3.6
PLACES = (0, 1, 2, 3, -1)


def colours_everywhere(grids: Sequence[np.ndarray]) -> list[int]:
    """Colours other than 0 that every grid has, at most six, the rarest first."""
    common = set.intersection(*[set(np.unique(grid).tolist()) for grid in grids]) - {0}
    return sorted(common)[:6]
