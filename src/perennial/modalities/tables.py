"""Tables: from a frame of columns to a record of typed fields, with a reason for everything that was decided."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perennial.errors import DataError, UsageError
from perennial.lang.types import Categories, Date, Real, Record, Text, Type
from perennial.modalities.base import Codec, Finding
from perennial.modalities.frames import Frame
from perennial.modalities.sensing import USED, ColumnSchema, sense_column, values_of
from perennial.modalities.targets import TargetSchema, sense_target

TARGET_NAMES = ("target", "label", "class", "y", "outcome", "labels")
SHOWN = 5


@dataclass(frozen=True)
class TableSchema(Codec):
    """How a table is read: one entry for each column, and the target.

    Args:
        columns: in the order of the file.
        target: what is to be predicted.
        decided: sentences about what was guessed.
    """

    columns: tuple[ColumnSchema, ...]
    target: TargetSchema
    decided: tuple[str, ...] = field(default=(), compare=False)

    @property
    def used(self) -> tuple[ColumnSchema, ...]:
        """The columns that a model sees."""
        return tuple(column for column in self.columns if column.kind in USED)

    @property
    def input_type(self) -> Record:
        """One field for each used column."""
        kinds = {"number": Real, "date": Date, "text": Text}
        return Record({column.id: kinds.get(column.kind) or Categories(column.levels) for column in self.used})

    @property
    def output_type(self) -> Type:
        return self.target.output_type

    @property
    def target_type(self) -> Type:
        """The type of a true value."""
        return self.target.target_type

    @property
    def problem(self) -> str:
        return self.target.problem

    @property
    def targets(self) -> tuple[str, ...]:
        return self.target.names

    @property
    def classes(self) -> tuple:
        return tuple(self.target.classes if self.problem == "multilabel" else self.target.labels().tolist())

    def display_name(self, identity: str) -> str:
        """The user's name of a field."""
        return self._by_id()[identity].name

    def level_names(self, identity: str) -> list[str]:
        """The levels of a category in the order of their codes."""
        column = self._by_id()[identity]
        return [*column.vocabulary, *(["(rare)"] if column.rare else [])]

    def encode(self, data: Any) -> dict[str, np.ndarray]:
        return self.encode_with_notes(data)[0]

    def encode_with_notes(self, data: Any, impute_missing: bool = False) -> tuple[dict[str, np.ndarray], list[str]]:
        """Canonical columns, by name whatever their order, and sentences about what was odd.

        Raises:
            DataError: needed columns are not there (unless `impute_missing`).
        """
        frame = as_frame(data)
        absent = [column.name for column in self.used if column.name not in frame.names]
        if absent and not impute_missing:
            raise DataError(
                f"{len(absent)} of the columns that the model uses are missing.", where=", ".join(absent[:SHOWN]),
                why="The model was trained with them.", todo="Add them, or treat them as missing values with --impute-missing.",
            )  # fmt: skip
        notes = [f"{len(absent)} columns are treated as missing: {', '.join(absent[:SHOWN])}"] if absent else []
        columns = {}
        for column in self.used:
            cells = np.full(frame.rows, None, dtype=object) if column.name in absent else frame.column(column.name)
            values = values_of(column, cells)
            columns[column.id] = values
            unseen = int((values == -2).sum()) if column.kind == "category" else 0
            if unseen:
                shown = list(dict.fromkeys(str(cells[row]) for row in np.flatnonzero(values == -2)))[:3]
                notes.append(f"{column.name}: {unseen} cells hold levels never seen in training, such as {', '.join(shown)}")
        return columns, notes

    def encode_target(self, data: Any) -> np.ndarray:
        """The true values of labelled data.

        Raises:
            DataError: the target column is not there, or has missing cells.
        """
        frame = as_frame(data)
        check_targets(frame, self.targets)
        columns = [frame.column(name) for name in self.targets]
        missing = unlabelled(columns)
        if missing.any():
            raise _unlabelled_error(missing, self.targets)
        return self.target.encode(columns)

    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        return self.target.decode(prediction, decision)

    def to_json(self) -> dict[str, Any]:
        return {
            "modality": "table", "columns": [column.to_json() for column in self.columns], "target": self.target.to_json(),
            "decided": list(self.decided),
        }  # fmt: skip

    @staticmethod
    def from_json(data: dict[str, Any]) -> TableSchema:
        """The inverse of `to_json`."""
        columns = tuple(ColumnSchema.from_json(column) for column in data["columns"])
        return TableSchema(columns, TargetSchema.from_json(data["target"]), tuple(data["decided"]))

    def _by_id(self) -> dict[str, ColumnSchema]:
        return {column.id: column for column in self.columns}


def sense(
    frame: Frame,
    target: str | Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    problem: str | None = None,
    roles: Mapping[str, str] | None = None,
) -> tuple[TableSchema, list[Finding]]:
    """What each column of a frame is, what is to be predicted, and what was found on the way.

    Args:
        frame: without rows whose target is missing.
        target: column or columns; `None` guesses.
        kinds: the user's word on columns.
        problem: the user's word on the problem.
        roles: columns that are no features, with `ignored`, `group` or `time`.

    Raises:
        DataError: the target is not there or cannot be predicted, or no column is left to learn from.
        UsageError: `kinds` names a column that is not there.
    """
    findings: list[Finding] = []
    names, guessed = find_target(frame, target)
    overrides = {**(kinds or {}), **{column: "ignored" for column, role in (roles or {}).items() if role == "ignored"}}
    for name in [*overrides, *(roles or {})]:
        if name not in frame.names:
            raise UsageError(f"There is no column {name!r}.", where="--type, --drop, --group or --time-column", todo=_near(name, frame.names))
    columns = []
    for number, name in enumerate(frame.names, start=1):
        identity = f"f{number:04d}"
        if name in names:
            columns.append(ColumnSchema(name, identity, "target", guessed or "you said so"))
            continue
        column = sense_column(name, identity, frame.column(name), overrides.get(name), findings.append)
        if (roles or {}).get(name) == "group":
            column = replace(column, kind="group", reason="its values stay on one side of every split")
        columns.append(column)
    columns = _keep_something(columns)
    goal = sense_target(names, [frame.column(name) for name in names], problem, findings.append)
    decided = [f"target {', '.join(names)}: {guessed}"] if guessed else []
    schema = TableSchema(tuple(columns), goal, (*decided, f"{goal.problem}: {goal.reason}"))
    if not schema.used:
        reasons = "; ".join(f"{column.name}: {column.kind}, {column.reason}" for column in columns if column.kind != "target")
        raise DataError("No column is left to learn from.", where=reasons or "the target is the only column", why="A prediction needs at least one feature.",
                        todo="Overrule a decision, for instance --type COLUMN=category.")  # fmt: skip
    dropped = [column.name for column in columns if column.kind in ("constant", "empty")]
    if dropped:
        findings.append(Finding("constant", "info", f"{len(dropped)} columns hold one value or nothing.", ", ".join(dropped[:SHOWN]),
                                "Nothing can be learnt from them.", "They are left out.", ""))  # fmt: skip
    return schema, findings


def _keep_something(columns: list[ColumnSchema]) -> list[ColumnSchema]:
    """Numbers that count rows are used after all when there is nothing else to learn from: `x` of a curve looks so."""
    if any(column.kind in USED for column in columns):
        return columns
    reason = "whole numbers that differ in every row, and no other column to learn from"
    return [replace(c, kind="number", reason=reason) if c.kind == "identifier" and not c.vocabulary and _is_numeric(c) else c for c in columns]


def _is_numeric(column: ColumnSchema) -> bool:
    return all(example.lstrip("-").replace(".", "", 1).isdigit() for example in column.examples)


def find_target(frame: Frame, target: str | Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """The target columns, and the reason when they were guessed."""
    if target is not None:
        names = (target,) if isinstance(target, str) else tuple(target)
        check_targets(frame, names)
        return names, ""
    if len(frame.names) < 2:
        raise DataError("The table has one column only.", where=frame.names[0], why="A target and at least one feature are needed.",
                        todo="Check the delimiter with --delimiter.")  # fmt: skip
    lowered = {name.strip().lower(): name for name in frame.names}
    for name in TARGET_NAMES:
        if name in lowered:
            return (lowered[name],), f"a column of this name is usually the target; --target COLUMN overrules"
    return (frame.names[-1],), "the last column; --target COLUMN overrules"


def check_targets(frame: Frame, names: Sequence[str]) -> None:
    """Refuses target names that are not there, with the nearest name."""
    for name in names:
        if name not in frame.names:
            raise DataError(f"There is no column {name!r}.", where=f"the columns are {', '.join(map(repr, frame.names[:10]))}",
                            why="It is the target.", todo=_near(name, frame.names))  # fmt: skip


def unlabelled(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Which rows lack a target or have an infinite one."""
    missing = np.zeros(len(columns[0]), dtype=bool)
    for cells in columns:
        if cells.dtype == object:
            missing |= np.array([cell is None or cell != cell or (isinstance(cell, str) and not cell.strip()) for cell in cells], dtype=bool)
        elif cells.dtype.kind == "f":
            missing |= ~np.isfinite(cells)
        elif cells.dtype.kind == "M":
            missing |= np.isnat(cells)
    return missing


def refuse_unlabelled(missing: np.ndarray, names: Sequence[str]) -> None:
    """Raises when any row lacks its target."""
    if missing.any():
        raise _unlabelled_error(missing, names)


def _unlabelled_error(missing: np.ndarray, names: Sequence[str]) -> DataError:
    rows = ", ".join(str(row + 1) for row in np.flatnonzero(missing)[:SHOWN])
    return DataError(
        f"The target {', '.join(names)} is missing or infinite in {int(missing.sum())} of {len(missing)} rows.", where=f"rows {rows}",
        why="These rows cannot be learnt from or judged.", todo="Fill them in, or leave them out with --drop-unlabelled.",
    )  # fmt: skip


def as_frame(data: Any) -> Frame:
    """A frame from whatever people hold: a frame, a path, a data frame, arrays, a dictionary of columns."""
    import os

    from perennial.modalities.reading import frame_from, read_table

    if isinstance(data, Frame):
        return data
    return read_table(data) if isinstance(data, str | os.PathLike) else frame_from(data)


def _near(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else "Check the spelling; names are case-sensitive."


