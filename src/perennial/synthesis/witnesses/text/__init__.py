"""Text from examples: what the output shows leads to the program (FlashFill, Gulwani 2011), ranked for generality.

First every small part that the words of text make of the inputs is written down as a column (`parts`); then the
outputs are covered by a sequence of parts and constants (`covers`); where no sequence writes all of them,
conditions divide the rows (`conditions`). Rows that a program misses join the few rows that are worked on
(counterexample-guided; Solar-Lezama 2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from perennial.lang import Bool, Int, Lambda, Literal, Program, call
from perennial.lang import Text as TextType
from perennial.primitives import control, formats, text, values
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import Budget, Engine, Examples, Found, answers, same_value
from perennial.synthesis.witnesses.text.conditions import Conditions, Decision, Decisions
from perennial.synthesis.witnesses.text.covers import Cover, Covers
from perennial.synthesis.witnesses.text.numbers import numbers_of, truths_of
from perennial.synthesis.witnesses.text.parts import Part, Parts, text_price
from perennial.synthesis.witnesses.text.shapes import strangeness

__all__ = ["TextWitnesses"]

WORKING_ROWS, MORE_ROWS, MOST_ROWS = 8, 4, 40
PROBES = 8
COVERS_GIVEN = 12
DEAR_COVER = 45.0
DEEPEST_LIST = 3


class TextWitnesses(Engine):
    """Finds programs from texts and whole numbers to a text, a whole number or a truth."""

    name = "text witnesses"

    def can_run(self, examples: Examples, grammar: Grammar | None = None) -> bool:
        return (
            examples.output_type in (TextType, Int, Bool)
            and set(examples.types) <= {TextType, Int}
            and TextType in (*examples.types, examples.output_type)
        )

    def run(self, examples: Examples, grammar: Grammar | None, budget: Budget) -> Iterator[Found]:
        working = diverse(examples, WORKING_ROWS)
        given: set[Program] = set()
        while not budget.over:
            missed: set[int] | None = None
            for program, price in _programs(examples, working, budget):
                if program in given:
                    continue
                given.add(program)
                found = _found(program, price, examples, budget)
                yield found
                wrong = set(found.missed)
                missed = wrong if missed is None or len(wrong) < len(missed) else missed
                if budget.over:
                    break
            more = sorted((missed if missed is not None else set(range(len(examples)))) - set(working))
            if not more or len(working) >= MOST_ROWS:
                return
            working = sorted({*working, *more[:MORE_ROWS]})


def _found(program: Lambda, price: float, examples: Examples, budget: Budget) -> Found:
    satisfied = tuple(map(same_value, answers(program, examples.inputs), examples.outputs))
    price += strangeness(answers(program, examples.unlabelled[:40]), examples.outputs)
    return Found(program, round(price), satisfied, TextWitnesses.name, budget.spent)


def diverse(examples: Examples, number: int) -> list[int]:
    """Places of rows that differ most from one another in how they look, in order; all when they are few."""
    if len(examples) <= number:
        return list(range(len(examples)))
    looks: dict[tuple, list[int]] = {}
    for place, (row, output) in enumerate(zip(examples.inputs, examples.outputs, strict=True)):
        look = tuple(_look(value) for value in (*row, output))
        looks.setdefault(look, []).append(place)
    chosen: list[int] = []
    groups = sorted(looks.values(), key=len, reverse=True)
    for turn in range(len(examples)):
        chosen += [group[turn] for group in groups if len(group) > turn]
        if len(chosen) >= number:
            break
    return sorted(chosen[:number])


def _look(value: object) -> object:
    if not isinstance(value, str):
        return value if isinstance(value, bool) else type(value).__name__
    return tuple(len(text.tokens(value, kind)) for kind in ("word", "digits", "letters", "alphanumeric"))


def _programs(examples: Examples, working: Sequence[int], budget: Budget) -> Iterator[tuple[Lambda, float]]:
    rows = [examples.inputs[place] for place in working]
    outputs = [examples.outputs[place] for place in working]
    probes = list(dict.fromkeys(examples.unlabelled))[:PROBES]
    whole = examples.output_type == Int
    wanted = (
        outputs if examples.output_type == TextType else [str(value) if whole else "" for value in outputs]
    )
    parts = Parts(examples.names, examples.types, [*rows, *probes], wanted, budget.share(0.5))
    found = parts.grow()
    if examples.output_type == TextType:
        made = _texts(parts, found, examples, wanted, budget)
    elif whole:
        made = numbers_of(parts, found, outputs, budget)
    else:
        made = truths_of(Conditions(parts, examples).all, outputs, budget)
    for program, price in made:
        yield Lambda(examples.names, program), price


def _texts(parts: Parts, found: list[Part], examples: Examples, wanted: list[str], budget: Budget):
    given = ["\n".join(map(str, row)) for row in parts.rows[: len(wanted)]]
    covers = Covers(found, wanted, budget.share(0.6), given)
    everything = (1 << len(wanted)) - 1
    straight = covers.best(everything, COVERS_GIVEN)
    for cover in straight:
        yield sequence(cover), cover.price
    if straight and straight[0].price < DEAR_COVER:
        return
    decisions = Decisions(covers, Conditions(parts, examples).all, budget)
    for depth in range(1, DEEPEST_LIST + 1):
        best = decisions.best(everything, depth)
        if best is not None and best.condition is not None and worthwhile(best, wanted):
            yield decided(best), best.price
            return
    if not straight:
        for best in decisions.partial():
            yield decided(best), best.price


def worthwhile(decision: Decision, wanted: Sequence[str]) -> bool:
    """Whether a list of conditions is shorter than the outputs written out, so that it explains something."""
    return decision.price < sum(4.0 + text_price(value) for value in wanted)


# -- programs --------------------------------------------------------------------------------------------------


def decided(decision: Decision) -> Program:
    """A decision list as a program."""
    if decision.condition is None:
        return sequence(decision.cover)
    condition, then, otherwise = decision.condition, sequence(decision.cover), decided(decision.otherwise)
    if condition.word is values.not_:
        condition, then, otherwise = condition.arguments[0], otherwise, then
    return call(control.if_, condition.program, then, otherwise)


def sequence(cover: Cover) -> Program:
    """A cover as a program: one part, or several put together; pieces of one date are one form."""
    pieces = _joined_dates(list(cover.pieces))
    programs = [piece.program if isinstance(piece, Part) else Literal(piece) for piece in pieces]
    if not programs:
        return Literal("")
    return programs[0] if len(programs) == 1 else call(text.concat, *programs)


def _joined_dates(pieces: list) -> list:
    joined: list = []
    for piece in pieces:
        if joined and _is_date(joined[-1]) and _is_date(piece) and _same_date(joined[-1], piece):
            joined[-1] = _longer(joined[-1], piece.arguments[2])
        elif (
            len(joined) > 1
            and isinstance(joined[-1], str)
            and "%" not in joined[-1]
            and _is_date(joined[-2])
            and _is_date(piece)
            and _same_date(joined[-2], piece)
        ):
            between = joined.pop()
            joined[-1] = _longer(joined[-1], between + piece.arguments[2])
        else:
            joined.append(piece)
    return joined


def _is_date(piece: object) -> bool:
    return isinstance(piece, Part) and piece.word is formats.date_as


def _same_date(one: Part, other: Part) -> bool:
    return one.arguments[0] is other.arguments[0] and one.arguments[1] == other.arguments[1]


def _longer(date: Part, form: str) -> Part:
    source, read, wanted = date.arguments
    return replace(date, arguments=(source, read, wanted + form))
