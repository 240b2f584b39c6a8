"""Programs on text columns as one expression of pandas or of SQL (DuckDB's dialect), where one exists.

Where the program has an answer, the expression gives the same; where it has none, the expression gives a missing
value, an empty text or the text unchanged. One thing SQL cannot say: a letter whose other case is several letters
stays one there, so that `upper` turns `ß` into `ẞ` and not into `SS`.

>>> from perennial.lang import Lambda, Var, call
>>> from perennial.primitives.text import before, upper
>>> program = Lambda(("name",), call(upper, call(before, Var("name"), ",")))
>>> print(to_pandas(program, {"name": "Full Name"}))
df['Full Name'].str.split(',', n=1, regex=False).str[0].str.upper()
>>> print(to_sql(program, {"name": "Full Name"}))
upper(split_part("Full Name", ',', 1))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perennial.errors import ProgramError
from perennial.lang import Call, Lambda, Literal, Program, Var
from perennial.lang.ops import Op
from perennial.primitives.text import KINDS

SPACES = r"\s\x0b\x1c-\x1f\x85\p{Z}"  # what Python takes for spaces; SQL's \s knows those of ASCII only
SQL_KINDS = {
    "digits": "[0-9]+", "letters": r"[\p{L}\p{Nl}\p{No}]+", "upper": "[A-ZÀ-ÖØ-Þ]+", "lower": "[a-zß-öø-ÿ]+",
    "alphanumeric": r"[\p{L}\p{N}]+", "word": f"[^{SPACES}]+", "spaces": f"[{SPACES}]+", "number": r"-?[0-9]+(?:\.[0-9]+)?",
}  # fmt: skip


def to_pandas(program: Program, columns: Mapping[str, str] | None = None, frame: str = "df") -> str:
    """An expression over a data frame of texts.

    Args:
        program: a function of texts.
        columns: argument → column, where they differ.
        frame: name of the data frame.

    Raises:
        ProgramError: a word that pandas cannot say.
    """
    return _expression(
        program, lambda name: f"{frame}[{(columns or {}).get(name, name)!r}]", PANDAS, repr, "pandas"
    )


def to_sql(program: Program, columns: Mapping[str, str] | None = None) -> str:
    """A SQL expression over columns of texts, in DuckDB's dialect.

    Raises:
        ProgramError: a word that SQL cannot say.
    """

    def column(name: str) -> str:
        quoted = (columns or {}).get(name, name).replace('"', '""')
        return f'"{quoted}"'

    return _expression(program, column, SQL, _sql_text, "SQL")


def _sql_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _expression(program: Program, column: Callable, words: Mapping, literal: Callable, language: str) -> str:
    body = program.body if isinstance(program, Lambda) else program

    def write(node: Program) -> str:
        if isinstance(node, Var):
            return column(node.name)
        if isinstance(node, Literal) and isinstance(node.value, str | int | float):
            return literal(node.value)
        if not isinstance(node, Call) or not isinstance(node.function, Op) or node.function.name not in words:
            name = (
                node.function.name if isinstance(node, Call) and isinstance(node.function, Op) else "lambda"
            )
            raise ProgramError(
                f"{language} has no expression for `{name}`.", todo="Export it with --format python."
            )
        constants = [one.value if isinstance(one, Literal) else None for one in node.arguments]
        text = words[node.function.name]([write(one) for one in node.arguments], constants)
        if text is None:
            raise ProgramError(
                f"{language} has no expression for `{node.function.name}` with these arguments.",
                todo="Export it with --format python.",
            )
        return text

    return write(body)


def _known(make: Callable[[list[str], list], str | None], *places: int) -> Callable:
    """Only where the arguments at these places are constants."""
    return lambda texts, values: (
        make(texts, values) if all(values[place] is not None for place in places) else None
    )


def _pandas_place(text: str, place: int) -> str:
    return f"{text}.str[{place}]"


def _pandas_if(texts: list[str], values: list) -> str | None:
    if values[1] is not None and values[2] is not None:
        return None
    if values[1] is None:
        return f"{texts[1]}.where({texts[0]}, {texts[2]})"
    return f"{texts[2]}.mask({texts[0]}, {texts[1]})"


def _pandas_sum(texts: list[str], values: list) -> str | None:
    return None if all(value is not None for value in values) else "(" + " + ".join(texts) + ")"


PANDAS: dict[str, Callable] = {
    "lower": lambda t, v: f"{t[0]}.str.lower()",
    "upper": lambda t, v: f"{t[0]}.str.upper()",
    "title": lambda t, v: f"{t[0]}.str.title()",
    "capitalised": lambda t, v: f"{t[0]}.str.capitalize()",
    "stripped": lambda t, v: f"{t[0]}.str.strip()",
    "squeeze": lambda t, v: f"{t[0]}.str.split().str.join(' ')",
    "text_length": lambda t, v: f"{t[0]}.str.len()",
    "concat": _pandas_sum,
    "left": _known(lambda t, v: f"{t[0]}.str[:{v[1]}]", 1),
    "right": _known(lambda t, v: f"{t[0]}.str[{-v[1]}:]" if v[1] else None, 1),
    "character": _known(lambda t, v: _pandas_place(t[0], v[1]), 1),
    "before": _known(lambda t, v: f"{t[0]}.str.split({t[1]}, n=1, regex=False).str[0]", 1),
    "after": _known(lambda t, v: f"{t[0]}.str.split({t[1]}, n=1, regex=False).str[1]", 1),
    "before_last": _known(lambda t, v: f"{t[0]}.str.rsplit({t[1]}, n=1).str[0]", 1),
    "after_last": _known(lambda t, v: f"{t[0]}.str.rsplit({t[1]}, n=1).str[-1]", 1),
    "field": _known(lambda t, v: _pandas_place(f"{t[0]}.str.split({t[1]}, regex=False)", v[2]), 1, 2),
    "token": _known(lambda t, v: _pandas_place(f"{t[0]}.str.findall({KINDS[v[1]]!r})", v[2]), 1, 2),
    "keep": _known(lambda t, v: f"{t[0]}.str.findall({KINDS[v[1]]!r}).str.join('')", 1),
    "drop_kind": _known(lambda t, v: f"{t[0]}.str.replace({KINDS[v[1]]!r}, '', regex=True)", 1),
    "replace": _known(lambda t, v: f"{t[0]}.str.replace({t[1]}, {t[2]}, regex=False)", 1, 2),
    "remove": _known(lambda t, v: f"{t[0]}.str.replace({t[1]}, '', regex=False)", 1),
    "has": _known(lambda t, v: f"{t[0]}.str.contains({t[1]}, regex=False)", 1),
    "has_kind": _known(lambda t, v: f"{t[0]}.str.contains({KINDS[v[1]]!r}, regex=True)", 1),
    "starts_with": _known(lambda t, v: f"{t[0]}.str.startswith({t[1]})", 1),
    "ends_with": _known(lambda t, v: f"{t[0]}.str.endswith({t[1]})", 1),
    "equal": lambda t, v: f"({t[0]} == {t[1]})",
    "less": lambda t, v: f"({t[0]} < {t[1]})",
    "not": lambda t, v: f"~({t[0]})",
    "pad_left": _known(lambda t, v: f"{t[0]}.str.rjust({v[1]}, {t[2]})", 1, 2),
    "if": _pandas_if,
}


def _sql_field(text: str, separator: str, place: int) -> str:
    return f"split_part({text}, {separator}, {place + 1 if place >= 0 else place})"


def _sql_token(text: str, kind: str, place: int) -> str:
    return f"list_extract(regexp_extract_all({text}, {_sql_text(SQL_KINDS[kind])}), {place + 1 if place >= 0 else place})"


SQL: dict[str, Callable] = {
    "lower": lambda t, v: f"lower({t[0]})",
    "upper": lambda t, v: f"upper({t[0]})",
    "stripped": lambda t, v: f"regexp_replace({t[0]}, '^[{SPACES}]+|[{SPACES}]+$', '', 'g')",
    "text_length": lambda t, v: f"length({t[0]})",
    "reversed_text": lambda t, v: f"array_to_string(list_reverse(regexp_extract_all({t[0]}, '(?s).')), '')",
    "concat": lambda t, v: "(" + " || ".join(t) + ")",
    "left": _known(lambda t, v: f"left({t[0]}, {v[1]})", 1),
    "right": _known(lambda t, v: f"right({t[0]}, {v[1]})" if v[1] else None, 1),
    "character": _known(lambda t, v: f"substring({t[0]}, {v[1] + 1}, 1)" if v[1] >= 0 else None, 1),
    "before": _known(lambda t, v: f"split_part({t[0]}, {t[1]}, 1)", 1),
    "after": _known(lambda t, v: f"substring({t[0]}, instr({t[0]}, {t[1]}) + {len(v[1])})", 1),
    "after_last": _known(lambda t, v: f"split_part({t[0]}, {t[1]}, -1)", 1),
    "field": _known(lambda t, v: _sql_field(t[0], t[1], v[2]), 1, 2),
    "token": _known(lambda t, v: _sql_token(t[0], v[1], v[2]), 1, 2),
    "keep": _known(
        lambda t, v: f"array_to_string(regexp_extract_all({t[0]}, {_sql_text(SQL_KINDS[v[1]])}), '')", 1
    ),
    "drop_kind": _known(lambda t, v: f"regexp_replace({t[0]}, {_sql_text(SQL_KINDS[v[1]])}, '', 'g')", 1),
    "replace": _known(lambda t, v: f"replace({t[0]}, {t[1]}, {t[2]})", 1, 2),
    "remove": _known(lambda t, v: f"replace({t[0]}, {t[1]}, '')", 1),
    "has": lambda t, v: f"contains({t[0]}, {t[1]})",
    "has_kind": _known(lambda t, v: f"regexp_matches({t[0]}, {_sql_text(SQL_KINDS[v[1]])})", 1),
    "starts_with": lambda t, v: f"starts_with({t[0]}, {t[1]})",
    "ends_with": lambda t, v: f"ends_with({t[0]}, {t[1]})",
    "equal": lambda t, v: f"({t[0]} = {t[1]})",
    "less": lambda t, v: f"({t[0]} < {t[1]})",
    "not": lambda t, v: f"(NOT {t[0]})",
    "and": lambda t, v: f"({t[0]} AND {t[1]})",
    "or": lambda t, v: f"({t[0]} OR {t[1]})",
    "if": lambda t, v: f"CASE WHEN {t[0]} THEN {t[1]} ELSE {t[2]} END",
}
