"""perennial on tables against what people would otherwise use, on the same splits, in one run.

Every folder below `--data` that holds a table and a `task.json` is one row of the result. A folder with `train.csv.gz`
and `test.csv.gz` keeps its split and seeds change the learners only; `data.csv.gz` is split 75/25, stratified, once a
seed. perennial runs as its command line in a process of its own, so its wall time includes everything.

The metric is the one perennial would choose. A rival is better on a table when its mean over the seeds is; it is
significantly better when the 95 % bootstrap interval of the paired difference on the test rows, averaged over the
seeds, excludes zero; `behind` names those that are better by more than one standard error of that difference.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial import metrics
from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.bench.rivals import RIVALS, installed, task_of
from perennial.errors import UsageError
from perennial.task import Task

DEFAULT_SECONDS = 60.0
TEST_SHARE = 0.25
OVERRUN_SECONDS = 5.0
START_SECONDS = 60.0  # a rival's process may take this long to import and to read
WHOLE, HALVES = "data.csv.gz", ("train.csv.gz", "test.csv.gz")
WITH_A_CLOCK = ("flaml", "autogluon")
PROBLEMS = {
    "binary classification": "binary",
    "multi-class classification": "multiclass",
    "multi-label classification": "multilabel",
    "regression": "regression",
}


@dataclass(frozen=True)
class Split:
    """A table cut in two: the text rows as they stand in the files, and the same as tasks."""

    name: str
    targets: tuple[str, ...]
    problem: str
    header: list[str]
    train_rows: list[list[str]]
    test_rows: list[list[str]]


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Grows on every table and compares; see the module's first lines for the protocol."""
    if data is None:
        raise UsageError("This bench needs a folder of tables.", todo="Give it with --data DIR.")
    seconds = seconds or DEFAULT_SECONDS
    folders = [path for path in tables_of(Path(data)) if not only or path.name in only]
    if not folders:
        raise UsageError(
            "No tables found.", where=data, todo="Each needs data.csv.gz (or train and test) and task.json."
        )
    rivals = {name: rival for name, rival in RIVALS.items() if installed(name)}
    rows: list[dict[str, Any]] = []
    for folder in folders:
        for seed in range(seeds):
            key = {"table": folder.name, "seed": seed, "seconds": seconds, "rivals": list(rivals)}
            rows += kept.of(key, partial(_one_folder, folder, rivals, seconds, seed))
            _say(rows, len(rivals) + 1)
    return {"bars": _bars(rows, seconds), "rows": _summary(rows), "runs": [_public(row) for row in rows],
            "protocol": _protocol(seconds, seeds, list(rivals))}  # fmt: skip


def tables_of(data: Path) -> list[Path]:
    """The folders that hold a table and say what it asks, by name."""
    return [
        path
        for path in sorted(data.iterdir())
        if (path / "task.json").is_file() and any((path / name).is_file() for name in (WHOLE, HALVES[0]))
    ]


def _split(folder: Path, seed: int) -> Split:
    told = json.loads((folder / "task.json").read_text())
    targets = told["target"] if isinstance(told["target"], list) else [told["target"]]
    drop = set(told.get("other_targets", ()))
    problem = PROBLEMS[told["problem"]]
    if (folder / HALVES[0]).is_file():
        (header, train), (_, test) = (_read(folder / name, drop) for name in HALVES)
        return Split(folder.name, tuple(targets), problem, header, train, test)
    header, rows = read_rows(folder, drop)
    train, test = cut(rows, header.index(targets[0]), problem, seed)
    return Split(
        folder.name, tuple(targets), problem, header, [rows[i] for i in train], [rows[i] for i in test]
    )


def cut(rows: list[list[str]], target: int, problem: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions to learn from and to test on, stratified by the column of the target where it holds classes."""
    from sklearn.model_selection import train_test_split

    n = len(rows)
    labels = [row[target] for row in rows] if problem in ("binary", "multiclass") else None
    if labels is not None and min(labels.count(label) for label in set(labels)) < 2:
        labels = None
    train, test = train_test_split(np.arange(n), test_size=TEST_SHARE, random_state=seed, stratify=labels)
    return np.sort(train), np.sort(test)


def read_rows(folder: Path, drop: set[str]) -> tuple[list[str], list[list[str]]]:
    """The header of a table and its rows as text; where it is cut in two, of the first part.

    Args:
        folder: of the table.
        drop: columns to leave out.
    """
    name = next(name for name in (WHOLE, HALVES[0]) if (folder / name).is_file())
    return _read(folder / name, drop)


def _read(path: Path, drop: set[str]) -> tuple[list[str], list[list[str]]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    keep = [number for number, name in enumerate(header) if name not in drop]
    return [header[i] for i in keep], [[row[i] for i in keep] for row in rows]


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _one_folder(folder: Path, rivals: dict[str, Callable], seconds: float, seed: int) -> list[dict[str, Any]]:
    return _one_split(_split(folder, seed), rivals, seconds, seed)


def _one_split(split: Split, rivals: dict[str, Callable], seconds: float, seed: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        train, test = Path(folder) / "train.csv", Path(folder) / "test.csv"
        write_rows(train, split.header, split.train_rows)
        write_rows(test, split.header, split.test_rows)
        task = task_of(train, test, split.targets, split.problem)
        metric, _ = metrics.choose(task.problem, task.target)
        found = {"perennial": _grow(split, train, test, Path(folder) / "study", seconds, seed, task)}
        for name, rival in rivals.items():
            if name in WITH_A_CLOCK:
                found[name] = _in_a_process(name, split, train, test, seconds, seed, metric.name)
                continue
            start = time.monotonic()
            try:
                prediction = rival(task, metric.name, seconds, seed)
            except Exception as error:
                found[name] = {
                    "seconds": time.monotonic() - start,
                    "prediction": None,
                    "error": f"{type(error).__name__}: {error}",
                }
                continue
            found[name] = {"seconds": time.monotonic() - start, "prediction": prediction}
    return [_row(split, seed, metric, task.test.target, name, entry, found) for name, entry in found.items()]


def _in_a_process(
    name: str, split: Split, train: Path, test: Path, seconds: float, seed: int, metric: str
) -> dict[str, Any]:
    """A rival that has a clock of its own, killed when it forgets it: a result after twice its time is none."""
    out = train.parent / f"{name}.npy"
    told = {"name": name, "train": str(train), "test": str(test), "targets": split.targets, "problem": split.problem,
            "metric": metric, "seconds": seconds, "seed": seed, "out": str(out)}  # fmt: skip
    limit = 2 * seconds + START_SECONDS
    start = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "perennial.bench.rival_process", json.dumps(told)],
            capture_output=True, text=True, timeout=limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"seconds": limit, "prediction": None, "error": f"not back after {limit:g} s: killed"}
    wall = time.monotonic() - start
    if done.returncode != 0:
        return {"seconds": wall, "prediction": None, "error": done.stderr[-500:]}
    return {"seconds": float(done.stdout.split()[-1]), "prediction": np.load(out, allow_pickle=False)}


def _grow(
    split: Split, train: Path, test: Path, out: Path, seconds: float, seed: int, task: Task
) -> dict[str, Any]:
    """The command line as a user would call it; its predictions are read back from the saved model."""
    from perennial.model import Model

    command = [
        sys.executable,
        "-m",
        "perennial",
        "grow",
        str(train),
        "--test",
        str(test),
        "--time",
        f"{seconds:g}s",
    ]
    command += [
        "--out",
        str(out),
        "--seed",
        str(seed),
        "--problem",
        split.problem,
        "--json",
        "--allow-overlap",
        "--no-library",
    ]
    command += [part for name in split.targets for part in ("--target", name)] + ["--drop-unlabelled"]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    wall = time.monotonic() - start
    if done.returncode not in (0, 4):
        return {"seconds": wall, "prediction": None, "error": done.stderr[-500:]}
    told = json.loads(done.stdout)
    model = Model.load(out / "best")
    prediction = model.predict_values(model.codec.encode(str(test)))
    return {
        "seconds": wall,
        "prediction": prediction,
        "trials": told["trials"],
        "failed": told["failed"],
        "validation": told["validation"],
    }


def _row(split, seed, metric, target, name, entry, found) -> dict[str, Any]:
    prediction, own = entry["prediction"], found["perennial"]["prediction"]
    row = {
        "table": split.name, "seed": seed, "method": name, "metric": metric.name, "seconds": round(entry["seconds"], 2),
        "value": None if prediction is None else float(metric(target, prediction)),
        "score": None if prediction is None else float(metric.score(target, prediction)),
        "error": entry.get("error"), "trials": entry.get("trials"), "failed": entry.get("failed"),
        "ahead": None,
    }  # fmt: skip
    if name != "perennial" and prediction is not None and own is not None:
        row["ahead"] = metrics.paired_difference(metric, target, own, prediction, seed=seed)
    return row


def _bars(rows: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    means = _means(rows)
    ranks = _ranks(means)
    rivals = [name for name in ranks if name != "perennial"]
    worse = [f"{table}/{name}" for table, name in _pairs(rows) if _significantly_behind(rows, table, name)]
    behind = sorted({table for table, name in _pairs(rows) if _errors_behind(rows, table, name) > 1.0})
    light = [table for table in means if means[table].get("lightgbm") is not None]
    wins = sum(
        means[table]["perennial"] > means[table]["lightgbm"]
        for table in light
        if means[table].get("perennial") is not None
    )
    longest = max(row["seconds"] for row in rows if row["method"] == "perennial")
    return [
        bar("mean rank of perennial minus the best rival's", ranks["perennial"] - min(ranks[name] for name in rivals), 0.0, "minimize"),
        bar("table-rival pairs where perennial is significantly worse", len(worse), 0, "minimize"),
        bar("tables where it is more than one standard error behind a rival", len(behind), 0, "minimize"),
        bar("share of tables where it beats LightGBM's defaults", wins / len(light) if light else None, 0.7, "maximize"),
        bar("longest wall time of grow, seconds", longest, seconds + OVERRUN_SECONDS, "minimize"),
    ]  # fmt: skip


def _means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    means: dict[str, dict[str, float | None]] = {}
    for row in rows:
        means.setdefault(row["table"], {})
    for table, methods in means.items():
        for name in dict.fromkeys(row["method"] for row in rows):
            scores = [row["score"] for row in rows if row["table"] == table and row["method"] == name]
            methods[name] = float(np.mean(scores)) if scores and None not in scores else None
    return means


def _ranks(means: dict[str, dict[str, float | None]]) -> dict[str, float]:
    """Mean rank over the tables; ties share their ranks, a failure is last."""
    from scipy.stats import rankdata

    names = list(next(iter(means.values())))
    scores = [
        [-np.inf if methods[name] is None else methods[name] for name in names] for methods in means.values()
    ]
    ranks = np.mean([rankdata([-score for score in line]) for line in scores], axis=0)
    return dict(zip(names, ranks.tolist(), strict=True))


def _pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["table"], row["method"]) for row in rows if row["method"] != "perennial"))


def _significantly_behind(rows: list[dict[str, Any]], table: str, name: str) -> bool:
    intervals = [
        row["ahead"] for row in rows if (row["table"], row["method"]) == (table, name) and row["ahead"]
    ]
    return bool(intervals) and float(np.mean([high for _, _, high in intervals])) < 0.0


def _errors_behind(rows: list[dict[str, Any]], table: str, name: str) -> float:
    """By how many standard errors of the paired difference a rival is better; below zero when it is worse.

    The seeds share most of their rows, so their standard errors are averaged and not divided by their number.
    """
    found = [row["ahead"] for row in rows if (row["table"], row["method"]) == (table, name) and row["ahead"]]
    if not found:
        return 0.0
    error = float(np.mean([metrics.standard_error(low, high) for _, low, high in found]))
    return -float(np.mean([mean for mean, _, _ in found])) / error if error > 0 else 0.0


def _summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a table: each method's mean over the seeds, as people read the metric."""
    lines = []
    for table in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == table]
        line: dict[str, Any] = {"table": table, "metric": own[0]["metric"]}
        for name in dict.fromkeys(row["method"] for row in own):
            values = [row["value"] for row in own if row["method"] == name]
            line[name] = None if None in values else float(np.mean(values))
        line["spread"] = float(
            np.std(
                [row["value"] for row in own if row["method"] == "perennial" and row["value"] is not None]
                or [0.0]
            )
        )
        line["wall"] = max(row["seconds"] for row in own if row["method"] == "perennial")
        line["behind"] = ", ".join(name for name in line if _errors_behind(rows, table, name) > 1.0)
        lines.append(line)
    ranks = _ranks(_means(rows))
    return [
        *lines,
        {"table": "mean rank", "metric": "", **{name: round(rank, 2) for name, rank in ranks.items()}},
    ]


def _public(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _protocol(seconds: float, seeds: int, rivals: list[str]) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "seeds": seeds,
        "test_share": TEST_SHARE,
        "rivals": rivals,
        "cores": os.cpu_count(),
    }


def _say(rows: list[dict[str, Any]], methods: int) -> None:
    last = rows[-methods:]
    told = "  ".join(
        f"{row['method']} {row['value']:.4f}" if row["value"] is not None else f"{row['method']} failed"
        for row in last
    )
    print(
        f"{last[0]['table']} seed {last[0]['seed']} ({last[0]['seconds']:.0f} s): {told}",
        file=sys.stderr,
        flush=True,
    )
