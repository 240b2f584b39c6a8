"""The figures of the final test and of `evaluate` are those of the labels that people are told, on the rows they are told for."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_squared_error

from perennial import Task, grow
from perennial.cli import run
from perennial.errors import DataError
from perennial.judgement import evaluate_on


def rare(rows, seed):
    """One row in ten is a "yes", and no number says for sure which."""
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, rows)).round(4)
    return {"x": x, "z": z, "y": np.where(x + generator.normal(size=rows) > 1.8, "yes", "no")}


def tags(rows, seed):
    """Three labels that a row has or has not, each a third of the time."""
    generator = np.random.default_rng(seed)
    numbers = {"a": generator.normal(size=rows).round(4), "b": generator.normal(size=rows).round(4)}
    return {**numbers, **{name: generator.integers(0, 3, rows) // 2 for name in ("x", "y", "z")}}


def written(path, columns):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_rare_classes_are_judged_by_the_cut_that_was_chosen(tmp_path):
    model = grow(Task.from_data(rare(300, 0), "y"), trials=2, workers=0, metric="f1", out=tmp_path / "s")
    assert model.decision["threshold"] < 0.5
    new = rare(200, 1)
    figures = evaluate_on(tmp_path / "s", written(tmp_path / "new.csv", new))
    assert figures["value"] == pytest.approx(f1_score(new["y"], model.predict(new), pos_label="yes"))
    assert figures["low"] <= figures["value"] <= figures["high"] and figures["baseline"] == 0.0


def test_labels_in_sets_are_tested_by_the_cut_that_was_chosen_for_them(tmp_path):
    labels, held_out, new = ["x", "y", "z"], tags(80, 1), tags(60, 2)
    task = Task.from_data(tags(160, 0), labels, test=held_out)
    model = grow(task, trials=2, workers=0, metric="f1_micro", out=tmp_path / "s")
    assert task.problem == "multilabel" and model.decision["threshold"] < 0.5

    def by_sklearn(columns):
        actual = np.stack([columns[name] for name in labels], axis=1)
        return f1_score(actual, np.asarray(model.predict(columns), dtype=int), average="micro")

    assert model.result["test"]["value"] == pytest.approx(by_sklearn(held_out))
    figures = evaluate_on(tmp_path / "s", written(tmp_path / "new.csv", new))
    assert figures["value"] == pytest.approx(by_sklearn(new))


def test_the_baseline_beside_a_figure_is_that_of_the_same_rows(tmp_path):
    generator = np.random.default_rng(0)
    columns = {"x": generator.normal(size=120).round(4)}
    columns["y"] = (3 * columns["x"] + generator.normal(size=120)).round(4)
    grow(Task.from_data(columns, "y"), trials=2, workers=0, metric="rmse", out=tmp_path / "s")
    far = {name: values[:50] + 10.0 for name, values in columns.items()}
    figures = evaluate_on(tmp_path / "s", written(tmp_path / "far.csv", far))
    by_hand = mean_squared_error(far["y"], np.full(50, columns["y"].mean())) ** 0.5
    assert figures["baseline"] == pytest.approx(by_hand, rel=0.02), (
        "the mean of most rows is about that of all"
    )


def test_rows_that_cannot_be_judged_are_left_out_where_that_was_said(tmp_path, capsys):
    table = rare(300, 0)
    grow(Task.from_data(table, "y"), trials=2, workers=0, metric="accuracy", out=tmp_path / "s")
    new = rare(60, 1)
    whole = evaluate_on(tmp_path / "s", written(tmp_path / "whole.csv", new))
    lines = (tmp_path / "whole.csv").read_text().replace(",", ";").splitlines()
    holes = tmp_path / "holes.csv"
    holes.write_bytes("\n".join([*lines[:31], "1;2;", "1;2;yes;m\xe4h", *lines[31:]]).encode("latin-1"))
    with pytest.raises(DataError, match="--skip-bad-lines"):
        evaluate_on(tmp_path / "s", str(holes), encoding="latin-1", delimiter=";")
    with pytest.raises(DataError, match="--drop-unlabelled"):
        evaluate_on(tmp_path / "s", str(holes), encoding="latin-1", delimiter=";", skip_bad_lines=True)
    reading = ["--encoding", "latin-1", "--delimiter", ";", "--skip-bad-lines"]
    assert run(["evaluate", str(tmp_path / "s"), str(holes), "--drop-unlabelled", *reading, "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told == {**whole, "notes": told["notes"]} and told["n"] == 60
    assert told["notes"] == said.err.splitlines() == [
        "1 bad rows (1 lines) were skipped: line 33.", "1 row without a target left out."
    ]  # fmt: skip


def test_rows_that_were_seen_are_numbered_as_in_the_file(tmp_path):
    table = rare(300, 0)
    grow(Task.from_data(table, "y"), trials=2, workers=0, metric="accuracy", out=tmp_path / "s")
    new = {name: np.concatenate([rare(20, 1)[name], table[name][:1]]).astype(object) for name in table}
    new["y"][3] = ""
    with pytest.raises(DataError, match="1 of 21 rows were in the data") as caught:
        evaluate_on(tmp_path / "s", written(tmp_path / "new.csv", new), drop_unlabelled=True)
    assert caught.value.where.endswith("rows 21")
    new["y"][:] = ""
    with pytest.raises(DataError, match="No row has a target"):
        evaluate_on(tmp_path / "s", written(tmp_path / "none.csv", new), drop_unlabelled=True)
