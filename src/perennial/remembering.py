"""What a study takes from the library before it searches, and what it leaves there when it ends."""

from __future__ import annotations

import time

from perennial.errors import DamagedFile, StoreError
from perennial.history import History, Record
from perennial.journal import Journal
from perennial.library import Card, Evidence, Library
from perennial.library import recall as recalling
from perennial.library.records import Batch, name_part
from perennial.model import Model
from perennial.spaces import Genotype
from perennial.study import Study
from perennial.task import Task

RECALLED = "recalled"
"""The origin of trials that the library suggested."""
RECIPES_KEPT = 3


def recalled(study: Study, library: Library | None) -> list[Genotype]:
    """What the library suggests for this study; what it suggested first is what it suggests again."""
    if study.history.recalled is None and library is not None:
        try:
            found = recalling.suggest(library, study.task, study.space)
        except (StoreError, DamagedFile) as error:
            study.emit(
                "verdict", stage="recall", text=f"the library could not be asked: {error.what}", data={}
            )
            return []
        told = [
            {
                "name": each.name,
                "record": each.record,
                "reason": each.reason,
                "genotype": each.genotype.to_json(),
            }
            for each in found
        ]
        study.emit("recalled", suggestions=told, library=library.store.place)
    suggestions = (study.history.recalled or {}).get("suggestions", [])
    return [study.space.from_json(each["genotype"]) for each in suggestions]


def reused(history: History) -> list[str]:
    """Names of the recipes from the library that are part of the answer."""
    return [each["name"] for each in history.suggestions if each["accepted"]]


def keep_solution(library: Library, journal: Journal, task: Task, model: Model, seconds: float) -> None:
    """Keeps the chosen model under the name of its task, and writes down that it did.

    A library that cannot be written is told and harms nothing: the model is saved in its study.

    Args:
        library: that remembers.
        journal: of the study, whose model was chosen and, where there are rows for it, tested.
        task: that it was grown on.
        model: as it was saved.
        seconds: that the study took.
    """
    history = journal.history
    judged = history.tested or {}
    try:
        name = library.keep(
            model, task, metric=history.protocol["metric"], baseline=history.common_sense["value"],
            value=judged.get("value", history.chosen["value"]), n=judged.get("n", len(task.target)),
            interval=(judged["low"], judged["high"]) if judged else None, card=_card(history, seconds),
            seconds=seconds, described=recalling.description(task),
        )  # fmt: skip
    except StoreError as error:
        _not_kept(journal, error)
        return
    journal.emit("kept", name=name, library=library.store.place)


def keep_recipes(library: Library, study: Study) -> None:
    """Keeps how the answer was made, and what became of the recipes that the library suggested, good or bad."""
    history, task = study.history, study.task
    best = {record.trial.genotype: record for record in reversed(history.scored)}
    chosen = [best[each.trial.genotype] for each in history.members if each.trial.genotype in best]
    kept = list({record.trial.genotype: record for record in [*chosen, *history.scored[:1]]}.values())[
        :RECIPES_KEPT
    ]
    recipes = [recalling.recipe_record(study.space, record.trial.genotype, task) for record in kept]
    evidence = [_proof(study, recipe.id, record) for recipe, record in zip(recipes, kept, strict=True)]
    card = _card(history, study.clock.elapsed, task)
    names = {f"{name_part(task.name)}/recipe-{number}": recipe.id for number, recipe in enumerate(recipes, 1)}
    try:
        library.store.commit(
            Batch(
                tuple((recipe, card) for recipe in recipes), names, (*evidence, *_suggestions_proved(study))
            )
        )
    except StoreError as error:
        _not_kept(study.journal, error)


def _suggestions_proved(study: Study) -> list[Evidence]:
    """What became of the suggestions that were scored, as evidence."""
    return [
        Evidence(
            each["record"], study.task.fingerprint, recalling.RECIPE, study.metric.name, each["value"], each["scratch"],
            each["gain"], n=study.training.rows, seconds=each["seconds"], accepted=each["accepted"],
        )
        for each in study.history.suggestions
        if each["value"] is not None
    ]  # fmt: skip


def _proof(study: Study, recipe: str, record: Record) -> Evidence:
    return Evidence(
        recipe, study.task.fingerprint, recalling.RECIPE, study.metric.name, record.value, n=study.training.rows,
        seconds=record.trial.seconds,
    )  # fmt: skip


def _card(history: History, seconds: float, task: Task | None = None) -> Card:
    return Card(
        time.time(),
        study=history.created["name"],
        task=task.fingerprint if task is not None else "",
        made_with={**history.created["versions"], **history.created["machine"]},
        recipe={"seed": history.created.get("seed"), "seconds": seconds, "trials": len(history.records) + len(history.found)},
    )  # fmt: skip


def _not_kept(journal: Journal, error: StoreError) -> None:
    journal.emit("verdict", stage="remember", text=f"not kept in the library: {error.what}", data={})
