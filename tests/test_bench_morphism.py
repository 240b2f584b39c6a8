"""The bench of inherited weights: when one search is as good as another, and what it claims."""

from pathlib import Path

import pytest

from perennial.bench import morphism, searching
from perennial.bench.kept import Kept
from perennial.errors import UsageError
from perennial.history import Record
from perennial.trial import Trial


def record(at, score, number=0):
    status = "failed" if score is None else "scored"
    return Record(Trial(number, None, "", status, score), "", score, at=at)


SEARCH = [record(130.0, 0.5), record(160.0, None), record(190.0, 0.7), record(220.0, 0.6), record(250.0, 0.8)]


def test_time_counts_from_the_beginning_of_the_search_to_the_first_trial_that_is_as_good():
    curve = searching.curve_of(SEARCH, 100.0)
    assert searching.as_good_after(curve, 0.7) == 90.0
    assert searching.as_good_after(curve, 0.75) == 150.0
    assert searching.as_good_after(curve, 0.9) is None


def test_the_curve_holds_the_trials_that_were_better_than_all_before():
    assert searching.curve_of(SEARCH, 100.0) == [[30.0, 0.5], [90.0, 0.7], [150.0, 0.8]]


def test_a_search_that_never_gets_there_counts_as_slower_than_any(monkeypatch):
    monkeypatch.setattr(morphism, "sets_of", lambda data, only: [Path("a set")])
    reached = iter([300.0, None, 450.0, 200.0, None, None])
    row = {"seconds": 1200.0}
    monkeypatch.setattr(morphism, "_compared", lambda *_: {**row, "as_good_after": next(reached)})
    [bar] = morphism.run(data=".", seconds=None, seeds=3, only=(), kept=Kept(None))["bars"]
    assert (bar["value"], bar["goal"], bar["ok"]) == (pytest.approx(7.5), pytest.approx(8.0), True)
    [bar] = morphism.run(data=".", seconds=None, seeds=3, only=(), kept=Kept(None))["bars"]
    assert bar["value"] is None and not bar["ok"]


def test_both_searches_differ_in_where_weights_start_only_and_neither_is_run_twice(monkeypatch, tmp_path):
    asked = []

    def searched(path, seed, seconds, inherit):
        asked.append((path, seed, seconds, inherit))
        score = 0.8 if inherit else 0.6
        records = [record(10.0, 0.4), record(50.0 if inherit else 90.0, score)]
        told = {"value": score, "test": score, "trials": 2, "failed": 0, "error": None}
        return told | {"curve": searching.curve_of(records, 0.0)}

    monkeypatch.setattr(morphism, "_searched", searched)
    for _ in range(2):
        row = morphism._compared(tmp_path, 3, 100.0, Kept(tmp_path / "kept.jsonl"))
    assert asked == [(tmp_path, 3, 100.0, False), (tmp_path, 3, 100.0, True)]
    assert row["as_good_after"] == 50.0
    assert (row["scratch_value"], row["inherited_value"]) == (0.6, 0.8)


def test_a_short_search_on_images(class_folders):
    row = morphism._searched(class_folders("a"), 0, 3.0, True)
    assert row["trials"] >= 1 and all(seconds <= 30.0 for seconds, _ in row["curve"])


def test_it_asks_for_images(tmp_path):
    with pytest.raises(UsageError, match="--data"):
        morphism.sets_of(None, ())
    with pytest.raises(UsageError, match="No images"):
        morphism.sets_of(str(tmp_path), ())


def test_it_takes_the_set_of_the_claim_where_that_is_there(class_folders):
    first, second = class_folders("a"), class_folders("b")
    assert morphism.sets_of(str(first.parent), ()) == [first, second]
    assert morphism.sets_of(str(first.parent), ("b",)) == [second]
    claimed = class_folders(morphism.DEFAULT_SET)
    assert morphism.sets_of(str(first.parent), ()) == [claimed]
