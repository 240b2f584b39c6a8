"""Programs as nested HTML boxes that open and close without any script."""

from __future__ import annotations

from html import escape

from perennial.lang.ops import Op
from perennial.lang.printing import literal_text
from perennial.lang.program import Call, Choice, Hole, Lambda, Let, Literal, Program, Var, Word

OPEN_LEVELS = 3


def to_html(program: Program) -> str:
    """The program as nested `<details>`; everything is escaped, a repeated part links to its first box.

    Classes for style sheets: `program` outermost, `node` on every box, with `call lambda let choice leaf`.

    >>> print(to_html(Literal("<b>")))
    <div class="program"><span class="node leaf">&#x27;&lt;b&gt;&#x27;</span></div>
    """
    return f'<div class="program">{_box(program, set(), 0)}</div>'


def _box(node: Program, shown: set[Program], level: int, role: str = "") -> str:
    prefix = f'<span class="role">{escape(role)}</span> ' if role else ""
    if not node.children:
        return f'<span class="node leaf">{prefix}{escape(_title(node))}</span>'
    place = f"node-{node.hash[:16]}"
    if node in shown:
        return f'<a class="node again" href="#{place}">{prefix}{escape(_title(node))} (the same as above)</a>'
    shown.add(node)
    inside = "".join(_box(child, shown, level + 1, label) for label, child in _parts(node))
    kind, opened = type(node).__name__.lower(), ' open=""' if level < OPEN_LEVELS else ""
    summary = f"<summary>{prefix}{escape(_title(node))}</summary>"
    return f'<details class="node {kind}" id="{place}"{opened}>{summary}{inside}</details>'


def _title(node: Program) -> str:
    if isinstance(node, Var):
        return node.name
    if isinstance(node, Literal):
        return literal_text(node.value)
    if isinstance(node, Word):
        return node.op.name
    if isinstance(node, Call):
        return node.function.name if isinstance(node.function, Op) else "apply"
    if isinstance(node, Lambda):
        return f"{', '.join(node.names)} →"
    if isinstance(node, Let):
        return f"let {node.name}"
    if isinstance(node, Hole):
        return f"hole {node.wanted}"
    assert isinstance(node, Choice)
    numbers = "" if node.low is None else f" {literal_text(node.low)} … {literal_text(node.high)}"
    return f"{node.kind} {node.label}{numbers}"


def _parts(node: Program) -> list[tuple[str, Program]]:
    if isinstance(node, Call):
        function = [] if isinstance(node.function, Op) else [("function", node.function)]
        return [*function, *(("", argument) for argument in node.arguments), *node.parameters]
    if isinstance(node, Let):
        return [(node.name, node.value), ("in", node.body)]
    return [("", child) for child in node.children]
