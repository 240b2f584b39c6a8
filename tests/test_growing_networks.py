"""Networks in a study: what is too large is refused unbuilt, children start where parents stopped, the best get time."""

import json
from functools import partial

import numpy as np
import pytest

from perennial import Study, Task, compiler, workflow
from perennial.errors import Rejected
from perennial.evaluate import Ancestor, Bench, Paused, evaluate
from perennial.history import Record
from perennial.lang import Lambda, Var, call, parse
from perennial.lang import evaluate as run
from perennial.metrics import resolve
from perennial.primitives import vocabulary
from perennial.protocol import Protocol
from perennial.scheduler import SuccessiveHalving
from perennial.spaces import Limits, Space, integer
from perennial.study import Listed, Screening
from perennial.trial import Proposal
from perennial.weights import Weights


def crosses(rows=90, size=12):
    """Bars, and bars with a second one across."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, (rows, size, size, 1))
    for number, image in enumerate(images):
        row, column = generator.integers(3, size - 3, 2)
        image[:, column] += 150
        if number % 2:
            image[row, :] += 150
    return Task.from_data((images.astype(np.uint8), np.array(["bar", "cross"] * (rows // 2))))


def network(width=8, rate=3e-2, epochs=60):
    words, x = vocabulary(), Var("image")
    x = call(words["relu"], call(words["conv"], call(words["pixels"], x), width=width, kernel=3))
    x = call(words["global_pool"], x)
    return Lambda(("image",), call(words["head"], x, learning_rate=rate, epochs=epochs, batch=16))


def source(**settings):
    return str(network(**settings))


@pytest.fixture(scope="module")
def bench():
    task = crosses()
    return Bench(task, Protocol.propose(task, kind="kfold", folds=3), resolve("log_loss"))


@pytest.fixture(scope="module")
def parent(bench):
    return evaluate(bench, source=source(), seed=0, fold_limit=1)


def space(limits=None):
    return Space(network(width=integer("width", 4, 64)), limits=limits, growing=["width"])


def test_a_candidate_over_a_limit_is_refused_before_anything_is_built(bench, monkeypatch):
    monkeypatch.setattr(compiler.Compiled, "build", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(Rejected, match="parameters"):
        evaluate(bench, source=source(width=64), seed=0, limits=Limits(parameters=100))


def test_limits_do_not_concern_programs_without_networks(bench):
    outcome = evaluate(
        bench, source="lambda image: linear(hog(image))", seed=0, fold_limit=1, limits=Limits(flops=1)
    )
    assert outcome.value < np.log(2)


def test_a_study_writes_rejections_down_and_goes_on():
    settings = {"space": space(Limits(parameters=150)), "strategy": "random", "workers": 0, "seed": 1}
    with Study(crosses(), **settings) as study:
        study.start(float("inf"))
        wanted = [Proposal(study.space.repair({"width": width})) for width in (60, 4)]
        records = study.search(Listed(wanted), Screening("tune", fold_limit=1))
    assert [record.trial.status for record in records] == ["rejected", "scored"]
    assert "parameters, at most 150 are allowed" in records[0].trial.error


def test_a_child_begins_with_what_its_parent_computes(bench, parent):
    ancestor = Ancestor(source(), parent.blobs)
    child = source(width=16, rate=1e-6, epochs=1)
    grown = evaluate(bench, source=child, seed=0, fold_limit=1, parent=ancestor)
    fresh = evaluate(bench, source=child, seed=0, fold_limit=1)
    assert grown.value == pytest.approx(parent.value, abs=1e-3)
    assert fresh.value > parent.value + 0.01


def test_a_parent_that_is_no_network_leaves_its_child_fresh(bench):
    other = evaluate(bench, source="lambda image: linear(hog(image))", seed=0, fold_limit=1)
    ancestor = Ancestor("lambda image: linear(hog(image))", other.blobs)
    one, two = (
        evaluate(bench, source=source(epochs=1), seed=0, fold_limit=1, parent=each)
        for each in (ancestor, None)
    )
    assert one.blobs == two.blobs


def test_weights_come_from_a_parent_on_the_same_folds_only():
    settings = {"space": space(), "strategy": "random", "workers": 0, "seed": 1}
    with Study(crosses(), **settings) as study:
        study.start(float("inf"))
        [record] = study.search(
            Listed([Proposal(study.space.repair({"width": 6}))]), Screening("tune", fold_limit=1)
        )
        child = Proposal(study.space.repair({"width": 7}), parents=(0,), weights_from="parent")
        assert study._parent(child, Screening("tune", fold_limit=1)).source == record.source
        assert study._parent(child, Screening("confirm", fold_seed=1, fold_limit=1)) is None
        assert study._parent(Proposal(child.genotype, parents=(0,)), Screening("tune", fold_limit=1)) is None


def test_a_training_that_was_paused_goes_on_and_no_epoch_is_trained_twice(bench):
    first = evaluate(bench, source=source(epochs=30), seed=0, fidelity=1 / 3)
    whole = evaluate(bench, source=source(epochs=30), seed=0, fold_limit=1)
    paused = Paused(1 / 3, first.checkpoint)
    rest = evaluate(bench, source=source(epochs=30), seed=0, fold_limit=1, paused=paused)
    steps = [[entry["step"] for entry in each.curve] for each in (first, rest, whole)]
    assert steps[0][-1] == pytest.approx(steps[2][-1] / 3, abs=2)
    assert steps[1][0] > steps[0][-1] and steps[1][-1] == steps[2][-1]
    assert first.checkpoint and not whole.checkpoint and not rest.checkpoint


def test_successive_halving_goes_on_from_where_a_rung_ended():
    settings = {"space": space(), "strategy": "random", "workers": 0, "seed": 1}
    with Study(crosses(), scheduler=partial(SuccessiveHalving, minimum=1 / 3), **settings) as study:
        study.start(float("inf"))
        records = study.search(study.strategy, Screening("tune", fold_limit=1), trials=5)
        promoted = next(record for record in records if record.trial.origin == "promotion")
        [rung] = [record for record in records if record.trial.number in promoted.trial.parents]
        assert rung.checkpoint and rung.trial.fidelity < promoted.trial.fidelity == 1.0
        assert promoted.trial.curve[0]["step"] > rung.trial.curve[-1]["step"]


def test_a_study_keeps_the_size_that_it_began_with(tmp_path):
    with Study(crosses(), workers=0, out=tmp_path / "s", sized_for=30.0) as study:
        flops = study.space.limits.flops
    with Study(crosses(), workers=0, out=tmp_path / "s", sized_for=3000.0) as again:
        assert (again.sized_for, again.space.limits.flops) == (30.0, flops)
    with Study(crosses(), workers=0, out=tmp_path / "t", sized_for=3000.0) as other:
        assert other.space.limits.flops > flops


def test_only_the_rows_that_are_asked_for_are_predicted(bench, parent):
    weights = Weights.from_bytes(parent.blobs[0])
    program = parse(source(), vocabulary())
    states = compiler.compiled_states(program, weights)
    images = bench.task.inputs["image"][parent.covered]
    again = run(compiler.compiled(program), images, states=states)
    assert np.allclose(again, parent.predictions, atol=1e-5)
    assert isinstance(parent.train_score, float) and len(parent.predictions) == 30


def test_a_folder_of_images_grows_a_network_and_its_report(class_folders, command, tmp_path):
    folder = class_folders(classes=("cat", "dog", "owl"), images=14, size=(20, 20))
    budget = ("--trials", "3", "--protocol", "holdout")
    done = command("grow", folder, *budget, "--out", tmp_path / "out", "--json", cwd=tmp_path)
    assert done.returncode in (0, 4), done.stderr
    told = json.loads(done.stdout)
    assert told["modality"] == "image" and told["trials"] == 3
    board = json.loads(command("board", tmp_path / "out", "--json", cwd=tmp_path, check=0).stdout)
    assert "network" in {row["learner"] for row in board}
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


def test_a_record_says_whether_it_is_a_network():
    from perennial.confirmation import _is_network

    made = Study(crosses(), space=space(), strategy="random", workers=0)
    with made as study:
        study.start(float("inf"))
        [record] = study.search(
            Listed([Proposal(study.space.repair({"width": 4}))]), Screening("tune", fold_limit=1)
        )
    assert isinstance(record, Record) and _is_network(record)


@pytest.mark.parametrize(("symmetric", "same"), [(True, True), (False, False)])
def test_mirror_images_are_asked_of_the_baseline(symmetric, same):
    """Bars that rise or lie are what they are in a mirror; slanted ones turn into each other."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, (120, 16, 16, 1))
    for number, image in enumerate(images):
        row, column = generator.integers(3, 13, 2)
        if symmetric:
            image[:, column] += 150 * (number % 2)
            image[row, :] += 150 * (1 - number % 2)
        else:
            slant = np.eye(16, dtype=int)[:, :, None] * 150
            image += slant if number % 2 else slant[:, ::-1]
    task = Task.from_data((images.astype(np.uint8), np.array(["one", "two"] * 60)))
    with Study(task, workers=0) as study:
        study.start(60.0)
        workflow.tell_the_protocol(study)
        workflow.fit_baselines(study, 1)
        workflow.ask_for_mirrors(study)
        [verdict] = study.history.verdicts
        assert verdict["data"]["same"] is same and "mirror images" in verdict["text"]
        openers = workflow._openers(study)
        assert np.mean([g["flip"] for g in openers if "flip" in g]) > 0.5 if same else True
        workflow.ask_for_mirrors(study)
        assert len(study.history.verdicts) == 1


@pytest.mark.parametrize(("flip", "views"), [(True, "flip"), (False, "none")])
def test_a_prediction_is_the_mean_of_the_views_that_training_saw(flip, views):
    words, x = vocabulary(), Var("image")
    pooled = call(words["global_pool"], call(words["pixels"], x))
    head = call(words["head"], pooled, flip=flip, test_time="trained")
    assert compiler.Compiled(head).recipe()["test_time"] == views
