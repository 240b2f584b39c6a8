"""What a linear model says of a row, as numbers for another learner (stacking, Wolpert 1992)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import TypeMismatch
from perennial.lang.ops import FitContext, Learner, Parameter, State
from perennial.lang.types import Dist, Marginals, Real, Tensor, Type, TypeVar, fresh
from perennial.primitives.learners.linear import linear

FOLDS = 5
SMALLEST_SHARE = 1e-6


class LinearScore(Learner):
    """Log-odds of classes or labels, or the predicted numbers, by a linear model; one column each.

    Lets trees use many weak columns, such as the terms of a text, through one strong one. Training rows get
    scores of models that have not seen them, so the learner above cannot trust them too much.
    """

    name, doc = "linear_score", "What a linear model says of a row, out of fold on the training rows."
    parameters = MappingProxyType(
        {"penalty": Parameter(1.0, low=1e-6, high=1e6, log=True, doc="of squared coefficients")}
    )
    cost = 2.0

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """A tensor, from one tensor."""
        if len(types) != 1 or not isinstance(types[0], Tensor | TypeVar):
            raise TypeMismatch(f"`linear_score` takes one tensor, received {', '.join(map(str, types))}.")
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, penalty: float = 1.0) -> State:
        """A linear model of the training rows."""
        return linear.fit(inputs, *_asked(target, context), penalty=penalty)

    def fit_call(
        self, inputs: tuple, target: Any, context: FitContext, *, penalty: float = 1.0
    ) -> tuple[State, Any]:
        """The model, and scores that are out of fold for training rows."""
        target, context = _asked(target, context)
        state = linear.fit(inputs, target, context, penalty=penalty)
        scores, n = self.call(*inputs, state=state, penalty=penalty), context.train_rows
        folds = np.random.default_rng(context.seed).permutation(n) % FOLDS
        for fold in range(FOLDS):
            inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            if len(inside) and len(outside):
                weights = (
                    None if context.sample_weight is None else np.asarray(context.sample_weight)[outside]
                )
                part = replace(context, train_rows=len(outside), sample_weight=weights)
                fitted = linear.fit((inputs[0][outside],), target[outside], part, penalty=penalty)
                scores[inside] = self.call(inputs[0][inside], state=fitted, penalty=penalty)
        return state, scores

    def call(self, *inputs: Any, state: State, penalty: float = 1.0) -> np.ndarray:
        """The scores, `(n, columns)`."""
        predicted = linear.call(*inputs, state=state, penalty=penalty)
        if state.texts["output"] in ("Dist", "Marginals"):
            share = np.clip(predicted, SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
            odds = np.log(share / (1.0 - share))
            return odds[:, 1:] if odds.shape[1] == 2 and state.texts["output"] == "Dist" else odds
        return predicted if predicted.ndim == 2 else predicted[:, None]


def _asked(target: Any, context: FitContext) -> tuple[np.ndarray, FitContext]:
    """The target, and a context that asks for its prediction; inside a program an encoder is asked for a
    tensor.
    """
    truth = np.asarray(target)
    if truth.dtype.kind in "iu":
        known = truth[: context.train_rows]
        output = Marginals(truth.shape[1]) if truth.ndim == 2 else Dist(max(2, int(known.max(initial=1)) + 1))
    else:
        output = Real if truth.ndim == 1 else Tensor(truth.shape[1])
    return truth, replace(context, output=output)


linear_score = LinearScore()
