"""Conditions over the inputs, and decision lists of covers: `if` the text holds a comma, this sequence, else that.

A list is grown from the front: the first condition takes rows that one cover writes, the others are left to the
rest of the list (Rivest 1987; divide and conquer as in EUSolver, Alur et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from perennial.primitives import text, values
from perennial.synthesis.base import Budget, Examples
from perennial.synthesis.witnesses.text.covers import Cover, Covers
from perennial.synthesis.witnesses.text.parts import KIND_PRICES, Part, Parts, text_price

IF_PRICE = 6.0
LONE_ROW_PRICE = 9.0
MOST_CONDITIONS = 400
CONDITIONS_TRIED = 60
WORDS_TRIED = 30
LEAF_STEPS = 500


@dataclass(frozen=True)
class Decision:
    """A cover, or a condition with a cover for the rows it takes and a decision for the others."""

    cover: Cover
    price: float
    condition: Part | None = None
    otherwise: Decision | None = None


class Conditions:
    """Conditions over some rows, those that agree on every row once, cheapest first.

    Args:
        parts: made over the same rows.
        examples: whose inputs the rows are.
    """

    def __init__(self, parts: Parts, examples: Examples) -> None:
        self.parts, self.known = parts, {}
        texts = [part for part in parts.inputs]
        for part in texts:
            self._of_text(part)
        for one, other in combinations(texts, 2):
            self._keep(values.equal, (one, other), 4.0)
        for one in texts:
            for other in texts:
                if one is not other:
                    self._keep(text.has, (one, other), 4.0)
        for part in parts.integers:
            self._of_number(part, 0.0)
        self.all = sorted(self.known.values(), key=lambda part: part.price)[:MOST_CONDITIONS]

    def _keep(self, word, arguments: tuple, price: float) -> None:
        made = self.parts.made(word, arguments, price)
        if made is None:
            return
        before = self.known.get(made.values)
        if before is None or before.price > made.price:
            self.known[made.values] = made

    def _of_text(self, part: Part) -> None:
        base, rows = part.price, [value for value in part.values if value is not None]
        for separator, price in self.parts.separators:
            if isinstance(separator, str):
                self._keep(text.has, (part, separator), base + price + 1.5)
                self._keep(text.starts_with, (part, separator), base + price + 2.5)
                self._keep(text.ends_with, (part, separator), base + price + 2.5)
                count = self.parts.made(text.count_of, (part, separator), base + price + 2.5)
                self._of_number(count, 0.0)
        for kind, price in KIND_PRICES.items():
            self._keep(text.has_kind, (part, kind), base + price + 1.5)
            self._keep(text.is_kind, (part, kind), base + price + 2.0)
            self._of_number(self.parts.made(text.count_tokens, (part, kind), base + price + 2.0), 0.0)
            for word in (text.left, text.right):
                edge = self.parts.made(word, (part, 1), base + 2.5)
                if edge is not None:
                    self._keep(text.is_kind, (edge, kind), edge.price + price + 1.5)
        self._keep(text.is_empty, (part,), base + 1.5)
        self._of_number(self.parts.made(text.text_length, (part,), base + 2.5), 1.0)
        for constant in frequent(rows):
            self._keep(text.has, (part, constant), base + 3.0 + text_price(constant))
        for value in sorted(set(rows)):
            if rows.count(value) > 1 or len(value) <= 3:
                self._keep(values.equal, (part, value), base + 3.0 + text_price(value))

    def _of_number(self, part: Part | None, extra: float) -> None:
        if part is None:
            return
        seen = sorted({value for value in part.values if value is not None})
        if len(seen) > 12 or len(seen) < 2:
            return
        for value in seen:
            self._keep(values.equal, (part, value), part.price + 2.5 + extra + 0.3 * abs(value))
        for value in seen[1:]:
            self._keep(values.less, (part, value), part.price + 2.5 + extra + 0.3 * abs(value))


def frequent(rows: Sequence[str]) -> list[str]:
    """Words that stand in at least two texts, but not in all."""
    counts: dict[str, int] = {}
    for value in rows:
        for word in {value[start:end] for start, end in text.tokens(value, "alphanumeric")}:
            counts[word] = counts.get(word, 0) + 1
    found = [word for word, count in counts.items() if 1 < count < len(rows)]
    return sorted(found, key=lambda word: (-counts[word], word))[:WORDS_TRIED]


class Decisions:
    """Looks for the cheapest decision list over rows; the covers and conditions are of the same rows."""

    def __init__(self, covers: Covers, conditions: Sequence[Part], budget: Budget) -> None:
        self.covers, self.budget = covers, budget
        self.full = (1 << len(covers.wanted)) - 1
        self.conditions = []
        for part in conditions:
            mask = sum(1 << row for row in range(len(covers.wanted)) if part.values[row])
            if 0 < mask < self.full:
                self.conditions.append((part, mask, False))
                self.conditions.append((_negated(part), self.full & ~mask, True))
        self.answers: dict[tuple[int, int], Decision | None] = {}

    def best(self, rows: int, depth: int) -> Decision | None:
        """The cheapest decision for rows in a bit mask with at most so many conditions."""
        if (rows, depth) not in self.answers:
            self.answers[rows, depth] = self._search(rows, depth)
        return self.answers[rows, depth]

    def _leaf(self, rows: int) -> Decision | None:
        found = self.covers.best(rows, steps=LEAF_STEPS)
        if not found:
            return None
        lone = rows != self.full and rows & (rows - 1) == 0
        return Decision(found[0], found[0].price + (LONE_ROW_PRICE if lone else 0.0))

    def _search(self, rows: int, depth: int) -> Decision | None:
        best = self._leaf(rows)
        if depth == 0:
            return best
        tried = 0
        for condition, mask, _ in self.conditions:
            taken, rest = rows & mask, rows & ~mask
            if not taken or not rest:
                continue
            tried += 1
            limit = float("inf") if best is None else best.price
            if tried > CONDITIONS_TRIED or self.budget.over or condition.price + IF_PRICE >= limit:
                break
            first = self._leaf(taken)
            if first is None or first.price + condition.price + IF_PRICE >= limit:
                continue
            second = self.best(rest, depth - 1)
            if second is None:
                continue
            price = first.price + second.price + condition.price + IF_PRICE
            if price < limit:
                best = Decision(first.cover, price, condition, second)
        return best

    def partial(self) -> Iterator[Decision]:
        """Covers of as many rows as go together, widest first found."""
        for row in range(len(self.covers.wanted)):
            rows = 1 << row
            for other in range(len(self.covers.wanted)):
                if not rows >> other & 1 and not self.budget.over and self.covers.best(rows | 1 << other):
                    rows |= 1 << other
            if rows & (rows - 1) and (found := self.covers.best(rows)):
                yield Decision(found[0], found[0].price)


def _negated(part: Part) -> Part:
    flipped = tuple(None if value is None else not value for value in part.values)
    return Part(values.not_, (part,), part.price + 1.0, flipped)
