"""`grow --as formula`: from columns of numbers to a formula, with the journal, folder and promises of any study.

sense → baseline (the mean) → search on a part of the rows → judged on the rest → constants refitted on all → remember

A part of the rows is held back when there are enough of them, so the share of the variance that the formula explains
is told on rows that it was not made from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from perennial.lang import Int, Lambda, Literal, Real, to_source
from perennial.model import Model
from perennial.programming import Journal, examples_of, save_program
from perennial.storages import Memory, SQLite, Storage
from perennial.synthesis.base import UNANSWERED, Clock, Examples, answers
from perennial.synthesis.formulas import Answer, find_formula
from perennial.synthesis.formulas.algebra import values
from perennial.synthesis.formulas.constants import fit_constants
from perennial.synthesis.formulas.front import EXACT
from perennial.task import Task

FEWEST_TO_HOLD_BACK = 20
HELD_BACK = 0.2
SHARE_OF_SEARCH = 0.9
PAIRS_SHOWN = 20
CLOSE = 1e-6


def is_formula_task(task: Task) -> bool:
    """Whether a task asks for numbers from numbers in a table."""
    codec = task.schema
    return (
        task.modality == "examples"
        and bool(codec.table)
        and codec.output_type == Real
        and all(type_ in (Real, Int) for type_ in codec.types)
    )


def grow_formula(
    task: Task,
    *,
    seconds: float = 60.0,
    out: str | Path | None = None,
    seed: int = 0,
    tolerance: float = 0.0,
    configuration: dict[str, Any] | None = None,
) -> Model:
    """The formula for the target column of a table of numbers.

    Args:
        task: of modality `examples`, all columns numbers.
        seconds: for everything; it ends early when a formula is exact.
        out: the study folder; `None` keeps nothing on disk.
        seed: which rows are held back, and every other random decision.
        tolerance: error that is good enough, as a share of the target's standard deviation, 0 to 1.
        configuration: what to note in the journal about how this was called.

    Returns:
        a model whose `program` is the formula; calling it with numbers gives a number.

    Raises:
        DataError: a cell that is no finite number.
    """
    clock = Clock(seconds)
    storage: Storage = Memory() if out is None else SQLite(out)
    try:
        journal = Journal(storage)
        journal.begin(task, out, seed, seconds, configuration)
        return _grown(task, journal, clock, out, seed, tolerance)
    finally:
        storage.close()


def _grown(task: Task, journal: Journal, clock: Clock, out: Any, seed: int, tolerance: float) -> Model:
    examples = examples_of(task)
    x, y = np.array(examples.inputs, dtype=float), np.array(examples.outputs, dtype=float)
    mean = Lambda(examples.names, Literal(float(y.mean())))
    save_program(task, mean, out, {})
    journal.emit(
        "baseline", name="mean", program=to_source(mean), value=0.0, score=0.0, weights=[], predictions=None,
        at=clock.spent,
    )  # fmt: skip
    journal.emit("stage", name="search", text=f"a formula of {', '.join(examples.names)}")
    searched, held = _parts(len(y), seed)
    answer = find_formula(
        x[searched], y[searched], examples.names, seconds=SHARE_OF_SEARCH * clock.left, seed=seed,
        tolerance=tolerance * float(y.std()),
    )  # fmt: skip
    validation = _explained(answer.program, x[held], y[held]) if len(held) else None
    program = _refitted(answer, examples.names, x, y)
    return _remembered(task, journal, clock, out, examples, (x, y), answer, program, validation)


def _parts(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the rows to search with, and of those held back."""
    order = np.random.default_rng(seed).permutation(rows)
    count = round(HELD_BACK * rows) if rows >= FEWEST_TO_HOLD_BACK else 0
    return np.sort(order[count:]), np.sort(order[:count])


def _refitted(answer: Answer, names: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> Lambda:
    """The same formula with its constants fitted on all rows; as it is when it is exact already."""
    if answer.exact and answer.error <= EXACT:
        return answer.program
    columns = dict(zip(names, x.T, strict=True))
    return Lambda(names, fit_constants(answer.program.body, columns, y))


def _explained(program: Lambda, x: np.ndarray, y: np.ndarray) -> float:
    """The share of the variance that a formula explains (R²); rows without an answer count as the mean."""
    said = values(program.body, dict(zip(program.names, x.T, strict=True)))
    said = np.where(np.isfinite(said), said, y.mean())
    spread = float(np.sum((y - y.mean()) ** 2))
    left = float(np.sum((y - said) ** 2))
    return 1.0 - left / spread if spread else float(left == 0)


def _remembered(
    task: Task, journal: Journal, clock: Clock, out: Any, examples: Examples, data: tuple[np.ndarray, np.ndarray],
    answer: Answer, program: Lambda, validation: float | None,
) -> Model:  # fmt: skip
    x, y = data
    source, explained = to_source(program), _explained(program, x, y)
    score = explained if validation is None else validation
    beaten = score > 0
    given = answers(program, examples.inputs)
    close = CLOSE * float(np.abs(y).max(initial=0.0))
    right = [
        said is not UNANSWERED and abs(said - true) <= close for said, true in zip(given, y, strict=True)
    ]
    test = _tested(task, program)
    result = {
        "study": journal.history.created["name"],
        "out": str(out) if out is not None else None,
        "modality": "examples",
        "problem": "formula",
        "metric": "r2",
        "direction": "maximize",
        "baseline": 0.0,
        "validation": validation,
        "test": test,
        "human": None,
        "seconds": round(clock.spent, 2),
        "budget": clock.seconds,
        "trials": answer.tried,
        "failed": 0,
        "program": source,
        "reused": [],
        "report": str(Path(out) / "report.html") if out is not None else None,
        "examples": {
            "right": sum(right),
            "all": len(y),
            "missed": [place for place, good in enumerate(right) if not good][:20],
        },
        "formula": _forms(program),
        "exact": answer.exact,
        "explained": explained,
        "front": [
            {"formula": _forms(other)["python"], "unexplained": error, "length": length}
            for other, error, length in answer.front
        ],
        "engine": "formulas",
        "agreement": {"programs": 1, "rows": [], "answers": []},
        "beaten": beaten,
        "interrupted": False,
    }
    journal.emit(
        "chosen", kind="program" if beaten else "baseline", value=score, score=score, program=source,
        confirmed=validation is not None, replicas=1, at=clock.spent,
    )  # fmt: skip
    if test is not None:
        journal.emit("test", **test, baseline=0.0, program=source)
    pairs = [
        {"place": place, "inputs": list(examples.inputs[place]), "output": examples.outputs[place],
         "given": None if given[place] is UNANSWERED else given[place]}
        for place in range(min(PAIRS_SHOWN, len(y)))
    ]  # fmt: skip
    journal.emit("analysis", pairs=pairs)
    model = save_program(task, program, out, {"result": result, "report": summary(result), "pairs": pairs})
    journal.emit("clock", seconds=clock.spent)
    journal.emit("finished", seconds=clock.spent, result=result)
    return model


def _forms(program: Lambda) -> dict[str, str]:
    from perennial.synthesis.formulas.notation import to_infix, to_latex

    return {"python": to_infix(program), "latex": to_latex(program)}


def _tested(task: Task, program: Lambda) -> dict[str, Any] | None:
    """R² on outputs that people held back: asked once, at the end."""
    if task.held_back is None or not len(task.held_back) or not task.unlabelled:
        return None
    x = np.array(list(task.schema.rows(task.unlabelled)), dtype=float)
    value = _explained(program, x, np.array(task.held_back, dtype=float))
    return {"value": value, "low": value, "high": value, "n": len(x)}


def summary(result: dict[str, Any]) -> str:
    """The formula and how good it is, in a few lines, for people."""
    lines = [result["formula"]["python"], ""]
    if result["exact"]:
        lines.append(f"exact on {result['examples']['all']} rows")
    else:
        lines.append(
            f"explains {result['explained']:.4%} of the variance of {result['examples']['all']} rows"
        )
    if result["validation"] is not None:
        lines.append(f"of rows that were held back it explained {result['validation']:.4%}")
    others = [member for member in result["front"] if member["formula"] != result["formula"]["python"]]
    if others:
        lines.append("shorter or closer ones (share of the variance left):")
        lines += [f"  {member['unexplained']:.2g}  {member['formula']}" for member in others[:8]]
    return "\n".join(lines)
