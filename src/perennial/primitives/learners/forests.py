"""Random forests (Breiman 2001) and extremely randomised trees (Geurts et al. 2006) by scikit-learn.

The state is the arrays of all trees, one after another; trees are rebuilt from them after a check of every index, so a
damaged or hostile file can never make compiled code read outside its arrays.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import DamagedFile
from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, dense, weights_of, width_of

MOST_NODES = 500_000
TREES_AT_ONCE = 25
LEAF = -1


class Forest(Predictor):
    """Many deep trees, each on a random view of the data, averaged.

    Args:
        trees: how many, when time and size allow.
        min_rows: in a leaf; raised on large data so that a forest stays below half a million nodes.
        max_features: share of columns tried at a split.
        criterion_gini: unused by regression.
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

    def fit(self, inputs: tuple, target: np.ndarray, context: FitContext, *, trees: int = 200, min_rows: int = 1, max_features: float = 0.5) -> State:
        n, values = context.train_rows, _finite(dense(inputs))
        truth = np.asarray(target)[:n]
        smallest = max(min_rows, int(np.ceil(n * trees * 1.3 / MOST_NODES)))
        forest = self._forest(context, smallest, max_features)
        trees = max(TREES_AT_ONCE, int(trees * context.fidelity))
        while len(getattr(forest, "estimators_", ())) < trees:
            before, built = time.monotonic(), len(getattr(forest, "estimators_", ()))
            forest.n_estimators = min(trees, built + TREES_AT_ONCE)
            forest.fit(values[:n], truth, sample_weight=weights_of(context))
            if 2 * time.monotonic() - before > context.deadline:
                break
        classes = getattr(forest, "classes_", None)
        return State(_arrays(forest.estimators_, classes, context), {"output": context.output.name})

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        values = _finite(dense(inputs)).astype(np.float32)
        total: Any = 0.0
        trees = _trees(state, values.shape[1])
        for tree in trees:
            total = total + tree.predict(values).reshape(len(values), -1)
        mean = total / len(trees)
        output = state.texts["output"]
        if output == "Dist":
            full = np.zeros((len(values), int(state.arrays["width"][0])))
            full[:, state.arrays["classes"]] = mean
            return full / full.sum(axis=1, keepdims=True)
        return mean[:, 0] if output == "Real" else mean

    def _forest(self, context: FitContext, min_rows: int, max_features: float) -> Any:
        from sklearn import ensemble

        kind = "Classifier" if context.output.name == "Dist" else "Regressor"
        return getattr(ensemble, self._kind + kind)(
            n_estimators=TREES_AT_ONCE, min_samples_leaf=min_rows, max_features=max_features, n_jobs=context.threads,
            random_state=context.seed, warm_start=True,
        )  # fmt: skip


def _arrays(estimators: list, classes: Any, context: FitContext) -> dict[str, np.ndarray]:
    trees = [estimator.tree_ for estimator in estimators]

    def joined(name: str, kind: Any) -> np.ndarray:
        return np.concatenate([getattr(tree, name) for tree in trees]).astype(kind)

    values = np.concatenate([tree.value for tree in trees])
    values = values[:, :, 0] if classes is None else values[:, 0, :]
    return {
        "sizes": np.array([tree.node_count for tree in trees], dtype=np.int64),
        "left": joined("children_left", np.int32),
        "right": joined("children_right", np.int32),
        "feature": joined("feature", np.int32),
        "threshold": joined("threshold", np.float64),
        "missing_left": np.concatenate([tree.missing_go_to_left for tree in trees]).astype(np.uint8),
        "value": values.astype(np.float32),
        "classes": np.arange(values.shape[1]) if classes is None else np.asarray(classes, dtype=np.int64),
        "width": np.array([width_of(context)], dtype=np.int64),
    }


def _trees(state: State, features: int) -> list[Any]:
    """scikit-learn trees from the arrays of a state; every index is checked first."""
    from sklearn.tree._tree import NODE_DTYPE, Tree

    arrays, start, trees = state.arrays, 0, []
    for size in arrays["sizes"]:
        part = slice(start, start + int(size))
        left, right, feature = (arrays[name][part].astype(np.int64) for name in ("left", "right", "feature"))
        _check(left, right, feature, features)
        values = np.ascontiguousarray(arrays["value"][part].astype(np.float64))
        single = state.texts["output"] == "Dist"
        shape = (values.shape[0], 1, values.shape[1]) if single else (values.shape[0], values.shape[1], 1)
        nodes = np.zeros(len(left), dtype=NODE_DTYPE)
        nodes["left_child"], nodes["right_child"], nodes["feature"] = left, right, np.where(left == LEAF, -2, feature)
        nodes["threshold"] = arrays["threshold"][part]
        nodes["n_node_samples"], nodes["weighted_n_node_samples"] = 1, 1.0
        nodes["missing_go_to_left"] = arrays["missing_left"][part]
        outputs = shape[1]
        tree = Tree(features, np.full(outputs, shape[2], dtype=np.intp), outputs)
        tree.__setstate__({"max_depth": 1, "node_count": len(left), "nodes": nodes, "values": values.reshape(shape)})
        trees.append(tree)
        start += int(size)
    return trees


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
        raise DamagedFile("The nodes of a tree point outside it.", why="Such a tree cannot have been written by perennial.")


def _finite(values: np.ndarray) -> np.ndarray:
    """Numbers that fit into 32 bits, as the trees store them; NaN stays."""
    return np.clip(values, -3e38, 3e38)


extra_trees = Forest("extra_trees", "ExtraTrees", "Extremely randomised trees.")
random_forest = Forest("random_forest", "RandomForest", "A random forest.")
