"""Spaces: a space is a program with open choices, and a genotype closes them.

Choices nest: a decision exists only when the path that leads to it was chosen. The same label is the same
decision wherever it stands. `repeat` gives each copy labels of its own (`width/0`, `width/1`, …), and every
expansion of a `recurse` too (`expression.0`, `expression.0.1`, …), so that a genotype is flat: label → value.

>>> from perennial.lang.program import Literal, call
>>> from perennial.lang.ops import primitive
>>> @primitive
... def scaled(x: float, *, by: float = 1.0) -> float:
...     return x * by
>>> space = Space(one_of("kind", [0.0, call(scaled, 2.0, by=real("factor", 0.1, 10.0, log=True))]))
>>> space.default(), space.decisions(Genotype({"kind": 1, "factor": 0.5}))[1][0]
(Genotype(kind=0), 'factor')
>>> space.freeze(Genotype({"kind": 1, "factor": 0.5}))
scaled(2.0, by=0.5)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from perennial.errors import SpaceError
from perennial.lang.ops import Op
from perennial.lang.program import Choice, Lambda, Program, Var, applied, as_program
from perennial.spaces import counting
from perennial.spaces.closing import close
from perennial.spaces.decision import (
    clean,
    count_of,
    default_of,
    draw,
    names_of,
    neighbours_of,
    step,
    value_at,
    values_of,
)
from perennial.spaces.encoding import Encoding
from perennial.spaces.genotype import Genotype
from perennial.spaces.limits import Limits
from perennial.spaces.structure import Structure

__all__ = ["Genotype", "Limits", "Space", "integer", "one_of", "optional", "real", "recurse", "repeat"]

Chooser = Callable[[str, Choice], Any]


def one_of(label: str, options: Iterable[Any], default: int = 0) -> Choice:
    """Exactly one of the options: programs, words, or plain values; its value is the index.

    >>> one_of("width", [32, 64, 128]).kind
    'one_of'
    """
    return Choice(label, "one_of", tuple(options), default=default)


def integer(
    label: str, low: int, high: int, log: bool = False, default: int | None = None, regularises: int = 0
) -> Choice:
    """A whole number from `low` to `high`, both included.

    Args:
        label: the name of the decision.
        low, high: the range; above 0 when `log`.
        log: draw and step on a log scale: right for widths and numbers of rounds.
        default: what to start from; the middle of the range (on its scale) when `None`.
        regularises: +1 when a larger value regularises more, -1 when a smaller one does, 0 when neither.
    """
    return Choice(label, "integer", low=low, high=high, log=log, default=default, regularises=regularises)


def real(
    label: str, low: float, high: float, log: bool = False, default: float | None = None, regularises: int = 0
) -> Choice:
    """A real number from `low` to `high`; the arguments are those of `integer`."""
    return Choice(label, "real", low=low, high=high, log=log, default=default, regularises=regularises)


def repeat(
    body: Program | Op, label: str | Choice, low: int | None = None, high: int | None = None
) -> Choice:
    """The function `body` composed with itself low to high times, each copy deciding for itself.

    Args:
        body: a function a -> a with open choices, or a word.
        label: the name of the count, or an `integer(...)` choice that says it all.
        low, high: how many copies, when a name was given.

    >>> repeat(as_program(Lambda(("x",), Var("x"))), integer("depth", 2, 8)).high
    8
    """
    if isinstance(label, Choice):
        count = label
        if count.kind != "integer" or low is not None or high is not None:
            raise SpaceError(
                f"`repeat` takes a count made by `integer`, received a choice of kind {count.kind!r}.",
                todo='Write repeat(body, integer("depth", 2, 8)) or repeat(body, "depth", 2, 8).',
            )
        label, low, high = count.label, count.low, count.high
        return Choice(
            label,
            "repeat",
            (_function(body),),
            low,
            high,
            count.log,
            count.default,
            regularises=count.regularises,
        )
    return Choice(label, "repeat", (_function(body),), low, high)


def optional(label: str, body: Program | Op, default: bool = True) -> Choice:
    """The function `body` (a -> a) applied or left out; its value is a bool."""
    return Choice(label, "optional", (_function(body),), default=default)


def recurse(label: str) -> Choice:
    """The enclosing `one_of` of that label once more, with fresh decisions: the space is then a grammar."""
    return Choice(label, "recurse")


def _function(body: Program | Op) -> Lambda:
    body = as_program(body)
    if isinstance(body, Lambda) and len(body.names) == 1:
        return body
    name = "x"
    while name in body.free_variables:
        name += "x"
    return Lambda((name,), applied(body, Var(name)))


class Space:
    """All programs that one program with open choices stands for.

    Args:
        program: with `Choice` nodes anywhere.
        depth: how many times a `recurse` may open inside another before only the shortest way out is taken.
        limits: the most that a candidate may cost; a larger one is rejected before it is built.
        growing: labels (without the suffixes of copies) of decisions whose larger values can compute what the
            smaller ones compute: a child that only moves these up can take over its parent's weights and function.

    Raises:
        SpaceError: one label stands for two different decisions, a `recurse` has no enclosing `one_of`, or a
        grammar
            has no way to end.

    >>> space = Space(one_of("width", [32, 64, 128]))
    >>> space.size, space.default(), space.freeze(Genotype({"width": 2}))
    (3, Genotype(width=0), 128)
    """

    def __init__(
        self,
        program: Program,
        depth: int = 6,
        limits: Limits | None = None,
        growing: Iterable[str] = (),
    ) -> None:
        self.program, self.depth, self.limits = as_program(program), depth, limits or Limits()
        self.growing = frozenset(growing)
        self._structure = Structure(self.program, depth)
        self._encoding: Encoding | None = None
        self._size: int | float | None = None

    def __repr__(self) -> str:
        size = f"{self.size:.3g}" if self.size < 1e300 or self.size == math.inf else "more than 1e+300"
        return f"<Space of {size} genotypes over {len(self._structure.choices)} choices>"

    def __contains__(self, genotype: Genotype) -> bool:
        """Whether the genotype holds exactly the decisions of its path, each within its range."""
        return self.repair(genotype) == genotype

    # -- making genotypes ------------------------------------------------------------------------------------

    def default(self) -> Genotype:
        """What the author of the space would start from."""
        return self._walk(lambda label, choice: default_of(choice))

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A genotype at random: every decision on the way is drawn uniformly on its own scale."""
        return self._walk(lambda label, choice: draw(choice, rng))

    def repair(self, decisions: Mapping[str, Any]) -> Genotype:
        """The nearest valid genotype: unknown and inactive decisions dropped, missing ones by default,
        numbers clipped.

        >>> Space(integer("depth", 1, 8)).repair({"depth": 99, "colour": 3})
        Genotype(depth=8)
        """
        return self._walk(
            lambda label, choice: decisions[label] if label in decisions else default_of(choice)
        )

    def mutate(self, genotype: Genotype, rng: np.random.Generator) -> Genotype:
        """The genotype with one active decision changed; decisions that come to life are defaults or draws,
        half and half.

        The result differs from the original unless the space holds one genotype only.
        """
        fill = default_of if rng.random() < 0.5 else (lambda choice: draw(choice, rng))
        active = self._path(genotype)
        for place in rng.permutation(len(active)):
            label, choice, value = active[place]
            if count_of(choice) > 1:
                changed = self._with(genotype, label, step(choice, value, rng), fill)
                if changed != genotype:
                    return changed
        return genotype

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        """A child that takes each decision from either parent, by a fair coin where both have it."""

        def inherit(label: str, choice: Choice) -> Any:
            first, second = (a, b) if rng.random() < 0.5 else (b, a)
            return (
                first[label] if label in first else second[label] if label in second else default_of(choice)
            )

        return self._walk(inherit)

    def neighbours(self, genotype: Genotype) -> list[Genotype]:
        """All genotypes one change away: every other option, numbers a small and a large step up and down."""
        found = {
            self._with(genotype, label, moved, default_of): None
            for label, choice, value in self._path(genotype)
            for moved in neighbours_of(choice, value)
        }
        return [other for other in found if other != genotype]

    def morphs(self, genotype: Genotype) -> list[Genotype]:
        """The neighbours that only grow: one `growing` decision moved up, what comes to life at its default.

        Their weights can be made from those of the genotype such that they begin with its function (network
        morphism: Wei, Wang, Rui & Chen 2016). Nothing where the space says that nothing grows.

        >>> Space(integer("depth", 1, 4), growing=["depth"]).morphs(Genotype({"depth": 2}))
        [Genotype(depth=3)]
        """
        found = {
            self._with(genotype, label, moved, default_of): None
            for label, choice, value in self._path(genotype)
            if choice.label in self.growing
            for moved in neighbours_of(choice, value)
            if moved > value
        }
        return [other for other in found if other != genotype]

    def weaken(self, genotype: Genotype, strength: float) -> Genotype:
        """The genotype with everything that regularises set to one strength.

        Args:
            genotype: where to start; decisions that do not regularise stay.
            strength: 0 (least regularised: can this program fit the data at all?) to 1 (most).

        >>> space = Space(integer("leaves", 2, 64, regularises=-1))
        >>> space.weaken(space.default(), 0.0), space.weaken(space.default(), 1.0)
        (Genotype(leaves=64), Genotype(leaves=2))
        """
        if not 0.0 <= strength <= 1.0:
            raise SpaceError(
                f"Strength lies between 0 (least) and 1 (most regularised), received {strength!r}."
            )

        def set_strength(label: str, choice: Choice) -> Any:
            if choice.regularises:
                return value_at(choice, strength if choice.regularises > 0 else 1.0 - strength)
            return genotype[label] if label in genotype else default_of(choice)

        return self._walk(set_strength)

    def genotypes(self) -> Iterator[Genotype]:
        """Every genotype of a finite space, once, in a fixed order.

        Raises:
            SpaceError: the space is infinite.

        >>> len(list(Space(one_of("a", [1, one_of("b", [2, 3])])).genotypes()))
        3
        """
        if self.size == math.inf:
            raise SpaceError(
                "An infinite space cannot be listed.", todo="Use `sample`, or `neighbours` of a genotype."
            )
        places: list[int] | None = []
        while places is not None:
            genotype, places = self._next_listed(places)
            yield genotype

    # -- reading genotypes -----------------------------------------------------------------------------------

    @property
    def size(self) -> int | float:
        """How many genotypes there are; infinite with reals and in grammars."""
        if self._size is None:
            self._size = counting.count(self._structure)
        return self._size

    def decisions(self, genotype: Genotype) -> list[tuple[str, Choice]]:
        """The active decisions in the order in which the program asks for them: `(label, choice)`."""
        return [(label, choice) for label, choice, _ in self._path(genotype)]

    def freeze(self, genotype: Genotype) -> Program:
        """The program with every choice closed.

        Raises:
            SpaceError: the genotype does not belong to this space.
        """
        whole = self.repair(genotype)
        if whole != genotype:
            raise SpaceError(
                "The genotype does not belong to this space.",
                where="; ".join(_differences(genotype, whole)[:5]),
                todo="Use `space.repair(genotype)` for the nearest one that does.",
            )
        return close(self._structure, genotype)

    def encode(self, genotype: Genotype) -> np.ndarray:
        """A vector of fixed length for models of the space: one-hot options, numbers from 0 to 1, and which
        are active.

        Decisions that the space does not know are left out, so that old records can still be read.

        >>> Space(one_of("a", ["x", "y"])).encode(Genotype({"a": 1})).tolist()
        [1.0, 0.0, 1.0]
        """
        if self._encoding is None:
            self._encoding = Encoding(self._structure)
        return self._encoding(genotype)

    def to_json(self, genotype: Genotype) -> dict[str, Any]:
        """A plain dictionary of label and value."""
        return genotype.to_json()

    def spelled(self, genotype: Genotype) -> dict[str, Any]:
        """The decisions with options by name, for spaces of other tasks, which may offer other options beside them.

        >>> Space(one_of("learner", ["linear", "trees"])).spelled(Genotype({"learner": 1}))
        {'learner': "'trees'"}
        """
        return {
            label: names_of(choice)[value] if choice.kind == "one_of" else value
            for label, choice, value in self._path(genotype)
        }

    def read(self, spelled: Mapping[str, Any]) -> Genotype | None:
        """The nearest genotype of this space to what another one spelled; None when an option is not offered here.

        >>> Space(one_of("learner", ["trees", "kernel"])).read({"learner": "'trees'", "depth": 3})
        Genotype(learner=0)
        >>> Space(one_of("learner", ["trees", "kernel"])).read({"learner": "'linear'"}) is None
        True
        """
        missing = False

        def choose(label: str, choice: Choice) -> Any:
            nonlocal missing
            if label not in spelled:
                return default_of(choice)
            if choice.kind != "one_of":
                return spelled[label]
            names = names_of(choice)
            missing = missing or spelled[label] not in names
            return default_of(choice) if spelled[label] not in names else names.index(spelled[label])

        genotype = self._walk(choose)
        return None if missing else genotype

    def from_json(self, data: Mapping[str, Any]) -> Genotype:
        """The genotype of a dictionary, repaired where the space has changed since it was written."""
        return self.repair(data)

    # -- walking ---------------------------------------------------------------------------------------------

    def _walk(self, choose: Chooser) -> Genotype:
        return Genotype(self._structure.walk(lambda label, choice: clean(choice, choose(label, choice))))

    def _path(self, genotype: Genotype) -> list[tuple[str, Choice, Any]]:
        """The active decisions in order with their values, repaired where the genotype is a stranger's."""
        choices: dict[str, Choice] = {}

        def note(label: str, choice: Choice) -> Any:
            choices[label] = choice
            return genotype[label] if label in genotype else default_of(choice)

        whole = self._walk(note)
        return [(label, choice, whole[label]) for label, choice in choices.items()]

    def _with(self, genotype: Genotype, changed: str, value: Any, fill: Callable[[Choice], Any]) -> Genotype:
        def choose(label: str, choice: Choice) -> Any:
            if label == changed:
                return value
            return genotype[label] if label in genotype else fill(choice)

        return self._walk(choose)

    def _next_listed(self, places: list[int]) -> tuple[Genotype, list[int] | None]:
        """The genotype at these places in the lists of values (0 beyond them), and the places that follow."""
        used, counts = [], []

        def choose(label: str, choice: Choice) -> Any:
            values = values_of(choice)
            used.append(places[len(used)] if len(used) < len(places) else 0)
            counts.append(len(values))
            return values[used[-1]]

        genotype = self._walk(choose)
        while used and used[-1] + 1 >= counts[len(used) - 1]:
            used.pop()
        return genotype, [*used[:-1], used[-1] + 1] if used else None


def _differences(genotype: Genotype, whole: Genotype) -> list[str]:
    missing = [f"{label!r} is missing" for label in whole if label not in genotype]
    unknown = [f"{label!r} is not asked for" for label in genotype if label not in whole]
    other = [
        f"{label!r} is {genotype[label]!r}, out of range"
        for label in genotype
        if label in whole and genotype[label] != whole[label]
    ]
    return missing + unknown + other
