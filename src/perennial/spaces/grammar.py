"""A weighted grammar: which words, constants and variables a program may be made of, and what each costs.

The cost of a part is about −log₂ of its probability, a whole number of bits, so the cost of a program is its
description length (Rissanen 1978) and a search in the order of cost is a search in the order of probability.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from perennial.errors import ProgramError, SpaceError
from perennial.lang.ops import Op, Primitive
from perennial.lang.program import Call, Lambda, Literal, Program, Var, Word
from perennial.lang.types import Arrow, Int, Real, Type, TypeVar

LAMBDA_COST = 1
FOREIGN_COST = 12
USUAL_COSTS = {
    2: "single",
    3: "add append filter first_item length map",
    4: "and any all at biggest count count_item drop equal is_even is_odd last less multiply not or prepend "
    "add_last reverse smallest sort subtract tail take total unique contains map_pairs",
    5: "at_most divide divides drop_last init larger range remainder remove_item replicate slice smaller "
    "take_last without common count_item sort_by fold",
    6: "has_no_items insert_at is_prime is_square max_by min_by to_the place_of range_from remove_at replace_at "
    "rotate sort_down find_first take_while drop_while running_totals flat_map places",
    7: "absolute digits every interleave is_sorted most_common negate product repeated square swap tiled "
    "differences remove_first",
}
USUAL_NUMBERS = {0: 2, 1: 2, 2: 3, 3: 3, 4: 3, 5: 3, 6: 4, 7: 4, 8: 4, 9: 4, 10: 4, -1: 4}
ALWAYS_ALLOWED = {"Int", "Bool"}


@dataclass(frozen=True)
class Constant:
    """A literal with its type and cost in bits; `copied` when it was read off an output of the examples."""

    value: Any
    type: Type
    cost: int
    copied: bool = False


@dataclass(frozen=True, eq=False)
class Grammar:
    """Words, constants and variables with their costs.

    Args:
        words: what may be called.
        variables: the arguments of the program and their types, in order.
        result: type of what the program gives.
        constants: literals that may be used.
        costs: bits of a word, by name; a word that is not named costs what an equal share of all words does.
        variable_cost: bits of naming an argument.

    >>> from perennial.lang import Int, List, Literal, Var, call
    >>> from perennial.primitives import vocabulary
    >>> sort, take = vocabulary()["sort"], vocabulary()["take"]
    >>> grammar = Grammar((sort, take), {"xs": List(Int)}, List(Int), costs={"sort": 2, "take": 3})
    >>> grammar.cost(call(take, call(sort, Var("xs")), 2))
    11
    """

    words: tuple[Op, ...]
    variables: Mapping[str, Type]
    result: Type
    constants: tuple[Constant, ...] = ()
    costs: Mapping[str, int] = field(default_factory=dict)
    variable_cost: int = 1

    def word_cost(self, op: Op) -> int:
        """Bits of one use of a word, at least 1."""
        cost = self.costs.get(op.name)
        if cost is None:
            cost = round(math.log2(max(2, len(self.words))) * op.cost)
        return max(1, int(cost))

    def literal_cost(self, value: Any) -> int:
        """Bits of a constant: its own price when the grammar names it, else what it takes to write it down."""
        for constant in self.constants:
            if type(constant.value) is type(value) and constant.value == value:
                return constant.cost
        return written_cost(value)

    def cost(self, program: Program) -> int:
        """Description length of a program in bits; parts used twice are counted twice."""
        if isinstance(program, Var):
            return self.variable_cost
        if isinstance(program, Literal):
            return self.literal_cost(program.value)
        if isinstance(program, Word):
            return self.word_cost(program.op)
        if isinstance(program, Lambda):
            return LAMBDA_COST + self.cost(program.body)
        if isinstance(program, Call):
            own = self.word_cost(program.function) if isinstance(program.function, Op) else FOREIGN_COST
            return own + sum(map(self.cost, program.children))
        return FOREIGN_COST + sum(map(self.cost, program.children))

    def body_cost(self, program: Program) -> int:
        """The same without the outermost `lambda`, which every solution has."""
        return self.cost(program.body if isinstance(program, Lambda) else program)

    def reweighted(self, programs: Iterable[Program], strength: float = 1.0) -> Grammar:
        """Words that occur in these programs become cheaper, all others dearer (Barke et al. 2020).

        Args:
            programs: each solves some of the examples.
            strength: 0 leaves the grammar, 1 trusts the counts as much as the costs that were.
        """
        counts: Counter[str] = Counter()
        for program in programs:
            counts.update(node.function.name for node in program.walk() if _calls_word(node))
        if not counts:
            return self
        share = {op.name: 2.0 ** -self.word_cost(op) for op in self.words}
        mass = sum(share.values())
        seen = sum(counts[name] for name in share)
        weight = {
            name: value / mass + strength * counts[name] / max(1, seen) for name, value in share.items()
        }
        total = sum(weight.values())
        costs = {name: max(1, round(-math.log2(value / total))) for name, value in weight.items()}
        return replace(self, costs={**self.costs, **costs})

    def with_constants(self, *constants: Constant) -> Grammar:
        """The grammar with more literals; one that is there already keeps its lower price."""
        best: dict[tuple, Constant] = {}
        for constant in (*self.constants, *constants):
            key = (type(constant.value), constant.value, constant.type)
            if key not in best or best[key].cost > constant.cost:
                best[key] = constant
        return replace(self, constants=tuple(best.values()))

    def word(self, name: str) -> Op:
        """The word of that name.

        Raises:
            SpaceError: when the grammar lacks it.
        """
        for op in self.words:
            if op.name == name:
                return op
        raise SpaceError(f"The grammar has no word `{name}`.", todo="Add it to `words`.")


def usual_costs() -> dict[str, int]:
    """Bits of the words that people use most, before anything was learnt.

    >>> usual_costs()["map"] < usual_costs()["interleave"]
    True
    """
    return {name: cost for cost, names in USUAL_COSTS.items() for name in names.split()}


def grammar_for(words: Iterable[Op], names: Sequence[str], types: Sequence[Type], result: Type) -> Grammar:
    """The words that can be of use for arguments and a result of these types, with usual costs.

    A word is of use when every type in its signature occurs in the task; whole numbers and truth values always
    do. Words that fit themselves and layers are left out.

    Args:
        words: a vocabulary's values.
        names: of the arguments.
        types: of the arguments.
        result: of the program.

    >>> from perennial.lang import List
    >>> from perennial.primitives import vocabulary
    >>> grammar = grammar_for(vocabulary().values(), ["xs"], [List(Int)], Int)
    >>> {"map", "total"} <= {op.name for op in grammar.words}, grammar.literal_cost(1)
    (True, 2)
    """
    allowed = set().union(ALWAYS_ALLOWED, *(_constructors(kind) for kind in (*types, result)))
    kept = [op for op in words if type(op) is Primitive and _of_use(op, allowed)]
    constants = tuple(Constant(value, Int, cost) for value, cost in USUAL_NUMBERS.items())
    return Grammar(tuple(kept), dict(zip(names, types, strict=True)), result, constants, usual_costs())


def _of_use(op: Primitive, allowed: set[str]) -> bool:
    return all(
        _constructors(kind) <= allowed or (kind == Real and "Int" in allowed)
        for kind in op.signature.arguments
    ) and (_constructors(op.signature.result) <= allowed)


def _constructors(kind: object) -> set[str]:
    """Names of all types inside a type, without functions and variables."""
    if not isinstance(kind, Type) or isinstance(kind, TypeVar):
        return set()
    own = set() if isinstance(kind, Arrow) else {kind.name}
    return own.union(*map(_constructors, kind.arguments))


def written_cost(value: Any) -> int:
    """Bits to write a constant down with no help: a self-delimiting code (Elias 1975).

    >>> written_cost(0), written_cost(9), written_cost(1000) > written_cost(10), written_cost((1, 2))
    (3, 9, True, 12)
    """
    if isinstance(value, bool) or value is None:
        return 2
    if isinstance(value, int):
        return 3 + 2 * abs(value).bit_length() - (2 if value else 0) + (value < 0)
    if isinstance(value, float):
        return 8 + 2 * len(f"{value:.12g}") if math.isfinite(value) else 8
    if isinstance(value, str):
        return 3 + 5 * len(value)
    if isinstance(value, tuple):
        return 2 + sum(map(written_cost, value)) + (2 if value else 0)
    raise ProgramError(f"Not a constant: {value!r}.")


def _calls_word(node: Program) -> bool:
    return isinstance(node, Call) and isinstance(node.function, Op)
