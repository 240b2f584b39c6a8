"""Parquet, JSON and tables that Python holds: one named test per row of the catalogue of bad inputs."""

import datetime
import decimal
import json

import narwhals as nw
import numpy as np
import pytest
import scipy.sparse

from perennial.errors import DataError, UnreadableData
from perennial.modalities.parquet import read_parquet
from perennial.modalities.reading import Frame, frame_from, read_table

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
NOON = datetime.datetime(2024, 1, 1, 12)


def refused(data, *parts, kind=DataError):
    with pytest.raises(kind) as caught:
        frame_from(data)
    for part in parts:
        assert part in str(caught.value), f"{part!r} is missing in:\n{caught.value}"


def parquet(tmp_path, **columns):
    path = tmp_path / "x.parquet"
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


COLUMNS = {
    "n": [1, 2, 3],
    "x": [1.5, None, -2.0],
    "s": ["a", None, "c"],
    "b": [True, False, True],
    "t": [NOON, None, NOON],
}


@pytest.mark.parametrize("make", [dict, pandas.DataFrame, polars.DataFrame, pyarrow.table, polars.LazyFrame])
def test_every_kind_of_data_frame_gives_the_same_frame(make):
    frame = frame_from(make(COLUMNS))
    assert frame.names == ("n", "x", "s", "b", "t")
    assert [str(column.dtype) for column in frame.columns] == [
        "int64",
        "float64",
        "object",
        "bool",
        "datetime64[us]",
    ]
    assert frame.column("s").tolist() == ["a", None, "c"]
    assert frame == frame_from(COLUMNS)


def test_a_list_of_dictionaries_is_a_table_in_which_absent_keys_are_missing():
    frame = frame_from([{"a": 1, "b": "x"}, {"b": "y", "c": 2.5}])
    assert frame.names == ("a", "b", "c")
    assert np.array_equal(frame.column("a"), [1, np.nan], equal_nan=True)


def test_15_mixed_types_become_text_with_a_note():
    frame = frame_from({"a": [1, "two", 3.5, None]})
    assert frame.column("a").tolist() == ["1", "two", "3.5", None]
    assert "mixes" in frame.origin["notes"][0]


def test_27_repeated_names_in_data_frames_are_refused():
    refused(pandas.DataFrame([[1, 2]], columns=["a", "a"]), "used more than once", "'a'")
    refused(pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"]), "'a'")
    refused({1: [1], "1": [2]}, "'1'")
    with pytest.raises(DataError, match="more than once"):
        Frame(("a", "a"), (np.zeros(1), np.zeros(1)))


def test_33_whole_numbers_beyond_float_precision_are_kept_or_become_text():
    frame = frame_from({"a": [2**63, 1], "b": [2**53 + 1, None], "c": [10**30, 1], "d": [2**53, None]})
    assert frame.column("a").dtype == np.uint64
    assert frame.column("b").tolist() == ["9007199254740993", None]
    assert frame.column("c").dtype == object
    assert frame.column("d").dtype == np.float64


def test_41_parquet_types_are_flattened_or_converted(tmp_path):
    address = pyarrow.StructArray.from_arrays(
        [pyarrow.array(["Oslo", "Rome"]), pyarrow.array([1, None])], ["city", "no"]
    )
    path = parquet(
        tmp_path,
        money=pyarrow.array([decimal.Decimal("1.10"), None]),
        level=pyarrow.array(["red", "NA"]).dictionary_encode(),
        long=pyarrow.array(["a", "b"], pyarrow.large_string()),
        tags=pyarrow.array([["x", "y"], []]),
        address=address,
        day=pyarrow.array([datetime.date(2024, 2, 29), None]),
        moment=pyarrow.array([NOON, NOON], pyarrow.timestamp("ns", tz="Europe/Oslo")),
        count=pyarrow.array([1, None], pyarrow.int32()),
        big=pyarrow.array([2**53 + 1, None], pyarrow.int64()),
        nothing=pyarrow.nulls(2),
    )
    frame = read_table(path)
    assert frame.names[4:6] == ("address.city", "address.no")
    assert np.array_equal(frame.column("money"), [1.1, np.nan], equal_nan=True)
    assert frame.column("level").tolist() == ["red", None]
    assert frame.column("tags").tolist() == [("x", "y"), ()]
    assert frame.column("day")[0] == np.datetime64("2024-02-29", "us")
    assert frame.column("moment")[0] == np.datetime64("2024-01-01T12:00", "us")
    assert np.array_equal(frame.column("count"), [1, np.nan], equal_nan=True)
    assert frame.column("big").tolist() == ["9007199254740993", None]
    assert frame.column("nothing").tolist() == [None, None]


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (pyarrow.array([b"\0", b"x"]), "BLOB"),
        (pyarrow.array([[("k", 1)], []], pyarrow.map_(pyarrow.string(), pyarrow.int64())), "MAP"),
        (pyarrow.array([[[1]], [[2]]]), "BIGINT[][]"),
    ],
)
def test_41_parquet_types_that_no_table_can_hold_are_named(tmp_path, array, name):
    with pytest.raises(DataError, match="Column 'odd' has the type") as caught:
        read_table(parquet(tmp_path, odd=array))
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["x.parquet", "no suffix", "misnamed.csv", "glob[1]*.parquet"])
def test_41_parquet_is_known_by_its_content(tmp_path, name):
    path = parquet(tmp_path, a=[1, 2]).rename(tmp_path / name)
    assert read_table(path).column("a").tolist() == [1, 2]
    assert read_table(path, rows=1).rows == 1


def test_41_damaged_and_empty_parquet_files_are_refused(tmp_path):
    path = parquet(tmp_path, a=list(range(1000)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableData):
        read_table(path)
    with pytest.raises(DataError, match="no rows"):
        read_table(parquet(tmp_path, a=pyarrow.array([], pyarrow.int64())))


def test_41_nested_columns_of_data_frames_are_flattened():
    rows = {"s": [{"p": 1, "q": {"r": "x"}}, {"p": 2, "q": {"r": "y"}}], "l": [["a"], ["b", "c"]]}
    for make in (pyarrow.table, polars.DataFrame):
        frame = frame_from(make(rows))
        assert frame.names == ("s.p", "s.q.r", "l")
        assert frame.column("l").tolist() == [("a",), ("b", "c")]


def test_42_a_named_pandas_index_becomes_a_column_and_a_clash_is_left_out():
    data = pandas.DataFrame({"a": [1, 2]}, index=pandas.Index(["p", "q"], name="key"))
    assert frame_from(data).names == ("key", "a")
    clash = pandas.DataFrame({"a": [1, 2]}, index=pandas.Index([5, 6], name="a"))
    assert frame_from(clash).column("a").tolist() == [1, 2]
    assert "left out" in frame_from(clash).origin["notes"][0]
    several = data.assign(b=3).set_index("b", append=True)
    assert frame_from(several).names == ("key", "b", "a")
    assert frame_from(pandas.DataFrame({"a": [1, 2]}, index=[7, 8])).names == ("a",)


def test_42_stacked_column_names_are_refused():
    refused(
        pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        "MultiIndex",
    )


def test_42_unused_levels_of_a_categorical_are_ignored():
    data = pandas.DataFrame({"a": pandas.Categorical(["x", None], categories=["x", "unused"])})
    assert frame_from(data).column("a").tolist() == ["x", None]
    numbers = pandas.DataFrame({"a": pandas.Categorical([3, 5])})
    assert frame_from(numbers).column("a").tolist() == [3, 5]


def test_42_pandas_missing_values_of_every_kind_are_missing():
    data = pandas.DataFrame(
        {
            "i": pandas.array([1, pandas.NA], dtype="Int64"),
            "o": [None, "x"],
            "t": [pandas.NaT, pandas.Timestamp("2024-01-01T12:00+02:00").tz_convert(None)],
            "z": pandas.to_datetime(["2024-01-01T12:00+02:00", None], utc=True),
            "b": pandas.array([True, pandas.NA], dtype="boolean"),
        }
    )
    frame = frame_from(data)
    assert np.array_equal(frame.column("i"), [1, np.nan], equal_nan=True)
    assert frame.column("o").tolist() == [None, "x"]
    assert np.isnat(frame.column("t")[0])
    assert frame.column("z")[0] == np.datetime64("2024-01-01T10:00", "us")
    assert frame.column("b").tolist() == ["True", None]


def test_43_arrays_of_all_layouts_become_columns():
    big = np.arange(12.0).reshape(4, 3)
    big.setflags(write=False)
    assert frame_from(big[::2, ::-1]).column("x0").tolist() == [2, 8]
    assert frame_from(np.arange(3)).names == ("x0",)
    assert frame_from(np.array([(1, "a")], dtype=[("n", "i4"), ("s", "U3")])).column("s").tolist() == ["a"]
    masked = np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    assert np.array_equal(frame_from(masked).column("x1"), [np.nan, 4], equal_nan=True)
    assert frame_from(np.array([[1, "a"], [None, "b"]], dtype=object)).column("x1").tolist() == ["a", "b"]
    assert frame_from(np.float16([[1.5]])).column("x0").dtype == np.float64


def test_43_arrays_that_are_no_tables_are_refused_with_the_type():
    refused(np.zeros((2, 3, 4)), "shape (2, 3, 4)")
    refused(np.array(1.0), "shape ()")
    refused(np.array([1 + 2j]), "complex")
    refused(np.array([np.timedelta64(1, "s")]), "timedelta64")
    refused({"a": [np.zeros((2, 2)), np.zeros((2, 2))]}, "a list of")
    refused({"a": [object()]}, "object", "row 0")
    refused({"a": [b"bytes"]}, "bytes")
    refused(iter([1, 2]), "Expected a table")
    refused(42, "Expected a table, received builtins.int")
    refused({}, "no columns")
    refused([], "no rows")


def test_43_small_sparse_matrices_are_written_out_and_large_ones_refused():
    small = scipy.sparse.csr_matrix([[0, 1.5], [2, 0]])
    assert frame_from(small).column("x1").tolist() == [1.5, 0]
    refused(scipy.sparse.csr_matrix((10**6, 10**5)), "sparse", "TruncatedSVD")


def test_43_nothing_of_the_given_data_is_changed():
    data = pandas.DataFrame({"a": ["NA", "x"], "b": [1.0, 2.0]})
    before = data.copy(deep=True)
    frame = frame_from(data)
    frame.column("b")
    assert data.equals(before)


def test_44_columns_and_targets_of_different_length_are_refused():
    refused({"a": [1, 2], "b": [1]}, "'b' has 1 rows", "'a' has 2")
    refused([[1, 2], [3]], "row 0 has 2", "row 1 has 1")


def test_json_lines_and_json_lists_give_the_same_table(tmp_path):
    rows = [
        {"a": 1, "code": "007", "in": {"x": 1.5}, "tags": ["p"]},
        {"a": None, "code": "NA", "in": {}, "tags": []},
    ]
    (tmp_path / "x.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    (tmp_path / "x.json").write_text(json.dumps(rows, indent=1))
    frame = read_table(tmp_path / "x.jsonl")
    assert frame == read_table(tmp_path / "x.json")
    assert frame.names == ("a", "code", "in.x", "tags")
    assert frame.column("code").tolist() == ["007", None]
    assert frame.column("tags").tolist() == [("p",), ()]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"a": 1}\n{"a": \n', "line 2"),
        ('{"a": 1, "a": 2}\n', "'a' occurs twice"),
        ("[1, 2]", "one object"),
        ("[]", "no rows"),
        ("[" * 100_000, "not JSON"),
        ('{"a": 1}\n5\n', "row 2"),
    ],
)
def test_json_that_is_no_table_is_refused_with_its_place(tmp_path, text, part):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(DataError, match=part):
        read_table(tmp_path / "x.jsonl")


def test_32_a_parquet_file_larger_than_the_memory_is_sampled(tmp_path):
    from perennial.modalities.csv_rows import Wishes
    from perennial.modalities.files import find_source

    path = parquet(tmp_path, a=list(range(1000)))
    frame = read_parquet(find_source(path), Wishes(memory=6400))
    assert frame.column("a").tolist() == list(range(0, 1000, 10))
    assert "larger than the memory" in frame.origin["notes"][0]


def test_a_narwhals_frame_and_a_series_are_understood():
    assert frame_from(nw.from_native(pandas.DataFrame({"a": [1]}))).names == ("a",)
    assert frame_from(pandas.Series([1, 2], name="y")).names == ("y",)


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_two_values_of_one_object_never_share_a_column(tmp_path, form):
    path = tmp_path / f"x.{form}"
    rows = [{"a": {"b": 1}}, {"a.b": 1, "a": {"b": 2}}]
    path.write_text(json.dumps(rows) if form == "json" else "\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert "the column 'a.b'" in caught.value.what and "row 2" in caught.value.where


def test_rows_of_lists_may_hold_lists_and_rows_without_cells_are_refused():
    frame = frame_from([[1, [2, 3]], [4, [5]]])
    assert frame.column("x0").tolist() == [1, 4] and frame.column("x1").tolist() == [(2, 3), (5,)]
    for data in ([np.array(1), np.array(2)], [[1], np.array(2)]):
        refused(data, "A row must hold cells, received an array of shape ()")


def test_a_signalling_nan_is_missing_like_any_other():
    frame = frame_from({"a": [decimal.Decimal("sNaN"), decimal.Decimal("NaN"), 1]})
    assert np.isnan(frame.column("a")).tolist() == [True, True, False]
