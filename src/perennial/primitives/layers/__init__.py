"""Geometric words: each is one plain Keras layer, `head` makes a network of those below it, `mlp` is a network by itself.

`conv`, `relu`, `batch_norm` and the others are words like all words.
"""

from perennial.primitives.layers.mlp import Mlp, finish, mlp

__all__ = ["Mlp", "finish", "mlp"]
