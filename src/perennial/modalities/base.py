"""A modality knows one kind of data: its type, and the way between what people hold and values.

An author of a new modality writes a codec: `encode(data)` from people's data to canonical columns,
`decode(prediction)` back to labels or numbers, and `to_json`, from which `codec_from_json` builds it again.
It may assume nothing of the data: what is wrong is a `DataError`, what is odd is a `Finding`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perennial.lang.types import Type

LEVELS = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """Something about the data that people should know.

    Args:
        code: short name of the kind of finding, such as `duplicates`.
        level: `error`, `warning` or `info`.
        what: one sentence with the count.
        where: columns or row numbers, at most five.
        why: why it matters.
        action: what perennial did about it.
        flag: how to overrule it.
    """

    code: str
    level: str
    what: str
    where: str = ""
    why: str = ""
    action: str = ""
    flag: str = ""

    def to_json(self) -> dict[str, str]:
        """As a dictionary."""
        return asdict(self)


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "row"), counted(2, "class")
    ('1 row', '2 classes')
    """
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


class Codec(ABC):
    """The way between people's data and the values of a program."""

    problem: str
    targets: tuple[str, ...]
    classes: tuple
    batched = True
    """Whether a program takes a whole batch; else one example at a time."""

    @property
    @abstractmethod
    def input_type(self) -> Type:
        """The type of one example."""

    @property
    @abstractmethod
    def output_type(self) -> Type:
        """The type of a prediction."""

    @abstractmethod
    def encode(self, data: Any) -> dict[str, np.ndarray]:
        """Canonical columns."""

    def argument(self, columns: dict[str, np.ndarray]) -> Any:
        """What a program over this input receives: the columns by name, unless the modality says otherwise."""
        return columns

    def read(self, path: Any, **reading: Any) -> Any:
        """What `encode` accepts, opened from a path; `reading` are the options of the file format."""
        return path

    def read_labelled(self, path: Any, **reading: Any) -> Any:
        """What `encode` and `encode_target` accept, opened from a path of data with their targets."""
        return self.read(path, **reading)

    def row_names(self, data: Any) -> tuple[str, np.ndarray] | None:
        """A column that tells the rows of `data` apart, for the file of predictions; None when there is none."""
        return None

    @abstractmethod
    def decode(self, prediction: np.ndarray, decision: dict[str, Any] | None = None) -> np.ndarray:
        """Labels or numbers, with the values and the dtype that people gave."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything needed to build it again."""


@dataclass(frozen=True, eq=False)
class Sensed:
    """What a modality made of data: everything that a `Task` is built from.

    Args:
        modality: `table` or `image`.
        name: short.
        schema: the codec.
        inputs: canonical columns, each with `n` rows.
        target: `(n,)` or `(n, m)`.
        hashes: of the inputs, `(n,)`.
        findings: what people should know.
        groups: `(n,)` codes of rows that stay together, or None.
        times: `(n,)` seconds, or None.
        origin: where the data came from, as JSON.
        test: data to test on.
        sample_weight: `(n,)`, or None.
        unlabelled: columns of rows without a target that predictions are wanted for, or None.
        held_back: their targets where they are known, for one final test; else None or empty.
    """

    modality: str
    name: str
    schema: Codec
    inputs: dict[str, np.ndarray]
    target: np.ndarray
    hashes: np.ndarray
    findings: tuple[Finding, ...] = ()
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    test: Sensed | None = None
    sample_weight: np.ndarray | None = None
    unlabelled: dict[str, np.ndarray] | None = None
    held_back: np.ndarray | None = None
