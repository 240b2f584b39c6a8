"""The loop of ask, evaluate and tell: what is written down, what is retried, and when it stops."""

import numpy as np
import pytest

from perennial import Study, Task, report
from perennial.errors import StudyChanged, UsageError
from perennial.evaluate import Bench
from perennial.executors import Inline
from perennial.lang import Lambda, Var, call
from perennial.primitives import vocabulary
from perennial.spaces import integer, real
from perennial.spaces.base import Space
from perennial.spaces.tables import portfolio
from perennial.study import FAILURES_IN_A_ROW, Listed, Screening
from perennial.trial import Proposal


def table(seed=0, rows=120):
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, 3))
    return Task.from_data((numbers, np.where(numbers[:, 0] > 0, "up", "down")))


def forests():
    row, words = Var("row"), vocabulary()
    return Space(
        Lambda(
            ("row",),
            call(
                words["extra_trees"],
                call(words["numbers"], row),
                trees=10,
                min_rows=integer("min_rows", 1, 20),
            ),
        )
    )


def failing():
    """More neighbours than there are rows in any fold."""
    row, words = Var("row"), vocabulary()
    program = call(words["tfidf"], call(words["texts"], row), words=integer("words", 1, 3))
    return Space(Lambda(("row",), call(words["linear"], program, penalty=real("penalty", 1.0, 100.0))))


class OneSlow(Inline):
    """The first of two workers is busy until the other one has ended so many jobs."""

    def __init__(self, shared, after):
        super().__init__(shared)
        self.slow, self.after = None, after

    def submit(self, job):
        future = super().submit(job)
        if self.slow is None:
            self._finished.remove(future)
            self.slow = [future]
        return future

    def wait(self, timeout):
        if self.after <= 0 and self.slow:
            ended, self.slow = self.slow, []
            return ended
        ended = super().wait(timeout)
        self.after -= len(ended)
        return ended


def with_one_slow(after, **settings):
    made = study(workers=2, **settings)
    made._executor = OneSlow(Bench(made.training, made.protocol, made.metric), after)
    return made


def study(**settings):
    settings = {"space": forests(), "strategy": "random", "workers": 0, "seed": 1} | settings
    return Study(table(), **settings)


def test_every_trial_is_written_down_and_ranked():
    with study().run(trials=5) as done:
        board = done.board()
    assert len(board) == 5 and [record.trial.number for record in done.history.records] == list(range(5))
    assert [record.trial.score for record in board] == sorted((r.trial.score for r in board), reverse=True)
    assert done.best.value > 0.8


def test_the_same_seed_and_a_budget_of_trials_give_the_same_board():
    boards = []
    for _ in range(2):
        with study(strategy="evolution").run(trials=8) as done:
            boards.append(
                [(record.source, record.trial.score, record.weights) for record in done.history.records]
            )
    assert boards[0] == boards[1]


def test_opening_a_folder_again_goes_on_with_what_is_known(tmp_path):
    with study(out=tmp_path / "s").run(trials=3):
        pass
    with study(out=tmp_path / "s") as again:
        assert len(again.history.records) == 3
        again.run(trials=2)
        assert len(again.history.records) == 5 and len(again.history.sessions) == 2


def test_resuming_by_replay_proposes_what_an_uninterrupted_study_proposes(tmp_path):
    with study(strategy="evolution").run(trials=6) as whole:
        wanted = [record.source for record in whole.history.records]
    with study(strategy="evolution", out=tmp_path / "s").run(trials=3):
        pass
    with study(strategy="evolution", out=tmp_path / "s").run(trials=3) as resumed:
        assert [record.source for record in resumed.history.records][:3] == wanted[:3]
        assert len({record.source for record in resumed.history.records}) >= 3


def test_other_data_are_refused_and_the_folder_is_let_go(tmp_path):
    with study(out=tmp_path / "s").run(trials=1):
        pass
    with pytest.raises(StudyChanged, match="--out") as refused:
        Study(table(seed=5), out=tmp_path / "s", workers=0)
    with study(out=tmp_path / "s") as again:
        assert refused.value and len(again.history.records) == 1


def test_a_study_that_cannot_begin_lets_go_of_its_folder(tmp_path):
    with pytest.raises(UsageError, match="evolutoin") as refused:
        study(out=tmp_path / "s", strategy="evolutoin")
    with study(out=tmp_path / "s", strategy="evolution") as begun:
        assert refused.value and begun.history.records == []


def test_failures_are_records_and_the_same_failure_again_and_again_ends_the_search():
    with study(space=failing(), strategy="random").run(trials=50) as done:
        assert FAILURES_IN_A_ROW <= len(done.history.failed) < 50
        assert "linear" in report.most_broken(done.history) and "most often failed" in report.summary(
            done.history
        )
        assert {record.trial.status for record in done.history.records} <= {"failed", "rejected"}
        assert all(record.trial.error for record in done.history.records)
        assert any("in a row" in verdict["text"] for verdict in done.history.verdicts) and done.best is None


def test_a_study_without_a_budget_is_refused():
    with study() as fresh, pytest.raises(UsageError, match="budget"):
        fresh.run()


def test_listeners_hear_each_event_and_where_the_study_stands():
    class Ear:
        def __init__(self):
            self.kinds, self.snapshots = [], []

        def on_event(self, event):
            self.kinds.append(event.kind)

        def on_tick(self, snapshot):
            self.snapshots.append(snapshot)

    ear = Ear()
    with study(listeners=[ear]).run(trials=2):
        pass
    assert ear.kinds.count("trial") == 2 and ear.kinds[0] == "created"
    assert ear.snapshots[-1]["trials"] == 2 and ear.snapshots[-1]["best"] is not None


def test_a_stop_that_was_asked_for_ends_the_search_before_the_next_candidate():
    with study() as asked:
        asked.stopping = "SIGINT"
        asked.run(trials=5)
        assert asked.history.records == []


def test_a_confirmation_is_no_trial_and_the_strategy_does_not_hear_of_it():
    with study().run(trials=2) as done:
        heard = []
        done.strategy.tell = heard.append
        genotype = done.best.trial.genotype
        screening = Screening("confirm", fold_seed=1, kind="confirm", keep=True)
        [record] = done.search(Listed([Proposal(genotype, origin="confirm")]), screening)
        assert heard == [] and len(done.history.records) == 2
        assert (
            done.history.confirmations == [record] and len(done.replicas(record)) == len(record.weights) > 0
        )
        assert len(done.predictions(record)) == len(done.covered(1, None))


def test_a_worker_that_a_step_leaves_idle_follows_the_strategy_meanwhile():
    with with_one_slow(after=3) as busy:
        heard, proposals = [], busy.strategy.ask(1)
        busy.strategy.tell = heard.append
        records = busy.search(Listed(proposals), Screening("overfit", fold_limit=1), seconds=60, meanwhile=60)
        assert [record.trial.genotype for record in records] == [proposals[0].genotype]
        stages = [record.trial.stage for record in busy.history.records]
        assert stages == ["tune"] * 3 + ["overfit"] and len(heard) == 4
        assert {record.folds for record in busy.history.records} == {(None, 1)}


def test_what_an_idle_worker_began_is_gathered_by_the_next_step():
    with with_one_slow(after=2) as busy:
        proposals = busy.strategy.ask(3)
        [first] = busy.search(Listed(proposals[:1]), Screening("overfit"), seconds=60, meanwhile=60)
        assert len(busy._running) == 1
        again = busy.search(
            Listed(proposals[1:]), Screening("confirm", fold_seed=1, kind="confirm"), seconds=60
        )
        assert [record.trial.genotype for record in again] == [each.genotype for each in proposals[1:]]
        assert busy._running == {} and first.trial.number == 2
        numbers = [record.trial.number for record in [*busy.history.records, *busy.history.confirmations]]
        assert sorted(numbers) == list(range(len(numbers)))


def test_a_single_job_loses_no_candidate_that_ends_beside_it():
    with with_one_slow(after=2) as busy:
        busy.search(Listed(busy.strategy.ask(1)), Screening("overfit"), seconds=60, meanwhile=60)
        known = len(busy.history.records)
        [best] = busy.history.scored[:1]
        arguments = {"source": best.source, "blobs": busy.replicas(best), "inputs": busy.training.inputs}
        assert len(busy.call("predict", arguments)) == busy.training.rows
        assert len(busy.history.records) == known + 1 and busy._running == {}


def test_with_a_budget_of_trials_nothing_runs_out_of_order():
    with with_one_slow(after=0) as busy:
        busy.deterministic = True
        busy.search(Listed(busy.strategy.ask(3)), Screening("overfit"), seconds=60, meanwhile=60)
        assert [record.trial.stage for record in busy.history.records] == ["overfit"] * 3


def test_no_opener_fails_on_a_table_with_every_kind_of_column():
    """An opener that fails is told and passed over, so only the status says that a kind of model is missing."""
    generator = np.random.default_rng(0)
    rows = 260
    frame = {
        "size": generator.normal(size=rows),
        "age": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(size=rows)),
        "colour": generator.choice(["red", "green", "blue"], rows),
        "day": [f"2024-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in range(rows)],
        "said": generator.choice(
            ["good and cheap", "bad but cheap", "dear and bad", "good value here"], rows
        ),
    }
    frame["kind"] = np.where((frame["size"] > 0) ^ (frame["colour"] == "red"), "yes", "no")
    task = Task.from_data(frame, "kind", kinds={"said": "text"})
    assert {column.kind for column in task.schema.columns} >= {"number", "category", "date", "text"}
    with Study(task, workers=0, seed=1) as asked:
        asked.start(float("inf"))
        openers = [Proposal(genotype) for genotype in portfolio(asked.space)]
        records = asked.search(Listed(openers), Screening("overfit", fold_limit=1))
    assert len(records) == len(openers) >= 8
    assert [(r.source, r.trial.error) for r in records if r.trial.status != "scored"] == []
