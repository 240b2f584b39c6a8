"""Looking after a library: `verify` proves that nothing was forgotten, `gc` lets go of what nobody can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.errors import PerennialError
from perennial.library.base import Swept
from perennial.library.golden import CLOSE, difference
from perennial.library.library import Library, model_of
from perennial.library.records import SHORT, Header, Record

GRACE_SECONDS = 24 * 3600.0
"""What is younger is never swept: another process may be about to name it."""
GONE = "A blob that a record needs is gone."


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was kept.

    Args:
        what: one sentence.
        digest: of the blob or the record.
        names: of the records that need it.
    """

    what: str
    digest: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what was found.

    Args:
        records, blobs: how many were read and compared with their hashes.
        replayed: models that said their golden outputs again.
        exact: of these, bit for bit.
        problems: none in a sound library.
        orphans: blobs that no record needs; no harm, `gc` removes them.
    """

    records: int
    blobs: int
    replayed: int
    exact: int
    problems: tuple[Problem, ...]
    orphans: int


def verify(library: Library, sample: int | None = None, seed: int = 0) -> Verified:
    """Reads every blob and compares it with its hash, every record with the index, and replays golden outputs.

    Args:
        library: whose damaged files are moved aside as they are found.
        sample: replay at most so many models, chosen by chance; None replays all.
        seed: of that choice.
    """
    store, problems = library.store, []
    headers, names = list(library.walk()), store.names()
    needs = _names_by_record(names)
    known = {header.id for header in headers}
    for (base, version), id in names.items():
        if id not in known and store.header(id) is None:
            problems.append(Problem("A name points to a record that is gone.", id, (f"{base}@{version}",)))
    sound, damaged = set(), {}
    for blob in store.blobs():
        try:
            store.get(blob.digest)
            sound.add(blob.digest)
        except PerennialError as error:
            damaged[blob.digest] = error.what
    needed: set[str] = set()
    for header in headers:
        needed.update(header.blobs)
        lost = [digest for digest in header.blobs if digest not in sound and not _is_there(library, digest)]
        told = needs.get(header.id, (header.id[:SHORT],))
        problems += [Problem(damaged.get(digest, GONE), digest, told) for digest in lost]
        if not lost and (what := _disagreement(library, header)):
            problems.append(Problem(what, header.id, told))
    problems += [Problem(what, digest) for digest, what in damaged.items() if digest not in needed]
    whole = (header for header in headers if all(digest in sound for digest in header.blobs))
    again = replays(library, whole, sample, seed)
    problems += [Problem(what, header.id, needs.get(header.id, ())) for header, _, what in again if what]
    exact = sum(same for _, same, _ in again)
    return Verified(
        len(headers), len(sound) + len(damaged), len(again), exact, tuple(problems), len(sound - needed)
    )


def replays(
    library: Library, headers: Iterable[Header], sample: int | None = None, seed: int = 0
) -> list[tuple[Header, bool, str]]:
    """Lets solutions say their golden outputs again: each with whether it says the same bit for bit, and what is wrong where it
    says something else.

    Args:
        library: that holds them.
        headers: of records; those that are no solutions, or have no golden outputs, are passed over.
        sample: only so many, chosen by chance; None replays all.
        seed: of that choice.
    """
    return [(header, *_replayed(library, header)) for header in _chosen(headers, sample, seed)]


def replay_of(header: Header, blob: Callable[[str], bytes]) -> dict[str, Any]:
    """What a worker, which has no library, needs to replay a record.

    Args:
        header: of the record.
        blob: gives the bytes of a digest, and raises what it raises where they are gone or damaged.
    """
    blobs = {digest: blob(digest) for digest in header.blobs}
    return {"record": header.id, "golden": header.card.golden, "blobs": blobs}


def replayed(record: str, golden: str, blobs: Mapping[str, bytes]) -> tuple[bool, str]:
    """Whether a model says its golden outputs bit for bit, and a sentence where it says something else.

    Raises:
        DamagedFile: the bytes are no model, or no golden outputs of it.
    """
    model = model_of(Record.from_bytes(blobs[record]), blobs.__getitem__)
    same, apart = difference(model, blobs[golden])
    if apart <= CLOSE:
        return same, ""
    return same, f"A model does not say what it said when it was kept (relative difference {apart:.2g})."


def gc(library: Library, *, dry_run: bool = False, grace: float = GRACE_SECONDS) -> Swept:
    """Removes records that no name reaches, by itself or through those that were made from it, and blobs that no
    record needs.

    Args:
        library: a name is what keeps a record; `Library.forget` takes one away.
        dry_run: only say what would be removed.
        grace: seconds; what is younger stays.
    """
    return library.store.sweep(grace, dry_run)


def _is_there(library: Library, digest: str) -> bool:
    """A blob may have been put after the blobs were listed."""
    try:
        library.store.get(digest)
    except PerennialError:
        return False
    return True


def _names_by_record(names: Mapping[tuple[str, int], str]) -> dict[str, tuple[str, ...]]:
    named: dict[str, tuple[str, ...]] = {}
    for (base, version), id in names.items():
        named[id] = (*named.get(id, ()), f"{base}@{version}")
    return named


def _disagreement(library: Library, header: Header) -> str:
    """What the index says of a record that its bytes do not; empty when they agree."""
    try:
        record = Record.from_bytes(library.store.get(header.id))
    except PerennialError as error:
        return error.what
    told = (header.kind, header.input, header.output, header.weights)
    if told != (record.kind, record.input, record.output, record.weights):
        return "The index says something else of a record than the record itself."
    return ""


def _chosen(headers: Iterable[Header], sample: int | None, seed: int) -> list[Header]:
    """Solutions that can be replayed: all of these headers, or so many of them by chance."""
    golden = [header for header in headers if header.kind == "solution" and header.card.golden]
    if sample is None:
        return golden
    order = np.random.default_rng(seed).permutation(len(golden))
    return [golden[int(place)] for place in order[:sample]]


def _replayed(library: Library, header: Header) -> tuple[bool, str]:
    """Whether a model says the same bit for bit, and what is wrong when it says something else."""
    try:
        return replayed(**replay_of(header, library.store.get))
    except PerennialError as error:
        return False, error.what
    except Exception as error:  # whatever stops a model from answering is what was asked for
        return False, f"A model cannot be asked any more: {type(error).__name__}: {error}"
