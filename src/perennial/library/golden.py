"""Golden outputs: what a model said on some inputs when it was kept, and must say for ever.

The inputs are made from the task's own: each cell, and each pixel, is drawn by itself. So they look like the data, and they
hold no row of several columns. Inputs of examples are kept as they are: they are the task.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from perennial.errors import DamagedFile, PerennialError
from perennial.lang.ops import State
from perennial.modalities import Codec
from perennial.modalities.examples import object_array, plain
from perennial.model import Model
from perennial.task import Task
from perennial.weights import Weights

PROBES = 32
CLOSE = 1e-5
INPUTS, OUTPUTS = "inputs", "outputs"
ORDER = "columns in order"


def probes(task: Task, count: int = PROBES, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs like those of a task, as canonical columns of at most `count` rows."""
    count = min(count, task.rows)
    if not task.schema.batched:
        return {name: column[:count] for name, column in task.inputs.items()}
    generator = np.random.default_rng(seed)
    return {name: _drawn(column, count, generator) for name, column in task.inputs.items()}


def golden_bytes(columns: Mapping[str, np.ndarray], said: np.ndarray) -> bytes:
    """Inputs and what a model says to them, as one blob."""
    return Weights({INPUTS: _packed(columns), OUTPUTS: _packed({"said": said})}).to_bytes()


def answers(model: Model, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a model says on one thread: sums of several threads differ in their last digits.

    One row comes first, since it loads the libraries whose threads are then counted.
    """
    model.predict_values({name: column[:1] for name, column in columns.items()})
    with _one_thread():
        return model.predict_values(dict(columns))


def difference(model: Model, golden: bytes) -> tuple[bool, float]:
    """Whether the model says the same bit for bit, and the largest difference, relative to the largest output.

    Raises:
        DamagedFile: the bytes are no golden outputs of this model.
    """
    states = Weights.from_bytes(golden)
    try:
        columns = _unpacked(states[INPUTS], model.codec)
        wanted = _unpacked(states[OUTPUTS], None)["said"]
        said = answers(model, columns)
    except (LookupError, ValueError, TypeError, AttributeError, PerennialError) as error:
        raise DamagedFile(f"These are no golden inputs and outputs of this model: {error}.") from error
    if said.dtype == object or wanted.dtype == object:
        same = plain(list(said)) == plain(list(wanted))
        return same, 0.0 if same else np.inf
    if said.shape != wanted.shape:
        return False, np.inf
    same = said.dtype == wanted.dtype and said.tobytes() == wanted.tobytes()
    scale = float(np.nanmax(np.abs(wanted), initial=1e-30))
    both = np.isnan(said) & np.isnan(wanted)
    apart = np.where(both, 0.0, np.abs(said - wanted))
    return same, float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0)) / scale


@contextmanager
def _one_thread() -> Iterator[None]:
    """Holds for the numerical libraries that are loaded by now; PyTorch counts threads of its own."""
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    with threadpool_limits(1):
        try:
            if torch:
                torch.set_num_threads(1)
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def _drawn(column: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Rows in which each place holds what some row has there; one at a time, since images can be large."""
    flat = column.reshape(len(column), -1)
    places = np.arange(flat.shape[1])
    rows = [flat[generator.integers(0, len(flat), len(places)), places] for _ in range(count)]
    return np.stack(rows).reshape(count, *column.shape[1:])


def _packed(columns: Mapping[str, np.ndarray]) -> State:
    """Columns as a state; their order, which programs see, is kept beside them."""
    arrays = {name: column for name, column in columns.items() if column.dtype != object}
    texts = {
        name: json.dumps(plain(list(column))) for name, column in columns.items() if column.dtype == object
    }
    return State(arrays, {**texts, ORDER: json.dumps(list(columns))})


def _unpacked(state: State, codec: Codec | None) -> dict[str, np.ndarray]:
    values: dict[str, Any] = {name: json.loads(text) for name, text in state.texts.items()}
    order = values.pop(ORDER)
    if codec is not None and not codec.batched:
        rows = zip(*(values[name] for name in codec.names), strict=True)
        return codec.as_columns([codec.arguments(row) for row in rows])
    columns = dict(state.arrays) | {name: object_array(listed) for name, listed in values.items()}
    return {name: columns[name] for name in order}
