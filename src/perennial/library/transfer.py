"""How much features that were learnt elsewhere say about a new target, before anything is trained on them.

Both measures look at a thousand rows at most and cost a fraction of a second.
"""

from __future__ import annotations

import numpy as np

from perennial.primitives.learners.kernels import errors_left_out

MOST_ROWS, MOST_NUMBERS, MOST_FOR_CLASSES = 1000, 64, 256
PENALTIES = (0.01, 0.1, 1.0, 10.0)
STEPS, CLOSE_ENOUGH = 100, 1e-4
SMALLEST = 1e-12


def transferability(features: np.ndarray, target: np.ndarray, problem: str, seed: int = 0) -> float:
    """A score for features of a task; larger is better, and comparable on the same rows of the same task only.

    Args:
        features: `(n, d)`, of training rows.
        target: classes `(n,)`, labels `(n, m)` or numbers.
        problem: such as `multiclass`; classes are judged by a classifier that leaves each row out, everything else by log
            evidence.
        seed: of the rows, when there are too many, and of the projection.

    >>> generator = np.random.default_rng(0)
    >>> target = generator.integers(0, 3, 200)
    >>> told = np.eye(3)[target] + generator.normal(0, 0.1, (200, 3))
    >>> transferability(told, target, "multiclass"), transferability(generator.normal(size=(200, 3)), target, "multiclass") < 0.5
    (1.0, True)
    """
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(len(features))[:MOST_ROWS])
    features, target = _standardised(np.asarray(features[rows], np.float64)), np.asarray(target)[rows]
    if problem in ("binary", "multiclass"):
        few = len(features) <= MOST_FOR_CLASSES  # then there is no need to make them fewer
        features = features if few else _projected(features, MOST_FOR_CLASSES, generator)
        return leave_one_out_accuracy(features, target)
    features = _projected(features, MOST_NUMBERS, generator)
    return log_evidence(features, np.asarray(target, np.float64).reshape(len(target), -1))


def leave_one_out_accuracy(features: np.ndarray, target: np.ndarray) -> float:
    """The share of rows whose class a ridge classifier knows that was fitted to all others, by the best of a few penalties.

    In closed form (Allen 1974): no model is fitted twice. Neighbours, by which MNTDP chooses modules (Veniat, Denoyer &
    Ranzato 2021), say less of wide features and few rows; see decision 19.

    Args:
        features: `(n, d)`, standardised.
        target: `(n,)`, from 0.
    """
    n, d = features.shape
    if n < 2:
        return 0.0
    said = 2.0 * np.eye(int(target.max()) + 1)[target] - 1.0
    inputs = np.column_stack([features / np.sqrt(max(d, 1)), np.ones(n)])
    left, powers = _directions(inputs)
    errors = [errors_left_out(left, powers / (powers + penalty), said) for penalty in PENALTIES]
    return float(max(((said - each).argmax(axis=1) == target).mean() for each in errors))


def _directions(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors `(n, r)` and squares of the singular values, from the smaller of the two products."""
    n, d = inputs.shape
    if n <= d:
        powers, left = np.linalg.eigh(inputs @ inputs.T)
        return left, np.maximum(powers, 0.0)
    powers, right = np.linalg.eigh(inputs.T @ inputs)
    there = powers > powers[-1] * SMALLEST
    return inputs @ right[:, there] / np.sqrt(powers[there]), powers[there]


def log_evidence(features: np.ndarray, target: np.ndarray) -> float:
    """The log evidence of a linear model on features, a row and target (LogME; You, Liu, Wang & Long 2021).

    Args:
        features: `(n, d)`.
        target: `(n, m)`.
    """
    n, d = features.shape
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    left, powers = left[:, singular > SMALLEST], singular[singular > SMALLEST] ** 2
    told = []
    for column in target.T:
        if not np.isfinite(column).all() or column.std() == 0.0:
            continue
        column = (column - column.mean()) / column.std()
        along = (left.T @ column) ** 2
        told.append(_evidence(powers, along, float(column @ column - along.sum()), n, d))
    return float(np.mean(told)) if told else -np.inf


def _evidence(powers: np.ndarray, along: np.ndarray, rest: float, n: int, d: int) -> float:
    """The evidence where it is largest over the precisions of weights and noise, by MacKay's fixed point."""
    alpha = beta = 1.0
    for _ in range(STEPS):
        ratio = alpha / beta
        known = (powers / (powers + ratio)).sum()
        weights = (powers * along / (powers + ratio) ** 2).sum()
        residual = (along * (ratio / (powers + ratio)) ** 2).sum() + max(rest, 0.0)
        alpha, beta = (known + SMALLEST) / (weights + SMALLEST), (n - known) / (residual + SMALLEST)
        if abs(alpha / beta - ratio) <= CLOSE_ENOUGH * ratio:
            break
    # all d weights have a prior; those without a singular value add log(alpha) on both sides
    logs = len(powers) * np.log(alpha) - np.log(alpha + beta * powers).sum()
    total = logs + n * np.log(beta) - beta * residual - alpha * weights - n * np.log(2.0 * np.pi)
    return 0.5 * total / n


def _standardised(features: np.ndarray) -> np.ndarray:
    features = np.nan_to_num(features, nan=0.0, posinf=0.0, neginf=0.0)
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)


def _projected(features: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """More features as so many random sums, which keep distances nearly."""
    if features.shape[1] <= most:
        return features
    return features @ (generator.normal(size=(features.shape[1], most)) / np.sqrt(most))
