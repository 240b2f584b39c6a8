"""Windows summed up: by their largest number or their mean, piece by piece or over everything."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import LayerWord, borders, size_of

SIZE = Parameter(2, low=1, high=64, doc="side of the window")
STRIDE = Parameter(0, low=0, high=64, doc="step of the window; 0 is its side")


class Pool(LayerWord):
    """Slides a window over `(…, units)`; borders are padded such that only the stride changes the size.

    A member gives the classes of Keras, by rank, and the function of PyTorch, by its name.
    """

    ranks = (2, 3, 4)
    parameters = MappingProxyType({"size": SIZE, "stride": STRIDE})

    @abstractmethod
    def keras(self, rank: int) -> Any:
        """The class of Keras for inputs of a rank."""

    @abstractmethod
    def torch(self, rank: int) -> Callable:
        """PyTorch's function `(x, size, stride, padding, ceil_mode) -> x` for inputs of a rank."""

    def shape(self, shapes: tuple, *, size: int, stride: int) -> tuple:
        """Sides divided by the stride, rounded up."""
        return (*(-(-side // (stride or size)) for side in shapes[0][:-1]), shapes[0][-1])

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """No weights; one operation for each number of each window."""
        return 0.0, float(self.complete(parameters)["size"] ** (len(types[0].dims) - 1) * size_of(result))

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's pooling of this rank."""
        own = self.complete(parameters)
        return self.keras(len(types[0].dims))(own["size"], own["stride"] or own["size"], "same", name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's pooling where it can make the borders itself: the same on both sides, or by rounding up."""
        x, size, stride = inputs[0], tuple(layer.pool_size), tuple(layer.strides)
        sides = list(zip(x.shape[1:-1], size, stride, strict=True))
        pads = [borders(*each) for each in sides]
        up = any(low != high for low, high in pads)
        if not all(_rounds_up(*each) if up else each[1] >= each[2] for each in sides):
            return layer.call(x)
        padding = tuple(low for low, _ in pads)
        return self.torch(x.ndim - 1)(x.movedim(-1, 1), size, stride, padding, up).movedim(1, -1)


def _rounds_up(side: int, window: int, stride: int) -> bool:
    """Whether windows that begin at the edge and end beyond the other one are what is wanted."""
    low, _ = borders(side, window, stride)
    return low == 0 and window >= stride and -(-(side - window) // stride) + 1 == -(-side // stride)


class MaxPool(Pool):
    """The largest number of each window."""

    name, doc = "max_pool", "The largest number of each window."

    def keras(self, rank: int) -> Any:
        """MaxPooling1D, 2D or 3D."""
        from keras import layers

        return {2: layers.MaxPooling1D, 3: layers.MaxPooling2D, 4: layers.MaxPooling3D}[rank]

    def torch(self, rank: int) -> Callable:
        """max_pool1d, 2d or 3d."""
        from torch.nn import functional

        pool = getattr(functional, f"max_pool{rank - 1}d")
        return lambda x, size, stride, padding, up: pool(x, size, stride, padding, 1, up)


class AveragePool(Pool):
    """The mean of each window; places beyond the border do not count.

    Where one border would have to be wider than the other, the windows are spread evenly over the side
    instead: backends of Keras disagree about means at uneven borders.
    """

    name, doc = "average_pool", "The mean of each window."

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's average pooling of this rank, or its adaptive one."""
        from keras import layers

        own, sides = self.complete(parameters), types[0].dims[:-1]
        stride = own["stride"] or own["size"]
        if all(low == high for low, high in (borders(side, own["size"], stride) for side in sides)):
            return super().build(types, output, name, **parameters)
        shape = self.shape((types[0].dims,), **own)[:-1]
        kinds = {
            1: layers.AdaptiveAveragePooling1D,
            2: layers.AdaptiveAveragePooling2D,
            3: layers.AdaptiveAveragePooling3D,
        }
        return kinds[len(sides)](shape, name=name)

    def keras(self, rank: int) -> Any:
        """AveragePooling1D, 2D or 3D."""
        from keras import layers

        return {2: layers.AveragePooling1D, 3: layers.AveragePooling2D, 4: layers.AveragePooling3D}[rank]

    def torch(self, rank: int) -> Callable:
        """avg_pool1d, 2d or 3d."""
        from torch.nn import functional

        pool = getattr(functional, f"avg_pool{rank - 1}d")
        return lambda x, size, stride, padding, up: pool(x, size, stride, padding, up, False)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's pooling of the same kind."""
        if hasattr(layer, "pool_size"):
            return super().forward(layer, inputs, drop)
        from torch.nn import functional

        x = inputs[0].movedim(-1, 1)
        pool = getattr(functional, f"adaptive_avg_pool{x.ndim - 2}d")
        return pool(x, tuple(layer.output_size)).movedim(1, -1)


class GlobalPool(LayerWord):
    """The mean of each unit over all places (Lin, Chen and Yan 2014)."""

    name, doc = "global_pool", "The mean of each unit over all places."
    ranks = (2, 3, 4)

    def shape(self, shapes: tuple) -> tuple:
        """The units alone."""
        return shapes[0][-1:]

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """GlobalAveragePooling1D, 2D or 3D."""
        from keras import layers

        return {
            2: layers.GlobalAveragePooling1D,
            3: layers.GlobalAveragePooling2D,
            4: layers.GlobalAveragePooling3D,
        }[len(types[0].dims)](name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """A mean."""
        return inputs[0].mean(dim=tuple(range(1, inputs[0].ndim - 1)))


max_pool, average_pool, global_pool = MaxPool(), AveragePool(), GlobalPool()
