"""Messages over a socket between the supervisor and a worker; arrays travel beside them, uncopied.

Objects are pickled between these processes of ours alone, over a private pair of sockets: nothing that is
read from a file, or that comes from another user, ever passes here.
"""

from __future__ import annotations

import io
import select
import socket
import struct
from collections import deque
from multiprocessing.reduction import ForkingPickler
from typing import Any

PROTOCOL_WITH_BUFFERS = 5
NUMBER = struct.Struct("<Q")
NOTHING = object()
"""What `receive` gives while the rest of a message is still on its way."""


def encode(value: Any) -> list[memoryview]:
    """The parts of a message: the object first, then the memory of its arrays as it lies."""
    text, buffers = io.BytesIO(), []
    ForkingPickler(text, PROTOCOL_WITH_BUFFERS, True, buffers.append).dump(value)
    return [memoryview(text.getbuffer()), *(buffer.raw() for buffer in buffers)]


def decode(parts: list[memoryview]) -> Any:
    """The value that `encode` took apart; its arrays use the memory of the parts."""
    return ForkingPickler.loads(parts[0], buffers=parts[1:])


class Channel:
    """One end of a pair of sockets.

    Args:
        link: the socket.
        waits: whether `send` and `receive` block until they are done (the worker), or do what can be done
            now (the supervisor, which must never wait for one worker).
    """

    def __init__(self, link: socket.socket, *, waits: bool) -> None:
        link.setblocking(waits)
        self._link = link
        self._outgoing: deque[memoryview] = deque()
        self._expect_count()

    def fileno(self) -> int:
        """For selectors."""
        return self._link.fileno()

    @property
    def unsent(self) -> bool:
        """Whether `flush` has something left to do."""
        return bool(self._outgoing)

    def send(self, value: Any) -> None:
        """Sends a message, or queues what the other end does not take yet.

        Raises:
            OSError: the other end is gone.
        """
        self.post(encode(value))

    def post(self, parts: list[memoryview]) -> None:
        """As `send`, for a message that is already encoded."""
        header = b"".join(NUMBER.pack(number) for number in (len(parts), *(part.nbytes for part in parts)))
        self._outgoing.append(memoryview(header))
        self._outgoing.extend(part for part in parts if part.nbytes)
        self.flush()

    def flush(self) -> None:
        """Sends on what is queued."""
        while self._outgoing:
            try:
                sent = self._link.send(self._outgoing[0])
            except BlockingIOError:
                return
            self._outgoing[0] = self._outgoing[0][sent:]
            if not self._outgoing[0]:
                self._outgoing.popleft()

    def waiting(self) -> bool:
        """Whether something has arrived."""
        return bool(select.select([self._link], [], [], 0.0)[0])

    def receive(self) -> Any:
        """The next message, or `NOTHING` while it is incomplete (only where the channel does not wait).

        Raises:
            EOFError: the other end is gone.
        """
        while True:
            while self._missing:
                try:
                    count = self._link.recv_into(self._missing[0])
                except BlockingIOError:
                    return NOTHING
                except ConnectionResetError as error:
                    raise EOFError from error
                if count == 0:
                    raise EOFError
                self._missing[0] = self._missing[0][count:]
                if not self._missing[0]:
                    self._missing.popleft()
            if self._stage == "count":
                self._expect("sizes", [NUMBER.unpack(self._parts[0])[0] * NUMBER.size])
            elif self._stage == "sizes":
                self._expect("parts", [number for (number,) in NUMBER.iter_unpack(self._parts[0])])
            else:
                parts = self._parts
                self._expect_count()
                return decode(parts)

    def close(self) -> None:
        """Closes the socket; may be called twice."""
        self._outgoing.clear()
        self._link.close()

    def _expect_count(self) -> None:
        self._expect("count", [NUMBER.size])

    def _expect(self, stage: str, sizes: list[int]) -> None:
        self._stage = stage
        self._parts = [memoryview(bytearray(size)) for size in sizes]
        self._missing = deque(part for part in self._parts if part.nbytes)
