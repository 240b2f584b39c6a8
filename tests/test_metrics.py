"""Metrics against scikit-learn, closed forms and each other."""

import copy
import pickle
import time

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics
from scipy.stats import bootstrap

from perennial.errors import DataError, UsageError
from perennial.metrics import (
    METRICS,
    PROBLEMS,
    Metric,
    calibration_table,
    choose,
    decide,
    interval,
    paired_difference,
    resolve,
    wilson,
)
from perennial.testing.metrics import check_metric, examples


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_keeps_the_contract(name):
    check_metric(METRICS[name])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_a_default_metric_that_can_judge_it(problem):
    target, good, _ = next(examples(problem))
    metric, reason = choose(problem, target)
    assert problem in metric.problems and metric.name in reason
    assert np.isfinite(metric(target, good))


def binary(rows=300, seed=0):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, rows)
    positive = np.clip(np.round(0.3 * target + 0.7 * generator.random(rows), 2), 0, 1)
    return target, np.column_stack([1 - positive, positive])


def multiclass(rows=300, seed=0):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 4, rows)
    return target, generator.dirichlet(np.ones(4), rows) * 0.6 + 0.4 * np.eye(4)[target]


def test_values_of_two_classes_equal_scikit_learn():
    target, probability = binary()
    label, positive = probability.argmax(axis=1), probability[:, 1]
    expected = {
        "roc_auc": sklearn.metrics.roc_auc_score(target, positive),
        "pr_auc": sklearn.metrics.average_precision_score(target, positive),
        "log_loss": sklearn.metrics.log_loss(target, positive),
        "brier": sklearn.metrics.brier_score_loss(target, positive),
        "accuracy": sklearn.metrics.accuracy_score(target, label),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(target, label),
        "f1": sklearn.metrics.f1_score(target, label),
        "kappa": sklearn.metrics.cohen_kappa_score(target, label),
        "mcc": sklearn.metrics.matthews_corrcoef(target, label),
    }
    assert {name: METRICS[name](target, probability) for name in expected} == pytest.approx(expected)


def test_values_of_many_classes_equal_scikit_learn():
    target, probability = multiclass()
    label = probability.argmax(axis=1)
    expected = {
        "roc_auc": sklearn.metrics.roc_auc_score(target, probability, multi_class="ovr"),
        "log_loss": sklearn.metrics.log_loss(target, probability),
        "f1_macro": sklearn.metrics.f1_score(target, label, average="macro"),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(target, label),
        "quadratic_kappa": sklearn.metrics.cohen_kappa_score(target, label, weights="quadratic"),
    }
    assert {name: METRICS[name](target, probability) for name in expected} == pytest.approx(expected)


def test_values_of_label_sets_equal_scikit_learn():
    target, marginals, _ = next(examples("multilabel"))
    called = (marginals >= 0.5).astype(int)
    expected = {
        "hamming": sklearn.metrics.hamming_loss(target, called),
        "f1_samples": sklearn.metrics.f1_score(target, called, average="samples", zero_division=0),
        "f1_micro": sklearn.metrics.f1_score(target, called, average="micro"),
        "roc_auc": sklearn.metrics.roc_auc_score(target, marginals, average="macro"),
        "accuracy": sklearn.metrics.accuracy_score(target, called),
    }
    assert {name: METRICS[name](target, marginals) for name in expected} == pytest.approx(expected)


def test_errors_of_numbers_have_their_closed_form():
    target, value = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 1.0])
    assert resolve("rmse")(target, value) == pytest.approx(np.sqrt(10 / 3))
    assert resolve("mae")(target, value) == pytest.approx(4 / 3)
    assert resolve("mape")(target, value) == pytest.approx((1 + 0 + 0.75) / 3)
    assert resolve("r2")(target, value) == pytest.approx(1 - 10 / np.sum((target - 7 / 3) ** 2))
    assert resolve("rmsle")(target, value) == pytest.approx(
        np.sqrt(np.mean((np.log1p(target) - np.log1p(value)) ** 2))
    )


def test_rmsle_of_negative_targets_is_refused_and_says_what_to_use():
    with pytest.raises(UsageError, match="rmse or mae"):
        resolve("rmsle")(np.array([-3.0, 1.0]), np.zeros(2))


def test_a_fold_with_one_class_only_gives_chance_and_no_warning():
    target, probability = np.zeros(5, dtype=int), np.full((5, 2), 0.5)
    assert resolve("roc_auc")(target, probability) == 0.5
    assert resolve("pr_auc")(target, probability) == 0.0
    assert resolve("kappa")(target, probability) == 0.0
    assert resolve("mcc")(target, probability) == 0.0


def test_a_decision_moves_the_labels_and_only_metrics_of_labels_notice():
    target = np.array([0, 0, 1, 1])
    probability = np.column_stack([[0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]])
    assert resolve("accuracy")(target, probability) == 0.5
    assert resolve("accuracy")(target, probability, {"threshold": 0.25}) == 1.0
    assert resolve("log_loss")(target, probability, {"threshold": 0.25}) == resolve("log_loss")(
        target, probability
    )


def test_decide_takes_thresholds_weights_marginals_and_labels():
    probability = np.array([[0.5, 0.3, 0.2]])
    assert decide(probability).tolist() == [0]
    assert decide(probability, {"weights": [0.1, 1.0, 1.0]}).tolist() == [1]
    assert decide(np.array([[0.4, 0.6]]), {"threshold": 0.3}, marginals=True).tolist() == [[1, 1]]
    assert decide(np.array([2, 0])).tolist() == [2, 0]


def test_unknown_names_get_the_nearest_one_and_metrics_of_other_problems_are_refused():
    with pytest.raises(UsageError, match="Did you mean roc_auc"):
        resolve("rocauc")
    with pytest.raises(UsageError, match="Use one of: rmse"):
        resolve("accuracy", "regression")
    assert resolve("AUC").name == "roc_auc" and resolve(METRICS["mae"]) is METRICS["mae"]


def test_metrics_travel_to_other_processes_by_name():
    assert pickle.loads(pickle.dumps(METRICS["rmse"])) is METRICS["rmse"]
    assert copy.deepcopy(METRICS["roc_auc"]) is METRICS["roc_auc"]


def test_a_metric_of_your_own_needs_only_a_function():
    def worst(target, prediction, k):
        return float(np.abs(target - prediction).max())

    metric = Metric("worst", "minimize", "value", ("regression",), worst, bounds=(0.0, float("inf")))
    check_metric(metric)


def test_wilson_interval_equals_the_published_example():
    low, high = wilson(0.2, 10)  # Agresti and Coull 1998: 2 of 10
    assert (low, high) == (pytest.approx(0.0567, abs=1e-4), pytest.approx(0.5098, abs=1e-4))


def test_interval_of_the_mean_error_agrees_with_scipy():
    generator = np.random.default_rng(0)
    target = generator.normal(size=200)
    value = target + generator.normal(size=200)
    low, high = interval(resolve("mae"), target, value, seed=0)
    found = bootstrap(
        (np.abs(target - value),), np.mean, method="percentile", random_state=0
    ).confidence_interval
    assert (low, high) == (pytest.approx(found.low, rel=0.03), pytest.approx(found.high, rel=0.03))


def test_interval_of_the_roc_area_covers_the_truth_about_as_often_as_it_says():
    truth, covered = 0.7602, 0  # P(N(1,1) > N(0,1)) = Φ(1/√2)
    for seed in range(60):
        generator = np.random.default_rng(seed)
        target = generator.integers(0, 2, 150)
        chance = 1 / (1 + np.exp(-(target + generator.normal(size=150))))
        low, high = interval(resolve("roc_auc"), target, np.column_stack([1 - chance, chance]), seed=seed)
        covered += low <= truth <= high
    assert covered >= 52


def test_interval_is_the_same_for_the_same_seed_and_holds_the_value():
    target, probability = binary()
    metric = resolve("log_loss")
    first, second = (interval(metric, target, probability, seed=3) for _ in range(2))
    assert first == second and first[0] <= metric(target, probability) <= first[1]


def test_a_perfect_ranking_of_few_rows_is_not_called_certain():
    target = np.array([0, 1] * 6)
    low, high = interval(resolve("roc_auc"), target, np.eye(2)[target], seed=0)
    assert high == 1.0 and 0.4 < low < 0.9


def test_rows_of_one_group_widen_the_interval():
    generator = np.random.default_rng(0)
    centre = np.repeat(generator.normal(size=20), 20)
    target, value = centre + 0.1 * generator.normal(size=400), np.zeros(400)
    rows = interval(resolve("rmse"), target, value, seed=0)
    groups = interval(resolve("rmse"), target, value, seed=0, groups=np.repeat(np.arange(20), 20))
    assert groups[1] - groups[0] > 2 * (rows[1] - rows[0])


def test_one_row_gives_an_interval_without_a_traceback():
    low, high = interval(resolve("brier"), np.array([1]), np.array([[0.4, 0.6]]), seed=0)
    assert low == 0.0 and high == 2.0


def test_many_rows_are_sampled_and_the_spread_is_shrunk_to_fit():
    generator = np.random.default_rng(0)
    target = np.zeros(400_000)
    value = generator.normal(size=400_000)
    start = time.monotonic()
    low, high = interval(resolve("mae"), target, value, seed=0)
    expected = 2 * 1.96 * np.abs(value).std() / np.sqrt(len(value))
    assert high - low == pytest.approx(expected, rel=0.25)
    assert low <= np.abs(value).mean() <= high and time.monotonic() - start < 10


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_a_paired_difference_is_positive_when_the_first_is_better_whatever_the_direction(name):
    target, probability = binary()
    chance = np.full_like(probability, 0.5)
    mean, low, high = paired_difference(resolve(name), target, probability, chance, seed=0)
    assert 0 < low <= mean <= high
    assert paired_difference(resolve(name), target, chance, probability, seed=0)[0] == pytest.approx(-mean)


def test_a_paired_difference_of_equals_is_nothing():
    target, probability = binary()
    assert paired_difference(resolve("roc_auc"), target, probability, probability, seed=0) == (0.0, 0.0, 0.0)


def test_a_paired_difference_of_absolute_errors_agrees_with_the_t_interval():
    generator = np.random.default_rng(1)
    target = generator.normal(size=500)
    a, b = target + generator.normal(size=500) * 0.5, target + generator.normal(size=500) * 0.6
    mean, low, high = paired_difference(resolve("mae"), target, a, b, seed=0)
    gain = np.abs(target - b) - np.abs(target - a)
    half = 1.96 * gain.std(ddof=1) / np.sqrt(500)
    assert mean == pytest.approx(gain.mean())
    assert (low, high) == (
        pytest.approx(mean - half, abs=0.2 * half),
        pytest.approx(mean + half, abs=0.2 * half),
    )


def test_the_calibration_table_agrees_with_scikit_learn_and_finds_no_error_where_there_is_none():
    generator = np.random.default_rng(0)
    probability = generator.random(20_000)
    target = (generator.random(20_000) < probability).astype(int)
    table = calibration_table(target, probability, bins=10)
    observed, predicted = sklearn.calibration.calibration_curve(target, probability, n_bins=10)
    assert [entry["observed"] for entry in table["bins"]] == pytest.approx(observed.tolist())
    assert [entry["predicted"] for entry in table["bins"]] == pytest.approx(predicted.tolist())
    assert table["brier"] == pytest.approx(sklearn.metrics.brier_score_loss(target, probability))
    assert table["ece"] < 0.02
    assert sum(entry["n"] for entry in table["bins"]) == 20_000


def test_the_calibration_table_of_many_classes_looks_at_the_most_probable_one():
    target, probability = multiclass()
    table = calibration_table(target, probability, bins=5)
    assert sum(entry["n"] * entry["observed"] for entry in table["bins"]) / 300 == pytest.approx(
        sklearn.metrics.accuracy_score(target, probability.argmax(axis=1))
    )


def test_shapes_that_speak_of_other_columns_are_refused():
    with pytest.raises(DataError, match="do not describe the same columns"):
        resolve("rmse")(np.zeros((4, 2)), np.zeros(4))
