"""The contract of strategies and schedulers, and three known spaces to try them on.

A plug-in author calls `check_strategy(make)` in one test, where `make(space, seed)` gives a fresh strategy
(or a scheduler around one). The known spaces have a score that is a formula, so a thousand trials cost
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from typing import Protocol as Interface

import numpy as np

from perennial.lang.ops import primitive
from perennial.lang.program import call
from perennial.spaces.base import Genotype, Space, integer, one_of, optional, real, repeat
from perennial.trial import Proposal, Trial

__all__ = [
    "KnownSpace",
    "best_so_far",
    "cell_space",
    "check_exhausts",
    "check_is_deterministic",
    "check_never_repeats",
    "check_replays",
    "check_strategy",
    "check_takes_failures",
    "check_takes_strangers",
    "known_spaces",
    "mixed_space",
    "outcome",
    "quadratic_space",
    "run",
]


class Asker(Interface):
    """A strategy, or a scheduler around one."""

    def ask(self, n: int) -> list[Proposal]: ...

    def tell(self, trial: Trial) -> None: ...


Make = Callable[[Space, int], Asker]


@primitive
def together(*values: "a") -> "List[a]":
    """The values as one list."""
    return list(values)


@primitive
def nudged(value: "List[a]", *, by: float = 0.0) -> "List[a]":
    """The same list: a step that only carries a decision."""
    return value


@dataclass(frozen=True)
class KnownSpace:
    """A space whose scores are a formula.

    Args:
        name: for messages.
        space: to be searched.
        score: genotype → score, larger is better, at most 0.
        cost: genotype → seconds that a trial would take.
    """

    name: str
    space: Space
    score: Callable[[Genotype], float]
    cost: Callable[[Genotype], float] = lambda genotype: 1.0


def quadratic_space() -> KnownSpace:
    """Six reals and a bowl; the default is off the middle of it.

    >>> known = quadratic_space()
    >>> known.score(known.space.repair({f"x{n}": 0.15 * n + 0.1 for n in range(6)})) > -1e-9
    True
    """
    names = [f"x{number}" for number in range(6)]
    space = Space(call(together, *(real(name, 0.0, 1.0) for name in names)))

    def score(genotype: Genotype) -> float:
        return -sum((genotype[name] - 0.15 * number - 0.1) ** 2 for number, name in enumerate(names))

    return KnownSpace("quadratic", space, score)


def mixed_space() -> KnownSpace:
    """Like a table's space: a choice of learner, each with settings of its own, and preparation shared by
    all.

    The third learner is the best, but only when well set; the first is good from the start.
    """
    linear = call(together, real("strength", 1e-4, 1e4, log=True))
    neighbours = call(together, integer("neighbours", 1, 100, log=True), one_of("distance", [1.0, 2.0]))
    settings = (
        real("rate", 1e-3, 1.0, log=True),
        integer("leaves", 2, 256, log=True),
        real("share", 0.2, 1.0),
    )
    trees = call(repeat(nudged_body(), "stages", 1, 3), call(together, *settings))
    space = Space(call(optional("scaled", nudged), one_of("learner", [linear, neighbours, trees])))

    def score(genotype: Genotype) -> float:
        scaled = genotype["scaled"]
        if genotype["learner"] == 0:
            return -0.35 - 0.02 * abs(math.log10(genotype["strength"]) - 1.0) - 0.05 * (not scaled)
        if genotype["learner"] == 1:
            return -0.45 - 0.05 * abs(math.log(genotype["neighbours"] / 12)) - 0.1 * (not scaled)
        steps = [genotype[f"by/{number}"] for number in range(genotype["stages"])]
        return (
            -0.15 * abs(math.log10(genotype["rate"]) + 1.2)
            - 0.08 * abs(math.log2(genotype["leaves"]) - 5.0)
            - 0.3 * (genotype["share"] - 0.7) ** 2
            - 0.1 * sum((step - 0.3) ** 2 for step in steps) / len(steps)
            - 0.05 * abs(len(steps) - 2)
            - 0.03 * scaled
        )

    return KnownSpace("mixed", space, score, lambda genotype: 0.1 + genotype["learner"])


def nudged_body() -> Any:
    """A step a → a with one open number, for `repeat`."""
    from perennial.lang.program import Lambda, Var

    return Lambda(("x",), call(nudged, Var("x"), by=real("by", 0.0, 1.0)))


def cell_space() -> KnownSpace:
    """Like a cell of a neural architecture: seven places, five operations each; neighbours in place interact.

    Finite (78 125 genotypes) and rugged; the table of effects is drawn once from a fixed seed.
    """
    places, operations = 7, 5
    space = Space(call(together, *(one_of(f"place{p}", list("abcde")) for p in range(places))))
    rng = np.random.default_rng(2024)
    alone, pairs = (
        rng.normal(size=(places, operations)),
        0.7 * rng.normal(size=(places - 1, operations, operations)),
    )

    def score(genotype: Genotype) -> float:
        chosen = [genotype[f"place{p}"] for p in range(places)]
        value = sum(alone[p, each] for p, each in enumerate(chosen))
        return float(value + sum(pairs[p, chosen[p], chosen[p + 1]] for p in range(places - 1))) - 20.0

    return KnownSpace("cell", space, score)


def known_spaces() -> list[KnownSpace]:
    """The three of them."""
    return [quadratic_space(), mixed_space(), cell_space()]


# -- running -------------------------------------------------------------------------------------------------


def outcome(known: KnownSpace, proposal: Proposal, number: int, status: str = "scored") -> Trial:
    """The trial of a proposal: scored by the formula, a little worse at low fidelity, or failed."""
    scored = status == "scored"
    return Trial(
        number=number,
        genotype=proposal.genotype,
        program_hash=proposal.genotype.key,
        status=status,
        score=known.score(proposal.genotype) - 0.1 * (1.0 - proposal.fidelity) if scored else None,
        fidelity=proposal.fidelity,
        cost=known.cost(proposal.genotype) * proposal.fidelity,
        origin=proposal.origin,
        parents=proposal.parents,
        error=None if scored else "it broke",
    )


def run(
    asker: Asker, known: KnownSpace, trials: int, at_once: int = 1, status=lambda number: "scored"
) -> list[Trial]:
    """Asks, scores and tells; `at_once` trials are always in flight, as with so many workers."""
    told: list[Trial] = []
    waiting: list[Proposal] = []
    asked = 0
    while len(told) < trials:
        proposals = asker.ask(min(at_once - len(waiting), trials - asked))
        waiting += proposals
        asked += len(proposals)
        if not waiting:
            break
        trial = outcome(known, waiting.pop(0), len(told), status(len(told)))
        asker.tell(trial)
        told.append(trial)
    return told


def best_so_far(trials: Iterable[Trial]) -> np.ndarray:
    """The best score after each trial, shape (trials,)."""
    return np.maximum.accumulate([trial.score if trial.usable else -np.inf for trial in trials])


# -- the contract --------------------------------------------------------------------------------------------


def check_strategy(make: Make, trials: int = 24) -> None:
    """Every clause, on every known space.

    Args:
        make: gives a fresh strategy, or a scheduler around one, for a space and a seed.
        trials: for each run.

    Raises:
        AssertionError: with a sentence that names the clause.
    """
    for known in known_spaces():
        check_is_deterministic(make, known, trials)
        check_never_repeats(make, known, trials)
        check_replays(make, known, trials)
        check_takes_failures(make, known, trials)
        check_takes_strangers(make, known)
    check_exhausts(make)


def check_is_deterministic(make: Make, known: KnownSpace, trials: int = 24) -> None:
    """The same seed gives the same trials, another seed others; asking for two is asking twice for one."""
    first, second = (run(make(known.space, 3), known, trials) for _ in range(2))
    assert first == second, f"On {known.name}, two runs with one seed differ."
    other = run(make(known.space, 4), known, trials)
    assert [t.genotype for t in first] != [t.genotype for t in other], (
        f"On {known.name}, the seed changes nothing."
    )
    together_, apart = make(known.space, 5), make(known.space, 5)
    assert together_.ask(3) == [*apart.ask(1), *apart.ask(1), *apart.ask(1)], (
        f"On {known.name}, ask(3) differs from ask(1) three times."
    )


def check_never_repeats(make: Make, known: KnownSpace, trials: int = 24) -> None:
    """Proposals belong to the space, and none comes twice at one fidelity, with one worker or with four."""
    for at_once in (1, 4):
        told = run(make(known.space, 1), known, trials, at_once)
        assert len(told) == trials, f"On {known.name}, it stopped after {len(told)} of {trials} trials."
        for trial in told:
            assert trial.genotype in known.space, (
                f"On {known.name}, {trial.genotype} does not belong to the space."
            )
        pairs = [(trial.genotype, trial.fidelity) for trial in told]
        assert len(set(pairs)) == len(pairs), (
            f"On {known.name} with {at_once} at once, a proposal came twice."
        )


def check_replays(make: Make, known: KnownSpace, trials: int = 24) -> None:
    """Told the same trials in the same order, a fresh one proposes what the first one proposes.

    Trials that come back from a journal as JSON do the same. What was being tried when a study was killed is
    forgotten: from then on the study goes on as the replayed one.
    """
    living = make(known.space, 7)
    told: list[Trial] = []
    for number in range(trials):
        proposals = living.ask(1)
        if not proposals:
            break
        told.append(outcome(known, proposals[0], number, "failed" if number % 7 == 3 else "scored"))
        living.tell(told[-1])
        if number % 6 == 0 or number == trials - 1:
            replayed, also = (make(known.space, 7) for _ in range(2))
            for trial in told:
                replayed.tell(trial)
                also.tell(Trial.from_json(trial.to_json()))
            wanted = living.ask(2)
            assert replayed.ask(2) == wanted, (
                f"On {known.name}, replaying {len(told)} trials changes the next ones."
            )
            assert also.ask(2) == wanted, f"On {known.name}, trials read from a journal change the next ones."
            living = make(known.space, 7)  # as after a kill: the two proposals above never come back
            for trial in told:
                living.tell(trial)


def check_takes_failures(make: Make, known: KnownSpace, trials: int = 24) -> None:
    """It goes on when everything fails, and when scores are NaN, infinite or all the same."""
    for status in ("failed", "diverged", "over_budget", "out_of_memory", "rejected"):
        told = run(make(known.space, 2), known, trials // 2, status=lambda number, status=status: status)
        assert len(told) == trials // 2, f"On {known.name}, it stopped when every trial ended as {status}."
    for score in (math.nan, math.inf, -math.inf, 0.0, -1e300):
        asker = make(known.space, 2)
        for number in range(trials // 2):
            proposals = asker.ask(1)
            assert proposals, f"On {known.name}, it stopped when every score was {score}."
            trial = outcome(known, proposals[0], number)
            asker.tell(replace(trial, score=score if number % 3 else trial.score))


def check_takes_strangers(make: Make, known: KnownSpace) -> None:
    """It learns from trials that it did not propose, and does not propose them again."""
    asker, rng = make(known.space, 6), np.random.default_rng(0)
    strangers = [known.space.default(), *(known.space.sample(rng) for _ in range(9))]
    for number, genotype in enumerate(strangers):
        asker.tell(outcome(known, Proposal(genotype, origin="opener"), number))
    asker.tell(Trial(90, None, "baseline", "scored", -0.5, origin="baseline"))
    asker.tell(Trial(91, Genotype({"from an older space": 3}), "old", "scored", -0.9, origin="opener"))
    proposals = asker.ask(5)
    assert proposals, f"On {known.name}, it has nothing to propose after trials of others."
    assert not {proposal.genotype for proposal in proposals} & set(strangers), (
        f"On {known.name}, it proposes again what others tried."
    )
    assert all(proposal.genotype in known.space for proposal in proposals), (
        f"On {known.name}, trials of others lead it out of the space."
    )


def check_exhausts(make: Make) -> None:
    """In a small finite space it tries every genotype, at least one in full, and then has nothing to ask."""
    space = Space(call(together, one_of("a", [0, 1, 2]), optional("b", nudged), integer("c", 1, 3)))
    known = KnownSpace("small", space, lambda genotype: -float(genotype["a"] + genotype["c"]))
    for at_once in (1, 3):
        asker = make(space, 8)
        told = run(asker, known, 1000, at_once)
        tried = {trial.genotype for trial in told}
        assert len(tried) == space.size == 18, f"It stopped after {len(tried)} of {space.size} genotypes."
        assert asker.ask(1) == [], "The space is exhausted, and still it proposes something."
        assert any(trial.fidelity == 1.0 for trial in told), "Nothing was tried in full."
