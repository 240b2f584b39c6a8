"""From layer words to Keras: a network is the part of a program below one `head`, and becomes one functional model.

A sub-program that occurs twice is one layer that is used twice. The weights of a network are one `State` under its
head; `split` and `joined` turn that into one `State` a layer, by node hash, and back: so weights move between
architectures.
"""

from perennial.compiler.cuts import cuts_of, dominators, first_layers, with_channels
from perennial.compiler.layerwise import (
    features_of,
    initial_states,
    joined,
    keras_model,
    layer_states,
    split,
)
from perennial.compiler.networks import Compiled, layer_name
from perennial.compiler.programs import (
    LARGEST,
    Field,
    FrozenNetwork,
    Packed,
    RecalledModel,
    apart,
    check_states,
    compiled,
    compiled_states,
    heads,
    keep_answers,
    mean_of,
    original_states,
    reused_parts,
    states_of,
    together,
    word_of,
)

__all__ = [
    "LARGEST", "Compiled", "Field", "FrozenNetwork", "Packed", "RecalledModel", "apart", "check_states", "compiled", "compiled_states",
    "cuts_of", "dominators", "features_of", "first_layers", "heads", "initial_states", "joined", "keep_answers", "keras_model",
    "layer_name", "layer_states", "mean_of", "original_states", "reused_parts", "split", "states_of", "together", "with_channels", "word_of",
]  # fmt: skip
