"""Random forests (Breiman 2001) and extremely randomised trees (Geurts et al. 2006) by scikit-learn.

The state is the arrays of all trees, one after another; trees are rebuilt from them after a check of every
index, so a damaged or hostile file can never make compiled code read outside its arrays.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import DamagedFile, ProgramError
from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, dense, weights_of, width_of

MOST_BYTES = 16_000_000
SPLIT_BYTES = 12
LEAVES_A_ROW = 0.65  # of a tree, times the fewest rows in a leaf
TREES_AT_ONCE = 25
FIRST_TREES = 5
LEAF = -1


class Forest(Predictor):
    """Many deep trees, each on a random view of the data, averaged.

    Args:
        trees: how many, when time and size allow.
        min_rows: in a leaf; raised on large data so that a forest stays near 16 MB.
        max_features: share of columns tried at a split.
    """

    cost = 3.0
    takes_categories = True
    parameters = MappingProxyType(
        {
            "trees": Parameter(200, low=10, high=1000, log=True),
            "min_rows": Parameter(1, low=1, high=100, log=True),
            "max_features": Parameter(0.5, low=0.05, high=1.0),
        }
    )

    def __init__(self, name: str, kind: str, doc: str) -> None:
        self.name, self._kind, self.doc = name, kind, doc

    def fit(
        self,
        inputs: tuple,
        target: np.ndarray,
        context: FitContext,
        *,
        trees: int = 200,
        min_rows: int = 1,
        max_features: float = 0.5,
    ) -> State:
        n, values = context.train_rows, _finite(dense(inputs))
        truth = np.asarray(target)[:n]
        most = MOST_BYTES / (
            SPLIT_BYTES + 4 * (truth.shape[1] if truth.ndim == 2 else max(1, width_of(context) - 1))
        )
        smallest = max(min_rows, int(np.ceil(LEAVES_A_ROW * n * trees / most)))
        forest = self._forest(context, smallest, max_features)
        trees = max(FIRST_TREES, int(trees * context.fidelity))
        while len(getattr(forest, "estimators_", ())) < trees:
            before, built = time.monotonic(), len(getattr(forest, "estimators_", ()))
            forest.n_estimators = min(trees, built + (TREES_AT_ONCE if built else FIRST_TREES))
            forest.fit(values[:n], truth, sample_weight=weights_of(context))
            now = time.monotonic()
            if now + TREES_AT_ONCE / (forest.n_estimators - built) * (now - before) > context.deadline:
                break
        classes = getattr(forest, "classes_", None)
        return State(_arrays(forest.estimators_, classes, context), {"output": context.output.name})

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        values = _finite(dense(inputs)).astype(np.float32)
        output, trees = state.texts["output"], _trees(state, values.shape[1])
        total = np.zeros((len(values), state.arrays["value"].shape[1] + (output == "Dist")))
        for tree in trees:
            total += tree.predict(values).reshape(total.shape)
        mean = total / len(trees)
        if output == "Dist":
            full = np.zeros((len(values), int(state.arrays["width"][0])))
            full[:, state.arrays["classes"]] = mean
            return full / full.sum(axis=1, keepdims=True)
        return mean[:, 0] if output == "Real" else mean

    def _forest(self, context: FitContext, min_rows: int, max_features: float) -> Any:
        from sklearn import ensemble

        kind = "Classifier" if context.output.name == "Dist" else "Regressor"
        return getattr(ensemble, self._kind + kind)(
            n_estimators=FIRST_TREES,
            min_samples_leaf=min_rows,
            max_features=max_features,
            n_jobs=context.threads,
            random_state=context.seed,
            warm_start=True,
        )


def _arrays(estimators: list, classes: Any, context: FitContext) -> dict[str, np.ndarray]:
    """All trees, one after another, without what follows from the rest.

    Nodes are in depth-first order, so a left child is the next node. Only inner nodes have a feature, a
    threshold and a right child, only leaves a value; the share of the first class is what the others leave.
    """
    trees = [estimator.tree_ for estimator in estimators]
    left, right, feature, threshold = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold")
    )
    sizes = np.array([tree.node_count for tree in trees], dtype=np.int64)
    inner = left != LEAF
    own = np.arange(len(left)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    if (left[inner] != own[inner] + 1).any():
        raise ProgramError(
            "The nodes of scikit-learn's trees are not in depth-first order.", todo="Report its version."
        )
    values = np.concatenate([tree.value for tree in trees])[~inner]
    values = values[:, :, 0] if classes is None else values[:, 0, 1:]
    return {
        "sizes": sizes,
        "inner": np.packbits(inner),
        "missing_left": np.packbits(np.concatenate([tree.missing_go_to_left for tree in trees])[inner] != 0),
        "right": right[inner].astype(np.int32),
        "feature": feature[inner].astype(np.int32 if feature.max(initial=0) > 32_000 else np.int16),
        "threshold": _rounded_down(threshold[inner]),
        "value": values.astype(np.float32),
        "classes": np.arange(1) if classes is None else np.asarray(classes, dtype=np.int64),
        "width": np.array([width_of(context)], dtype=np.int64),
    }


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The next 32-bit number below: the trees compare 32-bit numbers, so every comparison stays the same."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _trees(state: State, features: int) -> list[Any]:
    """scikit-learn trees from the arrays of a state; every index is checked first."""
    arrays = state.arrays
    sizes = [int(size) for size in arrays["sizes"]]
    inner = _bits(arrays["inner"], sum(sizes))
    _check_lengths(arrays, sizes, inner)
    missing = _bits(arrays["missing_left"], int(inner.sum()))
    node, split, leaf, trees = 0, 0, 0, []
    for size in sizes:
        here = inner[node : node + size]
        splits, leaves = slice(split, split + int(here.sum())), slice(leaf, leaf + int((~here).sum()))
        left, right, feature = np.full(size, LEAF), np.full(size, LEAF), np.full(size, -2)
        left[here] = np.flatnonzero(here) + 1
        right[here], feature[here] = arrays["right"][splits], arrays["feature"][splits]
        _check(left, right, feature, features)
        values = np.zeros((size, arrays["value"].shape[1]))
        values[~here] = arrays["value"][leaves]
        threshold, to_left = np.full(size, -2.0), np.zeros(size, dtype=np.uint8)
        threshold[here], to_left[here] = arrays["threshold"][splits], missing[splits]
        trees.append(_tree(left, right, feature, threshold, to_left, values, state, features))
        node, split, leaf = node + size, splits.stop, leaves.stop
    return trees


def _tree(left, right, feature, threshold, to_left, values, state: State, features: int) -> Any:
    from sklearn.tree._tree import NODE_DTYPE, Tree

    if state.texts["output"] == "Dist":
        values = np.column_stack([np.maximum(0.0, 1.0 - values.sum(axis=1)), values])[:, None, :]
    else:
        values = values[:, :, None]
    nodes = np.zeros(len(left), dtype=NODE_DTYPE)
    nodes["left_child"], nodes["right_child"], nodes["feature"], nodes["threshold"] = (
        left,
        right,
        feature,
        threshold,
    )
    nodes["missing_go_to_left"], nodes["n_node_samples"], nodes["weighted_n_node_samples"] = to_left, 1, 1.0
    outputs = values.shape[1]
    tree = Tree(features, np.full(outputs, values.shape[2], dtype=np.intp), outputs)
    tree.__setstate__(
        {"max_depth": 1, "node_count": len(nodes), "nodes": nodes, "values": np.ascontiguousarray(values)}
    )
    return tree


def _bits(packed: np.ndarray, count: int) -> np.ndarray:
    if len(packed) * 8 < count:
        raise DamagedFile("A forest has fewer nodes than it says.")
    return np.unpackbits(packed, count=count).astype(bool)


def _check_lengths(arrays: Mapping[str, np.ndarray], sizes: list[int], inner: np.ndarray) -> None:
    splits, classes = int(inner.sum()), arrays["classes"]
    fine = (
        min(sizes, default=0) > 0
        and all(len(arrays[name]) == splits for name in ("right", "feature", "threshold"))
        and arrays["value"].ndim == 2
        and len(arrays["value"]) == len(inner) - splits
        and ((classes >= 0) & (classes < max(1, int(arrays["width"][0])))).all()
    )
    if not fine:
        raise DamagedFile("The arrays of a forest do not belong together.")


def _check(left: np.ndarray, right: np.ndarray, feature: np.ndarray, features: int) -> None:
    """Children come after their parent and inside the tree, so a walk always ends; features exist."""
    inner = left != LEAF
    numbers = np.arange(len(left))
    fine = (
        len(left) > 0
        and ((right != LEAF) == inner).all()
        and (left[inner] > numbers[inner]).all()
        and (right[inner] > numbers[inner]).all()
        and max(left.max(), right.max()) < len(left)
        and ((feature[inner] >= 0) & (feature[inner] < features)).all()
    )
    if not fine:
        raise DamagedFile(
            "The nodes of a tree point outside it.", why="Such a tree cannot have been written by perennial."
        )


def _finite(values: np.ndarray) -> np.ndarray:
    """Numbers that fit into 32 bits, as the trees store them; NaN stays."""
    return np.clip(values, -3e38, 3e38)


extra_trees = Forest("extra_trees", "ExtraTrees", "Extremely randomised trees.")
random_forest = Forest("random_forest", "RandomForest", "A random forest.")
