"""The metrics by name: values from scikit-learn, and beside each its weighted form (see `weighted.py`)."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.errors import UsageError
from perennial.metrics.base import Metric, to_column
from perennial.metrics.weighted import (
    area,
    average_precision,
    balanced,
    confused,
    explained,
    explained_rows,
    f1_mean,
    f1_of_class_1,
    f1_over_labels,
    f1_pooled,
    f1_resample,
    f1_rows,
    kappa,
    label_parts,
    log_errors,
    log_losses,
    matthews,
    means,
    one_against_rest,
    ranked,
    root_mean,
    squared_probabilities,
)

CLASSES = ("binary", "multiclass")
VALUES = ("regression", "multiregression")
PROBLEMS = (*CLASSES, "multilabel", *VALUES)
RARE_POSITIVES = 0.01
DOMINANT_CLASS = 0.8


def _sklearn(function_name: str, **fixed: Any) -> Callable:
    def function(target: np.ndarray, prediction: np.ndarray, k: int) -> float:
        import sklearn.metrics

        return float(getattr(sklearn.metrics, function_name)(target, prediction, **fixed))

    return function


def _averaged(function_name: str, otherwise: float) -> Callable:
    """The scikit-learn function of that name, averaged as in `ranked`."""

    def function(target: np.ndarray, prediction: np.ndarray, k: int) -> float:
        import sklearn.metrics

        judge = getattr(sklearn.metrics, function_name)
        pairs = one_against_rest(target, prediction, k)
        found = [judge(positive, value) for positive, value in pairs if 0 < positive.sum() < len(positive)]
        return float(np.mean(found)) if found else otherwise

    return function


def _recall(target: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Balanced accuracy: mean recall of the classes that are there."""
    from sklearn.metrics import recall_score

    return float(recall_score(target, labels, labels=np.unique(target), average="macro", zero_division=0))


def _f1_binary(target: np.ndarray, labels: np.ndarray, k: int) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(target == 1, labels == 1, zero_division=0))


def _agreement(weights: str | None) -> Callable:
    def function(target: np.ndarray, labels: np.ndarray, k: int) -> float:
        from sklearn.metrics import cohen_kappa_score

        if len(np.union1d(target, labels)) < 2:
            return 0.0
        return float(cohen_kappa_score(target, labels, labels=np.arange(k), weights=weights))

    return function


def _correlation(target: np.ndarray, labels: np.ndarray, k: int) -> float:
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(target, labels)) if len(np.union1d(target, labels)) > 1 else 0.0


def _log_loss(target: np.ndarray, probability: np.ndarray, k: int) -> float:
    from sklearn.metrics import log_loss

    if target.ndim == 2:
        return float(np.mean([log_loss(target[:, j], probability[:, j], labels=[0, 1]) for j in range(k)]))
    return float(log_loss(target, probability, labels=np.arange(k)))


def _r2(target: np.ndarray, prediction: np.ndarray, k: int) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(target, prediction)) if len(target) > 1 else 0.0


def _rmsle(target: np.ndarray, prediction: np.ndarray, k: int) -> float:
    from sklearn.metrics import root_mean_squared_log_error

    if target.min() <= -1:
        raise UsageError(
            f"rmsle needs targets above -1, the smallest is {target.min():g}.",
            why="The logarithm of a number below zero does not exist.",
            todo="Use --metric rmse or mae.",
        )
    return float(root_mean_squared_log_error(np.clip(target, 0, None), np.clip(prediction, 0, None)))


def _mean_row(rows_of: Callable) -> Callable:
    return lambda target, prediction, k: float(rows_of(target, prediction, k).mean())


_WRONG = means(lambda t, p, k: (t != p).reshape(len(t), -1))
_RIGHT = means(lambda t, p, k: (t == p).reshape(len(t), -1).all(axis=1))
_UNIT, _ANY, _POSITIVE = (0.0, 1.0), (float("-inf"), 1.0), (0.0, float("inf"))
_ALL = (*CLASSES, "multilabel")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", "maximize", "probability", _ALL, _averaged("roc_auc_score", 0.5), ranked(area, 0.5),
               "chance that a positive row is ranked above a negative one", _UNIT),
        Metric("pr_auc", "maximize", "probability", _ALL, _averaged("average_precision_score", 0.0),
               ranked(average_precision, 0.0), "average precision; looks at the positive rows only", _UNIT),
        Metric("log_loss", "minimize", "probability", _ALL, _log_loss, means(log_losses),
               "mean of -log of the probability that was given to the truth", _POSITIVE),
        Metric("brier", "minimize", "probability", _ALL, _mean_row(squared_probabilities),
               means(squared_probabilities), "mean squared error of the probabilities", (0.0, 2.0)),
        Metric("accuracy", "maximize", "label", _ALL, _sklearn("accuracy_score"), _RIGHT,
               "share of rows that are right"),
        Metric("balanced_accuracy", "maximize", "label", CLASSES, _recall, confused(balanced),
               "mean over classes of the share that is found"),
        Metric("f1", "maximize", "label", ("binary",), _f1_binary, confused(f1_of_class_1),
               "harmonic mean of precision and recall of class 1"),
        Metric("f1_macro", "maximize", "label", _ALL, _sklearn("f1_score", average="macro", zero_division=0),
               f1_resample(confused(f1_mean), means(label_parts, f1_over_labels)), "mean of F1 over classes"),
        Metric("f1_micro", "maximize", "label", _ALL, _sklearn("f1_score", average="micro", zero_division=0),
               f1_resample(_RIGHT, means(label_parts, f1_pooled)), "F1 of all labels pooled"),
        Metric("f1_samples", "maximize", "label", ("multilabel",), _mean_row(f1_rows), means(f1_rows),
               "mean over rows of F1 of the row's label set"),
        Metric("kappa", "maximize", "label", CLASSES, _agreement(None), confused(kappa(0)),
               "agreement beyond chance (Cohen 1960)", (-1.0, 1.0)),
        Metric("quadratic_kappa", "maximize", "label", CLASSES, _agreement("quadratic"), confused(kappa(2)),
               "agreement beyond chance, for ordered classes", (-1.0, 1.0)),
        Metric("mcc", "maximize", "label", CLASSES, _correlation, confused(matthews),
               "correlation of labels and truth (Matthews 1975)", (-1.0, 1.0)),
        Metric("hamming", "minimize", "label", ("multilabel",), _sklearn("hamming_loss"), _WRONG,
               "share of single labels that are wrong"),
        Metric("rmse", "minimize", "value", VALUES, _sklearn("root_mean_squared_error"),
               means(lambda t, p, k: (t - p) ** 2, root_mean), "root of the mean squared error", _POSITIVE),
        Metric("mae", "minimize", "value", VALUES, _sklearn("mean_absolute_error"),
               means(lambda t, p, k: np.abs(t - p)), "mean absolute error", _POSITIVE),
        Metric("mape", "minimize", "value", VALUES, _sklearn("mean_absolute_percentage_error"),
               means(lambda t, p, k: np.abs(t - p) / np.maximum(np.abs(t), np.finfo(np.float64).eps)),
               "mean absolute error as a share of the target", _POSITIVE),
        Metric("rmsle", "minimize", "value", VALUES, _rmsle, means(log_errors, root_mean),
               "root mean squared error of log(1 + value)", _POSITIVE),
        Metric("r2", "maximize", "value", VALUES, _r2, means(explained_rows, explained),
               "share of the variance that is explained", _ANY),
    )
}  # fmt: skip

ALIASES = {
    "auc": "roc_auc", "roc": "roc_auc", "average_precision": "pr_auc", "ap": "pr_auc", "logloss": "log_loss",
    "cross_entropy": "log_loss", "acc": "accuracy", "hamming_loss": "hamming", "matthews": "mcc",
    "qwk": "quadratic_kappa",
}  # fmt: skip


def resolve(metric: str | Metric, problem: str | None = None) -> Metric:
    """The metric of that name.

    Args:
        metric: a name, a usual alias, or a metric already.
        problem: when given, the metric must be able to judge it.

    Raises:
        UsageError: an unknown name (with the nearest one), or a metric for other problems.

    >>> resolve("AUC").name
    'roc_auc'
    """
    if isinstance(metric, str):
        name = metric.strip().lower().replace("-", "_").replace(" ", "_")
        name = ALIASES.get(name, name)
        if name not in METRICS:
            near = difflib.get_close_matches(name, [*METRICS, *ALIASES], n=1)
            hint = f"Did you mean {ALIASES.get(near[0], near[0])}? " if near else ""
            raise UsageError(
                f"There is no metric named {metric!r}.", todo=f"{hint}Known: {', '.join(METRICS)}."
            )
        metric = METRICS[name]
    if problem is not None and problem not in metric.problems:
        fitting = ", ".join(name for name, known in METRICS.items() if problem in known.problems)
        raise UsageError(
            f"{metric.name} judges {', '.join(metric.problems)} problems; this one is {problem}.",
            todo=f"Use one of: {fitting}.",
        )
    return metric


def choose(problem: str, target: np.ndarray) -> tuple[Metric, str]:
    """The metric we would take ourselves, and why.

    Args:
        problem: `binary multiclass regression multilabel multiregression`.
        target: codes `(n,)`, values, or `(n, m)`.

    >>> choose("binary", np.array([0, 1] * 50))[0].name
    'roc_auc'
    """
    if problem == "binary":
        return _choose_binary(np.bincount(to_column(np.asarray(target)).astype(np.int64), minlength=2))
    if problem == "multiclass":
        return _choose_multiclass(np.bincount(to_column(np.asarray(target)).astype(np.int64)))
    reasons = {
        "regression": ("rmse", "rmse: the usual measure of numbers; large errors count more"),
        "multilabel": ("hamming", "hamming: every label of every row counts alike"),
        "multiregression": ("rmse", "rmse: the mean over the outputs of their root mean squared errors"),
    }
    if problem not in reasons:
        raise UsageError(f"There is no problem named {problem!r}.", todo=f"Known: {', '.join(PROBLEMS)}.")
    name, reason = reasons[problem]
    return METRICS[name], reason


def _choose_binary(counts: np.ndarray) -> tuple[Metric, str]:
    share = counts[1] / counts.sum()
    if share < RARE_POSITIVES:
        return METRICS["pr_auc"], (
            f"pr_auc: only {share:.3%} of the rows are positive, so saying no to all of them "
            f"is {1 - share:.2%} accurate and accuracy is meaningless; average precision looks at them alone"
        )
    if share > 1 - RARE_POSITIVES:
        return METRICS["roc_auc"], (
            f"roc_auc: {share:.2%} of the rows are of class 1, so accuracy is meaningless; "
            "the ranking counts both classes alike"
        )
    reason = f"roc_auc: it judges the ranking and needs no threshold ({share:.0%} positive rows)"
    return METRICS["roc_auc"], reason


def _choose_multiclass(counts: np.ndarray) -> tuple[Metric, str]:
    share = counts.max() / counts.sum()
    if share > DOMINANT_CLASS:
        return METRICS["balanced_accuracy"], (
            f"balanced_accuracy: one class holds {share:.0%} of the rows, so accuracy is meaningless; here "
            "every class counts alike (--metric log_loss judges the probabilities instead)"
        )
    return METRICS[
        "accuracy"
    ], f"accuracy: {np.count_nonzero(counts)} classes, the largest holds {share:.0%} of the rows"
