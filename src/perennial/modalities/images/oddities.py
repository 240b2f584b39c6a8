"""What can be odd about images: mixed sizes and kinds, copies, copies of two classes, images that show nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from perennial.errors import DataError
from perennial.modalities.base import Finding, counted
from perennial.modalities.images.pictures import Survey
from perennial.modalities.images.sizing import Sizing

SHOWN = 5
FLAT = 2.0
CHUNK = 2_000
TOLERATED = 0.01
FEW_IMAGES = 50
IMBALANCE = 10.0
THUMBNAIL = 8
MOST_ALIKE = 200
MOST_COMPARED = 30_000
BLOCK = 512
CORRELATED = 0.995
NEAR = 0.125

Tell = Callable[[Finding], None]


def refuse_broken(
    broken: dict[int, str],
    names: np.ndarray | None,
    total: int,
    allowed: bool,
    tell: Tell,
    by_header: bool = False,
) -> None:
    """Tells of images that cannot be read; they are left out when they are at most one in a hundred.

    Args:
        broken: number of an image → why.
        names: of the images.
        total: how many images there are.
        allowed: leave them out however many they are.
        tell: receives the finding.
        by_header: whether only headers were read yet, so that there may be more of them.

    Raises:
        DataError: there are more of them.
    """
    if not broken:
        return
    listed = "; ".join(f"{_name(names, row)} ({why})" for row, why in sorted(broken.items())[:SHOWN])
    more = f"; … {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
    what = f"{'At least ' * by_header}{len(broken)} of {total} images cannot be read."
    if len(broken) == total or (len(broken) > TOLERATED * total and not allowed):
        raise DataError(
            what,
            where=listed + more,
            why="More than one in a hundred is no accident: a download was cut short, or these are no images.",
            todo="Get them again or remove them, or leave them out with --skip-bad-images.",
        )
    tell(
        Finding(
            "broken images",
            "warning",
            what,
            listed + more,
            "Nothing can be learnt from them.",
            "They are left out.",
            "Get them again, or remove them.",
        )
    )


def size_table(heights: np.ndarray, widths: np.ndarray) -> list[list[int]]:
    """The sizes that occur, as `[height, width, images]`, the most frequent first."""
    counts = Counter(zip(heights.tolist(), widths.tolist(), strict=True))
    return [[height, width, count] for (height, width), count in counts.most_common()]


def tell_sizes(survey: Survey, sizing: Sizing, tell: Tell) -> None:
    """Images of different sizes, with a table and what is done about them."""
    table = size_table(survey.heights, survey.widths)
    if len(table) < 2:
        return
    shown = ", ".join(f"{height} x {width} ({count})" for height, width, count in table[:SHOWN])
    more = f", … {len(table) - SHOWN} more sizes" if len(table) > SHOWN else ""
    areas = (survey.heights * survey.widths).tolist()
    tell(
        Finding(
            "mixed sizes",
            "warning",
            f"The images have {len(table)} different sizes (height x width): {shown}{more}.",
            f"{min(areas)} to {max(areas)} pixels",
            "A model sees images of one size; small ones are blown up and large ones lose detail.",
            f"All become {sizing.height} x {sizing.width} ({sizing.fit}).",
            "--image-size, --image-fit",
        )
    )


def tell_kinds(survey: Survey, channels: int, coloured: int, tell: Tell) -> None:
    """Different sorts of pixels in one set, and what each became."""
    known = {
        "rotated by EXIF": "turned upright",
        "animated": "their first frame is taken",
        "transparent": "laid over white",
        "palette": "turned into colours",
        "CMYK": "turned into RGB",
        "more than 8 bits": "scaled to 8 bits",
    }
    for mark, count in survey.marks.items():
        action = known.get(mark, "turned into RGB")
        level = "warning" if mark == "animated" else "info"
        why = "What happens in the later frames is not seen." if mark == "animated" else ""
        flag = "Save the frames as images if they matter." if mark == "animated" else ""
        tell(Finding("kinds of images", level, f"{counted(count, 'image')} {_are(count)} {mark}: {action}.", "", why,
                     "" if not why else "The first frame is taken.", flag))  # fmt: skip
    total = len(survey.heights) - len(survey.broken)
    if channels == 3 and 0 < coloured < total:
        tell(
            Finding(
                "mixed channels",
                "warning",
                f"{coloured} of {total} images are in colour, the others grey.",
                "",
                "A model may learn the sort of image in place of what it shows.",
                "All have three channels.",
                "Turn all of them grey if colours say nothing.",
            )
        )
    if len(survey.marks.keys() & {"more than 8 bits"}) and survey.marks["more than 8 bits"] < total:
        tell(
            Finding(
                "mixed depths",
                "warning",
                f"{survey.marks['more than 8 bits']} of {total} images have more than 8 bits.",
                "",
                "Their brightness is scaled differently from that of the others.",
                "All have 8 bits.",
                "Save all images with one depth.",
            )
        )


def tell_flat(pixels: np.ndarray, names: np.ndarray | None, tell: Tell) -> None:
    """Images in which nothing can be seen."""
    flat: list[int] = []
    for start in range(0, len(pixels), CHUNK):
        part = pixels[start : start + CHUNK]
        span = (part.max(axis=(1, 2)).astype(np.int16) - part.min(axis=(1, 2))).max(axis=1)
        dull = np.flatnonzero(span < 255)
        deviation = part[dull].std(axis=(1, 2), dtype=np.float32).max(axis=1)
        flat += (start + dull[deviation < FLAT]).tolist()
    if flat:
        tell(
            Finding(
                "nearly one colour",
                "warning",
                f"{counted(len(flat), 'image')} of nearly one colour.",
                _listed(names, flat),
                "They show nothing that could be learnt.",
                "They are kept.",
                "Remove them if they are errors.",
            )
        )


def tell_counts(classes: Sequence[str], codes: np.ndarray, tell: Tell) -> None:
    """Few images, and classes of very different size."""
    if len(codes) < FEW_IMAGES:
        tell(
            Finding(
                "few images",
                "warning",
                f"There are {len(codes)} images only.",
                "",
                "Every figure will have a wide interval, and most differences between models are chance.",
                "Models are judged by repeated cross-validation.",
                "Bring more images.",
            )
        )
    if not len(classes):
        return
    counts = np.bincount(codes, minlength=len(classes))
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    if counts[largest] > IMBALANCE * max(counts[smallest], 1):
        tell(
            Finding(
                "imbalance",
                "warning",
                f"{classes[largest]!r} has {counts[largest]} images and {classes[smallest]!r} {counts[smallest]}.",
                ", ".join(f"{classes[code]} ({counts[code]})" for code in np.argsort(counts)[:SHOWN]),
                "A model may neglect the rare classes, and accuracy hides it.",
                "Splits keep the shares of the classes, and the metric is chosen for it.",
                "--metric balanced_accuracy",
            )
        )


def groups_of_copies(
    hashes: np.ndarray,
    near: np.ndarray,
    target: np.ndarray,
    labels: Sequence[str],
    names: np.ndarray | None,
    tell: Tell,
) -> np.ndarray | None:
    """Codes that copies and near copies share, or None when all images differ; tells of both.

    Args:
        hashes: of the pixels, `(n,)`.
        near: codes that images share which differ by little, `(n,)`, copies included.
        target: class codes `(n,)`, or anything else of `n` rows.
        labels: class names, or empty.
        names: of the images.
        tell: receives findings.
    """
    _, originals, codes, counts = np.unique(
        hashes, return_index=True, return_inverse=True, return_counts=True
    )
    copies = len(hashes) - len(counts)
    if copies:
        rows = np.flatnonzero(counts[codes] > 1)
        rows = rows[np.argsort(codes[rows], kind="stable")]
        tell(
            Finding(
                "duplicates",
                "warning",
                f"{counted(copies, 'image')} ({copies / len(hashes):.1%} of all) {'is a copy' if copies == 1 else 'are copies'} of others.",
                _listed(names, rows),
                "A copy in the validation fold would be known by heart.",
                "Copies stay on one side of every split.",
                "Remove copies if they are errors.",
            )
        )
        if len(labels):
            _tell_contradictions(codes, target, labels, names, tell)
    similar = len(counts) - len(np.unique(near))
    if similar > 0:
        originals = np.sort(originals)
        _, first, sizes = np.unique(near[originals], return_inverse=True, return_counts=True)
        rows = np.flatnonzero(sizes[first] > 1)
        rows = originals[rows[np.argsort(first[rows], kind="stable")]]
        tell(
            Finding(
                "near duplicates",
                "warning",
                f"{counted(similar, 'image')} {'is' if similar == 1 else 'are'} nearly the same as others.",
                _listed(names, rows),
                "In the validation fold they would be known by heart.",
                "They stay on one side of every split.",
                "Remove them if they are errors.",
            )
        )
    return near if copies or similar > 0 else None


def near_copies(pixels: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Codes `(n,)` that images share which look the same.

    Candidates have thumbnails of 8 x 8 means that correlate nearly perfectly; beyond thirty thousand images, equal
    difference hashes (Krawetz 2013). Of them those count that differ by less than an eighth of their contrast: root
    mean square against standard deviation, over all pixels.
    """
    _, codes = np.unique(hashes, return_inverse=True)
    codes = codes.astype(np.int64)
    if min(pixels.shape[1:3]) < 2 * THUMBNAIL or len(pixels) < 2:
        return codes
    means = np.concatenate(
        [_thumbnails(pixels[start : start + CHUNK]) for start in range(0, len(pixels), CHUNK)]
    )
    for one, other in _correlated(means) if len(means) <= MOST_COMPARED else _same_falls(means):
        if codes[one] != codes[other]:
            first = pixels[one].astype(np.float32)
            difference = np.sqrt(np.mean((pixels[other] - first) ** 2))
            if difference < NEAR * first.std():
                codes[codes == codes[other]] = codes[one]
    return codes


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Grey means of 8 x 8 blocks, `(n, 8, 8)`."""
    grey = pixels.mean(axis=3, dtype=np.float32)
    height, width = grey.shape[1:]
    rows = np.linspace(0, height, THUMBNAIL + 1).astype(int)
    columns = np.linspace(0, width, THUMBNAIL + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(grey, rows[:-1], axis=1), columns[:-1], axis=2)
    return sums / (np.diff(rows)[:, None] * np.diff(columns)[None, :])


def _correlated(means: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose thumbnails correlate nearly perfectly."""
    flat = means.reshape(len(means), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = np.where(norms > FLAT, flat / np.maximum(norms, 1e-6), 0)
    for start in range(0, len(flat), BLOCK):
        alike = flat[start : start + BLOCK] @ flat[start:].T > CORRELATED
        for row, other in np.argwhere(alike)[: BLOCK * SHOWN]:
            if row < other:
                yield int(start + row), int(start + other)


def _same_falls(means: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose brightness falls from left to right and from top to bottom at the same places."""
    falls = [means[:, :, :-1] > means[:, :, 1:], means[:, :-1] > means[:, 1:]]
    bits = np.packbits(np.concatenate([fall.reshape(len(means), -1) for fall in falls], axis=1), axis=1)
    _, codes = np.unique(bits, axis=0, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        for row in members[1:MOST_ALIKE]:
            yield int(members[0]), int(row)


def judge_overlap(
    hashes: np.ndarray, test_hashes: np.ndarray, test_names: np.ndarray | None, allowed: bool, tell: Tell
) -> np.ndarray:
    """Which images to learn from must be left out because they are tested on, `(n,)`.

    Up to one in a hundred test images may be among those to learn from: the latter are then left out.

    Raises:
        DataError: there are more of them, and it is not allowed.
    """
    shared = np.isin(test_hashes, hashes)
    known = np.isin(hashes, test_hashes)
    if not shared.any():
        return known
    what = f"{int(shared.sum())} of {len(shared)} test images are among the images to learn from."
    where = _listed(test_names, np.flatnonzero(shared))
    why = "A model scores better on images it has learnt; the test would flatter."
    if not allowed and shared.mean() > TOLERATED:
        raise DataError(
            what,
            where=where,
            why=why,
            todo="Take them out of one of both, or accept them with --allow-overlap.",
        )
    action = "You allowed it." if allowed else f"{int(known.sum())} images are not learnt from."
    tell(Finding("overlap", "warning", what, where, why, action, "--allow-overlap"))
    return np.zeros(len(hashes), dtype=bool) if allowed else known


def _tell_contradictions(
    codes: np.ndarray, target: np.ndarray, labels: Sequence[str], names: np.ndarray | None, tell: Tell
) -> None:
    pairs = np.unique(np.column_stack([codes, target]), axis=0)
    several, times = np.unique(pairs[:, 0], return_counts=True)
    torn = several[times > 1]
    if not len(torn):
        return
    shown = []
    for code in torn[:SHOWN]:
        rows = np.flatnonzero(codes == code)
        shown.append(" = ".join(f"{_name(names, row)} ({labels[target[row]]})" for row in rows[:3]))
    tell(
        Finding(
            "same image, two classes",
            "warning",
            f"{counted(len(torn), 'image')} {'is' if len(torn) == 1 else 'are'} in two or more classes.",
            "; ".join(shown),
            "No model can be right on all of them.",
            "They are kept, and their copies stay on one side of every split.",
            "Decide what each of them shows, and remove the others.",
        )
    )


def _name(names: np.ndarray | None, row: int) -> str:
    return f"image {row + 1}" if names is None else str(names[row])


def _listed(names: np.ndarray | None, rows: Sequence[int]) -> str:
    shown = ", ".join(_name(names, row) for row in list(rows)[:SHOWN])
    return shown + (f", … {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
