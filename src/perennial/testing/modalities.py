"""The contract of codecs: what every way between people's data and the values of a program must keep.

>>> from perennial.task import Task
>>> table = {"size": [1.0, 2.5, None, 4.0] * 5, "colour": ["red", "blue", "red", None] * 5, "y": ["a", "b"] * 10}
>>> check_codec(Task.from_data(table, "y").schema, table)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perennial.errors import DataError
from perennial.lang.types import Record
from perennial.modalities import codec_from_json
from perennial.modalities.base import LEVELS, Codec, Finding

DTYPES = {"Real": "f", "Int": "f", "Categories": "i", "Date": "M", "Text": "O"}


def check_codec(codec: Codec, data: Mapping[str, Sequence[Any]]) -> None:
    """Raises AssertionError with a sentence when a codec of tables breaks a clause.

    Args:
        codec: made from `data`.
        data: column name → cells, with the target, all of which is labelled.
    """
    inputs = codec.encode(data)
    check_values(codec.input_type, inputs)
    _check_reload(codec, data, inputs)
    _check_order_and_extras(codec, data, inputs)
    _check_missing_columns(codec, data)
    _check_empty_batch(codec, data, inputs)
    _check_target(codec, data)


def check_image_codec(codec: Codec, data: Any) -> None:
    """Raises AssertionError with a sentence when a codec of images breaks a clause.

    Args:
        codec: made from `data`.
        data: a folder, or whatever else holds labelled images.
    """
    inputs = codec.encode(data)
    images = codec.argument(inputs)
    assert images.dtype == np.uint8, f"Images are {images.dtype}, not bytes."
    assert images.shape[1:] == codec.input_type.dims, (
        f"Images of shape {images.shape[1:]} are no {codec.input_type}."
    )
    assert codec.argument(codec.encode(inputs)) is images, (
        "Images that are encoded already are encoded again."
    )
    _check_reload(codec, data, inputs)
    _check_target_of(codec, codec.encode_target(data))
    named = codec.row_names(data)
    assert named is None or len(named[1]) == len(images), "There are more or fewer file names than images."


def check_values(input_type: Record, inputs: Mapping[str, np.ndarray]) -> None:
    """The columns are exactly those of the type, with the dtypes and ranges of canonical values."""
    assert set(inputs) == set(input_type.fields), "The columns are not the fields of the input type."
    assert len({len(column) for column in inputs.values()}) == 1, "The columns differ in length."
    for field, kind in input_type.fields.items():
        column = inputs[field]
        assert column.dtype.kind == DTYPES[kind.name], f"{field} is {column.dtype} but its type is {kind}."
        if kind.name == "Real":
            assert not np.isinf(column).any(), f"{field} holds infinity; it should be missing."
        if kind.name == "Categories":
            assert column.dtype == np.int32, f"{field} holds codes as {column.dtype}, not int32."
            k = kind.k
            assert ((column >= -2) & (column < k)).all(), f"{field} holds codes outside -2 … {k - 1}."
        if kind.name == "Text":
            assert all(isinstance(cell, str) for cell in column), f"{field} holds cells that are no text."


def check_finding(finding: Finding) -> None:
    """A finding says what, can be written down, and tells how serious it is and what to do about it."""
    assert finding.level in LEVELS, f"{finding.code}: the level is {finding.level!r}, not one of {LEVELS}."
    assert finding.code and finding.what, f"A finding says nothing: {finding}."
    assert Finding(**json.loads(json.dumps(finding.to_json()))) == finding, (
        f"{finding.code} does not survive JSON."
    )
    if finding.level == "warning":
        for part in ("why", "action", "flag"):
            assert getattr(finding, part), f"The warning {finding.code!r} does not say `{part}`."


def same_columns(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether columns are equal bit for bit, dtypes included; missing equals missing."""
    return set(one) == set(other) and all(
        one[name].dtype == other[name].dtype
        and np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind in "fM")
        for name in one
    )


def _check_reload(codec: Codec, data: Any, inputs: Mapping[str, np.ndarray]) -> None:
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec, "A codec reloaded from JSON is another codec."
    assert same_columns(again.encode(data), inputs), "A codec reloaded from JSON encodes otherwise."
    assert again.input_type == codec.input_type, "A codec reloaded from JSON has another input type."
    assert again.output_type == codec.output_type, "A codec reloaded from JSON has another output type."
    assert again.classes == codec.classes, "A codec reloaded from JSON has other classes."


def _check_order_and_extras(
    codec: Codec, data: Mapping[str, Sequence[Any]], inputs: Mapping[str, np.ndarray]
) -> None:
    rows = len(next(iter(data.values())))
    shuffled = {"an extra column": ["?"] * rows, **dict(reversed(list(data.items())))}
    assert same_columns(codec.encode(shuffled), inputs), "Order or extra columns change what is encoded."
    unlabelled = {name: cells for name, cells in data.items() if name not in codec.targets}
    assert same_columns(codec.encode(unlabelled), inputs), "Encoding looks at the target."


def _check_missing_columns(codec: Codec, data: Mapping[str, Sequence[Any]]) -> None:
    name = codec.used[0].name
    rest = {other: cells for other, cells in data.items() if other != name}
    try:
        codec.encode(rest)
    except DataError as error:
        assert name in str(error), f"The error about a missing column does not name {name!r}."
    else:
        raise AssertionError(f"The column {name!r} was missing and nothing was said.")
    inputs, notes = codec.encode_with_notes(rest, impute_missing=True)
    check_values(codec.input_type, inputs)
    assert notes, "A missing column was taken for missing values without a note."


def _check_empty_batch(
    codec: Codec, data: Mapping[str, Sequence[Any]], inputs: Mapping[str, np.ndarray]
) -> None:
    nothing = codec.encode({name: [None, None] for name in data})
    assert {name: column.dtype for name, column in nothing.items()} == {
        name: column.dtype for name, column in inputs.items()
    }, "A batch whose cells are all missing has other dtypes."


def _check_target(codec: Codec, data: Mapping[str, Sequence[Any]]) -> None:
    target = codec.encode_target(data)
    decoded = _check_target_of(codec, target)
    if codec.problem in ("binary", "multiclass"):
        again = codec.encode_target({**data, codec.targets[0]: decoded})
        assert np.array_equal(again, target), "Decoded labels are not the labels that were given."


def _check_target_of(codec: Codec, target: np.ndarray) -> np.ndarray | None:
    """The decoded classes, when the target is one."""
    if codec.problem in ("binary", "multiclass"):
        k = len(codec.classes)
        assert target.dtype == np.int64, f"Classes are encoded as {target.dtype}, not int64."
        assert ((target >= 0) & (target < k)).all(), "A class of the training data has no code."
        return codec.decode(np.eye(k)[target])
    if codec.problem == "multilabel":
        assert set(np.unique(target)) <= {0, 1}, "Labels are not encoded as 0 and 1."
        assert target.shape[1] == codec.output_type.dims[0], "The target is wider than the prediction."
    else:
        assert target.dtype == np.float64, f"Numbers are encoded as {target.dtype}, not float64."
        assert np.array_equal(codec.decode(target), target), "Decoding changes numbers."
    return None
