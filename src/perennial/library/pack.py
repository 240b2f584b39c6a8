"""A pack: records in one file, to carry from one library to another.

A zip of stored members: `manifest.json`, then the blobs. Equal content gives equal bytes. A pack from a stranger is data:
it is read member by member against bounds, every blob against its hash, every program against the vocabulary, every
type against the language, every network's weights against the sizes that its types say, every model against its golden
outputs; nothing is written before everything is found good.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from perennial.compiler import heads, reused_parts
from perennial.errors import DamagedFile, PerennialError, UsageError, WorkerError
from perennial.executors import Job, Processes
from perennial.lang import Call, Image, parse, parse_type
from perennial.library import features
from perennial.library.base import reachable
from perennial.library.golden import CLOSE, difference
from perennial.library.library import Library, model_of
from perennial.library.records import (
    DIGEST,
    RELATIONS,
    SHORT,
    Batch,
    Card,
    Edge,
    Evidence,
    Header,
    Learnt,
    Record,
    canonical,
    split_name,
)
from perennial.library.upkeep import replay_of
from perennial.primitives import vocabulary
from perennial.spaces.limits import Limits, cost_of
from perennial.storages.sqlite import disk
from perennial.weights import Weights

VERSION = 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST, LARGEST_TOTAL, MOST_MEMBERS = 64 * 2**20, 4 * 2**30, 100_000
LARGEST_NETWORK = Limits(parameters=1e9, flops=1e12, activations=1e9)
LONGEST_TEXT, CONTROL = 100_000, re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
TYPES = ("input", "output")
REPLAY_BYTES, REPLAY_SECONDS = 4 * 2**30, 600.0
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Packed:
    """What was written into a pack.

    Args:
        names: with their versions.
        records: ids of all records, those that the named ones were made from among them.
        keeps_rows: words in their programs whose states hold rows that they have learnt from.
    """

    names: tuple[str, ...]
    records: tuple[str, ...]
    keeps_rows: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """Everything in a pack.

    Args:
        batch: what a library would commit.
        names: base → record id, as the packing library had them, oldest version first.
        blobs: digest → bytes of weights and golden outputs.
    """

    batch: Batch
    names: tuple[tuple[str, str], ...]
    blobs: Mapping[str, bytes]


def pack(library: Library, references: Sequence[str], path: str | Path, licence: str = "") -> Packed:
    """Writes records, what they were made from, and what is known of them on the tasks that they were learnt on.

    Args:
        library: that holds them.
        references: names, ids or patterns such as `digits/*`; none takes everything that has a name.
        path: of the file; an older one is replaced when the new one is whole.
        licence: that records get in the pack (SPDX name) where nobody said another.

    Raises:
        UsageError: a reference stands for nothing, or all of it is more than is read again.
        DamagedFile: a part of a record has changed.
        StoreError: the file cannot be written.
    """
    store = library.store
    names, edges = _matching(library, references), store.edges()
    asked = [id for _, _, id in names] + [library.find(each) for each in references if not _is_pattern(each)]
    found = {id: store.header(id) for id in sorted(reachable(asked, edges))}
    headers = {id: header for id, header in found.items() if header is not None}
    needed = {digest for header in headers.values() for digest in header.blobs}
    _refuse_too_much(len(needed), sum(blob.size for blob in store.blobs() if blob.digest in needed))
    files = {digest: store.get(digest) for digest in needed}
    fingerprints = {header.card.task for header in headers.values()}
    evidence = sorted(
        (each for id in headers for each in store.evidence(record=id) if each.task in fingerprints),
        key=lambda each: each.digest,
    )
    manifest = {
        "perennial": VERSION,
        "records": [
            {"id": id, "card": replace(header.card, licence=header.card.licence or licence).to_json()}
            for id, header in headers.items()
        ],
        "names": [[base, id] for base, _, id in names],
        "edges": [
            [edge.child, edge.parent, edge.relation] for edge in edges if {edge.child, edge.parent} <= headers.keys()
        ],
        "evidence": [each.to_json() for each in evidence],
        "tasks": [task.to_json() for task in store.tasks() if task.fingerprint in fingerprints],
        "blobs": [{"sha256": digest, "size": len(files[digest])} for digest in sorted(files)],
    }  # fmt: skip
    members = {MANIFEST: canonical(manifest)} | {f"blobs/{digest}": files[digest] for digest in sorted(files)}
    _refuse_too_much(len(members), sum(map(len, members.values())), len(members[MANIFEST]))
    _write(Path(path), members)
    sources = (Record.from_bytes(files[id]).source for id in headers)
    keeps_rows = {word for source in sources for word in _words_that_keep_rows(source)}
    named = tuple(f"{base}@{version}" for base, version, _ in names)
    return Packed(named, tuple(headers), tuple(sorted(keeps_rows)))


def unpack(library: Library, path: str | Path, licences: Iterable[str] | None = None) -> list[str]:
    """Adds what is in a pack, after everything in it was found good, and gives the names that its records have here.

    Args:
        library: that it is added to.
        path: of the pack.
        licences: as for `inspect`.

    Raises:
        DamagedFile, UsageError: as for `inspect`.
    """
    return add(library, inspect(path, licences))


def add(library: Library, contents: Contents) -> list[str]:
    """Adds what was found good, and gives its names; what the library has already is left as it is."""
    for data in contents.blobs.values():
        library.store.put(data)
    library.store.commit(contents.batch)
    for names in _in_turn(contents.names, set((base, id) for (base, _), id in library.store.names().items())):
        library.store.commit(Batch(names=names))
    packed = set(contents.names)
    return [f"{base}@{n}" for (base, n), id in library.store.names().items() if (base, id) in packed]


def _in_turn(names: Iterable[tuple[str, str]], known: set[tuple[str, str]]) -> list[dict[str, str]]:
    """Names that are not known yet, so that each of the commits has a base once and older versions come first."""
    commits: list[dict[str, str]] = []
    for base, id in names:
        if (base, id) not in known:
            free = next((commit for commit in commits if base not in commit), None)
            if free is None:
                commits.append(free := {})
            free[base] = id
    return commits


def inspect(path: str | Path, licences: Iterable[str] | None = None) -> Contents:
    """What is in a pack, checked, with nothing written anywhere.

    Args:
        path: of the pack.
        licences: only records with one of these (SPDX names; an empty text stands for none given); None takes any.

    Raises:
        DamagedFile: it is no pack, or something in it is not what it claims to be.
        UsageError: a record has another licence.
    """
    contents, allowed = _sound(path), None if licences is None else set(licences)
    for record, card in contents.batch.records:
        if allowed is not None and card.licence not in allowed:
            raise UsageError(
                f"A record in the pack has the licence {card.licence or 'none'!r}.",
                where=f"{path}: {record.id[:SHORT]}",
                todo=f"Allow it with --licence, or leave it. Allowed now: {', '.join(sorted(allowed))}.",
            )
    return contents


def _sound(path: str | Path) -> Contents:
    try:
        contents = _contents(_members(Path(path)))
        _check_records(contents)
        _try_elsewhere(contents)
    except (
        zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, LookupError, RecursionError, OSError,
        NotImplementedError, EOFError,
    ) as error:  # fmt: skip
        raise DamagedFile(f"This is no pack that can be trusted: {error}.", where=str(path)) from error
    except PerennialError as error:
        raise DamagedFile(
            f"Something in this pack is not what it claims to be: {error.what}",
            where=str(path),
            why="" if isinstance(error, WorkerError) else error.where,
        ) from error
    return contents


# -- writing ---------------------------------------------------------------------------------------------------------


def _matching(library: Library, references: Sequence[str]) -> list[tuple[str, int, str]]:
    """The names that the references stand for: base, version and id, in order."""
    known = [(base, version, id) for (base, version), id in library.store.names().items()]
    chosen = set() if references else set(known)
    for reference in references:
        if _is_pattern(reference):
            found = {entry for entry in known if fnmatchcase(entry[0], reference)}
            if not found:
                raise UsageError(f"No name looks like {reference!r}.", todo="See: perennial library list")
        else:
            id = library.find(reference)
            found = {entry for entry in known if entry[2] == id}
        chosen |= found
    return sorted(chosen)


def _words_that_keep_rows(source: str) -> set[str]:
    words = (node.function for node in parse(source, vocabulary()).walk() if isinstance(node, Call))
    return {word.name for word in words if getattr(word, "keeps_rows", False)}


def _is_pattern(reference: str) -> bool:
    return any(sign in reference for sign in "*?[")


def _refuse_too_much(files: int, size: int, told: int = 0) -> None:
    """What would not be read again is not written, nor loaded to be written."""
    if files > MOST_MEMBERS or size > LARGEST_TOTAL or told > LARGEST_MANIFEST:
        raise UsageError(
            f"This is too much for one pack: {files} files, {size / 2**20:.0f} MB.",
            why=f"At most {MOST_MEMBERS} files and {LARGEST_TOTAL / 2**20:.0f} MB are read again.",
            todo="Write several packs, with patterns of names such as 'digits/*'.",
        )


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, members)
    except OSError as error:
        raise disk.cannot_write("The pack", path.parent, error) from error


def _write_whole(path: Path, members: Mapping[str, bytes]) -> None:
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                told = zipfile.ZipInfo(name, EPOCH)
                told.external_attr, told.create_system = (stat.S_IFREG | 0o644) << 16, 3
                archive.writestr(told, data)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


# -- reading ---------------------------------------------------------------------------------------------------------


def _members(path: Path) -> dict[str, bytes]:
    """The bytes of each member. Sizes are counted as they are read, not as the headers say.

    Raises:
        ValueError: a member that a pack does not have, or too much of anything.
    """
    if not path.is_file():
        raise ValueError("there is no such file")
    members: dict[str, bytes] = {}
    left = LARGEST_TOTAL
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_MEMBERS:
            raise ValueError(f"it has {len(entries)} members, at most {MOST_MEMBERS} are read")
        for entry in entries:
            _check_entry(entry, members)
            bound = min(left, LARGEST_MANIFEST if entry.filename == MANIFEST else LARGEST_TOTAL)
            with archive.open(entry) as file:
                data = file.read(min(bound, entry.file_size) + 1)
            if len(data) > bound or len(data) != entry.file_size:
                raise ValueError(f"the member {entry.filename[:80]!r} is larger than it says or than is read")
            members[entry.filename], left = data, left - len(data)
    return members


def _check_entry(entry: zipfile.ZipInfo, known: Mapping[str, bytes]) -> None:
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name != MANIFEST and not (name.startswith("blobs/") and DIGEST.fullmatch(name[len("blobs/") :])):
        raise ValueError(f"a pack has no member {name[:80]!r}")
    if name in known:
        raise ValueError(f"the member {name[:80]!r} is there twice")
    if kind not in (0, stat.S_IFREG):
        raise ValueError(f"the member {name[:80]!r} is no regular file")
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(
            f"the member {name[:80]!r} is compressed or encrypted; a pack stores its members as they are"
        )


def _contents(members: Mapping[str, bytes]) -> Contents:
    """The manifest and the blobs, each against its hash, all of them accounted for."""
    told = json.loads(members[MANIFEST])
    if told["perennial"] != VERSION:
        raise ValueError(f"it is of version {told['perennial']!r}, known here is {VERSION}")
    blobs = {}
    for name, data in members.items():
        if name != MANIFEST:
            digest = name[len("blobs/") :]
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError(f"the blob {digest[:12]} does not match its hash")
            blobs[digest] = data
    if [(each["sha256"], each["size"]) for each in told["blobs"]] != [
        (d, len(blobs[d])) for d in sorted(blobs)
    ]:
        raise ValueError("the manifest lists other blobs than there are")
    records = tuple(
        (Record.from_bytes(blobs[each["id"]]), Card.from_json(each["card"])) for each in told["records"]
    )
    batch = Batch(
        records,
        {},
        tuple(Evidence.from_json(each) for each in told["evidence"]),
        tuple(Learnt.from_json(each) for each in told["tasks"]),
        tuple(Edge(*edge) for edge in told["edges"]),
    )
    return Contents(batch, tuple((base, id) for base, id in told["names"]), blobs)


def _check_records(contents: Contents) -> None:
    """Every record is whole, closed under what it names, and can be what it says.

    Raises:
        PerennialError, ValueError: the first that is not.
    """
    ids = {record.id for record, _ in contents.batch.records}
    needed = set(ids)
    for record, card in contents.batch.records:
        parse(record.source, vocabulary())
        parse_type(record.input), parse_type(record.output)
        _, *others = Header.of(record, card).blobs
        for digest in others:
            if digest not in contents.blobs:
                raise ValueError(f"the record {record.id[:SHORT]} lacks the blob {str(digest)[:12]}")
            Weights.from_bytes(contents.blobs[digest])
        needed.update(others)
    if set(contents.blobs) != needed:
        raise ValueError("it holds blobs that no record needs")
    for base, id in contents.names:
        if split_name(base)[1] is not None or id not in ids:
            raise ValueError(f"the name {base[:80]!r} points to nothing in the pack")
    if not {each.record for each in contents.batch.evidence} <= ids:
        raise ValueError("it holds evidence of records that are not in it")
    known = {card.task for _, card in contents.batch.records} | {
        each.task for each in contents.batch.evidence
    }
    if not {task.fingerprint for task in contents.batch.tasks} <= known:
        raise ValueError("it tells of tasks that nothing in it was learnt on")
    for text in _texts(contents.batch):
        if len(text) > LONGEST_TEXT or CONTROL.search(text):
            raise ValueError("it holds control characters, or a text without end, where a name should be")
    for text in _written(contents.batch):
        if CONTROL.search(text.replace("\n", "")):
            raise ValueError("it holds control characters in a program or a type")
    for edge in contents.batch.edges:
        if not {edge.child, edge.parent} <= ids or edge.relation not in RELATIONS:
            raise ValueError("an edge leads out of the pack, or says nothing that is known")


def _texts(batch: Batch) -> Iterator[str]:
    """Everything in a pack that will be shown to people, apart from programs and types."""
    for told in (*batch.evidence, *batch.tasks, *(card for _, card in batch.records)):
        types = TYPES if isinstance(told, Learnt) else ()
        yield from (
            value for name, value in told.to_json().items() if isinstance(value, str) and name not in types
        )


def _written(batch: Batch) -> Iterator[str]:
    """The programs and types in a pack."""
    for told in (*batch.tasks, *(record for record, _ in batch.records)):
        yield from (told.input, told.output)
    yield from (record.source for record, _ in batch.records)


def _try_elsewhere(contents: Contents) -> None:
    """Tries what has weights in a process of its own, one after another, with bounds of memory and time: whatever weights
    do to the libraries that read them, they do it there.

    Raises:
        WorkerError: one of them is not what it claims to be, or did not end well.
    """
    headers = [Header.of(record, card) for record, card in contents.batch.records]
    tried = [
        header for header in headers
        if header.kind == "solution" or header.kind == "module" and header.weights
    ]  # fmt: skip
    if not tried:
        return
    with Processes(1, memory=REPLAY_BYTES) as executor:
        for header in tried:
            told = replay_of(header, contents.blobs.__getitem__)
            future = executor.submit(Job("perennial.library.pack:check", told, REPLAY_SECONDS))
            while not future.done:
                executor.wait(0.5)
            future.result()


def check(shared: None, record: str, golden: str, blobs: Mapping[str, bytes]) -> None:
    """A model is built, which is bounded by its types, and says its golden outputs; the weights of a part of a network, which
    later tasks of images ask, are what its types say.

    Raises:
        ValueError, PerennialError: it is not so, or it is too large to be tried.
    """
    told = Record.from_bytes(blobs[record])
    if told.kind == "solution":
        _check_solution(told, golden, blobs)
    elif told.weights and isinstance(parse_type(told.input), Image):
        part = features.Part(told.id, told.id[:SHORT], told.source, blobs[told.weights[0]])
        features.check(part, parse_type(told.input))


def _check_solution(record: Record, golden: str, blobs: Mapping[str, bytes]) -> None:
    if not golden:
        raise ValueError(f"the model {record.id[:SHORT]} comes without golden outputs")
    model = model_of(record, blobs.__getitem__)
    if model.codec.batched and (heads(model.program) or reused_parts(model.program)):
        cost = cost_of(model.program, (model.codec.input_type,), model.codec.output_type)
        if broken := LARGEST_NETWORK.broken_by(cost):
            raise ValueError(f"the network in {record.id[:SHORT]} is too large: {broken}")
    _, apart = difference(model, blobs[golden])
    if apart > CLOSE:
        raise ValueError(f"the model {record.id[:SHORT]} does not say its golden outputs")
