"""A study in a folder.

`store.py` is the storage; `journal.py` the database of events; `blobs.py` the files named by their hash;
`snapshots.py` the copies that a damaged journal is restored from; `lock.py` the one writer; `disk.py` what a
disk can and cannot promise.
"""

from perennial.storages.sqlite import disk
from perennial.storages.sqlite.blobs import BLOBS, Blobs
from perennial.storages.sqlite.lock import holder
from perennial.storages.sqlite.store import SQLite

__all__ = ["BLOBS", "Blobs", "SQLite", "disk", "holder"]
