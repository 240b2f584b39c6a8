"""The space of models for images: networks grown from layer words, and models on features that need no network.

A network is a stem, then stages of halving size, then pooling and the head with its recipe. What a stage repeats is
a plain block (convolution, normalisation, activation: the groups of airbench, Jordan 2024), a residual block (He,
Zhang, Ren & Sun 2016, with activation before convolution), or a cell whose small graph is searched (Zoph, Vasudevan,
Shlens & Le 2018; Real et al. 2019). Widths and limits follow from the time: the default is the widest network that
sees its images often enough. No data are seen here, only types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perennial.lang import Call, Lambda, Program, Var, as_program, call
from perennial.lang.types import Image, Type
from perennial.primitives import vocabulary
from perennial.primitives.layers.frozen import Frozen
from perennial.spaces.base import Space, integer, one_of, real, repeat
from perennial.spaces.features import FEATURES, FEW_IMAGES, FIRST_KNOWN, IMAGE, LEARNERS, WAYS, on_features
from perennial.spaces.genotype import Genotype
from perennial.spaces.limits import Limits, cost_of

FAMILIES = {"plain": 0, "residual": 1, "cell": 2}
# what one core trains in a second, forward and backward together: 3e10 with narrow networks, 1e11 with wide ones
FLOPS_A_SECOND = 6e10
TRAINING_PASSES = 3.0
LONG_SHARE = 0.6
PASSES_AT_TEN_THOUSAND = 25.0
FLOPS_RANGE = (5e5, 2e8)
LARGER_THAN_DEFAULT = 4.0
MOST_PARAMETERS, MOST_ACTIVATIONS = 2e7, 2e6
SMALLEST_SIDE, LARGEST_SIDE, MOST_STAGES = 3, 64, 4
BASES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
NARROWEST, WIDEST = 4, 512
NODES = 3
MOST_BLOCKS = {"plain": 4, "residual": 4, "cells": 2}
DEFAULTS_FOR_NO_LIMIT = 600.0
MOST_EPOCHS = 200
SMALLER_STEPS = 0.3
FEW_PATCHES = 100
BATCHES = [32, 64, 128, 256]
STRONG = {"cutout": 0.3, "trivial": 0.3}


def network_space(
    input_type: Image,
    output: Type,
    rows: int,
    seconds: float = math.inf,
    features: bool = True,
    known: Sequence[Lambda] = (),
) -> Space:
    """Programs from an image to a prediction.

    Args:
        input_type: `Image[height, width, channels]`; stages are as many as halvings of the size make sense.
        output: `Dist[k]`, `Real`, `Tensor[m]` or `Marginals[m]`.
        rows: to learn from.
        seconds: of the whole study; `inf` without a clock, then sizes are those of ten minutes.
        features: offer models on features beside networks.
        known: features that were learnt on other tasks, as functions of an image.
    """
    wanted = _affordable_flops(rows, seconds)
    base, flops = _base_width(input_type, output, rows, wanted)
    limits = Limits(MOST_PARAMETERS, max(LARGER_THAN_DEFAULT * flops, wanted), MOST_ACTIVATIONS)
    return Space(
        _program(input_type, rows, base, features, known),
        limits=limits,
        growing=_growing(_stages(input_type)),
    )


def network_portfolio(space: Space, mirrored: bool = False) -> list[Genotype]:
    """Strong openers: features without a network, kinds of networks, then variants. A baseline is linear on edges.

    Args:
        space: of `network_space`.
        mirrored: whether mirror images seem to mean the same; then all networks but one see them, otherwise one does.
    """
    flip = int(mirrored)

    def on(features: str, **choices: Any) -> Genotype:
        return _on_features(space, FEATURES[features], "kernel_ridge", mirrored=flip, **choices)

    def network(family: str, **choices: Any) -> Genotype:
        return space.repair({"model": 0, "family": FAMILIES[family], "flip": flip, **choices})

    default = space.default()
    narrow = {
        label: max(NARROWEST, value // 2) for label, value in default.items() if label.endswith("width")
    }
    openers = [
        on("edges"),
        on("patches", patches=FEW_PATCHES),
        network("plain"),
        network("residual"),
        network("plain", **narrow),
        network("plain", flip=1 - flip),
        strengthened(space, network("plain")),
        space.weaken(network("plain"), 0.0),
        on("patches"),
        network("cell"),
    ]
    return list(dict.fromkeys(openers))


def known_openers(
    space: Space, known: Sequence[Lambda], mirrored: bool = False
) -> list[tuple[Genotype, int, str]]:
    """Candidates on features that were learnt on other tasks, each with the place of its features and what it is.

    A linear model on each; on the first also a kernel, and both beside edges; and the first of them that is a network,
    trained further with small steps.

    Args:
        space: of `network_space` with these known features.
        known: features, the best first.
        mirrored: whether mirror images seem to mean the same.
    """
    if not known:
        return []

    def on(place: int, way: int, learner: str) -> Genotype:
        return _on_features(space, FIRST_KNOWN + WAYS * place + way, learner, mirrored=int(mirrored))

    found = [(on(place, 0, "linear"), place, "a linear model on it") for place in range(len(known))]
    networks = [place for place, function in enumerate(known) if _is_network(function)]
    if networks:
        further = space.repair({"model": 0, "family": len(FAMILIES)})
        slower = {name: SMALLER_STEPS * value for name, value in further.items() if name.endswith(".rate")}
        found.insert(1, (space.repair({**further, **slower}), networks[0], "trained further"))
    return [
        *found,
        (on(0, 1, "linear"), 0, "a linear model on it and edges"),
        (on(0, 0, "kernel_ridge"), 0, "a kernel on it"),
        (on(0, 1, "kernel_ridge"), 0, "a kernel on it and edges"),
    ]


def _is_network(function: Lambda) -> bool:
    """Whether known features are layers, which can be trained further."""
    return isinstance(function.body.function, Frozen)


def _on_features(space: Space, features: int, learner: str, **choices: Any) -> Genotype:
    return space.repair({"model": 1, "features": features, "learner": LEARNERS[learner], **choices})


def strengthened(space: Space, genotype: Genotype) -> Genotype:
    """The same network with more augmentation; other models stay as they are."""
    return _at_least(space, genotype, STRONG)


def for_long_training(
    space: Space, genotype: Genotype, mirrored: bool = False, strong: bool = False
) -> Genotype:
    """A network whose training only the clock ends; other models stay as they are.

    Args:
        space: of `network_space`.
        genotype: of it.
        mirrored: whether mirror images seem to mean the same; then it sees them.
        strong: whether it gets more augmentation, which a longer training can use.
    """
    least = {"epochs": MOST_EPOCHS, "flip": int(mirrored)} | (STRONG if strong else {})
    return _at_least(space, genotype, least)


def _at_least(space: Space, genotype: Genotype, least: Mapping[str, Any]) -> Genotype:
    more = {name: max(genotype[name], value) for name, value in least.items() if name in genotype}
    return space.repair({**genotype, **more}) if more else genotype


# -- sizes -----------------------------------------------------------------------------------------------------------


def _affordable_flops(rows: int, seconds: float) -> float:
    """Of one forward pass of one image, so that the long training at the end sees all images often enough.

    Ten thousand images want 25 passes, four times as many half of that.
    """
    seconds = DEFAULTS_FOR_NO_LIMIT if math.isinf(seconds) else seconds
    passes = PASSES_AT_TEN_THOUSAND * math.sqrt(10_000 / max(rows, 1))
    trained = LONG_SHARE * seconds * FLOPS_A_SECOND
    low, high = FLOPS_RANGE
    return min(max(trained / (TRAINING_PASSES * max(rows, 1) * max(passes, 2.0)), low), high)


def _base_width(input_type: Image, output: Type, rows: int, wanted: float) -> tuple[int, float]:
    """The widest first stage with which the default network needs no more than that, and what it needs."""
    chosen = None
    for base in BASES:
        space = Space(_program(input_type, rows, base))
        flops = cost_of(space.freeze(space.default()), (input_type,), output).flops
        if chosen is None or flops <= wanted:
            chosen = base, flops
    return chosen


def _stages(input_type: Image) -> int:
    """How often the size is halved until about three pixels are left.

    >>> _stages(Image(28, 28, 1)), _stages(Image(32, 32, 3)), _stages(Image(8, 8, 1)), _stages(Image(64, 64, 3))
    (3, 3, 1, 4)
    """
    shorter = min(input_type.dims[0], input_type.dims[1], LARGEST_SIDE)
    return max(1, min(MOST_STAGES, int(math.log2(max(1.0, shorter / SMALLEST_SIDE)))))


# -- the program -----------------------------------------------------------------------------------------------------


def _program(
    input_type: Image, rows: int, base: int, features: bool = True, known: Sequence[Lambda] = ()
) -> Program:
    image = Var(IMAGE)
    words = vocabulary()

    def word(name: str, *arguments: Any, **parameters: Any) -> Program:
        return call(words[name], *arguments, **parameters)

    network = _Network(word, input_type, base).program(image, known)
    trained = _trained(word, network, rows)
    if not features:
        return Lambda((IMAGE,), trained)
    return Lambda((IMAGE,), one_of("model", [trained, on_features(image, known, few=rows <= FEW_IMAGES)]))


def _trained(word: Callable, network: Program, rows: int) -> Program:
    """The head with its recipe; each optimiser has learning rates of its own."""
    batch = 2 if rows >= 5_000 else 1 if rows >= 1_000 else 0
    shared = {
        "schedule": one_of("schedule", ["one_cycle", "cosine", "coslog4"]),
        "epochs": integer("epochs", 8, MOST_EPOCHS, log=True, default=30),
        "batch": one_of("batch", BATCHES, default=batch),
        "label_smoothing": real("smoothing", 0.0, 0.2, default=0.1, regularises=1),
        "ema": one_of("ema", [0.0, 0.99, 0.999]),
        "shift": real("shift", 0.0, 0.15, default=0.06, regularises=1),
        "flip": one_of("flip", [False, True]),
        "cutout": real("cutout", 0.0, 0.5, default=0.0, regularises=1),
        "trivial": real("trivial", 0.0, 1.0, default=0.0, regularises=1),
        "test_time": "trained",
    }
    descent = {
        "learning_rate": real("sgd.rate", 0.01, 1.0, log=True, default=0.3 * BATCHES[batch] / 128),
        "weight_decay": real("sgd.decay", 1e-5, 1e-2, log=True, default=5e-4, regularises=1),
    }
    adam = {
        "learning_rate": real("adam.rate", 1e-3, 5e-2, log=True, default=1e-2),
        "weight_decay": real("adam.decay", 1e-4, 0.3, log=True, default=0.02, regularises=1),
    }
    heads = [
        word("head", network, optimiser="sgd", **descent, **shared),
        word("head", network, optimiser="adam", **adam, **shared),
    ]
    return one_of("optimiser", heads)


class _Network:
    """Stem, stages and pooling; decisions of the whole network are put in by name from the outside."""

    def __init__(self, word: Callable, input_type: Image, base: int) -> None:
        self._word, self._input_type, self._base = word, input_type, base
        self._stages = _stages(input_type)

    def program(self, image: Program, known: Sequence[Lambda] = ()) -> Program:
        """From the image to a vector; layers that were trained on other tasks are families of their own."""
        families = [self._plain(image), self._residual(image), self._cells(image)]
        learnt = [
            function.body.arguments[0].substitute({function.names[0]: image})
            for function in known
            if _is_network(function)
        ]
        pooled = one_of("family", [*map(self._pooled, families), *learnt])
        dropped = self._word("dropout", pooled, rate=real("dropout", 0.0, 0.5, default=0.0, regularises=1))
        return _with(dropped, self._shared())

    def _shared(self) -> dict[str, Program]:
        """Activation, normalisation, and the width of each stage."""
        plain = Lambda(("x",), Var("x"))
        words = vocabulary()
        shared: dict[str, Any] = {
            "activation": one_of("activation", [words["relu"], words["gelu"], words["silu"]]),
            "norm": one_of("norm", [words["batch_norm"], plain]),
        }
        for stage in range(self._stages + 1):
            default = min(WIDEST, self._base * 2 ** max(0, stage - 1))
            shared[f"width{stage}"] = integer(
                "stem.width" if not stage else f"stage{stage}.width",
                max(NARROWEST, default // 4),
                min(WIDEST, default * 4),
                log=True,
                default=default,
            )
        return shared

    # -- parts -------------------------------------------------------------------------------------------------------

    def _conv(self, kind: str, x: Program, stage: int, kernel: Any, branch: int = 0) -> Program:
        return self._word(kind, x, width=Var(f"width{stage}"), kernel=kernel, branch=branch)

    def _norm(self, x: Program) -> Program:
        return Call(Var("norm"), (x,))

    def _act(self, x: Program) -> Program:
        return Call(Var("activation"), (x,))

    def _halved(self, x: Program) -> Program:
        return self._word("max_pool", x, size=2)

    def _pooled(self, x: Program) -> Program:
        return self._word("global_pool", x)

    def _stem(self, image: Program) -> Program:
        """Pixels and one convolution; large images are halved before anything else looks at them."""
        x = self._word("pixels", image)
        shorter = min(self._input_type.dims[0], self._input_type.dims[1])
        while shorter > LARGEST_SIDE:
            x, shorter = self._word("average_pool", x, size=2), shorter // 2
        return self._conv("conv", x, 0, kernel=3)

    # -- families ----------------------------------------------------------------------------------------------------

    def _plain(self, image: Program) -> Program:
        """Groups of convolution, pooling, normalisation and activation, then blocks without pooling."""
        x = self._act(self._norm(self._stem(image)))
        for stage in range(1, self._stages + 1):
            x = self._act(self._norm(self._halved(self._conv("conv", x, stage, kernel=3))))
            x = self._repeated(x, stage, "plain", self._plain_block(stage), default=1)
        return x

    def _plain_block(self, stage: int) -> Program:
        x, prefix = Var("x"), f"plain{stage}"
        main = self._norm(self._chosen(f"{prefix}.", x, stage))
        side = self._norm(self._chosen(f"{prefix}.side.", x, stage, branch=1))
        joined = one_of(f"{prefix}.branches", [main, self._word("sum_of", main, side)])
        return Lambda(("x",), self._act(joined))

    def _residual(self, image: Program) -> Program:
        """Pre-activation residual blocks, as many as wanted after the one that halves the size."""
        x = self._stem(image)
        for stage in range(1, self._stages + 1):
            ready = self._act(self._norm(x))
            main = self._act(self._norm(self._halved(self._conv("conv", ready, stage, kernel=3))))
            short = self._conv("conv", self._halved(ready), stage, kernel=1)
            x = self._word("sum_of", short, self._conv("conv", main, stage, kernel=3))
            x = self._repeated(x, stage, "residual", self._residual_block(stage), default=0)
        return self._act(self._norm(x))

    def _residual_block(self, stage: int) -> Program:
        x, prefix = Var("x"), f"residual{stage}"
        first = self._chosen(f"{prefix}.first.", self._act(self._norm(x)), stage)
        second = self._chosen(f"{prefix}.second.", self._act(self._norm(first)), stage)
        return Lambda(("x",), self._word("sum_of", x, second))

    def _chosen(self, prefix: str, x: Program, stage: int, branch: int = 0) -> Program:
        """A separable or a full convolution of 1, 3 or 5 pixels."""
        kernel = one_of(f"{prefix}kernel", [1, 3, 5], default=1)
        kinds = [self._conv(kind, x, stage, kernel, branch) for kind in ("separable_conv", "conv")]
        return one_of(f"{prefix}kind", kinds, default=1)

    def _cells(self, image: Program) -> Program:
        """Cells with one graph for the whole network and weights of their own."""
        x = self._act(self._norm(self._stem(image)))
        for stage in range(1, self._stages + 1):
            x = self._norm(self._halved(self._conv("conv", x, stage, kernel=3)))
            x = self._repeated(x, stage, "cells", self._cell(stage), default=1)
        return _with(self._act(self._norm(x)), self._edges())

    def _cell(self, stage: int) -> Program:
        """Nodes that add two edges each; all of them joined, brought to the stage's width and added to the input."""
        x = Var("x")
        values: list[Program] = [x]
        for node in range(NODES):
            legs = [self._leg(values, node, leg, stage) for leg in "ab"]
            values.append(self._word("sum_of", *legs))
        together = self._word("concatenate", *values[1:])
        joined = self._norm(self._conv("conv", self._act(together), stage, kernel=1))
        return Lambda(("x",), self._word("sum_of", x, joined))

    def _leg(self, values: list[Program], node: int, leg: str, stage: int) -> Program:
        source = Call(Var(f"from{node}{leg}"), tuple(values)) if node else values[0]
        return Call(Var(f"do{node}{leg}"), (source, Var(f"width{stage}"), 2 * node + (leg == "b")))

    def _edges(self) -> dict[str, Program]:
        """Where each leg of the cell starts and what it does: one decision for all cells."""
        edges: dict[str, Program] = {}
        for node in range(NODES):
            names = [f"v{number}" for number in range(node + 1)]
            for leg in "ab":
                default = (1 if leg == "a" else 2) if node < 2 else 0
                edges[f"do{node}{leg}"] = one_of(f"cell.{node}{leg}.do", self._operations(), default=default)
                if node:
                    sources = [Lambda(tuple(names), Var(name)) for name in names]
                    edges[f"from{node}{leg}"] = one_of(
                        f"cell.{node}{leg}.from", sources, default=node if leg == "a" else 0
                    )
        return edges

    def _operations(self) -> list[Program]:
        def convolution(kind: str, kernel: int) -> Program:
            x = self._word(kind, self._act(Var("x")), width=Var("width"), kernel=kernel, branch=Var("branch"))
            return Lambda(("x", "width", "branch"), self._norm(x))

        def plain(body: Program) -> Program:
            return Lambda(("x", "width", "branch"), body)

        x = Var("x")
        return [
            plain(x),
            convolution("conv", 3),
            convolution("conv", 1),
            convolution("separable_conv", 3),
            convolution("separable_conv", 5),
            plain(self._word("max_pool", x, size=3, stride=1)),
            plain(self._word("average_pool", x, size=3, stride=1)),
        ]

    def _repeated(self, x: Program, stage: int, family: str, block: Program, default: int) -> Program:
        depth = integer(f"{family}{stage}.depth", 0, MOST_BLOCKS[family], default=default)
        return Call(repeat(block, depth), (x,))


def _with(body: Program, settings: Mapping[str, Any]) -> Program:
    """The body with decisions put in by name; each is one decision wherever the name stands."""
    return Call(Lambda(tuple(settings), body), tuple(as_program(value) for value in settings.values()))


def _growing(stages: int) -> list[str]:
    """Decisions whose larger values can compute what the smaller ones do."""
    found = ["stem.width"]
    for stage in range(1, stages + 1):
        found += [
            f"stage{stage}.width",
            *(f"{family}{stage}.depth" for family in ("plain", "residual", "cells")),
        ]
        found.append(f"plain{stage}.branches")
        for prefix in (
            f"plain{stage}.",
            f"plain{stage}.side.",
            f"residual{stage}.first.",
            f"residual{stage}.second.",
        ):
            found += [f"{prefix}kernel", f"{prefix}kind"]
    return found
