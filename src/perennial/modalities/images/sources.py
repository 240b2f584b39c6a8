"""The door for images: what was given is recognised, opened and brought to images with labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError, UnreadableData, UsageError
from perennial.modalities.base import Finding
from perennial.modalities.frames import Frame
from perennial.modalities.images.arrays import (
    NPY_MAGIC,
    ZIP_MAGIC,
    could_be_images,
    idx_dimensions,
    idx_source,
    images_among,
    is_archive_of_arrays,
    load_arrays,
    oriented,
    parts_of,
    read_idx,
)
from perennial.modalities.images.decoding import looks_like_image, named_like_image
from perennial.modalities.images.labels import ImageSet, described_images, labelled_images
from perennial.modalities.images.pictures import Pictures, Stack, in_memory, together
from perennial.modalities.images.trees import Tree, tree_of
from perennial.modalities.reading import frame_from

LABEL = "label"
TARGET = "target"
FEWEST_PER_CODE = 5


def is_images(data: Any) -> bool:
    """Whether data are images: a folder, an archive or IDX file of them, or arrays of their dimensions.

    >>> is_images((np.zeros((10, 8, 8)), np.zeros(10))), is_images((np.zeros((10, 8)), np.zeros(10)))
    (True, False)
    """
    if isinstance(data, ImageSet):
        return True
    if isinstance(data, str | os.PathLike):
        return _is_path_of_images(data)
    if isinstance(data, Frame) or not isinstance(data, tuple | list | Mapping | np.ndarray):
        return False
    if isinstance(data, Mapping):
        return any(could_be_images(value) for value in data.values())
    if isinstance(data, tuple) and len(data) == 2 and _is_sequence_of_images(data[0]):
        return True
    return could_be_images(data)


def unpacked_table(data: Any, test: Any) -> tuple[Any, Any]:
    """An `.npz` file of rows instead of images as `(x, y)`, with its test part; everything else as it is."""
    if not isinstance(data, str | os.PathLike) or not _is_file_of_arrays(data):
        return data, test
    parts = parts_of(load_arrays(_path(data)), str(data))
    if could_be_images(parts["train"][0]):
        return data, test
    return parts["train"], parts.get("test") if test is None else test


def labelled_sets(
    data: Any, target: str | Sequence[str] | None, reading: Mapping[str, Any]
) -> dict[str, ImageSet]:
    """Images with labels, in the parts `train` and, when the data have one, `test`.

    Args:
        data: what `is_images` recognises.
        target: the user's word on what is to be predicted.
        reading: how to read a table beside the images.

    Raises:
        DataError: nothing that can be learnt from.
    """
    if isinstance(data, ImageSet):
        return {"train": data}
    if isinstance(data, str | os.PathLike):
        return _sets_of_path(_path(data), target, reading)
    if isinstance(data, Mapping):
        return _sets_of_arrays(data, "the dictionary")
    if isinstance(data, tuple) and len(data) == 2:
        return {"train": _pair(*data, "the arrays")}
    raise UsageError(
        f"Images came without targets: an array of shape {np.shape(data)}.",
        why="A model learns from examples with an answer.",
        todo="Pass a pair: (images, targets).",
    )


def images_of(data: Any, channels: int | None = None) -> ImageSet:
    """Images to predict, with labels where these can be known.

    Args:
        data: whatever holds images: a path of a folder, archive, array file or single image, a list of paths, Pillow
            images or arrays, one image, or an array.
        channels: what the model expects; settles what is ambiguous.

    Raises:
        DataError: no images.
    """
    if isinstance(data, ImageSet):
        return data
    if isinstance(data, str | os.PathLike):
        return _images_of_path(_path(data))
    if hasattr(data, "getexif"):
        return ImageSet(in_memory([data]))
    if isinstance(data, tuple) and len(data) == 2 and _is_sequence_of_images(data[0]):
        return images_of(data[0], channels)
    if isinstance(data, Mapping):
        return images_of(images_among(data, "the dictionary"), channels)
    if isinstance(data, np.ndarray) and data.dtype != object:
        return ImageSet(_stack(_batch(data, channels), channels)[0])
    if isinstance(data, Sequence | np.ndarray):
        return ImageSet(in_memory(data))
    raise DataError(
        f"Expected images, received {type(data).__module__}.{type(data).__qualname__}.",
        todo="Give a folder, a list of files, Pillow images, or an array (n, height, width, channels).",
    )


def judged_images(
    data: Any, targets: Sequence[str], channels: int | None, reading: Mapping[str, Any]
) -> ImageSet:
    """Images in the order of `images_of`, with all that is known of what they show.

    Args:
        data: as for `images_of`, or a pair of images and targets.
        targets: what the model calls the targets; those of a pair have no other names.
        channels: what the model expects.
        reading: how to read a table beside the images.

    Raises:
        DataError: no images, or targets that do not belong to them.
    """
    if isinstance(data, str | os.PathLike):
        return _images_of_path(_path(data), reading)
    images = images_of(data, channels)
    if isinstance(data, tuple) and len(data) == 2 and _is_sequence_of_images(data[0]):
        columns, _, _ = _targets(data[1], images.rows, "the arrays", several=len(targets) > 1)
        names = targets if len(targets) == len(columns) else _target_names(len(columns), TARGET)
        return replace(images, about=frame_from(dict(zip(names, columns, strict=True))))
    return images


# -- recognising -------------------------------------------------------------------------------------------------------


def _path(data: str | os.PathLike) -> Path:
    return Path(data if os.path.exists(data) else os.path.expanduser(data))


def _is_path_of_images(data: str | os.PathLike) -> bool:
    try:
        path = _path(data)
        if path.is_dir():
            return True
        head = _head(path)
    except (OSError, ValueError):
        return False
    if head.startswith(ZIP_MAGIC):
        return is_archive_of_arrays(path) or _holds_images(path)
    return idx_source(path) is not None if head.startswith((b"\x1f\x8b", b"\0\0")) else False


def _is_file_of_arrays(data: str | os.PathLike) -> bool:
    try:
        return _head(_path(data)).startswith(ZIP_MAGIC) and is_archive_of_arrays(_path(data))
    except (OSError, ValueError):
        return False


def _head(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with open(path, "rb") as stream:
        return stream.read(32)


def _holds_images(path: Path) -> bool:
    """Whether a zip archive holds files named like images, and is no workbook or stored model."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    office = any(name.startswith(("xl/", "word/", "ppt/")) or name.endswith("data.pkl") for name in names)
    return not office and any(named_like_image(name) for name in names)


def _is_sequence_of_images(data: Any) -> bool:
    if could_be_images(data):
        return True
    if not isinstance(data, list | tuple | np.ndarray) or not len(data):
        return False
    first = data[0]
    return hasattr(first, "getexif") or isinstance(first, Path) or _is_picture(first)


def _is_picture(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim in (2, 3) and value.dtype != object


# -- opening -----------------------------------------------------------------------------------------------------------


def _sets_of_path(path: Path, target: Any, reading: Mapping[str, Any]) -> dict[str, ImageSet]:
    if path.is_dir():
        tree = tree_of(path)
        idx = _idx_parts(tree)
        return _placed(idx or labelled_images(tree, target, reading), path)
    head = _head(path)
    if head.startswith(ZIP_MAGIC):
        if is_archive_of_arrays(path):
            return _placed(_sets_of_arrays(load_arrays(path), str(path)), path)
        return _placed(labelled_images(tree_of(path), target, reading), path)
    return _placed({"train": _idx_pair(path)}, path)


def _placed(sets: dict[str, ImageSet], path: Path) -> dict[str, ImageSet]:
    """The sets with the path that the user gave as their origin."""
    return {
        part: replace(images, origin={**(images.origin or {}), "path": str(path.absolute())})
        for part, images in sets.items()
    }


def _images_of_path(path: Path, reading: Mapping[str, Any] | None = None) -> ImageSet:
    """All images of a path; tables beside them are read when it is said how."""
    if os.path.isdir(path):
        tree = tree_of(path)
        idx = _idx_parts(tree, labels=False)
        return idx.get("test", idx.get("train")) if idx else described_images(tree, reading)
    try:
        head = _head(path)
    except OSError as error:
        raise UnreadableData(
            f"The file cannot be read: {error.strerror}.", where=str(path), todo="Check its permissions."
        ) from None
    if not head and not path.exists():
        raise DataError("There is no such file or folder.", where=str(path), todo="Check the spelling.")
    if head.startswith(ZIP_MAGIC) and not is_archive_of_arrays(path):
        return described_images(tree_of(path), reading)
    if head.startswith((ZIP_MAGIC, NPY_MAGIC)):
        arrays = load_arrays(path)
        found = parts_of(arrays, str(path)) if len(arrays) > 1 and _has_pairs(arrays) else {}
        if found:
            return _pair(*found.get("test", found["train"]), str(path))
        return ImageSet(_stack(images_among(arrays, str(path)), None)[0])
    source = idx_source(path) if head.startswith((b"\x1f\x8b", b"\0\0")) else None
    if source is not None:
        return _idx_pair(path, labels=False)
    if looks_like_image(head) or named_like_image(path.name):
        return ImageSet(in_memory([path]), origin={"path": str(path)})
    raise DataError(
        "This file holds no images.",
        where=str(path),
        why="The model was grown on images.",
        todo="Pass a folder, a zip archive, a single image, or arrays of images.",
    )


def _has_pairs(arrays: Mapping[str, Any]) -> bool:
    try:
        return bool(parts_of(arrays, ""))
    except DataError:
        return False


# -- arrays ------------------------------------------------------------------------------------------------------------


def _sets_of_arrays(arrays: Mapping[str, Any], place: str) -> dict[str, ImageSet]:
    sets = {part: _pair(x, y, f"{place}, {part}") for part, (x, y) in parts_of(arrays, place).items()}
    validation = sets.pop("val", None)
    if validation is not None and "test" in sets:
        train = sets["train"]
        columns = tuple(
            np.concatenate(pair) for pair in zip(train.about.columns, validation.about.columns, strict=True)
        )
        note = Finding(
            "parts", "info", f"{validation.rows} images of the validation part are learnt from too."
        )
        sets["train"] = replace(
            train,
            pictures=together([train.pictures, validation.pictures]),
            about=Frame(train.about.names, columns),
            findings=(*train.findings, note),
        )
    elif validation is not None:
        sets["test"] = validation
    return sets


def _pair(x: Any, y: Any, place: str, name: str = TARGET) -> ImageSet:
    """Images and targets given apart."""
    if isinstance(x, np.ndarray) and x.dtype != object:
        pictures, reason = _stack(x, None)
        findings = (Finding("axes", "info", reason),)
    else:
        pictures, findings = in_memory(x), ()
    columns, problem, why = _targets(y, len(pictures), place)
    names = _target_names(len(columns), name)
    about = frame_from(dict(zip(names, columns, strict=True)))
    return ImageSet(pictures, about, names, why, problem, findings, {"format": "arrays"})


def _target_names(count: int, name: str) -> tuple[str, ...]:
    return (name,) if count == 1 else tuple(f"{name}_{number}" for number in range(count))


def _stack(array: np.ndarray, channels: int | None) -> tuple[Pictures, str]:
    images, reason = oriented(np.asarray(array), channels)
    return Stack(images), f"Axes of {reason}."


def _batch(array: np.ndarray, channels: int | None) -> np.ndarray:
    """One image given alone becomes a batch of one."""
    if array.ndim == 2:
        return array[None]
    alone = array.ndim == 3 and channels == 3 and (array.shape[2] in (3, 4) or array.shape[0] == 3)
    if alone or (array.ndim == 3 and array.shape[2] == 1):
        return array[None]
    return array


def _targets(y: Any, rows: int, place: str, several: bool = False) -> tuple[list[Any], str | None, str]:
    """The columns of the targets, the problem when it is plain, and why; `several` are never one class."""
    if (
        not isinstance(y, np.ndarray)
        and isinstance(y, Sequence)
        and any(isinstance(v, list | tuple | set) for v in y)
    ):
        cells = [";".join(map(str, v)) if isinstance(v, list | tuple | set) else v for v in y]
        goal = np.array([*cells, None], dtype=object)[:-1]
    else:
        goal = np.asarray(y)
    if goal.ndim == 2 and goal.shape[1] == 1:
        goal = goal[:, 0]
    if goal.ndim not in (1, 2) or len(goal) != rows:
        raise DataError(
            f"{rows} images and targets of shape {goal.shape} do not belong together.",
            where=place,
            why="Each image needs its own target.",
            todo="Give y with the shape (n,) or (n, targets).",
        )
    if goal.ndim == 2:
        if not several and _is_one_hot(goal):
            why = "exactly one of the columns is 1 in every row: their number is the class"
            return [goal.argmax(axis=1)], "multiclass", why
        return list(goal.T), None, "the targets that were given"
    codes = goal.dtype.kind in "iu" and _are_codes(goal)
    return [goal], "multiclass" if codes else None, "the targets that were given"


def _is_one_hot(goal: np.ndarray) -> bool:
    if goal.dtype.kind not in "buif" or goal.shape[1] < 3:
        return False
    return bool(np.isin(goal, (0, 1)).all() and (goal.sum(axis=1) == 1).all())


def _are_codes(goal: np.ndarray) -> bool:
    """Whether whole numbers are the codes of classes: all of 0 … k-1 (or 1 … k) occur, and often."""
    values, counts = np.unique(goal, return_counts=True)
    dense = values[0] in (0, 1) and values[-1] - values[0] + 1 == len(values)
    return bool(dense and counts.min() >= FEWEST_PER_CODE)


# -- IDX ---------------------------------------------------------------------------------------------------------------


def _idx_parts(tree: Tree, labels: bool = True) -> dict[str, ImageSet]:
    """The IDX files of a folder as parts; nothing when it holds none."""
    root = Path(tree.place)
    if not root.is_dir():
        return {}
    files = [root / entry.name for entry in tree.files() if _could_be_idx(entry.name)]
    images = [path for path in files if (source := idx_source(path)) and idx_dimensions(source.head) >= 3]
    parts: dict[str, ImageSet] = {}
    for path in images:
        name = path.name.lower()
        part = "test" if "t10k" in name or "test" in name else "train"
        if part in parts:
            raise DataError(
                f"The folder holds several IDX files of images to {'test on' if part == 'test' else 'learn from'}.",
                where=f"{root}: {', '.join(path.name for path in images)}",
                todo="Keep one pair of images and labels for each of train and t10k in a folder.",
            )
        parts[part] = _idx_pair(path, labels)
    if parts and "train" not in parts:
        parts["train"] = parts.pop("test")
    return parts


def _could_be_idx(name: str) -> bool:
    return "idx" in name.lower() or "ubyte" in name.lower()


def _idx_pair(path: Path, labels: bool = True) -> ImageSet:
    """The images of an IDX file, with the labels of the file beside it that is named like it."""
    source = idx_source(path)
    if source is None or idx_dimensions(source.head) < 3:
        raise DataError("This IDX file holds no images.", where=str(path), todo="Pass the file of images.")
    beside = _labels_beside(path)
    if beside is None:
        if labels:
            raise DataError(
                "There are no labels beside these images.",
                where=str(path),
                why="A model learns from examples with an answer.",
                todo="Put the labels beside them, named alike: train-images-idx3-ubyte and train-labels-idx1-ubyte.",
            )
        return ImageSet(_stack(read_idx(source), None)[0])
    found = _pair(read_idx(source), read_idx(idx_source(beside)), str(path), LABEL)
    return replace(found, reason=f"{beside.name}", origin={"format": "IDX"})


def _labels_beside(path: Path) -> Path | None:
    for sibling in sorted(path.parent.iterdir()):
        alike = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
        if sibling != path and sibling.name.removesuffix(".gz") == alike.removesuffix(".gz"):
            source = idx_source(sibling)
            if source is not None and idx_dimensions(source.head) == 1:
                return sibling
    return None
