"""A text of a booster is believed only when LightGBM can follow every index in it."""

import re
import subprocess
import sys

import lightgbm
import numpy as np
import pytest

from perennial.errors import DamagedFile
from perennial.primitives.learners import booster_text
from perennial.primitives.learners.booster_text import check_booster


def booster(objective="binary", rounds=3, categories=(2,), rows=300, **more):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(rows, 3))
    x[:, 2] = generator.integers(0, 9, rows)
    y = {"binary": x[:, 0] > 0, "regression": x[:, 0] + (x[:, 2] % 3), "multiclass": x[:, 2] % 3}[objective]
    settings = {"objective": objective, "verbosity": -1, "num_leaves": 6, "min_data_in_leaf": 5, "cat_smooth": 1.0,
                "min_data_per_group": 5, "seed": 1, **({"num_class": 3} if objective == "multiclass" else {}), **more}  # fmt: skip
    data = lightgbm.Dataset(x, y.astype(float), categorical_feature=list(categories))
    return lightgbm.train(settings, data, rounds).model_to_string()


@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass"])
@pytest.mark.parametrize("categories", [(), (2,)])
def test_what_lightgbm_writes_is_believed(objective, categories):
    text = booster(objective, categories=categories)
    check_booster(text)
    assert ("num_cat=0" in text) or categories
    check_booster(booster(objective, rounds=1, min_data_in_leaf=10_000)), "trees without a split"


def changed(text, name, change, tree=1):
    """One array of one tree changed, and the sizes in the head made true again."""
    head, *trees = text[: text.index("end of trees")].split("Tree=")
    lines = trees[tree].split("\n")
    place = next(n for n, line in enumerate(lines) if line.startswith(f"{name}="))
    lines[place] = f"{name}={change(lines[place].partition('=')[2])}"
    trees[tree] = "\n".join(lines)
    sizes = " ".join(str(len(f"Tree={each}")) for each in trees)
    head = "\n".join(
        f"tree_sizes={sizes}" if line.startswith("tree_sizes") else line for line in head.split("\n")
    )
    return head + "".join(f"Tree={each}" for each in trees) + text[text.index("end of trees") :]


def set_first(value):
    return lambda numbers: " ".join([value, *numbers.split(" ")[1:]])


ATTACKS = {
    "a child far outside": ("left_child", set_first("900000000")),
    "a leaf far outside": ("right_child", set_first("-900000000")),
    "children in a circle": ("left_child", lambda numbers: " ".join("0" for _ in numbers.split(" "))),
    "a child twice": ("right_child", lambda numbers: " ".join("-1" for _ in numbers.split(" "))),
    "a feature that there is not": ("split_feature", set_first("77")),
    "a feature below none": ("split_feature", set_first("-1")),
    "a category set that there is not": (
        "decision_type",
        lambda numbers: " ".join("1" for _ in numbers.split(" ")),
    ),
    "fewer leaves than told": ("leaf_value", lambda numbers: numbers.rpartition(" ")[0]),
    "more splits than told": ("threshold", lambda numbers: f"{numbers} 1"),
    "more leaves told": ("num_leaves", lambda number: str(int(number) + 5)),
    "numbers that are none": ("threshold", set_first("__import__")),
    "a linear tree": ("is_linear", lambda number: "1"),
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_what_it_could_not_follow_is_refused(attack):
    text = booster(categories=())
    assert changed(text, "shrinkage", lambda value: value) == text, "the change itself keeps a text sound"
    with pytest.raises(DamagedFile, match="no booster that can be trusted"):
        check_booster(changed(text, *ATTACKS[attack]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("num_class=1", "num_class=2"), ("num_class=1", "num_class=1000000000"), ("tree\n", "forest\n"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=2"), ("max_feature_idx=2", "max_feature_idx=9"),
        ("objective=binary sigmoid:1", "objective=custom"), ("tree_sizes=", "tree_sizes=1"), ("end of trees", "end"),
        ("max_feature_idx=2", "max_feature_idx=2\ninput_model=/etc/passwd"), ("Tree=1", "Tree=7"),
    ],
)  # fmt: skip
def test_a_head_that_lies_is_refused(old, new):
    text = booster()
    assert old in text
    with pytest.raises(DamagedFile):
        check_booster(text.replace(old, new, 1))


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("block", [1, 2_000, booster_text.BLOCK])
def test_it_is_refused_in_any_of_many_trees(attack, block, monkeypatch):
    monkeypatch.setattr(booster_text, "BLOCK", block)
    text = booster("multiclass", rounds=4, categories=())
    check_booster(text)
    for tree in (0, 5, 11):
        with pytest.raises(DamagedFile):
            check_booster(changed(text, *ATTACKS[attack], tree=tree))


def test_what_one_tree_lacks_is_not_found_in_the_next():
    """Arrays of several trees stand one after another while they are checked."""
    text = booster("regression", categories=())
    leaves = int(re.search(r"num_leaves=(\d+)", text)[1])
    assert leaves > 3

    def into_the_next(numbers):
        first, _, rest = numbers.partition(" ")
        return f"{leaves - 1} {rest}" if int(first) >= 0 else f"{-leaves - 1} {rest}"

    for side in ("left_child", "right_child"):
        with pytest.raises(DamagedFile):
            check_booster(changed(text, side, into_the_next, tree=0))
    shorter = changed(text, "split_feature", lambda numbers: numbers.rpartition(" ")[0], tree=0)
    with pytest.raises(DamagedFile):
        check_booster(changed(shorter, "split_feature", lambda numbers: f"{numbers} 0", tree=1))


@pytest.mark.parametrize("name", ["split_feature", "threshold", "leaf_value", "left_child"])
def test_an_array_that_is_empty_is_refused(name):
    text = booster("regression", categories=(), num_leaves=2)
    check_booster(text)
    with pytest.raises(DamagedFile):
        check_booster(changed(text, name, lambda _: ""))


def test_sets_of_categories_of_many_trees_each_begin_at_nothing():
    text = booster("multiclass", rounds=6)
    trees = [n for n, each in enumerate(text.split("Tree=")[1:]) if "num_cat=0" not in each]
    check_booster(text)
    assert len(trees) > 2
    for tree in (trees[0], trees[-1]):
        for change in (lambda numbers: "1" + numbers[1:], lambda numbers: numbers.rpartition(" ")[0] + " 0"):
            with pytest.raises(DamagedFile):
                check_booster(changed(text, "cat_boundaries", change, tree))


@pytest.mark.parametrize("name", ["cat_boundaries", "cat_threshold"])
def test_sets_of_categories_that_lead_outside_are_refused(name):
    text = booster("multiclass", rounds=6)
    tree = next(n for n, each in enumerate(text.split("Tree=")[1:]) if "num_cat=0" not in each)
    with pytest.raises(DamagedFile):
        check_booster(changed(text, name, lambda numbers: f"{numbers} 900000", tree))


READER = """
import sys, lightgbm, numpy as np
for line in sys.stdin:
    assert lightgbm.Booster(model_str=line.encode().decode("unicode_escape")).predict(np.zeros((4, 3))).shape == (4,)
    print("read", flush=True)
"""


def test_a_text_with_letters_changed_is_refused_or_can_be_read():
    """LightGBM reads in a process of its own: what it cannot read ends that process."""
    generator, believed = np.random.default_rng(0), []
    for categories in ((), (2,)):
        text = booster("regression", rounds=2, categories=categories)
        for _ in range(1500):
            place = int(generator.integers(text.index("end of trees")))
            spoilt = text[:place] + generator.choice(list("0123456789-. \n=aTe[:")) + text[place + 1 :]
            try:
                check_booster(spoilt)
                believed.append(spoilt)
            except DamagedFile:
                continue
    lines = "".join(each.encode("unicode_escape").decode() + "\n" for each in believed)
    done = subprocess.run([sys.executable, "-c", READER], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, (done.stderr[-500:], believed[done.stdout.count("read")][:3000])
    assert done.stdout.count("read") == len(believed) > 20


def test_boosters_are_held_up_to_so_many_letters(monkeypatch):
    from perennial.primitives.learners.boosting import _Boosters

    texts = [booster("regression", rounds=rounds) for rounds in (1, 2, 3)]
    monkeypatch.setattr(_Boosters, "_known", {})
    monkeypatch.setattr(_Boosters, "_sound", {})
    monkeypatch.setattr(_Boosters, "_most_characters", len(texts[1]) + len(texts[2]))
    found = [_Boosters.get(text) for text in texts]
    assert [_Boosters.get(text) is each for text, each in zip(texts[1:], found[1:], strict=True)] == [
        True,
        True,
    ]
    monkeypatch.setattr("perennial.primitives.learners.boosting.check_booster", pytest.fail)
    assert _Boosters.get(texts[0]) is not found[0], "read again, and not checked again"
    monkeypatch.setattr(_Boosters, "_most_characters", 1)
    assert _Boosters.get(texts[1]) is _Boosters.get(texts[1]), "one is held however large it is"


def test_a_text_is_not_trusted_for_the_hash_of_another():
    from perennial.primitives.learners.boosting import _Boosters

    sound = booster(categories=())

    class Twin(str):
        def __hash__(self):
            return hash(sound)

    _Boosters.get(sound)
    with pytest.raises(DamagedFile):
        _Boosters.get(Twin(changed(sound, *ATTACKS["children in a circle"])))


def test_a_word_refuses_it_before_lightgbm_reads_it():
    from perennial.lang.ops import State
    from perennial.primitives import vocabulary

    spoilt = changed(booster(categories=()), *ATTACKS["children in a circle"])
    with pytest.raises(DamagedFile):
        vocabulary()["lightgbm"].call(
            np.zeros((2, 3)), state=State({}, {"output": "Dist", "booster0": spoilt})
        )
