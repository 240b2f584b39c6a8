"""Rows dealt to parts: stratified, with groups kept whole, every class learnable, and time running forward.

scikit-learn's splitters each do one of these; its grouped one loops over every group, which is
slow when the groups are the copies among a hundred thousand rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perennial.errors import DataError

if TYPE_CHECKING:
    from perennial.task import Task

CLASS_PROBLEMS = ("binary", "multiclass")
COPIES_SHARE = 0.1
CAREFUL_GROUPS = 2_000
TARGET_BINS = 10


def flat(target: np.ndarray) -> np.ndarray:
    """`(n, 1)` as `(n,)`; anything else as it is."""
    return target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target


def group_codes(task: Task, rows: np.ndarray) -> np.ndarray:
    """Group codes from 0 of the rows; without groups every row is its own."""
    if task.groups is None:
        return np.arange(len(rows))
    return np.unique(np.asarray(task.groups)[rows], return_inverse=True)[1]


def strata_of(task: Task, rows: np.ndarray, parts: int) -> np.ndarray:
    """Codes to be shared out evenly: classes, tenths of the target, or each row's rarest label."""
    target = flat(np.asarray(task.target)[rows])
    if task.problem in CLASS_PROBLEMS:
        return np.unique(target, return_inverse=True)[1]
    if task.problem == "multilabel" and target.ndim == 2:
        frequency = np.where(target == 1, target.sum(axis=0), np.inf)
        return np.where(target.any(axis=1), frequency.argmin(axis=1), target.shape[1])
    if target.ndim == 2:
        return np.zeros(len(rows), dtype=np.int64)
    bins = int(np.clip(len(rows) // (2 * parts), 1, TARGET_BINS))
    place = np.empty(len(rows), dtype=np.int64)
    place[np.argsort(target, kind="stable")] = np.arange(len(rows))
    return place * bins // len(rows)


def assign(
    strata: np.ndarray, groups: np.ndarray, shares: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Deals rows to parts so that each part gets its share of every stratum and no group is torn.

    Groups of several rows are dealt first, the largest before the others, each to the part that lacks it
    most; single rows then fill what is missing.

    Args:
        strata: `(n,)` codes from 0.
        groups: `(n,)` codes from 0.
        shares: `(parts,)` that sum to 1.
        generator: breaks ties.

    Returns:
        `(n,)` part numbers.
    """
    kinds = int(strata.max()) + 1
    lacking = np.outer(np.bincount(strata, minlength=kinds), shares)
    sizes = np.bincount(groups)
    part = np.full(len(strata), -1)
    single = sizes[groups] == 1
    if not single.all():
        _deal_groups(strata, groups, sizes, lacking, part, generator)
    carry = np.zeros(len(shares))
    order = generator.permutation(np.flatnonzero(single))
    order = order[np.argsort(strata[order], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        if len(members) == 0:
            continue
        need = lacking[strata[members[0]]]
        count = _apportion(need, carry, len(members), generator)
        carry += np.maximum(need, 0) / max(np.maximum(need, 0).sum(), 1e-12) * len(members) - count
        part[members] = np.repeat(np.arange(len(shares)), count)[generator.permutation(len(members))]
    return part


def _deal_groups(
    strata: np.ndarray,
    groups: np.ndarray,
    sizes: np.ndarray,
    lacking: np.ndarray,
    part: np.ndarray,
    generator: np.random.Generator,
) -> None:
    """Writes parts of the groups of several rows into `part` and takes them off `lacking`."""
    several = generator.permutation(np.flatnonzero(sizes > 1))
    several = several[np.argsort(-sizes[several], kind="stable")]
    order = np.argsort(groups, kind="stable")
    start = np.concatenate([[0], np.cumsum(sizes)])
    scale = np.maximum(lacking.sum(axis=1, keepdims=True), 1.0)
    careful, rest = several[:CAREFUL_GROUPS], several[CAREFUL_GROUPS:]
    for group in careful:
        rows = order[start[group] : start[group + 1]]
        need = np.bincount(strata[rows], minlength=len(lacking)).astype(np.float64)
        here = np.flatnonzero(need)
        wanted = (need[here, None] * lacking[here] / scale[here]).sum(axis=0) + lacking.sum(axis=0) / len(
            strata
        )
        chosen = int(np.argmax(wanted + 1e-9 * generator.random(len(wanted))))
        part[rows] = chosen
        lacking[here, chosen] -= need[here]
    if len(rest):
        rows = np.flatnonzero(np.isin(groups, rest))
        share = np.maximum(lacking.sum(axis=0), 0)
        share = share / share.sum() if share.sum() > 0 else np.full(lacking.shape[1], 1 / lacking.shape[1])
        edges = np.cumsum(share)[:-1] * len(rest)
        of_group = np.empty(len(sizes), dtype=np.int64)
        of_group[rest[generator.permutation(len(rest))]] = np.searchsorted(edges, np.arange(len(rest)) + 0.5)
        part[rows] = of_group[groups[rows]]
        np.subtract.at(lacking, (strata[rows], part[rows]), 1.0)


def _apportion(need: np.ndarray, carry: np.ndarray, rows: int, generator: np.random.Generator) -> np.ndarray:
    """How many of `rows` each part gets: near its need, and what rounding leaves to those owed most."""
    positive = np.maximum(need, 0.0)
    exact = positive / positive.sum() * rows if positive.sum() > 0 else np.full(len(need), rows / len(need))
    count = np.floor(exact + 1e-9).astype(np.int64)
    owed = exact - count + carry + 1e-9 * generator.random(len(need))
    count[np.argsort(-owed)[: rows - count.sum()]] += 1
    return count


def fold_pairs(
    task: Task, rows: np.ndarray, number: np.ndarray, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The folds that part numbers give; parts without a row to judge are left out."""
    masks = [number == part for part in range(count)]
    for learnable in (True, False):
        judged = [_learnable(task, rows, mask) if learnable else mask for mask in masks]
        pairs = [(rows[~mask], rows[mask]) for mask in judged if mask.any() and not mask.all()]
        if pairs:
            return pairs
    raise inseparable(len(rows))


def inseparable(rows: int) -> DataError:
    return DataError(
        f"All {rows} rows belong to one group, so none can be held out.",
        why="Rows of a group are copies or relatives; judging one by the others flatters.",
        todo="Bring rows of other groups, or name another column with --group.",
    )


def _learnable(task: Task, rows: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """The mask without the smallest groups whose absence would leave a class out of the rows learnt from."""
    if task.problem not in CLASS_PROBLEMS:
        return validation
    target, groups = flat(np.asarray(task.target)[rows]), group_codes(task, rows)
    validation = validation.copy()
    for code in np.setdiff1d(target[validation], target[~validation]):
        if not (~validation & (target == code)).any():
            held, sizes = np.unique(groups[validation & (target == code)], return_counts=True)
            validation[groups == held[sizes.argmin()]] = False
    return validation


def hold_out(
    task: Task, rows: np.ndarray, wanted: int, kind: str, generator: np.random.Generator
) -> np.ndarray:
    """About `wanted` of the rows: the latest with a time protocol, else stratified with groups whole."""
    if kind == "time":
        times = _times(task, rows)
        cut = np.sort(times)[len(rows) - wanted]
        late = times >= cut if (times >= cut).sum() < len(rows) else times > cut
        return rows[late | _copies(task, rows, late)]
    chosen = _learnable(task, rows, draw(task, rows, wanted, generator) == 0)
    left = np.unique(group_codes(task, rows)[~chosen])
    return rows[chosen] if len(left) > 1 else rows[:0]


def draw(task: Task, rows: np.ndarray, wanted: int, generator: np.random.Generator) -> np.ndarray:
    """0 for about `wanted` of the rows, stratified with groups whole, and 1 for the others."""
    share, groups = wanted / len(rows), group_codes(task, rows)
    strata = strata_of(task, rows, max(2, round(1 / share)))
    number = assign(strata, groups, np.array([share, 1 - share]), generator)
    if number.all() and groups.max() > 0:
        number[groups == np.bincount(groups).argmin()] = 0
    return number


def _times(task: Task, rows: np.ndarray) -> np.ndarray:
    """Times of the rows; rows without one count as the oldest."""
    times = np.asarray(task.times, dtype=np.float64)[rows]
    return np.where(np.isnan(times), -np.inf, times)


def _copies(task: Task, rows: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Earlier rows that share a group with a later one, when they are few: copies.

    When they are many, the groups are things that live on through time (shops, patients), and learning from
    their past is the very task.
    """
    groups = group_codes(task, rows)
    early = ~late & np.isin(groups, groups[late])
    return early if early.sum() <= COPIES_SHARE * len(rows) else np.zeros(len(rows), dtype=bool)


def time_folds(
    task: Task, rows: np.ndarray, count: int, generator: np.random.Generator | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Forward chaining (Bergmeir and Benítez 2012): each fold judges one stretch of time with all before it.

    The first stretch is only learnt from. Fresh folds move the cuts by up to half a stretch. Equal times stay
    together, and copies of judged rows are not learnt from.
    """
    times = _times(task, rows)
    edges = np.arange(1, count + 1, dtype=np.float64) / (count + 1)
    if generator is not None:
        edges = edges + generator.uniform(-0.5, 0.5) / (count + 1)
    cuts = np.unique(np.sort(times)[np.clip((edges * len(rows)).astype(int), 1, len(rows) - 1)])
    pairs = []
    for low, high in zip(cuts, [*cuts[1:], None], strict=True):
        validation = (times >= low) & (True if high is None else times < high)
        train = (times < low) & ~_copies(task, rows, validation)
        if train.any() and validation.any():
            pairs.append((rows[train], rows[validation]))
    if not pairs:
        raise DataError(
            "The time column does not separate the rows: no row is earlier than the others.",
            why="A time protocol judges later rows with earlier ones.",
            todo="Use --protocol kfold, or name another time column.",
        )
    return pairs
