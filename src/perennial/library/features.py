"""What was trained before and is of use for other tasks: networks below their heads, and whole models.

A module of the library is what a network sees in an image, with its weights; a solution is all that a model says of an
image or a row. For a new task those that take its inputs are asked how much they tell of its target, and the best become
words of its space: `frozen(…, of="3f2a…")` and `recalled(…, of="3f2a…")`. None is asked that has learnt from rows of the
task itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from perennial.compiler import (
    LARGEST,
    Compiled,
    Field,
    FrozenNetwork,
    Packed,
    cuts_of,
    features_of,
    first_layers,
    reused_parts,
    together,
    with_channels,
    word_of,
)
from perennial.errors import DamagedFile, ProgramError
from perennial.lang import (
    Cost,
    FitContext,
    Image,
    Lambda,
    Learner,
    Program,
    State,
    Type,
    Var,
    call,
    parse,
    parse_type,
    to_source,
)
from perennial.library.description import learnt_of
from perennial.library.embedding import nearness
from perennial.library.gains import mean_gains
from perennial.library.library import Library
from perennial.library.records import SHORT, Header, Record
from perennial.library.seen import Asked, asked_of, knows, told_of
from perennial.library.transfer import MOST_ROWS, transferability
from perennial.library.translation import constants_of, fields_of, in_known_units, without
from perennial.modalities import codec_from_json
from perennial.modalities.units import SAME, profiles
from perennial.primitives import vocabulary
from perennial.primitives.views import AROUND
from perennial.spaces.features import FEW_IMAGES
from perennial.task import Task
from perennial.weights import Weights

MODULE, SOLUTION = "module", "solution"
ROLES = {MODULE: "prefix", SOLUTION: "whole"}
MOST_READ, MOST_ASKED, BEST = 200, 24, 3
MOST_REPLICAS, ROWS_ASKED, LARGEST_BYTES = 5, 12_000, 16 * 2**20
FEATURES = "features"
ALIKE = 1  # digits of a distance that count
MOST_WAYS = 16
IMAGES_FOR_WHOLE, WORTH = 200, 0.5
MOST_CELLS = 20_000_000  # of features, for all rows
MOST_VIEWED = 2e10  # operations that all rows may take in all views


@dataclass(frozen=True)
class Part:
    """A network below its head, or a whole model, on its way into a study.

    Args:
        record: id.
        name: in the library.
        source: a function of one input, as text.
        weights: one packed state.
        kind: `module` or `solution`.
        size: of a solution, how many numbers it says.
        seen: what the record says of the rows that it has learnt from.
        units: how the rows must be measured otherwise for it, in words.
        shifted: of a network, whether its features are the mean over an image and it moved by a pixel.
    """

    record: str
    name: str
    source: str
    weights: bytes
    kind: str = MODULE
    size: int = 0
    seen: Mapping[str, Any] = field(default_factory=dict)
    units: str = ""
    shifted: bool = False

    @property
    def function(self) -> Lambda:
        """From an input to its features, as the language says it: `lambda image: frozen(…)`.

        Raises:
            ProgramError: its source is no function.
        """
        return _function(self.source, self.short, self.kind, self.size, self.shifted)

    @property
    def short(self) -> str:
        """What programs call it."""
        return self.record[:SHORT]

    def to_json(self, weights: str) -> dict[str, Any]:
        """As a journal keeps it: with the digest of its weights instead of them."""
        return {**vars(self), "weights": weights}

    @staticmethod
    def from_json(told: Mapping[str, Any], weights: bytes) -> Part:
        """The inverse of `to_json`, of any version: what was not told then has its default, and other keys are left out."""
        known = {each.name: told[each.name] for each in fields(Part) if each.name in told}
        return Part(**{**known, "weights": weights})

    @property
    def role(self) -> str:
        """What it is for another task."""
        return ROLES[self.kind]


@lru_cache(maxsize=64)
def _function(source: str, of: str, kind: str, size: int, shifted: bool) -> Lambda:
    """Parsed once, though it is asked for with each candidate."""
    program, words = parse(source, vocabulary()), vocabulary()
    if not isinstance(program, Lambda) or len(program.names) != 1:
        raise ProgramError("What is reused is a function of one input.")
    if kind == SOLUTION:
        return Lambda(program.names, call(words["recalled"], Var(program.names[0]), of=of, size=size))
    views = {"shifted": True} if shifted else {}  # what is not told leaves programs as they were
    return Lambda(program.names, call(words["frozen"], program.body, of=of, **views))


@lru_cache(maxsize=BEST)
def only_state(weights: bytes) -> State:
    """The one state of packed weights; the same for the same bytes, so that what was built from it is found again.

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


def record_of(
    library: Library, part: tuple[str, str, bytes], task: Task, stands_on: Sequence[Part] = ()
) -> Record:
    """A part of a network as a record; its weights are put into the store.

    Args:
        library: that keeps it.
        part: of `part_of`.
        task: that it was learnt on.
        stands_on: parts of other tasks that it was made from.
    """
    source, gives, weights = part
    details = {"seen": told_of(task, *(each.seen for each in stands_on))}
    return Record(MODULE, source, str(task.input_type), gives, (library.store.put(weights),), details)


def parts_for(library: Library, task: Task, seconds: float = math.inf) -> list[Part]:
    """What can take the rows of a task and has not learnt from them: what has learnt from rows that look alike first, then
    what helped most often, then the youngest.

    What cannot be read, or would cost too much, is left out: `perennial library verify` tells of the first.

    Args:
        library: that is asked.
        task: with its test rows.
        seconds: after which no further record is read.
    """
    end = time.monotonic() + seconds
    kinds = {"image": (MODULE, SOLUTION), "table": (SOLUTION,)}.get(task.modality, ())
    headers = [
        header for kind in kinds for header in library.walk(kind=kind) if _may_take(header, task.input_type)
    ]
    if not headers:
        return []
    names = {id: f"{base}@{version}" for (base, version), id in library.store.names().items()}
    gains, near, types = (
        mean_gains(library),
        nearness(library.store.tasks(), learnt_of(task)),
        str(task.input_type),
    )

    def order(header: Header) -> tuple[Any, ...]:
        apart = round(near.get(header.card.task, math.inf), ALIKE)
        return apart, header.input != types, -gains.get(header.id, 0.0), -header.card.created, header.id

    headers.sort(key=order)
    found: list[Part] = []
    asking = _Asking(task)
    for header in headers[:MOST_READ]:
        if len(found) >= MOST_ASKED or time.monotonic() >= end:
            break
        try:
            parts = _parts(library, header, names.get(header.id, header.id[:SHORT]), asking)
            for part in parts:
                check(part, task.input_type)
        except (DamagedFile, ProgramError, LookupError, ValueError, TypeError, AttributeError, OverflowError):
            continue
        found.extend(parts)
    return found[:MOST_ASKED]


class _Asking:
    """A task that asks many records: what they all look at is computed once."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.profiles = profiles(task.inputs) if task.modality == "table" else {}
        self._asked: dict[tuple[Field, ...], Asked] = {}

    def knows(self, told: Mapping[str, Any], columns: tuple[Field, ...]) -> bool:
        """Whether a record has learnt from its rows, read by these fields."""
        if columns not in self._asked:
            if len(self._asked) >= MOST_WAYS:
                self._asked.clear()
            self._asked[columns] = asked_of(self.task, columns, without(columns))
        return knows(told, self._asked[columns])


def _parts(library: Library, header: Header, name: str, asking: _Asking) -> list[Part]:
    """A record on its way into a study; nothing where it does not take the rows of the task, or has learnt from them. Where
    numbers seem to be measured in other units there are two, with those that it would know and with the rows as they are;
    of a network there is one for each cut.

    Args:
        library, header, name: of the record.
        asking: the task.
    """
    task = asking.task
    if header.card.task == task.fingerprint:
        return []
    record = Record.from_bytes(library.store.get(header.id))
    ways = _ways(record, asking) if task.modality == "table" else [()]
    if any(asking.knows(record.details["seen"], columns) for columns in ways):
        return []
    told = [_part(library, record, name, task.rows, columns) for columns in ways[:2]]
    found = [part for part in told if part is not None]
    if record.kind != MODULE:
        return found
    return [way for part in found for way in _cut(part, task, _channels(record.input))]


def _cut(part: Part, task: Task, before: int | None) -> list[Part]:
    """What a network sees at its cuts, where that is not too much for so many rows, and what it was kept for; in grey or in
    colour, as the task has it.
    """
    network, state, found = parse(part.source, vocabulary()), only_state(part.weights), []
    channels = task.input_type.dims[2]
    if channels != before:
        state = with_channels(network, state, channels)
        part = replace(part, weights=Weights({FEATURES: state}).to_bytes())
    for cut in cuts_of(network, task.input_type):
        [numbers] = Compiled(cut.body).gives((task.input_type,)).dims
        if numbers * task.rows <= MOST_CELLS:
            weights = Weights({FEATURES: first_layers(cut, state)}).to_bytes()
            found.append(replace(part, source=to_source(cut), weights=weights))
    operations = _operations(network, task.input_type) * task.rows * len(AROUND)
    if task.rows <= FEW_IMAGES and operations <= MOST_VIEWED:
        part, found = replace(part, shifted=True), [replace(each, shifted=True) for each in found]
    return [*found[:1], part, *found[1:]]


def _operations(network: Lambda, input_type: Type) -> float:
    """That a network needs for one image."""
    layers = Compiled(network.body)
    return sum(cost.flops for cost in layers.costs((input_type,), layers.gives((input_type,))))


def _ways(record: Record, asking: _Asking) -> list[tuple[Field, ...]]:
    """How a table may be read for a record, each once: in the likeliest units, as it is, then in others that would do; none
    where it cannot be, or seems to be the very table of the record.
    """
    task = asking.task
    plain = fields_of(codec_from_json(record.details["codec"]), task.schema, constants_of(task))
    likely = plain and in_known_units(plain, record.details.get("profiles", {}), asking.profiles)
    return list(dict.fromkeys([likely[0], plain, *likely[1:]])) if likely else []


def _part(library: Library, record: Record, name: str, rows: int, columns: tuple[Field, ...]) -> Part | None:
    """A record as a part, with fewer of its replicas where many rows will ask it; None where its weights are too large."""
    most = 1 if record.kind == MODULE else min(MOST_REPLICAS, max(1, ROWS_ASKED // rows))
    blobs: list[bytes] = []
    for digest in record.weights[:most]:
        blobs.append(library.store.get(digest))
        if sum(map(len, blobs)) > LARGEST_BYTES:
            blobs.pop()
            break
    if not blobs:
        return None
    told = {"kind": record.kind, "seen": record.details["seen"]}
    if record.kind == MODULE:
        return Part(record.id, name, record.source, blobs[0], **told)
    program, kinds = parse(record.source, vocabulary()), [parse_type(record.input), parse_type(record.output)]
    replicas = together(program, [Weights.from_bytes(blob) for blob in blobs])
    model = Packed(program, replicas, *kinds, columns)
    weights = Weights({FEATURES: model.state}).to_bytes()
    units = sorted({str(column.units) for column in columns if column.units != SAME})
    return Part(record.id, name, record.source, weights, size=model.size, units=", ".join(units), **told)


def check(part: Part, input_type: Type) -> None:
    """Whether a part takes such inputs and may be built; nothing is built.

    Raises:
        ProgramError, DamagedFile: it is not.
    """
    word = word_of(part.function.body)
    if isinstance(word, FrozenNetwork):
        if word.network.inputs != (Var(part.function.names[0]),):
            raise ProgramError("The features of a network are layers on one image.")
        cost = sum(word.network.costs((input_type,), word.infer(input_type)), Cost())
        if broken := LARGEST.broken_by(cost):
            raise ProgramError(f"This network is too large: {broken}.")
    adapted(part, input_type)


def adapted(part: Part, input_type: Type) -> tuple[Learner, State]:
    """A part as a word with its state, for inputs of this type.

    Raises:
        ProgramError, DamagedFile: its weights do not fit.
    """
    node = part.function.body
    word = word_of(node)
    nothing = (np.zeros((0, *input_type.dims), np.uint8),) if isinstance(input_type, Image) else ()
    told = FitContext(
        output=input_type, train_rows=0, types=(input_type,), initial={node.hash: only_state(part.weights)}
    )
    return word, word.fit(nothing, None, told)


def without_parts(program: Program, weights: Mapping[str, State], known: Container[str]) -> Weights:
    """The weights without those of the reused parts that are known, so that a study keeps them once and not with every fold
    of every candidate.

    Args:
        program: that was fitted.
        weights: of it.
        known: hashes of nodes whose weights are kept elsewhere.
    """
    elsewhere = {node.hash for node in reused_parts(program) if node.hash in known}
    return Weights({key: state for key, state in weights.items() if key not in elsewhere})


def with_parts(
    program: Program, replicas: Sequence[Mapping[str, State]], parts: Sequence[Part], input_type: Type
) -> tuple[Weights, ...]:
    """The inverse of `without_parts`, for each replica; what is there already stays. The states are new ones: a model is asked
    itself, whatever a search has kept of its answers.

    Args:
        program: that was fitted.
        replicas: its weights.
        parts: that the study has.
        input_type: of its task.
    """
    named = {part.short: part for part in parts}
    found = {
        node.hash: adapted(named[node.settings["of"]], input_type)[1]
        for node in reused_parts(program)
        if node.settings["of"] in named and any(node.hash not in replica for replica in replicas)
    }
    known = {key: State(dict(state.arrays), dict(state.texts)) for key, state in found.items()}
    return tuple(Weights({**known, **replica}) for replica in replicas)


def scores(parts: Sequence[Part], task: Task, seed: int) -> list[float | None]:
    """How much the features of each part say about the target of a task; None where they cannot be had.

    Args:
        parts: that take its rows.
        task: its training rows.
        seed: of the rows that are looked at. Of a whole model of images, which is several networks and more, only the first
            replica is asked, about fewer rows.
    """
    order, found = np.random.default_rng(seed).permutation(task.rows), []
    for part in parts:
        whole = part.kind == SOLUTION and task.modality == "image"
        rows = np.sort(order[: IMAGES_FOR_WHOLE if whole else MOST_ROWS])
        values = task.schema.argument({name: column[rows] for name, column in task.inputs.items()})
        try:
            word, state = adapted(part, task.input_type)
            features = word.call(values, state=_first_replica(state) if whole else state)
        except Exception:  # it may come from anywhere, and only what it says counts
            found.append(None)
            continue
        sound = np.isfinite(features).all()
        found.append(transferability(features, task.target[rows], task.problem, seed) if sound else None)
    return found


def _first_replica(state: State) -> State:
    """A whole model with one of its replicas, for a first impression."""
    told = Packed.of(state)
    return replace(told, replicas=told.replicas[:1]).state


def ranked(parts: Sequence[Part], scores: Sequence[float | None]) -> list[tuple[Part, float]]:
    """The best few that have a score, the best first; of one record the way in which it tells most.

    A whole model that tells less than half of what a network's features tell is left out: it is several networks and more, so
    what stands on it takes longest.
    """
    known = [(part, score) for part, score in zip(parts, scores, strict=True) if score is not None]
    most = max((score for part, score in known if part.kind == MODULE), default=-math.inf)
    found: dict[str, tuple[Part, float]] = {}
    for part, score in sorted(known, key=lambda pair: -pair[1]):
        if part.kind == MODULE or not 0.0 < score < WORTH * most:
            found.setdefault(part.record, (part, score))
    return list(found.values())[:BEST]


def reason(problem: str, score: float, units: str = "") -> str:
    """Why a part is suggested, in words.

    >>> reason("multiclass", 0.834)
    'a linear model on its features knows 83.4 % of the rows when it has seen the others'
    >>> reason("regression", -1.2, "1.8 x + 32")
    'log evidence -1.2 a row for a linear model on its features; its columns came in other units (1.8 x + 32 here)'
    """
    told = f"; its columns came in other units ({units} here)" if units else ""
    if problem in ("binary", "multiclass"):
        known = f"{100.0 * score:.1f} %"
        return f"a linear model on its features knows {known} of the rows when it has seen the others{told}"
    return f"log evidence {score:.3g} a row for a linear model on its features{told}"


def _may_take(header: Header, input_type: Type) -> bool:
    """A network takes images of any size, in grey or in colour; a whole model images of its own kind, or rows."""
    if not isinstance(input_type, Image):
        return header.input.startswith("Record")
    if header.kind == SOLUTION:
        return header.input == str(input_type)
    channels = _channels(header.input), input_type.dims[2]
    return channels[0] is not None and (channels[0] == channels[1] or 1 in channels)


@lru_cache
def _channels(text: str) -> int | None:
    """Of a type that is an image, as text; libraries say the same few types many times."""
    try:
        kind = parse_type(text)
    except (ProgramError, ValueError):
        return None
    return kind.dims[2] if isinstance(kind, Image) and len(kind.dims) == 3 else None
