"""What training makes small: cross-entropy for classes and labels, the squared error for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from perennial.lang import FitContext

# logits further apart have gradients near the subnormal range, which processors compute ten times slower
SUREST = 20.0


def prepare_target(target: np.ndarray, context: FitContext) -> tuple[np.ndarray, np.ndarray]:
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


def loss(output: str, raw: Any, truth: Any, weights: Any | None, smoothing: float) -> Any:
    """The mean loss of a batch, a tensor without axes.

    Args:
        output: name of the type to predict: "Dist", "Marginals", "Real" or "Tensor".
        raw: logits or standardised values `(n, outputs)`.
        truth: classes `(n,)`, or labels or standardised values `(n, outputs)`.
        weights: one per row `(n,)`, or None.
        smoothing: share of the target that is spread evenly over all classes, 0 to 1; labels are left as
            they are.
    """
    from torch.nn import functional

    raw = raw.float()
    if output == "Dist":
        raw = (raw - raw.detach().max(dim=1, keepdim=True).values).clamp(min=-SUREST)
        each = functional.cross_entropy(raw, truth, reduction="none", label_smoothing=smoothing)
    elif output == "Marginals":
        raw = raw.clamp(-SUREST, SUREST)
        each = functional.binary_cross_entropy_with_logits(raw, truth, reduction="none").mean(dim=1)
    else:
        each = ((raw - truth) ** 2).mean(dim=1)
    if weights is None:
        return each.mean()
    return (each * weights).sum() / weights.sum().clamp_min(1e-12)
