"""Every word that fits itself keeps the promises of its kind."""

import numpy as np
import pytest
from scipy import sparse

from perennial.lang import Dist, Image, Learner, Marginals, Real, Tensor
from perennial.primitives import vocabulary
from perennial.primitives.learners.base import Predictor
from perennial.testing.words import ROWS, check_encoder, check_learner, records_of, table

FITTED = {name: word for name, word in vocabulary().items() if isinstance(word, Learner)}
PREDICTORS = {name for name, word in FITTED.items() if isinstance(word, Predictor)}
TOLD_BY_RECORDS = {"constant", "one_rule"}  # predictors on records, tested in test_baselines.py
QUICK = {
    "lightgbm": {"rounds": 60, "learning_rate": 0.2},
    "extra_trees": {"trees": 30, "min_rows": 5},  # a leaf of one row believes it, whatever its weight
    "random_forest": {"trees": 30, "min_rows": 5},
    "linear": {"path": True},
}
TAKES_MISSING = {"lightgbm", "extra_trees", "random_forest"}
STOPS_EARLY = {"lightgbm", "linear"}


def counts():
    return sparse.csr_matrix(np.random.default_rng(1).poisson(0.3, (ROWS, 30)).astype(float))


def inputs_of(name):
    """A fitting batch for an encoder, and its types."""
    if name in ("one_hot", "target_mean"):
        columns, kind = records_of("categories")
        return (columns,), (kind,)
    if name == "tfidf":
        columns, kind = records_of("texts")
        return (columns,), (kind,)
    if name in ("truncated_svd", "term_ratios"):
        return (counts(),), (Tensor(30),)
    if name == "patch_features":
        images = np.random.default_rng(1).integers(0, 256, (ROWS, 9, 8, 3)).astype(np.uint8)
        return (images,), (Image(9, 8, 3),)
    missing = name not in ("piecewise_linear", "kernel_features", "linear_score")
    return (table(missing=missing),), (Tensor(5),)


@pytest.mark.parametrize("name", sorted(PREDICTORS))
def test_a_predictor_keeps_its_promises(name):
    check_learner(
        FITTED[name], missing=name in TAKES_MISSING, stops_early=name in STOPS_EARLY, **QUICK.get(name, {})
    )


@pytest.mark.parametrize("output", [Dist(2), Dist(3), Real, Tensor(2), Marginals(3)], ids=str)
@pytest.mark.parametrize("name", sorted(FITTED.keys() - PREDICTORS - TOLD_BY_RECORDS))
def test_an_encoder_keeps_its_promises(name, output):
    inputs, types = inputs_of(name)
    check_encoder(FITTED[name], inputs, output, types)


@pytest.mark.parametrize("word", list(vocabulary().values()), ids=lambda word: word.name)
def test_a_word_is_documented_and_its_defaults_are_in_range(word):
    assert word.doc.strip()
    for name, parameter in word.parameters.items():
        if parameter.low is not None:
            assert parameter.low <= parameter.default <= parameter.high, name
        if parameter.options:
            assert parameter.default in parameter.options, name
