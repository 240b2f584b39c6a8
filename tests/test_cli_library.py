"""`perennial library`: what people type, from a study that is remembered to a pack in another library."""

import json
from pathlib import Path

import pytest

from perennial.cli import growing, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study of examples that was remembered in `lib`."""
    folder = tmp_path_factory.mktemp("remembering")
    told = {"train": [{"input": "Ada King", "output": "King"}, {"input": "Bo Li", "output": "Li"}]}
    (folder / "last names.json").write_text(json.dumps(told))
    grow = ["grow", str(folder / "last names.json"), "--time", "30s", "--out", str(folder / "s")]
    assert run([*grow, "--library", str(folder / "lib"), "--json"]) == 0
    return folder


@pytest.fixture
def library(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PERENNIAL_LIBRARY", str(folder / "lib"))
    return folder


def asked(capsys, *arguments, code=0):
    capsys.readouterr()
    assert run(["library", *arguments]) == code
    return capsys.readouterr()


def test_what_was_grown_is_listed_and_shown(library, capsys):
    [row] = json.loads(asked(capsys, "list", "--json").out)
    assert row["name"] == "last-names/solution@1" and row["kind"] == "solution" and row["value"] is None
    assert "last-names/solution@1" in asked(capsys, "list").out
    assert asked(capsys, "list", "digits/*").out == "No name looks like digits/*.\n"
    told = asked(capsys, "show", "last-names/solution").out
    assert "def model(text)" in told and "examples_right no value" in told and "study: s" in told
    assert json.loads(asked(capsys, "show", row["id"], "--json").out)["input"] == "Text"


def test_the_study_says_what_was_kept_and_growing_again_keeps_nothing_twice(library, capsys):
    grow = ["grow", "last names.json", "--time", "30s"]
    assert run([*grow, "--out", "again", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["kept"] == ["last-names/solution@1"]
    assert "kept in the library as last-names/solution@1" in said.err
    assert run([*grow, "--out", "without", "--no-library", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == []
    told = [{"input": "Cy Ng", "output": "Ng"}, {"input": "Di Roe", "output": "Roe"}]
    Path("others.json").write_text(json.dumps(told))
    for number, (reuse, known) in enumerate([("all", ["last-names/solution@1"]), ("off", [])]):
        other = [
            "grow",
            "others.json",
            "--time",
            "30s",
            "--reuse",
            reuse,
            "--out",
            f"other{number}",
            "--json",
        ]
        assert run(other) == 0
        assert json.loads(capsys.readouterr().out)["reused"] == known
    assert run(["library", "forget", "others/solution"]) == 0
    capsys.readouterr()
    assert len(json.loads(asked(capsys, "list", "--json").out)) == 1


def test_without_a_name_it_is_that_of_the_user_but_not_for_a_budget_of_trials(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    Path("pairs.json").write_text(
        json.dumps([{"input": "a b", "output": "b"}, {"input": "c d", "output": "d"}])
    )
    assert run(["grow", "pairs.json", "--time", "30s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == ["pairs/solution@1"]
    assert (tmp_path / "data" / "perennial" / "library").is_dir()
    assert growing._usual_library(None) == str(tmp_path / "data" / "perennial" / "library")
    assert growing._usual_library(3) is None
    monkeypatch.setenv("PERENNIAL_LIBRARY", str(tmp_path / "named"))
    assert growing._usual_library(3) == str(tmp_path / "named")


def test_a_home_that_cannot_be_written_is_told_and_stops_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "data").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert growing._usual_library(None) is None
    assert "nothing is remembered: The library cannot be written" in capsys.readouterr().err


def test_it_is_verified_and_a_changed_byte_ends_with_1(library, capsys, tmp_path):
    assert "nothing is wrong" in asked(capsys, "verify").out
    assert run(["library", "pack", str(tmp_path / "p.pern")]) == 0
    assert run(["library", "unpack", str(tmp_path / "p.pern"), "--library", str(tmp_path / "other")]) == 0
    path = next((tmp_path / "other" / "blobs").glob("??/*"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    said = asked(capsys, "verify", "--library", str(tmp_path / "other"), code=1)
    assert "WRONG last-names/solution@1" in said.out


def test_a_name_is_forgotten_and_swept(library, capsys, tmp_path):
    assert run(["library", "pack", str(tmp_path / "p.pern"), "last-names/*"]) == 0
    there = ["--library", str(tmp_path / "other")]
    assert "last-names/solution@1" in asked(capsys, "unpack", str(tmp_path / "p.pern"), *there).out
    assert "is no name any more" in asked(capsys, "forget", "last-names/solution", *there).out
    assert "too young" in asked(capsys, "gc", *there).out
    would = json.loads(asked(capsys, "gc", "--grace", "0s", "--dry-run", "--json", *there).out)
    swept = json.loads(asked(capsys, "gc", "--grace", "0s", "--json", *there).out)
    assert would["records"] == swept["records"] and len(swept["records"]) == 1 and swept["bytes"] > 0
    assert json.loads(asked(capsys, "list", "--json", *there).out) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "nobody/solution"], 2), (["show", "../etc"], 2), (["forget", "nobody/solution"], 2),
        (["unpack", "nowhere.pern"], 2), (["pack", "x.pern", "digits/*"], 2), (["gc", "--grace", "soon"], 2),
        (["list", "--library", "last names.json"], 2), (["verify", "--library", "typo"], 2),
    ],
)  # fmt: skip
def test_a_mistake_ends_with_its_exit_code(library, arguments, code, capsys):
    said = asked(capsys, *arguments, code=code)
    assert said.err and "Traceback" not in said.err and "bug" not in said.err


def test_a_library_that_cannot_be_written_does_not_harm_the_study(folder, monkeypatch, capsys):
    from perennial.errors import StoreError
    from perennial.library import Library

    def full(*_, **__):
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Library, "keep", full)
    grow = ["grow", str(folder / "last names.json"), "--time", "30s", "--out", str(folder / "t")]
    assert run([*grow, "--library", str(folder / "lib")]) == 0
    assert "not kept in the library: The disk is full." in capsys.readouterr().err
