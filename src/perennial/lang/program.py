"""Programs: immutable, typed, weight-free trees whose equal parts are one object (hash-consing; Ershov 1958).

A program is one of eight nodes: `Var Literal Word Call Lambda Let Hole Choice`. Building a node that exists
already gives the existing one, so equality is identity, and a part used twice is stored and computed once.

>>> Lambda(("x",), Var("x")) is Lambda(("x",), Var("x"))
True
>>> Literal((1, 2.5)).hash == Literal((1, 2.5)).hash != Literal((1.0, 2.5)).hash
True
"""

from __future__ import annotations

import hashlib
import keyword
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakValueDictionary

from perennial.errors import ProgramError, SpaceError, TooLarge
from perennial.lang.ops import Op
from perennial.lang.types import Arrow, Type, parse_type

DEEPEST_PROGRAM = 200
LARGEST_INTEGER_BITS = 4096
CHOICE_KINDS = ("one_of", "integer", "real", "repeat", "optional", "recurse")
RESERVED_NAMES = frozenset({*CHOICE_KINDS, "let", "hole", "word", "variable", "inf", "nan"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_interned: WeakValueDictionary[tuple, Program] = WeakValueDictionary()
_interning = threading.RLock()


class Program(ABC):
    """A node and everything below it.

    Attributes:
        children: the programs directly below, in a fixed order.
        hash: 64 hex digits that depend on the structure and the words' names only; the same in every process.
        size: how many nodes it has when written out as a tree (shared parts counted each time).
        depth: nodes on the longest way down.
        free_variables: names that are used but not bound inside.
    """

    __slots__ = ("__weakref__", "_type", "children", "depth", "free_variables", "hash", "size")

    children: tuple[Program, ...]
    hash: str
    size: int
    depth: int
    free_variables: frozenset[str]

    def __setattr__(self, attribute: str, value: object = None) -> None:
        raise AttributeError(f"Programs are frozen; build a new one instead of setting `{attribute}`.")

    __delattr__ = __setattr__  # type: ignore[assignment]

    @abstractmethod
    def _payload(self) -> tuple:
        """What the node holds besides its children."""

    @classmethod
    @abstractmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        """The node with this payload and these children."""

    @property
    def type(self) -> Type:
        """Its most general type; unknown types are named `a`, `b`, …

        Raises:
            TypeMismatch: when its parts do not fit.
        """
        if self._type is None:
            object.__setattr__(self, "_type", infer(self))
        return self._type

    def walk(self) -> Iterator[Program]:
        """Itself and every distinct node below, parents before children."""
        seen: set[Program] = set()
        stack: list[Program] = [self]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                yield node
                stack.extend(reversed(node.children))

    def with_children(self, children: Iterable[Program]) -> Program:
        """The same node above other children."""
        children = tuple(children)
        return self if children == self.children else self._build(self._payload(), children)

    def transform(self, change: Callable[[Program], Program]) -> Program:
        """Rebuild bottom-up: `change` sees each distinct node once, its children changed already."""
        done: dict[Program, Program] = {}
        for node in children_first(self):
            done[node] = change(node.with_children([done[child] for child in node.children]))
        return done[self]

    def replace(self, old: Program, new: Program) -> Program:
        """Every place where `old` stands holds `new` instead; names are not renamed (see `substitute`)."""
        done: dict[Program, Program] = {old: new}
        for node in children_first(self, done):
            done[node] = node.with_children([done[child] for child in node.children])
        return done[self]

    def substitute(self, values: Mapping[str, Program]) -> Program:
        """Free variables replaced by programs; bound names are renamed where they would capture.

        >>> print(Lambda(("y",), call(Var("f"), Var("x"), Var("y"))).substitute({"x": Var("y")}))
        lambda y_2: variable("f")(variable("y"), y_2)
        """
        return _substitute(self, dict(values), {})

    def __rshift__(self, following: Program | Op) -> Program:
        """`f >> g` applies `f`, then `g`; when the left side is a value, `g` is applied to it."""
        following = as_program(following)
        if isinstance(self, Lambda):
            return Lambda(self.names, applied(following, self.body))
        if self._is_function():
            return Lambda(("x",), applied(following, applied(self, Var("x"))))
        return applied(following, self)

    def _is_function(self) -> bool:
        try:
            return isinstance(self, Word) or isinstance(self.type, Arrow)
        except ProgramError:
            return False

    def __str__(self) -> str:
        from perennial.lang.printing import one_line

        return one_line(self)

    def __repr__(self) -> str:
        return (
            str(self)
            if self.size <= 2000
            else f"<{type(self).__name__} of size {self.size}, {self.hash[:12]}>"
        )

    def __reduce__(self):
        places: dict[Program, int] = {}
        table = []
        for node in children_first(self):
            places[node] = len(table)
            table.append(
                (type(node).__name__, node._payload(), tuple(places[child] for child in node.children))
            )
        return _unpack, (tuple(table),)

    def __copy__(self) -> Program:
        return self

    def __deepcopy__(self, memo: dict) -> Program:
        return self


def children_first(root: Program, skip: Iterable[Program] = ()) -> Iterator[Program]:
    """Every distinct node, each after those it is made of; without those to skip and what only they hold."""
    seen = set(skip)
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.children))


def _unpack(table: tuple) -> Program:
    built: list[Program] = []
    for kind, payload, places in table:
        built.append(_KINDS[kind]._build(payload, tuple(built[place] for place in places)))
    return built[-1]


def _node(
    kind: type[Program],
    key: tuple,
    text: object,
    children: tuple[Program, ...],
    free: frozenset[str],
    /,
    **slots: Any,
) -> Any:
    """The one node with this key and these children; `text` is what the hash sees of the key."""
    key = (kind, key, children)
    with _interning:
        node = _interned.get(key)
        if node is not None:
            return node
        depth = 1 + max((child.depth for child in children), default=0)
        if depth > DEEPEST_PROGRAM:
            raise TooLarge(
                f"A program nests at most {DEEPEST_PROGRAM} deep.",
                why="Deeper programs cannot be run or read safely.",
                todo="Name inner steps as words of their own, or use fewer repetitions.",
            )
        identity = repr((kind.__name__, text, tuple(child.hash for child in children)))
        node = object.__new__(kind)
        slots |= {"children": children, "free_variables": free, "depth": depth, "_type": None}
        slots["hash"] = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
        slots["size"] = 1 + sum(child.size for child in children)
        for slot, value in slots.items():
            object.__setattr__(node, slot, value)
        _interned[key] = node
        return node


def _checked_name(name: str, of: str, reserved: frozenset[str] = RESERVED_NAMES) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in reserved:
        raise ProgramError(
            f"{of} is named by letters, digits and _, starts with a letter and is no reserved word; "
            f"received {name!r}.",
            todo=f"Reserved are Python's keywords{''.join(f', {word}' for word in sorted(reserved))}.",
        )
    return name


def _union(programs: Iterable[Program]) -> frozenset[str]:
    return frozenset().union(*(program.free_variables for program in programs))


class Var(Program):
    """A variable, bound by an enclosing `Lambda` or `Let` of that name."""

    __slots__ = ("name",)
    __match_args__ = ("name",)

    name: str

    def __new__(cls, name: str) -> Var:
        _checked_name(name, "A variable")
        return _node(cls, (name,), name, (), frozenset((name,)), name=name)

    def _payload(self) -> tuple:
        return (self.name,)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        return cls(*payload)


class Literal(Program):
    """A constant: bool, int, float, str, None, or a nested tuple of these (lists become tuples)."""

    __slots__ = ("value",)
    __match_args__ = ("value",)

    value: Any

    def __new__(cls, value: Any) -> Literal:
        value = _plain(value)
        text = repr(value)  # 1, 1.0 and True print differently although they compare equal
        return _node(cls, (text,), text, (), frozenset(), value=value)

    def _payload(self) -> tuple:
        return (self.value,)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        return cls(*payload)


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > 50:
        raise TooLarge("A literal nests at most 50 deep.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > LARGEST_INTEGER_BITS:
            raise TooLarge(
                f"A whole number has at most {LARGEST_INTEGER_BITS} bits, received {value.bit_length()}."
            )
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item, depth + 1) for item in value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _plain(value.item(), depth + 1)
    raise ProgramError(
        "A literal is a bool, int, float, str, None or a tuple of these, "
        f"received {type(value).__name__}: {value!r}.",
        todo="Pass larger values as arguments of the program.",
    )


class Word(Program):
    """A word used as a value: `add` in `fold(add, 0, xs)`."""

    __slots__ = ("op",)
    __match_args__ = ("op",)

    op: Op

    def __new__(cls, op: Op) -> Word:
        if not isinstance(op, Op):
            raise ProgramError(f"A word is an Op, received {op!r}.")
        return _node(cls, (op,), op.name, (), frozenset(), op=op)

    def _payload(self) -> tuple:
        return (self.op,)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        return cls(*payload)


class Call(Program):
    """A function applied to arguments, with hyper-parameters by name.

    Args:
        function: a word, or a program whose value is a function.
        arguments: programs (plain values become literals, words become `Word`).
        parameters: `(name, program)` pairs or a mapping, kept sorted by name.
    """

    __slots__ = ("arguments", "function", "parameters")
    __match_args__ = ("function", "arguments", "parameters")

    function: Op | Program
    arguments: tuple[Program, ...]
    parameters: tuple[tuple[str, Program], ...]

    def __new__(
        cls, function: Op | Program, arguments: Iterable[Any] = (), parameters: Iterable[tuple[str, Any]] = ()
    ) -> Call:
        function = function.op if isinstance(function, Word) else function
        if not isinstance(function, (Op, Program)):
            raise ProgramError(f"Only a word or a program can be called, received {function!r}.")
        pairs = list(parameters.items() if isinstance(parameters, Mapping) else parameters)
        names = tuple(sorted(_checked_name(name, "A parameter", frozenset()) for name, _ in pairs))
        if len(set(names)) < len(names):
            raise ProgramError(f"A call names a parameter twice: {', '.join(names)}.")
        given = {name: as_program(value) for name, value in pairs}
        arguments = tuple(map(as_program, arguments))
        parameters = tuple((name, given[name]) for name in names)
        children = (*arguments, *(value for _, value in parameters))
        op = function if isinstance(function, Op) else None
        if op is None:
            children = (function, *children)
        return _node(
            cls,
            (op, len(arguments), names),
            (None if op is None else op.name, len(arguments), names),
            children,
            _union(children),
            function=function,
            arguments=arguments,
            parameters=parameters,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The hyper-parameters of a closed call of a word, defaults filled in."""
        return self.function.complete({name: literal.value for name, literal in self.parameters})

    def _payload(self) -> tuple:
        op = self.function if isinstance(self.function, Op) else None
        return op, len(self.arguments), tuple(name for name, _ in self.parameters)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        op, count, names = payload
        function, rest = (children[0], children[1:]) if op is None else (op, children)
        return cls(function, rest[:count], tuple(zip(names, rest[count:], strict=True)))


class Lambda(Program):
    """A function of named arguments."""

    __slots__ = ("body", "names")
    __match_args__ = ("names", "body")

    names: tuple[str, ...]
    body: Program

    def __new__(cls, names: Iterable[str], body: Any) -> Lambda:
        if isinstance(names, str):
            raise ProgramError(
                f"Lambda takes a tuple of names, received the text {names!r}.", todo=f"Write ({names!r},)."
            )
        names = tuple(_checked_name(name, "An argument") for name in names)
        if len(set(names)) < len(names):
            raise ProgramError(f"A function names an argument twice: {', '.join(names)}.")
        body = as_program(body)
        return _node(cls, names, names, (body,), body.free_variables - set(names), names=names, body=body)

    def _payload(self) -> tuple:
        return (self.names,)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        return cls(*payload, *children)


class Let(Program):
    """A value with a name: `name = value; body`."""

    __slots__ = ("body", "name", "value")
    __match_args__ = ("name", "value", "body")

    name: str
    value: Program
    body: Program

    def __new__(cls, name: str, value: Any, body: Any) -> Let:
        _checked_name(name, "A variable")
        value, body = as_program(value), as_program(body)
        free = value.free_variables | (body.free_variables - {name})
        return _node(cls, (name,), name, (value, body), free, name=name, value=value, body=body)

    def _payload(self) -> tuple:
        return (self.name,)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        return cls(*payload, *children)


class Hole(Program):
    """A place that a search still has to fill with a program of this type."""

    __slots__ = ("wanted",)
    __match_args__ = ("wanted",)

    wanted: Type

    def __new__(cls, wanted: Type | str) -> Hole:
        wanted = parse_type(wanted) if isinstance(wanted, str) else wanted
        return _node(cls, (wanted,), str(wanted), (), frozenset(), wanted=wanted)

    def _payload(self) -> tuple:
        return (self.wanted,)

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        return cls(*payload)


class Choice(Program):
    """A decision left open; a genotype closes it. The same label is the same decision.

    Args:
        label: its name in the genotype, e.g. `"learner"` or `"encoder/width"`.
        kind: `one_of` (the value is the index of an option), `integer` and `real` (a number from low to
            high), `repeat` (one option, a function a -> a, composed low to high times), `optional` (one
            option, a function a -> a, applied or not) or `recurse` (the enclosing `one_of` of that label).
        options: programs; plain values become literals.
        low: smallest number, inclusive.
        high: largest number, inclusive.
        log: whether a number is drawn and stepped on a log scale.
        default: the value to start from: an index, a number, a count or a bool.
        regularises: +1 when a larger value regularises more, -1 when a smaller one does, 0 when neither.
    """

    __slots__ = ("default", "high", "kind", "label", "log", "low", "options", "regularises")
    __match_args__ = ("label", "kind", "options")

    label: str
    kind: str
    options: tuple[Program, ...]
    low: int | float | None
    high: int | float | None
    log: bool
    default: Any
    regularises: int

    def __new__(
        cls,
        label: str,
        kind: str,
        options: Iterable[Any] = (),
        low: float | None = None,
        high: float | None = None,
        log: bool = False,
        default: Any = None,
        regularises: int = 0,
    ) -> Choice:
        options = tuple(map(as_program, options))
        low, high, default = _plain(low), _plain(high), _plain(default)
        log, regularises = bool(log), int(regularises)
        _check_choice(label, kind, options, low, high, log, regularises)
        key = tuple(map(repr, (label, kind, low, high, log, default, regularises)))
        return _node(
            cls,
            key,
            key,
            options,
            _union(options),
            label=label,
            kind=kind,
            options=options,
            low=low,
            high=high,
            log=log,
            default=default,
            regularises=regularises,
        )

    def _payload(self) -> tuple:
        return self.label, self.kind, self.low, self.high, self.log, self.default, self.regularises

    @classmethod
    def _build(cls, payload: tuple, children: tuple[Program, ...]) -> Program:
        label, kind, *rest = payload
        return cls(label, kind, children, *rest)


def _check_choice(label, kind, options, low, high, log, regularises) -> None:
    def wrong(what: str) -> SpaceError:
        return SpaceError(f"{what} in the choice {label!r} of kind {kind!r}.")

    if not isinstance(label, str) or not 0 < len(label) <= 500:
        raise wrong("A label is a text of 1 to 500 characters")
    if kind not in CHOICE_KINDS:
        raise wrong(f"A kind is one of {', '.join(CHOICE_KINDS)}")
    if kind == "one_of" and not options:
        raise wrong("`one_of` needs at least one option")
    if kind in ("repeat", "optional") and len(options) != 1:
        raise wrong(f"Expected one option, a function a -> a, received {len(options)}")
    if kind in ("integer", "real", "recurse") and options:
        raise wrong("Options have no meaning")
    if kind in ("integer", "real", "repeat"):
        numbers = (int,) if kind != "real" else (int, float)
        if not all(isinstance(bound, numbers) and not isinstance(bound, bool) for bound in (low, high)):
            raise wrong(f"Expected the numbers low and high, received low={low!r}, high={high!r}")
        if not (low <= high and (low > 0 or not log) and high - low < float("inf")):
            raise wrong(
                "Expected low <= high, finite, and above 0 on a log scale; "
                f"received low={low!r}, high={high!r}"
            )
        if kind == "repeat" and low < 0:
            raise wrong(f"Nothing can be repeated {low} times")
    if regularises not in (-1, 0, 1):
        raise wrong(f"`regularises` is -1, 0 or 1, received {regularises!r}")


_KINDS: dict[str, type[Program]] = {
    kind.__name__: kind for kind in (Var, Literal, Word, Call, Lambda, Let, Hole, Choice)
}


def as_program(value: Any) -> Program:
    """A program as it is, a word as `Word`, any plain value as `Literal`."""
    if isinstance(value, Program):
        return value
    return Word(value) if isinstance(value, Op) else Literal(value)


def call(function: Op | Program, *arguments: Any, **parameters: Any) -> Call:
    """`Call` with plain Python values allowed everywhere: `call(ridge, row, strength=0.1)`."""
    return Call(function, arguments, parameters)


def applied(function: Op | Program, *arguments: Any) -> Program:
    """A function applied to arguments; when it is a `Lambda`, its body with the arguments put in."""
    function = as_program(function)
    if isinstance(function, Lambda) and len(function.names) == len(arguments):
        return function.body.substitute(dict(zip(function.names, map(as_program, arguments), strict=True)))
    return Call(function, arguments)


def _substitute(node: Program, values: dict[str, Program], done: dict) -> Program:
    values = {name: value for name, value in values.items() if name in node.free_variables}
    if not values:
        return node
    if isinstance(node, Var):
        return values[node.name]
    key = (node, frozenset(values.items()))
    if key not in done:
        done[key] = _substituted(node, values, done)
    return done[key]


def _substituted(node: Program, values: dict[str, Program], done: dict) -> Program:
    if isinstance(node, Lambda):
        inner = {name: value for name, value in values.items() if name not in node.names}
        names, renamed = _renamed(node.names, node.body, inner)
        return Lambda(names, _substitute(node.body, inner | renamed, done))
    if isinstance(node, Let):
        inner = {name: value for name, value in values.items() if name != node.name}
        names, renamed = _renamed((node.name,), node.body, inner)
        return Let(
            names[0], _substitute(node.value, values, done), _substitute(node.body, inner | renamed, done)
        )
    return node.with_children([_substitute(child, values, done) for child in node.children])


def _renamed(names: tuple[str, ...], body: Program, values: Mapping[str, Program]) -> tuple[tuple, dict]:
    """Bound names, changed where a substituted value uses them, and what the old names become."""
    coming = _union(value for name, value in values.items() if name in body.free_variables)
    taken = coming | body.free_variables | set(names)
    kept, renamed = [], {}
    for name in names:
        new, number = name, 2
        while new in coming or (new != name and new in taken):
            new, number = f"{name}_{number}", number + 1
        if new != name:
            renamed[name] = Var(new)
            taken |= {new}
        kept.append(new)
    return tuple(kept), renamed


def infer(
    program: Program,
    argument_types: Iterable[Type] = (),
    result: Type | None = None,
    environment: Mapping[str, Type] | None = None,
) -> Type:
    """The type of a program (an `Arrow` when it is a function).

    Args:
        program: may have open choices and holes.
        argument_types: types of its arguments, when it is a function and they are known.
        result: type that is asked of its value; learners inside take their prediction type from it.
        environment: types of free variables by name; unnamed ones are unknown.

    Raises:
        TypeMismatch: when parts do not fit; the message shows the program with an arrow under the part.

    >>> print(infer(Lambda(("x",), Var("x"))))
    a -> a
    """
    from perennial.lang.inference import infer as compute

    return compute(program, tuple(argument_types), result, environment)


def typed(program: Program, argument_types: Iterable[Type], result: Type) -> dict[Program, Type]:
    """The type of every node inside, once the types of the arguments and of the result are known.

    A node that stands at places of different types (a variable bound twice, a polymorphic literal) keeps the
    type of the first. Fitted calls always have one.

    Raises:
        TypeMismatch: when the program cannot have these types.
    """
    from perennial.lang.inference import typed as compute

    return compute(program, tuple(argument_types), result)
