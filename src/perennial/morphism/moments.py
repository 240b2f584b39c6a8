"""Mean and variance of each unit, as far as the weights tell: what a new normalisation needs to begin as identity.

Outside training any normalisation can be the identity. In training it divides by the spread of the batch, so it stays
close to the identity only when its own scale is that spread. After a batch normalisation a unit is about normal with
mean beta and deviation gamma; what an activation makes of that is an integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PLACES = np.linspace(-6.0, 6.0, 241)
WEIGHTS = np.exp(-0.5 * PLACES**2) / np.exp(-0.5 * PLACES**2).sum()


@dataclass(frozen=True)
class Moments:
    """Of each unit over images and places, `(units,)` each."""

    mean: np.ndarray
    variance: np.ndarray

    def taken(self, units: np.ndarray) -> Moments:
        """Of these units, in this order."""
        return Moments(self.mean[units], self.variance[units])

    def after(self, activation: str) -> Moments | None:
        """Of what an activation makes of them, taken as normal; `None` for one that is not known here.

        >>> half = Moments(np.zeros(1), np.ones(1)).after("relu")
        >>> round(float(half.mean[0]), 2), round(float(half.variance[0]), 2)
        (0.4, 0.34)
        """
        function = ACTIVATIONS.get(activation)
        if function is None:
            return None
        values = function(self.mean[:, None] + np.sqrt(self.variance)[:, None] * PLACES)
        mean = values @ WEIGHTS
        return Moments(mean, (values - mean[:, None]) ** 2 @ WEIGHTS)


def added(terms: Sequence[Moments | None]) -> Moments | None:
    """Of a sum of terms, taken as independent; `None` when those of a term are not known."""
    if not terms or any(term is None for term in terms):
        return None
    return Moments(sum(term.mean for term in terms), sum(term.variance for term in terms))


def _gelu(values: np.ndarray) -> np.ndarray:
    return 0.5 * values * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (values + 0.044715 * values**3)))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda values: np.maximum(values, 0.0),
    "gelu": _gelu,
    "silu": lambda values: values * 0.5 * (1.0 + np.tanh(0.5 * values)),
    "tanh": np.tanh,
}
