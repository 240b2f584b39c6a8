"""Words that read an image without training a network: gradient histograms and codes of learnt patches.

With a linear or kernel model behind them they answer within seconds, and any network has to beat that answer. They
take whole batches `(n, height, width, channels)` of `uint8` and give `float32` tensors `(n, d)`. Images go through one by
one or in small groups, so memory beyond the result stays at a few megabytes, and the values of an image never depend
on its neighbours in the batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang.ops import FitContext, Learner, Op, Parameter, State
from perennial.lang.types import Image, Tensor, Type, TypeVar, fresh
from perennial.primitives.views import AROUND, MIRRORED, SHIFTED, mean_of

NUMBERS_AT_ONCE = 1 << 18
BLOCK = 2
SMALLEST_NORM = 1e-5
SAMPLED_PATCHES, SAMPLED_FOR_EACH = 50_000, 150
CLUSTER_STEPS = 10
CONTRAST = 10.0
SHARE_OF_TIME = 0.4
TIMED_IMAGES = 4


class Hog(Op):
    """Histograms of oriented gradients (Dalal and Triggs 2005).

    Every pixel votes with the length of its gradient for the two nearest orientations and the four nearest cells; the
    histograms of 2 x 2 neighbouring cells are divided by their norm, clipped and divided again (L2-Hys). Of several
    colours the one with the longest gradient votes. Good for shapes; for textures and colours take `patch_features`.

    Args:
        cells: along the shorter side, so the width of the result does not depend on the size of the image; several
            sizes together are `join(hog(image, cells=4), hog(image, cells=8))`.
        orientations: bins of the half circle, or of the full one when `signed`.
        signed: dark-to-light and light-to-dark edges are different.
        clip: largest value after the first division, 0 to 1.
        mirrored: the mean of an image and its mirror image, for classes that both belong to.
        shifted: the mean of an image and of it moved by a pixel, four ways: where rows are few, no single place should count.

    >>> hog.infer(Image(28, 28, 1)), hog(np.zeros((3, 28, 28, 1), np.uint8)).shape
    (Tensor[1728], (3, 1728))
    """

    name, doc = "hog", "Histograms of the directions of edges, cell by cell."
    cost = 2.0
    parameters = MappingProxyType(
        {
            "cells": Parameter(7, low=1, high=32, doc="along the shorter side"),
            "orientations": Parameter(12, low=2, high=36, doc="bins of the directions"),
            "signed": Parameter(
                True, options=(True, False), doc="light-to-dark edges differ from dark-to-light"
            ),
            "clip": Parameter(0.2, low=0.01, high=1.0, doc="largest value of a normalised histogram"),
            "mirrored": MIRRORED,
            "shifted": SHIFTED,
        }
    )

    def infer(self, *types: Type, cells: int = 7, orientations: int = 12, **rest: Any) -> Type:
        """A tensor of every block's histograms."""
        size = _size_of(self.name, types)
        if size is None:
            return Tensor(fresh("d"))
        rows, columns = _grid(*size[:2], cells)
        tall, wide = min(BLOCK, rows), min(BLOCK, columns)
        return Tensor((rows - tall + 1) * (columns - wide + 1) * tall * wide * orientations)

    def call(
        self,
        *values: Any,
        cells: int = 7,
        orientations: int = 12,
        signed: bool = True,
        clip: float = 0.2,
        mirrored: bool = False,
        shifted: bool = False,
    ) -> np.ndarray:
        """`(n, d)` for images `(n, height, width, channels)`."""
        told = {"cells": cells, "orientations": orientations, "signed": signed, "clip": clip}
        return mean_of(lambda images: self._seen(images, **told), values[0], mirrored, shifted)

    def _seen(
        self, images: np.ndarray, cells: int, orientations: int, signed: bool, clip: float
    ) -> np.ndarray:
        n, height, width, channels = images.shape
        rows, columns = _grid(height, width, cells)
        down, across = _votes_for_cells(height, rows), _votes_for_cells(width, columns)
        step = max(1, NUMBERS_AT_ONCE // (height * width * channels))
        parts = []
        for start in range(0, n, step):
            strength, direction = _gradients(images[start : start + step], orientations, signed)
            parts.append(_blocks(_histograms(strength, direction, orientations, down, across), clip))
        return (
            np.concatenate(parts)
            if parts
            else np.zeros((0, self._width(images.shape, cells, orientations)), np.float32)
        )

    def __call__(self, images: np.ndarray, **parameters: Any) -> np.ndarray:
        return self.call(images, **self.complete(parameters))

    def _width(self, shape: tuple[int, ...], cells: int, orientations: int) -> int:
        return self.infer(Image(*shape[1:]), cells=cells, orientations=orientations).dims[0]


def _size_of(name: str, types: tuple[Type, ...]) -> tuple[int, int, int] | None:
    """Height, width and channels of the one image that a word takes; None while its type is still open."""
    if len(types) != 1:
        raise TypeMismatch(f"`{name}` takes one image, received {len(types)} arguments.")
    if isinstance(types[0], TypeVar):
        return None
    if not isinstance(types[0], Image):
        raise TypeMismatch(f"`{name}` takes an image, received {types[0]}.")
    return None if types[0].variables else types[0].dims


def _grid(height: int, width: int, cells: int) -> tuple[int, int]:
    """Rows and columns of cells that are as square as they can be.

    >>> _grid(28, 28, 7), _grid(30, 61, 3), _grid(2, 9, 4)
    ((7, 7), (3, 6), (2, 9))
    """
    shorter = min(height, width)
    side = shorter / min(cells, shorter)
    return max(1, round(height / side)), max(1, round(width / side))


def _votes_for_cells(pixels: int, cells: int) -> np.ndarray:
    """`(pixels, cells)`: the share of each pixel's vote that goes to each cell, falling linearly with the distance."""
    place = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells))).astype(np.float32)


def _gradients(images: np.ndarray, orientations: int, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Length of each pixel's gradient, and its direction in bins, both `(n, height, width)`."""
    values = images.astype(np.float32)
    down, across = np.zeros_like(values), np.zeros_like(values)
    down[:, 1:-1] = values[:, 2:] - values[:, :-2]
    across[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    squares = down * down + across * across
    if images.shape[3] == 1:
        down, across, squares = down[..., 0], across[..., 0], squares[..., 0]
    else:
        strongest = squares.argmax(axis=3)[..., None]
        down, across, squares = (np.take_along_axis(a, strongest, 3)[..., 0] for a in (down, across, squares))
    bin_width = (2.0 if signed else 1.0) * math.pi / orientations
    return np.sqrt(squares), np.arctan2(down, across) * np.float32(1.0 / bin_width) - np.float32(0.5)


def _histograms(
    strength: np.ndarray, direction: np.ndarray, orientations: int, down: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """The votes of each cell, `(n, rows, columns, orientations)`."""
    shape = (len(strength), down.shape[1], across.shape[1], orientations)
    found = np.empty(shape, np.float32)
    for number in range(orientations):
        away = direction - np.float32(number)
        away -= orientations * np.rint(away * np.float32(1.0 / orientations))
        np.abs(away, out=away)
        np.subtract(np.float32(1.0), away, out=away)
        np.maximum(away, 0.0, out=away)
        away *= strength
        found[..., number] = down.T @ (away @ across)
    return found


def _blocks(cells: np.ndarray, clip: float) -> np.ndarray:
    """Histograms of neighbouring cells side by side, normalised by L2-Hys, `(n, d)`."""
    n, rows, columns, _ = cells.shape
    tall, wide = min(BLOCK, rows), min(BLOCK, columns)
    shifted = [
        cells[:, y : rows - tall + 1 + y, x : columns - wide + 1 + x]
        for y in range(tall)
        for x in range(wide)
    ]
    blocks = _divided(np.concatenate(shifted, axis=3))
    return _divided(np.minimum(blocks, np.float32(clip))).reshape(n, -1)


def _divided(blocks: np.ndarray) -> np.ndarray:
    squares = np.einsum("nyxb,nyxb->nyx", blocks, blocks) + np.float32(SMALLEST_NORM**2)
    return blocks / np.sqrt(squares)[..., None]


class PatchFeatures(Learner):
    """How much of each patch of a learnt dictionary is seen in each part of an image (Coates and Ng 2011).

    Patches of the training images are brought to the same contrast and whitened; spherical k-means makes a dictionary
    of them. Every patch of an image is compared with all of it, what exceeds a threshold in either direction is kept,
    and averaged over each cell of a `pool` x `pool` grid. Learns without looking at the target. Good for textures and
    colours; for shapes alone `hog` is cheaper. Wants `standardise` behind it.

    Args:
        patches: of the dictionary.
        size: of a patch, pixels.
        threshold: what a comparison must exceed (its standard deviation is about 0.6).
        pool: cells of the pooling grid along each side.
        positions: so many patches, about, are read along the shorter side; near a deadline fewer.
        whitening: added to the variances before dividing by them; pixels have variance 1.
        mirrored: the mean of an image and its mirror image, for classes that both belong to.
        shifted: the mean of an image and of it moved by a pixel, four ways: where rows are few, no single place should count.

    >>> patch_features.infer(Image(32, 32, 3))
    Tensor[7200]
    """

    name, doc = "patch_features", "Codes of an image's patches against a learnt dictionary of patches."
    cost = 5.0
    parameters = MappingProxyType(
        {
            "patches": Parameter(400, low=8, high=6400, log=True, doc="of the dictionary"),
            "size": Parameter(6, low=2, high=16, doc="of a patch, pixels"),
            "threshold": Parameter(0.25, low=0.0, high=2.0, doc="what a comparison must exceed"),
            "pool": Parameter(3, low=1, high=8, doc="cells of the pooling grid along each side"),
            "positions": Parameter(14, low=2, high=128, doc="patches along the shorter side, about"),
            "whitening": Parameter(0.1, low=1e-4, high=10.0, log=True, doc="added to the variances"),
            "mirrored": MIRRORED,
            "shifted": SHIFTED,
        }
    )

    def infer(self, *types: Type, patches: int = 400, pool: int = 3, **rest: Any) -> Type:
        """A tensor of two numbers a patch and pooling cell."""
        size = _size_of(self.name, types)
        return Tensor(fresh("d") if size is None else 2 * pool * pool * patches)

    def fit(
        self,
        inputs: tuple,
        target: Any,
        context: FitContext,
        *,
        patches: int = 400,
        size: int = 6,
        threshold: float = 0.25,
        pool: int = 3,
        positions: int = 14,
        whitening: float = 0.1,
        mirrored: bool = False,
        shifted: bool = False,
    ) -> State:
        """The dictionary, from the training images; and how densely images are read, so that all of them can be."""
        images = inputs[0]
        generator = np.random.default_rng(context.seed)
        side = min(size, *images.shape[1:3])
        count = min(SAMPLED_PATCHES, SAMPLED_FOR_EACH * patches)
        sample = _same_contrast(_sampled_patches(images[: context.train_rows], side, count, generator))
        filters, offsets = _dictionary(sample, patches, whitening, generator, context.deadline)
        stride = max(1, round((min(images.shape[1:3]) - side + 1) / positions))
        arrays = {"filters": filters, "offsets": offsets}
        state = State({**arrays, "stride": np.array([stride])})
        told = {"threshold": threshold, "pool": pool, "mirrored": mirrored, "shifted": shifted}
        while stride < side and not self._affordable(images, state, context.deadline, told):
            stride += 1
            state = State({**arrays, "stride": np.array([stride])})
        return state

    def call(
        self,
        *inputs: Any,
        state: State,
        threshold: float = 0.25,
        pool: int = 3,
        mirrored: bool = False,
        shifted: bool = False,
        **rest: Any,
    ) -> np.ndarray:
        """`(n, 2 * pool * pool * patches)` for images `(n, height, width, channels)`."""
        images, filters, offsets = inputs[0], state.arrays["filters"], state.arrays["offsets"]
        stride = max(1, int(state.arrays["stride"][0]))
        side = math.isqrt(len(filters) // max(1, images.shape[3]))
        if side * side * images.shape[3] != len(filters) or side > min(images.shape[1:3]):
            raise ProgramError(
                f"These patches do not fit into images of shape {tuple(images.shape[1:])}.",
                why=f"The dictionary was learnt from patches of {len(filters)} numbers.",
            )
        reading = _Reading.of(images.shape[1:3], side, stride, pool, shifted)
        numbers = len(reading.places) * (len(filters) + 3 * filters.shape[1])
        at_once = max(1, NUMBERS_AT_ONCE // numbers)

        def seen(view: np.ndarray) -> np.ndarray:
            code = _compared(reading.patches(view), filters, offsets)
            above, below = np.maximum(code - threshold, 0.0), np.maximum(-code - threshold, 0.0)
            pooled = np.concatenate([reading.means @ above, reading.means @ below], axis=2)
            return pooled.reshape(len(view), -1)

        result = np.empty((len(images), 2 * len(reading.means) * filters.shape[1]), np.float32)
        for begin in range(0, len(images), at_once):
            rows = slice(begin, begin + at_once)
            result[rows] = mean_of(seen, images[rows], mirrored)
        return result

    def _affordable(self, images: np.ndarray, state: State, deadline: float, told: Mapping[str, Any]) -> bool:
        """Whether reading all images takes no more than `SHARE_OF_TIME` of what is left, by timing a few."""
        if math.isinf(deadline):
            return True
        start = time.monotonic()
        few = images[:TIMED_IMAGES]
        self.call(few, state=state, **told)
        seconds = (time.monotonic() - start) / max(1, len(few)) * len(images)
        return seconds <= SHARE_OF_TIME * (deadline - start)


def _sampled_patches(images: np.ndarray, side: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """`(count, side * side * channels)` from random places; flat ones are left out when others exist."""
    n, height, width, _ = images.shape
    number = generator.integers(0, n, count)
    top, left = (generator.integers(0, length - side + 1, count) for length in (height, width))
    steps = np.arange(side)
    rows, columns = top[:, None, None] + steps[:, None], left[:, None, None] + steps
    sample = images[number[:, None, None], rows, columns].reshape(count, -1).astype(np.float32)
    flat = sample.max(axis=1) == sample.min(axis=1)
    return sample if flat.all() else sample[~flat]


def _same_contrast(patches: np.ndarray) -> np.ndarray:
    """Patches with mean 0 and variance near 1; `CONTRAST` keeps noise in flat patches small."""
    patches = patches - patches.mean(axis=1, keepdims=True)
    return patches / np.sqrt((patches * patches).mean(axis=1, keepdims=True) + np.float32(CONTRAST))


def _dictionary(
    sample: np.ndarray, patches: int, whitening: float, generator: np.random.Generator, deadline: float
) -> tuple[np.ndarray, np.ndarray]:
    """Filters `(d, patches)` and offsets `(patches,)` that whiten a patch and compare it in one product."""
    mean = sample.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov(sample.T, dtype=np.float64))
    whiten = ((vectors / np.sqrt(np.maximum(values, 0.0) + whitening)) @ vectors.T).astype(np.float32)
    white = (sample - mean.astype(np.float32)) @ whiten
    centres = _spherical_k_means(white, patches, generator, deadline)
    filters = whiten @ centres.T
    offsets = mean.astype(np.float32) @ filters
    return np.ascontiguousarray(filters - filters.mean(axis=0)), offsets


def _spherical_k_means(
    points: np.ndarray, clusters: int, generator: np.random.Generator, deadline: float
) -> np.ndarray:
    """Directions of length 1 that points lie along, `(clusters, d)`; stops early at the deadline."""
    drawn = generator.permutation(max(clusters, len(points)))[:clusters] % len(points)
    centres = _of_length_one(points[drawn])
    for _ in range(CLUSTER_STEPS):
        if time.monotonic() > deadline:
            break
        closeness = points @ centres.T
        nearest = closeness.argmax(axis=1)
        weighted = points * closeness[np.arange(len(points)), nearest, None]
        order = np.argsort(nearest, kind="stable")
        used, first = np.unique(nearest[order], return_index=True)
        centres[used] = np.add.reduceat(weighted[order], first, axis=0)
        centres = _of_length_one(centres)
    return centres


def _of_length_one(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(SMALLEST_NORM))


@dataclass(frozen=True)
class _Reading:
    """Where patches of an image are read, and how their codes are averaged.

    An image that was moved by a pixel has the patches of the image with a rim of one, at other places. So the mean over the
    five moved images needs each patch once.

    Args:
        side: of a patch.
        rim: pixels around the image, of the colour of its edge.
        places: of patches among all of the image with its rim, `(positions,)`, row by row.
        means: `(pool * pool, positions)`: averages over the positions of each cell, and over the moved images.
    """

    side: int
    rim: int
    places: np.ndarray
    means: np.ndarray

    @staticmethod
    def of(size: tuple[int, ...], side: int, stride: int, pool: int, shifted: bool) -> _Reading:
        """For images of this size, whose patches are read every `stride` pixels."""
        rim, moves = (1, AROUND) if shifted else (0, AROUND[:1])
        rows, columns = (np.arange(0, length - side + 1, stride) for length in size)
        across = size[1] + 2 * rim - side + 1
        each = [
            ((rows - down + rim)[:, None] * across + columns - right + rim).ravel() for down, right in moves
        ]
        places, order = np.unique(np.concatenate(each), return_inverse=True)
        means = np.zeros((pool * pool, len(places)), np.float32)
        once = _pooling(*size, side, stride, pool) / len(moves)
        for positions in np.split(order, len(moves)):
            means[:, positions] += once
        return _Reading(side, rim, places, means)

    def patches(self, images: np.ndarray) -> np.ndarray:
        """The patches of images `(n, height, width, channels)`, `(n, positions, side * side * channels)`."""
        rim = self.rim
        if rim:
            images = np.pad(images, ((0, 0), (rim, rim), (rim, rim), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.side, self.side), axis=(1, 2))
        rows = windows[:, *np.divmod(self.places, windows.shape[2])].transpose(0, 1, 3, 4, 2)
        return rows.reshape(len(images), len(self.places), -1).astype(np.float32)


def _compared(patches: np.ndarray, filters: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Each patch of each image at the same contrast, whitened, times each direction of the dictionary."""
    mean = patches.mean(axis=2)
    variance = np.einsum("npd,npd->np", patches, patches) / patches.shape[2] - mean * mean
    code = patches @ filters  # the filters sum to zero, so the mean needs no subtraction
    code /= np.sqrt(np.maximum(variance, 0.0) + np.float32(CONTRAST))[:, :, None]
    code -= offsets
    return code


def _pooling(height: int, width: int, side: int, stride: int, pool: int) -> np.ndarray:
    """`(pool * pool, positions)`: averages over the positions of each cell; zeros for a cell without any."""
    rows, columns = (np.arange(0, length - side + 1, stride) for length in (height, width))
    own = (
        _cell(rows, height - side + 1, pool)[:, None] * pool + _cell(columns, width - side + 1, pool)
    ).ravel()
    member = (own == np.arange(pool * pool)[:, None]).astype(np.float32)
    return member / np.maximum(member.sum(axis=1, keepdims=True), 1.0)


def _cell(places: np.ndarray, length: int, pool: int) -> np.ndarray:
    return places * pool // length


hog = Hog()
patch_features = PatchFeatures()
