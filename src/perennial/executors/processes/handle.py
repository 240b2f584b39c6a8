"""What the supervisor knows of one worker: how to start it, hand it a job, read its output, and end it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perennial.errors import WorkerError
from perennial.executors.base import Future
from perennial.executors.processes import memory
from perennial.executors.processes.channel import Channel
from perennial.executors.processes.payload import Payload

TAIL_BYTES = 2_000
LOG_BYTES = 2**24
STACK_SECONDS = 0.1
REAP_SECONDS = 1.0
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
ENTRY = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from perennial.executors.processes.worker import start; start()"
)


@dataclass(frozen=True)
class Recipe:
    """How each worker of a supervisor is started.

    Args:
        payload: the shared value.
        limit: bytes of memory.
        threads: that numerical libraries may use.
        warm: modules to import while there is no job.
    """

    payload: Payload
    limit: int
    threads: int
    warm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Of the process; hashing is fixed, so that the order of a set cannot differ between workers."""
        threads = {name: str(self.threads) for name in THREAD_VARIABLES}
        return {"KERAS_BACKEND": "torch", **os.environ, **threads, "PYTHONHASHSEED": "0"}


class Worker:
    """One process. The interpreter is told the parent's import path and nothing of its main module, so the
    parent may be a script without a main guard, a notebook or `python -c`.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.future: Future | None = None
        self.ready, self.running = False, False
        # When it was started, handed a job, or began the job: the limit in force counts from here.
        self.since = time.monotonic()
        self.served, self.busy, self.failures_in_a_row = 0, 0.0, 0
        self.first_resident, self.peak = 0, 0
        self.allowed = recipe.limit + recipe.payload.size
        self._log = tempfile.TemporaryFile()
        fcntl.fcntl(self._log, fcntl.F_SETFL, fcntl.fcntl(self._log, fcntl.F_GETFL) | os.O_APPEND)
        ours, theirs = socket.socketpair()
        try:
            self.process = self._popen(recipe, theirs.fileno())
        except BaseException:
            ours.close()
            self._log.close()
            raise
        finally:
            theirs.close()
        self.channel = Channel(ours, waits=False)

    def _popen(self, recipe: Recipe, link: int) -> subprocess.Popen:
        settings = {
            "link": link,
            "payload": (recipe.payload.descriptor, recipe.payload.size),
            "parent": os.getpid(),
            "memory": self.allowed,
            "warm": recipe.warm,
        }
        flags = ["-u", "-P", "-X", "faulthandler"]
        command = [sys.executable, *flags, "-c", ENTRY, json.dumps(_import_path()), json.dumps(settings)]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=recipe.environment(),
            pass_fds=(link, recipe.payload.descriptor), start_new_session=True,
        )  # fmt: skip

    def give(self, future: Future, parts: list[memoryview]) -> None:
        """Hands it a job, already encoded.

        Raises:
            OSError: the process is gone.
        """
        os.ftruncate(self._log.fileno(), 0)
        self.future, self.running, self.since, self.peak = future, False, time.monotonic(), 0
        self.channel.post(parts)

    def look(self) -> int:
        """Bytes of resident memory now; keeps the peak, and the log from filling the disk."""
        now = memory.resident(self.process.pid)
        self.peak = max(self.peak, now)
        if os.fstat(self._log.fileno()).st_size > LOG_BYTES:
            os.ftruncate(self._log.fileno(), 0)
        return now

    def tail(self) -> str:
        """The end of what it printed during this job."""
        size = os.fstat(self._log.fileno()).st_size
        kept = os.pread(self._log.fileno(), TAIL_BYTES, max(0, size - TAIL_BYTES))
        return kept.decode("utf-8", errors="replace").strip()

    def stack(self) -> str:
        """Where it is, as its interpreter sees it, also in a native loop; empty when it does not answer."""
        before = os.fstat(self._log.fileno()).st_size
        with contextlib.suppress(OSError):
            self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + STACK_SECONDS
        while time.monotonic() < end:
            time.sleep(STACK_SECONDS / 10)
            if os.fstat(self._log.fileno()).st_size > before:
                break
        return self.tail()

    def cause_of_death(self) -> str:
        """Waits for the end of a process that has closed its socket, and says how it ended."""
        try:
            code = self.process.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its socket"
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"

    def kill(self) -> None:
        """Sends the signal to the whole group of the process; `close` waits for the end."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.process.kill()

    def close(self) -> None:
        """Ends it and lets go of its files."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # one in an uninterruptible wait ends later
            self.process.wait(REAP_SECONDS)
        self.channel.close()
        self._log.close()

    def error(self, what: str, status: str, where: str = "", todo: str = "") -> WorkerError:
        """How its job failed, with the end of what it printed."""
        return WorkerError(what, where=where or self.tail(), todo=todo, status=status)


def _import_path() -> Sequence[str]:
    """Where this process finds modules, as absolute paths, perennial itself included."""
    path = [os.path.abspath(entry) for entry in sys.path]
    home = str(Path(__file__).resolve().parents[3])
    return path if home in path else [home, *path]
