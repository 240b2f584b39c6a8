"""A library in one folder: `index.db` says what there is, `blobs/ab/<sha256>` holds the bytes.

Blob first, row second: a crash between the two leaves a blob that nothing names, which `gc` finds. The index is SQLite
with a rollback journal; each commit is one short transaction with nothing computed inside. Every record is a blob that
describes itself, so an index that is damaged is built again from them; names and evidence come from the newest of
three snapshots.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from perennial.errors import DamagedFile, StoreError
from perennial.library.base import Blob, Store, Swept, reachable
from perennial.library.records import (
    DIGEST,
    LARGEST_RECORD,
    SHORT,
    Batch,
    Card,
    Edge,
    Evidence,
    Header,
    Learnt,
    Record,
)
from perennial.storages.base import to_json
from perennial.storages.sqlite import BLOBS, Blobs, disk

INDEX, KEPT = disk.DATABASES["library"], 3
APPLICATION_ID, VERSION = 0x7065726C, 1
BUSY_SECONDS, PATIENCE_SECONDS = 5.0, 120.0
SNAPSHOT_SECONDS, LONGEST_WRITE = 600.0, 3600.0
SETTINGS = (
    "journal_mode=TRUNCATE", "synchronous=EXTRA", "foreign_keys=ON", "trusted_schema=OFF", "cell_size_check=ON",
)  # fmt: skip
TABLES = (
    "CREATE TABLE record (id TEXT PRIMARY KEY, kind TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL,"
    " task TEXT NOT NULL, weights TEXT NOT NULL, card TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX record_types ON record (kind, input, output)",
    "CREATE INDEX record_task ON record (task)",
    "CREATE TABLE name (base TEXT NOT NULL, version INTEGER NOT NULL, record TEXT REFERENCES record (id),"
    " PRIMARY KEY (base, version)) WITHOUT ROWID",
    "CREATE INDEX name_record ON name (record)",
    "CREATE TABLE edge (child TEXT NOT NULL, parent TEXT NOT NULL, relation TEXT NOT NULL,"
    " PRIMARY KEY (child, parent, relation)) WITHOUT ROWID",
    "CREATE TABLE evidence (digest TEXT PRIMARY KEY, record TEXT NOT NULL, task TEXT NOT NULL, data TEXT NOT NULL)"
    " WITHOUT ROWID",
    "CREATE INDEX evidence_record ON evidence (record)",
    "CREATE INDEX evidence_task ON evidence (task)",
    "CREATE TABLE task (fingerprint TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID",
)
WHOSE = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version"
"""In one statement, so that it is of one moment: another process may be making the index."""
HEADER = "id, kind, input, output, weights, card"
README = """This folder is a library of perennial: what was learnt from tasks, for the tasks that come.

index.db          names, types, evidence, where each record came from
blobs/            records, weights and golden outputs, each named by the sha256 of its bytes
snapshots/        copies of the index

`perennial library list`, `verify`, `gc` and `pack` work on it. Nothing here can run code.
"""
Answer = TypeVar("Answer")


class Embedded(Store):
    """The library of one machine.

    Args:
        folder: made when it is missing.

    Raises:
        StoreError: it cannot be written, lies on a network file system, holds something else, or is of a newer version.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Embedded(folder)
    ...     store.commit(Batch(((Record("module", "lambda x: x", "Int", "Int"), Card(0.0)),)))
    ...     [header.input for header in store.headers(kind="module")]
    ...     store.close()
    ['Int']
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(os.path.expanduser(folder)).resolve()
        self.place = str(self._folder)
        self._blobs = Blobs(self._folder, writes=True)
        self._database: sqlite3.Connection | None = None
        try:
            disk.prepare(self._folder)
            disk.refuse_other(self._folder, "library")
            if not (self._folder / INDEX).exists():
                disk.probe(self._folder)
                if not (readme := self._folder / "README.txt").exists():
                    readme.write_text(README, encoding="utf-8")
            self._open()
        except OSError as error:
            raise StoreError(
                f"The library cannot be written: {error.strerror}.",
                where=self.place,
                todo="Choose another folder with --library, or go on with --no-library.",
            ) from error

    # -- blobs -----------------------------------------------------------------------------------------------------

    def put(self, data: bytes) -> str:
        while True:
            digest = self._blobs.put(data)
            try:
                os.utime(self._path(digest))  # young again, for `sweep`
                return digest
            except FileNotFoundError:
                continue  # a sweep took it just now
            except OSError:
                return digest

    def get(self, digest: str) -> bytes:
        return self._blobs.get(digest)

    def blobs(self) -> Iterator[Blob]:
        now = time.time()
        for path in (self._folder / BLOBS).glob("??/*"):
            with contextlib.suppress(OSError):
                if not DIGEST.fullmatch(path.name):
                    continue
                found = path.stat()
                yield Blob(path.name, found.st_size, max(0.0, now - found.st_mtime))

    def _path(self, digest: str) -> Path:
        return self._folder / BLOBS / digest[:2] / digest

    # -- the index -------------------------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        for record, _ in batch.records:
            self.put(record.to_bytes())

        def add(database: sqlite3.Connection) -> None:
            self._refuse_missing(batch)
            database.executemany(
                "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_row(record, card) for record, card in batch.records],
            )
            for base, record in sorted(batch.names.items()):
                _name(database, base, record)
            database.executemany(
                "INSERT OR IGNORE INTO edge VALUES (?, ?, ?)",
                [(edge.child, edge.parent, edge.relation) for edge in batch.edges],
            )
            database.executemany(
                "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)",
                [(each.digest, each.record, each.task, to_json(each.to_json())) for each in batch.evidence],
            )
            database.executemany(
                "INSERT OR IGNORE INTO task VALUES (?, ?)",
                [(task.fingerprint, to_json(task.to_json())) for task in batch.tasks],
            )

        self._write(add)

    def headers(
        self, *, kind: str = "", input: str = "", output: str = "", task: str = "", after: str = "", limit: int = 1000
    ) -> list[Header]:  # fmt: skip
        asked = {"kind": kind, "input": input, "output": output, "task": task}
        chosen = {name: value for name, value in asked.items() if value}
        where = " AND ".join(["id > ?", *(f"{name} = ?" for name in chosen)])
        rows = self._read(
            f"SELECT {HEADER} FROM record WHERE {where} ORDER BY id LIMIT ?",
            (after, *chosen.values(), limit),
        )
        return [_header(row) for row in rows]

    def header(self, id: str) -> Header | None:
        rows = self._read(f"SELECT {HEADER} FROM record WHERE id = ?", (id,))
        return _header(rows[0]) if rows else None

    def names(self, base: str = "") -> dict[tuple[str, int], str]:
        where, asked = (" AND base = ?", (base,)) if base else ("", ())
        rows = self._read(
            f"SELECT base, version, record FROM name WHERE record IS NOT NULL{where} ORDER BY base, version",
            asked,
        )
        return {(base, version): record for base, version, record in rows}

    def evidence(self, *, record: str = "", task: str = "") -> list[Evidence]:
        chosen = {name: value for name, value in (("record", record), ("task", task)) if value}
        where = " AND ".join(["digest > ''", *(f"{name} = ?" for name in chosen)])
        rows = self._read(f"SELECT data FROM evidence WHERE {where} ORDER BY digest", tuple(chosen.values()))
        return [Evidence.from_json(json.loads(data)) for (data,) in rows]

    def tasks(self) -> list[Learnt]:
        rows = self._read("SELECT data FROM task ORDER BY fingerprint", ())
        return [Learnt.from_json(json.loads(data)) for (data,) in rows]

    def edges(self) -> list[Edge]:
        return [
            Edge(*row) for row in self._read("SELECT child, parent, relation FROM edge ORDER BY 1, 2, 3", ())
        ]

    def forget(self, base: str, version: int) -> None:
        asked = (base, version)
        self._write(
            lambda database: database.execute(
                "UPDATE name SET record = NULL WHERE base = ? AND version = ?", asked
            )
        )

    def sweep(self, grace: float, dry_run: bool = False) -> Swept:
        found: list[Swept] = []

        def forget(database: sqlite3.Connection) -> None:
            found.append(self._sweepable(database, grace))
            if not dry_run:
                gone = [(id,) for id in found[-1].records]
                database.executemany("DELETE FROM record WHERE id = ?", gone)

        def delete(database: sqlite3.Connection) -> None:
            needed = {
                digest for row in database.execute(f"SELECT {HEADER} FROM record")
                for digest in _header(row).blobs
            }  # fmt: skip
            for digest in found[-1].blobs:
                if digest not in needed and self._age(digest) >= grace:
                    self._blobs.delete(digest)
            disk.clear_passing(self._folder, max(grace, LONGEST_WRITE))

        self._write(forget)
        if not dry_run:
            self._write(delete)  # rows first, files second: a crash between leaves files that nothing needs
        return found[-1]

    def _sweepable(self, database: sqlite3.Connection, grace: float) -> Swept:
        rows = database.execute(f"SELECT {HEADER} FROM record").fetchall()
        headers = {row[0]: _header(row) for row in rows}
        named = [id for (id,) in database.execute("SELECT record FROM name WHERE record IS NOT NULL")]
        edges = [Edge(*row) for row in database.execute("SELECT child, parent, relation FROM edge")]
        blobs = {blob.digest: blob for blob in self.blobs()}
        loose = headers.keys() - reachable(named, edges)
        leaving = {id for id in loose if id not in blobs or blobs[id].age >= grace}
        kept = {digest for id, header in headers.items() if id not in leaving for digest in header.blobs}
        unused = [blob for digest, blob in blobs.items() if digest not in kept]
        old = [blob for blob in unused if blob.age >= grace]
        return Swept(
            tuple(sorted(leaving)), tuple(sorted(blob.digest for blob in old)), sum(blob.size for blob in old),
            len(loose) - len(leaving) + len(unused) - len(old),
        )  # fmt: skip

    def _age(self, digest: str) -> float:
        try:
            return time.time() - self._path(digest).stat().st_mtime
        except OSError:
            return 0.0

    def _refuse_missing(self, batch: Batch) -> None:
        """Under the lock that a sweep takes: what is named must be there."""
        for record, card in batch.records:
            for digest in Header.of(record, card).blobs:
                if not self._path(digest).exists():
                    raise StoreError(
                        f"A record names the blob {digest[:12]}, which is not in the library.",
                        where=self.place,
                        todo="Put it again; a sweep may have taken it because it was old and nothing needed it.",
                    )

    def close(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._snapshot()
            self._database.close()
            self._database = None

    # -- opening and reading ---------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            self._refuse_lost_index()
            self._database = self._connected()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise disk.cannot_write("The index of the library", self._folder, error) from error
            self._restore(error)

    def _refuse_lost_index(self) -> None:
        """An index that is gone or empty, where there is something to restore it from, is damage and not a new library."""
        index = self._folder / INDEX
        if index.exists() and index.stat().st_size:
            return
        if any((self._folder / disk.SNAPSHOTS).glob("*.db")) or any((self._folder / BLOBS).glob("??/*")):
            raise sqlite3.DatabaseError("it is gone or empty")

    def _connected(self) -> sqlite3.Connection:
        path = self._folder / INDEX
        database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            owner, version, tables = _patiently(lambda: database.execute(WHOSE).fetchone())
            if owner != APPLICATION_ID and (owner or tables) or version > VERSION:
                raise StoreError(
                    f"This index belongs to another program or a newer version ({owner:x}, {version}).",
                    where=str(path),
                    todo="Upgrade perennial, or choose another folder with --library.",
                )
            for setting in SETTINGS:
                _patiently(lambda setting=setting: database.execute(f"PRAGMA {setting}"))
            if version == 0:
                _patiently(lambda: _create(database))
            if (said := _patiently(lambda: database.execute("PRAGMA quick_check").fetchone()[0])) != "ok":
                raise sqlite3.DatabaseError(said.splitlines()[-1])
        except BaseException:
            database.close()
            raise
        return database

    def _read(self, question: str, asked: tuple) -> list[tuple]:
        try:
            return _patiently(lambda: self._connection().execute(question, asked).fetchall())
        except (sqlite3.Error, ValueError) as error:
            raise DamagedFile(
                f"The index of the library cannot be read: {error}.",
                where=str(self._folder / INDEX),
                todo="Open the library again: it restores the index from a snapshot and from the records.",
            ) from error

    def _write(self, change: Callable[[sqlite3.Connection], None]) -> None:
        database = self._connection()

        def once() -> None:
            database.execute("BEGIN IMMEDIATE")
            try:
                change(database)
                database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise

        try:
            _patiently(once)
        except sqlite3.IntegrityError as error:
            raise StoreError(
                "A name cannot point to a record that is not in the library.", where=self.place
            ) from error
        except sqlite3.Error as error:
            raise disk.cannot_write("The index of the library", self._folder, error) from error

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreError("This library is closed.", where=self.place, todo="Open it again.")
        return self._database

    # -- snapshots -------------------------------------------------------------------------------------------------

    @property
    def _copies(self) -> list[Path]:
        """Of the index, the newest first."""
        return [self._folder / disk.SNAPSHOTS / f"index.{number}.db" for number in range(1, KEPT + 1)]

    def _snapshot(self) -> None:
        """A copy of the index, unless there is a young one or nothing has changed since."""
        newest, index = self._copies[0], self._folder / INDEX
        if newest.exists():
            taken = newest.stat().st_mtime
            if time.time() - taken < SNAPSHOT_SECONDS or index.stat().st_mtime <= taken:
                return
        unfinished = self._folder / disk.PASSING / f"index.{os.getpid()}"
        unfinished.parent.mkdir(exist_ok=True)
        newest.parent.mkdir(exist_ok=True)
        unfinished.unlink(missing_ok=True)
        self._connection().execute("VACUUM INTO ?", (str(unfinished),))
        disk.keep_newest(unfinished, self._copies)

    def _restore(self, cause: object) -> None:
        """Moves a damaged index aside, takes the newest good snapshot, and adds what the blobs say of themselves.

        One process does it; others that saw the damage wait and find a sound index.
        """
        with FileLock(self._folder / ".restore.lock"):
            try:
                self._refuse_lost_index()
                self._database = self._connected()
                return
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            index = self._folder / INDEX
            aside = self._folder / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.db"
            for suffix in ("", "-journal"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{index}{suffix}", f"{aside}{suffix}")
            kept = next((copy for copy in self._copies if _is_good(copy)), None)
            if kept is not None:
                disk.write_durably(self._folder, index, kept.read_bytes())
            self._database = self._connected()
            found = self._add_from_blobs()
        source = "a snapshot" if kept is not None else "nothing"
        print(
            f"perennial: the index of the library {self.place} was damaged ({cause}). What there was is kept as "
            f"{aside.name}. Restored from {source}, and {found} records more that the blobs told of, under names that "
            "begin with restored/; names and evidence given after the snapshot, if there were any, are lost.",
            file=sys.stderr,
        )

    def _add_from_blobs(self) -> int:
        """Records that the index does not know, each with a name, so that no sweep takes it before somebody looked."""
        found = 0
        for blob in list(self.blobs()):
            if self.header(blob.digest) is None and (record := self._record_in(blob)) is not None:
                with contextlib.suppress(StoreError):
                    name = f"restored/{record.id[:SHORT]}"
                    self.commit(Batch(((record, Card(time.time() - blob.age)),), {name: record.id}))
                    found += 1
        return found

    def _record_in(self, blob: Blob) -> Record | None:
        if not DIGEST.fullmatch(blob.digest) or blob.size > LARGEST_RECORD:
            return None
        try:
            data = self._blobs.get(blob.digest)
            return Record.from_bytes(data) if data.startswith(b"{") else None
        except DamagedFile:
            return None


def _create(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            for table in TABLES:
                database.execute(table)
            database.execute(f"PRAGMA application_id={APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={VERSION}")
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def _patiently(attempt: Callable[[], Answer]) -> Answer:
    """Tries again, after a random pause, while others write: SQLite wakes nobody in turn."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            )
            if not busy or time.monotonic() > end:
                raise
        time.sleep(random.uniform(0.001, 0.05))


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_good(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            return database.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        finally:
            database.close()
    except sqlite3.Error:
        return False


def _row(record: Record, card: Card) -> tuple[Any, ...]:
    weights, told = json.dumps(record.weights), to_json(card.to_json())
    return (record.id, record.kind, record.input, record.output, card.task, weights, told)


def _header(row: tuple) -> Header:
    id, kind, input, output, weights, card = row
    return Header(id, kind, input, output, tuple(json.loads(weights)), Card.from_json(json.loads(card)))


def _name(database: sqlite3.Connection, base: str, record: str) -> None:
    newest = database.execute(
        "SELECT version, record FROM name WHERE base = ? ORDER BY version DESC LIMIT 1", (base,)
    ).fetchone()
    if newest is None or newest[1] != record:
        database.execute("INSERT INTO name VALUES (?, ?, ?)", (base, newest[0] + 1 if newest else 1, record))
