"""Which of the programs that fit to believe: description length, and what they say on rows without an output.

A program is the better the shorter it is to write down (minimum description length; Rissanen 1978). Programs that
agree on all unlabelled rows are one program to the user; where they disagree, the row that splits them best is the
one to ask about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perennial.lang import Lambda, Literal, Program
from perennial.spaces.grammar import Grammar, written_cost
from perennial.synthesis.base import UNANSWERED, Examples, Found, answers, same_value

MOST_PROGRAMS = 50
MOST_ROWS = 500


@dataclass(frozen=True, eq=False)
class Ranked:
    """Programs that fit, the most believable first.

    Args:
        programs: observationally distinct on the unlabelled rows.
        given: for each program its values on the unlabelled rows.
        differing: places of unlabelled rows on which they differ, the most disputed first.
    """

    programs: tuple[Found, ...]
    given: tuple[tuple, ...]
    differing: tuple[int, ...]

    def telling(self) -> list[int]:
        """The unlabelled rows on which they differ, first that whose output would rule out most of the programs."""
        return sorted(self.differing, key=lambda row: (self._left(row), row))

    def said(self, row: int) -> tuple:
        """What each program says for an unlabelled row."""
        return tuple(values[row] for values in self.given)

    def _left(self, row: int) -> float:
        """How many programs are left on average when the output of this row becomes known."""
        votes = Counter(repr(values[row]) for values in self.given)
        return sum(times * times for times in votes.values()) / len(self.given)


def judged(
    program: Lambda, examples: Examples, grammar: Grammar, engine: str = "", seconds: float = 0.0
) -> Found:
    """A program run on every example by the interpreter, with its description length.

    What is given to users is always judged so. Constants that were copied from outputs are charged twice.
    """
    given = answers(program, examples.inputs)
    satisfied = tuple(map(same_value, given, examples.outputs))
    cost = grammar.body_cost(program) + copied_bits(program, examples)
    return Found(program, cost, satisfied, engine, seconds)


def copied_bits(program: Program, examples: Examples) -> int:
    """Bits of the constants in a program that were copied from outputs: they explain the examples without a rule."""
    constants = (node.value for node in program.walk() if isinstance(node, Literal))
    return sum(written_cost(value) for value in constants if _copied(value, examples))


def ranked(found: Sequence[Found], examples: Examples) -> Ranked:
    """The programs that satisfy as many examples as they need to, or as the best, those that agree joined.

    >>> from perennial.lang import Int, Lambda, Var
    >>> examples = Examples(("x",), (Int,), Int, ((1,),), (1,), unlabelled=((5,),))
    >>> same, one = Lambda(("x",), Var("x")), Lambda(("x",), Literal(1))
    >>> told = ranked([Found(one, 2, (True,)), Found(same, 1, (True,))], examples)
    >>> len(told.programs), told.telling(), told.said(0)
    (2, [0], (5, 1))
    """
    level = min(examples.needed, max((one.right for one in found), default=0))
    rows = examples.unlabelled[:MOST_ROWS]
    kept: dict[str, tuple[Found, tuple]] = {}
    for one in sorted(found, key=lambda one: one.order)[:MOST_PROGRAMS]:
        if one.right >= max(1, level):
            given = answers(one.program, rows)
            if UNANSWERED not in given or not kept:
                kept.setdefault(repr(given) if rows else str(one.program), (one, given))
    programs, given = tuple(one for one, _ in kept.values()), tuple(values for _, values in kept.values())
    count = {row: len({repr(values[row]) for values in given}) for row in range(len(rows))}
    differing = sorted((row for row in count if count[row] > 1), key=lambda row: (-count[row], row))
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
