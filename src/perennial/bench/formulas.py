"""Formulas from numbers: how many known formulas are found again exactly.

Data are drawn from each formula's published ranges, the search sees nothing else. A formula counts when it equals
the true one on fresh points from ranges widened by half (what is positive stays
positive), computed with 30 digits, to a relative error of 1e-6.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.bench.programs import row_of
from perennial.errors import DataError, UsageError
from perennial.lang.program import Literal, Program, Var, call
from perennial.primitives import reals
from perennial.primitives.values import ratio
from perennial.synthesis.formulas.algebra import number, values

DEFAULT_SECONDS = 60.0
FEYNMAN_ROWS = 300
FRESH_POINTS = 200
AGREES = 1e-6
DIGITS = 30

_FUNCTIONS = {
    "sin": reals.sin, "cos": reals.cos, "tan": reals.tan, "exp": reals.exp, "log": reals.log, "sqrt": reals.sqrt,
    "abs": reals.magnitude, "tanh": reals.tanh, "arcsin": reals.arcsin, "arccos": reals.arccos, "arctan": reals.arctan,
    "div": ratio, "pow": reals.power, "ln": reals.log, "asin": reals.arcsin, "acos": reals.arccos, "atan": reals.arctan,
}  # fmt: skip
_OPERATORS = {
    ast.Add: reals.plus, ast.Sub: reals.minus, ast.Mult: reals.times, ast.Div: ratio, ast.Pow: reals.power,
}  # fmt: skip


@dataclass(frozen=True)
class Puzzle:
    """A formula to be found again.

    Args:
        name: such as `Nguyen-3`.
        suite: `nguyen`, `classic` or `feynman`.
        truth: over variables `x0, x1 …`.
        lows, highs: the range of every variable.
        draw: number of rows and whether they are drawn (`U`) or evenly spaced (`E`).
    """

    name: str
    suite: str
    truth: Program
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    rows: int
    kind: str = "U"

    def sample(self, seed: int, rows: int | None = None, widen: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Points `(n, d)` and values `(n,)`, only those with a value."""
        lows, highs = np.array(self.lows), np.array(self.highs)
        below = lows - widen * (highs - lows)
        lows, highs = np.where(lows > 0, np.maximum(below, lows / 2), below), highs + widen * (highs - lows)
        generator = np.random.default_rng([seed, *self.name.encode()])
        count = rows or self.rows
        if self.kind == "E" and rows is None:
            axes = [np.linspace(low, high, count) for low, high in zip(lows, highs, strict=True)]
            x = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
        else:
            x = generator.uniform(lows, highs, (count, len(lows)))
        y = values(self.truth, {f"x{place}": column for place, column in enumerate(x.T)})
        good = np.isfinite(y)
        return x[good], y[good]


def puzzles(folder: Path) -> list[Puzzle]:
    """The formulas of `classic.csv` and `feynman.csv` (or of other files of their forms) in a folder."""
    found: list[Puzzle] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if rows and "Formula" in rows[0]:
            found += [_of_feynman(row) for row in rows if row["Formula"]]
        elif rows and "expression" in rows[0]:
            found += [_of_classic(row) for row in rows]
    if not found:
        raise DataError(
            "No formulas found.", where=str(folder), todo="Give a folder with classic.csv or feynman.csv."
        )
    return found


def _of_feynman(row: dict[str, str]) -> Puzzle:
    names, lows, highs = [], [], []
    for place in range(1, 11):  # the column with their number is wrong in some rows
        if not row.get(f"v{place}_name"):
            break
        names.append(row[f"v{place}_name"])
        lows.append(float(row[f"v{place}_low"]))
        highs.append(float(row[f"v{place}_high"]))
    return Puzzle(
        row["Filename"], "feynman", read(row["Formula"], names), tuple(lows), tuple(highs), FEYNMAN_ROWS
    )


def _of_classic(row: dict[str, str]) -> Puzzle:
    names = [f"x{place}" for place in range(1, int(row["variables"]) + 1)]
    spec = json.loads(row["train_spec"])
    lows, highs, rows, kind = [], [], 0, "U"
    for name in names:
        kind, (low, high, third) = next(iter((spec.get(name) or spec["all"]).items()))
        lows.append(float(low))
        highs.append(float(high))
        counted = kind == "U" or third > high - low  # the third number is a count, or the step of a grid
        rows = max(rows, int(third) if counted else round((high - low) / third) + 1)
    suite = "nguyen" if row["family"] == "Nguyen" and row["name"][-1].isdigit() else "classic"
    return Puzzle(row["name"], suite, read(row["expression"], names), tuple(lows), tuple(highs), rows, kind)


def read(text: str, names: list[str]) -> Program:
    """A formula in Python's notation as a program; its variables become `x0, x1 …`. Nothing is executed.

    >>> print(read("2*a**2", ["a"]))
    times(2.0, power(variable("x0"), 2.0))

    Raises:
        DataError: for anything but numbers, variables, arithmetic and known functions.
    """
    places = {name: f"x{place}" for place, name in enumerate(names)}

    def visit(node: ast.AST) -> Program:
        if isinstance(node, ast.Expression):
            return visit(node.body)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return number(node.value)
        if isinstance(node, ast.Name) and node.id in places:
            return Var(places[node.id])
        if isinstance(node, ast.Name) and node.id in ("pi", "e"):
            return number(getattr(math, node.id))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return call(reals.times, number(-1), visit(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return call(_OPERATORS[type(node.op)], visit(node.left), visit(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            return call(_FUNCTIONS[node.func.id], *map(visit, node.args))
        raise DataError(f"This part of a formula is not understood: {ast.unparse(node)}", where=text)

    return visit(ast.parse(text, mode="eval"))


# -- judging -----------------------------------------------------------------------------------------------------------


def precisely(program: Program, point: dict[str, Any]) -> Any:
    """The value of a formula at one point with 30 digits; None where it has no real one."""
    import mpmath

    functions: dict[Any, Callable] = {
        reals.plus: lambda a, b: a + b, reals.minus: lambda a, b: a - b, reals.times: lambda a, b: a * b,
        ratio: lambda a, b: a / b, reals.power: mpmath.power, reals.sqrt: mpmath.sqrt, reals.exp: mpmath.exp,
        reals.log: mpmath.log, reals.sin: mpmath.sin, reals.cos: mpmath.cos, reals.tan: mpmath.tan,
        reals.tanh: mpmath.tanh, reals.arcsin: mpmath.asin, reals.arccos: mpmath.acos, reals.arctan: mpmath.atan,
        reals.magnitude: mpmath.fabs,
    }  # fmt: skip

    def visit(node: Program):
        if isinstance(node, Literal):
            return mpmath.mpf(node.value)
        if isinstance(node, Var):
            return point[node.name]
        value = functions[node.function](*map(visit, node.arguments))
        if not mpmath.isfinite(value) or (isinstance(value, mpmath.mpc) and value.imag != 0):
            raise ArithmeticError
        return value.real if isinstance(value, mpmath.mpc) else value

    try:
        with mpmath.workdps(DIGITS):
            return visit(program)
    except (ArithmeticError, ValueError):
        return None


def equivalent(found: Program, puzzle: Puzzle, seed: int = 9) -> bool:
    """Whether two formulas agree on fresh points of a range widened by half, at each where the truth has a value."""
    import mpmath

    x, _ = puzzle.sample(seed + 1, FRESH_POINTS, widen=0.5)
    compared = 0
    for row in x:
        point = {f"x{place}": mpmath.mpf(value) for place, value in enumerate(row)}
        truth = precisely(puzzle.truth, point)
        if truth is None:
            continue
        value = precisely(found, point)
        if value is None or abs(value - truth) > AGREES * max(abs(truth), mpmath.mpf(10) ** -6):
            return False
        compared += 1
    return compared >= FRESH_POINTS // 10


def in_first_half(name: str) -> bool:
    """Whether a puzzle belongs to the half that was looked at while this was written."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


# -- the bench ---------------------------------------------------------------------------------------------------------


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Every puzzle once a seed, by perennial and by each rival that is installed.

    Args:
        data: the folder with `classic.csv` and `feynman.csv`, or one above a folder `symbolic-regression`.
        seconds: for each formula and method.
        seeds: repetitions with other data.
        only: names of puzzles, of suites (`nguyen feynman classic`), or of halves (`first second`); all when empty,
            but for `classic`, which is asked for by name.
        kept: results of earlier runs.

    Raises:
        UsageError: no data.
    """
    if data is None:
        raise UsageError("This bench needs data.", todo="Give --data DIR with classic.csv and feynman.csv.")
    folder = Path(data)
    inner = folder / "symbolic-regression"
    chosen = [puzzle for puzzle in puzzles(inner if inner.is_dir() else folder) if _wanted(puzzle, only)]
    methods = {"perennial": _perennial} | {name: solve for name, solve in RIVALS.items() if find_spec(name)}
    seconds = seconds or DEFAULT_SECONDS
    rows = [
        row_of(
            kept,
            {"suite": "formulas", "task": puzzle.name, "method": name, "seed": seed, "seconds": seconds},
            partial(_row, name, solve, puzzle, seed, seconds),
        )
        for puzzle in chosen
        for seed in range(seeds)
        for name, solve in methods.items()
    ]
    return {"bars": _bars(rows), "rows": rows}


def _wanted(puzzle: Puzzle, only: Sequence[str]) -> bool:
    half = "first" if in_first_half(puzzle.name) else "second"
    halves, others = {"first", "second"} & set(only), set(only) - {"first", "second"}
    if halves and half not in halves:
        return False
    return puzzle.name in others or puzzle.suite in (others or {"nguyen", "feynman"})


def _row(method: str, solve: Callable, puzzle: Puzzle, seed: int, seconds: float) -> dict[str, Any]:
    x, y = puzzle.sample(seed)
    start = time.monotonic()
    exact, text, error = solve(puzzle, x, y, seconds, seed)
    return {
        "formula": puzzle.name, "suite": puzzle.suite, "half": 1 if in_first_half(puzzle.name) else 2, "seed": seed,
        "method": method, "exact": exact, "error": error, "seconds": round(time.monotonic() - start, 2), "found": text,
    }  # fmt: skip


def _bars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def share(method: str, suites: tuple[str, ...]) -> float | None:
        exact = [row["exact"] for row in rows if row["method"] == method and row["suite"] in suites]
        return float(np.mean(exact)) if exact else None

    bars = []
    for suite, goal in (("nguyen", 11 / 12), ("feynman", 0.30)):
        value = share("perennial", (suite,))
        if value is not None:
            bars.append(bar(f"share of {suite} formulas found exactly", value, goal, "maximize"))
    for rival in sorted({row["method"] for row in rows} - {"perennial"}):
        suites = tuple({row["suite"] for row in rows})
        ahead = (share("perennial", suites) or 0.0) - (share(rival, suites) or 0.0)
        bars.append(bar(f"exact formulas more than {rival}, share", ahead, 0.0, "maximize"))
    return bars


def _perennial(
    puzzle: Puzzle, x: np.ndarray, y: np.ndarray, seconds: float, seed: int
) -> tuple[bool, str, float]:
    from perennial.synthesis.base import Budget
    from perennial.synthesis.formulas import Discovery
    from perennial.synthesis.formulas.notation import to_infix

    best = Discovery(x, y, seed=seed).run(Budget(seconds)).best
    return equivalent(best.program, puzzle), to_infix(best.program), best.error


# -- rivals, each with its own defaults but the time; judged from their own predictions ----------------------------------


def _gplearn(
    puzzle: Puzzle, x: np.ndarray, y: np.ndarray, seconds: float, seed: int
) -> tuple[bool, str, float]:
    """gplearn's regressor with all its functions, one generation after the other until the time is over."""
    from gplearn.genetic import SymbolicRegressor

    functions = ("add", "sub", "mul", "div", "sqrt", "log", "neg", "inv", "sin", "cos")
    deadline = time.monotonic() + seconds
    model = SymbolicRegressor(
        population_size=1_000, generations=1, function_set=functions, warm_start=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
        while time.monotonic() < deadline and model.run_details_["best_fitness"][-1] > 1e-12:
            model.set_params(generations=model.generations + 1)
            model.fit(x, y)
    return _agrees(model.predict, puzzle), str(model._program), _error(model.predict, x, y)


def _pyoperon(
    puzzle: Puzzle, x: np.ndarray, y: np.ndarray, seconds: float, seed: int
) -> tuple[bool, str, float]:
    """Operon's regressor with elementary functions and local search of constants."""
    from pyoperon.sklearn import SymbolicRegressor

    symbols = "add,sub,mul,div,constant,variable,sin,cos,exp,log,sqrt,square,tanh"
    model = SymbolicRegressor(
        allowed_symbols=symbols, max_time=max(1, int(seconds)), generations=1_000_000, max_evaluations=10**9,
        n_threads=1, random_state=seed, optimizer_iterations=5,
    )  # fmt: skip
    model.fit(x, y)
    return (
        _agrees(model.predict, puzzle),
        model.get_model_string(model.model_, 6),
        _error(model.predict, x, y),
    )


def _agrees(predict: Callable, puzzle: Puzzle) -> bool:
    """The same fresh points, but a thousand times the tolerance: rivals compute and round in single precision."""
    x, y = puzzle.sample(10, FRESH_POINTS, widen=0.5)
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(predict(x) - y) <= 1_000 * AGREES * np.maximum(np.abs(y), 1e-6)))


def _error(predict: Callable, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((predict(x) - y) ** 2) / (np.var(y) or 1.0))


RIVALS = {"gplearn": _gplearn, "pyoperon": _pyoperon}
