"""A task in figures that cost nothing (Brazdil, Giraud-Carrier, Soares & Vilalta 2009): what is kept of it instead of its data."""

from __future__ import annotations

import math

import numpy as np

from perennial.library.embedding import EMBEDDING, embedding
from perennial.library.records import Learnt
from perennial.task import Task


def learnt_of(task: Task, metric: str = "", baseline: float | None = None) -> Learnt:
    """A task as a library knows it, or one that asks.

    Args:
        task: with its rows.
        metric: that judged, where it was.
        baseline: what common sense gave.
    """
    told = {**description(task), EMBEDDING: embedding(task)}
    return Learnt(
        task.fingerprint, task.name, task.modality, task.problem, str(task.input_type), str(task.output_type),
        task.rows, metric, baseline, told,
    )  # fmt: skip


def description(task: Task) -> dict[str, float]:
    """Figures by which tasks are compared.

    >>> told = description(Task.from_data(([[1.0, 2.0]] * 8 + [[3.0, 4.0]] * 8, ["a", "b"] * 8)))
    >>> round(told["rows"], 2), told["classes"]
    (2.77, 2.0)
    """
    columns = list(task.inputs.values())
    kinds: dict[str, int] = {}
    for column in task.schema.columns:
        kinds[column.kind] = kinds.get(column.kind, 0) + 1
    told = {
        "rows": math.log(max(1, task.rows)),
        "cells": math.log(max(1, sum(math.prod(column.shape[1:]) for column in columns))),
        **{f"{kind} columns": math.log1p(count) for kind, count in sorted(kinds.items())},
        "classes": float(len(task.schema.classes)),
        "missing": float(np.mean([_missing(column) for column in columns])) if columns else 0.0,
    }
    if task.problem in ("binary", "multiclass"):
        shares = np.bincount(task.target[task.target >= 0]) / max(1, task.rows)
        told["imbalance"] = float(
            1.0 + (shares[shares > 0] * np.log(shares[shares > 0])).sum() / math.log(max(2, len(shares)))
        )
    return told


def _missing(column: np.ndarray) -> float:
    """The share of cells without a value."""
    if column.dtype == object:
        return float(np.mean([value is None for value in column]))
    if column.dtype.kind == "f":
        return float(np.isnan(column).mean())
    return float((column < 0).mean()) if column.dtype.kind == "i" else 0.0
