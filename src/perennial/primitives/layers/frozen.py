"""The outermost word of a network that was trained elsewhere: its features are used, its weights stay."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from perennial.errors import TypeMismatch
from perennial.lang.ops import Parameter
from perennial.lang.types import Tensor, Type, TypeVar, fresh
from perennial.primitives.reused import Reused
from perennial.primitives.views import SHIFTED


class Frozen(Reused):
    """The layers below it are one network whose weights came from a library and never change.

    What it gives are ordinary numbers: a learner, or another network, can stand on them. Statistics of normalisation are
    frozen too (MNTDP, Veniat, Denoyer & Ranzato 2021).

    Args:
        of: the record that the weights are from. Two networks of one architecture with other weights are other words.
        shifted: the mean of what it sees in an image and in it moved by a pixel, four ways; what is no image stays as it is.

    >>> frozen.infer(Tensor(64), of="3f2a")
    Tensor[64]
    """

    name, doc = "frozen", "Features of a network that was trained elsewhere; its weights stay."
    parameters = MappingProxyType(
        {"of": Parameter("", doc="the record that the weights are from"), "shifted": SHIFTED}
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        """The features as they come."""
        if len(types) != 1:
            raise TypeMismatch(
                f"`frozen` takes the features of one network, received {len(types)} arguments."
            )
        if isinstance(types[0], TypeVar):
            return fresh("features")
        if not isinstance(types[0], Tensor) or len(types[0].dims) != 1:
            raise TypeMismatch(f"`frozen` takes a row of features, received {types[0]}.")
        return types[0]


frozen = Frozen()
