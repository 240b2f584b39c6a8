"""Several engines under one time budget, side by side in two processes.

The others have a moment first, so that easy tasks are answered at once, and longer while the first is not ready. Then
the first runs in this process. When it has not ended after a second, the others start in a worker process.
Whoever has a complete program that it holds for final ends the search. (Portfolios of algorithms; Huberman, Lukose and
Hogg 1997.)
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence

from perennial.errors import PerennialError, WorkerError
from perennial.executors.base import Future, Job
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Grammar, grammar_for
from perennial.synthesis.base import Budget, Engine, Examples, Found
from perennial.synthesis.enumeration import Enumeration
from perennial.synthesis.lists import ListSearch

A_MOMENT = 0.5
HEAD_START = 1.0
START_SECONDS = 1.5
POLL_SECONDS = 0.1


def usual_grammar(examples: Examples) -> Grammar:
    """The words of the vocabulary that are of use for these types."""
    return grammar_for(vocabulary().values(), examples.names, examples.types, examples.output_type)


def general_engines() -> list[Engine]:
    """The engines that are not made for one kind of data, the quickest first."""
    return [ListSearch(), Enumeration()]


class Portfolio(Engine):
    """Shares the time between engines.

    Args:
        engines: the most promising first; those that cannot run on the examples are left out.
        processes: 2 runs the first here and the others in a worker; 1 runs one after another here.
    """

    name = "portfolio"

    def __init__(self, engines: Sequence[Engine] | None = None, processes: int = 2) -> None:
        self.engines = list(engines) if engines is not None else general_engines()
        self.processes = min(processes, os.cpu_count() or 1)

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """Whether at least one engine can."""
        return any(engine.can_run(examples, grammar) for engine in self.engines)

    def run(self, examples: Examples, grammar: Grammar, budget: Budget) -> Iterator[Found]:
        """Programs that are better than all before; ends early when an engine is sure of a complete one."""
        grammar = grammar if grammar.words else usual_grammar(examples)
        engines = [engine for engine in self.engines if engine.can_run(examples, grammar)]
        best = _Best()
        for quick in _before_the_first(engines, budget):
            for engine in engines[1:]:
                yield from best.better(engine.run(examples, grammar, quick))
                if best.complete and not quick.over:
                    return
        if len(engines) < 2 or self.processes < 2 or budget.left < HEAD_START + START_SECONDS:
            for place, engine in enumerate(engines):
                share = budget.share(1 / (len(engines) - place))
                yield from best.better(engine.run(examples, grammar, share))
                if best.complete:
                    return
            return
        helper = _Helper(engines[1:], examples, grammar, budget)
        try:
            for one in engines[0].run(examples, grammar, budget.halved()):
                yield from best.better(iter((*helper.found(), one)))
            while not best.complete and not helper.ended and not budget.over:
                yield from best.better(iter(helper.found(wait=POLL_SECONDS)))
            yield from best.better(iter(helper.found()))
        finally:
            helper.stop()


def _before_the_first(engines: Sequence[Engine], budget: Budget) -> Iterator[Budget]:
    """Budgets for the other engines: a moment, since the first takes longer to load; then until it is ready."""
    if len(engines) > 1:
        yield budget.within(A_MOMENT)
        if not engines[0].ready():
            yield budget.until(engines[0].ready)


class _Best:
    """The best program so far."""

    def __init__(self) -> None:
        self.one: Found | None = None

    @property
    def complete(self) -> bool:
        return self.one is not None and self.one.complete

    def better(self, programs: Iterator[Found]) -> Iterator[Found]:
        """Those that are better than all before."""
        for one in programs:
            if self.one is None or one.order < self.one.order:
                self.one = one
                yield one


class _Helper:
    """Engines in a worker process, looked after by a thread of its own.

    The thread starts the worker after the head start, and ends it when it is told to.
    """

    def __init__(self, engines: list[Engine], examples: Examples, grammar: Grammar, budget: Budget) -> None:
        self.shared, self.budget, self.memory = (engines, examples, grammar), budget, budget.memory // 2
        self.results: queue.SimpleQueue[Found] = queue.SimpleQueue()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._work, name="portfolio", daemon=True)
        self.thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return not self.thread.is_alive() and self.results.empty()

    def found(self, wait: float = 0.0) -> list[Found]:
        """What has come since the last time; waits for the first one."""
        taken: list[Found] = []
        try:
            taken.append(self.results.get(timeout=wait) if wait else self.results.get_nowait())
            while True:
                taken.append(self.results.get_nowait())
        except queue.Empty:
            return taken

    def stop(self) -> None:
        """Ends the worker."""
        self.stopping.set()
        self.thread.join()

    def _work(self) -> None:
        if self.stopping.wait(HEAD_START):
            return
        from perennial.executors.processes import Processes

        engines = len(self.shared[0])
        seconds = max(0.5, (self.budget.left - START_SECONDS) / engines)
        try:
            with Processes(1, shared=self.shared, warm=(__name__,)) as executor:
                for place in range(engines):
                    arguments = {"place": place, "seconds": seconds, "memory": self.memory}
                    executor.submit(Job(f"{__name__}:run_engine", arguments, seconds=seconds + 1.0))
                while engines and not self.budget.over and not self.stopping.is_set():
                    for future in executor.wait(POLL_SECONDS):
                        engines -= 1
                        for one in _result(future):
                            self.results.put(one)
        except PerennialError:
            return  # no worker can be started here: the first engine goes on alone


def run_engine(
    shared: tuple[list[Engine], Examples, Grammar], place: int, seconds: float, memory: int
) -> list[Found]:
    """What one engine finds, in a worker process.

    Args:
        shared: engines, examples and grammar.
        place: of the engine in the list.
        seconds: for the search.
        memory: bytes.
    """
    engines, examples, grammar = shared
    return list(engines[place].run(examples, grammar, Budget(seconds, memory)))


def _result(future: Future) -> list[Found]:
    """What a worker found; nothing when it failed, since the other engines go on."""
    try:
        return future.result()
    except WorkerError:
        return []
