"""Features of images: the formulae of the papers, one row at a time, and first answers that are worth their seconds."""

import gzip
import math
import time

import numpy as np
import pytest

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang import Dist, FitContext, Image, Real, Tensor, parse
from perennial.primitives import vocabulary
from perennial.primitives.images import _compared, _dictionary, _same_contrast, _spherical_k_means
from perennial.primitives.learners.kernels import _Closeness, _Products
from perennial.trainers import Batch, resolve

WORD = vocabulary()
HOG, PATCHES, KERNEL = WORD["hog"], WORD["patch_features"], WORD["kernel_ridge"]


def images(n=6, height=13, width=10, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, channels)).astype(np.uint8)


def context(rows, seed=0, **more):
    return FitContext(output=Dist(2), train_rows=rows, seed=seed, **more)


# -- hog -------------------------------------------------------------------------------------------------------------


def hog_of_one_image(image, cells, orientations, signed, clip):
    """Dalal and Triggs' formulae, pixel by pixel."""
    height, width, channels = image.shape
    side = min(height, width) / min(cells, height, width)
    rows, columns = round(height / side), round(width / side)
    histograms = np.zeros((rows, columns, orientations))
    for y in range(height):
        for x in range(width):
            gradients = []
            for c in range(channels):
                down = float(image[y + 1, x, c]) - image[y - 1, x, c] if 0 < y < height - 1 else 0.0
                across = float(image[y, x + 1, c]) - image[y, x - 1, c] if 0 < x < width - 1 else 0.0
                gradients.append((math.hypot(down, across), math.atan2(down, across)))
            strength, angle = max(gradients, key=lambda gradient: gradient[0])
            circle = 2 * math.pi if signed else math.pi
            place = (angle % circle) / (circle / orientations) - 0.5
            u, v = (y + 0.5) * rows / height - 0.5, (x + 0.5) * columns / width - 0.5
            for row in range(rows):
                for column in range(columns):
                    near = max(0, 1 - abs(u - row)) * max(0, 1 - abs(v - column))
                    for number in range(orientations):
                        away = abs(place - number)
                        away = min(away, orientations - away)
                        histograms[row, column, number] += strength * near * max(0, 1 - away)
    found = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            block = np.concatenate([histograms[row + i, column + j] for i in (0, 1) for j in (0, 1)])
            block = np.minimum(block / math.sqrt(block @ block + 1e-10), clip)
            found.append(block / math.sqrt(block @ block + 1e-10))
    return np.concatenate(found)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_hog_is_the_formula_of_the_paper_pixel_by_pixel(signed, channels):
    batch = images(2, channels=channels)
    settings = {"cells": 4, "orientations": 5, "signed": signed, "clip": 0.3}
    expected = [hog_of_one_image(image, **settings) for image in batch]
    assert np.allclose(HOG(batch, **settings), expected, atol=2e-5)


@pytest.mark.parametrize("size", [(28, 28, 1), (32, 32, 3), (5, 41, 3), (1, 1, 1), (3, 2, 4)])
@pytest.mark.parametrize("cells", [1, 4, 7])
def test_the_width_of_hog_is_known_before_any_image(size, cells):
    given = HOG(np.zeros((2, *size), np.uint8), cells=cells)
    assert HOG.infer(Image(*size), **HOG.complete({"cells": cells})) == Tensor(given.shape[1])
    assert HOG(np.zeros((0, *size), np.uint8), cells=cells).shape == (0, given.shape[1])


def test_hog_of_an_image_does_not_depend_on_its_neighbours():
    batch = images(9)
    assert np.array_equal(HOG(batch)[4:5], HOG(batch[4:5]))


def test_hog_does_not_see_brightness_and_contrast():
    image = images(1, 16, 16, 1) // 4
    assert np.allclose(HOG(image), HOG(image * 2 + 40), atol=1e-4)


def test_a_flat_image_has_no_edges():
    assert not HOG(np.full((1, 16, 16, 3), 90, np.uint8)).any()


def test_image_words_say_what_they_take():
    for word in (HOG, PATCHES):
        with pytest.raises(TypeMismatch, match="takes an image"):
            word.infer(Tensor(3))
        with pytest.raises(TypeMismatch, match="takes one image"):
            word.infer(Image(8, 8, 1), Image(8, 8, 1))


# -- patch features --------------------------------------------------------------------------------------------------


def fitted(batch, seed=0, deadline=math.inf, **settings):
    settings = PATCHES.complete({"patches": 12, "size": 4, **settings})
    state = PATCHES.fit((batch,), None, context(len(batch), seed, deadline=deadline), **settings)
    return state, lambda asked: PATCHES.call(asked, state=state, **settings)


@pytest.mark.parametrize("size", [(12, 12, 1), (9, 20, 3), (3, 5, 3)])
def test_the_width_of_patch_features_is_known_before_any_image(size):
    batch = images(20, *size)
    _, call = fitted(batch, pool=2)
    expected = PATCHES.infer(Image(*size), **PATCHES.complete({"patches": 12, "pool": 2}))
    assert Tensor(call(batch).shape[1]) == expected
    assert call(batch[:0]).shape == (0, call(batch).shape[1])


def test_patch_features_depend_on_the_seed_alone():
    batch = images(30)
    first, call = fitted(batch, seed=1)
    again, other = fitted(batch, seed=1)[0], fitted(batch, seed=2)[0]
    assert np.array_equal(first.arrays["filters"], again.arrays["filters"])
    assert not np.array_equal(first.arrays["filters"], other.arrays["filters"])
    assert np.array_equal(call(batch)[3:4], call(batch[3:4]))


def test_the_code_of_a_patch_is_its_whitened_self_against_each_direction():
    generator = np.random.default_rng(0)
    sample = _same_contrast(
        generator.normal(100, 30, (500, 12)).astype(np.float32) @ np.triu(np.ones((12, 12), np.float32))
    )
    filters, offsets = _dictionary(sample, 5, 0.1, np.random.default_rng(1), math.inf)
    values, vectors = np.linalg.eigh(np.cov(sample.T.astype(np.float64)))
    whiten = vectors @ np.diag(1 / np.sqrt(values + 0.1)) @ vectors.T
    centres = _spherical_k_means(
        ((sample - sample.mean(axis=0)) @ whiten).astype(np.float32), 5, np.random.default_rng(1), math.inf
    )
    patch = generator.normal(90, 50, (1, 12))
    even = (patch - patch.mean()) / np.sqrt(patch.var() + 10.0)
    expected = ((even - sample.mean(axis=0)) @ whiten) @ centres.T
    assert np.allclose(_compared(patch[None].astype(np.float32), filters, offsets), expected, atol=2e-3)


def test_spherical_k_means_finds_the_directions_that_points_lie_along():
    generator = np.random.default_rng(0)
    directions = np.eye(3, 6)
    points = directions[generator.integers(0, 3, 600)] * generator.uniform(1, 5, (600, 1))
    centres = _spherical_k_means(
        (points + generator.normal(0, 0.05, points.shape)).astype(np.float32), 12, generator, math.inf
    )
    assert np.allclose(np.linalg.norm(centres, axis=1), 1.0, atol=1e-5)
    assert (directions @ centres.T).max(axis=1).min() > 0.99


def test_near_a_deadline_images_are_read_less_densely():
    batch = images(400, 24, 24)
    at_ease, _ = fitted(batch, positions=24)
    hurried, _ = fitted(batch, positions=24, deadline=time.monotonic() - 1.0)
    assert at_ease.arrays["stride"][0] == 1 and hurried.arrays["stride"][0] == 4


def test_the_dictionary_of_images_of_one_colour_is_harmless():
    batch = np.full((5, 8, 8, 1), 77, np.uint8)
    _, call = fitted(batch)
    assert np.isfinite(call(batch)).all()


def test_a_dictionary_of_another_kind_of_images_is_refused():
    _, call = fitted(images(20, channels=3))
    with pytest.raises(ProgramError, match="do not fit"):
        call(images(2, channels=1))


# -- kernel ridge ----------------------------------------------------------------------------------------------------


def test_with_every_row_a_landmark_it_is_kernel_ridge_regression():
    from sklearn.kernel_ridge import KernelRidge

    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(120, 4)), generator.normal(size=(120, 2))
    closeness = _Closeness.of(x, 1.0)
    kept = _Products(closeness, 2)
    kept.add(kept.features(x), y, np.ones(120))
    asked = generator.normal(size=(30, 4))
    ours = closeness(asked) @ kept.of_closeness(kept.solved(0.5))
    theirs = KernelRidge(alpha=0.5, kernel="rbf", gamma=closeness.gamma).fit(x, y).predict(asked)
    assert np.abs(ours - theirs).max() < 1e-3, np.abs(ours - theirs).max()


def test_it_learns_a_curve_that_no_line_can():
    generator = np.random.default_rng(0)
    x = generator.uniform(-3, 3, (800, 1))
    y = np.sin(2 * x[:, 0])
    state = KERNEL.fit((x,), y, FitContext(output=Real, train_rows=600), landmarks=100, width=0.3)
    assert np.abs(KERNEL.call(x[600:], state=state) - y[600:]).mean() < 0.01


def test_the_probabilities_of_noisy_classes_are_believable():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(6000, 2))
    chance = 1 / (1 + np.exp(-3 * x[:, 0]))
    y = (generator.random(6000) < chance).astype(np.int64)
    state = KERNEL.fit((x,), y, context(4000), landmarks=200, width=1.2)
    assert np.abs(KERNEL.call(x[4000:], state=state)[:, 1] - chance[4000:]).mean() < 0.06


def test_at_the_deadline_it_answers_from_the_rows_it_has_seen():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40_000, 10)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    start = time.monotonic()
    state = KERNEL.fit((x,), y, context(40_000, deadline=start), landmarks=100, width=1.2)
    assert time.monotonic() - start < 5.0
    assert (KERNEL.call(x[:500], state=state).argmax(axis=1) == y[:500]).mean() > 0.85


# -- first answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "accuracy"),
    [("kernel_ridge(hog(image), landmarks=1000)", 0.86), ("linear(hog(image))", 0.86),
     ("kernel_ridge(standardise(patch_features(image, patches=100, positions=8)), landmarks=1000)", 0.82)],
)  # fmt: skip
def test_a_first_answer_on_fashion_mnist_is_worth_its_seconds(shared_data, program, accuracy):
    folder = shared_data / "fashion-mnist"
    x = np.frombuffer(
        gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    y = np.frombuffer(
        gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8
    )
    order = np.random.default_rng(0).permutation(len(y))[:5000]
    batch = Batch((x.reshape(-1, 28, 28, 1)[order],), y[order].astype(np.int64), 4000)
    grown = parse(f"lambda image: {program}", WORD)
    told = FitContext(output=Dist(10), train_rows=4000, types=(Image(28, 28, 1),))
    predicted = resolve(grown).fit(grown, batch, told).predictions[4000:]
    assert (predicted.argmax(axis=1) == batch.target[4000:]).mean() > accuracy
