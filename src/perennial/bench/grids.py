"""Grid puzzles: how many are answered rightly on grids that the search has not seen, with two guesses a grid.

A puzzle counts when each of its test grids is one of the first two guesses, cell for cell. Answers of test
grids are only looked at afterwards. The first half of the puzzles of ARC-AGI-1 (by a fixed shuffle of their
names) was there when the words were chosen; the second half was not looked at, and is the one to believe.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.bench.programs import row_of
from perennial.errors import DataError, UsageError

DEFAULT_SECONDS = 20.0
GUESSES = 2
GOAL = 0.25
HALVES = {"first": 1, "second": 2}


def read_puzzles(data: str | Path) -> dict[str, dict[str, list]]:
    """Puzzles by name from one ARC file, a folder of them, or one JSON of many, also gzipped.

    Raises:
        DataError: nothing there has pairs to learn from.
    """
    path = Path(data)
    inner = path / "arc-agi-1"
    path = inner if inner.is_dir() else path
    files = sorted([*path.glob("*.json"), *path.glob("*.json.gz")]) if path.is_dir() else [path]
    puzzles: dict[str, dict[str, list]] = {}
    for file in files:
        raw = file.read_bytes()
        told = json.loads(gzip.decompress(raw) if file.suffix == ".gz" else raw)
        many = {file.name.split(".")[0]: told} if isinstance(told, dict) and "train" in told else told
        if isinstance(many, dict):
            puzzles |= {
                name: told for name, told in many.items() if isinstance(told, dict) and "train" in told
            }
    if not puzzles:
        raise DataError(f"No grid puzzles in {path}.", todo='Give files of {"train": [...], "test": [...]}.')
    return puzzles


def halves(names: Sequence[str]) -> dict[str, int]:
    """1 or 2 for each name: a shuffle with a fixed seed, cut in the middle.

    >>> sorted(halves(["a", "b", "c", "d"]).values())
    [1, 1, 2, 2]
    """
    ordered = sorted(names)
    random.Random(7).shuffle(ordered)
    return {name: 1 if place < len(ordered) // 2 else 2 for place, name in enumerate(ordered)}


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Every puzzle once.

    Args:
        data: a folder or file of puzzles, or the folder above `arc-agi-1`.
        seconds: for each puzzle.
        seeds: not used; the search draws nothing.
        only: names of puzzles, or of halves (`first second`); all when empty.
        kept: results of earlier runs.

    Raises:
        UsageError: no data.
    """
    if data is None:
        raise UsageError("This bench needs data.", todo="Give --data DIR with ARC files.")
    puzzles = read_puzzles(data)
    half = halves(list(puzzles))
    wanted = {HALVES[name] for name in only if name in HALVES}
    named = set(only) - HALVES.keys()
    chosen = [
        name
        for name in sorted(puzzles)
        if (not wanted or half[name] in wanted) and (not named or name in named)
    ]
    seconds = seconds or DEFAULT_SECONDS
    rows = [
        row_of(
            kept,
            {"suite": "grids", "task": name, "seconds": seconds},
            partial(_row, name, half[name], puzzles[name], seconds),
        )
        for name in chosen
    ]
    return {"bars": _bars(rows), "rows": rows}


def _row(name: str, half: int, puzzle: dict[str, list], seconds: float) -> dict[str, Any]:
    from perennial.synthesis.grids import guesses

    start = time.monotonic()
    train, test = puzzle["train"], puzzle["test"]
    found = guesses(
        [_array(pair["input"]) for pair in train],
        [_array(pair["output"]) for pair in train],
        [_array(pair["input"]) for pair in test],
        seconds,
    )
    spent = time.monotonic() - start
    right = all(
        any(np.array_equal(guess.outputs[place], _array(pair["output"])) for guess in found[:GUESSES])
        for place, pair in enumerate(test)
    )
    first = found[0] if found else None
    return {
        "puzzle": name,
        "half": half,
        "right": bool(right),
        "fits": len(found),
        "family": first.family if first else "",
        "bits": round(first.cost, 1) if first else None,
        "seconds": round(spent, 2),
        "program": str(first.program)[:400] if first else "",
    }


def _array(grid: list) -> np.ndarray:
    return np.array(grid, dtype=np.int16)


def _bars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bars = []
    for label, kept in (("all puzzles", {1, 2}), ("the first half", {1}), ("the second half", {2})):
        right = [row["right"] for row in rows if row["half"] in kept]
        if right:
            bars.append(
                bar(f"share right of {label} ({len(right)})", float(np.mean(right)), GOAL, "maximize")
            )
    return bars
