"""Words that take functions or decide: choose, map, filter, fold.

They are bounded by their lists: a program of these words always ends. Both values of `if` are computed
before one is chosen, which is harmless: no word has an effect, and a value that has no answer only matters
when it is the chosen one.
"""

from __future__ import annotations

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool


@primitive(name="if", lenient=True)
def if_(condition: Bool, then: a, otherwise: a) -> a:
    """One of two values, as the condition says; the other may have no answer.

    >>> if_(True, 1, 2)
    1
    """
    if isinstance(condition, NoAnswer):
        return condition
    return then if condition else otherwise


@primitive(lenient=True)
def otherwise(value: a, instead: a) -> a:
    """The value where it has an answer, the other one elsewhere.

    >>> otherwise(3, 4)
    3
    """
    return instead if isinstance(value, NoAnswer) else value


@primitive(name="map")
def map_(function: "a -> b", items: List[a]) -> List[b]:
    """The function applied to every item."""
    return tuple(function(item) for item in items)


@primitive(name="filter")
def filter_(wanted: "a -> Bool", items: List[a]) -> List[a]:
    """The items for which the function holds."""
    return tuple(item for item in items if wanted(item))


@primitive
def fold(function: "(b, a) -> b", start: b, items: List[a]) -> b:
    """The items taken into a value one by one, from the first."""
    value = start
    for item in items:
        value = function(value, item)
    return value


@primitive
def count(wanted: "a -> Bool", items: List[a]) -> Int:
    """For how many items the function holds."""
    return sum(1 for item in items if wanted(item))
