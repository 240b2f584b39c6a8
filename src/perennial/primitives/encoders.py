"""Words that fit themselves to columns and turn them into better numbers: imputing, scaling, encoding.

All learn from the training rows only. Numbers may be NaN until `impute`.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import TypeMismatch
from perennial.lang.ops import FitContext, Learner, Op, Parameter, State
from perennial.lang.types import Record, Tensor, Type, TypeVar, fresh
from perennial.primitives.columns import rows_of

SMALLEST_SCALE = 1e-12
TARGET_FOLDS = 5


class _SameWidth(Learner):
    """A tensor in, a tensor of the same width out."""

    def infer(self, *types: Type, **parameters: Any) -> Type:
        return _tensor(self.name, types)


class Impute(Learner):
    """Missing numbers become the median; an indicator beside for each column that had any, if wanted."""

    name, doc = "impute", "Missing numbers become the median, with an indicator beside."
    parameters = MappingProxyType(
        {"indicators": Parameter(True, options=(True, False), doc="add a column that tells what was missing")}
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        _tensor(self.name, types)
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, indicators: bool = True) -> State:
        values = inputs[0][: context.train_rows]
        missing = np.isnan(values)
        medians = np.array(
            [
                np.median(column[~gone]) if not gone.all() else 0.0
                for column, gone in zip(values.T, missing.T, strict=True)
            ]
        )
        partly = missing.any(axis=0) & ~missing.all(axis=0)
        return State(
            {
                "medians": medians.astype(np.float64),
                "marked": np.flatnonzero(partly) if indicators else np.empty(0, dtype=np.int64),
            }
        )

    def call(self, *inputs: Any, state: State, indicators: bool = True) -> np.ndarray:
        values, marked = inputs[0], state.arrays["marked"]
        missing = np.isnan(values)
        filled = np.where(missing, state.arrays["medians"], values)
        return np.hstack([filled, missing[:, marked].astype(np.float64)]) if len(marked) else filled


class Standardise(_SameWidth):
    """Mean 0 and standard deviation 1 on the training rows; constant columns become 0."""

    name, doc = "standardise", "Mean 0, standard deviation 1."

    def fit(self, inputs: tuple, target: Any, context: FitContext) -> State:
        values = inputs[0][: context.train_rows]
        with np.errstate(all="ignore"):
            mean, deviation = (
                np.nan_to_num(f(values, axis=0)) if values.size else np.zeros(values.shape[1])
                for f in (_nanmean, _nanstd)
            )
        return State({"mean": mean, "scale": np.where(deviation > SMALLEST_SCALE, deviation, 1.0)})

    def call(self, *inputs: Any, state: State) -> np.ndarray:
        return (inputs[0] - state.arrays["mean"]) / state.arrays["scale"]


class RobustScale(_SameWidth):
    """Median 0 and interquartile range 1 (Holzmüller et al. 2024); the range when the quartiles coincide."""

    name, doc = "robust_scale", "Median 0, interquartile range 1."

    def fit(self, inputs: tuple, target: Any, context: FitContext) -> State:
        values = inputs[0][: context.train_rows]
        centres, factors = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for number, column in enumerate(values.T):
            known = column[~np.isnan(column)]
            if not len(known):
                continue
            low, quarter, centres[number], three, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
            spread = three - quarter if three > quarter else (high - low) / 2
            factors[number] = 1.0 / spread if spread > SMALLEST_SCALE else 0.0
        return State({"centres": centres, "factors": factors})

    def call(self, *inputs: Any, state: State) -> np.ndarray:
        return (inputs[0] - state.arrays["centres"]) * state.arrays["factors"]


class SmoothClip(Op):
    """Bends large values back smoothly so that none is beyond ±3: x / sqrt(1 + (x / 3)²)."""

    name, doc, differentiable = "smooth_clip", "Bends large values smoothly into ±3.", True

    def infer(self, *types: Type, **parameters: Any) -> Type:
        return _tensor(self.name, types)

    def call(self, *values: Any, **parameters: Any) -> np.ndarray:
        return values[0] / np.sqrt(1.0 + (values[0] / 3.0) ** 2)


class QuantileNormal(_SameWidth):
    """Each column through its own distribution function to a standard normal one; ties share a place."""

    name, doc = "quantile_normal", "Each column by its ranks to a standard normal distribution."
    parameters = MappingProxyType(
        {"quantiles": Parameter(200, low=10, high=1000, doc="points of the distribution function")}
    )

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, quantiles: int = 200) -> State:
        values = inputs[0][: context.train_rows]
        points = np.zeros((values.shape[1], quantiles))
        for number, column in enumerate(values.T):
            known = column[~np.isnan(column)]
            if len(known):
                points[number] = np.quantile(known, np.linspace(0, 1, quantiles))
        return State({"points": points})

    def call(self, *inputs: Any, state: State, quantiles: int = 200) -> np.ndarray:
        from scipy.special import ndtri

        result = np.empty_like(inputs[0])
        levels = np.linspace(0, 1, quantiles)
        for number, points in enumerate(state.arrays["points"]):
            column = inputs[0][:, number]
            up, down = np.interp(column, points, levels), np.interp(-column, -points[::-1], levels)
            share = np.clip((up + 1.0 - down) / 2, 1e-3, 1 - 1e-3)
            result[:, number] = np.where(np.isnan(column), np.nan, ndtri(share))
        return result


class PiecewiseLinear(Learner):
    """Piecewise-linear encoding (Gorishniy et al. 2022): how far a number is through each quantile bin.

    A linear model on it is a sum of piecewise-linear functions, one a column. Expects numbers without NaN.
    """

    name, doc = "piecewise_linear", "How far a number has come through each of its quantile bins."
    parameters = MappingProxyType({"bins": Parameter(8, low=2, high=64, doc="of each column")})

    def infer(self, *types: Type, **parameters: Any) -> Type:
        _tensor(self.name, types)
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, bins: int = 8) -> State:
        values = inputs[0][: context.train_rows]
        lows, highs, columns = [], [], []
        for number, column in enumerate(values.T):
            edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)))
            for low, high in itertools.pairwise(edges):
                lows.append(low)
                highs.append(high)
                columns.append(number)
        return State(
            {
                "lows": np.array(lows, dtype=np.float64),
                "highs": np.array(highs, dtype=np.float64),
                "columns": np.array(columns, dtype=np.int64),
            }
        )

    def call(self, *inputs: Any, state: State, bins: int = 8) -> np.ndarray:
        lows, highs = state.arrays["lows"], state.arrays["highs"]
        return np.clip((inputs[0][:, state.arrays["columns"]] - lows) / (highs - lows), 0.0, 1.0)


class OneHot(Learner):
    """An indicator for each frequent level of each category; missing, rare and unseen levels have none."""

    name, doc = "one_hot", "An indicator for each frequent level of each category."
    parameters = MappingProxyType(
        {"max_levels": Parameter(32, low=1, high=256, doc="most frequent levels of each field")}
    )

    def infer(self, *types: Type, max_levels: int = 32) -> Type:
        record = _categories(self.name, types)
        return Tensor(
            fresh("d") if record is None else sum(min(kind.k, max_levels) for kind in record.fields.values())
        )

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, max_levels: int = 32) -> State:
        kinds = context.types[0].fields if context.types and isinstance(context.types[0], Record) else {}
        widths = [
            min(max_levels, kinds[field].k if field in kinds else int(column.max(initial=-1)) + 1)
            for field, column in inputs[0].items()
        ]
        return State({"widths": np.array(widths, dtype=np.int64)})

    def call(self, *inputs: Any, state: State, max_levels: int = 32) -> Any:
        from scipy import sparse

        n, widths = rows_of(inputs[0]), state.arrays["widths"]
        if int(widths.sum()) > 4 * 64 and n:
            return sparse.hstack(
                [
                    _indicators(column, int(width))
                    for column, width in zip(inputs[0].values(), widths, strict=True)
                ],
                format="csr",
            )
        parts = [
            (column[:, None] == np.arange(width)).astype(np.float64)
            for column, width in zip(inputs[0].values(), widths, strict=True)
        ]
        return np.hstack(parts) if parts else np.empty((n, 0))


class TargetMean(Learner):
    """The smoothed mean of the target in each level (Micci-Barreca 2001), a column for each class or target.

    Training rows get the means of the other folds, so a rare level cannot tell a row its own answer.
    """

    name, doc = "target_mean", "The smoothed mean of the target in each level of a category."
    parameters = MappingProxyType(
        {
            "smoothing": Parameter(
                10.0, low=0.1, high=1000.0, log=True, doc="rows that the overall mean counts for"
            )
        }
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        _categories(self.name, types)
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, smoothing: float = 10.0) -> State:
        truth = _columns_of(target, context)
        return self._fit(inputs, truth, np.arange(context.train_rows), smoothing)

    def fit_call(
        self, inputs: tuple, target: Any, context: FitContext, *, smoothing: float = 10.0
    ) -> tuple[State, Any]:
        truth, n = _columns_of(target, context), context.train_rows
        state = self._fit(inputs, truth, np.arange(n), smoothing)
        values = self.call(*inputs, state=state, smoothing=smoothing)
        folds = np.random.default_rng(context.seed).integers(0, TARGET_FOLDS, n)
        for fold in range(TARGET_FOLDS):
            inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            if len(inside) and len(outside):
                part = self._fit(inputs, truth, outside, smoothing)
                values[inside] = self.call(
                    {field: column[inside] for field, column in inputs[0].items()}, state=part
                )
        return state, values

    def call(self, *inputs: Any, state: State, smoothing: float = 10.0) -> np.ndarray:
        tables, sizes = state.arrays["tables"], state.arrays["sizes"]
        parts, start = [], 0
        for column, size in zip(inputs[0].values(), sizes, strict=True):
            place = np.where((column >= 0) & (column < size - 1), column, size - 1)
            parts.append(tables[start + place])
            start += size
        return np.hstack(parts) if parts else np.empty((rows_of(inputs[0]), 0))

    def _fit(self, inputs: tuple, truth: np.ndarray, rows: np.ndarray, smoothing: float) -> State:
        prior, tables, sizes = truth[rows].mean(axis=0), [], []
        for column in inputs[0].values():
            size = int(column.max(initial=-1)) + 2
            codes = np.where(column[rows] >= 0, column[rows], size - 1)
            count = np.bincount(codes, minlength=size)
            total = np.stack([np.bincount(codes, weights, size) for weights in truth[rows].T], axis=1)
            tables.append((total + smoothing * prior) / (count + smoothing)[:, None])
            sizes.append(size)
        joined = np.vstack(tables) if tables else np.empty((0, truth.shape[1]))
        return State({"tables": joined, "sizes": np.array(sizes, dtype=np.int64)})


class KernelFeatures(Learner):
    """Features whose inner products are close to a Gaussian kernel (Nyström; Williams and Seeger 2001).

    A linear model on them is close to a support-vector machine or a Gaussian process with that kernel;
    strong on small tables. `width` is in units of the median distance between landmarks. Expects scaled
    numbers without NaN. What is kept has 32 bits a number, which halves the largest part of many models.
    """

    name, doc = "kernel_features", "Features whose inner products approximate a Gaussian kernel."
    keeps_rows = True
    parameters = MappingProxyType(
        {
            "landmarks": Parameter(
                300, low=10, high=2000, doc="training rows that features measure closeness to"
            ),
            "width": Parameter(1.0, low=0.05, high=20.0, log=True, doc="of the kernel, in median distances"),
        }
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        _tensor(self.name, types)
        return Tensor(fresh("d"))

    def fit(
        self, inputs: tuple, target: Any, context: FitContext, *, landmarks: int = 300, width: float = 1.0
    ) -> State:
        values = _dense(inputs[0][: context.train_rows])
        chosen = np.random.default_rng(context.seed).permutation(len(values))[:landmarks]
        points = values[np.sort(chosen)]
        distances = _squared_distances(points, points)
        median = np.median(distances[distances > 0]) if (distances > 0).any() else 1.0
        gamma = 0.5 / (width**2 * median)
        eigenvalues, vectors = np.linalg.eigh(np.exp(-gamma * distances))
        keep = eigenvalues > 1e-8 * eigenvalues[-1]
        return State(
            {
                "points": points.astype(np.float32),
                "whitening": (vectors[:, keep] / np.sqrt(eigenvalues[keep])).astype(np.float32),
                "gamma": np.array([gamma]),
            }
        )

    def call(self, *inputs: Any, state: State, landmarks: int = 300, width: float = 1.0) -> np.ndarray:
        points, whitening = (state.arrays[name].astype(np.float64) for name in ("points", "whitening"))
        kernel = np.exp(-state.arrays["gamma"][0] * _squared_distances(_dense(inputs[0]), points))
        return kernel @ whitening


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.maximum((left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * left @ right.T, 0.0)


def _dense(values: Any) -> np.ndarray:
    return values.toarray() if hasattr(values, "toarray") else values


def _indicators(column: np.ndarray, width: int) -> Any:
    from scipy import sparse

    rows = np.flatnonzero((column >= 0) & (column < width))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, column[rows])), shape=(len(column), width))


def _columns_of(target: np.ndarray, context: FitContext) -> np.ndarray:
    """The training target as numbers: indicators of classes but the first, or the values themselves."""
    truth = np.asarray(target)[: context.train_rows]
    if context.output.name == "Dist" or truth.dtype.kind in "iu" and truth.ndim == 1:
        k = int(truth.max(initial=1)) + 1
        return np.eye(max(2, k))[truth.astype(np.int64)][:, 1:]
    return truth.reshape(len(truth), -1).astype(np.float64)


def _nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis) / np.maximum(known.sum(axis), 1)


def _nanstd(values: np.ndarray, axis: int) -> np.ndarray:
    known = ~np.isnan(values)
    squares = np.where(known, values - _nanmean(values, axis), 0.0) ** 2
    return np.sqrt(squares.sum(axis) / np.maximum(known.sum(axis), 1))


def _tensor(name: str, types: tuple[Type, ...]) -> Type:
    if len(types) != 1:
        raise TypeMismatch(f"`{name}` takes one tensor, received {len(types)} arguments.")
    if isinstance(types[0], Tensor | TypeVar):
        return types[0] if isinstance(types[0], Tensor) else Tensor(fresh("d"))
    raise TypeMismatch(f"`{name}` takes a tensor, received {types[0]}.")


def _categories(name: str, types: tuple[Type, ...]) -> Record | None:
    if len(types) != 1:
        raise TypeMismatch(f"`{name}` takes one record of categories, received {len(types)} arguments.")
    if isinstance(types[0], TypeVar):
        return None
    if isinstance(types[0], Record) and all(kind.name == "Categories" for kind in types[0].fields.values()):
        open_ = any(isinstance(kind.k, TypeVar) for kind in types[0].fields.values())
        return None if open_ else types[0]
    raise TypeMismatch(f"`{name}` takes a record of categories, received {types[0]}.")


impute = Impute()
standardise = Standardise()
robust_scale = RobustScale()
smooth_clip = SmoothClip()
quantile_normal = QuantileNormal()
piecewise_linear = PiecewiseLinear()
one_hot = OneHot()
target_mean = TargetMean()
kernel_features = KernelFeatures()
