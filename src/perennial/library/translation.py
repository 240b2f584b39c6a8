"""The columns of one table in the words of another: by their names, the levels of a category by theirs, and numbers that
are measured in other units by what they would be in the known ones."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

import numpy as np

from perennial.compiler import Field
from perennial.modalities.columns import MISSING, UNSEEN, ColumnSchema, values_of
from perennial.modalities.tables import TableSchema
from perennial.modalities.units import LEVELS, SAME, between, same_levels, same_values
from perennial.task import Task

MOST_LEVELS = 256


def fields_of(
    known: TableSchema, asked: TableSchema, constants: Container[str] | None = None
) -> tuple[Field, ...] | None:
    """Where the columns that a model takes are in the rows of another task; None where one is not, or means another thing.

    A column that has one value there is that value. One category may be missing altogether, such as names of cabins that
    were few levels of many rows and are another one in each of a few rows; see `without`.

    Args:
        known: the schema that the model was grown with.
        asked: of the other task.
        constants: names of the columns of one value that have it in all rows that the model is asked about; None for all.
    """
    there = {column.name: column for column in asked.columns}
    found = [_field(column, there.get(column.name), constants) for column in known.used]
    present = [field for field in found if field is not None]
    return tuple(present) if len(present) == len(found) and len(without(present)) <= 1 else None


def without(fields: Sequence[Field]) -> dict[str, int]:
    """The names of categories that the rows do not have, each with how many codes it could be."""
    return {field.name: field.levels for field in fields if field.levels}


def constants_of(task: Task) -> Container[str] | None:
    """For `fields_of`: of a test of its own only what has the one value there too; what no test contradicts is believed."""
    return None if task.test is None else task.test.origin.get("constants", ())


def _field(known: ColumnSchema, same: ColumnSchema | None, constants: Container[str] | None) -> Field | None:
    """Where one column is; None where it cannot be had."""
    if same is not None and (same.kind, same.format) == (known.kind, known.format):
        return Field(known.id, same.id, _codes(known, same) if known.kind == "category" else ())
    if known.kind not in ("number", "category"):
        return None
    if same is not None and same.kind in ("constant", "empty"):
        if known.format or not (constants is None or same.name in constants):
            return None
        text = same.examples[0] if same.examples and same.kind == "constant" else None
        value = values_of(known, np.array([text], dtype=object)).item()
        return Field(known.id, "", constant=math.nan if value != value else value)
    if known.kind == "category" and known.levels <= MOST_LEVELS:
        return Field(known.id, "", constant=MISSING, levels=known.levels)
    return None


def in_known_units(
    fields: Sequence[Field], known: Mapping[str, Sequence[float]], asked: Mapping[str, Sequence[float]]
) -> list[tuple[Field, ...]] | None:
    """The fields, with the units of each number that seems to be measured otherwise than the model knows it: the likeliest
    first, then others that would do nearly as well. None where the very same rows seem to be.

    Args:
        fields: of `fields_of`.
        known: profiles of the columns that the model was grown with, by their names there.
        asked: of those of the other task.
    """
    there = {field.name: _profile(field, asked) for field in fields}
    known = {field.name: known[field.name] for field in fields if field.name in known}
    if same_values(known, there):
        return None
    return [
        tuple(replace(field, units=units.get(field.name, SAME)) for field in fields)
        for units in between(known, there)
    ]


def _profile(field: Field, asked: Mapping[str, Sequence[float]]) -> Sequence[float]:
    if isinstance(field.constant, float):
        return (field.constant,) * len(LEVELS)
    return asked.get(field.source, ())


def _codes(known: ColumnSchema, asked: ColumnSchema) -> tuple[int, ...]:
    """The known code of each level that is asked for; what the model has not seen is rare to it, where it knows rare ones."""
    places = {level: code for code, level in enumerate(known.vocabulary)}
    other = len(known.vocabulary) if known.rare else UNSEEN
    same = same_levels(known.vocabulary, asked.vocabulary)
    codes = [places.get(same.get(level, level), other) for level in asked.vocabulary]
    return tuple(codes) + (other,) * (asked.levels - len(codes))
