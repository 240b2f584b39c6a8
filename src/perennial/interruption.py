"""Ctrl-C and SIGTERM: who grows a study is told, and decides what is saved before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptions(heard: Callable[[str], None]) -> Iterator[None]:
    """While this lasts, `heard` gets the name of each SIGINT and SIGTERM instead of what they usually do.

    Only the main thread of a process can hear signals; in others nothing changes.

    >>> names = []
    >>> with interruptions(names.append):
    ...     signal.raise_signal(signal.SIGINT)
    >>> names
    ['SIGINT']
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:
        heard(signal.Signals(number).name)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
