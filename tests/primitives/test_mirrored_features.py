"""Features that do not know left from right, or one pixel from the next."""

import time

import numpy as np
import pytest

from perennial.lang import Dist, FitContext, Image
from perennial.primitives import vocabulary

WORD = vocabulary()


def images(count: int = 12, shape: tuple[int, ...] = (13, 16, 3)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def patches(batch: np.ndarray, **settings):
    """Patch features with a dictionary from these images, as a function."""
    word = WORD["patch_features"]
    told = FitContext(output=Dist(2), train_rows=len(batch), types=(Image(*batch.shape[1:]),))
    state = word.fit((batch,), None, told, patches=16, size=4, **settings)
    return lambda asked, **more: word.call(asked, state=state, pool=3, **{**settings, **more})


def edges(batch: np.ndarray, **settings):
    return lambda asked, **more: WORD["hog"](asked, **{**settings, **more})


@pytest.mark.parametrize("kind", [edges, patches])
def test_an_image_and_its_mirror_image_have_the_same_features(kind):
    batch = images()
    call = kind(batch, mirrored=True)
    np.testing.assert_allclose(call(batch), call(batch[:, :, ::-1]), atol=1e-5)
    assert np.abs(call(batch) - call(batch[:, ::-1])).max() > 0.01, "up and down still differ"


@pytest.mark.parametrize("kind", [edges, patches])
def test_they_are_the_mean_of_both(kind):
    batch = images()
    call = kind(batch, mirrored=True)
    each = [call(asked, mirrored=False) for asked in (batch, batch[:, :, ::-1])]
    np.testing.assert_allclose(call(batch), (each[0] + each[1]) / 2, atol=1e-5)
    assert np.abs(each[0] - each[1]).max() > 0.01


def padded(batch: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moved by so many pixels; what comes in repeats the edge."""
    wide = np.pad(batch, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return wide[:, 1 - down : 1 - down + batch.shape[1], 1 - right : 1 - right + batch.shape[2]]


AROUND = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]


@pytest.mark.parametrize("kind", [edges, patches])
def test_shifted_features_are_the_mean_over_five_places(kind):
    batch = images()
    call = kind(batch, shifted=True)
    each = [call(padded(batch, *move), shifted=False) for move in AROUND]
    np.testing.assert_allclose(call(batch), np.mean(each, axis=0), atol=1e-5)
    assert np.abs(call(batch) - each[0]).max() > 0.01


@pytest.mark.parametrize("kind", [edges, patches])
def test_mirrored_and_shifted_features_are_the_mean_of_ten_views(kind):
    batch = images()
    call = kind(batch, mirrored=True, shifted=True)
    views = [padded(batch, *move)[:, :, ::step] for move in AROUND for step in (1, -1)]
    each = [call(view, mirrored=False, shifted=False) for view in views]
    np.testing.assert_allclose(call(batch), np.mean(each, axis=0), atol=1e-5)


@pytest.mark.parametrize("kind", [edges, patches])
@pytest.mark.parametrize("views", [{}, {"mirrored": True}, {"shifted": True}], ids=str)
def test_no_images_have_no_features(kind, views):
    batch = images()
    assert kind(batch, **views)(batch[:0]).shape == (0, kind(batch)(batch).shape[1])


def test_near_the_deadline_mirrored_patches_are_read_less_densely():
    batch = images(400, (40, 40, 3))
    word, told = WORD["patch_features"], {"train_rows": 400, "types": (Image(40, 40, 3),), "output": Dist(2)}
    hurried = word.fit(
        (batch,), None, FitContext(**told, deadline=time.monotonic()), patches=16, size=4, mirrored=True
    )
    calm = word.fit((batch,), None, FitContext(**told), patches=16, size=4, mirrored=True)
    assert hurried.arrays["stride"][0] > calm.arrays["stride"][0]
