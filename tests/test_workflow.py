"""What `grow` does at its door, and with a study that has ended: nothing is silently ignored, nothing is done twice."""

from types import SimpleNamespace

import numpy as np
import pytest

from perennial import Task, grow
from perennial.errors import StudyChanged, UsageError
from perennial.history import History
from perennial.workflow import _nothing_left_to_do


def table():
    generator = np.random.default_rng(0)
    x, z = generator.normal(size=(2, 120))
    return Task.from_data({"x": x, "z": z, "y": np.where(x + 0.3 * z > 0, "up", "down")}, "y", name="table")


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ended") / "study"
    return folder, grow(table(), trials=2, workers=0, metric="accuracy", out=folder)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"metric": "log_loss"}, "the metric accuracy; now it is log_loss"),
        ({"folds": 3}, "now it is 3"),
        ({"protocol": "holdout"}, "now it is holdout"),
        ({"test_share": 0.4}, "now it is 48"),
    ],
)
def test_a_study_is_not_judged_in_another_way_than_it_was_begun_with(ended, asked, told):
    folder, _ = ended
    with pytest.raises(StudyChanged, match=told) as refused:
        grow(table(), trials=2, workers=0, out=folder, **asked)
    assert "--out" in refused.value.todo and len(History.read(folder).sessions) == 1


@pytest.mark.parametrize("asked", [{}, {"metric": "accuracy"}, {"metric": "accuracy", "trials": 1}])
def test_the_same_call_on_a_study_that_has_ended_answers_at_once(ended, asked):
    folder, model = ended
    again = grow(table(), workers=0, out=folder, **{"trials": 2, **asked})
    assert again.result == model.result and len(History.read(folder).sessions) == 1


def finished(seconds, budget, records=0, trials=None):
    told = {"seconds": seconds, "result": {"budget": budget}}
    history = SimpleNamespace(finished=told, records=[None] * records, sessions=[{"trials": trials}])
    return SimpleNamespace(history=history)


@pytest.mark.parametrize(
    ("study", "budget", "trials", "over"),
    [
        (finished(56.0, 60.0), 60.0, None, True),
        (finished(3_565.0, 3_600.0), 3_600.0, None, True),
        (finished(56.0, 60.0), 120.0, None, False),
        (finished(30.0, None, 20), 31.0, None, True),
        (finished(30.0, None, 20), 60.0, None, False),
        (finished(30.0, None, 20, 20), np.inf, 20, True),
        (finished(30.0, None, 12, 20), np.inf, 20, True),
        (finished(30.0, None, 20, 20), np.inf, 21, False),
        (finished(30.0, 60.0, 20), np.inf, 10, True),
        (finished(30.0, 60.0, 20), np.inf, 30, False),
    ],
)
def test_a_study_goes_on_when_it_is_given_more_than_it_had(study, budget, trials, over):
    assert _nothing_left_to_do(study, budget, trials) is over


def test_a_study_that_has_not_ended_goes_on():
    unfinished = SimpleNamespace(history=SimpleNamespace(finished=None))
    assert not _nothing_left_to_do(unfinished, 1.0, None)


def test_what_a_task_would_not_hear_is_refused():
    with pytest.raises(UsageError, match="target, drop_leeky would not be heard") as refused:
        grow(table(), "z", trials=1, drop_leeky=True)
    assert "Task.from_data" in refused.value.todo
    with pytest.raises(UsageError, match="test would not be heard"):
        grow(table(), test={"x": [1.0], "z": [1.0], "y": ["up"]}, trials=1)


@pytest.mark.parametrize("option", ["trials", "metric", "folds"])
def test_what_a_search_for_programs_would_not_hear_is_refused(option):
    pairs = Task.from_examples([([3, 1], [1, 3]), ([9, 7], [7, 9])])
    with pytest.raises(UsageError, match=f"{option} would not be heard"):
        grow(pairs, **{option: 5})
