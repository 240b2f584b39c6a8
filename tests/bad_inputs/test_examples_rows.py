"""Rows 60 and 61 of the catalogue of bad inputs: examples that contradict, differ in type, or are too large."""

import pytest

from perennial.errors import DataError
from perennial.task import Task


def test_row_60_contradictory_examples_are_shown_as_a_pair():
    with pytest.raises(DataError) as caught:
        Task.from_examples([("a", 1), ("b", 2), ("a", 3)])
    assert "examples 1 and 3" in str(caught.value) and "'a'" in str(caught.value)


def test_row_60_contradictions_are_a_warning_when_errors_are_allowed():
    task = Task.from_examples([("a", 1), ("b", 2), ("c", 2), ("a", 3)], tolerance=0.4)
    assert [finding.code for finding in task.findings] == ["contradictions"]


def test_row_61_one_example_is_a_warning_about_ambiguity():
    assert [finding.code for finding in Task.from_examples([("a", 1)]).findings] == ["few_examples"]
    assert Task.from_examples([("a", 1), ("b", 2), ("c", 3)]).findings == ()


def test_row_61_types_that_differ_are_reported_with_both_values():
    with pytest.raises(DataError, match="example 2 is Text, but Int"):
        Task.from_examples([(1, 2), ("one", 3)])


def test_row_61_a_huge_grid_is_refused_before_it_is_copied():
    row = [0] * 10_000
    with pytest.raises(DataError, match="more than 1000000 parts"):
        Task.from_examples([([row] * 10_000, [[1]])])


def test_row_61_numbers_that_overflow_are_refused():
    with pytest.raises(DataError, match="63 bits"):
        Task.from_examples([(2**64, 1)])
    with pytest.raises(DataError, match="finite"):
        Task.from_examples([(float("inf"), 1)])


def test_row_61_a_list_that_holds_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(DataError, match="holds itself"):
        Task.from_examples([(loop, 1)])


@pytest.mark.parametrize(
    "pairs", [[], [1], [("a",)], [{"input": 1}], [((1, 2), 3), ((1,), 3)], [(object(), 1)]]
)
def test_what_is_no_pair_is_refused(pairs):
    with pytest.raises(DataError):
        Task.from_examples(pairs)
