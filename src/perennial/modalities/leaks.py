"""Columns that give the target away: equal to it, a function of it, or missing exactly where it says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perennial.modalities.columns import ColumnSchema

LEAK = 0.999
ERRORS_LEFT = 0.01
FEWEST_ROWS = 20
FEWEST_OF_A_CLASS = 5
ROWS_PER_LEVEL = 5


def leaks(
    columns: Sequence[ColumnSchema], inputs: dict[str, np.ndarray], target: np.ndarray
) -> list[tuple[ColumnSchema, str]]:
    """Columns that alone give a target away, with what gave them away.

    Args:
        columns: those in use.
        inputs: field name → canonical column `(n,)`.
        target: codes, numbers or indicators, `(n,)` or `(n, m)`.
    """
    targets = [target] if target.ndim == 1 else list(target.T)
    numeric = target.dtype.kind == "f"
    judges = [_Numbers(each) if numeric else _Classes(each) for each in targets if len(np.unique(each)) > 1]
    found = []
    for column in columns:
        values = inputs.get(column.id)
        if values is None or len(values) < FEWEST_ROWS or values.dtype == object:
            continue
        told = next((told for judge in judges if (told := judge.accuse(values))), "")
        if told:
            found.append((column, told))
    return found


class _Numbers:
    """A target that is a number."""

    def __init__(self, target: np.ndarray) -> None:
        self._target, self._ranks = target, _ranks(target)

    def accuse(self, values: np.ndarray) -> str:
        """How the column gives the target away, or nothing."""
        if values.dtype.kind == "i":
            share = _explained(values, self._target)
            return f"its levels explain {share:.2%} of the target" if share > LEAK else ""
        numbers, known = _as_numbers(values)
        if known.sum() < max(FEWEST_ROWS, 0.5 * len(known)):
            return ""
        strength = _correlation(numbers[known], self._target[known])
        if strength > LEAK:
            return f"its correlation with the target is {strength:.4f}"
        ranks = self._ranks if known.all() else _ranks(self._target[known])
        strength = _correlation(_ranks(numbers[known]), ranks)
        return f"its rank correlation with the target is {strength:.4f}" if strength > LEAK else ""


class _Classes:
    """A target that is a class."""

    def __init__(self, target: np.ndarray) -> None:
        _, self._codes, self._counts = np.unique(target, return_inverse=True, return_counts=True)
        self._majority = self._counts.max() / len(target)

    def accuse(self, values: np.ndarray) -> str:
        """How the column gives the target away, or nothing."""
        if np.sort(self._counts)[-2] < FEWEST_OF_A_CLASS:
            return ""
        numbers, known = _as_numbers(values)
        right = self._right_by_levels(np.where(known, numbers, np.inf))
        if right > LEAK and 1 - right < ERRORS_LEFT * (1 - self._majority):
            return f"it alone is right on {right:.2%} of the rows"
        if (
            values.dtype.kind == "i"
            or len(self._counts) != 2
            or known.sum() < max(FEWEST_ROWS, 0.5 * len(known))
        ):
            return ""
        area = _area(numbers[known], self._codes[known] == 1)
        return (
            f"ordered by it the classes fall apart (area under the curve {area:.4f})" if area > LEAK else ""
        )

    def _right_by_levels(self, values: np.ndarray) -> float:
        """How often its most frequent class is right for each level, 0 when there are too many levels to
        tell."""
        _, levels = np.unique(values, return_inverse=True)
        width, k = int(levels.max()) + 1, len(self._counts)
        if width > len(values) / ROWS_PER_LEVEL:
            return 0.0
        counts = np.bincount(levels * k + self._codes, minlength=width * k).reshape(width, k)
        return float(counts.max(axis=1).sum() / len(values))


def _as_numbers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The column as numbers, and which of them are known."""
    if values.dtype.kind == "M":
        known = ~np.isnat(values)
        return np.where(known, values.astype(np.int64), 0).astype(np.float64), known
    numbers = values.astype(np.float64)
    return numbers, ~np.isnan(numbers) if values.dtype.kind == "f" else values >= 0


def _explained(codes: np.ndarray, target: np.ndarray) -> float:
    """The share of the target's variance that lies between levels; 0 when there are too many levels to
    tell."""
    levels, where, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    scaled = _scaled(target)
    total = float(((scaled - scaled.mean()) ** 2).sum())
    if len(levels) > len(codes) / ROWS_PER_LEVEL or total == 0:
        return 0.0
    means = np.bincount(where, weights=scaled) / sizes
    return 1 - float(((scaled - means[where]) ** 2).sum()) / total


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = _scaled(one), _scaled(other)
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return abs(float((one * other).sum())) / size if size > 0 else 0.0


def _scaled(values: np.ndarray) -> np.ndarray:
    """Within -1 and 1, so that squares neither overflow nor vanish."""
    largest = float(np.abs(values).max())
    return values / largest if largest > 0 else values


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties in the middle."""
    _, where, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[where]


def _area(values: np.ndarray, positive: np.ndarray) -> float:
    """The area under the ROC curve of one column, in the better direction."""
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if min(n1, n0) < FEWEST_OF_A_CLASS:
        return 0.0
    area = (_ranks(values)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    return float(max(area, 1 - area))
