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
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

from perennial.errors import DamagedFile, StoreError
from perennial.library.base import Blob, Store
from perennial.library.records import DIGEST, Batch, Card, Edge, Evidence, Header, Learnt, Record
from perennial.storages.base import to_json
from perennial.storages.sqlite import BLOBS, Blobs, disk

INDEX, SNAPSHOTS, KEPT = "index.db", "snapshots", 3
APPLICATION_ID, VERSION = 0x7065726C, 1
BUSY_SECONDS, PATIENCE_SECONDS = 5.0, 120.0
SNAPSHOT_SECONDS = 600.0
SETTINGS = (
    "journal_mode=TRUNCATE", "synchronous=EXTRA", "foreign_keys=ON", "trusted_schema=OFF", "cell_size_check=ON",
)  # fmt: skip
TABLES = (
    "CREATE TABLE record (id TEXT PRIMARY KEY, kind TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL,"
    " task TEXT NOT NULL, weights TEXT NOT NULL, card TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX record_types ON record (kind, input, output)",
    "CREATE INDEX record_task ON record (task)",
    "CREATE TABLE name (base TEXT NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL REFERENCES record (id),"
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
        StoreError: it cannot be written, lies on a network file system, or is of a newer version.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Embedded(folder)
    ...     store.commit(Batch(((Record("module", "lambda x: x", "Int", "Int"), Card(0.0)),)))
    ...     [header.input for header in store.headers(kind="module")]
    ...     store.close()
    ['Int']
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).expanduser()
        self.place = str(self._folder)
        self._blobs = Blobs(self._folder, writes=True)
        self._database: sqlite3.Connection | None = None
        try:
            disk.prepare(self._folder)
            if not (self._folder / INDEX).exists():
                disk.probe(self._folder)
                (self._folder / "README.txt").write_text(README, encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"The library cannot be written: {error.strerror}.",
                where=self.place,
                todo="Choose another folder with --library, or go on with --no-library.",
            ) from error
        self._open()

    # -- blobs -----------------------------------------------------------------------------------------------------

    def put(self, data: bytes) -> str:
        digest = self._blobs.put(data)
        with contextlib.suppress(OSError):
            os.utime(self._path(digest))
        return digest

    def get(self, digest: str) -> bytes:
        return self._blobs.get(digest)

    def blobs(self) -> Iterator[Blob]:
        now = time.time()
        for path in (self._folder / BLOBS).glob("??/*"):
            with contextlib.suppress(OSError):
                found = path.stat()
                yield Blob(path.name, found.st_size, max(0.0, now - found.st_mtime))

    def _path(self, digest: str) -> Path:
        return self._folder / BLOBS / digest[:2] / digest

    # -- the index -------------------------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        for record, _ in batch.records:
            self.put(record.to_bytes())

        def add(database: sqlite3.Connection) -> None:
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
            f"SELECT id, kind, input, output, weights, card FROM record WHERE {where} ORDER BY id LIMIT ?",
            (after, *chosen.values(), limit),
        )
        return [_header(row) for row in rows]

    def header(self, id: str) -> Header | None:
        rows = self._read("SELECT id, kind, input, output, weights, card FROM record WHERE id = ?", (id,))
        return _header(rows[0]) if rows else None

    def names(self, base: str = "") -> dict[tuple[str, int], str]:
        where, asked = (" WHERE base = ?", (base,)) if base else ("", ())
        rows = self._read(f"SELECT base, version, record FROM name{where} ORDER BY base, version", asked)
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

    def remove(
        self, *, names: Collection[tuple[str, int]] = (), records: Collection[str] = (), blobs: Collection[str] = ()
    ) -> None:  # fmt: skip
        def take(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM name WHERE base = ? AND version = ?", list(names))
            database.executemany(
                "DELETE FROM record WHERE id = ? AND NOT EXISTS (SELECT 1 FROM name WHERE record = id)",
                [(id,) for id in records],
            )

        if names or records:
            self._write(take)
        for digest in blobs:
            self._blobs.delete(digest)

    def close(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._snapshot()
            self._database.close()
            self._database = None

    # -- opening and reading ---------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            self._database = self._connected()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise disk.cannot_write("The index of the library", self._folder, error) from error
            self._restore(error)
            self._database = self._connected()

    def _connected(self) -> sqlite3.Connection:
        path = self._folder / INDEX
        database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            for setting in SETTINGS:
                _patiently(lambda setting=setting: database.execute(f"PRAGMA {setting}"))
            owner = _patiently(lambda: database.execute("PRAGMA application_id").fetchone()[0])
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if owner not in (0, APPLICATION_ID) or version > VERSION:
                raise StoreError(
                    f"This index belongs to another program or a newer version ({owner:x}, {version}).",
                    where=str(path),
                    todo="Upgrade perennial, or choose another folder with --library.",
                )
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

    def _copy(self, number: int) -> Path:
        return self._folder / SNAPSHOTS / f"index.{number}.db"

    def _snapshot(self) -> None:
        """A copy of the index, unless there is a young one or nothing has changed since."""
        newest, index = self._copy(1), self._folder / INDEX
        if newest.exists():
            taken = newest.stat().st_mtime
            if time.time() - taken < SNAPSHOT_SECONDS or index.stat().st_mtime <= taken:
                return
        unfinished = self._folder / disk.PASSING / f"index.{os.getpid()}"
        unfinished.parent.mkdir(exist_ok=True)
        newest.parent.mkdir(exist_ok=True)
        unfinished.unlink(missing_ok=True)
        self._connection().execute("VACUUM INTO ?", (str(unfinished),))
        disk.flush_file(unfinished)
        for number in range(KEPT - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self._copy(number), self._copy(number + 1))
        os.replace(unfinished, newest)
        disk.flush_folder(newest.parent)

    def _restore(self, cause: object) -> None:
        """Moves a damaged index aside, takes the newest good snapshot, and adds what the blobs say of themselves."""
        index = self._folder / INDEX
        aside = self._folder / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.db"
        for suffix in ("", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{index}{suffix}", f"{aside}{suffix}")
        kept = next(
            (self._copy(number) for number in range(1, KEPT + 1) if _is_good(self._copy(number))), None
        )
        if kept is not None:
            index.write_bytes(kept.read_bytes())
            disk.flush_file(index)
        self._database = self._connected()
        found = 0
        for blob in list(self.blobs()):
            if self.header(blob.digest) is None and (record := self._record_in(blob)) is not None:
                self.commit(Batch(((record, Card(time.time() - blob.age)),)))
                found += 1
        self._database.close()
        source = "a snapshot" if kept is not None else "nothing"
        print(
            f"perennial: the index of the library {self.place} was damaged ({cause}). It is kept as {aside.name}. "
            f"Restored from {source}, and {found} records more that the blobs told of; names and evidence given after "
            "the snapshot, if there were any, are lost.",
            file=sys.stderr,
        )

    def _record_in(self, blob: Blob) -> Record | None:
        if not DIGEST.fullmatch(blob.digest) or blob.size > 64 * 2**20:
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
