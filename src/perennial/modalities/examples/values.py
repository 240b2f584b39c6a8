"""Values of examples: their types by unification, their one form (lists are tuples), their bounds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perennial.errors import DataError, TypeMismatch
from perennial.lang.types import (
    Bool,
    Dict,
    Grid,
    Int,
    List,
    Option,
    Pair,
    Real,
    Text,
    Type,
    TypeVar,
    fresh,
    unify,
)

LARGEST_EXAMPLE = 1_000_000
LONGEST_INTEGER = 2**63 - 1
COLOURS = range(10)
SHOWN = 60
BASIC = {bool: Bool, int: Int, float: Real, str: Text}


def type_of(value: Any) -> Type:
    """The type of one value; unknown parts are variables.

    >>> type_of([1, 2.5]), type_of({"a": 1}), type_of("x")
    (List[Real], Dict[Text, Int], Text)
    """
    if value is None:
        return Option(fresh())
    if type(value) in BASIC:
        if isinstance(value, int) and abs(value) > LONGEST_INTEGER:
            raise DataError(f"A whole number has at most 63 bits, received {str(value)[:30]}….")
        if isinstance(value, float) and not math.isfinite(value):
            raise DataError(f"An example holds finite numbers, received {value}.")
        return BASIC[type(value)]
    if isinstance(value, tuple | list):
        common: Type = fresh()
        for item in value:
            common = joined_types(common, type_of(item))
        return List(common)
    if isinstance(value, Mapping):
        keys, values = fresh(), fresh()
        for key, item in value.items():
            keys, values = joined_types(keys, type_of(key)), joined_types(values, type_of(item))
        return Dict(keys, values)
    if hasattr(value, "tolist"):
        return type_of(value.tolist())
    raise DataError(
        f"An example holds numbers, texts, truths, lists and mappings, received {type(value).__name__}."
    )


def joined_types(one: Type, other: Type) -> Type:
    """The type of values of both types: equal, or numbers that are not all whole, or sometimes missing.

    Raises:
        TypeMismatch: when there is none.

    >>> joined_types(List(Int), List(Real))
    List[Real]
    """
    if isinstance(one, TypeVar):
        return other
    if isinstance(other, TypeVar):
        return one
    if {one, other} == {Int, Real}:
        return Real
    if isinstance(one, Option) or isinstance(other, Option):
        plain = [kind.element if isinstance(kind, Option) else kind for kind in (one, other)]
        return Option(joined_types(*plain))
    if type(one) is type(other) and len(one.arguments) == len(other.arguments) and one.arguments:
        return one.with_arguments(tuple(map(joined_types, one.arguments, other.arguments)))
    return unify(one, other).apply(one)


def column_type(column: Sequence[Any], where: str) -> Type:
    common: Type = fresh()
    first = None
    for number, value in enumerate(column, 1):
        check_size(value, f"{where} of example {number}")
        kind = type_of(value)
        try:
            common = joined_types(common, kind)
        except TypeMismatch:
            raise DataError(
                f"The {where} of example {number} is {kind}, but {common} in those before it.",
                where=f"{shown(value)} beside {shown(first)}",
                why="A program has one type for each argument and one for its result.",
                todo="Write all of them in the same way, for instance all as text.",
            ) from None
        first = value if first is None else first
    if column and all(is_grid(value) for value in column):
        return Grid
    return closed(common)


def closed(kind: Type) -> Type:
    """The type with `Int` where nothing is known, as in a list that is always empty."""
    if isinstance(kind, TypeVar):
        return Int
    if isinstance(kind, List | Option | Dict | Pair):
        return kind.with_arguments(tuple(map(closed, kind.arguments)))
    return kind


def is_grid(value: Any) -> bool:
    if (
        not isinstance(value, tuple | list)
        or not value
        or not all(isinstance(row, tuple | list) for row in value)
    ):
        return False
    widths = {len(row) for row in value}
    cells = (cell for row in value for cell in row)
    return (
        len(widths) == 1 and 0 not in widths and all(type(cell) is int and cell in COLOURS for cell in cells)
    )


def check_size(value: Any, where: str, allowed: int = LARGEST_EXAMPLE) -> None:
    """Refuses values that are too large or hold themselves, without walking all of them."""
    stack, seen = [(value, 0)], 0
    while stack:
        item, depth = stack.pop()
        seen += len(item) if isinstance(item, str) else 1
        if depth > 40:
            raise DataError("A value nests more than 40 deep, or holds itself.", where=where)
        children = (
            item.values() if isinstance(item, Mapping) else item if isinstance(item, tuple | list) else ()
        )
        if seen + len(children) > allowed:
            raise DataError(
                f"A value has more than {allowed} parts.",
                where=where,
                why="A search looks at every example many thousand times.",
                todo="Cut it into smaller examples.",
            )
        stack.extend((child, depth + 1) for child in children)


def fitted(value: Any, kind: Type) -> Any:
    """A value as programs take it: lists as tuples, whole numbers as reals where the type says so."""
    if isinstance(value, tuple | list):
        element = kind.element if isinstance(kind, List) else Int
        return tuple(fitted(item, element) for item in value)
    if isinstance(value, Mapping) and isinstance(kind, Dict):
        return {key: fitted(item, kind.value) for key, item in value.items()}
    if isinstance(kind, Option):
        return None if value is None else fitted(value, kind.element)
    if hasattr(value, "tolist"):
        return fitted(value.tolist(), kind)
    return float(value) if kind == Real and type(value) is int else value


def fitted_row(row: Sequence[Any], types: Sequence[Type]) -> tuple:
    return tuple(fitted(value, kind) for value, kind in zip(row, types, strict=True))


def plain(value: Any) -> Any:
    """A value as JSON holds it: tuples as lists.

    >>> plain(((1, 2), "a"))
    [[1, 2], 'a']
    """
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value.item() if hasattr(value, "item") else value


def shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, tuple | list) or len(value) <= 50 else repr(value[:20])
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def example_hashes(rows: Sequence[tuple]) -> np.ndarray:
    """A hash of the inputs of each example, the same in every process."""
    digests = (hashlib.sha256(repr(plain(row)).encode("utf-8", "surrogatepass")).digest()[:8] for row in rows)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def object_array(values: Sequence[Any]) -> np.ndarray:
    """A column of any values."""
    column = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        column[place] = value
    return column
