"""Programs over lists and numbers: tasks solved within a few seconds each, and candidates per second.

Two kinds of tasks. Where a task has test pairs, it counts when the program that was built from its training pairs
alone is right on every test pair. Where it has examples only, it counts when the program is right on all of them;
besides, a program is built from two thirds of them and judged on the rest, reported as `held_back`.

Any `.json` or `.json.gz` in the folder is read that is a list of `{"name", "type", "examples": [{"i", "o"}]}`, or
maps names to `{"train", "test"}` of `{"input", "output"}`, or is one such task.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.bench.programs import half, row_of
from perennial.errors import UsageError
from perennial.lang import Bool, Int, List, Literal, Type, Var
from perennial.synthesis.base import Budget, Examples, Found, answers, same_value
from perennial.synthesis.portfolio import Portfolio, usual_grammar

DEFAULT_SECONDS = 10.0
MEMORY = 1 << 30
THROUGHPUT_SECONDS = 6.0
SOLVED_GOAL, EXACT_GOAL = 0.85, 0.5
LISTS_GOAL, SCALARS_GOAL, ANSWER_GOAL = 1e6, 5e6, 2.0
EASY = [{"input": row, "output": sorted(row)} for row in ([3, 1, 2], [9, 4], [5, 2, 8, 1])]
FILES_SKIPPED = 40_000_000
WRITTEN_TYPES = {"list-of-int": List(Int), "list-of-bool": List(Bool), "int": Int, "bool": Bool}


@dataclass(frozen=True)
class ListTask:
    """Training and test pairs `(input, output)` of one task, with the types of both."""

    name: str
    source: str
    input_type: Type
    output_type: Type
    train: tuple[tuple[Any, Any], ...]
    test: tuple[tuple[Any, Any], ...] = ()


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Every task of the folder, then the throughput of both kernels.

    Args:
        data: a folder; folders inside it are looked at too.
        seconds: for each task.
        seeds: not used, nothing is drawn by chance.
        only: names of tasks or files; `first` and `second` keep one half.
        kept: results of earlier runs.

    Raises:
        UsageError: no folder.
    """
    if data is None or not Path(data).is_dir():
        raise UsageError("The suite needs a folder of tasks.", todo="Add --data FOLDER.")
    seconds = seconds or DEFAULT_SECONDS
    rows = [
        row_of(
            kept,
            {"suite": "lists", "source": task.source, "task": task.name, "seconds": seconds},
            partial(solved, task, seconds),
        )
        for task in tasks_of(Path(data))
        if _wanted(task, only)
    ]
    speeds = {**throughput(), **first_answers()} if not only or "speed" in only else {}
    return {
        "bars": [*_bars(rows, seconds), *_speed_bars(speeds)],
        "rows": [*rows, *([{"task": "speed", **speeds}] if speeds else [])],
        "protocol": f"{seconds:g} s of wall time a task, at most 2 processes, {MEMORY >> 20} MiB",
    }


def tasks_of(folder: Path) -> Iterator[ListTask]:
    """All tasks over lists and numbers in the files of a folder."""
    for path in sorted([*folder.rglob("*.json"), *folder.rglob("*.json.gz")]):
        if path.stat().st_size > FILES_SKIPPED:
            continue
        try:
            content = path.read_bytes()
            read = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        except (OSError, ValueError):
            continue
        source = path.parent.name if path.name.startswith("tasks.") else path.name.split(".")[0]
        yield from (task for task in _tasks_in(read, source) if task is not None)


def _tasks_in(read: Any, source: str) -> Iterator[ListTask | None]:
    if isinstance(read, list):
        for place, each in enumerate(read):
            if isinstance(each, dict) and isinstance(each.get("examples"), list):
                yield _task(str(each.get("name", place)), source, each["examples"], [], each.get("type"))
    elif isinstance(read, dict) and "train" in read:
        yield _task(source, source, read["train"], read.get("test", []), read.get("type"))
    elif isinstance(read, dict):
        for name, each in read.items():
            if isinstance(each, dict) and isinstance(each.get("train"), list):
                yield _task(name, source, each["train"], each.get("test", []), each.get("type"))


def _task(name: str, source: str, train: list, test: list, written: Any) -> ListTask | None:
    """The task, or None when its values are no whole numbers, truth values or flat lists of them."""
    try:
        pairs = [tuple(map(_pair, part)) for part in (train, [each for each in test if "output" in each])]
    except (KeyError, TypeError):
        return None
    written = written if isinstance(written, dict) else {}
    kinds = []
    for place, label in enumerate(("input", "output")):
        values = [pair[place] for pair in pairs[0]]
        kinds.append(WRITTEN_TYPES.get(written.get(label)) or _type_of(values))
    if not pairs[0] or None in kinds:
        return None
    return ListTask(name, source, kinds[0], kinds[1], pairs[0], pairs[1])


def _pair(each: dict) -> tuple[Any, Any]:
    keys = ("i", "o") if "i" in each else ("input", "output")
    return tuple(tuple(value) if isinstance(value, list) else value for value in (each[key] for key in keys))


def _type_of(values: list) -> Type | None:
    """The type of all values: `Int`, `Bool`, or a flat list of these; no values at all pass for `Int`."""
    if values and all(isinstance(value, tuple) for value in values):
        inner = _type_of([item for value in values for item in value])
        return List(inner) if inner in (Int, Bool) else None
    if all(isinstance(value, bool) for value in values):
        return Bool if values else Int
    return Int if all(type(value) is int for value in values) else None


def solved(task: ListTask, seconds: float) -> dict[str, Any]:
    """What came out for one task."""
    start = time.monotonic()
    found = search(task, task.train, seconds)
    row: dict[str, Any] = {"task": task.name, "source": task.source, "half": half(task.name)}
    row |= {"seconds": round(time.monotonic() - start, 2), "fits": False, "exact": None, "held_back": None}
    if task.test:
        row["exact"] = False
    if found is None:
        return {**row, "solved": False, "bits": None, "program": None}
    row |= {"fits": found.complete, "found_after": round(found.seconds, 2), "bits": found.cost}
    if task.test:
        row["exact"] = found.complete and right(found, task.test)
    elif found.complete:
        row["held_back"] = _held_back(task, seconds)
    good = row["exact"] if task.test else row["fits"]
    return {**row, "solved": bool(good), "program": str(found.program)}


def search(task: ListTask, pairs: Sequence[tuple[Any, Any]], seconds: float) -> Found | None:
    """The best program for these pairs."""
    inputs, outputs = tuple((value,) for value, _ in pairs), tuple(value for _, value in pairs)
    name = "xs" if isinstance(task.input_type, List) else "n"
    examples = Examples((name,), (task.input_type,), task.output_type, inputs, outputs)
    found = None
    for one in Portfolio().run(examples, usual_grammar(examples), Budget(seconds, MEMORY)):
        found = one
    return found


def right(found: Found, pairs: Sequence[tuple[Any, Any]]) -> bool:
    """Whether a program gives the output of every pair."""
    given = answers(found.program, [(value,) for value, _ in pairs])
    return all(map(same_value, given, (value for _, value in pairs)))


def _held_back(task: ListTask, seconds: float) -> bool | None:
    """Whether a program built from two thirds of the examples is right on the others."""
    pairs = list(dict.fromkeys(task.train))
    if len(pairs) < 6:
        return None
    random.Random(0).shuffle(pairs)
    cut = 2 * len(pairs) // 3
    found = search(task, pairs[:cut], seconds)
    return found is not None and found.complete and right(found, pairs[cut:])


def throughput(seconds: float = THROUGHPUT_SECONDS) -> dict[str, float]:
    """Candidates per second on one core: whole programs over lists, and bodies over single numbers.

    A candidate is one word applied to known values on all examples, computed, hashed and looked up; five examples
    of lists of five numbers, eight rows of numbers.
    """
    return {
        "lists_per_second": _lists_per_second(seconds),
        "scalars_per_second": _scalars_per_second(seconds),
    }


def _lists_per_second(seconds: float) -> float:
    from perennial.synthesis.columns import Bank, Workshop
    from perennial.synthesis.rules import list_rules

    generator = random.Random(0)
    column = [tuple(generator.randrange(100) for _ in range(5)) for _ in range(5)]
    examples = Examples(("xs",), (List(Int),), List(Int), tuple((one,) for one in column), tuple(column))
    grammar = usual_grammar(examples)
    banks = {"int": Bank("int", 5, 300_000), "bool": Bank("bool", 5, 10)}
    banks["list"] = Bank("list", 5, 4_000_000, arena=120_000_000)
    rules = [rule for rule in list_rules(grammar) if rule.result == "list" and "map" not in rule.kinds]
    rules = [rule for rule in rules if "test" not in rule.kinds]
    workshop = Workshop(banks, rules, longest=20)
    workshop.leaf("list", column, Var("xs"), 1)
    for value in range(6):
        workshop.leaf("int", (value,) * 5, Literal(value), 2 + value // 2)
    return _rate(workshop, seconds)


def _scalars_per_second(seconds: float) -> float:
    from perennial.synthesis.columns import Bank, Workshop
    from perennial.synthesis.rules import scalar_rules

    generator = random.Random(0)
    examples = Examples(("x",), (Int,), Int, ((1,),), (1,))
    banks = {"int": Bank("int", 8, 6_000_000), "bool": Bank("bool", 8, 500_000)}
    workshop = Workshop(banks, scalar_rules(usual_grammar(examples)))
    for name in ("x", "y"):
        workshop.leaf("int", [generator.randrange(100) for _ in range(8)], Var(name), 1)
    for value in range(4):
        workshop.leaf("int", (value,) * 8, Literal(value), 2)
    return _rate(workshop, seconds)


def _rate(workshop: Any, seconds: float) -> float:
    """Candidates per second of processor time, after the kernels were loaded, until the time or the bank ends."""
    for _ in range(4):
        for _ in workshop.grow(Budget(60.0)):
            pass
    tried, start, budget = workshop.tried, time.process_time(), Budget(seconds)
    while not budget.over and not any(bank.full for kind, bank in workshop.banks.items() if kind != "bool"):
        for _ in workshop.grow(budget):
            if any(bank.full for kind, bank in workshop.banks.items() if kind != "bool"):
                break
    return round((workshop.tried - tried) / max(1e-9, time.process_time() - start))


def first_answers(repeats: int = 3) -> dict[str, float]:
    """Seconds of the whole command on an easy task, start-up included: the median, and with nothing compiled yet."""
    warm = sorted(_first_answer({}) for _ in range(repeats))[repeats // 2]
    with tempfile.TemporaryDirectory() as folder:
        cold = _first_answer({"NUMBA_CACHE_DIR": folder})
    return {"first_answer": round(warm, 2), "first_answer_uncompiled": round(cold, 2)}


def _first_answer(environment: dict[str, str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "easy.json"
        path.write_text(json.dumps(EASY), encoding="utf-8")
        command = [sys.executable, "-m", "perennial", "grow", str(path), "--time", "60s", "--no-library"]
        start = time.monotonic()
        subprocess.run(
            [*command, "--out", str(path.with_suffix(""))],
            env={**os.environ, **environment}, check=True, capture_output=True,
        )  # fmt: skip
        return time.monotonic() - start


def _wanted(task: ListTask, only: Sequence[str]) -> bool:
    return not only or bool({task.name, task.source, half(task.name)} & set(only))


def _bars(rows: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    found = []
    with_tests = {row["source"] for row in rows if row["exact"] is not None}
    for source in sorted({row["source"] for row in rows}):
        here = [row for row in rows if row["source"] == source]
        share = sum(row["solved"] for row in here) / len(here)
        if source in with_tests:
            name, goal = f"{source}: exact on held-back pairs, {seconds:g} s each", EXACT_GOAL
        else:
            name, goal = f"{source}: solved in {seconds:g} s each", SOLVED_GOAL
        found.append(bar(f"{name} ({len(here)} tasks)", share, goal, "maximize"))
    return found


def _speed_bars(speeds: dict[str, float]) -> list[dict[str, Any]]:
    if not speeds:
        return []
    return [
        bar("list candidates per second, one core", speeds["lists_per_second"], LISTS_GOAL, "maximize"),
        bar("scalar candidates per second, one core", speeds["scalars_per_second"], SCALARS_GOAL, "maximize"),
        *(
            bar(f"seconds of the command on an easy task{told}", speeds[name], ANSWER_GOAL, "minimize")
            for name, told in (("first_answer", ""), ("first_answer_uncompiled", ", nothing compiled yet"))
        ),
    ]
