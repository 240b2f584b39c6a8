"""A drawing of a program: one box a word in the order values flow, with the type (for images, the shape) that it gives.

Boxes stand below each other, so no layout has to be computed; a value that is used further down than in the next box
(a skip connection, a branch) goes there along an arc at the side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from perennial.lang import Call, Lambda, Program, Type, Var, typed

BOX_WIDTH, BOX_HEIGHT, STEP = 330, 30, 44
MARGIN, LANE, MOST_LANES = 10, 14, 14
TYPE_WIDTH = 340
MOST_BOXES = 120
SHOWN_SETTINGS = 34


@dataclass(frozen=True)
class Box:
    """One word of a program.

    Args:
        word: its name.
        settings: parameters that differ from the defaults, as text.
        type: what it gives, as text.
        inputs: positions of the boxes it takes values from.
        weights: how many numbers it learns, when that is known before it is built.
    """

    word: str
    settings: str
    type: str
    inputs: tuple[int, ...]
    weights: int | None = None


def boxes(program: Program, input_type: Type, output_type: Type) -> list[Box]:
    """The boxes of a program `input -> prediction`, each after those it needs; a shared sub-program is one box.

    Raises:
        TypeMismatch: the program does not take that input.
    """
    types = typed(program, (input_type,), output_type)
    argument = program.names[0] if isinstance(program, Lambda) else "input"
    found: list[Box] = [Box(argument, "", str(input_type), ())]
    places: dict[Program, int] = {}

    def place(node: Program) -> int:
        if node in places or isinstance(node, Var):
            return places.get(node, 0)
        inputs = tuple(place(child) for child in node.arguments if isinstance(child, Call | Var))
        places[node] = len(found)
        word = getattr(node.function, "name", "function")
        found.append(Box(word, _settings(node), str(types.get(node, "")), inputs, _weights(node, types)))
        return places[node]

    body = program.body if isinstance(program, Lambda) else program
    if isinstance(body, Call):
        place(body)
    return found


def drawing(program: Program, input_type: Type, output_type: Type) -> str:
    """The boxes as one inline SVG, or an empty text when there are too many to be read."""
    shown = boxes(program, input_type, output_type)
    return "" if len(shown) > MOST_BOXES else svg(shown)


def svg(shown: list[Box]) -> str:
    """An SVG of boxes; colours follow the page, and every box says in words what it is."""
    lanes = _lanes(shown)
    left = MARGIN + LANE * (max(lanes.values(), default=-1) + 1)
    width, height = left + BOX_WIDTH + TYPE_WIDTH, STEP * len(shown) + MARGIN
    parts = [_edge(source, target, left, lanes.get((source, target))) for source, target in _edges(shown)]
    parts += [_box(number, box, left) for number, box in enumerate(shown)]
    return (
        f'<svg class="architecture" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="The words of the program from input to prediction, with the type that each gives">'
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>{"".join(parts)}</svg>'
    )


def _edges(shown: list[Box]) -> list[tuple[int, int]]:
    return [(source, target) for target, box in enumerate(shown) for source in dict.fromkeys(box.inputs)]


def _lanes(shown: list[Box]) -> dict[tuple[int, int], int]:
    """A lane at the side for each edge that jumps over boxes: short ones inside, none shared by edges that overlap."""
    lanes: dict[tuple[int, int], int] = {}
    jumps = [(source, target) for source, target in _edges(shown) if target - source > 1]
    for source, target in sorted(jumps, key=lambda edge: (edge[1] - edge[0], edge)):
        taken = {lane for (start, end), lane in lanes.items() if start < target and source < end}
        lanes[source, target] = next(
            (lane for lane in range(MOST_LANES) if lane not in taken), MOST_LANES - 1
        )
    return lanes


def _edge(source: int, target: int, left: float, lane: int | None) -> str:
    style = 'fill="none" stroke="currentColor" stroke-opacity="0.65" marker-end="url(#tip)"'
    if lane is None:
        x, top = left + BOX_WIDTH / 2, MARGIN + STEP * source + BOX_HEIGHT
        return f'<path d="M{x} {top} V{MARGIN + STEP * target}" {style}/>'
    side = left - LANE * (lane + 1)
    start, end = (MARGIN + STEP * place + BOX_HEIGHT / 2 for place in (source, target))
    return (
        f'<path d="M{left} {start + 6} H{side + 6} Q{side} {start + 6} {side} {start + 12} '
        f'V{end - 12} Q{side} {end - 6} {side + 6} {end - 6} H{left}" {style}/>'
    )


def _box(number: int, box: Box, left: float) -> str:
    top = MARGIN + STEP * number
    middle = top + BOX_HEIGHT / 2 + 5
    settings = (
        box.settings if len(box.settings) <= SHOWN_SETTINGS else box.settings[: SHOWN_SETTINGS - 1] + "…"
    )
    weights = f" · {box.weights:,} weights" if box.weights else ""
    full = f"{box.word}({box.settings}): {box.type}{weights}"
    return (
        f'<g><title>{escape(full)}</title><rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>'
        f'<text x="{left + 10}" y="{middle}"><tspan class="word">{escape(box.word)}</tspan> '
        f'<tspan class="soft">{escape(settings)}</tspan></text>'
        f'<text class="soft" x="{left + BOX_WIDTH + 10}" y="{middle}">{escape(box.type)}{weights}</text></g>'
    )


def _settings(node: Call) -> str:
    """Parameters that are not what the word would choose itself."""
    known = getattr(node.function, "parameters", {})
    given = [(name, getattr(value, "value", value)) for name, value in node.parameters]
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in given
        if name not in known or known[name].default != value
    )


def _weights(node: Call, types: Mapping[Program, Type]) -> int | None:
    """How many numbers a layer learns; None for other words."""
    if not callable(getattr(node.function, "cost", None)):
        return None
    given = {name: getattr(value, "value", value) for name, value in node.parameters}
    inputs = tuple(types[argument] for argument in node.arguments)
    return int(node.function.cost(inputs, **node.function.complete(given)).parameters)
