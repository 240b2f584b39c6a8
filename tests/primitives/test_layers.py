"""The network word: bounds, seeds, categories, and other backends."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from perennial.errors import DamagedFile, ProgramError, TypeMismatch
from perennial.lang import FitContext, State
from perennial.lang.types import Categories, Dist, Marginals, Real, Record, Tensor, Text
from perennial.primitives.layers import finish, mlp
from perennial.primitives.layers.mlp import ACTIVATIONS
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


def keras_says(state, inputs, types, output, settings):
    """What the Keras model gives with these weights."""
    import torch

    model = mlp.build(types, output, 0, **settings)
    names = sorted(name for name in state.arrays if name.startswith("variable_"))
    for variable, name in zip(model.weights, names, strict=True):
        variable.assign(state.arrays[name])
    with torch.no_grad():
        raw = model(list(mlp.prepare(inputs, json.loads(state.texts["layout"]))), training=False)
    return finish(raw.numpy(), state)


@pytest.mark.parametrize("activation", mlp.parameters["activation"].options)
@pytest.mark.parametrize("output", [Real, Dist(3), Marginals(3)], ids=str)
def test_predictions_are_those_of_the_keras_model(activation, output):
    generator = np.random.default_rng(0)
    record = Record({f"f{number:04d}": Categories(10 + number) for number in range(12)})
    columns = {
        name: generator.integers(-2, kind.k, 90).astype(np.int32) for name, kind in record.fields.items()
    }
    inputs, types = (40.0 * generator.normal(size=(90, 2)), columns), (Tensor(2), record)
    target = {"Real": np.arange(90.0), "Dist": np.arange(90) % 3}.get(
        output.name, np.eye(3)[np.arange(90) % 3]
    )
    settings = mlp.complete({"width": 16, "steps": 30, "activation": activation})
    state = fit_network(mlp, inputs, target, FitContext(output=output, train_rows=60, types=types), settings)
    said = mlp.call(*inputs, state=state, **settings)
    expected = keras_says(state, inputs, types, output, settings)
    assert np.allclose(said, expected, rtol=1e-4, atol=1e-5) and np.ptp(said) > 0.01


@pytest.mark.parametrize("name", mlp.parameters["activation"].options)
def test_activations_are_those_of_keras_far_from_zero_too(name):
    import keras

    x = np.array(
        [-1e30, -200.0, -30.0, -5.0, -1e-3, 0.0, 1e-3, 5.0, 19.9, 20.1, 30.0, 200.0, 1e30], np.float32
    )
    expected = getattr(keras.activations, name)(x).numpy()
    said = ACTIVATIONS[name](x)
    assert said.dtype == np.float32 and np.allclose(said, expected, rtol=1e-5, atol=1e-6)


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


def test_another_number_of_arrays_is_refused():
    state, inputs, settings = fitted()
    arrays = {**state.arrays, "variable_999": np.empty(0, np.float32)}
    with pytest.raises(DamagedFile, match="arrays"):
        mlp.call(*inputs, state=State(arrays, state.texts), **settings)


def test_rows_with_other_columns_are_refused():
    state, (numbers, record), settings = fitted()
    for wrong in ((numbers[:, :1], record), (numbers, {"f0001": record["f0001"]})):
        with pytest.raises(ProgramError, match="takes 5 numbers and 1 codes"):
            mlp.call(*wrong, state=state, **settings)


@pytest.mark.parametrize("wrong", [{"width": 10**9}, {"depth": 0}, {"activation": "evil"}, {"dropout": 1.0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ProgramError, match=next(iter(wrong))):
        mlp.build((Tensor(2),), Real, 0, **wrong)


def test_other_types_are_refused():
    for types in ((), (Text,)):
        with pytest.raises(TypeMismatch):
            mlp.infer(*types)


def test_predictions_import_neither_keras_nor_a_backend(tmp_path):
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
sys.exit(bool({"keras", "torch"} & set(sys.modules)))
"""
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), json.dumps(settings)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    assert np.array_equal(np.load(tmp_path / "predicted.npy"), expected)


def test_importing_the_word_does_not_import_keras():
    code = "import sys, perennial.trainers; sys.exit(bool({'keras', 'torch'} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert told.returncode == 0
