"""Gradient-boosted trees (Friedman 2001) by LightGBM (Ke et al. 2017), kept as its text format."""

from __future__ import annotations

import hashlib
import time
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from perennial.lang.ops import FitContext, Parameter, State
from perennial.primitives.learners.base import Predictor, dense, width_of
from perennial.primitives.learners.booster_text import check_booster

CURVE_EVERY = 10
LARGEST_NATIVE_LEVELS = 4_000


class LightGBM(Predictor):
    """Boosted trees; NaN is a value of its own, records of categories are split by sets of levels.

    Validation rows stop it early; at the deadline it keeps the rounds it has.

    Args:
        rounds: at most so many trees (times classes).
        learning_rate: share of each tree that is added.
        leaves: of a tree.
        min_rows: in a leaf.
        subsample: share of rows for each tree.
        columns: share of columns for each tree.
        l2: penalty of leaf values.
        bins: histogram bins of a number.
        extra: thresholds are drawn at random (extremely randomised).
        category_smoothing: rows that the prior counts for when levels are ordered.
    """

    name, doc = "lightgbm", "Gradient-boosted trees."
    takes_categories = True
    cost = 3.0
    parameters = MappingProxyType(
        {
            "rounds": Parameter(1000, low=10, high=10_000, log=True),
            "learning_rate": Parameter(0.05, low=0.005, high=0.5, log=True),
            "leaves": Parameter(31, low=2, high=1024, log=True),
            "min_rows": Parameter(20, low=1, high=1000, log=True),
            "subsample": Parameter(0.8, low=0.3, high=1.0),
            "columns": Parameter(0.8, low=0.1, high=1.0),
            "l2": Parameter(0.0, low=0.0, high=100.0),
            "bins": Parameter(255, low=15, high=1023),
            "extra": Parameter(False, options=(False, True)),
            "category_smoothing": Parameter(10.0, low=1.0, high=500.0, log=True),
        }
    )

    def fit(self, inputs: tuple, target: np.ndarray, context: FitContext, **parameters: Any) -> State:
        values, categories = dense(inputs), _category_columns(inputs)
        truth = np.asarray(target)
        if context.output.name in ("Tensor", "Marginals"):
            fits = [
                self._fit_one(values, column, categories, context, index, len(truth.T), **parameters)
                for index, column in enumerate(truth.T)
            ]
        else:
            fits = [self._fit_one(values, truth, categories, context, 0, 1, **parameters)]
        return State(
            {},
            {"output": context.output.name, **{f"booster{index}": text for index, text in enumerate(fits)}},
        )

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        values, columns = dense(inputs), []
        asked = values if len(values) else np.zeros((1, values.shape[1]))  # LightGBM refuses no rows at all
        for index in range(len(state.texts) - 1):
            booster = _Boosters.get(state.texts[f"booster{index}"])
            columns.append(booster.predict(asked, num_threads=0 if len(asked) > 2_000 else 1)[: len(values)])
        output = state.texts["output"]
        if output == "Dist":
            return columns[0] if columns[0].ndim == 2 else np.column_stack([1.0 - columns[0], columns[0]])
        return columns[0] if output == "Real" else np.column_stack(columns)

    def _fit_one(
        self,
        values: np.ndarray,
        truth: np.ndarray,
        categories: list[int],
        context: FitContext,
        index: int,
        parts: int,
        *,
        rounds: int,
        learning_rate: float,
        leaves: int,
        min_rows: int,
        subsample: float,
        columns: float,
        l2: float,
        bins: int,
        extra: bool,
        category_smoothing: float,
    ) -> str:
        import lightgbm

        n = context.train_rows
        settings = {
            **_objective(context),
            "learning_rate": learning_rate,
            "num_leaves": leaves,
            "min_data_in_leaf": max(1, min(min_rows, n // 4)),
            "bagging_fraction": subsample,
            "bagging_freq": 1 if subsample < 1 else 0,
            "feature_fraction": columns,
            "lambda_l2": l2,
            "max_bin": bins,
            "extra_trees": extra,
            "cat_smooth": category_smoothing,
            "min_sum_hessian_in_leaf": 1e-7,
            "seed": context.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": context.threads,
            "verbosity": -1,
            "feature_pre_filter": False,
        }
        weights = context.sample_weight
        data = lightgbm.Dataset(
            values[:n],
            truth[:n],
            weight=None if weights is None else weights[:n],
            categorical_feature=categories,
            params={
                "max_bin": bins,
                "verbosity": -1,
                "feature_pre_filter": False,
                "num_threads": context.threads,
            },
        )
        start = time.monotonic()
        deadline = start + (context.deadline - start) / (parts - index)
        history: dict[str, Any] = {}
        calls = [_stop_at(deadline)]
        sets = []
        if len(values) > n:
            patience = int(np.clip(2.0 / learning_rate, 20, 200))
            sets = [data.create_valid(values[n:], truth[n:])]
            calls += [lightgbm.early_stopping(patience, verbose=False), lightgbm.record_evaluation(history)]
        booster = lightgbm.train(
            settings,
            data,
            num_boost_round=max(1, int(rounds * context.fidelity)),
            valid_sets=sets,
            valid_names=["validation"] * len(sets),
            callbacks=calls,
        )
        if index == 0:
            _write_curve(context, history)
        text = booster.model_to_string(num_iteration=_best_round(history), importance_type="gain")
        _Boosters.trust(text)
        return text


class _Boosters:
    """The boosters of the texts that were used last; parsing one costs more than a small prediction."""

    _known: ClassVar[dict[int, tuple[str, Any]]] = {}
    _sound: ClassVar[dict[bytes, None]] = {}
    _most_characters, _most_sound = 2**26, 10_000

    @classmethod
    def trust(cls, text: str) -> None:
        """A text that LightGBM wrote in this process, or that was checked here, need not be checked when it is read."""
        if len(cls._sound) >= cls._most_sound:
            cls._sound.pop(next(iter(cls._sound)))
        cls._sound[_digest(text)] = None

    @classmethod
    def get(cls, text: str) -> Any:
        import lightgbm

        key = hash(text)
        found = cls._known.get(key)
        if found is not None and found[0] == text:
            return found[1]
        if _digest(text) not in cls._sound:
            check_booster(text)
            cls.trust(text)
        booster = lightgbm.Booster(model_str=text)
        room = cls._most_characters - len(text)
        while cls._known and sum(len(known) for known, _ in cls._known.values()) > room:
            cls._known.pop(next(iter(cls._known)))
        cls._known[key] = (text, booster)
        return booster


def _digest(text: str) -> bytes:
    """One that nobody can find another text for, unlike `hash`, which a file from a stranger could meet."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _objective(context: FitContext) -> dict[str, Any]:
    if context.output.name == "Dist" and width_of(context) > 2:
        return {"objective": "multiclass", "num_class": width_of(context), "metric": "multi_logloss"}
    if context.output.name in ("Dist", "Marginals"):
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "regression", "metric": "rmse"}


def _category_columns(inputs: tuple) -> list[int]:
    """Positions of native categories; a field with very many levels is read as a number."""
    found, position = [], 0
    for value in inputs:
        if isinstance(value, dict):
            for column in value.values():
                if column.max(initial=0) < LARGEST_NATIVE_LEVELS:
                    found.append(position)
                position += 1
        else:
            position += value.shape[1]
    return found


def _stop_at(deadline: float) -> Any:
    """Ends training when the next round would pass the deadline; the first round is always kept."""
    import lightgbm

    times: list[float] = []

    def callback(environment: Any) -> None:
        now = time.monotonic()
        step = (now - times[-1]) if times else 0.0
        times.append(now)
        if now + step > deadline:
            raise lightgbm.callback.EarlyStopException(
                environment.iteration, environment.evaluation_result_list or []
            )

    callback.order = 40
    return callback


def _best_round(history: dict[str, Any]) -> int | None:
    """The round with the lowest validation loss, also when the deadline came first; None for all rounds."""
    for losses in next(iter(history.values()), {}).values():
        return int(np.argmin(losses)) + 1
    return None


def _write_curve(context: FitContext, history: dict[str, Any]) -> None:
    for values in next(iter(history.values()), {}).values():
        context.curve.extend(
            {"step": step, "validation": value}
            for step, value in enumerate(values)
            if step % CURVE_EVERY == 0
        )


lightgbm = LightGBM()
