"""Rows of a delimited text file, with the guards that every CSV reader lacks.

Python's own csv module in strict mode, fed line by line, is the reference: it tells the line of every fault.
Large files that are boringly regular (checked byte by byte by `csv_regular`) take the quick way through
duckdb, which then cannot but agree; its row count is compared all the same.
"""

from __future__ import annotations

import csv
import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perennial.errors import DataError, UnreadableData
from perennial.modalities.cells import TypedColumn, text_column, typed_column
from perennial.modalities.csv_dialect import (
    SAMPLE_ROWS,
    Dialect,
    column_names,
    find_delimiter,
    find_encoding,
    looks_like_header,
)
from perennial.modalities.csv_regular import regular_rows
from perennial.modalities.csv_text import CHUNK_BYTES, START_CHARACTERS, CheckedText, check_text
from perennial.modalities.duck import connect
from perennial.modalities.files import Source
from perennial.modalities.frames import Frame, refuse_repeated_names

LONGEST_CELL = 16 * 2**20
CAREFUL_BYTES_PER_CELL = 120
QUICK_BYTES_PER_CELL = 40
QUICK_WIDTH = 1000
SAMPLE_CELLS = 200_000
SHOWN_FAULTS = 5
SHOWN_CHARACTERS = 80
QUOTE_FAULT = "a quote ends in the middle of a cell"
DOUBLED = 'A quote inside a cell is written twice (""), and the whole cell stands in quotes.'


@dataclass(frozen=True)
class Wishes:
    """What the caller asks of a CSV reader; None leaves a decision to the reader.

    Args:
        encoding: codec name.
        delimiter: one character.
        header: whether the first row holds names.
        skip_bad_lines: leave out rows with too few or too many cells, and count them.
        rows: read only that many data rows from the beginning.
        memory: bytes the frame may take; a larger table is sampled.
        as_written: columns that stay text, whatever their cells hold.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    skip_bad_lines: bool = False
    rows: int | None = None
    memory: int | None = None
    as_written: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Table:
    """Typed columns, the number of data rows in the file, and sentences on what was left out."""

    columns: list[TypedColumn]
    rows_in_file: int
    notes: tuple[str, ...] = ()
    skipped_lines: int = 0


@dataclass
class _Faults:
    """Rows that cannot be used, gathered so that one message can show several."""

    count: int = 0
    lines: int = 0
    blank: int = 0
    shown: dict[int, str] = field(default_factory=dict)

    def add(self, begin: int, end: int, what: str) -> None:
        self.count += 1
        self.lines += end - begin + 1
        if len(self.shown) < SHOWN_FAULTS:
            self.shown[begin] = what


def read_csv(source: Source, wishes: Wishes) -> Frame:
    """The table in a delimited text file.

    Raises:
        DataError: no rows, ragged rows, an unclosed quote, a wrong delimiter, repeated names.
        UnreadableData: bytes that do not decode, NUL characters.
    """
    where = str(source.path)
    checked = check_text(source, find_encoding(source.head, wishes.encoding, where))
    delimiter = find_delimiter(_sample(checked), wishes.delimiter, where)
    first_rows = _sample_rows(checked, delimiter)
    if not first_rows:
        raise DataError("The file holds no rows, only blank lines.", where=where, todo="Check the export.")
    header = looks_like_header(first_rows) if wishes.header is None else wishes.header
    names, notes = column_names(first_rows[0], header)
    if len(names) == 1:
        notes += (f"Only one column was found; the first rows: {first_rows[:3]!r:.200}.",)
    refuse_repeated_names(names, where=where)
    dialect = Dialect(checked.encoding, delimiter, header, notes)
    table = None
    if checked.text is None and wishes.rows is None:
        table = _quick_columns(checked, dialect, names, wishes)
    if table is None:
        table = _careful_columns(checked, dialect, names, wishes)
    if not len(table.columns[0].values):
        raise DataError(
            "The file has column names but no rows." if header else "The file has no rows.",
            where=f"{where}, columns {', '.join(map(repr, names[:10]))}",
            todo="Check the export; a model needs rows to learn from.",
        )
    return _frame(checked, dialect, names, table)


def written_rows(source: Source, dialect: Mapping[str, Any], width: int) -> list[list[str]]:
    """The data rows of a file that `read_csv` has read, every cell as it was written, missing tokens too.

    Blank lines and rows that do not fit are left out, as `read_csv` leaves them out.

    Args:
        dialect: from the origin of the frame.
        width: how many columns the frame has.
    """
    checked = check_text(source, find_encoding(source.head, dialect["encoding"], str(source.path)))
    rows = [
        row
        for _, _, row in _parsed(checked.line_iterator(), dialect["delimiter"])
        if isinstance(row, list) and len(row) == width
    ]
    return rows[1:] if dialect["header"] else rows


def _frame(checked: CheckedText, dialect: Dialect, names: Sequence[str], table: _Table) -> Frame:
    source, columns = checked.source, table.columns
    tokens = zip(names, (column.missing_tokens for column in columns), strict=True)
    origin = {
        "path": str(source.path),
        "bytes": source.bytes,
        "sha256": checked.sha256,
        "format": "csv",
        "dialect": {"encoding": dialect.encoding, "delimiter": dialect.delimiter, "header": dialect.header},
        "rows_in_file": table.rows_in_file,
        "skipped_lines": table.skipped_lines,
        "notes": [*dialect.notes, *table.notes],
        "missing_tokens": {name: counts for name, counts in tokens if counts},
    }
    return Frame(tuple(names), tuple(column.values for column in columns), origin)


def _sample(checked: CheckedText) -> str:
    """The beginning of the text, cut at a line end where the text is longer."""
    if len(checked.start) < START_CHARACTERS:
        return checked.start
    start = checked.start[:START_CHARACTERS]
    cut = max(start.rfind("\n"), start.rfind("\r")) + 1
    return start[:cut] if cut else start


def _sample_rows(checked: CheckedText, delimiter: str) -> list[list[str]]:
    """The first rows by the strict parser, as far as it gets; blank lines left out."""
    rows, cells = [], 0
    for _, _, row in _parsed(checked.line_iterator(), delimiter):
        if isinstance(row, list) and not _is_blank(row, len(rows[0]) if rows else 2):
            rows.append(row)
            cells += len(row)
        if len(rows) == SAMPLE_ROWS or (len(rows) > 1 and cells > SAMPLE_CELLS):
            break
    return rows


def _is_blank(row: list[str], width: int) -> bool:
    return not row or (width > 1 and len(row) == 1 and not row[0].strip())


def _parsed(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, int, list[str] | csv.Error]]:
    """Each row with the lines it begins and ends on; a row that does not parse comes as the error."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    previous_limit = csv.field_size_limit(LONGEST_CELL)
    begin = 1
    try:
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                row = error
            yield begin, reader.line_num, row
            begin = reader.line_num + 1
    finally:
        csv.field_size_limit(previous_limit)


def _careful_columns(checked: CheckedText, dialect: Dialect, names: Sequence[str], wishes: Wishes) -> _Table:
    """The columns through the csv module, row by row; every fault is found with its line."""
    width = len(names)
    step, notes = _sampling(checked.lines, width * CAREFUL_BYTES_PER_CELL, wishes)
    rows, faults, count, header = [], _Faults(), 0, dialect.header
    for begin, end, row in _parsed(checked.line_iterator(), dialect.delimiter):
        if isinstance(row, csv.Error):
            _refuse_unclosed(row, checked, begin)
            faults.add(begin, end, QUOTE_FAULT)
            continue
        if _is_blank(row, width):
            faults.blank += 1
            continue
        if len(row) != width:
            faults.add(begin, end, f"{len(row)} cell{'s' if len(row) != 1 else ''}")
            continue
        if header:
            header = False
            continue
        if count % step == 0:
            rows.append(row)
        count += 1
        if wishes.rows is not None and count >= wishes.rows:
            break
    if not wishes.skip_bad_lines:
        _refuse_faults(faults, checked, count, width)
    cells = zip(*rows, strict=True) if rows else [[]] * width
    return _Table(_columns(names, cells, wishes), count, notes + _fault_notes(faults), faults.lines)


def _columns(
    names: Sequence[str], cells: Iterable[Sequence[str | None]], wishes: Wishes
) -> list[TypedColumn]:
    """Each column typed by its own cells, or as text where the caller asked for that."""
    return [
        text_column(column) if name in wishes.as_written else typed_column(column)
        for name, column in zip(names, cells, strict=True)
    ]


def _refuse_unclosed(error: csv.Error, checked: CheckedText, begin: int) -> None:
    """Raise at once for an unclosed quote: the whole rest of the file hangs on it, no line can be skipped."""
    unclosed, endless = "unexpected end of data" in str(error), "field larger" in str(error)
    if not unclosed and not endless:
        return
    raise UnreadableData(
        f"A quote is opened in the row that begins on line {begin} and not closed again "
        + ("before the end of the file." if unclosed else f"within {LONGEST_CELL} characters."),
        where=f"{checked.source.path}, {_with_text({begin: ''}, checked)}",
        why="Everything after it, newlines too, would become one cell.",
        todo=f"Close the quote. {DOUBLED}",
    )


def _refuse_faults(faults: _Faults, checked: CheckedText, good: int, width: int) -> None:
    """Raise for rows that do not fit, several in one message."""
    if not faults.count:
        return
    todo = (
        "Correct these lines, give the right --delimiter, or leave them out, counted, with --skip-bad-lines"
    )
    if QUOTE_FAULT in faults.shown.values():
        todo = f"{DOUBLED} Or leave the lines out, counted, with --skip-bad-lines"
    elif good == 0 and faults.count > 1:
        todo = (
            "No row fits the first one, so look at the first line: a title above the table must go; R writes "
            "row names without a name (use col.names = NA); another --delimiter may be right."
        )
    if width == 1:
        todo += ", or say --delimiter tab if this is one column of text"
    raise DataError(
        f"{faults.count} of {good + faults.count} rows cannot be split into {width} "
        f"cell{'s' if width > 1 else ''} like the first row.",
        where=f"{checked.source.path}, {_with_text(faults.shown, checked)}",
        why="Their cells would land in the wrong columns.",
        todo=todo,
    )


def _with_text(shown: dict[int, str], checked: CheckedText) -> str:
    """Each line number with what is wrong and the text of the line."""
    parts = []
    for number, line in enumerate(checked.line_iterator(), start=1):
        if number in shown:
            text = line.rstrip("\r\n")
            text = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
            what = f" ({shown[number]})" if shown[number] else ""
            parts.append(f"line {number}{what}: {text!r}")
        if len(parts) == len(shown):
            break
    return "; ".join(parts)


def _fault_notes(faults: _Faults) -> tuple[str, ...]:
    notes = ()
    if faults.count:
        lines = ", ".join(map(str, faults.shown))
        more = " and others" if faults.count > len(faults.shown) else ""
        notes += (f"{faults.count} bad rows ({faults.lines} lines) were skipped: line {lines}{more}.",)
    if faults.blank:
        notes += (f"{faults.blank} blank line{'s were' if faults.blank > 1 else ' was'} skipped.",)
    return notes


def _sampling(rows: int, row_bytes: int, wishes: Wishes) -> tuple[int, tuple[str, ...]]:
    """Take every how-manieth row so that the frame fits the memory, and a note if that is not every one."""
    if wishes.memory is None or wishes.rows is not None:
        return 1, ()
    step = -(-rows * row_bytes // max(wishes.memory, 1))
    if step <= 1:
        return 1, ()
    return step, (
        f"The table is larger than the memory allows: every {step}th row was read (of about {rows}).",
    )


def _quick_columns(
    checked: CheckedText, dialect: Dialect, names: Sequence[str], wishes: Wishes
) -> _Table | None:
    """The columns through duckdb, or None where the file is not regular enough to be sure of agreement."""
    width = len(names)
    utf8 = checked.encoding in ("utf-8", "utf-8-sig")
    if not utf8 or not dialect.delimiter.isascii() or width > QUICK_WIDTH:
        return None
    with checked.source.open() as stream:
        rows = regular_rows(iter(lambda: stream.read(CHUNK_BYTES), b""), ord(dialect.delimiter))
    if rows is None:
        return None
    import duckdb

    step, notes = _sampling(rows, width * QUICK_BYTES_PER_CELL, wishes)
    connection = connect()
    try:
        if _load(connection, checked.source, dialect.delimiter, width) != rows:
            return None
        cells = _cells(connection, width, 1 if dialect.header else 0, step)
        typed = _columns(names, cells, wishes)
    except duckdb.Error:
        return None
    finally:
        connection.close()
    return _Table(typed, rows - dialect.header, notes)


def _load(connection, source: Source, delimiter: str, width: int) -> int:
    """Read a regular file into the table `cells`, all text; returns its number of rows."""
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(width))
    connection.execute(
        "CREATE TABLE cells AS SELECT *, row_number() OVER () - 1 AS number "
        "FROM read_csv($path, auto_detect=false, "
        f"columns={{{columns}}}, delim=$delimiter, quote='\"', escape='\"', header=false, "
        "compression=$compression, parallel=false, strict_mode=true, null_padding=false, "
        "hive_partitioning=false, max_line_size=4000000)",
        {
            "path": glob.escape(str(source.path)),
            "delimiter": delimiter,
            "compression": "gzip" if source.gzipped else "none",
        },
    )
    return connection.execute("SELECT count(*) FROM cells").fetchone()[0]


def _cells(connection, width: int, first: int, step: int) -> Iterator[list[str | None]]:
    """The text of one column after the other, from row `first` on, every `step`th row."""
    chosen = "number >= $first AND (number - $first) % $step = 0"
    for index in range(width):
        query = f"SELECT c{index} FROM cells WHERE {chosen} ORDER BY number"
        cells = connection.execute(query, {"first": first, "step": step}).fetchnumpy()[f"c{index}"]
        yield np.ma.filled(np.ma.asarray(cells, dtype=object), None).tolist()
