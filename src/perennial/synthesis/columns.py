"""Banks of columns: everything a search knows, in the order of cost, with where each came from.

A `Bank` holds the columns of one type; a `Workshop` holds the banks of one context (a set of examples, or the
flattened items inside them) and grows them level by level: at cost `c` every word is applied to all known
columns whose costs add up to what is left (bottom-up enumeration in the order of cost; Barke et al. 2020).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np

from perennial.lang import Lambda, Op, Program, call
from perennial.spaces.grammar import LAMBDA_COST
from perennial.synthesis import kernels
from perennial.synthesis.base import Budget

LEAF = -1
BLOCK = 200_000
ANY_GOAL = np.uint64(0)
FUNCTION_KINDS = {"map": "int", "test": "bool"}
KINDS = ("int", "bool", "list", "map", "test")


@dataclass(frozen=True, eq=False)
class Rule:
    """A word as the kernels know it.

    Args:
        code: of the kernels.
        kinds: of the arguments in the kernels' order: lists, then numbers; a function first.
        result: kind of the result.
        build: makes the program from the programs of the arguments.
        cost: in bits.
        mirrored: the order of the two arguments does not matter.
    """

    code: int
    kinds: tuple[str, ...]
    result: str
    build: Callable[..., Program]
    cost: int
    mirrored: bool = False


class Bank:
    """Columns of one kind in the order of cost.

    Args:
        kind: `int`, `bool` or `list`.
        width: examples.
        room: how many columns it may hold.
        arena: for lists, how many items it may hold altogether.
    """

    def __init__(self, kind: str, width: int, room: int, arena: int = 0) -> None:
        self.kind, self.width, self.room = kind, width, room
        self.keys = untouched((room,), np.uint64)
        self.table = untouched((1 << max(4, (2 * room - 1).bit_length()),), np.int32)
        self.parents = untouched((room, 5), np.int32)
        self.state = np.zeros(kernels.STATE_SIZE, np.int64)
        self.starts = [0]  # starts[cost] is the first column of that cost
        self.leaves: list[Program] = []
        self.goal = ANY_GOAL
        self._forget_hit()
        if kind == "list":
            self.items = untouched((arena,), np.int32)
            self.offsets = untouched((room, width + 1), np.int32)
        else:
            self.values = untouched((room, width), np.int32)

    def __len__(self) -> int:
        return int(self.state[kernels.COUNT_KEPT])

    @property
    def full(self) -> bool:
        """Whether nothing more can be kept."""
        return len(self) >= self.room or (
            self.kind == "list" and self.state[kernels.ARENA_END] + self.width * 64 > len(self.items)
        )

    @property
    def bytes(self) -> int:
        """Memory that has been written to."""
        each = self.keys.itemsize + self.parents.strides[0]
        if self.kind == "list":
            used = int(self.state[kernels.ARENA_END]) * self.items.itemsize
            return used + len(self) * (each + self.offsets.strides[0]) + self.table.nbytes
        return len(self) * (each + self.values.strides[0]) + self.table.nbytes

    def span(self, cost: int) -> tuple[int, int]:
        """The range of columns of a cost."""
        if cost < 0 or cost >= len(self.starts):
            return (0, 0)
        return self.starts[cost], self.starts[cost + 1] if cost + 1 < len(self.starts) else len(self)

    def cost_of(self, place: int) -> int:
        """The cost of a column."""
        return int(np.searchsorted(self.starts, place, side="right")) - 1

    def open_level(self, cost: int) -> None:
        """From now on columns of this cost are put in."""
        while len(self.starts) <= cost:
            self.starts.append(len(self))

    def find(self, column: Sequence) -> int:
        """The place of a column, or -1."""
        return int(kernels.lookup(self.key(column), self.keys, self.table))

    def key(self, column: Sequence) -> np.uint64:
        """The hash of a column."""
        if self.kind == "list":
            return np.uint64(kernels.list_key(*packed(column)))
        return np.uint64(kernels.row_key(np.ascontiguousarray(column, np.int32)))

    def put(self, column: Sequence, program: Program) -> None:
        """A leaf, unless its column is known or the bank is full."""
        with np.errstate(over="ignore"):
            key = self.key(column)
            slot = kernels.slot_of(key, self.keys, self.table)
        if self.table[slot] != 0 or self.full:
            return
        count = len(self)
        if self.kind == "list":
            items, offsets = packed(column)
            end = int(self.state[kernels.ARENA_END])
            if end + len(items) > len(self.items):
                return
            self.items[end : end + len(items)] = items
            self.offsets[count] = end + offsets
            self.state[kernels.ARENA_END] += len(items)
        else:
            self.values[count] = column
        self.keys[count] = key
        self.parents[count, :2] = LEAF, len(self.leaves)
        self.leaves.append(program)
        self.state[kernels.COUNT_KEPT] = count + 1
        self.table[slot] = count + 1

    def column(self, place: int) -> list:
        """The values of a column; None where there is no answer."""
        if self.kind != "list":
            return [None if value == kernels.NONE else int(value) for value in self.values[place]]
        bounds = self.offsets[place]
        found = [tuple(self.items[a:b].tolist()) for a, b in pairwise(bounds)]
        return [None if items == (kernels.NONE,) else items for items in found]

    def hit(self) -> tuple[int, int, int, int] | None:
        """Arguments of a candidate that reached the goal after the bank was full."""
        found = self.state[kernels.HIT_FIRST : kernels.HIT_FOURTH + 1]
        if found[0] < 0:
            return None
        hit = tuple(map(int, found))
        self._forget_hit()
        return hit

    def _forget_hit(self) -> None:
        self.state[kernels.HIT_FIRST : kernels.HIT_FOURTH + 1] = -1


def untouched(shape: tuple[int, ...], kind: type) -> np.ndarray:
    """Zeros that take memory only as they are written to, and give it back at once when they are let go.

    An array of NumPy may be put where another was, on pages that are there already.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    return np.frombuffer(mmap.mmap(-1, max(1, size)), np.uint8)[:size].view(kind).reshape(shape)


def packed(column: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lists one after another, and where each begins."""
    lists = [(kernels.NONE,) if items is None else items for items in column]
    offsets = np.zeros(len(lists) + 1, np.int32)
    np.cumsum([len(items) for items in lists], out=offsets[1:])
    return np.array([value for items in lists for value in items], np.int32), offsets


@dataclass(eq=False)
class Workshop:
    """The banks of one context and the words that make them grow.

    Args:
        banks: by kind: `int`, `bool`, perhaps `list`.
        rules: words.
        longest: items that a list may have.
        functions: the workshop of the bodies of inner functions, when there are any.
        domain: `(lowest, places, size)` of the tabulated arguments of inner functions.
        argument: name of the argument of inner functions.
    """

    banks: dict[str, Bank]
    rules: Sequence[Rule]
    longest: int = 64
    functions: Workshop | None = None
    domain: tuple[int, np.ndarray, int] = (0, np.zeros(0, np.int32), 0)
    argument: str = "x"
    level: int = 0
    leaves: dict[int, list[tuple[str, Sequence, Program]]] = field(default_factory=dict)
    hits: list[tuple[str, int, Program]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_code = {(rule.code, rule.kinds, rule.result): rule for rule in self.rules}
        self._by_result = {(rule.code, rule.result): rule for rule in self.rules}
        width = next(iter(self.banks.values())).width
        self._scratch = np.empty(width * (2 * self.longest + 64) + 64, np.int32)
        self._marks = np.empty_like(self._scratch)
        self._nothing = np.zeros((1, width), np.int32)

    @property
    def tried(self) -> int:
        """How many candidates were formed."""
        inner = self.functions.tried if self.functions is not None else 0
        return inner + sum(int(bank.state[kernels.TRIED]) for bank in self.banks.values())

    @property
    def bytes(self) -> int:
        """Memory that its banks have written to."""
        return sum(bank.bytes for bank in self.banks.values())

    def leaf(self, kind: str, column: Sequence, program: Program, cost: int) -> None:
        """A variable, constant or other part known from the start; given before its level is reached."""
        self.leaves.setdefault(max(1, cost), []).append((kind, column, program))

    def grow(self, budget: Budget) -> Iterator[int]:
        """The next level; gives the cost of the level each time a block of work is done.

        A level that is not finished leaves what was found; `level` counts finished ones.
        """
        cost = self.level + 1
        for bank in self.banks.values():
            bank.open_level(cost)
        for kind, column, program in self.leaves.get(cost, ()):
            self.banks[kind].put(column, program)
        self._grow_functions(cost, budget)
        for rule in self.rules:
            left = cost - rule.cost
            for costs in _splits(left, len(rule.kinds)):
                yield from self._apply(rule, costs, cost, budget)
                if budget.over:
                    return
        self.level = cost
        yield cost

    def finished(self) -> bool:
        """Whether all banks are full, so that nothing can be added."""
        return all(bank.full for bank in self.banks.values())

    def program(self, kind: str, place: int) -> Program:
        """The program of a column."""
        if kind in FUNCTION_KINDS:
            body = self.functions.program(FUNCTION_KINDS[kind], place)
            return Lambda((self.argument,), body)
        bank = self.banks[kind]
        code, *arguments = map(int, bank.parents[place])
        if code == LEAF:
            return bank.leaves[arguments[0]]
        return self._built(self._by_result[code, kind], arguments)

    def _built(self, rule: Rule, arguments: Sequence[int]) -> Program:
        places = self._argument_places(rule, arguments)
        return rule.build(*(self.program(kind, at) for kind, at in zip(rule.kinds, places, strict=True)))

    def _argument_places(self, rule: Rule, arguments: Sequence[int]) -> list[int]:
        """The kernels keep two places for lists, then two for numbers; scalar words and functions have two."""
        if "list" not in rule.kinds and rule.result != "list":
            return list(arguments[: len(rule.kinds)])
        if rule.kinds[0] in FUNCTION_KINDS:
            return list(arguments[:2])
        lists = [at for kind, at in zip(rule.kinds, arguments, strict=False) if kind == "list"]
        return lists + list(arguments[2 : 2 + len(rule.kinds) - len(lists)])

    def _grow_functions(self, cost: int, budget: Budget) -> None:
        inner = self.functions
        if inner is None:
            return
        while inner.level < cost - LAMBDA_COST - 2 and not inner.finished() and not budget.over:
            for _ in inner.grow(budget):
                pass

    def _span(self, kind: str, cost: int) -> tuple[int, int]:
        if kind in FUNCTION_KINDS:
            return self.functions.banks[FUNCTION_KINDS[kind]].span(cost - LAMBDA_COST)
        return self.banks[kind].span(cost)

    def _apply(self, rule: Rule, costs: tuple[int, ...], cost: int, budget: Budget) -> Iterator[int]:
        spans = [self._span(kind, part) for kind, part in zip(rule.kinds, costs, strict=True)]
        if any(begin >= end for begin, end in spans):
            return
        same = rule.mirrored and costs[-1] == costs[-2]
        if rule.mirrored and costs[-1] < costs[-2]:
            return
        rest = 1
        for begin, end in spans[1:]:
            rest *= end - begin
        first, last = spans[0]
        step = max(1, BLOCK // rest)
        result = self.banks[rule.result]
        with np.errstate(over="ignore"):
            for begin in range(first, last, step):
                self._pass(rule, [(begin, min(last, begin + step)), *spans[1:]], same, result)
                self._note_hit(rule, result)
                yield cost
                if budget.over:
                    return

    def _note_hit(self, rule: Rule, result: Bank) -> None:
        hit = result.hit()
        if hit is not None:
            self.hits.append((rule.result, self.level + 1, self._built(rule, hit)))

    def _pass(self, rule: Rule, spans: list[tuple[int, int]], same: bool, result: Bank) -> None:
        kept = (result.keys, result.table, result.parents)
        if rule.kinds[0] in FUNCTION_KINDS:
            self._function_pass(rule, spans, result, kept)
        elif rule.result == "list":
            self._list_pass(rule, spans, same, result, kept)
        elif "list" in rule.kinds:
            lists = self.banks["list"]
            numbers, ranges = self._ranges(rule, spans)
            kernels.measure_pass(
                rule.code, lists.items, lists.offsets, rule.kinds.count("list"), numbers, ranges,
                result.values, *kept, result.state, result.goal,
            )  # fmt: skip
        else:
            left = self.banks[rule.kinds[0]].values
            right, span = self._nothing, (0, 1)
            if len(rule.kinds) == 2:
                right, span = self.banks[rule.kinds[1]].values, spans[1]
            kernels.scalar_pass(
                rule.code, left, *spans[0], right, *span, same, result.values, *kept,
                result.state, result.goal,
            )  # fmt: skip

    def _ranges(self, rule: Rule, spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        lists = [span for kind, span in zip(rule.kinds, spans, strict=True) if kind == "list"]
        others = [span for kind, span in zip(rule.kinds, spans, strict=True) if kind != "list"]
        ranges = np.array(
            [*lists, *[(0, 1)] * (2 - len(lists)), *others, *[(0, 1)] * (2 - len(others))], np.int64
        )
        return (self.banks["int"].values if others else self._nothing), ranges

    def _list_pass(
        self, rule: Rule, spans: list[tuple[int, int]], same: bool, result: Bank, kept: tuple
    ) -> None:
        numbers, ranges = self._ranges(rule, spans)
        kernels.list_pass(
            rule.code, result.items, result.offsets, rule.kinds.count("list"), numbers, ranges,
            same and rule.kinds.count("int") == 2, self.longest, *kept,
            self._scratch, result.state, result.goal,
        )  # fmt: skip

    def _function_pass(self, rule: Rule, spans: list[tuple[int, int]], result: Bank, kept: tuple) -> None:
        tables = self.functions.banks[FUNCTION_KINDS[rule.kinds[0]]].values
        lists = self.banks["list"]
        arguments = (rule.code, tables, *spans[0], *self.domain, lists.items, lists.offsets, *spans[1])
        if rule.result == "list":
            kernels.function_list_pass(
                *arguments, *kept, self._scratch, self._marks, result.state, result.goal
            )
        else:
            kernels.function_scalar_pass(*arguments, result.values, *kept, result.state, result.goal)


def _splits(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as a sum of so many positive numbers."""
    if parts == 1:
        if total >= 1:
            yield (total,)
        return
    for head in product(range(1, total), repeat=parts - 1):
        if sum(head) < total:
            yield (*head, total - sum(head))


def word(op: Op, *order: int) -> Callable[..., Program]:
    """Builds calls of a word whose arguments stand in another order than the kernels'."""
    if not order:
        return lambda *arguments: call(op, *arguments)
    return lambda *arguments: call(op, *(arguments[at] for at in order))
