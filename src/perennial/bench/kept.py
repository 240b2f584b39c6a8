"""Results of a long bench as they come, one JSON line each, so that a bench that was ended goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perennial.errors import DamagedFile


class Kept:
    """Results by key, in a file or, without one, in memory only.

    The key holds everything that a result depends on; a result under another key is never taken for it.

    >>> kept = Kept(None)
    >>> kept.of({"set": "iris", "seed": 0}, lambda: [1]), kept.of({"set": "iris", "seed": 0}, lambda: [2])
    ([1], [1])
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path, self._known = None if path is None else Path(path), {}
        if self._path is not None and self._path.exists():
            for number, line in enumerate(self._path.read_text(encoding="utf-8").splitlines(), start=1):
                self._read(line, number)

    def _read(self, line: str, number: int) -> None:
        try:
            entry = json.loads(line)
            self._known[_text(entry["key"])] = entry["result"]
        except (ValueError, LookupError, TypeError) as error:
            raise DamagedFile(
                "This file holds no results of a bench.",
                where=f"{self._path}, line {number}: {line[:60]!r}",
                todo="Remove that line, or name another file.",
            ) from error

    def of(self, key: dict[str, Any], compute: Callable[[], Any]) -> Any:
        """The result under this key; computed, and written at once, when it is not there."""
        name = _text(key)
        if name not in self._known:
            result = self._known[name] = compute()
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, "result": result}) + "\n")
        return self._known[name]


def _text(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
