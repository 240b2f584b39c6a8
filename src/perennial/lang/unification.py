"""Unification of types (Robinson 1965) and coercions: when one type can stand where another is asked for."""

from __future__ import annotations

import itertools

from perennial.errors import TypeMismatch
from perennial.lang.terms import Dict, List, Option, Pair, Record, Signal, Tensor, Type, TypeVar, variables_in

_fresh_numbers = itertools.count(1)


def fresh(prefix: str = "a") -> TypeVar:
    """A variable that nobody else holds in this process."""
    return TypeVar(f"{prefix}_{next(_fresh_numbers)}")


def instantiate(polymorphic: Type) -> Type:
    """The same type with every variable renamed to a fresh one."""
    return Substitution(
        {variable: fresh(variable.name.split("_")[0]) for variable in polymorphic.variables}
    ).apply(polymorphic)


class Substitution(dict):
    """What is known about variables: `TypeVar` → type or dimension, possibly naming further variables."""

    def resolve(self, term):
        """Follow a variable until it ends in something else or in an unknown variable."""
        while isinstance(term, TypeVar) and term in self:
            term = self[term]
        return term

    def apply(self, term):
        """Replace every known variable inside a type (or dimension).

        >>> from perennial.lang.types import Arrow, Int
        >>> a, b = TypeVar("a"), TypeVar("b")
        >>> Substitution({a: List(b), b: Int}).apply(Arrow(a, b))
        List[Int] -> Int
        """
        if isinstance(term, TypeVar):
            found = self.resolve(term)
            return found if isinstance(found, TypeVar) else self.apply(found)
        if not isinstance(term, Type) or not term.arguments:
            return term
        arguments = tuple(map(self.apply, term.arguments))
        same = all(new is old for new, old in zip(arguments, term.arguments, strict=True))
        return term if same else term.with_arguments(arguments)

    def join(self, left, right) -> None:
        """Make two types equal in place, learning what their variables must be (`unify` without the copy).

        Raises:
            TypeMismatch: when no substitution makes them equal. What was learnt until then stays.
        """
        left, right = self.resolve(left), self.resolve(right)
        if left is right or left == right:
            return
        if isinstance(left, TypeVar):
            self._bind(left, right)
        elif isinstance(right, TypeVar):
            self._bind(right, left)
        elif (
            isinstance(left, Type)
            and type(left) is type(right)
            and (left.name, left.labels, len(left.arguments))
            == (right.name, right.labels, len(right.arguments))
        ):
            for one, other in zip(left.arguments, right.arguments, strict=True):
                self.join(one, other)
        else:
            raise TypeMismatch(f"Expected {self.apply(left)}, received {self.apply(right)}.")

    def _bind(self, variable: TypeVar, term) -> None:
        term = self.apply(term)
        if variable in variables_in(term):
            raise TypeMismatch(f"{variable} would have to contain itself: {variable} = {term}.")
        self[variable] = term


def unify(left: Type, right: Type, substitution: Substitution | None = None) -> Substitution:
    """The most general substitution that makes two types equal.

    Args:
        left: what is expected (named so in the error).
        right: what was received.
        substitution: what is known already; it is not changed.

    Raises:
        TypeMismatch: when they can never be equal.

    >>> from perennial.lang.types import parse_type
    >>> unify(parse_type("Pair[a, Int]"), parse_type("Pair[Text, b]")).apply(parse_type("Pair[b, a]"))
    Pair[Int, Text]
    >>> unify(parse_type("Pair[a, List[b]]"), parse_type("Pair[Int, a]"))
    Traceback (most recent call last):
    perennial.errors.TypeMismatch: Expected List[b], received Int.
    """
    known = Substitution(substitution or {})
    known.join(left, right)
    return known


_DIRECT_COERCIONS = {("Bool", "Int"): 1.0, ("Bool", "Real"): 2.0, ("Int", "Real"): 1.0, ("Date", "Real"): 1.0}
_COUNTED_COERCIONS = {
    ("Class", "Categories"): 1.0,
    ("Labels", "Marginals"): 1.0,
    ("Class", "Int"): 1.0,
    ("Class", "Real"): 2.0,
}
_COVARIANT = (List, Option, Pair, Dict, Record)


def coercion_cost(source: Type, target: Type) -> float | None:
    """How much is lost when a value of one type is used where another is asked for.

    A coercion never changes the value: whatever works on the target type works on the value as it is.

    Returns:
        0 for the same type, more for weaker fits (`Int` → `Real` is 1), None when it is impossible.

    >>> from perennial.lang.types import Int, Real
    >>> coercion_cost(List(Int), List(Real)), coercion_cost(Real, Int)
    (1.0, None)
    """
    if source == target:
        return 0.0
    names = (source.name, target.name)
    if names in _DIRECT_COERCIONS:
        return _DIRECT_COERCIONS[names]
    if names in _COUNTED_COERCIONS:
        same_count = not target.arguments or source.arguments == target.arguments
        return _COUNTED_COERCIONS[names] if same_count else None
    if isinstance(source, Signal) and type(target) is Tensor:
        return 1.0 if source.dims == target.dims else None
    if type(source) is type(target) and isinstance(source, _COVARIANT) and source.labels == target.labels:
        costs = [
            coercion_cost(one, other) for one, other in zip(source.arguments, target.arguments, strict=True)
        ]
        return None if None in costs else sum(costs)
    if isinstance(target, Option):
        cost = coercion_cost(source, target.element)
        return None if cost is None else cost + 1.0
    return None
