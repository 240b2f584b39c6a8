"""What an engine that finds programs from examples is given, and what it gives back.

An engine's author writes one method, `run`: an any-time iterator of `Found` programs. It may assume that types
hold, must look at its clock at least ten times a second, and must give a program only after it ran it.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from perennial.errors import DataError, PerennialError
from perennial.lang import Lambda, Program, Type, evaluate
from perennial.spaces.grammar import Grammar

FUEL = 20_000
LARGEST_VALUE = 10_000


class Unanswered:
    """What a program gives on an example where it has no answer; equal to nothing but itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNANSWERED"


UNANSWERED = Unanswered()


@dataclass(frozen=True, eq=False)
class Examples:
    """Typed columns: inputs and outputs of the same rows.

    Args:
        names: of the arguments.
        types: of the arguments.
        output_type: of the results.
        inputs: one tuple of argument values per example (lists are tuples).
        outputs: one value per example.
        unlabelled: inputs without an output, on which programs that fit may differ.
        tolerance: share of the examples that a program may miss and still count as complete.

    Raises:
        DataError: when there are no examples, or a row has another number of values.

    >>> from perennial.lang import Int, List
    >>> examples = Examples(("xs",), (List(Int),), Int, (((1, 2),), ((5,),)), (3, 5))
    >>> len(examples), examples.column(0)
    (2, ((1, 2), (5,)))
    """

    names: tuple[str, ...]
    types: tuple[Type, ...]
    output_type: Type
    inputs: tuple[tuple, ...]
    outputs: tuple
    unlabelled: tuple[tuple, ...] = ()
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not self.inputs or len(self.inputs) != len(self.outputs):
            raise DataError(
                f"Expected as many inputs as outputs and at least one, received {len(self.inputs)} and "
                f"{len(self.outputs)}."
            )
        if any(len(row) != len(self.names) for row in (*self.inputs, *self.unlabelled)):
            raise DataError(f"Every example has {len(self.names)} inputs: {', '.join(self.names)}.")

    def __len__(self) -> int:
        return len(self.outputs)

    def column(self, place: int) -> tuple:
        """Values of one argument, one per example."""
        return tuple(row[place] for row in self.inputs)

    @property
    def needed(self) -> int:
        """How many examples a complete program satisfies."""
        return len(self) - math.floor(self.tolerance * len(self))

    def subset(self, places: Sequence[int]) -> Examples:
        """Only the examples at these places; unlabelled rows stay."""
        inputs, outputs = [self.inputs[at] for at in places], [self.outputs[at] for at in places]
        return Examples(
            self.names,
            self.types,
            self.output_type,
            tuple(inputs),
            tuple(outputs),
            self.unlabelled,
            self.tolerance,
        )


@dataclass(frozen=True, eq=False)
class Found:
    """A program and how it does.

    Args:
        program: a `Lambda` of the examples' names.
        cost: description length in bits under the grammar, without the outermost lambda.
        satisfied: for each example whether the program gives its output.
        engine: who found it.
        seconds: after which time of the run.
    """

    program: Lambda
    cost: int
    satisfied: tuple[bool, ...]
    engine: str = ""
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether it satisfies every example."""
        return all(self.satisfied)

    @property
    def missed(self) -> tuple[int, ...]:
        """Places of the examples that it does not satisfy."""
        return tuple(place for place, good in enumerate(self.satisfied) if not good)

    @property
    def order(self) -> tuple:
        """Sorts better programs first: more examples, then the shorter description."""
        return (-sum(self.satisfied), self.cost, self.program.size, str(self.program))


@dataclass
class Clock:
    """A deadline that is looked at cheaply.

    >>> Clock(60.0).left > 59
    True
    """

    seconds: float
    start: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 when it has passed."""
        return max(0.0, self.seconds - self.spent)

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.spent >= self.seconds

    def share(self, part: float) -> Clock:
        """A new clock with a part of what is left."""
        return Clock(self.left * part)


class Engine(ABC):
    """Looks for programs; final classes say how."""

    name = "engine"

    @abstractmethod
    def run(self, examples: Examples, grammar: Grammar, seconds: float, memory: int) -> Iterator[Found]:
        """Programs as they are found, each satisfying something that none before it did, or cheaper.

        Args:
            examples: what the program must do.
            grammar: what it may be made of.
            seconds: the engine ends on its own within them (overrun at most 0.2 s).
            memory: bytes it may hold beyond what it was given.
        """

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """Whether the engine knows what to do with these types."""
        return True


def answers(program: Program, inputs: Sequence[tuple], fuel: int = FUEL) -> tuple:
    """What a program gives for each row of inputs; `UNANSWERED` where it has no answer or is too long.

    >>> from perennial.lang import Var
    >>> answers(Lambda(("x",), Var("x")), [(1,), (2,)])
    (1, 2)
    """
    found = []
    for row in inputs:
        try:
            found.append(evaluate(program, *row, fuel=fuel, max_size=LARGEST_VALUE))
        except PerennialError:
            found.append(UNANSWERED)
    return tuple(found)


def same_value(left: Any, right: Any) -> bool:
    """Whether two values are equal; true differs from 1, numbers agree to nine digits, NaN equals NaN.

    >>> same_value((1, 2), [1, 2]), same_value(True, 1), same_value(0.1 + 0.2, 0.3)
    (True, False, True)
    """
    if isinstance(left, (tuple, list)) and isinstance(right, (tuple, list)):
        return len(left) == len(right) and all(map(same_value, left, right))
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, float) or isinstance(right, float):
        try:
            return (
                math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
                or math.isnan(left)
                and math.isnan(right)
            )
        except (TypeError, OverflowError):
            return False
    return type(left) is type(right) and left == right


def judged(
    program: Lambda, examples: Examples, grammar: Grammar, engine: str = "", seconds: float = 0.0
) -> Found:
    """A program run on every example by the interpreter: what is given to users is always judged so."""
    given = answers(program, examples.inputs)
    satisfied = tuple(map(same_value, given, examples.outputs))
    return Found(program, grammar.body_cost(program), satisfied, engine, seconds)
