"""A study as its journal tells it: a fold over the events, and nothing else.

The study that grows, the report, the leaderboard and `perennial status` all read this one reconstruction; so what is
shown is what was written, and a killed study is the same study when it is opened again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from perennial.spaces import Genotype
from perennial.storages import Event, SQLite
from perennial.trial import Trial, rank_key

RECALLED, OPENER = "recalled", "opener"
"""The origins of trials that the library suggested, and of those that are tried in any case."""


@dataclass(frozen=True)
class Record:
    """A trial as the journal holds it: the trial, its program, the metric as people read it, and its blobs.

    `weights` are the hashes of one packed set of weights a fold (empty when the candidate was not worth keeping),
    `predictions` the hash of its out-of-fold predictions, `checkpoint` that of a training that can go on.
    """

    trial: Trial
    source: str
    value: float | None
    weights: tuple[str, ...] = ()
    predictions: str | None = None
    at: float = 0.0
    folds: tuple[int | None, int | None] = (None, None)
    checkpoint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The `data` of a trial event."""
        return {
            **self.trial.to_json(),
            "source": self.source,
            "value": self.value,
            "weights": list(self.weights),
            "predictions": self.predictions,
            "at": self.at,
            "folds": list(self.folds),
            "checkpoint": self.checkpoint,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Record:
        """The inverse of `to_json`."""
        own = {"source", "value", "weights", "predictions", "at", "folds", "checkpoint"}
        trial = Trial.from_json({name: value for name, value in data.items() if name not in own})
        return Record(
            trial,
            data["source"],
            data["value"],
            tuple(data["weights"]),
            data["predictions"],
            data["at"],
            tuple(data["folds"]),
            data.get("checkpoint"),
        )


@dataclass
class History:
    """Everything known of one study; `History.of(events)` builds it, `apply` adds one event."""

    created: dict[str, Any] = field(default_factory=dict)
    sensed: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    baselines: list[dict[str, Any]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    confirmations: list[Record] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    recalled: dict[str, Any] | None = None
    ensemble: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    chosen: dict[str, Any] | None = None
    test: dict[str, Any] | None = None
    analysis: dict[str, Any] = field(default_factory=dict)
    finished: dict[str, Any] | None = None
    opened: bool = False
    interrupted: bool = False
    last_time: float = 0.0

    @staticmethod
    def of(events: Iterable[Event]) -> History:
        """The history that a list of events tells.

        >>> History.of([]).records
        []
        """
        history = History()
        for event in events:
            history.apply(event)
        return history

    @staticmethod
    def read(folder: str | Path) -> History:
        """The history of a study in its folder, which nothing is written to.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        storage = SQLite(folder, mode="ro")
        try:
            return History.of(storage.events())
        finally:
            storage.close()

    def apply(self, event: Event) -> None:
        """Adds one event; kinds of a later version are passed over."""
        self.last_time = event.time
        reader = getattr(self, f"_on_{event.kind}", None)
        if reader is not None:
            reader({**event.data, "time": event.time})

    @property
    def scored(self) -> list[Record]:
        """Trials with a score, best first; ties go to the earlier one."""
        return sorted(
            (r for r in self.records if r.trial.status == "scored"), key=lambda r: rank_key(r.trial)
        )

    @property
    def failed(self) -> list[Record]:
        """Trials that gave no score."""
        return [record for record in self.records if record.trial.status != "scored"]

    @property
    def best(self) -> Record | None:
        """The trial with the best validation score so far."""
        scored = self.scored
        return scored[0] if scored else None

    @property
    def best_baseline(self) -> dict[str, Any] | None:
        """The baseline with the best score."""
        scored = [baseline for baseline in self.baselines if baseline.get("score") is not None]
        return max(scored, key=lambda baseline: baseline["score"]) if scored else None

    @property
    def common_sense(self) -> dict[str, Any] | None:
        """The constant predictor: the figure that any model has to beat."""
        return self.baselines[0] if self.baselines else None

    @property
    def members(self) -> list[Record]:
        """The trials that the answer is made of, the largest share first; none of a baseline.

        A confirmation stands for the trial that it confirms, though its training may have been changed.
        """
        known = {record.trial.number: record for record in self.records}
        for record in self.confirmations:
            known.setdefault(record.trial.number, known.get(record.trial.parents[0], record))
        numbers = (self.chosen or {}).get("members", [])
        return list(
            {known[number].trial.number: known[number] for number in numbers if number in known}.values()
        )

    @property
    def suggestions(self) -> list[dict[str, Any]]:
        """What the library suggested and what became of it.

        Each has `name`, `record`, `reason`, and when it was tried `status`, `seconds`, and where it has one its `value`.
        Where it was tried only because the library suggested it, it also has the `gain` over `scratch`, the best of the
        openers that are tried in any case (in the direction of better), and `reused` when it is part of the answer.
        """
        sign = -1.0 if self.protocol.get("direction") == "minimize" else 1.0
        tried = {record.trial.genotype: record for record in reversed(self.records)}
        others = [record.value for record in self.scored if record.trial.origin == OPENER]
        scratch = sign * max(sign * value for value in others) if others else None
        answer = {record.trial.number for record in self.members}
        rows = []
        for each in (self.recalled or {}).get("suggestions", []):
            found = tried.get(Genotype(each["genotype"]))
            own = found is not None and found.trial.origin == RECALLED
            value = None if found is None else found.value
            gain = sign * (value - scratch) if own and value is not None and scratch is not None else None
            rows.append(
                {
                    "name": each["name"], "record": each["record"], "reason": each["reason"], "value": value,
                    "role": each.get("role", "recipe"),
                    "status": "not tried" if found is None else found.trial.status if own else "tried in any case",
                    "scratch": scratch if own else None, "gain": gain,
                    "seconds": None if found is None else found.trial.seconds,
                    "reused": own and found.trial.number in answer,
                }
            )  # fmt: skip
        return rows

    @property
    def tested(self) -> dict[str, Any] | None:
        """The one test, when it was of the program that is chosen now."""
        chosen = self.chosen or {}
        return self.test if self.test and self.test["program"] == chosen.get("program") else None

    @property
    def current(self) -> dict[str, Any] | None:
        """The program that is on disk: chosen, found since, or the baseline."""
        chosen = self.chosen
        if self.found and (chosen is None or self.found[-1]["at"] > chosen["at"]):
            return self.found[-1]
        return chosen or self.common_sense

    @property
    def mirrored(self) -> bool:
        """Whether mirror images were found to mean the same."""
        return any(verdict["data"].get("same") for verdict in self.verdicts if verdict["stage"] == "mirror")

    @property
    def seconds_spent(self) -> float:
        """Seconds of all sessions together, as far as the journal was told."""
        return sum(session.get("seconds", 0.0) for session in self.sessions)

    @property
    def busy_seconds(self) -> float:
        """Seconds that workers spent inside candidates."""
        return sum(record.trial.seconds for record in [*self.records, *self.confirmations])

    def _on_created(self, data: dict) -> None:
        self.created = data

    def _on_sensed(self, data: dict) -> None:
        self.sensed = data

    def _on_protocol(self, data: dict) -> None:
        self.protocol = data

    def _on_stage(self, data: dict) -> None:
        self.stages.append(data)

    def _on_session(self, data: dict) -> None:
        self.sessions.append({**data, "seconds": 0.0})
        self.interrupted, self.finished = False, None

    def _on_clock(self, data: dict) -> None:
        self.sessions[-1].update(data)

    def _on_baseline(self, data: dict) -> None:
        self.baselines = [b for b in self.baselines if b["name"] != data["name"]] + [data]
        self._clock(data)

    def _on_trial(self, data: dict) -> None:
        record = Record.from_json({name: value for name, value in data.items() if name != "time"})
        self.records.append(record)
        self._clock({"at": record.at})

    def _on_confirm(self, data: dict) -> None:
        record = Record.from_json({name: value for name, value in data.items() if name != "time"})
        self.confirmations.append(record)
        self._clock({"at": record.at})

    def _on_tidied(self, data: dict) -> None:
        done = set(data["trials"])
        self.records = [
            replace(record, weights=()) if record.trial.number in done else record for record in self.records
        ]

    def _on_found(self, data: dict) -> None:
        self.found.append(data)
        self._clock(data)

    def _on_answer(self, data: dict) -> None:
        self.answers.append(data)
        self.found = []

    def _on_verdict(self, data: dict) -> None:
        self.verdicts.append(data)

    def _on_recalled(self, data: dict) -> None:
        self.recalled = data

    def _on_kept(self, data: dict) -> None:
        self.kept.append(data)

    def _on_ensemble(self, data: dict) -> None:
        self.ensemble = data

    def _on_calibration(self, data: dict) -> None:
        self.calibration = data

    def _on_chosen(self, data: dict) -> None:
        self.chosen = data

    def _on_opened(self, data: dict) -> None:
        self.opened = True

    def _on_test(self, data: dict) -> None:
        self.test = data

    def _on_analysis(self, data: dict) -> None:
        self.analysis.update(data)

    def _on_interrupted(self, data: dict) -> None:
        self.interrupted = True

    def _on_finished(self, data: dict) -> None:
        self.finished = data

    def _clock(self, data: dict) -> None:
        """`at` is the second of the whole study; what this session added is its share."""
        if self.sessions and "at" in data:
            before = sum(session["seconds"] for session in self.sessions[:-1])
            self.sessions[-1]["seconds"] = max(self.sessions[-1]["seconds"], data["at"] - before)
