"""Parts: every small program over the inputs whose text may be a piece of the output, each value once.

Words are applied to the inputs level by level, and their values are kept as columns (one value a row, None where
a word has no answer). Of parts that agree on every row, also on the rows without output, the cheapest stays
(observational equivalence; Udupa et al. 2013). A price is a number of bits: what a person would say first is
cheap (the last word), what only fits by accident is dear (characters 3 to 9).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from perennial.errors import NoAnswer
from perennial.lang import Int, Literal, Program, Type, Var, call
from perennial.lang import Text as TextType
from perennial.lang.ops import Primitive
from perennial.primitives import formats, text, values
from perennial.synthesis.base import Budget

KIND_PRICES = {
    "word": 1.0, "digits": 1.0, "number": 2.0, "letters": 1.5, "alphanumeric": 2.0, "upper": 3.2, "lower": 3.4,
    "spaces": 3.5,
}  # fmt: skip
PLACES = (0, -1, 1, -2, 2, -3, 3, 4, 5, 6)
SEPARATORS_KEPT = 14
FIRST_LEVEL_EXTENDED = 260
MOST_PARTS = 30_000
DATE_FORMS = (
    "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y",
    "%d.%m.%y", "%Y%m%d", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d %Y",
    "%A, %B %d, %Y", "%a, %d %b %Y", "%d %b %y", "%B %Y", "%b %Y", "%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M%p",
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
)  # fmt: skip
DATE_PIECES = (
    "%Y", "%m", "%d", "%y", "%B", "%b", "%A", "%a", "%e", "%n", "%H", "%M", "%S", "%I", "%k", "%p", "%q",
)  # fmt: skip


@dataclass(eq=False)
class Part:
    """A small program and its values.

    Args:
        word: what is called last; None for an input or a constant.
        arguments: parts or plain values; of an input its name, of a constant its value.
        price: in bits.
        values: one for each row, None where there is no answer.
    """

    word: Primitive | None
    arguments: tuple
    price: float
    values: tuple

    @cached_property
    def program(self) -> Program:
        """The same as a program."""
        if self.word is None:
            name, constant = self.arguments
            return Var(name) if name else Literal(constant)
        return call(
            self.word,
            *[argument.program if isinstance(argument, Part) else argument for argument in self.arguments],
        )


def place_price(place: int) -> float:
    """What it costs to say "the third" or "the last but one"."""
    return {0: 0.5, -1: 0.5, 1: 1.2, -2: 1.8, 2: 1.8}.get(place, 1.5 + 0.7 * abs(place))


def text_price(constant: str) -> float:
    """What it costs to write a constant text: letters and digits are more likely copied by accident."""
    return sum(1.0 if not letter.isalnum() else 2.4 for letter in constant)


class Parts:
    """All parts over some rows.

    Args:
        names, types: of the inputs.
        rows: input tuples, those with outputs first.
        wanted: the texts that parts shall be pieces of, one for each row with an output.
        budget: when to stop adding.
    """

    def __init__(
        self,
        names: Sequence[str],
        types: Sequence[Type],
        rows: Sequence[tuple],
        wanted: Sequence[str],
        budget: Budget,
    ) -> None:
        self.rows, self.wanted, self.budget = rows, tuple(wanted), budget
        self.tried = 0
        self.known: dict[tuple, Part] = {}
        self.numbers: list[Part] = []
        extra = 0.0 if len(names) == 1 else 0.8
        self.inputs, self.integers = [], []
        for number, (name, kind) in enumerate(zip(names, types, strict=True)):
            column = tuple(row[number] for row in rows)
            part = Part(None, (name, None), 1.0 + extra, column)
            if kind == TextType:
                self.inputs.append(self.add(part) or part)
            elif kind == Int:
                self.integers.append(part)
        self.counts = [*self.integers, *self._shifted()]
        self.separators = self._separators()

    def _shifted(self) -> Iterator[Part]:
        for part in self.integers:
            for word, price in ((values.subtract, 2.5), (values.add, 3.5)):
                made = self.made(word, (part, 1), part.price + price)
                if made is not None:
                    yield made

    def _separators(self) -> list[tuple[Any, float]]:
        """Texts to split at: signs that stand in many rows, words that stand in all, and short inputs."""
        shown = [[value for value in part.values if value] for part in self.inputs]
        signs: dict[str, int] = {}
        for column in shown:
            for value in column:
                for sign in {letter for letter in value if not letter.isalnum()}:
                    signs[sign] = signs.get(sign, 0) + 1
        often = sorted(signs, key=lambda sign: (-signs[sign], sign))[:SEPARATORS_KEPT]
        found: list[tuple[Any, float]] = [(sign, 1.5 if sign != "\n" else 2.5) for sign in often]
        for first in often:
            for second in often:
                pair = first + second
                if sum(pair in value for column in shown for value in column) * 2 > len(self.rows):
                    found.append((pair, 2.7))
        for column in shown:
            found += [(constant, 1.0 + text_price(constant)) for constant in common_words(column)]
        for part in self.inputs if len(self.inputs) > 1 else ():
            others = [other for other in self.inputs if other is not part]
            if any(
                all(a and b and a in b for a, b in zip(part.values, other.values, strict=True))
                for other in others
            ):
                found.append((part, part.price + 0.5))
        return found

    # -- making columns ----------------------------------------------------------------------------------------

    def made(self, word: Primitive, arguments: tuple, price: float) -> Part | None:
        """The part of a word and arguments, or None when it has no answer anywhere."""
        function, columns = word.function, []
        for argument in arguments:
            columns.append(argument.values if isinstance(argument, Part) else (argument,) * len(self.rows))
        found = []
        for row in zip(*columns, strict=True):
            try:
                found.append(None if None in row else function(*row))
            except NoAnswer:
                found.append(None)
        return self.column(word, arguments, price, tuple(found))

    def column(self, word: Primitive, arguments: tuple, price: float, values: tuple) -> Part | None:
        """The part with values that were computed already; a row without an answer makes it dearer."""
        self.tried += 1
        missing = values.count(None)
        if missing == len(values):
            return None
        return Part(word, arguments, price + 0.5 * missing, values)

    def pieces(
        self, word: Primitive, part: Part, constant: Any, lists: Sequence, places: Sequence[int], price: float
    ) -> None:
        """Keeps the item at each place of a list a row (None for none); far places are dearer."""
        longest = max((len(items) for items in lists if items is not None), default=0)
        for place in places:
            if -longest <= place < longest:
                values = tuple(
                    items[place] if items is not None and -len(items) <= place < len(items) else None
                    for items in lists
                )
                self.add(self.column(word, (part, constant, place), price + place_price(place), values))

    def add(self, part: Part | None) -> Part | None:
        """Keeps a part when it is new or cheaper; returns the one that is kept when it is this one."""
        if part is None or (len(self.known) >= MOST_PARTS and part.values not in self.known):
            return None
        before = self.known.get(part.values)
        if before is not None and before.price <= part.price:
            return None
        self.known[part.values] = part
        return part

    def apply(self, word: Primitive, *arguments: Any, price: float) -> Part | None:
        """Makes and keeps a part."""
        return self.add(self.made(word, arguments, price))

    # -- levels ------------------------------------------------------------------------------------------------

    def grow(self) -> list[Part]:
        """All parts, cheapest first."""
        for part in list(self.inputs):
            self.extend(part, whole=True)
        for part in self.integers:
            self.apply(formats.written, part, price=part.price + 1.0)
            self.numerals(part)
        for part in list(self.inputs):
            self.positions(part)
        first = sorted(self.known.values(), key=lambda part: part.price)
        inputs = set(map(id, self.inputs))
        bases = [part for part in first if id(part) not in inputs and self.may_help(part)]
        for part in bases[:FIRST_LEVEL_EXTENDED]:
            if self.budget.over:
                break
            self.extend(part, whole=False)
        return sorted(self.known.values(), key=lambda part: part.price)

    def may_help(self, part: Part) -> bool:
        """Whether a part of the part may stand in the output of some row: they share a token, in any case."""
        for value, wanted in zip(part.values, self.wanted, strict=False):
            if value and any(letter in wanted.lower() for letter in value.lower() if letter.isalnum()):
                return True
        return False

    def extend(self, part: Part, whole: bool) -> None:
        """Every word applied to one part; fewer words when it is not a whole input."""
        self.changes(part, whole)
        self.tokens(part, whole)
        self.fields(part, whole)
        self.ends(part)
        self.dates(part)
        if whole:
            self.swaps(part)
        self.numerals(part)

    def changes(self, part: Part, whole: bool) -> None:
        base = part.price
        for word, price in (
            (text.lower, 2.0), (text.upper, 2.0), (text.title, 2.0), (text.capitalised, 2.3), (text.stripped, 1.8),
            (text.squeeze, 2.2), (text.initials, 3.0), (text.without_tags, 4.0), (text.reversed_text, 4.5),
            (text.without_accents, 4.0),
        ):  # fmt: skip
            self.apply(word, part, price=base + price + (0.3 if whole else 0.0))
        for kind, price in KIND_PRICES.items():
            self.apply(text.keep, part, kind, price=base + price + 3.0)
            self.apply(text.drop_kind, part, kind, price=base + price + 2.3)
        for separator, price in self.separators:
            if separator is not part:
                self.apply(text.remove, part, separator, price=base + price + 2.3)

    def tokens(self, part: Part, whole: bool) -> None:
        for kind, price in KIND_PRICES.items():
            lists = [
                None if value is None else text.all_tokens.function(value, kind) for value in part.values
            ]
            self.pieces(
                text.token, part, kind, lists, PLACES if whole else PLACES[:6], part.price + 2.0 + price
            )
            for count in self.counts:
                self.apply(text.token, part, kind, count, price=part.price + 2.0 + price + count.price)

    def fields(self, part: Part, whole: bool) -> None:
        base = part.price
        for separator, price in self.separators:
            if separator is part:
                continue
            self.halves(part, separator, base + price)
            lists = [
                _split(value, other) for value, other in zip(part.values, self.shown(separator), strict=True)
            ]
            places = PLACES[:6] if whole else PLACES[:4]
            self.pieces(text.field, part, separator, lists, places, base + price + 2.2)
            for count in self.counts:
                self.apply(text.field, part, separator, count, price=base + price + 2.2 + count.price)
            if whole:
                for closing, closing_price in self.separators:
                    if closing is not part:
                        self.apply(
                            text.between, part, separator, closing, price=base + price + closing_price + 2.5
                        )

    def shown(self, constant: Any) -> tuple:
        """The values of a part, or a constant in every row."""
        return constant.values if isinstance(constant, Part) else (constant,) * len(self.rows)

    def halves(self, part: Part, separator: Any, price: float) -> None:
        """What stands before and after the first and the last separator."""
        halves: list[list] = [[], [], [], []]
        for value, other in zip(part.values, self.shown(separator), strict=True):
            if value is None or not other or other not in value:
                found: tuple = (None,) * 4
            else:
                front, _, back = value.partition(other)
                most, _, last = value.rpartition(other)
                found = (front, back, most, last)
            for half, piece in zip(halves, found, strict=True):
                half.append(piece)
        words = ((text.before, 2.4), (text.after, 2.4), (text.before_last, 2.8), (text.after_last, 2.8))
        for (word, extra), values_here in zip(words, halves, strict=True):
            self.add(self.column(word, (part, separator), price + extra, tuple(values_here)))

    def ends(self, part: Part) -> None:
        base = part.price
        self.apply(text.left, part, 1, price=base + 2.2)
        for number in (1, 2, 3, 4, 5, 6, -1, -2, -3):
            for word in (text.left, text.right):
                self.apply(word, part, number, price=base + 3.6 + 0.6 * abs(number))
        for place in (1, -2, 2, -3):
            self.apply(text.character, part, place, price=base + 3.2 + place_price(place))
        for count in self.counts:
            for word in (text.left, text.right, text.character):
                self.apply(word, part, count, price=base + 2.5 + count.price)

    def swaps(self, part: Part) -> None:
        """Signs replaced by other signs, as the outputs show them."""
        signs = {letter for value in self.wanted for letter in value if not letter.isalnum()}
        for separator, price in self.separators:
            for sign in sorted(signs):
                if sign != separator and separator is not part:
                    price_here = part.price + price + 3.2 + text_price(sign)
                    self.apply(text.replace, part, separator, sign, price=price_here)
                    self.apply(text.replace_first, part, separator, sign, price=price_here + 1.0)
                    self.apply(text.replace_last, part, separator, sign, price=price_here + 1.2)
        for other in self.inputs:
            for third in self.inputs:
                if part is not other and other is not third and part is not third:
                    self.apply(text.replace, part, other, third, price=part.price + 6.0)

    def dates(self, part: Part) -> None:
        """Pieces of a date, when the texts are dates of one form."""
        sample = next((value for value in part.values if value), "")
        if len(sample) > 40 or not any(letter.isdigit() for letter in sample):
            return
        for form in DATE_FORMS:
            if formats.is_date.function(sample, form):
                read = self.made(formats.is_date, (part, form), 0.0)
                if sum(bool(value) for value in read.values) * 2 <= len(self.rows):
                    continue
                for piece in DATE_PIECES:
                    self.apply(formats.date_as, part, form, piece, price=part.price + 4.5)

    def numerals(self, part: Part) -> None:
        """Numbers written in another way, as wide as the outputs are."""
        sample = next((value for value in part.values if value not in (None, "")), "")
        if isinstance(sample, int):
            number = part
        elif any(letter.isdigit() for letter in sample) and len(sample) <= 30:
            number = self.made(formats.real_number, (part,), part.price + 1.0)
            whole = self.made(formats.whole_number, (part,), part.price + 1.0)
            if whole is not None:
                self.apply(formats.written, whole, price=part.price + 2.0)
            widths = {len(piece) for value in self.wanted for piece in _digit_runs(value)}
            for width in sorted(widths)[:4]:
                self.apply(text.pad_left, part, width, "0", price=part.price + 4.0 + 0.3 * width)
        else:
            return
        if number is not None:
            for decimals in (0, 1, 2, 3):
                for thousands, point, price in (
                    ("", ".", 5.0),
                    (",", ".", 5.5),
                    (".", ",", 6.5),
                    ("", ",", 6.5),
                ):
                    self.apply(
                        formats.number_as, number, decimals, thousands, point, price=number.price + price
                    )

    def positions(self, part: Part) -> None:
        """Pieces from one position to another (FlashFill's substrings)."""
        spots = self.spots(part)
        sample, wanted = part.values[0], self.wanted[0] if self.wanted else ""
        for start in spots:
            for end in spots:
                low, high = start.values[0], end.values[0]
                if low is None or high is None or not low < high:
                    continue
                if sample[low:high] in wanted or len(self.wanted) > 1:
                    price = part.price + 4.0 + start.price + end.price
                    if price < 24.0 and self._fits_somewhere(part, start, end):
                        self.apply(text.part, part, start, end, price=price)
            if self.budget.over:
                return

    def _fits_somewhere(self, part: Part, start: Part, end: Part) -> bool:
        fits = 0
        for value, low, high, wanted in zip(part.values, start.values, end.values, self.wanted, strict=False):
            if value and low is not None and high is not None and low < high and value[low:high] in wanted:
                fits += 1
        return 2 * fits >= len(self.wanted)

    def spots(self, part: Part) -> list[Part]:
        """Positions in a text, those that agree on every row once."""
        kept: dict[tuple, Part] = {}

        def keep(made: Part | None) -> None:
            if made is not None and (made.values not in kept or kept[made.values].price > made.price):
                kept[made.values] = made

        rows = len(self.rows)
        for number in range(12):
            keep(Part(None, ("", number), 0.5 + (1.5 + 0.6 * number if number else 0.0), (number,) * rows))
        length = self.made(text.text_length, (part,), 1.0)
        keep(length)
        for number in (1, 2, 3, 4, 5) if length is not None else ():
            keep(self.made(values.subtract, (length, number), 3.0 + 0.6 * number))
        for count in self.counts:
            keep(Part(count.word, count.arguments, count.price + 1.0, count.values))
        for separator, price in self.separators:
            if separator is part:
                continue
            for place in PLACES[:6]:
                found = self.made(text.find, (part, separator, place), 2.5 + price + place_price(place))
                keep(found)
                if found is not None and isinstance(separator, str):
                    keep(self.made(values.add, (found, len(separator)), found.price + 1.5))
        kinds = {"": 0.5, **KIND_PRICES}
        for one, first in kinds.items():
            for other, second in kinds.items():
                if one == other:
                    continue
                lists = [None if value is None else text.borders(value, one, other) for value in part.values]
                for place in PLACES[:6]:
                    values_here = tuple(
                        items[place] if items is not None and -len(items) <= place < len(items) else None
                        for items in lists
                    )
                    price = 2.0 + first + second + place_price(place)
                    keep(self.column(text.border, (part, one, other, place), price, values_here))
        return sorted(kept.values(), key=lambda spot: spot.price)[:160]


def common_words(column: Sequence[str]) -> list[str]:
    """Words of letters that stand in every text of a column, at most four."""
    if len(column) < 2:
        return []
    sets = [{value[start:end] for start, end in text.tokens(value, "letters")} for value in column]
    shared = set.intersection(*sets) if sets else set()
    return sorted(shared, key=lambda word: (len(word), word))[:4]


def _split(value: str | None, separator: str | None) -> list[str] | None:
    return value.split(separator) if value is not None and separator and separator in value else None


def _digit_runs(value: str) -> Iterator[str]:
    for start, end in text.tokens(value, "digits"):
        yield value[start:end]
