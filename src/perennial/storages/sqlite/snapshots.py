"""Three rotating copies of the journal, from which a damaged one is restored, loudly."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import time
from pathlib import Path

from perennial.errors import DamagedFile
from perennial.storages.sqlite import journal
from perennial.storages.sqlite.disk import DATABASES, PASSING, SNAPSHOTS, flush_folder, keep_newest

DATABASE, KEPT = DATABASES["study"], 3
PAGE_SIZE, PAGE_COUNT = slice(16, 18), slice(28, 32)
"""Where the header of an SQLite file holds them."""
MOST_PADDING = 2**36


def take(database: sqlite3.Connection, folder: Path) -> None:
    """A compact copy of the journal, unless the newest one holds as much; the oldest makes room for it.

    Raises:
        OSError, sqlite3.Error: it could not be written; the older ones are as they were.
    """
    newest, number_of_events = _copy(folder, 1), journal.last(database)[0]
    if number_of_events == 0 or number_of_events == _claimed(newest):
        return
    unfinished = folder / PASSING / f"snapshot.{os.getpid()}"
    unfinished.parent.mkdir(exist_ok=True)
    newest.parent.mkdir(exist_ok=True)
    unfinished.unlink(missing_ok=True)
    database.execute("VACUUM INTO ?", (str(unfinished),))
    if len(_good_rows(unfinished)) != number_of_events:
        raise journal.Damaged("the copy does not hold what the journal should")
    keep_newest(unfinished, [_copy(folder, number) for number in range(1, KEPT + 1)])


def most(folder: Path) -> int:
    """The events that the best snapshot holds; a journal with fewer has lost some."""
    return max(len(_good_rows(_copy(folder, number))) for number in range(1, KEPT + 1))


def restored_before(folder: Path) -> bool:
    """Whether a damaged journal lies here; blobs that it names are not to be swept away."""
    return any(folder.glob("damaged-*.db"))


def restore(folder: Path, cause: object) -> None:
    """Moves a damaged journal aside and puts the newest good snapshot in its place, with the events after it
    that can still be read from the damaged one. Says on standard error what was done and what was lost.

    Raises:
        DamagedFile: there is no snapshot, and nothing can be read.
    """
    aside = _move_aside(folder)
    kept = max((_good_rows(_copy(folder, number)) for number in range(1, KEPT + 1)), key=len)
    before = kept[-1] if kept else (0, 0.0, "", "", journal.FIRST_LINK)
    more = _good_rows(_padded(folder, aside), before[0], before[4])
    if not kept and not more:
        raise DamagedFile(
            f"The journal is damaged ({cause}) and there is no snapshot of it.",
            where=str(aside),
            why="What was grown here cannot be continued.",
            todo="Restore study.db from a copy, or grow the study again in another folder.",
        )
    _build(folder, [*kept, *more])
    print(
        f"perennial: the journal {folder / DATABASE} was damaged ({cause}). It is kept as {aside.name}. "
        f"Restored: {len(kept)} events from a snapshot and {len(more)} more that could still be read; later "
        "ones, if there were any, are lost.",
        file=sys.stderr,
    )


def _copy(folder: Path, number: int) -> Path:
    return folder / SNAPSHOTS / f"study.{number}.db"


def _move_aside(folder: Path) -> Path:
    aside = folder / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}.db"
    for suffix in ("", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(folder / f"{DATABASE}{suffix}", f"{aside}{suffix}")
    return aside


def _padded(folder: Path, damaged: Path) -> Path:
    """A copy as long as its header says it was: SQLite reads nothing of a file that was cut short."""
    copy = folder / PASSING / f"salvage.{os.getpid()}"
    if damaged.exists():
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(damaged, copy)
        with open(damaged, "rb") as file:
            header = file.read(PAGE_COUNT.stop)
        size = int.from_bytes(header[PAGE_SIZE], "big") * int.from_bytes(header[PAGE_COUNT], "big")
        if copy.stat().st_size < size < MOST_PADDING:
            os.truncate(copy, size)
    return copy


def _build(folder: Path, rows: list[journal.Row]) -> None:
    unfinished = folder / PASSING / f"restored.{os.getpid()}"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.unlink(missing_ok=True)
    database = journal.connect(unfinished)
    try:
        journal.copy_rows(database, rows)
    finally:
        database.close()
    os.replace(unfinished, folder / DATABASE)
    unfinished.with_name(f"{unfinished.name}-journal").unlink(missing_ok=True)
    flush_folder(folder)


def _good_rows(path: Path, after: int = 0, before: str = journal.FIRST_LINK) -> list[journal.Row]:
    """The rows from a number on whose chain holds, read one by one as far as they can be."""
    good: list[journal.Row] = []
    if not path.exists():
        return good
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        for row in database.execute(
            f"SELECT {journal.COLUMNS} FROM events WHERE number > ? ORDER BY number", (after,)
        ):
            if journal.first_broken([row], after, before) is not None:
                break
            good.append(row)
            after, before = row[0], row[4]
    except (sqlite3.Error, TypeError, ValueError):
        return good
    finally:
        database.close()
    return good


def _claimed(path: Path) -> int:
    """The newest number in a snapshot, unchecked; 0 when it cannot be read."""
    if not path.exists():
        return 0
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return journal.last(database)[0]
    except sqlite3.Error:
        return 0
    finally:
        database.close()
