"""A second opinion on fresh folds: the best of many scores flatters, so the best few are trained and judged again.

How many candidates, and on how many folds, follows from what their trials cost: a candidate that gets less time than
it had in the search would be judged as somebody else. A network that the clock stopped in the search can use more:
where the plan is patient, the best one of each worker gets all of the time that is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perennial import assembly, ensemble
from perennial.assembly import Member
from perennial.history import Record
from perennial.plan import Plan
from perennial.spaces import Genotype
from perennial.spaces.networks import for_long_training
from perennial.study import Listed, Screening, Study
from perennial.trial import Proposal

ROUNDS = 4
SPARE = 1.15
QUICK_SHARE, ALONE_SHARE = 0.2, 0.5
LONGER, ENOUGH_ROWS = 3.0, 500


def confirm(study: Study, plan: Plan, trials: int | None) -> list[Member]:
    """Trains the best few again on fresh folds; returns those that finished.

    Further rounds on further folds follow while there is time. A round counts for a member only when it finished,
    and only members that finished all counted rounds are returned. When the time is over, nothing is begun, and those
    of an earlier session count.
    """
    known, over = study.history.confirmations, study.stopping or study.clock.elapsed >= plan.confirm_end
    if over and not known:
        return []
    best = _begun(study) if over else shortlist(study, plan.confirmed)
    limit = known[0].folds[1] if known else None
    patient = plan.patient and trials is None and any(map(_is_network, best))
    if trials is None and not over and (patient or not known):
        folds = len(study.protocol.folds(study.training, np.arange(study.training.rows), seed=1))
        left, workers = _left(study, plan), max(1, study.workers)
        if patient:
            longer = LONGER if study.training.rows / folds >= ENOUGH_ROWS else 1.0
            others = shortlist(study, len(study.history.scored))
            best, count = patiently(list(dict.fromkeys([*best, *others])), folds, left, workers, longer)
            best = _for_long_training(study, best)
        else:
            best, count = affordable(best, folds, left, workers)
        limit = limit if known else count
    if not best:
        return []
    done = {(record.trial.genotype, record.folds[0]): record for record in known}
    rounds: list[dict[Genotype, Record]] = []
    for number in range(1, (ROUNDS if trials is None and not patient else 1) + 1):
        wanted = best if not rounds else [record for record in best if record.trial.genotype in rounds[-1]]
        missing = [record for record in wanted if (record.trial.genotype, number) not in done]
        if missing and rounds and not _another_round(study, rounds[-1], plan):
            break
        missing = [] if over else missing
        if missing and not rounds:
            study.stage("confirm", f"the best {len(missing)} again on fresh folds")
        screening = Screening("confirm", fold_seed=number, fold_limit=limit, kind="confirm", keep=True)
        for record in study.search(_proposals(missing), screening, seconds=_left(study, plan)):
            done[record.trial.genotype, number] = record
        finished = {
            record.trial.genotype: done[record.trial.genotype, number]
            for record in wanted
            if (found := done.get((record.trial.genotype, number))) and found.value is not None
        }
        if not finished or (rounds and len(finished) < len(rounds[-1])):
            break
        rounds.append(finished)
    members = [record for record in best if rounds and record.trial.genotype in rounds[-1]]
    kept = {len(record.weights) for record in members}
    reused = not patient and len(kept) == 1 and kept != {0}
    return [
        _member(study, record if reused else None, [finished[record.trial.genotype] for finished in rounds])
        for record in members
    ]


def _begun(study: Study) -> list[Record]:
    """What was confirmed before, each once, as the search knew it where it was not changed."""
    searched = {record.trial.genotype: record for record in study.history.records}
    confirmed = {record.trial.genotype: record for record in study.history.confirmations}
    return [searched.get(genotype, record) for genotype, record in confirmed.items()]


def shortlist(study: Study, count: int) -> list[Record]:
    """The best record, then what an average of the best of each kind and of the best of all would take, then the best
    of every other kind of learner, then the rest by score.

    Kinds far behind the best (less than half its gain over the constant) are left out.
    """
    scored = [record for record in study.history.scored if record.trial.fidelity == 1.0]
    if not scored:
        return []
    floor = study.history.common_sense["score"]
    enough = floor + 0.5 * (scored[0].trial.score - floor)
    kinds: dict[str, Record] = {}
    for record in scored:
        if record.trial.score >= enough:
            kinds.setdefault(assembly.learner_of(record.source), record)
    first = _useful_together(study, [*kinds.values(), *scored[:count]], scored[0])
    first = list(dict.fromkeys([*first, *kinds.values()]))
    seen = {record.trial.genotype for record in first}
    rest = [
        record for record in scored if not (record.trial.genotype in seen or seen.add(record.trial.genotype))
    ]
    return (first + [record for record in rest if record.trial.score >= enough])[:count] or scored[:1]


def _useful_together(study: Study, records: Sequence[Record], best: Record) -> list[Record]:
    """The best record, then those that a greedy average on the rows of the search would take, the largest share first."""
    records = list(dict.fromkeys([best, *records]))
    same = [record for record in records if record.predictions and record.folds == best.folds]
    if best not in same or len(same) < 2:
        return [best]
    rows = study.covered(*best.folds)
    predictions = [study.predictions(record) for record in same]
    weights = ensemble.steady(predictions, study.training.target[rows], study.metric, seed=study.seed)
    ordered = sorted(zip(weights, same, strict=True), key=lambda pair: -pair[0])
    return [best, *(record for weight, record in ordered if weight > 0 and record is not best)]


def affordable(
    records: Sequence[Record], folds: int, seconds: float, workers: int
) -> tuple[list[Record], int | None]:
    """Which of the records, and on how many folds, can be trained again in the time as thoroughly as before.

    Args:
        records: the best first.
        folds: of the protocol.
        seconds: that are left.
        workers: that share the work.

    Returns:
        the records in their order, and the number of folds (None for all): as many as leave time for one record a
        worker; no record at all when not even the best can be trained on one fold.
    """
    for count in range(folds, 0, -1):
        chosen = _fitting(records, count, seconds, workers)
        if len(chosen) >= min(workers, len(records)) and chosen[:1] == list(records[:1]):
            return chosen, None if count == folds else count
    chosen = _fitting(records[:1], 1, seconds, workers)
    return chosen, 1 if chosen and folds > 1 else None


def patiently(
    records: Sequence[Record], folds: int, seconds: float, workers: int, longer: float
) -> tuple[list[Record], int | None]:
    """The best network for each worker, after candidates without a network: the best of all, and others that take a fifth of
    the time. The one fold of the search, with few rows, does not say which of them is best. Where the best of all has no
    network and takes a worker more than half of the time, there is a network less.

    Args:
        records: the best first, of which at least one is a network.
        folds: of the protocol.
        seconds: that are left.
        workers: that share the work.
        longer: how many times as long as in the search a network should have for a fold. Where a fold holds out few
            rows, the answers on more folds are worth more than longer training.

    Returns:
        the records in the order in which they should begin, and the number of folds (None for all).
    """
    best, networks = records[0], [record for record in records if _is_network(record)][:workers]
    longest = max(map(_seconds_a_fold, networks))
    count = max(1, min(folds, int(seconds / (longer * longest))))
    most = seconds if workers > 1 else ALONE_SHARE * seconds
    if not _is_network(best):
        count = max(1, min(count, int(most / (SPARE * _seconds_a_fold(best)))))
    quick, spent = [], 0.0
    for record in records:
        cost = SPARE * count * _seconds_a_fold(record)
        if _is_network(record):
            continue
        if record is best and cost <= most:
            quick.append(record)
            if cost > ALONE_SHARE * seconds:
                networks = networks[: workers - 1]
        elif spent + cost <= QUICK_SHARE * seconds * workers:
            quick.append(record)
            spent += cost
    return quick + networks, None if count == folds else count


def _for_long_training(study: Study, records: Sequence[Record]) -> list[Record]:
    """The best network with the augmentation it had, the others with more: their average is better than either."""
    first = next(record for record in records if _is_network(record))
    mirrored = study.history.mirrored

    def changed(record: Record) -> Record:
        genotype = for_long_training(study.space, record.trial.genotype, mirrored, strong=record is not first)
        return replace(record, trial=replace(record.trial, genotype=genotype))

    return list({record.trial.genotype: record for record in map(changed, records)}.values())


def _is_network(record: Record) -> bool:
    return assembly.learner_of(record.source) == assembly.NETWORK


def _seconds_a_fold(record: Record) -> float:
    return record.trial.seconds / max(1, len(record.trial.scores))


def _fitting(records: Sequence[Record], folds: int, seconds: float, workers: int) -> list[Record]:
    """Those that fit, each given to the worker who is free first."""
    busy, chosen = [0.0] * workers, []
    for record in records:
        cost = SPARE * folds * _seconds_a_fold(record)
        first = int(np.argmin(busy))
        if busy[first] + cost <= seconds:
            busy[first] += cost
            chosen.append(record)
    return chosen


def _proposals(records: Sequence[Record]) -> Listed:
    return Listed(
        Proposal(record.trial.genotype, origin="confirm", parents=(record.trial.number,))
        for record in records
    )


def _left(study: Study, plan: Plan) -> float:
    return max(0.0, plan.confirm_end - study.clock.elapsed)


def _another_round(study: Study, last: dict[Genotype, Record], plan: Plan) -> bool:
    """Whether the members of the last round can be trained once more in the time."""
    seconds = sum(record.trial.seconds for record in last.values()) / max(1, study.workers)
    longest = max(record.trial.seconds for record in last.values())
    return not study.stopping and max(seconds, longest) * SPARE < _left(study, plan)


def _member(study: Study, searched: Record | None, confirmed: list[Record]) -> Member:
    """A member judged by its predictions on fresh folds; the models of the search, where kept, help to predict."""
    predictions = [study.predictions(record) for record in confirmed]
    rows = [study.covered(*record.folds) for record in confirmed]
    common = rows[0]
    for other in rows[1:]:
        common = np.intersect1d(common, other)
    aligned = [values[np.searchsorted(own, common)] for values, own in zip(predictions, rows, strict=True)]
    kept = confirmed if searched is None else [*confirmed, searched]
    replicas = tuple(blob for record in kept for blob in study.replicas(record))
    return Member(confirmed[0], common, np.mean(aligned, axis=0), replicas)
