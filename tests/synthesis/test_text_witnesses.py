"""Text from examples: tasks of everyday tables, what is found, and that it holds for rows nobody showed."""

import os.path
from itertools import product

import pytest

from perennial.lang import Bool, Int, Real, Text
from perennial.synthesis.base import UNANSWERED, Budget, Examples, answers
from perennial.synthesis.witnesses.text import TextWitnesses, diverse
from perennial.synthesis.witnesses.text.covers import Covers, common_prefix
from perennial.synthesis.witnesses.text.parts import Part
from perennial.synthesis.witnesses.text.shapes import shape, strangeness

SECONDS = 20.0  # a search ends long before; the machine of a test may be busy

TASKS = {
    "last name": ([("Ada King", "King"), ("Alan M. Turing", "Turing")], [("Grace Hopper", "Hopper")]),
    "initials": (
        [("Ada King", "A.K."), ("Alan Turing", "A.T."), ("Bo Li", "B.L.")],
        [("Grace Hopper", "G.H.")],
    ),
    "user name": (
        [("Ada.King@mail.org", "ada.king"), ("bo@x.com", "bo"), ("C.Lu@uni.edu", "c.lu")],
        [("Grace@navy.mil", "grace")],
    ),
    "phone": (
        [("(020) 123-4567", "020.123.4567"), ("(030) 999-1111", "030.999.1111")],
        [("(111) 222-3333", "111.222.3333")],
    ),
    "swap": ([("King, Ada", "Ada King"), ("Turing, Alan", "Alan Turing")], [("Li, Bo", "Bo Li")]),
    "date": (
        [("2026-03-09", "9 Mar 2026"), ("2025-12-24", "24 Dec 2025")],
        [("1999-01-31", "31 Jan 1999")],
    ),
    "month": ([("03/09/2026", "March"), ("12/24/2025", "December")], [("07/04/2001", "July")]),
    "amount": ([("$1,234.5 paid", "1234.50"), ("$7 paid", "7.00")], [("$12.25 paid", "12.25")]),
    "padded": ([("7", "007"), ("12", "012"), ("1", "001")], [("99", "099")]),
    "domain": (
        [("https://www.example.org/a/b", "example.org"), ("https://www.x.com/", "x.com")],
        [("https://www.uni.edu/q", "uni.edu")],
    ),
    "in brackets": ([("f (x) y", "x"), ("long (word) here", "word")], [("a (b) c", "b")]),
    "spaces": ([("  a   b ", "a b"), ("c  d", "c d"), ("e f ", "e f")], [(" g    h", "g h")]),
    "shout": ([("ada", "ADA!"), ("bo", "BO!")], [("cy", "CY!")]),
}


def examples_of(pairs, asked=()):
    return Examples(
        ("text",), (Text,), Text, tuple((a,) for a, _ in pairs), tuple(b for _, b in pairs), tuple(asked)
    )


def best_of(examples):
    found = list(TextWitnesses().run(examples, None, Budget(SECONDS)))
    return min(found, key=lambda each: each.order)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_program_from_a_few_rows_holds_for_a_row_that_nobody_showed(name):
    pairs, held_back = TASKS[name]
    best = best_of(examples_of(pairs, [(value,) for value, _ in held_back]))
    assert best.complete, best.program
    assert answers(best.program, [(value,) for value, _ in held_back]) == tuple(out for _, out in held_back)


def test_two_columns_are_put_together():
    examples = Examples(
        ("first", "last"), (Text, Text), Text, (("Ada", "King"), ("Bo", "Li")), ("A. King", "B. Li")
    )
    best = best_of(examples)
    assert answers(best.program, [("Grace", "Hopper")]) == ("G. Hopper",)


def test_a_number_says_which_field():
    rows = (("a-b-c", 1), ("d-e-f", 3), ("x-y-z", 2))
    best = best_of(Examples(("text", "place"), (Text, Int), Text, rows, ("a", "f", "y")))
    assert answers(best.program, [("p-q-r", 3)]) == ("r",)


def test_rows_of_two_kinds_need_a_condition():
    pairs = [
        ("King, Ada", "Ada"), ("Turing, Alan", "Alan"), ("Li, Bo", "Bo"),
        ("Grace Hopper", "Grace"), ("Emmy Noether", "Emmy"), ("Kurt Goedel", "Kurt"),
    ]  # fmt: skip
    best = best_of(examples_of(pairs))
    assert best.complete
    assert answers(best.program, [("Curie, Marie",), ("Niels Bohr",)]) == ("Marie", "Niels")


def test_whole_numbers_and_truths_are_found_too():
    rows = (("one two",), ("three",), ("four five six",), ("a bb ccc dddd",))
    best = best_of(Examples(("text",), (Text,), Int, rows, (2, 1, 3, 4)))
    assert answers(best.program, [("x y z w v",)]) == (5,)
    rows = (("a1",), ("b",), ("22",), ("c d",))
    best = best_of(Examples(("text",), (Text,), Bool, rows, (True, False, True, False)))
    assert answers(best.program, [("zz9",), ("zz",)]) == (True, False)


def test_where_no_program_fits_the_best_partial_one_says_which_examples_it_misses():
    pairs = [("Ada King", "King"), ("Bo Li", "Li"), ("Cy Wu", "qjx"), ("Di Fo", "Fo")]
    best = best_of(examples_of(pairs))
    assert best.missed == (2,)


def test_examples_that_were_not_worked_on_correct_the_program():
    pairs = [(f"name{n} x{n}", f"x{n}") for n in range(60)] + [("only", "only")]
    best = best_of(examples_of(pairs))
    assert best.complete
    assert answers(best.program, [("q r s",), ("t",)]) == ("s", "t")


def test_the_engine_declines_other_types():
    assert not TextWitnesses().can_run(Examples(("x",), (Real,), Real, ((1.0,),), (2.0,)))


def test_a_search_ends_in_time():
    import time

    pairs = [(f"{n * 7919 % 1000} w{n} {n}", f"{n * 104729 % 1000}") for n in range(30)]
    start = time.process_time()
    list(TextWitnesses().run(examples_of(pairs), None, Budget(1.0)))
    assert time.process_time() - start < 3.0


def test_rows_that_look_different_are_worked_on_first():
    rows = [(f"name{n}",) for n in range(50)] + [("a b c",), ("1 2",)]
    examples = Examples(("text",), (Text,), Text, tuple(rows), tuple(row[0] for row in rows))
    assert {50, 51} <= set(diverse(examples, 4))


def test_the_common_prefix_is_that_of_python():
    texts = ["".join(letters) for size in range(4) for letters in product("ab", repeat=size)]
    for three in product(texts, repeat=3):
        assert common_prefix(three) == os.path.commonprefix(three)


def test_a_cover_is_the_cheapest_way_to_write_the_outputs():
    def part(name, price, *values):
        return Part(None, (name, None), price, values)

    parts = [
        part("whole", 12.0, "ab-cd", "x-yz"),
        part("front", 2.0, "ab", "x"),
        part("back", 2.0, "cd", "yz"),
    ]
    covers = Covers(parts, ["ab-cd", "x-yz"], Budget(10.0))
    front = covers.best(0b11)[0]
    assert [getattr(piece, "arguments", (piece,))[0] for piece in front.pieces] == ["front", "-", "back"]
    cheap = Covers([part("whole", 3.0, "ab-cd", "x-yz"), *parts[1:]], ["ab-cd", "x-yz"], Budget(10.0))
    assert cheap.best(0b11)[0].pieces[0].arguments[0] == "whole"


def test_answers_that_look_new_or_are_missing_make_a_program_dearer():
    assert strangeness([], ["1"]) == 0.0
    assert strangeness(["12", "7"], ["1900"]) == 0.0
    assert strangeness([UNANSWERED], ["1"]) > strangeness(["ada"], ["1"]) > 0.0
    assert shape("Ada King, 1815") == shape("Bo Li, 3")


def test_a_letter_that_stands_in_every_input_is_rather_a_part_than_a_constant():
    best = best_of(examples_of([("Ada King", "A. King"), ("Alan Turing", "A. Turing")]))
    assert answers(best.program, [("Grace Hopper",)]) == ("G. Hopper",)
