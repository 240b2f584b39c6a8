"""Functions that build programs of layer words: what Keras writes as loops and classes is a sub-program here.

>>> from perennial.primitives.layers.convolution import conv
>>> from perennial.primitives.layers.activation import relu
>>> print(residual(layer(conv, width=32) >> relu))
lambda x: sum_of(x, relu(conv(x, width=32)))
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from perennial.lang.ops import Layer, Op
from perennial.lang.program import Call, Lambda, Literal, Program, Var, applied, as_program, call
from perennial.primitives.layers.merging import concatenate, sum_of

BRANCH = "branch"


def layer(word: Op, **parameters: Any) -> Lambda:
    """A word with its parameters as a function of one value; parameters may be choices.

    >>> from perennial.primitives.layers.convolution import conv
    >>> print(layer(conv, width=8))
    lambda x: conv(x, width=8)
    """
    return Lambda(("x",), call(word, Var("x"), **parameters))


def residual(body: Program | Op, shortcut: Program | Op | None = None) -> Lambda:
    """What comes in, added to what a body makes of it (He, Zhang, Ren and Sun 2016).

    Args:
        body: a function of one tensor.
        shortcut: a function that brings what comes in to the shape of the body's result, where it changes
            the shape.
    """
    x = Var("x")
    kept = x if shortcut is None else applied(shortcut, x)
    return Lambda(("x",), call(sum_of, kept, applied(body, x)))


def branches(*bodies: Program | Op, joined_by: Op = concatenate) -> Lambda:
    """What several bodies make of the same value, joined (Szegedy et al. 2015, Inception).

    The same body twice has weights of its own each time: the second copy's words get another `branch`.

    >>> from perennial.primitives.layers.convolution import conv
    >>> print(branches(layer(conv, width=8), layer(conv, width=8)))
    lambda x: concatenate(conv(x, width=8), conv(x, branch=1, width=8))
    """
    seen: Counter[Program] = Counter()
    parts = []
    for body in map(as_program, bodies):
        parts.append(applied(apart(body, seen[body]), Var("x")))
        seen[body] += 1
    return Lambda(("x",), call(joined_by, *parts))


def apart(program: Program | Op, number: int) -> Program:
    """The same program with weights of its own: the `branch` of every layer that has weights goes up by `number`."""

    def changed(node: Program) -> Program:
        if not isinstance(node, Call) or not isinstance(node.function, Layer):
            return node
        if BRANCH not in node.function.parameters:
            return node
        given = dict(node.parameters)
        old = given.get(BRANCH, Literal(node.function.parameters[BRANCH].default))
        if not isinstance(old, Literal):
            return node
        return Call(node.function, node.arguments, given | {BRANCH: old.value + number})

    program = as_program(program)
    return program.transform(changed) if number else program
