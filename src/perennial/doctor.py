"""`perennial doctor`: is the environment sound, and a study or a data file with it?"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
DISK_WANTED = 2**30
MEMORY_WANTED = 2 * 2**30
MODELS_ASKED = 3


def examine(subject: str | None = None) -> list[dict[str, Any]]:
    """Runs every check; each gives `name`, `ok` and a sentence.

    Args:
        subject: a study folder, a data file, or nothing.
    """
    checks: list[tuple[str, Callable[[], tuple[bool, str]]]] = [
        ("python", _python),
        ("packages", _packages),
        ("networks", _networks),
        ("workers", _workers),
        ("journal", _journal),
        ("disk", _disk),
        ("memory", _memory),
        ("library", _library),
    ]
    if subject is not None:
        from perennial.errors import UsageError

        try:
            from perennial.cli.studies import find_study

            folder = find_study(subject)
            checks.append(("study", lambda: _study(folder)))
        except UsageError:
            checks.append(("data", lambda: _data(subject)))
    return [_run(name, check) for name, check in checks]


def text(checks: list[dict[str, Any]]) -> str:
    """The checks as lines.

    >>> text([{"name": "disk", "ok": True, "text": "3 GB free"}])
    'ok    disk: 3 GB free'
    """
    return "\n".join(
        f"{'ok   ' if check['ok'] else 'WRONG'} {check['name']}: {check['text']}" for check in checks
    )


def _run(name: str, check: Callable[[], tuple[bool, str]]) -> dict[str, Any]:
    try:
        ok, sentence = check()
    except Exception as error:
        ok, sentence = False, f"{type(error).__name__}: {error}"
    return {"name": name, "ok": ok, "text": sentence}


def _python() -> tuple[bool, str]:
    ok = OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON
    return (
        ok,
        f"{platform.python_version()} on {platform.system()} ({'tested' if ok else '3.11 to 3.13 are tested'})",
    )


def _packages() -> tuple[bool, str]:
    from packaging.requirements import Requirement

    found, wrong = [], []
    for line in requires("perennial") or ():
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} {installed}, wanted {requirement.specifier}")
        found.append(f"{requirement.name} {installed}")
    return not wrong, "; ".join(wrong) if wrong else f"{len(found)} packages in the wanted versions"


def _networks() -> tuple[bool, str]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    layer = keras.layers.Dense(1)
    shape = tuple(layer(keras.ops.ones((2, 3))).shape)
    return shape == (2, 1), f"Keras {keras.__version__} on {keras.backend.backend()} computes"


def _workers() -> tuple[bool, str]:
    from perennial.executors import Job, Processes

    executor = Processes(1, shared=None)
    try:
        future = executor.submit(Job("perennial.doctor:answer", {"number": 41}, 30.0))
        while not future.done:
            executor.wait(0.5)
        return future.result() == 42, "a worker process starts and answers"
    finally:
        executor.close()


def answer(shared: Any, *, number: int) -> int:
    """What a worker is asked by `doctor`: the number after this one."""
    return number + 1


def _journal() -> tuple[bool, str]:
    from perennial.storages import SQLite

    with tempfile.TemporaryDirectory() as folder:
        storage = SQLite(Path(folder))
        storage.append("stage", {"name": "sense"})
        blob = storage.put(b"perennial")
        ok = storage.get(blob) == b"perennial" and len(storage.events()) == 1
        storage.close()
    return ok, f"SQLite {sqlite3.sqlite_version} writes, reads and verifies"


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage(Path.cwd()).free
    return free > DISK_WANTED and os.access(
        Path.cwd(), os.W_OK
    ), f"{free / 2**30:.1f} GB free in {Path.cwd()}"


def _memory() -> tuple[bool, str]:
    import psutil

    available = psutil.virtual_memory().available
    return available > MEMORY_WANTED, f"{available / 2**30:.1f} GB available, {os.cpu_count()} cores"


def _library() -> tuple[bool, str]:
    from perennial.library import Library
    from perennial.library.library import default_place
    from perennial.library.upkeep import replays
    from perennial.modalities.base import counted

    place = default_place()
    if not place.exists():
        return True, f"nothing is remembered yet in {place}"
    with Library(place) as library:
        solutions = list(library.walk(kind="solution"))
        told = replays(library, solutions, MODELS_ASKED)
    wrong = [f"{header.id[:12]}: {what}" for header, _, what in told if what]
    exact = sum(same for _, same, _ in told)
    text = f"{counted(len(solutions), 'model')} in {place}, {len(told)} asked again, {exact} the same bit for bit"
    return not wrong, "; ".join([text, *wrong])


def _study(folder: Path) -> tuple[bool, str]:
    from perennial.history import History
    from perennial.model import Model
    from perennial.storages import SQLite

    storage = SQLite(folder, mode="ro")
    try:
        history = History.of(storage.events())
        blobs = [blob for record in history.records for blob in (*record.weights, record.predictions) if blob]
        for blob in blobs:
            storage.get(blob)
    finally:
        storage.close()
    Model.load(folder / "best")
    return True, f"{len(history.records)} trials, {len(blobs)} blobs match their hashes, the model loads"


def _data(path: str) -> tuple[bool, str]:
    from perennial.task import Task

    task = Task.from_data(path)
    warnings = [finding for finding in task.findings if finding.level != "info"]
    return True, f"{task.rows} rows, {task.problem}, {len(warnings)} warnings: " + "; ".join(
        f.what for f in warnings[:5]
    )
