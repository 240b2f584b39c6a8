"""Types of values and programs: Hindley–Milner terms whose dimensions are terms too (Milner 1978).

A type is a frozen value. Lower-case names are variables and stand for a type or for a dimension:

>>> digit = Arrow(Image(28, 28, 1), Dist(10))
>>> print(digit, Record({"f0001": Real, "f0002": Categories(3)}))
Image[28, 28, 1] -> Dist[10] Record{f0001: Real, f0002: Categories[3]}
>>> unify(parse_type("List[a]"), List(Int)).apply(TypeVar("a"))
Int

This page is the face of three: `terms` (the types), `unification` (what fits what), `type_text` (reading).
"""

from __future__ import annotations

from perennial.lang.terms import (
    Arrow,
    Basic,
    Bool,
    Categories,
    Class,
    Date,
    Dict,
    Dim,
    Dist,
    Graph,
    Grid,
    Image,
    Int,
    Labels,
    List,
    Marginals,
    Option,
    Pair,
    Real,
    Record,
    Series,
    Sound,
    Tensor,
    Text,
    Type,
    TypeVar,
    Video,
    Volume,
)
from perennial.lang.type_text import parse_type
from perennial.lang.unification import Substitution, coercion_cost, fresh, instantiate, unify

__all__ = [
    "Arrow",
    "Basic",
    "Bool",
    "Categories",
    "Class",
    "Date",
    "Dict",
    "Dim",
    "Dist",
    "Graph",
    "Grid",
    "Image",
    "Int",
    "Labels",
    "List",
    "Marginals",
    "Option",
    "Pair",
    "Real",
    "Record",
    "Series",
    "Sound",
    "Substitution",
    "Tensor",
    "Text",
    "Type",
    "TypeVar",
    "Video",
    "Volume",
    "coercion_cost",
    "fresh",
    "instantiate",
    "parse_type",
    "unify",
]
