"""Engines that find programs from examples: what they find, that they end in time, and their best partial."""

import itertools
import time

import psutil
import pytest

from perennial.errors import DataError
from perennial.lang import Bool, Int, Lambda, List, Literal, Pair, Text, Var, call, parse, to_source
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Grammar, grammar_for
from perennial.synthesis.base import UNANSWERED, Budget, Examples, Found, answers, same_value
from perennial.synthesis.enumeration import Enumeration, argument_names, values_inside
from perennial.synthesis.lists import ListSearch, chosen_places
from perennial.synthesis.portfolio import Portfolio, usual_grammar
from perennial.synthesis.ranking import judged

WORDS = vocabulary()
MEMORY = 1 << 27
LISTS = List(Int)
INPUTS = ((3, 1, 2), (9, 7, 9, 4), (5,), (2, 8, 2, 2, 6), (1, 0, 7), (4, 3))


def examples_of(rule, inputs=INPUTS, input_type=LISTS, output_type=LISTS, **more):
    rows = tuple((value,) for value in inputs)
    outputs = tuple(rule(value) for value in inputs)
    return Examples(("xs",), (input_type,), output_type, rows, outputs, **more)


def best_of(engine, examples, seconds=20.0):
    best = None
    for found in engine.run(examples, Grammar((), {}, examples.output_type), Budget(seconds, MEMORY)):
        assert isinstance(found, Found) and (best is None or found.order < best.order)
        best = found
    return best


RULES = {
    "reversed": (lambda xs: xs[::-1], LISTS),
    "twice each": (lambda xs: tuple(2 * x for x in xs), LISTS),
    "even ones": (lambda xs: tuple(x for x in xs if x % 2 == 0), LISTS),
    "total": (sum, Int),
    "place times item": (lambda xs: tuple(place * x for place, x in enumerate(xs)), LISTS),
    "large or not": (lambda xs: tuple(x > 3 for x in xs), List(Bool)),
    "surrounded": (lambda xs: (11, 12, *xs, 13), LISTS),
    "has a nine": (lambda xs: 9 in xs, Bool),
    "sorted without repeats": (lambda xs: tuple(sorted(set(xs))), LISTS),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_on_lists_is_found_and_holds_on_new_ones(name):
    rule, kind = RULES[name]
    found = best_of(ListSearch(), examples_of(rule, output_type=kind))
    fresh = [(6, 9, 1, 3), (2, 2), (8, 0, 5, 5, 1, 4)]
    given = answers(found.program, [(value,) for value in fresh])
    assert found.complete and all(map(same_value, given, map(rule, fresh))), str(found.program)


def test_cases_are_told_apart_by_a_condition():
    inputs = tuple(tuple(range(size, 2 * size)) for size in (1, 2, 3, 5, 6, 8, 9, 4))
    found = best_of(ListSearch(), examples_of(lambda xs: xs[::-1] if len(xs) > 4 else xs[1:], inputs))
    assert found.complete and "if_(" in to_source(found.program)


def test_the_best_partial_program_and_what_it_misses_are_there():
    def mostly(xs):
        return (77, 3, 91, 20, 8) if xs == (5,) else xs[::-1]

    found = best_of(ListSearch(), examples_of(mostly), seconds=6.0)
    assert not found.complete or "if_(" in to_source(found.program)
    assert sum(found.satisfied) >= 5


def test_an_engine_ends_within_its_seconds():
    noise = iter([(3, 99, 4), (1,), (), (8, 8, 1, 77), (23, 5), (0, 6, 40)])
    start = time.monotonic()
    best_of(ListSearch(), examples_of(lambda xs: next(noise)), seconds=3.0)
    assert time.monotonic() - start < 8.0  # generous: test machines are busy


def test_values_that_are_no_flat_lists_of_numbers_are_left_to_others():
    engine = ListSearch()
    grammar = Grammar((), {}, Int)
    assert not engine.can_run(examples_of(len, ("ab", "c"), Text, Int), grammar)
    assert not engine.can_run(examples_of(len, ((1, 10**10),), output_type=Int), grammar)
    assert engine.can_run(examples_of(len, output_type=Int), grammar)


def test_the_search_takes_the_longest_and_the_shortest_examples():
    inputs = tuple(tuple(range(size)) for size in range(20))
    places = chosen_places(examples_of(lambda xs: xs, inputs))
    assert {0, 1, 19, 18} <= set(places) and len(places) == 10


def test_found_programs_can_be_written_and_read_back():
    found = best_of(ListSearch(), examples_of(RULES["twice each"][0]))
    assert parse(to_source(found.program), WORDS) is found.program


def test_enumeration_takes_words_of_any_types():
    examples = examples_of(lambda text: len(text), ("ab", "c", "defg", ""), Text, Int)
    found = best_of(Enumeration(), examples)
    assert found.complete and answers(found.program, [("hello",)]) == (5,)


def test_enumeration_finds_inner_functions():
    found = best_of(Enumeration(), examples_of(lambda xs: tuple(x + 1 for x in xs)))
    assert found.complete and answers(found.program, [((10, 20),)]) == ((11, 21),)


def test_enumeration_sees_into_pairs():
    kind = Pair(Int, Int)
    found = best_of(
        Enumeration(), examples_of(lambda two: two[0] + two[1], ((1, 2), (5, 3), (0, 9)), kind, Int)
    )
    assert answers(found.program, [((20, 22),)]) == (42,)


def test_enumeration_ends_within_its_seconds_and_room():
    noise = iter([(3, 99, 4), (1,), (), (8, 8, 1, 77), (23, 5), (0, 6, 40)])
    examples = examples_of(lambda xs: next(noise))
    start = time.monotonic()
    for _ in Enumeration().run(examples, Grammar((), {}, LISTS), Budget(2.0, 1 << 20)):
        pass
    assert time.monotonic() - start < 6.0


def test_a_portfolio_gives_better_and_better_programs():
    found = list(
        Portfolio().run(examples_of(RULES["even ones"][0]), Grammar((), {}, LISTS), Budget(15.0, MEMORY))
    )
    assert found[-1].complete
    assert all(one.order > other.order for one, other in itertools.pairwise(found))


def test_a_portfolio_goes_on_when_its_first_engine_cannot_run():
    examples = examples_of(lambda text: text + text, ("ab", "c", ""), Text, Text)
    assert Portfolio().can_run(examples, usual_grammar(examples))
    engines = [engine for engine in Portfolio().engines if engine.can_run(examples, usual_grammar(examples))]
    assert [engine.name for engine in engines] == ["enumeration"]


def test_examples_without_outputs_are_refused():
    with pytest.raises(DataError, match="as many inputs as outputs"):
        Examples(("x",), (Int,), Int, ((1,),), ())
    with pytest.raises(DataError, match="1 inputs: x"):
        Examples(("x",), (Int,), Int, ((1, 2),), (3,))


def test_a_program_without_an_answer_does_not_satisfy_the_example():
    program = Lambda(("xs",), call(WORDS["first_item"], Var("xs")))
    examples = Examples(("xs",), (LISTS,), Int, (((),), ((4, 5),)), (0, 4))
    found = judged(program, examples, usual_grammar(examples))
    assert found.satisfied == (False, True) and found.missed == (0,)
    assert answers(program, [((),)]) == (UNANSWERED,)


def test_the_cost_of_a_program_is_that_of_its_parts():
    grammar = grammar_for(WORDS.values(), ["xs"], [LISTS], LISTS)
    taken = call(WORDS["take"], Var("xs"), Literal(2))
    costs = grammar.word_cost(WORDS["take"]) + 1 + grammar.literal_cost(2)
    assert grammar.cost(taken) == costs == grammar.body_cost(Lambda(("xs",), taken))
    assert grammar.literal_cost(31) > grammar.literal_cost(3)


def test_words_of_partial_solutions_become_cheaper():
    grammar = grammar_for(WORDS.values(), ["xs"], [LISTS], LISTS)
    program = call(WORDS["rotate"], Var("xs"), Literal(2))
    changed = grammar.reweighted([program])
    assert changed.word_cost(WORDS["rotate"]) < grammar.word_cost(WORDS["rotate"])
    assert changed.word_cost(WORDS["reverse"]) >= grammar.word_cost(WORDS["reverse"])
    assert grammar.reweighted([]) is grammar


def test_a_grammar_keeps_the_words_whose_types_occur():
    names = {op.name for op in grammar_for(WORDS.values(), ["xs"], [LISTS], Int).words}
    assert {"map", "total", "less", "if"} <= names
    assert not names & {"lightgbm", "join", "merge", "zip"}


def test_values_inside_are_gathered_by_type():
    found = values_inside([((1, 2), (2, 3))], [List(Pair(Int, Int))])
    assert found[Int] == [1, 2, 3] and len(found[Pair(Int, Int)]) == 2
    assert argument_names(2, ["y"]) == ("x", "z")


def test_a_clock_shares_what_is_left():
    budget = Budget(10.0)
    assert 4.9 < budget.share(0.5).seconds <= 5.0 and not budget.over and Budget(0.0).over


def test_the_memory_of_a_search_is_bounded():
    noise = iter([(3, 99, 4), (1,), (), (8, 8, 1, 77), (23, 5), (0, 6, 40)])
    examples = examples_of(lambda xs: next(noise))
    best_of(ListSearch(), examples_of(RULES["reversed"][0]))  # the kernels are loaded
    process, peak = psutil.Process(), 0
    before = process.memory_info().rss
    for _ in ListSearch().run(examples, Grammar((), {}, LISTS), Budget(6.0, 64 << 20)):
        peak = max(peak, process.memory_info().rss)
    assert max(peak, process.memory_info().rss) - before < 120 << 20


def test_the_same_search_finds_the_same_program():
    rule, kind = RULES["place times item"]
    first, second = (best_of(ListSearch(), examples_of(rule, output_type=kind)) for _ in range(2))
    assert first.program is second.program
