"""JSON Lines, and JSON lists of objects: one object is one row."""

from __future__ import annotations

import json
from collections.abc import Iterator

from perennial.errors import DataError, UnreadableData
from perennial.modalities.csv_dialect import find_encoding
from perennial.modalities.csv_rows import Wishes
from perennial.modalities.csv_text import CheckedText, check_text
from perennial.modalities.files import Source
from perennial.modalities.frame_sources import frame_from
from perennial.modalities.frames import Frame

DEEPEST_OBJECT = 8
BYTES_PER_CHARACTER = 12


def read_json(source: Source, wishes: Wishes) -> Frame:
    """The table in a JSON Lines file or a JSON list of objects.

    Objects inside an object become columns of their own ("address.city"), lists become tuples. A key that an
    object lacks is a missing value.

    Raises:
        DataError: no rows, rows that are not objects, two values of a row for one column.
        UnreadableData: text that is not JSON, or a key that occurs twice in one object, with its line.
    """
    checked = check_text(source, find_encoding(source.head, wishes.encoding, str(source.path)))
    _refuse_too_large(checked, wishes)
    start = checked.start.lstrip("\ufeff \t\r\n")
    objects = _list_of_objects(checked) if start.startswith("[") else _lines(checked, wishes)
    if wishes.rows is not None:
        objects = objects[: wishes.rows]
    if not objects:
        raise DataError(
            "The file has no rows.", where=str(source.path), todo="Check the export that wrote it."
        )
    frame = frame_from(objects)
    facts = {
        "path": str(source.path),
        "bytes": source.bytes,
        "sha256": checked.sha256,
        "format": "json",
        "dialect": {"encoding": checked.encoding},
        "rows_in_file": len(objects),
    }
    return Frame(frame.names, frame.columns, {**frame.origin, **facts})


def _refuse_too_large(checked: CheckedText, wishes: Wishes) -> None:
    if wishes.memory is not None and checked.bytes * BYTES_PER_CHARACTER > wishes.memory:
        raise DataError(
            f"{checked.bytes} bytes of JSON do not fit into the memory of this machine.",
            where=str(checked.source.path),
            todo="Convert the file to Parquet or CSV, which can be sampled.",
        )


def _list_of_objects(checked: CheckedText) -> list[dict]:
    text = "".join(checked.line_iterator())
    try:
        objects = json.loads(text.lstrip("\ufeff"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise _not_json(checked, getattr(error, "lineno", 1), error) from None
    return [_row(value, checked, number) for number, value in enumerate(objects, start=1)]


def _lines(checked: CheckedText, wishes: Wishes) -> list[dict]:
    objects = []
    for number, line in enumerate(checked.line_iterator(), start=1):
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        try:
            value = json.loads(text, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError) as error:
            raise _not_json(checked, number, error) from None
        objects.append(_row(value, checked, number))
        if wishes.rows is not None and len(objects) >= wishes.rows:
            break
    return objects


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(
            f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice in one object"
        )
    return value


def _row(value: object, checked: CheckedText, number: int) -> dict:
    if isinstance(value, dict):
        pairs = list(_flat(value))
        row = dict(pairs)
        if len(row) < len(pairs):
            names = [name for name, _ in pairs]
            raise DataError(
                f"Two values of one object would stand in the column {max(names, key=names.count)!r}.",
                where=f"{checked.source.path}, row {number}: {str(value)[:80]!r}",
                why="Objects inside an object become columns whose names are joined by a point.",
                todo="Rename one of the keys.",
            )
        return row
    raise DataError(
        f"Expected one object {{…}} per row, received {type(value).__name__}.",
        where=f"{checked.source.path}, row {number}: {str(value)[:80]!r}",
        todo='Write each row as an object with the column names as keys: {"age": 31, "name": "Ada"}.',
    )


def _flat(value: dict, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and depth < DEEPEST_OBJECT:
            yield from _flat(inner, f"{prefix}{key}.", depth + 1)
        else:
            yield prefix + key, inner


def _not_json(checked: CheckedText, line: int, error: Exception) -> UnreadableData:
    return UnreadableData(
        f"The text is not JSON: {str(error)[:150]}.",
        where=f"{checked.source.path}, line {line}",
        todo="JSON Lines holds one complete object per line; a .json file holds a list of objects.",
    )
