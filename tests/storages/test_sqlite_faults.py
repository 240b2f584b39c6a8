"""What goes wrong on disks and with processes, and what must happen then."""

import errno
import io
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from perennial.errors import DamagedFile, StoreError, StudyLocked
from perennial.storages import SQLite, holder
from perennial.storages.sqlite import disk, snapshots, store

ELSEWHERE = {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}


def start(source, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ELSEWHERE,
    )  # fmt: skip


def write(folder, count, size=300):
    """A study with events and blobs; returns what its events hold."""
    storage = SQLite(folder)
    for number in range(count):
        digest = storage.put(f"blob {number}".encode() * 50)
        storage.append("trial", {"number": number, "blob": digest, "text": "x" * size})
    events = storage.events()
    storage.close()
    return events


def reopen(folder):
    storage = SQLite(folder)
    try:
        return storage.events()
    finally:
        storage.close()


def forget_snapshots(folder):
    shutil.rmtree(folder / "snapshots")


# -- row 1: killed at any moment --------------------------------------------------------------------

WRITER = """
    import sys
    from perennial.storages import SQLite
    storage = SQLite(sys.argv[1])
    begin = len(storage.events())
    for number in range(begin, 100_000):
        digest = storage.put(str(number).encode() * 5000)
        print(storage.append("trial", {"number": number, "blob": digest, "text": "x" * 2000}), flush=True)
"""


def test_row_1_killed_at_any_moment_nothing_that_was_told_is_lost(tmp_path, capfd):
    moments, told = random.Random(0), 0
    for _ in range(5):
        writer = start(WRITER, tmp_path / "study")
        writer.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.2))
        writer.kill()
        output, _ = writer.communicate()
        if output.strip():
            told = int(output.split("\n")[-2])
        reader = SQLite(tmp_path / "study", mode="ro")
        events = reader.events()
        assert len(events) >= told, "an event that was acknowledged is gone"
        assert [event.data["number"] for event in events] == list(range(len(events)))
        for event in events[-5:]:
            assert reader.get(event.data["blob"]) == str(event.data["number"]).encode() * 5000
        reader.close()
    assert len(reopen(tmp_path / "study")) >= told
    assert "damaged" not in capfd.readouterr().err


def test_a_blob_without_its_event_and_half_written_files_are_swept_at_the_next_opening(tmp_path):
    events = write(tmp_path, 2)
    storage = SQLite(tmp_path)
    orphan = storage.put(b"the process was killed before it wrote the event")
    storage.close()
    (tmp_path / "tmp" / "half").write_bytes(b"half")
    storage = SQLite(tmp_path)
    with pytest.raises(DamagedFile):
        storage.get(orphan)
    assert all(storage.get(event.data["blob"]) for event in events)
    assert list((tmp_path / "tmp").iterdir()) == []
    storage.close()


# -- row 11 and 12: no space, no permission ---------------------------------------------------------


def fill_the_disk(patch, at):
    """From the call number `at` on, every call of ours that writes fails; returns the calls left until then."""
    left = [at]

    def failing(function):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*arguments, **options)

        return call

    for name in ("open", "mkdir", "replace"):
        patch.setattr(os, name, failing(getattr(os, name)))
    patch.setattr(os, "fsync", failing(lambda descriptor: None))
    patch.setattr(io, "open", failing(io.open))
    patch.setattr(disk, "open", failing(open), raising=False)
    return left


def test_row_11_a_disk_that_fills_at_any_write_loses_nothing_that_was_told(tmp_path, monkeypatch):
    for at in range(1, 200):
        folder, told = tmp_path / f"at-{at}", []
        with monkeypatch.context() as patch:
            left = fill_the_disk(patch, at)
            try:
                storage = SQLite(folder)
                try:
                    for number in range(2):
                        told.append((storage.append("trial", {"blob": storage.put(b"%d" % number)}), number))
                finally:
                    storage.close()
            except StoreError as error:
                assert "No space left" in str(error), f"call {at}"
        storage = SQLite(folder)
        for event, (number, content) in zip(storage.events(), told, strict=True):
            assert event.number == number and storage.get(event.data["blob"]) == b"%d" % content, f"call {at}"
        assert not list((folder / "tmp").iterdir()), f"call {at}"
        storage.close()
        if left[0] > 0:
            break
    assert 15 < at < 199, "the search over all writes must end, and not at once"


@pytest.mark.parametrize("place", ["fsync", "replace", "open"])
def test_row_11_no_space_for_a_blob_leaves_nothing_behind_and_goes_on_after(tmp_path, monkeypatch, place):
    storage = SQLite(tmp_path)
    storage.append("created", {})

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if place == "open":
            patch.setattr(disk, "open", full, raising=False)
        else:
            patch.setattr(disk.os, place, full)
        with pytest.raises(StoreError, match="(?s)7 bytes.*No space left.*free: .* MB.*Free some disk space"):
            storage.put(b"weights")
    assert list((tmp_path / "tmp").iterdir()) == [] and not list(tmp_path.glob("blobs/*/*"))
    assert storage.get(storage.put(b"weights")) == b"weights"
    storage.close()


def test_row_11_no_space_for_an_event_rolls_it_back_and_goes_on_after(tmp_path):
    storage = SQLite(tmp_path)
    storage.append("created", {})
    pages = storage._database.execute("PRAGMA page_count").fetchone()[0]
    storage._database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="(?s)full.*Free some disk space"):
        storage.append("trial", {"text": "x" * 100_000})
    assert [event.kind for event in storage.events()] == ["created"]
    storage._database.execute("PRAGMA max_page_count=1000000")
    assert storage.append("trial", {"text": "x" * 100_000}) == 2
    storage.close()


def test_row_11_a_real_limit_on_file_size_never_tears_the_journal(tmp_path):
    source = """
        import resource, signal, sys
        from perennial.errors import StoreError
        from perennial.storages import SQLite
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        storage = SQLite(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        told, refused = 0, 0
        for number in range(40):
            try:
                told = storage.append("trial", {"text": "x" * 20_000})
            except StoreError:
                refused += 1
        try:
            storage.put(b"x" * 300_000)
        except StoreError as error:
            print(told, refused, error.what, flush=True)
        storage.close()
    """
    output, talk = start(source, tmp_path).communicate(timeout=60)
    told, refused, what = output.split(maxsplit=2)
    assert int(refused) > 0 and "300000 bytes" in what and talk == ""
    assert len(reopen(tmp_path)) == int(told) > 0
    assert not [path for path in tmp_path.glob("blobs/*/*") if path.is_file()]


def test_a_snapshot_that_cannot_be_written_does_not_stop_the_study(tmp_path, monkeypatch):
    write(tmp_path, 3)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "flush_file", full)
    monkeypatch.setattr(store, "SNAPSHOT_SECONDS", 0.0)
    storage = SQLite(tmp_path)
    assert storage.append("trial", {}) == 4
    storage.close()


def test_row_12_a_folder_that_cannot_be_made_or_written_is_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        SQLite(tmp_path / "file" / "study")

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(disk.os, "fsync", refuse)
    with pytest.raises(StoreError, match="(?s)Input/output error.*before anything is trained"):
        SQLite(tmp_path / "study")
    monkeypatch.undo()
    SQLite(tmp_path / "study").close()


def test_row_12_a_read_only_folder_is_refused_in_words_and_can_still_be_read():
    """In a process without the superuser's rights, for whom nothing is read-only."""
    source = """
        import os, sys
        from perennial.errors import StoreError
        from perennial.storages import SQLite
        import psutil, filelock
        if os.geteuid() == 0:
            os.seteuid(65534)
        for name in ("fresh", "grown"):
            try:
                SQLite(os.path.join(sys.argv[1], name))
            except StoreError as error:
                print(error.what)
        reader = SQLite(os.path.join(sys.argv[1], "grown"), mode="ro")
        print(len(reader.events()))
    """
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        root.chmod(0o755)
        write(root / "grown", 2)
        (root / "fresh").mkdir()
        for folder in (root / "fresh", root / "grown"):
            folder.chmod(0o555)
        try:
            output, talk = start(source, root).communicate(timeout=60)
        finally:
            for folder in (root / "fresh", root / "grown"):
                folder.chmod(0o755)
    refused = "The study folder cannot be written: Permission denied."
    assert (output.splitlines(), talk) == ([refused, refused, "2"], "")


def test_a_network_file_system_is_refused_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "file_system", lambda folder: "nfs4")
    with pytest.raises(StoreError, match="(?s)network file system \\(nfs4\\).*locks"):
        SQLite(tmp_path)


def test_the_file_system_is_that_of_the_longest_mount_point(tmp_path, monkeypatch):
    import psutil

    class Partition:
        def __init__(self, mountpoint, fstype):
            self.mountpoint, self.fstype = str(mountpoint), fstype

    shared, beside = tmp_path / "share", tmp_path / "shared with nobody"
    mounts = [Partition("/", "ext4"), Partition(shared, "NFS"), Partition(tmp_path / "sha", "ceph")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    assert disk.file_system(shared / "deep" / "folder") == "nfs"
    assert disk.file_system(beside) == "ext4"


# -- row 13: a changed byte in a blob ---------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 100, -1])
def test_row_13_a_flipped_bit_in_a_blob_is_seen_and_the_file_put_aside(tmp_path, place):
    storage = SQLite(tmp_path)
    digest, other = storage.put(bytes(1000)), storage.put(b"other")
    storage.append("trial", {"blobs": [digest, other]})
    path = tmp_path / "blobs" / digest[:2] / digest
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    reader = SQLite(tmp_path, mode="ro")
    with pytest.raises(DamagedFile, match="does not match its hash"):
        reader.get(digest)
    reader.close()
    assert path.exists(), "a reader moves nothing"
    with pytest.raises(DamagedFile, match=f"(?s)does not match its hash.*damaged/{digest}"):
        storage.get(digest)
    assert not path.exists() and (tmp_path / "damaged" / digest).exists()
    assert storage.get(other) == b"other"
    assert storage.get(storage.put(bytes(1000))) == bytes(1000), "putting the bytes again heals it"
    storage.close()


def test_putting_bytes_over_a_damaged_blob_heals_it(tmp_path):
    storage = SQLite(tmp_path)
    digest = storage.put(b"weights")
    (tmp_path / "blobs" / digest[:2] / digest).write_bytes(b"w")
    storage.put(b"weights")
    assert storage.get(digest) == b"weights"
    storage.close()


# -- row 14: a torn, truncated or changed journal ---------------------------------------------------


def test_row_14_a_journal_cut_anywhere_is_restored_from_its_snapshot_and_says_so(tmp_path, capfd):
    events = write(tmp_path / "whole", 30)
    size = (tmp_path / "whole" / "study.db").stat().st_size
    places = random.Random(1)
    for number, length in enumerate([0, 1, 99, 4096, size - 1, *(places.randrange(size) for _ in range(5))]):
        folder = tmp_path / f"cut-{number}"
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(folder / "study.db", length)
        assert reopen(folder) == events, f"cut at {length}"
        said = capfd.readouterr().err
        assert "was damaged" in said and "30 events from a snapshot" in said
        assert len(list(folder.glob("damaged-*.db"))) == 1
        assert reopen(folder) == events and capfd.readouterr().err == ""


def test_row_14_a_lost_journal_is_restored_too(tmp_path, capfd):
    events = write(tmp_path, 5)
    (tmp_path / "study.db").unlink()
    assert reopen(tmp_path) == events
    assert "it holds 0 events, a snapshot of it 5" in capfd.readouterr().err


def test_row_14_events_after_the_snapshot_are_saved_from_the_damaged_journal_as_far_as_they_can_be_read(
    tmp_path, capfd
):
    write(tmp_path, 10)
    shutil.copytree(tmp_path / "snapshots", tmp_path / "older")
    storage = SQLite(tmp_path)
    for number in range(10, 40):
        storage.append("trial", {"number": number, "text": "x" * 1500})
    storage.close()
    shutil.rmtree(tmp_path / "snapshots")
    (tmp_path / "older").rename(tmp_path / "snapshots")
    os.truncate(tmp_path / "study.db", int((tmp_path / "study.db").stat().st_size * 0.7))
    events = reopen(tmp_path)
    assert 10 < len(events) < 40
    assert [event.data["number"] for event in events] == list(range(len(events)))
    assert f"10 events from a snapshot and {len(events) - 10} more" in capfd.readouterr().err


def test_row_14_a_flipped_bit_anywhere_in_the_journal_never_changes_what_is_read(tmp_path, capfd):
    events = write(tmp_path / "whole", 20, size=3000)
    content = (tmp_path / "whole" / "study.db").read_bytes()
    places, noticed = random.Random(2), 0
    for number in range(20):
        folder, place = tmp_path / f"flip-{number}", places.randrange(len(content))
        shutil.copytree(tmp_path / "whole", folder)
        changed = bytearray(content)
        changed[place] ^= 1 << places.randrange(8)
        (folder / "study.db").write_bytes(changed)
        try:
            assert reopen(folder) == events, f"byte {place}"
        except StoreError as error:
            assert place < 100, f"byte {place}: {error}"  # a header that names another program is not touched
        noticed += "was damaged" in capfd.readouterr().err
    assert noticed > 8


def test_row_14_pages_of_two_moments_mixed_are_noticed(tmp_path, capfd):
    """What a machine that lost power leaves when the rollback journal is deleted by hand."""
    write(tmp_path, 20, size=2000)
    older = (tmp_path / "study.db").read_bytes()
    storage = SQLite(tmp_path)
    for number in range(20, 24):
        storage.append("trial", {"number": number, "text": "y" * 2000})
    events = storage.events()
    storage.close()
    newer = (tmp_path / "study.db").read_bytes()
    mixed = bytearray(newer)
    mixed[4096 : len(older)] = older[4096:]
    (tmp_path / "study.db").write_bytes(mixed)
    assert reopen(tmp_path) == events
    assert "was damaged" in capfd.readouterr().err


def test_row_14_damage_without_any_snapshot_is_an_error_in_words_and_keeps_the_file(tmp_path):
    write(tmp_path, 3)
    forget_snapshots(tmp_path)
    (tmp_path / "study.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(DamagedFile, match="(?s)damaged.*no snapshot.*grow the study again"):
        SQLite(tmp_path)
    assert next(tmp_path.glob("damaged-*.db")).read_bytes().startswith(b"not a database")
    assert list(tmp_path.glob("blobs/*/*")), "what the lost journal named is not swept away"
    SQLite(tmp_path).close()
    assert list(tmp_path.glob("blobs/*/*"))


def test_a_changed_row_is_noticed_by_a_reader_too(tmp_path):
    write(tmp_path, 5)
    database = sqlite3.connect(tmp_path / "study.db")
    database.execute("UPDATE events SET data = replace(data, 'x', 'y') WHERE number = 3")
    database.commit()
    database.close()
    reader = SQLite(tmp_path, mode="ro")
    with pytest.raises(DamagedFile, match="event 3 is not as it was written"):
        reader.events()
    reader.close()


def test_damage_is_told_from_a_full_disk_whatever_the_damaged_row_says(tmp_path, capfd):
    storage = SQLite(tmp_path)
    storage.append("trial", {"error": "the disk is full, permission denied, database is locked"})
    events = storage.events()
    storage.close()
    content = (tmp_path / "study.db").read_bytes()
    (tmp_path / "study.db").write_bytes(content.replace(b"disk is full", b"disk \xff\xfe full"))
    assert reopen(tmp_path) == events
    assert "was damaged" in capfd.readouterr().err


def test_a_closed_study_takes_nothing_more(tmp_path):
    storage = SQLite(tmp_path)
    storage.close()
    for late in (lambda: storage.append("trial", {}), lambda: storage.put(b"x"), storage.events):
        with pytest.raises(StoreError, match="closed"):
            late()


def test_a_removed_event_is_restored(tmp_path, capfd):
    events = write(tmp_path, 5)
    database = sqlite3.connect(tmp_path / "study.db")
    database.execute("DELETE FROM events WHERE number = 4")
    database.commit()
    database.close()
    assert reopen(tmp_path) == events
    assert "event 4 is not as it was written" in capfd.readouterr().err


def test_snapshots_rotate_and_a_damaged_one_is_passed_over(tmp_path, capfd):
    for _ in range(5):
        storage = SQLite(tmp_path)
        storage.append("session", {})
        storage.close()
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == [
        f"study.{n}.db" for n in (1, 2, 3)
    ]
    (tmp_path / "snapshots" / "study.1.db").write_bytes(b"damaged too")
    (tmp_path / "study.db").write_bytes(b"")
    assert len(reopen(tmp_path)) == 4
    assert "4 events from a snapshot" in capfd.readouterr().err


def test_a_long_session_takes_snapshots_as_it_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SNAPSHOT_SECONDS", 0.0)
    storage = SQLite(tmp_path)
    for _ in range(4):
        storage.append("trial", {})
    assert snapshots.most(tmp_path) == 4
    storage.close()


# -- row 15: two writers ----------------------------------------------------------------------------

HOLDER = """
    import sys, time
    from perennial.storages import SQLite
    storage = SQLite(sys.argv[1])
    storage.append("session", {})
    print("open", flush=True)
    time.sleep(60)
"""


def test_row_15_a_second_writer_is_told_who_holds_the_study_and_may_still_read(tmp_path):
    first = start(HOLDER, tmp_path)
    try:
        assert first.stdout.readline() == "open\n"
        with pytest.raises(StudyLocked, match=f"(?s)process {first.pid} on .*since 20.*perennial stop"):
            SQLite(tmp_path)
        told = holder(tmp_path)
        assert told["pid"] == first.pid and set(told) == {"pid", "host", "since"}
        reader = SQLite(tmp_path, mode="ro")
        assert len(reader.events()) == 1
        reader.close()
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert holder(tmp_path) is None, "the note of a dead process is not believed"
    assert len(reopen(tmp_path)) == 1


def test_a_lock_left_by_a_number_that_another_process_has_now_is_taken_over(tmp_path):
    write(tmp_path, 1)
    note = {"pid": os.getppid(), "host": socket.gethostname(), "since": "2020-01-01 00:00:00", "born": 1.0}
    (tmp_path / ".holder.json").write_text(json.dumps(note))
    assert holder(tmp_path) is None
    assert len(reopen(tmp_path)) == 1
    (tmp_path / ".holder.json").write_text("{torn")
    assert holder(tmp_path) is None
    assert len(reopen(tmp_path)) == 1


def test_two_writers_in_one_process_are_refused_too_and_closing_lets_the_next_one_in(tmp_path):
    first = SQLite(tmp_path)
    with pytest.raises(StudyLocked):
        SQLite(tmp_path)
    thread = threading.Thread(target=first._lock.release)
    thread.start()
    thread.join()
    SQLite(tmp_path).close()
    first.close()


# -- readers, versions, strangers -------------------------------------------------------------------


def test_row_17_readers_do_not_hold_up_the_writer(tmp_path):
    write(tmp_path, 20, size=20_000)
    storage, stop = SQLite(tmp_path), threading.Event()

    def read():
        reader = SQLite(tmp_path, mode="ro")
        while not stop.is_set():
            reader.events()
            time.sleep(0.02)
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    slowest = 0.0
    for _ in range(20):
        begin = time.monotonic()
        storage.append("trial", {})
        slowest = max(slowest, time.monotonic() - begin)
    stop.set()
    thread.join()
    storage.close()
    assert slowest < 1.0  # 0.1 s where nobody else is busy


def test_a_transaction_that_a_killed_writer_left_behind_does_not_keep_readers_out(tmp_path):
    events = write(tmp_path, 5)
    source = """
        import os, sqlite3, sys
        database = sqlite3.connect(sys.argv[1] + "/study.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=TRUNCATE")
        database.execute("PRAGMA cache_size=1")
        database.execute("PRAGMA cache_spill=1")
        database.execute("BEGIN IMMEDIATE")
        for number in range(100, 2000):
            database.execute("INSERT INTO events VALUES (?, 0, 'torn', ?, '')", (number, "x" * 3000))
        os.kill(os.getpid(), 9)
    """
    start(source, tmp_path).communicate()
    assert (tmp_path / "study.db-journal").stat().st_size > 0
    reader = SQLite(tmp_path, mode="ro")
    assert reader.events() == events
    reader.close()


def test_a_reader_of_a_folder_without_a_study_is_told_so(tmp_path):
    with pytest.raises(StoreError, match="no study here"):
        SQLite(tmp_path, mode="ro")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_comes_while_the_journal_is_being_made_sees_no_events(tmp_path):
    sqlite3.connect(tmp_path / "study.db").close()
    reader = SQLite(tmp_path, mode="ro")
    assert reader.events() == []
    with pytest.raises(StoreError):
        reader.append("trial", {})
    with pytest.raises(StoreError, match="reading only"):
        reader.put(b"x")
    reader.close()


def test_row_19_a_journal_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    write(tmp_path, 2)
    database = sqlite3.connect(tmp_path / "study.db")
    database.execute("PRAGMA user_version=99")
    database.close()
    before = (tmp_path / "study.db").read_bytes()
    for mode in ("rw", "ro"):
        with pytest.raises(StoreError, match="newer perennial .journal version 99"):
            SQLite(tmp_path, mode=mode)
    assert (tmp_path / "study.db").read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    database = sqlite3.connect(tmp_path / "study.db")
    database.execute("CREATE TABLE theirs (x)")
    database.commit()
    database.close()
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(StoreError, match="not made by perennial"):
        SQLite(tmp_path)
    assert (tmp_path / "study.db").read_bytes() == before


def test_settings_of_the_journal_are_those_that_survive_a_power_cut(tmp_path):
    storage = SQLite(tmp_path)
    asked = {"journal_mode": "truncate", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}
    for name, expected in asked.items():
        assert storage._database.execute(f"PRAGMA {name}").fetchone()[0] == expected
    storage.close()


def test_row_29_folders_with_spaces_and_foreign_letters_work(tmp_path):
    folder = tmp_path / "дом 家 é" / "a b%20?#"
    events = write(folder, 3)
    reader = SQLite(folder, mode="ro")
    assert reader.events() == events
    reader.close()
    (folder / "study.db").write_bytes(b"")
    assert reopen(folder) == events
