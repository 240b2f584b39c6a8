"""Nothing is forgotten: every changed byte is found, old models say what they said, and what nobody reaches goes."""

import os
import time
from types import SimpleNamespace

import numpy as np
import pytest

from perennial.errors import StoreError
from perennial.library import Card, Library
from perennial.library.embedded import Embedded
from perennial.library.golden import answers, difference, golden_bytes
from perennial.library.records import Batch, Edge
from perennial.library.upkeep import gc, verify
from perennial.testing.libraries import misremember, some_evidence, some_record

DAY = 86_400.0


def blob_paths(library):
    return sorted((library.store._folder / "blobs").glob("??/*"))


def age(library, seconds):
    for path in blob_paths(library):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_a_sound_library_is_sound_and_its_models_say_the_same_bit_for_bit(library):
    found = verify(library)
    assert not found.problems and found.orphans == 0
    assert found.records == found.replayed == found.exact == 2
    assert verify(library, sample=1).replayed == 1 and verify(library, sample=0).replayed == 0


def test_a_changed_byte_in_any_blob_is_found_and_says_which_names_it_concerns(library, tmp_path):
    for place, path in enumerate(blob_paths(library)):
        sound = path.read_bytes()
        spoilt = bytearray(sound)
        spoilt[(37 * place) % len(spoilt)] ^= 1 << place % 8
        path.write_bytes(spoilt)
        found = verify(library, sample=0)
        [problem] = found.problems
        assert problem.digest == path.name and set(problem.names) & {
            "penguins/solution@1",
            "in-order/solution@1",
        }
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sound)
    assert not verify(library).problems


def test_a_blob_that_is_gone_is_found(library):
    path = blob_paths(library)[0]
    path.unlink()
    assert path.name in {problem.digest for problem in verify(library).problems}


def test_a_model_that_says_something_else_is_found(library):
    other, mine = library.store.headers(kind="solution"), library.find("penguins/solution")
    misremember(
        library, "penguins/solution", next(header.card.golden for header in other if header.id != mine)
    )
    [problem] = verify(library).problems
    assert problem.names == ("penguins/solution@2",)


def test_a_model_that_cannot_be_asked_any_more_is_found_and_others_are_asked(library, monkeypatch):
    def breaks(*_, **__):
        raise RuntimeError("a symbol is gone")

    monkeypatch.setattr("perennial.primitives.learners.boosting.LightGBM.call", breaks)
    found = verify(library)
    [problem] = found.problems
    assert problem.names == ("penguins/solution@1",) and "RuntimeError: a symbol is gone" in problem.what
    assert found.replayed == 2 and found.exact == 1


class Counting:
    """A model that says how many threads it may use."""

    codec = SimpleNamespace(batched=True)

    def predict_values(self, columns):
        import torch
        from threadpoolctl import threadpool_info

        return np.array([torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())])


def test_golden_outputs_are_said_on_one_thread_and_what_follows_on_as_many_as_before():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = Counting()
        several = model.predict_values({})
        said = answers(model, {"x": np.arange(3.0)})
        assert several[0] == 2 and set(said.tolist()) == {1}
        assert model.predict_values({}).tolist() == several.tolist()
        asked = golden_bytes({"x": np.arange(3.0)}, np.ones_like(said))
        assert difference(model, asked) == (True, 0.0)
    finally:
        torch.set_num_threads(before)


def test_an_index_that_tells_something_else_than_the_record_is_found(library):
    library.store._write(lambda database: database.execute("UPDATE record SET output = 'Real'"))
    assert {problem.names[0] for problem in verify(library).problems} == {
        "in-order/solution@1",
        "penguins/solution@1",
    }


def test_gc_takes_what_no_name_reaches_and_leaves_what_is_young(library):
    before = verify(library)
    library.add(some_record(1), Card(0.0), evidence=[some_evidence(some_record(1))])
    library.store.put(b"nobody needs this")
    assert verify(library).orphans == 1
    kept_for_now = gc(library)
    assert kept_for_now.records == kept_for_now.blobs == () and kept_for_now.young == 2
    age(library, 2 * DAY)
    told = gc(library, dry_run=True)
    assert told.records == (some_record(1).id,) and len(told.blobs) == 2 and told.bytes > 17
    assert len(list(library.walk())) == 3, "a dry run removes nothing"
    assert gc(library) == told
    assert gc(library).records == () and verify(library) == before
    assert library.store.evidence(record=some_record(1).id), "what was learnt about it stays"


def test_a_sweep_that_is_cut_off_leaves_no_row_without_its_blob(library, monkeypatch):
    library.forget("penguins/solution")
    age(library, 2 * DAY)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(library.store._blobs, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        gc(library)
    monkeypatch.undo()
    found = verify(library)
    assert not found.problems and found.orphans > 0
    assert len(gc(library).blobs) == found.orphans and verify(library).orphans == 0


def test_what_a_named_record_was_made_from_stays(library):
    parent, child = some_record(1), some_record(2)
    library.store.commit(
        Batch(
            ((parent, Card(0.0)), (child, Card(0.0))),
            {"numbers/two": child.id},
            edges=(Edge(child.id, parent.id, "fine-tuned"),),
        )
    )
    age(library, 2 * DAY)
    assert gc(library).records == ()
    library.forget("numbers/two")
    assert set(gc(library).records) == {parent.id, child.id}


def test_old_models_are_what_they_were_after_every_commit(library, solved):
    task, model = solved["table"]
    said = model.predict_values(task.inputs).tobytes()
    for number in range(5):
        library.add(some_record(number), Card(0.0), name=f"numbers/{number}")
        assert library.model("penguins/solution").predict_values(task.inputs).tobytes() == said
    assert verify(library).exact == 2


def test_a_sweep_leaves_what_is_named_or_needed_while_it_runs(library, monkeypatch):
    """The moments in which another process could be caught: after the blobs were listed, before they go."""
    old, shared = some_record(1), library.store.put(b"shared weights")
    library.add(old, Card(0.0))
    age(library, 2 * DAY)
    other = Library(library.store.place)
    listed = library.store._sweepable

    def meanwhile(database, grace):
        swept = listed(database, grace)
        assert other.store.put(b"shared weights") == shared
        return swept

    monkeypatch.setattr(library.store, "_sweepable", meanwhile)
    swept = gc(library)
    assert old.id in swept.records and shared in swept.blobs
    other.add(some_record(2, weights=(shared,)), Card(0.0), name="numbers/two")
    assert other.store.get(shared) == b"shared weights" and not verify(other).problems
    with pytest.raises(StoreError, match="not in the library"):
        other.store.commit(Batch(((some_record(3, weights=("c" * 64,)), Card(0.0)),)))
    other.close()


def test_a_stray_file_among_the_blobs_disturbs_nothing(library):
    (blob_paths(library)[0].parent / ".DS_Store").write_bytes(b"x")
    assert not verify(library).problems and gc(library, grace=0.0).records == ()


def test_what_a_crash_left_half_written_goes(library):
    litter = library.store._folder / "tmp" / "half.123"
    litter.parent.mkdir(exist_ok=True)
    litter.write_bytes(b"half")
    gc(library)
    assert litter.exists(), "somebody may be writing it"
    os.utime(litter, (0, 0))
    gc(library)
    assert not litter.exists()


@pytest.mark.parametrize("gone", ["removed", "emptied"])
def test_an_index_that_is_gone_is_restored_and_not_taken_for_a_new_library(library, gone, capsys):
    folder, names = library.store._folder, library.store.names()
    library.close()
    if gone == "removed":
        (folder / "index.db").unlink()
    else:
        (folder / "index.db").write_bytes(b"")
    with Library(folder) as again:
        assert again.store.names() == names and not verify(again).problems
        age(again, 2 * DAY)
        assert gc(again).records == ()
    assert "gone or empty" in capsys.readouterr().err


def test_two_that_see_the_damage_restore_it_once(library, monkeypatch):
    folder = library.store._folder
    library.close()
    (folder / "index.db").unlink()
    with Library(folder) as first:
        first.add(some_record(7), Card(0.0), name="late/name")
        monkeypatch.setattr(Embedded, "_open", lambda self: self._restore("seen a moment ago"))
        with Library(folder) as second:
            assert ("late/name", 1) in second.store.names()
        assert first.get("late/name") == some_record(7)


@pytest.mark.parametrize("gone", ["index", "index and snapshots"])
def test_a_damaged_index_is_built_again_from_its_snapshot_and_the_records(library, gone, capsys):
    folder, ids = library.store._folder, set(library.store.names().values())
    library.close()
    later = Library(folder)
    later.store._write(lambda database: None)
    later.add(some_record(5), Card(0.0))
    later.store._database.close()
    later.store._database = None
    if "snapshots" in gone:
        for path in (folder / "snapshots").glob("*"):
            path.unlink()
    with open(folder / "index.db", "r+b") as file:
        file.seek(0)
        file.write(b"\0" * 4096)
    with Library(folder) as again:
        assert {header.id for header in again.walk()} == ids | {some_record(5).id}
        if "snapshots" in gone:
            assert {base.split("/")[0] for base, _ in again.store.names()} == {"restored"}
            age(again, 2 * DAY)
            assert gc(again).records == (), "what was restored stays until somebody looked"
        else:
            assert set(again.store.names().values()) == ids | {some_record(5).id} and again.model(
                "in-order/solution"
            )([3, 1]) == [
                1,
                3,
            ]
        assert not verify(again).problems
    assert "damaged" in capsys.readouterr().err and list(folder.glob("damaged-*.db"))
