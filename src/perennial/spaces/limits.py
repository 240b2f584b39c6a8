"""How large a candidate may be: what it costs is known from its types before anything is built.

A candidate over a limit is rejected within milliseconds, and the journal says why; it never becomes a process
that runs out of memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from perennial.lang import Call, Cost, Layer, Program, Type, typed


@dataclass(frozen=True)
class Limits:
    """The most that one network may cost; infinite where nothing is said.

    Args:
        parameters: numbers that are learnt.
        flops: floating-point operations of one forward pass of one example.
        activations: numbers that one forward pass of one example leaves in memory.

    >>> Limits(parameters=1e6).broken_by(Cost(parameters=2_500_000, flops=10, activations=10))
    'it has 2.5 M parameters, at most 1 M are allowed'
    """

    parameters: float = math.inf
    flops: float = math.inf
    activations: float = math.inf

    def broken_by(self, cost: Cost) -> str:
        """Which limit a cost exceeds, as a sentence; empty when it keeps them all."""
        for what, verb in (("parameters", "has"), ("flops", "needs"), ("activations", "holds")):
            received, most = getattr(cost, what), getattr(self, what)
            if received > most:
                return f"it {verb} {_short(received)} {what}, at most {_short(most)} are allowed"
        return ""


def cost_of(program: Program, types: tuple[Type, ...], output: Type) -> Cost:
    """What one example costs in all layers of a program, from types alone; nothing is built.

    Args:
        program: closed; a layer that is used twice is counted once.
        types: of its arguments.
        output: what it predicts.
    """
    known, total = typed(program, types, output), Cost()
    for node in program.walk():
        if isinstance(node, Call) and isinstance(node.function, Layer):
            inputs = tuple(known[argument] for argument in node.arguments)
            total += node.function.measured(inputs, known[node], **node.settings)
    return total


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
