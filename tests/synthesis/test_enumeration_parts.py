"""The parts of the enumeration over any types: contexts, words at ground types, inner functions, and what is kept."""

import gc
import itertools
import math

import pytest

from perennial.lang import Bool, Int, Lambda, List, Pair, Real, Text, Var, call, evaluate
from perennial.lang.types import Arrow, Option
from perennial.primitives import vocabulary
from perennial.spaces.grammar import LAMBDA_COST, Constant, Grammar
from perennial.synthesis.base import LARGEST_VALUE, UNANSWERED, Budget, Examples
from perennial.synthesis.enumeration import (
    LARGEST_INTEGER,
    Context,
    Enumeration,
    FunctionContext,
    Instance,
    _without_collector,
    applied,
    argument_names,
    ground_types,
    instances,
    values_inside,
)

WORDS = vocabulary()
X, Y = Var("x"), Var("y")
ADD, TIMES, NEGATE = (Instance(WORDS[name], (Int,) * n, Int, 1) for name, n in
                      (("add", 2), ("multiply", 2), ("negate", 1)))  # fmt: skip


def grown(context, levels):
    while context.level < levels:
        list(context.grow(Budget(60.0)))
    return context


def context_of(*instances, room=10_000, **columns):
    rows = len(next(iter(columns.values())))
    context = Context(rows, instances, room)
    for name, column in columns.items():
        context.leaf(Int, column, Var(name), 1)
    return context


def all_programs(cost, words, leaves):
    """Every program of exactly a cost, each word and leaf of one bit."""
    if cost == 1:
        return list(leaves)
    found = []
    for op, inputs in words:
        for costs in itertools.product(range(1, cost), repeat=inputs):
            if sum(costs) == cost - 1:
                parts = [all_programs(part, words, leaves) for part in costs]
                found += [call(op, *chosen) for chosen in itertools.product(*parts)]
    return found


# -- columns -----------------------------------------------------------------------------------------------------------


def test_every_value_of_all_programs_is_known_at_its_least_cost():
    rows = [(2, 3), (5, -1), (0, 4)]
    columns = {"x": tuple(x for x, _ in rows), "y": tuple(y for _, y in rows)}
    context = grown(context_of(ADD, TIMES, NEGATE, **columns), 6)
    least = {}
    for cost in range(1, 7):
        for program in all_programs(cost, [(ADD.op, 2), (TIMES.op, 2), (NEGATE.op, 1)], [X, Y]):
            values = tuple(evaluate(Lambda(("x", "y"), program), *row) for row in rows)
            least.setdefault(values, cost)
    known = {entry.values: cost for cost, entry in context.entries(Int)}
    assert known == least and context.count == len(least)


def test_every_entry_is_what_its_program_gives():
    context = grown(context_of(ADD, TIMES, NEGATE, x=(2, 5, -3)), 6)
    for _, entry in context.entries(Int):
        program = Lambda(("x",), entry.program())
        assert entry.values == tuple(evaluate(program, value) for value in (2, 5, -3))


def test_entries_come_the_cheapest_first():
    costs = [cost for cost, _ in grown(context_of(ADD, TIMES, x=(2, 5)), 5).entries(Int)]
    assert costs == sorted(costs) and costs[0] == 1 and costs[-1] == 5
    assert list(context_of(ADD, x=(1,)).entries(Text)) == []


def test_a_context_holds_no_more_than_its_room():
    context = context_of(ADD, TIMES, x=(2, 5), room=4)
    for _ in range(5):
        list(context.grow(Budget(60.0)))
    assert context.count == 4 and context.level < 5


def test_a_level_that_was_cut_short_does_not_count():
    context = grown(context_of(ADD, x=(2, 5)), 2)
    list(context.grow(Budget(0.0)))
    assert context.level == 2


def test_columns_without_an_answer_on_most_rows_are_dropped():
    first = Instance(WORDS["first_item"], (List(Int),), Int, 1)
    for column, kept in (
        (((1,), (), ()), 0),
        (((1,), (2,), ()), 1),
    ):
        context = Context(3, [first], 100)
        context.leaf(List(Int), column, Var("xs"), 1)
        assert sum(1 for _ in grown(context, 2).entries(Int)) == kept


def test_missing_numbers_are_equal_to_each_other_in_a_column():
    context = Context(2, [], 100)
    context.leaf(Real, (math.nan, 1.0), X, 1)
    context.leaf(Real, (float("nan"), 1.0), Y, 1)
    assert [entry.program() for _, entry in grown(context, 1).entries(Real)] == [X]


def test_values_that_cannot_be_hashed_are_kept_once_too():
    context = Context(1, [], 100)
    context.leaf(Int, ({"a": 1},), X, 1)
    context.leaf(Int, ({"a": 1},), Y, 1)
    context.leaf(Int, ({"a": 2},), Var("z"), 1)
    assert [str(entry.program()) for _, entry in grown(context, 1).entries(Int)] == [str(X), str(Var("z"))]


# -- words at work -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "arguments", "expected"),
    [
        ("add", (2, 3), 5),
        ("add", (2, UNANSWERED), UNANSWERED),
        ("first_item", ((),), UNANSWERED),
        ("multiply", (LARGEST_INTEGER - 1, 1), LARGEST_INTEGER - 1),
        ("multiply", (LARGEST_INTEGER // 2, 2), UNANSWERED),
        ("multiply", (-LARGEST_INTEGER // 2, 2), UNANSWERED),
        ("append", ((0,) * LARGEST_VALUE, ()), (0,) * LARGEST_VALUE),
        ("append", ((0,) * LARGEST_VALUE, (0,)), UNANSWERED),
        ("otherwise", (UNANSWERED, 7), 7),
        ("otherwise", (4, UNANSWERED), 4),
        ("otherwise", (UNANSWERED, UNANSWERED), UNANSWERED),
        ("if", (True, 1, UNANSWERED), 1),
        ("if", (False, 1, UNANSWERED), UNANSWERED),
    ],
)
def test_what_a_word_gives_on_one_row(word, arguments, expected):
    assert applied(WORDS[word], arguments) == expected


def test_words_are_instantiated_at_every_type_that_occurs():
    grammar = Grammar((WORDS["reverse"], WORDS["length"], WORDS["add"]), {}, Int)
    types = [List(Int), Int, List(Text), Text]
    found = {(one.op.name, one.inputs, one.result) for one in instances(grammar, types)}
    assert found == {
        ("reverse", (List(Int),), List(Int)),
        ("reverse", (List(Text),), List(Text)),
        ("length", (List(Int),), Int),
        ("length", (List(Text),), Int),
        ("add", (Int, Int), Int),
    }


def test_words_of_types_that_do_not_occur_are_left_out():
    grammar = Grammar((WORDS["reverse"], WORDS["upper"]), {}, Int)
    assert instances(grammar, [Int, Bool]) == []


def test_a_word_of_a_function_is_instantiated_at_the_types_of_the_function():
    grammar = Grammar((WORDS["map"],), {}, List(Int))
    (one,) = instances(grammar, [List(Int), Int])
    assert one.inputs == (Arrow(Int, Int), List(Int)) and one.result == List(Int)


def test_where_a_real_number_is_asked_for_and_none_occurs_a_whole_one_is_given():
    grammar = Grammar((WORDS["sqrt"],), {}, Real)
    assert [one.inputs for one in instances(grammar, [Int])] == [(Int,)]
    assert [one.inputs for one in instances(grammar, [Int, Real])] == [(Real,)]


# -- types and values --------------------------------------------------------------------------------------------------


def test_types_inside_types_and_the_usual_ones_are_ground_types():
    kind = Pair(Text, List(Real))
    examples = Examples(("p",), (kind,), Option(Text), ((("a", (1.0,)),),), ("a",))
    assert ground_types(examples)[:2] == [kind, Option(Text)]
    assert set(ground_types(examples)) == {kind, Option(Text), Text, List(Real), Real, Int, Bool}


def test_all_values_inside_a_row_are_found_once_by_type():
    kind = List(Pair(Int, Text))
    row = (((1, "a"), (2, "a"), (1, "a")), 2)
    assert values_inside(row, (kind, Int)) == {
        kind: [row[0]],
        Pair(Int, Text): [(1, "a"), (2, "a")],
        Int: [1, 2],
        Text: ["a"],
    }


def test_names_of_arguments_are_free_and_differ():
    names = argument_names(4, ["y", "u"])
    assert len(set(names)) == 4 and not set(names) & {"y", "u"}


# -- inner functions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def inner():
    """Functions from a number to a number, tabulated on what two examples hold."""
    context = context_of(ADD, TIMES, x=(1, 2, 7), n=(10, 10, 20))
    outer = [{"n": 10}, {"n": 20}]
    arrow = Arrow(Int, Int)
    return FunctionContext(arrow, context, [(1,), (2,), (7,)], [0, 0, 1], outer, ("x",), Budget(60.0))


def test_functions_cost_a_lambda_more_than_their_bodies(inner):
    bodies = {str(entry.leaf.body) for entry in inner.of_cost(1 + LAMBDA_COST)}
    assert bodies == {str(X), str(Var("n"))}
    assert all(entry.leaf.names == ("x",) for entry in inner.of_cost(3 + LAMBDA_COST))
    assert inner.of_cost(LAMBDA_COST) == []


def test_a_function_gives_the_same_inside_and_outside_its_table(inner):
    for cost in (2, 4, 6):
        for entry in inner.of_cost(cost):
            for function, outer in zip(entry.values, inner.outer, strict=True):
                program = Lambda(("n", "x"), entry.leaf.body)
                assert [function(x) for x in (1, 2, 7, 30)] == [
                    evaluate(program, outer["n"], x) for x in (1, 2, 7, 30)
                ]


def test_a_function_without_a_value_makes_the_word_around_it_unanswered():
    def broken(*_):
        return WORDS["first_item"].function(())

    assert applied(WORDS["map"], (broken, (1,))) is UNANSWERED
    assert applied(WORDS["map"], (broken, ())) == ()


# -- the engine --------------------------------------------------------------------------------------------------------


def run(rule, inputs, kind, words, result=Int, constants=(), seconds=10.0):
    examples = Examples(
        ("a",), (kind,), result, tuple((value,) for value in inputs), tuple(map(rule, inputs))
    )
    grammar = Grammar(
        tuple(WORDS[name] for name in words), {"a": kind}, result,
        tuple(Constant(value, Int, 2) for value in constants), dict.fromkeys(words, 2),
    )  # fmt: skip
    return list(Enumeration().run(examples, grammar, Budget(seconds, 1 << 27)))


def test_the_shortest_program_of_a_small_grammar_is_found():
    found = run(lambda n: n * n + n, (1, 4, -2, 7), Int, ("add", "multiply"))[-1]
    body = call(WORDS["add"], Var("a"), call(WORDS["multiply"], Var("a"), Var("a")))
    assert found.complete and found.program.body.size == body.size and found.cost == 2 + 2 + 3
    assert evaluate(found.program, 10) == 110


def test_cases_are_joined_by_a_condition():
    found = run(
        lambda n: n if n < 3 else n * n,
        (0, 5, 1, 2, 3, 7, -4),
        Int,
        ("multiply", "less", "if"),
        constants=(3,),
    )[-1]
    assert found.complete and [evaluate(found.program, n) for n in (-9, 2, 3, 9)] == [-9, 2, 9, 81]


def test_a_function_of_an_inner_number_and_an_outer_one_is_found():
    found = run(
        lambda xs: tuple(x + len(xs) for x in xs), ((3, 1), (5,), (7, 7, 2)), List(Int),
        ("map", "add", "length"), List(Int),
    )[-1]  # fmt: skip
    assert found.complete and evaluate(found.program, (0, 10, 20, 30)) == (4, 14, 24, 34)


def test_without_a_program_the_search_ends_when_nothing_new_can_be_made():
    assert run(lambda n: n + 1, (1, 2, 3), Int, ("absolute",), seconds=60.0) == []


def test_the_collector_is_off_inside_and_as_it_was_after():
    assert gc.isenabled()
    with pytest.raises(KeyError), _without_collector():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with _without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
