"""A learnt vector for each of many things, by number (Bengio et al. 2003)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import BRANCH, LayerWord, size_of

LEVELS = Parameter(256, low=2, high=10_000_000, log=True, doc="how many numbers are told apart")
UNITS = Parameter(16, low=1, high=4096, log=True, doc="length of a vector")


class Embedding(LayerWord):
    """A vector for each whole number from 0 to `levels` - 1; numbers beyond must not come in."""

    name, doc, whole = "embedding", "A vector for each whole number.", True
    ranks = (1, 2)
    parameters = MappingProxyType({"levels": LEVELS, "units": UNITS, "branch": BRANCH})

    def shape(self, shapes: tuple, *, levels: int, units: int, branch: int) -> tuple:
        """A vector for each place."""
        return (*shapes[0], units)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Embedding."""
        from keras import layers

        own = self.complete(parameters)
        return layers.Embedding(own["levels"], own["units"], embeddings_initializer="zeros", name=name)

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Vectors of about unit length."""
        return generator.normal(0.0, shape[-1] ** -0.5, shape)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """A vector for each number."""
        own = self.complete(parameters)
        return float(own["levels"] * own["units"]), float(size_of(result))

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's lookup; a number beyond the levels counts as the last."""
        from torch.nn import functional

        vectors = layer.embeddings.value
        return functional.embedding(inputs[0].long().clamp(0, len(vectors) - 1), vectors)


embedding = Embedding()
