"""Weights of networks layer by layer: how they move between architectures, and what is cut out of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from perennial.compiler.networks import Compiled, arrays_of, assign, is_layer, layer_name, numbered
from perennial.compiler.programs import heads, reused_parts
from perennial.errors import ProgramError
from perennial.lang import Call, Lambda, Program, State, Type, parse_type, typed


def split(program: Program, weights: Mapping[str, State]) -> dict[str, State]:
    """One state a layer, by node hash, of all networks of a program: arrays under the names of Keras.

    The head's state also says what is predicted and how its values are scaled.
    """
    found: dict[str, State] = {}
    for head in heads(program):
        word, state = Compiled(head), weights[head.hash]
        model = word.model(state)
        for node in word.layers:
            arrays = arrays_of(model.get_layer(layer_name(node)))
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
                assign(layer, states.get(node.hash, State()))
        found[head.hash] = State({**numbered(model), "target": told.arrays["target"]}, dict(told.texts))
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
    while is_layer(top) and top.function.name == "dropout":
        top = top.arguments[0]
    if not is_layer(top) or reused_parts(program):
        return None
    told, states = weights[found[0].hash], split(program, weights)
    word = Compiled(top)
    kinds = word.concrete_types(json.loads(told.texts["layout"]))
    kind = word.gives(kinds)
    model = word.build(kinds, kind, 0)
    for node in word.layers:
        layer = model.get_layer(layer_name(node))
        if layer.weights:
            assign(layer, states[node.hash])
    texts = {"layout": told.texts["layout"], "type": str(kind)}
    return Lambda(program.names, top), State(numbered(model), texts)


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
    arrays = {node.hash: arrays_of(model.get_layer(layer_name(node))) for node in word.layers}
    return {key: State(found, {}) for key, found in arrays.items() if found}


def initial_states(program: Program, types: tuple[Type, ...], output: Type, seed: int) -> dict[str, State]:
    """The weights of a program's layers before any training, by node hash."""
    known, found = typed(program, types, output), {}
    for head in heads(program):
        word = Compiled(head)
        model = word.build(tuple(known[node] for node in word.inputs), known[head], seed)
        for node in word.layers:
            arrays = arrays_of(model.get_layer(layer_name(node)))
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
