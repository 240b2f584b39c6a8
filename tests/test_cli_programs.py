"""The command line on examples: what people type, and what they find in the folder."""

import json
import subprocess
import sys

import pytest

from perennial.cli import run

TABLE = 'Full Name,City,Out\n"King, Ada",London,Ada KING\n"Turing, Alan",Leeds,Alan TURING\n"Hopper, Grace",New York,\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    told = {"train": [{"input": "Ada King", "output": "King"}, {"input": "Bo Li", "output": "Li"}],
            "test": [{"input": "Alan Turing"}]}  # fmt: skip
    (tmp_path / "examples.json").write_text(json.dumps(told), encoding="utf-8")
    return tmp_path


def test_examples_are_grown_shown_predicted_exported_and_reported(folder, capsys):
    assert run(["grow", "examples.json", "--time", "20s", "--out", "s", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["modality"] == "examples" and told["examples"]["right"] == 2
    assert run(["show", "s"]) == 0
    assert "def model(text)" in capsys.readouterr().out
    assert run(["predict", "s", "examples.json", "--output", "p.json"]) == 0
    assert json.loads((folder / "p.json").read_text()) == [{"output": "Turing"}]
    capsys.readouterr()
    assert run(["predict", "s", "examples.json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"output": "Turing"}]
    assert run(["export", "s", "--format", "pipeline"]) == 0
    assert "|" in capsys.readouterr().out
    assert run(["report", "s"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert run(["status", "s"]) == 0
    assert run(["board", "s"]) == 0


def test_a_column_is_filled_by_example(folder, capsys):
    assert (
        run(["grow", "table.csv", "--target", "Out", "--from", "Full Name", "--time", "20s", "--out", "s"])
        == 0
    )
    filled = (folder / "s" / "filled.csv").read_text()
    assert filled.splitlines()[0] == "Full Name,City,Out" and filled.splitlines()[3].endswith(",Grace HOPPER")
    ran = subprocess.run([sys.executable, "s/program.py"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and ran.stdout == ""
    capsys.readouterr()
    assert run(["predict", "s", "table.csv"]) == 0
    assert "Grace HOPPER" in capsys.readouterr().out
    page = (folder / "s" / "report.html").read_text()
    assert "Ada KING" in page and "<script" not in page


def test_a_question_is_asked_on_stderr_and_answered_on_stdin(folder, monkeypatch, capsys):
    import io

    told = {"train": [{"input": "Ada King 18", "output": "18"}], "test": [{"input": "Bo 3 Li 44"}]}
    (folder / "one.json").write_text(json.dumps(told))
    monkeypatch.setattr("sys.stdin", io.StringIO('"44"\n'))
    assert run(["grow", "one.json", "--ask", "--time", "20s", "--out", "q", "--json"]) == 0
    said = capsys.readouterr()
    assert "Which one is right?" in said.err
    assert json.loads(said.out)["examples"] == {"right": 2, "all": 2, "missed": []}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["table.csv", "--from", "City"], 2),
        (["table.csv", "--target", "Nope", "--from", "City"], 3),
        (["table.csv", "--target", "Out", "--as", "poem"], 2),
        (["table.csv", "--target", "Out", "--from", "City", "--tolerance", "2"], 2),
        (["table.csv", "--target", "Out", "--from", "City", "--trials", "2"], 2),
        (["degrees.json", "--ask"], 2),
    ],
)
def test_wrong_options_end_with_their_exit_code(folder, arguments, code, capsys):
    (folder / "degrees.json").write_text(
        json.dumps([{"input": x, "output": 2.5 * x} for x in (1.5, 2.5, 4.5)])
    )
    assert run(["grow", *arguments, "--time", "5s"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_contradictory_examples_end_with_bad_data(folder, capsys):
    (folder / "bad.json").write_text(json.dumps([{"input": 1, "output": 2}, {"input": 1, "output": 3}]))
    assert run(["grow", "bad.json", "--time", "5s"]) == 3
    assert "examples 1 and 2" in capsys.readouterr().err


def test_a_program_is_explained_and_evaluated_on_new_examples(folder, capsys):
    assert run(["grow", "examples.json", "--time", "60s", "--out", "s"]) == 0
    capsys.readouterr()
    assert run(["explain", "s"]) == 0
    assert "examples_right 1 on the examples" in capsys.readouterr().out
    assert run(["board", "s", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["value"] == 1.0 and rows[0]["program"].startswith("return")
    new = [{"input": "Grace Hopper", "output": "Hopper"}, {"input": "Emmy Noether", "output": "Emmy"}]
    (folder / "new.json").write_text(json.dumps(new))
    assert run(["evaluate", "s", "new.json", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["value"] == 0.5 and told["n"] == 2 and told["low"] < 0.5 < told["high"]
    assert run(["evaluate", "s", "examples.json"]) == 3
    assert "were in the data" in capsys.readouterr().err


def test_numbers_as_examples_give_a_formula(folder, capsys):
    degrees = [(0.5, 32.9), (100.0, 212.0), (37.5, 99.5)]
    told = {"train": [{"input": x, "output": y} for x, y in degrees], "test": [{"input": 20.0}]}
    (folder / "degrees.json").write_text(json.dumps(told))
    assert run(["grow", "degrees.json", "--time", "60s", "--out", "d", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problem"] == "formula" and told["exact"] and told["formula"]["python"] == "1.8 * x + 32"
    assert run(["predict", "d", "degrees.json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"output": 68.0}]
    new = [{"input": float(x), "output": 1.8 * x + 32} for x in range(1, 6)]
    (folder / "new.json").write_text(json.dumps(new))
    assert run(["evaluate", "d", "new.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(1.0)


def test_a_filled_column_is_evaluated_on_another_table(folder, capsys):
    grow = ["grow", "table.csv", "--target", "Out", "--from", "Full Name", "--time", "60s", "--out", "s"]
    assert run(grow) == 0
    (folder / "other.csv").write_text(
        'Full Name,Out\n"Lovelace, Eva",Eva LOVELACE\n"Noether, Emmy",Emmy\n"Gauss, Carl",\n',
        encoding="utf-8",
    )
    capsys.readouterr()
    assert run(["evaluate", "s", "other.csv", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == 2 and told["value"] == 0.5
