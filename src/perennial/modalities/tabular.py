"""A table sensed: from rows with a target to everything that a task holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError, UsageError
from perennial.modalities.base import LEVELS, Finding, Sensed
from perennial.modalities.checks import (
    are_moments,
    content_hashes,
    duplicate_groups,
    in_order,
    row_hashes,
    suggest_groups,
    tell_missing_words,
    tell_noise,
    tell_size,
    twin_share,
)
from perennial.modalities.columns import as_texts
from perennial.modalities.frames import Frame
from perennial.modalities.labelled import checked_weights, keep_labelled, read_labelled, refuse_few
from perennial.modalities.leaks import leaks
from perennial.modalities.tables import (
    TableSchema,
    check_targets,
    find_target,
    refuse_unlabelled,
    sense,
    unlabelled,
)
from perennial.modalities.values import is_missing
from perennial.modalities.wishes import Wish

SHOWN = 5
CHANCE = 1.5
OTHERWISE = 0.05


def sense_table(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    test: Any = None,
    name: str | None = None,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    problem: str | None = None,
    drop_unlabelled: bool = False,
    drop_leaky: bool = False,
    allow_overlap: bool = False,
    sample_weight: Any = None,
    reading: Mapping[str, Any] | None = None,
) -> Sensed:
    """Everything about a table that a task is built from; the arguments are those of `Task.from_data`.

    Args:
        reading: `encoding`, `delimiter` and `skip_bad_lines` of a text file.

    Raises:
        DataError: what cannot be learnt from, with the place and the remedy.
    """
    reading = dict(reading or {})
    written = [column for column, wish in (kinds or {}).items() if Wish.of(column, wish).as_written]
    frame, target = read_labelled(data, target, {**reading, "as_written": written})
    refuse_few(frame)
    names, _ = find_target(frame, target)
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    if isinstance(sample_weight, str):
        drop, sample_weight = (*drop, sample_weight), frame.column(sample_weight)
    weights = checked_weights(sample_weight, frame.rows)
    findings: list[Finding] = list(_notes(frame))
    frame, weights = keep_labelled(frame, names, weights, drop_unlabelled, findings)
    roles = {column: part for column, part in ((group, "group"), (time, "time")) if column is not None}
    schema, found = sense(frame, target, kinds, problem, {**dict.fromkeys(drop, "ignored"), **roles})
    findings += found
    tell_size(frame.rows, len(schema.used), findings.append)
    inputs = schema.encode(frame)
    goal = schema.target.encode([frame.column(column) for column in names])
    schema, inputs = _without_leaks(schema, inputs, goal, drop_leaky, findings)
    hashes = row_hashes(inputs)
    tell_noise(hashes, goal, findings.append)
    groups = _codes(frame, group) if group else duplicate_groups(hashes, findings.append)
    if not group:
        suggest_groups(list(schema.columns), frame.rows, findings.append)
    held_out = None if test is None else _test_task(test, schema, names, reading, drop_unlabelled, findings)
    if held_out is not None:
        _refuse_overlap(inputs, goal, held_out, allow_overlap, findings)
    times = _times(schema, inputs, time, held_out, findings)
    return Sensed(
        "table",
        name or _name(frame),
        schema,
        inputs,
        goal,
        hashes,
        tuple(sorted(findings, key=_weight_of)),
        groups,
        times,
        frame.origin,
        held_out,
        weights,
    )


def _notes(frame: Frame):
    for note in frame.origin.get("notes", ()):
        yield Finding("reading", "info", note)
    heard: list[Finding] = []
    tell_missing_words(frame.origin.get("missing_tokens", {}), heard.append)
    yield from heard


def _weight_of(finding: Finding) -> int:
    return LEVELS.index(finding.level)


def _without_leaks(
    schema: TableSchema, inputs: dict, goal: np.ndarray, drop: bool, findings: list[Finding]
) -> tuple[TableSchema, dict]:
    found = leaks(list(schema.used), inputs, goal)
    for column, how in found:
        action = "It is left out." if drop else "Nothing: it is used."
        findings.append(
            Finding(
                "leak",
                "warning",
                f"{column.name!r} gives the target away: {how}.",
                column.name,
                "If it is not known when predicting, all figures are illusions.",
                action,
                "--drop-leaky",
            )
        )
    if not drop or not found:
        return schema, inputs
    gone = {column.id for column, _ in found}
    columns = tuple(
        replace(c, kind="ignored", reason="it gives the target away") if c.id in gone else c
        for c in schema.columns
    )
    if len(gone) == len(schema.used):
        raise DataError(
            "Every column gives the target away.",
            where=", ".join(column.name for column, _ in found),
            todo="Check how the table was made.",
        )
    return replace(schema, columns=columns), {
        name: column for name, column in inputs.items() if name not in gone
    }


def _test_task(
    test: Any,
    schema: TableSchema,
    names: Sequence[str],
    reading: dict[str, Any],
    drop_unlabelled: bool,
    told: list[Finding],
) -> Sensed:
    frame, _ = read_labelled(test, names, {**reading, "as_written": schema.as_written})
    check_targets(frame, names)
    missing = unlabelled([frame.column(column) for column in names])
    if missing.any() and not drop_unlabelled:
        refuse_unlabelled(missing, names)
    frame = frame.take(np.flatnonzero(~missing)) if missing.any() else frame
    inputs, notes = schema.encode_with_notes(frame)
    goal = schema.target.encode([frame.column(column) for column in names])
    if not frame.rows:
        raise DataError(
            "The test data have no rows.",
            todo="Check the export, or leave --test out: a part of the data is then kept for testing.",
        )
    told += [Finding("test", "info", f"In the test data: {note}") for note in notes]
    _tell_new_classes(schema, goal, told)
    origin = {**frame.origin, "constants": _still_constant(schema, frame)}
    return Sensed("table", "test", schema, inputs, goal, row_hashes(inputs), origin=origin)


def _still_constant(schema: TableSchema, frame: Frame) -> list[str]:
    """Columns of one value in the rows to learn from that have it in these as well, but for few rows: those alone are not known
    again when a model that has seen them is asked whether it has."""
    found = []
    for column in schema.columns:
        if column.kind not in ("constant", "empty") or column.name not in frame.names:
            continue
        cells = frame.column(column.name)
        usual = column.examples[0] if column.examples else None
        same = sum((None if is_missing(cell) else str(cell)) == usual for cell in cells)
        if same >= (1.0 - OTHERWISE) * frame.rows:
            found.append(column.name)
    return found


def _tell_new_classes(schema: TableSchema, goal: np.ndarray, told: list[Finding]) -> None:
    """Classes that stand in the test data only: no model can name them."""
    new = np.flatnonzero(goal == len(schema.classes)) if schema.problem in ("binary", "multiclass") else []
    if len(new):
        told.append(
            Finding(
                "new classes",
                "warning",
                f"{len(new)} test rows are of a class that is not in the data to learn from.",
                "test rows " + ", ".join(str(row + 1) for row in new[:SHOWN]),
                "No model can name a class it has never seen.",
                "They count as errors.",
                "Add such rows to the data to learn from.",
            )
        )


def _refuse_overlap(
    inputs: dict, goal: np.ndarray, test: Sensed, allow: bool, findings: list[Finding]
) -> None:
    known = content_hashes(inputs, goal)
    shared = np.isin(content_hashes(test.inputs, test.target), known)
    if not shared.any():
        return
    rows = ", ".join(str(row + 1) for row in np.flatnonzero(shared)[:SHOWN])
    what = f"{int(shared.sum())} of {len(test.target)} test rows are training rows as well."
    by_chance = shared.mean() <= CHANCE * twin_share(known)
    if not allow and not by_chance:
        raise DataError(
            what,
            where=f"test rows {rows}",
            why="A model scores better on rows it has learnt; the test would flatter.",
            todo="Take them out of one of the files, or accept them with --allow-overlap.",
        )
    action = (
        "You allowed it."
        if allow
        else "Nothing: rows repeat as often among those to learn from, so it is chance."
    )
    findings.append(
        Finding(
            "overlap",
            "warning",
            what,
            f"test rows {rows}",
            "The test figure may flatter.",
            action,
            "--allow-overlap",
        )
    )


def _codes(frame: Frame, group: str) -> np.ndarray:
    """A code for each value of the group column; every row without a value is a group of its own."""
    known: dict[Any, int] = {}
    keys = [row if text is None else text for row, text in enumerate(as_texts(frame.column(group)))]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _times(
    schema: TableSchema,
    inputs: dict[str, np.ndarray],
    time: str | None,
    test: Sensed | None,
    findings: list[Finding],
) -> np.ndarray | None:
    """Seconds of each row when time orders the rows: the user's column, or the first date column in order."""
    if time is not None:
        column = next(column for column in schema.columns if column.name == time)
        values = inputs.get(column.id)
        if values is None or values.dtype.kind not in "Mf":
            raise UsageError(
                f"{time!r} is no column of dates or numbers.",
                where="--time-column",
                todo=f"Add --type {time}=date if it is one.",
            )
        return _seconds(values)
    dates = [column for column in schema.used if column.kind == "date"]
    for column in dates:
        values = inputs[column.id]
        if in_order(values) and not (test is not None and _interleaved(values, test.inputs[column.id])):
            findings.append(
                Finding(
                    "time",
                    "warning",
                    f"Rows stand in the order of {column.name!r}.",
                    column.name,
                    "A random split would let the model learn from the future.",
                    "Later rows judge models of earlier ones.",
                    "--protocol kfold",
                )
            )
            return _seconds(values)
    moments = [column.name for column in dates if are_moments(inputs[column.id])]
    if moments and test is None:
        findings.append(
            Finding(
                "time",
                "info",
                f"Rows have a date in {moments[0]!r} and do not stand in its order.",
                moments[0],
                "If the model is to predict the future, a random split flatters it.",
                "Nothing: the split is random.",
                f"--time-column {moments[0]}",
            )
        )
    return None


def _interleaved(values: np.ndarray, others: np.ndarray) -> bool:
    known = values[~np.isnat(values)]
    others = others[~np.isnat(others)]
    return bool(len(others) and len(known) and np.mean(others < known.max()) > 0.2)


def _seconds(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return values
    return np.where(
        np.isnat(values), np.nan, values.astype("datetime64[s]").astype(np.int64).astype(np.float64)
    )


def _name(frame: Frame) -> str:
    path = frame.origin.get("path")
    return Path(path).name.split(".")[0] if path else "table"
