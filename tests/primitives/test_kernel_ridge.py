"""Kernel ridge on few rows: what it leaves out, how sure it is, and how its landmarks are kept."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from perennial.lang import Dist, FitContext, Real, State, Tensor
from perennial.primitives import vocabulary
from perennial.primitives.learners.kernels import PENALTIES, _Closeness, _leave_one_out, _Products
from perennial.weights import Weights

KERNEL = vocabulary()["kernel_ridge"]


def digits(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """So many digits to learn from, and the others."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    x, y = x[order].astype(np.float32), y[order]
    return x[:rows], y[:rows], x[rows:], y[rows:]


def fit(x, y, output, rows=None, weights=None, **settings) -> State:
    told = FitContext(output=output, train_rows=len(x) if rows is None else rows, sample_weight=weights)
    return KERNEL.fit((x,), y, told, **settings)


@pytest.mark.parametrize("weighted", [False, True])
def test_leaving_a_row_out_is_fitting_without_it(weighted):
    generator = np.random.default_rng(0)
    x, wanted = generator.normal(size=(25, 3)), generator.normal(size=(25, 2))
    weights = generator.uniform(0.2, 3.0, 25) if weighted else np.ones(25)
    closeness = _Closeness.of(x[:12], 1.0)
    kept = _Products(closeness, 2)
    features = kept.features(x)
    kept.add(features, wanted, weights)
    penalty, scores = _leave_one_out(kept, features, wanted, weights)

    def left_out(row: int, penalty: float) -> np.ndarray:
        others = np.delete(np.arange(25), row)
        z, w = features[others], weights[others, None]
        matrix = z.T @ (w * z) + penalty * np.eye(z.shape[1])
        return features[row] @ np.linalg.solve(matrix, z.T @ (w * wanted[others]))

    by_hand = {each: np.array([left_out(row, each) for row in range(25)]) for each in PENALTIES}
    errors = {each: (weights[:, None] * (said - wanted) ** 2).sum() for each, said in by_hand.items()}
    assert penalty == min(errors, key=errors.get)
    np.testing.assert_allclose(scores, by_hand[penalty], atol=1e-5)


def test_rows_without_weight_say_nothing_and_are_harmless():
    x, y, others, _ = digits(150)
    weights = np.ones(150)
    weights[100:] = 0.0
    spoilt = y.copy()
    spoilt[100:] = 0
    told = [KERNEL.call(others, state=fit(x, each, Dist(10), weights=weights)) for each in (y, spoilt)]
    assert np.isfinite(told[0]).all()
    assert np.abs(told[0] - told[1]).max() < 0.15  # they still move the centre
    assert (told[0].argmax(axis=1) == told[1].argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("rows", [40, 100, 400])
def test_on_few_rows_its_probabilities_are_believable(rows):
    for seed in range(3):
        x, y, others, truth = digits(rows, seed)
        probability = KERNEL.call(others, state=fit(x, y, Dist(10)))
        accuracy = (probability.argmax(axis=1) == truth).mean()
        assert abs(probability.max(axis=1).mean() - accuracy) < 0.15
        assert log_loss(truth, probability, labels=np.arange(10)) < 4.0 * (1.0 - accuracy) + 0.1


def test_two_rows_are_enough_to_say_something():
    state = fit(np.array([[0.0], [1.0]]), np.array([0, 1]), Dist(2))
    assert KERNEL.call(np.array([[0.0], [1.0]]), state=state).argmax(axis=1).tolist() == [0, 1]


def test_a_column_that_never_changes_does_not_count():
    x, y, others, _ = digits(200)
    columns = [np.column_stack([each, np.full(len(each), 7.0, np.float32)]) for each in (x, others)]
    plain = KERNEL.call(others, state=fit(x, y, Dist(10)))
    np.testing.assert_allclose(KERNEL.call(columns[1], state=fit(columns[0], y, Dist(10))), plain, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_landmarks_in_8_bits_are_as_good_at_any_scale(scale):
    from sklearn.kernel_ridge import KernelRidge

    generator = np.random.default_rng(0)
    x = scale * generator.normal(size=(400, 3)) * [1.0, 100.0, 0.01]
    y = np.sin(2 * x[:, 0] / scale) + x[:, 1] / (100 * scale)
    x = x / x.std(axis=0) * scale
    state = fit(x, y, Real, rows=300, width=0.7)
    theirs = KernelRidge(alpha=1e-3, kernel="rbf", gamma=float(state.arrays["gamma"][0]))
    errors = [
        np.abs(told - y[300:]).mean()
        for told in (KERNEL.call(x[300:], state=state), theirs.fit(x[:300], y[:300]).predict(x[300:]))
    ]
    assert errors[0] < 1.2 * errors[1] + 0.01, errors


def test_a_row_far_out_does_not_blur_the_others():
    generator = np.random.default_rng(0)
    x = generator.uniform(-3, 3, (600, 1))
    y = np.sin(2 * x[:, 0])
    x[7], y[7] = 1e4, 0.0
    state = fit(x, y, Real, rows=500, landmarks=500, width=0.3)
    assert np.abs(KERNEL.call(x[500:], state=state) - y[500:]).mean() < 0.05


def test_its_weights_take_little_more_than_a_byte_a_landmark_and_column():
    x, y, _, _ = digits(1000)
    state = fit(x, y, Dist(10), landmarks=500)
    assert state.arrays["levels"].dtype == np.int8 and state.arrays["levels"].shape == (500, 64)
    assert len(Weights({"kernel": state}).to_bytes()) < 500 * (64 + 4 * 10) + 4096


def test_weights_from_before_the_8_bits_are_read():
    x, y, others, _ = digits(200)
    state = fit(x, y, Dist(10))
    told = dict(state.arrays)
    levels, step = told.pop("levels"), told.pop("step")
    old = State({**told, "points": (levels * step).astype(np.float32)}, state.texts)
    np.testing.assert_array_equal(KERNEL.call(others, state=old), KERNEL.call(others, state=state))


def test_several_targets_are_learnt_together():
    generator = np.random.default_rng(1)
    x = generator.uniform(-1, 1, (500, 2))
    y = np.column_stack([np.sin(3 * x[:, 0]), 1000.0 * x[:, 1] ** 2])
    told = KERNEL.call(x[400:], state=fit(x, y, Tensor(2), rows=400, width=0.5))
    assert (np.abs(told - y[400:]).mean(axis=0) < 0.03 * y.std(axis=0)).all()
