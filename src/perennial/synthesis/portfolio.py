"""Several engines under one time budget, two at a time in processes of their own.

Each engine first has a short turn in this process, so that easy tasks are answered at once; what is left of
the time the engines spend side by side in two workers, which are ended when another has found a program that
it holds for final. (Portfolios of algorithms; Huberman, Lukose and Hogg 1997.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from perennial.errors import WorkerError
from perennial.executors.base import Future, Job
from perennial.primitives import vocabulary
from perennial.spaces.grammar import Grammar, grammar_for
from perennial.synthesis.base import Clock, Engine, Examples, Found
from perennial.synthesis.enumeration import Enumeration
from perennial.synthesis.lists import ListSearch

FIRST_TURN = 0.1
LONGEST_FIRST_TURN = 1.0
WORKERS = 2
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
        engines: the quickest first; those that cannot run on the examples are left out.
        workers: how many run at the same time once the first turns are over; 0 keeps all in this process.
    """

    name = "portfolio"

    def __init__(self, engines: Sequence[Engine] | None = None, workers: int = WORKERS) -> None:
        self.engines = list(engines) if engines is not None else general_engines()
        self.workers = min(workers, os.cpu_count() or 1)

    def can_run(self, examples: Examples, grammar: Grammar) -> bool:
        """Whether at least one engine can."""
        return any(engine.can_run(examples, grammar) for engine in self.engines)

    def run(self, examples: Examples, grammar: Grammar, seconds: float, memory: int) -> Iterator[Found]:
        """Programs that are better than all before; ends early when an engine is sure of a complete one."""
        clock = Clock(seconds)
        grammar = grammar if grammar.words else usual_grammar(examples)
        engines = [engine for engine in self.engines if engine.can_run(examples, grammar)]
        best = _Best()
        if len(engines) == 1:
            yield from best.better(engines[0].run(examples, grammar, clock.left, memory))
            return
        for engine in engines:
            turn = min(FIRST_TURN * seconds, LONGEST_FIRST_TURN)
            yield from best.better(engine.run(examples, grammar, turn, memory))
            if best.complete or clock.over:
                break
        if best.sure or clock.over:
            return
        if self.workers and clock.left > 2 * START_SECONDS:
            yield from best.better(self._side_by_side(engines, examples, grammar, clock, memory))
        else:
            for place, engine in enumerate(engines):
                share = clock.left / (len(engines) - place)
                yield from best.better(engine.run(examples, grammar, share, memory))

    def _side_by_side(
        self, engines: list[Engine], examples: Examples, grammar: Grammar, clock: Clock, memory: int
    ) -> Iterator[Found]:
        from perennial.executors.processes import Processes

        number = min(self.workers, len(engines))
        rounds = -(-len(engines) // number)
        with Processes(number, shared=(engines, examples, grammar), warm=(__name__,)) as executor:
            seconds = max(0.5, (clock.left - START_SECONDS) / rounds)
            for place in range(len(engines)):
                arguments = {"place": place, "seconds": seconds, "memory": memory // number}
                executor.submit(Job(f"{__name__}:run_engine", arguments, seconds=seconds + 1.0))
            left = len(engines)
            while left and not clock.over:
                for future in executor.wait(min(POLL_SECONDS, clock.left)):
                    left -= 1
                    found = _result(future)
                    yield from found
                    if any(one.complete for one in found):
                        return


class _Best:
    """The best program so far."""

    def __init__(self) -> None:
        self.found: Found | None = None

    @property
    def complete(self) -> bool:
        return self.found is not None and self.found.complete

    @property
    def sure(self) -> bool:
        """Whether it is complete and decides nothing case by case, which is where programs overfit."""
        return self.complete and not any(
            getattr(getattr(node, "function", None), "name", "") == "if" for node in self.found.program.walk()
        )

    def better(self, programs: Iterator[Found]) -> Iterator[Found]:
        """Those that are better than all before."""
        for one in programs:
            if self.found is None or one.order < self.found.order:
                self.found = one
                yield one


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
    return list(engines[place].run(examples, grammar, seconds, memory))


def _result(future: Future) -> list[Found]:
    """What a worker found; nothing when it failed, since the other engines go on."""
    try:
        return future.result()
    except WorkerError:
        return []
