"""What the suites of programs from examples share.

`half` splits their tasks by a checksum of the names, so that one half can be looked at during development and the other
kept for figures.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

from perennial.bench.kept import Kept


def row_of(kept: Kept, key: dict[str, Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row of one task, kept or computed; said as it comes."""
    row = kept.of(key, compute)
    good = next((row[name] for name in ("solved", "right", "exact") if row.get(name) is not None), None)
    told = f"{key['task']} {key['method']}" if "method" in key else key["task"]
    print(f"{told}: {'solved' if good else 'not solved'}, {row.get('seconds')} s", file=sys.stderr)
    return row


def half(name: str) -> str:
    """`first` or `second`, by a checksum of a task's name.

    >>> half("reverse") in ("first", "second")
    True
    """
    return "first" if hashlib.sha256(name.encode()).digest()[0] % 2 == 0 else "second"
