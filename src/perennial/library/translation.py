"""The columns of one table in the words of another: by their names, the levels of a category by theirs, and numbers that
are measured in other units by what they would be in the known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from perennial.compiler import Field
from perennial.modalities.columns import MISSING, UNSEEN, ColumnSchema, values_of
from perennial.modalities.tables import TableSchema
from perennial.modalities.units import SAME, between, profiles, same_levels, same_values

MOST_LEVELS = 256


def fields_of(known: TableSchema, asked: TableSchema) -> tuple[Field, ...] | None:
    """Where the columns that a model takes are in the rows of another task; None where one is not, or means another thing.

    A column that has one value there is that value. One category may be missing altogether, such as names of cabins that
    were few levels of many rows and are another one in each of a few rows; see `without`.

    Args:
        known: the schema that the model was grown with.
        asked: of the other task.
    """
    there = {column.name: column for column in asked.columns}
    found = [_field(column, there.get(column.name)) for column in known.used]
    present = [field for field in found if field is not None]
    return tuple(present) if len(present) == len(found) and len(without(present)) <= 1 else None


def without(fields: Sequence[Field]) -> dict[str, int]:
    """The names of categories that the rows do not have, each with how many codes it could be."""
    return {field.name: len(field.codes) for field in fields if field.constant is not None and field.codes}


def _field(known: ColumnSchema, same: ColumnSchema | None) -> Field | None:
    """Where one column is; None where it cannot be had."""
    if same is not None and (same.kind, same.format) == (known.kind, known.format):
        return Field(known.id, same.id, _codes(known, same) if known.kind == "category" else ())
    if known.kind not in ("number", "category"):
        return None
    if same is not None and same.kind in ("constant", "empty"):
        text = same.examples[0] if same.examples and same.kind == "constant" else None
        return Field(known.id, "", constant=values_of(known, np.array([text], dtype=object)).item())
    if known.kind == "category" and known.levels <= MOST_LEVELS:
        return Field(known.id, "", tuple(range(known.levels)), constant=MISSING)
    return None


def in_known_units(
    fields: Sequence[Field], known: Mapping[str, Sequence[float]], rows: Mapping[str, np.ndarray]
) -> tuple[Field, ...] | None:
    """The fields, with the units of each number that seems to be measured otherwise than the model knows it; None where the
    very same rows seem to be.

    Args:
        fields: of `fields_of`.
        known: profiles of the columns that the model was grown with, by their names there.
        rows: of the other task.
    """
    asked = profiles({field.name: field.of(rows) for field in fields})
    known = {name: known[name] for name in asked if name in known}
    units = between(known, asked)
    if units and same_values(known, asked):
        return None
    return tuple(replace(field, units=units.get(field.name, SAME)) for field in fields)


def _codes(known: ColumnSchema, asked: ColumnSchema) -> tuple[int, ...]:
    """The known code of each level that is asked for; what the model has not seen is rare to it, where it knows rare ones."""
    places = {level: code for code, level in enumerate(known.vocabulary)}
    other = len(known.vocabulary) if known.rare else UNSEEN
    same = same_levels(known.vocabulary, asked.vocabulary)
    codes = [places.get(same.get(level, level), other) for level in asked.vocabulary]
    return tuple(codes) + (other,) * (asked.levels - len(codes))
