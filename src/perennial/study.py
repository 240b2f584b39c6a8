"""One task being grown: the journal, the clock, and the loop of ask, evaluate, tell.

A `Study` is a folder. Opening it replays its journal, so starting is resuming; only the study process writes it.
The steps that decide *what* is searched are in `workflow.py`; this file runs them and writes down what came out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

import numpy as np

from perennial import strategies
from perennial.assembly import kind_of
from perennial.compiler import reused_parts
from perennial.errors import UsageError, WorkerError
from perennial.evaluate import Ancestor, Bench, Outcome, Paused, derive_seed, pack_array, unpack_array
from perennial.executors import Executor, Future, Inline, Job, Processes
from perennial.history import Record
from perennial.journal import Journal, Listener
from perennial.lang import Program, Var, to_source
from perennial.library.features import MODULE, Part
from perennial.metrics import Metric
from perennial.protocol import Protocol
from perennial.scheduler import resolve as resolve_scheduler
from perennial.spaces import Space
from perennial.spaces.offers import space_for
from perennial.task import Task
from perennial.trial import Proposal, Trial

KEPT_WEIGHTS = 12
FAILURES_IN_A_ROW = 10
KILL_GRACE_SECONDS = 2.0
WARM_MODULES = {
    "table": ("lightgbm", "sklearn.linear_model", "sklearn.ensemble", "sklearn.metrics"),
    "image": ("torch", "keras", "sklearn.linear_model", "sklearn.metrics"),
}
CELLS_FOR_THREADS = 200_000
STOP_GRACE_SECONDS = 1.0


class Source(Interface):
    """Anything that proposes and listens: a strategy, a scheduler around one, or a list."""

    def ask(self, n: int) -> list[Proposal]: ...

    def tell(self, trial: Trial) -> None: ...


class Listed:
    """Proposals in a fixed order; what they scored is for others to use.

    >>> Listed([]).ask(2)
    []
    """

    def __init__(self, proposals: Iterable[Proposal]) -> None:
        self._waiting = list(proposals)

    def ask(self, n: int) -> list[Proposal]:
        taken, self._waiting = self._waiting[:n], self._waiting[n:]
        return taken

    def tell(self, trial: Trial) -> None:
        """Nothing to learn."""


@dataclass(frozen=True)
class Screening:
    """How candidates of one stage are judged.

    Args:
        stage: the name in the journal.
        fold_seed: `None` for the folds of the search, a number for fresh ones.
        fold_limit: only the first so many folds.
        kind: `trial`, or `confirm` for a second opinion that strategies are not told.
        keep: always bring the weights home.
    """

    stage: str
    fold_seed: int | None = None
    fold_limit: int | None = None
    kind: str = "trial"
    keep: bool = False


class _Errand:
    """What one search has to do: proposals of a source, one asked for ahead of need, and until when they may begin.

    Args:
        source: proposes, and hears what became of it.
        screening: how candidates are judged.
        begin: seconds from now, in which they may begin.
        end: seconds from now, in which they must end.
        limit: seconds for one of them.
        least: none begins with less time than this.
        trials: at most so many.
    """

    def __init__(
        self,
        source: Source,
        screening: Screening,
        begin: float,
        end: float,
        limit: float,
        least: float,
        trials: float = float("inf"),
    ) -> None:
        self.source, self.screening = source, screening
        now = time.monotonic()
        self._last, self._end = now + min(begin, end - least), now + end
        self._limit, self._left = limit, trials
        self._ready: list[Proposal] = []

    def prefetch(self) -> None:
        """Asks for the next proposal, if there may be one, so that no worker waits for a strategy to think."""
        if not self._ready and self._left > 0:
            self._ready = self.source.ask(1)
            self._left -= len(self._ready)

    def take(self) -> Proposal | None:
        """The next proposal, or None when there is nothing now or no time for it."""
        if time.monotonic() >= self._last:
            return None
        self.prefetch()
        return self._ready.pop(0) if self._ready else None

    @property
    def seconds(self) -> float:
        """For a candidate that begins now."""
        return min(self._limit, self._end - time.monotonic())


class Clock:
    """Seconds of the whole study, over all its sessions; a budget that nothing may exceed.

    With a budget of trials instead of seconds, `left` is infinite and results do not depend on the machine's speed.

    Args:
        budget: seconds.
        spent: seconds of earlier sessions.
        began: when this session began, by `time.monotonic`; now by default.
    """

    def __init__(self, budget: float, spent: float = 0.0, began: float | None = None) -> None:
        self.budget, self._spent = budget, spent
        self._start = time.monotonic() if began is None else began

    @property
    def elapsed(self) -> float:
        return self._spent + time.monotonic() - self._start

    @property
    def left(self) -> float:
        return self.budget - self.elapsed


class Study:
    """One task being grown; opening the same folder again goes on where it stopped.

    Args:
        task: the data and the goal.
        space: a program with open choices; `None` takes the modality's own space.
        strategy: what to try: a short name (`random local evolution surrogate mixture`) or a function of
            `(space, seed)`.
        scheduler: how long to try it: `full`, `halving` or `hyperband`.
        protocol: how it is judged; `None` lets perennial propose one.
        metric: a name such as `roc_auc`; `None` lets perennial choose.
        out: the study folder; `None` keeps everything in memory.
        sized_for: seconds that the networks of the modality's space are sized for; a study keeps what it began with.
        seed: of every random decision.
        workers: processes, at most one a core is useful; 0 evaluates in this process.
        memory: bytes a worker may use.
        listeners: hear events and ticks.

    Raises:
        StudyLocked: another process is growing this folder.
        StudyChanged: the folder belongs to other data.
    """

    def __init__(
        self,
        task: Task,
        *,
        space: Space | None = None,
        strategy: Any = "mixture",
        scheduler: Any = "full",
        protocol: Protocol | None = None,
        metric: str | Metric | None = None,
        out: str | Path | None = None,
        sized_for: float = float("inf"),
        seed: int = 0,
        workers: int | None = None,
        memory: int | None = None,
        configuration: dict[str, Any] | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.task, self.seed = task, seed
        self.folder = Path(out) if out is not None else None
        self.journal = Journal(self.folder, listeners)
        self.storage, self.history = self.journal.storage, self.journal.history
        self.workers = default_workers() if workers is None else workers
        self.memory = memory
        self.stopping: str | None = None
        self.doing = "starting"
        self.deterministic = False
        self._executor: Executor | None = None
        self._running: dict[Future, _Running] = {}
        self._stop_at: float | None = None
        with self.journal.opening():
            self.journal.check(task)
            known = self.history.protocol.get("settings")
            proposed = protocol or Protocol.propose(task, seed=seed, metric=metric)
            self.protocol = Protocol.from_json(known) if known else proposed
            self.metric = self.protocol.metric
            self.train_rows, self.sealed = self.protocol.split(task, already_opened=self.history.opened)
            self.training = task.take(self.train_rows)
            stored = self.history.created.get("sized_for", sized_for)
            self.sized_for = float("inf") if stored is None else stored
            self._asked = (space, strategy, scheduler)
            self.widen(self._recalled_parts())
            self.clock = Clock(float("inf"), self.history.seconds_spent)
            self.journal.begin(task, seed=seed, sized_for=self.sized_for, configuration=configuration or {})

    def widen(self, parts: Sequence[Part]) -> None:
        """Offers features that were learnt on other tasks, where the space is perennial's own; strategies hear of all
        trials again.

        Args:
            parts: networks of the library, below their heads, and whole models.
        """
        task, (space, strategy, scheduler) = self.task, self._asked
        self.parts = tuple(parts) if self.sizes_itself else ()
        self.space = space or space_for(
            task.modality, task.input_type, task.output_type, len(self.train_rows), self.sized_for,
            [part.function for part in self.parts],
        )  # fmt: skip
        self.strategy = resolve_scheduler(scheduler, strategies.resolve(strategy, self.space, self.seed))
        for record in self.history.records:
            if record.trial.genotype is not None:
                self.strategy.tell(record.trial)

    @property
    def sizes_itself(self) -> bool:
        """Whether the space is perennial's own, so that something can be added to it."""
        return self._asked[0] is None

    def _recalled_parts(self) -> list[Part]:
        """What an earlier session took from the library; the study has kept it."""
        told = (self.history.recalled or {}).get("modules", [])
        return [Part.from_json(each, self.storage.get(each["weights"])) for each in told]

    # -- the journal ---------------------------------------------------------------------------------------------

    def emit(self, kind: str, /, **data: Any) -> None:
        """Writes one event, applies it to the history and tells the listeners."""
        self.journal.emit(kind, **data)

    def stage(self, name: str, text: str) -> None:
        """Opens a step of the workflow and says what it will do."""
        self.doing = text
        self.emit("stage", name=name, text=text, at=self.clock.elapsed)
        self.tick()

    def start(self, seconds: float, began: float | None = None, trials: int | None = None) -> None:
        """Opens a session with a budget for the study as a whole; seconds and candidates of earlier sessions count."""
        self.clock = Clock(seconds, self.history.seconds_spent, began)
        budget = None if np.isinf(seconds) else seconds
        self.emit("session", pid=os.getpid(), budget=budget, trials=trials, workers=self.workers)

    def stop(self, signal: str) -> None:
        """Asks the study to stop and save; the second time it ends at once.

        Raises:
            KeyboardInterrupt: it was asked before.
        """
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping, self.doing = signal, "stopping: saving the best so far (once more to end now)"

    def tick(self) -> None:
        """Tells the listeners where the study stands."""
        best = self.history.chosen or self.history.best
        value = best["value"] if isinstance(best, dict) else best.value if best else None
        self.journal.tick(self.doing, self.clock.elapsed, self.clock.left, self.metric.name, value)

    def close(self) -> None:
        """Ends the workers and lets go of the folder."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None
        self.journal.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the loop ------------------------------------------------------------------------------------------------

    @property
    def executor(self) -> Executor:
        """The workers, started at first use with the training rows; the sealed test rows never reach them."""
        if self._executor is None:
            threads = self._threads()
            bench = Bench(self.training, self.protocol, self.metric, threads)
            if self.workers == 0:
                self._executor = Inline(shared=bench)
            else:
                self._executor = Processes(
                    self.workers,
                    shared=bench,
                    memory=self.memory,
                    threads=threads,
                    warm=WARM_MODULES[self.task.modality],
                )
        return self._executor

    def _threads(self) -> int:
        """Threads of one fit: on small tables a second one waits more than it works."""
        return (
            1
            if self.training.cells < CELLS_FOR_THREADS
            else max(1, (os.cpu_count() or 1) // max(1, self.workers))
        )

    def search(
        self,
        source: Source,
        screening: Screening,
        *,
        seconds: float = float("inf"),
        trials: int | None = None,
        limit: float = float("inf"),
        least: float = 0.0,
        meanwhile: float = 0.0,
    ) -> list[Record]:
        """Asks, evaluates and tells until the source has nothing left, or time or trials are used up.

        Args:
            source: proposes genotypes and hears what they scored.
            screening: how they are judged.
            seconds: for this call.
            trials: at most so many candidates.
            limit: seconds for one candidate.
            least: no candidate begins with less time than this.
            meanwhile: so many seconds from now all candidates may end, and workers that the source leaves idle follow
                the strategy; the source's own begin within `seconds`. What the idle ones have begun goes on when this
                call returns, and the next one gathers it. With a budget of trials nobody follows the strategy
                meanwhile: the order of things must not depend on their speed.

        Returns:
            the records of the source, in the order in which they finished.
        """
        most = float("inf") if trials is None else trials
        errand = _Errand(source, screening, seconds, max(seconds, meanwhile), limit, least, most)
        filler = None
        if meanwhile > 0 and not self.deterministic:
            filler = _Errand(
                self.strategy, replace(screening, stage="tune"), meanwhile, meanwhile, limit, least
            )
        finished: list[Record] = []
        failures: list[str] = []
        while True:
            self._fill(errand, filler)
            if not (self._busy_with(errand) if filler else self._running):
                return finished
            errand.prefetch()
            if self.stopping and self._abandon():
                return finished
            for entry, record in self._gather(0.2, errand, filler):
                if entry.errand is errand:
                    finished.append(record)
                    failures = [*failures, record.trial.error] if record.trial.error else []
            self.tick()
            last = failures[-FAILURES_IN_A_ROW:]
            if len(last) == FAILURES_IN_A_ROW and len(set(last)) == 1:
                text = f"stopped: the same failure {FAILURES_IN_A_ROW} times in a row: {last[0]}"
                self.emit("verdict", stage=screening.stage, text=text, data={})
                return finished

    def _busy_with(self, errand: _Errand) -> bool:
        return any(entry.errand is errand for entry in self._running.values())

    def _fill(self, errand: _Errand, filler: _Errand | None) -> None:
        """Gives each idle worker a candidate, before anything else is done."""
        while len(self._running) < max(1, self.workers) and not self.stopping:
            whose, proposal = errand, errand.take()
            if proposal is None and filler is not None and self._busy_with(errand):
                whose, proposal = filler, filler.take()
            if proposal is None:
                return
            self._begin(proposal, whose, whose.seconds)

    def _gather(
        self, seconds: float, errand: _Errand | None = None, filler: _Errand | None = None
    ) -> list[tuple[_Running, Record]]:
        """Waits for candidates to end and writes down what came out, with the workers at work again first.

        A candidate whose process died gets one more chance; the second death is its result.
        """
        ended = self.executor.wait(seconds)
        entries = [(future, self._running.pop(future)) for future in ended if future in self._running]
        for future, entry in list(entries):
            crashed = future.error is not None and future.error.status == "crashed"
            if crashed and not entry.retried and not self.stopping:
                entries.remove((future, entry))
                self._begin(entry.proposal, entry.errand, entry.seconds, retried=True)
        if errand is not None:
            self._fill(errand, filler)
        gathered = []
        for future, entry in entries:
            record = self._write(future, entry)
            if entry.errand.screening.kind == "trial":
                self._tell(entry.errand.source, record)
            gathered.append((entry, record))
        return gathered

    def _tell(self, source: Source, record: Record) -> None:
        source.tell(record.trial)
        if source is not self.strategy:
            self.strategy.tell(record.trial)

    def _abandon(self) -> bool:
        """After a request to stop, running candidates get a moment to finish; then their processes are ended."""
        self._stop_at = self._stop_at or time.monotonic() + STOP_GRACE_SECONDS
        if time.monotonic() < self._stop_at:
            return False
        self._running.clear()
        self._executor.close()
        self._executor = None
        return True

    def run_program(
        self, program: Program, screening: Screening, *, seconds: float = float("inf")
    ) -> Outcome:
        """Trains and scores one closed program that no strategy proposed (a baseline).

        Raises:
            WorkerError: it failed; `.status` says how.
        """
        job = self._job(program, screening, float("-inf"), seconds)
        return self._finish(self.executor.submit(job))

    def call(self, function: str, arguments: dict[str, Any], seconds: float = float("inf")) -> Any:
        """Runs one function of `evaluate.py` in a worker and waits for what it returns."""
        return self.calls(function, [arguments], seconds)[0]

    def calls(
        self, function: str, each: Sequence[dict[str, Any]], seconds: float = float("inf")
    ) -> list[Any]:
        """The same with several arguments at once, on all workers."""
        found = self.attempts(function, each, seconds)
        for answer in found:
            if isinstance(answer, WorkerError):
                raise answer
        return found

    def attempts(
        self, function: str, each: Sequence[dict[str, Any]], seconds: float = float("inf")
    ) -> list[Any]:
        """The same, with the `WorkerError` of what fails in its place."""
        jobs = [Job(f"perennial.evaluate:{function}", arguments, seconds) for arguments in each]
        return [self._attempt(future) for future in [self.executor.submit(job) for job in jobs]]

    def _attempt(self, future: Future) -> Any:
        try:
            return self._finish(future)
        except WorkerError as error:
            return error

    def _finish(self, future: Future) -> Any:
        """Waits for one job; candidates that end beside it are written down."""
        while True:
            self._gather(0.1)
            if future.done:
                return future.result()
            self.tick()

    def _begin(self, proposal: Proposal, errand: _Errand, seconds: float, retried: bool = False) -> None:
        screening = errand.screening
        program = self.space.freeze(proposal.genotype)
        keep_above = float("-inf") if screening.keep else self._keep_above()
        beginning = {
            "parent": self._parent(proposal, screening),
            "paused": self._paused(proposal, screening),
        }
        job = self._job(program, screening, keep_above, seconds, proposal.fidelity, beginning)
        future = self.executor.submit(job)
        self.doing = f"{screening.stage}: {kind_of(program)}"
        self._running[future] = _Running(proposal, program, errand, seconds, retried)

    def _job(
        self,
        program: Program,
        screening: Screening,
        keep_above: float,
        seconds: float,
        fidelity: float = 1.0,
        beginning: dict[str, Any] | None = None,
    ) -> Job:
        arguments = {
            "source": to_source(program),
            "seed": derive_seed(self.seed, screening.fold_seed),
            "fold_seed": screening.fold_seed,
            "fold_limit": screening.fold_limit,
            "fidelity": fidelity,
            "seconds": float("inf") if self.deterministic else max(0.2, seconds),
            "keep_above": keep_above,
            "limits": self.space.limits,
            "known": {node: part.weights for node, part in self.parts_in(program).items()},
            **(beginning or {}),
        }
        hard = float("inf") if np.isinf(seconds) else max(0.2, seconds) * 1.25 + KILL_GRACE_SECONDS
        return Job("perennial.evaluate:evaluate", arguments, min(hard, max(1.0, self.clock.left)))

    def parts_in(self, program: Program) -> dict[str, Part]:
        """What a program has from other tasks, by the hash of the node: of `frozen` or `recalled`, or of the outermost of
        layers that are trained further.
        """
        if not self.parts:
            return {}
        reused = {node.settings["of"]: node for node in reused_parts(program)}
        nodes = set(program.walk())
        found = {}
        for part in self.parts:
            if part.short in reused:
                found[reused[part.short].hash] = part
            elif part.kind == MODULE:
                function = part.function
                top = function.body.arguments[0].substitute({function.names[0]: Var(program.names[0])})
                if top in nodes:
                    found[top.hash] = part
        return found

    def _parent(self, proposal: Proposal, screening: Screening) -> Ancestor | None:
        """Whose weights the candidate starts from, where it wants them and they were fitted on the same folds."""
        if proposal.weights_from != "parent" or proposal.fidelity < 1.0:
            return None
        folds = (screening.fold_seed, screening.fold_limit)
        for record in self.history.records:
            if record.trial.number in proposal.parents and record.weights and record.folds == folds:
                return Ancestor(record.source, self.replicas(record))
        return None

    def _paused(self, proposal: Proposal, screening: Screening) -> Paused | None:
        """Where the training of the same candidate stands, if it had less before: no epoch is trained twice."""
        for record in self.history.records:
            known = record.trial.number in proposal.parents and record.trial.genotype == proposal.genotype
            if known and record.checkpoint and record.folds[0] == screening.fold_seed:
                return Paused(record.trial.fidelity, self.storage.get(record.checkpoint))
        return None

    def _keep_above(self) -> float:
        scored = self.history.scored
        return scored[KEPT_WEIGHTS - 1].trial.score if len(scored) >= KEPT_WEIGHTS else float("-inf")

    def _write(self, future: Future, entry: _Running) -> Record:
        """Blobs first, the event second: a row in the journal always has its blobs."""
        screening = entry.errand.screening
        number = len(self.history.records) + len(self.history.confirmations)
        trial = Trial(
            number=number,
            genotype=entry.proposal.genotype,
            program_hash=entry.program.hash,
            status="failed",
            fidelity=entry.proposal.fidelity,
            seconds=future.seconds,
            seed=derive_seed(self.seed, screening.fold_seed),
            origin=entry.proposal.origin,
            parents=entry.proposal.parents,
            cost=1.0 if self.deterministic else future.seconds,
            stage=screening.stage,
        )
        record = Record(
            trial,
            to_source(entry.program),
            None,
            at=self.clock.elapsed,
            folds=(screening.fold_seed, screening.fold_limit),
        )
        if future.error is not None:
            status = "failed" if future.error.status == "crashed" else future.error.status
            record = replace(record, trial=replace(trial, status=status, error=future.error.what))
        else:
            record = self._with_outcome(record, future.result())
        self.emit(screening.kind, **record.to_json())
        return record

    def _with_outcome(self, record: Record, outcome: Outcome) -> Record:
        trial = replace(
            record.trial,
            status="scored",
            score=outcome.score,
            scores=outcome.scores,
            curve=outcome.curve,
            train_score=outcome.train_score,
        )
        predictions = self.storage.put(pack_array(outcome.predictions)) if trial.fidelity == 1.0 else None
        weights = tuple(self.storage.put(blob) for blob in outcome.blobs)
        checkpoint = self.storage.put(outcome.checkpoint) if outcome.checkpoint else None
        return replace(
            record,
            trial=trial,
            value=outcome.value,
            weights=weights,
            predictions=predictions,
            checkpoint=checkpoint,
        )

    # -- what is stored ------------------------------------------------------------------------------------------

    def predictions(self, record: Record) -> np.ndarray:
        """The out-of-fold predictions of a record, one row per validated training row."""
        return unpack_array(self.storage.get(record.predictions))

    def covered(self, fold_seed: int | None, fold_limit: int | None) -> np.ndarray:
        """The training rows that the folds hold out, sorted."""
        folds = self.protocol.folds(self.training, np.arange(self.training.rows), seed=fold_seed)[:fold_limit]
        return np.unique(np.concatenate([validation for _, validation in folds]))

    def replicas(self, record: Record) -> tuple[bytes, ...]:
        """The packed weights of a record, one a fold."""
        return tuple(self.storage.get(blob) for blob in record.weights)

    @property
    def best(self) -> Record | None:
        """The best trial so far on validation."""
        return self.history.best

    def board(self) -> list[Record]:
        """The leaderboard: scored trials, best first."""
        return self.history.scored

    def run(
        self,
        *,
        seconds: float | None = None,
        minutes: float | None = None,
        hours: float | None = None,
        trials: int | None = None,
    ) -> Study:
        """Searches with the strategy alone until the budget is spent; call it again to go on.

        `perennial.grow` does more: baselines first, confirmation, an ensemble and the one final test.
        """
        given = [
            value * unit for value, unit in ((seconds, 1), (minutes, 60), (hours, 3600)) if value is not None
        ]
        if not given and trials is None:
            raise UsageError("A study needs a budget.", todo="Give seconds=, minutes=, hours= or trials=.")
        budget = sum(given) if given else float("inf")
        self.deterministic = not given
        self.start(self.history.seconds_spent + budget)
        self.search(self.strategy, Screening("tune"), seconds=self.clock.left, trials=trials)
        return self


@dataclass(frozen=True)
class _Running:
    proposal: Proposal
    program: Program
    errand: _Errand
    seconds: float
    retried: bool


def default_workers() -> int:
    """One process a core, at most eight: candidates are independent and threads inside them scale worse."""
    return max(
        1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )
