"""A value that all workers share: written once, mapped by each, copied only where it is changed."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Any

from perennial.errors import UsageError
from perennial.executors.processes.channel import NUMBER, decode, encode

ALIGNMENT = 64


class Payload:
    """The memory that holds the value; `descriptor` is inherited by workers, `size` is in bytes.

    Raises:
        UsageError: the value cannot travel to another process.
    """

    def __init__(self, value: Any) -> None:
        parts = portable(value, "What the workers share")
        header = [len(parts), *(part.nbytes for part in parts)]
        start = _aligned(NUMBER.size * len(header))
        self.descriptor = _anonymous_file()
        try:
            _write(self.descriptor, memoryview(b"".join(NUMBER.pack(number) for number in header)), 0)
            for part in parts:
                _write(self.descriptor, part, start)
                start = _aligned(start + part.nbytes)
            os.ftruncate(self.descriptor, start)
        except BaseException:
            os.close(self.descriptor)
            raise
        self.size = start

    def close(self) -> None:
        """Lets go of the memory; processes that mapped it keep it; may be called twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def read(descriptor: int, size: int) -> Any:
    """The value of a payload, in a worker. Its arrays may be written to; nobody else sees the change."""
    memory = memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY))
    count = NUMBER.unpack_from(memory)[0]
    sizes = [NUMBER.unpack_from(memory, NUMBER.size * (number + 1))[0] for number in range(count)]
    start, parts = _aligned(NUMBER.size * (count + 1)), []
    for length in sizes:
        parts.append(memory[start : start + length])
        start = _aligned(start + length)
    return decode(parts)


def portable(value: Any, what: str) -> list[memoryview]:
    """The encoded value.

    Raises:
        UsageError: it holds something that cannot be sent, such as a lambda or an open file.
    """
    try:
        return encode(value)
    except Exception as error:
        raise UsageError(
            f"{what} cannot be sent to another process: {error}",
            why="Workers are separate processes; they receive values, not references.",
            todo="Use functions defined at the top of a module, and no open files, locks or lambdas.",
        ) from error


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("perennial", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT


def _write(descriptor: int, data: memoryview, place: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, place)
        data, place = data[written:], place + written
