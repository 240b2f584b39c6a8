"""The command line: verbs, JSON, exit codes, and what happens to mistakes."""

import csv
import json
import random
import subprocess
import sys
import time

import pytest

from perennial.cli.arguments import seconds_of
from perennial.errors import UsageError

RESULT_KEYS = [
    "study", "out", "modality", "problem", "metric", "direction", "baseline", "validation", "test", "human", "seconds",
    "budget", "trials", "failed", "program", "reused", "kept", "report",
]  # fmt: skip


def test_grow_prints_one_json_object_with_the_promised_keys(grown):
    told = json.loads((grown.parent / "stdout.json").read_text())
    assert list(told) == RESULT_KEYS
    assert told["problem"] == "multiclass" and told["modality"] == "table"
    assert told["trials"] == 3 and told["validation"] > told["baseline"]
    assert set(told["test"]) == {"value", "low", "high", "n"}
    assert told["test"]["low"] <= told["test"]["value"] <= told["test"]["high"]


def test_a_study_folder_holds_what_was_promised(grown):
    assert {path.name for path in grown.iterdir()} >= {
        "study.db",
        "report.html",
        "card.md",
        "best",
        "README.txt",
    }
    assert not [path for path in grown.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]


@pytest.mark.parametrize("verb", ["status", "board", "show", "explain", "report"])
def test_every_verb_answers_in_words_and_in_json(grown, command, verb):
    words = command(verb, grown, cwd=grown.parent, check=0)
    assert words.stdout.strip()
    assert json.loads(command(verb, grown, "--json", cwd=grown.parent, check=0).stdout)


def test_predict_writes_one_row_for_each_row_in_order(grown, command, examples, tmp_path):
    output = tmp_path / "predictions.csv"
    command("predict", grown, examples / "penguins.csv", "--output", output, cwd=tmp_path, check=0)
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (examples / "penguins.csv").open(newline="") as file:
        truth = [row["species"] for row in csv.DictReader(file)]
    assert len(rows) == len(truth)
    assert list(rows[0]) == ["species", *(f"probability:{name}" for name in sorted(set(truth)))]
    assert sum(row["species"] == true for row, true in zip(rows, truth, strict=True)) > 0.95 * len(truth)
    assert all(abs(sum(float(row[name]) for name in row if ":" in name) - 1) < 1e-4 for row in rows)


@pytest.mark.parametrize("name", ["p.parquet", "p.json", "p.csv.gz", "P.XLSX"])
def test_predictions_are_not_written_under_a_name_that_promises_another_format(
    grown, examples, tmp_path, monkeypatch, capsys, name
):
    from perennial.cli import run

    monkeypatch.chdir(tmp_path)
    assert run(["predict", str(grown), str(examples / "penguins.csv"), "--output", name]) == 2
    assert ".tsv" in capsys.readouterr().err and not (tmp_path / name).exists()


def test_predict_copes_with_reordered_columns_missing_cells_and_unseen_levels(grown, command, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("sex,island,body_mass_g,flipper_length_mm,bill_depth_mm,bill_length_mm,note\n"
                   "MALE,Atlantis,,181,18.7,39.1,x\n,Biscoe,5000,220,15.0,,y\n")  # fmt: skip
    done = command("predict", grown, new, cwd=tmp_path, check=0)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["species"] for row in rows] == ["Adelie", "Gentoo"]
    assert "island" in done.stderr and "1" in done.stderr


def test_predict_tells_what_was_left_out_of_the_file(grown, tmp_path, capsys):
    from perennial.cli import run

    new = tmp_path / "new.csv"
    new.write_text("sex,island,body_mass_g,flipper_length_mm,bill_depth_mm,bill_length_mm\n"
                   "MALE,Biscoe,3750,181,18.7,39.1\nMALE,Biscoe\nMALE,Atlantis,5000,220,15.0,46.1\n")  # fmt: skip
    assert run(["predict", str(grown), str(new), "--skip-bad-lines", "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["rows"] == len(told["predictions"]) == 2
    assert [note.partition(":")[0] for note in told["notes"]] == [
        "1 bad rows (1 lines) were skipped",
        "island",
    ]
    assert said.err.splitlines() == told["notes"]


def test_predict_without_a_needed_column_says_which_and_exits_3(grown, command, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("island,sex\nBiscoe,MALE\n")
    done = command("predict", grown, new, cwd=tmp_path, check=3)
    assert "bill_length_mm" in done.stderr and "--impute-missing" in done.stderr
    command("predict", grown, new, "--impute-missing", cwd=tmp_path, check=0)


def test_evaluate_refuses_rows_it_was_grown_on(grown, command, examples, tmp_path):
    done = command("evaluate", grown, examples / "penguins.csv", cwd=tmp_path, check=3)
    assert "--allow-overlap" in done.stderr
    told = command(
        "evaluate", grown, examples / "penguins.csv", "--allow-overlap", "--json", cwd=tmp_path, check=0
    )
    assert json.loads(told.stdout)["value"] > 0.95


def test_the_same_command_on_a_finished_study_answers_at_once(grown, command, examples):
    before = (grown / "study.db").read_bytes()
    start = time.monotonic()
    done = command("grow", examples / "penguins.csv", "--target", "species", "--trials", "3", "--workers", "1",
                   "--out", grown, "--json", cwd=grown.parent, check=0)  # fmt: skip
    assert time.monotonic() - start < 20
    assert json.loads(done.stdout) == json.loads((grown.parent / "stdout.json").read_text())
    assert before == (grown / "study.db").read_bytes()


def test_other_data_in_the_same_folder_are_refused(grown, command, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n" + "\n".join(f"{i % 7},{i % 2}" for i in range(60)))
    done = command("grow", other, "--trials", "2", "--out", grown, cwd=tmp_path, check=1)
    assert "--out" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["grow", "x.csv", "--tiem", "10s"], "--time"),
        (["grow", "x.csv", "--time", "10"], "10s"),
        (["grow", "x.csv", "--time=-5s"], "90s"),
        (["grow", "x.csv", "--trials", "many"], "--trials"),
        (["grow", "x.csv", "--trials", "3", "--time", "10s"], "Give one of them"),
        (["grwo", "x.csv"], "grow"),
        (["grow", "x.csv", "--memory", "2"], "2GB"),
        (["grow", "x.csv", "--type", "zip"], "--type zip=category"),
        (["status", "nowhere"], "runs"),
        (["bench", "nothing"], "tables"),
    ],
)
def test_a_mistake_in_usage_exits_2_and_says_what_to_do(arguments, hint, command, tmp_path):
    done = command(*arguments, cwd=tmp_path, check=2)
    assert hint in done.stderr and not done.stdout
    assert list(tmp_path.iterdir()) == []


def test_row_62_a_configuration_file_with_an_unknown_key_is_refused(command, tmp_path):
    (tmp_path / "perennial.toml").write_text('[grow]\ntiem = "10s"\n')
    done = command("grow", "x.csv", cwd=tmp_path, check=2)
    assert "tiem" in done.stderr and "perennial.toml" in done.stderr


def test_help_is_quick_and_imports_nothing_heavy():
    heavy = "{'keras', 'torch', 'sklearn', 'lightgbm', 'duckdb', 'numba', 'scipy', 'pandas', 'altair'}"
    code = f"import sys; from perennial.cli import run; run(['--help']); print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]" and "grow" in done.stdout


def test_import_perennial_imports_nothing_heavy():
    heavy = (
        "{'keras', 'torch', 'sklearn', 'lightgbm', 'duckdb', 'numba', 'scipy', 'pandas', 'altair', 'numpy'}"
    )
    code = f"import sys, perennial; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["", "5", "5x", "m5", "5s5", "-5s", "0s", "1e9"])
def test_times_that_cannot_be_read_are_refused(text):
    with pytest.raises(UsageError):
        seconds_of(text)


def test_every_verb_is_documented(command, tmp_path):
    told = command("--help", cwd=tmp_path, check=0).stdout
    for verb in (
        "grow",
        "status",
        "stop",
        "board",
        "report",
        "show",
        "explain",
        "predict",
        "evaluate",
        "bench",
        "doctor",
    ):
        assert verb in told
        assert command(verb, "--help", cwd=tmp_path, check=0).stdout.strip()


def test_doctor_is_happy_with_this_environment_and_a_study(grown, command, examples):
    told = json.loads(command("doctor", grown, "--json", cwd=grown.parent).stdout)
    assert {check["name"]: check["text"] for check in told if not check["ok"]} == {}
    assert command("doctor", examples / "credit.csv", cwd=grown.parent, check=0).stdout.count("ok") >= 8


def test_a_number_is_predicted_with_an_interval_that_mostly_holds_the_truth(command, tmp_path):
    generator = random.Random(0)
    rows = [(x := generator.uniform(0, 9), 2 * x + generator.gauss(0, 1)) for _ in range(200)]
    (tmp_path / "line.csv").write_text("x,y\n" + "\n".join(f"{x:.4f},{y:.4f}" for x, y in rows))
    command("grow", "line.csv", "--trials", "1", "--workers", "1", "--out", "s", cwd=tmp_path, check=0)
    told = list(
        csv.DictReader(command("predict", "s", "line.csv", cwd=tmp_path, check=0).stdout.splitlines())
    )
    assert list(told[0]) == ["y", "low", "high"]
    inside = [float(row["low"]) <= y <= float(row["high"]) for row, (_, y) in zip(told, rows, strict=True)]
    assert sum(inside) > 0.8 * len(inside)
