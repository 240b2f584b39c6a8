"""A bank of small formulas, smallest first: every one is a column of values, equal columns are kept once.

Bottom-up enumeration with observational equivalence (Albarghouthi et al. 2013; Udupa et al. 2013), whole blocks of
formulas at a time in NumPy. A formula is remembered as a word and the places of its parts; its program is written
only when somebody asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from perennial.lang.ops import Op
from perennial.lang.program import Program, call
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import KERNELS, minus, number, plus, product, quotient, raised

LARGEST_VALUE = 1e9
SMALLEST_SPREAD = 1e-9
BLOCK, MOST_AT_ONCE = 4_000_000, 50_000  # numbers and formulas computed at once
NEGATIVE, SQUARE, INVERSE = "negative", "square", "inverse"

Word = Op | str


@dataclass(frozen=True)
class Alphabet:
    """What the formulas of a bank are made of; costs are whole numbers from 1.

    Args:
        constants: number → cost.
        unary: word of one argument → cost; `negative`, `square` and `inverse` are words here too.
        binary: word of two arguments → cost.
    """

    constants: dict[float, int]
    unary: dict[Word, int]
    binary: dict[Word, int]


STANDARD = Alphabet(
    constants={1.0: 1, 2.0: 2, math.pi: 3},
    unary={
        SQUARE: 1, INVERSE: 1, reals.sqrt: 1, reals.exp: 1, reals.log: 1, reals.sin: 1, reals.cos: 1, NEGATIVE: 1,
        reals.tanh: 3, reals.tan: 3, reals.arcsin: 3, reals.arctan: 3, reals.magnitude: 3,
    },
    binary={reals.times: 1, reals.plus: 1, reals.minus: 1, ratio: 1, reals.power: 4},
)  # fmt: skip

ARITHMETIC = Alphabet(
    constants={1.0: 1, 2.0: 2},
    unary={SQUARE: 1, INVERSE: 1},
    binary={reals.times: 1, reals.plus: 1, reals.minus: 1, ratio: 1},
)

_UNARY_KERNELS = {NEGATIVE: np.negative, SQUARE: np.square, INVERSE: np.reciprocal}
_COMMUTATIVE = {reals.plus, reals.times}


class Bank:
    """Formulas over given columns by cost.

    Args:
        leaves: the formulas to begin with, each of cost 1.
        columns: their values, `(leaves, rows)`.
        alphabet: the words.
        limit: how many formulas are kept at most.
        budget: when it is over the bank stops with what it has; `None` goes on to the limits.

    Attributes:
        table: values, `(size, rows)`.
        costs: `(size,)`, ascending.
    """

    def __init__(
        self,
        leaves: list[Program],
        columns: np.ndarray,
        *,
        alphabet: Alphabet = STANDARD,
        limit: int = 100_000,
        highest_cost: int = 12,
        budget: Budget | None = None,
    ) -> None:
        self.leaves, self.alphabet, self.limit, self.budget = leaves, alphabet, limit, budget
        self.rows = columns.shape[1]
        generator = np.random.default_rng(20_011)  # only for hashing: the same in every run
        self._directions = generator.uniform(0.5, 1.5, (self.rows, 2)) * generator.choice(
            [-1.0, 1.0], (self.rows, 2)
        )
        self._seen: set[int] = set()
        self._tables: list[np.ndarray] = []
        self._parents: list[tuple] = []
        self._counts: list[int] = []
        self._starts: dict[int, tuple[int, int]] = {}
        self.size = 0
        for cost in range(1, highest_cost + 1):
            begin = self.size
            self._grow(cost, columns)
            self._starts[cost] = (begin, self.size)
            if self.full:
                break
        self._settle()
        self.costs = np.concatenate(
            [np.full(end - begin, cost) for cost, (begin, end) in self._starts.items()] or [np.zeros(0, int)]
        )

    @property
    def full(self) -> bool:
        """Whether no more formulas are wanted."""
        return self.size >= self.limit or (self.budget is not None and self.budget.over)

    @property
    def table(self) -> np.ndarray:
        """The values of every formula, `(size, rows)`."""
        self._settle()
        return self._tables[0] if self._tables else np.zeros((0, self.rows))

    def _settle(self) -> None:
        if len(self._tables) > 1:
            self._tables = [np.concatenate(self._tables)]

    def program(self, place: int) -> Program:
        """The formula at a place of the table."""
        block = int(np.searchsorted(np.cumsum(self._counts), place, side="right"))
        word, left, right = self._parents[block]
        inside = place - sum(self._counts[:block])
        if word is None:
            return self.leaves[left[inside]]
        if word == "constant":
            return number(left[inside])
        first = self.program(int(left[inside]))
        return _spelled(word, first, None if right is None else self.program(int(right[inside])))

    def wrapped(self, words: tuple[Word, ...], limit: int) -> None:
        """Put each of these words around every formula, simplest first; for a bank that does not grow any more."""
        self._settle()
        table, end = self.table, self.size
        self.limit = self.size + limit
        for begin in range(0, end, 1_000):
            for word in words:
                if self.full:
                    break
                kernel = _UNARY_KERNELS.get(word) or KERNELS[word]
                places = np.arange(begin, min(begin + 1_000, end))
                with np.errstate(all="ignore"):
                    self._keep(kernel(table[places]), word, places, None)
        self._settle()
        self.costs = np.concatenate([self.costs, np.full(self.size - end, self.costs.max(initial=0) + 1)])

    # -- growing -------------------------------------------------------------------------------------------------------

    def _grow(self, cost: int, columns: np.ndarray) -> None:
        if cost == 1:
            self._keep(columns, None, np.arange(len(columns)), None, constant=False)
        given = [value for value, price in self.alphabet.constants.items() if price == cost]
        if given:
            block = np.repeat(np.array(given)[:, None], self.rows, axis=1)
            self._keep(block, "constant", np.array(given), None, constant=True)
        table = self.table
        for word, price in self.alphabet.unary.items():
            self._apply_unary(word, cost - price, table)
        for word, price in self.alphabet.binary.items():
            for left in range(1, cost - price):
                right = cost - price - left
                if word in _COMMUTATIVE and left > right:
                    continue
                self._apply_binary(word, left, right, table)

    def _apply_unary(self, word: Word, inner: int, table: np.ndarray) -> None:
        begin, end = self._starts.get(inner, (0, 0))
        if begin == end or self.full:
            return
        kernel = _UNARY_KERNELS.get(word) or KERNELS[word]
        with np.errstate(all="ignore"):
            self._keep(kernel(table[begin:end]), word, np.arange(begin, end), None)

    def _apply_binary(self, word: Word, left: int, right: int, table: np.ndarray) -> None:
        (begin, end), (start, stop) = self._starts.get(left, (0, 0)), self._starts.get(right, (0, 0))
        if begin == end or start == stop:
            return
        width = max(1, min(BLOCK // max(1, self.rows), MOST_AT_ONCE) // (stop - start))
        others = np.arange(start, stop)
        for first in range(begin, end, width):
            if self.full:
                return
            chosen = np.arange(first, min(first + width, end))
            with np.errstate(all="ignore"):
                block = KERNELS[word](table[chosen][:, None, :], table[start:stop][None, :, :])
            parents = np.repeat(chosen, len(others)), np.tile(others, len(chosen))
            self._keep(block.reshape(-1, self.rows), word, *parents)

    def _keep(self, block: np.ndarray, word, left, right, constant: bool | None = None) -> None:
        """Add the columns that are finite and new; constants only when they were asked for by name."""
        with np.errstate(all="ignore"):
            largest = np.abs(block).max(axis=1)
            good = np.flatnonzero((largest < LARGEST_VALUE) & (largest > 1 / LARGEST_VALUE))
            block = block[good]
            if not constant:
                spread = block.max(axis=1) - block.min(axis=1)
                varied = spread > SMALLEST_SPREAD * largest[good]
                good, block = good[varied], block[varied]
        fresh = self._new(block)[: self.limit - self.size]
        if not len(fresh):
            return
        good = good[fresh]
        self._tables.append(np.ascontiguousarray(block[fresh]))
        self._parents.append((word, left[good], None if right is None else right[good]))
        self._counts.append(len(good))
        self.size += len(good)

    def _new(self, block: np.ndarray) -> np.ndarray:
        """The places of columns not seen before, equal up to the ninth digit."""
        scale = np.abs(block) @ np.abs(self._directions)
        shares = np.rint(block @ self._directions / scale * 1e9).astype(np.int64)
        sizes = np.rint(np.log(scale[:, 0]) * 1e8).astype(np.int64)
        keys = (shares[:, 0] * 1_000_003 + shares[:, 1]) * 1_000_003 + sizes
        fresh = []
        for place, key in enumerate(keys.tolist()):
            if key not in self._seen:
                self._seen.add(key)
                fresh.append(place)
        return np.array(fresh, dtype=int)


def _spelled(word: Word, first: Program, second: Program | None) -> Program:
    if word == NEGATIVE:
        return product(-1, first)
    if word == SQUARE:
        return raised(first, 2)
    if word == INVERSE:
        return quotient(1, first)
    if second is None:
        return call(word, first)
    short = {reals.plus: plus, reals.minus: minus, reals.times: product, ratio: quotient}
    return short[word](first, second) if word in short else call(word, first, second)
