"""Weights survive the disk bit by bit, and refuse what is not theirs."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from perennial.errors import DamagedFile
from perennial.lang import State
from perennial.weights import Weights


def some():
    arrays = {"mean": np.arange(3.0), "codes": np.array([[1, 2]], dtype=np.int32), "none": np.empty((0, 4))}
    return Weights({"b" * 64: State(arrays, {"trees": "größer\n" * 1000}), "a" * 64: State()})


def equal(one, two):
    assert dict(one.texts) == dict(two.texts) and set(one.arrays) == set(two.arrays)
    for name, array in one.arrays.items():
        assert array.dtype == two.arrays[name].dtype
        assert np.array_equal(array, two.arrays[name]) and array.shape == two.arrays[name].shape


def test_what_was_written_is_read(tmp_path):
    some().save(tmp_path / "weights.safetensors")
    again = Weights.load(tmp_path / "weights.safetensors")
    assert set(again) == set(some()) and len(again) == 2
    for key, state in some().items():
        equal(state, again[key])


def test_equal_weights_give_equal_bytes_whatever_their_order():
    turned = Weights(dict(reversed(list(some().items()))))
    assert turned.to_bytes() == some().to_bytes()


def test_columns_and_views_are_kept_as_they_look():
    array = np.arange(12.0).reshape(3, 4).T[::2]
    again = Weights.from_bytes(Weights({"k": State({"x": array})}).to_bytes())
    assert np.array_equal(again["k"].arrays["x"], array)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DamagedFile, match="cannot be read"):
        Weights.load(tmp_path / "nothing")


def test_every_cut_of_a_file_is_refused():
    data = some().to_bytes()
    for length in (0, 4, 8, 40, len(data) // 2, len(data) - 1):
        with pytest.raises(DamagedFile):
            Weights.from_bytes(data[:length])


def test_no_pickle_is_read():
    import pickle

    with pytest.raises(DamagedFile):
        Weights.from_bytes(pickle.dumps({"a": 1}))


@pytest.mark.parametrize(
    ("tensors", "keys"),
    [
        ({"a/-1/x": np.zeros(1)}, '["k"]'),
        ({"a/7/x": np.zeros(1)}, '["k"]'),
        ({"q/0/x": np.zeros(1)}, '["k"]'),
        ({"plain": np.zeros(1)}, '["k"]'),
        ({"t/0/x": np.array([255, 254], dtype=np.uint8)}, '["k"]'),
        ({"a/0/x": np.zeros(1)}, '{"k": 1}'),
        ({"a/0/x": np.zeros(1)}, "[1]"),
        ({"a/0/x": np.zeros(1)}, '["k", "k"]'),
        ({"a/0/x": np.zeros(1)}, "[" * 5000),
    ],
)
def test_names_and_keys_that_are_not_ours_are_refused(tensors, keys):
    with pytest.raises(DamagedFile):
        Weights.from_bytes(save(tensors, metadata={"keys": keys}))


def test_a_safetensors_file_of_others_is_refused():
    with pytest.raises(DamagedFile):
        Weights.from_bytes(save({"w": np.zeros(2)}))
    with pytest.raises(DamagedFile):
        Weights.from_bytes(save({"w": np.zeros(2)}, metadata={"other": json.dumps([])}))
