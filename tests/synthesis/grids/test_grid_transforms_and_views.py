"""Transforms of whole grids and other ways to look at a puzzle: what they find, and that programs say the same."""

import numpy as np
import pytest

from perennial.errors import NoAnswer
from perennial.lang import Grid, Int, Lambda, Var, evaluate
from perennial.primitives import grids as g
from perennial.synthesis.base import Budget
from perennial.synthesis.grids.bank import State
from perennial.synthesis.grids.search import LARGEST_OUTPUT, _nearest, improving
from perennial.synthesis.grids.transforms import blocks, canvases, colour_map, colour_maps, explore
from perennial.synthesis.grids.views import Emptied, Puzzle, Tabled, View, views

GRID = Var("grid")


def grid(*rows):
    return np.array(rows, dtype=np.int16)


def picture(seed, shape=(4, 5), colours=4):
    return np.random.default_rng(seed).integers(0, colours, shape).astype(np.int16)


def puzzle_of(rule, make=picture, labelled=3, asked=7):
    inputs = [make(seed) for seed in range(labelled)]
    return Puzzle(inputs, [rule(one) for one in inputs], [make(asked)]), rule(make(asked))


def run(state, *grids):
    program = Lambda(("grid",), state.program(GRID))
    return [np.array(evaluate(program, g.to_tuple(one)), np.int16) for one in grids]


def same(left, right):
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def grown(puzzle, deepest=4.0):
    """The puzzle with a small bank, and the solutions that were found on the way."""
    return list(explore(puzzle, Budget(60.0), deepest))


# -- puzzles -----------------------------------------------------------------------------------------------------------


def test_a_puzzle_knows_its_colours_and_begins_with_its_input():
    puzzle = Puzzle([grid([0, 1]), grid([3, 0])], [grid([0, 4]), grid([0, 5])], [grid([9, 9])])
    assert (puzzle.input_colours, puzzle.target_colours) == ([1, 3], [0, 4, 5])
    assert list(puzzle.bank.states.values()) == [puzzle.start] and len(puzzle.start.values) == 3


def test_a_state_is_right_when_it_is_every_output():
    puzzle, _ = puzzle_of(np.fliplr)
    mirrored = State(Grid, [np.fliplr(one) for one in (*puzzle.inputs, *puzzle.asked)], 1.0)
    almost = State(Grid, [*mirrored.values[:2], puzzle.inputs[2], mirrored.values[3]], 1.0)
    number = State(Int, [1, 2, 3, 4], 1.0)
    assert [puzzle.right(one) for one in (mirrored, almost, number)] == [True, False, False]
    assert [puzzle.fits(one) for one in (mirrored, almost, number)] == [True, True, False]


# -- transforms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [np.fliplr, lambda x: np.rot90(x)[:2], lambda x: np.kron(x, np.ones((2, 2), np.int16)), lambda x: np.tile(x, (1, 2))],
    ids=["mirror", "half of a turn", "doubled", "beside itself"],
)  # fmt: skip
def test_every_transform_that_is_found_is_right_and_says_what_its_program_says(rule):
    puzzle, wanted = puzzle_of(rule)
    found = grown(puzzle)
    assert found and all(family == "transform" for *_, family in found)
    for cost, state, answers, _ in found:
        assert cost == state.cost and same(state.values[:3], puzzle.outputs)
        assert same(run(state, *puzzle.inputs, *puzzle.asked), state.values) and same(
            answers, state.values[3:]
        )
    assert np.array_equal(min(found, key=lambda one: one[0])[2][0], wanted)


def test_the_search_stops_at_its_depth_and_at_its_time():
    shallow, _ = puzzle_of(np.fliplr)
    deep, _ = puzzle_of(np.fliplr)
    none, _ = puzzle_of(np.fliplr)
    list(explore(shallow, Budget(60.0), 1.0))
    list(explore(deep, Budget(60.0), 3.0))
    assert list(explore(none, Budget(0.0))) == []
    assert len(none.bank.states) <= len(shallow.bank.states) < len(deep.bank.states)


def test_the_input_is_scaled_by_a_number_of_itself():
    def rule(one):
        times = len(set(one.ravel().tolist()) - {0})
        return np.kron(one, np.ones((times, times), np.int16))

    make = {0: grid([1, 0]), 1: grid([1, 2], [0, 3]), 2: grid([4, 5]), 7: grid([6, 7], [8, 8])}.__getitem__
    puzzle, wanted = puzzle_of(rule, make)
    assert any(np.array_equal(answers[0], wanted) for *_, answers, _ in grown(puzzle, 2.0))


def test_exchanged_colours_are_found_whatever_they_are():
    table = np.array([0, 3, 1, 9], np.int16)
    puzzle, wanted = puzzle_of(lambda x: table[np.fliplr(x)])
    grown(puzzle, 4.0)
    found = list(colour_maps(puzzle))
    assert {family for *_, family in found} == {"colour map"}
    cost, state, answers, _ = min(found, key=lambda one: one[0])
    assert np.array_equal(answers[0], wanted) and same(run(state, *puzzle.asked), answers)
    assert cost > 3 * 3  # three colours are named


def test_a_colour_that_becomes_two_is_no_exchange():
    puzzle = Puzzle([grid([1, 1])], [grid([2, 3])], [grid([1, 1])])
    assert colour_map(puzzle, puzzle.start) is None


def test_a_colour_that_no_example_shows_makes_an_exchange_dearer():
    pairs = [grid([1, 2])], [grid([2, 1])]
    known, unknown = (Puzzle(*pairs, [asked]) for asked in (grid([1, 2]), grid([1, 8])))
    costs = [colour_map(puzzle, puzzle.start)[0] for puzzle in (known, unknown)]
    assert costs[1] == costs[0] + 4


@pytest.mark.parametrize(
    "rule",
    [
        lambda x: np.block([[x, np.fliplr(x)], [np.flipud(x), np.flipud(np.fliplr(x))]]),
        lambda x: np.vstack([x, np.zeros_like(x), x]),
        lambda x: np.hstack([np.full_like(x, 3), x]),
    ],
    ids=["mirrors", "a gap", "a wall"],
)
def test_outputs_of_equal_parts_are_put_together_from_what_is_known(rule):
    puzzle, wanted = puzzle_of(rule)
    grown(puzzle, 1.5)
    found = list(blocks(puzzle))
    assert found
    for _, state, answers, family in found:
        assert family == "blocks" and same(state.values[:3], puzzle.outputs)
        assert same(answers, [wanted]) and same(run(state, *puzzle.asked), answers)


def test_parts_that_are_not_known_are_no_blocks():
    puzzle, _ = puzzle_of(lambda x: np.vstack([x, (x * 3 + 1) % 7]))
    grown(puzzle, 1.5)
    assert list(blocks(puzzle)) == []


def test_a_canvas_has_the_sides_that_numbers_of_the_input_tell():
    def rule(one):
        return np.zeros((len(set(one.ravel().tolist()) - {0}), 2), np.int16)

    make = {0: grid([1, 0]), 1: grid([1, 2], [0, 3]), 2: grid([4, 5]), 7: grid([6, 7], [8, 9])}.__getitem__
    puzzle, wanted = puzzle_of(rule, make)
    canvas = canvases(puzzle)
    assert same(canvas.values, [*puzzle.outputs, wanted])
    assert same(run(canvas, *puzzle.inputs, *puzzle.asked), canvas.values)


def test_a_canvas_of_constant_sides_and_one_that_nothing_tells():
    fixed, _ = puzzle_of(lambda x: np.zeros((2, 3), np.int16))
    assert [value.shape for value in canvases(fixed).values] == [(2, 3)] * 4
    sizes = iter((17, 23, 19, 29))
    odd, _ = puzzle_of(lambda x: np.zeros((next(sizes), 2), np.int16))
    assert canvases(odd) is None


# -- views -------------------------------------------------------------------------------------------------------------


def on_eight(seed):
    return np.where(picture(seed) == 0, 8, picture(seed)).astype(np.int16)


def test_a_background_is_emptied_and_comes_back():
    inputs, asked = [np.where(one % 2, one, 8) for one in map(picture, range(2))], [on_eight(5)]
    asked = [np.where(one % 2, one, 8) for one in asked]
    view = Emptied(inputs, [np.fliplr(one) for one in inputs], asked)
    assert all(g.background.kernel(one) == 0 for one in view.puzzle.inputs)
    assert same(view.back(view.puzzle.asked), asked)
    view.puzzle.bank.apply(g.mirror, (view.puzzle.start,), 3.0)
    mirrored = next(state for state in view.puzzle.bank.states.values() if state.word is g.mirror)
    assert view.puzzle.right(mirrored)
    answers = view.back(mirrored.values[2:])
    program = Lambda(("grid",), view.program(mirrored))
    assert (
        evaluate(program, g.to_tuple(asked[0])) == g.to_tuple(answers[0]) == g.to_tuple(np.fliplr(asked[0]))
    )


def lined(small):
    """A table of cells of two by two between lines of colour 5."""
    high, wide = small.shape
    whole = np.full((3 * high - 1, 3 * wide - 1), 5, np.int16)
    for row in range(high):
        for at in range(wide):
            whole[3 * row : 3 * row + 2, 3 * at : 3 * at + 2] = small[row, at]
    return whole


def test_a_table_is_answered_as_a_small_grid_and_filled_again():
    inputs, asked = [lined(picture(seed, (3, 3))) for seed in range(2)], [lined(picture(8, (3, 3)))]
    view = Tabled(inputs, [lined(picture(seed, (3, 3)).T) for seed in range(2)], asked)
    assert same(view.puzzle.inputs, [picture(seed, (3, 3)) for seed in range(2)])
    turned = State(
        Grid,
        [one.T for one in (*view.puzzle.inputs, *view.puzzle.asked)],
        2.0,
        g.transpose,
        (view.puzzle.start,),
    )
    assert view.puzzle.right(turned) and same(view.back(turned.values[2:]), [lined(picture(8, (3, 3)).T)])
    program = Lambda(("grid",), view.program(turned))
    assert np.array_equal(evaluate(program, g.to_tuple(asked[0])), lined(picture(8, (3, 3)).T))


def test_outputs_that_are_no_filled_tables_are_not_seen_as_tables():
    inputs = [lined(picture(seed, (3, 3))) for seed in range(2)]
    with pytest.raises(NoAnswer):
        Tabled(inputs, [np.zeros_like(one) for one in inputs], inputs)
    assert [type(view) for view in views(inputs, [np.zeros_like(one) for one in inputs], inputs)][:1] == [
        View
    ]


@pytest.mark.parametrize(
    ("make", "kinds"),
    [(picture, [View]), (lambda seed: np.where(picture(seed) % 2, picture(seed), 8), [View, Emptied])],
)
def test_a_background_is_emptied_only_when_it_is_not_empty(make, kinds):
    inputs = [np.where(make(seed) == 0, 0, make(seed)) for seed in range(3)]
    if kinds == [View]:
        inputs = [np.where(one > 1, 0, one) for one in inputs]
    assert [type(view) for view in views(inputs, inputs, inputs)] == kinds


# -- the search --------------------------------------------------------------------------------------------------------


def test_guesses_are_new_answers_or_cheaper_ones_until_the_right_one_comes():
    inputs, asked = [picture(seed, (3, 3)) for seed in range(3)], picture(9, (3, 3))
    best = {}
    for guess in improving(inputs, [one.T for one in inputs], [asked], Budget(60.0)):
        key = guess.outputs[0].tobytes()
        assert guess.cost < best.get(key, np.inf)
        best[key] = guess.cost
        if np.array_equal(guess.outputs[0], asked.T):
            break
    assert asked.T.tobytes() in best


def test_answers_that_are_too_large_are_not_given():
    inputs = [picture(seed, (2, 2)) for seed in range(2)]
    outputs = [np.tile(one, (2, 1)) for one in inputs]
    largest = picture(3, (LARGEST_OUTPUT // 2, 2))
    for asked, seconds, given in ((largest, 60.0, True), (np.vstack([largest, largest[:1]]), 0.4, False)):
        found = improving(inputs, outputs, [asked], Budget(seconds))
        assert any(guess.outputs[0].shape == (2 * len(asked), 2) for guess in found) == given


def test_the_nearest_word_is_right_on_most_examples():
    inputs = [picture(seed) for seed in range(3)]
    outputs = [np.flipud(inputs[0]), picture(99), np.flipud(inputs[2])]
    program = Lambda(("grid",), _nearest(inputs, outputs))
    right = [
        np.array_equal(evaluate(program, g.to_tuple(a)), b) for a, b in zip(inputs, outputs, strict=True)
    ]
    assert right == [True, False, True]
    assert _nearest(inputs, [picture(seed) for seed in (90, 91, 92)]) == GRID


def test_single_objects_of_the_input_are_in_the_bank_with_their_programs():
    inputs = [grid([1, 0, 2, 2, 0, 3]), grid([4, 0, 5, 5, 0, 6]), grid([7, 0, 8, 8, 0, 9])]
    puzzle = Puzzle(inputs, inputs, [])
    grown(puzzle, 4.0)
    for wanted in ([grid([2, 2]), grid([5, 5]), grid([8, 8])], [grid([3]), grid([6]), grid([9])]):
        assert same(run(puzzle.bank.known(wanted), *inputs), wanted)
