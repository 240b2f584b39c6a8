"""Programs over text: tasks solved within a few seconds each, and how they hold on rows that were held back.

A task counts as solved when the program gives the output of every example. Besides, where a task has at least
six different rows, a program is built from half of them and judged on the others (a task with test pairs is
judged on these): `held_back` is the share of these rows that it gets right.

Any `.json` or `.json.gz` in the folder is read that maps names to `{"examples": [{"inputs", "output"}]}` or to
`{"train", "test"}`, or is one such task; besides SyGuS `.sl` files (also inside a `.zip`) with constraints
`(constraint (= (f …) …))`. Tasks of lists or grids are left to other suites.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from perennial.bench import bar
from perennial.bench.kept import Kept
from perennial.bench.programs import half, row_of
from perennial.errors import PerennialError, UsageError
from perennial.lang import Bool, Int, Text, Type
from perennial.programming import Search, run_engines
from perennial.synthesis.base import Budget, Examples, Found, answers, same_value
from perennial.synthesis.witnesses.text.parts import Parts

DEFAULT_SECONDS = 5.0
MEMORY = 2**31
QUICK_SECONDS, QUICK_GOAL, SOLVED_GOAL, HELD_BACK_GOAL = 5.0, 0.60, 0.75, 0.95
FEWEST_TO_HOLD_BACK = 6
FILES_SKIPPED = 40_000_000
MOST_ARGUMENTS = 8
TYPES: dict[str, Type] = {"String": Text, "Int": Int, "Bool": Bool}
PYTHON_TYPES = {str: "String", int: "Int", bool: "Bool"}
VARIANT = re.compile(r"([-_](small|short|long|repeat))+$")
TOKEN = re.compile(r'"((?:[^"]|"")*)"|([()])|([^\s()";]+)|;[^\n]*')


@dataclass(frozen=True)
class TextTask:
    """Rows `(inputs, output)` of one task; `test` rows are only judged on."""

    name: str
    types: tuple[str, ...]
    output: str
    rows: tuple[tuple[tuple, Any], ...]
    test: tuple[tuple[tuple, Any], ...] = ()

    def examples(self, rows: Sequence[tuple[tuple, Any]], asked: Sequence[tuple] = ()) -> Examples:
        """Some rows as an engine takes them."""
        return Examples(
            tuple("abcdefgh"[: len(self.types)]),
            tuple(TYPES[kind] for kind in self.types),
            TYPES[self.output],
            tuple(inputs for inputs, _ in rows),
            tuple(output for _, output in rows),
            tuple(asked),
        )


def run(
    *, data: str | None, seconds: float | None, seeds: int, only: Sequence[str], kept: Kept
) -> dict[str, Any]:
    """Every task of the folder.

    Args:
        data: a folder; folders inside it are looked at too.
        seconds: for each search.
        seeds: not used.
        only: parts of names to keep; `first` and `second` keep one half.
        kept: results of earlier runs.

    Raises:
        UsageError: no folder, or no tasks in it.
    """
    if data is None or not Path(data).is_dir():
        raise UsageError("The suite needs a folder of tasks.", todo="Add --data FOLDER.")
    seconds = seconds or DEFAULT_SECONDS
    tasks = [task for task in tasks_of(Path(data)) if _kept(task.name, only)]
    if not tasks:
        raise UsageError("There are no tasks of text in this folder.", where=data)
    rows = [
        row_of(kept, {"suite": "text", "task": task.name, "seconds": seconds}, partial(solved, task, seconds))
        for task in tasks
    ]
    speed = throughput()
    return {
        "bars": _bars(rows, seconds),
        "rows": [*rows, {"task": "throughput", **speed}],
        "protocol": f"{seconds:g} s of wall time a search; held-back rows are never shown but their inputs are",
    }


def family(name: str) -> str:
    """A task's name without its variant, so that variants fall into one half.

    >>> family("set/phone-4-long-repeat"), family("phone-4_short")
    ('phone-4', 'phone-4')
    """
    return VARIANT.sub("", name.split("/")[-1])


def _kept(name: str, only: Sequence[str]) -> bool:
    halves = [word for word in only if word in ("first", "second")]
    words = [word for word in only if word not in ("first", "second")]
    return (not halves or half(family(name)) in halves) and (not words or any(word in name for word in words))


# -- reading -----------------------------------------------------------------------------------------------------


def tasks_of(folder: Path) -> Iterator[TextTask]:
    """All tasks of text in the files of a folder; a name that was read already is left out."""
    seen: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > FILES_SKIPPED:
            continue
        for task in _tasks_in(path):
            key = task.name.split("/")[-1]
            if key not in seen:
                seen.add(key)
                yield task


def _tasks_in(path: Path) -> Iterator[TextTask]:
    try:
        if path.name.endswith((".json", ".json.gz")):
            content = path.read_bytes()
            yield from from_json(
                json.loads(gzip.decompress(content) if path.suffix == ".gz" else content), path.stem
            )
        elif path.suffix == ".sl":
            yield from from_sygus(path.read_text(encoding="utf-8"), path.stem)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if entry.filename.endswith(".sl") and entry.file_size < FILES_SKIPPED:
                        text = archive.read(entry).decode("utf-8", "replace")
                        yield from from_sygus(text, Path(entry.filename).stem)
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile):
        return


def from_json(told: Any, name: str) -> Iterator[TextTask]:
    """Tasks in what a JSON file holds."""
    if not isinstance(told, dict):
        return
    if "train" in told or "examples" in told:
        told = {name: told}
    for key, each in told.items():
        if isinstance(each, dict) and isinstance(each.get("train", each.get("examples")), list):
            rows = [_row(pair) for pair in each.get("train", each.get("examples"))]
            test = [_row(pair) for pair in each.get("test", []) if "output" in pair]
            task = _task(str(key), rows, test)
            if task is not None:
                yield task


def _row(pair: dict) -> tuple[tuple, Any]:
    return tuple(pair["inputs"] if "inputs" in pair else [pair["input"]]), pair["output"]


def _task(name: str, rows: list, test: list) -> TextTask | None:
    """The task, or None when it is not one of texts, whole numbers and truths."""
    columns = list(zip(*(inputs for inputs, _ in rows), strict=True)) if rows else []
    kinds = [_kind(column) for column in [*columns, [output for _, output in rows]]]
    if not rows or None in kinds or "String" not in kinds or len(columns) > MOST_ARGUMENTS:
        return None
    return TextTask(name, tuple(kinds[:-1]), kinds[-1], tuple(rows), tuple(test))


def _kind(column: Sequence[Any]) -> str | None:
    kinds = {type(value) for value in column}
    return PYTHON_TYPES.get(kinds.pop()) if len(kinds) == 1 else None


def from_sygus(text: str, name: str) -> Iterator[TextTask]:
    """The task of a SyGuS file of examples (Padhi et al. 2019).

    >>> source = '(synth-fun f ((x String)) String) (constraint (= (f "a b") "b"))'
    >>> next(from_sygus(source, "second")).rows
    ((('a b',), 'b'),)
    """
    rows = []
    for item in _expressions(text):
        match item:
            case ["constraint", ["=", [_, *inputs], output]]:
                rows.append((tuple(map(_constant, inputs)), _constant(output)))
    task = _task(name, rows, [])
    if task is not None:
        yield task


class _Quoted(str):
    """A text that stood between quotes."""


def _expressions(text: str) -> list:
    stack: list[list] = [[]]
    for found in TOKEN.finditer(text):
        if found[1] is not None:
            stack[-1].append(_Quoted(found[1].replace('""', '"')))
        elif found[2] == "(":
            stack.append([])
        elif found[2] == ")" and len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
        elif found[3] is not None:
            stack[-1].append(found[3])
    return stack[0]


def _constant(item: Any) -> Any:
    if isinstance(item, _Quoted):
        return str(item)
    if isinstance(item, list):
        return -int(item[1]) if item[0] == "-" else None
    return {"true": True, "false": False}[item] if item in ("true", "false") else int(item)


# -- solving -----------------------------------------------------------------------------------------------------


def search(examples: Examples, seconds: float) -> tuple[Found | None, float]:
    """The best program for some examples, and after how many seconds it was there: what `grow` would find."""
    looking = Search(examples, Budget(seconds, MEMORY))
    start = time.monotonic()
    run_engines(looking)
    return looking.best, time.monotonic() - start


def solved(task: TextTask, seconds: float) -> dict[str, Any]:
    """What came out for one task."""
    row: dict[str, Any] = {"task": task.name, "half": half(family(task.name)), "rows": len(task.rows)}
    try:
        best, spent = search(task.examples(task.rows), seconds)
    except PerennialError as error:
        return {**row, "solved": False, "error": error.what}
    good = best is not None and best.complete and spent <= seconds + 1.0
    row |= {"solved": good, "seconds": round(spent, 2), "bits": best.cost if best is not None else None}
    row |= {"program": str(best.program.body) if best is not None else None}
    return row | (_held_back(task, best, seconds) if good else {"held_back": None, "held_back_rows": 0})


def _held_back(task: TextTask, best: Found, seconds: float) -> dict[str, Any]:
    """The share of rows right that a program was not built from."""
    if task.test:
        return {"held_back": _share(best, task.test), "held_back_rows": len(task.test)}
    rows = list(dict(task.rows).items())
    if len(rows) < FEWEST_TO_HOLD_BACK:
        return {"held_back": None, "held_back_rows": 0}
    random.Random(0).shuffle(rows)
    cut = len(rows) // 2
    found, _ = search(task.examples(rows[:cut], [inputs for inputs, _ in rows[cut:]]), seconds)
    if found is None or not found.complete:
        return {"held_back": None, "held_back_rows": 0}
    return {"held_back": _share(found, rows[cut:]), "held_back_rows": len(rows) - cut}


def _share(found: Found, rows: Sequence[tuple[tuple, Any]]) -> float:
    given = answers(found.program, [inputs for inputs, _ in rows])
    return sum(same_value(value, output) for value, (_, output) in zip(given, rows, strict=True)) / len(rows)


def throughput(seconds: float = 2.0) -> dict[str, float]:
    """Parts made and kept or dropped per second on one core, four rows each, and values per second."""
    rows = [
        (f"{name}, item {n} of {n * 7} (kg) - 2026-03-0{n}",)
        for n, name in enumerate(("Ada", "Bo", "Cy", "Di"), 1)
    ]
    made, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        parts = Parts(("text",), (Text,), rows, ["Ada 7", "Bo 14", "Cy 21", "Di 28"], Budget(60.0))
        parts.grow()
        made += parts.tried
    spent = time.process_time() - start
    return {"parts_per_second": made / spent, "values_per_second": made * len(rows) / spent}


def _bars(rows: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    bars = []
    goal = QUICK_GOAL if seconds <= QUICK_SECONDS else SOLVED_GOAL
    for label in ("all", "first", "second"):
        chosen = [row for row in rows if label in ("all", row["half"])]
        if not chosen:
            continue
        share = sum(row["solved"] for row in chosen) / len(chosen)
        bars.append(
            bar(f"text tasks solved in {seconds:g} s, {label} of {len(chosen)}", share, goal, "maximize")
        )
        judged = [row for row in chosen if row.get("held_back") is not None]
        count = sum(row["held_back_rows"] for row in judged)
        if count:
            right = sum(row["held_back"] * row["held_back_rows"] for row in judged) / count
            bars.append(bar(f"held-back rows right, {label} of {count}", right, HELD_BACK_GOAL, "maximize"))
    return bars
