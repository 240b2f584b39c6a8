"""Is it more than luck: intervals, paired differences (bootstrap, Efron 1979) and calibration tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perennial.metrics.base import Metric, to_column

REPLICATES = 1000
BOOTSTRAP_ROWS = 200_000
BOOTSTRAP_WORK = 20_000_000
NORMAL_95 = 1.959963984540054
WIDTH_95 = 2 * NORMAL_95


def interval(
    metric: Metric, target: np.ndarray, prediction: np.ndarray, seed: int, groups: np.ndarray | None = None
) -> tuple[float, float]:
    """A 95 % interval of the metric: Wilson (1927) for accuracy, else the bootstrap by rows.

    Args:
        metric: what is counted.
        target, prediction: as for the metric.
        seed: of the bootstrap.
        groups: `(n,)` codes; rows of a group are drawn together, since they do not count as independent.

    >>> from perennial.metrics import resolve
    >>> low, high = interval(resolve("accuracy"), np.array([1] * 8 + [0] * 2), np.ones(10, dtype=int), seed=0)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    n, value = len(target), metric(target, prediction)
    if metric.name == "accuracy" and groups is None:
        return wilson(value, n)
    if n < 2:
        return tuple(bound if np.isfinite(bound) else value for bound in metric.bounds)
    values, shrink = _bootstrap(metric, target, [prediction], seed, groups)
    low, high = np.quantile(values[:, 0], (0.025, 0.975))
    if high - low < 1e-12 and metric.bounds == (0.0, 1.0) and metric.direction == "maximize":
        return wilson(value, _smallest_class(target, n))
    centre = float(np.median(values[:, 0])) if shrink < 1 else 0.0
    low, high = (value + (edge - centre) * shrink if shrink < 1 else edge for edge in (low, high))
    return float(min(low, value)), float(max(high, value))


def paired_difference(
    metric: Metric,
    target: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    seed: int,
    groups: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """How much better `a` is than `b` on the same rows, with a 95 % bootstrap interval.

    Args:
        metric: what is counted.
        target: the truth.
        a, b: two predictions of the same rows.
        seed: of the bootstrap.
        groups: `(n,)` codes of rows that are drawn together.

    Returns:
        `(mean, low, high)` of score(a) - score(b): positive means that `a` is better, whatever the metric's
        direction; the difference is more than luck when `low` is above 0.

    >>> from perennial.metrics import resolve
    >>> truth = np.arange(100.0)
    >>> mean, low, high = paired_difference(resolve("mae"), truth, truth + 1, truth + 3, seed=0)
    >>> round(mean, 6), round(low, 6), round(high, 6)
    (2.0, 2.0, 2.0)
    """
    mean = metric.score(target, a) - metric.score(target, b)
    if len(target) < 2:
        return mean, min(mean, 0.0), max(mean, 0.0)
    values, shrink = _bootstrap(metric, target, [a, b], seed, groups)
    differences = metric.sign * (values[:, 0] - values[:, 1])
    low, high = np.quantile(differences, (0.025, 0.975))
    if shrink < 1:
        centre = float(np.median(differences))
        low, high = mean + (low - centre) * shrink, mean + (high - centre) * shrink
    return float(mean), float(min(low, mean)), float(max(high, mean))


def standard_error(low: float, high: float) -> float:
    """The standard error that a 95 % interval stands for.

    >>> round(standard_error(-1.96, 1.96), 4)
    1.0
    """
    return (high - low) / WIDTH_95


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of `n` independent rows (Wilson 1927).

    >>> tuple(round(edge, 4) for edge in wilson(1.0, 10))
    (0.7225, 1.0)
    """
    square = NORMAL_95**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = NORMAL_95 / (1 + square / n) * np.sqrt(share * (1 - share) / n + square / (4 * n * n))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return float(min(low, share)), float(max(high, share))  # rounding may bring an edge past 0 or 1 inwards


def _smallest_class(target: np.ndarray, n: int) -> int:
    """The rows that carry the information when a bootstrap has collapsed."""
    target = to_column(np.asarray(target))
    return max(1, int(np.unique(target, return_counts=True)[1].min())) if target.ndim == 1 else n


def _bootstrap(
    metric: Metric,
    target: np.ndarray,
    predictions: Sequence[np.ndarray],
    seed: int,
    groups: np.ndarray | None,
) -> tuple[np.ndarray, float]:
    """Values `(replicates, predictions)` under the same redrawn rows, and by how much a spread
    seen on a part of many rows must shrink to hold for all of them."""
    generator, n = np.random.default_rng(seed), len(target)
    shrink = 1.0
    if n > BOOTSTRAP_ROWS and groups is None:
        rows = np.sort(generator.choice(n, BOOTSTRAP_ROWS, replace=False))
        target, predictions = np.asarray(target)[rows], [np.asarray(p)[rows] for p in predictions]
        shrink, n = float(np.sqrt(BOOTSTRAP_ROWS / n)), BOOTSTRAP_ROWS
    statistics = [metric.weighted(target, prediction) for prediction in predictions]
    codes = None if groups is None else np.unique(groups, return_inverse=True)[1]
    units = n if codes is None else int(codes.max()) + 1
    values = np.empty((int(np.clip(BOOTSTRAP_WORK / n, 200, REPLICATES)), len(statistics)))
    for replicate in values:
        drawn = np.bincount(generator.integers(0, units, units), minlength=units).astype(np.float64)
        weights = drawn if codes is None else drawn[codes]
        replicate[:] = [statistic(weights) for statistic in statistics]
    return values, shrink


def calibration_table(target: np.ndarray, probability: np.ndarray, bins: int = 10) -> dict[str, Any]:
    """Confidence against frequency, and how far they are apart.

    Args:
        target: `(n,)` of 0/1 (or codes, when `probability` has a column per class).
        probability: `(n,)` of what the probability speaks of, or `(n, k)`: then of the most probable class.
        bins: equal steps of probability; empty ones are left out.

    Returns:
        `bins`: a list of `low high n predicted observed observed_low observed_high` (95 % Wilson); `ece`: the
        expected calibration error, the mean distance weighted by rows (Naeini et al. 2015); `brier`: mean
        squared error of the probabilities.

    >>> table = calibration_table(np.array([0, 0, 1, 1]), np.array([0.1, 0.1, 0.9, 0.9]), bins=2)
    >>> round(table["ece"], 3), round(table["brier"], 3), len(table["bins"])
    (0.1, 0.01, 2)
    """
    target, probability = np.asarray(target), np.asarray(probability, dtype=np.float64)
    if probability.ndim == 2:
        target, probability = (probability.argmax(axis=1) == target).astype(int), probability.max(axis=1)
    place = np.clip((probability * bins).astype(int), 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    rows, ece = [], 0.0
    for index in np.flatnonzero(counts):
        inside, n = place == index, int(counts[index])
        confidence, frequency = float(probability[inside].mean()), float(target[inside].mean())
        low, high = wilson(frequency, n)
        ece += n / len(target) * abs(confidence - frequency)
        rows.append(
            {"low": index / bins, "high": (index + 1) / bins, "n": n, "predicted": confidence,
             "observed": frequency, "observed_low": low, "observed_high": high}
        )  # fmt: skip
    return {"bins": rows, "ece": float(ece), "brier": float(np.mean((probability - target) ** 2))}
