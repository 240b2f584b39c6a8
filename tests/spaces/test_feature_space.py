"""The space of models for images without a network: well typed, sampled safely, and quick to a real answer."""

import numpy as np
import pytest

from perennial.evaluate import Bench, evaluate
from perennial.lang import Dist, Image, Lambda, Marginals, Real, Tensor, Var, parse, to_source, typed
from perennial.metrics import resolve
from perennial.primitives import vocabulary
from perennial.protocol import Protocol
from perennial.spaces import Space
from perennial.spaces.features import FEATURES, FEW_IMAGES, IMAGE, LEARNERS, on_features
from perennial.spaces.networks import known_openers, network_space
from perennial.spaces.offers import openers_for, space_for
from perennial.task import Task

SPACE = Space(Lambda((IMAGE,), on_features(Var(IMAGE))))
PAIRS = [("edges", "kernel_ridge"), ("edges", "linear"), ("patches", "kernel_ridge")]
OPENERS = [
    SPACE.repair({"features": FEATURES[kind], "learner": LEARNERS[learner]}) for kind, learner in PAIRS
]
OUTPUTS = [Dist(2), Dist(10), Real, Tensor(3), Marginals(4)]


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@pytest.mark.parametrize("image", [Image(8, 8, 1), Image(28, 28, 1), Image(48, 64, 3)], ids=str)
def test_every_candidate_is_well_typed_and_prints_and_parses_back(image, output):
    generator = np.random.default_rng(0)
    for genotype in [*OPENERS, *(SPACE.sample(generator) for _ in range(20))]:
        program = SPACE.freeze(genotype)
        typed(program, (image,), output)
        assert parse(to_source(program), vocabulary()) == program


def test_openers_differ_and_are_what_images_are_offered():
    space = space_for("image", Image(28, 28, 1), Dist(10), 1_000)
    openers = openers_for("image", space)
    assert len(openers) == len({to_source(space.freeze(genotype)) for genotype in openers}) >= 4
    assert "kernel_ridge(hog(" in to_source(space.freeze(openers[0])).replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("rows", [200, FEW_IMAGES, FEW_IMAGES + 1])
def test_few_images_are_seen_in_five_places(rows):
    space = space_for("image", Image(28, 28, 1), Dist(10), rows)
    sources = [to_source(space.freeze(genotype)) for genotype in openers_for("image", space)]
    told = [source for source in sources if "hog(" in source or "patch_features(" in source]
    assert len(told) >= 3
    assert {"shifted=True" in source for source in told} == {rows <= FEW_IMAGES}


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
    for genotype in OPENERS:
        outcome = evaluate(bench, source=to_source(SPACE.freeze(genotype)), seed=0, fold_limit=1)
        assert outcome.value > 0.9, to_source(SPACE.freeze(genotype))


KNOWN = parse(
    "lambda picture: frozen(global_pool(relu(conv(pixels(picture), width=5, kernel=3))), of='ab12')",
    vocabulary(),
)


def test_features_that_were_learnt_before_are_offered_alone_beside_edges_and_trained_further():
    space = network_space(Image(16, 16, 1), Dist(4), 500, known=[KNOWN, KNOWN])
    openers = known_openers(space, [KNOWN, KNOWN])
    assert [place for _, place, _ in openers] == [0, 0, 1, 0, 0, 0]
    programs = [to_source(space.freeze(genotype)) for genotype, _, _ in openers]
    assert len(set(openers)) == len(openers)
    assert ["frozen(" in source for source in programs] == [True, False, True, True, True, True]
    assert ["hog(" in source for source in programs] == [False, False, False, True, False, True]
    assert "head(" in programs[1] and "width=5" in programs[1]
    assert all("picture" not in source for source in programs)
    for genotype, _, _ in openers:
        typed(space.freeze(genotype), (Image(16, 16, 1),), Dist(4))


RECALLED = parse("lambda picture: recalled(picture, of='cd34', size=7)", vocabulary())


def test_a_whole_model_is_offered_like_features_but_is_not_trained_further():
    space = network_space(Image(16, 16, 1), Dist(4), 500, known=[RECALLED, KNOWN])
    openers = known_openers(space, [RECALLED, KNOWN])
    programs = [to_source(space.freeze(genotype)) for genotype, _, _ in openers]
    assert [place for _, place, _ in openers] == [0, 1, 1, 0, 0, 0]
    assert ["recalled(" in source for source in programs] == [True, False, False, True, True, True]
    assert "head(" in programs[1] and "frozen(" in programs[2]
    for genotype, _, _ in openers:
        typed(space.freeze(genotype), (Image(16, 16, 1),), Dist(4))
    alone = network_space(Image(16, 16, 1), Dist(4), 500, known=[RECALLED])
    assert all("head(" not in to_source(alone.freeze(g)) for g, _, _ in known_openers(alone, [RECALLED]))


def test_what_is_trained_further_takes_smaller_steps():
    space = network_space(Image(16, 16, 1), Dist(4), 500, known=[KNOWN])
    further = known_openers(space, [KNOWN])[1][0]
    usual = space.repair(
        {**further, **{name: space.default()[name] for name in further if name in space.default()}}
    )
    rates = [name for name in further if name.endswith(".rate")]
    assert rates and all(further[name] < usual[name] for name in rates)


def test_without_anything_known_there_are_no_such_openers_and_the_space_is_the_same():
    plain = network_space(Image(16, 16, 1), Dist(4), 500)
    assert known_openers(plain, []) == []
    assert to_source(plain.freeze(plain.default())) == to_source(
        network_space(Image(16, 16, 1), Dist(4), 500, known=[KNOWN]).freeze(plain.default())
    )
