"""The parts of the search over texts: columns of small programs, covers, conditions, numbers and truths."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.lang import Bool, Int, Lambda, List, Literal, Text, Var, evaluate
from perennial.primitives import formats, text, values
from perennial.synthesis.base import UNANSWERED, Budget, Examples, answers
from perennial.synthesis.witnesses import lists as witness
from perennial.synthesis.witnesses.text import (
    TextWitnesses,
    _joined_dates,
    decided,
    diverse,
    sequence,
    worthwhile,
)
from perennial.synthesis.witnesses.text.conditions import Conditions, Decision, Decisions, _negated, frequent
from perennial.synthesis.witnesses.text.covers import Cover, Covers, _core
from perennial.synthesis.witnesses.text.numbers import _signs_before, numbers_of, truths_of
from perennial.synthesis.witnesses.text.parts import Part, Parts, common_words, place_price, text_price

NAMES = ("Ada King", "Alan M. Turing", "Grace Hopper", "Bo Li")


def parts_of(rows, wanted=(), names=("text",), types=(Text,), seconds=60.0):
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    return Parts(names, types, rows, wanted, Budget(seconds))


def check(part, names, rows):
    """The values of a part are those of its program."""
    given = answers(Lambda(names, part.program), rows)
    assert part.values == tuple(None if value is UNANSWERED else value for value in given), str(part.program)


# -- parts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [NAMES, ("2026-03-09", "1999-12-24"), ("$1,234.5 paid", "$7 paid"), ("a-b-c", "d-e"), ("", "x")],
    ids=lambda rows: rows[0] or "empty",
)
def test_every_part_has_the_values_of_its_program(rows):
    parts = parts_of(rows, tuple(row.upper() for row in rows))
    found = parts.grow()
    assert [part.price for part in found] == sorted(part.price for part in found)
    assert len(found) > 5 and len({part.values for part in found}) == len(found)
    for part in found[:400]:
        check(part, ("text",), [(row,) for row in rows])


def test_parts_of_a_text_and_a_number_have_the_values_of_their_programs():
    rows = [("a-b-c", 1), ("d-e-f", 3), ("x-y-z", 2)]
    found = parts_of(rows, ("a", "f", "y"), ("text", "place"), (Text, Int)).grow()
    for part in found[:400]:
        check(part, ("text", "place"), rows)
    assert ("a", "f", "y") in {part.values for part in found}


def test_of_parts_that_agree_the_cheaper_stays():
    parts = parts_of(("ab", "cd"))
    first, dear, cheap = (Part(None, ("x", None), price, ("q", "r")) for price in (5.0, 7.0, 2.0))
    assert parts.add(first) is first and parts.add(dear) is None and parts.add(cheap) is cheap
    assert parts.known["q", "r"] is cheap and parts.add(None) is None


def test_a_part_without_an_answer_anywhere_is_none_and_each_missing_row_costs():
    parts = parts_of(("a b", "c"))
    (source,) = parts.inputs
    assert parts.made(text.token, (source, "digits", 0), 2.0) is None
    assert parts.made(text.token, (source, "word", 1), 2.0).price == 2.5
    assert parts.made(text.token, (source, "word", 0), 2.0).price == 2.0


def test_signs_are_separators_words_of_all_rows_too():
    found = dict(parts_of(("x and y-1", "u and w-2", "p and q-3")).separators)
    assert {" ", "-", "and"} <= set(found) and "y" not in found
    assert found[" "] < found["and"]


def test_an_input_that_stands_in_another_is_a_separator():
    rows = [("a;b", ";"), ("c,d", ",")]
    parts = parts_of(rows, names=("text", "sign"), types=(Text, Text))
    separators = [separator for separator, _ in parts.separators if isinstance(separator, Part)]
    assert [part.values for part in separators] == [(";", ",")]


def test_words_of_all_texts_are_common():
    assert common_words(["the red fox", "a red dog the"]) == ["red", "the"]
    assert common_words(["alone"]) == [] and common_words(["a", "b"]) == []


def test_what_people_say_first_is_cheap():
    assert (
        place_price(0) == place_price(-1) < place_price(1) < place_price(2) < place_price(5) < place_price(6)
    )
    assert text_price("--") < text_price("ab") and text_price("") == 0.0


# -- covers ------------------------------------------------------------------------------------------------------------


def part(name, price, *row_values):
    return Part(None, (name, None), price, row_values)


def written(cover, row):
    return "".join(piece if isinstance(piece, str) else piece.values[row] for piece in cover.pieces)


ROWS = st.tuples(st.text("ab-", min_size=1, max_size=5), st.text("ab-", min_size=1, max_size=5))


@given(ROWS, st.lists(ROWS, max_size=4))
@settings(max_examples=80)
def test_a_cover_writes_every_output_and_covers_come_the_cheapest_first(wanted, columns):
    parts = [part(f"p{at}", 1.0 + at, *column) for at, column in enumerate(columns)]
    covers = Covers(parts, wanted, Budget(60.0)).best(0b11, 5)
    assert [cover.price for cover in covers] == sorted(cover.price for cover in covers)
    for cover in covers:
        assert tuple(written(cover, row) for row in (0, 1)) == wanted


@given(ROWS, st.lists(ROWS, max_size=3))
@settings(max_examples=60)
def test_a_sequence_of_parts_that_writes_all_outputs_is_found(wanted, columns):
    parts = [part(f"p{at}", 1.0, *column) for at, column in enumerate(columns)]
    possible = any(
        tuple("".join(column[row] for column in chosen) for row in (0, 1)) == wanted
        for size in range(1, 6)
        for chosen in product(columns, repeat=size)
    )
    if possible:
        assert Covers(parts, wanted, Budget(60.0)).best(0b11)


def test_a_cover_of_some_rows_need_not_write_the_others():
    covers = Covers([part("front", 1.0, "ab", "zz", "cd")], ["ab!", "qq", "cd!"], Budget(60.0))
    assert covers.best(0b111) == []
    assert written(covers.best(0b101)[0], 0) == "ab!"


def test_empty_outputs_are_an_empty_cover():
    assert Covers([], ["", ""], Budget(60.0)).best(0b11) == [Cover((), 0.0)]
    assert sequence(Cover((), 0.0)) == Literal("")


def test_a_constant_that_stands_in_every_input_is_doubted():
    outputs = ["A. x", "A. y"]
    parts = [part("last", 1.0, "x", "y")]
    sure, doubted = (
        Covers(parts, outputs, Budget(60.0), given).best(0b11)[0] for given in ((), ("A x", "A y"))
    )
    assert doubted.price == pytest.approx(sure.price + 3.0)
    assert Covers(parts, outputs, Budget(60.0), ("A x", "B y")).best(0b11)[0].price == sure.price


@pytest.mark.parametrize(
    ("constant", "core"), [("A.", "A"), (" - ", ""), ("(a b)", "a b"), ("x1", "x1"), ("", "")]
)
def test_a_constant_without_its_signs(constant, core):
    assert _core(constant) == core


# -- conditions --------------------------------------------------------------------------------------------------------


def test_every_condition_has_the_values_of_its_program_and_each_once():
    rows = ["King, Ada", "Grace Hopper", "Li, Bo 3", "x", "x"]
    parts = parts_of(rows)
    found = Conditions(parts, None).all
    assert len(found) > 10 and [one.price for one in found] == sorted(one.price for one in found)
    assert len({one.values for one in found}) == len(found)
    for one in found:
        check(one, ("text",), [(row,) for row in rows])
        check(_negated(one), ("text",), [(row,) for row in rows])
        assert _negated(one).price == one.price + 1.0


def test_conditions_of_two_inputs_compare_them():
    rows = [("ab", "ab"), ("abc", "b"), ("b", "cd")]
    found = Conditions(parts_of(rows, names=("one", "two"), types=(Text, Text)), None).all
    words = {one.values: one.word for one in found}
    assert (True, False, False) in words and (True, True, False) in words


def test_words_of_some_texts_are_frequent():
    assert frequent(["red fox", "red dog", "blue dog", "cat"]) == ["dog", "red"]
    assert frequent(["red", "red"]) == []


def decisions_of(rows, outputs, seconds=60.0):
    examples = Examples(("text",), (Text,), Text, tuple((row,) for row in rows), tuple(outputs))
    parts = parts_of(rows, outputs)
    covers = Covers(parts.grow(), outputs, Budget(seconds))
    return Decisions(covers, Conditions(parts, examples).all, Budget(seconds))


def test_a_decision_is_right_on_the_rows_it_was_made_for():
    rows = ("King, Ada", "Turing, Alan", "Li, Bo", "Grace Hopper", "Emmy Noether", "Kurt Goedel")
    outputs = ("Ada", "Alan", "Bo", "Grace", "Emmy", "Kurt")
    search = decisions_of(rows, outputs)
    assert search.best(0b111111, 0) is None
    best = search.best(0b111111, 1)
    program = Lambda(("text",), decided(best))
    assert answers(program, [(row,) for row in rows]) == outputs
    assert worthwhile(best, outputs) and not worthwhile(best, ("A",))
    assert search.best(0b000111, 0).condition is None


def test_a_condition_that_holds_on_the_other_rows_swaps_the_branches():
    held, other = Cover(("yes",), 1.0), Decision(Cover(("no",), 1.0), 1.0)
    source = Part(None, ("text", None), 1.0, ("a", ""))
    empty = Part(text.is_empty, (source,), 2.0, (False, True))
    for condition in (empty, _negated(empty)):
        program = Lambda(("text",), decided(Decision(held, 5.0, condition, other)))
        truth = [evaluate(program, value) for value in ("a", "")]
        assert truth == (["no", "yes"] if condition is empty else ["yes", "no"])
        assert "not_" not in str(program)


def test_rows_that_go_together_are_covered_when_all_cannot_be():
    search = decisions_of(("Ada King", "Bo Li", "Cy Wu"), ("King", "Li", "qjx"))
    found = [tuple(written(one.cover, row) for row in (0, 1)) for one in search.partial()]
    assert ("King", "Li") in found


# -- whole numbers and truths ------------------------------------------------------------------------------------------


def numbers(rows, outputs, **more):
    parts = parts_of(rows, [str(value) for value in outputs], **more)
    return list(numbers_of(parts, parts.grow(), outputs, Budget(60.0)))


@pytest.mark.parametrize(
    "rule",
    [len, lambda t: len(t) + 2, lambda t: len(t) - 3, lambda t: t.count("-"), lambda t: t.index("-"),
     lambda t: int(t.split("-")[0]), lambda t: len(t) + t.count("-"), lambda t: len(t) - t.count("-")],
    ids=["length", "length and two", "length less three", "signs", "place", "written", "sum", "difference"],
)  # fmt: skip
def test_whole_numbers_about_texts_are_found_and_hold_on_another(rule):
    rows, fresh = ("12-ab", "7-c-d", "345-x", "66-ab-cd-ef"), "8-pq-rstu"
    found = numbers(rows, [rule(row) for row in rows])
    assert found and [price for _, price in found] == sorted(price for _, price in found)
    given = [answers(Lambda(("text",), program), [(fresh,)])[0] for program, _ in found]
    for program, _ in found:
        assert answers(Lambda(("text",), program), [(row,) for row in rows]) == tuple(map(rule, rows))
    assert rule(fresh) in given


def test_how_often_one_text_stands_in_another_and_after_a_sign():
    rows = [("a@b a@c", "a"), ("x@y z", "y"), ("q q q", "q")]
    names, types = ("text", "what"), (Text, Text)
    found = numbers(rows, [whole.count(what) for whole, what in rows], names=names, types=types)
    program = Lambda(names, found[0][0])
    assert answers(program, [("k@k", "k")]) == (2,)
    parts = parts_of([("a@b", "b"), ("b#b", "b"), ("bb", "b")], names=names, types=types)
    assert _signs_before(*parts.inputs) == ["#", "@"]
    marked = [("#a #b", "b"), ("a #a #a", "a"), ("c c", "c")]
    found = numbers(marked, [1, 2, 0], names=names, types=types)
    assert (1,) in {answers(Lambda(names, program), [("z #z z", "z")]) for program, _ in found}


def test_numbers_that_nothing_explains_are_not_found():
    assert numbers(("ab", "cd", "ef"), [901, 17, 444]) == []


def conditions(*columns):
    return [Part(None, (f"c{at}", None), 1.0 + at, column) for at, column in enumerate(columns)]


TRUTHS = st.tuples(*[st.booleans()] * 4)


@given(st.lists(TRUTHS, min_size=1, max_size=4, unique=True), TRUTHS)
@settings(max_examples=150)
def test_truths_are_a_condition_its_contrary_or_two_joined_and_nothing_else(columns, outputs):
    found = list(truths_of(conditions(*columns), outputs, Budget(60.0)))
    rows = list(zip(*columns, strict=True))
    names = tuple(f"c{at}" for at in range(len(columns)))
    for program, _ in found:
        assert tuple(evaluate(Lambda(names, program), *row) for row in rows) == outputs
    signed = {*columns, *(tuple(not v for v in column) for column in columns)}
    joined = {
        tuple(word((a, b)) for a, b in zip(one, other, strict=True))
        for one, other in product(signed, repeat=2)
        for word in (any, all)
    }
    assert bool(found) == (outputs in signed | joined)
    assert [price for _, price in found] == sorted(price for _, price in found) and len(found) <= 8


def test_conditions_without_an_answer_on_a_row_are_not_used():
    assert list(truths_of(conditions((True, None)), [True, False], Budget(60.0))) == []


# -- the engine --------------------------------------------------------------------------------------------------------


def test_pieces_of_one_date_become_one_form():
    source = Part(None, ("text", None), 1.0, ("2026-03-09",))
    day, month, other = (
        Part(formats.date_as, (source, form, piece), 2.0, (shown,))
        for form, piece, shown in (
            ("%Y-%m-%d", "%d", "09"),
            ("%Y-%m-%d", "%m", "03"),
            ("%Y-%d-%m", "%Y", "2026"),
        )
    )
    forms = [
        piece if isinstance(piece, str) else piece.arguments[2] for piece in _joined_dates([day, "/", month])
    ]
    assert forms == ["%d/%m"]
    assert [piece.arguments[2] for piece in _joined_dates([day, month])] == ["%d%m"]
    assert len(_joined_dates([day, "%", month])) == 3
    assert len(_joined_dates([day, "/", other])) == 3
    program = Lambda(("text",), sequence(Cover((day, "/", month), 1.0)))
    assert evaluate(program, "1999-12-24") == "24/12"


def test_few_rows_are_all_worked_on_and_many_are_as_many_as_asked():
    examples = Examples(("t",), (Text,), Text, tuple((f"n{at}",) for at in range(30)), ("x",) * 30)
    assert diverse(examples, 30) == list(range(30))
    chosen = diverse(examples, 7)
    assert len(chosen) == 7 and chosen == sorted(set(chosen))


@pytest.mark.parametrize(
    ("types", "result", "can"),
    [
        ((Text,), Text, True),
        ((Text, Int), Int, True),
        ((Int,), Text, True),
        ((Text,), Bool, True),
        ((Int,), Int, False),
        ((Int,), Bool, False),
        ((List(Text),), Text, False),
        ((Text,), List(Text), False),
    ],
)
def test_which_types_the_search_takes(types, result, can):
    names = ("a", "b")[: len(types)]
    assert TextWitnesses().can_run(Examples(names, types, result, ((0,) * len(types),), (0,))) is can


def test_a_number_is_written_as_text():
    examples = Examples(("n",), (Int,), Text, ((5,), (12,), (3,)), ("no 5", "no 12", "no 3"))
    found = min(TextWitnesses().run(examples, None, Budget(20.0)), key=lambda one: one.order)
    assert found.complete and answers(found.program, [(77,)]) == ("no 77",)


def test_without_time_nothing_is_given():
    examples = Examples(("t",), (Text,), Text, (("a b",), ("c d",)), ("b", "d"))
    assert list(TextWitnesses().run(examples, None, Budget(0.0))) == []


# -- lists -------------------------------------------------------------------------------------------------------------

LISTS = st.lists(st.lists(st.integers(0, 2), max_size=4).map(tuple), min_size=1, max_size=4)


@given(LISTS)
def test_common_beginnings_are_the_longest(wanted):
    found = witness.common_prefix(wanted)
    size = len(found)
    assert all(items[:size] == found for items in wanted)
    assert any(len(items) == size for items in wanted) or len({items[size] for items in wanted}) > 1
    assert witness.common_suffix([items[::-1] for items in wanted]) == found[::-1]


@given(LISTS, st.integers(2, 4))
def test_as_many_pieces_as_were_made_are_seen(known, number):
    wanted = [tuple(x for x in items for _ in range(number)) for items in known]
    assert witness.pieces(known, wanted) == (number if any(known) else 0)


def test_a_filter_may_have_kept_the_first_or_the_last_of_equals():
    known = [(1, 1, 2)]
    assert witness.all_kept(known, [(1,)]) == [[True, False, False], [False, True, False]]
    assert witness.all_kept(known, [()]) == [] == witness.all_kept(known, [(2, 1)])


def test_a_constant_and_an_input_are_their_own_programs():
    assert Part(None, ("n", None), 1.0, (1,)).program == Var("n")
    assert Part(None, ("", 4), 1.0, (4,)).program == Literal(4)
    source = Part(None, ("n", None), 1.0, (1,))
    assert evaluate(Lambda(("n",), Part(values.add, (source, 2), 2.0, (3,)).program), 5) == 7
