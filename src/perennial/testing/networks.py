"""A network word around any Keras model, for tests of trainers: arrays of any rank in, whatever is asked out.

>>> def build(shape, outputs):
...     import keras
...     return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs)])
>>> KerasNetwork(build, learning_rate=0.1).recipe()
{'learning_rate': 0.1}
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.lang.ops import Network, State
from perennial.lang.types import Tensor, Type, fresh, parse_type
from perennial.trainers.descent.test_time import mean_of_views


class KerasNetwork(Network):
    """One input array `(n, …)`, floats or bytes; what the model gives are logits or standardised values.

    Args:
        model: from the shape of a row and the number of outputs to a Keras model; its weights are drawn
            anew from the
            seed: kernels from N(0, 2 / fan-in), everything else as Keras left it.
        recipe: how it wants to be trained, see `perennial.trainers.descent.recipe.Recipe`.
    """

    def __init__(
        self, model: Callable[[tuple[int, ...], int], Any], name: str = "network", **recipe: Any
    ) -> None:
        self.model, self.name, self.settings = model, name, recipe

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here."""
        return fresh("prediction")

    def build(self, types: tuple[Type, ...], output: Type, seed: int, **parameters: Any) -> Any:
        """The Keras model for rows of this shape."""
        outputs = 1 if output.name == "Real" else int(output.arguments[0])
        model = self.model(tuple(types[0].dims), outputs)
        generator = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            if variable.name.endswith("kernel"):
                deviation = math.sqrt(2.0 / math.prod(variable.shape[:-1]))
                variable.assign(generator.normal(0.0, deviation, tuple(variable.shape)).astype(np.float32))
        return model

    def layout(self, inputs: tuple, types: tuple) -> dict[str, Any]:
        """The shape of a row."""
        return {"shape": list(inputs[0].shape[1:])}

    def concrete_types(self, layout: dict[str, Any]) -> tuple[Type, ...]:
        """The type that `build` needs."""
        return (Tensor(*layout["shape"]),)

    def prepare(self, inputs: tuple, layout: dict[str, Any]) -> tuple[np.ndarray]:
        """Bytes as they are, other numbers as float32."""
        [values] = inputs
        return (values if values.dtype == np.uint8 else values.astype(np.float32),)

    def recipe(self, **parameters: Any) -> dict[str, Any]:
        """How it wants to be trained."""
        return dict(self.settings)

    def training_pass(self, model: Any) -> Callable:
        """Keras's own way, in floats."""
        return lambda inputs, drop: model(inputs[0].float(), training=drop is not None)

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        """Logits or standardised values for all rows: what `fit_network` measures its loss on."""
        import torch

        layout, output = json.loads(state.texts["layout"]), parse_type(state.texts["type"])
        model = self.build(self.concrete_types(layout), output, 0)
        for number, variable in enumerate(model.weights):
            variable.assign(state.arrays[f"variable_{number:03d}"])

        def run(arrays: list[np.ndarray]) -> np.ndarray:
            with torch.no_grad():
                return model(arrays[0].astype(np.float32), training=False).numpy()

        return mean_of_views(run, self.prepare(inputs, layout), self.settings.get("test_time", "none"))
