"""A metric: one number for a prediction, with its direction, what it looks at and what it accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perennial.errors import DataError, Diverged

Weighted = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Metric:
    """One way to judge predictions, with its direction and what it accepts.

    Args:
        name: such as `roc_auc`.
        direction: `maximize` or `minimize`.
        input: what it looks at: `probability`, `label` (probabilities are decided first) or `value`.
        problems: the problems it can judge.
        function: `(target, prediction, k) -> float`; `k` classes, labels or outputs.
        resample: `(target, prediction, k) -> (weights -> float)`: the same value with row `i` counted
            `weights[i]` times; `None` repeats rows and calls `function`.
        text: what it means, for people.
        bounds: lowest and highest possible value.

    >>> from perennial.metrics import resolve
    >>> resolve("accuracy")(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    >>> resolve("rmse").score(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    -1.0
    """

    name: str
    direction: str
    input: str
    problems: tuple[str, ...]
    function: Callable[[np.ndarray, np.ndarray, int], float] = field(repr=False)
    resample: Callable[[np.ndarray, np.ndarray, int], Weighted] | None = field(default=None, repr=False)
    text: str = field(default="", repr=False)
    bounds: tuple[float, float] = (0.0, 1.0)

    def __call__(
        self, target: np.ndarray, prediction: np.ndarray, decision: dict[str, Any] | None = None
    ) -> float:
        """The value as people read it.

        Args:
            target: codes `(n,)`, values `(n,)`, or `(n, m)` for several labels or outputs. A code outside
                `0 … k-1` is a class that the model has never seen: such rows count as errors.
            prediction: probabilities `(n, k)` or of class 1 `(n,)`, decided labels `(n,)` of integers,
                marginals `(n, m)`, or values shaped like the target.
            decision: how probabilities become labels (see `decide`); only for metrics of labels.

        Raises:
            DataError: the shapes do not fit.
            Diverged: the prediction holds NaN or infinity.
        """
        return float(self.function(*self._prepare(target, prediction, decision)))

    def score(
        self, target: np.ndarray, prediction: np.ndarray, decision: dict[str, Any] | None = None
    ) -> float:
        """The value turned so that larger is better."""
        return self.sign * self(target, prediction, decision)

    def value(self, score: float) -> float:
        """The value that belongs to a score.

        >>> from perennial.metrics import resolve
        >>> resolve("rmse").value(-2.5)
        2.5
        """
        return self.sign * score

    @property
    def sign(self) -> float:
        """1 when larger values are better, else -1."""
        return 1.0 if self.direction == "maximize" else -1.0

    def weighted(
        self, target: np.ndarray, prediction: np.ndarray, decision: dict[str, Any] | None = None
    ) -> Weighted:
        """A fast function of row weights; weights of one give the value itself (to rounding).

        >>> from perennial.metrics import resolve
        >>> by_weight = resolve("mae").weighted(np.array([0.0, 0.0]), np.array([1.0, 3.0]))
        >>> by_weight(np.array([1.0, 1.0])), by_weight(np.array([2.0, 0.0]))
        (2.0, 1.0)
        """
        target, prediction, k = self._prepare(target, prediction, decision)
        if self.resample is not None:
            return self.resample(target, prediction, k)

        def repeated(weights: np.ndarray) -> float:
            rows = np.repeat(np.arange(len(target)), weights.astype(np.int64))
            return self.function(target[rows], prediction[rows], k)

        return repeated

    def decided(
        self, prediction: np.ndarray, decision: dict[str, Any] | None, marginals: bool = False
    ) -> np.ndarray:
        """What people are told, which is what a test judges: labels, where the metric is one of labels and there is a way
        to decide; else the prediction as it is.

        Args:
            prediction, decision, marginals: as for `decide`.
        """
        return decide(prediction, decision, marginals) if self.input == "label" and decision else prediction

    def _prepare(
        self, target: np.ndarray, prediction: np.ndarray, decision: dict[str, Any] | None
    ) -> tuple[np.ndarray, np.ndarray, int]:
        target, prediction = to_column(np.asarray(target)), to_column(np.asarray(prediction))
        _check_shapes(self, target, prediction)
        if self.input == "value":
            values = prediction.astype(np.float64)
            return target.astype(np.float64), values, 1 if values.ndim == 1 else values.shape[1]
        if target.ndim == 2:
            decided = decide(prediction, decision, marginals=True) if self.input == "label" else prediction
            return target.astype(np.int64), decided, target.shape[1]
        target, prediction, k = _with_unseen_classes(target, prediction)
        if self.input == "label" and prediction.ndim == 2:
            prediction = decide(prediction, decision)
        return target, prediction, k

    def __reduce__(self):
        """Metrics of this file travel to workers by name."""
        from perennial.metrics.catalogue import METRICS, resolve

        if METRICS.get(self.name) is self:
            return resolve, (self.name,)
        return super().__reduce__()


def decide(
    prediction: np.ndarray, decision: dict[str, Any] | None = None, marginals: bool = False
) -> np.ndarray:
    """Turns probabilities into labels.

    Args:
        prediction: `(n, k)` class probabilities, or `(n, m)` marginals of labels; integers are labels
            already.
        decision: `{"threshold": t}` (class 1, or each label, from probability `t` on), `{"weights": [k
            numbers]}` (the class with the largest weighted probability); `None` or `{}` takes the most
            probable class, or 0.5.
        marginals: the columns are independent labels, not classes.

    Returns:
        `(n,)` int64 codes, or `(n, m)` of 0/1.

    >>> decide(np.array([[0.6, 0.4], [0.8, 0.2]]), {"threshold": 0.3}).tolist()
    [1, 0]
    """
    prediction, decision = np.asarray(prediction), decision or {}
    if prediction.dtype.kind in "iub":
        return prediction.astype(np.int64)
    threshold = decision.get("threshold")
    if marginals:
        return (prediction >= (0.5 if threshold is None else threshold)).astype(np.int64)
    if threshold is not None:
        return (prediction[:, 1] >= threshold).astype(np.int64)
    if decision.get("weights") is not None:
        weights = np.asarray(decision["weights"], dtype=np.float64)
        extra = prediction.shape[1] - len(weights)
        prediction = prediction * np.concatenate([weights, np.zeros(max(0, extra))])
    return prediction.argmax(axis=1).astype(np.int64)


def unseen_class_rows(target: np.ndarray, k: int) -> np.ndarray:
    """Row numbers whose class is none of the `k` that the model knows; metrics count them as errors.

    >>> unseen_class_rows(np.array([0, -2, 1, 5]), 2).tolist()
    [1, 3]
    """
    target = to_column(np.asarray(target))
    return np.flatnonzero((target < 0) | (target >= k))


def to_column(array: np.ndarray) -> np.ndarray:
    """`(n, 1)` as `(n,)`; anything else as it is."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _check_shapes(metric: Metric, target: np.ndarray, prediction: np.ndarray) -> None:
    if len(target) != len(prediction) or len(target) == 0:
        raise DataError(
            f"{metric.name} needs one prediction a row, "
            f"received {len(target)} targets and {len(prediction)} predictions.",
            where=f"target {target.shape}, prediction {prediction.shape}",
            why="Rows would be compared with predictions of other rows.",
            todo="Predict on the rows that the target speaks of, in the same order.",
        )
    fits = (
        target.shape == prediction.shape
        if metric.input == "value" or target.ndim == 2
        else prediction.ndim <= 2
    )
    if target.ndim > 2 or not fits:
        raise DataError(
            f"{metric.name} received a target of shape {target.shape} "
            f"and a prediction of shape {prediction.shape}.",
            why="They do not describe the same columns.",
            todo="Give values shaped like the target, or one probability per class.",
        )
    if not np.isfinite(prediction).all():
        bad = int((~np.isfinite(prediction)).sum())
        raise Diverged("The predictions hold NaN or infinity.", where=f"{bad} of {prediction.size} values")


def _with_unseen_classes(target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Codes from 0, normalised probabilities; unseen classes become one more class, never predicted."""
    target = target.astype(np.int64)
    if prediction.dtype.kind in "iub":
        k = int(max(target.max(), prediction.max(), 1)) + 1
        return np.where(target < 0, k, target), prediction.astype(np.int64), k + int((target < 0).any())
    if prediction.ndim == 1:
        prediction = np.column_stack([1.0 - prediction, prediction])
    probability = np.clip(prediction.astype(np.float64), 0.0, None)
    total = probability.sum(axis=1, keepdims=True)
    k = probability.shape[1]
    probability = np.where(total > 0, probability / np.where(total > 0, total, 1.0), 1.0 / k)
    unseen = (target < 0) | (target >= k)
    if unseen.any():
        target = np.where(unseen, k, target)
        probability = np.column_stack([probability, np.zeros(len(target))])
    return target, probability, probability.shape[1]
