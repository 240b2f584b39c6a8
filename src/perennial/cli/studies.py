"""The folder of a study: its name, its history and its model."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from perennial.errors import DataError, UsageError


def name_of(data: str, configuration: dict[str, Any]) -> str:
    """A short name for a study that the same data path and options always get, such as `oak-17`."""
    import hashlib

    trees = [
        "alder",
        "ash",
        "beech",
        "birch",
        "cedar",
        "elm",
        "fir",
        "hazel",
        "holly",
        "juniper",
        "larch",
        "linden",
        "maple",
        "oak",
        "olive",
        "pine",
        "plum",
        "rowan",
        "spruce",
        "willow",
        "yew",
    ]
    place = os.path.realpath(os.path.expanduser(data))
    told = json.dumps([place, configuration], sort_keys=True, default=str)
    number = int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big")
    return f"{trees[number % len(trees)]}-{number // len(trees) % 1000}"


def find_study(name: str) -> Path:
    """The folder of a study, given as a path or as the short name of one under `runs/`."""
    for folder in (Path(os.path.expanduser(name)), Path("runs") / name):
        if os.path.isfile(folder / "study.db"):
            return folder
    import difflib

    known = sorted(path.parent.name for path in Path("runs").glob("*/study.db"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known[-5:]) or 'none'}."
    raise UsageError(f"No study called {name!r}.", where=str(Path.cwd() / "runs"), todo=hint)


def history_of(study: str) -> Any:
    from perennial.history import History

    return History.read(find_study(study))


def model_of(study: str) -> Any:
    from perennial.model import Model

    return Model.load(find_grown(study) / "best")


def find_grown(study: str) -> Path:
    """The folder of a study that has saved a model.

    Raises:
        DataError: it has not come so far.
    """
    folder = find_study(study)
    if not os.path.isdir(folder / "best"):
        raise too_young("no saved model", folder)
    return folder


def too_young(told: str, folder: Path) -> DataError:
    """The answer where a study was asked before it came to what the question is about."""
    return DataError(
        f"This study has {told} yet.",
        where=str(folder),
        todo=f"Wait while it grows. If nobody grows it, run perennial grow again; it goes on in {folder}.",
    )
