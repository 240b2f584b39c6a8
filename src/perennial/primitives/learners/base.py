"""What statistical learners share: they take tensors, some also categories, and predict whatever is asked.

An author of a new learner writes `fit` and `call`; `FitContext.output` says what to predict: `Dist[k]`,
`Real`, `Tensor[m]` or `Marginals[m]`. Promises: the state holds arrays and text only and gives bit-equal
predictions after a round trip; a class that the training rows lack still has its column; `fit` returns by
the deadline with what it has; the same seed gives the same state. The contract is
`perennial.testing.words.check_learner`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from perennial.errors import TypeMismatch
from perennial.lang.ops import FitContext, Learner
from perennial.lang.types import Record, Tensor, Type, TypeVar, fresh


class Predictor(Learner):
    """A learner at the end of a program."""

    takes_categories = False

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here, from at least one tensor."""
        for kind in types:
            if isinstance(kind, Tensor | TypeVar) or (self.takes_categories and isinstance(kind, Record)):
                continue
            raise TypeMismatch(f"`{self.name}` takes tensors, received {kind}.")
        if not types:
            raise TypeMismatch(f"`{self.name}` takes at least one argument, received none.")
        return fresh("prediction")


def dense(inputs: tuple) -> np.ndarray:
    """All tensors side by side as one dense array; records of categories as codes, NaN where missing."""
    parts = []
    for value in inputs:
        if isinstance(value, dict):
            parts += [
                np.where(column < 0, np.nan, column.astype(np.float64))[:, None] for column in value.values()
            ]
        else:
            parts.append(value.toarray() if hasattr(value, "toarray") else value)
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def stacked(inputs: tuple) -> Any:
    """All tensors side by side, sparse when one of them is."""
    from scipy import sparse

    if any(sparse.issparse(value) for value in inputs):
        return sparse.hstack([sparse.csr_matrix(value) for value in inputs], format="csr")
    return dense(inputs)


def weights_of(context: FitContext) -> np.ndarray | None:
    """The weights of the training rows, or None when they are all alike."""
    return None if context.sample_weight is None else np.asarray(context.sample_weight)[: context.train_rows]


def width_of(context: FitContext) -> int:
    """How many columns the prediction has: classes, labels or targets; 1 for a number."""
    return 1 if context.output.name == "Real" else int(context.output.arguments[0])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities from logits, row by row."""
    powered = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powered / powered.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probability from a logit, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))
