"""The schema of a table: which column is the target, what encoding accepts, what it says, and what it refuses."""

import json

import numpy as np
import pytest

from perennial.errors import DamagedFile, DataError, UsageError
from perennial.modalities import codec_from_json
from perennial.modalities.frames import Frame
from perennial.modalities.reading import frame_from, write_table
from perennial.modalities.tables import TableSchema, find_target, sense, unlabelled
from perennial.modalities.tabular import sense_table

ROWS = 60
GENERATOR = np.random.default_rng(3)
CITY = ["Oslo", "Rome", "Lima"] * 20
LABEL = ["no", "yes"] * 30
COLUMNS = {
    "size": GENERATOR.normal(size=ROWS),
    "city": CITY,
    "day": (np.datetime64("2024-01-01", "us") + np.arange(ROWS).astype("timedelta64[D]"))[::-1],
    "note": [f"a long note on {city} and more {number}" for number, city in enumerate(CITY)],
    "same": ["x"] * ROWS,
    "answer": LABEL,
}


@pytest.fixture(scope="module")
def schema():
    return sense(frame_from(COLUMNS), "answer")[0]


def later(**changes):
    """Two new rows without a target."""
    two = {
        "size": [1.5, -2.0],
        "city": ["Rome", "Lima"],
        "day": ["2025-01-01", "2025-01-02"],
        "note": ["a", "b"],
    }
    return {name: column for name, column in (two | changes).items() if column is not None}


def identity(schema, name):
    return next(column.id for column in schema.columns if column.name == name)


# -- what the schema says ----------------------------------------------------------------------------------------------


def test_fields_levels_and_types_follow_the_columns(schema):
    assert [column.kind for column in schema.columns] == [
        "number",
        "category",
        "date",
        "text",
        "constant",
        "target",
    ]
    assert [schema.display_name(column.id) for column in schema.used] == ["size", "city", "day", "note"]
    assert str(schema.input_type) == "Record{f0001: Real, f0002: Categories[3], f0003: Date, f0004: Text}"
    assert schema.level_names("f0002") == ["Lima", "Oslo", "Rome"]
    assert (schema.problem, schema.targets, schema.classes) == ("binary", ("answer",), ("no", "yes"))
    assert (str(schema.output_type), str(schema.target_type)) == ("Dist[2]", "Class[2]")


def test_the_code_of_rare_levels_has_a_name_of_its_own():
    cities = [f"town {number}" for number in range(55) for _ in range(2)] + ["once", "twice"]
    frame = frame_from({"city": cities, "size": np.arange(112.0) ** 1.5, "y": ["a", "b"] * 56})
    rare, _ = sense(frame, "y", {"city": "category"})
    assert rare.level_names(identity(rare, "city"))[-1] == "(rare)"
    assert rare.encode({"city": ["once", "new"], "size": [1, 2]})[identity(rare, "city")].tolist() == [55, 55]


def test_the_schema_comes_back_from_json_and_encodes_alike(schema):
    again = codec_from_json(json.loads(json.dumps(schema.to_json())))
    assert isinstance(again, TableSchema) and again == schema and again.decided == schema.decided
    one, other = schema.encode(COLUMNS), again.encode(COLUMNS)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_codec_of_a_kind_that_is_not_known_is_refused():
    with pytest.raises(DamagedFile, match="'song'") as caught:
        codec_from_json({"modality": "song"})
    assert caught.value.todo == "Upgrade perennial."


# -- encoding ----------------------------------------------------------------------------------------------------------


def test_columns_are_found_by_name_in_any_order_and_others_are_passed_over(schema):
    plain, mixed = later(), dict(reversed(later(extra=[1, 2]).items()))
    one, other = schema.encode(plain), schema.encode(mixed)
    assert list(one) == list(other) == [column.id for column in schema.used]
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_file_is_encoded_like_the_table_it_holds(schema, tmp_path):
    path = tmp_path / "new.csv"
    write_table(path, list(later()), list(later().values()))
    frame = schema.read(path)
    assert isinstance(frame, Frame) and frame.rows == 2
    one, other, direct = schema.encode(frame), schema.encode(later()), schema.encode(path)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert all(np.array_equal(one[name], direct[name]) for name in one)


def test_a_column_that_is_missing_is_refused_with_the_name_that_is_like_it(schema):
    with pytest.raises(DataError, match="1 of the columns that the model uses are missing") as caught:
        schema.encode(later(city=None, City_=["Rome", "Lima"]))
    assert caught.value.where == "city"
    assert "The data have 'City_': is that 'city'?" in caught.value.todo


def test_many_missing_columns_are_counted():
    wide = {f"c{number}": GENERATOR.normal(size=ROWS) for number in range(9)} | {"y": LABEL}
    schema, _ = sense(frame_from(wide), "y")
    with pytest.raises(DataError, match="8 of the columns") as caught:
        schema.encode({"c0": [1.0]})
    assert caught.value.where == "c1, c2, c3, c4, c5 and 3 more"


def test_missing_columns_may_count_as_missing_values_and_are_told(schema):
    columns, notes = schema.encode_with_notes(later(size=None, city=None), impute_missing=True)
    assert np.isnan(columns[identity(schema, "size")]).all()
    assert columns[identity(schema, "city")].tolist() == [-1, -1]
    assert notes == ["2 columns are treated as missing: size, city"]


def test_cells_that_cannot_be_read_as_in_training_are_told_with_examples(schema):
    data = later(size=["1.5", "tall"], city=["Paris", "Rome"], day=["2025-01-01", "soon"])
    columns, notes = schema.encode_with_notes(data)
    assert notes == [
        "size: 1 cells hold text that is no number and counts as missing, such as tall",
        "city: 1 cells hold levels never seen in training, such as Paris",
        "day: 1 cells hold text that is no date and counts as missing, such as soon",
    ]
    assert columns[identity(schema, "city")].tolist() == [-2, 2]


def test_true_values_are_encoded_from_labelled_data_only(schema):
    assert schema.encode_target(later(answer=["yes", "perhaps"])).tolist() == [1, 2]
    with pytest.raises(DataError, match="There is no column 'answer'") as caught:
        schema.encode_target(later(Answers=["yes", "no"]))
    assert caught.value.todo == "Did you mean 'Answers'?"
    with pytest.raises(DataError, match="missing or infinite in 1 of 2 rows") as caught:
        schema.encode_target(later(answer=["yes", None]))
    assert caught.value.where == "rows 2"


def test_predictions_become_the_labels_of_the_user(schema):
    assert schema.decode(np.array([[0.4, 0.6], [0.9, 0.1]])).tolist() == ["yes", "no"]
    assert schema.decode(np.array([[0.4, 0.6]]), {"threshold": 0.7}).tolist() == ["no"]


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ([np.array([1.0, np.nan, np.inf, -np.inf])], [False, True, True, True]),
        ([np.array(["a", None, " ", "b"], dtype=object)], [False, True, True, False]),
        ([np.array(["2024-01-01", "NaT"], dtype="datetime64[s]")], [False, True]),
        ([np.array([1, 2]), np.array([np.nan, 2.0])], [True, False]),
        ([np.array([True, False])], [False, False]),
    ],
)
def test_rows_without_a_usable_target_are_found(columns, missing):
    assert unlabelled(columns).tolist() == missing


# -- the same row, whatever the other rows of its file are -------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    """Writes the columns `c` and `y` and gives the path."""

    def make(cells, answers=("no", "yes")):
        answers = [answers[row % len(answers)] for row in range(len(cells))]
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        path.write_text("c;y\n" + "".join(f"{cell};{y}\n" for cell, y in zip(cells, answers, strict=True)))
        return path

    return make


@pytest.mark.parametrize(
    ("cells", "wish", "value"),
    [
        (["987,0", "2.400", "1.234,5"], None, 2400.0),
        (["1.234", "2.400", "7.000"], "number:,", 2400.0),
        (["1.5", "2.5", "3.5"], None, 2.5),
        (["XL", "2.00", "1.50"], None, 1),
        (["1.50", "2.00", "3.00"], "category", 1),
        (["1.50", "2.00", "3.00"], "text", "2.00"),
        (["2024-01-05", "2024-02-06", "2024-03-07"], None, "2024-02-06"),
        (["05.01.2024", "06.02.2024", "07.03.2024"], None, "2024-02-06"),
        (["20240105", "20240206", "20240307"], "date", "2024-02-06"),
        (["20240105", "20240206", "20240307"], "date:yyyymmdd", "2024-02-06"),
        (["1600000000", "1600086400", "1600172800"], "date", "2020-09-14T12:26:40"),
        (["45000", "45351", "45400"], "date", "2024-02-29"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_cell_has_the_value_that_was_learnt_beside_whatever_other_rows(file, cells, wish, value):
    told = sense_table(file(cells * 10), "y", kinds={"c": wish} if wish else None)
    value = np.datetime64(value, "s") if told.inputs["f0001"].dtype.kind == "M" else value
    assert told.inputs["f0001"][1] == value
    for others in ([], ["unknown"], cells):
        path = file([cells[1], *others])
        assert told.schema.encode(path)["f0001"][0] == value
        assert told.schema.encode(told.schema.read(path))["f0001"][0] == value


AREAS = [f"{row}.{row:03d},5" for row in range(1, 30)]


@pytest.mark.parametrize(
    ("learnt", "kinds", "problem", "value"),
    [
        ([*AREAS, "2.400"], None, "regression", 2400.0),
        (["1.234", "2.400", "7.000"] * 10, {"y": "number:,"}, "regression", 2400.0),
        (["XL", "2.400", "1.500"] * 10, None, "multiclass", 1),
        (["2024-01-05", "2.400"] * 15, None, "binary", 0),
        (["2024-01-05", "2024-02-05"] * 15, None, "binary", None),
    ],
)
def test_a_target_has_the_value_that_was_learnt_beside_whatever_other_rows(
    file, learnt, kinds, problem, value
):
    words = [f"{row * 1.5}" for row in range(len(learnt))]
    told = sense_table(
        file(words, learnt), "y", kinds=kinds, test=file(["0.7", "0.8"], ["2.400"]), allow_overlap=True
    )
    assert told.schema.problem == problem
    assert told.test.target.tolist() == [2 if value is None else value] * 2
    assert told.schema.encode_target(file(words[:1], learnt[:1])).tolist() == told.target[:1].tolist()


# -- the target and the columns that are left --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "target"),
    [(["y", "a"], "y"), (["a", " Label "], " Label "), (["OUTCOME", "a"], "OUTCOME"), (["class", "target"], "target"),
     (["a", "b", "c"], "c")],
)  # fmt: skip
def test_a_target_that_nobody_named_is_found_by_its_name_or_its_place(names, target):
    found, why = find_target(frame_from({name: [1.0, 2.0] for name in names}), None)
    assert found == (target,) and "--target COLUMN overrules" in why


def test_a_target_that_was_named_needs_no_reason():
    frame = frame_from({"a": [1.0], "b": [2.0]})
    assert find_target(frame, "a") == (("a",), "")
    assert find_target(frame, ["b", "a"]) == (("b", "a"), "")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"target": []}, UsageError, "No target was named"),
        ({"target": "anwser"}, DataError, "Did you mean 'answer'?"),
        ({"target": "zzz"}, DataError, "Check the spelling"),
        ({"target": "answer", "kinds": {"sizes": "number"}}, UsageError, "There is no column 'sizes'"),
        ({"target": "answer", "roles": {"answer": "group"}}, UsageError, "'answer' is the target"),
        ({"target": "answer", "kinds": {"size": "vector"}}, UsageError, "received 'vector'"),
    ],
)
def test_names_that_mean_nothing_are_refused_with_a_way_out(options, error, said):
    with pytest.raises(error) as caught:
        sense(frame_from(COLUMNS), **options)
    assert said in str(caught.value) and caught.value.todo


def test_a_single_column_cannot_be_both_target_and_feature():
    with pytest.raises(DataError, match="one column only") as caught:
        find_target(frame_from({"a": [1.0, 2.0]}), None)
    assert "--delimiter" in caught.value.todo


def test_a_word_on_the_target_decides_the_problem():
    frame = frame_from({"a": GENERATOR.normal(size=ROWS), "y": np.arange(ROWS) % 3})
    assert sense(frame, "y")[0].problem == "multiclass"
    assert sense(frame, "y", {"y": "number"})[0].problem == "regression"
    assert sense(frame, "y", {"y": "category"})[0].problem == "multiclass"
    written = frame_from({"a": GENERATOR.normal(size=ROWS), "y": ["1.234", "2.400", "7.000"] * 20})
    schema, _ = sense(written, "y", {"y": "number:,"})
    assert (schema.problem, schema.target.marks) == ("regression", (",",))


def test_roles_take_columns_out_of_the_features():
    frame = frame_from(COLUMNS | {"stamp": np.arange(ROWS)})
    schema, findings = sense(frame, "answer", roles={"note": "ignored", "city": "group", "stamp": "time"})
    kinds = {column.name: column.kind for column in schema.columns}
    assert (kinds["note"], kinds["city"], kinds["stamp"]) == ("ignored", "group", "number")
    assert "identifier" not in {finding.code for finding in findings}


def test_numbers_that_count_rows_are_used_when_there_is_nothing_else():
    curve = frame_from({"entry": np.arange(ROWS), "y": GENERATOR.normal(size=ROWS)})
    assert [column.kind for column in sense(curve, "y")[0].used] == ["number"]
    keys = frame_from({"row_id": np.arange(ROWS), "y": GENERATOR.normal(size=ROWS)})
    with pytest.raises(DataError, match="No column is left") as caught:
        sense(keys, "y")
    assert caught.value.where.startswith("row_id: identifier")


def test_of_very_many_useless_columns_twenty_are_named():
    frame = frame_from({f"c{number}": ["x"] * 9 for number in range(25)} | {"y": [1.5, 2.5, 3.0] * 3})
    with pytest.raises(DataError, match="No column is left") as caught:
        sense(frame, "y")
    assert "c19: constant" in caught.value.where and caught.value.where.endswith("; … 5 more")


def test_columns_of_one_value_are_counted_once():
    _, findings = sense(frame_from(COLUMNS | {"none": [None] * ROWS}), "answer")
    (told,) = [finding for finding in findings if finding.code == "constant"]
    assert (told.what, told.where) == ("2 columns with one value or nothing.", "same, none")
