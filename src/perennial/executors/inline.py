"""Runs each job at once in this process, where nothing can be killed: for tests and tiny jobs."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from perennial.errors import UsageError, WorkerError
from perennial.executors.base import Executor, Future, Job, call


class Inline(Executor):
    """One job after another, in this process; what a job prints goes to standard error.

    A job that takes longer than its seconds is not stopped; it ends as `over_budget` all the same. Do not use
    it for code that may hang, crash or use a lot of memory.

    >>> executor = Inline(shared=[3, 1, 2])
    >>> executor.submit(Job("builtins:sorted")).result()
    [1, 2, 3]
    """

    def __init__(self, shared: Any = None) -> None:
        self._shared, self._closed = shared, False
        self._finished: list[Future] = []

    def submit(self, job: Job) -> Future:
        if self._closed:
            raise UsageError("This executor is closed.", todo="Make a new one.")
        future, start, value, error = Future(job), time.monotonic(), None, None
        try:
            with contextlib.redirect_stdout(sys.stderr):
                value = call(job.function, self._shared, job.arguments)
        except WorkerError as failure:
            error = failure
        seconds = time.monotonic() - start
        if error is None and seconds > job.seconds:
            error = WorkerError(
                f"Took {seconds:.1f} s, allowed were {job.seconds:.1f} s.", status="over_budget"
            )
        future.finish(value if error is None else None, error, seconds)
        self._finished.append(future)
        return future

    def wait(self, timeout: float) -> list[Future]:
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        self._closed, self._finished = True, []
