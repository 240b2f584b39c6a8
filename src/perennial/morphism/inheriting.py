"""A child's first weights, from those of its parent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from perennial.lang import Call, Program, State, Type, parse_type, typed
from perennial.morphism.alignment import STRANGER, align
from perennial.morphism.carrying import Carrying
from perennial.morphism.traits import trait_of

Fresh = Callable[[Program, tuple[Type, ...], Type, int], Mapping[str, State]]


@dataclass(frozen=True, eq=False)
class Inherited:
    """What a child takes over.

    Args:
        states: weights to start from, by node hash; a layer that is missing starts fresh.
        exact: whether the child computes the parent's function before any training.
        steps: what was done, in words.
        share: of the child's numbers that come from the parent's, 0 to 1.
    """

    states: Mapping[str, State] = field(default_factory=dict)
    exact: bool = False
    steps: tuple[str, ...] = ()
    share: float = 0.0


def inherit(
    parent: Program,
    states: Mapping[str, State],
    child: Program,
    types: tuple[Type, ...],
    seed: int = 0,
    fresh: Fresh | None = None,
) -> Inherited:
    """Weights with which the child begins where the parent stopped.

    Exact steps: a layer inserted as the identity, units or kernel places added, a separable convolution written out
    as a full one, a branch or residual block that begins at zero, layers that act in training only. Everything else
    is copied as far as it fits, and then the result is not exact.

    Args:
        parent: a closed program with layers.
        states: its weights, one a layer, by node hash (`compiler.split`).
        child: another one, for the same data.
        types: of the arguments of both.
        seed: of the shares that copies of a unit get.
        fresh: draws the weights that a program has without a parent; those of the compiler by default.
    """
    theirs, mine = _head(parent), _head(child)
    if theirs is None or mine is None or theirs.hash not in states:
        return Inherited(steps=("nothing to take over",))
    output = parse_type(states[theirs.hash].texts["type"])
    shapes = _shapes(parent, types, output) | _shapes(child, types, output)
    alignment = align(theirs, mine, {node: shape[-1] for node, shape in shapes.items()})
    if alignment.price >= STRANGER:
        return Inherited(steps=("parent and child have nothing in common",))
    drawn = (fresh or compiled_weights)(child, types, output, seed)
    carrying = Carrying(alignment, states, drawn, shapes, seed)
    flow = carrying.run(theirs, mine)
    steps = tuple(dict.fromkeys(carrying.steps))
    exact = flow.exact and not any(step.startswith("lost") for step in steps)
    return Inherited(carrying.states, exact, steps, _share(carrying.states, alignment.same, drawn))


def compiled_weights(
    program: Program, types: tuple[Type, ...], output: Type, seed: int
) -> Mapping[str, State]:
    """The weights of a program before any training, by node hash."""
    from perennial import compiler

    return compiler.initial_states(program, types, output, seed)


def _head(program: Program) -> Call | None:
    return next((node for node in program.walk() if (trait := trait_of(node)) and trait.kind == "head"), None)


def _shapes(program: Program, types: tuple[Type, ...], output: Type) -> dict[Program, tuple[int, ...]]:
    """Of every value that is a tensor or an image, without the batch."""
    return {
        node: kind.dims
        for node, kind in typed(program, types, output).items()
        if getattr(kind, "dims", None) and not kind.variables
    }


def _share(states: Mapping[str, State], same: Mapping[Program, Program], fresh: Mapping[str, State]) -> float:
    def size(state: State) -> int:
        return sum(int(np.size(array)) for array in state.arrays.values())

    continued = {node.hash for node in same}
    total = sum(size(state) for state in fresh.values())
    return sum(size(state) for key, state in states.items() if key in continued) / max(1, total)
