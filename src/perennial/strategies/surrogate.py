"""Model-based search with a tree ensemble (SMAC: Hutter, Hoos & Leyton-Brown 2011; extra-trees: Geurts et al.
2006).

The trees see encoded genotypes and predict the score and the logarithm of the cost. Where they disagree they
are unsure, and expected improvement (Jones, Schonlau & Welch 1998) weighs the promise of a candidate against
it.
"""

from __future__ import annotations

import math

import numpy as np

from perennial.errors import UsageError
from perennial.spaces.base import Genotype
from perennial.strategies.base import Strategy
from perennial.trial import Proposal, Trial

DRAWS = 48
LEADERS = 4
AROUND_LEADERS = 80
CHILDREN = 12
SMALLEST_SPREAD = 1e-6


class Surrogate(Strategy):
    """Proposes the candidate with the largest expected improvement per square root of its predicted cost.

    Candidates are draws, and neighbours, mutants and children of the best trials. A failure counts as the
    worst score seen, so regions that fail are left; what takes long counts less, but its square root only: a
    good answer is worth waiting for.

    Args:
        space, seed: as for every strategy.
        initial: trials before the model is asked; until then draws, after the space's default.
        trees: in the ensemble; more are steadier and slower.
        cost_exponent: 0 ignores the cost, 1 divides by it.

    Raises:
        UsageError: fewer than 2 initial trials or trees.
    """

    name = "surrogate"

    def __init__(
        self, space, seed: int = 0, initial: int = 8, trees: int = 24, cost_exponent: float = 0.5
    ) -> None:
        super().__init__(space, seed)
        if initial < 2 or trees < 2:
            raise UsageError(
                f"Expected at least 2 initial trials and 2 trees, received initial={initial}, trees={trees}.",
                why="The spread between trees is what tells the known from the unknown.",
            )
        self.initial, self.trees, self.cost_exponent = initial, trees, cost_exponent
        self._vectors: dict[Genotype, np.ndarray] = {}

    def propose(self, rng: np.random.Generator) -> Proposal | None:
        """The most promising of the candidates."""
        opening = self.opening()
        if opening is not None:
            return self.proposal(opening)
        known = self.known
        if len(known) < self.initial or not any(trial.usable for trial in known):
            return self.proposal(self.draw_new(rng))
        leaders = self.best(LEADERS)
        candidates = self._candidates(leaders, rng)
        if not candidates:
            return self.proposal(self.draw_new(rng))
        places, target, unit = self._observations()
        model = _Trees(places, target, self.trees, rng)
        mean, spread, log_cost = model.predict(
            np.array([self._place(genotype, 1.0) for genotype in candidates])
        )
        promise = _expected_improvement(mean, spread, float(leaders[0].score) / unit)
        value = np.log(promise + 1e-300) - self.cost_exponent * log_cost
        chosen = int(np.argmax(value))
        return self.proposal(candidates[chosen], *leaders[:1])

    def _candidates(self, leaders: list[Trial], rng: np.random.Generator) -> list[Genotype]:
        """New genotypes to choose from, each once; neighbours are thinned out evenly where there are many."""
        space = self.space
        around = [each for leader in leaders for each in space.neighbours(leader.genotype)]
        if len(around) > AROUND_LEADERS:
            around = [around[place] for place in rng.choice(len(around), AROUND_LEADERS, replace=False)]
        found = [space.sample(rng) for _ in range(DRAWS)] + around
        for _ in range(CHILDREN):
            first, second = rng.integers(len(leaders), size=2)
            child = space.crossover(leaders[first].genotype, leaders[second].genotype, rng)
            found += [space.mutate(child, rng), space.mutate(space.mutate(child, rng), rng)]
        return [genotype for genotype in dict.fromkeys(found) if self.is_new(genotype)]

    def _observations(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Places (n, length), targets (n, 2) and the unit of the scores.

        Targets are the score in that unit, with a floor under terrible ones so that they do not flatten the
        rest, and the log cost. What is being tried counts as middling.
        """
        known = self.trials
        scores = np.array([trial.score if trial.usable else np.nan for trial in known], dtype=np.float64)
        unit = float(np.nanmax(np.abs(scores))) or 1.0
        scores /= unit
        usable = scores[np.isfinite(scores)]
        middle, top = float(np.median(usable)), float(usable.max())
        floor = middle - 2.0 * (top - middle) - SMALLEST_SPREAD
        scores = np.maximum(np.where(np.isfinite(scores), scores, max(floor, float(usable.min()))), floor)
        costs = np.array(
            [math.log(trial.cost) if trial.cost and trial.cost > 0 else np.nan for trial in known]
        )
        costs = np.where(np.isfinite(costs), costs, np.nanmedian(costs) if np.isfinite(costs).any() else 0.0)
        places = [self._place(trial.genotype, trial.fidelity) for trial in known]
        liars = self.expected
        places += [self._place(proposal.genotype, 1.0) for proposal in liars]
        scores = np.append(scores, np.full(len(liars), middle))
        costs = np.append(costs, np.full(len(liars), float(np.median(costs))))
        return np.array(places), np.column_stack([scores, costs]), unit

    def _place(self, genotype: Genotype, fidelity: float) -> np.ndarray:
        if genotype not in self._vectors:
            self._vectors[genotype] = self.space.encode(genotype)
        return np.append(self._vectors[genotype], 1.0 + math.log(fidelity) / 5.0)


class _Trees:
    """Extremely randomised trees for score and log cost together."""

    def __init__(self, places: np.ndarray, target: np.ndarray, trees: int, rng: np.random.Generator) -> None:
        from sklearn.tree import ExtraTreeRegressor

        self._scale = np.maximum(target.std(axis=0), SMALLEST_SPREAD)
        self._middle = target.mean(axis=0)
        scaled = (target - self._middle) / self._scale
        places = places.astype(np.float32)
        seeds = rng.integers(2**31 - 1, size=trees)
        self._trees = [
            ExtraTreeRegressor(min_samples_leaf=1, max_features=0.7, random_state=int(seed)).fit(
                places, scaled, check_input=False
            )
            for seed in seeds
        ]

    def predict(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean and standard deviation of the score and the mean log cost, each (n,)."""
        places = places.astype(np.float32)
        answers = np.stack([tree.predict(places, check_input=False) for tree in self._trees])
        mean, spread = answers.mean(axis=0), answers[:, :, 0].std(axis=0)
        return (
            mean[:, 0] * self._scale[0] + self._middle[0],
            np.maximum(spread * self._scale[0], SMALLEST_SPREAD),
            mean[:, 1] * self._scale[1] + self._middle[1],
        )


def _expected_improvement(mean: np.ndarray, spread: np.ndarray, bar: float) -> np.ndarray:
    """E[max(score - bar, 0)] of a normal score: spread · (z Φ(z) + φ(z)) with z = (mean - bar) / spread."""
    from scipy.special import ndtr

    z = (mean - bar) / spread
    return spread * (z * ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))
