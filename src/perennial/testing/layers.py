"""The contract of layer words: what every member of `perennial.primitives.layers`, and each of yours, must keep.

A plug-in author calls `check_layer(word)` in one test. It asks the word itself which types it takes, builds the Keras
layer for each of them under several settings, and compares what Keras has made with what the word had said before.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang import Layer
from perennial.lang.types import Dist, Image, Marginals, Real, Record, Tensor, Text, Type, TypeVar

__all__ = ["answers", "check_layer", "examples", "settings"]

ROWS, TOLERANCE = 3, 2e-5
TAKEN = (
    Image(9, 8, 3), Tensor(5), Tensor(7, 4), Tensor(9, 8, 3), Tensor(10, 7, 8), Tensor(5, 4, 6, 2), Tensor(1), Tensor(2, 2, 8)
)  # fmt: skip
REFUSED = (Real, Text, Dist(3), Record({"f0001": Real}), Tensor(), Tensor(2, 2, 2, 2, 2))
OUTPUTS = (Dist(3), Real, Tensor(2), Marginals(4))
SMALL_NUMBERS = (1, 2, 3, 5)
MOST_INPUTS = 3


def check_layer(word: Layer) -> None:
    """Hold a layer word to its promises.

    Args:
        word: takes at least one of the types `TAKEN`, once or several times.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    _check_refusals(word)
    _check_ranges(word)
    found = list(examples(word))
    assert found, f"{word.name} takes none of {', '.join(map(str, TAKEN))}."
    for types in found:
        _check_unknown_dimensions(word, types)
        for own in settings(word):
            if _inferred(word, types, own) is None:
                continue
            for output in OUTPUTS if word.fits else OUTPUTS[:1]:
                _check_built(word, types, output, own)


def examples(word: Layer) -> Iterator[tuple[Type, ...]]:
    """The types among `TAKEN` that the word takes, each once, twice and three times, as far as it takes them."""
    for kind, count in itertools.product(TAKEN, range(1, MOST_INPUTS + 1)):
        types = (kind,) * count
        if _inferred(word, types, {}) is not None:
            yield types


def settings(word: Layer) -> list[dict[str, Any]]:
    """The defaults, and each parameter of the layer by itself at small values and at all its options.

    Parameters of a word that fits are the recipe of its training, which does not change the layer.
    """
    found: list[dict[str, Any]] = [{}]
    if word.fits:
        return found
    for name, parameter in word.parameters.items():
        values: list[Any] = list(parameter.options)
        if parameter.low is not None and isinstance(parameter.default, int):
            values = [number for number in SMALL_NUMBERS if parameter.low <= number <= parameter.high]
        elif parameter.low is not None:
            values = [parameter.low, (parameter.low + parameter.high) / 2]
        found += [{name: value} for value in values if value != parameter.default]
    return found


def answers(word: Layer) -> dict[str, np.ndarray]:
    """What Keras computes, on the backend in use, for some weights and values; the same on every backend.

    For one type of each rank that the word takes, and for each of its settings on the last of them.
    """
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    found = {}
    kinds = list({(len(types), len(types[0].dims)): types for types in examples(word)}.values())
    for types, own in [*((each, {}) for each in kinds), *((kinds[-1], each) for each in settings(word)[1:])]:
        if _inferred(word, types, own) is None:
            continue
        layer = word.build(types, OUTPUTS[0], "asked", **word.complete(own))
        inputs = [keras.Input(kind.dims) for kind in types]
        model = keras.Model(inputs, word.connect(layer, inputs))
        _fill(layer)
        values = [_values(kind, seed, getattr(word, "whole", False)) for seed, kind in enumerate(types)]
        given = model([array.astype(np.float32) for array in values], training=False)
        given = given.detach().cpu() if hasattr(given, "detach") else given
        found[f"{word.name} {types} {own}"] = np.asarray(given, np.float32)
    return found


# -- before anything is built ----------------------------------------------------------------------------------------


def _check_refusals(word: Layer) -> None:
    """A type that is not taken is named in the error."""
    for kind in REFUSED:
        try:
            word.infer(kind, **word.complete({}))
        except TypeMismatch as error:
            assert str(kind) in str(error), f"{word.name} refuses {kind} without naming it: {error}"
            assert word.name in str(error), (
                f"{word.name} does not say that it was the one to refuse {kind}: {error}"
            )
        else:
            raise AssertionError(f"{word.name} says that it takes {kind}.")
    try:
        word.infer(**word.complete({}))
    except TypeMismatch:
        return
    raise AssertionError(f"{word.name} says that it takes nothing at all.")


def _check_ranges(word: Layer) -> None:
    """A number beyond its bounds and a value that is no option are refused, with their name."""
    types = next(examples(word), ())
    for name, parameter in word.parameters.items():
        wrong: list[Any] = ["no such option"] if parameter.options else []
        if parameter.low is not None:
            wrong += [parameter.low - 1, parameter.high + 1, float("nan"), "text", True]
        if isinstance(parameter.default, int) and parameter.low is not None:
            wrong.append(parameter.low + 0.5)
        for value in wrong:
            try:
                word.infer(*types, **word.complete({name: value}))
            except ProgramError as error:
                assert name in str(error), f"{word.name} refuses {name}={value!r} without naming it: {error}"
            else:
                raise AssertionError(f"{word.name} takes {name}={value!r}.")


def _check_unknown_dimensions(word: Layer, types: tuple[Type, ...]) -> None:
    """While a dimension is unknown the type of the result is, too; that is no error."""
    opened = tuple(kind.with_arguments((TypeVar("n"), *kind.arguments[1:])) for kind in types)
    for unknown in (opened, tuple(TypeVar("a") for _ in types)):
        told = word.infer(*unknown, **word.complete({}))
        assert told.variables, f"{word.name} says {told} although it received {', '.join(map(str, unknown))}."


def _inferred(word: Layer, types: tuple[Type, ...], own: dict[str, Any]) -> Type | None:
    """What the word says it gives; `None` when it refuses."""
    try:
        return word.infer(*types, **word.complete(own))
    except ProgramError:
        return None


# -- what Keras has built --------------------------------------------------------------------------------------------


def _check_built(word: Layer, types: tuple[Type, ...], output: Type, own: dict[str, Any]) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    told = word.infer(*types, **word.complete(own))
    where = f"{word.name}({', '.join(map(str, types))}{''.join(f', {name}={own[name]!r}' for name in own)})"
    layer = word.build(types, output, "checked", **own)
    inputs = [keras.Input(kind.dims) for kind in types]
    model = keras.Model(inputs, word.connect(layer, inputs))
    wanted = (_outputs(output),) if word.fits else told.dims
    assert tuple(model.output_shape[1:]) == wanted, (
        f"{where} says {told}, Keras has built {tuple(model.output_shape[1:])}."
    )
    _check_cost(word, types, output, own, layer, wanted, where)
    assert layer.name == "checked", f"{where} does not call its layer as it was told to."
    _fill(layer)
    values = [_values(kind, seed, getattr(word, "whole", False)) for seed, kind in enumerate(types)]
    _check_fast_way(word, layer, model, values, where)
    _check_gradients(word, layer, values, where)
    _check_configuration(word, layer, model, values, where)


def _check_cost(
    word: Layer, types: tuple, output: Type, own: dict, layer: Any, shape: tuple, where: str
) -> None:
    result = output if word.fits else word.infer(*types, **word.complete(own))
    cost = word.measured(types, result, **own)
    stored = sum(math.prod(variable.shape) for variable in layer.variables if "seed" not in variable.name)
    assert cost.parameters == stored, (
        f"{where} says that it stores {cost.parameters} numbers, Keras has {stored}."
    )
    assert cost.activations == math.prod(shape), (
        f"{where} says {cost.activations} activations, not {math.prod(shape)}."
    )
    assert math.isfinite(cost.flops) and cost.flops >= 0, (
        f"{where} says that it takes {cost.flops} operations."
    )
    if any("kernel" in variable.name for variable in layer.variables):
        assert cost.flops >= stored / 2, f"{where} says {cost.flops} operations with {stored} numbers."


def _check_fast_way(word: Layer, layer: Any, model: Any, values: list[np.ndarray], where: str) -> None:
    """`forward` is what Keras computes, and leaves its arguments as they were."""
    import torch

    given = tuple(torch.from_numpy(array.copy()) for array in values)
    with torch.no_grad():
        expected = model([array.astype(np.float32) for array in values], training=False).numpy()
        received = word.forward(layer, given, None).numpy()
    assert received.dtype == np.float32, f"{where} gives {received.dtype}, layers give float32."
    assert received.shape == expected.shape, (
        f"{where}: forward gives {received.shape}, Keras {expected.shape}."
    )
    distance = float(np.abs(received - expected).max(initial=0.0))
    assert distance <= TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0.0))), (
        f"{where}: forward and Keras differ by {distance:.2g}."
    )
    for array, tensor in zip(values, given, strict=True):
        assert np.array_equal(array, tensor.numpy()), f"{where}: forward changed its argument."


def _check_gradients(word: Layer, layer: Any, values: list[np.ndarray], where: str) -> None:
    """In training every weight gets a gradient."""
    import torch

    given = tuple(torch.from_numpy(array.copy()) for array in values)
    raw = word.forward(layer, given, lambda numbers, share: numbers)
    assert torch.isfinite(raw).all(), f"{where} gives NaN or infinity in training."
    weights = [variable.value for variable in layer.trainable_variables]
    if not weights:
        return
    mask = torch.from_numpy(np.random.default_rng(5).normal(size=tuple(raw.shape)).astype(np.float32))
    found = torch.autograd.grad((raw * mask).sum(), weights, allow_unused=True)
    for variable, gradient in zip(layer.trainable_variables, found, strict=True):
        assert gradient is not None, f"{where}: {variable.path} gets no gradient."
        assert torch.isfinite(gradient).all(), f"{where}: the gradient of {variable.path} is not finite."


def _check_configuration(word: Layer, layer: Any, model: Any, values: list[np.ndarray], where: str) -> None:
    """Keras alone can write the layer down and make it again."""
    import keras
    import torch

    again = keras.Model.from_config(model.get_config())
    for copy, variable in zip(again.variables, model.variables, strict=True):
        copy.assign(variable.value)
    arrays = [array.astype(np.float32) for array in values]
    with torch.no_grad():
        first, second = (each(arrays, training=False).numpy() for each in (model, again))
    assert np.array_equal(first, second), (
        f"{where} computes something else after Keras has written and read it."
    )


def _fill(layer: Any) -> None:
    """Random weights everywhere, those that begin at zero or one included."""
    generator = np.random.default_rng(7)
    for variable in layer.variables:
        if "seed" in variable.name:
            continue
        drawn = generator.normal(0.0, 0.5, tuple(variable.shape))
        variable.assign((0.5 + np.abs(drawn) if "variance" in variable.name else drawn).astype(np.float32))


def _values(kind: Type, seed: int, whole: bool = False) -> np.ndarray:
    """Bytes for an image, numbers of about unit size otherwise, or zeros and ones."""
    generator = np.random.default_rng(seed)
    if kind.name == "Image":
        return generator.integers(0, 256, (ROWS, *kind.dims)).astype(np.uint8)
    drawn = generator.normal(size=(ROWS, *kind.dims))
    return (drawn > 0 if whole else drawn).astype(np.float32)


def _outputs(output: Type) -> int:
    return 1 if output.name == "Real" else int(output.arguments[0])
