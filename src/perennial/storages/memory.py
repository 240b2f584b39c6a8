"""Keeps everything in memory: for tests, notebooks and the scikit-learn face."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from perennial.errors import DamagedFile
from perennial.storages.base import Event, Storage, to_json


class Memory(Storage):
    """Forgets everything at the end.

    >>> storage = Memory()
    >>> storage.append("stage", {"name": "sense"}), storage.events()[0].kind
    (1, 'stage')
    """

    def __init__(self) -> None:
        self._events: list[tuple[float, str, str]] = []
        self._blobs: dict[str, bytes] = {}

    def append(self, kind: str, data: dict[str, Any]) -> int:
        self._events.append((time.time(), kind, to_json(data)))
        return len(self._events)

    def events(self, after: int = 0) -> list[Event]:
        rows = enumerate(self._events[after:], start=after + 1)
        return [Event(number, at, kind, json.loads(text)) for number, (at, kind, text) in rows]

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._blobs[digest] = bytes(data)
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self._blobs:
            raise DamagedFile(f"No blob {digest[:12]}.", todo="It was deleted or never stored.")
        return self._blobs[digest]

    def delete(self, digest: str) -> None:
        self._blobs.pop(digest, None)

    def close(self) -> None:
        """Nothing to release."""
