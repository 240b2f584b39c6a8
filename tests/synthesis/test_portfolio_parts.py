"""A portfolio shares its time between engines; here they are small ones that say when they were asked."""

import subprocess
import sys

import pytest

from perennial.errors import WorkerError
from perennial.lang import Int, Lambda, List, Literal, Text, Var
from perennial.spaces.grammar import Grammar
from perennial.synthesis import kernels, portfolio, readiness
from perennial.synthesis.base import Budget, Engine, Examples
from perennial.synthesis.portfolio import (
    Portfolio,
    _before_the_first,
    _Best,
    _result,
    run_engine,
    usual_grammar,
)
from perennial.synthesis.ranking import judged

EXAMPLES = Examples(("x",), (Int,), Int, ((1,), (2,), (3,)), (1, 2, 3))
GRAMMAR = usual_grammar(EXAMPLES)
RIGHT, WRONG, HALF = Var("x"), Literal(77), Literal(2)
MOMENT = 30.0  # a machine of tests may be busy


@pytest.fixture(autouse=True)
def long_moments(monkeypatch):
    monkeypatch.setattr(portfolio, "A_MOMENT", MOMENT)


class Saying(Engine):
    """Gives these programs and remembers with how much time it was asked."""

    def __init__(self, name, *bodies, able=True, begins=True):
        self.name, self.bodies, self.able, self.begins = name, bodies, able, begins
        self.asked, self.went_on = [], False

    def can_run(self, examples, grammar):
        return self.able

    def ready(self):
        return self.begins

    def run(self, examples, grammar, budget):
        self.asked.append(budget.seconds)
        for body in self.bodies:
            yield judged(Lambda(examples.names, body), examples, grammar, self.name)
        self.went_on = True


def bodies(engines, seconds=100.0, processes=1):
    found = Portfolio(engines, processes).run(EXAMPLES, GRAMMAR, Budget(seconds))
    return [(one.engine, one.program.body) for one in found]


def test_only_programs_that_are_better_than_all_before_are_given():
    one, other = Saying("one", WRONG, HALF, WRONG), Saying("other", WRONG, HALF)
    assert bodies([one, other]) == [("other", WRONG), ("other", HALF)]
    assert len(other.asked) == 2 and len(one.asked) == 1


def test_a_complete_program_of_the_others_is_the_answer_before_the_first_begins():
    first, other, last = Saying("first", HALF), Saying("other", RIGHT), Saying("last", RIGHT)
    assert bodies([first, other, last]) == [("other", RIGHT)]
    assert first.asked == last.asked == [] and other.asked == [MOMENT]


def test_a_first_engine_that_is_sure_ends_the_search():
    first, other = Saying("first", RIGHT), Saying("other", WRONG)
    assert bodies([first, other]) == [("other", WRONG), ("first", RIGHT)]
    assert len(other.asked) == 1  # the moment before the first, and no more


def test_engines_that_cannot_run_are_left_out():
    unable, able = Saying("unable", RIGHT, able=False), Saying("able", HALF)
    assert bodies([unable, able]) == [("able", HALF)] and unable.asked == []
    alone = Portfolio([unable])
    assert not alone.can_run(EXAMPLES, GRAMMAR) and Portfolio([unable, able]).can_run(EXAMPLES, GRAMMAR)
    assert list(alone.run(EXAMPLES, GRAMMAR, Budget(1.0))) == []


def test_one_engine_alone_has_all_the_time():
    alone = Saying("alone", HALF)
    assert bodies([alone], seconds=50.0, processes=2) == [("alone", HALF)]
    assert len(alone.asked) == 1 and alone.asked[0] > 49.0


def test_the_time_is_shared_equally_between_those_that_are_left():
    first, second, third = engines = [Saying(name) for name in ("first", "second", "third")]
    assert bodies(engines, seconds=90.0) == []
    assert 29.0 < first.asked[0] <= 30.0
    assert 44.0 < second.asked[1] <= 45.0
    assert 89.0 < third.asked[1] <= 90.0  # nobody has used any of it


def test_while_the_first_engine_is_not_ready_the_others_search():
    engines = [Saying("first", begins=False), Saying("other")]
    moment, longer = _before_the_first(engines, Budget(60.0))
    assert moment.seconds == MOMENT and longer.seconds > 59.0
    longer._next_look = 0.0
    assert not longer.over
    engines[0].begins, longer._next_look = True, 0.0
    assert longer.over
    assert len(list(_before_the_first(engines, Budget(60.0)))) == 1
    assert list(_before_the_first(engines[:1], Budget(60.0))) == []


def test_without_words_the_usual_ones_are_taken():
    seen = []

    class Looking(Saying):
        def run(self, examples, grammar, budget):
            seen.append({op.name for op in grammar.words})
            yield from ()

    list(Portfolio([Looking("looking")]).run(EXAMPLES, Grammar((), {}, Int), Budget(1.0)))
    assert seen == [{op.name for op in GRAMMAR.words}] and "add" in seen[0]


def test_the_best_is_the_one_that_the_order_puts_first():
    best, found = _Best(), [judged(Lambda(("x",), body), EXAMPLES, GRAMMAR) for body in (WRONG, RIGHT, HALF)]
    assert not best.complete
    assert list(best.better(iter(found))) == found[:2]
    assert best.complete and best.one is min(found, key=lambda one: one.order)


def test_a_worker_runs_the_engine_at_a_place():
    engines = [Saying("one", WRONG), Saying("two", HALF, RIGHT)]
    found = run_engine((engines, EXAMPLES, GRAMMAR), 1, 0.75, 1 << 20)
    assert [one.program.body for one in found] == [HALF, RIGHT]
    assert engines[1].asked == [0.75] and engines[0].asked == []


def test_a_worker_that_failed_found_nothing():
    class Failed:
        def result(self):
            raise WorkerError("The worker was ended.")

    class Done:
        def result(self):
            return [1, 2]

    assert _result(Failed()) == [] and _result(Done()) == [1, 2]


@pytest.mark.parametrize(("kind", "expected"), [(Text, "upper"), (List(Int), "reverse")])
def test_the_usual_grammar_has_the_words_of_the_types(kind, expected):
    value = "ab" if kind is Text else (1, 2)
    names = {op.name for op in usual_grammar(Examples(("x",), (kind,), kind, ((value,),), (value,))).words}
    assert expected in names and not {"upper", "reverse"} - {expected} <= names


# -- readiness ---------------------------------------------------------------------------------------------------------


def test_kernels_are_compiled_only_when_each_that_python_calls_is(monkeypatch):
    assert readiness.compiled()
    asked = []

    def some_are_not(function):
        asked.append(function.__name__)
        return function.__name__ != "lookup"

    class Compiled:
        """A function as numba wraps it, not called in this process."""

        def __init__(self, name):
            self.__name__, self._cache, self.signatures = name, None, ()

    monkeypatch.setattr(readiness, "_cached", some_are_not)
    for name in ("scalar_pass", "lookup", "scalar"):
        monkeypatch.setattr(kernels, name, Compiled(name))
    assert not readiness.compiled()
    assert "scalar" not in asked  # it is compiled into others
    monkeypatch.setattr(kernels, "COMPILED", False)
    assert readiness.compiled()


def test_a_process_that_still_compiles_is_let_go_without_a_warning():
    waiting = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        readiness._let_go(waiting)
        assert waiting.returncode == 0
    finally:
        waiting.returncode = None
        waiting.communicate(b"\n", timeout=30)
    readiness._let_go(waiting)
    assert waiting.returncode == 0
