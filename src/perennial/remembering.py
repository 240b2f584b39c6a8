"""What a study takes from the library before it searches, and what it leaves there when it ends."""

from __future__ import annotations

import time
from typing import Any

from perennial.errors import PerennialError, StoreError
from perennial.history import History
from perennial.journal import Journal
from perennial.library import Card, Evidence, Library
from perennial.library import recall as recalling
from perennial.library.records import Batch, name_part
from perennial.model import Model
from perennial.spaces import Genotype
from perennial.study import Study
from perennial.task import Task

RECIPES_KEPT = 3


def recalled(study: Study, library: Library | None) -> list[Genotype]:
    """What the library suggests for this study; what it suggested first is what it suggests again."""
    if study.history.recalled is None and library is not None:
        try:
            found = recalling.suggest(library, study.task, study.space)
        except StoreError as error:
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
    return [each["name"] for each in history.suggestions if each["reused"]]


def keep_solution(library: Library, journal: Journal, task: Task, model: Model, seconds: float) -> None:
    """Keeps the chosen model under the name of its task, and writes down that it did.

    A library that cannot be written is told and harms nothing: the model is saved in its study.

    Args:
        library: that remembers.
        journal: of the study, whose model was chosen and, where there are rows for it, tested.
        task: that it was grown on.
        model: as it was saved.
        seconds: that the study took.

    Its value is that of the test, else of rows or examples that it was not made from; without either it has none.
    """
    history = journal.history
    judged = history.tested or {}
    confirmed = (
        history.chosen.get("validation", history.chosen["value"]) if history.chosen["confirmed"] else None
    )
    try:
        name = library.keep(
            model, task, metric=history.protocol["metric"], baseline=history.common_sense["value"],
            value=judged.get("value", confirmed), n=judged.get("n", history.protocol["train_rows"]),
            interval=(judged["low"], judged["high"]) if judged else None, card=_card(history, seconds),
            seconds=seconds,
        )  # fmt: skip
    except PerennialError as error:
        _not_kept(journal, error)
        return
    told = {"name": name, "library": library.store.place}
    if told not in history.kept:
        journal.emit("kept", **told)


def kept_in(library: Library, history: History) -> bool:
    """Whether this library has what the study left."""
    return any(entry["library"] == library.store.place for entry in history.kept)


def keep_recipes(library: Library, study: Study) -> None:
    """Keeps how the answer was made, when it is better than the baseline, and what became of each recipe that was tried
    because the library suggested it, good or bad.
    """
    history, task = study.history, study.task
    answer = [record for record in history.members if record.trial.status == "scored"]
    kept = [*answer, *history.scored[:1]] if answer else []
    kept = list({record.trial.genotype: record for record in kept}.values())[:RECIPES_KEPT]
    recipes = [recalling.recipe_record(study.space, record.trial.genotype, task) for record in kept]
    proofs = [
        _proof(study, recipe.id, record.value, record.trial.seconds)
        for recipe, record in zip(recipes, kept, strict=True)
    ]
    for each in history.suggestions:
        if each["scratch"] is not None:
            proofs.append(
                _proof(
                    study, each["record"], each["value"], each["seconds"], scratch=each["scratch"], gain=each["gain"],
                    accepted=each["reused"], study=history.created["name"],
                )
            )  # fmt: skip
    card = _card(history, study.clock.elapsed, task)
    names = {f"{name_part(task.name)}/recipe-{number}": recipe.id for number, recipe in enumerate(recipes, 1)}
    try:
        library.store.commit(Batch(tuple((recipe, card) for recipe in recipes), names, tuple(proofs)))
    except StoreError as error:
        _not_kept(study.journal, error)


def _proof(asked: Study, recipe: str, value: float | None, seconds: float, **more: Any) -> Evidence:
    return Evidence(
        recipe, asked.task.fingerprint, recalling.RECIPE, asked.metric.name, value, n=asked.training.rows,
        seconds=seconds, told=time.time(), **more,
    )  # fmt: skip


def _card(history: History, seconds: float, task: Task | None = None) -> Card:
    return Card(
        time.time(),
        study=history.created["name"],
        task=task.fingerprint if task is not None else "",
        made_with={**history.created["versions"], **history.created["machine"]},
        recipe={"seed": history.created.get("seed"), "seconds": seconds, "trials": len(history.records) + len(history.found)},
    )  # fmt: skip


def _not_kept(journal: Journal, error: PerennialError) -> None:
    journal.emit("verdict", stage="remember", text=f"not kept in the library: {error.what}", data={})
