"""From a table of numbers to a formula: the study, the command line, the files."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from perennial import cli
from perennial.errors import DataError
from perennial.symbolic_regression import grow_formula, is_formula_task
from perennial.task import Task


def written(path, rows, function, noise=0.0, blank=0):
    generator = np.random.default_rng(4)
    mass, speed = generator.uniform(1, 5, (2, rows))
    target = function(mass, speed)
    target = target + noise * target.std() * generator.standard_normal(rows)
    with path.open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["mass", "speed", "energy"])
        for place, row in enumerate(zip(mass, speed, target, strict=True)):
            cells = [repr(float(cell)) for cell in row]
            sheet.writerow([*cells[:2], "" if place < blank else cells[2]])
    return path


def kinetic(mass, speed):
    return mass * speed**2 / 2


@pytest.fixture
def table(tmp_path):
    return written(tmp_path / "energy.csv", 40, kinetic, blank=3)


def test_a_formula_is_grown_and_applied(table):
    task = Task.fill(table, "energy", ("mass", "speed"), numbers=True)
    assert is_formula_task(task)
    model = grow_formula(task, seconds=20)
    assert model.result["exact"] and model.result["validation"] == pytest.approx(1.0)
    assert model.result["formula"]["latex"] == r"\frac{1}{2} \mathrm{mass} \mathrm{speed}^{2}"
    assert model.result["examples"] == {"right": 37, "all": 37, "missed": []}


def test_a_table_of_texts_asks_for_no_formula(table):
    assert not is_formula_task(Task.fill(table, "energy", ("mass", "speed")))


def test_under_noise_the_validation_tells_what_is_left(tmp_path):
    path = written(tmp_path / "noisy.csv", 120, kinetic, noise=0.1)
    model = grow_formula(Task.fill(path, "energy", numbers=True), seconds=5)
    assert not model.result["exact"]
    assert 0.95 < model.result["validation"] < 0.999
    assert model.result["front"][0]["unexplained"] == pytest.approx(1.0, abs=0.01)


def test_a_cell_that_is_no_number_is_shown(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("a,b\n1,2\nred,3\n2,4\n", encoding="utf-8")
    with pytest.raises(DataError, match="number"):
        grow_formula(Task.fill(path, "b", numbers=True), seconds=2)


def test_the_command_line_writes_a_program_that_runs_alone(table, tmp_path, capsys):
    out = tmp_path / "study"
    code = cli.run(
        ["grow", str(table), "--target", "energy", "--from", "mass,speed", "--as", "formula", "--time", "20s",
         "--out", str(out), "--json"]
    )  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert code == 0 and told["metric"] == "r2" and told["exact"]
    with (out / "filled.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row["energy"]) == pytest.approx(
            kinetic(float(row["mass"]), float(row["speed"])), rel=1e-9
        )
    source = (out / "program.py").read_text(encoding="utf-8")
    assert "perennial" not in source.replace("written by perennial", "")
    subprocess.run([sys.executable, str(out / "program.py")], check=True, capture_output=True)
