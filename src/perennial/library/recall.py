"""What the library suggests for a task: recipes that did well on tasks like it, with the reason.

A task is described by a few figures that cost nothing (Brazdil, Giraud-Carrier, Soares & Vilalta 2009): rows, columns by
kind, classes, how unequal they are, what is missing. Tasks are near when these figures are; a task of the same data or of
the same types is nearest. Of the nearest tasks each gives its best recipe, then each its second (the portfolio of
auto-sklearn, Feurer et al. 2015, without its fixed collection: the user's own history is the collection).

The first two are always tried, and as many as gain something in a draw from what is believed of the first six (Thompson 1933): a
memory that does not help is asked less, and never not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from perennial.errors import DamagedFile, SpaceError
from perennial.library.description import learnt_of
from perennial.library.distances import Distances
from perennial.library.gains import Gains, Predicted, Tried
from perennial.library.library import Library
from perennial.library.records import LARGEST_NUMBER, SHORT, Evidence, Learnt, Record
from perennial.metrics import METRICS
from perennial.spaces import Genotype, Space
from perennial.spaces.tables import KNOWN
from perennial.task import Task

RECIPE = "recipe"
NEIGHBOURS = 8
MOST, FEWEST = 6, 2
FAMILIES = {
    "binary": "classes", "multiclass": "classes", "multilabel": "labels", "regression": "numbers",
    "multiregression": "numbers",
}  # fmt: skip


@dataclass(frozen=True)
class Suggestion:
    """A recipe from another task.

    Args:
        record: id.
        name: of the record.
        genotype: in the space of the task that asks.
        task: where it comes from.
        distance: of the tasks; 0 is the same data.
        reason: why it is suggested, in a sentence.
        gain: that is expected.
    """

    record: str
    name: str
    genotype: Genotype
    task: Learnt
    distance: float
    reason: str
    gain: Predicted | None = None


def suggest(library: Library, task: Task, space: Space, seed: int = 0) -> list[Suggestion]:
    """Recipes to try on a task, the most promising first, with what they are expected to gain.

    Args:
        library: with the history.
        task: that asks.
        space: of the task; recipes that it cannot express are left out.
        seed: of the draw that decides how many.
    """
    asked = learnt_of(task)
    known = [learnt for learnt in library.store.tasks() if _comparable(learnt, task)]
    if not known:
        return []
    near = sorted(_far(known, asked), key=lambda pair: (pair[0], pair[1].fingerprint))[:NEIGHBOURS]
    names = {id: f"{base}@{version}" for (base, version), id in library.store.names().items()}
    ranked = [_recipes(library, learnt, distance, space, names) for distance, learnt in near]
    found: dict[Genotype, Suggestion] = {}
    for each in _in_turn(ranked):
        found.setdefault(each.genotype, each)
    return _worth_trying(list(found.values()), Gains(library, asked, RECIPE), seed)


def _worth_trying(found: Sequence[Suggestion], gains: Gains, seed: int) -> list[Suggestion]:
    """As many of the first as gain something in one draw from what is believed of them, two at least."""
    records = [each.record for each in found[:MOST]]
    if not records:
        return []
    drawn = gains.draw(records, np.random.default_rng([seed, gains.evidence]))
    told = zip(found, gains.predicted(records), strict=False)
    return [replace(each, gain=gain) for each, gain in told][: max(FEWEST, int((drawn > 0.0).sum()))]


def helped(told: Sequence[Tried], record: str) -> str:
    """How often what was suggested was better than what was tried without it, in words.

    Args:
        told: what became of suggestions.
        record: id.
    """
    judged = [each.helped for each in told if each.record == record]
    return f"{sum(judged)} of {len(judged)}" if judged else "not tried yet"


def recipe_record(space: Space, genotype: Genotype, task: Task) -> Record:
    """A genotype as a record: the closed program to read, and its decisions spelled for other spaces."""
    return Record(
        RECIPE, str(space.freeze(genotype)), str(task.input_type), str(task.output_type),
        details={"modality": task.modality, "decisions": space.spelled(genotype)},
    )  # fmt: skip


def _comparable(learnt: Learnt, task: Task) -> bool:
    return learnt.modality == task.modality and FAMILIES.get(learnt.problem) == FAMILIES.get(task.problem, "")


def _far(known: Sequence[Learnt], asked: Learnt) -> list[tuple[float, Learnt]]:
    """Tasks with how far they are."""
    apart = Distances([*known, asked]).to(len(known)).tolist()
    return list(zip(apart[:-1], known, strict=True))


def _recipes(
    library: Library, learnt: Learnt, distance: float, space: Space, names: Mapping[str, str]
) -> list[Suggestion]:
    """The recipes of one task that this space can express, the best first."""
    proofs = [each for each in library.store.evidence(task=learnt.fingerprint) if _tells(each)]
    best: dict[str, Evidence] = {}
    for each in _in_turn(_by_metric(proofs, learnt.metric)):
        best.setdefault(each.record, each)
    suggestions = []
    for id, proof in best.items():
        genotype = _genotype(library, id, space)
        if genotype is not None:
            reason = f"{proof.metric} {proof.value:.4g} on {learnt.name}, {_near(distance)}"
            suggestions.append(Suggestion(id, names.get(id, id[:SHORT]), genotype, learnt, distance, reason))
    return suggestions


def _genotype(library: Library, id: str, space: Space) -> Genotype | None:
    """A recipe in a space, without the models of other tasks that it stood on there; None where the space cannot express it,
    or the recipe cannot be read."""
    header = library.store.header(id)
    if header is None or header.kind != RECIPE:
        return None
    try:
        told = Record.from_bytes(library.store.get(id)).details["decisions"]
        return space.read(
            {label: value for label, value in told.items() if _is_plain(value) and not label.endswith(KNOWN)}
        )
    except (DamagedFile, SpaceError, LookupError, TypeError, AttributeError):
        return None


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool) or isinstance(value, int | float) and abs(value) < LARGEST_NUMBER


def _tells(evidence: Evidence) -> bool:
    return evidence.role == RECIPE and evidence.value is not None and evidence.metric in METRICS


def _in_turn(piles: Sequence[Sequence[Any]]) -> list[Any]:
    """The first of each, then the second of each."""
    return [each for turn in zip_longest(*piles) for each in turn if each is not None]


def _by_metric(proofs: Sequence[Evidence], first: str) -> list[list[Evidence]]:
    """The best first, for each metric by itself: what two metrics measured cannot be compared.

    Args:
        proofs: of one task.
        first: the metric that comes first.
    """
    metrics = sorted({each.metric for each in proofs}, key=lambda metric: (metric != first, metric))
    return [
        sorted((each for each in proofs if each.metric == metric), key=_score, reverse=True)
        for metric in metrics
    ]


def _score(evidence: Evidence) -> float:
    return METRICS[evidence.metric].sign * evidence.value


def _near(distance: float) -> str:
    return "the same data" if distance == 0.0 else f"a task at distance {distance:.2f}"
