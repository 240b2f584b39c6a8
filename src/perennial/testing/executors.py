"""The contract of executors, and the jobs it sends: well-behaved ones, and one for each way to fail.

A plug-in author calls `check_executor(make)` in one test, where `make(shared)` gives a fresh executor with at
least one worker; and `check_isolation(make)` when its jobs run in processes that can be killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.errors import Diverged, UsageError
from perennial.executors.base import Executor, Future, Job

__all__ = ["check_executor", "check_isolation", "finish_all"]

HERE = __name__
PATIENCE = 60.0
Make = Callable[[Any], Executor]


# -- jobs; each is called as function(shared, **arguments) ------------------------------------------


def echo(shared: Any, *, value: Any = None) -> tuple[Any, Any]:
    """What it was given."""
    return shared, value


def process_number(shared: Any) -> int:
    """Which process it runs in."""
    return os.getpid()


def environment(shared: Any, *, names: tuple[str, ...]) -> dict[str, str | None]:
    """Variables as a job sees them."""
    return {name: os.environ.get(name) for name in names}


def imported(shared: Any, *, name: str) -> bool:
    """Whether the process holds a module already."""
    return name in sys.modules


def array(shared: Any, *, megabytes: int) -> np.ndarray:
    """A large result."""
    return np.arange(megabytes * 2**17, dtype=np.float64)


def change_shared(shared: np.ndarray) -> float:
    """Writes to what it shares; a neighbour must not see it."""
    before = float(shared[0])
    shared[0] += 1.0
    return before


def talk(shared: Any, *, text: str, times: int = 1, then_fail: bool = False) -> None:
    """Writes to standard output, from Python and from below it."""
    for _ in range(times):
        print(text)
        os.write(1, f"{text} from below\n".encode())
    if then_fail:
        raise ValueError("after talking")


def fail(shared: Any, *, text: str = "bad luck") -> None:
    """An ordinary error."""
    raise ValueError(text)


def diverge(shared: Any) -> None:
    """Training that ended in NaN."""
    raise Diverged("The loss became NaN.", where="step 7")


def leave(shared: Any) -> None:
    """A library that calls exit."""
    sys.exit(3)


def die(shared: Any, *, by: int = signal.SIGKILL) -> None:
    """The process ends without a word."""
    os.kill(os.getpid(), by)
    time.sleep(PATIENCE)


def die_once(shared: Any, *, mark: str) -> str:
    """Ends the process at the first call, returns at the second."""
    if not os.path.exists(mark):
        with open(mark, "x", encoding="utf-8"):
            die(shared)
    return "second"


def crash_natively(shared: Any) -> None:
    """Reads memory that is not there."""
    import ctypes

    ctypes.string_at(0)


def loop_forever(shared: Any) -> None:
    """A loop in Python."""
    while True:
        pass


def loop_natively(shared: Any) -> None:
    """One call into C that takes hours and holds the interpreter's lock."""
    sum(range(10**15))


def multiply_forever(shared: Any) -> None:
    """Native code without the interpreter's lock, such as a large matrix product."""
    left = np.ones((3000, 3000))
    while True:
        left = left @ left * 0.0


def sleep_deaf(shared: Any) -> None:
    """Hangs with every signal blocked that can be."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    time.sleep(PATIENCE)


def allocate(shared: Any, *, gigabytes: float) -> float:
    """One large allocation, touched."""
    return float(np.ones(int(gigabytes * 2**27)).sum())


def hoard(shared: Any, *, megabytes: int) -> int:
    """Memory that the limit of the kernel does not count: a shared mapping, filled."""
    import mmap

    memory = mmap.mmap(-1, megabytes * 2**20)
    for place in range(0, len(memory), mmap.PAGESIZE):
        memory[place] = 1
    time.sleep(PATIENCE)
    return len(memory)


def start_child(shared: Any, *, mark: str) -> None:
    """Starts a process of its own, writes down its number, and hangs."""
    import subprocess

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(mark, "w", encoding="utf-8") as file:
        file.write(str(child.pid))
    time.sleep(PATIENCE)


def nap(shared: Any, *, length: float) -> float:
    """Takes so many seconds."""
    time.sleep(length)
    return length


# -- the contract -----------------------------------------------------------------------------------


def job(function: Callable, seconds: float = PATIENCE, **arguments: Any) -> Job:
    """A job of this file."""
    return Job(f"{HERE}:{function.__name__}", arguments, seconds)


def finish_all(executor: Executor, futures: list[Future], seconds: float = PATIENCE) -> list[Future]:
    """Waits for all of them; returns those that `wait` reported, in its order."""
    end, reported = time.monotonic() + seconds, []
    while not all(future.done for future in futures):
        assert time.monotonic() < end, f"The jobs did not end within {seconds} s: {futures}."
        reported += executor.wait(1.0)
    return reported + executor.wait(0.0)


def run(executor: Executor, function: Callable, seconds: float = PATIENCE, **arguments: Any) -> Future:
    """Submits one job and waits for its end."""
    future = executor.submit(job(function, seconds, **arguments))
    finish_all(executor, [future])
    return future


def check_executor(make: Make) -> None:
    """What every executor promises.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    with make({"rows": np.arange(5.0)}) as executor:
        _check_values(executor)
        _check_reports(executor)
        _check_failures(executor)
        assert not executor.wait(0.0), "wait must report a future once; it was reported again."
        unfinished = executor.submit(job(echo))
    executor.close()  # a second time is no error
    assert unfinished.done, "A future must be done after close, or its owner waits for ever."
    try:
        executor.submit(job(echo))
    except UsageError:
        return
    raise AssertionError("submit after close must raise UsageError.")


def _check_values(executor: Executor) -> None:
    value = {"text": "ä", "bytes": b"\0\1", "matrix": np.eye(3), "nested": (1, [None, 2.5])}
    shared, echoed = run(executor, echo, value=value).result()
    assert np.array_equal(shared["rows"], np.arange(5.0)), "The job must receive what the executor shares."
    assert {**echoed, "matrix": 0} == {**value, "matrix": 0}, (
        "Arguments and results must arrive as they were sent."
    )
    assert np.array_equal(echoed["matrix"], np.eye(3)), "Arrays must arrive as they were sent."
    assert np.array_equal(run(executor, array, megabytes=2).result(), np.arange(2.0 * 2**17)), (
        "Results must be whole."
    )


def _check_reports(executor: Executor) -> None:
    futures = [executor.submit(job(echo, value=number)) for number in range(7)]
    reported = finish_all(executor, futures)
    assert sorted(map(id, reported)) == sorted(map(id, futures)), "wait must report each future exactly once."
    for number, future in enumerate(futures):
        assert future.result()[1] == number, "A future must hold the result of its own job."
        assert future.error is None and 0.0 <= future.seconds < PATIENCE, (
            "seconds must say how long the job ran."
        )


def _check_failures(executor: Executor) -> None:
    expected = {fail: "failed", diverge: "diverged", leave: "failed"}
    for function, status in expected.items():
        future = run(executor, function)
        assert future.error is not None, f"The job {function.__name__} must end with an error."
        assert future.error.status == status, (
            f"{function.__name__}: expected {status}, got {future.error.status}."
        )
    failed = run(executor, fail, text="bad luck").error
    assert "bad luck" in failed.what and "fail" in failed.where, (
        "The error must tell the message and the place."
    )
    missing = executor.submit(Job("perennial.nowhere:nothing"))
    finish_all(executor, [missing])
    assert missing.error.status == "failed", "A function that does not exist is a failed job, not the end."
    slow = run(executor, nap, 0.05, length=0.3)
    assert slow.error is not None and slow.error.status == "over_budget", (
        "Past its seconds a job is over_budget."
    )
    assert run(executor, echo).error is None, (
        "After failures the next job must run as if nothing had happened."
    )


def check_isolation(make: Make) -> None:
    """What an executor promises whose jobs run in processes of their own.

    Raises:
        AssertionError: with a sentence that says which promise is broken.
    """
    with make(None) as executor:
        begin = time.monotonic()
        stuck = executor.submit(job(loop_forever, 0.5))
        neighbour = executor.submit(job(echo, value="still here"))
        finish_all(executor, [stuck, neighbour])
        assert stuck.error.status == "over_budget", (
            "A job that loops for ever must be killed at its deadline."
        )
        assert neighbour.result()[1] == "still here", "A hanging job must not harm its neighbour."
        assert time.monotonic() - begin < PATIENCE / 2, "The deadline must be kept."
        crashed = run(executor, die)
        assert crashed.error.status == "crashed" and "9" in crashed.error.what, (
            "A killed process must say by what."
        )
        assert run(executor, process_number).result() != os.getpid(), "Jobs must run in another process."
        begin = time.monotonic()
        executor.submit(job(loop_forever))
        executor.wait(0.1)
    assert time.monotonic() - begin < 2.0, "close must end everything within a second."
