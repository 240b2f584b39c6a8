"""Which protocol suits the data, and the sentence that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perennial import metrics
from perennial.errors import DataError, UsageError
from perennial.metrics import Metric
from perennial.protocol.dealing import CLASS_PROBLEMS, flat

if TYPE_CHECKING:
    from perennial.task import Task

KINDS = ("holdout", "kfold", "repeated_kfold", "leave_one_out", "time", "group")
TINY_ROWS = 10
VERY_FEW_ROWS = 50
FEW_ROWS = 200
CHEAP_ROWS = 5_000
MANY_ROWS = 50_000
MANY_IMAGES = 2_000
CHEAP_SECONDS = 600.0
SECONDS_PER_CELL = 1e-5
CANDIDATES_WANTED = 25
TEST_SHARE = 0.2
LARGEST_VALIDATION = 20_000
IMAGE_VALIDATION_SHARE, LARGEST_IMAGE_VALIDATION = 0.1, 5_000
LARGEST_TEST = 20_000
LARGEST_TEST_SHARE = 0.5
RARE_CLASS_ROWS = 5
EXTREME_IMBALANCE = 0.01
GROUPED_SHARE = 0.5


def check_request(task: Task, kind: str | None, folds: int | None, test_share: float | None) -> None:
    """Refuses, at the door, what cannot be met on these data."""
    if task.rows < 2:
        raise DataError(
            f"A model needs at least 2 rows, received {task.rows}.",
            why="With one row nothing can be learnt and judged at once.",
            todo="Bring more rows; from about 50 on the figures begin to mean something.",
        )
    if kind is not None and kind not in KINDS:
        raise UsageError(f"There is no protocol named {kind!r}.", todo=f"Use one of: {', '.join(KINDS)}.")
    if folds is not None and folds < 2:
        raise UsageError(
            f"A protocol needs at least 2 folds, received folds={folds}.",
            todo="For a single split use kind='holdout'.",
        )
    if test_share is not None and not 0 <= test_share <= LARGEST_TEST_SHARE:
        raise UsageError(
            f"The test share must be from 0 to {LARGEST_TEST_SHARE}, received {test_share}.",
            todo="0.2 seals a fifth of the rows.",
        )
    if kind == "time" and task.times is None:
        raise UsageError(
            "A time protocol needs a time column.", todo="Name it with --time-column (time='…')."
        )
    if kind == "group" and task.groups is None:
        raise UsageError("A group protocol needs groups.", todo="Name the column with --group (group='…').")


def choose_metric(task: Task, metric: str | Metric | None) -> tuple[Metric, str]:
    """The metric and the reason."""
    if metric is not None:
        return (chosen := metrics.resolve(metric, task.problem)), f"{chosen.name}: as you asked"
    return metrics.choose(task.problem, task.target)


def choose_test(task: Task, share: float | None) -> tuple[int, str]:
    """How many rows to seal, and the reason."""
    if task.test is not None:
        return 0, f"your {task.test.rows} test rows are sealed until the end; all {task.rows} others teach"
    if share is not None:
        rows = min(round(share * task.rows), task.rows - 2)
        return rows, f"{rows} rows are sealed for the final test, as you asked ({share:g} of {task.rows})"
    if task.rows < TINY_ROWS:
        return 0, f"warning: {task.rows} rows are too few to spare any for a final test; figures are rough"
    rows = min(LARGEST_TEST, round(TEST_SHARE * min(task.rows, 20_000) + 0.1 * max(0, task.rows - 20_000)))
    about = "about " if task.groups is not None else ""
    return rows, f"{about}{rows} of {task.rows} rows are sealed for one final test"


def choose_kind(task: Task, kind: str | None, rows: int, folds: int | None) -> tuple[str, str]:
    """The kind of split for so many rows, and the reason."""
    if kind is not None:
        return kind, f"{kind}: as you asked"
    if task.times is not None:
        return "time", "time: the rows have a time, so earlier rows are learnt from and later ones judged"
    if task.groups is not None and _grouped_share(task) > GROUPED_SHARE:
        return "group", "group: most rows belong to groups, and a group is never on both sides of a split"
    if rows < TINY_ROWS and folds is None:
        return "leave_one_out", f"leave_one_out: only {rows} rows, so each is judged by all the others"
    if rows < FEW_ROWS and folds is None:
        return (
            "repeated_kfold",
            f"repeated_kfold: {rows} rows are few; the mean of several splits is steadier",
        )
    if task.modality == "image" and rows >= MANY_IMAGES and folds is None:
        return "holdout", f"holdout: {rows} images take long to learn from; one split leaves time to search"
    if rows < MANY_ROWS or folds is not None:
        return "kfold", f"kfold: with {rows} rows every one is judged once by models that did not see it"
    return "holdout", f"holdout: {rows} rows are many; one split judges precisely and leaves time to search"


def choose_validation(task: Task, rows: int) -> int:
    """How many of so many rows judge in a holdout; few of many images, since networks thrive on rows."""
    if task.modality == "image":
        return max(1, min(LARGEST_IMAGE_VALIDATION, round(IMAGE_VALIDATION_SHARE * rows)))
    return max(1, min(LARGEST_VALIDATION, round(TEST_SHARE * rows)))


def choose_folds(task: Task, kind: str, rows: int, seconds: float, folds: int | None) -> tuple[int, int, str]:
    """Folds, repeats and the reason."""
    if kind == "holdout":
        return 1, 1, ""
    if kind == "leave_one_out":
        return 0, 1, ""
    repeats = 1 if kind != "repeated_kfold" else 5 if rows < VERY_FEW_ROWS else 3
    if folds is not None:
        return folds, repeats, f"{folds} folds: as you asked"
    if kind == "repeated_kfold":
        return 5, repeats, f"5 folds, {repeats} times over"
    if CANDIDATES_WANTED * 5 * rows * max(1, len(task.inputs)) * SECONDS_PER_CELL > 2 * seconds:
        return (
            8,
            1,
            "8 folds, of which as many are used as the time allows: each model sees seven eighths of the rows",
        )
    if rows < CHEAP_ROWS and seconds >= CHEAP_SECONDS:
        return 8, 1, "8 folds: there is time, and each model sees seven eighths of the rows"
    return 5, 1, "5 folds: each model sees four fifths of the rows"


def warnings_of(task: Task, kind: str) -> list[str]:
    """What the user should know about the data before believing a figure."""
    found = []
    if task.rows < VERY_FEW_ROWS:
        found.append(f"warning: {task.rows} rows are very few; expect wide intervals")
    if task.times is not None and kind != "time":
        found.append(
            f"warning: the rows have a time but {kind} shuffles them: models see the future they predict"
        )
    if task.groups is not None and kind not in ("group", "time") and (share := _grouped_share(task)) > 0:
        found.append(
            f"{share:.1%} of the rows share a group or are copies; they stay on one side of every split"
        )
    if task.problem in CLASS_PROBLEMS:
        found += _class_warnings(task)
    return found


def _class_warnings(task: Task) -> list[str]:
    counts = np.bincount(flat(task.target).astype(np.int64))
    present = np.flatnonzero(counts)
    rare = present[counts[present] <= RARE_CLASS_ROWS]
    names = getattr(task.schema, "classes", None)
    found = []
    if len(rare):
        shown = ", ".join(
            f"{names[code] if names is not None else code} ({counts[code]})" for code in rare[:5]
        )
        found.append(
            f"warning: {len(rare)} classes have at most {RARE_CLASS_ROWS} rows: {shown}; they are kept, and "
            "stay among the rows learnt from where they could not be learnt otherwise"
        )
    if counts[present].min() < EXTREME_IMBALANCE * counts.sum():
        found.append(
            f"warning: the largest class holds {counts.max() / counts.sum():.2%} of the rows: accuracy is "
            "meaningless; all splits keep the shares of the classes"
        )
    return found


def _grouped_share(task: Task) -> float:
    """The share of rows whose group has more rows than one."""
    _, code, counts = np.unique(task.groups, return_inverse=True, return_counts=True)
    return float((counts[code] > 1).mean())
