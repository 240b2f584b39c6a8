"""The common size of images: the rule, its reasons, and how an image of another shape is fitted."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from PIL import Image

from perennial.errors import DataError, UsageError
from perennial.modalities.images.sizing import choose_size, fitted, inner_box
from perennial.modalities.images.wishes import ImageWishes, size_of


def chosen(heights, widths, count=1, channels=3, **wishes):
    heights, widths = np.repeat(heights, count), np.repeat(widths, count)
    return choose_size(heights, widths, channels, ImageWishes(**wishes))


@pytest.mark.parametrize(
    ("height", "width", "count", "size"),
    [
        (28, 28, 60_000, (28, 28)),
        (32, 32, 10_000, (32, 32)),
        (100, 100, 2_062, (64, 64)),
        (100, 100, 300, (100, 100)),
        (600, 800, 100, (96, 128)),
        (600, 800, 10_000, (24, 32)),
        (3000, 1000, 50, (128, 40)),
        (5, 7, 50, (5, 7)),
        (10, 2_000, 50, (32, 128)),
    ],
)
def test_the_size_follows_from_the_sizes_and_the_number_of_images(height, width, count, size):
    sizing = chosen(height, width, count)
    assert (sizing.height, sizing.width) == size
    assert "--image-size overrules" in sizing.reasons[0] and "--image-fit" in sizing.reasons[1]


def test_images_are_never_blown_up_beyond_what_they_typically_are():
    sizing = chosen([20, 24, 40], [20, 24, 40], 30)
    assert (sizing.height, sizing.width) == (24, 24)


def test_memory_makes_images_smaller_and_says_so():
    free, tight = chosen(64, 64, 1_000), chosen(64, 64, 1_000, memory=4 * 1_000 * 3 * 40 * 40)
    assert free.height == 64 and tight.height == 40
    assert "memory" in tight.reasons[0]


def test_too_many_images_for_the_memory_are_an_error_that_names_the_remedy():
    with pytest.raises(DataError, match="need more than") as caught:
        chosen(64, 64, 100_000, memory=2**20)
    assert "--memory" in caught.value.todo


def test_the_user_decides_over_size_and_fit():
    sizing = chosen([600, 400], [800, 800], 10, size=48, fit="stretch")
    assert max(sizing.height, sizing.width) == 48 and sizing.fit == "stretch"
    sizing = chosen(600, 800, 10, size=(40, 30))
    assert (sizing.height, sizing.width, sizing.fit) == (40, 30, "pad")


def test_margins_are_cut_when_little_is_lost_and_padded_when_much_would_be():
    assert chosen([100, 105, 95], [100, 100, 100], 30).fit == "crop"
    assert chosen([100, 200, 50], [100, 100, 100], 30).fit == "pad"
    assert chosen([50, 100], [50, 100], 30).fit == "pad"


@pytest.mark.parametrize("wish", [{"size": 2}, {"size": 100_000}, {"size": (0, 5)}, {"fit": "squash"}])
def test_impossible_wishes_are_refused(wish):
    with pytest.raises(UsageError):
        ImageWishes(**wish)


@pytest.mark.parametrize("text", ["big", "12.5", "1x2x3", "-5", "x", ""])
def test_a_size_that_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="HEIGHTxWIDTH") as caught:
        size_of(text)
    assert "--image-size 64" in caught.value.todo


sides = some.integers(1, 60)


@given(sides, sides, sides, sides)
def test_a_padded_image_lies_whole_in_the_middle_and_keeps_its_shape(height, width, tall, wide):
    top, left, inner_height, inner_width = inner_box(height, width, (tall, wide))
    assert 0 <= top and 0 <= left and top + inner_height <= tall and left + inner_width <= wide
    assert inner_height == tall or inner_width == wide
    assert abs(top - (tall - inner_height - top)) <= 1 and abs(left - (wide - inner_width - left)) <= 1
    scale = min(tall / height, wide / width)
    assert abs(inner_height - height * scale) <= 1 and abs(inner_width - width * scale) <= 1


@example(1, 25, 1, 39, "crop", "L")  # rounding put the left edge at -1e-15
@given(
    sides,
    sides,
    sides,
    sides,
    some.sampled_from(["pad", "crop", "stretch"]),
    some.sampled_from("L RGB".split()),
)
def test_every_fit_fills_the_canvas_with_the_image(height, width, tall, wide, fit, mode):
    image = Image.new(mode, (width, height), 200 if mode == "L" else (200, 200, 200))
    pixels, (top, left, inner_height, inner_width) = fitted(image, (tall, wide), fit)
    assert pixels.shape == (tall, wide, len(mode)) and pixels.dtype == np.uint8
    assert (pixels[top : top + inner_height, left : left + inner_width] == 200).all()
    assert fit == "pad" or (inner_height, inner_width) == (tall, wide)


def test_cropping_keeps_the_centre():
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 10:20] = 255
    cut, _ = fitted(Image.fromarray(pixels), (10, 10), "crop")
    assert (cut == 255).all()
