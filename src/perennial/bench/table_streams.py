"""Tables one after another: how much sooner and how much better a library makes the later ones.

The list of tasks is frozen in `table_streams.json`. First come tables that were never seen; then the same ones with fewer
rows, with more, with their target turned, in other units, with their columns in another order, and others that nothing
before was like. No row is learnt from twice, and a quarter of every table is tested on and never learnt from. Each task
is grown twice with the same seed and the same seconds: with nothing, and with the library that all tasks before it left.

Told is when the best validation score with the library is as good as it is without at the end: as a share of the time at
which that score was reached without. A task is harmed when it loses on the test rows by more than chance. Of one run the 95 %
bootstrap interval of the paired difference says so, which knows of the test rows alone; two runs by the clock differ as well,
so of several seeds it is Student's interval of the mean of their differences that must lie below zero.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial import metrics
from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.bench.rivals import task_of
from perennial.bench.searching import as_good_after, curve_of
from perennial.bench.streams import frozen, with_others
from perennial.bench.tables import PROBLEMS, cut, read_rows, tables_of, write_rows
from perennial.errors import UsageError
from perennial.history import RECALLED, Record
from perennial.storages.base import Event

DEFAULT_SECONDS = 60.0
GOAL, HARMED = 0.4, 0.05
SMALLEST = 20


@dataclass(frozen=True)
class Pool:
    """The rows of one table, as they stand in its file.

    Args:
        header: names of the columns.
        target: the column to predict.
        problem: what kind of task it is.
        learn: rows that were not learnt from yet.
        size: how many there were at first.
        tested: rows to test on.
        numeric: positions of columns of numbers, without the target.
    """

    header: list[str]
    target: str
    problem: str
    learn: list[list[str]]
    size: int
    tested: list[list[str]]
    numeric: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One task of the stream: where it is from, what was done to it, and its rows."""

    name: str
    change: str
    header: list[str]
    target: str
    problem: str
    train: list[list[str]]
    test: list[list[str]]


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """The stream once a seed; see the module's first lines for the protocol.

    Args:
        data: the folder of tables.
        seconds: for each growth.
        seeds: repetitions, with other rows.
        only: nothing; a stream is one.
        kept: streams of earlier runs.
    """
    if data is None:
        raise UsageError("This bench needs a folder of tables.", todo="Give it with --data DIR.")
    if only:
        raise UsageError("A stream of tables has no parts.", todo="Leave out --only.")
    seconds, told = seconds or DEFAULT_SECONDS, lists()
    folders = chosen_tables(told["tables"], Path(data))
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        key = {
            "stream": "tables",
            "seed": seed,
            "seconds": seconds,
            "tables": {slot: path.name for slot, path in folders.items()},
        }
        rows += kept.of(key, partial(_one, told["tasks"], folders, seed, seconds))
    return {
        "bars": bars(rows, told["before"]),
        "rows": rows,
        "protocol": {
            "seconds": seconds,
            "seeds": seeds,
            "tables": {slot: path.name for slot, path in folders.items()},
            "counted": f"tasks after the first {told['before']}",
        },
    }


def lists() -> dict[str, Any]:
    """The frozen stream."""
    return frozen("table_streams")


def chosen_tables(names: Mapping[str, str], data: Path) -> dict[str, Path]:
    """A folder for each table of the list; other ones with one target where it is not there.

    Raises:
        UsageError: there are too few tables.
    """
    there = {path.name: path for path in tables_of(data) if isinstance(_told(path)["target"], str)}
    found = {slot: there[name] for slot, name in names.items() if name in there}
    return with_others(names, found, lambda: list(there.values()), "tables with one target", data)


def _told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "task.json").read_text(encoding="utf-8"))


# -- tasks -----------------------------------------------------------------------------------------------------------


def steps_of(stream: Sequence[Sequence[Any]], folders: Mapping[str, Path], seed: int) -> list[Step]:
    """The tasks of a stream; no row is learnt from twice, and none that is tested on.

    Args:
        stream: the tasks of `table_streams.json`.
        folders: of the tables.
        seed: of what is drawn.
    """
    pools: dict[str, Pool] = {}
    found = []
    for slot, share, change in stream:
        if slot not in pools:
            pools[slot] = _pool(folders[slot], seed)
        pool = pools[slot]
        count = max(SMALLEST, round(share * pool.size))
        taken, left = pool.learn[:count], pool.learn[count:]
        pools[slot] = replace(pool, learn=left)
        header, (train, test) = _changed(pool, [taken, pool.tested], change)
        found.append(Step(folders[slot].name, change, header, pool.target, pool.problem, train, test))
    return found


def _pool(folder: Path, seed: int) -> Pool:
    told = _told(folder)
    header, rows = read_rows(folder, set(told.get("other_targets", ())))
    problem, place = PROBLEMS[told["problem"]], header.index(told["target"])
    learn, tested = cut(rows, place, problem, seed)
    order = np.random.default_rng([seed, 22]).permutation(learn)
    numeric = tuple(
        number
        for number in range(len(header))
        if number != place and all(_is_number(row[number]) for row in rows)
    )
    return Pool(
        header, told["target"], problem, [rows[i] for i in order], len(order), [rows[i] for i in tested], numeric
    )  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


def _changed(
    pool: Pool, parts: list[list[list[str]]], change: str
) -> tuple[list[str], list[list[list[str]]]]:
    """Rows after "other units" (1.8 x + 32 in each column of numbers), "other order" (the last column first) or "turned
    target" (each class for the next one; numbers from the other end).
    """
    header, place = pool.header, pool.header.index(pool.target)
    if change == "other order":
        return header[::-1], [[row[::-1] for row in part] for part in parts]
    if change == "other units":
        units = set(pool.numeric)
        return header, [
            [[_converted(text) if n in units else text for n, text in enumerate(row)] for row in part]
            for part in parts
        ]
    if change == "turned target":
        turned = _turned(pool, sorted({row[place] for part in parts for row in part if row[place]}))
        return header, [
            [[*row[:place], turned.get(row[place], row[place]), *row[place + 1 :]] for row in part]
            for part in parts
        ]
    return header, parts


def _converted(text: str) -> str:
    return repr(1.8 * float(text) + 32.0) if text else text


def _turned(pool: Pool, values: list[str]) -> dict[str, str]:
    if pool.problem == "regression":
        numbers = [float(value) for value in values]
        return {value: repr(max(numbers) + min(numbers) - float(value)) for value in values}
    return dict(zip(values, values[1:] + values[:1], strict=True))


# -- growing ---------------------------------------------------------------------------------------------------------


def _one(
    stream: Sequence[Sequence[Any]], folders: Mapping[str, Path], seed: int, seconds: float
) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "library"
        for number, step in enumerate(steps_of(stream, folders, seed), start=1):
            train, test = Path(folder) / f"task_{number}.csv", Path(folder) / "test.csv"
            write_rows(train, step.header, step.train)
            write_rows(test, step.header, step.test)
            rows.append(
                {
                    "task": number,
                    "table": step.name,
                    "change": step.change,
                    "n": len(step.train),
                    "seed": seed,
                }
                | _compared(step, train, test, place, seconds, seed)
            )
            _say(rows[-1])
    return rows


def _compared(
    step: Step, train: Path, test: Path, library: Path, seconds: float, seed: int
) -> dict[str, Any]:
    """One task with nothing and with the library; the latter remembers it."""
    told: dict[str, Any] = {}
    cold, warm = (_grown(step, train, test, place, seconds, seed) for place in (None, library))
    goal = cold["curve"][-1][1] if cold["curve"] else -np.inf
    first = as_good_after(cold["curve"], goal)
    then = as_good_after(warm["curve"], goal)
    told["cold after"], told["warm after"] = first, then
    told["share"] = None if first is None or then is None else then / first
    task = task_of(train, test, (step.target,), step.problem)
    metric = metrics.resolve(cold["metric"])
    target = task.test.target
    told["metric"] = metric.name
    told["cold"], told["warm"] = (float(metric(target, each["prediction"])) for each in (cold, warm))
    told["ahead"] = metrics.paired_difference(
        metric, target, warm["prediction"], cold["prediction"], seed=seed
    )
    told["reused"], told["suggested"] = warm["reused"], warm["suggested"]
    told["walls"] = [cold["wall"], warm["wall"]]
    return told


class _Watch:
    """Hears the trials of a study."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def on_event(self, event: Event) -> None:
        if event.kind == "trial":
            self.records.append(Record.from_json(event.data))

    def on_tick(self, snapshot: dict[str, Any]) -> None:
        pass


def _grown(
    step: Step, train: Path, test: Path, library: Path | None, seconds: float, seed: int
) -> dict[str, Any]:
    from perennial import grow

    task, watch, start = task_of(train, test, (step.target,), step.problem), _Watch(), time.monotonic()
    model = grow(task, seconds=seconds, seed=seed, library=library, listeners=[watch])
    suggested = [record for record in watch.records if record.trial.origin == RECALLED]
    return {
        "metric": model.result["metric"],
        "curve": curve_of(watch.records),
        "prediction": model.predict_values(task.test.inputs),
        "reused": len(model.result["reused"]),
        "suggested": len(suggested),
        "wall": round(time.monotonic() - start, 1),
    }


# -- figures ---------------------------------------------------------------------------------------------------------


def bars(rows: Sequence[dict[str, Any]], before: int) -> list[dict[str, Any]]:
    """The claims that these rows can prove or refute; only tasks after the first so many count."""
    later = [row for row in rows if row["task"] > before]
    shares = [np.inf if row["share"] is None else row["share"] for row in later]
    middle = float(np.median(shares))
    runs: dict[int, list[Sequence[float]]] = {}
    for row in later:
        runs.setdefault(row["task"], []).append(row["ahead"])
    harmed, many = [_is_harmed(told) for told in runs.values()], len(later)
    return [
        bar(
            f"time until as good as without, share of the time without (median of {many})",
            middle if np.isfinite(middle) else None, GOAL, "minimize",
        ),
        bar(f"share of the tasks that are harmed ({len(runs)})", float(np.mean(harmed)), HARMED, "minimize"),
    ]  # fmt: skip


def _is_harmed(ahead: Sequence[Sequence[float]]) -> bool:
    """Whether one task lost by more than chance, from how far it was ahead in each run, with its interval."""
    if len(ahead) == 1:
        return ahead[0][2] < 0.0
    from scipy import stats

    differences = np.array([difference for difference, *_ in ahead])
    wide = stats.t.ppf(0.975, len(ahead) - 1) * differences.std(ddof=1) / np.sqrt(len(ahead))
    return bool(differences.mean() + wide < 0.0)


def _say(row: dict[str, Any]) -> None:
    print(
        f"{row['task']} {row['table']} {row['change'] or 'as it is'} ({row['n']} rows): {row['metric']} {row['cold']:.4f} "
        f"after {row['cold after']} s, with the library {row['warm']:.4f}, as good after {row['warm after']} s",
        file=sys.stderr,
        flush=True,
    )
