"""Words that work on predictions: average several, sharpen or soften one."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang.ops import Op, Parameter
from perennial.lang.types import Arrow, TypeVar


class WeightedAverage(Op):
    """A weighted mean of predictions of one type; the weights are divided by their sum."""

    name, doc, differentiable = "weighted_average", "The weighted mean of several predictions.", True
    parameters = MappingProxyType({"weights": Parameter((), doc="one a prediction; none means equal")})

    def arrow(self, count: int) -> Arrow:
        if count < 1:
            raise TypeMismatch("`weighted_average` takes at least one prediction, received none.")
        return Arrow(*[TypeVar("a")] * (count + 1))

    def call(self, *values: Any, weights: tuple[float, ...] = ()) -> np.ndarray:
        if weights and len(weights) != len(values):
            raise ProgramError(
                f"`weighted_average` received {len(values)} predictions and {len(weights)} weights."
            )
        shares = np.asarray(weights or [1.0] * len(values), dtype=np.float64)
        return sum(share * value for share, value in zip(shares / shares.sum(), values, strict=True))


class Calibrate(Op):
    """Class probabilities at a temperature (Guo et al. 2017): their logarithms are divided by it."""

    name, doc, differentiable = (
        "calibrate",
        "Probabilities made more careful (above 1) or bolder (below 1).",
        True,
    )
    parameters = MappingProxyType({"temperature": Parameter(1.0, low=0.01, high=100.0, log=True)})

    def arrow(self, count: int) -> Arrow:
        if count != 1:
            raise TypeMismatch(f"`calibrate` takes one prediction, received {count}.")
        return Arrow(TypeVar("a"), TypeVar("a"))

    def call(self, *values: Any, temperature: float = 1.0) -> np.ndarray:
        logits = np.log(np.clip(values[0], 1e-12, 1.0)) / temperature
        powered = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powered / powered.sum(axis=1, keepdims=True)


weighted_average = WeightedAverage()
calibrate = Calibrate()
