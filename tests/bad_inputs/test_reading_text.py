"""Delimited text of the catalogue of bad inputs: one named test per row (the number is the row)."""

import gzip

import numpy as np
import pytest

from perennial.errors import DataError, UnreadableData, UsageError
from perennial.modalities import csv_text
from perennial.modalities.csv_dialect import looks_like_header
from perennial.modalities.csv_rows import Wishes, read_csv
from perennial.modalities.files import find_source
from perennial.modalities.reading import read_table


@pytest.fixture
def write(tmp_path):
    def write(content, name="x.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path, *parts, kind=DataError, **options):
    """The message with which the file is refused; every part must be in it."""
    with pytest.raises(kind) as caught:
        read_table(path, **options)
    for part in parts:
        assert part in str(caught.value), f"{part!r} is missing in:\n{caught.value}"
    return caught.value


@pytest.mark.parametrize(
    "content", ["", "\n", "\r\n \r\n", "\ufeff"], ids=["no bytes", "newline", "blank", "mark"]
)
def test_01_an_empty_file_is_refused_with_its_path(write, content):
    error = refusal(write(content), "no rows", "x.csv")
    assert error.exit_code == 3


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\n\n\n"])
def test_02_a_header_without_rows_is_refused_with_its_names(write, content):
    refusal(write(content), "column names but no rows", "'a', 'b'")


def test_03_one_row_is_read_and_left_for_the_sensor_to_judge(write):
    assert read_table(write("a,b\n1,2\n")).rows == 1


def test_12_whole_numbers_stay_whole_and_codes_with_leading_zeros_stay_text(write):
    frame = read_table(write("number,code\n1,007\n20,012\n"))
    assert frame.column("number").dtype == np.int64
    assert frame.column("code").tolist() == ["007", "012"]


@pytest.mark.parametrize("quick", [False, True], ids=["careful", "quick"])
def test_12_columns_that_are_to_stay_as_written_stay_text(write, monkeypatch, quick):
    if quick:
        monkeypatch.setattr(csv_text, "IN_MEMORY_BYTES", 0)
    frame = read_table(write("a,b\n1.50,1.50\n2.00,NA\n"), as_written=["b", "nowhere"])
    assert frame.column("a").tolist() == [1.5, 2.0]
    assert frame.column("b").tolist() == ["1.50", None]
    assert frame.origin["missing_tokens"] == {"b": {"NA": 1}}


def test_13_numbers_with_separators_currency_or_percent_stay_text_for_the_sensor(write):
    frame = read_table(write("a;b;c;d\n1,5;1.234,5;€ 5;5%\n2,5;1.000,0;€ 6;6%\n"))
    assert frame.origin["dialect"]["delimiter"] == ";"
    assert [column.tolist()[0] for column in frame.columns] == ["1,5", "1.234,5", "€ 5", "5%"]


def test_14_known_missing_tokens_are_missing_and_counted_and_sentinels_are_numbers(write):
    frame = read_table(write("a,b,c\n1,?,-999\nNA,red,1\n-,null,2\n,?,3\n"))
    assert np.array_equal(frame.column("a"), [1, np.nan, np.nan, np.nan], equal_nan=True)
    assert frame.column("b").tolist() == [None, "red", None, None]
    assert frame.column("c").tolist() == [-999, 1, 2, 3]
    assert frame.origin["missing_tokens"] == {"a": {"-": 1, "NA": 1}, "b": {"?": 2, "null": 1}}


def test_14_the_level_none_in_lower_case_is_a_level(write):
    assert read_table(write("a,b\nnone,1\nsome,2\n")).column("a").tolist() == ["none", "some"]


def test_17_a_column_without_any_value_is_text_of_missing_values(write):
    assert read_table(write("a,b\n,1\nNA,2\n")).column("a").tolist() == [None, None]


def test_27_repeated_column_names_are_refused_with_their_list(write):
    refusal(
        write("id,age,id,age,b\n1,2,3,4,5\n"),
        "2 column names",
        "'id' in columns 1, 3",
        "'age' in columns 2, 4",
    )


def test_28_column_names_of_any_characters_are_kept(write):
    names = ['{"a":1}', "🦋", "цена", 'say "hi"', "two\nlines", "<script>", "__proto__"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert read_table(write(f"{header}\n1,2,3,4,5,6,7\n")).names == tuple(names)


def test_28_columns_without_a_name_get_one_and_a_note(write):
    frame = read_table(write(",a,column 1\n1,2,3\n"))
    assert frame.names == ("column 1'", "a", "column 1")
    assert "without a name" in frame.origin["notes"][0]


def test_30_a_very_wide_table_is_read(write):
    width = 20_000
    rows = [",".join(f"name{i}" for i in range(width))] + [",".join(["1"] * width)] * 20
    frame = read_table(write("\n".join(rows)))
    assert (len(frame.names), frame.rows) == (width, 20)


@pytest.mark.parametrize("in_memory", [True, False], ids=["careful", "quick"])
def test_32_a_table_larger_than_the_memory_is_sampled_in_order_and_says_so(write, in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.setattr(csv_text, "IN_MEMORY_BYTES", 0)
    path = write("a,b\n" + "".join(f"{i},x\n" for i in range(10_000)))
    frame = read_csv(find_source(path), Wishes(memory=100_000))
    assert frame.rows < 2000
    assert frame.origin["rows_in_file"] == 10_000
    assert np.all(np.diff(frame.column("a")) == frame.column("a")[1])
    assert "larger than the memory" in frame.origin["notes"][0]


def test_33_extreme_numbers_are_exact(write):
    frame = read_table(
        write(
            "a,b,c,d,e\n1e308,5e-324,9007199254740993,18446744073709551615,9007199254740993\n-1e308,0,1,2,\n"
        )
    )
    assert frame.column("a").tolist() == [1e308, -1e308]
    assert frame.column("b").tolist() == [5e-324, 0]
    assert (frame.column("c").dtype, frame.column("c")[0]) == (np.int64, 9007199254740993)
    assert (frame.column("d").dtype, frame.column("d")[0]) == (np.uint64, 18446744073709551615)
    assert frame.column("e").tolist() == ["9007199254740993", None]


def test_33_whole_numbers_beyond_64_bits_stay_text(write):
    assert read_table(write("a,b\n123456789012345678901234567890,1\n1,2\n")).column("a").dtype == object


def test_34_infinity_is_a_number_among_numbers_and_a_word_among_words(write):
    frame = read_table(write("a,b\n1,inf\n-Inf,sup\n"))
    assert frame.column("a").tolist() == [1, -np.inf]
    assert frame.column("b").tolist() == ["inf", "sup"]


def test_36_ragged_rows_are_refused_with_line_and_text(write):
    content = 'a,b,c\n1,2,3\n"two\nlines",5,6\n7,8\n9,10,11,12\n'
    refusal(write(content), "2 of 4 rows", "line 5 (2 cells): '7,8'", "line 6 (4 cells): '9,10,11,12'")


def test_36_skip_bad_lines_leaves_them_out_and_counts_them(write):
    frame = read_table(write('a,b\n1,2\n3\n4,5,6\n"x"y,8\n7,8\n'), skip_bad_lines=True)
    assert frame.column("a").tolist() == [1, 7]
    assert frame.origin["skipped_lines"] == 3
    assert "line 3, 4, 5" in frame.origin["notes"][0]


def test_36_row_names_as_r_writes_them_are_explained(write):
    refusal(write("a,b\nr1,1,2\nr2,3,4\n"), "col.names = NA")


def test_36_blank_lines_are_skipped_with_a_note(write):
    frame = read_table(write("a,b\n1,2\n\n  \n3,4\n\n"))
    assert frame.column("a").tolist() == [1, 3]
    assert frame.origin["notes"] == ["3 blank lines were skipped."]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_37_usual_delimiters_are_found_even_beside_commas_in_text(write, delimiter):
    rows = [["name", "text"], ["1", '"a, b; c"'], ["2", '"x|y\tz"'], ["3", '"p, q"']]
    frame = read_table(write("\n".join(delimiter.join(row) for row in rows)))
    assert frame.names == ("name", "text")
    assert frame.column("text")[0] == "a, b; c"


@pytest.mark.parametrize(("delimiter", "name"), [(" ", "space"), (":", ":"), ("^", "^")])
def test_37_one_huge_column_shows_the_first_rows_and_the_option(write, delimiter, name):
    path = write("a b c\n1 2 3\n4 5 6\n".replace(" ", delimiter))
    refusal(path, "one huge column", f"[['a{delimiter}b{delimiter}c']"[1:], f"--delimiter '{name}'")
    assert read_table(path, delimiter=name).names == ("a", "b", "c")


def test_37_a_wrong_delimiter_that_was_asked_for_is_refused_with_the_better_one(write):
    refusal(write("a;b\n1;2\n3;4\n"), "one huge column", "['1;2']", "--delimiter 'semicolon'", delimiter=",")


def test_37_a_title_above_a_table_is_seen(write):
    refusal(write("Sales of 2024\na;b\n1;2\n3;4\n5;6\n"), "one huge column", "remove a title")


def test_37_a_file_of_one_column_is_read_with_a_note(write):
    frame = read_table(write("text\nhello\nthis is one column\n"))
    assert frame.names == ("text",)
    assert "Only one column" in frame.origin["notes"][0]


def test_37_one_column_of_text_with_commas_needs_a_word_from_the_user(write):
    path = write("text\nhello\nthis is one, column\n")
    refusal(path, "line 3 (2 cells)", "--delimiter tab")
    assert read_table(path, delimiter="tab").column("text")[1] == "this is one, column"


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n"])
def test_37_an_impossible_delimiter_is_a_usage_error(write, delimiter):
    refusal(write("a,b\n1,2\n"), "one character", kind=UsageError, delimiter=delimiter)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_38_byte_order_marks_are_understood(write, encoding, packed):
    content = "name,größe\nÄ,1\nЖ,2\n".encode(encoding)
    frame = read_table(write(gzip.compress(content) if packed else content))
    assert frame.names == ("name", "größe")
    assert frame.column("name").tolist() == ["Ä", "Ж"]


def test_38_invalid_bytes_are_refused_with_byte_offset_line_and_the_option(write):
    path = write("name,b\nx,1\nMünchen,2\n".encode("latin-1"))
    refusal(path, "byte offset 12", "0xfc", "line 3", "--encoding", kind=UnreadableData)
    assert read_table(path, encoding="latin-1").column("name")[1] == "München"


def test_38_the_offset_of_an_invalid_byte_is_right_across_chunks(write, monkeypatch):
    monkeypatch.setattr(csv_text, "CHUNK_BYTES", 3)
    refusal(write("a\nä€\n".encode() + b"\xe2\x82x\n"), "byte offset 8", "line 3", kind=UnreadableData)


def test_38_utf_16_without_a_mark_is_refused_with_the_option(write):
    path = write("name,b\nx,1\n".encode("utf-16-le"))
    refusal(path, "--encoding utf-16-le")
    assert read_table(path, encoding="utf-16-le").names == ("name", "b")


def test_38_an_unknown_encoding_is_a_usage_error(write):
    refusal(write("a,b\n1,2\n"), "klingon", kind=UsageError, encoding="klingon")
    refusal(write("a,b\n1,2\n"), "base64", kind=UsageError, encoding="base64")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_39_all_line_ends_are_read_alike(write, end, last):
    text = end.join(["a,b", "1,x", '2,"y"']) + end * last
    frame = read_table(write(text))
    assert frame.column("a").tolist() == [1, 2]
    assert frame.column("b").tolist() == ["x", "y"]


def test_39_newlines_inside_quotes_are_part_of_the_cell(write):
    assert read_table(write('a,b\n1,"p\r\nq"\n2,"r\ns"\n')).column("b").tolist() == ["p\r\nq", "r\ns"]


def test_39_a_nul_byte_is_refused_with_its_line(write):
    refusal(write(b"a,b\n1,2\n3,\x004\n"), "NUL", "line 3", kind=UnreadableData)


def test_39_an_unclosed_quote_is_refused_with_the_line_where_it_opens(write):
    content = 'a,b\n1,2\n3,"four\n5,6\n7,8\n'
    refusal(write(content), "line 3", "'3,\"four'", "not closed", kind=UnreadableData)
    refusal(write(content), "line 3", kind=UnreadableData, skip_bad_lines=True)


def test_39_text_after_a_closing_quote_is_refused_with_its_line(write):
    refusal(write('a,b\n1,2\n"3"x,4\n'), "line 3", "a quote ends in the middle", "twice")


def test_39_quotes_inside_plain_text_are_text(write):
    assert read_table(write('a,b\n5" pipe,1\n6" pipe,2\n')).column("a")[0] == '5" pipe'


def test_40_iso_dates_are_dates_and_a_day_that_does_not_exist_leaves_the_column_text(write):
    frame = read_table(
        write("a,b,c\n2024-02-29,2024-02-30,2024-01-01T10:30:05\n,2024-03-01,2024-01-02 11:00\n")
    )
    assert frame.column("a").dtype == np.dtype("datetime64[us]")
    assert np.isnat(frame.column("a")[1])
    assert frame.column("b").tolist() == ["2024-02-30", "2024-03-01"]
    assert frame.column("c")[0] == np.datetime64("2024-01-01T10:30:05", "us")


def test_40_times_with_zones_and_slashed_dates_stay_text_for_the_sensor(write):
    frame = read_table(write("a,b\n2024-01-01T10:00Z,01/02/2024\n2024-01-01T10:00+02:00,13/02/2024\n"))
    assert [column.dtype for column in frame.columns] == [object, object]


def test_53_a_cell_of_a_megabyte_is_read(write):
    frame = read_table(write("a,b\n" + "x" * 2**20 + ",1\n"))
    assert len(frame.column("a")[0]) == 2**20


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("39,State,7\n50,Self,8\n38,State,9\n", False),
        ("red,big\nred,small\nblue,big\n", False),
        ("age,work\n39,State\n50,Self\n", True),
        ("country,2019,2020\nDE,1.5,2.5\nFR,1.6,2.6\n", True),
        ("0,1,2\n5.1,3.5,1.4\n4.9,3.0,1.4\n", True),
        ("5.1,3.5,1.4\n4.9,3.0,1.4\n", False),
        ("name,city\nAda,London\nBob,Paris\n", True),
        ("a,b\n,\nx,\n", True),
    ],
)
def test_a_first_row_of_data_is_told_from_a_header(write, text, header):
    assert looks_like_header([line.split(",") for line in text.splitlines()]) is header
    frame = read_table(write(text))
    assert frame.rows == text.count("\n") - header
    assert ("column 1" in frame.names) is not header
    assert any("looks like data" in note for note in frame.origin["notes"]) is not header


def test_the_header_decision_can_be_overruled(write):
    path = write("5,6\n7,8\n")
    assert read_table(path, header=True).names == ("5", "6")
    assert read_table(path, header=False).rows == 2


def test_reading_only_the_first_rows(write):
    path = write("a,b\n" + "1,2\n" * 50)
    assert read_table(path, rows=7).rows == 7
    refusal(path, "at least 1", kind=UsageError, rows=0)
