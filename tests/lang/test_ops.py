import pickle

import pytest

from perennial.errors import ProgramError, TypeMismatch, UnknownWord
from perennial.lang import (
    Bool,
    Dist,
    FitContext,
    Int,
    Learner,
    List,
    Network,
    Op,
    Parameter,
    Primitive,
    Real,
    State,
    Tensor,
    Text,
    TypeVar,
    Vocabulary,
    parse_type,
    primitive,
)


@primitive
def repeated(
    xs: "List[a]", *, times: int = 2, mode: str = Parameter("wide", options=("wide", "deep"))
) -> "List[a]":
    """The list several times over.

    More about it.
    """
    assert mode == "wide"
    return tuple(xs) * times


class Mean(Learner):
    """Predicts the mean of the training rows."""

    name = "mean"

    def infer(self, *types, **parameters):
        return TypeVar("prediction")

    def fit(self, inputs, target, context, **parameters):
        seen = target[: context.train_rows]
        return State({"mean": sum(seen) / len(seen)})

    def call(self, *inputs, state, **parameters):
        return [state.arrays["mean"]] * len(inputs[0])


def test_a_primitive_knows_its_type_its_doc_and_its_parameters():
    assert isinstance(repeated, Primitive) and isinstance(repeated, Op)
    assert repeated.name == "repeated" and repeated.doc.startswith("The list several times over.")
    assert repeated.signature == parse_type("List[a] -> List[a]")
    assert repeated.parameters["times"] == Parameter(2)
    assert repeated.parameters["mode"].options == ("wide", "deep")
    assert not repeated.fits and not repeated.differentiable


def test_a_primitive_still_works_as_a_function():
    assert repeated((1,)) == (1, 1)
    assert repeated((1,), times=3) == repeated.call((1,), times=3, mode="wide") == (1, 1, 1)
    with pytest.raises(ProgramError, match="no parameter `time`"):
        repeated((1,), time=3)


def test_infer_unifies_and_coerces():
    @primitive
    def both(x: "a", y: "a", scale: Real) -> "List[a]":
        """Two things."""
        return (x, y)

    assert both.infer(Int, Int, Int) == List(Int)
    assert both.infer(Text, Text, Real) == List(Text)
    with pytest.raises(TypeMismatch, match="Expected Int, received Text"):
        both.infer(Int, Text, Real)
    with pytest.raises(TypeMismatch, match="takes 3 arguments, received 1"):
        both.infer(Int)


def test_annotations_may_be_types_python_types_or_text():
    @primitive(name="mixed", cost=2.5, differentiable=True)
    def mixed_(x: int, y: List[Int], f: "(Int, Int) -> Bool", *more: "float") -> bool:
        """Anything."""
        return True

    assert mixed_.signature == parse_type("(Int, List[Int], (Int, Int) -> Bool) -> Bool")
    assert mixed_.rest == Real and (mixed_.name, mixed_.cost, mixed_.differentiable) == ("mixed", 2.5, True)
    assert mixed_.arrow(5).inputs[3:] == (Real, Real)
    with pytest.raises(TypeMismatch, match="takes 3 or more arguments, received 2"):
        mixed_.arrow(2)


def test_annotations_postponed_by_a_future_import_work_too():
    def words(x, y):
        """Words."""
        return x

    words.__annotations__ = {"x": "List[Int]", "y": "'a -> b'", "return": "int"}
    assert primitive(words).signature == parse_type("(List[Int], a -> b) -> Int")


def test_a_trailing_underscore_is_not_part_of_the_name():
    @primitive
    def if_(x: Bool) -> Bool:
        """Condition."""
        return x

    assert if_.name == "if"


def test_a_batch_kernel_is_kept():
    def kernel(columns):
        return columns * 2

    @primitive(batch=kernel)
    def double(x: Real) -> Real:
        """Twice."""
        return 2 * x

    @primitive(batch=True)
    def triple(x: Real) -> Real:
        """Three times."""
        return 3 * x

    assert double.batch is kernel and double.call(2) == 4
    assert triple.batch is triple.function and repeated.batch is None


@pytest.mark.parametrize(
    "function",
    [lambda x: x, lambda x, **options: x],
    ids=["without annotations", "with hidden parameters"],
)
def test_a_function_that_says_too_little_is_refused(function):
    with pytest.raises(ProgramError):
        primitive(function)


def test_a_hyper_parameter_needs_a_default():
    def scaled(x: Real, *, by: float) -> Real:
        return x * by

    with pytest.raises(ProgramError, match="needs a default"):
        primitive(scaled)
    assert primitive(scaled, parameters={"by": Parameter(2.0, low=0.0)})(3.0) == 6.0


def test_primitives_of_a_module_survive_pickling_as_themselves():
    assert pickle.loads(pickle.dumps(repeated)) is repeated


def test_words_of_the_same_class_and_name_are_the_same_word():
    assert Mean() == Mean() and hash(Mean()) == hash(Mean()) and pickle.loads(pickle.dumps(Mean())) == Mean()
    other = Mean()
    other.name = "median"
    assert other != Mean() and repeated != Mean()


def test_a_learner_learns_from_training_rows_only():
    context = FitContext(output=Real, train_rows=2)
    state, values = Mean().fit_call(((1, 1, 1),), (1.0, 3.0, 100.0), context)
    assert values == [2.0, 2.0, 2.0] and state.texts == {}
    assert Mean().fits and context.deadline == float("inf") and context.curve == []


def test_abstract_words_cannot_be_made():
    for kind in (Op, Learner, Network):
        with pytest.raises(TypeError):
            kind()


def test_a_word_without_infer_or_arrow_says_so():
    class Silent(Op):
        name = "silent"

        def call(self, *values, **parameters):
            return values

    with pytest.raises(ProgramError, match="must define `infer` or `arrow`"):
        Silent().infer(Int)


def test_a_network_has_a_recipe_and_fits():
    class Tiny(Network):
        name = "tiny"

        def infer(self, *types, **parameters):
            return Dist(2)

        def build(self, types, output, seed, **parameters):
            return types, output

        def call(self, *inputs, state, **parameters):
            return inputs

    assert Tiny().recipe() == {} and Tiny().fits and Tiny().differentiable
    assert Tiny().build((Tensor(3),), Dist(2), 0) == ((Tensor(3),), Dist(2))


def test_a_vocabulary_is_an_immutable_mapping():
    words = Vocabulary(repeated)
    more = words.with_words(Mean())
    assert list(words) == ["repeated"] and list(more) == ["repeated", "mean"] and len(more) == 2
    assert more["mean"] == Mean() and "mean" in more and "median" not in more and more.get("median") is None
    with pytest.raises(TypeError):
        words["mean"] = Mean()


def test_a_vocabulary_refuses_duplicates_and_suggests_names():
    with pytest.raises(ProgramError, match="defined twice"):
        Vocabulary(repeated).with_words(repeated)
    with pytest.raises(UnknownWord, match="Did you mean `repeated`"):
        Vocabulary(repeated)["repeatd"]
