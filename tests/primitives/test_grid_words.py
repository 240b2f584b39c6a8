"""Words for grids, objects and graphs: what they give, against independent sources, and their promises."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import csgraph, csr_array

from perennial.errors import NoAnswer
from perennial.lang import Primitive, Var, Word, call, evaluate, infer, parse, to_source
from perennial.primitives import cells, graphs, grids, objects, vocabulary
from perennial.testing.language import check_primitive

WORDS = {
    value.name: value
    for module in (grids, objects, cells, graphs)
    for value in vars(module).values()
    if isinstance(value, Primitive) and value.__module__ == module.__name__
}
L = ((1, 0), (1, 1))
PAIR = ((1, 0, 2), (1, 0, 0))
EXAMPLES = {
    "mirror": [((L,), ((0, 1), (1, 1)))],
    "upside_down": [((L,), ((1, 1), (1, 0)))],
    "crop": [((((0, 0, 0), (0, 5, 0)),), ((5,),))],
    "trim": [((((1, 1, 1), (1, 2, 1), (1, 1, 1)),), ((2,),))],
    "top_half": [((((1,), (2,), (3,)),), ((1,),))],
    "bottom_half": [((((1,), (2,), (3,)),), ((3,),))],
    "corner_square": [((PAIR,), ((1, 0), (1, 0)))],
    "without_empty_lines": [((((1, 0, 2), (0, 0, 0)),), ((1, 2),))],
    "without_repeated_lines": [((((1, 1, 2), (1, 1, 2)),), ((1, 2),))],
    "smallest_tile": [((((1, 2, 1, 2),),), ((1, 2),)), ((((1, 2, 1),),), ((1, 2),)), ((((1, 1),),), ((1,),))],
    "parts": [((((1, 2, 3, 4),), 1, 2), (((1, 2),), ((3, 4),)))],
    "cells_between_lines": [((((1, 5, 2), (3, 5, 4)),), (((1,), (3,)), ((2,), (4,))))],
    "table_of_lines": [((((1, 5, 0), (1, 5, 2)),), ((1, 2),))],
    "beside": [((L, L), ((1, 0, 1, 0), (1, 1, 1, 1)))],
    "above": [((((1, 2),), ((3, 4),)), ((1, 2), (3, 4)))],
    "scale": [((((1, 2),), 2), ((1, 1, 2, 2), (1, 1, 2, 2)))],
    "unscaled": [((((1, 1, 2, 2), (1, 1, 2, 2)),), ((1, 2),))],
    "tile": [((((1, 2),), 2, 1), ((1, 2), (1, 2)))],
    "kaleidoscope": [((((1, 2),),), ((1, 2, 2, 1), (1, 2, 2, 1)))],
    "pinwheel": [((((7,),),), ((7, 7), (7, 7)))],
    "canvas": [((1, 2, 3), ((3, 3),))],
    "overlaid": [(((((1, 0, 0),), ((2, 2, 0),)),), ((1, 2, 0),))],
    "grid_at": [(((((1,),), ((2,),)), -1), ((2,),))],
    "most_common_colour": [((((0, 0, 0, 2, 2, 1),),), 2), ((((0,),),), 0)],
    "rarest_colour": [((((0, 2, 2, 1),),), 1)],
    "background": [((((4, 4, 0),),), 4)],
    "recoloured": [((((1, 2, 3),), (1, 2), (2, 1)), ((2, 1, 3),))],
    "swapped": [((((1, 2, 3),), 1, 3), ((3, 2, 1),))],
    "colour_bars": [((((2, 2, 2, 1, 0),),), ((2, 2, 2), (1, 0, 0)))],
    "fallen": [((((1,), (0,), (0,)), 1), ((0,), (0,), (1,))), ((((0, 1, 0),), 3), ((0, 0, 1),))],
    "moved": [((((1, 2),), 0, 1), ((0, 1),))],
    "rolled": [((((1, 2, 3),), 0, 1), ((3, 1, 2),))],
    "completed_by_symmetry": [((((1, 2, 3, 2, 0), (4, 5, 6, 5, 4)), 0), ((1, 2, 3, 2, 1), (4, 5, 6, 5, 4)))],
    "completed_by_period": [((((1, 2, 1, 0, 1, 2),), 0), ((1, 2, 1, 2, 1, 2),))],
    "patch": [((((1, 2, 3),), ((1, 0, 3),)), ((2,),))],
    "where": [((((1, 0),), ((5, 5),), ((6, 6),)), ((5, 6),))],
    "objects": [((PAIR, 0, 0), (((1, 0, 0), (1, 0, 0)), ((0, 0, 2), (0, 0, 0))))],
    "object_crops": [((PAIR, 0, 0), (((1,), (1,)), ((2,),)))],
    "largest_rectangle": [((((1, 1, 0), (1, 1, 1)),), ((1, 1), (1, 1)))],
    "number_of_holes": [((((1, 1, 1), (1, 0, 1), (1, 1, 1)),), 1), ((((1, 1), (1, 0)),), 0)],
    "symmetries": [((((1, 2), (2, 1)),), 2), ((((1,),),), 4)],
    "largest_by": [((objects.filled_cells, (((1, 0),), ((2, 2),))), ((2, 2),))],
    "odd_one_out": [((objects.filled_cells, (((1,),), ((2, 2),), ((3,),))), ((2, 2),))],
    "size_of_object": [((PAIR, 0, 0), ((2, 0, 1), (2, 0, 0)))],
    "rank_of_object": [((PAIR, 0, 0), ((1, 0, 2), (1, 0, 0)))],
    "depth_in_box": [((((1, 1, 1), (1, 0, 1), (1, 1, 1)), 0, 0), ((1, 1, 1), (1, 2, 1), (1, 1, 1)))],
    "enclosed": [((((3, 3, 3), (3, 0, 3), (3, 3, 3)), 0), ((0, 0, 0), (0, 1, 0), (0, 0, 0)))],
    "colour_around": [((((3, 3, 3), (3, 0, 3), (3, 3, 3)),), ((0, 0, 0), (0, 3, 0), (0, 0, 0)))],
    "colour_between": [((((3, 0, 3, 0),), 0), ((0, 3, 0, 0),))],
    "neighbour": [((((1, 2),), 0, 1), ((2, -1),))],
    "seen": [((((0, 0, 5),), 0, 1), ((5, 5, 0),))],
    "steps_to_seen": [((((0, 0, 5),), 0, 1), ((2, 1, 0),))],
    "nearest_colour": [((((1, 0, 0, 0, 2),),), ((1, 1, 1, 2, 2),)), ((((1, 0, 0, 2),),), ((1, 1, 2, 2),))],
    "colour_rank": [((((3, 3, 4, 0),),), ((1, 1, 2, 0),))],
    "degrees": [(((("a", "b"), ((0, 1), (0, 1), (0, 9))),), (1, 0))],
    "cheapest_from": [((((0, 9, 1, 1), ((0, 1), (1, 3), (0, 2), (2, 3))), 0), (0, 9, 1, 2))],
    "connected_parts": [((((1, 1, 1), ((2, 0),)),), ((0, 2), (1,)))],
    "topological_order": [((((1, 1, 1), ((2, 0), (0, 1))),), (2, 0, 1))],
    "has_circle": [((((1, 1), ((1, 0), (0, 1))),), True)],
    "convolve_nodes": [((lambda own, others: own + sum(others), ((1, 2), ((0, 1),))), ((3, 2), ((0, 1),)))],
    "graph_grid": [((((1, 2, 3, 4), ()), 2), ((1, 2), (3, 4)))],
}


@pytest.mark.parametrize("name", sorted(WORDS))
def test_words_keep_their_promises(name):
    check_primitive(WORDS[name], EXAMPLES.get(name, []), tries=25)


def test_words_are_in_the_vocabulary():
    assert all(vocabulary()[name] is word for name, word in WORDS.items())


def picture(seed, shape=(9, 11), colours=4):
    drawn = np.random.default_rng(seed).integers(0, colours, shape).astype(np.int16)
    return np.where(np.random.default_rng(seed + 100).random(shape) < 0.5, 0, drawn).astype(np.int16)


@pytest.mark.parametrize("seed", range(5))
def test_turns_are_those_of_numpy(seed):
    grid = picture(seed)
    assert np.array_equal(grids.turn_left.kernel(grid), np.rot90(grid))
    assert np.array_equal(grids.turn_right.kernel(grid), np.rot90(grid, -1))
    assert np.array_equal(grids.half_turn.kernel(grid), np.rot90(grid, 2))
    assert np.array_equal(grids.antitranspose.kernel(grid), np.rot90(grid, 2).T)


@pytest.mark.parametrize("diagonal", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_objects_are_what_a_flood_fill_finds(seed, diagonal):
    grid = picture(seed)
    labels, seen = np.zeros(grid.shape, dtype=int), 0
    for place in np.ndindex(grid.shape):
        if grid[place] and not labels[place]:
            seen += 1
            stack = [place]
            while stack:
                r, c = stack.pop()
                if (
                    0 <= r < grid.shape[0]
                    and 0 <= c < grid.shape[1]
                    and not labels[r, c]
                    and grid[r, c] == grid[place]
                ):
                    labels[r, c] = seen
                    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
                    steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)] if diagonal else []
                    stack += [(r + a, c + b) for a, b in steps]
    found = objects.parts_of(grid, diagonal, 0)
    assert found.count == seen and np.array_equal(found.labels, labels)


@pytest.mark.parametrize("seed", range(4))
def test_enclosed_cells_are_the_holes_of_scipy(seed):
    filled = picture(seed, colours=2) != 0
    expected = ndimage.binary_fill_holes(filled) & ~filled
    assert np.array_equal(cells.enclosed.kernel(filled.astype(np.int16), 0) == 1, expected)


@pytest.mark.parametrize("seed", range(4))
def test_seen_is_the_first_colour_on_a_walk(seed):
    grid = picture(seed)
    for down, right in grids.DIRECTIONS:
        given = cells.seen.kernel(grid, down, right)
        for row, column in np.ndindex(grid.shape):
            r, c, colour = row + down, column + right, 0
            while 0 <= r < grid.shape[0] and 0 <= c < grid.shape[1] and not colour:
                colour, r, c = grid[r, c], r + down, c + right
            assert given[row, column] == colour


@pytest.mark.parametrize("seed", range(4))
def test_ways_through_graphs_are_those_of_scipy(seed):
    generator = np.random.default_rng(seed)
    links = tuple((int(a), int(b)) for a, b in generator.integers(0, 9, (14, 2)) if a != b)
    prices = tuple(int(price) for price in generator.integers(1, 9, 9))
    matrix = np.zeros((9, 9))
    for start, end in links:
        matrix[start, end] = prices[end]
    expected = csgraph.dijkstra(csr_array(matrix), indices=0)
    given = np.array(graphs.cheapest_from((prices, links), 0), dtype=float)
    assert np.array_equal(np.where(given < 0, np.inf, given), expected)
    steps = csgraph.dijkstra(csr_array(matrix), indices=0, unweighted=True)
    given = np.array(graphs.steps_from((prices, links), 0), dtype=float)
    assert np.array_equal(np.where(given < 0, np.inf, given), steps)
    number, _ = csgraph.connected_components(csr_array(matrix), directed=False)
    assert len(graphs.connected_parts((prices, links))) == number


def test_a_grid_becomes_a_graph_and_a_grid_again():
    grid = ((1, 2, 3), (4, 5, 6))
    network = graphs.grid_graph(grid)
    assert graphs.graph_grid(network, 3) == grid
    assert graphs.degrees(network) == (2, 3, 2, 2, 3, 2)


def test_words_without_an_answer_say_so():
    for wrong in (
        lambda: grids.crop(((0, 0),)),
        lambda: grids.mirror(()),
        lambda: grids.scale(((1,),), 65),
        lambda: objects.largest_by(objects.filled_cells, ()),
        lambda: objects.largest_by(objects.filled_cells, (((1,),), ((2,),))),
        lambda: graphs.successors(((1,), ()), 4),
    ):
        with pytest.raises(NoAnswer):
            wrong()


def test_a_program_of_grid_words_is_typed_printed_and_run():
    program = call(
        grids.crop,
        call(objects.largest_by, Word(objects.filled_cells), call(objects.objects, Var("grid"), 0, 0)),
    )
    assert str(infer(program)) == "Grid"
    assert parse(to_source(program), vocabulary()) == program
    from perennial.lang import Lambda

    assert evaluate(Lambda(("grid",), program), ((0, 3, 3), (4, 0, 0))) == ((3, 3),)
