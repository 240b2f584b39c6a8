"""The network below one `head`, as one functional Keras model.

Every prediction of a network, on any backend of Keras, goes through here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from perennial.errors import DamagedFile, ProgramError
from perennial.lang import Call, Cost, Layer, Network, Program, State, Tensor, Type, parse_type
from perennial.lang.types import fresh
from perennial.primitives.layers.mlp import finish

LARGEST_INPUT = 1e6
SHORT = 10


class Compiled(Network):
    """The network below one head, as one word that a trainer fits.

    Args:
        head: the call of `head`; everything below it that is a layer belongs to the network, what stands below
            the layers is an input.
    """

    doc = "A network of layers."
    cost = 10.0

    def __init__(self, head: Call) -> None:
        self.head, self.name = head, f"network_{head.hash[:SHORT]}"
        self.inputs = tuple(dict.fromkeys(_arguments(head)))

    @cached_property
    def layers(self) -> tuple[Call, ...]:
        """The layer calls, each after those it takes values from; the head comes last."""
        return tuple(_layers(self.head))

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here."""
        return fresh("prediction")

    def recipe(self, **parameters: Any) -> dict[str, Any]:
        """The parameters of the head; which views a prediction needs follows from them."""
        settings = self.head.settings
        if settings["test_time"] == "trained":
            settings["test_time"] = "flip" if settings["flip"] else "none"
        return settings

    # -- what comes in -----------------------------------------------------------------------------------------------

    def layout(self, inputs: tuple, types: tuple) -> dict[str, Any]:
        """The types that come in, as text; where a type is not known, the shape of the values tells it."""
        known = [
            kind if isinstance(kind, Tensor) and not kind.variables else Tensor(*value.shape[1:])
            for value, kind in zip(inputs, types, strict=True)
        ]
        return {"types": [str(kind) for kind in known]}

    def concrete_types(self, layout: dict[str, Any]) -> tuple[Type, ...]:
        """The types again."""
        return tuple(parse_type(text) for text in layout["types"])

    def prepare(self, inputs: tuple, layout: dict[str, Any]) -> tuple[np.ndarray, ...]:
        """Images of bytes as they are; everything else becomes float32, without NaN and infinity.

        Raises:
            ProgramError: values of another shape than the network was made for.
        """
        kinds = self.concrete_types(layout)
        arrays = tuple(_numbers(value, kind) for value, kind in zip(inputs, kinds, strict=True))
        for array, kind in zip(arrays, kinds, strict=True):
            if array.shape[1:] != tuple(kind.dims):
                raise ProgramError(
                    f"The network takes rows of shape {list(kind.dims)}, received {list(array.shape[1:])}."
                )
        return arrays

    # -- before anything is built ------------------------------------------------------------------------------------

    def types(self, types: tuple[Type, ...], output: Type) -> dict[Program, Type]:
        """The type of every value of the network; the outermost one gives `output`.

        Raises:
            TypeMismatch: the layers do not fit these types.
        """
        known = dict(zip(self.inputs, types, strict=True))
        for node in self.layers:
            kinds = tuple(known[argument] for argument in node.arguments)
            found = node.function.infer(*kinds, **node.settings)
            known[node] = output if node is self.head else found
        return known

    def gives(self, types: tuple[Type, ...]) -> Type:
        """What the outermost layer gives by itself, where it is no head.

        Raises:
            TypeMismatch: the layers do not fit these types.
        """
        known, top = self.types(types, fresh("features")), self.head
        return top.function.infer(*(known[argument] for argument in top.arguments), **top.settings)

    def costs(self, types: tuple[Type, ...], output: Type) -> list[Cost]:
        """What one example costs in each layer, from types alone."""
        known = self.types(types, output)
        return [
            node.function.measured(
                tuple(known[argument] for argument in node.arguments), known[node], **node.settings
            )
            for node in self.layers
        ]

    def check(self, state: State) -> None:
        """Whether a state can belong to this network: it has as many numbers as the types in it say.

        Nothing is built, so a description that lies about sizes costs nothing.

        Raises:
            DamagedFile: it does not.
        """
        try:
            kinds, output = (
                self.concrete_types(json.loads(state.texts["layout"])),
                parse_type(state.texts["type"]),
            )
            wanted = sum(cost.parameters for cost in self.costs(kinds, output))
        except (ProgramError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise DamagedFile(f"The weights of a network do not say what they are of: {error}.") from error
        there = sum(array.size for array in variables_of(state).values())
        if wanted != there:
            raise DamagedFile(f"A network needs {wanted:.0f} weights, its file holds {there}.")

    # -- Keras -------------------------------------------------------------------------------------------------------

    def build(self, types: tuple[Type, ...], output: Type, seed: int, **parameters: Any) -> Any:
        """The functional Keras model, its weights drawn in NumPy from the seed and the hash of each layer."""
        os.environ.setdefault("KERAS_BACKEND", "torch")
        import keras

        known = self.types(types, output)
        values: dict[Program, Any] = {
            node: keras.Input(
                kind.dims, dtype="uint8" if kind.name == "Image" else "float32", name=f"input_{number}"
            )
            for number, (node, kind) in enumerate(zip(self.inputs, types, strict=True))
        }
        given = list(values.values())
        for node in self.layers:
            kinds = tuple(known[argument] for argument in node.arguments)
            layer = node.function.build(kinds, output, layer_name(node), **node.settings)
            values[node] = node.function.connect(layer, [values[argument] for argument in node.arguments])
            _draw(node, layer, np.random.default_rng([seed, int(node.hash[:16], 16)]))
        return keras.Model(given if len(given) > 1 else given[0], values[self.head], name=self.name)

    def training_pass(self, model: Any) -> Callable:
        """The layers as one plain function `(inputs, drop) -> raw`, without what Keras does around each call.

        A value is let go as soon as no layer needs it any more.
        """
        order = [*self.inputs, *self.layers]
        places = {node: place for place, node in enumerate(order)}
        last = {argument: node for node in self.layers for argument in node.arguments}
        steps = [
            (
                node.function.forward,
                model.get_layer(layer_name(node)),
                [places[argument] for argument in node.arguments],
                places[node],
                [places[argument] for argument in dict.fromkeys(node.arguments) if last[argument] is node],
            )
            for node in self.layers
        ]

        def forward(arrays: list, drop: Callable | None) -> Any:
            values = [*arrays, *[None] * len(steps)]
            for function, layer, arguments, place, done in steps:
                values[place] = function(layer, tuple([values[argument] for argument in arguments]), drop)
                for each in done:
                    values[each] = None
            return values[-1]

        return forward

    def start(self, model: Any, initial: Mapping[str, State]) -> None:
        """Puts the weights of layers that are known into the model; the others stay as drawn.

        Raises:
            DamagedFile: weights of another shape.
        """
        for node in self.layers:
            if node.hash in initial:
                assign(model.get_layer(layer_name(node)), initial[node.hash])

    # -- predictions -------------------------------------------------------------------------------------------------

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        """Predictions for all rows, on whichever backend is in use; the mean over several views if asked.

        Raises:
            DamagedFile: the state belongs to another network.
        """
        return finish(self.raw(inputs, state, self.recipe()["test_time"]), state)

    def raw(self, inputs: tuple, state: State, views: str = "none") -> np.ndarray:
        """What the outermost layer gives for all rows, as the mean over these views.

        Raises:
            DamagedFile: the state belongs to another network.
        """
        from perennial.trainers.descent.test_time import mean_of_views

        if state not in _kept:
            self.check(state)
        arrays = self.prepare(inputs, json.loads(state.texts["layout"]))
        ready = self._ready(state)
        parts = [
            mean_of_views(ready.run, [array[start : start + ready.rows] for array in arrays], views)
            for start in range(0, max(1, len(arrays[0])), ready.rows)
        ]
        return np.concatenate(parts)

    def model(self, state: State) -> Any:
        """The Keras model with the weights of a state, kept for as long as the state lives.

        Raises:
            DamagedFile: the state belongs to another network.
        """
        return self._ready(state).model

    def keep(self, model: Any, state: State) -> None:
        """Predicts with this model, whose weights are those of the state, instead of building another."""
        from perennial.trainers.descent.machine import rows_at_once

        _kept[state] = _Ready(self.head, model, self.training_pass(model), rows_at_once(model))

    def _ready(self, state: State) -> _Ready:
        known = _kept.get(state)
        if known is None or known.head is not self.head:
            self.keep(self._restored(state), state)
        return _kept[state]

    def _restored(self, state: State) -> Any:
        self.check(state)
        kinds, output = (
            self.concrete_types(json.loads(state.texts["layout"])),
            parse_type(state.texts["type"]),
        )
        model = self.build(kinds, output, 0)
        for variable, array in zip(model.weights, variables_of(state).values(), strict=True):
            if tuple(variable.shape) != array.shape:
                raise DamagedFile(
                    f"Weights have shape {array.shape}, the network needs {tuple(variable.shape)}."
                )
            variable.assign(array)
        return model


@dataclass(frozen=True)
class _Ready:
    """A model that can predict, and how many rows it takes at once."""

    head: Call
    model: Any
    forward: Callable
    rows: int

    def run(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Logits or standardised values."""
        import keras

        if keras.backend.backend() != "torch":
            given = arrays if len(arrays) > 1 else arrays[0]
            return keras.ops.convert_to_numpy(self.model(given, training=False))
        import torch

        device = next((variable.value.device for variable in self.model.weights), torch.device("cpu"))
        with torch.no_grad():
            tensors = [torch.from_numpy(np.array(array)).to(device) for array in arrays]
            return self.forward(tensors, None).float().cpu().numpy()


_kept: WeakKeyDictionary[State, _Ready] = WeakKeyDictionary()


def layer_name(node: Call) -> str:
    """The name of a layer in its Keras model."""
    return f"{node.function.name}_{node.hash[:SHORT]}"


# -- small parts -------------------------------------------------------------------------------------------------------


def is_layer(node: Program) -> bool:
    return isinstance(node, Call) and isinstance(node.function, Layer)


def _layers(head: Call) -> list[Call]:
    """Layer calls below and with the head, arguments first."""
    done: dict[Call, None] = {}
    stack = [(head, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            done[node] = None
        elif node not in done:
            stack.append((node, True))
            stack += [(argument, False) for argument in reversed(node.arguments) if is_layer(argument)]
    return list(done)


def _arguments(head: Call) -> list[Program]:
    return [argument for node in _layers(head) for argument in node.arguments if not is_layer(argument)]


def _numbers(value: Any, kind: Type) -> np.ndarray:
    value = np.asarray(value.toarray() if hasattr(value, "toarray") else value)
    if kind.name == "Image" and value.dtype == np.uint8:
        return value
    return np.clip(np.nan_to_num(value, nan=0.0), -LARGEST_INPUT, LARGEST_INPUT).astype(np.float32)


def _draw(node: Call, layer: Any, generator: np.random.Generator) -> None:
    """First weights in NumPy alone: a seed means the same on every backend, and no random draw is compiled."""
    for variable in layer.trainable_variables:
        drawn = node.function.draw(variable.name, tuple(variable.shape), generator)
        if drawn is not None:
            variable.assign(drawn.astype(np.float32))


def _array(variable: Any) -> np.ndarray:
    import keras

    value = variable.value
    plain = value.detach().cpu().numpy() if hasattr(value, "detach") else keras.ops.convert_to_numpy(value)
    return np.array(plain)


def numbered(model: Any) -> dict[str, np.ndarray]:
    """The weights of a whole model, in its order."""
    return {f"variable_{number:03d}": _array(variable) for number, variable in enumerate(model.weights)}


def arrays_of(layer: Any) -> dict[str, np.ndarray]:
    return {name: _array(variable) for name, variable in _named(layer)}


def _named(layer: Any) -> list[tuple[str, Any]]:
    """The variables of a layer under names of their own: a layer of several parts has one name more than once."""
    seen: dict[str, int] = {}
    found = []
    for variable in layer.weights:
        number = seen[variable.name] = seen.get(variable.name, -1) + 1
        found.append((f"{variable.name}_{number}" if number else variable.name, variable))
    return found


def assign(layer: Any, state: State) -> None:
    for name, variable in _named(layer):
        array = state.arrays.get(name)
        if array is None or array.shape != tuple(variable.shape):
            there = "nothing" if array is None else f"shape {array.shape}"
            raise DamagedFile(
                f"`{layer.name}` needs {name} of shape {tuple(variable.shape)}, received {there}."
            )
        variable.assign(array)


def variables_of(state: State) -> dict[str, np.ndarray]:
    """The weights of a whole model by name, in its order."""
    names = [name for name in state.arrays if name.startswith("variable_")]
    return {name: state.arrays[name] for name in sorted(names, key=lambda name: (len(name), name))}
