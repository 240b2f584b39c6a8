"""The same promise on the Keras models that are trained: a child starts with its parent's function."""

import numpy as np
import pytest

from perennial import compiler
from perennial.lang import Dist, Image, State
from perennial.morphism import inherit
from perennial.spaces.networks import network_space

SIZE, OUTPUT = Image(12, 12, 3), Dist(4)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def space():
    return network_space(SIZE, OUTPUT, 500, 1.0, features=False)


def states_of(program, seed):
    """Weights as after some training: norms are no longer as they began."""
    generator = np.random.default_rng(seed)

    def lived(name, array):
        drawn = generator.normal(0.0, 0.2, array.shape)
        return (array + (np.abs(drawn) if name == "moving_variance" else drawn)).astype(np.float32)

    fresh = compiler.initial_states(program, (SIZE,), OUTPUT, seed)
    return {
        key: State({name: lived(name, array) for name, array in state.arrays.items()}, state.texts)
        for key, state in fresh.items()
    }


def logits(program, states):
    import torch

    [head] = compiler.heads(program)
    word = compiler.Compiled(head)
    model = word.build((SIZE,), OUTPUT, 7)
    word.start(model, states)
    with torch.no_grad():
        return model(torch.from_numpy(IMAGES), training=False).cpu().numpy()


@pytest.mark.parametrize("family", range(3), ids=["plain", "residual", "cell"])
def test_grown_keras_models_begin_with_the_function_of_their_parent(space, family):
    genotype = space.repair({"family": family, "plain1.depth": 2, "residual2.depth": 1})
    parent = space.freeze(genotype)
    states = states_of(parent, family)
    before = logits(parent, states)
    morphs = space.morphs(genotype)
    for child in morphs[:: max(1, len(morphs) // 6)]:
        grown = space.freeze(child)
        found = inherit(parent, states, grown, (SIZE,))
        assert found.exact, found.steps
        assert np.abs(logits(grown, found.states) - before).max() < 1e-5 * max(1.0, np.abs(before).max())


def test_what_training_left_behind_is_taken_over(space):
    parent = space.freeze(space.default())
    states = states_of(parent, 0)
    child = space.freeze(
        space.repair({**space.default(), "stage2.width": space.default()["stage2.width"] + 3})
    )
    found = inherit(parent, states, child, (SIZE,))
    assert found.share == 1.0 and set(found.states) == set(compiler.initial_states(child, (SIZE,), OUTPUT, 0))
