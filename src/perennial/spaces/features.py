"""Models for images that need no network: features of edges and patches, and a learner on them.

They answer within seconds, and a network has to beat them.
"""

from __future__ import annotations

from collections.abc import Sequence

from perennial.lang import Lambda, Program, call
from perennial.primitives import vocabulary
from perennial.spaces.base import integer, one_of, real

IMAGE = "image"
FEATURES = {"edges": 0, "patches": 1, "both": 2}
FIRST_KNOWN, WAYS = 3, 2  # after these come the features that were learnt before, each in so many ways
FEW_IMAGES = 1_000  # up to so many, the place of an image in its frame passes for knowledge
LEARNERS = {"linear": 0, "kernel_ridge": 1, "lightgbm": 2}


def on_features(image: Program, known: Sequence[Lambda] = (), few: bool = False) -> Program:
    """Histograms of edge directions, codes of patches, or both, below a linear model, a kernel or boosted trees.

    Args:
        image: a program.
        known: functions from an image to features that were learnt before; each is offered alone and beside edges.
        few: whether there are few images to learn from; then features are the mean over shifted ones by default.
    """
    words = vocabulary()
    views = {
        "mirrored": one_of("mirrored", [False, True]),
        "shifted": one_of("shifted", [False, True], default=int(few)),
    }
    edges = call(
        words["hog"],
        image,
        cells=integer("hog.cells", 3, 10, default=7),
        orientations=integer("hog.orientations", 6, 16, default=12),
        **views,
    )
    codes = call(
        words["patch_features"],
        image,
        patches=integer("patches", 100, 1600, log=True, default=400),
        size=integer("patch.size", 4, 8, default=6),
        pool=integer("patch.pool", 2, 4, default=3),
        **views,
    )
    patches = call(words["standardise"], codes)
    options = [edges, patches, call(words["join"], edges, patches)]
    for function in known:
        learnt = call(words["standardise"], function.body.substitute({function.names[0]: image}))
        options += [learnt, call(words["join"], edges, learnt)]
    features = one_of("features", options)
    linear = call(
        words["linear"],
        features,
        penalty=real("linear.penalty", 0.01, 1000.0, log=True, default=1.0, regularises=1),
        path=True,
    )
    kernel = call(
        words["kernel_ridge"],
        features,
        landmarks=integer("landmarks", 500, 6000, log=True, default=2000),
        width=real("kernel.width", 0.4, 4.0, log=True, default=1.2, regularises=1),
    )
    boosted = call(
        words["lightgbm"],
        features,
        rounds=1000,
        learning_rate=real("boost.rate", 0.03, 0.3, log=True, default=0.1),
        leaves=integer("boost.leaves", 4, 64, log=True, default=16, regularises=-1),
        columns=real("boost.columns", 0.05, 1.0, log=True, default=0.2, regularises=-1),
    )
    return one_of("learner", [linear, kernel, boosted])
