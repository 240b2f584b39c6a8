"""Words for lists; a list is a tuple of values, and a place outside it is answered without an error."""

from __future__ import annotations

from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int

LONGEST_RANGE = 10_000


@primitive
def length(items: List[a]) -> Int:
    """How many items."""
    return len(items)


@primitive
def item(items: List[a], place: Int, otherwise: a) -> a:
    """The item at a place from 0, or from the end when negative; another value when there is none."""
    return items[place] if -len(items) <= place < len(items) else otherwise


@primitive
def append(items: List[a], more: List[a]) -> List[a]:
    """One list after another."""
    return (*items, *more)


@primitive
def single(value: a) -> List[a]:
    """A list of one item."""
    return (value,)


@primitive
def take(items: List[a], number: Int) -> List[a]:
    """The first so many items."""
    return tuple(items[: max(0, number)])


@primitive
def drop(items: List[a], number: Int) -> List[a]:
    """All but the first so many items."""
    return tuple(items[max(0, number) :])


@primitive
def reverse(items: List[a]) -> List[a]:
    """The items from the last to the first."""
    return tuple(items[::-1])


@primitive
def sort(items: List[Int]) -> List[Int]:
    """Whole numbers, smallest first."""
    return tuple(sorted(items))


@primitive
def unique(items: List[a]) -> List[a]:
    """Each value once, where it came first."""
    found: list = []
    for value in items:
        if value not in found:
            found.append(value)
    return tuple(found)


@primitive
def contains(items: List[a], value: a) -> Bool:
    """Whether a value is among the items."""
    return value in items


@primitive
def total(items: List[Int]) -> Int:
    """The sum of whole numbers."""
    return sum(items)


@primitive(name="range")
def range_(number: Int) -> List[Int]:
    """The whole numbers from 0 up to, not including, a number; at most 10 000 of them."""
    return tuple(range(min(max(0, number), LONGEST_RANGE)))


@primitive(name="zip")
def zip_(left: List[a], right: List[b]) -> List[Pair[a, b]]:
    """Pairs of items at the same place, as far as both lists go."""
    return tuple(zip(left, right, strict=False))
