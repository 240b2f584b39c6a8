"""The end of a study: what it keeps on disk, and that it can still go on."""

import pytest

from perennial import closing, doctor, grow
from perennial.history import History
from perennial.model import Model
from perennial.storages import SQLite


@pytest.fixture(scope="module")
def ended(tmp_path_factory, examples):
    """A study of eight seconds that keeps the best trial, and what the answer needs."""
    folder = tmp_path_factory.mktemp("ended") / "study"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(closing, "BEST_KEPT", 1)
        model = grow(examples / "penguins.csv", "species", seconds=8, workers=2, out=folder)
    return folder, model


def history_of(folder):
    storage = SQLite(folder, mode="ro")
    try:
        return History.of(storage.events())
    finally:
        storage.close()


def blobs_of(folder):
    return {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}


def test_weights_of_trials_that_are_not_needed_are_let_go(ended):
    folder, _ = ended
    history = history_of(folder)
    scored = history.scored
    kept = {record.trial.number for record in history.records if record.weights}
    assert scored[0].trial.number in kept and kept <= {scored[0].trial.number, *history.chosen["members"]}
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
    before = history_of(folder)
    model = grow(examples / "penguins.csv", "species", seconds=24, workers=2, out=folder)
    after = history_of(folder)
    assert len(after.records) > len(before.records) and after.chosen["confirmed"]
    assert model.result["trials"] == len(after.records)
    assert doctor._study(folder)[0]
