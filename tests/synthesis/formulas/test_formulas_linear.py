"""Formulas by linear algebra: polynomials, sums, products, terms with a number inside, and symmetries of the data."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import DataError
from perennial.lang import Var, call
from perennial.primitives import reals
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas import combinations, few, polynomials, scan, structure
from perennial.synthesis.formulas.algebra import (
    minus,
    number,
    plus,
    product,
    quotient,
    raised,
    squared,
    values,
)
from perennial.synthesis.formulas.answer import named
from perennial.synthesis.formulas.arena import Arena, _smallest, best_partners
from perennial.synthesis.formulas.bank import ARITHMETIC, INVERSE, NEGATIVE, SQUARE, STANDARD, Bank
from perennial.synthesis.formulas.combinations import UNDONE, Problem
from perennial.synthesis.formulas.front import Front
from perennial.synthesis.formulas.search import MOST_ROWS, Discovery

X, Y, Z = Var("x0"), Var("x1"), Var("x2")


def problem_of(target, variables=2, rows=40, low=0.5, high=2.0, seed=0):
    """A problem over drawn columns, with its empty front."""
    columns = np.random.default_rng(seed).uniform(low, high, (variables, rows))
    y = np.asarray(target(*columns), float) * np.ones(rows)
    leaves = [X, Y, Z][:variables]
    front = Front({leaf.name: column for leaf, column in zip(leaves, columns, strict=True)}, y)
    front.offer(number(float(y.mean())))
    return Problem(leaves, columns, y, lambda program: program, np.arange(0, rows, 2)), front


def holds(front, target, variables=2, low=0.4, high=2.5):
    """Whether the best formula is the target on other rows too."""
    columns = np.random.default_rng(77).uniform(low, high, (variables, 25))
    given = values(front.best.program, {f"x{at}": column for at, column in enumerate(columns)})
    return front.solved and np.allclose(given, target(*columns), rtol=1e-6)


# -- polynomials -------------------------------------------------------------------------------------------------------


def test_a_table_of_monomials_is_that_of_powers():
    columns = np.random.default_rng(1).uniform(-2, 2, (3, 9))
    exponents = polynomials.monomials(3, 4)
    expected = [
        np.prod([c**power for c, power in zip(columns, powers, strict=True)], axis=0) for powers in exponents
    ]
    assert np.allclose(polynomials._table(columns, exponents), expected)
    assert [sum(powers) for powers in exponents] == sorted(sum(powers) for powers in exponents)


POLYNOMIALS = {
    "cubic": (lambda x, y: 2 * x**3 - y + 0.5, "y"),
    "mixed": (lambda x, y: x * y - 3 * y**2, "y"),
    "quotient": (lambda x, y: (x + 2 * y) / (1 + x * y), "y"),
    "root": (lambda x, y: np.sqrt(1 + x * y), "y"),
    "inverse": (lambda x, y: 1 / (x**2 + y), "y"),
    "exponential": (lambda x, y: np.exp(x - y * y), "y"),
    "logarithm": (lambda x, y: np.log(x + y**2), "y"),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials_of_a_function_of_the_target_are_found_exactly(name):
    target, _ = POLYNOMIALS[name]
    problem, front = problem_of(target)
    polynomials.search(problem, front, degrees=range(1, 5), budget=Budget(60.0))
    assert holds(front, target), front.best.program


def test_a_polynomial_with_more_terms_than_rows_is_not_tried():
    problem, front = problem_of(lambda x, y: x**4 * y, rows=12)
    polynomials.search(problem, front, degrees=range(4, 5), budget=Budget(60.0))
    assert not front.solved


def test_without_time_no_polynomial_is_tried():
    problem, front = problem_of(lambda x, y: x + y)
    polynomials.search(problem, front, degrees=range(1, 5), budget=Budget(0.0))
    assert not front.solved


def test_the_coefficients_are_those_of_numpy():
    problem, _ = problem_of(lambda x: 0.25 * x**3 - 1.5 * x + 2, variables=1, rows=15)
    exponents = polynomials.monomials(1, 3)
    found = polynomials._polynomial(
        problem, polynomials._table(problem.columns, exponents), exponents, problem.target
    )
    at = np.linspace(-3, 3, 7)
    assert np.allclose(
        values(found, {"x0": at}), np.polyval(np.polyfit(problem.columns[0], problem.target, 3), at)
    )
    assert str(found).count("power") == 1  # the square was dropped


def test_noise_is_no_polynomial():
    problem, front = problem_of(lambda x: x + 0.01 * np.sin(99 * x), variables=1)
    exponents = polynomials.monomials(1, 2)
    table = polynomials._table(problem.columns, exponents)
    assert polynomials._polynomial(problem, table, exponents, problem.target) is None
    assert polynomials._quotient(problem, table, exponents, problem.target) is None


def test_the_term_that_is_missed_least_is_dropped_first():
    generator = np.random.default_rng(3)
    table, target = generator.standard_normal((5, 30)), generator.standard_normal(30)
    sets = list(polynomials._backward(table, target))
    assert [len(kept) for kept in sets] == [5, 4, 3, 2, 1]
    for before, after in itertools.pairwise(sets):
        left = {
            place: np.linalg.lstsq(table[[at for at in before if at != place]].T, target, rcond=None)[1][0]
            for place in before
        }
        assert set(before) - set(after) == {min(left, key=left.get)}


def test_approximations_of_every_length_are_offered():
    problem, front = problem_of(lambda x: np.sin(2 * x), variables=1)
    polynomials.approximations(problem, front)
    lengths = [one.length for one in front]
    assert len(lengths) >= 4 and not front.solved
    residual = np.polyfit(problem.columns[0], problem.target, 3, full=True)[1][0]
    assert front.closest == pytest.approx(residual / 40 / np.var(problem.target), rel=1e-6)


# -- banks and arenas --------------------------------------------------------------------------------------------------


def test_words_around_every_formula_have_its_values():
    columns = np.random.default_rng(0).uniform(0.5, 2.0, (2, 20))
    bank = Bank([X, Y], columns, alphabet=ARITHMETIC, limit=60)
    before = bank.size
    bank.wrapped((reals.sin, NEGATIVE), limit=50)
    assert before < bank.size <= before + 50
    named_columns = {"x0": columns[0], "x1": columns[1]}
    for place in range(bank.size):
        assert np.allclose(values(bank.program(place), named_columns), bank.table[place], rtol=1e-9)
    assert (bank.costs[before:] == bank.costs[:before].max() + 1).all() and len(bank.costs) == bank.size


def test_formulas_without_a_finite_or_varied_value_are_not_kept():
    columns = np.array([[0.0, 1.0, 2.0], [3.0, 3.0, 3.0]])
    bank = Bank([X, Y], columns, alphabet=STANDARD, limit=500, highest_cost=3)
    assert np.isfinite(bank.table).all()
    programs = {str(bank.program(place)) for place in range(bank.size)}
    assert str(X) in programs and str(Y) not in programs and str(quotient(1, X)) not in programs


def test_a_bank_ends_with_its_time_and_its_limit():
    columns = np.random.default_rng(0).uniform(0.5, 2.0, (2, 20))
    assert Bank([X, Y], columns, limit=37).size == 37
    assert Bank([X, Y], columns, budget=Budget(0.0)).size <= 3
    nothing = Bank([], np.zeros((0, 5)), alphabet=ARITHMETIC, highest_cost=1)
    assert nothing.size == 1 and nothing.table.tolist() == [[1.0] * 5]


@pytest.mark.parametrize(
    ("word", "formula"), [(NEGATIVE, product(-1, X)), (SQUARE, raised(X, 2)), (INVERSE, quotient(1, X))]
)
def test_short_words_are_spelled_as_formulas(word, formula):
    bank = Bank([X], np.array([[0.5, 2.0, 3.0]]), alphabet=ARITHMETIC, highest_cost=1)
    bank.wrapped((word,), limit=5)
    assert formula in {bank.program(place) for place in range(bank.size)}


@given(st.lists(st.floats(-5, 5), max_size=9), st.integers(0, 12))
def test_the_smallest_are_those_of_a_sort(numbers, count):
    places = _smallest(np.array(numbers), count)
    assert [numbers[place] for place in places] == sorted(numbers)[:count]


def least_squares_share(columns, target):
    matrix = np.column_stack([*columns, np.ones(len(target))])
    left = target - matrix @ np.linalg.lstsq(matrix, target, rcond=None)[0]
    return float(left @ left) / float(np.sum((target - target.mean()) ** 2))


def test_shares_of_single_columns_and_pairs_are_those_of_least_squares():
    generator = np.random.default_rng(4)
    columns, target = generator.standard_normal((12, 20)), generator.standard_normal(20)
    arena = Arena(columns, np.ones((1, 20)), 12)
    unit, share = arena.rest(target)
    assert share == pytest.approx(np.sqrt(np.sum((target - target.mean()) ** 2) / np.sum(target**2)))
    singles = arena.singles(unit, 12)
    assert [left for left, _ in singles] == sorted(left for left, _ in singles)
    for left, (place,) in singles:
        assert left == pytest.approx(least_squares_share([columns[place]], target))
    brute = min(
        itertools.combinations(range(12), 2),
        key=lambda pair: least_squares_share(columns[list(pair)], target),
    )
    (left, pair), *_ = arena.pairs(unit, 3)
    assert tuple(sorted(pair)) == brute and left == pytest.approx(
        least_squares_share(columns[list(pair)], target)
    )


def test_columns_that_the_base_explains_are_not_chosen():
    base = np.vstack([np.ones(10), np.arange(10.0)])
    columns = np.vstack([np.arange(10.0) * 3 - 2, np.sin(np.arange(10.0)), np.full(10, np.inf)])
    arena = Arena(columns, base)
    assert arena.places.tolist() == [1]
    assert (
        Arena(columns[:1], base).singles(np.ones(10), 3)
        == []
        == Arena(columns[:1], base, 3).pairs(np.ones(10), 3)
    )


def test_a_target_in_the_base_leaves_nothing():
    arena = Arena(np.random.default_rng(0).standard_normal((3, 8)), np.ones((1, 8)))
    unit, share = arena.rest(np.full(8, 2.5))
    assert share < 1e-12 and np.linalg.norm(unit) <= 1 + 1e-9
    unit, share = arena.rest(np.zeros(8))
    assert share == 0.0 and not unit.any()


def test_multiples_of_a_column_are_one_partner():
    columns = np.random.default_rng(0).standard_normal((3, 9))
    arena = Arena(np.vstack([columns, -2 * columns, 5 * columns + 1]), np.ones((1, 9)), 9)
    assert arena.places[arena._partners].tolist() == [0, 1, 2]


def test_columns_in_one_direction_are_no_pair():
    shares, _ = best_partners(np.ones((2, 1), np.float32), np.array([0.5, 0.2]), np.array([0.5]))
    assert np.isinf(shares).all()


# -- sums and products -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("undone", UNDONE, ids=lambda undone: undone.name)
def test_a_function_of_the_target_is_taken_back(undone):
    y = np.linspace(0.1, 0.95, 20)
    inner = undone.forward(y)
    assert any(np.allclose(values(back, {"f": inner}), y) for back in undone.back(Var("f")))


@pytest.mark.parametrize("name", ["sin y", "cos y", "tan y"])
def test_angles_outside_the_range_of_the_inverse_have_no_value(name):
    undone = next(one for one in UNDONE if one.name == name)
    inside = undone.forward(np.array([-3.0, -0.5, 0.5, 3.0, 4.0]))
    back = np.where(np.isnan(inside), np.nan, values(undone.back(Var("f"))[0], {"f": inside}))
    kept = ~np.isnan(inside)
    assert np.allclose(back[kept], np.array([-3.0, -0.5, 0.5, 3.0, 4.0])[kept]) and not kept.all()


COMBINED = {
    "a sum of two": lambda x, y: 2 * np.sin(x) - 0.5 * np.exp(y) + 3,
    "a root of a sum": lambda x, y: np.sqrt(np.exp(x) + 2 * y**2),
    "a product of powers": lambda x, y: -1.5 * x**2.5 * y**-1.5,
    "powers and a function": lambda x, y: 2 * x**0.5 * np.sin(y) * np.log(1 + x),
    "powers and an exponential": lambda x, y: 3 * x**2 * np.exp(-0.7 * y * x),
    "a sum over a variable": lambda x, y: (np.sin(x) + np.exp(y)) / x,
    "a term beside the variables": lambda x, y: 0.3 * x + 0.7 * y + 2 * np.cos(x * y) + 1,
}


@pytest.mark.parametrize("name", COMBINED)
def test_sums_and_products_of_a_bank_are_found_exactly(name):
    problem, front = problem_of(COMBINED[name], rows=60)
    bank = Bank(problem.leaves, problem.part, alphabet=STANDARD, limit=2_000)
    combinations.search(problem, bank, front, paired=200, budget=Budget(60.0))
    assert holds(front, COMBINED[name]), front.best.program


@pytest.mark.parametrize(
    ("exponent", "near"),
    [(0.501, 0.5), (1.99, 2.0), (-0.665, -2 / 3), (0.752, 0.75), (0.41, 0.41), (-3.0, -3.0)],
)
def test_exponents_near_simple_ones_are_made_simple(exponent, near):
    assert combinations._near(exponent) == pytest.approx(near)


def test_what_explains_most_alone_comes_first():
    problem, front = problem_of(lambda x, y: np.sin(3 * x) * 5 + 0.01 * y)
    bank = Bank(problem.leaves, problem.part, alphabet=STANDARD, limit=400)
    terms = list(combinations.telling_terms(problem, bank, front, 5))
    assert 0 < len(terms) <= 5
    for formula, column in terms:
        assert np.allclose(column, values(formula, front.columns)) and formula.size > 1
    target = problem.target
    base = np.vstack([problem.columns, np.ones(40)])
    single = [np.linalg.lstsq(np.vstack([column, base]).T, target, rcond=None)[1][0] for _, column in terms]
    alone = np.linalg.lstsq(base.T, target, rcond=None)[1][0]
    assert single[0] < 0.5 * alone


# -- terms with a number inside ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("low", [-1.0, 0.5])
def test_the_formula_of_every_term_is_a_multiple_of_its_column(low):
    column = np.linspace(low, 2.0, 30)
    terms = list(scan._terms(column, X))
    assert len(terms) == (8 if low > 0 else 7)
    for term in terms:
        for place in range(0, len(term.grid), 5):
            both = [term.first[place]] if term.second is None else [term.first[place], term.second[place]]
            weights = np.array([1.5, -0.5])[: len(both)]
            written = values(term.write(float(term.grid[place]), weights), {"x0": column})
            expected = weights @ np.array(both)
            factor = (written @ expected) / (expected @ expected)
            assert np.allclose(written, factor * expected, rtol=1e-7, atol=1e-9 * np.abs(written).max())
            assert term.second is None or factor == pytest.approx(1.0)


INSIDE = {
    "a wave": lambda x, y: 2 * np.sin(3.3 * x + 0.4) + 1,
    "a decay": lambda x, y: 0.5 * np.exp(-1.37 * x) - 2,
    "a pole": lambda x, y: 1.2 / (x + 0.83) + y,
    "a logarithm": lambda x, y: 0.7 * np.log(y + 1.31),
    "a root": lambda x, y: np.sqrt(x * y + 0.77) * 3,
    "a power": lambda x, y: 2 * x**1.37 + 1,
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_term_with_a_number_inside_is_found(name):
    problem, front = problem_of(INSIDE[name], rows=60)
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=4)
    scan.search(problem, bank, front, inner=4, partners=2, budget=Budget(60.0))
    assert front.best.error < 1e-12
    assert np.allclose(values(front.best.program, front.columns), problem.target, rtol=1e-5)


def test_without_time_nothing_is_scanned():
    problem, front = problem_of(INSIDE["a wave"])
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=4)
    offered = front.offered
    scan.search(problem, bank, front, inner=4, partners=2, budget=Budget(0.0))
    assert front.offered == offered


def test_products_of_powers_have_the_values_of_their_formulas():
    problem, front = problem_of(lambda x, y: x)
    found = list(scan._monomials(problem))
    rows = {name: column[problem.rows] for name, column in front.columns.items()}
    assert 10 < len(found) <= scan.MONOMIALS
    assert all(np.allclose(values(formula, rows), column) for column, formula in found)


# -- symmetries --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000))
@settings(max_examples=15)
def test_what_is_missed_leaving_one_out_is_what_predicting_each_from_the_others_misses(seed):
    generator = np.random.default_rng(seed)
    points, target = generator.standard_normal((9, 2)), generator.standard_normal(9)
    covariance = np.exp(-0.5 * ((points[:, None] - points) ** 2).sum(axis=2)) + 0.1 * np.eye(9)
    whole = covariance + 100.0 * structure.NUGGET * np.eye(9)
    missed = []
    for row in range(9):
        others = [at for at in range(9) if at != row]
        predicted = whole[row, others] @ np.linalg.solve(whole[np.ix_(others, others)], target[others])
        missed.append((predicted - target[row]) ** 2)
    assert structure._left_out(covariance, target) == pytest.approx(np.mean(missed), rel=1e-6)


def test_a_covariance_without_an_inverse_misses_everything():
    assert structure._left_out(np.full((3, 3), np.nan), np.ones(3)) == np.inf
    assert structure._left_out(-100.0 * structure.NUGGET * np.eye(3), np.ones(3)) == np.inf


SYMMETRIC = {
    "a difference": (lambda x, y, z: np.sin(2 * (x - y)) + z * z, minus(X, Y)),
    "a product": (lambda x, y, z: np.tanh(x * y) + np.cos(z), product(X, Y)),
    "a sum of squares": (lambda x, y, z: np.sin(x * x + y * y) * np.exp(z), plus(squared(X), squared(Y))),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_two_variables_that_enter_together_become_one(name):
    target, joined = SYMMETRIC[name]
    problem, _ = problem_of(target, variables=3, rows=120, seed=3)
    found = list(structure.reductions(problem, Budget(60.0)))
    assert found
    reduced, inner = found[0]
    assert joined in reduced.leaves or len(inner) == 2
    for leaf, column in zip(reduced.leaves, reduced.columns, strict=True):
        names = {f"x{at}": one for at, one in enumerate(problem.columns)}
        assert np.allclose(values(leaf, names), column)
    assert [len(inner) for _, inner in found] == sorted((len(inner) for _, inner in found), reverse=True)


def test_a_factor_that_is_a_power_leaves_the_formula_inside():
    problem, _ = problem_of(lambda x, y, z: x**2 * np.exp(np.sin(3 * y) * z), variables=3, rows=120)
    reduced, inner = next(iter(structure.reductions(problem, Budget(60.0))))
    assert reduced.leaves[len(inner) :] == [X] and set(reduced.leaves[: len(inner)]) == {Y, Z}


def test_without_time_nothing_is_reduced():
    problem, _ = problem_of(lambda x, y, z: x + y + z, variables=3)
    assert list(structure.reductions(problem, Budget(0.0))) == []


# -- few rows, and the search ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (lambda x: x * x, raised(X, 2)),
        (lambda x: 3 * x * x, product(3.0, raised(X, 2))),
        (lambda x: x * x + 5, plus(raised(X, 2), 5.0)),
        (lambda x: 2 * x * x - 7, plus(product(2.0, raised(X, 2)), -7.0)),
    ],
)
def test_few_rows_are_explained_with_numbers_that_people_write(target, expected):
    problem, front = problem_of(target, variables=1, rows=5, low=1.0, high=4.0)
    bank = Bank(problem.leaves, problem.columns, alphabet=ARITHMETIC, limit=12)
    few.search(problem, bank, front)
    assert np.allclose(values(front.best.program, {"x0": np.array([9.0])}), target(9.0))
    assert np.allclose(values(expected, {"x0": np.array([9.0])}), target(9.0))
    assert front.solved and front.best.fitted == 0


def test_one_row_is_explained_only_by_formulas_that_are_right_as_they_are():
    problem, front = problem_of(lambda x: 2 * x, variables=1, rows=1)
    bank = Bank(problem.leaves, problem.columns, alphabet=ARITHMETIC, limit=1)
    offered = front.offered
    few.search(problem, bank, front)
    assert front.offered == offered


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(3), np.ones(3), "columns"),
        (np.ones((3, 1)), np.ones((3, 1)), "columns"),
        (np.ones((0, 1)), np.ones(0), "columns"),
        (np.ones((2, 1)), np.array([1.0, np.nan]), "finite"),
    ],
)
def test_data_that_no_formula_can_be_learnt_from_are_refused(x, y, message):
    with pytest.raises(DataError, match=message):
        Discovery(x, y)


def test_of_very_many_rows_some_are_looked_at_the_same_for_the_same_seed():
    x = np.random.default_rng(0).standard_normal((MOST_ROWS + 500, 1))
    fronts = [Discovery(x, x[:, 0] ** 2, seed=4).front for _ in range(2)]
    assert len(fronts[0].target) == MOST_ROWS
    assert np.array_equal(fronts[0].target, fronts[1].target)
    assert np.allclose(fronts[0].target, fronts[0].columns["x0"] ** 2)


def test_rows_with_zeros_are_searched_with_last():
    x = np.random.default_rng(0).uniform(1, 2, (60, 2))
    x[::3, 1] = 0.0
    search = Discovery(x, x.sum(axis=1))
    assert (search._problem.part != 0).all() and len(search._problem.rows) == 40


def test_a_formula_is_written_with_the_names_of_the_columns():
    program = named(plus(X, product(2.0, Y)), ("mass", "speed"))
    assert program.names == ("mass", "speed")
    assert program.body == plus(Var("mass"), product(2.0, Var("speed")))


def test_the_weight_of_a_pole_is_found_through_a_fraction():
    problem, front = problem_of(lambda x, y: math.pi / (x + y), rows=40)
    bank = Bank(problem.leaves, problem.part, alphabet=ARITHMETIC, limit=40)
    combinations.search(problem, bank, front, paired=40, budget=Budget(60.0), keep=1)
    assert front.solved and any(value == pytest.approx(math.pi) for value in constants_of(front.best.program))


def constants_of(program):
    return [node.value for node in program.walk() if hasattr(node, "value")]


def test_a_word_that_is_no_word_of_formulas_has_no_error():
    problem, front = problem_of(lambda x, y: x)
    assert front.offer(Var("unknown")) == math.inf and front.offer(call(reals.log, minus(X, 9.0))) == math.inf
