"""Rows with targets made into everything that a task holds: weights, times, groups, tests apart, leaks."""

import numpy as np
import pandas as pd
import pytest

from perennial.errors import DataError, UsageError
from perennial.modalities.labelled import checked_weights, read_labelled
from perennial.modalities.tabular import sense_table

ROWS = 60
GENERATOR = np.random.default_rng(17)
LABEL = ["no", "yes"] * 30
COLUMNS = {"a": GENERATOR.normal(size=ROWS), "b": GENERATOR.normal(size=ROWS), "y": LABEL}
DAYS = np.datetime64("2024-01-01", "us") + np.arange(ROWS).astype("timedelta64[D]")
SHUFFLED = DAYS[GENERATOR.permutation(ROWS)]
TWO = {"a": [0.1, 0.2], "b": [0.3, 0.4], "y": ["yes", "no"]}


def sensed(changes=None, target="y", **options):
    return sense_table(COLUMNS | (changes or {}), target, **options)


def codes_of(told):
    return {finding.code: finding for finding in told.findings}


def refused(error=DataError, changes=None, target="y", **options):
    with pytest.raises(error) as caught:
        sensed(changes, target, **options)
    return caught.value


# -- features and targets given apart ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ([1, 2], "target"),
        (np.array([[1], [2]]), "target"),
        (np.array([[1, 5], [2, 6]]), ["target_0", "target_1"]),
        (pd.DataFrame({"u": [1, 2], "v": [3, 4]}), ["target_0", "target_1"]),
        ([["x"], ["x", "z"]], "target"),
    ],
    ids=["list", "column", "matrix", "data frame", "lists of labels"],
)
def test_targets_of_any_form_become_columns(targets, names):
    frame, found = read_labelled(([[1.0], [2.0]], targets), None, {})
    assert found == names
    assert frame.names == ("x0", *([names] if isinstance(names, str) else names))
    assert [column[1] for column in frame.columns[1:]] in ([2], [2, 6], [2, 4], [("x", "z")])


def test_a_target_never_hides_a_feature_of_the_same_name():
    frame, name = read_labelled(({"target": [1, 2]}, [3, 4]), None, {})
    assert (name, frame.names, frame.column(name).tolist()) == (
        "target_of_y",
        ("target", "target_of_y"),
        [3, 4],
    )


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (5, "received shape ()"),
        (np.zeros((2, 0)), "received shape (2, 0)"),
        (np.zeros((2, 2, 2)), "received shape (2, 2, 2)"),
        ([1, 2, 3], "x has 2 rows and y has 3"),
    ],
)
def test_targets_that_do_not_fit_their_rows_are_refused(targets, said):
    with pytest.raises(DataError) as caught:
        read_labelled(([[1.0], [2.0]], targets), None, {})
    assert said in str(caught.value)


# -- weights -----------------------------------------------------------------------------------------------------------


def test_weights_may_be_a_column_which_is_then_no_feature():
    weights = GENERATOR.random(ROWS)
    told = sensed({"w": weights}, sample_weight="w")
    assert np.array_equal(told.sample_weight, weights)
    assert "ignored" in [column.kind for column in told.schema.columns if column.name == "w"]


def test_weights_follow_the_rows_that_are_kept():
    told = sensed({"y": [None, *LABEL[1:]]}, sample_weight=np.arange(ROWS), drop_unlabelled=True)
    assert told.sample_weight.tolist() == list(range(1, ROWS))
    assert codes_of(told)["unlabelled"].where == "rows 1"


@pytest.mark.parametrize(
    "weights",
    [[1.0], [np.nan, 1.0], [np.inf, 1.0], [-1.0, 2.0], [0.0, 0.0], ["a", "b"], [None, 1.0], [[1, 2], [3, 4]]],
)
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(DataError, match="finite, not negative, not all zero"):
        checked_weights(weights, 2)


def test_no_weights_are_no_weights_and_some_may_be_zero():
    assert checked_weights(None, 3) is None
    assert checked_weights([[0], [2]], 2).tolist() == [0.0, 2.0]


# -- time and groups ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (SHUFFLED, SHUFFLED.astype("datetime64[s]").astype(float)),
        (np.where(np.arange(ROWS) < 1, np.datetime64("NaT"), SHUFFLED), None),
        (np.arange(ROWS), np.arange(ROWS, dtype=float)),
        (COLUMNS["a"], COLUMNS["a"]),
    ],
    ids=["dates", "gaps", "row numbers", "numbers"],
)
def test_the_column_that_the_user_names_orders_the_rows(cells, seconds):
    times = sensed({"t": cells}, time="t").times
    if seconds is None:
        assert np.flatnonzero(np.isnan(times)).tolist() == [0]
    else:
        assert np.array_equal(times, seconds)


def test_text_cannot_order_the_rows():
    error = refused(UsageError, {"t": ["x", "z", "q"] * 20}, time="t")
    assert error.todo == "Add --type t=date if it is one."


def test_rows_in_the_order_of_time_are_judged_by_it_and_shuffled_ones_only_told():
    ordered, shuffled = sensed({"t": DAYS}), sensed({"t": SHUFFLED})
    assert np.array_equal(ordered.times, DAYS.astype("datetime64[s]").astype(float))
    assert codes_of(ordered)["time"].flag == "--protocol kfold"
    assert shuffled.times is None and codes_of(shuffled)["time"].flag == "--time-column t"


def test_test_rows_between_the_others_say_that_time_does_not_count():
    after = TWO | {"t": DAYS[-2:] + np.timedelta64(9, "D")}
    between = TWO | {"t": DAYS[:2] + np.timedelta64(3, "h")}
    assert sensed({"t": DAYS}, test=after).times is not None
    assert sensed({"t": DAYS}, test=between).times is None


def test_rows_of_one_group_share_a_code_and_rows_without_one_stand_alone():
    cells = ["x", "z", None, "x", None] * 12
    groups = sensed({"g": cells}, group="g").groups
    assert groups[0] == groups[3] == groups[5] and groups[0] != groups[1]
    assert len(set(groups[[2, 4, 7, 9]].tolist())) == 4


# -- tests apart -------------------------------------------------------------------------------------------------------


def test_a_test_apart_is_encoded_like_the_rows_to_learn_from_and_oddities_are_told():
    told = sensed(test=TWO | {"a": ["0.1", "high"], "y": ["yes", "perhaps"]})
    assert told.test.target.tolist() == [1, 2]
    assert "In the test data: a: 1 cells hold text that is no number" in codes_of(told)["test"].what
    assert codes_of(told)["new classes"].where == "test rows 2"


@pytest.mark.parametrize(
    ("test", "drop", "said"),
    [
        ({"y": [None, "no"]}, False, "missing or infinite in 1 of 2 rows"),
        ({"y": [None, None]}, True, "The test data have no rows"),
        ({"a": None}, False, "1 of the columns that the model uses are missing"),
        ({"y": None}, False, "There is no column 'y'"),
    ],
)
def test_a_test_that_cannot_judge_is_refused(test, drop, said):
    data = {name: cells for name, cells in (TWO | test).items() if cells is not None}
    assert said in str(refused(test=data, drop_unlabelled=drop))


def test_test_rows_without_a_target_may_be_left_out():
    assert sensed(test=TWO | {"y": [None, "no"]}, drop_unlabelled=True).test.target.tolist() == [0]


def test_rows_that_repeat_by_nature_may_repeat_in_the_test():
    few = {"a": GENERATOR.integers(0, 4, ROWS), "b": GENERATOR.integers(0, 3, ROWS), "y": LABEL}
    test = {name: np.asarray(cells)[:6] for name, cells in few.items()}
    told = sense_table(few, "y", test=test, kinds={"a": "number", "b": "number"})
    assert "it is chance" in codes_of(told)["overlap"].action
    shared = {name: np.asarray(cells)[:6] for name, cells in COLUMNS.items()}
    assert "6 of 6 test rows are training rows" in str(refused(test=shared))
    assert codes_of(sensed(test=shared, allow_overlap=True))["overlap"].action == "You allowed it."


# -- leaks and notes ---------------------------------------------------------------------------------------------------


def test_leaks_are_told_or_left_out_and_cannot_be_all_there_is():
    changes = {"copy": [label == "yes" for label in LABEL]}
    told, without = sensed(changes), sensed(changes, drop_leaky=True)
    assert codes_of(told)["leak"].action == "Nothing: it is used."
    assert set(told.inputs) - set(without.inputs) == {"f0004"}
    assert [column.kind for column in without.schema.columns][-1] == "ignored"
    with pytest.raises(DataError, match="Every column gives the target away") as caught:
        sense_table({"a": COLUMNS["a"], "y": 2 * COLUMNS["a"]}, "y", drop_leaky=True)
    assert caught.value.where == "a"


def test_what_reading_adapted_is_among_the_findings_and_errors_come_first():
    told = sensed({"m": [1, "two", 3.5] * 20})
    levels = [finding.level for finding in told.findings]
    assert "mixes" in codes_of(told)["reading"].what
    assert levels == sorted(levels, key=["error", "warning", "info"].index)


@pytest.mark.parametrize(("path", "name"), [("sales.2024.csv", "sales"), (None, "table")])
def test_a_task_is_named_after_its_file(path, name, tmp_path):
    frame = pd.DataFrame(COLUMNS)
    if path is not None:
        frame.to_csv(tmp_path / path, index=False)
    assert sense_table(tmp_path / path if path else frame, "y").name == name
    assert sense_table(frame, "y", name="mine").name == "mine"


def test_columns_that_are_dropped_may_be_named_alone_or_in_a_list():
    for drop in ("b", ["b"]):
        assert list(sensed(drop=drop).inputs) == ["f0001"]
