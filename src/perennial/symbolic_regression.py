"""`grow` for numbers: from columns or examples of numbers to a formula, with the journal, folder and promises of any study.

sense → baseline (the mean) → search on a part of the rows → judged on the rest → constants refitted on all → remember

A part of the rows is held back when there are enough of them, so the share of the variance that the formula explains
is told on rows that it was not made from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perennial import metrics
from perennial.errors import DataError
from perennial.interruption import interruptions
from perennial.journal import Listener
from perennial.lang import Int, Lambda, Literal, Real, Var
from perennial.library import Library
from perennial.modalities.base import counted
from perennial.model import Model
from perennial.program_study import ProgramStudy
from perennial.programming import examples_of, sealed_rows
from perennial.synthesis.base import UNANSWERED, Examples, answers
from perennial.synthesis.formulas import Answer, Discovery, answer_of, named
from perennial.synthesis.formulas.algebra import values
from perennial.synthesis.formulas.constants import fit_constants
from perennial.synthesis.formulas.front import EXACT, Formula
from perennial.task import Task

FEWEST_TO_HOLD_BACK = 20
HELD_BACK = 0.2
SHARE_OF_SEARCH = 0.9
PAIRS_SHOWN = 20
CLOSE = 1e-6
WORTH_NOTING = 4.0  # bits


def is_formula_task(task: Task) -> bool:
    """Whether a task asks for real numbers from numbers."""
    codec = task.schema
    return (
        task.modality == "examples"
        and codec.output_type == Real
        and all(type_ in (Real, Int) for type_ in codec.types)
    )


def grow_formula(
    task: Task,
    *,
    seconds: float = 60.0,
    out: str | Path | None = None,
    seed: int = 0,
    memory: int | None = None,
    tolerance: float = 0.0,
    listeners: Sequence[Listener] = (),
    configuration: dict[str, Any] | None = None,
    library: Library | None = None,
) -> Model:
    """The formula for the target column of a table of numbers.

    Args:
        task: of modality `examples`, all columns numbers.
        seconds: for everything; it ends early when a formula is exact.
        out: the study folder; a finished study is given back as it is, one that was interrupted goes on. `None`
            keeps nothing on disk.
        seed: which rows are held back, and every other random decision.
        memory: bytes that the search may take beyond what the process holds at its start.
        tolerance: error that is good enough, as a share of the target's standard deviation, 0 to 1.
        listeners: hear events and ticks while it runs.
        configuration: what to note in the journal about how this was called.
        library: that remembers what was found; None remembers nothing.

    Returns:
        a model whose `program` is the formula; calling it with numbers gives a number.

    Raises:
        DataError: a cell that is no finite number.
    """
    with ProgramStudy(
        task, metric="r2", out=out, seed=seed, seconds=seconds, memory=memory, listeners=listeners,
        configuration=configuration, library=library,
    ) as study, interruptions(study.stop):  # fmt: skip
        if (stored := study.stored()) is not None:
            return stored
        examples = examples_of(task)
        x, y = _numbers(examples)
        searched, held = _parts(len(y), seed)
        judged = f"a formula is made from {len(searched)} rows and judged on the {len(held)} others"
        few = "there are too few rows to hold some back: a formula is judged on the rows it was made from"
        study.begin(judged if len(held) else few, sealed_rows(task))
        study.baseline("mean", _mean(examples.names, y), 0.0)
        answer = _searched(study, x[searched], y[searched], examples.names, tolerance * float(y.std()))
        validation = _explained(answer.program, x[held], y[held]) if len(held) else None
        program = _refitted(answer, examples.names, x, y)
        return _finished(study, task, (x, y), answer, program, validation)


def _numbers(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `(n, d)` and outputs `(n,)`.

    Raises:
        DataError: a cell holds no finite number.
    """
    x, y = np.array(examples.inputs, dtype=float), np.array(examples.outputs, dtype=float)
    bad = np.flatnonzero(~(np.isfinite(x).all(axis=1) & np.isfinite(y)))
    if len(bad):
        raise DataError(
            f"A formula needs a finite number in every cell; {counted(len(bad), 'row')} lack one.",
            where=f"row {', '.join(str(row + 1) for row in bad[:5])} of the rows with a target",
            todo="Leave those rows out, or name other columns with --from.",
        )
    return x, y


def _searched(
    study: ProgramStudy, x: np.ndarray, y: np.ndarray, names: Sequence[str], tolerance: float
) -> Answer:
    """The front of formulas when the time is over, or when somebody ended the search."""
    search = Discovery(x, y, seed=study.seed, tolerance=tolerance)

    def heard(formula: Formula) -> None:
        bits = search.front.description(formula)
        program, explained = named(formula.program, names), 1.0 - formula.error
        study.heard(program, explained, "formulas", formula.length, WORTH_NOTING * round(bits / WORTH_NOTING))

    search.front.listener = heard
    with study.searching(f"a formula of {', '.join(names)}"):
        places = {name: Var(f"x{place}") for place, name in enumerate(names)}
        for program, _ in study.known():
            search.front.offer(program.body.substitute(places))
        search.run(study.budget.share(SHARE_OF_SEARCH))
    return answer_of(search.front, names)


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
    said = _said(program, x, y)
    spread = float(np.sum((y - y.mean()) ** 2))
    left = float(np.sum((y - said) ** 2))
    return 1.0 - left / spread if spread else float(left == 0)


def _said(program: Lambda, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What a formula gives, `(n,)`; the mean of `y` where it has no answer."""
    said = values(program.body, dict(zip(program.names, x.T, strict=True)))
    return np.where(np.isfinite(said), said, y.mean())


def _finished(
    study: ProgramStudy, task: Task, data: tuple[np.ndarray, np.ndarray], answer: Answer, program: Lambda,
    validation: float | None,
) -> Model:  # fmt: skip
    """The formula when it explains more than the mean does, else the mean."""
    x, y = data
    score = _explained(program, x, y) if validation is None else validation
    program = program if score > 0 else _mean(program.names, y)
    explained = _explained(program, x, y)
    given = answers(program, list(map(tuple, x.tolist())))
    close = CLOSE * float(np.abs(y).max(initial=0.0))
    right = [
        said is not UNANSWERED and bool(abs(said - true) <= close)
        for said, true in zip(given, y, strict=True)
    ]
    figures = {
        "problem": "formula",
        "trials": answer.tried,
        "examples": {
            "right": sum(right),
            "all": len(y),
            "missed": [place for place, good in enumerate(right) if not good][:PAIRS_SHOWN],
        },
        "formula": _forms(program),
        "exact": bool(answer.exact),
        "explained": explained,
        "front": [
            {"formula": _forms(other)["python"], "unexplained": error, "length": length}
            for other, error, length in answer.front
        ],
        "engine": "formulas",
        "agreement": {"programs": 1, "fit": bool(answer.exact), "rows": [], "differing": 0, "answers": []},
    }
    pairs = [
        {"place": place, "inputs": x[place].tolist(), "output": float(y[place]),
         "given": None if given[place] is UNANSWERED else given[place], "right": right[place]}
        for place in range(min(PAIRS_SHOWN, len(y)))
    ]  # fmt: skip
    return study.finish(
        program, score, kind="program" if score > 0 else "baseline", complete=bool(answer.exact),
        judged_on="the rows it was made from" if validation is None else "rows held back", figures=figures,
        validation=validation, pairs=pairs, test=lambda program: _tested(task, program), summary=summary,
    )  # fmt: skip


def _mean(names: Sequence[str], y: np.ndarray) -> Lambda:
    return Lambda(names, Literal(float(y.mean())))


def _forms(program: Lambda) -> dict[str, str]:
    from perennial.synthesis.formulas.notation import to_infix, to_latex

    return {"python": to_infix(program), "latex": to_latex(program)}


def _tested(task: Task, program: Lambda) -> dict[str, Any]:
    """R² on outputs that people held back."""
    return explained_share(program, task.schema.rows(task.unlabelled), task.held_back)


def explained_share(program: Lambda, inputs: Sequence[tuple], outputs: Sequence[float]) -> dict[str, Any]:
    """R² of a formula on rows, with a 95 % interval.

    Raises:
        DataError: an output is no finite number.
    """
    x = np.array(list(inputs), dtype=float)
    try:
        y = np.array(list(outputs), dtype=float)
    except (TypeError, ValueError):
        y = np.array([math.nan])
    if not np.isfinite(y).all():
        raise DataError(
            "An output to compare a formula with is no finite number.", todo="Leave that row out."
        )
    metric = metrics.resolve("r2")
    low, high = metrics.interval(metric, y, _said(program, x, y), seed=0)
    return {"value": _explained(program, x, y), "low": low, "high": high, "n": len(y)}


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
