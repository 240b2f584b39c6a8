"""Images sensed: from whatever holds them to everything that a task is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError, UsageError
from perennial.modalities.base import LEVELS, Finding, Sensed, counted
from perennial.modalities.checks import row_hashes
from perennial.modalities.columns import as_texts
from perennial.modalities.frames import Frame
from perennial.modalities.images.decoding import levels_of
from perennial.modalities.images.labels import ImageSet
from perennial.modalities.images.oddities import (
    groups_of_copies,
    judge_overlap,
    near_copies,
    refuse_broken,
    size_table,
    tell_counts,
    tell_flat,
    tell_kinds,
    tell_sizes,
)
from perennial.modalities.images.pictures import (
    Frames,
    Survey,
    border_colour,
    with_fill,
    without_colours,
)
from perennial.modalities.images.schema import FIELD, ImageSchema
from perennial.modalities.images.sizing import choose_size
from perennial.modalities.images.sources import labelled_sets
from perennial.modalities.images.wishes import ImageWishes
from perennial.modalities.labelled import checked_weights, keep_labelled
from perennial.modalities.tables import check_targets, find_target, refuse_unlabelled, unlabelled
from perennial.modalities.targets import TargetSchema, sense_target

SHOWN = 5
SIZES_KEPT = 20
CLASSES = ("binary", "multiclass")


@dataclass(frozen=True)
class _Read:
    """Images that could be read: which of the set they are, their pixels, and how they are brought to them."""

    images: ImageSet
    pixels: np.ndarray
    rows: np.ndarray


def sense_images(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    test: Any = None,
    name: str | None = None,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    problem: str | None = None,
    drop_unlabelled: bool = False,
    allow_overlap: bool = False,
    sample_weight: Any = None,
    reading: Mapping[str, Any] | None = None,
    wishes: ImageWishes | None = None,
) -> Sensed:
    """Everything about images that a task is built from; the arguments are those of `Task.from_data`.

    Args:
        group: a column of the table beside the images.
        reading: `encoding`, `delimiter` and `skip_bad_lines` of that table.
        wishes: about size, fit, broken images and memory.

    Raises:
        DataError: what cannot be learnt from, with the place and the remedy.
        UsageError: an option that only tables have.
    """
    wishes, reading = wishes or ImageWishes(), dict(reading or {})
    problem = problem or _problem_of(kinds, time)
    sets = labelled_sets(data, target, reading)
    images, findings = sets["train"], []
    held_out = _held_out(sets, test, target, reading, findings)
    findings += images.findings
    names, chosen = _with_targets(images, target, (*drop, group))
    images, weights = _labelled_only(
        images, names, _weights(sample_weight, images), drop_unlabelled, findings
    )
    problem = problem or images.problem
    expected = _sense_goal(images, names, problem)

    schema, read, survey, reasons = _read(images, expected, wishes, findings)
    images = read.images
    weights = None if weights is None else weights[read.rows]
    schema = replace(schema, target=_sense_goal(images, names, problem, findings))
    schema = replace(schema, decided=(*_decided(schema, names, chosen), *reasons))
    goal = schema.target.encode([images.about.column(column) for column in names])
    hashes = row_hashes({FIELD: read.pixels})
    tested = None if held_out is None else _test(held_out, schema, names, wishes, drop_unlabelled, findings)
    if tested is not None:
        keep = ~judge_overlap(hashes, tested.hashes, held_out.pictures.names, allow_overlap, findings.append)
        if not keep.all():
            rows = np.flatnonzero(keep)
            images, goal, hashes = images.take(rows), goal[rows], hashes[rows]
            read = _Read(images, read.pixels[rows], rows)
            weights = None if weights is None else weights[rows]
    labels = [str(label) for label in schema.classes] if schema.problem in CLASSES else []
    tell_counts(labels, goal, findings.append)
    tell_flat(read.pixels, images.pictures.names, findings.append)
    near = near_copies(read.pixels, hashes)
    groups = groups_of_copies(hashes, near, goal, labels, images.pictures.names, findings.append)
    return Sensed(
        "image",
        name or _name(images),
        schema,
        {FIELD: read.pixels},
        goal,
        hashes,
        tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level))),
        groups if group is None else _codes(images, group),
        None,
        {**(images.origin or {}), "images": _described(survey, schema, goal, labels)},
        tested,
        weights,
    )


# -- targets -----------------------------------------------------------------------------------------------------------


def _problem_of(kinds: Mapping[str, str] | None, time: str | None) -> str | None:
    """The problem that the user's word on the target implies; only tables have columns to speak of."""
    if time is not None:
        raise UsageError("Images have no time column yet.", where="--time-column", todo="Leave it out.")
    if not kinds:
        return None
    chosen = {"category": "multiclass", "number": "regression"}.get(next(iter(kinds.values())))
    if len(kinds) > 1 or chosen is None:
        raise UsageError(
            "Images have no columns whose kind could be chosen.",
            where="--type",
            todo="Say what the target is with --problem multiclass, regression or multilabel.",
        )
    return chosen


def _with_targets(
    images: ImageSet, target: str | Sequence[str] | None, left_out: Sequence[str | None]
) -> tuple[tuple[str, ...], str]:
    """The target columns, and why these; other columns of a table are not learnt from."""
    wanted = (target,) if isinstance(target, str) else tuple(target or ())
    if wanted or images.targets:
        check_targets(images.about, wanted or images.targets)
        return wanted or images.targets, "you said so" if wanted else images.reason
    rest = images.about.select([name for name in images.about.names if name not in left_out])
    if not rest.names:
        raise DataError(
            "The table beside the images has no column that could be the target.", where=images.reason
        )
    labels = _label_columns(rest)
    if labels:
        return labels, f"{images.reason}: every other column says with 0 and 1 whether a label applies"
    if len(rest.names) == 1:
        return rest.names, f"{images.reason}: its only other column"
    names, guessed = find_target(rest, None)
    return names, f"{images.reason}: {guessed}"


def _label_columns(about: Frame) -> tuple[str, ...]:
    """All columns when there are several and each holds 0 and 1 only: each says whether a label applies."""
    numbers = [name for name in about.names if about.column(name).dtype.kind in "buif"]
    binary = [name for name in numbers if np.isin(np.unique(about.column(name)), (0, 1)).all()]
    return tuple(binary) if len(binary) > 1 and len(binary) == len(about.names) else ()


def _labelled_only(
    images: ImageSet,
    names: Sequence[str],
    weights: np.ndarray | None,
    drop_unlabelled: bool,
    findings: list[Finding],
) -> tuple[ImageSet, np.ndarray | None]:
    _refuse_few(images)
    missing = unlabelled([images.about.column(name) for name in names])
    _, weights = keep_labelled(images.about, names, weights, drop_unlabelled, findings)
    return images.take(np.flatnonzero(~missing)) if missing.any() else images, weights


def _sense_goal(
    images: ImageSet, names: Sequence[str], problem: str | None, told: list[Finding] | None = None
) -> TargetSchema:
    """What the targets are; findings go to `told` when it is given."""
    tell = (lambda finding: None) if told is None else told.append
    return sense_target(names, [images.about.column(name) for name in names], problem, tell)


def _weights(sample_weight: Any, images: ImageSet) -> np.ndarray | None:
    if isinstance(sample_weight, str):
        sample_weight = images.about.column(sample_weight)
    return checked_weights(sample_weight, images.rows)


def _decided(schema: ImageSchema, names: Sequence[str], chosen: str) -> tuple[str, ...]:
    return f"target {', '.join(names[:SHOWN])}: {chosen}", f"{schema.problem}: {schema.target.reason}"


def _refuse_few(images: ImageSet) -> None:
    if images.rows < 2:
        raise DataError(
            f"There {'is' if images.rows == 1 else 'are'} {counted(images.rows, 'image')} to learn from.",
            where=str((images.origin or {}).get("path", "")),
            why="At least two are needed: one to learn from and one to judge by.",
            todo="Bring more images.",
        )


# -- pixels ------------------------------------------------------------------------------------------------------------


def _read(
    images: ImageSet, target: TargetSchema, wishes: ImageWishes, findings: list[Finding]
) -> tuple[ImageSchema, _Read, Survey, tuple[str, ...]]:
    """The images at one size that follows from all of them, the codec that does it again, and the reasons."""
    total, names = images.rows, images.pictures.names
    survey = images.pictures.survey()
    if survey.broken:
        refuse_broken(survey.broken, names, total, wishes.skip_bad, lambda finding: None, by_header=True)
    sound = np.array([row for row in range(total) if row not in survey.broken], dtype=np.int64)
    channels = 1 if survey.grey else 3
    sizing = choose_size(survey.heights[sound], survey.widths[sound], channels, wishes)
    reasons = list(sizing.reasons)
    levels = None
    if survey.deep is not None:
        *levels, why = levels_of(*survey.deep)
        levels = tuple(levels)
        reasons.append(f"brightness: {why}")
    frames = Frames((sizing.height, sizing.width), channels, sizing.fit, levels)
    part = images.take(sound) if len(sound) < total else images
    decoded = part.pictures.decode(frames)
    broken = {**survey.broken, **{int(sound[row]): why for row, why in decoded.broken.items()}}
    refuse_broken(broken, names, total, wishes.skip_bad, findings.append)
    keep = np.array([row for row in range(len(sound)) if row not in decoded.broken], dtype=np.int64)
    if channels == 3:
        decoded = without_colours(decoded)
        channels = decoded.pixels.shape[3]
        reasons.append("grey: no image has colours" if channels == 1 else "three channels: there are colours")
    fill = border_colour(decoded) if sizing.fit == "pad" else (0,) * channels
    pixels = with_fill(decoded, fill)
    tell_sizes(_without(survey, sound), sizing, findings.append)
    tell_kinds(survey, channels, decoded.coloured, findings.append)
    images = part.take(keep) if len(keep) < len(sound) else part
    pixels = pixels[keep] if len(keep) < len(sound) else pixels
    _refuse_few(images)
    schema = ImageSchema(sizing.height, sizing.width, channels, target, sizing.fit, fill, levels)
    return schema, _Read(images, pixels, sound[keep]), survey, tuple(reasons)


def _without(survey: Survey, sound: np.ndarray) -> Survey:
    return replace(survey, heights=survey.heights[sound], widths=survey.widths[sound])


def _described(
    survey: Survey, schema: ImageSchema, goal: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Sizes, formats, kinds and classes of the images, for the journal and the report."""
    counts = np.bincount(goal, minlength=len(labels)).tolist() if labels else []
    return {
        "sizes": size_table(survey.heights, survey.widths)[:SIZES_KEPT],
        "size": [schema.height, schema.width, schema.channels],
        "fit": schema.fit,
        "formats": survey.formats,
        "kinds": survey.marks,
        "broken": len(survey.broken),
        "classes": dict(zip(labels, counts, strict=False)),
    }


# -- test data ---------------------------------------------------------------------------------------------------------


def _held_out(
    sets: Mapping[str, ImageSet], test: Any, target: Any, reading: Mapping[str, Any], findings: list[Finding]
) -> ImageSet | None:
    """The images to test on: those that the user names, else those that came with the data."""
    if test is not None and "test" in sets:
        findings.append(Finding("test", "info", "The data have a test part of their own; it is not used."))
    images = sets.get("test") if test is None else labelled_sets(test, target, reading)["train"]
    if images is not None:
        told = (finding for finding in images.findings if finding.code != "axes")
        findings += [replace(finding, what=f"In the test data: {finding.what}") for finding in told]
    return images


def _test(
    images: ImageSet,
    schema: ImageSchema,
    names: Sequence[str],
    wishes: ImageWishes,
    drop_unlabelled: bool,
    findings: list[Finding],
) -> Sensed:
    check_targets(images.about, names)
    missing = unlabelled([images.about.column(name) for name in names])
    if missing.any():
        if not drop_unlabelled:
            refuse_unlabelled(missing, names)
        images = images.take(np.flatnonzero(~missing))
    pixels, broken = schema.pixels_of(images)
    refuse_broken(broken, images.pictures.names, images.rows, wishes.skip_bad, findings.append)
    keep = np.array([row for row in range(images.rows) if row not in broken], dtype=np.int64)
    images, pixels = images.take(keep), pixels[keep]
    goal = schema.target.encode([images.about.column(name) for name in names])
    _tell_new_classes(schema, goal, images, names, findings)
    inputs = {FIELD: pixels}
    return Sensed("image", "test", schema, inputs, goal, row_hashes(inputs), origin=dict(images.origin or {}))


def _tell_new_classes(
    schema: ImageSchema, goal: np.ndarray, images: ImageSet, names: Sequence[str], findings: list[Finding]
) -> None:
    new = np.flatnonzero(goal == len(schema.classes)) if schema.problem in CLASSES else []
    if len(new):
        texts = as_texts(images.about.column(names[0]))
        findings.append(
            Finding(
                "new classes",
                "warning",
                f"{len(new)} test images are of a class that is not among those to learn from.",
                ", ".join(sorted({str(texts[row]) for row in new})[:SHOWN]),
                "No model can name a class it has never seen.",
                "They count as errors.",
                "Add such images to those to learn from.",
            )
        )


# -- groups and names --------------------------------------------------------------------------------------------------


def _codes(images: ImageSet, group: str) -> np.ndarray:
    """A code for each value of a column; every image without a value is a group of its own."""
    if group not in images.about.names:
        raise UsageError(
            f"There is no column {group!r} beside the images.",
            where="--group",
            todo="Groups of images are named in a CSV beside them, with the columns file, target and group.",
        )
    texts = as_texts(images.about.column(group))
    known: dict[Any, int] = {}
    keys = [row if text is None else text for row, text in enumerate(texts)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _name(images: ImageSet) -> str:
    path = (images.origin or {}).get("path")
    return Path(path).name.split(".")[0] if path else "images"
