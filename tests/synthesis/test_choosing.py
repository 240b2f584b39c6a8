"""Conditionals over partial solutions, witnesses of lists, and the ranking of programs that fit."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from perennial.lang import Int, Lambda, Literal, Var, call
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Grammar, written_cost
from perennial.synthesis.base import Budget, Examples, Found
from perennial.synthesis.conditionals import Part, cheapest_by_mask, decision_tree
from perennial.synthesis.ranking import copied_bits, judged, ranked
from perennial.synthesis.witnesses import lists as witness

WORDS = vocabulary()
EVERYTHING = 0b11111111


def right_on(tree, example):
    """Whether the tree is right on an example, followed from the root."""
    while tree.part is None:
        tree = tree.yes if tree.test.mask >> example & 1 else tree.no
    return bool(tree.part.mask >> example & 1)


masks = st.integers(1, EVERYTHING - 1)


@given(st.lists(masks, min_size=1, max_size=8), st.lists(masks, max_size=8))
def test_a_decision_tree_is_right_on_every_example(solutions, tests):
    tree = decision_tree(
        [Part(mask, 3 + place, place) for place, mask in enumerate(solutions)],
        [Part(mask, 2 + place, place) for place, mask in enumerate(tests)],
        EVERYTHING,
    )
    if tree is not None:
        assert all(right_on(tree, example) for example in range(8))


@given(st.lists(masks, min_size=1, max_size=5), st.lists(masks, max_size=5))
def test_one_test_suffices_when_brute_force_says_so(solutions, tests):
    possible = any(
        any(test & ~mask == 0 for mask in solutions)
        and any(EVERYTHING & ~test & ~mask == 0 for mask in solutions)
        for test in tests
    )
    tree = decision_tree(
        [Part(mask, 1, "") for mask in solutions],
        [Part(mask, 1, "") for mask in tests],
        EVERYTHING,
        deepest=1,
    )
    assert (tree is not None) == possible


def test_a_tree_becomes_a_program():
    parts = [Part(0b0011, 1, Var("x")), Part(0b1100, 1, Literal(0))]
    test = Part(0b0011, 1, call(WORDS["less"], Var("x"), 5))
    tree = decision_tree(parts, [test], 0b1111)
    assert str(tree.program(WORDS["if"])) == 'if_(less(variable("x"), 5), variable("x"), 0)'
    assert len(tree.parts()) == 3


def test_a_branch_for_a_single_example_is_dear():
    lonely = decision_tree([Part(0b0111, 1, 0), Part(0b1000, 1, 0)], [Part(0b1000, 1, 0)], 0b1111)
    shared = decision_tree([Part(0b0011, 1, 0), Part(0b1100, 1, 0)], [Part(0b1100, 1, 0)], 0b1111)
    assert lonely.cost > shared.cost


def test_the_search_for_a_tree_ends_with_its_clock():
    parts = [Part(1 << place, 1, place) for place in range(60)]
    assert decision_tree(parts, parts, (1 << 60) - 1, budget=Budget(0.0)) is None


def test_of_equal_parts_the_cheapest_stays():
    assert [part.cost for part in cheapest_by_mask([Part(1, 5, ""), Part(1, 2, ""), Part(2, 1, "")])] == [
        1,
        2,
    ]


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_what_a_filter_kept_is_found_again(items, flags):
    chosen = tuple(itertools.compress(items, flags))
    for last in (False, True):
        told = witness.kept(tuple(items), chosen, last)
        assert tuple(itertools.compress(items, told)) == chosen
    assert witness.kept(tuple(items), (*chosen, 9)) is None


@given(st.lists(st.tuples(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2))), min_size=1, max_size=4))
def test_what_remains_after_a_known_beginning_or_end(pairs):
    before, after = ([tuple(part) for part in side] for side in zip(*pairs, strict=True))
    whole = [one + two for one, two in zip(before, after, strict=True)]
    assert witness.after_prefix(before, whole) == after
    assert witness.before_suffix(after, whole) == before


def test_common_beginnings_ends_and_pieces():
    assert witness.common_prefix([(1, 2, 3), (1, 2)]) == (1, 2)
    assert witness.common_suffix([(4, 2), (2,)]) == (2,)
    assert witness.pieces([(1, 2), ()], [(1, 0, 2, 0), ()]) == 2
    assert witness.pieces([(1, 2)], [(1, 2, 3)]) == 0 and witness.pieces([()], [(1,)]) == 0
    assert witness.all_kept([(1, 2)], [(1, 2)]) == [] and witness.same_lengths([()], [()]) is False


def found(body, cost=5, good=(True, True)):
    return Found(Lambda(("x",), body), cost, good)


def test_programs_that_differ_on_rows_without_output_are_told():
    examples = Examples(("x",), (Int,), Int, ((2,), (2,)), (4, 4), unlabelled=((2,), (3,), (7,)))
    double, square = (call(WORDS[name], Var("x"), Var("x")) for name in ("add", "multiply"))
    told = ranked([found(square, 6), found(double), found(call(WORDS["multiply"], 2, Var("x")), 9)], examples)
    assert [one.cost for one in told.programs] == [5, 6]
    assert told.differing == (1, 2) and sorted(told.telling()) == [1, 2]
    assert told.said(2) == (14, 49)


def test_programs_that_agree_everywhere_are_one():
    examples = Examples(("x",), (Int,), Int, ((2,), (2,)), (4, 4), unlabelled=((2,),))
    double, square = (call(WORDS[name], Var("x"), Var("x")) for name in ("add", "multiply"))
    told = ranked([found(square), found(double)], examples)
    assert len(told.programs) == 1 and told.telling() == []


def test_where_none_fits_those_that_miss_fewest_are_told():
    examples = Examples(("x",), (Int,), Int, ((2,), (3,)), (4, 5))
    half, none = found(Literal(4), good=(True, False)), found(Literal(9), good=(False, False))
    assert ranked([none, half], examples).programs == (half,)
    assert ranked([none], examples).programs == ()


def test_with_errors_in_the_data_a_program_that_misses_as_many_fits():
    examples = Examples(("x",), (Int,), Int, ((2,), (3,)), (4, 5), tolerance=0.5)
    whole, half = found(Literal(7)), found(Literal(4), good=(True, False))
    assert len(ranked([whole, half], examples).programs) == 2


def test_constants_copied_from_outputs_make_a_program_less_believable():
    examples = Examples(("x",), (Int,), Int, ((2,), (3,)), (44, 45))
    grammar = Grammar((), {"x": Int}, Int)
    assert copied_bits(Lambda(("x",), Literal(44)), examples) == written_cost(44)
    assert copied_bits(Lambda(("x",), Literal(7)), examples) == 0
    copied, honest = (judged(Lambda(("x",), Literal(value)), examples, grammar) for value in (44, 43))
    assert copied.cost == honest.cost + written_cost(44)
    assert copied.satisfied == (True, False) and honest.right == 0
