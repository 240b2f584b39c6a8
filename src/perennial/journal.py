"""The journal of a study as its writer holds it: every event goes to the storage, the history and the listeners.

Only the process that grows a study writes; what a study knows of itself is the history that its events tell.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

from perennial.errors import StudyChanged
from perennial.history import History
from perennial.storages import Memory, SQLite, Storage
from perennial.storages.base import Event, plain
from perennial.task import Task

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

    def check(self, task: Task) -> None:
        """Refuses data that the study was not begun with, and lets go of the folder.

        Raises:
            StudyChanged: the folder belongs to other data.
        """
        known = self.history.created.get("fingerprint")
        if known is not None and known != task.fingerprint:
            self.close()
            raise StudyChanged(
                "This study was started on other data.",
                where=f"{self.folder}: stored fingerprint {known[:12]}, now {task.fingerprint[:12]}",
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
