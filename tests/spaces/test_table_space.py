"""The space of models for tables: openers and random programs are well typed, train and can be read back."""

import time

import numpy as np
import pytest

from perennial.lang import (
    Categories,
    Date,
    Dist,
    FitContext,
    Marginals,
    Network,
    Real,
    Record,
    Tensor,
    Text,
    evaluate,
    parse,
    to_source,
    typed,
)
from perennial.primitives import vocabulary
from perennial.spaces.tables import portfolio, table_space
from perennial.testing.words import ROWS, TRAIN, easy_target, records_of, table
from perennial.trainers import Batch, resolve
from perennial.trainers.base import fitted_words

OUTPUTS = [Dist(2), Dist(3), Real, Tensor(2), Marginals(3)]
MIXED = Record(
    {
        "f0001": Real,
        "f0002": Real,
        "f0003": Categories(3),
        "f0004": Categories(40),
        "f0005": Date,
        "f0006": Text,
    }
)
KINDS = {
    "mixed": MIXED,
    "numbers": Record({"f0001": Real, "f0002": Real}),
    "categories": Record({"f0003": Categories(3), "f0004": Categories(40)}),
    "texts": Record({"f0006": Text}),
    "dates": Record({"f0005": Date}),
}


def columns(kind):
    """A batch of `ROWS` rows of the record, with missing and unseen cells."""
    values, (categories, _), (texts, _) = table(), records_of("categories"), records_of("texts")
    days = np.datetime64("2024-01-01", "s") + (values[:, 2] * 1e6).astype("timedelta64[s]")
    days[::50] = np.datetime64("NaT")
    numbers = values[:, :2].copy()
    numbers[::40, 1] = np.nan
    whole = {
        "f0001": numbers[:, 0], "f0002": numbers[:, 1], "f0003": categories["f0001"],
        "f0004": categories["f0002"], "f0005": days, "f0006": texts["f0001"],
    }  # fmt: skip
    return {name: whole[name] for name in kind.fields}


def trained(program, kind, output, seconds=20.0):
    context = FitContext(
        output=output,
        train_rows=TRAIN,
        seed=0,
        types=(kind,),
        deadline=time.monotonic() + seconds,
        fidelity=0.05,
    )
    return resolve(program).fit(program, Batch((columns(kind),), easy_target(output), TRAIN), context)


def without_networks(programs):
    return [
        program
        for program in programs
        if not any(isinstance(word, Network) for word in fitted_words(program))
    ]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_openers_train_and_predict_what_is_asked(kind, output):
    space = table_space(kind, output, TRAIN, neural=False)
    for genotype in portfolio(space):
        program = space.freeze(genotype)
        fitted = trained(program, kind, output)
        again = evaluate(program, columns(kind), states=fitted.weights)
        assert np.isfinite(fitted.predictions).all(), to_source(program)
        assert fitted.predictions.shape == ((ROWS,) if output == Real else (ROWS, output.arguments[0]))
        assert again[TRAIN:] == pytest.approx(fitted.predictions[TRAIN:], abs=1e-9)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_random_programs_are_well_typed_and_can_be_read_back(kind):
    space = table_space(kind, Dist(3), 5_000)
    generator = np.random.default_rng(0)
    for _ in range(30):
        program = space.freeze(space.sample(generator))
        assert parse(to_source(program), vocabulary()) is program
        types = typed(program, (kind,), Dist(3))
        assert types[program.body] == Dist(3)


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_random_programs_train(output):
    space = table_space(MIXED, output, TRAIN, neural=False)
    generator = np.random.default_rng(1)
    for program in [space.freeze(space.sample(generator)) for _ in range(6)]:
        predictions = trained(program, MIXED, output).predictions
        assert np.isfinite(predictions).all(), to_source(program)


def test_openers_differ_and_begin_with_the_cheapest():
    space = table_space(KINDS["numbers"], Dist(2), 1_000)
    openers = portfolio(space)
    words = [space.freeze(genotype).body.function.name for genotype in openers]
    assert len(set(openers)) == len(openers) >= 8
    assert words[:2] == ["linear", "lightgbm"]
    assert {"extra_trees", "random_forest", "k_nearest", "mlp"} <= set(words)


def test_networks_are_offered_when_wanted_and_worth_it():
    def offers(rows, neural=True, kind=KINDS["numbers"]):
        programs = [
            table_space(kind, Real, rows, neural).freeze(g)
            for g in portfolio(table_space(kind, Real, rows, neural))
        ]
        return len(without_networks(programs)) < len(programs)

    assert offers(1_000)
    assert not offers(1_000, neural=False)
    assert not offers(50)


def test_the_kernel_is_for_small_tables():
    def words(rows):
        space = table_space(KINDS["numbers"], Real, rows)
        return {word.name for genotype in portfolio(space) for word in fitted_words(space.freeze(genotype))}

    assert "kernel_features" in words(1_000)
    assert "kernel_features" not in words(50_000)


@pytest.mark.parametrize("output", [Dist(3), Real], ids=str)
def test_weakening_makes_models_that_fit_the_training_rows_closer(output):
    space = table_space(KINDS["numbers"], output, TRAIN, neural=False)
    genotype = portfolio(space)[1]
    losses = {}
    for strength in (0.0, 1.0):
        program = space.freeze(space.weaken(genotype, strength))
        predicted, target = (
            trained(program, KINDS["numbers"], output).predictions[:TRAIN],
            easy_target(output)[:TRAIN],
        )
        right = predicted[np.arange(TRAIN), target] if output != Real else -np.abs(predicted - target)
        losses[strength] = -right.mean()
    assert losses[0.0] < losses[1.0]
