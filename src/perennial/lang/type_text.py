"""Types read back from their printed text: `parse_type` is the inverse of `str`."""

from __future__ import annotations

import re

from perennial.errors import TypeMismatch
from perennial.lang.terms import (
    VARIABLE_NAME,
    Arrow,
    Bool,
    Categories,
    Class,
    Date,
    Dict,
    Dist,
    Graph,
    Grid,
    Image,
    Int,
    Labels,
    List,
    Marginals,
    Option,
    Pair,
    Real,
    Record,
    Series,
    Sound,
    Tensor,
    Text,
    Type,
    TypeVar,
    Video,
    Volume,
)

_CONSTRUCTORS: dict[str, type[Type]] = {
    kind.__name__: kind
    for kind in (Class, Categories, Dist, Labels, Marginals, List, Option, Pair, Dict, Graph, Tensor)
    + (Image, Sound, Series, Video, Volume)
}
_BASIC = {kind.name: kind for kind in (Bool, Int, Real, Text, Date, Grid)}
_TOKEN = re.compile(r"\s*(->|[A-Za-z_][A-Za-z0-9_]*|[0-9]{1,15}|[\[\](){},:])")
LONGEST_TEXT = 1_000_000
DEEPEST = 60


def parse_type(text: str) -> Type:
    """The type that prints as the text.

    Raises:
        TypeMismatch: when the text is no type; the message shows the place with an arrow.

    >>> parse_type("(a -> b, List[a]) -> List[b]").result
    List[b]
    >>> parse_type("List[Itn]")
    Traceback (most recent call last):
    perennial.errors.TypeMismatch: There is no type `Itn`.
      where: List[Itn]
                  ^
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise TypeMismatch(
            f"A type is written as text of at most {LONGEST_TEXT} characters, received {type(text).__name__}."
        )
    return _TypeParser(text).parse()


class _TypeParser:
    def __init__(self, text: str) -> None:
        self.text, self.position, self.start, self.depth = text, 0, 0, 0
        self.token = self._next()

    def _next(self) -> str:
        match = _TOKEN.match(self.text, self.position)
        self.start = match.start(1) if match else self.position
        if match is None:
            if self.text[self.position :].strip():
                self.fail("This character does not belong in a type.")
            return ""
        self.position = match.end()
        return match[1]

    def fail(self, what: str, place: int | None = None):
        place = self.start if place is None else place
        begin = max(0, place - 40)
        shown = self.text[begin : place + 40].replace("\n", " ")
        raise TypeMismatch(what, where=f"{shown}\n{' ' * (9 + place - begin)}^")

    def take(self, expected: str | None = None) -> str:
        token = self.token
        if expected is not None and token != expected:
            self.fail(f"Expected `{expected}`, received `{token or 'the end'}`.")
        self.token = self._next()
        return token

    def parse(self) -> Type:
        parsed = self.arrow()
        if self.token:
            self.fail(f"The type ends before `{self.token}`.")
        return parsed

    def arrow(self) -> Type:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"A type nests at most {DEEPEST} deep.")
        place = self.start
        grouped = self.token == "("
        parts = self.sequence("(", ")", self.arrow) if grouped else [self.atom()]
        if self.token == "->":
            self.take()
            parsed: Type = Arrow(*parts, self.arrow())
        elif len(parts) == 1:
            parsed = parts[0]
        else:
            self.fail("Expected `->` after the arguments in parentheses.", place)
        self.depth -= 1
        return parsed

    def sequence(self, opening: str, closing: str, item) -> list:
        self.take(opening)
        items = []
        while self.token != closing:
            items.append(item())
            if self.token != closing:
                self.take(",")
        self.take(closing)
        return items

    def argument(self):
        return int(self.take()) if self.token.isdigit() else self.arrow()

    def field(self) -> tuple[str, Type]:
        name = self.take()
        self.take(":")
        return name, self.arrow()

    def atom(self) -> Type:
        place, name = self.start, self.take()
        if name in _BASIC:
            return _BASIC[name]
        if VARIABLE_NAME.fullmatch(name):
            return TypeVar(name)
        if name == "Record":
            fields = self.sequence("{", "}", self.field)
            if len(dict(fields)) < len(fields):
                self.fail("A record names a field twice.", place)
            return Record(dict(fields))
        if name not in _CONSTRUCTORS:
            self.fail(f"There is no type `{name}`." if name else "Expected a type, received the end.", place)
        arguments = self.sequence("[", "]", self.argument) if self.token == "[" else []
        try:
            return _CONSTRUCTORS[name](*arguments)
        except (TypeError, TypeMismatch):
            self.fail(f"`{name}` cannot be built from [{', '.join(map(str, arguments))}].", place)
