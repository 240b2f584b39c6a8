"""Updates and schedules against their formulas, in plain NumPy."""

import numpy as np
import pytest

from perennial.trainers.descent.optimisers import Optimiser, rate_and_decay
from perennial.trainers.descent.recipe import Recipe
from perennial.trainers.descent.schedules import SCHEDULES

STEPS = 5


def variables():
    """A kernel, a bias and a scale, as Keras holds them."""
    import keras

    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, name="first"), keras.layers.BatchNormalization()]
    )
    model.layers[0].kernel.assign(np.arange(6.0).reshape(3, 2) / 3)
    model.layers[0].bias.assign([0.5, -0.5])
    return model.trainable_variables


def moved(recipe, gradients, factor=0.5):
    """The variables after some updates, and where they began."""
    import torch

    given = variables()
    begin = [variable.value.detach().numpy().astype(np.float64) for variable in given]
    optimiser = Optimiser(given, recipe)
    for gradient in gradients:
        optimiser.clear()
        for variable, own in zip(given, gradient, strict=True):
            variable.value.grad = torch.from_numpy(own.astype(np.float32))
        optimiser.update(factor)
    return begin, [variable.value.detach().numpy() for variable in given]


def draws(scale=1.0):
    generator = np.random.default_rng(0)
    shapes = [tuple(variable.shape) for variable in variables()]
    return [[scale * generator.normal(size=shape) for shape in shapes] for _ in range(STEPS)]


def adam(values, gradients, rate, decay, betas, epsilon=1e-8):
    first = second = 0.0
    for step, gradient in enumerate(gradients, start=1):
        values = values * (1 - rate * decay)
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        straight = first / (1 - betas[0] ** step)
        values = values - rate * straight / (np.sqrt(second / (1 - betas[1] ** step)) + epsilon)
    return values


def nesterov(values, gradients, rate, decay, momentum):
    speed = 0.0
    for gradient in gradients:
        values = values * (1 - rate * decay)
        speed = momentum * speed + gradient
        values = values - rate * (gradient + momentum * speed)
    return values


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_updates_are_those_of_the_papers_and_only_kernels_decay(optimiser):
    recipe = Recipe(
        optimiser=optimiser, learning_rate=0.1, weight_decay=0.3, bias_factor=0.2, schedule="constant"
    )
    gradients = draws()
    begin, end = moved(recipe, gradients)
    for number, variable in enumerate(variables()):
        rate = 0.05 * (0.2 if variable.name == "bias" else 1.0)
        decay = 0.3 if variable.name == "kernel" else 0.0
        own = [gradient[number] for gradient in gradients]
        if optimiser == "adam":
            expected = adam(begin[number], own, rate, decay, recipe.betas)
        else:
            expected = nesterov(begin[number], own, rate, decay, recipe.momentum)
        assert np.allclose(end[number], expected, atol=1e-5), variable.path


def test_long_gradients_are_clipped_together():
    recipe = Recipe(optimiser="sgd", learning_rate=1.0, momentum=0.0, clip=0.5)
    [gradient] = draws(100.0)[:1]
    begin, end = moved(recipe, [gradient], factor=1.0)
    length = np.sqrt(sum((own**2).sum() for own in gradient))
    for first, last, own in zip(begin, end, gradient, strict=True):
        assert np.allclose(first - last, own * 0.5 / length, atol=1e-5)


def test_the_neural_tangent_parametrisation_divides_rates_by_the_root_of_fan_in():
    [kernel, bias, *_] = variables()
    recipe = Recipe(learning_rate=0.3, weight_decay=0.1, neural_tangent=True, bias_factor=0.1)
    assert rate_and_decay(kernel, recipe) == pytest.approx((0.3 / 3**0.5, 0.1 * 3**0.5))
    assert rate_and_decay(bias, recipe) == pytest.approx((0.03, 0.0))


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_stays_between_nothing_and_the_peak_and_reaches_it(name):
    factors = np.array([SCHEDULES[name](share) for share in np.linspace(0, 1, 1001)])
    assert factors.min() >= 0 and factors.max() == pytest.approx(1.0, abs=1e-5)
    if name != "constant":
        assert factors[-1] <= 0.01 + 1e-12 and factors[0] <= 0.01
        assert np.abs(np.diff(factors)).max() < 0.06, "it does not jump"


def test_the_one_cycle_rises_and_falls_once():
    factors = np.array([SCHEDULES["one_cycle"](share) for share in np.linspace(0, 1, 101)])
    peak = factors.argmax()
    assert peak == 25 and (np.diff(factors[: peak + 1]) > 0).all() and (np.diff(factors[peak:]) < 0).all()
