"""One image: from bytes of any known format to pixels of 8 bits, with limits on what it may unpack to.

Formats are known by content, never by name. What a camera turned is turned back (EXIF), transparent parts are laid
over white, CMYK and palettes become RGB, and of several frames the first is taken. Pixels deeper than 8 bits are
scaled by levels that hold for the whole set.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from perennial.errors import UnreadableData, UnsafeData

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
HEAD_BYTES = 32
LARGEST_PIXELS = 64 * 2**20
LONGEST_SIDE = 30_000
LARGEST_BYTES = 512 * 2**20
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
GREY_MODES = ("1", "L", "LA", "La", *DEEP_MODES)
ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
DRAFT = 2


@dataclass(frozen=True)
class Facts:
    """What the header of an image says.

    Args:
        height, width: in pixels, as it is meant to be seen.
        grey: whether its mode holds no colour.
        deep: whether its pixels have more than 8 bits.
        format: such as `PNG`.
        marks: what is special: `rotated by EXIF`, `animated`, `transparent`, `palette`, `CMYK`, `more than 8 bits`.
    """

    height: int
    width: int
    grey: bool
    deep: bool
    format: str
    marks: tuple[str, ...] = ()


def looks_like_image(head: bytes) -> bool:
    """Whether the first bytes are those of a known format.

    >>> looks_like_image(b"GIF89a..."), looks_like_image(b"<html>")
    (True, False)
    """
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    netpbm = head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()
    bitmap = head[:2] == b"BM" and len(head) >= 14 and int.from_bytes(head[10:14], "little") < 4096
    return head.startswith(MAGIC) or webp or netpbm or bitmap


def named_like_image(name: str) -> bool:
    """Whether the ending of a file name is that of an image."""
    return name.lower().endswith(SUFFIXES)


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings about odd files are silent inside: what they mean is reported as findings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def opened(source: BinaryIO | Any, place: str) -> Any:
    """A Pillow image whose header has been read; its pixels are not.

    Args:
        source: a binary stream, or a Pillow image, which is returned after the same checks.
        place: for messages.

    Raises:
        UnreadableData: these bytes are no image of a known format.
        UnsafeData: it has more pixels than the limit.
    """
    from PIL import Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401 (Pillow knows these only once imported)

    if not isinstance(source, Image.Image):
        try:
            source = Image.open(source, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise UnsafeData(str(error), where=place, why=_TOO_LARGE) from None
        except Image.UnidentifiedImageError:
            raise UnreadableData(f"{_what_it_is(source)}, no image", where=place) from None
        except MemoryError:
            raise
        except Exception as error:  # damaged headers raise whatever the parser stumbled over
            raise UnreadableData(_short(error), where=place) from None
    _refuse_large(source, place)
    return source


def facts_of(image: Any) -> Facts:
    """What the header of an opened image says."""
    mode, turn = image.mode, _orientation(image)
    height, width = image.size[::-1] if turn not in TURNED else image.size
    marks = [
        mark
        for mark, holds in (
            ("rotated by EXIF", turn not in (0, 1)),
            ("animated", image.format != "MPO" and _animated(image)),
            ("transparent", image.has_transparency_data),
            ("palette", mode in ("P", "PA")),
            (mode, mode in ("CMYK", "YCbCr", "LAB", "HSV")),
            ("more than 8 bits", mode in DEEP_MODES),
        )
        if holds
    ]
    return Facts(
        height, width, mode in GREY_MODES, mode in DEEP_MODES, image.format or "in memory", tuple(marks)
    )


def deep_range(image: Any, place: str) -> tuple[float, float, bool]:
    """The lowest and highest value of an image deeper than 8 bits, and whether all values are whole.

    Raises:
        UnreadableData: the pixels cannot be decoded.
    """
    values = _deep_values(_loaded(image, place))
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 0.0, True
    return float(known.min()), float(known.max()), image.mode != "F"


def upright(
    image: Any, place: str, levels: tuple[float, float] | None, wanted: tuple[int, int] | None = None
) -> Any:
    """The image as it is meant to be seen, decoded, in mode `L` or `RGB`.

    Args:
        image: opened.
        place: for messages.
        levels: the values of deeper images that become 0 and 255; None for those of its own range.
        wanted: `(height, width)` that is enough, to decode a large JPEG faster.

    Raises:
        UnreadableData: the pixels cannot be decoded.
    """
    from PIL import Image, ImageOps

    if wanted is not None and image.format in ("JPEG", "MPO"):
        long = DRAFT * max(wanted)
        image.draft(None, (long, long))
    image = _loaded(image, place)
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF data say nothing about how to turn it
        pass
    if image.mode in DEEP_MODES:
        if levels is None:
            levels = levels_of(*deep_range(image, place))[:2]
        image = Image.fromarray(scaled(_deep_values(image), *levels))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def scaled(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Values as uint8, `black` being 0 and `white` 255; what is no number is black.

    >>> scaled(np.array([0.0, 0.5, 1.0, 2.0]), 0.0, 1.0).tolist()
    [0, 128, 255, 255]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        spread = (values.astype(np.float32) - np.float32(black)) * np.float32(
            255.0 / max(white - black, 1e-12)
        )
    return np.rint(np.clip(np.nan_to_num(spread, nan=0.0), 0, 255)).astype(np.uint8)


def levels_of(lowest: float, highest: float, whole: bool) -> tuple[float, float, str]:
    """The values that become black and white, and the reason.

    >>> levels_of(0, 3900, True)[:2], levels_of(0.0, 1.0, False)[:2], levels_of(-1.0, 0.9, False)[:2]
    ((0.0, 4095.0), (0.0, 1.0), (-1.0, 1.0))
    """
    spoken = f"values run from {lowest:.6g} to {highest:.6g}"
    if lowest < 0:
        if lowest >= -1 and highest <= 1:
            return -1.0, 1.0, f"{spoken}: -1 is black and 1 is white"
        return lowest, highest, f"{spoken}: the lowest is black and the highest white"
    if not whole and highest <= 1:
        return 0.0, 1.0, f"{spoken}: 1 is white"
    if highest < 64:
        return 0.0, float(highest) or 1.0, f"{spoken}: the highest is white"
    for bits in (8, 10, 12, 14, 16):
        if highest <= 2**bits - 1:
            return 0.0, float(2**bits - 1), f"{spoken}: {2**bits - 1} is white ({bits} bits)"
    return 0.0, float(highest), f"{spoken}: the highest is white"


# -- how it is done ----------------------------------------------------------------------------------------------------

_TOO_LARGE = f"Unpacked it would fill the memory; the limit is {LARGEST_PIXELS // 2**20} million pixels."


def _refuse_large(image: Any, place: str) -> None:
    width, height = image.size
    if not width or not height:
        raise UnreadableData("an image without pixels", where=place)
    if width * height > LARGEST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise UnsafeData(
            f"The image has {height} x {width} pixels; at most {LARGEST_PIXELS} and {LONGEST_SIDE} on a side are "
            "read.",
            where=place,
            why="Such an image may be a decompression bomb: a small file that fills the memory.",
            todo="Leave it out, or make it smaller with an image program.",
        )


def _loaded(image: Any, place: str) -> Any:
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # damaged pixels raise whatever the decoder stumbled over
        raise UnreadableData(_short(error), where=place) from None
    return image


def _deep_values(image: Any) -> np.ndarray:
    return np.asarray(image).astype(np.float64)


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 0))
    except Exception:  # broken EXIF data
        return 0


def _animated(image: Any) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second frame; the first may be sound
        return False


def _short(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:120].rstrip(".") or type(error).__name__


def _what_it_is(stream: BinaryIO) -> str:
    """The sort of file that was found where an image was expected."""
    try:
        stream.seek(0)
        head = stream.read(512)
    except (OSError, ValueError, io.UnsupportedOperation):
        return "unknown content"
    if not head:
        return "an empty file"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML"
    if text.startswith((b"<?xml", b"<svg")):
        return "XML or SVG"
    if b"\0" not in head and all(byte >= 32 or byte in (9, 10, 13) for byte in head):
        return "text"
    return "damaged or unknown content"
