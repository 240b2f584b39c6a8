"""What common sense predicts: a constant, and a table on the single best column (1R, Holte 1993).

Both are fitted words like any other, so a baseline is a program, is saved like a model and can be the answer.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang.ops import FitContext, Learner, Parameter, State
from perennial.lang.types import Type, fresh

LARGEST_BINS = 8
PRIOR_ROWS = 1.0
SMALLEST = 1e-12


class Constant(Learner):
    """The same prediction for every row: the shares of the classes, or the mean or median.

    Shares are smoothed by one row spread over all classes, so a class that is missing in a fold keeps a
    probability.
    """

    name = "constant"
    doc = "The same prediction for every row: class shares, the mean or the median."
    parameters = MappingProxyType(
        {"statistic": Parameter("mean", options=("mean", "median"), doc="of the target, when it is a number")}
    )
    cost = 0.01

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here; it takes one argument of any type."""
        return _prediction_from_one(self.name, types)

    def fit(
        self, inputs: tuple, target: np.ndarray, context: FitContext, *, statistic: str = "mean"
    ) -> State:
        """The prediction that fits the training rows best."""
        truth = _as_columns(target, context)
        weights = _row_weights(context)
        if context.output.name == "Dist":
            k = truth.shape[1]
            value = (weights @ truth + PRIOR_ROWS / k) / (weights.sum() + PRIOR_ROWS)
        elif context.output.name == "Marginals":
            value = (weights @ truth + 0.5 * PRIOR_ROWS) / (weights.sum() + PRIOR_ROWS)
        elif statistic == "median":
            value = _weighted_median(truth, weights)
        else:
            value = weights @ truth / weights.sum()
        return State({"value": np.asarray(value, dtype=np.float64)}, {"output": str(context.output)})

    def call(self, *inputs: Any, state: State, statistic: str = "mean") -> np.ndarray:
        """The constant, once a row."""
        values = np.repeat(state.arrays["value"][None, :], _count_rows(inputs[0]), axis=0)
        return values[:, 0] if state.texts["output"] == "Real" else values


class OneRule(Learner):
    """A table on the one column that predicts best: at most eight bins, each with its shares or its mean.

    Numbers and dates are cut at quantiles; categories keep their most frequent levels; missing values are a
    bin of their own. Columns are compared by the error on each row when the row itself is left out of its
    bin, so a column of many small bins gains nothing by memory. Texts are passed over.
    """

    name = "one_rule"
    doc = "A table on the single best column, at most eight bins."
    parameters = MappingProxyType(
        {
            "bins": Parameter(
                LARGEST_BINS, low=2, high=64, doc="at most so many, one of them for missing values"
            )
        }
    )
    cost = 0.1

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here; it takes a record of columns."""
        if len(types) == 1 and types[0].name not in ("Record", "TypeVar") and not types[0].variables:
            raise TypeMismatch(f"`one_rule` takes a record of columns, received {types[0]}.")
        return _prediction_from_one(self.name, types)

    def fit(
        self, inputs: tuple, target: np.ndarray, context: FitContext, *, bins: int = LARGEST_BINS
    ) -> State:
        """The best column of the training rows, its cuts and its table."""
        truth, weights = _as_columns(target, context), _row_weights(context)
        prior = weights @ truth / weights.sum()
        best, best_loss = None, np.inf
        for field, column in inputs[0].items():
            column = _numeric(column[: context.train_rows])
            edges = _edges(column, bins)
            if edges is None:
                continue
            place = _place(column, edges, bins)
            loss = _left_out_loss(place, truth, weights, prior, bins, context.output.name)
            if loss < best_loss - 1e-12:
                best, best_loss = (field, edges, place), loss
        field, edges, place = best or ("", np.empty(0), np.zeros(len(truth), dtype=np.int64))
        count, total = _bin_sums(place, truth, weights, bins)
        table = (total + PRIOR_ROWS * prior) / (count + PRIOR_ROWS)[:, None]
        if context.output.name in ("Dist", "Marginals"):
            table = _never_certain(table, weights.sum(), context.output.name)
        return State({"edges": edges, "table": table}, {"field": field, "output": str(context.output)})

    def call(self, *inputs: Any, state: State, bins: int = LARGEST_BINS) -> np.ndarray:
        """The table's row for the bin of each row."""
        table, field = state.arrays["table"], state.texts["field"]
        place = np.zeros(_count_rows(inputs[0]), dtype=np.int64)
        if field:
            place = _place(_numeric(inputs[0][field]), state.arrays["edges"], len(table))
        values = table[place]
        return values[:, 0] if state.texts["output"] == "Real" else values


def _prediction_from_one(name: str, types: tuple[Type, ...]) -> Type:
    if len(types) != 1:
        raise TypeMismatch(f"`{name}` takes one argument, received {len(types)}.")
    return fresh("prediction")


def _count_rows(value: Any) -> int:
    if isinstance(value, dict):
        return len(next(iter(value.values()))) if value else 0
    return value.shape[0]


def _row_weights(context: FitContext) -> np.ndarray:
    if context.sample_weight is None:
        return np.ones(context.train_rows)
    return np.asarray(context.sample_weight, dtype=np.float64)[: context.train_rows]


def _as_columns(target: np.ndarray, context: FitContext) -> np.ndarray:
    """Training rows of the target as `(n, q)`: one-hot classes, labels, or numbers."""
    truth = np.asarray(target)[: context.train_rows]
    kind = context.output.name
    if kind == "Dist":
        return np.eye(context.output.arguments[0])[truth.reshape(-1).astype(np.int64)]
    if kind in ("Real", "Tensor", "Marginals"):
        return truth.reshape(len(truth), -1).astype(np.float64)
    raise ProgramError(
        f"A baseline cannot predict {context.output}.",
        todo="Ask for Dist[k], Real, Tensor[m] or Marginals[m].",
    )


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The middle value of each column; the mean of the two middle ones when the weight splits in half."""
    found = []
    for column in values.T:
        order = np.argsort(column, kind="stable")
        reached = np.cumsum(weights[order])
        half = reached[-1] / 2
        low = column[order][np.searchsorted(reached, half * (1 - 1e-12))]
        high = column[order][min(np.searchsorted(reached, half * (1 + 1e-12)), len(order) - 1)]
        found.append((low + high) / 2)
    return np.array(found)


def _numeric(column: np.ndarray) -> np.ndarray:
    """Dates as seconds; every other column as it is."""
    if column.dtype.kind != "M":
        return column
    return np.where(np.isnat(column), np.nan, column.astype("datetime64[s]").astype(np.int64))


def _edges(column: np.ndarray, bins: int) -> np.ndarray | None:
    """Cuts of a column of numbers at quantiles; empty for categories; None for what cannot be cut."""
    if column.dtype.kind in "iub":
        return np.empty(0)
    if column.dtype.kind != "f":
        return None
    known = column[~np.isnan(column)]
    if len(known) == 0:
        return None
    cuts = np.unique(np.quantile(known, np.arange(1, bins - 1) / (bins - 1)))
    cuts = cuts[(cuts > known.min()) & (cuts <= known.max())]
    return cuts if len(cuts) else np.array([known[known > known.min()].min(initial=known.max())])


def _place(column: np.ndarray, edges: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each row: the last one holds missing values; infrequent categories share one."""
    if column.dtype.kind == "f":
        return np.where(np.isnan(column), bins - 1, np.searchsorted(edges, column, side="right"))
    codes = column.astype(np.int64)
    return np.where(codes == -1, bins - 1, np.where((codes < 0) | (codes > bins - 2), bins - 2, codes))


def _bin_sums(
    place: np.ndarray, truth: np.ndarray, weights: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray]:
    count = np.bincount(place, weights, bins)
    total = np.stack([np.bincount(place, weights * column, bins) for column in truth.T], axis=1)
    return count, total


def _left_out_loss(
    place: np.ndarray, truth: np.ndarray, weights: np.ndarray, prior: np.ndarray, bins: int, output: str
) -> float:
    """The mean loss of each row when its bin is summed without it."""
    count, total = _bin_sums(place, truth, weights, bins)
    without = total[place] - weights[:, None] * truth + PRIOR_ROWS * prior
    size = np.maximum(count[place] - weights, 0.0) + PRIOR_ROWS
    guess = without / size[:, None]
    if output == "Dist":
        loss = -np.log(np.clip((guess * truth).sum(axis=1), SMALLEST, 1.0))
    elif output == "Marginals":
        guess = np.clip(guess, SMALLEST, 1 - SMALLEST)
        loss = -(truth * np.log(guess) + (1 - truth) * np.log(1 - guess)).mean(axis=1)
    else:
        spread = np.maximum(truth.std(axis=0), SMALLEST)
        loss = (((guess - truth) / spread) ** 2).mean(axis=1)
    return float(weights @ loss / weights.sum())


def _never_certain(table: np.ndarray, rows: float, output: str) -> np.ndarray:
    """The table mixed with a little of the uniform guess, so that no class has probability zero."""
    share = PRIOR_ROWS / (rows + PRIOR_ROWS)
    guess = 1.0 / table.shape[1] if output == "Dist" else 0.5
    return (1.0 - share) * table + share * guess


constant = Constant()
one_rule = OneRule()
