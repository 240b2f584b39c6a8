"""`grow`: the universal workflow of machine learning, as one readable function.

sense → protocol → baseline → overfit → regularise → tune → confirm → ensemble → test → remember

Each step writes what it decided, and why, into the journal. All of them fit in the time that was given; a step that
is already in the journal of a resumed study is not done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from perennial import assembly, ensemble, metrics
from perennial.assembly import Candidate, Member
from perennial.baseline import baseline_programs
from perennial.closing import affordable, baseline_candidate, judge, predicted, remember, save, stored_model
from perennial.confirmation import confirm
from perennial.errors import StudyChanged, UsageError, WorkerError
from perennial.evaluate import Bench, evaluate, pack_array
from perennial.history import OPENER, RECALLED, Record
from perennial.interruption import interruptions
from perennial.journal import Listener
from perennial.lang import Program, to_source
from perennial.library import Library, opened
from perennial.model import Model
from perennial.plan import Plan, budget_of
from perennial.programming import grow_program
from perennial.protocol import Protocol
from perennial.remembering import chances, keep_grown, keep_recipes, kept_in, kept_names, recalled
from perennial.spaces import Genotype
from perennial.spaces.offers import openers_for
from perennial.study import Listed, Screening, Study
from perennial.symbolic_regression import grow_formula, is_formula_task
from perennial.task import Task
from perennial.trial import Proposal

CANDIDATES_WANTED = 25
STRENGTHS = (0.33, 0.67, 1.0)
SECONDS_PER_CELL = 1e-5
FEWEST_SHARED = 100
MIRRORED_ROWS, MIRRORED_SHARE = 2_000, 0.9
LONGEST_SEARCH = 3600.0
OPENERS_FIRST, SUGGESTED_FOR_ONE = 2, 3
JUDGED_BY = {"metric": "metric", "protocol": "kind", "folds": "folds_wanted", "test_share": "test_rows"}
REUSES = ("all", "recipes", "frozen", "off")


def grow(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    seconds: float | None = None,
    minutes: float | None = None,
    hours: float | None = None,
    trials: int | None = None,
    out: str | Path | None = None,
    test: Any = None,
    metric: str | None = None,
    protocol: str | None = None,
    folds: int | None = None,
    test_share: float | None = None,
    strategy: Any = "mixture",
    scheduler: Any = "full",
    seed: int = 0,
    workers: int | None = None,
    memory: int | None = None,
    listeners: Sequence[Listener] = (),
    configuration: dict[str, Any] | None = None,
    ask: Callable[[tuple, Sequence[Any]], Any] | None = None,
    library: Library | str | Path | None = None,
    reuse: str = "all",
    **reading: Any,
) -> Model:
    """Grows a model from data by the universal workflow and tests it once.

    Args:
        data: a path, a data frame, arrays `(x, y)`, or a `Task`.
        target: the column to predict, several for several targets; `None` guesses and says so.
        seconds, minutes, hours: the time for everything; they add up. Without any of them and without `trials`,
            one minute.
        trials: a budget of candidates instead of time: the result then does not depend on the machine's speed.
        out: the study folder; the same call on the same folder goes on. `None` keeps nothing on disk.
        test: data to test on; `None` seals a part of `data`.
        metric: such as `roc_auc` or `rmse`; `None` chooses with a reason.
        protocol: `holdout kfold repeated_kfold leave_one_out time group`; `None` chooses with a reason.
        folds: of the cross-validation.
        test_share: part of the rows that is sealed, 0 to 0.5.
        strategy: what to try.
        scheduler: how long to try it.
        seed: of every random decision.
        workers: processes; `None` is one a core.
        memory: bytes a worker may use; of examples, that the search may take.
        listeners: hear events and ticks while it runs.
        configuration: what to note in the journal about how this was called.
        ask: of examples, gives the output for inputs on which programs differ; see `grow_program`.
        library: that remembers what was grown, as an object or its folder; `None` remembers nothing.
        reuse: what is taken from it: `all`, `recipes`, `frozen` (what networks and models of other
            tasks know) or `off`.
        reading: further arguments of `Task.from_data` (`kinds`, `drop`, `group`, `time`, …).

    Returns:
        a fitted `Model`; `model.report` tells how it was grown, `model.result` holds the figures.

    Raises:
        DataError: the data cannot be learnt from; says where and what to do.
        UsageError: an option that does not exist or contradicts another.
    """
    began = time.monotonic()
    if reuse not in REUSES:
        raise UsageError(f"reuse is one of {', '.join(REUSES)}, received {reuse!r}.")
    if isinstance(data, Task):
        _refuse("A task has been read already", {"target": target, "test": test, **reading}, "Task.from_data")
    budget = budget_of(seconds, minutes, hours, trials)
    task = (
        data if isinstance(data, Task) else Task.from_data(data, target, test=test, memory=memory, **reading)
    )
    judged = {"metric": metric, "protocol": protocol, "folds": folds, "test_share": test_share}
    with opened(library) as remembering:
        if task.modality == "examples":
            _refuse(
                "Programs are searched by the clock and judged by their examples",
                {"trials": trials, **judged},
            )
            return _grow_from_examples(
                task, ask, seconds=min(budget, LONGEST_SEARCH), out=out, seed=seed, memory=memory, listeners=listeners,
                configuration=configuration, library=remembering, reuse=reuse,
            )  # fmt: skip
        judging = Protocol.propose(
            task,
            seconds=min(budget, 3600.0),
            seed=seed,
            metric=metric,
            kind=protocol,
            folds=folds,
            test_share=test_share,
        )
        with (
            Study(
                task,
                strategy=strategy,
                scheduler=scheduler,
                protocol=judging,
                out=out,
                sized_for=budget,
                seed=seed,
                workers=workers,
                memory=memory,
                listeners=listeners,
                configuration=configuration,
            ) as study,
            interruptions(study.stop),
            _one_thread(),
        ):
            _refuse_other_judging(study, judging, judged)
            return grow_study(study, budget, trials, began, remembering, reuse)


def _refuse(why: str, options: Mapping[str, Any], place: str = "") -> None:
    """Refuses options that would not be heard."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        them = "it" if len(given) == 1 else "them"
        todo = f"Give {them} to {place}." if place else f"Leave {them} out."
        raise UsageError(f"{why}: {', '.join(given)} would not be heard.", todo=todo)


def _refuse_other_judging(study: Study, proposed: Protocol, asked: Mapping[str, Any]) -> None:
    """Refuses to judge a study in another way than the one that it was begun with, where a way was asked for."""
    now, known = proposed.to_json(), study.protocol.to_json()
    for option, setting in JUDGED_BY.items():
        if asked[option] is not None and now[setting] != known[setting]:
            raise StudyChanged(
                f"This study was started with the {option.replace('_', ' ')} {known[setting]}; now it is {now[setting]}.",
                where=str(study.folder),
                why="Scores that were found in different ways cannot be compared.",
                todo=f"Give it a folder of its own with --out, or leave --{option.replace('_', '-')} out.",
            )


def _grow_from_examples(task: Task, ask: Any, reuse: str, **settings: Any) -> Model:
    """A formula where numbers are wanted from numbers, else a program."""
    if not is_formula_task(task):
        return grow_program(task, ask=ask, reuse=reuse, **settings)
    if ask is not None:
        raise UsageError(
            "There is nothing to ask about numbers.",
            why="A formula is judged by how closely it fits all rows, not by one more answer.",
            todo="Leave --ask out, and add the row to the data.",
        )
    return grow_formula(task, tolerance=task.origin.get("tolerance", 0.0), **settings)


def grow_study(
    study: Study,
    budget: float,
    trials: int | None = None,
    began: float | None = None,
    library: Library | None = None,
    reuse: str = "all",
) -> Model:
    """The steps of the workflow on an open study; `began` is when reading the data began, by the same clock."""
    if _nothing_left_to_do(study, budget, trials):
        model = stored_model(study)
        if library is not None and model.result["beaten"] and not kept_in(library, study.history):
            keep_grown(library, study, model, study.history.seconds_spent)
            keep_recipes(library, study)
        return model.with_information(result={**model.result, "kept": kept_names(study.history)})
    study.deterministic = trials is not None
    study.start(budget, began, trials)
    plan = Plan.of(budget, study.task.modality)

    tell_what_was_sensed(study)
    tell_the_protocol(study)
    limit = screening_folds(study, plan)
    answer = fit_baselines(study, limit)
    ask_for_mirrors(study)
    before = study.clock.elapsed
    suggested = recall(study, library, reuse)
    if not study.history.records:
        asked = study.clock.elapsed - before
        plan = plan.beginning(study.clock.elapsed, study.task.modality, asked)
    overfit(study, plan, limit, trials, suggested)
    regularise(study, plan, limit, trials)
    tune(study, plan, limit, trials)
    members = confirm(study, plan, trials)
    answer = assemble(study, members, answer)
    model = judge(study, answer)
    return remember(study, model, answer, library)


# -- sense and protocol ----------------------------------------------------------------------------------------------


def tell_what_was_sensed(study: Study) -> None:
    """Writes down the columns, the findings and every guess about the data."""
    task = study.task
    if study.history.sensed:
        return
    study.stage("sense", f"reading {task.rows} rows: {task.modality}, {task.problem}")
    hashes = study.storage.put(pack_array(task.hashes()))
    study.emit("sensed", **task.describe(), row_hashes=hashes)


def tell_the_protocol(study: Study) -> None:
    """Writes down how candidates will be judged; the test rows are sealed from here on."""
    if study.history.protocol:
        return
    study.stage("protocol", f"{study.protocol.kind}, judged by {study.metric.name}")
    study.emit(
        "protocol",
        kind=study.protocol.kind,
        folds=study.protocol.folds_wanted,
        settings=study.protocol.to_json(),
        metric=study.metric.name,
        direction=study.metric.direction,
        reasons=list(study.protocol.reasons),
        train_rows=len(study.train_rows),
        test_rows=study.sealed.rows,
    )


# -- baseline --------------------------------------------------------------------------------------------------------


def fit_baselines(study: Study, limit: int | None) -> Candidate:
    """Fits and saves the common-sense predictors before anything is searched; returns the constant one.

    The constant is fitted in this process and saved at once, so that a study never ends with nothing; the others
    run in the workers like any candidate.
    """
    programs = baseline_programs(study.task.input_type, study.task.output_type, study.metric)
    known = {baseline["name"] for baseline in study.history.baselines}
    if len(known) < len(programs):
        study.stage("baseline", "what common sense achieves")
    answer = None
    for name, program in programs:
        if name not in known and (answer is None or not _hurried(study)):
            _fit_baseline(study, name, program, limit, in_worker=answer is not None)
        if answer is None:
            answer = baseline_candidate(study, study.history.baselines[0])
            if not study.history.chosen:
                save(study, answer)
    return answer


def _fit_baseline(study: Study, name: str, program: Program, limit: int | None, in_worker: bool) -> None:
    screening = Screening("baseline", fold_limit=limit, keep=True)
    seconds = float("inf") if study.deterministic else max(1.0, study.clock.left * 0.15)
    try:
        if in_worker:
            outcome = study.run_program(program, screening, seconds=seconds)
        else:
            outcome = evaluate(
                Bench(study.training, study.protocol, study.metric),
                source=to_source(program),
                seed=study.seed,
                fold_limit=limit,
            )
    except WorkerError as error:
        study.emit(
            "baseline", name=name, program=to_source(program), value=None, score=None, error=error.what
        )
        return
    study.emit(
        "baseline",
        name=name,
        program=to_source(program),
        value=outcome.value,
        score=outcome.score,
        weights=[study.storage.put(blob) for blob in outcome.blobs],
        predictions=study.storage.put(pack_array(outcome.predictions)),
        fold_limit=limit,
        at=study.clock.elapsed,
    )


def ask_for_mirrors(study: Study) -> None:
    """Whether mirror images mean the same: a baseline that never saw any knows them nearly as well, or does not."""
    fitted = [entry for entry in study.history.baselines[1:] if entry.get("weights")]
    if study.task.modality != "image" or not fitted or _told(study, "mirror") or _hurried(study):
        return
    baseline = baseline_candidate(study, fitted[0])
    asked = np.sort(np.random.default_rng(study.seed).permutation(len(baseline.rows))[:MIRRORED_ROWS])
    rows = baseline.rows[asked]
    images, target = study.training.inputs["image"][rows], study.training.target[rows]
    constant = study.history.baselines[0]["score"]
    plain = study.metric.score(target, baseline.predictions[asked])
    mirrored = study.metric.score(target, predicted(study, baseline, {"image": images[:, :, ::-1]}))
    same = plain > constant and mirrored - constant >= MIRRORED_SHARE * (plain - constant)
    values = [study.metric.value(score) for score in (mirrored, plain)]
    text = f"mirror images {'seem to mean the same' if same else 'do not mean the same'}: the baseline has {values[0]:.4g} on them, {values[1]:.4g} on the images as they are"
    study.emit("verdict", stage="mirror", text=text, data={"same": bool(same)})


# -- overfit, regularise, tune ---------------------------------------------------------------------------------------


def screening_folds(study: Study, plan: Plan) -> int | None:
    """How many folds a candidate is screened on, so that at least `CANDIDATES_WANTED` fit into the search."""
    seconds = 0.1 + study.training.cells * SECONDS_PER_CELL
    folds = len(study.protocol.folds(study.training, np.arange(study.training.rows)))
    if np.isinf(plan.search_end):
        affordable = folds
    else:
        affordable = int(plan.search_end * max(1, study.workers) / (CANDIDATES_WANTED * seconds))
    return None if affordable >= folds else max(1, affordable)


def recall(study: Study, library: Library | None, reuse: str = "all") -> list[Genotype]:
    """What did well on tasks like this one, where a library remembers anything."""
    if study.history.recalled is None and (library is None or reuse == "off"):
        return []
    study.stage("recall", "what did well on tasks like this one")
    return recalled(study, library, reuse)


def overfit(
    study: Study, plan: Plan, limit: int | None, trials: int | None, suggested: Sequence[Genotype] = ()
) -> None:
    """Runs the strong openers, then asks whether the best of them could fit the training rows if nothing held it.

    What the library recalled comes after the first openers, and then three of it for each of the usual: what comes from
    elsewhere is a proposal among others.
    """
    if _over(study, plan.search_end) or _enough(study, trials):
        return
    usual = _openers(study)
    ordered = _untried(study, _in_turn(usual, suggested))
    foreign = set(suggested) - set(usual)
    openers = [Proposal(each, origin=RECALLED if each in foreign else OPENER) for each in ordered]
    if openers:
        study.stage("overfit", "strong openers, cheapest first; then one with every brake off")
        left = plan.search_end - study.clock.elapsed
        study.search(
            chances(study, openers, left),
            Screening("overfit", fold_limit=limit),
            seconds=left if plan.patient else 0.6 * left,
            trials=_rest(study, trials),
            limit=plan.candidate,
            least=plan.least,
            meanwhile=_until(study, plan.search_end),
        )
    best = study.best
    if best is None or _told(study, "overfit"):
        return
    if plan.patient and (probes := _without_brakes(study)):
        return _say_how_it_fits(study, probes[0])
    if _over(study, plan.search_end) or _enough(study, trials):
        return
    probe = study.space.weaken(best.trial.genotype, 0.0)
    if probe == best.trial.genotype:
        return
    records = study.search(
        Listed([Proposal(probe, origin="overfit probe", parents=(best.trial.number,))]),
        Screening("overfit", fold_limit=limit),
        seconds=_until(study, plan.search_end),
        trials=1,
        limit=plan.candidate,
        least=plan.least,
        meanwhile=_until(study, plan.search_end),
    )
    if records and records[0].value is not None:
        _say_how_it_fits(study, records[0])


def _without_brakes(study: Study) -> list[Record]:
    """Trials with nothing that regularises, best first: where each takes long, one of the openers is such a one."""
    return [
        record
        for record in study.history.scored
        if study.space.weaken(record.trial.genotype, 0.0) == record.trial.genotype
    ]


def _say_how_it_fits(study: Study, probe: Record) -> None:
    train, validation = study.metric.value(probe.trial.train_score), probe.value
    gap = probe.trial.train_score - probe.trial.score
    scale = abs(study.history.common_sense["score"] - probe.trial.score) or 1.0
    if gap > 0.1 * scale:
        text = f"with the brakes off it fits its training rows ({train:.4g}) better than new ones ({validation:.4g}): there is capacity enough, so regularise"
    else:
        text = f"with the brakes off training rows ({train:.4g}) and new ones ({validation:.4g}) are close: the limit is the data or the features, not overfitting"
    study.emit("verdict", stage="overfit", text=text, data={"train": train, "validation": validation})


def regularise(study: Study, plan: Plan, limit: int | None, trials: int | None) -> None:
    """Takes the best candidate and puts the brakes on step by step."""
    best = study.best
    if best is None or _over(study, plan.search_end) or _enough(study, trials) or _told(study, "regularise"):
        return
    steps = [study.space.weaken(best.trial.genotype, strength) for strength in STRENGTHS]
    proposals = [
        Proposal(genotype, origin=f"regularise {strength:g}", parents=(best.trial.number,))
        for strength, genotype in zip(STRENGTHS, steps, strict=True)
        if genotype in _untried(study, steps)
    ]
    if not proposals:
        return
    share = 0.4 * _until(study, plan.search_end)
    if share < best.trial.seconds:
        return
    study.stage("regularise", "the best so far with more and more regularisation")
    records = study.search(
        Listed(proposals),
        Screening("regularise", fold_limit=limit),
        seconds=share,
        trials=_rest(study, trials),
        limit=plan.candidate,
        least=plan.least,
        meanwhile=_until(study, plan.search_end),
    )
    scored = [record for record in records if record.value is not None]
    better = [record for record in scored if record.trial.score > best.trial.score]
    if scored:
        text = (
            f"{len(better)} of {len(scored)} stronger settings were better; "
            f"best {max(scored, key=lambda r: r.trial.score).value:.4g} against {best.value:.4g}"
        )
        study.emit(
            "verdict", stage="regularise", text=text, data={"values": [record.value for record in scored]}
        )


def tune(study: Study, plan: Plan, limit: int | None, trials: int | None) -> None:
    """Lets the strategy search until its time is over."""
    if _over(study, plan.search_end) or _enough(study, trials):
        return
    study.stage("tune", "searching for better settings")
    study.search(
        study.strategy,
        Screening("tune", fold_limit=limit),
        seconds=_until(study, plan.search_end),
        trials=_rest(study, trials),
        limit=plan.candidate,
        least=plan.least,
    )


# -- ensemble -----------------------------------------------------------------------------------------------


def assemble(study: Study, members: list[Member], baseline: Candidate) -> Candidate:
    """The best confirmed candidate or a weighted average of several, calibrated; the baseline when nothing beats it."""
    target = study.training.target
    answer = _best_unconfirmed(study)
    if members:
        study.stage("ensemble", f"averaging the best of {len(members)} confirmed candidates")
        members = assembly.heard(members, study.metric, target, study.seed)
        joint = assembly.average(members, study.metric, target, study.seed)
        if answer is None or not clearly_better(study, answer, joint):
            answer = assembly.sparing(
                joint, members, study.metric, target, study.seed, constant=baseline.score
            )
            _say_what_was_spared(study, joint, answer)
    if answer is None or not beats(study, answer, baseline):
        answer = baseline
    if answer.kind == "ensemble":
        shares = [{"trial": number, "weight": weight} for number, weight in answer.members]
        study.emit("ensemble", members=shares, value=answer.value, program=answer.source)
    answer, calibration = assembly.calibrated(answer, target, study.task.problem in ("binary", "multiclass"))
    decision = ensemble.threshold(study.metric, answer.predictions, target[answer.rows])
    answer = affordable(study, replace(answer, decision=decision))
    study.emit("calibration", **calibration, decision=decision)
    study.emit(
        "chosen",
        kind=answer.kind,
        value=answer.value,
        score=answer.score,
        program=answer.source,
        members=[number for number, _ in answer.members],
        confirmed=bool(members),
        replicas=len(answer.replicas),
        at=study.clock.elapsed,
    )
    return answer


def _say_what_was_spared(study: Study, joint: Candidate, answer: Candidate) -> None:
    if answer is joint:
        return
    parts = [assembly.parts_of(each) for each in (joint, answer)]
    text = f"the best average ({joint.value:.4g}) has {parts[0]} parts of its own; the answer ({answer.value:.4g}) has {parts[1]} and is as good by one standard error"
    study.emit("verdict", stage="ensemble", text=text, data={"parts": parts})


def beats(study: Study, answer: Candidate, baseline: Candidate) -> bool:
    """Whether the gain over the constant is more than its own standard error."""
    constant = np.repeat(baseline.predictions.mean(axis=0, keepdims=True), len(answer.rows), axis=0)
    mean, low, high = _gain(study, answer.rows, answer.predictions, constant)
    return mean > metrics.standard_error(low, high)


def clearly_better(study: Study, one: Candidate, other: Candidate) -> bool:
    """Whether one candidate is better than another by more than luck on the rows that both predicted."""
    rows = np.intersect1d(one.rows, other.rows)
    if len(rows) < FEWEST_SHARED:
        return False
    ours, theirs = (each.predictions[np.searchsorted(each.rows, rows)] for each in (one, other))
    return _gain(study, rows, ours, theirs)[1] > 0


def _gain(study: Study, rows: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """How much better our predictions of these rows are, with the 95 % interval."""
    return metrics.paired_difference(study.metric, study.training.target[rows], ours, theirs, seed=study.seed)


def _best_unconfirmed(study: Study) -> Candidate | None:
    kept = [record for record in study.history.scored if record.weights and record.predictions]
    if not kept:
        return None
    best = kept[0]
    member = Member(best, study.covered(*best.folds), study.predictions(best), study.replicas(best))
    return assembly.single(member, study.metric, study.training.target)


# -- small questions -------------------------------------------------------------------------------------------------


def _openers(study: Study) -> list[Genotype]:
    return openers_for(study.task.modality, study.space, study.history.mirrored)


def _in_turn(usual: Sequence[Genotype], suggested: Sequence[Genotype]) -> list[Genotype]:
    """The first of the usual, then so many suggested ones for each further."""
    rest = list(usual[OPENERS_FIRST:])
    ordered = list(usual[:OPENERS_FIRST])
    for place, genotype in enumerate(suggested, start=1):
        ordered.append(genotype)
        if place % SUGGESTED_FOR_ONE == 0 and rest:
            ordered.append(rest.pop(0))
    return ordered + rest


def _untried(study: Study, genotypes: Sequence[Genotype]) -> list[Genotype]:
    tried = {record.trial.genotype for record in study.history.records}
    return [genotype for genotype in dict.fromkeys(genotypes) if genotype not in tried]


def _told(study: Study, stage: str) -> bool:
    return any(verdict["stage"] == stage for verdict in study.history.verdicts)


def _over(study: Study, end: float) -> bool:
    return bool(study.stopping) or study.clock.elapsed >= end


def _until(study: Study, end: float) -> float:
    return max(0.0, end - study.clock.elapsed)


def _hurried(study: Study) -> bool:
    return bool(study.stopping) or study.clock.left < 3.0


def _rest(study: Study, trials: int | None) -> int | None:
    return None if trials is None else max(0, trials - len(study.history.records))


def _enough(study: Study, trials: int | None) -> bool:
    return trials is not None and len(study.history.records) >= trials


def _nothing_left_to_do(study: Study, budget: float, trials: int | None) -> bool:
    """Whether a study that has finished had as much time, or as many candidates, as it is given now."""
    finished = study.history.finished
    if finished is None:
        return False
    if trials is not None:
        return trials <= max(len(study.history.records), study.history.sessions[-1].get("trials") or 0)
    return budget <= max(finished["seconds"] + 1.0, finished["result"]["budget"] or 0.0)


def _one_thread():
    """This process only does sums beside busy workers, where the threads of a matrix library wait in a spin."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")
