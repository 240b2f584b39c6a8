"""The outermost word of a network: from the last features to what is asked, with the recipe of its training."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import Parameter
from perennial.lang.types import Type, TypeVar, fresh
from perennial.primitives.layers.base import LayerWord, units_of
from perennial.primitives.layers.mlp import outputs_of

RECIPE = MappingProxyType(
    {
        "optimiser": Parameter("adam", options=("adam", "sgd"), doc="how weights move"),
        "learning_rate": Parameter(4e-3, low=1e-6, high=10.0, log=True, doc="peak of the schedule"),
        "schedule": Parameter(
            "one_cycle",
            options=("one_cycle", "cosine", "coslog4", "constant"),
            doc="of the learning rate",
        ),
        "momentum": Parameter(0.9, low=0.0, high=0.9999, doc="of sgd"),
        "weight_decay": Parameter(5e-3, low=0.0, high=1.0, doc="pull of weights to zero"),
        "bias_factor": Parameter(1.0, low=0.0, high=100.0, doc="of the learning rate, for biases"),
        "epochs": Parameter(30, low=1, high=10_000, log=True, doc="at most so many passes over the rows"),
        "steps": Parameter(10_000_000, low=1, high=10_000_000, log=True, doc="at most so many updates"),
        "batch": Parameter(128, low=1, high=65_536, log=True, doc="rows an update"),
        "label_smoothing": Parameter(
            0.0, low=0.0, high=0.5, doc="share of the target spread over all classes"
        ),
        "ema": Parameter(
            0.0, low=0.0, high=0.99999, doc="memory of the running mean of the weights; 0 keeps none"
        ),
        "clip": Parameter(0.0, low=0.0, high=1e6, doc="longest gradient; 0 is any"),
        "shift": Parameter(0.0, low=0.0, high=0.5, doc="images move by at most this share of their side"),
        "flip": Parameter(False, options=(False, True), doc="images are mirrored left to right"),
        "cutout": Parameter(0.0, low=0.0, high=1.0, doc="side of the square that is blanked out, as a share"),
        "trivial": Parameter(0.0, low=0.0, high=1.0, doc="strength of TrivialAugment"),
        "test_time": Parameter(
            "none",
            options=("none", "flip", "shift", "flip_shift", "trained"),
            doc="views that a prediction is the mean of; `trained`: mirrored too where training mirrors",
        ),
    }
)


class Head(LayerWord):
    """A dense layer to what is asked, and how the network below it is trained.

    The whole network is fitted when its head is; the parameters are the recipe (`trainers/descent/recipe.py`).
    """

    name, doc, fits = "head", "From the last features to the prediction.", True
    ranks = (1,)
    parameters = RECIPE

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here, from a row of features."""
        super().infer(*types, **parameters)
        return fresh("prediction")

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's Dense with a unit for each logit or value."""
        from keras import layers

        return layers.Dense(outputs_of(output), kernel_initializer="zeros", name=name)

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Small: at first every class is about as probable."""
        return generator.normal(0.0, 0.1 * shape[0] ** -0.5, shape) if name == "kernel" else None

    def shape(self, shapes: tuple, **parameters: Any) -> tuple:
        """Unknown here: it depends on what is asked."""
        return ()

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """A matrix and a bias for each number of the prediction; for one while it is not known."""
        outputs = 1 if isinstance(result, TypeVar) else outputs_of(result)
        return float((units_of(types[0]) + 1) * outputs), 2.0 * units_of(types[0]) * outputs

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's linear map."""
        from torch.nn import functional

        return functional.linear(inputs[0], layer.kernel.value.t(), layer.bias.value)


head = Head()
