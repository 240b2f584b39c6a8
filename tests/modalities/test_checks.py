"""Copies, contradictions, order in time and other oddities of a table, against pandas and closed forms."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.modalities.checks import (
    are_moments,
    content_hashes,
    duplicate_groups,
    in_order,
    row_hashes,
    suggest_groups,
    tell_missing_words,
    tell_noise,
    tell_size,
    twin_share,
)
from perennial.modalities.columns import ColumnSchema

DOZENS = settings(max_examples=50)
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, -0.0, 1.5, float("nan")]), st.sampled_from("abc"), st.integers(0, 2)),
    min_size=1,
)
SMALL = st.lists(st.integers(0, 5), min_size=2, max_size=40)


def heard(check, *arguments):
    """The findings of a check."""
    findings = []
    check(*arguments, findings.append)
    return findings


def columns_of(rows):
    numbers, words, codes = zip(*rows, strict=True)
    return {
        "a": np.array(numbers),
        "b": np.array([*words, None], dtype=object)[:-1],
        "c": np.array(codes, dtype=np.int32),
    }


def days(*steps):
    return np.datetime64("2024-01-01", "s") + np.array(steps).astype("timedelta64[D]")


# -- hashes and copies -------------------------------------------------------------------------------------------------


@DOZENS
@given(ROWS)
def test_rows_have_equal_hashes_exactly_when_pandas_calls_them_copies(rows):
    hashes = row_hashes(columns_of(rows))
    copies = pd.DataFrame(rows).duplicated(keep=False)
    assert np.array_equal(pd.Series(hashes).duplicated(keep=False), copies)
    assert twin_share(hashes) == pytest.approx(copies.mean())


def test_the_order_of_columns_does_not_count_and_their_names_do():
    one, other = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert np.array_equal(row_hashes({"a": one, "b": other}), row_hashes({"b": other, "a": one}))
    assert not np.array_equal(row_hashes({"a": one, "b": other}), row_hashes({"a": other, "b": one}))


def test_every_missing_number_is_the_same_whatever_its_bits():
    odd = np.array([0x7FF8000000000001, 0x7FF8000000000000], dtype=np.uint64).view(np.float64)
    first, second = row_hashes({"a": odd})
    assert first == second


def test_pixels_dates_and_any_text_are_hashed_by_their_content():
    pixels = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    pixels[2] = pixels[0]
    assert np.array_equal(
        pd.Series(row_hashes({"image": pixels})).duplicated(keep=False), [True, False, True]
    )
    moments = days(0, 1, 0)
    assert np.array_equal(pd.Series(row_hashes({"day": moments})).duplicated(keep=False), [True, False, True])
    texts = np.array(["\ud800", "é", "\ud800"], dtype=object)
    assert np.array_equal(pd.Series(row_hashes({"text": texts})).duplicated(keep=False), [True, False, True])


def test_rows_with_another_target_have_another_content():
    same, goals = {"a": np.zeros(3)}, np.array([0, 1, 0])
    assert len(set(row_hashes(same).tolist())) == 1
    assert pd.Series(content_hashes(same, goals)).duplicated(keep=False).tolist() == [True, False, True]
    several = np.array([[0, 1], [1, 0], [0, 1]])
    assert pd.Series(content_hashes(same, several)).duplicated(keep=False).tolist() == [True, False, True]


@DOZENS
@given(SMALL)
def test_copies_share_a_group_unless_rows_repeat_by_nature(values):
    hashes = row_hashes({"a": np.array(values, dtype=float)})
    findings = []
    groups = duplicate_groups(hashes, findings.append)
    copies, distinct = len(values) - len(set(values)), len(set(values))
    if not copies:
        assert groups is None and not findings
    elif len(values) >= 3 * distinct:
        assert groups is None and findings[0].level == "info"
    else:
        assert np.array_equal(pd.factorize(groups)[0], pd.factorize(np.array(values))[0])
        assert findings[0].what.startswith(f"{copies} row")


# -- contradictions ----------------------------------------------------------------------------------------------------


@DOZENS
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=60))
def test_the_best_that_any_model_can_do_is_the_largest_class_of_equal_rows(pairs):
    frame = pd.DataFrame(pairs, columns=["x", "y"])
    hashes = row_hashes({"x": frame["x"].to_numpy(dtype=float)})
    right = int(frame.groupby("x")["y"].agg(lambda goals: goals.value_counts().max()).sum())
    findings = heard(tell_noise, hashes, frame["y"].to_numpy())
    if right == len(frame):
        assert not findings
    else:
        (finding,) = findings
        assert finding.what.split()[0] == str(len(frame) - right)
        assert f"{right / len(frame):.1%}" in finding.why


def test_the_first_contradicting_rows_are_named_in_pairs():
    hashes, target = np.array([7, 8, 7, 9, 8], dtype=np.uint64), np.array([0, 1, 1, 0, 1])
    (finding,) = heard(tell_noise, hashes, target)
    assert finding.where == "rows 1 and 3"


def test_the_floor_of_the_error_of_numbers_is_the_pure_error():
    generator = np.random.default_rng(2)
    x = np.repeat(np.arange(50.0), 3)
    y = 10 * x + generator.normal(scale=60, size=150)
    frame = pd.DataFrame({"x": x, "y": y})
    spread = frame.groupby("x")["y"].transform("mean")
    floor = np.sqrt(((frame["y"] - spread) ** 2).sum() / (len(frame) - frame["x"].nunique()))
    (finding,) = heard(tell_noise, row_hashes({"x": x}), y)
    assert f"about {floor:.4g}." in finding.why
    assert finding.what.startswith("150 rows")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.repeat(np.arange(9.0), 2), np.random.default_rng(0).normal(size=18)),
        (np.repeat(np.arange(50.0), 2), np.repeat(np.arange(50.0), 2)),
        (np.repeat(np.arange(50.0), 2), np.zeros(100)),
        (np.arange(100.0), np.random.default_rng(0).normal(size=100)),
    ],
    ids=["few pairs", "equal targets", "constant", "no pairs"],
)
def test_numbers_that_hardly_contradict_are_not_told(x, y):
    assert heard(tell_noise, row_hashes({"x": x}), y) == []


def test_several_targets_are_not_judged():
    assert heard(tell_noise, np.zeros(4, dtype=np.uint64), np.array([[0, 1], [1, 0], [0, 1], [1, 1]])) == []


# -- time, keys, sizes, words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "moments", "ordered"),
    [
        (days(*range(60)), True, True),
        (days(*range(60))[::-1], True, True),
        (days(*range(59), 0), True, False),
        (days(*range(49)), False, False),
        (days(*[number // 2 for number in range(60)]), True, True),
        (days(*[number // 3 for number in range(60)]), False, False),
        (np.concatenate([days(*range(58)), np.full(2, np.datetime64("NaT", "s"))]), True, True),
        (np.concatenate([days(*range(55)), np.full(5, np.datetime64("NaT", "s"))]), False, False),
    ],
    ids=["rising", "falling", "one back", "few", "pairs", "triples", "few gaps", "many gaps"],
)
def test_rows_are_in_order_when_nearly_each_has_its_own_moment_and_none_goes_back(times, moments, ordered):
    assert (are_moments(times), in_order(times)) == (moments, ordered)


@pytest.mark.parametrize(
    ("name", "kind", "unique", "told"),
    [
        ("patient_id", "number", 30, True),
        ("patient", "category", 30, True),
        ("patient", "number", 30, False),
        ("userId", "identifier", 30, True),
        ("patient_id", "date", 30, False),
        ("patient_id", "number", 10, False),
        ("patient_id", "number", 95, False),
        ("colour", "category", 30, False),
    ],
)
def test_a_key_that_repeats_suggests_a_split_by_its_values(name, kind, unique, told):
    findings = heard(suggest_groups, [ColumnSchema(name, "f", kind, "for a test", unique=unique)], 100)
    assert [finding.flag for finding in findings] == [f"--group {name}"] * told


def test_few_rows_and_many_columns_are_told_with_their_numbers():
    assert [finding.code for finding in heard(tell_size, 49, 1001)] == ["few rows", "many columns"]
    assert heard(tell_size, 50, 1000) == []
    (finding,) = heard(tell_size, 1_000_000, 1024)
    assert "1024 columns for 1000000 rows: 7812 MB" in finding.what


def test_words_for_missing_are_counted_over_all_columns_the_most_frequent_first():
    (finding,) = heard(tell_missing_words, {"a": {"NA": 2, "?": 1}, "b": {"NA": 3}})
    assert finding.what == "6 cells in 2 columns hold a word for missing: 'NA' (5), '?' (1)."
    assert heard(tell_missing_words, {}) == []
