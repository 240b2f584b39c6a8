"""Trainers move weights: from a closed program and data to the states of its fitted words.

What an author of a new trainer writes: `can_train`, whether a program's words are of the kind it can fit, and
`fit`. It may assume a closed program; it must return by the deadline, learn from the first `train_rows` rows
only, and give the same weights for the same seed. The contract is `perennial.testing.trainers.check_trainer`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from perennial.compiler import compiled, original_states
from perennial.lang import Call, FitContext, Lambda, Learner, Network, Program, State, evaluate, typed
from perennial.lang.ops import Op
from perennial.primitives.reused import Reused
from perennial.weights import Weights

MOST_STEPS = 10_000_000

FitNetwork = Callable[[Network, tuple, Any, FitContext, dict[str, Any]], State]


@dataclass(frozen=True)
class Batch:
    """Rows to learn from and rows to stop by.

    Args:
        arguments: of the program, as batch values; training rows first, validation rows after.
        target: of all rows.
        train_rows: how many rows may be learnt from.
    """

    arguments: tuple
    target: Any
    train_rows: int


@dataclass(frozen=True)
class Fitted:
    """The weights, and the predictions of the program for the rows that `context.wanted` asks for."""

    weights: Weights
    predictions: Any


class Trainer(ABC):
    """Fits programs of some kind."""

    @abstractmethod
    def can_train(self, program: Program) -> bool:
        """Whether every fitted word of the program is of a kind that this trainer fits."""

    @abstractmethod
    def fit(self, program: Program, data: Batch, context: FitContext) -> Fitted:
        """Fits every fitted word of the program.

        `context.types` are the types of the program's arguments, `context.output` the type to predict,
        `context.wanted` the rows to predict.
        """


def fitted_words(program: Program) -> list[Op]:
    """The words of a program that need to be fitted; what is reused was fitted elsewhere.

    Not every trainer fits every kind: learners fit themselves, networks need gradients.
    """
    calls = (node.function for node in program.walk() if isinstance(node, Call))
    return [word for word in calls if getattr(word, "fits", False) and not isinstance(word, Reused)]


def rows_of(value: Any, places: Any) -> Any:
    """Some rows of an array, or of each column of a record."""
    if isinstance(value, Mapping):
        return {name: column[places] for name, column in value.items()}
    return value[places]


def _is_plain(op: Op) -> bool:
    """Whether its predictions for training rows are those for any rows, so that only some can be asked for."""
    return isinstance(op, Network) or (isinstance(op, Learner) and type(op).fit_call is Learner.fit_call)


def walk(program: Program, data: Batch, context: FitContext, fit_network: FitNetwork | None = None) -> Fitted:
    """Runs the program on all rows and fits each word when its inputs are there.

    Learners fit themselves; a `Network` is handed to `fit_network`, and so are layers, joined to networks.
    """
    joined = compiled(program)
    outermost = joined.body if isinstance(joined, Lambda) else joined
    selective = isinstance(outermost, Call) and _is_plain(outermost.function)
    types = typed(joined, context.types, context.output)
    states: dict[str, State] = {}

    def apply(node: Program, op: Op, values: tuple, parameters: dict[str, Any]) -> Any:
        if not op.fits:
            return op.call(*values, **parameters)
        if node.hash in states:
            return op.call(*values, state=states[node.hash], **parameters)
        inputs = tuple(types.get(argument) for argument in node.arguments)
        own = replace(context, output=types.get(node, context.output), types=inputs, node=node.hash)
        last = selective and node is outermost
        if isinstance(op, Learner) and not last:
            states[node.hash], result = op.fit_call(values, data.target, own, **parameters)
            return result
        if isinstance(op, Learner):
            states[node.hash] = op.fit(values, data.target, own, **parameters)
        else:
            states[node.hash] = fit_network(op, values, data.target, own, parameters)
        if last and context.wanted is not None:
            values = tuple(rows_of(value, context.wanted) for value in values)
        return op.call(*values, state=states[node.hash], **parameters)

    predictions = evaluate(joined, *data.arguments, apply=apply, max_size=MOST_STEPS)
    if context.wanted is not None and not selective:
        predictions = predictions[context.wanted]
    return Fitted(Weights(original_states(program, states)), predictions)
