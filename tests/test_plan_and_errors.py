"""Budgets and their shares, the tree of errors, the clock, signals, and the journal as its writer holds it."""

import inspect
import math
import pickle
import re
import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial import errors
from perennial.errors import PerennialError, StudyChanged, UsageError, WorkerError
from perennial.interruption import interruptions
from perennial.journal import PACKAGES, Journal
from perennial.plan import DEFAULT_SECONDS, LEAST_SHARE, SHARES, Plan, budget_of
from perennial.study import Clock
from perennial.task import Task

# -- plans -----------------------------------------------------------------------------------------------------------

modalities = st.sampled_from(sorted(SHARES))


@given(st.floats(1, 1e5), modalities)
def test_the_parts_of_a_plan_follow_each_other_within_the_budget(seconds, modality):
    plan = Plan.of(seconds, modality)
    assert 0 <= plan.search_end <= plan.confirm_end < seconds
    assert plan.candidate <= plan.confirm_end and plan.confirmed == SHARES[modality].confirmed
    closing = seconds - plan.confirm_end
    assert closing == pytest.approx(
        max(min(2.5, seconds / 2), min(SHARES[modality].closing * seconds, 60.0)), abs=0.06
    )
    assert plan.least == pytest.approx(LEAST_SHARE * plan.candidate if SHARES[modality].patient else 0.0)


@given(st.floats(1, 1e5), st.floats(1, 1e5), modalities)
def test_more_time_shortens_no_part(one, other, modality):
    short, long = (Plan.of(seconds, modality) for seconds in sorted((one, other)))
    assert short.confirm_end <= long.confirm_end and short.candidate <= long.candidate + 0.1
    if one >= 10 and other >= 10:  # below, nothing is kept for a confirmation
        assert short.search_end <= long.search_end


@pytest.mark.parametrize("modality", sorted(SHARES))
def test_without_a_budget_nothing_ends(modality):
    plan = Plan.of(math.inf, modality)
    assert plan.search_end == plan.confirm_end == math.inf and plan.least == 0.0
    assert plan.beginning(50.0, modality) == plan


@given(st.floats(5, 1e4), st.floats(0, 1), st.floats(0, 1), modalities)
def test_a_late_beginning_has_its_share_of_what_is_left_and_never_less_than_planned(
    seconds, late, asked, modality
):
    plan = Plan.of(seconds, modality)
    elapsed = late * plan.confirm_end
    begun = plan.beginning(elapsed, modality, asked * elapsed)
    assert begun.search_end >= plan.search_end
    assert plan.beginning(elapsed, modality).search_end <= plan.confirm_end + 0.1
    if elapsed < plan.confirm_end:
        share = SHARES[modality].search * (plan.confirm_end - elapsed)
        assert begun.search_end - elapsed >= 0.5 * share - 0.1, (
            "asking a library takes half of the search at most"
        )
        assert plan.beginning(elapsed, modality).search_end >= elapsed + share - 0.1
    assert begun.confirm_end == plan.confirm_end


# -- budgets ---------------------------------------------------------------------------------------------------------

times = st.one_of(st.none(), st.floats(0.01, 100))


@given(times, times, times)
def test_times_add_up_and_nothing_is_a_minute(seconds, minutes, hours):
    parts = [
        value * unit for value, unit in ((seconds, 1), (minutes, 60), (hours, 3600)) if value is not None
    ]
    assert budget_of(seconds, minutes, hours, None) == pytest.approx(sum(parts) if parts else DEFAULT_SECONDS)


def test_a_budget_of_trials_has_no_clock():
    assert budget_of(None, None, None, 1) == math.inf


@pytest.mark.parametrize(
    ("given_", "what"),
    [
        ((0.0, None, None, None), "must be positive, received [0.0]"), ((None, -1.0, None, None), "must be positive"),
        ((5.0, 0.0, None, None), "must be positive"), ((None, None, None, 0), "must be positive, received 0"),
        ((None, None, 1.0, 3), "Both a time and a number of trials"),
    ],
)  # fmt: skip
def test_a_budget_that_makes_no_sense_is_refused(given_, what):
    with pytest.raises(UsageError) as caught:
        budget_of(*given_)
    assert what in caught.value.what and caught.value.todo


def test_a_clock_counts_earlier_sessions_and_may_run_over(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("perennial.study.time.monotonic", lambda: now[0])
    clock, earlier = Clock(60.0, spent=20.0), Clock(60.0, began=90.0)
    now[0] = 130.0
    assert (clock.elapsed, clock.left) == (50.0, 10.0) and (earlier.elapsed, earlier.left) == (40.0, 20.0)
    now[0] = 145.0
    assert clock.left == -5.0 and Clock(math.inf).left == math.inf


# -- errors ----------------------------------------------------------------------------------------------------------

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PerennialError)]
texts = st.text(max_size=12)


def drawn():
    """Name, parent and exit code of each error, from the tree in the docstring."""
    above, code = [], 0
    for line in errors.__doc__.splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+)(?:\s+(?:exit code )?(\d+))?", line)
        if not found or not line.startswith(("PerennialError", "├", "│", "└")):
            continue
        depth = len(found[1]) // 4
        code = int(found[3]) if found[3] else code
        above[depth:] = [found[2]]
        yield found[2], above[depth - 1] if depth else "Exception", code


def test_the_tree_at_the_top_of_the_file_is_that_of_the_classes():
    tree = {name: (parent, code) for name, parent, code in drawn()}
    assert set(tree) == {kind.__name__ for kind in KINDS}
    for name, (parent, code) in tree.items():
        kind = getattr(errors, name)
        assert (kind.__base__.__name__, kind.exit_code) == (parent, code), name


@given(st.sampled_from(KINDS), texts, texts, texts, texts)
def test_an_error_travels_between_processes_as_it_is(kind, what, where, why, todo):
    error = kind(what, where=where, why=why, todo=todo)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and vars(again) == vars(error) and str(again) == str(error)


@given(
    texts.filter(bool),
    st.sampled_from(["", "here"]),
    st.sampled_from(["", "so"]),
    st.sampled_from(["", "do it"]),
)
def test_a_message_has_a_line_for_each_question_that_is_answered(what, where, why, todo):
    lines = str(PerennialError(what, where=where, why=why, todo=todo)).removeprefix(what).split("\n")[1:]
    wanted = [("where", where), ("why", why), ("to do", todo)]
    assert lines == [f"  {label}: {text}" for label, text in wanted if text]


def test_how_a_worker_failed_travels_too():
    error = pickle.loads(pickle.dumps(WorkerError("Gone.", where="x", status="crashed")))
    assert error.status == "crashed" and error.where == "x" and WorkerError("Gone.").status == "failed"


# -- signals ---------------------------------------------------------------------------------------------------------


def test_signals_are_heard_while_it_lasts_and_go_where_they_went_before():
    heard, usual, interrupt = [], [], signal.getsignal(signal.SIGINT)
    before = signal.signal(signal.SIGTERM, lambda *_: usual.append("usual"))
    try:
        with interruptions(heard.append):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(RuntimeError), interruptions(heard.append):
            raise RuntimeError
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["SIGTERM", "SIGINT"] and usual == ["usual"]


def test_in_a_thread_nothing_changes():
    handlers = []

    def work():
        with interruptions(handlers.append):
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]


# -- the journal -----------------------------------------------------------------------------------------------------


class Heard:
    def __init__(self):
        self.events, self.snapshots = [], []

    def on_event(self, event):
        self.events.append((event.number, event.kind, event.data))

    def on_tick(self, snapshot):
        self.snapshots.append(snapshot)


def table(seed=0):
    numbers = np.random.default_rng(seed).normal(size=(20, 2))
    return Task.from_data((numbers, np.where(numbers[:, 0] > 0, "a", "b")), name="twenty")


def test_an_event_reaches_storage_history_and_listeners_alike():
    heard = Heard()
    journal = Journal(None, [heard])
    journal.emit("verdict", stage="mirror", text="no", data={"same": np.bool_(False), "share": math.nan})
    wanted = {"stage": "mirror", "text": "no", "data": {"same": False, "share": None}}
    assert heard.events == [(1, "verdict", wanted)]
    assert [(event.number, event.kind, event.data) for event in journal.storage.events()] == heard.events
    assert {name: value for name, value in journal.history.verdicts[0].items() if name != "time"} == wanted


def test_a_study_begins_once_and_says_whose_data_and_what_machine():
    journal, task = Journal(None), table()
    journal.begin(task, seed=3)
    journal.begin(task, seed=4)
    created = journal.history.created
    assert (
        len(journal.storage.events()) == 1
        and created["seed"] == 3
        and created["fingerprint"] == task.fingerprint
    )
    assert created["name"] == created["task"] == "twenty" and created["data"] == "in memory"
    assert set(created["versions"]) == {"python", *PACKAGES} and created["machine"]["cores"] >= 1
    assert created["versions"]["numpy"] == np.__version__


def test_other_data_are_refused_with_both_fingerprints_and_the_folder_is_free_again(tmp_path):
    journal = Journal(tmp_path / "oak-1")
    journal.begin(table())
    journal.check(table())
    with pytest.raises(StudyChanged) as caught, journal.opening():
        journal.check(table(seed=1))
    for task in (table(), table(seed=1)):
        assert task.fingerprint[:12] in caught.value.where
    assert "--out" in caught.value.todo
    again = Journal(tmp_path / "oak-1")
    assert again.history.created["name"] == "oak-1"
    again.close()


def test_columns_and_classes_that_are_called_otherwise_are_other_data():
    columns, goal = {"x": np.arange(30.0), "z": np.arange(30.0) % 7}, np.array(["no", "yes"])
    journal, task = Journal(None), Task.from_data({**columns, "y": goal[np.arange(30) % 2]}, "y")
    journal.begin(task)
    journal.emit("sensed", **task.describe())
    journal.check(task)
    renamed = Task.from_data({"x": columns["x"], "depth": columns["z"], "y": goal[np.arange(30) % 2]}, "y")
    others = Task.from_data({**columns, "y": np.array(["bad", "good"])[np.arange(30) % 2]}, "y")
    assert task.fingerprint == renamed.fingerprint == others.fingerprint
    for changed, told in (
        (renamed, "column 'z' is now column 'depth'"),
        (others, "class 'no' is now class 'bad'"),
    ):
        with pytest.raises(StudyChanged) as caught:
            journal.check(changed)
        assert told in caught.value.where


def test_a_tick_tells_where_the_study_stands():
    heard = Heard()
    journal = Journal(None, [heard])
    journal.tick("starting", 0.0, 60.0, "rmse", None)
    journal.emit("stage", name="tune", text="searching")
    journal.emit("baseline", name="mean", value=2.0, score=-2.0)
    journal.emit("found", value=1.0, at=3.0)
    journal.tick("tune: trees", 3.0, 57.0, "rmse", 1.0)
    empty, later = heard.snapshots
    assert empty["stage"] == "sense" and empty["trials"] == 0 and empty["baseline"] is None
    assert later == {"doing": "tune: trees", "stage": "tune", "elapsed": 3.0, "left": 57.0, "trials": 1, "failed": 0,
                     "metric": "rmse", "best": 1.0, "baseline": 2.0}  # fmt: skip
