"""Genotypes as vectors of one length, for models of the space.

Each decision has a place of its own: whether it is active, then its options one-hot or its position from 0 to
1. In a grammar the decisions of deep expansions have no place; there the options are counted by label instead
(the "op multiset" of White, Neiswanger, Nolen & Savani 2020), which keeps the length fixed.
"""

from __future__ import annotations

import numpy as np

from perennial.lang.program import Choice
from perennial.spaces.decision import clean, position_of
from perennial.spaces.genotype import Genotype
from perennial.spaces.structure import Structure, base_label

MOST_PLACES = 512
EXPANSIONS_WITH_PLACES = 2


class Encoding:
    """Built once per space; called with a genotype it gives the vector.

    Args:
        structure: of the space.
    """

    def __init__(self, structure: Structure) -> None:
        self._places: dict[str, tuple[int, Choice]] = {}
        self._counts: dict[str, tuple[int, Choice]] = {}
        self.length = 0
        for site in structure.every(EXPANSIONS_WITH_PLACES):
            if site.label not in self._places and len(self._places) < MOST_PLACES:
                self._places[site.label] = (self.length, site.choice)
                self.length += 1 + _width(site.choice)
        if structure.is_grammar:
            for choice in structure.choices:
                if choice.kind == "one_of" and choice.label not in self._counts:
                    self._counts[choice.label] = (self.length, choice)
                    self.length += len(choice.options)

    def __call__(self, genotype: Genotype) -> np.ndarray:
        """float64 (length,), every number between 0 and 1 but for the counts."""
        vector = np.zeros(self.length)
        for label, raw in genotype.items():
            if label in self._places:
                start, choice = self._places[label]
                value = clean(choice, raw)
                vector[start] = 1.0
                if choice.kind == "one_of":
                    vector[start + 1 + value] = 1.0
                else:
                    vector[start + 1] = position_of(choice, value)
            if self._counts:
                base = base_label(label, self._counts)
                if base is not None:
                    start, choice = self._counts[base]
                    vector[start + clean(choice, raw)] += 1.0
        return vector


def _width(choice: Choice) -> int:
    return len(choice.options) if choice.kind == "one_of" else 1
