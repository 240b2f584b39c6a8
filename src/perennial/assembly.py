"""From confirmed candidates to one model: a weighted average of programs is a program again.

Each member was trained on the same folds, so the weights of fold `k` of every member form one replica of the joint
program; the model's prediction is the mean over its replicas (bagging, Breiman 1996). The weights of the average
come from greedy selection on out-of-fold predictions (Caruana et al. 2004), so no member is fitted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perennial import compiler, ensemble
from perennial.history import Record
from perennial.lang import Call, Lambda, Layer, Literal, Program, Var, call, parse, to_source
from perennial.metrics import Metric, paired_difference, standard_error
from perennial.primitives import vocabulary
from perennial.weights import Weights

LARGEST_ENSEMBLE = 12
MOST_GIVEN_AWAY = 0.01
NETWORK = "network"


@dataclass(frozen=True)
class Candidate:
    """A program that could be the answer, with the weights and the evidence.

    Args:
        kind: `baseline`, `single` or `ensemble`.
        source: the program.
        replicas: packed weights, one set a fold model.
        rows: training rows that `predictions` speak of.
        predictions: out-of-fold predictions of those rows.
        value: the metric on them; `score` the same, larger is better.
        members: trial number and share of each member.
        decision: how probabilities become labels.
    """

    kind: str
    source: str
    replicas: tuple[bytes, ...]
    rows: np.ndarray
    predictions: np.ndarray
    value: float
    score: float
    members: tuple[tuple[int, float], ...] = ()
    decision: dict[str, Any] | None = field(default=None)


@dataclass(frozen=True)
class Member:
    """One confirmed candidate: its program, its mean out-of-fold prediction and its replicas, in fold order."""

    record: Record
    rows: np.ndarray
    predictions: np.ndarray
    replicas: tuple[bytes, ...]


@dataclass(frozen=True)
class _Mixture:
    """What an average of members says, before its program is built: shares sum to 1, the largest first."""

    members: tuple[Member, ...]
    shares: tuple[float, ...]
    predictions: np.ndarray
    score: float


def single(member: Member, metric: Metric, target: np.ndarray) -> Candidate:
    """One member as the answer."""
    return Candidate(
        "single",
        member.record.source,
        member.replicas,
        member.rows,
        member.predictions,
        float(metric(target[member.rows], member.predictions)),
        float(metric.score(target[member.rows], member.predictions)),
        ((member.record.trial.number, 1.0),),
    )


def average(members: Sequence[Member], metric: Metric, target: np.ndarray, seed: int) -> Candidate:
    """The greedy weighted average of members that share rows and folds; one member may take it all."""
    return _built(_mixed(members, metric, target, seed), metric, target)


def _mixed(members: Sequence[Member], metric: Metric, target: np.ndarray, seed: int) -> _Mixture:
    """The members that an average takes, with their shares."""
    actual = target[members[0].rows]
    weights = ensemble.steady([member.predictions for member in members], actual, metric, seed=seed)
    chosen = sorted(
        ((member, float(weight)) for member, weight in zip(members, weights, strict=True) if weight > 0),
        key=lambda pair: -pair[1],
    )[:LARGEST_ENSEMBLE]
    total = sum(weight for _, weight in chosen)
    shares = tuple(round(weight / total, 6) for _, weight in chosen)
    predictions = sum(
        share * member.predictions for share, (member, _) in zip(shares, chosen, strict=True)
    ) / sum(shares)
    score = float(metric.score(actual, predictions))
    return _Mixture(tuple(member for member, _ in chosen), shares, predictions, score)


def _built(mixture: _Mixture, metric: Metric, target: np.ndarray) -> Candidate:
    """The average as one program with joint weights."""
    members, shares = mixture.members, mixture.shares
    if len(members) == 1:
        return single(members[0], metric, target)
    rows = members[0].rows
    program = averaged([parse(member.record.source, vocabulary()) for member in members], shares)
    return Candidate(
        "ensemble",
        to_source(program),
        merge([member.replicas for member in members]),
        rows,
        mixture.predictions,
        float(metric(target[rows], mixture.predictions)),
        mixture.score,
        tuple((member.record.trial.number, share) for share, member in zip(shares, members, strict=True)),
    )


def heard(members: Sequence[Member], metric: Metric, target: np.ndarray, seed: int) -> list[Member]:
    """The members that an average may take: of those that stand on a library, where the rows are few and none of them is the
    best, only the one that an average of them leans on most.

    What stands on the same features says much the same. One adds what a library knows; of many the weights take what is
    lucky on these rows.

    Args:
        members: that share rows and folds.
        metric, target, seed: as for `average`.
    """
    rows, stands = target[members[0].rows], [_stands_on_others(member) for member in members]
    reusing = [member for member, of_others in zip(members, stands, strict=True) if of_others]
    if len(reusing) < 2 or len(rows) >= ensemble.SMALL_ROWS:
        return list(members)
    scores = [metric.score(rows, member.predictions) for member in members]
    best = max(score for score, of_others in zip(scores, stands, strict=True) if of_others)
    if best >= max(scores):
        return list(members)
    weights = ensemble.steady([member.predictions for member in reusing], rows, metric, seed=seed)
    voice = reusing[int(np.argmax(weights))]
    return [
        member for member, of_others in zip(members, stands, strict=True) if member is voice or not of_others
    ]


def sparing(
    answer: Candidate,
    members: Sequence[Member],
    metric: Metric,
    target: np.ndarray,
    seed: int,
    constant: float,
) -> Candidate:
    """The answer with the fewest parts of its own that is not worse than this one by more than a standard error.

    Where a library was of use, what stands on its records can take the answer's place: each such member, and their
    average; and the averages of members that have fewer parts of their own, and of all members but one. The difference
    is paired, row by row, so its error is small where the two say the same. (The rule of one standard error; Breiman,
    Friedman, Olshen & Stone 1984.) On few rows the error is large and says little, so no more than a hundredth of the
    gain over a constant is given away.

    Args:
        answer: the best average.
        members: that it was made from.
        metric, target, seed: as for `average`.
        constant: the score without any model.
    """
    if not any(_stands_on_others(member) for member in members):
        return answer
    own = {member.record.trial.number: _own(member) for member in members}

    def parts(numbers: Iterable[int]) -> int:
        return len(frozenset().union(*(own[number] for number in numbers)))

    mixtures = [_mixed(group, metric, target, seed) for group in _smaller(members, own)]
    sized = [
        (parts(member.record.trial.number for member in mixture.members), mixture) for mixture in mixtures
    ]
    most = parts(number for number, _ in answer.members)
    for size, mixture in sorted(sized, key=lambda each: (each[0], -each[1].score)):
        if size >= most:
            break
        mean, low, high = paired_difference(
            metric, target[answer.rows], mixture.predictions, answer.predictions, seed=seed
        )
        if mean >= -min(standard_error(low, high), MOST_GIVEN_AWAY * (answer.score - constant)):
            return _built(mixture, metric, target)
    return answer


def _smaller(members: Sequence[Member], own: Mapping[int, frozenset[str]]) -> list[Sequence[Member]]:
    """The groups of members whose average may take the place of the average of all, each once."""
    reusing = [member for member in members if _stands_on_others(member)]
    sizes = [len(own[member.record.trial.number]) for member in members]
    groups = [[member] for member in reusing] + [reusing]
    groups += [
        [member for member, size in zip(members, sizes, strict=True) if size <= most]
        for most in sorted(set(sizes))[:-1]
    ]
    groups += [[member for member in members if member is not left] for left in members if len(members) > 1]
    return list({tuple(member.record.trial.number for member in group): group for group in groups}.values())


def _stands_on_others(member: Member) -> bool:
    return bool(compiler.reused_parts(parse(member.record.source, vocabulary())))


def parts_of(candidate: Candidate) -> int:
    """How many parts a candidate has of its own, in one of its replicas."""
    return len(_own(candidate))


def _own(of: Candidate | Member) -> frozenset[str]:
    source = of.source if isinstance(of, Candidate) else of.record.source
    return own_parts(parse(source, vocabulary()), Weights.from_bytes(of.replicas[0]))


def own_parts(program: Program, weights: Weights) -> frozenset[str]:
    """The layers and learners of a program that were fitted for it alone, by node hash; what is reused was fitted elsewhere."""
    networks = {head.hash for head in compiler.heads(program)}
    reused = {node.hash for node in compiler.reused_parts(program)}
    layers = compiler.split(program, weights) if networks else {}
    return frozenset(layers) | (frozenset(weights) - networks - reused)


def averaged(programs: Sequence[Program], shares: Sequence[float]) -> Program:
    """`row -> weighted_average(p(row), q(row), …, weights=shares)`.

    Members name their argument alike; a member that does not is renamed.
    """
    name = programs[0].names[0]
    bodies = [program.body.replace(_argument(program), _argument(programs[0])) for program in programs]
    word = vocabulary()["weighted_average"]
    return Lambda((name,), call(word, *bodies, weights=tuple(shares)))


def calibrated(
    candidate: Candidate, target: np.ndarray, classification: bool
) -> tuple[Candidate, dict[str, float]]:
    """The candidate with its probabilities sharpened or softened by one temperature (Guo et al. 2017).

    Returns the candidate unchanged when it is no classifier, or when log-loss on the out-of-fold predictions does not
    fall by at least one in a thousand.
    """
    if not classification:
        return candidate, {"temperature": 1.0}
    actual = target[candidate.rows]
    temperature = float(ensemble.temperature(candidate.predictions, actual))
    before = _log_loss(candidate.predictions, actual)
    softened = apply_temperature(candidate.predictions, temperature)
    after = _log_loss(softened, actual)
    report = {"temperature": temperature, "before": before, "after": after}
    if after > before * 0.999:
        return candidate, {**report, "temperature": 1.0, "after": before}
    program = parse(candidate.source, vocabulary())
    word = vocabulary()["calibrate"]
    body = Call(word, (program.body,), (("temperature", Literal(round(temperature, 6))),))
    source = to_source(Lambda(program.names, body))
    return Candidate(**{**candidate.__dict__, "source": source, "predictions": softened}), report


def apply_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of the log-probabilities divided by the temperature.

    >>> apply_temperature(np.array([[0.9, 0.1]]), 1.0).round(3).tolist()
    [[0.9, 0.1]]
    """
    logits = np.log(np.clip(probability, 1e-12, 1.0)) / temperature
    powered = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powered / powered.sum(axis=1, keepdims=True)


def merge(replicas: Sequence[Sequence[bytes]]) -> tuple[bytes, ...]:
    """Joins the weights of several programs fold by fold.

    A sub-program that two members share (the same scaler, say) has the same key and, trained on the same rows with the
    same seed, the same weights.
    """
    joined = []
    for fold in zip(*replicas, strict=True):
        states: dict[str, Any] = {}
        for packed in fold:
            states.update(Weights.from_bytes(packed))
        joined.append(Weights(states).to_bytes())
    return tuple(joined)


def learner_of(source: str) -> str:
    """What kind of model a program is, from its text."""
    return kind_of(parse(source, vocabulary()))


def kind_of(program: Program) -> str:
    """What kind of model a program is: its last fitted word, or `network`."""
    for node in program.walk():
        if isinstance(node, Call) and getattr(node.function, "fits", False):
            return NETWORK if isinstance(node.function, Layer) else node.function.name
    return "program"


def _argument(program: Program) -> Program:
    return Var(program.names[0])


def _log_loss(probability: np.ndarray, actual: np.ndarray) -> float:
    return float(-np.log(np.clip(probability[np.arange(len(actual)), actual], 1e-12, 1.0)).mean())
