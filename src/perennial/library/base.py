"""Where a library is kept: blobs by their hash, and an index that many processes read and write.

What an author of a new store promises:

- A blob is durable before `put` returns, and `get` verifies its hash. Putting a blob again makes it young again.
- `commit` is all or nothing, durable when it returns, and idempotent: committing the same batch twice changes nothing.
  The bytes of a record are a blob themselves; `commit` puts them before it names them, so a row always has its blob.
- Any number of processes may commit at the same time; none of them waits for ever, nothing is lost or doubled, and two
  that name the same base get two versions.
- Nothing that was committed changes: names get new versions, and no version is given twice; evidence grows. Only `forget`
  and `sweep` take away, and `sweep` never takes what a commit beside it needs.
- `headers` gives records in the order of their ids, in pieces, so that a library of any size can be walked.

The contract is `perennial.testing.libraries.check_store`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from perennial.library.records import Batch, Edge, Evidence, Header, Learnt


@dataclass(frozen=True)
class Blob:
    """One stored blob, as it lies there.

    Args:
        digest: its name.
        size: bytes.
        age: seconds since it was put last.
    """

    digest: str
    size: int
    age: float


@dataclass(frozen=True)
class Swept:
    """What a sweep removed, or would remove.

    Args:
        records: ids.
        blobs: digests.
        bytes: of the blobs.
        young: records and blobs that were left because they are younger than the grace.
    """

    records: tuple[str, ...]
    blobs: tuple[str, ...]
    bytes: int
    young: int


class Store(ABC):
    """Thirteen methods and a place."""

    place: str
    """Where it is, for people."""

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Keeps bytes and returns their sha256 in hex.

        Raises:
            StoreError: they could not be written.
        """

    @abstractmethod
    def get(self, digest: str) -> bytes:
        """The bytes of a hash.

        Raises:
            DamagedFile: they are gone or do not match.
        """

    @abstractmethod
    def blobs(self) -> Iterator[Blob]:
        """Every blob that is there, in no order."""

    @abstractmethod
    def commit(self, batch: Batch) -> None:
        """Adds everything in a batch, or nothing.

        Raises:
            StoreError: nothing was added.
        """

    @abstractmethod
    def headers(
        self,
        *,
        kind: str = "",
        input: str = "",
        output: str = "",
        task: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[Header]:
        """Records with these properties, ordered by id; an empty text asks for any.

        Args:
            kind, input, output: of the record.
            task: fingerprint of the task it was learnt on.
            after: only larger ids.
            limit: at most so many.
        """  # fmt: skip

    @abstractmethod
    def header(self, id: str) -> Header | None:
        """What the index says of one record; None when it does not know it."""

    @abstractmethod
    def names(self, base: str = "") -> dict[tuple[str, int], str]:
        """Record ids by base name and version; of one base only, when it is given."""

    @abstractmethod
    def evidence(self, *, record: str = "", task: str = "") -> list[Evidence]:
        """What is known of a record, of a task, or everything, in the order of its digests."""

    @abstractmethod
    def tasks(self) -> list[Learnt]:
        """Every task, ordered by fingerprint."""

    @abstractmethod
    def edges(self) -> list[Edge]:
        """Every edge, in order."""

    @abstractmethod
    def forget(self, base: str, version: int) -> None:
        """Takes one name away; its version is not given again."""

    @abstractmethod
    def sweep(self, grace: float, dry_run: bool = False) -> Swept:
        """Removes records that no name reaches, by itself or through what was made from it, and blobs that no record needs.

        Evidence stays. No commit happens while it decides and removes.

        Args:
            grace: seconds; what is younger stays: another process may be about to name it.
            dry_run: only say what would be removed.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go; may be called twice."""


def reachable(named: Iterable[str], edges: Iterable[Edge]) -> set[str]:
    """The records that names point to, and all that they were made from."""
    parents: dict[str, list[str]] = {}
    for edge in edges:
        parents.setdefault(edge.child, []).append(edge.parent)
    found: set[str] = set()
    asked = list(named)
    while asked:
        id = asked.pop()
        if id not in found:
            found.add(id)
            asked += parents.get(id, [])
    return found
