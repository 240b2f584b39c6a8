"""How a study ends: the answer is saved, tested once, explained, kept in the library, and told in a report.

Everything here works on a chosen `Candidate`; nothing is searched or fitted any more.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from perennial import analysis, analysis_images, metrics
from perennial.assembly import Candidate
from perennial.evaluate import pack_array, unpack_array
from perennial.lang import parse
from perennial.library import Library
from perennial.library.features import Part, with_parts
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.remembering import keep_grown, keep_recipes, kept_names, reused
from perennial.study import Study

PREDICTION_INTERVAL = (0.05, 0.95)
SECONDS_FOR_AUGMENTED = 6.0
ROWS_FOR_ONE = 2_000
LIGHT = 2**24  # bytes of replicas that are loaded in a moment
SECONDS_AFTER_TEST = 2.5
BEST_KEPT = 5


def affordable(study: Study, answer: Candidate) -> Candidate:
    """The answer with as many of its replicas as can be asked about all test rows in the time that is left.

    An average of a hundred large boosters takes a millisecond a row and more, or seconds to be loaded, and what is tested is
    what is saved. Its value on validation holds: out-of-fold predictions never were those of all replicas.
    """
    rows, size = study.sealed.rows, sum(map(len, answer.replicas))
    quick = rows < ROWS_FOR_ONE and size < LIGHT
    if study.deterministic or study.stopping or not rows or quick or len(answer.replicas) < 2:
        return answer
    told = {"source": answer.source, "blob": answer.replicas[0], "parts": _parts(study, answer)}
    loading, a_row = study.call("pace", told)
    seconds = loading + a_row * rows / max(1, study.workers)
    most = max(1, int((study.clock.left - SECONDS_AFTER_TEST) / seconds))
    if most >= len(answer.replicas):
        return answer
    text = f"one of the {len(answer.replicas)} fold models takes {seconds:.1f} s to predict {rows} test rows: the model has the first {most} of them"
    study.emit("verdict", stage="ensemble", text=text, data={"replicas": most})
    return replace(answer, replicas=answer.replicas[:most])


def judge(study: Study, answer: Candidate) -> Model:
    """Saves the model, then opens the sealed test set: once, at the end, with an interval."""
    model = save(study, answer)
    if study.stopping or study.sealed.opened or study.sealed.rows == 0:
        return model
    study.stage("test", "the one final test on rows nothing has seen")
    opened = study.sealed.open(lambda data: study.emit("opened", **data))
    test = study.task.test if study.task.test is not None else study.task.take(opened)
    predictions = predicted(study, answer, test.inputs)
    constant = predicted(study, baseline_candidate(study, study.history.baselines[0]), test.inputs)
    judged = study.metric.decided(predictions, answer.decision, marginals=test.target.ndim == 2)
    low, high = metrics.interval(study.metric, test.target, judged, seed=study.seed)
    study.emit(
        "test",
        value=float(study.metric(test.target, judged)),
        low=low,
        high=high,
        n=test.rows,
        baseline=float(study.metric(test.target, constant)),
        program=answer.source,
        predictions=study.storage.put(pack_array(predictions)),
    )
    return model


def remember(study: Study, model: Model, answer: Candidate, library: Library | None = None) -> Model:
    """Explains the model, keeps it in the library, writes report and card, and closes the books."""
    from perennial import report

    study.stage("remember", "explaining the model and writing the report")
    explain(study, answer)
    if library is not None and not study.stopping:
        if answer.kind != "baseline":
            keep_grown(library, study, model, study.clock.elapsed)
        keep_recipes(library, study)
    if study.stopping:
        study.emit("interrupted", signal=study.stopping)
    else:
        _tidy(study)
    figures = result(study)
    study.emit("clock", seconds=study.clock.elapsed - sum(s["seconds"] for s in study.history.sessions[:-1]))
    study.emit("finished" if not study.stopping else "paused", seconds=study.clock.elapsed, result=figures)
    if study.folder is not None:
        _write_report(study)
    return model.with_information(result=figures, report=report.summary(study.history))


def _tidy(study: Study) -> None:
    """Lets go of the weights of trials that are neither in the answer nor among the best: most of what a study holds on
    disk. Their programs, scores and predictions stay; a study that goes on trains them again where it wants them.
    """
    history = study.history
    wanted = {record.trial.number for record in [*history.members, *history.scored[:BEST_KEPT]]}
    done = [record for record in history.records if record.weights and record.trial.number not in wanted]
    if not done:
        return
    study.emit("tidied", trials=[record.trial.number for record in done])
    known = [*history.records, *history.confirmations]
    needed = {blob for record in known for blob in (*record.weights, record.predictions, record.checkpoint)}
    fitted = [baseline for baseline in history.baselines if baseline["score"] is not None]
    needed |= {blob for baseline in fitted for blob in (*baseline["weights"], baseline["predictions"])}
    needed |= {part["weights"] for part in (history.recalled or {}).get("modules", ())}
    for blob in {blob for record in done for blob in record.weights} - needed:
        study.storage.delete(blob)


def _write_report(study: Study) -> None:
    """The model is saved by now: a report that fails is told, and nothing is lost."""
    from perennial import report

    try:
        report.write(study.history, study.folder)
    except Exception as error:
        study.emit(
            "verdict",
            stage="remember",
            text=f"the report could not be written: {type(error).__name__}: {error}",
            data={},
        )


def explain(study: Study, answer: Candidate) -> None:
    """Where the model errs, whether its probabilities can be believed, and what it uses."""
    task, target = study.training, study.training.target
    found = analysis.of_predictions(
        task, answer.rows, target[answer.rows], answer.predictions, study.metric, answer.decision
    )
    study.emit("analysis", **found)
    explaining = _explain_images if task.modality == "image" else _explain_columns
    explaining(study, answer)


def _explain_columns(study: Study, answer: Candidate) -> None:
    """Which columns it uses, while there is time."""
    left, task = study.clock.left, study.training
    if study.stopping or left < 2.0 or answer.kind == "baseline":
        return
    rows = np.random.default_rng(study.seed).permutation(task.rows)[:400]

    def predict(inputs: dict[str, np.ndarray]) -> np.ndarray:
        return predicted(study, answer, inputs, replicas=1)

    seconds = min(0.4 * left, 20.0) if not study.deterministic else float("inf")
    study.emit(
        "analysis", importance=analysis.importance(task, rows, predict, study.metric, seconds, study.seed)
    )


def _explain_images(study: Study, answer: Candidate) -> None:
    """Samples, the worst errors, and, while there is time, what the model looks at."""
    task, target = study.training, study.training.target[answer.rows]
    loss = analysis.row_loss(task.problem, target, answer.predictions)
    study.emit("analysis", **analysis_images.samples(task, study.seed))
    study.emit("analysis", **analysis_images.errors(task, answer.rows, target, answer.predictions, loss))
    changed = analysis_images.augmentation_of(answer.source)
    if changed is not None and study.clock.left > SECONDS_FOR_AUGMENTED:
        text, augment = changed
        study.emit("analysis", **analysis_images.augmentations(task, augment, text, study.seed))
    left = study.clock.left
    if study.stopping or left < 3.0 or answer.kind == "baseline":
        return

    def predict(images: np.ndarray) -> np.ndarray:
        return predicted(study, answer, {"image": images}, replicas=1)

    seconds = min(0.4 * left, 20.0) if not study.deterministic else float("inf")
    shown = analysis_images.occlusion(
        task, answer.rows, target, answer.predictions, predict, seconds, study.seed
    )
    study.emit("analysis", **shown)


def result(study: Study) -> dict[str, Any]:
    """The figures of a study as the command line prints them with `--json`."""
    history = study.history
    test = history.tested
    return {
        "study": history.created["name"],
        "out": str(study.folder) if study.folder else None,
        "modality": study.task.modality,
        "problem": study.task.problem,
        "metric": study.metric.name,
        "direction": study.metric.direction,
        "baseline": history.common_sense["value"],
        "validation": history.chosen["value"] if history.chosen else None,
        "test": {key: test[key] for key in ("value", "low", "high", "n")} if test else None,
        "human": None,
        "seconds": round(study.clock.elapsed, 2),
        "budget": None if np.isinf(study.clock.budget) else study.clock.budget,
        "trials": len(history.records),
        "failed": len(history.failed),
        "program": history.chosen["program"] if history.chosen else history.baselines[0]["program"],
        "reused": reused(history),
        "kept": kept_names(history),
        "report": str(study.folder / "report.html") if study.folder else None,
        "beaten": bool(history.chosen and history.chosen["kind"] != "baseline"),
        "interrupted": history.interrupted,
    }


def stored_model(study: Study) -> Model:
    """The model of a study that has finished, as it was saved."""
    from perennial import report

    model = Model.load(study.folder / "best")
    return model.with_information(
        result=study.history.finished["result"], report=report.summary(study.history)
    )


def save(study: Study, answer: Candidate) -> Model:
    """The answer as a model, in the folder of the study where there is one."""
    from perennial.weights import Weights

    program = parse(answer.source, vocabulary())
    own = [Weights.from_bytes(blob) for blob in answer.replicas]
    replicas = with_parts(program, own, study.parts, study.task.input_type)
    information = {"study": study.history.created["name"], "kind": answer.kind, "metric": study.metric.name}
    if study.task.problem == "regression":
        errors = study.training.target[answer.rows] - answer.predictions
        information["interval"] = np.quantile(errors, PREDICTION_INTERVAL).tolist()
    model = Model(program, replicas, study.task.schema, information, decision=answer.decision)
    if study.folder is not None:
        model.save(study.folder / "best")
    return model


def predicted(
    study: Study, answer: Candidate, inputs: dict[str, np.ndarray], replicas: int | None = None
) -> np.ndarray:
    """What a candidate says of some rows, as the mean of its replicas; many rows are shared among the workers."""
    told = {"source": answer.source, "blobs": answer.replicas[:replicas], "parts": _parts(study, answer)}
    rows = len(next(iter(inputs.values())))
    edges = np.linspace(0, rows, 1 + max(1, study.workers if rows >= ROWS_FOR_ONE else 1), dtype=int)
    pieces = [{name: column[a:b] for name, column in inputs.items()} for a, b in pairwise(edges)]
    return np.concatenate(study.calls("predict", [{**told, "inputs": piece} for piece in pieces]))


def _parts(study: Study, answer: Candidate) -> list[Part]:
    """What it stands on of other tasks, which the study keeps once."""
    return list(study.parts_in(parse(answer.source, vocabulary())).values()) if study.parts else []


def baseline_candidate(study: Study, baseline: dict[str, Any]) -> Candidate:
    """A baseline, as the journal tells of it, as an answer."""
    return Candidate(
        "baseline",
        baseline["program"],
        tuple(study.storage.get(blob) for blob in baseline["weights"]),
        study.covered(None, baseline.get("fold_limit")),
        unpack_array(study.storage.get(baseline["predictions"])),
        baseline["value"],
        baseline["score"],
    )
