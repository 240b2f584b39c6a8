"""Words whose weights come from the library: they were learnt on another task, and never change."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang.ops import Op, Parameter
from perennial.lang.types import Tensor, Type

MOST_NUMBERS = 10_000


class Reused(Op):
    """What was learnt on another task.

    It is taken over, not fitted: a fitted program holds what it needs of the record that `of` names.
    """

    fits = True
    cost = 10.0

    def call(self, *inputs: Any, **parameters: Any) -> Any:
        """Raises ProgramError: by itself it has no weights."""
        raise ProgramError(
            f"`{self.name}` computes only inside a program that was fitted.",
            why="What it knows is in the record that `of` names.",
            todo="Put a learner around it, and grow with the library that holds the record.",
        )


class Recalled(Reused):
    """What a model of another task says of the same input: logarithms of probabilities, or the numbers that it predicts.

    A learner stands on it, alone or beside other features: stacked generalisation (Wolpert 1992) over tasks instead of
    folds.

    Args:
        of: the record of the model. Two models of one program are two words.
        size: how many numbers it says.

    >>> recalled.infer(Tensor(64), of="3f2a", size=10)
    Tensor[10]
    """

    name, doc = "recalled", "What a model of another task says of the same input."
    parameters = MappingProxyType(
        {
            "of": Parameter("", doc="the record of the model"),
            "size": Parameter(1, low=1, high=MOST_NUMBERS, doc="how many numbers it says"),
        }
    )

    def infer(self, *types: Type, size: int = 1, **parameters: Any) -> Type:
        """As many numbers as the model says."""
        if len(types) != 1:
            raise TypeMismatch(f"`recalled` takes the input of a model, received {len(types)} arguments.")
        return Tensor(size)


recalled = Recalled()
