"""What people would use instead of perennial, each with its own defaults, on the same rows.

A rival is a function `(task, metric name, seconds, seed) -> prediction of task.test`. Columns arrive as perennial sensed
them (so a rival pays nothing for messy cells): numbers with NaN, categories as codes, dates as seconds, and text as the
2 000 most frequent TF-IDF terms. Trees get ordinal codes (native categories where the library has them), linear
models get one-hot codes, imputed and standardised numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from perennial.task import Task

TEXT_TERMS = 2_000
ONE_HOT_LEVELS = 50
LEAST_FOR_PROBING = 30.0


def lightgbm_default(task: Task, metric: str, seconds: float, seed: int) -> np.ndarray:
    """LightGBM's scikit-learn estimators as they come, with native categories."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    train, test, categories = _ordinal(task)

    def build(classify: bool) -> Any:
        kind = LGBMClassifier if classify else LGBMRegressor
        return _WithCategories(kind(random_state=seed, verbose=-1, n_jobs=-1), categories)

    return _fit_predict(task, build, train, test)


def hist_gradient_boosting(task: Task, metric: str, seconds: float, seed: int) -> np.ndarray:
    """scikit-learn's histogram boosting as it comes, with native categories up to its limit of 255 levels."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    train, test, categories = _ordinal(task)
    native = [column for column in categories if np.nanmax(train[:, column], initial=0) < 255]

    def build(classify: bool) -> Any:
        kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
        return kind(random_state=seed, categorical_features=native or None)

    return _fit_predict(task, build, train, test)


def random_forest(task: Task, metric: str, seconds: float, seed: int) -> np.ndarray:
    """scikit-learn's random forest as it comes, on ordinal codes."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    train, test, _ = _ordinal(task)

    def build(classify: bool) -> Any:
        return (RandomForestClassifier if classify else RandomForestRegressor)(random_state=seed, n_jobs=-1)

    return _fit_predict(task, build, train, test)


def linear(task: Task, metric: str, seconds: float, seed: int) -> np.ndarray:
    """Logistic or ridge regression as they come, on standardised numbers and one-hot categories."""
    from sklearn.linear_model import LogisticRegression, Ridge

    train, test = _standardised(task)
    return _fit_predict(
        task, lambda classify: LogisticRegression(max_iter=1_000) if classify else Ridge(), train, test
    )


def flaml(task: Task, metric: str, seconds: float, seed: int) -> np.ndarray:
    """FLAML with the same time, metric and seed, on a data frame: it fills holes in frames only."""
    from flaml import AutoML

    names = {
        "roc_auc": "roc_auc",
        "accuracy": "accuracy",
        "log_loss": "log_loss",
        "rmse": "rmse",
        "pr_auc": "ap",
        "hamming": "accuracy",  # of each label
    }
    train, test = _frames(task)
    columns = task.target.shape[1] if task.target.ndim == 2 else 1

    def build(classify: bool) -> Any:
        kind = "classification" if classify else "regression"
        return _Flaml(AutoML(), kind, names.get(metric, "auto"), seconds / columns, seed)

    return _fit_predict(task, build, train, test)


def autogluon(task: Task, metric: str, seconds: float, seed: int) -> np.ndarray:
    """AutoGluon's `best_quality` preset with the same time and metric.

    Below half a minute a column its stacking is not probed first: it would refuse for want of time.
    """
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    names = {"rmse": "root_mean_squared_error", "pr_auc": "average_precision", "hamming": "accuracy"}
    kind = "binary" if task.problem == "multilabel" else task.problem
    frames = [_frame(task, part) for part in (task, task.test)]
    outputs = []
    targets = task.target.reshape(task.rows, -1)
    for column in range(targets.shape[1]):
        with tempfile.TemporaryDirectory() as folder:
            predictor = TabularPredictor(
                label="target", problem_type=kind, path=folder, eval_metric=names.get(metric, metric), verbosity=0
            )  # fmt: skip
            train = pd.concat([frames[0], pd.Series(targets[:, column], name="target")], axis=1)
            share = seconds / targets.shape[1]
            patient = {} if share >= LEAST_FOR_PROBING else {"dynamic_stacking": False}
            predictor.fit(train, time_limit=share, presets="best_quality", **patient)
            if task.problem in ("binary", "multiclass", "multilabel"):
                outputs.append(
                    _full(predictor.predict_proba(frames[1]).to_numpy(), predictor.class_labels, _width(task))
                )
            else:
                outputs.append(predictor.predict(frames[1]).to_numpy(dtype=float))
    return _joined(task, outputs)


RIVALS: dict[str, Callable[[Task, str, float, int], np.ndarray]] = {
    "lightgbm": lightgbm_default,
    "hist_gradient_boosting": hist_gradient_boosting,
    "random_forest": random_forest,
    "linear": linear,
    "flaml": flaml,
    "autogluon": autogluon,
}


def task_of(train: str | Path, test: str | Path, targets: Sequence[str], problem: str) -> Task:
    """The task that two files with the rows of a split are; rows that stand in both are taken as they are."""
    return Task.from_data(
        str(train),
        list(targets) if len(targets) > 1 else targets[0],
        test=str(test),
        problem=problem,
        allow_overlap=True,
        drop_unlabelled=True,
    )


def installed(name: str) -> bool:
    """Whether the optional library of a rival is here; the others come with perennial."""
    needed = {"flaml": ("flaml", "xgboost"), "autogluon": ("autogluon",)}
    return all(find_spec(module) is not None for module in needed.get(name, ()))


class _WithCategories:
    """A LightGBM estimator that is told which columns are categories."""

    def __init__(self, estimator: Any, categories: list[int]) -> None:
        self._estimator, self._categories = estimator, categories

    def fit(self, x: np.ndarray, y: np.ndarray) -> _WithCategories:
        self._estimator.fit(x, y, categorical_feature=self._categories or "auto")
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)


class _Flaml:
    """FLAML behind `fit(x, y)`."""

    def __init__(self, automl: Any, kind: str, metric: str, seconds: float, seed: int) -> None:
        self._automl, self._settings = (
            automl,
            {"task": kind, "metric": metric, "time_budget": seconds, "seed": seed, "verbose": 0},
        )

    def fit(self, x: np.ndarray, y: np.ndarray) -> _Flaml:
        self._automl.fit(x, y, **self._settings)
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._automl, name)


def _fit_predict(task: Task, build: Callable[[bool], Any], train: Any, test: Any) -> np.ndarray:
    """Fits one estimator per target column and gives predictions in perennial's shapes."""
    classify = task.problem in ("binary", "multiclass", "multilabel")
    targets = task.target.reshape(task.rows, -1)
    outputs = []
    for column in range(targets.shape[1]):
        estimator = build(classify)
        estimator.fit(train, targets[:, column])
        if classify:
            outputs.append(_full(estimator.predict_proba(test), estimator.classes_, _width(task)))
        else:
            outputs.append(np.asarray(estimator.predict(test), dtype=float))
    return _joined(task, outputs)


def _joined(task: Task, outputs: list[np.ndarray]) -> np.ndarray:
    if task.problem == "multilabel":
        return np.column_stack([output[:, 1] for output in outputs])
    return outputs[0] if len(outputs) == 1 else np.column_stack(outputs)


def _full(probability: np.ndarray, classes: Any, width: int) -> np.ndarray:
    """A class that the training rows lack gets probability zero."""
    full = np.zeros((len(probability), width))
    full[:, np.asarray(classes, dtype=int)] = probability
    return full


def _width(task: Task) -> int:
    return 2 if task.problem == "multilabel" else len(task.schema.classes)


def _is_category(column: np.ndarray) -> bool:
    return column.dtype.kind in "iu"


def _ordinal(task: Task) -> tuple[np.ndarray, np.ndarray, list[int]]:
    train, test, categories = [], [], []
    for name, column in task.inputs.items():
        other = task.test.inputs[name]
        if column.dtype == object:
            first, second = _terms(column, other)
            train += list(first.T)
            test += list(second.T)
            continue
        if _is_category(column):
            categories.append(len(train))
            column, other = (np.where(values < 0, np.nan, values) for values in (column, other))
        train.append(column.astype(float))
        test.append(other.astype(float))
    return np.column_stack(train), np.column_stack(test), categories


def _standardised(task: Task) -> tuple[np.ndarray, np.ndarray]:
    train, test = [], []
    for name, column in task.inputs.items():
        other = task.test.inputs[name]
        if column.dtype == object:
            pair = _terms(column, other)
        elif _is_category(column):
            levels = np.arange(min(ONE_HOT_LEVELS, int(column.max(initial=0)) + 1))
            pair = tuple((values[:, None] == levels).astype(float) for values in (column, other))
        else:
            median = np.nanmedian(column) if np.isfinite(column).any() else 0.0
            filled = [np.where(np.isnan(values), median, values) for values in (column, other)]
            scale = filled[0].std() or 1.0
            pair = tuple(((values - filled[0].mean()) / scale)[:, None] for values in filled)
        train.append(pair[0])
        test.append(pair[1])
    return np.hstack(train), np.hstack(test)


def _terms(column: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(max_features=TEXT_TERMS)
    try:
        first = vectoriser.fit_transform(column)
    except ValueError:  # a column of stop words or empty cells has no vocabulary
        return np.zeros((len(column), 1)), np.zeros((len(other), 1))
    return first.toarray(), vectoriser.transform(other).toarray()


def _frames(task: Task) -> tuple[Any, Any]:
    """What `_ordinal` gives, as data frames whose categories are texts."""
    import pandas as pd

    train, test, categories = _ordinal(task)
    frames = []
    for part in (train, test):
        frame = pd.DataFrame(part, columns=[f"c{number}" for number in range(part.shape[1])])
        for number in categories:
            codes = frame[f"c{number}"]
            frame[f"c{number}"] = codes.map(lambda code: f"level {code:.0f}", na_action="ignore").astype(
                "category"
            )
        frames.append(frame)
    return frames[0], frames[1]


def _frame(task: Task, part: Task) -> Any:
    import pandas as pd

    columns = {}
    for name, column in part.inputs.items():
        if _is_category(column):
            columns[name] = pd.Categorical(np.where(column < 0, None, column.astype(object)))
        else:
            columns[name] = column
    return pd.DataFrame(columns)
