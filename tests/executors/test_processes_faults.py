"""What goes wrong in worker processes, and what must happen then."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from perennial.errors import WorkerError
from perennial.executors import Processes
from perennial.executors.processes import handle, supervisor
from perennial.testing import executors as jobs
from perennial.testing.executors import finish_all, job, run

LINUX = sys.platform.startswith("linux")
linux_only = pytest.mark.skipif(not LINUX, reason="the kernel's limit on data works on Linux only")


@pytest.fixture
def one():
    with Processes(1, memory=2**30) as executor:
        yield executor


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_row_2_a_killed_worker_fails_its_own_job_alone_and_says_the_signal():
    with Processes(2) as executor:
        victim = run(executor, jobs.process_number).result()
        futures = [executor.submit(job(jobs.nap, length=1.0)) for _ in range(2)]
        assert wait_until(
            lambda: not executor.wait(0.05) and all(worker.running for worker in executor._workers)
        )
        os.kill(victim, signal.SIGKILL)
        finish_all(executor, futures)
        errors = [future.error for future in futures]
        assert sum(error is None for error in errors) == 1
        crashed = next(error for error in errors if error)
        assert crashed.status == "crashed" and "signal 9 (SIGKILL)" in crashed.what
        assert run(executor, jobs.echo, value=1).result()[1] == 1


def test_a_native_crash_brings_home_the_stack(one):
    error = run(one, jobs.crash_natively).error
    assert error.status == "crashed" and "SIGSEGV" in error.what
    assert "crash_natively" in error.where


def test_a_worker_that_dies_between_jobs_costs_no_job(one):
    os.kill(run(one, jobs.process_number).result(), signal.SIGKILL)
    time.sleep(0.05)
    assert run(one, jobs.echo, value=1).result()[1] == 1


def test_a_job_that_kills_each_worker_is_not_sent_for_ever(tmp_path, one):
    assert run(one, jobs.die_once, mark=str(tmp_path / "mark")).error.status == "crashed"
    assert run(one, jobs.die_once, mark=str(tmp_path / "mark")).result() == "second"


@pytest.mark.parametrize(
    "hang", [jobs.loop_forever, jobs.loop_natively, jobs.multiply_forever, jobs.sleep_deaf]
)
def test_row_5_a_hanging_job_is_killed_at_its_deadline(one, hang):
    run(one, jobs.echo)
    future = run(one, hang, 0.5)
    assert future.error.status == "over_budget"
    assert 0.5 <= future.seconds < 1.5
    assert run(one, jobs.echo, value=1).result()[1] == 1


def test_a_killed_job_says_where_it_was(one):
    assert "loop_natively" in run(one, jobs.loop_natively, 0.5).error.where


def test_the_children_of_a_killed_job_are_killed_too(one, tmp_path):
    mark = tmp_path / "child"
    assert run(one, jobs.start_child, 1.0, mark=str(mark)).error.status == "over_budget"
    child = int(mark.read_text())
    assert wait_until(lambda: gone(child))


@linux_only
def test_row_6_more_memory_than_allowed_is_a_clean_error_of_that_job(one):
    future = run(one, jobs.allocate, gigabytes=4.0)
    assert future.error.status == "out_of_memory"
    assert run(one, jobs.allocate, gigabytes=0.1).result() > 0


def test_row_6_memory_that_the_kernel_does_not_count_is_seen_by_the_watchdog():
    with Processes(1, memory=300 * 2**20) as executor:
        future = run(executor, jobs.hoard, megabytes=600)
        assert future.error.status == "out_of_memory" and "300 MB" in future.error.what
        assert future.peak_memory > 300 * 2**20


def test_the_peak_of_memory_is_that_of_the_job_not_of_the_process(one):
    large = run(one, jobs.allocate, gigabytes=0.25).peak_memory
    small = run(one, jobs.echo).peak_memory
    assert large > 2**28
    assert small < (2**28 if LINUX else 2**40)


@linux_only
def test_row_7_the_kernel_would_kill_workers_before_the_parent(one):
    worker = run(one, jobs.process_number).result()
    with open(f"/proc/{worker}/oom_score_adj", encoding="utf-8") as file:
        assert int(file.read()) == 500


PARENT = """
    import sys, time
    from perennial.executors import Processes
    from perennial.testing import executors as jobs
    executor = Processes(2)
    numbers = [jobs.run(executor, jobs.process_number).result()]
    futures = [executor.submit(jobs.job(getattr(jobs, sys.argv[1]))) for _ in range(2)]
    end = time.monotonic() + 20
    while not all(worker.running for worker in executor._workers) and time.monotonic() < end:
        executor.wait(0.05)
    print(*(worker.process.pid for worker in executor._workers), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("work", ["loop_natively", "sleep_deaf"])
def test_row_1_workers_die_with_a_parent_that_was_killed(work):
    parent = start_parent(PARENT, work)
    workers = [int(number) for number in parent.stdout.readline().split()]
    assert len(workers) == 2 and not any(gone(worker) for worker in workers)
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: all(gone(worker) for worker in workers), 5.0)


def test_idle_workers_end_when_a_parent_forgets_to_close():
    source = """
        import warnings; warnings.simplefilter("ignore")
        from perennial.executors import Processes
        from perennial.testing import executors as jobs
        executor = Processes(1)
        print(jobs.run(executor, jobs.process_number).result(), flush=True)
    """
    parent = start_parent(source)
    worker = int(parent.stdout.readline())
    parent.communicate(timeout=20)
    assert wait_until(lambda: gone(worker), 5.0)


def start_parent(source, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), *arguments],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_row_22_a_process_that_has_served_long_or_grown_is_replaced(one, monkeypatch):
    def processes(times):
        return len({run(one, jobs.process_number).result() for _ in range(times)})

    assert processes(5) == 1
    monkeypatch.setattr(supervisor, "JOBS_PER_PROCESS", 3)
    monkeypatch.setattr(supervisor, "BUSY_PER_PROCESS", 0.0)
    assert processes(9) > 2
    monkeypatch.undo()
    assert processes(4) <= 2
    monkeypatch.setattr(supervisor, "GROWTH_ALLOWED", -(2**40))
    assert processes(3) > 1


def test_a_process_whose_jobs_keep_failing_is_replaced(one):
    before = run(one, jobs.process_number).result()
    for _ in range(supervisor.FAILURES_IN_A_ROW):
        run(one, jobs.fail)
    assert run(one, jobs.process_number).result() != before


def test_workers_that_cannot_start_fail_their_jobs_and_end_the_search_with_the_reason(monkeypatch):
    monkeypatch.setattr(handle, "ENTRY", "raise SystemExit('no such library')")
    reason = "(?s)no such library.*perennial doctor"
    with Processes(1) as executor, pytest.raises(WorkerError, match=reason):
        for _ in range(supervisor.FRUITLESS_STARTS):
            assert run(executor, jobs.echo).error.status == "crashed"


def test_a_worker_that_never_begins_is_given_up(monkeypatch):
    monkeypatch.setattr(handle, "ENTRY", "import time; time.sleep(60)")
    monkeypatch.setattr(supervisor, "START_SECONDS", 0.3)
    with Processes(1) as executor:
        future = run(executor, jobs.echo)
        assert future.error.status == "crashed" and "did not begin" in future.error.what


def test_row_12_no_room_for_another_process_is_said_in_words(monkeypatch):
    def refuse(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(handle.subprocess, "Popen", refuse)
    with pytest.raises(WorkerError, match="Too many open files"):
        Processes(2)


def test_a_stopped_worker_does_not_stop_the_supervisor(one):
    worker = run(one, jobs.process_number).result()
    for _ in range(20):  # it may have ended before we looked
        future = one.submit(job(jobs.array, 1.0, megabytes=64))
        if (
            wait_until(lambda future=future: one.wait(0.01) or one._workers[0].running, 2.0)
            and not future.done
        ):
            break
    else:
        pytest.fail("the worker was never caught at work")
    os.kill(worker, signal.SIGSTOP)  # in the middle of its work, or of sending what it has made
    begin = time.monotonic()
    finish_all(one, [future])
    assert future.error.status == "over_budget" and time.monotonic() - begin < 3.0


def test_closing_takes_less_than_a_second_whatever_the_workers_do():
    executor = Processes(3)
    futures = [executor.submit(job(jobs.sleep_deaf)) for _ in range(3)]
    assert wait_until(lambda: not executor.wait(0.05) and all(worker.running for worker in executor._workers))
    numbers = [worker.process.pid for worker in executor._workers]
    begin = time.monotonic()
    executor.close()
    assert time.monotonic() - begin < 1.0
    assert all(gone(number) for number in numbers) and all(future.done for future in futures)


def test_ctrl_c_in_the_terminal_does_not_reach_the_workers(one):
    worker = run(one, jobs.process_number).result()
    os.kill(worker, signal.SIGINT)
    assert os.getpgid(worker) != os.getpgid(0)
    assert run(one, jobs.process_number).result() == worker
