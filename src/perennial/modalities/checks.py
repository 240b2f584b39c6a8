"""What can be wrong with a table as a whole: leaks, copies, contradictions, keys that repeat, rows in order of time."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from perennial.modalities.base import Finding
from perennial.modalities.sensing import IDENTIFIER_NAME, ColumnSchema

LEAK = 0.999
COARSE = 3.0
MIX = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(columns: dict[str, np.ndarray]) -> np.ndarray:
    """A 64-bit hash of each row, the same in every process; equal rows have equal hashes.

    >>> hashes = row_hashes({"a": np.array([1.0, 2.0, 1.0])})
    >>> bool(hashes[0] == hashes[2] != hashes[1])
    True
    """
    total = np.zeros(len(next(iter(columns.values()))), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for position, name in enumerate(sorted(columns)):
            total = (total ^ _bits(columns[name])) * MIX + np.uint64(position + 1)
            total ^= total >> np.uint64(29)
    return total


def _bits(column: np.ndarray) -> np.ndarray:
    if column.dtype == object:
        known = {text: zlib.crc32(text.encode("utf-8", "surrogatepass")) | len(text) << 32 for text in set(column.tolist())}
        return np.array([known[text] for text in column], dtype=np.uint64)
    if column.dtype.kind == "f":
        plain = np.where(np.isnan(column), np.float64("nan"), column + 0.0).astype(np.float64)
        return plain.view(np.uint64)
    return column.astype(np.int64).view(np.uint64)


def duplicate_groups(hashes: np.ndarray, tell: Callable[[Finding], None]) -> np.ndarray | None:
    """Codes that copies share, so that no copy of a training row is in a validation fold; None when all rows differ.

    When rows repeat because the columns can only say so much (three rows or more for each distinct one), repetition is
    natural and nothing is grouped.
    """
    _, codes, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    copies = len(hashes) - len(counts)
    if not copies:
        return None
    natural = len(hashes) / len(counts) >= COARSE
    rows = np.flatnonzero(counts[codes] > 1)[:5] + 1
    action = "Nothing: so few values are possible that rows repeat by nature." if natural else "Copies stay on one side of every split."
    tell(Finding("duplicates", "info" if natural else "warning", f"{copies} rows ({copies / len(hashes):.1%}) are copies of others.",
                 "rows " + ", ".join(map(str, rows)), "A copy in the validation fold would be known by heart.", action, ""))  # fmt: skip
    return None if natural else codes


def tell_noise(hashes: np.ndarray, target: np.ndarray, tell: Callable[[Finding], None]) -> None:
    """Rows with equal features and different classes: no model can be right on all of them."""
    if target.ndim != 1 or target.dtype.kind not in "iu":
        return
    _, codes = np.unique(hashes, return_inverse=True)
    k = int(target.max()) + 1
    pairs, counts = np.unique(codes.astype(np.int64) * k + target, return_counts=True)
    best = np.zeros(codes.max() + 1, dtype=np.int64)
    np.maximum.at(best, pairs // k, counts)
    ceiling = best.sum() / len(target)
    if ceiling < 1.0:
        contradicting = len(target) - int(best.sum())
        tell(Finding("contradictions", "warning" if ceiling < 0.99 else "info", f"{contradicting} rows have the same features as others and another class.", "",
                     f"No model can be right on more than {ceiling:.1%} of these rows.", "Nothing.", ""))  # fmt: skip


def leaks(columns: list[ColumnSchema], inputs: dict[str, np.ndarray], target: np.ndarray) -> list[tuple[ColumnSchema, str]]:
    """Columns that alone give the target away, with what gave them away."""
    found = []
    for column in columns:
        values = inputs.get(column.id)
        if values is None or values.dtype.kind not in "fi" or len(values) < 20:
            continue
        known = ~np.isnan(values) if values.dtype.kind == "f" else values >= 0
        if known.sum() < 20 or target.ndim != 1:
            continue
        if target.dtype.kind == "f":
            strength = _correlation(values[known].astype(np.float64), target[known])
            if strength > LEAK:
                found.append((column, f"its correlation with the target is {strength:.4f}"))
        elif (purity := _purity(values[known], target[known])) > LEAK:
            found.append((column, f"it alone is right on {purity:.2%} of the rows"))
    return found


def _correlation(values: np.ndarray, target: np.ndarray) -> float:
    if values.std() == 0 or target.std() == 0:
        return 0.0
    scaled = np.clip(values / (np.abs(values).max() or 1.0), -1, 1)
    return float(abs(np.corrcoef(scaled, target)[0, 1]))


def _purity(values: np.ndarray, target: np.ndarray) -> float:
    """How often a column alone is right: by its levels when they are few, by the best order of classes else."""
    k = int(target.max()) + 1
    _, codes = np.unique(values, return_inverse=True)
    levels = codes.max() + 1
    if levels <= len(values) / 5:
        counts = np.zeros((levels, k), dtype=np.int64)
        np.add.at(counts, (codes, target), 1)
        return float(counts.max(axis=1).sum() / len(target))
    if k != 2:
        return 0.0
    from scipy.stats import rankdata

    positive = target == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return 0.0
    area = (rankdata(values)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    return float(max(area, 1 - area))


def suggest_groups(columns: list[ColumnSchema], rows: int, tell: Callable[[Finding], None]) -> None:
    """A key that repeats (a patient, a customer) asks for a split by its values."""
    for column in columns:
        if column.kind in ("number", "category", "text") and IDENTIFIER_NAME.search(column.name) and 1 < column.unique < 0.9 * rows and column.unique > 10:
            tell(Finding("group", "warning", f"{column.name!r} looks like a key with {column.unique} values in {rows} rows.", column.name,
                         "If its rows belong together, a random split lets the model recognise them.", "Nothing yet: the split is random.", f"--group {column.name}"))  # fmt: skip


def in_order(times: np.ndarray) -> bool:
    """Whether nearly every row has its own moment and rows stand in the order of time."""
    known = times[~np.isnat(times)]
    if len(known) < max(50, 0.95 * len(times)) or len(np.unique(known)) < 0.5 * len(known):
        return False
    steps = np.diff(known.astype(np.int64))
    return bool((steps >= 0).all() or (steps <= 0).all())
