"""Networks that were trained before, cut below their heads: what they see in an image is of use for other tasks.

A module of the library is such a part, with its weights. For a new task those that take its images are asked how much
they say about its target, and the best become words of its space: `frozen(…, of="3f2a…")`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perennial.compiler import FrozenNetwork, features_of
from perennial.errors import DamagedFile, ProgramError
from perennial.lang import (
    Cost,
    FitContext,
    Image,
    Lambda,
    Program,
    State,
    Type,
    Var,
    call,
    parse,
    parse_type,
    to_source,
)
from perennial.library.library import Library
from perennial.library.records import SHORT, Record
from perennial.library.transfer import MOST_ROWS, transferability
from perennial.primitives import vocabulary
from perennial.spaces import Limits
from perennial.task import Task
from perennial.weights import Weights

MODULE, PREFIX = "module", "prefix"
LARGEST = Limits(parameters=1e8, flops=2e9, activations=1e8)
"""What a network may cost that came from anywhere."""
MOST_ASKED, BEST = 12, 3
FEATURES = "features"


@dataclass(frozen=True)
class Part:
    """A network below its head, on its way into a study.

    Args:
        record: id.
        name: in the library.
        source: `lambda image: …`, as text.
        weights: one packed state.
    """

    record: str
    name: str
    source: str
    weights: bytes

    @property
    def function(self) -> Lambda:
        """From an image to its features, as the language says it: `lambda image: frozen(…)`.

        Raises:
            ProgramError: its source is no function.
        """
        return _frozen(self.source, self.short)

    @property
    def short(self) -> str:
        """What programs call it."""
        return self.record[:SHORT]


@lru_cache(maxsize=64)
def _frozen(source: str, of: str) -> Lambda:
    """Parsed once, though it is asked for with each candidate."""
    program = parse(source, vocabulary())
    if not isinstance(program, Lambda):
        raise ProgramError("The features of a network are a function of one image.")
    return Lambda(program.names, call(vocabulary()["frozen"], program.body, of=of))


def only_state(weights: bytes) -> State:
    """The one state of packed weights.

    Raises:
        DamagedFile: they are not one.
    """
    states = Weights.from_bytes(weights)
    if len(states) != 1:
        raise DamagedFile(f"The weights of a part are one state, these are {len(states)}.")
    return next(iter(states.values()))


def part_of(
    program: Program, weights: Mapping[str, State], types: Sequence[Type]
) -> tuple[str, str, bytes] | None:
    """What is kept of a network: program and type of its features, and their weights; None where it is no network alone.

    Args:
        program: that was fitted.
        weights: of it.
        types: of its arguments.
    """
    found = features_of(program, weights)
    if found is None or len(types) != 1 or not isinstance(types[0], Image):
        return None
    features, state = found
    return to_source(features), state.texts["type"], Weights({FEATURES: state}).to_bytes()


def record_of(library: Library, part: tuple[str, str, bytes], input_type: Type) -> Record:
    """A part as a record; its weights are put into the store."""
    source, gives, weights = part
    return Record(MODULE, source, str(input_type), gives, (library.store.put(weights),))


def parts_for(library: Library, task: Task) -> list[Part]:
    """Modules that can take the images of a task, those that helped most often and then the youngest first.

    Those that cannot be read, or would cost too much, are left out: `perennial library verify` tells of the first.
    """
    if not isinstance(task.input_type, Image):
        return []
    names = {id: f"{base}@{version}" for (base, version), id in library.store.names().items()}
    headers = [
        header for header in library.walk(kind=MODULE) if _channels(header.input) == task.input_type.dims[2]
    ]
    gains = {header.id: _gain(library, header.id) for header in headers}
    headers.sort(key=lambda header: (-gains[header.id], -header.card.created, header.id))
    found = []
    for header in headers[:MOST_ASKED]:
        try:
            record = Record.from_bytes(library.store.get(header.id))
            part = Part(
                record.id,
                names.get(record.id, record.id[:SHORT]),
                record.source,
                library.store.get(record.weights[0]),
            )
            check(part, task.input_type)
        except (DamagedFile, ProgramError, LookupError, ValueError, AttributeError):
            continue
        found.append(part)
    return found


def check(part: Part, input_type: Type) -> None:
    """Whether a part is a network that takes such images and may be built; nothing is built.

    Raises:
        ProgramError, DamagedFile: it is not.
    """
    function = part.function
    word = FrozenNetwork(function.body)
    if len(function.names) != 1 or word.network.inputs != (Var(function.names[0]),):
        raise ProgramError("The features of a network are layers on one image.")
    cost = sum(word.network.costs((input_type,), word.infer(input_type)), Cost())
    if broken := LARGEST.broken_by(cost):
        raise ProgramError(f"This network is too large: {broken}.")
    adapted(part, input_type)


def adapted(part: Part, input_type: Type) -> tuple[FrozenNetwork, State]:
    """A part as a word with its state, for images of this type.

    Raises:
        ProgramError, DamagedFile: its weights do not fit.
    """
    word = part.function.body
    network = FrozenNetwork(word)
    nothing = np.zeros((0, *input_type.dims), np.uint8)
    told = FitContext(
        output=input_type, train_rows=0, types=(input_type,), initial={word.hash: only_state(part.weights)}
    )
    return network, network.fit((nothing,), None, told)


def scores(parts: Sequence[Part], task: Task, seed: int, seconds: float = math.inf) -> list[float | None]:
    """How much the features of each part say about the target of a task; None where they cannot be had in time.

    Args:
        parts: that take its images, the most promising first.
        task: its training rows.
        seed: of the rows that are looked at.
        seconds: after which no further part is asked.
    """
    end = time.monotonic() + seconds
    rows = np.sort(np.random.default_rng(seed).permutation(task.rows)[:MOST_ROWS])
    images = task.schema.argument({name: column[rows] for name, column in task.inputs.items()})
    found: list[float | None] = []
    for part in parts:
        if time.monotonic() >= end:
            found.append(None)
            continue
        try:
            network, state = adapted(part, task.input_type)
            features = network.call(images, state=state)
        except (DamagedFile, ProgramError):
            found.append(None)
            continue
        found.append(transferability(features, task.target[rows], task.problem, seed))
    return found


def ranked(parts: Sequence[Part], scores: Sequence[float | None]) -> list[tuple[Part, float]]:
    """The best few that have a score, the best first."""
    known = [(part, score) for part, score in zip(parts, scores, strict=True) if score is not None]
    return sorted(known, key=lambda pair: -pair[1])[:BEST]


def reason(problem: str, score: float) -> str:
    """Why a part is suggested, in words.

    >>> reason("multiclass", 0.834)
    'by its features the nearest others know 83.4 % of the rows'
    """
    if problem in ("binary", "multiclass"):
        return f"by its features the nearest others know {score:.1%} of the rows".replace("%", " %")
    return f"log evidence {score:.3g} a row for a linear model on its features"


def _channels(text: str) -> int | None:
    try:
        kind = parse_type(text)
    except (ProgramError, ValueError):
        return None
    return kind.dims[2] if isinstance(kind, Image) and len(kind.dims) == 3 else None


def _gain(library: Library, record: str) -> float:
    gains = [each.gain for each in library.store.evidence(record=record) if each.gain is not None]
    return float(np.mean(gains)) if gains else 0.0
