"""What the library suggests for a task: recipes that did well on tasks like it, with the reason.

A task is described by a few figures that cost nothing (Brazdil, Giraud-Carrier, Soares & Vilalta 2009): rows, columns by
kind, classes, how unequal they are, what is missing. Tasks are near when these figures are; a task of the same data or of
the same types is nearest. Of the nearest tasks each gives its best recipe, then each its second (the portfolio of
auto-sklearn, Feurer et al. 2015, without its fixed collection: the user's own history is the collection).

How many are suggested follows from how often suggestions have helped before, so a memory that does not help is
asked less, and never not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from perennial.errors import DamagedFile, SpaceError
from perennial.library.description import description
from perennial.library.embedding import EMBEDDING, nearness
from perennial.library.library import Library
from perennial.library.records import LARGEST_NUMBER, SHORT, Evidence, Learnt, Record
from perennial.metrics import METRICS
from perennial.spaces import Genotype, Space
from perennial.spaces.tables import KNOWN
from perennial.task import Task

RECIPE = "recipe"
NEIGHBOURS = 8
MOST, FEWEST = 6, 1
HELPED_BEFORE, DID_NOT_BEFORE = 2.0, 2.0
SAME_TYPES = 0.25
SMALLEST_DISTANCE = 1e-6
LARGEST_FIGURE = 1e6
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
    """

    record: str
    name: str
    genotype: Genotype
    task: Learnt
    distance: float
    reason: str


def suggest(library: Library, task: Task, space: Space) -> list[Suggestion]:
    """Recipes to try on a task, the most promising first.

    Args:
        library: with the history.
        task: that asks.
        space: of the task; recipes that it cannot express are left out.
    """
    known = [learnt for learnt in library.store.tasks() if _comparable(learnt, task)]
    if not known:
        return []
    near = sorted(_distances(known, task), key=lambda pair: (pair[0], pair[1].fingerprint))[:NEIGHBOURS]
    names = {id: f"{base}@{version}" for (base, version), id in library.store.names().items()}
    ranked = [_recipes(library, learnt, distance, space, names) for distance, learnt in near]
    found: dict[Genotype, Suggestion] = {}
    for each in _in_turn(ranked):
        found.setdefault(each.genotype, each)
    return list(found.values())[: count(library.store.evidence())]


def count(evidence: Sequence[Evidence]) -> int:
    """How many suggestions to make, from 1 to 6, by how often earlier ones were better than what was tried without."""
    judged = _judgements([each for each in evidence if each.role == RECIPE])
    helped = sum(judged)
    share = (HELPED_BEFORE + helped) / (HELPED_BEFORE + DID_NOT_BEFORE + len(judged))
    return max(FEWEST, min(MOST, round(1.5 * MOST * share)))


def helped(library: Library, record: str) -> str:
    """How often what was suggested was better than what was tried without it, in words."""
    judged = _judgements(library.store.evidence(record=record))
    return f"{sum(judged)} of {len(judged)}" if judged else "not tried yet"


def _judgements(evidence: Sequence[Evidence]) -> list[bool]:
    """Whether each suggestion helped, once for each record, task and study, as the study told it last.

    One that failed, or was beaten by everything, did not help.
    """
    last: dict[tuple[str, str, str], Evidence] = {}
    for each in sorted(evidence, key=lambda each: each.told):
        if each.study and each.scratch is not None:
            last[each.record, each.task, each.study] = each
    return [each.gain is not None and each.gain > 0 for each in last.values()]


def recipe_record(space: Space, genotype: Genotype, task: Task) -> Record:
    """A genotype as a record: the closed program to read, and its decisions spelled for other spaces."""
    return Record(
        RECIPE, str(space.freeze(genotype)), str(task.input_type), str(task.output_type),
        details={"modality": task.modality, "decisions": space.spelled(genotype)},
    )  # fmt: skip


def _comparable(learnt: Learnt, task: Task) -> bool:
    return learnt.modality == task.modality and FAMILIES.get(learnt.problem) == FAMILIES.get(task.problem, "")


def _distances(known: Sequence[Learnt], task: Task) -> list[tuple[float, Learnt]]:
    """The mean difference of the figures, each on the scale on which the known tasks and this one differ; with that of what
    the rows look like, where it is known."""
    told = [dict(learnt.description) for learnt in known] + [description(task)]
    figures = sorted({name for each in told for name in each} - {EMBEDDING})
    near = nearness(known, task)
    table = np.array([[_figure(each.get(name)) for name in figures] for each in told])
    scale = np.maximum(table.std(axis=0), 0.1)
    apart = np.abs((table[:-1] - table[-1]) / scale).mean(axis=1)
    distances, types = [], (str(task.input_type), str(task.output_type))
    for learnt, distance in zip(known, apart, strict=True):
        distance = (distance + near.get(learnt.fingerprint, distance)) / 2.0
        same = (learnt.input, learnt.output) == types
        distance = max(distance * (SAME_TYPES if same else 1.0), SMALLEST_DISTANCE)
        if learnt.fingerprint == task.fingerprint:
            distance = 0.0
        distances.append((float(distance), learnt))
    return distances


def _figure(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST_FIGURE else 0.0


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
