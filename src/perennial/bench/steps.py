"""What the trainer costs beside a plain loop: the same networks, batches and optimiser, written by hand in
PyTorch.

Rounds of both are interleaved on one thread, and the median of their times is compared. Then the time from
a program to its first step, a fresh random small network from program to predictions, and how well seconds
of a step are predicted for networks that were never measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from perennial.bench import bar
from perennial.lang import FitContext, State, Type, parse
from perennial.lang.types import Dist, Image, Tensor
from perennial.primitives import vocabulary
from perennial.trainers import Backprop, Batch
from perennial.trainers.backprop import fit_network, prepared
from perennial.trainers.base import walk
from perennial.trainers.cost import StepCost, work
from perennial.trainers.descent.machine import no_denormals

CLASSES, ROWS, RATE = 10, 4096, 1e-3
ROUND_SECONDS, ROUNDS = 1.0, 7
FRESH_IMAGES, FRESH_NETWORKS, BUILDS = 1024, 11, 5
MEASURED_STEPS, MEASURED_NETWORKS = 4, 24
RECIPE = f"optimiser='adam', schedule='constant', weight_decay=0.01, learning_rate={RATE}, epochs=1"


@dataclass(frozen=True)
class Case:
    """One network, twice.

    Args:
        program: as source text.
        plain: the same network as a PyTorch module.
        type: of the input.
        batch: rows an update.
        goal: how many times the plain loop it may take.
    """

    program: str
    plain: Callable[[], Any]
    type: Type
    batch: int
    goal: float


def run(*, data: str | None, seconds: float | None, seeds: int, only: Sequence[str]) -> dict[str, Any]:
    """Measures all networks; `only` names some of `cnn`, `resnet8`, `conv1d`, `mlp`, `gru`, `fresh`,
    `cost`."""
    cases = {name: case for name, case in CASES.items() if not only or name in only}
    rows, bars = [], []
    for name, case in cases.items():
        ours, plain = _compare(case, seconds or ROUND_SECONDS)
        rows.append({"what": name, "milliseconds": 1e3 * ours, "plain": 1e3 * plain, "ratio": ours / plain})
        bars.append(bar(f"{name}: a step, times a plain loop", ours / plain, case.goal, "minimize"))
    if "resnet8" in cases:
        built = median(_first_step(CASES["resnet8"], seed) for seed in range(BUILDS))
        bars.append(bar("resnet8: build and first step, seconds", built, 0.5, "minimize"))
    if not only or "fresh" in only:
        fresh = median(_fresh(seed) for seed in range(FRESH_NETWORKS))
        bars.append(bar("fresh small CNN: program to predictions, seconds", fresh, 0.4, "minimize"))
    if not only or "cost" in only:
        bars.append(bar("median error of predicted seconds, unseen networks", _cost_error(), 0.3, "minimize"))
    return {"bars": bars, "rows": [{key: _short(value) for key, value in row.items()} for row in rows]}


def _short(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


# -- the same step, twice ---------------------------------------------------------------------------


def _compare(case: Case, round_seconds: float) -> tuple[float, float]:
    """Median seconds of a step of the trainer and of the plain loop."""
    program = parse(case.program, vocabulary())
    values, target = _rows(case.type, ROWS)
    found: dict[str, float] = {}

    def measure(word: Any, inputs: tuple, truth: Any, context: FitContext, parameters: dict) -> State:
        def ours(steps: int) -> float:
            loop, *_ = prepared(word, inputs, truth, context, parameters)
            loop.progress.end = loop.progress.asked = steps
            with no_denormals():
                return _timed(loop.run, loop.device) / steps

        rival = _Plain(case, values, target)
        steps = max(3, int(round_seconds / max(ours(3), 1e-6)))
        pairs = [(ours(steps), rival.seconds(steps)) for _ in range(ROUNDS)]
        found["ours"], found["plain"] = (median(column) for column in zip(*pairs, strict=True))
        return fit_network(word, inputs, truth, replace(context, deadline=0.0), parameters)

    walk(program, Batch((values,), target, ROWS), _context(case.type, ROWS), measure)
    return found["ours"], found["plain"]


class _Plain:
    """The loop that one would write by hand."""

    def __init__(self, case: Case, values: np.ndarray, target: np.ndarray) -> None:
        import torch

        torch.manual_seed(0)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.module, self.batch = case.plain().to(self.device), case.batch
        self.values = torch.from_numpy(values).to(self.device)
        self.target = torch.from_numpy(target).to(self.device)
        self.optimiser = torch.optim.AdamW(self.module.parameters(), lr=RATE, weight_decay=0.01, fused=True)

    def seconds(self, steps: int) -> float:
        """Of one step, the mean of so many."""
        with no_denormals():
            return _timed(lambda: self._run(steps), self.device) / steps

    def _run(self, steps: int) -> None:
        import torch

        self.module.train()
        done = 0
        while done < steps:
            order = torch.randperm(len(self.values), device=self.device)
            for rows in order.split(self.batch)[: steps - done]:
                raw = self.module(self.values[rows])
                loss = torch.nn.functional.cross_entropy(raw, self.target[rows])
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
                done += 1


def _timed(function: Callable[[], Any], device: Any) -> float:
    import torch

    begin = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


# -- from a program to a step, and to predictions ---------------------------------------------------


def _first_step(case: Case, seed: int) -> float:
    """Seconds from a program that was never seen to the end of its first update."""
    program = parse(case.program, vocabulary())
    values, target = _rows(case.type, 2 * case.batch)
    found = []

    def first(word: Any, inputs: tuple, truth: Any, context: FitContext, parameters: dict) -> State:
        loop, *_ = prepared(word, inputs, truth, context, parameters)
        loop.progress.end = 1
        loop.run()
        found.append(time.perf_counter() - begin)
        return fit_network(word, inputs, truth, replace(context, deadline=0.0), parameters)

    begin = time.perf_counter()
    walk(program, Batch((values,), target, len(target)), _context(case.type, len(target), seed), first)
    return found[0]


def _fresh(seed: int) -> float:
    """Seconds of one short epoch of a random small network, from its source to predictions for the rows that
    it is judged by."""
    source, kind = _random_network(seed, small=True), Image(28, 28, 1)
    values, target = _rows(kind, FRESH_IMAGES + FRESH_IMAGES // 4)
    context = replace(_context(kind, FRESH_IMAGES, seed), wanted=np.arange(FRESH_IMAGES, len(target)))
    begin = time.perf_counter()
    program = parse(source, vocabulary())
    Backprop().fit(program, Batch((values,), target, FRESH_IMAGES), context)
    return time.perf_counter() - begin


def _random_network(seed: int, small: bool = False) -> str:
    """Source text of a random convolutional network."""
    draw = np.random.default_rng(seed)
    widths = [8, 12, 16, 24] if small else [8, 16, 32, 48]
    width, text = int(draw.choice(widths)), "pixels(image)"
    norm, activation = draw.random() < 0.7, str(draw.choice(["relu", "gelu", "silu"]))
    for stage in range(int(draw.integers(2, 4))):
        for _ in range(1 if small else int(draw.integers(1, 4))):
            kind = "separable_conv" if draw.random() < 0.3 and stage else "conv"
            text = f"{kind}({text}, width={width}, kernel={int(draw.choice([3, 3, 5]))})"
            text = f"{activation}(batch_norm({text}))" if norm else f"{activation}({text})"
        text, width = f"max_pool({text}, size=2)", int(width * draw.choice([1, 1.5, 2]))
    batch = int(draw.choice([64, 128]))
    return f"lambda image: head(global_pool({text}), batch={batch}, {RECIPE})"


# -- predicted seconds ------------------------------------------------------------------------------


def _cost_error() -> float:
    """Median relative error for networks that were not measured, after learning from as many that were."""
    kinds = [Image(16, 16, 3), Image(28, 28, 1), Image(32, 32, 3)]
    pairs = [_measured(seed, kinds[seed % 3]) for seed in range(MEASURED_NETWORKS)]
    half = MEASURED_NETWORKS // 2
    model = StepCost().learn(pairs[:half])
    return median(abs(model.predict(done) / seconds - 1.0) for done, seconds in pairs[half:])


def _measured(seed: int, kind: Type) -> tuple[Any, float]:
    program = parse(_random_network(seed), vocabulary())
    values, target = _rows(kind, 16 * 128)
    found = []

    def measure(word: Any, inputs: tuple, truth: Any, context: FitContext, parameters: dict) -> State:
        loop, *_ = prepared(word, inputs, truth, context, parameters)
        loop.progress.end = loop.progress.asked = MEASURED_STEPS
        loop.run()  # the first steps of a network are slow
        loop.progress.end = loop.progress.asked = 2 * MEASURED_STEPS
        found.append((loop.batch, _timed(loop.run, loop.device) / MEASURED_STEPS))
        return fit_network(word, inputs, truth, replace(context, deadline=0.0), parameters)

    walk(program, Batch((values,), target, len(target)), _context(kind, len(target), seed), measure)
    [(batch, seconds)] = found
    return work(program, (kind,), Dist(CLASSES), batch), seconds


# -- data and networks ------------------------------------------------------------------------------


def _rows(kind: Type, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random rows of a type (bytes for images) and their classes."""
    generator = np.random.default_rng(0)
    target = generator.integers(0, CLASSES, count)
    if kind.name == "Image":
        return generator.integers(0, 256, (count, *kind.dims)).astype(np.uint8), target
    return generator.normal(size=(count, *kind.dims)).astype(np.float32), target


def _context(kind: Type, rows: int, seed: int = 0) -> FitContext:
    return FitContext(output=Dist(CLASSES), train_rows=rows, types=(kind,), seed=seed)


def _cnn_program() -> str:
    text = "pixels(image)"
    for width in (32, 64, 128):
        text = f"max_pool(relu(batch_norm(conv({text}, width={width}, kernel=3))), size=2)"
    return f"lambda image: head(global_pool({text}), batch=128, {RECIPE})"


def _cnn_plain() -> Any:
    from torch import nn

    layers, before = [_pixels()], 3
    for width in (32, 64, 128):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, CLASSES))


def _pixels() -> Any:
    from torch import nn

    class Pixels(nn.Module):
        def forward(self, images: Any) -> Any:
            return (images.float() / 127.5 - 1.0).permute(0, 3, 1, 2)

    return Pixels()


def _resnet8_program() -> str:
    def norm(text: str) -> str:
        return f"batch_norm({text})"

    lines, last = ["x0 = relu(batch_norm(conv(pixels(image), width=16, kernel=3)))"], "x0"
    for stage, width in enumerate((16, 32, 64), start=1):
        stride = 1 if stage == 1 else 2
        inner = f"relu(batch_norm(conv({last}, width={width}, kernel=3, stride={stride})))"
        main = norm(f"conv({inner}, width={width}, kernel=3)")
        short = last if stride == 1 else norm(f"conv({last}, width={width}, kernel=1, stride={stride})")
        lines.append(f"x{stage} = relu(sum_of({main}, {short}))")
        last = f"x{stage}"
    lines.append(f"return head(global_pool({last}), batch=128, {RECIPE})")
    return "def model(image):\n" + "\n".join(f"    {line}" for line in lines)


def _resnet8_plain() -> Any:
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.main = nn.Sequential(
                nn.Conv2d(before, width, 3, stride, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width),
            )  # fmt: skip
            self.short = nn.Identity()
            if stride > 1:
                self.short = nn.Sequential(nn.Conv2d(before, width, 1, stride), nn.BatchNorm2d(width))

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.main(x) + self.short(x))

    stem = nn.Sequential(_pixels(), nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def _conv1d_program() -> str:
    text = "x"
    for width in (64, 128, 64):
        text = f"relu(batch_norm(conv({text}, width={width}, kernel=5)))"
    return f"lambda x: head(global_pool({text}), batch=128, {RECIPE})"


def _conv1d_plain() -> Any:
    from torch import nn

    layers, before = [_channels_first()], 6
    for width in (64, 128, 64):
        layers += [nn.Conv1d(before, width, 5, padding=2), nn.BatchNorm1d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(before, CLASSES))


def _channels_first() -> Any:
    from torch import nn

    class ChannelsFirst(nn.Module):
        def forward(self, series: Any) -> Any:
            return series.permute(0, 2, 1)

    return ChannelsFirst()


def _mlp_plain() -> Any:
    from torch import nn

    layers, before = [], 50
    for _ in range(3):
        layers += [nn.Linear(before, 256), nn.SELU(), nn.Dropout(0.15)]
        before = 256
    return nn.Sequential(*layers, nn.Linear(before, CLASSES))


def _gru_program() -> str:
    return f"lambda x: head(gru(x, units=64), batch=128, {RECIPE})"


def _gru_plain() -> Any:
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.last = nn.GRU(8, 64, batch_first=True), nn.Linear(64, CLASSES)

        def forward(self, series: Any) -> Any:
            return self.last(self.gru(series)[1][0])

    return Recurrent()


CASES = {
    "cnn": Case(_cnn_program(), _cnn_plain, Image(32, 32, 3), 128, 1.15),
    "resnet8": Case(_resnet8_program(), _resnet8_plain, Image(32, 32, 3), 128, 1.15),
    "conv1d": Case(_conv1d_program(), _conv1d_plain, Tensor(128, 6), 128, 1.15),
    "mlp": Case("lambda x: mlp(x)", _mlp_plain, Tensor(50), 256, 1.3),
    "gru": Case(_gru_program(), _gru_plain, Tensor(50, 8), 128, 1.3),
}
