"""Every step of a series looks at all others (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import BRANCH, LayerWord

HEADS = Parameter(4, low=1, high=64, doc="how many looks at once")
UNITS = Parameter(16, low=1, high=1024, log=True, doc="units of one look")


class Attention(LayerWord):
    """Self-attention of `Tensor[steps, units]`, with several heads; the shape stays.

    It does not know the order of the steps: give it one by an `embedding` or a `conv` before.
    """

    name, doc = "attention", "Self-attention over a series."
    ranks = (2,)
    parameters = MappingProxyType({"heads": HEADS, "units": UNITS, "branch": BRANCH})

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's MultiHeadAttention."""
        from keras import layers

        own = self.complete(parameters)
        return layers.MultiHeadAttention(own["heads"], own["units"], kernel_initializer="zeros", name=name)

    def connect(self, layer: Any, inputs: list) -> Any:
        """Of the series with itself."""
        return layer(inputs[0], inputs[0])

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Glorot and Bengio (2010): all four maps lie between the units of a step and those of all heads.

        Kernels have the shapes (inputs, heads, units) and, the last one, (heads, units, inputs).
        """
        if name != "kernel":
            return None
        wide = max(shape[0] + shape[1] * shape[2], 1)
        return generator.normal(0.0, (2.0 / wide) ** 0.5, shape)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Four maps with biases; each step is compared with each."""
        own, (steps, inputs) = self.complete(parameters), types[0].dims
        inner = own["heads"] * own["units"]
        stored = 3 * (inputs + 1) * inner + (inner + 1) * inputs
        return float(stored), 2.0 * steps * stored + 4.0 * steps * steps * inner

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """The same maps, and PyTorch's fused attention."""
        import torch
        from torch.nn import functional

        x, dense = inputs[0], (layer.query_dense, layer.key_dense, layer.value_dense)
        parts = [
            torch.einsum("nsi,ihu->nhsu", x, each.kernel.value) + each.bias.value[:, None] for each in dense
        ]
        looked, last = functional.scaled_dot_product_attention(*parts), layer.output_dense
        return torch.einsum("nhsu,hui->nsi", looked, last.kernel.value) + last.bias.value


attention = Attention()
