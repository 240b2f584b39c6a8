"""What can be odd about a table as a whole: copies, contradictions, keys that repeat, rows in order of
time, few rows, many columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import numpy as np

from perennial.modalities.base import Finding, counted
from perennial.modalities.columns import ColumnSchema
from perennial.modalities.identifiers import ID_NAME, OWNER_NAME

COARSE = 3.0
FEW_ROWS = 50
MANY_COLUMNS = 1_000
NOISE_PAIRS = 20
SPLITTABLE = ("number", "category", "text", "identifier")
NOISE_SHARE = 0.01
MIX = np.uint64(0x9E3779B97F4A7C15)

Tell = Callable[[Finding], None]


def row_hashes(columns: Mapping[str, np.ndarray]) -> np.ndarray:
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


def content_hashes(inputs: Mapping[str, np.ndarray], goal: np.ndarray) -> np.ndarray:
    """A hash of each row, features and target together, the same in every process."""
    columns = goal.reshape(len(goal), -1)
    return row_hashes({**inputs, **{f"zz{number}": column for number, column in enumerate(columns.T)}})


def _bits(column: np.ndarray) -> np.ndarray:
    if column.ndim > 1:
        rows = np.ascontiguousarray(column).reshape(len(column), math.prod(column.shape[1:])).view(np.uint8)
        digests = (blake2b(row, digest_size=8).digest() for row in rows)
        return np.frombuffer(b"".join(digests), dtype=np.uint64)
    if column.dtype == object:
        known = {
            text: int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
            for text in set(column.tolist())
        }
        return np.array([known[text] for text in column.tolist()], dtype=np.uint64)
    if column.dtype.kind == "f":
        plain = np.where(np.isnan(column), np.float64("nan"), column + 0.0).astype(np.float64)
        return plain.view(np.uint64)
    return column.astype(np.int64).view(np.uint64)


def duplicate_groups(hashes: np.ndarray, tell: Tell) -> np.ndarray | None:
    """Codes that copies share, so that none is in another fold than its copy; None when all rows differ.

    When rows repeat because the columns can only say so much (three rows or more for each distinct one),
    repetition is natural and nothing is grouped.
    """
    _, codes, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    copies = len(hashes) - len(counts)
    if not copies:
        return None
    natural = len(hashes) / len(counts) >= COARSE
    rows = np.flatnonzero(counts[codes] > 1)[:5] + 1
    action = (
        "Nothing: so few values are possible that rows repeat by nature."
        if natural
        else "Copies stay on one side of every split."
    )
    tell(
        Finding(
            "duplicates",
            "info" if natural else "warning",
            f"{counted(copies, 'row')} ({copies / len(hashes):.1%} of all) repeat others.",
            "rows " + ", ".join(map(str, rows)),
            "A copy in the validation fold would be known by heart.",
            action,
            "Remove copies from the file if they are errors.",
        )
    )
    return None if natural else codes


def twin_share(hashes: np.ndarray) -> float:
    """The share of rows that have a copy: how often a row repeats by chance alone."""
    _, codes, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return float((counts[codes] > 1).mean())


def tell_noise(hashes: np.ndarray, target: np.ndarray, tell: Tell) -> None:
    """Rows with equal features and different targets: no model can be right on all of them."""
    if target.ndim != 1:
        return
    if target.dtype.kind == "f":
        _tell_noise_of_numbers(hashes, target, tell)
        return
    _, codes = np.unique(hashes, return_inverse=True)
    k = int(target.max()) + 1
    pairs, counts = np.unique(codes.astype(np.int64) * k + target, return_counts=True)
    best = np.zeros(codes.max() + 1, dtype=np.int64)
    np.maximum.at(best, pairs // k, counts)
    ceiling = best.sum() / len(target)
    if ceiling < 1.0:
        contradicting = len(target) - int(best.sum())
        tell(
            Finding(
                "contradictions",
                "warning" if ceiling < 0.99 else "info",
                f"{counted(contradicting, 'row')} with the same features as others and another class.",
                _rows_that_differ(codes, target),
                f"No model can be right on more than {ceiling:.1%} of these rows.",
                "Nothing: they are kept.",
                "Add a column that tells them apart, or correct the labels.",
            )
        )


def _tell_noise_of_numbers(hashes: np.ndarray, target: np.ndarray, tell: Tell) -> None:
    _, codes, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    repeated = counts[codes] > 1
    if repeated.sum() < NOISE_PAIRS:
        return
    scale = float(np.abs(target).max()) or 1.0
    scaled = target / scale
    inner = scaled - (np.bincount(codes, weights=scaled) / counts)[codes]
    freedom = int(counts[counts > 1].sum() - (counts > 1).sum())
    noise = float((inner[repeated] ** 2).sum()) / freedom
    if noise <= NOISE_SHARE * float(scaled.var()):
        return
    tell(
        Finding(
            "contradictions",
            "warning" if repeated.mean() > 0.01 else "info",
            f"{int(repeated.sum())} rows share all their features with others, and their targets differ.",
            _rows_that_differ(codes, target),
            f"On such rows the root mean squared error cannot fall below about {np.sqrt(noise) * scale:.4g}.",
            "Nothing: they are kept.",
            "Add a column that tells them apart, or correct the targets.",
        )
    )


def _rows_that_differ(codes: np.ndarray, target: np.ndarray) -> str:
    """The first rows whose equals have another target."""
    first = np.full(codes.max() + 1, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    rows = np.flatnonzero(target != target[first[codes]])[:5]
    return "rows " + ", ".join(f"{first[codes[row]] + 1} and {row + 1}" for row in rows)


def suggest_groups(columns: Sequence[ColumnSchema], rows: int, tell: Tell) -> None:
    """A key that repeats (a patient, a customer) asks for a split by its values."""
    for column in columns:
        named = ID_NAME.search(column.name) or (column.kind != "number" and OWNER_NAME.search(column.name))
        if named and column.kind in SPLITTABLE and 10 < column.unique < 0.9 * rows:
            tell(
                Finding(
                    "group",
                    "warning",
                    f"{column.name!r} looks like a key with {column.unique} values in {rows} rows.",
                    column.name,
                    "If its rows belong together, a random split lets the model recognise them.",
                    "Nothing yet: the split is random.",
                    f"--group {column.name}",
                )
            )


def in_order(times: np.ndarray) -> bool:
    """Whether nearly every row has its own moment and rows stand in the order of time."""
    if not are_moments(times):
        return False
    steps = np.diff(times[~np.isnat(times)].astype(np.int64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def are_moments(times: np.ndarray) -> bool:
    """Whether nearly every row has a moment, and mostly its own."""
    known = times[~np.isnat(times)]
    return len(known) >= max(50, 0.95 * len(times)) and len(np.unique(known)) >= 0.5 * len(known)


def tell_size(rows: int, columns: int, tell: Tell) -> None:
    """Few rows, or very many columns."""
    if rows < FEW_ROWS:
        tell(
            Finding(
                "few rows",
                "warning",
                f"There are {rows} rows only.",
                "",
                "Every figure will have a wide interval, and most differences between models are chance.",
                "Models are judged by repeated cross-validation.",
                "Bring more rows.",
            )
        )
    if columns > MANY_COLUMNS:
        tell(
            Finding(
                "many columns",
                "warning",
                f"There are {columns} columns for {rows} rows: {columns * rows * 8 / 2**20:.0f} MB as "
                "numbers.",
                "",
                "Among so many columns some fit the target by chance, and each candidate takes longer.",
                "All are used.",
                "--drop COLUMN",
            )
        )


def tell_missing_words(tokens: Mapping[str, Mapping[str, int]], tell: Tell) -> None:
    """Which words were read as missing, such as `?` and `NA`."""
    counts: dict[str, int] = {}
    for found in tokens.values():
        for token, count in found.items():
            counts[token] = counts.get(token, 0) + count
    if counts:
        shown = ", ".join(
            f"{token!r} ({count})" for token, count in sorted(counts.items(), key=lambda item: -item[1])[:5]
        )
        tell(
            Finding(
                "missing words",
                "info",
                f"{sum(counts.values())} cells in {len(tokens)} columns hold a word for missing: {shown}.",
                ", ".join(list(tokens)[:5]),
                "If such a word means something of its own, its meaning is lost.",
                "They count as missing.",
                "Write the word out in the file, for instance `none` in place of `NA`.",
            )
        )
