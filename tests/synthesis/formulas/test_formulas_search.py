"""Known formulas are found again; noise, tolerance, time and bad data are met as promised."""

import math
import time

import numpy as np
import pytest

from perennial.errors import DataError
from perennial.lang import Lambda, Var, call, evaluate
from perennial.primitives import reals
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas import Discovery, find_formula
from perennial.synthesis.formulas.algebra import number, plus, product, values
from perennial.synthesis.formulas.arena import Arena, best_partners
from perennial.synthesis.formulas.bank import ARITHMETIC, STANDARD, Bank
from perennial.synthesis.formulas.evolution import at, paths, put, undo
from perennial.synthesis.formulas.front import Front
from perennial.synthesis.formulas.polynomials import monomials

X, Y = Var("x"), Var("y")


def drawn(function, variables, rows=60, low=0.5, high=3.0, seed=0):
    x = np.random.default_rng(seed).uniform(low, high, (rows, variables))
    return x, function(*x.T)


def agrees(answer, function, variables, low=0.4, high=4.0):
    """Whether a formula equals a function on fresh points of a wider range."""
    points = np.random.default_rng(99).uniform(low, high, (20, variables))
    return all(
        math.isclose(evaluate(answer.program, *map(float, point)), function(*point), rel_tol=1e-7)
        for point in points
    )


KNOWN = {
    "polynomial": (lambda x: x**4 - 3 * x**2 + 0.5, 1),
    "quotient of polynomials": (lambda x, y: (x * y + 1) / (x**2 + y + 2), 2),
    "power law": (lambda x, y, z: 2.5 * x**1.5 * y**-2 * z, 3),
    "root of a sum": (lambda x, y: np.sqrt(x**2 + 3 * y), 2),
    "sum of two functions": (lambda x, y: 2 * np.sin(x) + 3 * np.exp(-y) + 1, 2),
    "product of two functions": (lambda x, y: np.cos(x * y) ** 2 / (x + y), 2),
    "function of a function": (lambda x: np.log(1 + x + x**2), 1),
    "sum under a fraction": (lambda x, y, z: 1 / (1 / x + z / y), 3),
}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_known_formula_is_found_exactly(name):
    function, variables = KNOWN[name]
    x, y = drawn(function, variables)
    answer = find_formula(x, y, tuple("xyz"[:variables]), seconds=30)
    assert answer.exact and agrees(answer, function, variables)


def test_a_number_inside_a_wave_is_found():
    x = np.linspace(-3.0, 3.0, 61)[:, None]
    answer = find_formula(x, 0.7 * np.sin(4.3 * x[:, 0] + 0.4), ("x",), seconds=30)
    assert answer.exact
    assert evaluate(answer.program, 5.0) == pytest.approx(0.7 * math.sin(4.3 * 5 + 0.4), rel=1e-7)


def test_the_same_seed_gives_the_same_formula():
    x, y = drawn(lambda x, y: np.exp(x) / (1 + y), 2)
    assert (
        find_formula(x, y, ("x", "y"), seconds=20).program
        is find_formula(x, y, ("x", "y"), seconds=20).program
    )


def test_noise_is_not_fitted():
    x, y = drawn(lambda x, y: 3 * x * y + 2, 2, rows=200)
    noisy = y + 0.05 * y.std() * np.random.default_rng(1).standard_normal(len(y))
    answer = find_formula(x, noisy, ("x", "y"), seconds=6)
    fresh, truth = drawn(lambda x, y: 3 * x * y + 2, 2, rows=100, seed=7)
    found = np.array([evaluate(answer.program, *map(float, row)) for row in fresh])
    assert answer.length <= 12
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.03 * y.std()


def test_within_the_tolerance_the_shortest_formula_is_enough():
    x, y = drawn(lambda x: 5 * x + 0.001 * np.sin(9 * x), 1)
    answer = find_formula(x, y, ("x",), seconds=10, tolerance=0.01)
    assert answer.exact and answer.length <= 6


def test_the_time_is_kept_on_data_without_a_formula():
    generator = np.random.default_rng(3)
    start = time.monotonic()
    answer = find_formula(
        generator.uniform(size=(80, 3)), generator.standard_normal(80), tuple("xyz"), seconds=4
    )
    assert time.monotonic() - start < 8
    assert not answer.exact and answer.length <= 3


def test_the_front_has_no_formula_that_another_beats():
    x, y = drawn(lambda x: np.exp(np.sin(3 * x)) + x, 1)
    front = [(one.length, one.error) for one in Discovery(x, y).run(Budget(5.0))]
    assert front == sorted(front) and [error for _, error in front] == sorted(
        (error for _, error in front), reverse=True
    )


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_still_get_an_answer(rows):
    x, y = drawn(lambda x: 2 * x, 1, rows=rows)
    assert find_formula(x, y, ("x",), seconds=2).program.names == ("x",)


def test_a_constant_target_is_a_constant():
    answer = find_formula(np.arange(10.0)[:, None], np.full(10, 2.5), ("x",), seconds=2)
    assert answer.exact and evaluate(answer.program, 77.0) == 2.5


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_cells_that_are_no_numbers_are_refused(broken):
    with pytest.raises(DataError, match="finite"):
        find_formula(np.array([[1.0], [broken]]), np.array([1.0, 2.0]), ("x",), seconds=1)


def test_columns_and_target_must_have_the_same_rows():
    with pytest.raises(DataError, match="columns"):
        find_formula(np.ones((3, 1)), np.ones(2), ("x",), seconds=1)


# -- parts -------------------------------------------------------------------------------------------------------------


def test_a_bank_holds_every_value_once_and_its_programs_have_these_values():
    columns = np.random.default_rng(0).uniform(0.5, 2.0, (2, 30))
    bank = Bank([X, Y], columns, alphabet=STANDARD, limit=3_000)
    named = {"x": columns[0], "y": columns[1]}
    for place in range(0, bank.size, 97):
        assert np.allclose(values(bank.program(place), named), bank.table[place], rtol=1e-9)
    rounded = {tuple(np.round(row, 6)) for row in bank.table[:800]}
    assert len(rounded) == 800
    assert (np.diff(bank.costs) >= 0).all()


def test_arithmetic_of_one_variable_counts_as_on_paper():
    bank = Bank([X], np.random.default_rng(0).uniform(2, 3, (1, 20)), alphabet=ARITHMETIC, highest_cost=2)
    assert {str(bank.program(place)) for place in range(bank.size)} == {
        'variable("x")', "1.0", "2.0", 'power(variable("x"), 2.0)', 'ratio(1.0, variable("x"))',
    }  # fmt: skip


def test_an_arena_finds_the_pair_that_least_squares_finds():
    generator = np.random.default_rng(8)
    columns = generator.standard_normal((40, 25))
    target = 2 * columns[3] - columns[17] + 5 + 0.01 * generator.standard_normal(25)
    arena = Arena(columns, np.ones((1, 25)), 40)
    unit, _ = arena.rest(target)
    (left, places), *_ = arena.pairs(unit, 1)
    matrix = np.column_stack([columns[list(places)].T, np.ones(25)])
    _, rest, *_ = np.linalg.lstsq(matrix, target, rcond=None)
    assert set(places) == {3, 17}
    assert left == pytest.approx(float(rest[0]) / float(np.sum((target - target.mean()) ** 2)), rel=1e-6)


def test_the_compiled_kernel_agrees_with_numpy():
    from perennial.synthesis.formulas.arena import _best_partners_loop

    generator = np.random.default_rng(2)
    unit = generator.standard_normal((30, 12))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    gram = (unit @ unit[:9].T).astype(np.float32)
    target = generator.standard_normal(12)
    target /= np.linalg.norm(target)
    plain, compiled = (
        best_partners(gram, unit @ target, unit[:9] @ target),
        _best_partners_loop(gram, unit @ target, unit[:9] @ target),
    )
    assert np.allclose(plain[0], compiled[0]) and (plain[1] == compiled[1]).all()


def test_what_is_wished_for_a_part_makes_the_whole_right():
    columns = {"x": np.linspace(0.5, 1.2, 15)}
    x = columns["x"]
    for op, other in ((reals.plus, 0.3), (reals.minus, 0.3), (reals.times, 1.7), (reals.power, 2.0)):
        node = call(op, X, number(other))
        wish = undo(node, 0, [x, np.full(15, other)], x + 1)
        assert np.allclose(values(call(op, Var("w"), number(other)), {"w": wish}), x + 1)
    for op in (reals.exp, reals.log, reals.sqrt, reals.tan):
        assert np.allclose(values(call(op, Var("w")), {"w": undo(call(op, X), 0, [x], x)}), x)


def test_a_part_is_put_where_its_path_says():
    formula = plus(product(2, X), Y)
    for path, node in paths(formula):
        assert at(formula, path) is node
        assert at(put(formula, path, number(7)), path) is number(7)


def test_a_front_keeps_the_shorter_of_two_equal_formulas():
    columns = {"x": np.linspace(1, 2, 10)}
    front = Front(columns, 2 * columns["x"])
    front.offer(plus(X, X))
    front.offer(product(2, X))
    front.offer(plus(plus(X, X), 0.0001))
    assert [one.program for one in front] == [plus(X, X)]
    assert front.best.error < 1e-12 and isinstance(Lambda(("x",), front.best.program), Lambda)


@pytest.mark.parametrize(("variables", "degree"), [(1, 5), (2, 3), (4, 2)])
def test_monomials_are_as_many_as_combinatorics_says(variables, degree):
    assert len(set(monomials(variables, degree))) == math.comb(variables + degree, degree)
