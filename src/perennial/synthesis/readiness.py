"""Whether the compiled inner loops are there, and compiling them beside the search when they are not.

Compiling takes about ten seconds, once per machine and version: numba keeps the result on disk. Until then the
search in plain Python does its work.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from dataclasses import replace
from functools import cache

from perennial.synthesis.base import Budget, resident

SECONDS_TO_COMPILE = 25.0
LONGEST = 120.0
BANKS, ROOM_TO_COMPILE = 1 << 26, 2 << 30
LEVELS = 4


@cache
def _started() -> subprocess.Popen:
    """A process that compiles everything and ends, also when this one has ended; at most one from this process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "perennial.synthesis.readiness"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_let_go, process)
    return process


def _let_go(process: subprocess.Popen) -> None:
    """Nobody will wait for it; without this Python would warn of that."""
    if process.poll() is None:
        process.returncode = 0


def compiled() -> bool:
    """Whether the kernels can be loaded at once, or need no compiling since numba is not installed."""
    from perennial.synthesis import kernels

    if not kernels.COMPILED:
        return True
    functions = [value for value in vars(kernels).values() if hasattr(value, "_cache")]
    return all(function.signatures or _cached(function) for function in functions if _outer(function))


def compiling() -> bool:
    """Whether a process beside this one compiles the kernels; the first call starts it."""
    return _started().poll() is None


def compile_all() -> None:
    """Compiles every kernel by growing a small search in which every word costs one bit."""
    from perennial.lang import Int, List
    from perennial.primitives import vocabulary
    from perennial.spaces.grammar import grammar_for
    from perennial.synthesis.base import Examples
    from perennial.synthesis.lists import open_search

    rows = (((3, 1, 2, 9),), ((4, 4, 7),), ((8, 1, 1, 5),), ((2,),))
    examples = Examples(("xs",), (List(Int),), List(Int), rows, ((7, 2, 9), (8, 3), (5, 5, 1), (4,)))
    grammar = grammar_for(vocabulary().values(), ("xs",), (List(Int),), List(Int))
    grammar = replace(grammar, costs={op.name: 1 for op in grammar.words})
    search = open_search(examples, grammar, Budget(LONGEST, BANKS, ceiling=resident() + ROOM_TO_COMPILE))
    while search.workshop.level < LEVELS and not search.budget.over:
        for _ in search.workshop.grow(search.budget):
            pass
    for _ in search.run():
        break


def _outer(function: object) -> bool:
    """Whether Python calls it; the others are compiled into these."""
    name = getattr(function, "__name__", "")
    return name.endswith("_pass") or name in (
        "row_key",
        "list_key",
        "slot_of",
        "lookup",
        "list_matches",
        "relations",
    )


def _cached(function: object) -> bool:
    """Whether numba's index on disk lists a version of it for this source."""
    try:
        return bool(function._cache._cache_file._load_index())
    except (AttributeError, OSError):
        return False


if __name__ == "__main__":
    compile_all()
    sys.exit(0 if compiled() else 1)
