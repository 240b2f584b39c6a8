"""Values that Python holds, made into the columns of a frame: every type is kept, spelled out or refused by name."""

import datetime
import fractions
import json
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import DataError, UnreadableData, UsageError
from perennial.modalities.frame_sources import frame_from
from perennial.modalities.frames import Frame
from perennial.modalities.reading import read_table
from perennial.modalities.values import column_of, is_missing

DOZENS = settings(max_examples=40)
NOON = datetime.datetime(2024, 2, 29, 12)
OSLO = datetime.timezone(datetime.timedelta(hours=2))
KEY = uuid.UUID("12345678-1234-4234-8234-123456789abc")


def values(*cells):
    return column_of(list(cells), "c").values


# -- one column --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        ([Decimal("1.5"), 2], "float64", [1.5, 2.0]),
        ([fractions.Fraction(1, 4), 2], "float64", [0.25, 2.0]),
        ([10**400, 0.5, -(10**400)], "float64", [np.inf, 0.5, -np.inf]),
        ([np.int8(3), np.uint64(2**63)], "uint64", [3, 2**63]),
        ([2**63 - 1, -(2**63)], "int64", [2**63 - 1, -(2**63)]),
        ([2**64 - 1, 0], "uint64", [2**64 - 1, 0]),
        ([np.True_, False], "bool", [True, False]),
        ([datetime.date(2024, 2, 29), NOON], "datetime64[us]", [datetime.datetime(2024, 2, 29), NOON]),
        ([NOON.replace(tzinfo=OSLO)], "datetime64[us]", [datetime.datetime(2024, 2, 29, 10)]),
        ([np.datetime64("2024-02-29T12", "h")], "datetime64[us]", [NOON]),
        ([datetime.time(7, 30), KEY], "object", ["07:30:00", str(KEY)]),
        ([{"b", "a"}, frozenset("c"), np.array([1, 2]), [], None], "object", [("a", "b"), ("c",), (1, 2), (), None]),
        ([None, float("nan"), pd.NA, pd.NaT, np.ma.masked], "object", [None] * 5),
        ([" NA ", "a", "?"], "object", [None, "a", None]),
    ],
    ids=["decimals", "fractions", "beyond floats", "unsigned", "lowest", "highest", "truths", "dates", "zones", "hours", "named", "lists",
         "missing", "tokens"],
)  # fmt: skip
def test_values_of_one_kind_keep_their_meaning(cells, dtype, expected):
    found = values(*cells)
    assert (str(found.dtype), found.tolist()) == (dtype, expected)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1 + 2j], "complex (first in row 0)"),
        ([None, b"x"], "bytes (first in row 1)"),
        ([datetime.timedelta(1)], "timedelta"),
        ([{"a": 1}], "dict"),
        ([[1], [[2]]], "a list of list"),
        (np.zeros(2, dtype="m8[s]"), "timedelta64[s]"),
        (np.zeros(2, dtype=complex), "complex128"),
        (np.zeros((2, 2)), "an array of shape (2, 2)"),
    ],
)
def test_what_no_table_can_hold_is_refused_with_its_type_and_its_row(cells, kind):
    with pytest.raises(DataError, match="Column 'c' holds") as caught:
        column_of(cells, "c")
    assert kind in caught.value.what and "Convert it" in caught.value.todo


def test_words_for_missing_are_counted_as_they_were_written():
    converted = column_of(["NA", " NA", "?", "a", ""], "c")
    assert converted.missing_tokens == {"?": 1, "NA": 2}
    assert converted.values.tolist() == [None, None, None, "a", None]


def test_masked_entries_are_missing_and_an_empty_mask_changes_nothing():
    hidden = np.ma.array([1, 2, 3], mask=[False, True, False])
    assert np.array_equal(column_of(hidden, "c").values, [1.0, np.nan, 3.0], equal_nan=True)
    assert column_of(np.ma.array([1, 2]), "c").values.dtype == np.int64


def test_bytes_in_an_array_of_fixed_width_are_text():
    assert column_of(np.array([b"abc", "é".encode()]), "c").values.tolist() == ["abc", "é"]


@pytest.mark.parametrize(
    "value", [pd.array([1, 2], dtype="Int64"), pd.Series([1, 2]), pl.Series([1, 2]), range(1, 3)]
)
def test_sequences_of_other_libraries_are_columns(value):
    assert column_of(value, "c").values.tolist() == [1, 2]


def test_dates_beyond_the_calendar_are_refused_by_name():
    with pytest.raises(DataError, match="A date in column 'c' cannot be used"):
        column_of([datetime.datetime(1, 1, 1, tzinfo=OSLO)], "c")


@pytest.mark.parametrize("value", [0, "", False, "nan", Decimal(0), np.datetime64(0, "s"), [], ()])
def test_values_that_are_merely_small_are_not_missing(value):
    assert not is_missing(value)


# -- tables ------------------------------------------------------------------------------------------------------------


@DOZENS
@given(
    st.integers(1, 6).flatmap(
        lambda rows: st.fixed_dictionaries(
            {
                "n": st.lists(st.integers(-(2**40), 2**40), min_size=rows, max_size=rows),
                "x": st.lists(st.floats(allow_nan=False), min_size=rows, max_size=rows),
                "s": st.lists(st.sampled_from(["a", "b c", "é", None]), min_size=rows, max_size=rows),
                "b": st.lists(st.booleans(), min_size=rows, max_size=rows),
            }
        )
    )
)
def test_pandas_polars_and_python_hold_the_same_table(columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    plain = frame_from(columns)
    assert frame_from(rows) == plain
    assert frame_from(pd.DataFrame(columns)) == plain
    assert frame_from(pl.DataFrame(columns, schema_overrides={"s": pl.String})) == plain


def test_a_list_of_lists_has_numbered_columns_and_a_plain_list_is_one_column():
    assert frame_from([[1, "a"], (2, "b")]) == frame_from({"x0": [1, 2], "x1": ["a", "b"]})
    assert frame_from([1, None]) == frame_from({"x0": [1, None]})
    assert frame_from([np.array([1, 2]), np.array([3, 4])]) == frame_from(np.array([[1, 2], [3, 4]]))


def test_dates_of_a_data_frame_are_dates_with_and_without_gaps():
    for gap in ([], [None]):
        moments = [NOON, NOON + datetime.timedelta(days=1), *gap]
        for frame in (pd.DataFrame({"t": pd.to_datetime(moments)}), pl.DataFrame({"t": moments})):
            assert frame_from(frame).column("t").tolist() == moments
    assert frame_from(pl.DataFrame({"t": [NOON.date()]})).column("t").tolist() == [
        datetime.datetime(2024, 2, 29)
    ]


def test_frames_and_paths_are_taken_as_they_are(tmp_path):
    frame = frame_from({"a": [1, 2]})
    (tmp_path / "x.csv").write_text("a\n1\n2\n")
    assert frame_from(frame) is frame
    assert frame_from(tmp_path / "x.csv") == frame_from(str(tmp_path / "x.csv")) == frame


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "The table has no columns"),
        ([], "an empty list was given"),
        ({"a": "abc"}, "Column 'a' must be a sequence of values, received str"),
        ({"a": 5}, "received int"),
        ([{"a": 1}, [1]], "rows of one kind, received dict, list"),
        ([[1, 2], [3]], "row 0 has 2, row 1 has 1"),
        (np.zeros((2, 2, 2)), "received an array of shape (2, 2, 2)"),
        (np.zeros((2, 2), dtype=[("a", "i4")]), "received an array of shape (2, 2)"),
        (None, "Expected a table, received builtins.NoneType"),
        (pd.DataFrame({"a": []}), "columns but no rows"),
        (scipy.sparse.csr_matrix((100_000, 1_000)), "would need 100000000 cells"),
        ({"a": [1], "b": [1, 2]}, "must have the same length"),
    ],
)
def test_what_is_no_table_is_refused_with_what_was_received(data, said):
    with pytest.raises(DataError) as caught:
        frame_from(data)
    assert said in str(caught.value)


def test_frames_are_equal_by_names_dtypes_and_values():
    one = frame_from({"a": [1.0, None], "s": ["x", None]})
    assert one == frame_from({"a": [1.0, None], "s": ["x", None]})
    assert one != frame_from({"a": [1.0, 2.0], "s": ["x", None]})
    assert frame_from({"a": [1]}) != frame_from({"a": [1.0]})
    assert one != "a frame" and one != frame_from({"s": ["x", None], "a": [1.0, None]})
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_a_frame_takes_rows_by_number_or_mask_and_shows_at_most_twenty_columns():
    frame = frame_from({f"c{number}": [number, -number] for number in range(25)})
    assert frame.take([1, 0, 1]).column("c3").tolist() == [-3, 3, -3]
    assert frame.take(np.array([False, True])).rows == 1
    assert frame.take([]).rows == 0
    assert repr(frame).endswith("c19 int64, … 5 more)")
    with pytest.raises(DataError, match="2 names but 1 columns"):
        Frame(("a", "b"), (np.zeros(1),))


# -- JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_only_the_rows_that_are_wanted_are_read_from_json(tmp_path, name):
    rows = [{"a": number, "b": {"c": str(number)}} for number in range(5)]
    text = json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows))
    (tmp_path / name).write_text(text + "\n\n")
    assert read_table(tmp_path / name, rows=2).column("b.c").tolist() == ["0", "1"]
    assert read_table(tmp_path / name).rows == 5


def test_a_fault_below_the_wanted_rows_of_json_lines_is_not_seen(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": 2}\n{"a": \n')
    assert read_table(tmp_path / "x.jsonl", rows=2).column("a").tolist() == [1, 2]
    with pytest.raises(UnreadableData, match="not JSON") as caught:
        read_table(tmp_path / "x.jsonl")
    assert caught.value.where.endswith("line 3")


def test_json_beyond_the_memory_is_refused_with_formats_that_can_be_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr("perennial.modalities.reading._memory", lambda: 10)
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(DataError, match="9 bytes of JSON do not fit") as caught:
        read_table(tmp_path / "x.jsonl")
    assert "Parquet or CSV" in caught.value.todo


@pytest.mark.parametrize("rows", [0, -1, True, 1.5, "3"])
def test_a_number_of_rows_that_is_none_is_refused(rows, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="at least 1"):
        read_table(tmp_path / "x.csv", rows=rows)
