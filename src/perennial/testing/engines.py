"""The contract of engines, which find programs from examples, and known tasks to try them on.

A plug-in author calls `check_engine(make)` in one test, where `make()` gives a fresh engine. The known tasks are of
every kind of value; an engine is asked only those that it says it can run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from perennial.lang import Bool, Grid, Int, Lambda, List, Text, Type
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import Budget, Engine, Examples, Found, answers, same_value
from perennial.synthesis.portfolio import usual_grammar

__all__ = ["KnownTask", "check_engine", "check_ends_in_time", "check_tells_the_truth", "known_tasks"]

SECONDS, SECONDS_WITHOUT_RULE = 20.0, 0.7
SHORT_BUDGETS, LATEST = (0.02, 0.2, 0.7), 15.0


@dataclass(frozen=True)
class KnownTask:
    """Examples with a rule that any engine for these types should find, or with none at all."""

    name: str
    examples: Examples
    has_rule: bool = True


def known_tasks() -> list[KnownTask]:
    """Easy rules of every kind of value, and the same inputs with outputs that follow no rule."""
    grids = (((1, 0), (2, 0)), ((3, 3, 0), (0, 0, 4)), ((5,),))
    lists, texts = ((3, 1, 2), (9, 4), (5, 2, 8, 1)), ("Ada King", "Alan Turing", "Grace Hopper")
    rules: list[tuple[str, Type, Type, tuple, Callable]] = [
        ("sorted", List(Int), List(Int), lists, lambda xs: tuple(sorted(xs))),
        ("length", List(Int), Int, lists, len),
        ("is long", List(Int), Bool, lists, lambda xs: len(xs) > 2),
        ("last word", Text, Text, texts, lambda text: text.split()[-1]),
        ("characters", Text, Int, texts, len),
        ("upside down", Grid, Grid, grids, lambda grid: tuple(reversed(grid))),
    ]
    tasks = []
    for name, kind, result, values, rule in rules:
        outputs = tuple(map(rule, values))
        rows = tuple((value,) for value in values)
        tasks.append(KnownTask(name, Examples(("x",), (kind,), result, rows, outputs, rows[:1])))
        turned = (*outputs[1:], outputs[0])
        tasks.append(KnownTask(f"not {name}", Examples(("x",), (kind,), result, rows, turned), False))
    return tasks


def check_engine(make: Callable[[], Engine]) -> None:
    """All of the contract.

    Args:
        make: gives a fresh engine.
    """
    engine = make()
    assert isinstance(engine.name, str) and engine.name, "An engine has a name."
    tasks = [task for task in known_tasks() if engine.can_run(task.examples, usual_grammar(task.examples))]
    assert tasks, "There is no kind of examples that the engine can run."
    for task in tasks:
        check_tells_the_truth(make, task)
    without = {task.examples.types: task for task in tasks if not task.has_rule}
    for task in without.values():
        check_ends_in_time(make, task)


def check_tells_the_truth(make: Callable[[], Engine], task: KnownTask) -> None:
    """What is found is a function of the names, does what is said of it, and has a description length."""
    examples, best = task.examples, None
    for found in _run(make(), examples, Budget(SECONDS if task.has_rule else SECONDS_WITHOUT_RULE)):
        assert isinstance(found.program, Lambda) and found.program.names == examples.names, found.program
        given = answers(found.program, examples.inputs)
        truth = tuple(map(same_value, given, examples.outputs))
        assert found.satisfied == truth, f"{found.program} satisfies {truth}, not {found.satisfied}."
        assert found.cost >= 1 and found.seconds >= 0.0
        best = found if best is None or found.order < best.order else best
        if best.complete:
            break
    assert not task.has_rule or best is not None and best.complete, f"{task.name}: not found."


def check_ends_in_time(make: Callable[[], Engine], task: KnownTask) -> None:
    """Whenever its budget ends, by the clock or by being told, an engine ends soon after."""
    for seconds in SHORT_BUDGETS:
        _ends(make, task, Budget(seconds))
    _ends(make, task, Budget(SECONDS, until=lambda: True))


def _ends(make: Callable[[], Engine], task: KnownTask, budget: Budget) -> None:
    """In a thread, since an engine that does not end would never come back."""
    running = threading.Thread(target=lambda: list(_run(make(), task.examples, budget)), daemon=True)
    running.start()
    running.join(LATEST)
    assert not running.is_alive(), f"{task.name}: still running {LATEST:g} s after {budget.seconds:g} s."


def _run(engine: Engine, examples: Examples, budget: Budget) -> Iterator[Found]:
    grammar = Grammar((), dict(zip(examples.names, examples.types, strict=True)), examples.output_type)
    return engine.run(examples, grammar, budget)
