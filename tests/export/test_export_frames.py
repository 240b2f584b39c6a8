"""Expressions of pandas and SQL against the interpreter, on rows where the program has an answer."""

import duckdb
import pandas as pd
import pytest

from perennial.errors import ProgramError
from perennial.export.frames import PANDAS, SQL, to_pandas, to_sql
from perennial.lang import Lambda, Var, call, evaluate
from perennial.primitives import vocabulary

WORD = vocabulary()
ROWS = ["King, Ada 1815", "Turing, Alan 1912 a", "O'Li, Bo 7", "Hopper, Grace, 22 x 3"]
A = Var("a")
PROGRAMS = [
    call(WORD["lower"], A), call(WORD["upper"], A), call(WORD["title"], A), call(WORD["capitalised"], A),
    call(WORD["stripped"], call(WORD["after"], A, ",")), call(WORD["squeeze"], A), call(WORD["reversed_text"], A),
    call(WORD["concat"], call(WORD["before"], A, ","), "-'", call(WORD["left"], A, 2)),
    call(WORD["left"], A, -2), call(WORD["right"], A, 3), call(WORD["right"], A, -3), call(WORD["character"], A, 1),
    call(WORD["before_last"], A, " "), call(WORD["after_last"], A, " "), call(WORD["field"], A, ", ", 1),
    call(WORD["field"], A, " ", -1), call(WORD["token"], A, "digits", 0), call(WORD["token"], A, "word", -1),
    call(WORD["token"], A, "letters", 1), call(WORD["token"], A, "alphanumeric", 0), call(WORD["keep"], A, "digits"),
    call(WORD["keep"], A, "upper"), call(WORD["drop_kind"], A, "digits"), call(WORD["replace"], A, ", ", "; "),
    call(WORD["remove"], A, ","), call(WORD["pad_left"], call(WORD["token"], A, "digits", 0), 6, "0"),
    call(WORD["if"], call(WORD["has"], A, "x"), call(WORD["before"], A, ","), A),
    call(WORD["if"], call(WORD["starts_with"], A, "K"), "first", call(WORD["before"], A, ",")),
    call(WORD["if"], call(WORD["not"], call(WORD["ends_with"], A, "5")), call(WORD["before"], A, ","), "five"),
    call(WORD["if"], call(WORD["less"], call(WORD["text_length"], A), 15), A, call(WORD["upper"], A)),
    call(WORD["if"], call(WORD["equal"], call(WORD["text_length"], A), 14), A, call(WORD["upper"], A)),
    call(WORD["if"], call(WORD["has_kind"], A, "digits"), A, call(WORD["upper"], A)),
]  # fmt: skip


@pytest.mark.parametrize("body", PROGRAMS, ids=str)
def test_pandas_and_sql_say_what_the_interpreter_says(body):
    program = Lambda(("a",), body)
    expected = [evaluate(program, row) for row in ROWS]
    frame = pd.DataFrame({"Col 'a'": pd.Series(ROWS, dtype=object)})
    said = 0
    for write, run in ((to_pandas, _pandas), (to_sql, _sql)):
        try:
            expression = write(program, {"a": "Col 'a'"})
        except ProgramError:
            continue
        assert run(expression, frame) == expected, expression
        said += 1
    assert said


def _pandas(expression, df):
    return list(eval(expression, {"df": df}))


def _sql(expression, df):
    connection = duckdb.connect()
    connection.execute("create table t (n integer, \"Col 'a'\" varchar)")
    connection.executemany("insert into t values (?, ?)", list(enumerate(df["Col 'a'"])))
    return [row[0] for row in connection.execute(f"select {expression} from t order by n").fetchall()]


def test_every_word_of_the_tables_is_a_word():
    assert set(PANDAS) | set(SQL) <= set(WORD)


def test_what_sql_cannot_say_is_refused_with_a_way_out():
    with pytest.raises(ProgramError, match="--format python"):
        to_sql(Lambda(("a",), call(WORD["initials"], A)))
