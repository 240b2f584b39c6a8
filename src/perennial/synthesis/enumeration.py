"""Bottom-up enumeration for words of any types, in plain Python.

Every program is known by its column of values on all examples; of programs with equal columns only the
cheapest is kept (observational equivalence), and longer ones are made of kept ones in the order of cost.
Values are interned, so a column is a tuple of small numbers. Inner functions are columns over the flattened
values that they may be applied to. After a part of the time words of partial solutions become cheaper and the
search begins anew (just-in-time learning; Barke, Peleg and Polikarpova 2020).

Slower than the compiled search over numbers and lists, it takes any `@primitive` word.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product

from perennial.errors import NoAnswer, PerennialError
from perennial.lang import (
    Bool,
    Int,
    Lambda,
    Literal,
    Program,
    Substitution,
    Type,
    TypeVar,
    Var,
    call,
    evaluate,
)
from perennial.lang.ops import Primitive
from perennial.lang.types import Arrow
from perennial.primitives import vocabulary
from perennial.spaces.grammar import LAMBDA_COST, Constant, Grammar, grammar_for
from perennial.synthesis.base import LARGEST_VALUE, UNANSWERED, Budget, Engine, Examples, Found
from perennial.synthesis.conditionals import Part, Tree, decision_tree
from perennial.synthesis.ranking import judged

BYTES_PER_ENTRY = 700
MOST_ROWS = 60
MOST_ROWS_PER_EXAMPLE = 8
MOST_FUNCTIONS = 1_500
MOST_PARTS = 3_000
MOST_TYPES = 12
LARGEST_INTEGER = 1 << 256
LOOK_EVERY = 256
FIRST_SHARE = 0.4
INNER_FUEL = 500


@dataclass(frozen=True, eq=False)
class Entry:
    """A program known by its values.

    Args:
        values: one for each row; `UNANSWERED` where it has none; for functions, callables.
        op: the word that was applied last; None for a leaf.
        parts: what it was applied to.
        leaf: the program, when it is a leaf.
    """

    values: tuple
    op: Primitive | None = None
    parts: tuple[Entry, ...] = ()
    leaf: Program | None = None

    def program(self) -> Program:
        """The program itself."""
        if self.leaf is not None:
            return self.leaf
        return call(self.op, *(part.program() for part in self.parts))


@dataclass(frozen=True, eq=False)
class Instance:
    """A word with its type variables filled in."""

    op: Primitive
    inputs: tuple[Type, ...]
    result: Type
    cost: int


@dataclass(eq=False)
class Context:
    """Known programs over some rows, by type and cost.

    Args:
        rows: how many values a column has.
        instances: words at ground types.
        room: how many programs it may hold.
        functions: gives the inner context of a function type, when functions are allowed.
    """

    rows: int
    instances: Sequence[Instance]
    room: int
    functions: Callable[[Arrow], FunctionContext] | None = None
    level: int = 0
    count: int = 0
    tried: int = 0
    known: dict[Type, dict[int, list[Entry]]] = field(default_factory=dict)
    seen: dict[Type, set] = field(default_factory=dict)
    leaves: dict[int, list[tuple[Type, Entry]]] = field(default_factory=dict)
    _numbers: dict = field(default_factory=dict)

    def leaf(self, kind: Type, values: Sequence, program: Program, cost: int) -> None:
        """A variable or constant; given before its level is reached."""
        self.leaves.setdefault(max(1, cost), []).append((kind, Entry(tuple(values), leaf=program)))

    def entries(self, kind: Type) -> Iterator[tuple[int, Entry]]:
        """Everything known of a type, with its cost, the cheapest first."""
        for cost, entries in sorted(self.known.get(kind, {}).items()):
            for entry in entries:
                yield cost, entry

    def grow(self, budget: Budget) -> Iterator[tuple[Type, Entry]]:
        """The programs of the next cost that do something new, as they are made."""
        cost = self.level + 1
        for kind, entry in self.leaves.get(cost, ()):
            if self._keep(kind, entry, cost):
                yield kind, entry
        for instance in self.instances:
            for costs in _splits(cost - instance.cost, len(instance.inputs)):
                columns = [
                    self._of_cost(kind, part) for kind, part in zip(instance.inputs, costs, strict=True)
                ]
                if all(columns):
                    yield from self._apply(instance, columns, cost, budget)
                if budget.over or self.count >= self.room:
                    return
        self.level = cost

    def _of_cost(self, kind: Type, cost: int) -> Sequence[Entry]:
        if isinstance(kind, Arrow):
            return self.functions(kind).of_cost(cost) if self.functions is not None else ()
        return self.known.get(kind, {}).get(cost, ())

    def _apply(
        self, instance: Instance, columns: Sequence[Sequence[Entry]], cost: int, budget: Budget
    ) -> Iterator[tuple[Type, Entry]]:
        op, kind = instance.op, instance.result
        for parts in product(*columns):
            self.tried += 1
            if self.tried % LOOK_EVERY == 0 and budget.over:
                return
            rows = zip(*(part.values for part in parts), strict=True)
            values = tuple([applied(op, row) for row in rows])
            entry = Entry(values, op, parts)
            if self._keep(kind, entry, cost):
                yield kind, entry
                if self.count >= self.room:
                    return

    def _keep(self, kind: Type, entry: Entry, cost: int) -> bool:
        if sum(value is UNANSWERED for value in entry.values) * 2 > len(entry.values):
            return False
        try:
            key = tuple([self._number(value) for value in entry.values])
        except TypeError:  # a value that cannot be hashed
            key = repr(entry.values)
        seen = self.seen.setdefault(kind, set())
        if key in seen:
            return False
        seen.add(key)
        self.known.setdefault(kind, {}).setdefault(cost, []).append(entry)
        self.count += 1
        return True

    def _number(self, value: object) -> int:
        if isinstance(value, float) and math.isnan(value):
            value = "NaN is equal to itself here"
        return self._numbers.setdefault(value, len(self._numbers))


class FunctionContext:
    """Inner functions of one type: programs over the values that they may be applied to.

    Args:
        arrow: the type of the functions.
        context: over the flattened rows.
        arguments: of each row.
        owners: the example of each row.
        outer: for each example the values of the variables of the whole program.
        names: of the arguments.
        budget: of the whole search.
    """

    def __init__(
        self,
        arrow: Arrow,
        context: Context,
        arguments: Sequence[tuple],
        owners: Sequence[int],
        outer: Sequence[Mapping[str, object]],
        names: tuple[str, ...],
        budget: Budget,
    ) -> None:
        self.arrow, self.context, self.arguments, self.owners = arrow, context, arguments, owners
        self.outer, self.names, self.budget = outer, names, budget
        self._made: dict[int, list[Entry]] = {}

    def of_cost(self, cost: int) -> Sequence[Entry]:
        """Functions of exactly this cost."""
        body_cost = cost - LAMBDA_COST
        context = self.context
        while context.level < body_cost and context.count < context.room and not self.budget.over:
            for _ in context.grow(self.budget):
                pass
        if cost not in self._made and context.level >= body_cost:
            bodies = self.context.known.get(self.arrow.result, {}).get(body_cost, ())
            self._made[cost] = [self._function(body) for body in bodies]
        return self._made.get(cost, ())

    def _function(self, body: Entry) -> Entry:
        tables: list[dict] = [{} for _ in self.outer]
        for owner, arguments, value in zip(self.owners, self.arguments, body.values, strict=True):
            try:
                tables[owner][arguments] = value
            except TypeError:
                continue
        values = tuple(
            _tabulated(table, body, self.names, outer)
            for table, outer in zip(tables, self.outer, strict=True)
        )
        return Entry(values, leaf=Lambda(self.names, body.program()))


def _tabulated(table: dict, body: Entry, names: tuple[str, ...], outer: Mapping[str, object]) -> Callable:
    program: list[Program] = []

    def function(*arguments: object) -> object:
        value = table.get(arguments)
        if value is None:
            if not program:
                program.append(Lambda((*outer, *names), body.program()))
            value = table[arguments] = _evaluated(program[0], (*outer.values(), *arguments))
        if value is UNANSWERED:
            raise NoAnswer("The inner function has no answer.")
        return value

    return function


def _evaluated(program: Program, arguments: tuple) -> object:
    try:
        return evaluate(program, *arguments, fuel=INNER_FUEL, max_size=LARGEST_VALUE)
    except PerennialError:
        return UNANSWERED


def applied(op: Primitive, arguments: tuple) -> object:
    """The value of a word on one row, `UNANSWERED` where it has none or is too large.

    >>> from perennial.primitives import vocabulary
    >>> applied(vocabulary()["first_item"], ((),))
    UNANSWERED
    """
    if UNANSWERED in arguments:
        if not op.lenient:
            return UNANSWERED
        nothing = NoAnswer("no value")
        arguments = tuple(nothing if value is UNANSWERED else value for value in arguments)
    try:
        value = op.function(*arguments)
    except (PerennialError, OverflowError, MemoryError, RecursionError):
        return UNANSWERED
    if isinstance(value, NoAnswer):
        return UNANSWERED
    if isinstance(value, int):
        return value if -LARGEST_INTEGER < value < LARGEST_INTEGER else UNANSWERED
    if isinstance(value, (tuple, str, dict)) and len(value) > LARGEST_VALUE:
        return UNANSWERED
    return value


class Enumeration(Engine):
    """Tries all programs in the order of their description length; takes words of any types."""

    name = "enumeration"

    def run(self, examples: Examples, grammar: Grammar, budget: Budget) -> Iterator[Found]:
        """Two rounds: the second with words of partial solutions cheaper."""
        if not grammar.words:
            words = vocabulary().values()
            grammar = grammar_for(words, examples.names, examples.types, examples.output_type)
        room = max(1_000, budget.memory // (BYTES_PER_ENTRY + 60 * len(examples)))
        best: Found | None = None
        for share in (FIRST_SHARE, 1.0):
            search = _Search(examples, grammar, budget.share(share), room, budget)
            with _without_collector():
                for found in search.run():
                    if best is None or found.order < best.order:
                        best = found
                        yield found
            if budget.over or (best is not None and best.complete and best.cost <= search.context.level + 1):
                return
            grammar = grammar.reweighted(search.partial_programs())


@contextmanager
def _without_collector() -> Iterator[None]:
    """The garbage collector off: there are no cycles, and it would look at every column again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Search:
    def __init__(
        self, examples: Examples, grammar: Grammar, budget: Budget, room: int, whole: Budget
    ) -> None:
        self.examples, self.grammar, self.budget, self.whole = examples, grammar, budget, whole
        self.types = ground_types(examples)
        self.instances = instances(grammar, self.types)
        self.context = Context(len(examples), self.instances, room, self._functions_of)
        self.inner: dict[Arrow, FunctionContext] = {}
        for place, (name, kind) in enumerate(zip(examples.names, examples.types, strict=True)):
            self.context.leaf(kind, examples.column(place), Var(name), grammar.variable_cost)
        for constant in grammar.constants:
            self._constant(self.context, constant, len(examples))
        self.parts: dict[int, Part] = {}
        self.tests: dict[int, Part] = {}
        self.everything = (1 << len(examples)) - 1
        self.covered_at = (0, 0)

    def run(self) -> Iterator[Found]:
        best_cost = math.inf
        while not self.budget.over and self.context.count < self.context.room:
            before = self.context.tried
            cost = self.context.level + 1
            for kind, entry in self.context.grow(self.budget):
                if kind == self.examples.output_type:
                    mask = self._mask(entry)
                    if mask and mask not in self.parts and len(self.parts) < MOST_PARTS:
                        self.parts[mask] = Part(mask, cost, entry)
                        yield self._found(entry.program())
                        if mask == self.everything:
                            return
                if kind == Bool:
                    self._note_test(entry, cost)
            if self.context.count >= self.context.room:
                self.whole.tell_full()
            if self.context.level < cost:
                break
            for found in self._covered():
                best_cost = min(best_cost, found.cost)
                yield found
            if best_cost <= cost or (self.context.tried == before and cost > 400):
                return

    def partial_programs(self) -> list[Program]:
        """The solutions of most examples that were found."""
        parts = sorted(self.parts.values(), key=lambda part: (-part.mask.bit_count(), part.cost))[:8]
        return [part.program.program() for part in parts]

    def _found(self, body: Program) -> Found:
        program = Lambda(self.examples.names, body)
        return judged(program, self.examples, self.grammar, "enumeration", self.whole.spent)

    def _mask(self, entry: Entry) -> int:
        mask = 0
        for place, (value, wanted) in enumerate(zip(entry.values, self.examples.outputs, strict=True)):
            if value is wanted or value == wanted:
                mask |= 1 << place
        return mask

    def _note_test(self, entry: Entry, cost: int) -> None:
        if UNANSWERED in entry.values or len(self.tests) >= MOST_PARTS:
            return
        mask = sum(1 << place for place, value in enumerate(entry.values) if value)
        if 0 < mask < self.everything and mask not in self.tests:
            self.tests[mask] = Part(mask, cost, entry)

    def _covered(self) -> Iterator[Found]:
        """A decision tree over what is known, when there is something new to try."""
        now = (len(self.parts), len(self.tests))
        words = {op.name: op for op in self.grammar.words}
        if now == self.covered_at or "if" not in words or len(self.examples) < 3:
            return
        self.covered_at = now
        budget = self.budget.within(0.2)
        tree = decision_tree(
            list(self.parts.values()), list(self.tests.values()), self.everything, budget=budget
        )
        if tree is not None and tree.part is None:
            yield self._found(_tree_program(tree, words["if"]))

    def _constant(self, context: Context, constant: Constant, rows: int) -> None:
        context.leaf(constant.type, (constant.value,) * rows, Literal(constant.value), constant.cost)

    def _functions_of(self, arrow: Arrow) -> FunctionContext:
        if arrow not in self.inner:
            self.inner[arrow] = self._open_functions(arrow)
        return self.inner[arrow]

    def _open_functions(self, arrow: Arrow) -> FunctionContext:
        """A context over the values of the argument types that occur in each example."""
        names = argument_names(len(arrow.inputs), self.examples.names)
        arguments, owners = [], []
        for place, row in enumerate(self.examples.inputs):
            here = values_inside(row, self.examples.types)
            pools = [here.get(kind, [])[:MOST_ROWS_PER_EXAMPLE] for kind in arrow.inputs]
            for values in list(product(*pools))[:MOST_ROWS_PER_EXAMPLE]:
                arguments.append(values)
                owners.append(place)
        arguments, owners = arguments[:MOST_ROWS], owners[:MOST_ROWS]
        plain = [one for one in self.instances if not any(isinstance(kind, Arrow) for kind in one.inputs)]
        context = Context(len(arguments), plain if arguments else (), MOST_FUNCTIONS)
        if arguments:
            for place, (name, kind) in enumerate(zip(names, arrow.inputs, strict=True)):
                context.leaf(kind, [values[place] for values in arguments], Var(name), 1)
            for place, (name, kind) in enumerate(zip(self.examples.names, self.examples.types, strict=True)):
                column = self.examples.column(place)
                context.leaf(kind, [column[owner] for owner in owners], Var(name), 3)
            for constant in self.grammar.constants:
                self._constant(context, constant, len(arguments))
        outer = [dict(zip(self.examples.names, row, strict=True)) for row in self.examples.inputs]
        return FunctionContext(arrow, context, arguments, owners, outer, names, self.budget)


def _tree_program(tree: Tree, word: Primitive) -> Program:
    if tree.part is not None:
        return tree.part.program.program()
    return call(
        word, tree.test.program.program(), _tree_program(tree.yes, word), _tree_program(tree.no, word)
    )


def argument_names(number: int, taken: Sequence[str]) -> tuple[str, ...]:
    """Names for the arguments of an inner function that are not names of the examples.

    >>> argument_names(2, ["x"])
    ('y', 'z')
    """
    free = (name for name in ("x", "y", "z", "u", "v", "w", "x_1", "x_2", "x_3") if name not in taken)
    return tuple(next(free) for _ in range(number))


def ground_types(examples: Examples) -> list[Type]:
    """The types in the examples and inside them, whole numbers and truth values."""
    found = dict.fromkeys((*examples.types, examples.output_type))
    stack = list(found)
    while stack:
        inside = [part for part in stack.pop().arguments if isinstance(part, Type)]
        stack += [part for part in inside if part not in found]
        found |= dict.fromkeys(inside)
    return list(found | dict.fromkeys((Int, Bool)))[:MOST_TYPES]


def instances(grammar: Grammar, types: Sequence[Type]) -> list[Instance]:
    """Every word of the grammar at all ground types that occur."""
    found = []
    for op in grammar.words:
        if type(op) is not Primitive or op.rest is not None or not op.signature.inputs:
            continue
        variables = op.signature.variables
        for chosen in product(types, repeat=len(variables)):
            arrow = Substitution(dict(zip(variables, chosen, strict=True))).apply(op.signature)
            parts = (arrow.result, *(part for kind in arrow.inputs for part in _plain_parts(kind)))
            if all(_usable(part, types) for part in parts):
                inputs = tuple(_numeric(kind, types) for kind in arrow.inputs)
                found.append(Instance(op, inputs, arrow.result, grammar.word_cost(op)))
    return found


def _plain_parts(kind: Type) -> tuple[Type, ...]:
    return kind.arguments if isinstance(kind, Arrow) else (kind,)


def _usable(kind: Type, types: Sequence[Type]) -> bool:
    return not isinstance(kind, (Arrow, TypeVar)) and (kind in types or kind.name == "Real")


def _numeric(kind: Type, types: Sequence[Type]) -> Type:
    """Where a real number is asked for and none occurs, a whole number is given."""
    return Int if kind.name == "Real" and kind not in types else kind


def values_inside(row: Sequence, types: Sequence[Type]) -> dict[Type, list]:
    """All distinct values in a row, and inside its lists and pairs, by type."""
    found: dict[Type, list] = {}
    stack = list(zip(row, types, strict=True))[::-1]
    while stack:
        value, kind = stack.pop()
        values = found.setdefault(kind, [])
        if value not in values:
            values.append(value)
        if kind.name in ("List", "Option") and isinstance(value, tuple):
            stack += [(item, kind.arguments[0]) for item in reversed(value)]
        elif kind.name == "Pair":
            stack += list(zip(value, kind.arguments, strict=True))[::-1]
    return found


def _splits(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        if total >= 1:
            yield (total,)
        return
    for first in range(1, total - parts + 2):
        for rest in _splits(total - first, parts - 1):
            yield (first, *rest)
