"""What images show: by the class folder they lie in, or by a table beside them that names their files."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError, PerennialError
from perennial.modalities.base import Finding, counted
from perennial.modalities.columns import as_texts
from perennial.modalities.frames import Frame
from perennial.modalities.images.pictures import Files, Pictures, together
from perennial.modalities.images.trees import Entry, Tree
from perennial.modalities.reading import frame_from, read_table
from perennial.modalities.values import column_of

CLASS = "class"
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".csv.gz", ".tsv.gz")
LARGEST_TABLE = 256 * 2**20
NAMED = 0.5
LOST = 0.01
SHOWN = 5
PART_NAMES = {
    "train": ("train", "training", "learn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "t10k"),
}


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and what is known of each.

    Args:
        pictures: the images, `n` of them.
        about: `n` rows with the targets and other columns; None when nothing is known.
        targets: the columns that are to be predicted when the user says nothing; empty to guess.
        reason: where the targets come from.
        problem: the kind of problem that follows from it; None to sense it.
        findings: what was odd.
        origin: where they come from, as JSON.
    """

    pictures: Pictures
    about: Frame | None = None
    targets: tuple[str, ...] = ()
    reason: str = ""
    problem: str | None = None
    findings: tuple[Finding, ...] = ()
    origin: Mapping[str, Any] = None

    @property
    def rows(self) -> int:
        """How many images."""
        return len(self.pictures)

    def take(self, rows: np.ndarray) -> ImageSet:
        """Some of the images, in this order."""
        about = None if self.about is None else self.about.take(rows)
        return replace(self, pictures=self.pictures.take(rows), about=about)


def images_in(tree: Tree) -> ImageSet:
    """All images of a tree, without a word on what they show."""
    images = [entry for entry in tree.entries if entry.is_image()]
    if not images:
        raise _no_images(tree)
    return ImageSet(_files(tree, images), origin={"path": tree.place})


def described_images(tree: Tree, reading: Mapping[str, Any] | None = None) -> ImageSet:
    """All images of a tree with what is known of each: the class folder it lies in, and what tables say of it.

    Where nothing is said of an image, its cell is missing.

    Args:
        tree: of a folder or archive.
        reading: how to read tables beside the images; None leaves them unread.

    Raises:
        DataError: no images, or tables that contradict each other or name images that are not there.
    """
    images, parts = images_in(tree), _parts(tree)
    row_of = {opener: row for row, opener in enumerate(images.pictures.openers)}  # the same in every part
    folders = np.full(images.rows, None, dtype=object)
    for entry in (entry for part in parts.values() for entry in part.entries):
        if entry.open in row_of and len(entry.parts) > 1:
            folders[row_of[entry.open]] = entry.parts[0]
    columns = {} if reading is None else _columns_of_tables(tree, parts, row_of, reading)
    if CLASS not in columns and set(folders) != {None}:
        columns[CLASS] = folders
    return replace(images, about=Frame(tuple(columns), tuple(columns.values())) if columns else None)


def labelled_images(
    tree: Tree, target: str | Sequence[str] | None, reading: Mapping[str, Any]
) -> dict[str, ImageSet]:
    """Images with their labels, in the parts `train` and, when there are such, `test`.

    Args:
        tree: of a folder or archive.
        target: the user's word on what is to be predicted.
        reading: how to read a table: `encoding`, `delimiter`, `skip_bad_lines`.

    Raises:
        DataError: no images, or nothing that says what they show.
    """
    wanted = (target,) if isinstance(target, str) else tuple(target or ())
    tables = _tables_of_parts(tree, reading)
    if "train" in tables and (set(wanted) - {CLASS} or len(_class_folders(_parts(tree)["train"])) < 2):
        return _joined_parts({part: _by_table(tree, *table) for part, table in tables.items()})
    parts = {name: part for name, part in _parts(tree).items() if name == "train" or part.entries}
    own = {name: _tables_of_parts(part, reading).get("train") for name, part in parts.items()}
    sets = {
        name: _by_table(part, *own[name]) if own[name] is not None else _by_folder(part, name)
        for name, part in parts.items()
    }
    return _joined_parts(sets)


# -- parts -------------------------------------------------------------------------------------------------------------


def _parts(tree: Tree) -> dict[str, Tree]:
    """The trees of `train`, `val` and `test` when the folders are called so; else everything is to learn from."""
    found = {name: part for name in tree.top if (part := _part_of(name))}
    if (
        len(found) < len(tree.top)
        or sorted(set(found.values())) != sorted(found.values())
        or "train" not in found.values()
    ):
        return {"train": tree}
    parts = {part: tree.under(name) for name, part in found.items()}
    return {**parts, "train": replace(parts["train"], links=tree.links)}


def _part_of(name: str) -> str | None:
    return next((part for part, names in PART_NAMES.items() if name.lower() in names), None)


def _joined_parts(sets: Mapping[str, ImageSet]) -> dict[str, ImageSet]:
    """Train and test: a validation part is learnt from when there is a test part, else it is the test."""
    sets = dict(sets)
    validation = sets.pop("val", None)
    if validation is None:
        return sets
    if "test" not in sets:
        note = "The validation part is the test: it is opened once, at the end."
        return {**sets, "test": _noted(validation, "parts", note)}
    train = sets["train"]
    about = _stacked(train.about, validation.about)
    both = replace(
        train,
        pictures=together([train.pictures, validation.pictures]),
        about=about,
        findings=(*train.findings, *validation.findings),
    )
    note = f"{counted(validation.rows, 'image')} of the validation part are learnt from too: folds are drawn anew."
    return {"train": _noted(both, "parts", note), "test": sets["test"]}


def _noted(images: ImageSet, code: str, note: str) -> ImageSet:
    return replace(images, findings=(*images.findings, Finding(code, "info", note)))


def _stacked(one: Frame, other: Frame) -> Frame:
    shared = [name for name in one.names if name in other.names]
    columns = [
        np.concatenate([one.column(name).astype(object), other.column(name).astype(object)])
        if one.column(name).dtype != other.column(name).dtype
        else np.concatenate([one.column(name), other.column(name)])
        for name in shared
    ]
    return Frame(tuple(shared), tuple(columns), one.origin)


# -- class folders -----------------------------------------------------------------------------------------------------


def _class_folders(tree: Tree) -> list[str]:
    """Folders under the root that hold images."""
    return sorted({entry.parts[0] for entry in tree.entries if len(entry.parts) > 1 and entry.is_image()})


def _by_folder(tree: Tree, part: str) -> ImageSet:
    images = [entry for entry in tree.entries if entry.is_image()]
    if not images:
        raise _no_images(tree)
    inside = [entry for entry in images if len(entry.parts) > 1]
    if not inside:
        raise DataError(
            f"{counted(len(images), 'image')} lie directly in the folder, and nothing says what they show.",
            where=f"{tree.place}: {', '.join(entry.name for entry in images[:SHOWN])}",
            why="A model learns from examples with an answer.",
            todo="Put each image into a folder named like its class, or add a CSV with the columns file and target.",
        )
    labels = [entry.parts[0] for entry in inside]
    if part == "train" and len(set(labels)) < 2:
        empty = sorted(set(tree.top) - set(labels))
        raise DataError(
            f"All {len(inside)} images are of one class: {labels[0]!r}.",
            where=tree.place + (f"; without images: {', '.join(empty[:SHOWN])}" if empty else ""),
            why="There is nothing to tell apart.",
            todo="Add a folder of images of another class.",
        )
    about = Frame((CLASS,), (np.array([*labels, None], dtype=object)[:-1],))
    findings = _about_folders(tree, images, inside, set(labels))
    origin = {"path": tree.place, "format": "class folders"}
    return ImageSet(
        _files(tree, inside), about, (CLASS,), "the folder an image lies in", "multiclass", findings, origin
    )


def _about_folders(
    tree: Tree, images: Sequence[Entry], inside: Sequence[Entry], classes: set[str]
) -> tuple[Finding, ...]:
    findings = [*_about_links(tree), *_about_others(tree, images)]
    empty = [name for name in tree.top if name not in classes]
    if empty:
        findings.append(
            Finding(
                "empty class",
                "warning",
                f"{counted(len(empty), 'folder')} without a single image.",
                ", ".join(empty[:SHOWN]),
                "A class without examples cannot be learnt.",
                "They are no classes.",
                "Add images, or remove the folders.",
            )
        )
    loose = [entry.name for entry in images if len(entry.parts) == 1]
    if loose:
        findings.append(
            Finding(
                "no class",
                "warning",
                f"{counted(len(loose), 'image')} lie beside the class folders.",
                ", ".join(loose[:SHOWN]),
                "Nothing says what they show.",
                "They are left out.",
                "Put them into class folders.",
            )
        )
    nested = [entry.name for entry in inside if len(entry.parts) > 2]
    if nested:
        findings.append(
            Finding(
                "nested folders",
                "warning",
                f"{counted(len(nested), 'image')} lie in folders within class folders.",
                ", ".join(nested[:SHOWN]),
                "The inner folders may be classes of their own.",
                "The outermost folder is the class.",
                "Move the inner folders up if they are the classes.",
            )
        )
    return tuple(findings)


def _about_links(tree: Tree) -> list[Finding]:
    if not tree.links:
        return []
    return [
        Finding(
            "links",
            "warning",
            f"{counted(len(tree.links), 'link')} lead to folders or out of the data folder.",
            ", ".join(tree.links[:SHOWN]),
            "Following them could read anything on this machine, or never end.",
            "They are ignored.",
            "Copy the files into the folder.",
        )
    ]


def _about_others(tree: Tree, images: Sequence[Entry]) -> list[Finding]:
    known = {entry.parts for entry in images}
    others = [entry.name for entry in tree.entries if entry.parts not in known]
    if not others:
        return []
    text = f"{counted(len(others), 'file')} that hold no image: {', '.join(others[:SHOWN])}."
    return [Finding("other files", "info", text, tree.place, "", "They are ignored.")]


# -- tables beside the images ------------------------------------------------------------------------------------------


def _tables_of_parts(
    tree: Tree, reading: Mapping[str, Any]
) -> dict[str, tuple[Frame, str, list[Entry | None], str]]:
    """Tables directly under the root that name image files, by the part that they speak of."""
    images = [entry for entry in tree.entries if entry.is_image()]
    if not images:
        return {}
    found: dict[str, tuple] = {}
    index = _index(images)
    for entry in tree.files():
        if not entry.name.lower().endswith(TABLES):
            continue
        frame = _read(entry, reading)
        column, named = _file_column(frame, index) if frame is not None else (None, [])
        if column is None:
            continue
        part = next(
            (part for part, words in PART_NAMES.items() if entry.name.lower().startswith(words)), "train"
        )
        if part in found:
            raise DataError(
                "Several tables name the images.",
                where=f"{tree.place}: {found[part][3]} and {entry.name}",
                why="They may contradict each other.",
                todo="Keep one of them in the folder, or call them train.csv and test.csv.",
            )
        found[part] = (frame, column, named, entry.name)
    return found


def _columns_of_tables(
    tree: Tree, parts: Mapping[str, Tree], row_of: Mapping[Any, int], reading: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The columns of all tables of a tree and its parts, in the order of the images, by what opens these."""
    tables = [(tree, *table) for table in _tables_of_parts(tree, reading).values()]
    if not tables:
        tables = [(p, *table) for p in parts.values() for table in _tables_of_parts(p, reading).values()]
    cells: dict[str, list] = {}
    known: set[int] = set()
    for images in (_by_table(*table) for table in tables):
        rows = [row_of[opener] for opener in images.pictures.openers]
        twice = next((row for row, times in Counter([*known, *rows]).items() if times > 1), None)
        if twice is not None:
            raise DataError(
                "An image is named twice in the tables beside the images.",
                where=f"{tree.place}: {images.pictures.names[rows.index(twice)]}",
                why="Each image is judged by one true value.",
                todo="Keep one row for each image.",
            )
        known.update(rows)
        for name, column in zip(images.about.names, images.about.columns, strict=True):
            told = cells.setdefault(name, [None] * len(row_of))
            for row, cell in zip(rows, column.tolist(), strict=True):
                told[row] = cell
    return {name: column_of(told, name).values for name, told in cells.items()}


def _read(entry: Entry, reading: Mapping[str, Any]) -> Frame | None:
    """The table in a file; None when it cannot be read as one."""
    data = entry.head(LARGEST_TABLE)
    if entry.name.lower().endswith(".json"):
        frame = _mapping(data)
        if frame is not None:
            return frame
    with tempfile.TemporaryDirectory(prefix="perennial-") as folder:
        suffix = next(suffix for suffix in reversed(TABLES) if entry.name.lower().endswith(suffix))
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(data)
        try:
            return read_table(path, **reading)
        except PerennialError:
            return None


def _mapping(data: bytes) -> Frame | None:
    """A JSON object from file names to labels, lists of labels, or records of several values."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not told:
        return None
    values = list(told.values())
    if all(isinstance(value, dict) for value in values):
        return frame_from([{"file": name, **value} for name, value in told.items()])
    cells = [";".join(map(str, value)) if isinstance(value, list) else value for value in values]
    if any(isinstance(cell, dict) for cell in cells):
        return None
    return frame_from({"file": list(told), "label": cells})


def _index(images: Sequence[Entry]) -> dict[str, Entry]:
    """Entries by path; also by end of the path, file name and stem where these are unique."""
    index: dict[str, Entry] = {}
    for names in (
        lambda entry: entry.name,
        lambda entry: entry.parts[-1],
        lambda entry: entry.parts[-1].rsplit(".", 1)[0],
    ):
        counts = Counter(map(names, images))
        for entry in images:
            if counts[names(entry)] == 1:
                index.setdefault(names(entry), entry)
    return index


def _file_column(frame: Frame, index: Mapping[str, Entry]) -> tuple[str | None, list[Entry | None]]:
    """The column whose cells name most images, with the image of each row."""
    best: tuple[int, str | None, list] = (0, None, [])
    for name, cells in zip(frame.names, frame.columns, strict=True):
        if cells.dtype.kind not in "Oiu":
            continue
        texts = as_texts(cells)
        named = [None if text is None else _found(text, index) for text in texts]
        hits = sum(entry is not None for entry in named)
        if hits > best[0] and hits >= NAMED * len(cells):
            best = hits, name, named
    return best[1], best[2]


def _found(text: str, index: Mapping[str, Entry]) -> Entry | None:
    path = text.strip().replace("\\", "/").removeprefix("./")
    if path in index:
        return index[path]
    return index.get(path.rsplit("/", 1)[-1]) if "/" in path else None


def _by_table(tree: Tree, frame: Frame, column: str, named: Sequence[Entry | None], name: str) -> ImageSet:
    lost = [row for row, entry in enumerate(named) if entry is None]
    known = np.array([row for row, entry in enumerate(named) if entry is not None], dtype=np.int64)
    where = ", ".join(f"row {row + 1}: {frame.column(column)[row]!r}" for row in lost[:SHOWN])
    if len(lost) > LOST * len(named):
        raise DataError(
            f"{len(lost)} of {len(named)} rows of {name} name an image that is not there.",
            where=f"{tree.place}; {where}",
            why="More than one in a hundred is no accident.",
            todo="Check the names, and that all images were copied.",
        )
    entries = [named[row] for row in known]
    unnamed = {e.parts for e in tree.entries if e.is_image()} - {entry.parts for entry in entries}
    findings = [*_about_links(tree)]
    for count, what in (
        (len(lost), "named in the table and not there"),
        (len(unnamed), "not named in the table"),
    ):
        if count:
            findings.append(
                Finding(
                    "missing images",
                    "warning",
                    f"{counted(count, 'image')} {what}.",
                    where
                    if what.startswith("named")
                    else ", ".join("/".join(p) for p in sorted(unnamed)[:SHOWN]),
                    "Without both image and target nothing can be learnt.",
                    "They are left out.",
                    f"Correct {name}.",
                )
            )
    about = frame.take(known).select([other for other in frame.names if other != column])
    if not about.names:
        raise DataError(f"{name} names the images and says nothing about them.", where=tree.place)
    return ImageSet(
        _files(tree, entries),
        about,
        (),
        f"{name}, whose column {column!r} names the images",
        None,
        tuple(findings),
        {"path": tree.place, "format": f"images named in {name}"},
    )


def _files(tree: Tree, entries: Sequence[Entry]) -> Files:
    names = np.array([*(entry.name for entry in entries), None], dtype=object)[:-1]
    return Files(names, [entry.open for entry in entries], tree.place)


def _no_images(tree: Tree) -> DataError:
    tables = [entry.name for entry in tree.entries if entry.name.lower().endswith(TABLES)]
    links = f"; {len(tree.links)} links were not followed" if tree.links else ""
    return DataError(
        "There is no image in this folder." if not tree.entries else "No file in this folder is an image.",
        where=tree.place + links,
        why="Known are JPEG, PNG, BMP, GIF, WebP, TIFF and PNM, recognised by their content.",
        todo=f"Pass the table itself: {tree.place}/{tables[0]}." if tables else "Check the path.",
    )
