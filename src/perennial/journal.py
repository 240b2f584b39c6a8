"""The journal of a study as its writer holds it: every event goes to the storage, the history and the listeners.

Only the process that grows a study writes; what a study knows of itself is the history that its events tell.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

from perennial.errors import StudyChanged
from perennial.history import History
from perennial.storages import Memory, SQLite, Storage
from perennial.storages.base import Event, plain
from perennial.task import Task

MOST_SHOWN = 5
PACKAGES = ("perennial", "numpy", "scikit-learn", "lightgbm", "keras", "torch", "duckdb")


class Listener(Interface):
    """Hears each event as it is written, and a snapshot of the running state about five times a second."""

    def on_event(self, event: Event) -> None: ...

    def on_tick(self, snapshot: dict[str, Any]) -> None: ...


class Journal:
    """Opens the folder of a study, or keeps everything in memory.

    Args:
        folder: of the study; `None` writes nothing to disk.
        listeners: hear events and snapshots.

    Raises:
        StudyLocked: another process writes here.

    >>> journal = Journal(None)
    >>> journal.emit("verdict", stage="mirror", text="no", data={})
    >>> [verdict["text"] for verdict in journal.history.verdicts]
    ['no']
    """

    def __init__(self, folder: Path | None, listeners: Sequence[Listener] = ()) -> None:
        self.folder, self.listeners = folder, list(listeners)
        self.storage: Storage = SQLite(folder) if folder is not None else Memory()
        self.history = History.of(self.storage.events())

    def emit(self, kind: str, /, **data: Any) -> None:
        """Writes one event, applies it to the history and tells the listeners."""
        data = plain(data)
        event = Event(self.storage.append(kind, data), time.time(), kind, data)
        self.history.apply(event)
        for listener in self.listeners:
            listener.on_event(event)

    def begin(self, task: Task, **told: Any) -> None:
        """The first event of a new study: whose data it is about, and who writes."""
        if not self.history.created:
            self.emit(
                "created", name=self.folder.name if self.folder else task.name,
                data=str(task.origin.get("path", "in memory")), task=task.name, fingerprint=task.fingerprint,
                **told, versions=_versions(), machine=_machine(),
            )  # fmt: skip

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Lets go of the folder when what is inside fails: nobody else could."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def check(self, task: Task) -> None:
        """Refuses data that the study was not begun with.

        Raises:
            StudyChanged: the folder belongs to other data.
        """
        known = self.history.created.get("fingerprint")
        if known is None:
            return
        told, now = _named(self.history.sensed), _named(task.describe())
        changed = [f"{old} is now {new}" for old, new in zip(told, now, strict=False) if old != new]
        if known != task.fingerprint:
            changed = [f"stored fingerprint {known[:12]}, now {task.fingerprint[:12]}"]
        if changed:
            raise StudyChanged(
                "This study was started on other data.",
                where=f"{self.folder}: {', '.join(changed[:MOST_SHOWN])}",
                why="Scores on different data cannot be compared, and the test set may differ.",
                todo="Give the new data a folder of its own with --out, or restore the old file.",
            )

    def tick(self, doing: str, elapsed: float, left: float, metric: str, best: float | None) -> None:
        """Tells the listeners where the study stands."""
        history = self.history
        snapshot = {
            "doing": doing,
            "stage": history.stages[-1]["name"] if history.stages else "sense",
            "elapsed": elapsed,
            "left": left,
            "trials": len(history.records) + len(history.found),
            "failed": len(history.failed),
            "metric": metric,
            "best": best,
            "baseline": history.common_sense["value"] if history.common_sense else None,
        }
        for listener in self.listeners:
            listener.on_tick(snapshot)

    def close(self) -> None:
        """Lets go of the folder; may be called twice."""
        self.storage.close()


def _named(told: Mapping[str, Any]) -> list[str]:
    """What columns and classes are called; nothing where that was not written down."""
    columns = [f"column {column['name']!r}" for column in told.get("columns", ())]
    return columns + [f"class {name!r}" for name in told.get("classes", ())]


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _machine() -> dict[str, Any]:
    import psutil

    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
    }
