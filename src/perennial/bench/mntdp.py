"""MNTDP-D (Veniat, Denoyer & Ranzato 2021) for small images: what a library of modules is compared with.

A network is four convolutions and a head, five modules. For a new task the past task whose features its nearest neighbours
know best gives modules: the first few are frozen, the others are new, and every such path is trained, from nothing frozen to
everything. The path that is best on the validation images stays, of equals the one with fewer new modules; these join the
library. Frozen modules keep their statistics of normalisation. With no past tasks it is independent training.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CHANNELS, STRIDES = 16, (1, 2, 2, 2)
MODULES = len(STRIDES) + 1
RATES, DECAYS = (1e-2, 1e-3), (0.0, 1e-4)
EPOCHS, BATCH, PADDING = 50, 32, 2
NEIGHBOURS, MOST_ROWS = 15, 1000


@dataclass
class Learner:
    """Learns one task after another, each within its time.

    Args:
        reuses: whether modules of past tasks are offered; without them each task is learnt by itself.
        paths: the modules of each task so far, first convolution to head; a module may be in several.
        classes: how many each task has.
    """

    reuses: bool
    paths: list[list[Any]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    scales: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def learn(
        self, train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], seconds: float, seed: int
    ) -> None:  # fmt: skip
        """Adds a task.

        Args:
            train, validation: images `(n, height, width, 3)` of bytes, and codes `(n,)`.
            seconds: for all its paths together; what is not trained by then is left out.
            seed: of the weights and the order.
        """
        import torch

        deadline = time.monotonic() + seconds
        torch.manual_seed(seed)
        classes = int(max(train[1].max(), validation[1].max())) + 1
        pixels = train[0].reshape(-1, 3).astype(np.float64)
        self.scales.append((pixels.mean(axis=0), pixels.std(axis=0) + 1e-6))
        x, y = self._tensor(train[0], -1), torch.from_numpy(train[1])
        held, truth = self._tensor(validation[0], -1), torch.from_numpy(validation[1])
        source = self._nearest(x, y, held, truth) if self.reuses and self.paths else None
        depths = [0] if source is None else [MODULES, *range(MODULES)]
        best, reached = None, (-1.0, 0)
        for rate, decay in ((rate, decay) for decay in DECAYS for rate in RATES):
            for depth in depths:
                if depth == MODULES and classes != self.classes[source]:
                    continue
                if best is not None and time.monotonic() >= deadline:
                    break
                path = _path(classes, self.paths[source] if source is not None else [], depth)
                found = _trained(path, depth, (x, y), (held, truth), rate, decay, deadline)
                if (found, depth) > reached:
                    best, reached = path, (found, depth)
        self.paths.append(best)
        self.classes.append(classes)

    def accuracy(self, task: int, images: np.ndarray, target: np.ndarray) -> float:
        """The share of images that it knows."""
        import torch

        found = _scores(self.paths[task], self._tensor(images, task))
        return float((found.argmax(1) == torch.from_numpy(target)).float().mean())

    @property
    def modules(self) -> int:
        """How many there are, shared ones once."""
        return len({id(module) for path in self.paths for module in path})

    @property
    def numbers(self) -> int:
        """How many weights they have."""
        modules = {id(module): module for path in self.paths for module in path}
        return sum(weight.numel() for module in modules.values() for weight in module.parameters())

    def _tensor(self, images: np.ndarray, task: int) -> Any:
        import torch

        mean, deviation = self.scales[task]
        scaled = ((images - mean) / deviation).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))

    def _nearest(self, x: Any, y: Any, held: Any, truth: Any) -> int:
        """The past task by whose features 15 neighbours know most validation images."""
        x, y, held, truth = x[:MOST_ROWS], y[:MOST_ROWS], held[:MOST_ROWS], truth[:MOST_ROWS]
        return int(np.argmax([_known(path[:-1], x, y, held, truth) for path in self.paths]))


def _path(classes: int, old: Sequence[Any], depth: int) -> list[Any]:
    """So many modules of an old path, and new ones above them."""
    from torch import nn

    path = list(old[:depth])
    for place in range(len(path), MODULES):
        if place == MODULES - 1:
            path.append(nn.Linear(CHANNELS, classes))
        else:
            conv = nn.Conv2d(CHANNELS if place else 3, CHANNELS, 3, STRIDES[place], padding=1, bias=False)
            path.append(nn.Sequential(conv, nn.BatchNorm2d(CHANNELS), nn.ReLU()))
    return path


def _trained(
    path: list, depth: int, train: tuple, held: tuple, rate: float, decay: float, deadline: float
) -> float:
    """Trains what is not frozen, keeps the epoch that is best on the images held out (of equals by its loss), and gives its
    accuracy there.
    """
    import torch
    from torch.nn import functional

    weights = [weight for module in path[depth:] for weight in module.parameters()]
    (x, y), (images, truth) = train, held

    def judged() -> tuple[float, float]:
        found = _scores(path, images)
        return float((found.argmax(1) == truth).float().mean()), -float(
            functional.cross_entropy(found, truth)
        )

    best = judged()
    if not weights:
        return best[0]
    optimiser = torch.optim.Adam(weights, lr=rate, weight_decay=decay)
    kept = copy.deepcopy([module.state_dict() for module in path[depth:]])
    for _ in range(EPOCHS):
        for module in path[depth:]:
            module.train()
        for rows in torch.randperm(len(x)).split(BATCH):
            if len(rows) < 2:
                continue
            with torch.no_grad():
                below = _convolved(path[:depth], _cropped(x[rows]))
            above = path[-1](_convolved(path[depth:-1], below).mean(dim=(2, 3)))
            loss = functional.cross_entropy(above, y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        score = judged()
        if score > best:
            best, kept = score, copy.deepcopy([module.state_dict() for module in path[depth:]])
        if time.monotonic() >= deadline:
            break
    for module, state in zip(path[depth:], kept, strict=True):
        module.load_state_dict(state)
        module.eval()
    return best[0]


def _convolved(modules: Sequence[Any], x: Any) -> Any:
    for module in modules:
        x = module(x)
    return x


def _scores(path: Sequence[Any], x: Any) -> Any:
    """Of all images, as in use: statistics of normalisation stay."""
    import torch

    for module in path:
        module.eval()
    with torch.no_grad():
        return torch.cat([path[-1](_convolved(path[:-1], part).mean(dim=(2, 3))) for part in x.split(1000)])


def _known(convolutions: Sequence[Any], x: Any, y: Any, held: Any, truth: Any) -> float:
    import torch
    from sklearn.neighbors import KNeighborsClassifier

    def features(images: Any) -> np.ndarray:
        with torch.no_grad():
            return _convolved([module.eval() for module in convolutions], images).mean(dim=(2, 3)).numpy()

    neighbours = KNeighborsClassifier(min(NEIGHBOURS, len(x)), n_jobs=os.cpu_count())
    return float(neighbours.fit(features(x), y.numpy()).score(features(held), truth.numpy()))


def _cropped(images: Any) -> Any:
    """The whole batch moved by up to two pixels."""
    import torch
    from torch.nn import functional

    down, right = torch.randint(0, 2 * PADDING + 1, (2,)).tolist()
    padded = functional.pad(images, [PADDING] * 4)
    return padded[:, :, down : down + images.shape[2], right : right + images.shape[3]]
