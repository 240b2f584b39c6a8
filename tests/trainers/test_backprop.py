"""Networks are fitted on time, from one seed, and say where they diverge."""

import math
import time

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from perennial.errors import Diverged, ProgramError
from perennial.lang import Call, FitContext, Lambda, Literal, Var, call
from perennial.lang.types import Dist, Real, Tensor
from perennial.primitives import vocabulary
from perennial.trainers import Backprop, Batch, Direct, resolve
from perennial.trainers.backprop import coslog4, fit_network

WORDS = vocabulary()


def network(**parameters):
    return Lambda(("x",), call(WORDS["mlp"], call(WORDS["standardise"], Var("x")), **parameters))


def fit(x, y, output, train_rows, program=None, **known):
    context = FitContext(output=output, train_rows=train_rows, types=(Tensor(x.shape[1]),), **known)
    program = program or network(width=64, steps=1500, dropout=0.1, weight_decay=0.02)
    return resolve(program).fit(program, Batch((x,), y, train_rows), context), context


def shuffled(data):
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.data[order].astype(float), data.target[order]


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_the_network_is_as_good_as_scikit_learns_on_small_sets(load):
    x, y = shuffled(load())
    n, k = 2 * len(y) // 3, int(y.max()) + 1
    fitted, _ = fit(x, y, Dist(k), n)
    scaled = StandardScaler().fit(x[:n])
    ours = log_loss(y[n:], fitted.predictions[n:], labels=range(k))
    for rival in (LogisticRegression(max_iter=2000), MLPClassifier((64,), max_iter=2000, random_state=0)):
        theirs = rival.fit(scaled.transform(x[:n]), y[:n]).predict_proba(scaled.transform(x[n:]))
        assert ours < log_loss(y[n:], theirs, labels=range(k)) + 0.05


def test_the_network_is_as_good_as_a_ridge_on_diabetes():
    x, y = shuffled(load_diabetes())
    n = 300
    fitted, _ = fit(x, y, Real, n)
    ridge = make_pipeline(StandardScaler(), Ridge()).fit(x[:n], y[:n]).predict(x[n:])
    assert np.sqrt(((fitted.predictions[n:] - y[n:]) ** 2).mean()) < 1.1 * np.sqrt(
        ((ridge - y[n:]) ** 2).mean()
    )


def test_a_network_learns_what_a_line_cannot():
    x = np.random.default_rng(0).uniform(-1, 1, (900, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    fitted, _ = fit(x, y, Dist(2), 600)
    assert (fitted.predictions[600:].argmax(axis=1) == y[600:]).mean() > 0.93


def test_the_deadline_is_kept_and_the_schedule_still_ends_there():
    x = np.random.default_rng(0).normal(size=(6000, 20))
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    program = network(steps=1_000_000, epochs=10_000)
    fit(x[:50], y[:50], Dist(2), 40, program=network(steps=10))  # imports are not part of the promise
    begin = time.monotonic()
    fitted, context = fit(x, y, Dist(2), 5000, program=program, deadline=begin + 2.0)
    assert time.monotonic() - begin < 3.0
    assert (fitted.predictions[5000:].argmax(axis=1) == y[5000:]).mean() > 0.9
    assert [point["step"] for point in context.curve] == sorted({point["step"] for point in context.curve})


def test_fidelity_scales_the_steps():
    x = np.random.default_rng(0).normal(size=(400, 3))
    program = network(steps=200, width=16)
    ends = []
    for fidelity in (1.0, 0.25):  # without validation rows nothing ends training early
        _, context = fit(x, x[:, 0] * 3, Real, 400, program=program, fidelity=fidelity)
        ends.append(context.curve[-1]["step"])
    assert ends == [200, 50]


def test_the_epoch_with_the_lowest_validation_loss_is_kept():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(150, 10)), generator.integers(0, 2, 150)
    fitted, context = fit(x, y, Dist(2), 100, program=network(steps=600))
    best = min(point["validation"] for point in context.curve)
    assert math.isclose(log_loss(y[100:], fitted.predictions[100:]), best, rel_tol=1e-4)
    assert context.curve[-1]["validation"] > best, "noise can be overfitted"


def test_training_stops_after_a_cycle_that_brought_nothing():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(300, 10)), generator.integers(0, 2, 300)
    _, context = fit(x, y, Dist(2), 200, program=network(steps=1500))
    assert context.curve[-1]["step"] < 1500


def test_a_rate_that_is_too_high_diverges_with_the_step_named():
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = np.where(np.arange(200) == 7, np.nan, x[:, 0])
    with pytest.raises(Diverged, match=r"step \d+"):
        fit(x, y, Real, 150, program=network(steps=200))


def test_rows_without_weight_are_not_learnt_from():
    x = np.random.default_rng(0).normal(size=(600, 2))
    y = (x[:, 0] > 0).astype(np.int64)
    poisoned = np.where(np.arange(600) < 200, 1 - y, y)
    weight = (np.arange(600) >= 200).astype(float)
    fitted, _ = fit(x, poisoned, Dist(2), 400, sample_weight=weight)
    assert (fitted.predictions[400:].argmax(axis=1) == y[400:]).mean() > 0.95


def test_a_class_that_the_training_rows_lack_has_its_column():
    x = np.random.default_rng(0).normal(size=(120, 2))
    fitted, _ = fit(x, np.zeros(120, np.int64), Dist(3), 100, program=network(steps=50))
    assert fitted.predictions.shape == (120, 3)
    assert np.isfinite(fitted.predictions).all()


def test_regression_stays_inside_the_range_of_the_training_target():
    x = np.random.default_rng(0).normal(size=(300, 2))
    y = x[:, 0]
    x[200:] *= 100
    fitted, _ = fit(x, y, Real, 200, program=network(steps=200))
    assert fitted.predictions.min() >= y[:200].min() and fitted.predictions.max() <= y[:200].max()


def test_the_schedule_has_four_cycles_of_doubling_length():
    values = np.array([coslog4(p) for p in np.linspace(0, 1, 15_001)])
    peaks = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])) + 1
    assert len(peaks) == 4
    assert values.max() <= 1.0 and values[[0, 1000, 3000, 7000, 15_000]].max() < 1e-9


def test_the_short_way_through_the_layers_gives_what_the_model_gives():
    import torch

    model = WORDS["mlp"].build((Tensor(5),), Dist(3), 0, width=16, dropout=0.2)
    model.get_layer("output").kernel.assign(np.random.default_rng(0).normal(size=(16, 3)))
    numbers, codes = torch.randn(7, 5), torch.zeros(7, 0, dtype=torch.int32)
    short = WORDS["mlp"].training_pass(model)([numbers, codes], lambda values, share: values)
    torch.testing.assert_close(short, model([numbers, codes], training=False))


def test_the_trainer_is_resolved_by_the_words_of_a_program():
    linear = Lambda(("x",), call(WORDS["linear"], Var("x")))
    assert isinstance(resolve(linear), Direct)
    assert isinstance(resolve(network()), Backprop)
    assert isinstance(resolve(Lambda(("x",), Var("x"))), Direct)
    assert not Direct().can_train(network())


def test_another_backend_is_refused_in_training(monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    x = np.zeros((4, 1))
    context = FitContext(output=Real, train_rows=4, types=(Tensor(1),))
    with pytest.raises(ProgramError, match="PyTorch"):
        fit_network(WORDS["mlp"], (x,), np.zeros(4), context, WORDS["mlp"].complete({}))


def test_parameters_of_a_network_may_come_from_literals():
    node = network(width=8).body
    assert isinstance(node, Call)
    assert dict(node.parameters)["width"] is Literal(8)
