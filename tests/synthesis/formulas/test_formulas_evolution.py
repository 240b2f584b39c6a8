"""Evolution of formulas: words undone on the data, wishes for parts, and the population."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.lang import Var, call
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import (
    BINARY,
    KERNELS,
    UNARY,
    length,
    minus,
    number,
    plus,
    product,
    values,
)
from perennial.synthesis.formulas.bank import ARITHMETIC, STANDARD, Bank
from perennial.synthesis.formulas.combinations import Problem
from perennial.synthesis.formulas.evolution import POPULATION, Evolution, Individual, at, paths, put, undo
from perennial.synthesis.formulas.front import Front

X, Y = Var("x0"), Var("x1")


def drawn(rows=30, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2.0, (2, rows))


def evolution(target, seed=0, limit=200, alphabet=ARITHMETIC):
    columns = drawn()
    y = target(*columns)
    rows = np.arange(0, columns.shape[1], 2)
    problem = Problem([X, Y], columns, y, lambda program: program, rows)
    front = Front({"x0": columns[0], "x1": columns[1]}, y)
    front.offer(number(float(y.mean())))
    bank = Bank([X, Y], problem.part, alphabet=alphabet, limit=limit)
    return Evolution(problem, bank, front, seed)


# -- words undone ------------------------------------------------------------------------------------------------------

SPAN = np.linspace(0.15, 0.9, 25)  # every inverse has a value here


@pytest.mark.parametrize("op", [op for op in UNARY if op is not reals.arccos], ids=lambda op: op.name)
def test_a_word_of_one_argument_is_undone(op):
    node = call(op, Var("w"))
    wish = undo(node, 0, [SPAN], KERNELS[op](SPAN))
    assert np.allclose(wish, SPAN, rtol=1e-9)
    assert np.allclose(values(node, {"w": wish}), KERNELS[op](SPAN), rtol=1e-9)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_a_word_of_two_arguments_is_undone_at_either(op, step):
    other = np.full(25, 1.7) if op is reals.power else SPAN[::-1] + 1.5
    inputs = [SPAN, other] if step == 0 else [other, SPAN]
    wished = KERNELS[op](*inputs)
    wish = undo(call(op, Var("a"), Var("b")), step, inputs, wished)
    assert np.allclose(wish, SPAN, rtol=1e-9)


@pytest.mark.parametrize(
    ("exponent", "base"), [(2.0, -3.0), (2.0, 3.0), (3.0, -3.0), (3.0, 3.0), (-2.0, -0.5)]
)
def test_a_root_keeps_the_sign_that_the_base_had(exponent, base):
    node = call(reals.power, X, number(exponent))
    wish = undo(node, 0, [np.array([base]), np.array([exponent])], np.array([base]) ** exponent)
    assert wish == pytest.approx([base])


# -- wishes ------------------------------------------------------------------------------------------------------------

FORMULAS = [
    plus(product(2.0, call(reals.sin, X)), Y),
    call(ratio, minus(X, 3.0), plus(Y, 0.5)),
    call(reals.exp, product(call(reals.sqrt, X), Y)),
    call(reals.power, plus(X, Y), number(3.0)),
    minus(number(1.0), call(reals.tanh, product(0.4, X))),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=str)
def test_a_part_with_the_wished_values_makes_the_formula_right(formula):
    search = evolution(lambda x, y: values(formula, {"x0": x, "x1": y}) * 0.97)
    for path, _ in paths(formula):
        wish = search.wish(formula, path)
        assert wish is not None
        whole = values(put(formula, path, Var("w")), search.columns | {"w": wish})
        assert np.allclose(whole, search.target, rtol=1e-8), path


def test_where_most_rows_cannot_be_undone_there_is_no_wish():
    search = evolution(lambda x, y: -x)
    assert search.wish(call(reals.exp, X), (0,)) is None


def test_where_few_rows_cannot_be_undone_the_part_keeps_its_own_values():
    search = evolution(lambda x, y: x - 0.7)
    wish = search.wish(call(reals.exp, Y), (0,))
    positive = search.target > 0
    assert positive.mean() > 0.7 and not positive.all()
    assert np.allclose(wish[positive], np.log(search.target[positive]))
    assert np.array_equal(wish[~positive], search.columns["x1"][~positive])


def test_a_wish_that_the_bank_can_write_makes_the_formula_exact():
    search = evolution(lambda x, y: np.exp(3.0 * x * y - 1.0))
    formula = call(reals.exp, plus(X, Y))
    errors = []
    search.any_place = lambda program: (0,)
    for _ in range(20):
        child = search.replaced_by_wish(formula)
        errors.append(float(np.max(np.abs(values(child, search.columns) / search.target - 1))))
    assert min(errors) < 1e-9


def test_a_part_that_should_be_the_same_everywhere_becomes_a_number():
    search = evolution(lambda x, y: x + 0.25)
    search.any_place = lambda program: (1,)
    child = search.replaced_by_wish(plus(X, Y))
    assert child.arguments[0] is X and child.arguments[1].value == pytest.approx(0.25)


# -- the population ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", [X, product(X, Y), call(reals.sin, Y)], ids=str)
def test_a_formula_gets_the_factor_and_offset_of_a_straight_line(formula):
    search = evolution(lambda x, y: 3 * x * y - 2 + 0.1 * np.sin(40 * x))
    search.bound = 1e9
    scaled = search.scaled(formula)
    slope, offset = np.polyfit(values(formula, search.columns), search.target, 1)
    assert np.allclose(
        values(scaled, search.columns), slope * values(formula, search.columns) + offset, rtol=1e-9
    )


def test_a_formula_that_needs_no_factor_is_left_as_it_is():
    assert evolution(lambda x, y: x * y).scaled(product(X, Y)) == product(X, Y)


@pytest.mark.parametrize(
    "formula",
    [number(3.0), minus(X, X), call(reals.exp, product(300.0, X)), call(reals.log, minus(X, 10.0))],
    ids=["constant", "zero", "overflow", "no value"],
)
def test_a_formula_that_tells_nothing_is_not_scaled(formula):
    assert evolution(lambda x, y: x * y).scaled(formula) is None


def test_formulas_that_were_known_constant_or_too_long_do_not_enter():
    search = evolution(lambda x, y: x * y + 1)
    search.add(X, steps=0)
    assert len(search.population) == 1
    long = X
    for _ in range(70):
        long = plus(long, call(reals.sin, long))
    for formula in (X, number(2.0), long):
        search.add(formula, steps=0)
    assert len(search.population) == 1


def test_the_error_of_an_individual_is_the_share_of_variance_it_leaves():
    search = evolution(lambda x, y: x * y)
    search.bound = 1e9
    search.add(X, steps=0)
    (one,) = search.population
    matrix = np.column_stack([search.columns["x0"], np.ones(15)])
    left = np.linalg.lstsq(matrix, search.target, rcond=None)[1][0]
    assert one.error == pytest.approx(left / 15 / np.var(search.target))
    assert one.length == length(one.program)


def test_the_fitter_of_two_is_the_better_and_then_the_shorter():
    better, worse, longer = Individual(X, 0.1, 5), Individual(X, 0.2, 5), Individual(X, 0.1, 9)
    assert better.rank < worse.rank and better.rank < longer.rank
    assert math.isfinite(Individual(X, 0.0, 5).rank)


def test_a_formula_is_shown_unless_one_as_short_is_as_good():
    search = evolution(lambda x, y: x * y)
    search.population = [Individual(X, 0.1, 5), Individual(Y, 0.01, 9)]
    for error, size, worth in (
        (0.1, 5, False),
        (0.05, 5, True),
        (0.2, 4, True),
        (0.05, 9, False),
        (0.005, 99, True),
    ):
        assert search.worth_showing(Individual(X, error, size)) is worth


def test_the_population_stays_within_its_size_and_loses_the_unfit():
    search = evolution(lambda x, y: np.sin(3 * x) * y + x, limit=2_000)
    search.populate()
    search.bound = 1e9
    for place in range(search.bank.size):
        if len(search.population) == POPULATION and place > 2 * POPULATION:
            break
        search.add(search.bank.program(place), steps=0)
        search.bound = 1e9
    assert len(search.population) == POPULATION
    first = min(one.error for one in search.population)
    assert first < 0.5


@given(st.integers(0, 10_000))
def test_every_child_is_a_formula_over_the_columns(seed):
    search = CHILDREN
    search.generator = np.random.default_rng(seed)
    child = search.child()
    if child is not None:
        assert child.free_variables <= {"x0", "x1"}
        assert {node.function for node in child.walk() if hasattr(node, "function")} <= set(KERNELS)


CHILDREN = evolution(lambda x, y: np.sin(x) * y + 0.1 * x)
CHILDREN.populate()


SUMS = {
    "a square": lambda x, y: (x * y + 1) ** 2 / 3 + 2,
    "two functions": lambda x, y: np.sin(x * y) + np.exp(x),
}


@pytest.mark.parametrize("name", SUMS)
def test_evolution_ends_when_a_formula_is_right(name):
    search = evolution(SUMS[name], seed=1, limit=1_000, alphabet=STANDARD)
    search.populate()
    assert not search.front.solved
    search.run(Budget(60.0))
    assert search.front.solved
    x, y = drawn(seed=5)
    assert np.allclose(values(search.front.best.program, {"x0": x, "x1": y}), SUMS[name](x, y), rtol=1e-7)


def test_evolution_without_time_makes_no_child():
    search = evolution(lambda x, y: np.sin(9 * x * y))
    state = search.generator.bit_generator.state
    search.run(Budget(0.0))
    assert search.population and search.generator.bit_generator.state == state


def test_the_same_seed_draws_the_same_children():
    children = []
    for _ in range(2):
        search = evolution(lambda x, y: np.sin(x * y) + y, seed=7)
        search.populate()
        children.append([str(search.child()) for _ in range(12)])
    assert children[0] == children[1] and len(set(children[0])) > 6


def test_places_are_those_of_words_and_variables():
    search = evolution(lambda x, y: x * y)
    formula = plus(product(2.0, X), Y)
    drawn_places = {search.any_place(formula) for _ in range(200)}
    assert drawn_places == {(), (0,), (0, 1), (1,)}
    assert search.any_place(number(3.0)) == () and at(formula, (0, 1)) is X
