"""Numbers as people write them, against pandas."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.modalities.numerals import Numerals, plain_share, recognise


def recognised(texts):
    return recognise(texts, np.ones(len(texts)))


@pytest.mark.parametrize("mark, group", [(".", ","), (",", ".")])
def test_grouped_numbers_are_read_as_pandas_reads_them(mark, group):
    values = np.random.default_rng(0).normal(0, 1e5, 300).round(2)
    texts = [f"{value:,.2f}".translate(str.maketrans({",": group, ".": mark})) for value in values]
    expected = pd.read_csv(
        io.StringIO("v\n" + "\n".join(f'"{text}"' for text in texts)), thousands=group, decimal=mark
    )["v"]
    numerals, share, _ = recognised(texts)
    assert (numerals.mark, share) == (mark, 1.0)
    assert np.array_equal(numerals.parse(texts), expected.to_numpy())


@pytest.mark.parametrize("text, value", [("€ 5", 5), ("5 €", 5), ("$1,234", 1234), ("5%", 5), ("(7)", -7), ("−3", -3), ("+4", 4), ("1 234", 1234),
                                         ("1'000", 1000), (".5", 0.5), ("5.", 5), ("1e3", 1000), ("USD 9", 9), ("1 234", 1234)])  # fmt: skip
def test_signs_of_money_spaces_and_brackets_are_no_part_of_the_number(text, value):
    assert Numerals(".").parse([text]).tolist() == [value]


@pytest.mark.parametrize(
    "text", ["", "-", ".", ",5", "1,23", "12,34,567", "1..2", "e5", "abc", "1 or 2", "5\n6", "1.2.3", "1e999"]
)
def test_what_is_no_number_is_missing(text):
    assert np.isnan(Numerals(".").parse([text])).all()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_what_python_writes_is_read_back_exactly(values):
    assert Numerals(".").parse([repr(value) for value in values]).tolist() == values


@given(st.lists(st.text(max_size=8), max_size=20))
def test_any_text_gives_a_finite_number_or_nothing(texts):
    for mark in ".,":
        assert not np.isinf(Numerals(mark).parse(texts)).any()


def test_a_comma_that_cannot_group_is_decimal():
    assert recognised(["1,5", "2,25"])[0].mark == ","
    assert recognised(["1.234,5", "7"])[0].mark == ","


def test_a_comma_that_can_group_groups_and_the_doubt_is_told():
    numerals, _, why = recognised(["1,234", "2,345"])
    assert numerals.mark == "."
    assert "decimal comma as well" in why


def test_ninety_nine_cells_in_a_hundred_must_be_numbers():
    levels = [f"€ {value}" for value in range(100)] + ["many"]
    assert recognise(levels, np.array([1] * 100 + [1]))[0] is not None
    assert recognise(levels, np.array([1] * 100 + [3]))[0] is None


def test_a_unit_that_all_share_is_taken_off():
    numerals, _, why = recognised([f"{value} kg" for value in range(20)])
    assert numerals.unit == "kg" and "kg" in why
    assert numerals.parse(["12 kg", "3", "4 lb"])[:2].tolist() == [12.0, 3.0]
    assert np.isnan(numerals.parse(["4 lb"])).all()


def test_codes_with_leading_zeros_are_no_numbers():
    assert recognised(["007", "012", "13"])[0] is None


def test_plain_numbers_are_counted_by_cells():
    share, distinct = plain_share(["1", "2.5", "x"], np.array([6, 2, 2]))
    assert (share, distinct) == (0.8, 2)


@pytest.mark.parametrize("mark", [".", ","])
def test_no_group_of_thousands_begins_with_zero(mark):
    other = "," if mark == "." else "."
    texts = [f"{value:.3f}".replace(".", mark) for value in (0.123, -0.265, 1.234, 7.5)]
    numerals, share, why = recognised(texts)
    assert (numerals.mark, share) == (mark, 1.0) and "as well" not in why
    assert numerals.parse(texts).tolist() == [0.123, -0.265, 1.234, 7.5]
    assert np.isnan(Numerals(other).parse(texts)).tolist() == [True, True, False, False]
