"""A text file whose every byte has been seen: it decodes, holds no NUL, and its hash is known."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from perennial.errors import UnreadableData
from perennial.modalities.files import Source

CHUNK_BYTES = 2**20
IN_MEMORY_BYTES = 16 * 2**20
START_CHARACTERS = 256 * 1024


@dataclass(frozen=True)
class CheckedText:
    """A text whose every byte has been seen and decodes.

    Args:
        source: the file.
        encoding: codec.
        sha256: of the (decompressed) bytes.
        bytes: how many (decompressed).
        lines: how many line ends.
        start: the first characters.
        text: all of it, or None for a file too large to keep in memory.
    """

    source: Source
    encoding: str
    sha256: str
    bytes: int
    lines: int
    start: str
    text: str | None

    def line_iterator(self) -> Iterator[str]:
        """All lines with their ends, whatever the ends are."""
        if self.text is not None:
            yield from io.StringIO(self.text, newline="")
            return
        with (
            self.source.open() as stream,
            io.TextIOWrapper(stream, encoding=self.encoding, newline="") as lines,
        ):
            yield from lines


def check_text(source: Source, encoding: str) -> CheckedText:
    """Read every byte once: hash, decode, look for NUL characters, count lines.

    Raises:
        UnreadableData: a byte that does not decode (with its offset and line), or a NUL character.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    digest, total, lines, kept, start = hashlib.sha256(), 0, 0, [], ""
    with source.open() as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            waiting = _undecoded(decoder)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                raise _undecodable(source, encoding, error, total - waiting, lines) from None
            if "\0" in text:
                raise _nul(source, text, lines)
            digest.update(chunk)
            total += len(chunk)
            lines += _line_ends(text)
            if len(start) < START_CHARACTERS:
                start += text
            if kept is not None:
                kept.append(text)
            if total > IN_MEMORY_BYTES:
                kept = None
            if not chunk:
                break
    whole = "".join(kept) if kept is not None else None
    return CheckedText(source, encoding, digest.hexdigest(), total, lines, start, whole)


def _undecoded(decoder: codecs.IncrementalDecoder) -> int:
    """How many bytes the decoder has kept back, waiting for the rest of a character."""
    kept = decoder.getstate()[0]
    return len(kept) if isinstance(kept, bytes) else 0


def _line_ends(text: str) -> int:
    """LF, CRLF and CR each end one line; a CRLF cut in two by a chunk counts twice: an upper bound."""
    return text.count("\n") + (text.count("\r") - text.count("\r\n") if "\r" in text else 0)


def _undecodable(source: Source, encoding: str, error: UnicodeError, base: int, lines: int) -> UnreadableData:
    offset, line, byte = base, lines + 1, ""
    if isinstance(error, UnicodeDecodeError):
        offset += error.start
        line += _line_ends(error.object[: error.start].decode("latin-1"))
        byte = f", byte 0x{error.object[error.start]:02x}" if error.start < len(error.object) else ""
    other = "cp1252" if encoding.startswith("utf-8") else "utf-8"
    return UnreadableData(
        f"The text does not decode as {encoding.removesuffix('-sig').upper()}.",
        where=f"{source.path}, byte offset {offset}{byte}, line {line}",
        why="A wrong encoding changes names and categories silently.",
        todo=f"Name the encoding that the file was written in, for example --encoding {other}",
    )


def _nul(source: Source, text: str, lines: int) -> UnreadableData:
    before = text[: text.index("\0")]
    return UnreadableData(
        "The text holds a NUL character (a zero byte).",
        where=f"{source.path}, line {lines + _line_ends(before) + 1}",
        why="Readers stop there, skip it or cut the cell, each in its own way, without saying so.",
        todo="Is it a text file at all? If it is UTF-16, say --encoding utf-16-le; else remove the zero "
        "bytes with `tr -d '\\000' < in.csv > out.csv`.",
    )
