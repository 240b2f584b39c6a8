"""Programs over whole numbers, truth values and lists of whole numbers.

Three searches share the time, all in the order of description length: the bottom-up enumeration of whole
programs by compiled kernels; inner functions for every known list of which the output is a `map` or `filter`;
and goals that remain when a known beginning or end is taken off the output. Partial solutions are covered by
conditionals. What is given out was run by the interpreter on all examples.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from perennial.errors import PerennialError
from perennial.lang import Bool, Call, Int, Lambda, List, Literal, Program, Var, call
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Grammar, grammar_for, written_cost
from perennial.synthesis import kernels
from perennial.synthesis.base import Budget, Engine, Examples, Found
from perennial.synthesis.columns import Bank, Workshop, packed
from perennial.synthesis.conditionals import Part, decision_tree
from perennial.synthesis.lambdas import InnerSearch, Leaf, broadcast
from perennial.synthesis.ranking import judged
from perennial.synthesis.readiness import SECONDS_TO_COMPILE, compiled, compiling
from perennial.synthesis.rules import list_rules, scalar_rules
from perennial.synthesis.witnesses.lists import (
    after_prefix,
    all_kept,
    before_suffix,
    common_prefix,
    common_suffix,
    pieces,
    same_lengths,
)

KIND = {Int: "int", Bool: "bool", List(Int): "list"}
MOST_EXAMPLES = 10
MOST_CONSTANTS = 40
LARGEST_INPUT = 1 << 26
DOMAIN = 96
FUNCTION_ROOM = 4_000
BYTES_PER_LIST, BYTES_PER_NUMBER = 500, 150
BYTES_PER_WAITING, CHECK_MEMORY_EVERY = 8_000, 4
SLICE = 0.12
MOST_LISTS_LOOKED_AT = 4_000
MOST_GOALS = 400
DEEPEST_GOAL = 3
PARTIAL_SHARE = 200_000
CASES_SHARE = 0.5  # a program that tells cases apart waits so long for one that need not
BELIEVABLE_SHARE = 0.2  # a program this much shorter than the outputs is no accident


@dataclass(frozen=True, eq=False)
class Goal:
    """A column that is wanted, and how a program for it becomes one for the whole."""

    kind: str
    column: tuple
    wrap: Callable[[Program], Program]
    cost: int
    depth: int


class ListSearch(Engine):
    """Enumerates, deduces and covers; for whole numbers, truth values and lists of whole numbers."""

    name = "lists"

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """Whether all types are whole numbers, truth values, or lists of them, and no value is huge."""
        output = examples.output_type
        values = (value for row in (*examples.inputs, examples.outputs) for value in row)
        return (
            all(kind in KIND for kind in examples.types)
            and (output in KIND or output == List(Bool))
            and all(_small(value) for value in values)
        )

    def ready(self) -> bool:
        """Whether the kernels are compiled; else a process begins to compile them."""
        return compiled() or not compiling()

    def run(self, examples: Examples, grammar: Grammar, budget: Budget) -> Iterator[Found]:
        """Searches on some of the examples, and begins again with one that a program did not fit."""
        if not compiled() and budget.left < SECONDS_TO_COMPILE:
            return
        if not grammar.words:
            words = vocabulary().values()
            grammar = grammar_for(words, examples.names, examples.types, examples.output_type)
        places = chosen_places(examples)
        while not budget.over:
            search = _Search(examples, places, grammar, budget)
            yield from search.run()
            if search.misfit is None or search.misfit in places:
                return
            places = [*places, search.misfit]


def open_search(examples: Examples, grammar: Grammar, budget: Budget) -> _Search:
    """A search on all examples that has not begun."""
    return _Search(examples, range(len(examples)), grammar, budget)


def chosen_places(examples: Examples) -> list[int]:
    """Examples to search on: the longest, which tell most, and the shortest, where programs break."""
    order = sorted(range(len(examples)), key=lambda at: -_extent((examples.inputs[at], examples.outputs[at])))
    if len(order) <= MOST_EXAMPLES:
        return sorted(order)
    return sorted(order[: MOST_EXAMPLES - 2] + order[-2:])


def _extent(value: object) -> int:
    return sum(map(_extent, value)) if isinstance(value, tuple) else 1


def _small(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 200 and all(map(_small, value))
    return isinstance(value, (int, bool)) and abs(value) <= LARGEST_INPUT


class _Search:
    def __init__(self, examples: Examples, places: Sequence[int], grammar: Grammar, budget: Budget) -> None:
        self.all, self.some = examples, examples.subset(places)
        self.places, self.grammar, self.budget = list(places), grammar, budget
        self.words = {op.name: op for op in grammar.words}
        self.misfit: int | None = None
        self.best: Found | None = None
        self.solved_at: float | None = None
        self.goals: list[Goal] = []
        self.goal_keys: set[tuple] = set()
        self.inner: list[tuple[int, int, InnerSearch]] = []
        self.inner_keys: set[int] = set()
        self.order = count()
        self.turns, self.inner_memory = 0, budget.memory // 4
        self.looked_at: dict[int, int] = {}
        self.scalars = scalar_rules(grammar)
        self.workshop = self._open(budget.memory)
        self.parts: dict[int, Part] = {}
        self.seen_parts = 0
        self.believable = BELIEVABLE_SHARE * sum(map(written_cost, self.some.outputs))

    # What it begins with.

    def _open(self, memory: int) -> Workshop:
        width = len(self.some)
        memory = min(memory, 3 << 30) // 2
        self.function_room = max(200, min(FUNCTION_ROOM, memory // (8 * 4 * width * DOMAIN)))
        lists = int(min(3_000_000, memory // (BYTES_PER_LIST + 30 * width)))
        numbers = int(min(2_000_000, memory // 4 // (BYTES_PER_NUMBER + 4 * width)))
        banks = {"int": Bank("int", width, numbers), "bool": Bank("bool", width, numbers // 4)}
        banks["list"] = Bank("list", width, lists, arena=lists * (10 + 4 * width))
        longest = max(16, 2 * self._longest() + 4)
        workshop = Workshop(banks, list_rules(self.grammar), longest)
        for name, kind, at in zip(self.some.names, self.some.types, count(), strict=False):
            column = tuple(map(_plain, self.some.column(at)))
            workshop.leaf(KIND[kind], column, Var(name), self.grammar.variable_cost)
        for value, cost in self.constants().items():
            workshop.leaf("int", (value,) * width, Literal(value), cost)
        if "append" in self.words:
            workshop.leaf("list", ((),) * width, Literal(()), 4)
        workshop.functions, workshop.domain = self._functions()
        return workshop

    def _longest(self) -> int:
        values = [value for row in (*self.some.inputs, self.some.outputs) for value in row]
        return max((len(value) for value in values if isinstance(value, tuple)), default=4)

    def constants(self) -> dict[int, int]:
        """Whole numbers that may be written in the program, with their costs."""
        found = {
            constant.value: constant.cost
            for constant in self.grammar.constants
            if constant.type == Int and _small(constant.value)
        }
        often: Counter[int] = Counter()
        for row in zip(self.some.inputs, self.some.outputs, strict=True):
            often.update(set(_numbers(row)))
        for value, times in often.most_common(MOST_CONSTANTS):
            if value not in found and times >= max(2, 0.5 * len(self.some)):
                found[value] = 6
        return found

    def _functions(self) -> tuple[Workshop, tuple[int, np.ndarray, int]]:
        """The workshop of inner functions of one number, tabulated on the numbers of the examples."""
        often: Counter[int] = Counter()
        for row in zip(self.some.inputs, self.some.outputs, strict=True):
            often.update(_numbers(row))
        often.update(range(10))
        domain = sorted(value for value, _ in often.most_common(DOMAIN) if abs(value) <= 1000)
        places = np.full(domain[-1] - domain[0] + 1, -1, np.int32)
        for column, value in enumerate(domain):
            places[value - domain[0]] = column
        width, size = len(self.some), len(domain)
        banks = {kind: Bank(kind, width * size, self.function_room) for kind in ("int", "bool")}
        inner = Workshop(banks, self.scalars)
        inner.leaf("int", tuple(domain) * width, Var("x"), 1)
        for value, cost in self.constants().items():
            inner.leaf("int", (value,) * (width * size), Literal(value), cost)
        for leaf in self._outer_numbers():
            column = [value for value in leaf.column for _ in range(size)]
            inner.leaf("int", column, leaf.program, leaf.cost)
        return inner, (domain[0], places, size)

    def _outer_numbers(self) -> list[Leaf]:
        """Numbers about the whole example that inner functions may use."""
        found = []
        for name, kind, at in zip(self.some.names, self.some.types, count(), strict=False):
            column = tuple(map(_plain, self.some.column(at)))
            if kind == Int:
                found.append(Leaf("int", column, Var(name), 2))
            elif kind == List(Int):
                for word in ("length", "first_item", "last", "biggest", "smallest"):
                    if word in self.words:
                        program = call(self.words[word], Var(name))
                        values = [_value(self.words[word], items) for items in column]
                        found.append(
                            Leaf("int", values, program, 1 + self.grammar.word_cost(self.words[word]))
                        )
        return found

    # The loop.

    def run(self) -> Iterator[Found]:
        kind = KIND.get(self.some.output_type, "bools")
        column = tuple(map(_plain, self.some.outputs))
        yield from self._constant(column)
        self._add_goal(Goal(kind, column, lambda program: program, 0, 0))
        if kind in self.workshop.banks:
            bank = self.workshop.banks[kind]
            with np.errstate(over="ignore"):
                bank.goal = bank.key(column)
        growing: Iterator[int] = iter(())
        while not self.budget.over and not self.settled():
            turn = self.budget.within(SLICE)
            level = self.workshop.level
            while not turn.over:
                if next(growing, None) is None:
                    if self.workshop.level > level or self.workshop.level == 0:
                        yield from self._after_level()
                    if self.workshop.finished():
                        break
                    growing, level = self.workshop.grow(self.budget), self.workshop.level
            yield from self._hits()
            yield from self._inner_turn(self.budget.within(SLICE))
            if self.misfit is not None and (self.best is None or not self.best.complete):
                return
            if self.workshop.finished() and not self.inner:
                if any(bank.full for bank in self.workshop.banks.values()):
                    self.budget.tell_full()
                return

    def settled(self) -> bool:
        """Whether a complete program was found and nothing shorter can come soon."""
        if self.solved_at is None or self.best is None:
            return False
        cheapest = self.workshop.level + 1
        if self.inner:
            cheapest = min(cheapest, self.inner[0][0])
        patience = max(2 * self.solved_at, self.solved_at + 1.0)
        if _has_cases(self.best.program):
            patience = max(patience, CASES_SHARE * self.budget.seconds)
        return self.best.cost <= cheapest or (
            self.budget.spent > patience and self.best.cost <= self.believable
        )

    def _constant(self, column: tuple) -> Iterator[Found]:
        if len(set(column)) == 1:
            yield from self._offer(Literal(self.some.outputs[0]))

    def _after_level(self) -> Iterator[Found]:
        for goal in list(self.goals):
            yield from self._reached(goal)
        self._look_at_lists()
        yield from self._covered()

    def _hits(self) -> Iterator[Found]:
        for kind, _, program in self.workshop.hits:
            if kind == KIND.get(self.some.output_type):
                yield from self._offer(program)
        self.workshop.hits.clear()

    def _reached(self, goal: Goal) -> Iterator[Found]:
        bank = self.workshop.banks.get(goal.kind)
        if bank is None:
            return
        with np.errstate(over="ignore"):
            place = bank.find(goal.column)
        if place >= 0:
            if goal.depth > 0:
                self.goals.remove(goal)
            yield from self._offer(goal.wrap(self.workshop.program(goal.kind, place)))

    def _offer(self, body: Program) -> Iterator[Found]:
        """A program judged on all examples; given out when it is the best so far."""
        try:
            program = Lambda(self.all.names, body)
            found = judged(program, self.all, self.grammar, "lists", self.budget.spent)
        except PerennialError:
            return
        missed = [place for place in found.missed if place not in self.places]
        if missed and len(found.missed) == len(missed) and not found.complete:
            self.misfit = missed[0]
        if self.best is None or found.order < self.best.order:
            self.best = found
            if found.complete and self.solved_at is None:
                self.solved_at = self.budget.spent
            yield found

    # Goals that remain when something known is taken off.

    def _add_goal(self, goal: Goal) -> None:
        key = (goal.kind, goal.column)
        if key in self.goal_keys or len(self.goals) >= MOST_GOALS:
            return
        self.goal_keys.add(key)
        self.goals.append(goal)
        if goal.kind == "list" and goal.depth < DEEPEST_GOAL:
            self._take_off_constants(goal)
        if goal.kind in ("list", "bools"):
            lists = self.workshop.banks["list"]
            wanted, bounds = packed(goal.column)
            bits = kernels.relations(lists.items, lists.offsets, 0, min(len(lists), 60), wanted, bounds)
            for place in np.flatnonzero(bits):
                self._relate(goal, int(place), tuple(lists.column(int(place))))

    def _take_off_constants(self, goal: Goal) -> None:
        append = self.words.get("append")
        if append is None or len(set(goal.column)) == 1:
            return
        first, last = common_prefix(goal.column), common_suffix(goal.column)
        for size in {len(first), 1} - {0}:
            if size <= len(first):
                known = first[:size]
                rest = tuple(items[size:] for items in goal.column)
                self._remaining(
                    goal, rest, lambda body, known=known: call(append, Literal(known), body), known
                )
        for size in {len(last), 1} - {0}:
            if size <= len(last):
                known = last[-size:]
                rest = tuple(items[:-size] for items in goal.column)
                self._remaining(
                    goal, rest, lambda body, known=known: call(append, body, Literal(known)), known
                )

    def _remaining(self, goal: Goal, rest: tuple, wrap: Callable, known: tuple) -> None:
        cost = goal.cost + self.grammar.word_cost(self.words["append"]) + written_cost(known)
        self._add_goal(Goal("list", rest, lambda body: goal.wrap(wrap(body)), cost, goal.depth + 1))

    def _look_at_lists(self) -> None:
        """New lists of the bank against every goal: is it a beginning, a map, a filter?"""
        lists = self.workshop.banks["list"]
        for at, goal in enumerate(list(self.goals)):
            if goal.kind not in ("list", "bools"):
                continue
            begin = self.looked_at.get(id(goal), 0)
            limit = MOST_LISTS_LOOKED_AT if at == 0 else MOST_LISTS_LOOKED_AT // 8
            stop = min(len(lists), limit)
            self.looked_at[id(goal)] = max(begin, stop)
            if begin >= stop:
                continue
            wanted, bounds = packed(goal.column)
            bits = kernels.relations(lists.items, lists.offsets, begin, stop, wanted, bounds)
            for place in np.flatnonzero(bits):
                if self.budget.over:
                    return
                self._relate(goal, begin + int(place), tuple(lists.column(begin + int(place))))

    def _relate(self, goal: Goal, place: int, known: tuple) -> None:
        if any(items is None for items in known):
            return
        cost = goal.cost + self.workshop.banks["list"].cost_of(place)
        if same_lengths(known, goal.column):
            self._map(goal, place, known, cost)
        elif goal.kind == "list":
            size = pieces(known, goal.column)
            if size and "flat_map" in self.words:
                self._flat_map(goal, place, known, cost, size)
            for flags in all_kept(known, goal.column):
                self._filter(goal, place, known, cost, flags)
            if goal.depth < DEEPEST_GOAL and sum(map(bool, known)) * 2 > len(known):
                self._take_off(goal, place, known, cost)

    def _take_off(self, goal: Goal, place: int, known: tuple, cost: int) -> None:
        append = self.words.get("append")
        if append is None or known == goal.column:
            return
        cost += self.grammar.word_cost(append)
        for rest, before in (
            (after_prefix(known, goal.column), True),
            (before_suffix(known, goal.column), False),
        ):
            if rest is None or not any(rest):
                continue

            def wrap(body: Program, before: bool = before) -> Program:
                mine = self.workshop.program("list", place)
                return goal.wrap(call(append, mine, body) if before else call(append, body, mine))

            self._add_goal(Goal("list", tuple(rest), wrap, cost, goal.depth + 1))

    # Inner functions.

    def _map(self, goal: Goal, place: int, known: tuple, cost: int) -> None:
        kind = "bool" if goal.kind == "bools" else "int"
        target = [int(value) for items in goal.column for value in items]
        self._begin_inner(goal, place, known, target, kind, ("map", "map_places"), cost)

    def _filter(self, goal: Goal, place: int, known: tuple, cost: int, flags: list[bool]) -> None:
        self._begin_inner(
            goal, place, known, list(map(int, flags)), "bool", ("filter", "filter_places"), cost
        )

    def _flat_map(self, goal: Goal, place: int, known: tuple, cost: int, size: int) -> None:
        """Every item gives equally many: each of them is a `map` of its own, joined by `flat_map`."""
        if goal.depth > 0 or place > 30:
            return
        flat_map, single, prepend = (self.words.get(name) for name in ("flat_map", "single", "prepend"))
        if single is None or prepend is None:
            return
        bodies: dict[int, Program] = {}
        turns: dict[tuple, list[int]] = {}
        for turn in range(size):
            target = tuple(value for items in goal.column for value in items[turn::size])
            turns.setdefault(target, []).append(turn)
        for target, equal in turns.items():

            def finish(body: Program, equal: Sequence[int] = tuple(equal)) -> Program:
                bodies.update(dict.fromkeys(equal, body))
                if len(bodies) < size:
                    raise _NotYet
                joined = call(single, bodies[size - 1])
                for before in range(size - 2, -1, -1):
                    joined = call(prepend, bodies[before], joined)
                return goal.wrap(call(flat_map, Lambda(("x",), joined), self.workshop.program("list", place)))

            self._push(known, place, list(target), "int", finish, cost + 12, placed=False)

    def _begin_inner(
        self, goal: Goal, place: int, known: tuple, target: list[int], kind: str, words: tuple, cost: int
    ) -> None:
        plain, placed = (self.words.get(name) for name in words)
        if plain is None:
            return

        def finish(body: Program) -> Program:
            items = self.workshop.program("list", place)
            if "place" in body.free_variables:
                return goal.wrap(call(placed, Lambda(("place", "x"), body), items))
            return goal.wrap(call(plain, Lambda(("x",), body), items))

        base = cost + self.grammar.word_cost(plain) + 1
        self._push(known, place, target, kind, finish, base, placed=placed is not None)

    def _push(
        self,
        known: tuple,
        place: int,
        target: list[int],
        kind: str,
        finish: Callable,
        base: int,
        placed: bool,
    ) -> None:
        key = hash((known, kind, tuple(target)))
        if key in self.inner_keys or not target:
            return
        self.inner_keys.add(key)
        search = InnerSearch(
            _LazyLeaves(self, known, place, placed), self.scalars, target, kind, finish, base,
            self.words.get("if"),
        )  # fmt: skip
        heapq.heappush(self.inner, (search.next_cost, next(self.order), search))

    def inner_leaves(self, known: tuple, place: int, placed: bool) -> list[Leaf]:
        """Variables and constants of an inner function over the items of a known list."""
        leaves = [Leaf("int", [value for items in known for value in items], Var("x"), 1)]
        size = len(leaves[0].column)
        for value, cost in self.constants().items():
            leaves.append(Leaf("int", np.full(size, value, np.int32), Literal(value), cost))
        for leaf in self._outer_numbers():
            leaves.append(Leaf("int", broadcast(leaf.column, known), leaf.program, leaf.cost))
        items = self.workshop.program("list", place)
        if placed:
            leaves += self._placed_leaves(known, items)
        if "count_item" in self.words:
            values = [here.count(value) for here in known for value in here]
            program = call(self.words["count_item"], items, Var("x"))
            leaves.append(Leaf("int", values, program, 7))
        return leaves

    def _placed_leaves(self, known: tuple, items: Program) -> list[Leaf]:
        where = Var("place")
        leaves = [Leaf("int", [at for here in known for at in range(len(here))], where, 2)]
        if "at" in self.words and "subtract" in self.words:
            before = [here[at - 1] for here in known for at in range(len(here))]
            program = call(self.words["at"], items, call(self.words["subtract"], where, 1))
            leaves.append(Leaf("int", before, program, 9))
        if "item" in self.words and "add" in self.words:
            after = [(*here, 0)[at + 1] for here in known for at in range(len(here))]
            program = call(self.words["item"], items, call(self.words["add"], where, 1), 0)
            leaves.append(Leaf("int", after, program, 10))
        if "place_of" in self.words:
            first = [here.index(value) for here in known for value in here]
            leaves.append(Leaf("int", first, call(self.words["place_of"], items, Var("x")), 8))
        return leaves

    def _inner_turn(self, turn: Budget) -> Iterator[Found]:
        while self.inner and not turn.over and not self.settled():
            _, order, search = heapq.heappop(self.inner)
            if self.best is not None and self.best.complete and search.next_cost >= self.best.cost:
                continue
            try:
                for body in search.step(self.budget.within(1.0)):
                    yield from self._offer(body)
            except _NotYet:
                continue
            if not search.finished:
                heapq.heappush(self.inner, (search.next_cost, order, search))
            self._forget_dear_ones()

    def _forget_dear_ones(self) -> None:
        """When opened searches hold more than their share of the memory, the dearest are given up."""
        self.turns += 1
        if self.turns % CHECK_MEMORY_EVERY:
            return
        held, kept = 0, []
        for entry in sorted(self.inner, key=lambda entry: entry[:2]):
            workshop = entry[2].workshop
            held += workshop.bytes if workshop is not None else BYTES_PER_WAITING
            if held <= self.inner_memory:
                kept.append(entry)
        if len(kept) < len(self.inner):
            self.inner = kept

    # Conditionals over partial solutions.

    def _covered(self) -> Iterator[Found]:
        kind = KIND.get(self.some.output_type)
        if kind is None or "if" not in self.words or len(self.some) < 3:
            return
        self._collect_parts(kind)
        everything = (1 << len(self.some)) - 1
        yield from self._partial()
        tests = [
            Part(mask, cost, place)
            for mask, cost, place in _test_masks(self.workshop.banks["bool"], everything)
        ]
        budget = self.budget.within(0.3)
        tree = decision_tree(list(self.parts.values()), tests, everything, deepest=2, budget=budget)
        if tree is None or tree.part is not None:
            return
        if self.best is None or not self.best.complete or tree.cost < self.best.cost:
            yield from self._offer(self._tree_program(tree, kind))

    def _partial(self) -> Iterator[Found]:
        """The part that is right on most examples, when nothing better was given out."""
        part = max(self.parts.values(), key=lambda part: (part.mask.bit_count(), -part.cost), default=None)
        right = self.best.right if self.best is not None else 0
        if part is not None and part.mask.bit_count() > right:
            yield from self._offer(self.workshop.program(KIND[self.some.output_type], part.program))

    def _tree_program(self, tree, kind: str) -> Program:
        if tree.part is not None:
            return self.workshop.program(kind, tree.part.program)
        test = self.workshop.program("bool", tree.test.program)
        return call(
            self.words["if"], test, self._tree_program(tree.yes, kind), self._tree_program(tree.no, kind)
        )

    def _collect_parts(self, kind: str) -> None:
        bank = self.workshop.banks[kind]
        stop = min(len(bank), PARTIAL_SHARE)
        target = tuple(map(_plain, self.some.outputs))
        if kind == "list":
            items, offsets = packed(target)
            masks = kernels.list_matches(bank.items, bank.offsets, self.seen_parts, stop, items, offsets)
        else:
            right = bank.values[self.seen_parts : stop] == np.array(target, np.int32)
            masks = right @ (1 << np.arange(len(target), dtype=np.int64))
        for at in np.flatnonzero(masks):
            mask, place = int(masks[at]), self.seen_parts + int(at)
            if mask not in self.parts:
                self.parts[mask] = Part(mask, bank.cost_of(place), place)
        self.seen_parts = max(self.seen_parts, stop)


class _NotYet(Exception):
    """The inner functions of a `flat_map` are found one after another."""


class _LazyLeaves(Sequence):
    """Leaves made when the search is opened, since most searches never are."""

    def __init__(self, search: _Search, known: tuple, place: int, placed: bool) -> None:
        self._make = lambda: search.inner_leaves(known, place, placed)
        self._made: list[Leaf] | None = None

    def __getitem__(self, at):
        if self._made is None:
            self._made = self._make()
        return self._made[at]

    def __len__(self) -> int:
        if self._made is None:
            self._made = self._make()
        return len(self._made)


def _test_masks(bank: Bank, everything: int) -> Iterator[tuple[int, int, int]]:
    """Truth values that hold on some examples and have an answer on all."""
    stop = min(len(bank), PARTIAL_SHARE)
    values = bank.values[:stop]
    usable = (values != kernels.NONE).all(axis=1)
    masks = values @ (1 << np.arange(bank.width, dtype=np.int64))
    seen = {0, everything}
    for place in np.flatnonzero(usable):
        mask = int(masks[place])
        if mask not in seen:
            seen.add(mask)
            yield mask, bank.cost_of(int(place)), int(place)


def _has_cases(program: Lambda) -> bool:
    """Whether the outermost word is `if`."""
    return isinstance(program.body, Call) and getattr(program.body.function, "name", "") == "if"


def _numbers(value: object) -> Iterator[int]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif not isinstance(value, bool):
        yield value


def _plain(value: object) -> object:
    """Truth values as 0 and 1, also inside lists."""
    return tuple(map(int, value)) if isinstance(value, tuple) else int(value)


def _value(word, items: tuple) -> int:
    try:
        value = word.call(items)
    except PerennialError:
        return kernels.NONE
    return value if abs(value) <= kernels.LARGEST else kernels.NONE
