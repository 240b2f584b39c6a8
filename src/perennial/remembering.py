"""What a study takes from the library before it searches, and what it leaves there when it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from perennial.assembly import NETWORK, kind_of
from perennial.compiler import apart, reused_parts
from perennial.errors import PerennialError, StoreError, WorkerError
from perennial.history import RECALLED, History
from perennial.journal import Journal
from perennial.lang import parse, to_source
from perennial.library import Card, Evidence, Library, features
from perennial.library import recall as recalling
from perennial.library.library import SOLUTION_NAME
from perennial.library.records import SHORT, Batch, Edge, name_part
from perennial.library.upkeep import replay_of
from perennial.modalities.base import counted
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.spaces import Genotype
from perennial.spaces.offers import beside_known, known_openers_for
from perennial.study import Study
from perennial.task import Task
from perennial.trial import Proposal, Trial

RECIPES_KEPT = 3
SHARE_FOR_SCORES, IMPORT_SECONDS = 0.1, 10.0
ASKED_AT_ONCE = 4
OLDER_ASKED, OLDER_SECONDS = 2, 5.0
TOO_MUCH = ("over_budget", "out_of_memory")
MOST_BESIDE = 2
CHANCES, SHARE_FOR_CHANCES = 2, 0.05


def recalled(study: Study, library: Library | None, reuse: str = "all") -> list[Genotype]:
    """What the library suggests for this study; what it suggested first is what it suggests again.

    Args:
        study: before its first candidate.
        library: to ask; `None` for one that was asked before.
        reuse: `all`, `recipes`, `frozen` (what networks and models of other tasks know) or `off`.
    """
    if study.history.recalled is None and library is not None and reuse != "off":
        try:
            parts, known = _known_features(study, library) if reuse in ("all", "frozen") else ([], [])
            recipes = _recipes(study, library) if reuse in ("all", "recipes") else []
            in_turn = zip_longest(known, _both(study, parts, recipes), recipes)
            told = [each for place in in_turn for each in place if each is not None]
        except StoreError as error:
            study.widen([])
            study.emit(
                "verdict", stage="recall", text=f"the library could not be asked: {error.what}", data={}
            )
            return []
        modules = [{**part.to_json(study.storage.put(part.weights)), "score": score} for part, score in parts]
        study.emit("recalled", suggestions=told, modules=modules, library=library.store.place)
    suggestions = (study.history.recalled or {}).get("suggestions", [])
    return [study.space.from_json(each["genotype"]) for each in suggestions]


def _recipes(study: Study, library: Library) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "record": each.record,
            "reason": each.reason,
            "role": recalling.RECIPE,
            "genotype": each.genotype.to_json(),
        }
        for each in recalling.suggest(library, study.task, study.space, study.seed)
    ]


def _both(
    study: Study, parts: Sequence[tuple[features.Part, float]], recipes: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The best recipes, standing on the best of what is known as well."""
    functions, found = [part.function for part, _ in parts], []
    for recipe in recipes:
        genotype = study.space.from_json(recipe["genotype"])
        both = beside_known(study.task.modality, study.space, genotype, functions)
        if both is not None:
            reason = f"what it says beside the columns, by the recipe of {recipe['name']}: {recipe['reason']}"
            found.append(_told(parts[0][0], reason, both))
    return found[:MOST_BESIDE]


def _told(part: features.Part, reason: str, genotype: Genotype) -> dict[str, Any]:
    """A candidate that stands on a part, as the journal tells of it."""
    told = {"name": part.name, "record": part.record, "role": part.role}
    return {**told, "reason": reason, "genotype": genotype.to_json()}


def _known_features(
    study: Study, library: Library
) -> tuple[list[tuple[features.Part, float]], list[dict[str, Any]]]:
    """What other tasks learnt that says most about the target, and candidates that stand on it."""
    seconds = math.inf if study.deterministic else max(2.0, SHARE_FOR_SCORES * study.clock.left)
    found = features.parts_for(library, study.task, seconds) if study.sizes_itself else []
    if not found:
        return [], []
    ranked = features.ranked(found, _scores(study, found, seconds))
    study.widen([part for part, _ in ranked])
    told = []
    functions = [part.function for part, _ in ranked]
    openers = known_openers_for(study.task.modality, study.space, functions, study.history.mirrored)
    for genotype, place, how in openers:
        part, score = ranked[place]
        reason = f"{how}; {features.reason(study.task.problem, score, part.units)}"
        told.append(_told(part, reason, genotype))
    return ranked, told


def _scores(study: Study, parts: Sequence[features.Part], seconds: float) -> list[float | None]:
    """What each part tells of the target, as many at once as there are workers, and more where that takes little of the time;
    one that fails, or takes too long, harms no other, and has none.

    The time begins with the first answer: before it a worker may have to import what networks need, which is not in vain.
    """
    end, workers, found = math.inf, max(1, study.workers), []
    at_once = workers
    while len(found) < len(parts):
        group = parts[len(found) : len(found) + at_once]
        begin = time.monotonic()
        left, answers = min(end - begin, IMPORT_SECONDS + seconds), [None] * len(group)
        if left > 0:
            told = [{"part": part, "seed": study.seed} for part in group]
            answers = study.attempts("transferability_of", told, max(1.0, left))
            end = min(end, time.monotonic() + seconds)
        quick = ASKED_AT_ONCE * (time.monotonic() - begin) < seconds
        at_once = ASKED_AT_ONCE * workers if quick else workers
        for part, answer in zip(group, answers, strict=True):
            failed = isinstance(answer, WorkerError)
            if failed:
                text = f"{part.name} could not be judged: {answer.what}"
                study.emit("verdict", stage="recall", text=text, data={})
            found.append(None if failed else answer)
    return found


class Chances:
    """Proposals in a fixed order, of which those that stand on the library must be worth their time: once some on one record were
    tried, took longer than they may, and none was the best, the others on that record are left out.

    Args:
        proposals: in their order.
        records: id of what each that the library suggested stands on, by genotype.
        seconds: that those on one record may take before that.
    """

    def __init__(
        self, proposals: Iterable[Proposal], records: Mapping[Genotype, str], seconds: float
    ) -> None:
        self._waiting, self._records, self._seconds = list(proposals), dict(records), seconds
        self._best = -math.inf
        self._tried: dict[str, list[Trial]] = {}

    def ask(self, n: int) -> list[Proposal]:
        """The next ones."""
        taken: list[Proposal] = []
        while self._waiting and len(taken) < n:
            proposal = self._waiting.pop(0)
            if not self._given_up(self._records.get(proposal.genotype)):
                taken.append(proposal)
        return taken

    def tell(self, trial: Trial) -> None:
        """What became of one."""
        record = self._records.get(trial.genotype)
        if record is not None:
            self._tried.setdefault(record, []).append(trial)
        elif trial.score is not None:
            self._best = max(self._best, trial.score)

    def _given_up(self, record: str | None) -> bool:
        tried = self._tried.get(record, [])
        if len(tried) < CHANCES or sum(trial.seconds for trial in tried) <= self._seconds:
            return False
        return all(trial.score is None or trial.score <= self._best for trial in tried)


def chances(study: Study, proposals: Sequence[Proposal], seconds: float) -> Chances:
    """Proposals, of which those that the library suggested must be worth their time. Of images all have their turn: a line, a
    kernel and a network that is trained further stand on one record, and one tells little about the others.

    Args:
        study: that asked the library.
        proposals: in their order.
        seconds: that the search has.
    """
    told = (study.history.recalled or {}).get("suggestions", [])
    records = {study.space.from_json(each["genotype"]): each["record"] for each in told}
    before = [record.trial for record in study.history.records]
    judged = [*before, *proposals] if study.task.modality == "table" else []
    foreign = {each.genotype for each in judged if each.origin == RECALLED}
    records = {genotype: record for genotype, record in records.items() if genotype in foreign}
    share = math.inf if study.deterministic else SHARE_FOR_CHANCES * seconds * max(1, study.workers)
    found = Chances(proposals, records, share)
    for trial in before:
        found.tell(trial)
    return found


def reused(history: History) -> list[str]:
    """Names of what came from the library and is part of the answer, each once: what it suggested, and the parts that other
    candidates of the answer stand on.
    """
    suggested = [each["name"] for each in history.suggestions if each["reused"]]
    source = (history.chosen or {}).get("program")
    of = {node.settings["of"] for node in reused_parts(parse(source, vocabulary()))} if source else set()
    modules = (history.recalled or {}).get("modules", [])
    return list(
        dict.fromkeys([*suggested, *(each["name"] for each in modules if each["record"][:SHORT] in of)])
    )


def keep_solution(
    library: Library,
    journal: Journal,
    task: Task,
    model: Model,
    seconds: float,
    stands_on: Sequence[features.Part] = (),
    say: Callable[[dict[str, np.ndarray]], np.ndarray] | None = None,
) -> str | None:
    """Keeps the chosen model under the name of its task, writes down that it did, and gives the id of its record.

    A library that cannot be written is told and harms nothing: the model is saved in its study.

    Args:
        library: that remembers.
        journal: of the study, whose model was chosen and, where there are rows for it, tested.
        task: that it was grown on.
        model: as it was saved.
        seconds: that the study took.
        stands_on: parts of other tasks that are in it.
        say: gives its golden outputs; None asks the model itself.

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
            seconds=seconds, seen=[part.seen for part in stands_on], say=say,
        )  # fmt: skip
        record = library.find(name)
    except PerennialError as error:
        _not_kept(journal, error)
        return None
    _tell_kept(journal, library, name)
    return record


def keep_features(library: Library, study: Study, solution: str) -> None:
    """Keeps what the best network of the answer sees, as a part for other tasks; an answer without a network has none.

    Args:
        library: that remembers.
        study: that has ended.
        solution: id of the record that the part is cut from.
    """
    if study.task.modality != "image":
        return
    numbers = (study.history.chosen or {}).get("members", [])
    known = [*study.history.confirmations, *study.history.records]
    networks = [
        record for record in known
        if record.trial.number in numbers and record.weights and kind_of(parse(record.source, vocabulary())) == NETWORK
    ]  # fmt: skip
    if not networks:
        return
    best = max(networks, key=lambda record: record.trial.score)
    try:
        blob = study.storage.get(best.weights[0])
        found = study.call("part", {"source": best.source, "blob": blob})
        if found is None:
            return
        stands_on = list(study.parts_in(parse(best.source, vocabulary())).values())
        record = features.record_of(library, found, study.task, stands_on)
        proof = _proof(study, record.id, best.value, best.trial.seconds, role=features.ROLES[features.MODULE])
        name = f"{name_part(study.task.name)}/features"
        card = _card(study.history, study.clock.elapsed, study.task)
        edges = [Edge(record.id, solution, "extracted")]
        for part in stands_on:
            if library.store.header(part.record) is not None and part.record != record.id:
                edges.append(Edge(record.id, part.record, "fine-tuned"))
        library.store.commit(Batch(((record, card),), {name: record.id}, (proof,), edges=tuple(edges)))
    except PerennialError as error:
        _not_kept(study.journal, error)
        return
    _tell_kept(study.journal, library, library.newest(name, record.id))


def keep_grown(library: Library, study: Study, model: Model, seconds: float) -> None:
    """Keeps the chosen model, the features of its best network, and what it stands on; nothing where the library has a model
    of the same data that is as good: who grows a file again and again has one model in the end, and better ones.

    Args:
        library: that remembers.
        study: that has ended.
        model: as it was saved; no baseline.
        seconds: that the study took.
    """
    if (known := as_good(library, study.history, study.task)) is not None:
        tell_as_good(study.journal, library, known)
        return
    parts = list(study.parts_in(parse(study.history.chosen["program"], vocabulary())).values())

    def say(columns: dict[str, np.ndarray]) -> np.ndarray:  # a worker has the network libraries loaded
        blobs = tuple(replica.to_bytes() for replica in apart(model.program, model.replicas))
        told = {"source": to_source(model.program), "blobs": blobs, "inputs": columns}
        return study.call("golden", told)

    solution = keep_solution(library, study.journal, study.task, model, seconds, parts, say)
    if solution is not None:
        keep_features(library, study, solution)
        keep_descent(library, study, solution, parts)
        ask_older(library, study, solution)


def ask_older(library: Library, study: Study, solution: str) -> None:
    """Lets some older solutions, chosen by chance, say their golden outputs again, and tells whether they do: what a library
    got must have changed nothing that it had. One that takes too long, or too much memory, is passed over.

    Args:
        library: that got something.
        study: that gave it, whose workers have the network libraries loaded.
        solution: id of what it gave.
    """
    try:
        names = {
            record: f"{base}@{version}" for (base, version), record in library.store.names().items()
            if base.endswith(SOLUTION_NAME) and record != solution
        }  # fmt: skip
        order = np.random.default_rng(study.seed + len(names)).permutation(sorted(names))[:OLDER_ASKED]
        found = (library.store.header(str(record)) for record in order)
        headers = [header for header in found if header is not None and header.card.golden]
        told = [replay_of(header, library.store.get) for header in headers]
    except PerennialError as error:
        _tell_replay(study, f"an older model of the library cannot be asked again: {error.what}")
        return
    answers = study.attempts("replay", told, max(1.0, min(OLDER_SECONDS, study.clock.left)))
    said = []
    for header, answer in zip(headers, answers, strict=True):
        if isinstance(answer, WorkerError):
            if answer.status not in TOO_MUCH:
                text = f"{names[header.id]} of the library cannot be asked any more: {answer.what}"
                _tell_replay(study, text, record=header.id)
            continue
        said.append(answer)
        if answer[1]:
            _tell_replay(study, f"{names[header.id]} of the library: {answer[1]}", record=header.id)
    if said:
        exact = sum(same for same, _ in said)
        _tell_replay(
            study,
            f"{counted(len(said), 'older model')} of the library asked again: {exact} the same bit for bit",
        )


def _tell_replay(study: Study, text: str, **data: Any) -> None:
    study.emit("verdict", stage="replay", text=text, data=data)


def as_good(library: Library, history: History, task: Task, better: bool = False) -> str | None:
    """The name of a solution for the same data that was at least as good when it was judged in the same way.

    Args:
        library: that may have one.
        history: of the study that has ended.
        task: that it was grown on.
        better: only one that was better.
    """
    wanted, sign = history.chosen["value"], -1.0 if history.protocol["direction"] == "minimize" else 1.0
    try:
        names = {record: f"{base}@{version}" for (base, version), record in library.store.names().items()}
        for header in library.walk(kind="solution", task=task.fingerprint):
            told = header.card.recipe
            known = told.get("validation") if told.get("judged") == _judged(history) else None
            if header.id not in names or not isinstance(known, float):
                continue
            if sign * (known - wanted) > 0.0 or (known == wanted and not better):
                return names[header.id]
    except PerennialError:
        pass  # what cannot be read is told when the model is kept
    return None


def _judged(history: History) -> dict[str, Any]:
    """How candidates of a study were compared: values of two studies can be compared when this is the same."""
    told = {name: history.protocol.get(name) for name in ("kind", "folds", "metric")}
    settings = history.protocol.get("settings")
    if settings is None:  # programs are judged by all of their examples, whatever the seed
        return told
    return {**told, "settings": {**settings, "reasons": None}, "seed": history.created.get("seed")}


def keep_descent(library: Library, study: Study, solution: str, parts: Sequence[features.Part]) -> None:
    """Writes down which records of the library a solution stands on."""
    try:
        known = [part.record for part in parts if library.store.header(part.record) is not None]
        if known:
            library.store.commit(Batch(edges=tuple(Edge(solution, each, "grafted") for each in known)))
    except PerennialError as error:
        _not_kept(study.journal, error)


def tell_as_good(journal: Journal, library: Library, known: str) -> None:
    """Writes down that a library has another model that is as good, so that this one was not kept."""
    text = f"not kept in the library: {known} is of the same data and as good on validation"
    journal.emit("verdict", stage="remember", text=text, data={"library": library.store.place})


def kept_names(history: History) -> list[str]:
    """What a study left in libraries, by name."""
    return [entry["name"] for entry in history.kept]


def kept_in(library: Library, history: History) -> bool:
    """Whether this library has what the study left, or something as good."""
    told = [*history.kept, *(each["data"] for each in history.verdicts if each["stage"] == "remember")]
    return any(entry.get("library") == library.store.place for entry in told)


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
                    study, each["record"], each["value"], each["seconds"], role=each["role"], scratch=each["scratch"],
                    gain=each["gain"], accepted=each["reused"], study=history.created["name"],
                )
            )  # fmt: skip
    card = _card(history, study.clock.elapsed, task)
    names = {f"{name_part(task.name)}/recipe-{number}": recipe.id for number, recipe in enumerate(recipes, 1)}
    try:
        library.store.commit(Batch(tuple((recipe, card) for recipe in recipes), names, tuple(proofs)))
    except StoreError as error:
        _not_kept(study.journal, error)


def _proof(
    asked: Study, record: str, value: float | None, seconds: float, role: str = recalling.RECIPE, **more: Any
) -> Evidence:
    return Evidence(
        record, asked.task.fingerprint, role, asked.metric.name, value, n=asked.training.rows,
        seconds=seconds, told=time.time(), **more,
    )  # fmt: skip


def _card(history: History, seconds: float, task: Task | None = None) -> Card:
    return Card(
        time.time(),
        study=history.created["name"],
        task=task.fingerprint if task is not None else "",
        made_with={**history.created["versions"], **history.created["machine"]},
        recipe={
            "seed": history.created.get("seed"), "seconds": seconds, "trials": len(history.records) + len(history.found),
            "judged": _judged(history), "validation": history.chosen["value"],
        },
    )  # fmt: skip


def _tell_kept(journal: Journal, library: Library, name: str) -> None:
    told = {"name": name, "library": library.store.place}
    if told not in journal.history.kept:
        journal.emit("kept", **told)


def _not_kept(journal: Journal, error: PerennialError) -> None:
    journal.emit("verdict", stage="remember", text=f"not kept in the library: {error.what}", data={})
