"""Updates: AdamW (Loshchilov and Hutter 2019) and SGD with Nesterov momentum (Sutskever et al. 2013).

Both run as one fused kernel over all weights of a group. Decay is decoupled from the gradient in both, and
pulls kernels only: never biases, norms, scales or embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perennial.trainers.descent.recipe import Recipe

OPTIMISERS = ("adam", "sgd")


class Optimiser:
    """Moves variables against their gradients.

    Args:
        variables: trainable Keras variables.
        recipe: optimiser, learning rate, decay and clipping.
    """

    def __init__(self, variables: Iterable[Any], recipe: Recipe) -> None:
        import torch

        groups: dict[tuple[float, float], list] = {}
        for variable in variables:
            groups.setdefault(rate_and_decay(variable, recipe), []).append(variable.value)
        self.parameters = [parameter for group in groups.values() for parameter in group]
        self.rates, self.clip = [rate for rate, _ in groups], recipe.clip
        told = [
            {"params": group, "weight_decay": decay if recipe.optimiser == "adam" else 0.0}
            for (_, decay), group in groups.items()
        ]
        if recipe.optimiser == "adam":
            self.steps = torch.optim.AdamW(told, lr=0.0, betas=recipe.betas, fused=True)
            self.pulls: list[float] = []
        else:
            nesterov = recipe.momentum > 0
            self.steps = torch.optim.SGD(
                told, lr=0.0, momentum=recipe.momentum, nesterov=nesterov, fused=True
            )
            self.pulls = [decay for _, decay in groups]

    def clear(self) -> None:
        """Forgets the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def update(self, factor: float) -> None:
        """One update with `factor` times the peak learning rates."""
        import torch

        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        for group, rate in zip(self.steps.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        for group, pull in zip(self.steps.param_groups, self.pulls, strict=False):
            if pull:
                with torch.no_grad():
                    torch._foreach_mul_(group["params"], 1.0 - group["lr"] * pull)
        self.steps.step()

    def moments(self) -> dict[str, Any]:
        """Everything it remembers, as tensors by name."""
        return {
            f"{number:04d}/{name}": tensor
            for number, parameter in enumerate(self.parameters)
            for name, tensor in self.steps.state[parameter].items()
            if tensor is not None
        }

    def restore(self, moments: dict[str, Any]) -> None:
        """Goes on from what `moments` gave."""
        for name, tensor in moments.items():
            number, kind = name.split("/")
            parameter = self.parameters[int(number)]
            self.steps.state[parameter][kind] = tensor.to(parameter.device)


def rate_and_decay(variable: Any, recipe: Recipe) -> tuple[float, float]:
    """Peak learning rate and decay of one variable."""
    rate, layer = recipe.learning_rate, variable.path.split("/")[-2]
    if variable.name == "bias":
        return rate * recipe.bias_factor, 0.0
    if layer == "scale":
        return rate * recipe.scale_factor, 0.0
    if not variable.name.endswith("kernel"):
        return rate, 0.0
    if not recipe.neural_tangent:
        return rate, recipe.weight_decay
    root = math.sqrt(math.prod(variable.shape[:-1]))
    return rate / root, recipe.weight_decay * root
