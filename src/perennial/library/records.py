"""What a library remembers: records that never change, and what is known about them.

A `Record` is named by the hash of what it computes with, so the same thing is kept once and a changed thing is another
one. What people and later tasks learn about it stands beside it and only grows: a `Card` of where it came from,
`Evidence` of where it helped and where it did not, edges to the records that it was made from, and names, which are
pointers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Self

from perennial.errors import DamagedFile, UsageError
from perennial.storages.base import plain

VERSION = 1
KINDS = ("solution", "module", "recipe")
RELATIONS = ("fine-tuned", "extracted", "grafted")
DIGEST = re.compile(r"[0-9a-f]{64}")
BASE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(/[a-z0-9][a-z0-9_-]{0,63}){0,3}")
SHORT = 12
LARGEST_RECORD = 64 * 2**20
MOST_WEIGHTS = 10_000
LARGEST_NUMBER = 1e300
ANNOTATED = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "Mapping[str, Any]": (dict,),
}


@dataclass(frozen=True)
class Record:
    """A program with what it learnt; its id is the hash of everything here.

    Args:
        kind: `solution` (a whole model), `module` (a typed part of one) or `recipe` (how something was trained).
        source: the program, as Python.
        input: type of what it takes, as text.
        output: type of what it gives.
        weights: digests of the blobs with its weights, one a replica; empty when it learns nothing.
        details: what else it needs, as JSON: the codec of a solution, how probabilities become labels.

    >>> record = Record("module", "lambda x: add(x, 1)", "Int", "Int")
    >>> Record.from_bytes(record.to_bytes()) == record, len(record.id)
    (True, 64)
    """

    kind: str
    source: str
    input: str
    output: str
    weights: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"A record is one of {', '.join(KINDS)}, received {self.kind!r}.")
        object.__setattr__(self, "weights", tuple(self.weights))
        object.__setattr__(self, "details", plain(self.details))

    def to_bytes(self) -> bytes:
        """The record as canonical JSON: equal records give equal bytes."""
        return canonical({"perennial": VERSION, **asdict(self)})

    @staticmethod
    def from_bytes(data: bytes) -> Record:
        """The inverse of `to_bytes`. Nothing is parsed or built: the program stays text.

        Raises:
            DamagedFile: the bytes are no record.
        """
        try:
            if len(data) > LARGEST_RECORD:
                raise ValueError(f"it is larger than {LARGEST_RECORD} bytes")
            told = json.loads(data)
            if told.pop("perennial") != VERSION:
                raise ValueError("it is of another version")
            for name in ("kind", "source", "input", "output"):
                if not isinstance(told[name], str):
                    raise ValueError(f"`{name}` is no text")
            weights = told["weights"]
            if len(weights) > MOST_WEIGHTS or not all(DIGEST.fullmatch(digest) for digest in weights):
                raise ValueError("its weights are not named by hashes")
            if not isinstance(told["details"], dict):
                raise ValueError("its details are no object")
            record = Record(**told)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError) as error:
            raise DamagedFile(f"These bytes are no record of a library: {error}.") from error
        if record.to_bytes() != data:
            raise DamagedFile("A record is not written the one way in which records are written.")
        return record

    @cached_property
    def id(self) -> str:
        """The sha256 of its bytes, in hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.id)


class Told:
    """What is told beside a record: a frozen dataclass that is JSON in the index and in packs."""

    def to_json(self) -> dict[str, Any]:
        """As a dictionary."""
        return plain(asdict(self))

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; keys of later versions are left out.

        Raises:
            DamagedFile: a field is missing or of another type than it is annotated with.
        """
        annotated = {each.name: ANNOTATED[str(each.type)] for each in fields(cls)}
        try:
            given = {name: value for name, value in told.items() if name in annotated}
            for name, value in given.items():
                if type(value) not in annotated[name]:
                    raise TypeError(f"`{name}` is a {type(value).__name__}")
                if type(value) in (int, float) and not abs(value) < LARGEST_NUMBER:
                    raise TypeError(f"`{name}` is out of all bounds")
            return cls(**given)
        except (TypeError, AttributeError) as error:
            raise DamagedFile(f"This is no {cls.__name__} of a library: {error}.") from error


@dataclass(frozen=True)
class Card(Told):
    """Where a record came from; not part of its identity.

    Args:
        created: seconds since 1970.
        study: name of the study that grew it.
        task: fingerprint of the task it was learnt on.
        golden: digest of the blob with inputs and the outputs that it must always give for them; empty without.
        licence: of the record, as SPDX writes it; empty when nobody said.
        made_with: versions, backend and machine.
        recipe: seed, seconds, trials and settings that led to it.
    """

    created: float
    study: str = ""
    task: str = ""
    golden: str = ""
    licence: str = ""
    made_with: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence(Told):
    """How a record did on a task, whether it helped or not.

    Args:
        record: id.
        task: fingerprint.
        role: what it was there: `solution`, `prefix`, `suffix`, `recipe` …
        metric: by its name.
        value: of the metric, in its own direction.
        scratch: what the same time gave without the library; None when nobody tried.
        gain: how much better than without, in the direction of better.
        low, high: a 95 % interval of `value` or, where there is one, of `gain`.
        n: rows or seeds that it was measured on.
        seconds: that it cost.
        accepted: whether it became part of the answer.
        study: that tried what the library suggested; empty where nobody suggested it.
        told: when, in seconds since 1970; of what one study tells twice, the later holds.
    """

    record: str
    task: str
    role: str
    metric: str
    value: float | None
    scratch: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    seconds: float = 0.0
    accepted: bool = True
    study: str = ""
    told: float = 0.0

    @cached_property
    def digest(self) -> str:
        """The same evidence is kept once."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()


@dataclass(frozen=True)
class Learnt(Told):
    """A task that something was learnt on: what is kept of it is a description, never its data.

    Args:
        fingerprint: of the data.
        name: short.
        modality: such as `table`.
        problem: such as `multiclass`.
        input, output: types, as text.
        rows: how many.
        metric: that judged.
        baseline: what common sense gave.
        description: figures by which tasks are compared.
    """

    fingerprint: str
    name: str
    modality: str
    problem: str
    input: str
    output: str
    rows: int
    metric: str
    baseline: float | None = None
    description: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """A record that was made from another."""

    child: str
    parent: str
    relation: str


@dataclass(frozen=True)
class Header:
    """What the index says of a record, without its program and the content of its weights."""

    id: str
    kind: str
    input: str
    output: str
    weights: tuple[str, ...]
    card: Card

    @staticmethod
    def of(record: Record, card: Card) -> Header:
        """What the index says of a record with this card."""
        return Header(record.id, record.kind, record.input, record.output, record.weights, card)

    @property
    def blobs(self) -> tuple[str, ...]:
        """Everything that must be there for the record to be whole."""
        return (self.id, *self.weights, *((self.card.golden,) if self.card.golden else ()))


@dataclass(frozen=True)
class Batch:
    """Everything that one commit adds; all of it or nothing.

    Args:
        records: with their cards; the blobs that they name have been put before.
        names: base name → record id; each gets the next version of its base, unless its newest is that record.
        evidence, tasks, edges: are added to what is known.
    """

    records: tuple[tuple[Record, Card], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    tasks: tuple[Learnt, ...] = ()
    edges: tuple[Edge, ...] = ()


def split_name(name: str) -> tuple[str, int | None]:
    """A base name and a version; None stands for the newest.

    Raises:
        UsageError: it is no name.

    >>> split_name("digits/stroke-encoder@3"), split_name("titanic/solution")
    (('digits/stroke-encoder', 3), ('titanic/solution', None))
    """
    base, at, version = name.partition("@")
    if not BASE_NAME.fullmatch(base) or at and not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise UsageError(
            f"{name[:80]!r} is no name of a library.",
            todo="Names look like titanic/solution or titanic/solution@2.",
        )
    return base, int(version) if at else None


def name_part(text: str) -> str:
    """Any text as one part of a name; of a text without letters that a name may have, a few digits of its hash.

    >>> name_part("Straße & Co. (2024)"), name_part("Продажи")
    ('stra-e-co-2024', 'task-355eef19')
    """
    part = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:64]
    return part or f"task-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def canonical(told: Any) -> bytes:
    """JSON written one way only, in ASCII."""
    return json.dumps(plain(told), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
