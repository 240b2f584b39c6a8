"""Score a saved model on labelled rows that it was not grown on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from perennial import metrics
from perennial.errors import DataError
from perennial.evaluate import unpack_array
from perennial.history import History
from perennial.model import Model
from perennial.storages import SQLite
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
    frame = model.codec.read(data, encoding=encoding)
    target = model.codec.encode_target(frame)
    inputs = model.codec.encode(frame)
    seen = np.isin(content_hashes(inputs, target), known)
    if seen.any() and not allow_overlap:
        raise DataError(
            f"{int(seen.sum())} of {frame.rows} rows were in the data this model was grown on.",
            where=f"{data}, rows {', '.join(str(row) for row in np.flatnonzero(seen)[:SHOWN_ROWS] + 1)}",
            why="A model scores better on rows it has seen; the figure would flatter.",
            todo="Leave those rows out, or accept them with --allow-overlap.",
        )
    metric = metrics.resolve(history.protocol["metric"])
    prediction = model.predict_values(inputs)
    low, high = metrics.interval(metric, target, prediction, seed=history.created["seed"])
    return {
        "study": history.created["name"],
        "metric": metric.name,
        "direction": metric.direction,
        "value": float(metric(target, prediction)),
        "low": low,
        "high": high,
        "n": frame.rows,
        "baseline": history.common_sense["value"],
        "seen": int(seen.sum()),
    }
