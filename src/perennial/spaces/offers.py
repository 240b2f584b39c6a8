"""What each kind of data is offered: its space, and the strong openers to begin with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perennial.lang import Lambda
from perennial.lang.types import Type
from perennial.spaces import networks, tables
from perennial.spaces.base import Space
from perennial.spaces.genotype import Genotype


def space_for(
    modality: str,
    input_type: Type,
    output: Type,
    rows: int,
    seconds: float = math.inf,
    known: Sequence[Lambda] = (),
) -> Space:
    """The space of a modality, sized to the rows.

    Args:
        modality: `table` or `image`.
        input_type: of one example.
        output: `Dist[k]`, `Real`, `Tensor[m]` or `Marginals[m]`.
        rows: to learn from.
        seconds: of the whole study; networks are sized to them.
        known: what was learnt on other tasks, as functions of one input.
    """
    if modality == "image":
        return networks.network_space(input_type, output, rows, seconds, known=known)
    return tables.table_space(input_type, output, rows, known=known)


def openers_for(modality: str, space: Space, mirrored: bool = False) -> list[Genotype]:
    """Strong candidates of that space, the most for their time first.

    Args:
        modality: `table` or `image`.
        space: of that modality.
        mirrored: whether mirror images seem to mean the same.
    """
    return networks.network_portfolio(space, mirrored) if modality == "image" else tables.portfolio(space)


def known_openers_for(
    modality: str, space: Space, known: Sequence[Lambda], mirrored: bool = False
) -> list[tuple[Genotype, int, str]]:
    """Candidates that stand on what was learnt on other tasks, each with the place of that and what it is.

    Args:
        modality: `table` or `image`.
        space: of that modality, with these.
        known: what was learnt, the best first.
        mirrored: whether mirror images seem to mean the same.
    """
    if modality == "image":
        return networks.known_openers(space, known, mirrored)
    return tables.known_openers(space, known)


def beside_known(modality: str, space: Space, genotype: Genotype, known: Sequence[Lambda]) -> Genotype | None:
    """A recipe that stands on the best of what was learnt on other tasks as well; None where it cannot.

    Args:
        modality: `table` or `image`; networks are trained further instead, see `known_openers_for`.
        space: of that modality, with these.
        genotype: the recipe in that space.
        known: what was learnt, the best first.
    """
    return tables.beside_known(space, genotype, known) if modality == "table" else None
