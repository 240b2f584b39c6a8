"""Results of a long bench stay: computed once, read back later, never under another key."""

import pytest

from perennial import bench
from perennial.bench.kept import Kept
from perennial.errors import DamagedFile, UsageError


def test_a_result_is_computed_once_and_read_back_from_the_file(tmp_path):
    path, calls = tmp_path / "kept.jsonl", []

    def compute():
        calls.append(1)
        return [{"value": 0.5, "error": None}]

    for _ in range(3):
        assert Kept(path).of({"set": "iris", "seed": 0}, compute) == [{"value": 0.5, "error": None}]
    assert len(calls) == 1
    assert Kept(path).of({"seed": 1, "set": "iris"}, lambda: "other") == "other"
    assert len(path.read_text().splitlines()) == 2


def test_the_order_of_a_key_does_not_matter(tmp_path):
    kept = Kept(tmp_path / "kept.jsonl")
    kept.of({"a": 1, "b": 2}, lambda: "first")
    assert kept.of({"b": 2, "a": 1}, lambda: "second") == "first"


def test_another_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text('{"key": {"a": 1}, "result": 1}\nhello\n')
    with pytest.raises(DamagedFile, match="line 2"):
        Kept(path)


def test_a_short_bench_keeps_nothing(tmp_path):
    with pytest.raises(UsageError, match="short"):
        bench.run("steps", keep=str(tmp_path / "kept.jsonl"))
