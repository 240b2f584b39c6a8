"""Every number that the README claims is one of these benches; each prints its protocol and its bars.

A bench is a module of this shelf with `run(*, data, seconds, seeds, only) -> dict`; the dictionary has `bench`, `bars`,
`rows` and `seconds`. A long one also takes `kept`, and goes on where an earlier run was ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from perennial.bench.kept import Kept
from perennial.errors import UsageError

NAMES = ("tables", "images", "morphism", "steps", "overhead", "programs", "store", "recall", "streams")
LONG = ("tables", "images", "morphism", "programs", "recall", "streams")


def run(
    name: str,
    *,
    data: str | None = None,
    seconds: float | None = None,
    seeds: int = 3,
    only: Sequence[str] = (),
    keep: str | None = None,
    suite: str | None = None,
) -> dict[str, Any]:
    """Runs one bench.

    Args:
        name: one of `NAMES`.
        data: the folder of data sets, where the bench needs one.
        seconds: for each grown model.
        seeds: repetitions.
        only: names of data sets to keep.
        keep: a file for results as they come; those that it holds already are not computed again.
        suite: a part of the bench, where it has parts.

    Raises:
        UsageError: no such bench or suite, it needs `--data`, or it is too short to keep anything.
    """
    if name not in NAMES:
        raise UsageError(f"No bench called {name!r}.", todo=f"Choose one of: {', '.join(NAMES)}.")
    if keep is not None and name not in LONG:
        raise UsageError(f"The bench of {name} keeps nothing: it is short.", todo="Leave out --keep.")
    if suite is not None and name != "programs":
        raise UsageError(f"The bench {name} has no suites.", todo="Leave out --suite.")
    start = time.monotonic()
    settings: dict[str, Any] = {"kept": Kept(keep)} if name in LONG else {}
    if suite is not None:
        settings["suite"] = suite
    figures = import_module(f"perennial.bench.{name}").run(
        data=data, seconds=seconds, seeds=seeds, only=tuple(only), **settings
    )
    return {"bench": name, **figures, "seconds": round(time.monotonic() - start, 1)}


def bar(name: str, value: float | None, goal: float, direction: str) -> dict[str, Any]:
    """One claim: `ok` when `value` is on the right side of `goal`.

    >>> bar("mean rank", 1.2, 2.0, "minimize")["ok"]
    True
    """
    ok = value is not None and (value <= goal if direction == "minimize" else value >= goal)
    return {"name": name, "value": value, "goal": goal, "direction": direction, "ok": bool(ok)}


def text(figures: dict[str, Any]) -> str:
    """A bench for people: the rows, then the bars."""
    from perennial.report import table

    lines = [table(figures["rows"])] if figures["rows"] else []
    for entry in figures["bars"]:
        sign = "≤" if entry["direction"] == "minimize" else "≥"
        value = "none" if entry["value"] is None else f"{entry['value']:.4g}"
        lines.append(
            f"{'holds ' if entry['ok'] else 'FAILS '} {entry['name']}: {value} (goal {sign} {entry['goal']:g})"
        )
    return "\n".join([*lines, f"{figures['seconds']} s"])
