"""Whether a delimited file is so regular that no two CSV readers can disagree about it."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

import numpy as np

LONGEST_ROW = 2**20


def regular_rows(chunks: Iterable[bytes], delimiter: int) -> int | None:
    """How many rows a UTF-8 file has if every CSV reader must read it alike, else None.

    Alike means: one kind of line end (LF or CRLF); quotes only around whole cells, doubled inside; no blank
    line; the same number of cells in every row; no row beyond 1 MB.
    """
    state = _Layout(delimiter)
    for chunk in _without_mark(chunks):
        if chunk and not state.feed(np.frombuffer(chunk, dtype=np.uint8)):
            return None
    return state.finish()


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes without the byte order mark that may lead them."""
    start, begun = b"", False
    for chunk in chunks:
        if begun:
            yield chunk
            continue
        start += chunk
        if len(start) >= len(BOM_UTF8):
            begun = True
            yield start.removeprefix(BOM_UTF8)
    if not begun:
        yield start


class _Layout:
    """The state of `regular_rows` between chunks."""

    def __init__(self, delimiter: int) -> None:
        self.delimiter = delimiter
        self.previous, self.previous_closed, self.inside = 10, False, False
        self.rows, self.width, self.cells, self.length = 0, None, 1, 0
        self.line_ends = set()

    def feed(self, codes: np.ndarray) -> bool:
        """Take the next bytes; False as soon as something is not regular."""
        before = np.concatenate(([np.uint8(self.previous)], codes[:-1]))
        quotes = codes == 34
        inside_after = (np.cumsum(quotes) + self.inside) % 2 == 1
        inside = inside_after ^ quotes
        closed = quotes & inside
        closed_before = np.concatenate(([self.previous_closed], closed[:-1]))
        separator = (codes == self.delimiter) | (codes == 10) | (codes == 13)
        after_separator = (before == self.delimiter) | (before == 10) | closed_before
        if np.any(quotes & ~inside & ~after_separator) or np.any(closed_before & ~separator & ~quotes):
            return False
        if np.any((before == 13) & ~inside & (codes != 10)):
            return False
        ends = np.flatnonzero((codes == 10) & ~inside)
        if not self._rows(codes, before, ends, np.cumsum((codes == self.delimiter) & ~inside)):
            return False
        self.previous, self.previous_closed = int(codes[-1]), bool(closed[-1])
        self.inside = bool(inside_after[-1])
        return True

    def _rows(self, codes: np.ndarray, before: np.ndarray, ends: np.ndarray, delimiters: np.ndarray) -> bool:
        """Count cells and bytes of the rows that end here."""
        if not len(ends):
            self.cells += int(delimiters[-1])
            self.length += len(codes)
            return self.length <= LONGEST_ROW
        with_return = before[ends] == 13
        self.line_ends.update(np.unique(with_return).tolist())
        cells = np.diff(delimiters[ends], prepend=0) + 1
        cells[0] += self.cells - 1
        lengths = np.diff(ends, prepend=-1)
        lengths[0] += self.length
        self.width = int(cells[0]) if self.width is None else self.width
        self.rows += len(ends)
        self.cells = int(delimiters[-1] - delimiters[ends[-1]]) + 1
        self.length = len(codes) - 1 - int(ends[-1])
        blank = lengths <= 1 + with_return
        same_width = bool(np.all(cells == self.width))
        return (
            len(self.line_ends) == 1 and same_width and not blank.any() and int(lengths.max()) <= LONGEST_ROW
        )

    def finish(self) -> int | None:
        """The number of rows, counting a last one without line end."""
        if self.inside or self.previous == 13:
            return None
        if self.length:
            self.rows += 1
            if self.width is not None and self.cells != self.width:
                return None
        return self.rows
