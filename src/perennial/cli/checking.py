"""Whether all is well and the README true: `doctor bench`."""

from __future__ import annotations

import re

from perennial.cli.answers import answer
from perennial.cli.app import EXIT_FAILED, EXIT_GOOD, Flag, Many, app
from perennial.cli.arguments import seconds_of


@app.command
def bench(
    name: str,
    *,
    data: str | None = None,
    time: str | None = None,
    seeds: int = 3,
    only: Many = None,
    keep: str | None = None,
    suite: str | None = None,
    json: Flag = False,
) -> int:
    """Reproduce the numbers of the README; exits 0 when every bar holds.

    Parameters
    ----------
    name
        Which bench; `perennial bench list` names them.
    data
        The folder of data sets.
    time
        For each grown model; a bare number is seconds.
    seeds
        How many repetitions with other splits.
    only
        Names of data sets to keep.
    keep
        A file for results as they come: the same command later goes on from there.
    suite
        A part of the bench: `lists`, `text`, `grids` or `formulas` of `programs`.
    """
    from perennial import bench as benches

    if time and re.fullmatch(r"\d+(\.\d+)?", time):
        time = f"{time}s"
    seconds = seconds_of(time) if time else None
    figures = benches.run(
        name, data=data, seconds=seconds, seeds=seeds, only=only or (), keep=keep, suite=suite
    )
    answer(figures, json, benches.text(figures))
    return EXIT_GOOD if all(bar["ok"] for bar in figures["bars"]) else EXIT_FAILED


@app.command
def doctor(subject: str | None = None, *, json: Flag = False) -> int:
    """Check the environment, and a study or data file when one is named.

    Parameters
    ----------
    subject
        A study folder or a data file.
    """
    from perennial import doctor as physician

    checks = physician.examine(subject)
    answer(checks, json, physician.text(checks))
    return EXIT_GOOD if all(check["ok"] for check in checks) else EXIT_FAILED
