"""Words that a search puts together: their examples come out, and they are total, deterministic and bounded."""

import doctest
import importlib
import math
import sys

import pytest

from perennial.lang import Primitive, Word, parse, to_source
from perennial.primitives import vocabulary
from perennial.testing.language import check_primitive

SHELVES = ("numbers", "dictionaries", "values", "control", "lists")
WORDS = {
    value.name: value
    for shelf in SHELVES
    for value in vars(importlib.import_module(f"perennial.primitives.{shelf}")).values()
    if isinstance(value, Primitive)
}


def examples_of(word):
    shelf = vars(sys.modules[word.__module__])
    return doctest.DocTestParser().get_doctest(word.doc, dict(shelf), word.name, word.__module__, 0)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_the_example_of_a_word_is_true(name):
    runner = doctest.DocTestRunner(verbose=False)
    assert runner.run(examples_of(WORDS[name])).failed == 0


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_keeps_its_promises(name):
    check_primitive(WORDS[name], tries=15)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_is_in_the_vocabulary_and_can_be_written_and_read(name):
    word = Word(vocabulary()[name])
    assert word.op == WORDS[name], "another word has this name"
    assert parse(to_source(word), vocabulary()) is word


def test_primes_and_squares_are_those_of_the_textbook():
    primes = [number for number in range(60) if WORDS["is_prime"](number)]
    assert primes == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]
    assert [x for x in range(30) if WORDS["is_square"](x)] == [0, 1, 4, 9, 16, 25]
    assert all(WORDS["common_divisor"](a, b) == math.gcd(a, b) for a in range(20) for b in range(20))


def test_digits_and_numbers_are_each_others_inverse():
    assert all(WORDS["from_digits"](WORDS["digits"](number)) == number for number in range(0, 3000, 7))
