"""Words for lists, functions, whole numbers and dictionaries, against Python's own and against laws."""

import functools
import itertools
import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import NoAnswer
from perennial.primitives import vocabulary
from perennial.primitives.control import LONGEST_RESULT, MOST_ROUNDS
from perennial.primitives.lists import LONGEST_RANGE

WORD = vocabulary()
ITEMS = st.lists(st.integers(-3, 3), max_size=8).map(tuple)
PLACES = st.integers(-10, 10)


def without_place(items, place):
    return items[:place] + items[place + 1 :] if 0 <= place < len(items) else items


def replaced(items, place, value):
    return items[:place] + (value,) + items[place + 1 :] if 0 <= place < len(items) else items


OF_LISTS = {
    "tail": lambda xs: xs[1:],
    "init": lambda xs: xs[:-1],
    "reverse": lambda xs: tuple(reversed(xs)),
    "sort": lambda xs: tuple(sorted(xs)),
    "sort_down": lambda xs: tuple(sorted(xs))[::-1],
    "unique": lambda xs: tuple(dict.fromkeys(xs)),
    "running_totals": lambda xs: tuple(itertools.accumulate(xs)),
    "differences": lambda xs: tuple(xs[k + 1] - xs[k] for k in range(len(xs) - 1)),
    "repeated": lambda xs: tuple(x for x in xs if Counter(xs)[x] > 1),
    "runs": lambda xs: tuple(tuple(group) for _, group in itertools.groupby(xs)),
    "places": lambda xs: tuple(range(len(xs))),
    "is_sorted": lambda xs: xs == tuple(sorted(xs)),
    "has_no_items": lambda xs: len(xs) == 0,
    "total": sum,
    "product": math.prod,
    "length": len,
    "tally": lambda xs: dict(Counter(xs)),
}
AT_A_PLACE = {
    "take": lambda xs, n: tuple(x for k, x in enumerate(xs) if k < n),
    "drop": lambda xs, n: tuple(x for k, x in enumerate(xs) if k >= n),
    "take_last": lambda xs, n: tuple(x for k, x in enumerate(xs) if k >= len(xs) - n),
    "drop_last": lambda xs, n: tuple(x for k, x in enumerate(xs) if k < len(xs) - n),
    "rotate": lambda xs, n: tuple(xs[(k + n) % len(xs)] for k in range(len(xs))),
    "remove_at": without_place,
    "tiled": lambda xs, n: xs * n,
    "remove_item": lambda xs, x: tuple(each for each in xs if each != x),
    "count_item": lambda xs, x: xs.count(x),
    "contains": lambda xs, x: x in set(xs),
    "add_last": lambda xs, x: (*xs, x),
}


@pytest.mark.parametrize("name", OF_LISTS)
@given(items=ITEMS)
@settings(max_examples=30)
def test_a_word_gives_what_python_gives_for_a_list(name, items):
    assert WORD[name](items) == OF_LISTS[name](items)


@pytest.mark.parametrize("name", AT_A_PLACE)
@given(items=ITEMS, number=PLACES)
@settings(max_examples=40)
def test_a_word_gives_what_python_gives_for_a_list_and_a_number(name, items, number):
    assert WORD[name](items, number) == AT_A_PLACE[name](items, number)


@given(ITEMS, PLACES, PLACES)
@settings(max_examples=60)
def test_a_place_that_is_not_there_changes_nothing(items, place, other):
    assert WORD["replace_at"](items, place, 99) == replaced(items, place, 99)
    swapped = WORD["swap"](items, place, other)
    if 0 <= place < len(items) and 0 <= other < len(items):
        assert (swapped[place], swapped[other]) == (items[other], items[place])
    else:
        assert swapped == items
    assert WORD["swap"](swapped, place, other) == items
    grown = WORD["insert_at"](items, place, 99)
    at = min(max(0, place), len(items))
    assert grown[at] == 99 and WORD["remove_at"](grown, at) == items
    between = tuple(x for k, x in enumerate(items) if place <= k < other)
    assert WORD["slice"](items, place, other) == between


@given(ITEMS, PLACES)
@settings(max_examples=40)
def test_a_list_cut_in_two_is_the_list_again(items, number):
    for front, back in (("take", "drop"), ("drop_last", "take_last")):
        assert WORD["append"](WORD[front](items, number), WORD[back](items, number)) == items
    if items:
        assert WORD["prepend"](WORD["first_item"](items), WORD["tail"](items)) == items
        assert WORD["add_last"](WORD["init"](items), WORD["last"](items)) == items
        assert WORD["rotate"](WORD["rotate"](items, number), -number) == items


@given(ITEMS, st.integers(1, 5))
@settings(max_examples=40)
def test_chunks_put_together_are_the_list_and_windows_are_all_runs_of_neighbours(items, size):
    chunks = WORD["chunks"](items, size)
    assert WORD["flattened"](chunks) == items == WORD["flattened"](WORD["runs"](items))
    assert all(len(chunk) == size for chunk in chunks[:-1])
    shifted = [items[place:] for place in range(size)]
    assert WORD["windows"](items, size) == tuple(zip(*shifted, strict=False))
    assert WORD["every"](items, size) == tuple(chunk[0] for chunk in chunks)


@given(ITEMS, ITEMS)
@settings(max_examples=40)
def test_two_lists_are_compared_item_by_item(items, others):
    kept, gone = WORD["common"](items, others), WORD["without"](items, others)
    assert Counter(kept) + Counter(gone) == Counter(items)
    assert set(kept) == set(items) & set(others) and set(gone) == set(items) - set(others)
    mixed, shorter = WORD["interleave"](items, others), min(len(items), len(others))
    assert mixed[::2] == items[:shorter] and mixed[1::2] == others[:shorter]
    assert WORD["starts_with_items"](WORD["append"](items, others), items)
    assert WORD["starts_with_items"](items, others) == (items[: len(others)] == others)


@given(ITEMS, st.integers(-3, 3))
@settings(max_examples=40)
def test_a_value_is_found_where_it_comes_first(items, value):
    if value not in items:
        with pytest.raises(NoAnswer, match="not among"):
            WORD["place_of"](items, value)
        assert WORD["remove_first"](items, value) == items
        return
    place = WORD["place_of"](items, value)
    assert items[place] == value and value not in items[:place]
    assert WORD["remove_first"](items, value) == without_place(items, place)


@given(ITEMS.filter(len))
@settings(max_examples=40)
def test_the_extremes_of_a_list(items):
    assert (WORD["smallest"](items), WORD["biggest"](items)) == (min(items), max(items))
    [(_, number)] = Counter(items).most_common(1)
    most = WORD["most_common"](items)
    assert items.count(most) == number
    assert all(items.count(each) < number for each in items[: items.index(most)])


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("first_item", ((),)),
        ("last", ((),)),
        ("biggest", ((),)),
        ("smallest", ((),)),
        ("most_common", ((),)),
        ("at", ((7, 8), 2)),
        ("at", ((7, 8), -3)),
        ("every", ((1, 2), 0)),
        ("chunks", ((1, 2), 0)),
        ("windows", ((1, 2), -1)),
        ("tiled", ((1, 2), LONGEST_RANGE)),
        ("range_from", (0, LONGEST_RANGE)),
        ("range_from", (LONGEST_RANGE, 0)),
        ("product", ((2**1000,) * 5,)),
        ("max_by", (abs, ())),
        ("min_by", (abs, ())),
        ("find_first", (lambda x: x > 5, (1, 2))),
        ("until", (lambda x: False, lambda x: x, 1)),
        ("flat_map", (lambda x: (x,) * 5_001, (1, 2))),
        ("to_the", (2, -1)),
        ("to_the", (2, 1001)),
        ("root", (-1,)),
        ("is_prime", (10**6 + 1,)),
        ("from_digits", ((1, 10),)),
        ("from_digits", ((-1,),)),
        ("from_digits", ((1,) * 1001,)),
        ("rounded", (math.nan,)),
        ("rounded", (-1e16,)),
        ("look_up", ({1: 2}, 3)),
        ("from_pairs", ((({}, 1),),)),
        ("put", ({}, {}, 1)),
        ("inverted", ({1: {}},)),
        ("tally", (({},),)),
        ("group_by", (lambda x: {}, (1,))),
    ],
)
def test_what_has_no_answer_says_so(name, arguments):
    with pytest.raises(NoAnswer):
        WORD[name](*arguments)


def test_long_lists_end_at_the_bound():
    assert WORD["range"](10**9) == tuple(range(LONGEST_RANGE))
    assert WORD["replicate"](7, 10**9) == (7,) * LONGEST_RANGE
    assert WORD["range_from"](1, LONGEST_RANGE) == tuple(range(1, LONGEST_RANGE + 1))
    assert len(WORD["unfold"](lambda x: x + 1, 0, 10**9)) == MOST_ROUNDS
    assert WORD["iterate"](lambda x: x + 1, 0, 10**9) == MOST_ROUNDS
    assert len(WORD["flat_map"](lambda x: (x,) * (LONGEST_RESULT // 2), (1, 2))) == LONGEST_RESULT


# --- words that take functions ---


def odd(x):
    return x % 2 == 1


def tenfold(x, y):
    return 10 * x + y


WITH_FUNCTIONS = {
    "map": lambda xs: tuple(map(odd, xs)),
    "filter": lambda xs: tuple(filter(odd, xs)),
    "any": lambda xs: any(map(odd, xs)),
    "all": lambda xs: all(map(odd, xs)),
    "count": lambda xs: sum(map(odd, xs)),
    "take_while": lambda xs: tuple(itertools.takewhile(odd, xs)),
    "drop_while": lambda xs: tuple(itertools.dropwhile(odd, xs)),
    "partition": lambda xs: (tuple(filter(odd, xs)), tuple(itertools.filterfalse(odd, xs))),
    "sort_by": lambda xs: tuple([x for x in xs if not odd(x)] + [x for x in xs if odd(x)]),
    "group_by": lambda xs: {
        key: tuple(x for x in xs if odd(x) == key) for key in dict.fromkeys(map(odd, xs))
    },
}


@pytest.mark.parametrize("name", WITH_FUNCTIONS)
@given(items=ITEMS)
@settings(max_examples=30)
def test_a_function_is_applied_as_python_applies_it(name, items):
    assert WORD[name](odd, items) == WITH_FUNCTIONS[name](items)


@given(ITEMS, ITEMS)
@settings(max_examples=40)
def test_folds_scans_and_pairs_agree_with_the_standard_library(items, others):
    assert WORD["fold"](tenfold, 5, items) == functools.reduce(tenfold, items, 5)
    assert WORD["scan"](tenfold, 5, items) == tuple(itertools.accumulate(items, tenfold, initial=5))[1:]
    assert WORD["map_pairs"](tenfold, items, others) == tuple(map(tenfold, items, others))
    assert WORD["map_places"](tenfold, items) == tuple(10 * k + x for k, x in enumerate(items))
    assert WORD["filter_places"](lambda k, x: odd(k), items) == items[1::2]
    assert WORD["flat_map"](lambda x: (x, x), items) == tuple(x for x in items for _ in range(2))


@given(ITEMS.filter(len))
@settings(max_examples=40)
def test_the_first_of_equally_good_items_is_taken(items):
    best, worst = WORD["max_by"](abs, items), WORD["min_by"](abs, items)
    assert best == next(x for x in items if abs(x) == max(map(abs, items)))
    assert worst == next(x for x in items if abs(x) == min(map(abs, items)))
    if any(map(odd, items)):
        assert WORD["find_first"](odd, items) == next(filter(odd, items))


def test_functions_are_applied_again_and_again():
    assert WORD["iterate"](lambda x: 3 * x, 2, 4) == 2 * 3**4
    assert WORD["iterate"](lambda x: 3 * x, 2, -1) == 2
    assert WORD["unfold"](lambda x: 3 * x, 2, 4) == (2, 6, 18, 54)
    assert WORD["until"](lambda x: x > 100, lambda x: 3 * x, 2) == 162
    assert WORD["until"](lambda x: True, lambda x: 3 * x, 2) == 2


# --- whole numbers ---


@given(st.integers(-(10**6), 10**6), st.integers(-50, 50))
@settings(max_examples=60)
def test_numbers_follow_the_laws_of_arithmetic(x, y):
    assert WORD["add"](WORD["multiply"](WORD["divide"](x, y), y), WORD["remainder"](x, y)) == x
    assert WORD["multiply"](WORD["sign"](x), WORD["absolute"](x)) == x == WORD["negate"](WORD["negate"](x))
    assert WORD["is_even"](x) != WORD["is_odd"](x) == bool(x & 1)
    assert WORD["divides"](y, x) == (y != 0 and Fraction(x, y).denominator == 1)
    assert WORD["square"](x) == WORD["to_the"](x, 2) == WORD["absolute"](x) ** 2
    assert WORD["smaller"](x, y) + WORD["larger"](x, y) == x + y
    low, high = WORD["smaller"](y, 20), WORD["larger"](y, 20)
    held = WORD["clamp"](x, low, high)
    assert WORD["in_range"](held, low, high)
    assert (held == x) == WORD["in_range"](x, low, high) == (WORD["at_most"](low, x) and x <= high)


@given(st.integers(0, 10**40))
@settings(max_examples=40)
def test_a_root_is_the_largest_whole_number_below(x):
    root = WORD["root"](x)
    assert root * root <= x < (root + 1) ** 2
    assert WORD["is_square"](x) == (root * root == x) and WORD["is_square"](x * x)


@given(st.integers(-(10**30), 10**30))
def test_digits_are_those_of_the_decimal_system(x):
    digits = WORD["digits"](x)
    assert sum(digit * 10**place for place, digit in enumerate(reversed(digits))) == abs(x)
    assert len(digits) == 1 or digits[0] > 0


@given(st.integers(-10_000, 10_000))
def test_halves_are_rounded_upwards_and_quarters_to_the_nearest(quarters):
    assert WORD["rounded"](quarters / 4) == math.floor(Fraction(quarters, 4) + Fraction(1, 2))


# --- dictionaries ---

DICTIONARIES = st.dictionaries(st.integers(0, 5), st.integers(0, 5), max_size=6)


@given(DICTIONARIES, DICTIONARIES, st.integers(0, 6))
@settings(max_examples=60)
def test_dictionaries_behave_as_those_of_python(one, other, key):
    assert WORD["from_pairs"](WORD["to_pairs"](one)) == one
    assert dict(zip(WORD["keys"](one), WORD["values"](one), strict=True)) == one
    assert WORD["merge"](one, other) == one | other
    assert WORD["has_key"](one, key) == (key in one)
    assert WORD["look_up_or"](one, key, -1) == one.get(key, -1)
    assert WORD["look_up"](WORD["put"](one, key, 9), key) == 9
    assert WORD["without_key"](one, key) == {known: one[known] for known in one if known != key}
    assert WORD["without_key"](WORD["put"](one, key, 9), key) == WORD["without_key"](one, key)


@given(DICTIONARIES)
@settings(max_examples=30)
def test_inverting_twice_keeps_one_key_of_each_value(dictionary):
    twice = WORD["inverted"](WORD["inverted"](dictionary))
    assert twice.items() <= dictionary.items()
    assert sorted(twice.values()) == sorted(set(dictionary.values()))


def test_whole_numbers_at_the_edges():
    assert [WORD["to_the"](x, 3001) for x in (-1, 0, 1)] == [-1, 0, 1]
    assert WORD["to_the"](-1, 3000) == 1
    nines = (9,) * 1000
    assert WORD["digits"](WORD["from_digits"](nines)) == nines
    with pytest.raises(NoAnswer, match="too many digits"):
        WORD["digits"](10**1000)
    below_half = math.nextafter(0.5, 0.0)
    assert [WORD["rounded"](x) for x in (below_half, 0.5, -0.5, -below_half, 2.5, -1e-20)] == [
        0,
        1,
        0,
        0,
        3,
        0,
    ]
