"""A frame: named columns of equal length, the one shape in which every table arrives.

A frame holds what was *written down*, with as little interpretation as possible: numbers that are numbers in
every cell, ISO dates, and text for all the rest. What a column means (a category, an identifier, a price with
a currency sign) is sensed later, from the frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from perennial.errors import DataError

KINDS_OF_COLUMN = ("float64", "int64", "uint64", "bool", "datetime64[us]", "object")


@dataclass(frozen=True, eq=False, repr=False)
class Frame:
    """A table in memory: one NumPy array per column.

    Args:
        names: the column names as written by the user, all different.
        columns: one array (rows,) per name; its dtype is float64 (NaN = missing), int64, uint64, bool,
            datetime64[us] (NaT = missing) or object, which holds str, or tuples for list columns, or None
            (missing).
        origin: where the table came from, JSON-able: `path, bytes, sha256, format, dialect, notes`, and
            `missing_tokens` (column name → {text that was read as missing: how often}). Absent facts are
            absent.

    Raises:
        DataError: names repeat, or columns differ in length.

    >>> frame = Frame(("age", "name"), (np.array([31, 4]), np.array(["Ada", None], dtype=object)))
    >>> frame
    Frame(2 rows: age int64, name object)
    >>> frame.take([1]).column("age")
    array([4])
    """

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]
    origin: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_repeated_names(self.names, where=str(self.origin.get("path", "")))
        if len(self.names) != len(self.columns):
            raise DataError(f"A frame has {len(self.names)} names but {len(self.columns)} columns.")
        lengths = {name: len(column) for name, column in zip(self.names, self.columns, strict=True)}
        if len(set(lengths.values())) > 1:
            shortest, longest = min(lengths, key=lengths.get), max(lengths, key=lengths.get)
            raise DataError(
                "The columns of a table must have the same length.",
                where=f"column {shortest!r} has {lengths[shortest]} rows, "
                f"column {longest!r} has {lengths[longest]}",
                todo="Check which rows are missing; perennial will not guess how to align them.",
            )

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str) -> np.ndarray:
        """The array (rows,) of one column. Raises DataError, with a suggestion, if there is none."""
        if name not in self.names:
            raise DataError(f"There is no column {name!r}.", where=self._place(), todo=self._suggestion(name))
        return self.columns[self.names.index(name)]

    def select(self, names: Sequence[str]) -> Frame:
        """The same rows with only these columns, in this order. Raises DataError for an unknown name."""
        return Frame(tuple(names), tuple(self.column(name) for name in names), self.origin)

    def take(self, row_numbers: Sequence[int] | np.ndarray) -> Frame:
        """The same columns with only these rows (zero-based numbers or a boolean mask), in this order."""
        chosen = np.asarray(row_numbers)
        chosen = chosen if chosen.dtype == bool else chosen.astype(np.int64)
        return Frame(self.names, tuple(column[chosen] for column in self.columns), self.origin)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return self.names == other.names and all(map(_same_column, self.columns, other.columns))

    __hash__ = None

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name} {column.dtype}" for name, column in list(zip(self.names, self.columns, strict=True))[:20]
        )
        more = f", … {len(self.names) - 20} more" if len(self.names) > 20 else ""
        return f"Frame({self.rows} rows: {shown}{more})"

    def _place(self) -> str:
        path = self.origin.get("path")
        return f"{path}, which has " * bool(path) + "columns " + ", ".join(map(repr, self.names[:20]))

    def _suggestion(self, name: str) -> str:
        from difflib import get_close_matches

        close = get_close_matches(
            str(name).casefold(), [known.casefold() for known in self.names], n=1, cutoff=0.6
        )
        known = next((known for known in self.names if close and known.casefold() == close[0]), None)
        return f"Did you mean {known!r}?" if known is not None else "Use one of the columns above."


def refuse_repeated_names(names: Sequence[str], where: str = "") -> None:
    """Raise DataError with the list of column names that occur more than once."""
    repeated = {name: count for name, count in Counter(names).items() if count > 1}
    if not repeated:
        return
    positions = "; ".join(
        f"{name!r} in columns {', '.join(str(i + 1) for i, other in enumerate(names) if other == name)[:60]}"
        for name in list(repeated)[:5]
    )
    raise DataError(
        f"{len(repeated)} column name{'s' * (len(repeated) > 1)} used more than once.",
        where=f"{where}: {positions}" if where else positions,
        why="Two columns of one name cannot be told apart, in the target, in a report or when predicting.",
        todo="Rename them so that every column has its own name.",
    )


def _same_column(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fM")
