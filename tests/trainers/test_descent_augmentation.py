"""Every change to images, against a slow loop or against Pillow."""

import math

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from perennial.trainers.descent import trivial
from perennial.trainers.descent.augmentation import Augmentation, cut, moved
from perennial.trainers.descent.recipe import Recipe
from perennial.trainers.descent.test_time import VIEWS, mean_of_views, views

torch = pytest.importorskip("torch")
HEIGHT, WIDTH = 9, 12


def photos(n=6, channels=3, seed=0):
    """Bytes with smooth parts and noise."""
    generator = np.random.default_rng(seed)
    ramp = np.linspace(20, 200, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1)
    noise = generator.integers(0, 50, (n, HEIGHT, WIDTH, channels))
    return torch.from_numpy((ramp + noise).astype(np.uint8))


def augmentation(images, **recipe):
    return Augmentation(Recipe(**recipe), images, seed=0)


def mirrored_position(position, length):
    while not 0 <= position < length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_moves_and_mirrors_are_those_of_a_loop_over_pixels(kind):
    images = photos(channels=2).to(kind)
    generator = np.random.default_rng(1)
    down, right = generator.integers(-5, 6, 6), generator.integers(-5, 6, 6)
    mirrored = np.array([True, False] * 3)
    result = moved(images, down, right, mirrored)
    assert result.dtype == kind
    for n in range(6):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                across = WIDTH - 1 - x if mirrored[n] else x
                source = (
                    mirrored_position(y - down[n], HEIGHT),
                    mirrored_position(across - right[n], WIDTH),
                )
                assert (result[n, y, x] == images[n, *source]).all()


def test_an_image_of_one_pixel_can_be_moved():
    image = torch.full((1, 1, 1, 1), 7, dtype=torch.uint8)
    assert moved(image, np.array([3]), np.array([-2]), np.array([True])).item() == 7


def test_what_is_cut_out_is_a_square_that_the_edge_may_cross():
    images = photos(channels=3)
    tops, lefts = np.array([-2, 0, 3, 7, 4, 8]), np.array([0, -1, 5, 10, 11, 3])
    fill = torch.tensor([1.2, 100.0, 250.9])
    result = cut(images, tops, lefts, 4, fill)
    for n in range(6):
        for y in range(HEIGHT):
            for x in range(WIDTH):
                inside = tops[n] <= y < tops[n] + 4 and lefts[n] <= x < lefts[n] + 4
                expected = [1, 100, 251] if inside else images[n, y, x].tolist()
                assert result[n, y, x].tolist() == expected


def affine_by_hand(image, source, fill):
    """`source` gives, for a pixel counted from the middle, where it comes from."""
    result = np.empty_like(image)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            down, right = source(y - (HEIGHT - 1) / 2, x - (WIDTH - 1) / 2)
            row = math.floor(down + (HEIGHT - 1) / 2 + 0.5)
            column = math.floor(right + (WIDTH - 1) / 2 + 0.5)
            inside = 0 <= row < HEIGHT and 0 <= column < WIDTH
            result[y, x] = image[row, column] if inside else fill
    return result


GEOMETRY = {
    "identity": lambda strength: lambda y, x: (y, x),
    "shear_x": lambda strength: lambda y, x: (y, x + 0.99 * strength * y),
    "shear_y": lambda strength: lambda y, x: (y + 0.99 * strength * x, x),
    "translate_x": lambda strength: lambda y, x: (y, x + 0.5 * strength * WIDTH),
    "translate_y": lambda strength: lambda y, x: (y + 0.5 * strength * HEIGHT, x),
    "rotate": lambda strength: (
        lambda y, x: (
            math.cos(math.radians(135) * strength) * y - math.sin(math.radians(135) * strength) * x,
            math.sin(math.radians(135) * strength) * y + math.cos(math.radians(135) * strength) * x,
        )
    ),
}


def blend(other, image, factor):
    return np.clip(other + (image.astype(float) - other) * factor, 0, 255)


def grey(image):
    return np.asarray(Image.fromarray(image).convert("L"), float)


def factor(strength):
    return 1 + 0.99 * strength


PHOTOMETRY = {
    "brightness": lambda image, s: ImageEnhance.Brightness(image).enhance(factor(s)),
    "colour": lambda image, s: ImageEnhance.Color(image).enhance(factor(s)),
    "contrast": lambda image, s: ImageEnhance.Contrast(image).enhance(factor(s)),
    "sharpness": lambda image, s: ImageEnhance.Sharpness(image).enhance(factor(s)),
    "posterize": lambda image, s: ImageOps.posterize(image, 8 - round(6 * abs(s))),
    "solarize": lambda image, s: ImageOps.solarize(image, math.ceil(256 * (1 - abs(s)))),
    "autocontrast": lambda image, s: ImageOps.autocontrast(image),
    "equalize": lambda image, s: ImageOps.equalize(image),
}
STRENGTHS = np.array([0.0, 0.1, -0.3, 0.45, -0.8, 1.0])
FILL = torch.tensor([9.0, 99.0, 199.0])


def apply(name, images):
    result = trivial.OPERATIONS[name](images.float(), np.abs(STRENGTHS), np.sign(STRENGTHS), FILL)
    return result.numpy()


@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_is_that_of_a_loop_over_pixels(name):
    images = photos()
    result = apply(name, images)
    for n, strength in enumerate(STRENGTHS):
        expected = affine_by_hand(images[n].numpy().astype(float), GEOMETRY[name](strength), FILL.numpy())
        assert np.array_equal(result[n], expected), strength


@pytest.mark.parametrize("name", PHOTOMETRY)
def test_colours_are_those_of_pillow(name):
    images = photos()
    result = apply(name, images)
    assert result.min() >= 0 and result.max() <= 255
    for n, strength in enumerate(STRENGTHS):
        expected = np.asarray(PHOTOMETRY[name](Image.fromarray(images[n].numpy()), strength), float)
        rounding = 1 if name in ("brightness", "colour", "contrast", "sharpness", "autocontrast") else 0
        assert np.abs(np.floor(result[n] + 0.5) - expected).max() <= rounding, strength


def test_every_operation_of_the_space_is_checked_here():
    assert set(GEOMETRY) | set(PHOTOMETRY) == set(trivial.OPERATIONS)


@pytest.mark.parametrize("name", trivial.OPERATIONS)
@pytest.mark.parametrize("channels", [1, 2])
def test_operations_take_images_without_colour_and_of_one_value(name, channels):
    images = torch.full((6, HEIGHT, WIDTH, channels), 80, dtype=torch.uint8)
    result = trivial.OPERATIONS[name](
        images.float(), np.abs(STRENGTHS), np.sign(STRENGTHS), torch.full((channels,), 80.0)
    )
    assert result.shape == images.shape and torch.isfinite(result).all()


def test_trivial_augmentation_gives_each_image_one_operation_of_its_own():
    images = photos(400)
    change = augmentation(images, trivial=1.0)
    result = change(images)
    assert result.dtype == torch.uint8 and result.shape == images.shape
    unchanged = (result == images).flatten(1).all(dim=1).float().mean()
    assert 0.02 < unchanged < 0.3
    assert len({bytes(image.numpy()) for image in change(photos(1).expand(200, -1, -1, -1))}) > 60


def test_floats_are_changed_on_their_own_scale():
    images = photos(100).float() / 127.5 - 1.0
    result = augmentation(images, trivial=1.0)(images)
    assert result.dtype == torch.float32
    assert result.min() >= images.min() - 1e-5 and result.max() <= images.max() + 1e-5
    assert (result != images).any()


@pytest.mark.parametrize(
    "recipe", [{"shift": 0.2}, {"flip": True}, {"cutout": 0.5}, {"trivial": 0.5}], ids=str
)
def test_each_setting_alone_changes_images_and_leaves_what_it_was_given(recipe):
    images = photos(50)
    before = images.clone()
    change = augmentation(images, **recipe)
    assert change.changes_anything and (change(images) != images).any()
    assert torch.equal(images, before)


def test_a_recipe_without_augmentation_changes_nothing():
    images = photos(10)
    change = augmentation(images)
    assert not change.changes_anything and torch.equal(change(images), images)


def test_half_of_the_images_are_mirrored_and_moves_keep_their_reach():
    images = torch.zeros(2000, 1, 9, 1, dtype=torch.uint8)
    images[:, 0, 4] = 1
    places = augmentation(images, shift=2 / 9)(images)[:, 0, :, 0].numpy().argmax(axis=1)
    assert set(places) == {2, 3, 4, 5, 6}
    images = torch.zeros(2000, 1, 9, 1, dtype=torch.uint8)
    images[:, 0, 0] = 1
    flipped = augmentation(images, flip=True)(images)[:, 0, 8, 0].float().mean()
    assert 0.45 < flipped < 0.55


def test_one_seed_gives_one_augmentation():
    images = photos(40)
    told = {"shift": 0.2, "flip": True, "cutout": 0.3, "trivial": 1.0}
    assert torch.equal(augmentation(images, **told)(images), augmentation(images, **told)(images))


def test_views_are_the_image_its_mirror_and_its_neighbours():
    image = np.arange(12).reshape(1, 3, 4, 1)
    other = np.zeros((1, 5))
    counts = {kind: len(list(views([image], kind))) for kind in VIEWS}
    assert counts == VIEWS
    plain, mirrored = (view[0][0, :, :, 0] for view in views([image, other], "flip"))
    assert np.array_equal(plain, image[0, :, :, 0]) and np.array_equal(mirrored, plain[:, ::-1])
    _, up, down = (view[0][0, :, :, 0] for view in views([image], "shift"))
    assert np.array_equal(up[:-1, :-1], plain[1:, 1:]) and np.array_equal(down[1:, 1:], plain[:-1, :-1])


def test_a_prediction_is_the_mean_over_views():
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)

    def corner(arrays):
        return arrays[0][:, 0, 0]

    mean = mean_of_views(corner, [images], "flip")
    assert np.allclose(mean, (images[:, 0, 0] + images[:, 0, -1]) / 2) and mean.dtype == np.float32
    assert np.array_equal(mean_of_views(corner, [images], "none"), images[:, 0, 0])
