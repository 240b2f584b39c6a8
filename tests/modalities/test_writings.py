"""Writings of numbers, dates and tables at the edges: what is decided from few cells, and what is left alone."""

import csv
import datetime
import io
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import DataError, UnsafeData, UsageError
from perennial.modalities.calendars import Calendar
from perennial.modalities.csv_dialect import (
    DELIMITER_NAMES,
    column_names,
    find_delimiter,
    find_encoding,
    looks_like_header,
)
from perennial.modalities.csv_regular import regular_rows
from perennial.modalities.files import find_source
from perennial.modalities.identifiers import counts_rows, is_composed, names_owner, names_rows
from perennial.modalities.numerals import Numerals, plain_share, recognise
from perennial.modalities.reading import read_table, write_table
from perennial.modalities.units import SAME, profile, same_values, to_digits

DOZENS = settings(max_examples=50)
WORDS = st.text(st.sampled_from("ab1 é-"), min_size=1, max_size=5).filter(str.strip)


# -- numbers and dates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "why"),
    [([], "nothing"), (["x", "y"], "no numbers"), (["007", "012"], "codes with leading zeros"), (["1", "2", "x"], "67% of")],
)  # fmt: skip
def test_columns_that_are_no_numbers_say_why(levels, why):
    found, _, reason = recognise(levels, np.ones(len(levels), dtype=int))
    assert found is None and reason.startswith(why)


@DOZENS
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=8, unique=True),
    st.sampled_from(["kg", "m²", "µg", "km/h"]),
)
def test_a_unit_behind_every_number_is_taken_off(numbers, unit):
    levels = [f"{number} {unit}" for number in numbers]
    found, share, _ = recognise(levels, np.ones(len(levels), dtype=int))
    assert (found.unit, share) == (unit, 1.0)
    assert found.parse(levels).tolist() == numbers


def test_plain_numbers_are_counted_by_cells_and_by_levels():
    assert plain_share(["1", "2.5", "x"], np.array([7, 1, 2])) == (0.8, 2)
    assert Numerals(".").parse([]).tolist() == []


@DOZENS
@given(st.integers(1, 9998), st.integers(1, 52), st.integers(1, 7))
def test_days_of_iso_weeks_are_those_of_python(year, week, day):
    expected = np.datetime64(datetime.date.fromisocalendar(year, week, day), "s")
    assert Calendar("iso-week").parse([f"{year:04d}-W{week:02d}-{day}"])[0] == expected


@pytest.mark.parametrize("year", [1, 4, 1582, 1900, 2000, 2023, 2024, 9999])
def test_the_days_of_a_year_are_those_of_the_gregorian_calendar(year):
    texts = [f"{year:04d}-{month:02d}-{day:02d}" for month in range(1, 14) for day in range(33)]
    real = 0
    for text, moment in zip(texts, Calendar("year-month-day").parse(texts), strict=True):
        try:
            expected = np.datetime64(datetime.date.fromisoformat(text), "s")
        except ValueError:
            assert np.isnat(moment), text
        else:
            assert moment == expected
            real += 1
    assert real == 365 + (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


# -- delimited text ----------------------------------------------------------------------------------------------------


@DOZENS
@given(
    st.sampled_from(",;\t|"),
    st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=2, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_regular_and_its_delimiter_is_found(delimiter, rows, end):
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows([["a", "b", "c"], *rows])
    text = stream.getvalue()
    assert find_delimiter(text, None, "here") == delimiter
    assert regular_rows([text.encode()], ord(delimiter)) == len(rows) + 1


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"a,b\n1,2\n", 2), (b"a,b\n1,2", 2), (b'"a","b"\n"x\ny","""q"""\n', 2), (b"\xef\xbb\xbfa,b\n1,2\n", 2),
        (b"", 0), (b"a,b\n1\n", None), (b"a,b\n\n1,2\n", None), (b"a,b\r\n1,2\n", None), (b"a,b\r1,2\r", None),
        (b'a,b\n1,"2\n', None), (b'a,b\n1,x"y\n', None), (b'a,b\n1,"x"y\n', None),
    ],
)  # fmt: skip
def test_a_file_is_regular_only_when_all_readers_must_agree(text, rows):
    assert regular_rows([text], ord(",")) == rows
    assert regular_rows([text[place : place + 1] for place in range(len(text))], ord(",")) == rows


@pytest.mark.parametrize(("name", "character"), DELIMITER_NAMES.items())
def test_delimiters_have_names(name, character):
    assert find_delimiter(f"a{character}b\n1{character}2\n", name, "here") == character


@pytest.mark.parametrize(
    ("head", "asked", "found"),
    [
        (b"a,b", None, "utf-8"),
        (b"\xef\xbb\xbfa", None, "utf-8-sig"),
        (b"\xff\xfea\0", None, "utf-16"),
        (b"\xff\xfe\0\0", None, "utf-32"),
        (b"\0\0\xfe\xff", None, "utf-32"),
        (b"a,b", "UTF8", "utf-8-sig"),
        (b"a,b", "latin-1", "iso8859-1"),
    ],
)
def test_the_encoding_is_seen_from_the_mark_or_said_by_the_user(head, asked, found):
    assert find_encoding(head, asked, "here") == found


@pytest.mark.parametrize("asked", ["no-such-thing", "base64", "utf-8\0"])
def test_an_encoding_that_is_none_is_refused(asked):
    with pytest.raises(UsageError, match="Unknown text encoding"):
        find_encoding(b"a", asked, "here")


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["a", "b"]], True),
        ([["a", "b"], ["1", "2"]], True),
        ([["3", "4"], ["1", "2"]], False),
        ([["name", "2"], ["x", "3"]], False),
        ([["id", "2020", "2021"], ["x", "3", "4"]], True),
        ([["id", "2020", "2022"], ["x", "3", "4"]], False),
        ([["0", "1"], ["5", "6"]], True),
        ([["red", "blue"], ["blue", "red"], ["red", "blue"]], False),
        ([["colour", "shape"], ["red", "round"], ["red", "flat"]], True),
        ([["a", "b"], ["", ""], ["NA", "?"]], True),
    ],
)
def test_a_first_row_is_names_unless_it_looks_like_the_rows_below(rows, header):
    assert looks_like_header(rows) == header


def test_names_that_had_to_be_made_up_are_told_and_never_taken_already():
    assert column_names(["a", "", "column 2"], True)[0] == ("a", "column 2'", "column 2")
    names, notes = column_names(["5", "6"], False)
    assert names == ("column 1", "column 2") and "looks like data" in notes[0]
    assert column_names(["a", " b "], True) == (("a", "b"), ())


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("id", range(50), "under the name of a key"), ("orderId", range(0, 500, 10), "under the name of a key"),
        ("entry", range(50), "count the rows"), ("entry", range(0, 500, 10), ""), ("entry", range(19), ""),
        ("id", range(4), ""), ("id", [1, 2, 3] * 20, ""), ("height", range(50), ""), ("x", range(50), ""),
    ],
)  # fmt: skip
def test_whole_numbers_tell_rows_apart_by_name_or_by_counting(name, cells, why):
    found = counts_rows(name, np.array(cells))
    assert (why in found) and bool(found) == bool(why)


def test_texts_tell_rows_apart_unless_they_are_few_sentences_or_composed():
    keys = [f"{number * 7919 % 9973:x}" for number in range(60)]
    assert names_rows(keys, 60) and not names_rows(keys[:19], 19) and not names_rows(keys[:30], 60)
    assert not names_rows([f"{key} and so on" for key in keys], 60)
    long = [f"C{'CO'[row % 2]}N(=O){'CH' * (row % 7)}C{'OC' * (row // 7 + 20)}" for row in range(60)]
    assert is_composed(long) and not is_composed([f"{number:064x}" for number in range(60)])


def test_owners_have_the_name_of_a_key_and_few_rows_each():
    assert names_owner("user_id", 60, 120)
    assert (
        not names_owner("user", 60, 120)
        and not names_owner("user_id", 50, 100)
        and not names_owner("user_id", 60, 300)
    )


# -- files and units ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000, b"\xff" * 300])
def test_paths_that_no_file_can_have_are_refused(path):
    with pytest.raises(DataError):
        find_source(path)


def test_a_socket_is_no_table(tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
        with pytest.raises(UnsafeData, match="this is a socket"):
            find_source(tmp_path / "s")


@DOZENS
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(st.sampled_from('ab,"\n é;'), max_size=5),
        ),
        min_size=2,
    )
)
def test_a_table_that_was_written_is_read_back_by_the_csv_module(rows):
    numbers, words = zip(*rows, strict=True)
    stream = io.StringIO(newline="")
    write_table(stream, ["n", "w"], [np.array(numbers), list(words)])
    back = list(csv.reader(io.StringIO(stream.getvalue(), newline="")))
    assert back[0] == ["n", "w"]
    assert [(float(n), w) for n, w in back[1:]] == list(rows)


def test_missing_values_of_every_kind_are_written_as_empty_cells(tmp_path):
    moments = np.array(["2024-02-29", "NaT"], dtype="datetime64[D]")
    write_table(tmp_path / "x.csv", ["a", "b", "t"], [[1.5, None], np.array([np.nan, 2.0]), moments])
    assert (tmp_path / "x.csv").read_text() == "a,b,t\n1.5,,2024-02-29\n,2.0,\n"
    assert read_table(tmp_path / "x.csv").column("a").tolist()[0] == 1.5


def test_profiles_of_other_columns_or_lengths_are_never_the_same_values():
    told = profile(np.random.default_rng(0).normal(size=100))
    assert same_values({"a": told}, {"a": told}) and not same_values({"a": told}, {"b": told})
    assert not same_values({"a": told}, {"a": told[:5]}) and not same_values({"a": ()}, {"a": ()})
    assert not same_values(
        {"a": profile(np.repeat([1.0, 2.0], 50))}, {"a": profile(np.repeat([1.0, 2.0], 50))}
    )
    assert SAME.back(np.array([1.0])).tolist() == [1.0]
    assert to_digits(np.array([1e-300, np.inf])).tolist() == [1e-300, np.inf]
