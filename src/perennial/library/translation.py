"""The columns of one table in the words of another: by their names, and the levels of a category by theirs."""

from __future__ import annotations

from perennial.compiler import Field
from perennial.modalities.columns import UNSEEN, ColumnSchema
from perennial.modalities.tables import TableSchema


def fields_of(known: TableSchema, asked: TableSchema) -> tuple[Field, ...] | None:
    """Where the columns that a model takes are in the rows of another task; None where one is not, or means another thing.

    Args:
        known: the schema that the model was grown with.
        asked: of the other task.
    """
    there = {column.name: column for column in asked.used}
    found = []
    for column in known.used:
        same = there.get(column.name)
        if same is None or (same.kind, same.format) != (column.kind, column.format):
            return None
        found.append(Field(column.id, same.id, _codes(column, same) if column.kind == "category" else ()))
    return tuple(found)


def _codes(known: ColumnSchema, asked: ColumnSchema) -> tuple[int, ...]:
    """The known code of each level that is asked for; what the model has not seen is rare to it, where it knows rare ones."""
    places = {level: code for code, level in enumerate(known.vocabulary)}
    other = len(known.vocabulary) if known.rare else UNSEEN
    codes = [places.get(level, other) for level in asked.vocabulary]
    return tuple(codes) + (other,) * (asked.levels - len(codes))
