"""The contract of storages.

A plug-in author calls `check_storage(make)` in one test, where `make()` gives a fresh, empty storage; and
`check_reopening(make)` when what is stored outlives the object, where `make()` always opens the same place.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.errors import DamagedFile
from perennial.storages.base import Storage

__all__ = ["check_reopening", "check_storage"]

Make = Callable[[], Storage]
DATA: dict[str, Any] = {
    "text": 'ä " \\ \n \ud800 </script>', "number": 0.1, "large": 2**60, "nothing": None, "yes": True,
    "nested": [{"a": [1, 2.5, "x"]}, []],
}  # fmt: skip


def check_storage(make: Make) -> None:
    """What every storage promises.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    storage = make()
    try:
        _check_events(storage)
        _check_values(storage)
        _check_blobs(storage)
    finally:
        storage.close()
    storage.close()  # a second time is no error


def _check_events(storage: Storage) -> None:
    assert storage.events() == [], "A fresh storage must hold no events."
    begin = time.time()
    numbers = [storage.append("trial", {**DATA, "trial": number}) for number in range(5)]
    assert numbers == [1, 2, 3, 4, 5], "Events must be numbered 1, 2, 3 …"
    events = storage.events()
    assert [event.number for event in events] == numbers, "events must give all events in order."
    assert all(event.kind == "trial" for event in events), "The kind must come back."
    assert events[3].data == {**DATA, "trial": 3}, "JSON data must come back as they were given."
    assert all(begin - 1 < event.time < time.time() + 1 for event in events), (
        "The time must be seconds since 1970."
    )
    assert [event.number for event in storage.events(after=3)] == [4, 5], (
        "events(after) must leave out older ones."
    )
    assert storage.events(after=5) == [], "After the last event there is none."
    events[0].data["text"] = "changed"
    assert storage.events()[0].data == {**DATA, "trial": 0}, (
        "Changing what was read must not change what is kept."
    )


def _check_values(storage: Storage) -> None:
    given = {
        "score": np.float64(0.5), "count": np.int64(3), "flag": np.bool_(True), "row": np.arange(3),
        "pair": (1, 2), "nan": float("nan"), "inf": np.float32("inf"), 7: "key",
    }  # fmt: skip
    expected = {
        "score": 0.5, "count": 3, "flag": True, "row": [0, 1, 2], "pair": [1, 2], "nan": None, "inf": None,
        "7": "key",
    }  # fmt: skip
    number = storage.append("trial", given)
    kept = storage.events(after=number - 1)[0].data
    assert kept == expected, f"NumPy values must become plain ones, NaN and infinity null: {kept}."


def _check_blobs(storage: Storage) -> None:
    for data in (b"", b"weights", bytes(range(256)) * 1000):
        digest = storage.put(data)
        assert digest == hashlib.sha256(data).hexdigest(), "put must return the sha256 in hex."
        assert storage.put(data) == digest, "Putting the same bytes again must give the same hash."
        assert storage.get(digest) == data, "get must return the bytes that were put."
    storage.delete(digest)
    storage.delete(digest)
    for missing in (digest, "0" * 64, "../../etc/passwd"):
        try:
            storage.get(missing)
        except DamagedFile:
            continue
        raise AssertionError(f"get must raise DamagedFile for {missing[:20]!r}, which is not there.")


def check_reopening(make: Make) -> None:
    """What a storage promises whose content outlives it.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    storage = make()
    digest = storage.put(b"weights")
    storage.append("trial", {"blobs": [digest]})
    storage.close()
    storage = make()
    try:
        assert [event.data for event in storage.events()] == [{"blobs": [digest]}], (
            "Events must outlive the storage."
        )
        assert storage.get(digest) == b"weights", "Blobs that an event names must outlive the storage."
        assert storage.append("trial", {}) == 2, "Numbers must go on where they stopped."
    finally:
        storage.close()
