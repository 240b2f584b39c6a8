"""Corners of the language: functions held by variables, computed types as values, open parameters, depth."""

import pytest

from perennial.errors import NoAnswer, ProgramError, SyntaxRefused, TooLarge, TypeMismatch
from perennial.lang import (
    Arrow,
    Bool,
    Call,
    Choice,
    Hole,
    Int,
    Lambda,
    Let,
    List,
    Literal,
    Op,
    Parameter,
    Real,
    Record,
    Tensor,
    Text,
    TypeVar,
    Var,
    Word,
    call,
    evaluate,
    infer,
    parse,
    parse_type,
    primitive,
    to_source,
)
from perennial.lang.program import DEEPEST_PROGRAM
from perennial.primitives import vocabulary


class Columns(Op):
    """As many columns as the record has fields, and some more; its type is computed."""

    name = "columns"
    parameters = {"extra": Parameter(1, low=0, high=9)}

    def infer(self, record, *, extra):
        return Tensor(len(record.fields) + extra)

    def call(self, record, **parameters):
        return record


COLUMNS, ROW = Columns(), Record({"f0001": Real, "f0002": Text})


@pytest.mark.parametrize(
    "argument_types, result, expected",
    [
        ((Int, Int), None, "(Int, Int) -> Int"),
        ((TypeVar("a"), Int), None, "(Int, Int) -> Int"),
        ((Bool, Bool), Real, "(Bool, Bool) -> Real"),
    ],
)
def test_a_word_by_itself_is_a_function_of_the_arguments_that_are_told(
    words, argument_types, result, expected
):
    assert str(infer(Word(words["add"]), argument_types, result)) == expected


def test_a_word_by_itself_refuses_arguments_that_it_cannot_take(words):
    with pytest.raises(TypeMismatch, match="Text"):
        infer(Word(words["add"]), (Text, Int))
    with pytest.raises(TypeMismatch, match="takes 2 arguments, received 3"):
        infer(Word(words["add"]), (Int, Int, Int))


@pytest.mark.parametrize(
    "source, function, expected",
    [
        ("f(1)", "Int -> Text", "Text"),
        ("f(True)", "Int -> Text", "Text"),
        ("f(lambda x: x, 3)", "(Int -> Int, Int) -> Bool", "Bool"),
        ("map(f, (1, 2))", "Int -> Text", "List[Text]"),
        ("f((1, 2))", "List[Real] -> Real", "Real"),
    ],
)
def test_a_variable_that_holds_a_function_tells_its_arguments(words, source, function, expected):
    program = parse(f"lambda f: {source}", words)
    assert str(infer(program.body, environment={"f": parse_type(function)})) == expected


def test_a_variable_that_holds_a_function_refuses_other_arguments(words):
    program = parse("lambda f: f('text')", words).body
    with pytest.raises(TypeMismatch, match=r"(?s)Expected Int, received Text.*\^"):
        infer(program, environment={"f": Arrow(Int, Text)})
    with pytest.raises(TypeMismatch):
        infer(program, environment={"f": Arrow(Text, Text, Text)})


def test_a_word_that_computes_its_type_can_be_handed_to_another_word(words):
    program = call(words["map"], Word(COLUMNS), Var("rows"))
    assert infer(program, environment={"rows": List(ROW)}) == List(Tensor(3))


@pytest.mark.parametrize(
    "extra, width",
    [
        (Literal(4), 2 + 4),
        (Choice("n", "integer", low=2, high=9), 2 + 2),
        (Choice("n", "integer", low=2, high=9, default=5), 2 + 5),
        (Choice("n", "one_of", (Literal(3), Literal(7))), 2 + 3),
        (Choice("n", "one_of", (Literal(3), Literal(7)), default=1), 2 + 7),
        (Choice("n", "one_of", (Choice("m", "integer", low=6, high=9), Literal(7))), 2 + 6),
        (Hole("Int"), 2 + 1),
    ],
    ids=str,
)
def test_an_open_parameter_counts_as_its_default(extra, width):
    program = Call(COLUMNS, (Var("row"),), {"extra": extra})
    assert infer(program, environment={"row": ROW}) == Tensor(width)


def test_a_word_that_computes_its_type_says_how_many_arguments_it_cannot_take():
    with pytest.raises(TypeMismatch, match="`columns` cannot take 2 arguments"):
        infer(call(COLUMNS, Var("row"), Var("row")), environment={"row": ROW})


DEEPER = {
    "calls": lambda inner, words: call(words["add"], inner, 1),
    "functions": lambda inner, words: Call(Lambda(("y",), inner), (1,)),
    "arguments": lambda inner, words: Call(Lambda(("y",), Var("y")), (inner,)),
    "maps": lambda inner, words: call(words["map"], Lambda(("y",), inner), (1, 2)),
    "values": lambda inner, words: Let("x", inner, Var("x")),
    "choices": lambda inner, words: Choice("c", "one_of", (inner,)),
    "variables": lambda inner, words: Call(Var("f"), (inner,)),
}


@pytest.mark.parametrize("kind", DEEPER)
def test_the_deepest_program_is_typed_printed_and_read_back(words, kind):
    program = Var("x")
    with pytest.raises(TooLarge, match=f"at most {DEEPEST_PROGRAM} deep"):
        while True:
            program = DEEPER[kind](program, words)
    assert DEEPEST_PROGRAM - 1 <= program.depth <= DEEPEST_PROGRAM
    found = infer(program, environment={"x": Int, "f": Arrow(Int, Int)})
    while isinstance(found, List):
        found = found.element
    assert found == Int
    assert parse(to_source(program), words) is program


@pytest.mark.parametrize("source", ["lambda x: " * 2_000 + "x", "-" * 3_000 + "1"])
def test_text_that_nests_too_deep_is_refused_and_not_a_crash(words, source):
    with pytest.raises(SyntaxRefused):
        parse(source, words)


def test_a_condition_without_an_answer_has_no_branch():
    known = vocabulary()
    program = parse("lambda xs: if_(less(first_item(xs), 3), 1, 2)", known)
    assert [evaluate(program, items) for items in ((2,), (3,))] == [1, 2]
    with pytest.raises(NoAnswer, match="empty"):
        evaluate(program, ())
    saved = parse("lambda xs: otherwise(if_(less(first_item(xs), 3), 1, 2), 7)", known)
    assert evaluate(saved, ()) == 7


def test_hidden_hyper_parameters_are_refused():
    with pytest.raises(ProgramError, match="`more` of `word` hides hyper-parameters"):

        @primitive
        def word(x: Int, **more: Int) -> Int:
            return x


def test_a_layer_outside_a_network_says_where_it_belongs():
    with pytest.raises(ProgramError, match=r"(?s)`conv` is a layer.*head"):
        vocabulary()["conv"].call(0)


def test_words_of_a_vocabulary_are_listed_in_order(words):
    assert repr(words).startswith("Vocabulary(add, less, if, map,")
    assert len(words) == len(list(words)) == repr(words).count(",") + 1
