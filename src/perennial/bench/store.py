"""Whether a library keeps what it is given: many writers, kills, flipped bits, packs there and back, and its size.

Everything is done with the library of one machine, in a temporary folder below `--data` (default: the system's), so that
the disk is the one that is asked about. `--only` keeps parts: `together kills flips packs opening`.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from perennial.bench import bar
from perennial.errors import UsageError
from perennial.library import Card, Evidence, Library, Record
from perennial.library.pack import pack, unpack
from perennial.library.records import Batch
from perennial.library.upkeep import verify

WRITERS, COMMITS = 8, 500
KILLS, LONGEST_LIFE = 50, 1.0
FLIPS = 400
MODULES, OPENED = 100_000, 5
PIECE = 1_000
CODE = "import sys; from perennial.bench.store import write; write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"


def run(*, data: str | None, seconds: float | None, seeds: int, only: Sequence[str]) -> dict[str, Any]:
    """Each part in a library of its own; `seeds` is the seed of what is random."""
    unknown = set(only) - set(PARTS)
    if unknown:
        raise UsageError(f"No part called {', '.join(unknown)}.", todo=f"Choose of: {', '.join(PARTS)}.")
    rows, bars = [], []
    for name, part in PARTS.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory(dir=data) as folder:
            start = time.monotonic()
            row, held = part(Path(folder) / "library", random.Random(seeds))
        rows.append({"part": name, "seconds": round(time.monotonic() - start, 1), **row})
        bars += held
        print(f"store: {name}, {rows[-1]['seconds']} s", file=sys.stderr)
    return {"bars": bars, "rows": rows}


def write(folder: str, writer: int, commits: int) -> None:
    """Commits records of its own and a shared one, each with weights, a name and evidence; prints ids as they are safe."""
    with Library(folder) as library:
        for number in range(commits):
            shared = library.store.put(b"shared weights %d" % number)
            own = library.store.put(b"weights %d of %d" % (number, writer))
            records = [_module(f"both {number}", shared), _module(f"{writer} {number}", own)]
            proof = Evidence(records[0].id, f"{number:064x}", "prefix", "accuracy", 0.5)
            batch = Batch(
                tuple((each, Card(1.0)) for each in records), {"shared/name": records[1].id}, (proof,)
            )
            library.store.commit(batch)
            print(records[1].id, flush=True)


def _module(text: str, *weights: str) -> Record:
    return Record("module", "lambda x: x", "Real", "Real", weights, {"text": text})


def _writer(folder: Path, writer: int, commits: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder), str(writer), str(commits)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _together(folder: Path, chance: random.Random) -> tuple[dict, list]:
    start = time.monotonic()
    running = [_writer(folder, writer, COMMITS) for writer in range(WRITERS)]
    told = [set(process.communicate()[0].split()) for process in running]
    spent = time.monotonic() - start
    with Library(folder) as library:
        found = {header.id for header in library.walk()}
        versions = sorted(version for _, version in library.store.names("shared/name"))
        checked = verify(library, sample=0)
        doubled = len(library.store.evidence()) - COMMITS
    wanted = set().union(*told)
    lost = WRITERS * COMMITS - len(wanted & found)
    more = (
        abs(len(found) - WRITERS * COMMITS - COMMITS) + abs(doubled) + abs(len(versions) - WRITERS * COMMITS)
    )
    row = {"writers": WRITERS, "commits": WRITERS * COMMITS, "a_second": round(WRITERS * COMMITS / spent)}
    return row, [
        bar("commits of 8 processes that were lost", lost, 0, "minimize"),
        bar("records, names or evidence that are doubled", more, 0, "minimize"),
        bar("problems after 8 processes wrote", len(checked.problems), 0, "minimize"),
    ]


def _kills(folder: Path, chance: random.Random) -> tuple[dict, list]:
    lost, problems, told = 0, 0, set()
    for number in range(KILLS):
        process = _writer(folder, number, 10**6)
        first = process.stdout.readline()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE))
        process.send_signal(signal.SIGKILL)
        told |= {line for line in (first + process.communicate()[0]).split() if len(line) == 64}
        with Library(folder) as library:
            lost += len(told - {header.id for header in library.walk()})
            problems += len(verify(library, sample=0).problems)
    return {"kills": KILLS, "commits": len(told)}, [
        bar("rows without a blob, or with a damaged one, after 50 kills", problems, 0, "minimize"),
        bar("commits that were told and are gone after 50 kills", lost, 0, "minimize"),
    ]


def _flips(folder: Path, chance: random.Random) -> tuple[dict, list]:
    missed = 0
    with Library(folder) as library:
        _fill(library, 100)
        paths = sorted((folder / "blobs").glob("??/*"))
        for _ in range(FLIPS):
            path = chance.choice(paths)
            sound = path.read_bytes()
            spoilt = bytearray(sound)
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
            path.write_bytes(spoilt)
            missed += path.name not in {problem.digest for problem in verify(library, sample=0).problems}
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(sound)
    return {"flips": FLIPS}, [bar("flipped bits that verify does not find", missed, 0, "minimize")]


def _packs(folder: Path, chance: random.Random) -> tuple[dict, list]:
    first, second = folder.with_name("first.pern"), folder.with_name("second.pern")
    with Library(folder) as library, Library(folder.with_name("other")) as other:
        _fill(library, 300)
        pack(library, [], first)
        unpack(other, first)
        pack(other, [], second)
    same = first.read_bytes() == second.read_bytes()
    return {"records": 300, "bytes": first.stat().st_size}, [
        bar("pack, unpack, pack: the same bytes (1 yes)", int(same), 1, "maximize")
    ]


def _opening(folder: Path, chance: random.Random) -> tuple[dict, list]:
    with Library(folder) as library:
        for start in range(0, MODULES, PIECE):
            batch = tuple((_module(f"module {number}"), Card(1.0)) for number in range(start, start + PIECE))
            library.store.commit(Batch(batch))
    spent = []
    for _ in range(OPENED):
        start = time.monotonic()
        with Library(folder) as library:
            library.store.headers(kind="module", input="Real", output="Real", limit=10)
            spent.append(time.monotonic() - start)
    return {"modules": MODULES, "first": round(spent[0], 3)}, [
        bar(
            "seconds to open a library of 100 000 modules and ask it",
            sorted(spent)[OPENED // 2],
            1.0,
            "minimize",
        )
    ]


def _fill(library: Library, count: int) -> None:
    for number in range(count):
        weights = library.store.put(_packed(number))
        library.add(_module(f"module {number}", weights), Card(float(number)), name=f"modules/{number}")


def _packed(number: int) -> bytes:
    import numpy as np

    from perennial.lang.ops import State
    from perennial.weights import Weights

    return Weights({"layer": State({"kernel": np.full((4, 4), float(number))}, {})}).to_bytes()


PARTS: dict[str, Callable[[Path, random.Random], tuple[dict, list]]] = {
    "together": _together,
    "kills": _kills,
    "flips": _flips,
    "packs": _packs,
    "opening": _opening,
}
