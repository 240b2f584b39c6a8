"""One task of examples being grown: the journal, the budget, the best program so far, and an end that keeps it.

What `Study` is to models that are fitted, `ProgramStudy` is to programs and formulas: there is nothing to train, so
there are no workers and no folds; engines look for programs in this process and tell of them as they find them. The
promises are the same: a folder that goes on where it stopped, the best program on disk at any time, a first Ctrl-C
that ends the search and keeps what was found, a test that is asked once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perennial.evaluate import pack_array
from perennial.journal import Journal, Listener
from perennial.lang import Lambda, Program, parse, to_source
from perennial.library import Library
from perennial.modalities.examples import example_hashes, plain
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.remembering import as_good, keep_solution, kept_in, kept_names, tell_as_good
from perennial.synthesis.base import MEMORY, Budget
from perennial.task import Task
from perennial.weights import Weights

LEAST_SECONDS = 1.0
TICK_SECONDS = 0.2


class ProgramStudy:
    """Opens a study folder, or keeps everything in memory.

    Args:
        task: of modality `examples`.
        metric: name of the share, 0 to 1, that says how good a program is.
        out: the study folder; the same call on it goes on.
        seed: of every random decision.
        seconds: for everything, over all sessions.
        memory: bytes that the search may take.
        listeners: hear events and ticks.
        configuration: what to note about how this was called.
        library: that remembers what was found; None remembers nothing.

    Raises:
        StudyLocked: another process is growing this folder.
        StudyChanged: the folder belongs to other examples.
    """

    def __init__(
        self,
        task: Task,
        *,
        metric: str,
        out: str | Path | None,
        seed: int,
        seconds: float,
        memory: int | None = None,
        listeners: Sequence[Listener] = (),
        configuration: dict[str, Any] | None = None,
        library: Library | None = None,
    ) -> None:
        self.task, self.metric, self.seed, self.seconds = task, metric, seed, seconds
        self.folder = Path(out) if out is not None else None
        self.journal = Journal(self.folder, listeners)
        self.history = self.journal.history
        with self.journal.opening():
            self.journal.check(task)
        self.library = library
        self.budget = Budget(max(LEAST_SECONDS, seconds - self.history.seconds_spent), memory or MEMORY)
        self.interrupted: str | None = None
        self._before, self._configuration = self.history.seconds_spent, configuration or {}
        self._settings = {"tolerance": task.origin.get("tolerance", 0.0), "memory": self.budget.memory}
        self._order: Any = None
        self._searching = self._writing = False
        self._doing = "starting"

    def __enter__(self) -> ProgramStudy:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    @property
    def elapsed(self) -> float:
        """Seconds of all sessions together."""
        return self._before + self.budget.spent

    # -- the steps -------------------------------------------------------------------------------------------------

    def stored(self) -> Model | None:
        """The model of a study that has nothing left to do: its program is complete, or it had as much time."""
        done = self.history.finished
        if done is None or self.history.sessions[-1].get("settings") != self._settings:
            return None
        result = done["result"]
        if not result["complete"] and self.seconds > result["budget"]:
            return None
        model = Model.load(self.folder / "best")
        if result["beaten"] and self.library is not None and not kept_in(self.library, self.history):
            self._keep(model, self.history.seconds_spent)
        return model.with_information(result={**result, "kept": kept_names(self.history)})

    def begin(self, protocol: str, tested_on: int) -> None:
        """Writes down what is known before the search.

        Args:
            protocol: how a program will be judged, in a sentence.
            tested_on: rows whose outputs were held back by people.
        """
        task = self.task
        self.journal.begin(task, seed=self.seed, configuration=self._configuration)
        self.emit("session", pid=os.getpid(), budget=self.seconds, workers=1, settings=self._settings)
        if not self.history.sensed:
            self.stage("sense", f"reading {task.rows} examples")
            hashes = pack_array(example_hashes(task.schema.rows(task.inputs)))
            self.emit("sensed", **task.describe(), row_hashes=self.journal.storage.put(hashes))
        if not self.history.protocol:
            self.emit(
                "protocol", kind="held-back examples", folds=1, settings=None, metric=self.metric,
                direction="maximize", reasons=[protocol], train_rows=task.rows, test_rows=tested_on,
            )  # fmt: skip

    def baseline(self, name: str, program: Program, value: float) -> None:
        """Keeps what common sense achieves: a study never ends with nothing."""
        if self.history.baselines:
            return
        self._save(program, {})
        self.emit(
            "baseline", name=name, program=to_source(program), value=value, score=value, weights=[],
            predictions=None, at=self.elapsed,
        )  # fmt: skip

    @contextmanager
    def searching(self, text: str) -> Iterator[None]:
        """While this lasts listeners hear ticks, and Ctrl-C or SIGTERM ends only what is inside."""
        self.stage("search", text)
        with self._ticking(), self.stoppable():
            yield

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Ctrl-C or SIGTERM ends what is inside and nothing else."""
        try:
            self._searching = True
            if self.interrupted:
                raise KeyboardInterrupt
            yield
        except KeyboardInterrupt:
            self.interrupted = self.interrupted or "SIGINT"
        finally:
            self._searching = False

    def heard(self, program: Lambda, value: float, engine: str, cost: float, order: Any) -> None:
        """Writes down and saves a program that is better than all before.

        Args:
            program: what was found.
            value: of the metric.
            engine: who found it.
            cost: its description length.
            order: better programs have a smaller one.
        """
        if self._order is not None and order >= self._order:
            return
        self._order, source = order, to_source(program)
        if source not in {entry["program"] for entry in self.history.found}:
            self.emit("found", program=source, value=value, engine=engine, cost=cost, at=self.elapsed)
            self._save(program, {})

    def answered(self, inputs: Sequence[Any], output: Any) -> None:
        """Writes down an output that a person gave; what was best before it may not be any more."""
        self._order = None
        self.emit("answer", inputs=plain(inputs), output=plain(output))

    def known(self) -> list[tuple[Lambda, dict[str, Any]]]:
        """Programs that earlier sessions found, with what was written about them."""
        return [(parse(entry["program"], vocabulary()), entry) for entry in self.history.found]

    def finish(
        self,
        program: Lambda,
        value: float,
        *,
        kind: str,
        complete: bool,
        validation: float | None,
        figures: dict[str, Any],
        pairs: list[dict[str, Any]],
        judged_on: str,
        test: Callable[[Program], dict[str, Any]],
        summary: Callable[[dict[str, Any]], str],
    ) -> Model:
        """Saves the program, asks the test once, and closes the books.

        Args:
            program: that is believed.
            value: of the metric, on the examples.
            kind: `program`, or `baseline` when nothing is better.
            complete: whether more time could not improve it.
            validation: the metric on examples that it was not built from.
            figures: more for the result.
            pairs: examples and what the program gives for them.
            judged_on: what `value` was measured on, in words.
            test: the figures of a program on the rows whose outputs were held back; called only when there are some.
            summary: the result in a few lines.
        """
        source, history = to_source(program), self.history
        model = self._save(program, {})
        self.emit(
            "chosen", kind=kind, value=value, score=value, program=source, confirmed=validation is not None,
            validation=validation, replicas=1, judged_on=judged_on, at=self.elapsed,
        )  # fmt: skip
        if not self.interrupted and not history.opened and history.protocol["test_rows"]:
            self.emit("opened", rows=history.protocol["test_rows"])
            constant = parse(history.common_sense["program"], vocabulary())
            self.emit("test", **test(program), baseline=test(constant)["value"], program=source)
        if kind != "baseline" and self.library is not None and not self.interrupted:
            self._keep(model, self.elapsed)
        tested = history.tested
        result = {
            "study": history.created["name"],
            "out": str(self.folder) if self.folder else None,
            "modality": "examples",
            "problem": "program",
            "metric": self.metric,
            "direction": "maximize",
            "baseline": history.common_sense["value"],
            "validation": validation,
            "test": {key: tested[key] for key in ("value", "low", "high", "n")} if tested else None,
            "human": None,
            "seconds": round(self.elapsed, 2),
            "budget": self.seconds,
            "failed": 0,
            "program": source,
            "reused": [],
            "kept": kept_names(history),
            "report": str(self.folder / "report.html") if self.folder else None,
            "complete": complete,
            "memory_full": self.budget.was_full,
            **figures,
            "beaten": kind != "baseline",
            "interrupted": bool(self.interrupted),
        }
        self.emit("analysis", pairs=pairs)
        model = self._save(program, {"result": result, "report": summary(result), "pairs": pairs})
        if self.interrupted:
            self.emit("interrupted", signal=self.interrupted)
        self.emit("clock", seconds=self.budget.spent)
        self.emit("paused" if self.interrupted else "finished", seconds=self.elapsed, result=result)
        return model

    # -- the journal -----------------------------------------------------------------------------------------------

    def emit(self, kind: str, /, **data: Any) -> None:
        """Writes one event; an interruption waits until it is written."""
        self._writing = True
        try:
            self.journal.emit(kind, **data)
        finally:
            self._writing = False
        if self.interrupted and self._searching:
            raise KeyboardInterrupt

    def stage(self, name: str, text: str) -> None:
        """Opens a step and says what it will do."""
        self._doing = text
        self.emit("stage", name=name, text=text, at=self.elapsed)

    def _keep(self, model: Model, seconds: float) -> None:
        """Leaves the program in the library, unless it has a better one for the same examples."""
        if (known := as_good(self.library, self.history, self.task, better=True)) is None:
            keep_solution(self.library, self.journal, self.task, model, seconds)
        else:
            tell_as_good(self.journal, self.library, known)

    def _save(self, program: Program, information: dict[str, Any]) -> Model:
        model = Model(program, (Weights({}),), self.task.schema, information)
        if self.folder is not None:
            model.save(self.folder / "best")
        return model

    # -- the outside world -----------------------------------------------------------------------------------------

    def stop(self, signal: str) -> None:
        """Ends the search, as soon as nothing is being written; the second time everything."""
        again, self.interrupted = self.interrupted, signal
        self._doing = "stopping: saving the best so far (once more to end now)"
        if again or (self._searching and not self._writing):
            raise KeyboardInterrupt

    @contextmanager
    def _ticking(self) -> Iterator[None]:
        if not self.journal.listeners:
            yield
            return
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(TICK_SECONDS):
                best = self.history.found[-1]["value"] if self.history.found else None
                self.journal.tick(self._doing, self.elapsed, self.budget.left, self.metric, best)

        ticker = threading.Thread(target=tick, name="ticks", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            ended.set()
            ticker.join()
