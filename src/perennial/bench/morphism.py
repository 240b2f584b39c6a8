"""How much sooner evolution is good when children start with their parent's weights.

Two searches over the same networks, on the same training images, with the same seeds, limits and workers, differ in
one thing: a child starts with its parent's weights, grown to its own architecture, or from nothing. Each has the same
time. What counts is when the first is as good on the images held out as the second is at the end. The rows also give
the accuracy of both winners on the test images, which nothing was chosen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.images import image_sets
from perennial.bench.kept import Kept
from perennial.bench.searching import as_good_after, curve_of
from perennial.errors import UsageError
from perennial.history import Record
from perennial.spaces.networks import network_space
from perennial.strategies.evolution import RegularizedEvolution
from perennial.study import Screening, Study
from perennial.task import Task

DEFAULT_SECONDS, DEFAULT_SET = 1200.0, "cifar10-small"
GOAL = 0.4
CANDIDATES = 40
POPULATION, SAMPLE, INITIAL = 12, 5, 4


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Both searches once a seed on each set; see the module's first lines for the protocol.

    Args:
        data: the folder of image sets.
        seconds: for each search.
        seeds: repetitions.
        only: names of sets; without any the subset of CIFAR-10 where it is there.
        kept: searches of earlier runs.
    """
    seconds = seconds or DEFAULT_SECONDS
    rows = [_compared(path, seed, seconds, kept) for path in sets_of(data, only) for seed in range(seeds)]
    shares = [row["as_good_after"] / seconds if row["as_good_after"] is not None else np.inf for row in rows]
    middle = float(np.median(shares))
    name = f"minutes (median of {len(rows)}) until inherited weights are as good as {seconds / 60:g} without"
    value = middle * seconds / 60 if np.isfinite(middle) else None
    return {
        "bars": [bar(name, value, GOAL * seconds / 60, "minimize")],
        "rows": rows,
        "protocol": _protocol(seconds),
    }


def _compared(path: Path, seed: int, seconds: float, kept: Kept) -> dict[str, Any]:
    scratch, inherited = (
        kept.of(
            {"set": path.name, "seed": seed, "seconds": seconds, "inherited weights": inherit},
            partial(_searched, path, seed, seconds, inherit),
        )
        for inherit in (False, True)
    )
    goal = scratch["curve"][-1][1] if scratch["curve"] else np.inf
    row: dict[str, Any] = {"set": path.name, "seed": seed, "seconds": seconds}
    row["as_good_after"] = as_good_after(inherited["curve"], goal)
    for name, found in (("scratch", scratch), ("inherited", inherited)):
        row |= {f"{name}_{key}": told for key, told in found.items()}
    return row


def _searched(path: Path, seed: int, seconds: float, inherit: bool) -> dict[str, Any]:
    """One search: its curve, the best value, and that model's value on the test images."""
    task = Task.from_data(str(path), allow_overlap=True)
    strategy = partial(
        RegularizedEvolution, population=POPULATION, sample=SAMPLE, initial=INITIAL, inherit=inherit
    )
    rows = len(task.target)
    space = network_space(task.input_type, task.output_type, rows, seconds, features=False)
    with Study(task, space=space, strategy=strategy, seed=seed) as study:
        study.start(2 * seconds)
        study.executor.wait(0.0)
        start = study.clock.elapsed
        screening = Screening("bench", fold_limit=1, keep=True)
        limit = seconds * study.workers / CANDIDATES
        records = study.search(study.strategy, screening, seconds=seconds, limit=limit)
        best = study.best
        return {
            "value": None if best is None else best.value,
            "test": None if best is None or task.test is None else _tested(study, best),
            "trials": len(records),
            "failed": sum(not record.trial.usable for record in records),
            "error": next((record.trial.error for record in records if record.trial.error), None),
            "curve": curve_of(records, start),
        }


def _tested(study: Study, best: Record) -> float:
    arguments = {"source": best.source, "blobs": study.replicas(best), "inputs": study.task.test.inputs}
    return float(study.metric(study.task.test.target, study.call("predict", arguments)))


def sets_of(data: str | None, only: Sequence[str]) -> list[Path]:
    """The image sets of a folder with these names; without names the one of the claim, or all if it is not there.

    Raises:
        UsageError: there are none.
    """
    if data is None:
        raise UsageError("This bench needs a folder of image sets.", todo="Give it with --data DIR.")
    default = (DEFAULT_SET,) if (Path(data) / DEFAULT_SET).is_dir() else ()
    found = image_sets(Path(data), only or default)
    if not found:
        raise UsageError(
            "No images found.",
            where=data,
            todo="Each folder needs class folders, a zip of them, or IDX files.",
        )
    return found


def _protocol(seconds: float) -> dict[str, Any]:
    return {
        "seconds for each search": seconds,
        "candidates": f"at most 1/{CANDIDATES} of the time of all workers each, judged on the first fold",
        "evolution": f"population {POPULATION}, tournaments of {SAMPLE}, {INITIAL} random ones first",
        "goal": "the best validation value of the search without inherited weights at its end",
    }
