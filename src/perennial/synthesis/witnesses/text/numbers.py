"""Whole numbers and truths about texts: lengths, counts, positions and what texts write; conditions and pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perennial.lang import Program, call
from perennial.primitives import formats, text, values
from perennial.synthesis.base import Budget
from perennial.synthesis.witnesses.text.parts import KIND_PRICES, Part, Parts, place_price

PARTS_READ = 600
NUMBERS_PAIRED = 260
TRUTHS_PAIRED = 220
PROGRAMS_GIVEN = 8


def numbers_of(
    parts: Parts, found: Sequence[Part], outputs: Sequence[int], budget: Budget
) -> Iterator[tuple[Program, float]]:
    """Programs that give these whole numbers, cheapest first."""
    known: dict[tuple, Part] = {}

    def keep(made: Part | None) -> None:
        if made is not None and (made.values not in known or known[made.values].price > made.price):
            known[made.values] = made

    for part in parts.integers:
        keep(part)
    for part in found[:PARTS_READ]:
        if isinstance(part.values[0], str):
            keep(parts.made(formats.whole_number, (part,), part.price + 1.5))
            keep(parts.made(text.text_length, (part,), part.price + 1.5))
    for part in parts.inputs:
        for kind, price in KIND_PRICES.items():
            keep(parts.made(text.count_tokens, (part, kind), part.price + price + 1.5))
        for separator, price in parts.separators:
            if separator is part:
                continue
            keep(parts.made(text.count_of, (part, separator), part.price + price + 1.5))
            for place in (0, -1, 1, 2, -2):
                keep(
                    parts.made(
                        text.find, (part, separator, place), part.price + price + 2.0 + place_price(place)
                    )
                )
            for count in parts.counts:
                keep(parts.made(text.find, (part, separator, count), part.price + price + 2.0 + count.price))
    for one in parts.inputs:
        for other in parts.inputs:
            if one is not other:
                keep(parts.made(text.count_of, (one, other), one.price + other.price + 1.5))
                keep(parts.made(text.find, (one, other, 0), one.price + other.price + 2.5))
                for sign in _signs_before(one, other):
                    marked = parts.made(text.concat, (sign, other), other.price + 4.0)
                    if marked is not None:
                        keep(parts.made(text.count_of, (one, marked), one.price + marked.price + 1.5))
    yield from _matching(parts, sorted(known.values(), key=lambda part: part.price), outputs, budget)


def _signs_before(one: Part, other: Part) -> list[str]:
    """Signs that stand before the second text in the first."""
    signs: set[str] = set()
    for value, what in zip(one.values, other.values, strict=True):
        at = value.find(what) if value and what else -1
        while at >= 0:
            if at and not value[at - 1].isalnum():
                signs.add(value[at - 1])
            at = value.find(what, at + 1)
    return sorted(signs)[:4]


def _matching(
    parts: Parts, numbers: list[Part], outputs: Sequence[int], budget: Budget
) -> Iterator[tuple[Program, float]]:
    goal, rows = tuple(outputs), len(outputs)
    matches = [part for part in numbers if part.values[:rows] == goal]
    few = [part for part in numbers if None not in part.values[:rows]][:NUMBERS_PAIRED]
    for part in few:
        shift = {wanted - value for wanted, value in zip(goal, part.values, strict=False)}
        if len(shift) == 1 and (by := shift.pop()) and abs(by) <= 10:
            word, price = (values.add, 2.5) if by > 0 else (values.subtract, 2.5)
            made = parts.made(word, (part, abs(by)), part.price + price + 0.6 * abs(by))
            matches += [made] if made is not None else []
    by_values: dict[tuple, Part] = {}
    for part in few:
        by_values.setdefault(part.values[:rows], part)
    for part in few:
        if budget.over:
            break
        for word, rest in (
            (values.add, tuple(w - v for w, v in zip(goal, part.values, strict=False))),
            (values.subtract, tuple(v - w for w, v in zip(goal, part.values, strict=False))),
        ):
            other = by_values.get(rest)
            if other is not None:
                made = parts.made(word, (part, other), part.price + other.price + 2.5)
                matches += [made] if made is not None else []
    for part in sorted(matches, key=lambda part: part.price)[:PROGRAMS_GIVEN]:
        yield part.program, part.price


def truths_of(
    conditions: Sequence[Part], outputs: Sequence[bool], budget: Budget
) -> Iterator[tuple[Program, float]]:
    """Programs that give these truths: a condition, its contrary, or two conditions joined."""
    rows = len(outputs)
    goal = sum(1 << row for row in range(rows) if outputs[row])
    full = (1 << rows) - 1
    masks: dict[int, tuple[float, Program]] = {}

    def keep(mask: int, price: float, make) -> None:
        if mask not in masks or masks[mask][0] > price:
            masks[mask] = (price, make())

    for part in conditions:
        if None in part.values[:rows]:
            continue
        mask = sum(1 << row for row in range(rows) if part.values[row])
        keep(mask, part.price, lambda part=part: part.program)
        keep(full & ~mask, part.price + 1.5, lambda part=part: call(values.not_, part.program))
    singles = sorted(((price, mask, made) for mask, (price, made) in masks.items()), key=lambda one: one[:2])
    found = [(price, made) for price, mask, made in singles if mask == goal]
    pairs: list[tuple[float, Program]] = []
    for place, (price, mask, made) in enumerate(singles[:TRUTHS_PAIRED]):
        if budget.over:
            break
        for other_price, other, other_made in singles[:place]:
            if mask | other == goal:
                pairs.append((price + other_price + 2.0, call(values.or_, other_made, made)))
            if mask & other == goal:
                pairs.append((price + other_price + 2.0, call(values.and_, other_made, made)))
    for price, made in sorted([*found, *pairs], key=lambda one: one[0])[:PROGRAMS_GIVEN]:
        yield made, price
