"""Gradient descent (Rumelhart, Hinton and Williams 1986) on the networks of a program, in a step loop of our
own.

Keras builds the layers, PyTorch moves them: measured against Keras's own `fit`, candidates are ready two to
four times sooner. Adam (Kingma and Ba 2015) with decoupled weight decay; the schedule is stretched over the
steps that the deadline allows, so that training always ends with a small learning rate. A whole cycle of the
schedule without a better epoch ends training early.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from perennial.errors import Diverged, ProgramError
from perennial.lang import FitContext, Learner, Network, Program, State
from perennial.trainers.base import Batch, Fitted, Trainer, fitted_words, walk

WARMING_STEPS, MEASURED_STEPS = 3, 12
SPARE_SECONDS = 0.1
SMALLEST_BATCH, BATCHES_AN_EPOCH = 16, 16
STEPS_BETWEEN_VALIDATIONS = 10
VALIDATION_ROWS = 2048
CYCLE_ENDS = (1 / 15, 3 / 15, 7 / 15, 1.0)
# logits further apart have gradients near the subnormal range, which processors compute ten times slower
SUREST = 20.0


class Backprop(Trainer):
    """Fits learners as they come and networks by gradients.

    A network is fitted when the walk reaches it, on what the words before it give; gradients do not flow from
    one network into another.
    """

    def can_train(self, program: Program) -> bool:
        """Whether all fitted words are learners or networks."""
        return all(isinstance(word, Learner | Network) for word in fitted_words(program))

    def fit(self, program: Program, data: Batch, context: FitContext) -> Fitted:
        """Fits every fitted word of the program, in the order of evaluation.

        Raises:
            Diverged: the loss of a network is NaN or infinite; the message names the step.
        """
        return walk(program, data, context, fit_network)


def coslog4(progress: float) -> float:
    """Four cosine cycles of doubling length over `progress` 0 to 1, as a factor of the learning rate.

    >>> [round(coslog4(progress), 3) for progress in (0.0, 1 / 15, 3 / 15, 7 / 15, 1.0)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> round(coslog4((2**3.5 - 1) / 15), 3)
    1.0
    """
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * progress)))


def fit_network(
    word: Network, inputs: tuple, target: Any, context: FitContext, parameters: dict[str, Any]
) -> State:
    """Trains one network on the training rows; what had the lowest validation loss is kept.

    Without validation rows the last step is kept.

    Raises:
        Diverged: the loss is NaN or infinite; the message names the step.
        ProgramError: Keras runs on another backend than PyTorch.
    """
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import torch

    backend = keras.backend.backend()
    if backend != "torch":
        raise ProgramError(
            "Networks are trained on PyTorch; other backends only predict.",
            where=f"KERAS_BACKEND={backend}",
            todo="Set KERAS_BACKEND=torch.",
        )
    torch.set_num_threads(1)  # the matrices are small: a second thread costs more than it brings
    layout = word.layout(inputs, context.types)
    truth, scale = _prepare_target(np.asarray(target), context)
    model = word.build(word.concrete_types(layout), context.output, context.seed, **parameters)
    weights = np.ones(len(truth)) if context.sample_weight is None else np.asarray(context.sample_weight)
    arrays = (*word.prepare(inputs, layout), truth, weights.astype(np.float32))
    with _no_denormals():
        best = _Loop(word, model, arrays, context, word.recipe(**parameters)).run()
    named = {f"variable_{number:03d}": array for number, array in enumerate(best)}
    texts = {"output": context.output.name, "type": str(context.output), "layout": json.dumps(layout)}
    return State({**named, "target": scale}, texts)


def _prepare_target(target: np.ndarray, context: FitContext) -> tuple[np.ndarray, np.ndarray]:
    """The target as the loss wants it; mean, deviation, lowest and highest of training values `(4, m)`."""
    n = context.train_rows
    if context.output.name == "Dist":
        return target.astype(np.int64), np.zeros((4, 1))
    values = target.reshape(len(target), -1).astype(np.float64)
    if context.output.name == "Marginals":
        return values.astype(np.float32), np.zeros((4, 1))
    mean, deviation = values[:n].mean(axis=0), values[:n].std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    scale = np.stack([mean, deviation, values[:n].min(axis=0), values[:n].max(axis=0)])
    return ((values - mean) / deviation).astype(np.float32), scale


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as zero inside: Adam's moments of dead units decay to them, and then a step
    takes ten times as long."""
    import torch

    changed = torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if changed:
            torch.set_flush_denormal(False)


class _Loop:
    """The step loop of one network."""

    def __init__(
        self, word: Network, model: Any, arrays: tuple, context: FitContext, recipe: dict[str, Any]
    ) -> None:
        import torch

        self.model, self.context, self.recipe = model, context, recipe
        self.forward = _training_pass(word, model)
        self.device = model.trainable_variables[0].value.device
        *inputs, truth, weights = [
            torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in arrays
        ]
        self.inputs, self.truth, self.weights = inputs, truth, weights
        n = context.train_rows
        self.batch = min(
            n, recipe["batch"], max(SMALLEST_BATCH, 2 ** round(math.log2(max(1, n / BATCHES_AN_EPOCH))))
        )
        self.steps_per_epoch = max(1, n // self.batch)
        steps = min(recipe["epochs"] * self.steps_per_epoch, recipe["steps"])
        self.steps = max(1, round(steps * context.fidelity))
        self.optimiser, self.rates = self._make_optimiser()
        self.generator = np.random.default_rng(context.seed)
        self.best_loss, self.best_step, self.cycle = math.inf, 0, 0
        self.best = self._copy()

    def _make_optimiser(self) -> tuple[Any, list[float]]:
        """Adam over groups of variables with one learning rate and decay each, and those learning rates."""
        import torch

        groups: dict[tuple[float, float], list] = {}
        for variable in self.model.trainable_variables:
            groups.setdefault(self._rate_and_decay(variable), []).append(variable.value)
        told = [{"params": parameters, "weight_decay": decay} for (_, decay), parameters in groups.items()]
        return torch.optim.AdamW(told, lr=0.0, betas=self.recipe["betas"], fused=True), [
            rate for rate, _ in groups
        ]

    def _rate_and_decay(self, variable: Any) -> tuple[float, float]:
        """Neural-tangent parametrisation: a weight moves 1 / sqrt(fan-in) as far, and decays as fast."""
        rate, layer = self.recipe["learning_rate"], variable.path.split("/")[-2]
        if variable.name == "bias":
            return rate * self.recipe["bias_factor"], 0.0
        if layer == "scale":
            return rate * self.recipe["scale_factor"], 0.0
        if variable.name != "kernel":
            return rate, 0.0
        root = math.sqrt(math.prod(variable.shape[:-1]))
        return rate / root, self.recipe["weight_decay"] * root

    def run(self) -> list[np.ndarray]:
        """Trains to the last step that fits; returns the weights of the best epoch."""
        step, begin, losses, since = 0, time.monotonic(), [], 0
        while step < self.steps:
            for rows in self._batches():
                if step >= self.steps or self._out_of_time():
                    break
                losses.append(self._step(rows, step))
                step += 1
                if step == WARMING_STEPS:
                    begin = time.monotonic()
                elif step == MEASURED_STEPS:
                    self._fit_to_deadline(step, begin)
            ending = step >= self.steps or self._out_of_time()
            if ending or step - since >= STEPS_BETWEEN_VALIDATIONS:
                self._record(step, losses)
                since, losses = step, []
                self._fit_to_deadline(step, begin)
            if ending or self._fruitless(step):
                break
        return [array.cpu().numpy() for array in self.best]

    def _batches(self) -> Iterator[Any]:
        import torch

        order = torch.from_numpy(self.generator.permutation(self.context.train_rows)).to(self.device)
        for number in range(self.steps_per_epoch):
            yield order[number * self.batch : (number + 1) * self.batch]

    def _step(self, rows: Any, step: int) -> float:
        factor = coslog4((step + 1) / (self.steps + 1))
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.optimiser.zero_grad(set_to_none=True)
        raw = self.forward([values[rows] for values in self.inputs], self._drop)
        loss = self._loss(raw, self.truth[rows], self.weights[rows], self.recipe["label_smoothing"])
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(
                f"The loss became {value} at step {step}.",
                where=f"learning rate {self.recipe['learning_rate']:g}",
                todo="Lower the learning rate.",
            )
        loss.backward()
        self.optimiser.step()
        return value

    def _drop(self, values: Any, share: float) -> Any:
        """Leaves out units; random bytes from NumPy are a tenth of the price of PyTorch's uniform draws."""
        import torch

        least = round(256 * share)
        drawn = torch.frombuffer(bytearray(self.generator.bytes(values.numel())), dtype=torch.uint8)
        kept = (drawn >= least).to(values.device, values.dtype).view(values.shape)
        return values * kept.mul_(256 / (256 - least))

    def _loss(self, raw: Any, truth: Any, weights: Any, smoothing: float) -> Any:
        from torch.nn import functional

        if self.context.output.name == "Dist":
            raw = (raw - raw.detach().max(dim=1, keepdim=True).values).clamp(min=-SUREST)
            each = functional.cross_entropy(raw, truth, reduction="none", label_smoothing=smoothing)
        elif self.context.output.name == "Marginals":
            raw = raw.clamp(-SUREST, SUREST)
            each = functional.binary_cross_entropy_with_logits(raw, truth, reduction="none").mean(dim=1)
        else:
            each = ((raw - truth) ** 2).mean(dim=1)
        if self.context.sample_weight is None:
            return each.mean()
        return (each * weights).sum() / weights.sum().clamp_min(1e-12)

    def _record(self, step: int, losses: list[float]) -> None:
        """Notes the losses, and keeps the weights when they are the best so far."""
        loss = self._validation_loss()
        train = sum(losses) / len(losses) if losses else None
        self.context.curve.append({"step": step, "train": train, "validation": loss})
        if loss is None or loss <= self.best_loss:
            self.best, self.best_step = self._copy(), step
            self.best_loss = math.inf if loss is None else loss

    def _fruitless(self, step: int) -> bool:
        """Whether a cycle of the schedule has just ended that brought no better epoch."""
        ended = sum(step >= share * self.steps for share in CYCLE_ENDS)
        if ended == self.cycle or len(self.truth) == self.context.train_rows:
            return False
        begin = CYCLE_ENDS[ended - 2] * self.steps if ended > 1 else 0
        self.cycle = ended
        return self.best_step <= begin

    def _validation_loss(self) -> float | None:
        """The loss on the rows that are not learnt from; None without any."""
        import torch

        n = self.context.train_rows
        if len(self.truth) == n:
            return None
        with torch.no_grad():
            parts = zip(*(values[n:].split(VALIDATION_ROWS) for values in self.inputs), strict=True)
            raw = torch.cat([self.forward(list(part), lambda values, share: values) for part in parts])
            loss = self._loss(raw, self.truth[n:], self.weights[n:], 0.0).item()
        return loss if math.isfinite(loss) else math.inf

    def _fit_to_deadline(self, step: int, begin: float) -> None:
        """The schedule ends where the time does, by what a step has cost so far, validation included."""
        left = self.context.deadline - time.monotonic() - SPARE_SECONDS
        if math.isfinite(left) and step > WARMING_STEPS:
            seconds = (time.monotonic() - begin) / (step - WARMING_STEPS)
            self.steps = max(step + 1, min(self.steps, step + int(left / seconds)))

    def _out_of_time(self) -> bool:
        return time.monotonic() > self.context.deadline - SPARE_SECONDS / 2

    def _copy(self) -> list[Any]:
        return [variable.value.detach().clone() for variable in self.model.weights]


def _training_pass(word: Network, model: Any) -> Callable:
    """How a batch goes through the network: the word's own short way when it has one, else Keras's."""
    if hasattr(word, "training_pass"):
        return word.training_pass(model)
    import torch

    return lambda inputs, drop: model(inputs, training=torch.is_grad_enabled())
