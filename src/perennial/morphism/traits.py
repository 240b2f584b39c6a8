"""What morphisms need to know of each layer word: where its units are, and when it can be the identity or zero."""

from __future__ import annotations

from dataclasses import dataclass

from perennial.lang import Call, Layer, Program
from perennial.lang.program import children_first


@dataclass(frozen=True)
class Trait:
    """How a word treats the units (channels) of its input.

    Args:
        kind: `linear` (mixes units with a kernel), `separable` (a kernel for each unit, then a mixing one),
            `unitwise` (arrays with one number a unit), `pointwise` (no weights, each number by itself), `pool`
            (no weights, each unit by itself), `sum`, `join`, `flatten`, `input` (from the image), `head`, or `other` (only as a whole).
        zero: zeros become zeros.
        repeatable: applying it twice is applying it once.
        positive: never negative.
        silent: changes nothing outside training.
        keeps_sign: never negative when its input is not.
        width: the name of the parameter that gives the number of units.
    """

    kind: str
    zero: bool = False
    repeatable: bool = False
    positive: bool = False
    silent: bool = False
    keeps_sign: bool = False
    width: str | None = None


_ACTIVATION = Trait("pointwise", zero=True)
_POOL = Trait("pool", zero=True, keeps_sign=True)
_SILENT = Trait("pointwise", zero=True, repeatable=True, silent=True, keeps_sign=True)

TRAITS: dict[str, Trait] = {
    "pixels": Trait("input"),
    "conv": Trait("linear", width="width"),
    "dense": Trait("linear", width="units"),
    "separable_conv": Trait("separable", width="width"),
    "batch_norm": Trait("unitwise"),
    "relu": Trait("pointwise", zero=True, repeatable=True, positive=True),
    "gelu": _ACTIVATION,
    "silu": _ACTIVATION,
    "tanh": _ACTIVATION,
    "elu": _ACTIVATION,
    "selu": _ACTIVATION,
    "mish": _ACTIVATION,
    "sigmoid": Trait("pointwise", positive=True),
    "dropout": _SILENT,
    "max_pool": _POOL,
    "average_pool": _POOL,
    "global_pool": _POOL,
    "upsample": _POOL,
    "sum_of": Trait("sum", zero=True, keeps_sign=True),
    "concatenate": Trait("join", zero=True, keeps_sign=True),
    "flatten": Trait("flatten", zero=True, keeps_sign=True),
    "head": Trait("head"),
}
OTHER = Trait("other")


def trait_of(node: Program) -> Trait | None:
    """The trait of a layer call; `None` for anything else, such as the image itself."""
    if not isinstance(node, Call) or not isinstance(node.function, Layer):
        return None
    return TRAITS.get(node.function.name, OTHER)


def never_negative_nodes(program: Program) -> frozenset[Program]:
    """The nodes of a program whose values are never below zero, whatever the weights."""
    found: set[Program] = set()
    for node in children_first(program):
        trait = trait_of(node)
        if trait is not None and (
            trait.positive or (trait.keeps_sign and all(each in found for each in node.arguments))
        ):
            found.add(node)
    return frozenset(found)
