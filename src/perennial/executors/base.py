"""Executors run jobs somewhere else and bring back what they returned, or how they failed.

What an author of a new executor promises:

- `submit` never blocks for the job; `wait` returns each finished future exactly once.
- A job that runs past its seconds ends with status `over_budget`, one that wants too much memory with
  `out_of_memory`, one whose process dies with `crashed`; the others do not notice.
- Nothing that a job prints reaches the user's standard output.
- `close` leaves nothing running, within a second, and may be called twice.

Members make the call itself with `call`, so that all of them name failures alike. The contract is
`perennial.testing.executors.check_executor`.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self

from perennial.errors import Diverged, PerennialError, Rejected, UsageError, WorkerError

TRACEBACK_LINES = 12
MESSAGE_LENGTH = 1_000
MEMORY_SIGNS = (
    "out of memory", "not enough memory", "resource_exhausted", "resource exhausted", "unable to allocate",
    "cannot allocate memory", "can't allocate memory", "bad_alloc", "bad allocation",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A call to make elsewhere: `function(shared, **arguments)`.

    Args:
        function: `"module:name"`; the module must be importable by that name in a fresh process.
        arguments: keyword arguments; NumPy arrays and bytes travel fast.
        seconds: after which the job is killed, counted from its start; neither the time it waited for a
            worker nor the import of its module count.

    Raises:
        UsageError: `function` does not name a module and a function, or lies in the script that was started.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = float("inf")

    def __post_init__(self) -> None:
        module, _, name = self.function.partition(":")
        if not module or not name:
            raise UsageError(f'A job names its function as "module:name", received {self.function!r}.')
        if module == "__main__":
            raise UsageError(
                f"The function `{name}` lives in the script that was started.",
                why="A worker process does not run that script again, so it cannot find the function.",
                todo="Move the function to a module of its own and name it as module:function.",
            )


class Future:
    """What will become of a job; filled in by its executor.

    Attributes:
        job: as it was submitted.
        done: whether it has ended, well or not.
        error: `None`, or how it failed; `where` holds the end of the traceback and of what the job printed.
        seconds: that it ran.
        peak_memory: bytes of resident memory at the highest point of its process, 0 where unknown.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.done = False
        self.error: WorkerError | None = None
        self.seconds = 0.0
        self.peak_memory = 0
        self._value: Any = None

    def result(self) -> Any:
        """What the function returned.

        Raises:
            WorkerError: it failed; `.status` is one of
                `failed diverged rejected over_budget out_of_memory crashed`.
            UsageError: the job has not ended yet.
        """
        if not self.done:
            raise UsageError(
                "The job has not ended yet.", todo="Call executor.wait(seconds) until future.done."
            )
        if self.error is not None:
            raise self.error
        return self._value

    def finish(
        self, value: Any = None, error: WorkerError | None = None, seconds: float = 0.0, peak_memory: int = 0
    ) -> None:
        """Called once, by the executor."""
        self._value, self.error, self.seconds, self.peak_memory = value, error, seconds, peak_memory
        self.done = True

    def __repr__(self) -> str:
        state = "running" if not self.done else self.error.status if self.error else "done"
        return f"Future({self.job.function}, {state})"


class Executor(ABC):
    """Runs jobs; `shared` is handed to each of them and sent only once per process."""

    @abstractmethod
    def submit(self, job: Job) -> Future:
        """Takes a job; it starts when there is room, in the order of submission.

        Raises:
            UsageError: the executor is closed, or the arguments cannot travel to another process.
        """

    @abstractmethod
    def wait(self, timeout: float) -> list[Future]:
        """The futures that finished since the last call; waits up to `timeout` seconds for the first."""

    @abstractmethod
    def close(self) -> None:
        """Ends everything that still runs; unfinished futures end as failed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def call(function: str, shared: Any, arguments: Mapping[str, Any]) -> Any:
    """`function(shared, **arguments)`, with whatever goes wrong turned into a `WorkerError` with a status.

    Args:
        function: `"module:name"`.
        shared: the first argument.
        arguments: the keyword arguments.

    Raises:
        WorkerError: whatever the function raised; `where` holds the end of its traceback.

    >>> call("builtins:sorted", [3, 1, 2], {"reverse": True})
    [3, 2, 1]
    """
    module, _, name = function.partition(":")
    try:
        return getattr(import_module(module), name)(shared, **arguments)
    except MemoryError as error:
        raise WorkerError("Out of memory.", where=_place(), status="out_of_memory") from error
    except (Diverged, Rejected) as error:
        status = type(error).__name__.lower()
        raise WorkerError(error.what, where=error.where, why=error.why, status=status) from error
    except WorkerError:
        raise
    except PerennialError as error:
        raise WorkerError(
            error.what, where=error.where or _place(), why=error.why, todo=error.todo
        ) from error
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
        raise WorkerError(
            text, where=_place(), status="out_of_memory" if _is_memory(text) else "failed"
        ) from error


def _place() -> str:
    return "\n".join(traceback.format_exc().strip().splitlines()[-TRACEBACK_LINES:])


def _is_memory(text: str) -> bool:
    lower = text.lower()
    return any(sign in lower for sign in MEMORY_SIGNS)
