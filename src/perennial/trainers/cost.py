"""Seconds of a training step, predicted before a network is built and learnt from the steps that were
measured.

Operations alone say little: on processors a depthwise convolution costs several times as much for each
operation as a full one, and small layers cost what calling them costs. So the time of a step is a sum of
what it does (calls, operations by kind, numbers that are kept, weights that move), each with a price; the
logarithms of the prices are fitted to the logarithms of measured seconds by a ridge (Hoerl and Kennard
1970) around the prices of an ordinary processor. With nothing measured these hold; each measured trial
moves them towards the machine at hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from perennial.lang import Call, Program, Type, typed

# seconds on one core of an ordinary processor, forwards and backwards together
PRICES: Mapping[str, float] = MappingProxyType(
    {
        "steps": 4e-4,
        "layers": 3e-4,
        "full": 2.5e-11,
        "separable": 1.2e-10,
        "recurrent": 1e-10,
        "kept": 8e-9,
        "weights": 3e-9,
    }
)
PULL_TO_PRICES = 0.05
ORDINARY_ERROR = 0.25
ROUNDS = 30
SEPARABLE = ("separable", "depthwise")
RECURRENT = ("gru", "lstm", "rnn", "recurrent")


@dataclass(frozen=True)
class Work:
    """What one training step does.

    Args:
        layers: calls of layers.
        full: operations of convolutions, dense layers and the like, forwards, for the whole batch.
        separable: operations of depthwise and separable convolutions.
        recurrent: operations of recurrent layers.
        kept: numbers that a forward pass leaves in memory.
        weights: numbers that are learnt.
        steps: 1; what every step costs.
    """

    layers: float
    full: float
    separable: float = 0.0
    recurrent: float = 0.0
    kept: float = 0.0
    weights: float = 0.0
    steps: float = 1.0


def work(program: Program, types: Sequence[Type], output: Type, batch: int) -> Work:
    """What one training step of the networks of a program does, from its types alone.

    Args:
        program: closed; layers are the calls of words with a `cost` that can be asked for `(*types,
            **parameters)`.
        types: of its arguments.
        output: what it must predict.
        batch: rows an update.
    """
    known = typed(program, tuple(types), output)
    total = dict.fromkeys(PRICES, 0.0) | {"steps": 1.0}
    for node in program.walk():
        if not isinstance(node, Call) or not callable(getattr(node.function, "cost", None)):
            continue
        parameters = node.settings
        cost = node.function.cost(*(known[argument] for argument in node.arguments), **parameters)
        total["layers"] += 1.0
        total[_kind(node.function.name)] += batch * cost.flops
        total["kept"] += batch * cost.activations
        total["weights"] += cost.parameters
    return Work(**total)


def _kind(name: str) -> str:
    for kind, parts in (("separable", SEPARABLE), ("recurrent", RECURRENT)):
        if any(part in name for part in parts):
            return kind
    return "full"


@dataclass(frozen=True)
class StepCost:
    """Predicts seconds of a training step.

    Args:
        prices: seconds for one of each thing that `Work` counts.
        measured: how many measurements they were learnt from.

    >>> once = Work(layers=20, full=1e9, kept=1e6, weights=1e5)
    >>> StepCost().learn([(once, 0.5)] * 20).predict(once) > 4 * StepCost().predict(once)
    True
    """

    prices: Mapping[str, float] = field(default_factory=lambda: PRICES)
    measured: int = 0

    def predict(self, work: Work) -> float:
        """Seconds of one step."""
        return sum(price * getattr(work, name) for name, price in self.prices.items())

    def learn(self, measurements: Iterable[tuple[Work, float]]) -> StepCost:
        """The model for the machine on which these seconds were measured.

        Args:
            measurements: work and measured seconds of a step, of this machine only; what is not above 0 is
                left out.
        """
        pairs = [(done, seconds) for done, seconds in measurements if 0 < seconds < math.inf]
        if not pairs:
            return self
        counts = np.array([[getattr(done, name) for name in self.prices] for done, _ in pairs])
        logs = _fitted_logs(counts * list(self.prices.values()), np.log([seconds for _, seconds in pairs]))
        prices = {
            name: price * math.exp(log) for (name, price), log in zip(self.prices.items(), logs, strict=True)
        }
        return StepCost(MappingProxyType(prices), self.measured + len(pairs))


def _fitted_logs(terms: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Logarithms b of factors that minimise sum (log(terms @ exp b) - target)² + pull |b|², by Gauss and
    Newton's steps.

    Seconds that are far off weigh less (Huber 1964): a neighbour may have kept the machine busy.

    Args:
        terms: seconds that each part of each measurement should take, `(n, parts)`.
        target: logarithms of measured seconds `(n,)`.
    """
    logs = np.zeros(terms.shape[1])
    pull = PULL_TO_PRICES * np.eye(len(logs))
    for _ in range(ROUNDS):
        parts = terms * np.exp(logs)
        total = parts.sum(axis=1)
        shares, errors = parts / total[:, None], target - np.log(total)
        trust = np.minimum(1.0, ORDINARY_ERROR / np.maximum(np.abs(errors), 1e-12))
        weighted = shares * trust[:, None]
        step = np.linalg.solve(weighted.T @ shares + pull, weighted.T @ errors - PULL_TO_PRICES * logs)
        logs = logs + np.clip(step, -1.0, 1.0)
    return logs
