"""Formulas print as mathematics and run without perennial."""

import math
import subprocess
import sys

import numpy as np
import pytest

from perennial.errors import ProgramError
from perennial.lang import Lambda, Var, call, evaluate
from perennial.primitives import reals, vocabulary
from perennial.synthesis.formulas.algebra import minus, number, plus, product, quotient, raised
from perennial.synthesis.formulas.notation import known_number, to_infix, to_latex, to_python

X, Y = Var("x"), Var("y")


@pytest.mark.parametrize(
    ("formula", "infix", "latex"),
    [
        (plus(X, product(2, Y)), "x + 2 * y", r"x + 2 y"),
        (minus(X, minus(Y, 1)), "x - (y - 1)", r"x - \left(y - 1\right)"),
        (quotient(X, product(Y, 2)), "x / (y * 2)", r"\frac{x}{y \cdot 2}"),
        (raised(plus(X, 1), 2), "(x + 1) ** 2", r"\left(x + 1\right)^{2}"),
        (raised(X, 0.5), "math.sqrt(x)", r"\sqrt{x}"),
        (product(math.pi / 2, X), "math.pi/2 * x", r"\frac{\pi}{2} x"),
        (product(-1.5, X), "-1.5 * x", r"\left(-\frac{3}{2}\right) x"),
        (raised(quotient(1, X), 3), "(1 / x) ** 3", r"\left(\frac{1}{x}\right)^{3}"),
        (call(reals.power, X, -2.0), "x ** (-2)", r"x^{-2}"),
        (call(reals.power, minus(X, 1), 1.5), "math.pow(x - 1, 1.5)", r"\left(x - 1\right)^{\frac{3}{2}}"),
        (call(reals.power, math.pi**2, X), "math.pow(math.pi**2, x)", r"{\left(\pi^{2}\right)}^{x}"),
        (call(reals.arcsin, X), "math.asin(x)", r"\arcsin\left(x\right)"),
        (call(reals.magnitude, X), "abs(x)", r"\left|x\right|"),
        (Var("theta1"), "theta1", r"\theta_{1}"),
        (Var("mass"), "mass", r"\mathrm{mass}"),
    ],
)
def test_notation(formula, infix, latex):
    assert to_infix(formula) == infix
    assert to_latex(formula) == latex


def test_the_python_function_computes_the_same_without_perennial():
    formula = quotient(
        product(4 * math.pi / 3, minus(raised(X, -2), product(-0.125, call(reals.sin, plus(Y, 0.3712))))),
        raised(minus(minus(X, Y), raised(quotient(X, Y), 3)), 2),
    )
    program = Lambda(("x", "y"), formula)
    source = to_python(program, "volume", "A made-up quantity.")
    assert "perennial" not in source
    points = np.random.default_rng(0).uniform(0.5, 3, (10, 2)).tolist()
    shown = f"{source}\nfor x, y in {points}:\n    print(repr(volume(x, y)))"
    printed = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [float(text) for text in printed] == pytest.approx(
        [evaluate(program, *point) for point in points], rel=1e-13
    )


@pytest.mark.parametrize(
    "value", [0.5, 2 / 3, math.pi, 3 / math.pi, math.sqrt(2), 1 / math.sqrt(2 * math.pi), math.pi**2 / 4]
)
def test_known_numbers_are_written_as_people_write_them(value):
    fraction, half, root = known_number(value)
    assert float(fraction) * math.pi ** (half / 2) * 2 ** (root / 2) == pytest.approx(value, rel=1e-15)
    for text in (to_infix(number(value)), to_infix(number(-value))):
        assert "." not in text.replace("math.", "") or value in (0.5,)


def test_other_programs_are_refused():
    with pytest.raises(ProgramError, match="Only formulas"):
        to_latex(call(vocabulary()["reverse"], X))
