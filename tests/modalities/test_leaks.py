"""Columns that give the target away, judged by SciPy's and scikit-learn's own correlations and areas."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import r2_score, roc_auc_score

from perennial.modalities.columns import ColumnSchema
from perennial.modalities.leaks import LEAK, leaks

ROWS = 200
GENERATOR = np.random.default_rng(11)
TARGET = GENERATOR.normal(size=ROWS)
CLASS = (np.arange(ROWS) % 2).astype(np.int64)
THREE = (np.arange(ROWS) % 3).astype(np.int64)
DAYS = np.datetime64("2020-01-01", "s") + (TARGET * 1e6).astype("timedelta64[s]")


def told(values, target):
    """What is said of one column; "" when it is not accused."""
    column = ColumnSchema("c", "f0001", "number", "for a test")
    return next((how for _, how in leaks([column], {"f0001": values}, target)), "")


def gaps(values, share):
    """The values with that share of them missing, at random."""
    hidden = np.random.default_rng(3).random(len(values)) < share
    return np.where(hidden, np.nan, values)


def blurred(strength):
    """The target with noise, so that their correlation is about as strong as wanted."""
    return TARGET + np.sqrt(1 / strength**2 - 1) * np.random.default_rng(1).normal(size=ROWS)


@pytest.mark.parametrize(
    "values",
    [3 * TARGET - 7, -TARGET, TARGET * 1e200, TARGET * 1e-200, gaps(TARGET, 0.3), DAYS],
    ids=["line", "falling", "huge", "tiny", "gaps", "dates"],
)
def test_a_column_on_a_line_with_the_target_is_accused_with_the_correlation(values):
    assert told(values, TARGET).startswith("its correlation with the target is 1.0000")


def test_a_column_in_the_order_of_the_target_is_accused_with_the_rank_correlation():
    values = np.exp(6 * TARGET)
    assert pearsonr(values, TARGET)[0] < LEAK < spearmanr(values, TARGET)[0]
    assert told(values, TARGET) == "its rank correlation with the target is 1.0000"


@pytest.mark.parametrize("strength", [0.9, 0.99, 0.995, 0.9995, 0.9999])
def test_accused_is_who_correlates_beyond_the_bound_and_nobody_else(strength):
    values = blurred(strength)
    strongest = max(pearsonr(values, TARGET)[0], spearmanr(values, TARGET)[0])
    assert bool(told(values, TARGET)) == (strongest > LEAK)


def test_levels_are_accused_when_their_means_are_the_target():
    codes = (np.arange(ROWS) % 5).astype(np.int32)
    means = np.array([3.0, -1.0, 4.0, 1.5, 9.0])
    for noise in (0.01, 0.2):
        target = means[codes] + noise * TARGET
        explained = r2_score(target, np.array([target[codes == code].mean() for code in range(5)])[codes])
        said = told(codes, target)
        assert bool(said) == (explained > LEAK)
        assert not said or said == f"its levels explain {explained:.2%} of the target"


def test_levels_of_a_handful_of_rows_each_are_never_accused():
    codes = np.arange(ROWS, dtype=np.int32) // 2
    assert told(codes, codes.astype(float)) == ""


@pytest.mark.parametrize(
    ("values", "target"),
    [
        (TARGET[::-1].copy(), TARGET),
        (gaps(TARGET, 0.8), TARGET),
        (np.full(ROWS, 2.5), TARGET),
        (np.array([f"{value}" for value in TARGET], dtype=object), TARGET),
        (TARGET, np.ones(ROWS)),
        (gaps(CLASS.astype(float), 0.8), CLASS),
        (GENERATOR.normal(size=ROWS), CLASS),
    ],
    ids=[
        "another order",
        "mostly missing",
        "constant",
        "text",
        "constant target",
        "class mostly missing",
        "noise",
    ],
)
def test_columns_that_say_little_are_not_accused(values, target):
    assert told(values, target) == ""


def test_few_rows_accuse_nobody():
    assert told(TARGET[:19], TARGET[:19]) == ""
    assert told(TARGET[:20], TARGET[:20]) != ""


@pytest.mark.parametrize("target", [CLASS, THREE])
def test_levels_that_name_the_class_are_accused_with_the_share_of_rows(target):
    levels = (10 * target + np.arange(ROWS) // 100).astype(np.int32)
    assert told(levels, target) == "it alone is right on 100.00% of the rows"
    assert told(levels.astype(float), target) == "it alone is right on 100.00% of the rows"


def test_a_column_that_is_missing_exactly_in_one_class_is_accused():
    assert told(np.where(CLASS == 1, np.nan, 5.0), CLASS) == "it alone is right on 100.00% of the rows"
    assert told(np.where(CLASS == 1, -1, 0).astype(np.int32), CLASS) != ""


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_separates_two_classes_is_accused_with_the_area_of_scikit_learn(sign):
    values = sign * (6.0 * CLASS + TARGET)
    area = roc_auc_score(CLASS, values)
    area = max(area, 1 - area)
    assert area > LEAK
    assert told(values, CLASS) == f"ordered by it the classes fall apart (area under the curve {area:.4f})"


@pytest.mark.parametrize("distance", [1.0, 3.0, 4.0, 5.0, 8.0])
def test_two_classes_fall_apart_when_the_area_says_so(distance):
    values = distance * CLASS + TARGET
    assert bool(told(values, CLASS)) == (roc_auc_score(CLASS, values) > LEAK)


def test_a_column_that_is_right_as_often_as_the_majority_is_not_accused():
    rare = (np.arange(6000) < 5).astype(np.int64)
    assert told(np.arange(6000, dtype=np.int32) % 3, rare) == ""
    assert told(rare.astype(np.int32), rare) != ""


def test_a_class_of_a_few_rows_accuses_nobody():
    for rows in (4, 5):
        rare = (np.arange(ROWS) < rows).astype(np.int64)
        values = rare * 9.0 + np.linspace(0, 1, ROWS)
        assert bool(told(values, rare)) == (rows >= 5)


def test_of_several_targets_one_is_enough():
    both = np.column_stack([TARGET, TARGET[::-1]])
    assert "1.0000" in told(TARGET[::-1] * 2, both)
    assert told(GENERATOR.normal(size=ROWS), both) == ""


def test_each_column_is_named_with_what_gave_it_away():
    columns = [ColumnSchema(name, name, "number", "for a test") for name in ("good", "bad", "absent")]
    found = leaks(columns, {"good": GENERATOR.normal(size=ROWS), "bad": 2 * TARGET}, TARGET)
    assert [column.name for column, _ in found] == ["bad"]
