"""Words for values, lists and control: what they give, and that they are total, deterministic and bounded."""

import pytest

from perennial.errors import NoAnswer
from perennial.lang import Lambda, Primitive, Var, Word, call, evaluate, infer, parse, to_source
from perennial.primitives import control, lists, values, vocabulary
from perennial.testing.language import check_primitive

EXAMPLES = {
    "add": [((2, 3), 5)],
    "subtract": [((2, 3), -1)],
    "multiply": [((2, 3), 6)],
    "divide": [((7, 2), 3), ((-7, 2), -4), ((7, 0), 0)],
    "remainder": [((7, 3), 1), ((-7, 3), 2), ((7, 0), 7)],
    "ratio": [((1.0, 4.0), 0.25), ((1.0, 0.0), 0.0), ((2**2000, 1.0), 0.0)],
    "smaller": [((2, 3), 2)],
    "larger": [((2, 3), 3)],
    "less": [((1.0, 2.0), True), ((float("nan"), 1.0), False)],
    "equal": [(((1, 2), (1, 2)), True), (("a", "b"), False)],
    "and": [((True, False), False)],
    "or": [((True, False), True)],
    "not": [((True,), False)],
    "pair": [((1, "a"), (1, "a"))],
    "first": [(((1, 2),), 1)],
    "second": [(((1, 2),), 2)],
    "if": [((True, 1, 2), 1), ((False, 1, 2), 2)],
    "otherwise": [((1, 2), 1), ((NoAnswer("none"), 2), 2)],
    "map": [((abs, (-1, 2)), (1, 2))],
    "filter": [((lambda x: x > 1, (1, 2, 3)), (2, 3))],
    "fold": [((lambda x, y: x * 10 + y, 0, (1, 2, 3)), 123), ((max, 5, ()), 5)],
    "count": [((lambda x: x > 1, (1, 2, 3)), 2)],
    "length": [(((1, 2),), 2), (((),), 0)],
    "item": [(((7, 8), 1, 0), 8), (((7, 8), -1, 0), 8), (((7, 8), 2, 0), 0), (((), 0, 4), 4)],
    "append": [(((1,), (2, 3)), (1, 2, 3))],
    "single": [((4,), (4,))],
    "take": [(((1, 2, 3), 2), (1, 2)), (((1, 2), -1), ()), (((1, 2), 2**70), (1, 2))],
    "drop": [(((1, 2, 3), 2), (3,)), (((1, 2), -1), (1, 2))],
    "reverse": [(((1, 2),), (2, 1))],
    "sort": [(((3, 1, 2),), (1, 2, 3))],
    "unique": [(((3, 1, 3),), (3, 1))],
    "contains": [(((3, 1), 1), True), (((), 1), False)],
    "total": [(((3, 1),), 4)],
    "range": [((3,), (0, 1, 2)), ((-1,), ())],
    "zip": [(((1, 2), ("a",)), ((1, "a"),))],
}
WORDS = {
    value.name: value
    for module in (values, control, lists)
    for value in vars(module).values()
    if isinstance(value, Primitive)
}


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_keeps_its_promises_and_gives_its_examples(name):
    check_primitive(WORDS[name], EXAMPLES.get(name, ()), tries=30)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_is_in_the_vocabulary_and_can_be_written_and_read(name):
    word = Word(vocabulary()[name])
    assert parse(to_source(word), vocabulary()) is word


def test_a_program_of_words_sums_the_even_squares():
    word, x = vocabulary(), Var("x")
    even = Lambda(("x",), call(word["equal"], call(word["remainder"], x, 2), 0))
    square = Lambda(("x",), call(word["multiply"], x, x))
    chosen = call(word["map"], square, call(word["filter"], even, Var("xs")))
    program = Lambda(("xs",), call(word["fold"], Word(word["add"]), 0, chosen))
    assert evaluate(program, (1, 2, 3, 4)) == 20
    assert str(infer(program)) == "List[Int] -> Int"
    assert parse(to_source(program), word) is program


def test_sorting_the_unique_items_is_a_program_of_two_words():
    word = vocabulary()
    program = Lambda(("xs",), call(word["sort"], call(word["unique"], Var("xs"))))
    assert evaluate(program, (3, 1, 3)) == (1, 3)
