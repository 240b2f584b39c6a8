"""Programs as readable Python text; `syntax.parse` reads every such text back to the same program.

Text is laid out in the manner of Wadler's prettier printer (2003): a call stands on one line when it fits,
else one argument per line. Parts that are used more than once get a name, as a person would write it.
"""

from __future__ import annotations

import keyword
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from perennial.errors import TooLarge
from perennial.lang.ops import Op
from perennial.lang.program import (
    RESERVED_NAMES,
    Call,
    Choice,
    Hole,
    Lambda,
    Let,
    Literal,
    Program,
    Var,
    Word,
)

WIDTH = 100
DEEPEST_EXPRESSION = 10  # deeper parts of a source text get a name of their own
MOST_PARTS = 200_000
_PLAIN_WORD = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?")


class Group:
    """Text around items: `opening item, item closing`; on one line or, when too long, one item a line."""

    __slots__ = ("closing", "flat", "items", "opening")

    def __init__(self, opening: str, items: Sequence[Document], closing: str, separator: str = ", ") -> None:
        self.opening, self.items, self.closing = opening, items, closing
        self.flat = opening + separator.join(flat(item) for item in items) + closing


class Joined:
    """Parts that follow one another without space."""

    __slots__ = ("flat", "parts")

    def __init__(self, *parts: Document) -> None:
        self.parts = parts
        self.flat = "".join(flat(part) for part in parts)


Document = str | Group | Joined


def flat(document: Document) -> str:
    """The document on one line."""
    return document if isinstance(document, str) else document.flat


def laid_out(document: Document, indent: int, used: int = 0) -> str:
    """The document in lines of at most `WIDTH` characters if it can be; `used` are taken on the first."""
    text = flat(document)
    if isinstance(document, str) or indent + used + len(text) <= WIDTH:
        return text
    if isinstance(document, Joined):
        done = ""
        for part in document.parts:
            done += laid_out(part, indent, used if "\n" not in done else 0)
            used += len(flat(part))
        return done
    if not document.items:
        return text
    inner = " " * (indent + 4)
    lines = [f"{inner}{laid_out(item, indent + 4)},\n" for item in document.items]
    return f"{document.opening}\n{''.join(lines)}{' ' * indent}{document.closing}"


def word_text(name: str, taken: frozenset[str] = frozenset()) -> str:
    """How a word is written: its name, `if_` for Python's keywords, else `word("…")`."""
    if _PLAIN_WORD.fullmatch(name):
        text = f"{name}_" if keyword.iskeyword(name) or name in RESERVED_NAMES else name
        if text not in taken:
            return text
    return f"word({name!r})"


def literal_text(value: Any) -> str:
    """A literal as it is read back: infinities and NaN by name."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # inf, -inf, nan
    if isinstance(value, tuple):
        items = [literal_text(item) for item in value]
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    return repr(value)


class Writer:
    """Turns nodes into documents; `Source` below adds names for shared parts."""

    def __init__(self, marked: Program | None = None) -> None:
        self.marked, self.parts = marked, 0

    def write(self, node: Program, bound: frozenset[str], inner: frozenset[str], level: int) -> Document:
        """The document of a node; `bound` are all names in scope, `inner` those bound in the statement."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise TooLarge(
                f"The program prints as more than {MOST_PARTS} parts.",
                todo="Name its repeated inner parts with Let, or make them words.",
            )
        document = self.rules[type(node)](self, node, bound, inner, level + 1)
        if node is self.marked:
            self.marked = None
            return Joined("\0", document, "\1")
        return document

    def variable(self, node: Var, bound, inner, level) -> Document:
        return node.name if node.name in bound else f'variable("{node.name}")'

    def literal(self, node: Literal, bound, inner, level) -> Document:
        return literal_text(node.value)

    def word(self, node: Word, bound, inner, level) -> Document:
        return word_text(node.op.name, bound)

    def hole(self, node: Hole, bound, inner, level) -> Document:
        return f'hole("{node.wanted}")'

    def call(self, node: Call, bound, inner, level) -> Document:
        items = [self.write(argument, bound, inner, level) for argument in node.arguments]
        for name, value in node.parameters:
            items.append(Joined(f"{name}=", self.write(value, bound, inner, level)))
        if isinstance(node.function, Op):
            return Group(f"{word_text(node.function.name, bound)}(", items, ")")
        function = self.write(node.function, bound, inner, level)
        if isinstance(node.function, (Lambda, Literal)):
            function = Joined("(", function, ")")
        return Joined(function, Group("(", items, ")"))

    def function(self, node: Lambda, bound, inner, level) -> Document:
        names = frozenset(node.names)
        head = f"lambda {', '.join(node.names)}: " if names else "lambda: "
        return Joined(head, self.write(node.body, bound | names, inner | names, level))

    def let(self, node: Let, bound, inner, level) -> Document:
        value = self.write(node.value, bound, inner, level)
        name = frozenset((node.name,))
        body = self.write(node.body, bound | name, inner | name, level)
        return Group("let(", [value, Joined(f"lambda {node.name}: ", body)], ")")

    def choice(self, node: Choice, bound, inner, level) -> Document:
        options = [self.write(option, bound, inner, level) for option in node.options]
        items: list[Document] = [repr(node.label)]
        shown: tuple[str, ...] = ()
        if node.kind == "one_of":
            items.append(Group("[", options, "]"))
        else:
            items += options
        if node.kind in ("integer", "real", "repeat"):
            shown = ("low", "high")
            items += [literal_text(node.low), literal_text(node.high)]
        usual = {"low": None, "high": None, "log": False, "default": None, "regularises": 0}
        for name, value in usual.items():
            given = getattr(node, name)
            if name not in shown and given is not value:
                items.append(f"{name}={literal_text(given)}")
        return Group(f"{node.kind}(", items, ")")

    rules = {
        Var: variable,
        Literal: literal,
        Word: word,
        Hole: hole,
        Call: call,
        Lambda: function,
        Let: let,
        Choice: choice,
    }


class Source(Writer):
    """Writes statements; a part that is used twice, or lies too deep, becomes a statement of its own."""

    def __init__(self, program: Program, body: Program, indent: int) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.indent = indent
        self.names: dict[Program, str] = {}
        self.bound: frozenset[str] = frozenset()
        self.uses = Counter(child for node in body.walk() for child in node.children)
        self.taken = _all_names(program)

    def write(self, node: Program, bound: frozenset[str], inner: frozenset[str], level: int) -> Document:
        if not self.deserves_name(node, level) or node.free_variables & inner:
            return super().write(node, bound, inner, level)
        if node not in self.names:
            document = super().write(node, self.bound, frozenset(), 0)
            name = self.new_name(node)
            self.statement(f"{name} = ", document)
            self.names[node] = name
        return self.names[node]

    def deserves_name(self, node: Program, level: int) -> bool:
        if isinstance(node, (Var, Literal, Word, Hole)) or node.size < 3:
            return False
        return self.uses[node] > 1 or level > DEEPEST_EXPRESSION

    def new_name(self, node: Program) -> str:
        kind = type(node).__name__.lower()
        if isinstance(node, Choice):
            kind = node.label
        elif isinstance(node, Call) and isinstance(node.function, Op):
            kind = node.function.name.split("/")[-1]
        base = re.sub(r"[^A-Za-z0-9]+", "_", kind).strip("_")
        base = base if base[:1].isalpha() and base.isascii() else "part"
        number = 1
        while f"{base}_{number}" in self.taken:
            number += 1
        self.taken.add(f"{base}_{number}")
        return f"{base}_{number}"

    def statement(self, head: str, document: Document, tail: str = "") -> None:
        text = laid_out(document, self.indent, len(head) + len(tail))
        self.lines.append(f"{' ' * self.indent}{head}{text}{tail}")

    def body(self, node: Program, head: str) -> None:
        """Statements for a program: its outer `Let`s in order, then its value after `head`."""
        while isinstance(node, Let):
            value = self.write(node.value, self.bound, frozenset(), 0)
            self.statement(f"{node.name} = let(", value, ")")
            self.bound |= {node.name}
            self.names = {
                part: name for part, name in self.names.items() if node.name not in part.free_variables
            }
            node = node.body
        self.statement(head, self.write(node, self.bound, frozenset(), 0))


def _all_names(program: Program) -> set[str]:
    names = set(RESERVED_NAMES) | set(keyword.kwlist)
    for node in program.walk():
        if isinstance(node, (Word, Call)):
            op = node.op if isinstance(node, Word) else node.function
            names |= {op.name, f"{op.name}_"} if isinstance(op, Op) else set()
        elif isinstance(node, Lambda):
            names |= set(node.names)
        elif isinstance(node, (Var, Let)):
            names.add(node.name)
    return names


def to_source(program: Program, name: str = "model") -> str:
    """The program as Python text: a `def` when it is a function, else assignments that end with `name = …`.

    `x = let(…)` is a `Let`; any other `x = …` only names a part that is written more than once.

    Raises:
        TooLarge: when the text would have more than 200 000 parts.

    >>> print(to_source(Lambda(("x", "y"), Var("y"))), end="")
    def model(x, y):
        return y
    """
    if isinstance(program, Lambda):
        source = Source(program, program.body, 4)
        source.bound = frozenset(program.names)
        source.body(program.body, "return ")
        return f"def {name}({', '.join(program.names)}):\n" + "\n".join(source.lines) + "\n"
    source = Source(program, program, 0)
    source.body(program, f"{name} = ")
    return "\n".join(source.lines) + "\n"


def one_line(program: Program) -> str:
    """The program as one expression; a very large one is only named by its size and hash."""
    if program.size > 50_000:
        return f"<{type(program).__name__} of size {program.size}, {program.hash[:12]}>"
    return flat(Writer().write(program, frozenset(), frozenset(), 0))


def point_at(program: Program, node: Program, room: int = 100) -> str:
    """One line of the program around a node, with arrows under the node.

    >>> print(point_at(Lambda(("x",), Var("x")), Var("x")))
    lambda x: x
              ^
    """
    if program.size > 20_000:
        program = node
    if program.size > 20_000:
        return one_line(program)
    text = flat(Writer(marked=node).write(program, frozenset(), frozenset(), 0))
    before, _, rest = text.partition("\0")
    inside, _, after = rest.partition("\1")
    inside = inside if len(inside) <= room else inside[: room - 1] + "…"
    space = max(0, room - len(inside)) // 2
    before = before if len(before) <= space else "…" + before[len(before) - space + 1 :] if space else ""
    after = after if len(after) <= space else after[: space - 1] + "…" if space else ""
    return f"{before}{inside}{after}\n{' ' * len(before)}{'^' * max(1, len(inside))}"
