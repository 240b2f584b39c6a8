"""What each kind of data is offered: its space, and the strong openers to begin with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perennial.lang import Lambda
from perennial.lang.types import Type
from perennial.spaces.base import Space
from perennial.spaces.genotype import Genotype
from perennial.spaces.networks import network_portfolio, network_space
from perennial.spaces.tables import portfolio, table_space


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
        known: features that were learnt on other tasks, as functions of one input; images take them.
    """
    if modality == "image":
        return network_space(input_type, output, rows, seconds, known=known)
    return table_space(input_type, output, rows)


def openers_for(modality: str, space: Space, mirrored: bool = False) -> list[Genotype]:
    """Strong candidates of that space, the most for their time first.

    Args:
        modality: `table` or `image`.
        space: of that modality.
        mirrored: whether mirror images seem to mean the same.
    """
    return network_portfolio(space, mirrored) if modality == "image" else portfolio(space)
