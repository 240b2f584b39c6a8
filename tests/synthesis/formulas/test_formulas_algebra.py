"""Formulas on columns: values, derivatives, fitted constants, the normal form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import NoAnswer
from perennial.lang import Lambda, Literal, Var, call, evaluate
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.formulas import algebra
from perennial.synthesis.formulas.algebra import (
    BINARY,
    UNARY,
    length,
    minus,
    number,
    plus,
    product,
    quotient,
    raised,
    values,
)
from perennial.synthesis.formulas.constants import fit_constants, mean_square, plain_numbers, simple_constants
from perennial.synthesis.formulas.simplification import is_formula, simplified

X, Y = Var("x"), Var("y")
COLUMNS = {"x": np.linspace(0.3, 2.7, 40), "y": np.linspace(1.0, 3.0, 40)[::-1] ** 2}

LEAVES = st.one_of(
    st.sampled_from([X, Y]),
    st.sampled_from([-3.0, -1.0, 0.5, 1.0, 2.0, math.pi]).map(number),
)
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(list(UNARY)), inner),
        st.builds(call, st.sampled_from([reals.plus, reals.minus, reals.times, ratio]), inner, inner),
        st.builds(raised, inner, st.sampled_from([-2.0, -1.0, -0.5, 0.5, 2.0, 3.0])),
    ),
    max_leaves=8,
)


def same_where_both(left, right):
    both = np.isfinite(left) & np.isfinite(right) & (np.abs(left) < 1e6)
    return np.allclose(left[both], right[both], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("op", [*UNARY, *BINARY], ids=lambda op: op.name)
def test_kernels_agree_with_the_words(op):
    arguments = [(0.3, 0.7), (1.0, 2.0), (-0.5, 0.25), (2.0, -1.0)]
    for row in arguments:
        inputs = row[: len(op.signature.inputs)]
        with np.errstate(all="ignore"):
            column = algebra.KERNELS[op](*(np.array([value]) for value in inputs))[0]
        try:
            assert op(*inputs) == pytest.approx(column, rel=1e-14)
        except NoAnswer:
            assert not np.isfinite(column)


@given(FORMULAS)
@settings(max_examples=150)
def test_values_agree_with_the_interpreter(formula):
    column = values(formula, COLUMNS)
    for place in (0, 17, 39):
        try:
            value = evaluate(Lambda(("x", "y"), formula), COLUMNS["x"][place], COLUMNS["y"][place])
        except NoAnswer:
            continue
        if np.isfinite(column[place]):
            assert value == pytest.approx(column[place], rel=1e-9, abs=1e-12)


@given(FORMULAS)
@settings(max_examples=300)
def test_the_normal_form_keeps_the_value(formula):
    simple = simplified(formula, frozenset(("x", "y")))
    assert is_formula(simple)
    found = values(simple, COLUMNS)
    before = values(formula, COLUMNS)
    nudged = values(formula, {name: column * (1 + 1e-12) for name, column in COLUMNS.items()})
    kept = np.isfinite(before) & np.isfinite(nudged) & (np.abs(before) > 1e-3) & (np.abs(before) < 1e3)
    kept[kept] = np.abs(nudged[kept] - before[kept]) < 1e-8  # where rounding does not decide
    assert same_where_both(before[kept], found[kept])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (product(X, X), raised(X, 2)),
        (plus(product(2, X), product(X, 3)), product(5, X)),
        (quotient(product(X, Y), product(Y, X)), number(1)),
        (minus(X, X), number(0)),
        (call(reals.exp, call(reals.log, X)), X),
        (call(reals.log, call(reals.exp, X)), X),
        (raised(raised(X, 0.5), 2), X),
        (product(2, product(3, call(reals.sin, number(0)))), number(0)),
        (call(reals.exp, product(Y, call(reals.log, X))), call(reals.power, X, Y)),
        (call(reals.cos, product(-1, X)), call(reals.cos, X)),
    ],
)
def test_normal_forms(formula, expected):
    assert simplified(formula) is expected


def test_the_root_of_a_square_is_only_x_where_x_is_positive():
    root = raised(raised(X, 2), 0.5)
    assert simplified(root, frozenset("x")) is X
    column = {"x": np.array([-2.0, 3.0])}
    assert values(simplified(root), column).tolist() == [2.0, 3.0]


def test_derivatives_agree_with_finite_differences():
    formula = plus(
        product(2.3, call(reals.sin, product(1.7, X))), quotient(number(0.9), plus(X, raised(Y, 1.3)))
    )
    pattern, constants = algebra.template(formula)
    value, slopes = algebra.slopes(pattern, COLUMNS, constants)
    assert np.allclose(value, values(formula, COLUMNS))
    for place, name in enumerate(constants):
        step = 1e-6
        up = values(algebra.filled(pattern, constants | {name: constants[name] + step}), COLUMNS)
        down = values(algebra.filled(pattern, constants | {name: constants[name] - step}), COLUMNS)
        assert np.allclose(slopes[place], (up - down) / (2 * step), atol=1e-7)


def test_constants_are_fitted_to_the_last_digits():
    truth = plus(product(2.3, call(reals.exp, product(-0.5, X))), quotient(Y, plus(X, 0.7)))
    start = plus(product(1.5, call(reals.exp, product(-0.1, X))), quotient(Y, plus(X, 0.1)))
    target = values(truth, COLUMNS)
    fitted = fit_constants(start, COLUMNS, target)
    assert mean_square(fitted, COLUMNS, target) < 1e-25
    assert simple_constants(fitted, COLUMNS, target, slack=1.01, enough=1e-20) is truth


def test_a_fit_never_makes_a_formula_worse():
    hard = call(reals.sin, product(40.0, raised(X, 2)))
    target = np.cos(COLUMNS["x"])
    assert mean_square(fit_constants(hard, COLUMNS, target), COLUMNS, target) <= mean_square(
        hard, COLUMNS, target
    )


def test_constants_in_a_linear_formula_agree_with_least_squares():
    generator = np.random.default_rng(5)
    target = 3 * COLUMNS["x"] - 2 * COLUMNS["y"] + 0.1 * generator.standard_normal(40)
    fitted = fit_constants(plus(product(1.5, X), product(1.25, Y)), COLUMNS, target)
    expected, *_ = np.linalg.lstsq(np.column_stack([COLUMNS["x"], COLUMNS["y"]]), target, rcond=None)
    found = [node.value for node in fitted.walk() if isinstance(node, Literal)]
    assert sorted(found) == pytest.approx(sorted(expected), rel=1e-8)


@pytest.mark.parametrize(
    "value", [2.0, -0.75, 1 / 7, math.pi, 4 * math.pi / 3, 1 / math.sqrt(2 * math.pi), 1e-3, 11.57]
)
def test_numbers_that_people_write_are_recognised(value):
    assert any(math.isclose(near, value, rel_tol=1e-15) for near in plain_numbers(value * (1 + 3e-9), 1e-8))


def test_signs_and_exponents_cost_what_they_should():
    assert length(product(2, X)) == length(product(-2, X)) == 3
    assert length(product(2.37, X)) == 4
