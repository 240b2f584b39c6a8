"""What a network asks of its training, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from perennial.errors import ProgramError
from perennial.trainers.descent.optimisers import OPTIMISERS
from perennial.trainers.descent.schedules import SCHEDULES
from perennial.trainers.descent.test_time import VIEWS


@dataclass(frozen=True)
class Recipe:
    """Settings of one training.

    Args:
        optimiser: "adam" (AdamW) or "sgd" (with Nesterov momentum).
        learning_rate: the peak of the schedule, above 0.
        schedule: "coslog4", "one_cycle", "cosine" or "constant".
        betas: of Adam, each 0 to 1.
        momentum: of SGD, 0 to 1.
        weight_decay: decoupled from the gradient, not on biases, norms and embeddings.
        epochs: at most so many passes over the training rows.
        steps: at most so many updates.
        batch: at most so many rows an update.
        label_smoothing: share of the target that is spread over all classes, 0 to 1.
        ema: decay of the running mean of the weights that is kept instead of them, 0 (off) to 1.
        clip: longest gradient of all weights together, 0 is off.
        patience: share of the steps without a better epoch after which training ends; 0 is off, `None`
            leaves it to the schedule.
        shift: furthest move of an image as a share of its side, 0 to 1.
        flip: whether half of the images are mirrored left to right.
        cutout: side of the square that is cut out, as a share of the image's side, 0 to 1.
        trivial: strength of TrivialAugment, 0 (off) to 1 (its wide ranges).
        test_time: which views of an image a prediction is the mean of: "none", "flip", "shift", "flip_shift" or
            "around".
        bias_factor: of the learning rate, for biases.
        scale_factor: of the learning rate, for layers called "scale".
        neural_tangent: whether a kernel moves 1 / sqrt(fan-in) as far (and decays as fast), as if it was
            written in the neural-tangent parametrisation.
    """

    optimiser: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "one_cycle"
    betas: tuple[float, float] = (0.9, 0.99)
    momentum: float = 0.9
    weight_decay: float = 0.0
    epochs: float = 10.0
    steps: float = float("inf")
    batch: int = 128
    label_smoothing: float = 0.0
    ema: float = 0.0
    clip: float = 0.0
    patience: float | None = None
    shift: float = 0.0
    flip: bool = False
    cutout: float = 0.0
    trivial: float = 0.0
    test_time: str = "none"
    bias_factor: float = 1.0
    scale_factor: float = 1.0
    neural_tangent: bool = False

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("test_time", VIEWS)):
            if getattr(self, name) not in known:
                raise ProgramError(
                    f"A recipe takes {name} of {', '.join(known)}, received {getattr(self, name)!r}."
                )
        for name in ("learning_rate", "epochs", "steps", "batch"):
            if not getattr(self, name) > 0:
                raise ProgramError(f"A recipe needs {name} above 0, received {getattr(self, name)!r}.")
        for name in ("momentum", "label_smoothing", "ema", "shift", "cutout", "trivial"):
            if not 0 <= getattr(self, name) <= 1:
                raise ProgramError(f"A recipe takes {name} of 0 to 1, received {getattr(self, name)!r}.")
        for name in ("weight_decay", "clip"):
            if not getattr(self, name) >= 0:
                raise ProgramError(f"A recipe takes {name} of 0 or more, received {getattr(self, name)!r}.")

    @staticmethod
    def of(settings: Mapping[str, Any]) -> Recipe:
        """The recipe that a network gives as a dictionary; what it leaves out is as above.

        Raises:
            ProgramError: a key that no recipe has, or a value out of its range.

        >>> Recipe.of({"batch": 64, "flip": True}).batch
        64
        """
        known = {field.name for field in fields(Recipe)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise ProgramError(
                f"A recipe has no {', '.join(map(repr, unknown))}.",
                todo=f"Use some of: {', '.join(sorted(known))}.",
            )
        return Recipe(**settings)
