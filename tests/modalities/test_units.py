"""Units of columns: exact conversions, found by how columns are distributed, and never where they are alike already."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.modalities.units import (
    CONVERSIONS,
    DIGITS,
    SAME,
    Conversion,
    between,
    profile,
    profiles,
    same_levels,
    same_values,
    to_digits,
)

FAHRENHEIT = Conversion(1.8, 32.0)
DECIMALS = st.decimals(-(10**6), 10**6, places=3, allow_nan=False)


@given(st.floats(-1e270, 1e270))
def test_rounding_is_that_of_printing(value):
    [found] = to_digits(np.array([value]))
    assert found == pytest.approx(float(f"{value:.{DIGITS}g}"), rel=2e-9, abs=1e-300)
    assert to_digits(np.array([found]))[0] == found


@given(DECIMALS)
def test_a_number_of_few_digits_stays_what_it_is(number):
    assert to_digits(np.array([float(number)]))[0] == float(number)


@given(DECIMALS, st.sampled_from(CONVERSIONS))
def test_a_number_comes_back_from_any_units(number, units):
    there = units.factor * float(number) + units.offset
    room = abs(units.offset / units.factor) * 1e-15  # what a large offset takes away from a small number
    assert units.back(np.array([there]))[0] == pytest.approx(float(number), rel=1e-8, abs=room + 1e-12)


def drawn(seed, size=300):
    generator = np.random.default_rng(seed)
    return {
        "heat": generator.normal(20, 8, size).round(2),
        "wait": generator.exponential(40, size).round(1),
        "stars": generator.integers(1, 6, size).astype(float),
        "gain": np.where(generator.random(size) < 0.93, 0.0, generator.exponential(4000, size)).round(),
    }


def converted(columns, units):
    return {name: units.factor * values + units.offset for name, values in columns.items()}


FAR = [units for units in CONVERSIONS if units.offset or not 0.6 < units.factor < 1.7]


@pytest.mark.parametrize("units", FAR, ids=str)
def test_other_rows_in_other_units_are_recognised(units):
    found, *_ = between(profiles(drawn(0)), profiles(converted(drawn(1), units)))
    assert set(found) >= {"heat", "stars"}
    back = {name: found[name].back(converted(drawn(2), units)[name]) for name in found}
    for name, values in back.items():
        wanted = drawn(2)[name]
        assert np.median(np.abs(values - wanted)) <= 0.25 * max(1.0, wanted.std()), (name, str(found[name]))


def test_of_conversions_that_are_alike_that_of_most_columns_is_taken():
    known = {**drawn(0), "large": np.random.default_rng(3).normal(90_000, 20_000, 300)}
    other = converted({**drawn(1), "large": np.random.default_rng(4).normal(90_000, 20_000, 300)}, FAHRENHEIT)
    assert between(profiles(known), profiles(other))[0] == dict.fromkeys(known, FAHRENHEIT)


def test_others_that_would_do_are_told_too():
    known = {"size": np.random.default_rng(0).lognormal(3, 2, 400)}
    for seed in range(40):
        some = np.random.default_rng([1, seed]).permutation(known["size"])[:150] * 1000.0
        assert {"size": Conversion(1000.0)} in between(profiles(known), profiles({"size": some}))


@pytest.mark.parametrize("size", [25, 60, 2000])
def test_columns_that_are_alike_are_left_alone(size):
    for seed in range(20):
        assert between(profiles(drawn(seed, 300)), profiles(drawn(seed + 100, size))) == [{}]


def test_what_no_conversion_explains_is_left_alone():
    generator = np.random.default_rng(0)
    known, asked = generator.normal(0, 1, 400), generator.normal(70, 1, 400)
    assert between({"a": profile(known)}, {"a": profile(asked)}) == [{}]
    assert between({"a": profile(known)}, {}) == between({}, {"a": profile(asked)}) == [{}]
    assert between({"a": ["?"] * 11}, {"a": ()}) == [{}]


def test_few_numbers_have_no_profile():
    assert profiles({"few": np.arange(24.0), "codes": np.arange(50), "empty": np.full(50, np.nan)}) == {}
    assert len(profiles({"enough": np.arange(25.0)})["enough"]) == 11


def test_the_same_rows_are_known_in_any_units_and_others_are_not():
    known = profiles(drawn(0))
    assert same_values(known, profiles(converted(drawn(0), Conversion(0.917, 3.0))))
    assert not same_values(known, profiles(converted(drawn(1), Conversion(0.917, 3.0))))
    assert not same_values({}, {})
    coarse = {"stars": profiles(drawn(0))["stars"], "age": np.linspace(18, 90, 11).round()}
    assert not same_values(coarse, coarse), "such values are the same in other rows too"


@pytest.mark.parametrize("units", [FAHRENHEIT, Conversion(100.0), Conversion(1 / 2.54)], ids=str)
def test_levels_that_are_numbers(units):
    known = ["0", "1", "2", "5"]
    asked = [repr(units.factor * float(level) + units.offset) for level in reversed(known)]
    assert same_levels(known, asked) == dict(zip(asked, reversed(known), strict=True))


def test_levels_that_are_not_of_other_units():
    assert same_levels(["0", "1"], ["0", "10"]) == {}, "one is the same"
    assert same_levels(["0", "1", "2"], ["17", "31", "55"]) == {}
    assert same_levels(["red", "1"], ["1.8", "32"]) == {}
    assert same_levels([], ["1"]) == same_levels(["1"], []) == {}


def test_the_same_units_change_nothing_but_digits():
    assert np.array_equal(SAME.back(np.array([1.5, np.nan])), [1.5, np.nan], equal_nan=True)
