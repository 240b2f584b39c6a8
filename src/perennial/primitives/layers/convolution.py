"""Convolutions in one, two and three dimensions, by the rank of what comes in (LeCun et al. 1989).

`Tensor[t,c]` is a series, `Tensor[h,w,c]` an image, `Tensor[d,h,w,c]` a volume. Borders are padded with zeros such that
only the stride changes the size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import BRANCH, LayerWord, borders, size_of, units_of

WIDTH = Parameter(32, low=1, high=8192, log=True, doc="units that it gives")
KERNEL = Parameter(3, low=1, high=64, doc="side of the window")
STRIDE = Parameter(1, low=1, high=16, doc="step of the window")


class Conv(LayerWord):
    """A convolution with a bias; `width` units, a window of `kernel` on each side, every `stride` places."""

    name, doc = "conv", "A convolution."
    ranks = (2, 3, 4)
    parameters = MappingProxyType({"width": WIDTH, "kernel": KERNEL, "stride": STRIDE, "branch": BRANCH})

    def shape(self, shapes: tuple, *, width: int, kernel: int, stride: int, branch: int) -> tuple:
        """Sides divided by the stride, rounded up; `width` units."""
        return (*(-(-side // stride) for side in shapes[0][:-1]), width)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Conv1D, Conv2D or Conv3D."""
        from keras import layers

        own = self.complete(parameters)
        kind = {2: layers.Conv1D, 3: layers.Conv2D, 4: layers.Conv3D}[len(types[0].dims)]
        return kind(own["width"], own["kernel"], own["stride"], "same", kernel_initializer="zeros", name=name)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Kernel and bias; two operations for each product."""
        own = self.complete(parameters)
        window = own["kernel"] ** (len(types[0].dims) - 1) * units_of(types[0])
        return float((window + 1) * own["width"]), 2.0 * window * size_of(result)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's convolution on the same memory: channels last is a way to look at it, no copy."""
        return _convolved(inputs[0], layer.kernel.value, layer.bias.value, layer.strides)


class SeparableConv(LayerWord):
    """A convolution of each unit by itself, then a mixture of the units (Chollet 2017, Xception)."""

    name, doc = "separable_conv", "A depthwise separable convolution."
    ranks = (2, 3)
    parameters = Conv.parameters
    shape = Conv.shape

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's SeparableConv1D or SeparableConv2D."""
        from keras import layers

        own = self.complete(parameters)
        kind = {2: layers.SeparableConv1D, 3: layers.SeparableConv2D}[len(types[0].dims)]
        zeros = {"depthwise_initializer": "zeros", "pointwise_initializer": "zeros"}
        return kind(own["width"], own["kernel"], own["stride"], "same", name=name, **zeros)

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Windows that keep the size of what goes through; the mixture is followed by a rectifier."""
        if name == "depthwise_kernel":
            return generator.normal(0.0, math.prod(shape[:-2]) ** -0.5, shape)
        return super().draw(name, shape, generator)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """A window for each unit, a mixing matrix and a bias."""
        own, units = self.complete(parameters), units_of(types[0])
        window, places = own["kernel"] ** (len(types[0].dims) - 1), size_of(result) / own["width"]
        operations = 2.0 * places * units * (window + own["width"])
        return float(units * window + (units + 1) * own["width"]), operations

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """Two convolutions of PyTorch, the first with a group for each unit."""
        each = layer.depthwise_kernel.value
        each = each.reshape(*each.shape[:-2], 1, -1)
        middle = _convolved(inputs[0], each, None, layer.strides, groups=each.shape[-1])
        kernel = layer.pointwise_kernel.value
        return _convolved(middle, kernel, layer.bias.value, (1,) * (kernel.ndim - 2))


class DepthwiseConv(LayerWord):
    """A convolution of each unit by itself."""

    name, doc = "depthwise_conv", "A convolution of each unit by itself."
    ranks = (2, 3)
    parameters = MappingProxyType({"kernel": KERNEL, "stride": STRIDE, "branch": BRANCH})

    def shape(self, shapes: tuple, *, kernel: int, stride: int, branch: int) -> tuple:
        """Sides divided by the stride, rounded up."""
        return (*(-(-side // stride) for side in shapes[0][:-1]), shapes[0][-1])

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's DepthwiseConv1D or DepthwiseConv2D."""
        from keras import layers

        own = self.complete(parameters)
        kind = {2: layers.DepthwiseConv1D, 3: layers.DepthwiseConv2D}[len(types[0].dims)]
        return kind(own["kernel"], own["stride"], "same", depthwise_initializer="zeros", name=name)

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Windows that keep the size of what goes through a rectifier; each unit sums up one window."""
        if name != "kernel":
            return None
        return generator.normal(0.0, (2.0 / math.prod(shape[:-2])) ** 0.5, shape)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """A window and a bias for each unit."""
        window = self.complete(parameters)["kernel"] ** (len(types[0].dims) - 1)
        return float((window + 1) * units_of(types[0])), 2.0 * window * size_of(result)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's convolution with a group for each unit."""
        each = layer.kernel.value
        each = each.reshape(*each.shape[:-2], 1, -1)
        return _convolved(inputs[0], each, layer.bias.value, layer.strides, groups=each.shape[-1])


class TransposedConv(LayerWord):
    """A convolution run backwards: sides grow by the stride (Zeiler et al. 2010)."""

    name, doc = "transposed_conv", "A convolution that enlarges."
    ranks = (2, 3, 4)
    parameters = MappingProxyType(
        {"width": WIDTH, "kernel": KERNEL, "stride": Parameter(2, low=1, high=16, doc="growth of a side"), "branch": BRANCH}
    )  # fmt: skip

    def shape(self, shapes: tuple, *, width: int, kernel: int, stride: int, branch: int) -> tuple:
        """Sides times the stride; `width` units."""
        return (*(side * stride for side in shapes[0][:-1]), width)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Conv1DTranspose, Conv2DTranspose or Conv3DTranspose."""
        from keras import layers

        own = self.complete(parameters)
        kind = {2: layers.Conv1DTranspose, 3: layers.Conv2DTranspose, 4: layers.Conv3DTranspose}
        settings = (own["width"], own["kernel"], own["stride"], "same")
        return kind[len(types[0].dims)](*settings, kernel_initializer="zeros", name=name)

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Kernels `(…, outputs, inputs)` that keep the size of what goes through a rectifier."""
        if name != "kernel":
            return None
        return generator.normal(0.0, (2.0 / (math.prod(shape[:-2]) * shape[-1])) ** 0.5, shape)

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Kernel and bias; each number that comes in is spread over a window."""
        own = self.complete(parameters)
        window = own["kernel"] ** (len(types[0].dims) - 1)
        stored = (window * units_of(types[0]) + 1) * own["width"]
        return float(stored), 2.0 * window * size_of(types[0]) * own["width"]


def _convolved(x: Any, kernel: Any, bias: Any, strides: tuple[int, ...], groups: int = 1) -> Any:
    """Keras's convolution of `(n, …, units)` by a kernel `(…, units, width)`, computed by PyTorch."""
    from torch.nn import functional

    sides = kernel.ndim - 2
    function = (functional.conv1d, functional.conv2d, functional.conv3d)[sides - 1]
    x = x.movedim(-1, 1)
    pads = [borders(*each) for each in zip(x.shape[2:], kernel.shape, strides, strict=False)]
    padding: Any = [low for low, _ in pads]
    if any(low != high for low, high in pads):
        padding = 0
        x = functional.pad(x, [zeros for pair in reversed(pads) for zeros in pair])
    kernel = kernel.permute(-1, -2, *range(sides))
    return function(x, kernel, bias, strides, padding, 1, groups).movedim(1, -1)


conv, separable_conv, depthwise_conv = Conv(), SeparableConv(), DepthwiseConv()
transposed_conv = TransposedConv()
