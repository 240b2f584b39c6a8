"""The promises of a protocol: sealed rows, folds without leaks, and reasons."""

import copy
import pickle
import time
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial import metrics
from perennial.errors import DataError, SealBroken, UsageError
from perennial.protocol import Protocol, SealedTest


@dataclass(frozen=True)
class Table:
    """The fields of a task that a protocol looks at."""

    target: np.ndarray
    problem: str = "binary"
    modality: str = "table"
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    test: "Table | None" = None
    inputs: dict = field(default_factory=lambda: {"f0001": None})
    schema: object = None

    @property
    def rows(self):
        return len(self.target)

    def take(self, rows):
        def part(values):
            return None if values is None else values[rows]

        return replace(self, target=self.target[rows], groups=part(self.groups), times=part(self.times))


def table(rows=1000, positives=0.3, seed=0, **fields):
    generator = np.random.default_rng(seed)
    return Table((generator.random(rows) < positives).astype(np.int64), **fields)


def folds_of(task, seed=None, **asked):
    protocol = Protocol.propose(task, **asked)
    train_rows, _ = protocol.split(task)
    return train_rows, protocol.folds(task, train_rows, seed=seed)


def test_a_negative_seed_is_refused_at_the_door():
    with pytest.raises(UsageError, match="at least 0, received seed=-1"):
        Protocol.propose(table(), seed=-1)


# -- the sealed test set -----------------------------------------------------------------------------------


def test_second_opening_of_the_test_set_raises():
    sealed = SealedTest(np.array([3, 5]))
    assert sealed.open(lambda event: None).tolist() == [3, 5]
    with pytest.raises(SealBroken, match="opened already"):
        sealed.open(lambda event: None)


def test_a_journal_that_holds_an_opening_keeps_the_test_set_shut():
    task = table()
    _, sealed = Protocol.propose(task).split(task, already_opened=True)
    with pytest.raises(SealBroken):
        sealed.open(lambda event: None)


def test_the_opening_is_written_down_before_anything_is_shown():
    sealed, written = SealedTest(np.array([3, 5])), []

    def full_disk(event):
        written.append(event)
        raise OSError("no space left")

    with pytest.raises(OSError):
        sealed.open(full_disk)
    assert written[0]["rows"] == 2 and not sealed.opened
    assert sealed.open(written.append).tolist() == [3, 5]


def test_the_sealed_rows_cannot_be_copied_pickled_or_read_from_its_text():
    sealed = SealedTest(np.array([123456]))
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SealBroken):
            copier(sealed)
    assert "123456" not in repr(sealed) and sealed.rows == 1


def test_training_and_sealed_rows_do_not_overlap_and_are_all_rows():
    task = table(777)
    train_rows, sealed = Protocol.propose(task).split(task)
    opened = sealed.open(lambda event: None)
    assert sorted([*train_rows, *opened]) == list(range(777))
    assert len(opened) == pytest.approx(0.2 * 777, abs=1)


def test_test_data_of_the_user_are_sealed_and_all_rows_are_learnt_from():
    task = table(100, test=table(40))
    protocol = Protocol.propose(task)
    train_rows, sealed = protocol.split(task)
    assert len(train_rows) == 100 and sealed.rows == 40
    assert sealed.open(lambda event: None).tolist() == list(range(40))
    assert any("your 40 test rows" in reason for reason in protocol.reasons)


def test_the_sealed_rows_hold_the_classes_in_their_shares():
    task = table(5000, positives=0.1)
    _, sealed = Protocol.propose(task).split(task)
    assert task.target[sealed.open(lambda event: None)].mean() == pytest.approx(task.target.mean(), abs=0.002)


@pytest.mark.parametrize(
    ("rows", "sealed"), [(9, 0), (100, 20), (10_000, 2000), (60_000, 8000), (10**6, 20_000)]
)
def test_the_test_set_is_a_fifth_of_few_rows_and_a_smaller_share_of_many(rows, sealed):
    assert Protocol.propose(table(rows)).test_rows == sealed


# -- what is proposed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "kind"),
    [(8, "leave_one_out"), (60, "repeated_kfold"), (2000, "kfold"), (30_000, "kfold"), (90_000, "holdout")],
)
def test_the_kind_of_split_follows_the_number_of_rows(rows, kind):
    protocol = Protocol.propose(table(rows))
    assert protocol.kind == kind
    assert any(reason.startswith(f"{kind}:") for reason in protocol.reasons)


def test_slow_data_get_large_training_parts_of_which_a_few_are_used_and_quick_data_all_of_five():
    wide = table(30_000, inputs={f"f{i}": None for i in range(200)})
    slow = Protocol.propose(wide, seconds=30)
    assert slow.folds_wanted == 8 and any("as the time allows" in reason for reason in slow.reasons)
    assert Protocol.propose(table(1000), seconds=3600).folds_wanted == 8
    assert Protocol.propose(table(1000), seconds=60).folds_wanted == 5


def test_what_the_user_asks_for_is_taken():
    protocol = Protocol.propose(table(), metric="log_loss", kind="kfold", folds=7, test_share=0.1)
    assert (protocol.metric.name, protocol.kind, protocol.folds_wanted, protocol.test_rows) == (
        "log_loss",
        "kfold",
        7,
        100,
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"folds": 1},
        {"kind": "bootstrap"},
        {"test_share": 0.9},
        {"kind": "time"},
        {"kind": "group"},
        {"metric": "rmse"},
        {"metric": "aucc"},
    ],
)
def test_requests_that_cannot_be_met_say_what_to_do(asked):
    with pytest.raises(UsageError) as caught:
        Protocol.propose(table(), **asked)
    assert caught.value.todo


def test_a_protocol_comes_back_from_json():
    protocol = Protocol.propose(table(300), seed=4)
    assert Protocol.from_json(protocol.to_json()) == protocol


# -- folds -------------------------------------------------------------------------------------------------


def test_folds_are_the_same_for_the_same_seed_and_fresh_for_another():
    task = table()
    _, search = folds_of(task)
    _, again = folds_of(task)
    _, fresh = folds_of(task, seed=1)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(search, again, strict=True))
    assert not any(np.array_equal(a[1], b[1]) for a, b in zip(search, fresh, strict=True))


def test_every_row_is_judged_once_and_never_by_a_model_that_learnt_it():
    train_rows, folds = folds_of(table())
    assert sorted(np.concatenate([validation for _, validation in folds])) == list(train_rows)
    for train, validation in folds:
        assert not set(train) & set(validation) and len(train) + len(validation) == len(train_rows)


def test_folds_hold_the_classes_in_their_shares_to_one_row():
    task = table(1000, positives=0.07)
    train_rows, folds = folds_of(task)
    positives = [task.target[validation].sum() for _, validation in folds]
    assert max(positives) - min(positives) <= 1
    assert max(len(v) for _, v in folds) - min(len(v) for _, v in folds) <= 1


def test_folds_of_many_small_classes_have_equal_sizes():
    task = Table(np.repeat(np.arange(100), 3), problem="multiclass")
    _, folds = folds_of(task, kind="kfold", test_share=0.0)
    sizes = [len(validation) for _, validation in folds]
    assert max(sizes) - min(sizes) <= 2


def test_folds_of_numbers_have_equal_means():
    task = Table(np.random.default_rng(0).lognormal(0, 2, 1000), problem="regression")
    _, folds = folds_of(task)
    ranks = task.target.argsort().argsort()
    means = [ranks[validation].mean() for _, validation in folds]
    assert max(means) - min(means) < 15  # shuffled folds differ by about 80


def test_folds_of_label_sets_all_hold_the_rare_label():
    generator = np.random.default_rng(0)
    labels = (generator.random((600, 4)) < [0.5, 0.4, 0.3, 0.02]).astype(np.int64)
    _, folds = folds_of(Table(labels, problem="multilabel"))
    assert all(labels[validation, 3].any() for _, validation in folds)


def test_several_outputs_are_dealt_at_random():
    task = Table(np.random.default_rng(0).normal(size=(300, 2)), problem="multiregression")
    _, folds = folds_of(task)
    assert len(folds) == 5


def test_a_class_is_never_missing_from_the_rows_learnt_from():
    task = Table(np.array([0] * 40 + [1] * 30 + [2] * 2 + [3]), problem="multiclass")
    protocol = Protocol.propose(task)
    train_rows, sealed = protocol.split(task)
    assert set(task.target[train_rows]) == {0, 1, 2, 3}
    for train, validation in protocol.folds(task, train_rows):
        assert set(task.target[train]) == {0, 1, 2, 3}
        assert 3 not in task.target[validation]


def test_groups_never_straddle_a_split():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 40, 400)
    task = table(400, groups=groups)
    protocol = Protocol.propose(task)
    train_rows, sealed = protocol.split(task)
    assert protocol.kind == "group"
    assert not set(groups[train_rows]) & set(groups[sealed.open(lambda event: None)])
    folds = protocol.folds(task, train_rows)
    for train, validation in folds:
        assert not set(groups[train]) & set(groups[validation])
    sizes = [len(validation) for _, validation in folds]
    assert min(sizes) > 0.6 * max(sizes)


def test_groups_of_one_class_each_are_spread_over_the_folds():
    groups = np.repeat(np.arange(20), 10)
    task = Table((groups % 4 == 0).astype(np.int64), groups=groups)
    _, folds = folds_of(task, test_share=0.0)
    assert all(set(task.target[validation]) == {0, 1} for _, validation in folds)


def test_one_single_group_cannot_be_judged_and_says_so():
    task = table(50, groups=np.zeros(50, dtype=int))
    with pytest.raises(DataError, match="one group"):
        Protocol.propose(task, test_share=0.0).folds(task, np.arange(50))


def test_folds_of_a_hundred_thousand_rows_with_copies_take_less_than_two_seconds():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 80_000, 100_000)
    task = table(100_000, groups=groups)
    protocol = Protocol.propose(task, kind="kfold", folds=5)
    start = time.monotonic()
    train_rows, _ = protocol.split(task)
    folds = protocol.folds(task, train_rows)
    assert time.monotonic() - start < 2
    sizes = [len(validation) for _, validation in folds]
    assert max(sizes) < 1.03 * min(sizes)
    assert not set(groups[folds[0][0]]) & set(groups[folds[0][1]])


def test_leave_one_out_judges_each_row_by_all_the_others():
    task = Table(np.arange(8.0), problem="regression")
    _, folds = folds_of(task)
    assert [validation.tolist() for _, validation in folds] == [[i] for i in range(8)]


def test_repeated_folds_judge_every_row_several_times():
    train_rows, folds = folds_of(table(100))
    judged = np.bincount(np.concatenate([validation for _, validation in folds]), minlength=100)
    assert set(judged[train_rows]) == {3} and len(folds) == 15


def test_a_holdout_is_one_split_of_at_most_twenty_thousand_rows():
    _, folds = folds_of(table(200_000))
    assert len(folds) == 1 and len(folds[0][1]) == 20_000


# -- time --------------------------------------------------------------------------------------------------


def in_time(rows=500, seed=0, **fields):
    times = np.random.default_rng(seed).permutation(np.arange(rows, dtype=float))
    return table(rows, times=times, **fields)


def test_with_times_the_future_never_predicts_the_past():
    task = in_time()
    protocol = Protocol.propose(task)
    train_rows, sealed = protocol.split(task)
    assert protocol.kind == "time"
    assert task.times[sealed.open(lambda event: None)].min() > task.times[train_rows].max()
    for seed in (None, 1, 2):
        for train, validation in protocol.folds(task, train_rows, seed=seed):
            assert task.times[train].max() < task.times[validation].min()


def test_time_folds_grow_and_fresh_ones_move_the_cuts():
    train_rows, folds = folds_of(in_time())
    _, fresh = folds_of(in_time(), seed=3)
    assert [len(train) for train, _ in folds] == sorted(len(train) for train, _ in folds) and len(folds) == 5
    assert len(folds[0][0]) != len(fresh[0][0])


def test_rows_of_the_same_time_stay_together_and_rows_without_a_time_are_the_oldest():
    task = in_time(120)
    times = np.floor(task.times / 12)
    times[:5] = np.nan
    task = replace(task, times=times)
    protocol = Protocol.propose(task, test_share=0.0)
    for train, validation in protocol.folds(task, np.arange(120)):
        assert not set(times[train]) & set(times[validation])
        assert not np.isnan(times[validation]).any()


def test_copies_of_judged_rows_are_not_learnt_from_but_shops_that_live_on_are():
    task = in_time(100)
    copies = np.arange(100)
    first, last = np.argmin(task.times), np.argmax(task.times)
    copies[last] = copies[first]
    _, folds = folds_of(replace(task, groups=copies), test_share=0.0)
    assert last in folds[-1][1] and first not in folds[-1][0]
    _, folds = folds_of(replace(task, groups=np.arange(100) % 5), test_share=0.0)
    assert len(folds[-1][0]) > 70


def test_a_time_that_never_changes_is_refused():
    task = table(50, times=np.zeros(50))
    with pytest.raises(DataError, match="does not separate"):
        Protocol.propose(task, test_share=0.0).folds(task, np.arange(50))


# -- any data ----------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    target=st.lists(st.integers(0, 5), min_size=3, max_size=60),
    group_count=st.one_of(st.none(), st.integers(2, 20)),
    kind=st.sampled_from([None, "holdout", "kfold", "repeated_kfold", "leave_one_out"]),
    seed=st.integers(0, 10),
)
def test_any_data_give_folds_that_keep_the_promises(target, group_count, kind, seed):
    target = np.array(target)
    groups = None if group_count is None else np.arange(len(target)) % group_count
    task = Table(target, problem="multiclass", groups=groups)
    protocol = Protocol.propose(task, kind=kind, seed=seed, metric="log_loss")
    train_rows, sealed = protocol.split(task)
    opened = sealed.open(lambda event: None)
    assert set(target[opened]) <= set(target[train_rows])
    learning = task.take(train_rows)
    try:
        folds = protocol.folds(learning, np.arange(learning.rows), seed=seed)
    except DataError:
        assert groups is not None
        return
    separable = [f for f in folds if set(learning.target[f[1]]) <= set(learning.target[f[0]])]
    assert separable == folds or not separable
    for train, validation in folds:
        assert len(train) and len(validation) and not set(train) & set(validation)
        assert np.array_equal(train, np.unique(train)) and np.array_equal(validation, np.unique(validation))
        if groups is not None:
            assert not set(learning.groups[train]) & set(learning.groups[validation])


def test_the_metric_of_a_protocol_is_the_one_its_reason_names():
    protocol = Protocol.propose(table(positives=0.005))
    assert protocol.metric is metrics.resolve("pr_auc")
    assert any(reason.startswith("pr_auc:") for reason in protocol.reasons)


# -- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "judged"), [(2_000, 200), (60_000, 5_000)])
def test_images_are_judged_by_one_split_that_leaves_most_to_learn_from(rows, judged):
    task = Table(np.arange(rows) % 10, problem="multiclass", modality="image", test=Table(np.arange(50) % 10))
    protocol = Protocol.propose(task, seconds=600.0)
    assert protocol.kind == "holdout" and any("images" in reason for reason in protocol.reasons)
    [(train, validation)] = protocol.folds(task, np.arange(rows))
    assert len(validation) == pytest.approx(judged, abs=10) and len(train) + len(validation) == rows


def test_few_images_are_judged_by_folds():
    assert Protocol.propose(Table(np.arange(120) % 2, modality="image")).kind == "repeated_kfold"
