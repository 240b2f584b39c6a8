"""A handful of rows: the formula that a person would write, not one of the many that fit."""

import numpy as np
import pytest

from perennial.synthesis.base import Budget
from perennial.synthesis.formulas import find_formula
from perennial.synthesis.formulas.algebra import values
from perennial.synthesis.formulas.constants import fitted_numbers
from perennial.synthesis.formulas.search import Discovery


@pytest.mark.parametrize(
    ("rows", "target", "rule"),
    [
        ([[1.5], [2.5]], [3.0, 5.0], lambda a: 2 * a),
        ([[1.5], [2.5]], [2.25, 6.25], lambda a: a**2),
        ([[0.5], [100.0], [37.5]], [32.9, 212.0, 99.5], lambda a: 1.8 * a + 32),
        ([[1.0, 2.0], [4.0, 2.0], [5.0, 1.0]], [1.5, 3.0, 3.0], lambda a, b: (a + b) / 2),
        ([[3.0, 4.0], [5.0, 12.0], [8.0, 15.0]], [5.0, 13.0, 17.0], lambda a, b: np.hypot(a, b)),
        ([[10.0, 3.0], [7.0, 2.0]], [33.0, 15.4], lambda a, b: 1.1 * a * b),
        ([[10.0], [20.0], [7.5]], [11.9, 23.8, 8.925], lambda a: 1.19 * a),
    ],
)
def test_the_rule_of_a_few_rows_holds_for_others(rows, target, rule):
    x = np.array(rows)
    names = ("a", "b")[: x.shape[1]]
    answer = find_formula(x, np.array(target), names, seconds=20)
    assert answer.exact and answer.length <= 9
    fresh = np.random.default_rng(0).uniform(1, 9, (5, x.shape[1]))
    said = values(answer.program.body, dict(zip(names, fresh.T, strict=True)))
    assert np.allclose(said, rule(*fresh.T), rtol=1e-9)


def test_two_fitted_numbers_do_not_explain_two_rows():
    front = Discovery(np.array([[1.0], [2.0]]), np.array([0.3712394, 9.1190384])).run(Budget(2.0))
    assert front.best.fitted < 2 and not front.solved


def test_numbers_that_people_write_are_not_fitted():
    search = Discovery(np.arange(1.0, 9.0)[:, None], 2.0 * np.arange(1.0, 9.0))
    assert fitted_numbers(search.run(Budget(5.0)).best.program) == 0
