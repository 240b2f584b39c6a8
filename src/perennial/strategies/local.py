"""Local search (White, Nolen & Savani 2021 for architectures): first improvement, with restarts.

Simple, without a model, and for small spaces as good as anything; noise in the scores can trap it, hence the
restarts.
"""

from __future__ import annotations

import numpy as np

from perennial.strategies.base import Strategy
from perennial.trial import Proposal, Trial

KICKS = 3


class LocalSearch(Strategy):
    """Tries the neighbours of the best point of the current climb in random order and moves as soon as one is
    better.

    When no neighbour is left it starts a new climb: by turns a few mutations away from the best of all, or
    anywhere.
    """

    name = "local"

    def __init__(self, space, seed: int = 0) -> None:
        super().__init__(space, seed)
        self._incumbent: Trial | None = None
        self._record: Trial | None = None
        self._climbs = 0

    def learn(self, trial: Trial) -> None:
        """Moves the climb when the trial is better, starts one, or joins a better one found by others."""
        if trial.origin == self.name and not trial.parents:
            self._climbs += 1
        if not trial.usable:
            return
        starts = self._incumbent is None or (trial.origin == self.name and not trial.parents)
        leads = self.beats(trial, self._record)
        follows = (
            self._incumbent is not None
            and self._incumbent.number in trial.parents
            and self.beats(trial, self._incumbent)
        )
        if leads:
            self._record = trial
        if starts or leads or follows:
            self._incumbent = trial

    def propose(self, rng: np.random.Generator) -> Proposal | None:
        """A neighbour of the climb's best point, or the start of the next climb."""
        if self._incumbent is None:
            return self.proposal(self.opening() or self.draw_new(rng))
        around = [each for each in self.space.neighbours(self._incumbent.genotype) if self.is_new(each)]
        if around:
            return self.proposal(around[int(rng.integers(len(around)))], self._incumbent)
        return self.proposal(self._restart(rng) or self.draw_new(rng))

    def _restart(self, rng: np.random.Generator):
        if self._climbs % 2 or self._record is None:
            return None
        genotype = self._record.genotype
        for _ in range(KICKS):
            genotype = self.space.mutate(genotype, rng)
        return self.first_new([genotype])
