"""The database of events: one table, a rollback journal with full flushing, and a chain of hashes.

SQLite alone notices torn pages but not a changed byte inside a row, nor rows that a truncated copy lacks in
the middle; each row therefore holds the hash of itself and of the row before it.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from perennial.errors import StoreError
from perennial.storages.base import Event

APPLICATION_ID = 0x7065726E
VERSION = 1
BUSY_SECONDS = 30.0
SETTINGS = (
    "journal_mode=TRUNCATE", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF",
    "cell_size_check=ON",
)  # fmt: skip
TABLE = (
    "CREATE TABLE events (number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL,"
    " data TEXT NOT NULL, chain TEXT NOT NULL)"
)
COLUMNS = "number, time, kind, data, chain"
FIRST_LINK = "perennial"
Row = tuple[int, float, str, str, str]


class Damaged(sqlite3.DatabaseError):
    """The database opens, but its content is not what was written."""


def connect(path: Path) -> sqlite3.Connection:
    """Opens the journal for writing, makes it when it is new, and checks every page and every row.

    Raises:
        sqlite3.DatabaseError: it is damaged.
        StoreError: it belongs to another program or to a newer version.
    """
    database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        for setting in SETTINGS:
            database.execute(f"PRAGMA {setting}")
        _check_owner(database, path)
        if (said := database.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise Damaged(said.splitlines()[-1])
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            with database:
                database.execute("BEGIN IMMEDIATE")
                database.execute(TABLE)
                database.execute(f"PRAGMA application_id={APPLICATION_ID}")
                database.execute(f"PRAGMA user_version={VERSION}")
        broken = first_broken(rows(database))
        if broken is not None:
            raise Damaged(f"event {broken} is not as it was written")
    except BaseException:
        database.close()
        raise
    return database


def connect_reading(path: Path) -> sqlite3.Connection:
    """Opens the journal for reading only; never blocks the writer for longer than one read.

    Raises:
        StoreError: it is not there, is damaged, or needs a writer to roll back what a crash left unfinished.
    """
    if not path.exists():
        raise StoreError(
            "There is no study here.", where=str(path), todo="Check the path, or run: perennial grow"
        )
    try:
        database = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
        database.execute("PRAGMA query_only=ON")
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            _roll_back(path)
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _check_owner(database, path)
    except sqlite3.Error as error:
        raise StoreError(
            f"The journal cannot be read: {error}.",
            where=str(path),
            todo="Run the same perennial grow command again: it repairs the journal, or restores a snapshot.",
        ) from error
    return database


def insert(database: sqlite3.Connection, kind: str, text: str) -> int:
    """Appends one event in one transaction, and returns its number.

    Raises:
        sqlite3.Error: nothing was written.
    """
    with database:
        database.execute("BEGIN IMMEDIATE")
        number, before = last(database)
        at = time.time()
        row = (number + 1, at, kind, text, link(before, number + 1, at, kind, text))
        database.execute(f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)
    return number + 1


def copy_rows(database: sqlite3.Connection, some: Iterable[Row]) -> None:
    """Appends rows that were salvaged elsewhere, as they are."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", some)


def last(database: sqlite3.Connection) -> tuple[int, str]:
    """The number and the link of the newest event; 0 and the first link when there is none."""
    found = database.execute("SELECT number, chain FROM events ORDER BY number DESC LIMIT 1").fetchone()
    return found or (0, FIRST_LINK)


def rows(database: sqlite3.Connection, after: int = 0) -> list[Row]:
    """The rows above a number, in order, read in one go."""
    return database.execute(
        f"SELECT {COLUMNS} FROM events WHERE number > ? ORDER BY number", (after,)
    ).fetchall()


def events(database: sqlite3.Connection, after: int = 0) -> list[Event]:
    """The events above a number; none while the journal is being made.

    Raises:
        sqlite3.DatabaseError: a page or, when all are read, a row is damaged.
        ValueError: a row is damaged.
    """
    if not database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'events'").fetchone()[0]:
        return []
    found = rows(database, after)
    if after == 0 and (broken := first_broken(found)) is not None:
        raise Damaged(f"event {broken} is not as it was written")
    return [Event(number, at, kind, json.loads(text)) for number, at, kind, text, _ in found]


def named_blobs(database: sqlite3.Connection) -> set[str]:
    """Every hash that occurs in an event."""
    texts = (text for (text,) in database.execute("SELECT data FROM events"))
    return {digest for text in texts for digest in re.findall(r"[0-9a-f]{64}", text)}


def link(before: str, number: int, at: float, kind: str, text: str) -> str:
    """The hash of a row and of the link before it."""
    row = json.dumps([before, number, at, kind, text])
    return hashlib.sha256(row.encode()).hexdigest()[:32]


def first_broken(some: Iterable[Row], number: int = 0, before: str = FIRST_LINK) -> int | None:
    """The number at which the chain breaks, None when it holds.

    Args:
        some: rows in order.
        number: of the event before the first of them.
        before: its link.
    """
    for row in some:
        number += 1
        if row[0] != number or row[4] != link(before, *row[:4]):
            return number
        before = row[4]
    return None


def _roll_back(path: Path) -> None:
    """Undoes what a killed writer left unfinished; only a connection that may write can do it."""
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)
    try:
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        database.close()


def _check_owner(database: sqlite3.Connection, path: Path) -> None:
    owner = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner not in (0, APPLICATION_ID) or (owner == 0 and tables):
        raise StoreError(
            "This database was not made by perennial.",
            where=str(path),
            why="Writing to it could destroy what another program keeps there.",
            todo="Choose another folder with --out.",
        )
    if version > VERSION:
        raise StoreError(
            f"This study was written by a newer perennial (journal version {version}, known here {VERSION}).",
            where=str(path),
            todo="Upgrade perennial.",
        )
