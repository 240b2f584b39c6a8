"""How a delimited text file is written: its encoding, its delimiter, whether its first row holds names.

Everything here looks at the beginning of the file only and decides; what it decided is kept in
`Frame.origin`, and each decision can be overruled by the caller.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from perennial.errors import DataError, UsageError
from perennial.modalities.cells import MISSING_TOKENS

SAMPLE_ROWS = 200
DELIMITERS = (",", ";", "\t", "|")
OTHER_SEPARATORS = (" ", ":", "^", "~", "\x1f")
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
QUOTE = '"'
CONSISTENT_ROWS = 0.5
SPLIT_BELOW = 0.9
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Dialect:
    """How to read one file.

    Args:
        encoding: a Python codec name; "utf-8-sig" also reads files without a mark.
        delimiter: one character.
        header: whether the first row holds the column names.
        notes: sentences about decisions a user may want to overrule.
    """

    encoding: str
    delimiter: str
    header: bool
    notes: tuple[str, ...] = ()


def find_encoding(head: bytes, encoding: str | None, where: str) -> str:
    """The codec of a file, from its first bytes or from the user.

    Raises:
        DataError: UTF-16 without a byte order mark, where guessing would be guessing.
        UsageError: the encoding that the user named is unknown or not a text encoding.
    """
    if encoding is not None:
        return _known_encoding(encoding)
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    zeros = [index for index, byte in enumerate(head[:200]) if byte == 0]
    if len(zeros) >= max(2, len(head[:200]) // 3) and len({index % 2 for index in zeros}) == 1:
        guess = "utf-16-le" if zeros[0] % 2 else "utf-16-be"
        raise DataError(
            f"The text looks like {guess.upper()}, but has no byte order mark.",
            where=f"{where}, every second byte is zero from byte offset {zeros[0]}",
            todo=f"Say so with --encoding {guess}",
        )
    return "utf-8"


def find_delimiter(text: str, delimiter: str | None, where: str) -> str:
    """The character between cells.

    Args:
        text: the beginning of the file, whole lines.
        delimiter: what the user asked for (one character, or "tab", "comma", "semicolon", "pipe", "space").
        where: the path, for messages.

    Raises:
        DataError: the delimiter that was asked for is not in the first row while another one is, or the rows
            are split by a character that perennial does not assume by itself; the first three parsed rows are
            shown.
        UsageError: the delimiter that was asked for is not one character.
    """
    if delimiter is None:
        found = _best(text, DELIMITERS) or _best(text, DELIMITERS, share=0.0)
        if found is not None:
            return found
        other = _best(text, OTHER_SEPARATORS, share=1.0)
        if other is None:
            other = _best(_below_first_row(text), DELIMITERS, share=SPLIT_BELOW)
        if other is not None:
            raise _one_huge_column(text, ",", other, where)
        return ","
    chosen = _known_delimiter(delimiter)
    if len(_first_rows(text, chosen, 1)[0]) == 1:
        other = _best(text, tuple(one for one in DELIMITERS if one != chosen))
        if other is not None:
            raise _one_huge_column(text, chosen, other, where)
    return chosen


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds names rather than data.

    The first row is taken for data when a column shows a number in the first row as well as below it and no
    column shows a name above numbers, or when most of its texts return further down in their own column. A
    run of whole numbers that counts upwards (years, or the positions that data frames write) still is a
    header.
    """
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if not rest:
        return True
    name_above_numbers = number_above_numbers = returning = texts = 0
    for index, cell in enumerate(first):
        below = [row[index].strip() for row in rest if row[index].strip() not in MISSING_TOKENS]
        if not below:
            continue
        numeric = all(NUMBER.fullmatch(value) for value in below)
        if NUMBER.fullmatch(cell.strip()):
            number_above_numbers += numeric
        elif cell.strip() not in MISSING_TOKENS:
            name_above_numbers += numeric
            texts += not numeric
            returning += not numeric and cell.strip() in below
    if number_above_numbers:
        return name_above_numbers > 0 or _counts_upwards(first)
    if name_above_numbers:
        return True
    return returning * 2 <= texts or returning == 0


def column_names(first: Sequence[str], header: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names for the columns and notes on those that had to be made up ("column 3")."""
    taken = {cell.strip() for cell in first} if header else set()
    names, invented = [], []
    for number, cell in enumerate(first, start=1):
        name = cell.strip() if header else ""
        if not name:
            name = f"column {number}"
            while name in taken:
                name += "'"
            invented.append(name)
        names.append(name)
    if not header:
        note = f"The first row looks like data, not names: the columns are called {invented[0]!r} and so on."
        return tuple(names), (note,)
    if invented:
        return tuple(names), (f"Columns without a name are called {', '.join(map(repr, invented[:5]))}.",)
    return tuple(names), ()


def _known_encoding(encoding: str) -> str:
    try:
        information = codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, ValueError):
        raise UsageError(
            f"Unknown text encoding {encoding!r}.",
            todo="Use for example --encoding utf-8, latin-1, cp1252 or utf-16.",
        ) from None
    return "utf-8-sig" if information.name == "utf-8" else information.name


def _known_delimiter(delimiter: str) -> str:
    character = DELIMITER_NAMES.get(delimiter, delimiter)
    if len(character) != 1 or character in '"\r\n\0':
        raise UsageError(
            f"A delimiter is one character other than a quote or a line end, received {delimiter!r}.",
            todo="Use for example --delimiter ';' or --delimiter tab.",
        )
    return character


def _best(text: str, candidates: Sequence[str], share: float = CONSISTENT_ROWS) -> str | None:
    """The candidate that splits the first row and most rows into equally many cells; None if none does."""
    scores = {candidate: _consistency(text, candidate) for candidate in candidates}
    good = {
        candidate: score for candidate, score in scores.items() if score is not None and score[0] >= share
    }
    return max(good, key=good.get) if good else None


def _consistency(text: str, delimiter: str) -> tuple[float, float, int] | None:
    """Share of rows as long as the first, share of clean cells, width; None if most rows are not split."""
    rows = _first_rows(text, delimiter, SAMPLE_ROWS)
    counts = Counter(map(len, rows))
    width = len(rows[0])
    if width < 2 or counts.most_common(1)[0][0] < 2 or (len(rows) < 2 and delimiter in OTHER_SEPARATORS):
        return None
    cells = [cell.strip() for row in rows[:50] for cell in row]
    clean = sum(cell in MISSING_TOKENS or NUMBER.fullmatch(cell) is not None for cell in cells)
    return counts[width] / len(rows), clean / len(cells), width


def _first_rows(text: str, delimiter: str, count: int) -> list[list[str]]:
    """The first rows as a forgiving parser sees them; blank lines do not count; at least one row."""
    rows = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        for row in csv.reader((line + "\n" for line in lines), delimiter=delimiter):
            if any(map(str.strip, row)):
                rows.append(row)
            if len(rows) == count:
                break
    except csv.Error:
        pass
    return rows or [[""]]


def _below_first_row(text: str) -> str:
    """The text without its first line, if enough is left to judge it; a title may stand above a table."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    below = [line for line in lines[1:] if line.strip()]
    return "\n".join(below) if len(below) >= 3 else ""


def _counts_upwards(first: Sequence[str]) -> bool:
    """Whether the numbers of the first row are at least two whole numbers that count 0, 1, 2 … or by year."""
    numbers = [cell.strip() for cell in first if NUMBER.fullmatch(cell.strip())]
    if len(numbers) < 2 or not all(number.isdecimal() and len(number) <= 9 for number in numbers):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(numbers)}
    starts = int(numbers[0])
    return steps == {1} and (starts in (0, 1) or 1800 <= starts <= 2200)


def _one_huge_column(text: str, delimiter: str, better: str, where: str) -> DataError:
    shown = "; ".join(repr([cell[:40] for cell in row[:6]]) for row in _first_rows(text, delimiter, 3))
    name = next((name for name, character in DELIMITER_NAMES.items() if character == better), better)
    width = max(map(len, _first_rows(text, better, 10)))
    return DataError(
        f"The delimiter {delimiter!r} gives one huge column, {better!r} would give {width}.",
        where=f"{where}, the first rows as parsed: {shown}",
        why="A model of one text column would look at the wrong things.",
        todo=f"Say which character separates the cells, for example --delimiter '{name}' (and remove a title "
        "above the table), or --delimiter tab if the file really is one column.",
    )
