"""Opening a data file without surprises: regular files, no code, nothing still growing."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

from perennial.errors import DataError, UnreadableData, UnsafeData

HEAD_BYTES = 4096
BOMB_BYTES = 4 * 2**30
BOMB_RATIO = 200
LONGEST_PATH = 4096

CODE_SUFFIXES = (
    ".pkl",
    ".pickle",
    ".p",
    ".joblib",
    ".dill",
    ".pt",
    ".pth",
    ".h5",
    ".hdf5",
    ".keras",
    ".rds",
    ".rdata",
)
NO_TEXT = rb"[\x00-\x08]"  # a byte that no text holds
MEMO = rb"q" + NO_TEXT  # the first things that a pickle remembers have the numbers 0, 1, 2 …
GLOBAL = rb"[ci][A-Za-z_][\w.]*\n[A-Za-z_]\w*\n"
PICKLE = re.compile(
    rb"\x80[\x02-\x05]"
    rb"|\([dl]p\d+\n"
    rb"|(?:\(?[dl]|[\]})])" + MEMO + rb"|\(" + GLOBAL + rb"p\d+\n"
    rb"|\(?" + GLOBAL + rb"(?:p\d+\n[(.]|" + MEMO + rb"|\((?=.*(?:" + NO_TEXT + rb"|tR[^a-z])))",
    re.DOTALL,
)
CONVERT = (
    "Write the table as CSV or Parquet where you made it, for example `frame.to_parquet('data.parquet')`."
)
FOREIGN = (  # a mark that is made of letters says too how the format goes on: `ORCID,papers` is a table
    (rb"\xd0\xcf\x11\xe0", "an old Excel or Office file"),
    (rb"ARROW1\x00\x00", "an Arrow (Feather) file"),
    (rb"SQLite format 3\x00", "a SQLite database"),
    (rb"%PDF-\d\.\d", "a PDF"),
    (rb"\x89PNG", "a PNG image"),
    (rb"\xff\xd8\xff", "a JPEG image"),
    (rb"GIF8[79]a", "a GIF image"),
    (rb"RIFF.{4}(?:WAVE|AVI |WEBP)", "a RIFF (wav) file"),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P)", "a bzip2 archive"),
    (rb"\xfd7zXZ", "an xz archive"),
    (rb"\x28\xb5\x2f\xfd", "a zstd archive"),
    (rb"7z\xbc\xaf", "a 7-zip archive"),
    (rb"Obj\x01", "an Avro file"),
    (rb"ORC.*" + NO_TEXT, "an ORC file"),
)


@dataclass(frozen=True)
class Source:
    """A regular file that has been looked at but not read: where it is, how large, what its first bytes say.

    Args:
        path: absolute path.
        bytes: size on disk.
        modified: modification time in nanoseconds, to see whether the file changes while it is read.
        gzipped: whether the content is gzip-compressed (by its first bytes, whatever the name).
        head: the first bytes after decompression (at most 4096).
    """

    path: Path
    bytes: int
    modified: int
    gzipped: bool
    head: bytes

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The content as a binary stream, decompressed; damage and bombs become DataErrors."""
        with open(self.path, "rb", opener=_open_without_waiting) as raw:
            if not self.gzipped:
                yield raw
                return
            try:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield io.BufferedReader(_Bounded(unpacked, self), buffer_size=2**20)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise UnreadableData(
                    f"The gzip file is damaged or cut short: {error}.",
                    where=str(self.path),
                    todo=f"Copy or download it again; `gzip -t '{self.path.name}'` checks it.",
                ) from None

    def refuse_change(self) -> None:
        """Raise DataError if size or modification time differ from when the file was first looked at."""
        try:
            facts = os.stat(self.path)
            now = (facts.st_size, facts.st_mtime_ns)
        except OSError:
            now = (0, 0)
        if now != (self.bytes, self.modified):
            raise DataError(
                f"The file changed while it was read: {self.bytes} bytes before, {now[0]} after.",
                where=str(self.path),
                why="Rows would be missing, or the last row cut in half.",
                todo="Wait until the file is complete, then run the command again.",
            )


class _Bounded(io.RawIOBase):
    """A decompressing stream that stops at a bomb: more than 4 GiB out of fewer than 1/200 as many bytes."""

    def __init__(self, stream: BinaryIO, source: Source) -> None:
        self._stream, self._source, self._total = stream, source, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._total += len(data)
        if self._total > BOMB_BYTES and self._total > BOMB_RATIO * max(self._source.bytes, 1):
            raise UnsafeData(
                f"The gzip file unpacks to over {BOMB_RATIO} times its size ({self._total} bytes so far).",
                where=str(self._source.path),
                why="It would fill the memory of this machine.",
                todo="If it is really data, unpack it yourself and pass the unpacked file.",
            )
        return len(data)


def find_source(path: str | os.PathLike) -> Source:
    """Look at a file before reading it.

    Args:
        path: a path; `~` stands for the home directory unless a file of that very name exists.

    Raises:
        DataError: there is no such file, it is empty, or may not be read.
        UnsafeData: not a regular file, or a format that may run code when it is opened.
        UnreadableData: an archive, image or database where a table was expected.
    """
    found = _existing(path)
    facts = os.stat(found)
    _refuse_irregular(found, facts.st_mode)
    if facts.st_size == 0:
        raise DataError(
            "The file is empty: it has no rows.", where=str(found), todo="Check the export that wrote it."
        )
    try:
        with open(found, "rb", opener=_open_without_waiting) as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(
            f"The file cannot be read: {error.strerror}.", where=str(found), todo="Check its permissions."
        ) from None
    gzipped = head.startswith(b"\x1f\x8b")
    source = Source(found, facts.st_size, facts.st_mtime_ns, gzipped, head)
    if gzipped:
        with source.open() as stream:
            source = Source(found, facts.st_size, facts.st_mtime_ns, True, stream.read(HEAD_BYTES))
    _refuse_code(source)
    _refuse_foreign(source)
    return source


def _existing(path: str | os.PathLike) -> Path:
    """The absolute path of an existing file; knows `~` and names whose accents are composed differently."""
    text = os.fspath(path)
    text = os.fsdecode(text) if isinstance(text, bytes) else text
    if not text or "\0" in text or len(text) > LONGEST_PATH:
        raise DataError(
            "This is not a usable path: it is empty, too long or holds a NUL character.",
            where=repr(text[:80]),
        )
    forms = (
        text,
        os.path.expanduser(text),
        unicodedata.normalize("NFC", text),
        unicodedata.normalize("NFD", text),
    )
    try:
        for form in forms:
            if os.path.lexists(form):
                os.stat(form)
                return Path(os.path.abspath(form))
            if os.path.basename(form) and len(os.fsencode(os.path.basename(form))) > 255:
                raise OSError(36, "File name too long")
    except (OSError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"The path cannot be opened: {reason}.", where=repr(text[:300])) from None
    folder = Path(text).parent
    siblings = sorted(os.listdir(folder))[:10_000] if folder.is_dir() and os.access(folder, os.R_OK) else []
    close = get_close_matches(Path(text).name, siblings, n=1)
    todo = (
        f"Did you mean '{folder / close[0]}'?" if close else "Check the spelling and the current directory."
    )
    raise DataError("There is no such file.", where=text, todo=todo)


def _refuse_irregular(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe (FIFO)"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    kind = next((name for check, name in kinds if check(mode)), "not a regular file")
    raise UnsafeData(
        f"A table must be a regular file, this is {kind}.",
        where=str(path),
        why="Such a source may never end, and cannot be read a second time.",
        todo="Pass one of the files inside it."
        if kind == "a directory"
        else "Write the data to a file first.",
    )


def _refuse_code(source: Source) -> None:
    """Row 57 of the catalogue: pickles and their relatives run code when opened."""
    head = source.head
    name = source.path.name.lower()
    suffix = os.path.splitext(name.removesuffix(".gz"))[1]
    reason = ""
    if PICKLE.match(head):
        reason = "a Python pickle"
    elif head.startswith(b"\x89HDF\r\n\x1a\n"):
        reason = "an HDF5 file"
    elif head.startswith(b"\x93NUMPY") and re.search(rb"'descr': *(\[.*)?'\|?O", head, re.DOTALL):
        reason = "a NumPy file of Python objects (a pickle inside)"
    elif head.startswith((b"RDX2\nX\n", b"RDX3\nX\n", b"X\n\x00\x00")):
        reason = "an R object file"
    elif head.startswith(b"PK\x03\x04") and any(name.endswith("data.pkl") for name in _zip_names(source)):
        reason = "a PyTorch file (a pickle inside)"
    elif suffix in CODE_SUFFIXES:
        reason = f"named like a file of stored objects ({suffix})"
    if reason:
        raise UnsafeData(
            f"Refused: this is {reason}.",
            where=str(source.path),
            why="Opening such a file may run code that someone else put into it.",
            todo=CONVERT,
        )


def _refuse_foreign(source: Source) -> None:
    kind = next((name for mark, name in FOREIGN if re.match(mark, source.head, re.DOTALL)), "")
    todo = "Pass a CSV, TSV, Parquet or JSON Lines file (also gzipped)."
    if source.head.startswith(b"PK\x03\x04"):
        names = _zip_names(source)
        excel = any(name.startswith("xl/") for name in names)
        kind = "an Excel workbook" if excel else "a zip archive"
        todo = "Save the sheet as CSV (File, Save as)." if excel else "Unpack it and pass the table inside."
    elif source.head.startswith(b"\x93NUMPY"):
        kind, todo = "a NumPy array", "Load it with numpy.load and pass the array."
    if kind:
        raise UnreadableData(f"Expected a table, received {kind}.", where=str(source.path), todo=todo)


def _zip_names(source: Source) -> list[str]:
    import zipfile

    try:
        with source.open() as stream, zipfile.ZipFile(stream) as archive:
            return archive.namelist()[:10_000]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError):
        return []


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens without blocking if a pipe took the place of the file; it must still be a regular file."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        _refuse_irregular(Path(path), mode)
    return descriptor
