"""How good the best of a search was, and when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perennial.history import Record

ROUNDING = 1e-9


def curve_of(records: Sequence[Record], start: float = 0.0) -> list[list[float]]:
    """Second of the search and score of each trial that was better than all before it."""
    found: list[list[float]] = []
    best = -np.inf
    for record in sorted(records, key=lambda each: each.at):
        if record.trial.usable and record.trial.score > best:
            best = record.trial.score
            found.append([round(record.at - start, 1), best])
    return found


def as_good_after(curve: Sequence[Sequence[float]], goal: float) -> float | None:
    """Seconds until a search is as good as the goal; `None` when it never is.

    Args:
        curve: second and score of each trial that was better than all before it; larger is better.
        goal: a score.

    >>> as_good_after([[30.0, 0.5], [90.0, 0.7]], 0.6), as_good_after([[30.0, 0.5]], 0.6)
    (90.0, None)
    >>> as_good_after([[30.0, 0.1 + 0.2]], 0.3), as_good_after([[30.0, 0.3]], 0.1 + 0.2)  # the same but for rounding
    (30.0, 30.0)
    """
    least = goal - ROUNDING * abs(goal)
    return next((second for second, score in curve if score >= least), None)
