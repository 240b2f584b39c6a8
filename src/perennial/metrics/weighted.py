"""Metrics as functions of row weights: the same number from counts, without sorting or checking again.

Each family prepares once per prediction and then answers in one pass: means over rows, the confusion matrix,
or counts of positive and negative rows at each distinct score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from perennial.metrics.base import Weighted


def means(
    rows_of: Callable, finish: Callable[[np.ndarray], float] = lambda means: float(means.mean())
) -> Callable:
    """A metric that is a function of means over rows."""

    def resample(target: np.ndarray, prediction: np.ndarray, k: int) -> Weighted:
        rows = rows_of(target, prediction, k).reshape(len(target), -1)
        return lambda weights: finish(weights @ rows / weights.sum())

    return resample


def confused(finish: Callable[[np.ndarray], float]) -> Callable:
    """A metric that is a function of the confusion matrix (true class in rows)."""

    def resample(target: np.ndarray, labels: np.ndarray, k: int) -> Weighted:
        cells = target * k + labels
        return lambda weights: finish(np.bincount(cells, weights, k * k).reshape(k, k))

    return resample


def ranked(finish: Callable[[np.ndarray, np.ndarray], float], otherwise: float) -> Callable:
    """A metric of the order of rows, averaged over classes that have positive and negative rows."""

    def resample(target: np.ndarray, prediction: np.ndarray, k: int) -> Weighted:
        columns = []
        for positive, probability in one_against_rest(target, prediction, k):
            _, place = np.unique(probability, return_inverse=True)
            columns.append((place, positive.astype(np.float64), int(place.max()) + 1))

        def weighted(weights: np.ndarray) -> float:
            found = []
            for place, positive, places in columns:
                above = np.bincount(place, weights * positive, places)
                below = np.bincount(place, weights * (1.0 - positive), places)
                if above.sum() > 0 and below.sum() > 0:
                    found.append(finish(above, below))
            return float(np.mean(found)) if found else otherwise

        return weighted

    return resample


def one_against_rest(target: np.ndarray, prediction: np.ndarray, k: int):
    """Yields (is positive, probability): class 1 of two, every class of many, or every label."""
    if target.ndim == 2:
        yield from ((target[:, j] == 1, prediction[:, j]) for j in range(k))
    elif k == 2:
        yield target == 1, prediction[:, 1]
    else:
        yield from ((target == j, prediction[:, j]) for j in range(k))


def area(positives: np.ndarray, negatives: np.ndarray) -> float:
    """ROC area from counts at each distinct score, rising: P(positive above negative), ties count half."""
    below = np.cumsum(negatives) - 0.5 * negatives
    return float(positives @ below / (positives.sum() * negatives.sum()))


def average_precision(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Σ precision × gain in recall over falling thresholds."""
    found = np.cumsum(positives[::-1])
    called = found + np.cumsum(negatives[::-1])
    precision = found / np.where(called > 0, called, 1.0)
    return float(precision @ positives[::-1] / positives.sum())


def log_losses(target: np.ndarray, probability: np.ndarray, k: int) -> np.ndarray:
    smallest = np.finfo(np.float64).eps
    if target.ndim == 2:
        probability = np.clip(probability, smallest, 1 - smallest)
        return -np.where(target == 1, np.log(probability), np.log(1 - probability))
    return -np.log(np.clip(probability[np.arange(len(target)), target], smallest, 1.0))


def squared_probabilities(target: np.ndarray, probability: np.ndarray, k: int) -> np.ndarray:
    """Brier's sum over classes; for two classes half of it, as is usual; for labels the mean over labels."""
    if target.ndim == 2:
        return np.mean((probability - target) ** 2, axis=1)
    squares = (probability - np.eye(k)[target]) ** 2
    return squares[:, 1] if k == 2 else squares.sum(axis=1)


def balanced(counts: np.ndarray) -> float:
    support = counts.sum(axis=1)
    here = support > 0
    return float((np.diag(counts)[here] / support[here]).mean())


def f1_parts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 2 * np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1)


def f1_of_class_1(counts: np.ndarray) -> float:
    double, total = f1_parts(counts)
    return float(double[1] / total[1]) if total[1] > 0 else 0.0


def f1_mean(counts: np.ndarray) -> float:
    double, total = f1_parts(counts)
    here = total > 0
    return float((double[here] / total[here]).mean())


def kappa(power: int) -> Callable[[np.ndarray], float]:
    """Cohen's kappa; disagreements weigh by distance to the given power (0: all alike)."""

    def finish(counts: np.ndarray) -> float:
        codes = np.arange(len(counts))
        cost = np.abs(codes[:, None] - codes[None, :]) ** power if power else 1.0 - np.eye(len(counts))
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        chance = float((cost * expected).sum())
        return 1.0 - float((cost * counts).sum()) / chance if chance > 0 else 0.0

    return finish


def matthews(counts: np.ndarray) -> float:
    total, right = counts.sum(), np.trace(counts)
    true, called = counts.sum(axis=1), counts.sum(axis=0)
    spread = (total**2 - called @ called) * (total**2 - true @ true)
    return float((right * total - true @ called) / np.sqrt(spread)) if spread > 0 else 0.0


def label_parts(target: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Per row: 2 × both, then true + called, label by label."""
    return np.concatenate([2.0 * (target & labels), 1.0 * (target + labels)], axis=1)


def f1_rows(target: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    total = (target + labels).sum(axis=1)
    return np.where(total > 0, 2.0 * (target & labels).sum(axis=1) / np.where(total > 0, total, 1), 0.0)


def f1_over_labels(means: np.ndarray) -> float:
    double, total = np.split(means, 2)
    return float(np.where(total > 0, double / np.where(total > 0, total, 1.0), 0.0).mean())


def f1_pooled(means: np.ndarray) -> float:
    double, total = np.split(means, 2)
    return float(double.sum() / total.sum()) if total.sum() > 0 else 0.0


def f1_resample(multiclass: Callable, multilabel: Callable) -> Callable:
    """One form for classes, another for label sets."""

    def resample(target: np.ndarray, labels: np.ndarray, k: int) -> Weighted:
        return (multilabel if target.ndim == 2 else multiclass)(target, labels, k)

    return resample


def explained(means: np.ndarray) -> float:
    """R² per output from mean squared error, mean and mean square of the (centred) target."""
    error, mean, square = np.split(means, 3)
    spread = square - mean**2
    known = spread > 1e-300
    return float(np.where(known, 1.0 - error / np.where(known, spread, 1.0), (error <= 0) * 1.0).mean())


def explained_rows(target: np.ndarray, prediction: np.ndarray, k: int) -> np.ndarray:
    target, prediction = target.reshape(len(target), -1), prediction.reshape(len(target), -1)
    centred = target - target.mean(axis=0)
    return np.concatenate([(target - prediction) ** 2, centred, centred**2], axis=1)


def log_errors(target: np.ndarray, prediction: np.ndarray, k: int) -> np.ndarray:
    return (np.log1p(np.clip(prediction, 0, None)) - np.log1p(target)) ** 2


def root_mean(means: np.ndarray) -> float:
    return float(np.sqrt(means).mean())
