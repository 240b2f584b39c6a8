"""Where a model errs, whether its probabilities can be believed, and which columns it uses.

Everything is computed from out-of-fold predictions, so nothing here touches the sealed test set. Importance is by
permutation (Breiman 2001): how much the score falls when one column is shuffled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial import ensemble, metrics
from perennial.metrics import Metric
from perennial.task import Task

SMALLEST_SLICE = 20
LARGEST_SLICE_LEVELS = 12
SHOWN_SLICES = 10
SHOWN_ROWS = 8
SHOWN_CLASSES = 30
SCATTER_POINTS = 500


def of_predictions(
    task: Task,
    rows: np.ndarray,
    target: np.ndarray,
    prediction: np.ndarray,
    metric: Metric,
    decision: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that out-of-fold predictions tell, as JSON.

    Args:
        task: the training rows.
        rows: which of them the predictions speak of, `(n,)`.
        target: their true values, `(n,)` or `(n, m)`.
        prediction: `(n, k)` probabilities, `(n,)` values or `(n, m)`.
        metric: the number that counts.
        decision: how probabilities become labels.
    """
    loss = row_loss(task.problem, target, prediction)
    found: dict[str, Any] = {
        "metric": metric.name,
        "rows": len(rows),
        "slices": slices(task, rows, loss),
        "worst": worst(task, rows, target, prediction, loss),
    }
    if task.problem in ("binary", "multiclass"):
        found["confusion"] = confusion(task, target, prediction, decision)
        found["reliability"] = reliability(task.problem, target, prediction)
    elif task.problem == "regression":
        found["residuals"] = residuals(target, prediction)
    return found


def row_loss(problem: str, target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """How wrong each row is: the probability missed, the share of wrong labels, or the absolute error.

    >>> row_loss("binary", np.array([0]), np.array([[0.75, 0.25]])).tolist()
    [0.25]
    """
    if problem in ("binary", "multiclass"):
        return 1.0 - prediction[np.arange(len(target)), target]
    if problem == "multilabel":
        return np.mean((prediction >= 0.5) != target, axis=1)
    return np.abs(prediction - target).reshape(len(target), -1).mean(axis=1)


def confusion(
    task: Task, target: np.ndarray, prediction: np.ndarray, decision: dict | None
) -> dict[str, Any]:
    """Counts of true class (rows) against predicted class (columns); only the most frequent classes are shown."""
    classes = [str(name) for name in task.schema.classes]
    decided = ensemble.decide(prediction, decision)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (target, decided), 1)
    shown = np.argsort(-counts.sum(axis=1), kind="stable")[:SHOWN_CLASSES]
    shown = np.sort(shown)
    return {"classes": [classes[i] for i in shown], "counts": counts[np.ix_(shown, shown)].tolist()}


def reliability(problem: str, target: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Confidence against frequency in ten bins: of the positive class, or of the predicted class when there are many."""
    if problem == "binary":
        return metrics.calibration_table(target, prediction[:, 1], bins=10)
    top = prediction.argmax(axis=1)
    return metrics.calibration_table((top == target).astype(int), prediction.max(axis=1), bins=10)


def residuals(target: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """A sample of predicted and true values, and the quantiles of the error."""
    chosen = np.linspace(0, len(target) - 1, min(SCATTER_POINTS, len(target))).astype(int)
    error = prediction - target
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    return {
        "actual": target[chosen].tolist(),
        "predicted": prediction[chosen].tolist(),
        "quantiles": dict(zip(map(str, quantiles), np.quantile(error, quantiles).tolist(), strict=True)),
    }


def slices(task: Task, rows: np.ndarray, loss: np.ndarray) -> list[dict[str, Any]]:
    """Groups of rows, by one column each, on which the mean loss is highest; with their size and a 95 % interval."""
    overall = float(loss.mean())
    found = []
    for field, column in task.inputs.items():
        if column.ndim > 1:  # an image has no groups of its own
            continue
        for label, mask in _groups(task, field, column[rows]):
            n = int(mask.sum())
            if n < SMALLEST_SLICE or n == len(rows):
                continue
            mean, half = float(loss[mask].mean()), 1.96 * float(loss[mask].std()) / np.sqrt(n)
            found.append(
                {"column": task.schema.display_name(field), "value": label, "n": n, "loss": mean, "low": mean - half,
                 "high": mean + half, "overall": overall}
            )  # fmt: skip
    worse = [group for group in found if group["low"] > overall]
    return sorted(worse, key=lambda group: -(group["low"] - overall))[:SHOWN_SLICES]


def _groups(task: Task, field: str, column: np.ndarray):
    if column.dtype.kind in "iu":
        levels = task.schema.level_names(field)
        for code in np.unique(column)[:LARGEST_SLICE_LEVELS]:
            label = "missing" if code < 0 else str(levels[code]) if code < len(levels) else str(code)
            yield label, column == code
    elif column.dtype.kind == "f":
        missing = np.isnan(column)
        if missing.any():
            yield "missing", missing
        if (~missing).sum() >= 4 * SMALLEST_SLICE:
            edges = np.unique(np.quantile(column[~missing], [0, 0.25, 0.5, 0.75, 1.0]))
            for low, high in zip(edges[:-1], edges[1:], strict=True):
                inside = (column >= low) & ((column < high) | (high == edges[-1]) & (column <= high))
                yield f"{low:.4g} to {high:.4g}", inside


def worst(
    task: Task, rows: np.ndarray, target: np.ndarray, prediction: np.ndarray, loss: np.ndarray
) -> list[dict[str, Any]]:
    """The rows with the largest loss, with what was expected and what was predicted."""
    shown = []
    for position in np.argsort(-loss, kind="stable")[:SHOWN_ROWS]:
        actual, predicted = target[position], prediction[position]
        if task.problem in ("binary", "multiclass"):
            expected = str(task.schema.classes[actual])
            told = f"{task.schema.classes[int(predicted.argmax())]} ({predicted.max():.2f})"
        else:
            expected, told = _short(actual), _short(predicted)
        shown.append(
            {
                "row": int(rows[position]),
                "expected": expected,
                "predicted": told,
                "loss": float(loss[position]),
            }
        )
    return shown


def importance(
    task: Task,
    rows: np.ndarray,
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
    metric: Metric,
    seconds: float,
    seed: int,
) -> list[dict[str, Any]]:
    """How much the score falls when one column is shuffled, largest first; stops when the time is up.

    All columns are shuffled in one large batch, so that the model is called a few times only.

    Args:
        task: the training rows.
        rows: the sample to shuffle, `(n,)`.
        predict: the model on canonical columns.
        metric: the number that counts.
        seconds: time for it.
        seed: of the shuffles.
    """
    start = time.monotonic()
    sample = {name: column[rows] for name, column in task.inputs.items()}
    target = task.target[rows]
    whole = metric.score(target, predict(sample))
    fields, found = list(sample), []
    chunk = max(1, 20_000 // max(1, len(rows)))
    for begin in range(0, len(fields), chunk):
        if found and time.monotonic() - start > seconds:
            break
        some = fields[begin : begin + chunk]
        predictions = np.split(predict(_shuffled(sample, some, seed + begin)), len(some))
        for field, prediction in zip(some, predictions, strict=True):
            fall = whole - metric.score(target, prediction)
            found.append({"column": task.schema.display_name(field), "fall": float(fall)})
    return sorted(found, key=lambda entry: -entry["fall"])


def _shuffled(sample: dict[str, np.ndarray], fields: list[str], seed: int) -> dict[str, np.ndarray]:
    """One copy of the sample per field, with that field shuffled, stacked."""
    generator = np.random.default_rng(seed)
    n = len(next(iter(sample.values())))
    orders = {field: generator.permutation(n) for field in fields}
    return {
        name: np.concatenate([column[orders[field]] if name == field else column for field in fields])
        for name, column in sample.items()
    }


def _short(value: Any) -> str:
    array = np.atleast_1d(value)
    return ", ".join(f"{number:.4g}" for number in array[:6]) + (" …" if len(array) > 6 else "")
