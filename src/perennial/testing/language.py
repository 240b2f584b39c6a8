"""Contract of words, and generators of types, values and programs for property tests (hypothesis).

`check_primitive(op, examples)` holds every primitive word to its promises. The generators make arbitrary
types (`types`), values of a type (`values_of`), arbitrary programs (`programs`) and well-typed ones
(`typed_programs`).
"""

from __future__ import annotations

import copy
import math
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.errors import NoAnswer, TypeMismatch
from perennial.lang import ops, program
from perennial.lang import types as kinds
from perennial.lang.program import Call, Choice, Hole, Lambda, Let, Literal, Program, Var, Word
from perennial.lang.types import Arrow, Bool, Date, Grid, Int, Real, Substitution, Text, Type, TypeVar

GROUND = (Int, Text, kinds.List(Int), Real)
LARGEST_RESULT = 1_000_000
LONGEST_CALL = 2.0  # seconds; generous, since test machines are busy


def check_primitive(
    op: ops.Primitive, examples: Iterable[tuple[tuple, Any]] = (), *, tries: int = 60, rest: int = 2
) -> None:
    """Hold a primitive word to its promises.

    It is documented, its examples come out, and on generated values of its argument types it is total (it may
    raise `NoAnswer`, nothing else), deterministic, quick, bounded in size, leaves its arguments alone and
    returns what its type declares. An expected result that is the class `NoAnswer` says that it has none there.

    Args:
        op: the word.
        examples: `(arguments, expected result)` pairs, at least one for a word that does something.
        tries: how many generated argument lists per assignment of its type variables.
        rest: how many extra arguments to give a word that takes any number.

    Raises:
        AssertionError: with a sentence, when a promise is broken.
    """
    assert op.doc.strip(), (
        f"`{op.name}` has no docstring; its first line is shown to people who read programs."
    )
    for arguments, expected in examples:
        received = _answer(op, copy.deepcopy(arguments))
        assert received is expected or same(received, expected), (
            f"{op.name}{arguments} should give {expected!r}, it gives {received!r}."
        )
    arrow = op.arrow(len(op.signature.inputs) + (rest if op.rest is not None else 0))
    for shift in range(len(GROUND) if arrow.variables else 1):
        assigned = {
            variable: GROUND[(shift + place) % len(GROUND)] for place, variable in enumerate(arrow.variables)
        }
        _check_on_values(op, Substitution(assigned).apply(arrow), tries)


def _check_on_values(op: ops.Primitive, arrow: Arrow, tries: int) -> None:
    @settings(
        max_examples=tries,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*map(values_of, arrow.inputs)))
    def check(arguments: tuple) -> None:
        called = f"{op.name}{arguments!r}"[:300]
        before = copy.deepcopy(arguments)
        start = time.perf_counter()
        try:
            result = _answer(op, arguments)
        except Exception as error:
            raise AssertionError(
                f"{called} raises {type(error).__name__}: {error}; words are total."
            ) from error
        seconds = time.perf_counter() - start
        assert seconds < LONGEST_CALL, f"{called} took {seconds:.1f} s; words are bounded."
        assert same(arguments, before), f"{called} changed its arguments."
        if result is NoAnswer:
            assert _answer(op, arguments) is NoAnswer, f"{called} has no answer, then one."
            return
        assert belongs(result, arrow.result), f"{called} gives {result!r}, which is no {arrow.result}."
        assert extent(result) <= LARGEST_RESULT, (
            f"{called} gives a value of {extent(result)} parts; bound it."
        )
        if not callable(result):
            again = op.call(*arguments, **op.complete({}))
            assert same(result, again), f"{called} gives {result!r}, then {again!r}; words are deterministic."

    check()


def _answer(op: ops.Primitive, arguments: tuple) -> Any:
    """What the word gives, or the class `NoAnswer` when it raises that."""
    try:
        return op.call(*arguments, **op.complete({}))
    except NoAnswer:
        return NoAnswer


def same(left: Any, right: Any) -> bool:
    """Equality of values in which NaN equals NaN, 1 differs from True, and functions equal themselves."""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def extent(value: Any) -> int:
    """How many scalars, characters and 64-bit digits a value is made of."""
    if isinstance(value, (list, tuple)):
        return 1 + sum(map(extent, value))
    if isinstance(value, dict):
        return 1 + sum(extent(key) + extent(item) for key, item in value.items())
    if isinstance(value, int):
        return 1 + value.bit_length() // 64
    return max(1, len(value)) if isinstance(value, str) else 1


def belongs(value: Any, kind: Type) -> bool:
    """Whether a Python value is a value of the type (arrays and graphs are not looked at).

    >>> belongs((1, 2), kinds.List(Int)), belongs(True, Int), belongs(2, Real)
    (True, False, True)
    """
    if isinstance(kind, kinds.Basic):
        return _belongs_to_basic(value, kind)
    if isinstance(kind, kinds.Class):
        return _is_whole(value) and 0 <= value < kind.k
    if isinstance(kind, kinds.Categories):
        return _is_whole(value) and -2 <= value < kind.k
    if isinstance(kind, kinds.List):
        return isinstance(value, (list, tuple)) and all(belongs(item, kind.element) for item in value)
    if isinstance(kind, kinds.Pair):
        return isinstance(value, tuple) and len(value) == 2 and all(map(belongs, value, kind.arguments))
    if isinstance(kind, kinds.Option):
        return value is None or belongs(value, kind.element)
    if isinstance(kind, kinds.Dict):
        pairs = value.items() if isinstance(value, dict) else [(None, None)]
        return isinstance(value, dict) and all(
            belongs(k, kind.key) and belongs(v, kind.value) for k, v in pairs
        )
    if isinstance(kind, kinds.Record):
        same_fields = isinstance(value, dict) and value.keys() == kind.fields.keys()
        return same_fields and all(belongs(value[name], part) for name, part in kind.fields.items())
    if isinstance(kind, Arrow):
        return callable(value)
    return True


def _belongs_to_basic(value: Any, kind: Type) -> bool:
    if kind in (Real, Date):
        return isinstance(value, float) or _is_whole(value)
    if kind == Grid:
        rows = value if isinstance(value, (list, tuple)) else None
        return (
            rows is not None
            and len({len(row) for row in rows}) <= 1
            and all(_is_whole(x) for row in rows for x in row)
        )
    return _is_whole(value) if kind == Int else isinstance(value, {Bool: bool, Text: str}[kind])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def values_of(kind: Type) -> st.SearchStrategy:
    """Values of a ground type, awkward ones included: NaN, huge numbers, empty lists, strange letters.

    Raises:
        TypeMismatch: for types whose values are arrays.
    """
    whole = st.integers(-20, 20) | st.integers(-(2**70), 2**70)
    basic = {
        Bool: st.booleans(),
        Int: whole,
        Real: st.floats(allow_infinity=False) | st.integers(-20, 20).map(float),
        Text: st.text(max_size=12),
        Date: st.floats(-1e10, 1e10) | st.just(math.nan),
        Grid: st.integers(1, 5).flatmap(_grids),
    }
    if kind in basic:
        return basic[kind]
    if isinstance(kind, kinds.Class):
        return st.integers(0, kind.k - 1)
    if isinstance(kind, kinds.Categories):
        return st.integers(-2, kind.k - 1)
    if isinstance(kind, kinds.List):
        return st.lists(values_of(kind.element), max_size=8).map(tuple)
    if isinstance(kind, kinds.Pair):
        return st.tuples(*map(values_of, kind.arguments))
    if isinstance(kind, kinds.Graph):
        number = st.integers(-1, 8)
        return st.tuples(values_of(kinds.List(kind.node)), st.lists(st.tuples(number, number)).map(tuple))
    if isinstance(kind, kinds.Option):
        return st.none() | values_of(kind.element)
    if isinstance(kind, kinds.Dict):
        return st.dictionaries(values_of(kind.key), values_of(kind.value), max_size=5)
    if isinstance(kind, kinds.Record):
        return st.fixed_dictionaries({name: values_of(part) for name, part in kind.fields.items()})
    if isinstance(kind, Arrow):
        return st.lists(values_of(kind.result), min_size=1, max_size=4).map(_table_function)
    raise TypeMismatch(
        f"There is no generator of values for {kind}.", todo="Test this word with arrays of your own."
    )


def _grids(width: int) -> st.SearchStrategy:
    row = st.lists(st.integers(0, 9), min_size=width, max_size=width).map(tuple)
    return st.lists(row, min_size=1, max_size=5).map(tuple)


def _table_function(results: Sequence[Any]) -> Callable:
    """A pure function that looks arbitrary: it picks a result by a checksum of its arguments."""

    def arbitrary(*arguments: Any) -> Any:
        return results[zlib.crc32(repr(arguments).encode("utf-8", "surrogatepass")) % len(results)]

    return arbitrary


def types(variables: bool = True) -> st.SearchStrategy:
    """Arbitrary types, with type and dimension variables unless told otherwise."""
    counts = st.integers(0, 40)
    dims = counts | st.sampled_from([TypeVar("n"), TypeVar("m")]) if variables else counts
    leaves = st.sampled_from([Bool, Int, Real, Text, Date, Grid])
    if variables:
        leaves |= st.sampled_from([TypeVar("a"), TypeVar("b"), TypeVar("c")])
    counted = (kinds.Class, kinds.Categories, kinds.Dist, kinds.Labels, kinds.Marginals)
    leaves |= st.builds(lambda kind, dim: kind(dim), st.sampled_from(counted), dims)
    leaves |= st.lists(dims, max_size=3).map(lambda found: kinds.Tensor(*found))
    leaves |= (
        st.builds(kinds.Image, dims, dims, dims)
        | st.builds(kinds.Series, dims, dims)
        | st.builds(kinds.Sound, dims)
    )
    names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(kinds.List, inner),
            st.builds(kinds.Option, inner),
            st.builds(kinds.Graph, inner),
            st.builds(kinds.Pair, inner, inner),
            st.builds(kinds.Dict, inner, inner),
            st.dictionaries(names, inner, max_size=3).map(kinds.Record),
            st.lists(inner, min_size=1, max_size=4).map(lambda parts: Arrow(*parts)),
        ),
        max_leaves=8,
    )


_NAMES = st.sampled_from(["x", "y", "xs", "row", "if_", "Total2"])
_LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)


def programs(vocabulary: Mapping[str, ops.Op]) -> st.SearchStrategy:
    """Arbitrary well-formed programs, mostly ill-typed: for printing, hashing and pickling."""
    words = st.sampled_from(list(vocabulary.values()))
    labels = st.text(min_size=1, max_size=6)
    leaves = st.one_of(
        st.builds(Var, _NAMES),
        st.builds(Literal, _LITERALS),
        st.builds(Word, words),
        st.builds(Hole, types()),
        st.builds(lambda label: Choice(label, "recurse"), labels),
        st.builds(
            lambda label, low: Choice(label, "integer", low=low, high=low + 5, default=low),
            labels,
            st.integers(),
        ),
        st.builds(
            lambda label, log: Choice(label, "real", low=0.5, high=2.0, log=log, regularises=1),
            labels,
            st.booleans(),
        ),
    )
    parameters = st.dictionaries(
        st.sampled_from(["width", "rate", "let"]), st.builds(Literal, _LITERALS), max_size=2
    )
    binders = st.lists(_NAMES, unique=True, max_size=3)
    arbitrary = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Call, words | inner, st.lists(inner, max_size=3), parameters | st.just({})),
            st.builds(Call, words, st.tuples(inner, inner).map(lambda pair: (*pair, pair[0]))),
            st.builds(Lambda, binders, inner),
            st.builds(Let, _NAMES, inner, inner),
            st.builds(
                lambda label, options: Choice(label, "one_of", options),
                labels,
                st.lists(inner, min_size=1, max_size=3),
            ),
            st.builds(
                lambda label, body, low: Choice(label, "repeat", (body,), low, 9),
                labels,
                inner,
                st.integers(0, 9),
            ),
            st.builds(
                lambda label, body, on: Choice(label, "optional", (body,), default=on),
                labels,
                inner,
                st.booleans(),
            ),
        ),
        max_leaves=15,
    )

    @st.composite
    def arbitrary_program(draw: Any) -> Program:  # a short repr; hypothesis warns of long ones
        return draw(arbitrary)

    return arbitrary_program()


@st.composite
def typed_programs(
    draw: Any,
    vocabulary: Mapping[str, ops.Primitive],
    result: Type,
    environment: Mapping[str, Type],
    depth: int = 4,
) -> Program:
    """Programs of a ground result type whose free variables are those of the environment."""
    names = [name for name, kind in environment.items() if kind == result]
    if isinstance(result, Arrow):
        arguments = {f"v{len(environment) + place}": kind for place, kind in enumerate(result.inputs)}
        body = draw(typed_programs(vocabulary, result.result, {**environment, **arguments}, depth - 1))
        return Lambda(tuple(arguments), body)
    ways = ["literal"] + ["variable"] * (2 if names else 0)
    fitting = [(op, arrow) for op in vocabulary.values() if (arrow := _giving(op, result)) is not None]
    ways += ["word"] * 4 + ["let"] if depth > 0 and fitting else []
    way = draw(st.sampled_from(ways))
    if way == "variable":
        return Var(draw(st.sampled_from(names)))
    if way == "literal":
        return Literal(draw(values_of(result)))
    if way == "let":
        kind, name = draw(st.sampled_from([Int, Text, Real])), f"v{len(environment)}"
        value = draw(typed_programs(vocabulary, kind, environment, depth - 1))
        return Let(
            name, value, draw(typed_programs(vocabulary, result, {**environment, name: kind}, depth - 1))
        )
    op, arrow = draw(st.sampled_from(fitting))
    assigned = Substitution({variable: draw(st.sampled_from(GROUND)) for variable in arrow.variables})
    inputs = assigned.apply(arrow).inputs
    return program.call(
        op, *[draw(typed_programs(vocabulary, kind, environment, depth - 1)) for kind in inputs]
    )


def _giving(op: ops.Primitive, result: Type) -> Arrow | None:
    arrow = kinds.instantiate(op.signature)
    try:
        return kinds.unify(arrow.result, result).apply(arrow)
    except TypeMismatch:
        return None
