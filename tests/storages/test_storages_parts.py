"""What becomes JSON, that both storages agree, and the parts of the folder: whole files, copies, locks and blobs."""

import json
import math
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import DamagedFile, StoreError, StudyLocked
from perennial.storages import Memory, SQLite, holder
from perennial.storages.base import plain, to_json
from perennial.storages.sqlite import disk, journal
from perennial.storages.sqlite.blobs import Blobs
from perennial.storages.sqlite.lock import HOLDER_NAME, WriterLock

# -- JSON ------------------------------------------------------------------------------------------------------------

leaves = st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False), st.text())  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


@given(values)
def test_what_json_knows_is_left_as_it_is(value):
    assert plain(value) == value and json.loads(to_json({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (math.nan, None), (-math.inf, None), (np.float32(0.5), 0.5), (np.float64("nan"), None), (np.int8(-3), -3),
        (np.bool_(True), True), (np.array([[1.5, np.inf]]), [[1.5, None]]), (np.array("a"), "a"), ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]), (frozenset("ba"), ["a", "b"]), ({1: {2.5: None}}, {"1": {"2.5": None}}),
        (Path("a/b"), "a/b"), ({np.int64(3): 1}, {"3": 1}),
    ],
)  # fmt: skip
def test_other_values_become_what_is_nearest_in_json(value, wanted):
    found = plain(value)
    assert found == wanted and json.loads(to_json({"a": value})) == {"a": wanted}
    assert type(found) is type(wanted)


# -- both storages ---------------------------------------------------------------------------------------------------

steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(["trial", "stage"]), st.dictionaries(st.text(max_size=3), leaves, max_size=3)),
        st.tuples(st.just("put"), st.binary(max_size=40)), st.tuples(st.just("delete"), st.integers(0, 5)),
    ), max_size=9,
)  # fmt: skip


@settings(max_examples=15)
@given(steps, st.integers(0, 6))
def test_a_folder_and_memory_answer_alike_and_alike_after_opening_again(done, after):
    with tempfile.TemporaryDirectory() as folder:
        memory, disk_ = Memory(), SQLite(folder)
        known, deleted = [], set()
        for what, *how in done:
            if what == "delete":
                if known:
                    digest = known[how[0] % len(known)]
                    memory.delete(digest), disk_.delete(digest), deleted.add(digest)
                continue
            first, second = (getattr(storage, what)(*how) for storage in (memory, disk_))
            assert first == second
            if what == "put":
                known.append(first)
                deleted.discard(first)
        told = [[(e.number, e.kind, e.data) for e in storage.events(after)] for storage in (memory, disk_)]
        assert told[0] == told[1] and [number for number, *_ in told[0]] == list(
            range(after + 1, after + 1 + len(told[0]))
        )
        for digest in known:
            if digest in deleted:
                for storage in (memory, disk_):
                    with pytest.raises(DamagedFile):
                        storage.get(digest)
            else:
                assert memory.get(digest) == disk_.get(digest)
        events = disk_.events()
        disk_.close()
        again = SQLite(folder, mode="ro")
        assert again.events() == events
        again.close()


def test_a_journal_is_a_chain_of_rows_that_sqlite_can_read_by_itself(tmp_path):
    storage = SQLite(tmp_path)
    for number in range(5):
        storage.append("trial", {"score": number / 4, "name": "ä"})
    storage.close()
    database = sqlite3.connect(tmp_path / "study.db")
    rows = database.execute("SELECT number, time, kind, data, chain FROM events ORDER BY number").fetchall()
    database.close()
    assert [json.loads(row[3]) for row in rows] == [{"score": n / 4, "name": "ä"} for n in range(5)]
    assert journal.first_broken(rows) is None and len({row[4] for row in rows}) == 5
    for place in range(5):
        spoilt = [
            (*row[:3], row[3].replace("0", "1") if n == place else row[3], row[4])
            for n, row in enumerate(rows)
        ]
        assert journal.first_broken(spoilt) == (place + 1 if spoilt != rows else None)
        assert journal.first_broken(rows[:place] + rows[place + 1 :]) == (place + 1 if place < 4 else None)
    assert journal.first_broken(rows[2:], number=2, before=rows[1][4]) is None
    assert journal.first_broken([rows[0], rows[2], rows[1]]) == 2


def test_a_reader_may_not_write(tmp_path):
    SQLite(tmp_path).close()
    reader = SQLite(tmp_path, mode="ro")
    try:
        for write in (
            lambda: reader.put(b"x"),
            lambda: reader.delete("a" * 64),
            lambda: reader.append("trial", {}),
        ):
            with pytest.raises(StoreError):
                write()
        assert reader.events() == []
    finally:
        reader.close()


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_the_old_one_stays(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "er" / "file"
    disk.write_durably(tmp_path, path, b"first")
    assert path.read_bytes() == b"first" and list((tmp_path / disk.PASSING).iterdir()) == []

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        disk.write_durably(tmp_path, path, b"second")
    assert path.read_bytes() == b"first" and list((tmp_path / disk.PASSING).iterdir()) == []


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_newest_of_three_copies_is_the_first(tmp_path, count):
    copies = [tmp_path / f"copy.{number}" for number in (1, 2, 3)]
    for number in range(count):
        fresh = tmp_path / "fresh"
        fresh.write_text(str(number))
        disk.keep_newest(fresh, copies)
        assert not fresh.exists()
    found = [int(copy.read_text()) for copy in copies if copy.exists()]
    assert found == list(range(count))[::-1][:3]


def test_only_what_is_old_is_cleared_where_others_may_write(tmp_path):
    (tmp_path / disk.PASSING).mkdir()
    old, young = (tmp_path / disk.PASSING / name for name in ("old", "young"))
    for path in (old, young):
        path.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    disk.clear_passing(tmp_path, age=3600.0)
    assert not old.exists() and young.exists()
    disk.clear_passing(tmp_path)
    assert not young.exists()
    disk.clear_passing(tmp_path / "nowhere")


def test_a_write_that_failed_says_what_is_left_and_what_to_do(tmp_path):
    error = disk.cannot_write("A blob", tmp_path, "No space left on device")
    assert error.what == "A blob could not be written: No space left on device."
    free = int(error.where.split("free: ")[1].split(" MB")[0])
    assert free == pytest.approx(psutil.disk_usage(str(tmp_path)).free / 2**20, rel=0.05, abs=64)
    assert "unknown" in disk.cannot_write("A blob", tmp_path / "nowhere", "").where


@given(st.binary(max_size=200))
@settings(max_examples=15)
def test_a_blob_lies_under_its_sha256_and_any_changed_byte_is_put_aside(data):
    import hashlib

    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder), writes=True)
        digest = blobs.put(data)
        path = Path(folder) / "blobs" / digest[:2] / digest
        assert digest == hashlib.sha256(data).hexdigest() and path.read_bytes() == data == blobs.get(digest)
        path.write_bytes(data + b"?")
        with pytest.raises(DamagedFile, match="does not match its hash"):
            Blobs(Path(folder), writes=False).get(digest)
        assert path.exists(), "a reader moves nothing"
        with pytest.raises(DamagedFile) as caught:
            blobs.get(digest)
        assert not path.exists() and Path(caught.value.where).read_bytes() == data + b"?"
        with pytest.raises(DamagedFile, match="cannot be read"):
            blobs.get(digest)
        assert blobs.put(data) == digest and blobs.get(digest) == data


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"])
def test_a_name_that_is_no_hash_never_becomes_a_path(tmp_path, digest):
    for use in (Blobs(tmp_path, writes=True).get, Blobs(tmp_path, writes=True).delete):
        with pytest.raises(DamagedFile, match="is not a hash"):
            use(digest)


def test_sweeping_takes_blobs_that_nobody_names(tmp_path):
    blobs = Blobs(tmp_path, writes=True)
    digests = [blobs.put(bytes([number])) for number in range(4)]
    assert blobs.sweep(digests[:2]) == 2 and blobs.sweep(digests[:2]) == 0
    assert [digest for digest in digests if (tmp_path / "blobs" / digest[:2] / digest).exists()] == digests[
        :2
    ]


# -- who writes ------------------------------------------------------------------------------------------------------


def note(folder, **changes):
    told = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": "now",
        "born": psutil.Process().create_time(),
    }
    (folder / HOLDER_NAME).write_text(json.dumps({**told, **changes}))


def gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("changes", "believed"),
    [
        ({}, True), ({"born": 5.0}, False), ({"born": None}, True), ({"pid": "gone"}, False), ({"pid": "abc"}, False),
        ({"pid": -4}, False), ({"host": "another machine", "pid": "gone"}, True), ({"pid": None}, False),
        ({"pid": None, "born": None}, False), ({"pid": True, "born": None}, False), ({"host": "another machine", "pid": None}, False),
    ],
)  # fmt: skip
def test_a_note_is_believed_where_its_process_may_live(tmp_path, changes, believed):
    if changes.get("pid") == "gone":
        changes = {**changes, "pid": gone()}
    note(tmp_path, **changes)
    found = holder(tmp_path)
    assert (found is not None) is believed
    assert not believed or (set(found) == {"pid", "host", "since"} and found["since"] == "now")


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "3"])
def test_a_note_that_cannot_be_read_is_nobody(tmp_path, text):
    if text is not None:
        (tmp_path / HOLDER_NAME).write_text(text)
    assert holder(tmp_path) is None


def test_the_second_writer_is_told_of_the_first_and_let_in_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr("perennial.storages.sqlite.lock.PATIENCE_SECONDS", 0.05)
    first = WriterLock(tmp_path)
    assert holder(tmp_path)["pid"] == os.getpid()
    with pytest.raises(StudyLocked) as caught:
        WriterLock(tmp_path)
    assert f"process {os.getpid()} on {socket.gethostname()}" in caught.value.where
    assert f"perennial stop {tmp_path}" in caught.value.todo
    first.release()
    first.release()
    assert holder(tmp_path) is None and not (tmp_path / HOLDER_NAME).exists()
    WriterLock(tmp_path).release()
