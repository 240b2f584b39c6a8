"""Every number that the README claims is one of these benches; each prints its protocol and its bars.

A bench is a module of this shelf with `run(*, data, seconds, seeds, only) -> dict`; the dictionary has `bars` and `rows`.
A long one also takes `kept`, and goes on where an earlier run was ended. Some benches have several suites, a module each.
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
SUITES = {
    "programs": {"lists": "lists", "text": "strings", "grids": "grids", "formulas": "formulas"},
    "recall": {"few": "recall", "scale": "recall_scale"},
    "streams": {"images": "image_streams", "tables": "table_streams"},
}


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
    modules = _modules(name, suite)
    settings: dict[str, Any] = {"data": data, "seconds": seconds, "seeds": seeds, "only": tuple(only)}
    if name in LONG:
        settings["kept"] = Kept(keep)
    start = time.monotonic()
    parts = {
        part: import_module(f"perennial.bench.{module}").run(**settings) for part, module in modules.items()
    }
    figures = parts[name] if name in parts else _joined(parts)
    return {"bench": name, **figures, "seconds": round(time.monotonic() - start, 1)}


def _modules(name: str, suite: str | None) -> dict[str, str]:
    """The modules that a bench runs, by its suites."""
    suites = SUITES.get(name, {})
    if suite is None:
        return suites or {name: name}
    if not suites:
        raise UsageError(f"The bench {name} has no suites.", todo="Leave out --suite.")
    if suite not in suites:
        raise UsageError(f"No suite called {suite!r}.", todo=f"Choose one of: {', '.join(suites)}.")
    return {suite: suites[suite]}


def _joined(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures of several suites as those of one bench."""
    figures: dict[str, Any] = {"bars": [], "rows": [], "protocol": {}}
    for name, part in parts.items():
        figures["bars"] += part["bars"]
        figures["rows"] += [{"suite": name, **row} for row in part["rows"]]
        figures["protocol"][name] = part.get("protocol", "")
        if "runs" in part:
            figures.setdefault("runs", []).extend({"suite": name, **row} for row in part["runs"])
    return figures


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
