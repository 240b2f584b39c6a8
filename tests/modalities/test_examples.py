"""Examples: what is read from JSON, tables and Python, their types, and the codec of a program."""

import json

import numpy as np
import pytest

from perennial.errors import DataError, UnreadableData
from perennial.lang import Bool, Dict, Grid, Int, List, Option, Real, Text
from perennial.modalities import codec_from_json
from perennial.modalities.examples import (
    ExamplesCodec,
    examples_from,
    is_examples,
    joined_types,
    plain,
    read_examples,
    table_examples,
    type_of,
)
from perennial.modalities.examples.reading import argument_name, unique_names
from perennial.task import Task


def written(folder, told, name="examples.json"):
    path = folder / name
    path.write_text(json.dumps(told) if not isinstance(told, str) else told, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, Int), (True, Bool), (1.5, Real), ("a", Text), ([1, 2.5], List(Real)), ([[1], []], List(List(Int))),
        ({"a": [1]}, Dict(Text, List(Int))), ([1, None], List(Option(Int))), (np.int64(3), Int),
    ],
)  # fmt: skip
def test_the_type_of_a_value_is_seen_from_all_its_parts(value, kind):
    assert type_of(value) == kind


def test_types_of_all_examples_are_unified():
    examples = examples_from([([], 1), ([1.5], 2), ([2], 3)])
    assert examples.types == (List(Real),) and examples.output_type == Int
    assert examples.inputs == (((),), ((1.5,),), ((2.0,),))
    assert joined_types(Option(Int), Real) == Option(Real)


def test_pairs_of_grids_are_grids_and_other_nested_lists_are_not(tmp_path):
    arc = {
        "train": [{"input": [[0, 1], [2, 3]], "output": [[1]]}],
        "test": [{"input": [[5]], "output": [[1]]}],
    }
    found = read_examples(written(tmp_path, arc))
    assert found.types == (Grid,) and found.output_type == Grid
    assert found.unlabelled == ((((5,),),),) and found.known == (((1,),),)
    assert examples_from([([[1, 2], [3, 4]], 10)]).types == (List(List(Int)),)
    assert examples_from([([[1, 2], [3]], [[3]])]).types == (List(List(Int)),)


def test_several_arguments_come_as_a_list_a_mapping_or_a_tuple(tmp_path):
    told = {"train": [{"inputs": ["a", 1], "output": "b"}], "test": [{"inputs": ["c", 2]}]}
    found = read_examples(written(tmp_path, told))
    assert found.types == (Text, Int) and found.names == ("a", "b") and found.unlabelled == (("c", 2),)
    told = [
        {"inputs": {"First Name": "a", "n": 1}, "output": "b"},
        {"inputs": {"n": 2, "First Name": "c"}, "output": "d"},
    ]
    found = read_examples(written(tmp_path, told))
    assert found.names == ("first_name", "n") and found.inputs == (("a", 1), ("c", 2))
    assert examples_from([(("a", 1), "b")]).inputs == (("a", 1),)


def test_only_files_of_pairs_are_examples(tmp_path):
    assert is_examples(written(tmp_path, [{"input": 1, "output": 2}]))
    assert not is_examples(written(tmp_path, [{"a": 1, "b": 2}], "table.json"))
    assert not is_examples(written(tmp_path, "{", "broken.json"))
    assert not is_examples(tmp_path / "absent.json")
    task = Task.from_data(written(tmp_path, [{"input": 1, "output": 2}]))
    assert task.modality == "examples" and task.input_type == Int


def test_rows_with_an_empty_target_wait_to_be_filled_as_they_were_written(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('Code,Price,Day,Out\n007,1.50,2026-01-02,a\n08,"2,3",2026-01-03,\n', encoding="utf-8")
    found = table_examples(path, "Out", ["Price", "Day", "Code"])
    assert found.names == ("price", "day", "code")
    assert found.inputs == (("1.50", "2026-01-02", "007"),)
    assert found.unlabelled == (("2,3", "2026-01-03", "08"),)
    assert found.table == ("Price", "Day", "Code", "Out")


def test_a_table_for_a_formula_is_read_as_numbers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y\n1,2\n3,6\n", encoding="utf-8")
    found = table_examples(path, "y", numbers=True)
    assert found.types == (Real,) and found.inputs == ((1.0,), (3.0,)) and found.outputs == (2.0, 6.0)


@pytest.mark.parametrize("target, sources", [("Nope", []), ("Out", ["Nope"]), ("Out", ["Out"])])
def test_columns_that_cannot_be_filled_are_refused(tmp_path, target, sources):
    path = tmp_path / "table.csv"
    path.write_text("a,Out\n1,2\n3,4\n", encoding="utf-8")
    with pytest.raises(DataError):
        table_examples(path, target, sources)


def test_names_of_columns_become_names_of_arguments():
    assert unique_names(map(argument_name, ["A b", "a-B", "if", "length", "9"])) == (
        "a_b", "a_b_2", "if_cell", "length_cell", "c_9",
    )  # fmt: skip


def test_the_codec_is_built_again_from_json_and_checks_what_it_gets():
    codec = ExamplesCodec(("xs", "n"), (List(Int), Real), List(Text), ("xs", "n", "out"))
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec
    assert codec.arguments(([1, 2], 3)) == ((1, 2), 3.0)
    assert codec.arguments(([], 3)) == ((), 3.0)
    for row in (([1],), (["a"], 1.0), ([1], "x")):
        with pytest.raises(DataError):
            codec.arguments(row)
    columns = codec.encode([([1], 2.0), ([], 1.0)])
    assert codec.rows(columns) == [((1,), 2.0), ((), 1.0)]
    assert plain(((1, (2,)), {"a": (3,)})) == [[1, [2]], {"a": [3]}]


def test_the_fingerprint_of_examples_is_that_of_their_content():
    one, same, other = (Task.from_examples(pairs) for pairs in ([("a", "b")], [("a", "b")], [("a", "c")]))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_broken_json_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(UnreadableData, match="no JSON"):
        read_examples(written(tmp_path, '{"train": [', "x.json"))
    with pytest.raises(UnreadableData, match="NaN"):
        read_examples(written(tmp_path, '[{"input": NaN, "output": 1}]', "y.json"))
