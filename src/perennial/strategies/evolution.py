"""Regularized evolution (Real, Aggarwal, Huang & Le 2019): tournament, mutation, and death by age.

The population is the last `population` trials; a parent must be re-found to stay, so a lucky score dies out.
"""

from __future__ import annotations

import numpy as np

from perennial.errors import UsageError
from perennial.strategies.base import ATTEMPTS, Strategy
from perennial.trial import Proposal, Trial, rank_key


class RegularizedEvolution(Strategy):
    """Mutates the best of a random sample of the youngest trials.

    Args:
        space, seed: as for every strategy.
        population: how many of the latest trials may become parents. The paper's 100 serve thousands of
            trials; 20 serve the tens to hundreds of an ordinary study.
        sample: how many of them meet in a tournament, 1 to `population`.
        initial: random trials before the first tournament.

    Raises:
        UsageError: the sizes do not fit together.
    """

    name = "evolution"

    def __init__(self, space, seed: int = 0, population: int = 20, sample: int = 8, initial: int = 8) -> None:
        super().__init__(space, seed)
        if not 1 <= sample <= population or initial < 1:
            raise UsageError(
                f"Expected 1 <= sample <= population and initial >= 1, received sample={sample}, "
                f"population={population}, initial={initial}.",
                todo="For instance population=20, sample=8, initial=8.",
            )
        self.population, self.sample, self.initial = population, sample, initial

    def propose(self, rng: np.random.Generator) -> Proposal | None:
        """A mutant of a tournament's winner; random genotypes while there are too few trials."""
        opening = self.opening()
        if opening is not None:
            return self.proposal(opening)
        known = self.known
        alive = [trial for trial in known[-self.population :] if trial.usable]
        if len(known) < self.initial or not alive:
            return self.proposal(self.draw_new(rng))
        for _ in range(ATTEMPTS):
            parent = self._winner(alive, rng)
            child = self.space.mutate(parent.genotype, rng)
            if self.is_new(child):
                return self.proposal(child, parent)
        return self.proposal(self.draw_new(rng))

    def _winner(self, alive: list[Trial], rng: np.random.Generator) -> Trial:
        met = rng.choice(len(alive), size=min(self.sample, len(alive)), replace=False)
        return min((alive[place] for place in met), key=rank_key)
