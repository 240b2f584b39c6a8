"""A small set of words that the tests of the language share."""

import pytest

from perennial.lang import Bool, Int, List, Text, Vocabulary, primitive


@primitive
def add(x: Int, y: Int) -> Int:
    """The sum, kept within 64 bits."""
    return (x + y) % 2**64


@primitive
def less(x: "Real", y: "Real") -> Bool:
    """Whether the first is smaller."""
    return x < y


@primitive(name="if")
def if_(condition: Bool, then: "a", otherwise: "a") -> "a":
    """One of two values."""
    return then if condition else otherwise


@primitive(name="map")
def map_(function: "a -> b", xs: "List[a]") -> "List[b]":
    """The function applied to every item."""
    return tuple(function(x) for x in xs)


@primitive
def fold(function: "(b, a) -> b", start: "b", xs: "List[a]") -> "b":
    """The items taken into the start one by one."""
    for x in xs:
        start = function(start, x)
    return start


@primitive
def sort(xs: List[Int]) -> List[Int]:
    """Smallest first."""
    return tuple(sorted(xs))


@primitive
def length(xs: "List[a]") -> Int:
    """How many items."""
    return len(xs)


@primitive
def pair(x: "a", y: "b") -> "Pair[a, b]":
    """Two values in order."""
    return (x, y)


@primitive
def first(p: "Pair[a, b]") -> "a":
    """The first of two."""
    return p[0]


@primitive
def shout(text: Text, *, mark: str = "!") -> Text:
    """The text in capitals, with a mark."""
    return text.upper() + mark


@primitive
def total(*numbers: "Real") -> "Real":
    """The sum of any number of numbers."""
    return float(sum(numbers))


@primitive
def maximum(x: "a", *more: "a") -> "List[a]":
    """At least one thing, as a list."""
    return (x, *more)


WORDS = Vocabulary(add, less, if_, map_, fold, sort, length, pair, first, shout, total, maximum)


@pytest.fixture(scope="session")
def words():
    return WORDS
