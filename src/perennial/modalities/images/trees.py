"""A folder or a zip archive as a tree of files: nothing outside its root, no link out of it, no junk, no bomb."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from perennial.errors import DataError, UnreadableData, UnsafeData
from perennial.modalities.images.decoding import (
    HEAD_BYTES,
    LARGEST_BYTES,
    looks_like_image,
    named_like_image,
)

JUNK = ("thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "@eadir", "icon\r")
MOST_FILES = 1_000_000
DEEPEST = 32
BOMB_BYTES = 4 * 2**30
BOMB_RATIO = 200
SHOWN = 5


@dataclass(frozen=True)
class Entry:
    """A regular file in a tree.

    Args:
        parts: folders and file name, from the root.
        bytes: its size.
        open: opens it as a binary stream that can be searched.
    """

    parts: tuple[str, ...]
    bytes: int
    open: Callable[[], BinaryIO] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The path from the root, with `/`."""
        return "/".join(self.parts)

    def is_image(self) -> bool:
        """Whether name or content say that it is an image."""
        if named_like_image(self.parts[-1]):
            return True
        return looks_like_image(self.head(HEAD_BYTES))

    def head(self, count: int) -> bytes:
        """Its first bytes.

        Raises:
            UnreadableData: it cannot be opened or read.
        """
        try:
            with self.open() as stream:
                return stream.read(count)
        except OSError as error:
            raise UnreadableData(
                f"A file cannot be read: {error.strerror}.", where=self.name, todo="Check its permissions."
            ) from None


@dataclass(frozen=True)
class Tree:
    """The files under a root.

    Args:
        place: the root, for messages.
        entries: sorted by path.
        folders: every folder under the root, the empty ones too.
        links: links that were not followed.
    """

    place: str
    entries: tuple[Entry, ...]
    folders: frozenset[tuple[str, ...]] = frozenset()
    links: tuple[str, ...] = ()

    @property
    def top(self) -> tuple[str, ...]:
        """Names of the folders directly under the root, sorted."""
        return tuple(sorted({folder[0] for folder in self.folders}))

    def under(self, name: str) -> Tree:
        """The tree of one folder under the root."""
        entries = tuple(
            Entry(entry.parts[1:], entry.bytes, entry.open)
            for entry in self.entries
            if len(entry.parts) > 1 and entry.parts[0] == name
        )
        folders = frozenset(folder[1:] for folder in self.folders if len(folder) > 1 and folder[0] == name)
        links = tuple(link for link in self.links if link.startswith(f"{name}/"))
        return Tree(f"{self.place}/{name}", entries, folders, links)

    def files(self) -> tuple[Entry, ...]:
        """The files directly under the root."""
        return tuple(entry for entry in self.entries if len(entry.parts) == 1)


def tree_of(path: Path) -> Tree:
    """The tree of a folder, or of a zip archive, without what merely wraps it.

    Raises:
        DataError: it cannot be read, or holds too many files.
        UnsafeData: an archive that reaches out of its root, is encrypted, or unpacks to a multiple of its size.
    """
    tree = _folder(path) if path.is_dir() else _archive(path)
    return _unwrapped(tree)


def is_junk(name: str) -> bool:
    """Whether a file or folder is left behind by a system rather than put there by a person.

    >>> is_junk(".DS_Store"), is_junk("Thumbs.db"), is_junk("cat.jpg")
    (True, True, False)
    """
    return name.startswith((".", "~$")) or name.lower() in JUNK


def _unwrapped(tree: Tree) -> Tree:
    """The tree inside a single folder that holds folders and nothing else: many archives wrap their content."""
    while len(tree.top) == 1 and not any(entry.is_image() for entry in tree.files()):
        inner = tree.under(tree.top[0])
        if not inner.folders or any(entry.is_image() for entry in inner.files()):
            return tree
        tree = Tree(inner.place, inner.entries, inner.folders, tree.links)
    return tree


# -- folders -----------------------------------------------------------------------------------------------------------


def _folder(root: Path) -> Tree:
    root = root.resolve()
    entries: list[Entry] = []
    folders: set[tuple[str, ...]] = set()
    links: list[str] = []
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        parts = waiting.pop()
        for item in _listed(root.joinpath(*parts)):
            here = (*parts, item.name)
            if item.is_symlink():
                target = _inside(root, item)
                if target is None:
                    links.append("/".join(here))
                else:
                    entries.append(_file(here, target))
            elif item.is_dir(follow_symlinks=False):
                folders.add(here)
                if len(here) < DEEPEST:
                    waiting.append(here)
            elif item.is_file(follow_symlinks=False):
                entries.append(_file(here, Path(item.path)))
            if len(entries) > MOST_FILES:
                raise DataError(f"The folder holds more than {MOST_FILES} files.", where=str(root))
    tree = Tree(str(root), _sorted(entries), frozenset(folders), tuple(sorted(links)))
    return _with_archives(tree)


def _listed(folder: Path) -> Iterator[os.DirEntry]:
    try:
        with os.scandir(folder) as found:
            yield from (item for item in found if not is_junk(item.name))
    except OSError as error:
        raise DataError(
            f"The folder cannot be read: {error.strerror}.", where=str(folder), todo="Check its permissions."
        ) from None


def _inside(root: Path, item: os.DirEntry) -> Path | None:
    """Where a link to a regular file inside the root leads; None for all other links."""
    try:
        target = Path(item.path).resolve(strict=True)
        regular = stat.S_ISREG(target.stat().st_mode)
    except (OSError, RuntimeError):
        return None
    return target if regular and target.is_relative_to(root) else None


def _file(parts: tuple[str, ...], path: Path) -> Entry:
    return Entry(parts, path.stat(follow_symlinks=False).st_size, lambda: open(path, "rb", opener=_no_link))


def _no_link(path: str, flags: int) -> int:
    """Opens a file unless a link or a pipe took its place since it was listed."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsafeData("A file was exchanged while it was read.", where=str(path))
    return descriptor


def _with_archives(tree: Tree) -> Tree:
    """Archives of images directly under the root, such as `train.zip` and `test.zip`, count as folders."""
    if any(entry.is_image() for entry in tree.entries):
        return tree
    entries, folders = list(tree.entries), set(tree.folders)
    for entry in tree.files():
        if not entry.name.lower().endswith(".zip"):
            continue
        inner = _unwrapped(_archive(Path(tree.place) / entry.name))
        stem = entry.name[:-4]
        folders |= {(stem,), *((stem, *folder) for folder in inner.folders)}
        entries += [Entry((stem, *found.parts), found.bytes, found.open) for found in inner.entries]
    return Tree(tree.place, _sorted(entries), frozenset(folders), tree.links)


def _sorted(entries: list[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.parts))


# -- archives ----------------------------------------------------------------------------------------------------------


def _archive(path: Path) -> Tree:
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise UnreadableData(
            f"The zip archive cannot be read: {error}.", where=str(path), todo="Copy or download it again."
        ) from None
    _refuse_bomb(path, members)
    entries: list[Entry] = []
    folders: set[tuple[str, ...]] = set()
    links: list[str] = []
    for member in members:
        parts = _safe_parts(path, member.filename)
        if not parts or any(map(is_junk, parts)):
            continue
        folders |= {parts[:depth] for depth in range(1, len(parts))}
        if member.is_dir():
            folders.add(parts)
        elif stat.S_ISLNK(member.external_attr >> 16):
            links.append("/".join(parts))
        else:
            entries.append(Entry(parts, member.file_size, _unpacking(archive, member, path)))
    return Tree(str(path), _sorted(entries), frozenset(folders), tuple(sorted(links)))


def _refuse_bomb(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """`zipfile` never gives more bytes than a member declares, so what is declared bounds what is read."""
    total, packed = sum(member.file_size for member in members), max(path.stat().st_size, 1)
    if len(members) > MOST_FILES:
        raise UnsafeData(f"The archive has {len(members)} members.", where=str(path))
    if total > BOMB_BYTES and total > BOMB_RATIO * packed:
        raise UnsafeData(
            f"The archive unpacks to {total} bytes, {total // packed} times its size.",
            where=str(path),
            why="It would fill the memory of this machine.",
            todo="If these are really images, unpack it yourself and pass the folder.",
        )
    locked = next((member.filename for member in members if member.flag_bits & 0x1), None)
    if locked is not None:
        raise DataError(
            "The archive is encrypted.",
            where=f"{path}: {locked}",
            todo="Unpack it with its password and pass the folder.",
        )


def _safe_parts(path: Path, name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or (parts and parts[0][1:2] == ":"):
        raise UnsafeData(
            f"The archive holds a file that lies outside of it: {name[:80]!r}.",
            where=str(path),
            why="Such archives are made to overwrite files elsewhere. Nothing was written.",
            todo="Get the data from a source that you trust.",
        )
    return parts


def _unpacking(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Callable[[], BinaryIO]:
    def unpack() -> BinaryIO:
        if member.file_size > LARGEST_BYTES:
            raise UnreadableData(f"{member.file_size} bytes are too many", where=f"{path}: {member.filename}")
        try:
            with archive.open(member) as stream:
                return io.BytesIO(stream.read(LARGEST_BYTES))
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise UnreadableData(f"cannot be unpacked: {error}", where=f"{path}: {member.filename}") from None

    return unpack
