"""The decisions that close a space: a frozen mapping of label to value, and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from perennial.errors import SpaceError


class Genotype(Mapping[str, Any]):
    """Every decision on the chosen path, by label; equal decisions are equal genotypes, whatever their order.

    Values are whole numbers (the index of an option, an integer, a count), reals, or bools. Only a `Space`
    knows which labels belong together: build genotypes with `space.sample`, `space.repair` and their
    neighbours.

    Args:
        decisions: label to value; kept sorted by label.

    Raises:
        SpaceError: a label is no text, or a value is no finite number or bool.

    >>> genotype = Genotype({"width": 64, "learner": 1})
    >>> genotype
    Genotype(learner=1, width=64)
    >>> genotype == Genotype({"learner": 1, "width": 64}), genotype["width"], len(genotype.key)
    (True, 64, 12)
    """

    __slots__ = ("_hash", "_key", "_values")

    def __init__(self, decisions: Mapping[str, Any] = {}) -> None:
        values = {label: _checked(label, decisions[label]) for label in sorted(decisions, key=_checked_label)}
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_hash", hash(tuple(values.items())))
        object.__setattr__(self, "_key", None)

    def __setattr__(self, attribute: str, value: object) -> None:
        raise AttributeError(
            "A genotype is frozen; build another one with `space.repair(dict(genotype) | {...})`."
        )

    def __getitem__(self, label: str) -> Any:
        return self._values[label]

    def __contains__(self, label: object) -> bool:
        return label in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Genotype) and self._hash == other._hash and self._values == other._values

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self):
        return Genotype, (dict(self._values),)

    def __repr__(self) -> str:
        return f"Genotype({', '.join(f'{label}={value!r}' for label, value in self._values.items())})"

    @property
    def key(self) -> str:
        """Twelve hex digits that are the same in every process."""
        if self._key is None:
            text = json.dumps(self._values, allow_nan=False)
            object.__setattr__(
                self, "_key", hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            )
        return self._key

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return dict(self._values)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Genotype:
        """The inverse of `to_json`.

        >>> Genotype.from_json(Genotype({"rate": 0.1}).to_json())
        Genotype(rate=0.1)
        """
        return Genotype(data)


def _checked_label(label: Any) -> str:
    if not isinstance(label, str):
        raise SpaceError(f"The label of a decision is a text, received {label!r}.")
    return label


def _checked(label: str, value: Any) -> bool | int | float:
    """The value as Python's own type, so that printing and hashing do not depend on who made it."""
    kind = type(value)
    if kind is bool or kind is int:
        return value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    raise SpaceError(
        f"A decision is a bool, a whole number or a finite real, received {value!r}.",
        where=f"the label {label!r}",
    )
