"""The unit of work: what is trained, what is scored, and that held-out rows teach nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from perennial.errors import Diverged
from perennial.evaluate import Bench, derive_seed, evaluate, pace, predict, unpack_array
from perennial.metrics import resolve
from perennial.protocol import Protocol
from perennial.task import Task

LINEAR = "lambda row: linear(numbers(row), penalty=1.0)"
TREES = "lambda row: extra_trees(numbers(row), trees=10)"


@pytest.fixture(scope="module")
def bench():
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(200, 3))
    target = numbers @ [1.0, -2.0, 0.5] + generator.normal(0, 0.3, 200)
    task = Task.from_data((numbers, target))
    return Bench(task, Protocol.propose(task, kind="kfold", folds=4), resolve("rmse"))


def test_out_of_fold_predictions_are_those_of_scikit_learn_on_the_same_folds(bench):
    outcome = evaluate(bench, source=LINEAR, seed=0)
    numbers = np.column_stack(list(bench.task.inputs.values()))
    expected = np.empty(len(numbers))
    for train, validation in bench.protocol.folds(bench.task, np.arange(len(numbers))):
        model = Ridge(alpha=1.0).fit(numbers[train], bench.task.target[train])
        expected[validation] = model.predict(numbers[validation])
    assert np.allclose(outcome.predictions, expected, atol=0.02)
    assert outcome.value == pytest.approx(-outcome.score)
    assert len(outcome.scores) == len(outcome.blobs) == 4 and outcome.covered.tolist() == list(range(200))


def test_targets_of_held_out_rows_change_nothing_but_the_score(bench):
    fixed = SimpleNamespace(folds=lambda task, rows, seed=None: [(rows[:150], rows[150:])])
    spoilt = bench.task.target.copy()
    spoilt[150:] += 100.0
    bench = replace(bench, protocol=fixed)
    other = replace(bench, task=replace(bench.task, target=spoilt))
    one, two = (evaluate(each, source=TREES, seed=0, fold_limit=1) for each in (bench, other))
    assert np.array_equal(one.predictions, two.predictions) and one.score > two.score


def test_the_same_seed_gives_the_same_weights_and_another_does_not(bench):
    one, two, three = (evaluate(bench, source=TREES, seed=seed, fold_limit=1) for seed in (0, 0, 1))
    assert one.blobs == two.blobs != three.blobs


def test_weights_come_back_only_when_they_are_worth_keeping(bench):
    assert evaluate(bench, source=LINEAR, seed=0, fold_limit=1, keep_above=0.0).blobs == ()


def test_a_low_fidelity_learns_from_fewer_rows_and_costs_one_fold(bench):
    full, part = evaluate(bench, source=LINEAR, seed=0), evaluate(bench, source=LINEAR, seed=0, fidelity=0.4)
    assert len(part.scores) == 1 and len(part.covered) < len(full.covered)
    assert part.predictions.tolist() != full.predictions[: len(part.covered)].tolist()


def test_fresh_folds_hold_out_other_rows(bench):
    first = [
        evaluate(bench, source=LINEAR, seed=0, fold_seed=seed, fold_limit=1).covered for seed in (None, 1, 2)
    ]
    assert len({tuple(rows) for rows in first}) == 3


def test_fold_models_predict_as_their_mean(bench):
    outcome = evaluate(bench, source=LINEAR, seed=0)
    alone = [predict(bench, source=LINEAR, blobs=(blob,), inputs=bench.task.inputs) for blob in outcome.blobs]
    together = predict(bench, source=LINEAR, blobs=outcome.blobs, inputs=bench.task.inputs)
    assert np.allclose(together, np.mean(alone, axis=0))


def test_loading_and_rows_are_timed_apart(bench, monkeypatch):
    blob, seconds = evaluate(bench, source=LINEAR, seed=0).blobs[0], iter([0.0, 2.0, 2.6])
    monkeypatch.setattr("perennial.evaluate.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    assert pace(bench, source=LINEAR, blob=blob) == (2.0, pytest.approx(0.6 / 200))


def test_predictions_that_are_no_numbers_are_a_divergence(bench):
    broken = replace(
        bench, task=replace(bench.task, inputs={**bench.task.inputs, "f0001": np.full(200, np.inf)})
    )
    with pytest.raises((Diverged, ValueError)):
        evaluate(broken, source=LINEAR, seed=0)


def test_seeds_depend_on_their_parts_alone():
    assert derive_seed(1, None) == derive_seed(1, None) != derive_seed(1, 0)
    assert 0 <= derive_seed("x") < 2**31


def test_stored_arrays_may_not_hold_objects():
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="[Oo]bject arrays"):
        unpack_array(buffer.getvalue())
