"""The command line without a study: what people type, how answers are printed, and what becomes of mistakes of ours."""

import contextlib
import io
import json
import math
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial import cli
from perennial.cli import run, verb_of
from perennial.cli.answers import answer, answer_grown
from perennial.cli.arguments import bytes_of, kinds_of, seconds_of
from perennial.cli.studies import find_study, name_of
from perennial.errors import UsageError

# -- times, sizes and kinds ------------------------------------------------------------------------------------------

UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


@given(
    st.dictionaries(st.sampled_from("dhms"), st.integers(0, 99), min_size=1), st.sampled_from(["", " ", "  "])
)
def test_a_time_is_the_sum_of_its_parts(parts, space):
    wanted = sum((count * UNITS[unit] for unit, count in parts.items()), timedelta()).total_seconds()
    text = space.join(f"{count}{space}{unit}" for unit, count in parts.items())
    if wanted < 1:
        with pytest.raises(UsageError, match="at least 1 second"):
            seconds_of(text)
    else:
        assert seconds_of(text) == seconds_of(f" {text.upper()} ") == wanted


@pytest.mark.parametrize(
    "text", ["5x", "s", "5s5", "1h30", "five minutes", "-5s", "5 s m", "1e9", "٣s!", "5s,"]
)
def test_what_is_no_time_is_refused_with_one_that_is(text):
    with pytest.raises(UsageError) as caught:
        seconds_of(text)
    assert repr(text) in str(caught.value) and caught.value.exit_code == 2
    assert seconds_of(re.search(r"\d+[smh]", caught.value.todo)[0]) > 0


@pytest.mark.parametrize("text", ["10", " 2.5 "])
def test_a_number_without_a_unit_is_offered_both(text):
    with pytest.raises(UsageError) as caught:
        seconds_of(text)
    assert [seconds_of(each) for each in re.findall(r"[\d.]+[sm]", caught.value.todo)] == [
        float(text), 60 * float(text)
    ]  # fmt: skip


@given(st.integers(1, 4096), st.sampled_from(["KB", "MB", "GB", "TB"]))
def test_a_size_is_a_power_of_1024(count, unit):
    wanted = count * 1024 ** (1 + ["KB", "MB", "GB", "TB"].index(unit))
    assert bytes_of(f"{count}{unit}") == bytes_of(f"{count} {unit.lower()}") == wanted


@pytest.mark.parametrize("text", ["2", "GB", "0GB", "-1GB", "2G", "2 GB s", "nanGB", "", "0.0001KB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError, match="2GB") as caught:
        bytes_of(text)
    assert "--memory" in str(caught.value)


def test_the_smallest_size_is_one_byte():
    assert bytes_of("0.001KB") == 1


def test_kinds_are_split_at_the_last_sign_and_the_later_one_holds():
    assert kinds_of(["zip=category", "a=b=number", "zip=text"]) == {"zip": "text", "a=b": "number"}
    assert kinds_of(None) == kinds_of([]) == {}


@pytest.mark.parametrize("pair", ["zip", "=number", ""])
def test_a_kind_without_a_column_is_refused(pair):
    with pytest.raises(UsageError, match="COLUMN=KIND"):
        kinds_of([pair])


# -- names of studies ------------------------------------------------------------------------------------------------


def test_the_same_data_and_options_get_the_same_name_and_others_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"target": ["y"], "seed": 0}
    name = name_of("x.csv", options)
    assert re.fullmatch(r"[a-z]+-\d{1,3}", name)
    assert name == name_of(str(tmp_path / "x.csv"), dict(reversed(options.items())))
    others = {name_of(f"{number}.csv", options) for number in range(50)} | {
        name_of("x.csv", {**options, "seed": seed}) for seed in range(1, 51)
    }
    assert len(others - {name}) > 95, "of 21 000 names two may be the same by chance"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("oak-17", "elm-3", "outside"):
        folder = tmp_path / ("runs" if name != "outside" else ".") / name
        folder.mkdir(parents=True)
        (folder / "study.db").touch()
    return tmp_path


def test_a_study_is_found_by_its_path_and_by_its_short_name(runs):
    assert find_study("oak-17") == Path("runs/oak-17") and find_study("runs/elm-3") == Path("runs/elm-3")
    assert find_study(str(runs / "outside")) == runs / "outside"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("oak17", "Did you mean oak-17?"), ("zebra", "Known here: elm-3, oak-17."), ("runs", "Known here")],
)
def test_a_study_that_is_not_there_is_answered_with_those_that_are(runs, name, hint):
    with pytest.raises(UsageError) as caught:
        find_study(name)
    assert hint in caught.value.todo and repr(name) in caught.value.what and "runs" in caught.value.where


@pytest.mark.parametrize("name", ["~.csv", "~nobody-is-called-so/x.csv", "~"])
def test_a_tilde_that_is_nobodys_home_is_a_name_like_others(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert name_of(name, {}) == name_of(str(tmp_path / ("home" if name == "~" else name)), {})
    with pytest.raises(UsageError, match="No study called"):
        find_study(name)


def test_a_name_that_no_folder_can_have_is_no_study(runs):
    with pytest.raises(UsageError, match="No study called"):
        find_study("x" * 300)


def test_a_folder_that_may_not_be_looked_into_holds_no_study(runs, monkeypatch):
    """As for `status /root/secret`; a test that runs as root may look everywhere."""
    stat = os.stat

    def forbidden(path, *_, **__):
        if "secret" in str(path):
            raise PermissionError(13, "Permission denied")
        return stat(path, *_, **__)

    monkeypatch.setattr(os, "stat", forbidden)
    with pytest.raises(UsageError, match="No study called"):
        find_study("/root/secret")


def test_without_any_study_there_is_none_to_offer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="Known here: none"):
        find_study("oak-17")


# -- answers and exit codes ------------------------------------------------------------------------------------------


def test_figures_are_one_line_of_json_and_numpy_is_no_reason_to_fail(capsys):
    figures = {"n": np.int64(3), "share": np.float32(0.5), "path": Path("a/b"), "name": "ä"}
    assert answer(figures, True, "words") == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"n": 3, "share": 0.5, "path": "a/b", "name": "ä"} and out.count("\n") == 1
    assert "ä" in out
    assert answer(figures, False, "words") == 0 and capsys.readouterr().out == "words\n"


def test_a_figure_that_json_lacks_is_null(capsys):
    figures = {
        "value": math.nan,
        "low": np.float32("-inf"),
        "rows": [{"y": np.float64("nan")}, {"y": (math.inf, 2)}],
    }
    assert answer(figures, True, "") == 0
    told = capsys.readouterr().out
    assert json.loads(told, parse_constant=pytest.fail) == {
        "value": None, "low": None, "rows": [{"y": None}, {"y": [None, 2]}]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("beaten", "interrupted", "code", "told"),
    [(True, False, 0, ""), (False, False, 4, "Nothing beat the baseline"), (True, True, 130, "Interrupted"),
     (False, True, 130, "Interrupted")],
)  # fmt: skip
def test_growing_ends_with_a_code_for_each_outcome(beaten, interrupted, code, told, capsys):
    model = SimpleNamespace(
        result={"value": 1.0, "beaten": beaten, "interrupted": interrupted}, report="in words"
    )
    assert answer_grown(model, Path("s"), True) == code
    said = capsys.readouterr()
    assert (
        json.loads(said.out) == {"value": 1.0} and said.err.startswith(told) and bool(told) == bool(said.err)
    )
    assert model.result["beaten"] is beaten, "the model keeps its figures"
    assert answer_grown(model, Path("s"), False) == code and capsys.readouterr().out == "in words\n"


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers())))
def test_numbers_that_are_finite_come_through_as_they_are(values):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        answer(values, True, "")
    for before, after in zip(values, json.loads(out.getvalue(), parse_constant=pytest.fail), strict=True):
        assert after == (before if before is None or math.isfinite(before) else None)


@pytest.fixture
def verb(monkeypatch):
    """Makes every command line do one thing."""

    def does(action):
        monkeypatch.setattr(cli, "app", lambda *_, **__: action())

    return does


def raising(error):
    def action():
        raise error

    return action


def test_a_bug_of_ours_is_one_sentence_with_its_place(verb, capsys, monkeypatch):
    monkeypatch.delenv("PERENNIAL_DEBUG", raising=False)
    verb(raising(ZeroDivisionError("by nothing")))
    assert run(["status", "x"]) == 1
    said = capsys.readouterr()
    assert "A bug in perennial: ZeroDivisionError: by nothing" in said.err and not said.out
    assert (
        f"{Path(__file__).name}, line" in said.err
        and "Traceback" not in said.err
        and "PERENNIAL_DEBUG" in said.err
    )
    monkeypatch.setenv("PERENNIAL_DEBUG", "1")
    assert run(["status", "x"]) == 1 and "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("action", "code", "told"),
    [
        (raising(KeyboardInterrupt()), 130, "the same command goes on"),
        (raising(UsageError("No.", todo="Yes.")), 2, "perennial: No.\n  to do: Yes."),
        (lambda: 4, 4, ""),
        (lambda: None, 0, ""),
        (lambda: "text", 0, ""),
    ],
)
def test_what_a_verb_does_decides_the_exit_code(verb, capsys, action, code, told):
    verb(action)
    assert run(["grow"]) == code and told in capsys.readouterr().err


def test_main_exits_with_the_code_of_the_verb(verb):
    verb(lambda: 3)
    with pytest.raises(SystemExit) as caught:
        cli.main(["grow"])
    assert caught.value.code == 3


@pytest.mark.parametrize(("arguments", "verb"), [(["grow", "x"], "grow"), ([], ""), (["--help"], "")])
def test_help_is_offered_for_the_verb_that_was_typed(arguments, verb):
    assert verb_of(arguments) == verb


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    """As in `perennial … | head -0`."""
    code = "import sys; from perennial.cli import answers, run; import perennial.cli as c\n"
    code += "c.app = lambda *_, **__: answers.answer({}, False, 'x' * 100_000)\nsys.exit(run(['status']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(timeout=60) == 0
    process.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["grow", "x.json", "--trials", "3"], "Programs are looked for by the clock"),
        (["grow", "x.json", "--metric", "rmse"], "--metric would not be heard"),
        (
            ["grow", "x.csv", "--target", "b", "--from", "a", "--drop", "c", "--folds", "3"],
            "--folds, --drop would",
        ),
        (
            ["grow", "x.csv", "--target", "b", "--as", "formula", "--test-share", "0"],
            "--test-share would not be heard",
        ),
        (
            ["grow", "x.csv", "--target", "b", "--as", "program", "--type", "a=text", "--strict"],
            "--type, --strict would",
        ),
        (
            ["grow", "x.csv", "--target", "b", "--from", "a", "--strategy", "random"],
            "--strategy would not be heard",
        ),
        (
            ["grow", "x.json", "--encoding", "latin-1", "--skip-bad-lines"],
            "--encoding, --skip-bad-lines would",
        ),
        (
            ["grow", "x.csv", "--target", "c", "--seed=-1"],
            "--seed is a whole number of at least 0, received -1",
        ),
        (["grow", "x.json", "--seed=-1"], "--seed is a whole number of at least 0, received -1"),
        (
            ["grow", "x.csv", "--target", "c", "--ask", "--tolerance", "0.1"],
            "--ask, --tolerance would not be",
        ),
        (["grow", "x.json", "--as", "poem"], "--as is formula or program, received 'poem'"),
        (["grow", "x.json", "--tolerance", "1.0", "--as", "program"], "--tolerance is a share"),
        (["grow", "x.csv", "--from", "a"], "Name it with --target COLUMN"),
        (["grow", "x.csv", "--from", "a", "--target", "b", "--target", "c"], "in one column"),
        (["bench", "tables", "--time", "soon"], "A time needs a unit"),
        (["bench", "overhead", "--keep", "x"], "Leave out --keep"),
        (["library", "list", "--library", "nowhere"], "There is no library here"),
        (["library", "unpack", "none.pern", "--library", "lib"], "There is no file 'none.pern'"),
        (["library", "gc", "--grace", "soon"], "A time needs a unit"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_done(
    arguments, told, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_text(json.dumps([{"input": 1, "output": 2}]))
    (tmp_path / "x.csv").write_text("a,b,c\n1,2,3\n")
    before = sorted(os.listdir())
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert told in said.err and not said.out and sorted(os.listdir()) == before


# -- the folder of a study -------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Makes `grow` tell into which folder it would write, without growing anything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a,b\nx,X\ny,Y\nz,\n")
    model = SimpleNamespace(result={"beaten": True, "interrupted": False}, report="")
    wanted = []

    def grow(*_, out, **__):
        wanted.append(out)
        return model

    monkeypatch.setattr("perennial.workflow.grow", grow)
    monkeypatch.setattr("perennial.program_files.write", lambda *_, **__: [])

    def folder_of(*options):
        assert run(["grow", "x.csv", "--target", "b", *options]) == 0
        return wanted[-1]

    return folder_of


DATA_OPTIONS = [
    ["--drop-leaky"], ["--strict"], ["--allow-overlap"], ["--drop-unlabelled"], ["--encoding", "latin-1"],
    ["--delimiter", ","], ["--skip-bad-lines"], ["--skip-bad-images"], ["--image-size", "32"],
]  # fmt: skip


def test_options_that_change_what_is_learnt_have_a_folder_of_their_own(folders):
    assert folders() == folders() == folders("--time", "5s", "--workers", "2")
    assert len({folders(*options) for options in [[], *DATA_OPTIONS]}) == 1 + len(DATA_OPTIONS)


def test_so_have_options_of_reading_where_a_column_is_filled_by_example(folders):
    options = [[], ["--encoding", "latin-1"], ["--delimiter", ","], ["--skip-bad-lines"]]
    assert len({folders("--from", "a", *each) for each in options}) == len(options)
