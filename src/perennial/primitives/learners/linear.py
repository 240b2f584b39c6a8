"""Linear models: ridge regression (Hoerl and Kennard 1970) and logistic regression, multinomial or one per label."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, sigmoid, softmax, stacked, weights_of, width_of

MOST_STEPS = 300


class Linear(Predictor):
    """Ridge or logistic regression; wants scaled numbers without NaN, dense or sparse.

    Args:
        penalty: of squared coefficients, relative to the number of rows; larger is simpler.
    """

    name, doc = "linear", "Ridge or logistic regression."
    parameters = MappingProxyType({"penalty": Parameter(1.0, low=1e-4, high=1e4, log=True, doc="of squared coefficients")})
    cost = 0.5

    def fit(self, inputs: tuple, target: np.ndarray, context: FitContext, *, penalty: float = 1.0) -> State:
        values = stacked(inputs)[: context.train_rows]
        truth, weights = np.asarray(target)[: context.train_rows], weights_of(context)
        if context.output.name == "Dist":
            coefficients, intercepts = _logistic(values, truth, width_of(context), penalty, weights, context.deadline)
        elif context.output.name == "Marginals":
            fits = [_logistic(values, column, 2, penalty, weights, context.deadline) for column in truth.T]
            coefficients = np.column_stack([coefficient[:, 1] for coefficient, _ in fits])
            intercepts = np.array([intercept[1] - intercept[0] for _, intercept in fits])
        else:
            coefficients, intercepts = _ridge(values, truth.reshape(len(truth), -1), penalty, weights)
        bounds = np.empty((2, 0))
        if context.output.name in ("Real", "Tensor"):
            numbers = truth.reshape(len(truth), -1).astype(np.float64)
            margin = 0.5 * (numbers.max(axis=0) - numbers.min(axis=0))
            bounds = np.stack([numbers.min(axis=0) - margin, numbers.max(axis=0) + margin])
        return State({"coefficients": coefficients, "intercepts": intercepts, "bounds": bounds}, {"output": context.output.name})

    def call(self, *inputs: Any, state: State, penalty: float = 1.0) -> np.ndarray:
        scores = np.asarray(stacked(inputs) @ state.arrays["coefficients"]) + state.arrays["intercepts"]
        output = state.texts["output"]
        if output == "Dist":
            return softmax(scores)
        if output == "Marginals":
            return sigmoid(scores)
        clipped = np.clip(scores, *state.arrays["bounds"])
        return clipped[:, 0] if output == "Real" else clipped


def _ridge(values: Any, truth: np.ndarray, penalty: float, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=penalty, solver="auto").fit(values, truth, sample_weight=weights)
    return np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)


def _logistic(
    values: Any, truth: np.ndarray, k: int, penalty: float, weights: np.ndarray | None, deadline: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients `(d, k)` and intercepts `(k,)`; a class without rows gets a very low intercept."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    coefficients, intercepts = np.zeros((values.shape[1], k)), np.full(k, -20.0)
    present = np.unique(truth)
    if len(present) == 1:
        intercepts[int(present[0])] = 0.0
        return coefficients, intercepts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=1.0 / penalty, max_iter=MOST_STEPS, tol=1e-4).fit(values, truth, sample_weight=weights)
    if len(present) == 2:
        coefficients[:, int(present[1])] = model.coef_[0]
        intercepts[present.astype(int)] = [0.0, model.intercept_[0]]
    else:
        coefficients[:, present.astype(int)] = model.coef_.T
        intercepts[present.astype(int)] = model.intercept_
    return coefficients, intercepts


linear = Linear()
