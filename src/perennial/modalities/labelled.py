"""Rows with their targets: from one table, or from features and targets given apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from perennial.errors import DataError
from perennial.modalities.base import Finding
from perennial.modalities.frames import Frame
from perennial.modalities.reading import frame_from, read_table
from perennial.modalities.tables import as_frame, refuse_unlabelled, unlabelled

SHOWN = 5


def read_labelled(data: Any, target: Any, reading: dict[str, Any]) -> tuple[Frame, Any]:
    """A frame with features and targets, and the names of the targets (None when not known yet).

    Args:
        data: a path, whatever `frame_from` takes, or a pair of features and targets.
        target: the names, for data that are not a pair.
        reading: `encoding`, `delimiter`, `skip_bad_lines` and `as_written` of a text file.

    Raises:
        DataError: features and targets differ in length, and all that reading raises.
    """
    if isinstance(data, str | os.PathLike):
        return read_table(data, **reading), target
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data, Frame):
        return _joined(*data)
    return as_frame(data), target


def _joined(features: Any, targets: Any) -> tuple[Frame, Any]:
    """Features and targets given apart; the targets are called `target`, or `target_0`, `target_1` …"""
    frame = frame_from(features)
    columns = _target_columns(targets)
    if len(columns[0]) != frame.rows:
        raise DataError(
            f"x has {frame.rows} rows and y has {len(columns[0])}.",
            why="Each row needs its own target.",
            todo="Check which rows are missing.",
        )
    names = ["target"] if len(columns) == 1 else [f"target_{number}" for number in range(len(columns))]
    names = [name if name not in frame.names else f"{name}_of_y" for name in names]
    goals = frame_from(dict(zip(names, columns, strict=True)))
    together = Frame((*frame.names, *goals.names), (*frame.columns, *goals.columns), frame.origin)
    return together, names[0] if len(names) == 1 else names


def _target_columns(targets: Any) -> list[Any]:
    """The columns of targets given as one sequence or as a table."""
    try:
        goal = np.asarray(targets)
    except ValueError:  # rows of different lengths: each row is a list of labels
        return [list(targets)]
    if goal.ndim not in (1, 2) or goal.shape[-1] == 0:
        raise DataError(
            f"Targets are one value, or one row of values, for each row; received shape {goal.shape}.",
            todo="Give y with the shape (rows,) or (rows, targets).",
        )
    return [goal] if goal.ndim == 1 else list(goal.T)


def keep_labelled(
    frame: Frame,
    names: Sequence[str],
    weights: np.ndarray | None,
    drop_unlabelled: bool,
    findings: list[Finding],
) -> tuple[Frame, np.ndarray | None]:
    """The rows that have a target, if it is allowed to leave the others out."""
    missing = unlabelled([frame.column(column) for column in names])
    if not missing.any():
        return frame, weights
    if not drop_unlabelled:
        refuse_unlabelled(missing, names)
    rows = ", ".join(str(row + 1) for row in np.flatnonzero(missing)[:SHOWN])
    findings.append(
        Finding(
            "unlabelled",
            "warning",
            f"{int(missing.sum())} of {len(missing)} rows have no target.",
            f"rows {rows}",
            "Nothing can be learnt from them.",
            "They are left out, as you said.",
            "--drop-unlabelled",
        )
    )
    frame = frame.take(np.flatnonzero(~missing))
    refuse_few(frame)
    return frame, None if weights is None else weights[~missing]


def refuse_few(frame: Frame) -> None:
    """Raises DataError for fewer than two rows."""
    if frame.rows < 2:
        raise DataError(
            f"The table has {frame.rows} row{'s' * (frame.rows != 1)} to learn from.",
            where=str(frame.origin.get("path", "")),
            why="At least two are needed: one to learn from and one to judge by.",
            todo="Check the export.",
        )


def checked_weights(sample_weight: Any, rows: int) -> np.ndarray | None:
    """How much each row counts, `(rows,)`; DataError unless finite, not negative and not all zero."""
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        weights = np.full(rows, np.nan)
    if len(weights) != rows or not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise DataError(
            "Sample weights must be finite, not negative, not all zero, and one for each row.",
            where=f"{len(weights)} weights for {rows} rows",
            why="Any other weights make every score meaningless.",
            todo="Correct them, or leave them out.",
        )
    return weights
