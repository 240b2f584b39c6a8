"""Children begin with their parent's function: every exact step, on random networks, against a plain NumPy interpreter.

The interpreter below knows nothing of Keras or of how weights are moved; it computes each word from its definition.
"""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from perennial.errors import ProgramError
from perennial.lang import Call, Dist, Image, Lambda, State, Var, call, typed
from perennial.morphism import inherit
from perennial.primitives import vocabulary
from perennial.spaces.networks import network_space

WORDS = vocabulary()
if "conv" not in WORDS:
    pytest.skip("the layer words are not here", allow_module_level=True)

CLASSES = 5
OUTPUT = Dist(CLASSES)
SIZE = Image(7, 6, 2)
IMAGE = Var("image")
LARGER = Image(13, 13, 2)
NORM_EPSILON = 1e-3


# -- an interpreter --------------------------------------------------------------------------------------------------


def windows(values, size, stride, border):
    """`(n, height, width, channels, size, size)` with padding `same`."""
    pads = [(0, 0)]
    for length in values.shape[1:3]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(values, [*pads, (0, 0)], constant_values=border)
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def conv(x, w, kernel, stride=1, **_):
    return np.einsum("nhwcab,abco->nhwo", windows(x, kernel, stride, 0.0), w["kernel"]) + w.get("bias", 0.0)


def separable(x, w, kernel, stride=1, **_):
    each = np.einsum("nhwcab,abcm->nhwcm", windows(x, kernel, stride, 0.0), w["depthwise_kernel"])
    return each.reshape(*each.shape[:3], -1) @ w["pointwise_kernel"][0, 0] + w.get("bias", 0.0)


def normalised(x, w, **_):
    return (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + NORM_EPSILON) * w["gamma"] + w["beta"]


def pooled(function, border):
    def pool(x, w, size=2, stride=None, **_):
        return function(windows(x, size, stride or size, border), axis=(-1, -2))

    return pool


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def layer_normalised(x, w, **_):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + NORM_EPSILON)
    return centred / deviation * w["gamma"] + w["beta"]


MEANING = {
    "layer_norm": layer_normalised,
    "pixels": lambda x, w, **_: x / 127.5 - 1.0,
    "conv": conv,
    "separable_conv": separable,
    "batch_norm": normalised,
    "relu": lambda x, w, **_: np.maximum(x, 0.0),
    "gelu": lambda x, w, **_: gelu(x),
    "silu": lambda x, w, **_: x / (1.0 + np.exp(-x)),
    "max_pool": pooled(np.max, -np.inf),
    "average_pool": pooled(np.nanmean, np.nan),
    "global_pool": lambda x, w, **_: x.mean(axis=(1, 2)),
    "flatten": lambda x, w, **_: x.reshape(len(x), -1),
    "dropout": lambda x, w, **_: x,
    "dense": lambda x, w, **_: x @ w["kernel"] + w["bias"],
    "head": lambda x, w, **_: x @ w["kernel"] + w["bias"],
}


def run(program, states, images):
    """What the program gives, before the softmax."""
    values = {}

    def value(node):
        if node not in values:
            if isinstance(node, Var):
                values[node] = images.astype(np.float64)
            else:
                given = [value(each) for each in node.arguments]
                values[node] = apply(node, given)
        return values[node]

    def apply(node, given):
        name = node.function.name
        if name == "sum_of":
            return sum(given)
        if name == "concatenate":
            return np.concatenate(given, axis=-1)
        state = states.get(node.hash, State())
        weights = {key: array.astype(np.float64) for key, array in state.arrays.items()}
        return MEANING[name](given[0], weights, **parameters(node))

    return value(program.body)


def parameters(node):
    return node.function.complete({name: literal.value for name, literal in node.parameters})


def shapes_of(node, types):
    """The arrays of a layer by name."""
    name, own = node.function.name, parameters(node)
    units = types[node.arguments[0]].dims[-1] if node.arguments else 0
    if name == "conv":
        return {"kernel": (own["kernel"], own["kernel"], units, own["width"]), "bias": (own["width"],)}
    if name == "separable_conv":
        depthwise = (own["kernel"], own["kernel"], units, 1)
        return {
            "depthwise_kernel": depthwise,
            "pointwise_kernel": (1, 1, units, own["width"]),
            "bias": (own["width"],),
        }
    if name == "batch_norm":
        return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (units,))
    if name == "layer_norm":
        return dict.fromkeys(("gamma", "beta"), (units,))
    if name == "dense":
        return {"kernel": (units, own["units"]), "bias": (own["units"],)}
    return {"kernel": (units, CLASSES), "bias": (CLASSES,)} if name == "head" else {}


def drawn(program, types, output, seed):
    """Random weights of a program, those of norms included."""
    known, generator, states = typed(program, types, output), np.random.default_rng(seed), {}
    for node in program.walk():
        wanted = shapes_of(node, known) if isinstance(node, Call) else {}
        if wanted:
            arrays = {name: random(name, shape, generator) for name, shape in wanted.items()}
            texts = {"type": str(output)} if node.function.name == "head" else {}
            if texts:
                arrays["target"] = np.full((4, 1), float(seed), np.float32)
            states[node.hash] = State(arrays, texts)
    return states


def random(name, shape, generator):
    if name in ("gamma", "moving_variance"):
        return (0.5 + generator.random(shape)).astype(np.float32)
    deviation = math.prod(shape[:-1]) ** -0.5 if name.endswith("kernel") else 0.3
    return generator.normal(0.0, deviation, shape).astype(np.float32)


def inherited(parent, child, size=SIZE):
    """What was taken over, and how far the child's values are from the parent's."""
    images = np.random.default_rng(0).integers(0, 256, (3, *size.dims)).astype(np.uint8)
    states = drawn(parent, (size,), OUTPUT, seed=1)
    found = inherit(parent, states, child, (size,), fresh=drawn)
    own = drawn(child, (size,), OUTPUT, seed=2) | dict(found.states)
    before, after = run(parent, states, images), run(child, own, images)
    return found, float(np.abs(before - after).max() / max(np.abs(before).max(), 1.0))


# -- networks to begin with ------------------------------------------------------------------------------------------


def word(name, *arguments, **settings):
    return call(WORDS[name], *arguments, **settings)


def block(x, width, kernel=3, kind="conv", activation="relu", **more):
    return word(activation, word("batch_norm", word(kind, x, width=width, kernel=kernel, **more)))


def residual(x, width, activation="relu"):
    first = word("conv", word(activation, word("batch_norm", x)), width=width, kernel=3)
    return word("sum_of", x, word("conv", word(activation, word("batch_norm", first)), width=width, kernel=3))


def net(x, top="global_pool", **recipe):
    return Lambda(("image",), word("head", word(top, x), **recipe))


def base(width=6):
    return block(word("pixels", IMAGE), width)


PLAIN = net(block(base(), 8))
EXACT = {
    "another recipe": (PLAIN, net(block(base(), 8), learning_rate=0.1)),
    "deepen at the end": (PLAIN, net(block(block(base(), 8), 8))),
    "deepen and widen": (PLAIN, net(block(block(base(), 8), 11))),
    "deepen in the middle": (PLAIN, net(block(block(base(), 6), 8))),
    "deepen by a separable convolution": (PLAIN, net(block(block(base(), 8), 8, kind="separable_conv"))),
    "deepen by a dense layer": (
        Lambda(("image",), word("head", word("relu", word("dense", word("flatten", base()), units=9)))),
        Lambda(
            ("image",),
            word(
                "head",
                word(
                    "relu",
                    word("dense", word("relu", word("dense", word("flatten", base()), units=9)), units=9),
                ),
            ),
        ),
    ),
    "deepen twice": (PLAIN, net(block(block(block(base(), 6), 8), 8))),
    "widen the last": (PLAIN, net(block(base(), 13))),
    "widen the first": (PLAIN, net(block(base(9), 8))),
    "widen all, more than twice": (PLAIN, net(block(base(14), 20))),
    "widen below a flattening": (net(base(4), "flatten"), net(base(7), "flatten")),
    "widen separable": (
        net(block(base(), 8, kind="separable_conv")),
        net(block(base(9), 12, kind="separable_conv")),
    ),
    "widen through parts side by side": (
        net(word("concatenate", block(base(), 8), block(base(), 5, 1))),
        net(word("concatenate", block(base(), 10), block(base(), 7, 1))),
    ),
    "widen a residual network": (net(residual(block(base(), 8), 8)), net(residual(block(base(), 12), 12))),
    "grow a kernel": (PLAIN, net(block(base(), 8, kernel=5))),
    "grow a kernel of one pixel": (net(block(base(), 8, kernel=1)), net(block(base(), 8, kernel=5))),
    "grow a separable kernel": (
        net(block(base(), 8, kind="separable_conv")),
        net(block(base(), 8, kernel=5, kind="separable_conv")),
    ),
    "write out a separable convolution": (
        net(block(base(), 8, kind="separable_conv")),
        net(block(base(), 8, kernel=5)),
    ),
    "add a residual block": (PLAIN, net(residual(block(base(), 8), 8))),
    "add a residual block with gelu": (PLAIN, net(residual(block(base(), 8), 8, "gelu"))),
    "add a branch": (
        PLAIN,
        net(
            word(
                "relu",
                word(
                    "sum_of",
                    word("batch_norm", word("conv", base(), width=8, kernel=3)),
                    word("batch_norm", word("conv", base(), width=8, kernel=5)),
                ),
            )
        ),
    ),
    "add a branch to a sum": (
        net(word("sum_of", block(base(), 6), base())),
        net(
            word(
                "sum_of",
                block(base(), 6),
                base(),
                word("batch_norm", word("max_pool", base(), size=3, stride=1)),
            )
        ),
    ),
    "add a branch beside": (PLAIN, net(word("concatenate", block(base(), 8), block(base(), 5, 1)))),
    "deepen beyond a word that goes on as a whole": (
        net(block(word("layer_norm", base()), 8)),
        net(block(block(word("layer_norm", base()), 8), 9)),
    ),
    "add dropout": (PLAIN, net(word("dropout", block(base(), 8), rate=0.3))),
    "remove dropout": (net(word("dropout", block(base(), 8), rate=0.3)), PLAIN),
}
INEXACT = {
    "fewer units": (PLAIN, net(block(base(), 5))),
    "fewer layers": (net(block(block(base(), 8), 8)), PLAIN),
    "a smaller kernel": (PLAIN, net(block(base(), 8, kernel=1))),
    "another activation": (PLAIN, net(block(base(), 8, activation="gelu"))),
    "a gelu more": (PLAIN, net(word("gelu", block(base(), 8)))),
    "a separable convolution instead": (PLAIN, net(block(base(), 8, kind="separable_conv"))),
    "a skip that cannot be zero": (
        PLAIN,
        net(word("sum_of", block(base(), 8), word("max_pool", block(base(), 8), size=3, stride=1))),
    ),
    "more units below a word that takes them as a whole": (
        net(block(word("layer_norm", base()), 8)),
        net(block(word("layer_norm", base(9)), 8)),
    ),
    "a pooling more": (PLAIN, net(word("max_pool", block(base(), 8), size=2))),
}


SPACES = {size: network_space(size, OUTPUT, 1000, 1.0, features=False) for size in (SIZE, LARGER)}


# -- what is promised ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", EXACT.values(), ids=EXACT)
def test_the_child_computes_the_parents_function(pair):
    found, distance = inherited(*pair)
    assert found.exact, found.steps
    assert distance < 1e-5


@pytest.mark.parametrize("pair", INEXACT.values(), ids=INEXACT)
def test_what_changes_the_function_is_said_to(pair):
    found, distance = inherited(*pair)
    assert not found.exact and found.steps
    assert distance > 1e-5
    assert found.share > 0.1


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([SIZE, LARGER]),
    family=st.integers(0, 2),
    pick=st.integers(0, 1000),
)
def test_whatever_a_network_space_grows_begins_with_the_parents_function(seed, size, family, pick):
    space, generator = SPACES[size], np.random.default_rng(seed)
    genotype = space.sample(generator)
    genotype = space.repair({**genotype, "family": family, "activation": 0})
    morphs = space.morphs(genotype)
    assume(morphs)
    child = morphs[pick % len(morphs)]
    found, distance = inherited(space.freeze(genotype), space.freeze(child), size)
    assert found.exact, found.steps
    assert distance < 1e-5


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), size=st.sampled_from([SIZE, LARGER]))
def test_exact_is_true_only_where_it_is_true_for_any_two_networks(seed, size):
    space, generator = SPACES[size], np.random.default_rng(seed)
    genotype = space.sample(generator)
    other = (
        space.mutate(space.mutate(genotype, generator), generator) if seed % 3 else space.sample(generator)
    )
    found, distance = inherited(space.freeze(genotype), space.freeze(other), size)
    assert found.exact == (distance < 1e-5), found.steps


def expression(draw, x, depth):
    """A random stack of layers on x."""
    for _ in range(draw(st.integers(1, depth))):
        kind = draw(st.sampled_from(["block", "block", "residual", "branches", "beside", "pool", "plain"]))
        width, kernel = draw(st.integers(2, 6)), draw(st.sampled_from([1, 3]))
        if kind == "block":
            shape = draw(st.sampled_from(["conv", "separable_conv"]))
            x = block(x, width, kernel, shape, draw(st.sampled_from(["relu", "gelu"])))
        elif kind == "residual":
            x = residual(word("conv", x, width=width, kernel=1), width)
        elif kind == "branches":
            x = word("sum_of", block(x, width, kernel), word("conv", x, width=width, kernel=1))
        elif kind == "beside":
            x = word("concatenate", block(x, width, kernel), word("max_pool", x, size=3, stride=1))
        elif kind == "pool":
            x = word("max_pool", x, size=2)
        else:
            x = word("conv", x, width=width, kernel=kernel)
    return x


@st.composite
def pairs(draw):
    """A random network and a copy with up to three random places edited."""
    parent = net(expression(draw, word("pixels", IMAGE), 4))
    child = parent
    for _ in range(draw(st.integers(1, 3))):
        nodes = [
            node for node in child.body.walk() if isinstance(node, Call) and node.function.name != "head"
        ]
        node = draw(st.sampled_from(nodes))
        child = child.replace(node, edited(draw, node))
    return parent, child


def edited(draw, node):
    settings_ = dict(node.parameters)
    kind = draw(st.sampled_from(["widen", "kernel", "deepen", "norm", "residual", "beside", "drop", "relu"]))
    if kind == "widen" and "width" in settings_:
        return Call(
            node.function,
            node.arguments,
            settings_ | {"width": settings_["width"].value + draw(st.integers(1, 5))},
        )
    if kind == "kernel" and "kernel" in settings_:
        return Call(node.function, node.arguments, settings_ | {"kernel": settings_["kernel"].value + 2})
    if kind in ("deepen", "residual", "beside", "norm") and node.function.name in ("global_pool", "dropout"):
        return node  # what follows pooling is a vector
    width = draw(st.integers(2, 9))
    made = {
        "deepen": lambda: word("conv", node, width=width, kernel=3),
        "norm": lambda: word("batch_norm", node),
        "residual": lambda: word(
            "sum_of", node, word("batch_norm", word("max_pool", node, size=3, stride=1))
        ),
        "beside": lambda: word("concatenate", node, word("conv", node, width=width, kernel=1)),
        "drop": lambda: word("dropout", node, rate=0.2),
        "relu": lambda: word("relu", node),
    }
    return made.get(kind, made["drop"])()


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(pair=pairs())
def test_an_exact_child_of_a_random_network_computes_its_function(pair):
    try:
        for program in pair:
            typed(program, (SIZE,), OUTPUT)
    except ProgramError:
        assume(False)
    found, distance = inherited(*pair)
    if found.exact:
        assert distance < 1e-5, found.steps
    else:
        assert distance > 1e-12 or found.steps


# -- and more --------------------------------------------------------------------------------------------------------


def test_copies_of_a_unit_get_different_shares():
    found, _ = inherited(PLAIN, net(block(base(12), 8)))
    wide = next(
        s.arrays["kernel"]
        for s in found.states.values()
        if s.arrays.get("kernel", np.zeros(0)).shape == (3, 3, 12, 8)
    )
    ratio = wide[:, :, 6:] / np.where(wide[:, :, :6] == 0, 1.0, wide[:, :, :6])
    assert np.ptp(ratio) > 0.1


def test_a_new_norm_has_the_moments_of_what_it_gets():
    found, _ = inherited(PLAIN, net(block(block(base(), 8), 8)))
    child = net(block(block(base(), 8), 8))
    new = child.body.arguments[0].arguments[0].arguments[0]
    old = new.arguments[0].arguments[0].arguments[0]
    below, above = found.states[old.hash].arrays, found.states[new.hash].arrays
    sample = np.maximum(
        np.random.default_rng(0).normal(below["beta"], np.abs(below["gamma"]), (200_000, 8)), 0.0
    )
    assert above["moving_mean"] == pytest.approx(sample.mean(axis=0), abs=0.02)
    assert above["moving_variance"] == pytest.approx(sample.var(axis=0), abs=0.03)


def test_the_same_network_takes_over_everything():
    states = drawn(PLAIN, (SIZE,), OUTPUT, seed=1)
    found = inherit(PLAIN, states, PLAIN, (SIZE,), fresh=drawn)
    assert found.exact and found.share == 1.0 and dict(found.states) == states


def test_the_scale_of_the_target_goes_with_the_head():
    found, _ = inherited(PLAIN, net(block(base(), 13)))
    [head] = [state for state in found.states.values() if "type" in state.texts]
    assert (head.arrays["target"] == 1.0).all() and head.arrays["kernel"].shape == (13, CLASSES)


def test_a_program_without_a_network_takes_over_nothing():
    linear = Lambda(("image",), call(WORDS["linear"], call(WORDS["hog"], IMAGE)))
    states = drawn(PLAIN, (SIZE,), OUTPUT, seed=1)
    for parent, child in ((linear, PLAIN), (PLAIN, linear)):
        found = inherit(parent, states, child, (SIZE,), fresh=drawn)
        assert not found.states and not found.exact and found.share == 0.0


def test_reading_a_deep_network_takes_well_under_a_second():
    import time

    space = SPACES[LARGER]
    genotype = space.repair({"family": 1, "residual1.depth": 4, "residual2.depth": 4})
    child = next(each for each in space.morphs(genotype) if each["stage1.width"] != genotype["stage1.width"])
    parent, grown = space.freeze(genotype), space.freeze(child)
    states = drawn(parent, (LARGER,), OUTPUT, seed=1)
    start = time.process_time()
    inherit(parent, states, grown, (LARGER,), fresh=drawn)
    assert time.process_time() - start < 1.0
