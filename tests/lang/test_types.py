import pickle

import pytest
from hypothesis import given, settings

from perennial.errors import TypeMismatch
from perennial.lang import (
    Arrow,
    Bool,
    Categories,
    Class,
    Date,
    Dict,
    Dist,
    Grid,
    Image,
    Int,
    Labels,
    List,
    Marginals,
    Option,
    Pair,
    Real,
    Record,
    Substitution,
    Tensor,
    Text,
    Type,
    TypeVar,
    coercion_cost,
    fresh,
    instantiate,
    parse_type,
    unify,
)
from perennial.testing.language import belongs, same, types, values_of

a, b, n = TypeVar("a"), TypeVar("b"), TypeVar("n")
quick = settings(max_examples=200, database=None)


@quick
@given(types())
def test_reading_back_a_printed_type_gives_the_same_type(kind):
    assert parse_type(str(kind)) == kind
    assert hash(parse_type(str(kind))) == hash(kind)
    assert pickle.loads(pickle.dumps(kind)) == kind


@quick
@given(types(), types())
def test_unify_is_symmetric_and_its_result_makes_both_sides_equal(left, right):
    try:
        forth = unify(left, right)
    except TypeMismatch:
        with pytest.raises(TypeMismatch):
            unify(right, left)
        return
    back = unify(right, left)
    assert forth.apply(left) == forth.apply(right)
    assert back.apply(left) == back.apply(right)
    # Most general: each result is an instance of the other, that is, they differ by a renaming at most.
    unify(forth.apply(left), instantiate(back.apply(left)))


@quick
@given(types(), types())
def test_applying_a_substitution_twice_changes_nothing_more(left, right):
    try:
        known = unify(left, right)
    except TypeMismatch:
        return
    assert known.apply(known.apply(left)) == known.apply(left)


@quick
@given(types())
def test_a_renamed_type_unifies_with_itself(kind):
    renamed = instantiate(kind)
    assert not set(renamed.variables) & set(kind.variables)
    assert unify(kind, renamed).apply(kind) == unify(kind, renamed).apply(renamed)


@quick
@given(types(variables=False), types(variables=False))
def test_types_without_variables_unify_only_when_equal(left, right):
    if left == right:
        assert unify(left, right) == {}
    else:
        with pytest.raises(TypeMismatch):
            unify(left, right)


def test_types_print_as_the_design_says():
    assert str(Record({"f0002": Categories(3), "f0001": Real})) == "Record{f0001: Real, f0002: Categories[3]}"
    assert str(Tensor(4)) == "Tensor[4]"
    assert str(Arrow(Int, Int, Int)) == "(Int, Int) -> Int"
    assert str(Arrow(Arrow(a, b), List(a), List(b))) == "(a -> b, List[a]) -> List[b]"
    assert str(Arrow(Arrow(a, b), a)) == "(a -> b) -> a"
    assert str(Arrow(Int)) == "() -> Int"
    assert str(Arrow(a, Arrow(b, a))) == "a -> b -> a"
    assert str(Tensor()) == "Tensor"


def test_annotations_may_use_brackets():
    assert List[Int] == List(Int) and Pair[Int, Text] == Pair(Int, Text) and Image[2, 3, 1] == Image(2, 3, 1)


def test_order_of_fields_does_not_matter():
    assert Record({"b": Int, "a": Real}) == Record({"a": Real, "b": Int})
    assert list(Record({"b": Int, "a": Real}).fields) == ["a", "b"]


def test_parts_have_names():
    assert Class(3).k == 3 and Labels(2).m == Marginals(2).m == 2 and Tensor(2, 3).dims == (2, 3)
    assert List(Int).element == Option(Int).element == Int
    assert (Pair(Int, Text).first, Pair(Int, Text).second) == (Int, Text)
    assert (Dict(Int, Text).key, Dict(Int, Text).value) == (Int, Text)
    assert Arrow(Int, Text, Bool).inputs == (Int, Text) and Arrow(Int, Text, Bool).result == Bool
    assert isinstance(Real, Type) and Image(2, 2, 1).axes == ("height", "width", "channels")


def test_types_are_frozen():
    with pytest.raises(AttributeError, match="frozen"):
        Class(3).name = "Dist"
    with pytest.raises(AttributeError, match="frozen"):
        del Int.name


def test_dimensions_unify_like_types():
    known = unify(Arrow(Tensor(n), Dist(n)), Arrow(Tensor(4), Dist(b)))
    assert known.apply(Dist(b)) == Dist(4)
    with pytest.raises(TypeMismatch, match="Expected 4, received 5"):
        unify(Pair(Tensor(4), Tensor(4)), Pair(Tensor(n), Tensor(5)).with_arguments((Tensor(4), Tensor(5))))


def test_a_type_cannot_contain_itself():
    with pytest.raises(TypeMismatch, match="contain itself"):
        unify(a, List(a))
    with pytest.raises(TypeMismatch, match="contain itself"):
        unify(Pair(a, b), Pair(List(b), List(a)))


def test_unify_keeps_what_was_known():
    known = Substitution({a: Int})
    assert unify(List(a), List(b), known).apply(b) == Int
    assert known == {a: Int}
    with pytest.raises(TypeMismatch):
        unify(a, Text, known)


def test_fresh_variables_differ():
    assert len({fresh() for _ in range(100)}) == 100
    assert parse_type(str(fresh("prediction"))).name.startswith("prediction_")


@pytest.mark.parametrize(
    ("source", "target", "cost"),
    [
        (Int, Int, 0),
        (Int, Real, 1),
        (Bool, Int, 1),
        (Class(3), Categories(3), 1),
        (Class(3), Categories(4), None),
        (Real, Int, None),
        (Text, Int, None),
        (List(Bool), List(Int), 1),
        (Int, Option(Real), 2),
        (Pair(Int, Bool), Pair(Real, Int), 2),
        (Record({"a": Int}), Record({"a": Real}), 1),
        (Record({"a": Int, "b": Int}), Record({"a": Int}), None),
        (Image(4, 4, 1), Tensor(4, 4, 1), 1),
        (Tensor(4, 4, 1), Image(4, 4, 1), None),
        (Labels(2), Marginals(2), 1),
        (Date, Real, 1),
        (Grid, Text, None),
        (a, Int, None),
        (List(a), List(a), 0),
    ],
)
def test_coercions_have_a_cost(source, target, cost):
    assert coercion_cost(source, target) == cost


@quick
@given(types(variables=False), types(variables=False))
def test_coercing_there_and_back_is_free_only_for_equal_types(left, right):
    assert coercion_cost(left, left) == 0
    if left != right:
        assert None in (coercion_cost(left, right), coercion_cost(right, left))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "List",
        "List[]",
        "List[Int",
        "List[Int]]",
        "Lst[Int]",
        "Class[-1]",
        "Class[Int]",
        "Class[1, 2]",
        "Int ->",
    ]
    + [
        "(Int, Int)",
        "Record{a Int}",
        "Record{a: Int, a: Int}",
        "Image[2, 2]",
        "List[3]",
        "Int; Int",
        "Tensor[1.5]",
    ]
    + ["List[" * 500 + "Int" + "]" * 500, "é"],
)
def test_text_that_is_no_type_is_refused(text):
    with pytest.raises(TypeMismatch):
        parse_type(text)


def test_the_place_of_a_mistake_is_shown():
    with pytest.raises(TypeMismatch) as error:
        parse_type("(Int, Lst[Int]) -> Int")
    shown, arrow = error.value.where.splitlines()
    assert arrow.index("^") == len("  where: ") + shown.index("Lst")


@pytest.mark.parametrize(
    "build",
    [
        lambda: Class(-1),
        lambda: Class(2.0),
        lambda: Class(True),
        lambda: List(3),
        lambda: Record({"a b": Int}),
    ]
    + [
        lambda: Arrow(),
        lambda: TypeVar("A"),
        lambda: TypeVar("__a"),
        lambda: Image(1, 2),
        lambda: Record({"a": 1}),
    ],
)
def test_impossible_types_are_refused(build):
    with pytest.raises(TypeMismatch):
        build()


@pytest.mark.parametrize(
    "kind",
    [Bool, Int, Real, Text, Date, Grid, Class(3), Categories(2), List(Option(Int)), Pair(Text, Real)],
    ids=str,
)
def test_generated_values_belong_to_their_type(kind):
    @settings(max_examples=50, database=None)
    @given(values_of(kind))
    def check(value):
        assert belongs(value, kind) and same(value, value)

    check()
