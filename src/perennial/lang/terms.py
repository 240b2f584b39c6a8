"""The types of values: frozen terms of a name, arguments (types or dimensions) and, in a record, names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from perennial.errors import TypeMismatch

VARIABLE_NAME = re.compile(r"[a-z][A-Za-z0-9_]*")
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Type:
    """What a value is; the base of every type.

    Attributes:
        name: the constructor, `"List"` in `List[Int]`.
        arguments: types and dimensions inside, in order.
        labels: field names of a `Record`, in the order of `arguments`; empty for all others.
    """

    __slots__ = ("_hash", "arguments", "labels", "name")

    name: str
    arguments: tuple
    labels: tuple[str, ...]

    def __init__(self, name: str, arguments: tuple = (), labels: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "arguments", arguments)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_hash", hash((name, arguments, labels)))

    def __class_getitem__(cls, arguments):
        """`List[Int]` is `List(Int)`, so that annotations read like printed types."""
        return cls(*arguments) if isinstance(arguments, tuple) else cls(arguments)

    def __setattr__(self, attribute: str, value: object = None) -> None:
        raise AttributeError(
            f"{type(self).__name__} is frozen; build a new type instead of setting `{attribute}`."
        )

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Type)
            and self._hash == other._hash
            and type(self) is type(other)
            and (self.name, self.arguments, self.labels) == (other.name, other.arguments, other.labels)
        )

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self):
        return _make, (type(self), self.name, self.arguments, self.labels)

    def __repr__(self) -> str:
        if not self.arguments:
            return self.name
        return f"{self.name}[{', '.join(map(str, self.arguments))}]"

    __str__ = __repr__

    @property
    def variables(self) -> tuple[TypeVar, ...]:
        """Type and dimension variables inside, in order of appearance, each once."""
        return tuple(dict.fromkeys(variables_in(self)))

    def with_arguments(self, arguments: tuple) -> Type:
        """The same constructor around other arguments."""
        return _make(type(self), self.name, tuple(arguments), self.labels)


def _make(kind: type[Type], name: str, arguments: tuple, labels: tuple[str, ...]) -> Type:
    made = kind.__new__(kind)
    Type.__init__(made, name, arguments, labels)
    return made


def variables_in(term: object) -> Iterator[TypeVar]:
    """Variables inside a type or dimension, in order, repeated as they occur."""
    if isinstance(term, TypeVar):
        yield term
    elif isinstance(term, Type):
        for argument in term.arguments:
            yield from variables_in(argument)


def _dimension(value: object, of: str) -> int | TypeVar:
    if isinstance(value, TypeVar) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise TypeMismatch(f"A dimension of {of} is a whole number ≥ 0 or a TypeVar, received {value!r}.")


def _type(value: object, of: str) -> Type:
    if isinstance(value, Type):
        return value
    raise TypeMismatch(
        f"{of} holds types, received {value!r}.", todo='Write List(Int), or parse_type("List[Int]") for text.'
    )


class TypeVar(Type):
    """An unknown type or dimension; its name starts with a small letter.

    >>> List(TypeVar("a"))
    List[a]
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        if not VARIABLE_NAME.fullmatch(name):
            raise TypeMismatch(f"A type variable is named like `a` or `width`, received {name!r}.")
        super().__init__(name)


Dim = int | TypeVar
"""A dimension: a number of levels, pixels, samples …, or a variable for one."""


class Basic(Type):
    """A type without arguments: `Bool Int Real Text Date Grid`."""

    __slots__ = ()


Bool = Basic("Bool")
Int = Basic("Int")
Real = Basic("Real")
Text = Basic("Text")
Date = Basic("Date")
Grid = Basic("Grid")


class _Counted(Type):
    """A type with one dimension."""

    __slots__ = ()

    def __init__(self, k: int | TypeVar) -> None:
        name = type(self).__name__
        super().__init__(name, (_dimension(k, name),))

    @property
    def k(self) -> int | TypeVar:
        """How many classes, levels or labels."""
        return self.arguments[0]


class Class(_Counted):
    """One of `k` classes: the target of a classification."""

    __slots__ = ()


class Categories(_Counted):
    """A category with `k` known levels; may be missing (-1) or unseen (-2)."""

    __slots__ = ()


class Dist(_Counted):
    """Probabilities of `k` classes, summing to 1: the prediction for a `Class[k]`."""

    __slots__ = ()


class Labels(_Counted):
    """`m` yes/no labels at once: the target of a multi-label task."""

    __slots__ = ()

    m = _Counted.k


class Marginals(_Counted):
    """`m` probabilities that need not sum to 1: the prediction for `Labels[m]`."""

    __slots__ = ()

    m = _Counted.k


class List(Type):
    """Any number of values of one type."""

    __slots__ = ()

    def __init__(self, element: Type) -> None:
        super().__init__("List", (_type(element, "List"),))

    @property
    def element(self) -> Type:
        """Type of every element."""
        return self.arguments[0]


class Option(Type):
    """A value or None."""

    __slots__ = ()

    def __init__(self, element: Type) -> None:
        super().__init__("Option", (_type(element, "Option"),))

    @property
    def element(self) -> Type:
        """Type of the value when it is there."""
        return self.arguments[0]


class Pair(Type):
    """Two values in order."""

    __slots__ = ()

    def __init__(self, first: Type, second: Type) -> None:
        super().__init__("Pair", (_type(first, "Pair"), _type(second, "Pair")))

    @property
    def first(self) -> Type:
        """Type of the first value."""
        return self.arguments[0]

    @property
    def second(self) -> Type:
        """Type of the second value."""
        return self.arguments[1]


class Dict(Type):
    """Values looked up by key."""

    __slots__ = ()

    def __init__(self, key: Type, value: Type) -> None:
        super().__init__("Dict", (_type(key, "Dict"), _type(value, "Dict")))

    @property
    def key(self) -> Type:
        """Type of the keys."""
        return self.arguments[0]

    @property
    def value(self) -> Type:
        """Type of the values."""
        return self.arguments[1]


class Graph(Type):
    """Nodes that carry one type, and edges between them."""

    __slots__ = ()

    def __init__(self, node: Type) -> None:
        super().__init__("Graph", (_type(node, "Graph"),))

    @property
    def node(self) -> Type:
        """Type of what a node carries."""
        return self.arguments[0]


class Record(Type):
    """Named fields; the order in which they are given does not matter (they are kept sorted by name).

    >>> Record({"b": Real, "a": Int}).fields["b"]
    Real
    """

    __slots__ = ()

    def __init__(self, fields: Mapping[str, Type]) -> None:
        for name in fields:
            if not isinstance(name, str) or not FIELD_NAME.fullmatch(name):
                raise TypeMismatch(f"A field is named by letters, digits and _, received {name!r}.")
        labels = tuple(sorted(fields))
        super().__init__("Record", tuple(_type(fields[label], "Record") for label in labels), labels)

    @property
    def fields(self) -> Mapping[str, Type]:
        """Field name to type, sorted by name, read-only."""
        return MappingProxyType(dict(zip(self.labels, self.arguments, strict=True)))

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{label}: {kind}" for label, kind in zip(self.labels, self.arguments, strict=True)
        )
        return f"Record{{{fields}}}"

    __str__ = __repr__


class Arrow(Type):
    """A function: the types of its arguments, and last the type of its result.

    >>> Arrow(Int, Int, Bool)
    (Int, Int) -> Bool
    """

    __slots__ = ()

    def __init__(self, *parts: Type) -> None:
        if not parts:
            raise TypeMismatch("Arrow needs at least the type of its result, received nothing.")
        super().__init__("Arrow", tuple(_type(part, "Arrow") for part in parts))

    @property
    def inputs(self) -> tuple[Type, ...]:
        """Types of the arguments."""
        return self.arguments[:-1]

    @property
    def result(self) -> Type:
        """Type of the result."""
        return self.arguments[-1]

    def __repr__(self) -> str:
        inputs = self.inputs
        if len(inputs) == 1 and not isinstance(inputs[0], Arrow):
            return f"{inputs[0]} -> {self.result}"
        return f"({', '.join(map(str, inputs))}) -> {self.result}"

    __str__ = __repr__


class Tensor(Type):
    """An array; dimensions without the batch: `Tensor(4)` is a row of four numbers."""

    __slots__ = ()

    def __init__(self, *dims: int | TypeVar) -> None:
        name = type(self).__name__
        super().__init__(name, tuple(_dimension(dim, name) for dim in dims))

    @property
    def dims(self) -> tuple[int | TypeVar, ...]:
        """Dimensions, outermost first."""
        return self.arguments


class Signal(Tensor):
    """A tensor whose axes have a meaning."""

    __slots__ = ()
    axes: tuple[str, ...] = ()

    def __init__(self, *dims: int | TypeVar) -> None:
        if len(dims) != len(self.axes):
            raise TypeMismatch(
                f"{type(self).__name__} has the axes {self.axes}, received {len(dims)} dimensions: {dims}."
            )
        super().__init__(*dims)


class Image(Signal):
    """A picture."""

    __slots__ = ()
    axes = ("height", "width", "channels")


class Sound(Signal):
    """One channel of samples over time."""

    __slots__ = ()
    axes = ("time",)


class Series(Signal):
    """Channels measured over time."""

    __slots__ = ()
    axes = ("time", "channels")


class Video(Signal):
    """Pictures over time."""

    __slots__ = ()
    axes = ("time", "height", "width", "channels")


class Volume(Signal):
    """A solid picture."""

    __slots__ = ()
    axes = ("depth", "height", "width", "channels")
