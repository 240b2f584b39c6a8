"""How much features say about a target, against closed forms and the library that everybody uses."""

import numpy as np
import pytest

from perennial.library.transfer import (
    MOST_NUMBERS,
    MOST_ROWS,
    PENALTIES,
    leave_one_out_accuracy,
    log_evidence,
    transferability,
)

GENERATOR = np.random.default_rng(0)


def test_log_evidence_is_the_marginal_likelihood_at_its_largest():
    from scipy.optimize import minimize

    n, d = 40, 4
    features = GENERATOR.normal(size=(n, d))
    target = features @ GENERATOR.normal(size=d) + 0.5 * GENERATOR.normal(size=n)
    scaled = (target - target.mean()) / target.std()

    def negative(logs):
        alpha, beta = np.exp(logs)
        covariance = np.eye(n) / beta + features @ features.T / alpha
        _, size = np.linalg.slogdet(covariance)
        return 0.5 * (size + scaled @ np.linalg.solve(covariance, scaled) + n * np.log(2 * np.pi))

    best = minimize(negative, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    assert log_evidence(features, target[:, None]) == pytest.approx(-best.fun / n, abs=1e-6)


def test_log_evidence_does_not_depend_on_scale_and_knows_noise():
    features = GENERATOR.normal(size=(200, 5))
    target = features[:, :1] * 3.0 + 7.0
    noise = GENERATOR.normal(size=(200, 1))
    told = log_evidence(features, target + 0.1 * noise)
    assert told == pytest.approx(log_evidence(features, 1000.0 * (target + 0.1 * noise)))
    assert told > log_evidence(features, target + noise) > log_evidence(features, noise)


def test_a_constant_or_missing_target_says_nothing():
    features = GENERATOR.normal(size=(20, 3))
    assert log_evidence(features, np.ones((20, 1))) == -np.inf
    assert log_evidence(features, np.full((20, 1), np.nan)) == -np.inf


@pytest.mark.parametrize("width", [3, 90])
def test_rows_that_are_left_out_are_known_as_by_scikit_learn(width):
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import LeaveOneOut, cross_val_predict

    target = GENERATOR.integers(0, 4, 60)
    features = GENERATOR.normal(size=(60, width))
    features[:, :3] += np.eye(4)[target][:, :3] * 1.5
    # the constant is a feature like any other, whose weight is held down too
    inputs = np.column_stack([features, np.full(60, np.sqrt(width))])
    usual = []
    for penalty in PENALTIES:
        model = RidgeClassifier(alpha=penalty * width, fit_intercept=False)
        usual.append((cross_val_predict(model, inputs, target, cv=LeaveOneOut()) == target).mean())
    assert leave_one_out_accuracy(features, target) == pytest.approx(max(usual))


def test_few_rows_and_doubled_rows_are_judged_too():
    assert leave_one_out_accuracy(np.zeros((1, 2)), np.array([0])) == 0.0
    assert leave_one_out_accuracy(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])) == 1.0
    assert leave_one_out_accuracy(np.zeros((4, 0)), np.array([0, 0, 0, 1])) == 0.75


def test_many_rows_and_wide_features_are_brought_down_and_say_the_same():
    rows, wide = MOST_ROWS + 500, 8 * MOST_NUMBERS
    target = GENERATOR.integers(0, 3, rows)
    features = GENERATOR.normal(size=(rows, wide))
    features[:, :60] += 1.5 * np.eye(3)[target].repeat(20, axis=1)
    told = transferability(features, target, "multiclass", seed=1)
    assert told == transferability(features, target, "multiclass", seed=1)
    assert told == pytest.approx(leave_one_out_accuracy(features[:MOST_ROWS], target[:MOST_ROWS]), abs=0.05)
    assert told > 0.9 > 0.5 > transferability(features, GENERATOR.permutation(target), "multiclass")


def test_features_without_spread_or_with_holes_are_no_error():
    features = np.full((30, 3), np.nan)
    assert transferability(features, np.arange(30) % 2, "binary") <= 1.0
    assert np.isfinite(transferability(features, np.arange(30.0), "regression"))
