"""Layers that bring numbers to a common scale: over the batch, over the units of an example, or in groups of units."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import BRANCH, LayerWord, size_of, units_of

MOMENTUM, EPSILON = 0.9, 1e-3


class BatchNorm(LayerWord):
    """Each unit to mean 0 and deviation 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015).

    Outside training it uses running means, whose momentum is 0.9 here: short trainings have few batches.
    """

    name, doc = "batch_norm", "Units brought to one scale over the batch."
    parameters = MappingProxyType({"branch": BRANCH})

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's BatchNormalization."""
        from keras import layers

        return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Scale, shift, mean and variance of each unit."""
        return 4.0 * units_of(types[0]), 4.0 * size_of(types[0])

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's fused kernel; the running values stay in the variables of Keras."""
        from torch.nn import functional

        return functional.batch_norm(
            inputs[0].movedim(-1, 1),
            layer.moving_mean.value,
            layer.moving_variance.value,
            layer.gamma.value,
            layer.beta.value,
            drop is not None,
            1.0 - layer.momentum,
            layer.epsilon,
        ).movedim(1, -1)


class LayerNorm(LayerWord):
    """The units of each place to mean 0 and deviation 1 (Ba, Kiros and Hinton 2016)."""

    name, doc = "layer_norm", "The units of each place brought to one scale."
    parameters = MappingProxyType({"branch": BRANCH})

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's LayerNormalization."""
        from keras import layers

        return layers.LayerNormalization(epsilon=EPSILON, name=name)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Scale and shift of each unit."""
        return 2.0 * units_of(types[0]), 6.0 * size_of(types[0])


class GroupNorm(LayerWord):
    """Groups of units of each example to mean 0 and deviation 1 (Wu and He 2018)."""

    name, doc = "group_norm", "Groups of units brought to one scale."
    ranks = (2, 3, 4)
    parameters = MappingProxyType(
        {"groups": Parameter(8, low=1, high=512, doc="at most so many; fewer where they do not divide the units"), "branch": BRANCH}
    )  # fmt: skip

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's GroupNormalization."""
        from keras import layers

        units, groups = units_of(types[0]), self.complete(parameters)["groups"]
        fitting = max(count for count in range(1, groups + 1) if units % count == 0)
        return layers.GroupNormalization(fitting, epsilon=EPSILON, name=name)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Scale and shift of each unit."""
        return 2.0 * units_of(types[0]), 6.0 * size_of(types[0])


batch_norm, layer_norm, group_norm = BatchNorm(), LayerNorm(), GroupNorm()
