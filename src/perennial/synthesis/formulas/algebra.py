"""Formulas as programs: values and derivatives on whole columns, constants taken out and put back.

A formula is a program over the words of `primitives.reals` with free variables of type `Real`. Here it is computed
on NumPy columns, one call a node; where a node has no real value its rows are NaN.

>>> x = Var("x")
>>> area = product(math.pi, squared(x))
>>> values(area, {"x": np.array([1.0, 2.0])}).round(3).tolist()
[3.142, 12.566]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from perennial.lang.ops import Op
from perennial.lang.program import Call, Literal, Program, Var, call
from perennial.primitives import reals
from perennial.primitives.values import ratio

Columns = Mapping[str, np.ndarray]

UNARY: dict[Op, Callable] = {
    reals.sqrt: np.sqrt,
    reals.exp: np.exp,
    reals.log: np.log,
    reals.sin: np.sin,
    reals.cos: np.cos,
    reals.tan: np.tan,
    reals.tanh: np.tanh,
    reals.arcsin: np.arcsin,
    reals.arccos: np.arccos,
    reals.arctan: np.arctan,
    reals.magnitude: np.abs,
}
BINARY: dict[Op, Callable] = {
    reals.plus: np.add,
    reals.minus: np.subtract,
    reals.times: np.multiply,
    ratio: np.divide,
    reals.power: np.power,
}
KERNELS: dict[Op, Callable] = UNARY | BINARY

SLOPES: dict[Op, Callable] = {
    reals.sqrt: lambda x, y: 0.5 / y,
    reals.exp: lambda x, y: y,
    reals.log: lambda x, y: 1.0 / x,
    reals.sin: lambda x, y: np.cos(x),
    reals.cos: lambda x, y: -np.sin(x),
    reals.tan: lambda x, y: 1.0 + y * y,
    reals.tanh: lambda x, y: 1.0 - y * y,
    reals.arcsin: lambda x, y: 1.0 / np.sqrt(1.0 - x * x),
    reals.arccos: lambda x, y: -1.0 / np.sqrt(1.0 - x * x),
    reals.arctan: lambda x, y: 1.0 / (1.0 + x * x),
    reals.magnitude: lambda x, y: np.sign(x),
}


# -- writing -----------------------------------------------------------------------------------------------------------


def number(value: float) -> Literal:
    """A constant."""
    return Literal(float(value))


def constant(program: Program) -> float | None:
    """The value of a constant; None for anything else."""
    return float(program.value) if isinstance(program, Literal) else None


def _term(value: Program | float) -> Program:
    return value if isinstance(value, Program) else number(value)


def plus(x: Program | float, y: Program | float) -> Program:
    """The sum of two formulas, without adding 0."""
    x, y = _term(x), _term(y)
    return y if constant(x) == 0 else x if constant(y) == 0 else call(reals.plus, x, y)


def minus(x: Program | float, y: Program | float) -> Program:
    """The difference of two formulas, without taking away 0."""
    x, y = _term(x), _term(y)
    return x if constant(y) == 0 else call(reals.minus, x, y)


def product(x: Program | float, y: Program | float) -> Program:
    """The product of two formulas, without a factor of 1."""
    x, y = _term(x), _term(y)
    return y if constant(x) == 1 else x if constant(y) == 1 else call(reals.times, x, y)


def quotient(x: Program | float, y: Program | float) -> Program:
    """The quotient of two formulas, without dividing by 1."""
    x, y = _term(x), _term(y)
    return x if constant(y) == 1 else call(ratio, x, y)


def raised(x: Program | float, exponent: float) -> Program:
    """A formula to a constant power, written with roots and quotients where that is shorter."""
    x = _term(x)
    if exponent == 1:
        return x
    if exponent == 0:
        return number(1)
    if exponent < 0:
        return quotient(1, raised(x, -exponent))
    if exponent == 0.5:
        return call(reals.sqrt, x)
    return call(reals.power, x, number(exponent))


def squared(x: Program | float) -> Program:
    """A formula times itself."""
    return raised(x, 2)


def weighted_sum(weights: np.ndarray, terms: list[Program], offset: float = 0.0) -> Program:
    """`offset + Σ weight · term`, without terms of weight 0."""
    total: Program = number(0)
    for weight, term in zip(weights, terms, strict=True):
        if weight:
            total = plus(total, product(float(weight), term))
    return plus(total, float(offset))


# -- computing ---------------------------------------------------------------------------------------------------------


def values(program: Program, columns: Columns) -> np.ndarray:
    """The formula's value on every row, `(n,)`; NaN where it has none.

    Raises:
        KeyError: for a variable without a column, or a word that is no word of formulas.
    """
    with np.errstate(all="ignore"):
        result = _values(program, columns, {})
    rows = len(next(iter(columns.values())))
    return np.broadcast_to(np.asarray(result, float), (rows,)).copy() if np.ndim(result) == 0 else result


def _values(node: Program, columns: Columns, done: dict[Program, np.ndarray]) -> np.ndarray:
    if isinstance(node, Literal):
        return np.float64(node.value)
    if isinstance(node, Var):
        return columns[node.name]
    if node not in done:
        arguments = [_values(argument, columns, done) for argument in node.arguments]
        done[node] = KERNELS[node.function](*arguments)
    return done[node]


def slopes(
    program: Program, columns: Columns, constants: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The values `(n,)` and their derivatives `(k, n)` by each of `constants`, which are variables too.

    Forward differentiation (Wengert 1964), all constants at once.
    """
    rows = len(next(iter(columns.values())))
    places = {name: place for place, name in enumerate(constants)}
    with np.errstate(all="ignore"):
        value, slope = _slopes(program, columns, constants, places, {})
    if slope is None:
        slope = {}
    dense = np.zeros((len(places), rows))
    for place, row in slope.items():
        dense[place] = row
    return np.broadcast_to(value, (rows,)), dense


def _slopes(node, columns, constants, places, done):
    if isinstance(node, Literal):
        return np.float64(node.value), None
    if isinstance(node, Var):
        if node.name in places:
            return np.float64(constants[node.name]), {places[node.name]: 1.0}
        return columns[node.name], None
    if node in done:
        return done[node]
    parts = [_slopes(argument, columns, constants, places, done) for argument in node.arguments]
    inputs = [part[0] for part in parts]
    value = KERNELS[node.function](*inputs)
    slope: dict[int, np.ndarray] | None = None
    if any(part[1] for part in parts):
        slope = {}
        for (_, inner), outer in zip(parts, _outer(node.function, inputs, value, parts), strict=True):
            for place, row in (inner or {}).items():
                slope[place] = slope.get(place, 0.0) + outer * row
    done[node] = value, slope
    return done[node]


def _outer(op: Op, inputs: list, value: np.ndarray, parts: list) -> list:
    """The partial derivatives of one word by its arguments; 0 for an argument without constants."""
    if op in SLOPES:
        return [SLOPES[op](inputs[0], value)]
    x, y = inputs
    if op is reals.plus:
        return [1.0, 1.0]
    if op is reals.minus:
        return [1.0, -1.0]
    if op is reals.times:
        return [y, x]
    if op is ratio:
        return [1.0 / y, -value / y]
    by_base = y * np.power(x, y - 1.0) if parts[0][1] else 0.0
    by_exponent = value * np.log(x) if parts[1][1] else 0.0
    return [by_base, by_exponent]


# -- looking inside ----------------------------------------------------------------------------------------------------


def template(program: Program, prefix: str = "constant") -> tuple[Program, dict[str, float]]:
    """The formula with its constants as variables `constant0, constant1 …`, and their values.

    Whole exponents up to 6 stay: they are structure.
    """
    found: dict[str, float] = {}

    def visit(node: Program) -> Program:
        if isinstance(node, Literal):
            name = f"{prefix}{len(found)}"
            found[name] = float(node.value)
            return Var(name)
        if not isinstance(node, Call):
            return node
        if node.function is reals.power and _whole(node.arguments[1]):
            return call(reals.power, visit(node.arguments[0]), node.arguments[1])
        return node.with_children([visit(child) for child in node.children])

    return visit(program), found


def filled(pattern: Program, constants: Mapping[str, float]) -> Program:
    """The formula of a template with these constants."""
    return pattern.substitute({name: number(value) for name, value in constants.items()})


def _whole(node: Program) -> bool:
    value = constant(node)
    return value is not None and value == round(value) and abs(value) <= 6


def length(program: Program) -> int:
    """How long a formula is to write: one for each word, variable and constant.

    A whole number, and a simple multiple of π, count 1 as exponent or factor; any other constant counts 2. Signs
    are free.
    """
    return sum(_weight(node) for node in every_node(program))


def every_node(program: Program):
    """All nodes of the written formula, parts used twice counted twice."""
    stack = [program]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children)


def _weight(node: Program) -> int:
    value = constant(node)
    if value is None:
        return 1
    return 1 if value == round(value) and abs(value) < 100 or math.isclose(abs(value), math.pi) else 2
