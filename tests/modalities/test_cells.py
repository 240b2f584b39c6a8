"""Typing of text cells, held against Python's own number and date parsers."""

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.modalities.cells import MISSING_TOKENS, text_column, typed_column

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1))
def test_floats_read_back_exactly(numbers):
    values = typed_column([repr(number) for number in numbers]).values
    assert values.dtype == np.float64
    assert values.tolist() == numbers


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers_of_64_bits_read_back_exactly(numbers):
    values = typed_column([str(number) for number in numbers]).values
    assert values.dtype == np.int64
    assert values.tolist() == numbers


@given(st.lists(st.datetimes(datetime(1600, 1, 1), datetime(2500, 1, 1)), min_size=1), st.sampled_from("T "))
def test_iso_dates_read_back_exactly(moments, between):
    values = typed_column([moment.isoformat(between) for moment in moments]).values
    assert values.dtype == np.dtype("datetime64[us]")
    assert values.tolist() == moments


@given(st.lists(st.text(max_size=8)))
def test_text_is_kept_to_the_letter_and_numbers_equal_pythons(cells):
    values = typed_column(cells).values
    assert len(values) == len(cells)
    for cell, value in zip(cells, values.tolist(), strict=True):
        if cell.strip() in MISSING_TOKENS:
            assert value is None or math.isnan(value)
        else:
            assert value == cell or float(cell) == float(value)


@pytest.mark.parametrize("token", sorted(MISSING_TOKENS))
def test_every_missing_token_is_missing_among_numbers_words_and_dates(token):
    assert math.isnan(typed_column(["1", f" {token} "]).values[1])
    assert typed_column(["word", token]).values[1] is None
    assert np.isnat(typed_column(["2024-01-01", token]).values[1])


@pytest.mark.parametrize(
    "cells",
    [
        ["007"],
        ["1", "-05"],
        ["1", " 02"],
        ["1_000"],
        ["١٢"],
        ["0x1f"],
        ["1,5"],
        ["1", "true"],
        ["1 2"],
        ["+"],
        ["1e"],
        ["NaN1"],
    ]
    + [
        ["2024-02-30"],
        ["2024-1-2"],
        ["24-01-01"],
        ["2024-01-01", "5"],
        ["2024-01-01T25:00"],
        ["now"],
        ["today"],
    ],
)
def test_what_is_not_plainly_a_number_or_a_date_stays_text(cells):
    values = typed_column(cells).values
    assert values.dtype == object
    assert values.tolist() == cells


@pytest.mark.parametrize(
    "cells", [["0"], ["0.5"], ["-0.5"], ["0e3"], [".5"], ["5."], [" 1 "], ["+3"], ["10"]]
)
def test_a_zero_before_the_point_is_no_leading_zero(cells):
    assert typed_column(cells).values.tolist() == [float(cells[0])]


def test_a_column_without_rows_is_text():
    assert typed_column([]).values.shape == (0,)


def test_equal_words_share_one_string():
    values = typed_column([f"level {row % 2}" for row in range(3)]).values
    assert values[0] is values[2]


def test_a_text_column_keeps_what_a_typed_one_would_lose():
    column = text_column(["1.50", "2.00", " NA ", None, "2024-01-05"])
    assert column.values.tolist() == ["1.50", "2.00", None, None, "2024-01-05"]
    assert column.missing_tokens == {"NA": 1}
