"""The bench of streams: what its tasks are, that its rival is what it says, and what is claimed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from perennial.bench import image_streams as streams
from perennial.bench import mntdp
from perennial.bench.kept import Kept
from perennial.bench.mntdp import MODULES, Learner
from perennial.errors import UsageError


def pool(rows=400, seed=0):
    """A set of ten classes, each image with a number of its own in its first pixel."""
    target = np.arange(rows) % 10
    images = np.zeros((rows, 8, 8, 1), np.uint8)
    images[:, 2:, :] = (target * 25)[:, None, None, None]
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.arange(rows) % 256, np.arange(rows) // 256
    return images, target


@pytest.fixture
def sets(monkeypatch, tmp_path):
    monkeypatch.setattr(streams, "_pool", lambda folder: [pool(), pool(100)])
    monkeypatch.setattr(streams, "small", lambda images: np.repeat(images, 3, axis=3))
    return {slot: tmp_path / slot for slot in ("objects", "digits", "clothes", "hands")}


def test_the_lists_are_those_of_the_benchmark():
    told = streams.lists()
    assert {name: len(tasks) for name, tasks in told["streams"].items()} == {
        "S-": 6, "S+": 6, "Sin": 6, "Sout": 6, "Spl": 5,
    }  # fmt: skip
    for name, tasks in told["streams"].items():
        assert all(slot in told["sets"] for slot, *_ in tasks)
        assert (tasks[0][0] == tasks[-1][0]) == (name != "Spl")


@pytest.mark.parametrize("name", ["S-", "S+", "Sin", "Sout", "Spl"])
def test_no_image_is_learnt_from_twice(sets, name):
    stream = [
        [slot, min(train, 12), min(held, 8), change]
        for slot, train, held, change in streams.lists()["streams"][name]
    ]
    tasks = streams.tasks_of(stream, sets, 0)
    assert [len(task.train[1]) for task in tasks] == [10 * train for _, train, _, _ in stream]
    seen: dict[str, list] = {}
    for (slot, *_, change), task in zip(stream, tasks, strict=True):
        if slot != "textures" and not change:
            numbers = [tuple(image[0, :2, 0]) for part in (task.train, task.validation) for image in part[0]]
            seen[slot] = seen.get(slot, []) + numbers
    assert all(len(numbers) == len(set(numbers)) for numbers in seen.values())
    again = streams.tasks_of(stream, sets, 0)
    assert all(np.array_equal(a.train[0], b.train[0]) for a, b in zip(tasks, again, strict=True))
    other = streams.tasks_of(stream, sets, 1)
    assert not np.array_equal(tasks[0].train[0], other[0].train[0])


def test_each_class_has_as_many_images_as_the_list_says(sets):
    [task] = streams.tasks_of([["digits", 7, 3, ""]], sets, 0)
    assert (
        np.bincount(task.train[1]).tolist() == [7] * 10
        and np.bincount(task.validation[1]).tolist() == [3] * 10
    )


def test_images_become_small_by_means():
    images = np.zeros((1, 32, 32, 1), np.uint8)
    images[0, ::2] = 100
    found = streams.small(images)
    assert found.shape == (1, 16, 16, 3) and (found == 50).all()


def test_a_background_changes_where_it_is_dark_and_labels_turn():
    images = np.array([[[[0, 0, 0], [255, 255, 255]]]], np.uint8)
    coloured, target = streams._changed((images, np.array([3])), "red")
    assert coloured.tolist() == [[[[200, 40, 40], [255, 255, 255]]]] and target.tolist() == [3]
    _, turned = streams._changed((images, np.array([0])), "turned labels")
    assert turned.tolist() == [9]


def test_textures_are_told_apart_by_their_waves_and_not_by_their_colours():
    (images, target), (tested, truth) = streams.textures(0)
    assert np.bincount(target).tolist() == [40] * 10 and len(truth) == 1000
    spectra = [
        np.abs(np.fft.fft2(part.mean(axis=3) - part.mean(axis=(1, 2, 3))[:, None, None]))
        for part in (images, tested)
    ]
    from sklearn.neighbors import KNeighborsClassifier

    waves, colours = (
        KNeighborsClassifier(5).fit(a.reshape(len(a), -1), target).score(b.reshape(len(b), -1), truth)
        for a, b in (spectra, [images.mean(axis=(1, 2)), tested.mean(axis=(1, 2))])
    )
    assert waves > 0.6 > 0.2 > colours


def test_sets_that_are_missing_are_replaced_by_others(monkeypatch, tmp_path):
    for name in ("mnist", "a", "b", "c", "d"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(
        streams, "image_sets", lambda data, only: sorted(p for p in data.iterdir() if p.is_dir())
    )
    found = streams.chosen_sets(streams.lists()["sets"], tmp_path)
    assert {slot: path.name for slot, path in found.items()} == {
        "digits": "mnist",
        "objects": "a",
        "clothes": "b",
        "hands": "c",
    }
    (tmp_path / "c").rmdir(), (tmp_path / "d").rmdir()
    with pytest.raises(UsageError, match="4 sets"):
        streams.chosen_sets(streams.lists()["sets"], tmp_path)


def test_a_set_of_few_classes_is_refused(monkeypatch, tmp_path):
    few = SimpleNamespace(classes=("a", "b"))
    monkeypatch.setattr(streams, "split_of", lambda folder, seed: few)
    with pytest.raises(UsageError, match="10 classes"):
        streams._pool(tmp_path / "few")


def test_it_needs_data_and_a_stream_that_there_is(tmp_path):
    with pytest.raises(UsageError, match="--data"):
        streams.run(data=None, seconds=1.0, seeds=1, only=(), kept=Kept(None))
    with pytest.raises(UsageError, match="S-, S\\+, Sin"):
        streams.run(data=str(tmp_path), seconds=1.0, seeds=1, only=("S",), kept=Kept(None))


# -- the rival -------------------------------------------------------------------------------------------------------


def bars_of(rows, seed, classes=4):
    """Bars at one of four places, in noise and colours."""
    generator = np.random.default_rng(seed)
    target = np.arange(rows) % classes
    images = generator.integers(0, 90, (rows, 16, 16, 3))
    for row, kind in enumerate(target):
        images[row, :, 4 * kind : 4 * kind + 3] += 120
    return images.astype(np.uint8), target.astype(np.int64)


def test_a_task_that_comes_again_is_learnt_with_old_modules_and_nothing_is_forgotten(monkeypatch):
    monkeypatch.setattr(mntdp, "EPOCHS", 12)
    learner = Learner(reuses=True)
    learner.learn(bars_of(120, 0), bars_of(60, 1), 600.0, seed=0)
    before = learner.accuracy(0, *bars_of(200, 2))
    assert before > 0.9 and learner.modules == MODULES
    learner.learn(bars_of(16, 3), bars_of(60, 4), 600.0, seed=1)
    assert learner.modules < 2 * MODULES and learner.accuracy(1, *bars_of(200, 5)) > 0.9
    assert learner.accuracy(0, *bars_of(200, 2)) == before
    assert learner.numbers < 2 * sum(w.numel() for m in learner.paths[0] for w in m.parameters())


def test_independent_training_shares_nothing_and_keeps_its_time():
    learner = Learner(reuses=False)
    for seed in (0, 1):
        learner.learn(bars_of(40, seed), bars_of(20, seed + 2), 0.5, seed)
    assert learner.modules == 2 * MODULES


# -- figures ---------------------------------------------------------------------------------------------------------


def row(stream, method, accuracy, last=0.5, forgotten=0.0, modules=10, seed=0):
    """A result whose learning takes a second longer with each seed, from 119 s."""
    return {
        "stream": stream, "seed": seed, "method": method, "accuracy": accuracy, "each": [0.5, last],
        "forgotten": forgotten, "modules": modules, "bytes": 100, "learning": 119.0 + seed, "wall": 130.0,
    }  # fmt: skip


def test_bars_compare_stream_by_stream_with_the_same_method_alone():
    rows = [
        row("S-", "perennial", 0.70, last=0.8, modules=5), row("S-", "perennial alone", 0.65, last=0.6, modules=20),
        row("S-", "MNTDP-D", 0.60), row("S-", "independent", 0.55, last=0.4, modules=20),
        row("Spl", "perennial", 0.50, last=0.3), row("Spl", "perennial alone", 0.5),
        row("Spl", "MNTDP-D", 0.55), row("Spl", "independent", 0.5),
    ]  # fmt: skip
    found = {bar["name"]: (round(bar["value"], 3), bar["ok"]) for bar in streams.bars(rows)}
    assert found == {
        "accuracy ahead of MNTDP-D on the stream where it is least": (-0.05, False),
        "accuracy ahead of MNTDP-D (mean of 2 streams)": (0.025, True),
        "accuracy that was forgotten at most": (0.0, True),
        "seconds to learn the slowest stream": (119.0, True),
        "transfer to the last task of S-": (0.2, True),
        "modules of S-, share of those without the stream": (0.25, True),
        "transfer to the last task of Spl": (-0.2, False),
    }
    [line] = [line for line in streams.summary(rows) if (line["stream"], line["method"]) == ("S-", "MNTDP-D")]
    assert line["transfer"] == pytest.approx(0.1) and line["share of modules"] == pytest.approx(0.5)


def test_means_and_intervals_are_over_the_seeds():
    told = [row("S+", "independent", 0.5), row("S+", "independent", 0.7, seed=1)]
    [line] = streams.summary(told)
    assert line["accuracy"] == pytest.approx(0.6) and line["±"] == pytest.approx(1.96 * 0.1)
    assert line["seeds"] == 2 and line["transfer"] == 0.0
    assert line["learning"] == pytest.approx(119.5)


def test_one_seed_has_no_interval_and_is_json():
    told = streams.summary([row("S+", "independent", 0.5)])
    assert told[0]["±"] is None and json.dumps(told, allow_nan=False)


def test_what_was_forgotten_is_the_worst_of_the_tasks():
    told = streams._told([0.5, 0.8], [0.5, 0.7], 7, 100, 60.0)
    assert told["forgotten"] == pytest.approx(0.1) and told["accuracy"] == pytest.approx(0.6)


def test_modules_are_fitted_words_and_layers_and_what_is_reused_is_not_counted():
    from perennial import compiler
    from perennial.lang import Dist, FitContext, Image, Lambda, Var, call, parse
    from perennial.primitives import vocabulary
    from perennial.trainers import Batch, resolve

    words, (images, target) = vocabulary(), bars_of(24, 0)

    def fitted(program, **more):
        context = FitContext(output=Dist(4), train_rows=20, types=(Image(16, 16, 3),), **more)
        return resolve(program).fit(program, Batch((images,), target, 20), context).weights

    network = parse(
        "lambda image: head(global_pool(relu(conv(pixels(image), width=4, kernel=3))), epochs=1)", words
    )
    weights = fitted(network)
    assert streams._counted(SimpleNamespace(program=network, replicas=(weights,)))[0] == 2
    part = call(words["recalled"], Var("image"), of="a", size=4)
    above = Lambda(("image",), call(words["linear"], part))
    packed = compiler.Packed(network, (weights,), Image(16, 16, 3), Dist(4))
    model = SimpleNamespace(program=above, replicas=(fitted(above, initial={part.hash: packed.state}),))
    modules, held = streams._counted(model)
    assert modules == 1 and held < 600
