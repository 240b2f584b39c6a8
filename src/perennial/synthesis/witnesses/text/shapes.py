"""How strange a program's answers on new rows look beside the outputs that people gave."""

from __future__ import annotations

import re
from collections.abc import Sequence

from perennial.synthesis.base import UNANSWERED

STRANGE_PRICE, EMPTY_PRICE = 6.0, 10.0


def shape(value: object) -> object:
    """What a text looks like: its runs of capitals, small letters and digits as one sign each.

    >>> shape("Ada King, 1815")
    'Aa Aa, 0'
    """
    if not isinstance(value, str):
        return type(value).__name__
    for pattern, sign in ((r"[A-ZÀ-Þ]+", "A"), (r"[a-zß-ÿ]+", "a"), (r"[0-9]+", "0")):
        value = re.sub(pattern, sign, value)
    return value


def strangeness(given: Sequence[object], known: Sequence[object]) -> float:
    """Bits to add to the price of a program: for rows without an answer, and for answers of a new shape.

    >>> strangeness(["1815", "", "Ada"], ["1900"])
    5.333333333333333
    """
    if not given:
        return 0.0
    shapes, price = {shape(value) for value in known}, 0.0
    for value in given:
        if value is UNANSWERED or value == "" and "" not in known:
            price += EMPTY_PRICE
        elif shape(value) not in shapes:
            price += STRANGE_PRICE
    return price / len(given)
