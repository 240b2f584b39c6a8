"""Baselines are programs, simplest first, and are never beaten by nothing."""

from dataclasses import dataclass

import numpy as np
import pytest

from perennial.baseline import baseline_programs, baselines
from perennial.lang import (
    Categories,
    Date,
    Dist,
    FitContext,
    Lambda,
    Marginals,
    Real,
    Record,
    Text,
    Type,
    evaluate,
    infer,
    parse,
    to_source,
    typed,
)
from perennial.metrics import resolve
from perennial.primitives import vocabulary

ROW = Record({"f0001": Real, "f0002": Categories(3), "f0003": Date, "f0004": Text})


@dataclass(frozen=True)
class Table:
    """The fields of a task that baselines look at."""

    inputs: dict
    target: np.ndarray
    input_type: Type
    output_type: Type
    sample_weight: np.ndarray | None = None


def table(rows=400):
    generator = np.random.default_rng(0)
    inputs = {
        "f0001": generator.normal(size=rows),
        "f0002": generator.integers(0, 3, rows).astype(np.int32),
    }
    target = (inputs["f0001"] > 0.3).astype(np.int64)
    return Table(inputs, target, Record({"f0001": Real, "f0002": Categories(3)}), Dist(2))


def test_the_constant_and_one_rule_are_fitted_on_the_spot():
    task = table()
    metric = resolve("roc_auc")
    found = baselines(task, np.arange(300), metric, validation_rows=np.arange(300, 400))
    assert [baseline.name for baseline in found] == ["class shares", "one rule"]
    assert found[0].score == 0.5 and found[1].score > 0.9
    predicted = found[1].predict({name: column[:7] for name, column in task.inputs.items()})
    assert predicted.shape == (7, 2)


def test_values_are_what_people_read_and_scores_are_larger_for_better():
    task = table()
    found = baselines(task, np.arange(300), resolve("log_loss"))
    assert found[0].value == -found[0].score > 0
    assert found[1].score > found[0].score


@pytest.mark.parametrize("output", [Dist(2), Real, Marginals(3)])
def test_every_baseline_is_a_program_of_the_asked_type(output):
    for name, program in baseline_programs(ROW, output):
        assert name and isinstance(program, Lambda)
        assert str(infer(program, (ROW,), output)).endswith(str(output))


def test_the_constant_comes_first_and_is_the_median_for_absolute_errors():
    assert [name for name, _ in baseline_programs(ROW, Dist(2))] == ["class shares", "one rule", "linear"]
    assert baseline_programs(ROW, Real)[0][0] == "mean"
    assert baseline_programs(ROW, Real, resolve("mae"))[0][0] == "median"


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        Record({"f0001": Real}),
        Record({"f0001": Categories(2)}),
        Record({"f0001": Date}),
        Record({"f0001": Text}),
    ],
)
def test_baselines_print_and_parse_back_whatever_the_columns_are(row):
    for _, program in baseline_programs(row, Dist(2)):
        assert parse(to_source(program), vocabulary()).hash == program.hash


def trained(program, inputs, target, row, output, train_rows):
    """Fits the words of a program as it is evaluated; returns the predictions of all rows."""
    types = typed(program, (row,), output)

    def fit_as_you_go(node, op, values, parameters):
        if not op.fits:
            return op.call(*values, **parameters)
        about = FitContext(
            output=types[node],
            train_rows=train_rows,
            types=tuple(types[argument] for argument in node.arguments),
        )
        return op.fit_call(values, target, about, **parameters)[1]

    return evaluate(program, inputs, apply=fit_as_you_go)


@pytest.mark.parametrize(
    ("output", "name"), [(Dist(2), "log_loss"), (Real, "rmse"), (Marginals(2), "log_loss")]
)
def test_each_baseline_learns_from_mixed_columns_and_the_linear_one_most(output, name):
    generator = np.random.default_rng(0)
    inputs = {
        "f0001": generator.normal(size=600),
        "f0002": generator.integers(-1, 3, 600).astype(np.int32),
        "f0003": generator.choice(np.array(["red car", "blue car", "red boat", ""], dtype=object), 600),
    }
    inputs["f0001"][::50] = np.nan
    red = np.array(["red" in text for text in inputs["f0003"]])
    value = np.nan_to_num(inputs["f0001"]) + (inputs["f0002"] == 1) + red + generator.normal(0, 0.3, 600)
    target = {"Real": value, "Dist": (value > 0.7).astype(int)}.get(
        output.name, np.stack([value > 0.7, value > 0], axis=1).astype(int)
    )
    row = Record({"f0001": Real, "f0002": Categories(3), "f0003": Text})
    scores = []
    for _, program in baseline_programs(row, output):
        predicted = np.asarray(trained(program, inputs, target, row, output, train_rows=400))
        scores.append(resolve(name).score(target[400:], predicted[400:]))
    assert scores[0] < scores[1] < scores[2]
