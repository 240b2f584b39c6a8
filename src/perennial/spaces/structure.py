"""The choices of a program as a tree of their own: which decisions there are, and which follow from which.

Everything a space does with genotypes walks this tree and never the program, so that a draw costs
microseconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from perennial.errors import SpaceError
from perennial.lang.program import Choice, Program

MOST_DECISIONS = 4_000


class Site(NamedTuple):
    """A choice at one place: its label is `choice.label + suffix`.

    Attributes:
        choice: never of kind `recurse`.
        suffix: `/2` in the third copy of a `repeat`, `.0` in the first expansion of a `recurse`; they add up.
        depth: how many expansions of `recurse` lie around it.
        scope: the enclosing choices that a `recurse` inside may mean, by label.
    """

    choice: Choice
    suffix: str = ""
    depth: int = 0
    scope: tuple[tuple[str, Choice], ...] = ()

    @property
    def label(self) -> str:
        return self.choice.label + self.suffix


class Structure:
    """The choices below a program, checked once.

    Args:
        program: with open choices.
        depth: nested expansions of `recurse` after which only the shortest way out is open.
    """

    def __init__(self, program: Program, depth: int) -> None:
        self.program, self.depth = program, depth
        self._below: dict[Program, tuple[Choice, ...]] = {}
        self.choices = [
            node for node in program.walk() if isinstance(node, Choice) and node.kind != "recurse"
        ]
        self._targets = {
            node.label for node in program.walk() if isinstance(node, Choice) and node.kind == "recurse"
        }
        self._growing = {choice for choice in self.choices if self._targets and _recurses(choice)}
        self._heights: dict[Choice, float] = {}
        self._check_labels()
        self.roots = tuple(self.sites(program, Site(None, "", 0, ())))
        self._check_endings()

    @property
    def is_grammar(self) -> bool:
        """Whether a choice contains itself."""
        return bool(self._targets)

    def walk(self, choose: Callable[[str, Choice], Any]) -> dict[str, Any]:
        """Asks `choose(label, choice)` once for every decision on the path that its answers open.

        Args:
            choose: must answer with a value of the choice's own type and range.

        Returns:
            label to value, in the order of asking; near the depth bound an answer may be replaced by a
            shorter one.
        """
        decided: dict[str, Any] = {}
        seen: set[tuple[Choice, str]] = set()
        stack = list(reversed(self.roots))
        while stack:
            site = stack.pop()
            if (site.choice, site.suffix) in seen:
                continue
            seen.add((site.choice, site.suffix))
            label = site.choice.label + site.suffix
            if label not in decided:
                decided[label] = self._bounded(site, choose(label, site.choice))
            stack.extend(reversed(self.inside(site, decided[label])))
        return decided

    def inside(self, site: Site, value: Any) -> list[Site]:
        """The decisions that come to life directly below when the choice has this value."""
        choice = site.choice
        if not choice.options:
            return []
        if choice.kind == "one_of":
            return self.sites(choice.options[value], site)
        copies = [f"/{number}" for number in range(value)] if choice.kind == "repeat" else [""] * bool(value)
        return [
            found
            for copy in copies
            for found in self.sites(choice.options[0], site._replace(suffix=site.suffix + copy))
        ]

    def sites(self, body: Program, owner: Site) -> list[Site]:
        """The decisions directly below a program that stands inside the choice of `owner`."""
        below = self.below(body)
        if not below:
            return []
        scope = enter(owner, self._targets)
        found, number = [], 0
        for choice in below:
            if choice.kind == "recurse":
                found.append(
                    Site(target(scope, choice), expansion(owner, choice, number), owner.depth + 1, scope)
                )
                number += 1
            else:
                found.append(Site(choice, owner.suffix, owner.depth, scope))
        return found

    def below(self, program: Program) -> tuple[Choice, ...]:
        """The choices reached without passing through another, in order; `recurse` as often as it stands."""
        known = self._below.get(program)
        if known is None:
            found: list[Choice] = []
            for child in () if isinstance(program, Choice) else program.children:
                found += [each for each in self.below(child) if each.kind == "recurse" or each not in found]
            known = self._below[program] = (program,) if isinstance(program, Choice) else tuple(found)
        return known

    def every(self, recursions: int) -> Iterator[Site]:
        """Every decision that some genotype may hold, breadth first, at most so many expansions deep."""
        waiting, seen = deque(self.roots), set()
        while waiting and len(seen) < MOST_DECISIONS:
            site = waiting.popleft()
            if (site.choice, site.suffix) in seen or site.depth > recursions:
                continue
            seen.add((site.choice, site.suffix))
            yield site
            kind = site.choice.kind
            values = range(len(site.choice.options)) if kind == "one_of" else (site.choice.high or 1,)
            for value in values:
                waiting.extend(self.inside(site, value))

    def _bounded(self, site: Site, value: Any) -> Any:
        """The answer, or a shorter one when the recursion is as deep as allowed."""
        choice = site.choice
        if site.depth < self.depth or choice not in self._growing:
            return value
        if choice.kind != "one_of":
            return False if choice.kind == "optional" else choice.low
        heights = [self._height(option) for option in choice.options]
        shortest = [place for place, height in enumerate(heights) if height == min(heights)]
        return value if value in shortest else shortest[value % len(shortest)]

    def _check_labels(self) -> None:
        known: dict[str, Choice] = {}
        for choice in self.choices:
            first = known.setdefault(choice.label, choice)
            if _signature(first) != _signature(choice):
                raise SpaceError(
                    f"The label {choice.label!r} stands for two different decisions.",
                    where=f"{_described(first)} and {_described(choice)}",
                    why="The same label is the same decision wherever it stands.",
                    todo="Give one of them another label.",
                )

    def _check_endings(self) -> None:
        """Finds how many expansions each choice needs at least; infinitely many is an error."""
        self._heights = dict.fromkeys(self.choices, math.inf)
        changed = True
        while changed:
            changed = False
            for choice in self.choices:
                heights = [self._height(option) for option in choice.options] or [0.0]
                skippable = choice.kind == "optional" or (choice.kind == "repeat" and choice.low == 0)
                height = 0.0 if skippable else min(heights)
                if height < self._heights[choice]:
                    self._heights[choice], changed = height, True
        for choice, height in self._heights.items():
            if math.isinf(height):
                raise SpaceError(
                    f"The choice {choice.label!r} can never end: every option leads to a `recurse`.",
                    todo="Add an option without `recurse`, such as a variable or a literal.",
                )
        full: dict[str, Choice] = {}
        for site in self.every(recursions=1):
            if _signature(full.setdefault(site.label, site.choice)) != _signature(site.choice):
                raise SpaceError(
                    f"The label {site.label!r} is written out and also arises in a repetition.",
                    todo="Give one of them another label.",
                )

    def _height(self, program: Program) -> float:
        return max((self._expansions(choice) for choice in self.below(program)), default=0.0)

    def _expansions(self, choice: Choice) -> float:
        if choice.kind != "recurse":
            return self._heights[choice]
        return 1.0 + min(
            (self._heights[other] for other in self.choices if other.label == choice.label), default=0.0
        )


def enter(owner: Site, targets: set[str]) -> tuple[tuple[str, Choice], ...]:
    """The scope inside the choice of `owner`: with itself in front, when a `recurse` means it."""
    choice = owner.choice
    if choice is None or choice.label not in targets or choice.kind != "one_of":
        return owner.scope
    return ((choice.label, choice), *(pair for pair in owner.scope if pair[0] != choice.label))


def target(scope: tuple[tuple[str, Choice], ...], choice: Choice) -> Choice:
    """The choice that a `recurse` means."""
    for label, found in scope:
        if label == choice.label:
            return found
    raise SpaceError(
        f"`recurse({choice.label!r})` stands outside every `one_of({choice.label!r}, …)`.",
        todo="Put it inside an option of the choice that it should repeat.",
    )


def expansion(owner: Site, choice: Choice, number: int) -> str:
    """The suffix of the labels inside the numbered `recurse` directly below `owner`."""
    mark = "" if owner.choice.label == choice.label else f"{owner.choice.label}-"
    return f"{owner.suffix}.{mark}{number}"


def base_label(label: str, known: Mapping[str, Any]) -> str | None:
    """The label without its suffixes, when it is among the known ones: `width` for `width/0.1`."""
    while label and label not in known:
        label = label[: max(label.rfind("/"), label.rfind("."), 0)]
    return label or None


def _recurses(choice: Choice) -> bool:
    return any(isinstance(node, Choice) and node.kind == "recurse" for node in choice.walk())


def _signature(choice: Choice) -> tuple:
    numbers = choice.low, choice.high, choice.log, choice.default, choice.regularises
    return choice.kind, *numbers, len(choice.options)


def _described(choice: Choice) -> str:
    extent = f"{len(choice.options)} options" if choice.kind == "one_of" else f"{choice.low} to {choice.high}"
    return f"`{choice.kind}` with {extent}, default {choice.default!r}"
