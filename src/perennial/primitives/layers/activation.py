"""Functions of each number by itself, and dropout."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import LayerWord


class Activation(LayerWord):
    """A function of each number by itself, by its usual name."""

    def __init__(self, name: str, doc: str) -> None:
        self.name, self.doc = name, doc

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Activation of this name."""
        from keras import layers

        return layers.Activation(self.name, name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's function of the same name."""
        import torch
        from torch.nn import functional

        return getattr(functional, self.name, None or getattr(torch, self.name, None))(inputs[0])


class Dropout(LayerWord):
    """A share of the numbers is left out in training, the others grow to make up (Srivastava et al. 2014)."""

    name, doc = "dropout", "A share of the numbers is left out in training."
    parameters = MappingProxyType({"rate": Parameter(0.2, low=0.0, high=0.95, doc="share left out")})

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Dropout."""
        from keras import layers

        return layers.Dropout(self.complete(parameters)["rate"], name=name)

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """The trainer leaves out; an evaluation leaves all in."""
        return inputs[0] if drop is None or not layer.rate else drop(inputs[0], layer.rate)


relu = Activation("relu", "Numbers below zero become zero (Nair and Hinton 2010).")
gelu = Activation("gelu", "Numbers weighted by their normal rank (Hendrycks and Gimpel 2016).")
silu = Activation("silu", "Numbers weighted by their logistic (Elfwing, Uchibe and Doya 2018).")
elu = Activation("elu", "Exponential below zero (Clevert, Unterthiner and Hochreiter 2016).")
selu = Activation("selu", "Scaled exponential below zero (Klambauer et al. 2017).")
mish = Activation("mish", "Smooth and not monotone (Misra 2019).")
tanh = Activation("tanh", "The hyperbolic tangent.")
sigmoid = Activation("sigmoid", "The logistic function.")
dropout = Dropout()
