"""What programs give on all examples at once, each value kept once (observational equivalence).

A state is a column: one grid, list of grids or number per example, labelled examples first. Two programs with
equal columns are one state, that of the cheaper program.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang import Grid, List, Literal, Op, Program, Type, Word, call

GRIDS = List(Grid)
MOST_PARTS = 40


class State:
    """A column of values with the cheapest known program for it.

    Attributes:
        kind: `Grid`, `List[Grid]` or `Int`.
        values: one per example: arrays, lists of arrays or numbers.
        cost: bits of the program.
        word: the outermost word; None for an argument of the task.
        arguments: states, literals or words it is called with.
    """

    __slots__ = ("arguments", "cost", "kind", "values", "word")

    def __init__(
        self, kind: Type, values: list, cost: float, word: Op | None = None, arguments: tuple = ()
    ) -> None:
        self.kind, self.values, self.cost, self.word, self.arguments = kind, values, cost, word, arguments

    def program(self, argument: Program) -> Program:
        """The program with the task's argument put in."""
        if self.word is None:
            return argument
        return call(self.word, *[as_argument(given, argument) for given in self.arguments])

    def uses(self, words: set[Op]) -> bool:
        """Whether any of the words is in the program."""
        return self.word in words or any(
            isinstance(given, State) and given.uses(words) for given in self.arguments
        )

    @property
    def shapes(self) -> tuple:
        """Shapes of the grids."""
        return tuple(value.shape for value in self.values)


def as_argument(given: Any, argument: Program) -> Program:
    """A state, a word or a literal as a program."""
    if isinstance(given, State):
        return given.program(argument)
    return Word(given) if isinstance(given, Op) else Literal(given)


def fingerprint(value: Any) -> bytes:
    """Bytes that only equal values share."""
    if isinstance(value, np.ndarray):
        sides = b"".join(side.to_bytes(2, "little") for side in value.shape)
        return sides + value.astype(np.int16).tobytes()
    if isinstance(value, list):
        return b"".join([len(value).to_bytes(2, "little"), *map(fingerprint, value)])
    return str(value).encode()


@dataclass(frozen=True)
class Move:
    """A word that turns one state into another: its first argument is the state, the others are literals."""

    word: Op
    literals: tuple = ()
    cost: float = 3.0


class Bank:
    """States in the order of their cost, each column once.

    Args:
        labelled: how many examples, counted from the first, have outputs.
        most: how many states it may hold.
        memory: how many bytes its grids may take.
    """

    def __init__(self, labelled: int, most: int = 12_000, memory: int = 2**29) -> None:
        self.labelled, self.most, self.memory, self.held = labelled, most, memory, 0
        self.states: dict[bytes, State] = {}
        self.by_labelled: dict[bytes, State] = {}
        self._order: list[State] = []
        self._queue: list[tuple[float, int, State]] = []

    def add(self, state: State) -> State | None:
        """The state itself when its column is new, else None."""
        prints = [fingerprint(value) for value in state.values]
        key = b"|".join(prints)
        if key in self.states or len(self.states) >= self.most or self.held > self.memory:
            return None
        self.held += 3 * len(key)  # the key itself, the key of the labelled part, and the arrays
        self.states[key] = state
        self._order.append(state)
        self.by_labelled.setdefault(b"|".join(prints[: self.labelled]), state)
        heapq.heappush(self._queue, (state.cost, len(self.states), state))
        return state

    def known(self, values: Sequence[Any]) -> State | None:
        """The cheapest state that has these values on the labelled examples."""
        return self.by_labelled.get(b"|".join(map(fingerprint, values)))

    def apply(self, word: Op, arguments: tuple, cost: float) -> State | None:
        """The new state of a word on states and literals; None when known or without an answer."""
        values = column(word, arguments)
        if values is None:
            return None
        return self.add(State(word.signature.result, values, cost, word, arguments))

    def news(self, since: int) -> list[State]:
        """States in the order they came, from a number of states on."""
        return self._order[since:]

    def cheapest(self) -> Iterator[State]:
        """States not yet taken, the cheapest first, as long as there are any."""
        while self._queue:
            yield heapq.heappop(self._queue)[2]


def column(word: Op, arguments: tuple) -> list | None:
    """What a word gives on every example, or None when it has no answer on one."""
    kernel = getattr(word, "kernel", word.call)
    count = next(len(given.values) for given in arguments if isinstance(given, State))
    found = []
    try:
        for place in range(count):
            found.append(
                kernel(*[given.values[place] if isinstance(given, State) else given for given in arguments])
            )
    except NoAnswer:
        return None
    if word.signature.result == GRIDS and any(len(value) > MOST_PARTS for value in found):
        return None
    return found
