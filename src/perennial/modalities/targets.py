"""What is to be predicted: two classes, several, several labels at once, a number or several numbers; with
the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perennial.errors import DataError, UsageError
from perennial.lang.types import Class, Dist, Labels, Marginals, Real, Tensor, Type
from perennial.metrics import decide
from perennial.modalities.base import Finding, counted
from perennial.modalities.columns import as_texts, flatten
from perennial.modalities.numerals import Numerals, plain_share, recognise

PROBLEMS = ("binary", "multiclass", "multilabel", "regression", "multiregression")
CLASSES_OF_NUMBERS = 12
ROWS_PER_CLASS = 5
MOST_CLASSES = 1_000
RARE_CLASS_ROWS = 6
IMBALANCE = 0.01
SEPARATORS = (";", "|", ",")
SEVERAL = 0.05

Tell = Callable[[Finding], None]


@dataclass(frozen=True)
class TargetSchema:
    """How target cells become values and back.

    Args:
        names: the target columns.
        problem: one of `PROBLEMS`.
        classes: as text, in the order of codes; for several labels, the labels.
        kind: family of the labels that people gave: `text date int float bool`. Floats that are all
            whole are `int`: a column of whole numbers becomes one of floats as soon as a cell is missing.
        marks: for each target column the decimal mark of numbers written as text, or "".
        pairs: for target columns of two texts each, the text of 0 and the text of 1.
        separator: what stands between several labels in one cell; "" when a cell holds one.
        reason: for the problem.
    """

    names: tuple[str, ...]
    problem: str
    classes: tuple[str, ...] = ()
    kind: str = "text"
    marks: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    separator: str = ""
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
        return len(self.classes) if self.separator else len(self.names)

    @property
    def as_written(self) -> tuple[str, ...]:
        """Columns that are read from the text of their cells: labels of text, numbers in a writing of their own."""
        if self.kind == "text":
            return self.names
        return tuple(name for name, mark in zip(self.names, self.marks, strict=False) if mark)

    def encode(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Codes, indicators or numbers; a class that is new gets the code after the last.

        Raises:
            DataError: cells that are no numbers where numbers are to be predicted.
        """
        if self.problem in ("binary", "multiclass"):
            codes = {_key(label, self.kind): code for code, label in enumerate(self.classes)}
            texts = as_texts(columns[0])
            return np.array([codes.get(_key(text, self.kind), len(codes)) for text in texts], dtype=np.int64)
        if self.separator:
            return _indicators(columns[0], self.classes, self.separator)
        if self.pairs:
            ones = [
                np.array([text == one for text in as_texts(cells)])
                for cells, (_, one) in zip(columns, self.pairs, strict=True)
            ]
            return np.column_stack(ones).astype(np.int64)
        marks = self.marks or ("",) * len(self.names)
        values = [_numbers(*given) for given in zip(columns, self.names, marks, strict=True)]
        if self.problem == "multilabel":
            return np.column_stack([(value > 0).astype(np.int64) for value in values])
        return values[0] if self.problem == "regression" else np.column_stack(values)

    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        """Labels with the values that people gave and the dtype of their `kind`, or numbers."""
        if self.problem in ("binary", "multiclass"):
            return self.labels()[decide(prediction, decision)]
        if self.problem != "multilabel":
            return prediction
        chosen = decide(prediction, decision, marginals=True)
        if self.separator:
            labels = np.array(self.classes, dtype=object)
            return np.array([self.separator.join(labels[row.astype(bool)]) for row in chosen], dtype=object)
        if self.pairs:
            return np.column_stack(
                [
                    np.array(pair, dtype=object)[column]
                    for pair, column in zip(self.pairs, chosen.T, strict=True)
                ]
            )
        return chosen.astype(bool) if self.kind == "bool" else chosen

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
        tuples = {name: tuple(data[name]) for name in ("names", "classes", "marks")}
        return TargetSchema(**{**data, **tuples, "pairs": tuple(tuple(pair) for pair in data["pairs"])})


def sense_target(
    names: Sequence[str],
    columns: Sequence[np.ndarray],
    problem: str | None,
    tell: Tell,
    marks: Sequence[str] = (),
) -> TargetSchema:
    """Finds out what kind of problem the target columns pose. Missing cells must be gone already.

    Args:
        names: of the target columns.
        columns: their cells, `(n,)` each.
        problem: the user's word, or None.
        tell: receives findings.
        marks: the user's word on the decimal mark of each column, or "".

    Raises:
        DataError: one value only, or nothing that can be predicted.
        UsageError: a problem that does not exist or does not fit.
    """
    if problem is not None and problem not in PROBLEMS:
        raise UsageError(
            f"A problem is one of {', '.join(PROBLEMS)}; received {problem!r}.", where="--problem"
        )
    if len(names) > 1:
        return _several(names, columns, problem, tell, marks or ("",) * len(names))
    name, cells = names[0], flatten(columns[0])
    texts = as_texts(cells)
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < 2:
        raise DataError(
            f"The target {name!r} has one value only: {distinct[0] if distinct else 'nothing'}.",
            where=f"column {name!r}",
            why="There is nothing to tell apart.",
            todo="Choose another target with --target.",
        )
    mark, values = _as_numbers(cells, *marks)
    if problem in (None, "multilabel") and values is None:
        labels, separator = separated(texts, forced=problem is not None)
        if labels:
            reason = f"several labels stand in one cell, {len(labels)} in all; --problem multiclass overrules"
            return TargetSchema((name,), "multilabel", labels, separator=separator, reason=reason)
    if problem == "multilabel":
        raise UsageError(
            f"No cell of {name!r} holds several labels.",
            where="--problem multilabel",
            todo="Separate labels by ';', or name several targets.",
        )
    if problem in ("regression", "multiregression") or (
        problem is None and _is_quantity(cells, values, len(distinct))
    ):
        if values is None:
            raise UsageError(
                f"The target {name!r} is text and cannot be regressed.",
                where=f"column {name!r}",
                todo="Use --problem multiclass.",
            )
        reason = f"{len(distinct)} different numbers; --problem multiclass overrules"
        return TargetSchema((name,), "regression", kind="float", marks=(mark,), reason=reason)
    return _classes(name, cells, texts, problem, values is not None, tell)


def _as_numbers(cells: np.ndarray, wished: str = "") -> tuple[str, np.ndarray | None]:
    """The decimal mark of numbers written as text, the one that was wished for if any, and the values; None where
    the cells are no numbers."""
    if cells.dtype.kind == "M":
        return "", None
    if cells.dtype != object:
        return "", cells.astype(np.float64)
    if wished:
        return wished, Numerals(wished).parse(cells.tolist())
    tally = Counter("" if cell is None else cell for cell in cells.tolist())
    levels, counts = list(tally), np.array(list(tally.values()))
    found, _, _ = recognise(levels, counts)
    if found is not None and not found.unit:
        return found.mark, found.parse(cells.tolist())
    share, distinct = plain_share(levels, counts)
    if share >= 0.8 and distinct > CLASSES_OF_NUMBERS:
        return ".", Numerals(".").parse(cells.tolist())
    return "", None


def _is_quantity(cells: np.ndarray, values: np.ndarray | None, distinct: int) -> bool:
    """Numbers are classes when there are two of them, or few whole ones with enough rows each."""
    if values is None or cells.dtype.kind == "b" or distinct == 2:
        return False
    whole = bool((values == np.round(values)).all())
    return not (whole and distinct <= CLASSES_OF_NUMBERS and len(values) >= ROWS_PER_CLASS * distinct)


def _classes(
    name: str, cells: np.ndarray, texts: list[str], problem: str | None, numeric: bool, tell: Tell
) -> TargetSchema:
    kind = {"b": "bool", "i": "int", "u": "int", "f": "float", "M": "date"}.get(cells.dtype.kind, "text")
    if kind == "float" and all(map(_is_whole, set(texts))):
        kind = "int"
    counts = Counter(_key(text, kind) for text in texts)
    classes = tuple(
        sorted(counts, key=lambda label: (float(label), label) if kind in ("int", "float") else (0.0, label))
    )
    names_rows = kind in ("text", "date") and len(classes) > len(texts) / 2 and len(texts) > 20
    if len(classes) > MOST_CLASSES or names_rows:
        raise DataError(
            f"The target {name!r} has {len(classes)} different values in {len(texts)} rows.",
            where=f"column {name!r}",
            why="Nearly every row would be a class of its own."
            + " A moment in time cannot be predicted as it stands." * (cells.dtype.kind == "M"),
            todo="Choose another target with --target, or turn it into a number.",
        )
    if problem == "binary" and len(classes) != 2:
        raise UsageError(
            f"The target {name!r} has {len(classes)} classes, not two.",
            where="--problem binary",
            todo="Use --problem multiclass, or merge classes in the file.",
        )
    _tell_about_classes(name, counts, tell)
    chosen = "binary" if len(classes) == 2 else "multiclass"
    overrule = "; --problem regression overrules" if numeric else ""
    return TargetSchema((name,), chosen, classes, kind, reason=f"{len(classes)} different values{overrule}")


def _tell_about_classes(name: str, counts: Counter, tell: Tell) -> None:
    rare = [label for label, count in counts.items() if count < RARE_CLASS_ROWS]
    if rare:
        tell(
            Finding(
                "rare classes",
                "warning",
                f"{counted(len(rare), 'class')} of {name!r} with fewer than six rows.",
                ", ".join(f"{label} ({counts[label]})" for label in rare[:5]),
                "Their figures are little more than chance.",
                "They are kept, and stay among the rows learnt from.",
                "Merge them in the file, or leave their rows out.",
            )
        )
    largest, total = max(counts.values()), sum(counts.values())
    if largest > (1 - IMBALANCE) * total:
        tell(
            Finding(
                "imbalance",
                "warning",
                f"One class of {name!r} holds {largest / total:.2%} of the rows.",
                name,
                "Accuracy is meaningless: always naming that class would look excellent.",
                "Splits keep the shares of the classes, and the metric is chosen for it.",
                "--metric",
            )
        )
    folded: dict[str, list[str]] = {}
    for label in counts:
        folded.setdefault(_folded(label), []).append(label)
    twins = [group for group in folded.values() if len(group) > 1]
    if twins:
        tell(
            Finding(
                "similar labels",
                "warning",
                f"{len(twins)} groups of labels of {name!r} differ only in case, spaces or spelling.",
                "; ".join(" / ".join(map(repr, group)) for group in twins[:3]),
                "They are probably one class each.",
                "Nothing: they are kept apart.",
                "Merge them in the file if they are one.",
            )
        )


def _several(
    names: Sequence[str],
    columns: Sequence[np.ndarray],
    problem: str | None,
    tell: Tell,
    marks: Sequence[str],
) -> TargetSchema:
    if len(set(names)) < len(names):
        raise UsageError(
            "A target is named twice.", where=f"--target {', '.join(names)}", todo="Name each column once."
        )
    if problem not in (None, "multilabel", "multiregression"):
        raise UsageError(
            f"{len(names)} targets are no {problem} problem.",
            where="--problem",
            todo="Use multilabel or multiregression.",
        )
    found = [_as_numbers(flatten(cells), mark) for cells, mark in zip(columns, marks, strict=True)]
    marks, numbers = zip(*found, strict=True)
    constant = [name for name, cells in zip(names, columns, strict=True) if len(set(as_texts(cells))) < 2]
    if len(constant) == len(names):
        raise DataError(
            "Every target has one value only.", where=", ".join(names), why="There is nothing to tell apart."
        )
    if constant:
        tell(
            Finding(
                "constant target",
                "warning",
                f"{len(constant)} targets have one value only.",
                ", ".join(constant[:5]),
                "Nothing can be learnt about them.",
                "They are predicted as that value.",
                "--target",
            )
        )
    if all(values is None for values in numbers) and problem != "multiregression":
        return _pairs(names, columns)
    _refuse_text(names, numbers)
    binary = all(np.isin(values[np.isfinite(values)], (0, 1)).all() for values in numbers)
    chosen = problem or ("multilabel" if binary else "multiregression")
    if chosen == "multilabel" and not binary:
        raise DataError(
            "Several labels must be columns of 0 and 1.",
            where=", ".join(names),
            todo="Use --problem multiregression.",
        )
    kind = "bool" if all(cells.dtype.kind == "b" for cells in columns) else "int" if binary else "float"
    classes = tuple(names) if chosen == "multilabel" else ()
    reason = f"{len(names)} target columns of {'0 and 1' if binary else 'numbers'}"
    return TargetSchema(tuple(names), chosen, classes, kind, marks=marks, reason=reason)


def _pairs(names: Sequence[str], columns: Sequence[np.ndarray]) -> TargetSchema:
    """Several columns of two texts each, such as `no` and `yes`; the second in alphabetical order is 1."""
    found = [sorted({text for text in as_texts(cells) if text is not None}) for cells in columns]
    _refuse_text(names, [None if len(texts) != 2 else np.zeros(0) for texts in found])
    pairs = tuple((texts[0], texts[1]) for texts in found)
    return TargetSchema(
        tuple(names),
        "multilabel",
        tuple(names),
        "text",
        pairs=pairs,
        reason=f"{len(names)} target columns of two values",
    )


def _refuse_text(names: Sequence[str], numbers: Sequence[np.ndarray | None]) -> None:
    bad = [name for name, values in zip(names, numbers, strict=True) if values is None]
    if bad:
        raise DataError(
            f"The target {bad[0]!r} is text.",
            where=", ".join(f"column {name!r}" for name in bad[:5]),
            why="Several targets must all be numbers, or all have two values each.",
            todo="Encode it as 0 and 1, or grow one study for each target.",
        )


def separated(texts: Sequence[str | None], forced: bool = False) -> tuple[tuple[str, ...], str]:
    """The labels and what separates them, when cells hold several and labels repeat; else nothing.

    A comma separates labels only if the labels are far fewer than their combinations; it is common in names.

    >>> separated(["a;b", "b", "a", "b;a"] * 5)
    (('a', 'b'), ';')
    """
    known = [text for text in texts if text]
    for separator in SEPARATORS:
        several = sum(separator in text.strip(f"{separator} ") for text in known)
        if several < (1 if forced else max(1, SEVERAL * len(texts))):
            continue
        counts = Counter(label for text in known for label in set(_split(text, separator)))
        repeated = sum(count > 1 for count in counts.values())
        few = 2 <= len(counts) <= MOST_CLASSES and repeated >= (0.5 if separator != "," else 0.9) * len(
            counts
        )
        if few and (forced or separator != "," or 2 * len(counts) <= len(set(known))):
            return tuple(sorted(counts)), separator
    return (), ""


def _split(text: str, separator: str) -> list[str]:
    return [label for part in text.split(separator) if (label := part.strip())]


def _indicators(cells: np.ndarray, labels: Sequence[str], separator: str) -> np.ndarray:
    codes = {label: code for code, label in enumerate(labels)}
    indicators = np.zeros((len(cells), len(labels)), dtype=np.int64)
    for row, text in enumerate(as_texts(cells)):
        for label in _split(text or "", separator):
            if label in codes:
                indicators[row, codes[label]] = 1
    return indicators


def _numbers(cells: np.ndarray, name: str, mark: str) -> np.ndarray:
    if cells.dtype != object:
        return cells.astype(np.float64)
    values = Numerals(mark or ".").parse(flatten(cells).tolist())
    bad = [row for row in np.flatnonzero(np.isnan(values)).tolist() if cells[row] is not None]
    if bad:
        raise DataError(
            f"The target {name!r} holds {len(bad)} values that are no numbers.",
            where="rows " + ", ".join(f"{row + 1} ({str(cells[row])[:40]!r})" for row in bad[:5]),
            why="A number is to be predicted.",
            todo="Correct them, or empty them and use --drop-unlabelled, or use --problem multiclass.",
        )
    return values


def _is_whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def _key(text: str | None, kind: str) -> str:
    """The label of a cell; numbers that are written differently are one label when labels are numbers.

    >>> _key("1.0", "int"), _key("0.50", "float"), _key("0.50", "text")
    ('1', '0.5', '0.50')
    """
    if text is None:
        return ""
    if kind == "int" and _is_whole(text):
        return str(int(float(text)))
    if kind == "bool" and text.strip().lower() in ("true", "false", "1", "0", "1.0", "0.0"):
        return str(text.strip().lower() in ("true", "1", "1.0"))
    if kind == "float":
        try:
            return str(float(text))
        except ValueError:
            return text
    return text


def _folded(label: str) -> str:
    """One spelling for labels that are probably one class."""
    text = label.strip().casefold()
    return str(int(float(text))) if _is_whole(text) and abs(float(text)) < 2**53 else text
