"""What benches tell of their rows: bars, means and summaries, against what the rows say by themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from perennial import bench
from perennial.bench import (
    formulas,
    grids,
    images,
    lists,
    strings,
    table_streams,
    tables,
)
from perennial.bench.searching import as_good_after, curve_of
from perennial.bench.streams import frozen, with_others
from perennial.errors import UsageError
from perennial.history import Record
from perennial.metrics import standard_error, wilson
from perennial.trial import Trial


def values(bars):
    return {entry["name"]: entry["value"] for entry in bars}


# -- one bar, and all of them as text --------------------------------------------------------------------------------


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_a_bar_holds_on_one_side_of_its_goal_and_on_the_goal(value, goal):
    most, least = bench.bar("x", value, goal, "minimize"), bench.bar("x", value, goal, "maximize")
    assert most["ok"] == (value <= goal) and least["ok"] == (value >= goal)
    assert bench.bar("x", goal, goal, "minimize")["ok"] and bench.bar("x", goal, goal, "maximize")["ok"]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_without_a_value_no_bar_holds(direction):
    assert not bench.bar("x", None, 0.0, direction)["ok"]


def test_a_bench_is_told_row_by_row_and_bar_by_bar():
    bars = [bench.bar("rank", 1.25, 2.0, "minimize"), bench.bar("share", None, 0.5, "maximize")]
    text = bench.text({"rows": [{"table": "iris", "score": 0.5}], "bars": bars, "seconds": 1.5})
    assert text.splitlines() == [
        "table  score", " iris    0.5", "holds  rank: 1.25 (goal ≤ 2)", "FAILS  share: none (goal ≥ 0.5)", "1.5 s"
    ]  # fmt: skip
    assert bench.text({"rows": [], "bars": [], "seconds": 0.0}) == "0.0 s"


def test_suites_come_together_with_their_names_on_every_row():
    parts = {
        "a": {"bars": [1], "rows": [{"x": 1}], "protocol": "first", "runs": [{"y": 1}]},
        "b": {"bars": [2, 3], "rows": [{"x": 2}, {"x": 3}]},
    }
    joined = bench._joined(parts)
    assert joined["bars"] == [1, 2, 3] and joined["protocol"] == {"a": "first", "b": ""}
    assert joined["rows"] == [{"suite": "a", "x": 1}, {"suite": "b", "x": 2}, {"suite": "b", "x": 3}]
    assert joined["runs"] == [{"suite": "a", "y": 1}]


def test_every_bench_has_a_module_for_each_of_its_suites():
    for name in bench.NAMES:
        for module in bench._modules(name, None).values():
            assert callable(__import__(f"perennial.bench.{module}", fromlist=["run"]).run)
        for suite in bench.SUITES.get(name, {}):
            assert bench._modules(name, suite) == {suite: bench.SUITES[name][suite]}


@pytest.mark.parametrize(
    ("asked", "todo"),
    [
        ({"name": "store", "suite": "few"}, "Leave out --suite"), ({"name": "recall", "suite": "many"}, "few, scale"),
        ({"name": "store", "keep": "x"}, "Leave out --keep"), ({"name": "images"}, "--data"),
        ({"name": "streams", "suite": "images"}, "--data"), ({"name": "streams", "suite": "tables"}, "--data"),
        ({"name": "programs", "suite": "grids"}, "--data"), ({"name": "programs", "suite": "lists"}, "--data"),
        ({"name": "programs", "suite": "text"}, "--data"), ({"name": "programs", "suite": "formulas"}, "--data"),
    ],
)  # fmt: skip
def test_what_a_bench_lacks_is_said(asked, todo):
    with pytest.raises(UsageError) as caught:
        bench.run(**asked)
    assert todo in caught.value.todo


# -- tables ----------------------------------------------------------------------------------------------------------


def table_row(table, method, score, seed=0, ahead=None, seconds=50.0):
    return {"table": table, "method": method, "metric": "rmse", "seed": seed, "seconds": seconds, "ahead": ahead,
            "score": score, "value": None if score is None else -score}  # fmt: skip


scored = st.one_of(st.none(), st.floats(-5, 5))


@given(st.lists(st.lists(scored, min_size=3, max_size=3), min_size=1, max_size=4))
def test_mean_ranks_are_those_of_scipy_and_a_failure_is_last(told):
    methods = ["perennial", "x", "y"]
    rows = [
        table_row(f"t{place}", name, score)
        for place, line in enumerate(told) for name, score in zip(methods, line, strict=True)
    ]  # fmt: skip
    ranks = tables._ranks(tables._means(rows))
    wanted = np.mean(
        [rankdata([np.inf if score is None else -score for score in line]) for line in told], axis=0
    )
    assert [ranks[name] for name in methods] == pytest.approx(wanted)


def test_a_method_that_failed_once_has_no_mean_on_that_table():
    rows = [
        table_row("a", "x", 1.0, seed=0),
        table_row("a", "x", None, seed=1),
        table_row("a", "perennial", 2.0),
    ]
    assert tables._means(rows)["a"] == {"x": None, "perennial": 2.0}
    [line, ranks] = tables._summary(rows)
    assert line["x"] is None and line["perennial"] == -2.0 and ranks["perennial"] == 1.0


def test_errors_behind_are_means_over_the_seeds_in_standard_errors():
    ahead = [(-0.2, -0.3, -0.1), (-0.1, -0.3, 0.1)]
    rows = [table_row("a", "x", 1.0, seed, told) for seed, told in enumerate(ahead)]
    error = np.mean([standard_error(low, high) for _, low, high in ahead])
    assert tables._errors_behind(rows, "a", "x") == pytest.approx(0.15 / error)
    assert not tables._significantly_behind(rows, "a", "x"), "the mean of the upper ends is not below zero"
    assert tables._errors_behind(rows, "a", "y") == 0.0
    assert tables._errors_behind([table_row("a", "x", 1.0, 0, (-0.1, -0.1, -0.1))], "a", "x") == 0.0


def test_the_summary_of_tables_has_spread_wall_and_who_is_ahead():
    rows = [
        table_row("a", "perennial", -1.0, 0, seconds=61.0), table_row("a", "perennial", -3.0, 1, seconds=60.0),
        table_row("a", "x", -0.5, 0, (-0.5, -0.6, -0.4)), table_row("a", "x", -0.5, 1, (-0.5, -0.6, -0.4)),
        table_row("a", "y", -9.0, 0, (8.0, 7.0, 9.0)), table_row("a", "y", -9.0, 1, (8.0, 7.0, 9.0)),
    ]  # fmt: skip
    [line, ranks] = tables._summary(rows)
    assert line == {"table": "a", "metric": "rmse", "perennial": 2.0, "x": 0.5, "y": 9.0, "spread": 1.0, "wall": 61.0,
                    "behind": "x"}  # fmt: skip
    assert (ranks["x"], ranks["perennial"], ranks["y"]) == (1.0, 2.0, 3.0)
    told = values(tables._bars(rows, 60.0))
    assert told["mean rank of perennial minus the best rival's"] == 1.0
    assert told["table-rival pairs where perennial is significantly worse"] == 1
    assert told["tables where it is more than one standard error behind a rival"] == 1
    assert told["share of tables where it beats LightGBM's defaults"] is None


# -- images ----------------------------------------------------------------------------------------------------------


def image_row(name, method, right, n=100, seed=0, budget=600.0, wall=600.0, **more):
    return {
        "set": name,
        "method": method,
        "right": right,
        "n": n,
        "seed": seed,
        "budget": budget,
        "wall": wall,
        **more,
    }


def test_the_summary_of_images_pools_the_seeds_and_takes_the_interval_of_one_test():
    rows = [image_row("pets", "perennial", right, seed=seed, first=first, wall=590.0 + seed)
            for seed, (right, first) in enumerate([(80, 9.0), (90, None)])]  # fmt: skip
    rows += [image_row("pets", "resnet", right, seed=seed) for seed, right in enumerate([70, None])]
    [line] = images.summary(rows)
    low, high = wilson(0.85, 100)
    assert line["perennial"] == 0.85 and line["perennial 95 %"] == f"{low:.4f}–{high:.4f}"
    assert line["resnet"] is None and line["resnet 95 %"] is None, "a mean of what did not fail would flatter"
    assert line["first model"] == 9.0 and line["wall"] == 591.0 and line["test rows"] == 100


def test_a_set_of_the_claims_has_its_goal_and_others_the_rivals():
    rows = [image_row("mnist", "perennial", 99), image_row("mnist", "resnet", 98)]
    rows += [image_row("pets", "perennial", 80, wall=616.0), image_row("pets", "resnet", 85)]
    told = {entry["name"]: entry for entry in images.bars(rows)}
    assert told["accuracy on mnist within 10 minutes"]["goal"] == 0.992
    assert told["accuracy on pets ahead of resnet"]["value"] == pytest.approx(-0.05)
    late = told["latest end of grow after its time, seconds"]
    assert late["value"] == 16.0 and late["goal"] == max(5.0, 0.02 * 600.0) and not late["ok"]
    assert len(told) == 3


@given(st.floats(1, 4000))
def test_a_goal_is_that_of_the_shortest_time_that_is_long_enough(seconds):
    known = images.GOALS["fashion-mnist"]
    longer = [goal for goal in known if goal[0] >= seconds]
    assert images.goal_of("fashion-mnist", seconds) == (min(longer) if longer else None)
    assert images.goal_of("pets", seconds) is None


# -- programs --------------------------------------------------------------------------------------------------------


def list_row(source, solved, exact=None):
    return {"source": source, "solved": solved, "exact": exact}


def test_tasks_with_test_pairs_are_counted_by_these_and_others_by_their_examples():
    rows = [
        list_row("arc", True),
        list_row("arc", False),
        list_row("held", True, True),
        list_row("held", False, False),
    ]
    told = {entry["name"]: (entry["value"], entry["goal"]) for entry in lists._bars(rows, 10.0)}
    assert told == {
        "arc: solved in 10 s each (2 tasks)": (0.5, lists.SOLVED_GOAL),
        "held: exact on held-back pairs, 10 s each (2 tasks)": (0.5, lists.EXACT_GOAL),
    }
    speeds = {
        "lists_per_second": 2e6,
        "scalars_per_second": 1e6,
        "first_answer": 1.0,
        "first_answer_uncompiled": 3.0,
    }
    assert [entry["ok"] for entry in lists._speed_bars(speeds)] == [True, False, True, False]
    assert lists._speed_bars({}) == []


def test_held_back_rows_are_weighed_by_their_number():
    rows = [
        {"half": "first", "solved": True, "held_back": 1.0, "held_back_rows": 3},
        {"half": "second", "solved": True, "held_back": 0.0, "held_back_rows": 1},
        {"half": "second", "solved": False},
    ]
    told = values(strings._bars(rows, 5.0))
    assert told["text tasks solved in 5 s, all of 3"] == pytest.approx(2 / 3)
    assert told["held-back rows right, all of 4"] == 0.75 and told["held-back rows right, second of 1"] == 0.0
    assert {entry["goal"] for entry in strings._bars(rows, 60.0)} == {
        strings.SOLVED_GOAL,
        strings.HELD_BACK_GOAL,
    }
    assert {entry["goal"] for entry in strings._bars(rows, 5.0)} == {
        strings.QUICK_GOAL,
        strings.HELD_BACK_GOAL,
    }


@given(st.lists(st.tuples(st.integers(1, 2), st.booleans()), max_size=12))
def test_grids_are_counted_whole_and_by_halves_that_are_there(told):
    found = values(grids._bars([{"half": half, "right": right} for half, right in told]))
    for label, kept in (("all puzzles", {1, 2}), ("the first half", {1}), ("the second half", {2})):
        right = [good for half, good in told if half in kept]
        assert found.get(f"share right of {label} ({len(right)})") == (
            sum(right) / len(right) if right else None
        )


def test_formulas_are_counted_by_suite_and_against_each_rival():
    rows = [
        {"method": method, "suite": suite, "exact": exact}
        for method, suite, exact in [
            ("perennial", "nguyen", True), ("perennial", "nguyen", True), ("perennial", "feynman", False),
            ("other", "nguyen", True), ("other", "nguyen", False), ("other", "feynman", True),
        ]
    ]  # fmt: skip
    told = values(formulas._bars(rows))
    assert (
        told["share of nguyen formulas found exactly"] == 1.0
        and told["share of feynman formulas found exactly"] == 0.0
    )
    assert told["exact formulas more than other, share"] == pytest.approx(2 / 3 - 2 / 3)
    assert formulas._bars([]) == []


# -- streams and recall ----------------------------------------------------------------------------------------------


def test_the_median_task_tells_how_soon_and_an_unreached_score_counts_as_never():
    def row(task, share, high):
        return {"task": task, "share": share, "ahead": (0.0, -1.0, high)}

    rows = [row(1, None, -1.0), row(2, 0.2, 0.1), row(3, 0.6, -0.1), row(4, None, 0.0)]
    soon, harmed = table_streams.bars(rows, before=1)
    assert soon["value"] == 0.6 and soon["name"].endswith("(median of 3)")
    assert harmed["value"] == pytest.approx(1 / 3)
    assert table_streams.bars(rows, before=3)[0]["value"] is None


@given(
    st.lists(st.tuples(st.floats(0, 100), st.one_of(st.none(), st.floats(-5, 5))), max_size=10),
    st.floats(-5, 5),
)
def test_the_curve_is_the_best_so_far_and_the_first_good_second_is_on_it(told, goal):
    records = [
        Record(Trial(number, None, "", "failed" if score is None else "scored", score), "", score, at=at)
        for number, (at, score) in enumerate(told)
    ]
    curve = curve_of(records)
    scores = [score for _, score in curve]
    assert scores == sorted(set(scores)) and (
        not scores or scores[-1] == max(s for _, s in told if s is not None)
    )
    reached = [at for at, score in told if score is not None and score >= goal]
    found = as_good_after(curve, goal)
    assert found == (round(min(reached), 1) if reached else None)


@pytest.mark.parametrize("name", ["image_streams", "table_streams"])
def test_frozen_lists_name_only_slots_that_they_have(name):
    told = frozen(name)
    stream = (
        told["tasks"] if "tasks" in told else [task for stream in told["streams"].values() for task in stream]
    )
    assert {slot for slot, *_ in stream} <= set(told.get("tables", told.get("sets")))


def test_missing_folders_are_replaced_in_order_and_only_as_many_as_are_missing(tmp_path):
    names = {"a": "iris", "b": "wine", "c": "cars"}
    there = [tmp_path / name for name in ("wine", "x", "y", "z")]
    found = with_others(names, {"b": there[0]}, lambda: there, "tables", tmp_path)
    assert found == {"a": there[1], "b": there[0], "c": there[2]}
    full = dict(zip(names, there, strict=False))
    assert with_others(names, full, pytest.fail, "tables", tmp_path) == full, "others are not even looked for"
    with pytest.raises(UsageError, match="needs 3 tables, found 2") as caught:
        with_others(names, {"b": there[0]}, lambda: there[:2], "tables", tmp_path)
    assert "iris, wine, cars" in caught.value.todo
