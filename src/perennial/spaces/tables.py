"""The space of models for tables: encoders for each kind of column, then a learner, with their settings.

Defaults are the recipes that did best on collections of tables (Holzmüller et al. 2024 for boosting and
networks), with the sizes fitted to the number of rows. No data are seen here, only types.
"""

from __future__ import annotations

from collections.abc import Sequence

from perennial.lang import Call, Lambda, Program, Var, call
from perennial.lang.types import Dist, Record, Type
from perennial.primitives import vocabulary
from perennial.spaces.base import Space, integer, one_of, real
from perennial.spaces.genotype import Genotype

NEURAL_ROWS = 200
SMALL_ROWS = 3_000
KERNEL_ROWS = 6_000
ROW = "row"
KNOWN = ".known"  # ends the label of which models of other tasks a learner stands on
ALONE = 1  # the place of what is known without the columns, behind the columns without what is known


def table_space(
    input_type: Record, output: Type, rows: int, neural: bool = True, known: Sequence[Lambda] = ()
) -> Space:
    """Programs from a row to a prediction.

    Args:
        input_type: the record of columns; only encoders for kinds that are there are offered.
        output: `Dist[k]`, `Real`, `Tensor[m]` or `Marginals[m]`.
        rows: to learn from; sizes and offers follow from it.
        neural: offer networks.
        known: what models of other tasks say of a row, as functions of it; learners may stand on it beside the columns.
    """
    encoders = _Encoders(input_type, output, rows, known)
    learners = [
        _linear(encoders),
        _boosted(encoders, rows),
        _forest("extra_trees", encoders),
        _forest("random_forest", encoders),
        _nearest(encoders),
    ]
    if rows <= KERNEL_ROWS and not encoders.has("Text"):
        learners.append(_kernel(encoders))
    if neural and rows >= NEURAL_ROWS and not (encoders.has("Text") and len(input_type.fields) == 1):
        learners.append(_network(encoders, output))
    return Space(Lambda((ROW,), one_of("learner", learners, default=1)))


def portfolio(space: Space) -> list[Genotype]:
    """Strong openers, the most for their time first: each kind of learner, then variants of boosting."""
    learners = {_outermost(option): index for index, option in enumerate(space.program.body.options)}

    def opener(word: str, **choices: object) -> Genotype:
        return space.repair(
            {"learner": learners[word], **{f"boost.{name}": value for name, value in choices.items()}}
        )

    openers = [
        opener(word) for word in ("linear", "lightgbm", "extra_trees", "mlp", "kernel") if word in learners
    ]
    openers += [
        opener("lightgbm", rate=0.03, leaves=8, min_rows=10, columns=0.5, subsample=0.7),
        opener("k_nearest"),
        opener("lightgbm", rate=0.03, leaves=31, min_rows=5, columns=0.8),
        opener("random_forest"),
        opener("lightgbm", rate=0.04, leaves=39, min_rows=3, columns=0.46, subsample=0.88, extra=1),
    ]
    return list(dict.fromkeys(openers))


def known_openers(space: Space, known: Sequence[Lambda]) -> list[tuple[Genotype, int, str]]:
    """Candidates that stand on what models of other tasks say, each with the place of the model and what it is.

    Args:
        space: of `table_space` with these known models.
        known: models, the best first.
    """
    if not known:
        return []
    learners = {_outermost(option): index for index, option in enumerate(space.program.body.options)}
    beside = ALONE + len(known)
    wanted = [
        ("linear", "linear", ALONE, 0, "a linear model on it"),
        ("lightgbm", "boost", beside, 0, "boosted trees on it and the columns"),
        ("extra_trees", "extra_trees", beside, 0, "extra trees on it and the columns"),
        ("linear", "linear", beside, 0, "a linear model on it and the columns"),
        *(
            ("linear", "linear", ALONE + place, place, "a linear model on it")
            for place in range(1, len(known))
        ),
    ]
    found = []
    for word, prefix, choice, place, how in wanted:
        genotype = space.repair({"learner": learners[word], f"{prefix}{KNOWN}": choice})
        if f"{prefix}{KNOWN}" in genotype:
            found.append((genotype, place, how))
    return found


def beside_known(space: Space, genotype: Genotype, known: Sequence[Lambda]) -> Genotype | None:
    """A candidate with what the best model of other tasks says beside the columns; None where its learner has no place for it.

    Args:
        space: of `table_space` with these known models.
        genotype: of that space.
        known: models, the best first.
    """
    labels = [label for label in genotype if label.endswith(KNOWN)]
    if not labels or not known:
        return None
    return space.repair({**genotype, **dict.fromkeys(labels, ALONE + len(known))})


class _Encoders:
    """Sub-programs that turn the columns of a row into what a kind of learner needs."""

    def __init__(self, input_type: Record, output: Type, rows: int, known: Sequence[Lambda] = ()) -> None:
        self._binary, self._bins = output == Dist(2), 10 if rows < SMALL_ROWS else 32
        self._kinds = {kind.name for kind in input_type.fields.values()}
        self._words, self._row = vocabulary(), Var(ROW)
        self._known = [function.body.substitute({function.names[0]: self._row}) for function in known]
        self._largest = max(
            (kind.k for kind in input_type.fields.values() if kind.name == "Categories"), default=0
        )

    def has(self, kind: str) -> bool:
        """Whether any column is of this kind."""
        return kind in self._kinds

    def call(self, word: str, *arguments: Program, **parameters: object) -> Call:
        """A call of a word by its name."""
        return call(self._words[word], *arguments, **parameters)

    @property
    def numbers(self) -> list[Program]:
        """Numbers and parts of dates, raw; NaN where missing."""
        parts = []
        if self._kinds & {"Real", "Int", "Bool"}:
            parts.append(self.call("numbers", self._row))
        if "Date" in self._kinds:
            parts.append(self.call("date_parts", self.call("dates", self._row)))
        return parts

    @property
    def categories(self) -> list[Program]:
        """The record of categories, when there are any."""
        return [self.call("categories", self._row)] if "Categories" in self._kinds else []

    def text(self, prefix: str, sparse: bool) -> list[Program]:
        """Weighted terms for models that take sparse matrices, their strongest directions for others."""
        if "Text" not in self._kinds:
            return []
        texts = self.call("texts", self._row)
        terms = self.call(
            "tfidf",
            texts,
            words=integer(f"{prefix}.words", 1, 3, default=2),
            characters=integer(f"{prefix}.characters", 0, 5, default=5 if sparse else 0),
        )
        if sparse:
            return [
                one_of(
                    f"{prefix}.ratios", [terms, self.call("term_ratios", terms)], default=int(self._binary)
                )
            ]
        topics = self.call(
            "truncated_svd", terms, components=integer(f"{prefix}.topics", 8, 128, log=True, default=32)
        )
        return [self.call("linear_score", terms), topics]

    def joined(self, parts: list[Program], prefix: str = "") -> Program:
        """Parts side by side; for the learner of a prefix also what is known already, alone or beside them."""
        together = parts[0] if len(parts) == 1 else self.call("join", *parts)
        if not prefix or not self._known:
            return together
        said = [self.call("standardise", each) for each in self._known]
        beside = [self.call("join", together, each) for each in said]
        return one_of(f"{prefix}{KNOWN}", [together, *said, *beside])

    def scaled(self, prefix: str, clip: bool = False, default: int = 0) -> list[Program]:
        """Numbers imputed and on one scale, with a choice of how."""
        if not self.numbers:
            return []
        filled = self.call("impute", self.joined(self.numbers))
        plain = self.call("standardise", filled)
        bent = self.call("smooth_clip", self.call("robust_scale", filled))
        ranked = self.call("impute", self.call("quantile_normal", self.joined(self.numbers)))
        options = (
            [bent, ranked]
            if clip
            else [
                plain,
                bent,
                ranked,
                self.call(
                    "piecewise_linear",
                    filled,
                    bins=integer(f"{prefix}.bins", 4, 64, log=True, default=self._bins),
                ),
            ]
        )
        return [one_of(f"{prefix}.numbers", options, default=default)]

    def indicators(self, prefix: str) -> list[Program]:
        """Categories as indicators, with target means beside when levels are many."""
        if not self.categories:
            return []
        hot = self.call(
            "one_hot",
            self.categories[0],
            max_levels=integer(f"{prefix}.levels", 8, 128, log=True, default=32),
        )
        if self._largest <= 32:
            return [hot]
        means = self.call("standardise", self.call("target_mean", self.categories[0]))
        return [one_of(f"{prefix}.categories", [hot, self.call("join", hot, means)], default=1)]

    def for_trees(self, prefix: str) -> list[Program]:
        """Raw numbers and topics; categories as codes, or as target means."""
        parts = [*self.numbers, *self.text(prefix, sparse=False)]
        if self.categories:
            codes, means = (
                self.call("ordinal", self.categories[0]),
                self.call("target_mean", self.categories[0]),
            )
            options = [codes, self.call("join", codes, means)]
            parts.append(one_of(f"{prefix}.categories", options, default=int(self._largest > 8)))
        return parts


def _linear(encoders: _Encoders) -> Program:
    parts = [
        *encoders.scaled("linear", default=3),
        *encoders.indicators("linear"),
        *encoders.text("linear", sparse=True),
    ]
    penalty = real("linear.penalty", 0.01, 1000.0, log=True, default=1.0, regularises=1)
    return encoders.call("linear", encoders.joined(parts, "linear"), penalty=penalty, path=True)


def _nearest(encoders: _Encoders) -> Program:
    parts = [
        *encoders.scaled("near", clip=True),
        *encoders.indicators("near"),
        *encoders.text("near", sparse=False),
    ]
    neighbours = integer("near.neighbours", 3, 100, log=True, default=15, regularises=1)
    return encoders.call(
        "k_nearest",
        encoders.joined(parts, "near"),
        neighbours=neighbours,
        sharpness=real("near.sharpness", 0.0, 2.0, default=1.0),
    )


def _kernel(encoders: _Encoders) -> Program:
    parts = [*encoders.scaled("kernel", clip=True), *encoders.indicators("kernel")]
    width = real("kernel.width", 0.3, 4.0, log=True, default=1.0, regularises=1)
    features = encoders.call("kernel_features", encoders.joined(parts, "kernel"), width=width, landmarks=500)
    penalty = real("kernel.penalty", 0.001, 10.0, log=True, default=0.1, regularises=1)
    return encoders.call("linear", features, penalty=penalty, path=True)


def _forest(word: str, encoders: _Encoders) -> Program:
    return encoders.call(
        word,
        encoders.joined(encoders.for_trees(word), word),
        min_rows=integer(f"{word}.min_rows", 1, 20, log=True, default=2, regularises=1),
        max_features=real(
            f"{word}.max_features", 0.1, 1.0, default=0.7 if word == "extra_trees" else 0.5, regularises=-1
        ),
        trees=200,
    )


def _boosted(encoders: _Encoders, rows: int) -> Program:
    parts = [*encoders.numbers, *encoders.text("boost", sparse=False)]
    inputs = [encoders.joined(parts, "boost")] if parts else []
    if encoders.categories:
        native, codes = encoders.categories[0], encoders.call("ordinal", encoders.categories[0])
        inputs.append(one_of("boost.categories", [native, codes], default=int(rows < SMALL_ROWS)))
    small = rows < SMALL_ROWS
    return encoders.call(
        "lightgbm",
        *inputs,
        rounds=3000,
        learning_rate=real("boost.rate", 0.01, 0.2, log=True, default=0.04),
        leaves=integer("boost.leaves", 4, 256, log=True, default=16 if small else 50, regularises=-1),
        min_rows=integer("boost.min_rows", 1, 128, log=True, default=20, regularises=1),
        subsample=real("boost.subsample", 0.5, 1.0, default=0.75, regularises=-1),
        columns=real("boost.columns", 0.2, 1.0, default=0.6 if small else 0.7, regularises=-1),
        l2=real("boost.l2", 1e-3, 100.0, log=True, default=0.1, regularises=1),
        extra=one_of("boost.extra", [False, True]),
    )


def _network(encoders: _Encoders, output: Type) -> Program:
    inputs = [
        *encoders.scaled("net", clip=True, default=1),
        *encoders.categories,
        *encoders.text("net", sparse=False),
    ]
    classify = output.name in ("Dist", "Marginals")
    return encoders.call(
        "mlp",
        *inputs,
        width=integer("net.width", 32, 512, log=True, default=256),
        depth=integer("net.depth", 1, 4, default=3),
        learning_rate=real("net.rate", 0.005, 0.2, log=True, default=0.04 if classify else 0.07),
        dropout=real("net.dropout", 0.0, 0.4, default=0.15, regularises=1),
        weight_decay=real("net.decay", 1e-3, 0.2, log=True, default=0.02, regularises=1),
        activation="selu" if classify else "mish",
    )


def _outermost(option: Program) -> str:
    """The kind of learner of an option: its word, or `kernel` for a linear model on kernel features."""
    name = option.function.name
    first = option.arguments[0]
    return (
        "kernel"
        if name == "linear" and isinstance(first, Call) and first.function.name == "kernel_features"
        else name
    )
