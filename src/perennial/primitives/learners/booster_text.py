"""Whether a text can be a booster of LightGBM: its own reader believes every number and follows every index.

A tree is arrays: for each split its feature, its threshold and its two children, for each leaf a value. Checked are
the lengths of the arrays, that children come after their parents and are reached once (so every walk ends), that
features and sets of categories exist, and that the sizes of the trees are those that the head of the text tells.
"""

from __future__ import annotations

import re

import numpy as np

from perennial.errors import DamagedFile

LARGEST_TEXT, MOST_TREES, MOST_FEATURES, MOST_CLASSES = 2**30, 1_000_000, 10_000_000, 10_000
BLOCK = 500_000  # characters of trees that are checked together
HEAD = {
    "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective", "feature_names",
    "feature_infos", "tree_sizes", "monotone_constraints",
}  # fmt: skip
OBJECTIVES = re.compile(r"(regression|binary sigmoid:1|multiclass num_class:(\d+))")
SPLITS = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "split_gain", "internal_value",
          "internal_weight", "internal_count")  # fmt: skip
LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
FOLLOWED = ("split_feature", "decision_type", "left_child", "right_child")
CATEGORICAL = 1
WHOLE = re.compile(r"-?[0-9]{1,15}( -?[0-9]{1,15})*")
REAL = r"(?:-?[0-9]{1,400}(?:\.[0-9]{1,40})?(?:e[-+]?[0-9]{1,3})?|-?inf|nan)"
REALS = re.compile(f"{REAL}( {REAL})*")
INFORMATION = re.compile(rf"(?:none|\[{REAL}:{REAL}\]|-?[0-9]+(?::-?[0-9]+)*)")
OF_TREES = {
    "num_leaves": WHOLE, "num_cat": WHOLE, "split_feature": WHOLE, "decision_type": WHOLE, "left_child": WHOLE,
    "right_child": WHOLE, "leaf_count": WHOLE, "internal_count": WHOLE, "cat_boundaries": WHOLE, "cat_threshold": WHOLE,
    "is_linear": WHOLE, "threshold": REALS, "split_gain": REALS, "leaf_value": REALS, "leaf_weight": REALS,
    "internal_value": REALS, "internal_weight": REALS, "shrinkage": REALS,
}  # fmt: skip


def check_booster(text: str) -> None:
    """Refuses a text that LightGBM could not safely read.

    Raises:
        DamagedFile: with the first thing that is wrong.
    """
    try:
        _check(text)
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise DamagedFile(
            f"This is no booster that can be trusted: {error}.",
            why="LightGBM follows the indices in a model without looking at them.",
        ) from error


def _check(text: str) -> None:
    if len(text) > LARGEST_TEXT or not text.isascii():
        raise ValueError("it is too large, or not plain text")
    start = text.find("\nTree=0\n") + 1
    end = text.find("end of trees")
    if not text.startswith("tree\n") or start == 0 or end < start:
        raise ValueError("it has no head, no trees or no end")
    head = _pairs(text[:start].split("\n")[1:])
    if not HEAD >= set(head):
        raise ValueError(f"its head tells of {sorted(set(head) - HEAD)[0][:40]!r}")
    if head["version"] != "v4" or head["label_index"] != "0":
        raise ValueError("its head is not one that is written here")
    for name in ("num_class", "num_tree_per_iteration", "max_feature_idx", "tree_sizes"):
        if not WHOLE.fullmatch(head[name]):
            raise ValueError(f"{name} of its head is no whole number")
    if not all(INFORMATION.fullmatch(each) for each in head["feature_infos"].split(" ")):
        raise ValueError("its head describes features in a way that is not known")
    classes, at_once, features = (
        int(head["num_class"]), int(head["num_tree_per_iteration"]), int(head["max_feature_idx"]) + 1,
    )  # fmt: skip
    objective = OBJECTIVES.fullmatch(head.get("objective", ""))
    if (
        objective is None
        or int(objective[2] or 1) != classes
        or classes != at_once
        or not 1 <= classes <= MOST_CLASSES
    ):
        raise ValueError("its objective and its number of classes are not those of one kind of model")
    if not 1 <= features <= MOST_FEATURES or any(
        len(head[name].split(" ")) != features for name in ("feature_names", "feature_infos")
    ):
        raise ValueError("it does not describe as many features as it says")
    sizes = [int(size) for size in head["tree_sizes"].split(" ")]
    if len(sizes) > MOST_TREES or len(sizes) % at_once or min(sizes) < 1 or sum(sizes) != end - start:
        raise ValueError("the sizes of its trees are not what the head tells")
    place, block, characters = start, [], 0
    for number, size in enumerate(sizes):
        tree = text[place : place + size]
        if not tree.startswith(f"Tree={number}\n"):
            raise ValueError(f"tree {number} does not begin where the head tells")
        block.append(_pairs(tree.split("\n")[1:]))
        place, characters = place + size, characters + size
        if characters > BLOCK or number == len(sizes) - 1:
            _check_trees(block, features)
            block, characters = [], 0


def _pairs(lines: list[str]) -> dict[str, str]:
    """The `name=value` lines; each name once."""
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, equals, value = line.partition("=")
            if not equals or name in found:
                raise ValueError(f"the line {line[:40]!r} is not one of a model")
            found[name] = value
    return found


def _check_trees(trees: list[dict[str, str]], features: int) -> None:
    """Many at once: most are small, and one by one takes ten times as long as LightGBM takes to read them."""
    for name in set().union(*trees):
        told = " ".join(filter(None, (tree.get(name) for tree in trees)))
        if name not in OF_TREES or told and not OF_TREES[name].fullmatch(told):
            raise ValueError(f"{name[:40]!r} of a tree is not what it should be")
    grown = []
    for tree in trees:
        leaves = int(tree["num_leaves"])
        if tree.get("is_linear", "0") != "0" or leaves < 1 or int(tree["num_cat"]) < 0:
            raise ValueError("a tree is of a kind that is not used here")
        if leaves == 1 and _many(tree["leaf_value"]) != 1:
            raise ValueError("a tree without splits has one leaf")
        if leaves > 1:
            grown.append(tree)
            if not tree["threshold"] or not tree["leaf_value"]:
                raise ValueError("a tree has no thresholds or no leaves")
            for name in (*SPLITS, *LEAVES):
                wanted = leaves if name in LEAVES else leaves - 1
                if name in tree and _many(tree[name]) != wanted:
                    raise ValueError(f"a tree with {leaves} leaves has not {wanted} numbers for {name}")
    if grown:
        _check_branches(grown, features)


def _check_branches(trees: list[dict[str, str]], features: int) -> None:
    """What follows indices in trees that have splits: their arrays stand one after another, each at its own place."""
    leaves = np.array([int(tree["num_leaves"]) for tree in trees])
    splits = leaves - 1
    known = {name: _numbers(trees, name) for name in FOLLOWED}
    owner = np.repeat(np.arange(len(trees)), splits)
    begin, first_leaf = (np.cumsum(each) - each for each in (splits, leaves))
    own = np.arange(len(owner)) - begin[owner]
    inner, outer = [], []
    for side in ("left_child", "right_child"):
        child = known[side].astype(np.int64)
        split, leaf = child >= 0, child < 0
        if not ((child > own) & (child < splits[owner]) | leaf & (-1 - child < leaves[owner])).all():
            raise ValueError("the children of a tree do not make a tree")
        inner.append((begin[owner] + child)[split])
        outer.append((first_leaf[owner] - 1 - child)[leaf])
    reached = np.bincount(np.concatenate(inner), minlength=len(owner))
    reached[begin] += 1  # the first split of each tree is nobody's child
    if (reached != 1).any() or (np.bincount(np.concatenate(outer), minlength=leaves.sum()) != 1).any():
        raise ValueError("the children of a tree do not make a tree")
    if not ((known["split_feature"] >= 0) & (known["split_feature"] < features)).all():
        raise ValueError("a tree splits on a feature that there is not")
    sets = np.array([int(tree["num_cat"]) for tree in trees])
    by_set = (known["decision_type"].astype(np.int64) & CATEGORICAL) > 0
    chosen = _numbers(trees, "threshold")[by_set] if by_set.any() else np.zeros(0)
    if not ((chosen >= 0) & (chosen < sets[owner[by_set]])).all():
        raise ValueError("a tree asks for a set of categories that there is not")
    _check_sets([tree for tree, many in zip(trees, sets, strict=True) if many], sets[sets > 0])


def _check_sets(trees: list[dict[str, str]], sets: np.ndarray) -> None:
    """Of trees with sets of categories, where these are."""
    told = [_many(tree["cat_boundaries"]) for tree in trees]
    words = np.array([_many(tree["cat_threshold"]) for tree in trees])
    if told != (sets + 1).tolist():
        raise ValueError("the sets of categories of a tree are not where it tells")
    if not trees:
        return
    bounds, first = _numbers(trees, "cat_boundaries"), np.cumsum(sets + 1) - (sets + 1)
    rising = np.diff(bounds) >= 0
    rising[first[1:] - 1] = True  # from the last of one tree to the first of the next
    if (bounds[first] != 0).any() or (bounds[first + sets] != words).any() or not rising.all():
        raise ValueError("the sets of categories of a tree are not where it tells")


def _many(numbers: str) -> int:
    return numbers.count(" ") + 1 if numbers else 0


def _numbers(trees: list[dict[str, str]], name: str) -> np.ndarray:
    """Those of one name of all trees; that they are numbers is known."""
    return np.fromstring(" ".join(tree[name] for tree in trees), sep=" ")
