"""Rows of the catalogue of bad inputs that sensing and encoding answer, through `Task.from_data`."""

import numpy as np
import pytest

from perennial.errors import DataError, UsageError
from perennial.lang import typed
from perennial.spaces.tables import table_space
from perennial.task import Task

ROWS = 60
GENERATOR = np.random.default_rng(7)
NUMBERS = GENERATOR.normal(size=ROWS)
CLASSES = ["no", "yes"] * (ROWS // 2)


def table(**columns):
    """A healthy table, with columns replaced or added."""
    return {"size": NUMBERS.tolist(), "weight": GENERATOR.normal(size=ROWS).tolist()} | columns


def task(target="y", **columns):
    return Task.from_data({"y": CLASSES} | table(**columns), target)


def kind_of(grown, name):
    return next(column.kind for column in grown.schema.columns if column.name == name)


def field_of(grown, name):
    return next(column.id for column in grown.schema.columns if column.name == name)


def finding(grown, code):
    found = [each for each in grown.findings if each.code == code]
    assert found, f"no finding {code!r} among {[each.code for each in grown.findings]}"
    return found[0]


def refused(data, target="y", error=DataError, **options):
    """What is said of data that cannot be used; always with the place and what to do."""
    with pytest.raises(error) as caught:
        Task.from_data(data, target, **options)
    assert caught.value.exit_code == {DataError: 3, UsageError: 2}[error]
    assert caught.value.todo
    return str(caught.value)


def test_row_03_one_row_cannot_be_split():
    assert "1 row to learn from" in refused({"a": [1.0], "y": ["no"]})


def test_row_03_few_rows_are_warned_of():
    few = Task.from_data({"a": NUMBERS[:20].tolist(), "y": CLASSES[:20]}, "y")
    assert finding(few, "few rows").level == "warning"


def test_row_04_when_no_feature_is_left_each_is_named_with_its_reason():
    said = refused(
        {
            "same": [1] * ROWS,
            "nothing": [None] * ROWS,
            "id": [f"a-{i:04d}" for i in range(ROWS)],
            "y": CLASSES,
        }
    )
    for name in ("same", "nothing", "id"):
        assert name in said


def test_row_05_a_misspelt_target_gets_a_suggestion():
    assert "'price'" in refused({"a": [1, 2], "price": [3, 4]}, target="prise")


@pytest.mark.parametrize("value", ["yes", 1.0, True])
def test_row_06_a_constant_target_is_refused(value):
    assert "one value only" in refused(table(y=[value] * ROWS))


@pytest.mark.parametrize("hole", [None, float("nan"), float("inf"), ""])
def test_row_07_a_hole_in_the_target_is_an_error_with_count_and_rows_unless_it_may_be_dropped(hole):
    broken = [*NUMBERS[:-2].tolist(), hole, hole]
    if hole == "":
        broken = [*CLASSES[:-2], "", ""]
    said = refused(table(y=broken))
    assert "2 of 60" in said and "59, 60" in said and "--drop-unlabelled" in said
    kept = Task.from_data(table(y=broken), "y", drop_unlabelled=True)
    assert kept.rows == ROWS - 2 and finding(kept, "unlabelled").level == "warning"


def test_row_08_rare_classes_are_kept_and_named():
    grown = Task.from_data(table(y=["a"] * 30 + ["b"] * 28 + ["rare"] * 2), "y")
    assert "rare" in grown.schema.classes and grown.rows == ROWS
    assert finding(grown, "rare classes").level == "warning"


def test_row_09_a_class_that_only_the_test_rows_have_is_declared_and_counts_as_an_error():
    test = {"size": [1.0, 2.0], "weight": [0.5, 0.25], "y": ["yes", "maybe"]}
    grown = Task.from_data({"y": CLASSES} | table(), "y", test=test)
    assert finding(grown, "new classes").level == "warning"
    assert grown.test.target.tolist() == [1, 2] and len(grown.schema.classes) == 2


def test_row_11_two_classes_under_the_name_multiclass_are_taken():
    grown = Task.from_data({"y": CLASSES} | table(), "y", problem="multiclass")
    assert len(grown.schema.classes) == 2


@pytest.mark.parametrize(("levels", "problem"), [(3, "multiclass"), (5_000, "regression")])
def test_row_12_whole_numbers_are_classes_or_quantities_with_a_reason_and_a_way_out(levels, problem):
    rows = 10_000
    values = np.random.default_rng(0).integers(0, levels, rows)
    data = {"a": np.arange(rows) * 0.37 % 1, "y": values}
    grown = Task.from_data(data, "y")
    assert grown.problem == problem
    assert any(problem in sentence for sentence in grown.schema.decided)
    other = {"multiclass": "regression", "regression": "multiclass"}[problem]
    if other == "regression":
        assert Task.from_data(data, "y", problem=other).problem == other


@pytest.mark.parametrize(
    ("write", "mark"),
    [
        (lambda x: f"{x:,.2f}", "."),
        (lambda x: f"{x:,.2f}".translate(str.maketrans(",.", ".,")), ","),
        (lambda x: f"€ {x:.2f}", "."),
    ],
)
def test_row_13_decorated_numbers_are_read_with_the_reason(write, mark):
    values = np.round(np.random.default_rng(1).uniform(1_000, 9_000_000, ROWS), 2)
    grown = task(price=[write(value) for value in values])
    assert kind_of(grown, "price") == "number"
    assert np.allclose(grown.inputs[field_of(grown, "price")], values)
    reason = next(column.reason for column in grown.schema.columns if column.name == "price")
    assert reason and "--type price=" in reason


def test_row_13_text_with_few_numbers_stays_text():
    grown = task(note=["about 5 of them", "none at all", "see above", "12"] * (ROWS // 4))
    assert kind_of(grown, "note") in ("category", "text")


@pytest.mark.parametrize("token", ["?", "NA", "", "null", "-"])
def test_row_14_words_for_missing_are_missing(token, tmp_path):
    path = tmp_path / "table.csv"
    cells = [token if row % 10 == 0 else f"{value:.3f}" for row, value in enumerate(NUMBERS)]
    path.write_text(
        "a,y\n" + "\n".join(f"{cell},{label}" for cell, label in zip(cells, CLASSES, strict=True))
    )
    grown = Task.from_data(str(path), "y")
    assert kind_of(grown, "a") == "number" and int(np.isnan(grown.inputs["f0001"]).sum()) == 6


def test_row_14_a_sentinel_is_only_warned_of():
    grown = task(age=[-999.0 if row % 10 == 0 else 20.0 + row for row in range(ROWS)])
    assert "-999" in finding(grown, "sentinel").what
    assert (grown.inputs[field_of(grown, "age")] == -999).sum() == 6


def test_row_15_numbers_and_words_in_one_column_are_told():
    grown = task(mixed=[f"{row * 1.7:.1f}" if row % 3 else f"see page {row}" for row in range(ROWS)])
    assert finding(grown, "mixed").flag == "--type mixed=number"


def test_row_16_levels_learnt_as_text_are_known_as_whole_numbers():
    grown = task(zone=[str(row % 4) for row in range(ROWS)], y=CLASSES)
    grown = Task.from_data(
        {"y": CLASSES} | table(zone=[f"{row % 4}" for row in range(ROWS)]), "y", kinds={"zone": "category"}
    )
    later = table(zone=[row % 4 for row in range(ROWS)])
    assert np.array_equal(
        grown.schema.encode(later)[field_of(grown, "zone")], grown.inputs[field_of(grown, "zone")]
    )


def test_row_17_a_column_without_values_is_left_out_and_may_be_empty_later():
    grown = task(nothing=[None] * ROWS)
    assert kind_of(grown, "nothing") == "empty"
    later = grown.schema.encode(table(size=[None] * ROWS))
    assert (
        later[field_of(grown, "size")].dtype == np.float64 and np.isnan(later[field_of(grown, "size")]).all()
    )


def test_row_18_constant_columns_are_left_out_and_recorded():
    grown = task(same=["x"] * ROWS, nearly=[1] * (ROWS - 1) + [2])
    assert kind_of(grown, "same") == "constant" and finding(grown, "constant").where == "same"
    assert kind_of(grown, "nearly") == "constant" and finding(grown, "near-constant")


@pytest.mark.parametrize(
    "keys",
    [
        list(range(1, ROWS + 1)),
        [f"customer-{row:05d}" for row in range(ROWS)],
        [f"{row:08x}-12ab-4cde-8f01-{row:012x}" for row in range(ROWS)],
    ],
)
def test_row_19_identifiers_are_no_features(keys):
    grown = task(customer_id=keys)
    assert kind_of(grown, "customer_id") == "identifier"
    assert finding(grown, "identifier").flag.startswith("--")


def test_row_20_copies_share_a_group():
    data = {"a": [*NUMBERS, *NUMBERS[:10]], "y": [*CLASSES, *CLASSES[:10]]}
    grown = Task.from_data(data, "y")
    assert grown.groups[0] == grown.groups[ROWS] and finding(grown, "duplicates").what.startswith("10 rows")


def test_row_22_equal_rows_of_two_classes_bound_what_can_be_achieved():
    data = {"a": [*NUMBERS, *NUMBERS[:12]], "y": [*CLASSES, *CLASSES[1:13]]}
    said = finding(Task.from_data(data, "y"), "contradictions")
    assert "83.3%" in said.why


def test_row_23_a_column_that_gives_the_target_away_is_told_and_dropped_when_asked():
    data = {"y": CLASSES} | table(copy=[label == "yes" for label in CLASSES])
    told = Task.from_data(data, "y")
    assert finding(told, "leak").where == "copy" and kind_of(told, "copy") == "number"
    without = Task.from_data(data, "y", drop_leaky=True)
    assert field_of(told, "copy") not in without.inputs


def test_row_23_a_rescaled_number_is_a_leak_too():
    grown = Task.from_data(table(y=(NUMBERS * 3 + 1).tolist()), "y")
    assert finding(grown, "leak").where == "size"


def test_row_24_test_rows_that_were_learnt_from_are_refused_unless_allowed():
    data = {"y": CLASSES} | table()
    test = {name: column[:5] for name, column in data.items()}
    assert "--allow-overlap" in refused(data, test=test)
    assert Task.from_data(data, "y", test=test, allow_overlap=True).test.rows == 5


def test_row_25_rows_in_the_order_of_time_are_judged_in_that_order():
    days = (np.datetime64("2020-01-01") + np.arange(ROWS)).astype(str).tolist()
    grown = task(day=days)
    assert grown.times is not None and finding(grown, "time").level == "warning"


def test_row_26_a_key_that_repeats_suggests_groups():
    grown = task(patient_id=[f"p{row // 3}" for row in range(ROWS)])
    assert finding(grown, "group").flag == "--group patient_id"
    grouped = Task.from_data(
        {"y": CLASSES} | table(patient_id=[f"p{row // 3}" for row in range(ROWS)]), "y", group="patient_id"
    )
    assert grouped.groups[0] == grouped.groups[2] != grouped.groups[3]


def test_row_28_names_of_columns_may_be_anything():
    names = ['{"json": 1}', "émoji 🌱", "цена", 'quo"ted', "new\nline", "<script>", "__proto__", "a" * 300]
    columns = {name: (NUMBERS * number).tolist() for number, name in enumerate(names, start=1)}
    grown = Task.from_data({**columns, "y": CLASSES}, "y")
    assert set(grown.inputs) == {f"f{number:04d}" for number in range(1, len(names) + 1)}
    assert [grown.schema.display_name(field) for field in grown.inputs] == names


def test_row_31_a_category_of_very_many_levels_has_a_bounded_vocabulary():
    rows = 30_000
    levels = [f"shop {number}" for number in np.random.default_rng(2).integers(0, 9_000, rows)]
    grown = Task.from_data(
        {"shop": levels, "a": np.random.default_rng(3).normal(size=rows), "y": np.arange(rows) % 2},
        "y",
        kinds={"shop": "category"},
    )
    kind = grown.input_type.fields[field_of(grown, "shop")]
    assert kind.name == "Categories" and kind.k <= 4_001
    assert grown.inputs[field_of(grown, "shop")].max() < kind.k


def test_row_33_enormous_numbers_stay_finite_and_are_warned_of():
    grown = task(
        huge=[1e308 * (-1) ** row for row in range(ROWS - 2)] + [5e-324, 0.0],
        whole=[2**60 + row for row in range(ROWS)],
    )
    assert finding(grown, "precision")
    assert all(np.isfinite(column).all() for column in grown.inputs.values() if column.dtype.kind == "f")


def test_row_34_infinite_features_are_missing():
    grown = task(size=[float("inf"), float("-inf"), *NUMBERS[2:].tolist()])
    assert finding(grown, "infinite").what.startswith("2 infinite values")
    assert int(np.isnan(grown.inputs[field_of(grown, "size")]).sum()) == 2


def test_row_35_extreme_imbalance_is_told():
    rows = 10_001
    data = {"a": np.random.default_rng(4).normal(size=rows), "y": ["no"] * (rows - 10) + ["yes"] * 10}
    assert "Accuracy is meaningless" in finding(Task.from_data(data, "y"), "imbalance").why


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        ([f"{1 + row % 28:02d}/{1 + row % 12:02d}/2024" for row in range(ROWS)], "2024-01-01"),
        ([f"2024-W{1 + row % 50:02d}-1" for row in range(ROWS)], "2024-01-01"),
        (
            [f"2024-03-{1 + row % 28:02d}T12:00:00+0{row % 5}:00" for row in range(ROWS)],
            "2024-03-01T12:00:00",
        ),
    ],
)
def test_row_40_dates_of_many_forms_are_read_strictly(dates, first):
    grown = task(day=dates)
    assert kind_of(grown, "day") == "date"
    assert grown.inputs[field_of(grown, "day")][0] == np.datetime64(first)


def test_row_40_a_day_that_does_not_exist_is_missing_and_told():
    dates = [f"{1 + row % 28:02d}/02/2024" for row in range(ROWS - 1)] + ["30/02/2024"]
    grown = task(day=dates)
    assert np.isnat(grown.inputs[field_of(grown, "day")][-1]) and finding(grown, "dates").level == "warning"


def test_row_40_serial_days_of_a_spreadsheet_are_asked_about():
    grown = task(start_date=[45_000 + 3 * row for row in range(ROWS)][::-1])
    assert finding(grown, "serial dates").flag == "--type start_date=date"
    dated = Task.from_data(
        {"y": CLASSES} | table(start_date=[45_000 + 3 * row for row in range(ROWS)]),
        "y",
        kinds={"start_date": "date"},
    )
    assert dated.inputs[field_of(dated, "start_date")][0] == np.datetime64("2023-03-15")


def test_row_42_unused_levels_are_no_classes():
    import pandas as pd

    frame = pd.DataFrame(table())
    frame["y"] = pd.Categorical(CLASSES, categories=["no", "yes", "never"])
    assert Task.from_data(frame, "y").schema.classes == ("no", "yes")


def test_row_44_features_and_targets_of_different_length_are_refused():
    with pytest.raises(DataError, match="60 rows and y has 59") as caught:
        Task.from_data((np.ones((ROWS, 2)), CLASSES[:-1]))
    assert caught.value.exit_code == 3
    column = np.array(CLASSES).reshape(-1, 1)
    assert Task.from_data((np.random.default_rng(5).normal(size=(ROWS, 2)), column)).rows == ROWS


def test_row_45_columns_are_found_by_name_and_missing_ones_are_listed():
    grown = task()
    later = table()
    shuffled = dict(reversed(list(later.items()))) | {"extra": ["?"] * ROWS}
    assert np.array_equal(grown.schema.encode(shuffled)["f0002"], grown.schema.encode(later)["f0002"])
    del later["weight"]
    with pytest.raises(DataError, match="weight") as caught:
        grown.schema.encode(later)
    assert "--impute-missing" in caught.value.todo
    columns, notes = grown.schema.encode_with_notes(later, impute_missing=True)
    assert np.isnan(columns[field_of(grown, "weight")]).all() and "weight" in notes[0]


def test_row_46_levels_never_seen_are_counted():
    grown = task(colour=["red", "blue", "green"] * (ROWS // 3))
    columns, notes = grown.schema.encode_with_notes(table(colour=["violet"] * 3 + ["red"] * (ROWS - 3)))
    assert (columns[field_of(grown, "colour")] < 0).sum() == 3
    assert any("3 cells" in note and "violet" in note for note in notes)


@pytest.mark.parametrize("kinds", [{"colour": "colour"}, {"colur": "category"}, {"colour": "number:;"}])
def test_row_62_a_wish_that_means_nothing_is_refused(kinds):
    refused({"y": CLASSES} | table(colour=["red", "blue"] * (ROWS // 2)), error=UsageError, kinds=kinds)


@pytest.mark.parametrize(
    "weights", [[0.0] * ROWS, [-1.0] * ROWS, [float("nan")] * ROWS, [1.0] * (ROWS - 1), ["a"] * ROWS]
)
def test_row_63_senseless_weights_are_refused(weights):
    assert "weights" in refused({"y": CLASSES} | table(), sample_weight=weights)


def test_row_64_several_labels_in_a_cell_are_seen_and_can_be_overruled():
    cells = ["news;sport", "news", "sport;art", "art"] * (ROWS // 4)
    grown = Task.from_data(table(y=cells), "y")
    assert grown.problem == "multilabel" and grown.target.shape == (ROWS, 3)
    assert grown.target.sum() == 6 * (ROWS // 4)
    assert Task.from_data(table(y=cells), "y", problem="multiclass").problem == "multiclass"


def test_row_64_two_targets_are_predicted_together():
    grown = Task.from_data(table(u=NUMBERS.tolist(), v=(NUMBERS**2).tolist()), ["u", "v"])
    assert grown.problem == "multiregression" and grown.target.shape == (ROWS, 2)


def test_row_65_labels_that_differ_in_writing_only_are_suggested_for_merging_and_kept_apart():
    grown = Task.from_data(table(y=["Yes", "yes", "no", "no "] * (ROWS // 4)), "y")
    assert finding(grown, "similar labels").action.startswith("Nothing")
    assert len(grown.schema.classes) >= 3


def test_every_row_that_is_accepted_has_a_space_of_well_typed_programs():
    grown = task(
        colour=["red", "blue", "green"] * (ROWS // 3),
        note=[f"word {row} and more words here" for row in range(ROWS)],
    )
    space = table_space(grown.input_type, grown.output_type, grown.rows)
    typed(space.freeze(space.default()), (grown.input_type,), grown.output_type)
