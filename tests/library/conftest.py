"""Small solutions that are kept once for many tests."""

import pytest

from perennial import Protocol, Task, grow
from perennial.evaluate import Bench, evaluate
from perennial.lang import parse
from perennial.library import Library
from perennial.metrics import resolve
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.weights import Weights

TREES = "lambda row: lightgbm(impute(numbers(row)), rounds=20, leaves=6)"


@pytest.fixture(scope="session")
def solved(examples):
    """Two tasks and their models: a table, and examples."""
    table = Task.from_data(examples / "penguins.csv", "species")
    bench = Bench(table, Protocol.propose(table, kind="kfold", folds=2), resolve("accuracy"))
    fitted = evaluate(bench, source=TREES, seed=0)
    model = Model(parse(TREES, vocabulary()), tuple(map(Weights.from_bytes, fitted.blobs)), table.schema)
    lists = Task.from_examples([([3, 1, 2], [1, 2, 3]), ([9, 7], [7, 9])], name="in order")
    return {"table": (table, model), "lists": (lists, grow(lists, seconds=20))}


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
