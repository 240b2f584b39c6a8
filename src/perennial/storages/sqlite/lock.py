"""One writer per study: a lock that the kernel frees when its holder dies, and a note of who holds it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from perennial.errors import StudyLocked

LOCK_NAME, HOLDER_NAME = ".lock", ".holder.json"
PATIENCE_SECONDS = 0.5
"""A holder that is just ending gets so long to finish."""
START_TOLERANCE_SECONDS = 2.0


class WriterLock:
    """Held from creation to `release`.

    Args:
        folder: of the study.

    Raises:
        StudyLocked: a living process holds it; the message names it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / LOCK_NAME, thread_local=False)
        try:
            self._lock.acquire(timeout=PATIENCE_SECONDS, poll_interval=0.05)
        except Timeout:
            known = _read(folder)
            raise StudyLocked(
                "Another process is growing this study.",
                where=f"{folder}: process {known.get('pid', 'unknown')} on "
                f"{known.get('host', 'this machine')}, since {known.get('since', 'unknown')}",
                why="Two writers would tear the journal.",
                todo=f"Wait for it, or run: perennial stop {folder}",
            ) from None
        try:
            self._sign()
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Lets the next writer in; may be called twice."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self._folder / HOLDER_NAME).unlink(missing_ok=True)
            self._lock.release()

    def _sign(self) -> None:
        told = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "born": _born(os.getpid()),
        }
        fresh = self._folder / f"{HOLDER_NAME}.new"
        fresh.write_text(json.dumps(told), encoding="utf-8")
        os.replace(fresh, self._folder / HOLDER_NAME)


def holder(folder: Path) -> dict[str, Any] | None:
    """Who grows this study now: `pid`, `host`, `since`; None when nobody does. Only looks, takes no lock.

    The note of a process that died is not believed: the number must belong to a process as old as the note
    says. That a process on another machine still lives cannot be seen from here; its note is believed.
    """
    known = _read(Path(folder))
    if not known:
        return None
    if known.get("host") == socket.gethostname():
        born = _born(known["pid"])
        if born is None or abs(born - (known.get("born") or born)) > START_TOLERANCE_SECONDS:
            return None
    return {name: known.get(name) for name in ("pid", "host", "since")}


def _born(pid: int) -> float | None:
    """When a process started, in seconds since 1970; None when there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError, TypeError):
        return None


def _read(folder: Path) -> dict[str, Any]:
    """The note; nothing when it cannot be read or does not say which process."""
    try:
        known = json.loads((folder / HOLDER_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) and type(known.get("pid")) is int else {}
