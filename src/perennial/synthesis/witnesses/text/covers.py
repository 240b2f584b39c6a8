"""Covers: the cheapest ways to write the outputs as one sequence of parts and constants.

The same sequence must write the output of every row, so a state of the search holds how far each output is
written; edges are parts and constants that go on in all of them (the version space of FlashFill, Gulwani 2011,
searched from the front). Paths are found by their price (Dijkstra 1959), a few to each state (Eppstein 1998).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perennial.synthesis.base import Budget
from perennial.synthesis.witnesses.text.parts import Part, text_price

PIECE_PRICE = 1.2
CONSTANT_PRICE = 1.6
MOST_STEPS = 4_000
PATHS_A_STATE = 3
LONGEST_CONSTANT = 80
PARTS_OF_A_BRANCH = 400
DOUBT_PRICE = 3.0


@dataclass(frozen=True)
class Cover:
    """A sequence of parts and constant texts, and its price in bits."""

    pieces: tuple
    price: float


class Covers:
    """Covers of sets of rows; a set is asked for once.

    Args:
        parts: cheapest first.
        wanted: the outputs.
        budget: when to stop.
        given: all that each row's inputs show, so that a constant that stands in all of them is doubted.

    At most 64 rows.
    """

    def __init__(
        self, parts: Sequence[Part], wanted: Sequence[str], budget: Budget, given: Sequence[str] = ()
    ) -> None:
        self.wanted, self.budget, self.given = tuple(wanted), budget, tuple(given)
        self.parts, masks = [], []
        for part in parts:
            mask = 0
            for number, (value, text) in enumerate(zip(part.values, self.wanted, strict=False)):
                if value and isinstance(value, str) and value in text:
                    mask |= 1 << number
            if mask:
                self.parts.append(part)
                masks.append(mask)
        self.masks = np.array(masks, dtype=np.uint64)
        self.answers: dict[tuple[int, int], list[Cover]] = {}

    def best(self, rows: int, number: int = 1, steps: int = MOST_STEPS) -> list[Cover]:
        """At most so many covers of the rows in a bit mask, cheapest first."""
        if (rows, number) not in self.answers:
            self.answers[rows, number] = self._search(rows, number, steps)
        return self.answers[rows, number]

    def _search(self, rows: int, number: int, most: int) -> list[Cover]:
        places = [place for place in range(len(self.wanted)) if rows >> place & 1]
        wanted = [self.wanted[place] for place in places]
        goal = tuple(map(len, wanted))
        starts = self._starts(rows, places, wanted[0], None if most >= MOST_STEPS else PARTS_OF_A_BRANCH)
        queue: list[tuple] = [(0.0, 0, (0,) * len(wanted), ())]
        visits: Counter = Counter()
        found, steps, serial = [], 0, 0
        while queue and steps < most and len(found) < number:
            price, _, state, pieces = heapq.heappop(queue)
            if visits[state] >= PATHS_A_STATE:
                continue
            visits[state] += 1
            steps += 1
            if state == goal:
                found.append(Cover(pieces, price))
                continue
            if steps % 32 == 0 and self.budget.over:
                break
            for piece, cost, reached in self._edges(state, wanted, places, starts, pieces):
                if visits[reached] < PATHS_A_STATE:
                    serial += 1
                    heapq.heappush(queue, (price + cost, serial, reached, (*pieces, piece)))
        return found

    def _doubt(self, constant: str, places: Sequence[int]) -> float:
        """Bits for a constant whose letters or digits stand in the inputs of every row: more likely a part."""
        core = _core(constant)
        if not core or not self.given:
            return 0.0
        return DOUBT_PRICE if all(core in self.given[place] for place in places) else 0.0

    def _starts(
        self, rows: int, places: list[int], first: str, most: int | None
    ) -> dict[int, list[tuple[Part, tuple]]]:
        """By position in the first output: the parts that may stand there, with their values."""
        starts: dict[int, list[tuple[Part, tuple]]] = {}
        wanted = np.uint64(rows)
        for place in np.flatnonzero((self.masks & wanted) == wanted)[:most].tolist():
            part = self.parts[place]
            values = tuple([part.values[row] for row in places])
            at = first.find(values[0])
            while at >= 0:
                starts.setdefault(at, []).append((part, values))
                at = first.find(values[0], at + 1)
        return starts

    def _edges(self, state: tuple, wanted: list[str], places: list[int], starts: dict, pieces: tuple):
        seen = set()
        for part, values in starts.get(state[0], ()):
            if all(map(str.startswith, wanted, values, state)):
                reached = tuple(at + len(value) for at, value in zip(state, values, strict=True))
                count = (reached, part.values)
                if count not in seen:
                    seen.add(count)
                    yield part, part.price + PIECE_PRICE, reached
        if pieces and isinstance(pieces[-1], str):
            return
        rest = common_prefix(
            [text[at : at + LONGEST_CONSTANT] for text, at in zip(wanted, state, strict=True)]
        )
        for length in range(1, len(rest) + 1):
            reached = tuple(at + length for at in state)
            if reached[0] in starts or reached[0] == len(wanted[0]):
                price = CONSTANT_PRICE + PIECE_PRICE + text_price(rest[:length])
                yield rest[:length], price + self._doubt(rest[:length], places), reached


def _core(constant: str) -> str:
    """A constant without signs and spaces at its ends."""
    ends = "".join({letter for letter in constant if not letter.isalnum()})
    return constant.strip(ends) if ends else constant


def common_prefix(texts: Sequence[str]) -> str:
    """The longest text that all begin with.

    >>> common_prefix(["abc", "abd"])
    'ab'
    """
    shortest, longest = min(texts), max(texts)
    for place, letter in enumerate(shortest):
        if longest[place] != letter:
            return shortest[:place]
    return shortest
