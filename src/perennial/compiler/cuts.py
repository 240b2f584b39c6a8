"""Where a trained network may be cut, and what it sees there.

A network for classes ends in the mean over all places: its last numbers say what there is, and no longer where. That is
too little for other classes. At a cut below it the places are kept: the means over nine parts of the image.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np

from perennial.compiler.networks import Compiled, is_layer, variables_of
from perennial.errors import DamagedFile
from perennial.lang import Call, Image, Lambda, State, Type, call
from perennial.primitives.layers.activation import Activation
from perennial.primitives.layers.merging import concatenate
from perennial.primitives.layers.pooling import average_pool
from perennial.primitives.layers.shaping import flatten

PARTS_A_SIDE = 3
LAST = 4
NO_WEIGHTS = ("pixels", "average_pool", "max_pool")


def cuts_of(function: Lambda, kind: Type) -> list[Lambda]:
    """What a network sees at its last four cuts together, and at the fourth last alone; nothing where it has no cut.

    Args:
        function: layers on one image, as `features_of` gives them.
        kind: of the image.
    """
    if not is_layer(function.body):
        return []
    word = Compiled(function.body)
    types = word.types((kind,), word.gives((kind,)))
    maps = [
        node
        for node in dominators(word)
        if isinstance(node.function, Activation) and len(types[node].dims) == 3
    ]
    if not maps:
        return []
    seen = [_by_parts(node, types[node]) for node in maps[-LAST:]]
    found = [call(concatenate, *seen) if len(seen) > 1 else seen[0]]
    if len(seen) == LAST:
        found.append(seen[0])
    return [Lambda(function.names, body) for body in found]


def dominators(word: Compiled) -> Iterator[Call]:
    """The layers through which everything flows, from the input to the outermost: where only one value is still needed.

    Args:
        word: a network of one input.
    """
    last = {argument: place for place, node in enumerate(word.layers) for argument in node.arguments}
    needed: set = set(word.inputs)
    for place, node in enumerate(word.layers):
        needed = {value for value in needed if last[value] > place}
        if not needed:
            yield node
        needed.add(node)


def first_layers(function: Lambda, state: State) -> State:
    """The weights of a cut among those of the whole network; nothing is built.

    All layers below a cut come before all layers above it, so its weights are the first.

    Args:
        function: of `cuts_of`.
        state: of the whole network.

    Raises:
        DamagedFile: they cannot be.
    """
    word = Compiled(function.body)
    kinds = word.concrete_types(json.loads(state.texts["layout"]))
    gives = word.gives(kinds)
    wanted, arrays = sum(cost.parameters for cost in word.costs(kinds, gives)), {}
    for name, array in variables_of(state).items():
        if wanted <= 0:
            break
        arrays[name], wanted = array, wanted - array.size
    if wanted != 0:
        raise DamagedFile("The weights of a network do not divide where its layers do.")
    return State(arrays, {"layout": state.texts["layout"], "type": str(gives)})


def with_channels(function: Lambda, state: State, channels: int) -> State:
    """The weights of the same network for images in grey instead of colour, or the other way round; nothing is built.

    A picture in grey has the same number in all channels, so the first convolution adds up what it had for each; a picture in
    colour is seen as the mean of its channels.

    Args:
        function: layers on one image.
        state: of them.
        channels: of the other images.

    Raises:
        DamagedFile: its first weights are not those of a convolution of all that comes in.
    """
    word, variables = Compiled(function.body), variables_of(state)
    [kind] = word.concrete_types(json.loads(state.texts["layout"]))
    height, width, before = kind.dims
    first = next((node for node in dominators(word) if node.function.name == "conv"), None)
    name = next(iter(variables), "")
    kernel = variables.get(name, np.zeros(0))
    below = word.layers[: word.layers.index(first)] if first is not None else ()
    plain = (
        all(node.function.name in NO_WEIGHTS for node in below)
        and kernel.ndim == 4
        and kernel.shape[2] == before
    )
    if first is None or not plain or 1 not in (before, channels):
        raise DamagedFile("This network cannot take images with other channels.")
    whole = kernel.sum(axis=2, keepdims=True)
    changed = np.repeat(whole / channels, channels, axis=2).astype(kernel.dtype)
    layout = {"types": [str(Image(height, width, channels))]}
    return State({**variables, name: changed}, {**state.texts, "layout": json.dumps(layout)})


def _by_parts(node: Call, kind: Type) -> Call:
    """The means over nine parts of the image, in one row."""
    size = math.ceil(max(kind.dims[:2]) / PARTS_A_SIDE)
    return call(flatten, call(average_pool, node, size=size) if size > 1 else node)
