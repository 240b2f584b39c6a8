"""Growing a program from examples: the same promises as any study."""

import json

import pytest

import perennial as pn
from perennial import program_files, programming
from perennial.errors import DataError, UsageError
from perennial.history import History
from perennial.lang import Int, Lambda, Literal, Text, Var
from perennial.library import Library
from perennial.model import Model
from perennial.synthesis.base import Budget, Engine, Examples, Found, answers, same_value
from perennial.task import Task

NAMES = [("Ada King", "King"), ("Alan Turing", "Turing"), ("Grace Hopper", "Hopper")]


class Told(Engine):
    """Gives the programs that it was made with."""

    name = "told"

    def __init__(self, *programs):
        self.programs, self.asked = programs, []

    def run(self, examples, grammar, budget):
        self.asked.append(len(examples))
        for cost, program in enumerate(self.programs, 1):
            given = answers(program, examples.inputs)
            yield Found(program, cost, tuple(map(same_value, given, examples.outputs)), self.name)


def engine(*bodies):
    told = Told(*(Lambda(("text",), body) for body in bodies))
    return told, lambda examples: [told]


def test_a_model_is_called_with_an_input_and_gives_the_output():
    model = pn.grow(Task.from_examples(NAMES), seconds=20)
    assert model("Emmy Noether") == "Noether"
    assert list(model.predict(["Kurt Goedel"])) == ["Goedel"]
    assert "3 of 3 examples right" in model.report
    assert model.result["examples"] == {"right": 3, "all": 3, "missed": []}


def test_a_study_is_on_disk_and_the_same_call_gives_it_back(tmp_path):
    model = pn.grow(Task.from_examples(NAMES), seconds=20, out=tmp_path / "s")
    again = pn.grow(Task.from_examples(NAMES), seconds=20, out=tmp_path / "s")
    assert again.program is model.program and again.result == model.result
    history = History.read(tmp_path / "s")
    assert history.finished["result"]["program"] == model.result["program"]
    assert history.chosen["kind"] == "program" and history.baselines[0]["name"] == "constant"
    assert Model.load(tmp_path / "s" / "best")("Emmy Noether") == "Noether"


def test_a_program_is_accepted_on_examples_that_it_was_not_built_from():
    pairs = [(f"name{n} x{n}", f"x{n}") for n in range(9)]
    told, engines = engine(Var("text"), Literal("x0"))
    model = programming.grow_program(Task.from_examples(pairs), seconds=5, engines=engines)
    assert told.asked == [6, 9]
    assert model.result["validation"] == 0.0
    right = [(f"q{n}", f"q{n}") for n in range(9)]
    told, engines = engine(Var("text"))
    model = programming.grow_program(Task.from_examples(right), seconds=5, engines=engines)
    assert told.asked == [6] and model.result["validation"] == 1.0


def test_where_nothing_fits_the_best_partial_program_says_what_it_misses():
    pairs = [("a", "a"), ("b", "b"), ("c", "x"), ("d", "y")]
    _, engines = engine(Var("text"))
    model = programming.grow_program(Task.from_examples(pairs), seconds=5, engines=engines)
    assert model.result["examples"] == {"right": 2, "all": 4, "missed": [2, 3]}
    assert "it misses examples 3, 4" in model.report and model.result["beaten"]


def test_where_nothing_is_found_the_constant_is_the_answer(tmp_path):
    model = programming.grow_program(
        Task.from_examples([("a", "x"), ("b", "x"), ("c", "y")]), seconds=5, engines=lambda examples: [],
        out=tmp_path / "s",
    )  # fmt: skip
    assert model("z") == "x" and not model.result["beaten"] and model.result["baseline"] == 2 / 3
    assert Model.load(tmp_path / "s" / "best")("z") == "x"


def test_programs_that_differ_on_new_inputs_are_told():
    _, engines = engine(Var("text"), Literal("a"), Literal("b"))
    task = Task.from_examples([("a", "a")], test=["a", "q"])
    model = programming.grow_program(task, seconds=5, engines=engines)
    assert model.result["agreement"] == {
        "programs": 2, "fit": True, "rows": [1], "differing": 1, "answers": [["q", "a"]]
    }  # fmt: skip
    assert "2 programs fit; they differ on 1 of the rows" in model.report


def test_an_answer_to_a_question_is_one_more_example():
    _, engines = engine(Var("text"), Literal("a"))
    asked = []

    def ask(inputs, said):
        asked.append((inputs, said))
        return "a"

    task = Task.from_examples([("a", "a")], test=["q"])
    model = programming.grow_program(task, seconds=5, engines=engines, ask=ask)
    assert asked == [(("q",), ("q", "a"))]
    assert model("zz") == "a" and model.result["examples"]["all"] == 2
    silent = programming.grow_program(task, seconds=5, engines=engines, ask=lambda inputs, said: None)
    assert silent("zz") == "zz"


def test_outputs_that_were_held_back_test_the_program_once():
    task = Task.from_examples(NAMES, test=[{"input": "A B", "output": "B"}, {"input": "C D", "output": "x"}])
    model = pn.grow(task, seconds=20)
    assert model.result["test"]["value"] == 0.5 and model.result["test"]["n"] == 2
    assert model.result["test"]["low"] < 0.5 < model.result["test"]["high"]


def test_an_output_that_may_be_wrong_is_tolerated():
    pairs = [*NAMES, ("Emmy Noether", "Noether"), ("Kurt Goedel", "oops")]
    _, engines = engine(Literal("King"))
    model = programming.grow_program(Task.from_examples(pairs, tolerance=0.3), seconds=5, engines=engines)
    assert not model.result["beaten"]
    examples = programming.examples_of(Task.from_examples(pairs, tolerance=0.3))
    assert examples.needed == 4


def test_examples_of_a_task_are_those_that_were_given():
    task = Task.from_examples([(("a", 1), "b")], test=[("c", 2)])
    examples = programming.examples_of(task)
    assert isinstance(examples, Examples)
    assert (examples.types, examples.inputs, examples.outputs) == ((Text, Int), (("a", 1),), ("b",))
    assert examples.unlabelled == (("c", 2),)


def test_predictions_are_written_as_json_in_order(tmp_path):
    model = pn.grow(Task.from_examples(NAMES), seconds=20)
    told = {"train": [], "test": [{"input": "Emmy Noether"}, {"input": ""}, {"input": "a b"}]}
    (tmp_path / "in.json").write_text(json.dumps(told))
    program_files.predict(model, str(tmp_path / "in.json"), as_list=True).write(str(tmp_path / "out.json"))
    said = json.loads((tmp_path / "out.json").read_text())
    assert said == [{"output": "Noether"}, {"output": None}, {"output": "b"}]
    with pytest.raises(DataError):
        programming.filled_table(model, str(tmp_path / "in.json"))


def test_an_export_that_does_not_exist_is_refused():
    model = pn.grow(Task.from_examples(NAMES), seconds=20)
    with pytest.raises(UsageError, match="Choose one of"):
        program_files.exported(model, "cobol")


# -- programs of other tasks -----------------------------------------------------------------------------------------

SORTED = [([3, 1, 2], [3, 2, 1]), ([5, 9], [9, 5]), ([4], [4]), ([7, 7, 8, 1], [8, 7, 7, 1])]


@pytest.fixture
def remembered(tmp_path):
    """A library that knows how to sort lists from the top, and how to take surnames."""
    place = tmp_path / "library"
    for name, pairs in (("downwards", SORTED), ("surnames", NAMES)):
        model = pn.grow(Task.from_examples(pairs, name=name), seconds=20, library=place)
        assert model.result["beaten"] and model.result["reused"] == []
    return place


def nothing(examples):
    return [Told()]


def test_a_rule_that_is_known_is_found_where_no_engine_finds_it(remembered):
    with Library(remembered) as library:
        model = programming.grow_program(
            Task.from_examples([([2, 6], [6, 2]), ([0, 5, 1], [5, 1, 0])]), library=library, engines=nothing
        )
        assert model([1, 2, 3]) == [3, 2, 1] and model.result["engine"] == "library"
        assert model.result["reused"] == ["downwards/solution@1"]
        for reuse in ("off", "recipes"):
            task = Task.from_examples([([2, 6], [6, 2]), ([0, 5, 1], [5, 1, 0])])
            alone = programming.grow_program(task, library=library, engines=nothing, reuse=reuse)
            assert not alone.result["beaten"] and alone.result["reused"] == []


def test_a_known_rule_must_be_right_on_all_examples_and_on_more_than_one(remembered):
    wrong = [([2, 6], [6, 2]), ([0, 5, 1], [0, 1, 5])]
    with Library(remembered) as library:
        for pairs in (wrong, wrong[:1]):
            model = programming.grow_program(Task.from_examples(pairs), library=library, engines=nothing)
            assert not model.result["beaten"] and model.result["reused"] == []


def test_a_shorter_program_is_preferred_to_a_known_one(remembered):
    pairs = [("a b", "b"), ("c d", "d")]
    told, engines = engine(Var("text"))
    same = [("ab", "ab"), ("cd", "cd")]
    with Library(remembered) as library:
        model = programming.grow_program(Task.from_examples(pairs), library=library, engines=engines)
        assert model("x y") == "y" and model.result["reused"] == ["surnames/solution@1"]
        task = Task.from_examples(same)
        known = programming._recalled(library, programming.examples_of(task), task.schema, Budget(5.0))
        model = programming.grow_program(Task.from_examples(same), library=library, engines=engines)
    assert model.program.body is Var("text") and model.result["reused"] == []
    assert all(found.complete and found.cost > 1 for found in known.values())


def test_a_damaged_record_harms_no_search(remembered):
    with Library(remembered) as library:
        record = library.find("downwards/solution@1")
    [blob] = [path for path in remembered.rglob("*") if path.is_file() and record[2:] in path.name]
    blob.write_bytes(b"broken")
    with Library(remembered) as library:
        pairs = [([2, 6], [6, 2]), ([0, 5, 1], [5, 1, 0])]
        model = programming.grow_program(Task.from_examples(pairs), library=library, engines=nothing)
    assert not model.result["beaten"]


def test_a_known_rule_saves_the_time_of_the_search(remembered):
    class Slow(Told):
        def run(self, examples, grammar, budget):
            seconds.append(budget.left)
            yield from ()

    seconds = []
    with Library(remembered) as library:
        programming.grow_program(
            Task.from_examples(SORTED), library=library, seconds=60, engines=lambda examples: [Slow()]
        )
        assert 0 < max(seconds) <= programming.SECONDS_BESIDE_KNOWN
