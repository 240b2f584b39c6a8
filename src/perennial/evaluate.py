"""Train and score one proposal: the unit of work that is sent to an executor.

Everything here runs inside a worker process. A worker receives one `Bench` when it starts (the rows it may learn
from, the protocol and the metric; never a test row) and then `evaluate` jobs, each a program as source text.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial import compiler, morphism, trainers
from perennial.errors import Diverged, Rejected
from perennial.lang import FitContext, Program, State, parse
from perennial.library.features import Part, only_state, part_of, scores, with_parts, without_parts
from perennial.library.golden import answers
from perennial.library.upkeep import replayed
from perennial.metrics import Metric
from perennial.primitives import vocabulary
from perennial.protocol import Protocol
from perennial.spaces import Limits
from perennial.spaces.limits import cost_of
from perennial.task import Task
from perennial.trainers import Batch
from perennial.weights import Weights

SMALLEST_TRAINING_SET = 50
TRAIN_SCORE_ROWS = 5_000
PACE_ROWS = 300
FITTING_SHARE = 0.85  # the rest is for the predictions
NETWORK_SHARE = 0.97  # a network keeps time for them by itself


@dataclass(frozen=True)
class Bench:
    """What a worker holds on to: the training rows, how candidates are judged, and how many threads it may use.

    Args:
        task: the rows that may be learnt from; the sealed test rows are not in it.
        protocol: gives the folds.
        metric: the one number that counts.
        threads: of each fit.
    """

    task: Task
    protocol: Protocol
    metric: Metric
    threads: int = 1


@dataclass(frozen=True)
class Ancestor:
    """A candidate that was trained before: its program as text, and its packed weights, one a fold."""

    source: str
    blobs: tuple[bytes, ...]


@dataclass(frozen=True)
class Paused:
    """A training that had a share of a full evaluation: the share, and the packed checkpoint."""

    fidelity: float
    checkpoint: bytes


@dataclass(frozen=True)
class Outcome:
    """What training and scoring one program on its folds gave.

    `score` (of all validated rows together) and `scores` (fold by fold) are larger-is-better; `value` is
    the metric as people read it. `predictions` has one row per training row that was in a validation fold
    (`covered`), in the order of the task. `blobs` holds one set of weights a fold, packed.
    `checkpoint` is where the training of networks stands that had less than a full evaluation.
    """

    score: float
    scores: tuple[float, ...]
    value: float
    train_score: float | None
    seconds: float
    covered: np.ndarray
    predictions: np.ndarray
    curve: tuple[dict, ...] = ()
    blobs: tuple[bytes, ...] = ()
    program_hash: str = ""
    checkpoint: bytes = b""


def evaluate(
    bench: Bench,
    *,
    source: str,
    seed: int,
    fold_seed: int | None = None,
    fold_limit: int | None = None,
    fidelity: float = 1.0,
    seconds: float = float("inf"),
    keep_above: float = float("-inf"),
    limits: Limits | None = None,
    parent: Ancestor | None = None,
    paused: Paused | None = None,
    known: Mapping[str, bytes] = MappingProxyType({}),
) -> Outcome:
    """Trains `source` on every fold and scores it on the rows held out.

    Args:
        bench: the worker's payload.
        source: the program as readable source text.
        seed: of every random draw in training.
        fold_seed: `None` for the folds of the search; another number draws fresh folds.
        fold_limit: use only the first so many folds (screening a candidate on large data).
        fidelity: 0 to 1. Below 1 only the first fold is used: networks get this share of their steps and time,
            everything else this share of the training rows.
        seconds: time for all folds together; each fold gets an equal part of what is left.
        keep_above: the weights come back only when the score reaches this.
        limits: the most that its networks may cost.
        parent: whose weights, of the same folds, its networks start from.
        paused: a training of the same program on the first fold, to go on from.
        known: packed weights of parts that were trained on other tasks, by the hash of their node: of `frozen` or
            `recalled`, or of the outermost of layers that start from them. The former do not come back with the weights.

    Raises:
        Diverged: the predictions hold NaN or infinity.
        Rejected: it is over a limit; nothing was built.
    """
    program = parse(source, vocabulary())
    _refuse_oversized(program, bench.task, limits)
    folds = bench.protocol.folds(bench.task, np.arange(bench.task.rows), seed=fold_seed)[:fold_limit]
    network = bool(compiler.heads(program))
    if fidelity < 1.0:
        folds = folds[:1] if network else [_shrink(folds[0], fidelity, seed)]
    if network:
        seconds *= fidelity - (paused.fidelity if paused else 0.0)
    checkpoints = {} if network and fidelity < 1.0 else None
    learnt = _learnt_before(program, known)
    start, results = time.monotonic(), []
    for number, (train, validation) in enumerate(folds):
        left = seconds - (time.monotonic() - start)
        deadline = time.monotonic() + _fitting_share(program) * left / (len(folds) - number)
        how = {
            "initial": learnt
            if parent is None
            else {**learnt, **_inherited(bench.task, parent, number, program, seed)},
            "resume": Weights.from_bytes(paused.checkpoint) if paused and number == 0 else {},
            "fidelity": fidelity if network else 1.0,
            "checkpoints": checkpoints,
        }
        results.append(_fit_fold(bench, program, train, validation, seed + number, deadline, **how))
    own = [replace(each, weights=without_parts(program, each.weights, known)) for each in results]
    outcome = _gather(bench, program, folds, own, time.monotonic() - start, keep_above)
    return replace(outcome, checkpoint=Weights(checkpoints).to_bytes()) if checkpoints else outcome


def predict(
    bench: Bench,
    *,
    source: str,
    blobs: tuple[bytes, ...],
    inputs: dict[str, np.ndarray],
    parts: Sequence[Part] = (),
) -> np.ndarray:
    """The mean prediction of a program under several sets of weights (the bagged fold models), and parts of other tasks."""
    return _model(bench, source, blobs, parts).predict_values(inputs)


def golden(
    bench: Bench, *, source: str, blobs: tuple[bytes, ...], inputs: dict[str, np.ndarray]
) -> np.ndarray:
    """What a whole program says to its golden inputs, for its record."""
    return answers(_model(bench, source, blobs, ()), inputs)


def replay(bench: Bench, **told: Any) -> tuple[bool, str]:
    """Whether a model of the library says what it said when it was kept; see `library.upkeep.replayed`."""
    return replayed(**told)


def pace(bench: Bench, *, source: str, blob: bytes, parts: Sequence[Part] = ()) -> tuple[float, float]:
    """What a set of weights takes to be loaded and asked about its first row, and what each further row takes, in seconds."""
    start, asked = time.monotonic(), bench.task.take(np.arange(min(PACE_ROWS, bench.task.rows)))
    model = _model(bench, source, (blob,), parts)
    model.predict_values(bench.task.take(np.arange(1)).inputs)
    loaded = time.monotonic()
    model.predict_values(asked.inputs)
    return loaded - start, (time.monotonic() - loaded) / asked.rows


def _model(bench: Bench, source: str, blobs: tuple[bytes, ...], parts: Sequence[Part]) -> Any:
    from perennial.model import Model

    program, replicas = parse(source, vocabulary()), [Weights.from_bytes(blob) for blob in blobs]
    whole = with_parts(program, compiler.together(program, replicas), parts, bench.task.input_type)
    return Model(program, whole, bench.task.schema)


def transferability_of(bench: Bench, *, part: Part, seed: int) -> float | None:
    """How much a part of another task says about the target; see `library.features.scores`."""
    return scores([part], bench.task, seed)[0]


def part(bench: Bench, *, source: str, blob: bytes) -> tuple[str, str, bytes] | None:
    """What a library keeps of a trained network; see `library.features.part_of`."""
    return part_of(parse(source, vocabulary()), Weights.from_bytes(blob), (bench.task.input_type,))


def _fitting_share(program: Program) -> float:
    return NETWORK_SHARE if compiler.heads(program) else FITTING_SHARE


def _refuse_oversized(program: Program, task: Task, limits: Limits | None) -> None:
    if limits is None or not compiler.heads(program):
        return
    broken = limits.broken_by(cost_of(program, (task.input_type,), task.output_type))
    if broken:
        raise Rejected(f"Too large before it was built: {broken}.")


def _learnt_before(program: Program, known: Mapping[str, bytes]) -> dict[str, State]:
    """The weights of parts from other tasks, by node hash: one state of what stays as it is, one a layer of what does not."""
    found: dict[str, State] = {}
    reused = {node.hash for node in compiler.reused_parts(program)}
    for node in program.walk() if known else ():
        if node.hash in known:
            state = only_state(known[node.hash])
            compiler.keep_answers(node, state)
            found |= {node.hash: state} if node.hash in reused else compiler.layer_states(node, state)
    return found


def _inherited(task: Task, parent: Ancestor, number: int, program: Program, seed: int) -> Mapping[str, State]:
    """Weights of the layers to start from, by node hash; none where the two are no networks."""
    source = parse(parent.source, vocabulary())
    if number >= len(parent.blobs) or not (compiler.heads(source) and compiler.heads(program)):
        return {}
    states = compiler.split(source, Weights.from_bytes(parent.blobs[number]))
    return morphism.inherit(source, states, program, (task.input_type,), seed).states


@dataclass(frozen=True)
class _FoldResult:
    weights: Weights
    predictions: np.ndarray
    score: float
    train_score: float
    curve: list = field(default_factory=list)


def _fit_fold(
    bench: Bench,
    program: Program,
    train: np.ndarray,
    validation: np.ndarray,
    seed: int,
    deadline: float,
    **how: Any,
) -> _FoldResult:
    """Trains on one fold; `how` are further fields of the `FitContext`."""
    task, metric = bench.task, bench.metric
    rows = np.concatenate([train, validation])
    inputs = {name: column[rows] for name, column in task.inputs.items()}
    curve: list[dict[str, Any]] = []
    sample = np.sort(np.random.default_rng(seed).permutation(len(train))[:TRAIN_SCORE_ROWS])
    context = FitContext(
        output=task.output_type,
        train_rows=len(train),
        seed=seed,
        deadline=deadline,
        threads=bench.threads,
        types=(task.input_type,),
        curve=curve,
        sample_weight=None if task.sample_weight is None else task.sample_weight[rows],
        wanted=np.concatenate([sample, np.arange(len(train), len(rows))]),
        **how,
    )
    batch = Batch((task.schema.argument(inputs),), task.target[rows], len(train))
    fitted = trainers.resolve(program).fit(program, batch, context)
    predictions = np.asarray(fitted.predictions, dtype=np.float64)
    held_out, seen = predictions[len(sample) :], predictions[: len(sample)]
    if not np.isfinite(held_out).all():
        raise Diverged(
            "The predictions hold NaN or infinity.",
            where=f"{int((~np.isfinite(held_out)).sum())} of {held_out.size} validation values",
        )
    train_score = metric.score(task.target[train[sample]], seen) if np.isfinite(seen).all() else float("nan")
    return _FoldResult(
        fitted.weights, held_out, metric.score(task.target[validation], held_out), train_score, curve
    )


def _gather(bench, program, folds, results, seconds, keep_above) -> Outcome:
    """Joins the folds; a row that several repeats validated gets the mean of its predictions."""
    task = bench.task
    shape = (task.rows, *results[0].predictions.shape[1:])
    total, count = np.zeros(shape), np.zeros(task.rows)
    for (_, validation), result in zip(folds, results, strict=True):
        np.add.at(total, validation, result.predictions)
        np.add.at(count, validation, 1)
    covered = np.flatnonzero(count)
    predictions = total[covered] / count[covered].reshape(-1, *[1] * (total.ndim - 1))
    scores = tuple(float(result.score) for result in results)
    score = float(bench.metric.score(task.target[covered], predictions))
    train_scores = [result.train_score for result in results]
    return Outcome(
        score=score,
        scores=scores,
        value=bench.metric.value(score),
        train_score=float(np.mean(train_scores)),
        seconds=seconds,
        covered=covered,
        predictions=predictions.astype(np.float32) if task.rows > 100_000 else predictions,
        curve=tuple(results[0].curve),
        blobs=tuple(result.weights.to_bytes() for result in results) if score >= keep_above else (),
        program_hash=program.hash,
    )


def _shrink(fold: tuple[np.ndarray, np.ndarray], fidelity: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    train, validation = fold
    keep = min(len(train), max(SMALLEST_TRAINING_SET, int(len(train) * fidelity)))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:keep])
    return train[chosen], validation


def derive_seed(*parts: object) -> int:
    """A seed that depends on its parts alone, so that the order in which candidates finish does not matter.

    >>> derive_seed(0, "abc") == derive_seed(0, "abc") != derive_seed(1, "abc")
    True
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") >> 1


def pack_array(array: np.ndarray) -> bytes:
    """An array as `.npy` bytes (never objects)."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def unpack_array(data: bytes) -> np.ndarray:
    """The inverse of `pack_array`; refuses object arrays.

    >>> unpack_array(pack_array(np.arange(3))).tolist()
    [0, 1, 2]
    """
    return np.load(io.BytesIO(data), allow_pickle=False)
