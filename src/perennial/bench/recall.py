"""What a library is worth to a new task of images that has few of them.

Each set of images is cut in two by its classes. Of every second class all images are grown first, with a library. Of up
to ten of the others a new task has ten images each; it is grown with nothing and with a copy of that library, with the same
seed, for the same time, and judged on the test images of its classes, which nothing else sees. So no class is ever seen
twice: what can help is what a network has learnt to look for. Two sets of characters are drawn by a formula.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.characters import ON_GROUNDS, PLAIN, drawn
from perennial.bench.images import Split, class_names, split_of
from perennial.bench.kept import Kept
from perennial.bench.morphism import sets_of
from perennial.errors import UsageError
from perennial.task import Task

DEFAULT_SECONDS, TIMES_AS_LONG_BEFORE = 25.0, 4.0
EXAMPLES, FEWEST_CLASSES, MOST_CLASSES = 10, 4, 10
GOAL, HARM, HARMED = 0.15, 0.01, 0.05


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Each set once with as many new tasks as seeds; see the module's first lines for the protocol.

    Args:
        data: a folder of image sets, if there is one.
        seconds: for the new task; what comes before it has four times as long.
        seeds: new tasks a set; each draws its own classes and examples.
        only: names of sets; without any those of characters, and the subset of CIFAR-10 where it is there.
        kept: results of earlier runs.
    """
    seconds = seconds or DEFAULT_SECONDS
    rows: list[dict[str, Any]] = []
    for name, material in _sets(data, only).items():
        key = {"set": name, "seeds": seeds, "seconds": seconds, "classes": MOST_CLASSES}
        rows += kept.of(key, partial(_one_set, material, seconds, seeds))
    gains: dict[str, list[float]] = {}
    for row in rows:
        gains.setdefault(row["set"], []).append(row["gain"])
    harmed = float(np.mean([row["gain"] < -HARM for row in rows]))
    return {
        "bars": [
            *(bar(f"accuracy that the library adds on {name} (mean of {len(told)} tasks)", float(np.mean(told)), GOAL, "maximize") for name, told in gains.items()),
            bar(f"share of the tasks on which it takes more than {HARM}", harmed, HARMED, "minimize"),
        ],
        "rows": rows,
        "protocol": {
            "before": f"every second class, all images, {TIMES_AS_LONG_BEFORE * seconds:g} s",
            "new task": f"up to {MOST_CLASSES} other classes, {EXAMPLES} images each, {seconds:g} s",
            "judged on": "the test images of those classes",
        },
    }  # fmt: skip


def _sets(data: str | None, only: Sequence[str]) -> dict[str, Callable[[], Split]]:
    """What makes each set, by its name."""
    found = {name: partial(drawn, name) for name in (PLAIN, ON_GROUNDS) if not only or name in only}
    named = [name for name in only if name not in found]
    if named or (data is not None and not only):
        found |= {path.name: partial(split_of, path, 0) for path in sets_of(data, named)}
    return found


def _one_set(made: Callable[[], Split], seconds: float, seeds: int) -> list[dict[str, Any]]:
    split = made()
    if len(split.classes) < FEWEST_CLASSES:
        raise UsageError(
            "This set has too few classes to be cut in two.",
            where=f"{split.name}: {len(split.classes)}",
            todo=f"It needs {FEWEST_CLASSES}; leave it out with --only.",
        )
    with tempfile.TemporaryDirectory() as folder:
        library, before = Path(folder) / "library", np.arange(0, len(split.classes), 2)
        images, labels = _of(split.x_train, split.y_train, before)
        first = _grown("before", images, labels, TIMES_AS_LONG_BEFORE * seconds, 0, library)
        kept = [name for name in first.result["kept"] if "/features" in name]
        rows = []
        for seed in range(seeds):
            told = {"set": split.name, "seed": seed, "seconds": seconds, "kept before": len(kept)}
            rows.append({**told, **_new_task(split, seconds, seed, library, Path(folder) / "copy")})
    return rows


def _new_task(split: Split, seconds: float, seed: int, library: Path, copy: Path) -> dict[str, Any]:
    others = np.arange(1, len(split.classes), 2)
    classes = np.sort(np.random.default_rng([seed, len(others)]).permutation(others)[:MOST_CLASSES])
    images, labels = few(split, classes, EXAMPLES, seed)
    asked, truth = _of(split.x_test, split.y_test, classes)
    row: dict[str, Any] = {}
    for name, place in (("cold", None), ("warm", copy)):
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(library, place)
        model = _grown("new", images, labels, seconds, seed, place)
        row[name] = float((model.predict(asked) == truth).mean())
    return {
        **row,
        "gain": row["warm"] - row["cold"],
        "tested on": len(truth),
        "reused": len(model.result["reused"]),
    }


def few(split: Split, classes: np.ndarray, examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many training images of each class, drawn by the seed, with their labels."""
    generator = np.random.default_rng(seed)
    rows = [generator.permutation(np.flatnonzero(split.y_train == code))[:examples] for code in classes]
    rows = np.concatenate(rows)
    return split.x_train[rows], class_names(split.y_train[rows])


def _of(images: np.ndarray, target: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.isin(target, classes)
    return images[rows], class_names(target[rows])


def _grown(
    name: str, images: np.ndarray, labels: np.ndarray, seconds: float, seed: int, library: Path | None
) -> Any:
    from perennial import grow

    task = Task.from_data((images, labels), name=name)
    return grow(task, seconds=seconds, seed=seed, library=library, test_share=0.0)
