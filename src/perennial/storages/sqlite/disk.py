"""What a disk can and cannot promise: whole files, folders that can be written, and locks that hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from perennial.errors import StoreError

NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs3", "nfs4", "cifs", "smbfs", "smb2", "smb3", "fuse.sshfs", "afs", "9p", "lustre", "ceph",
    "beegfs", "gpfs", "glusterfs", "fuse.glusterfs", "fuse.s3fs", "afpfs", "webdav",
}  # fmt: skip
DATABASES = {"study": "study.db", "library": "index.db"}
"""The database of each kind of folder that holds blobs; its copies lie in `snapshots`."""
SNAPSHOTS = "snapshots"
PASSING = "tmp"
"""The folder of files that are still being written; what a crash leaves there is worth nothing."""


def write_durably(folder: Path, path: Path, data: bytes) -> None:
    """Writes whole or not at all: temporary file, flush to disk, rename, flush the folder.

    Args:
        folder: of the study; its `tmp` holds the file until it is whole.
        path: where it is wanted, on the same file system.
        data: all of it.

    Raises:
        OSError: nothing was written.
    """
    unfinished = folder / PASSING / f"{path.name}.{_writer()}"
    unfinished.parent.mkdir(exist_ok=True)
    fresh = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(unfinished, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    flush_folder(path.parent)
    if fresh:
        flush_folder(path.parent.parent)


def _writer() -> str:
    """A name that no other thread of any process on this machine has."""
    return f"{os.getpid()}.{threading.get_ident()}"


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def flush_file(path: Path) -> None:
    """Makes the content of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_passing(folder: Path, age: float = 0.0) -> None:
    """Removes what a crash left half written.

    Args:
        folder: whose `tmp` is cleared.
        age: seconds; what is younger stays. Only where there is one writer may this be 0.
    """
    for path in (folder / PASSING).glob("*"):
        with contextlib.suppress(OSError):
            if age == 0.0 or time.time() - path.stat().st_mtime >= age:
                path.unlink()


def keep_newest(unfinished: Path, copies: Sequence[Path]) -> None:
    """Makes a file that is whole the first of some rotating copies; the last one makes room for it.

    Raises:
        OSError: it could not be done.
    """
    flush_file(unfinished)  # SQLite does not flush what it vacuums into
    for older, newer in zip(reversed(copies), reversed(copies[:-1]), strict=False):
        with contextlib.suppress(FileNotFoundError):
            os.replace(newer, older)
    os.replace(unfinished, copies[0])
    flush_folder(copies[0].parent)


def prepare(folder: Path) -> None:
    """Makes the folder, and refuses one whose locks would not hold.

    Raises:
        StoreError: it lies on a network file system.
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = file_system(folder)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"This folder lies on a network file system ({kind}).",
            where=str(folder),
            why="The locks of SQLite are not reliable there, and what it holds could be torn.",
            todo="Choose a folder on a local disk (--out, --library).",
        )


def refuse_other(folder: Path, kind: str) -> None:
    """Refuses a folder that holds something else: what opens it would sweep away all blobs that its own database does not name.

    Args:
        folder: that is about to be opened for writing.
        kind: of `DATABASES`, what it is opened as.

    Raises:
        StoreError: it is another one's.
    """
    for other, database in DATABASES.items():
        copies = (folder / SNAPSHOTS).glob(f"{Path(database).stem}.*.db")
        if other != kind and ((folder / database).exists() or any(copies)):
            raise StoreError(
                f"This folder holds a {other}; a {kind} needs one of its own.",
                where=str(folder),
                todo="Choose another folder: --out is for the study, --library for what is remembered.",
            )


def probe(folder: Path) -> None:
    """Proves that the folder can be written, before any work is spent.

    Raises:
        OSError: it cannot.
    """
    path = folder / f".probe.{_writer()}"
    write_durably(folder, path, b"perennial")
    path.unlink()


def cannot_write(what: str, folder: Path, cause: object) -> StoreError:
    """The error for a write that failed, with the space that is left."""
    free = "unknown"
    with contextlib.suppress(OSError):
        free = f"{shutil.disk_usage(folder).free / 2**20:.0f} MB"
    return StoreError(
        f"{what} could not be written: {cause}.",
        where=f"{folder} (free: {free})",
        why="Nothing of it was kept; what was written before is safe.",
        todo="Free some disk space or check the permissions, then run the same command again.",
    )


def file_system(folder: Path) -> str:
    """The kind of file system that a folder lies on, in lower case; empty when it cannot be told."""
    import psutil

    place, best, kind = folder.resolve(), Path("/"), ""
    with contextlib.suppress(OSError):
        for partition in psutil.disk_partitions(all=True):
            mounted = Path(partition.mountpoint)
            if place.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
                best, kind = mounted, partition.fstype
    return kind.lower()
