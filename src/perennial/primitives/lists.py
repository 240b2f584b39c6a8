"""Words for lists; a list is a tuple of values, and what has no answer raises `NoAnswer`."""

from __future__ import annotations

from itertools import pairwise

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int

LONGEST_RANGE = 10_000
LARGEST_PRODUCT = 4_000


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


@primitive
def first_item(items: List[a]) -> a:
    """The first item.

    >>> first_item((7, 8))
    7
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return items[0]


@primitive
def last(items: List[a]) -> a:
    """The last item.

    >>> last((7, 8))
    8
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return items[-1]


@primitive
def tail(items: List[a]) -> List[a]:
    """All but the first item.

    >>> tail((7, 8, 9))
    (8, 9)
    """
    return tuple(items[1:])


@primitive
def init(items: List[a]) -> List[a]:
    """All but the last item.

    >>> init((7, 8, 9))
    (7, 8)
    """
    return tuple(items[:-1])


@primitive
def at(items: List[a], place: Int) -> a:
    """The item at a place from 0, or from the end when negative.

    >>> at((7, 8), 1)
    8
    """
    if not -len(items) <= place < len(items):
        raise NoAnswer("There is no such place.")
    return items[place]


@primitive
def take_last(items: List[a], number: Int) -> List[a]:
    """The last so many items.

    >>> take_last((7, 8, 9), 2)
    (8, 9)
    """
    return tuple(items[-number:]) if number > 0 else ()


@primitive
def drop_last(items: List[a], number: Int) -> List[a]:
    """All but the last so many items.

    >>> drop_last((7, 8, 9), 2)
    (7,)
    """
    return tuple(items[:-number]) if number > 0 else tuple(items)


@primitive(name="slice")
def slice_(items: List[a], start: Int, stop: Int) -> List[a]:
    """The items from a place up to, not including, another; places count from 0.

    >>> slice_((7, 8, 9), 1, 3)
    (8, 9)
    """
    return tuple(items[max(0, start) : max(0, stop)])


@primitive
def prepend(value: a, items: List[a]) -> List[a]:
    """A value before all items.

    >>> prepend(1, (2, 3))
    (1, 2, 3)
    """
    return (value, *items)


@primitive
def add_last(items: List[a], value: a) -> List[a]:
    """A value after all items.

    >>> add_last((1, 2), 3)
    (1, 2, 3)
    """
    return (*items, value)


@primitive
def insert_at(items: List[a], place: Int, value: a) -> List[a]:
    """The items with a value put before the item at a place from 0; at the end when it is beyond.

    >>> insert_at((1, 2), 1, 9)
    (1, 9, 2)
    """
    place = max(0, place)
    return (*items[:place], value, *items[place:])


@primitive
def replace_at(items: List[a], place: Int, value: a) -> List[a]:
    """The items with the one at a place from 0 replaced; the same items when there is none.

    >>> replace_at((1, 2), 1, 9)
    (1, 9)
    """
    if not 0 <= place < len(items):
        return tuple(items)
    return (*items[:place], value, *items[place + 1 :])


@primitive
def remove_at(items: List[a], place: Int) -> List[a]:
    """The items without the one at a place from 0.

    >>> remove_at((1, 2, 3), 1)
    (1, 3)
    """
    if not 0 <= place < len(items):
        return tuple(items)
    return (*items[:place], *items[place + 1 :])


@primitive
def swap(items: List[a], place: Int, other: Int) -> List[a]:
    """The items with those at two places exchanged; the same items when a place is outside.

    >>> swap((1, 2, 3), 0, 2)
    (3, 2, 1)
    """
    if not (0 <= place < len(items) and 0 <= other < len(items)):
        return tuple(items)
    changed = list(items)
    changed[place], changed[other] = changed[other], changed[place]
    return tuple(changed)


@primitive
def rotate(items: List[a], number: Int) -> List[a]:
    """The first so many items moved to the end; from the end to the front when negative.

    >>> rotate((1, 2, 3), 1)
    (2, 3, 1)
    """
    cut = number % len(items) if items else 0
    return (*items[cut:], *items[:cut])


@primitive
def replicate(value: a, number: Int) -> List[a]:
    """A value so many times, at most 10 000.

    >>> replicate(7, 3)
    (7, 7, 7)
    """
    return (value,) * min(max(0, number), LONGEST_RANGE)


@primitive
def tiled(items: List[a], number: Int) -> List[a]:
    """The whole list so many times, at most 10 000 items.

    >>> tiled((1, 2), 2)
    (1, 2, 1, 2)
    """
    if len(items) * number > LONGEST_RANGE:
        raise NoAnswer("The list would be too long.")
    return tuple(items) * max(0, number) if items else ()


@primitive
def remove_item(items: List[a], value: a) -> List[a]:
    """The items that differ from a value.

    >>> remove_item((1, 2, 1), 1)
    (2,)
    """
    return tuple(item for item in items if item != value)


@primitive
def remove_first(items: List[a], value: a) -> List[a]:
    """The items without the first one that equals a value.

    >>> remove_first((1, 2, 1), 1)
    (2, 1)
    """
    if value not in items:
        return tuple(items)
    place = items.index(value)
    return (*items[:place], *items[place + 1 :])


@primitive
def place_of(items: List[a], value: a) -> Int:
    """The first place, from 0, that holds a value.

    >>> place_of((7, 8), 8)
    1
    """
    if value not in items:
        raise NoAnswer("The value is not among the items.")
    return items.index(value)


@primitive
def count_item(items: List[a], value: a) -> Int:
    """How many items equal a value.

    >>> count_item((1, 2, 1), 1)
    2
    """
    return sum(1 for item in items if item == value)


@primitive
def biggest(items: List[Int]) -> Int:
    """The largest whole number.

    >>> biggest((3, 9, 2))
    9
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return max(items)


@primitive
def smallest(items: List[Int]) -> Int:
    """The smallest whole number.

    >>> smallest((3, 9, 2))
    2
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return min(items)


@primitive
def product(items: List[Int]) -> Int:
    """All whole numbers multiplied.

    >>> product((2, 3, 4))
    24
    """
    if sum(number.bit_length() for number in items) > LARGEST_PRODUCT:
        raise NoAnswer("The product would be too large.")
    value = 1
    for number in items:
        value *= number
    return value


@primitive
def running_totals(items: List[Int]) -> List[Int]:
    """At each place the sum of the numbers up to there.

    >>> running_totals((1, 2, 3))
    (1, 3, 6)
    """
    total_here, found = 0, []
    for number in items:
        total_here += number
        found.append(total_here)
    return tuple(found)


@primitive
def differences(items: List[Int]) -> List[Int]:
    """Each number less the one before it.

    >>> differences((1, 4, 9))
    (3, 5)
    """
    return tuple(later - earlier for earlier, later in pairwise(items))


@primitive
def sort_down(items: List[Int]) -> List[Int]:
    """Whole numbers, largest first.

    >>> sort_down((3, 1, 2))
    (3, 2, 1)
    """
    return tuple(sorted(items, reverse=True))


@primitive
def without(items: List[a], others: List[a]) -> List[a]:
    """The items that are not among others.

    >>> without((1, 2, 3), (2,))
    (1, 3)
    """
    return tuple(item for item in items if item not in others)


@primitive
def common(items: List[a], others: List[a]) -> List[a]:
    """The items that are also among others.

    >>> common((1, 2, 3), (2, 4))
    (2,)
    """
    return tuple(item for item in items if item in others)


@primitive
def interleave(items: List[a], others: List[a]) -> List[a]:
    """One of each in turn, as far as both lists go.

    >>> interleave((1, 2), (8, 9))
    (1, 8, 2, 9)
    """
    return tuple(value for both in zip(items, others, strict=False) for value in both)


@primitive
def every(items: List[a], step: Int) -> List[a]:
    """The first item and every so many-th after it.

    >>> every((1, 2, 3, 4, 5), 2)
    (1, 3, 5)
    """
    if step < 1:
        raise NoAnswer("A step is at least 1.")
    return tuple(items[::step])


@primitive
def places(items: List[a]) -> List[Int]:
    """The places of the items, from 0.

    >>> places((7, 8, 9))
    (0, 1, 2)
    """
    return tuple(range(len(items)))


@primitive
def range_from(start: Int, stop: Int) -> List[Int]:
    """The whole numbers from one to another, both included, up or down; at most 10 000.

    >>> range_from(2, 5), range_from(3, 1)
    ((2, 3, 4, 5), (3, 2, 1))
    """
    if abs(stop - start) >= LONGEST_RANGE:
        raise NoAnswer("The range is too long.")
    return tuple(range(start, stop + 1)) if start <= stop else tuple(range(start, stop - 1, -1))


@primitive
def most_common(items: List[a]) -> a:
    """The item that occurs most often, the first of those when there are several.

    >>> most_common((1, 2, 2))
    2
    """
    if not items:
        raise NoAnswer("The list is empty.")
    return max(items, key=items.count)


@primitive
def repeated(items: List[a]) -> List[a]:
    """The items that occur more than once.

    >>> repeated((1, 2, 1, 3))
    (1, 1)
    """
    return tuple(item for item in items if items.count(item) > 1)


@primitive
def flattened(lists: List[List[a]]) -> List[a]:
    """The items of all lists, one list after another.

    >>> flattened(((1,), (2, 3)))
    (1, 2, 3)
    """
    return tuple(item for items in lists for item in items)


@primitive
def chunks(items: List[a], size: Int) -> List[List[a]]:
    """The items cut into pieces of one size; the last may be shorter.

    >>> chunks((1, 2, 3), 2)
    ((1, 2), (3,))
    """
    if size < 1:
        raise NoAnswer("A piece has at least one item.")
    return tuple(tuple(items[at : at + size]) for at in range(0, len(items), size))


@primitive
def windows(items: List[a], size: Int) -> List[List[a]]:
    """All runs of neighbours of one size.

    >>> windows((1, 2, 3), 2)
    ((1, 2), (2, 3))
    """
    if size < 1:
        raise NoAnswer("A window has at least one item.")
    return tuple(tuple(items[at : at + size]) for at in range(len(items) - size + 1))


@primitive
def runs(items: List[a]) -> List[List[a]]:
    """Neighbours that are the same, put together.

    >>> runs((1, 1, 2, 1))
    ((1, 1), (2,), (1,))
    """
    found: list[list] = []
    for value in items:
        if found and found[-1][0] == value:
            found[-1].append(value)
        else:
            found.append([value])
    return tuple(map(tuple, found))


@primitive
def is_sorted(items: List[Int]) -> Bool:
    """Whether no number is smaller than the one before it.

    >>> is_sorted((1, 2, 2))
    True
    """
    return all(one <= other for one, other in pairwise(items))


@primitive
def has_no_items(items: List[a]) -> Bool:
    """Whether there are no items.

    >>> has_no_items(())
    True
    """
    return not items


@primitive(cost=1.3)
def starts_with_items(items: List[a], others: List[a]) -> Bool:
    """Whether a list begins with all items of another.

    >>> starts_with_items((1, 2), (1,))
    True
    """
    return tuple(items[: len(others)]) == tuple(others)
