"""The end of a study: what it keeps on disk, and that it can still go on."""

from types import SimpleNamespace

import numpy as np
import pytest

from perennial import closing, doctor, grow
from perennial.assembly import Candidate
from perennial.errors import WorkerError
from perennial.history import History
from perennial.model import Model
from perennial.storages import SQLite
from perennial.study import Study


@pytest.fixture(scope="module")
def ended(tmp_path_factory, examples):
    """A study of eight seconds that keeps the best trial, and what the answer needs."""
    folder = tmp_path_factory.mktemp("ended") / "study"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(closing, "BEST_KEPT", 1)
        model = grow(examples / "penguins.csv", "species", seconds=8, workers=2, out=folder)
    return folder, model


def blobs_of(folder):
    return {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}


def test_weights_of_trials_that_are_not_needed_are_let_go(ended):
    folder, _ = ended
    history = History.read(folder)
    scored = history.scored
    kept = {record.trial.number for record in history.records if record.weights}
    assert kept == {record.trial.number for record in [scored[0], *history.members] if record.weights}
    assert kept >= {scored[0].trial.number}
    assert all(record.predictions and record.source for record in scored)
    wanted = {blob for record in history.records for blob in record.weights}
    assert wanted <= blobs_of(folder)
    storage = SQLite(folder, mode="ro")
    told = [event.data for event in storage.events() if event.kind == "trial" and event.data["weights"]]
    storage.close()
    gone = {blob for data in told for blob in data["weights"]} - wanted
    assert not gone & blobs_of(folder)


def test_what_is_left_is_whole_and_predicts(ended, examples):
    folder, model = ended
    fine, said = doctor._study(folder)
    assert fine and "blobs match" in said
    again = Model.load(folder / "best").predict(examples / "penguins.csv")
    assert list(again) == list(model.predict(examples / "penguins.csv"))


def test_a_study_that_was_tidied_goes_on(ended, examples):
    folder, _ = ended
    before = History.read(folder)
    model = grow(examples / "penguins.csv", "species", seconds=24, workers=2, out=folder)
    after = History.read(folder)
    assert len(after.records) > len(before.records) and after.chosen["confirmed"]
    assert model.result["trials"] == len(after.records)
    assert doctor._study(folder)[0]


def test_a_baseline_that_failed_is_no_reason_to_end_badly(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise WorkerError("It took too long.", status="over_budget")

    monkeypatch.setattr(Study, "run_program", killed)
    monkeypatch.setattr(closing, "BEST_KEPT", 1)
    x, z = np.random.default_rng(0).normal(size=(2, 100))
    model = grow({"x": x, "z": z, "y": x > z}, "y", trials=4, workers=0, out=tmp_path / "s")
    told = History.read(tmp_path / "s")
    assert model.result["beaten"] and told.finished is not None
    assert any(baseline["score"] is None for baseline in told.baselines)
    assert any(record.trial.status == "scored" and not record.weights for record in told.records)


# -- what can be tested in time ----------------------------------------------------------------------------------------


def answer(replicas=10):
    blobs = tuple(bytes([number]) for number in range(replicas))
    return Candidate("ensemble", "program", blobs, np.arange(3), np.zeros(3), 0.5, 0.5)


class Ending:
    """A study before its test, whose workers take a tenth of a second to load, and a millisecond a row."""

    parts = ()

    def __init__(self, left, rows, deterministic=False, workers=2):
        self.clock, self.sealed = SimpleNamespace(left=left), SimpleNamespace(rows=rows)
        self.deterministic, self.workers, self.stopping, self.told = deterministic, workers, None, []

    def call(self, function, arguments):
        assert function == "pace" and arguments == {"source": "program", "blob": b"\x00", "parts": []}
        return 0.1, 0.001

    def emit(self, kind, **data):
        self.told.append((kind, data["text"]))


@pytest.mark.parametrize(
    "left, rows, kept",
    [(100.0, 10_000, 10), (closing.SECONDS_AFTER_TEST + 16.0, 10_000, 3), (3.0, 10_000, 1), (-1.0, 10_000, 1), (3.0, 1_000, 10)],
)  # fmt: skip
def test_the_model_is_one_that_can_be_tested_in_the_time_that_is_left(left, rows, kept):
    study = Ending(left, rows)
    found = closing.affordable(study, answer())
    assert found.replicas == answer().replicas[:kept] and found.value == 0.5
    assert [text.split(": ")[1] for _, text in study.told] == (
        [f"the model has the first {kept} of them"] if kept < 10 else []
    )


def test_a_heavy_model_is_cut_for_few_rows_too(monkeypatch):
    """Boosters of many classes take seconds to be loaded, however few rows they are asked about."""
    monkeypatch.setattr(closing, "LIGHT", 10)
    assert len(closing.affordable(Ending(3.0, 100), answer()).replicas) == 3
    assert len(closing.affordable(Ending(3.0, 100), answer(9)).replicas) == 9
    assert len(closing.affordable(Ending(3.0, 0), answer()).replicas) == 10


def test_a_budget_of_trials_keeps_all_of_it():
    assert len(closing.affordable(Ending(0.0, 10_000, deterministic=True), answer()).replicas) == 10


def test_one_replica_stays():
    assert len(closing.affordable(Ending(0.0, 10_000), answer(1)).replicas) == 1
