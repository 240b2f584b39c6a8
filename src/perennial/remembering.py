"""What a finished study leaves in the library: its model, where it came from, and how well it did."""

from __future__ import annotations

import time

from perennial.errors import StoreError
from perennial.journal import Journal
from perennial.library import Card, Library
from perennial.model import Model
from perennial.task import Task


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
    card = Card(
        time.time(),
        study=history.created["name"],
        made_with={**history.created["versions"], **history.created["machine"]},
        recipe={"seed": history.created.get("seed"), "seconds": seconds, "trials": len(history.records) + len(history.found)},
    )  # fmt: skip
    try:
        name = library.keep(
            model, task, metric=history.protocol["metric"], baseline=history.common_sense["value"],
            value=judged.get("value", history.chosen["value"]), n=judged.get("n", len(task.target)),
            interval=(judged["low"], judged["high"]) if judged else None, card=card, seconds=seconds,
        )  # fmt: skip
    except StoreError as error:
        journal.emit("verdict", stage="remember", text=f"not kept in the library: {error.what}", data={})
        return
    journal.emit("kept", name=name, library=library.store.place)
