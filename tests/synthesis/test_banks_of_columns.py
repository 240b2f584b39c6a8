"""Banks of columns, the workshop that makes them grow, and inner functions over flattened items."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.lang import Int, Lambda, List, Literal, Var, evaluate
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Grammar, grammar_for
from perennial.synthesis import kernels
from perennial.synthesis.base import Budget
from perennial.synthesis.columns import Bank, Workshop, _splits, packed, untouched
from perennial.synthesis.conditionals import Part, decision_tree
from perennial.synthesis.enumeration import _splits as enumeration_splits
from perennial.synthesis.lambdas import MOST_ROWS, InnerSearch, Leaf, broadcast
from perennial.synthesis.rules import list_rules, scalar_rules

WORDS = vocabulary()
NUMBERS = grammar_for(WORDS.values(), ["n"], [Int], Int)
LISTS = grammar_for(WORDS.values(), ["xs"], [List(Int)], Int)


def rules_of(grammar, make, *names):
    """The rules of the named words only, each of one bit."""
    words = tuple(op for op in grammar.words if op.name in names)
    return make(Grammar(words, {}, grammar.result, (), dict.fromkeys(names, 1)))


def grown(workshop, levels):
    budget = Budget(60.0)
    while workshop.level < levels:
        for _ in workshop.grow(budget):
            pass
    return workshop


# -- banks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("splits", [_splits, enumeration_splits], ids=["compiled search", "enumeration"])
@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("total", range(-1, 9))
def test_a_cost_is_divided_in_as_many_ways_as_combinatorics_says(splits, total, parts):
    ways = list(splits(total, parts))
    assert len(ways) == len(set(ways)) == (comb(total - 1, parts - 1) if total >= parts else 0)
    assert all(sum(way) == total and len(way) == parts and min(way) >= 1 for way in ways)


def test_untouched_memory_is_zero_of_the_asked_shape_and_can_be_written():
    array = untouched((3, 4), np.int32)
    assert array.shape == (3, 4) and array.dtype == np.int32 and not array.any()
    array[1, 2] = 7
    assert array.sum() == 7
    assert untouched((0, 5), np.int64).shape == (0, 5)


@given(
    st.lists(
        st.one_of(st.none(), st.lists(st.integers(-9, 9), max_size=4).map(tuple)), min_size=1, max_size=6
    )
)
def test_packed_lists_come_out_of_a_bank_as_they_went_in(column):
    _, offsets = packed(column)
    assert np.diff(offsets).tolist() == [1 if one is None else len(one) for one in column]
    bank = Bank("list", len(column), 4, arena=4_000)
    bank.put([(1,)] * len(column), Literal((1,)))
    bank.put(column, Var("xs"))
    place = bank.find(column)
    assert bank.column(place) == column


def test_numbers_without_an_answer_come_out_as_none():
    bank = Bank("int", 3, 4)
    bank.put((5, kernels.NONE, -2), Var("n"))
    assert bank.column(0) == [5, None, -2] and bank.find((5, kernels.NONE, -2)) == 0


def test_a_bank_of_two_columns_keeps_the_first_two():
    bank = Bank("int", 1, 2)
    for value in (3, 3, 4, 5):
        bank.put((value,), Literal(value))
    assert bank.full and len(bank) == 2 and [bank.find((value,)) for value in (3, 4, 5)] == [0, 1, -1]
    assert [str(leaf) for leaf in bank.leaves] == ["3", "4"]


def test_a_bank_of_lists_is_full_before_its_arena_overflows():
    bank = Bank("list", 2, 100, arena=140)
    for value in range(20):
        bank.put(((value,) * 3, ()), Var("xs"))
    assert bank.full and 0 < len(bank) < 20
    assert bank.state[kernels.ARENA_END] == 3 * len(bank) <= 140


def test_a_list_longer_than_all_room_is_left_out():
    bank = Bank("list", 1, 10, arena=100)
    bank.put(((1,) * 200,), Var("xs"))
    assert len(bank) == 0 and not bank.full
    bank.put(((1, 2),), Var("xs"))
    assert bank.column(0) == [(1, 2)]


def test_levels_without_columns_are_empty_spans():
    bank = Bank("int", 1, 9)
    bank.open_level(2)
    bank.put((1,), Literal(1))
    bank.put((2,), Literal(2))
    bank.open_level(5)
    bank.put((3,), Literal(3))
    assert [bank.span(cost) for cost in range(-1, 7)] == [
        (0, 0), (0, 0), (0, 0), (0, 2), (2, 2), (2, 2), (2, 3), (0, 0)
    ]  # fmt: skip
    assert [bank.cost_of(place) for place in range(3)] == [2, 2, 5]


@pytest.mark.parametrize("kind", ["int", "list"])
def test_a_bank_counts_the_memory_it_has_written_to(kind):
    bank = Bank(kind, 2, 1_000, arena=9_000)
    empty = bank.bytes
    bank.put(((1, 2), ()) if kind == "list" else (1, 2), Var("x"))
    assert empty == bank.table.nbytes
    each = 8 + 5 * 4 + (2 * 4 if kind == "int" else 3 * 4 + 2 * 4)
    assert bank.bytes - empty == each


def test_a_hit_is_told_once():
    bank = Bank("int", 1, 3)
    assert bank.hit() is None
    bank.state[kernels.HIT_FIRST : kernels.HIT_FOURTH + 1] = (4, 0, 1, 0)
    assert bank.hit() == (4, 0, 1, 0) and bank.hit() is None


# -- the workshop ------------------------------------------------------------------------------------------------------


def numbers_workshop(rules, room=200):
    workshop = Workshop({kind: Bank(kind, 3, room) for kind in ("int", "bool")}, rules)
    workshop.leaf("int", (2, 5, 9), Var("n"), 1)
    workshop.leaf("int", (1, 1, 1), Literal(1), 0)  # a cost of nothing counts as one
    return workshop


def test_every_program_of_a_workshop_gives_its_column():
    workshop = grown(
        numbers_workshop(rules_of(NUMBERS, scalar_rules, "add", "multiply", "less", "negate")), 6
    )
    for kind, bank in workshop.banks.items():
        assert len(bank) >= 3
        for place in range(len(bank)):
            program = Lambda(("n",), workshop.program(kind, place))
            values = [evaluate(program, value) for value in (2, 5, 9)]
            assert bank.column(place) == values, str(program)


def test_the_cost_of_a_column_is_the_cost_of_its_program():
    names = ("add", "multiply", "negate")
    workshop = grown(numbers_workshop(rules_of(NUMBERS, scalar_rules, *names)), 6)
    bank = workshop.banks["int"]
    costs = Grammar((), {"n": Int}, Int, (), dict.fromkeys(names, 1))
    for place in range(len(bank)):
        program = workshop.program("int", place)
        one = 1 - costs.literal_cost(1)  # the constant was given for a bit
        literals = sum(1 for node in parts_of(program) if isinstance(node, Literal))
        assert bank.cost_of(place) == costs.cost(program) + one * literals


def parts_of(program):
    yield program
    for child in program.children:
        yield from parts_of(child)


def test_mirrored_words_are_not_formed_twice():
    both_ways = numbers_workshop(rules_of(NUMBERS, scalar_rules, "subtract"))
    one_way = numbers_workshop(rules_of(NUMBERS, scalar_rules, "add"))
    assert (grown(both_ways, 3).tried, grown(one_way, 3).tried) == (4, 3)


def test_a_level_that_was_not_finished_does_not_count():
    workshop = numbers_workshop(rules_of(NUMBERS, scalar_rules, "add", "multiply"))
    grown(workshop, 2)
    list(workshop.grow(Budget(0.0)))
    assert workshop.level == 2
    list(workshop.grow(Budget(60.0)))
    assert workshop.level == 3


def test_a_workshop_is_finished_when_all_its_banks_are_full():
    workshop = numbers_workshop(rules_of(NUMBERS, scalar_rules, "add", "less"), room=2)
    assert not workshop.finished()
    grown(workshop, 6)
    assert workshop.banks["int"].full and workshop.banks["bool"].full and workshop.finished()
    assert workshop.bytes == sum(bank.bytes for bank in workshop.banks.values())


COLUMNS = {"n": (2, 5, 9), "three": (3, 3, 3), "xs": ((3, 1), (), (7,))}


@pytest.mark.parametrize(
    ("kind", "word", "wanted"),
    [
        ("int", "multiply", (6, 15, 27)),
        ("bool", "less", (0, 1, 1)),
        ("int", "length", (2, 0, 1)),
        ("list", "reverse", ((1, 3), (), (7,))),
        ("list", "add_last", ((3, 1, 2), (5,), (7, 9))),
        ("list", "append", ((3, 1, 3, 1), (), (7, 7))),
    ],
)
def test_a_full_bank_still_notices_the_goal(kind, word, wanted):
    room = {"int": 2, "bool": 0, "list": 1}
    banks = {each: Bank(each, 3, room[each], arena=900) for each in room}
    workshop = Workshop(banks, rules_of(LISTS, list_rules, word))
    for name, column in COLUMNS.items():
        workshop.leaf("list" if name == "xs" else "int", column, Var(name), 1)
    with np.errstate(over="ignore"):
        banks[kind].goal = banks[kind].key(wanted)
    grown(workshop, 3)
    assert [len(bank) for bank in banks.values()] == list(room.values())
    ((told, _, program),) = workshop.hits
    rows = zip(*COLUMNS.values(), strict=True)
    assert told == kind
    assert tuple(evaluate(Lambda(tuple(COLUMNS), program), *row) for row in rows) == wanted


# -- inner functions ---------------------------------------------------------------------------------------------------


def inner(target, kind="int", rules=("add", "multiply", "less"), choose=None, items=None, base=3):
    items = list(range(len(target))) if items is None else items
    leaves = [Leaf("int", items, Var("x"), 1), Leaf("int", [2] * len(items), Literal(2), 2)]
    rules = rules_of(NUMBERS, scalar_rules, *rules)
    return InnerSearch(leaves, rules, target, kind, lambda body: Lambda(("x",), body), base, choose)


def first_of(search, steps=12):
    for _ in range(steps):
        for program in search.step(Budget(60.0)):
            return program
    return None


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (lambda x: 2 * x + 2, "int"),
        (lambda x: x * x * x, "int"),
        (lambda x: x < 2, "bool"),
        (lambda x: 2, "int"),
    ],
)
def test_the_body_of_an_inner_function_is_found_from_its_values(rule, kind):
    found = first_of(inner([int(rule(x)) for x in range(7)], kind))
    assert [evaluate(found, x) for x in (11, 0, -4)] == [rule(x) for x in (11, 0, -4)]


def test_two_bodies_and_a_test_are_put_together():
    target = [x * x if x < 5 else x + 2 for x in (7, 1, 3, 9, 4, 6, 0)]
    rules = ("add", "multiply", "less")
    search = inner(target, rules=rules, choose=WORDS["if"], items=[7, 1, 3, 9, 4, 6, 0])
    search.leaves.append(Leaf("int", [5] * 7, Literal(5), 2))
    found = first_of(search)
    assert found.body.function is WORDS["if"]
    assert [evaluate(found, x) for x in (3, 4, 6, 8)] == [9, 16, 8, 10]
    assert first_of(inner(target, rules=rules, items=[7, 1, 3, 9, 4, 6, 0]), steps=3) is None


def test_truth_values_are_not_told_apart_by_conditions():
    assert first_of(inner([1, 0, 0, 1, 1, 0], "bool", choose=WORDS["if"]), steps=4) is None


def test_a_search_says_the_least_cost_that_its_next_step_can_find():
    search = inner([5, 5, 9, 9])
    assert search.next_cost == 3 + 5 and not search.finished
    list(search.step(Budget(60.0)))
    assert search.next_cost == 3 + 6
    list(search.step(Budget(60.0)))
    assert search.next_cost == 3 + 7


def test_of_very_many_rows_some_are_enough():
    rows = 3 * MOST_ROWS + 1
    search = inner([x + x for x in range(rows)])
    found = first_of(search)
    assert search.workshop.banks["int"].width <= MOST_ROWS
    assert evaluate(found, rows + 5) == 2 * (rows + 5)


@given(st.lists(st.tuples(st.integers(), st.lists(st.none(), max_size=3)), max_size=5))
def test_a_value_of_an_example_is_repeated_for_its_items(rows):
    values, lists = [value for value, _ in rows], [items for _, items in rows]
    assert broadcast(values, lists) == np.repeat(np.array(values, object), [len(x) for x in lists]).tolist()


# -- conditionals ------------------------------------------------------------------------------------------------------


def depths_that_suffice(rows, solutions, tests, depth):
    """Whether there is any tree of a depth, by trying all of them."""
    if any(rows & ~mask == 0 for mask in solutions):
        return True
    return depth > 0 and any(
        0 < rows & test < rows
        and depths_that_suffice(rows & test, solutions, tests, depth - 1)
        and depths_that_suffice(rows & ~test, solutions, tests, depth - 1)
        for test in tests
    )


def depth_of(tree):
    return 0 if tree.part is not None else 1 + max(depth_of(tree.yes), depth_of(tree.no))


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.lists(st.integers(1, 30), max_size=4),
    st.integers(0, 3),
)
def test_a_decision_tree_is_found_when_there_is_one_and_none_is_shallower(solutions, tests, deepest):
    tree = decision_tree(
        [Part(mask, 1, "") for mask in solutions], [Part(mask, 1, "") for mask in tests], 31, deepest=deepest
    )
    enough = [depth for depth in range(deepest + 1) if depths_that_suffice(31, solutions, tests, depth)]
    assert (None if tree is None else depth_of(tree)) == (enough[0] if enough else None)
