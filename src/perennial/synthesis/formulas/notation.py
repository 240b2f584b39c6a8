"""Formulas as people write them: LaTeX, a line of Python, and a Python function that needs nothing but `math`.

>>> from perennial.lang import Lambda, Var, call
>>> from perennial.primitives.reals import power, times
>>> area = Lambda(("r",), call(times, 3.141592653589793, call(power, Var("r"), 2.0)))
>>> print(to_latex(area), "|", to_infix(area))
\\pi r^{2} | math.pi * r ** 2
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from perennial.errors import ProgramError
from perennial.lang import Call, Lambda, Literal, Program, Var
from perennial.primitives import reals
from perennial.primitives.values import ratio

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
LARGEST_DENOMINATOR = 12
SAME = 4e-16
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
}  # fmt: skip


@dataclass(frozen=True)
class _Text:
    """A piece of a formula and how tightly it holds together."""

    text: str
    binding: int


def to_latex(program: Program) -> str:
    """The formula for a LaTeX document, without dollar signs.

    Args:
        program: a formula, or a function of several numbers.

    Raises:
        ProgramError: for a word that is no word of formulas.
    """
    return _written(program, _Latex()).text


def to_infix(program: Program) -> str:
    """The formula as one Python expression over its variables and `math`.

    Raises:
        ProgramError: for a word that is no word of formulas.
    """
    return _written(program, _Python()).text


def to_python(program: Lambda, name: str = "formula", doc: str = "") -> str:
    """A Python function with the formula, and the one import it needs.

    Args:
        program: a function of numbers.
        name: of the function.
        doc: its docstring, one line.

    >>> from perennial.lang import Lambda, Var, call
    >>> from perennial.primitives.reals import sin
    >>> print(to_python(Lambda(("x",), call(sin, Var("x")))), end="")
    import math
    <BLANKLINE>
    <BLANKLINE>
    def formula(x):
        return math.sin(x)
    """
    lines = ["import math", "", "", f"def {name}({', '.join(program.names)}):"]
    lines += [f'    """{doc}"""'] if doc else []
    return "\n".join([*lines, f"    return {to_infix(program)}"]) + "\n"


def _written(program: Program, style: _Latex | _Python) -> _Text:
    if isinstance(program, Lambda):
        return _written(program.body, style)
    if isinstance(program, Var):
        return _Text(style.variable(program.name), ATOM)
    if isinstance(program, Literal) and isinstance(program.value, (int, float)):
        return style.number(float(program.value))
    if isinstance(program, Call) and program.function in style.rules:
        return style.rules[program.function](style, *(_written(part, style) for part in program.arguments))
    raise ProgramError("Only formulas can be written so.", where=str(program)[:100])


def known_number(value: float) -> tuple[Fraction, int, int] | None:
    """A number as `fraction · π^(half/2) · 2^(root/2)`: the fraction, `half`, `root`; None when it is none.

    >>> known_number(0.75), known_number(math.pi / 2), known_number(0.123456)
    ((Fraction(3, 4), 0, 0), (Fraction(1, 2), 2, 0), None)
    """
    for half, root in ((0, 0), (2, 0), (-2, 0), (0, 1), (1, 0), (-1, 0), (-1, -1), (1, 1), (4, 0), (-4, 0)):
        share = value / (math.pi ** (half / 2) * 2 ** (root / 2))
        fraction = Fraction(share).limit_denominator(LARGEST_DENOMINATOR)
        if abs(share) < 1e6 and fraction and abs(float(fraction) - share) <= SAME * abs(share):
            return fraction, half, root
    return None


class _Python:
    """Python's notation."""

    def variable(self, name: str) -> str:
        return name

    def number(self, value: float) -> _Text:
        known = known_number(value)
        if known is None or (known[1:] == (0, 0) and known[0].denominator in (1, 2, 4, 5, 8, 10)):
            text = str(int(value)) if value == round(value) and abs(value) < 1e15 else repr(value)
            return _Text(text, SIGN if value < 0 else ATOM)
        fraction, half, root = known
        over = [str(fraction.numerator)] if fraction.numerator != 1 or (half <= 0 and root <= 0) else []
        under = [str(fraction.denominator)] if fraction.denominator != 1 else []
        for place, count, text in ((0, half, "math.pi"), (1, root, "2")):
            written = (
                text
                if place == 0 and abs(count) == 2
                else f"math.sqrt({text})"
                if abs(count) == 1
                else f"{text}**2"
            )
            (over if count > 0 else under).extend([written] if count else [])
        text = "*".join(over) if len(over) else "1"
        if under:
            text += "/" + (under[0] if len(under) == 1 else f"({'*'.join(under)})")
        simple = len(over) <= 1 and not under and fraction > 0
        return _Text(text, PRODUCT if not simple else POWER if abs(half) == 4 else ATOM)

    def sum(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"{x.text} + {_held(y, SUM)}", SUM)

    def difference(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"{x.text} - {_held(y, PRODUCT)}", SUM)

    def product(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"{_held(x, PRODUCT)} * {_held(y, SIGN)}", PRODUCT)

    def quotient(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"{_held(x, PRODUCT)} / {_held(y, POWER)}", PRODUCT)

    def power(self, x: _Text, y: _Text) -> _Text:
        if y.text.lstrip("-").isdigit():
            return _Text(f"{_held(x, ATOM)} ** {_held(y, ATOM)}", POWER)
        return _Text(f"math.pow({x.text}, {y.text})", ATOM)  # no complex number where ** would give one

    @staticmethod
    def applied(name: str) -> Callable:
        return lambda self, x: _Text(f"{name}({x.text})", ATOM)

    rules: ClassVar[dict] = {
        reals.plus: sum, reals.minus: difference, reals.times: product, ratio: quotient, reals.power: power,
        reals.magnitude: lambda self, x: _Text(f"abs({x.text})", ATOM),
    }  # fmt: skip


_NAMES = {
    reals.sqrt: "sqrt", reals.exp: "exp", reals.log: "log", reals.sin: "sin", reals.cos: "cos", reals.tan: "tan",
    reals.tanh: "tanh", reals.arcsin: "asin", reals.arccos: "acos", reals.arctan: "atan",
}  # fmt: skip
_Python.rules |= {op: _Python.applied(f"math.{name}") for op, name in _NAMES.items()}


class _Latex:
    """LaTeX's notation."""

    def variable(self, name: str) -> str:
        head, *rest = re.split(r"_|(?<=[A-Za-z])(?=\d)", name)
        letter = f"\\{head}" if head in _GREEK else head if len(head) == 1 else f"\\mathrm{{{head}}}"
        return f"{letter}_{{{','.join(part for part in rest if part)}}}" if any(rest) else letter

    def number(self, value: float) -> _Text:
        known = known_number(value)
        if known is None:
            return self._decimal(value)
        fraction, half, root = known
        over = (
            [str(abs(fraction.numerator))]
            if abs(fraction.numerator) != 1 or (half <= 0 and root <= 0)
            else []
        )
        under = [str(fraction.denominator)] if fraction.denominator != 1 else []
        for count, text in ((half, "\\pi"), (root, "2")):
            written = {1: f"\\sqrt{{{text}}}", 2: text, 4: f"{text}^{{2}}"}.get(abs(count))
            (over if count > 0 else under).extend([written] if written else [])
        top = " ".join(over)
        text = f"\\frac{{{top or '1'}}}{{{' '.join(under)}}}" if under else top
        if fraction < 0:
            return _Text(f"-{text}", SUM)
        return _Text(text, ATOM if under else PRODUCT if len(over) > 1 else POWER if abs(half) == 4 else ATOM)

    def _decimal(self, value: float) -> _Text:
        mantissa, _, exponent = f"{value:.12g}".partition("e")
        text = f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if exponent else mantissa
        return _Text(text, SUM if value < 0 else PRODUCT if exponent else ATOM)

    def sum(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"{x.text} + {self._held(y, PRODUCT)}", SUM)

    def difference(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"{x.text} - {self._held(y, PRODUCT)}", SUM)

    def product(self, x: _Text, y: _Text) -> _Text:
        left, right = self._held(x, PRODUCT), self._held(y, PRODUCT)
        return _Text(f"{left} \\cdot {right}" if right[0].isdigit() else f"{left} {right}", PRODUCT)

    def quotient(self, x: _Text, y: _Text) -> _Text:
        return _Text(f"\\frac{{{x.text}}}{{{y.text}}}", ATOM)

    def power(self, x: _Text, y: _Text) -> _Text:
        base = f"\\left({x.text}\\right)" if x.text.startswith("\\frac") else self._held(x, ATOM)
        return _Text(f"{{{base}}}^{{{y.text}}}" if "^" in base else f"{base}^{{{y.text}}}", POWER)

    @staticmethod
    def _held(piece: _Text, binding: int) -> str:
        return piece.text if piece.binding >= binding else f"\\left({piece.text}\\right)"

    @staticmethod
    def applied(name: str) -> Callable:
        return lambda self, x: _Text(f"{name}\\left({x.text}\\right)", ATOM)

    rules: ClassVar[dict] = {
        reals.plus: sum, reals.minus: difference, reals.times: product, ratio: quotient, reals.power: power,
        reals.sqrt: lambda self, x: _Text(f"\\sqrt{{{x.text}}}", ATOM),
        reals.magnitude: lambda self, x: _Text(f"\\left|{x.text}\\right|", ATOM),
    }  # fmt: skip


_Latex.rules |= {
    op: _Latex.applied(f"\\{name}")
    for op, name in {**_NAMES, reals.arcsin: "arcsin", reals.arccos: "arccos", reals.arctan: "arctan"}.items()
    if op is not reals.sqrt
}


def _held(piece: _Text, binding: int) -> str:
    return piece.text if piece.binding >= binding else f"({piece.text})"
