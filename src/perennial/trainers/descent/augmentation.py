"""Random changes to batches of images that do not change what they show, drawn anew for each image.

Shift and mirror (LeCun et al. 1998, Krizhevsky et al. 2012), cutout (DeVries and Taylor 2017) and
TrivialAugment (Müller and Hutter 2021). Random numbers come from NumPy, so that one seed means one result
on every machine; pixels are moved by PyTorch, for the whole batch at once, where the batch lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perennial.trainers.descent import trivial

if TYPE_CHECKING:
    from perennial.trainers.descent.recipe import Recipe

SAMPLED_IMAGES = 512
BYTE = 255.0


class Augmentation:
    """Changes images `(n, height, width, channels)` of bytes or floats; the shape and the kind of number
    stay.

    Args:
        recipe: `shift`, `flip`, `cutout` and `trivial`.
        images: training images, at least one; their first few hundred say how numbers are spread.
        seed: of all draws.
    """

    def __init__(self, recipe: Recipe, images: Any, seed: int) -> None:
        self.recipe, self.generator = recipe, np.random.default_rng((seed, 1))
        height, width, channels = images.shape[1:]
        self.height, self.width = height, width
        self.reach = round(recipe.shift * height), round(recipe.shift * width)
        self.side = round(recipe.cutout * min(height, width))
        sample = images[:SAMPLED_IMAGES].float()
        self.fill = sample.reshape(-1, channels).mean(dim=0)
        self.low, self.high = 0.0, BYTE
        if images.is_floating_point():
            self.low, self.high = float(sample.min()), max(float(sample.max()), float(sample.min()) + 1e-12)

    @property
    def changes_anything(self) -> bool:
        """Whether any change is asked for and possible."""
        return bool(any(self.reach) or self.recipe.flip or self.side or self.recipe.trivial)

    def __call__(self, images: Any) -> Any:
        """The changed batch; a new tensor."""
        draw, n = self.generator, len(images)
        if self.recipe.trivial:
            images = self._trivial(images)
        if any(self.reach) or self.recipe.flip:
            down, right = (draw.integers(-reach, reach + 1, n) for reach in self.reach)
            mirrored = draw.random(n) < 0.5 if self.recipe.flip else np.zeros(n, bool)
            images = moved(images, down, right, mirrored)
        if self.side:
            rows, columns = draw.integers(0, self.height, n), draw.integers(0, self.width, n)
            images = cut(images, rows - self.side // 2, columns - self.side // 2, self.side, self.fill)
        return images

    def _trivial(self, images: Any) -> Any:
        """One operation of one strength for each image."""
        import torch

        draw, n = self.generator, len(images)
        kinds = draw.integers(0, len(trivial.OPERATIONS), n)
        strengths = draw.random(n) * self.recipe.trivial
        signs = np.where(draw.random(n) < 0.5, -1.0, 1.0)
        span = BYTE / (self.high - self.low)
        changed = images.clone()
        for kind, operation in enumerate(trivial.OPERATIONS.values()):
            where = np.flatnonzero(kinds == kind)
            if not len(where) or operation is trivial.identity:
                continue
            rows = torch.from_numpy(where).to(images.device)
            bytes_ = (images.index_select(0, rows).float() - self.low) * span
            fill = (self.fill - self.low) * span
            new = operation(bytes_, strengths[where], signs[where], fill)
            if not images.is_floating_point():
                changed[rows] = new.round().clamp(0, BYTE).to(images.dtype)
            else:
                changed[rows] = (new / span + self.low).to(images.dtype)
        return changed


def moved(images: Any, down: np.ndarray, right: np.ndarray, mirrored: np.ndarray) -> Any:
    """Each image moved by whole pixels, what comes in from outside reflected at the edge, then mirrored or
    not.

    Args:
        images: `(n, height, width, channels)`.
        down: pixels down, `(n,)`; negative is up.
        right: pixels to the right, `(n,)`.
        mirrored: whether to exchange left and right, `(n,)`.
    """
    import torch

    n, height, width, channels = images.shape
    rows = reflected(np.arange(height) - down[:, None], height)
    columns = np.where(mirrored[:, None], np.arange(width)[::-1], np.arange(width)) - right[:, None]
    columns = reflected(columns, width)
    flat = (np.arange(n) * height)[:, None] + rows
    places = (flat[:, :, None] * width + columns[:, None, :]).ravel()
    places = torch.from_numpy(places).to(images.device)
    return images.reshape(-1, channels).index_select(0, places).view(n, height, width, channels)


def reflected(positions: np.ndarray, length: int) -> np.ndarray:
    """Positions outside 0 to `length` - 1, mirrored at the first and the last.

    >>> reflected(np.array([-2, -1, 0, 3, 4]), 4).tolist()
    [2, 1, 0, 3, 2]
    """
    if length == 1:
        return np.zeros_like(positions)
    around = np.abs(positions) % (2 * (length - 1))
    return np.minimum(around, 2 * (length - 1) - around)


def cut(images: Any, tops: np.ndarray, lefts: np.ndarray, side: int, fill: Any) -> Any:
    """A square of each image filled; what of it lies outside the image is lost.

    Args:
        images: `(n, height, width, channels)`.
        tops: first row of the squares, `(n,)`; may be negative.
        lefts: first column, `(n,)`.
        side: of the squares, in pixels.
        fill: a value for each channel.
    """
    import torch

    height, width = images.shape[1:3]
    rows, columns = np.arange(height) - tops[:, None], np.arange(width) - lefts[:, None]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    inside = torch.from_numpy(inside).to(images.device).unsqueeze(-1)
    fill = fill if images.is_floating_point() else fill.round()
    return torch.where(inside, fill.to(images.device, images.dtype), images)
