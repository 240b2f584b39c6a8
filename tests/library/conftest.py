"""Small solutions that are kept once for many tests."""

import pytest

from perennial import Task, grow
from perennial.library import Library


@pytest.fixture(scope="session")
def solved(examples):
    """Two tasks and their models: a table, and examples."""
    table = Task.from_data(examples / "penguins.csv", "species")
    lists = Task.from_examples([([3, 1, 2], [1, 2, 3]), ([9, 7], [7, 9])], name="in order")
    return {"table": (table, grow(table, trials=2, workers=0)), "lists": (lists, grow(lists, seconds=20))}


def fill(library, solved):
    """Keeps both solutions; gives their names."""
    return [
        library.keep(model, task, metric="accuracy", baseline=0.4, value=0.98, interval=(0.95, 1.0), n=69)
        for task, model in solved.values()
    ]


@pytest.fixture
def library(tmp_path, solved):
    with Library(tmp_path / "library") as opened:
        fill(opened, solved)
        yield opened
