"""The contract of trainers: what every member of `perennial.trainers`, and each of yours, must keep.

A plug-in author calls `check_trainer(trainer, program)` in one test, with a program that the trainer can fit.
The program takes `Record{f0001: Real, f0002: Real, f0003: Categories[3]}`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from perennial.lang import FitContext, Program, evaluate
from perennial.lang.types import Categories, Dist, Marginals, Real, Record, Tensor, Type
from perennial.trainers import Batch, Trainer
from perennial.weights import Weights

ROW = Record({"f0001": Real, "f0002": Real, "f0003": Categories(3)})
OUTPUTS = (Dist(2), Dist(3), Real, Tensor(2), Marginals(2))
PATIENCE = 5.0


def check_trainer(trainer: Trainer, program: Program, outputs: tuple[Type, ...] = OUTPUTS) -> None:
    """Raises AssertionError with a sentence when a trainer breaks a clause.

    Args:
        trainer: the member to check.
        program: from a row of `ROW` to a prediction, fit to learn an easy function.
        outputs: the types to ask for.
    """
    assert trainer.can_train(program), f"{_name(trainer)} says that it cannot train {program}."
    for output in outputs:
        batch, context = example(output)
        fitted = trainer.fit(program, batch, context)
        where = f"{_name(trainer)} on {output}"
        _check_predictions(program, batch, fitted, output, where)
        _check_learns(batch, fitted.predictions, output, where)
        _check_seed(trainer, program, batch, context, fitted, where)
        _check_wanted(trainer, program, batch, context, fitted, where)
        _check_without_validation(trainer, program, batch, context, fitted, where)
        _check_checkpoints(trainer, program, batch, context, fitted, where)
    _check_deadline(trainer, program)


def example(output: Type, rows: int = 300, seed: int = 0) -> tuple[Batch, FitContext]:
    """Easy rows for a kind of prediction, two thirds of them to learn from, and what a fit may know."""
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, rows))
    group = generator.integers(0, 3, rows).astype(np.int32)
    value = 2.0 * x - z + (group == 1)
    targets: dict[str, Any] = {
        "Real": 100.0 + 7.0 * value,
        "Tensor": np.column_stack([value, 50.0 - x]),
        "Marginals": np.column_stack([value > 0, z > 0.5]).astype(np.int64),
    }
    if output.name == "Dist":
        edges = np.quantile(value, np.arange(1, int(output.arguments[0])) / int(output.arguments[0]))
        targets["Dist"] = np.searchsorted(edges, value).astype(np.int64)
    row = {"f0001": x, "f0002": z, "f0003": group}
    train_rows = 2 * rows // 3
    context = FitContext(output=output, train_rows=train_rows, seed=seed, types=(ROW,))
    return Batch((row,), targets[output.name], train_rows), context


def _check_predictions(program: Program, batch: Batch, fitted: Any, output: Type, where: str) -> None:
    predictions, rows = np.asarray(fitted.predictions), len(batch.target)
    shape = (rows,) if output.name == "Real" else (rows, int(output.arguments[0]))
    assert predictions.shape == shape, f"{where}: predictions have shape {predictions.shape}, not {shape}."
    assert np.isfinite(predictions).all(), f"{where}: predictions are not finite."
    if output.name == "Dist":
        assert np.allclose(predictions.sum(axis=1), 1.0), f"{where}: probabilities do not sum to 1."
    again = Weights.from_bytes(fitted.weights.to_bytes())
    restored = evaluate(program, *batch.arguments, states=again)
    held_out = slice(batch.train_rows, None)
    assert np.array_equal(restored[held_out], predictions[held_out]), (
        f"{where}: weights that were stored and read predict something else."
    )


def _check_learns(batch: Batch, predictions: np.ndarray, output: Type, where: str) -> None:
    n = batch.train_rows
    truth = batch.target
    if output.name == "Dist":
        truth = np.eye(int(output.arguments[0]))[truth]
    error = ((predictions[n:] - truth[n:]) ** 2).mean()
    constant = ((truth[:n].mean(axis=0) - truth[n:]) ** 2).mean()
    assert error < 0.7 * constant, f"{where}: squared error {error:.3g}, a constant has {constant:.3g}."


def _check_seed(
    trainer: Trainer, program: Program, batch: Batch, context: Any, fitted: Any, where: str
) -> None:
    again = trainer.fit(program, batch, replace(context, curve=[]))
    assert again.weights.to_bytes() == fitted.weights.to_bytes(), (
        f"{where}: one seed gave two sets of weights."
    )


def _check_wanted(
    trainer: Trainer, program: Program, batch: Batch, context: Any, fitted: Any, where: str
) -> None:
    """Asked for some rows, it predicts these, as it predicts them among all."""
    wanted = np.arange(len(batch.target) - 5, len(batch.target))
    few = trainer.fit(program, batch, replace(context, curve=[], wanted=wanted))
    assert np.allclose(few.predictions, fitted.predictions[wanted], atol=1e-5), (
        f"{where}: asked for some rows only, it predicts something else."
    )


def _check_without_validation(
    trainer: Trainer, program: Program, batch: Batch, context: Any, fitted: Any, where: str
) -> None:
    """Validation rows are welcome, not needed."""
    n = batch.train_rows
    train_only = Batch(
        ({name: column[:n] for name, column in batch.arguments[0].items()},), batch.target[:n], n
    )
    alone = trainer.fit(program, train_only, replace(context, curve=[]))
    assert set(alone.weights) == set(fitted.weights), (
        f"{where}: without validation rows other words are fitted."
    )
    assert np.isfinite(alone.predictions).all(), f"{where}: without validation rows it predicts no numbers."


def _check_checkpoints(
    trainer: Trainer, program: Program, batch: Batch, context: Any, fitted: Any, where: str
) -> None:
    """Checkpoints are welcome, not needed; a training that ended is not made again."""
    left: dict[str, Any] = {}
    told = trainer.fit(program, batch, replace(context, curve=[], checkpoints=left))
    assert told.weights.to_bytes() == fitted.weights.to_bytes(), (
        f"{where}: leaving a checkpoint changed the weights."
    )
    assert set(left) <= set(fitted.weights), f"{where}: a checkpoint belongs to no fitted word."
    stored = Weights.from_bytes(Weights(left).to_bytes())
    again = trainer.fit(program, batch, replace(context, curve=[], resume=stored))
    assert again.weights.to_bytes() == fitted.weights.to_bytes(), (
        f"{where}: going on from the end gave other weights."
    )


def _check_deadline(trainer: Trainer, program: Program) -> None:
    batch, context = example(Dist(2), rows=3000)
    begin = time.monotonic()
    fitted = trainer.fit(program, batch, replace(context, deadline=begin - 1.0, curve=[]))
    seconds = time.monotonic() - begin
    assert seconds < PATIENCE, f"{_name(trainer)} took {seconds:.1f} s after its deadline had passed."
    assert np.isfinite(fitted.predictions).all(), f"{_name(trainer)} has nothing to show at its deadline."


def _name(trainer: Trainer) -> str:
    return type(trainer).__name__
