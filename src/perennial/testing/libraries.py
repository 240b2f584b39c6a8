"""The contract of the stores that a library can be kept in.

A plug-in author calls `check_store(make)` in one test, where `make()` opens the same place each time, which is empty at
first; and `check_together(make)`, which lets several threads, each with a store of its own, commit at the same time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace

from perennial.errors import DamagedFile, StoreError
from perennial.library.base import Store
from perennial.library.library import Library
from perennial.library.records import Batch, Card, Edge, Evidence, Learnt, Record

__all__ = ["check_store", "check_together", "misremember", "some_evidence", "some_record", "some_task"]

Make = Callable[[], Store]
AT_ONCE, COMMITS = 4, 12


def some_record(number: int = 0, kind: str = "module", weights: tuple[str, ...] = ()) -> Record:
    """A small record, another one for each number."""
    return Record(
        kind, f"lambda x: add(x, {number})", "Int", "Int", weights, {"number": number, "text": 'ä " \ud800'}
    )


def some_task(number: int = 0) -> Learnt:
    """A task, another one for each number."""
    print_ = hashlib.sha256(str(number).encode()).hexdigest()
    return Learnt(
        print_, f"task {number}", "table", "binary", "Real", "Dist[2]", 100 + number, "roc_auc", 0.5
    )


def some_evidence(record: Record, number: int = 0) -> Evidence:
    """What a record gave on a task."""
    return Evidence(
        record.id, some_task(number).fingerprint, "solution", "roc_auc", 0.9, low=0.8, high=0.95, n=50
    )


def misremember(library: Library, name: str, golden: str) -> None:
    """Lets a solution have other golden outputs, those of this digest; its name gets a new version."""
    record = library.get(name)
    blobs = [library.store.get(digest) for digest in (*record.weights, golden)]
    library.forget(name)
    library.store.sweep(0.0)  # a record that is there already keeps its card
    for blob in blobs:
        library.store.put(blob)
    library.store.commit(Batch(((record, Card(0.0, golden=golden)),), {name: record.id}))


def check_store(make: Make) -> None:
    """What every store promises.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    store = make()
    try:
        assert store.place, "A store must say where it is."
        _check_blobs(store)
        _check_records(store)
        _check_names(store)
        _check_what_is_known(store)
        _check_nothing_by_half(store)
    finally:
        store.close()
    store.close()  # a second time is no error
    again = make()
    try:
        assert len(again.headers()) == 2, "Records must outlive the object."
        assert again.names("numbers/next")[("numbers/next", 2)] == some_record(1).id, (
            "Names must outlive the object."
        )
        _check_removal(again)
    finally:
        again.close()


def check_together(make: Make) -> None:
    """Several that write at the same time lose nothing, double nothing and do not wait for ever."""
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            store = make()
            for number in range(COMMITS):
                record = some_record(1000 * worker + number)
                both = some_record(-1 - number)
                store.commit(
                    Batch(
                        ((record, Card(1.0)), (both, Card(2.0))), {"shared/name": record.id, f"own/of-{worker}": record.id},
                        (some_evidence(both, number),), (some_task(number),), (Edge(record.id, both.id, "extracted"),),
                    )
                )  # fmt: skip
            store.close()
        except BaseException as error:  # noqa: BLE001 - told to the test in the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures, f"A commit failed beside others: {failures[0]!r}"
    assert not any(thread.is_alive() for thread in threads), "A commit waits for ever."
    store = make()
    try:
        found = {header.id for header in store.headers(limit=10_000)}
        wanted = {some_record(1000 * worker + n).id for worker in range(AT_ONCE) for n in range(COMMITS)}
        wanted |= {some_record(-1 - n).id for n in range(COMMITS)}
        assert found == wanted, f"{len(wanted - found)} records were lost, {len(found - wanted)} are unknown."
        versions = sorted(version for _, version in store.names("shared/name"))
        assert versions == list(range(1, AT_ONCE * COMMITS + 1)), "Each commit must get a version of its own."
        assert len(store.evidence()) == COMMITS == len(store.tasks()), "The same evidence must be kept once."
    finally:
        store.close()


def _check_blobs(store: Store) -> None:
    data = b"some bytes"
    digest = store.put(data)
    assert digest == hashlib.sha256(data).hexdigest(), "A blob is named by its sha256."
    assert store.put(data) == digest and store.get(digest) == data, (
        "Putting is idempotent, and what was put comes back."
    )
    found = [blob for blob in store.blobs() if blob.digest == digest]
    assert len(found) == 1 and found[0].size == len(data) and 0 <= found[0].age < 60, (
        "Blobs must be listed as they are."
    )
    try:
        store.get("0" * 64)
    except DamagedFile:
        return
    raise AssertionError("A blob that is not there must raise DamagedFile.")


def _check_records(store: Store) -> None:
    assert store.headers() == [] and store.names() == {}, "A fresh store must be empty."
    weights = store.put(b"weights")
    card = Card(
        5.0, "oak-1", some_task().fingerprint, weights, "MIT", made_with={"python": "3"}, recipe={"seed": 1}
    )
    first, second = some_record(0, "solution", (weights,)), some_record(1)
    store.commit(Batch(((first, card), (second, Card(6.0)))))
    store.commit(Batch(((first, replace(card, study="another")),)))
    assert Record.from_bytes(store.get(first.id)) == first, "The bytes of a record must be a blob."
    header = store.header(first.id)
    assert header is not None and header.card == card, "The first card of a record stays."
    assert (header.kind, header.input, header.output, header.weights) == (
        "solution",
        "Int",
        "Int",
        (weights,),
    )
    assert store.header("f" * 64) is None, "A record that is not there has no header."
    ids = [each.id for each in store.headers()]
    assert ids == sorted([first.id, second.id]), "Headers must be in the order of ids, each once."
    assert [each.id for each in store.headers(after=ids[0])] == ids[1:], "`after` must leave out smaller ids."
    assert len(store.headers(limit=1)) == 1, "`limit` must hold."
    assert [each.id for each in store.headers(kind="module")] == [second.id]
    assert [each.id for each in store.headers(task=card.task, input="Int")] == [first.id]
    assert store.headers(output="Text") == []


def _check_names(store: Store) -> None:
    first, second = some_record(0, "solution", (store.put(b"weights"),)), some_record(1)
    store.commit(Batch(names={"numbers/next": first.id}))
    store.commit(Batch(names={"numbers/next": first.id}))
    assert store.names() == {("numbers/next", 1): first.id}, "Naming the newest again changes nothing."
    store.commit(Batch(names={"numbers/next": second.id, "other": first.id}))
    assert store.names("numbers/next") == {("numbers/next", 1): first.id, ("numbers/next", 2): second.id}
    assert len(store.names()) == 3, "Without a base all names come."


def _check_what_is_known(store: Store) -> None:
    record, other = some_record(1), some_record(0, "solution", (store.put(b"weights"),))
    proofs = [some_evidence(record, number) for number in range(3)]
    edge = Edge(record.id, other.id, "extracted")
    for _ in range(2):
        store.commit(Batch(evidence=tuple(proofs), tasks=(some_task(0), some_task(1)), edges=(edge,)))
    assert store.evidence() == sorted(proofs, key=lambda each: each.digest), (
        "Evidence must come once, by its digest."
    )
    assert store.evidence(record=other.id) == [] and len(store.evidence(record=record.id)) == 3
    assert store.evidence(task=proofs[2].task) == [proofs[2]]
    prints = [task.fingerprint for task in store.tasks()]
    assert prints == sorted(prints) and len(prints) == 2 and some_task(1) in store.tasks()
    assert store.edges() == [edge]


def _check_nothing_by_half(store: Store) -> None:
    before = (store.headers(), store.names(), store.evidence())
    record = some_record(77)
    try:
        store.commit(
            Batch(((record, Card(1.0)),), {"name/of-nothing": "e" * 64}, (some_evidence(record, 9),))
        )
    except StoreError:
        assert (store.headers(), store.names(), store.evidence()) == before, (
            "A commit that fails must leave nothing."
        )
        return
    else:
        raise AssertionError("A name for a record that is not there must be refused.")
    try:
        store.commit(Batch(((some_record(78, weights=("d" * 64,)), Card(1.0)),)))
    except StoreError:
        assert store.headers() == before[0], "A commit that fails must leave nothing."
        return
    raise AssertionError("A record whose weights are not there must be refused.")


def _check_removal(store: Store) -> None:
    named, loose = some_record(1), some_record(500)
    digest = store.put(b"to be removed")
    store.commit(Batch(((loose, Card(1.0)),)))
    young = store.sweep(1e9)
    assert young.records == young.blobs == () and young.young >= 2, "What is young must stay."
    told = store.sweep(0.0, dry_run=True)
    assert set(told.records) == {loose.id} and {loose.id, digest} <= set(told.blobs) and told.bytes > 0
    assert store.header(loose.id) is not None, "A dry run must remove nothing."
    assert store.sweep(0.0) == told, "A dry run must tell what a sweep does."
    assert store.header(named.id) is not None, "A record that a name points to must stay."
    assert store.header(loose.id) is None, "A record that no name reaches must be gone."
    assert digest not in {blob.digest for blob in store.blobs()}, "A blob that nothing needs must be gone."
    store.commit(Batch(((loose, Card(1.0)),), {"loose": loose.id}))
    assert Record.from_bytes(store.get(loose.id)) == loose, "What was swept can come back."
    store.forget("numbers/next", 2)
    assert set(store.names("numbers/next")) == {("numbers/next", 1)}, (
        "A name that is taken away must be gone."
    )
    store.commit(Batch(names={"numbers/next": named.id}))
    assert ("numbers/next", 3) in store.names("numbers/next"), "A version must not be given twice."
    assert store.evidence(), "Evidence must stay."
