"""What an engine that finds programs from examples is given, and what it gives back.

An engine's author writes one method, `run`: an any-time iterator of `Found` programs. It may assume that types
hold, must look at its budget at least ten times a second, and must give a program only after it ran it.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from perennial.errors import DataError, PerennialError
from perennial.lang import Lambda, Program, Type, evaluate
from perennial.spaces.grammar import Grammar

FUEL = 20_000
LARGEST_VALUE = 10_000
MEMORY = 2**31
LOOK_EVERY = 0.05
_THIS_PROCESS = psutil.Process()


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
    def right(self) -> int:
        """How many examples it satisfies."""
        return sum(self.satisfied)

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
        return (-self.right, self.cost, self.program.size, str(self.program))


class Budget:
    """Seconds and bytes that a search may take, looked at cheaply.

    Args:
        seconds: until the deadline, from now.
        memory: bytes that this process may take beyond what it holds now.
        ceiling: bytes that this process may hold; follows from `memory` when it is not given.
        until: ends the search when it says so.

    >>> budget = Budget(60.0)
    >>> budget.left > 59, budget.over, budget.share(0.5).seconds <= 30
    (True, False, True)
    """

    def __init__(
        self,
        seconds: float,
        memory: int = MEMORY,
        ceiling: int | None = None,
        until: Callable[[], bool] | None = None,
        _family: _Family | None = None,
    ) -> None:
        self.seconds, self.memory, self.start = seconds, memory, time.monotonic()
        self._ceiling = resident() + memory if ceiling is None else ceiling
        self._until, self._next_look, self._ended = until, self.start + LOOK_EVERY, False
        self._family = _family or _Family()

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
        """Whether the deadline has passed, the memory is used up, or nobody wants more."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY
            if resident() > self._ceiling:
                self.tell_full()
                self._ended = True
            self._ended = self._ended or (self._until is not None and self._until())
        return self._ended or now - self.start >= self.seconds

    @property
    def was_full(self) -> bool:
        """Whether a search under this budget, or under a part of it, ended for want of memory."""
        return self._family.full

    def tell_full(self) -> None:
        """An engine that could go on with more memory says so."""
        self._family.full = True

    def pause(self, seconds: float) -> None:
        """Seconds in which nothing was looked for do not count."""
        self.start += seconds

    def share(self, part: float) -> Budget:
        """A part of the seconds that are left, under the same limit of memory."""
        return self.within(self.left * part)

    def within(self, seconds: float) -> Budget:
        """At most so many of the seconds that are left, under the same limit of memory."""
        return Budget(min(seconds, self.left), self.memory, self._ceiling, self._until, self._family)

    def halved(self) -> Budget:
        """All the seconds that are left with half of the memory; the other half is for another process."""
        half = self.memory // 2
        return Budget(self.left, half, self._ceiling - half, self._until, self._family)

    def until(self, ended: Callable[[], bool]) -> Budget:
        """All that is left, at most until something has happened."""
        return Budget(self.left, self.memory, self._ceiling, lambda: ended() or self.over, self._family)


class _Family:
    """What a budget and its parts know together."""

    full = False


def resident() -> int:
    """Bytes of memory that this process holds."""
    return _THIS_PROCESS.memory_info().rss


class Engine(ABC):
    """Looks for programs; final classes say how."""

    name = "engine"

    @abstractmethod
    def run(self, examples: Examples, grammar: Grammar, budget: Budget) -> Iterator[Found]:
        """Programs as they are found, each satisfying something that none before it did, or cheaper.

        Args:
            examples: what the program must do.
            grammar: what it may be made of.
            budget: the engine ends on its own within it (overrun at most 0.2 s).
        """

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """Whether the engine knows what to do with these types."""
        return True

    def ready(self) -> bool:
        """Whether it can begin at once; when not, it gets ready beside whatever runs meanwhile."""
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
