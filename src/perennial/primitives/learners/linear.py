"""Linear models: ridge regression (Hoerl and Kennard 1970) and logistic regression, multinomial or by
label.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, sigmoid, softmax, stacked, weights_of, width_of

MOST_STEPS = 150
LOWEST_LOGIT = -20.0
NEWTON_COLUMNS = 150
PATH_FACTOR = 4.0
PATH_STEPS = 7
SMALLEST_GAIN = 1e-3


@dataclass(frozen=True)
class Lines:
    """One linear function a column of the prediction: coefficients `(d, k)` and intercepts `(k,)`."""

    coefficients: np.ndarray
    intercepts: np.ndarray

    def scores(self, values: Any) -> np.ndarray:
        """The functions at some rows, `(n, k)`."""
        return np.asarray(values @ self.coefficients) + self.intercepts


class Linear(Predictor):
    """Ridge or logistic regression; wants scaled numbers without NaN, dense or sparse.

    With `path`, the penalty only is where a walk begins: it goes on by factors of 4, weaker or stronger,
    while the loss on the validation rows falls. Without validation rows the penalty is used as it stands.

    Args:
        penalty: of squared coefficients, against the sum of the rows' losses; larger is simpler.
        path: walk to a better penalty by the validation rows.
    """

    name, doc = "linear", "Ridge or logistic regression."
    parameters = MappingProxyType(
        {
            "penalty": Parameter(1.0, low=1e-6, high=1e6, log=True, doc="of squared coefficients"),
            "path": Parameter(
                False, options=(False, True), doc="walk to a better penalty by the validation rows"
            ),
        }
    )
    cost = 0.5

    def fit(
        self,
        inputs: tuple,
        target: np.ndarray,
        context: FitContext,
        *,
        penalty: float = 1.0,
        path: bool = False,
    ) -> State:
        """Coefficients from the training rows."""
        values, truth, n = stacked(inputs), np.asarray(target), context.train_rows
        known, weights = truth[:n], weights_of(context)
        span = _span(values[:n])
        values = values if span is None else values @ span
        rows = values[:n]

        def fit_at(strength: float, start: Lines | None = None) -> Lines:
            return _fit(rows, known, strength, weights, context, start)

        if path and len(truth) > n:
            lines = _walk(
                fit_at, lambda lines: _loss(lines.scores(values[n:]), truth[n:], context), penalty, context
            )
        else:
            lines = fit_at(penalty)
        if span is not None:
            lines = Lines(span @ lines.coefficients, lines.intercepts)
        arrays = {
            "coefficients": lines.coefficients,
            "intercepts": lines.intercepts,
            "bounds": _bounds(known, context),
        }
        return State(arrays, {"output": context.output.name})

    def call(self, *inputs: Any, state: State, penalty: float = 1.0, path: bool = False) -> np.ndarray:
        """Probabilities, or numbers within half a range of those that were seen."""
        lines = Lines(state.arrays["coefficients"], state.arrays["intercepts"])
        scores, output = lines.scores(stacked(inputs)), state.texts["output"]
        if output == "Dist":
            return softmax(scores)
        if output == "Marginals":
            return sigmoid(scores)
        clipped = np.clip(scores, *state.arrays["bounds"])
        return clipped[:, 0] if output == "Real" else clipped


def _span(rows: Any) -> np.ndarray | None:
    """Directions at right angles, `(d, n)`, that span `n` rows of more columns than rows; None for other rows.

    A penalty of squares leaves nothing of coefficients outside this span, so the fit within it is the same, of fewer numbers.
    """
    if not isinstance(rows, np.ndarray) or not 0 < len(rows) < rows.shape[1]:
        return None
    from scipy.linalg import qr

    return qr(rows.T, mode="economic", check_finite=False)[0]


def _walk(
    fit_at: Callable[..., Lines], loss: Callable[[Lines], float], penalty: float, context: FitContext
) -> Lines:
    """The best model on a walk along the penalties, which turns once and stops when the loss falls no more.

    Each fit starts from the best one so far.
    """
    best = fit_at(penalty)
    lowest, steps, longest = loss(best), 1, 0.0
    context.curve.append({"step": 0, "validation": lowest})
    for factor in (PATH_FACTOR, 1.0 / PATH_FACTOR):
        place, moved = penalty, False
        while steps < PATH_STEPS:
            begin = time.monotonic()
            if begin + 2.0 * longest > context.deadline:
                return best
            place *= factor
            candidate = fit_at(place, best)
            value, steps = loss(candidate), steps + 1
            longest = max(longest, time.monotonic() - begin)
            context.curve.append({"step": steps - 1, "validation": value})
            if not value < lowest * (1.0 - SMALLEST_GAIN):
                break
            best, lowest, moved = candidate, value, True
        if moved:
            break
    return best


def _loss(scores: np.ndarray, truth: np.ndarray, context: FitContext) -> float:
    """Mean log loss or squared error of validation rows."""
    if context.output.name == "Dist":
        chosen = softmax(scores)[np.arange(len(truth)), truth.astype(np.int64)]
        return float(-np.log(np.maximum(chosen, 1e-15)).mean())
    if context.output.name == "Marginals":
        return float(np.logaddexp(0.0, np.where(truth > 0, -scores, scores)).mean())
    return float(((scores - truth.reshape(scores.shape)) ** 2).mean())


def _bounds(known: np.ndarray, context: FitContext) -> np.ndarray:
    """Lowest and highest prediction of numbers, half a range beyond those seen."""
    if context.output.name not in ("Real", "Tensor"):
        return np.empty((2, 0))
    numbers = known.reshape(len(known), -1).astype(np.float64)
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    return np.stack([low - 0.5 * (high - low), high + 0.5 * (high - low)])


def _fit(
    values: Any,
    truth: np.ndarray,
    penalty: float,
    weights: np.ndarray | None,
    context: FitContext,
    start: Lines | None,
) -> Lines:
    if context.output.name == "Dist":
        return _logistic(values, truth.astype(np.int64), width_of(context), penalty, weights, start)
    if context.output.name == "Marginals":
        labels = [_logistic(values, column.astype(np.int64), 2, penalty, weights) for column in truth.T]
        coefficients = np.column_stack(
            [label.coefficients[:, 1] - label.coefficients[:, 0] for label in labels]
        )
        return Lines(coefficients, np.array([label.intercepts[1] - label.intercepts[0] for label in labels]))
    return _ridge(values, truth.reshape(len(truth), -1), penalty, weights)


def _ridge(values: Any, truth: np.ndarray, penalty: float, weights: np.ndarray | None) -> Lines:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=penalty, solver="auto").fit(values, truth, sample_weight=weights)
    return Lines(np.reshape(model.coef_, (truth.shape[1], -1)).T, np.reshape(model.intercept_, -1))


def _logistic(
    values: Any,
    truth: np.ndarray,
    k: int,
    penalty: float,
    weights: np.ndarray | None,
    start: Lines | None = None,
) -> Lines:
    """A class without rows gets a very low intercept.

    Newton steps (exact, few) where their matrix is small, else L-BFGS, which may stop a little early.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    coefficients, intercepts = np.zeros((values.shape[1], k)), np.full(k, LOWEST_LOGIT)
    present = np.unique(truth)
    if len(present) == 1:
        intercepts[present[0]] = 0.0
        return Lines(coefficients, intercepts)
    newton = len(present) == 2 and values.shape[1] <= NEWTON_COLUMNS and isinstance(values, np.ndarray)
    solver = "newton-cholesky" if newton else "lbfgs"
    model = LogisticRegression(C=1.0 / penalty, solver=solver, max_iter=MOST_STEPS, warm_start=True)
    if start is not None:
        chosen = present[1:] if len(present) == 2 else present
        model.coef_, model.intercept_ = (
            start.coefficients[:, chosen].T.copy(),
            start.intercepts[chosen].copy(),
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values, truth, sample_weight=weights)
    if len(present) == 2:
        coefficients[:, present[1]] = model.coef_[0]
        intercepts[present] = [0.0, model.intercept_[0]]
    else:
        coefficients[:, present] = model.coef_.T
        intercepts[present] = model.intercept_
    return Lines(coefficients, intercepts)


linear = Linear()
