"""Benches: their bars, their statistics, and one small run of each."""

import gzip
import json

import numpy as np
import pytest

from perennial import bench
from perennial.bench import rivals, tables
from perennial.errors import UsageError
from perennial.task import Task


def row(table, method, score, ahead=None, seed=0, seconds=50.0):
    return {"table": table, "method": method, "metric": "roc_auc", "seed": seed, "seconds": seconds, "value": score,
            "score": score, "ahead": ahead}  # fmt: skip


def test_ranks_share_ties_and_a_failure_is_last():
    rows = [row("a", "perennial", 0.9), row("a", "x", 0.9), row("a", "y", None)]
    assert tables._ranks(tables._means(rows)) == {"perennial": 1.5, "x": 1.5, "y": 3.0}


def test_a_rival_is_ahead_when_its_paired_difference_says_so():
    rows = [
        row("a", "perennial", 0.8),
        row("a", "x", 0.9, ahead=(-0.1, -0.15, -0.05)),
        row("a", "y", 0.81, ahead=(-0.01, -0.05, 0.03)),
    ]
    assert tables._significantly_behind(rows, "a", "x") and not tables._significantly_behind(rows, "a", "y")
    assert tables._errors_behind(rows, "a", "x") == pytest.approx(2 * 1.959963984540054)
    assert tables._errors_behind(rows, "a", "y") < 1


def test_bars_hold_or_fail_by_their_goals():
    rows = [row("a", "perennial", 0.8, seconds=67.0), row("a", "lightgbm", 0.7, ahead=(0.1, 0.05, 0.15))]
    held = {bar["name"]: bar["ok"] for bar in tables._bars(rows, 60.0)}
    assert held.pop("longest wall time of grow, seconds") is False and all(held.values())


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression", "multilabel"])
@pytest.mark.parametrize("name", ["lightgbm", "hist_gradient_boosting", "random_forest", "linear"])
@pytest.mark.filterwarnings("ignore")
def test_every_rival_answers_in_the_shape_that_the_metrics_take(name, problem):
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(90, 2))
    target = {
        "binary": np.where(numbers[:, 0] > 0, "yes", "no"),
        "multiclass": np.array(["a", "b", "c"])[np.digitize(numbers[:, 0], [-0.5, 0.5])],
        "regression": numbers[:, 0] * 2,
        "multilabel": (numbers > 0).astype(int),
    }[problem]
    columns = {"n": numbers[:, 0], "m": [None, *numbers[1:, 1]], "c": ["red", "blue", None] * 30}
    names = ["y"] if target.ndim == 1 else ["y0", "y1"]
    columns |= dict(zip(names, [target] if target.ndim == 1 else target.T, strict=True))
    parts = [
        {name: list(column)[start:stop] for name, column in columns.items()}
        for start, stop in ((0, 60), (60, 90))
    ]
    task = Task.from_data(parts[0], names if len(names) > 1 else "y", test=parts[1], problem=problem)
    prediction = rivals.RIVALS[name](task, "accuracy", 1.0, 0)
    width = {"binary": (2,), "multiclass": (3,), "regression": (), "multilabel": (2,)}[problem]
    assert prediction.shape == (30, *width) and np.isfinite(prediction).all()


def test_a_bench_of_tables_runs_from_a_folder_to_bars(command, tmp_path):
    folder = tmp_path / "data" / "line"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(json.dumps({"target": "y", "problem": "regression"}))
    generator = np.random.default_rng(0)
    rows = [
        f"{x:.4f},{z:.4f},{3 * x + z + e:.4f}" for x, z, e in generator.normal(size=(120, 3)) * (1, 1, 0.1)
    ]
    (folder / "data.csv.gz").write_bytes(gzip.compress(("x,z,y\n" + "\n".join(rows)).encode()))
    done = command(
        "bench", "tables", "--data", tmp_path / "data", "--time", "6", "--seeds", "1", "--json", cwd=tmp_path
    )
    told = json.loads(done.stdout)
    assert told["bench"] == "tables" and {bar["name"] for bar in told["bars"]} >= {
        "longest wall time of grow, seconds"
    }
    assert done.returncode == (0 if all(bar["ok"] for bar in told["bars"]) else 1)
    [line, ranks] = told["rows"]
    assert (
        line["table"] == "line"
        and line["linear"] < 0.3
        and line["perennial"] > 0
        and ranks["table"] == "mean rank"
    )


def test_a_bench_that_does_not_exist_or_has_no_data_is_refused(tmp_path):
    with pytest.raises(UsageError, match="tables"):
        bench.run("speed")
    with pytest.raises(UsageError, match="--data"):
        bench.run("tables")
    with pytest.raises(UsageError, match="No tables"):
        bench.run("tables", data=str(tmp_path))


def _small_split(folder):
    numbers = np.random.default_rng(0).normal(size=(80, 2))
    cells = [[f"{a:.4f}", f"{b:.4f}", "yes" if a > b else "no"] for a, b in numbers]
    split = tables.Split("small", ("y",), "binary", ["a", "b", "y"], cells[:60], cells[60:])
    tables.write_rows(folder / "train.csv", split.header, split.train_rows)
    tables.write_rows(folder / "test.csv", split.header, split.test_rows)
    return split, folder / "train.csv", folder / "test.csv"


def test_a_rival_in_a_process_of_its_own_answers_as_it_does_here(tmp_path):
    split, train, test = _small_split(tmp_path)
    found = tables._in_a_process("linear", split, train, test, 10.0, 0, "roc_auc")
    task = rivals.task_of(train, test, split.targets, split.problem)
    np.testing.assert_allclose(found["prediction"], rivals.linear(task, "roc_auc", 10.0, 0))
    assert 0 < found["seconds"] < 10


def test_a_rival_that_forgets_its_clock_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "START_SECONDS", -1.99)
    found = tables._in_a_process("linear", *_small_split(tmp_path), 1.0, 0, "roc_auc")
    assert found["prediction"] is None and "killed" in found["error"]
