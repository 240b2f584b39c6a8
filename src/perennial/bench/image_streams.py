"""Tasks one after another: what a library is worth over a stream, against MNTDP-D and against learning each task alone.

The streams are those of CTrL in small: images of 16 x 16 in colour, ten classes, few of each, six tasks of which the last
comes back to the first in some way (with less data, with more, in other colours, with other labels) or does not at all.
The lists are frozen in `image_streams.json`; sets that the data folder lacks are replaced by other ones that it has, in the
order of their names, and textures are drawn by a formula. All methods get the same images and the same seconds a task, in
one run: perennial grows with a library, and with nothing; so do MNTDP-D and independent training. The latter two choose
by the validation images, as published; perennial gets both parts as one and divides them by itself.

Told are the mean accuracy over all tasks after the last one; what the stream adds to the last task, against the same
method without the stream; how much was forgotten (records never change, so this tries the library); and how many modules
were learnt, those that are reused once, against the same method without the stream. A module is what is fitted at once: a
layer of a network, or a learner. Learning is the seconds until the last model is there; the wall has the predictions of all
test images, which where there is a library are asked twice.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.images import class_names, image_sets, split_of
from perennial.bench.kept import Kept
from perennial.bench.mntdp import Learner
from perennial.bench.streams import frozen, with_others
from perennial.errors import UsageError
from perennial.task import Task

DEFAULT_SECONDS = 20.0
SIDE, CLASSES, MOST_TESTED = 16, 10, 100
TEXTURES = 400
COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200)}
OURS, ALONE = "perennial", "perennial alone"
METHODS = (ALONE, OURS, "independent", "MNTDP-D")
WITHOUT = {OURS: ALONE, "MNTDP-D": "independent"}
AHEAD = 0.015
TRANSFER = {"S-": 0.10, "Sin": 0.15, "Spl": -0.005}
SHARED, MODULES_SHARE = ("S-", "Sout"), 0.6
STREAM_SECONDS = 120.0


@dataclass(frozen=True)
class Images:
    """One task of a stream: images `(n, 16, 16, 3)` of bytes and codes `(n,)`.

    Args:
        train, validation, test: images and codes.
    """

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Every stream once a seed with every method; see the module's first lines for the protocol.

    Args:
        data: the folder of image sets.
        seconds: for each task.
        seeds: repetitions, with other images and other weights.
        only: names of streams.
        kept: results of earlier runs.
    """
    if data is None:
        raise UsageError("This bench needs a folder of image sets.", todo="Give it with --data DIR.")
    seconds, told = seconds or DEFAULT_SECONDS, lists()
    wanted = [name for name in told["streams"] if not only or name in only]
    if not wanted or set(only) - set(wanted):
        raise UsageError("There is no such stream.", todo=f"Choose of: {', '.join(told['streams'])}.")
    folders = chosen_sets(told["sets"], Path(data))
    rows = []
    for name in wanted:
        for seed in range(seeds):
            key = {
                "stream": name,
                "seed": seed,
                "seconds": seconds,
                "sets": {k: v.name for k, v in folders.items()},
            }
            for method in METHODS:
                compute = partial(_one, method, told["streams"][name], folders, name, seed, seconds)
                rows.append(kept.of({**key, "method": method}, compute))
                _say(rows[-1])
    return {
        "bars": bars(rows),
        "rows": summary(rows),
        "runs": rows,
        "protocol": _protocol(seconds, seeds, folders),
    }


def lists() -> dict[str, Any]:
    """The frozen streams."""
    return frozen("image_streams")


def chosen_sets(names: dict[str, str], data: Path) -> dict[str, Path]:
    """A folder for each set of the lists; other ones where it is not there.

    Raises:
        UsageError: there are too few sets of images.
    """
    wanted = {slot: name for slot, name in names.items() if name}
    found = {slot: data / name for slot, name in wanted.items() if (data / name).is_dir()}
    return with_others(wanted, found, lambda: image_sets(data, ()), "sets of images with classes", data)


# -- tasks -----------------------------------------------------------------------------------------------------------


def tasks_of(stream: Sequence[Sequence[Any]], folders: dict[str, Path], seed: int) -> list[Images]:
    """The tasks of a stream; no image is learnt from twice, and none that is tested on.

    Args:
        stream: a list of `image_streams.json`.
        folders: of the sets.
        seed: of what is drawn.
    """
    generator = np.random.default_rng([seed, 16])
    pools: dict[str, Any] = {}
    tasks = []
    for slot, train, validation, change in stream:
        if slot not in pools:
            pool = _pool(folders[slot]) if slot in folders else textures(seed)
            pools[slot] = [_shuffled(*part, generator) for part in pool]
        learn, tested = pools[slot]
        parts, pools[slot][0] = _drawn(learn, [train, validation])
        [test], _ = _drawn(tested, [MOST_TESTED])
        tasks.append(Images(*(_changed(part, change) for part in (*parts, test))))
    return tasks


@cache
def _pool(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The images of the first ten classes, to learn from and to test on."""
    split = split_of(folder, 0)
    if len(split.classes) < CLASSES:
        raise UsageError(
            f"A stream needs {CLASSES} classes of each set.", where=f"{folder}: {len(split.classes)}"
        )
    parts = [(split.x_train, split.y_train), (split.x_test, split.y_test)]
    return [(images[target < CLASSES], target[target < CLASSES]) for images, target in parts]


def _shuffled(images: np.ndarray, target: np.ndarray, generator: np.random.Generator) -> tuple:
    order = generator.permutation(len(target))
    return images[order], target[order]


def _drawn(part: tuple, counts: Sequence[int]) -> tuple[list[tuple], tuple]:
    """The first so many images of each class, several times, and what is left."""
    images, target = part
    found = []
    for count in counts:
        turn = np.zeros(len(target), dtype=int)
        for code in np.unique(target):
            rows = np.flatnonzero(target == code)
            turn[rows] = np.arange(len(rows))
        taken = turn < count
        found.append((small(images[taken]), target[taken].astype(np.int64)))
        images, target = images[~taken], target[~taken]
    return found, (images, target)


def small(images: np.ndarray) -> np.ndarray:
    """Images as `(n, 16, 16, 3)`: every pixel is the mean of those that it covers."""
    from PIL import Image

    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    sized = [
        np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)) for image in images
    ]
    return np.stack(sized) if sized else np.zeros((0, SIDE, SIDE, 3), np.uint8)


def _changed(part: tuple[np.ndarray, np.ndarray], change: str) -> tuple[np.ndarray, np.ndarray]:
    """A background of another colour where it is dark, or every label turned on by one."""
    images, target = part
    if change == "turned labels":
        return images, (target - 1) % CLASSES
    if change:
        light = images / 255.0
        images = (images + (1.0 - light) * np.array(COLOURS[change])).clip(0, 255).astype(np.uint8)
    return images, target


def textures(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ten kinds of waves in two colours: four directions of two wavelengths, and checks of two sizes."""
    generator = np.random.default_rng([seed, 47])
    down, across = np.indices((SIDE, SIDE))
    parts = []
    for count in (TEXTURES, MOST_TESTED * CLASSES):
        target = np.arange(count) % CLASSES
        images = np.zeros((count, SIDE, SIDE, 3))
        for row, kind in enumerate(target):
            wavelength = (3.0, 6.0)[kind % 2] * generator.uniform(0.85, 1.2)
            phases = generator.uniform(0, 2 * np.pi, 2)
            angle = np.pi / 4 * (kind // 2) + generator.normal(0, 0.08)
            along = (np.cos(angle) * across + np.sin(angle) * down) * 2 * np.pi / wavelength
            wave = np.sin(along + phases[0])
            if kind >= 8:
                wave = np.sin(2 * np.pi * across / wavelength + phases[0]) * np.sin(
                    2 * np.pi * down / wavelength + phases[1]
                )
            colours = generator.uniform(0, 255, (2, 3))
            mixed = (0.5 + 0.5 * wave)[..., None]
            images[row] = (
                mixed * colours[0] + (1 - mixed) * colours[1] + generator.normal(0, 12, (SIDE, SIDE, 3))
            )
        parts.append((images.clip(0, 255).astype(np.uint8), target))
    return parts


# -- methods ---------------------------------------------------------------------------------------------------------


def _one(
    method: str, stream: Sequence, folders: dict[str, Path], name: str, seed: int, seconds: float
) -> dict[str, Any]:
    tasks, start = tasks_of(stream, folders, seed), time.monotonic()
    if method in (OURS, ALONE):
        told = _grown(tasks, seconds, seed, remembers=method == OURS)
    else:
        told = _modular(tasks, seconds, seed, reuses=method == "MNTDP-D")
    return {
        "stream": name,
        "seed": seed,
        "method": method,
        **told,
        "wall": round(time.monotonic() - start, 1),
    }


def _modular(tasks: Sequence[Images], seconds: float, seed: int, reuses: bool) -> dict[str, Any]:
    learner, first, learning = Learner(reuses), [], 0.0
    for number, task in enumerate(tasks):
        start = time.monotonic()
        learner.learn(task.train, task.validation, seconds, seed)
        learning += time.monotonic() - start
        first.append(learner.accuracy(number, *task.test))
    last = [learner.accuracy(number, *task.test) for number, task in enumerate(tasks)]
    return _told(first, last, learner.modules, 4 * learner.numbers, learning)


def _grown(tasks: Sequence[Images], seconds: float, seed: int, remembers: bool) -> dict[str, Any]:
    from perennial import grow
    from perennial.library import Library

    with tempfile.TemporaryDirectory() as folder:
        place, models, start = Path(folder) / "library", [], time.monotonic()
        for number, task in enumerate(tasks):
            images, labels = (np.concatenate(both) for both in zip(task.train, task.validation, strict=True))
            asked = Task.from_data((images, class_names(labels)), name=f"task {number}")
            library = place if remembers else None
            models.append(grow(asked, seconds=seconds, seed=seed, library=library, test_share=0.0))
        learning = time.monotonic() - start
        last = first = [_accuracy(model, task) for model, task in zip(models, tasks, strict=True)]
        if remembers:
            with Library(place) as library:
                last = [
                    _accuracy(library.model(f"task-{number}/solution"), task)
                    if model.result["beaten"] else first[number]
                    for number, (model, task) in enumerate(zip(models, tasks, strict=True))
                ]  # fmt: skip
    counted = [_counted(model) for model in models]
    told = _told(first, last, sum(m for m, _ in counted), sum(n for _, n in counted), learning)
    return {**told, "reused": [len(model.result["reused"]) for model in models]}


def _accuracy(model: Any, task: Images) -> float:
    return float((model.predict(task.test[0]) == class_names(task.test[1])).mean())


def _counted(model: Any) -> tuple[int, int]:
    """How many modules a model has of its own, and how many bytes: what it took from the library counts where it was
    learnt. Of the models of its folds, which are one module each time, bytes count together.
    """
    from perennial import compiler
    from perennial.assembly import own_parts

    reused = {node.hash for node in compiler.reused_parts(model.program)}
    states = [state for replica in model.replicas for key, state in replica.items() if key not in reused]
    held = sum(array.nbytes for state in states for array in state.arrays.values())
    held += sum(len(text) for state in states for text in state.texts.values())
    return len(own_parts(model.program, model.replicas[0])), held


def _told(first: list[float], last: list[float], modules: int, held: int, learning: float) -> dict[str, Any]:
    forgotten = float(max(before - after for before, after in zip(first, last, strict=True)))
    return {
        "accuracy": float(np.mean(last)),
        "forgotten": forgotten,
        "modules": modules,
        "bytes": held,
        "each": last,
        "learning": round(learning, 1),
    }


# -- figures ---------------------------------------------------------------------------------------------------------


def bars(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The claims that these rows can prove or refute."""
    lines = {(line["stream"], line["method"]): line for line in summary(rows)}
    streams = list(dict.fromkeys(row["stream"] for row in rows))
    ahead = {s: lines[s, OURS]["accuracy"] - lines[s, "MNTDP-D"]["accuracy"] for s in streams}
    found = [
        bar("accuracy ahead of MNTDP-D on the stream where it is least", min(ahead.values()), 0.0, "maximize"),
        bar(f"accuracy ahead of MNTDP-D (mean of {len(streams)} streams)", float(np.mean(list(ahead.values()))), AHEAD, "maximize"),
        bar("accuracy that was forgotten at most", max(row["forgotten"] for row in rows if row["method"] == OURS), 0.0, "minimize"),
        bar("seconds to learn the slowest stream", max(lines[s, OURS]["learning"] for s in streams), STREAM_SECONDS, "minimize"),
    ]  # fmt: skip
    for stream in streams:
        line = lines[stream, OURS]
        if stream in TRANSFER:
            found.append(
                bar(f"transfer to the last task of {stream}", line["transfer"], TRANSFER[stream], "maximize")
            )
        if stream in SHARED:
            share = line["share of modules"]
            found.append(
                bar(
                    f"modules of {stream}, share of those without the stream",
                    share,
                    MODULES_SHARE,
                    "minimize",
                )
            )
    return found


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a stream and method: means over the seeds, with half of the 95 % interval of the accuracy, where there are several; transfer and the
    share of modules are against the same method, seed by seed, without the stream.
    """
    by_run = {(row["stream"], row["method"], row["seed"]): row for row in rows}
    lines = []
    for stream, method in dict.fromkeys((row["stream"], row["method"]) for row in rows):
        own = [row for row in rows if (row["stream"], row["method"]) == (stream, method)]
        plain = [by_run[stream, WITHOUT.get(method, method), row["seed"]] for row in own]
        pairs = list(zip(own, plain, strict=True))
        accuracies = [row["accuracy"] for row in own]
        half = 1.96 * float(np.std(accuracies, ddof=1)) / len(own) ** 0.5 if len(own) > 1 else None
        lines.append(
            {
                "stream": stream, "method": method, "seeds": len(own), **_means(own, ("accuracy",)),
                "±": half,
                "transfer": float(np.mean([row["each"][-1] - other["each"][-1] for row, other in pairs])),
                "share of modules": float(np.mean([row["modules"] / other["modules"] for row, other in pairs])),
                **_means(own, ("forgotten", "modules", "bytes", "learning", "wall")),
            }
        )  # fmt: skip
    return lines


def _means(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in names}


def _protocol(seconds: float, seeds: int, folders: dict[str, Path]) -> dict[str, Any]:
    return {
        "seconds a task": seconds,
        "seeds": seeds,
        "sets": {slot: path.name for slot, path in folders.items()} | {"textures": "drawn by a formula"},
        "MNTDP-D": "4 convolutions of 16 channels and a head; 4 settings of Adam; every path, while there is time; chooses by the validation images",
        "perennial": "training and validation images together, divided by itself",
    }


def _say(row: dict[str, Any]) -> None:
    print(
        f"{row['stream']} seed {row['seed']} {row['method']}: accuracy {row['accuracy']:.4f}, "
        f"last {row['each'][-1]:.4f}, {row['modules']} modules, {row['wall']} s",
        file=sys.stderr,
        flush=True,
    )
