"""Kernel ridge regression on landmarks (Nyström): close to a support-vector machine, in seconds and bounded memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, dense, sigmoid, softmax, weights_of, width_of

ROWS_AT_ONCE = 2048
HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 5_000
SCALED_BY = 300
PENALTIES = tuple(10.0**power for power in (-4, -3, -2, -1, 0, 1, 2))
FIRST_PENALTY = 3
SHARPNESS = tuple(2.0 ** (power / 2) for power in range(17))
LEFT_OUT_ROWS = 1_000
LEVELS = 127  # steps on each side of the mean: a landmark in 8 bits
NEARLY_ALL, FARTHEST = 0.99, 2.0
SHARE_OF_TIME, COST_OF_PREDICTING = 0.85, 0.4
JITTER = 1e-5
SMALLEST = 1e-9


class KernelRidge(Predictor):
    """Least squares on Gaussian closeness to landmarks (Nyström; Williams and Seeger 2001, Rifkin et al. 2003).

    The landmarks are training rows, each column in 8 bits: what is near a row will do as well. Rows pass by in chunks and
    leave only their products, so memory is the square of the landmarks whatever the number of rows; at the deadline it
    solves for the rows it has seen. The penalty and, for classes, how sharp the probabilities are is chosen by a tenth of
    the training rows; of up to a thousand by each row, left out (Allen 1974). Strong on some thousand to a hundred
    thousand rows of dense, scaled numbers, such as `hog` gives; for more columns than rows take `linear`.

    Args:
        landmarks: training rows that closeness is measured to.
        width: of the kernel, in median distances between landmarks.
    """

    name, doc = "kernel_ridge", "Least squares on Gaussian closeness to landmarks."
    keeps_rows = True
    cost = 2.0
    parameters = MappingProxyType(
        {
            "landmarks": Parameter(
                2000, low=10, high=8000, log=True, doc="rows that closeness is measured to"
            ),
            "width": Parameter(1.2, low=0.05, high=20.0, log=True, doc="of the kernel, in median distances"),
        }
    )

    def fit(
        self,
        inputs: tuple,
        target: np.ndarray,
        context: FitContext,
        *,
        landmarks: int = 2000,
        width: float = 1.2,
    ) -> State:
        """The landmarks and their coefficients, from the training rows."""
        start, n = time.monotonic(), context.train_rows
        everything = dense(inputs)
        values = everything[:n]
        weights = np.ones(n) if weights_of(context) is None else weights_of(context).astype(np.float64)
        wanted, centre, scale = _wanted(np.asarray(target)[:n], context)
        order = np.random.default_rng(context.seed).permutation(n)
        closeness = _Closeness.of(values[np.sort(order[:landmarks])], width)
        kept = _Products(closeness, wanted.shape[1])
        judging = order if n <= LEFT_OUT_ROWS else order[: min(MOST_HELD_OUT, int(HELD_OUT_SHARE * n))]
        features, truth, weighed = kept.features(values[judging]), wanted[judging], weights[judging]
        if n <= LEFT_OUT_ROWS:
            kept.add(features, truth, weighed)
            penalty, scores = _leave_one_out(kept, features, truth, weighed)
        else:
            end = start + SHARE_OF_TIME * (context.deadline - start)
            _read(kept, values, wanted, weights, order[len(judging) :], len(everything), end)
            penalty, scores = _chosen_penalty(kept, features, truth, weighed, context.deadline)
            kept.add(features, truth, weighed)
        sharpness = _chosen_sharpness(scores + centre, truth + centre, weighed, context.output.name)
        arrays = {
            **closeness.arrays, "coefficients": kept.of_closeness(kept.solved(penalty)), "centre": centre,
            "scale": scale, "sharpness": np.array([sharpness]),
        }  # fmt: skip
        return State(arrays, {"output": context.output.name})

    def call(self, *inputs: Any, state: State, landmarks: int = 2000, width: float = 1.2) -> np.ndarray:
        """Probabilities or numbers."""
        values, arrays = dense(inputs), state.arrays
        closeness = _Closeness.from_arrays(arrays)
        scores = np.empty((len(values), arrays["coefficients"].shape[1]))
        for begin in range(0, len(values), ROWS_AT_ONCE):
            rows = slice(begin, begin + ROWS_AT_ONCE)
            scores[rows] = closeness(values[rows]) @ arrays["coefficients"]
        scores = scores * arrays["scale"] + arrays["centre"]
        output = state.texts["output"]
        if output == "Dist":
            return softmax(arrays["sharpness"][0] * scores)
        if output == "Marginals":
            return sigmoid(arrays["sharpness"][0] * (scores - 0.5))
        return scores[:, 0] if output == "Real" else scores


@dataclass(frozen=True)
class _Closeness:
    """How close rows are to landmarks: `exp(-gamma * squared distance)`.

    Args:
        mean: taken out of rows and landmarks first, so that 32 bits are enough, `(d,)`.
        levels: the landmarks without it, in steps, `(landmarks, d)`, -127 to 127.
        step: of each column, `(d,)`.
        gamma: of the kernel.
    """

    mean: np.ndarray
    levels: np.ndarray
    step: np.ndarray
    gamma: float

    @staticmethod
    def of(points: np.ndarray, width: float) -> _Closeness:
        """Closeness to what is near some rows, with a kernel of `width` median distances."""
        mean = points.mean(axis=0)
        centred = points - mean
        apart = np.abs(centred)
        most, largest = FARTHEST * np.quantile(apart, NEARLY_ALL, axis=0), apart.max(axis=0)
        reach = np.where(most > 0, np.minimum(most, largest), np.where(largest > 0, largest, 1.0))
        step = reach.astype(points.dtype) / LEVELS
        levels = np.rint(centred / step).clip(-LEVELS, LEVELS).astype(np.int8)
        closeness = _Closeness(mean, levels, step, 1.0)
        some = closeness.points[:: max(1, len(centred) // SCALED_BY)]
        distances = _squared_distances(some, some)
        median = np.median(distances[distances > 0]) if (distances > 0).any() else 1.0
        return replace(closeness, gamma=float(0.5 / (width**2 * median)))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """As a state keeps it."""
        return {"mean": self.mean, "levels": self.levels, "step": self.step, "gamma": np.array([self.gamma])}

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> _Closeness:
        """The inverse of `arrays`; states of older versions hold the landmarks as they are."""
        levels = arrays["points"] if "points" in arrays else arrays["levels"]
        step = arrays.get("step", np.ones(levels.shape[1], levels.dtype))
        return _Closeness(arrays["mean"], levels, step, float(arrays["gamma"][0]))

    @cached_property
    def points(self) -> np.ndarray:
        """The landmarks without the mean, `(landmarks, d)`."""
        return self.levels * self.step

    def __call__(self, values: np.ndarray) -> np.ndarray:
        near = _squared_distances(values - self.mean, self.points)
        near *= -near.dtype.type(self.gamma)
        return np.exp(near, out=near)

    def whitening(self) -> np.ndarray:
        """`(landmarks, landmarks)`: what makes the landmarks' own closeness the unit matrix."""
        from scipy.linalg import cholesky, solve_triangular

        points = self.points.astype(np.float64)
        own = np.exp(-self.gamma * _squared_distances(points, points))
        own[np.diag_indices_from(own)] += JITTER
        factor = cholesky(own, lower=True, overwrite_a=True, check_finite=False)
        return solve_triangular(factor, np.eye(len(own)), lower=True, check_finite=False).T


class _Products:
    """What rows leave behind: their features times themselves, and times what is wanted."""

    def __init__(self, closeness: _Closeness, outputs: int) -> None:
        self._closeness = closeness
        self._whitening = closeness.whitening()
        self._cast = self._whitening.astype(closeness.points.dtype)
        self._squares = np.zeros(self._whitening.shape)
        self._wanted = np.zeros((len(self._whitening), outputs))

    def features(self, values: np.ndarray) -> np.ndarray:
        """Features `(n, landmarks)` whose inner products approximate the kernel."""
        return self._closeness(values) @ self._cast

    def add(self, features: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> None:
        """Adds rows with their wanted values `(n, k)` and weights `(n,)`."""
        root = np.sqrt(weights).astype(features.dtype)[:, None]
        features = features * root
        self._squares += features.T @ features
        self._wanted += features.T @ (wanted * root).astype(features.dtype)

    def solved(self, penalty: float) -> np.ndarray:
        """Coefficients of the features `(landmarks, k)` with the least penalised squared error."""
        from scipy.linalg import solve

        matrix = self._squares + penalty * np.eye(len(self._squares))
        return solve(matrix, self._wanted, assume_a="pos", overwrite_a=True, check_finite=False)

    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues `(landmarks,)` of the products of features, and their directions as columns."""
        from scipy.linalg import eigh

        powers, directions = eigh(self._squares, check_finite=False)
        return np.maximum(powers, 0.0), directions

    def of_closeness(self, coefficients: np.ndarray) -> np.ndarray:
        """The same coefficients for the closeness itself."""
        return (self._whitening @ coefficients).astype(self._cast.dtype)


def _read(
    kept: _Products,
    values: np.ndarray,
    wanted: np.ndarray,
    weights: np.ndarray,
    order: np.ndarray,
    asked: int,
    end: float,
) -> None:
    """Adds rows in this order, as many as leave time to predict `asked` rows before the end; one chunk at least."""
    start = time.monotonic()
    for begin in range(0, len(order), ROWS_AT_ONCE):
        rows = order[begin : begin + ROWS_AT_ONCE]
        kept.add(kept.features(values[rows]), wanted[rows], weights[rows])
        now = time.monotonic()
        if now + COST_OF_PREDICTING * asked * (now - start) / (begin + len(rows)) > end:
            break


def _wanted(target: np.ndarray, context: FitContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the squares are least for, `(n, k)`, and the centre and scale `(k,)` that were taken out."""
    if context.output.name == "Dist":
        truth = np.eye(width_of(context))[target.astype(np.int64)]
    else:
        truth = target.reshape(len(target), -1).astype(np.float64)
    centre, scale = truth.mean(axis=0), np.ones(truth.shape[1])
    if context.output.name in ("Real", "Tensor"):
        scale = truth.std(axis=0)
    return (truth - centre) / np.where(scale > 0, scale, 1.0), centre, scale


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    distances = left @ right.T
    distances *= -2.0
    distances += np.einsum("nd,nd->n", left, left)[:, None]
    distances += np.einsum("nd,nd->n", right, right)
    return np.maximum(distances, 0.0, out=distances)


def _chosen_penalty(
    kept: _Products, features: np.ndarray, wanted: np.ndarray, weights: np.ndarray, deadline: float
) -> tuple[float, np.ndarray]:
    """The penalty with the least squared error on rows held out, and their scores: a walk that ends when it rises."""
    found: dict[int, tuple[float, np.ndarray]] = {}

    def error(place: int) -> float:
        if place not in found:
            scores = features @ kept.solved(PENALTIES[place])
            found[place] = float((weights[:, None] * (scores - wanted) ** 2).sum()), scores
        return found[place][0]

    best, lowest = FIRST_PENALTY, error(FIRST_PENALTY)
    for step in (-1, 1):
        while (
            0 <= best + step < len(PENALTIES) and time.monotonic() < deadline and error(best + step) < lowest
        ):
            best += step
            lowest = error(best)
    return PENALTIES[best], found[best][1]


def _leave_one_out(
    kept: _Products, features: np.ndarray, wanted: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """The penalty with the least squared error on rows that were left out, and their scores, in closed form.

    Args:
        kept: has read all rows.
        features, wanted, weights: of these rows.
    """
    powers, directions = kept.directions()
    root = np.sqrt(weights)[:, None]
    along, targets = (features * root) @ directions, wanted * root
    errors = [errors_left_out(along, 1.0 / (powers + penalty), targets) for penalty in PENALTIES]
    best = int(np.argmin([float((each**2).sum()) for each in errors]))
    return PENALTIES[best], wanted - errors[best] / np.where(root > 0, root, 1.0)


def errors_left_out(along: np.ndarray, shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How far ridge regression is off on each row when it was fitted to all others, in closed form (Allen 1974).

    Args:
        along: the rows in directions at right angles to each other, `(n, r)`.
        shares: of each direction, `(r,)`: `1 / (power + penalty)`, where the power is the sum of squares along it.
        wanted: `(n, k)`.

    >>> rows, wanted = np.array([[1.0], [2.0], [2.0]]), np.array([[1.0], [2.0], [5.0]])
    >>> others = (rows[1:] * wanted[1:]).sum() / ((rows[1:] ** 2).sum() + 1.0)
    >>> bool(np.isclose(errors_left_out(rows, np.array([1 / (9.0 + 1.0)]), wanted)[0], wanted[0] - others))
    True
    """
    errors = wanted - along @ (shares[:, None] * (along.T @ wanted))
    return errors / np.maximum(1.0 - (along * along) @ shares, SMALLEST)[:, None]


def _chosen_sharpness(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray, output: str) -> float:
    """The factor before the softmax (or sigmoid) with the least log loss on rows held out; 1 for numbers."""
    if output not in ("Dist", "Marginals"):
        return 1.0

    def loss(factor: float) -> float:
        chosen = softmax(factor * scores) if output == "Dist" else sigmoid(factor * (scores - 0.5))
        likely = np.where(truth > 0.5, chosen, 1.0 if output == "Dist" else 1.0 - chosen)
        return float(-(weights[:, None] * np.log(np.maximum(likely, 1e-12))).sum())

    return min(SHARPNESS, key=loss)


kernel_ridge = KernelRidge()
