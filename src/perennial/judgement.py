"""Score a saved model on labelled rows that it was not grown on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from perennial import metrics
from perennial.errors import DataError
from perennial.evaluate import unpack_array
from perennial.history import History
from perennial.modalities.examples import example_hashes
from perennial.model import Model
from perennial.programming import share_right
from perennial.storages import SQLite
from perennial.symbolic_regression import explained_share
from perennial.synthesis.base import answers, same_value
from perennial.task import content_hashes

SHOWN_ROWS = 5


def evaluate_on(
    folder: Path, data: str, *, allow_overlap: bool = False, encoding: str | None = None
) -> dict[str, Any]:
    """The metric of the study on new rows, with a 95 % interval, and the constant baseline beside it.

    Args:
        folder: the study.
        data: a path of data like those to learn from, with their targets.
        allow_overlap: accept rows that the model was trained on.
        encoding: of the text file.

    Raises:
        DataError: the target is missing, or rows were seen in training.
    """
    model = Model.load(folder / "best")
    storage = SQLite(folder, mode="ro")
    try:
        history = History.of(storage.events())
        known = unpack_array(storage.get(history.sensed["row_hashes"]))
    finally:
        storage.close()
    scored = _program_scored if not model.codec.batched else _scored
    seen, figures = scored(model, history, data, known, encoding)
    if seen.any() and not allow_overlap:
        raise DataError(
            f"{int(seen.sum())} of {len(seen)} rows were in the data this model was grown on.",
            where=f"{data}, rows {', '.join(str(row) for row in np.flatnonzero(seen)[:SHOWN_ROWS] + 1)}",
            why="A model scores better on rows it has seen; the figure would flatter.",
            todo="Leave those rows out, or accept them with --allow-overlap.",
        )
    return {
        "study": history.created["name"],
        "metric": history.protocol["metric"],
        "direction": history.protocol["direction"],
        **figures,
        "baseline": history.common_sense["value"],
        "seen": int(seen.sum()),
    }


def _scored(
    model: Model, history: History, data: str, known: np.ndarray, encoding: str | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Which rows were seen in training, and the figures."""
    rows = model.codec.read_labelled(data, encoding=encoding)
    target, inputs = model.codec.encode_target(rows), model.codec.encode(rows)
    metric = metrics.resolve(history.protocol["metric"])
    prediction = model.predict_values(inputs)
    low, high = metrics.interval(metric, target, prediction, seed=history.created["seed"])
    figures = {"value": float(metric(target, prediction)), "low": low, "high": high, "n": len(target)}
    return np.isin(content_hashes(inputs, target), known), figures


def _program_scored(
    model: Model, history: History, data: str, known: np.ndarray, encoding: str | None
) -> tuple[np.ndarray, dict[str, Any]]:
    examples = model.codec.read_labelled(data, encoding=encoding)
    known = np.concatenate([known, example_hashes([tuple(told["inputs"]) for told in history.answers])])
    if history.protocol["metric"] == "r2":
        figures = explained_share(model.program, examples.inputs, examples.outputs)
    else:
        given = answers(model.program, examples.inputs)
        figures = share_right(list(map(same_value, given, examples.outputs)))
    return np.isin(example_hashes(examples.inputs), known), figures
