"""The library: what was learnt stays, under names, with the evidence of where it helped.

>>> import tempfile
>>> from perennial.library import Card, Library, Record
>>> with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
...     name = library.add(Record("module", "lambda x: add(x, 1)", "Int", "Int"), Card(0.0), name="numbers/next")
...     name, library.get("numbers/next").source
('numbers/next@1', 'lambda x: add(x, 1)')
"""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perennial.compiler import apart, together
from perennial.errors import DamagedFile, UsageError
from perennial.lang import parse, to_source
from perennial.library.base import Store
from perennial.library.description import learnt_of
from perennial.library.embedded import Embedded
from perennial.library.golden import answers, golden_bytes, probes
from perennial.library.records import (
    SHORT,
    Batch,
    Card,
    Evidence,
    Header,
    Learnt,
    Record,
    name_part,
    split_name,
)
from perennial.library.seen import told_of
from perennial.modalities import codec_from_json
from perennial.modalities.units import profiles
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.task import Task
from perennial.weights import Weights

ENVIRONMENT = "PERENNIAL_LIBRARY"
PIECE = 1000
SOLUTION_NAME = "/solution"
KEPT_INFORMATION = ("metric", "kind", "interval")
"""What a model knows about itself that does not change when it is grown again."""


@dataclass(frozen=True)
class Listed:
    """One line of a listing.

    Args:
        name: with its version; a short id where there is no name.
        header: of the record.
        task: that it was learnt on, when it is known.
        evidence: what is known of it.
    """

    name: str
    header: Header
    task: Learnt | None
    evidence: tuple[Evidence, ...]


class Library:
    """A place where records stay.

    Args:
        place: a folder, or a `Store`; `None` takes the environment's `PERENNIAL_LIBRARY`, else the user's data folder.

    Raises:
        StoreError: it cannot be opened.
    """

    def __init__(self, place: str | Path | Store | None = None) -> None:
        self.store = place if isinstance(place, Store) else Embedded(place or default_place())

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the folder; may be called twice."""
        self.store.close()

    # -- adding ----------------------------------------------------------------------------------------------------

    def add(self, record: Record, card: Card, *, name: str = "", evidence: Sequence[Evidence] = ()) -> str:
        """Adds one record, and gives its name with its version, or its short id.

        Args:
            record: whose weights have been put into the store.
            card: where it comes from.
            name: base of its name, such as `digits/stroke-encoder`.
            evidence: of where it helped.

        Raises:
            UsageError: the name has a version, or is none.
        """
        if name and split_name(name)[1] is not None:
            raise UsageError(
                f"The version of {name!r} is given by the library.", todo="Leave out the part from @."
            )
        names = {name: record.id} if name else {}
        self.store.commit(Batch(((record, card),), names, tuple(evidence)))
        if not name:
            return record.id[:SHORT]
        return self.newest(name, record.id)

    def keep(
        self, model: Model, task: Task, *, metric: str, baseline: float | None, value: float | None,
        interval: tuple[float, float] | None = None, n: int = 0, card: Card | None = None, seconds: float = 0.0,
        seen: Sequence[Mapping[str, Any]] = (), say: Callable[[dict[str, np.ndarray]], np.ndarray] | None = None,
    ) -> str:  # fmt: skip
        """Keeps a model as the solution of a task, with golden outputs, and gives its name.

        Args:
            model: whose codec is the task's.
            task: that it was grown on.
            metric: by its name.
            baseline: what common sense gives.
            value: of the metric, on rows that it was not made from.
            interval: 95 %, of `value`.
            n: rows that it was measured on.
            card: what is known of its making; the task and the golden outputs are added.
            seconds: that it took to grow.
            seen: what the records that it stands on say of the rows that they have learnt from.
            say: gives what `golden.answers` of the model gives, where somebody has it at hand; None asks the model itself.
        """
        asked = probes(task)
        golden = self.store.put(golden_bytes(asked, say(asked) if say else answers(model, asked)))
        record = self.record_of(model, task, seen)
        told = {**(card or Card(time.time())).to_json(), "task": task.fingerprint, "golden": golden}
        low, high = interval or (None, None)
        learnt = learnt_of(task, metric, baseline)
        proof = Evidence(
            record.id, task.fingerprint, "solution", metric, value, low=low, high=high, n=n, seconds=seconds
        )
        base = f"{name_part(task.name)}{SOLUTION_NAME}"
        batch = Batch(((record, Card.from_json(told)),), {base: record.id}, (proof,), (learnt,))
        self.store.commit(batch)
        return self.newest(base, record.id)

    def newest(self, base: str, record: str) -> str:
        """The newest name of a base that points to a record; its short id when it was forgotten meanwhile."""
        versions = [version for (_, version), id in self.store.names(base).items() if id == record]
        return f"{base}@{max(versions)}" if versions else record[:SHORT]

    def record_of(self, model: Model, task: Task, seen: Sequence[Mapping[str, Any]] = ()) -> Record:
        """A model as a record, with a sketch of the rows that it has seen; its weights are put into the store."""
        written = apart(model.program, model.replicas)
        digests = tuple(self.store.put(replica.to_bytes()) for replica in written)
        codec = model.codec
        details = {
            "codec": _without_cells(codec.to_json()),
            "decision": model.decision,
            "information": {name: model.information[name] for name in KEPT_INFORMATION if name in model.information},
            **({"seen": told_of(task, *seen)} if task.schema.batched else {}),
            **({"profiles": profiles(task.inputs)} if task.modality == "table" else {}),
        }  # fmt: skip
        source, types = to_source(model.program), (str(codec.input_type), str(codec.output_type))
        return Record("solution", source, *types, digests, details)

    def note(self, evidence: Evidence) -> None:
        """Adds what was learnt about a record, good or bad."""
        self.store.commit(Batch(evidence=(evidence,)))

    def forget(self, name: str) -> str:
        """Takes a name away; what it pointed to is swept by the next `gc` unless another name points to it.

        Raises:
            UsageError: there is no such name.
        """
        base, version = split_name(name)
        versions = {n for (_, n) in self.store.names(base)}
        if not versions or (version is not None and version not in versions):
            raise UsageError(f"The library has no {name!r}.", where=self.store.place, todo=_offer(self, base))
        version = version or max(versions)
        self.store.forget(base, version)
        return f"{base}@{version}"

    # -- looking ---------------------------------------------------------------------------------------------------

    def find(self, reference: str) -> str:
        """The id that a name, an id or the beginning of an id stands for.

        Raises:
            UsageError: there is none, or the beginning fits several.
        """
        if set(reference) <= set("0123456789abcdef") and len(reference) >= 6:
            found = [
                header.id for header in self.store.headers(after=_before(reference), limit=2)
                if header.id.startswith(reference)
            ]  # fmt: skip
            if len(found) == 1:
                return found[0]
            if found:
                raise UsageError(f"{reference!r} begins several ids.", todo="Give more of it.")
        base, version = split_name(reference)
        names = self.store.names(base)
        wanted = (base, version or max((n for _, n in names), default=0))
        if wanted not in names:
            raise UsageError(
                f"The library has no {reference!r}.", where=self.store.place, todo=_offer(self, base)
            )
        return names[wanted]

    def get(self, reference: str) -> Record:
        """The record of a name or an id.

        Raises:
            UsageError: the library does not know it.
            DamagedFile: its bytes have changed.
        """
        return Record.from_bytes(self.store.get(self.find(reference)))

    def model(self, reference: str) -> Model:
        """The model of a solution, as it was kept.

        Raises:
            UsageError: it is unknown, or no solution.
            DamagedFile: a part of it has changed.
        """
        return model_of(self.get(reference), self.store.get)

    def walk(self, **chosen: str) -> Iterator[Header]:
        """All headers with these properties, piece by piece, ordered by id; see `Store.headers`."""
        after = ""
        while piece := self.store.headers(after=after, limit=PIECE, **chosen):
            yield from piece
            after = piece[-1].id

    def listing(self, **chosen: str) -> list[Listed]:
        """One line a name, ordered by name; then the records without a name."""
        names = self.store.names()
        tasks = {task.fingerprint: task for task in self.store.tasks()}
        proofs: dict[str, list[Evidence]] = {}
        for each in self.store.evidence():
            proofs.setdefault(each.record, []).append(each)
        headers = {header.id: header for header in self.walk(**chosen)}

        def line(name: str, header: Header) -> Listed:
            return Listed(name, header, tasks.get(header.card.task), tuple(proofs.get(header.id, ())))

        named = [line(f"{base}@{n}", headers[id]) for (base, n), id in names.items() if id in headers]
        pointed = set(names.values())
        return named + [line(id[:SHORT], header) for id, header in headers.items() if id not in pointed]


@contextmanager
def opened(library: Library | str | Path | None) -> Iterator[Library | None]:
    """A library that is open already, one that is opened for as long as this lasts, or none."""
    if not isinstance(library, str | Path):
        yield library
        return
    with Library(library) as found:
        yield found


def model_of(record: Record, blob: Callable[[str], bytes]) -> Model:
    """A record of a solution as a model. Nothing in it can run code: its program is parsed word by word.

    Args:
        record: of a solution.
        blob: gives the bytes of a digest.

    Raises:
        UsageError: the record is no solution.
        DamagedFile: its parts do not make a model.
    """
    if record.kind != "solution":
        raise UsageError(f"A {record.kind} is no model that predicts by itself.")
    try:
        details = record.details
        replicas = tuple(Weights.from_bytes(blob(digest)) for digest in record.weights)
        codec, program = codec_from_json(details["codec"]), parse(record.source, vocabulary())
        model = Model(
            program, together(program, replicas), codec, details["information"], details["decision"]
        )
        model.check()
        return model
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedFile(f"The record {record.id[:SHORT]} is no model: {error}.") from error


def default_place() -> Path:
    """Where the library of a user lies."""
    told = os.environ.get(ENVIRONMENT)
    if told:
        return Path(os.path.expanduser(told))
    data = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(data or Path.home() / ".local" / "share") / "perennial" / "library"


def _without_cells(codec: dict[str, Any]) -> dict[str, Any]:
    """A codec without the examples of cells that a report shows: they are not needed, and they are somebody's data."""
    columns = codec.get("columns")
    if not isinstance(columns, list):
        return codec
    return {
        **codec,
        "columns": [{**column, "examples": []} if "examples" in column else column for column in columns],
    }


def _before(reference: str) -> str:
    """The largest id that comes before all that begin so."""
    return f"{int(reference, 16) - 1:0{len(reference)}x}".ljust(64, "f") if int(reference, 16) else ""


def _offer(library: Library, base: str) -> str:
    known = sorted({name for name, _ in library.store.names()})
    close: Any = difflib.get_close_matches(base, known, n=1)
    return f"Did you mean {close[0]}?" if close else "See: perennial library list"
