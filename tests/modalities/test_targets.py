"""What is to be predicted: the problem that a target poses, its codes and labels, and targets that are refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MultiLabelBinarizer

from perennial.errors import DataError, UsageError
from perennial.modalities.targets import TargetSchema, sense_target, separated

DOZENS = settings(max_examples=40)
NUMBERS = np.random.default_rng(5).normal(size=60)
FLAGS = np.arange(60) % 2


def objects(*cells):
    return np.array([*cells, None], dtype=object)[:-1]


def sensed(*columns, problem=None):
    """The schema of the columns, and the findings by code."""
    heard = []
    names = [f"y{number}" for number in range(len(columns))]
    schema = sense_target(names, columns, problem, heard.append)
    return schema, {finding.code: finding for finding in heard}


def refused(*columns, problem=None, error=DataError):
    with pytest.raises(error) as caught:
        sensed(*columns, problem=problem)
    return str(caught.value)


def probabilities(codes, classes):
    return np.eye(classes)[codes] * 0.8 + 0.1


# -- one target: classes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (np.array([3, 7, 5] * 20), "multiclass"),
        (np.array([0, 1] * 30), "binary"),
        (np.array([0.5, 1.5] * 30), "binary"),
        (np.array([True, False] * 30), "binary"),
        (objects(*["no", "yes", "né", "NO"] * 15), "multiclass"),
        (objects(*["0", "1", "2"] * 20), "multiclass"),
    ],
    ids=["codes", "flags", "halves", "truths", "words", "digits"],
)
def test_labels_come_back_as_they_were_given(cells, problem):
    schema, _ = sensed(cells)
    codes = schema.encode([cells])
    assert schema.problem == problem
    assert schema.decode(probabilities(codes, len(schema.classes))).tolist() == cells.tolist()


@DOZENS
@given(st.lists(st.sampled_from([-3, 0, 2, 10, 100]), min_size=40).filter(lambda cells: len(set(cells)) > 1))
def test_codes_of_whole_numbers_follow_their_order(cells):
    schema, _ = sensed(np.array(cells), problem="multiclass")
    assert schema.encode([np.array(cells)]).tolist() == pd.Categorical(cells, ordered=True).codes.tolist()


def test_codes_of_words_follow_the_alphabet():
    schema, _ = sensed(objects(*["b", "a", "C"] * 10))
    assert schema.classes == tuple(sorted(["b", "a", "C"]))


def test_classes_that_are_new_get_the_code_after_the_last():
    schema, _ = sensed(objects(*["a", "b"] * 30))
    assert schema.encode([objects("b", "z", "a", "y")]).tolist() == [1, 2, 0, 2]


@pytest.mark.parametrize("later", [objects("2.0", "1", "3"), np.array([2.0, 1.0, 3.0]), np.array([2, 1, 3])])
def test_whole_numbers_are_the_same_classes_in_every_writing(later):
    schema, _ = sensed(np.array([1, 2] * 30))
    assert schema.encode([later]).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    "later", [objects("TRUE", " false ", "1", "0.0", "perhaps"), objects(True, False, 1, 0.0, 2)]
)
def test_truths_are_the_same_classes_in_every_writing(later):
    schema, _ = sensed(np.array([True, False] * 30))
    assert schema.encode([later]).tolist() == [1, 0, 1, 0, 2]


def test_whole_floats_with_enough_rows_each_are_classes_and_others_are_a_quantity():
    assert sensed(np.array([1.0, 2.0, 3.0] * 20))[0].classes == ("1", "2", "3")
    assert sensed(np.array([1.0, 2.0, 3.5] * 20))[0].problem == "regression"
    assert sensed(np.array([1.0, 2.0, 3.0] * 4))[0].problem == "regression"
    assert sensed(np.arange(60.0))[0].problem == "regression"


def test_a_class_that_is_a_number_is_the_same_however_it_is_written():
    schema = sensed(np.array([0.5, 1.0] * 10))[0]
    assert schema.encode([objects("0.50", "5e-1", "1", "1.0", "1.5", "half")]).tolist() == [0, 0, 1, 1, 2, 2]
    assert schema.encode([np.array([1, 1])]).tolist() == [1, 1]
    assert schema.decode(np.eye(2)).tolist() == [0.5, 1.0]


def test_whole_numbers_that_a_gap_made_floats_come_back_whole():
    labels = sensed(np.array([1.0, 2.0, 3.0] * 20))[0].decode(np.eye(3))
    assert labels.tolist() == [1, 2, 3] and labels.dtype == np.int64


def test_the_user_decides_between_classes_and_a_quantity():
    cells = np.array([1, 2, 3] * 20)
    assert sensed(cells, problem="regression")[0].problem == "regression"
    assert sensed(cells, problem="multiclass")[0].problem == "multiclass"
    assert "overrules" in sensed(cells)[0].reason


def test_rare_classes_and_labels_that_look_alike_are_told():
    _, told = sensed(objects(*["yes"] * 990, *["Yes "] * 5, *["no"] * 5))
    assert told["rare classes"].what == "2 classes of 'y0' with fewer than six rows."
    assert "Yes  (5)" in told["rare classes"].where
    assert told["similar labels"].where == "'yes' / 'Yes '"


def test_a_class_that_holds_nearly_all_rows_is_told_with_its_share():
    _, told = sensed(objects(*["yes"] * 995, *["no"] * 5))
    assert told["imbalance"].what == "One class of 'y0' holds 99.50% of the rows."
    assert "imbalance" not in sensed(objects(*["yes"] * 980, *["no"] * 20))[1]


# -- one target: numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [".", ","])
def test_numbers_written_as_text_are_a_quantity_and_keep_their_mark(mark):
    cells = objects(*(f"{number:.2f}".replace(".", mark) for number in NUMBERS))
    schema, _ = sensed(cells)
    assert (schema.problem, schema.marks) == ("regression", (mark,))
    assert np.allclose(schema.encode([cells]), np.round(NUMBERS, 2))


def test_a_quantity_is_decoded_to_itself():
    schema, _ = sensed(NUMBERS)
    assert schema.decode(NUMBERS) is NUMBERS


def test_text_among_numbers_is_refused_with_the_rows_and_their_text():
    cells = objects(*(f"{number:.3f}" for number in NUMBERS[:55]), "n.a.", "none", *"123")
    schema, _ = sensed(cells)
    assert schema.problem == "regression"
    with pytest.raises(DataError, match="holds 2 values that are no numbers") as caught:
        schema.encode([cells])
    assert caught.value.where == "rows 56 ('n.a.'), 57 ('none')"
    assert "--drop-unlabelled" in caught.value.todo


# -- one target: what cannot be predicted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "problem", "error", "said"),
    [
        (objects(*["a"] * 9), None, DataError, "one value only: a"),
        (np.empty(0, dtype=object), None, DataError, "one value only: nothing"),
        (FLAGS, "clustering", UsageError, "received 'clustering'"),
        (objects(*["a", "b"] * 9), "regression", UsageError, "is text and cannot be regressed"),
        (np.array([0, 1, 2] * 9), "binary", UsageError, "has 3 classes, not two"),
        (objects(*["a", "b"] * 9), "multilabel", UsageError, "No cell of 'y0' holds several labels"),
        (FLAGS, "multilabel", UsageError, "No cell of 'y0' holds several labels"),
        (objects(*(f"name {row}" for row in range(30))), None, DataError, "30 different values in 30 rows"),
        (np.arange(60).astype("datetime64[D]"), None, DataError, "A moment in time cannot be predicted"),
        (np.arange(2002), "multiclass", DataError, "2002 different values"),
    ],
    ids=[
        "constant",
        "nothing",
        "no problem",
        "text",
        "three",
        "no labels",
        "flags",
        "names",
        "dates",
        "many",
    ],
)
def test_what_cannot_be_predicted_is_refused_with_a_reason(cells, problem, error, said):
    assert said in refused(cells, problem=problem, error=error)


# -- several labels in a cell ------------------------------------------------------------------------------------------

TAGS = [["a"], ["b", "c"], [], ["c", "a", "b"], ["b"], ["a", "c"]] * 5


@pytest.mark.parametrize("separator", [";", "|", " ; "])
def test_labels_in_one_cell_are_coded_as_scikit_learn_codes_them(separator):
    cells = objects(*(separator.join(tags) for tags in TAGS))
    schema, _ = sensed(cells)
    expected = MultiLabelBinarizer().fit_transform(TAGS)
    assert schema.classes == ("a", "b", "c") and schema.width == 3
    assert schema.encode([cells]).tolist() == expected.tolist()


@DOZENS
@given(st.lists(st.sets(st.sampled_from("abc")), min_size=1))
def test_sets_of_labels_come_back_in_the_order_of_the_labels(sets):
    schema = TargetSchema(("y",), "multilabel", ("a", "b", "c"), separator=";")
    indicators = schema.encode([objects(*(";".join(one) for one in sets))])
    decoded = schema.decode(indicators.astype(float))
    assert decoded.tolist() == [";".join(sorted(one)) for one in sets]


def test_labels_that_were_never_seen_are_left_out():
    schema = TargetSchema(("y",), "multilabel", ("a", "b"), separator=";")
    assert schema.encode([objects("a;z", "z", None, " b ;; a ")]).tolist() == [[1, 0], [0, 0], [0, 0], [1, 1]]


def test_a_comma_in_names_does_not_separate_labels_unless_they_are_far_fewer_than_their_combinations():
    places = [f"{town}, {state}" for town, state in zip("abcdefgh", "xyzxyzxy", strict=True)] * 2
    assert separated(places) == ((), "")
    mixed = ["a,b", "b,c", "a,c", "a,b,c", "a", "b", "c", "b,a", "c,a", "c,b"] * 4
    assert separated(mixed) == (("a", "b", "c"), ",")


def test_the_user_may_ask_for_several_labels_that_are_rare():
    cells = objects(*["a", "b"] * 30, "a;b")
    assert sensed(cells)[0].problem == "multiclass"
    assert sensed(cells, problem="multilabel")[0].classes == ("a", "b")


# -- several targets ---------------------------------------------------------------------------------------------------


def test_columns_of_zero_and_one_are_labels_and_come_back_with_their_dtype():
    whole, _ = sensed(FLAGS, 1 - FLAGS)
    truths, _ = sensed(FLAGS == 1, FLAGS == 0)
    assert (whole.problem, whole.kind, truths.kind) == ("multilabel", "int", "bool")
    marginals = np.array([[0.2, 0.8], [0.5, 0.4]])
    assert whole.decode(marginals).tolist() == [[0, 1], [1, 0]]
    assert truths.decode(marginals).dtype == bool
    assert whole.encode([FLAGS, 1 - FLAGS]).tolist() == np.column_stack([FLAGS, 1 - FLAGS]).tolist()


def test_a_threshold_decides_which_labels_are_named():
    schema, _ = sensed(FLAGS, 1 - FLAGS)
    assert schema.decode(np.array([[0.2, 0.8]]), {"threshold": 0.1}).tolist() == [[1, 1]]


def test_columns_of_two_words_each_are_labels_and_come_back_as_words():
    columns = [objects(*["no", "yes"] * 30), objects(*["on", "off", "off"] * 20)]
    schema, _ = sensed(*columns)
    assert (schema.problem, schema.pairs) == ("multilabel", (("no", "yes"), ("off", "on")))
    codes = schema.encode(columns)
    assert codes[:3].tolist() == [[0, 1], [1, 0], [0, 0]]
    assert schema.decode(codes.astype(float)).tolist() == np.column_stack(columns).tolist()


def test_columns_of_numbers_are_predicted_together():
    schema, _ = sensed(NUMBERS, NUMBERS**2)
    assert (schema.problem, schema.width) == ("multiregression", 2)
    assert np.array_equal(schema.encode([NUMBERS, NUMBERS**2]), np.column_stack([NUMBERS, NUMBERS**2]))


def test_one_target_with_a_single_value_is_told_and_two_are_too_many():
    schema, told = sensed(NUMBERS, np.ones(60))
    assert schema.problem == "multiregression"
    assert told["constant target"].where == "y1"
    assert "Every target has one value only" in refused(np.zeros(60), np.ones(60))


@pytest.mark.parametrize(
    ("columns", "problem", "error", "said"),
    [
        ((NUMBERS, objects(*["a", "b"] * 30)), None, DataError, "The target 'y1' is text"),
        ((objects(*["a", "b"] * 30), objects(*"abc" * 20)), None, DataError, "The target 'y1' is text"),
        (
            (objects(*["a", "b"] * 30), objects(*["c", "d"] * 30)),
            "multiregression",
            DataError,
            "'y0' is text",
        ),
        ((NUMBERS, FLAGS), "multilabel", DataError, "columns of 0 and 1"),
        ((FLAGS, FLAGS), "binary", UsageError, "2 targets are no binary problem"),
    ],
)
def test_targets_that_do_not_go_together_are_refused(columns, problem, error, said):
    assert said in refused(*columns, problem=problem, error=error)


def test_a_target_that_is_named_twice_is_refused():
    with pytest.raises(UsageError, match="named twice"):
        sense_target(["y", "y"], [FLAGS, FLAGS], None, print)


# -- types and JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "output", "target"),
    [
        ((np.array([0, 1, 2] * 20),), "Dist[3]", "Class[3]"),
        ((FLAGS, FLAGS[::-1]), "Marginals[2]", "Labels[2]"),
        ((NUMBERS,), "Real", "Real"),
        ((NUMBERS, -NUMBERS), "Tensor[2]", "Tensor[2]"),
        ((objects(*(";".join(tags) for tags in TAGS)),), "Marginals[3]", "Labels[3]"),
    ],
)
def test_the_types_follow_from_the_problem_and_the_schema_comes_back_from_json(columns, output, target):
    schema, _ = sensed(*columns)
    assert (str(schema.output_type), str(schema.target_type)) == (output, target)
    again = TargetSchema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    assert again.encode(columns).tolist() == schema.encode(columns).tolist()
