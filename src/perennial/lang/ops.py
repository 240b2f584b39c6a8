"""Words of the language: typed, named functions that programs are made of.

`Primitive` is made from an annotated function; a `Learner` fits itself from columns and remembers a `State`;
a `Network` builds a Keras model that a trainer fits. All that an author of a new word needs is on this page.

>>> @primitive
... def double(x: Int) -> Int:
...     "Twice the number."
...     return 2 * x
>>> double(4), double.infer(Int), double.doc
(8, Int, 'Twice the number.')
"""

from __future__ import annotations

import difflib
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from perennial.errors import ProgramError, TypeMismatch, UnknownWord
from perennial.lang.types import (
    Arrow,
    Bool,
    Int,
    Real,
    Substitution,
    Text,
    Type,
    TypeVar,
    coercion_cost,
    instantiate,
    parse_type,
)

Array = Any  # a NumPy array; this floor stands on the standard library alone


@dataclass(frozen=True)
class Parameter:
    """A hyper-parameter of a word.

    Args:
        default: what we would choose ourselves.
        low: smallest allowed number, inclusive; None when unbounded or not a number.
        high: largest allowed number, inclusive.
        options: allowed values when they are few.
        log: whether steps should be even on a log scale.
        doc: one sentence on what it changes.
    """

    default: Any
    low: float | None = None
    high: float | None = None
    options: tuple = ()
    log: bool = False
    doc: str = ""


@dataclass(frozen=True, eq=False)
class State:
    """What a fitted word remembers: arrays (kept as safetensors) and texts (kept beside them), never code."""

    arrays: Mapping[str, Array] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FitContext:
    """Everything a fitting word may know besides its inputs and the target.

    Args:
        output: type that this word must predict: `Dist[k]`, `Real`, `Tensor[m]` or `Marginals[m]`; for a word
            whose type does not depend on what is asked (a scaler), its own result type.
        train_rows: how many rows, counted from the first, may be learnt from; the rest may only be used to
            stop early.
        seed: the one source of randomness, 0 to 2**31 - 1.
        deadline: `time.monotonic()` value by which `fit` must have returned what it has; may be infinite.
        threads: how many threads it may use.
        fidelity: share of epochs or rounds to spend, 0 to 1.
        types: types of the inputs.
        curve: the word appends `{"step": int, "train": float, "validation": float}` as it learns.
        sample_weight: one weight per row (all rows), or None.
        wanted: the rows whose predictions are asked for, as positions; `None` is all of them.
        node: hash of the program node that is fitted.
        initial: weights to start from, by the hash of the node; a node without any starts fresh.
        resume: checkpoints of training to go on from, by the hash of the node.
        checkpoints: when a dictionary, a trainer leaves its checkpoint there, by the hash of the node.
    """

    output: Type
    train_rows: int
    seed: int = 0
    deadline: float = math.inf
    threads: int = 1
    fidelity: float = 1.0
    types: tuple[Type, ...] = ()
    curve: list = field(default_factory=list)
    sample_weight: Array | None = None
    wanted: Array | None = None
    node: str = ""
    initial: Mapping[str, State] = field(default_factory=dict)
    resume: Mapping[str, State] = field(default_factory=dict)
    checkpoints: dict[str, State] | None = None


class Op(ABC):
    """A typed, named function. Subclasses give `name`, `call` and either `infer` or `arrow`.

    Promises of every word: `call` does not change its arguments; with equal arguments (and seed) it returns
    equal values; it is total on the types it accepts; two words of the same class and name are the same word.
    """

    name: str
    doc: str = ""
    parameters: Mapping[str, Parameter] = MappingProxyType({})
    cost: float = 1.0
    differentiable: bool = False
    fits: bool = False
    lenient: bool = False  # an argument without an answer is handed in as the `NoAnswer` that was raised

    @abstractmethod
    def call(self, *values: Any, **parameters: Any) -> Any:
        """The result for these values; every declared parameter is passed, defaults filled in."""

    def arrow(self, count: int) -> Arrow | None:
        """The (polymorphic) type when called with `count` arguments, or None when `infer` must compute it.

        A word that gives its arrow is inferred in both directions: what is known about its result tells its
        arguments.

        Raises:
            TypeMismatch: when it takes another number of arguments.
        """
        return None

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """The type of the result for arguments of these types.

        May return `TypeVar("prediction")` (any name that starts so) for "whatever is asked here": a learner's
        result type is what the program around it, or at last its declared result, needs.

        Raises:
            TypeMismatch: when the word does not accept these types.
        """
        arrow = self.arrow(len(types))
        if arrow is None:
            raise ProgramError(f"The word `{self.name}` must define `infer` or `arrow`, it defines neither.")
        arrow = instantiate(arrow)
        known = Substitution()
        for wanted, received in zip(arrow.inputs, types, strict=True):
            accept(wanted, received, known)
        return known.apply(arrow.result)

    def complete(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The given parameters with every missing one set to its default.

        Raises:
            ProgramError: when a name is not one of the word's parameters.
        """
        for name in parameters:
            if name not in self.parameters:
                close = difflib.get_close_matches(name, self.parameters, 1)
                raise ProgramError(
                    f"The word `{self.name}` has no parameter `{name}`; "
                    f"it has {', '.join(self.parameters) or 'none'}.",
                    todo=f"Did you mean `{close[0]}`?" if close else "",
                )
        return {name: parameter.default for name, parameter in self.parameters.items()} | dict(parameters)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.name == other.name  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return self.name


def accept(wanted: Type, received: Type, known: Substitution) -> None:
    """Make `received` fit where `wanted` is asked for, in place: equal if they can be, else by a coercion.

    Raises:
        TypeMismatch: when neither works.
    """
    attempt = Substitution(known)
    try:
        attempt.join(wanted, received)
    except TypeMismatch as error:
        wanted, received = known.apply(wanted), known.apply(received)
        if coercion_cost(received, wanted) is not None:
            return
        if isinstance(wanted, TypeVar) or isinstance(received, TypeVar):
            raise error  # the type would have to contain itself
        raise TypeMismatch(f"Expected {wanted}, received {received}.") from None
    known.update(attempt)


_PYTHON_TYPES = {bool: Bool, int: Int, float: Real, str: Text}
_PYTHON_NAMES = {kind.__name__: type_ for kind, type_ in _PYTHON_TYPES.items()}


def _annotated(annotation: Any, of: str) -> Type:
    if isinstance(annotation, Type):
        return annotation
    if isinstance(annotation, type) and annotation in _PYTHON_TYPES:
        return _PYTHON_TYPES[annotation]
    if isinstance(annotation, str):
        text = annotation.strip().strip("\"'")
        return _PYTHON_NAMES.get(text) or parse_type(text)
    raise TypeMismatch(
        f"{of} needs a perennial type as annotation, received {annotation!r}.",
        todo='Write e.g. `x: "List[a]"`.',
    )


class Primitive(Op):
    """A word made from a plain Python function; calling it calls the function.

    Args:
        function: total and deterministic; positional arguments are values, keyword-only arguments
            hyper-parameters. A last argument `*more` takes any number of values of one type.
        name: the word's name; that of the function (without a closing `_`) by default.
        batch: True when the function works on whole batches already, or another function that does.
        parameters: ranges of hyper-parameters; those not named take the default of the function.
        cost: relative price of one call.
        differentiable: whether gradients may flow through it.
    """

    def __init__(
        self,
        function: Callable,
        *,
        name: str | None = None,
        batch: Callable | bool | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        cost: float = 1.0,
        differentiable: bool = False,
        lenient: bool = False,
    ) -> None:
        self.function, self.lenient = function, lenient
        self.name = name or function.__name__.rstrip("_")
        self.doc = inspect.getdoc(function) or ""
        self.batch = function if batch is True else (batch or None)
        self.cost, self.differentiable = cost, differentiable
        self.__module__, self.__qualname__, self.__doc__ = (
            function.__module__,
            function.__qualname__,
            function.__doc__,
        )
        self._read_signature(dict(parameters or {}))

    def _read_signature(self, parameters: dict[str, Parameter]) -> None:
        signature = inspect.signature(self.function)
        inputs, self.rest = [], None
        for argument in signature.parameters.values():
            where = f"Argument `{argument.name}` of `{self.name}`"
            if argument.kind is argument.KEYWORD_ONLY:
                default = argument.default
                if default is argument.empty and argument.name not in parameters:
                    raise ProgramError(f"{where} is a hyper-parameter and needs a default.")
                if default is not argument.empty:
                    parameters.setdefault(
                        argument.name, default if isinstance(default, Parameter) else Parameter(default)
                    )
            elif argument.kind is argument.VAR_POSITIONAL:
                self.rest = _annotated(argument.annotation, where)
            elif argument.kind is argument.VAR_KEYWORD:
                raise ProgramError(f"{where} hides hyper-parameters; name each one.")
            else:
                inputs.append(_annotated(argument.annotation, where))
        self.signature = Arrow(
            *inputs, _annotated(signature.return_annotation, f"The result of `{self.name}`")
        )
        self.parameters = MappingProxyType(parameters)

    def arrow(self, count: int) -> Arrow:
        """Its declared type, with the last argument repeated when it takes any number of values."""
        extra = count - len(self.signature.inputs)
        if extra < 0 or (extra and self.rest is None):
            needed = f"{len(self.signature.inputs)}{' or more' if self.rest is not None else ''}"
            raise TypeMismatch(
                f"`{self.name}` takes {needed} arguments, received {count}.", where=str(self.signature)
            )
        return Arrow(*self.signature.inputs, *[self.rest] * extra, self.signature.result)

    def call(self, *values: Any, **parameters: Any) -> Any:
        """What the function returns."""
        return self.function(*values, **parameters)

    def __call__(self, *values: Any, **parameters: Any) -> Any:
        return self.function(*values, **self.complete(parameters))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Primitive) and (self.name, self.function) == (other.name, other.function)

    def __hash__(self) -> int:
        return hash((self.name, self.function))

    def __reduce__(self) -> str:
        return self.__qualname__


def primitive(function: Callable | None = None, **options: Any) -> Any:
    """Make a word from an annotated function: `@primitive` or `@primitive(batch=True, cost=2.0)`.

    Annotations are perennial types (`x: List[Int]`) or their text (`f: "a -> b"`); options as in `Primitive`.

    >>> @primitive
    ... def first(xs: "List[a]", *, default: int = 0) -> "a":
    ...     return xs[0] if xs else default
    >>> first.signature, first.parameters["default"].default
    (List[a] -> a, 0)
    """
    if function is None:
        return lambda given: Primitive(given, **options)
    return Primitive(function, **options)


class Learner(Op):
    """A word that fits itself from columns and keeps what it learnt in a `State`.

    Rows convention: inputs and target hold the training rows first, then the validation rows, and
    `context.train_rows` says how many are training rows. Only those may be learnt from. `keeps_rows` says whether the
    state holds rows that it has learnt from, which matters to who gives it away.
    """

    fits = True
    keeps_rows = False

    @abstractmethod
    def fit(self, inputs: tuple, target: Any, context: FitContext, **parameters: Any) -> State:
        """What was learnt from the first `context.train_rows` rows, at the latest at `context.deadline`."""

    @abstractmethod
    def call(self, *inputs: Any, state: State, **parameters: Any) -> Any:
        """The values for all rows, from what was learnt."""

    def fit_call(
        self, inputs: tuple, target: Any, context: FitContext, **parameters: Any
    ) -> tuple[State, Any]:
        """Fit, and the values for all rows; override when training rows need out-of-fold values."""
        state = self.fit(inputs, target, context, **parameters)
        return state, self.call(*inputs, state=state, **parameters)


class Network(Op):
    """A word that is a Keras model; a trainer fits it, together with the other networks of the program."""

    fits = True
    differentiable = True

    @abstractmethod
    def build(self, types: tuple[Type, ...], output: Type, seed: int, **parameters: Any) -> Any:
        """A Keras model for inputs of these types, its weights initialised with NumPy from the seed."""

    @abstractmethod
    def call(self, *inputs: Any, state: State, **parameters: Any) -> Any:
        """The values for all rows, from trained weights, on any Keras backend."""

    def recipe(self, **parameters: Any) -> dict[str, Any]:
        """Training settings (epochs, learning rate, schedule, loss …) under these parameters."""
        return {}


@dataclass(frozen=True)
class Cost:
    """What one example costs in one forward pass of a layer.

    Args:
        parameters: numbers that are stored, learnt or not.
        flops: additions and multiplications.
        activations: numbers that the layer gives.
    """

    parameters: float = 0.0
    flops: float = 0.0
    activations: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.flops + other.flops,
            self.activations + other.activations,
        )


class Layer(Op):
    """A word that is one plain Keras layer; it computes inside a network, with its neighbours.

    Only the outermost layer of a network, its head, is fitted as a word; the others are trained with it.
    """

    differentiable = True

    @abstractmethod
    def build(self, types: tuple[Type, ...], output: Type, name: str, **parameters: Any) -> Any:
        """The Keras layer for inputs of these types, not built yet; `output` is what the network predicts."""

    @abstractmethod
    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """How many numbers it stores, and how many operations one example takes."""

    def forward(self, layer: Any, inputs: tuple, drop: Callable | None) -> Any:
        """The layer's value on tensors of the default backend; `drop(values, share)` leaves out units.

        Without `drop` it is an evaluation. Override where a plain function is faster than Keras's way.
        """
        return layer.call(*inputs)

    def draw(self, name: str, shape: tuple, generator: Any) -> Array | None:
        """First values of one of its variables, drawn by NumPy's generator; `None` leaves what Keras says."""
        return None

    def connect(self, layer: Any, inputs: list) -> Any:
        """The layer put onto the symbolic values of a functional model."""
        return layer(inputs[0]) if len(inputs) == 1 else layer(inputs)

    def cost(self, *types: Type, **parameters: Any) -> Cost:
        """What one example costs, from types alone; of a head as if it gave one number."""
        return self.measured(types, self.infer(*types, **parameters), **parameters)

    def measured(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> Cost:
        """The same when the type of the result is known."""
        stored, operations = self.count(types, result, **parameters)
        sizes = [size for size in result.arguments if isinstance(size, int)]
        return Cost(stored, operations, float(math.prod(sizes)))

    def call(self, *inputs: Any, **parameters: Any) -> Any:
        """Raises ProgramError: outside a network a layer has no weights."""
        raise ProgramError(
            f"`{self.name}` is a layer and computes only inside a network.",
            todo="Put `head(…)` around the layers.",
        )


class Vocabulary(Mapping[str, Op]):
    """Words by name; immutable.

    >>> @primitive
    ... def negate(x: Real) -> Real:
    ...     return -x
    >>> Vocabulary(negate)["negat"]
    Traceback (most recent call last):
    perennial.errors.UnknownWord: There is no word `negat`.
      to do: Did you mean `negate`?
    """

    def __init__(self, *ops: Op) -> None:
        words: dict[str, Op] = {}
        for op in ops:
            if op.name in words:
                raise ProgramError(
                    f"The word `{op.name}` is defined twice in one vocabulary.",
                    why="A program names its words, so each name must mean one word.",
                    todo="Rename one of them.",
                )
            words[op.name] = op
        self._words = words

    def with_words(self, *ops: Op) -> Vocabulary:
        """A vocabulary with these words added.

        Raises:
            ProgramError: when a name is taken.
        """
        return Vocabulary(*self._words.values(), *ops)

    def __getitem__(self, name: str) -> Op:
        try:
            return self._words[name]
        except KeyError:
            raise unknown_word(name, self._words) from None

    def __contains__(self, name: object) -> bool:
        return name in self._words

    def get(self, name: str, default: Any = None) -> Any:
        """The word, or the default when there is none."""
        return self._words.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def __repr__(self) -> str:
        return f"Vocabulary({', '.join(self._words)})"


def unknown_word(name: str, known: Mapping[str, Any], where: str = "") -> UnknownWord:
    """The error for a name that is no word, with the nearest word as a suggestion."""
    close = difflib.get_close_matches(str(name), known, 1)
    todo = f"Did you mean `{close[0]}`?" if close else f"The words are: {', '.join(sorted(known)[:20])} …"
    return UnknownWord(f"There is no word `{name}`.", where=where, todo=todo)
