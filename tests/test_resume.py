"""A study survives: SIGKILL at any moment, Ctrl-C, SIGTERM; and the same command goes on."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from perennial.history import History
from perennial.storages import SQLite

START_SECONDS = 10


def start(folder, examples, *more):
    command = [
        sys.executable,
        "-m",
        "perennial",
        "grow",
        str(examples / "penguins.csv"),
        "--target",
        "species",
    ]
    command += ["--out", str(folder), *map(str, more)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def events(folder):
    storage = SQLite(folder, mode="ro")
    try:
        return storage.events()
    finally:
        storage.close()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def has_trials(folder, count):
    if not (folder / "study.db").exists():
        return False
    try:
        return len(History.of(events(folder)).records) >= count
    except sqlite3.OperationalError:
        return False


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_store_opens_and_the_same_command_finishes(tmp_path, examples, kills):
    moments = random.Random(kills)
    out, seen = tmp_path / "study", 0
    for _ in range(kills):
        process = start(out, examples, "--trials", 3, "--workers", 1)
        time.sleep(moments.uniform(0.5, START_SECONDS))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if (out / "study.db").exists():
            scored = len(History.of(events(out)).records)
            assert scored >= seen, "a scored trial was lost"
            seen = scored
    done = start(out, examples, "--trials", 3, "--workers", 1)
    output, talk = done.communicate(timeout=180)
    assert done.returncode == 0, talk
    history = History.of(events(out))
    assert len(history.records) == 3 and history.test is not None
    assert sum(event.kind == "opened" for event in events(out)) == 1


def test_interrupted_by_ctrl_c_it_saves_the_best_exits_130_and_goes_on(tmp_path, examples):
    out = tmp_path / "study"
    process = start(out, examples, "--time", "60s", "--json")
    assert wait_for(lambda: has_trials(out, 2)), process.communicate()
    process.send_signal(signal.SIGINT)
    output, talk = process.communicate(timeout=20)
    assert process.returncode == 130, talk
    told = json.loads(output)
    assert told["validation"] > told["baseline"] and told["test"] is None
    assert (out / "best").is_dir() and (out / "report.html").exists()
    again = start(out, examples, "--time", f"{told['seconds'] + 12:.0f}s", "--json")
    output, talk = again.communicate(timeout=60)
    assert again.returncode == 0, talk
    assert json.loads(output)["test"] is not None
    assert json.loads(output)["trials"] >= told["trials"]


def test_stop_asks_a_growing_study_to_save_and_end(tmp_path, examples, command):
    out = tmp_path / "study"
    process = start(out, examples, "--time", "60s")
    assert wait_for(lambda: has_trials(out, 1)), process.communicate()
    command("stop", out, cwd=tmp_path, check=0)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Nobody" in command("stop", out, cwd=tmp_path, check=0).stdout


def test_a_second_grow_on_a_growing_study_says_who_holds_it(tmp_path, examples, command):
    out = tmp_path / "study"
    process = start(out, examples, "--time", "60s")
    try:
        assert wait_for(lambda: has_trials(out, 1)), process.communicate()
        done = command(
            "grow", examples / "penguins.csv", "--target", "species", "--out", out, cwd=tmp_path, check=1
        )
        assert str(process.pid) in done.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_the_same_seed_one_worker_and_a_trial_budget_give_the_same_board_and_weights(
    tmp_path, examples, command
):
    def grow(name):
        out = tmp_path / name
        command("grow", examples / "penguins.csv", "--target", "species", "--trials", 3, "--workers", 1, "--seed", 3,
                "--protocol", "kfold", "--folds", 3, "--out", out, cwd=tmp_path, check=0)  # fmt: skip
        history = History.of(events(out))
        return [
            (r.source, r.value, r.trial.scores, r.weights, r.predictions) for r in history.records
        ], history.chosen

    first, second = grow("first"), grow("second")
    assert first[0] == second[0]
    assert {**first[1], "at": 0, "time": 0} == {**second[1], "at": 0, "time": 0}


@pytest.mark.parametrize("seconds", [1, 5])
def test_a_tiny_budget_still_returns_the_baseline_or_better_on_time(tmp_path, examples, command, seconds):
    begin = time.monotonic()
    done = command(
        "grow",
        examples / "credit.csv",
        "--time",
        f"{seconds}s",
        "--out",
        tmp_path / "s",
        "--json",
        cwd=tmp_path,
    )
    assert done.returncode in (0, 4)
    assert time.monotonic() - begin < seconds + 30  # a study that ignores its clock, not a slow machine
    told = json.loads(done.stdout)
    assert (tmp_path / "s" / "best").is_dir() and told["baseline"] is not None
    if done.returncode == 4:
        assert "baseline" in done.stderr
