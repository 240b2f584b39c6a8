"""A test set that opens once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.errors import SealBroken


class SealedTest:
    """Row numbers that can be read once.

    It cannot be copied, pickled or sent to a worker, and its text does not show the rows.

    >>> import numpy as np
    >>> sealed = SealedTest(np.array([4, 7]))
    >>> sealed.open(lambda event: None).tolist()
    [4, 7]
    >>> sealed.open(lambda event: None)
    Traceback (most recent call last):
    perennial.errors.SealBroken: The test set has been opened already.
      why: A model changed after a look is tuned to the test set; another figure would flatter.
      to do: Bring new rows and score them with `perennial evaluate`.
    """

    def __init__(self, rows: np.ndarray, already_opened: bool = False) -> None:
        self.__rows = np.array(rows, dtype=np.int64)
        self.__opened = already_opened

    @property
    def rows(self) -> int:
        """How many rows are sealed."""
        return len(self.__rows)

    @property
    def opened(self) -> bool:
        """Whether the seal is broken."""
        return self.__opened

    def open(self, record: Callable[[dict[str, Any]], None]) -> np.ndarray:
        """The sealed row numbers, once.

        Args:
            record: writes `{"rows": count, "sha256": of the row numbers}` into the journal. It is called
                before anything is shown; when it raises, the seal holds.

        Raises:
            SealBroken: it was opened before.
        """
        if self.__opened:
            raise SealBroken(
                "The test set has been opened already.",
                why="A model changed after a look is tuned to the test set; another figure would flatter.",
                todo="Bring new rows and score them with `perennial evaluate`.",
            )
        record({"rows": self.rows, "sha256": hashlib.sha256(self.__rows.tobytes()).hexdigest()})
        self.__opened = True
        return self.__rows.copy()

    def __repr__(self) -> str:
        return f"SealedTest({self.rows} rows, {'opened' if self.__opened else 'sealed'})"

    def __reduce__(self):
        raise SealBroken(
            "A sealed test set cannot be copied or sent to another process.",
            why="Every copy would be one more way to look.",
            todo="Send the training rows only.",
        )
