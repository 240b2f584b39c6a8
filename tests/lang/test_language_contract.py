import pytest

from perennial.lang import Int, List, Real, Text, primitive
from perennial.testing.language import check_primitive


def test_good_words_pass_the_contract(words):
    for word in words.values():
        check_primitive(word, tries=20)
    check_primitive(words["add"], [((1, 2), 3), ((-1, 1), 0)])


def promise(broken, function):
    with pytest.raises(AssertionError, match=broken):
        check_primitive(primitive(function), [((1,), 1)] if broken == "should give" else ())


def test_a_word_without_documentation_fails():
    def silent(x: Int) -> Int:
        return x

    promise("has no docstring", silent)


def test_a_word_that_raises_fails():
    def inverse(x: Int) -> Real:
        """One over x."""
        return 1 / x

    promise("words are total", inverse)


def test_a_word_that_returns_another_type_fails():
    def half(x: Int) -> Int:
        """Half of x."""
        return x / 2

    promise("is no Int", half)


def test_a_word_that_changes_its_arguments_fails():
    def emptied(xs: "Dict[Int, Int]") -> Int:
        """How many there were."""
        count = len(xs)
        xs.clear()
        return count

    promise("changed its arguments", emptied)


def test_a_word_that_answers_differently_each_time_fails():
    seen = []

    def counter(x: Int) -> Int:
        """How often it was called."""
        seen.append(x)
        return len(seen)

    promise("deterministic", counter)


def test_a_word_without_bound_fails():
    def copies(text: Text) -> Text:
        """The text many times."""
        return "x" * 1_000_001

    promise("bound it", copies)


def test_a_wrong_example_fails():
    def next_number(x: Int) -> Int:
        """The next number."""
        return x + 1

    promise("should give", next_number)


def test_polymorphic_words_are_tried_with_several_types():
    def largest(xs: "List[a]") -> "Option[a]":
        """The largest item."""
        return (
            max(xs)
            if xs and isinstance(xs[0], int)
            else (xs[0] + "!" if xs and isinstance(xs[0], tuple) else None)
        )

    promise("words are total", largest)
    assert List(Int) != List(Text)
