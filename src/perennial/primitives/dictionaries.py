"""Words for dictionaries: values looked up by key; a dictionary is never changed, a new one is made.

Keys are compared as values; what cannot be a key (a dictionary inside a key) has no answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int


def _made(pairs: Iterable[tuple]) -> dict:
    """A dictionary of these pairs; a later value of a key replaces an earlier one."""
    try:
        return dict(pairs)
    except TypeError:
        raise NoAnswer("These values cannot be keys.") from None


@primitive
def from_pairs(pairs: List[Pair[a, b]]) -> Dict[a, b]:
    """A dictionary of pairs of key and value; of a key that comes twice the last value.

    >>> from_pairs(((1, 2), (3, 4)))
    {1: 2, 3: 4}
    """
    return _made(pairs)


@primitive
def to_pairs(dictionary: Dict[a, b]) -> List[Pair[a, b]]:
    """Its keys and values, in the order in which they came.

    >>> to_pairs({1: 2})
    ((1, 2),)
    """
    return tuple(dictionary.items())


@primitive
def keys(dictionary: Dict[a, b]) -> List[a]:
    """Its keys, in the order in which they came.

    >>> keys({1: 2})
    (1,)
    """
    return tuple(dictionary)


@primitive
def values(dictionary: Dict[a, b]) -> List[b]:
    """Its values, in the order in which they came.

    >>> values({1: 2})
    (2,)
    """
    return tuple(dictionary.values())


@primitive
def look_up(dictionary: Dict[a, b], key: a) -> b:
    """The value of a key.

    >>> look_up({1: 2}, 1)
    2
    """
    for known, value in dictionary.items():
        if known == key:
            return value
    raise NoAnswer("There is no such key.")


@primitive
def look_up_or(dictionary: Dict[a, b], key: a, missing: b) -> b:
    """The value of a key, or another value when there is no such key.

    >>> look_up_or({1: 2}, 5, 0)
    0
    """
    for known, value in dictionary.items():
        if known == key:
            return value
    return missing


@primitive
def put(dictionary: Dict[a, b], key: a, value: b) -> Dict[a, b]:
    """The dictionary with a key set to a value.

    >>> put({1: 2}, 3, 4)
    {1: 2, 3: 4}
    """
    return _made([*dictionary.items(), (key, value)])


@primitive
def without_key(dictionary: Dict[a, b], key: a) -> Dict[a, b]:
    """The dictionary without a key.

    >>> without_key({1: 2}, 1)
    {}
    """
    return {known: value for known, value in dictionary.items() if known != key}


@primitive
def has_key(dictionary: Dict[a, b], key: a) -> Bool:
    """Whether it has a key.

    >>> has_key({1: 2}, 1)
    True
    """
    return any(known == key for known in dictionary)


@primitive
def merge(dictionary: Dict[a, b], more: Dict[a, b]) -> Dict[a, b]:
    """Two dictionaries in one; of a key in both the value of the second.

    >>> merge({1: 2}, {1: 3})
    {1: 3}
    """
    return {**dictionary, **more}


@primitive
def inverted(dictionary: Dict[a, b]) -> Dict[b, a]:
    """Values as keys and keys as values; of a value that comes twice the last key.

    >>> inverted({1: 2})
    {2: 1}
    """
    return _made((value, key) for key, value in dictionary.items())


@primitive
def tally(items: List[a]) -> Dict[a, Int]:
    """How often each item occurs.

    >>> tally((7, 8, 7))
    {7: 2, 8: 1}
    """
    return _made((item, sum(1 for other in items if other == item)) for item in items)


@primitive
def group_by(key: "a -> b", items: List[a]) -> Dict[b, List[a]]:
    """The items of each key, in their order.

    >>> group_by(lambda x: x % 2, (1, 2, 3))
    {1: (1, 3), 0: (2,)}
    """
    marked = [(key(item), item) for item in items]
    return _made((mark, tuple(item for other, item in marked if other == mark)) for mark, _ in marked)
