"""Reading and writing tables: from a file, or from what Python holds, to a `Frame`; from columns to CSV.

>>> import numpy as np, tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> write_table(folder / "people.csv", ["name", "age"], [["Ada", "Bob"], np.array([36, 41])])
>>> read_table(folder / "people.csv")
Frame(2 rows: name object, age int64)
"""

from __future__ import annotations

import csv
import os
import re
import stat
import tempfile
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np

from perennial.errors import DataError, UnreadableData, UsageError
from perennial.modalities.csv_rows import Wishes, read_csv
from perennial.modalities.files import NO_TEXT, Source, find_source
from perennial.modalities.frame_sources import frame_from
from perennial.modalities.frames import Frame
from perennial.modalities.json_rows import read_json
from perennial.modalities.parquet import read_parquet
from perennial.modalities.values import is_missing

__all__ = ["Frame", "frame_from", "read_table", "write_table", "write_whole"]

SHARE_OF_MEMORY = 0.4
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
PARQUET = re.compile(rb"PAR1.*" + NO_TEXT, re.DOTALL)


def read_table(
    path: str | os.PathLike,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    skip_bad_lines: bool = False,
    rows: int | None = None,
    header: bool | None = None,
    as_written: Collection[str] = (),
) -> Frame:
    """The table in a CSV, TSV, Parquet or JSON Lines file (also gzipped), or a JSON list of objects.

    The format is seen from the content (Parquet, gzip) and else from the name (.jsonl, .ndjson, .json); all
    other text is delimited. Columns that are plain numbers or ISO dates in every cell come typed; codes with
    leading zeros, numbers with separators or signs, and everything else come as text, None where the cell is
    a known missing token (`cells.MISSING_TOKENS`).

    Args:
        path: a regular file; `~` is the home directory.
        encoding: codec of a text file. Default: by byte order mark, else UTF-8.
        delimiter: the character between cells. Default: the one of `, ; tab |` that splits the rows evenly.
        skip_bad_lines: leave out rows of a delimited file with a wrong number of cells; they are counted in
            `origin["skipped_lines"]`.
        rows: read at most this many rows from the beginning. Faults further down are then not seen.
        header: whether the first row holds names. Default: as it looks; the decision is in
            `origin["dialect"]`.
        as_written: columns of a delimited file that stay text, also where every cell is a number or a date;
            names that the file does not have are passed over.

    Returns:
        A frame. `origin["notes"]` holds sentences about what was decided on the way; `origin["rows_in_file"]`
        differs from `frame.rows` when the file is too large for the memory and was sampled.

    Raises:
        DataError: no rows, ragged rows, wrong delimiter, repeated names, a changing file (with line and
            text).
        UnsafeData: not a regular file, or a format that may run code.
        UnreadableData: bytes that do not decode or parse (with byte offset and line).
        UsageError: an unknown encoding or an impossible delimiter.
    """
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1):
        raise UsageError(f"`rows` must be a whole number of at least 1, received {rows!r}.")
    source = find_source(path)
    wishes = Wishes(encoding, delimiter, header, skip_bad_lines, rows, _memory(), frozenset(as_written))
    try:
        frame = _reader(source)(source, wishes)
    except (OSError, UnicodeError) as error:
        source.refuse_change()
        raise UnreadableData(f"Reading stopped half-way: {error}.", where=str(source.path)) from None
    source.refuse_change()
    return frame


def write_table(
    target: str | os.PathLike | TextIO, names: Sequence[str], columns: Sequence[Sequence[object] | np.ndarray]
) -> None:
    """Write columns as a CSV file, or with tabs where the name ends in `.tsv`: all of it or nothing.

    The file appears under its name only when it is complete, so a reader or a crash never meets half a table.
    Numbers are written so that they read back exactly; missing values (None, NaN, NaT) are empty cells.

    Args:
        target: the path, or an open text stream such as `sys.stdout`.
        names: the header.
        columns: one sequence per name, all of the same length.

    Raises:
        DataError: columns differ in length, or the file cannot be written.
    """
    lengths = {len(column) for column in columns}
    if len(names) != len(columns) or len(lengths) > 1:
        raise DataError(f"{len(names)} names and columns of lengths {sorted(lengths)} do not make a table.")
    write = partial(_write_rows, names=names, cells=[_written(column) for column in columns])
    if hasattr(target, "write"):
        write(target)
        return
    path = Path(os.path.abspath(os.path.expanduser(target)))
    if path.suffix.lower() == ".tsv":
        write = partial(write, delimiter="\t")
    try:
        write_whole(path.resolve(), write)
    except OSError as error:
        raise DataError(
            f"The table cannot be written: {error.strerror or error}.",
            where=str(path),
            todo="Check that the folder exists, may be written and has space.",
        ) from None


def _reader(source: Source):
    if PARQUET.match(source.head):
        return read_parquet
    name = source.path.name.lower()
    name = name.removesuffix(".gz") if source.gzipped else name
    if name.endswith((".parquet", ".pq")):
        return read_parquet
    return read_json if name.endswith(JSON_SUFFIXES) else read_csv


def _memory() -> int:
    """Bytes that one frame may take: a share of what is free now."""
    import psutil

    return int(psutil.virtual_memory().available * SHARE_OF_MEMORY)


def _written(column: Sequence[object] | np.ndarray) -> list[object]:
    """The cells of a column as the csv module should write them."""
    array = column if isinstance(column, np.ndarray) else np.array([*column, None], dtype=object)[:-1]
    if array.dtype.kind == "M":
        text = np.datetime_as_string(array).astype(object)
        return np.where(np.isnat(array), None, text).tolist()
    if array.dtype.kind in "Of":
        return [None if is_missing(cell) else cell for cell in array.tolist()]
    return array.tolist()


def _write_rows(
    stream: TextIO, names: Sequence[str], cells: Sequence[list[object]], delimiter: str = ","
) -> None:
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*cells, strict=True))


def write_whole(path: Path, write: Callable[[TextIO], None]) -> None:
    """Writes a text file so that there is the old one or the whole new one, whatever happens on the way.

    Args:
        path: of the file; what is no regular file (a pipe, a device) is written into as it is.
        write: writes the text into an open stream.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with open(path, "w", encoding="utf-8", newline="") as stream:
            write(stream)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".perennial-", suffix=".part")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
