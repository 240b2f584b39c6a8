"""Words that take functions or decide: choose, map, filter, fold.

They are bounded by their lists: a program of these words always ends. Both values of `if` are computed
before one is chosen, which is harmless: no word has an effect, and a value that has no answer only matters
when it is the chosen one.
"""

from __future__ import annotations

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int

MOST_ROUNDS = 1_000
LONGEST_RESULT = 10_000


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


@primitive
def map_pairs(function: "(a, b) -> c", left: List[a], right: List[b]) -> List[c]:
    """The function applied to items at the same place, as far as both lists go.

    >>> map_pairs(lambda x, y: x * y, (1, 2), (3, 4))
    (3, 8)
    """
    return tuple(function(one, other) for one, other in zip(left, right, strict=False))


@primitive
def map_places(function: "(Int, a) -> b", items: List[a]) -> List[b]:
    """The function applied to the place, from 0, and the item.

    >>> map_places(lambda place, x: place * x, (5, 6, 7))
    (0, 6, 14)
    """
    return tuple(function(place, item) for place, item in enumerate(items))


@primitive
def filter_places(wanted: "(Int, a) -> Bool", items: List[a]) -> List[a]:
    """The items for which the function holds of the place, from 0, and the item.

    >>> filter_places(lambda place, x: place > 0, (5, 6, 7))
    (6, 7)
    """
    return tuple(item for place, item in enumerate(items) if wanted(place, item))


@primitive
def flat_map(function: "a -> List[b]", items: List[a]) -> List[b]:
    """The lists that the function gives for every item, one after another.

    >>> flat_map(lambda x: (x, x), (1, 2))
    (1, 1, 2, 2)
    """
    found: list = []
    for item in items:
        found.extend(function(item))
        if len(found) > LONGEST_RESULT:
            raise NoAnswer("The list would be too long.")
    return tuple(found)


@primitive
def scan(function: "(b, a) -> b", start: b, items: List[a]) -> List[b]:
    """All values on the way of a fold, without the start.

    >>> scan(lambda x, y: x + y, 0, (1, 2, 3))
    (1, 3, 6)
    """
    value, found = start, []
    for item in items:
        value = function(value, item)
        found.append(value)
    return tuple(found)


@primitive
def find_first(wanted: "a -> Bool", items: List[a]) -> a:
    """The first item for which the function holds.

    >>> find_first(lambda x: x > 1, (1, 2, 3))
    2
    """
    for item in items:
        if wanted(item):
            return item
    raise NoAnswer("It holds for no item.")


@primitive(name="any")
def any_(wanted: "a -> Bool", items: List[a]) -> Bool:
    """Whether the function holds for at least one item.

    >>> any_(lambda x: x > 1, (1, 2))
    True
    """
    return any(wanted(item) for item in items)


@primitive(name="all")
def all_(wanted: "a -> Bool", items: List[a]) -> Bool:
    """Whether the function holds for all items.

    >>> all_(lambda x: x > 1, (1, 2))
    False
    """
    return all(wanted(item) for item in items)


@primitive
def take_while(wanted: "a -> Bool", items: List[a]) -> List[a]:
    """The first items, as long as the function holds.

    >>> take_while(lambda x: x < 3, (1, 2, 3, 1))
    (1, 2)
    """
    found = []
    for item in items:
        if not wanted(item):
            break
        found.append(item)
    return tuple(found)


@primitive
def drop_while(wanted: "a -> Bool", items: List[a]) -> List[a]:
    """The items from the first for which the function does not hold.

    >>> drop_while(lambda x: x < 3, (1, 2, 3, 1))
    (3, 1)
    """
    for place, item in enumerate(items):
        if not wanted(item):
            return tuple(items[place:])
    return ()


@primitive
def sort_by(key: "a -> Int", items: List[a]) -> List[a]:
    """The items by their keys, smallest first; equal keys keep their order.

    >>> sort_by(lambda x: -x, (1, 3, 2))
    (3, 2, 1)
    """
    return tuple(sorted(items, key=key))


@primitive
def max_by(key: "a -> Int", items: List[a]) -> a:
    """The first item with the largest key.

    >>> max_by(lambda x: x % 5, (5, 4, 7))
    4
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return max(items, key=key)


@primitive
def min_by(key: "a -> Int", items: List[a]) -> a:
    """The first item with the smallest key.

    >>> min_by(lambda x: x % 5, (6, 5, 7))
    5
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return min(items, key=key)


@primitive
def partition(wanted: "a -> Bool", items: List[a]) -> Pair[List[a], List[a]]:
    """The items for which the function holds, and the others.

    >>> partition(lambda x: x > 1, (1, 2, 3))
    ((2, 3), (1,))
    """
    held = [bool(wanted(item)) for item in items]
    yes = tuple(item for item, good in zip(items, held, strict=True) if good)
    no = tuple(item for item, good in zip(items, held, strict=True) if not good)
    return (yes, no)


@primitive
def iterate(function: "a -> a", start: a, times: Int) -> a:
    """The function applied so many times, at most 1000.

    >>> iterate(lambda x: 2 * x, 1, 5)
    32
    """
    value = start
    for _ in range(min(max(0, times), MOST_ROUNDS)):
        value = function(value)
    return value


@primitive
def unfold(function: "a -> a", start: a, number: Int) -> List[a]:
    """A value, the function of it, the function of that, … so many values, at most 1000.

    >>> unfold(lambda x: 2 * x, 1, 4)
    (1, 2, 4, 8)
    """
    value, found = start, []
    for _ in range(min(max(0, number), MOST_ROUNDS)):
        found.append(value)
        value = function(value)
    return tuple(found)


@primitive
def until(done: "a -> Bool", function: "a -> a", start: a) -> a:
    """The function applied until something holds; no answer after 1000 rounds.

    >>> until(lambda x: x > 20, lambda x: 2 * x, 1)
    32
    """
    value = start
    for _ in range(MOST_ROUNDS):
        if done(value):
            return value
        value = function(value)
    raise NoAnswer("It never held.")


@primitive
def identity(value: a) -> a:
    """The value itself.

    >>> identity(3)
    3
    """
    return value
