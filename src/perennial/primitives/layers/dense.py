"""Weighted sums of all units (Rosenblatt 1958)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import BRANCH, LayerWord, size_of, units_of

UNITS = Parameter(64, low=1, high=16384, log=True, doc="units that it gives")


class Dense(LayerWord):
    """Every unit of the result is a weighted sum of all units that come in, place by place."""

    name, doc = "dense", "Weighted sums of all units."
    parameters = MappingProxyType({"units": UNITS, "branch": BRANCH})

    def shape(self, shapes: tuple, *, units: int, branch: int) -> tuple:
        """The sides that came in, and the units."""
        return (*shapes[0][:-1], units)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Dense."""
        from keras import layers

        return layers.Dense(self.complete(parameters)["units"], kernel_initializer="zeros", name=name)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """A matrix and a bias."""
        units = self.complete(parameters)["units"]
        return float((units_of(types[0]) + 1) * units), 2.0 * units_of(types[0]) * size_of(result)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's linear map."""
        from torch.nn import functional

        return functional.linear(inputs[0], layer.kernel.value.t(), layer.bias.value)


dense = Dense()
