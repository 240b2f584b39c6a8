"""Score a saved model on labelled rows that it was not grown on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perennial import metrics
from perennial.errors import DataError
from perennial.evaluate import unpack_array
from perennial.history import History
from perennial.lang import Program, parse
from perennial.modalities.base import counted
from perennial.modalities.examples import example_hashes
from perennial.modalities.frames import Frame
from perennial.modalities.tables import unlabelled
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.programming import share_right
from perennial.storages import SQLite
from perennial.symbolic_regression import explained_share
from perennial.synthesis.base import answers, same_value
from perennial.task import content_hashes
from perennial.weights import Weights

SHOWN_ROWS = 5


def evaluate_on(
    folder: Path, data: str, *, allow_overlap: bool = False, drop_unlabelled: bool = False, **reading: Any
) -> dict[str, Any]:
    """The metric of the study on new rows, with a 95 % interval, and what the constant baseline gets on them.

    Args:
        folder: the study.
        data: a path of data like those to learn from, with their targets.
        allow_overlap: accept rows that the model was trained on.
        drop_unlabelled: leave out rows without a target instead of refusing; of programs they always are.
        reading: `encoding`, `delimiter`, `skip_bad_lines` of a text file.

    Raises:
        DataError: the target is missing, or rows were seen in training.
    """
    model = Model.load(folder / "best")
    storage = SQLite(folder, mode="ro")
    try:
        history = History.of(storage.events())
        known = unpack_array(storage.get(history.sensed["row_hashes"]))
        constant = _constant(history, storage, model)
    finally:
        storage.close()
    rows = model.codec.read_labelled(data, **reading)
    if model.codec.batched:
        seen, figures = _scored(model, constant, history, rows, known, drop_unlabelled)
    else:
        seen, figures = _program_scored(model, constant, history, rows, known)
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
        "seen": int(seen.sum()),
        "notes": [*(rows.origin or {}).get("notes", ()), *_left_out(len(seen) - figures["n"])],
    }


def _left_out(rows: int) -> list[str]:
    return [f"{counted(rows, 'row')} without a target left out."] if rows else []


def _constant(history: History, storage: SQLite, model: Model) -> Model:
    """The common-sense baseline of the study, which reads data as the model does."""
    told = history.common_sense
    replicas = tuple(Weights.from_bytes(storage.get(blob)) for blob in told["weights"]) or (Weights({}),)
    return Model(parse(told["program"], vocabulary()), replicas, model.codec)


def _scored(
    model: Model, constant: Model, history: History, rows: Any, known: np.ndarray, drop_unlabelled: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Which rows were seen in training, and the figures."""
    kept = _labelled(rows, model.codec.targets) if drop_unlabelled else np.arange(rows.rows)
    seen, rows = np.zeros(rows.rows, dtype=bool), rows.take(kept) if drop_unlabelled else rows
    target, inputs = model.codec.encode_target(rows), model.codec.encode(rows)
    metric = metrics.resolve(history.protocol["metric"])
    prediction = metric.decided(model.predict_values(inputs), model.decision, marginals=target.ndim == 2)
    low, high = metrics.interval(metric, target, prediction, seed=history.created["seed"])
    figures = {
        "value": float(metric(target, prediction)), "low": low, "high": high, "n": len(target),
        "baseline": float(metric(target, constant.predict_values(inputs))),
    }  # fmt: skip
    seen[kept] = np.isin(content_hashes(inputs, target), known)
    return seen, figures


def _labelled(rows: Any, targets: Sequence[str]) -> np.ndarray:
    """The numbers of the rows of a table, or of the images, that have their targets.

    Raises:
        DataError: none has.
    """
    about = rows if isinstance(rows, Frame) else rows.about
    if about is None or not set(targets) <= set(about.names):
        return np.arange(rows.rows)  # the codec says what is missing
    kept = np.flatnonzero(~unlabelled([about.column(name) for name in targets]))
    if not len(kept):
        raise DataError(
            f"No row has a target ({', '.join(targets)}).",
            why="A prediction is judged by the true value.",
            todo="Fill some in.",
        )
    return kept


def _program_scored(
    model: Model, constant: Model, history: History, examples: Any, known: np.ndarray
) -> tuple[np.ndarray, dict[str, Any]]:
    known = np.concatenate([known, example_hashes([tuple(told["inputs"]) for told in history.answers])])
    judge = explained_share if history.protocol["metric"] == "r2" else _share_right
    figures = judge(model.program, examples.inputs, examples.outputs)
    figures["baseline"] = judge(constant.program, examples.inputs, examples.outputs)["value"]
    return np.isin(example_hashes(examples.inputs), known), figures


def _share_right(program: Program, inputs: Sequence[Any], outputs: Sequence[Any]) -> dict[str, Any]:
    return share_right(list(map(same_value, answers(program, inputs), outputs)))
