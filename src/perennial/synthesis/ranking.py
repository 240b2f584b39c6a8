"""Which of the programs that fit to believe: description length, and what they say on rows without an output.

A program is the better the shorter it is to write down (minimum description length; Rissanen 1978). Constants
that were copied from outputs are dear: they explain the examples without a rule. Programs that agree on all
unlabelled rows are one program to the user; where they disagree, the row that splits them best is the one to
ask about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perennial.lang import Literal, Program
from perennial.spaces.grammar import Grammar, written_cost
from perennial.synthesis.base import Examples, Found, answers

COPIED_FACTOR = 1.0
LONELY_BRANCH = 6
MOST_PROGRAMS = 50


@dataclass(frozen=True, eq=False)
class Ranked:
    """Programs that fit, the most believable first.

    Args:
        programs: observationally distinct on the unlabelled rows.
        given: for each program its values on the unlabelled rows.
        differing: places of unlabelled rows on which they differ.
    """

    programs: tuple[Found, ...]
    given: tuple[tuple, ...]
    differing: tuple[int, ...]

    def sentence(self) -> str:
        """How sure one can be, in words.

        >>> Ranked((), (), ()).sentence()
        'No program fits.'
        """
        number = len(self.programs)
        if number == 0:
            return "No program fits."
        if number == 1 or not self.differing:
            return "1 program fits."
        rows = f"{len(self.differing)} row{'s' if len(self.differing) > 1 else ''}"
        return f"{number} programs fit; they differ on {rows}."

    def most_informative(self) -> int | None:
        """The unlabelled row whose output would rule out most of the programs; None when they agree."""
        if not self.differing:
            return None
        return min(self.differing, key=lambda row: (self._left(row), row))

    def _left(self, row: int) -> float:
        """How many programs are left on average when the output of this row becomes known."""
        votes = Counter(repr(values[row]) for values in self.given)
        return sum(times * times for times in votes.values()) / len(self.given)


def penalised_cost(found: Found, examples: Examples, grammar: Grammar) -> float:
    """Description length with copied constants charged again, and branches that serve one example."""
    copied = sum(
        written_cost(node.value)
        for node in found.program.walk()
        if isinstance(node, Literal) and _copied(node.value, examples)
    )
    return found.cost + COPIED_FACTOR * copied + LONELY_BRANCH * _conditionals(found.program)


def ranked(found: Sequence[Found], examples: Examples, grammar: Grammar) -> Ranked:
    """The programs that satisfy most examples, the most believable first, those that agree joined.

    >>> from perennial.lang import Int, Lambda, Var
    >>> examples = Examples(("x",), (Int,), Int, ((1,),), (1,), unlabelled=((5,),))
    >>> same, one = Lambda(("x",), Var("x")), Lambda(("x",), Literal(1))
    >>> both = [Found(one, 2, (True,)), Found(same, 1, (True,))]
    >>> ranked(both, examples, Grammar((), {"x": Int}, Int)).sentence()
    '2 programs fit; they differ on 1 row.'
    """
    good = [one for one in found if sum(one.satisfied) >= examples.needed]
    order = sorted(
        good, key=lambda one: (-sum(one.satisfied), penalised_cost(one, examples, grammar), one.order)
    )
    kept: dict[str, tuple[Found, tuple]] = {}
    for one in order[:MOST_PROGRAMS]:
        values = answers(one.program, examples.unlabelled)
        kept.setdefault(repr(values) if examples.unlabelled else str(one.program), (one, values))
    programs, given = tuple(one for one, _ in kept.values()), tuple(values for _, values in kept.values())
    differing = [
        row for row in range(len(examples.unlabelled)) if len({repr(values[row]) for values in given}) > 1
    ]
    return Ranked(programs, given, tuple(differing))


def _copied(value: object, examples: Examples) -> bool:
    """Whether a constant is an output, or a long part of a text or list output, and not in the inputs."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, (str, tuple)):
        if len(value) < 2:
            return False
        outputs = [output for output in examples.outputs if isinstance(output, type(value))]
        return any(_inside(value, output) for output in outputs)
    return abs(value) > 10 and any(value == output for output in examples.outputs)


def _inside(part: str | tuple, whole: str | tuple) -> bool:
    if isinstance(part, str):
        return part in whole
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _conditionals(program: Program) -> int:
    return sum(1 for node in program.walk() if getattr(getattr(node, "function", None), "name", "") == "if")
