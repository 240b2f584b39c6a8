"""Words for text and formats: their examples, their promises, and dates against Python's own."""

import datetime
import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.errors import NoAnswer
from perennial.lang import Primitive, Word, parse, to_source
from perennial.primitives import formats, text, vocabulary
from perennial.testing.language import check_primitive

WORDS = {
    value.name: (value, module)
    for module in (text, formats)
    for value in vars(module).values()
    if isinstance(value, Primitive)
}


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_of_text_keeps_its_promises(name):
    check_primitive(WORDS[name][0], tries=25)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_the_example_in_the_docstring_of_a_word_comes_out(name):
    word, module = WORDS[name]
    example = doctest.DocTestParser().get_doctest(word.doc, vars(module), name, None, 0)
    assert example.examples, f"{name} shows no example."
    outcome = doctest.DocTestRunner().run(example)
    assert outcome.failed == 0


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_of_text_is_in_the_vocabulary_and_is_read_back(name):
    word = Word(vocabulary()[name])
    assert word.op is WORDS[name][0]
    assert parse(to_source(word), vocabulary()) is word


@pytest.mark.parametrize(
    "arguments",
    [("no comma", ","), ("", "x"), ("text", "")],
)
def test_what_does_not_occur_has_no_place(arguments):
    for word in (text.before, text.after, text.before_last, text.after_last):
        with pytest.raises(NoAnswer):
            word(*arguments)
    with pytest.raises(NoAnswer):
        text.find(*arguments, 0)


@given(st.text(alphabet="ab-", max_size=12), st.sampled_from(["-", "a", "ab", "--"]))
def test_occurrences_from_the_front_and_from_the_back_are_those_of_python(value, what):
    places = [place for place in range(len(value)) if value.startswith(what, place)]
    for number in range(-len(places), len(places)):
        assert text.find(value, what, number) == places[number]
    with pytest.raises(NoAnswer):
        text.find(value, what, len(places))
    with pytest.raises(NoAnswer):
        text.find(value, what, -len(places) - 1)


@given(st.text(max_size=20), st.sampled_from(sorted(text.KINDS)))
def test_keeping_a_kind_is_joining_its_tokens(value, kind):
    assert text.keep(value, kind) == "".join(text.all_tokens(value, kind))
    assert text.count_tokens(value, kind) == len(text.all_tokens(value, kind))


FORMS = ["%Y-%m-%d", "%d.%m.%y", "%m/%d/%Y", "%d %B %Y", "%A, %d %b %Y", "%I:%M %p", "%H:%M:%S", "%Y%m%d"]


@settings(max_examples=60)
@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2060, 1, 1)), st.sampled_from(FORMS))
def test_dates_are_written_and_read_as_python_does(when, form):
    shown = when.strftime(form)
    assert formats.write_date(when, form) == shown
    assert formats.date_as(shown, form, form) == shown
    read = formats.read_date(shown, form)
    if "Y" in form:
        assert read.date() == when.date()


def test_an_impossible_date_has_no_answer():
    for value, form in (("31.02.2026", "%d.%m.%Y"), ("13:00 PM", "%I:%M %p"), ("x", "%Q")):
        with pytest.raises(NoAnswer):
            formats.date_as(value, form, "%d")


def test_the_edit_distance_is_the_textbook_one():
    assert text.edit_distance("kitten", "sitting") == 3
    assert text.edit_distance("", "abc") == 3
    assert text.edit_distance("flaw", "lawn") == 2
