import math

import numpy as np
import pytest
from scipy import stats

from perennial.lang import Choice
from perennial.spaces import integer, one_of, optional, real, repeat
from perennial.spaces.base import Lambda, Var
from perennial.spaces.decision import (
    clean,
    count_of,
    default_of,
    draw,
    neighbours_of,
    position_of,
    step,
    value_at,
    values_of,
)  # fmt: skip

IDENTITY = Lambda(("x",), Var("x"))
CHOICES = {
    "options": one_of("c", ["a", "b", "c"], default=2),
    "one option": one_of("c", ["a"]),
    "integers": integer("c", -3, 9),
    "log integers": integer("c", 1, 1024, log=True),
    "one integer": integer("c", 4, 4),
    "reals": real("c", -1.0, 3.0),
    "log reals": real("c", 1e-5, 10.0, log=True),
    "one real": real("c", 2.0, 2.0),
    "copies": repeat(IDENTITY, "c", 0, 5),
    "yes or no": optional("c", IDENTITY),
}


@pytest.fixture(params=CHOICES)
def choice(request) -> Choice:
    return CHOICES[request.param]


def is_valid(choice, value):
    return clean(choice, value) == value and type(clean(choice, value)) is type(value)


def test_defaults_draws_steps_and_neighbours_stay_in_range_and_type(choice):
    rng = np.random.default_rng(0)
    value = default_of(choice)
    assert is_valid(choice, value)
    for _ in range(200):
        assert is_valid(choice, draw(choice, rng))
        value = step(choice, value, rng)
        assert is_valid(choice, value)
        assert all(is_valid(choice, each) for each in neighbours_of(choice, value))


def test_a_step_and_a_neighbour_always_differ_unless_there_is_one_value_only(choice):
    rng = np.random.default_rng(1)
    value = draw(choice, rng)
    for _ in range(200):
        moved = step(choice, value, rng)
        assert (moved == value) == (count_of(choice) == 1)
        near = neighbours_of(choice, value)
        assert value not in near and len(set(near)) == len(near)
        assert bool(near) == (count_of(choice) > 1)
        value = moved


def test_position_and_value_are_inverse(choice):
    rng = np.random.default_rng(2)
    for _ in range(100):
        value = draw(choice, rng)
        assert 0.0 <= position_of(choice, value) <= 1.0
        assert value_at(choice, position_of(choice, value)) == pytest.approx(value, rel=1e-12)


def test_every_value_of_a_finite_choice_is_counted_listed_and_drawn(choice):
    if math.isinf(count_of(choice)) or count_of(choice) > 100:
        return
    rng = np.random.default_rng(3)
    assert len(values_of(choice)) == count_of(choice)
    assert {draw(choice, rng) for _ in range(500)} == set(values_of(choice))


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, "text", None, 1e400], ids=repr)
def test_nonsense_becomes_the_default(choice, nonsense):
    assert clean(choice, nonsense) == default_of(choice)


def test_numbers_beyond_the_range_are_clipped_and_indices_beyond_it_are_forgotten():
    assert clean(CHOICES["integers"], 1000) == 9 and clean(CHOICES["reals"], -7) == -1.0
    assert clean(CHOICES["options"], 3) == clean(CHOICES["options"], -1) == 2


def test_without_a_default_numbers_start_in_the_middle_of_their_scale():
    assert default_of(real("r", 1e-4, 1.0, log=True)) == pytest.approx(1e-2)
    assert default_of(integer("i", 0, 10)) == 5
    assert default_of(integer("i", 0, 10, default=3)) == 3


def test_draws_are_uniform_on_their_own_scale():
    rng = np.random.default_rng(4)
    logs = [math.log10(draw(CHOICES["log reals"], rng)) for _ in range(2000)]
    assert stats.kstest(logs, stats.uniform(-5, 6).cdf).pvalue > 0.01
    counts = np.bincount([draw(CHOICES["integers"], rng) + 3 for _ in range(2600)])
    assert stats.chisquare(counts).pvalue > 0.01
    halves = [draw(CHOICES["log integers"], rng) < 32 for _ in range(4000)]
    assert np.mean(halves) == pytest.approx(0.5, abs=0.03)
