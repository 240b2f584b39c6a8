"""Files named by the hash of their bytes: `blobs/ab/<sha256>`. A name can only ever mean one content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection
from pathlib import Path

from perennial.errors import DamagedFile
from perennial.storages.sqlite.disk import cannot_write, write_durably

BLOBS, ASIDE = "blobs", "damaged"
DIGEST = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The blobs of one study, or of one library.

    Args:
        folder: that holds them.
        writes: whether this process may write; a reader leaves damaged files where they are.
    """

    def __init__(self, folder: Path, *, writes: bool) -> None:
        self._folder, self._writes = folder, writes

    def put(self, data: bytes) -> str:
        """Stores bytes and returns their hash; they are on disk when it returns.

        Raises:
            StoreError: they could not be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            if not path.exists() or path.read_bytes() != data:
                write_durably(self._folder, path, data)
        except OSError as error:
            raise cannot_write(f"A blob of {len(data)} bytes", self._folder, error.strerror) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of a hash; what does not match is moved to `damaged/`, so that it is not read again.

        Raises:
            DamagedFile: they are gone or do not match.
        """
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            todo = "Restore the folder from a copy, or grow what it held again."
            raise DamagedFile(
                f"The blob {digest[:12]} cannot be read.", where=str(path), todo=todo
            ) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise DamagedFile(
                "A stored file does not match its hash.",
                where=str(self._move_aside(path)),
                why="Its bytes have changed since they were written; a model built from them would be wrong.",
                todo="Restore the file from a copy, or grow what it held again.",
            )
        return data

    def delete(self, digest: str) -> None:
        """Removes a blob, if it is there."""
        self._path(digest).unlink(missing_ok=True)

    def sweep(self, needed: Collection[str]) -> int:
        """Removes blobs that no event names, left by a crash between the two; returns how many."""
        unused = [path for path in (self._folder / BLOBS).glob("??/*") if path.name not in needed]
        for path in unused:
            with contextlib.suppress(OSError):
                path.unlink()
        return len(unused)

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise DamagedFile(f"{digest[:80]!r} is not a hash.", todo="The journal that names it is damaged.")
        return self._folder / BLOBS / digest[:2] / digest

    def _move_aside(self, path: Path) -> Path:
        aside = self._folder / ASIDE / path.name
        if not self._writes:
            return path
        with contextlib.suppress(OSError):
            aside.parent.mkdir(exist_ok=True)
            os.replace(path, aside)
            return aside
        return path
