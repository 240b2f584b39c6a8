"""What a study of images shows: samples of each class, the worst errors, what a model looks at, and what it trained on.

Every function gives JSON for an `analysis` event, pictures inside as small PNG data URIs, so that the report can be
written from the journal alone. Nothing here touches the sealed test set. Pictures are at most `THUMBNAIL` pixels a
side, and counts are bounded, so that a report stays small whatever the data.
"""

from __future__ import annotations

import base64
import io
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.task import Task

FIELD = "image"
THUMBNAIL = 48
MOST_SAMPLES, MOST_CLASSES, MOST_A_CLASS, FEWEST_A_CLASS = 100, 25, 10, 4
SHOWN_ERRORS = 18
SHOWN_OCCLUSIONS, OCCLUSION_CELLS, OCCLUDED_AT_ONCE = 6, 8, 256
SHOWN_AUGMENTED, VARIANTS = 4, 8
GAP = 2
BACKGROUND = 255
SHOWN_NAME = 40

Predict = Callable[[np.ndarray], np.ndarray]
Augment = Callable[[np.ndarray, int], np.ndarray]


def samples(task: Task, seed: int = 0) -> dict[str, Any]:
    """A few images of each class, most frequent class first; of the lowest and highest targets in a regression.

    Args:
        task: the training rows.
        seed: which images are drawn.

    Returns:
        `{"image_samples": [{"name", "rows", "picture"}]}`; `rows` counts the images of the class, `picture` is a strip.
    """
    groups = _groups(task)
    shown = sorted(groups, key=lambda group: -len(group[1]))[:MOST_CLASSES]
    each = int(np.clip(MOST_SAMPLES // max(1, len(shown)), FEWEST_A_CLASS, MOST_A_CLASS))
    generator = np.random.default_rng(seed)
    found = []
    for name, rows in shown:
        drawn = np.sort(generator.permutation(rows)[:each])
        found.append(
            {"name": name[:SHOWN_NAME], "rows": len(rows), "picture": strip(task.inputs[FIELD][drawn])}
        )
    return {"image_samples": found}


def errors(
    task: Task, rows: np.ndarray, target: np.ndarray, prediction: np.ndarray, loss: np.ndarray
) -> dict[str, Any]:
    """The held-out images that were predicted worst, with what they are and what they were taken for.

    Args:
        task: the training rows.
        rows: which of them the predictions speak of, `(n,)`.
        target: their true values.
        prediction: out-of-fold, `(n, k)`, `(n,)` or `(n, m)`.
        loss: how wrong each is, `(n,)` (see `analysis.row_loss`).

    Returns:
        `{"image_errors": [{"row", "expected", "predicted", "probability", "chance", "picture"}]}`: `probability` is that
        of the predicted class and `chance` that of the true one; both are None for numbers.
    """
    order = np.argsort(-loss, kind="stable")
    if task.problem in ("binary", "multiclass"):
        order = order[prediction[order].argmax(axis=1) != target[order]]
    found = []
    for position in order[:SHOWN_ERRORS]:
        found.append(
            {
                "row": int(rows[position]),
                **_told(task, target[position], prediction[position]),
                "picture": picture(task.inputs[FIELD][rows[position]]),
            }
        )
    return {"image_errors": found}


def occlusion(
    task: Task,
    rows: np.ndarray,
    target: np.ndarray,
    prediction: np.ndarray,
    predict: Predict,
    seconds: float,
    seed: int = 0,
) -> dict[str, Any]:
    """Which parts of an image the model needs (Zeiler and Fergus 2014): how its answer falls when a part is greyed out.

    Some images that it got right, and the surest errors. A square of a quarter of the side is put on a grid of places
    in the mean colour of the image; each cell of the map is the mean fall over the squares that cover it.

    Args:
        task: the training rows.
        rows, target, prediction: as in `errors`.
        predict: the model on images `(n, height, width, channels)`.
        seconds: no further image is begun after so long.
        seed: which images are drawn.

    Returns:
        `{"image_occlusion": [{"row", "expected", "predicted", "probability", "chance", "picture", "map", "fall"}]}`: `map`
        is the image with the needed parts in red, `fall` the largest fall of the predicted class's probability (or
        change of the number).
    """
    start, found = time.monotonic(), []
    for position in _worth_explaining(task, target, prediction, seed):
        if found and time.monotonic() - start > seconds * len(found) / (len(found) + 1):
            break
        image = task.inputs[FIELD][rows[position]]
        falls = occlusion_map(image, predict)
        found.append(
            {
                "row": int(rows[position]),
                **_told(task, target[position], prediction[position]),
                "picture": picture(image),
                "map": _overlay(image, falls),
                "fall": float(np.abs(falls).max()),
            }
        )
    return {"image_occlusion": found}


def occlusion_map(image: np.ndarray, predict: Predict, cells: int = OCCLUSION_CELLS) -> np.ndarray:
    """How much the answer falls when each part of the image is hidden, `(rows, columns)` of at most `cells` each.

    Args:
        image: `(height, width, channels)` of bytes.
        predict: images to probabilities `(n, k)` or numbers `(n,)`; for numbers the fall is the absolute change.
        cells: of the map along each side.
    """
    height, width = image.shape[:2]
    tops, lefts = (np.unique(np.linspace(0, side, cells + 1).astype(int)) for side in (height, width))
    squares = [
        (
            max(0, top - height // 8),
            top + max(1, height // 8),
            max(0, left - width // 8),
            left + max(1, width // 8),
        )
        for top in (tops[:-1] + tops[1:]) // 2
        for left in (lefts[:-1] + lefts[1:]) // 2
    ]
    hidden = np.repeat(image[None], len(squares), axis=0)
    colour = image.mean(axis=(0, 1)).astype(np.uint8)
    for number, (top, bottom, left, right) in enumerate(squares):
        hidden[number, top:bottom, left:right] = colour
    whole = _answers(predict, image[None])[0]
    answers = np.concatenate(
        [_answers(predict, hidden[i : i + OCCLUDED_AT_ONCE]) for i in range(0, len(hidden), OCCLUDED_AT_ONCE)]
    )
    own = int(whole.argmax())
    falls = whole[own] - answers[:, own] if len(whole) > 1 else np.abs(whole[0] - answers[:, 0])
    total, count = np.zeros((height, width)), np.full((height, width), 1e-9)
    for fall, (top, bottom, left, right) in zip(falls, squares, strict=True):
        total[top:bottom, left:right] += fall
        count[top:bottom, left:right] += 1
    mean = total / count
    return np.array(
        [
            [mean[top:bottom, left:right].mean() for left, right in itertools.pairwise(lefts)]
            for top, bottom in itertools.pairwise(tops)
        ]
    )


def augmentations(task: Task, augment: Augment, text: str = "", seed: int = 0) -> dict[str, Any]:
    """What the network saw while it trained: a few images, each several times as augmentation changed it.

    Args:
        task: the training rows.
        augment: bytes `(n, height, width, channels)` and a seed to the same, changed.
        text: one sentence on what is done to images.
        seed: which images, and how they are changed.

    Returns:
        `{"image_augmentations": {"text", "pictures"}}`; each picture is a strip that begins with the image as it is.
    """
    images = task.inputs[FIELD]
    rows = np.random.default_rng(seed).permutation(len(images))[:SHOWN_AUGMENTED]
    strips = []
    for number, row in enumerate(np.sort(rows)):
        copies = np.repeat(images[row][None], VARIANTS, axis=0)
        changed = np.clip(np.rint(augment(copies, seed + number)), 0, 255).astype(np.uint8)
        strips.append(strip(np.concatenate([images[row][None], changed])))
    return {"image_augmentations": {"text": text, "pictures": strips}}


def augmentation_of(source: str) -> tuple[str, Augment] | None:
    """What the training of a program does to images, in words and as a function; None when it leaves them as they are.

    Args:
        source: the program; of several networks the first that changes images is taken.
    """
    from perennial.compiler import compiled
    from perennial.lang import Call, parse
    from perennial.primitives import vocabulary
    from perennial.trainers.descent.recipe import Recipe

    for node in compiled(parse(source, vocabulary())).walk():
        if not isinstance(node, Call) or not hasattr(node.function, "recipe"):
            continue
        recipe = Recipe.of(node.function.recipe(**node.settings))
        text = recipe_in_words(recipe)
        if text:
            return text, augment_by(recipe)
    return None


def recipe_in_words(recipe: Any) -> str:
    """The changes that a recipe makes to images as one sentence; empty when it makes none."""
    parts = [
        f"moved by up to {recipe.shift:.0%} of the side" if recipe.shift else "",
        "mirrored half of the time" if recipe.flip else "",
        f"a square of {recipe.cutout:.0%} of the side cut out" if recipe.cutout else "",
        f"changed by TrivialAugment at strength {recipe.trivial:g}" if recipe.trivial else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def augment_by(recipe: Any) -> Augment:
    """A function that changes bytes `(n, height, width, channels)` as the training with this recipe does."""

    def augment(images: np.ndarray, seed: int) -> np.ndarray:
        import torch

        from perennial.trainers.descent.augmentation import Augmentation

        tensor = torch.from_numpy(np.ascontiguousarray(images))
        return Augmentation(recipe, tensor, seed)(tensor).numpy()

    return augment


# -- pictures --------------------------------------------------------------------------------------------------------


def picture(image: np.ndarray) -> str:
    """An image `(height, width, channels)` of bytes as a PNG data URI, made smaller when it is large.

    >>> picture(np.zeros((2, 2, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    return _png(_small(image))


def strip(images: np.ndarray) -> str:
    """Images side by side as one PNG data URI."""
    small = [_small(image) for image in images]
    gap = np.full((small[0].shape[0], GAP, small[0].shape[2]), BACKGROUND, np.uint8)
    parts = [part for image in small for part in (image, gap)][:-1]
    return _png(np.concatenate(parts, axis=1))


def _small(image: np.ndarray) -> np.ndarray:
    """At most `THUMBNAIL` pixels a side, with one or three channels."""
    from PIL import Image

    channels = 3 if image.shape[2] >= 3 else 1
    image = image[..., :channels]
    share = THUMBNAIL / max(image.shape[:2])
    if share >= 1:
        return image
    size = tuple(max(1, round(side * share)) for side in (image.shape[1], image.shape[0]))
    opened = Image.fromarray(image[..., 0] if channels == 1 else np.ascontiguousarray(image))
    made = np.asarray(opened.resize(size, Image.Resampling.BOX))
    return made[..., None] if channels == 1 else made


def _png(image: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    pixels = image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image)
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _overlay(image: np.ndarray, falls: np.ndarray) -> str:
    """The image in grey, with the parts whose hiding hurts in red, the more the redder, and those that help in blue."""
    small = _small(image)
    grey = small.astype(np.float64).mean(axis=2)
    rows, columns = (
        np.arange(side) * cells // side for side, cells in zip(grey.shape, falls.shape, strict=True)
    )
    share = falls[np.ix_(rows, columns)] / max(1e-9, float(np.abs(falls).max()))
    strength = 0.75 * np.abs(share)[..., None]
    colour = np.where(share[..., None] > 0, (220.0, 30.0, 30.0), (40.0, 80.0, 220.0))
    return _png(np.rint(grey[..., None] * (1 - strength) + colour * strength).astype(np.uint8))


# -- small questions -------------------------------------------------------------------------------------------------


def _groups(task: Task) -> list[tuple[str, np.ndarray]]:
    """Rows of each class or label, or of each quarter of the numbers."""
    target = task.target
    if task.problem in ("binary", "multiclass"):
        found = [(str(name), np.flatnonzero(target == code)) for code, name in enumerate(task.schema.classes)]
    elif task.problem == "multilabel":
        found = [
            (str(name), np.flatnonzero(column))
            for name, column in zip(task.schema.classes, target.T, strict=False)
        ]
    else:
        values = target if target.ndim == 1 else target[:, 0]
        edges = np.unique(np.quantile(values, (0, 0.25, 0.5, 0.75, 1)))
        code = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(0, len(edges) - 2))
        found = [
            (f"{edges[i]:.4g} to {edges[min(i + 1, len(edges) - 1)]:.4g}", np.flatnonzero(code == i))
            for i in range(max(1, len(edges) - 1))
        ]
    return [(name, rows) for name, rows in found if len(rows)]


def _told(task: Task, actual: Any, predicted: np.ndarray) -> dict[str, Any]:
    if task.problem in ("binary", "multiclass"):
        best = int(predicted.argmax())
        return {
            "expected": str(task.schema.classes[actual])[:SHOWN_NAME],
            "predicted": str(task.schema.classes[best])[:SHOWN_NAME],
            "probability": float(predicted[best]),
            "chance": float(predicted[actual]),
        }
    if task.problem == "multilabel":
        names = np.array([str(name) for name in task.schema.classes])[: len(predicted)]
        expected, said = (
            ", ".join(names[np.asarray(v) > 0.5])[:SHOWN_NAME] or "none" for v in (actual, predicted)
        )
    else:
        expected, said = (", ".join(f"{x:.4g}" for x in np.atleast_1d(v)[:4]) for v in (actual, predicted))
    return {"expected": expected, "predicted": said, "probability": None, "chance": None}


def _worth_explaining(task: Task, target: np.ndarray, prediction: np.ndarray, seed: int) -> list[int]:
    """Some rows drawn by lot that are right, then the surest errors."""
    order = np.random.default_rng(seed).permutation(len(target))
    if task.problem not in ("binary", "multiclass"):
        return order[:SHOWN_OCCLUSIONS].tolist()
    right = prediction.argmax(axis=1) == target
    half = SHOWN_OCCLUSIONS // 2
    wrong = np.flatnonzero(~right)
    surest = wrong[np.argsort(-prediction[wrong].max(axis=1), kind="stable")][:half]
    good = order[right[order]][: SHOWN_OCCLUSIONS - len(surest)]
    pairs = [row for pair in zip(good, surest, strict=False) for row in pair]
    return [int(row) for row in [*pairs, *good[len(surest) :], *surest[len(good) :]]]


def _answers(predict: Predict, images: np.ndarray) -> np.ndarray:
    answers = np.asarray(predict(images), dtype=np.float64)
    return answers.reshape(len(images), -1)
