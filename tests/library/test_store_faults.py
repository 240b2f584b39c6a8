"""A library survives many processes, kills at any moment, full disks and strangers' files."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perennial.errors import StoreError
from perennial.library import Card, Library
from perennial.library.embedded import APPLICATION_ID, Embedded
from perennial.library.upkeep import verify
from perennial.storages.sqlite import SQLite
from perennial.testing.libraries import some_record

STORED = Path(__file__).parent / "stored"
WRITER = """
import sys
from perennial.library import Card, Library
from perennial.library.records import Batch
from perennial.testing.libraries import some_evidence, some_record, some_task
folder, worker, commits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Library(folder) as library:
    for number in range(commits):
        weights = library.store.put(b"weights %d %d" % (worker, number))
        record = some_record(100_000 * worker + number, "module", (weights,))
        library.store.commit(Batch(((record, Card(1.0)),), {"shared/name": record.id}, (some_evidence(record),)))
        print(record.id, flush=True)
"""


def writer(folder, worker, commits):
    command = [sys.executable, "-c", WRITER, str(folder), str(worker), str(commits)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_write_together_lose_and_double_nothing(tmp_path):
    workers, commits = 4, 30
    running = [writer(tmp_path / "library", worker, commits) for worker in range(workers)]
    told = [process.communicate(timeout=180) for process in running]
    assert [process.returncode for process in running] == [0] * workers, told
    ids = {line for out, _ in told for line in out.split()}
    with Library(tmp_path / "library") as library:
        assert {header.id for header in library.walk()} == ids and len(ids) == workers * commits
        assert sorted(v for _, v in library.store.names("shared/name")) == list(
            range(1, workers * commits + 1)
        )
        found = verify(library)
        assert not found.problems and found.orphans == 0


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_no_row_lacks_its_blob_and_nothing_told_is_lost(tmp_path, kills):
    moments, told = random.Random(kills), set()
    for number in range(kills):
        process = writer(tmp_path / "library", number, 10_000)
        first = process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        told |= {line for line in (first + rest).split() if len(line) == 64}
        with Library(tmp_path / "library") as library:
            ids = {header.id for header in library.walk()}
            assert told <= ids, "a commit that was told is gone"
            assert not verify(library).problems
    assert len(told) >= kills


def test_a_disk_that_is_full_leaves_nothing_by_half(tmp_path, monkeypatch):
    with Library(tmp_path / "library") as library:
        library.add(some_record(1), Card(0.0), name="numbers/one")

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("perennial.storages.sqlite.blobs.write_durably", full)
        with pytest.raises(StoreError, match="No space left"):
            library.add(some_record(2), Card(0.0), name="numbers/two")
        monkeypatch.undo()
        assert len(list(library.walk())) == 1 and not verify(library).problems


def test_a_file_of_another_program_is_left_alone(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    with sqlite3.connect(folder / "index.db") as database:
        database.execute("PRAGMA application_id=7")
        database.execute("CREATE TABLE mine (x)")
    database.close()
    before = (folder / "index.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Embedded(folder)
    assert (folder / "index.db").read_bytes() == before


def test_a_database_without_a_mark_is_not_taken_for_a_new_index(tmp_path):
    database = sqlite3.connect(tmp_path / "index.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE mine (x)")
    database.close()
    (tmp_path / "README.txt").write_text("mine")
    with pytest.raises(StoreError, match="another program"):
        Embedded(tmp_path)
    with sqlite3.connect(tmp_path / "index.db") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_readme_that_is_there_stays(tmp_path):
    (tmp_path / "README.txt").write_text("mine")
    Embedded(tmp_path).close()
    assert (tmp_path / "README.txt").read_text() == "mine"


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("first, second", [(SQLite, Embedded), (Embedded, SQLite)])
def test_a_folder_holds_a_study_or_a_library_and_never_both(tmp_path, first, second, lost):
    """Each sweeps away what its own database does not name; its snapshots speak for a database that is lost."""
    one = first(tmp_path)
    digest = one.put(b"needed")
    if first is SQLite:
        one.append("trial", {"blobs": [digest]})
    one.close()
    if lost:
        next(tmp_path.glob("*.db")).unlink()
    with pytest.raises(StoreError, match="needs one of its own"):
        second(tmp_path)
    again = first(tmp_path)
    assert again.get(digest) == b"needed"
    again.close()


def test_an_index_that_cannot_be_restored_is_told(tmp_path, monkeypatch):
    Embedded(tmp_path).close()
    (tmp_path / "index.db").write_bytes(b"no database" * 100)

    def fails(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("perennial.library.embedded.os.replace", fails)
    with pytest.raises(StoreError, match="Permission denied"):
        Embedded(tmp_path)


def test_an_index_of_a_newer_version_is_left_alone(tmp_path):
    Embedded(tmp_path / "library").close()
    with sqlite3.connect(tmp_path / "library" / "index.db") as database:
        database.execute("PRAGMA user_version=99")
        assert database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    database.close()
    with pytest.raises(StoreError, match="newer version"):
        Embedded(tmp_path / "library")


def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--no-library"):
        Library(tmp_path / "file" / "library")


def test_a_closed_library_says_so(tmp_path):
    library = Library(tmp_path / "library")
    library.close()
    with pytest.raises(StoreError, match="closed"):
        library.find("a/b")


@pytest.mark.parametrize("version", sorted(path.name for path in STORED.iterdir()))
def test_a_library_of_every_version_opens_and_its_models_say_what_they_said(version, tmp_path):
    """A new version adds a folder to `stored`, written by the release, and never changes one that is there."""
    shutil.copytree(STORED / version, tmp_path / "library")
    with Library(tmp_path / "library") as library:
        found = verify(library)
        assert not found.problems and found.records == 2 and found.exact == 1
        assert library.model("in-order/solution")([5, 2, 8]) == [2, 5, 8]
        assert library.get("numbers/next") == some_record(1) and len(library.store.evidence()) == 2
