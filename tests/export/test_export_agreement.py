"""Every word of the exports against the interpreter on texts at random; and what cannot be exported."""

import doctest
import types

import duckdb
import numpy as np
import pandas as pd
import pytest

from perennial.errors import NoAnswer, ProgramError
from perennial.export.frames import PANDAS, SQL, to_pandas, to_sql
from perennial.export.pipeline import to_pipeline
from perennial.export.python import to_function, to_module
from perennial.lang import Hole, Lambda, Let, Literal, Text, Var, Word, call, evaluate
from perennial.primitives import vocabulary
from perennial.primitives.text import KINDS

WORD = vocabulary()
A, B = Var("a"), Var("b")
GENERATOR = np.random.default_rng(0)
LETTERS = list("aAbB ,.é12-Éñ'\"_x")
ROWS = ["".join(GENERATOR.choice(LETTERS, size=GENERATOR.integers(0, 9))) for _ in range(120)]
ROWS += ["", " ", ",", "a,b,,c", "ab ab", "o'neil", "they're"]
SPOKEN = {
    **{name: [call(WORD[name], A)] for name in ("lower", "upper", "title", "capitalised", "stripped", "squeeze",
                                                "text_length", "reversed_text")},
    **{name: [call(WORD[name], A, sign) for sign in (",", " ", "a", "ab", ".", "é")]
       for name in ("before", "after", "before_last", "after_last", "remove", "has", "starts_with", "ends_with")},
    **{name: [call(WORD[name], A, place) for place in (0, 1, 3, -1, -2)] for name in ("left", "right", "character")},
    **{name: [call(WORD[name], A, kind) for kind in KINDS] for name in ("keep", "drop_kind", "has_kind")},
    "field": [call(WORD["field"], A, sign, place) for sign in (",", " ", "a") for place in (0, 1, -1, -2)],
    "token": [call(WORD["token"], A, kind, place) for kind in KINDS for place in (0, 1, -1)],
    "replace": [call(WORD["replace"], A, old, new) for old, new in ((",", ";"), ("a", ""), (".", "''"))],
    "pad_left": [call(WORD["pad_left"], A, 5, "0"), call(WORD["pad_left"], A, 2, "*")],
    "concat": [call(WORD["concat"], "<", A, ">")],
    "equal": [call(WORD["equal"], A, "a")],
    "less": [call(WORD["less"], call(WORD["text_length"], A), 3)],
    "not": [call(WORD["not"], call(WORD["has"], A, "a"))],
    "and": [call(WORD["and"], call(WORD["has"], A, "a"), call(WORD["has"], A, "b"))],
    "or": [call(WORD["or"], call(WORD["has"], A, "a"), call(WORD["has"], A, "b"))],
    "if": [call(WORD["if"], call(WORD["has"], A, "a"), "yes", A), call(WORD["if"], call(WORD["has"], A, "a"), A, "no")],
}  # fmt: skip
EXPRESSIONS = [(name, body) for name, bodies in SPOKEN.items() for body in bodies]


def answers(program, rows=ROWS):
    """What the interpreter says of each row; `NoAnswer` where it has no answer."""
    found = []
    for row in rows:
        try:
            found.append(evaluate(program, row))
        except NoAnswer:
            found.append(NoAnswer)
    return found


def wrong(program, said):
    """Rows on which an export says something else than the interpreter."""
    triples = zip(ROWS, answers(program), said, strict=True)
    return [(row, told, found) for row, told, found in triples if told is not NoAnswer and told != found]


@pytest.fixture(scope="module")
def query():
    """Runs an expression over a table of the rows."""
    connection = duckdb.connect()
    connection.execute("create table t (n integer, a varchar)")
    connection.executemany("insert into t values (?, ?)", list(enumerate(ROWS)))
    yield lambda text: [row[0] for row in connection.execute(f"select {text} from t order by n").fetchall()]
    connection.close()


def imported(text):
    """The module that a text is."""
    module = types.ModuleType("grown")
    exec(compile(text, "grown.py", "exec"), module.__dict__)
    return module


# -- agreement ---------------------------------------------------------------------------------------------------------


def test_every_word_of_the_exports_is_spoken_here():
    assert set(SPOKEN) == set(PANDAS) | set(SQL)


@pytest.mark.parametrize("name", sorted(PANDAS))
def test_pandas_says_what_the_interpreter_says(name):
    frame = pd.DataFrame({"a": pd.Series(ROWS, dtype=object)})
    said = 0
    for body in SPOKEN[name]:
        program = Lambda(("a",), body)
        try:
            expression = to_pandas(program)
        except ProgramError:
            continue
        assert wrong(program, list(eval(expression, {"df": frame}))) == [], expression
        said += 1
    assert said


@pytest.mark.parametrize("name", sorted(SQL))
def test_sql_says_what_the_interpreter_says(name, query):
    said = 0
    for body in SPOKEN[name]:
        program = Lambda(("a",), body)
        try:
            expression = to_sql(program)
        except ProgramError:
            continue
        assert wrong(program, query(expression)) == [], expression
        said += 1
    assert said


@pytest.mark.parametrize("body", [call(WORD["stripped"], A), call(WORD["reversed_text"], A)]
                         + [call(WORD[name], A, kind) for name in ("keep", "drop_kind", "has_kind") for kind in KINDS]
                         + [call(WORD["token"], A, kind, -1) for kind in KINDS], ids=str)  # fmt: skip
def test_sql_means_the_same_characters_as_python(body):
    program = Lambda(("a",), body)
    rows = [f"{sign}a{sign}{sign}b{sign}" for sign in map(chr, range(1, 0x3100))] + [
        "e\u0301x\nb",
        " \t\n",
        "",
    ]
    frame = pd.DataFrame({"n": range(len(rows)), "a": pd.Series(rows, dtype=object)})
    said = duckdb.from_df(frame).order("n").project(to_sql(program)).fetchall()
    pairs = zip(answers(program, rows), said, strict=True)
    assert [(told, found) for told, (found,) in pairs if told is not NoAnswer and told != found] == []


def test_sql_keeps_a_letter_whose_capitals_are_several():
    assert evaluate(Lambda(("a",), call(WORD["upper"], A)), "ß") == "SS"
    assert duckdb.sql("select upper('ß')").fetchall() == [("ẞ",)], "the docstring of `frames` says so"


@pytest.mark.parametrize("name", sorted(SPOKEN))
def test_a_module_gives_what_the_interpreter_gives_and_passes_its_doctests(name):
    for body in SPOKEN[name]:
        program = Lambda(("a",), body)
        told = answers(program)
        shown = [((row,), output) for row, output in zip(ROWS, told, strict=True) if output is not NoAnswer]
        module = imported(to_module(program, "grown", shown[:4], about=f'The word """{name}\\" alone.'))
        for row, output in zip(ROWS, told, strict=True):
            if output is NoAnswer:
                with pytest.raises(module.NoAnswer):
                    module.grown(row)
            else:
                assert module.grown(row) == output, row
        assert doctest.testmod(module).failed == 0


# -- what cannot be said -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (call(WORD["initials"], A), "no expression for `initials`"),
        (
            call(WORD["left"], A, call(WORD["text_length"], A)),
            "no expression for `left` with these arguments",
        ),
        (call(WORD["right"], A, 0), "no expression for `right` with these arguments"),
        (call(WORD["upper"], Lambda(("x",), A)), "no expression for `lambda`"),
        (call(WORD["replace"], A, A, "x"), "no expression for `replace` with these arguments"),
    ],
)
@pytest.mark.parametrize("write", [to_pandas, to_sql])
def test_what_has_no_expression_is_refused_with_a_way_out(write, body, said):
    with pytest.raises(ProgramError) as caught:
        write(Lambda(("a",), body))
    assert said in caught.value.what and caught.value.todo == "Export it with --format python."


@pytest.mark.parametrize(
    "body",
    [call(WORD["concat"], "a", "b"), call(WORD["if"], call(WORD["has"], A, "x"), "yes", "no")],
)
def test_pandas_does_not_say_what_would_be_one_text_for_all_rows(body):
    with pytest.raises(ProgramError):
        to_pandas(Lambda(("a",), body))


def test_quotes_in_names_and_texts_stay_what_they_are(query):
    program = Lambda(("a",), call(WORD["replace"], A, "'", '"'))
    assert wrong(program, query(to_sql(program))) == []
    assert to_sql(program, {"a": 'Col "x"'}) == 'replace("Col ""x""", \'\'\'\', \'"\')'
    assert (
        to_pandas(Lambda(("a",), call(WORD["upper"], A)), {"a": "it's"}, "table")
        == 'table["it\'s"].str.upper()'
    )
    assert to_sql(Lambda(("a",), call(WORD["equal"], call(WORD["has"], A, "x"), True))).endswith("= TRUE)")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (call(WORD["upper"], Hole(Text)), "An open program"),
        (call(WORD["tfidf"], A), "`tfidf` is fitted or a layer"),
    ],
)
def test_programs_that_python_cannot_say_are_refused(body, said):
    with pytest.raises(ProgramError, match=said):
        to_module(Lambda(("a",), body))


# -- pipelines and functions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "line"),
    [
        (Lambda(("a",), A), "a"),
        (Lambda(("a",), Literal("x")), "'x'"),
        (
            Lambda(("a",), Let("b", call(WORD["upper"], A), call(WORD["concat"], B, B))),
            "(a | upper) + (a | upper)",
        ),
        (Lambda(("a",), call(WORD["fold"], Word(WORD["add"]), 0, A)), "a | fold(add, 0)"),
        (Lambda(("a",), call(WORD["right"], A, 3)), "a | right(3)"),
        (Lambda(("a", "b"), call(WORD["less"], call(WORD["add"], A, 1), B)), "(a + 1) < b"),
        (call(WORD["upper"], call(WORD["lower"], A)), "a | lower | upper"),
    ],
)
def test_a_pipeline_is_one_line(program, line):
    assert to_pipeline(program) == line


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (call(WORD["left"], A, 2), "return a[:2]"),
        (call(WORD["right"], A, 2), "return a[-2:]"),
        (call(WORD["replace"], A, ",", ";"), "return a.replace(',', ';')"),
        (call(WORD["remove"], A, ","), "return a.replace(',', '')"),
        (call(WORD["concat"], A, "-", A), "return a + '-' + a"),
        (call(WORD["multiply"], A, -2), "return a * (-2)"),
        (call(WORD["has"], A, "x"), "return 'x' in a"),
    ],
)
def test_python_says_itself_what_it_can(body, line):
    assert to_function(Lambda(("a",), body)).splitlines()[-1].strip() == line


def test_a_value_that_is_used_twice_is_computed_once():
    text = to_function(Lambda(("a",), call(WORD["concat"], call(WORD["upper"], A), call(WORD["upper"], A))))
    assert text.count(".upper()") == 1


def test_examples_that_are_too_long_or_say_nothing_are_no_doctests():
    program = Lambda(("a",), call(WORD["upper"], A))
    examples = [(("x" * 300,), "X" * 300), (("a",), None), (("b",), "B"), (("b",), "B")]
    text = to_module(program, "grown", examples)
    assert text.count(">>> ") == 1 and ">>> grown('b')" in text
