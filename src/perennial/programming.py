"""`grow` for examples: from pairs to a program, with the same journal, folder and promises as any study.

sense → baseline → search on a part → accepted on the rest, or search on all → choose → test → remember

A program is accepted on examples that it was not built from when there are enough of them. The best partial
program and the examples that it misses are always there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError
from perennial.history import History
from perennial.lang import Lambda, Literal, Program, to_source
from perennial.metrics import wilson
from perennial.modalities.examples import ExampleSet, fitted, plain, sense_examples, with_rows
from perennial.model import Model
from perennial.spaces.grammar import Grammar
from perennial.storages import Memory, SQLite, Storage
from perennial.synthesis.base import UNANSWERED, Clock, Engine, Examples, Found, answers, same_value
from perennial.task import Task
from perennial.weights import Weights

MEMORY = 2**31
FEWEST_TO_HOLD_BACK = 6
HELD_BACK = 1 / 3
CANDIDATES_KEPT = 8
SHARE_OF_FIRST = 0.35
STOP_WHEN_COMPLETE = 0.5
SHARE_OF_SPECIAL = 0.8
NEEDS_NO_WORDS = ("text witnesses", "grids")
MOST_QUESTIONS = 10
UNLABELLED_LOOKED_AT = 500


@dataclass(frozen=True)
class Agreement:
    """What the programs that fit say about rows without an output.

    Args:
        programs: how many fit and differ from one another there.
        rows: places of the rows on which they differ, the most disputed first.
        answers: for each of these rows, what each program says.
    """

    programs: int = 0
    rows: tuple[int, ...] = ()
    answers: tuple[tuple, ...] = ()

    def text(self) -> str:
        """In a sentence."""
        if self.programs < 2:
            return ""
        rows = f"{len(self.rows)} row{'s' if len(self.rows) != 1 else ''}"
        return f"{self.programs} programs fit; they differ on {rows}"


@dataclass
class Search:
    """What is known while a program is looked for."""

    examples: Examples
    clock: Clock
    found: list[Found] = field(default_factory=list)
    tried: int = 0

    @property
    def best(self) -> Found | None:
        """The best program so far: most examples, then the shortest."""
        return min(self.found, key=lambda found: found.order) if self.found else None

    def add(self, found: Found) -> None:
        """Remembers a program, and forgets those that are far behind."""
        self.tried += 1
        self.found = sorted([*self.found, found], key=lambda each: each.order)[: 4 * CANDIDATES_KEPT]


def engines_for(examples: Examples) -> Iterator[Engine]:
    """The engines that know what to do with these types, the most promising first; each is loaded when asked for."""
    from perennial.synthesis.witnesses.text import TextWitnesses

    if TextWitnesses().can_run(examples, None):
        yield TextWitnesses()
    from perennial.synthesis.grids import GridSearch

    if GridSearch().can_run(examples, None):
        yield GridSearch()
    from perennial.synthesis.portfolio import Portfolio

    yield Portfolio()


def examples_of(task: Task) -> Examples:
    """The pairs of a task as engines take them."""
    codec = task.schema
    return Examples(
        codec.names,
        codec.types,
        codec.output_type,
        tuple(codec.rows(task.inputs)),
        tuple(task.target.tolist() if task.target.dtype != object else list(task.target)),
        tuple(codec.rows(task.unlabelled or {name: () for name in codec.names})),
        task.origin.get("tolerance", 0.0),
    )


def grow_program(
    task: Task,
    *,
    seconds: float = 60.0,
    out: str | Path | None = None,
    seed: int = 0,
    memory: int | None = None,
    configuration: dict[str, Any] | None = None,
    ask: Callable[[tuple, Sequence[Any]], Any] | None = None,
    engines: Callable[[Examples], Iterable[Engine]] = engines_for,
) -> Model:
    """The program that maps the inputs of a task to its outputs.

    Args:
        task: of modality `examples`.
        seconds: for everything.
        out: the study folder; a finished study is given back as it is. `None` keeps nothing on disk.
        seed: which examples are held back.
        memory: bytes that an engine may hold.
        configuration: what to note in the journal about how this was called.
        ask: gives the output for inputs on which programs differ, or None to go on without; it is told what they
            say.
        engines: which engines look for it.

    Returns:
        a model whose `program` is the rule; calling it with an input gives the output.

    Raises:
        DataError: nothing that could be tried gives any answer.
    """
    clock = Clock(seconds)
    storage: Storage = Memory() if out is None else SQLite(out)
    try:
        journal = Journal(storage)
        if out is not None and (stored := _finished(journal.history, task, Path(out), seconds)):
            return stored
        journal.begin(task, out, seed, seconds, configuration)
        return _grown(task, journal, clock, out, seed, memory or MEMORY, ask, engines)
    finally:
        storage.close()


class Journal:
    """Writes events and keeps the history that they tell."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.history = History.of(storage.events())

    def emit(self, kind: str, /, **data: Any) -> None:
        """One event."""
        number = self.storage.append(kind, data)
        event = self.storage.events(number - 1)[0]
        self.history.apply(event)

    def begin(self, task: Task, out: Any, seed: int, seconds: float, configuration: dict | None) -> None:
        """What is known before the search."""
        name = Path(out).name if out is not None else task.name
        if not self.history.created:
            path = str(task.origin.get("path", "in memory"))
            self.emit(
                "created", name=name, data=path, task=task.name, fingerprint=task.fingerprint, seed=seed,
                configuration=configuration or {},
            )  # fmt: skip
        self.emit("session", budget=seconds)
        self.emit("stage", name="sense", text=f"reading {task.rows} examples")
        self.emit("sensed", **task.describe())


def _finished(history: History, task: Task, folder: Path, seconds: float) -> Model | None:
    """The model of a study of the same examples that is complete, or had as much time."""
    if history.finished is None or history.created.get("fingerprint") != task.fingerprint:
        return None
    result = history.finished["result"]
    if (
        result["examples"]["right"] < result["examples"]["all"]
        and seconds > history.finished["seconds"] + 1.0
    ):
        return None
    return Model.load(folder / "best").with_information(result=result, report=summary(result))


def _grown(
    task: Task, journal: Journal, clock: Clock, out: Any, seed: int, memory: int, ask: Any, engines: Any
) -> Model:
    examples = examples_of(task)
    baseline = constant(examples)
    share = sum(baseline.satisfied) / len(examples)
    save_program(task, baseline.program, out, {})
    journal.emit(
        "baseline", name="constant", program=to_source(baseline.program), value=share, score=share,
        weights=[], predictions=None, at=clock.spent,
    )  # fmt: skip
    journal.emit("stage", name="search", text=f"programs from {', '.join(map(str, examples.types))}")
    search, validation = searched(examples, clock, seed, memory, engines)
    asked = 0
    while ask is not None and asked < MOST_QUESTIONS and not clock.over:
        told = agreement(search)
        reply = ask(examples.unlabelled[told.rows[0]], told.answers[0]) if told.rows else None
        if reply is None:
            break
        asked += 1
        task = _with_answer(task, examples, told.rows[0], reply)
        examples = examples_of(task)
        search, validation = searched(examples, clock, seed, memory, engines)
    best = search.best if search.best is not None else baseline
    beaten = best is not baseline and (best.complete or sum(best.satisfied) > sum(baseline.satisfied))
    chosen = best if beaten else baseline
    told = agreement(search)
    return _remembered(task, journal, clock, out, examples, chosen, beaten, share, validation, told, search)


def searched(
    examples: Examples, clock: Clock, seed: int, memory: int, engines: Callable
) -> tuple[Search, dict[str, Any] | None]:
    """Programs for all examples, and how the program that was built from a part of them did on the rest."""
    search, validation = Search(examples, clock), None
    different = sorted({repr(row): place for place, row in enumerate(examples.inputs)}.values())
    if len(different) >= FEWEST_TO_HOLD_BACK:
        order = np.random.default_rng(seed).permutation(different)
        held = sorted(int(place) for place in order[: round(len(different) * HELD_BACK)])
        part = examples.subset([place for place in different if place not in held])
        first = Search(part, clock.share(SHARE_OF_FIRST))
        run_engines(first, memory, engines)
        for found in first.found:
            if found.complete:
                search.add(_judged(found, examples))
        validation = _validation(first, examples, held)
        if search.best is not None and search.best.complete:
            return search, validation
    run_engines(search, memory, engines)
    return search, validation


def run_engines(search: Search, memory: int, engines: Callable) -> None:
    """Lets engines run one after another, most of the time for those that know the types; ends when one is done."""
    examples, grammar = search.examples, None
    for engine in engines(examples):
        if search.clock.over or (grammar := _grammar(engine, examples, grammar)) is None:
            continue
        began, complete = time.monotonic(), None
        share = search.clock.left * (SHARE_OF_SPECIAL if engine.name in NEEDS_NO_WORDS else 1.0)
        for found in engine.run(examples, grammar, share, memory):
            search.add(found)
            if found.complete and complete is None:
                complete = time.monotonic() - began
            if complete is not None and time.monotonic() - began > 2 * complete + STOP_WHEN_COMPLETE:
                break
        if complete is not None:
            return


def _grammar(engine: Engine, examples: Examples, grammar: Grammar | None) -> Grammar | None:
    """The words that an engine may use, None when it cannot run; an engine with words of its own needs no others."""
    if engine.name in NEEDS_NO_WORDS:
        return Grammar((), dict(zip(examples.names, examples.types, strict=True)), examples.output_type)
    if grammar is None or not grammar.words:
        from perennial.synthesis.portfolio import usual_grammar

        grammar = usual_grammar(examples)
    return grammar if engine.can_run(examples, grammar) else None


def _judged(found: Found, examples: Examples) -> Found:
    satisfied = tuple(map(same_value, answers(found.program, examples.inputs), examples.outputs))
    return Found(found.program, found.cost, satisfied, found.engine, found.seconds)


def _validation(first: Search, examples: Examples, held: Sequence[int]) -> dict[str, Any] | None:
    if first.best is None:
        return None
    given = answers(first.best.program, [examples.inputs[place] for place in held])
    right = sum(same_value(one, examples.outputs[place]) for one, place in zip(given, held, strict=True))
    return {"value": right / len(held), "right": right, "n": len(held)}


def constant(examples: Examples) -> Found:
    """The output that is given most often, as a program: what common sense achieves."""
    counts = Counter(map(repr, examples.outputs))
    often = next(value for value in examples.outputs if repr(value) == counts.most_common(1)[0][0])
    program = Lambda(examples.names, Literal(often if not isinstance(often, dict) else None))
    satisfied = tuple(same_value(often, value) for value in examples.outputs)
    return Found(program, 0, satisfied, "baseline")


def agreement(search: Search) -> Agreement:
    """Where the programs that satisfy as many examples as the best differ on rows without an output."""
    best = search.best
    rows = search.examples.unlabelled[:UNLABELLED_LOOKED_AT]
    if best is None or not rows or not any(best.satisfied):
        return Agreement()
    level = [found for found in search.found if sum(found.satisfied) == sum(best.satisfied)]
    kinds: dict[tuple, tuple] = {}
    for found in level:
        said = answers(found.program, rows)
        if UNANSWERED not in said or not kinds:
            kinds.setdefault(tuple(map(repr, said)), said)
    kept = list(kinds.values())[:CANDIDATES_KEPT]
    disputed = []
    for place in range(len(rows)):
        different = len({repr(said[place]) for said in kept})
        if different > 1:
            disputed.append((-different, place))
    order = tuple(place for _, place in sorted(disputed))
    return Agreement(len(kept), order, tuple(tuple(said[place] for said in kept) for place in order))


def _with_answer(task: Task, examples: Examples, place: int, reply: Any) -> Task:
    told = ExampleSet(
        examples.names, examples.types, examples.output_type, examples.inputs, examples.outputs,
        examples.unlabelled, (), task.schema.table, task.origin,
    )  # fmt: skip
    told = with_rows(told, examples.unlabelled[place], fitted(reply, examples.output_type))
    return Task.of(sense_examples(told, task.name, examples.tolerance))


def _remembered(
    task: Task, journal: Journal, clock: Clock, out: Any, examples: Examples, chosen: Found, beaten: bool,
    share: float, validation: dict | None, told: Agreement, search: Search,
) -> Model:  # fmt: skip
    test = _tested(task, chosen.program)
    source = to_source(chosen.program)
    result = {
        "study": journal.history.created["name"],
        "out": str(out) if out is not None else None,
        "modality": "examples",
        "problem": "program",
        "metric": "examples_right",
        "direction": "maximize",
        "baseline": share,
        "validation": None if validation is None else validation["value"],
        "test": test,
        "human": None,
        "seconds": round(clock.spent, 2),
        "budget": clock.seconds,
        "trials": search.tried,
        "failed": 0,
        "program": source,
        "reused": [],
        "report": str(Path(out) / "report.html") if out is not None else None,
        "examples": {
            "right": sum(chosen.satisfied), "all": len(examples), "missed": list(chosen.missed)[:20],
        },
        "bits": chosen.cost,
        "engine": chosen.engine,
        "agreement": {
            "programs": told.programs, "rows": list(told.rows)[:20],
            "answers": [list(map(_said, said)) for said in told.answers[:20]],
        },
        "others": [to_source(each.program) for each in search.found[1:4] if each.complete],
        "beaten": beaten,
        "interrupted": False,
    }  # fmt: skip
    journal.emit(
        "chosen", kind="program" if beaten else "baseline", value=sum(chosen.satisfied) / len(examples),
        score=sum(chosen.satisfied) / len(examples), program=source, confirmed=bool(validation), replicas=1,
        at=clock.spent,
    )  # fmt: skip
    if test is not None:
        journal.emit("test", **test, baseline=share, program=source)
    pairs = _pairs(examples, chosen)
    journal.emit("analysis", pairs=pairs)
    model = save_program(
        task, chosen.program, out, {"result": result, "report": summary(result), "pairs": pairs}
    )
    journal.emit("clock", seconds=clock.spent)
    journal.emit("finished", seconds=clock.spent, result=result)
    return model


def _pairs(examples: Examples, chosen: Found) -> list[dict[str, Any]]:
    """Some examples and what the program gives, those that it misses first."""
    places = [*chosen.missed, *(place for place, good in enumerate(chosen.satisfied) if good)][:20]
    given = answers(chosen.program, [examples.inputs[place] for place in places])
    return [
        {
            "place": place,
            "inputs": plain(examples.inputs[place]),
            "output": plain(examples.outputs[place]),
            "given": _said(said),
        }
        for place, said in zip(places, given, strict=True)
    ]


def _said(value: Any) -> Any:
    return None if value is UNANSWERED else plain(value)


def _tested(task: Task, program: Lambda) -> dict[str, Any] | None:
    """How the program does on outputs that people held back: asked once, at the end."""
    if task.held_back is None or not len(task.held_back) or not task.unlabelled:
        return None
    given = answers(program, task.schema.rows(task.unlabelled))
    right = sum(map(same_value, given, task.held_back))
    low, high = wilson(right / len(given), len(given))
    return {"value": right / len(given), "low": low, "high": high, "n": len(given)}


def save_program(task: Task, program: Program, out: Any, information: dict[str, Any]) -> Model:
    """The model of a program, which has no weights; saved in the study folder where there is one."""
    model = Model(program, (Weights({}),), task.schema, information)
    if out is not None:
        model.save(Path(out) / "best")
    return model


def summary(result: dict[str, Any]) -> str:
    """How it was found, in a few lines, for people."""
    right, count = result["examples"]["right"], result["examples"]["all"]
    lines = [result["program"].rstrip(), "", f"{right} of {count} examples right"]
    if right < count:
        missed = ", ".join(str(place + 1) for place in result["examples"]["missed"][:5])
        lines[-1] += f"; it misses example{'s' if count - right > 1 else ''} {missed}"
    if result["validation"] is not None:
        lines.append(
            f"built from a part of the examples, it was right on {result['validation']:.0%} of the others"
        )
    told = result["agreement"]
    if told["programs"] > 1 and told["rows"]:
        lines.append(
            f"{told['programs']} programs fit; they differ on {len(told['rows'])} of the rows to predict: "
            f"row {told['rows'][0] + 1} is " + " or ".join(dict.fromkeys(map(repr, told["answers"][0])))
        )
    if result["test"]:
        test = result["test"]
        lines.append(
            f"test: {test['value']:.0%} [{test['low']:.0%}, {test['high']:.0%}] of {test['n']} right"
        )
    return "\n".join(lines)


def predictions(model: Model, data: Any, **reading: Any) -> list[Any]:
    """What the program says for every input of a file, as JSON holds it; None where it has no answer."""
    rows = model.codec.read(data, **reading).unlabelled
    return [_said(value) for value in answers(model.program, rows)]


def filled_table(model: Model, data: Any, **reading: Any) -> tuple[list[str], list[list]]:
    """The table of a file with its target column filled: what was written there stays.

    Raises:
        DataError: the model does not fill tables.
    """
    from perennial.modalities.examples import raw_table

    if not model.codec.table:
        raise DataError("This model was grown from examples, not from a table.", todo="Give it a JSON file.")
    names, rows, _ = raw_table(data, **reading)
    target = model.codec.table[-1]
    said = predictions(model, data, **reading)
    cells = [row[names.index(target)] if target in names else "" for row in rows]
    column = [cell if cell.strip() else value for cell, value in zip(cells, said, strict=True)]
    others = [name for name in names if name != target]
    columns = [[row[names.index(name)] for row in rows] for name in others]
    order = names if target in names else [*names, target]
    by_name = {**dict(zip(others, columns, strict=True)), target: column}
    return list(order), [by_name[name] for name in order]
