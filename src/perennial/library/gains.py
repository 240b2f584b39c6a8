"""How much what a library suggests may gain on a task, from what such suggestions gained before, and how sure that is.

A gain is told as a share of the way from common sense to the best of the usual openers, so that tasks can be compared: +10 %
is a tenth of that way further. Two gains are alike when the tasks between which something moves are as near, when it comes from
as many times the rows, and when it is the same thing: a Gaussian process says so (Rasmussen & Williams 2006, chapter 2), whose
scale is inferred with the rest, so nothing is tuned. Before there is any evidence it expects a little of what comes from near.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perennial.library.distances import Distances
from perennial.library.library import Library
from perennial.library.records import Evidence, Learnt

ANY, NEAR, MORE, SAME, NOISE = 0.5, 1.0, 0.5, 0.5, 1.0
"""Variances of what gains have in common, in units of the scale that is inferred."""
EXPECTED = 0.05
USUAL, SURE_OF_USUAL = 0.1, 4.0
"""The scale before there is any evidence, and how many gains it counts for."""
MOST_TRIED = 400
LARGEST_GAIN = 1.0
TELLING = 1.0
WITHIN = 1.96


@dataclass(frozen=True)
class Tried:
    """What became of a suggestion in one study.

    Args:
        record: that was suggested.
        task: fingerprint of the one that it was tried on.
        role: in which.
        helped: whether it was better than the best of the usual openers.
        gain: over it, a share from -1 to 1; None where it is not known what common sense gave.
    """

    record: str
    task: str
    role: str
    helped: bool
    gain: float | None


@dataclass(frozen=True)
class Predicted:
    """A gain that is expected, with a 95 % interval of what would be seen.

    >>> str(Predicted(0.052, -0.021, 0.125))
    '+5 % [-2, +12]'
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        mean, low, high = (f"{100.0 * each:+.0f}" for each in (self.mean, self.low, self.high))
        return f"{mean} % [{low}, {high}]"


def tried(library: Library) -> list[Tried]:
    """What the library suggested so far and could be compared, the oldest first.

    Where several candidates stood on one record the best counts, and of a study that went on what it told last.
    """
    tasks = {learnt.fingerprint: learnt for learnt in library.store.tasks()}
    told: dict[tuple[str, str, str, str], list[Evidence]] = {}
    evidence = [each for each in library.store.evidence() if each.study and each.scratch is not None]
    for each in sorted(evidence, key=lambda each: (each.told, each.digest)):
        told.setdefault((each.record, each.task, each.role, each.study), []).append(each)
    found = []
    for (record, task, role, _), candidates in told.items():
        last = [each for each in candidates if each.told >= candidates[-1].told - TELLING]
        helped = any(each.gain is not None and each.gain > 0.0 for each in last)
        shares = [_share(each, tasks.get(task)) for each in last]
        gains = [share for share in shares if share is not None]
        found.append(Tried(record, task, role, helped, max(gains, default=None)))
    return found


def mean_gains(library: Library) -> dict[str, float]:
    """What each record gained on average, where that is known."""
    told: dict[str, list[float]] = {}
    for each in tried(library):
        if each.gain is not None:
            told.setdefault(each.record, []).append(each.gain)
    return {record: float(np.mean(gains)) for record, gains in told.items()}


def _share(told: Evidence, task: Learnt | None) -> float | None:
    """A gain as a share of the way from common sense to what was tried without; what failed got nowhere."""
    if task is None or task.baseline is None or task.metric != told.metric:
        return None
    way = abs(told.scratch - task.baseline)
    if not (math.isfinite(way) and way > 0.0):
        return None
    gain = -LARGEST_GAIN if told.gain is None else told.gain / way
    return max(-LARGEST_GAIN, min(LARGEST_GAIN, gain)) if math.isfinite(gain) else None


class Gains:
    """Predicts what suggestions in one role gain on a task.

    Args:
        library: with the evidence.
        asked: the task.
        role: of the suggestions.
    """

    def __init__(self, library: Library, asked: Learnt, role: str) -> None:
        self._library = library
        self._tasks = [each for each in library.store.tasks() if each.modality == asked.modality] + [asked]
        self._places = {each.fingerprint: place for place, each in enumerate(self._tasks)}
        self._distances = Distances(self._tasks)
        found = [each for each in tried(library) if each.role == role and each.gain is not None]
        known = [each for each in found if each.task in self._places][-MOST_TRIED:]
        self.evidence = len(known)
        self._records = [each.record for each in known]
        self._moved = self._ways([(each.record, self._places[each.task]) for each in known])
        alike = self._alike(self._moved, self._records, self._moved, self._records)
        self._root = np.linalg.cholesky(alike + NOISE * np.eye(len(known)))
        above = np.array([each.gain for each in known]) - _expected(self._moved)
        self._above = np.linalg.solve(self._root, above)
        squares = SURE_OF_USUAL * USUAL**2 + self._above @ self._above
        self._scale = float(squares / (SURE_OF_USUAL + len(known)))

    def posterior(self, records: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Means `(n,)` and covariances `(n, n)` of what records gain on such a task but for chance, as shares.

        Args:
            records: ids.
        """
        moved = self._ways([(record, len(self._tasks) - 1) for record in records])
        across = np.linalg.solve(self._root, self._alike(self._moved, self._records, moved, records))
        spread = self._alike(moved, records, moved, records) - across.T @ across
        return _expected(moved) + across.T @ self._above, self._scale * spread

    def predicted(self, records: Sequence[str]) -> list[Predicted]:
        """What each of these records may gain on the task.

        Args:
            records: ids.
        """
        means, spread = self.posterior(records)
        wide = WITHIN * np.sqrt(np.maximum(np.diag(spread), 0.0) + self._scale * NOISE)
        return [Predicted(*each) for each in np.stack([means, means - wide, means + wide], axis=1).tolist()]

    def draw(self, records: Sequence[str], generator: np.random.Generator) -> np.ndarray:
        """One of the ways that all these gains could be, `(n,)`.

        Args:
            records: ids.
            generator: of the draw.
        """
        return generator.multivariate_normal(*self.posterior(records), method="eigh")

    def _ways(self, moves: Sequence[tuple[str, int]]) -> np.ndarray:
        """How near a record comes from, and from how many times the rows, for each record and place of a task, `(n, 2)`; zeros
        where it is not known from where.
        """
        found, apart = np.zeros((len(moves), 2)), {}
        for row, (record, place) in enumerate(moves):
            header = self._library.store.header(record)
            source = self._places.get(header.card.task) if header is not None else None
            if source is None:
                continue
            if place not in apart:
                apart[place] = self._distances.to(place)
            rows = [max(1, self._tasks[each].rows) for each in (source, place)]
            found[row] = math.exp(-apart[place][source]), math.tanh(math.log10(rows[0] / rows[1]))
        return found

    @staticmethod
    def _alike(
        moved: np.ndarray, records: Sequence[str], others: np.ndarray, other_records: Sequence[str]
    ) -> np.ndarray:
        """Prior covariances of gains, in units of the scale, `(len(records), len(other_records))`."""
        same = np.array(records, dtype=str)[:, None] == np.array(other_records, dtype=str)[None, :]
        return ANY + moved @ np.diag([NEAR, MORE]) @ others.T + SAME * same


def _expected(moved: np.ndarray) -> np.ndarray:
    return EXPECTED * moved[:, 0]
