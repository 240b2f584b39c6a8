"""The bench of programs from examples: it reads task files it has never seen, and counts what is right."""

import json

import pytest

from perennial import bench
from perennial.bench import lists, programs
from perennial.errors import UsageError
from perennial.lang import Bool, Int, List


@pytest.fixture
def folder(tmp_path):
    pairs = [{"i": [1, 2, 3], "o": 6}, {"i": [4], "o": 4}, {"i": [], "o": 0}]
    (tmp_path / "sums.json").write_text(json.dumps([{"name": "sum", "examples": pairs}]))
    rows = [{"input": [3, 1], "output": [1, 3]}, {"input": [9, 8, 7], "output": [7, 8, 9]}]
    hidden = [{"input": [4, 5, 0, 2], "output": [2, 0, 5, 4]}, {"input": [5], "output": [5]}]
    (tmp_path / "many.json").write_text(json.dumps({"turn": {"train": rows, "test": hidden}}))
    (tmp_path / "single.json").write_text(json.dumps({"train": rows, "test": [{"input": [1]}]}))
    (tmp_path / "words.json").write_text(
        json.dumps({"t": {"train": [{"input": "a", "output": "b"}], "test": []}})
    )
    (tmp_path / "broken.json").write_text("{")
    return tmp_path


def test_tasks_over_lists_are_read_and_others_left_out(folder):
    found = {task.name: task for task in lists.tasks_of(folder)}
    assert set(found) == {"sum", "turn", "single"}
    assert found["sum"].input_type == List(Int) and found["sum"].output_type == Int
    assert len(found["turn"].test) == 2 and found["single"].test == ()


def test_types_are_told_by_all_values():
    assert lists._type_of([(), (1, 2)]) == List(Int) and lists._type_of([True, False]) == Bool
    assert lists._type_of([True, 2]) is None and lists._type_of([(1, "a")]) is None


def test_lists_without_an_item_are_of_numbers_and_a_task_without_examples_is_left_out(tmp_path):
    assert lists._type_of([()]) == lists._type_of([(), ()]) == List(Int)
    empty = {"name": "empty", "examples": [{"i": [], "o": []}, {"i": [], "o": []}]}
    (tmp_path / "x.json").write_text(json.dumps([{"name": "none", "examples": []}, empty]))
    (task,) = lists.tasks_of(tmp_path)
    assert task.name == "empty" and task.input_type == task.output_type == List(Int)


def test_a_task_counts_when_its_test_pairs_come_out(folder):
    tasks = {task.name: task for task in lists.tasks_of(folder)}
    rows = {name: lists.solved(tasks[name], 8.0) for name in ("sum", "turn")}
    assert rows["sum"]["solved"] and rows["sum"]["exact"] is None
    assert rows["turn"]["exact"] == rows["turn"]["solved"]
    names = {entry["name"]: entry for entry in lists._bars(list(rows.values()), 8.0)}
    assert (
        "sums: solved in 8 s each (1 tasks)" in names
        and "many: exact on held-back pairs, 8 s each (1 tasks)" in names
    )


def test_throughput_is_measured():
    speeds = lists.throughput(0.5)
    assert speeds["lists_per_second"] > 1e4 and speeds["scalars_per_second"] > 1e4


def test_a_suite_that_does_not_exist_is_refused(folder):
    with pytest.raises(UsageError, match="No suite called"):
        bench.run("programs", suite="sums")
    with pytest.raises(UsageError, match="has no suites"):
        bench.run("overhead", suite="lists")
    with pytest.raises(UsageError, match="needs a folder"):
        bench.run("programs", suite="lists")


def test_halves_depend_on_names_only():
    names = [f"task {number}" for number in range(400)]
    share = sum(programs.half(name) == "first" for name in names) / len(names)
    assert 0.4 < share < 0.6
