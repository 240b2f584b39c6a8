"""Explanations are right where the answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from perennial import analysis, metrics


@pytest.fixture
def task():
    generator = np.random.default_rng(0)
    n = 600
    inputs = {
        "f0001": generator.normal(size=n),
        "f0002": generator.integers(0, 3, n).astype(np.int32),
        "f0003": generator.normal(size=n),
    }
    target = 3.0 * inputs["f0001"] + generator.normal(scale=0.1, size=n)
    schema = SimpleNamespace(
        display_name=lambda field: {"f0001": "used", "f0002": "place", "f0003": "noise"}[field],
        level_names=lambda field: ["north", "south", "west"], classes=(),
    )  # fmt: skip
    return SimpleNamespace(inputs=inputs, target=target, rows=n, schema=schema, problem="regression")


def test_importance_finds_the_only_column_that_is_used(task):
    rows = np.arange(task.rows)
    found = analysis.importance(
        task, rows, lambda inputs: 3.0 * inputs["f0001"], metrics.resolve("rmse"), 60.0, 0
    )
    assert found[0]["column"] == "used" and found[0]["fall"] > 1.0
    assert all(abs(entry["fall"]) < 1e-9 for entry in found[1:])


def test_importance_agrees_with_scikit_learn_in_size(task):
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LinearRegression

    x = np.column_stack(list(task.inputs.values()))
    model = LinearRegression().fit(x, task.target)
    theirs = permutation_importance(
        model, x, task.target, scoring="neg_root_mean_squared_error", n_repeats=5, random_state=0
    )
    ours = analysis.importance(task, np.arange(task.rows), lambda inputs: model.predict(np.column_stack(list(inputs.values()))),
                               metrics.resolve("rmse"), 60.0, 0)  # fmt: skip
    assert ours[0]["fall"] == pytest.approx(theirs.importances_mean[0], rel=0.15)


def test_slices_name_the_group_that_is_predicted_badly(task):
    prediction = task.target + np.where(task.inputs["f0002"] == 1, 5.0, 0.01)
    loss = analysis.row_loss("regression", task.target, prediction)
    first = analysis.slices(task, np.arange(task.rows), loss)[0]
    assert (first["column"], first["value"]) == ("place", "south")
    assert first["n"] == int((task.inputs["f0002"] == 1).sum()) and first["low"] > first["overall"]


def test_without_a_bad_group_no_slice_is_accused(task):
    loss = np.ones(task.rows)
    assert analysis.slices(task, np.arange(task.rows), loss) == []


def test_the_worst_rows_come_first(task):
    prediction = task.target.copy()
    prediction[[7, 3]] += [10.0, 20.0]
    rows = np.arange(task.rows)
    loss = analysis.row_loss("regression", task.target, prediction)
    shown = analysis.worst(task, rows, task.target, prediction, loss)
    assert [entry["row"] for entry in shown[:2]] == [3, 7]


def test_residual_quantiles_are_those_of_numpy(task):
    error = np.random.default_rng(1).normal(size=task.rows)
    found = analysis.residuals(task.target, task.target + error)
    assert found["quantiles"]["0.95"] == pytest.approx(np.quantile(error, 0.95))


def test_confusion_counts_true_rows_and_predicted_columns():
    task = SimpleNamespace(schema=SimpleNamespace(classes=("no", "yes")), problem="binary")
    target = np.array([0, 0, 1, 1, 1])
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9], [0.8, 0.2]])
    assert analysis.confusion(task, target, probability, None)["counts"] == [[1, 1], [1, 2]]
