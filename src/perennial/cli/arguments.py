"""What people type, as values: times, sizes, kinds of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from perennial.errors import UsageError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
SHORTEST_TIME = 1.0


def seconds_of(text: str, option: str = "--time") -> float:
    """A duration with its unit as seconds.

    >>> seconds_of("1h30m"), seconds_of("90s")
    (5400.0, 90.0)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip().lower())
    spelled = "".join(number + unit for number, unit in parts)
    if (
        not parts
        or spelled != re.sub(r"\s+", "", text.strip().lower())
        or any(unit not in UNITS for _, unit in parts)
    ):
        number = re.fullmatch(r"\d+(\.\d+)?", text.strip())
        hint = (
            f"Did you mean {text.strip()}s or {text.strip()}m?"
            if number
            else "Write for instance 90s, 10m or 1h30m."
        )
        raise UsageError(f"A time needs a unit, received {text!r}.", where=option, todo=hint)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds < SHORTEST_TIME:
        raise UsageError(
            f"The time must be at least {SHORTEST_TIME:g} second, received {text!r}.",
            where=option,
            todo=f"Give {option} 60s.",
        )
    return seconds


def bytes_of(text: str) -> int:
    """A size with its unit as bytes.

    >>> bytes_of("2GB")
    2147483648
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]b)", text.strip().lower())
    size = int(float(found[1]) * SIZES[found[2]]) if found else 0
    if size < 1:
        raise UsageError(
            f"A size needs a unit and is at least one byte, received {text!r}.",
            where="--memory",
            todo="Write for instance 2GB or 500MB.",
        )
    return size


def kinds_of(pairs: Sequence[str] | None) -> dict[str, str]:
    kinds = {}
    for pair in pairs or ():
        column, separator, kind = pair.rpartition("=")
        if not separator or not column:
            raise UsageError(
                f"--type takes COLUMN=KIND, received {pair!r}.",
                todo="Write for instance --type zip=category.",
            )
        kinds[column] = kind
    return kinds
