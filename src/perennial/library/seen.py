"""Which rows a record has learnt from, as a sketch: no validation can tell whether it knows the rows of a task.

What a record says of rows that it was made from is better than what it says of others. A new task that holds such rows
would believe too much of it, also of the rows that it seals for its test. So a record keeps hashes of its inputs: the
smallest ones, which are a random sample that two sets have in common as often as their rows (Broder 1997). What stands on
other records has seen what they have seen. The same picture at another size, or with other levels of brightness, is
another row; the same numbers in other units are the same row, to nine digits. A hash of 32 bits gives no row away, but who
has a row can ask whether it was there.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.compiler import Field
from perennial.errors import DamagedFile
from perennial.modalities.checks import row_hashes, twin_share
from perennial.modalities.columns import MISSING
from perennial.modalities.units import to_digits
from perennial.task import Task

MOST, MOST_HASHES = 2**14, 2**19
BITS = 32
SHIFT = np.uint64(64 - BITS)
ROWS_SHARED, CHANCE, FEWEST_COMPARED = 0.01, 1.5, 10


def told_of(task: Task, *others: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of the rows that it has learnt from: the smallest hashes, as text, and how often a row repeats by
    itself.

    Args:
        task: whose rows they are.
        others: what the records say that it stands on; their rows are of the same columns.
    """
    hashes = _hashes(_rounded(task.inputs))
    known = [_numbers(other["sketch"]) for other in others if other]
    smallest = np.unique(np.concatenate([hashes, *known]))[:MOST]
    return {
        "sketch": base64.b64encode(smallest.astype("<u4").tobytes()).decode("ascii"),
        "twins": twin_share(hashes),
    }


@dataclass(frozen=True)
class Asked:
    """What a task asks of a record.

    Args:
        hashes: of its rows and, where it has one, of its own test, sorted and each once: as they are rounded, and as they are
            where that is something else, since older records did not round.
        ways: how many hashes there are of each row.
    """

    hashes: tuple[np.ndarray, ...]
    ways: int = 1


def asked_of(task: Task, fields: Sequence[Field] = (), without: Mapping[str, int] | None = None) -> Asked:
    """The rows of a task, and of its own test, in the words of a record; of very many a sample.

    Args:
        task: that asks.
        fields: where the columns of a record come from in its rows; none for those of the same names.
        without: of categories that its rows do not have, how many codes there are: a row is asked for with each of them.
    """
    names, sizes = list(without or ()), [range(MISSING, levels) for levels in (without or {}).values()]
    codes = [dict(zip(names, each, strict=True)) for each in itertools.product(*sizes)]
    parts = [task.inputs, *([task.test.inputs] if task.test is not None else [])]
    parts = [_sample(part, MOST_HASHES // len(codes)) for part in parts]
    if fields:
        parts = [{field.name: field.of(part) for field in fields} for part in parts]
    rounded = [_rounded(part) for part in parts]
    exact = [part for part, other in zip(parts, rounded, strict=True) if _differs(part, other)]

    def hashes(part: Mapping[str, np.ndarray]) -> np.ndarray:
        found = [
            _hashes({**part, **{name: np.full_like(part[name], code) for name, code in each.items()}})
            for each in codes
        ]
        return np.unique(np.concatenate(found))

    return Asked(tuple(map(hashes, (*rounded, *exact))), len(codes))


def _sample(part: Mapping[str, np.ndarray], most: int) -> Mapping[str, np.ndarray]:
    rows = len(next(iter(part.values())))
    if rows <= most:
        return part
    chosen = np.sort(np.random.default_rng(0).permutation(rows)[:most])
    return {name: column[chosen] for name, column in part.items()}


def _differs(part: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return any(not np.array_equal(part[name], other[name], equal_nan=True) for name in _floats(part))


def _floats(columns: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name, values in columns.items() if values.dtype.kind == "f"]


def _rounded(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns with their numbers to nine digits."""
    return {**columns, **{name: to_digits(columns[name]) for name in _floats(columns)}}


def knows(told: Mapping[str, Any], asked: Asked) -> bool:
    """Whether a record has learnt from rows of a task, or of its test, more than rows repeat by chance; also where that
    cannot be told.

    Args:
        told: of `told_of`.
        asked: of `asked_of`.

    Raises:
        DamagedFile: it is not what `told_of` gives.
    """
    try:
        known, chance = _numbers(told["sketch"]), CHANCE * float(told["twins"])
    except (LookupError, ValueError, TypeError, OverflowError) as error:
        raise DamagedFile(f"A record does not say what it has seen: {error}.") from error
    most = max(ROWS_SHARED, chance) / asked.ways
    return any(shared(known, hashes) > most for hashes in asked.hashes)


def shared(known: np.ndarray, asked: np.ndarray) -> float:
    """The share of some hashes that others are among; 1 where too few of them can be compared to tell.

    Args:
        known: the smallest of the others, at most `MOST`.
        asked: sorted, each once.

    >>> shared(np.arange(0, 100, dtype=np.uint32), np.arange(50, 150, dtype=np.uint32))
    0.5
    """
    if len(known) < MOST:
        return float(np.isin(asked, known).mean()) if len(asked) else 0.0
    asked = asked[asked <= known[-1]]
    return float(np.isin(asked, known).mean()) if len(asked) >= FEWEST_COMPARED else 1.0


def _numbers(sketch: Any) -> np.ndarray:
    """The hashes of a sketch.

    Raises:
        DamagedFile: it is none.
    """
    try:
        known = np.frombuffer(base64.b64decode(sketch, validate=True), "<u4")
    except (ValueError, TypeError) as error:
        raise DamagedFile(f"This is no sketch of rows: {error}.") from error
    if len(known) > MOST or (np.diff(known.astype(np.int64)) <= 0).any():
        raise DamagedFile("This is no sketch of rows: its hashes are not sorted.")
    return known


def _hashes(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """One hash of 32 bits for each row."""
    return (_mixed(row_hashes(columns)) >> SHIFT).astype(np.uint32)


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit of a hash becomes as good as any."""
    mixed = hashes.astype(np.uint64)
    with np.errstate(over="ignore"):
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
