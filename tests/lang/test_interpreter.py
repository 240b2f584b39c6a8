import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.errors import FuelExhausted, ProgramError, TooLarge
from perennial.lang import (
    Bool,
    Call,
    Choice,
    Hole,
    Int,
    Lambda,
    Learner,
    Let,
    List,
    Literal,
    Pair,
    Real,
    State,
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
from perennial.testing.language import belongs, same, typed_programs, values_of

x, y = Var("x"), Var("y")


class Scale(Learner):
    """Divides by the largest training value."""

    name = "scale"

    def infer(self, *types, **parameters):
        return types[0]

    def fit(self, inputs, target, context, **parameters):
        return State({"largest": max(inputs[0][: context.train_rows])})

    def call(self, xs, *, state, **parameters):
        return tuple(value / state.arrays["largest"] for value in xs)


@settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_typed_programs_run_without_type_errors(words, data):
    environment = {"n": Int, "xs": List(Int), "t": Text, "f": parse_type("Int -> Int")}
    result = data.draw(
        st.sampled_from([Int, Bool, Text, Real, List(Int), Pair(Int, Text), List(Pair(Text, Int))])
    )
    body = data.draw(typed_programs(words, result, environment))
    program = Lambda(tuple(environment), body)
    types = tuple(environment.values())
    assert infer(program, types, result).result == result
    arguments = [data.draw(values_of(kind)) for kind in types]
    try:
        value = evaluate(program, *arguments)
    except (TooLarge, FuelExhausted):
        return
    assert belongs(value, result)
    again = evaluate(parse(to_source(program), words), *arguments)
    assert same(value, again)


@pytest.mark.parametrize(
    ("source", "arguments", "expected"),
    [
        ("lambda xs: fold(add, 0, xs)", ((1, 2, 3),), 6),
        ("lambda xs: fold(add, 0, map(lambda x: add(x, x), xs))", ((1, 2, 3),), 12),
        ("lambda x, y: if_(less(x, y), x, y)", (4, 3), 3),
        ("lambda x: let(add(x, 1), lambda x: add(x, x))", (1,), 4),
        ("lambda x: (lambda f: f(f(x)))(lambda y: add(y, 10))", (1,), 21),
        ("lambda xs: map(lambda x: map(lambda y: add(x, y), xs), xs)", ((1, 2),), ((2, 3), (3, 4))),
        ("lambda xs: map(lambda x: map(lambda x: add(x, 1), xs), xs)", ((1, 2),), ((2, 3), (2, 3))),
        ("lambda t: shout(t, mark='?')", ("ha",), "HA?"),
        ("lambda t: shout(t)", ("ha",), "HA!"),
        ("lambda: add(1, 2)", (), None),
        ("total(1, 2.5, 3)", (), 6.5),
        ("map(length, ((1, 2), (), (3,)))", (), (2, 0, 1)),
    ],
)
def test_programs_compute_what_they_say(words, source, arguments, expected):
    value = evaluate(parse(source, words), *arguments)
    if expected is None:
        assert value() == 3
    else:
        assert value == expected


def test_a_part_is_computed_once_even_inside_a_function(words):
    calls = []

    @primitive
    def costly(n: Int) -> Int:
        """Counts its calls."""
        calls.append(n)
        return n

    xs = Var("xs")
    inner = Lambda(("x",), call(words["add"], call(costly, call(words["length"], xs)), x))
    program = Lambda(
        ("xs",), call(words["pair"], call(words["map"], inner, xs), call(costly, call(words["length"], xs)))
    )
    assert evaluate(program, (1, 2, 3)) == ((4, 5, 6), 3)
    assert calls == [3]


def test_a_let_value_is_computed_once_and_what_depends_on_it_once(words):
    seen = []

    def apply(node, op, values, parameters):
        seen.append(op.name)
        return op.call(*values, **parameters)

    add = words["add"]
    doubled = call(add, y, y)
    program = Lambda(("x",), Let("y", call(add, x, 1), call(add, doubled, doubled)))
    assert evaluate(program, 1, apply=apply) == 8
    assert seen == ["add"] * 3


def test_heavily_shared_programs_run_in_linear_time(words):
    program = x
    for _ in range(100):
        program = call(words["add"], program, program)
    assert evaluate(Lambda(("x",), program), 1, fuel=100) == 2**100 % 2**64


def test_fitted_words_take_their_state_by_node():
    node = call(Scale(), x)
    program = Lambda(("x",), node)
    assert evaluate(program, (1, 2), states={node.hash: State({"largest": 4})}) == (0.25, 0.5)
    with pytest.raises(ProgramError, match="has not been fitted"):
        evaluate(program, (1, 2))


def test_a_fitted_word_used_as_a_value_takes_its_state_too(words):
    node = Word(Scale())
    program = Lambda(("xs",), call(words["map"], node, Var("xs")))
    assert evaluate(program, ((2, 4),), states={node.hash: State({"largest": 2})}) == ((1, 2),)


def test_the_hook_sees_every_word_with_its_parameters_filled_in(words):
    seen = []

    def apply(node, op, values, parameters):
        seen.append((node, op.name, values, parameters))
        return "HOOKED"

    program = call(words["shout"], call(words["shout"], "a", mark="?"))
    assert evaluate(program, apply=apply) == "HOOKED"
    assert seen[0][1:] == ("shout", ("a",), {"mark": "?"}) and seen[0][0] is program.arguments[0]
    assert seen[1][1:] == ("shout", ("HOOKED",), {"mark": "!"}) and seen[1][0] is program


def test_endless_programs_run_out_of_fuel(words):
    again = Lambda(("f",), Call(Var("f"), (Var("f"),)))
    with pytest.raises((FuelExhausted, TooLarge)):
        evaluate(Call(again, (again,)))
    add_all = parse("lambda xs: map(lambda x: fold(add, x, xs), xs)", words)
    with pytest.raises(FuelExhausted, match="more than 1000 steps"):
        evaluate(add_all, tuple(range(1000)), fuel=1000)


def test_values_over_the_bound_stop_the_program():
    @primitive
    def square(n: Int) -> Int:
        """The square."""
        return n * n

    @primitive
    def twice(t: Text) -> Text:
        """The text twice."""
        return t + t

    program = x
    for _ in range(40):
        program = call(square, program)
    with pytest.raises(TooLarge, match="4096 bits"):
        evaluate(Lambda(("x",), program), 3)
    program = x
    for _ in range(40):
        program = call(twice, program)
    with pytest.raises(TooLarge, match="more than the 1000 allowed"):
        evaluate(Lambda(("x",), program), "a", max_size=1000)


def test_deep_programs_run(words):
    program = x
    for _ in range(195):
        program = call(words["add"], program, 1)
    assert evaluate(Lambda(("x",), program), 0) == 195


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Choice("depth", "integer", low=1, high=2), "'depth' is still open"),
        (Hole("Int"), "A hole of type Int is empty"),
        (x, "The variable `x` has no value here"),
        (Call(Lambda(("x",), x), ()), "Expected 1 arguments, received 0"),
    ],
)
def test_a_program_that_cannot_run_says_why_and_where(program, message):
    with pytest.raises(ProgramError, match=message) as error:
        evaluate(program)
    assert "^" in error.value.where


def test_unknown_parameters_and_wrong_arguments_are_errors_with_a_place(words):
    with pytest.raises(ProgramError, match="no parameter `marks`"):
        evaluate(call(words["shout"], "a", marks="?"))
    with pytest.raises(ProgramError, match="Expected 1 arguments, received 2"):
        evaluate(Lambda(("x",), x), 1, 2)
    with pytest.raises(ProgramError, match="Expected a function, received int"):
        evaluate(Call(Literal(3), (1,)))
    with pytest.raises(ProgramError, match="Only words have hyper-parameters"):
        evaluate(Call(Lambda(("x",), x), (1,), {"a": 1}))


def test_a_function_without_arguments_given_is_returned_as_a_callable(words):
    function = evaluate(parse("lambda x: add(x, 1)", words))
    assert function(2) == 3


def test_an_unknown_type_is_still_a_variable():
    assert isinstance(infer(Lambda(("x",), x)).result, TypeVar)


def test_a_word_without_an_answer_stops_the_program_unless_it_is_not_needed():
    from perennial.errors import NoAnswer
    from perennial.primitives import vocabulary

    first = parse("lambda xs: first_item(xs)", vocabulary())
    guarded = parse("lambda xs: if_(less(0, length(xs)), first_item(xs), 7)", vocabulary())
    instead = parse("lambda xs: otherwise(first_item(xs), 8)", vocabulary())
    with pytest.raises(NoAnswer, match="empty"):
        evaluate(first, ())
    assert evaluate(guarded, ()) == 7 and evaluate(guarded, (3,)) == 3
    assert evaluate(instead, ()) == 8 and evaluate(instead, (3,)) == 3


def test_what_is_known_already_is_not_computed_again(words):
    size = call(words["length"], Var("xs"))
    inner = Lambda(("xs",), size)  # where the name means something else
    program = Lambda(("xs", "lists"), call(words["pair"], size, call(words["map"], inner, Var("lists"))))
    values = ((1, 2, 3), ((4,), ()))
    assert evaluate(program, *values) == (3, (1, 0))
    assert evaluate(program, *values, known={size: 100}) == (100, (1, 0))
