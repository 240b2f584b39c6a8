"""Constants that are fitted and made simple, the front of error and length, and formulas written down."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from perennial.errors import ProgramError
from perennial.lang import Lambda, Literal, Var, call
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import (
    BINARY,
    SLOPES,
    UNARY,
    constant,
    filled,
    length,
    minus,
    number,
    plus,
    product,
    quotient,
    raised,
    slopes,
    template,
    values,
    weighted_sum,
)
from perennial.synthesis.formulas.constants import (
    MOST_CONSTANTS,
    _candidates,
    _step,
    _uncertainty,
    digits,
    fit_constants,
    fitted_numbers,
    mean_square,
    plain_numbers,
    simple_constants,
)
from perennial.synthesis.formulas.front import BITS_PER_SYMBOL, EXACT, LONGEST, Formula, Front
from perennial.synthesis.formulas.notation import known_number, to_infix, to_latex
from perennial.synthesis.formulas.simplification import is_formula, simplified

X, Y = Var("x"), Var("y")
COLUMNS = {"x": np.linspace(0.3, 2.7, 30), "y": np.linspace(1.0, 3.0, 30)[::-1] ** 2}


# -- writing and computing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (plus(0.0, X), X), (plus(X, 0), X), (minus(X, 0.0), X), (product(1, X), X), (product(X, 1.0), X),
        (quotient(X, 1), X), (raised(X, 1), X), (raised(X, 0), number(1)), (raised(X, -1), quotient(1, X)),
        (raised(X, -2), quotient(1, raised(X, 2))), (raised(X, 0.5), call(reals.sqrt, X)),
    ],
)  # fmt: skip
def test_nothing_that_changes_nothing_is_written(given, expected):
    assert given is expected


@given(st.lists(st.sampled_from([-2.0, 0.0, 1.0, 0.5]), min_size=3, max_size=3), st.sampled_from([0.0, -1.5]))
def test_a_weighted_sum_is_that_of_numpy_without_idle_terms(weights, offset):
    terms = [X, Y, call(reals.sin, X)]
    formula = weighted_sum(np.array(weights), terms, offset)
    columns = np.array([values(term, COLUMNS) for term in terms])
    assert np.allclose(values(formula, COLUMNS), np.array(weights) @ columns + offset)
    used = {term for term in terms if any(node is term for node in formula.walk())}
    assert used - {X} == {term for term, weight in zip(terms, weights, strict=True) if weight} - {X}


def test_a_constant_has_a_value_on_every_row_and_an_unknown_variable_none():
    assert values(number(2.5), COLUMNS).tolist() == [2.5] * 30
    with pytest.raises(KeyError):
        values(Var("z"), COLUMNS)
    assert constant(X) is None and constant(Literal(3)) == 3.0


@pytest.mark.parametrize("op", SLOPES, ids=lambda op: op.name)
def test_every_slope_is_that_of_finite_differences(op):
    formula = call(op, product(0.31, X))
    pattern, constants = template(formula)
    _, (slope,) = slopes(pattern, COLUMNS, constants)
    up, down = (values(filled(pattern, {"constant0": 0.31 + step}), COLUMNS) for step in (1e-6, -1e-6))
    assert np.allclose(slope, (up - down) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_slopes_of_both_arguments_are_those_of_finite_differences(op):
    formula = call(op, plus(X, 0.7), product(Y, 0.3))
    pattern, constants = template(formula)
    value, rows = slopes(pattern, COLUMNS, constants)
    assert np.allclose(value, values(formula, COLUMNS)) and len(rows) == 2
    for name, slope in zip(constants, rows, strict=True):
        up, down = (
            values(filled(pattern, constants | {name: constants[name] + step}), COLUMNS)
            for step in (1e-6, -1e-6)
        )
        assert np.allclose(slope, (up - down) / 2e-6, rtol=1e-5, atol=1e-7)


def test_a_formula_without_constants_has_no_slopes():
    value, rows = slopes(X, COLUMNS, {})
    assert rows.shape == (0, 30) and np.array_equal(value, COLUMNS["x"])
    _, rows = slopes(X, COLUMNS, {"c": 1.0})
    assert not rows.any() and rows.shape == (1, 30)


def test_small_whole_exponents_are_structure_and_other_numbers_are_not():
    formula = plus(raised(X, 3), plus(raised(X, 2.5), product(4.0, call(reals.power, Y, number(9.0)))))
    pattern, constants = template(formula)
    assert sorted(constants.values()) == [2.5, 4.0, 9.0]
    assert filled(pattern, constants) is formula


# -- constants ---------------------------------------------------------------------------------------------------------


def noisy(seed=0):
    return np.random.default_rng(seed).standard_normal(30) * 0.05


@pytest.mark.parametrize(
    ("formula", "truth"),
    [
        (product(1.2, call(reals.exp, product(-0.4, X))), lambda x, y: 2.0 * np.exp(-0.9 * x)),
        (plus(product(0.8, call(reals.sin, product(1.4, X))), 0.1), lambda x, y: np.sin(1.7 * x) - 0.3),
        (quotient(1.5, plus(X, 0.5)), lambda x, y: 3.0 / (x + 1.3)),
        (raised(plus(X, product(0.3, Y)), 1.4), lambda x, y: (x + 0.5 * y) ** 1.2),
    ],
    ids=["decay", "wave", "pole", "power"],
)
def test_fitted_constants_are_those_of_scipy(formula, truth):
    target = truth(*COLUMNS.values()) + noisy()
    pattern, start = template(formula)

    def residual(place):
        return values(filled(pattern, dict(zip(start, place, strict=True))), COLUMNS) - target

    expected = least_squares(residual, list(start.values()), xtol=1e-12, ftol=1e-12, gtol=1e-12)
    found = template(fit_constants(formula, COLUMNS, target))[1]
    assert list(found.values()) == pytest.approx(expected.x, rel=1e-4)


def test_one_damped_step_solves_the_normal_equations_with_a_scaled_ridge():
    generator = np.random.default_rng(0)
    jacobian, residual = (
        generator.standard_normal((3, 20)) * [[1.0], [100.0], [0.01]],
        generator.standard_normal(20),
    )
    sizes = np.diag(np.sum(jacobian**2, axis=1))
    expected = np.linalg.solve(jacobian @ jacobian.T + 0.3 * sizes, jacobian @ residual)
    assert np.allclose(_step(jacobian, residual, 0.3), expected)
    jacobian[1] = 0.0
    assert _step(jacobian, residual, 0.3)[1] == 0.0


def test_a_formula_without_constants_with_too_many_or_without_a_value_is_left():
    target = COLUMNS["y"]
    many = X
    for at in range(MOST_CONSTANTS + 1):
        many = plus(many, product(1.5 + at, call(reals.sin, Y)))
    nothing = call(reals.log, minus(product(1.1, X), 99.0))
    for formula in (product(X, Y), many, nothing):
        assert fit_constants(formula, COLUMNS, target) is formula
    for formula in (product(X, Y), many):
        assert simple_constants(formula, COLUMNS, target, slack=2.0) is formula
    assert mean_square(nothing, COLUMNS, target) == math.inf


def test_the_uncertainty_of_a_line_is_that_of_the_textbook():
    x, target = COLUMNS["x"], 3.0 * COLUMNS["x"] - 1.0 + noisy()
    formula = fit_constants(plus(product(2.5, X), -0.5), COLUMNS, target)
    pattern, constants = template(formula)
    found = _uncertainty(pattern, constants, COLUMNS, target)
    slope, offset = constants.values()
    variance = np.sum((slope * x + offset - target) ** 2) / 28
    spread = np.sum((x - x.mean()) ** 2)
    errors = math.sqrt(variance / spread), math.sqrt(variance * (1 / 30 + x.mean() ** 2 / spread))
    assert list(found.values()) == pytest.approx([errors[0] / abs(slope), errors[1] / abs(offset)], rel=1e-6)


@given(st.floats(-1e5, 1e5).filter(lambda value: abs(value) > 1e-5), st.sampled_from([1e-12, 1e-8, 1e-4]))
def test_simple_numbers_are_within_their_tolerance(value, tolerance):
    assert all(
        abs(near - value) <= tolerance * abs(value) * (1 + 1e-12) for near in plain_numbers(value, tolerance)
    )


@pytest.mark.parametrize(
    ("simple", "dearer"), [(2.0, 12.0), (0.5, 7 / 12), (3.0, 1.5), (1.5, math.pi), (2.0, 2.37)]
)
def test_simple_numbers_have_fewer_digits(simple, dearer):
    assert digits(simple) < digits(dearer) and digits(simple) == digits(-simple)


def test_zero_is_near_a_number_that_is_not_known_to_differ_from_it():
    assert next(_candidates(1e-9, 0.0)) == 0.0 and next(_candidates(5.0, 0.5)) == 0.0
    assert 0.0 not in _candidates(5.0001, 0.01) and 5.0 in _candidates(5.0001, 0.01)


def test_numbers_are_made_simple_as_far_as_the_data_allow():
    target = 0.5 * COLUMNS["x"] + 0.25 * COLUMNS["y"] + noisy(4) * 0.1
    fitted = fit_constants(plus(product(0.7, X), product(0.4, Y)), COLUMNS, target)
    assert fitted_numbers(fitted) == 2
    plain = simple_constants(fitted, COLUMNS, target, slack=1.5, refit=True)
    assert sorted(template(plain)[1].values()) == [0.25, 0.5] and fitted_numbers(plain) == 0
    assert mean_square(plain, COLUMNS, target) <= 1.5**2 * mean_square(fitted, COLUMNS, target)


# -- the front ---------------------------------------------------------------------------------------------------------


def front_of(target, **more):
    return Front(COLUMNS, np.asarray(target, float), **more)


OFFERED = [number(3.0), X, Y, product(2.0, X), product(2.37, X), plus(X, Y), product(X, Y), raised(X, 2), minus(Y, X),
           call(reals.sin, X), plus(product(2.0, X), Y), plus(product(2.03, X), product(0.98, Y))]  # fmt: skip


@given(st.permutations(OFFERED))
@settings(max_examples=40)
def test_the_front_is_what_no_formula_beats_in_whatever_order_they_come(order):
    target = 2 * COLUMNS["x"] + COLUMNS["y"] + noisy()
    front = front_of(target)
    errors = {}
    for formula in order:
        errors[formula] = front.offer(formula)
        expected = np.mean((values(formula, COLUMNS) - target) ** 2) / np.var(target)
        assert errors[formula] == pytest.approx(expected)
    best = [
        (length(one), error)
        for one, error in errors.items()
        if not any(
            length(other) <= length(one) and wrong <= error and (length(other), wrong) != (length(one), error)
            for other, wrong in errors.items()
        )
    ]
    assert [(one.length, one.error) for one in front] == sorted(best)


def test_a_formula_is_judged_once():
    front = front_of(COLUMNS["x"])
    assert front.offer(product(2.0, X)) < math.inf and front.offer(product(2.0, X)) == math.inf
    assert front.offered == 2


def test_who_listens_hears_of_each_formula_that_enters():
    front, heard = front_of(COLUMNS["x"] * 2), []
    front.listener = heard.append
    for formula in (plus(X, Y), X, plus(plus(X, Y), Y), product(2.0, X)):
        front.offer(formula)
    assert [one.program for one in heard] == [plus(X, Y), X, product(2.0, X)]


def test_a_formula_that_is_too_long_does_not_enter():
    front = front_of(COLUMNS["x"])
    long = X
    for _ in range(LONGEST):
        long = call(reals.tanh, long)
    assert front.offer(long) < math.inf and list(front) == []


def test_of_two_formulas_that_are_right_the_shorter_is_kept_though_the_other_is_closer():
    front = front_of(COLUMNS["x"] * 2, tolerance=0.5)
    front.offer(product(2.0, X))
    assert front.solved
    front.offer(product(2.01, X))
    front.offer(plus(product(2.0, X), 0.01))
    assert [one.program for one in front] == [product(2.0, X)]


def test_exact_means_within_rounding_or_the_tolerance():
    target = COLUMNS["x"]
    assert front_of(target).enough == EXACT
    assert front_of(target, tolerance=0.3).enough == pytest.approx(0.09 / np.var(target))


def test_a_fit_with_as_many_numbers_as_rows_solves_nothing():
    rows = {"x": np.array([1.0, 2.0])}
    front = Front(rows, np.array([0.1234567, 0.7654321]))
    slope = 0.7654321 - 0.1234567
    front.offer(plus(product(slope, X), 0.1234567 - slope))
    assert front.closest < EXACT and not front.solved


def test_the_description_counts_symbols_and_the_bits_of_errors():
    front = front_of(COLUMNS["y"])
    one, other = Formula(X, 1e-4, 3), Formula(X, 1e-4, 5)
    assert front.description(other) - front.description(one) == 2 * BITS_PER_SYMBOL
    better = Formula(X, 1e-4 / 4, 3)
    assert front.description(one) - front.description(better) == pytest.approx(
        30.0
    )  # half a bit of error a row
    assert front.description(Formula(X, 1e-4, 3, fitted=1)) > front.description(one)
    assert front.description(Formula(X, 0.0, 3)) == front.description(Formula(X, EXACT, 3))


def test_a_refined_formula_is_fitted_and_made_simple():
    front = front_of(2.5 * COLUMNS["x"] ** 2 + 0.75)
    front.offer(number(3.0))
    assert front.refine(plus(product(product(1.3, X), product(1.1, X)), 0.2)) <= EXACT
    assert front.best.program is plus(product(2.5, raised(X, 2)), 0.75) and front.best.fitted == 0
    assert front.refine(plus(product(product(1.3, X), product(1.1, X)), 0.2)) == math.inf


def test_the_last_polish_fits_what_came_in_as_it_was():
    front = front_of(2.5 * COLUMNS["x"])
    front.offer(product(2.4, X))
    assert not front.solved
    front.polish(Budget(0.0))  # the best one is polished in any case
    assert front.solved and front.best.program is product(2.5, X)


# -- normal forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (call(reals.sin, product(-2, X)), product(-1, call(reals.sin, product(2, X)))),
        (call(reals.magnitude, product(-2, X)), call(reals.magnitude, product(2, X))),
        (call(reals.log, product(3, call(reals.exp, X))), plus(X, math.log(3))),
        (call(reals.exp, plus(X, 0.5)), product(math.exp(0.5), call(reals.exp, X))),
        (call(reals.exp, product(2, call(reals.log, X))), raised(X, 2)),
        (raised(call(reals.exp, X), 2), call(reals.exp, product(2, X))),
        (call(reals.sin, call(reals.arcsin, X)), X),
        (raised(raised(X, 3), 2), raised(X, 6)),
        (quotient(product(6, X), product(2, raised(X, 2))), quotient(3, X)),
        (call(reals.power, X, number(0.0)), number(1)),
        (call(reals.cos, number(0.0)), number(1)),
        (product(number(0.0), call(reals.exp, X)), number(0)),
        (minus(plus(X, Y), plus(Y, X)), number(0)),
    ],
)
def test_more_normal_forms(formula, expected):
    assert simplified(formula) is expected


def test_a_normal_form_stays_as_it_is():
    for formula in (
        plus(product(2.5, raised(X, 2)), 0.75),
        quotient(X, plus(Y, 1)),
        call(reals.sin, product(2, X)),
    ):
        assert simplified(simplified(formula)) is simplified(formula)


@pytest.mark.parametrize(
    ("program", "is_one"),
    [
        (plus(X, 1.0), True),
        (Literal(3), True),
        (Literal(True), False),
        (Literal("a"), False),
        (Lambda(("x",), X), False),
        (call(reals.plus, X, Literal(True)), False),
    ],
)
def test_what_is_a_formula(program, is_one):
    assert is_formula(program) is is_one


# -- notation ----------------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.sampled_from([X, Y]),
    st.sampled_from(
        [-2.0, 3.0, 0.25, -0.75, 1 / 3, -2 / 7, 1.2345678, -1e-9, 4e20, math.pi, -math.pi / 2, 2 * math.pi / 3,
         1 / math.pi, math.sqrt(2), -math.sqrt(math.pi), 1 / math.sqrt(2 * math.pi)]
    ).map(number),
)  # fmt: skip
WRITTEN = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(list(UNARY)), inner),
        st.builds(call, st.sampled_from([reals.plus, reals.minus, reals.times, ratio]), inner, inner),
        st.builds(call, st.just(reals.power), inner, st.sampled_from([2.0, -2.0, 3.0, 0.5]).map(number)),
    ),
    max_leaves=8,
)


AT = {"x": np.array([0.7, 0.7 * (1 + 1e-12)]), "y": np.array([-1.3, -1.3 * (1 + 1e-12)])}


@given(WRITTEN)
@settings(max_examples=150)
def test_python_reads_what_was_written_as_the_same_number(formula):
    """Where every part has a value, and rounding does not decide about it."""
    parts = [values(node, AT) for node in formula.walk()]
    assume(all(np.isfinite(part).all() and abs(part[1] - part[0]) <= 1e-9 * abs(part[0]) for part in parts))
    given = eval(to_infix(formula), {"math": math, "x": 0.7, "y": -1.3})
    assert given == pytest.approx(values(formula, AT)[0], rel=1e-6)


@given(WRITTEN)
@settings(max_examples=60)
def test_brackets_of_latex_are_balanced(formula):
    depth = 0
    for sign in to_latex(formula):
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0 and to_latex(formula).count(r"\left") == to_latex(formula).count(r"\right")


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        (number(-0.5), r"-\frac{1}{2}"),
        (product(X, -3), r"x \left(-3\right)"),
        (number(1.23456789e-9), r"1.23456789 \cdot 10^{-9}"),
        (product(2, number(3.0)), r"2 \cdot 3"),
        (number(1 / math.sqrt(2 * math.pi)), r"\frac{1}{\sqrt{\pi} \sqrt{2}}"),
        (number(-math.pi), r"-\pi"),
        (raised(raised(X, 2), 3), r"{\left(x^{2}\right)}^{3}"),
        (minus(X, plus(X, Y)), r"x - \left(x + y\right)"),
        (raised(minus(X, Y), 0.5), r"\sqrt{x - y}"),
        (Var("v_max_2"), r"v_{max,2}"),
        (Var("alpha"), r"\alpha"),
        (Var("x12"), r"x_{12}"),
    ],
)
def test_latex(formula, latex):
    assert to_latex(formula) == latex


@given(st.floats(-1e6, 1e6))
def test_a_known_number_is_what_it_says(value):
    known = known_number(value)
    if known is not None:
        fraction, half, root = known
        assert float(fraction) * math.pi ** (half / 2) * 2 ** (root / 2) == pytest.approx(value, rel=1e-14)
        assert fraction.denominator <= 12


@pytest.mark.parametrize(
    "program", [Literal("a"), Lambda(("f",), call(Var("f"), X))], ids=["text", "call of a variable"]
)
def test_what_is_no_formula_is_not_written(program):
    with pytest.raises(ProgramError, match="Only formulas"):
        to_infix(program)
