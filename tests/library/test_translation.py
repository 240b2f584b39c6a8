"""Rows of one table in the words of another: names, levels, units, and columns that are not there."""

import numpy as np
import pytest

from perennial.compiler import Field
from perennial.library.seen import asked_of, knows, told_of
from perennial.library.translation import constants_of, fields_of, in_known_units, without
from perennial.modalities.units import Conversion, profiles
from perennial.task import Task

FAHRENHEIT = Conversion(1.8, 32.0)


def rows(first, last):
    """Rows by their numbers, so that two tables share those that they have in common."""
    columns = {"heat": [], "wait": [], "grade": [], "cabin": [], "y": []}
    for number in range(first, last):
        generator = np.random.default_rng(number)
        columns["heat"].append(round(generator.normal(20, 8), 2))
        columns["wait"].append(round(generator.exponential(40), 1))
        columns["grade"].append(generator.choice(["low", "middle", "high"]))
        columns["cabin"].append(generator.choice(["A1", "B2", "C3", "D4"]))
        columns["y"].append(generator.normal())
    return {
        name: np.array(values, object if name in ("grade", "cabin") else float)
        for name, values in columns.items()
    }


def in_fahrenheit(data):
    return {**data, **{name: 1.8 * data[name] + 32.0 for name in ("heat", "wait")}}


def table(data, **more):
    return Task.from_data(data, "y", **more)


def converted(known, asked):
    found = likely(known, asked)
    return found if found is None else found[0]


def likely(known, asked):
    fields = fields_of(known.schema, asked.schema)
    return in_known_units(fields, profiles(known.inputs), profiles(asked.inputs))


def known_again(known, asked):
    """Whether a model of one table is not asked about another one."""
    fields, found = fields_of(known.schema, asked.schema, constants_of(asked)), likely(known, asked)
    ways = [] if found is None else [fields, *found]
    told = told_of(known)
    return found is None or any(knows(told, asked_of(asked, way, without(way))) for way in ways)


def test_columns_in_other_units_are_read_in_the_known_ones():
    known, plain = table(rows(0, 300)), table(rows(300, 500))
    asked = table(in_fahrenheit(rows(300, 500)))
    fields = converted(known, asked)
    assert {field.units for field in fields if not field.codes} == {FAHRENHEIT}
    same = fields_of(known.schema, plain.schema)
    for one, other in zip(fields, same, strict=True):
        assert np.array_equal(one.of(asked.inputs), other.of(plain.inputs))
    assert converted(known, plain) == same


def test_rows_that_were_learnt_from_are_known_in_other_units_too():
    told = told_of(table(rows(0, 300)))
    for first, seen in ((300, False), (280, True)):
        asked = table(in_fahrenheit(rows(first, first + 150)))
        assert knows(told, asked_of(asked, converted(table(rows(0, 300)), asked))) is seen


def test_the_very_same_rows_in_units_that_nobody_knows_are_refused():
    known, data = table(rows(0, 300)), rows(0, 300)
    asked = table({**data, "heat": data["heat"] * 1.83 + 31.0, "wait": data["wait"] * 1.83 + 31.0})
    assert converted(known, asked) is None


def test_a_conversion_that_hardly_moves_a_column_hides_no_row():
    data = rows(0, 300)
    data["heat"] = (data["heat"] - data["heat"].mean()).round(2)
    less = {**data, "heat": data["heat"] * 0.45359237}
    assert known_again(table(data), table(less))


def test_some_of_the_rows_in_one_of_two_conversions_that_would_do():
    def sized(first, last, factor=1.0):
        data = rows(first, last)
        sizes = [np.random.default_rng([7, number]).lognormal(3, 2) for number in range(first, last)]
        return table({**data, "size": np.round(sizes, 4) * factor})

    known = sized(0, 400)
    for first in range(0, 250, 25):
        assert known_again(known, sized(first, first + 150, 1000.0))
    assert not known_again(known, sized(400, 550, 1000.0))


def test_levels_that_are_numbers_in_other_units():
    def graded(first, last, wish=None):
        data = rows(first, last)
        codes = np.array([{"low": 0.0, "middle": 1.0, "high": 2.0}[grade] for grade in data["grade"]])
        data["grade"] = codes if wish is None else 1.8 * codes + 32.0
        return table(data, kinds={"grade": "category"})

    known, asked, plain = graded(0, 300), graded(300, 500, "F"), graded(300, 500)
    found, wanted = (
        next(field for field in fields_of(known.schema, other.schema) if field.name == "f0003").of(
            other.inputs
        )
        for other in (asked, plain)
    )
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    "column, value", [("heat", 17.5), ("heat", np.nan), ("grade", "high"), ("grade", None)]
)
def test_a_column_with_one_value_is_that_value(column, value):
    known, data = table(rows(0, 300)), rows(300, 400)
    data[column] = np.full(100, value, data[column].dtype)
    asked = table(data)
    [field] = [field for field in fields_of(known.schema, asked.schema) if not field.source]
    schema = next(each for each in known.schema.columns if each.name == column)
    wanted = (
        {"high": schema.vocabulary.index("high"), None: -1}.get(value, value) if column == "grade" else value
    )
    found = field.of(asked.inputs)
    assert found.dtype == known.inputs[schema.id].dtype and np.array_equal(
        found, np.full(100, wanted), equal_nan=column == "heat"
    )


def test_a_column_of_nearly_one_value_is_its_usual_value():
    known, data = table(rows(0, 300)), rows(300, 400)
    data["heat"] = np.full(100, 17.5)
    data["heat"][0] = 3.0
    [field] = [each for each in fields_of(known.schema, table(data).schema) if not each.source]
    assert field.constant == 17.5


def test_a_long_value_of_a_constant_column_is_kept_whole():
    def noted(first, last, **more):
        levels = [f"{name}: {'a long text about it, ' * 4}" for name in ("one", "two", "three")]
        data = rows(first, last)
        return table({**data, "note": np.array([levels[n % 3] for n in range(first, last)], object), **more})

    known = noted(0, 300)
    level = known.schema.columns[-1].vocabulary[1] if known.schema.columns[-1].name == "note" else None
    level = level or next(each for each in known.schema.columns if each.name == "note").vocabulary[1]
    assert len(level) > 40
    asked = noted(300, 400, note=np.full(100, level, object))
    [field] = [each for each in fields_of(known.schema, asked.schema) if not each.source]
    assert field.constant == 1


def test_a_constant_is_not_believed_of_a_test_of_its_own():
    known, data, test = table(rows(0, 300)), rows(300, 400), rows(0, 50)
    data["heat"] = np.full(100, 17.5)
    asked = table(data, test=test)
    assert fields_of(known.schema, asked.schema, constants_of(asked)) is None
    assert fields_of(known.schema, asked.schema) is not None


@pytest.mark.parametrize("value", [17.5, np.nan])
@pytest.mark.parametrize(("otherwise", "believed"), [(0, True), (10, True), (11, False)])
def test_a_constant_is_believed_that_a_test_has_too(value, otherwise, believed):
    """In all but one row of twenty: where rows of a test are known, the others among them tell."""
    known, data, test = table(rows(0, 300)), rows(300, 400), rows(500, 700)
    data["heat"], test["heat"] = np.full(100, value), np.full(200, value)
    test["heat"][:otherwise] = 18.0
    asked = table(data, test=test)
    found = fields_of(known.schema, asked.schema, constants_of(asked))
    assert (found is not None) == believed


def test_rows_of_a_test_are_known_again_with_a_constant_that_it_has_too():
    data, test = rows(300, 400), rows(0, 50)
    frozen = {**rows(0, 300), "heat": np.full(300, 17.5)}
    frozen["heat"][250:] = np.linspace(0.0, 40.0, 50)
    known = table(frozen)
    data["heat"], test["heat"] = np.full(100, 17.5), np.full(50, 17.5)
    asked = table(data, test=test)
    fields = fields_of(known.schema, asked.schema, constants_of(asked))
    assert knows(told_of(known), asked_of(asked, fields, without(fields)))


def test_a_constant_of_another_format_is_not_read():
    data = rows(0, 300)
    percent = np.array([f"{value:.1f} %" for value in data["wait"]], object)
    known, other = table({**data, "wait": percent}), rows(300, 400)
    assert next(each for each in known.schema.columns if each.name == "wait").format
    other["wait"] = np.full(100, 0.4)
    assert fields_of(known.schema, table(other).schema) is None


def test_one_category_may_be_missing_and_rows_are_still_known():
    known, told = table(rows(0, 300)), told_of(table(rows(0, 300)))
    for first, seen in ((300, False), (290, True)):
        data = rows(first, first + 150)
        asked = table({name: column for name, column in data.items() if name != "cabin"})
        fields = fields_of(known.schema, asked.schema)
        assert without(fields) == {"f0004": 4}
        assert [field.of(asked.inputs).tolist() for field in fields if field.name == "f0004"] == [[-1] * 150]
        assert knows(told, asked_of(asked, fields, without(fields))) is seen
        assert not knows(told, asked_of(asked, fields)), "what is missing hides them otherwise"


@pytest.mark.parametrize("gone", [("heat",), ("grade", "cabin")], ids=str)
def test_other_columns_may_not_be_missing(gone):
    asked = table({name: column for name, column in rows(0, 200).items() if name not in gone})
    assert fields_of(table(rows(0, 300)).schema, asked.schema) is None


@pytest.mark.parametrize(
    "field",
    [
        Field("f1", "f2"), Field("f1", "f2", (0, 2, -2)), Field("f1", "f2", units=FAHRENHEIT), Field("f1", "", constant=2.5),
        Field("f1", "", constant=-1, levels=3),
    ],
    ids=str,
)  # fmt: skip
def test_a_field_is_written_and_read_back(field):
    assert Field.from_json(field.to_json()) == field


def test_a_missing_number_is_written_as_text():
    again = Field.from_json(Field("f1", "", constant=float("nan")).to_json())
    assert np.isnan(again.constant)


def test_fields_of_earlier_versions_are_read():
    assert Field.from_json(["f1", "f2", [1, 0]]) == Field("f1", "f2", (1, 0))


@pytest.mark.parametrize(
    "lie",
    [
        {}, [], ["a", "b"], {"name": "a", "source": "b", "codes": [], "units": [0.0, 1.0]}, 3,
        {"name": "a", "source": "b", "codes": [], "units": [float("inf"), 1.0]}, {"name": "a", "source": "b", "codes": None},
        {"name": "a", "source": "b", "codes": [], "constant": "much"}, {"name": "a", "source": "b", "codes": [], "units": "x"},
        {"name": "a", "source": "b", "codes": [float("inf")]}, {"name": "a", "source": "b", "codes": [], "units": [10**400, 0]},
        {"name": "a", "source": "b", "codes": [], "constant": 10**400},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_field_is_refused(lie):
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError, OverflowError)):
        Field.from_json(lie)
