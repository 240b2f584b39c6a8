"""Programs from examples without a search: files around them, questions and answers, formulas on rows, and what is told."""

import io
import json
import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from perennial import program_files, programming, symbolic_regression
from perennial.errors import DataError, UsageError
from perennial.lang import Bool, Int, List, Real, Text, parse
from perennial.modalities.reading import read_table
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.synthesis.base import Examples, answers
from perennial.task import Task

SQUARES = [(n, n * n) for n in (1, 2, 3, -4)]


def model(source, task, **information):
    return Model(parse(source, vocabulary()), (), task.schema, {"result": {}, **information})


@pytest.fixture
def squares():
    pairs = [{"inputs": [n], "output": n * n, "given": n * n, "right": True, "place": n} for n in (2, 3)]
    pairs.append({"inputs": [9], "output": 80, "given": 81, "right": False, "place": 4})
    return model("lambda n: multiply(n, n)", Task.from_examples(SQUARES), pairs=pairs, result={
        "examples": {"all": 5, "right": 4}, "study": "a <b>", "others": ["lambda n: <n>"],
    }, report="it < that")  # fmt: skip


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(
        'Name,City,Out\n"King, Ada",London,KING\nTuring,Leeds,\nHopper,,"kept, as it is"\n', encoding="utf-8"
    )
    return path


@pytest.fixture
def filling(table):
    return model("lambda name: upper(name)", Task.fill(str(table), "Out", ["Name"]))


@pytest.fixture
def doubling(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("C,F\n1,2\n2,4\n3,\n")
    return model("lambda c: times(c, 2.0)", Task.fill(str(path), "F", ["C"], numbers=True))


# -- files -----------------------------------------------------------------------------------------------------------


def test_the_exported_module_runs_alone_and_checks_the_examples_that_are_right(squares, tmp_path):
    text = program_files.exported(squares, "python")
    assert "Found from 5 examples; right on 4 of them." in text and "81" not in text
    (tmp_path / "program.py").write_text(text)
    done = subprocess.run([sys.executable, "-I", "program.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    code = "import program; print([program.predict(n) for n in (-3, 0, 12)])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert json.loads(done.stdout) == [9, 0, 144]
    assert text.count("\n    4\n") == 1
    (tmp_path / "program.py").write_text(text.replace("\n    4\n", "\n    5\n"))
    done = subprocess.run([sys.executable, "-I", "program.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "Expected:\n    5\nGot:\n    4\n" in done.stdout and done.returncode == 1


def test_a_form_that_does_not_exist_or_a_model_of_tables_is_refused(squares):
    with pytest.raises(UsageError, match="No format called 'cobol'") as caught:
        program_files.exported(squares, "cobol")
    assert all(name in caught.value.todo for name in program_files.FORMATS)
    batched = SimpleNamespace(codec=SimpleNamespace(batched=True))
    with pytest.raises(UsageError, match="Only programs from examples"):
        program_files.exported(batched, "python")


def test_everything_in_the_folder_of_a_filled_table_is_written(filling, table, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    paths = program_files.write(filling, folder, str(table))
    assert [path.name for path in paths] == ["program.py", "filled.csv", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.txt",
        "filled.csv",
        "program.py",
        "report.html",
    ]
    filled = (folder / "filled.csv").read_text(encoding="utf-8")
    assert filled == 'Name,City,Out\n"King, Ada",London,KING\nTuring,Leeds,TURING\nHopper,,"kept, as it is"\n'
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in paths if path.name != "filled.csv")


def test_the_page_shows_hostile_text_and_runs_none_of_it(squares, tmp_path):
    page = program_files.write_report(squares, tmp_path).read_text(encoding="utf-8")
    assert (
        "<b>" not in page
        and "a &lt;b&gt;" in page
        and "it &lt; that" in page
        and "lambda n: &lt;n&gt;" in page
    )
    assert "81 (missed)" in page and page.count("(missed)") == 1 and "<td>5</td>" in page


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "OUT.TSV"])
def test_a_table_is_written_with_its_empty_cells_filled(filling, table, tmp_path, name):
    said = program_files.predict(filling, str(table), as_list=False)
    assert said.outputs == ["KING", "TURING", "kept, as it is"]
    said.write(str(tmp_path / name))
    separator = "," if name.endswith("csv") else "\t"
    assert (tmp_path / name).read_text(encoding="utf-8").splitlines()[2].split(separator) == [
        "Turing",
        "Leeds",
        "TURING",
    ]
    assert read_table(tmp_path / name).column("Out").tolist() == ["KING", "TURING", "kept, as it is"]


def test_a_list_holds_what_the_program_says_of_every_row(filling, table, tmp_path):
    said = program_files.predict(filling, str(table), as_list=True)
    assert said.outputs == ["KING, ADA", "TURING", "HOPPER"]
    said.write(str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == [{"output": each} for each in said.outputs]


def test_no_answer_is_null(tmp_path):
    halves = model("lambda xs: at(xs, 0)", Task.from_examples([([1, 2], 1), ([3], 3)]))
    (tmp_path / "in.json").write_text(json.dumps([{"input": [7, 8]}, {"input": []}]))
    said = program_files.predict(halves, str(tmp_path / "in.json"), as_list=True)
    assert said.outputs == [7, None] and said.unanswered == 1


def test_a_number_that_is_not_finite_is_no_answer(doubling, tmp_path):
    (tmp_path / "new.csv").write_text("C,F\n4,\n,\n5,7\n")
    said = program_files.predict(doubling, str(tmp_path / "new.csv"), as_list=True)
    assert said.outputs == [8.0, None, 10.0] and said.unanswered == 1
    said.write(str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == said.listed
    told = io.StringIO()
    program_files.predict(doubling, str(tmp_path / "new.csv"), as_list=False).write(told)
    assert told.getvalue() == "C,F\n4,8.0\n,\n5,7\n"


def test_outputs_of_examples_are_written_as_a_table_that_can_be_read_again(tmp_path):
    backwards = model("lambda xs: reverse(xs)", Task.from_examples([([1, 2], [2, 1]), ([3], [3])]))
    (tmp_path / "in.json").write_text(json.dumps([{"input": [7, 8]}, {"input": []}]))
    said = program_files.predict(backwards, str(tmp_path / "in.json"), as_list=False)
    said.write(str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text() == 'output\n"[8, 7]"\n[]\n'


def test_what_cannot_be_written_is_an_error_that_leaves_nothing(squares, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="No such file or directory") as caught:
        program_files.write_text(str(tmp_path / "no" / "p.json"), "[]")
    assert "p.json" in caught.value.where and "folder exists" in caught.value.todo
    with pytest.raises(DataError, match="Is a directory"):
        program_files.write_text(tmp_path, "[]")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(DataError, match="No space left on device"):
        program_files.write(squares, tmp_path, "examples.json")
    assert not list(tmp_path.iterdir())


def test_a_table_without_the_target_gets_it_as_its_last_column(filling, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("City,Name\nParis,Curie\n")
    names, columns = programming.filled_table(filling, str(path))
    assert names == ["City", "Name", "Out"] and columns == [["Paris"], ["Curie"], ["CURIE"]]


def test_a_program_of_examples_fills_no_table(squares, table):
    with pytest.raises(DataError, match="from examples, not from a table"):
        programming.filled_table(squares, str(table))


# -- questions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("1", "b"), ("2", ["c"]), ("3", "3"), ("0", "0"), ("", None), ('"1"', "1"), ('"', '"'), ("another one", "another one"),
     ("²", "²")],
)  # fmt: skip
def test_an_answer_is_a_number_of_the_list_or_the_output_itself(monkeypatch, capsys, typed, wanted):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert program_files.ask(("x", 2), ("b", ["c"], "b")) == wanted
    said = capsys.readouterr()
    assert said.out == "" and "For 'x', 2 the programs" in said.err
    assert [line.strip() for line in said.err.splitlines()[1:3]] == ["1  'b'", "2  ['c']"]


def test_the_end_of_input_is_no_answer(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert program_files.ask((1,), (2, 3)) is None


@pytest.mark.parametrize(
    ("reply", "kind", "wanted"),
    [("[1, 2]", List(Int), (1, 2)), ("3", Int, 3), (3, Int, 3), ("3", Text, "3"), ("true", Bool, True), ("2", Real, 2.0),
     ("[]", List(Int), ())],
)  # fmt: skip
def test_what_was_typed_is_read_as_json_of_the_type_that_is_wanted(reply, kind, wanted):
    found = programming._as_output(reply, kind)
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("reply", "kind"), [("three", Int), ("[1, 'a']", List(Int)), ("2.5", Int), ('"a"', Int), ("null", Int)]
)
def test_an_answer_of_another_type_is_refused_with_that_type(reply, kind):
    with pytest.raises(DataError) as caught:
        programming._as_output(reply, kind)
    assert str(kind) in caught.value.what and "JSON" in caught.value.todo


# -- examples --------------------------------------------------------------------------------------------------------


def examples(*pairs):
    return Examples(("n",), (Int,), Int, tuple((a,) for a, _ in pairs), tuple(b for _, b in pairs))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=30), st.integers(0, 99))
def test_examples_are_held_back_once_for_each_input_and_only_where_there_are_many(pairs, seed):
    told = examples(*pairs)
    different, held = programming._different(told), programming._held_back(told, seed)
    inputs = [a for a, _ in pairs]
    assert different == [place for place, a in enumerate(inputs) if a not in inputs[place + 1 :]]
    assert set(held) <= set(different) and held == programming._held_back(told, seed)
    few = len(different) < programming.FEWEST_TO_HOLD_BACK
    assert len(held) == (0 if few else round(len(different) * programming.HELD_BACK))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_common_sense_is_the_most_frequent_output(outputs):
    found = programming.constant(examples(*enumerate(outputs)))
    [said] = set(answers(found.program, [(5,), (6,)]))
    assert outputs.count(said) == max(map(outputs.count, outputs)) == sum(found.satisfied)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_the_share_that_is_right_has_wilsons_interval(right):
    told = programming.share_right(right)
    n, share, z = len(right), np.mean(right), 1.959963984540054
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert told["value"] == share and told["n"] == n
    assert (told["low"], told["high"]) == pytest.approx(((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)), abs=1e-3)  # fmt: skip


def test_the_summary_tells_what_is_missed_and_where_programs_differ():
    result = {
        "program": "def model(n):\n    return n\n", "examples": {"right": 3, "all": 5, "missed": [1, 4]}, "validation": 0.5,
        "agreement": {"programs": 3, "fit": False, "rows": [2], "differing": 4, "answers": [["a", "b", "a"]]},
        "test": {"value": 0.75, "low": 0.5, "high": 0.9, "n": 8}, "memory_full": True,
    }  # fmt: skip
    lines = programming.summary(result).splitlines()
    assert lines[3] == "3 of 5 examples right; it misses examples 2, 5" and "50% of the others" in lines[4]
    assert lines[5] == "3 programs are as good; they differ on 4 of the rows to predict: row 3 is 'a' or 'b'"
    assert lines[6] == "test: 75% [50%, 90%] of 8 right" and "--memory" in lines[7]
    result |= {"examples": {"right": 5, "all": 5, "missed": []}, "validation": None, "test": None}
    result["agreement"] |= {"rows": []}
    assert programming.summary(result).splitlines()[3:] == ["5 of 5 examples right"]


# -- formulas --------------------------------------------------------------------------------------------------------

LINE = parse("lambda a: plus(times(2.0, a), 1.0)", vocabulary())
numbers = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=20)


@given(numbers)
def test_the_explained_share_is_r2_of_scikit_learn(rows):
    x, y = np.array(rows).T
    if np.ptp(y) < 1e-3:
        return
    said = 2 * x + 1
    assert symbolic_regression._explained(LINE, x[:, None], y) == pytest.approx(
        r2_score(y, said), rel=1e-6, abs=1e-6
    )


def test_the_explained_share_of_rows_has_an_interval():
    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    y = 2 * x + 1 + generator.normal(size=200)
    told = symbolic_regression.explained_share(LINE, [(a,) for a in x], y.tolist())
    assert told["value"] == pytest.approx(r2_score(y, 2 * x + 1)) and told["n"] == 200
    assert told["low"] < 0.8 < told["high"], "the variance of 2x is four fifths of the whole"


def test_rows_without_an_answer_count_as_the_mean():
    root = parse("lambda a: sqrt(a)", vocabulary())
    x, y = np.array([[4.0], [-1.0], [9.0]]), np.array([2.0, 7.0, 3.0])
    assert symbolic_regression._said(root, x, y).tolist() == [2.0, 4.0, 3.0]
    assert symbolic_regression._explained(root, x, y) == pytest.approx(r2_score(y, [2.0, 4.0, 3.0]))


def test_a_target_that_never_changes_is_explained_whole_or_not_at_all():
    x = np.array([[1.0], [1.0]])
    assert symbolic_regression._explained(LINE, x, np.array([3.0, 3.0])) == 1.0
    assert symbolic_regression._explained(LINE, x, np.array([4.0, 4.0])) == 0.0


@pytest.mark.parametrize("output", [None, "a", math.nan, math.inf])
def test_an_output_that_is_no_number_is_refused(output):
    with pytest.raises(DataError, match="no finite number"):
        symbolic_regression.explained_share(LINE, [(1.0,), (2.0,)], [3.0, output])


@given(st.integers(1, 200), st.integers(0, 99))
def test_a_fifth_of_the_rows_is_held_back_where_there_are_twenty(rows, seed):
    searched, held = symbolic_regression._parts(rows, seed)
    assert sorted([*searched, *held]) == list(range(rows))
    assert len(held) == (round(0.2 * rows) if rows >= 20 else 0)
    assert (np.diff(searched) > 0).all() and (np.diff(held) > 0).all()


def test_cells_that_are_no_finite_number_are_named():
    told = Examples(("a",), (Real,), Real, ((1.0,), (math.inf,), (3.0,)), (1.0, 2.0, math.nan))
    with pytest.raises(DataError) as caught:
        symbolic_regression._numbers(told)
    assert "2 rows lack one" in caught.value.what and caught.value.where.startswith("row 2, 3 ")


def test_the_summary_of_a_formula_tells_what_it_explains_and_what_else_there_is():
    front = [
        {"formula": name, "unexplained": left, "length": 3.0} for name, left in (("a", 0.5), ("a**2", 0.25))
    ]
    result = {"formula": {"python": "a**2"}, "exact": False, "examples": {"all": 9}, "explained": 0.75, "validation": 0.5,
              "front": front}  # fmt: skip
    assert symbolic_regression.summary(result).splitlines() == [
        "a**2", "", "explains 75.0000% of the variance of 9 rows", "of rows that were held back it explained 50.0000%",
        "shorter or closer ones (share of the variance left):", "  0.5  a",
    ]  # fmt: skip
    result |= {"exact": True, "validation": None, "front": front[1:]}
    assert symbolic_regression.summary(result).splitlines()[2:] == ["exact on 9 rows"]
