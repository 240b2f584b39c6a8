import pytest
from hypothesis import HealthCheck, given, settings

from perennial.errors import PerennialError, SyntaxRefused, TooLarge, UnknownWord
from perennial.lang import (
    Bool,
    Call,
    Choice,
    Hole,
    Int,
    Lambda,
    Let,
    Literal,
    Var,
    Vocabulary,
    Word,
    call,
    parse,
    primitive,
    to_html,
    to_source,
)
from perennial.testing.language import programs


@primitive
def add(x: Int, y: Int) -> Int:
    """The sum."""
    return x + y


@primitive(name="if")
def if_(condition: Bool, then: "a", otherwise: "a") -> "a":
    """One of two values."""
    return then if condition else otherwise


@primitive(name="titanic/age_embed@2")
def module(x: Int) -> Int:
    """A module of a library."""
    return x


@primitive
def twice(x: Int, *, width: int = 2, rate: float = 0.5, let: int = 1) -> Int:
    """The number times the width."""
    return x * width


@primitive(name="one_of")
def awkward(x: Int) -> Int:
    """A word named like a choice."""
    return x


@primitive(name="x")
def shadowed(x: Int) -> Int:
    """A word named like a variable."""
    return x


WORDS = Vocabulary(add, if_, module, twice, awkward, shadowed)
x, y = Var("x"), Var("y")


@settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
@given(programs(WORDS))
def test_reading_back_what_was_printed_gives_the_same_program(program):
    assert parse(to_source(program), WORDS) is program
    assert parse(str(program), WORDS) is program


@settings(max_examples=100, database=None, suppress_health_check=list(HealthCheck))
@given(programs(WORDS))
def test_html_boxes_are_well_formed_for_any_program(program):
    from xml.etree import ElementTree

    text = to_html(program)
    characters = "".join(letter for letter in text if letter >= " " and not 0xD800 <= ord(letter) < 0xE000)
    characters = "".join(letter for letter in characters if ord(letter) not in (0xFFFE, 0xFFFF))
    root = ElementTree.fromstring(characters)
    assert not [element for element in root.iter() if element.tag == "script"]


def test_html_escapes_text_and_shows_a_shared_part_once():
    shared = call(add, x, 1)
    text = to_html(Lambda(("x",), call(add, shared, call(twice, shared, rate="<script>"))))
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert text.count(f'id="node-{shared.hash[:16]}"') == 1
    assert f'href="#node-{shared.hash[:16]}"' in text


def test_a_function_prints_as_a_def_with_named_shared_parts():
    shared = call(add, x, 1)
    program = Lambda(("x",), Let("y", call(twice, shared, width=3), call(add, shared, y)))
    assert to_source(program, "grown") == (
        "def grown(x):\n    add_1 = add(x, 1)\n    y = let(twice(add_1, width=3))\n    return add(add_1, y)\n"
    )


def test_choices_and_holes_print_as_calls():
    width = Choice("width", "one_of", (32, 64), default=1)
    program = call(twice, Hole("Int"), width=width, rate=Choice("rate", "real", low=0.1, high=1.0, log=True))
    assert (
        str(program) == "twice(hole(\"Int\"), rate=real('rate', 0.1, 1.0, log=True), "
        "width=one_of('width', [32, 64], default=1))"
    )


def test_long_calls_are_broken_one_argument_a_line():
    program = Lambda(
        ("x",), Choice("learner", "one_of", [call(twice, x, width=n, rate=n / 3) for n in range(8)])
    )
    source = to_source(program)
    assert max(map(len, source.splitlines())) <= 100
    assert parse(source, WORDS) is program


def test_deep_programs_print_as_steps():
    program = x
    for _ in range(150):
        program = call(add, program, 1)
    program = Lambda(("x",), program)
    source = to_source(program)
    assert parse(source, WORDS) is program
    assert max(line.count("(") for line in source.splitlines()) < 20


def test_a_program_that_shares_heavily_prints_in_linear_space():
    program = x
    for _ in range(60):
        program = call(add, program, program)
    program = Lambda(("x",), program)
    assert len(to_source(program)) < 10_000
    assert parse(to_source(program), WORDS) is program
    assert "size" in str(program) and len(repr(program)) < 200


def test_sharing_that_cannot_be_named_is_too_large_to_print():
    program = x
    for _ in range(60):
        program = call(add, program, program)
    with pytest.raises(TooLarge):
        to_source(Lambda(("y",), Lambda(("x",), program)))


def test_a_part_keeps_its_meaning_when_its_variable_is_bound_again():
    part = call(add, x, 1)
    program = Lambda(("x",), call(add, part, Call(Lambda(("x",), call(add, part, part)), (part,))))
    source = to_source(program)
    assert source.count("add(x, 1)") == 3
    assert parse(source, WORDS) is program


def test_let_may_bind_its_own_name_again():
    part = call(add, x, 1)
    program = Lambda(("x",), call(add, call(add, part, part), Let("x", part, call(add, part, part))))
    assert parse(to_source(program), WORDS) is program
    outer = Lambda(("x",), Let("x", call(add, part, part), call(add, part, part)))
    assert parse(to_source(outer), WORDS) is outer


def test_special_words_can_be_used_as_functions_and_values():
    assert str(call(if_, True, x, 1)) == 'if_(True, variable("x"), 1)'
    assert str(call(module, 1)) == "word('titanic/age_embed@2')(1)"
    assert str(call(awkward, 1)) == "one_of_(1)"
    assert str(Lambda(("x",), call(shadowed, x))) == "lambda x: word('x')(x)"
    assert str(Word(add)) == "add"


def test_people_may_write_lambdas_assignments_and_expressions():
    expected = Lambda(("x",), call(add, x, 1))
    for source in (
        "lambda x: add(x, 1)",
        "model = lambda x: add(x, 1)",
        "def f(x):\n    'what it does'\n    return add(x, 1)",
        "def f(x):\n    one = 1\n    x = add(x, one)\n    return x",
    ):
        assert parse(source, WORDS) is expected


def test_a_named_part_whose_variable_changed_its_meaning_is_refused():
    with pytest.raises(SyntaxRefused, match="means something else here"):
        parse("def f(x):\n    y = add(x, 1)\n    return lambda x: y", WORDS)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from os import system",
        "__import__('os').system('ls')",
        "x.__class__",
        "lambda x: x.real",
        "().__class__.__bases__",
        "add.__globals__",
        "[x for x in (1, 2)]",
        "{1: 2}",
        "{1, 2}",
        "[1, 2]",
        "(x for x in (1,))",
        "f'{add}'",
        "f'plain'",
        "b'bytes'",
        "1j",
        "...",
        "1 + 2",
        "not True",
        "+1",
        "~1",
        "- -1",
        "-True",
        "-'a'",
        "1 < 2",
        "True and False",
        "1 if True else 2",
        "(y := 1)",
        "add(*(1, 2))",
        "add(**{})",
        "(1,)[0]",
        "lambda x=1: x",
        "lambda *x: x",
        "lambda x, x: x",
        "lambda __x: __x",
        "lambda let: let",
        "def f(x: Int):\n    return x",
        "def f(x) -> Int:\n    return x",
        "@add\ndef f(x):\n    return x",
        "def f(x):\n    pass",
        "def f(x):\n    return",
        "def f(x):\n    def g(y):\n        return y\n    return g",
        "def f(x):\n    while True:\n        pass\n    return x",
        "def f(x):\n    global y\n    return x",
        "def f(x):\n    del x\n    return x",
        "def f(x):\n    x += 1\n    return x",
        "def f(x):\n    x: int = 1\n    return x",
        "def f(x):\n    x, y = 1, 2\n    return x",
        "def f(x):\n    x = y = 1\n    return x",
        "def f(x):\n    add.name = 1\n    return x",
        "def f(x):\n    __x = 1\n    return x",
        "def f(x):\n    yield x",
        "async def f(x):\n    return x",
        "class A: pass",
        "exec('1')\nimport os",
        "def f(x):\n    return x\ndef g(x):\n    return x",
        "return 1\nreturn 2",
        "",
        "add(1,",
        "add(1, width=1, width=2)",
        "x\x00y",
        "let(1)",
        "let(1, 2)",
        "let(1, lambda x, y: x)",
        "y = let(1)",
        "hole(1)",
        "hole('Itn')",
        "hole('Int', 'Int')",
        "word(1)",
        "variable('__class__')",
        "one_of()",
        "one_of('a')",
        "one_of('a', [])",
        "one_of('a', 1)",
        "one_of('a', [1], size=2)",
        "one_of(add, [1])",
        "integer('a')",
        "integer('a', 2, 1)",
        "integer('a', 0.5, 1)",
        "integer('a', 1, 2, 3)",
        "real('a', 0, 1, log=True)",
        "real('a', 0, inf)",
        "repeat('a', lambda x: x, -1, 2)",
        "optional('a')",
        "recurse('')",
        "integer('a', 0, 1, regularises=7)",
    ],
)
def test_anything_outside_the_language_is_refused(source):
    with pytest.raises((SyntaxRefused, UnknownWord)):
        parse(source, WORDS)


@pytest.mark.parametrize(
    "source",
    [
        "add(" * 5000 + ")" * 5000,
        "(" * 100_000,
        "-" * 100_000 + "1",
        "lambda: " * 20_000 + "1",
        "1" + "+1" * 100_000,
        "x" + ".y" * 100_000,
        "f" + "()" * 50_000,
        "add" + "(1)" * 300,
        "(" * 150 + "1" + ",)" * 150,
        "9" * 10_000,
        "0x" + "f" * 5_000,
        "1\n" * 600_000,
        "add(" + "1, " * 300_000 + ")",
    ],
    ids=lambda source: source[:12].strip(),
)
def test_huge_text_is_refused_quickly(source):
    with pytest.raises(PerennialError):
        parse(source, WORDS)


@pytest.mark.parametrize("name", ["__import__", "eval", "open", "print", "os"])
def test_builtins_are_unknown_words(name):
    with pytest.raises(UnknownWord):
        parse(f"{name}('x')", WORDS)


def test_an_unknown_word_is_shown_with_its_place_and_the_nearest_word():
    with pytest.raises(UnknownWord) as error:
        parse("lambda x: ad(x, 1)", WORDS)
    assert error.value.todo == "Did you mean `add`?"
    assert error.value.where.splitlines()[1].index("^") == len("  where: line 1: lambda x: ")


def test_literals_keep_their_kind():
    for value in (
        1,
        1.0,
        True,
        "1",
        None,
        -0.0,
        float("inf"),
        float("-inf"),
        (1, (2.0, ()), None),
        -7,
        10**300,
    ):
        program = parse(to_source(Literal(value)), WORDS)
        assert program is Literal(value) and type(program.value) is type(value)
