import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.errors import PerennialError, TypeMismatch
from perennial.lang import (
    Bool,
    Call,
    Categories,
    Choice,
    Dist,
    Grid,
    Hole,
    Int,
    Lambda,
    Learner,
    Let,
    List,
    Literal,
    Op,
    Option,
    Pair,
    Parameter,
    Real,
    Record,
    State,
    Tensor,
    Text,
    TypeVar,
    Var,
    Vocabulary,
    call,
    infer,
    parse,
    parse_type,
    typed,
)
from perennial.testing.language import programs

x, row = Var("x"), Var("row")


class Numbers(Op):
    """The number fields of a record, computed type."""

    name = "numbers"
    parameters = {"extra": Parameter(0, low=0, high=4)}

    def infer(self, record, *, extra):
        if not isinstance(record, Record):
            raise TypeMismatch(f"`numbers` takes a record, received {record}.")
        return Tensor(sum(kind == Real for kind in record.fields.values()) + extra)

    def call(self, record, **parameters):
        return record


class Forest(Learner):
    """Predicts whatever is asked."""

    name = "forest"

    def infer(self, *types, **parameters):
        if not all(isinstance(kind, Tensor) for kind in types):
            raise TypeMismatch(f"`forest` takes tensors, received {types}.")
        return TypeVar("prediction")

    def fit(self, inputs, target, context, **parameters):
        return State()

    def call(self, *inputs, state, **parameters):
        return inputs


class Average(Op):
    """The mean of predictions of one type; its type is computed."""

    name = "average"

    def infer(self, *types, **parameters):
        return types[0]

    def call(self, *values, **parameters):
        return values[0]


NUMBERS, FOREST, AVERAGE = Numbers(), Forest(), Average()
INPUT = Record({"f0001": Real, "f0002": Categories(3), "f0003": Real})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("lambda x: x", "a -> a"),
        ("lambda x, y: add(x, y)", "(Int, Int) -> Int"),
        ("lambda f, xs: map(f, xs)", "(a -> b, List[a]) -> List[b]"),
        ("lambda xs: map(lambda x: pair(x, length(xs)), xs)", "List[a] -> List[Pair[a, Int]]"),
        ("lambda xs: fold(add, 0, xs)", "List[Int] -> Int"),
        ("lambda f, x: f(f(x))", "(a -> a, a) -> a"),
        ("lambda f: f(1, 'a')", "((Int, Text) -> a) -> a"),
        ("lambda x: let(add(x, 1), lambda y: pair(y, x))", "Int -> Pair[Int, Int]"),
        ("(1, 2.5, 3)", "List[Real]"),
        ("(1, 'a')", "Pair[Int, Text]"),
        ("()", "List[a]"),
        ("None", "Option[a]"),
        ("total(1, 2.5)", "Real"),
        ("maximum(1, 2, 3)", "List[Int]"),
        ("add", "(Int, Int) -> Int"),
        ("if_(True, 1, 2)", "Int"),
        ("map(lambda x: add(x, 1), hole('List[Int]'))", "List[Int]"),
        ("first(pair(1, 'a'))", "Int"),
        ("pair(length(()), ())", "Pair[Int, List[a]]"),
    ],
)
def test_most_general_types_are_found(words, source, expected):
    assert str(infer(parse(source, words))) == expected
    assert str(parse(source, words).type) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("add(1, 'a')", "Expected Int, received Text"),
        ("map(lambda x, y: x, (1, 2))", "Expected a function of 1 arguments, received one of 2"),
        ("lambda f: f(f)", "contain itself"),
        ("add(1)", "takes 2 arguments, received 1"),
        ("length(3)", "received Int"),
        ("(1, 'a', True)", "items of a literal list have different types"),
        ("(3)(1)", "received Int"),
        ("if_(True, 1, 'a')", "Expected Int, received Text"),
        ("map(add, (1, 2))", "takes 2 arguments, received 1"),
    ],
)
def test_parts_that_do_not_fit_are_shown_with_an_arrow(words, source, message):
    with pytest.raises(TypeMismatch, match=message) as error:
        infer(parse(source, words))
    assert "^" in error.value.where


def test_the_arrow_stands_under_the_wrong_argument(words):
    with pytest.raises(TypeMismatch) as error:
        infer(parse("lambda x: add(add(x, 1), 'text')", words))
    shown, arrow = str(error.value).splitlines()[1:3]
    assert arrow.count("^") == len("'text'") and arrow.index("^") == shown.index("'text'")


def test_coercions_happen_where_a_weaker_type_is_asked(words):
    assert infer(parse("less(1, 2.5)", words)) == Bool
    assert infer(parse("lambda x: less(x, 1)", words), (Int,)) == parse_type("Int -> Bool")
    with pytest.raises(TypeMismatch):
        infer(parse("add(1.5, 1)", words))


def test_declared_arguments_and_results_are_used(words):
    identity = Lambda(("x",), x)
    assert infer(identity, (Int,)) == parse_type("Int -> Int")
    assert infer(identity, result=Text) == parse_type("Text -> Text")
    assert infer(x, environment={"x": Grid}) == Grid
    assert infer(Literal(((1, 2), (3, 4))), result=Grid) == Grid
    assert infer(Literal((1, 2)), result=Pair(Int, Real)) == Pair(Int, Int)
    assert infer(Literal(None), result=Option(Int)) == Option(Int)
    with pytest.raises(TypeMismatch):
        infer(identity, (Int,), Text)
    with pytest.raises(TypeMismatch):
        infer(Literal(((1, 2), (3,))), result=Grid)


def test_variables_given_by_the_caller_keep_their_names():
    assert infer(x, environment={"x": List(TypeVar("width"))}) == List(TypeVar("width"))
    assert infer(Lambda(("x", "y"), x), (TypeVar("a"), Int)) == parse_type("(a, Int) -> a")


def test_words_that_compute_their_type_are_asked_with_their_parameters():
    program = Lambda(("row",), call(NUMBERS, row))
    assert infer(program, (INPUT,)).result == Tensor(2)
    assert infer(Lambda(("row",), call(NUMBERS, row, extra=3)), (INPUT,)).result == Tensor(5)
    open_choice = Choice("extra", "integer", low=0, high=4, default=1)
    assert infer(Lambda(("row",), call(NUMBERS, row, extra=open_choice)), (INPUT,)).result == Tensor(3)
    with pytest.raises(TypeMismatch, match="takes a record, received Int"):
        infer(Lambda(("row",), call(NUMBERS, row)), (Int,))
    assert str(infer(program)) == "a -> b"


def test_a_learner_predicts_what_the_program_declares():
    node = call(FOREST, call(NUMBERS, row))
    types = typed(Lambda(("row",), node), (INPUT,), Dist(3))
    assert types[node] == Dist(3) and types[node.arguments[0]] == Tensor(2) and types[row] == INPUT
    assert types[Lambda(("row",), node)] == parse_type(f"{INPUT} -> Dist[3]")


def test_every_member_of_an_average_predicts_the_declared_type():
    left, right = call(FOREST, call(NUMBERS, row)), call(FOREST, call(NUMBERS, row, extra=1))
    types = typed(Lambda(("row",), call(AVERAGE, left, right)), (INPUT,), Dist(4))
    assert types[left] == types[right] == Dist(4)


def test_a_learner_whose_prediction_feeds_another_predicts_the_declared_type():
    class AsTensor(Op):
        name = "as_tensor"

        def infer(self, prediction, **parameters):
            return Tensor(prediction.k)

        def call(self, value, **parameters):
            return value

    inner = call(FOREST, call(NUMBERS, row))
    outer = call(FOREST, call(AsTensor(), inner), call(NUMBERS, row))
    types = typed(Lambda(("row",), outer), (INPUT,), Dist(3))
    assert types[inner] == types[outer] == Dist(3) and types[outer.arguments[0]] == Tensor(3)


def test_open_choices_have_types(words):
    assert infer(Choice("a", "one_of", (1, 2))) == Int
    assert infer(Choice("a", "integer", low=1, high=2)) == Int
    assert infer(Choice("a", "real", low=1, high=2)) == Real
    step = parse("lambda x: add(x, 1)", words)
    assert infer(Choice("a", "repeat", (step,), 1, 3)) == parse_type("Int -> Int")
    assert infer(Call(Choice("a", "optional", (step,)), (1,))) == Int
    grammar = Choice("e", "one_of", (1, call(words["add"], Choice("e", "recurse"), Choice("e", "recurse"))))
    assert infer(grammar) == Int
    with pytest.raises(TypeMismatch):
        infer(Choice("a", "one_of", (1, "a")))
    with pytest.raises(TypeMismatch):
        infer(Choice("a", "repeat", (Lambda(("x",), call(words["pair"], x, x)),), 1, 3))
    bad = Choice("e", "one_of", (1, call(words["shout"], Choice("e", "recurse"))))
    with pytest.raises(TypeMismatch):
        infer(bad)


def test_a_learner_chosen_among_several_predicts_the_declared_type():
    learner = Choice(
        "learner", "one_of", (call(FOREST, call(NUMBERS, row)), call(FOREST, call(NUMBERS, row, extra=1)))
    )
    types = typed(Lambda(("row",), learner), (INPUT,), Real)
    assert all(types[option] == Real for option in learner.options)


def test_a_polymorphic_part_may_have_another_type_at_each_place(words):
    empty = Literal(())
    program = call(words["pair"], call(words["map"], parse("lambda x: add(x, 1)", words), empty), empty)
    assert infer(program, result=parse_type("Pair[List[Int], List[Text]]")).second == List(Text)


def test_holes_have_the_type_they_ask_for(words):
    assert infer(call(words["pair"], Hole("List[a]"), Hole("Int"))) == parse_type("Pair[List[a], Int]")


def test_names_bound_twice_have_their_own_types(words):
    program = Lambda(("x",), Let("x", call(words["length"], x), call(words["add"], x, 1)))
    assert infer(program) == parse_type("List[a] -> Int")


def test_deep_and_shared_programs_are_typed(words):
    program = x
    for _ in range(190):
        program = call(words["add"], program, program)
    assert infer(Lambda(("x",), program), (Int,)) == parse_type("Int -> Int")


@settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_program_has_a_type_or_an_error_that_teaches(words, data):
    program = data.draw(programs(Vocabulary(*words.values(), NUMBERS, FOREST)))
    try:
        found = infer(program)
    except PerennialError as error:
        assert error.what
    else:
        assert infer(program) == found == program.type
