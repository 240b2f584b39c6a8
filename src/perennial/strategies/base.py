"""What every strategy is: it decides which genotype to try next, from the trials it was told.

An author of a new strategy writes `propose`, and `learn` when she keeps a summary of the trials. The rest is
here: nothing is proposed twice, every draw has a seed of its own, and the state is the replay of the trials.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np

from perennial.spaces.base import Genotype, Space
from perennial.trial import Proposal, Trial, rank_key

ATTEMPTS = 64
LARGEST_LISTED = 20_000


class Strategy(ABC):
    """Asks for trials and is told what came of them. It never sees data, weights or layers.

    Promises of every member, held by `perennial.testing.strategies`:

    - a fresh one with the same seed, told the same trials in the same order, proposes the same next: state is
      replay. What was in flight when a study was killed is forgotten and may be proposed again;
    - `ask(2)` gives what `ask(1)` twice gives;
    - every proposal belongs to the space, and no genotype that was told or is being tried is proposed again;
    - failed trials and scores of NaN are observations, not accidents;
    - trials that it did not propose, from openers or other members, are welcome;
    - `ask` may return fewer than wanted, and nothing when the space is exhausted; it stays within 50 ms at
      300 trials.

    Args:
        space: the program with open choices.
        seed: of every draw.

    Attributes:
        name: the short name; the `origin` of its proposals.
        trials: what it was told, in order.
    """

    name: str = ""

    def __init__(self, space: Space, seed: int = 0) -> None:
        self.space, self.seed = space, seed
        self.trials: list[Trial] = []
        self._latest: dict[Genotype, Trial] = {}
        self._expected: dict[Genotype, Proposal] = {}
        self._scores: dict[Genotype, dict[float, float]] = {}
        self._listed: list[Genotype] | None = None

    @abstractmethod
    def propose(self, rng: np.random.Generator) -> Proposal | None:
        """One proposal that `is_new`, or `None` when there is nothing to try now.

        Args:
            rng: for the draws of this proposal only; keep nothing of it.
        """

    def learn(self, trial: Trial) -> None:
        """Called after each trial that was told; for members that keep a summary. Must not draw."""

    def ask(self, n: int = 1) -> list[Proposal]:
        """Up to `n` proposals, all new and different; none when the space is exhausted."""
        proposals: list[Proposal] = []
        while len(proposals) < n:
            rng = np.random.default_rng([self.seed, len(self.trials), len(self._expected)])
            proposal = self.propose(rng)
            if proposal is None:
                break
            self.expect(proposal)
            proposals.append(proposal)
        return proposals

    def expect(self, proposal: Proposal) -> None:
        """Takes note that this is being tried, by whomever it was proposed."""
        self._expected[proposal.genotype] = proposal

    def tell(self, trial: Trial) -> None:
        """Takes in what came of a candidate; a trial without a genotype (a baseline) is passed over."""
        if trial.genotype is None:
            return
        self._expected.pop(trial.genotype, None)
        self.trials.append(trial)
        before = self._latest.get(trial.genotype)
        if before is None or trial.fidelity >= before.fidelity:
            self._latest[trial.genotype] = trial
        if trial.usable:
            self._scores.setdefault(trial.genotype, {})[trial.fidelity] = float(trial.score)
        self.learn(trial)

    # -- what members read -----------------------------------------------------------------------------------

    def is_new(self, genotype: Genotype) -> bool:
        """Whether it was neither told nor is being tried."""
        return genotype not in self._latest and genotype not in self._expected

    @property
    def known(self) -> list[Trial]:
        """One trial for each genotype, the one of highest fidelity, in the order of first telling."""
        return list(self._latest.values())

    @property
    def expected(self) -> list[Proposal]:
        """What is being tried."""
        return list(self._expected.values())

    def best(self, count: int) -> list[Trial]:
        """The best usable trials so far, best first, one for each genotype."""
        return sorted((trial for trial in self._latest.values() if trial.usable), key=rank_key)[:count]

    def beats(self, trial: Trial, other: Trial | None) -> bool:
        """Whether a usable trial is better than another, at the highest fidelity that both share, if any."""
        if other is None:
            return True
        mine, theirs = self._scores[trial.genotype], self._scores[other.genotype]
        shared = mine.keys() & theirs.keys()
        return mine[max(shared)] > theirs[max(shared)] if shared else trial.score > other.score

    def first_new(self, candidates: Iterable[Genotype]) -> Genotype | None:
        """The first of the candidates that is new."""
        return next((genotype for genotype in candidates if self.is_new(genotype)), None)

    def draw_new(self, rng: np.random.Generator) -> Genotype | None:
        """A new genotype at random, or `None` when the space has no more (or only very rare ones)."""
        found = self.first_new(self.space.sample(rng) for _ in range(ATTEMPTS))
        if found is not None or self.space.size > LARGEST_LISTED:
            return found
        if self._listed is None:
            self._listed = list(self.space.genotypes())
        left = [genotype for genotype in self._listed if self.is_new(genotype)]
        return left[int(rng.integers(len(left)))] if left else None

    def opening(self) -> Genotype | None:
        """The space's own default while it is new: the first thing that a clever member tries."""
        return self.first_new([self.space.default()])

    def proposal(
        self, genotype: Genotype | None, *parents: Trial, weights_from: str | None = None
    ) -> Proposal | None:
        """The genotype as a proposal of this member; `None` stays `None`."""
        if genotype is None:
            return None
        numbers = tuple(parent.number for parent in parents)
        return Proposal(genotype, parents=numbers, weights_from=weights_from, origin=self.name)
