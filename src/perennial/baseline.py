"""What common sense achieves: the figures that any grown model has to beat.

Every baseline is a program of fitted words, so it is trained, judged, saved and used like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from perennial.lang import FitContext, Lambda, Program, Type, Var, call
from perennial.metrics import Metric
from perennial.primitives.baselines import constant, one_rule

if TYPE_CHECKING:
    from perennial.task import Task

ROW = "row"
ABSOLUTE_ERRORS = ("mae", "mape")


@dataclass(frozen=True)
class Baseline:
    """A common-sense predictor that has been fitted.

    Args:
        name: as people read it, such as `class shares` or `one rule`.
        program: the same as a program.
        predict: columns to predictions, `(n, k)`, `(n,)` or `(n, m)`.
        score: on the rows it was judged on; larger is better.
        value: the metric as people read it.
    """

    name: str
    program: Program
    predict: Callable[[dict[str, np.ndarray]], np.ndarray] = field(repr=False)
    score: float
    value: float


def baseline_programs(
    input_type: Type, output_type: Type, metric: Metric | None = None
) -> list[tuple[str, Program]]:
    """Common-sense programs, the simplest first: a constant, one rule, and a linear model.

    Args:
        input_type: the record of columns, or `Image[h,w,c]`, for which there is no rule of one column.
        output_type: `Dist[k]`, `Real`, `Tensor[m]` or `Marginals[m]`.
        metric: for metrics of absolute errors the constant is the median, which is best for them.

    Returns:
        pairs of name and program `row -> prediction`; the first is the constant.
    """
    simplest = _constant(output_type, metric)
    if input_type.name == "Image":
        return [simplest, ("linear on edges", edges_program())]
    rule = Lambda((ROW,), call(one_rule, Var(ROW)))
    return [simplest, ("one rule", rule), ("linear", linear_program(input_type))]


def _constant(output_type: Type, metric: Metric | None) -> tuple[str, Program]:
    if output_type.name in ("Dist", "Marginals"):
        name = "class shares" if output_type.name == "Dist" else "label shares"
        return name, Lambda((ROW,), call(constant, Var(ROW)))
    statistic = "median" if metric is not None and metric.name in ABSOLUTE_ERRORS else "mean"
    return statistic, Lambda((ROW,), call(constant, Var(ROW), statistic=statistic))


def linear_program(input_type: Type) -> Program:
    """Ridge or logistic regression on plain encodings: scaled numbers, one-hot levels, date parts, TF-IDF.

    Args:
        input_type: the record of columns; only the words its kinds need are used.
    """
    from perennial.primitives import vocabulary

    word, row = vocabulary(), Var(ROW)
    kinds = {kind.name for kind in input_type.arguments}
    parts = []
    if kinds & {"Real", "Int", "Bool"}:
        parts.append(call(word["standardise"], call(word["impute"], call(word["numbers"], row))))
    if "Categories" in kinds:
        parts.append(call(word["one_hot"], call(word["categories"], row)))
    if "Date" in kinds:
        dates = call(word["date_parts"], call(word["dates"], row))
        parts.append(call(word["standardise"], call(word["impute"], dates)))
    if "Text" in kinds:
        parts.append(call(word["tfidf"], call(word["texts"], row)))
    joined = parts[0] if len(parts) == 1 else call(word["join"], *parts)
    return Lambda((ROW,), call(word["linear"], joined))


def edges_program() -> Program:
    """Ridge or logistic regression on histograms of edge directions (Dalal and Triggs 2005)."""
    from perennial.primitives import vocabulary

    word = vocabulary()
    return Lambda((ROW,), call(word["linear"], call(word["hog"], Var(ROW))))


def baselines(
    task: Task,
    train_rows: np.ndarray,
    metric: Metric,
    validation_rows: np.ndarray | None = None,
    seed: int = 0,
) -> list[Baseline]:
    """The constant and the one rule, fitted here and now: an answer before anything else is tried.

    The linear baseline takes longer and is trained by the study like any candidate (see `baseline_programs`).

    Args:
        task: the data.
        train_rows: rows to learn from.
        metric: the number that counts.
        validation_rows: rows to judge on; `None` judges on the rows learnt from.
        seed: passed on; nothing here draws lots.

    Returns:
        fitted baselines, the constant first.
    """
    judged = train_rows if validation_rows is None else validation_rows
    columns, truth = _take(task.inputs, train_rows), task.target[train_rows]
    weights = None if task.sample_weight is None else task.sample_weight[train_rows]
    context = FitContext(
        output=task.output_type,
        train_rows=len(train_rows),
        seed=seed,
        types=(task.input_type,),
        sample_weight=weights,
    )
    fitted = []
    named = [_constant(task.output_type, metric), ("one rule", Lambda((ROW,), call(one_rule, Var(ROW))))]
    for name, program in named:
        predict = _fitted(program, columns, truth, context)
        value = metric(task.target[judged], predict(_take(task.inputs, judged)))
        fitted.append(Baseline(name, program, predict, metric.sign * value, value))
    return fitted


def _fitted(
    program: Program, columns: dict[str, np.ndarray], truth: np.ndarray, context: FitContext
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    word = program.body.function
    settings = {name: literal.value for name, literal in program.body.parameters}
    state = word.fit((columns,), truth, context, **settings)
    return lambda asked: word.call(asked, state=state, **settings)


def _take(columns: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in columns.items()}
