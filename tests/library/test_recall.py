"""Recipes are recalled from tasks that are like the one that asks, as many as have helped before."""

import numpy as np
import pytest

from perennial import Task
from perennial.library import Card, Evidence, Learnt, Library, Record
from perennial.library.description import description, learnt_of
from perennial.library.gains import Gains, tried
from perennial.library.recall import FEWEST, MOST, RECIPE, helped, recipe_record, suggest
from perennial.library.records import Batch
from perennial.spaces.offers import space_for
from perennial.spaces.tables import portfolio


def table(rows=240, columns=4, classes=2, seed=0, categories=0):
    generator = np.random.default_rng(seed)
    frame = {f"x{number}": generator.normal(size=rows) for number in range(columns)}
    frame |= {f"c{number}": generator.choice(list("abc"), rows) for number in range(categories)}
    frame["y"] = generator.choice([f"class {number}" for number in range(classes)], rows)
    return Task.from_data(frame, "y")


def space_of(task):
    return space_for(task.modality, task.input_type, task.output_type, task.rows)


def solved(library, task, *values, metric="accuracy", name="task"):
    """A task whose first openers had these scores."""
    space = space_of(task)
    recipes = [recipe_record(space, genotype, task) for genotype in portfolio(space)[: len(values)]]
    proofs = [
        Evidence(recipe.id, task.fingerprint, RECIPE, metric, value)
        for recipe, value in zip(recipes, values, strict=True)
    ]
    learnt = Learnt(
        task.fingerprint, name, task.modality, task.problem, str(task.input_type), str(task.output_type),
        task.rows, metric, 0.5, description(task),
    )  # fmt: skip
    names = {f"{name}/recipe-{number}": recipe.id for number, recipe in enumerate(recipes, 1)}
    library.store.commit(Batch(tuple((each, Card(0.0)) for each in recipes), names, tuple(proofs), (learnt,)))
    return [recipe.id for recipe in recipes]


@pytest.fixture
def empty(tmp_path):
    with Library(tmp_path / "library") as library:
        yield library


@pytest.fixture
def all_worth_trying(monkeypatch):
    """Whatever is drawn, everything gains something."""
    monkeypatch.setattr(Gains, "draw", lambda self, records, generator: np.ones(len(records)))


def test_a_task_is_described_by_figures_of_its_columns_and_classes():
    told = description(table(rows=400, columns=3, classes=4, categories=2))
    assert told["rows"] == pytest.approx(np.log(400)) and told["classes"] == 4
    assert told["number columns"] == pytest.approx(np.log(4)) and told["category columns"] == pytest.approx(
        np.log(3)
    )
    assert told["missing"] == 0 and 0 <= told["imbalance"] < 0.1
    images = Task.from_data((np.zeros((20, 8, 8, 1), dtype=np.uint8) + np.arange(20)[:, None, None, None].astype(np.uint8), np.array(["a", "b"] * 10)))  # fmt: skip
    assert description(images)["cells"] == pytest.approx(np.log(64))


def test_an_empty_library_suggests_nothing(empty):
    task = table()
    assert suggest(empty, task, space_of(task)) == []


def test_what_another_metric_measured_is_recalled_too_and_never_compared(empty, all_worth_trying):
    task = table(seed=1)
    first = solved(empty, task, 0.7, 0.9, 0.8)
    space = space_of(task)
    others = [recipe_record(space, genotype, task) for genotype in portfolio(space)[3:5]]
    proofs = [
        Evidence(each.id, task.fingerprint, RECIPE, "log_loss", value)
        for each, value in zip(others, (5.0, 0.1), strict=True)
    ]
    empty.store.commit(Batch(tuple((each, Card(0.0)) for each in others), {}, tuple(proofs)))
    found = [each.record for each in suggest(empty, task, space)]
    wanted = [first[1], others[1].id, first[2], others[0].id, first[0]]
    assert found == wanted[: len(found)] and len(found) >= 2


def test_the_same_data_come_first_then_the_same_types_then_what_is_like_it(empty):
    task = table(seed=1)
    solved(empty, table(rows=2000, columns=30, classes=6, seed=2), 0.9, name="far")
    solved(empty, table(rows=240, columns=5, seed=3), 0.9, name="near")
    solved(empty, table(rows=900, seed=4), 0.9, name="same-types")
    solved(empty, task, 0.6, name="itself")
    found = suggest(empty, task, space_of(task))
    assert [each.task.name for each in found] == ["itself"], (
        "equal recipes are suggested once, from the nearest"
    )
    assert found[0].distance == 0 and "the same data" in found[0].reason
    assert found[0].name.endswith("/recipe-1@1") and empty.find(found[0].name) == found[0].record
    from perennial.library.recall import _far

    ranked = sorted(_far(empty.store.tasks(), learnt_of(task)), key=lambda pair: pair[0])
    assert [learnt.name for _, learnt in ranked] == ["itself", "same-types", "near", "far"]


def test_each_near_task_gives_its_best_and_then_its_second(empty, all_worth_trying):
    first, second = table(seed=1), table(rows=900, columns=12, seed=2)
    ids = solved(empty, first, 0.7, 0.9, name="first")
    others = solved(empty, second, 0.1, 0.2, 0.8, name="second")
    found = suggest(empty, first, space_of(first))
    assert [each.record for each in found][:3] == [ids[1], others[2], ids[0]]
    assert len(found) <= MOST


def test_a_smaller_error_is_better(empty, all_worth_trying):
    task = table(seed=1)
    ids = solved(empty, task, 0.9, 0.3, metric="log_loss")
    assert [each.record for each in suggest(empty, task, space_of(task))] == [ids[1], ids[0]]


def test_other_problems_and_recipes_that_the_space_lacks_are_left_out(empty):
    generator = np.random.default_rng(0)
    numbers = Task.from_data({"x": generator.normal(size=240), "y": generator.normal(size=240)}, "y")
    solved(empty, numbers, 0.5, metric="rmse", name="numbers")
    many, few = table(seed=1), table(rows=60, seed=2)
    kinds = space_of(many).spelled
    solved(empty, many, *np.linspace(0.5, 0.9, len(portfolio(space_of(many)))), name="many")
    found = suggest(empty, few, space_of(few))
    assert found and {each.task.name for each in found} == {"many"}
    offered = {kinds(genotype)["learner"] for genotype in portfolio(space_of(many))}
    assert "mlp" in offered and all("mlp" not in str(space_of(few).freeze(each.genotype)) for each in found)


def tried_before(library, gain):
    """Recipes that gained this much on twenty other tasks, as a share of the way from common sense (0.5) to 0.75."""
    recipes = [Record(RECIPE, f"lambda row: {n}", "Real", "Dist[2]") for n in range(20)]
    tasks = [learnt_of(table(rows=100 + 9 * n, seed=n), "accuracy", 0.5) for n in range(20)]
    proofs = tuple(
        Evidence(recipe.id, task.fingerprint, RECIPE, "accuracy", 0.75 + gain, 0.75, gain and 0.25 * gain, study=f"oak-{n}", told=9.0 * n)
        for n, (recipe, task) in enumerate(zip(recipes, tasks, strict=True))
    )  # fmt: skip
    cards = tuple((recipe, Card(0.0, task=tasks[n - 1].fingerprint)) for n, recipe in enumerate(recipes))
    library.store.commit(Batch(cards, {}, proofs, tuple(tasks)))


@pytest.mark.parametrize(("gain", "many"), [(0.3, MOST), (-0.3, FEWEST)])
def test_what_helped_is_asked_more_often_and_what_did_not_never_not_at_all(empty, gain, many):
    task = table(rows=240, columns=5, seed=30)
    solved(empty, table(rows=240, columns=6, seed=31), *np.linspace(0.5, 0.9, 8), name="near")
    before = suggest(empty, task, space_of(task))
    tried_before(empty, gain)
    found = suggest(empty, task, space_of(task))
    assert len(found) == many and FEWEST <= len(before) <= MOST
    assert found[0].record == before[0].record, "the nearest comes first whatever the others gain"
    assert all((each.gain.mean > 0) == (gain > 0) for each in found)
    assert found[0].gain.high - found[0].gain.low < before[0].gain.high - before[0].gain.low


def test_the_same_seed_suggests_the_same_and_others_may_suggest_more(empty):
    task = table(rows=240, columns=5, seed=30)
    solved(empty, table(rows=240, columns=6, seed=31), *np.linspace(0.5, 0.9, 8), name="near")
    told = [[each.record for each in suggest(empty, task, space_of(task), seed)] for seed in [*range(12), 0]]
    assert told[0] == told[-1] and len({len(each) for each in told}) > 1
    assert {each[0] for each in told} == {told[0][0]}


def test_how_often_a_recipe_helped_is_told_and_a_study_that_goes_on_counts_once(empty):
    [id] = solved(empty, table(), 0.9)
    assert helped(tried(empty), id) == "not tried yet"
    for number, (study, gain) in enumerate(
        [("oak-1", -0.1), ("oak-1", 0.1), ("oak-2", -0.2), ("oak-3", 0.3)]
    ):
        empty.note(
            Evidence(id, "b" * 64, RECIPE, "accuracy", 0.5, 0.4, gain, study=study, told=float(number))
        )
    assert helped(tried(empty), id) == "2 of 3"


def test_the_best_that_a_recipe_did_ranks_it(empty, all_worth_trying):
    task = table(seed=1)
    ids = solved(empty, task, 0.5, 0.7)
    empty.note(Evidence(ids[0], task.fingerprint, RECIPE, "accuracy", 0.9))
    found = suggest(empty, task, space_of(task))
    assert [each.record for each in found] == ids and "accuracy 0.9" in found[0].reason


def test_what_cannot_be_read_is_passed_over(empty, all_worth_trying):
    task = table(seed=1)
    ids = solved(empty, task, 0.5, 0.7, 0.9)
    path = empty.store._path(ids[1])
    path.write_bytes(b"{}")
    strange = Learnt(
        "c" * 64,
        "x",
        "table",
        "binary",
        "Real",
        "Dist[2]",
        9,
        "accuracy",
        0.5,
        {"rows": "many", "cells": None},
    )
    wild = Record(
        RECIPE,
        "lambda row: row",
        "Real",
        "Dist[2]",
        details={"decisions": {"boost.rate": 10**400, "learner": [1]}},
    )
    nothing = Record(RECIPE, "lambda row: row", "Real", "Dist[2]", details={})
    batch = Batch(
        ((wild, Card(0.0)), (nothing, Card(0.0))), {},
        tuple(Evidence(each.id, "c" * 64, RECIPE, "accuracy", 0.99) for each in (wild, nothing)), (strange,),
    )  # fmt: skip
    empty.store.commit(batch)
    assert {ids[0], ids[2]} <= {each.record for each in suggest(empty, task, space_of(task))}


def test_a_table_with_the_same_figures_is_not_said_to_be_the_same_data(empty):
    solved(empty, table(seed=0), 0.7)
    other, same = table(seed=1), table(seed=0)
    [told, *_], [known, *_] = (suggest(empty, each, space_of(each)) for each in (other, same))
    assert 0 < told.distance and "the same data" not in told.reason
    assert known.distance == 0 and "the same data" in known.reason
