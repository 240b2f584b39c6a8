"""How far tasks are from each other: by figures that cost nothing, and by what their rows look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perennial.library.embedding import EMBEDDING, Neighbours, is_embedding
from perennial.library.records import Learnt

SAME_TYPES = 0.25
SMALLEST_DISTANCE, SMALLEST_SPREAD = 1e-6, 0.1
LARGEST_FIGURE = 1e6


class Distances:
    """Between tasks of one modality: the mean difference of their figures, each on the scale on which all of them differ, with
    that of what their rows look like, where it is known; a quarter of it between tasks of the same types. Only the same data
    have a distance of 0.

    Args:
        tasks: of a library, and those that ask.
    """

    def __init__(self, tasks: Sequence[Learnt]) -> None:
        told = [each.description for each in tasks]
        names = sorted({name for each in told for name in each} - {EMBEDDING})
        figures = np.array([[_figure(each.get(name)) for name in names] or [0.0] for each in told])
        self._figures = figures / np.maximum(figures.std(axis=0), SMALLEST_SPREAD)
        self._looks = [each.get(EMBEDDING) for each in told]
        self._looked = np.array([is_embedding(each) for each in self._looks])
        seen = [each for each, looked in zip(self._looks, self._looked, strict=True) if looked]
        self._neighbours = Neighbours(np.array(seen)) if seen else None
        self._types = np.array([f"{each.input} -> {each.output}" for each in tasks])
        self._data = np.array([each.fingerprint for each in tasks])

    def to(self, place: int) -> np.ndarray:
        """How far each task is from one of them, `(n,)`.

        Args:
            place: of the one.
        """
        apart = np.abs(self._figures - self._figures[place]).mean(axis=1)
        if self._looked[place]:
            near = self._neighbours.distances(self._looks[place])
            apart[self._looked] = (apart[self._looked] + near) / 2.0
        apart = np.where(self._types == self._types[place], SAME_TYPES * apart, apart)
        return np.where(self._data == self._data[place], 0.0, np.maximum(apart, SMALLEST_DISTANCE))


def _figure(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST_FIGURE else 0.0
