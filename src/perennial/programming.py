"""`grow` for examples: from pairs to a program, with the same journal, folder and promises as any study.

sense → baseline → search on a part → accepted on the rest, or search on all → choose → test → remember

A program is accepted on examples that it was not built from when there are enough of them. The best partial
program and the examples that it misses are always there.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import DataError, PerennialError, TypeMismatch
from perennial.interruption import interruptions
from perennial.journal import Listener
from perennial.lang import Lambda, Literal, Program, Text, Type, parse, to_source
from perennial.library import Library
from perennial.library.records import SHORT
from perennial.metrics import wilson
from perennial.modalities import Codec
from perennial.modalities.examples import (
    ExampleSet,
    fitted,
    joined_types,
    plain,
    sense_examples,
    type_of,
    with_rows,
)
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.program_study import ProgramStudy
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import UNANSWERED, Budget, Engine, Examples, Found, answers, same_value
from perennial.synthesis.ranking import Ranked, copied_bits, ranked
from perennial.task import Task

FEWEST_TO_HOLD_BACK = 6
HELD_BACK = 1 / 3
CANDIDATES_KEPT = 8
SHARE_OF_FIRST = 0.35
STOP_WHEN_COMPLETE = 0.5
SHARE_OF_SPECIAL = 0.8
NEEDS_NO_WORDS = ("text witnesses", "grids")
MOST_QUESTIONS = 10
LIBRARY, SHARE_OF_LIBRARY, FEWEST_TO_RECALL = "library", 0.05, 2
SECONDS_BESIDE_KNOWN = 2.0
PAIRS_SHOWN = 20

Engines = Callable[[Examples], Iterable[Engine]]


class Search:
    """What is known while a program is looked for.

    Args:
        examples: what it must do.
        budget: for all of it.
        heard: is told of each program that is better than all before.
    """

    def __init__(
        self, examples: Examples, budget: Budget, heard: Callable[[Found], None] = lambda found: None
    ) -> None:
        self.examples, self.budget, self.heard = examples, budget, heard
        self.found: list[Found] = []
        self.tried = 0
        self.validation: dict[str, Any] | None = None

    @property
    def best(self) -> Found | None:
        """The best program so far: most examples, then the shortest."""
        return self.found[0] if self.found else None

    @property
    def done(self) -> bool:
        """Whether a program satisfies as many examples as it needs to."""
        return self.best is not None and self.best.right >= self.examples.needed

    def share(self, part: float) -> Budget:
        """A part of the time that is left; a little where a complete program is known, to find a shorter one."""
        share = self.budget.share(part)
        return share.within(SECONDS_BESIDE_KNOWN) if self.done else share

    def add(self, found: Found) -> None:
        """Remembers a program, and forgets those that are far behind."""
        self.tried += 1
        same = [known for known in self.found if known.program is found.program]
        if any(known.order <= found.order for known in same):
            return
        others = [known for known in self.found if known not in same]
        self.found = sorted([*others, found], key=lambda each: each.order)[: 4 * CANDIDATES_KEPT]
        if self.found[0] is found:
            self.heard(found)


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
    listeners: Sequence[Listener] = (),
    configuration: dict[str, Any] | None = None,
    library: Library | None = None,
    reuse: str = "all",
    ask: Callable[[tuple, Sequence[Any]], Any] | None = None,
    engines: Engines = engines_for,
) -> Model:
    """The program that maps the inputs of a task to its outputs.

    Args:
        task: of modality `examples`.
        seconds: for everything.
        out: the study folder; a finished study is given back as it is, one that was interrupted goes on. `None`
            keeps nothing on disk.
        seed: which examples are held back.
        memory: bytes that the search may take beyond what the process holds at its start.
        listeners: hear events and ticks while it runs.
        configuration: what to note in the journal about how this was called.
        library: that remembers what was found; None remembers nothing.
        reuse: whether programs of other tasks are tried: with `all` and `frozen` they are.
        ask: gives the output for inputs on which programs differ, as a value or as people write it, or None to go on
            without; it is told what they say. Rows whose outputs were held back for the test are not asked about.
        engines: which engines look for it.

    Returns:
        a model whose `program` is the rule; calling it with an input gives the output.

    Raises:
        DataError: nothing that could be tried gives any answer.
    """
    with ProgramStudy(
        task, metric="examples_right", out=out, seed=seed, seconds=seconds, memory=memory, listeners=listeners,
        configuration=configuration, library=library,
    ) as study, interruptions(study.stop):  # fmt: skip
        if (stored := study.stored()) is not None and not (ask and stored.result["agreement"]["differing"]):
            return stored
        for told in study.history.answers:
            task = _with_answer(task, told["inputs"], told["output"])
        study.begin(_protocol(task), sealed_rows(task))
        remembered = library if reuse in ("all", "frozen") else None
        return _grown(study, task, ask, engines, remembered)


def sealed_rows(task: Task) -> int:
    """Rows whose outputs people held back for one test."""
    return 0 if task.held_back is None else len(task.held_back)


def _protocol(task: Task) -> str:
    """How a program is judged, in a sentence."""
    held = len(_held_back(examples_of(task), 0))
    if not held:
        return "there are too few examples to hold some back: a program is built from all of them"
    return f"a program is first built without {held} of the examples and accepted when it is right on them"


def _grown(study: ProgramStudy, task: Task, ask: Any, engines: Engines, remembered: Library | None) -> Model:
    examples = examples_of(task)
    baseline = constant(examples)
    study.baseline("constant", baseline.program, baseline.right / len(examples))
    recalled = {} if remembered is None else _recalled(remembered, examples, task.schema, study.budget)
    if recalled:
        text = f"known rules that are right on all examples: {', '.join(recalled)}"
        study.emit("verdict", stage="recall", text=text, data={"names": list(recalled)})

    def opened(examples: Examples, known: Sequence[Found]) -> Search:
        def heard(found: Found) -> None:
            share = found.right / len(examples)
            study.heard(found.program, share, found.engine, found.cost, found.order)

        search = Search(examples, study.budget, heard)
        for found in known:
            search.add(_judged(found, examples))
        return search

    known = [Found(program, told["cost"], (), told["engine"]) for program, told in study.known()]
    search = opened(examples, [*known, *recalled.values()])
    with study.searching(f"programs from {', '.join(map(str, examples.types))}"):
        look(search, study.seed, engines)
    asked = 0 if ask is None or sealed_rows(task) else MOST_QUESTIONS
    while asked and not study.budget.over and (answered := _asked(study, task, search, ask)) is not None:
        asked -= 1
        if answered is not task:
            task = answered
            search = opened(examples_of(task), search.found)
            with study.searching("programs that give this answer too"):
                look(search, study.seed, engines)
    return _finished(study, task, search, recalled)


def _recalled(library: Library, examples: Examples, codec: Codec, budget: Budget) -> dict[str, Found]:
    """Programs of other tasks that are right on all of these examples, by name.

    They are candidates among others. Such a rule is a word more to choose from, so it costs what naming one of so many
    does; what the search can say in fewer bits is preferred.
    """
    looking = budget.share(SHARE_OF_LIBRARY)
    if len(_different(examples)) < FEWEST_TO_RECALL:
        return {}
    fitting, words = [], len(vocabulary())
    for header in library.walk(kind="solution", input=str(codec.input_type), output=str(codec.output_type)):
        if looking.over:
            break
        words += 1
        with suppress(PerennialError):  # one record that cannot be read is none
            program = parse(library.get(header.id).source, vocabulary())
            if _fits(program, examples):
                fitting.append((header.id, program))
    if not fitting:
        return {}
    names = {id: f"{base}@{n}" for (base, n), id in library.store.names().items()}
    satisfied, cost = (True,) * len(examples), math.ceil(math.log2(words))
    return {
        names.get(id, id[:SHORT]): Found(program, cost + copied_bits(program, examples), satisfied, LIBRARY)
        for id, program in fitting
    }


def _fits(program: Program, examples: Examples) -> bool:
    """Whether it is right on every example; it ends at the first on which it is not."""
    return all(
        same_value(answers(program, [given])[0], wanted)
        for given, wanted in zip(examples.inputs, examples.outputs, strict=True)
    )


def _asked(study: ProgramStudy, task: Task, search: Search, ask: Callable) -> Task | None:
    """The task with an answer more; the same when the answer cannot be one; None when there is none to be had."""
    told, examples = ranked(search.found, search.examples), search.examples
    rows = [row for row in told.telling() if examples.unlabelled[row] not in examples.inputs]
    if not rows:
        return None
    inputs, began, reply = examples.unlabelled[rows[0]], time.monotonic(), None
    with study.stoppable():
        reply = ask(inputs, told.said(rows[0]))
    study.budget.pause(time.monotonic() - began)
    if reply is None or study.interrupted:
        return None
    try:
        reply = _as_output(reply, examples.output_type)
        answered = _with_answer(task, inputs, reply)
    except DataError as error:
        study.emit("verdict", stage="ask", text=str(error), data={})
        return task
    study.answered(inputs, reply)
    return answered


def _as_output(reply: Any, kind: Type) -> Any:
    """An answer as a value of the output's type.

    Raises:
        DataError: it is none.
    """
    if isinstance(reply, str) and kind != Text:
        try:
            reply = json.loads(reply)
        except ValueError:
            pass
    try:
        if joined_types(type_of(reply), kind) == kind:
            return fitted(reply, kind)
    except (TypeMismatch, DataError):
        pass
    raise DataError(f"The answer is to be {kind}, received {reply!r}.", todo="Write it as JSON does.")


def look(search: Search, seed: int, engines: Engines = engines_for) -> None:
    """Programs for all examples, and how the program that was built from a part of them did on the rest."""
    examples = search.examples
    if held := _held_back(examples, seed):
        different = _different(examples)
        part = examples.subset([place for place in different if place not in held])
        first = Search(part, search.share(SHARE_OF_FIRST), lambda found: search.add(_judged(found, examples)))
        run_engines(first, engines)
        for found in first.found:
            if found.complete:
                search.add(_judged(found, examples))
        search.validation = _validation(first, examples, held)
        if search.done:
            return
    run_engines(search, engines)


def _different(examples: Examples) -> list[int]:
    """Places of the examples, one for each different input."""
    return sorted({repr(row): place for place, row in enumerate(examples.inputs)}.values())


def _held_back(examples: Examples, seed: int) -> list[int]:
    """Places of the examples that a program is first built without; none when there are few."""
    different = _different(examples)
    if len(different) < FEWEST_TO_HOLD_BACK:
        return []
    order = np.random.default_rng(seed).permutation(different)
    return sorted(int(place) for place in order[: round(len(different) * HELD_BACK)])


def run_engines(search: Search, engines: Engines = engines_for) -> None:
    """Lets engines run one after another, most of the time for those that know the types; ends when one is done."""
    examples, grammar = search.examples, None
    for engine in engines(examples):
        if search.budget.over or (grammar := _grammar(engine, examples, grammar)) is None:
            continue
        began, complete = time.monotonic(), None
        share = search.share(SHARE_OF_SPECIAL if engine.name in NEEDS_NO_WORDS else 1.0)
        for found in engine.run(examples, grammar, share):
            search.add(found)
            if search.done and complete is None:
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


def _with_answer(task: Task, inputs: Sequence[Any], reply: Any) -> Task:
    """The task with one more example, whose input was among the unlabelled ones."""
    examples, codec = examples_of(task), task.schema
    told = ExampleSet(
        examples.names, examples.types, examples.output_type, examples.inputs, examples.outputs,
        examples.unlabelled, (), codec.table, task.origin,
    )  # fmt: skip
    told = with_rows(told, codec.arguments(inputs), fitted(reply, examples.output_type))
    return Task.of(sense_examples(told, task.name, examples.tolerance))


def _finished(study: ProgramStudy, task: Task, search: Search, recalled: Mapping[str, Found]) -> Model:
    examples, best = search.examples, search.best
    baseline = constant(examples)
    beaten = best is not None and (best.complete or best.right > baseline.right)
    chosen = best if beaten else baseline
    told = ranked(search.found, examples)
    figures = {
        "trials": search.tried,
        "examples": {
            "right": chosen.right, "all": len(examples), "missed": list(chosen.missed)[:PAIRS_SHOWN],
        },
        "bits": chosen.cost,
        "engine": chosen.engine,
        "reused": [name for name, each in recalled.items() if each.program == chosen.program],
        "agreement": _agreement(told, chosen),
        "others": [to_source(each.program) for each in search.found[1:4] if each.complete],
    }  # fmt: skip
    return study.finish(
        chosen.program, chosen.right / len(examples), kind="program" if beaten else "baseline",
        judged_on="the examples",
        complete=chosen.right >= examples.needed, figures=figures, pairs=_pairs(examples, chosen),
        validation=None if search.validation is None else search.validation["value"],
        test=lambda program: _tested(task, program), summary=summary,
    )  # fmt: skip


def _agreement(told: Ranked, chosen: Found) -> dict[str, Any]:
    rows = told.differing[:PAIRS_SHOWN]
    return {
        "programs": len(told.programs),
        "fit": chosen.complete,
        "rows": list(rows),
        "differing": len(told.differing),
        "answers": [list(map(_said, told.said(row))) for row in rows],
    }


def _pairs(examples: Examples, chosen: Found) -> list[dict[str, Any]]:
    """Some examples and what the program gives, those that it misses first."""
    good = (place for place, right in enumerate(chosen.satisfied) if right)
    places = [*chosen.missed, *good][:PAIRS_SHOWN]
    given = answers(chosen.program, [examples.inputs[place] for place in places])
    return [
        {
            "place": place,
            "inputs": plain(examples.inputs[place]),
            "output": plain(examples.outputs[place]),
            "given": _said(said),
            "right": chosen.satisfied[place],
        }
        for place, said in zip(places, given, strict=True)
    ]


def _said(value: Any) -> Any:
    return None if value is UNANSWERED else plain(value)


def _tested(task: Task, program: Program) -> dict[str, Any]:
    """How the program does on outputs that people held back."""
    given = answers(program, task.schema.rows(task.unlabelled))
    return share_right(list(map(same_value, given, task.held_back)))


def share_right(right: Sequence[bool]) -> dict[str, Any]:
    """The share that is right, with a 95 % interval (Wilson 1927)."""
    share = sum(right) / len(right)
    low, high = wilson(share, len(right))
    return {"value": share, "low": low, "high": high, "n": len(right)}


def summary(result: dict[str, Any]) -> str:
    """How it was found, in a few lines, for people."""
    right, count = result["examples"]["right"], result["examples"]["all"]
    lines = [result["program"].rstrip(), "", f"{right} of {count} examples right"]
    if right < count:
        missed = ", ".join(str(place + 1) for place in result["examples"]["missed"][:5])
        lines[-1] += f"; it misses example{'s' if count - right > 1 else ''} {missed}"
    if result["validation"] is not None:
        lines.append(
            f"a program built from a part of the examples was right on {result['validation']:.0%} of the others"
        )
    told = result["agreement"]
    if told["programs"] > 1 and told["rows"]:
        lines.append(
            f"{told['programs']} programs {'fit' if told['fit'] else 'are as good'}; they differ on "
            f"{told['differing']} of the rows to predict: "
            f"row {told['rows'][0] + 1} is " + " or ".join(dict.fromkeys(map(repr, told["answers"][0])))
        )
    if result["test"]:
        test = result["test"]
        lines.append(
            f"test: {test['value']:.0%} [{test['low']:.0%}, {test['high']:.0%}] of {test['n']} right"
        )
    if result["memory_full"] and right < count:
        lines.append("the search ended early: it had used its memory (--memory)")
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
