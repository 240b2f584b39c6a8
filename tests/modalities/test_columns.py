"""Cells of one column and the values that they become, against pandas and Python's own dates and numbers."""

import datetime
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import UsageError
from perennial.modalities.calendars import PATTERNS
from perennial.modalities.columns import (
    MISSING,
    UNSEEN,
    ColumnSchema,
    as_texts,
    flatten,
    levels_of,
    unreadable,
    values_of,
)
from perennial.modalities.wishes import CHOOSABLE, Wish

DOZENS = settings(max_examples=40)
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "c d", "é", " a", "1", "1.0"]))


def objects(*cells):
    """A column of any Python values."""
    return np.array([*cells, None], dtype=object)[:-1]


def column(kind, **details):
    return ColumnSchema("c", "f0001", kind, "for a test", **details)


def seconds(*texts):
    return [None if text is None else np.datetime64(text, "s") for text in texts]


def as_list(dates):
    return [None if np.isnat(date) else date for date in dates]


# -- texts and levels --------------------------------------------------------------------------------------------------


def test_lists_are_joined_and_other_objects_are_spelled_out():
    cells = objects(("a", 1), ["b"], (), "text", None, 3, 2.5, float("nan"), datetime.date(2024, 2, 29))
    assert flatten(cells).tolist() == ["a;1", "b", "", "text", None, "3", "2.5", None, "2024-02-29"]


def test_columns_that_hold_text_only_are_not_copied():
    cells = objects("a", None, "b")
    assert flatten(cells) is cells
    numbers = np.arange(3)
    assert flatten(numbers) is numbers


@DOZENS
@given(st.lists(WORDS, min_size=1))
def test_levels_and_places_are_those_of_pandas(cells):
    levels, where = levels_of(objects(*cells))
    places, uniques = pd.factorize(pd.Series(cells, dtype=object), use_na_sentinel=False)
    assert where.tolist() == places.tolist()
    assert levels == [None if pd.isna(level) else level for level in uniques]


@DOZENS
@given(st.lists(st.floats(-1e20, 1e20) | st.just(float("nan")), min_size=1))
def test_the_text_of_a_number_is_whole_or_reads_back_exactly(numbers):
    for number, text in zip(numbers, as_texts(np.array(numbers)), strict=True):
        if math.isnan(number):
            assert text is None
        else:
            assert float(text) == number
            assert ("." in text or "e" in text) or number.is_integer()


@pytest.mark.parametrize(
    "cells",
    [np.array([1, 2, 1]), np.array([1.0, 2.0, 1.0]), np.array([1, 2, 1], dtype=np.uint64), objects("1", "2", "1")],
    ids=["int64", "float64", "uint64", "text"],
)  # fmt: skip
def test_whole_numbers_have_one_text_whatever_their_dtype(cells):
    assert as_texts(cells) == ["1", "2", "1"]


def test_cells_of_spaces_and_dates_that_are_not_there_have_no_text():
    assert as_texts(objects("a", " ", "", None)) == ["a", None, None, None]
    assert as_texts(np.array(["2024-02-29", "NaT"], dtype="datetime64[s]")) == ["2024-02-29T00:00:00", None]


def test_levels_of_nothing_are_no_levels():
    levels, where = levels_of(np.empty(0, dtype=object))
    assert (levels, len(where)) == ([], 0)


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_dates_in_a_column_of_numbers_are_seconds_since_1970():
    moments = pd.to_datetime(["1970-01-02T00:00", "2024-02-29T12:00", None])
    values = values_of(column("number"), moments.to_numpy().astype("datetime64[us]"))
    assert values[:2].tolist() == [moment.timestamp() for moment in moments[:2]]
    assert math.isnan(values[2])


def test_true_and_false_are_one_and_zero_in_any_spelling_and_numbers_stay():
    cells = objects("True", " false ", "TRUE", "0.5", "maybe", None)
    values = values_of(column("number", format={"truth": True}), cells)
    assert values[:4].tolist() == [1.0, 0.0, 1.0, 0.5]
    assert np.isnan(values[4:]).all()
    assert np.isnan(values_of(column("number"), objects("true"))).all()


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint64, np.float32])
def test_numbers_of_any_dtype_become_float64(dtype):
    values = values_of(column("number"), np.array([1, 0], dtype=dtype))
    assert values.dtype == np.float64
    assert values.tolist() == [1.0, 0.0]


def test_infinite_numbers_are_missing():
    assert np.isnan(values_of(column("number"), np.array([np.inf, -np.inf, np.nan]))).all()


# -- dates -------------------------------------------------------------------------------------------------------------


@DOZENS
@given(
    st.lists(st.datetimes(datetime.datetime(1972, 1, 1), datetime.datetime(2200, 1, 1)), min_size=1),
    st.sampled_from(["s", "ms", "us"]),
)
def test_time_since_1970_is_read_as_pandas_reads_it(moments, unit):
    numbers = pd.to_datetime(pd.Series(moments)).astype(f"datetime64[{unit}]").astype("int64")
    values = values_of(column("date", format={"epoch": unit}), numbers.to_numpy())
    expected = pd.to_datetime(numbers, unit=unit).to_numpy().astype("datetime64[s]")
    assert np.abs((values - expected).astype(int)).max() == 0


@DOZENS
@given(st.lists(st.floats(1, 80_000), min_size=1))
def test_serial_days_are_those_of_a_spreadsheet(days):
    values = values_of(column("date", format={"excel": True}), np.array(days))
    expected = pd.to_datetime(days, unit="D", origin="1899-12-30").round("s").to_numpy()
    assert np.abs((values - expected.astype("datetime64[s]")).astype(int)).max() <= 1


def test_numbers_written_as_days_are_days_and_others_are_missing():
    values = values_of(column("date", format={"yyyymmdd": True}), np.array([20240229, 20230229, np.nan, 1.0]))
    assert as_list(values) == seconds("2024-02-29", None, None, None)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300, -1e300])
def test_moments_outside_of_every_calendar_are_missing(number):
    assert np.isnat(values_of(column("date", format={"epoch": "s"}), np.array([number]))).all()


def test_dates_of_any_resolution_become_whole_seconds():
    cells = np.array(["2024-02-29T12:30:15.999", "NaT"], dtype="datetime64[us]")
    assert as_list(values_of(column("date"), cells)) == seconds("2024-02-29T12:30:15", None)


def test_texts_are_read_by_the_calendar_of_the_column():
    day_first = column("date", format={"calendar": "day-month-year"})
    month_first = column("date", format={"calendar": "month-day-year"})
    assert as_list(values_of(day_first, objects("03/04/2024"))) == seconds("2024-04-03")
    assert as_list(values_of(month_first, objects("03/04/2024"))) == seconds("2024-03-04")


@pytest.mark.parametrize(
    ("how", "number", "moment"),
    [
        ({"epoch": "s"}, "1600000000", "2020-09-13T12:26:40"),
        ({"epoch": "ms"}, "1600000000000", "2020-09-13T12:26:40"),
        ({"yyyymmdd": True}, "20240229", "2024-02-29"),
        ({"excel": True}, "45351", "2024-02-29"),
    ],
)
def test_a_word_among_dates_that_are_numbers_leaves_the_others_as_they_are(how, number, moment):
    day = column("date", format=how)
    cells = objects(number, "unknown", "2024-01-05", None)
    assert as_list(values_of(day, cells)) == seconds(moment, None, "2024-01-05", None)
    assert as_list(values_of(day, np.array([int(number)]))) == seconds(moment)


def test_days_that_were_learnt_as_text_are_the_same_days_as_numbers():
    day = column("date", format={"calendar": "yyyymmdd"})
    assert as_list(values_of(day, objects("20240229"))) == seconds("2024-02-29")
    assert as_list(values_of(day, np.array([20240229.0, np.nan]))) == seconds("2024-02-29", None)


# -- categories --------------------------------------------------------------------------------------------------------

LEVELS = ("a", "1", "true", "b ")


@pytest.mark.parametrize(
    ("cell", "code"),
    [("a", 0), (" a", 0), ("1", 1), ("1.0", 1), ("TRUE", 2), ("b ", 3), ("b", 3), ("A", UNSEEN), ("2", UNSEEN),
     (None, MISSING), ("  ", MISSING)],
)  # fmt: skip
def test_a_level_is_known_as_it_is_written_or_as_it_would_be_written_plainly(cell, code):
    assert values_of(column("category", vocabulary=LEVELS), objects(cell, "a")).tolist() == [code, 0]


def test_numbers_find_the_levels_that_were_learnt_as_text():
    known = column("category", vocabulary=("1", "2", "2.5"))
    assert values_of(known, np.array([2.0, 2.5, 1.0, np.nan, 7.0])).tolist() == [1, 2, 0, MISSING, UNSEEN]
    assert values_of(known, np.array([2, 1])).tolist() == [1, 0]


def test_levels_that_were_learnt_from_typed_cells_are_found_as_they_were_written():
    known = column("category", vocabulary=("1.5", "2", "2024-01-05T00:00:00.000000", "007"))
    cells = objects("1.50", " 2.00", "+2", "2024-01-05", "007", "7", "2.000001")
    assert values_of(known, cells).tolist() == [0, 1, 1, 2, 3, UNSEEN, UNSEEN]
    written = column("category", vocabulary=("1.50", "2.00", "XL"))
    assert values_of(written, np.array([2.0, 1.5, 1.0])).tolist() == [1, 0, UNSEEN]


def test_new_levels_share_the_code_of_the_rare_ones_where_there_is_one():
    rare = column("category", vocabulary=("a", "b"), rare=True)
    assert values_of(rare, objects("b", "new", "newer", None)).tolist() == [1, 2, 2, MISSING]
    assert rare.levels == 3


def test_two_levels_that_would_be_written_alike_are_never_confused():
    twins = column("category", vocabulary=("a", "a "))
    assert values_of(twins, objects("a", "a ", " a")).tolist() == [0, 1, UNSEEN]


def test_a_category_without_levels_has_one_code_all_the_same():
    assert column("category").levels == 1


# -- text, what cannot be read, JSON -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "identifier"])
def test_missing_text_is_empty_text(kind):
    assert values_of(column(kind), objects("a b", None, " ", ("x", "y"))).tolist() == ["a b", "", "", "x;y"]


def test_only_cells_with_text_that_was_lost_are_unreadable():
    cells = objects("5", "five", None, " ", "1e999")
    number = column("number")
    assert unreadable(number, cells, values_of(number, cells)).tolist() == [False, True, False, False, True]
    day = column("date", format={"calendar": "year-month-day"})
    cells = objects("2024-02-29", "2024-02-30", None)
    assert unreadable(day, cells, values_of(day, cells)).tolist() == [False, True, False]
    gaps = np.array([1.0, np.nan])
    assert unreadable(number, gaps, gaps).tolist() == [False, False]


@pytest.mark.parametrize("kind", ["number", "category", "date", "text"])
def test_a_column_without_rows_gives_no_values(kind):
    assert len(values_of(column(kind, vocabulary=("a",)), np.empty(0, dtype=object))) == 0


def test_a_column_comes_back_from_json():
    told = column(
        "number", missing=2, unique=3, examples=("1", "2"), format={"mark": ","}, vocabulary=("a", "b")
    )
    assert ColumnSchema.from_json(json.loads(json.dumps(told.to_json()))) == told


# -- wishes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [*CHOOSABLE, "ignored", "number:,", "number:.", *(f"date:{one}" for one in PATTERNS)]
)
def test_every_kind_of_column_can_be_wished_for(text):
    wish = Wish.of("price", text)
    assert f"{wish.kind}:{wish.detail}".rstrip(":") == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("numbr", "received 'numbr'"),
        ("target", "--target price"),
        ("number:;", "followed by '.' or ','"),
        ("date:tomorrow", "received 'tomorrow'"),
        ("category:x", "followed by nothing"),
        ("", "A column is one of"),
    ],
)
def test_what_cannot_be_wished_for_is_refused_with_what_can(text, said):
    with pytest.raises(UsageError) as caught:
        Wish.of("price", text)
    assert said in str(caught.value)
    assert caught.value.where == f"--type price={text}"
    assert "--type price=" in caught.value.todo
