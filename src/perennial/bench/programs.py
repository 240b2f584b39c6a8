"""Programs from examples: how many tasks are solved, suite by suite.

`--suite` names one of `lists`, `text`, `grids`, `formulas`; without it all run one after another. The folder may
hold task files that nobody has seen. `half` in the rows splits the tasks by a checksum of their names, so that
one half can be looked at during development and the other kept for figures.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from perennial.bench.kept import Kept
from perennial.errors import UsageError

SUITES = {
    "lists": "perennial.bench.lists",
    "text": "perennial.bench.strings",
    "grids": "perennial.bench.grids",
    "formulas": "perennial.bench.formulas",
}


def run(
    *,
    data: str | None,
    seconds: float | None,
    seeds: int,
    only: Sequence[str],
    kept: Kept,
    suite: str | None = None,
) -> dict[str, Any]:
    """One suite, or all of them.

    Args:
        data: the folder of task files.
        seconds: for each task.
        seeds: repetitions, where chance plays a part.
        only: names of tasks or files to keep.
        kept: results of earlier runs.
        suite: one of `SUITES`; None for all.

    Raises:
        UsageError: there is no such suite.
    """
    if suite is not None and suite not in SUITES:
        raise UsageError(f"No suite called {suite!r}.", todo=f"Choose one of: {', '.join(SUITES)}.")
    figures: dict[str, Any] = {"bars": [], "rows": [], "protocol": {}}
    for name, module in SUITES.items():
        if suite not in (None, name):
            continue
        part = import_module(module).run(data=data, seconds=seconds, seeds=seeds, only=tuple(only), kept=kept)
        figures["bars"] += part["bars"]
        figures["rows"] += [{"suite": name, **row} for row in part["rows"]]
        figures["protocol"][name] = part.get("protocol", "")
    return figures


def row_of(kept: Kept, key: dict[str, Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row of one task, kept or computed; said as it comes."""
    row = kept.of(key, compute)
    good = next((row[name] for name in ("solved", "right", "exact") if row.get(name) is not None), None)
    told = f"{key['task']} {key['method']}" if "method" in key else key["task"]
    print(f"{told}: {'solved' if good else 'not solved'}, {row.get('seconds')} s", file=sys.stderr)
    return row


def half(name: str) -> str:
    """`first` or `second`, by a checksum of a task's name.

    >>> half("reverse") in ("first", "second")
    True
    """
    return "first" if hashlib.sha256(name.encode()).digest()[0] % 2 == 0 else "second"
