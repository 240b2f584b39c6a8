"""A study of examples keeps its promises: nothing found is lost, the same call goes on, the test is asked once."""

import os
import signal
import time

import numpy as np
import pytest

from perennial import programming, symbolic_regression
from perennial.errors import StudyChanged
from perennial.history import History
from perennial.lang import Lambda, Literal, Real, Var, call
from perennial.library import Library
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.storages import SQLite
from perennial.synthesis.base import Budget, Engine, Found, answers, same_value
from perennial.synthesis.formulas import search as formula_search
from perennial.synthesis.portfolio import Portfolio, usual_grammar
from perennial.task import Task

PAIRS = [("a", "a"), ("b", "b"), ("c", "x"), ("d", "y")]
ECHO = Lambda(("text",), Var("text"))


TABLE = Lambda(
    ("text",),
    call(vocabulary()["if"], call(vocabulary()["equal"], Var("text"), Literal("c")), Literal("x"),
         call(vocabulary()["if"], call(vocabulary()["equal"], Var("text"), Literal("d")), Literal("y"), Var("text"))),
)  # fmt: skip


class Doing(Engine):
    """Gives a program and then does what the test wants."""

    name = "doing"

    def __init__(self, *programs, then=None, prepared=True):
        self.programs, self.then, self.prepared, self.runs = programs, then, prepared, 0

    def ready(self):
        return self.prepared

    def run(self, examples, grammar, budget):
        self.runs += 1
        for cost, program in enumerate(self.programs, 1):
            given = answers(program, examples.inputs)
            yield Found(program, cost, tuple(map(same_value, given, examples.outputs)), self.name)
        if self.then is not None:
            yield from self.then(budget) or ()


class Backwards(Doing):
    """Its first program is the dearest."""

    name = "backwards"

    def run(self, examples, grammar, budget):
        for found in super().run(examples, grammar, budget):
            yield Found(found.program, 9 - found.cost, found.satisfied, self.name)


def grown(folder, *engines, pairs=PAIRS, seconds=60.0, **more):
    task = Task.from_examples(pairs, test=more.pop("test", ()))
    return programming.grow_program(
        task, out=folder, seconds=seconds, engines=lambda examples: engines, **more
    )


def interrupt(budget):
    os.kill(os.getpid(), signal.SIGINT)
    while not budget.over:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_found_and_the_same_call_goes_on(tmp_path, number):
    def stop(budget):
        os.kill(os.getpid(), number)
        while not budget.over:
            pass

    model = grown(tmp_path / "s", Doing(ECHO, then=stop), seconds=60)
    assert model.result["interrupted"] and model.result["examples"]["right"] == 2
    assert History.read(tmp_path / "s").interrupted and History.read(tmp_path / "s").finished is None
    assert Model.load(tmp_path / "s" / "best")("q") == "q"
    again = grown(tmp_path / "s", Doing(), seconds=60)
    assert not again.result["interrupted"] and again.result["examples"]["right"] == 2
    assert History.read(tmp_path / "s").finished is not None


def test_handlers_of_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    grown(None, Doing(ECHO, then=interrupt), seconds=60)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_crash_loses_nothing_that_was_found(tmp_path):
    def crash(budget):
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        grown(tmp_path / "s", Doing(ECHO, then=crash))
    assert Model.load(tmp_path / "s" / "best")("q") == "q"
    told = History.read(tmp_path / "s").found
    assert [(entry["value"], entry["engine"]) for entry in told] == [(0.5, "doing")]
    assert grown(tmp_path / "s", Doing()).program is ECHO


def test_seconds_of_all_sessions_count(tmp_path):
    def crash(budget):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        grown(tmp_path / "s", Doing(ECHO, then=crash), seconds=50)
    spent, left = History.read(tmp_path / "s").seconds_spent, []

    def look(budget):
        left.append(budget.left)

    grown(tmp_path / "s", Doing(then=look), seconds=50)
    assert spent > 0 and left[0] <= 50 - spent


def test_a_study_of_other_examples_is_refused(tmp_path):
    grown(tmp_path / "s", Doing(ECHO))
    with pytest.raises(StudyChanged, match="other data"):
        grown(tmp_path / "s", Doing(ECHO), pairs=[("a", "b")])


def test_a_finished_study_goes_on_when_it_is_given_more_time(tmp_path):
    grown(tmp_path / "s", Doing(ECHO))
    engine = Doing(ECHO)
    grown(tmp_path / "s", engine)
    assert engine.runs == 0
    grown(tmp_path / "s", engine, seconds=120)
    assert engine.runs == 1


def test_a_worse_program_for_the_same_examples_does_not_become_the_newest(tmp_path):
    with Library(tmp_path / "library") as library:
        first = grown(tmp_path / "a", Doing(TABLE), library=library)
        worse = grown(tmp_path / "b", Doing(ECHO), library=library, reuse="off")
    assert first.result["kept"] == ["examples/solution@1"] and worse.result["kept"] == []
    told = [each["text"] for each in History.read(tmp_path / "b").verdicts if each["stage"] == "remember"]
    assert told == [
        "not kept in the library: examples/solution@1 is of the same data and as good on validation"
    ]


def test_the_test_is_asked_once_and_not_after_an_interruption(tmp_path):
    rows = [{"input": "p", "output": "p"}, {"input": "q", "output": "z"}]
    model = grown(tmp_path / "s", Doing(ECHO, then=interrupt), test=rows, seconds=60)
    assert model.result["test"] is None and not History.read(tmp_path / "s").opened
    model = grown(tmp_path / "s", Doing(), test=rows, seconds=60)
    assert model.result["test"]["value"] == 0.5 and History.read(tmp_path / "s").opened
    again = grown(tmp_path / "s", Doing(TABLE), test=rows, seconds=200)
    assert again.result["examples"]["right"] == 4 and again.result["test"] is None, (
        "it was of another program"
    )
    opened = [event.kind for event in SQLite(tmp_path / "s", mode="ro").events()].count("opened")
    assert opened == 1


CONSTANTS = tuple(Lambda(("text",), Literal(value)) for value in ("a", "z"))


def test_an_answer_to_a_question_is_kept(tmp_path):
    replies = iter(["z"])

    def ask(inputs, said):
        reply = next(replies, None)
        if reply is None:
            raise RuntimeError("power cut")
        return reply

    upper = Lambda(("text",), call(vocabulary()["upper"], Var("text")))
    pairs, test = [("a", "a")], ["q", "r", "s"]
    with pytest.raises(RuntimeError):
        grown(tmp_path / "s", Doing(ECHO, *CONSTANTS, upper), pairs=pairs, test=test, ask=ask)
    assert History.read(tmp_path / "s").answers[0]["output"] == "z"
    model = grown(tmp_path / "s", Doing(ECHO, *CONSTANTS), pairs=pairs, test=test)
    assert model.result["examples"]["all"] == 2


def test_what_was_found_before_an_answer_is_judged_again():
    def ask(inputs, said):
        return "a"

    class Once(Doing):
        def run(self, examples, grammar, budget):
            return iter(()) if self.runs else super().run(examples, grammar, budget)

    model = grown(None, Once(ECHO, *CONSTANTS), pairs=[("a", "a")], test=["q"], ask=ask)
    assert model("anything") == "a" and model.result["examples"]["right"] == 2


def test_the_time_of_an_answer_does_not_count():
    def ask(inputs, said):
        time.sleep(1.5)
        return "a"

    model = grown(None, Doing(ECHO, *CONSTANTS), pairs=[("a", "a")], test=["q"], ask=ask, seconds=1.4)
    assert model.result["examples"]["all"] == 2


@pytest.mark.parametrize("wrong", [42, ["b"]])
def test_an_answer_of_another_type_is_asked_for_again(tmp_path, wrong):
    replies = iter([wrong, "a"])
    model = grown(
        tmp_path / "s", Doing(ECHO, *CONSTANTS), pairs=[("a", "a")], test=["q"],
        ask=lambda inputs, said: next(replies),
    )  # fmt: skip
    history = History.read(tmp_path / "s")
    assert len(history.answers) == 1 and "is to be Text" in history.verdicts[0]["text"]
    assert model.result["examples"] == {"right": 2, "all": 2, "missed": []}


def test_an_interruption_at_a_question_keeps_what_was_found(tmp_path):
    def ask(inputs, said):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    model = grown(tmp_path / "s", Doing(ECHO, *CONSTANTS), pairs=[("a", "a")], test=["q"], ask=ask)
    assert model.result["interrupted"] and model.result["examples"]["right"] == 1


def test_rows_that_were_held_back_are_not_asked_about():
    rows = [{"input": "q", "output": "q"}]
    model = grown(None, Doing(ECHO, *CONSTANTS), pairs=[("a", "a")], test=rows, ask=None)
    asked = grown(None, Doing(ECHO, *CONSTANTS), pairs=[("a", "a")], test=rows, ask=lambda *_: 1 / 0)
    assert asked.result["test"] == model.result["test"]


def test_a_shorter_program_that_is_as_right_is_kept_at_once(tmp_path):
    def crash(budget):
        raise RuntimeError

    long = Lambda(("text",), call(vocabulary()["lower"], Var("text")))
    with pytest.raises(RuntimeError):
        grown(tmp_path / "s", Doing(then=lambda budget: iter(())), Backwards(long, ECHO, then=crash))
    assert Model.load(tmp_path / "s" / "best").program is ECHO


def test_other_settings_are_not_answered_from_what_was_stored(tmp_path):
    engine = Doing(ECHO)
    grown(tmp_path / "s", engine)
    grown(tmp_path / "s", engine, memory=3 << 30)
    assert engine.runs == 2


def test_after_a_longer_session_that_crashed_a_short_one_still_answers(tmp_path):
    def crash(budget):
        raise RuntimeError

    grown(tmp_path / "s", Doing(ECHO))
    with pytest.raises(RuntimeError):
        grown(tmp_path / "s", Doing(then=crash), seconds=120)
    assert grown(tmp_path / "s", Doing()).result["examples"]["right"] == 2


def test_listeners_hear_events_and_where_the_search_stands():
    class Ear:
        def __init__(self):
            self.kinds, self.ticks = [], []

        def on_event(self, event):
            self.kinds.append(event.kind)

        def on_tick(self, snapshot):
            self.ticks.append(snapshot)

    ear = Ear()

    def wait(budget):
        while not budget.over and not any(tick["best"] for tick in ear.ticks):
            time.sleep(0.05)

    grown(None, Doing(ECHO, then=wait), seconds=30.0, listeners=[ear])
    assert {"created", "sensed", "protocol", "baseline", "found", "chosen", "finished"} <= set(ear.kinds)
    assert ear.ticks[-1]["best"] == 0.5 and ear.ticks[-1]["metric"] == "examples_right"


def test_a_search_ends_when_its_memory_is_used_up():
    def hoard(budget):
        held = []
        while not budget.over:
            held.append(np.ones(1 << 20))
        assert 8 * len(held) < 400

    model = grown(None, Doing(ECHO, then=hoard), seconds=60, memory=100 << 20)
    assert model.result["memory_full"] and "its memory" in model.report


def test_while_the_first_engine_gets_ready_the_others_look():
    slow, quick = Doing(ECHO, prepared=False), Doing(ECHO)
    examples = programming.examples_of(Task.from_examples(PAIRS[:2]))
    found = list(Portfolio([slow, quick]).run(examples, usual_grammar(examples), Budget(5.0)))
    assert (slow.runs, quick.runs) == (0, 1) and found[0].complete

    def prepare(budget):
        slow.prepared = True
        while not budget.over:
            pass

    waiting = Doing(then=prepare)
    found = list(Portfolio([slow, waiting]).run(examples, usual_grammar(examples), Budget(30.0)))
    assert slow.runs == 1 and waiting.runs >= 1 and found[0].complete


def test_a_formula_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    x = np.linspace(1, 5, 40)
    pairs = [((float(value),), float(value**2)) for value in x]
    task = Task.from_examples(pairs)
    assert task.schema.types == (Real,)

    def stop(problem, front, deadline, generator):
        front.offer(call(vocabulary()["times"], 3.0, problem.leaves[0]))
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the interruption comes first")

    with monkeypatch.context() as patched:
        patched.setattr(formula_search, "STAGES", (stop,))
        model = symbolic_regression.grow_formula(task, seconds=60, out=tmp_path / "f")
    assert model.result["interrupted"] and not model.result["exact"]
    assert History.read(tmp_path / "f").found[0]["value"] > 0.5
    again = symbolic_regression.grow_formula(task, seconds=60, out=tmp_path / "f")
    assert again.result["exact"] and not again.result["interrupted"]
    stored = symbolic_regression.grow_formula(task, seconds=60, out=tmp_path / "f")
    assert stored.result == again.result
