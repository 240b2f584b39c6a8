"""What engines are given and give back: examples, budgets, answers, and when two values are the same."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.errors import DataError
from perennial.lang import Int, Lambda, Var, call
from perennial.primitives import vocabulary
from perennial.synthesis.base import LARGEST_VALUE, UNANSWERED, Budget, Examples, Found, answers, same_value

WORDS = vocabulary()
X = Var("x")


def squares(number=5, **more):
    rows = tuple((value,) for value in range(number))
    return Examples(("x",), (Int,), Int, rows, tuple(value * value for value in range(number)), **more)


# -- examples and what is found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "outputs", "unlabelled", "message"),
    [
        ((), (), (), "at least one"),
        (((1,), (2,)), (1,), (), "as many inputs as outputs"),
        (((1, 2),), (1,), (), "1 inputs: x"),
        (((1,),), (1,), ((1, 2),), "1 inputs: x"),
    ],
)
def test_examples_that_do_not_fit_together_are_refused(inputs, outputs, unlabelled, message):
    with pytest.raises(DataError, match=message):
        Examples(("x",), (Int,), Int, inputs, outputs, unlabelled)


@given(st.integers(1, 200), st.sampled_from([Fraction(0), Fraction(1, 8), Fraction(1, 4), Fraction(1, 2)]))
def test_a_complete_program_may_miss_the_tolerated_share_and_no_more(number, share):
    needed = squares(number, tolerance=float(share)).needed
    assert number - needed <= share * number < number - needed + 1


def test_a_subset_keeps_the_rows_in_the_order_asked_for_and_what_is_unlabelled():
    whole = squares(unlabelled=((9,),), tolerance=0.25)
    part = whole.subset([3, 0])
    assert (part.inputs, part.outputs) == (((3,), (0,)), (9, 0))
    assert (part.unlabelled, part.tolerance, len(part)) == (((9,),), 0.25, 2)


def test_what_was_missed_and_what_was_right_are_all_examples():
    found = Found(Lambda(("x",), X), 3, (True, False, True, False))
    assert (found.right, found.missed, found.complete) == (2, (1, 3), False)
    assert Found(found.program, 3, (True, True)).complete


def test_better_programs_are_right_more_often_then_cheaper_then_smaller():
    small, large = Lambda(("x",), X), Lambda(("x",), call(WORDS["negate"], X))
    best_first = [
        Found(large, 9, (True, True)),
        Found(small, 2, (True, False)),
        Found(large, 2, (False, True)),
        Found(small, 3, (True, False)),
        Found(small, 1, (False, False)),
    ]
    for ordered in itertools.permutations(best_first):
        assert sorted(ordered, key=lambda one: one.order) == best_first


# -- budgets -----------------------------------------------------------------------------------------------------------


def test_a_budget_of_no_seconds_is_over_and_has_nothing_left():
    budget = Budget(0.0)
    assert budget.over and budget.left == 0.0 and budget.share(0.5).over and budget.spent >= 0.0


def test_parts_of_a_budget_are_no_longer_than_what_is_left():
    budget = Budget(100.0)
    assert budget.within(500.0).seconds <= 100.0
    assert budget.within(2.0).seconds == 2.0
    assert 49.0 < budget.share(0.5).seconds <= 50.0
    assert 99.0 < budget.halved().seconds <= 100.0


def at_its_next_look(budget):
    """The budget when the time between two looks at memory and wishes has passed."""
    budget._next_look = 0.0
    return budget


def test_a_budget_ends_when_nobody_wants_more_and_stays_ended():
    wanted = [False]
    budget = Budget(100.0, until=lambda: wanted[0])
    assert not at_its_next_look(budget).over
    wanted[0] = True
    assert at_its_next_look(budget).over
    wanted[0] = False
    assert budget.over


def test_a_part_of_a_budget_ends_with_the_whole_or_by_its_own_wish():
    ended = {"whole": False, "part": False}
    whole = Budget(100.0, until=lambda: ended["whole"])
    part = whole.until(lambda: ended["part"])
    assert not at_its_next_look(part).over
    ended["part"] = True
    assert at_its_next_look(part).over and not at_its_next_look(whole).over
    ended.update(whole=True, part=False)
    other = whole.until(lambda: ended["part"])
    at_its_next_look(whole)
    assert at_its_next_look(other).over


def test_a_budget_without_memory_ends_and_its_whole_family_knows_why():
    whole = Budget(100.0)
    part = whole.share(0.5)
    assert not part.was_full
    full = Budget(100.0, ceiling=0, _family=part._family)
    assert at_its_next_look(full).over and whole.was_full and part.was_full
    assert not Budget(1.0).was_full


def test_an_engine_that_tells_of_a_full_bank_does_not_end_the_search():
    budget = Budget(100.0)
    budget.within(1.0).tell_full()
    assert budget.was_full and not at_its_next_look(budget).over


def test_half_of_the_memory_is_left_for_another_process():
    budget = Budget(100.0, memory=1 << 30, ceiling=5 << 30)
    half = budget.halved()
    assert half.memory == 1 << 29 and half._ceiling == (5 << 30) - (1 << 29)
    assert half.halved().memory == 1 << 28


def test_a_pause_does_not_count():
    budget = Budget(10.0)
    budget.start -= 8.0
    assert budget.left < 2.1
    budget.pause(8.0)
    assert 9.5 < budget.left <= 10.0


# -- answers -----------------------------------------------------------------------------------------------------------


def test_where_a_program_has_no_answer_or_does_not_end_it_says_so():
    first = Lambda(("x",), call(WORDS["first_item"], X))
    assert answers(first, [((7, 1),), ((),)]) == (7, UNANSWERED)
    assert repr(UNANSWERED) == "UNANSWERED"
    total = Lambda(("x",), call(WORDS["total"], call(WORDS["range"], X)))
    assert answers(total, [(5,)]) == (sum(range(5)),)
    assert answers(total, [(5,)], fuel=1) == (UNANSWERED,)


def test_a_value_that_is_too_long_is_no_answer():
    lists = Lambda(("x",), call(WORDS["append"], X, X))
    half = tuple(range(LARGEST_VALUE // 2))
    assert answers(lists, [(half,)]) == (half + half,)
    assert answers(lists, [((*half, 1),)]) == (UNANSWERED,)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (True, 1.0, False),
        (False, 0, False),
        (math.nan, math.nan, True),
        ((1, (math.nan,)), [1, [math.nan]], True),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (10**400, 1.0, False),
        (1.0, "1.0", False),
        (1.0, None, False),
        ((1, 2), (1, 2, 3), False),
        ((), [], True),
        ("ab", ("a", "b"), False),
        (1.0, 1.0 + 1e-8, False),
        (1.0, 1.0 + 1e-10, True),
        (UNANSWERED, UNANSWERED, True),
        (UNANSWERED, 0, False),
    ],
)
def test_when_two_values_are_the_same(left, right, same):
    assert same_value(left, right) is same and same_value(right, left) is same


VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=3), st.floats(), st.none()),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_sameness_holds_of_every_value_with_itself_and_does_not_depend_on_the_order(one, other):
    assert same_value(one, one)
    assert same_value(one, other) == same_value(other, one)
