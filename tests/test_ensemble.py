"""Selection, temperature and thresholds against closed forms, exhaustive search and SciPy."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from sklearn.metrics import f1_score, log_loss

from perennial import ensemble
from perennial.errors import UsageError
from perennial.metrics import METRICS, resolve


def mix(weights, members):
    return np.tensordot(weights, np.stack(members), axes=1)


def two_column(positive):
    return np.column_stack([1 - positive, positive])


def binary_members(rows, count, seed=0):
    generator = np.random.default_rng(seed)
    target = (generator.random(rows) < 0.3).astype(int)
    logits = (target - 0.5) * generator.uniform(0.5, 2, (count, 1)) + generator.normal(0, 1.5, (count, rows))
    return target, [two_column(1 / (1 + np.exp(-member))) for member in logits]


# -- selection ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["roc_auc", "log_loss", "accuracy", "f1", "pr_auc", "brier", "balanced_accuracy", "kappa"]
)
@pytest.mark.parametrize("rows", [40, 3000])
def test_the_average_is_never_worse_than_its_best_member(name, rows):
    target, members = binary_members(rows, 8)
    metric = resolve(name)
    weights = ensemble.greedy(members, target, metric, seed=1)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    assert metric.score(target, mix(weights, members)) >= max(
        metric.score(target, member) for member in members
    )


@settings(max_examples=60)
@given(
    rows=st.integers(2, 60),
    count=st.integers(1, 8),
    seed=st.integers(0, 1000),
    name=st.sampled_from(sorted(METRICS)),
)
def test_whatever_the_members_the_best_one_is_not_lost(rows, count, seed, name):
    metric, generator = METRICS[name], np.random.default_rng(seed)
    if metric.input == "value":
        target = generator.random(rows) + 1
        members = [np.round(target + generator.normal(0, 1, rows), 1) for _ in range(count)]
    elif "multilabel" in metric.problems and seed % 2 or metric.problems == ("multilabel",):
        target = generator.integers(0, 2, (rows, 3))
        members = [np.round(generator.random((rows, 3)), 1) for _ in range(count)]
    else:
        k = 2 if metric.problems == ("binary",) else 3
        target = generator.integers(0, k, rows)
        members = [generator.dirichlet(np.ones(k), rows) for _ in range(count)]
    weights = ensemble.greedy(members, target, metric, seed=seed)
    best = max(metric.score(target, member) for member in members)
    assert metric.score(target, mix(weights, members)) >= best - 1e-9
    assert weights.sum() == pytest.approx(1) and len(weights) == count


def test_squared_errors_come_near_the_best_convex_weights():
    generator = np.random.default_rng(0)
    target = generator.normal(size=2000)
    members = [target + generator.normal(0, scale, 2000) for scale in (0.5, 0.7, 0.9, 1.5)]
    weights = ensemble.greedy(members, target, resolve("rmse"), rounds=60)
    errors = np.stack(members) - target

    def loss(free):
        shares = np.exp(free) / np.exp(free).sum()
        return np.sqrt(np.mean((shares @ errors) ** 2))

    best = minimize(loss, np.zeros(4)).fun
    assert np.sqrt(np.mean((weights @ errors) ** 2)) <= best * 1.001


def test_log_loss_of_two_members_comes_near_the_best_of_all_mixtures():
    target, members = binary_members(2500, 2)
    weights = ensemble.greedy(members, target, resolve("log_loss"))
    losses = [
        log_loss(target, share * members[0] + (1 - share) * members[1]) for share in np.linspace(0, 1, 41)
    ]
    assert log_loss(target, mix(weights, members)) <= min(losses) + 5e-4


def test_the_ranking_search_finds_the_best_small_mixture():
    target, members = binary_members(400, 3)
    metric = resolve("roc_auc")
    weights = ensemble.greedy(members, target, metric, bags=0)
    small = [np.array(c) / sum(c) for c in itertools.product(range(4), repeat=3) if sum(c)]
    best = max(metric.score(target, mix(shares, members)) for shares in small)
    assert metric.score(target, mix(weights, members)) >= best - 0.002


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "rmse", "accuracy"])
def test_the_fast_judges_agree_with_the_metric(name):
    metric = resolve(name)
    target, members = binary_members(200, 4)
    if name == "rmse":
        target, members = target.astype(float), [member[:, 1] for member in members]
    counts, stack = np.array([1.0, 0.0, 2.0, 0.0]), np.stack(members)
    judged = ensemble._judge(metric, target, stack)(counts, np.arange(4))
    slow = [metric.score(target, (np.tensordot(counts, stack, axes=1) + member) / 4) for member in stack]
    assert judged == pytest.approx(slow, abs=1e-5)


def test_of_equal_members_the_one_already_in_is_taken():
    truth = np.arange(50.0)
    weights = ensemble.greedy([truth + 1, truth + 1, truth + 1], truth, resolve("rmse"))
    assert sorted(weights) == [0, 0, 1]


def test_a_perfect_member_takes_it_all():
    target, members = binary_members(300, 5)
    weights = ensemble.greedy([*members, np.eye(2)[target]], target, resolve("log_loss"), bags=0)
    assert weights[-1] == 1


def test_bagging_helps_on_new_rows_when_there_are_few():
    gains = []
    for seed in range(12):
        target, members = binary_members(4060, 14, seed)
        metric, few = resolve("log_loss"), slice(0, 60)
        value = {
            bags: metric.score(
                target[60:],
                mix(ensemble.greedy([m[few] for m in members], target[few], metric, bags=bags), members)[60:],
            )
            for bags in (0, 10)
        }
        gains.append(value[10] - value[0])
    assert np.mean(gains) > 0


def test_members_with_nan_get_no_weight_and_only_such_members_are_refused():
    truth = np.arange(20.0)
    assert ensemble.greedy([np.full(20, np.nan), truth], truth, resolve("mae")).tolist() == [0, 1]
    with pytest.raises(UsageError, match="NaN"):
        ensemble.greedy([np.full(20, np.nan)], truth, resolve("mae"))
    with pytest.raises(UsageError, match="at least one"):
        ensemble.greedy([], truth, resolve("mae"))
    with pytest.raises(UsageError, match="same rows"):
        ensemble.greedy([truth, truth[:5]], truth, resolve("mae"))


def test_no_more_members_than_asked_get_a_weight_and_the_seed_decides_alone():
    target, members = binary_members(300, 30)
    first, again = (ensemble.greedy(members, target, resolve("roc_auc"), seed=5, largest=4) for _ in range(2))
    assert np.count_nonzero(first) <= 4 and np.array_equal(first, again)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "rmse"])
def test_sixty_members_of_fifty_thousand_rows_take_less_than_two_seconds(name):
    target, members = binary_members(50_000, 60)
    if name == "rmse":
        target, members = target.astype(float), [member[:, 1] for member in members]
    resolve(name)(target[:10], members[0][:10])  # scikit-learn is imported
    start = time.process_time()
    weights = ensemble.greedy(members, target, resolve(name), rounds=40)
    assert time.process_time() - start < 2.0
    best = max(resolve(name).score(target, member) for member in members[:10])
    assert resolve(name).score(target, mix(weights, members)) > best


def test_on_few_rows_judged_by_labels_log_loss_has_half_of_the_say():
    target, members = binary_members(120, 6)
    by_label = ensemble.greedy(members, target, resolve("accuracy"), seed=3)
    by_loss = ensemble.greedy(members, target, resolve("log_loss"), seed=3)
    steady = ensemble.steady(members, target, resolve("accuracy"), seed=3)
    assert not np.allclose(by_label, by_loss)
    np.testing.assert_allclose(steady, (by_label + by_loss) / 2)


@pytest.mark.parametrize(("name", "rows"), [("accuracy", 1500), ("roc_auc", 120), ("log_loss", 120)])
def test_the_metric_alone_chooses_where_it_can(name, rows):
    target, members = binary_members(rows, 6)
    metric = resolve(name)
    assert (ensemble.steady(members, target, metric) == ensemble.greedy(members, target, metric)).all()


# -- temperature -------------------------------------------------------------------------------------------


def cooled(temperature, rows=20_000, seed=0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, 3)) * 1.5
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = (chance.cumsum(axis=1) > generator.random((rows, 1))).argmax(axis=1)
    sharp = np.exp(logits * temperature)
    return sharp / sharp.sum(axis=1, keepdims=True), target


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(true):
    probability, target = cooled(true)
    assert ensemble.temperature(probability, target) == pytest.approx(true, rel=0.05)


def test_the_temperature_agrees_with_scipy_on_log_loss():
    probability, target = cooled(1.7, rows=3000)

    def loss(temperature):
        powered = probability ** (1 / temperature)
        return log_loss(target, powered / powered.sum(axis=1, keepdims=True))

    found = minimize_scalar(loss, bounds=(0.3, 5), method="bounded").x
    assert ensemble.temperature(probability, target) == pytest.approx(found, rel=0.01)


def test_a_handful_of_right_rows_does_not_ask_for_certainty():
    probability = two_column(np.array([0.3, 0.2, 0.7, 0.8]))
    assert 0.2 < ensemble.temperature(probability, np.array([0, 0, 1, 1])) < 1.0


def test_marginals_have_a_temperature_too():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(5000, 3))
    target = (generator.random((5000, 3)) < 1 / (1 + np.exp(-logits))).astype(int)
    assert ensemble.temperature(1 / (1 + np.exp(-2 * logits)), target) == pytest.approx(2.0, rel=0.08)


def test_zero_probabilities_and_unseen_classes_do_not_break_it():
    assert 0 < ensemble.temperature(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1, -2])) <= 10.0


# -- thresholds --------------------------------------------------------------------------------------------


def rare(rows=4000, seed=0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(-2.5, 1.2, rows)
    chance = 1 / (1 + np.exp(-logits))
    return (generator.random(rows) < chance).astype(int), two_column(chance)


def test_the_threshold_for_f1_comes_near_the_best_one_and_holds_on_new_rows():
    target, probability = rare()
    decision = ensemble.threshold(resolve("f1"), probability, target)
    best = max(f1_score(target, probability[:, 1] >= cut) for cut in np.linspace(0.05, 0.6, 111))
    assert f1_score(target, ensemble.decide(probability, decision)) > best - 0.02
    target, probability = rare(seed=1)
    assert resolve("f1")(target, probability, decision) > resolve("f1")(target, probability) + 0.03


@pytest.mark.parametrize("name", ["balanced_accuracy", "kappa", "mcc", "f1_macro"])
def test_thresholds_of_other_metrics_gain_over_one_half(name):
    target, probability = rare()
    decision = ensemble.threshold(resolve(name), probability, target)
    assert resolve(name)(target, probability, decision) > resolve(name)(target, probability)


@pytest.mark.parametrize("name", ["balanced_accuracy", "kappa", "mcc", "f1", "f1_macro", "f1_micro"])
def test_the_scores_of_all_cuts_rank_them_as_the_metric_does(name):
    target, probability = rare(60)
    order = np.argsort(probability[:, 1])
    positive, cuts = (target[order] == 1).astype(float), np.arange(1, 60)
    fast = ensemble._cut_scores(name, positive, 1 - positive, cuts)
    slow = [resolve(name)(target[order], (np.arange(60) >= cut).astype(int)) for cut in cuts]
    assert np.argmax(fast) == np.argmax(slow)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy", "brier"])
def test_metrics_that_need_no_threshold_get_none(name):
    target, probability = rare()
    assert ensemble.threshold(resolve(name), probability, target) == {}


def test_average_precision_decides_by_f1():
    target, probability = rare()
    assert ensemble.threshold(resolve("pr_auc"), probability, target) == ensemble.threshold(
        resolve("f1"), probability, target
    )


def test_many_classes_get_weights_that_gain_on_new_rows():
    def sample(seed):
        generator = np.random.default_rng(seed)
        prior = np.array([0.85, 0.1, 0.05])
        target = generator.choice(3, 6000, p=prior)
        likelihood = np.exp(np.eye(3)[target] * 1.5 + generator.normal(size=(6000, 3)))
        chance = likelihood * prior
        return target, chance / chance.sum(axis=1, keepdims=True)

    metric, (target, probability) = resolve("balanced_accuracy"), sample(0)
    decision = ensemble.threshold(metric, probability, target)
    assert len(decision["weights"]) == 3
    target, probability = sample(1)
    assert metric(target, probability, decision) > metric(target, probability) + 0.05


def test_label_sets_get_one_threshold():
    generator = np.random.default_rng(0)
    chance = generator.beta(1, 4, (3000, 4))
    target = (generator.random((3000, 4)) < chance).astype(int)
    decision = ensemble.threshold(resolve("f1_micro"), chance, target)
    assert decision["threshold"] < 0.4
    assert resolve("f1_micro")(target, chance, decision) > resolve("f1_micro")(target, chance)


def test_numbers_and_constant_probabilities_have_no_threshold():
    assert ensemble.threshold(resolve("rmse"), np.zeros(4), np.zeros(4)) == {}
    assert ensemble.threshold(resolve("f1"), np.full((4, 2), 0.5), np.array([0, 1, 0, 1])) in (
        {},
        {"threshold": 0.5},
    )
