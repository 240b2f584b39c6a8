"""Runs programs with bounds on steps and sizes; no program can run for ever or fill the memory by itself.

Evaluation is strict and pure, so a part is computed once per scope: whatever does not depend on the argument
of an inner function is computed once per evaluation, even inside that function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perennial.errors import FuelExhausted, NoAnswer, ProgramError, TooLarge
from perennial.lang.ops import Op, State
from perennial.lang.printing import point_at
from perennial.lang.program import (
    LARGEST_INTEGER_BITS,
    Call,
    Choice,
    Hole,
    Lambda,
    Let,
    Literal,
    Program,
    Var,
    Word,
)

Apply = Callable[[Program, Op, tuple, dict], Any]


def evaluate(
    program: Program,
    *arguments: Any,
    states: Mapping[str, State] | None = None,
    apply: Apply | None = None,
    known: Mapping[Program, Any] | None = None,
    fuel: int = 100_000,
    max_size: int = 10_000_000,
) -> Any:
    """The value of a program; when it is a function and arguments are given, its value at them.

    Args:
        program: without open choices and holes.
        arguments: values of the program's arguments, one example or one batch, as its words expect.
        states: what fitted words learnt, by hash of their node.
        apply: called as `apply(node, op, values, parameters)` in place of `op.call`, for every word; trainers
            fit there.
        known: values of calls in the body of the function that need not be computed again.
        fuel: how many calls of words and functions are allowed.
        max_size: longest list, text or mapping that a word may return.

    Returns:
        The value; a function value is a Python callable.

    Raises:
        NoAnswer: when a word has no value for the arguments it got.
        FuelExhausted: when it takes more steps.
        TooLarge: when a value grows over its bound.
        ProgramError: when the program is open, misses an argument, or a word was never fitted.

    >>> evaluate(Lambda(("x",), Var("x")), 3)
    3
    """
    run = _Run(program, states or {}, apply, fuel, max_size)
    try:
        if isinstance(program, Lambda) and arguments:
            scope = _Scope(run.bind(program, arguments), None)
            scope.known.update(known or {})
            return run.value(program.body, scope)
        value = run.value(program, _Scope({}, None))
        return value(*arguments) if arguments else value
    except RecursionError:
        raise TooLarge(
            "The program nests too deep to be run.", todo="Name inner steps as words of their own."
        ) from None


class _Scope:
    """Values of names bound together, and of the calls that depend on them."""

    __slots__ = ("known", "outer", "values")

    def __init__(self, values: dict[str, Any], outer: _Scope | None) -> None:
        self.values, self.outer = values, outer
        self.known: dict[Program, Any] = {}

    def home(self, node: Program) -> _Scope:
        """The innermost scope that binds a free variable of the node; its value is the same all below."""
        scope = self
        while scope.outer is not None and node.free_variables.isdisjoint(scope.values):
            scope = scope.outer
        return scope


class _Run:
    def __init__(
        self, program: Program, states: Mapping[str, State], apply: Apply | None, fuel: int, max_size: int
    ) -> None:
        self.program, self.states, self.apply = program, states, apply
        self.fuel, self.allowed, self.max_size = fuel, fuel, max_size

    def value(self, node: Program, scope: _Scope) -> Any:
        return self.rules[type(node)](self, node, scope)

    def variable(self, node: Var, scope: _Scope | None) -> Any:
        while scope is not None:
            if node.name in scope.values:
                return scope.values[node.name]
            scope = scope.outer
        raise self.error(f"The variable `{node.name}` has no value here.", node)

    def literal(self, node: Literal, scope: _Scope) -> Any:
        return node.value

    def let(self, node: Let, scope: _Scope) -> Any:
        return self.value(node.body, _Scope({node.name: self.value(node.value, scope)}, scope))

    def function(self, node: Lambda, scope: _Scope) -> Callable:
        def closure(*arguments: Any) -> Any:
            self.burn(node)
            return self.value(node.body, _Scope(self.bind(node, arguments), scope))

        return closure

    def word(self, node: Word, scope: _Scope) -> Callable:
        parameters = node.op.complete({})
        return lambda *arguments: self.applied(node, node.op, arguments, dict(parameters))

    def call(self, node: Call, scope: _Scope) -> Any:
        home = scope.home(node)
        if node not in home.known:
            home.known[node] = self.called(node, scope)
        return home.known[node]

    def called(self, node: Call, scope: _Scope) -> Any:
        lenient = isinstance(node.function, Op) and node.function.lenient
        look = self.lenient_value if lenient else self.value
        values = tuple([look(argument, scope) for argument in node.arguments])
        if isinstance(node.function, Op):
            given = {name: self.value(parameter, scope) for name, parameter in node.parameters}
            return self.applied(node, node.function, values, node.function.complete(given))
        if node.parameters:
            raise self.error("Only words have hyper-parameters, this function has none.", node)
        function = self.value(node.function, scope)
        if not callable(function):
            raise self.error(f"Expected a function, received {type(function).__name__}.", node.function)
        return function(*values)

    def lenient_value(self, node: Program, scope: _Scope) -> Any:
        try:
            return self.value(node, scope)
        except NoAnswer as nothing:
            return nothing

    def applied(self, node: Program, op: Op, values: tuple, parameters: dict[str, Any]) -> Any:
        self.burn(node)
        if self.apply is not None:
            result = self.apply(node, op, values, parameters)
        elif op.fits:
            result = op.call(*values, state=self.state(node, op), **parameters)
        else:
            result = op.call(*values, **parameters)
        if isinstance(result, NoAnswer):
            raise result
        self.check_size(result, node)
        return result

    def state(self, node: Program, op: Op) -> State:
        if node.hash not in self.states:
            raise self.error(
                f"The word `{op.name}` has not been fitted: no state is kept for its node {node.hash[:12]}.",
                node,
                todo="Train the program, or pass the weights it was trained with.",
            )
        return self.states[node.hash]

    def bind(self, node: Lambda, arguments: tuple) -> dict[str, Any]:
        if len(arguments) != len(node.names):
            raise self.error(f"Expected {len(node.names)} arguments, received {len(arguments)}.", node)
        return dict(zip(node.names, arguments, strict=True))

    def burn(self, node: Program) -> None:
        self.fuel -= 1
        if self.fuel < 0:
            raise self.error(f"The program took more than {self.allowed} steps.", node, FuelExhausted)

    def check_size(self, value: Any, node: Program) -> None:
        if isinstance(value, (str, bytes, list, tuple, dict, set, frozenset)) and len(value) > self.max_size:
            raise self.error(
                f"A value has {len(value)} items, more than the {self.max_size} allowed.", node, TooLarge
            )
        if isinstance(value, int) and value.bit_length() > LARGEST_INTEGER_BITS:
            raise self.error(f"A whole number grew over {LARGEST_INTEGER_BITS} bits.", node, TooLarge)

    def unfinished(self, node: Choice | Hole, scope: _Scope) -> Any:
        what = (
            f"The choice {node.label!r} is still open"
            if isinstance(node, Choice)
            else f"A hole of type {node.wanted} is empty"
        )
        raise self.error(
            f"{what}, so the program cannot be run.", node, todo="Close it with space.freeze(genotype)."
        )

    def error(
        self, what: str, node: Program, kind: type[ProgramError] = ProgramError, todo: str = ""
    ) -> ProgramError:
        return kind(what, where=point_at(self.program, node).replace("\n", "\n         "), todo=todo)

    rules = {
        Var: variable,
        Literal: literal,
        Let: let,
        Lambda: function,
        Word: word,
        Call: call,
        Choice: unfinished,
        Hole: unfinished,
    }
