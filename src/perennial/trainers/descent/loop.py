"""The step loop of one network: batches, updates, validation, the deadline, and what is kept at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from perennial.errors import Diverged
from perennial.lang import FitContext
from perennial.trainers.descent.augmentation import Augmentation
from perennial.trainers.descent.checkpoint import Checkpoint, Progress, copy_into, named
from perennial.trainers.descent.losses import loss
from perennial.trainers.descent.machine import precision, rows_at_once, tensors
from perennial.trainers.descent.optimisers import Optimiser
from perennial.trainers.descent.recipe import Recipe
from perennial.trainers.descent.schedules import CYCLE_ENDS, SCHEDULES
from perennial.trainers.descent.test_time import VIEWS

WARMING_STEPS, MEASURED_STEPS = 3, 12
SECONDS_BETWEEN_MEASUREMENTS = 0.25
SPARE_SECONDS = 0.1
SMALLEST_BATCH, BATCHES_AN_EPOCH = 16, 16
STEPS_BETWEEN_VALIDATIONS = 10
STEPS_BETWEEN_LOSS_CHECKS = 16
SECONDS_BETWEEN_CHECKPOINTS = 30.0
FORWARD_SHARE = 1 / 3


class Loop:
    """Trains one network.

    Args:
        forward: `(inputs, drop) -> raw` through the network; `drop(values, share)` leaves out units in
            training and is `None` outside it.
        model: the Keras model whose weights move.
        arrays: inputs, then the truth, as NumPy arrays; training rows first.
        context: rows and their weights, seed, deadline, curve.
        recipe: how to train.
    """

    def __init__(
        self, forward: Callable, model: Any, arrays: tuple, context: FitContext, recipe: Recipe
    ) -> None:
        self.forward, self.model, self.context, self.recipe = forward, model, context, recipe
        self.device = model.trainable_variables[0].value.device
        weights = [] if context.sample_weight is None else [np.asarray(context.sample_weight, np.float32)]
        held = tensors([*arrays, *weights], self.device)
        self.row_weights = held.pop() if weights else None
        *self.inputs, self.truth = held
        n = context.train_rows
        suited = max(SMALLEST_BATCH, 2 ** round(math.log2(max(1, n / BATCHES_AN_EPOCH))))
        self.batch = min(n, recipe.batch, suited)
        self.rows_at_once = rows_at_once(model)
        self.steps_per_epoch = max(1, n // self.batch)
        self.schedule, self.cycle_ends = SCHEDULES[recipe.schedule], CYCLE_ENDS.get(recipe.schedule, ())
        self.optimiser = Optimiser(model.trainable_variables, recipe)
        self.generator, self.order = np.random.default_rng(context.seed), None
        self.augmentations = self._augmentations()
        self.values = [variable.value for variable in model.weights]
        self.averages = [value.detach().clone() for value in self.values] if recipe.ema else []
        steps = max(1, round(min(recipe.epochs * self.steps_per_epoch, recipe.steps) * context.fidelity))
        self.progress = Progress(end=steps, asked=steps, rows=n)
        self.best = self._copy()
        self.closing_seconds, self.checkpointed = 0.0, time.monotonic()
        self.unchecked: list[tuple[int, Any]] = []

    def _augmentations(self) -> dict[int, Augmentation]:
        """What changes the inputs that are images, by their position."""
        n, seed = self.context.train_rows, self.context.seed
        made = {
            position: Augmentation(self.recipe, values[:n], seed + position)
            for position, values in enumerate(self.inputs)
            if values.ndim == 4
        }
        return {position: change for position, change in made.items() if change.changes_anything}

    def run(self) -> list[np.ndarray]:
        """Trains to the last step that fits; returns the weights of the best epoch.

        Raises:
            Diverged: the loss is NaN or infinite; the message names the step.
        """
        progress, losses, recorded = self.progress, [], False
        self.clock = _Clock(progress.step)
        while not self._ended():
            losses.append(self._step())
            if self.clock.due(progress.step):
                self._fit_to_deadline()
            epoch_ended = progress.position == self.steps_per_epoch
            recorded = self._ended() or (
                epoch_ended and progress.step - progress.validated >= STEPS_BETWEEN_VALIDATIONS
            )
            if recorded:
                self._record(losses)
                losses = []
                self._fit_to_deadline()
                if self._fruitless():
                    progress.fruitless = True
        if not recorded:
            self._record(losses)
        self._leave_checkpoint()
        return [array.cpu().numpy() for array in self.best]

    def _ended(self) -> bool:
        late = time.monotonic() > self.context.deadline - SPARE_SECONDS / 2 - self.closing_seconds
        return late or self.progress.fruitless or self.progress.step >= self.progress.end

    def _step(self) -> Any:
        """One update; the loss before it."""
        progress = self.progress
        rows = self._next_rows()
        inputs = [values.index_select(0, rows).to(self.device) for values in self.inputs]
        for position, change in self.augmentations.items():
            inputs[position] = change(inputs[position])
        truth = self.truth.index_select(0, rows).to(self.device)
        weights = None if self.row_weights is None else self.row_weights.index_select(0, rows).to(self.device)
        self.optimiser.clear()
        with precision(self.device):
            raw = self.forward(inputs, self._drop)
        value = loss(self.context.output.name, raw, truth, weights, self.recipe.label_smoothing)
        told = self._checked(value, progress.step)
        value.backward()
        share = (progress.step + 1 - progress.begin) / (progress.end + 1 - progress.begin)
        self.optimiser.update(self.schedule(share))
        self._average()
        progress.step += 1
        progress.position += 1
        return told

    def _next_rows(self) -> Any:
        """The rows of the next batch; each epoch has an order of its own."""
        import torch

        progress = self.progress
        if self.order is None or progress.position == self.steps_per_epoch:
            order = self.generator.permutation(self.context.train_rows)
            self.order, progress.position = torch.from_numpy(order).to(self.truth.device), 0
        start = progress.position * self.batch
        return self.order[start : start + self.batch]

    def _drop(self, values: Any, share: float) -> Any:
        """Leaves out units; random bytes from NumPy are a tenth of the price of PyTorch's uniform draws."""
        import torch

        least = round(256 * share)
        if values.device.type == "cpu":
            drawn = torch.frombuffer(bytearray(self.generator.bytes(values.numel())), dtype=torch.uint8)
        else:
            source = torch.Generator(values.device).manual_seed(int(self.generator.integers(2**62)))
            drawn = torch.empty(values.numel(), dtype=torch.uint8, device=values.device)
            drawn.random_(generator=source)
        kept = (drawn >= least).to(values.dtype).view(values.shape)
        return values * kept.mul_(256 / (256 - least))

    def _checked(self, value: Any, step: int) -> Any:
        """The loss as a number, if it is one. An accelerator is asked for many at once: each question makes
        it wait."""
        if value.device.type == "cpu":
            number = value.item()
            _refuse_infinite(number, step, self.recipe)
            return number
        self.unchecked.append((step, value.detach()))
        if len(self.unchecked) >= STEPS_BETWEEN_LOSS_CHECKS:
            self._check_losses()
        return value.detach()

    def _check_losses(self) -> None:
        for step, value in self.unchecked:
            _refuse_infinite(value.item(), step, self.recipe)
        self.unchecked.clear()

    def _average(self) -> None:
        """Moves the running mean of the weights on; it forgets faster at first (Polyak and Juditsky 1992)."""
        if self.averages:
            import torch

            kept = min(self.recipe.ema, (1 + self.progress.step) / (10 + self.progress.step))
            with torch.no_grad():
                torch._foreach_lerp_(self.averages, self.values, 1.0 - kept)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Inside, the network has the running mean of its weights, where there is one."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for value, average in zip(self.values, self.averages, strict=False):
            value.data, average.data = average.data, value.data

    def _record(self, losses: list) -> None:
        """Notes the losses, and keeps the weights when they are the best so far."""
        self._check_losses()
        progress = self.progress
        progress.validated = progress.step
        train = float(sum(losses) / len(losses)) if losses else None
        with self._averaged():
            found = self._validation_loss()
            self.context.curve.append({"step": progress.step, "train": train, "validation": found})
            if found is None or found <= progress.best_loss:
                self.best, progress.best_step = self._copy(), progress.step
                progress.best_loss = math.inf if found is None else found
        if time.monotonic() - self.checkpointed > SECONDS_BETWEEN_CHECKPOINTS:
            self._leave_checkpoint()

    def _fruitless(self) -> bool:
        """Whether the kept epoch lies so far back that more training is in vain."""
        progress, length = self.progress, self.progress.end - self.progress.begin
        if len(self.truth) == self.context.train_rows:
            return False
        if self.recipe.patience is not None:
            waited = progress.step - max(progress.best_step, progress.begin)
            return bool(self.recipe.patience) and waited > self.recipe.patience * length
        done = progress.step - progress.begin
        ended = sum(done >= share * length for share in self.cycle_ends)
        if ended == progress.cycle:
            return False
        cycle_begin = self.cycle_ends[ended - 2] * length if ended > 1 else 0
        progress.cycle = ended
        return progress.best_step - progress.begin <= cycle_begin

    def _validation_loss(self) -> float | None:
        """The loss on the rows that are not learnt from, chunk by chunk; None without any."""
        import torch

        n = self.context.train_rows
        if len(self.truth) == n:
            return None
        begin, raw = time.monotonic(), []
        with torch.no_grad(), precision(self.device):
            for start in range(n, len(self.truth), self.rows_at_once):
                rows = slice(start, start + self.rows_at_once)
                raw.append(self.forward([values[rows].to(self.device) for values in self.inputs], None))
            truth = self.truth[n:].to(self.device)
            weights = None if self.row_weights is None else self.row_weights[n:].to(self.device)
            found = loss(self.context.output.name, torch.cat(raw), truth, weights, 0.0).item()
        seconds = time.monotonic() - begin
        predicted = VIEWS[self.recipe.test_time] * self._wanted()
        self.closing_seconds = seconds + seconds * predicted / (len(self.truth) - n)
        return found if math.isfinite(found) else math.inf

    def _wanted(self) -> int:
        """How many rows will be predicted after the last step."""
        return len(self.truth) if self.context.wanted is None else len(self.context.wanted)

    def _fit_to_deadline(self) -> None:
        """The schedule ends where the time does, by what a step has cost so far, validation included.

        What comes after the last step, a last validation and the predictions, has its time too.
        """
        progress, seconds = self.progress, self.clock.seconds_per_step(self.progress.step)
        if math.isinf(self.context.deadline) or seconds is None:
            return
        if not self.closing_seconds:
            views = VIEWS[self.recipe.test_time]
            rows = views * self._wanted() + len(self.truth) - self.context.train_rows
            self.closing_seconds = FORWARD_SHARE * seconds * rows / self.batch
        left = self.context.deadline - time.monotonic() - SPARE_SECONDS - self.closing_seconds
        progress.end = max(progress.step + 1, min(progress.asked, progress.step + int(left / seconds)))

    def _copy(self) -> list[Any]:
        return [value.detach().clone() for value in self.values]

    def _generators(self) -> list[np.random.Generator]:
        return [self.generator, *(change.generator for change in self.augmentations.values())]

    def _leave_checkpoint(self) -> None:
        """Everything that the next step depends on, where the context wants it."""
        if self.context.checkpoints is None:
            return
        arrays = named("weights", self.values) | named("best", self.best) | named("average", self.averages)
        arrays |= named("moments", self.optimiser.moments())
        if self.order is not None:
            arrays |= named("order", [self.order])
        states = [generator.bit_generator.state for generator in self._generators()]
        self.context.checkpoints[self.context.node] = Checkpoint(self.progress, states, arrays).to_state()
        self.checkpointed = time.monotonic()

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes on from a checkpoint.

        An interrupted training goes on as if nothing had happened. One that had ended, and is now given
        more steps, spends only these: the schedule begins anew, from the weights and moments it has (warm
        restart, Loshchilov and Hutter 2017).

        Raises:
            DamagedFile: the checkpoint belongs to another network or training.
        """
        import torch

        copy_into(self.values, checkpoint.family("weights"), "weights")
        copy_into(self.best, checkpoint.family("best"), "kept weights")
        copy_into(self.averages, checkpoint.family("average"), "averaged weights")
        self.optimiser.restore(
            {name: torch.from_numpy(np.array(array)) for name, array in checkpoint.family("moments").items()}
        )
        for generator, state in zip(self._generators(), checkpoint.generators, strict=False):
            generator.bit_generator.state = state
        old, asked, rows = checkpoint.progress, self.progress.asked, self.progress.rows
        if old.rows == rows and "order" in {name.split("/")[0] for name in checkpoint.arrays}:
            self.order = torch.from_numpy(np.array(checkpoint.family("order")["0000"])).to(self.truth.device)
        self.progress = old
        if (old.rows, old.asked) == (rows, asked) and (old.fruitless or old.step < old.end):
            old.end = asked if math.isinf(self.context.deadline) else old.end
            return
        old.begin, old.end, old.asked = old.step, max(asked, old.step), asked
        old.cycle, old.fruitless = 0, False
        if old.rows != rows:
            old.rows, old.position, old.best_loss = rows, 0, math.inf


class _Clock:
    """What a step costs, from the steps after the first few, which are slow."""

    def __init__(self, step: int) -> None:
        self.first, self.begin, self.measured = step, time.monotonic(), time.monotonic()
        self.warm: int | None = None

    def due(self, step: int) -> bool:
        """Whether it is time to measure; called after every step."""
        now, done = time.monotonic(), step - self.first
        if self.warm is None:
            if done >= WARMING_STEPS or now - self.begin > SECONDS_BETWEEN_MEASUREMENTS:
                self.warm, self.begin, self.measured = done, now, now
            return False
        if done != MEASURED_STEPS and now - self.measured < SECONDS_BETWEEN_MEASUREMENTS:
            return False
        self.measured = now
        return True

    def seconds_per_step(self, step: int) -> float | None:
        """Seconds for one step so far, or None before the first measured one."""
        if self.warm is None or step - self.first <= self.warm:
            return None
        return (time.monotonic() - self.begin) / (step - self.first - self.warm)


def _refuse_infinite(value: float, step: int, recipe: Recipe) -> None:
    if not math.isfinite(value):
        raise Diverged(
            f"The loss became {value} at step {step}.",
            where=f"learning rate {recipe.learning_rate:g}",
            todo="Lower the learning rate.",
        )
