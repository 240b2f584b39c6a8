"""The space of models for images without a network: well typed, sampled safely, and quick to a real answer."""

import numpy as np
import pytest

from perennial.evaluate import Bench, evaluate
from perennial.lang import Dist, Image, Marginals, Real, Tensor, parse, to_source, typed
from perennial.metrics import resolve
from perennial.primitives import vocabulary
from perennial.protocol import Protocol
from perennial.spaces.features import feature_openers, feature_space
from perennial.spaces.offers import openers_for, space_for
from perennial.task import Task

OUTPUTS = [Dist(2), Dist(10), Real, Tensor(3), Marginals(4)]


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@pytest.mark.parametrize("image", [Image(8, 8, 1), Image(28, 28, 1), Image(48, 64, 3)], ids=str)
def test_every_candidate_is_well_typed_and_prints_and_parses_back(image, output):
    space = feature_space(image, output)
    generator = np.random.default_rng(0)
    for genotype in [*feature_openers(space), *(space.sample(generator) for _ in range(20))]:
        program = space.freeze(genotype)
        typed(program, (image,), output)
        assert parse(to_source(program), vocabulary()) == program


def test_openers_differ_and_are_what_images_are_offered():
    space = space_for("image", Image(28, 28, 1), Dist(10), 1_000)
    openers = openers_for("image", space)
    assert len(openers) == len({to_source(space.freeze(genotype)) for genotype in openers}) >= 4
    assert "kernel_ridge(hog(" in to_source(space.freeze(openers[0])).replace("\n", "").replace(" ", "")


def test_openers_tell_bars_from_crosses():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, (160, 16, 16, 1))
    for number, image in enumerate(images):
        place = generator.integers(4, 12)
        image[:, place] += 150
        if number % 2:
            image[place, :] += 150
    task = Task.from_data((images.astype(np.uint8), np.array(["bar", "cross"] * 80)))
    bench = Bench(task, Protocol.propose(task, kind="kfold", folds=3), resolve("accuracy"))
    space = feature_space(task.input_type, task.output_type)
    for genotype in feature_openers(space)[:3]:
        outcome = evaluate(bench, source=to_source(space.freeze(genotype)), seed=0, fold_limit=1)
        assert outcome.value > 0.9, to_source(space.freeze(genotype))
