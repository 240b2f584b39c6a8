"""Any bytes become a frame that agrees with the csv module, or a DataError; real tables agree with pandas."""

import csv
import gzip
import io
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.errors import DataError
from perennial.modalities import csv_text
from perennial.modalities.cells import MISSING_TOKENS
from perennial.modalities.csv_regular import regular_rows
from perennial.modalities.reading import read_table
from perennial.modalities.values import is_missing

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TABLES = sorted(DATA.glob("*/*.csv*"))
FUZZ = settings(max_examples=200, deadline=1000, suppress_health_check=list(HealthCheck))

PIECES = st.sampled_from(
    [
        "a",
        "b",
        "1",
        "2.5",
        "-3",
        "007",
        "é",
        "🦋",
        "NA",
        "?",
        "",
        " ",
        ",",
        ",",
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\n",
        "\n",
    ]
    + [
        "\r\n",
        "\r",
        '"',
        '""',
        '"x,y"',
        '"p\nq"',
        "inf",
        "1e5",
        "9007199254740993",
        "2024-02-29",
        "2024-02-30",
        "\0",
    ]
    + [
        "1_000",
        "١",
        "0x1f",
        "\x85",
        "\u2028",
        "\x1c",
        "+",
        ".",
        "e",
        "12:30",
        "1.5.2",
        "true",
        "\ufeff",
        "=1+1",
        "a b",
    ]
)
SOUP = st.lists(PIECES, max_size=60).map("".join)
CELLS = st.text(st.sampled_from('ab1 .,;\n\r"é-'), max_size=6)


@st.composite
def regular_tables(draw):
    """Rows of equal width as the csv module writes them: the kind of file that must always be read."""
    width, rows = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    header = [f"name {index}" for index in range(width)]
    cells = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=rows, max_size=rows))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=draw(st.sampled_from(["\n", "\r\n"])), quoting=csv.QUOTE_ALL)
    writer.writerows([header, *cells])
    return stream.getvalue()


def reference(text, delimiter, header):
    """The cells by the csv module; lines without any content do not count."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    width = len(rows[0]) if len(rows[0]) > 1 or rows[0][0].strip() else max(map(len, rows))
    rows = [row for row in rows if width == 1 or len(row) > 1 or row[0].strip()]
    return rows[1:] if header else rows


def assert_cell_agrees(value, text, column):
    if text.strip() in MISSING_TOKENS:
        assert is_missing(value), (value, text)
    elif column.dtype == object:
        assert value == text
    elif column.dtype.kind == "M":
        assert value == np.datetime64(datetime.fromisoformat(text.strip()), "us")
    elif column.dtype.kind in "iu":
        assert int(value) == int(text)
    else:
        assert float(value) == float(text)


def assert_agrees_with_csv(frame, text):
    dialect = frame.origin["dialect"]
    expected = reference(text, dialect["delimiter"], dialect["header"])
    assert frame.rows == len(expected)
    for index, column in enumerate(frame.columns):
        for value, row in zip(column, expected, strict=True):
            assert_cell_agrees(value, row[index], column)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "x.csv"


def read_or_refuse(file, content):
    file.write_bytes(content)
    try:
        return read_table(file)
    except DataError as error:
        assert str(error).strip() and error.exit_code == 3
        return None


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_give_a_table_or_a_data_error(file, content):
    frame = read_or_refuse(file, content)
    if frame is not None:
        assert_agrees_with_csv(frame, content.decode(frame.origin["dialect"]["encoding"]))


@FUZZ
@given(text=SOUP)
def test_any_text_gives_a_table_that_agrees_with_the_csv_module_or_a_data_error(file, text):
    frame = read_or_refuse(file, text.encode())
    if frame is not None:
        assert_agrees_with_csv(frame, text.encode().decode(frame.origin["dialect"]["encoding"]))


@FUZZ
@given(text=SOUP, encoding=st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]), cut=st.integers(0, 3))
def test_marked_encodings_give_the_same_table_or_a_data_error(file, text, encoding, cut):
    content = text.encode(encoding)
    frame = read_or_refuse(file, content[: len(content) - cut])
    if frame is not None and not cut:
        assert_agrees_with_csv(frame, text)


@FUZZ
@given(content=st.binary(max_size=200), suffix=st.sampled_from(["jsonl", "json", "parquet", "csv.gz", "tsv"]))
def test_any_bytes_under_any_name_give_a_table_or_a_data_error(tmp_path_factory, content, suffix):
    file = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    read_or_refuse(file, content)
    read_or_refuse(file, gzip.compress(content))
    read_or_refuse(file, gzip.compress(content)[:-5])


@FUZZ
@given(text=regular_tables())
def test_a_table_written_by_the_csv_module_is_always_read(file, text):
    file.write_bytes(text.encode())
    frame = read_table(file, delimiter=",", header=True)
    assert_agrees_with_csv(frame, text)


@FUZZ
@given(text=st.one_of(SOUP, regular_tables()), size=st.integers(1, 9))
def test_a_file_called_regular_has_rows_of_one_width_whatever_the_chunks(text, size):
    content = text.encode()
    rows = regular_rows((content[i : i + size] for i in range(0, len(content), size)), ord(","))
    assert rows == regular_rows(iter([content]), ord(","))
    if rows:
        parsed = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert len(parsed) == rows
        assert len({len(row) for row in parsed}) == 1


@settings(FUZZ, max_examples=100)
@given(text=st.one_of(SOUP, regular_tables()))
def test_the_quick_way_through_duckdb_agrees_with_the_careful_way(file, text):
    file.write_bytes(text.encode())
    careful = read_or_refuse(file, text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_text, "IN_MEMORY_BYTES", 0)
        quick = read_or_refuse(file, text.encode())
    assert careful == quick


@pytest.mark.skipif(
    not TABLES, reason=f"the folder of real tables, {DATA.name}, is not beside the repository"
)
@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.name}")
@pytest.mark.parametrize("in_memory", [True, False], ids=["careful", "quick"])
def test_real_tables_agree_with_pandas(path, in_memory, monkeypatch):
    pandas = pytest.importorskip("pandas")
    if not in_memory:
        monkeypatch.setattr(csv_text, "IN_MEMORY_BYTES", 0)
    frame = read_table(path)
    expected = pandas.read_csv(path, dtype=object, na_values=sorted(MISSING_TOKENS), keep_default_na=False)
    assert list(frame.names) == list(expected.columns)
    assert frame.rows == len(expected)
    for name, column in zip(frame.names, frame.columns, strict=True):
        texts = [None if is_missing(text) else text for text in expected[name]]
        if column.dtype == object:
            assert column.tolist() == texts
        elif column.dtype.kind == "M":
            assert np.array_equal(pandas.to_datetime(texts).to_numpy().astype("datetime64[us]"), column)
        else:
            numbers = np.array([math.nan if text is None else float(text) for text in texts])
            assert np.array_equal(numbers, column.astype(np.float64), equal_nan=True)


@pytest.mark.skipif(
    not TABLES, reason=f"the folder of real tables, {DATA.name}, is not beside the repository"
)
@pytest.mark.parametrize("name", ["adult/train.csv.gz", "diamonds/data.csv.gz"])
def test_a_table_of_half_a_million_cells_is_read_in_about_half_a_second(name):
    from time import process_time

    seconds = math.inf
    for _ in range(3):
        start = process_time()
        read_table(DATA / name)
        seconds = min(seconds, process_time() - start)
    assert seconds < 0.5, f"{name} took {seconds:.2f} s of processor time"
