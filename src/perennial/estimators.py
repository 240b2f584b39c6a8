"""perennial behind scikit-learn's conventions: `fit`, `predict`, `predict_proba`, `score`, clone, pipelines, grids."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from perennial.errors import PerennialError

DEFAULT_MINUTES = 1.0


class _Grown(BaseEstimator):
    """What both faces share: the budget, growing without a sealed test set, and canonical columns for new rows."""

    def __init__(
        self,
        minutes: float | None = None,
        trials: int | None = None,
        metric: str | None = None,
        strategy: str = "mixture",
        workers: int | None = None,
        seed: int = 0,
    ) -> None:
        self.minutes = minutes
        self.trials = trials
        self.metric = metric
        self.strategy = strategy
        self.workers = workers
        self.seed = seed

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = self.trials is None
        return tags

    def _grow(self, x: np.ndarray, y: np.ndarray, problem: str) -> None:
        from perennial.task import Task
        from perennial.workflow import grow

        try:
            kinds = {f"x{number}": "number" for number in range(x.shape[1])}
            task = Task.from_data((x, y), problem=problem, kinds=kinds)
            budget: dict[str, Any] = (
                {"trials": self.trials} if self.trials else {"minutes": self.minutes or DEFAULT_MINUTES}
            )
            self.model_ = grow(
                task,
                **budget,
                metric=self.metric,
                strategy=self.strategy,
                workers=self.workers,
                seed=self.seed,
                test_share=0.0,
            )
        except PerennialError as error:
            raise ValueError(str(error)) from error
        self.program_ = self.model_.program
        self.report_ = self.model_.report

    def _columns(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, x, reset=False, ensure_all_finite="allow-nan", dtype=np.float64)


class GrownClassifier(ClassifierMixin, _Grown):
    """A classifier grown by the universal workflow.

    Args:
        minutes: for everything; one minute when neither this nor `trials` is given.
        trials: a budget of candidates instead: the same data and seed then give the same model.
        metric: what to judge by, such as `roc_auc`; `None` chooses.
        strategy: what to try.
        workers: processes; `None` is one a core, 0 stays in this process (for small data and nested parallelism).
        seed: of every random decision.

    No test set is sealed: the caller's own split, such as `cross_val_score`, is the test.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> GrownClassifier(trials=2, workers=0).fit(x, y).score(x, y) > 0.9
    True
    """

    def fit(self, x: Any, y: Any) -> GrownClassifier:
        """Grows on `x` `(n, d)` and labels `y` `(n,)`."""
        x, y = validate_data(
            self, x, y, ensure_all_finite="allow-nan", ensure_min_samples=2, dtype=np.float64
        )
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"A classifier needs at least two classes, received one class: {self.classes_[0]!r}."
            )
        self._grow(x, codes, "binary" if len(self.classes_) == 2 else "multiclass")
        return self

    def predict_proba(self, x: Any) -> np.ndarray:
        """Probabilities `(n, k)` in the order of `classes_`."""
        columns = self._columns(x)
        return self.model_.predict_proba(columns)

    def predict(self, x: Any) -> np.ndarray:
        """Labels `(n,)`."""
        columns = self._columns(x)
        return self.classes_[np.asarray(self.model_.predict(columns), dtype=int)]


class GrownRegressor(RegressorMixin, _Grown):
    """A regressor grown by the universal workflow; the arguments are those of `GrownClassifier`.

    >>> from sklearn.datasets import load_diabetes
    >>> x, y = load_diabetes(return_X_y=True)
    >>> GrownRegressor(trials=2, workers=0).fit(x, y).score(x, y) > 0.3
    True
    """

    def fit(self, x: Any, y: Any) -> GrownRegressor:
        """Grows on `x` `(n, d)` and values `y` `(n,)`."""
        x, y = validate_data(
            self, x, y, ensure_all_finite="allow-nan", ensure_min_samples=2, dtype=np.float64, y_numeric=True
        )
        self._grow(x, np.asarray(y, dtype=np.float64), "regression")
        return self

    def predict(self, x: Any) -> np.ndarray:
        """Values `(n,)`."""
        columns = self._columns(x)
        return np.asarray(self.model_.predict(columns), dtype=np.float64)
