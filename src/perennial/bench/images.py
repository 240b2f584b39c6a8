"""perennial on images against a ResNet-20 trained by hand, and AutoKeras where it is installed, for the same time.

Every folder below `--data` that holds images with classes is one row of the result. A set that has a test part keeps
it, and seeds change the learners only; another one is split 75/25, stratified, once a seed. All methods get the same
arrays, all cores and the same seconds, one after another, each in processes of its own: perennial as its command line
(its wall time includes everything), the rivals by `image_rivals`. Accuracies are means over the seeds with the 95 % Wilson
interval of one test part.

The bars are those of the issue: MNIST at least 99.2 % in 10 minutes, Fashion-MNIST 92.5 % in 20 and 93.5 % in 60, and on
every other set not behind the ResNet-20 and AutoKeras.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.image_rivals import RIVALS, installed
from perennial.bench.kept import Kept
from perennial.errors import DataError, UsageError
from perennial.metrics import wilson
from perennial.task import Task

DEFAULT_SECONDS = {"mnist": 600.0, "fashion-mnist": 1200.0}
OTHER_SECONDS = 600.0
GOALS = {"mnist": ((600.0, 0.992),), "fashion-mnist": ((1200.0, 0.925), (3600.0, 0.935))}
TEST_SHARE = 0.25
OVERRUN_SECONDS, OVERRUN_SHARE = 5.0, 0.02
SLACK = 600.0


@dataclass(frozen=True)
class Split:
    """A set of images cut in two.

    Args:
        name: of its folder.
        classes: their names; targets are their places.
        x_train, y_train, x_test, y_test: bytes `(n, height, width, channels)` and codes `(n,)`.
    """

    name: str
    classes: tuple[str, ...]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Grows on every set and compares; see the module's first lines for the protocol."""
    if data is None:
        raise UsageError("This bench needs a folder of image sets.", todo="Give it with --data DIR.")
    folders = image_sets(Path(data), only)
    if not folders:
        raise UsageError(
            "No images found.",
            where=data,
            todo="Each folder needs class folders, a zip of them, or IDX files.",
        )
    methods = ["perennial", *(name for name in RIVALS if installed(name))]
    rows: list[dict[str, Any]] = []
    for folder in folders:
        given = seconds or DEFAULT_SECONDS.get(folder.name, OTHER_SECONDS)
        for seed in range(seeds):
            for method in methods:
                key = {"set": folder.name, "seed": seed, "method": method, "seconds": given}
                rows += kept.of(key, partial(_one_folder, folder, method, given, seed))
            _say(rows, len(methods))
    return {
        "bars": bars(rows),
        "rows": summary(rows),
        "runs": rows,
        "protocol": _protocol(seconds, seeds, methods),
    }


def _one_folder(folder: Path, method: str, seconds: float, seed: int) -> list[dict[str, Any]]:
    return one_split(split_of(folder, seed), [method], seconds, seed)


def split_of(folder: Path, seed: int) -> Split:
    """The images of a folder as arrays, with its own test part or one drawn by the seed."""
    task = Task.from_data(str(folder), allow_overlap=True)
    images, target = task.inputs["image"], task.target
    if task.test is not None:
        parts = (images, target, task.test.inputs["image"], task.test.target)
    else:
        train, test = _cut(target, seed)
        parts = (images[train], target[train], images[test], target[test])
    return Split(folder.name, tuple(map(str, task.schema.classes)), *parts)


def class_names(codes: np.ndarray) -> np.ndarray:
    """Classes as names: numbers could be taken for numbers.

    >>> class_names(np.array([0, 12]))
    array(['class 0', 'class 12'], dtype='<U8')
    """
    return np.array([f"class {code}" for code in codes])


def one_split(split: Split, methods: Sequence[str], seconds: float, seed: int) -> list[dict[str, Any]]:
    """A row for each method: accuracy on the test images, wall seconds, and how it failed if it did."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            start = time.monotonic()
            try:
                told = (_grown if method == "perennial" else _rival)(
                    split, Path(folder), method, seconds, seed
                )
            except (subprocess.SubprocessError, OSError, RuntimeError) as error:
                told = {"right": None, "error": f"{type(error).__name__}: {error}"[-500:]}
            wall = round(time.monotonic() - start, 1)
            n = len(split.y_test)
            found.append(
                {
                    "set": split.name,
                    "seed": seed,
                    "method": method,
                    "budget": seconds,
                    "n": n,
                    "wall": wall,
                    **told,
                }
            )
    return found


def bars(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The claims that these rows can prove or refute."""
    found = []
    for name, own in _by_set(rows).items():
        share = _accuracy(own, "perennial")
        goal = goal_of(name, own[0]["budget"])
        if goal is not None:
            limit, accuracy = goal
            found.append(
                bar(f"accuracy on {name} within {limit / 60:g} minutes", share, accuracy, "maximize")
            )
        if name in GOALS:
            continue
        for rival in dict.fromkeys(row["method"] for row in own if row["method"] != "perennial"):
            other = _accuracy(own, rival)
            ahead = None if share is None or other is None else share - other
            found.append(bar(f"accuracy on {name} ahead of {rival}", ahead, 0.0, "maximize"))
    late = [row["wall"] - row["budget"] for row in rows if row["method"] == "perennial"]
    allowed = max(max(OVERRUN_SECONDS, OVERRUN_SHARE * row["budget"]) for row in rows)
    return [*found, bar("latest end of grow after its time, seconds", max(late), allowed, "minimize")]


def goal_of(name: str, seconds: float) -> tuple[float, float] | None:
    """The bar for a set at this time: its limit in seconds and the accuracy; None when there is none.

    >>> goal_of("fashion-mnist", 600.0), goal_of("fashion-mnist", 3600.0), goal_of("mnist", 601.0)
    ((1200.0, 0.925), (3600.0, 0.935), None)
    """
    return next((goal for goal in GOALS.get(name, ()) if seconds <= goal[0]), None)


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a set: each method's accuracy over all seeds with its interval, and the longest wall time of grow."""
    lines = []
    for name, own in _by_set(rows).items():
        line: dict[str, Any] = {"set": name, "seconds": own[0]["budget"], "test rows": own[0]["n"]}
        for method in dict.fromkeys(row["method"] for row in own):
            share = _accuracy(own, method)
            line[method] = share
            line[f"{method} 95 %"] = (
                None if share is None else "{:.4f}–{:.4f}".format(*wilson(share, own[0]["n"]))
            )
        grown = [row for row in own if row["method"] == "perennial"]
        line["first model"] = max(
            (row["first"] for row in grown if row.get("first") is not None), default=None
        )
        line["wall"] = max(row["wall"] for row in grown)
        lines.append(line)
    return lines


def image_sets(folder: Path, only: Sequence[str]) -> list[Path]:
    """Folders of images with classes."""
    from perennial.modalities.images import is_images

    wanted = [path for path in sorted(folder.iterdir()) if path.is_dir() and (not only or path.name in only)]
    return [path for path in wanted if is_images(str(path)) and _has_classes(path)]


def _has_classes(path: Path) -> bool:
    """Whether the images can be read and are to be classified."""
    try:
        return Task.from_data(str(path), allow_overlap=True).problem in ("binary", "multiclass")
    except DataError:
        return False


def _cut(target: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(target))
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=target)
    return np.sort(train), np.sort(test)


def _grown(split: Split, folder: Path, method: str, seconds: float, seed: int) -> dict[str, Any]:
    """The command line as a user would call it; its predictions come from the saved model."""
    from perennial.model import Model

    names = np.array(split.classes)
    train, test, out = folder / "train.npz", folder / "test.npz", folder / "study"
    np.savez(train, x=split.x_train, y=names[split.y_train])
    np.savez(test, x=split.x_test, y=_names_of(names, split.y_test))
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
    command += ["--out", str(out), "--seed", str(seed), "--json", "--allow-overlap", "--no-library"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + SLACK)
    if done.returncode not in (0, 4):
        return {"right": None, "error": done.stderr[-500:]}
    told = json.loads(done.stdout)
    predicted = np.asarray(Model.load(out / "best").predict({"image": split.x_test})).astype(str)
    return {
        "right": int((predicted == _names_of(names, split.y_test)).sum()),
        "trials": told["trials"],
        "failed": told["failed"],
        "validation": told["validation"],
        "first": _first_model(out),
        "program": told["program"],
    }


def _names_of(names: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Class names; a code beyond them is a class that the training rows lack."""
    return np.append(names, "(not learnt)")[np.minimum(codes, len(names))]


def _first_model(out: Path) -> float | None:
    """The second of the study at which the first model beyond the constant had a score."""
    from perennial.history import History

    history = History.read(out)
    learnt = [b["at"] for b in history.baselines[1:] if b.get("value") is not None and "at" in b]
    return min(
        [*learnt, *(record.at for record in history.records if record.value is not None)], default=None
    )


def _rival(split: Split, folder: Path, method: str, seconds: float, seed: int) -> dict[str, Any]:
    path = folder / "rival.npz"
    np.savez(path, x_train=split.x_train, y_train=split.y_train, x_test=split.x_test)
    command = [
        sys.executable,
        "-m",
        "perennial.bench.image_rivals",
        method,
        str(path),
        f"{seconds:g}",
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + SLACK)
    if done.returncode:
        return {"right": None, "error": done.stderr[-500:]}
    predicted = np.load(f"{path}.{method}.npy", allow_pickle=False)
    return {"right": int((predicted == split.y_test).sum())}


def _by_set(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [row for row in rows if row["set"] == name]
        for name in dict.fromkeys(row["set"] for row in rows)
    }


def _accuracy(rows: Sequence[dict[str, Any]], method: str) -> float | None:
    """The mean accuracy over the seeds; None when a run failed."""
    own = [row for row in rows if row["method"] == method]
    if not own or any(row["right"] is None for row in own):
        return None
    return sum(row["right"] for row in own) / sum(row["n"] for row in own)


def _protocol(seconds: float | None, seeds: int, methods: Sequence[str]) -> dict[str, Any]:
    return {
        "seconds": seconds or {**DEFAULT_SECONDS, "other sets": OTHER_SECONDS},
        "seeds": seeds,
        "test_share": TEST_SHARE,
        "methods": list(methods),
        "cores": os.cpu_count(),
    }


def _say(rows: Sequence[dict[str, Any]], methods: int) -> None:
    last = rows[-methods:]
    told = "  ".join(
        f"{row['method']} failed"
        if row["right"] is None
        else f"{row['method']} {row['right'] / row['n']:.4f}"
        for row in last
    )
    print(
        f"{last[0]['set']} seed {last[0]['seed']} ({last[0]['wall']:.0f} s): {told}",
        file=sys.stderr,
        flush=True,
    )
