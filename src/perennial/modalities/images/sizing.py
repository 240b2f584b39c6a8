"""One size for all images: the rule, and how an image of another shape is fitted to it.

The rule: no image becomes larger than images typically are; all images together hold at most ten million pixels, but
the longer side is never pressed under 32 pixels nor kept over 128; what does not fit into the memory shrinks further.
Sides are multiples of 8 unless the images have the wanted size already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.errors import DataError
from perennial.modalities.images.wishes import SMALLEST_SIDE, ImageWishes

PIXELS_OF_ALL = 10_000_000
SHORTEST, LONGEST = 32, 128
MEMORY = 1 * 2**30
SHARE_OF_MEMORY = 0.25
STEP = 8
STEEPEST = 4.0
SAME_SHAPE = 0.05
LITTLE_LOSS = 0.1
MANY = 0.9


@dataclass(frozen=True)
class Sizing:
    """The common size and how images are fitted to it.

    Args:
        height, width: in pixels.
        fit: `pad`, `crop` or `stretch`.
        reasons: sentences, each with the flag that overrules.
    """

    height: int
    width: int
    fit: str
    reasons: tuple[str, ...]


def choose_size(heights: np.ndarray, widths: np.ndarray, channels: int, wishes: ImageWishes) -> Sizing:
    """The common size of images, and why.

    Args:
        heights, widths: of every image, `(n,)`, in pixels.
        channels: 1 or 3.
        wishes: what the user said.

    Raises:
        DataError: even small, the images do not fit into the memory.

    >>> choose_size(np.full(2062, 100), np.full(2062, 100), 3, ImageWishes()).reasons[0]
    '64 x 64 pixels: 2062 images are learnt from in reasonable time so; --image-size overrules'
    """
    fit, why_fit = _fit(heights, widths, wishes)
    if isinstance(wishes.size, tuple):
        return Sizing(*wishes.size, fit, (f"{_by(*wishes.size)} pixels: you said so", why_fit))
    typical = (float(np.median(heights)), float(np.median(widths)))
    shape = float(np.clip(np.median(heights / widths), 1 / STEEPEST, STEEPEST))
    uniform = bool((heights == heights[0]).all() and (widths == widths[0]).all())
    if wishes.size is not None:
        height, width = _sides(wishes.size, shape, step=1)
        return Sizing(height, width, fit, (f"{_by(height, width)} pixels: you said so", why_fit))
    limit, why = _longest_side(len(heights), max(typical), shape)
    if uniform and max(typical) <= limit and max(typical) <= STEEPEST * min(typical):
        height, width, why = int(typical[0]), int(typical[1]), "that is their size"
    else:
        height, width = _sides(min(limit, max(typical)), shape, STEP)
    height, width, why = _in_memory(height, width, channels * len(heights), wishes, why)
    return Sizing(
        height, width, fit, (f"{_by(height, width)} pixels: {why}; --image-size overrules", why_fit)
    )


def inner_box(height: int, width: int, canvas: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where an image lies on a canvas `(height, width)` that it is padded to: top, left, height, width.

    >>> inner_box(10, 20, (8, 8))
    (2, 0, 4, 8)
    """
    scale = min(canvas[0] / height, canvas[1] / width)
    inner = (
        min(canvas[0], max(1, round(height * scale))),
        min(canvas[1], max(1, round(width * scale))),
    )
    return (canvas[0] - inner[0]) // 2, (canvas[1] - inner[1]) // 2, *inner


def fitted(image: Any, canvas: tuple[int, int], fit: str) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The pixels of a Pillow image of mode `L` or `RGB` on a canvas `(height, width)`, and the box that it fills.

    Returns:
        `(height, width, channels)` as uint8, 0 outside the box; top, left, height, width of the box.
    """
    width, height = image.size
    if (height, width) == canvas:
        return _array(image), (0, 0, *canvas)
    box = inner_box(height, width, canvas) if fit == "pad" else (0, 0, *canvas)
    part = _cropped(height, width, canvas) if fit == "crop" else None
    resized = _array(_resize(image, (box[3], box[2]), part))
    if box[2:] == canvas:
        return resized, box
    whole = np.zeros((*canvas, resized.shape[2]), dtype=np.uint8)
    whole[box[0] : box[0] + box[2], box[1] : box[1] + box[3]] = resized
    return whole, box


def _resize(image: Any, size: tuple[int, int], part: tuple[float, float, float, float] | None) -> Any:
    from PIL import Image

    return image.resize(size, Image.Resampling.BILINEAR, box=part, reducing_gap=3.0)


def _cropped(height: int, width: int, canvas: tuple[int, int]) -> tuple[float, float, float, float]:
    """The centre of an image that has the shape of the canvas: left, top, right, bottom."""
    scale = min(height / canvas[0], width / canvas[1])
    tall, wide = canvas[0] * scale, canvas[1] * scale
    top, left = max(0.0, (height - tall) / 2), max(0.0, (width - wide) / 2)  # rounding may fall below zero
    return left, top, min(left + wide, width), min(top + tall, height)


def _array(image: Any) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _fit(heights: np.ndarray, widths: np.ndarray, wishes: ImageWishes) -> tuple[str, str]:
    if wishes.fit is not None:
        return wishes.fit, f"{wishes.fit}: you said so"
    shapes = heights / widths
    wanted = float(np.clip(np.median(shapes), 1 / STEEPEST, STEEPEST))
    if isinstance(wishes.size, tuple):
        wanted = wishes.size[0] / wishes.size[1]
    lost = 1 - np.minimum(shapes, wanted) / np.maximum(shapes, wanted)
    if lost.max() <= SAME_SHAPE:
        return "pad", "pad: the images have one shape, so a border is hardly needed; --image-fit overrules"
    if np.mean(lost <= LITTLE_LOSS) >= MANY:
        return (
            "crop",
            f"crop: {MANY:.0%} of the images lose at most {LITTLE_LOSS:.0%} so; --image-fit overrules",
        )
    return "pad", f"pad: cutting would lose up to {lost.max():.0%} of an image; --image-fit crop overrules"


def _longest_side(count: int, typical: float, shape: float) -> tuple[float, str]:
    """The longest side that is allowed, and the reason for the size that follows."""
    flat = min(shape, 1 / shape)
    allowed = float(np.sqrt(PIXELS_OF_ALL / max(count, 1) / flat))
    limit = min(max(allowed, SHORTEST), LONGEST)
    if typical <= limit:
        return limit, "as large as they typically are"
    if limit == LONGEST:
        return limit, f"{LONGEST} pixels on the longer side show most things and are quick to learn from"
    return limit, f"{count} images are learnt from in reasonable time so"


def _sides(longer: float, shape: float, step: int) -> tuple[int, int]:
    """Height and width with a given longer side, multiples of `step` where they are long enough for it."""
    sides = (longer, longer / shape) if shape >= 1 else (longer * shape, longer)
    height, width = (
        max(SMALLEST_SIDE, int(side + 1e-6) // step * step if side >= 2 * step else round(side))
        for side in sides
    )
    return height, width


def _in_memory(height: int, width: int, images: int, wishes: ImageWishes, why: str) -> tuple[int, int, str]:
    """A smaller size when the images would take more than their share of the memory."""
    limit = MEMORY if wishes.memory is None else int(SHARE_OF_MEMORY * wishes.memory)
    if height * width * images <= limit:
        return height, width, why
    scale = np.sqrt(limit / images / (height * width))
    smaller = _sides(scale * max(height, width), height / width, STEP)
    if min(smaller) < min(STEP, height, width) or smaller[0] * smaller[1] * images > limit:
        raise DataError(
            f"{images} images of one channel need more than {limit / 2**20:.0f} MB even when they are small.",
            why="All images are kept in memory, at most a quarter of what a process may use.",
            todo="Allow more with --memory, or pass a part of the images.",
        )
    return *smaller, f"all images together take {limit / 2**20:.0f} MB of memory at most"


def _by(height: int, width: int) -> str:
    return f"{height} x {width}"
