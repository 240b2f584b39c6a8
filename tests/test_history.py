"""The history is a fold over the journal: the same events give the same story, whatever came between."""

from types import SimpleNamespace

from perennial.history import History, Record
from perennial.spaces import Genotype
from perennial.trial import Trial


def event(number, kind, /, **data):
    return SimpleNamespace(number=number, time=float(number), kind=kind, data=data)


def trial(number, score, at, status="scored", **more):
    inner = Trial(
        number,
        Genotype({"depth": number}),
        f"hash{number}",
        status,
        score=score,
        seconds=1.0,
        stage="tune",
        **more,
    )
    return Record(inner, "lambda row: row", score, at=at).to_json()


def test_a_record_survives_json():
    record = Record(
        Trial(1, Genotype({"a": 2}), "h", "scored", score=0.5), "source", 0.5, ("w",), "p", 3.0, (None, 2)
    )
    assert Record.from_json(record.to_json()) == record


def test_the_best_is_the_highest_score_and_ties_go_to_the_first():
    events = [
        event(i, "trial", **trial(i, score, at=i)) for i, score in enumerate([0.5, 0.9, 0.9, float("nan")])
    ]
    assert History.of(events).best.trial.number == 1


def test_failures_are_counted_and_never_ranked():
    events = [
        event(0, "trial", **trial(0, None, 1, status="failed", error="no")),
        event(1, "trial", **trial(1, 0.1, 2)),
    ]
    history = History.of(events)
    assert len(history.failed) == 1 and [record.trial.number for record in history.scored] == [1]


def test_seconds_of_several_sessions_add_up():
    events = [
        event(0, "session", pid=1, budget=60.0, workers=1),
        event(1, "trial", **trial(0, 0.1, at=10.0)),
        event(2, "session", pid=2, budget=60.0, workers=1),
        event(3, "trial", **trial(1, 0.2, at=25.0)),
    ]
    assert History.of(events).seconds_spent == 25.0


def test_events_of_a_later_version_are_passed_over():
    assert History.of([event(0, "telepathy", text="?")]).records == []


def test_a_baseline_written_twice_counts_once():
    events = [event(i, "baseline", name="mean", value=1.0, score=-1.0, at=1.0) for i in range(2)]
    assert len(History.of(events).baselines) == 1
