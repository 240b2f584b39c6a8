"""The loop: any network is trained by its recipe, goes on where it stopped, and keeps its time."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from perennial.errors import DamagedFile, Diverged, ProgramError
from perennial.lang import FitContext, State
from perennial.lang.types import Dist, Marginals, Real, Tensor
from perennial.testing.networks import KerasNetwork
from perennial.trainers.backprop import fit_network
from perennial.trainers.descent import loop as loop_module
from perennial.trainers.descent import machine
from perennial.trainers.descent.losses import loss
from perennial.trainers.descent.machine import multiplications, precision, threads_for
from perennial.trainers.descent.recipe import Recipe
from perennial.weights import Weights

NODE, THREE = "ab12", Dist(3)


def small_cnn(shape, outputs):
    import keras
    from keras import layers

    pixels = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, -1.0)(pixels)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
    return keras.Model(pixels, layers.Dense(outputs, name="last")(x))


def perceptron(shape, outputs):
    import keras
    from keras import layers

    given = keras.Input(shape)
    x = layers.Flatten()(given) if len(shape) > 1 else given
    x = layers.Dense(16, "relu", name="first")(x)
    return keras.Model(given, layers.Dense(outputs, name="last")(x))


class Dropping(KerasNetwork):
    """Leaves out a tenth of the pixels, by the trainer's draws."""

    def training_pass(self, model):
        through = super().training_pass(model)
        return lambda inputs, drop: through(
            inputs if drop is None else [drop(values.float(), 0.1) for values in inputs], drop
        )


def stripes(n=240, side=8, seed=0):
    """Bytes: upright stripes are class 0, lying ones class 1, noise class 2."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, n)
    images = generator.integers(0, 120, (n, side, side, 1))
    upright, lying = (
        (np.arange(side) % 2 * 100).reshape(1, 1, side, 1),
        (np.arange(side) % 2 * 100).reshape(1, side, 1, 1),
    )
    images = images + np.where(target == 0, 1, 0)[:, None, None, None] * upright
    images = images + np.where(target == 1, 1, 0)[:, None, None, None] * lying
    return images.astype(np.uint8), target


def settings(**more):
    told = {"learning_rate": 0.02, "epochs": 12, "batch": 32, "schedule": "one_cycle", "weight_decay": 0.01}
    return told | more


def fit(word, x, y, train_rows, output=THREE, **known):
    context = FitContext(
        output=output, train_rows=train_rows, types=(Tensor(*x.shape[1:]),), node=NODE, **known
    )
    return fit_network(word, (x,), y, context, {}), context


def same(first, second):
    return set(first.arrays) == set(second.arrays) and all(
        np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays
    )


RECIPES = {
    "adam": {},
    "sgd": {"optimiser": "sgd", "learning_rate": 0.1},
    "cosine with an average": {"schedule": "cosine", "ema": 0.95},
    "clipped and smoothed": {"clip": 1.0, "label_smoothing": 0.1},
    "constant": {"schedule": "constant", "learning_rate": 0.01},
    "augmented": {"shift": 0.13, "flip": True, "cutout": 0.25, "trivial": 0.1, "epochs": 20},
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_bytes_of_images_are_learnt_from_with_every_recipe(recipe):
    x, y = stripes()
    word = KerasNetwork(small_cnn, **settings(**recipe))
    state, _ = fit(word, x, y, 180)
    assert (word.call(x[180:], state=state).argmax(axis=1) == y[180:]).mean() > 0.85


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_rows_of_any_rank_are_learnt_from(rank):
    x = np.random.default_rng(0).normal(size=(200, *(2,) * rank)).astype(np.float32)
    y = x.reshape(200, -1).sum(axis=1)
    word = KerasNetwork(perceptron, **settings(epochs=60))
    state, _ = fit(word, x, y, 150, Real)
    predicted = word.call(x[150:], state=state)[:, 0] * state.arrays["target"][1] + state.arrays["target"][0]
    assert np.corrcoef(predicted, y[150:])[0, 1] > 0.9


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(recipe, monkeypatch):
    """Also through bytes on disk; a step of dropout, augmentation or a moment that was lost would show."""
    monkeypatch.setattr(loop_module, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    x, y = stripes()
    word = Dropping(small_cnn, **settings(**recipe) | {"epochs": 20, "batch": 16, "patience": 0})
    whole, told = fit(word, x, y, 180)

    class Interrupting(list):
        def append(self, point):
            if point["step"] > 100:
                raise KeyboardInterrupt
            super().append(point)

    left: dict = {}
    with pytest.raises(KeyboardInterrupt):
        fit(word, x, y, 180, checkpoints=left, curve=Interrupting())
    stored = Weights.from_bytes(Weights(left).to_bytes())
    rest, again = fit(word, x, y, 180, resume=stored)
    assert same(whole, rest)
    assert again.curve == told.curve[-len(again.curve) :] and 0 < len(again.curve) < len(told.curve)


def test_more_steps_are_spent_after_those_that_were_made_and_never_the_same_again():
    x, y = stripes()
    word = KerasNetwork(small_cnn, **settings(epochs=27, patience=0))
    left: dict = {}
    steps = []
    for fidelity in (1 / 9, 1 / 3, 1.0):
        _, context = fit(word, x, y, 180, fidelity=fidelity, resume=dict(left), checkpoints=left)
        steps.append([point["step"] for point in context.curve])
    assert [made[-1] for made in steps] == [33, 99, 297]
    assert steps[1][0] > 33 and steps[2][0] > 99


def test_a_finished_training_that_is_resumed_gives_what_it_gave():
    x, y = stripes()
    word = KerasNetwork(small_cnn, **settings(epochs=4))
    left: dict = {}
    first, _ = fit(word, x, y, 180, checkpoints=left)
    second, context = fit(word, x, y, 180, resume=left)
    assert same(first, second) and len(context.curve) == 1


def test_a_training_that_was_in_vain_is_not_made_again():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(200, 6)).astype(np.float32), generator.integers(0, 2, 200)
    word = KerasNetwork(perceptron, **settings(epochs=200, patience=0.1))
    left: dict = {}
    first, _ = fit(word, x, y, 120, Dist(2), checkpoints=left)
    second, context = fit(word, x, y, 120, Dist(2), resume=left)
    assert same(first, second) and len(context.curve) == 1


def test_more_rows_begin_a_fresh_epoch_from_the_weights_that_are_there():
    x, y = stripes(400)
    word = KerasNetwork(small_cnn, **settings(epochs=10))
    left: dict = {}
    fit(word, x[:150], y[:150], 100, checkpoints=left)
    _, context = fit(word, x, y, 300, resume=left)
    assert context.curve[0]["train"] < 0.9 * math.log(3)


def test_a_checkpoint_of_another_network_or_of_none_is_refused():
    x, y = stripes(60)
    left: dict = {}
    fit(KerasNetwork(perceptron, **settings(epochs=1)), x, y, 40, checkpoints=left)
    with pytest.raises(DamagedFile, match="shapes"):
        fit(KerasNetwork(small_cnn, **settings(epochs=1)), x, y, 40, resume=left)
    with pytest.raises(DamagedFile, match="no checkpoint"):
        fit(KerasNetwork(small_cnn), x, y, 40, resume={NODE: State({}, {"training": "{}"})})


def test_training_starts_from_the_weights_that_are_given():
    x, y = stripes()
    word = KerasNetwork(small_cnn, **settings())
    learnt, told = fit(word, x, y, 180)
    _, context = fit(word, x, y, 180, initial={NODE: learnt}, deadline=time.monotonic() - 1)
    assert context.curve[0]["validation"] == min(point["validation"] for point in told.curve)


def test_the_averaged_weights_are_the_mean_that_the_formula_gives():
    x, y = stripes(64)
    word = KerasNetwork(small_cnn, **settings(epochs=1, batch=16, ema=0.9, schedule="constant"))
    left: dict = {}
    states = []
    for steps in range(1, 5):
        word.settings["steps"] = steps
        fit(word, x, y, 64, checkpoints=left)
        states.append(dict(left[NODE].arrays))
    start = word.build((Tensor(8, 8, 1),), Dist(3), 0)
    mean = [variable.value.detach().numpy() for variable in start.weights]
    for step, arrays in enumerate(states):
        kept = min(0.9, (1 + step) / (10 + step))
        mean = [kept * old + (1 - kept) * arrays[f"weights/{n:04d}"] for n, old in enumerate(mean)]
    for number, expected in enumerate(mean):
        assert np.allclose(states[-1][f"average/{number:04d}"], expected, atol=1e-6)
        assert np.allclose(states[-1][f"best/{number:04d}"], expected, atol=1e-6)


def test_the_deadline_is_kept_by_a_slow_network_and_its_schedule_ends_there():
    x, y = stripes(600, side=24)
    word = KerasNetwork(small_cnn, **settings(epochs=1000))
    fit(word, x[:40], y[:40], 30, deadline=time.monotonic() + 0.5)  # imports are not part of the promise
    left: dict = {}
    begin = time.monotonic()
    _, context = fit(word, x, y, 500, deadline=begin + 3.0, checkpoints=left)
    assert 1.5 < time.monotonic() - begin < 3.5
    assert context.curve[-1]["step"] >= 0.8 * json_of(left)["end"]


def json_of(left):
    import json

    return json.loads(left[NODE].texts["training"])["progress"]


def test_a_nan_in_the_images_is_reported_with_the_step():
    x = np.random.default_rng(0).normal(size=(60, 8, 8, 1)).astype(np.float32)
    x[5] = np.nan
    with pytest.raises(Diverged, match=r"step \d"):
        fit(KerasNetwork(small_cnn, **settings()), x, np.arange(60) % 3, 50)


def test_patience_ends_training_that_brings_nothing():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(200, 6)).astype(np.float32), generator.integers(0, 2, 200)
    word = KerasNetwork(perceptron, **settings(epochs=200, patience=0.1))
    _, context = fit(word, x, y, 120, Dist(2))
    assert context.curve[-1]["step"] < 0.7 * 200 * (120 // 16)


def test_validation_never_runs_on_all_rows_at_once(monkeypatch):
    seen = []

    class Watching(KerasNetwork):
        def training_pass(self, model):
            through = super().training_pass(model)

            def watch(inputs, drop):
                seen.append((drop is None, len(inputs[0]), inputs[0].element_size()))
                return through(inputs, drop)

            return watch

    largest = 8 * 8 * 8  # what the convolution gives for one image
    monkeypatch.setitem(machine.NUMBERS_AT_ONCE, "cpu", 10 * largest)
    x, y = stripes()
    fit(Watching(small_cnn, **settings(epochs=2)), x, y, 180)
    assert {rows for validating, rows, _ in seen if validating} == {10}
    assert {width for _, _, width in seen} == {1}, "images stay bytes until they enter the network"


def test_weights_of_rows_count_in_batches_and_validation():
    x, y = stripes()
    poisoned = np.where(np.arange(240) < 90, (y + 1) % 3, y)
    weight = (np.arange(240) >= 90).astype(float)
    word = KerasNetwork(small_cnn, **settings(epochs=40))
    state, _ = fit(word, x, poisoned, 180, sample_weight=weight)
    assert (word.call(x[180:], state=state).argmax(axis=1) == y[180:]).mean() > 0.8


def test_labels_and_numbers_are_predicted_from_images_too():
    x, y = stripes()
    labels = np.stack([y == 0, y == 1], axis=1).astype(int)
    word = KerasNetwork(small_cnn, **settings())
    state, _ = fit(word, x, labels, 180, Marginals(2))
    assert ((word.call(x[180:], state=state) > 0) == labels[180:]).mean() > 0.85


def test_arrays_that_may_not_be_written_to_are_read():
    x, y = stripes(60)
    x.flags.writeable = False
    fit(KerasNetwork(small_cnn, **settings(epochs=1)), x, y, 40)


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimiser": "lion"},
        {"schedule": "steps"},
        {"learning_rate": 0.0},
        {"ema": 1.5},
        {"colour": 1},
        {"clip": -1.0},
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ProgramError, match=next(iter(wrong))):
        Recipe.of(wrong)


def test_losses_are_what_scikit_learn_and_numpy_compute():
    import torch
    from sklearn.metrics import log_loss

    generator = np.random.default_rng(0)
    raw, truth, weights = generator.normal(size=(9, 4)), np.arange(9) % 4, generator.random(9)
    shares = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    labels = generator.integers(0, 2, (9, 4))
    given = [torch.from_numpy(np.asarray(array, np.float32)) for array in (raw, labels, weights)]
    classes = torch.from_numpy(truth)
    assert math.isclose(loss("Dist", given[0], classes, None, 0.0), log_loss(truth, shares), rel_tol=1e-5)
    weighted = log_loss(truth, shares, sample_weight=weights)
    assert math.isclose(loss("Dist", given[0], classes, given[2], 0.0), weighted, rel_tol=1e-5)
    smooth = 0.8 * np.eye(4)[truth] + 0.2 / 4
    smoothed = -(smooth * np.log(shares)).sum(axis=1).mean()
    assert math.isclose(loss("Dist", given[0], classes, None, 0.2), smoothed, rel_tol=1e-5)
    odds = 1 / (1 + np.exp(-raw))
    expected = -(labels * np.log(odds) + (1 - labels) * np.log(1 - odds)).mean()
    assert math.isclose(loss("Marginals", given[0], given[1], None, 0.0), expected, rel_tol=1e-5)
    squared = ((raw - labels) ** 2).mean()
    assert math.isclose(loss("Tensor", given[0], given[1], None, 0.0), squared, rel_tol=1e-5)


def test_small_networks_use_one_thread_and_processors_no_half_precision():
    import torch

    model = small_cnn((8, 8, 1), 3)
    assert multiplications(model) == 64 * (9 * 8 + 2 * 8) + 8 * 3 + 3
    assert threads_for(128, multiplications(model), 4) == 1 and threads_for(128, 1e8, 4) == 4
    x = torch.ones(2, 2)
    with precision(torch.device("cpu")):
        assert (x @ x).dtype == torch.float32


def test_one_seed_gives_one_training_and_another_seed_another():
    x, y = stripes()
    word = KerasNetwork(small_cnn, **settings(epochs=2, flip=True, cutout=0.3, trivial=1.0))
    first, context = fit(word, x, y, 180, seed=1)
    second = fit_network(word, (x,), y, replace(context, curve=[]), {})
    assert same(first, second) and not same(first, fit(word, x, y, 180, seed=2)[0])
