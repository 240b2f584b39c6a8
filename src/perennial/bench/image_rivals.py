"""What people would train on images by hand or with another tool, each as a process of its own.

`python -m perennial.bench.image_rivals NAME DATA SECONDS SEED` reads `x_train y_train x_test` from the `.npz` file
DATA (bytes and class codes; no test labels) and writes the predicted codes to DATA with the suffix `.NAME.npy`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 128
PEAK_RATE, MOMENTUM, WEIGHT_DECAY = 0.2, 0.9, 5e-4
RISING, FIRST_SHARE = 0.3, 0.04
PADDING = 4
LARGEST_SIDE = 48
WIDTHS, BLOCKS = (16, 32, 64), 3
HELD_OUT_SHARE = 0.1
MOST_TRIALS, MOST_EPOCHS = 100, 1_000

Arrays = dict[str, np.ndarray]


def resnet20(data: Arrays, seconds: float, seed: int) -> np.ndarray:
    """A ResNet-20 (He et al. 2016) in plain PyTorch, as an engineer would train it for a given time.

    SGD with Nesterov momentum, weight decay, batches of 128, a one-cycle schedule (Smith 2018) that runs by the clock, so
    that it ends when the time does; pad-and-crop by 4 pixels, and mirror images when they are in colour. Images larger
    than 48 pixels are made smaller first.

    Args:
        data: `x_train` `(n, height, width, channels)` of bytes, `y_train` `(n,)` codes, `x_test`.
        seconds: of training.
        seed: of the weights and the order.

    Returns:
        the predicted codes `(len(x_test),)`.
    """
    import torch
    from torch.nn import functional

    start = time.monotonic()
    torch.manual_seed(seed)
    mean, deviation = _statistics(data["x_train"])
    x, test = (_prepared(data[name], mean, deviation) for name in ("x_train", "x_test"))
    y = torch.from_numpy(data["y_train"].astype(np.int64))
    model = _resnet(x.shape[1], int(y.max()) + 1).to(memory_format=torch.channels_last)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=MOMENTUM, nesterov=True)
    batch = min(BATCH, len(x))
    done = 0.0
    model.train()
    while done < 1.0:
        for rows in torch.randperm(len(x)).split(batch):
            done = (time.monotonic() - start) / seconds
            if len(rows) < batch or done >= 1.0:
                break
            for group in optimiser.param_groups:
                group["lr"] = PEAK_RATE * one_cycle(done)
            loss = functional.cross_entropy(model(_augmented(x[rows], mirror=x.shape[1] == 3)), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in test.split(512)]).numpy()


def autokeras(data: Arrays, seconds: float, seed: int) -> np.ndarray:
    """AutoKeras' image classifier with the same time; the last tenth of the training rows chooses.

    It has no limit of time of its own: a callback ends the training that runs, and lets no further trial begin.
    """
    import tempfile

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import autokeras
    import keras
    import tree
    from autokeras.utils import data_utils

    def plain_shapes(arrays: Any) -> Any:
        return tree.map_structure(lambda array: np.array(array.shape, dtype=object), arrays)

    # AutoKeras 3.0 hands on NumPy's integers, which Keras 3.15 refuses
    data_utils.dataset_shape = plain_shapes
    deadline = time.monotonic() + seconds

    class Stop(keras.callbacks.Callback):
        """Ends every training, and the search, when the time is over."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.monotonic() > deadline:
                self.model.stop_training = True
                search.tuner.oracle.max_trials = 1

    order = np.random.default_rng(seed).permutation(len(data["x_train"]))
    x, y = data["x_train"][order], np.eye(int(data["y_train"].max()) + 1)[data["y_train"][order]]
    cut = round((1 - HELD_OUT_SHARE) * len(x))
    with tempfile.TemporaryDirectory() as folder:
        search = autokeras.ImageClassifier(
            max_trials=MOST_TRIALS, directory=folder, seed=seed, overwrite=True
        )
        patience = keras.callbacks.EarlyStopping(patience=10)
        search.fit(
            x[:cut], y[:cut], validation_data=(x[cut:], y[cut:]), epochs=MOST_EPOCHS, callbacks=[Stop(), patience], verbose=0
        )  # fmt: skip
        return np.asarray(search.predict(data["x_test"], verbose=0)).argmax(axis=1)


RIVALS: dict[str, Callable[[Arrays, float, int], np.ndarray]] = {"resnet20": resnet20, "autokeras": autokeras}


def installed(name: str) -> bool:
    """Whether a rival can run here."""
    return find_spec({"resnet20": "torch", "autokeras": "autokeras"}[name]) is not None


def one_cycle(done: float) -> float:
    """The share of the peak learning rate after this share of the time: up for 30 %, then a cosine to zero.

    >>> [round(one_cycle(done), 3) for done in (0.0, 0.3, 1.0)]
    [0.04, 1.0, 0.0]
    """
    if done < RISING:
        return FIRST_SHARE + (1 - FIRST_SHARE) * done / RISING
    return float(0.5 * (1 + np.cos(np.pi * min(1.0, (done - RISING) / (1 - RISING)))))


def _statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel."""
    pixels = images[:10_000].reshape(-1, images.shape[3]).astype(np.float64)
    return pixels.mean(axis=0), pixels.std(axis=0) + 1e-6


def _prepared(images: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> Any:
    """Standardised images `(n, channels, height, width)`, at most `LARGEST_SIDE` pixels a side."""
    import torch
    from torch.nn import functional

    scaled = ((images - mean.astype(np.float32)) / deviation.astype(np.float32)).astype(np.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))
    share = LARGEST_SIDE / max(tensor.shape[2:])
    if share >= 1:
        return tensor
    size = tuple(max(1, round(share * side)) for side in tensor.shape[2:])
    return functional.interpolate(tensor, size, mode="bilinear", antialias=True)


def _augmented(images: Any, mirror: bool) -> Any:
    """Each image moved by up to `PADDING` pixels, the border black, and mirrored by chance."""
    import torch
    from torch.nn import functional

    n, _, height, width = images.shape
    padded = functional.pad(images, [PADDING] * 4, value=float(images.min()))
    down, right = (torch.randint(0, 2 * PADDING + 1, (n, 1)) for _ in range(2))
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    if mirror:
        columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    number = torch.arange(n)[:, None, None]
    return padded.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _resnet(channels: int, classes: int) -> Any:
    """Three stages of three blocks, identity shortcuts padded with zeros (option A of the paper)."""
    from torch import nn
    from torch.nn import functional

    def conv(before: int, after: int, stride: int = 1) -> Any:
        layer = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        return layer

    class Block(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.first, self.second = conv(before, after, stride), conv(after, after)
            self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
            self.stride, self.more = stride, after - before

        def forward(self, x: Any) -> Any:
            inner = self.norm2(self.second(functional.relu(self.norm1(self.first(x)))))
            shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
            return functional.relu(inner + shortcut)

    layers: list[Any] = [conv(channels, WIDTHS[0]), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()]
    before = WIDTHS[0]
    for stage, width in enumerate(WIDTHS):
        for block in range(BLOCKS):
            layers.append(Block(before, width, 2 if stage and not block else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


def main(name: str, path: str, seconds: str, seed: str) -> None:
    """Trains a rival on the arrays of a file and writes what it predicts beside it."""
    with np.load(path, allow_pickle=False) as arrays:
        data = dict(arrays)
    predicted = RIVALS[name](data, float(seconds), int(seed))
    np.save(f"{Path(path)}.{name}.npy", predicted.astype(np.int64), allow_pickle=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
