"""What layer words share: the shapes they take, and where their units are. Data are channels last, as in Keras."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang.ops import Layer, Parameter
from perennial.lang.types import Tensor, Type, TypeVar, fresh

BYTES = ("Image", "Video")
BRANCH = Parameter(
    0, low=0, high=1024, doc="tells layers apart that would otherwise be one and share weights"
)


class LayerWord(Layer):
    """A layer of one tensor, or of several of which each is checked alike.

    A new word gives `ranks`, `shape`, `build` and `count`, and `forward` where plain PyTorch is faster than Keras.
    `several` says that it takes two tensors or more, `whole` that its numbers must be whole.
    """

    ranks: tuple[int, ...] = (1, 2, 3, 4)
    several, whole = False, False

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """The shape of what it gives; unknown while something of what comes in is unknown."""
        settings = self.complete(parameters)
        self.check(settings)
        known = [kind for kind in types if not isinstance(kind, TypeVar)]
        for kind in known:
            if not isinstance(kind, Tensor) or len(kind.dims) not in self.ranks or kind.name in BYTES:
                wanted = " or ".join(map(str, self.ranks))
                todo = f"Begin with `pixels({kind.name.lower()})`." if kind.name in BYTES else ""
                raise TypeMismatch(
                    f"`{self.name}` takes tensors of rank {wanted}, received {kind}.", todo=todo
                )
        if len(types) < 2 if self.several else len(types) != 1:
            wanted = "two tensors or more" if self.several else "one tensor"
            received = ", ".join(map(str, types)) or "nothing"
            raise TypeMismatch(f"`{self.name}` takes {wanted}, received {received}.")
        if len(known) < len(types) or any(kind.variables for kind in known):
            return fresh("tensor")
        return Tensor(*self.shape(tuple(tuple(kind.dims) for kind in types), **settings))

    def shape(self, shapes: tuple[tuple, ...], **parameters: Any) -> tuple:
        """The dimensions of the result; the same as of the first input unless a word says otherwise."""
        return shapes[0]

    def count(self, types: tuple[Type, ...], result: Type, **parameters: Any) -> tuple[float, float]:
        """No weights, and one operation for each number that comes in."""
        return 0.0, float(sum(size_of(kind) for kind in types))

    def draw(self, name: str, shape: tuple, generator: np.random.Generator) -> np.ndarray | None:
        """First values of one of its variables, drawn in NumPy; `None` leaves what Keras says, zeros and ones.

        Kernels `(…, inputs, outputs)` keep the size of what goes through a rectifier (He et al. 2015).
        """
        if not name.endswith("kernel"):
            return None
        return generator.normal(0.0, (2.0 / math.prod(shape[:-1])) ** 0.5, shape)

    def check(self, settings: dict[str, Any]) -> None:
        """Refuses a parameter that is out of its range, before anything is made of it.

        Raises:
            ProgramError: with the name of the parameter and what was received.
        """
        for name, value in settings.items():
            known = self.parameters[name]
            if known.options and value not in known.options:
                raise ProgramError(f"`{self.name}` takes {name} of {known.options}, received {value!r}.")
            if known.low is not None and not _fits(value, known):
                kind = "a whole number" if isinstance(known.default, int) else "a number"
                raise ProgramError(
                    f"`{self.name}` takes as {name} {kind} of {known.low} to {known.high}, received {value!r}."
                )


def _fits(value: Any, known: Parameter) -> bool:
    kinds = int if isinstance(known.default, int) else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and known.low <= value <= known.high


def size_of(kind: Type) -> int:
    """How many numbers a value of this type has."""
    product = 1
    for size in getattr(kind, "dims", ()):
        product *= size if isinstance(size, int) else 1
    return product


def units_of(kind: Type) -> int:
    """The length of the last dimension: the channels of an image, the features of a row."""
    return int(kind.dims[-1])


def borders(side: int, window: int, stride: int) -> tuple[int, int]:
    """Places to put before and after a side, such that a window finds ceil(side / stride) places.

    >>> borders(7, 3, 1), borders(8, 3, 2)
    ((1, 1), (0, 1))
    """
    total = max(0, (-(-side // stride) - 1) * stride + window - side)
    return total // 2, total - total // 2
