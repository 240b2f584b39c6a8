"""Gradient descent (Rumelhart, Hinton and Williams 1986) on the networks of a program, in a step loop of our
own.

Keras builds the layers, PyTorch moves them: measured against Keras's own `fit`, candidates are ready two to
four times sooner. The parts, one idea a file, are in `descent/`; the schedule is stretched over the steps
that the deadline allows, so that training always ends with a small learning rate.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.errors import ProgramError
from perennial.lang import FitContext, Layer, Learner, Network, Program, State
from perennial.trainers.base import Batch, Fitted, Trainer, fitted_words, walk
from perennial.trainers.descent.checkpoint import Checkpoint, copy_into
from perennial.trainers.descent.loop import Loop
from perennial.trainers.descent.losses import prepare_target
from perennial.trainers.descent.machine import multiplications, no_denormals, threads_for
from perennial.trainers.descent.recipe import Recipe
from perennial.trainers.descent.schedules import coslog4

__all__ = ["Backprop", "coslog4", "fit_network", "prepared"]


class Backprop(Trainer):
    """Fits learners as they come and networks by gradients.

    A network is fitted when the walk reaches it, on what the words before it give; gradients do not flow from
    one network into another.
    """

    def can_train(self, program: Program) -> bool:
        """Whether all fitted words are learners or networks."""
        return all(isinstance(word, Learner | Network | Layer) for word in fitted_words(program))

    def fit(self, program: Program, data: Batch, context: FitContext) -> Fitted:
        """Fits every fitted word of the program, in the order of evaluation.

        Raises:
            Diverged: the loss of a network is NaN or infinite; the message names the step.
        """
        return walk(program, data, context, fit_network)


def fit_network(
    word: Network, inputs: tuple, target: Any, context: FitContext, parameters: dict[str, Any]
) -> State:
    """Trains one network on the training rows; what had the lowest validation loss is kept.

    Without validation rows the last step is kept. It starts from the checkpoint `context.resume` has for
    `context.node`, else from the weights of `context.initial`, else from the seed; where
    `context.checkpoints` is a dictionary it leaves its own there.

    Raises:
        Diverged: the loss is NaN or infinite; the message names the step.
        DamagedFile: weights or checkpoint belong to another network.
        ProgramError: Keras runs on another backend than PyTorch, or the network asks for a training that is
            none.
    """
    loop, layout, scale = prepared(word, inputs, target, context, parameters)
    with no_denormals():
        best = loop.run()
    named = {f"variable_{number:03d}": array for number, array in enumerate(best)}
    texts = {"output": context.output.name, "type": str(context.output), "layout": json.dumps(layout)}
    state = State({**named, "target": scale}, texts)
    if hasattr(word, "keep"):
        copy_into(loop.values, named, "best weights")
        word.keep(loop.model, state)
    return state


def prepared(
    word: Network, inputs: tuple, target: Any, context: FitContext, parameters: dict[str, Any]
) -> tuple[Loop, dict[str, Any], np.ndarray]:
    """A training that is about to begin: its loop, the layout of the inputs and the scale of the target."""
    _need_torch()
    import torch

    torch.set_num_threads(1)
    recipe = Recipe.of(word.recipe(**parameters))
    layout = word.layout(inputs, context.types)
    truth, scale = prepare_target(np.asarray(target), context)
    model = word.build(word.concrete_types(layout), context.output, context.seed, **parameters)
    _start(word, model, context)
    arrays = (*word.prepare(inputs, layout), truth)
    loop = Loop(_training_pass(word, model), model, arrays, context, recipe)
    torch.set_num_threads(threads_for(loop.batch, multiplications(model), context.threads))
    if context.node in context.resume:
        loop.resume(Checkpoint.from_state(context.resume[context.node]))
    return loop, layout, scale


def _need_torch() -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    backend = keras.backend.backend()
    if backend != "torch":
        raise ProgramError(
            "Networks are trained on PyTorch; other backends only predict.",
            where=f"KERAS_BACKEND={backend}",
            todo="Set KERAS_BACKEND=torch.",
        )


def _start(word: Network, model: Any, context: FitContext) -> None:
    """Puts the weights to start from into the model; a word of several nodes knows itself which go where."""
    if hasattr(word, "start"):
        word.start(model, context.initial)
    elif context.node in context.initial:
        arrays = context.initial[context.node].arrays
        weights = {name: arrays[name] for name in sorted(arrays) if name.startswith("variable_")}
        copy_into([variable.value for variable in model.weights], weights, "weights to start from")


def _training_pass(word: Network, model: Any) -> Callable:
    """How a batch goes through the network: the word's own short way when it has one, else Keras's."""
    if hasattr(word, "training_pass"):
        return word.training_pass(model)
    return lambda inputs, drop: model(inputs, training=drop is not None)
