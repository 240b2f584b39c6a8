"""What a space says of sizes: how large a candidate may be, and which changes only make it larger."""

from types import SimpleNamespace

import numpy as np
import pytest

from perennial.lang import Call, Lambda, Var, call, primitive
from perennial.spaces import Genotype, Limits, Space, integer, one_of, optional, real, repeat


@primitive
def layer(x: float, *, width: int = 8, kernel: int = 3) -> float:
    return x


def tower(growing):
    x = Var("x")
    block = call(
        layer, x, width=integer("width", 4, 64, log=True, default=8), kernel=one_of("kernel", [1, 3, 5])
    )
    program = Call(repeat(Lambda(("x",), block), "depth", 1, 3), (1.0,))
    return Space(program, growing=growing)


# -- growing ---------------------------------------------------------------------------------------------------------


def test_morphs_are_the_neighbours_that_move_growing_decisions_up():
    space = tower(["depth", "width"])
    genotype = space.repair({"depth": 2, "width/0": 16, "width/1": 64, "kernel/1": 1})
    morphs = space.morphs(genotype)
    assert morphs and set(morphs) <= set(space.neighbours(genotype))
    for child in morphs:
        changed = {label for label in genotype if child[label] != genotype[label]}
        assert changed in ({"depth"}, {"width/0"})
        assert all(child[label] > genotype[label] for label in changed)


def test_options_and_switches_grow_in_their_order():
    program = call(layer, one_of("kind", [0.0, 1.0, 2.0]), width=1)
    space = Space(Call(optional("more", layer, default=False), (program,)), growing=["kind", "more"])
    grown = space.morphs(Genotype({"kind": 1, "more": False}))
    assert {Genotype({"kind": 2, "more": False}), Genotype({"kind": 1, "more": True})} == set(grown)
    assert space.morphs(Genotype({"kind": 2, "more": True})) == []


def test_what_comes_to_life_by_growing_is_the_default():
    space = tower(["depth"])
    genotype = space.repair({"depth": 1, "width/0": 50, "kernel/0": 2})
    [child] = [each for each in space.morphs(genotype) if each["depth"] == 2]
    assert (child["width/0"], child["kernel/0"], child["width/1"], child["kernel/1"]) == (50, 2, 8, 0)


def test_nothing_grows_where_the_space_does_not_say_so():
    space = tower([])
    assert space.morphs(space.default()) == [] and not space.growing


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["parameters", "flops", "activations"])
def test_a_limit_is_kept_up_to_it_and_broken_beyond(what):
    limits = Limits(**{what: 1000.0})
    small = dict.fromkeys(("parameters", "flops", "activations"), 1000)
    assert limits.broken_by(SimpleNamespace(**small)) == ""
    assert what in limits.broken_by(SimpleNamespace(**small | {what: 1001}))


def test_a_space_without_limits_allows_everything():
    huge = SimpleNamespace(parameters=1e18, flops=1e18, activations=1e18)
    assert Space(real("rate", 0.0, 1.0)).limits.broken_by(huge) == ""


# -- functions put in by name ----------------------------------------------------------------------------------------


def test_a_function_put_in_by_name_is_applied_where_it_is_called():
    chosen = one_of(
        "activation", [Lambda(("y",), call(layer, Var("y"), width=1)), layer, Lambda(("y",), Var("y"))]
    )
    body = Call(Var("f"), (call(layer, Call(Var("f"), (2.0,)), width=Var("n")),))
    space = Space(Call(Lambda(("f", "n"), body), (chosen, integer("width", 1, 9, default=5))))
    assert [str(space.freeze(Genotype({"activation": index, "width": 5}))) for index in range(3)] == [
        "layer(layer(layer(2.0, width=1), width=5), width=1)",
        "layer(layer(layer(2.0), width=5))",
        "layer(2.0, width=5)",
    ]


def test_a_decision_put_in_by_name_is_one_decision_for_all_copies_of_a_block():
    block = Lambda(("x",), call(layer, Var("x"), width=Var("n"), kernel=one_of("kernel", [1, 3])))
    body = Call(repeat(block, "depth", 2, 2), (1.0,))
    space = Space(Call(Lambda(("n",), body), (integer("width", 1, 9),)))
    drawn = space.sample(np.random.default_rng(0))
    assert set(drawn) == {"width", "depth", "kernel/0", "kernel/1"}
    widths = {
        dict(node.parameters)["width"].value for node in space.freeze(drawn).walk() if isinstance(node, Call)
    }
    assert widths == {drawn["width"]}
