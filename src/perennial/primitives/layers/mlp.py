"""Neural words: networks of plain Keras layers that a trainer fits by gradients.

`mlp` follows RealMLP-TD-S (Holzmüller, Grinsztajn and Steinwart 2024, "Better by default"): a learnable scale
of each input, SELU for classes and Mish for numbers, weights from N(0, 1) in the neural-tangent
parametrisation, a last layer of zeros, Adam with β₂ = 0.95, four cosine cycles, the best epoch. Deviations,
each for a reason:

- the neural-tangent parametrisation is written as ordinary Dense layers with weights from N(0, 1/fan-in) and
  learning rates divided by sqrt(fan-in): the same steps (up to Adam's epsilon), and a plain Keras model;
- categories of more than nine levels are embedded in eight dimensions (RealMLP-TD), since indicators of
  thousands of levels are slow;
- label smoothing is off unless asked for, since log-loss and AUC suffer from it;
- 64 epochs, not 256, of at most 6 000 steps, and a stop after a cycle that brought nothing: on five tables of
  600 to 2 600 training rows (three seeds) 64 lost nothing and took a quarter of the time;
- dropout and weight decay of RealMLP-TD, which the simple recipe leaves out, since small tables are soon
  overfitted;
- batches shrink on small tables;
- validation loss, not the error rate, chooses the epoch that is kept: it is less noisy on small validation
  sets.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import DamagedFile, ProgramError, TypeMismatch
from perennial.lang.ops import Network, Parameter, State
from perennial.lang.types import Categories, Record, Tensor, Type, TypeVar, fresh, parse_type

ONE_HOT_LEVELS = 9
EMBEDDING = 8
BIAS_DEVIATION, EMBEDDING_DEVIATION = 0.1, 0.5
LARGEST_INPUT = 1e6
PREDICT_ROWS = 2048


class Mlp(Network):
    """A multilayer perceptron for tables: scaled tensors and records of categories in, whatever is asked out.

    Wants numbers of about unit size (`robust_scale` and `smooth_clip`, or `quantile_normal`) without NaN: a
    NaN counts as 0. Not for fewer than about a hundred rows, where `linear` and `kernel_features` are better
    and faster.

    Args:
        width: units of a hidden layer.
        depth: number of hidden layers.
        epochs: at most so many passes over the training rows.
        steps: at most so many updates.
        learning_rate: peak of the schedule; 0.04 suits classes, 0.07 suits numbers.
        batch: at most so many rows an update.
        dropout: share of hidden units left out in training.
        weight_decay: of weights, decoupled from the gradient.
        label_smoothing: share of the target that is spread over all classes.
        activation: of hidden layers; `selu` suits classes, `mish` suits numbers.
    """

    name, doc, cost = "mlp", "A multilayer perceptron for tables.", 10.0
    parameters = MappingProxyType(
        {
            "width": Parameter(256, low=4, high=4096, log=True, doc="units of a hidden layer"),
            "depth": Parameter(3, low=1, high=32, doc="hidden layers"),
            "epochs": Parameter(
                256, low=1, high=10_000, log=True, doc="at most so many passes over the rows"
            ),
            "steps": Parameter(6_000, low=10, high=1_000_000, log=True, doc="at most so many updates"),
            "learning_rate": Parameter(0.04, low=1e-4, high=1.0, log=True, doc="peak of the schedule"),
            "batch": Parameter(256, low=8, high=8192, log=True, doc="at most so many rows an update"),
            "dropout": Parameter(0.15, low=0.0, high=0.9, doc="share of hidden units left out in training"),
            "weight_decay": Parameter(0.02, low=0.0, high=1.0, doc="pull of weights to zero"),
            "label_smoothing": Parameter(
                0.0, low=0.0, high=0.5, doc="share of the target spread over all classes"
            ),
            "activation": Parameter(
                "selu", options=("selu", "mish", "relu", "gelu", "silu"), doc="of hidden layers"
            ),
        }
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """Whatever is asked here, from tensors and records of categories."""
        if not types or not all(isinstance(kind, Tensor | Record | TypeVar) for kind in types):
            received = ", ".join(map(str, types)) or "nothing"
            raise TypeMismatch(f"`mlp` takes tensors and records of categories, received {received}.")
        return fresh("prediction")

    def build(self, types: tuple[Type, ...], output: Type, seed: int, **parameters: Any) -> Any:
        """A Keras model from `[numbers (n, d), codes (n, m)]` to logits or standardised values `(n,
        outputs)`.

        Numbers hold all tensors side by side, then indicators of small categories; codes are 1 to k for the
        levels of the larger ones and 0 for missing and unseen (see `prepare`).

        Raises:
            ProgramError: a parameter is out of its range.
        """
        settings = self._checked(parameters)
        levels = [kind.k for record in types if isinstance(record, Record) for kind in record.fields.values()]
        numbers = sum(kind.dims[-1] for kind in types if isinstance(kind, Tensor)) + _indicators(levels)
        large = [k for k in levels if k > ONE_HOT_LEVELS]
        return _keras_model(max(numbers, not large), large, outputs_of(output), settings, seed)

    def call(self, *inputs: Any, state: State, **parameters: Any) -> np.ndarray:
        """Predictions for all rows: what the Keras model of `build` gives, computed in NumPy.

        Few rows would else wait seconds for Keras and a backend, which nothing but training needs.

        Raises:
            DamagedFile: the weights of the state are of another network.
            ProgramError: the rows have other columns than those that it was trained on.
        """
        settings, layout = self._checked(parameters), json.loads(state.texts["layout"])
        embeddings, (scale, *layers) = _weights_of(state, layout, settings)
        numbers, codes = self.prepare(inputs, layout)
        received = numbers.shape[1], codes.shape[1]
        wanted = len(scale) - EMBEDDING * len(embeddings), len(embeddings)
        if received != wanted:
            raise ProgramError(
                f"This network takes {wanted[0]} numbers and {wanted[1]} codes, received {received[0]} and {received[1]}."
            )
        raw, activation = [], ACTIVATIONS[settings["activation"]]
        for start in range(0, max(1, len(numbers)), PREDICT_ROWS):
            some = slice(start, start + PREDICT_ROWS)
            coded = [table[column] for table, column in zip(embeddings, codes[some].T, strict=True)]
            x = np.hstack([numbers[some], *coded]) * scale
            for kernel, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
                x = activation(x @ kernel + bias)
            raw.append(x @ layers[-2] + layers[-1])
        return finish(np.concatenate(raw), state)

    def layout(self, inputs: tuple, types: tuple) -> dict[str, Any]:
        """What comes in, as JSON: the width of all tensors together, the levels of each category."""
        tensors, levels = 0, []
        for value, kind in zip(inputs, types, strict=True):
            if not isinstance(value, dict):
                tensors += value.shape[1]
                continue
            fields = kind.fields if isinstance(kind, Record) else {}
            for field, column in value.items():
                k = fields[field].k if field in fields else None
                levels.append(int(k if isinstance(k, int) else column.max(initial=0) + 1))
        return {"tensors": int(tensors), "levels": levels}

    def concrete_types(self, layout: dict[str, Any]) -> tuple[Type, ...]:
        """The types that `build` needs, from a layout."""
        fields = {f"f{number:04d}": Categories(k) for number, k in enumerate(layout["levels"])}
        return (Tensor(layout["tensors"]), *([Record(fields)] if fields else []))

    def prepare(self, inputs: tuple, layout: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """float32 numbers `(n, d)` and int32 codes `(n, m)`, as the model of `build` takes them."""
        numbers, indicators, codes, levels = [], [], [], iter(layout["levels"])
        for value in inputs:
            if not isinstance(value, dict):
                numbers.append(value.toarray() if hasattr(value, "toarray") else value)
                continue
            for column in value.values():
                k = next(levels)
                if k <= ONE_HOT_LEVELS:
                    indicators.append(column[:, None] == np.arange(k))
                else:
                    codes.append(np.where((column >= 0) & (column < k), column + 1, 0))
        if not (numbers or indicators or codes):
            raise ProgramError("`mlp` received no columns.", todo="Give it at least one tensor or category.")
        rows = len((numbers + indicators + codes)[0])
        wide = np.hstack([np.empty((rows, 0)), *numbers, *indicators])
        if not wide.shape[1] and not codes:
            wide = np.zeros((rows, 1))
        wide = np.clip(np.nan_to_num(wide, nan=0.0), -LARGEST_INPUT, LARGEST_INPUT)
        return wide.astype(np.float32), np.column_stack([np.empty((rows, 0)), *codes]).astype(np.int32)

    def recipe(self, **parameters: Any) -> dict[str, Any]:
        """Training settings: Adam with β₂ = 0.95, slower biases, a faster scaling layer."""
        own = ("epochs", "steps", "learning_rate", "batch", "weight_decay", "label_smoothing")
        settings = self._checked(parameters)
        factors = {"betas": (0.9, 0.95), "bias_factor": 0.1, "scale_factor": 6.0}
        factors |= {"schedule": "coslog4", "neural_tangent": True}
        return factors | {name: settings[name] for name in own}

    def training_pass(self, model: Any) -> Callable:
        """The same layers as a plain function `(inputs, drop) -> raw`, without what Keras does around each
        call.

        That saves a third of a training step. `drop(values, share)` leaves out units.
        """
        layers = {layer.name: layer for layer in model.layers}
        flow = _Flow(layers, lambda layer, value: layer.call(value))
        return lambda inputs, drop: flow(*inputs, drop)

    def _checked(self, parameters: dict[str, Any]) -> dict[str, Any]:
        settings = self.complete(parameters)
        for name, value in settings.items():
            known = self.parameters[name]
            inside = value in known.options if known.options else known.low <= value <= known.high
            if not inside:
                allowed = known.options or f"{known.low} to {known.high}"
                raise ProgramError(f"`mlp` takes {name} of {allowed}, received {value!r}.")
        return settings


def _weights_of(
    state: State, layout: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The embeddings of a state, and the scale, kernels and biases after them, each as large as the network has it.

    Raises:
        DamagedFile: they are not: a description alone may lie.
    """
    arrays = [state.arrays[name] for name in sorted(state.arrays) if name.startswith("variable_")]
    large = [k for k in layout["levels"] if k > ONE_HOT_LEVELS]
    numbers = max(layout["tensors"] + _indicators(layout["levels"]), not large)
    shapes = _shapes(numbers, large, outputs_of(parse_type(state.texts["type"])), settings)
    wanted, there = sum(map(math.prod, shapes)), sum(array.size for array in arrays)
    if wanted != there:
        raise DamagedFile(f"A network needs {wanted} weights, its file holds {there}.")
    for array, shape in zip(arrays, shapes, strict=False):
        if array.shape != shape:
            raise DamagedFile(f"Weights have shape {array.shape}, the network needs {shape}.")
    if len(arrays) != len(shapes):
        raise DamagedFile(f"A network needs {len(shapes)} arrays of weights, its file holds {len(arrays)}.")
    return arrays[: len(large)], arrays[len(large) :]


def finish(raw: np.ndarray, state: State) -> np.ndarray:
    """Logits or standardised values as predictions; numbers stay inside the range of the training target."""
    output, raw = state.texts["output"], raw.astype(np.float64)
    if output == "Dist":
        powered = np.exp(raw - raw.max(axis=1, keepdims=True))
        return powered / powered.sum(axis=1, keepdims=True)
    if output == "Marginals":
        return 0.5 * (1.0 + np.tanh(0.5 * raw))
    mean, deviation, low, high = state.arrays["target"]
    values = np.clip(raw * deviation + mean, low, high)
    return values[:, 0] if output == "Real" else values


def outputs_of(output: Type) -> int:
    """How many numbers a prediction of this type has."""
    return 1 if output.name == "Real" else int(output.arguments[0])


def _indicators(levels: Sequence[int]) -> int:
    return sum(k for k in levels if k <= ONE_HOT_LEVELS)


def _shapes(
    numbers: int, levels: Sequence[int], outputs: int, settings: Mapping[str, Any]
) -> list[tuple[int, ...]]:
    """Of all weights, in the order of the Keras model."""
    inputs, width = numbers + EMBEDDING * len(levels), settings["width"]
    widths = [inputs, *[width] * settings["depth"], outputs]
    layers = [shape for fan_in, units in pairwise(widths) for shape in ((fan_in, units), (units,))]
    return [*((k + 1, EMBEDDING) for k in levels), (inputs,), *layers]


def _selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0.0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0.0)))


def _mish(x: np.ndarray) -> np.ndarray:
    """x tanh(log(1 + exp(x))), with one exponential."""
    powered = np.exp(np.minimum(x, 20.0))
    powered *= powered + 2.0
    return x * (powered / (powered + 2.0))


def _gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return x * ndtr(x)


def _silu(x: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return x * expit(x)


ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "selu": _selu,
        "mish": _mish,
        "relu": lambda x: np.maximum(x, 0.0),
        "gelu": _gelu,
        "silu": _silu,
    }
)


class _Flow:
    """How values go through the layers; the model is traced through it, and training runs through it."""

    def __init__(self, layers: dict[str, Any], run: Callable) -> None:
        def family(prefix: str) -> list[Any]:
            return [layers[f"{prefix}_{i}"] for i in range(len(layers)) if f"{prefix}_{i}" in layers]

        self.run, self.layers = run, layers
        self.embeddings, self.hidden, self.dropouts = family("embedding"), family("hidden"), family("dropout")

    def __call__(self, numbers: Any, codes: Any, drop: Callable | None = None) -> Any:
        parts = [numbers] if numbers.shape[1] else []
        parts += [self.run(layer, codes[:, position]) for position, layer in enumerate(self.embeddings)]
        x = parts[0] if len(parts) == 1 else self.run(self.layers["joined"], parts)
        x = self.run(self.layers["scale"], x)
        for position, layer in enumerate(self.hidden):
            x = self.run(layer, x)
            if self.dropouts:
                dropout = self.dropouts[position]
                x = self.run(dropout, x) if drop is None else drop(x, dropout.rate)
        return self.run(self.layers["output"], x)


def _keras_model(
    numbers: int, levels: Sequence[int], outputs: int, settings: dict[str, Any], seed: int
) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    from keras import layers

    width, activation = settings["width"], settings["activation"]
    inputs = keras.Input((numbers,), name="numbers"), keras.Input((len(levels),), dtype="int32", name="codes")
    made = [
        layers.Embedding(k + 1, EMBEDDING, name=f"embedding_{number}", embeddings_initializer="zeros")
        for number, k in enumerate(levels)
    ]
    made.append(layers.Concatenate(name="joined"))
    shape = (numbers + EMBEDDING * len(levels),)
    made.append(layers.EinsumDense("ab,b->ab", output_shape=shape, kernel_initializer="ones", name="scale"))
    for number in range(settings["depth"]):
        made.append(layers.Dense(width, activation, kernel_initializer="zeros", name=f"hidden_{number}"))
        if settings["dropout"]:
            made.append(layers.Dropout(settings["dropout"], seed=seed, name=f"dropout_{number}"))
    made.append(layers.Dense(outputs, kernel_initializer="zeros", name="output"))
    flow = _Flow({layer.name: layer for layer in made}, lambda layer, value: layer(value))
    model = keras.Model(list(inputs), flow(*inputs))
    _initialise(model, np.random.default_rng(seed))
    return model


def _initialise(model: Any, generator: np.random.Generator) -> None:
    """Draws weights in NumPy: a seed means the same on every backend, and no random draw is compiled."""
    for layer in model.layers:
        if layer.name.startswith("hidden"):
            fan_in, width = layer.kernel.shape
            layer.kernel.assign(generator.normal(0.0, fan_in**-0.5, (fan_in, width)).astype(np.float32))
            layer.bias.assign(generator.normal(0.0, BIAS_DEVIATION, width).astype(np.float32))
        elif layer.name.startswith("embedding"):
            drawn = generator.normal(0.0, EMBEDDING_DEVIATION, tuple(layer.embeddings.shape))
            layer.embeddings.assign(drawn.astype(np.float32))


mlp = Mlp()
