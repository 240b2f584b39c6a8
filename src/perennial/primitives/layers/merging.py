"""Several tensors to one: the joints of residual and multi-branch networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perennial.errors import TypeMismatch
from perennial.lang.types import Type
from perennial.primitives.layers.base import LayerWord


class _Merge(LayerWord):
    several = True

    def shape(self, shapes: tuple[tuple, ...]) -> tuple:
        """That of each input; all must be alike."""
        if len(set(shapes)) > 1:
            received = ", ".join(str(list(shape)) for shape in shapes)
            raise TypeMismatch(f"`{self.name}` takes tensors of one shape, received {received}.")
        return shapes[0]


class AddLayers(_Merge):
    """The sum of tensors of one shape (He et al. 2016)."""

    name, doc = "sum_of", "The sum of tensors of one shape."

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Add."""
        from keras import layers

        return layers.Add(name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """A sum."""
        total = inputs[0]
        for value in inputs[1:]:
            total = total + value
        return total


class MultiplyLayers(_Merge):
    """The product of tensors of one shape, number by number: gates."""

    name, doc = "product_of", "The product of tensors of one shape."

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Multiply."""
        from keras import layers

        return layers.Multiply(name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """A product."""
        total = inputs[0]
        for value in inputs[1:]:
            total = total * value
        return total


class Concatenate(LayerWord):
    """The units of several tensors side by side; all other sides must be alike."""

    name, doc, several = "concatenate", "The units of several tensors side by side.", True

    def shape(self, shapes: tuple[tuple, ...]) -> tuple:
        """The sides of the first, and all units together."""
        if len({shape[:-1] for shape in shapes}) > 1:
            received = ", ".join(str(list(shape)) for shape in shapes)
            raise TypeMismatch(
                f"`concatenate` takes tensors that differ in their units only, received {received}."
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Concatenate."""
        from keras import layers

        return layers.Concatenate(name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's cat."""
        import torch

        return torch.cat(inputs, dim=-1)


sum_of, product_of, concatenate = AddLayers(), MultiplyLayers(), Concatenate()
