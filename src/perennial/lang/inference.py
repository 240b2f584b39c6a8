"""Types of programs: algorithm W (Damas and Milner 1982), with expected types pushed inwards and coercions.

What is expected flows down (so a `lambda` given to `map` knows its argument), what is found flows up. A word
that computes its type in Python (`Op.infer`) is asked once its arguments are known; until then its type is a
variable. A learner's result is "whatever is asked here"; when nothing near it asks, it is the declared result
of the program.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from perennial.errors import TooLarge, TypeMismatch
from perennial.lang.ops import Op, Primitive, accept
from perennial.lang.program import Call, Choice, Hole, Lambda, Let, Literal, Program, Var, Word
from perennial.lang.types import (
    Arrow,
    Bool,
    Grid,
    Int,
    List,
    Option,
    Pair,
    Real,
    Substitution,
    Text,
    Type,
    TypeVar,
    fresh,
    instantiate,
)

MOST_STEPS = 200_000
PREDICTION = "prediction"


def infer(
    program: Program,
    argument_types: tuple[Type, ...],
    result: Type | None,
    environment: Mapping[str, Type] | None,
) -> Type:
    """See `perennial.lang.program.infer`."""
    given = (*argument_types, *(environment or {}).values(), *((result,) if result is not None else ()))
    found = _Inference(program, environment or {}).run(argument_types, result)[program]
    return _tidy(
        found, {variable for kind in given for variable in kind.variables} | _written_variables(program)
    )


def typed(program: Program, argument_types: tuple[Type, ...], result: Type) -> dict[Program, Type]:
    """See `perennial.lang.program.typed`."""
    return _Inference(program, {}).run(argument_types, result)


def _written_variables(program: Program) -> set[TypeVar]:
    return {
        variable for node in program.walk() if isinstance(node, Hole) for variable in node.wanted.variables
    }


def _tidy(found: Type, keep: Iterable[TypeVar]) -> Type:
    """Machine-made variable names replaced by a, b, c …"""
    keep = set(keep)
    names = (
        letter + digit for digit in ("", *map(str, range(1, 1000))) for letter in "abcdefghijklmnopqrstuvwxyz"
    )
    free_names = (name for name in names if TypeVar(name) not in keep)
    open_variables = (variable for variable in found.variables if variable not in keep)
    return Substitution(
        {old: TypeVar(new) for old, new in zip(open_variables, free_names, strict=False)}
    ).apply(found)


class _Inference:
    """One run over one program."""

    def __init__(self, program: Program, environment: Mapping[str, Type]) -> None:
        self.program = program
        self.environment = dict(environment)
        self.known = Substitution()
        self.types: dict[Program, Type] = {}
        self.calls: dict[tuple, Type] = {}
        self.recursions: dict[str, Type] = {}
        self.waiting: list[tuple[Program, Op, tuple[Type, ...], dict[str, Any], Type]] = []
        self.steps = 0
        self.located: TypeMismatch | None = None

    def run(self, argument_types: tuple[Type, ...], result: Type | None) -> dict[Program, Type]:
        program = self.program
        try:
            if isinstance(program, Lambda) and (argument_types or result is not None):
                inputs = argument_types or tuple(fresh() for _ in program.names)
                wanted: Type | None = Arrow(*inputs, fresh() if result is None else result)
            elif argument_types:
                wanted = Arrow(*argument_types, fresh() if result is None else result)
            else:
                wanted = result
            self.visit(program, self.environment, wanted)
            self.settle(result)
        except RecursionError:
            raise TooLarge("The program nests too deep for its types to be found.") from None
        return {node: self.known.apply(found) for node, found in self.types.items()}

    def settle(self, result: Type | None) -> None:
        """Ask the words that waited for their arguments; predictions that nobody asked for are the result."""
        progress = True
        while progress:
            progress = False
            if result is not None:
                for found in list(self.types.values()):
                    for variable in self.known.apply(found).variables:
                        if variable.name.startswith(PREDICTION) and self.known.resolve(variable) is variable:
                            self.known.join(variable, result)
            waiting, self.waiting = self.waiting, []
            for node, op, types, parameters, answer in waiting:
                if self.compute(node, op, types, parameters, answer):
                    progress = True

    def visit(self, node: Program, environment: Mapping[str, Type], wanted: Type | None = None) -> Type:
        """The type of a node, made to fit where `wanted` is asked for."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooLarge(f"Finding the types of the program took more than {MOST_STEPS} steps.")
        try:
            found = self.rules[type(node)](self, node, environment, wanted)
            self.types.setdefault(node, found)
            if wanted is not None and found is not wanted:
                accept(wanted, found, self.known)
            return found
        except TypeMismatch as error:
            if error is self.located:
                raise
            self.located = self.placed(error, node)
            raise self.located from None

    def placed(self, error: TypeMismatch, node: Program) -> TypeMismatch:
        """The same error with the program and an arrow under the node."""
        from perennial.lang.printing import point_at

        where = point_at(self.program, node)
        where = f"{error.where}\n{where}" if error.where else where
        return TypeMismatch(
            error.what, where=where.replace("\n", "\n         "), why=error.why, todo=error.todo
        )

    def variable(self, node: Var, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        found = environment.get(node.name)
        if found is None:
            found = self.environment.setdefault(node.name, fresh())
        return found

    def literal(self, node: Literal, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        return _literal_type(node.value, None if wanted is None else self.known.apply(wanted), self.known)

    def hole(self, node: Hole, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        return node.wanted

    def let(self, node: Let, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        value = self.visit(node.value, environment)
        return self.visit(node.body, {**environment, node.name: value}, wanted)

    def function(self, node: Lambda, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        asked = self.known.resolve(wanted)
        if isinstance(asked, Arrow):
            if len(asked.inputs) != len(node.names):
                raise TypeMismatch(
                    f"Expected a function of {len(asked.inputs)} arguments, "
                    f"received one of {len(node.names)}."
                )
            self.visit(
                node.body, {**environment, **dict(zip(node.names, asked.inputs, strict=True))}, asked.result
            )
            return wanted
        inputs = [fresh() for _ in node.names]
        body = self.visit(node.body, {**environment, **dict(zip(node.names, inputs, strict=True))})
        return Arrow(*inputs, body)

    def word(self, node: Word, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        asked = self.known.resolve(wanted)
        if isinstance(asked, Arrow):
            arrow = node.op.arrow(len(asked.inputs))
            if arrow is None:
                result = self.computed(node, node.op, asked.inputs, node.op.complete({}))
            else:
                arrow = instantiate(arrow)
                for taken, given in zip(arrow.inputs, asked.inputs, strict=True):
                    accept(taken, given, self.known)
                result = arrow.result
            accept(asked.result, result, self.known)
            return wanted
        if isinstance(node.op, Primitive) and node.op.rest is None:
            return instantiate(node.op.signature)
        return fresh()

    def call(self, node: Call, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        scope = tuple((name, self.known.apply(environment.get(name))) for name in sorted(node.free_variables))
        found = self.calls.get((node, scope))
        fits = isinstance(node.function, Op) and node.function.fits
        # A fitted word is one thing with one type; any other call may have another type at each place.
        if found is not None and (fits or not self.known.apply(found).variables):
            return found
        if isinstance(node.function, Op):
            found = self.call_word(node, node.function, environment, wanted)
        else:
            found = self.call_function(node, node.function, environment, wanted)
        self.calls[node, scope] = found
        return found

    def call_word(self, node: Call, op: Op, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        parameters = self.parameters(node, op, environment)
        arrow = op.arrow(len(node.arguments))
        if arrow is None:
            types = tuple(self.visit(argument, environment) for argument in node.arguments)
            return self.computed(node, op, types, parameters)
        arrow = instantiate(arrow)
        if wanted is not None:
            self.try_to_join(arrow.result, wanted)
        # Functions come last: the other arguments tell them what they will be given.
        for argument, taken in sorted(zip(node.arguments, arrow.inputs, strict=True), key=_is_function):
            self.visit(argument, environment, taken)
        return arrow.result

    def call_function(
        self, node: Call, function: Program, environment: Mapping[str, Type], wanted: Type | None
    ) -> Type:
        if node.parameters:
            raise TypeMismatch("Only words have hyper-parameters, this function has none.")
        asked = self.known.resolve(self.visit(function, environment)) if isinstance(function, Var) else None
        if isinstance(asked, Arrow) and len(asked.inputs) == len(node.arguments):
            for argument, taken in sorted(zip(node.arguments, asked.inputs, strict=True), key=_is_function):
                self.visit(argument, environment, taken)
            return asked.result
        types = [self.visit(argument, environment) for argument in node.arguments]
        result = fresh() if wanted is None or isinstance(function, Choice) else wanted
        self.visit(function, environment, Arrow(*types, result))
        return result

    def parameters(self, node: Call, op: Op, environment: Mapping[str, Type]) -> dict[str, Any]:
        """Hyper-parameters as far as they are known: an open choice counts as its default."""
        given = op.complete(dict(node.parameters))
        for name, program in node.parameters:
            self.visit(program, environment)
            value = _default(program)
            given[name] = value.value if isinstance(value, Literal) else op.parameters[name].default
        return given

    def computed(self, node: Program, op: Op, types: tuple[Type, ...], parameters: dict[str, Any]) -> Type:
        answer = fresh()
        self.compute(node, op, types, parameters, answer)
        return self.known.resolve(answer)

    def compute(self, node: Program, op: Op, types: tuple, parameters: dict[str, Any], answer: Type) -> bool:
        """Ask the word itself for its type; when an argument is still unknown, ask again later."""
        received = tuple(self.known.apply(found) for found in types)
        if any(isinstance(found, TypeVar) for found in received):
            self.waiting.append((node, op, types, parameters, answer))
            return False
        own = {variable for kind in received for variable in kind.variables}
        try:
            _check_count(op, received, parameters)
            found = op.infer(*received, **parameters)
            renamed = Substitution(
                {old: fresh(old.name.split("_")[0]) for old in found.variables if old not in own}
            )
            accept(answer, renamed.apply(found), self.known)
        except TypeMismatch as error:
            self.located = self.placed(error, node)
            raise self.located from None
        return True

    def choice(self, node: Choice, environment: Mapping[str, Type], wanted: Type | None) -> Type:
        if node.kind == "integer":
            return Int
        if node.kind == "real":
            return Real
        if node.kind == "recurse":
            return self.recursions.get(node.label) or fresh()
        if node.kind == "one_of":
            return self.one_of(node, environment, fresh() if wanted is None else wanted)
        asked = self.known.resolve(wanted)
        if not (isinstance(asked, Arrow) and len(asked.inputs) == 1):
            same = fresh()
            asked = Arrow(same, same)
        self.known.join(*asked.arguments)
        self.visit(node.options[0], environment, asked)
        return asked

    def one_of(self, node: Choice, environment: Mapping[str, Type], same: Type) -> Type:
        outer = self.recursions.get(node.label)
        self.recursions[node.label] = same
        for option in node.options:
            self.visit(option, environment, same)
        if outer is not None:
            self.recursions[node.label] = outer
        else:
            del self.recursions[node.label]
        return same

    def try_to_join(self, left: Type, right: Type) -> None:
        attempt = Substitution(self.known)
        try:
            attempt.join(left, right)
        except TypeMismatch:
            return  # a coercion may still make it fit, once the arguments are known
        self.known.update(attempt)

    rules = {
        Var: variable,
        Literal: literal,
        Hole: hole,
        Let: let,
        Lambda: function,
        Word: word,
        Call: call,
        Choice: choice,
    }


def _check_count(op: Op, types: tuple[Type, ...], parameters: Mapping[str, Any]) -> None:
    try:
        inspect.signature(op.infer).bind(*types, **parameters)
    except TypeError as error:
        raise TypeMismatch(f"`{op.name}` cannot take {len(types)} arguments: {error}.") from None


def _is_function(pair: tuple[Program, Type]) -> bool:
    return isinstance(pair[0], (Lambda, Word))


def _default(program: Program) -> Program | None:
    """The literal that a parameter holds, or would hold by default while it is a choice."""
    if isinstance(program, Choice):
        if program.kind == "one_of":
            index = program.default if isinstance(program.default, int) else 0
            return _default(program.options[index if 0 <= index < len(program.options) else 0])
        if program.kind in ("integer", "real"):
            return Literal(program.low if program.default is None else program.default)
        return None
    return program if isinstance(program, Literal) else None


def _literal_type(value: Any, wanted: Type | None, known: Substitution) -> Type:
    for kind, found in ((bool, Bool), (int, Int), (float, Real), (str, Text)):
        if isinstance(value, kind):
            return found
    if value is None:
        return wanted if isinstance(wanted, Option) else Option(fresh())
    if wanted == Grid:
        return _literal_grid(value)
    if isinstance(wanted, Pair) and len(value) == 2:
        return Pair(
            *(_literal_type(item, part, known) for item, part in zip(value, wanted.arguments, strict=True))
        )
    element = wanted.element if isinstance(wanted, List) else None
    types = [_literal_type(item, element, known) for item in value]
    common: Type = fresh()
    for found in sorted(
        types, key=lambda kind: kind != Real
    ):  # a Real among whole numbers makes all of them Real
        try:
            accept(common, found, known)
        except TypeMismatch:
            if len(types) == 2:
                return Pair(*types)
            raise TypeMismatch("The items of a literal list have different types.") from None
    return List(common)


def _literal_grid(value: tuple) -> Type:
    rows = value if all(isinstance(row, tuple) for row in value) else ()
    whole = all(type(cell) is int for row in rows for cell in row)
    if not rows or not whole or len({len(row) for row in rows}) > 1:
        raise TypeMismatch("A grid is a tuple of equally long tuples of whole numbers.")
    return Grid
