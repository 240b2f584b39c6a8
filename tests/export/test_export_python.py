"""Exported modules run without perennial and give what the interpreter gives."""

import subprocess
import sys

import pytest

from perennial.errors import ProgramError
from perennial.export.pipeline import to_pipeline
from perennial.export.python import to_function, to_module
from perennial.lang import Lambda, Let, Literal, Var, Word, call, evaluate
from perennial.primitives import vocabulary

WORD = vocabulary()
TEXT = Var("text")


def lam(body, *names):
    return Lambda(names or ("text",), body)


PROGRAMS = {
    "parts": (lam(call(WORD["concat"], call(WORD["before"], TEXT, ","), " \\ ", call(WORD["token"], TEXT, "digits", -1))),
              [("a, b 12",), ("x,'\"9",)]),
    "branch": (lam(call(WORD["if"], call(WORD["has"], TEXT, ","), call(WORD["after"], TEXT, ","), TEXT)),
               [("a,b",), ("ab",)]),
    "inner branch": (
        lam(call(WORD["upper"], call(WORD["if"], call(WORD["has"], TEXT, ","), call(WORD["before"], TEXT, ","), "no"))),
        [("a,b",), ("ab",)],
    ),
    "otherwise": (lam(call(WORD["otherwise"], call(WORD["before"], TEXT, ","), "none")), [("a,b",), ("ab",)]),
    "date": (lam(call(WORD["date_as"], TEXT, "%Y-%m-%d", "%e %B")), [("2026-03-09",)]),
    "loop": (
        Lambda(("xs", "n"), call(WORD["map"], Lambda(("x",), call(WORD["add"], call(WORD["multiply"], Var("x"), -2), Var("n"))),
                                 call(WORD["reverse"], Var("xs")))),
        [((1, 2, 3), 4), ((), 0)],
    ),
    "fold of a word": (Lambda(("xs",), call(WORD["fold"], Word(WORD["add"]), 0, Var("xs"))), [((1, 2, 3),)]),
    "shared": (lam(Let("low", call(WORD["lower"], TEXT), call(WORD["concat"], Var("low"), Var("low")))), [("aB",)]),
    "constant": (lam(Literal("x")), [("a",)]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_module_runs_alone_and_passes_its_own_doctests(name, tmp_path):
    program, rows = PROGRAMS[name]
    pairs = [(row, evaluate(program, *row)) for row in rows]
    path = tmp_path / "grown.py"
    path.write_text(to_module(program, "grown", pairs), encoding="utf-8")
    checks = "".join(f"assert grown.grown(*{row!r}) == {output!r}\n" for row, output in pairs)
    code = f"import sys\nassert 'perennial' not in sys.modules\nimport grown\n{checks}assert 'perennial' not in sys.modules\n"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    tested = subprocess.run(
        [sys.executable, "grown.py", "-v"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Test passed." in tested.stdout, tested.stdout
    assert tested.stdout.count("grown(") >= len(pairs)


@pytest.mark.parametrize(("output", "code"), [("A", 0), ("B", 1)])
def test_a_module_that_is_run_exits_with_1_when_an_example_fails(output, code, tmp_path):
    path = tmp_path / "grown.py"
    path.write_text(to_module(lam(call(WORD["upper"], TEXT)), "grown", [(("a",), output)]), encoding="utf-8")
    ran = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert ran.returncode == code and bool(ran.stdout) == bool(code) and ran.stderr == ""


def test_a_program_without_an_answer_raises_in_the_module_too(tmp_path):
    path = tmp_path / "grown.py"
    path.write_text(to_module(lam(call(WORD["before"], TEXT, ",")), "grown"), encoding="utf-8")
    code = "import grown\ntry:\n    grown.grown('ab')\nexcept grown.NoAnswer:\n    print('none')"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "none", ran.stderr


def test_a_name_that_is_taken_is_not_taken_again():
    program = Lambda(("last_word",), call(WORD["upper"], call(WORD["token"], Var("last_word"), "word", -1)))
    assert "last_word_2 = token(last_word, 'word', -1)" in to_function(program)


def test_a_word_that_is_fitted_cannot_be_written():
    with pytest.raises(ProgramError, match="fitted"):
        to_module(lam(call(WORD["tfidf"], TEXT)))


def test_a_pipeline_reads_from_left_to_right():
    program, _ = PROGRAMS["inner branch"]
    assert to_pipeline(program) == "((text | before(',')) if (text | has(',')) else 'no') | upper"
    program, _ = PROGRAMS["loop"]
    assert to_pipeline(program) == "xs | reverse | map((x -> (x * -2) + n))"
