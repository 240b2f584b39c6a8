"""What benches read: formulas as Python reads them, task files of every form, splits of tables, and networks by the dozen."""

import csv
import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from perennial import bench
from perennial.bench import formulas, grids, images, lists, rival_process, steps, strings, tables
from perennial.bench.kept import Kept
from perennial.bench.programs import half, row_of
from perennial.bench.rivals import RIVALS, task_of
from perennial.errors import DataError, UsageError
from perennial.lang import Bool, Int, List, parse
from perennial.primitives import vocabulary
from perennial.synthesis.formulas.algebra import values

# -- formulas --------------------------------------------------------------------------------------------------------

KNOWN = {"sin": math.sin, "cos": math.cos, "tanh": math.tanh, "exp": math.exp, "sqrt": math.sqrt, "log": math.log,
         "abs": abs, "arctan": math.atan}  # fmt: skip
leaf = st.sampled_from(["a", "b", "pi", "e", "2", "0.5", "3"])


def larger(inner):
    binary = st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner)
    return st.one_of(
        binary, st.builds("{}({})".format, st.sampled_from(sorted(KNOWN)), inner), st.builds("-({})".format, inner),
        st.builds("({})**{}".format, inner, st.sampled_from(["2", "3"])),
    )  # fmt: skip


expressions = st.recursive(leaf, larger, max_leaves=8)


@given(expressions, st.floats(0.1, 3), st.floats(0.1, 3))
def test_a_formula_has_the_value_that_python_gives_it(text, a, b):
    try:
        wanted = eval(text, {"__builtins__": {}}, {**KNOWN, "pi": math.pi, "e": math.e, "a": a, "b": b})
    except (ArithmeticError, ValueError):
        assume(False)
    assume(math.isfinite(wanted) and abs(wanted) < 1e6)
    program = formulas.read(text, ["a", "b"])
    found = float(np.broadcast_to(values(program, {"x0": np.array([a]), "x1": np.array([b])}), (1,))[0])
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(expressions, st.integers(1, 30), st.integers(1, 30))
def test_thirty_digits_agree_with_the_sixteen_of_numpy(text, a, b):
    import mpmath

    program, point = formulas.read(text, ["a", "b"]), {"x0": a / 10, "x1": b / 10}
    precise = formulas.precisely(program, {name: mpmath.mpf(value) for name, value in point.items()})
    with np.errstate(all="ignore"):
        quick = float(
            np.broadcast_to(values(program, {name: np.array([v]) for name, v in point.items()}), (1,))[0]
        )
    assume(precise is not None and math.isfinite(quick) and 1e-6 < abs(quick) < 1e6)
    assert float(precise) == pytest.approx(quick, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("text", ["log(a - 5)", "sqrt(-a)", "1/(a - a)", "arcsin(a + 9)"])
def test_where_a_formula_has_no_real_value_there_is_none(text):
    import mpmath

    assert formulas.precisely(formulas.read(text, ["a"]), {"x0": mpmath.mpf(1)}) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_constant_of_a_rival_is_noticed_and_single_precision_is_not(seed):
    puzzle = formulas.Puzzle("line", "nguyen", formulas.read("2*a + 1", ["a"]), (1.0,), (2.0,), 20)
    x, y = puzzle.sample(seed)
    assert formulas._error(lambda x: 2 * x[:, 0] + 1, x, y) == pytest.approx(0.0, abs=1e-20)
    assert formulas._error(lambda x: np.full(len(x), y.mean()), x, y) == pytest.approx(1.0)
    assert formulas._agrees(lambda x: (2 * x[:, 0] + 1).astype(np.float32), puzzle)
    assert not formulas._agrees(lambda x: 2.01 * x[:, 0] + 1, puzzle)


def test_samples_differ_by_seed_and_name_and_stay_in_their_range():
    one, other = (formulas.Puzzle(name, "x", formulas.read("a", ["a"]), (-1.0,), (3.0,), 50) for name in "ab")
    samples = [one.sample(0)[0], one.sample(1)[0], other.sample(0)[0]]
    assert np.array_equal(samples[0], one.sample(0)[0])
    assert not any(np.array_equal(samples[0], each) for each in samples[1:])
    assert all(-1 <= sample.min() and sample.max() <= 3 for sample in samples)
    wide = one.sample(0, 4000, widen=0.5)[0]
    assert -3 <= wide.min() < -2.9 and 4.9 < wide.max() <= 5


def test_only_the_named_puzzles_suites_and_halves_are_wanted():
    names = [f"p{number}" for number in range(12)]
    made = [formulas.Puzzle(name, suite, formulas.read("a", ["a"]), (0.0,), (1.0,), 5)
            for name, suite in zip(names, ["nguyen", "classic", "feynman"] * 4, strict=True)]  # fmt: skip
    assert {each.suite for each in made if formulas._wanted(each, ())} == {"nguyen", "feynman"}
    assert {each.suite for each in made if formulas._wanted(each, ("classic",))} == {"classic"}
    assert [each.name for each in made if formulas._wanted(each, ("p4",))] == ["p4"]
    both = [
        {each.name for each in made if formulas._wanted(each, (name, "nguyen"))}
        for name in ("first", "second")
    ]
    assert both[0] | both[1] == set(names[::3]) and not both[0] & both[1]


# -- programs --------------------------------------------------------------------------------------------------------

PUZZLE = {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]], "output": [[4]]}]}


@pytest.mark.parametrize("inner", ["", "arc-agi-1"])
def test_puzzles_are_read_from_files_of_one_and_of_many(tmp_path, inner):
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    (folder / "one.json").write_text(json.dumps(PUZZLE))
    (folder / "many.json.gz").write_bytes(gzip.compress(json.dumps({"two": PUZZLE, "no": 3}).encode()))
    assert set(grids.read_puzzles(tmp_path)) == {"one", "two"}
    assert grids.read_puzzles(folder / "one.json") == {"one": PUZZLE}


def test_a_folder_without_puzzles_is_refused(tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(DataError, match="No grid puzzles"):
        grids.read_puzzles(tmp_path)


@given(st.sets(st.text("abcdef0123", min_size=1, max_size=8), min_size=2, max_size=30))
def test_halves_of_puzzles_are_even_and_do_not_depend_on_the_order(names):
    told = grids.halves(sorted(names))
    assert told == grids.halves(sorted(names, reverse=True)) and set(told) == names
    assert list(told.values()).count(1) == len(names) // 2


def test_about_half_of_all_names_are_in_each_half():
    share = np.mean([half(f"task {number}") == "first" for number in range(2000)])
    assert abs(share - 0.5) < 4 * 0.5 / math.sqrt(2000)


@pytest.mark.parametrize(
    ("values_", "kind"),
    [
        ([1, 2], Int), ([True, False], Bool), ([True, 1], None), ([(), (1,)], List(Int)),
        ([(True,), (False, True)], List(Bool)), ([(1,), 1], None), ([((1,),)], None), (["a"], None), ([1.0], None),
        ([(1, True)], None),
    ],
)  # fmt: skip
def test_the_type_of_values_is_that_of_all_of_them(values_, kind):
    assert lists._type_of(values_) == kind


def test_written_types_are_believed_where_values_cannot_tell(tmp_path):
    pairs = [{"i": [], "o": []}]
    (tmp_path / "tasks.json").write_text(json.dumps([
        {"name": "a", "type": {"input": "list-of-bool", "output": "list-of-int"}, "examples": pairs},
        {"examples": [{"i": 1}]}, "noise",
    ]))  # fmt: skip
    (tmp_path / "zip.json.gz").write_bytes(
        gzip.compress(json.dumps({"train": [{"input": 1, "output": 2}]}).encode())
    )
    found = {task.name: task for task in lists.tasks_of(tmp_path)}
    assert set(found) == {"a", "zip"} and found["a"].source == tmp_path.name and found["zip"].source == "zip"
    assert (found["a"].input_type, found["a"].output_type) == (List(Bool), List(Int))
    assert found["zip"].train == ((1, 2),)


def test_texts_in_json_are_read_with_one_input_or_several():
    told = {
        "one": {"examples": [{"input": "a", "output": "A"}]},
        "two": {"train": [{"inputs": ["a", 1], "output": True}], "test": [{"inputs": ["b", 2]}, {"inputs": ["c", 3], "output": False}]},
        "mixed": {"examples": [{"input": "a", "output": 1}, {"input": "b", "output": "c"}]},
        "nine": {"examples": [{"inputs": ["a"] * 9, "output": "b"}]},
    }  # fmt: skip
    found = {task.name: task for task in strings.from_json(told, "file")}
    assert (
        set(found) == {"one", "two"}
        and found["two"].types == ("String", "Int")
        and found["two"].output == "Bool"
    )
    assert found["two"].test == ((("c", 3), False),) and found["one"].rows == ((("a",), "A"),)
    examples = found["two"].examples(found["two"].rows, [("d", 4)])
    assert examples.names == ("a", "b") and examples.inputs == (("a", 1),)


def test_a_row_is_computed_once_and_told_by_what_counts(capsys):
    kept = Kept(None)
    for row, told in (({"solved": False, "right": True}, "not solved"), ({"right": True}, "solved"), ({"exact": False}, "not solved")):  # fmt: skip
        key = {"task": f"t {row}", "method": "m"}
        assert row_of(kept, key, lambda row=row: {**row, "seconds": 2}) == {**row, "seconds": 2}
        assert row_of(kept, key, pytest.fail)["seconds"] == 2
        assert capsys.readouterr().err == f"t {row} m: {told}, 2 s\n" * 2


# -- tables and images -----------------------------------------------------------------------------------------------


def write(path, header, rows):
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def folder(tmp_path):
    """A table with a comma, a quote and a line break in its cells, and a second target."""
    rows = [[f"a, {n}", f'"{n}"\nä', str(n), "yes" if n % 4 == 0 else "no"] for n in range(40)]
    write(tmp_path / "data.csv.gz", ["text", "quote", "other", "y"], rows)
    told = {"target": "y", "problem": "binary classification", "other_targets": ["other"]}
    (tmp_path / "task.json").write_text(json.dumps(told))
    return tmp_path


def test_a_table_is_cut_by_class_and_written_as_it_was_read(folder):
    split = tables._split(folder, seed=3)
    assert split.header == ["text", "quote", "y"] and split.targets == ("y",) and split.problem == "binary"
    assert len(split.train_rows) == 30 and len(split.test_rows) == 10
    assert [sum(row[2] == "yes" for row in part) for part in (split.train_rows, split.test_rows)] in (
        [7, 3],
        [8, 2],
    )
    everything = tables.read_rows(folder, {"other"})[1]
    assert sorted(split.train_rows + split.test_rows) == sorted(everything)
    assert tables._split(folder, seed=3) == split != tables._split(folder, seed=4)
    tables.write_rows(folder / "again.csv", split.header, split.train_rows)
    with (folder / "again.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [split.header, *split.train_rows]


def test_a_table_that_comes_in_two_parts_keeps_them(tmp_path):
    folder = tmp_path / "cut"
    folder.mkdir()
    for name, value in (("train", "1"), ("test", "2")):
        write(folder / f"{name}.csv.gz", ["x", "y"], [[value, value]])
    (folder / "task.json").write_text(json.dumps({"target": ["y"], "problem": "regression"}))
    split = tables._split(folder, seed=0)
    assert (split.train_rows, split.test_rows) == ([["1", "1"]], [["2", "2"]])
    assert tables.read_rows(folder, set())[1] == [["1", "1"]]
    assert tables.tables_of(tmp_path) == [folder]


def test_a_class_of_one_row_is_no_reason_to_refuse_a_split():
    rows = [["a"]] * 9 + [["b"]]
    train, test = tables.cut(rows, 0, "multiclass", 0)
    assert sorted([*train, *test]) == list(range(10)) and (np.diff(train) > 0).all()


@given(st.integers(2, 5), st.integers(8, 40), st.integers(0, 99))
def test_images_are_cut_by_class(classes, each, seed):
    target = np.repeat(np.arange(classes), each)
    train, test = images._cut(target, seed)
    assert sorted([*train, *test]) == list(range(len(target)))
    counts = np.bincount(target[test], minlength=classes)
    assert abs(counts - 0.25 * each).max() < 1 and len(test) == math.ceil(0.25 * len(target))


def test_a_rival_writes_its_predictions_and_says_how_long_it_took(folder, tmp_path, capsys):
    split = tables._split(folder, 0)
    paths = [tmp_path / "train.csv", tmp_path / "test.csv"]
    for path, rows in zip(paths, (split.train_rows, split.test_rows), strict=True):
        tables.write_rows(path, split.header, rows)
    told = {"name": "linear", "train": str(paths[0]), "test": str(paths[1]), "targets": ["y"], "problem": "binary",
            "metric": "accuracy", "seconds": 1.0, "seed": 0, "out": str(tmp_path / "out.npy")}  # fmt: skip
    rival_process.main(told)
    assert float(capsys.readouterr().out.split()[-1]) >= 0
    here = RIVALS["linear"](task_of(*paths, ("y",), "binary"), "accuracy", 1.0, 0)
    assert np.array_equal(np.load(told["out"]), here) and here.shape == (10, 2)


# -- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [True, False])
def test_random_networks_are_programs_and_differ_by_seed(small):
    sources = [steps._random_network(seed, small) for seed in range(20)]
    assert sources == [steps._random_network(seed, small) for seed in range(20)] and len(set(sources)) > 15
    for source in sources:
        program = parse(source, vocabulary())
        assert str(program).count("max_pool") == source.count("max_pool") in (2, 3)


@pytest.mark.parametrize(("kind", "low", "high"), [(steps.Image(4, 4, 1), 0, 255), (steps.Tensor(7), -6, 6)])
def test_random_rows_have_the_type_that_was_asked_for(kind, low, high):
    rows, target = steps._rows(kind, 60)
    assert rows.shape == (60, *kind.dims) and low <= rows.min() < rows.max() <= high
    assert set(target) <= set(range(steps.CLASSES)) and np.array_equal(rows, steps._rows(kind, 60)[0])


def test_a_folder_without_tables_is_told(tmp_path):
    with pytest.raises(UsageError, match="No CSV files found") as caught:
        bench.run("overhead", data=str(tmp_path))
    assert str(tmp_path) in caught.value.where
