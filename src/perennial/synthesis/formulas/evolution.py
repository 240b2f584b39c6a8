"""Evolution of formulas whose parts are replaced by what the data ask for at their place.

A part of a formula is chosen, every word above it is undone on the data, and so the values that the part should have
are known (semantic backpropagation; Krawiec and Pawlak 2013, Virgolin et al. 2019). The best formula of a bank for
these values, up to a factor and an offset, takes the part's place. Beside it stand the usual changes: a part of
another formula, a new word around a part, a part left out. All constants of every child are fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from perennial.lang.program import Call, Literal, Program, call
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.base import Budget
from perennial.synthesis.formulas.algebra import length, minus, number, plus, product, quotient, values
from perennial.synthesis.formulas.arena import Arena
from perennial.synthesis.formulas.bank import Bank
from perennial.synthesis.formulas.combinations import Problem
from perennial.synthesis.formulas.constants import fit_constants
from perennial.synthesis.formulas.front import Front
from perennial.synthesis.formulas.simplification import simplified

POPULATION = 200
TOURNAMENT = 4
LONGEST = 60
PRESSURE = 0.004  # how much of its error a formula's length costs in a tournament, per symbol
FEWEST_ROWS = 0.7  # of the rows must have a value when words are undone
NEW_WORDS = (reals.sin, reals.cos, reals.exp, reals.log, reals.sqrt, reals.tanh)


@dataclass(frozen=True)
class Individual:
    """A formula with the share of variance that it leaves on the rows of the search."""

    program: Program
    error: float
    length: int

    @property
    def rank(self) -> float:
        """Smaller is fitter."""
        return math.log(max(self.error, 1e-30)) + PRESSURE * self.length * 10


class Evolution:
    """A population over one problem; `step` makes one child.

    Args:
        problem: what is asked.
        bank: replacements, over `problem.part`.
        front: receives every good formula.
        seed: of every random decision.
    """

    def __init__(self, problem: Problem, bank: Bank, front: Front, seed: int) -> None:
        self.problem, self.bank, self.front = problem, bank, front
        self.generator = np.random.default_rng(seed)
        self.columns = {name: column[problem.rows] for name, column in front.columns.items()}
        self.target = problem.target[problem.rows]
        self.variance = float(np.var(self.target)) or 1.0
        self.arena = Arena(bank.table, np.ones((1, len(problem.rows))), min(400, bank.size))
        self.population: list[Individual] = []
        self.known: set[Program] = set()
        self.bound = 1.0

    def run(self, budget: Budget) -> None:
        """Evolve until the budget is over, or until a formula is right."""
        self.populate()
        while self.population and not budget.over and not self.front.solved:
            child = self.child()
            if child is not None:
                self.add(child, steps=6)

    def populate(self) -> None:
        """The front so far, and the best single formulas of the bank."""
        for formula in self.front:
            if formula.program.free_variables <= set(self.columns):
                self.add(formula.program, steps=0)
        unit, _ = self.arena.rest(self.target)
        for _, (place,) in self.arena.singles(unit, 30):
            self.add(plus(number(1.0), product(1.01, self.bank.program(place))), steps=4)
        for leaf in self.problem.leaves:
            self.add(leaf, steps=0)

    def add(self, program: Program, steps: int) -> None:
        """Judge a formula, fit it when it is promising, and take it in at the place of an unfit one."""
        if program in self.known or not program.free_variables or program.size > 2 * LONGEST:
            return
        self.known.add(program)
        scaled = self.scaled(program)
        if scaled is None:
            return
        program = simplified(scaled, self.front.positive)
        size = length(program)
        if size > LONGEST or program in self.known:
            return
        self.known.add(program)
        if steps:
            program = fit_constants(program, self.columns, self.target, steps=steps)
        with np.errstate(all="ignore"):
            error = float(np.mean((values(program, self.columns) - self.target) ** 2)) / self.variance
        if not math.isfinite(error):
            return
        new = Individual(program, error, size)
        if self.worth_showing(new):
            self.front.refine(self.problem.wrap(program))
        self.population.append(new)
        self.bound = float(np.median([one.error for one in self.population]))
        if len(self.population) > POPULATION:
            losers = self.generator.integers(0, len(self.population), TOURNAMENT)
            self.population.pop(max(losers, key=lambda place: self.population[place].rank))

    def scaled(self, program: Program) -> Program | None:
        """The formula with the best factor and offset; None when even so it is worse than half of the others."""
        with np.errstate(all="ignore"):
            value = values(program, self.columns)
            spread = float(np.var(value))
            if not 0 < spread < 1e100:
                return None
            factor = float(np.mean((value - value.mean()) * (self.target - self.target.mean()))) / spread
            offset = float(self.target.mean() - factor * value.mean())
            error = float(np.mean((factor * value + offset - self.target) ** 2)) / self.variance
        if not error < 1.5 * self.bound or not math.isfinite(factor):
            return None
        near = abs(factor - 1) < 1e-9 and abs(offset) < 1e-9 * abs(float(self.target.mean()))
        return program if near else plus(product(factor, program), offset)

    def worth_showing(self, new: Individual) -> bool:
        """Whether no formula of the population is as short and as good."""
        return all(old.error > new.error * 1.0001 or old.length > new.length for old in self.population)

    def child(self) -> Program | None:
        """A changed formula, or None when the change was not possible."""
        parent = self.chosen().program
        chance = self.generator.random()
        if chance < 0.55:
            return self.replaced_by_wish(parent)
        place = self.any_place(parent)
        part = at(parent, place)
        if chance < 0.7:
            other = self.chosen().program
            return put(parent, place, at(other, self.any_place(other)))
        if chance < 0.8:
            word = NEW_WORDS[self.generator.integers(len(NEW_WORDS))]
            return put(parent, place, product(1.01, call(word, plus(product(1.01, part), 0.01))))
        if chance < 0.9:
            return put(parent, place, self.joined(part))
        if part.children:
            return put(parent, place, part.children[self.generator.integers(len(part.children))])
        return put(parent, place, self.small())

    def joined(self, part: Program) -> Program:
        """A part together with a small formula."""
        other = self.small()
        ways = (plus, minus, product, quotient)
        return ways[self.generator.integers(len(ways))](part, product(1.01, other))

    def small(self) -> Program:
        """One of the first formulas of the bank, the simpler the likelier."""
        return self.bank.program(int(self.bank.size * self.generator.random() ** 4))

    def chosen(self) -> Individual:
        """The fittest of a few; now and then the best of the front's kind."""
        drawn = self.generator.integers(0, len(self.population), TOURNAMENT)
        return min((self.population[place] for place in drawn), key=lambda one: one.rank)

    def any_place(self, program: Program) -> tuple[int, ...]:
        """A random node's path from the root, constants left out."""
        places = [path for path, node in paths(program) if not isinstance(node, Literal)] or [()]
        return places[self.generator.integers(len(places))]

    def replaced_by_wish(self, parent: Program) -> Program | None:
        """A part replaced by what explains best the values that are wished for there."""
        place = self.any_place(parent)
        wish = self.wish(parent, place)
        if wish is None:
            return None
        unit, share = self.arena.rest(wish)
        if share < 1e-12:
            return put(parent, place, number(float(wish.mean())))
        pairwise = self.generator.random() < 0.3
        found = self.arena.pairs(unit, 4) if pairwise else self.arena.singles(unit, 6)
        if not found:
            return None
        _, places = found[self.generator.integers(len(found))]
        matrix = np.column_stack([self.bank.table[list(places)].T, np.ones(len(wish))])
        weights = np.linalg.lstsq(matrix, wish, rcond=None)[0]
        replacement: Program = number(float(weights[-1]))
        for weight, place_in_bank in zip(weights, places, strict=False):
            replacement = plus(product(float(weight), self.bank.program(place_in_bank)), replacement)
        return put(parent, place, replacement)

    def wish(self, program: Program, path: tuple[int, ...]) -> np.ndarray | None:
        """The values that the part at a path should have; its own where nothing can be said."""
        wish, node = self.target, program
        with np.errstate(all="ignore"):
            for step in path:
                inputs = [values(child, self.columns) for child in node.children]
                wish = undo(node, step, inputs, wish)
                if wish is None:
                    return None
                node = node.children[step]
            own = values(node, self.columns)
            good = np.isfinite(wish) & (np.abs(wish) < 1e9)
        if good.mean() < FEWEST_ROWS:
            return None
        wish = np.where(good, wish, own)
        return wish if np.isfinite(wish).all() else None


def undo(node: Call, step: int, inputs: list[np.ndarray], wish: np.ndarray) -> np.ndarray | None:
    """What argument `step` of a word should be for the word to give what is wished."""
    op = node.function
    if op in _UNDONE:
        return _UNDONE[op](wish)
    other = inputs[1 - step]
    if op is reals.plus:
        return wish - other
    if op is reals.minus:
        return wish + other if step == 0 else other - wish
    if op is reals.times:
        return wish / other
    if op is ratio:
        return wish * other if step == 0 else other / wish
    if op is reals.power and step == 0:
        whole = float(np.mean(other))
        root = np.abs(wish) ** (1 / whole)
        return np.sign(inputs[0]) * root if whole % 2 == 0 else np.sign(wish) * root
    return np.log(wish) / np.log(other) if op is reals.power else None


_UNDONE = {
    reals.sqrt: np.square, reals.exp: np.log, reals.log: np.exp, reals.sin: np.arcsin, reals.cos: np.arccos,
    reals.tan: np.arctan, reals.tanh: np.arctanh, reals.arcsin: np.sin, reals.arccos: np.cos, reals.arctan: np.tan,
    reals.magnitude: np.abs,
}  # fmt: skip


# -- places in a formula -----------------------------------------------------------------------------------------------


def paths(program: Program) -> list[tuple[tuple[int, ...], Program]]:
    """Every node with the way to it from the root."""
    found, stack = [], [((), program)]
    while stack:
        path, node = stack.pop()
        found.append((path, node))
        stack.extend(((*path, step), child) for step, child in enumerate(node.children))
    return found


def at(program: Program, path: tuple[int, ...]) -> Program:
    """The part at a path."""
    for step in path:
        program = program.children[step]
    return program


def put(program: Program, path: tuple[int, ...], part: Program) -> Program:
    """The formula with another part at a path; only that place changes."""
    if not path:
        return part
    children = list(program.children)
    children[path[0]] = put(children[path[0]], path[1:], part)
    return program.with_children(children)
