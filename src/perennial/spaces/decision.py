"""What can be done with one open choice: its default, a draw, a step, its neighbours, its place between 0 and
1.

Every function takes the `Choice` and the value it may hold, and knows nothing of the choices around it.
Numbers are handled by their *position*: 0 is `low`, 1 is `high`, on a log scale where the choice asks for
one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from perennial.lang.ops import Op
from perennial.lang.program import Call, Choice, Lambda

STEPS = (0.05, 0.2)
MUTATION_SPREAD = 0.2
FRESH_DRAW = 0.15
COUNTED = ("integer", "repeat")


def default_of(choice: Choice) -> Any:
    """What the author would choose: the stated default, else the first option, the middle of a range, or yes.

    >>> default_of(Choice("width", "integer", low=16, high=256, log=True))
    64
    """
    if choice.default is not None:
        return clean(choice, choice.default)
    if choice.kind == "one_of":
        return 0
    return True if choice.kind == "optional" else value_at(choice, 0.5)


def clean(choice: Choice, value: Any) -> Any:
    """The value in the choice's own type and range: numbers are clipped, nonsense becomes the default.

    >>> clean(Choice("depth", "integer", low=2, high=8), 11.0)
    8
    """
    kind = choice.kind
    if kind == "optional":
        return bool(value) if isinstance(value, bool | int | float | np.bool_) else default_of(choice)
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not math.isfinite(value):
        return default_of(choice)
    if kind == "real":
        return min(max(float(value), float(choice.low)), float(choice.high))
    value = value if type(value) is int else round(float(value))
    if kind == "one_of":
        return value if 0 <= value < len(choice.options) else default_of(choice)
    return min(max(value, choice.low), choice.high)


def count_of(choice: Choice) -> int | float:
    """How many values it can hold; infinite for a real."""
    if choice.kind == "one_of":
        return len(choice.options)
    if choice.kind == "optional":
        return 2
    if choice.low == choice.high:
        return 1
    return math.inf if choice.kind == "real" else choice.high - choice.low + 1


def values_of(choice: Choice) -> range | tuple:
    """All values of a choice that has finitely many, in order."""
    if choice.kind == "one_of":
        return range(len(choice.options))
    if choice.kind == "optional":
        return (False, True)
    return (float(choice.low),) if choice.kind == "real" else range(choice.low, choice.high + 1)


def names_of(choice: Choice) -> list[str]:
    """The options of a `one_of` by what they are, which stays the same when others are offered beside them.

    >>> names_of(Choice("norm", "one_of", ("batch", "layer", "batch"), default=0))
    ["'batch'", "'layer'", "'batch' 2"]
    """
    names: list[str] = []
    for option in choice.options:
        node = option
        while isinstance(node, Lambda):
            node = node.body
        name = node.function.name if isinstance(node, Call) and isinstance(node.function, Op) else str(node)
        seen = sum(known == name or known.startswith(f"{name} ") for known in names)
        names.append(f"{name} {seen + 1}" if seen else name)
    return names


def draw(choice: Choice, rng: np.random.Generator) -> Any:
    """A value at random: uniform over options and over the range, on its own scale."""
    if choice.kind == "one_of":
        return int(rng.integers(len(choice.options)))
    if choice.kind == "optional":
        return bool(rng.random() < 0.5)
    if choice.kind == "real":
        return value_at(choice, rng.random())
    if choice.log:
        edge = math.exp(
            math.log(choice.low) + rng.random() * (math.log(choice.high + 1) - math.log(choice.low))
        )
        return min(max(int(edge), choice.low), choice.high)
    return choice.low + int(rng.random() * (choice.high - choice.low + 1))


def step(choice: Choice, value: Any, rng: np.random.Generator) -> Any:
    """Another value: any other option; for a number mostly one nearby, now and then one from anywhere.

    A choice that has one value only gives it back.
    """
    count = count_of(choice)
    if count == 1:
        return value
    if choice.kind == "optional":
        return not value
    if choice.kind == "one_of":
        other = int(rng.integers(count - 1))
        return other + (other >= value)
    for _ in range(8):
        if rng.random() < FRESH_DRAW:
            moved = draw(choice, rng)
        else:
            moved = value_at(choice, _reflect(position_of(choice, value) + MUTATION_SPREAD * rng.normal()))
        if moved != value:
            return moved
    if choice.kind == "real":
        return float(choice.low if value != choice.low else choice.high)
    return value + 1 if value < choice.high else value - 1


def neighbours_of(choice: Choice, value: Any) -> list[Any]:
    """All values one step away: every other option; for a number a small and a large step to either side.

    >>> neighbours_of(Choice("depth", "integer", low=1, high=9), 4)
    [3, 5, 2, 6]
    """
    if choice.kind in ("one_of", "optional"):
        return [other for other in values_of(choice) if other != value]
    found: dict[Any, None] = {}
    for size in STEPS:
        for direction in (-1, 1):
            moved = value_at(choice, min(max(position_of(choice, value) + direction * size, 0.0), 1.0))
            if moved == value and choice.kind in COUNTED:
                moved = clean(choice, value + direction)
            found[moved] = None
    return [moved for moved in found if moved != value]


def position_of(choice: Choice, value: Any) -> float:
    """Where the value stands between the low end (0) and the high end (1) of the choice.

    >>> position_of(Choice("rate", "real", low=1e-4, high=1.0, log=True), 0.01)
    0.5
    """
    if choice.kind == "optional":
        return float(value)
    low, high = (0, len(choice.options) - 1) if choice.kind == "one_of" else (choice.low, choice.high)
    if low == high:
        return 0.0
    if choice.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def value_at(choice: Choice, position: float) -> Any:
    """The value at a position from 0 to 1; the inverse of `position_of`, rounded where values are whole."""
    if choice.kind == "optional":
        return position >= 0.5
    low, high = (0, len(choice.options) - 1) if choice.kind == "one_of" else (choice.low, choice.high)
    if position in (0.0, 1.0):
        exact = high if position else low  # exactly: exponentials would miss the ends by a rounding
    elif choice.log:
        exact = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
    else:
        exact = low + position * (high - low)
    exact = min(max(exact, low), high)
    return float(exact) if choice.kind == "real" else round(exact)


def _reflect(position: float) -> float:
    """Folds a position that fell over an end back inside, so that the ends do not collect draws."""
    position = math.fmod(abs(position), 2.0)
    return 2.0 - position if position > 1.0 else position
