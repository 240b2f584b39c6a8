"""Whether a library of ten thousand modules still finds the right ones, and how long that takes.

The modules are synthetic: each has learnt from images of one of many kinds of texture, two gratings with their own direction,
width, strength and brightness in their own noise; what is measured is finding, so all have the same small network. A new
task is of one of those kinds, with other images, and asks for what it could stand on. The oracle would name the modules of
its kind.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.lang import Dist, FitContext, parse
from perennial.library import Card, Library, features, recall
from perennial.library.description import learnt_of
from perennial.library.embedding import EMBEDDING, SIZE, Neighbours
from perennial.library.records import Batch
from perennial.primitives import vocabulary
from perennial.spaces.offers import space_for
from perennial.task import Task
from perennial.trainers import Backprop
from perennial.trainers import Batch as Rows

MODULES, OF_A_KIND, QUERIES, PIECE = 10_000, 5, 100, 500
SHOWN, IMAGES, ASKED = 10, 40, 1000
MANY, REPEATED = 1_000_000, 20
SIDE = 16
FOUND, MILLISECONDS, MILLISECONDS_OF_MANY, PROPOSED = 0.9, 5.0, 50.0, 5.0
NETWORK = """
def model(image):
    seen = global_pool(relu(batch_norm(conv(pixels(image), width=8, kernel=3))))
    return head(seen, epochs=1, batch=16, learning_rate=0.01)
"""


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """One library a seed; see the module's first lines for the protocol.

    Args:
        data, seconds, only: nothing; the modules are synthetic.
        seeds: libraries.
        kept: results of earlier runs.
    """
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        key = {"suite": "scale", "modules": MODULES, "queries": QUERIES, "seed": seed}
        rows += kept.of(key, partial(_one, seed))
    found, proposed = (float(np.mean([row[name] for row in rows])) for name in ("found", "proposed"))
    few, many = (float(np.mean([row[name] for row in rows])) for name in ("query", "query of many"))
    return {
        "bars": [
            bar(f"a module of the right kind among the first {SHOWN} of {MODULES:,} (share of {QUERIES * len(rows)} tasks)", found, FOUND, "maximize"),
            bar(f"milliseconds to find the nearest of {MODULES:,} embeddings in memory", few, MILLISECONDS, "minimize"),
            bar(f"milliseconds to find the nearest of {MANY:,} embeddings in memory", many, MILLISECONDS_OF_MANY, "minimize"),
            bar(f"seconds to propose, from reading the library to scores, for {ASKED:,} images", proposed, PROPOSED, "minimize"),
        ],
        "rows": rows,
        "protocol": {"modules": MODULES, "of a kind": OF_A_KIND, "images of a new task": ASKED, "seeds": seeds},
    }  # fmt: skip


def _one(seed: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder) / "library") as library:
        kinds = filled(library, MODULES, seed)
        asked = np.random.default_rng([seed, 1]).permutation(MODULES // OF_A_KIND)[:QUERIES]
        found = [_found(library, kinds, int(kind), seed) for kind in asked]
        start = time.monotonic()
        task = texture(int(asked[0]), seed, 10**6, ASKED)
        parts = features.parts_for(library, task)
        features.ranked(parts, features.scores(parts, task, seed))
        recall.suggest(library, task, space_for("image", task.input_type, task.output_type, task.rows))
        proposed = time.monotonic() - start
        table = np.array([told.description[EMBEDDING] for told in library.store.tasks()])
    return [
        {
            "seed": seed,
            "found": float(np.mean(found)),
            "query": _milliseconds(table),
            "query of many": _milliseconds(np.random.default_rng(seed).normal(size=(MANY, SIZE))),
            "proposed": round(proposed, 2),
        }
    ]


def filled(library: Library, modules: int, seed: int) -> dict[str, int]:
    """Puts so many modules into a library, five of each kind, and says of which kind each record is."""
    part, kinds = _part(texture(0, seed, 0, IMAGES)), {}
    for first in range(0, modules, PIECE):
        records, tasks = [], []
        for number in range(first, min(modules, first + PIECE)):
            task = texture(number // OF_A_KIND, seed, number, IMAGES)
            record = features.record_of(library, part, task)
            records.append((record, Card(float(number), task=task.fingerprint)))
            tasks.append(learnt_of(task, "accuracy"))
            kinds[record.id] = number // OF_A_KIND
        library.store.commit(Batch(tuple(records), tasks=tuple(tasks)))
    return kinds


def texture(kind: int, seed: int, number: int, images: int) -> Task:
    """A task of one kind of texture; its classes are which of the two gratings is the stronger one.

    Args:
        kind: of the texture.
        seed: of all kinds.
        number: of the task.
        images: how many.
    """
    is_like = np.random.default_rng([seed, 2, kind])
    angles, widths = is_like.uniform(0, math.pi, 2), is_like.uniform(2.5, 9.0, 2)
    strength, light, noise = is_like.uniform(20, 70), is_like.uniform(80, 170), is_like.uniform(4, 30)
    generator = np.random.default_rng([seed, 3, number])
    down, across = np.indices((SIDE, SIDE))
    target = np.arange(images) % 2
    phases = generator.uniform(0, 2 * math.pi, (2, images, 1, 1))
    waves = [
        np.sin(2 * math.pi * (np.cos(angle) * down + np.sin(angle) * across) / width + phase)
        for angle, width, phase in zip(angles, widths, phases, strict=True)
    ]
    more = np.where(target == 0, 1.0, 0.4)[:, None, None]
    shades = light + strength * (more * waves[0] + (1.4 - more) * waves[1])
    shades += generator.normal(0, noise, shades.shape)
    return Task.from_data(
        (shades.clip(0, 255).astype(np.uint8)[..., None], np.array(["first", "second"])[target]),
        name=f"texture {number}",
    )


def _part(task: Task) -> tuple[str, str, bytes]:
    """The small network below its head, trained once."""
    program = parse(NETWORK, vocabulary())
    told = FitContext(output=Dist(2), train_rows=task.rows, types=(task.input_type,))
    weights = Backprop().fit(program, Rows((task.inputs["image"],), task.target, task.rows), told).weights
    found = features.part_of(program, weights, (task.input_type,))
    assert found is not None
    return found


def _found(library: Library, kinds: dict[str, int], kind: int, seed: int) -> bool:
    parts = features.parts_for(library, texture(kind, seed, 10**6, ASKED))
    return kind in [kinds[part.record] for part in parts[:SHOWN]]


def _milliseconds(table: np.ndarray) -> float:
    """The median time of a lookup."""
    neighbours, spent = Neighbours(table), []
    for row in table[:REPEATED]:
        start = time.perf_counter()
        np.argpartition(neighbours.distances(row), SHOWN)
        spent.append(1000.0 * (time.perf_counter() - start))
    return round(float(np.median(spent)), 3)
