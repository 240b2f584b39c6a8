"""Test-time augmentation: a prediction is the mean of what the network says about several views of an
image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from perennial.primitives.views import AROUND, moved

VIEWS = {"none": 1, "flip": 2, "shift": 3, "flip_shift": 6, "around": 5}
DIAGONAL = ((0, 0), (-1, -1), (1, 1))


def views(arrays: Sequence[np.ndarray], kind: str) -> Iterator[list[np.ndarray]]:
    """The arrays as they are, then with every array of images `(n, height, width, channels)` changed.

    "flip" mirrors left to right; "shift" moves by one pixel along the diagonal, both ways, and repeats the
    edge; "flip_shift" does both, six views in all; "around" moves by one pixel in four directions. Arrays of another rank stay
    as they are.

    >>> [view[0].ravel().tolist() for view in views([np.arange(3).reshape(1, 1, 3, 1)], "flip")]
    [[0, 1, 2], [2, 1, 0]]
    """
    steps = AROUND if kind == "around" else DIAGONAL if "shift" in kind else AROUND[:1]
    for down, right in steps:
        for mirrored in (False, True) if "flip" in kind else (False,):
            yield [_view(array, down, right, mirrored) if array.ndim == 4 else array for array in arrays]


def mean_of_views(
    run: Callable[[list[np.ndarray]], np.ndarray], arrays: Sequence[np.ndarray], kind: str
) -> np.ndarray:
    """The mean of `run` over all views: of logits, or of standardised values.

    >>> def left_pixel(arrays):
    ...     return arrays[0][:, 0, 0]
    >>> mean_of_views(left_pixel, [np.arange(4.0).reshape(1, 1, 4, 1)], "flip").tolist()
    [[1.5]]
    """
    given = [run(view) for view in views(arrays, kind)]
    return given[0] if len(given) == 1 else np.mean(given, axis=0, dtype=given[0].dtype)


def _view(images: np.ndarray, down: int, right: int, mirrored: bool) -> np.ndarray:
    images = moved(images, down, right)
    return np.ascontiguousarray(images[:, :, ::-1]) if mirrored else images
