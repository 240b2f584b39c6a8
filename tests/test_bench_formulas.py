"""The bench of formulas reads its files, draws its data and judges as it says."""

import numpy as np
import pytest

from perennial.bench import formulas
from perennial.bench.kept import Kept
from perennial.errors import DataError, UsageError
from perennial.lang import Var
from perennial.synthesis.formulas.algebra import number, plus, product, raised, values

CLASSIC = """name,variables,expression,train_spec,test_spec,function_set,family
Nguyen-90,1,"pow(x1,2)+x1","{""all"":{""U"":[-1,1,20]}}",,Koza,Nguyen
Grid-1,2,"div(x1,x2)","{""all"":{""E"":[1,2,0.25]}}",,Koza,Other
"""
FEYNMAN = """Filename,Number,Output,Formula,# variables,v1_name,v1_low,v1_high,v2_name,v2_low,v2_high
Z.1,1,F,m*exp(-a),1,m,1,5,a,1,3
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "classic.csv").write_text(CLASSIC, encoding="utf-8")
    (tmp_path / "feynman.csv").write_text(FEYNMAN, encoding="utf-8")
    return tmp_path


def test_both_kinds_of_files_are_read(folder):
    found = {puzzle.name: puzzle for puzzle in formulas.puzzles(folder)}
    assert [found[name].suite for name in ("Nguyen-90", "Grid-1", "Z.1")] == ["nguyen", "classic", "feynman"]
    assert found["Nguyen-90"].sample(0)[0].shape == (20, 1)
    assert found["Grid-1"].sample(0)[0].shape == (25, 2)  # a grid of five steps each way
    x, y = found["Z.1"].sample(0)
    assert np.allclose(y, x[:, 0] * np.exp(-x[:, 1])) and x.min() >= 1 and x[:, 1].max() <= 3


def test_a_formula_is_read_as_python_reads_it():
    columns = {"x0": np.array([0.7]), "x1": np.array([1.3])}
    program = formulas.read("-2*sin(a)**2/(b - 1.5) + sqrt(a*b)*pi", ["a", "b"])
    expected = -2 * np.sin(0.7) ** 2 / (1.3 - 1.5) + np.sqrt(0.7 * 1.3) * np.pi
    assert values(program, columns)[0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("text", ["__import__('os')", "a.real", "[a]", "unknown(a)", "b"])
def test_anything_else_in_a_formula_is_refused(text):
    with pytest.raises(DataError, match="not understood"):
        formulas.read(text, ["a"])


def test_other_writings_of_the_truth_are_equal_and_near_misses_are_not(folder):
    puzzle = next(one for one in formulas.puzzles(folder) if one.name == "Nguyen-90")
    x = Var("x0")
    assert formulas.equivalent(product(x, plus(x, 1)), puzzle)
    assert not formulas.equivalent(plus(product(x, plus(x, 1)), 1e-5), puzzle)
    assert not formulas.equivalent(plus(raised(x, 2), product(1.0001, x)), puzzle)
    assert not formulas.equivalent(number(0), puzzle)


def test_fresh_points_stay_positive_where_the_data_are(folder):
    puzzle = next(one for one in formulas.puzzles(folder) if one.name == "Z.1")
    x, _ = puzzle.sample(1, 500, widen=0.5)
    assert x.min() > 0 and x[:, 0].max() > 5.5


def test_the_bench_finds_easy_formulas_and_says_so(folder):
    figures = formulas.run(data=str(folder), seconds=10, seeds=1, only=("nguyen", "Z.1"), kept=Kept(None))
    ours = [row for row in figures["rows"] if row["method"] == "perennial"]
    assert {row["formula"] for row in ours} == {"Nguyen-90", "Z.1"} and all(row["exact"] for row in ours)
    assert all(bar["ok"] for bar in figures["bars"] if bar["name"].startswith("share"))


def test_without_data_it_says_what_is_missing():
    with pytest.raises(UsageError, match="needs data"):
        formulas.run(data=None, seconds=1, seeds=1, only=(), kept=Kept(None))
