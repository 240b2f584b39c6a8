"""Each compiled loop and the same loop in plain Python, at the edges where they have no answer."""

import importlib.util
import itertools
import random
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.lang import Int, List, Literal, Var
from perennial.primitives import vocabulary
from perennial.spaces.grammar import grammar_for
from perennial.synthesis import columns
from perennial.synthesis import kernels as k
from perennial.synthesis.base import Budget
from perennial.synthesis.columns import Bank, Workshop, packed
from perennial.synthesis.rules import list_rules, scalar_rules
from perennial.synthesis.witnesses import lists as witness

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # hashes wrap around


def without_numba():
    """The module as it is where numba is not installed."""
    spec = importlib.util.spec_from_file_location("kernels_without_numba", k.__file__)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "numba", None)
        spec.loader.exec_module(module)
    return module


PLAIN = without_numba()


def both(name):
    """The compiled and the plain function of a name, as one parameter each."""
    return [
        pytest.param(getattr(module, name), id=word) for module, word in ((k, "compiled"), (PLAIN, "plain"))
    ]


def answer(value):
    return None if value == k.NONE else value


def test_the_module_says_whether_numba_compiled_it():
    assert k.COMPILED and not PLAIN.COMPILED
    assert {
        name: value for name, value in vars(PLAIN).items() if isinstance(value, int) and name != "COMPILED"
    } == {name: value for name, value in vars(k).items() if isinstance(value, int) and name != "COMPILED"}


# -- numbers -----------------------------------------------------------------------------------------------------------

WHOLE = {
    k.ADD: lambda x, y: x + y,
    k.SUBTRACT: lambda x, y: x - y,
    k.MULTIPLY: lambda x, y: x * y,
    k.DIVIDE: lambda x, y: x // y if y else 0,
    k.REMAINDER: lambda x, y: x % y if y else x,
    k.SMALLER: min,
    k.LARGER: max,
    k.LESS: lambda x, y: x < y,
    k.AT_MOST: lambda x, y: x <= y,
    k.EQUAL: lambda x, y: x == y,
    k.DIVIDES: lambda x, y: x != 0 and y % x == 0,
    k.IS_EVEN: lambda x, y: x % 2 == 0,
    k.IS_ODD: lambda x, y: x % 2 == 1,
    k.IS_SQUARE: lambda x, y: x in {root * root for root in range(20_000)},
    k.NEGATE: lambda x, y: -x,
    k.ABSOLUTE: lambda x, y: abs(x),
    k.SQUARE: lambda x, y: x * x,
}
EDGES = (-k.LARGEST, -16385, -3, -1, 0, 1, 2, 7, 16383, 16384, 16385, k.LARGEST)


@pytest.mark.parametrize("scalar", both("scalar"))
@pytest.mark.parametrize("op", WHOLE)
def test_numbers_that_are_too_large_have_no_answer(scalar, op):
    for x, y in itertools.product(EDGES, repeat=2):
        expected = int(WHOLE[op](x, y))
        assert answer(scalar(op, x, y)) == (expected if abs(expected) <= k.LARGEST else None), (x, y)


@pytest.mark.parametrize("scalar", both("scalar"))
@pytest.mark.parametrize("op", [*WHOLE, k.NOT, k.AND, k.OR, k.IS_PRIME, k.POWER])
def test_without_an_argument_there_is_no_answer(scalar, op):
    assert scalar(op, k.NONE, 1) == k.NONE and scalar(op, 1, k.NONE) == k.NONE


@pytest.mark.parametrize("scalar", both("scalar"))
def test_truth_tables(scalar):
    for x, y in itertools.product((0, 1), repeat=2):
        assert scalar(k.AND, x, y) == (x and y) and scalar(k.OR, x, y) == (x or y)
        assert scalar(k.NOT, x, 0) == 1 - x


@pytest.mark.parametrize("power", both("power"))
@pytest.mark.parametrize("base", [-17, -2, -1, 0, 1, 2, 3, 645, 646])
def test_powers_are_those_of_python(power, base):
    for exponent in range(70):
        exact = base**exponent
        assert answer(power(base, exponent)) == (exact if abs(exact) <= k.LARGEST else None), exponent
    assert power(base, -1) == k.NONE


@pytest.mark.parametrize("prime", both("prime"))
def test_primes_are_those_of_the_sieve(prime):
    sieve = np.ones(400, bool)
    sieve[:2] = False
    for number in range(2, 20):
        sieve[2 * number :: number] = False
    assert [prime(number) for number in range(-3, 400)] == [0, 0, 0, *sieve.astype(int).tolist()]
    assert prime(999_983) == 1 and prime(1_000_000) == 0 and prime(1_000_001) == k.NONE


# -- lists -------------------------------------------------------------------------------------------------------------


def repeated(xs):
    return [x for x in xs if xs.count(x) > 1]


def without_first(xs, x):
    at = xs.index(x) if x in xs else len(xs)
    return xs[:at] + xs[at + 1 :]


def swapped(xs, x, y):
    xs = list(xs)
    if 0 <= x < len(xs) and 0 <= y < len(xs):
        xs[x], xs[y] = xs[y], xs[x]
    return xs


def kept_in(xs, x):
    """A place as take and drop understand it: within the list."""
    return min(len(xs), max(0, x))


# code: (what Python gives for two lists and two numbers)
LISTS = {
    k.REVERSE: lambda a, b, x, y: a[::-1],
    k.SORT: lambda a, b, x, y: sorted(a),
    k.SORT_DOWN: lambda a, b, x, y: sorted(a, reverse=True),
    k.UNIQUE: lambda a, b, x, y: list(dict.fromkeys(a)),
    k.REPEATED: lambda a, b, x, y: repeated(a),
    k.TAIL: lambda a, b, x, y: a[1:],
    k.INIT: lambda a, b, x, y: a[:-1],
    k.RUNNING_TOTALS: lambda a, b, x, y: list(itertools.accumulate(a)),
    k.RUNNING_MAXIMA: lambda a, b, x, y: list(itertools.accumulate(a, max)) if a else None,
    k.RUNNING_MINIMA: lambda a, b, x, y: list(itertools.accumulate(a, min)) if a else None,
    k.DIFFERENCES: lambda a, b, x, y: [two - one for one, two in itertools.pairwise(a)],
    k.PLACES: lambda a, b, x, y: list(range(len(a))),
    k.TAKE: lambda a, b, x, y: a[: max(0, x)],
    k.DROP: lambda a, b, x, y: a[max(0, x) :],
    k.TAKE_LAST: lambda a, b, x, y: a[len(a) - kept_in(a, x) :],
    k.DROP_LAST: lambda a, b, x, y: a[: len(a) - kept_in(a, x)],
    k.ADD_LAST: lambda a, b, x, y: [*a, x],
    k.PREPEND: lambda a, b, x, y: [x, *a],
    k.REMOVE_AT: lambda a, b, x, y: [v for at, v in enumerate(a) if at != x],
    k.REMOVE_ITEM: lambda a, b, x, y: [v for v in a if v != x],
    k.REMOVE_FIRST: lambda a, b, x, y: without_first(a, x),
    k.ROTATE: lambda a, b, x, y: a[x % len(a) :] + a[: x % len(a)] if a else [],
    k.TILED: lambda a, b, x, y: a * x,
    k.EVERY: lambda a, b, x, y: a[::x] if x > 0 else None,
    k.SLICE: lambda a, b, x, y: a[kept_in(a, x) : kept_in(a, y)],
    k.INSERT_AT: lambda a, b, x, y: [*a[: kept_in(a, x)], y, *a[kept_in(a, x) :]],
    k.REPLACE_AT: lambda a, b, x, y: [y if at == x else v for at, v in enumerate(a)],
    k.SWAP: lambda a, b, x, y: swapped(a, x, y),
    k.APPEND: lambda a, b, x, y: a + b,
    k.WITHOUT: lambda a, b, x, y: [v for v in a if v not in b],
    k.COMMON: lambda a, b, x, y: [v for v in a if v in b],
    k.INTERLEAVE: lambda a, b, x, y: [v for two in zip(a, b, strict=False) for v in two],
    k.SUMS: lambda a, b, x, y: [u + v for u, v in zip(a, b, strict=False)],
    k.GAPS: lambda a, b, x, y: [u - v for u, v in zip(a, b, strict=False)],
    k.PRODUCTS: lambda a, b, x, y: [u * v for u, v in zip(a, b, strict=False)],
    k.MAXIMA: lambda a, b, x, y: [max(u, v) for u, v in zip(a, b, strict=False)],
    k.MINIMA: lambda a, b, x, y: [min(u, v) for u, v in zip(a, b, strict=False)],
    k.SINGLE: lambda a, b, x, y: [x],
    k.RANGE: lambda a, b, x, y: list(range(x)),
    k.REPLICATE: lambda a, b, x, y: [x] * y,
    k.RANGE_FROM: lambda a, b, x, y: list(range(x, y + 1)) if y >= x else list(range(x, y - 1, -1)),
    k.DIGITS: lambda a, b, x, y: list(map(int, str(abs(x)))),
}
MEASURES = {
    k.LENGTH: lambda a, b, x: len(a),
    k.TOTAL: lambda a, b, x: sum(a),
    k.BIGGEST: lambda a, b, x: max(a, default=None),
    k.SMALLEST: lambda a, b, x: min(a, default=None),
    k.HEAD: lambda a, b, x: a[0] if a else None,
    k.LAST: lambda a, b, x: a[-1] if a else None,
    k.PRODUCT: lambda a, b, x: int(np.prod(a)),
    k.MOST_COMMON: lambda a, b, x: max(a, key=a.count, default=None),
    k.AT: lambda a, b, x: a[x] if -len(a) <= x < len(a) else None,
    k.COUNT_ITEM: lambda a, b, x: a.count(x),
    k.PLACE_OF: lambda a, b, x: a.index(x) if x in a else None,
    k.HAS_NO_ITEMS: lambda a, b, x: not a,
    k.IS_SORTED: lambda a, b, x: a == sorted(a),
    k.CONTAINS: lambda a, b, x: x in a,
    k.SAME_LIST: lambda a, b, x: a == b,
}


def cases(seed, number=25):
    generator = random.Random(seed)
    for _ in range(number):
        lists = [[generator.randrange(-3, 5) for _ in range(generator.randrange(6))] for _ in range(2)]
        yield *lists, generator.randrange(-3, 8), generator.randrange(-3, 8)
    yield [], [], 0, 0
    yield [4], [4], 120, 0
    yield [2, 2], [2, 2], -250, 1


def written(function, op, a, b, x, y, longest=300):
    items, (start, middle, end) = packed([a, b])
    out = np.full(2_000, 77, np.int32)
    stop = function(op, items, start, middle, middle, end, x, y, out, 3, longest)
    assert (out[:3] == 77).all()  # nothing before the place to write at is touched
    return stop if stop < 0 else out[3:stop].tolist()


@pytest.mark.parametrize("function", both("list_to_list"))
@pytest.mark.parametrize("op", LISTS)
def test_lists_are_those_of_python(function, op):
    for a, b, x, y in cases(op):
        expected = LISTS[op](a, b, x, y)
        assert written(function, op, a, b, x, y) == (-1 if expected is None else expected), (a, b, x, y)


@pytest.mark.parametrize("function", both("list_to_scalar"))
@pytest.mark.parametrize("op", MEASURES)
def test_measures_are_those_of_python(function, op):
    for a, b, x, _ in cases(op):
        items, (start, middle, end) = packed([a, b])
        given = answer(function(op, items, start, middle, middle, end, x))
        assert given == MEASURES[op](a, b, x), (a, b, x)


@pytest.mark.parametrize("function", both("list_to_list"))
@pytest.mark.parametrize(
    ("op", "a", "b", "x", "y"),
    [
        (k.TILED, [1, 2, 3], [], 4, 0),
        (k.RANGE, [], [], 11, 0),
        (k.REPLICATE, [], [], 1, 11),
        (k.RANGE_FROM, [], [], -5, 5),
        (k.RANGE_FROM, [], [], 5, -5),
        (k.RUNNING_TOTALS, [k.LARGEST, 1], [], 0, 0),
        (k.SUMS, [k.LARGEST], [1], 0, 0),
        (k.GAPS, [-k.LARGEST], [1], 0, 0),
        (k.PRODUCTS, [1 << 15], [1 << 15], 0, 0),
    ],
)
def test_a_list_that_is_too_long_or_holds_too_much_is_told_apart(function, op, a, b, x, y):
    assert written(function, op, a, b, x, y, longest=10) == -2


@pytest.mark.parametrize("function", both("list_to_scalar"))
@pytest.mark.parametrize(("op", "a"), [(k.TOTAL, [k.LARGEST, 1]), (k.PRODUCT, [1 << 15, 1 << 15])])
def test_a_measure_that_is_too_large_has_no_answer(function, op, a):
    items, (start, end) = packed([a])
    assert function(op, items, start, end, start, end, 0) == k.NONE


@pytest.mark.parametrize("name", ["list_to_list", "list_to_scalar"])
def test_a_code_that_no_word_has_gives_no_answer(name):
    function = getattr(PLAIN, name)
    items = np.array([1, 2], np.int32)
    if name == "list_to_list":
        assert function(999, items, 0, 2, 0, 0, 0, 0, np.zeros(9, np.int32), 0, 9) == -1
    else:
        assert function(999, items, 0, 2, 0, 0, 0) == k.NONE


# -- inner functions ---------------------------------------------------------------------------------------------------

DOMAIN = [-2, -1, 0, 1, 2, 3, 5]  # 4 is not tabulated
PLACES = np.array([DOMAIN.index(v) if v in DOMAIN else -1 for v in range(-2, 6)], np.int32)


def table(function):
    return np.array([[k.NONE if function(v) is None else int(function(v)) for v in DOMAIN]], np.int32)


def takewhile(f, xs):
    return list(itertools.takewhile(f, xs))


ON_LISTS = {
    k.MAP: ("int", lambda f, xs: [f(x) for x in xs]),
    k.FILTER: ("bool", lambda f, xs: [x for x in xs if f(x)]),
    k.TAKE_WHILE: ("bool", takewhile),
    k.DROP_WHILE: ("bool", lambda f, xs: list(itertools.dropwhile(f, xs))),
    k.SORT_BY: ("int", lambda f, xs: sorted(xs, key=f)),
}
TO_NUMBERS = {
    k.COUNT: ("bool", lambda f, xs: sum(map(f, xs))),
    k.FIND_FIRST: ("bool", lambda f, xs: next(filter(f, xs), None)),
    k.ANY: ("bool", lambda f, xs: any(map(f, xs))),
    k.ALL: ("bool", lambda f, xs: all(map(f, xs))),
    k.MAX_BY: ("int", lambda f, xs: max(xs, key=f, default=None)),
    k.MIN_BY: ("int", lambda f, xs: min(xs, key=f, default=None)),
}
FUNCTIONS = {"int": lambda x: x * x - x, "bool": lambda x: x > 0}
KNOWN = st.lists(st.sampled_from(DOMAIN), max_size=7)


@pytest.mark.parametrize("function", both("function_to_list"))
@pytest.mark.parametrize("op", ON_LISTS)
def test_functions_over_lists_are_those_of_python(function, op):
    kind, python = ON_LISTS[op]
    tables = table(FUNCTIONS[kind])
    generator = random.Random(op)
    for size in (*range(7), 0, 3, 6):
        xs = generator.choices(DOMAIN, k=size)
        out, marks = np.zeros(40, np.int32), np.zeros(40, np.int32)
        items = np.array(xs, np.int32)
        stop = function(op, tables, 0, 0, -2, PLACES, items, 0, size, out, marks, 2)
        assert out[2:stop].tolist() == python(FUNCTIONS[kind], xs)


@pytest.mark.parametrize("function", both("function_to_scalar"))
@pytest.mark.parametrize("op", TO_NUMBERS)
def test_functions_that_measure_lists_are_those_of_python(function, op):
    kind, python = TO_NUMBERS[op]
    tables = table(FUNCTIONS[kind])
    generator = random.Random(op)
    for size in (*range(7), 3, 6):
        xs = generator.choices(DOMAIN, k=size)
        given = function(op, tables, 0, 0, -2, PLACES, np.array(xs, np.int32), 0, size)
        assert answer(given) == python(FUNCTIONS[kind], xs), xs


@pytest.mark.parametrize("value", [-3, 4, 6, 2])
def test_a_number_that_is_not_tabulated_or_has_no_image_leaves_no_answer(value):
    tables = table(lambda x: None if x == 2 else x)
    items, out, marks = np.array([1, value], np.int32), np.zeros(9, np.int32), np.zeros(9, np.int32)
    to_list, to_scalar = PLAIN.function_to_list, PLAIN.function_to_scalar
    assert to_list(k.MAP, tables, 0, 0, -2, PLACES, items, 0, 2, out, marks, 0) == -1
    assert to_scalar(k.MAX_BY, tables, 0, 0, -2, PLACES, items, 0, 2) == k.NONE


# -- columns -----------------------------------------------------------------------------------------------------------

SMALL_LISTS = st.lists(st.lists(st.integers(0, 2), max_size=4).map(tuple), min_size=3, max_size=3)


@pytest.mark.parametrize("name", ["row_key", "list_key"])
def test_the_plain_hash_is_the_compiled_one(name):
    arguments = (
        packed([(1, -2), (), (k.NONE,)]) if name == "list_key" else (np.array([1, -2, k.NONE], np.int32),)
    )
    assert getattr(k, name)(*arguments) == getattr(PLAIN, name)(*arguments)


@given(SMALL_LISTS, SMALL_LISTS)
def test_only_equal_columns_of_lists_have_equal_hashes(one, other):
    keys = [int(k.list_key(*packed(column))) for column in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_the_same_items_divided_in_another_way_are_another_column():
    assert k.list_key(*packed([(1, 2), (3,)])) != k.list_key(*packed([(1,), (2, 3)]))


@given(st.lists(SMALL_LISTS, min_size=1, max_size=4), SMALL_LISTS)
@settings(max_examples=60)
def test_masks_say_on_which_examples_a_column_is_the_wanted_one(columns, wanted):
    items, flat = packed([one for column in columns for one in column])
    offsets = np.array([flat[3 * at : 3 * at + 4] for at in range(len(columns))], np.int32)
    expected = [
        sum(1 << at for at, (one, two) in enumerate(zip(column, wanted, strict=True)) if one == two)
        for column in columns
    ]
    for function in (k.list_matches, PLAIN.list_matches):
        assert function(items, offsets, 0, len(columns), *packed(wanted)).tolist() == expected


def related(known, wanted):
    """The relations by the witnesses on lists of Python."""
    bits = 0
    if all(len(one) == len(two) for one, two in zip(known, wanted, strict=True)):
        bits |= k.SAME_LENGTHS
    if all(witness.kept(one, two) is not None for one, two in zip(known, wanted, strict=True)):
        bits |= k.KEPT
    if 2 * sum(map(bool, known)) > len(known):
        bits |= k.BEGINS if witness.after_prefix(known, wanted) is not None else 0
        bits |= k.ENDS if witness.before_suffix(known, wanted) is not None else 0
    return bits | (k.PIECES if witness.pieces(known, wanted) else 0)


@given(SMALL_LISTS, SMALL_LISTS, st.sampled_from(["any", "kept", "longer", "pieces"]))
@settings(max_examples=150)
def test_relations_are_those_that_the_witnesses_see(known, other, how):
    wanted = {
        "any": other,
        "kept": [tuple(x for x in one if x) for one in known],
        "longer": [one + two for one, two in zip(known, other, strict=True)],
        "pieces": [tuple(x for x in one for _ in range(3)) for one in known],
    }[how]
    items, offsets = packed(known)
    for function in (k.relations, PLAIN.relations):
        bits = function(items, offsets[None], 0, 1, *packed(wanted))
        assert bits.tolist() == [related(known, wanted)]


def test_a_list_without_an_answer_is_related_to_nothing():
    items, offsets = packed([(1,), None, (2,)])
    assert PLAIN.relations(items, offsets[None], 0, 1, *packed([(1,), (5,), (2,)])).tolist() == [0]


def test_the_sort_in_place_leaves_what_is_around():
    out = np.array([9, 3, 1, 2, 0], np.int32)
    PLAIN.insertion_sorted(out, 1, 4, False)
    assert out.tolist() == [9, 1, 2, 3, 0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=9))
def test_sorting_by_marks_is_stable(pairs):
    out = np.array([value for value, _ in pairs], np.int32)
    marks = np.array([mark for _, mark in pairs], np.int32)
    PLAIN.stable_sorted(out, marks, 0, len(pairs))
    assert out.tolist() == [value for value, _ in sorted(pairs, key=lambda pair: pair[1])]


# -- passes ------------------------------------------------------------------------------------------------------------

NUMBERS = ((2, 5, 9), (1, 1, 1), (0, 3, -4), (7, 0, 0))
COLUMN = ((3, 1, 2), (), (0, 2))


def workshop(monkeypatch, module, rules, room=400):
    """A workshop of numbers, truths and lists whose passes are those of a module, grown to a small depth."""
    monkeypatch.setattr(columns, "kernels", module)
    banks = {
        "int": Bank("int", 3, room),
        "bool": Bank("bool", 3, room),
        "list": Bank("list", 3, room, arena=9_000),
    }
    grown = Workshop(banks, rules, longest=12)
    for cost, numbers in enumerate(NUMBERS, 1):
        grown.leaf("int", numbers, Var(f"n{cost}"), cost)
    grown.leaf("list", COLUMN, Var("xs"), 1)
    inner = Workshop({kind: Bank(kind, 3 * len(DOMAIN), 60) for kind in ("int", "bool")}, INNER)
    inner.leaf("int", DOMAIN * 3, Var("x"), 1)
    inner.leaf("int", [1] * 3 * len(DOMAIN), Literal(1), 2)
    grown.functions, grown.domain = inner, (-2, PLACES, len(DOMAIN))
    return grown


WORDS = tuple(vocabulary().values())
USUAL = grammar_for(WORDS, ["xs"], [List(Int)], Int)
CHEAP = replace(USUAL, costs={op.name: 1 for op in USUAL.words})
ALL_RULES = list_rules(CHEAP)
INNER = [rule for rule in scalar_rules(CHEAP) if rule.code in (k.ADD, k.MULTIPLY, k.LESS, k.IS_EVEN)]


@pytest.mark.parametrize(("functions", "levels"), [(False, 4), (True, 11)], ids=["words", "with functions"])
def test_without_numba_the_same_columns_are_kept_in_the_same_order(monkeypatch, functions, levels):
    rules = [rule for rule in ALL_RULES if (rule.kinds[0] in ("map", "test")) == functions]
    told = []
    for module in (k, PLAIN):
        grown = workshop(monkeypatch, module, rules, room=150)
        for _ in range(levels):
            list(grown.grow(Budget(60.0)))
        told.append(
            {
                kind: [(bank.column(place), str(grown.program(kind, place))) for place in range(len(bank))]
                for kind, bank in grown.banks.items()
            }
        )
        assert grown.tried > 300 and all(len(bank) > 4 for bank in grown.banks.values())
    assert told[0] == told[1]


@pytest.mark.parametrize("module", [k, PLAIN], ids=["compiled", "plain"])
def test_a_pass_forms_every_candidate_and_keeps_each_new_column(monkeypatch, module):
    rules = [rule for rule in ALL_RULES if rule.code in (k.SUBTRACT, k.ADD)]
    grown = workshop(monkeypatch, module, rules)
    for _ in range(5):
        list(grown.grow(Budget(60.0)))
    cheapest = {}
    for cost, numbers in enumerate(NUMBERS, 1):
        cheapest[numbers] = cost
    for cost in range(3, 6):
        for (one, first), (other, second) in itertools.product(list(cheapest.items()), repeat=2):
            if first + second + 1 == cost:
                for sign in (1, -1):
                    cheapest.setdefault(tuple(a + sign * b for a, b in zip(one, other, strict=True)), cost)
    bank = grown.banks["int"]
    assert {tuple(bank.column(place)): bank.cost_of(place) for place in range(len(bank))} == cheapest
