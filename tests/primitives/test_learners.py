"""Statistical learners against the libraries they stand on, and what a damaged state does."""

import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from perennial.errors import DamagedFile, TypeMismatch
from perennial.lang import Categories, Dist, FitContext, Marginals, Real, Record, State, Tensor
from perennial.primitives import vocabulary
from perennial.testing.words import ROWS, TRAIN, easy_target, table

WORD = vocabulary()
FORESTS = {
    "extra_trees": (ExtraTreesClassifier, ExtraTreesRegressor),
    "random_forest": (RandomForestClassifier, RandomForestRegressor),
}


def context(output, rows=TRAIN, **more):
    return FitContext(output=output, train_rows=rows, seed=1, **more)


def fit(name, values, target, about, **parameters):
    parameters = WORD[name].complete(parameters)
    inputs = values if isinstance(values, tuple) else (values,)
    state = WORD[name].fit(inputs, target, about, **parameters)
    return state, WORD[name].call(*inputs, state=state, **parameters)


@pytest.mark.parametrize("output", [Dist(3), Real, Tensor(2), Marginals(3)], ids=str)
@pytest.mark.parametrize("name", FORESTS)
def test_a_forest_rebuilt_from_its_state_is_that_of_scikit_learn(name, output):
    values, target = table(missing=True), easy_target(output)
    _, ours = fit(name, values, target, context(output), trees=30, min_rows=2, max_features=0.5)
    kind = FORESTS[name][output.name != "Dist"]
    model = kind(n_estimators=30, min_samples_leaf=2, max_features=0.5, random_state=1).fit(
        values[:TRAIN], target[:TRAIN]
    )
    theirs = model.predict_proba(values) if output.name == "Dist" else model.predict(values)
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize(
    "name, change",
    [
        ("right", lambda array: array + 10_000),
        ("right", lambda array: np.zeros_like(array)),
        ("right", lambda array: array[:-1]),
        ("feature", lambda array: array + 5),
        ("feature", lambda array: array - 10),
        ("value", lambda array: array[:-1]),
        ("inner", lambda array: array[:-1]),
        ("sizes", lambda array: -array),
        ("classes", lambda array: array + 7),
    ],
)
def test_a_forest_that_points_outside_its_arrays_is_refused(name, change):
    values, target = table(), easy_target(Dist(3))
    state, _ = fit("extra_trees", values, target, context(Dist(3)), trees=10)
    damaged = State({**state.arrays, name: change(state.arrays[name])}, state.texts)
    with pytest.raises(DamagedFile):
        WORD["extra_trees"].call(values, state=damaged)


def test_a_forest_of_many_rows_stays_small():
    generator = np.random.default_rng(0)
    values, target = generator.normal(size=(20_000, 2)), generator.normal(size=20_000)
    state, _ = fit("extra_trees", values, target, context(Real, 20_000), trees=200, max_features=1.0)
    assert sum(array.nbytes for array in state.arrays.values()) < 25e6


def test_logistic_and_ridge_agree_with_scikit_learn():
    values, target = table(), easy_target(Dist(3))
    _, ours = fit("linear", values, target, context(Dist(3)), penalty=0.5)
    theirs = LogisticRegression(C=2.0, max_iter=300).fit(values[:TRAIN], target[:TRAIN]).predict_proba(values)
    assert ours == pytest.approx(theirs, abs=2e-3)
    number = easy_target(Tensor(2))
    _, ours = fit("linear", values, number, context(Tensor(2)), penalty=3.0)
    assert ours == pytest.approx(Ridge(alpha=3.0).fit(values[:TRAIN], number[:TRAIN]).predict(values))


@pytest.mark.parametrize("columns", [TRAIN, TRAIN + 1, 5 * TRAIN])
def test_of_more_columns_than_rows_the_lines_are_those_of_scikit_learn(columns):
    generator = np.random.default_rng(3)
    target = easy_target(Dist(3))
    values = generator.normal(size=(len(target), columns)) + 0.3 * target[:, None]
    state, ours = fit("linear", values, target, context(Dist(3)), penalty=2.0)
    assert state.arrays["coefficients"].shape == (columns, 3)
    exact = LogisticRegression(C=0.5, max_iter=5000, tol=1e-9).fit(values[:TRAIN], target[:TRAIN])

    def objective(coefficients, probability):
        losses = -np.log(probability[np.arange(TRAIN), target[:TRAIN]])
        return losses.sum() + 0.5 * 2.0 * (coefficients**2).sum()

    least = objective(exact.coef_, exact.predict_proba(values[:TRAIN]))
    assert least <= objective(state.arrays["coefficients"], ours[:TRAIN]) <= 1.001 * least
    assert ours == pytest.approx(exact.predict_proba(values), abs=0.05)
    number = easy_target(Tensor(2))
    _, ours = fit("linear", values, number, context(Tensor(2)), penalty=3.0)
    assert ours == pytest.approx(Ridge(alpha=3.0).fit(values[:TRAIN], number[:TRAIN]).predict(values))


def test_linear_takes_sparse_terms():
    values, target = table() * (table(seed=1) > 0), easy_target(Dist(2))
    _, dense = fit("linear", values, target, context(Dist(2)))
    _, thin = fit("linear", sparse.csr_matrix(values), target, context(Dist(2)))
    assert thin == pytest.approx(dense, abs=5e-3)


@pytest.mark.parametrize("begin", [1.0, 1e4])
def test_the_path_finds_a_better_penalty_than_where_it_began(begin):
    generator = np.random.default_rng(0)
    values = generator.normal(size=(300, 60))
    target = values[:, 0] + 2.0 * generator.normal(size=300)
    about = context(Real, 150)
    errors = {}
    for path in (False, True):
        _, predicted = fit("linear", values, target, about, penalty=begin, path=path)
        errors[path] = ((predicted[150:] - target[150:]) ** 2).mean()
    assert errors[True] < errors[False]
    losses = [point["validation"] for point in about.curve]
    assert losses[-2] == min(losses) or losses[-1] == min(losses)


def test_linear_numbers_stay_near_those_seen():
    values = np.linspace(0, 1, 50)[:, None]
    state, _ = fit("linear", values, values[:, 0], context(Real, 50), penalty=1e-6)
    assert WORD["linear"].call(np.array([[1e6]]), state=state)[0] == pytest.approx(1.5)


def test_nearest_neighbours_agree_with_scikit_learn():
    values, target = table(), easy_target(Dist(3))
    _, ours = fit("k_nearest", values, target, context(Dist(3)), neighbours=7, sharpness=0.0)
    theirs = KNeighborsClassifier(7).fit(values[:TRAIN], target[:TRAIN]).predict_proba(values)
    share = np.bincount(target[:TRAIN], minlength=3) / TRAIN
    assert ours == pytest.approx((7 * theirs + share) / 8, abs=1e-6)


@pytest.mark.parametrize("name", ["lightgbm", "extra_trees", "linear"])
def test_a_learner_is_about_as_good_as_its_library_on_real_data(name):
    data = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.target))
    values, target = (
        (data.data[order] - data.data.mean(0)) / data.data.std(0),
        data.target[order].astype(np.int64),
    )
    _, predicted = fit(name, values, target, context(Dist(2), 400))
    assert roc_auc_score(target[400:], predicted[400:, 1]) > 0.98


def test_boosting_on_diabetes_stops_early_and_beats_the_mean():
    data = load_diabetes()
    about = context(Real, 300)
    state, predicted = fit("lightgbm", data.data, data.target, about)
    assert (
        0.3 * data.target.std()
        < np.sqrt(((predicted[300:] - data.target[300:]) ** 2).mean())
        < 0.85 * data.target.std()
    )
    assert about.curve[0]["validation"] > min(point["validation"] for point in about.curve)
    assert state.texts["booster0"].count("\nTree=") < 300


def test_boosting_splits_categories_by_sets_and_passes_over_unseen_ones():
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 12, 600).astype(np.int32)
    target = np.isin(codes, [1, 4, 7, 10]).astype(np.int64)
    record = {"f0001": codes}
    assert str(WORD["lightgbm"].infer(Record({"f0001": Categories(12)}))).startswith("prediction")
    state, predicted = fit(
        "lightgbm", (record,), target, context(Dist(2), 500), leaves=2, rounds=50, learning_rate=0.3
    )
    assert ((predicted[:, 1] > 0.5) == target).all()
    odd = WORD["lightgbm"].call({"f0001": np.array([-1, -2, 99], dtype=np.int32)}, state=state)
    assert np.isfinite(odd).all()


def test_boosting_keeps_the_best_round_when_the_deadline_comes_first():
    generator = np.random.default_rng(0)
    values, target = generator.normal(size=(3_000, 20)), generator.normal(size=3_000)  # nothing to learn
    about = context(Real, 2_000, deadline=time.monotonic() + 0.5)
    state, _ = fit("lightgbm", values, target, about, rounds=10_000, learning_rate=0.005, leaves=200)
    assert state.texts["booster0"].count("\nTree=") < 100


def test_learners_that_need_tensors_say_so():
    with pytest.raises(TypeMismatch, match="takes tensors"):
        WORD["linear"].infer(Record({"f0001": Categories(3)}))
    with pytest.raises(TypeMismatch, match="at least one"):
        WORD["k_nearest"].infer()


def test_rows_of_the_contract_are_what_the_tests_assume():
    assert ROWS > TRAIN
