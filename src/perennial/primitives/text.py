"""Words for text: parts by place, by separator and by kind of character; cases, formats, tests.

A part is named in the way a person would name it (the last word, the digits, what stands before the comma)
wherever it can be. Places count from 0, and from the end when negative. A word without an answer (there is no
comma) raises `NoAnswer`.

>>> token("Ada King, 1815", "letters", 1), before("Ada King, 1815", ",")
('King', 'Ada King')

The kinds of characters are `digits letters upper lower alphanumeric word spaces number`; a token is a longest
run of characters of one kind. Positions between two kinds follow FlashFill (Gulwani 2011).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int, Text

LONGEST_TEXT = 20_000
KINDS = {
    "digits": r"[0-9]+",
    "letters": r"[^\W\d_]+",
    "upper": r"[A-ZÀ-ÖØ-Þ]+",
    "lower": r"[a-zß-öø-ÿ]+",
    "alphanumeric": r"[^\W_]+",
    "word": r"[^\s]+",
    "spaces": r"\s+",
    "number": r"-?[0-9]+(?:\.[0-9]+)?",
}


@lru_cache(maxsize=4096)
def tokens(text: str, kind: str) -> tuple:
    """Start and end of every longest run of characters of one kind."""
    return tuple(found.span() for found in re.finditer(_pattern(kind), text))


def _pattern(kind: str) -> str:
    if kind not in KINDS:
        raise NoAnswer(f"A kind is one of {', '.join(KINDS)}, received {kind!r}.")
    return KINDS[kind]


def chosen(items: tuple | list, place: int, what: str):
    """The item at a place from 0, or from the end."""
    if not -len(items) <= place < len(items):
        raise NoAnswer(f"There is no {what} number {place}.")
    return items[place]


def bounded(text: str) -> str:
    """The text itself when it is not too long."""
    if len(text) > LONGEST_TEXT:
        raise NoAnswer(f"A text has at most {LONGEST_TEXT} characters.")
    return text


def occurrence(text: str, what: str, number: int) -> int:
    """Where the occurrence of that number begins, counted from 0, or from the end when negative."""
    if not what:
        raise NoAnswer("Nothing cannot be found.")
    start = -1
    if number >= 0:
        for _ in range(min(number, len(text)) + 1):
            start = text.find(what, start + 1)
            if start < 0:
                raise NoAnswer(f"{what!r} does not occur so often.")
        return start
    start = len(text)
    for _ in range(min(-number, len(text) + 1)):
        start = text.rfind(what, 0, max(0, start + len(what) - 1))
        if start < 0:
            raise NoAnswer(f"{what!r} does not occur so often.")
    return start


# -- putting together ------------------------------------------------------------------------------------------


@primitive
def concat(left: Text, right: Text, *more: Text) -> Text:
    """One text after another.

    >>> concat("Ada", " ", "King")
    'Ada King'
    """
    return bounded(left + right + "".join(more))


@primitive
def joined(items: List[Text], separator: Text) -> Text:
    """The texts of a list with a separator between them.

    >>> joined(("a", "b"), "-")
    'a-b'
    """
    return bounded(separator.join(items))


@primitive
def repeat_text(text: Text, number: Int) -> Text:
    """The text so many times.

    >>> repeat_text("ab", 2)
    'abab'
    """
    if max(0, number) * len(text) > LONGEST_TEXT:
        raise NoAnswer("The repeated text is too long.")
    return text * max(0, number) if text else ""


@primitive
def pad_left(text: Text, width: Int, character: Text) -> Text:
    """The text with a character put before it until it is so wide.

    >>> pad_left("7", 3, "0")
    '007'
    """
    if len(character) != 1 or width > LONGEST_TEXT:
        raise NoAnswer("Padding needs one character and a small width.")
    return text.rjust(width, character)


@primitive
def pad_right(text: Text, width: Int, character: Text) -> Text:
    """The text with a character put after it until it is so wide.

    >>> pad_right("7", 3, ".")
    '7..'
    """
    if len(character) != 1 or width > LONGEST_TEXT:
        raise NoAnswer("Padding needs one character and a small width.")
    return text.ljust(width, character)


# -- parts by place --------------------------------------------------------------------------------------------


@primitive
def left(text: Text, number: Int) -> Text:
    """The first so many characters; all but the last ones when negative.

    >>> left("perennial", 3), left("perennial", -2)
    ('per', 'perenni')
    """
    return text[:number]


@primitive
def right(text: Text, number: Int) -> Text:
    """The last so many characters; all but the first ones when negative.

    >>> right("perennial", 3), right("perennial", -2)
    ('ial', 'rennial')
    """
    return text[-number:] if number else ""


@primitive
def part(text: Text, start: Int, end: Int) -> Text:
    """The characters from one position up to, not including, another.

    >>> part("perennial", 1, 4)
    'ere'
    """
    return text[max(0, start) : max(0, end)]


@primitive
def character(text: Text, place: Int) -> Text:
    """The character at a place from 0, or from the end when negative.

    >>> character("abc", -1)
    'c'
    """
    return chosen(text, place, "character")


@primitive
def characters(text: Text) -> List[Text]:
    """The characters, one by one.

    >>> characters("abc")
    ('a', 'b', 'c')
    """
    return tuple(text)


@primitive
def find(text: Text, what: Text, number: Int) -> Int:
    """The position of an occurrence: number 0 is the first, -1 the last.

    >>> find("a-b-c", "-", 0), find("a-b-c", "-", -1)
    (1, 3)
    """
    return occurrence(text, what, number)


@primitive
def border(text: Text, kind_before: Text, kind_after: Text, number: Int) -> Int:
    """A position where a token of one kind ends and one of another begins; "" stands for any.

    >>> border("Ada King, 1815", "", "digits", 0), border("Ada King, 1815", "letters", "spaces", 0)
    (10, 3)
    """
    return chosen(borders(text, kind_before, kind_after), number, "border")


@lru_cache(maxsize=4096)
def borders(text: str, kind_before: str, kind_after: str) -> tuple:
    """Every position where a token of one kind ends and one of another begins."""
    anywhere = range(len(text) + 1)
    ends = {end for _, end in tokens(text, kind_before)} if kind_before else anywhere
    starts = {start for start, _ in tokens(text, kind_after)} if kind_after else anywhere
    return tuple(place for place in sorted(ends) if place in starts)


# -- parts by separator ----------------------------------------------------------------------------------------


@primitive
def split(text: Text, separator: Text) -> List[Text]:
    """The parts between separators.

    >>> split("a, b, c", ", ")
    ('a', 'b', 'c')
    """
    return tuple(text.split(separator)) if separator else (text,)


@primitive
def field(text: Text, separator: Text, place: Int) -> Text:
    """One of the parts between separators, from 0, or from the end when negative.

    >>> field("a,b,c", ",", 1), field("a,b,c", ",", -1)
    ('b', 'c')
    """
    if not separator or separator not in text:
        raise NoAnswer(f"There is no {separator!r}.")
    return chosen(text.split(separator), place, "field")


@primitive
def before(text: Text, what: Text) -> Text:
    """What stands before the first occurrence.

    >>> before("a=b=c", "=")
    'a'
    """
    return text[: occurrence(text, what, 0)]


@primitive
def after(text: Text, what: Text) -> Text:
    """What stands after the first occurrence.

    >>> after("a=b=c", "=")
    'b=c'
    """
    return text[occurrence(text, what, 0) + len(what) :]


@primitive
def before_last(text: Text, what: Text) -> Text:
    """What stands before the last occurrence.

    >>> before_last("a=b=c", "=")
    'a=b'
    """
    return text[: occurrence(text, what, -1)]


@primitive
def after_last(text: Text, what: Text) -> Text:
    """What stands after the last occurrence.

    >>> after_last("a=b=c", "=")
    'c'
    """
    return text[occurrence(text, what, -1) + len(what) :]


@primitive
def between(text: Text, opening: Text, closing: Text) -> Text:
    """What stands between the first opening and the next closing after it.

    >>> between("f(x) + g(y)", "(", ")")
    'x'
    """
    start = occurrence(text, opening, 0) + len(opening)
    return text[start : start + occurrence(text[start:], closing, 0)]


# -- parts by kind of character --------------------------------------------------------------------------------


@primitive
def token(text: Text, kind: Text, place: Int) -> Text:
    """One longest run of characters of a kind, from 0, or from the end when negative.

    >>> token("born 1815 in London", "digits", 0), token("born 1815 in London", "word", -1)
    ('1815', 'London')
    """
    start, end = chosen(tokens(text, kind), place, kind)
    return text[start:end]


@primitive
def all_tokens(text: Text, kind: Text) -> List[Text]:
    """Every longest run of characters of a kind.

    >>> all_tokens("10 x 20", "digits")
    ('10', '20')
    """
    return tuple(text[start:end] for start, end in tokens(text, kind))


@primitive
def keep(text: Text, kind: Text) -> Text:
    """The characters of a kind, and no others.

    >>> keep("(020) 123-45", "digits")
    '02012345'
    """
    return "".join(text[start:end] for start, end in tokens(text, kind))


@primitive
def drop_kind(text: Text, kind: Text) -> Text:
    """The text without the characters of a kind.

    >>> drop_kind("a1b22c", "digits")
    'abc'
    """
    return re.sub(_pattern(kind), "", text)


@primitive
def without_tags(text: Text) -> Text:
    """The text without anything in angle brackets.

    >>> without_tags("<b>bold</b>")
    'bold'
    """
    return re.sub(r"<[^<>]*>", "", text)


@primitive
def initials(text: Text) -> Text:
    """The first character of every word.

    >>> initials("Ada King")
    'AK'
    """
    return "".join(text[start] for start, _ in tokens(text, "word"))


# -- changing --------------------------------------------------------------------------------------------------


@primitive
def lower(text: Text) -> Text:
    """All letters small.

    >>> lower("Ada")
    'ada'
    """
    return text.lower()


@primitive
def upper(text: Text) -> Text:
    """All letters capital.

    >>> upper("Ada")
    'ADA'
    """
    return text.upper()


@primitive
def title(text: Text) -> Text:
    """Every word with a capital first letter, the others small.

    >>> title("ada KING")
    'Ada King'
    """
    return text.title()


@primitive
def capitalised(text: Text) -> Text:
    """The first letter capital, the others small.

    >>> capitalised("ada KING")
    'Ada king'
    """
    return text.capitalize()


@primitive
def stripped(text: Text) -> Text:
    """The text without spaces at its ends.

    >>> stripped("  a b ")
    'a b'
    """
    return text.strip()


@primitive
def squeeze(text: Text) -> Text:
    """The text without spaces at its ends and with one space where there were several.

    >>> squeeze("  a   b ")
    'a b'
    """
    return " ".join(text.split())


@primitive
def strip_of(text: Text, what: Text) -> Text:
    """The text without these characters at its ends.

    >>> strip_of("--a-b--", "-")
    'a-b'
    """
    return text.strip(what) if what else text


@primitive
def replace(text: Text, old: Text, new: Text) -> Text:
    """The text with every occurrence replaced.

    >>> replace("a-b-c", "-", "+")
    'a+b+c'
    """
    if not old or len(text) // len(old) * len(new) > LONGEST_TEXT:
        raise NoAnswer("Nothing cannot be replaced, and a text has a bounded length.")
    return text.replace(old, new)


@primitive
def replace_first(text: Text, old: Text, new: Text) -> Text:
    """The text with the first occurrence replaced.

    >>> replace_first("a-b-c", "-", "+")
    'a+b-c'
    """
    place = occurrence(text, old, 0)
    return bounded(text[:place] + new + text[place + len(old) :])


@primitive
def replace_last(text: Text, old: Text, new: Text) -> Text:
    """The text with the last occurrence replaced.

    >>> replace_last("a-b-c", "-", "+")
    'a-b+c'
    """
    place = occurrence(text, old, -1)
    return bounded(text[:place] + new + text[place + len(old) :])


@primitive
def remove(text: Text, what: Text) -> Text:
    """The text without any occurrence.

    >>> remove("a-b-c", "-")
    'abc'
    """
    return text.replace(what, "") if what else text


@primitive
def reversed_text(text: Text) -> Text:
    """The characters from the last to the first.

    >>> reversed_text("abc")
    'cba'
    """
    return text[::-1]


@primitive
def without_accents(text: Text) -> Text:
    """Letters without their accents.

    >>> without_accents("Žižek, Gödel")
    'Zizek, Godel'
    """
    parts = unicodedata.normalize("NFD", text[:LONGEST_TEXT])
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


# -- measuring and testing -------------------------------------------------------------------------------------


@primitive
def text_length(text: Text) -> Int:
    """How many characters.

    >>> text_length("abc")
    3
    """
    return len(text)


@primitive
def count_of(text: Text, what: Text) -> Int:
    """How often something occurs, without overlap.

    >>> count_of("banana", "an")
    2
    """
    return text.count(what) if what else 0


@primitive
def count_tokens(text: Text, kind: Text) -> Int:
    """How many longest runs of characters of a kind.

    >>> count_tokens("one two three", "word")
    3
    """
    return len(tokens(text, kind))


@primitive
def starts_with(text: Text, what: Text) -> Bool:
    """Whether the text begins so.

    >>> starts_with("perennial", "per")
    True
    """
    return text.startswith(what)


@primitive
def ends_with(text: Text, what: Text) -> Bool:
    """Whether the text ends so.

    >>> ends_with("perennial", "al")
    True
    """
    return text.endswith(what)


@primitive
def has(text: Text, what: Text) -> Bool:
    """Whether something occurs in the text.

    >>> has("perennial", "en")
    True
    """
    return what in text


@primitive
def has_kind(text: Text, kind: Text) -> Bool:
    """Whether a character of a kind occurs.

    >>> has_kind("abc1", "digits")
    True
    """
    return bool(tokens(text, kind))


@primitive
def is_kind(text: Text, kind: Text) -> Bool:
    """Whether the whole text is one token of a kind.

    >>> is_kind("123", "digits"), is_kind("12a", "digits")
    (True, False)
    """
    return tokens(text, kind) == ((0, len(text)),)


@primitive
def is_empty(text: Text) -> Bool:
    """Whether there is nothing but spaces.

    >>> is_empty("  ")
    True
    """
    return not text.strip()


# -- tables and nearest values ---------------------------------------------------------------------------------


@primitive
def lookup(text: Text, table: List[Pair[Text, Text]]) -> Text:
    """The value that a table holds for a text.

    >>> lookup("b", (("a", "one"), ("b", "two")))
    'two'
    """
    for key, value in table:
        if key == text:
            return value
    raise NoAnswer("The table does not hold this text.")


@primitive
def nearest(text: Text, options: List[Text]) -> Text:
    """The most similar of some texts, the first of equals (Levenshtein 1966).

    >>> nearest("Munich", ("London", "Muenich"))
    'Muenich'
    """
    if not options or len(text) > 500 or len(options) > 200:
        raise NoAnswer("There must be 1 to 200 options, and a text of at most 500 characters.")
    return min(options, key=lambda option: edit_distance(text, option[:500]))


def edit_distance(one: str, other: str) -> int:
    """How many insertions, deletions and changes turn one text into another (Wagner and Fischer 1974)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for place, another in enumerate(other, 1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (letter != another)),
            )
    return row[-1]
