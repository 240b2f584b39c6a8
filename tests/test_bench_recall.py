"""The bench of what a library gives to few images: how sets are cut, and what is claimed."""

from pathlib import Path

import numpy as np
import pytest

from perennial.bench import characters, recall, recall_scale
from perennial.bench.images import Split
from perennial.bench.kept import Kept
from perennial.errors import UsageError
from perennial.library import Library
from perennial.task import Task


def split(classes=6, rows=20):
    target = np.tile(np.arange(classes), rows)
    images = np.repeat(target[:, None, None, None], 8 * 8, axis=1).reshape(-1, 8, 8, 1).astype(np.uint8)
    names = tuple(map(str, range(classes)))
    return Split("a set", names, images, target, images + 100, target)


def test_few_images_of_each_class_are_drawn_by_the_seed():
    images, labels = recall.few(split(), np.array([1, 3]), 4, 7)
    assert images.shape == (8, 8, 8, 1) and sorted(labels) == ["class 1"] * 4 + ["class 3"] * 4
    assert [f"class {image[0, 0, 0]}" for image in images] == list(labels)
    again, _ = recall.few(split(), np.array([1, 3]), 4, 7)
    assert np.array_equal(images, again)


def names(codes):
    return [f"class {code}" for code in codes]


class Grown:
    """Knows a share of the images: more with a library."""

    def __init__(self, share):
        self.share = share
        self.result = {"kept": ["before/solution@1", "before/features@1"], "reused": ["before/features@1"]}

    def predict(self, images):
        truth = np.array([f"class {code}" for code in images[:, 0, 0, 0].astype(int) - 100])
        return np.where(np.arange(len(images)) < self.share * len(images), truth, "?")


def test_classes_are_never_seen_twice_and_both_have_the_same_time(monkeypatch):
    asked = []

    def grown(name, images, labels, seconds, seed, library):
        asked.append((sorted(set(labels)), len(images), seconds, seed, library is not None))
        if library is not None:
            Path(library).mkdir(exist_ok=True)
        return Grown(0.75 if library is not None else 0.5)

    monkeypatch.setattr(recall, "_grown", grown)
    rows = recall._one_set(split, 10.0, 2)
    before, *tasks = asked
    assert before == (names("024"), 60, 40.0, 0, True)
    assert tasks == [(names("135"), 30, 10.0, s, w) for s in (0, 1) for w in (False, True)]
    assert [(row["cold"], row["warm"], row["gain"], row["tested on"]) for row in rows] == [
        (0.5, 0.75, 0.25, 60)
    ] * 2


def test_a_new_task_has_ten_classes_at_most_and_other_ones_each_time(monkeypatch):
    asked = []
    monkeypatch.setattr(
        recall, "_grown", lambda name, images, labels, *_: asked.append(set(labels)) or Grown(1.0)
    )
    monkeypatch.setattr(recall.shutil, "copytree", lambda *_: None)
    recall._one_set(lambda: split(classes=30), 10.0, 2)
    before, first, _, second, _ = asked
    assert Task.from_data((split(classes=30).x_train, np.array(sorted(before) * 40))).problem == "multiclass"
    assert len(before) == 15 and len(first) == len(second) == 10 and first != second
    assert before.isdisjoint(first | second)


def test_the_bars_tell_the_mean_gain_of_each_set_and_how_often_it_harms(monkeypatch):
    monkeypatch.setattr(recall, "_sets", lambda *_: {"a": "a", "b": "b"})
    gains = {"a": [0.2, -0.05], "b": [0.1, 0.3]}
    monkeypatch.setattr(
        recall, "_one_set", lambda name, *_: [{"set": name, "gain": gain} for gain in gains[name]]
    )
    told = recall.run(data=None, seconds=None, seeds=2, only=(), kept=Kept(None))["bars"]
    assert [(each["value"], each["ok"]) for each in told] == [
        (pytest.approx(0.075), False), (pytest.approx(0.2), True), (0.25, False)
    ]  # fmt: skip


def test_a_set_with_few_classes_is_refused():
    with pytest.raises(UsageError, match="too few classes"):
        recall._one_set(lambda: split(classes=3), 10.0, 1)


def test_sets_are_drawn_and_those_of_a_folder(monkeypatch):
    monkeypatch.setattr(
        recall, "sets_of", lambda data, named: [Path(data) / name for name in named or ("objects",)]
    )
    both = {"characters", "characters-on-grounds"}
    assert set(recall._sets(None, ())) == both
    assert set(recall._sets("data", ())) == {*both, "objects"}
    assert set(recall._sets("data", ("characters", "mnist"))) == {"characters", "mnist"}


# -- characters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [characters.PLAIN, characters.ON_GROUNDS])
def test_a_character_can_be_told_from_others_however_it_is_written(name):
    from sklearn.neighbors import KNeighborsClassifier

    drawn = characters.drawn(name, classes=5, training=20, tested=10)
    assert drawn.x_train.dtype == np.uint8 and drawn.x_test.shape == (50, 28, 28, 1)
    assert sorted(set(drawn.y_train)) == list(range(5)) and len(drawn.classes) == 5
    again = characters.drawn(name, classes=5, training=20, tested=10)
    assert np.array_equal(drawn.x_train, again.x_train)
    rows = [len(part) for part in (drawn.x_train, drawn.x_test)]
    assert len(np.unique(np.concatenate([drawn.x_train, drawn.x_test]), axis=0)) == sum(rows)
    if name == characters.PLAIN:
        flat = [part.reshape(len(part), -1) / 255.0 for part in (drawn.x_train, drawn.x_test)]
        known = KNeighborsClassifier(1).fit(flat[0], drawn.y_train).score(flat[1], drawn.y_test)
        assert 0.6 < known < 1.0
    else:
        assert drawn.x_train.mean(axis=(1, 2, 3)).std() > 20.0


# -- scale -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recall_scale, "MODULES", 60)
        patch.setattr(recall_scale, "QUERIES", 4)
        patch.setattr(recall_scale, "MANY", 500)
        yield recall_scale.run(data=None, seconds=None, seeds=1, only=(), kept=Kept(None))


def test_modules_that_have_learnt_from_such_images_are_found(small):
    assert [row["found"] for row in small["rows"]] == [1.0] and small["bars"][0]["ok"]
    assert len(small["bars"]) == 4 and all(isinstance(told["value"], float) for told in small["bars"])


def test_without_looking_at_the_images_they_are_not_found(monkeypatch, tmp_path):
    monkeypatch.setattr("perennial.library.features.nearness", lambda *_: {})
    with Library(tmp_path / "library") as library:
        kinds = recall_scale.filled(library, 60, 0)
        assert not recall_scale._found(library, kinds, 0, 0)


def test_textures_of_a_kind_differ_in_their_images_only():
    one, other = recall_scale.texture(3, 0, 1, 10), recall_scale.texture(3, 0, 2, 10)
    assert one.fingerprint != other.fingerprint and one.input_type == other.input_type
