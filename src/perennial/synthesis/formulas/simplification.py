"""Formulas in a normal form: sums of weighted products of powers, like terms together, constants folded.

It changes a formula only by rules that hold wherever both sides have a value: `x·x = x²`, `2·(3·x) = 6·x`,
`x/x = 1`, `exp(log(x)) = x`, `sqrt(x)² = x`.

>>> from perennial.lang.program import Var
>>> x = Var("x")
>>> print(simplified(plus(product(2, x), product(x, 3))))
times(5.0, variable("x"))
"""

from __future__ import annotations

import math

import numpy as np

from perennial.lang.program import Call, Literal, Program, Var, call
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.formulas.algebra import (
    KERNELS,
    constant,
    minus,
    number,
    plus,
    product,
    quotient,
    raised,
)

INVERSES = {(reals.exp, reals.log), (reals.log, reals.exp), (reals.sin, reals.arcsin), (reals.tan, reals.arctan), (reals.cos, reals.arccos)}  # fmt: skip
EVEN, ODD = (reals.cos, reals.magnitude), (reals.sin, reals.tan, reals.tanh, reals.arcsin, reals.arctan)


def simplified(program: Program, positive: frozenset[str] = frozenset()) -> Program:
    """The same formula in normal form; with the same value on every row where it has one.

    Args:
        program: a formula.
        positive: variables that are never negative, so that √(x²) is x.
    """
    return _written(_sum_of(program, positive))


# A sum is {term: weight}, a term a sorted tuple of (base, exponent); the empty term is the number 1.


def _sum_of(node: Program, positive: frozenset) -> dict:
    if isinstance(node, Literal):
        return _alone(float(node.value))
    if isinstance(node, Var):
        return {((node, 1.0),): 1.0}
    op, arguments = node.function, node.arguments
    if op is reals.plus or op is reals.minus:
        return _added(
            _sum_of(arguments[0], positive),
            _sum_of(arguments[1], positive),
            1.0 if op is reals.plus else -1.0,
        )
    if op is reals.times:
        return _multiplied(_sum_of(arguments[0], positive), _sum_of(arguments[1], positive))
    if op is ratio:
        return _multiplied(
            _sum_of(arguments[0], positive), _to_power(_sum_of(arguments[1], positive), -1.0, positive)
        )
    if op is reals.power and constant(arguments[1]) is not None:
        return _to_power(_sum_of(arguments[0], positive), constant(arguments[1]), positive)
    if op is reals.sqrt:
        return _to_power(_sum_of(arguments[0], positive), 0.5, positive)
    return _applied(op, [_written(_sum_of(argument, positive)) for argument in arguments], positive)


def _added(left: dict, right: dict, sign: float) -> dict:
    total = dict(left)
    for term, weight in right.items():
        total[term] = total.get(term, 0.0) + sign * weight
        scale = max(abs(left.get(term, 0.0)), abs(weight))
        if abs(total[term]) <= 1e-14 * scale:
            del total[term]
    return total


def _multiplied(left: dict, right: dict) -> dict:
    if not left or not right:
        return {}
    if len(left) == 1 and len(right) == 1:
        (one, weight), (other, more) = *left.items(), *right.items()
        return _joined(one, other, weight * more)
    for alone, many in ((left, right), (right, left)):
        if set(alone) == {()}:
            return {term: weight * alone[()] for term, weight in many.items()}
    (one, weight), (other, more) = _as_term(left), _as_term(right)
    return _joined(one, other, weight * more)


def _alone(value: float) -> dict:
    """A number as a sum; 0 is the empty sum."""
    return {(): value} if value else {}


def _powered(weight: float, exponent: float) -> float:
    """A number to a power, infinite where it does not fit."""
    with np.errstate(all="ignore"):
        return float(np.power(weight, exponent))


def _joined(one: tuple, other: tuple, weight: float) -> dict:
    powers = dict(one)
    for base, exponent in other:
        powers[base] = powers.get(base, 0.0) + exponent
        if powers[base] == 0:
            del powers[base]
    return {_term(powers): weight}


def _term(powers: dict) -> tuple:
    return tuple(sorted(powers.items(), key=lambda item: (_rank(item[0]), item[0].size, str(item[0]))))


def _rank(base: Program) -> int:
    return 0 if isinstance(base, Var) else 1


def _as_term(total: dict) -> tuple[tuple, float]:
    """A sum as one term: itself when it is one, else a weight and a bracket."""
    if len(total) == 1:
        return next(iter(total.items()))
    weight = _common(total)
    bracket = _written({term: part / weight for term, part in total.items()})
    return ((bracket, 1.0),), weight


def _common(total: dict) -> float:
    """What to put before a bracket so that the numbers inside look simple."""
    weights = list(total.values())
    sizes = {abs(weight) for weight in weights}
    first = (
        weights[0] if () not in total or len(weights) == 1 else next(w for t, w in total.items() if t != ())
    )
    if len(sizes) == 1:
        return first
    if all(math.isclose(weight / first, round(weight / first), rel_tol=1e-14) for weight in weights):
        return first
    if all(weight < 0 for weight in weights):
        return -1.0
    return 1.0


def _to_power(total: dict, exponent: float, positive: frozenset) -> dict:
    if not total:
        return {} if exponent > 0 else {((number(0.0), exponent),): 1.0}
    term, weight = _as_term(total)
    if len(term) == 1 and _is(term[0][0], reals.exp) and weight > 0:
        inner = _sum_of(term[0][0].arguments[0], positive)
        whole = {part: share * term[0][1] * exponent for part, share in inner.items()}
        return {((call(reals.exp, _written(whole)), 1.0),): _powered(weight, exponent)}
    if exponent != round(exponent):
        return _to_root(term, weight, exponent, positive)
    if term == ():
        return {(): _powered(weight, exponent)}
    return _joined((), tuple((base, power * exponent) for base, power in term), _powered(weight, exponent))


def _to_root(term: tuple, weight: float, exponent: float, positive: frozenset) -> dict:
    """Roots stay outside what may be negative: √(x²) is |x|, not x."""
    free = [item for item in term if _is_positive(item[0], positive)]
    kept = [item for item in term if item not in free]
    if weight > 0 and len(kept) == 1:
        power = kept[0][1]
        if power != round(power) or power % 2 == 1 or power * exponent % 2 == 0:
            free, kept = [*free, *kept], []
    result = {tuple((base, power * exponent) for base, power in free): 1.0}
    if weight > 0:
        result = _multiplied(result, {(): _powered(weight, exponent)})
        return _multiplied(result, {((_written({tuple(kept): 1.0}), exponent),): 1.0}) if kept else result
    return _multiplied(result, {((_written({tuple(kept): weight}), exponent),): 1.0})


def _is_positive(base: Program, positive: frozenset) -> bool:
    return isinstance(base, Var) and base.name in positive or _is(base, reals.exp)


def _applied(op, arguments: list[Program], positive: frozenset) -> dict:
    numbers = [constant(argument) for argument in arguments]
    if all(value is not None for value in numbers):
        with np.errstate(all="ignore"):
            folded = float(KERNELS[op](*numbers))
        return _alone(folded) if math.isfinite(folded) else {((call(op, *arguments), 1.0),): 1.0}
    inner = arguments[0]
    if isinstance(inner, Call) and (op, inner.function) in INVERSES:
        return _sum_of(inner.arguments[0], positive)
    if op is reals.log:
        return _logarithm(_sum_of(inner, positive), positive)
    if op is reals.exp:
        return _exponential(_sum_of(inner, positive), positive)
    if op in (*EVEN, *ODD):
        total = _sum_of(inner, positive)
        if total and all(weight < 0 for weight in total.values()):
            flipped = call(op, _written({term: -weight for term, weight in total.items()}))
            return {((flipped, 1.0),): 1.0 if op in EVEN else -1.0}
    return {((call(op, *arguments), 1.0),): 1.0}


def _logarithm(total: dict, positive: frozenset) -> dict:
    """log(c·exp(f)·g) = log(c) + f + log(g)."""
    if len(total) == 1:
        term, weight = next(iter(total.items()))
        outside = {base: exponent for base, exponent in term if _is(base, reals.exp)}
        if outside and weight > 0:
            rest = tuple(item for item in term if item[0] not in outside)
            result = {(): math.log(weight)} if weight != 1 else {}
            for base, exponent in outside.items():
                part = _sum_of(base.arguments[0], positive)
                result = _added(result, {inner: exponent * share for inner, share in part.items()}, 1.0)
            return _added(result, _logarithm({rest: 1.0}, positive), 1.0) if rest else result
    return {((call(reals.log, _written(total)), 1.0),): 1.0}


def _exponential(total: dict, positive: frozenset) -> dict:
    """exp(f + c + k·log(g)) = e^c · g^k · exp(f), and exp(g·log(h)) = h^g."""
    result, kept = {(): 1.0}, {}
    for term, share in total.items():
        if term == () and abs(share) < 50 and share != round(share):
            result = _multiplied(result, {(): math.exp(share)})
        elif len(term) == 1 and _is(term[0][0], reals.log) and term[0][1] == 1:
            result = _multiplied(
                result, _to_power(_sum_of(term[0][0].arguments[0], positive), share, positive)
            )
        else:
            kept[term] = share
    if len(kept) == 1:
        term, share = next(iter(kept.items()))
        logarithms = [base for base, exponent in term if _is(base, reals.log) and exponent == 1]
        if len(logarithms) == 1:
            exponent = {tuple(item for item in term if item[0] != logarithms[0]): share}
            power = call(reals.power, logarithms[0].arguments[0], _written(exponent))
            return _multiplied(result, {((power, 1.0),): 1.0})
    return _multiplied(result, {((call(reals.exp, _written(kept)), 1.0),): 1.0}) if kept else result


def _is(base: Program, op) -> bool:
    return isinstance(base, Call) and base.function is op


# -- writing it down ---------------------------------------------------------------------------------------------------


def _written(total: dict) -> Program:
    if not total:
        return number(0)
    ordered = sorted(total.items(), key=lambda item: (item[1] < 0, item[0] == (), -_degree(item[0])))
    first, weight = ordered[0]
    result = _written_term(first, weight)
    for term, weight in ordered[1:]:
        if weight < 0:
            result = minus(result, _written_term(term, -weight))
        else:
            result = plus(result, _written_term(term, weight))
    return result


def _degree(term: tuple) -> float:
    return sum(exponent for _, exponent in term)


def _written_term(term: tuple, weight: float) -> Program:
    over: Program = number(weight)
    under: Program = number(1)
    if 0 < abs(weight) < 1 and any(exponent < 0 for _, exponent in term):
        turned = 1 / weight
        if math.isclose(turned, round(turned), rel_tol=1e-14):
            over, under = number(1), number(round(turned))
    for base, exponent in _grouped(term):
        if exponent > 0:
            over = product(over, raised(base, exponent))
        else:
            under = product(under, raised(base, -exponent))
    return quotient(over, under)


def _grouped(term: tuple) -> list[tuple[Program, float]]:
    """Factors under the same root share one root."""
    grouped = [(base, exponent) for base, exponent in term if exponent == round(exponent)]
    for root in sorted({abs(exponent) for _, exponent in term if exponent != round(exponent)}):
        over: Program = number(1)
        under: Program = number(1)
        for base, exponent in term:
            if exponent == root:
                over = product(over, base)
            elif exponent == -root:
                under = product(under, base)
        grouped.append((under, -root) if constant(over) == 1 else (quotient(over, under), root))
    return grouped


def is_formula(program: Program) -> bool:
    """Whether a program consists of variables, numbers and words of formulas only."""
    for node in program.walk():
        if isinstance(node, Call):
            if node.function not in KERNELS or node.parameters:
                return False
        elif isinstance(node, Literal):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                return False
        elif not isinstance(node, Var):
            return False
    return True
