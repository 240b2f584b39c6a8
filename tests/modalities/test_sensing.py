"""What a column is taken for, why, and how the user overrules it."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from perennial.errors import UsageError
from perennial.modalities.columns import ColumnSchema, values_of
from perennial.modalities.sensing import FEW_LEVELS, MOST_LEVELS, sense_column, with_vocabulary

ROWS = 100
GENERATOR = np.random.default_rng(21)
NORMAL = GENERATOR.normal(size=ROWS)
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven"]


def objects(cells):
    return np.array([*cells, None], dtype=object)[:-1]


def sensed(cells, name="c", wish=None):
    """The column, and what was told, by code."""
    told = []
    column = sense_column(
        name, "f0001", cells if isinstance(cells, np.ndarray) else objects(cells), wish, told.append
    )
    return column, {finding.code: finding for finding in told}


def repeated(*cells):
    return [cells[row % len(cells)] for row in range(ROWS)]


# -- typed columns -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cells", "kind", "reason"),
    [
        ("c", NORMAL, "number", "every value is a number"),
        ("c", NORMAL > 0, "number", "true or false"),
        ("c", np.full(ROWS, np.nan), "empty", "every cell is missing"),
        ("c", np.full(ROWS, 3), "constant", "one value in every row"),
        ("day", np.arange(ROWS).astype("datetime64[D]").astype("datetime64[us]"), "date", "every value is a date"),
        ("day", np.full(ROWS, "2024-01-01", dtype="datetime64[us]"), "constant", "one value in every row"),
        ("day", np.full(ROWS, "NaT", dtype="datetime64[us]"), "empty", "every cell is missing"),
        ("customer_id", np.arange(ROWS) * 7, "identifier", "under the name of a key"),
        ("entry", np.arange(ROWS), "identifier", "count the rows"),
        ("week", np.arange(ROWS), "number", "every value is a number"),
        ("user_id", np.arange(ROWS) // 10 * 3, "category", "10 whole numbers under the name of a code"),
        ("state_code", np.arange(ROWS) % 9, "category", "9 whole numbers under the name of a code"),
        ("colour", np.arange(ROWS) % 9, "category", "9 whole numbers under the name of a code"),
        ("stateCode", np.arange(ROWS) % 9, "category", "9 whole numbers under the name of a code"),
        ("grade_code", np.arange(ROWS) % 9, "number", "every value is a number"),
        ("state_code", np.arange(ROWS) % 9 - 4, "number", "every value is a number"),
        ("state_code", np.arange(ROWS) % 9 + 0.5, "number", "every value is a number"),
        ("date", 20240101 + np.arange(ROWS) % 28, "date", "a day written yyyymmdd"),
        ("date", 20240101 + np.arange(ROWS) % 90, "number", "every value is a number"),
        ("created", 1_600_000_000 + np.arange(ROWS) * 86_399, "date", "time since 1970 in s"),
        ("created", 1_600_000_000_000 + np.arange(ROWS) * 86_399_001, "date", "time since 1970 in ms"),
        ("created", 1.6e18 + np.arange(ROWS) * 8.6e13, "date", "time since 1970 in ns"),
        ("price", 1_600_000_000 + np.arange(ROWS) * 86_399, "number", "every value is a number"),
    ],
)  # fmt: skip
def test_numbers_and_dates_are_taken_for_what_they_most_likely_are(name, cells, kind, reason):
    column, _ = sensed(cells, name)
    assert (column.kind, reason in column.reason) == (kind, True), column.reason


def test_numbers_of_days_and_seconds_become_the_dates_of_pandas():
    days = 20240101 + np.arange(ROWS) % 28
    column, _ = sensed(days, "date")
    assert np.array_equal(
        values_of(column, days), pd.to_datetime(days.astype(str), format="%Y%m%d").to_numpy()
    )
    moments = 1_600_000_000_000 + np.arange(ROWS) * 86_399_000
    column, _ = sensed(moments, "created")
    assert np.array_equal(values_of(column, moments), pd.to_datetime(moments, unit="ms").to_numpy())


def test_an_owner_whose_rows_are_few_is_no_feature_but_may_group_them():
    numbers = np.repeat(np.arange(60) * 7, 2)
    for cells in (numbers, objects(f"guest{number}" for number in numbers)):
        column, told = sensed(cells, "guest_id")
        assert (column.kind, column.unique) == ("identifier", 60)
        assert told["identifier"].what == "'guest_id' names to whom a row belongs: 60 of them in 120 rows."
        assert told["identifier"].flag == "--group guest_id, or --type guest_id=category"


def test_infinite_values_are_counted_with_their_rows():
    column, told = sensed(np.where(np.arange(ROWS) < 2, np.inf, NORMAL), "c")
    assert (column.kind, column.missing) == ("number", 2)
    assert (told["infinite"].what, told["infinite"].where) == ("2 infinite values in 'c'.", "rows 1, 2")


@pytest.mark.parametrize("cells", [np.array([1e301, *NORMAL]), np.array([2**60, *range(0, 990, 10)])])
def test_numbers_beyond_exact_arithmetic_are_told(cells):
    assert "precision" in sensed(cells)[1]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.where(np.arange(ROWS) % 10, 20 + NORMAL, -999.0), True),
        (np.where(np.arange(ROWS) % 10, 20 + NORMAL, 9999.0), True),
        (np.where(np.arange(ROWS) % 10, 5000 * NORMAL, -999.0), False),
        (np.where(np.arange(ROWS) % 10, np.arange(ROWS) % 7.0, -999.0), False),
    ],
    ids=["low", "high", "in between", "few values"],
)
def test_a_number_far_from_all_others_may_stand_for_missing(values, told):
    assert ("sentinel" in sensed(values)[1]) == told


def test_a_spreadsheets_serial_days_are_only_asked_about():
    column, told = sensed(44_000.0 + np.arange(ROWS) // 2, "order_date")
    assert column.kind == "number"
    assert told["serial dates"].flag == "--type order_date=date"


# -- wishes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "wish", "kind", "how"),
    [
        (NORMAL, "category", "category", {}),
        (NORMAL, "text", "text", {}),
        (NORMAL, "identifier", "identifier", {}),
        (np.arange(ROWS), "number", "number", {}),
        (np.arange(ROWS), "ignored", "ignored", {}),
        (44_000.0 + np.arange(ROWS), "date", "date", {"excel": True}),
        (1_600_000_000 + np.arange(ROWS), "date", "date", {"epoch": "s"}),
        (20240101 + np.arange(ROWS) % 28, "date", "date", {"yyyymmdd": True}),
        (np.full(ROWS, np.nan), "date", "date", {}),
        (objects([None] * ROWS), "date", "date", {}),
        (np.arange(ROWS).astype("datetime64[s]"), "number", "number", {}),
        (np.arange(ROWS).astype("datetime64[s]"), "date", "date", {}),
        (objects(repeated("1,5", "2,75")), "number:,", "number", {"mark": ",", "unit": ""}),
        (objects(repeated("few", "many", "3")), "number", "number", {"mark": ".", "unit": ""}),
        (objects(repeated("01/02/2024", "02/01/2024")), "date:month-day-year", "date", {"calendar": "month-day-year"}),
        (objects(repeated("long ago", "2024-01-02")), "date", "date", {"calendar": "year-month-day"}),
    ],
)  # fmt: skip
def test_the_user_decides_what_a_column_is(cells, wish, kind, how):
    column, _ = sensed(cells, wish=wish)
    assert (column.kind, column.format) == (kind, how)
    assert column.reason.startswith("you ") or how in ({"epoch": "s"}, {"yyyymmdd": True})


def test_cells_that_a_wish_loses_are_counted_with_their_rows():
    _, told = sensed(["1", "two", "3", "four"] + ["5"] * 60, wish="number")
    assert told["mixed"].what == "2 cells of 'c' with text that is no number."
    assert told["mixed"].where == "rows 2 ('two'), 4 ('four')"
    _, told = sensed(["2024-01-02", "soon"] * 30, wish="date")
    assert told["dates"].what == "30 cells of 'c' with text that is no date."


def test_a_wish_for_no_kind_of_column_is_refused():
    with pytest.raises(UsageError, match="received 'float'"):
        sensed(NORMAL, wish="float")


# -- columns of text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind", "reason"),
    [
        (repeated(*WORDS), "category", "8 levels of text"),
        (repeated("true", "False", " TRUE"), "number", "true or false"),
        ([f"{value:.2f}" for value in NORMAL], "number", "all of its cells are numbers"),
        ([f"{value:.2f}" if row % 5 else "unknown" for row, value in enumerate(NORMAL)], "number", "nearly all"),
        ([f"{WORDS[row % 8]} {WORDS[row // 8 % 8]} met {WORDS[row % 5]} {row}" for row in range(ROWS)], "text", "words a cell"),
        (["; ".join(sorted({WORDS[row % 8], WORDS[row // 8 % 8]})) for row in range(ROWS)], "text", "several values in one cell"),
        ([f"{WORDS[row % 8]}/in{WORDS[row // 8 % 8]}/{'xyz'[row % 3] * 3}/{row:03d}" for row in range(ROWS)], "text", "composed of parts"),
        ([f"{row * 7919 % 100_003:x}-{row}" for row in range(ROWS)], "identifier", "single words that differ"),
        ([f"{row:08x}-12ab-4cde-8f01-{row:012x}" for row in range(ROWS)], "identifier", "universally unique"),
        ([f"{1 + row % 28:02d}/{1 + row % 12:02d}/2024" for row in range(ROWS)], "date", "day-month-year"),
        ([None] * ROWS, "empty", "every cell is missing"),
        (["x"] * ROWS, "constant", "one value in every row"),
        (["x"] * (ROWS - 1) + ["y"], "constant", "all but 1 row"),
        ([f"{row % 50:03d}" for row in range(ROWS)], "category", "50 levels of text"),
    ],
)  # fmt: skip
def test_text_is_taken_for_what_it_most_likely_is(cells, kind, reason):
    column, _ = sensed(cells)
    assert (column.kind, reason in column.reason) == (kind, True), column.reason


def test_every_decision_that_can_be_overruled_says_how():
    for cells in ([f"{value:.2f}" for value in NORMAL], repeated(*WORDS), NORMAL, repeated("true", "false")):
        assert "--type price=" in sensed(cells, "price")[0].reason


def test_the_value_of_an_all_but_constant_column_is_its_first_example():
    column, told = sensed(["y", *["x"] * (ROWS - 1)])
    assert column.examples == ("x", "y")
    assert told["near-constant"].what == "'c' holds one value in all but 1 of 100 rows."


def test_a_constant_with_gaps_and_a_constant_of_few_rows_stay():
    assert sensed(["x"] * 60 + [None] * 40)[0].kind == "category"
    assert sensed(["x"] * 48 + ["y"])[0].kind == "category"


def test_dates_that_could_be_read_both_ways_name_the_rival():
    column, told = sensed(repeated("03/04/2024", "01/02/2024", "05/01/2024"), "day")
    assert column.format == {"calendar": "day-month-year"}
    assert told["ambiguous dates"].flag == "--type day=date:month-day-year"


def test_half_numbers_and_half_words_stay_text_with_a_warning():
    column, told = sensed(
        [f"{value:.2f}" if row % 2 else f"see {row}" for row, value in enumerate(NORMAL)], "c"
    )
    assert column.kind in ("text", "category")
    assert told["mixed"].flag == "--type c=number"


@pytest.mark.parametrize(
    ("cells", "wish", "reason"),
    [
        ([None] * 3, "number", "you said so"),
        ([None] * 3, "date", "you said so"),
        (np.arange(ROWS) * 86_400.0 + 1.6e9, "date", "you said so; read as time since 1970 in s"),
        (20_240_101 + np.arange(28), "date", "you said so; read as days written yyyymmdd"),
    ],
)
def test_what_the_user_said_is_the_reason(cells, wish, reason):
    column, _ = sensed(cells, "c", wish)
    assert (column.kind, column.reason) == (wish, reason)


# -- vocabularies ------------------------------------------------------------------------------------------------------


def vocabulary(**counts):
    return with_vocabulary(ColumnSchema("c", "f", "category", "for a test"), Counter(counts))


def test_levels_stand_by_falling_frequency_and_then_by_the_alphabet():
    column = vocabulary(b=2, a=2, c=5, d=1)
    assert (column.vocabulary, column.rare) == (("c", "a", "b", "d"), False)


def test_levels_of_one_row_share_a_code_only_where_there_are_many():
    many = {f"level {number:03d}": 2 for number in range(FEW_LEVELS)}
    assert not vocabulary(**dict(list(many.items())[:-1]), single=1).rare
    column = vocabulary(**many, single=1)
    assert (len(column.vocabulary), column.rare, column.levels) == (FEW_LEVELS, True, FEW_LEVELS + 1)


def test_the_vocabulary_is_bounded():
    column = vocabulary(**{f"level {number}": 2 for number in range(MOST_LEVELS + 10)})
    assert (len(column.vocabulary), column.rare) == (MOST_LEVELS, True)
