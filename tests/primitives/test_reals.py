"""Words for real numbers keep the promises of words and agree with Python's own mathematics."""

import cmath
import math

import pytest

from perennial.errors import NoAnswer
from perennial.primitives import reals, vocabulary
from perennial.testing.language import check_primitive

EXAMPLES = {
    "plus": [((1.5, 2.0), 3.5), ((1e308, 1e308), NoAnswer)],
    "minus": [((1.5, 2.0), -0.5)],
    "times": [((1.5, -2.0), -3.0), ((1e200, 1e200), NoAnswer)],
    "power": [
        ((2.0, 10.0), 1024.0),
        ((-8.0, 0.5), NoAnswer),
        ((0.0, -1.0), NoAnswer),
        ((10.0, 1e3), NoAnswer),
    ],
    "sqrt": [((2.25,), 1.5), ((-1.0,), NoAnswer)],
    "exp": [((1.0,), math.e), ((1e9,), NoAnswer)],
    "log": [((math.e,), 1.0), ((0.0,), NoAnswer), ((-1.0,), NoAnswer)],
    "sin": [((math.pi / 6,), 0.5)],
    "cos": [((math.pi / 3,), 0.5)],
    "tan": [((math.pi / 4,), 1.0)],
    "hyperbolic_tangent": [((0.0,), 0.0), ((100.0,), 1.0)],
    "arcsin": [((0.5,), math.pi / 6), ((1.5,), NoAnswer)],
    "arccos": [((0.5,), math.pi / 3), ((-1.5,), NoAnswer)],
    "arctan": [((1.0,), math.pi / 4)],
    "magnitude": [((-2.5,), 2.5), ((0.0,), 0.0)],
}


def test_every_word_of_formulas_has_examples():
    assert set(EXAMPLES) == {getattr(reals, name).name for name in reals.__all__}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_word_for_reals_keeps_its_promises(name):
    rounded = [(arguments, expected) for arguments, expected in EXAMPLES[name] if expected is NoAnswer]
    check_primitive(vocabulary()[name], rounded)
    for arguments, expected in EXAMPLES[name]:
        if expected is not NoAnswer:
            assert vocabulary()[name](*arguments) == pytest.approx(expected, rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("name", ["sqrt", "exp", "log", "sin", "cos", "tan"])
def test_functions_agree_with_the_complex_ones_on_the_real_line(name):
    for x in (0.1, 0.7, 1.9, 12.5):
        assert vocabulary()[name](x) == pytest.approx(getattr(cmath, name)(x).real, rel=1e-12)


def test_a_missing_number_goes_through():
    for name in EXAMPLES:
        word = vocabulary()[name]
        assert math.isnan(word(*[math.nan] * len(word.signature.inputs)))
