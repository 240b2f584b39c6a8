"""Worker processes on a good day: fast to start, quiet, at home wherever the parent runs."""

import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from perennial.errors import UsageError
from perennial.executors import Job, Processes
from perennial.executors.processes import handle, memory
from perennial.testing import executors as jobs
from perennial.testing.executors import finish_all, job, run


def test_a_job_comes_back_soon_after_the_start_of_the_workers():
    begin = time.monotonic()
    with Processes(1) as executor:
        run(executor, jobs.echo)
    assert time.monotonic() - begin < 5.0  # 0.1 s where nobody else is busy


def test_making_the_executor_does_not_wait_for_its_workers():
    begin = time.monotonic()
    with Processes(2, shared=np.zeros(2**20), warm=("sklearn.linear_model",)):
        assert time.monotonic() - begin < 1.0  # 0.03 s where nobody else is busy


def test_a_small_job_costs_milliseconds():
    with Processes(1) as executor:
        run(executor, jobs.echo)
        begin = time.monotonic()
        for number in range(100):
            run(executor, jobs.echo, value=number)
        assert (time.monotonic() - begin) / 100 < 0.02  # 0.5 ms where nobody else is busy


def test_a_hundred_megabytes_come_home_fast_as_arrays_and_as_bytes():
    with Processes(1) as executor:
        run(executor, jobs.echo)
        begin = time.monotonic()
        result = run(executor, jobs.array, megabytes=100).result()
        assert time.monotonic() - begin < 10.0  # 0.15 s where nobody else is busy
        assert result.nbytes == 100 * 2**20 and result[-1] == len(result) - 1
        result[0] = 1.0  # it is ours, not a read-only view
        blob = bytes(50 * 2**20)
        assert run(executor, jobs.echo, value=blob).result()[1] == blob


def test_arrays_of_every_kind_arrive_as_they_were_sent():
    sent = {
        "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "strided": np.arange(20)[::3],
        "empty": np.zeros((0, 3)),
        "text": np.array(["a", None, "ü"], dtype=object),
        "dates": np.array(["2020-01-01", "NaT"], dtype="datetime64[us]"),
        "structured": np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    }
    with Processes(1, shared=sent) as executor:
        shared, echoed = run(executor, jobs.echo, value=sent).result()
    for name, value in sent.items():
        np.testing.assert_array_equal(echoed[name], value)
        np.testing.assert_array_equal(shared[name], value)
        assert echoed[name].dtype == value.dtype


def test_what_workers_share_may_be_written_to_and_nobody_else_sees_it():
    shared = np.zeros(2**17)
    with Processes(2, shared=shared) as executor:
        futures = [executor.submit(job(jobs.change_shared)) for _ in range(2)]
        finish_all(executor, futures)
    assert shared[0] == 0.0
    assert {future.result() for future in futures} <= {0.0, 1.0}


def test_warm_modules_are_imported_before_a_job_needs_them_and_a_wrong_one_does_no_harm():
    with Processes(1, warm=("colorsys", "no_such_module_anywhere")) as executor:
        run(executor, jobs.echo)
        time.sleep(0.5)
        assert run(executor, jobs.imported, name="colorsys").result()
    with Processes(1) as executor:
        assert not run(executor, jobs.imported, name="colorsys").result()


def test_a_job_does_not_wait_for_all_warm_modules():
    with Processes(1, warm=("perennial.testing.executors", "sklearn.linear_model", "colorsys")) as executor:
        future = executor.submit(job(jobs.imported, name="colorsys"))
        finish_all(executor, [future])
        assert not future.result()


def test_the_clock_of_the_first_job_does_not_count_imports(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time; time.sleep(0.8)\ndef f(shared): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Processes(1) as executor:
        future = executor.submit(Job("slow_to_import:f", seconds=0.5))
        finish_all(executor, [future])
        assert future.result() == 1 and future.seconds < 0.5


def test_a_module_that_exits_when_it_is_imported_fails_its_job_alone(tmp_path, monkeypatch):
    (tmp_path / "leaves_at_once.py").write_text("raise SystemExit('no licence')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Processes(1, warm=("leaves_at_once",)) as executor:
        before = run(executor, jobs.process_number).result()
        future = executor.submit(Job("leaves_at_once:f"))
        finish_all(executor, [future])
        assert future.error.status == "failed" and "no licence" in future.error.what
        assert run(executor, jobs.process_number).result() == before


def test_threads_and_backend_reach_the_workers(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KERAS_BACKEND")
    with Processes(1, threads=3) as executor:
        assert list(run(executor, jobs.environment, names=names).result().values()) == ["3", "3", "3", "jax"]
    monkeypatch.delenv("KERAS_BACKEND")
    with Processes(1) as executor:
        assert run(executor, jobs.environment, names=("KERAS_BACKEND",)).result() == {
            "KERAS_BACKEND": "torch"
        }


def test_what_workers_print_never_reaches_the_terminal_but_the_error(capfd):
    with Processes(1) as executor:
        run(executor, jobs.talk, text="chatter")
        error = run(executor, jobs.talk, text="last words", then_fail=True).error
        quiet = run(executor, jobs.fail).error
    assert capfd.readouterr() == ("", "")
    assert (
        "last words from below" in error.where
        and "last words\n" in error.where
        and "after talking" in error.what
    )
    assert "words" not in quiet.where, "what an earlier job printed does not belong to this one"


def test_a_talkative_job_does_not_fill_the_disk(monkeypatch):
    monkeypatch.setattr(handle, "LOG_BYTES", 10_000)
    with Processes(1) as executor:
        run(executor, jobs.talk, text="x" * 1000, times=100)
        worker = executor._workers[0]
        worker.look()
        assert os.fstat(worker._log.fileno()).st_size < 10_000


def test_jobs_start_in_the_order_of_submission():
    with Processes(1) as executor:
        futures = [executor.submit(job(jobs.echo, value=number)) for number in range(20)]
        assert finish_all(executor, futures) == futures


def test_wait_returns_on_time_when_nothing_happens():
    with Processes(1) as executor:
        run(executor, jobs.echo)
        executor.submit(job(jobs.nap, length=30.0))
        for timeout in (0.0, 0.1, 0.5):
            begin = time.monotonic()
            assert executor.wait(timeout) == []
            assert timeout <= time.monotonic() - begin < timeout + 0.4


def test_what_cannot_be_sent_is_refused_at_the_door():
    with pytest.raises(UsageError, match="share cannot be sent"):
        Processes(1, shared=lambda: None)
    with Processes(1) as executor, pytest.raises(UsageError, match="arguments of .* cannot be sent"):
        executor.submit(Job("m:f", {"value": lambda: None}))
    with pytest.raises(UsageError, match="at least 1 worker"):
        Processes(0)


SCRIPT = """
    from perennial.executors import Job, Processes
    executor = Processes(1, shared=[3, 1, 2])
    future = executor.submit(Job("builtins:sorted"))
    while not future.done:
        executor.wait(1.0)
    print(future.result())
    executor.close()
"""


def python(*command, given=None, cwd=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}
    return subprocess.run(
        [sys.executable, *command], input=given, cwd=cwd, env=environment, timeout=60, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_a_script_without_a_main_guard_runs_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = python(script)
    assert (done.stdout, done.stderr) == ("[1, 2, 3]\n", "")


def test_a_one_line_command_and_standard_input_work_too(tmp_path):
    for command, given in ((["-c", textwrap.dedent(SCRIPT)], None), (["-"], textwrap.dedent(SCRIPT))):
        done = python(*command, given=given, cwd=tmp_path)
        assert (done.stdout, done.stderr) == ("[1, 2, 3]\n", "")


def test_a_file_in_the_working_folder_that_is_named_like_a_module_harms_no_worker(tmp_path):
    for name in ("json", "random", "socket"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    done = python("-P", "-c", textwrap.dedent(SCRIPT), cwd=tmp_path)
    assert done.stdout == "[1, 2, 3]\n", done.stderr


def test_a_class_of_the_started_script_is_refused_in_words(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        class Mine:
            pass
        from perennial.executors import Job, Processes
        with Processes(1, shared=Mine()) as executor:
            future = executor.submit(Job("builtins:repr"))
            while not future.done:
                executor.wait(1.0)
            print(future.error)
        """)
    )
    done = python(script)
    assert "could not rebuild" in done.stdout and "Define them in a module" in done.stdout, done.stderr


def test_modules_beside_the_parent_are_found_by_the_workers(tmp_path, monkeypatch):
    (tmp_path / "beside_the_parent.py").write_text("def double(shared, *, value):\n    return 2 * value\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Processes(1) as executor:
        future = executor.submit(Job("beside_the_parent:double", {"value": 21}))
        finish_all(executor, [future])
        assert future.result() == 42


def test_the_limit_of_a_container_bounds_available_memory(tmp_path):
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    assert memory._free_in_control_group(tmp_path) == 2_000_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._free_in_control_group(tmp_path) == float("inf")
    assert memory.fair_share(10_000) == memory.LEAST


def test_memory_is_measured_like_psutil_does():
    import psutil

    assert memory.resident(os.getpid()) == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)
    assert memory.resident(2**22 + 1) == 0
    assert memory.peak() >= 0.9 * memory.resident(os.getpid())
