"""The operations of TrivialAugment (Müller and Hutter 2021, "TrivialAugment: Tuning-free yet
state-of-the-art").

Each takes `images` as floats of 0 to 255 `(n, height, width, channels)`, `strengths` `(n,)` of 0 to 1,
`signs` `(n,)` of -1 or 1, and `fill`, a value for each channel for what comes in from outside; and gives
new images. At strength 1 it goes as far as the paper's wide space, except that images move by half their
side at most: further, small images are empty. Colours are blended as Pillow does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

FURTHEST_SHEAR, FURTHEST_MOVE, FURTHEST_TURN = 0.99, 0.5, math.radians(135.0)
STRONGEST_BLEND, MOST_BITS_LOST = 0.99, 6
LUMINANCE = (0.299, 0.587, 0.114)
SMOOTH_CENTRE, SMOOTH_SUM = 5.0, 13.0


def identity(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """As it is."""
    return images


def shear_x(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Rows slide sideways, the more the further from the middle."""
    slide = signs * strengths * FURTHEST_SHEAR
    return affine(images, _matrices(xy=slide), fill)


def shear_y(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Columns slide up and down, the more the further from the middle."""
    slide = signs * strengths * FURTHEST_SHEAR
    return affine(images, _matrices(yx=slide), fill)


def translate_x(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Moves sideways."""
    move = signs * strengths * FURTHEST_MOVE * images.shape[2]
    return affine(images, _matrices(x=move), fill)


def translate_y(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Moves up or down."""
    move = signs * strengths * FURTHEST_MOVE * images.shape[1]
    return affine(images, _matrices(y=move), fill)


def rotate(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Turns about the middle."""
    angle = signs * strengths * FURTHEST_TURN
    cosine, sine = np.cos(angle), np.sin(angle)
    return affine(images, _matrices(yy=cosine, yx=-sine, xy=sine, xx=cosine), fill)


def affine(images: Any, matrices: np.ndarray, fill: Any) -> Any:
    """Each pixel `(y, x)` of the result comes from the nearest pixel to `matrix @ (y, x, 1)`.

    Coordinates count from the middle of the image; `matrices` is `(n, 2, 3)`.
    """
    import torch

    n, height, width, channels = images.shape
    matrices = torch.from_numpy(matrices).to(images.device)[..., None, None]
    down = (torch.arange(height, device=images.device, dtype=torch.float64) - (height - 1) / 2)[:, None]
    right = (torch.arange(width, device=images.device, dtype=torch.float64) - (width - 1) / 2)[None, :]
    ys, xs = (matrices[:, k, 0] * down + matrices[:, k, 1] * right + matrices[:, k, 2] for k in (0, 1))
    ys = (ys + (height - 1) / 2 + 0.5).floor().long()
    xs = (xs + (width - 1) / 2 + 0.5).floor().long()
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    first = torch.arange(n, device=images.device)[:, None, None] * (height * width)
    places = (first + ys.clamp(0, height - 1) * width + xs.clamp(0, width - 1)).reshape(-1)
    taken = images.reshape(-1, channels).index_select(0, places).view(images.shape)
    return torch.where(inside.unsqueeze(-1), taken, fill.to(images.device, images.dtype))


def _matrices(
    yy: Any = 1.0, yx: Any = 0.0, y: Any = 0.0, xy: Any = 0.0, xx: Any = 1.0, x: Any = 0.0
) -> np.ndarray:
    entries = np.broadcast_arrays(*(np.atleast_1d(np.float64(entry)) for entry in (yy, yx, y, xy, xx, x)))
    return np.stack(entries, axis=-1).reshape(-1, 2, 3)


def brightness(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Towards black, or away from it."""
    return _blended(images, 0.0, strengths, signs)


def colour(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Towards grey, or away from it; images without colour stay."""
    return _blended(images, _grey(images), strengths, signs) if images.shape[3] == 3 else images


def contrast(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Towards the image's mean grey, or away from it."""
    mean = (_grey(images).mean(dim=(1, 2, 3), keepdim=True) + 0.5).floor()
    return _blended(images, mean, strengths, signs)


def sharpness(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Towards the image smoothed over 3 × 3 pixels, or away from it; the border stays."""
    height, width = images.shape[1:3]
    if min(height, width) < 3:
        return images
    total = sum(
        images[:, down : height - 2 + down, right : width - 2 + right]
        for down in range(3)
        for right in range(3)
    )
    inner = images[:, 1:-1, 1:-1]
    smooth = images.clone()
    smooth[:, 1:-1, 1:-1] = ((total + (SMOOTH_CENTRE - 1.0) * inner) / SMOOTH_SUM + 0.5).floor()
    return _blended(images, smooth, strengths, signs)


def _grey(images: Any) -> Any:
    """One channel of luminance, in whole numbers."""
    if images.shape[3] != 3:
        return images.mean(dim=3, keepdim=True)
    red, green, blue = images.unbind(dim=3)
    grey = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue
    return (grey + 0.5).floor().unsqueeze(3)


def _blended(images: Any, other: Any, strengths: np.ndarray, signs: np.ndarray) -> Any:
    """`other` at factor 0, the images at factor 1."""
    import torch

    factors = torch.from_numpy(1.0 + signs * strengths * STRONGEST_BLEND).to(images.device, images.dtype)
    return (other + (images - other) * factors[:, None, None, None]).clamp(0.0, 255.0)


def posterize(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Loses up to six of eight bits."""
    import torch

    steps = torch.from_numpy(2.0 ** np.round(strengths * MOST_BITS_LOST)).to(images.device, images.dtype)
    steps = steps[:, None, None, None]
    return (images / steps).floor() * steps


def solarize(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Inverts what is brighter than a threshold."""
    import torch

    least = torch.from_numpy(256.0 * (1.0 - strengths)).to(images.device, images.dtype)
    return torch.where(images >= least[:, None, None, None], 255.0 - images, images)


def autocontrast(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Stretches each channel from black to full; a channel of one value stays."""
    import torch

    low, high = images.amin(dim=(1, 2), keepdim=True), images.amax(dim=(1, 2), keepdim=True)
    span = high - low
    stretched = (images - low) * (255.0 / torch.where(span > 0, span, 1.0))
    return torch.where(span > 0, stretched, images)


def equalize(images: Any, strengths: np.ndarray, signs: np.ndarray, fill: Any) -> Any:
    """Spreads the values of each channel evenly, by its histogram; a channel of one value stays."""
    import torch

    n, height, width, channels = images.shape
    values = images.round().clamp(0, 255).long().permute(0, 3, 1, 2).reshape(n * channels, -1)
    counts = torch.zeros(n * channels, 256, dtype=torch.long, device=images.device)
    counts.scatter_add_(1, values, torch.ones_like(values))
    last = counts.gather(1, values.amax(dim=1, keepdim=True))
    step = (counts.sum(dim=1, keepdim=True) - last) // 255
    before = counts.cumsum(dim=1) - counts
    table = ((step // 2 + before) // step.clamp(min=1)).clamp(max=255)
    new = torch.where(step > 0, table.gather(1, values), values)
    return new.view(n, channels, height, width).permute(0, 2, 3, 1).to(images.dtype)


OPERATIONS: Mapping[str, Callable[[Any, np.ndarray, np.ndarray, Any], Any]] = MappingProxyType(
    {
        operation.__name__: operation
        for operation in (
            identity, shear_x, shear_y, translate_x, translate_y, rotate, brightness, colour, contrast,
            sharpness, posterize, solarize, autocontrast, equalize,
        )
    }
)  # fmt: skip
