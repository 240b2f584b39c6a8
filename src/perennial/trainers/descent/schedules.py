"""Learning rates over time: each schedule is a function of progress, 0 to 1, to a factor of the peak."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

WARM_SHARE, COSINE_WARM_SHARE = 0.25, 0.05
LEAST_FACTOR = 0.01


def coslog4(progress: float) -> float:
    """Four cosine cycles of doubling length (Holzmüller, Grinsztajn and Steinwart 2024).

    >>> [round(coslog4(progress), 3) for progress in (0.0, 1 / 15, 3 / 15, 7 / 15, 1.0)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> round(coslog4((2**3.5 - 1) / 15), 3)
    1.0
    """
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * progress)))


def one_cycle(progress: float) -> float:
    """A straight line up over the first quarter, a straight line down over the rest (Smith and Topin 2018).

    >>> [round(one_cycle(progress), 6) for progress in (0.25, 0.625, 1.0)]
    [1.0, 0.505, 0.01]
    """
    if progress < WARM_SHARE:
        return LEAST_FACTOR + (1.0 - LEAST_FACTOR) * progress / WARM_SHARE
    return LEAST_FACTOR + (1.0 - LEAST_FACTOR) * (1.0 - progress) / (1.0 - WARM_SHARE)


def cosine(progress: float) -> float:
    """Half a cosine down (Loshchilov and Hutter 2017), after a straight line up over the first twentieth.

    >>> cosine(0.05), round(cosine(0.525), 6), round(cosine(1.0), 6)
    (1.0, 0.5, 0.0)
    """
    if progress < COSINE_WARM_SHARE:
        return progress / COSINE_WARM_SHARE
    return 0.5 * (1.0 + math.cos(math.pi * (progress - COSINE_WARM_SHARE) / (1.0 - COSINE_WARM_SHARE)))


def constant(progress: float) -> float:
    """The peak from beginning to end."""
    return 1.0


SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {"coslog4": coslog4, "one_cycle": one_cycle, "cosine": cosine, "constant": constant}
)
# where a schedule has come down to a small rate: training ends when nothing was gained since the last one
CYCLE_ENDS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"coslog4": (1 / 15, 3 / 15, 7 / 15, 1.0), "constant": (0.25, 0.5, 0.75, 1.0)}
)
