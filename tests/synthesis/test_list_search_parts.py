"""The search over lists with grammars of a few words: each way to a program by itself, and what it is given."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.lang import Bool, Int, Lambda, List, Literal, Text, Var, call, evaluate
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Constant, Grammar, written_cost
from perennial.synthesis import kernels, lists
from perennial.synthesis.base import Budget, Examples, Found, answers
from perennial.synthesis.columns import Bank
from perennial.synthesis.lists import LARGEST_INPUT, ListSearch, chosen_places, open_search
from perennial.synthesis.ranking import MOST_PROGRAMS, copied_bits, judged, ranked

WORDS = vocabulary()
LISTS = List(Int)
INPUTS = ((3, 1, 2), (9, 7, 9, 4), (5,), (2, 8, 2, 2, 6), (1, 0, 7), (4, 3))
FRESH = [(6, 9, 1, 3), (2, 2), (8, 0, 5, 5, 1, 4)]


def examples_of(rule, inputs=INPUTS, kind=LISTS, result=LISTS, **more):
    return Examples(("xs",), (kind,), result, tuple((v,) for v in inputs), tuple(map(rule, inputs)), **more)


def grammar_of(words, result=LISTS, constants=()):
    names = words.split()
    numbers = tuple(Constant(value, Int, 2) for value in constants)
    return Grammar(
        tuple(WORDS[name] for name in names), {"xs": LISTS}, result, numbers, dict.fromkeys(names, 3)
    )


def search_on(rule, words="add", **more):
    examples = examples_of(rule, **more)
    return open_search(examples, grammar_of(words, examples.output_type), Budget(60.0, 1 << 27))


WAYS = {
    "enumerated": ("reverse sort", (), LISTS, lambda xs: tuple(sorted(xs, reverse=True))),
    "a map": ("map multiply", (), LISTS, lambda xs: tuple(x * x for x in xs)),
    "a map of places": ("map map_places multiply", (), LISTS, lambda xs: tuple(p * x for p, x in enumerate(xs))),
    "a map of truths": ("map is_even", (), List(Bool), lambda xs: tuple(x % 2 == 0 for x in xs)),
    "a map that counts": ("map add count_item", (), LISTS, lambda xs: tuple(x + xs.count(x) for x in xs)),
    "a filter": ("filter less", (3,), LISTS, lambda xs: tuple(x for x in xs if x > 3)),
    "a filter by places": ("filter filter_places is_even", (), LISTS, lambda xs: xs[::2]),
    "a filter of the last": (
        "filter filter_places equal subtract place_of add length", (1,), LISTS, lambda xs: xs[-1:]
    ),
    "a known beginning": ("append map multiply", (), LISTS, lambda xs: (xs + tuple(x * x for x in xs))),
    "a known end": ("append map multiply", (), LISTS, lambda xs: (tuple(x * x for x in xs) + xs)),
    "a constant beginning": ("append map multiply", (), LISTS, lambda xs: (7, *(x * x for x in xs))),
    "a constant end": ("append map multiply", (), LISTS, lambda xs: (*(x * x for x in xs), 8, 9)),
    "pieces for each item": (
        "flat_map single prepend add", (1,), LISTS, lambda xs: tuple(v for x in xs for v in (x, x + 1))
    ),
    "pieces of three": (
        "flat_map single prepend add", (0, 1), LISTS, lambda xs: tuple(v for x in xs for v in (x, 0, x + 1))
    ),
    "a piece twice": (
        "flat_map single prepend add", (1,), LISTS, lambda xs: tuple(v for x in xs for v in (x, x + 1, x))
    ),
    "equal pieces": ("flat_map single prepend", (), LISTS, lambda xs: tuple(v for x in xs for v in (x, x, x))),
    "the same for all": ("add", (), Int, lambda xs: 42),
    "a truth": ("is_even length", (), Bool, lambda xs: len(xs) % 2 == 0),
    "a condition": (
        "if less length reverse tail", (4,), LISTS, lambda xs: xs[::-1] if len(xs) < 4 else xs[1:]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_each_way_to_a_program_leads_to_one_that_holds_on_new_lists(name):
    words, constants, result, rule = WAYS[name]
    grammar = grammar_of(words, result, constants)
    found = list(ListSearch().run(examples_of(rule, result=result), grammar, Budget(20.0, 1 << 27)))
    assert found[-1].complete
    assert answers(found[-1].program, [(xs,) for xs in FRESH]) == tuple(map(rule, FRESH))
    allowed = {*words.split(), "lambda"}
    used = {
        getattr(node.function, "name", "lambda")
        for node in found[-1].program.walk()
        if hasattr(node, "function")
    }
    assert used <= allowed


def test_an_example_that_was_left_out_and_missed_is_taken_in():
    inputs = (*((n, n + 1, n + 2) for n in range(2, 14)), (9, 4, 4))
    examples = examples_of(lambda xs: tuple(sorted(xs)), inputs)
    left_out = [at for at in range(len(inputs)) if at not in chosen_places(examples)]
    assert left_out
    hard = left_out[0]
    inputs = (*inputs[:hard], (9, 4, 4), *inputs[hard + 1 : -1], (5, 6, 7))
    examples = examples_of(lambda xs: tuple(sorted(xs)), inputs)
    found = list(ListSearch().run(examples, grammar_of("sort reverse"), Budget(20.0, 1 << 27)))
    assert [one.missed for one in found] == [(hard,), ()]


# -- what it is given --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "can"),
    [
        ((1, 2), LISTS, True),
        ((), LISTS, True),
        (LARGEST_INPUT, Int, True),
        (-LARGEST_INPUT, Int, True),
        (LARGEST_INPUT + 1, Int, False),
        ((0, LARGEST_INPUT + 1), LISTS, False),
        ((0,) * 200, LISTS, True),
        ((0,) * 201, LISTS, False),
        (True, Bool, True),
        ("a", Text, False),
        (((1,),), List(LISTS), False),
    ],
)
def test_what_the_search_can_run(value, kind, can):
    examples = Examples(("x",), (kind,), Int, ((value,), (value,)), (0, 1))
    assert ListSearch().can_run(examples, None) is can


@pytest.mark.parametrize(("result", "value", "can"), [(List(Bool), (True,), True), (Text, "a", False)])
def test_what_the_search_can_give(result, value, can):
    assert ListSearch().can_run(Examples(("x",), (Int,), result, ((1,),), (value,)), None) is can


@given(st.lists(st.lists(st.integers(0, 9), max_size=5).map(tuple), min_size=1, max_size=25))
def test_the_examples_that_are_searched_on_are_the_longest_and_the_shortest(inputs):
    examples = examples_of(lambda xs: xs, inputs)
    places = chosen_places(examples)
    assert places == sorted(set(places)) and len(places) == min(10, len(inputs))
    if len(inputs) > 10:
        sizes = sorted((len(xs) for xs in inputs), reverse=True)
        assert sorted((len(inputs[at]) for at in places), reverse=True) == sizes[:8] + sizes[-2:]


def test_numbers_that_are_in_half_of_the_examples_may_be_written():
    search = search_on(lambda xs: (11, *xs), inputs=((1,), (2, 3), (2, 2), (11, 77)))
    assert search.constants() == {11: 6, 2: 6}


def test_constants_of_the_grammar_keep_their_price():
    examples = examples_of(lambda xs: (11, *xs))
    search = open_search(examples, grammar_of("add", constants=(11, 5)), Budget(60.0, 1 << 27))
    assert search.constants()[11] == search.constants()[5] == 2


def test_inner_functions_know_the_numbers_of_their_example():
    search = search_on(lambda xs: xs, "length first_item biggest", inputs=((4, 9), (), (2,)))
    leaves = {str(leaf.program): list(leaf.column) for leaf in search._outer_numbers()}
    assert leaves == {
        'length(variable("xs"))': [2, 0, 1],
        'first_item(variable("xs"))': [4, kernels.NONE, 2],
        'biggest(variable("xs"))': [9, kernels.NONE, 2],
    }


def test_every_leaf_of_an_inner_function_is_what_its_program_gives():
    words = "add subtract at item count_item place_of length"
    search = search_on(lambda xs: xs, words)
    search.workshop.grow(Budget(60.0))
    list(search.workshop.grow(Budget(60.0)))
    place = search.workshop.banks["list"].find(INPUTS)
    leaves = search.inner_leaves(INPUTS, place, placed=True)
    assert len(leaves) >= 7
    rows = [(xs, x, at) for xs in INPUTS for at, x in enumerate(xs)]
    for leaf in leaves:
        program = Lambda(("xs", "x", "place"), leaf.program)
        assert list(leaf.column) == [evaluate(program, *row) for row in rows], str(leaf.program)


def test_tests_hold_on_some_examples_and_have_an_answer_on_all():
    bank = Bank("bool", 3, 20)
    columns = [c for c in itertools.product((0, 1, kernels.NONE), repeat=3)][:20]
    for column in columns:
        bank.put(column, Literal(True))
    told = {mask: place for mask, _, place in lists._test_masks(bank, 0b111)}
    expected = {
        sum(bit << at for at, bit in enumerate(column)): place
        for place, column in enumerate(columns)
        if kernels.NONE not in column and 0 < sum(column) < 3
    }
    assert told == expected


def test_a_search_that_is_told_to_end_gives_what_it_has():
    grammar = grammar_of("add", Int)
    found = list(ListSearch().run(examples_of(lambda xs: 3, result=Int), grammar, Budget(0.0)))
    assert found == []


# -- ranking -----------------------------------------------------------------------------------------------------------


def told(bodies, rows, outputs=(1,), inputs=((1,),)):
    examples = Examples(("x",), (Int,), Int, inputs, outputs, unlabelled=rows)
    found = [Found(Lambda(("x",), body), cost, (True,) * len(outputs)) for cost, body in enumerate(bodies, 1)]
    return ranked(found, examples), found


def test_without_rows_to_tell_them_apart_all_programs_stay():
    result, found = told([Var("x"), Literal(1), Literal(1)], ())
    assert result.programs == tuple(found[:2]) and result.differing == ()


def test_no_more_programs_are_told_than_people_can_look_at():
    result, found = told([Literal(number) for number in range(MOST_PROGRAMS + 9)], ((5,),))
    assert result.programs == tuple(found[:MOST_PROGRAMS])


def test_a_program_without_an_answer_on_a_new_row_is_told_only_when_it_is_alone():
    broken = call(WORDS["first_item"], call(WORDS["replicate"], 1, Var("x")))
    result, found = told([Var("x"), broken], ((0,), (1,)))
    assert result.programs == (found[0],)
    result, found = told([broken], ((0,), (1,)))
    assert result.programs == (found[0],)


def test_the_row_to_ask_about_rules_out_most_programs_on_average():
    bodies = [Literal(1), Literal(2), Var("x"), Literal(3)]
    rows = ((1,), (9,), (3,))
    result, _ = told(bodies, rows)
    left = {}
    for row in result.differing:
        said = result.said(row)
        left[row] = sum(said.count(value) for value in said) / len(said)
    assert result.telling() == sorted(left, key=lambda row: (left[row], row)) and result.telling()[0] == 1


@pytest.mark.parametrize(
    ("value", "outputs", "copied"),
    [
        (11, (11, 5), True),
        (10, (10, 5), False),
        (-11, (-11,), True),
        (12, (11,), False),
        (True, (True,), False),
        ("abc", ("xabcx",), True),
        ("a", ("a",), False),
        ("abd", ("xabcx",), False),
        ((1, 2), ((0, 1, 2),), True),
        ((1, 2), ((1, 0, 2),), False),
        ((1,), ((1,),), False),
        (None, (None,), False),
    ],
)
def test_which_constants_were_copied_from_outputs(value, outputs, copied):
    examples = Examples(("x",), (Int,), Int, tuple((at,) for at in range(len(outputs))), outputs)
    assert copied_bits(Lambda(("x",), Literal(value)), examples) == (written_cost(value) if copied else 0)


def test_a_judged_program_says_who_found_it_and_what_it_misses():
    examples = examples_of(lambda xs: xs[::-1], ((1, 2), (3, 3), (5,)))
    one = judged(Lambda(("xs",), Var("xs")), examples, grammar_of("reverse"), "me", 2.5)
    assert (one.satisfied, one.engine, one.seconds, one.cost) == ((False, True, True), "me", 2.5, 1)
