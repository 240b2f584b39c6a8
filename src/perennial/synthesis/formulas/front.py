"""The Pareto front of error and length: the best formula of every length, and which of them to believe.

A formula is believed by its description length (Rissanen 1978): the bits that it takes to write it, and the bits
that its errors take. On data without noise a formula that fits to the last digits beats every shorter one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from perennial.lang.program import Program
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import Columns, length, values
from perennial.synthesis.formulas.constants import fit_constants, fitted_numbers, simple_constants
from perennial.synthesis.formulas.simplification import simplified

EXACT = (
    1e-24  # unexplained share of the variance that rounding alone leaves; a series of high degree leaves more
)
BITS_PER_SYMBOL = 6.0
BITS_OF_A_NUMBER = 8.0  # what a simple number saves
LONGEST = 120


@dataclass(frozen=True)
class Formula:
    """One point of the front.

    Args:
        program: over the variables of the columns.
        error: share of the target's variance that it leaves, 0 when exact.
        length: symbols.
        fitted: numbers in it that nobody would write: each explains one row by itself.
    """

    program: Program
    error: float
    length: int
    fitted: int = 0


class Front:
    """The best formulas so far; its `listener` hears of each that enters.

    Args:
        columns: variable → `(n,)`.
        target: `(n,)`.
        tolerance: root mean squared error, in the target's unit, below which a formula counts as right.
    """

    def __init__(
        self,
        columns: Columns,
        target: np.ndarray,
        *,
        tolerance: float = 0.0,
    ) -> None:
        self.columns, self.target = columns, target
        self.variance = float(np.var(target)) or 1.0
        self.enough = max(EXACT, tolerance**2 / self.variance)
        self.listener: Callable[[Formula], None] | None = None
        self.positive = frozenset(name for name, column in columns.items() if column.min() > 0)
        self.offered = 0
        self._best: dict[int, Formula] = {}
        self._seen: set[Program] = set()
        self._refined: set[Program] = set()

    def offer(self, program: Program) -> float:
        """Take a formula in if it is better than every one of its length or shorter; its error."""
        self.offered += 1
        if program in self._seen:
            return math.inf
        self._seen.add(program)
        error = self._error(program)
        if error < math.inf:
            self._enter(Formula(program, error, length(program), fitted_numbers(program)))
        return error

    def refine(self, program: Program) -> float:
        """Offer a formula with its constants fitted and simplified; its error."""
        if program in self._refined or program.size > 4 * LONGEST:
            return math.inf
        self._refined.add(program)
        program = simplified(program, self.positive)
        program = fit_constants(program, self.columns, self.target)
        error = self.offer(program)
        if error == math.inf:
            error = self._error(program)
        return min(error, self._plainer(program, error)) if self._deserves_care(program, error) else error

    def _plainer(self, program: Program, error: float) -> float:
        """Offer the formula with simple numbers, as far as they cost fewer bits of error than they save."""
        slack = 1.01 if error <= self.enough else 2.0 ** (2.0 * BITS_OF_A_NUMBER / max(20, len(self.target)))
        plain = simple_constants(
            program,
            self.columns,
            self.target,
            slack=slack,
            enough=self.enough * self.variance,
            refit=error > self.enough,
        )
        return min(self.offer(plain), self.offer(simplified(plain, self.positive)))

    def _deserves_care(self, program: Program, error: float) -> bool:
        return error < math.inf and all(
            error <= 1.02 * found.error + self.enough or found.length > length(program) + 2
            for found in self._best.values()
            if found.length <= length(program) - 2
        )

    def polish(self, budget: Budget | None = None) -> None:
        """Fit and simplify what came in as it was, the likeliest first; for the end of a search."""
        for formula in sorted(self, key=self.description):
            if budget is not None and budget.over and formula is not self.best:
                return
            self.refine(formula.program)

    def _error(self, program: Program) -> float:
        try:
            left = values(program, self.columns) - self.target
        except KeyError:
            return math.inf
        with np.errstate(all="ignore"):
            error = float(np.mean(left * left)) / self.variance
        return error if math.isfinite(error) else math.inf

    def _enter(self, new: Formula) -> None:
        if new.length > LONGEST:
            return
        reached = max(new.error, self.enough)
        if any(old.length <= new.length and max(old.error, self.enough) <= reached for old in self):
            return
        self._best = {
            size: old
            for size, old in self._best.items()
            if not (old.length >= new.length and max(old.error, self.enough) >= reached)
        }
        self._best[new.length] = new
        if self.listener is not None:
            self.listener(new)

    def __iter__(self) -> Iterator[Formula]:
        return iter(sorted(self._best.values(), key=lambda formula: formula.length))

    @property
    def solved(self) -> bool:
        """Whether a formula is as right as it needs to be, on more rows than it has fitted numbers."""
        rows = len(self.target)
        return any(formula.error <= self.enough and formula.fitted < rows for formula in self._best.values())

    @property
    def closest(self) -> float:
        """The smallest error of all."""
        return min(formula.error for formula in self._best.values())

    @property
    def best(self) -> Formula:
        """The formula with the shortest description of itself and its errors."""
        return min(self, key=self.description)

    def description(self, formula: Formula) -> float:
        """Bits for a formula and for the errors it leaves; a fitted number is as long as what it explains."""
        rows = max(0, len(self.target) - formula.fitted)
        return 0.5 * rows * math.log2(max(formula.error, self.enough)) + BITS_PER_SYMBOL * formula.length
