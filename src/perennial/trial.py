"""What was proposed and what came of it: the two records that strategies, schedulers and the journal share.

A `Proposal` is a wish: a genotype, how much to spend on it and where its weights start. A `Trial` is the
frozen record of one that was carried out, well or badly. Both are values; a strategy's state is the replay of
its trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from perennial.errors import UsageError
from perennial.spaces.base import Genotype

STATUSES = ("scored", "failed", "diverged", "over_budget", "out_of_memory", "rejected")


@dataclass(frozen=True)
class Proposal:
    """A candidate that somebody wants to have tried.

    Args:
        genotype: every decision of the space on the chosen path.
        fidelity: share of a full evaluation to spend, above 0, up to 1.
        parents: numbers of the trials it was made from; empty for a fresh start.
        weights_from: where weights start: `None` (fresh), `"parent"`, `"shared"`, or the name of a module.
        origin: who proposed it, in a word; the mixture gives credit by it.

    Raises:
        UsageError: the fidelity is outside its range.

    >>> Proposal(Genotype({"depth": 3})).fidelity
    1.0
    """

    genotype: Genotype
    fidelity: float = 1.0
    parents: tuple[int, ...] = ()
    weights_from: str | None = None
    origin: str = "random"

    def __post_init__(self) -> None:
        _check_fidelity(self.fidelity)


@dataclass(frozen=True)
class Trial:
    """The record of one candidate that was tried.

    Args:
        number: its place in the journal, from 0.
        genotype: the decisions; `None` for a program that came from no space (a baseline).
        program_hash: of the closed program, sha256 in hex.
        status: one of `scored failed diverged over_budget out_of_memory rejected`.
        score: always larger is better; `None` when there is none.
        scores: the same, fold by fold.
        fidelity: share of a full evaluation that was spent, above 0, up to 1.
        seconds: it took, by the clock.
        seed: of its training.
        origin, parents: as in its `Proposal`.
        curve: what the fitters noted as they went: `{"step", "train", "validation"}`.
        train_score: on rows it learnt from, larger is better.
        cost: what strategies may reckon with: seconds as a rule, or 1.0 for every trial where the result must
            not depend on the machine's speed. `None` when unknown.
        error: what went wrong, in one sentence.
        stage: the step of the workflow that wanted it.

    Raises:
        UsageError: an unknown status or a fidelity outside its range.

    >>> trial = Trial(0, Genotype({"depth": 3}), "ab12", "scored", score=0.9)
    >>> Trial.from_json(trial.to_json()) == trial
    True
    """

    number: int
    genotype: Genotype | None
    program_hash: str
    status: str
    score: float | None = None
    scores: tuple[float | None, ...] = ()
    fidelity: float = 1.0
    seconds: float = 0.0
    seed: int = 0
    origin: str = "random"
    parents: tuple[int, ...] = ()
    curve: tuple[dict[str, Any], ...] = field(default=(), hash=False)
    train_score: float | None = None
    cost: float | None = None
    error: str | None = None
    stage: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise UsageError(
                f"A trial's status is one of {', '.join(STATUSES)}; received {self.status!r}.",
                where=f"trial {self.number}",
                todo="A candidate that broke for a reason of its own is `failed`.",
            )
        _check_fidelity(self.fidelity)

    @property
    def usable(self) -> bool:
        """Whether it has a finite score that others can be compared with."""
        return self.status == "scored" and self.score is not None and math.isfinite(self.score)

    def to_json(self) -> dict[str, Any]:
        """A flat dictionary for the journal; NaN and infinity, which JSON lacks, become `None`."""
        data = {
            each.name: _plain(getattr(self, each.name)) for each in fields(self) if each.name != "genotype"
        }
        return {"genotype": None if self.genotype is None else self.genotype.to_json(), **data}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Trial:
        """The inverse of `to_json`; keys that this version does not know are left out."""
        known = {each.name for each in fields(Trial)}
        values = {name: value for name, value in data.items() if name in known}
        for name in ("scores", "parents", "curve"):
            values[name] = tuple(values.get(name, ()))
        if values["genotype"] is not None:
            values["genotype"] = Genotype.from_json(values["genotype"])
        return Trial(**values)


def rank_key(trial: Trial) -> tuple[int, int, float, int]:
    """A key that sorts trials best first, whatever their scores hold.

    Trials with a finite score come before those without; among them a full evaluation comes before a partial
    one (a score on a share of the rows proves less); then the larger score; then the earlier trial.

    >>> numbers = enumerate([0.5, float("nan"), 0.7, None])
    >>> [t.number for t in sorted((Trial(n, None, "", "scored", s) for n, s in numbers), key=rank_key)]
    [2, 0, 1, 3]
    """
    if not trial.usable:
        return 1, 0, 0.0, trial.number
    return 0, int(trial.fidelity < 1.0), -float(trial.score), trial.number


def _check_fidelity(fidelity: float) -> None:
    if not 0.0 < fidelity <= 1.0:
        raise UsageError(
            f"Fidelity is a share of a full evaluation, above 0 and up to 1; received {fidelity!r}.",
            todo="Use 1.0 for a full evaluation.",
        )


def _plain(value: Any) -> Any:
    """The value in terms of JSON."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | bool):
        return value
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
