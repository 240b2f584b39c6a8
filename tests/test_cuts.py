"""Where networks are cut, against Keras: the same numbers as in the middle of the whole network."""

import json

import numpy as np
import pytest

from perennial import compiler
from perennial.compiler.networks import numbered
from perennial.errors import DamagedFile
from perennial.lang import Call, Image, Lambda, State, Tensor, call, parse
from perennial.lang.types import Dist
from perennial.primitives import vocabulary
from perennial.primitives.layers.activation import Activation
from perennial.spaces import Genotype
from perennial.spaces.networks import FAMILIES, network_space

WORDS, SIZE = vocabulary(), Image(16, 12, 3)
FAMILY = {"plain": ["plain1.depth", "plain2.depth"], "residual": ["residual2.depth"], "cell": []}


def network(family, rows=40):
    """Images and a network of the space below its head, with weights of its own."""
    space = network_space(SIZE, Dist(3), 300, 5.0, features=False)
    more = {label: 2 for label in FAMILY[family]}
    program = space.freeze(space.repair(Genotype({"family": FAMILIES[family], **more})))
    body = program.body.arguments[0].arguments[0]  # below head and dropout
    word = compiler.Compiled(body)
    model = word.build((SIZE,), word.gives((SIZE,)), 3)
    generator = np.random.default_rng(1)
    for variable in model.weights:  # statistics of normalisation too
        drawn = generator.normal(1.0 if "variance" in variable.name else 0.0, 0.2, tuple(variable.shape))
        variable.assign(np.abs(drawn) + 0.05 if "variance" in variable.name else drawn)
    texts = {"layout": json.dumps({"types": [str(SIZE)]}), "type": str(word.gives((SIZE,)))}
    images = generator.integers(0, 256, (rows, *SIZE.dims), dtype=np.uint8)
    return Lambda(program.names, body), model, State(numbered(model), texts), images


def in_parts(values):
    """The means over up to 3 x 3 windows, in NumPy."""
    size = -(-max(values.shape[1:3]) // 3)
    counts = [-(-side // size) for side in values.shape[1:3]]
    bounds = [
        [(side * k // count, -(-side * (k + 1) // count)) for k in range(count)]
        if (count * size - side) % 2
        else [(max(0, k * size - (count * size - side) // 2), min(side, (k + 1) * size - (count * size - side) // 2)) for k in range(count)]
        for side, count in zip(values.shape[1:3], counts, strict=True)
    ]  # fmt: skip
    means = [[values[:, a:b, c:d].mean((1, 2)) for c, d in bounds[1]] for a, b in bounds[0]]
    return np.stack([np.stack(row, 1) for row in means], 1).reshape(len(values), -1)


@pytest.mark.parametrize("family", FAMILY)
def test_a_cut_says_what_the_network_sees_there(family):
    import keras

    function, model, state, images = network(family)
    places = [
        node for node in compiler.dominators(compiler.Compiled(function.body))
        if isinstance(node.function, Activation)
    ][-4:]  # fmt: skip
    layers = [model.get_layer(compiler.layer_name(node)).output for node in places]
    halves = keras.Model(model.inputs, layers)(keras.ops.convert_to_tensor(images), training=False)
    seen = [each.detach().cpu().numpy() for each in halves]
    wanted = np.concatenate([in_parts(values) for values in seen], axis=1)
    together, *alone = compiler.cuts_of(function, SIZE)
    for cut, expected in [(together, wanted), *((each, in_parts(seen[0])) for each in alone)]:
        told = compiler.first_layers(cut, state)
        word = compiler.word_of(call(WORDS["frozen"], cut.body, of="abc"))
        word.check(told)
        assert np.allclose(word.call(images, state=told), expected, atol=1e-4)
        assert len(told.arrays) <= len(state.arrays)
    assert bool(alone) == (len(places) == 4)


def test_what_flows_around_a_layer_is_no_cut():
    program = parse(
        """
def model(image):
    first = relu(conv(pixels(image), width=4, kernel=3))
    around = relu(conv(first, width=4, kernel=3))
    return global_pool(relu(sum_of(first, around)))
""",
        WORDS,
    )
    names = [node.function.name for node in compiler.dominators(compiler.Compiled(program.body))]
    assert names == ["pixels", "conv", "relu", "sum_of", "relu", "global_pool"]
    [together] = compiler.cuts_of(program, Image(9, 9, 1))
    assert compiler.Compiled(together.body).gives((Image(9, 9, 1),)) == Tensor(2 * 9 * 4)


def test_a_network_without_places_has_no_cut():
    flat = parse("lambda image: relu(dense(flatten(pixels(image)), units=4))", WORDS)
    assert compiler.cuts_of(flat, SIZE) == []
    assert compiler.cuts_of(parse("lambda image: image", WORDS), SIZE) == []


def test_weights_that_do_not_divide_are_refused():
    function, _, state, _ = network("plain")
    name = next(iter(state.arrays))
    wrong = State({**state.arrays, name: np.zeros(state.arrays[name].size + 1)}, state.texts)
    cut = compiler.cuts_of(function, SIZE)[-1]
    assert isinstance(cut.body, Call)
    with pytest.raises(DamagedFile, match="do not divide"):
        compiler.first_layers(cut, wrong)


@pytest.mark.parametrize("family", FAMILY)
def test_in_grey_it_sees_what_it_sees_in_colour(family):
    """Against the whole network on pictures whose channels are alike, and on the mean of the channels."""
    function, _, state, images = network(family)
    word = compiler.word_of(call(WORDS["frozen"], function.body, of="abc"))
    grey = images[..., :1]
    told = compiler.with_channels(function, state, 1)
    alike = word.call(np.repeat(grey, 3, axis=3), state=state)
    assert np.allclose(word.call(grey, state=told), alike, atol=1e-4)
    colour = compiler.with_channels(function, told, 3)
    assert np.allclose(word.call(np.repeat(grey, 3, axis=3), state=colour), alike, atol=1e-4)
    mean = np.repeat(images.mean(axis=3, keepdims=True), 3, axis=3).round().astype(np.uint8)
    assert np.allclose(word.call(images, state=colour), word.call(mean, state=state), atol=0.1)


def test_a_network_that_does_not_begin_with_a_convolution_keeps_its_channels():
    function = parse("lambda image: relu(dense(global_pool(pixels(image)), units=4))", WORDS)
    state = State(
        {"variable_000": np.zeros((3, 4)), "variable_001": np.zeros(4)},
        {"layout": json.dumps({"types": [str(SIZE)]})},
    )
    with pytest.raises(DamagedFile, match="other channels"):
        compiler.with_channels(function, state, 1)
    function, _, state, _ = network("plain")
    with pytest.raises(DamagedFile, match="other channels"):
        compiler.with_channels(function, state, 4)
