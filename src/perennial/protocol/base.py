"""A protocol: the kind of split, the metric, the seed; and the folds that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perennial import metrics
from perennial.errors import DataError, UsageError
from perennial.metrics import Metric
from perennial.protocol.choices import (
    check_request,
    choose_folds,
    choose_kind,
    choose_metric,
    choose_test,
    choose_validation,
    warnings_of,
)
from perennial.protocol.dealing import (
    assign,
    draw,
    fold_pairs,
    group_codes,
    hold_out,
    strata_of,
    time_folds,
)
from perennial.protocol.sealed import SealedTest

if TYPE_CHECKING:
    from perennial.task import Task

TEST_SEED = 20_040_229


@dataclass(frozen=True)
class Protocol:
    """A way to judge, fixed before anything is trained.

    Args:
        kind: `holdout kfold repeated_kfold leave_one_out time group`.
        metric: the one number that counts.
        folds_wanted: splits of one repeat; 1 for a holdout, 0 for leave-one-out (as many as rows).
        repeats: of the whole k-fold.
        test_rows: rows to seal; 0 when the user brought test data or rows are too few.
        seed: of every split, 0 or more.
        reasons: why, one sentence each.

    Raises:
        UsageError: the seed is negative.
    """

    kind: str
    metric: Metric
    folds_wanted: int = 5
    repeats: int = 1
    test_rows: int = 0
    seed: int = 0
    reasons: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(
                f"A seed is a whole number of at least 0, received seed={self.seed}.", todo="Give seed=0."
            )

    @staticmethod
    def propose(
        task: Task,
        seconds: float = 60.0,
        seed: int = 0,
        metric: str | Metric | None = None,
        kind: str | None = None,
        folds: int | None = None,
        test_share: float | None = None,
    ) -> Protocol:
        """The protocol we would choose, or the one that was asked for, checked against the data.

        Args:
            task: the data; `rows target problem groups times test` are looked at.
            seconds: the budget of the whole study; little time on much data means fewer folds.
            seed: of every split.
            metric: `None` chooses by the problem and the balance of the target.
            kind: `None` chooses by rows, groups and times.
            folds: at least 2; `None` chooses by rows and time.
            test_share: part of the rows to seal, 0 to 0.5; `None` takes a fifth and less of many rows.

        Raises:
            DataError: fewer than two rows.
            UsageError: an unknown kind, a metric of another problem, or numbers out of range.
        """
        check_request(task, kind, folds, test_share)
        chosen_metric, metric_reason = choose_metric(task, metric)
        test_rows, test_reason = choose_test(task, test_share)
        left = task.rows - test_rows
        chosen_kind, kind_reason = choose_kind(task, kind, left, folds)
        count, repeats, folds_reason = choose_folds(task, chosen_kind, left, seconds, folds)
        reasons = (kind_reason, folds_reason, test_reason, metric_reason, *warnings_of(task, chosen_kind))
        return Protocol(
            chosen_kind, chosen_metric, count, repeats, test_rows, seed, tuple(filter(None, reasons))
        )

    def split(self, task: Task, already_opened: bool = False) -> tuple[np.ndarray, SealedTest]:
        """The rows to learn from, and the sealed rest.

        Args:
            task: the whole data. With `task.test` all rows are for learning and that data is what is sealed.
            already_opened: the journal tells that the test set was opened before.

        Returns:
            sorted row numbers, and a `SealedTest` of the others.
        """
        rows = np.arange(task.rows)
        if task.test is not None:
            return rows, SealedTest(np.arange(task.test.rows), already_opened)
        if self.test_rows == 0:
            return rows, SealedTest(rows[:0], already_opened)
        sealed = hold_out(
            task, rows, self.test_rows, self.kind, np.random.default_rng([TEST_SEED, self.seed])
        )
        return np.setdiff1d(rows, sealed), SealedTest(sealed, already_opened)

    def folds(
        self, task: Task, train_rows: np.ndarray, seed: int | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of rows to learn from and rows to validate on, both part of `train_rows`.

        Args:
            task: the data.
            train_rows: row numbers of the task, `(n,)`.
            seed: `None` gives the folds of the search, a number fresh ones.

        Returns:
            sorted row numbers; validation parts of one repeat do not overlap. Rows without which a class
            could not be learnt are in every training part and in no validation part.
        """
        rows = np.sort(np.asarray(train_rows))
        generator = np.random.default_rng([self.seed] if seed is None else [self.seed, 1 + seed])
        if len(rows) < 2:
            raise DataError(
                f"Folds need at least 2 rows, received {len(rows)}.",
                why="One row cannot be both learnt from and judged on.",
                todo="Bring more rows.",
            )
        if self.kind == "time":
            return time_folds(task, rows, self.folds_wanted, generator if seed is not None else None)
        if self.kind == "holdout":
            wanted = choose_validation(task, len(rows))
            return fold_pairs(task, rows, draw(task, rows, wanted, generator), 1)
        if self.kind == "leave_one_out":
            groups = group_codes(task, rows)
            return fold_pairs(task, rows, groups, int(groups.max()) + 1)
        return self._repeated(task, rows, generator)

    def _repeated(
        self, task: Task, rows: np.ndarray, generator: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        groups = group_codes(task, rows)
        count = max(2, min(self.folds_wanted, int(groups.max()) + 1))
        strata, shares, pairs = strata_of(task, rows, count), np.full(count, 1 / count), []
        for _ in range(self.repeats):
            pairs += fold_pairs(task, rows, assign(strata, groups, shares, generator), count)
        return pairs

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON; the metric by name."""
        return {
            **asdict(replace(self, metric=None)),
            "metric": self.metric.name,
            "reasons": list(self.reasons),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Protocol:
        """The inverse of `to_json`; keys it does not know are passed over.

        >>> protocol = Protocol("kfold", metrics.resolve("rmse"), folds_wanted=3)
        >>> Protocol.from_json(protocol.to_json()) == protocol
        True
        """
        known = {name: data[name] for name in ("kind", "folds_wanted", "repeats", "test_rows", "seed")}
        return Protocol(
            metric=metrics.resolve(data["metric"]), reasons=tuple(data.get("reasons", ())), **known
        )
