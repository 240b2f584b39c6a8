import itertools
import math

import numpy as np
import pytest

from perennial.errors import SpaceError
from perennial.lang import Call, Lambda, Literal, Var, call, evaluate, primitive
from perennial.spaces import Genotype, Space, integer, one_of, optional, real, recurse, repeat
from perennial.testing.strategies import known_spaces, nudged, together


@primitive
def plus(x: float, *, by: float = 1.0) -> float:
    return x + by


@primitive
def added(x: float, y: float) -> float:
    return x + y


@primitive
def negative(x: float) -> float:
    return -x


def step(label="by"):
    return Lambda(("x",), call(plus, Var("x"), by=integer(label, 1, 3)))


def grammar(depth=3):
    expression = one_of(
        "e",
        [
            Var("x"),
            call(added, recurse("e"), recurse("e")),
            call(negative, recurse("e")),
            real("c", 0.0, 1.0),
        ],
    )
    return Space(Lambda(("x",), expression), depth=depth)


SPACES = {known.name: known.space for known in known_spaces()} | {
    "nested": Space(one_of("a", [0, one_of("b", [1, call(plus, 2.0, by=integer("c", 1, 4))])])),
    "repeated": Space(Lambda(("x",), call(repeat(step(), "depth", 0, 3), Var("x")))),
    "optional": Space(Lambda(("x",), call(optional("extra", step()), Var("x")))),
    "grammar": grammar(),
    "closed": Space(Literal(3)),
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


# -- every space ---------------------------------------------------------------------------------------------


def test_what_is_spelled_is_read_back(space):
    for seed in range(20):
        genotype = space.sample(np.random.default_rng(seed))
        assert space.read(space.spelled(genotype)) == genotype


def test_options_are_found_by_name_where_others_stand_beside_them():
    first = Space(one_of("a", [call(plus, 1.0), call(negative, 1.0), call(plus, 2.0)]))
    second = Space(one_of("a", [Literal(7), call(plus, 1.0), call(plus, 2.0)]))
    names = [first.spelled(Genotype({"a": index}))["a"] for index in range(3)]
    assert names == ["plus", "negative", "plus 2"]
    assert [second.read({"a": name}) for name in names] == [Genotype({"a": 1}), None, Genotype({"a": 2})]


def test_whatever_a_space_makes_belongs_to_it_and_freezes_to_a_closed_program(space):
    rng = np.random.default_rng(0)
    genotype = space.default()
    for _ in range(40):
        other = space.sample(rng)
        made = [genotype, other, space.mutate(genotype, rng), space.crossover(genotype, other, rng)]
        made += space.neighbours(genotype)[:10]
        for each in made:
            assert each in space
            assert not [node for node in space.freeze(each).walk() if type(node).__name__ == "Choice"]
            assert space.from_json(space.to_json(each)) == each
        genotype = made[2]


def test_a_mutant_always_differs_and_changes_one_decision_that_was_active(space):
    rng = np.random.default_rng(1)
    genotype = space.sample(rng)
    for _ in range(60):
        mutant = space.mutate(genotype, rng)
        assert (mutant == genotype) == (space.size == 1)
        changed = [label for label in genotype if label in mutant and genotype[label] != mutant[label]]
        assert len(changed) == (space.size > 1)
        genotype = mutant


def test_neighbours_are_new_different_and_one_change_away(space):
    rng = np.random.default_rng(2)
    genotype = space.sample(rng)
    near = space.neighbours(genotype)
    assert len(set(near)) == len(near) and genotype not in near
    for other in near:
        assert sum(genotype[label] != other[label] for label in genotype if label in other) == 1


def test_a_child_takes_every_decision_from_a_parent_or_the_defaults(space):
    rng = np.random.default_rng(3)
    first, second = space.sample(rng), space.sample(rng)
    child = space.crossover(first, second, rng)
    for label, value in child.items():
        if label in first or label in second:
            assert value in (first.get(label), second.get(label))
    assert space.crossover(first, first, rng) == first


def test_the_same_seed_draws_the_same_genotypes(space):
    first, second = (np.random.default_rng(5) for _ in range(2))
    assert [space.sample(first) for _ in range(5)] == [space.sample(second) for _ in range(5)]


def test_encodings_have_one_length_and_differ_where_genotypes_differ(space):
    rng = np.random.default_rng(4)
    genotypes = list({space.sample(rng) for _ in range(50)})
    vectors = np.array([space.encode(genotype) for genotype in genotypes])
    assert (
        vectors.shape == (len(genotypes), len(space.encode(space.default()))) and np.isfinite(vectors).all()
    )
    if space is not SPACES["grammar"]:
        assert len(np.unique(vectors, axis=0)) == len(genotypes)


def test_the_active_decisions_are_those_of_the_genotype(space):
    genotype = space.sample(np.random.default_rng(6))
    assert {label for label, _ in space.decisions(genotype)} == set(genotype)


# -- what choices mean ---------------------------------------------------------------------------------------


def test_only_decisions_on_the_chosen_path_exist():
    space = SPACES["nested"]
    assert space.repair({"a": 0, "b": 1, "c": 2}) == Genotype({"a": 0})
    assert space.repair({"a": 1, "b": 1, "c": 2}) == Genotype({"a": 1, "b": 1, "c": 2})
    assert [label for label, _ in space.decisions(Genotype({"a": 1, "b": 0}))] == ["a", "b"]


def test_freezing_puts_the_decisions_in_place():
    space = SPACES["nested"]
    assert space.freeze(Genotype({"a": 1, "b": 1, "c": 4})) is call(plus, 2.0, by=4)
    assert space.freeze(Genotype({"a": 0})) is Literal(0)


def test_the_same_label_is_the_same_decision_everywhere():
    width = integer("width", 1, 9)
    space = Space(call(together, width, call(together, width, integer("width", 1, 9))))
    assert space.size == 9
    assert evaluate(space.freeze(Genotype({"width": 7}))) == [7, [7, 7]]


def test_one_label_for_two_different_decisions_is_refused():
    with pytest.raises(SpaceError, match="'width' stands for two different decisions"):
        Space(call(together, integer("width", 1, 9), integer("width", 1, 8)))


def test_one_label_may_stand_over_different_options_of_the_same_number():
    space = Space(call(together, one_of("size", ["s", "l"]), one_of("size", [1, integer("exact", 2, 5)])))
    assert space.size == 1 + 4
    assert evaluate(space.freeze(Genotype({"size": 1, "exact": 3}))) == ["l", 3]


def test_repeat_composes_copies_with_decisions_of_their_own():
    space = SPACES["repeated"]
    genotype = Genotype({"depth": 3, "by/0": 1, "by/1": 3, "by/2": 2})
    assert genotype in space
    program = space.freeze(genotype)
    assert evaluate(program, 10.0) == 16.0
    assert program is Lambda(("x",), call(plus, call(plus, call(plus, Var("x"), by=1), by=3), by=2))
    assert evaluate(space.freeze(Genotype({"depth": 0})), 10.0) == 10.0


def test_a_repeat_takes_its_count_from_an_integer_choice():
    count = repeat(step(), integer("depth", 1, 8, log=True, default=2, regularises=-1))
    assert (count.low, count.high, count.log, count.default, count.regularises) == (1, 8, True, 2, -1)
    with pytest.raises(SpaceError, match="integer"):
        repeat(step(), real("depth", 1.0, 8.0))


def test_repeats_nest():
    inner = Lambda(("y",), call(repeat(step(), "inner", 1, 2), Var("y")))
    space = Space(Lambda(("x",), call(repeat(inner, "outer", 1, 2), Var("x"))))
    genotype = space.repair({"outer": 2, "inner/0": 1, "inner/1": 2, "by/0/0": 1, "by/1/0": 2, "by/1/1": 3})
    assert set(genotype) == {"outer", "inner/0", "inner/1", "by/0/0", "by/1/0", "by/1/1"}
    assert evaluate(space.freeze(genotype), 0.0) == 6.0
    assert space.size == (3 + 9) + (3 + 9) ** 2


def test_optional_is_applied_or_left_out():
    space = SPACES["optional"]
    assert evaluate(space.freeze(Genotype({"extra": True, "by": 2})), 1.0) == 3.0
    assert evaluate(space.freeze(Genotype({"extra": False})), 1.0) == 1.0
    assert space.size == 4


def test_words_may_be_options_and_are_called_with_the_arguments_of_the_call():
    space = Space(call(one_of("word", [negative, Lambda(("x",), call(plus, Var("x")))]), 5.0))
    assert evaluate(space.freeze(Genotype({"word": 0}))) == -5.0
    assert evaluate(space.freeze(Genotype({"word": 1}))) == 6.0


def test_a_block_does_not_capture_the_variables_of_its_surroundings():
    block = Lambda(("y",), call(added, Var("y"), Var("x")))
    space = Space(Lambda(("x",), call(repeat(block, "depth", 1, 3), call(plus, Var("x")))))
    assert evaluate(space.freeze(Genotype({"depth": 2})), 10.0) == 31.0


# -- grammars ------------------------------------------------------------------------------------------------


def test_each_recursion_decides_for_itself():
    genotype = Genotype({"e": 1, "e.0": 0, "e.1": 2, "e.1.0": 3, "c.1.0": 0.25})
    space = grammar()
    assert genotype in space
    assert evaluate(space.freeze(genotype), 1.0) == 0.75


def test_two_recursions_in_one_call_may_become_the_same_or_different_programs():
    space = grammar()
    same = space.freeze(Genotype({"e": 1, "e.0": 0, "e.1": 0}))
    assert isinstance(same.body, Call) and same.body.arguments == (Var("x"), Var("x"))


def test_a_grammar_ends_at_its_depth_even_when_every_draw_wants_more():
    for depth in (0, 1, 4):
        space = grammar(depth)
        greedy = space.repair({label: 1 for label in _labels(depth + 3)})
        assert max(label.count(".") for label in greedy) == depth
        assert greedy in space


def _labels(depth):
    for length in range(depth + 1):
        for path in itertools.product("01", repeat=length):
            yield ".".join(["e", *path])


def test_deep_draws_of_a_grammar_still_vary():
    rng = np.random.default_rng(0)
    space = grammar()
    assert len({space.freeze(space.sample(rng)).hash for _ in range(60)}) > 20


def test_a_grammar_inside_a_repeat_keeps_its_copies_apart():
    body = Lambda(("x",), one_of("e", [Var("x"), call(plus, recurse("e"), by=integer("k", 1, 2))]))
    space = Space(Lambda(("z",), call(repeat(body, "n", 1, 2), Var("z"))))
    genotype = Genotype({"n": 2, "e/0": 1, "k/0": 2, "e/0.0": 0, "e/1": 1, "k/1": 1, "e/1.0": 0})
    assert genotype in space
    assert evaluate(space.freeze(genotype), 0.0) == 3.0


def test_a_decision_shared_by_two_places_is_expanded_once():
    inner = one_of("i", [0.0, call(plus, recurse("e"))])
    space = Space(one_of("e", [1.0, call(together, inner, inner, recurse("e"))]))
    genotype = space.repair({"e": 1, "i": 1, "e.i-0": 0, "e.0": 0})
    assert set(genotype) == {"e", "i", "e.i-0", "e.0"}
    assert evaluate(space.freeze(genotype)) == [2.0, 2.0, 1.0]


def test_recursion_outside_its_choice_is_refused():
    with pytest.raises(SpaceError, match="outside"):
        Space(call(together, one_of("e", [1, 2]), recurse("e")))
    with pytest.raises(SpaceError, match="outside"):
        Space(one_of("e", [1, recurse("f")]))


def test_a_grammar_without_an_end_is_refused():
    with pytest.raises(SpaceError, match="never end"):
        Space(one_of("e", [call(negative, recurse("e")), call(added, recurse("e"), 1.0)]))


def test_a_label_that_a_repeat_also_makes_is_refused():
    with pytest.raises(SpaceError, match="'by/0'"):
        Space(call(together, call(repeat(step(), "n", 1, 2), 1.0), real("by/0", 0.0, 1.0)))


# -- size ----------------------------------------------------------------------------------------------------


def listed_by_draws(space, draws=4000):
    rng = np.random.default_rng(0)
    return {space.sample(rng) for _ in range(draws)}


@pytest.mark.parametrize(
    ("program", "size"),
    [
        (Literal(1), 1),
        (one_of("a", [1, 2, 3]), 3),
        (call(together, one_of("a", [1, 2]), integer("b", 1, 5)), 10),
        (one_of("a", [1, one_of("b", [2, integer("c", 1, 4)])]), 1 + 1 + 4),
        (call(repeat(step(), "n", 0, 3), 1.0), 1 + 3 + 9 + 27),
        (call(together, call(optional("p", step()), 1.0), call(optional("q", step()), 2.0)), 1 + 3 + 3 + 3),
        (
            call(together, one_of("a", [integer("w", 1, 3), 0]), one_of("b", [integer("w", 1, 3), 0, 1])),
            9 + 5,
        ),
        (call(nudged, call(together, 1.0), by=real("r", 2.0, 2.0)), 1),
    ],
    ids=[
        "closed",
        "options",
        "product",
        "nested",
        "repeated",
        "shared in optionals",
        "shared in options",
        "point",
    ],
)
def test_the_size_is_the_number_of_genotypes_listed_and_drawn(program, size):
    space = Space(program)
    listed = list(space.genotypes())
    assert space.size == len(listed) == len(set(listed)) == size
    assert set(listed) == listed_by_draws(space)


def test_reals_and_grammars_are_infinite_and_cannot_be_listed():
    for space in (Space(real("r", 0.0, 1.0)), grammar()):
        assert math.isinf(space.size)
        with pytest.raises(SpaceError, match="infinite"):
            next(space.genotypes())


def test_a_huge_finite_space_is_counted_without_being_listed():
    space = Space(call(together, *(one_of(f"c{n}", range(10)) for n in range(60))))
    assert space.size == 10**60
    assert "1e+60" in repr(space)
    assert "more than" in repr(Space(call(together, *(one_of(f"c{n}", range(100)) for n in range(160)))))


# -- the rest ------------------------------------------------------------------------------------------------


def test_weakening_moves_only_what_regularises_and_in_its_direction():
    program = call(
        together,
        real("decay", 1e-6, 1.0, log=True, default=1e-3, regularises=1),
        integer("width", 8, 512, default=64, regularises=-1),
        integer("neutral", 1, 9, default=4),
    )
    space = Space(program)
    least, most = (space.weaken(space.default(), strength) for strength in (0.0, 1.0))
    assert dict(least) == {"decay": 1e-6, "width": 512, "neutral": 4}
    assert dict(most) == {"decay": 1.0, "width": 8, "neutral": 4}
    assert space.weaken(space.default(), 0.5)["decay"] == pytest.approx(1e-3)
    with pytest.raises(SpaceError, match="between 0"):
        space.weaken(space.default(), 1.5)


def test_freezing_a_genotype_of_another_space_says_what_is_wrong():
    with pytest.raises(SpaceError) as caught:
        SPACES["nested"].freeze(Genotype({"a": 1, "b": 1, "c": 99, "colour": 2}))
    assert "'colour' is not asked for" in str(caught.value) and "'c' is 99" in str(caught.value)
    with pytest.raises(SpaceError, match="'a' is missing"):
        SPACES["nested"].freeze(Genotype())


def test_the_encoding_shows_options_numbers_and_what_is_inactive():
    space = SPACES["nested"]
    assert space.encode(Genotype({"a": 0})).tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert space.encode(Genotype({"a": 1, "b": 1, "c": 4})).tolist() == [1, 0, 1, 1, 0, 1, 1, 1]


def test_the_encoding_reads_old_records_as_far_as_it_can():
    space = SPACES["nested"]
    assert space.encode(Genotype({"a": 0, "gone": 3})).tolist() == space.encode(Genotype({"a": 0})).tolist()
    assert space.encode(Genotype({"a": 1, "b": 1, "c": 400}))[-1] == 1.0


def test_the_encoding_counts_what_lies_deep_in_a_grammar():
    space = grammar(depth=6)
    deep = {"e": 2} | {"e" + ".0" * n: 2 for n in range(1, 6)} | {"e" + ".0" * 6: 0}
    deeper = space.encode(space.repair(deep)), space.encode(space.repair(deep | {"e" + ".0" * 5: 0}))
    assert (deeper[0] != deeper[1]).any()


def test_a_draw_costs_microseconds_not_a_walk_of_the_program():
    import time

    space, rng = SPACES["mixed"], np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(500):
        space.encode(space.sample(rng))
    assert (time.perf_counter() - start) / 500 < 2e-3
