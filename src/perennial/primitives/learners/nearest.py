"""k nearest neighbours (Fix and Hodges 1951; Cover and Hart 1967), weighted by distance."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, dense, weights_of, width_of

MOST_ROWS = 10_000
CHUNK = 1_000
SMALLEST_WEIGHT = 1e-12


class KNearest(Predictor):
    """The weighted mean over the closest training rows; wants scaled numbers without NaN.

    Keeps at most 10 000 training rows, drawn at random.

    Args:
        neighbours: how many.
        sharpness: weights are distance to the power of minus this; 0 counts all alike.
    """

    name, doc = "k_nearest", "The mean over the closest training rows."
    keeps_rows = True
    parameters = MappingProxyType(
        {
            "neighbours": Parameter(15, low=1, high=200, log=True, doc="closest training rows"),
            "sharpness": Parameter(1.0, low=0.0, high=3.0, doc="how much closer ones count more"),
        }
    )

    def fit(
        self,
        inputs: tuple,
        target: np.ndarray,
        context: FitContext,
        *,
        neighbours: int = 15,
        sharpness: float = 1.0,
    ) -> State:
        rows = np.random.default_rng(context.seed).permutation(context.train_rows)[:MOST_ROWS]
        values, truth = dense(inputs)[np.sort(rows)], np.asarray(target)[np.sort(rows)]
        if context.output.name == "Dist":
            truth = np.eye(width_of(context))[truth.astype(np.int64)]
        truth, weights = truth.reshape(len(truth), -1).astype(np.float64), weights_of(context)
        counts = (
            np.ones(len(truth)) if weights is None else np.maximum(weights[np.sort(rows)], SMALLEST_WEIGHT)
        )
        prior = counts @ truth / counts.sum()
        arrays = {"values": values.astype(np.float32), "truth": truth, "counts": counts, "prior": prior}
        return State(arrays, {"output": context.output.name})

    def call(self, *inputs: Any, state: State, neighbours: int = 15, sharpness: float = 1.0) -> np.ndarray:
        known, truth = state.arrays["values"], state.arrays["truth"]
        asked, count = dense(inputs).astype(np.float32), min(neighbours, len(known))
        lengths, result = (known**2).sum(axis=1), np.empty((len(asked), truth.shape[1]))
        for start in range(0, len(asked), CHUNK):
            part = asked[start : start + CHUNK]
            squared = np.maximum((part**2).sum(axis=1)[:, None] + lengths - 2 * part @ known.T, 0.0)
            nearest = np.argpartition(squared, count - 1, axis=1)[:, :count]
            distance = np.sqrt(np.take_along_axis(squared, nearest, axis=1)).astype(np.float64)
            weight = state.arrays["counts"][nearest] / (distance + 1e-3) ** sharpness
            mean = (weight[:, :, None] * truth[nearest]).sum(axis=1) / weight.sum(axis=1)[:, None]
            result[start : start + CHUNK] = mean
        if state.texts["output"] in ("Dist", "Marginals"):
            result = np.clip((count * result + state.arrays["prior"]) / (count + 1), 0.0, 1.0)
        return result[:, 0] if state.texts["output"] == "Real" else result


k_nearest = KNearest()
