"""Tables: from a frame of columns to a record of typed fields, with a reason for everything that was
decided."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perennial.errors import DataError, UsageError
from perennial.lang.types import Categories, Date, Real, Record, Text, Type
from perennial.modalities.base import Codec, Finding, counted
from perennial.modalities.columns import UNSEEN, USED, ColumnSchema, unreadable, values_of
from perennial.modalities.frames import Frame
from perennial.modalities.identifiers import KEY_NAME
from perennial.modalities.sensing import sense_column
from perennial.modalities.targets import TargetSchema, sense_target
from perennial.modalities.values import is_missing
from perennial.modalities.wishes import Wish

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
        return Record(
            {column.id: kinds.get(column.kind) or Categories(column.levels) for column in self.used}
        )

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

    @property
    def as_written(self) -> tuple[str, ...]:
        """The columns of a delimited file that are read cell by cell, as they were learnt."""
        return (*(column.name for column in self.used if column.as_written), *self.target.as_written)

    def display_name(self, identity: str) -> str:
        """The user's name of a field."""
        return self._by_id()[identity].name

    def level_names(self, identity: str) -> list[str]:
        """The levels of a category in the order of their codes."""
        column = self._by_id()[identity]
        return [*column.vocabulary, *(["(rare)"] if column.rare else [])]

    def encode(self, data: Any) -> dict[str, np.ndarray]:
        return self.encode_with_notes(data)[0]

    def encode_with_notes(
        self, data: Any, impute_missing: bool = False
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """Canonical columns, by name whatever their order, and sentences about what was odd.

        Raises:
            DataError: needed columns are not there (unless `impute_missing`).
        """
        frame = self._frame(data)
        cells_of = dict(zip(frame.names, frame.columns, strict=True))
        absent = [column.name for column in self.used if column.name not in cells_of]
        if absent and not impute_missing:
            raise _absent_error(absent, frame.names)
        notes = (
            [f"{len(absent)} columns are treated as missing: {', '.join(absent[:SHOWN])}"] if absent else []
        )
        nothing = np.full(frame.rows, None, dtype=object)
        columns = {}
        for column in self.used:
            cells = cells_of.get(column.name, nothing)
            columns[column.id] = values_of(column, cells)
            notes += _note_on(column, cells, columns[column.id])
        return columns, notes

    def encode_target(self, data: Any) -> np.ndarray:
        """The true values of labelled data.

        Raises:
            DataError: the target column is not there, or has missing cells.
        """
        frame = self._frame(data)
        check_targets(frame, self.targets)
        columns = [frame.column(name) for name in self.targets]
        missing = unlabelled(columns)
        if missing.any():
            raise _unlabelled_error(missing, self.targets)
        return self.target.encode(columns)

    def read(self, path: Any, **reading: Any) -> Frame:
        """The table in a file, in any order of columns; how a row is read does not depend on the others."""
        from perennial.modalities.reading import read_table

        return read_table(path, as_written=self.as_written, **reading)

    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        return self.target.decode(prediction, decision)

    def to_json(self) -> dict[str, Any]:
        return {
            "modality": "table",
            "columns": [column.to_json() for column in self.columns],
            "target": self.target.to_json(),
            "decided": list(self.decided),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> TableSchema:
        """The inverse of `to_json`."""
        columns = tuple(ColumnSchema.from_json(column) for column in data["columns"])
        return TableSchema(columns, TargetSchema.from_json(data["target"]), tuple(data["decided"]))

    def _frame(self, data: Any) -> Frame:
        return self.read(data) if isinstance(data, str | os.PathLike) else as_frame(data)

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
        kinds: the user's word on columns; on a target `category` and `number` say which problem it is.
        problem: the user's word on the problem.
        roles: columns that are no plain features, with `ignored`, `group` or `time`.

    Raises:
        DataError: the target is not there or cannot be predicted, or no column is left to learn from.
        UsageError: `kinds` or `roles` name a column that is not there, or the target.
    """
    findings: list[Finding] = []
    kinds, roles = dict(kinds or {}), dict(roles or {})
    names, guessed = find_target(frame, target)
    _refuse_strangers([*kinds, *roles], frame.names, set(names) & roles.keys())
    wishes = [Wish.of(name, kinds.get(name)) for name in names]
    problem = problem or _problem_of(wishes)
    columns = [
        _sensed(
            name,
            f"f{number:04d}",
            cells,
            kinds.get(name),
            roles.get(name),
            guessed if name in names else None,
            findings,
        )
        for number, (name, cells) in enumerate(zip(frame.names, frame.columns, strict=True), start=1)
    ]
    columns = _keep_something(columns)
    marks = [wish.detail if wish.kind == "number" else "" for wish in wishes]
    goal = sense_target(names, [frame.column(name) for name in names], problem, findings.append, marks)
    decided = [f"target {', '.join(names)}: {guessed}"] if guessed else []
    schema = TableSchema(tuple(columns), goal, (*decided, f"{goal.problem}: {goal.reason}"))
    if not schema.used:
        raise _nothing_left(columns)
    _tell_left_out(columns, findings)
    return schema, findings


def _sensed(
    name: str,
    identity: str,
    cells: np.ndarray,
    wanted: str | None,
    role: str | None,
    guessed: str | None,
    findings: list[Finding],
) -> ColumnSchema:
    """One column, with its role; `guessed` is None unless it is a target."""
    if guessed is not None:
        return ColumnSchema(name, identity, "target", guessed or "you said so")
    if role == "ignored":
        return ColumnSchema(name, identity, "ignored", "you left it out")
    heard: list[Finding] = []
    column = sense_column(name, identity, cells, wanted, heard.append)
    if role == "group":
        return replace(column, kind="group", reason="its values stay on one side of every split")
    if role == "time" and column.kind == "identifier" and cells.dtype.kind in "iuf":
        return replace(column, kind="number", reason="you said that it orders the rows")
    findings += heard
    return column


def _refuse_strangers(wanted: Sequence[str], names: Sequence[str], targets: set[str]) -> None:
    """Raises for columns that are not there, and for targets that are to be left out or to group or order
    the rows."""
    where = "--type, --drop, --group or --time-column"
    known = set(names)
    for name in wanted:
        if name not in known:
            raise UsageError(f"There is no column {name!r}.", where=where, todo=_near(name, names))
    if targets:
        raise UsageError(
            f"{', '.join(map(repr, sorted(targets)))} is the target and cannot have another part.",
            where=where,
            todo="Name another target with --target.",
        )


def _problem_of(wishes: Sequence[Wish]) -> str | None:
    """The problem that the user's word on a single target implies."""
    problems = {"category": "multiclass", "number": "regression"}
    return problems.get(wishes[0].kind) if len(wishes) == 1 else None


def _keep_something(columns: list[ColumnSchema]) -> list[ColumnSchema]:
    """Numbers that count rows are used after all when there is nothing else to learn from: `x` of a curve
    looks so."""
    if any(column.kind in USED for column in columns):
        return columns
    reason = "whole numbers that differ in every row, and no other column to learn from"
    return [
        replace(column, kind="number", reason=reason)
        if column.kind == "identifier" and not KEY_NAME.search(column.name) and _is_numeric(column)
        else column
        for column in columns
    ]


def _is_numeric(column: ColumnSchema) -> bool:
    return all(example.lstrip("-").replace(".", "", 1).isdigit() for example in column.examples)


def _nothing_left(columns: Sequence[ColumnSchema]) -> DataError:
    reasons = [
        f"{column.name}: {column.kind}, {column.reason}" for column in columns if column.kind != "target"
    ]
    more = f"; … {len(reasons) - 20} more" if len(reasons) > 20 else ""
    return DataError(
        "No column is left to learn from.",
        where="; ".join(reasons[:20]) + more or "the target is the only column",
        why="A prediction needs at least one feature.",
        todo="Overrule a decision, for instance --type COLUMN=category.",
    )


def _tell_left_out(columns: Sequence[ColumnSchema], findings: list[Finding]) -> None:
    known = {finding.where for finding in findings if finding.code == "near-constant"}
    dropped = [
        column.name for column in columns if column.kind in ("constant", "empty") and column.name not in known
    ]
    if dropped:
        findings.append(
            Finding(
                "constant",
                "info",
                f"{counted(len(dropped), 'column')} with one value or nothing.",
                ", ".join(dropped[:SHOWN]),
                "Nothing can be learnt from them.",
                "They are left out.",
                f"--type {dropped[0]}=category",
            )
        )


def _note_on(column: ColumnSchema, cells: np.ndarray, values: np.ndarray) -> list[str]:
    """A sentence about cells that could not be read as in training."""
    if column.kind == "category":
        odd = values == UNSEEN
        what = "levels never seen in training"
    elif column.kind in ("number", "date"):
        odd = unreadable(column, cells, values)
        what = f"text that is no {column.kind} and counts as missing"
    else:
        return []
    if not odd.any():
        return []
    shown = list(dict.fromkeys(str(cells[row])[:40] for row in np.flatnonzero(odd)[:1_000]))[:3]
    return [f"{column.name}: {int(odd.sum())} cells hold {what}, such as {', '.join(shown)}"]


def _absent_error(absent: Sequence[str], names: Sequence[str]) -> DataError:
    near = [(name, match) for name in absent[:SHOWN] if (match := _nearest(name, names))]
    hint = "".join(f" The data have {match!r}: is that {name!r}?" for name, match in near[:2])
    more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
    return DataError(
        f"{len(absent)} of the columns that the model uses are missing.",
        where=", ".join(absent[:SHOWN]) + more,
        why="The model was trained with them.",
        todo=f"Add them, or treat them as missing values with --impute-missing.{hint}",
    )


def find_target(frame: Frame, target: str | Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """The target columns, and the reason when they were guessed."""
    if target is not None:
        names = (target,) if isinstance(target, str) else tuple(target)
        if not names:
            raise UsageError("No target was named.", where="--target", todo="Name at least one column.")
        check_targets(frame, names)
        return names, ""
    if len(frame.names) < 2:
        raise DataError(
            "The table has one column only.",
            where=frame.names[0],
            why="A target and at least one feature are needed.",
            todo="Check the delimiter with --delimiter.",
        )
    lowered = {name.strip().lower(): name for name in frame.names}
    for name in TARGET_NAMES:
        if name in lowered:
            return (lowered[name],), "a column of this name is usually the target; --target COLUMN overrules"
    return (frame.names[-1],), "the last column; --target COLUMN overrules"


def check_targets(frame: Frame, names: Sequence[str]) -> None:
    """Refuses target names that are not there, with the nearest name."""
    for name in names:
        if name not in frame.names:
            raise DataError(
                f"There is no column {name!r}.",
                where=f"the columns are {', '.join(map(repr, frame.names[:10]))}",
                why="It is the target.",
                todo=_near(name, frame.names),
            )


def unlabelled(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Which rows lack a target or have an infinite one."""
    missing = np.zeros(len(columns[0]), dtype=bool)
    for cells in columns:
        if cells.dtype == object:
            missing |= np.array(
                [is_missing(cell) or (isinstance(cell, str) and not cell.strip()) for cell in cells],
                dtype=bool,
            )
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
        f"The target {', '.join(names)} is missing or infinite in {int(missing.sum())} of {len(missing)} "
        "rows.",
        where=f"rows {rows}",
        why="These rows cannot be learnt from or judged.",
        todo="Fill them in, or leave them out with --drop-unlabelled.",
    )


def as_frame(data: Any) -> Frame:
    """A frame from whatever people hold: a frame, a path, a data frame, arrays, a dictionary of columns."""
    from perennial.modalities.reading import frame_from, read_table

    if isinstance(data, Frame):
        return data
    return read_table(data) if isinstance(data, str | os.PathLike) else frame_from(data)


def _near(name: str, names: Sequence[str]) -> str:
    match = _nearest(name, names)
    return f"Did you mean {match!r}?" if match else "Check the spelling; names are case-sensitive."


def _nearest(name: str, names: Sequence[str]) -> str | None:
    """The name most like another; case and spaces around count for little."""
    folded = {known.strip().casefold(): known for known in names}
    close = difflib.get_close_matches(str(name).strip().casefold(), folded, n=1, cutoff=0.5)
    return folded[close[0]] if close else None
