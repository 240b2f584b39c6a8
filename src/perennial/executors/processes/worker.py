"""The other end of a worker process: receive a job, make the call, send back what it gave.

It dies with its parent (on Linux by a signal of the kernel, everywhere because it looks at its parent once a
second and ends with its socket), is the first choice of the kernel's out-of-memory killer, writes no core
files, and leaves Ctrl-C to the parent.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from importlib import import_module
from typing import Any

from perennial.errors import WorkerError
from perennial.executors.base import call
from perennial.executors.processes import memory
from perennial.executors.processes.channel import Channel, encode
from perennial.executors.processes.payload import read

PR_SET_PDEATHSIG = 1
FIRST_TO_BE_KILLED = 500
PARENT_CHECK_SECONDS = 1.0
SHOW_STACK = signal.SIGUSR1


def main(settings: dict[str, Any]) -> None:
    """Serves jobs until the socket ends.

    Args:
        settings: `link` (descriptor of the socket), `payload` (descriptor and bytes of the shared value),
            `parent` (its process id), `memory` (bytes), `warm` (modules to import while there is no job).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.register(SHOW_STACK, all_threads=True)
    _die_with_parent(settings["parent"])
    shared, trouble = _shared(*settings["payload"])
    _limit(settings["memory"])
    channel = Channel(socket.socket(fileno=settings["link"]), waits=True)
    modules = deque(settings["warm"])
    with contextlib.suppress(EOFError, OSError):
        channel.send(("ready",))
        while True:
            while modules and not channel.waiting():
                _warm(modules.popleft())
            _serve(channel, shared, trouble, *channel.receive())


def _serve(
    channel: Channel, shared: Any, trouble: WorkerError | None, function: str, arguments: dict
) -> None:
    _import_for(function)
    channel.send(("started",))
    memory.restart_peak()
    start, parts = time.monotonic(), None
    try:
        if trouble is not None:
            raise trouble
        value = call(function, shared, arguments)
        parts = encode(("done", value, None, time.monotonic() - start, memory.peak()))
    except WorkerError as failure:
        error = failure
    except MemoryError:
        error = WorkerError("Out of memory while sending the result.", status="out_of_memory")
    except Exception as failure:
        error = WorkerError(
            f"The result of {function} cannot be sent to the parent: {failure}",
            todo="Return numbers, text, arrays and plain containers of them.",
        )
    if parts is None:
        parts = encode(("done", None, error, time.monotonic() - start, memory.peak()))
    channel.post(parts)


def _shared(descriptor: int, size: int) -> tuple[Any, WorkerError | None]:
    try:
        return read(descriptor, size), None
    except Exception as error:
        return None, WorkerError(
            f"The worker could not rebuild what the parent shares with it: {type(error).__name__}: {error}",
            why="Classes and functions that are sent must be importable in a fresh process.",
            todo="Define them in a module, not in the script or notebook that was started.",
        )
    finally:
        os.close(descriptor)


def _warm(module: str) -> None:
    """Imports ahead of need; a job that needs the module meets the same trouble and reports it."""
    try:
        import_module(module)
    except (Exception, SystemExit):
        traceback.print_exc()


def _import_for(function: str) -> None:
    """Imports the module of a job before its clock starts; the call meets the same trouble and reports it."""
    with contextlib.suppress(Exception, SystemExit):
        import_module(function.partition(":")[0])


def _limit(most: int | None) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if most is not None and sys.platform.startswith("linux"):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _die_with_parent(parent: int) -> None:
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(FIRST_TO_BE_KILLED))

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os.killpg(0, signal.SIGKILL)  # our own group: whatever this worker has started goes too

    threading.Thread(target=look, name="parent-watch", daemon=True).start()


def start() -> None:
    """The entry of the process: settings are the last argument, as JSON."""
    main(json.loads(sys.argv[-1]))
