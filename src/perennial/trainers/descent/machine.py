"""What training asks of the machine: threads, how numbers are kept, and where the rows lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

LARGE_STEP = 5e8
SHARE_OF_DEVICE = 0.25
MOST_ROWS = 2048
NUMBERS_AT_ONCE = {"cpu": 2**21, "cuda": 2**24}


def multiplications(model: Any) -> float:
    """How many multiplications one row takes, forwards, from the kernels of the layers and the places each
    is used.

    Rough on purpose: it tells large networks from small ones, the same way on every machine.
    """
    total = 0.0
    for layer in model.layers:
        places = math.prod(size or 1 for size in _shape(layer)[1:-1])
        total += places * sum(math.prod(variable.shape) for variable in layer.trainable_variables)
    return total


def rows_at_once(model: Any) -> int:
    """How many rows go through a network together where nothing is learnt: fewer when its largest layer is
    large.

    On a processor above 32 MB every layer waits for fresh pages of memory, which costs as much as its
    arithmetic.
    """
    numbers = max(math.prod(size or 1 for size in _shape(layer)[1:]) for layer in model.layers)
    devices = [getattr(variable.value, "device", None) for variable in model.weights[:1]]
    kind = getattr(devices[0], "type", "cpu") if devices else "cpu"
    return int(min(MOST_ROWS, max(1, NUMBERS_AT_ONCE.get(kind, NUMBERS_AT_ONCE["cpu"]) // numbers)))


def _shape(layer: Any) -> tuple:
    shape = getattr(getattr(layer, "output", None), "shape", ())
    return tuple(shape) if len(shape) > 1 else (None, None)


def threads_for(rows: int, multiplied: float, allowed: int) -> int:
    """One for small steps, where a second thread costs more than it brings; all that are allowed for large
    ones.

    >>> threads_for(256, 1.5e5, 4), threads_for(128, 1e7, 4)
    (1, 4)
    """
    return max(1, allowed) if rows * multiplied >= LARGE_STEP else 1


@contextmanager
def no_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as zero inside: Adam's moments of dead units decay to them, and then a step
    takes ten times as long."""
    import torch

    changed = torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if changed:
            torch.set_flush_denormal(False)


def precision(device: Any) -> Any:
    """Mixed precision (bfloat16 products, float32 sums) on CUDA that has it; float32 everywhere else.

    On processors bfloat16 was nine times slower.
    """
    import torch

    if device.type != "cuda" or not torch.cuda.is_bf16_supported():
        return nullcontext()
    return torch.autocast("cuda", dtype=torch.bfloat16)


def tensors(arrays: list[np.ndarray], device: Any) -> list[Any]:
    """Arrays as tensors, without a copy on the processor; moved to an accelerator only when all are small
    beside its memory."""
    import torch

    here = [_tensor(array) for array in arrays]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(array.nbytes for array in arrays) > SHARE_OF_DEVICE * free:
            return here
    return [values.to(device) for values in here]


def _tensor(array: np.ndarray) -> Any:
    import warnings

    import torch

    array = np.ascontiguousarray(array)
    with warnings.catch_warnings():  # arrays of a memory map may not be written to, and nothing here does
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return torch.from_numpy(array)
