"""Random search (Bergstra & Bengio 2012): the bar that every other strategy has to clear."""

from __future__ import annotations

import numpy as np

from perennial.strategies.base import Strategy
from perennial.trial import Proposal


class Random(Strategy):
    """Draws every decision uniformly on its own scale; each genotype once.

    Hard to beat when few decisions matter or when many workers ask at once; it never gets stuck.
    """

    name = "random"

    def propose(self, rng: np.random.Generator) -> Proposal | None:
        """A genotype at random that was not tried yet."""
        return self.proposal(self.draw_new(rng))
