"""From layer words to Keras: a network is the part of a program below one `head`, and becomes one functional model.

A sub-program that occurs twice is one layer that is used twice. The weights of a network are one `State` under its
head; `split` and `joined` turn that into one `State` a layer, by node hash, and back: so weights move between
architectures. Every prediction of a network, on any backend of Keras, goes through here.
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
from perennial.lang import (
    Call,
    Cost,
    FitContext,
    Lambda,
    Layer,
    Learner,
    Network,
    Program,
    State,
    Tensor,
    Type,
    TypeVar,
    parse_type,
    typed,
)
from perennial.lang.types import fresh
from perennial.primitives.layers.frozen import Frozen
from perennial.primitives.layers.head import Head
from perennial.primitives.layers.mlp import finish

NUMBERS_AT_ONCE = 2**24
MOST_ROWS = 2048
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
        there = sum(array.size for array in _variables(state))
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
                _assign(model.get_layer(layer_name(node)), initial[node.hash])

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

    def _ready(self, state: State) -> _Ready:
        known = _kept.get(state)
        if known is None or known.head is not self.head:
            known = _kept[state] = self._restored(state)
        return known

    def _restored(self, state: State) -> _Ready:
        self.check(state)
        kinds, output = (
            self.concrete_types(json.loads(state.texts["layout"])),
            parse_type(state.texts["type"]),
        )
        model = self.build(kinds, output, 0)
        for variable, array in zip(model.weights, _variables(state), strict=True):
            if tuple(variable.shape) != array.shape:
                raise DamagedFile(
                    f"Weights have shape {array.shape}, the network needs {tuple(variable.shape)}."
                )
            variable.assign(array)
        largest = max(cost.activations for cost in self.costs(kinds, output))
        rows = int(min(MOST_ROWS, max(1, NUMBERS_AT_ONCE // max(1.0, largest))))
        return _Ready(self.head, model, self.training_pass(model), rows)


class FrozenNetwork(Learner):
    """The network below one `frozen`, as one word: it takes over weights and learns nothing.

    Args:
        node: the call of `frozen`.
    """

    doc = "A network whose weights stay."
    cost = 10.0

    def __init__(self, node: Call) -> None:
        self.node, self.name = node, f"frozen_{node.hash[:SHORT]}"
        self.network = Compiled(node.arguments[0])

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """The features, where it is known what comes in."""
        if any(isinstance(kind, TypeVar) or kind.variables for kind in types):
            return fresh("features")
        return self.network.gives(types)

    def fit(self, inputs: tuple, target: Any, context: FitContext, **parameters: Any) -> State:
        """The weights that were handed in for it, for inputs of these shapes.

        Raises:
            ProgramError: nobody handed them in, or they do not fit inputs of these shapes.
        """
        given = context.initial.get(self.node.hash)
        if given is None:
            raise ProgramError(
                f"The weights of `frozen(…, of={self.node.settings['of']!r})` are not at hand.",
                todo="Grow with the library that holds this record.",
            )
        layout = self.network.layout(inputs, context.types)
        features = self.network.gives(self.network.concrete_types(layout))
        state = State(dict(given.arrays), {"layout": json.dumps(layout), "type": str(features)})
        try:
            self.check(state)
        except DamagedFile as error:
            raise ProgramError(f"Frozen weights do not fit here: {error.what}") from error
        return state

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        """`(n, d)` features."""
        return self.network.raw(inputs, state)

    def check(self, state: State) -> None:
        """Whether a state can belong to this network; nothing is built.

        Raises:
            DamagedFile: it cannot.
        """
        self.network.check(state)
        kinds = self.network.concrete_types(json.loads(state.texts["layout"]))
        if str(self.network.gives(kinds)) != state.texts["type"]:
            raise DamagedFile("The weights of a frozen network say that they give something else.")


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


# -- programs --------------------------------------------------------------------------------------------------------


def compiled(program: Program) -> Program:
    """The program with each network as one word; without a network it is the same program."""
    for node in [*heads(program), *frozen_parts(program)]:
        program = program.replace(node, _node_of(node))
    return program


def heads(program: Program) -> list[Call]:
    """The calls of `head`, each once."""
    return _calls(program, Head)


def frozen_parts(program: Program) -> list[Call]:
    """The calls of `frozen`, each once."""
    return _calls(program, Frozen)


def compiled_states(program: Program, weights: Mapping[str, State]) -> dict[str, State]:
    """Weights by the nodes of the compiled program."""
    joined = _joined(program)
    return {joined.get(key, key): state for key, state in weights.items()}


def original_states(program: Program, states: Mapping[str, State]) -> dict[str, State]:
    """The inverse of `compiled_states`."""
    original = {there: here for here, there in _joined(program).items()}
    return {original.get(key, key): state for key, state in states.items()}


def _joined(program: Program) -> dict[str, str]:
    """For the hash of each fitted word of a program, its hash in the compiled one."""
    if not heads(program) and not frozen_parts(program):
        return {}
    calls = (node for node in program.walk() if isinstance(node, Call))
    return {node.hash: compiled(node).hash for node in calls if getattr(node.function, "fits", False)}


def check_states(program: Program, weights: Mapping[str, State]) -> None:
    """Whether weights can belong to the networks of a program; nothing is built.

    Raises:
        DamagedFile: they do not.
    """
    for head in heads(program):
        Compiled(head).check(weights[head.hash])
    for part in frozen_parts(program):
        FrozenNetwork(part).check(weights[part.hash])


# -- weights, layer by layer -----------------------------------------------------------------------------------------


def split(program: Program, weights: Mapping[str, State]) -> dict[str, State]:
    """One state a layer, by node hash, of all networks of a program: arrays under the names of Keras.

    The head's state also says what is predicted and how its values are scaled.
    """
    found: dict[str, State] = {}
    for head in heads(program):
        word, state = Compiled(head), weights[head.hash]
        model = word.model(state)
        for node in word.layers:
            arrays = _arrays(model.get_layer(layer_name(node)))
            if node is head:
                found[node.hash] = State({**arrays, "target": state.arrays["target"]}, dict(state.texts))
            elif arrays:
                found[node.hash] = State(arrays, {})
    return found


def joined(program: Program, states: Mapping[str, State]) -> dict[str, State]:
    """The inverse of `split`: the weights of a program from one state a layer.

    Raises:
        DamagedFile: a layer has no state, or one of another shape.
    """
    found: dict[str, State] = {}
    for head in heads(program):
        word, told = Compiled(head), states[head.hash]
        kinds = word.concrete_types(json.loads(told.texts["layout"]))
        model = word.build(kinds, parse_type(told.texts["type"]), 0)
        for node in word.layers:
            layer = model.get_layer(layer_name(node))
            if layer.weights:
                _assign(layer, states.get(node.hash, State()))
        found[head.hash] = State({**_numbered(model), "target": told.arrays["target"]}, dict(told.texts))
    return found


def features_of(program: Program, weights: Mapping[str, State]) -> tuple[Program, State] | None:
    """The part of a network below its head, with the weights that it has, as `frozen` takes them.

    Args:
        program: `lambda x: head(…)`.
        weights: of it.

    Returns:
        `lambda x: …` up to the features, and one state; None where the program is no network alone.
    """
    found = heads(program)
    if not isinstance(program, Lambda) or len(found) != 1 or program.body is not found[0]:
        return None
    top = found[0].arguments[0]
    while _is_layer(top) and top.function.name == "dropout":
        top = top.arguments[0]
    if not _is_layer(top) or frozen_parts(program):
        return None
    told, states = weights[found[0].hash], split(program, weights)
    word = Compiled(top)
    kinds = word.concrete_types(json.loads(told.texts["layout"]))
    kind = word.gives(kinds)
    model = word.build(kinds, kind, 0)
    for node in word.layers:
        layer = model.get_layer(layer_name(node))
        if layer.weights:
            _assign(layer, states[node.hash])
    texts = {"layout": told.texts["layout"], "type": str(kind)}
    return Lambda(program.names, top), State(_numbered(model), texts)


def layer_states(top: Call, state: State) -> dict[str, State]:
    """The weights of `features_of`, layer by layer and by node hash: what a network that holds these layers starts from.

    Args:
        top: the outermost of the layers.
        state: of all of them.

    Raises:
        DamagedFile: the state belongs to other layers.
    """
    word = Compiled(top)
    model = word.model(state)
    arrays = {node.hash: _arrays(model.get_layer(layer_name(node))) for node in word.layers}
    return {key: State(found, {}) for key, found in arrays.items() if found}


def initial_states(program: Program, types: tuple[Type, ...], output: Type, seed: int) -> dict[str, State]:
    """The weights of a program's layers before any training, by node hash."""
    known, found = typed(program, types, output), {}
    for head in heads(program):
        word = Compiled(head)
        model = word.build(tuple(known[node] for node in word.inputs), known[head], seed)
        for node in word.layers:
            arrays = _arrays(model.get_layer(layer_name(node)))
            if arrays:
                found[node.hash] = State(arrays, {"type": str(known[head])} if node is head else {})
    return found


def keras_model(program: Program, weights: Mapping[str, State]) -> Any:
    """The plain Keras model of a program that is one network: from its input to logits or standardised values.

    It saves as `.keras` and loads with Keras alone; `keras.models.clone_model` copies it, and
    `keras.Model(model.input, model.get_layer(name).output)` cuts it, with names from `layer_name`.

    Raises:
        ProgramError: the program is not one network alone.
    """
    found = heads(program)
    if len(found) != 1 or getattr(program, "body", None) is not found[0]:
        raise ProgramError(
            "Only a program that is one network is one Keras model.",
            todo="Take a member that is `head(…)` alone.",
        )
    return Compiled(found[0]).model(weights[found[0].hash])


def layer_name(node: Call) -> str:
    """The name of a layer in its Keras model."""
    return f"{node.function.name}_{node.hash[:SHORT]}"


# -- small parts -----------------------------------------------------------------------------------------------------


def _calls(program: Program, kind: type) -> list[Call]:
    return [node for node in program.walk() if isinstance(node, Call) and isinstance(node.function, kind)]


def _node_of(node: Call) -> Call:
    """The call of the network that stands for a `head` or a `frozen`."""
    if isinstance(node.function, Frozen):
        word = FrozenNetwork(node)
        return Call(word, word.network.inputs)
    word = Compiled(node)
    return Call(word, tuple(compiled(argument) for argument in word.inputs))


def _is_layer(node: Program) -> bool:
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
            stack += [(argument, False) for argument in reversed(node.arguments) if _is_layer(argument)]
    return list(done)


def _arguments(head: Call) -> list[Program]:
    return [argument for node in _layers(head) for argument in node.arguments if not _is_layer(argument)]


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


def _numbered(model: Any) -> dict[str, np.ndarray]:
    """The weights of a whole model, in its order."""
    return {f"variable_{number:03d}": _array(variable) for number, variable in enumerate(model.weights)}


def _arrays(layer: Any) -> dict[str, np.ndarray]:
    return {name: _array(variable) for name, variable in _named(layer)}


def _named(layer: Any) -> list[tuple[str, Any]]:
    """The variables of a layer under names of their own: a layer of several parts has one name more than once."""
    seen: dict[str, int] = {}
    found = []
    for variable in layer.weights:
        number = seen[variable.name] = seen.get(variable.name, -1) + 1
        found.append((f"{variable.name}_{number}" if number else variable.name, variable))
    return found


def _assign(layer: Any, state: State) -> None:
    for name, variable in _named(layer):
        array = state.arrays.get(name)
        if array is None or array.shape != tuple(variable.shape):
            there = "nothing" if array is None else f"shape {array.shape}"
            raise DamagedFile(
                f"`{layer.name}` needs {name} of shape {tuple(variable.shape)}, received {there}."
            )
        variable.assign(array)


def _variables(state: State) -> list[np.ndarray]:
    names = [name for name in state.arrays if name.startswith("variable_")]
    return [state.arrays[name] for name in sorted(names, key=lambda name: (len(name), name))]
