"""A study in one folder: `study.db` holds the events, `blobs/ab/<sha256>` the bytes.

One process writes. A blob is on disk before the event that names it, and an event is on disk before `append`
returns: so an event always has its blobs, and a blob without an event is harmless and swept at the next
opening.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from perennial.errors import DamagedFile, StoreError
from perennial.storages.base import Event, Storage, to_json
from perennial.storages.sqlite import disk, journal, snapshots
from perennial.storages.sqlite.blobs import Blobs
from perennial.storages.sqlite.lock import WriterLock

SNAPSHOT_SECONDS = 60.0
"""While a study grows, a snapshot of its journal is taken this often."""
PASSING_TROUBLE = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
}  # fmt: skip


class SQLite(Storage):
    """The folder of a study.

    Args:
        folder: made when it is missing.
        mode: `rw` takes the writer's lock; `ro` only reads and never blocks the writer.

    Raises:
        StudyLocked: another process writes here.
        StoreError: the folder cannot be written, lies on a network file system, holds a library, or is of a newer version.
        DamagedFile: the journal is damaged beyond what its snapshots can restore.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     storage = SQLite(folder)
    ...     digest = storage.put(b"weights")
    ...     storage.append("trial", {"blobs": [digest]}), storage.get(digest)
    ...     storage.close()
    (1, b'weights')
    """

    def __init__(self, folder: str | Path, mode: str = "rw") -> None:
        self._folder, self._writes = Path(folder), mode == "rw"
        self._lock: WriterLock | None = None
        self._database: sqlite3.Connection | None = None
        self._blobs = Blobs(self._folder, writes=self._writes)
        if not self._writes:
            self._database = journal.connect_reading(self._folder / snapshots.DATABASE)
            return
        try:
            disk.prepare(self._folder)
            disk.refuse_other(self._folder, "study")
            self._lock = WriterLock(self._folder)
            disk.probe(self._folder)
            self._open()
        except OSError as error:
            self.close()
            raise StoreError(
                f"The study folder cannot be written: {error.strerror}.",
                where=str(self._folder),
                why="The journal must be on disk before anything is trained.",
                todo="Choose another folder with --out, or free space and permissions.",
            ) from error
        except BaseException:
            self.close()
            raise

    def append(self, kind: str, data: dict[str, Any]) -> int:
        try:
            number = journal.insert(self._connection(), kind, to_json(data))
        except sqlite3.Error as error:
            raise disk.cannot_write("The journal", self._folder, error) from error
        if time.monotonic() - self._snapshot_taken > SNAPSHOT_SECONDS:
            self._snapshot()
        return number

    def events(self, after: int = 0) -> list[Event]:
        try:
            return journal.events(self._connection(), after)
        except (sqlite3.Error, ValueError) as error:
            raise DamagedFile(
                f"The journal cannot be read: {error}.",
                where=str(self._folder / snapshots.DATABASE),
                todo="Run the same perennial grow command again: it restores the journal from a snapshot.",
            ) from error

    def put(self, data: bytes) -> str:
        self._must_write()
        return self._blobs.put(data)

    def get(self, digest: str) -> bytes:
        return self._blobs.get(digest)

    def delete(self, digest: str) -> None:
        self._must_write()
        self._blobs.delete(digest)

    def close(self) -> None:
        if self._database is not None:
            if self._writes:
                self._snapshot()
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open(self) -> None:
        """Opens the journal; one that is damaged, or holds less than its snapshots, is restored first."""
        disk.clear_passing(self._folder)
        path = self._folder / snapshots.DATABASE
        try:
            database = journal.connect(path)
            found, known = journal.last(database)[0], snapshots.most(self._folder)
            if found < known:
                database.close()
                raise journal.Damaged(f"it holds {found} events, a snapshot of it {known}")
        except sqlite3.DatabaseError as error:
            if _is_trouble_of_the_moment(error):
                raise disk.cannot_write("The journal", self._folder, error) from error
            snapshots.restore(self._folder, error)
            database = journal.connect(path)
        self._database = database
        if not snapshots.restored_before(self._folder):
            self._blobs.sweep(journal.named_blobs(database))
        self._snapshot()

    def _snapshot(self) -> None:
        """Tries to take one: on a full disk a study goes on without, the journal is what counts."""
        self._snapshot_taken = time.monotonic()
        with contextlib.suppress(sqlite3.Error, OSError):
            snapshots.take(self._database, self._folder)

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreError("This study is closed.", where=str(self._folder), todo="Open it again.")
        return self._database

    def _must_write(self) -> None:
        self._connection()
        if not self._writes:
            raise StoreError("This study was opened for reading only.", where=str(self._folder))


def _is_trouble_of_the_moment(error: sqlite3.DatabaseError) -> bool:
    """Whether the journal may be sound and only cannot be reached or written now. By code, not by words: the
    message of some errors quotes what a row holds."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in PASSING_TROUBLE
