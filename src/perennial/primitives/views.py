"""Views of an image that mean the same: mirrored, and moved by a pixel. What is read from all of them varies less."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from perennial.lang.ops import Parameter

AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
MIRRORED = Parameter(False, options=(False, True), doc="the mean of an image and its mirror image")
SHIFTED = Parameter(
    False, options=(False, True), doc="the mean of an image and of it moved by a pixel, four ways"
)


def views(images: np.ndarray, mirrored: bool = False, shifted: bool = False) -> Iterator[np.ndarray]:
    """Images `(n, height, width, channels)` as they are, then as the others see them.

    >>> image = np.arange(3).reshape(1, 1, 3, 1)
    >>> [view.ravel().tolist() for view in views(image, shifted=True)]
    [[0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2, 2], [0, 0, 1]]
    >>> [view.ravel().tolist() for view in views(image, mirrored=True)]
    [[0, 1, 2], [2, 1, 0]]
    """
    for down, right in AROUND if shifted else AROUND[:1]:
        view = moved(images, down, right)
        yield view
        if mirrored:
            yield view[:, :, ::-1]


def moved(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images moved by so many pixels; the edge is repeated."""
    height, width = images.shape[1:3]
    if down:
        images = images.take(np.arange(height) - down, axis=1, mode="clip")
    if right:
        images = images.take(np.arange(width) - right, axis=2, mode="clip")
    return images


def mean_of(
    read: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    mirrored: bool = False,
    shifted: bool = False,
) -> np.ndarray:
    """The mean of what is read from each view."""
    total, count = None, 0
    for view in views(images, mirrored, shifted):
        found, count = read(view), count + 1
        total = found if total is None else total + found
    return total if count == 1 else total * total.dtype.type(1.0 / count)
