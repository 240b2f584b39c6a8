"""A small supervisor over long-lived worker processes and sockets: only the dead or hanging job fails.

Executors of the standard library lose every pending job when one worker dies; here each worker has a socket
of its own. Nothing in this file ever waits for a single worker: jobs are sent and results received as far as
they go, and between the pieces deadlines and memory are looked at.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perennial.errors import UsageError, WorkerError
from perennial.executors.base import Executor, Future, Job
from perennial.executors.processes import memory as measure
from perennial.executors.processes.channel import NOTHING
from perennial.executors.processes.handle import Recipe, Worker
from perennial.executors.processes.payload import Payload, portable

CHECK_SECONDS = 0.2
START_SECONDS = 120.0
"""A worker that has not begun its job after this long (start and imports) is taken for broken."""
FRUITLESS_STARTS = 3
"""So many workers in a row that die before they are ready: the environment is broken, not the job."""
JOBS_PER_PROCESS, BUSY_PER_PROCESS = 50, 60.0
"""A process is replaced after so many jobs, once a new start costs under 5 % of what it has worked."""
GROWTH, GROWTH_ALLOWED = 1.5, 2**30
FAILURES_IN_A_ROW = 5
MAPS_ALLOWED = 30_000
"""The kernel allows 65 530 memory maps a process."""


class Processes(Executor):
    """Local worker processes.

    Args:
        workers: how many, at least 1.
        shared: handed to every job; written once, its arrays are mapped by all workers.
        memory: bytes a worker may use beside `shared`; `None` is a fair share of what is available.
        threads: that numerical libraries may use inside a worker.
        warm: modules that a worker imports while it has no job.

    Raises:
        UsageError: `shared` cannot be sent to another process.
        WorkerError: no worker can be started.

    Create and use it in one thread: on Linux workers end with the thread that started them.

    >>> with Processes(1, shared=[3, 1, 2]) as executor:
    ...     future = executor.submit(Job("builtins:sorted", {"reverse": True}, seconds=60))
    ...     while not future.done:
    ...         finished = executor.wait(1.0)
    >>> future.result()
    [3, 2, 1]
    """

    def __init__(
        self,
        workers: int,
        shared: Any = None,
        *,
        memory: int | None = None,
        threads: int = 1,
        warm: Sequence[str] = (),
    ) -> None:
        if workers < 1:
            raise UsageError(f"Processes needs at least 1 worker, received workers={workers}.")
        self._queue: deque[tuple[Future, list[memoryview]]] = deque()
        self._finished: list[Future] = []
        self._workers: list[Worker] = []
        self._given: dict[Future, list[memoryview]] = {}
        self._sent_again: set[Future] = set()
        self._wanted, self._checked, self._fruitless, self._closed = workers, 0.0, 0, False
        limit = memory or measure.fair_share(workers)
        self._recipe = Recipe(Payload(shared), limit, threads, tuple(warm))
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def submit(self, job: Job) -> Future:
        if self._closed:
            raise UsageError("This executor is closed.", todo="Make a new one.")
        parts = portable((job.function, dict(job.arguments)), f"The arguments of {job.function}")
        future = Future(job)
        self._queue.append((future, parts))
        self._dispatch()
        return future

    def wait(self, timeout: float) -> list[Future]:
        end = time.monotonic() + timeout
        while not self._closed:
            self._dispatch()
            left = 0.0 if self._finished else max(0.0, end - time.monotonic())
            self._exchange(min(left, CHECK_SECONDS, self._next_deadline()))
            self._watch()
            if self._finished or time.monotonic() >= end:
                break
        self._dispatch()
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        self._closed = True
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()
        error = WorkerError("The executor was closed before the job ended.")
        for future in [*self._given, *(future for future, _ in self._queue)]:
            future.finish(None, error)
        self._workers, self._finished = [], []
        self._queue.clear()
        self._given.clear()
        self._recipe.payload.close()

    # -- jobs and what became of them ------------------------------------------------------------------------

    def _dispatch(self) -> None:
        if self._closed:
            return
        self._fill()
        for worker in sorted(self._workers, key=lambda one: not one.ready):
            if not self._queue:
                return
            if worker.future is None:
                future, parts = self._queue.popleft()
                self._given[future] = parts
                try:
                    worker.give(future, parts)
                except OSError:
                    self._lost(worker)

    def _exchange(self, timeout: float) -> None:
        """Sends and receives whatever can be, after waiting up to `timeout` for the first."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                both = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.channel.unsent else 0)
                selector.register(worker.channel, both, worker)
            for key, events in selector.select(timeout):
                try:
                    if events & selectors.EVENT_WRITE:
                        key.data.channel.flush()
                    if events & selectors.EVENT_READ:
                        self._receive(key.data)
                except (EOFError, OSError):
                    self._lost(key.data)

    def _receive(self, worker: Worker) -> None:
        try:
            message = worker.channel.receive()
        except (EOFError, OSError):
            raise
        except Exception as error:
            what = f"The result could not be rebuilt here: {type(error).__name__}: {error}"
            self._finish(
                worker, None, worker.error(what, "failed"), time.monotonic() - worker.since, worker.peak
            )
            return
        if message is NOTHING:
            return
        if message[0] == "ready":
            worker.ready, self._fruitless = True, 0
        elif message[0] == "started":
            worker.running, worker.since = True, time.monotonic()
        else:
            _, value, error, seconds, peak = message
            if error is not None and (printed := worker.tail()):
                error = WorkerError(
                    error.what, where=f"{error.where}\nprinted:\n{printed}".strip(), why=error.why,
                    todo=error.todo, status=error.status,
                )  # fmt: skip
            self._finish(worker, value, error, seconds, peak)

    def _finish(
        self, worker: Worker, value: Any, error: WorkerError | None, seconds: float, peak: int
    ) -> None:
        self._end(worker, value, error, seconds, peak)
        worker.served += 1
        worker.busy += seconds
        worker.failures_in_a_row = 0 if error is None else worker.failures_in_a_row + 1
        if (error is not None and error.status == "out_of_memory") or _is_worn(worker):
            self._drop(worker)

    def _end(self, worker: Worker, value: Any, error: WorkerError | None, seconds: float, peak: int) -> None:
        future, worker.future, worker.running = worker.future, None, False
        if future is None:
            return
        self._given.pop(future, None)
        self._sent_again.discard(future)
        future.finish(value, error, seconds, max(peak, worker.peak))
        self._finished.append(future)

    # -- trouble ---------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Kills what is late, and, five times a second, what has become too large."""
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.future is None and worker.ready:
                continue
            if worker.running and now - worker.since > worker.future.job.seconds:
                seconds = worker.future.job.seconds
                self._kill(
                    worker,
                    "over_budget",
                    f"Killed after {seconds:.1f} s, all it was allowed.",
                    worker.stack(),
                )
            elif not worker.running and now - worker.since > START_SECONDS:
                self._kill(worker, "crashed", f"The worker did not begin within {START_SECONDS:.0f} s.")
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        for worker in list(self._workers):
            used = worker.look()
            if used > worker.allowed:
                used, allowed = (f"{number / 2**20:.0f} MB" for number in (used, worker.allowed))
                self._kill(worker, "out_of_memory", f"Killed at {used} of memory, allowed were {allowed}.")
            elif worker.process.poll() is not None:  # a child of a dead worker may hold its socket open
                self._lost(worker)

    def _kill(self, worker: Worker, status: str, what: str, where: str = "") -> None:
        self._fruitless += not worker.ready
        seconds = time.monotonic() - worker.since
        self._end(worker, None, worker.error(what, status, where), seconds, worker.peak)
        self._drop(worker)

    def _lost(self, worker: Worker) -> None:
        """The process is gone. A job that it had not begun yet goes to another one, once."""
        self._fruitless += not worker.ready
        future = worker.future
        if future is not None and not worker.running and future not in self._sent_again:
            self._sent_again.add(future)
            self._queue.appendleft((future, self._given.pop(future)))
            worker.future = None
        what = f"The worker process {worker.cause_of_death()}."
        failure = worker.error(what, "crashed", todo="" if worker.ready else "Run: perennial doctor")
        self._end(worker, None, failure, time.monotonic() - worker.since, worker.peak)
        self._drop(worker)
        if self._fruitless >= FRUITLESS_STARTS:
            raise failure

    def _drop(self, worker: Worker) -> None:
        worker.close()
        self._workers.remove(worker)

    def _fill(self) -> None:
        """Starts workers where some are missing; fewer than wanted are enough to go on."""
        while len(self._workers) < self._wanted:
            try:
                self._workers.append(Worker(self._recipe))
            except OSError as error:
                if self._workers:
                    return
                raise WorkerError(
                    f"No worker process can be started: {error}.",
                    why="Candidates are trained in processes of their own, so that none can harm the study.",
                    todo="Free memory or raise the limits on processes and open files (ulimit -u, -n).",
                    status="crashed",
                ) from error

    def _next_deadline(self) -> float:
        now = time.monotonic()
        ends = [one.since + one.future.job.seconds - now for one in self._workers if one.running]
        return max(0.0, min(ends, default=CHECK_SECONDS))


def _is_worn(worker: Worker) -> bool:
    """Whether a fresh process should take its place: it has grown, keeps failing, or has served long."""
    now = measure.resident(worker.process.pid)
    worker.first_resident = worker.first_resident or now
    return (
        now > worker.first_resident * GROWTH + GROWTH_ALLOWED
        or worker.failures_in_a_row >= FAILURES_IN_A_ROW
        or (
            worker.served >= JOBS_PER_PROCESS
            and (worker.busy >= BUSY_PER_PROCESS or _maps(worker) > MAPS_ALLOWED)
        )
    )


def _maps(worker: Worker) -> int:
    try:
        return Path(f"/proc/{worker.process.pid}/maps").read_bytes().count(b"\n")
    except OSError:
        return 0
