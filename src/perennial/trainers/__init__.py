"""How weights move: `Direct` for words that fit themselves, `Backprop` for networks."""

from perennial.errors import ProgramError
from perennial.lang import Program
from perennial.trainers.backprop import Backprop
from perennial.trainers.base import Batch, Fitted, Trainer
from perennial.trainers.direct import Direct

__all__ = ["Backprop", "Batch", "Direct", "Fitted", "Trainer", "resolve"]


def resolve(program: Program) -> Trainer:
    """The simplest trainer that can fit the program.

    Raises:
        ProgramError: no trainer can.
    """
    for trainer in (Direct(), Backprop()):
        if trainer.can_train(program):
            return trainer
    raise ProgramError("No trainer can fit this program.", where=str(program))
