"""The codec of a program: arguments and outputs from JSON, tables and Python, by name, by place, by type."""

import datetime
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import DataError, TypeMismatch
from perennial.lang import Bool, Dict, Grid, Int, List, Option, Real, Text
from perennial.lang.types import TypeVar
from perennial.modalities.examples import (
    ExamplesCodec,
    example_hashes,
    examples_from,
    fitted,
    is_examples,
    joined_types,
    read_examples,
    table_examples,
    type_of,
    with_rows,
)
from perennial.modalities.examples.reading import (
    argument_name,
    argument_names,
    cell_value,
    number_of,
    unique_names,
)
from perennial.modalities.examples.values import check_size, closed, is_grid, shown
from perennial.modalities.reading import write_table

DOZENS = settings(max_examples=40)
ADD = ExamplesCodec(("first_name", "n"), (Text, Int), Text)
TABLE = ExamplesCodec(("first_name", "n"), (Text, Int), Text, ("First Name", "n", "Out"))
NESTED = st.recursive(
    st.integers(-(2**63) + 1, 2**63 - 1), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8
)


@pytest.fixture
def write(tmp_path):
    """Writes JSON, or the rows of a table, and gives the path."""

    def make(told, name="x.json"):
        path = tmp_path / name
        path.write_text(told if isinstance(told, str) else json.dumps(told), encoding="utf-8")
        return path

    return make


def refused(call, *parts):
    with pytest.raises(DataError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value), f"{part!r} is missing in:\n{caught.value}"


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_the_test_inputs_of_a_file_are_read_and_the_train_inputs_where_there_are_none(write):
    train = [{"inputs": ["a", 1], "output": "b"}]
    test = [{"inputs": ["c", 2]}, {"inputs": ["d", 3], "output": "e"}]
    assert ADD.read(write({"train": train, "test": test})).unlabelled == (("c", 2), ("d", 3))
    assert ADD.read(write({"examples": train})).unlabelled == (("a", 1),)
    assert ADD.read(write(train)).unlabelled == (("a", 1),)


def test_named_arguments_are_found_in_any_order(write):
    found = ADD.read(write([{"inputs": {"n": 1, "First Name": "a"}}]))
    assert found.unlabelled == (("a", 1),)
    refused(lambda: ADD.read(write([{"inputs": {"n": 1}}])), "takes first_name, n, received n")
    refused(
        lambda: ADD.read(write([{"inputs": {"n": 1, "First Name": "a", "more": 2}}])),
        "received n, first_name, more",
    )


@pytest.mark.parametrize(
    ("told", "inputs", "outputs"),
    [
        (
            {"train": [{"inputs": ["a", 1], "output": "b"}], "test": [{"inputs": ["c", 2], "output": "d"}]},
            ("c", 2),
            "d",
        ),
        ({"train": [{"inputs": ["a", 1], "output": "b"}], "test": [{"inputs": ["c", 2]}]}, ("a", 1), "b"),
        ([{"inputs": ["a", 1], "output": "b"}, {"inputs": ["c", 2]}], ("a", 1), "b"),
        ([{"inputs": ["a", 1], "output": None}], ("a", 1), None),
    ],
    ids=["test", "train", "some", "nothing"],
)
def test_outputs_to_compare_with_are_those_of_the_test_pairs_else_of_the_train_pairs(
    write, told, inputs, outputs
):
    found = ADD.read_labelled(write(told))
    assert (found.inputs, found.outputs) == ((inputs,), (outputs,))


def test_a_file_without_outputs_has_nothing_to_compare_with(write):
    refused(
        lambda: ADD.read_labelled(write([{"inputs": ["a", 1]}])),
        "no outputs to compare with",
        'Give "output"',
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["a"], "takes 2 arguments, received 1"),
        (["a", 1, 2], "takes 2 arguments, received 3"),
        ([1, 1], "The argument `first_name` is Text, received 1 (Int)"),
        (["a", 1.5], "The argument `n` is Int, received 1.5 (Real)"),
        (["a", True], "The argument `n` is Int, received True (Bool)"),
    ],
)
def test_arguments_of_another_number_or_type_are_refused_by_name(row, said):
    refused(lambda: ADD.arguments(row), said)


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        (Real, 3, 3.0),
        (List(Real), [1, 2.5], (1.0, 2.5)),
        (List(Int), [], ()),
        (Option(Int), None, None),
        (Option(Int), 3, 3),
        (Dict(Text, Real), {"a": 1}, {"a": 1.0}),
        (Grid, [[1, 2], [3, 4]], ((1, 2), (3, 4))),
        (List(List(Int)), [[1, 2], [3]], ((1, 2), (3,))),
        (List(Int), np.array([1, 2]), (1, 2)),
    ],
)
def test_arguments_are_taken_as_programs_take_them(kind, value, taken):
    assert ExamplesCodec(("x",), (kind,), Int).arguments([value]) == (taken,)


def test_inputs_of_every_form_become_the_same_columns(write):
    path = write({"test": [{"inputs": ["c", 2]}, {"inputs": ["d", 3]}]})
    expected = {"first_name": ["c", "d"], "n": [2, 3]}
    forms = (path, ADD.read(path), [("c", 2), ("d", 3)], expected)
    for form in forms:
        columns = ADD.encode(form)
        assert {name: column.tolist() for name, column in columns.items()} == expected
        assert ADD.rows(columns) == [("c", 2), ("d", 3)]
    one = ExamplesCodec(("xs",), (List(Int),), Int)
    assert one.encode([[1, 2], [3]])["xs"].tolist() == [(1, 2), (3,)]


def test_types_follow_the_number_of_arguments():
    assert ExamplesCodec(("x",), (Int,), Text).input_type == Int
    assert str(ADD.input_type) == "Record{first_name: Text, n: Int}"
    assert (ADD.output_type, ADD.target_type, ADD.targets, TABLE.targets) == (
        Text,
        Text,
        ("output",),
        ("Out",),
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def test_every_row_of_a_table_is_an_input_and_the_filled_ones_can_be_compared(write):
    path = write("Out,n,First Name\nx,1,007\n,2,b\ny,3,c\n", "x.csv")
    assert TABLE.read(path).unlabelled == (("007", 1), ("b", 2), ("c", 3))
    found = TABLE.read_labelled(path)
    assert (found.inputs, found.outputs) == ((("007", 1), ("c", 3)), ("x", "y"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n,First Name\n1,a\n", "The column 'Out' is missing"),
        ("Out,n\nx,1\ny,2\n", "The column 'First Name' is missing"),
        ("Out,n,First Name\n ,1,a\n ,2,b\n", "No row of the column 'Out' is filled"),
        ("Out,n,First Name\nx,one,a\ny,2,b\n", "A cell is to hold Int, received 'one'"),
    ],
)
def test_a_table_that_does_not_fit_the_program_is_refused(write, text, said):
    refused(lambda: TABLE.read_labelled(write(text, "x.csv")), said)


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("007", Text, "007"),
        ("1,234.5", Real, 1234.5),
        ("", Real, math.nan),
        ("NA", Real, math.nan),
        ("7", Int, 7),
        ("7.0", Int, 7),
        ("true", Bool, True),
        ("[1, 2]", List(Int), (1, 2)),
        ("[1, 2.5]", List(Real), (1.0, 2.5)),
        ("null", Option(Int), None),
        ('{"a": 1}', Dict(Text, Int), {"a": 1}),
        ("[[1, 0], [2, 3]]", Grid, ((1, 0), (2, 3))),
    ],
)
def test_a_cell_is_read_as_the_type_that_is_wanted(cell, kind, value):
    found = cell_value(cell, kind, "here")
    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("7.5", Int),
        ("x", Int),
        ("[1, 2", List(Int)),
        ("[[1], [2, 3]]", Grid),
        ("[[10]]", Grid),
        ("[1]", Grid),
    ],
)
def test_a_cell_of_another_type_is_refused_with_its_place(cell, kind):
    refused(lambda: cell_value(cell, kind, "n, row 3"), f"hold {kind}, received {cell!r}", "n, row 3")


def test_a_formula_refuses_words_but_knows_those_for_missing():
    assert math.isnan(number_of(" ? ")) and number_of(" -2e3 ") == -2000
    refused(lambda: number_of("many"), "A formula needs numbers, received 'many'", "--from")


def test_a_table_in_parquet_is_read_as_text_too(tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2], "b": ["x", None], "out": ["p", None]}), path)
    found = table_examples(path, "out")
    assert (found.inputs, found.outputs, found.unlabelled) == ((("1", "x"),), ("p",), (("2", ""),))


@pytest.mark.parametrize(
    ("text", "inputs", "unlabelled"),
    [
        ("x,y\n1,3\n2,5\n3,7\n4,\n,\n", (("1",), ("2",), ("3",)), (("4",), ("",))),
        ("x,y\n1.50,3\n   \n2.00,\n\n", (("1.50",),), (("2.00",),)),
        ("x,y\n1.50,3\n1,2,3\n2.00,\n", (("1.50",),), (("2.00",),)),
    ],
    ids=["delimiters only", "spaces only", "a bad line"],
)
def test_odd_lines_of_a_table_leave_its_other_cells_as_they_were_written(write, text, inputs, unlabelled):
    found = table_examples(write(text, "x.csv"), "y", ["x"], skip_bad_lines=True)
    assert (found.inputs, found.unlabelled) == (inputs, unlabelled)
    assert set(found.outputs) <= {"3", "5", "7"}


def test_typed_cells_are_written_plainly_and_missing_ones_wait_to_be_filled(tmp_path, write):
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    moment = datetime.datetime(2024, 1, 5, 7, 30)
    columns = {
        "n": [1, None],
        "r": [2.5, 3.0],
        "day": [moment.date(), None],
        "at": [moment, None],
        "out": [1.0, None],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    found = table_examples(tmp_path / "x.parquet", "out")
    assert (found.inputs, found.outputs) == ((("1", "2.5", "2024-01-05", "2024-01-05T07:30:00"),), ("1",))
    assert found.unlabelled == (("", "3", "", ""),)
    found = table_examples(write('{"x": 1, "out": 2.5}\n{"x": 2}\n', "x.jsonl"), "out")
    assert (found.inputs, found.outputs, found.unlabelled) == ((("1",),), ("2.5",), (("2",),))


def test_rows_with_blank_lines_between_them_and_delimiters_in_quotes_stay_as_written(tmp_path):
    path = tmp_path / "x.csv"
    write_table(path, ["a", "out"], [["1,5", " 02", "x"], ["p", "", "q"]])
    found = table_examples(path, "out")
    assert (found.inputs, found.unlabelled) == ((("1,5",), ("x",)), ((" 02",),))


# -- pairs from Python -------------------------------------------------------------------------------------------------


def test_an_answer_to_a_question_becomes_an_example():
    asked = examples_from([(1, 2.5)], test=[2, 3])
    told = with_rows(asked, (2,), 4)
    assert (told.inputs, told.outputs, told.unlabelled) == (((1,), (2,)), (2.5, 4.0), ((3,),))
    assert asked.outputs == (2.5,)


def test_outputs_of_the_test_are_known_only_when_all_are_given():
    pair = {"input": 1, "output": 2}
    assert examples_from([pair], test=[{"input": 3, "output": 4}]).known == (4,)
    assert examples_from([pair], test=[{"input": 3, "output": 4}, {"input": 5}]).known == ()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (
            [{"inputs": {"a": 1}, "output": 2}, {"inputs": {"b": 1}, "output": 2}],
            "names the arguments a, another",
        ),
        ([{"inputs": {"a": 1}, "output": 2}, {"inputs": [1], "output": 2}], "names the arguments a, another"),
        ([{"inputs": 5, "output": 2}], '"inputs" is a list of arguments'),
        ([{"inputs": [], "output": 2}], '"inputs" is a list of arguments'),
        ([({1, 2}, 3)], "received set"),
    ],
)
def test_pairs_that_cannot_be_used_say_why(pairs, said):
    refused(lambda: examples_from(pairs), said)


def test_only_files_of_pairs_are_examples_whatever_else_json_holds(write):
    assert is_examples(write({"train": [{"inputs": [1], "output": 2}]}))
    for told in (5, "text", {"train": 5}, {"train": [5]}, {"train": [{"input": 1}]}, []):
        assert not is_examples(write(told))


def test_a_file_of_examples_has_a_largest_size(write, monkeypatch):
    monkeypatch.setattr("perennial.modalities.examples.reading.LARGEST_JSON", 20)
    path = write([{"input": 1, "output": 2}])
    assert not is_examples(path)
    refused(lambda: read_examples(path), "at most 20 bytes")


# -- values and names --------------------------------------------------------------------------------------------------


@DOZENS
@given(NESTED)
def test_the_type_of_nested_lists_tells_their_depth_and_fits_them(value):
    try:
        kind = type_of(value)
    except TypeMismatch:
        return
    depth, inner = 0, value
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]
    assert str(kind) == "List[" * depth + "Int" + "]" * depth
    assert json.loads(json.dumps(fitted(value, kind))) == value


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Int, Real, Real),
        (Option(Int), Real, Option(Real)),
        (List(Int), List(Real), List(Real)),
        (Dict(Text, Int), Dict(Text, Option(Int)), Dict(Text, Option(Int))),
        (List(Option(Int)), List(Int), List(Option(Int))),
    ],
)
def test_the_type_of_both_does_not_depend_on_their_order(one, other, both):
    assert joined_types(one, other) == joined_types(other, one) == both


@pytest.mark.parametrize(
    ("one", "other"), [(Int, Text), (List(Int), Int), (Bool, Int), (List(Int), List(Text))]
)
def test_types_that_nothing_joins_are_a_mismatch(one, other):
    with pytest.raises(TypeMismatch):
        joined_types(one, other)


def test_what_is_never_seen_is_a_whole_number():
    kind = type_of([[], []])
    assert isinstance(kind.element.element, TypeVar) and closed(kind) == List(List(Int))


@pytest.mark.parametrize(
    ("value", "grid"),
    [([[0, 9]], True), (((1,), (2,)), True), ([[1], [2, 3]], False), ([[10]], False), ([[True]], False), ([[]], False),
     ([], False), ([1], False), ("ab", False), ([[1.0]], False)],
)  # fmt: skip
def test_a_grid_is_a_rectangle_of_colours(value, grid):
    assert is_grid(value) == grid


def test_values_over_their_bounds_are_refused_at_their_place():
    check_size([[1, 2], "abc"], "here", allowed=7)
    refused(lambda: check_size([[1, 2], "abcd"], "here", allowed=6), "more than 6 parts", "here")
    deep = []
    for _ in range(45):
        deep = [deep]
    refused(lambda: check_size(deep, "there"), "more than 40 deep", "there")


def test_hashes_follow_the_content_alone():
    rows = [(1, (2, 3)), (1, [2, 3]), (1, (2, 4))]
    first, second, third = example_hashes(rows).tolist()
    assert first == second != third
    assert len(example_hashes([])) == 0


def test_long_values_are_cut_where_they_are_shown():
    assert len(shown("x" * 200)) == 60 and shown("x" * 200).endswith("…")
    assert shown([1, 2]) == "[1, 2]"


@DOZENS
@given(st.lists(st.text(min_size=1, max_size=5), min_size=1))
def test_names_of_arguments_are_different_names_that_python_takes(columns):
    names = unique_names(map(argument_name, columns))
    assert len(set(names)) == len(columns)
    assert all(name.isidentifier() and name.isascii() for name in names)


def test_arguments_beyond_the_alphabet_are_numbered():
    names = argument_names([Int] * 28)
    assert (names[0], names[25], names[26], names[27]) == ("a", "z", "a26", "a27")
    assert argument_names([Grid]) == ("grid",) and argument_names([Int]) == ("x",)
