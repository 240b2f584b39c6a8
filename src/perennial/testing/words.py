"""Contracts of words that fit themselves: predictors at the end of a program, encoders inside it.

A plug-in author calls `check_learner(word)` or `check_encoder(word)` in one test. Both make their own small
data.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from perennial.lang import (
    Categories,
    Dist,
    FitContext,
    Learner,
    Marginals,
    Real,
    Record,
    State,
    Tensor,
    Text,
    Type,
)
from perennial.trainers.base import rows_of
from perennial.weights import Weights

__all__ = ["check_encoder", "check_learner", "easy_target", "records_of", "round_trip", "table"]

ROWS, TRAIN, WIDTH = 260, 200, 5
LONGEST_OVERRUN = 5.0
NEAR = 0.1
OUTPUTS = (Dist(2), Dist(3), Real, Tensor(2), Marginals(3))


def check_learner(word: Learner, *, missing: bool, stops_early: bool = False, **parameters: Any) -> None:
    """Hold a predictor to its promises, for every output type.

    Args:
        word: takes tensors.
        missing: whether it promises to take NaN.
        stops_early: whether it looks at the validation rows to decide when to stop.
        parameters: hyper-parameters that make it quick on 200 rows.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    parameters = word.complete(parameters)
    for output in OUTPUTS:
        values, target = table(missing=missing), easy_target(output)
        fitted = word.fit((values,), target, _context(output), **parameters)
        _check_rows_kept(word, fitted, values)
        predicted = word.call(values, state=fitted, **parameters)
        _check_prediction(word, output, predicted, ROWS)
        _check_same(word, values, target, output, fitted, predicted, parameters)
        _check_better_than_constant(word, output, predicted, target)
        if not stops_early:
            _check_blind(word, values, target, output, fitted, parameters)
        one = word.call(values[-1:], state=fitted, **parameters)
        _check_prediction(word, output, one, 1)
        assert np.allclose(one, predicted[-1:], atol=1e-6), (
            f"{word.name}: a row alone is predicted differently."
        )
        _check_prediction(word, output, word.call(values[:0], state=fitted, **parameters), 0)
    _check_one_class(word, parameters)
    _check_absent_class(word, parameters)
    _check_weights(word, parameters)
    _check_deadline(word, parameters)


def check_encoder(
    word: Learner, inputs: tuple, output: Type = Real, types: tuple = (), **parameters: Any
) -> None:
    """Hold an encoder to its promises: learns from training rows only, keeps its width, survives storage.

    Args:
        word: gives a tensor.
        inputs: one batch value an argument, of `ROWS` rows.
        output: of the program around it; the target is made for it.
        types: of the inputs.
        parameters: hyper-parameters.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    parameters = word.complete(parameters)
    target, context = easy_target(output), _context(output, types)
    before = [_copied(value) for value in inputs]
    state, seen = word.fit_call(inputs, target, context, **parameters)
    given = word.call(*inputs, state=state, **parameters)
    assert seen.shape == given.shape and given.shape[0] == ROWS, f"{word.name}: one row out for each row in."
    assert _equal(seen[TRAIN:], given[TRAIN:]), (
        f"{word.name}: fit_call must treat validation rows as call does."
    )
    assert all(map(_equal_values, before, inputs)), f"{word.name} changed its arguments."
    _check_rows_kept(word, state, inputs[0])
    again = word.fit(inputs, target, _context(output, types), **parameters)
    assert _same_state(state, again), f"{word.name}: the same seed must give the same state."
    stored = word.call(*inputs, state=round_trip(state), **parameters)
    assert _equal(given, stored), f"{word.name}: predictions change when the state is stored and read."
    blinded = word.fit(tuple(_blinded(value) for value in inputs), _shuffled(target), context, **parameters)
    assert _same_state(state, blinded), f"{word.name} learnt from rows beyond the training rows."
    for rows in (slice(ROWS - 1, ROWS), slice(0, 0)):
        part = word.call(*[rows_of(value, rows) for value in inputs], state=state, **parameters)
        assert _equal(part, given[rows]), f"{word.name}: a row's values depend on the rows beside it."


def table(missing: bool = False, seed: int = 0) -> np.ndarray:
    """`ROWS` x `WIDTH` standard normal numbers; some NaN in the last column when asked."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(ROWS, WIDTH))
    if missing:
        values[generator.random(ROWS) < 0.2, -1] = np.nan
    return values


def records_of(kind: str, seed: int = 0) -> tuple[dict[str, np.ndarray], Record]:
    """A record of two columns of `categories` or `texts`, with missing and unseen cells, and its type."""
    generator = np.random.default_rng(seed)
    if kind == "categories":
        columns = {"f0001": generator.integers(-1, 3, ROWS), "f0002": generator.integers(-1, 40, ROWS)}
        columns["f0001"][-1] = -2
        return {name: column.astype(np.int32) for name, column in columns.items()}, Record(
            {"f0001": Categories(3), "f0002": Categories(40)}
        )
    words = np.array(["red", "green", "blue", "apple", "pear", "42", "ünï"], dtype=object)
    lines = [" ".join(generator.choice(words, 4)) if generator.random() > 0.1 else "" for _ in range(ROWS)]
    return {"f0001": np.array(lines, dtype=object), "f0002": np.array([""] * ROWS, dtype=object)}, Record(
        {"f0001": Text, "f0002": Text}
    )


def easy_target(output: Type, seed: int = 0) -> np.ndarray:
    """A target that the first columns of `table(seed=seed)` tell almost without noise."""
    values = table(seed=seed)
    if output.name == "Dist":
        edges = np.quantile(values[:, 0], np.linspace(0, 1, output.arguments[0] + 1)[1:-1])
        return np.searchsorted(edges, values[:, 0]).astype(np.int64)
    if output.name == "Marginals":
        return (values[:, : output.arguments[0]] > 0).astype(np.int64)
    if output.name == "Tensor":
        return 10.0 + 3.0 * values[:, : output.arguments[0]]
    return 10.0 + 3.0 * values[:, 0]


def round_trip(state: State) -> State:
    """The state after it was written to safetensors bytes and read back."""
    return Weights.from_bytes(Weights({"word": state}).to_bytes())["word"]


def _context(output: Type, types: tuple = (), **more: Any) -> FitContext:
    return FitContext(output=output, train_rows=TRAIN, seed=3, types=types, **more)


def _check_prediction(word: Learner, output: Type, predicted: Any, rows: int) -> None:
    shape = (rows,) if output == Real else (rows, output.arguments[0])
    assert isinstance(predicted, np.ndarray) and predicted.shape == shape, (
        f"{word.name}: expected a prediction of shape {shape} for {output}, received {np.shape(predicted)}."
    )
    assert predicted.dtype == np.float64, f"{word.name}: predictions are float64, received {predicted.dtype}."
    assert np.isfinite(predicted).all(), f"{word.name}: a prediction of {output} is not finite."
    if output.name in ("Dist", "Marginals"):
        assert ((predicted >= 0) & (predicted <= 1)).all(), f"{word.name}: probabilities are between 0 and 1."
    if output.name == "Dist":
        assert np.allclose(predicted.sum(axis=1), 1.0), f"{word.name}: the classes of a row sum to 1."


def _check_rows_kept(word: Learner, state: State, values: Any) -> None:
    """Rows are found again in any order, scaled or in few bits."""
    if not isinstance(values, np.ndarray) or values.ndim != 2:
        return
    whole = np.isfinite(values).all(axis=0)
    known, found = _scaled(values[:TRAIN, whole]), False
    for array in state.arrays.values():
        if array.shape == (TRAIN, values.shape[1]) and array.std(axis=0).all():
            nearest = [np.abs(known - row).max(axis=1).min() for row in _scaled(array[:, whole])]
            found = found or np.median(nearest) < NEAR
    assert word.keeps_rows == found, (
        f"{word.name}: `keeps_rows` is {word.keeps_rows}, and its state {'holds' if found else 'does not hold'} the training rows."
    )


def _scaled(rows: np.ndarray) -> np.ndarray:
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def _check_same(word, values, target, output, fitted, predicted, parameters) -> None:
    again = word.fit((values,), target, _context(output), **parameters)
    assert _same_state(fitted, again), f"{word.name}: the same seed must give the same state for {output}."
    stored = word.call(values, state=round_trip(fitted), **parameters)
    assert np.array_equal(stored, predicted), (
        f"{word.name}: predictions change when the state is stored and read."
    )


def _check_better_than_constant(
    word: Learner, output: Type, predicted: np.ndarray, target: np.ndarray
) -> None:
    held_out, truth = predicted[TRAIN:], target[TRAIN:]
    if output.name == "Dist":
        right, often = (held_out.argmax(axis=1) == truth).mean(), np.bincount(truth).max() / len(truth)
        assert right > 0.5 * (1 + often), f"{word.name}: {right:.2f} of the rows right on an easy {output}."
    elif output.name == "Marginals":
        right = ((held_out > 0.5) == truth).mean()
        assert right > 0.75, f"{word.name}: {right:.2f} of the labels right on easy ones."
    else:
        share = ((held_out - truth) ** 2).mean() / truth.var()
        assert share < 0.5, f"{word.name}: {share:.2f} of the variance is left on an easy {output}."


def _check_blind(word, values, target, output, fitted, parameters) -> None:
    blinded = word.fit((_blinded(values),), _shuffled(target), _context(output), **parameters)
    assert _same_state(fitted, blinded), f"{word.name} learnt from rows beyond the training rows."


def _check_one_class(word: Learner, parameters: dict) -> None:
    target = np.where(np.arange(ROWS) < TRAIN, 1, easy_target(Dist(3)))
    predicted = _fit_call(word, table(), target, _context(Dist(3)), parameters)
    _check_prediction(word, Dist(3), predicted, ROWS)
    assert (predicted.argmax(axis=1) == 1).all(), f"{word.name}: a fold of one class must predict that class."
    labels = np.column_stack([np.ones(ROWS), np.zeros(ROWS)]).astype(np.int64)
    predicted = _fit_call(word, table(), labels, _context(Marginals(2)), parameters)
    _check_prediction(word, Marginals(2), predicted, ROWS)
    assert ((predicted > 0.5) == labels).all(), (
        f"{word.name}: a label that is always there must be predicted."
    )
    predicted = _fit_call(word, table(), np.full(ROWS, 7.0), _context(Real), parameters)
    assert np.allclose(predicted, 7.0, atol=1e-6), f"{word.name}: a constant target must be predicted."


def _check_absent_class(word: Learner, parameters: dict) -> None:
    target = easy_target(Dist(3))
    present = np.where(np.arange(ROWS) < TRAIN, np.where(target == 1, 3, target), target)
    predicted = _fit_call(word, table(), present, _context(Dist(4)), parameters)
    _check_prediction(word, Dist(4), predicted, ROWS)
    assert predicted[:, 1].max() < 0.1, f"{word.name}: a class without training rows must stay improbable."


def _check_weights(word: Learner, parameters: dict) -> None:
    """Rows of weight (almost) zero that say the contrary must not be believed."""
    target, weight = easy_target(Dist(2)), np.ones(ROWS)
    wrong = np.random.default_rng(0).permutation(TRAIN)[: TRAIN // 2]
    told = target.copy()
    told[wrong], weight[wrong] = 1 - told[wrong], 1e-6
    context = FitContext(output=Dist(2), train_rows=TRAIN, seed=3, sample_weight=weight)
    predicted = _fit_call(word, table(), told, context, parameters)
    right = (predicted[TRAIN:].argmax(axis=1) == target[TRAIN:]).mean()
    assert right > 0.75, f"{word.name} does not heed sample weights: {right:.2f} of the rows right."


def _check_deadline(word: Learner, parameters: dict) -> None:
    start = time.monotonic()
    context = FitContext(output=Dist(3), train_rows=TRAIN, seed=3, deadline=start - 1.0)
    predicted = _fit_call(word, table(), easy_target(Dist(3)), context, parameters)
    _check_prediction(word, Dist(3), predicted, ROWS)
    assert time.monotonic() - start < LONGEST_OVERRUN, (
        f"{word.name}: a deadline that has passed must end the fit."
    )


def _fit_call(
    word: Learner, values: np.ndarray, target: np.ndarray, context: FitContext, parameters: dict
) -> np.ndarray:
    return word.call(values, state=word.fit((values,), target, context, **parameters), **parameters)


def _blinded(value: Any) -> Any:
    """The value with other rows beyond the training rows."""
    if isinstance(value, dict):
        return {name: _blinded(column) for name, column in value.items()}
    return value[np.concatenate([np.arange(TRAIN), np.arange(ROWS - TRAIN)])]


def _shuffled(target: np.ndarray) -> np.ndarray:
    return target[np.concatenate([np.arange(TRAIN), np.arange(ROWS - TRAIN)])]


def _copied(value: Any) -> Any:
    return (
        {name: column.copy() for name, column in value.items()} if isinstance(value, dict) else value.copy()
    )


def _plain(value: Any) -> np.ndarray:
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)


def _equal(left: Any, right: Any) -> bool:
    return bool(np.allclose(_plain(left), _plain(right), rtol=1e-9, atol=1e-9, equal_nan=True))


def _equal_values(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return all(np.array_equal(column, right[name]) for name, column in left.items())
    return bool(np.array_equal(_plain(left), _plain(right), equal_nan=True))


def _same_state(left: State, right: State) -> bool:
    return (
        left.arrays.keys() == right.arrays.keys()
        and dict(left.texts) == dict(right.texts)
        and all(_equal_values(array, right.arrays[name]) for name, array in left.arrays.items())
    )
