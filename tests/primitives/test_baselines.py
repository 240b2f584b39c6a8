"""The constant and the one rule against scikit-learn's dummies and worked examples."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang import (
    Categories,
    Dist,
    FitContext,
    Int,
    Lambda,
    Marginals,
    Real,
    Record,
    Tensor,
    Var,
    call,
    infer,
)
from perennial.primitives.baselines import constant, one_rule

ROWS = 200


def context(output, train_rows=ROWS, **more):
    return FitContext(output=output, train_rows=train_rows, **more)


def columns(seed=0, rows=ROWS):
    generator = np.random.default_rng(seed)
    return {
        "f0001": generator.normal(size=rows),
        "f0002": generator.integers(-1, 4, rows).astype(np.int32),
        "f0003": np.array(["some text"] * rows, dtype=object),
    }


def fitted(word, inputs, target, about, **parameters):
    state = word.fit((inputs,), target, about, **parameters)
    return state, word.call(inputs, state=state, **parameters)


# -- constant ----------------------------------------------------------------------------------------------


def test_the_constant_of_classes_is_near_the_dummy_of_scikit_learn():
    target = np.random.default_rng(0).integers(0, 3, ROWS)
    _, predicted = fitted(constant, columns(), target, context(Dist(3)))
    expected = (
        DummyClassifier(strategy="prior").fit(np.zeros((ROWS, 1)), target).predict_proba(np.zeros((ROWS, 1)))
    )
    assert predicted == pytest.approx(expected, abs=1 / ROWS)
    assert predicted.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("rows", [199, 200])
def test_the_constant_of_numbers_is_the_dummy_of_scikit_learn(statistic, rows):
    target = np.random.default_rng(0).normal(size=rows)
    _, predicted = fitted(constant, columns(rows=rows), target, context(Real, rows), statistic=statistic)
    expected = (
        DummyRegressor(strategy=statistic).fit(np.zeros((rows, 1)), target).predict(np.zeros((rows, 1)))
    )
    assert predicted.shape == (rows,) and predicted == pytest.approx(expected)


def test_the_constant_of_several_outputs_and_of_labels_has_one_column_each():
    generator = np.random.default_rng(0)
    target = generator.normal(size=(ROWS, 2))
    _, predicted = fitted(constant, columns(), target, context(Tensor(2)))
    assert predicted == pytest.approx(np.tile(target.mean(axis=0), (ROWS, 1)))
    labels = generator.integers(0, 2, (ROWS, 4))
    _, predicted = fitted(constant, columns(), labels, context(Marginals(4)))
    assert predicted == pytest.approx(np.tile(labels.mean(axis=0), (ROWS, 1)), abs=0.01)


def test_rows_after_the_training_rows_teach_nothing():
    target = np.concatenate([np.zeros(100), np.full(100, 1e6)])
    for word in (constant, one_rule):
        _, predicted = fitted(word, columns(), target, context(Real, 100))
        assert np.abs(predicted).max() == 0


def test_weights_count_rows():
    target = np.array([0.0, 10.0])
    inputs = {"f0001": np.array([1.0, 2.0])}
    about = context(Real, 2, sample_weight=np.array([3.0, 1.0]))
    assert fitted(constant, inputs, target, about)[1].tolist() == [2.5, 2.5]
    assert fitted(constant, inputs, target, about, statistic="median")[1].tolist() == [0.0, 0.0]


def test_a_class_that_a_fold_does_not_hold_keeps_a_column_and_a_probability():
    for word in (constant, one_rule):
        _, predicted = fitted(word, columns(), np.zeros(ROWS, dtype=np.int64), context(Dist(3)))
        assert predicted.shape == (ROWS, 3) and (predicted > 0).all()
        assert predicted.sum(axis=1) == pytest.approx(1.0)


# -- one rule ----------------------------------------------------------------------------------------------


def test_one_rule_finds_the_column_that_tells():
    inputs = columns()
    target = (inputs["f0002"] == 2).astype(np.int64)
    state, predicted = fitted(one_rule, inputs, target, context(Dist(2)))
    assert state.texts["field"] == "f0002"
    assert (predicted.argmax(axis=1) == target).all()


def test_one_rule_cuts_numbers_into_at_most_eight_bins_and_predicts_their_means():
    inputs = columns()
    target = 3.0 * inputs["f0001"]
    state, predicted = fitted(one_rule, inputs, target, context(Real))
    assert state.texts["field"] == "f0001" and len(np.unique(predicted)) == 7
    top = inputs["f0001"] >= state.arrays["edges"][-1]
    expected = (target[top].sum() + target.mean()) / (top.sum() + 1)
    assert predicted[top] == pytest.approx(expected)


def test_one_rule_uses_what_is_missing():
    inputs = columns()
    gone = np.random.default_rng(1).random(ROWS) < 0.3
    inputs["f0001"][gone] = np.nan
    _, predicted = fitted(one_rule, inputs, gone.astype(np.int64), context(Dist(2)))
    assert (predicted.argmax(axis=1) == gone).all()


def test_one_rule_cuts_dates_written_as_seconds_or_as_datetimes_alike():
    seconds = np.random.default_rng(0).integers(0, 10**9, ROWS).astype(np.float64)
    target = (seconds > 6e8).astype(np.int64)
    dates = seconds.astype("datetime64[s]")
    seconds[0], dates[0] = np.nan, np.datetime64("NaT")
    first, second = (fitted(one_rule, {"f0001": c}, target, context(Dist(2)))[1] for c in (seconds, dates))
    assert np.array_equal(first, second) and (first.argmax(axis=1) == target).mean() > 0.9


def test_one_rule_is_not_fooled_by_a_column_of_many_levels():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, ROWS)
    signal = np.where(generator.random(ROWS) < 0.8, target, 1 - target)
    inputs = {"f0001": np.arange(ROWS, dtype=np.int32), "f0002": signal.astype(np.int32)}
    state, _ = fitted(one_rule, inputs, target, context(Dist(2)), bins=64)
    assert state.texts["field"] == "f0002"


def test_one_rule_sees_a_rare_value_that_quantiles_step_over():
    inputs = {"f0001": np.where(np.arange(ROWS) < 8, 5.0 + np.arange(ROWS) % 2, 0.0)}
    target = (inputs["f0001"] > 0).astype(np.int64)
    _, predicted = fitted(one_rule, inputs, target, context(Dist(2)))
    assert (predicted.argmax(axis=1) == target).all()


def test_levels_never_seen_share_a_bin_with_the_rare_ones():
    inputs = columns()
    state, _ = fitted(one_rule, inputs, (inputs["f0002"] == 1).astype(np.int64), context(Dist(2)))
    asked = {"f0002": np.array([-2, 50, -1], dtype=np.int32)}
    predicted = one_rule.call(asked, state=state)
    assert np.isfinite(predicted).all() and (predicted[0] == predicted[1]).all()


def test_without_a_column_that_can_be_cut_one_rule_is_the_constant():
    inputs = {"f0001": np.array(["a", "b"] * 100, dtype=object), "f0002": np.full(ROWS, np.nan)}
    target = np.random.default_rng(0).normal(size=ROWS)
    _, predicted = fitted(one_rule, inputs, target, context(Real))
    assert predicted == pytest.approx(np.full(ROWS, target.mean()))


def test_labels_and_several_outputs_get_a_table_each():
    inputs = columns()
    labels = np.stack([inputs["f0002"] == 0, inputs["f0002"] == 1], axis=1).astype(np.int64)
    _, predicted = fitted(one_rule, inputs, labels, context(Marginals(2)))
    assert ((predicted >= 0.5) == labels).all()
    _, predicted = fitted(one_rule, inputs, labels.astype(float), context(Tensor(2)))
    assert np.abs(predicted - labels).max() < 0.2


# -- as words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", [Dist(3), Real, Tensor(2), Marginals(2)])
@pytest.mark.parametrize("word", [constant, one_rule])
def test_a_baseline_has_the_type_that_is_asked_for(word, output):
    program = Lambda(("row",), call(word, Var("row")))
    row = Record({"f0001": Real, "f0002": Categories(4)})
    assert str(infer(program, (row,), output)).endswith(str(output))


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeMismatch):
        constant.infer(Real, Real)
    with pytest.raises(TypeMismatch):
        one_rule.infer(Int)
    with pytest.raises(ProgramError, match="cannot predict"):
        constant.fit((columns(),), np.zeros(ROWS), context(Int))


@pytest.mark.parametrize("word", [constant, one_rule])
def test_one_row_is_enough_to_predict_and_the_same_state_predicts_the_same(word):
    inputs = columns()
    state, predicted = fitted(word, inputs, inputs["f0001"] ** 2, context(Real))
    one = {name: column[:1] for name, column in inputs.items()}
    assert word.call(one, state=state).tolist() == predicted[:1].tolist()
    assert all(array.dtype == np.float64 for array in state.arrays.values())
