"""The command line on examples: what people type, and what they find in the folder."""

import json
import subprocess
import sys

import pytest

from perennial.cli import run
from perennial.lang import parse
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.task import Task
from perennial.weights import Weights

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


# -- predictions, without a search -----------------------------------------------------------------------------------


@pytest.fixture
def saved(folder):
    """Writes a study that holds a model and nothing else."""

    def save(source, task):
        Model(parse(source, vocabulary()), (Weights({}),), task.schema).save(folder / "s" / "best")
        (folder / "s" / "study.db").touch()

    return save


@pytest.fixture
def doubling(folder, saved):
    (folder / "numbers.csv").write_text("C,F\n1,2\n2,4\n")
    (folder / "new.csv").write_text("C,F\n4,\n,\n5,11\n")
    saved("lambda c: times(c, 2.0)", Task.fill("numbers.csv", "F", ["C"], numbers=True))


@pytest.fixture
def last_names(saved):
    saved("lambda text: upper(text)", Task.from_examples([("Ada", "ADA"), ("Bo", "BO")]))


def test_predictions_as_json_are_one_object_with_null_for_what_is_no_number(doubling, capsys):
    assert run(["predict", "s", "new.csv", "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out, parse_constant=pytest.fail)
    assert told["predictions"] == [{"output": 8.0}, {"output": None}, {"output": 10.0}]
    assert told["rows"] == 3 and told["unanswered"] == 1 and told["output"] is None
    assert told["notes"] == ["The program has no answer for 1 of 3 inputs."] == said.err.splitlines()


def test_a_program_imputes_nothing(last_names, capsys):
    assert run(["predict", "s", "examples.json", "--impute-missing"]) == 2
    assert "--impute-missing would not be heard" in capsys.readouterr().err


def test_predictions_of_examples_as_json_are_one_object(last_names, capsys):
    assert run(["predict", "s", "examples.json", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["predictions"] == [{"output": "ALAN TURING"}] and told["notes"] == []


def test_predictions_go_to_one_place_in_the_form_that_its_name_says(folder, doubling, capsys):
    assert run(["predict", "s", "new.csv", "--output", "p.json", "--json"]) == 0
    assert "predictions" not in json.loads(capsys.readouterr().out)
    assert json.loads((folder / "p.json").read_text()) == [
        {"output": 8.0},
        {"output": None},
        {"output": 10.0},
    ]
    assert run(["predict", "s", "new.csv"]) == 0
    table = capsys.readouterr().out
    assert table == "C,F\n4,8.0\n,\n5,11\n"
    for name in ("p.csv", "p.txt", "p"):
        assert run(["predict", "s", "new.csv", "--output", name]) == 0
        assert (folder / name).read_text() == table


def test_predictions_of_examples_are_a_table_unless_the_name_is_one_of_json(folder, last_names, capsys):
    assert run(["predict", "s", "examples.json", "--output", "p.csv"]) == 0
    assert (folder / "p.csv").read_text() == "output\nALAN TURING\n"
    assert run(["predict", "s", "examples.json", "--output", "P.JSON"]) == 0
    assert json.loads((folder / "P.JSON").read_text()) == [{"output": "ALAN TURING"}]
    capsys.readouterr()
    assert run(["predict", "s", "examples.json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"output": "ALAN TURING"}]


def test_lines_that_were_left_out_of_a_prediction_are_told(folder, doubling, capsys):
    (folder / "bad.csv").write_text("C,F\n4,\n5,6,7\n6,\n")
    assert run(["predict", "s", "bad.csv"]) == 3
    assert "--skip-bad-lines" in capsys.readouterr().err
    assert run(["predict", "s", "bad.csv", "--skip-bad-lines", "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["rows"] == 2 and "1 bad rows (1 lines) were skipped: line 3." in told["notes"]
    assert "1 bad rows (1 lines) were skipped: line 3." in said.err


@pytest.mark.parametrize("output", ["no/such.json", "no/such.csv", "folder"])
def test_a_place_that_cannot_be_written_is_an_error_and_no_bug(folder, last_names, output, capsys):
    (folder / "folder").mkdir()
    for command in (["predict", "s", "examples.json"], ["export", "s", "--format", "pipeline"]):
        assert run([*command, "--output", output]) == 3
        said = capsys.readouterr()
        assert "cannot be written" in said.err and "bug" not in said.err and not said.out
    assert not list((folder / "folder").iterdir()) and not (folder / "no").exists()


def test_an_export_is_written_to_a_file(folder, last_names, capsys):
    assert run(["export", "s", "--format", "pipeline", "--output", "p.txt"]) == 0
    assert capsys.readouterr().out == "written to p.txt\n" and "upper" in (folder / "p.txt").read_text()


@pytest.mark.parametrize("verb", [["predict", "s", "x.csv"], ["evaluate", "s", "x.csv"], ["export", "s"]])
def test_a_study_that_has_saved_no_model_yet_says_so(folder, verb, capsys):
    (folder / "s").mkdir()
    (folder / "s" / "study.db").touch()
    assert run(verb) == 3
    assert "This study has no saved model yet." in capsys.readouterr().err


# -- reading ---------------------------------------------------------------------------------------------------------


def test_a_table_to_be_filled_is_read_as_the_options_say(folder, capsys):
    text = "Name;Out\nJosé Li;Li\nAda King;King\nBo;x;y\nZoë Ng;\n"
    (folder / "people.csv").write_bytes(text.encode("latin-1"))
    grow = ["grow", "people.csv", "--target", "Out", "--from", "Name", "--time", "30s", "--out", "s"]
    assert run(grow) == 3
    assert "--encoding" in capsys.readouterr().err
    reading = ["--encoding", "latin-1", "--delimiter", ";", "--skip-bad-lines"]
    assert run([*grow, *reading]) == 0
    assert (folder / "s" / "filled.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "José Li,Li", "Ada King,King", "Zoë Ng,Ng"
    ]  # fmt: skip
    capsys.readouterr()
    assert run(["predict", "s", "people.csv", *reading]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[3] == "Zoë Ng,Ng" and "1 bad rows" in said.err


def test_a_filled_column_is_evaluated_on_a_table_read_as_the_options_say(folder, capsys):
    (folder / "people.csv").write_text("Name,Out\nAda King,King\nBo Li,Li\nCy Ng,\n")
    grow = ["grow", "people.csv", "--target", "Out", "--from", "Name", "--time", "30s", "--out", "s"]
    assert run(grow) == 0
    (folder / "other.csv").write_bytes("Name;Out\nZo\xeb Roe;Roe\nx;y;z\nEmmy Noether;\n".encode("latin-1"))
    capsys.readouterr()
    reading = ["--encoding", "latin-1", "--delimiter", ";", "--skip-bad-lines", "--drop-unlabelled"]
    assert run(["evaluate", "s", "other.csv", *reading, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == 1 and told["value"] == 1.0 and "1 bad rows" in told["notes"][0]
