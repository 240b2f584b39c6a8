"""Images in arrays: which axis is which, and the safe reading of `.npz`, `.npy` and IDX files.

IDX is the format of MNIST (LeCun, Cortes and Burges 1998): two zero bytes, a byte for the type, one for the number of
dimensions, the dimensions as big-endian integers, then the values.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from perennial.errors import DataError, UnreadableData, UnsafeData
from perennial.modalities.files import Source, find_source

CHANNELS = (1, 2, 3, 4)
SMALLEST_SIDE = 4
LARGEST_ARRAY = 16 * 2**30
ZIP_MAGIC, NPY_MAGIC = b"PK\x03\x04", b"\x93NUMPY"
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

# Names of arrays in one file, in the order of preference: images and targets, to learn from and to test on.
PAIRS = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels"), ("train_x", "train_y"), ("x", "y"))
    + (("images", "labels"), ("data", "target"), ("data", "labels")),
    "val": (("x_val", "y_val"), ("val_images", "val_labels"), ("x_valid", "y_valid")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels"), ("test_x", "test_y")),
}


def oriented(array: np.ndarray, channels: int | None = None) -> tuple[np.ndarray, str]:
    """Images as `(n, height, width, channels)`, and why the axes were read so.

    Args:
        array: `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)` of numbers.
        channels: what a model expects; settles what is ambiguous.

    Raises:
        DataError: the shape cannot be that of images.

    >>> oriented(np.zeros((5, 3, 32, 32)))[1]
    '(5, 3, 32, 32): images, channels, rows, columns, since 3 is a number of channels and 32 is none'
    """
    shape = array.shape
    if array.dtype.kind not in "buif":
        raise DataError(
            f"Images are numbers, received an array of {array.dtype}.", where=f"an array of shape {shape}"
        )
    if array.ndim == 3 and min(shape[1:]) >= SMALLEST_SIDE:
        return array[..., None], f"{shape}: images, rows, columns, without channels"
    last, first = array.ndim == 4 and shape[3] in CHANNELS, array.ndim == 4 and shape[1] in CHANNELS
    if last and first and channels in (shape[1], shape[3]) and shape[1] != shape[3]:
        last = shape[3] == channels
    if last:
        return array, f"{shape}: images, rows, columns, channels, since {shape[3]} is a number of channels"
    if first:
        why = f"since {shape[1]} is a number of channels and {shape[3]} is none"
        return np.moveaxis(array, 1, 3), f"{shape}: images, channels, rows, columns, {why}"
    raise DataError(
        f"An array of shape {shape} holds no images that can be recognised.",
        where=f"{array.ndim} dimensions, {array.dtype}",
        why="Expected (n, height, width), (n, height, width, channels) or (n, channels, height, width), "
        f"channels being 1 to 4 and sides at least {SMALLEST_SIDE}.",
        todo="Rearrange the axes, for example with numpy.moveaxis.",
    )


def could_be_images(array: Any) -> bool:
    """Whether an array has the dimensions of images."""
    return isinstance(array, np.ndarray) and array.ndim in (3, 4) and array.dtype.kind in "buif"


def parts_of(arrays: Mapping[str, Any], place: str) -> dict[str, tuple[Any, Any]]:
    """Images (or rows) and targets of the parts `train`, `val` and `test`, by the names of the arrays.

    Raises:
        DataError: no pair to learn from.
    """
    folded = {name.lower().strip(): name for name in arrays}
    found = {}
    for part, pairs in PAIRS.items():
        for x, y in pairs:
            if x in folded and y in folded:
                found[part] = (arrays[folded[x]], arrays[folded[y]])
                break
    if "train" not in found:
        raise DataError(
            "No arrays to learn from: expected x and y, or x_train, y_train, x_test and y_test.",
            where=f"{place} holds {', '.join(map(repr, list(arrays)[:10])) or 'nothing'}",
            todo="Save it with numpy.savez(path, x=images, y=targets).",
        )
    return found


def images_among(arrays: Mapping[str, Any], place: str) -> Any:
    """The images of a file that needs no targets: `x`, or the only array."""
    folded = {name.lower().strip(): name for name in arrays}
    for name in ("x_test", "x", "test_images", "images", "data"):
        if name in folded:
            return arrays[folded[name]]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise DataError(
        "Which array holds the images?",
        where=f"{place} holds {', '.join(map(repr, list(arrays)[:10]))}",
        todo="Call it x.",
    )


# -- .npz and .npy -----------------------------------------------------------------------------------------------------


def is_archive_of_arrays(path: Path) -> bool:
    """Whether a file is a zip archive of `.npy` members and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` or `.npy` file, by name.

    Raises:
        UnsafeData: it holds Python objects, or claims to be larger than any data.
        UnreadableData: it is damaged.
    """
    try:
        with open(path, "rb") as stream:
            alone = stream.read(len(NPY_MAGIC)) == NPY_MAGIC
            if alone:
                stream.seek(0)
                _check_header(stream, str(path), path.stat().st_size)
        if alone:
            return {"x": np.load(path, allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    _check_header(stream, f"{path}: {member.filename}", member.file_size)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (
        ValueError,
        EOFError,
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
    ) as e:
        raise UnreadableData(
            f"The arrays cannot be read: {str(e)[:200]}.",
            where=str(path),
            todo="Save them again with numpy.savez.",
        ) from None


def _check_header(stream: BinaryIO, place: str, size: int) -> None:
    """Looks at the header of one array: no objects, and not more values than bytes."""
    major, _ = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise UnsafeData(
            "Refused: this is a NumPy file of Python objects (a pickle inside).",
            where=place,
            why="Opening such a file may run code that someone else put into it.",
            todo="Save plain numbers: numpy.savez(path, x=images.astype('uint8'), y=labels.astype('int64')).",
        )
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > size or claimed > LARGEST_ARRAY:
        raise UnsafeData(
            f"An array claims {claimed} bytes in a file of {size}; at most {LARGEST_ARRAY} are read.",
            where=place,
            why="It would fill the memory of this machine.",
        )


# -- IDX ---------------------------------------------------------------------------------------------------------------


def idx_dimensions(head: bytes) -> int:
    """How many dimensions the array has that an IDX file with these first bytes holds; 0 for another file.

    >>> idx_dimensions(bytes([0, 0, 8, 3, 0, 0, 0, 5])), idx_dimensions(b"a,b")
    (3, 0)
    """
    known = len(head) >= 8 and head[:2] == b"\0\0" and head[2] in IDX_TYPES and 1 <= head[3] <= 4
    return head[3] if known else 0


def idx_source(path: str | os.PathLike) -> Source | None:
    """The file, looked at, when it is an IDX file."""
    try:
        source = find_source(path)
    except DataError:
        return None
    return source if idx_dimensions(source.head) else None


def read_idx(source: Source) -> np.ndarray:
    """The array in an IDX file, also gzipped.

    Raises:
        UnreadableData: it holds fewer or more bytes than its header says.
    """
    dimensions = idx_dimensions(source.head)
    dtype = np.dtype(IDX_TYPES[source.head[2]])
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(source.head[i : i + 4], "big") for i in range(4, start, 4))
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > LARGEST_ARRAY:
        raise UnsafeData(f"The file claims {wanted} bytes of values.", where=str(source.path))
    with source.open() as stream:
        stream.read(start)
        data = stream.read(wanted)
        more = len(stream.read(1))
    if len(data) != wanted or more:
        raise UnreadableData(
            f"The header says {' x '.join(map(str, shape))} values, "
            f"and {'more' if more else len(data) // dtype.itemsize} are there.",
            where=str(source.path),
            todo="Copy or download it again.",
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
