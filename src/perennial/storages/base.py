"""Where a study is kept: an append-only list of events, and blobs by their hash.

What an author of a new storage promises:

- `append` is one transaction: after a crash the event is there whole or not at all; numbers rise from 1.
- `events` gives them in order, with the data as JSON gives it back (`plain` says how values become JSON).
- `put` is idempotent, and the blob is durable before its hash is returned; so an event that names it always
  finds it.
- `get` verifies the hash: it returns the bytes that were put, or raises.
- What cannot be written raises `StoreError`, and leaves nothing behind.

The contract is `perennial.testing.storages.check_storage`.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One entry of the journal: its number, the time in seconds since 1970, a kind and JSON data."""

    number: int
    time: float
    kind: str
    data: dict[str, Any]


class Storage(ABC):
    """Six methods, append-only."""

    @abstractmethod
    def append(self, kind: str, data: dict[str, Any]) -> int:
        """Writes one event and returns its number, from 1.

        Raises:
            StoreError: it could not be written; nothing of it was kept.
        """

    @abstractmethod
    def events(self, after: int = 0) -> list[Event]:
        """The events with a number above `after`, in order."""

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Stores bytes and returns their sha256 in hex.

        Raises:
            StoreError: they could not be written.
        """

    @abstractmethod
    def get(self, digest: str) -> bytes:
        """The bytes of a hash.

        Raises:
            DamagedFile: they are gone or do not match.
        """

    @abstractmethod
    def delete(self, digest: str) -> None:
        """Lets go of a blob that no event needs; one that is not there is no error."""

    @abstractmethod
    def close(self) -> None:
        """Releases files and locks; may be called twice."""


def to_json(data: Mapping[str, Any]) -> str:
    """Event data as JSON text. NumPy values become plain ones; NaN and infinity become null.

    >>> to_json({"score": float("nan"), "name": "ä", 3: (1, 2)})
    '{"score": null, "name": "\\\\u00e4", "3": [1, 2]}'
    """
    return json.dumps(plain(data), allow_nan=False)


def plain(value: Any) -> Any:
    """The same value in the types that JSON knows; what it does not know becomes its text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)
