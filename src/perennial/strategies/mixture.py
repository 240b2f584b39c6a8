"""A bandit over strategies (Thompson sampling, Thompson 1933; as a portfolio: Hoffman, Brochu & de Freitas
2011).

No single strategy wins on every space, and which one does is not known before. Each member proposes; who
earned more is asked more often; every member hears every trial, so they climb on each other's shoulders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perennial.errors import UsageError
from perennial.strategies.base import Strategy
from perennial.trial import Proposal, Trial

MEMBERS = ("surrogate", "evolution", "local", "random")
GOOD_SHARE = 0.2
MEMORY = 0.97
EXPLORE = 0.08


class Mixture(Strategy):
    """Shares the trials among its members by what they earned; the default strategy.

    A member earns one when its trial is among the best fifth of all trials so far. What it earned fades, so a
    member that is good late gets its turn. With a small chance anyone is asked, so nobody is shut out for
    good.

    Args:
        space, seed: as for every strategy.
        members: short names, or functions of `(space, seed)`.

    Raises:
        UsageError: no members, or two of one name.
    """

    name = "mixture"

    def __init__(self, space, seed: int = 0, members: Sequence[str | Callable[..., Any]] = MEMBERS) -> None:
        from perennial.strategies import resolve

        super().__init__(space, seed)
        made = [resolve(member, space, seed + 1 + number) for number, member in enumerate(members)]
        self._members = {member.name: member for member in made}
        if not made or len(self._members) < len(made):
            raise UsageError(
                f"A mixture needs members of different names, received {[member.name for member in made]}.",
                todo=f"The default is {', '.join(MEMBERS)}.",
            )
        self._earned = {name: [0.0, 0.0] for name in self._members}

    @property
    def shares(self) -> dict[str, float]:
        """The earnings of each member, as a rate between 0 and 1: what the bandit believes."""
        return {name: (1.0 + good) / (2.0 + good + bad) for name, (good, bad) in self._earned.items()}

    def propose(self, rng: np.random.Generator) -> Proposal | None:
        """What the member whose turn it is proposes; the next in line when it has nothing."""
        for name in self._order(rng):
            proposals = self._members[name].ask(1)
            if proposals:
                return proposals[0]
        return None

    def expect(self, proposal: Proposal) -> None:
        """Lets every member know, so that none proposes the same."""
        super().expect(proposal)
        for member in self._members.values():
            member.expect(proposal)

    def learn(self, trial: Trial) -> None:
        """Pays the member that proposed it, and tells all."""
        for earned in self._earned.values():
            earned[0], earned[1] = earned[0] * MEMORY, earned[1] * MEMORY
        if trial.origin in self._earned:
            self._earned[trial.origin][0 if self._is_good(trial) else 1] += 1.0
        for member in self._members.values():
            member.tell(trial)

    def _order(self, rng: np.random.Generator) -> list[str]:
        """Members by a draw from what is believed of each; now and then in any order."""
        names = list(self._members)
        if rng.random() < EXPLORE:
            return [names[place] for place in rng.permutation(len(names))]
        drawn = {name: rng.beta(1.0 + good, 1.0 + bad) for name, (good, bad) in self._earned.items()}
        return sorted(names, key=lambda name: -drawn[name])

    def _is_good(self, trial: Trial) -> bool:
        if not trial.usable:
            return False
        before = [other for other in self.trials if other is not trial and other.usable]
        alike = [other.score for other in before if other.fidelity == trial.fidelity]
        better = sum(score >= trial.score for score in alike)
        return better <= GOOD_SHARE * len(alike)
