import copy
import gc
import hashlib
import os
import pickle
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.errors import PerennialError, ProgramError, SpaceError, TooLarge
from perennial.lang import (
    Arrow,
    Call,
    Choice,
    Hole,
    Int,
    Lambda,
    Let,
    List,
    Literal,
    Text,
    Var,
    Vocabulary,
    Word,
    applied,
    as_program,
    call,
    evaluate,
    primitive,
)
from perennial.lang.program import _interned
from perennial.testing.language import programs


@primitive
def add(x: Int, y: Int) -> Int:
    """The sum."""
    return x + y


@primitive
def double(x: Int) -> Int:
    """Twice the number."""
    return 2 * x


WORDS = Vocabulary(add, double)
x, y = Var("x"), Var("y")
arbitrary = settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))


@arbitrary
@given(programs(WORDS))
def test_every_program_survives_pickling_copying_and_rebuilding_as_itself(program):
    assert pickle.loads(pickle.dumps(program)) is program
    assert copy.deepcopy(program) is program and copy.copy(program) is program
    assert program.transform(lambda node: node) is program
    assert program.with_children(program.children) is program


@arbitrary
@given(programs(WORDS))
def test_size_depth_and_free_variables_follow_from_the_children(program):
    for node in program.walk():
        assert node.size == 1 + sum(child.size for child in node.children)
        assert node.depth == 1 + max((child.depth for child in node.children), default=0)
        if isinstance(node, Call):
            below = frozenset().union(*(child.free_variables for child in node.children))
            assert node.free_variables == below
    assert len(list(program.walk())) == len(set(program.walk())) <= program.size


@arbitrary
@given(programs(WORDS), programs(WORDS))
def test_equal_hash_means_the_same_program(left, right):
    assert (left.hash == right.hash) == (left is right) == (left == right)


@arbitrary
@given(programs(WORDS), st.data())
def test_replacing_a_part_by_itself_or_there_and_back_changes_nothing(program, data):
    part = data.draw(st.sampled_from(list(program.walk())))
    mark = Literal("a mark that occurs nowhere else")
    assert program.replace(part, part) is program
    if part.depth < 2 or part is program:
        marked = program.replace(part, mark)
        assert mark in set(marked.walk()) and marked.replace(mark, part) is program


def test_equal_structure_is_the_same_object():
    assert call(add, x, 1) is Call(add, (Var("x"), Literal(1)))
    assert Lambda(["x"], x) is Lambda(("x",), x)
    assert Choice("a", "one_of", [1, 2]) is Choice("a", "one_of", (Literal(1), Literal(2)))
    assert Hole("List[Int]") is Hole(List(Int))
    assert Call(Word(add), (1, 2)) is Call(add, (1, 2))
    assert call(double, 1, b=1, a=2) is Call(double, (1,), {"a": 2, "b": 1})


def test_numbers_that_compare_equal_are_different_literals():
    literals = [Literal(value) for value in (1, 1.0, True, "1", (1,), (1.0,), 0.0, -0.0, 0, False, None, ())]
    assert len(set(literals)) == len(literals) == len({literal.hash for literal in literals})
    assert Literal(float("nan")) is Literal(float("nan"))
    assert Literal([1, [2]]) is Literal((1, (2,)))


def test_numpy_scalars_become_plain_numbers():
    import numpy as np

    assert Literal(np.float64(0.5)) is Literal(0.5) and type(Literal(np.float64(0.5)).value) is float
    assert Literal(np.int64(3)) is Literal(3) and Literal(np.bool_(True)) is Literal(True)


@pytest.mark.parametrize("value", [{}, {1}, object(), b"bytes", 1j, (1, {})], ids=repr)
def test_a_literal_of_another_kind_is_refused(value):
    with pytest.raises(ProgramError, match="A literal is"):
        Literal(value)


def test_huge_literals_and_deep_programs_are_refused():
    with pytest.raises(TooLarge):
        Literal(2**5000)
    nested = ()
    for _ in range(100):
        nested = (nested,)
    with pytest.raises(TooLarge):
        Literal(nested)
    program = x
    with pytest.raises(TooLarge, match="nests at most 200 deep"):
        for _ in range(300):
            program = call(double, program)


@pytest.mark.parametrize("name", ["", "__x", "1x", "a b", "lambda", "let", "one_of", "é", "x.y", None, 3])
def test_names_that_could_not_be_read_back_are_refused(name):
    for build in (lambda: Var(name), lambda: Lambda((name,), x), lambda: Let(name, 1, x)):
        with pytest.raises(ProgramError, match="is named by"):
            build()


def test_nodes_that_make_no_sense_are_refused():
    for build in (
        lambda: Lambda("x", x),
        lambda: Lambda(("x", "x"), x),
        lambda: Call(3, ()),
        lambda: Call(add, (), [("a", 1), ("a", 2)]),
        lambda: Word("add"),
    ):
        with pytest.raises(ProgramError):
            build()


@pytest.mark.parametrize(
    "arguments",
    [
        ("", "one_of", (1,)),
        ("a", "any_of", (1,)),
        ("a", "one_of", ()),
        ("a", "integer", (), 1.5, 2),
        ("a", "integer", (), True, 2),
        ("a", "integer", (1,), 1, 2),
        ("a", "integer", (), 3, 2),
        ("a", "integer", (), 0, 2, True),
        ("a", "real", (), 0.0, float("inf")),
        ("a", "real", (), float("nan"), 1.0),
        ("a", "repeat", (1,), -1, 2),
        ("a", "repeat", (), 1, 2),
        ("a", "optional", (1, 2)),
        ("a", "recurse", (1,)),
        ("a", "one_of", (1,), None, None, False, None, 2),
    ],
    ids=repr,
)
def test_inconsistent_choices_are_refused(arguments):
    with pytest.raises(SpaceError):
        Choice(*arguments)


def test_programs_are_frozen():
    with pytest.raises(AttributeError, match="frozen"):
        x.name = "y"
    with pytest.raises(AttributeError, match="frozen"):
        del x.name


def test_the_hash_is_a_sha256_and_the_same_in_another_process():
    program = Lambda(("x",), Let("y", call(double, x, rate=0.5), Choice("a", "one_of", ["é", y, (1, None)])))
    assert len(program.hash) == hashlib.sha256().digest_size * 2
    code = (
        "from perennial.lang import *\n"
        "@primitive\n"
        "def double(x: Int) -> Int: return 2 * x\n"
        "x, y = Var('x'), Var('y')\n"
        "choice = Choice('a', 'one_of', ['é', y, (1, None)])\n"
        "print(Lambda(('x',), Let('y', call(double, x, rate=0.5), choice)).hash)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"},
    )
    assert answer.stdout.strip() == program.hash


def test_a_pickled_program_arrives_in_another_process_as_its_one_object():
    program = Lambda(("x",), call(_program_word(), x, 1))
    code = (
        "import pickle, sys\n"
        "program = pickle.load(sys.stdin.buffer)\n"
        "from perennial.lang import *\n"
        "assert pickle.loads(pickle.dumps(program)) is program\n"
        "assert Lambda(program.names, program.body) is program\n"
        "print(program.hash)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(program),
        capture_output=True,
        check=True,
        env={
            **os.environ,
            "PYTHONHASHSEED": "7",
            "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
        },
    )
    assert answer.stdout.decode().strip() == program.hash


def _program_word():
    """A word that a fresh process can import: the `add` of this file under its module's name."""
    return add


def test_dropped_programs_leave_no_trace():
    gc.collect()
    before = len(_interned)
    for number in range(1000):
        call(add, call(double, number), f"text {number}")
    gc.collect()
    assert len(_interned) <= before + 5


def test_threads_that_build_the_same_program_get_the_same_object():
    built = []

    def build():
        made = []
        for number in range(200):
            made.append(call(add, call(double, number), number))
        built.append(made)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(left is right for made in built for left, right in zip(made, built[0], strict=True))


def test_substitution_does_not_capture():
    program = Lambda(("y",), call(add, x, y))
    put = program.substitute({"x": y})
    assert evaluate(Call(Lambda(("y",), Call(put, (10,))), (1,))) == 11
    assert put.free_variables == {"y"}
    let = Let("y", 5, call(add, x, y)).substitute({"x": call(double, y)})
    assert let.free_variables == {"y"} and let.name != "y"
    swapped = Lambda(("x", "y"), call(add, call(add, x, y), Var("z"))).substitute({"z": call(add, x, y)})
    assert swapped.free_variables == {"x", "y"} and len(set(swapped.names)) == 2


@arbitrary
@given(programs(WORDS), programs(WORDS))
def test_substitution_removes_the_variable_and_brings_the_variables_of_the_value(program, value):
    try:
        put = program.substitute({"x": value})
    except PerennialError as error:
        assert isinstance(error, TooLarge)
        return
    if "x" in program.free_variables:
        assert put.free_variables == (program.free_variables - {"x"}) | value.free_variables
    else:
        assert put is program


def test_replace_does_not_look_inside_the_new_part():
    assert call(add, x, x).replace(x, call(double, x)) is call(add, call(double, x), call(double, x))


def test_applied_puts_arguments_into_a_lambda():
    assert applied(Lambda(("x",), call(add, x, x)), call(double, y)) is call(
        add, call(double, y), call(double, y)
    )
    assert applied(add, 1, 2) is call(add, 1, 2)
    assert applied(Var("f"), 1) is Call(Var("f"), (1,))


def test_functions_compose_from_left_to_right():
    doubled = Lambda(("x",), call(double, x))
    assert doubled >> Lambda(("y",), call(add, y, 1)) is Lambda(("x",), call(add, call(double, x), 1))
    assert doubled >> double is Lambda(("x",), call(double, call(double, x)))
    assert Word(double) >> double is Lambda(("x",), call(double, call(double, x)))
    assert call(add, 1, 2) >> double is call(double, call(add, 1, 2))
    tower = Choice("depth", "repeat", (doubled,), 1, 3) >> double
    assert tower is Lambda(("x",), call(double, Call(Choice("depth", "repeat", (doubled,), 1, 3), (x,))))
    assert evaluate(doubled >> double >> double, 1) == 8


def test_the_type_of_a_program_is_known_and_kept():
    program = Lambda(("x",), call(add, x, 1))
    assert program.type == Arrow(Int, Int) and program.type is program.type
    assert Literal("text").type == Text


def test_plain_values_and_words_become_programs():
    assert as_program(3) is Literal(3) and as_program(add) is Word(add) and as_program(x) is x


def test_nodes_can_be_matched_by_pattern():
    match call(add, x, 1):
        case Call(op, (Var(name), Literal(value)), ()):
            assert (op, name, value) == (add, "x", 1)
