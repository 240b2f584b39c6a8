"""One image: every mode and format becomes upright pixels of 8 bits, and nothing over the limits is unpacked."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from perennial.errors import UnreadableData, UnsafeData
from perennial.modalities.images import decoding
from perennial.modalities.images.decoding import (
    deep_range,
    facts_of,
    levels_of,
    looks_like_image,
    opened,
    upright,
)

FORMATS = {
    "JPEG": "jpg",
    "PNG": "png",
    "BMP": "bmp",
    "GIF": "gif",
    "WEBP": "webp",
    "TIFF": "tif",
    "PPM": "ppm",
}


def ramp(mode="RGB", size=(20, 30)):
    """Brightness grows from left to right; the upper left corner is red in colour."""
    grey = np.tile(np.linspace(0, 255, size[1]).astype(np.uint8), (size[0], 1))
    pixels = np.repeat(grey[:, :, None], 3, axis=2)
    pixels[:4, :4] = (255, 0, 0)
    return Image.fromarray(pixels).convert(mode)


def saved(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return io.BytesIO(stream.getvalue())


def decoded(stream, levels=None):
    image = opened(stream, "x")
    return np.asarray(upright(image, "x", levels or None))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_known_by_its_content_and_gives_its_pixels(format):
    stream = saved(ramp(), format)
    assert looks_like_image(stream.getvalue()[:32])
    facts = facts_of(opened(stream, "x"))
    assert (facts.height, facts.width, facts.format) == (20, 30, format)
    pixels = decoded(saved(ramp(), format))
    assert pixels.shape == (20, 30, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels[10].astype(int) - np.asarray(ramp())[10]).mean() < 8


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("CMYK", "JPEG"),
    ]
    + [("YCbCr", "JPEG"), ("CMYK", "TIFF"), ("LAB", "TIFF"), ("1", "TIFF"), ("I;16", "PNG"), ("F", "TIFF")],
)
def test_every_mode_becomes_grey_or_colour_of_8_bits(mode, format):
    image = ramp("L").convert(mode) if mode in ("I;16", "F") else ramp(mode)
    stream = saved(image, format)
    grey = facts_of(opened(stream, "x")).grey
    pixels = decoded(saved(image, format))
    assert grey == (mode in ("1", "L", "LA", "I;16", "F"))
    assert pixels.shape[:2] == (20, 30) and pixels.ndim == (2 if grey and mode != "LA" else 3)
    left, right = pixels[10, :5].mean(), pixels[10, -5:].mean()
    assert left < 60 and right > 190, f"{mode}: a ramp from dark to bright became {left:.0f} to {right:.0f}"


def test_transparent_parts_are_laid_over_white():
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[:, 4:, 3] = 255
    seen = decoded(saved(Image.fromarray(pixels)))
    assert (seen[:, :4] == 255).all() and (seen[:, 4:] == 0).all()


def test_a_palette_with_transparency_is_laid_over_white():
    image = ramp("L").convert("P")
    seen = decoded(saved(image, "GIF", transparency=image.getpixel((20, 10))))
    assert (seen[10, 20] == 255).all()
    assert (
        "transparent" in facts_of(opened(saved(image, "PNG", transparency=bytes([0, 128, 255])), "x")).marks
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_a_camera_turned_is_turned_back(orientation):
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = orientation
    upright_image = ramp(size=(16, 32))
    undo = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # the transposition that a camera with this mark has made
    stored = upright_image if orientation == 1 else upright_image.transpose(undo[orientation])
    facts = facts_of(opened(saved(stored, "PNG", exif=exif), "x"))
    assert (facts.height, facts.width) == (16, 32)
    assert ("rotated by EXIF" in facts.marks) == (orientation != 1)
    assert np.array_equal(decoded(saved(stored, "PNG", exif=exif)), np.asarray(upright_image))


def test_broken_exif_data_say_nothing():
    stream = saved(ramp(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with decoding.quiet():
        assert facts_of(opened(stream, "x")).height == 20
        assert decoded(stream).shape == (20, 30, 3)


def test_16_bits_are_scaled_by_levels_of_the_set():
    deep = np.tile(np.linspace(0, 4000, 30).astype(np.uint16), (20, 1))
    stream = saved(Image.fromarray(deep))
    lowest, highest, whole = deep_range(opened(stream, "x"), "x")
    assert (lowest, highest, whole) == (0, 4000, True)
    black, white, why = levels_of(lowest, highest, whole)
    assert (black, white) == (0.0, 4095.0) and "12 bits" in why
    pixels = decoded(saved(Image.fromarray(deep)), levels=(black, white))
    assert np.abs(pixels - deep / 4095 * 255).max() <= 0.51


@pytest.mark.parametrize(
    ("lowest", "highest", "whole", "levels"),
    [
        (0, 255, True, (0, 255)),
        (0, 1, True, (0, 1)),
        (0, 16, True, (0, 16)),
        (0, 200, True, (0, 255)),
        (0, 1000, True, (0, 1023)),
        (0, 65535, True, (0, 65535)),
        (0, 10**6, True, (0, 10**6)),
        (0.0, 0.8, False, (0, 1)),
        (0.0, 250.0, False, (0, 255)),
        (-1.0, 1.0, False, (-1, 1)),
        (-3.0, 5.0, False, (-3, 5)),
        (0, 0, True, (0, 1)),
    ],
)
def test_levels_follow_a_rule_with_a_reason(lowest, highest, whole, levels):
    black, white, why = levels_of(lowest, highest, whole)
    assert (black, white) == levels and why


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue", "green")]
    for format in ("GIF", "WEBP", "PNG", "TIFF"):
        stream = saved(frames[0], format, save_all=True, append_images=frames[1:])
        assert "animated" in facts_of(opened(stream, "x")).marks, format
        red, _, blue = decoded(stream)[5, 5]
        assert red > 200 and blue < 60, format


def test_a_large_jpeg_is_decoded_at_a_smaller_scale_with_the_same_look():
    image = ramp(size=(800, 1200))
    whole = decoded(saved(image, "JPEG"))
    small = upright(opened(saved(image, "JPEG"), "x"), "x", None, wanted=(40, 60))
    assert whole.shape == (800, 1200, 3) and small.size[0] < 400
    assert abs(np.asarray(small).mean() - whole.mean()) < 3


def png_claiming(width, height):
    """A PNG header of any size, and almost no data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "size", [(50_000, 50_000), (2**31 - 1, 1), (1, 100_000), (9_000, 9_000), (40_000, 10)]
)
def test_an_image_over_the_limits_is_refused_by_its_header(size):
    with pytest.raises(UnsafeData) as caught:
        opened(io.BytesIO(png_claiming(*size)), "bomb.png")
    assert caught.value.where == "bomb.png"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (b"<?xml version='1.0'?><svg/>", "XML"),
        (b"not an image at all", "text"),
        (bytes(range(256)), "damaged or unknown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "text"),
    ],
)
def test_what_is_no_image_is_named(content, what):
    with pytest.raises(UnreadableData, match=what):
        opened(io.BytesIO(content), "x")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_a_truncated_image_is_unreadable_and_never_half_an_image(format):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8))
    data = saved(noise, format).getvalue()
    with decoding.quiet(), pytest.raises(UnreadableData):
        decoded(io.BytesIO(data[: len(data) // 2]))


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_are_unreadable_or_pixels_and_never_another_error(seed):
    generator = np.random.default_rng(seed)
    format = list(FORMATS)[seed % len(FORMATS)]
    data = bytearray(saved(ramp(), format).getvalue())
    for place in generator.integers(0, len(data), 8):
        data[place] = generator.integers(0, 256)
    try:
        with decoding.quiet():
            assert decoded(io.BytesIO(bytes(data))).dtype == np.uint8
    except (UnreadableData, UnsafeData):
        pass
