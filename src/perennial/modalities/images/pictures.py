"""Many images, before they have one size: files and Pillow images one by one, or one array of equal ones."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perennial.errors import UnreadableData
from perennial.modalities.images import decoding
from perennial.modalities.images.sizing import fitted

MOST_THREADS = 4
BATCH = 32
CHUNK = 2_048


@dataclass(frozen=True)
class Survey:
    """What is known of images without decoding their pixels.

    Args:
        heights, widths: `(n,)`; 0 where an image cannot be read.
        grey: whether none of them has colours, by their modes.
        marks: what is special → how many images: `rotated by EXIF`, `transparent`, …
        formats: file format → how many.
        deep: lowest and highest value of pixels deeper than 8 bits, and whether they are whole; None without such.
        broken: number of an image → why it cannot be read.
    """

    heights: np.ndarray
    widths: np.ndarray
    grey: bool
    marks: dict[str, int]
    formats: dict[str, int]
    deep: tuple[float, float, bool] | None = None
    broken: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Frames:
    """How images are to be decoded.

    Args:
        canvas: `(height, width)` of all.
        channels: 1 or 3.
        fit: `pad`, `crop` or `stretch`.
        levels: the values of pixels deeper than 8 bits that become 0 and 255; None when none were learnt from.
    """

    canvas: tuple[int, int]
    channels: int
    fit: str
    levels: tuple[float, float] | None = None


@dataclass(frozen=True)
class Decoded:
    """Pixels `(n, height, width, channels)`, where each image lies in them, and what could not be read."""

    pixels: np.ndarray
    boxes: np.ndarray
    broken: dict[int, str]
    coloured: int = 0


class Pictures(ABC):
    """A sequence of images; `names` tell them apart for people."""

    names: np.ndarray | None

    @abstractmethod
    def __len__(self) -> int:
        """How many."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> Pictures:
        """Some of them, in this order."""

    @abstractmethod
    def survey(self) -> Survey:
        """What is known without decoding.

        Raises:
            UnsafeData: an image over the limits.
        """

    @abstractmethod
    def decode(self, frames: Frames) -> Decoded:
        """All pixels; rows of broken images are black.

        Raises:
            UnsafeData: an image over the limits.
        """


@dataclass(frozen=True, eq=False)
class Files(Pictures):
    """Images one by one.

    Args:
        names: `(n,)` of objects.
        openers: each gives a binary stream or a Pillow image.
        place: the root, for messages.
    """

    names: np.ndarray
    openers: Sequence[Callable[[], Any]]
    place: str = ""

    def __len__(self) -> int:
        return len(self.openers)

    def take(self, rows: np.ndarray) -> Files:
        return Files(self.names[rows], [self.openers[row] for row in rows], self.place)

    def survey(self) -> Survey:
        found = list(_each(self._facts, len(self)))
        sizes = np.array(
            [(f.height, f.width) if isinstance(f, decoding.Facts) else (0, 0) for f, _ in found],
            dtype=np.int64,
        ).reshape(-1, 2)
        known = [facts for facts, _ in found if isinstance(facts, decoding.Facts)]
        ranges = [deep for _, deep in found if deep is not None]
        return Survey(
            sizes[:, 0],
            sizes[:, 1],
            all(facts.grey for facts in known),
            dict(Counter(mark for facts in known for mark in facts.marks).most_common()),
            dict(Counter(facts.format for facts in known).most_common()),
            _widest(ranges),
            {row: why for row, (why, _) in enumerate(found) if isinstance(why, str)},
        )

    def decode(self, frames: Frames) -> Decoded:
        pixels = np.zeros((len(self), *frames.canvas, frames.channels), dtype=np.uint8)
        boxes = np.zeros((len(self), 4), dtype=np.int64)
        broken: dict[int, str] = {}
        coloured = 0
        for row, one in enumerate(_each(lambda row: self._pixels(row, frames), len(self))):
            if isinstance(one, str):
                broken[row] = one
            else:
                pixels[row], boxes[row], was_coloured = one
                coloured += was_coloured
        return Decoded(pixels, boxes, broken, coloured)

    def _facts(self, row: int) -> tuple[decoding.Facts | str, tuple[float, float, bool] | None]:
        place = self._place(row)
        try:
            with _closing(self._opened(row)) as source:
                image = decoding.opened(source, place)
                facts = decoding.facts_of(image)
                return facts, decoding.deep_range(image, place) if facts.deep else None
        except UnreadableData as error:
            return error.what, None

    def _pixels(self, row: int, frames: Frames) -> Any:
        place = self._place(row)
        try:
            with _closing(self._opened(row)) as source:
                image = decoding.opened(source, place)
                image = decoding.upright(image, place, frames.levels, frames.canvas)
        except UnreadableData as error:
            return error.what
        coloured = image.mode == "RGB"
        array, box = fitted(image.convert("L" if frames.channels == 1 else "RGB"), frames.canvas, frames.fit)
        return array, box, coloured

    def _opened(self, row: int) -> Any:
        try:
            return self.openers[row]()
        except OSError as error:
            raise UnreadableData(f"cannot be opened: {error.strerror}", where=self._place(row)) from None

    def _place(self, row: int) -> str:
        return f"{self.place}/{self.names[row]}" if self.place else str(self.names[row])


@dataclass(frozen=True, eq=False)
class Stack(Pictures):
    """One array of images of equal size.

    Args:
        array: `(n, height, width, channels)` of numbers; 2 and 4 channels have transparency as the last.
        names: `(n,)` or None.
    """

    array: np.ndarray
    names: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.array)

    def take(self, rows: np.ndarray) -> Stack:
        return Stack(self.array[rows], None if self.names is None else self.names[rows])

    def survey(self) -> Survey:
        n, height, width, channels = self.array.shape
        marks = {"transparent": n} if channels in (2, 4) else {}
        return Survey(
            np.full(n, height),
            np.full(n, width),
            channels <= 2,
            marks,
            {f"array of {self.array.dtype}": n},
            self._range(),
        )

    def decode(self, frames: Frames) -> Decoded:
        n, height, width, channels = self.array.shape
        boxes = np.tile(np.array([0, 0, *frames.canvas]), (n, 1))
        levels = self._levels(frames.levels)
        if levels is None and (height, width) == frames.canvas and channels == frames.channels:
            return Decoded(np.ascontiguousarray(self.array), boxes, {})
        pixels = np.zeros((n, *frames.canvas, frames.channels), dtype=np.uint8)
        coloured = 0
        for start in range(0, n, CHUNK):
            part = self.array[start : start + CHUNK]
            part = part if levels is None else decoding.scaled(part, *levels)
            part = _opaque(part)
            if part.shape[3] == 3 and frames.channels == 1:
                coloured += int((part.min(axis=3) != part.max(axis=3)).any(axis=(1, 2)).sum())
            part = _with_channels(part, frames.channels)
            if (height, width) == frames.canvas:
                pixels[start : start + len(part)] = part
                continue
            for row, image in enumerate(part, start=start):
                pixels[row], boxes[row] = fitted(_image(image), frames.canvas, frames.fit)
        return Decoded(pixels, boxes, {}, coloured)

    def _levels(self, learnt: tuple[float, float] | None) -> tuple[float, float] | None:
        """The levels that were learnt, unless these values follow another convention; None for plain bytes."""
        found = self._range()
        if found is None:
            return None
        _, highest, whole = found
        if self.array.dtype == np.uint8:
            return learnt if learnt is not None and learnt[1] < 64 and highest <= 2 * learnt[1] else None
        other = learnt is None or highest > 2 * learnt[1] or (not whole and highest <= learnt[1] / 64)
        return decoding.levels_of(*found)[:2] if other else learnt

    def _range(self) -> tuple[float, float, bool] | None:
        """The range of values; None for plain bytes that use their range."""
        if not self.array.size:
            return None
        parts = []
        for start in range(0, len(self.array), CHUNK):
            part = self.array[start : start + CHUNK]
            part = part[..., :-1] if part.shape[3] in (2, 4) else part
            known = part[np.isfinite(part)] if part.dtype.kind == "f" else part
            if known.size:
                parts.append((float(known.min()), float(known.max())))
        lowest = min((low for low, _ in parts), default=0.0)
        highest = max((high for _, high in parts), default=0.0)
        if self.array.dtype == np.uint8 and highest >= 64:
            return None
        return lowest, highest, self.array.dtype.kind != "f"


def together(parts: Sequence[Pictures]) -> Pictures:
    """Several sequences as one."""
    if len(parts) == 1:
        return parts[0]
    named = [part.names for part in parts]
    names = None if any(name is None for name in named) else np.concatenate(named)
    if all(isinstance(part, Stack) for part in parts):
        return Stack(np.concatenate([part.array for part in parts]), names)
    return Files(names, [opener for part in parts for opener in part.openers], parts[0].place)


def in_memory(images: Iterable[Any]) -> Pictures:
    """Pillow images, paths and arrays, of any sizes; what has no file name is numbered."""
    images = list(images)
    arrays = [np.asarray(image) for image in images if isinstance(image, np.ndarray)]
    alike = len(arrays) == len(images) and len({(array.shape, array.dtype) for array in arrays}) == 1
    if alike and arrays[0].ndim in (2, 3):
        return Stack(np.stack([_channels_last(array) for array in arrays]))
    levels = _levels_together(arrays)
    openers, names = [], []
    for number, image in enumerate(images, start=1):
        path = isinstance(image, str | os.PathLike)
        names.append(os.fspath(image) if path else str(number))
        openers.append(_opener(image, names[-1], levels))
    return Files(np.array([*names, None], dtype=object)[:-1], openers)


def with_fill(decoded: Decoded, fill: tuple[int, ...]) -> np.ndarray:
    """The pixels with the colour `fill` outside of the images' boxes, in place."""
    pixels = decoded.pixels
    canvas = np.array([0, 0, *pixels.shape[1:3]])
    for row in np.flatnonzero((decoded.boxes != canvas).any(axis=1)):
        top, left, height, width = decoded.boxes[row]
        if height == 0:
            continue
        image = pixels[row, top : top + height, left : left + width].copy()
        pixels[row] = fill
        pixels[row, top : top + height, left : left + width] = image
    return pixels


def border_colour(decoded: Decoded) -> tuple[int, ...]:
    """The median over images of the mean colour of their outermost pixels: what `pad` adds is least seen so."""
    means = []
    for image, (top, left, height, width) in zip(decoded.pixels, decoded.boxes, strict=True):
        if height:
            part = image[top : top + height, left : left + width].astype(np.float32)
            edge = [part[0], part[-1], part[:, 0], part[:, -1]]
            means.append(np.concatenate(edge).mean(axis=0))
    return tuple(round(float(value)) for value in np.median(means, axis=0)) if means else (0,)


def without_colours(decoded: Decoded) -> Decoded:
    """One channel instead of three when all pixels of all images are grey."""
    pixels = decoded.pixels
    for start in range(0, len(pixels), CHUNK):
        part = pixels[start : start + CHUNK]
        if (part[..., :1] != part).any():
            return decoded
    return replace(decoded, pixels=np.ascontiguousarray(pixels[..., :1]))


# -- how it is done ----------------------------------------------------------------------------------------------------


class _closing:
    """Closes streams, and leaves images that belong to someone else alone."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __enter__(self) -> Any:
        return self.source

    def __exit__(self, *failure: object) -> None:
        if not hasattr(self.source, "getexif"):
            self.source.close()


def _each(function: Callable[[int], Any], count: int) -> Iterator[Any]:
    """The function of every row, in order, on a few threads: decoders work outside of Python."""
    with decoding.quiet():
        if count <= BATCH:
            yield from map(function, range(count))
            return
        batches = [range(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
            for start in range(0, len(batches), CHUNK // BATCH):
                some = batches[start : start + CHUNK // BATCH]
                for results in pool.map(lambda batch: list(map(function, batch)), some):
                    yield from results


def _opener(image: Any, place: str, levels: tuple[float, float]) -> Callable[[], Any]:
    if isinstance(image, str | os.PathLike):
        return lambda: open(image, "rb")
    if hasattr(image, "getexif"):
        return image.copy
    return lambda: _image(_single(np.asarray(image), place, levels))


def _levels_together(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    """Black and white of arrays that differ in shape; bytes are taken as they are."""
    deep = [
        array for array in arrays if array.dtype != np.uint8 and array.dtype.kind in "buif" and array.size
    ]
    if not deep:
        return 0.0, 255.0
    lowest, highest = min(map(np.nanmin, deep)), max(map(np.nanmax, deep))
    whole = all(array.dtype.kind != "f" for array in deep)
    return decoding.levels_of(float(lowest), float(highest), whole)[:2]


def _single(array: np.ndarray, place: str, levels: tuple[float, float]) -> np.ndarray:
    """One image as `(height, width, channels)` of bytes."""
    array = _channels_last(array)
    if array.ndim != 3 or array.shape[2] > 4 or array.dtype.kind not in "buif" or not array.size:
        raise UnreadableData(f"an array of shape {array.shape} and type {array.dtype}", where=place)
    bytes_of_it = array if array.dtype == np.uint8 else decoding.scaled(array, *levels)
    return _opaque(bytes_of_it[None])[0]


def _channels_last(array: np.ndarray) -> np.ndarray:
    """One image with its channels as the third axis."""
    if array.ndim == 2:
        return array[:, :, None]
    channels_first = array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4) and array.shape[0] in (1, 3, 4)
    return np.moveaxis(array, 0, 2) if channels_first else array


def _image(pixels: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _opaque(images: np.ndarray) -> np.ndarray:
    """Images of bytes with transparency in the last of 2 or 4 channels, laid over white."""
    if images.shape[3] not in (2, 4):
        return images
    share = images[..., -1:].astype(np.float32) / 255.0
    return np.rint(images[..., :-1] * share + 255.0 * (1.0 - share)).astype(np.uint8)


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey as three equal channels, or colours as their luminance (ITU-R BT.601, as Pillow computes it)."""
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    red, green, blue = (images[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def _widest(ranges: Sequence[tuple[float, float, bool]]) -> tuple[float, float, bool] | None:
    if not ranges:
        return None
    return min(r[0] for r in ranges), max(r[1] for r in ranges), all(r[2] for r in ranges)
