"""Arithmetic of kernels and moments, against convolutions and integrals written out."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from perennial.lang import State, Var, call
from perennial.morphism.alignment import can_be_identity
from perennial.morphism.kernels import (
    DEPTHWISE,
    SMALLEST_SHARE,
    full_kernels,
    grown,
    middle,
    outputs_of,
    overlapped,
    padding,
    shares_of,
)
from perennial.morphism.moments import Moments, added
from perennial.primitives import vocabulary

WORD = vocabulary()


def convolved(image, kernel, stride, groups=1):
    """A convolution with padding `same`, as a sum over windows."""
    high, wide, units = image.shape
    tall, broad = kernel.shape[:2]
    rows, columns = -(-high // stride), -(-wide // stride)
    top = max((rows - 1) * stride + tall - high, 0) // 2
    left = max((columns - 1) * stride + broad - wide, 0) // 2
    framed = np.pad(image, ((top, tall + stride), (left, broad + stride), (0, 0)))
    result = np.zeros((rows, columns, kernel.shape[-1] * groups))
    for row, column in itertools.product(range(rows), range(columns)):
        window = framed[row * stride : row * stride + tall, column * stride : column * stride + broad]
        if groups == 1:
            result[row, column] = np.einsum("abi,abio->o", window, kernel)
        else:
            result[row, column] = np.einsum("abi,abim->im", window, kernel).ravel()
    return result


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_separable_convolution_is_the_full_one_that_it_is_written_out_as(multiplier):
    generator = np.random.default_rng(0)
    image = generator.normal(size=(6, 5, 3))
    depthwise = generator.normal(size=(3, 3, 3, multiplier))
    pointwise = generator.normal(size=(1, 1, 3 * multiplier, 4))
    arrays = {DEPTHWISE: depthwise, "pointwise_kernel": pointwise, "bias": np.arange(4.0)}
    full = full_kernels(arrays)
    apart = convolved(image, depthwise, 1, groups=3) @ pointwise[0, 0]
    assert convolved(image, full["kernel"], 1) == pytest.approx(apart)
    assert full.pop("bias") is arrays.pop("bias")
    assert full_kernels(arrays).keys() == full.keys() == {"kernel"}
    assert outputs_of(State(arrays)) == outputs_of(State(full)) == 4


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("before, after", [(1, 3), (3, 5), (2, 4), (3, 6), (5, 9)])
@pytest.mark.parametrize("size", [(7, 8), (9, 6)])
def test_a_kernel_grown_with_zeros_computes_the_same(stride, before, after, size):
    generator = np.random.default_rng(0)
    image = generator.normal(size=(*size, 2))
    kernel = generator.normal(size=(before, before, 2, 3))
    larger, whole = grown(kernel, (after, after), size, stride)
    assert larger.shape == (after, after, 2, 3)
    if whole:
        assert convolved(image, larger, stride) == pytest.approx(convolved(image, kernel, stride))
        cut, complete = grown(larger, (before, before), size, stride)
        assert np.array_equal(cut, kernel) and not complete
    else:
        assert abs(larger).sum() < abs(kernel).sum()


def test_a_kernel_grows_evenly_around_its_middle():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 2))
    larger, whole = grown(kernel, (7, 7), (20, 20), 1)
    assert whole and np.array_equal(middle(larger), middle(kernel)) and not larger[0].any()


@pytest.mark.parametrize("size, length, stride", list(itertools.product((1, 5, 8), (1, 2, 3, 5), (1, 2, 3))))
def test_padding_lets_every_window_begin_inside_the_padded_side(size, length, stride):
    before, places = padding(size, length, stride), -(-size // stride)
    total = max((places - 1) * stride + length - size, 0)
    assert 0 <= total - 2 * before <= 1


@pytest.mark.parametrize("seed", range(3))
def test_the_shares_of_copies_add_up_to_one_and_differ(seed):
    inputs = np.array([0, 1, 2, 0, 1, 0, -1])
    shares = shares_of(inputs, 5, np.random.default_rng(seed))
    for unit in range(3):
        own = shares[inputs == unit]
        assert own.sum(axis=0) == pytest.approx(np.ones(5))
        least = SMALLEST_SHARE / (SMALLEST_SHARE + (len(own) - 1) * (SMALLEST_SHARE + 1))
        assert (own >= least).all()
        assert len(np.unique(own)) == (own.size if len(own) > 1 else 1)
    assert not shares[inputs < 0].any()


def test_what_has_a_place_in_both_is_taken_over_and_the_rest_stays_fresh():
    fresh = State({"kernel": np.zeros((2, 4)), "bias": np.zeros(4), "new": np.zeros(3)}, {"type": "Real"})
    old = State({"kernel": np.ones((3, 2)), "bias": np.ones((4, 1))}, {"type": "Text"})
    found = overlapped(fresh, old)
    assert found.arrays["kernel"].tolist() == [[1, 1, 0, 0]] * 2
    assert not found.arrays["bias"].any() and not found.arrays["new"].any()
    assert found.texts == {"type": "Real"} and not fresh.arrays["kernel"].any()


FUNCTIONS = {
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x * expit(x),
    "tanh": np.tanh,
    "gelu": lambda x: x * stats.norm.cdf(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("mean, deviation", [(0.0, 1.0), (1.5, 0.5), (-2.0, 3.0)])
def test_moments_after_an_activation_are_the_integrals(name, mean, deviation):
    def expected(power):
        def integrand(x):
            return FUNCTIONS[name](x) ** power * stats.norm.pdf(x, mean, deviation)

        ends = (mean - 9 * deviation, mean + 9 * deviation)
        return integrate.quad(integrand, *ends, points=[0.0, mean])[0]

    found = Moments(np.array([mean]), np.array([deviation**2])).after(name)
    assert found.mean[0] == pytest.approx(expected(1), abs=2e-3 * deviation)
    assert found.variance[0] == pytest.approx(expected(2) - expected(1) ** 2, abs=1e-2 * deviation**2)


def test_moments_of_independent_terms_add_up_and_of_unknown_ones_are_unknown():
    one = Moments(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    both = added([one, one.taken(np.array([1, 0]))])
    assert both.mean.tolist() == [3, 3] and both.variance.tolist() == [7, 7]
    assert added([one, None]) is None and added([]) is None
    assert one.after("no activation of ours") is None


@pytest.mark.parametrize(
    "settings, units, expected",
    [
        ({}, 4, True), ({"kernel": 1}, 4, True), ({"kernel": 4}, 4, False), ({"stride": 2}, 4, False),
        ({}, 8, True), ({}, 9, False), ({}, None, False),
    ],
)  # fmt: skip
def test_a_convolution_can_be_the_identity_when_it_skips_and_drops_nothing(settings, units, expected):
    image = Var("image")
    node = call(WORD["conv"], image, width=8, **settings)
    assert can_be_identity(node, {image: units, node: 8}) == expected
