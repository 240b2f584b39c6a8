"""Regularized evolution (Real, Aggarwal, Huang & Le 2019): tournament, mutation, and death by age.

The population is the last `population` trials; a parent must be re-found to stay, so a lucky score dies out.
Where the space says what grows, a child starts with its parent's weights, and some children only grow, so that they
begin with their parent's function (Elsken, Metzen & Hutter 2018).
"""

from __future__ import annotations

import numpy as np

from perennial.errors import UsageError
from perennial.spaces.base import Genotype
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
        growth: share of the children that only grow, 0 to 1, where the space says what grows.
        inherit: whether children start with their parent's weights there; `False` trains each from nothing.

    Raises:
        UsageError: the sizes do not fit together.
    """

    name = "evolution"

    def __init__(
        self,
        space,
        seed: int = 0,
        population: int = 20,
        sample: int = 8,
        initial: int = 8,
        growth: float = 0.5,
        inherit: bool = True,
    ) -> None:
        super().__init__(space, seed)
        if not 1 <= sample <= population or initial < 1 or not 0.0 <= growth <= 1.0:
            raise UsageError(
                f"Expected 1 <= sample <= population, initial >= 1 and growth from 0 to 1, received sample={sample}, "
                f"population={population}, initial={initial}, growth={growth}.",
                todo="For instance population=20, sample=8, initial=8, growth=0.5.",
            )
        self.population, self.sample, self.initial = population, sample, initial
        self.growth, self.inherit = growth, inherit and bool(space.growing)

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
            child = self._child(parent, rng)
            if self.is_new(child):
                return self.proposal(child, parent, weights_from="parent" if self.inherit else None)
        return self.proposal(self.draw_new(rng))

    def _child(self, parent: Trial, rng: np.random.Generator) -> Genotype:
        """Grown or mutated; where nothing grows the draws are those of mutation alone."""
        if self.space.growing and rng.random() < self.growth:
            grown = [child for child in self.space.morphs(parent.genotype) if self.is_new(child)]
            if grown:
                return grown[int(rng.integers(len(grown)))]
        return self.space.mutate(parent.genotype, rng)

    def _winner(self, alive: list[Trial], rng: np.random.Generator) -> Trial:
        met = rng.choice(len(alive), size=min(self.sample, len(alive)), replace=False)
        return min((alive[place] for place in met), key=rank_key)
