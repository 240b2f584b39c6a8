"""Layers that read a series step by step and keep a state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import Parameter
from perennial.lang.types import Type
from perennial.primitives.layers.base import BRANCH, LayerWord, units_of

UNITS = Parameter(64, low=1, high=4096, log=True, doc="units of the state")
SEQUENCE = Parameter(False, options=(False, True), doc="a state for each step, not the last alone")
BOTH_WAYS = Parameter(False, options=(False, True), doc="reads backwards too; twice as many units")


class Recurrent(LayerWord):
    """Reads `Tensor[steps, units]` from the first step to the last, and with `both_ways` back again.

    A member gives its gates, the class of Keras, and PyTorch's way to run one direction. Both directions
    are those of bidirectional networks (Schuster and Paliwal 1997), their units side by side.
    """

    ranks = (2,)
    gates, biases = 1, 1
    parameters = MappingProxyType(
        {"units": UNITS, "sequence": SEQUENCE, "both_ways": BOTH_WAYS, "branch": BRANCH}
    )

    @abstractmethod
    def keras(self) -> Any:
        """The class of Keras."""

    @abstractmethod
    def run(self, cell: Any, x: Any) -> tuple[Any, Any]:
        """States of all steps `(n, steps, units)` and the last one `(n, units)`, by PyTorch."""

    def shape(self, shapes: tuple, *, units: int, sequence: bool, both_ways: bool, branch: int) -> tuple:
        """The last state, or one for each step."""
        width = 2 * units if both_ways else units
        return (shapes[0][0], width) if sequence else (width,)

    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """Keras's layer of this kind, inside its Bidirectional when it reads both ways."""
        from keras import layers

        own = self.complete(parameters)
        zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
        one = {"units": own["units"], "return_sequences": own["sequence"], **zeros}
        if not own["both_ways"]:
            return self.keras()(**one, name=name)
        return layers.Bidirectional(self.keras()(**one), name=name)

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """Glorot and Bengio (2010) for what comes in, an orthogonal matrix a gate (Saxe et al. 2014)."""
        if name == "recurrent_kernel":
            squares = generator.normal(size=(self.gates, shape[0], shape[0]))
            return np.hstack([np.linalg.qr(square)[0] for square in squares])
        if name == "kernel":
            return generator.normal(0.0, (2.0 / (shape[0] + shape[1] // self.gates)) ** 0.5, shape)
        return None

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """Two matrices for each gate, and biases; every step uses them all."""
        own, inputs = self.complete(parameters), units_of(types[0])
        ways, units = 1 + own["both_ways"], own["units"]
        matrices = ways * self.gates * units * (inputs + units)
        stored = matrices + ways * self.gates * units * self.biases
        return float(stored), 2.0 * matrices * int(types[0].dims[0])

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """PyTorch's fused kernel, once for each direction."""
        import torch

        if hasattr(layer, "cell"):
            return self.run(layer.cell, inputs[0])[0 if layer.return_sequences else 1]
        ahead = self.run(layer.forward_layer.cell, inputs[0])
        back = self.run(layer.backward_layer.cell, inputs[0].flip(1))
        if layer.return_sequences:
            return torch.cat([ahead[0], back[0].flip(1)], dim=-1)
        return torch.cat([ahead[1], back[1]], dim=-1)


class Gru(Recurrent):
    """A gated recurrent unit (Cho et al. 2014)."""

    name, doc = "gru", "A gated recurrent unit over a series."
    gates, biases = 3, 2

    def keras(self) -> Any:
        """GRU."""
        from keras import layers

        return layers.GRU

    def run(self, cell: Any, x: Any) -> tuple[Any, Any]:
        """PyTorch orders the first two gates the other way round."""
        import torch

        units = cell.units

        def turned(values: Any) -> Any:
            update, reset, new = values.split(units, dim=-1)
            return torch.cat([reset, update, new], dim=-1)

        kernels = [turned(variable.value).t() for variable in (cell.kernel, cell.recurrent_kernel)]
        biases = list(turned(cell.bias.value))
        start = x.new_zeros(1, len(x), units)
        states, last = torch._VF.gru(x, start, [*kernels, *biases], True, 1, 0.0, False, False, True)
        return states, last[0]


class Lstm(Recurrent):
    """A long short-term memory (Hochreiter and Schmidhuber 1997)."""

    name, doc = "lstm", "A long short-term memory over a series."
    gates = 4

    def keras(self) -> Any:
        """LSTM."""
        from keras import layers

        return layers.LSTM

    def run(self, cell: Any, x: Any) -> tuple[Any, Any]:
        """Gates stand in the same order; PyTorch's second bias is zero."""
        import torch

        kernels = [variable.value.t() for variable in (cell.kernel, cell.recurrent_kernel)]
        biases = [cell.bias.value, torch.zeros_like(cell.bias.value)]
        start = [x.new_zeros(1, len(x), cell.units) for _ in range(2)]
        states, last, _ = torch._VF.lstm(x, start, [*kernels, *biases], True, 1, 0.0, False, False, True)
        return states, last[0]


gru, lstm = Gru(), Lstm()
