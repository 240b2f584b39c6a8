"""What a history tells of members, suggestions, sessions and the answer, against what the events say by themselves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.errors import StoreError
from perennial.history import OPENER, RECALLED, History, Record
from perennial.spaces import Genotype
from perennial.storages import SQLite
from perennial.storages.base import Event
from perennial.trial import Trial


def told(*events):
    """The history of `(kind, data)` pairs, a second apart."""
    return History.of(
        Event(number, float(number), kind, data) for number, (kind, data) in enumerate(events, 1)
    )


def tried(number, score=0.5, kind="trial", at=0.0, weights=(), value=None, **changes):
    """The event of a trial."""
    changes = {"genotype": Genotype({"depth": number}), "status": "scored", "stage": "tune"} | changes
    trial = Trial(number, changes.pop("genotype"), f"hash {number}", score=score, **changes)
    return kind, Record(trial, "lambda row: row", score if value is None else value, weights, at=at).to_json()


# -- order and best --------------------------------------------------------------------------------------------------

scores = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan), st.sampled_from([0.0, 0.5]))


@given(
    st.lists(
        st.tuples(scores, st.sampled_from(["scored", "failed"]), st.sampled_from([0.5, 1.0])), max_size=12
    )
)
def test_the_leaderboard_is_a_stable_sort_and_loses_no_trial(made):
    events = [
        tried(number, score, status=status, fidelity=fidelity)
        for number, (score, status, fidelity) in enumerate(made)
    ]
    history = told(*events)
    usable = [
        (number, score, fidelity) for number, (score, status, fidelity) in enumerate(made)
        if status == "scored" and score is not None and math.isfinite(score)
    ]  # fmt: skip
    wanted = [number for number, *_ in sorted(usable, key=lambda each: (each[2] < 1.0, -each[1], each[0]))]
    assert [record.trial.number for record in history.scored][: len(wanted)] == wanted
    assert len(history.scored) + len(history.failed) == len(made)
    assert (history.best is None) == (not history.scored)


def test_the_best_baseline_has_the_largest_score_and_the_first_is_common_sense():
    rows = [("mean", -2.0), ("one rule", None), ("linear", -0.5)]
    history = told(*(("baseline", {"name": name, "score": score, "value": score}) for name, score in rows))
    assert history.best_baseline["name"] == "linear" and history.common_sense["name"] == "mean"
    assert told(("baseline", {"name": "mean", "score": None})).best_baseline is None
    assert told().best_baseline is None and told().common_sense is None


# -- sessions --------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 1000), max_size=5), min_size=1, max_size=4))
def test_seconds_add_up_to_the_last_second_that_was_told(sessions):
    events, now = [], 0
    for number, steps in enumerate(sessions):
        events.append(("session", {"pid": number, "budget": 60.0}))
        for step in steps:
            now += step
            events.append(tried(len(events), at=float(now)))
    assert told(*events).seconds_spent == now


def test_a_clock_event_overrules_what_the_trials_said():
    history = told(("session", {"pid": 1}), tried(0, at=10.0), ("clock", {"seconds": 12.5}))
    assert history.seconds_spent == 12.5


def test_a_trial_that_ended_before_another_does_not_turn_time_back():
    history = told(("session", {"pid": 1}), tried(0, at=30.0), tried(1, at=20.0))
    assert history.seconds_spent == 30.0


def test_a_new_session_is_neither_finished_nor_interrupted():
    events = [("session", {"pid": 1}), ("interrupted", {"signal": "SIGINT"}), ("finished", {"result": {}})]
    before, after = told(*events), told(*events, ("session", {"pid": 2}))
    assert before.interrupted and before.finished is not None
    assert not after.interrupted and after.finished is None and len(after.sessions) == 2


def test_workers_were_busy_for_trials_and_confirmations_together():
    events = [
        tried(0, seconds=2.0),
        tried(1, seconds=3.5),
        tried(2, kind="confirm", seconds=4.0, parents=(0,)),
    ]
    assert told(*events).busy_seconds == 9.5


# -- the answer ------------------------------------------------------------------------------------------------------


def test_members_come_in_the_order_of_the_choice_once_and_only_those_that_are_known():
    events = [tried(number) for number in range(4)]
    history = told(*events, ("chosen", {"members": [3, 1, 3, 99]}))
    assert [record.trial.number for record in history.members] == [3, 1]
    assert told(*events).members == []


def test_a_confirmation_stands_for_the_trial_that_it_confirms():
    events = [tried(0), tried(1), tried(7, kind="confirm", parents=(1,)), ("chosen", {"members": [7, 0, 1]})]
    assert [record.trial.number for record in told(*events).members] == [1, 0]


@pytest.mark.parametrize(
    ("events", "name"),
    [
        ([("chosen", {"name": "chosen", "at": 5.0}), ("found", {"name": "found", "at": 9.0})], "found"),
        ([("found", {"name": "found", "at": 9.0}), ("chosen", {"name": "chosen", "at": 9.0})], "chosen"),
        ([("found", {"name": "found", "at": 1.0})], "found"),
        ([("found", {"name": "found", "at": 1.0}), ("answer", {"inputs": [1]})], "mean"),
        ([], "mean"),
    ],
)
def test_the_program_on_disk_is_what_was_found_last_then_the_choice_then_common_sense(events, name):
    assert told(("baseline", {"name": "mean", "score": 0.0}), *events).current["name"] == name


def test_a_test_counts_for_the_program_that_it_was_made_of_only():
    tested = [("chosen", {"program": "a"}), ("test", {"program": "a", "value": 0.9})]
    assert told(*tested).tested["value"] == 0.9
    assert told(*tested, ("chosen", {"program": "b"})).tested is None
    assert told(("chosen", {"program": "a"})).tested is None


def test_an_answer_is_kept_and_what_was_found_before_it_is_not():
    history = told(("found", {"at": 1.0}), ("answer", {"inputs": [3], "output": 4}), ("found", {"at": 2.0}))
    assert [each["at"] for each in history.found] == [2.0]
    assert [each["output"] for each in history.answers] == [4]


def test_tidying_lets_go_of_the_weights_of_the_named_trials_and_of_nothing_else():
    events = [tried(number, weights=(f"blob {number}",)) for number in range(3)]
    history = told(*events, ("tidied", {"trials": [0, 2, 5]}))
    assert [record.weights for record in history.records] == [(), ("blob 1",), ()]
    assert [record.trial for record in history.records] == [record.trial for record in told(*events).records]


@pytest.mark.parametrize(
    ("verdicts", "same"),
    [([], False), ([("mirror", True)], True), ([("mirror", False)], False), ([("scale", True)], False)],
)
def test_mirror_images_mean_the_same_where_a_verdict_of_that_step_says_so(verdicts, same):
    events = [("verdict", {"stage": stage, "text": "", "data": {"same": said}}) for stage, said in verdicts]
    assert told(*events).mirrored is same


def test_analyses_of_several_steps_come_together_and_the_later_one_holds():
    history = told(("analysis", {"rows": 3, "worst": []}), ("analysis", {"rows": 4, "importance": [1]}))
    assert history.analysis["rows"] == 4 and history.analysis["importance"] == [1]
    assert history.analysis["worst"] == []


def test_the_sealed_rows_stay_opened_whatever_comes_after():
    assert told(("opened", {"rows": 3}), ("session", {"pid": 2})).opened
    assert not told(("session", {"pid": 2})).opened


# -- what the library suggested --------------------------------------------------------------------------------------


def suggested(*depths):
    return "recalled", {
        "suggestions": [
            {"name": f"task/recipe-{depth}@1", "record": f"id {depth}", "reason": "like it", "genotype": {"depth": depth}}
            for depth in depths
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("direction", "values", "gain"), [("maximize", (0.9, 0.7), 0.2), ("minimize", (2.0, 3.0), 1.0)]
)
def test_a_suggestion_gains_over_the_best_opener_in_the_direction_of_better(direction, values, gain):
    sign = 1.0 if direction == "maximize" else -1.0
    own, opener = values
    worse = opener - sign * 0.5
    history = told(
        ("protocol", {"direction": direction}),
        suggested(1),
        tried(0, sign * opener, value=opener, stage="overfit", origin=OPENER),
        tried(2, sign * worse, value=worse, stage="overfit", origin=OPENER),
        tried(4, sign * (own + sign), value=own + sign, stage="overfit", origin="overfit probe"),
        tried(3, sign * (own + sign), value=own + sign, stage="tune"),
        tried(1, sign * own, value=own, stage="overfit", origin=RECALLED, seconds=4.0),
        ("chosen", {"members": [1]}),
    )
    [row] = history.suggestions
    assert row["gain"] == pytest.approx(gain) and row["scratch"] == opener
    assert row["value"] == own and row["seconds"] == 4.0 and row["status"] == "scored" and row["reused"]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        (
            [],
            {
                "status": "not tried",
                "value": None,
                "gain": None,
                "scratch": None,
                "seconds": None,
                "reused": False,
            },
        ),
        (
            [tried(1, 0.8, stage="overfit")],
            {"status": "tried in any case", "value": 0.8, "gain": None, "reused": False},
        ),
        (
            [tried(1, None, status="over_budget", origin=RECALLED)],
            {"status": "over_budget", "value": None, "gain": None, "reused": False},
        ),
        (
            [tried(1, 0.8, origin=RECALLED, stage="overfit"), ("chosen", {"members": [2]})],
            {"status": "scored", "gain": None, "scratch": None, "reused": False},
        ),
    ],
)
def test_what_became_of_a_suggestion_is_told_whatever_it_was(events, wanted):
    [row] = told(suggested(1), *events).suggestions
    assert {name: row[name] for name in wanted} == wanted and row["role"] == "recipe"


def test_the_first_trial_of_a_genotype_is_that_of_the_suggestion():
    """Strategies that go on from it at another fidelity come later."""
    first = tried(0, 0.6, genotype=Genotype({"depth": 1}), origin=RECALLED)
    again = tried(5, 0.9, genotype=Genotype({"depth": 1}), origin="promotion")
    [row] = told(suggested(1), first, again).suggestions
    assert row["value"] == 0.6 and row["status"] == "scored"


# -- from disk -------------------------------------------------------------------------------------------------------


def test_a_history_read_from_a_folder_is_that_of_the_events_and_leaves_the_folder_alone(tmp_path):
    events = [
        ("session", {"pid": 1, "budget": None}), tried(0, 0.4, curve=({"step": 1, "train": 0.5},)),
        tried(1, None, status="failed", error="ValueError: ä"), ("chosen", {"members": [0], "program": "p", "at": 3.0}),
    ]  # fmt: skip
    storage = SQLite(tmp_path / "study")
    for kind, data in events:
        storage.append(kind, data)
    storage.close()
    before = {path.name: path.read_bytes() for path in (tmp_path / "study").rglob("*") if path.is_file()}
    history = History.read(tmp_path / "study")
    assert history.records == told(*events).records and history.members == told(*events).members
    after = {path.name: path.read_bytes() for path in (tmp_path / "study").rglob("*") if path.is_file()}
    assert {name: data for name, data in after.items() if name in before} == before


def test_a_folder_without_a_study_is_told_and_nothing_is_made_there(tmp_path):
    with pytest.raises(StoreError):
        History.read(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
