"""The contract of metrics: what every member of `perennial.metrics.METRICS`, and each of yours, must keep.

>>> from perennial.metrics import resolve
>>> check_metric(resolve("roc_auc"))
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from perennial.errors import DataError, Diverged
from perennial.metrics import Metric


def check_metric(metric: Metric, seed: int = 0) -> None:
    """Raises AssertionError with a sentence when a metric breaks a clause.

    Args:
        metric: the member to check, on an example of every problem it claims.
        seed: of the examples.
    """
    assert metric.direction in ("maximize", "minimize"), f"{metric.name}: direction is {metric.direction!r}."
    assert metric.input in ("probability", "label", "value"), f"{metric.name}: input is {metric.input!r}."
    assert metric.problems, f"{metric.name} judges no problem."
    for problem in metric.problems:
        for target, good, poor in examples(problem, seed):
            where = f"{metric.name} on {problem}"
            _check_values(metric, target, good, poor, where)
            _check_weights(metric, target, good, where, seed)
            _check_shapes(metric, target, good, where)


def examples(
    problem: str, seed: int = 0, rows: int = 60
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields (target, a good prediction, a poor one) of a problem; the second time with one class missing."""
    generator = np.random.default_rng(seed)
    if problem in ("regression", "multiregression"):
        shape = (rows,) if problem == "regression" else (rows, 3)
        target = generator.uniform(1.0, 9.0, shape)
        yield target, target + generator.normal(0, 0.3, shape), generator.permutation(target)
    elif problem == "multilabel":
        target = generator.integers(0, 2, (rows, 4))
        yield target, _towards(target, 0.8, generator), _towards(1 - target, 0.6, generator)
        target[:, 2] = 0
        yield target, _towards(target, 0.8, generator), _towards(1 - target, 0.6, generator)
    else:
        k = 2 if problem == "binary" else 4
        target = generator.integers(0, k, rows)
        for truth in (target, np.where(target == k - 1, 0, target) if k > 2 else target):
            wrong = (truth + 1) % k
            yield truth, _shares(np.eye(k)[truth], generator), _shares(np.eye(k)[wrong], generator)


def _towards(target: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    noise = generator.random(target.shape)
    return strength * target + (1 - strength) * noise


def _shares(certain: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    noisy = 0.6 * certain + 0.4 * generator.dirichlet(np.ones(certain.shape[1]), len(certain))
    flipped = generator.random(len(certain)) < 0.15
    noisy[flipped] = np.roll(noisy[flipped], 1, axis=1)
    return noisy / noisy.sum(axis=1, keepdims=True)


def _check_values(metric: Metric, target: np.ndarray, good: np.ndarray, poor: np.ndarray, where: str) -> None:
    value, score = metric(target, good), metric.score(target, good)
    assert isinstance(value, float) and math.isfinite(value), (
        f"{where}: the value must be a finite float, is {value!r}."
    )
    assert math.isclose(metric.value(score), value), f"{where}: value(score) must give the value back."
    assert metric.bounds[0] - 1e-9 <= value <= metric.bounds[1] + 1e-9, (
        f"{where}: {value} is outside {metric.bounds}."
    )
    assert score > metric.score(target, poor), (
        f"{where}: a good prediction must score higher than a poor one."
    )
    order = np.random.default_rng(1).permutation(len(target))
    shuffled = metric(target[order], good[order])
    assert math.isclose(shuffled, value, rel_tol=1e-9, abs_tol=1e-12), (
        f"{where}: the order of rows must not matter."
    )


def _check_weights(metric: Metric, target: np.ndarray, good: np.ndarray, where: str, seed: int) -> None:
    generator, weighted = np.random.default_rng(seed), metric.weighted(target, good)
    assert math.isclose(weighted(np.ones(len(target))), metric(target, good), rel_tol=1e-7, abs_tol=1e-9), (
        f"{where}: with weights of one the weighted form must give the value."
    )
    for _ in range(3):
        counts = np.bincount(generator.integers(0, len(target), len(target)), minlength=len(target)).astype(
            float
        )
        rows = np.repeat(np.arange(len(target)), counts.astype(int))
        repeated = metric(target[rows], good[rows])
        assert math.isclose(weighted(counts), repeated, rel_tol=1e-7, abs_tol=1e-9), (
            f"{where}: weights {weighted(counts)} must equal repeated rows {repeated}."
        )


def _check_shapes(metric: Metric, target: np.ndarray, good: np.ndarray, where: str) -> None:
    _refuses(metric, target[:-1], good, DataError, f"{where}: different lengths must be refused.")
    _refuses(metric, target[:0], good[:0], DataError, f"{where}: no rows must be refused.")
    if target.ndim == 1:
        same = metric(target[:, None], good)
        assert same == metric(target, good), f"{where}: a target of shape (n, 1) must be taken as (n,)."
    broken = np.array(good, dtype=float)
    broken[0] = np.nan
    _refuses(metric, target, broken, Diverged, f"{where}: NaN must be refused, never ranked.")


def _refuses(
    metric: Metric, target: np.ndarray, prediction: np.ndarray, error: type[Exception], sentence: str
) -> None:
    try:
        metric(target, prediction)
    except error:
        return
    raise AssertionError(sentence)
