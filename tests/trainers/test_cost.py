"""Predicted seconds of a step: close to the machine it learnt from, on networks it has not seen."""

from dataclasses import replace

import numpy as np
import pytest

from perennial.lang import Lambda, Op, Var, call
from perennial.lang.ops import Parameter
from perennial.lang.types import Tensor
from perennial.trainers.cost import PRICES, StepCost, Work, work


def candidates(n, seed=0):
    """Work of networks of very different sizes."""
    generator = np.random.default_rng(seed)
    return [
        Work(
            layers=float(generator.integers(3, 60)),
            full=10.0 ** generator.uniform(7, 10.5),
            separable=10.0 ** generator.uniform(6, 9.5) * generator.integers(0, 2),
            kept=10.0 ** generator.uniform(5, 7.5),
            weights=10.0 ** generator.uniform(3, 7),
        )
        for _ in range(n)
    ]


def machine(factors, noise, seed=0):
    """A machine whose prices are so many times the ordinary ones, and whose clock is that noisy."""
    generator = np.random.default_rng(seed)
    truth = StepCost({name: price * factors.get(name, 1.0) for name, price in PRICES.items()})
    return lambda done: truth.predict(done) * float(np.exp(generator.normal(0.0, noise)))


MACHINES = [{}, {"full": 8.0, "kept": 3.0}, {"separable": 12.0, "layers": 0.2}]


@pytest.mark.parametrize("factors", MACHINES, ids=str)
def test_unseen_candidates_are_within_thirty_percent_after_a_few_measurements(factors):
    seconds = machine(factors, noise=0.15)
    model = StepCost().learn([(done, seconds(done)) for done in candidates(12)])
    unseen = candidates(200, seed=1)
    truth = machine(factors, noise=0.0)
    errors = [abs(model.predict(done) / truth(done) - 1.0) for done in unseen]
    assert np.median(errors) < 0.3
    before = [abs(StepCost().predict(done) / truth(done) - 1.0) for done in unseen]
    assert not factors or np.median(errors) < np.median(before)


def test_a_measurement_that_a_busy_neighbour_spoilt_changes_little():
    seconds = machine({"full": 2.0}, noise=0.05)
    pairs = [(done, seconds(done)) for done in candidates(20)]
    spoilt = [(done, measured * 30.0) for done, measured in pairs[::7]]
    spoilt += [pair for number, pair in enumerate(pairs) if number % 7]
    unseen, truth = candidates(100, seed=1), machine({"full": 2.0}, noise=0.0)
    errors = [abs(StepCost().learn(spoilt).predict(done) / truth(done) - 1.0) for done in unseen]
    assert np.median(errors) < 0.3


def test_nothing_measured_leaves_the_ordinary_prices():
    [done] = candidates(1)
    expected = sum(price * getattr(done, name) for name, price in PRICES.items())
    assert StepCost().learn([(done, 0.0)]).predict(done) == StepCost().predict(done)
    assert StepCost().predict(done) == pytest.approx(expected)


def test_more_work_never_costs_less():
    seconds = machine({"kept": 0.01, "full": 5.0}, noise=0.3)
    model = StepCost().learn([(done, seconds(done)) for done in candidates(8)])
    for done in candidates(20, seed=2):
        for name in PRICES:
            assert model.predict(replace(done, **{name: 2 * getattr(done, name) + 1})) > model.predict(done)


class Priced(Op):
    """A word that costs something."""

    def __init__(self, name):
        self.name, self.parameters = name, {"units": Parameter(4)}

    def infer(self, *types, **parameters):
        return Tensor(parameters["units"])

    def call(self, *values, **parameters):
        return values[0]

    def cost(self, *types, units):
        size = types[0].dims[0] * units
        return type("Cost", (), {"parameters": size, "flops": 2 * size, "activations": units})()


def test_the_work_of_a_program_is_the_sum_over_its_layers_for_a_batch():
    inner = call(Priced("depthwise_conv"), Var("x"), units=3)
    program = Lambda(("x",), call(Priced("dense"), call(Priced("gru"), inner, units=5)))
    done = work(program, (Tensor(2),), Tensor(4), batch=10)
    assert done == Work(
        layers=3,
        separable=10 * 2 * 6,
        recurrent=10 * 2 * 15,
        full=10 * 2 * 20,
        kept=10 * 12,
        weights=6 + 15 + 20,
    )
