"""The text suite of the bench: what it reads, and that it runs on files that it has never seen."""

import json
import zipfile

import pytest

from perennial.bench import strings
from perennial.bench.kept import Kept
from perennial.bench.programs import half
from perennial.errors import UsageError

SYGUS = '''
(set-logic SLIA) ; a comment with "quotes"
(synth-fun f ((name String) (n Int)) String ((Start String (name " " (str.++ Start Start)))))
(declare-var name String)
(constraint (= (f "say ""hi""" 1) "hi"))
(constraint (= (f "a b" (- 2)) "b"))
(check-synth)
'''


def test_a_sygus_file_is_read():
    (task,) = strings.from_sygus(SYGUS, "hello")
    assert task.types == ("String", "Int") and task.output == "String"
    assert task.rows == ((('say "hi"', 1), "hi"), (("a b", -2), "b"))


@pytest.mark.parametrize(
    "comment", ['; (constraint (= (f "old") "wrong"))', "; an open ( bracket", ';; a lone " quote', ";)"]
)
def test_what_is_commented_out_of_a_sygus_file_is_not_read(comment):
    source = f'{comment}\n(constraint (= (f "a; b") "b"));{comment}\n(constraint (= (f "c") "d"))'
    (task,) = strings.from_sygus(source, "x")
    assert task.rows == ((("a; b",), "b"), (("c",), "d"))


def test_tasks_of_lists_and_grids_are_left_to_others():
    assert not list(strings.from_json({"train": [{"input": [1], "output": [1]}]}, "x"))
    assert not list(strings.from_json({"a": {"examples": [{"inputs": [1], "output": 2}]}}, "x"))
    assert not list(strings.from_json([1, 2], "x"))


def test_variants_of_a_task_fall_into_one_half():
    names = ["set/phone", "set/phone-long", "set/phone_short", "set/phone-long-repeat", "set/phone_small"]
    assert len({half(strings.family(name)) for name in names}) == 1
    assert strings.family("phone-10-long") == "phone-10"


def test_the_suite_runs_on_a_folder_of_unseen_tasks(tmp_path):
    words = [f"{n}x word{n}" for n in range(8)]
    seen = {"train": [{"input": w, "output": w.split()[1]} for w in words[:4]],
            "test": [{"input": w, "output": w.split()[1]} for w in words[4:]]}  # fmt: skip
    (tmp_path / "one.json").write_text(json.dumps(seen))
    many = {"two": {"examples": [{"inputs": [w, "!"], "output": w.upper() + "!"} for w in words]}}
    (tmp_path / "tasks.json").write_text(json.dumps(many))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("three.sl", '(constraint (= (f "ab") "b")) (constraint (= (f "cd") "d"))')
    (tmp_path / "noise.json").write_text("{")
    figures = strings.run(data=str(tmp_path), seconds=5.0, seeds=1, only=(), kept=Kept(None))
    rows = {row["task"]: row for row in figures["rows"]}
    assert set(rows) == {"one", "two", "three", "throughput"}
    assert all(rows[name]["solved"] for name in ("one", "two", "three"))
    assert rows["one"]["held_back"] == 1.0 and rows["one"]["held_back_rows"] == 4
    assert rows["two"]["held_back"] == 1.0 and rows["three"]["held_back"] is None
    assert figures["bars"][0]["value"] == 1.0
    assert {"parts_per_second", "values_per_second"} <= set(rows["throughput"])


def test_a_folder_without_tasks_is_refused(tmp_path):
    with pytest.raises(UsageError):
        strings.run(data=str(tmp_path), seconds=1.0, seeds=1, only=(), kept=Kept(None))
    with pytest.raises(UsageError):
        strings.run(data=None, seconds=1.0, seeds=1, only=(), kept=Kept(None))
