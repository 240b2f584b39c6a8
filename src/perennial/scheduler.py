"""Schedulers: how long each candidate is tried. They wrap a strategy and set the fidelity of what it
proposes.

Asynchronous successive halving (ASHA: Li, Jamieson, Rostamizadeh et al. 2020) promotes a candidate as soon as
it is among the best of its rung, so no worker ever waits for a rung to fill; Hyperband (Li, Jamieson, DeSalvo
et al. 2017) starts some candidates higher up, in case a short trial tells little. Like strategies, schedulers
are the replay of their trials: what is on which rung is read off the fidelities that were told.
"""

from __future__ import annotations

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from perennial.errors import UsageError
from perennial.spaces.base import Genotype
from perennial.strategies.base import Strategy
from perennial.trial import Proposal, Trial, rank_key

MOST_RUNGS = 12


class Scheduler(ABC):
    """Asks a strategy and decides how much of a full evaluation each proposal gets.

    Promises: those of a strategy (replay, no genotype twice at the same fidelity, failures are observations),
    and when the strategy has nothing new, somebody has been tried in full.

    Args:
        strategy: decides what is tried; it hears every trial, of whatever fidelity.
    """

    name: str = ""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    @abstractmethod
    def ask(self, n: int = 1) -> list[Proposal]:
        """Up to `n` proposals with their fidelities."""

    def tell(self, trial: Trial) -> None:
        """Takes in what came of a candidate."""
        self.strategy.tell(trial)


class Full(Scheduler):
    """Everything is tried in full: right when a trial is cheap, or when a short one tells nothing."""

    name = "full"

    def ask(self, n: int = 1) -> list[Proposal]:
        """What the strategy proposes."""
        return self.strategy.ask(n)


class SuccessiveHalving(Scheduler):
    """Tries everything briefly and gives `factor` times as much to the best of every `factor`.

    Args:
        strategy: decides what is tried.
        minimum: fidelity of the first rung, above 0 and up to 1; the last rung is 1.
        factor: ratio between rungs, at least 2; one of so many is promoted.

    Raises:
        UsageError: a number is out of its range.
    """

    name = "halving"

    def __init__(self, strategy: Strategy, minimum: float = 1 / 9, factor: int = 3) -> None:
        super().__init__(strategy)
        self._ladder = _Ladder(minimum, factor)

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Of the rungs, lowest first."""
        return self._ladder.fidelities

    def ask(self, n: int = 1) -> list[Proposal]:
        """Promotions first; new candidates start on the lowest rung."""
        return _fill(
            n, lambda: self._ladder.promotion() or self._ladder.start(self.strategy, 0) or self._ladder.last()
        )

    def tell(self, trial: Trial) -> None:
        """Puts the trial on its rung and passes it on."""
        self._ladder.tell(trial)
        super().tell(trial)


class Hyperband(Scheduler):
    """Successive halving from every rung at once, with as many starts on each as gives all about the same
    cost.

    Safer than `SuccessiveHalving` when nobody knows how much a short trial tells; slower when it tells a lot.

    Args:
        strategy, minimum, factor: as for `SuccessiveHalving`.
    """

    name = "hyperband"

    def __init__(self, strategy: Strategy, minimum: float = 1 / 9, factor: int = 3) -> None:
        super().__init__(strategy)
        self._ladder = _Ladder(minimum, factor)

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Of the rungs, lowest first."""
        return self._ladder.fidelities

    def ask(self, n: int = 1) -> list[Proposal]:
        """Promotions first; a new candidate starts on the rung that is furthest behind its share."""
        return _fill(n, self._one)

    def tell(self, trial: Trial) -> None:
        """Puts the trial on its rung and passes it on."""
        self._ladder.tell(trial)
        super().tell(trial)

    def _one(self) -> Proposal | None:
        promoted = self._ladder.promotion()
        if promoted is not None:
            return promoted
        rungs = range(len(self.fidelities))
        top = len(rungs) - 1
        shares = [self._ladder.factor ** (top - rung) * (top + 1) / (top - rung + 1) for rung in rungs]
        started = self._ladder.starts()
        behind = min(rungs, key=lambda rung: (started[rung] + 1) / shares[rung])
        return self._ladder.start(self.strategy, behind) or self._ladder.last()


class _Ladder:
    """Who stands on which rung: told trials, and what is being tried."""

    def __init__(self, minimum: float, factor: int) -> None:
        if not 0.0 < minimum <= 1.0 or factor < 2:
            raise UsageError(
                "Expected a minimum above 0 and up to 1 and a factor of at least 2, "
                f"received minimum={minimum!r}, factor={factor!r}.",
                todo="For instance minimum=1/9, factor=3: rungs 1/9, 1/3 and 1.",
            )
        self.factor = factor
        rungs = min(MOST_RUNGS, 1 + max(0, round(math.log(1.0 / minimum) / math.log(factor))))
        self.fidelities = tuple(float(factor) ** (rung - rungs + 1) for rung in range(rungs))
        self._told: list[dict[Genotype, Trial]] = [{} for _ in range(rungs)]
        self._expected: dict[tuple[Genotype, int], Proposal] = {}
        self._start: dict[Genotype, int] = {}

    def tell(self, trial: Trial) -> None:
        """A trial belongs to the rung of the nearest fidelity, whoever proposed it."""
        if trial.genotype is None:
            return
        rung = self._rung(trial.fidelity)
        self._expected.pop((trial.genotype, rung), None)
        self._told[rung][trial.genotype] = trial
        self._start.setdefault(trial.genotype, rung)

    def start(self, strategy: Strategy, rung: int) -> Proposal | None:
        """A new candidate on this rung."""
        proposals = strategy.ask(1)
        return (
            self._expect(replace(proposals[0], fidelity=self.fidelities[rung]), rung) if proposals else None
        )

    def promotion(self) -> Proposal | None:
        """The best of the highest rung that has earned one, if any."""
        for rung in reversed(range(len(self.fidelities) - 1)):
            ranked = sorted(self._told[rung].values(), key=rank_key)
            for trial in ranked[: len(ranked) // self.factor]:
                if trial.usable and not self._climbed(trial.genotype, rung):
                    return self._promote(trial, rung)
        return None

    def last(self) -> Proposal | None:
        """When nothing is new and nothing runs, the best of the highest rung reached climbs on to the top."""
        if self._expected or any(trial.usable for trial in self._told[-1].values()):
            return None
        for rung in reversed(range(len(self.fidelities) - 1)):
            for trial in sorted(self._told[rung].values(), key=rank_key):
                if trial.usable and not self._climbed(trial.genotype, rung):
                    return self._promote(trial, rung)
        return None

    def starts(self) -> list[int]:
        """How many candidates started on each rung, those being tried included."""
        running = {genotype: rung for genotype, rung in self._expected if genotype not in self._start}
        first = [*self._start.values(), *running.values()]
        return [first.count(rung) for rung in range(len(self.fidelities))]

    def _climbed(self, genotype: Genotype, rung: int) -> bool:
        above = range(rung + 1, len(self.fidelities))
        return any(genotype in self._told[higher] or (genotype, higher) in self._expected for higher in above)

    def _promote(self, trial: Trial, rung: int) -> Proposal:
        proposal = Proposal(
            trial.genotype, self.fidelities[rung + 1], parents=(trial.number,), origin="promotion"
        )
        return self._expect(proposal, rung + 1)

    def _expect(self, proposal: Proposal, rung: int) -> Proposal:
        self._expected[proposal.genotype, rung] = proposal
        return proposal

    def _rung(self, fidelity: float) -> int:
        distances = [abs(math.log(fidelity / other)) for other in self.fidelities]
        return distances.index(min(distances))


SCHEDULERS = {each.name: each for each in (Full, SuccessiveHalving, Hyperband)}


def resolve(scheduler: str | Scheduler | Callable[[Strategy], Scheduler], strategy: Strategy) -> Scheduler:
    """The scheduler for a short name, for a function of a strategy, or the object itself.

    Args:
        scheduler: `full`, `halving`, `hyperband`, or for instance `partial(SuccessiveHalving, minimum=1/27)`.
        strategy: what it wraps; of no use to a scheduler that was made already.

    Raises:
        UsageError: no scheduler has that name.

    >>> from perennial import strategies
    >>> from perennial.spaces.base import Space, one_of
    >>> resolve("halving", strategies.resolve("random", Space(one_of("width", [32, 64])))).fidelities[-1]
    1.0
    """
    if isinstance(scheduler, Scheduler):
        return scheduler
    if callable(scheduler):
        return scheduler(strategy)
    if scheduler in SCHEDULERS:
        return SCHEDULERS[scheduler](strategy)
    close = difflib.get_close_matches(str(scheduler), SCHEDULERS, 1)
    raise UsageError(
        f"No scheduler is called {scheduler!r}; there are {', '.join(SCHEDULERS)}.",
        todo=f"Did you mean {close[0]!r}?"
        if close
        else "Choose one of these, or give a function of a strategy.",
    )


def _fill(n: int, one: Callable[[], Proposal | None]) -> list[Proposal]:
    proposals: list[Proposal] = []
    while len(proposals) < n and (proposal := one()) is not None:
        proposals.append(proposal)
    return proposals
