"""The bench of images: fair splits, honest arithmetic, and a rival that learns."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from perennial.bench import image_rivals, images
from perennial.bench.kept import Kept
from perennial.errors import UsageError

SIDE = 16


def squares(n, seed=0):
    """Dark images with a bright square: class 0 at the top, class 1 at the bottom."""
    generator = np.random.default_rng(seed)
    codes = np.arange(n) % 2
    pixels = generator.integers(0, 60, (n, SIDE, SIDE, 3)).astype(np.uint8)
    for number, code in enumerate(codes):
        top, left = generator.integers(0, 4) + 8 * code, generator.integers(0, 12)
        pixels[number, top : top + 4, left : left + 4] = 250
    return pixels, codes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with one set of images, and one that is none."""
    root = tmp_path_factory.mktemp("data")
    (root / "table").mkdir()
    (root / "table" / "data.csv").write_text("a,b\n1,2\n")
    pixels, codes = squares(40)
    for name in ("top", "under"):
        (root / "squares" / name).mkdir(parents=True)
    for number, (image, code) in enumerate(zip(pixels, codes, strict=True)):
        Image.fromarray(image).save(root / "squares" / ("top", "under")[code] / f"{number:02d}.png")
    return root


def row(name, method, right, seed=0, n=1000, budget=600.0, wall=600.0, **more):
    return {
        "set": name,
        "method": method,
        "right": right,
        "seed": seed,
        "n": n,
        "budget": budget,
        "wall": wall,
        **more,
    }


def test_a_set_without_a_test_part_is_split_by_class_and_by_seed(folder):
    first, again, other = (images.split_of(folder / "squares", seed) for seed in (0, 0, 1))
    assert first.classes == ("top", "under") and first.x_train.shape == (30, SIDE, SIDE, 3)
    assert np.bincount(first.y_test).tolist() == [5, 5]
    assert np.array_equal(first.x_test, again.x_test) and not np.array_equal(first.x_test, other.x_test)


def test_only_folders_of_images_are_taken(folder):
    assert [path.name for path in images.image_sets(folder, ())] == ["squares"]
    assert images.image_sets(folder, ("table",)) == []


def test_the_resnet_has_the_size_of_the_paper():
    model = image_rivals._resnet(3, 10)
    assert sum(weights.numel() for weights in model.parameters()) == 269_722


def test_the_resnet_learns_in_sixty_steps(monkeypatch):
    a_second_a_step = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr(image_rivals, "time", a_second_a_step)
    x, y = squares(256)
    test, truth = squares(64, seed=1)
    predicted = image_rivals.resnet20({"x_train": x, "y_train": y, "x_test": test}, seconds=60.0, seed=0)
    assert (predicted == truth).mean() > 0.9


def test_augmentation_moves_images_and_fills_with_black():
    import torch

    torch.manual_seed(0)
    batch = torch.ones(50, 1, 8, 8)
    batch[:, :, 0, 0] = -1
    moved = image_rivals._augmented(batch, mirror=True)
    assert moved.shape == batch.shape and set(moved.unique().tolist()) == {-1.0, 1.0}
    assert not torch.equal(moved[0], moved[1])


def test_a_rival_that_fails_is_a_row_with_its_reason(folder, monkeypatch):
    monkeypatch.setitem(image_rivals.RIVALS, "broken", None)
    [told] = images.one_split(images.split_of(folder / "squares", 0), ["broken"], 1.0, 0)
    assert told["right"] is None and "broken" in told["error"]


def test_bars_are_those_of_the_issue():
    rows = [row("mnist", "perennial", 993), row("mnist", "resnet20", 999), row("photos", "perennial", 700, wall=604.0),
            row("photos", "resnet20", 710), row("photos", "autokeras", 650)]  # fmt: skip
    told = {entry["name"]: entry for entry in images.bars(rows)}
    assert told["accuracy on mnist within 10 minutes"]["ok"]
    assert not told["accuracy on photos ahead of resnet20"]["ok"]
    assert told["accuracy on photos ahead of autokeras"]["ok"]
    assert told["latest end of grow after its time, seconds"]["value"] == 4.0 and len(told) == 4


def test_a_run_that_failed_holds_no_bar():
    told = images.bars([row("photos", "perennial", None), row("photos", "resnet20", 1)])
    assert not told[0]["ok"] and told[0]["value"] is None


def test_the_summary_has_intervals_and_the_seconds_of_the_first_model():
    rows = [row("mnist", "perennial", 990 + seed, seed, first=4.0 + seed) for seed in range(3)]
    [line] = images.summary(rows)
    assert line["perennial"] == pytest.approx(0.991) and line["first model"] == 6.0
    low, high = map(float, line["perennial 95 %"].split("–"))
    assert low < 0.991 < high < 1.0


def test_without_a_folder_the_bench_says_what_it_needs(tmp_path):
    for data in (None, str(tmp_path)):
        with pytest.raises(UsageError):
            images.run(data=data, seconds=1.0, seeds=1, only=(), kept=Kept(None))
