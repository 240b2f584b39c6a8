"""A program as a Python module of its own: named intermediate values, a docstring, examples as doctests.

Words that Python can say itself are said so (`name.upper()`); the source of all others is copied beside the
program, with what it needs. The module imports the standard library only (and NumPy where a word does).

>>> from perennial.lang import Lambda, Var, call
>>> from perennial.primitives.text import token, upper
>>> program = Lambda(("name",), call(upper, call(token, Var("name"), "word", -1)))
>>> print(to_function(program, "last_name"))
def last_name(name):
    last_word = token(name, 'word', -1)
    return last_word.upper()
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import re
import textwrap
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Any

from perennial.errors import NoAnswer, ProgramError
from perennial.lang import Call, Hole, Lambda, Let, Literal, Program, Var, Word
from perennial.lang.ops import Op, Primitive
from perennial.lang.printing import literal_text

EXAMPLES_SHOWN = 4
LONGEST_EXAMPLE = 200
MISSING = 'class NoAnswer(ValueError):\n    """The program has no answer for this input."""'

IDIOMS: dict[str, str] = {
    "lower": "{0}.lower()",
    "upper": "{0}.upper()",
    "title": "{0}.title()",
    "capitalised": "{0}.capitalize()",
    "stripped": "{0}.strip()",
    "squeeze": '" ".join({0}.split())',
    "reversed_text": "{0}[::-1]",
    "text_length": "len({0})",
    "starts_with": "{0}.startswith({1})",
    "ends_with": "{0}.endswith({1})",
    "has": "{1} in {0}",
    "equal": "{0} == {1}",
    "less": "{0} < {1}",
    "and": "{0} and {1}",
    "or": "{0} or {1}",
    "not": "not {0}",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "length": "len({0})",
}
NAMES = {
    "left": "beginning",
    "right": "ending",
    "part": "piece",
    "character": "letter",
    "keep": "kept",
    "field": "field",
}
POSITIONS = {0: "first", 1: "second", 2: "third", -1: "last"}


def to_module(
    program: Program,
    name: str = "predict",
    examples: Iterable[tuple[tuple, Any]] = (),
    about: str = "A program that was found from examples.",
) -> str:
    """The text of a module with the program as one function.

    Args:
        program: a function without open choices, or a value.
        name: of the function.
        examples: pairs of arguments and output that the program gives; the first few become doctests.
        about: the first line of the docstrings.

    Raises:
        ProgramError: a word whose source cannot be copied (it is fitted, or made at run time).
    """
    writer = Writer(program, name)
    lines = writer.function(_docstring(name, examples, about))
    sources = Sources(writer.copied)
    parts = [f'"""{_safe(about)}"""', "\n".join(sources.imports()), *sources.definitions(), "\n".join(lines)]
    parts.append(
        'if __name__ == "__main__":\n    import doctest\n\n    raise SystemExit(doctest.testmod().failed > 0)'
    )
    return "\n\n\n".join(part for part in parts if part) + "\n"


def to_function(program: Program, name: str = "predict") -> str:
    """Only the function, without the words that it calls."""
    return "\n".join(Writer(program, name).function([]))


def _safe(text: str) -> str:
    return text.replace("\\", "/").replace('"""', "'''")


def _docstring(name: str, examples: Iterable[tuple[tuple, Any]], about: str) -> list[str]:
    shown: list[str] = []
    for arguments, output in examples:
        if len(shown) == EXAMPLES_SHOWN:
            break
        text = f">>> {name}({', '.join(map(repr, arguments))})\n{output!r}"
        if len(text) <= LONGEST_EXAMPLE and '"""' not in text and text not in shown and output is not None:
            shown.append(text)
    if not shown:
        return [f'    """{_safe(about)}"""']
    raw = "r" if any("\\" in text for text in shown) else ""
    body = "\n".join(textwrap.indent(text, "    ") for text in shown)
    return [f'    {raw}"""{_safe(about)}', "", body, '    """']


class Writer:
    """Writes the statements of a function; each call becomes a named value."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.copied: dict[str, Op] = {}
        self.taken = {name, "NoAnswer", *keyword.kwlist, *dir(builtins)}
        for node in program.walk():
            if isinstance(node, Call | Word):
                op = node.function if isinstance(node, Call) else node.op
                self.taken |= {_python_name(op)} if isinstance(op, Op) else set()
            self.taken |= set(node.names) if isinstance(node, Lambda) else set()
            self.taken |= {node.name} if isinstance(node, Let | Var) else set()

    def function(self, docstring: list[str]) -> list[str]:
        """All lines of the function."""
        program = self.program
        names, body = (program.names, program.body) if isinstance(program, Lambda) else ((), program)
        return [f"def {self.name}({', '.join(names)}):", *docstring, *self.body(body, 1, {})]

    def body(self, node: Program, level: int, known: dict[Program, str]) -> list[str]:
        """Statements that end with `return`."""
        indent = "    " * level
        if self.is_word(node, "if"):
            condition, then, otherwise = node.arguments
            lines, text = self.value(condition, level, known)
            return [
                *lines,
                f"{indent}if {text}:",
                *self.body(then, level + 1, dict(known)),
                *self.body(otherwise, level, known),
            ]
        lines, text = self.expression(node, level, known)
        return [*lines, f"{indent}return {text}"]

    @staticmethod
    def is_word(node: Program, name: str) -> bool:
        """Whether a node calls the word of that name."""
        return isinstance(node, Call) and isinstance(node.function, Op) and node.function.name == name

    def value(self, node: Program, level: int, known: dict[Program, str]) -> tuple[list[str], str]:
        """Statements, and a name or constant that holds the value after them."""
        if node in known:
            return [], known[node]
        lines, text = self.expression(node, level, known)
        if isinstance(node, Call) and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
            name = self.new_name(node)
            lines.append(f"{'    ' * level}{name} = {text}")
            text = name
        known[node] = text
        return lines, text

    def expression(self, node: Program, level: int, known: dict[Program, str]) -> tuple[list[str], str]:
        """Statements, and an expression of one call."""
        if node in known:
            return [], known[node]
        if isinstance(node, Var):
            return [], node.name
        if isinstance(node, Literal):
            return [], literal_text(node.value)
        if isinstance(node, Word):
            return [], self.copy(node.op)
        if isinstance(node, Let):
            lines, text = self.value(node.value, level, known)
            more, result = self.expression(
                node.body.substitute({node.name: Var(text)})
                if text.isidentifier()
                else node.body.substitute({node.name: node.value}),
                level,
                known,
            )
            return [*lines, *more], result
        if isinstance(node, Lambda):
            return self.inner(node, level, known)
        if isinstance(node, Hole) or not isinstance(node, Call):
            raise ProgramError("An open program cannot be written as Python.")
        return self.call(node, level, known)

    def inner(self, node: Lambda, level: int, known: dict[Program, str]) -> tuple[list[str], str]:
        """A function inside the function."""
        name = self.fresh("step")
        names = set(node.names)
        outer = {part: text for part, text in known.items() if names.isdisjoint(part.free_variables)}
        head = f"{'    ' * level}def {name}({', '.join(node.names)}):"
        return [head, *self.body(node.body, level + 1, outer)], name

    def call(self, node: Call, level: int, known: dict[Program, str]) -> tuple[list[str], str]:
        if self.is_word(node, "if"):
            return self.branch(node, level, known)
        if self.is_word(node, "otherwise"):
            return self.attempt(node, level, known)
        lines: list[str] = []
        texts = []
        for argument in node.arguments:
            more, text = self.value(argument, level, known)
            lines += more
            texts.append(text)
        if not isinstance(node.function, Op):
            more, function = self.value(node.function, level, known)
            return [*lines, *more], f"{function}({', '.join(texts)})"
        for name, parameter in node.parameters:
            texts.append(f"{name}={literal_text(parameter.value)}")
        return lines, self.idiom(node, texts) or f"{self.copy(node.function)}({', '.join(texts)})"

    def branch(self, node: Call, level: int, known: dict[Program, str]) -> tuple[list[str], str]:
        """An `if` inside a larger expression."""
        condition, then, otherwise = node.arguments
        lines, text = self.value(condition, level, known)
        name, indent = self.fresh("chosen"), "    " * level
        for head, part in ((f"if {text}:", then), ("else:", otherwise)):
            more, value = self.expression(part, level + 1, dict(known))
            lines += [f"{indent}{head}", *more, f"{indent}    {name} = {value}"]
        return lines, name

    def attempt(self, node: Call, level: int, known: dict[Program, str]) -> tuple[list[str], str]:
        """A value, or another one where it has no answer."""
        name, indent, lines = self.fresh("chosen"), "    " * level, []
        for head, part in (
            ("try:", node.arguments[0]),
            ("except (NoAnswer, LookupError):", node.arguments[1]),
        ):
            more, value = self.expression(part, level + 1, dict(known))
            lines += [f"{indent}{head}", *more, f"{indent}    {name} = {value}"]
        self.copied.setdefault("NoAnswer", None)
        return lines, name

    def idiom(self, node: Call, texts: list[str]) -> str | None:
        """How Python says it, when the two mean the same."""
        name, last = node.function.name, node.arguments[-1] if node.arguments else None
        number = last.value if isinstance(last, Literal) and type(last.value) is int else None
        if name == "concat":
            return " + ".join(texts)
        if name == "left" and number is not None:
            return f"{texts[0]}[:{number}]"
        if name == "right" and number:
            return f"{texts[0]}[{-number}:]"
        if (
            name in ("remove", "replace")
            and isinstance(node.arguments[1], Literal)
            and node.arguments[1].value
        ):
            return f"{texts[0]}.replace({texts[1]}, {texts[2] if name == 'replace' else repr('')})"
        if name in IDIOMS and (texts or name) and not node.parameters:
            texts = [f"({text})" if text.startswith("-") else text for text in texts]
            return IDIOMS[name].format(*texts)
        return None

    def copy(self, op: Op) -> str:
        """The name of a word whose source goes along."""
        if not isinstance(op, Primitive):
            raise ProgramError(f"The word `{op.name}` is fitted or a layer; it cannot be written as Python.")
        self.copied[_python_name(op)] = op
        return _python_name(op)

    def new_name(self, node: Call) -> str:
        """A name for the value of a call, as a person would give."""
        op = node.function
        if not isinstance(op, Op):
            return self.fresh("value")
        base = NAMES.get(op.name, op.name)
        values = [argument.value for argument in node.arguments if isinstance(argument, Literal)]
        if op.name == "token" and len(values) == 2:
            base = f"{POSITIONS[values[1]]}_{values[0]}" if values[1] in POSITIONS else f"{values[0]}_token"
        return self.fresh(re.sub(r"\W", "_", base))

    def fresh(self, base: str) -> str:
        """A name that nothing else has."""
        name, number = base, 2
        while name in self.taken:
            name, number = f"{base}_{number}", number + 1
        self.taken.add(name)
        return name


def _python_name(op: Op) -> str:
    function = getattr(op, "function", None)
    return function.__name__ if isinstance(function, FunctionType) else op.name


class Sources:
    """The sources of words and of everything that they use."""

    def __init__(self, words: dict[str, Op | None]) -> None:
        self.modules: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.needs_answer = "NoAnswer" in words
        for name, op in words.items():
            if op is not None:
                self.add(name, op.function)

    def imports(self) -> list[str]:
        """Import statements."""
        return sorted(set(self.modules.values()))

    def definitions(self) -> list[str]:
        """Constants first, then functions, each with what it needs before it."""
        constants = [text for text in self.texts.values() if not text.startswith(("def ", "@", "class "))]
        functions = [text for text in self.texts.values() if text.startswith(("def ", "@", "class "))]
        head = [MISSING] if self.needs_answer else []
        return [*head, *(["\n".join(constants)] if constants else []), *functions]

    def add(self, name: str, function: Callable) -> None:
        """One function, and first all that it names."""
        if name in self.texts:
            return
        self.texts[name] = ""
        plain = inspect.unwrap(function)
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(plain)))
        except (OSError, TypeError, SyntaxError):
            raise ProgramError(f"The source of `{name}` cannot be copied.") from None
        definition = tree.body[0]
        if not isinstance(definition, ast.FunctionDef) or plain.__closure__:
            raise ProgramError(f"The word `{name}` was made at run time; its source cannot be copied.")
        _undress(definition, name)
        local = {argument.arg for argument in ast.walk(definition) if isinstance(argument, ast.arg)}
        for used in _names(definition):
            if used not in local and used in plain.__globals__ and used != name:
                self.need(used, plain.__globals__[used])
        del self.texts[name]
        self.texts[name] = ast.unparse(definition)

    def need(self, name: str, value: Any) -> None:
        """Something that a function names: a module, a function, a class of the standard library, a constant."""
        if isinstance(value, ModuleType):
            root = value.__name__
            self.modules[name] = f"import {root}" if root == name else f"import {root} as {name}"
        elif value is NoAnswer:
            self.needs_answer = True
        elif isinstance(value, Primitive):
            self.add(name, value.function)
        elif inspect.isfunction(inspect.unwrap(value)) if callable(value) else False:
            if value.__module__.startswith("perennial."):
                self.add(name, value)
            else:
                self.modules[name] = f"from {value.__module__} import {name}"
        elif isinstance(value, type):
            if value.__module__.startswith("perennial."):
                raise ProgramError(f"The class `{name}` cannot be copied.")
            self.modules[name] = f"from {value.__module__} import {name}"
        elif isinstance(value, bool | int | float | str | tuple | list | dict | set | frozenset | range):
            self.texts.setdefault(name, f"{name} = {value!r}")
        else:
            raise ProgramError(f"The value `{name}` that a word uses cannot be written as Python.")


def _undress(definition: ast.FunctionDef, name: str) -> None:
    """Takes off what only perennial needs: the decorator and the types."""
    definition.name = name
    definition.decorator_list = [
        decorator for decorator in definition.decorator_list if "primitive" not in ast.unparse(decorator)
    ]
    for inner in ast.walk(definition):
        if isinstance(inner, ast.FunctionDef):
            inner.returns = None
        if isinstance(inner, ast.arg):
            inner.annotation = None


def _names(definition: ast.FunctionDef) -> Iterable[str]:
    return sorted({node.id for node in ast.walk(definition) if isinstance(node, ast.Name)})
