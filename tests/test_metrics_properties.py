"""Metrics as functions of row weights, intervals of shares and differences, and requests at the edges."""

import pickle

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.calibration import calibration_curve

from perennial.errors import DataError, Diverged, UsageError
from perennial.metrics import (
    METRICS,
    Metric,
    calibration_table,
    choose,
    decide,
    interval,
    paired_difference,
    resolve,
    significance,
    standard_error,
    unseen_class_rows,
    wilson,
)

DOZENS = settings(max_examples=40)
ROWS = 40
GENERATOR = np.random.default_rng(6)
BINARY = GENERATOR.integers(0, 2, ROWS)
SCORES = np.round(GENERATOR.random(ROWS), 1)
CODES = GENERATOR.integers(0, 3, ROWS)
SHARES = GENERATOR.dirichlet(np.ones(3), ROWS)
NUMBERS = GENERATOR.gamma(2.0, size=ROWS)
GUESSES = NUMBERS + GENERATOR.normal(scale=0.3, size=ROWS)
WEIGHTS = st.lists(st.integers(0, 4), min_size=ROWS, max_size=ROWS).filter(any)


def value_of_scikit_learn(name, weights):
    """The value of a metric by scikit-learn, with weights of rows."""
    judge = sklearn.metrics
    decided, decided_of_two = SHARES.argmax(axis=1), (SCORES > 0.5).astype(int)
    return {
        "accuracy": lambda: judge.accuracy_score(CODES, decided, sample_weight=weights),
        "balanced_accuracy": lambda: judge.recall_score(
            CODES, decided, labels=np.unique(CODES[weights > 0]), average="macro", sample_weight=weights, zero_division=0
        ),
        "kappa": lambda: judge.cohen_kappa_score(CODES, decided, sample_weight=weights),
        "quadratic_kappa": lambda: judge.cohen_kappa_score(CODES, decided, weights="quadratic", sample_weight=weights),
        "mcc": lambda: judge.matthews_corrcoef(CODES, decided, sample_weight=weights),
        "f1": lambda: judge.f1_score(BINARY, decided_of_two, sample_weight=weights, zero_division=0),
        "log_loss": lambda: judge.log_loss(CODES, SHARES, sample_weight=weights, labels=[0, 1, 2]),
        "roc_auc": lambda: judge.roc_auc_score(BINARY, SCORES, sample_weight=weights),
        "pr_auc": lambda: judge.average_precision_score(BINARY, SCORES, sample_weight=weights),
        "rmse": lambda: judge.root_mean_squared_error(NUMBERS, GUESSES, sample_weight=weights),
        "mae": lambda: judge.mean_absolute_error(NUMBERS, GUESSES, sample_weight=weights),
        "mape": lambda: judge.mean_absolute_percentage_error(NUMBERS, GUESSES, sample_weight=weights),
        "r2": lambda: judge.r2_score(NUMBERS, GUESSES, sample_weight=weights),
    }[name]()  # fmt: skip


# -- weights of rows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["accuracy", "balanced_accuracy", "kappa", "quadratic_kappa", "mcc", "f1", "log_loss", "roc_auc", "pr_auc", "rmse",
     "mae", "mape", "r2"],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(4))
def test_weights_of_rows_count_as_in_scikit_learn(name, seed):
    weights = np.random.default_rng(seed).integers(0, 4, ROWS).astype(float)
    two = name in ("f1", "roc_auc", "pr_auc")
    numbers = METRICS[name].input == "value"
    target, prediction = (NUMBERS, GUESSES) if numbers else (BINARY, SCORES) if two else (CODES, SHARES)
    found = METRICS[name].weighted(target, prediction)(weights)
    assert found == pytest.approx(value_of_scikit_learn(name, weights), abs=1e-9)


@DOZENS
@given(WEIGHTS)
def test_a_metric_without_a_weighted_form_repeats_its_rows(weights):
    mean = Metric(
        "median_error", "minimize", "value", ("regression",), lambda t, p, k: float(np.median(np.abs(t - p)))
    )
    repeated = np.repeat(np.abs(NUMBERS - GUESSES), weights)
    assert mean.weighted(NUMBERS, GUESSES)(np.array(weights, dtype=float)) == pytest.approx(
        np.median(repeated)
    )


@pytest.mark.parametrize(
    "name", ["accuracy", "kappa", "mcc", "f1_macro", "balanced_accuracy", "quadratic_kappa"]
)
def test_labels_that_are_decided_already_give_the_value_of_their_probabilities(name):
    decided = SHARES.argmax(axis=1)
    assert METRICS[name](CODES, decided) == pytest.approx(METRICS[name](CODES, SHARES))


@pytest.mark.parametrize("unseen", [-1, 3])
def test_rows_of_a_class_that_was_never_seen_are_errors(unseen):
    target = CODES.copy()
    target[:5] = unseen
    assert unseen_class_rows(target, 3).tolist() == [0, 1, 2, 3, 4]
    right = (SHARES.argmax(axis=1) == target).mean()
    assert METRICS["accuracy"](target, SHARES) == pytest.approx(right)
    assert METRICS["accuracy"](target, SHARES.argmax(axis=1)) == pytest.approx(right)
    worst = -np.log(np.finfo(float).eps)
    known = -np.log(SHARES[np.arange(5, ROWS), target[5:]])
    assert METRICS["log_loss"](target, SHARES) == pytest.approx((5 * worst + known.sum()) / ROWS, rel=1e-6)


def test_probabilities_need_not_sum_to_one():
    assert METRICS["log_loss"](CODES, 7 * SHARES) == pytest.approx(METRICS["log_loss"](CODES, SHARES))
    assert METRICS["log_loss"](np.array([0, 1]), np.zeros((2, 2))) == pytest.approx(np.log(2))


@DOZENS
@given(st.lists(st.floats(0.01, 10), min_size=3, max_size=3))
def test_weights_of_classes_decide_as_the_largest_product_does(weights):
    expected = (SHARES * weights).argmax(axis=1)
    assert decide(SHARES, {"weights": weights}).tolist() == expected.tolist()


# -- intervals ---------------------------------------------------------------------------------------------------------


@DOZENS
@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_of_a_share_holds_the_shares_that_a_test_does_not_reject(right, n):
    right = min(right, n)
    low, high = wilson(right / n, n)
    z = norm.ppf(0.975)
    for edge in (low, high):
        if 1e-9 < edge < 1 - 1e-9:
            assert abs(right / n - edge) / np.sqrt(edge * (1 - edge) / n) == pytest.approx(z, rel=1e-6)
    assert 0 <= low <= right / n + 1e-12 and right / n - 1e-12 <= high <= 1


@pytest.mark.parametrize("n", range(1, 400))
def test_the_interval_of_a_share_holds_the_share(n):
    for share in (0.0, 1.0, 1 / n):
        low, high = wilson(share, n)
        assert 0 <= low <= share <= high <= 1


def test_a_standard_error_is_that_of_the_normal_interval():
    low, high = norm.interval(0.95, loc=3.0, scale=0.7)
    assert standard_error(low, high) == pytest.approx(0.7, rel=1e-12)


def test_one_row_says_nothing_about_a_difference():
    one = np.array([2.0])
    mean, low, high = paired_difference(resolve("mae"), one, one + 1, one + 3, seed=0)
    assert (mean, low, high) == (2.0, 0.0, 2.0)
    mean, low, high = paired_difference(resolve("mae"), one, one + 3, one + 1, seed=0)
    assert (mean, low, high) == (-2.0, -2.0, 0.0)


def test_the_difference_on_very_many_rows_has_the_standard_error_of_its_mean(monkeypatch):
    monkeypatch.setattr(significance, "BOOTSTRAP_ROWS", 2_000)
    rows = 8_000
    generator = np.random.default_rng(1)
    truth = np.zeros(rows)
    a, b = generator.exponential(1.0, rows), generator.exponential(1.1, rows)
    mean, low, high = paired_difference(resolve("mae"), truth, a, b, seed=0)
    assert mean == pytest.approx((b - a).mean())
    assert standard_error(low, high) == pytest.approx((b - a).std() / np.sqrt(rows), rel=0.15)


def test_an_interval_that_has_collapsed_is_as_wide_as_the_smallest_class_allows():
    target = np.array([0] * 90 + [1] * 10)
    perfect = np.column_stack([1 - target, target]).astype(float)
    assert interval(resolve("roc_auc"), target, perfect, seed=0) == wilson(1.0, 10)


# -- calibration -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bins", [2, 5, 10])
def test_the_steps_of_the_calibration_table_are_those_of_scikit_learn(bins):
    generator = np.random.default_rng(bins)
    probability = generator.random(500)
    target = (generator.random(500) < probability**2).astype(int)
    table = calibration_table(target, probability, bins)
    observed, predicted = calibration_curve(target, probability, n_bins=bins)
    assert np.allclose([row["observed"] for row in table["bins"]], observed)
    assert np.allclose([row["predicted"] for row in table["bins"]], predicted)
    assert sum(row["n"] for row in table["bins"]) == 500
    shares = np.array([row["n"] for row in table["bins"]]) / 500
    assert table["ece"] == pytest.approx((shares * np.abs(observed - predicted)).sum())


def test_certainty_falls_into_the_last_step():
    table = calibration_table(np.array([1, 0]), np.array([1.0, 1.0]))
    assert [(row["low"], row["high"], row["n"]) for row in table["bins"]] == [(0.9, 1.0, 2)]


# -- what is chosen and refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "counts", "metric"),
    [
        ("binary", [1000, 5], "pr_auc"),
        ("binary", [5, 1000], "roc_auc"),
        ("binary", [500, 500], "roc_auc"),
        ("multiclass", [900, 50, 50], "balanced_accuracy"),
        ("multiclass", [400, 300, 300], "accuracy"),
    ],
)
def test_the_metric_follows_the_balance_of_the_classes(problem, counts, metric):
    chosen, reason = choose(problem, np.repeat(np.arange(len(counts)), counts))
    assert chosen.name == metric and reason.startswith(metric)
    assert ("meaningless" in reason) == (max(counts) > 0.8 * sum(counts))


def test_a_problem_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(UsageError, match="'clustering'") as caught:
        choose("clustering", BINARY)
    assert "multiregression" in caught.value.todo


@pytest.mark.parametrize(
    ("name", "target", "prediction", "error"),
    [
        ("rmse", NUMBERS, GUESSES[:-1], DataError),
        ("rmse", np.empty(0), np.empty(0), DataError),
        ("rmse", NUMBERS, np.column_stack([GUESSES, GUESSES]), DataError),
        ("accuracy", np.zeros((4, 2, 2)), np.zeros((4, 2, 2)), DataError),
        ("accuracy", CODES, SHARES[:, :, None] * np.ones(2), DataError),
        ("rmse", NUMBERS, np.where(NUMBERS > 1, np.nan, 0), Diverged),
        ("log_loss", CODES, np.where(SHARES > 0.5, np.inf, SHARES), Diverged),
    ],
)
def test_predictions_that_do_not_fit_the_target_are_refused(name, target, prediction, error):
    with pytest.raises(error) as caught:
        METRICS[name](target, prediction)
    assert caught.value.where or caught.value.todo


def mean_error(target, prediction, k):
    return float(np.mean(prediction - target))


def test_a_metric_of_your_own_travels_with_its_function():
    bias = Metric("bias", "minimize", "value", ("regression",), mean_error)
    again = pickle.loads(pickle.dumps(bias))
    assert again(NUMBERS, NUMBERS + 2) == pytest.approx(2.0)
    assert pickle.loads(pickle.dumps(METRICS["rmse"])) is METRICS["rmse"]
