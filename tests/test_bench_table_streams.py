"""The bench of tables one after another: what its tasks are, what is compared, and what is claimed."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from perennial import bench
from perennial.bench import table_streams as streams
from perennial.bench.kept import Kept
from perennial.errors import UsageError

STREAM = [
    ["one", 0.5, ""], ["two", 0.3, ""], ["one", 0.2, "other units"], ["two", 0.2, "turned target"], ["one", 0.2, "other order"],
]  # fmt: skip


def table(folder, name, problem="binary classification", rows=200):
    generator = np.random.default_rng(len(name))
    place = folder / name
    place.mkdir()
    lines = ["size,colour,key,kind"]
    for number in range(rows):
        size, colour = generator.normal(), generator.choice(["red", "blue"])
        yes = size + (colour == "red") + 0.3 * generator.normal() > 0.5
        kind = f"{size:.3f}" if problem == "regression" else ("no", "yes")[int(yes)]
        lines.append(f"{'' if number % 17 == 0 else f'{size:.4f}'},{colour},{number},{kind}")
    (place / "data.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (place / "task.json").write_text(json.dumps({"target": "kind", "problem": problem}))
    return place


@pytest.fixture
def folders(tmp_path):
    return {"one": table(tmp_path, "alpha"), "two": table(tmp_path, "beta", "regression")}


def test_the_frozen_list_counts_half_of_its_tasks_and_knows_every_table():
    told = streams.lists()
    assert len(told["tasks"]) >= 2 * told["before"]
    assert {slot for slot, *_ in told["tasks"]} == set(told["tables"])
    for slot in told["tables"]:
        assert sum(share for each, share, _ in told["tasks"] if each == slot) <= 1.0
    changes = {change for *_, change in told["tasks"][told["before"] :]}
    assert changes == {"", "other units", "other order", "turned target"}
    seen = {slot for slot, *_ in told["tasks"][: told["before"]]}
    assert {slot for slot, *_ in told["tasks"][told["before"] :]} - seen, "some are like nothing before"


def test_no_row_is_learnt_from_twice_and_none_that_is_tested_on(folders):
    steps = streams.steps_of(STREAM, folders, 0)
    assert [len(step.train) for step in steps] == [75, 45, 30, 30, 30]
    for name in ("alpha", "beta"):
        own = [step for step in steps if step.name == name]
        keys = [_keys(step, step.train) for step in own]
        assert len(set().union(*keys)) == sum(map(len, keys))
        tested = {frozenset(_keys(step, step.test)) for step in own}
        assert len(tested) == 1 and not next(iter(tested)) & set().union(*keys)
    again, other = streams.steps_of(STREAM, folders, 0), streams.steps_of(STREAM, folders, 1)
    assert [step.train for step in again] == [step.train for step in steps]
    assert [step.train for step in other] != [step.train for step in steps]


def _keys(step, rows):
    place = step.header.index("key")
    return {round((float(row[place]) - 32.0) / 1.8 if step.change == "other units" else float(row[place])) for row in rows}  # fmt: skip


def test_what_is_done_to_a_table(folders):
    _, numbers, units, turned, order = streams.steps_of(STREAM, folders, 0)
    assert order.header == ["kind", "key", "colour", "size"] and all(len(row) == 4 for row in order.train)
    assert {row[0] for row in order.train} == {"no", "yes"}
    assert units.header == ["size", "colour", "key", "kind"] and {row[1] for row in units.train} == {"red", "blue"}  # fmt: skip
    assert any(row[0] == "" for row in units.test), "what is missing stays missing"
    pairs = np.array([[float(row[0]), float(row[3])] for row in turned.test if row[0]])
    plain = np.array([[float(row[0]), float(row[3])] for row in numbers.test if row[0]])
    assert np.corrcoef(plain.T)[0, 1] > 0.99 and np.corrcoef(pairs.T)[0, 1] < -0.99


def test_classes_are_turned_to_the_next_one(folders):
    [plain], [turned] = (streams.steps_of([["one", 0.5, change]], folders, 0) for change in ("", "turned target"))  # fmt: skip
    swapped = {"no": "yes", "yes": "no"}
    assert [row[3] for row in turned.train] == [swapped[row[3]] for row in plain.train]


def test_tables_that_are_not_there_are_replaced(tmp_path, folders):
    names = {"a": "beta", "b": "gone"}
    assert {slot: path.name for slot, path in streams.chosen_tables(names, tmp_path).items()} == {
        "a": "beta",
        "b": "alpha",
    }
    with pytest.raises(UsageError, match="needs 3 tables with one target, found 2"):
        streams.chosen_tables({**names, "c": "also gone"}, tmp_path)


def test_the_library_is_compared_with_nothing_on_the_same_rows(folders, tmp_path, monkeypatch):
    calls = []

    def grow(step, train, test, library, seconds, seed):
        calls.append((train, library))
        good = np.where(np.arange(50) % (5 if library is None else 50) == 0, 0.4, 0.9)
        yes = np.array([row[3] == "yes" for row in step.test])
        first = np.where(yes, good, 1 - good)
        curve = [[2.0, 0.5], [8.0, 0.8]] if library is None else [[1.0, 0.4], [2.0, 0.85]]
        return {
            "metric": "roc_auc", "curve": curve, "prediction": np.stack([1 - first, first], axis=1),
            "reused": 1, "suggested": 2, "wall": 9.0,
        }  # fmt: skip

    monkeypatch.setattr(streams, "_grown", grow)
    rows = streams._one([["one", 0.5, ""], ["one", 0.3, "other order"]], folders, 0, 10.0)
    assert [library is None for _, library in calls] == [True, False] * 2 and len({train for train, _ in calls}) == 2  # fmt: skip
    assert [row["share"] for row in rows] == [0.25, 0.25] and rows[0]["cold after"] == 8.0
    assert rows[0]["warm"] > rows[0]["cold"] and rows[0]["ahead"][0] == pytest.approx(rows[0]["warm"] - rows[0]["cold"])  # fmt: skip


def test_only_later_tasks_count_and_what_is_never_reached_counts_as_never():
    def row(task, share, low_high):
        return {"task": task, "share": share, "ahead": [0.0, *low_high]}

    rows = [row(1, 9.0, (-2, -1)), row(11, 0.2, (-1, 1)), row(12, None, (-2, -1)), row(13, 0.3, (-1, 1))]
    bars = {entry["name"]: entry for entry in streams.bars(rows, 10)}
    reached, harmed = bars.values()
    assert reached["value"] == 0.3 and reached["ok"] and harmed["value"] == pytest.approx(1 / 3)
    never, _ = streams.bars(rows[2:3], 10)
    assert never["value"] is None and not never["ok"]


def test_of_several_seeds_a_task_is_harmed_when_their_mean_is_below_zero_by_more_than_they_vary():
    def rows(*differences):
        return [{"task": 11, "share": 0.2, "ahead": [each, each - 1e-6, each + 1e-6]} for each in differences]

    for differences in [(-0.02, 0.01, -0.01), (-0.011, -0.009, -0.01), (-0.01, -0.02), (0.01, 0.02, 0.015)]:
        _, harmed = streams.bars(rows(*differences), 10)
        wanted = stats.ttest_1samp(differences, 0.0).confidence_interval(0.95).high < 0.0
        assert harmed["value"] == float(wanted) and harmed["name"].endswith("(1)")
    assert streams.bars(rows(-0.011, -0.009, -0.01), 10)[1]["value"] == 1.0
    assert streams.bars(rows(-0.01), 10)[1]["value"] == 1.0


def test_a_stream_of_two_real_growths(folders, tmp_path):
    [step] = streams.steps_of([["one", 0.5, ""]], folders, 0)
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    streams.write_rows(train, step.header, step.train)
    streams.write_rows(test, step.header, step.test)
    told = streams._compared(step, train, test, tmp_path / "library", 4.0, 0)
    assert told["metric"] == "roc_auc" and 0.4 < told["cold"] <= 1.0 and 0.4 < told["warm"] <= 1.0
    assert told["ahead"][1] <= told["ahead"][0] <= told["ahead"][2]
    assert told["suggested"] == 0 and (tmp_path / "library").is_dir(), "an empty library suggests nothing"


def test_it_says_what_it_needs(tmp_path):
    arguments = {"seconds": 1.0, "seeds": 1, "kept": Kept(None)}
    with pytest.raises(UsageError, match="needs a folder"):
        streams.run(data=None, only=(), **arguments)
    with pytest.raises(UsageError, match="no parts"):
        streams.run(data=str(tmp_path), only=("one",), **arguments)


def test_suites_of_a_bench_come_together(monkeypatch):
    part = {"bars": [bench.bar("a", 1.0, 2.0, "minimize")], "rows": [{"x": 1}], "protocol": "p"}
    asked = []

    def module(name):
        return SimpleNamespace(run=lambda **settings: asked.append((name, settings["seeds"])) or part)

    monkeypatch.setattr(bench, "import_module", module)
    figures = bench.run("streams", seeds=2)
    assert asked == [("perennial.bench.image_streams", 2), ("perennial.bench.table_streams", 2)]
    assert figures["rows"] == [{"suite": "images", "x": 1}, {"suite": "tables", "x": 1}] and len(figures["bars"]) == 2  # fmt: skip
    assert bench.run("streams", suite="tables")["rows"] == [{"suite": "tables", "x": 1}]
