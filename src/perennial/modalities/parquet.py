"""Parquet files, read by duckdb: every column type either becomes a frame column or is named in an error."""

from __future__ import annotations

import glob
import hashlib

from perennial.errors import DataError, UnreadableData
from perennial.modalities.csv_rows import Wishes
from perennial.modalities.duck import connect
from perennial.modalities.files import Source
from perennial.modalities.frame_sources import frame_from
from perennial.modalities.frames import Frame, refuse_repeated_names

BYTES_PER_CELL = 64
DEEPEST_STRUCT = 8
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
TEXT = ("VARCHAR", "UUID", "ENUM", "HUGEINT", "UHUGEINT", "JSON", "NULL", "TIME")
LISTED = (*WHOLE, *TEXT, "FLOAT", "DOUBLE", "BOOLEAN")


def read_parquet(source: Source, wishes: Wishes) -> Frame:
    """The table in a Parquet file.

    Structs become one column per field ("address.city"), lists become tuples, decimals float64, dates and
    times datetime64[us] in UTC.

    Raises:
        DataError: no rows, or a column of a type that a table cannot hold (binary, map, interval …), by name.
        UnreadableData: the file is damaged.
    """
    import duckdb

    if source.gzipped or not source.head.startswith(b"PAR1"):
        problem = (
            "a gzipped Parquet file: unpack it first"
            if source.head.startswith(b"PAR1")
            else "not a Parquet file"
        )
        raise UnreadableData(
            f"Expected a Parquet file by its name, this is {problem}.", where=str(source.path)
        )
    connection = connect()
    table = "read_parquet($path, hive_partitioning=false)"
    place = {"path": glob.escape(str(source.path))}
    try:
        described = connection.execute(f"SELECT * FROM {table} LIMIT 0", place).description
        names = [str(column[0]) for column in described]
        rows = connection.execute(f"SELECT count(*) FROM {table}", place).fetchone()[0]
        _refuse_empty(source, names, rows)
        chosen = [part for column in described for part in _expressions(str(column[0]), column[1], source)]
        refuse_repeated_names([name for name, _ in chosen], where=str(source.path))
        step = (
            1
            if wishes.rows or not wishes.memory
            else -(-rows * len(chosen) * BYTES_PER_CELL // wishes.memory)
        )
        query = f"SELECT {', '.join(f'{sql} AS c{i}' for i, (_, sql) in enumerate(chosen))} FROM {table}"
        query += f" WHERE file_row_number % {step} = 0" if step > 1 else ""
        query = query.replace(
            "hive_partitioning=false", "hive_partitioning=false, file_row_number=true", step > 1
        )
        query += f" LIMIT {int(wishes.rows)}" if wishes.rows else ""
        fetched = connection.execute(query, place).fetchnumpy()
    except duckdb.Error as error:
        raise UnreadableData(
            f"The Parquet file cannot be read: {str(error).splitlines()[0][:200]}",
            where=str(source.path),
            todo="Copy or write it again.",
        ) from None
    finally:
        connection.close()
    notes = (
        [f"The table is larger than the memory allows: every {step}th of {rows} rows was read."]
        if step > 1
        else []
    )
    origin = {"path": str(source.path), "bytes": source.bytes, "sha256": _sha256(source), "format": "parquet"}
    frame = frame_from({name: fetched[f"c{index}"] for index, (name, _) in enumerate(chosen)})
    facts = {"rows_in_file": rows, "notes": notes + frame.origin.get("notes", [])}
    return Frame(frame.names, frame.columns, {**frame.origin, **origin, **facts})


def _refuse_empty(source: Source, names: list[str], rows: int) -> None:
    if not rows:
        raise DataError(
            "The file has columns but no rows.", where=f"{source.path}, columns {', '.join(names[:10])}"
        )


def _expressions(
    name: str, kind, source: Source, sql: str | None = None, depth: int = 0
) -> list[tuple[str, str]]:
    """(column name, SQL that yields a type we know) for one column; several for a struct."""
    sql = sql or '"' + name.replace('"', '""') + '"'
    identifier = kind.id.upper().strip('"')
    if identifier == "STRUCT" and depth < DEEPEST_STRUCT:
        parts = []
        for field, inner in kind.children:
            quoted = '"' + field.replace('"', '""') + '"'
            parts += _expressions(f"{name}.{field}", inner, source, f"({sql}).{quoted}", depth + 1)
        return parts
    if identifier in (*WHOLE, "FLOAT", "DOUBLE", "BOOLEAN"):
        return [(name, sql)]
    if identifier == "DECIMAL":
        return [(name, f"CAST({sql} AS DOUBLE)")]
    if identifier in TEXT:
        return [(name, f"CAST({sql} AS VARCHAR)")]
    if identifier.startswith("TIMESTAMPTZ") or identifier == "TIMESTAMP WITH TIME ZONE":
        return [(name, f"make_timestamp(epoch_us(CAST({sql} AS TIMESTAMPTZ)))")]
    if identifier.startswith(("TIMESTAMP", "DATE")):
        return [(name, f"CAST({sql} AS TIMESTAMP)")]
    if identifier in ("LIST", "ARRAY") and kind.children[0][1].id.upper() in LISTED:
        return [(name, sql)]
    raise DataError(
        f"Column {name!r} has the type {kind}, which a table cannot hold.",
        where=str(source.path),
        todo="Convert it to numbers, text, dates or lists of these, or leave it out when writing the file.",
    )


def _sha256(source: Source) -> str:
    with open(source.path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
