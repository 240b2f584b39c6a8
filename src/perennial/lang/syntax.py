"""Program text: printed for people, read back through a whitelisted syntax tree and never executed.

The language is a small part of Python: calls, names, constants, tuples, `lambda`, assignments and one `def`.
Everything else is refused with the place shown. Four kinds of special calls build the other nodes:
`let(value, lambda x: …)`, the choices `one_of integer real repeat optional recurse`, `hole("type")`, and
`word("name")` / `variable("name")` for names that cannot be written plainly.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from perennial.errors import ProgramError, SpaceError, SyntaxRefused, UnknownWord
from perennial.lang.boxes import to_html
from perennial.lang.ops import Op, unknown_word
from perennial.lang.printing import to_source, word_text
from perennial.lang.program import CHOICE_KINDS, Call, Choice, Hole, Lambda, Let, Literal, Program, Var, Word

__all__ = ["parse", "to_html", "to_source"]

LONGEST_SOURCE = 1_000_000
MOST_NODES = 200_000
DEEPEST_SOURCE = 100


def parse(source: str, vocabulary: Mapping[str, Op]) -> Program:
    """The program that a text means; the inverse of `to_source`.

    Args:
        source: one `def` with a final `return`, assignments (the last is the program), or one expression.
        vocabulary: the words it may use.

    Raises:
        SyntaxRefused: when it uses anything outside the small language; the message points at the place.
        UnknownWord: when it names a word that the vocabulary lacks.

    >>> parse("lambda x: x.__class__", {})
    Traceback (most recent call last):
    perennial.errors.SyntaxRefused: Attribute access has no place in a program.
      where: line 1: lambda x: x.__class__
                               ^
      to do: Programs are made of calls, names, constants, tuples, lambda, assignments and one def.
    """
    if not isinstance(source, str) or len(source) > LONGEST_SOURCE:
        raise SyntaxRefused(f"A program is text of at most {LONGEST_SOURCE} characters.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as error:
        raise _refused(
            source, f"This is no Python: {error.msg}.", error.lineno or 1, (error.offset or 1) - 1
        ) from None
    except (RecursionError, MemoryError, ValueError):
        raise SyntaxRefused("The text nests too deep, or holds characters that no program has.") from None
    try:
        return _Reader(source, vocabulary).module(tree)
    except RecursionError:
        raise SyntaxRefused("The text nests too deep.") from None


_ALLOWED = "Programs are made of calls, names, constants, tuples, lambda, assignments and one def."
_REFUSED = {
    ast.Import: "Importing",
    ast.ImportFrom: "Importing",
    ast.Attribute: "Attribute access",
    ast.Subscript: "Indexing",
    ast.JoinedStr: "An f-string",
    ast.ListComp: "A comprehension",
    ast.SetComp: "A comprehension",
    ast.DictComp: "A comprehension",
    ast.GeneratorExp: "A comprehension",
    ast.Starred: "Unpacking with *",
    ast.BinOp: "An operator",
    ast.BoolOp: "An operator",
    ast.Compare: "An operator",
    ast.IfExp: "An if expression",
    ast.NamedExpr: "A walrus assignment",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.For: "A loop",
    ast.While: "A loop",
    ast.ClassDef: "A class",
}


def _refused(source: str, what: str, line: int, column: int) -> SyntaxRefused:
    lines = source.splitlines() or [""]
    text = lines[min(max(line, 1), len(lines)) - 1]
    begin = max(0, column - 60)
    shown = text[begin : column + 60]
    pad = " " * (len(f"  where: line {line}: ") + column - begin)
    return SyntaxRefused(what, where=f"line {line}: {shown}\n{pad}^", todo=_ALLOWED)


class _Names:
    """What names mean at one place: variables with their binder, and named parts."""

    def __init__(self) -> None:
        self.meaning: dict[str, Program | None] = {}  # None: a bound variable
        self.binder: dict[str, int] = {}
        self.captured: dict[str, dict[str, int]] = {}
        self.count = 0

    def copy(self) -> _Names:
        made = _Names()
        made.meaning, made.binder, made.captured = dict(self.meaning), dict(self.binder), dict(self.captured)
        made.count = self.count
        return made

    def bind(self, name: str, number: int) -> None:
        self.meaning[name], self.binder[name] = None, number

    def define(self, name: str, part: Program) -> None:
        self.meaning[name] = part
        self.captured[name] = {free: self.binder.get(free, 0) for free in part.free_variables}

    def rebound(self, name: str) -> str | None:
        """A variable of the named part that means something else here than where the part was written."""
        return next(
            (free for free, binder in self.captured[name].items() if self.binder.get(free, 0) != binder), None
        )


class _Reader:
    def __init__(self, source: str, vocabulary: Mapping[str, Op]) -> None:
        self.source, self.vocabulary = source, vocabulary
        self.written = {word_text(name): name for name in vocabulary}
        self.nodes, self.binders = 0, 0

    def refuse(self, node: ast.AST, what: str) -> SyntaxRefused:
        line = getattr(node, "lineno", 1)
        lines = self.source.splitlines() or [""]
        text = lines[min(line, len(lines)) - 1].encode("utf-8", "surrogatepass")
        column = len(text[: getattr(node, "col_offset", 0)].decode("utf-8", "ignore"))
        return _refused(self.source, what, line, column)

    def unusual(self, node: ast.AST) -> SyntaxRefused:
        what = _REFUSED.get(type(node), f"`{type(node).__name__}`")
        return self.refuse(node, f"{what} has no place in a program.")

    def built(self, node: ast.AST, build: Callable[[], Program]) -> Program:
        """A node built from text; what its constructor refuses is refused here, with the place."""
        try:
            return build()
        except (SyntaxRefused, UnknownWord):
            raise
        except (ProgramError, SpaceError) as error:
            raise self.refuse(node, error.what) from None

    def module(self, tree: ast.Module) -> Program:
        names = _Names()
        if len(tree.body) == 1 and isinstance(tree.body[0], ast.FunctionDef):
            return self.definition(tree.body[0], names)
        if not tree.body:
            raise self.refuse(tree, "The text holds no program.")
        return self.statements(tree.body, names, 0)

    def definition(self, node: ast.FunctionDef, names: _Names) -> Program:
        if node.decorator_list or node.returns or getattr(node, "type_params", None):
            raise self.refuse(node, "A def has no decorators and no annotations here.")
        arguments = self.argument_names(node.args, node)
        for name in arguments:
            self.bind(names, name)
        body = node.body
        if len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]  # a docstring
        if not isinstance(body[-1], ast.Return):
            raise self.refuse(body[-1], "A def ends with `return …`.")
        return self.built(node, lambda: Lambda(arguments, self.statements(body, names, 0)))

    def statements(self, body: list[ast.stmt], names: _Names, start: int) -> Program:
        lets: list[tuple[ast.stmt, str, Program]] = []
        for statement in body[start:-1]:
            name, value = self.assignment(statement)
            if self.is_let(value):
                lets.append((statement, name, self.expression(value.args[0], names, 0)))
                self.bind(names, name)
            else:
                names.define(name, self.expression(value, names, 0))
        last = body[-1]
        if isinstance(last, (ast.Return, ast.Expr)) and last.value is not None:
            result = self.expression(last.value, names, 0)
        else:
            result = self.expression(self.assignment(last)[1], names, 0)
        for statement, name, value in reversed(lets):
            result = self.built(
                statement, lambda name=name, value=value, result=result: Let(name, value, result)
            )
        return result

    def assignment(self, statement: ast.stmt) -> tuple[str, Any]:
        if not isinstance(statement, ast.Assign):
            raise self.unusual(statement)
        if len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
            raise self.refuse(statement, "An assignment gives one value to one name.")
        return self.plain_name(statement.targets[0], statement.targets[0].id), statement.value

    def is_let(self, value: ast.AST) -> bool:
        named = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "let"
        return named and len(value.args) == 1 and not value.keywords

    def plain_name(self, node: ast.AST, name: str) -> str:
        return self.built(node, lambda: Var(name)).name  # type: ignore[attr-defined]

    def bind(self, names: _Names, name: str) -> None:
        self.binders += 1
        names.bind(name, self.binders)

    def argument_names(self, arguments: ast.arguments, node: ast.AST) -> tuple[str, ...]:
        unusual = arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg
        if (
            unusual
            or arguments.defaults
            or arguments.kw_defaults
            or any(each.annotation for each in arguments.args)
        ):
            raise self.refuse(node, "Arguments are plain names, without defaults, stars or annotations.")
        return tuple(self.plain_name(node, each.arg) for each in arguments.args)

    def expression(self, node: ast.AST, names: _Names, depth: int) -> Program:
        self.nodes += 1
        if self.nodes > MOST_NODES or depth > DEEPEST_SOURCE:
            raise self.refuse(
                node,
                f"A program's text has at most {MOST_NODES} parts, nested at most {DEEPEST_SOURCE} deep.",
            )
        if isinstance(node, ast.Name) and node.id not in ("inf", "nan"):
            return self.name(node, names)
        if isinstance(node, ast.Call):
            return self.call(node, names, depth + 1)
        if isinstance(node, ast.Lambda):
            inner = names.copy()
            arguments = self.argument_names(node.args, node)
            for name in arguments:
                self.bind(inner, name)
            body = self.expression(node.body, inner, depth + 1)
            return self.built(node, lambda: Lambda(arguments, body))
        return self.built(node, lambda: Literal(self.constant(node, depth)))

    def name(self, node: ast.Name, names: _Names) -> Program:
        if node.id in names.meaning:
            part = names.meaning[node.id]
            if part is None:
                return Var(node.id)
            if (variable := names.rebound(node.id)) is not None:
                raise self.refuse(
                    node, f"`{node.id}` uses `{variable}`, which means something else here; rename one."
                )
            return part
        return Word(self.word(node, self.written.get(node.id, node.id)))

    def word(self, node: ast.AST, name: str) -> Op:
        if name not in self.vocabulary:
            raise unknown_word(name, self.vocabulary, self.refuse(node, "").where)
        return self.vocabulary[name]

    def constant(self, node: ast.AST, depth: int = 0) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str, type(None))):
            return node.value
        if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
            return math.inf if node.id == "inf" else math.nan
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = None if isinstance(node.operand, ast.UnaryOp) else self.constant(node.operand)
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                return -number
        if isinstance(node, ast.Tuple):
            if depth > DEEPEST_SOURCE:
                raise self.refuse(node, f"A program's text nests at most {DEEPEST_SOURCE} deep.")
            return tuple(self.constant(item, depth + 1) for item in node.elts)
        raise self.unusual(node)

    def call(self, node: ast.Call, names: _Names, depth: int) -> Program:
        keywords = self.keywords(node)
        special = (
            node.func.id if isinstance(node.func, ast.Name) and node.func.id not in names.meaning else None
        )
        if special in _SPECIAL:
            if special in CHOICE_KINDS:
                return self.choice(node, special, keywords, names, depth)
            if keywords:
                raise self.refuse(node, f"`{special}` takes no parameters.")
            return getattr(self, f"special_{special}")(node, names, depth)
        function = self.expression(node.func, names, depth)
        arguments = [self.expression(argument, names, depth) for argument in node.args]
        parameters = [(name, self.expression(value, names, depth)) for name, value in keywords.items()]
        return self.built(node, lambda: Call(function, arguments, parameters))

    def keywords(self, node: ast.Call) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in found:
                raise self.refuse(keyword.value, "A parameter has one name and is given once.")
            found[keyword.arg] = keyword.value
        return found

    def text_argument(self, node: ast.Call) -> str:
        if (
            len(node.args) != 1
            or not isinstance(node.args[0], ast.Constant)
            or not isinstance(node.args[0].value, str)
        ):
            raise self.refuse(node, "Expected one text in quotes.")
        return node.args[0].value

    def special_let(self, node: ast.Call, names: _Names, depth: int) -> Program:
        shape = len(node.args) == 2 and isinstance(node.args[1], ast.Lambda)
        value = self.expression(node.args[0], names, depth) if shape else None
        function = self.expression(node.args[1], names, depth) if shape else None
        if value is None or not isinstance(function, Lambda) or len(function.names) != 1:
            raise self.refuse(
                node, "`let` is written `let(value, lambda name: …)`, or as a statement `name = let(value)`."
            )
        return self.built(node, lambda: Let(function.names[0], value, function.body))

    def special_hole(self, node: ast.Call, names: _Names, depth: int) -> Program:
        text = self.text_argument(node)
        return self.built(node, lambda: Hole(text))

    def special_word(self, node: ast.Call, names: _Names, depth: int) -> Program:
        return Word(self.word(node, self.text_argument(node)))

    def special_variable(self, node: ast.Call, names: _Names, depth: int) -> Program:
        text = self.text_argument(node)
        return self.built(node, lambda: Var(text))

    def choice(
        self, node: ast.Call, kind: str, keywords: dict[str, ast.expr], names: _Names, depth: int
    ) -> Program:
        values = list(node.args)
        options: list[Program] = []
        if not values:
            raise self.refuse(node, f"`{kind}` starts with its label.")
        label = self.constant(values.pop(0))
        if kind == "one_of" and values and isinstance(values[0], ast.List):
            options = [self.expression(option, names, depth + 1) for option in values.pop(0).elts]
        elif kind in ("repeat", "optional") and values:
            options = [self.expression(values.pop(0), names, depth)]
        given = {name: self.constant(value) for name, value in keywords.items()}
        if kind in ("integer", "real", "repeat") and len(values) == 2:
            given |= {"low": self.constant(values[0]), "high": self.constant(values[1])}
        elif values:
            raise self.refuse(values[0], f"`{kind}` is written {_SPECIAL[kind]}.")
        if not set(given) <= {"low", "high", "log", "default", "regularises"}:
            raise self.refuse(node, f"`{kind}` is written {_SPECIAL[kind]}.")
        return self.built(node, lambda: Choice(label, kind, tuple(options), **given))


_SPECIAL = {
    "one_of": '`one_of("label", [option, …], default=0)`',
    "integer": '`integer("label", low, high)`',
    "real": '`real("label", low, high)`',
    "repeat": '`repeat("label", lambda x: …, low, high)`',
    "optional": '`optional("label", lambda x: …)`',
    "recurse": '`recurse("label")`',
    "let": "`let(value, lambda name: …)`",
    "hole": '`hole("type")`',
    "word": '`word("name")`',
    "variable": '`variable("name")`',
}
