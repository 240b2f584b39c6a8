"""The network word: bounds, seeds, categories, and other backends."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from perennial.errors import DamagedFile, ProgramError, TypeMismatch
from perennial.lang import FitContext, State
from perennial.lang.types import Categories, Dist, Real, Record, Tensor, Text
from perennial.primitives.layers import mlp
from perennial.trainers.backprop import fit_network
from perennial.weights import Weights

RECORD = Record({"f0001": Categories(3), "f0002": Categories(40)})


def rows(n=90, seed=0):
    generator = np.random.default_rng(seed)
    record = {
        "f0001": generator.integers(-2, 3, n).astype(np.int32),
        "f0002": generator.integers(-2, 40, n).astype(np.int32),
    }
    return generator.normal(size=(n, 2)), record


def fitted(output=Real, **parameters):
    inputs = rows()
    target = np.arange(90.0) if output is Real else np.arange(90) % 3
    settings = mlp.complete({"width": 16, "steps": 30, **parameters})
    context = FitContext(output=output, train_rows=60, types=(Tensor(2), RECORD))
    return fit_network(mlp, inputs, target, context, settings), inputs, settings


def weights_of(model):
    return [variable.value.detach().numpy() for variable in model.weights]


def test_one_seed_gives_one_set_of_weights_and_two_seeds_two():
    first, second, third = (weights_of(mlp.build((Tensor(4),), Dist(3), seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[1], third[1])


def test_weights_start_as_the_recipe_says():
    scale, kernel, *_, last, last_bias = weights_of(mlp.build((Tensor(400),), Dist(3), 0))
    assert (scale == 1).all()
    assert np.isclose(kernel.std(), 400**-0.5, rtol=0.02)
    assert not last.any() and not last_bias.any()


def test_a_network_predicts_what_numpy_computes_from_its_weights():
    state, (numbers, record), settings = fitted(Dist(3))
    embedding, scale, *layers = (state.arrays[name] for name in sorted(state.arrays) if name != "target")
    small, large = record.values()
    coded = embedding[np.where(large >= 0, large + 1, 0)]
    x = np.hstack([numbers, small[:, None] == np.arange(3), coded]) * scale
    for kernel, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        x = x @ kernel + bias
        x = 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    odds = np.exp(x @ layers[-2] + layers[-1])
    expected = odds / odds.sum(axis=1, keepdims=True)
    assert np.allclose(mlp.call(numbers, record, state=state, **settings), expected, atol=1e-5)


def test_small_categories_become_indicators_and_large_ones_codes():
    numbers, codes = mlp.prepare(
        (
            np.array([[1.5], [np.nan]]),
            {"a": np.array([1, -1], dtype=np.int32), "b": np.array([39, -2], dtype=np.int32)},
        ),
        {"tensors": 1, "levels": [3, 40]},
    )
    assert numbers.tolist() == [[1.5, 0, 1, 0], [0, 0, 0, 0]]
    assert codes.tolist() == [[40], [0]]


def test_sparse_tensors_count_as_their_dense_values():
    from scipy import sparse

    dense = np.array([[0.0, 2.0], [1.0, 0.0]])
    layout = {"tensors": 2, "levels": []}
    assert np.array_equal(mlp.prepare((sparse.csr_matrix(dense),), layout)[0], dense)


def test_a_state_predicts_the_same_after_its_way_through_bytes():
    for output in (Real, Dist(3)):
        state, inputs, settings = fitted(output)
        again = Weights.from_bytes(Weights({"a": state}).to_bytes())["a"]
        assert np.array_equal(
            mlp.call(*inputs, state=state, **settings), mlp.call(*inputs, state=again, **settings)
        )


def test_unseen_levels_and_one_row_are_predicted():
    state, _, settings = fitted(Dist(3))
    row = {"f0001": np.array([-2], dtype=np.int32), "f0002": np.array([-2], dtype=np.int32)}
    prediction = mlp.call(np.array([[np.nan, np.inf]]), row, state=state, **settings)
    assert prediction.shape == (1, 3) and np.isclose(prediction.sum(), 1)


def test_no_rows_give_no_predictions():
    state, _, settings = fitted(Dist(3))
    empty = {name: np.empty(0, np.int32) for name in ("f0001", "f0002")}
    assert mlp.call(np.empty((0, 2)), empty, state=state, **settings).shape == (0, 3)


def test_tables_without_numbers_or_with_empty_tensors_are_learnt_from():
    for inputs, types in (
        ((rows()[1],), (RECORD,)),
        ((np.empty((90, 0)),), (Tensor(0),)),
    ):
        context = FitContext(output=Real, train_rows=60, types=types)
        settings = mlp.complete({"width": 8, "steps": 10})
        state = fit_network(mlp, inputs, np.arange(90.0), context, settings)
        assert mlp.call(*inputs, state=state, **settings).shape == (90,)


def test_a_description_that_asks_for_more_than_its_weights_is_refused_before_anything_is_built():
    state, inputs, settings = fitted()
    lie = {"tensors": 10**9, "levels": [3, 40]}
    forged = State(state.arrays, {**state.texts, "layout": json.dumps(lie)})
    with pytest.raises(DamagedFile, match="needs"):
        mlp.call(*inputs, state=forged, **settings)


def test_weights_of_another_shape_are_refused():
    state, inputs, settings = fitted()
    arrays = dict(state.arrays)
    arrays["variable_002"] = arrays["variable_002"].T.copy()
    with pytest.raises(DamagedFile, match="shape"):
        mlp.call(*inputs, state=State(arrays, state.texts), **settings)


@pytest.mark.parametrize("wrong", [{"width": 10**9}, {"depth": 0}, {"activation": "evil"}, {"dropout": 1.0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ProgramError, match=next(iter(wrong))):
        mlp.build((Tensor(2),), Real, 0, **wrong)


def test_other_types_are_refused():
    for types in ((), (Text,)):
        with pytest.raises(TypeMismatch):
            mlp.infer(*types)


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_another_backend_predicts_with_weights_from_torch(tmp_path):
    state, inputs, settings = fitted(Dist(3))
    Weights({"a": state}).save(tmp_path / "weights.safetensors")
    expected = mlp.call(*inputs, state=state, **settings)
    np.savez(tmp_path / "rows.npz", numbers=inputs[0], **inputs[1])
    script = """
import json, sys
import numpy as np
from pathlib import Path
from perennial.primitives.layers import mlp
from perennial.weights import Weights
folder = Path(sys.argv[1])
rows = np.load(folder / "rows.npz")
state = Weights.load(folder / "weights.safetensors")["a"]
record = {name: rows[name] for name in ("f0001", "f0002")}
np.save(folder / "predicted.npy", mlp.call(rows["numbers"], record, state=state, **json.loads(sys.argv[2])))
import keras
assert keras.backend.backend() == "jax"
"""
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), json.dumps(settings)],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    assert np.allclose(np.load(tmp_path / "predicted.npy"), expected, atol=1e-5)


def test_importing_the_word_does_not_import_keras():
    code = "import sys, perennial.trainers; sys.exit(bool({'keras', 'torch'} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert told.returncode == 0
