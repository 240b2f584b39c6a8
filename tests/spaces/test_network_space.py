"""The space of networks for images: its programs are well typed, sized to data and time, and every move works."""

import numpy as np
import pytest

from perennial.lang import Call, Dist, Image, Marginals, Real, Tensor, parse, to_source, typed
from perennial.primitives import vocabulary
from perennial.spaces.limits import cost_of
from perennial.spaces.networks import (
    for_long_training,
    network_portfolio,
    network_space,
    strengthened,
)

if "conv" not in vocabulary():
    pytest.skip("the layer words are not here", allow_module_level=True)

SIZES = [
    Image(8, 8, 1),
    Image(28, 28, 1),
    Image(32, 32, 3),
    Image(64, 48, 3),
    Image(200, 224, 3),
    Image(5, 3, 1),
]
COLOUR = Image(32, 32, 3)
FAMILIES = ("plain", "residual", "cell")


@pytest.fixture(scope="module")
def space():
    return network_space(COLOUR, Dist(10), 8_000, 600.0)


def drawn(space, number, seed=0, **fixed):
    generator = np.random.default_rng(seed)
    return [space.repair({**space.sample(generator), **fixed}) for _ in range(number)]


def words_of(program):
    return {node.function.name for node in program.walk() if isinstance(node, Call)}


def width_of(space, label="stage1.width"):
    return space.default()[label]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("output", [Dist(2), Dist(10), Real, Tensor(2), Marginals(3)], ids=str)
def test_random_programs_are_well_typed_and_can_be_read_back(size, output):
    space = network_space(size, output, 1_000, 60.0)
    for genotype in [space.default(), *drawn(space, 8)]:
        program = space.freeze(genotype)
        assert parse(to_source(program), vocabulary()) is program
        assert typed(program, (size,), output)[program.body] == output


@pytest.mark.parametrize("family", range(3), ids=FAMILIES)
def test_the_largest_network_of_each_family_is_no_deeper_than_a_program_may_be(family):
    space = network_space(Image(64, 64, 3), Dist(10), 1_000)
    genotype = space.repair({"model": 0, "family": family})
    deepest = {label: 9 for label in genotype if label.endswith(".depth")}
    program = space.freeze(space.repair({**genotype, **deepest}))
    assert typed(program, (Image(64, 64, 3),), Dist(10))[program.body] == Dist(10)


@pytest.mark.parametrize("family", range(3), ids=FAMILIES)
def test_every_move_stays_in_the_space_and_freezes(space, family):
    generator = np.random.default_rng(family)
    for genotype in drawn(space, 4, family, model=0, family=family):
        other = space.sample(generator)
        around = space.neighbours(genotype)
        children = [space.mutate(genotype, generator), space.crossover(genotype, other, generator)]
        children += [around[place] for place in generator.integers(len(around), size=5)]
        children += [space.weaken(genotype, strength) for strength in (0.0, 0.5, 1.0)] + space.morphs(
            genotype
        )[:5]
        lengths = {len(space.encode(each)) for each in children}
        assert all(each in space for each in children) and len(lengths) == 1
        for child in children:
            program = space.freeze(child)
            typed(program, (COLOUR,), Dist(10))


def test_openers_differ_and_begin_without_a_network(space):
    openers = network_portfolio(space)
    programs = [space.freeze(genotype) for genotype in openers]
    assert len(set(openers)) == len(openers) >= 8
    assert words_of(programs[0]) == {"hog", "kernel_ridge"}
    assert words_of(programs[1]) == {"patch_features", "standardise", "kernel_ridge"}
    networks = [cost_of(p, (COLOUR,), Dist(10)).flops for p in programs if "head" in words_of(p)]
    assert len(networks) >= 5 and len(set(networks)) >= 3
    assert all(genotype in space for genotype in openers)
    assert any("sum_of" in words_of(program) for program in programs)


def test_openers_keep_the_limits(space):
    for genotype in network_portfolio(space):
        cost = cost_of(space.freeze(genotype), (COLOUR,), Dist(10))
        assert not space.limits.broken_by(cost)


def test_few_random_networks_are_too_large(space):
    costs = [cost_of(space.freeze(g), (COLOUR,), Dist(10)) for g in drawn(space, 60, model=0)]
    broken = [bool(space.limits.broken_by(cost)) for cost in costs]
    assert 0 < np.mean(broken) < 0.35


def test_more_time_makes_wider_networks_and_more_images_narrower_ones():
    def width(rows, seconds):
        return width_of(network_space(COLOUR, Dist(10), rows, seconds))

    assert width(8_000, 60.0) < width(8_000, 600.0) < width(8_000, 6000.0)
    assert width(50_000, 600.0) < width(2_000, 600.0)
    assert width(8_000, float("inf")) == width(8_000, 600.0)


def test_the_default_fits_its_share_of_the_time():
    space = network_space(COLOUR, Dist(10), 8_000, 1200.0)
    flops = cost_of(space.freeze(space.default()), (COLOUR,), Dist(10)).flops
    assert flops < space.limits.flops <= 20 * flops


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_grows_is_a_decision_of_the_space(size):
    space = network_space(size, Dist(3), 1_000, 60.0)
    known = {
        choice.label for genotype in drawn(space, 60, model=0) for _, choice in space.decisions(genotype)
    }
    known |= {choice.label for f in range(3) for _, choice in space.decisions(deepest(space, f))}
    assert space.growing <= known


def deepest(space, family):
    genotype = space.repair({"model": 0, "family": family})
    deep = {label: 9 for label in genotype if label.endswith(".depth")}
    genotype = space.repair({**genotype, **deep})
    return space.repair({**genotype, **{label: 1 for label in genotype if label.endswith("branches")}})


@pytest.mark.parametrize("family", range(3), ids=FAMILIES)
def test_growing_makes_a_network_larger(space, family):
    genotype = space.repair({"model": 0, "family": family})
    before = cost_of(space.freeze(genotype), (COLOUR,), Dist(10)).parameters
    morphs = space.morphs(genotype)
    assert len(morphs) >= 5
    for child in morphs:
        assert cost_of(space.freeze(child), (COLOUR,), Dist(10)).parameters > before


def test_weakening_takes_augmentation_dropout_and_decay_off(space):
    genotype = space.repair({"model": 0, "cutout": 0.3, "trivial": 0.5, "dropout": 0.2})
    free, held = (dict(space.weaken(genotype, strength)) for strength in (0.0, 1.0))
    for label in ("shift", "cutout", "trivial", "dropout", "smoothing"):
        assert free[label] == 0 < held[label]
    assert free["sgd.decay"] < genotype["sgd.decay"] < held["sgd.decay"]
    assert free["stage1.width"] == held["stage1.width"] == genotype["stage1.width"]


def test_cells_of_one_network_have_one_graph_and_weights_of_their_own(space):
    genotype = space.repair({"model": 0, "family": 2, "cells1.depth": 2})
    program = space.freeze(genotype)
    convolutions = [
        node for node in program.walk() if isinstance(node, Call) and node.function.name == "conv"
    ]
    assert len(set(convolutions)) == len(convolutions) > 10
    labels = [label for label in genotype if label.startswith("cell.")]
    assert labels and not any("/" in label for label in labels)


def test_two_equal_edges_of_a_cell_do_not_share_weights(space):
    genotype = space.repair({"model": 0, "family": 2, "cell.0a.do": 1, "cell.0b.do": 1, "cells1.depth": 1})
    sums = [
        node
        for node in space.freeze(genotype).walk()
        if isinstance(node, Call) and node.function.name == "sum_of"
    ]
    assert all(len(set(node.arguments)) == len(node.arguments) for node in sums)


def test_models_on_features_can_be_left_out():
    space = network_space(COLOUR, Dist(10), 8_000, 600.0, features=False)
    assert all("head" in words_of(space.freeze(genotype)) for genotype in drawn(space, 10))


def test_networks_see_mirror_images_where_they_mean_the_same_and_one_tries_the_other_way(space):
    for mirrored in (False, True):
        flips = [g["flip"] for g in network_portfolio(space, mirrored) if "flip" in g]
        assert sum(flip != mirrored for flip in flips[:-1]) == 1


def test_a_longer_training_sees_more_changes_and_never_fewer(space):
    [mild] = drawn(space, 1, model=0, cutout=0.05, trivial=0.9)
    strong = strengthened(space, mild)
    assert (strong["cutout"], strong["trivial"]) == (0.3, 0.9)
    assert {k: v for k, v in strong.items() if k != "cutout"} == {
        k: v for k, v in mild.items() if k != "cutout"
    }
    [other] = drawn(space, 1, model=1)
    assert strengthened(space, other) == other == for_long_training(space, other, mirrored=True)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("strong", [False, True])
def test_a_long_training_is_ended_by_the_clock_alone(space, mirrored, strong):
    [short] = drawn(space, 1, model=0, cutout=0.0, trivial=0.0, flip=0, epochs=10)
    long = for_long_training(space, short, mirrored, strong)
    assert long["epochs"] >= 200 and long["flip"] == mirrored and (long["cutout"] > 0) == strong
    changed = {"epochs", "flip", "cutout", "trivial"}
    assert {k: v for k, v in long.items() if k not in changed} == {
        k: v for k, v in short.items() if k not in changed
    }
