"""Rows of the catalogue of bad inputs that the protocol and the metrics answer."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from perennial.errors import DataError
from perennial.metrics import METRICS, choose, interval, resolve, unseen_class_rows
from perennial.protocol import Protocol


@dataclass(frozen=True)
class Table:
    target: np.ndarray
    problem: str = "binary"
    modality: str = "table"
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    test: object = None
    inputs: dict = field(default_factory=lambda: {"f0001": None})
    schema: object = None

    @property
    def rows(self):
        return len(self.target)


def both_classes(rows):
    return Table(np.arange(rows) % 2)


def test_row_03_one_row_is_an_error_that_says_why():
    with pytest.raises(DataError, match="at least 2 rows") as caught:
        Protocol.propose(both_classes(1))
    assert caught.value.exit_code == 3 and caught.value.todo and caught.value.why


@pytest.mark.parametrize("rows", [2, 3, 5, 9, 12, 30, 49])
def test_row_03_few_rows_are_judged_by_each_other_with_a_warning(rows):
    task = both_classes(rows)
    protocol = Protocol.propose(task)
    assert protocol.kind == ("leave_one_out" if rows < 12 else "repeated_kfold")
    assert any("very few" in reason and "wide intervals" in reason for reason in protocol.reasons)
    train_rows, _ = protocol.split(task)
    assert protocol.folds(task, train_rows)


def test_row_03_few_rows_have_a_wide_interval():
    target = np.array([0, 1] * 6)
    probability = np.column_stack([1 - 0.6 * target, 0.6 * target])
    low, high = interval(resolve("accuracy"), target, probability, seed=0)
    assert high - low > 0.2


@pytest.mark.parametrize("rare", [1, 2, 3, 5])
def test_row_08_a_class_of_few_rows_is_kept_and_always_learnt_from(rare):
    names = ["common", "other", "rare"]
    target = np.array([0] * 60 + [1] * 40 + [2] * rare)
    task = Table(target, problem="multiclass", schema=SimpleNamespace(classes=names))
    protocol = Protocol.propose(task)
    assert any("rare" in reason and f"({rare})" in reason and "kept" in reason for reason in protocol.reasons)
    train_rows, _ = protocol.split(task)
    assert 2 in target[train_rows]
    for seed in (None, 1, 2):
        assert all(2 in target[train] for train, _ in protocol.folds(task, train_rows, seed=seed))


def test_row_08_a_class_that_is_one_group_is_learnt_from_too():
    target = np.array([0] * 60 + [1] * 40 + [2] * 4)
    groups = np.concatenate([np.arange(100), [100] * 4])
    task = Table(target, problem="multiclass", groups=groups)
    protocol = Protocol.propose(task)
    train_rows, _ = protocol.split(task)
    assert all(2 in target[train] for train, _ in protocol.folds(task, train_rows))


@pytest.mark.parametrize("unseen", [-2, 3])
def test_row_09_classes_unseen_in_training_count_as_errors_and_can_be_listed(unseen):
    known, probability = np.array([0, 1, 2, 0]), np.eye(3)[[0, 1, 2, 0]] * 0.94 + 0.02
    target = np.append(known, unseen)
    probability = np.vstack([probability, [0.4, 0.3, 0.3]])
    assert unseen_class_rows(target, 3).tolist() == [4]
    assert resolve("accuracy")(target, probability) == 0.8
    assert resolve("balanced_accuracy")(target, probability) == 0.75
    assert resolve("log_loss")(target, probability) > 5
    for name in ("roc_auc", "f1_macro", "kappa", "brier", "mcc"):
        assert METRICS[name].score(target, probability) < METRICS[name].score(known, probability[:4])


def test_row_10_a_class_absent_from_a_fold_keeps_the_shape_of_the_log_loss():
    target = np.array([0, 1, 0, 1])
    probability = np.array([[0.5, 0.3, 0.2]] * 4)
    assert resolve("log_loss")(target, probability) == pytest.approx(-np.log([0.5, 0.3] * 2).mean())
    for name, metric in METRICS.items():
        if "multiclass" in metric.problems:
            assert np.isfinite(metric(target, probability)), name


def test_row_11_two_classes_called_multiclass_work():
    task = Table(np.arange(200) % 2, problem="multiclass")
    protocol = Protocol.propose(task)
    probability = np.eye(2)[task.target]
    assert protocol.metric.name == "accuracy" and protocol.metric(task.target, probability) == 1.0
    for metric in METRICS.values():
        if "multiclass" in metric.problems:
            assert np.isfinite(metric(task.target, probability))


def test_row_12_the_metric_follows_the_guessed_task_and_says_why():
    three, many = np.arange(300) % 3, np.arange(5000).astype(float)
    for problem, target, name in (("multiclass", three, "accuracy"), ("regression", many, "rmse")):
        metric, reason = choose(problem, target)
        assert metric.name == name and reason.startswith(f"{name}:")


def test_row_20_copies_of_a_row_are_never_on_both_sides_and_their_share_is_told():
    copies = np.concatenate([np.arange(300), np.arange(60)])
    task = Table(copies % 2, groups=copies)
    protocol = Protocol.propose(task)
    assert any("33.3%" in reason and "stay on one side" in reason for reason in protocol.reasons)
    train_rows, sealed = protocol.split(task)
    opened = sealed.open(lambda event: None)
    assert not set(copies[train_rows]) & set(copies[opened])
    for train, validation in protocol.folds(task, train_rows):
        assert not set(copies[train]) & set(copies[validation])


def test_row_25_a_time_column_gives_a_time_split():
    task = replace(both_classes(300), times=np.arange(300.0))
    assert Protocol.propose(task).kind == "time"


def test_row_25_a_random_split_of_rows_in_time_is_warned_of():
    task = replace(both_classes(300), times=np.arange(300.0))
    protocol = Protocol.propose(task, kind="kfold")
    assert any(reason.startswith("warning") and "future" in reason for reason in protocol.reasons)


def test_row_26_a_group_column_gives_a_grouped_split():
    groups = np.arange(400) // 8
    task = Table(np.random.default_rng(0).integers(0, 2, 400), groups=groups)
    protocol = Protocol.propose(task)
    assert protocol.kind == "group"
    train_rows, _ = protocol.split(task)
    for train, validation in protocol.folds(task, train_rows):
        assert not set(groups[train]) & set(groups[validation])


def test_row_35_extreme_imbalance_is_judged_by_the_positives_and_accuracy_is_called_meaningless():
    target = np.zeros(50_000, dtype=np.int64)
    target[::10_000] = 1
    task = Table(target)
    protocol = Protocol.propose(task)
    assert protocol.metric.name == "pr_auc"
    assert any("accuracy is meaningless" in reason for reason in protocol.reasons)
    train_rows, sealed = protocol.split(task)
    assert target[train_rows].sum() == 4 and target[sealed.open(lambda event: None)].sum() == 1
    for train, _ in protocol.folds(task, train_rows):
        assert target[train].any()


def test_row_35_many_classes_with_one_that_dominates_are_balanced():
    target = np.array([0] * 950 + [1] * 30 + [2] * 20)
    metric, reason = choose("multiclass", target)
    assert metric.name == "balanced_accuracy" and "log_loss" in reason


def test_row_44_columns_of_shape_n_1_are_taken_as_rows():
    value, codes = np.arange(6.0), np.array([0, 1, 0, 1, 1, 0])
    assert resolve("rmse")(value[:, None], value) == resolve("rmse")(value, value[:, None]) == 0.0
    probability = np.eye(2)[codes]
    assert resolve("accuracy")(codes[:, None], probability) == 1.0
    assert (
        resolve("roc_auc")(codes, probability[:, 1]) == resolve("roc_auc")(codes, probability[:, 1:]) == 1.0
    )


def test_row_44_different_lengths_are_an_error_that_names_both():
    with pytest.raises(DataError, match="5 targets and 6 predictions") as caught:
        resolve("rmse")(np.zeros(5), np.zeros(6))
    assert caught.value.exit_code == 3 and "(5,)" in caught.value.where
