"""The compiled kernels against the words they stand for, run by the interpreter."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from perennial.lang import Int, Lambda, List, Literal, Var
from perennial.primitives import vocabulary
from perennial.spaces.grammar import grammar_for
from perennial.synthesis import kernels
from perennial.synthesis.base import UNANSWERED, Budget, Examples, answers
from perennial.synthesis.columns import Bank, Workshop, packed
from perennial.synthesis.lists import open_search
from perennial.synthesis.rules import list_rules, scalar_rules

LISTS = List(Int)
WORDS = tuple(vocabulary().values())


def search_on(column, outputs, kind=LISTS, memory=1 << 26):
    examples = Examples(("xs",), (List(Int),), kind, tuple((one,) for one in column), tuple(outputs))
    grammar = grammar_for(WORDS, examples.names, examples.types, kind)
    return open_search(examples, grammar, Budget(60.0, memory))


@pytest.fixture(scope="module")
def grown():
    generator = random.Random(3)
    column = [tuple(generator.randrange(-3, 12) for _ in range(size)) for size in (5, 0, 3, 7, 1, 4)]
    search = search_on(column, column)
    budget = Budget(60.0)
    while search.workshop.level < 12:
        for _ in search.workshop.grow(budget):
            pass
    return column, search.workshop


def entries_of_every_rule(workshop, kind, few=6):
    bank, generator = workshop.banks[kind], random.Random(0)
    by_code = {}
    for place in range(len(bank)):
        by_code.setdefault(int(bank.parents[place, 0]), []).append(place)
    return {code: generator.sample(places, min(few, len(places))) for code, places in by_code.items()}


def plain(value):
    if value is UNANSWERED:
        return None
    return tuple(map(int, value)) if isinstance(value, tuple) else int(value)


@pytest.mark.parametrize("kind", ["int", "bool", "list"])
def test_what_a_kernel_computed_is_what_the_interpreter_says(grown, kind):
    column, workshop = grown
    for places in entries_of_every_rule(workshop, kind).values():
        for place in places:
            program = Lambda(("xs",), workshop.program(kind, place))
            expected = [plain(value) for value in answers(program, [(one,) for one in column])]
            given = workshop.banks[kind].column(place)
            # an inner function is known on the tabulated numbers only, so the bank may know less
            assert all(one in (None, other) for one, other in zip(given, expected, strict=True)), str(program)


def test_every_word_that_takes_a_function_agrees_with_the_interpreter():
    generator = random.Random(5)
    column = [tuple(generator.randrange(9) for _ in range(size)) for size in (5, 3, 0, 7)]
    workshop = search_on(column, column).workshop
    rules = [rule for rule in workshop.rules if rule.kinds[0] in ("map", "test")]
    assert len(rules) == 11
    only = Workshop(workshop.banks, rules, workshop.longest, workshop.functions, workshop.domain)
    only.leaf("list", column, Var("xs"), 1)
    while only.level < 15:
        for _ in only.grow(Budget(60.0)):
            pass
    codes = set()
    for kind in ("int", "bool", "list"):
        for code, places in entries_of_every_rule(only, kind, few=8).items():
            codes.add(code)
            for place in places:
                program = Lambda(("xs",), only.program(kind, place))
                expected = [plain(value) for value in answers(program, [(one,) for one in column])]
                given = only.banks[kind].column(place)
                assert all(one in (None, other) for one, other in zip(given, expected, strict=True)), str(
                    program
                )
    assert codes >= {rule.code for rule in rules}


@pytest.mark.parametrize(
    "rule", scalar_rules(grammar_for(WORDS, ["n"], [Int], Int)), ids=lambda rule: str(rule.code)
)
def test_a_word_on_numbers_agrees_with_its_kernel(rule):
    numbers = [*range(-7, 12), 36, 97, 100]
    truth = rule.kinds[0] == "bool"
    pool = [0, 1] if truth else numbers
    for x in pool:
        for y in pool if len(rule.kinds) == 2 else [0]:
            given = kernels.scalar(rule.code, x, y)
            values = [bool(v) for v in (x, y)] if truth else [x, y]
            program = Lambda(("n",), rule.build(*map(Literal, values[: len(rule.kinds)])))
            expected = plain(answers(program, [(0,)])[0])
            small = expected is not None and abs(expected) <= kernels.LARGEST
            assert given == (expected if small else kernels.NONE), (str(program), given)


@pytest.mark.parametrize(
    "rule",
    [rule for rule in list_rules(grammar_for(WORDS, ["xs"], [List(Int)], Int))
     if rule.kinds[0] not in ("map", "test") and ("list" in rule.kinds or rule.result == "list")],
    ids=lambda rule: str(rule.code),
)  # fmt: skip
def test_a_word_on_lists_agrees_with_its_kernel(rule):
    generator = random.Random(rule.code)
    for _ in range(40):
        lists = [tuple(generator.randrange(-2, 6) for _ in range(generator.randrange(6))) for _ in range(2)]
        x, y = generator.randrange(-2, 7), generator.randrange(-2, 7)
        arguments = [value for kind, value in zip(rule.kinds, placed(rule, lists, x, y), strict=True)]
        program = Lambda(("n",), rule.build(*map(Literal, arguments)))
        expected = plain(answers(program, [(0,)])[0])
        assert computed(rule, lists, x, y) == expected, str(program)


def placed(rule, lists, x, y):
    lists, numbers = iter(lists), iter((x, y))
    return [next(lists) if kind == "list" else next(numbers) for kind in rule.kinds]


def computed(rule, lists, x, y):
    used = rule.kinds.count("list")
    items, offsets = packed(lists)
    (a, b, d), c = map(int, offsets), int(offsets[1])
    if rule.result != "list":
        value = kernels.list_to_scalar(rule.code, items, a, b, c, d, x)
        return None if value == kernels.NONE else value
    out = np.empty(200, np.int32)
    end = kernels.list_to_list(
        rule.code, items, a, b if used else a, c, d if used > 1 else c, x, y, out, 0, 60
    )
    return None if end < 0 else tuple(out[:end].tolist())


def test_columns_that_look_the_same_are_kept_once():
    bank = Bank("list", 2, 10, arena=1000)
    bank.put(((1, 2), ()), Var("xs"))
    bank.put(((1, 2), ()), Var("ys"))
    assert len(bank) == 1 and bank.find(((1, 2), ())) == 0 and bank.find(((1,), (2,))) == -1
    assert bank.column(0) == [(1, 2), ()]


def test_a_full_bank_keeps_no_more_and_still_notices_the_goal():
    workshop = Workshop({"int": Bank("int", 3, 12), "bool": Bank("bool", 3, 5)},
                        scalar_rules(grammar_for(WORDS, ["n"], [Int], Int)))  # fmt: skip
    workshop.leaf("int", (2, 5, 9), Var("n"), 1)
    workshop.leaf("int", (1, 1, 1), Literal(1), 2)
    wanted = tuple((value * value - 1) * 2 for value in (2, 5, 9))
    bank = workshop.banks["int"]
    with np.errstate(over="ignore"):
        bank.goal = bank.key(tuple(value - 1 for value in (2, 5, 9)))
    budget = Budget(20.0)
    while workshop.level < 14:
        for _ in workshop.grow(budget):
            pass
    assert len(bank) == 12 and wanted is not None
    assert all(len(workshop.banks[kind]) <= workshop.banks[kind].room for kind in workshop.banks)


def test_without_numba_the_same_programs_are_found():
    script = (
        "from perennial.lang import Int, List\n"
        "from perennial.spaces.grammar import Grammar\n"
        "from perennial.synthesis.base import Budget, Examples\n"
        "from perennial.synthesis.lists import ListSearch\n"
        "kind, rows = List(Int), (((3, 1, 2),), ((5, 4),), ((7, 9, 9, 1),))\n"
        "examples = Examples(('xs',), (kind,), kind, rows, ((2, 1, 3), (4, 5), (1, 9, 9, 7)))\n"
        "grammar = Grammar((), {'xs': kind}, kind)\n"
        "print([str(one.program) for one in ListSearch().run(examples, grammar, Budget(20.0, 1 << 24))][-1])\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.stdout.strip() == "lambda xs: reverse(xs)", ran.stderr
