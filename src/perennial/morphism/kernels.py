"""Arrays of mixing layers, reshaped such that they go on doing what they did."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from perennial.lang import State

DEPTHWISE, BIAS = "depthwise_kernel", "bias"
MOVED = frozenset({"kernel", "pointwise_kernel", DEPTHWISE, BIAS})
SMALLEST_SHARE = 0.25


def mixing_kernel(arrays: Mapping[str, np.ndarray]) -> str:
    """The name of the array `(…, inputs, outputs)`."""
    return "pointwise_kernel" if "pointwise_kernel" in arrays else "kernel"


def outputs_of(state: State) -> int:
    """How many units a mixing layer gives."""
    return state.arrays[mixing_kernel(state.arrays)].shape[-1]


def full_kernels(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A separable convolution as the full one that it is: `K[a, b, i, o] = D[a, b, i] P[i, o]`."""
    depthwise, pointwise = arrays[DEPTHWISE], arrays["pointwise_kernel"]
    inputs, multiplier = depthwise.shape[-2:]
    mixing = pointwise.reshape(inputs, multiplier, -1)
    kernel = np.einsum("...im,imo->...io", depthwise, mixing)
    return {"kernel": kernel, **({BIAS: arrays[BIAS]} if BIAS in arrays else {})}


def middle(kernel: np.ndarray) -> np.ndarray:
    """The last two axes at the middle place."""
    return kernel[tuple(length // 2 for length in kernel.shape[:-2])]


def grown(
    kernel: np.ndarray, wanted: tuple[int, ...], sizes: tuple[int, ...], stride: int
) -> tuple[np.ndarray, bool]:
    """The kernel with zeros around it such that it looks at the same pixels, or with some cut off.

    Args:
        kernel: `(*places, inputs, outputs)`.
        wanted: the shape of places that it shall have.
        sizes: of the image that it slides over, with padding `same`.
        stride: pixels from one place of the kernel to the next.

    Returns:
        the kernel, and whether all of it is still there.
    """
    before, after = kernel.shape[: len(wanted)], wanted
    new = np.zeros((*after, *kernel.shape[len(wanted) :]), kernel.dtype)
    inside, own = [], []
    for size, old, length in zip(sizes, before, after, strict=True):
        offset = padding(size, length, stride) - padding(size, old, stride)
        start, stop = max(0, offset), min(length, offset + old)
        inside.append(slice(start, stop))
        own.append(slice(start - offset, stop - offset))
    new[tuple(inside)] = kernel[tuple(own)]
    return new, all(each.stop - each.start == old for each, old in zip(own, before, strict=True))


def padding(size: int, length: int, stride: int) -> int:
    """Zeros before the first pixel with padding `same`."""
    outputs = -(-size // stride)
    return max((outputs - 1) * stride + length - size, 0) // 2


def shares_of(inputs: np.ndarray, outputs: int, generator: np.random.Generator) -> np.ndarray:
    """`(inputs, outputs)`: how much of the parent's weight each copy of a unit gets; the copies' shares add up to 1.

    Shares of several copies differ, and differ between outputs: equal copies would get equal gradients for ever.
    New units (-1) get nothing.
    """
    shares = np.ones((len(inputs), outputs))
    counts = np.bincount(inputs[inputs >= 0])
    for unit in np.flatnonzero(counts > 1):
        rows = np.flatnonzero(inputs == unit)
        drawn = SMALLEST_SHARE + generator.random((len(rows), outputs))
        shares[rows] = drawn / drawn.sum(axis=0)
    shares[inputs < 0] = 0.0
    return shares


def overlapped(fresh: State, old: State) -> State:
    """Fresh arrays with the parent's numbers wherever both have a place."""
    arrays = {}
    for name, array in fresh.arrays.items():
        moved, before = array.copy(), old.arrays.get(name)
        if before is not None and before.ndim == moved.ndim:
            common = tuple(slice(0, min(a, b)) for a, b in zip(moved.shape, before.shape, strict=True))
            moved[common] = before[common]
        arrays[name] = moved
    return State(arrays, fresh.texts)
