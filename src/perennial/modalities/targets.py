"""What is to be predicted: two classes, several, several labels at once, a number or several numbers; with the reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perennial.errors import DataError, UsageError
from perennial.lang.types import Class, Dist, Labels, Marginals, Real, Tensor, Type
from perennial.metrics import decide
from perennial.modalities.base import Finding
from perennial.modalities.numerals import Numerals, recognise
from perennial.modalities.sensing import as_texts, flatten_lists

PROBLEMS = ("binary", "multiclass", "multilabel", "regression", "multiregression")
CLASSES_OF_NUMBERS = 12
ROWS_PER_CLASS = 5
MOST_CLASSES = 1_000
LABEL_SEPARATOR = re.compile(r"\s*[;|]\s*")


@dataclass(frozen=True)
class TargetSchema:
    """How target cells become values and back.

    Args:
        names: the target columns.
        problem: one of `PROBLEMS`.
        classes: as text, in the order of codes; for several labels in one column, the labels.
        kind: dtype family of the labels that people gave: `text`, `int`, `float` or `bool`.
        numerals: decimal mark when numbers are written as text.
        separated: several labels stand in one cell.
        reason: for the problem.
    """

    names: tuple[str, ...]
    problem: str
    classes: tuple[str, ...] = ()
    kind: str = "text"
    numerals: str | None = None
    separated: bool = False
    reason: str = field(default="", compare=False)

    @property
    def output_type(self) -> Type:
        """The type of a prediction."""
        if self.problem in ("binary", "multiclass"):
            return Dist(len(self.classes))
        if self.problem == "multilabel":
            return Marginals(self.width)
        return Real if self.problem == "regression" else Tensor(self.width)

    @property
    def target_type(self) -> Type:
        """The type of a true value."""
        if self.problem in ("binary", "multiclass"):
            return Class(len(self.classes))
        return Labels(self.width) if self.problem == "multilabel" else self.output_type

    @property
    def width(self) -> int:
        """Columns of a target of several values."""
        return len(self.classes) if self.separated else len(self.names)

    def encode(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Codes, indicators or numbers; a class that was not in the training data gets the code after the last.

        Raises:
            DataError: numbers that do not parse.
        """
        if self.problem in ("binary", "multiclass"):
            codes = {label: code for code, label in enumerate(self.classes)}
            return np.array([codes.get(_key(text, self.kind), len(codes)) for text in as_texts(flatten_lists(columns[0]))], dtype=np.int64)
        if self.separated:
            return _indicators(columns[0], self.classes)
        values = [self._numbers(column, name) for column, name in zip(columns, self.names, strict=True)]
        if self.problem == "multilabel":
            return np.column_stack([(value > 0).astype(np.int64) for value in values])
        return values[0] if self.problem == "regression" else np.column_stack(values)

    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        """Labels with the values and the dtype that people gave, or numbers."""
        if self.problem in ("binary", "multiclass"):
            return self.labels()[decide(prediction, decision)]
        if self.problem == "multilabel":
            chosen = decide(prediction, decision, marginals=True)
            if not self.separated:
                return chosen
            return np.array([";".join(np.array(self.classes)[row.astype(bool)]) for row in chosen], dtype=object)
        return prediction

    def labels(self) -> np.ndarray:
        """The classes as people gave them."""
        if self.kind == "int":
            return np.array([int(label) for label in self.classes])
        if self.kind == "float":
            return np.array([float(label) for label in self.classes])
        if self.kind == "bool":
            return np.array([label == "True" for label in self.classes])
        return np.array(self.classes, dtype=object)

    def to_json(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> TargetSchema:
        """The inverse of `to_json`."""
        return TargetSchema(**{**data, "names": tuple(data["names"]), "classes": tuple(data["classes"])})

    def _numbers(self, cells: np.ndarray, name: str) -> np.ndarray:
        if cells.dtype != object:
            return cells.astype(np.float64)
        values = Numerals(self.numerals or ".").parse([None if cell is None else str(cell) for cell in cells])
        bad = [row for row, cell in enumerate(cells) if cell is not None and np.isnan(values[row])]
        if bad:
            raise DataError(
                f"The target {name!r} holds {len(bad)} values that are no numbers.",
                where="rows " + ", ".join(f"{row + 1} ({cells[row]!r})" for row in bad[:5]),
                why="A number is to be predicted.", todo="Correct them, or use --problem multiclass.",
            )  # fmt: skip
        return values


def sense_target(names: Sequence[str], columns: Sequence[np.ndarray], problem: str | None, tell: Callable[[Finding], None]) -> TargetSchema:
    """Finds out what kind of problem the target columns pose. Missing cells must be gone already.

    Raises:
        DataError: one value only, or nothing that can be predicted.
        UsageError: a problem that does not exist or does not fit.
    """
    if problem is not None and problem not in PROBLEMS:
        raise UsageError(f"A problem is one of {', '.join(PROBLEMS)}; received {problem!r}.", where="--problem")
    if len(names) > 1:
        return _several(names, columns, problem)
    name, cells = names[0], flatten_lists(columns[0])
    numerals = None
    if cells.dtype == object:
        tally = Counter(map(str, cells))
        found, _, _ = recognise(sorted(tally), np.array([tally[level] for level in sorted(tally)]))
        numerals = found.mark if found is not None else None
    values = cells if cells.dtype != object else Numerals(numerals).parse(list(cells)) if numerals else None
    texts = as_texts(cells)
    distinct = sorted(set(texts))
    if len(distinct) < 2:
        raise DataError(
            f"The target {name!r} has one value only: {distinct[0] if distinct else 'nothing'}.", where=f"column {name!r}",
            why="There is nothing to tell apart.", todo="Choose another target with --target.",
        )  # fmt: skip
    if problem in (None, "multilabel") and cells.dtype == object and numerals is None and (labels := _separated(texts)):
        reason = f"several labels stand in one cell, {len(labels)} in all; --problem multiclass overrules"
        return TargetSchema((name,), "multilabel", labels, separated=True, reason=reason)
    numeric = values is not None
    if problem == "regression" or (problem is None and numeric and not _few_values(cells, values, len(distinct))):
        if not numeric:
            raise UsageError(f"The target {name!r} is text and cannot be regressed.", where=f"column {name!r}", todo="Use --problem multiclass.")
        reason = f"{len(distinct)} different numbers; --problem multiclass overrules"
        return TargetSchema((name,), "regression", numerals=numerals, kind="float", reason=reason)
    return _classes(name, cells, texts, problem, numeric, tell)


def _classes(name: str, cells: np.ndarray, texts: list[str], problem: str | None, numeric: bool, tell: Callable) -> TargetSchema:
    kind = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(cells.dtype.kind, "text")
    if kind == "float" and all(_whole(text) for text in set(texts)):
        kind = "int"
    keys = [_key(text, kind) for text in texts]
    counts = Counter(keys)
    classes = tuple(sorted(counts, key=lambda label: (float(label), label) if kind in ("int", "float") else (0.0, label)))
    if len(classes) > MOST_CLASSES or (kind == "text" and len(classes) > len(texts) / 2 and len(texts) > 20):
        raise DataError(
            f"The target {name!r} has {len(classes)} different values in {len(texts)} rows.", where=f"column {name!r}",
            why="Nearly every row would be a class of its own.", todo="Choose another target with --target.",
        )  # fmt: skip
    _tell_about_classes(name, counts, tell)
    chosen = "binary" if len(classes) == 2 else "multiclass"
    other = "regression" if numeric else "multilabel"
    return TargetSchema((name,), chosen, classes, kind, reason=f"{len(classes)} different values; --problem {other} overrules")


def _tell_about_classes(name: str, counts: Counter, tell: Callable) -> None:
    rare = [label for label, count in counts.items() if count < 6]
    if rare:
        tell(Finding("rare classes", "warning", f"{len(rare)} classes of {name!r} have fewer than six rows.", ", ".join(rare[:5]),
                     "Their figures are little more than chance.", "They are kept, and stay in the training rows of every fold.", ""))  # fmt: skip
    folded: dict[str, list[str]] = {}
    for label in counts:
        folded.setdefault(str(label).strip().casefold(), []).append(label)
    twins = [group for group in folded.values() if len(group) > 1]
    if twins:
        tell(Finding("similar labels", "warning", f"{len(twins)} groups of labels differ only in case or spaces.", "; ".join(" / ".join(map(repr, group)) for group in twins[:3]),
                     "They are probably one class each.", "Nothing: they are kept apart.", "Merge them in the file if they are one."))  # fmt: skip


def _several(names: Sequence[str], columns: Sequence[np.ndarray], problem: str | None) -> TargetSchema:
    numbers = []
    for name, cells in zip(names, columns, strict=True):
        if cells.dtype == object:
            raise DataError(f"The target {name!r} is text.", where=f"column {name!r}", why="Several targets must be numbers or 0/1 labels.",
                            todo="Encode it as 0/1, or grow one study for each target.")  # fmt: skip
        numbers.append(cells.astype(np.float64))
    binary = all(np.isin(values, (0, 1)).all() for values in numbers)
    chosen = problem if problem in ("multilabel", "multiregression") else "multilabel" if binary else "multiregression"
    if chosen == "multilabel" and not binary:
        raise DataError("Several labels must be columns of 0 and 1.", where=", ".join(names), todo="Use --problem multiregression.")
    classes = tuple(names) if chosen == "multilabel" else ()
    return TargetSchema(tuple(names), chosen, classes, "int" if binary else "float", reason=f"{len(names)} target columns")


def _few_values(cells: np.ndarray, values: np.ndarray, distinct: int) -> bool:
    """Numbers that are classes: two values, or few whole ones with enough rows each."""
    if cells.dtype.kind == "b" or distinct == 2:
        return True
    whole = bool((values == np.round(values)).all())
    return whole and distinct <= CLASSES_OF_NUMBERS and len(values) >= ROWS_PER_CLASS * distinct


def _separated(texts: Sequence[str]) -> tuple[str, ...]:
    """The labels when at least one cell in twenty holds several and labels repeat; else nothing."""
    several = sum(bool(LABEL_SEPARATOR.search(text.strip(";| "))) for text in texts)
    if several < 0.05 * len(texts):
        return ()
    counts = Counter(label for text in texts for label in LABEL_SEPARATOR.split(text.strip(";| ")) if label)
    repeated = sum(count > 1 for count in counts.values())
    return tuple(sorted(counts)) if repeated >= 0.5 * len(counts) and 2 <= len(counts) <= MOST_CLASSES else ()


def _indicators(cells: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    found = [set(LABEL_SEPARATOR.split(str(cell or "").strip(";| "))) for cell in flatten_lists(cells)]
    return np.array([[int(label in row) for label in labels] for row in found], dtype=np.int64)


def _whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def _key(text: str | None, kind: str) -> str:
    """The label of a cell; `1.0` and `1` are one label when labels are whole numbers."""
    if text is None:
        return ""
    if kind == "int" and _whole(text):
        return str(int(float(text)))
    return text
