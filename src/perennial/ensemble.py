"""Which models to average, how sure to be, and where to cut: all from out-of-fold predictions.

Greedy selection with replacement (Caruana et al. 2004), temperature scaling (Guo et al. 2017), and decision
thresholds. Nothing is fitted again, so the steps are cheap and can be repeated from stored predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perennial.errors import UsageError
from perennial.metrics import Metric, decide, resolve

__all__ = ["decide", "greedy", "steady", "temperature", "threshold"]

SEARCH_ROWS = 2_500
SEARCH_CELLS = 2_000_000_000
SMALL_ROWS = 1_000
BAGS = 10
BAGGED_MEMBERS = 5
PATIENCE = 12
JUDGED_STEPS = 6
OPENING_MEMBERS = 5
TIE = 1e-12
SMALLEST_PROBABILITY = 1e-12
TEMPERATURE_RANGE = (0.1, 10.0)
TEMPERATURE_ROWS = 50_000
THRESHOLD_BAGS = 20
WEIGHT_ROWS = 20_000
COORDINATE_CLASSES = 20
ROWS_PER_CLASS = 50
PR_AUC_DECIDES_BY = "f1"
TUNED = {"f1", "f1_macro", "f1_micro", "f1_samples", "balanced_accuracy", "kappa", "mcc", "pr_auc"}


# -- which models to average -------------------------------------------------------------------------------


def greedy(
    predictions: Sequence[np.ndarray],
    target: np.ndarray,
    metric: Metric,
    rounds: int = 40,
    seed: int = 0,
    *,
    bags: int | None = None,
    largest: int = 12,
) -> np.ndarray:
    """Weights of the average of members that scores best on these predictions.

    Starts from the best few, then adds, one after another and with replacement, the member that helps most;
    of equal ones a member that is already in. The search looks at a sample of the rows when there are many;
    what it found is judged on all of them. On few rows the selection is repeated on random halves of the
    members and averaged, which guards against choosing by luck. The result is never worse here than the best
    single member.

    Args:
        predictions: out-of-fold predictions of the same rows, each `(n,)`, `(n, k)` or `(n, m)`. Members that
            hold NaN or infinity get no weight.
        target: `(n,)` or `(n, m)`.
        metric: what is to be improved.
        rounds: members added at most, counted with repetition.
        seed: of the sample of rows and of the bags.
        bags: random halves of the members; `None` takes ten below 1 000 rows and none above.
        largest: members with a weight above 0, at most.

    Returns:
        `(members,)` non-negative, sum 1.

    Raises:
        UsageError: there is no member, shapes differ, or every member holds NaN.

    >>> truth = np.array([0.0, 1.0, 2.0, 3.0])
    >>> greedy([truth + 1, truth - 1, truth + 5], truth, resolve("rmse")).tolist()
    [0.5, 0.5, 0.0]
    """
    stack, usable = _stacked(predictions)
    generator = np.random.default_rng(seed)
    rows = _search_rows(np.asarray(target), metric, stack, rounds, generator)
    judge = _judge(metric, np.asarray(target)[rows], stack[:, rows])
    ones = np.ones(len(target))
    alone = np.array([metric.sign * metric.weighted(target, member)(ones) for member in stack])
    if bags is None:
        bags = BAGS if len(target) < SMALL_ROWS and len(stack) >= BAGGED_MEMBERS else 0

    best = np.zeros(len(stack))
    best[int(alone.argmax())] = 1.0
    score = float(alone.max())
    path = _path(judge, alone, np.arange(len(stack)), rounds)
    candidates = [_trimmed(counts, largest) for counts in _distinct(path)]
    if bags:
        candidates.append(_trimmed(_bagged(judge, alone, rounds, bags, generator), largest))
    for weights in candidates:
        value = _value(metric, target, stack, weights)
        if value > score + TIE:
            best, score = weights, value
    if bags and _value(metric, target, stack, candidates[-1]) >= float(alone.max()):
        best = candidates[-1]
    full = np.zeros(len(predictions))
    full[usable] = best
    return full


def steady(
    predictions: Sequence[np.ndarray], target: np.ndarray, metric: Metric, seed: int = 0
) -> np.ndarray:
    """The weights of `greedy`, or on few rows that are judged by their labels the mean of them and of the weights that
    log-loss chooses.

    Whether a label is right is one bit a row, so on a few hundred rows luck has much to say about accuracy; log-loss
    sees by how much each row was right. What was measured is in `docs/decisions/0014-few-rows-judged-by-labels.md`.

    Args:
        predictions: out-of-fold predictions of the same rows.
        target: `(n,)` or `(n, m)`.
        metric: what is to be improved.
        seed: of every random decision.

    Returns:
        `(members,)` non-negative, sum 1.
    """
    weights = greedy(predictions, target, metric, seed=seed)
    if metric.input != "label" or len(target) >= SMALL_ROWS or target.ndim != 1 or predictions[0].ndim != 2:
        return weights
    return (weights + greedy(predictions, target, resolve("log_loss"), seed=seed)) / 2.0


def _stacked(predictions: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    if len(predictions) == 0:
        raise UsageError(
            "An ensemble needs at least one member, received none.", todo="Train a candidate first."
        )
    shapes = {np.shape(prediction) for prediction in predictions}
    if len(shapes) > 1:
        raise UsageError(
            f"Members of an ensemble must predict the same rows and classes, received {sorted(shapes)}.",
            todo="Give out-of-fold predictions of the same folds.",
        )
    usable = np.array(
        [index for index, values in enumerate(predictions) if np.isfinite(values).all()], dtype=int
    )
    if len(usable) == 0:
        raise UsageError(
            "Every member's predictions hold NaN or infinity.", todo="Look at the failed trials first."
        )
    return np.stack([np.asarray(predictions[index], dtype=np.float64) for index in usable]), usable


def _search_rows(
    target: np.ndarray, metric: Metric, stack: np.ndarray, rounds: int, generator: np.random.Generator
) -> np.ndarray:
    """The rows that the search looks at: all when that is cheap, else a stratified sample."""
    n = len(target)
    if n <= SEARCH_ROWS or _is_quadratic(metric):
        return np.arange(n)
    if metric.name == "log_loss" and target.ndim == 1:
        affordable = SEARCH_CELLS // (100 * len(stack) * rounds)
    else:
        affordable = SEARCH_ROWS
    if n <= affordable:
        return np.arange(n)
    order = generator.permutation(n)
    if metric.name == "roc_auc" and target.ndim == 1 and target.max() <= 1:
        # Ranking does not depend on how common the classes are, so the rare one may be shown in full.
        positive, negative = order[target[order] == 1], order[target[order] != 1]
        half = affordable // 2
        return np.sort(np.concatenate([positive[:half], negative[: affordable - min(half, len(positive))]]))
    if target.ndim == 1 and metric.input != "value":
        order = order[np.argsort(target[order], kind="stable")]
        return np.sort(order[np.linspace(0, n - 1, affordable).astype(int)])
    return np.sort(order[:affordable])


def _is_quadratic(metric: Metric) -> bool:
    return metric.name == "rmse"


def _judge(
    metric: Metric, target: np.ndarray, stack: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function `(counts, members) -> scores`: what adding each member once to the counts would score."""
    if _is_quadratic(metric):
        return _judge_squares(target, stack)
    if metric.name == "log_loss" and target.ndim == 1 and stack.ndim == 3:
        return _judge_log_loss(target, stack)
    if metric.name == "roc_auc" and stack.ndim == 3 and stack.shape[2] == 2 and len(np.unique(target)) == 2:
        return _judge_ranking(target, stack)
    ones = np.ones(len(target))

    def scores(counts: np.ndarray, members: np.ndarray) -> np.ndarray:
        total = np.tensordot(counts, stack, axes=1)
        size = counts.sum() + 1.0
        mixed = ((total + stack[member]) / size for member in members)
        return np.array([metric.sign * metric.weighted(target, values)(ones) for values in mixed])

    return scores


def _judge_squares(target: np.ndarray, stack: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The error of a mixture is wᵀ E w with E the products of the members' errors, one matrix per output."""
    errors = (stack - target).reshape(len(stack), len(target), -1)
    products = np.einsum("anq,bnq->qab", errors, errors, optimize=True) / len(target)

    def scores(counts: np.ndarray, members: np.ndarray) -> np.ndarray:
        size = counts.sum() + 1.0
        now = np.einsum("a,qab,b->q", counts, products, counts)
        cross = np.einsum("a,qab->qb", counts, products)[:, members]
        squares = now[:, None] + 2.0 * cross + np.einsum("qaa->qa", products)[:, members]
        return -np.sqrt(np.maximum(squares, 0.0)).mean(axis=0) / size

    return scores


def _judge_log_loss(target: np.ndarray, stack: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Only the probability of the true class counts, and mixing is linear in it."""
    known = np.clip(target, 0, stack.shape[2] - 1)
    share = stack[:, np.arange(len(target)), known] / stack.sum(axis=2)
    truth = np.where(known == target, share, 0.0).astype(np.float32)

    def scores(counts: np.ndarray, members: np.ndarray) -> np.ndarray:
        total, size = (counts @ truth).astype(np.float32), np.float32(counts.sum() + 1.0)
        mixed = np.maximum((total + truth[members]) / size, np.float32(SMALLEST_PROBABILITY))
        return np.log(mixed).mean(axis=1, dtype=np.float64)

    return scores


def _judge_ranking(target: np.ndarray, stack: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """ROC area by looking up the positive rows among the sorted negative ones; ties count half."""
    positive, negative = stack[:, target == 1, 1], stack[:, target != 1, 1]
    pairs = 2.0 * positive.shape[1] * negative.shape[1]

    def scores(counts: np.ndarray, members: np.ndarray) -> np.ndarray:
        above, below = counts @ positive, counts @ negative
        found = []
        for member in members:
            order, asked = np.sort(below + negative[member]), np.sort(above + positive[member])
            found.append(np.searchsorted(order, asked).sum() + np.searchsorted(order, asked, "right").sum())
        return np.array(found) / pairs

    return scores


def _path(judge: Callable, alone: np.ndarray, members: np.ndarray, rounds: int) -> list[np.ndarray]:
    """Counts after each step up to the best: the best members while they help, then greedy additions."""
    counts, path, scores = np.zeros(len(alone)), [], []

    def add(member: int, score: float) -> None:
        path.append((path[-1] if path else counts).copy())
        path[-1][member] += 1
        scores.append(score)

    for member in members[np.argsort(-alone[members], kind="stable")][: min(OPENING_MEMBERS, rounds)]:
        score = float(judge(path[-1] if path else counts, np.array([member]))[0])
        if scores and score <= scores[-1] + TIE:
            break
        add(member, score)
    while len(path) < rounds and len(path) - int(np.argmax(scores)) <= PATIENCE:
        found = judge(path[-1], members)
        equal = members[found >= found.max() - TIE]
        inside = equal[path[-1][equal] > 0]
        add(inside[0] if len(inside) else equal[0], float(found.max()))
    best = next(index for index, score in enumerate(scores) if score >= max(scores) - TIE)
    return path[: best + 1]


def _distinct(path: list[np.ndarray]) -> list[np.ndarray]:
    """The steps worth judging on all rows: a few, evenly along the path, the last one first."""
    chosen = np.unique(np.linspace(0, len(path) - 1, min(JUDGED_STEPS, len(path))).round().astype(int))
    return [path[index] for index in chosen[::-1]]


def _bagged(
    judge: Callable, alone: np.ndarray, rounds: int, bags: int, generator: np.random.Generator
) -> np.ndarray:
    """The mean of the selections from random halves of the members."""
    total = np.zeros(len(alone))
    for _ in range(bags):
        half = np.sort(generator.choice(len(alone), (len(alone) + 1) // 2, replace=False))
        counts = _path(judge, alone, half, rounds)[-1]
        total += counts / counts.sum()
    return total / bags


def _trimmed(counts: np.ndarray, largest: int) -> np.ndarray:
    """Weights with only the heaviest members kept."""
    weights = np.array(counts, dtype=np.float64)
    weights[np.argsort(-weights, kind="stable")[largest:]] = 0.0
    return weights / weights.sum()


def _value(metric: Metric, target: np.ndarray, stack: np.ndarray, weights: np.ndarray) -> float:
    """The score of a weighted average on all rows."""
    inside = np.flatnonzero(weights)
    return metric.score(target, np.tensordot(weights[inside], stack[inside], axes=1))


# -- how sure to be ----------------------------------------------------------------------------------------


def temperature(prediction: np.ndarray, target: np.ndarray) -> float:
    """The number by which log-probabilities are divided so that their log-loss is least.

    Above 1 softens, below 1 sharpens. A weak prior at 1 (worth about one row) keeps a handful of rows, all of
    them right, from asking for certainty.

    Args:
        prediction: `(n, k)` probabilities, or `(n, m)` marginals when the target has two dimensions.
        target: `(n,)` codes or `(n, m)` of 0/1.

    Returns:
        a temperature from 0.1 to 10.

    >>> fair = np.full((100, 2), 0.5)
    >>> round(temperature(fair, np.array([0, 1] * 50)), 3)
    1.0
    """
    from scipy.optimize import minimize_scalar

    logits, actual = _logits(np.asarray(prediction, dtype=np.float64), np.asarray(target))
    n = len(actual)

    def loss(log_temperature: float) -> float:
        scaled = logits * np.exp(-log_temperature)
        shifted = scaled - scaled.max(axis=1, keepdims=True)
        truth = shifted[np.arange(n), actual] - np.log(np.exp(shifted).sum(axis=1))
        return float(-truth.mean() + 0.5 * log_temperature**2 / n)

    bounds = tuple(np.log(TEMPERATURE_RANGE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x)) if found.fun < loss(0.0) - 1e-9 else 1.0


def _logits(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities and codes of rows of a known class; labels count as questions of two answers."""
    if target.ndim == 2:
        flat, actual = prediction.ravel(), target.ravel().astype(np.int64)
        prediction = np.column_stack([1.0 - flat, flat])
    else:
        known = (target >= 0) & (target < prediction.shape[1])
        prediction, actual = prediction[known], target[known].astype(np.int64)
    if len(actual) == 0:
        return np.zeros((1, 2)), np.zeros(1, dtype=np.int64)
    step = -(-len(actual) // TEMPERATURE_ROWS)
    return np.log(np.clip(prediction[::step], SMALLEST_PROBABILITY, 1.0)), actual[::step]


# -- where to cut ------------------------------------------------------------------------------------------


def threshold(metric: Metric, prediction: np.ndarray, target: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """How probabilities should become labels, for metrics that judge labels of unequal classes.

    Args:
        metric: F1 of all kinds, balanced accuracy, kappa, Matthews; `pr_auc` decides by F1. For every other
            metric the most probable class is already the answer.
        prediction: `(n, k)` out-of-fold probabilities or `(n, m)` marginals.
        target: `(n,)` codes or `(n, m)` of 0/1.
        seed: of the resampling that steadies the threshold.

    Returns:
        `{"threshold": t}` for two classes or for label sets, `{"weights": [k numbers]}` for many classes,
        `{}` when the most probable class does at least as well.

    >>> probability = np.array([0.1, 0.2, 0.3, 0.4])
    >>> both = np.column_stack([1 - probability, probability])
    >>> found = threshold(resolve("f1"), both, np.array([0, 0, 1, 1]))
    >>> 0.2 < found["threshold"] <= 0.3
    True
    """
    prediction, target = np.asarray(prediction, dtype=np.float64), np.asarray(target)
    if metric.name not in TUNED or prediction.ndim != 2:
        return {}
    if metric.name == "pr_auc":
        if target.ndim == 2 or prediction.shape[1] != 2:
            return {}
        metric = resolve(PR_AUC_DECIDES_BY)
    if target.ndim == 2:
        found = _label_cut(metric, prediction, target)
    elif prediction.shape[1] == 2:
        found = _binary_cut(metric, prediction, target, seed)
    else:
        found = _class_weights(metric, prediction, target, seed)
    gains = metric.score(target, prediction, found) > metric.score(target, prediction) + TIE
    return found if gains else {}


def _binary_cut(metric: Metric, prediction: np.ndarray, target: np.ndarray, seed: int) -> dict[str, Any]:
    """The mean of the best cuts over resampled rows: one lucky row moves it little."""
    generator = np.random.default_rng(seed)
    order = np.argsort(prediction[:, 1], kind="stable")
    value, positive = prediction[order, 1], (target[order] == 1).astype(np.float64)
    cuts = np.flatnonzero(np.diff(value) > 0) + 1
    if len(cuts) == 0:
        return {}
    places = (value[cuts - 1] + value[cuts]) / 2.0
    found = []
    for _ in range(THRESHOLD_BAGS):
        weights = np.bincount(generator.integers(0, len(value), len(value)), minlength=len(value))
        scores = _cut_scores(metric.name, weights * positive, weights * (1.0 - positive), cuts)
        found.append(np.median(places[scores >= scores.max() - TIE]))
    return {"threshold": float(np.mean(found))}


def _cut_scores(name: str, positives: np.ndarray, negatives: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """The metric when rows from each cut on (in rising order of probability) are called class 1."""
    all_positive, all_negative = positives.sum(), negatives.sum()
    missed, spared = np.cumsum(positives)[cuts - 1], np.cumsum(negatives)[cuts - 1]
    hits, false = all_positive - missed, all_negative - spared
    with np.errstate(divide="ignore", invalid="ignore"):
        if name == "balanced_accuracy":
            scores = hits / all_positive + spared / all_negative
        elif name == "kappa":
            scores = (
                2
                * (hits * spared - missed * false)
                / ((hits + false) * all_negative + (missed + spared) * all_positive)
            )
        elif name == "mcc":
            scores = (hits * spared - missed * false) / np.sqrt(
                (hits + false) * (missed + spared) * all_positive * all_negative
            )
        elif name == "f1_macro":
            scores = 2 * hits / (2 * hits + false + missed) + 2 * spared / (2 * spared + false + missed)
        elif name == "f1_micro":
            scores = hits + spared
        else:
            scores = 2 * hits / (2 * hits + false + missed)
    return np.nan_to_num(scores, nan=-1.0, posinf=-1.0, neginf=-1.0)


def _label_cut(metric: Metric, prediction: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """One threshold for all labels, from a grid that is too coarse to be lucky."""
    grid = np.round(np.arange(0.05, 0.96, 0.05), 2)
    scores = [metric.score(target, prediction, {"threshold": float(cut)}) for cut in grid]
    return {"threshold": float(grid[int(np.argmax(scores))])}


def _class_weights(metric: Metric, prediction: np.ndarray, target: np.ndarray, seed: int) -> dict[str, Any]:
    """Weights (1 / frequency)^a with the best a, then, where rows allow, one class after another."""
    k = prediction.shape[1]
    rows = np.random.default_rng(seed).permutation(len(target))[:WEIGHT_ROWS]
    prediction, target = prediction[rows], target[rows]
    ones = np.ones(len(target))

    def score(weights: np.ndarray) -> float:
        return metric.sign * metric.weighted(target, prediction, {"weights": weights})(ones)

    counts = np.bincount(target[(target >= 0) & (target < k)], minlength=k) + 1.0
    families = [(counts.max() / counts) ** power for power in np.linspace(0.0, 1.2, 13)]
    scores = [score(weights) for weights in families]
    best, top = families[int(np.argmax(scores))], max(scores)
    if k <= COORDINATE_CLASSES and len(target) >= ROWS_PER_CLASS * k:
        for code in range(k):
            for factor in (0.5, 0.7, 0.85, 1.2, 1.4, 2.0):
                trial = best.copy()
                trial[code] *= factor
                if (value := score(trial)) > top + 1e-4:
                    best, top = trial, value
    return {"weights": [round(float(weight), 6) for weight in best / best.max()]}
