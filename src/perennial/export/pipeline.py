"""A program on one line, read from left to right: `name | token('word', -1) | upper`.

>>> from perennial.lang import Lambda, Var, call
>>> from perennial.primitives.text import token, upper
>>> to_pipeline(Lambda(("name",), call(upper, call(token, Var("name"), "word", -1))))
"name | token('word', -1) | upper"
"""

from __future__ import annotations

from perennial.lang import Call, Lambda, Let, Literal, Program, Var, Word
from perennial.lang.ops import Op
from perennial.lang.printing import literal_text, one_line

INFIX = {"concat": " + ", "add": " + ", "subtract": " - ", "multiply": " * ", "equal": " == ", "less": " < "}


def to_pipeline(program: Program) -> str:
    """The program as one line, its outermost arguments by name."""
    return _flow(program.body if isinstance(program, Lambda) else program, False)


def _flow(node: Program, inside: bool) -> str:
    if isinstance(node, Var):
        return node.name
    if isinstance(node, Literal):
        return literal_text(node.value)
    if isinstance(node, Word):
        return node.op.name
    if isinstance(node, Lambda):
        return f"({', '.join(node.names)} -> {_flow(node.body, False)})"
    if isinstance(node, Let):
        return _flow(node.body.substitute({node.name: node.value}), inside)
    if not isinstance(node, Call) or not isinstance(node.function, Op) or not node.arguments:
        return one_line(node)
    name = node.function.name
    if name == "if":
        condition, then, otherwise = (_flow(argument, True) for argument in node.arguments)
        text = f"{then} if {condition} else {otherwise}"
    elif name in INFIX:
        text = INFIX[name].join(_flow(argument, True) for argument in node.arguments)
    else:
        subject = next(
            (
                place
                for place, one in enumerate(node.arguments)
                if not isinstance(one, Lambda | Word | Literal)
            ),
            0,
        )
        others = [_flow(one, False) for place, one in enumerate(node.arguments) if place != subject]
        first = node.arguments[subject]
        joined = (
            isinstance(first, Call)
            and isinstance(first.function, Op)
            and first.function.name in {"if", *INFIX}
        )
        text = f"{_flow(first, joined)} | {name}{'(' + ', '.join(others) + ')' if others else ''}"
    return f"({text})" if inside else text
