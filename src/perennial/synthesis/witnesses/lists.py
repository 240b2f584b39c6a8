"""Witness functions for lists: what the arguments of a word must have been, given what it gave.

Each answers for all examples at once: which items of a known list a filter kept, what remains of an output
when a known beginning is taken off. (Polozov and Gulwani 2015 call this inverse semantics.)
"""

from __future__ import annotations

from collections.abc import Sequence

Lists = Sequence[tuple]


def same_lengths(known: Lists, wanted: Lists) -> bool:
    """Whether `wanted` can be `map` of `known`: equal lengths, and some item to learn from.

    >>> same_lengths([(1, 2), ()], [(5, 6), ()])
    True
    """
    return any(wanted) and all(len(one) == len(two) for one, two in zip(known, wanted, strict=True))


def kept(known: Sequence, wanted: Sequence, last: bool = False) -> list[bool] | None:
    """Which items a filter kept, matched from the first or the last item; None when it cannot be.

    >>> kept((3, 1, 3), (3,)), kept((3, 1, 3), (3,), last=True), kept((1,), (2,))
    ([True, False, False], [False, False, True], None)
    """
    if last:
        flags = kept(known[::-1], wanted[::-1])
        return None if flags is None else flags[::-1]
    flags, place = [], 0
    for item in known:
        good = place < len(wanted) and item == wanted[place]
        place += good
        flags.append(good)
    return flags if place == len(wanted) else None


def all_kept(known: Lists, wanted: Lists) -> list[list[bool]]:
    """The flattened answers of `kept` for all examples, one or two of them; none when it cannot be."""
    found = []
    for last in (False, True):
        flags = [kept(one, two, last) for one, two in zip(known, wanted, strict=True)]
        if any(flag is None for flag in flags):
            return []
        flat = [good for flag in flags for good in flag]
        if flat not in found:
            found.append(flat)
    return [flat for flat in found if not all(flat) and any(flat)]


def after_prefix(prefix: Lists, wanted: Lists) -> list[tuple] | None:
    """What follows a known beginning of every output; None when it is not one.

    >>> after_prefix([(1,), ()], [(1, 2), (3,)])
    [(2,), (3,)]
    """
    if all(two[: len(one)] == one for one, two in zip(prefix, wanted, strict=True)):
        return [two[len(one) :] for one, two in zip(prefix, wanted, strict=True)]
    return None


def before_suffix(suffix: Lists, wanted: Lists) -> list[tuple] | None:
    """What stands before a known end of every output; None when it is not one.

    >>> before_suffix([(2,), ()], [(1, 2), (3,)])
    [(1,), (3,)]
    """
    if all(two[len(two) - len(one) :] == one for one, two in zip(suffix, wanted, strict=True)):
        return [two[: len(two) - len(one)] for one, two in zip(suffix, wanted, strict=True)]
    return None


def common_prefix(wanted: Lists) -> tuple:
    """The longest list that begins every output.

    >>> common_prefix([(1, 2, 3), (1, 2), (1, 2, 5)])
    (1, 2)
    """
    first = min(wanted, key=len)
    for place, item in enumerate(first):
        if any(items[place] != item for items in wanted):
            return tuple(first[:place])
    return tuple(first)


def common_suffix(wanted: Lists) -> tuple:
    """The longest list that ends every output.

    >>> common_suffix([(3, 9), (4, 9)])
    (9,)
    """
    return common_prefix([items[::-1] for items in wanted])[::-1]


def pieces(known: Lists, wanted: Lists) -> int:
    """How many items of the output belong to each item of a known list, when always equally many; else 0.

    >>> pieces([(1, 2), (5,)], [(1, 1, 2, 2), (5, 5)])
    2
    """
    sizes = {
        (len(two) // len(one)) if one and len(two) % len(one) == 0 else -1 if one or two else None
        for one, two in zip(known, wanted, strict=True)
    } - {None}
    return sizes.pop() if len(sizes) == 1 and min(sizes) > 1 else 0
