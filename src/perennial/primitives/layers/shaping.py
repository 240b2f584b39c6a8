"""Layers that change the form of what goes through, and no weight: from pixels to numbers, flat, larger, otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang.ops import Parameter
from perennial.lang.types import Tensor, Type, TypeVar, fresh
from perennial.primitives.layers.base import LayerWord, size_of

HALF = 127.5


class Pixels(LayerWord):
    """The bytes of an image as numbers from -1 to 1."""

    name, doc = "pixels", "The bytes of an image as numbers from -1 to 1."

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """`Image[h,w,c] -> Tensor[h,w,c]`."""
        if len(types) == 1 and isinstance(types[0], TypeVar):
            return fresh("tensor")
        if len(types) != 1 or types[0].name != "Image":
            received = ", ".join(map(str, types)) or "nothing"
            raise TypeMismatch(f"`pixels` takes an image, received {received}.")
        return Tensor(*types[0].dims)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Rescaling."""
        from keras import layers

        return layers.Rescaling(1.0 / HALF, -1.0, name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """Bytes or floats to scaled floats."""
        return inputs[0].float().mul(1.0 / HALF).sub_(1.0)


class Flatten(LayerWord):
    """All numbers of an example in one row."""

    name, doc = "flatten", "All numbers in one row."

    def shape(self, shapes: tuple) -> tuple:
        """The product of all sides."""
        return (math.prod(shapes[0]),)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Flatten."""
        from keras import layers

        return layers.Flatten(name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """A reshape."""
        return inputs[0].flatten(1)


class Reshape(LayerWord):
    """The same numbers under other sides, such as `(7, 7, 16)`."""

    name, doc = "reshape", "The same numbers under other sides."
    parameters = MappingProxyType({"sides": Parameter((-1,), doc="the sides, without the batch")})

    def shape(self, shapes: tuple, *, sides: tuple) -> tuple:
        """The sides that were asked for; one of them may be -1."""
        if not isinstance(sides, tuple) or not sides or not all(type(side) is int for side in sides):
            raise ProgramError(f"`reshape` takes sides as a tuple of whole numbers, received {sides!r}.")
        total, known = math.prod(shapes[0]), math.prod(side for side in sides if side != -1)
        if sides.count(-1) > 1 or known <= 0 or total % known or (-1 not in sides and total != known):
            raise ProgramError(f"`reshape` cannot make {list(sides)} of {list(shapes[0])}.")
        return tuple(total // known if side == -1 else side for side in sides)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Reshape."""
        from keras import layers

        return layers.Reshape(self.complete(parameters)["sides"], name=name)


class Upsample(LayerWord):
    """Each place repeated, so that sides grow."""

    name, doc = "upsample", "Each place repeated."
    ranks = (2, 3, 4)
    parameters = MappingProxyType({"size": Parameter(2, low=1, high=16, doc="growth of a side")})

    def shape(self, shapes: tuple, *, size: int) -> tuple:
        """Sides times the size."""
        return (*(side * size for side in shapes[0][:-1]), shapes[0][-1])

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """No weights; each number is written."""
        return 0.0, float(size_of(result))

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's UpSampling1D, 2D or 3D."""
        from keras import layers

        kinds = {2: layers.UpSampling1D, 3: layers.UpSampling2D, 4: layers.UpSampling3D}
        return kinds[len(types[0].dims)](self.complete(parameters)["size"], name=name)


pixels, flatten, reshape, upsample = Pixels(), Flatten(), Reshape(), Upsample()
