"""A training that stands still: everything that its next step depends on, as arrays and text.

Going on from it gives bit for bit what would have come without the stop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from perennial.errors import DamagedFile
from perennial.lang import State

FORM = 1


@dataclass
class Progress:
    """How far a training is.

    Args:
        step: updates so far.
        begin: step at which the present run of the schedule began.
        end: step at which it ends, by what the deadline allows.
        asked: step at which it would end with all the time it wants.
        rows: training rows; another number of rows means a fresh epoch.
        position: batches of the present epoch that are done.
        validated: step of the last validation.
        best_step: step of the weights that are kept.
        best_loss: their validation loss.
        cycle: ends of schedule cycles that are past.
        fruitless: whether it ended early, since more training was in vain.
    """

    step: int = 0
    begin: int = 0
    end: int = 0
    asked: int = 0
    rows: int = 0
    position: int = 0
    validated: int = 0
    best_step: int = 0
    best_loss: float = float("inf")
    cycle: int = 0
    fruitless: bool = False


@dataclass
class Checkpoint:
    """Progress, the states of the random generators, and tensors by name, as NumPy arrays."""

    progress: Progress
    generators: list[dict] = field(default_factory=list)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def to_state(self) -> State:
        """As a state, which goes to disk and back without a change."""
        told = {"form": FORM, "progress": asdict(self.progress), "generators": self.generators}
        return State(dict(self.arrays), {"training": json.dumps(told)})

    @staticmethod
    def from_state(state: State) -> Checkpoint:
        """The inverse of `to_state`.

        Raises:
            DamagedFile: the state is no checkpoint.
        """
        try:
            told = json.loads(state.texts["training"])
            if told["form"] != FORM or set(told["progress"]) != {known.name for known in fields(Progress)}:
                raise ValueError("another form")
            return Checkpoint(Progress(**told["progress"]), list(told["generators"]), state.arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise DamagedFile(
                f"This is no checkpoint of a training: {error}.", todo="Train from the beginning."
            ) from error

    def family(self, prefix: str) -> dict[str, np.ndarray]:
        """The arrays whose names begin with `prefix/`, without it, in the order of their names."""
        return {
            name.removeprefix(f"{prefix}/"): array
            for name, array in sorted(self.arrays.items())
            if name.startswith(f"{prefix}/")
        }


def named(prefix: str, tensors: Any) -> dict[str, np.ndarray]:
    """Copies of tensors (a list or a dictionary) as arrays called `prefix/…`."""
    pairs = (
        tensors.items() if isinstance(tensors, Mapping) else ((f"{n:04d}", t) for n, t in enumerate(tensors))
    )
    return {f"{prefix}/{name}": tensor.detach().cpu().numpy().copy() for name, tensor in pairs}


def copy_into(tensors: list[Any], arrays: Mapping[str, np.ndarray], what: str) -> None:
    """Fills tensors with arrays, in order.

    Raises:
        DamagedFile: their number or shapes differ.
    """
    import torch

    shapes = [tuple(tensor.shape) for tensor in tensors]
    given = [array.shape for array in arrays.values()]
    if shapes != given:
        raise DamagedFile(
            f"The {what} do not belong to this network: it has shapes {shapes[:5]}, received {given[:5]}.",
            todo="Start from fresh weights.",
        )
    with torch.no_grad():
        for tensor, array in zip(tensors, arrays.values(), strict=True):
            tensor.copy_(torch.from_numpy(np.array(array)))
