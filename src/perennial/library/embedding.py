"""What the rows of a task look like, in 64 numbers: tasks whose rows look alike have use for the same modules.

Images are seen through filters that are the same for every task and every machine: random ones tell textures apart nearly as
well as learnt ones (Jarrett, Kavukcuoglu, Ranzato & LeCun 2009). Of tables the names of the columns count, each added to one
of 48 sums with a sign (Weinberger, Dasgupta, Langford, Smola & Attenberg 2009), and their kinds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from perennial.library.records import Learnt
from perennial.modalities.columns import USED
from perennial.task import Task

EMBEDDING = "embedding"
SIZE = 64
ROWS, SIDE, PATCH, FILTERS, THUMBNAIL = 256, 16, 5, 24, 4
NAME_SUMS = 48
DIGITS = 4
SMALLEST, LARGEST = 1e-3, 1e3


def embedding(task: Task) -> list[float]:
    """64 numbers for a task of images or of a table; nothing for other ones.

    Args:
        task: of whose rows a few are looked at, never its target.

    >>> told = embedding(Task.from_data((np.zeros((12, 8, 8, 1), np.uint8), ["a", "b"] * 6)))
    >>> len(told), told[:2]
    (64, [0.0, 0.0])
    """
    if task.modality == "image":
        found = _of_images(task.inputs["image"])
    elif task.modality == "table":
        found = _of_columns(task)
    else:
        return []
    return [round(float(value), DIGITS) for value in found]


class Neighbours:
    """Embeddings at hand, to ask which are near: exactly, since that takes milliseconds even of a million.

    Distances are Euclidean, each number on the scale on which the known ones differ.

    Args:
        table: `(n, d)`.

    >>> Neighbours(np.array([[0.0, 1.0], [2.0, 1.0]])).distances([0.0, 1.0]).round(3)
    array([0.   , 1.414], dtype=float32)
    """

    def __init__(self, table: np.ndarray) -> None:
        table = np.asarray(table, np.float32)
        self._scale = np.maximum(table.std(axis=0), SMALLEST) * math.sqrt(table.shape[1])
        self._table = table / self._scale
        self._squares = np.einsum("nd,nd->n", self._table, self._table)

    def distances(self, asked: Sequence[float]) -> np.ndarray:
        """How far each is, `(n,)`.

        Args:
            asked: `(d,)`.
        """
        row = np.asarray(asked, np.float32) / self._scale
        squares = self._squares - 2.0 * (self._table @ row) + row @ row
        return np.sqrt(np.maximum(squares, 0.0))


def nearness(known: Sequence[Learnt], asked: Learnt) -> dict[str, float]:
    """How far known tasks are from one, by fingerprint; those of other kinds of data, or without an embedding, are left out.

    Args:
        known: tasks of a library.
        asked: any task.
    """
    numbers = asked.description.get(EMBEDDING)
    told = {
        each.fingerprint: each.description.get(EMBEDDING) for each in known if each.modality == asked.modality
    }
    usable = {key: numbers for key, numbers in told.items() if is_embedding(numbers)}
    if not is_embedding(numbers) or not usable:
        return {}
    neighbours = Neighbours(np.array(list(usable.values())))
    return dict(zip(usable, neighbours.distances(numbers).tolist(), strict=True))


def is_embedding(numbers: object) -> bool:
    """Whether these are numbers that `embedding` could have given."""
    if not isinstance(numbers, list) or len(numbers) != SIZE:
        return False
    return all(isinstance(number, int | float) and abs(number) < LARGEST for number in numbers)


def _of_images(images: np.ndarray) -> np.ndarray:
    """Means and spreads of what the filters find, and a thumbnail of the mean image."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:ROWS])
    gray = np.stack([_small(image) for image in images[chosen]])
    patches = np.lib.stride_tricks.sliding_window_view(gray, (PATCH, PATCH), axis=(1, 2))
    found = np.maximum(patches.reshape(len(gray), -1, PATCH * PATCH) @ _filters(), 0.0).mean(axis=1)
    step = SIDE // THUMBNAIL
    thumbnail = gray.mean(axis=0).reshape(THUMBNAIL, step, THUMBNAIL, step).mean(axis=(1, 3))
    return np.concatenate([found.mean(axis=0), found.std(axis=0), thumbnail.ravel()])


def _small(image: np.ndarray) -> np.ndarray:
    """An image `(h, w, c)` as `(16, 16)` shades from 0 to 1: the mean of its channels and of each block, near enough."""
    gray = image.astype(np.float32).mean(axis=2) / 255.0
    for axis, length in enumerate(gray.shape):
        edges = np.linspace(0, length, SIDE + 1)
        first = np.minimum(np.floor(edges[:-1]).astype(int), length - 1)
        last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
        sums = np.concatenate([np.zeros_like(gray.take([0], axis)), gray.cumsum(axis)], axis)
        counts = (last - first).reshape([-1 if axis == each else 1 for each in (0, 1)])
        gray = (sums.take(last, axis) - sums.take(first, axis)) / counts
    return gray


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """`(25, 24)`: random, without a mean, of length 1."""
    drawn = np.random.default_rng(0).normal(size=(PATCH * PATCH, FILTERS)).astype(np.float32)
    drawn -= drawn.mean(axis=0)
    return drawn / np.linalg.norm(drawn, axis=0)


def _of_columns(task: Task) -> np.ndarray:
    """Hashed names of the columns that a model sees, and how many there are of each kind."""
    sums, kinds = np.zeros(NAME_SUMS), np.zeros(SIZE - NAME_SUMS)
    columns = [column for column in task.schema.columns if column.kind in USED]
    for column in columns:
        number = int.from_bytes(hashlib.blake2b(column.name.strip().lower().encode(), digest_size=8).digest())
        sums[number // 2 % NAME_SUMS] += 1.0 if number % 2 else -1.0
        kinds[USED.index(column.kind)] += 1.0
    return np.concatenate([sums / math.sqrt(max(1, len(columns))), np.log1p(kinds) / 4.0])
