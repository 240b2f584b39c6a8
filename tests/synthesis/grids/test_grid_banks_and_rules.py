"""States of grids kept once, tests on cells, and the trees that tell the colour of each cell."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import entropy

from perennial.lang import Grid, Int, Var, evaluate
from perennial.lang.program import Lambda
from perennial.primitives import cells as c
from perennial.primitives import grids as g
from perennial.primitives import objects as o
from perennial.synthesis.base import Budget
from perennial.synthesis.grids import planes as p
from perennial.synthesis.grids.bank import GRIDS, Bank, State, as_argument, column, fingerprint
from perennial.synthesis.grids.cellwise import _cheapest_of_equals, _missed_when_left_out, groups, matrices
from perennial.synthesis.grids.moves import MEASURES, colours_everywhere, grid_moves, list_moves
from perennial.synthesis.grids.planes import (
    MOST_VALUES,
    colour_planes,
    constant_planes,
    flat,
    number_planes,
    plane,
)
from perennial.synthesis.grids.rules import (
    Cells,
    Grower,
    Leaf,
    Limits,
    Split,
    _entropy,
    as_state,
    rules,
    shown_by,
)
from perennial.synthesis.grids.views import Puzzle

GRID = Var("grid")


def grid(*rows):
    return np.array(rows, dtype=np.int16)


def picture(seed, shape=(4, 5), colours=4):
    return np.random.default_rng(seed).integers(0, colours, shape).astype(np.int16)


def state_of(*grids, cost=1.0):
    return State(Grid, list(grids), cost)


def run(state, *grids):
    """What the interpreter says a state's program gives."""
    program = Lambda(("grid",), state.program(GRID))
    return [evaluate(program, g.to_tuple(one)) for one in grids]


def told(state):
    return [g.to_tuple(value) for value in state.values]


# -- the bank ----------------------------------------------------------------------------------------------------------

ARRAYS = arrays(np.int16, array_shapes(min_dims=2, max_dims=2, max_side=3), elements=st.integers(0, 2))


@given(ARRAYS, ARRAYS)
@settings(max_examples=100)
def test_only_equal_grids_have_equal_fingerprints(one, other):
    assert (fingerprint(one) == fingerprint(other)) == np.array_equal(one, other)


def test_grids_of_the_same_cells_in_another_shape_differ():
    assert len({fingerprint(np.zeros(shape, np.int16)) for shape in ((1, 4), (2, 2), (4, 1))}) == 3
    assert fingerprint([grid([1])]) != fingerprint([grid([1]), grid([1])])
    wide, narrow = [[[5, 1]], [[7]]], [[[5]], [[1, 7]]]
    assert len({fingerprint([np.array(each, np.int16) for each in some]) for some in (wide, narrow)}) == 2


def test_the_cheapest_state_comes_first_and_each_once():
    bank = Bank(1)
    states = [state_of(picture(seed), cost=cost) for seed, cost in enumerate((3.0, 1.0, 2.0, 1.0))]
    assert all(bank.add(state) is state for state in states)
    assert bank.add(state_of(picture(0), cost=0.5)) is None
    assert list(bank.cheapest()) == [states[1], states[3], states[2], states[0]]
    assert list(bank.cheapest()) == []
    assert bank.news(2) == states[2:]


def test_a_state_is_looked_up_by_what_it_gives_on_labelled_examples_only():
    bank = Bank(1)
    first = bank.add(state_of(picture(0), picture(1)))
    bank.add(state_of(picture(0), picture(2)))
    assert len(bank.states) == 2 and bank.known([picture(0)]) is first
    assert bank.known([picture(1)]) is None


def test_a_bank_holds_no_more_states_than_asked():
    bank = Bank(1, most=2)
    kept = [bank.add(state_of(picture(seed))) for seed in range(4)]
    assert [state is not None for state in kept] == [True, True, False, False]


def test_a_state_of_several_words_has_the_program_that_made_it():
    grids = grid([1, 0, 2, 2]), grid([3, 3, 0, 0], [0, 0, 0, 1])
    start = state_of(*grids)
    bank = Bank(2)
    bank.add(start)
    objects = bank.apply(o.object_crops, (start, 1, 1), 4.0)
    assert objects.kind == GRIDS
    largest = bank.apply(o.largest_by, (o.filled_cells, objects), 7.0)
    whole = bank.apply(g.beside, (largest, largest), 8.0)
    assert run(whole, *grids) == told(whole) == [((2, 2, 2, 2),), ((3, 3, 3, 3),)]
    assert whole.uses({o.object_crops}) and whole.uses({g.beside}) and not whole.uses({g.mirror})


def test_a_word_without_an_answer_on_one_example_makes_no_state():
    start = state_of(grid([1, 2]), grid([1]))
    assert column(g.parts, (start, 1, 2)) is None
    assert Bank(2).apply(g.parts, (start, 1, 2), 1.0) is None


def test_lists_of_too_many_parts_are_not_looked_at():
    rows = state_of(picture(0, (41, 2), 9))
    assert column(g.rows_of, (rows,)) is None
    assert len(column(g.rows_of, (state_of(picture(0, (40, 2), 9)),))[0]) == 40


def test_an_argument_is_a_state_a_word_or_a_number():
    shown = [str(as_argument(given, GRID)) for given in (state_of(picture(0)), g.mirror, 3)]
    assert shown == [str(GRID), "mirror", "3"]


# -- moves -------------------------------------------------------------------------------------------------------------


def test_every_move_keeps_its_program_and_its_values_together():
    grids = [picture(seed, (6, 6)) for seed in range(2)]
    start = state_of(*grids)
    moved = 0
    for move in grid_moves(grids, [picture(seed, (3, 6)) for seed in range(2)]):
        assert move.cost > 0
        values = column(move.word, (start, *move.literals))
        if values is not None and move.word.signature.result == Grid:
            state = State(Grid, values, 1.0, move.word, (start, *move.literals))
            assert run(state, *grids) == told(state), (move.word.name, move.literals)
            moved += 1
    assert moved > 40


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ((2, 3), (4, 9), {(g.tile, (2, 3)), (g.stretch, (2, 3))}),
        ((4, 6), (2, 2), {(g.parts, (2, 3)), (g.top_rows, (2,)), (g.left_columns, (2,))}),
        ((2, 2), (2, 2), {(g.top_rows, (2,)), (g.left_columns, (2,))}),
    ],
)
def test_sizes_of_outputs_suggest_moves(before, after, moves):
    given = {(move.word, move.literals) for move in grid_moves([picture(0, before)], [picture(1, after)])}
    unrelated = {
        (move.word, move.literals) for move in grid_moves([picture(0, (5, 5))], [picture(1, (3, 7))])
    }
    assert moves <= given and moves - unrelated
    assert not any(
        move in given - unrelated for move in ((g.tile, (1, 1)), (g.stretch, (1, 1)), (g.parts, (1, 1)))
    )


def test_colours_of_all_grids_are_suggested_but_never_the_empty_one():
    grids = [grid([0, 1, 2, 3]), grid([0, 2, 3, 5]), grid([3, 2, 0, 9])]
    assert colours_everywhere(grids) == [2, 3]
    assert colours_everywhere([np.arange(10, dtype=np.int16)[None]]) == [1, 2, 3, 4, 5, 6]
    kept = {move.literals for move in grid_moves(grids, grids) if move.word is g.keep_colour}
    assert kept == {(2,), (3,)}


def test_a_list_is_never_ordered_by_a_code():
    for word, before, _, _ in list_moves():
        if before and before[0] in {o.shape_code, o.picture_code, g.most_common_colour}:
            assert word in (o.odd_one_out, o.most_frequent_by)
    ordered = [before[0] for word, before, _, _ in list_moves() if word is o.largest_by]
    assert len(ordered) == len(set(ordered)) == len(MEASURES) - 4


# -- planes and tests --------------------------------------------------------------------------------------------------


def test_planes_have_the_shape_of_their_base_and_their_programs_say_the_same():
    grids = [picture(seed, (4, 5)) for seed in range(2)]
    start = state_of(*grids)
    planes = [*colour_planes(start), *number_planes(start, [1])]
    assert planes[0] is start and len(planes) > 60
    for state in planes:
        assert state.shapes == start.shapes and (state is start or state.cost > start.cost)
        assert run(state, *grids) == told(state), state.word.name


def test_a_plane_that_changes_the_shape_is_none():
    start = state_of(picture(0, (2, 3)))
    assert plane(g.transpose, start, (), 1.0) is None and plane(g.mirror, start, (), 1.0) is not None


def test_numbers_of_the_whole_input_stand_in_every_cell():
    grids = [grid([1, 1, 2], [0, 0, 0]), grid([3, 2, 2], [0, 1, 2])]
    start = state_of(*grids)
    colours, numbers = constant_planes(start, start)
    assert len(colours) >= 2 and len(numbers) >= 4
    for state in (*colours, *numbers):
        assert all(len(np.unique(value)) == 1 for value in state.values)
        assert run(state, *grids) == told(state)
    assert [int(value[0, 0]) for value in colours[0].values] == [1, 2]


def test_an_empty_input_has_no_objects_to_choose_from():
    start = state_of(np.zeros((2, 2), np.int16))
    colours, _ = constant_planes(start, start)
    assert [state.arguments[1].word for state in colours] == [g.most_common_colour, g.rarest_colour]


def test_a_test_and_its_contrary_are_kept_once_and_constant_ones_never():
    tests = p.Tests(4, 100)
    answers = np.array([True, False, True, True])
    for row in (answers, ~answers, np.ones(4, bool), np.zeros(4, bool), ~answers[::-1], answers[::-1]):
        tests.add(p.Test(g.cells_are, (), 1.0), row)
    assert [row.tolist() for row in tests.rows] == [answers.tolist(), (~answers[::-1]).tolist()]
    assert len(tests.tests) == 2


def test_no_more_tests_are_kept_than_asked():
    tests = p.Tests(5, 3)
    for row in itertools.product((True, False), repeat=5):
        tests.add(p.Test(g.cells_are, (), 1.0), np.array(row))
    assert len(tests.rows) == 3


def test_what_a_test_answers_is_what_its_mask_shows():
    grids = [picture(0, (4, 4), 7), picture(1, (4, 4), 7)]
    start = state_of(*grids)
    turned = plane(g.mirror, start, (), 3.0)
    rows = plane(c.row_number, start, (), 3.0)
    height = State(Int, [2, 3], 1.0, o.number_of_colours, (start,))
    tests = p.Tests(32, 500)
    tests.values(start, 16, ordered=True)
    tests.agreements([start, turned])
    tests.below(
        [rows], [State(Grid, [np.full((4, 4), v, np.int16) for v in height.values], 1.0, g.like, (start, 2))]
    )
    assert {test.word for test in tests.tests} == {g.cells_are, g.cells_at_most, g.cells_equal, g.cells_below}
    for test, answers in zip(tests.tests, tests.rows, strict=True):
        assert np.array_equal(flat(test.state()) != 0, answers)
        assert not test.uses({g.upside_down}) and test.cost > 0
    assert sum(test.uses({g.mirror}) for test in tests.tests) == 1


def test_of_very_many_numbers_the_smallest_and_largest_are_asked_about():
    start = state_of(np.arange(40, dtype=np.int16)[None])
    tests = p.Tests(40, 500)
    tests.values(start, 40, ordered=False)
    asked = sorted(test.arguments[1] for test in tests.tests)
    half = MOST_VALUES // 2
    assert asked == [*range(half), *range(40 - half, 40)]


# -- rules -------------------------------------------------------------------------------------------------------------


@given(arrays(np.int64, (3, 4), elements=st.integers(0, 9)))
@settings(max_examples=40)
def test_bits_for_labels_are_those_of_scipy(counts):
    expected = [row.sum() * entropy(row, base=2) if row.sum() else 0.0 for row in counts]
    assert np.allclose(_entropy(counts.astype(np.float32)), expected, atol=1e-4)


def cells_of(leaves, tests, target):
    """Cells over plain rows: each leaf and test costs one bit."""
    states = [State(Grid, [np.array([row])], 1.0) for row in leaves]
    asked = [p.Test(g.cells_are, (states[0], at), 1.0) for at in range(len(tests))]
    return Cells.of(states, asked, [np.array(row, bool) for row in tests], np.array(target))


def grow(cells, mask=None, **limits):
    mask = np.ones(len(cells.target), bool) if mask is None else np.array(mask, bool)
    return Grower(cells, Limits(**limits), Budget(60.0)).grow(mask)


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1, max_size=4),
    st.lists(st.lists(st.booleans(), min_size=6, max_size=6), max_size=5),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_a_rule_is_right_on_every_cell_it_was_grown_on(leaves, tests, target, mask):
    cells = cells_of(leaves, tests, target)
    rule = grow(cells, mask)
    if rule is not None:
        assert (shown_by(rule, cells) == cells.target)[mask].all()


def test_a_leaf_that_is_right_everywhere_is_the_rule_and_the_cheapest_is_taken():
    cells = cells_of([[1, 2, 3], [1, 2, 3], [0, 0, 0]], [[1, 0, 0]], [1, 2, 3])
    cells.leaf_costs[:] = (5.0, 2.0, 1.0)
    rule = grow(cells)
    assert isinstance(rule, Leaf) and rule.plane is cells.leaves[1]


def test_two_leaves_and_the_test_between_them_make_a_rule():
    cells = cells_of([[7, 7, 7, 7], [1, 2, 3, 4]], [[1, 0, 1, 0], [1, 1, 0, 0]], [7, 7, 3, 4])
    rule = grow(cells)
    assert isinstance(rule, Split) and rule.test is cells.tests[1]
    assert (rule.then.plane, rule.otherwise.plane) == (cells.leaves[0], cells.leaves[1])
    assert rule.cost == 1.0 + 1.0 + 1.0 + 1.0


@pytest.mark.parametrize(
    ("leaves", "tests", "limits"),
    [
        ([[7, 7, 7, 7], [1, 2, 3, 4]], [[1, 0, 1, 0]], {}),
        ([[7, 7, 7, 7], [1, 2, 3, 4]], [], {}),
        ([[7, 7, 7, 7]], [[1, 1, 0, 0]], {}),
        ([[7, 7, 7, 7], [1, 2, 3, 4]], [[1, 1, 0, 0]], {"depth": 0}),
        ([[7, 7, 7, 7], [1, 2, 3, 4]], [[1, 1, 0, 0]], {"leaves": 1}),
    ],
)
def test_where_no_tree_of_the_size_is_right_there_is_no_rule(leaves, tests, limits):
    assert grow(cells_of(leaves, tests, [7, 7, 3, 4]), **limits) is None


def test_a_partial_rule_takes_the_leaf_that_is_right_on_most_cells():
    cells = cells_of([[7, 7, 7, 7], [1, 2, 3, 7]], [[1, 1, 0, 0]], [7, 7, 3, 7])
    rule = grow(cells, depth=0, partial=True)
    assert isinstance(rule, Leaf) and rule.plane is cells.leaves[0]


def test_no_time_no_rule():
    cells = cells_of([[7, 7, 7, 7], [1, 2, 3, 4]], [[1, 1, 0, 0]], [7, 7, 3, 4])
    assert Grower(cells, Limits(), Budget(0.0)).grow(np.ones(4, bool)) is None


def striped(seed):
    """A picture whose even rows are painted with 5 where they are empty."""
    before = picture(seed, (5, 4), 3)
    after = before.copy()
    after[::2][after[::2] == 0] = 5
    return before, after


@pytest.fixture(scope="module")
def stripes():
    pairs = [striped(seed) for seed in range(3)]
    asked, wanted = striped(9)
    puzzle = Puzzle([before for before, _ in pairs], [after for _, after in pairs], [asked])
    return puzzle, matrices(puzzle, [puzzle.start], [puzzle.start]), wanted


def test_rules_over_cells_are_right_on_labelled_cells_and_are_what_their_programs_say(stripes):
    puzzle, cells, wanted = stripes
    grids = [*puzzle.inputs, *puzzle.asked]
    found = list(rules(cells, np.ones(len(cells.target), bool), Limits(), Budget(60.0)))
    assert found
    for rule in found:
        state = as_state(rule)
        assert np.array_equal(flat(state), shown_by(rule, cells))
        assert all(map(np.array_equal, state.values, puzzle.outputs))
        assert run(state, *grids) == told(state)
        assert state.cost == rule.cost and str(rule.program(GRID)) == str(state.program(GRID))
    assert any(np.array_equal(as_state(rule).values[-1], wanted) for rule in found)


def test_without_some_words_none_of_them_is_in_a_rule(stripes):
    puzzle, cells, _ = stripes
    fewer = cells.without({c.row_number, c.row_from_end})
    assert 0 < len(fewer.tests) < len(cells.tests)
    assert fewer.answers.shape == (len(fewer.tests), cells.shown.shape[1])
    assert not any(test.uses({c.row_number, c.row_from_end}) for test in fewer.tests)
    some = next(place for place, test in enumerate(cells.tests) if test is fewer.tests[3])
    assert np.array_equal(cells.answers[some], fewer.answers[3])


def test_what_is_missed_when_an_example_is_left_out_is_a_share(stripes):
    _, cells, _ = stripes
    owner = np.repeat(np.arange(3), 20)
    assert _missed_when_left_out(cells, owner, Budget(60.0)) in (0.0, 1 / 3, 2 / 3, 1.0)
    alone = cells_of([[1, 2]], [], [1, 2])
    assert _missed_when_left_out(alone, np.zeros(2, int), Budget(60.0)) == 1.0
    steady = cells_of([[1, 2, 1, 2], [0, 0, 0, 0]], [], [1, 2, 1, 2])
    assert _missed_when_left_out(steady, np.array([0, 0, 1, 1]), Budget(60.0)) == 0.0
    lucky = cells_of([[1, 2, 0, 0], [0, 0, 1, 2]], [], [1, 2, 1, 2])
    assert _missed_when_left_out(lucky, np.array([0, 0, 1, 1]), Budget(60.0)) == 1.0


def test_states_of_the_outputs_shape_are_grouped_by_all_their_shapes(stripes):
    puzzle, *_ = stripes
    other = Puzzle(
        [picture(0, (2, 3)), picture(1, (3, 2))], [picture(2, (2, 3)), picture(3, (3, 2))], [picture(4)]
    )
    other.bank.apply(g.mirror, (other.start,), 3.0)
    other.bank.apply(g.transpose, (other.start,), 2.0)
    (together,) = groups(other)
    assert [state.word for state in together] == [None, g.mirror]
    assert groups(puzzle)[0][0] is puzzle.start


def test_of_equal_states_the_cheapest_stays():
    dear, cheap, other = (state_of(picture(seed), cost=cost) for seed, cost in ((0, 5.0), (0, 2.0), (1, 3.0)))
    assert _cheapest_of_equals([dear, cheap, other]) == [cheap, other]
