"""Words for written language: weighted counts of words and character n-grams, and a short summary of them."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import numpy as np

from perennial.errors import TypeMismatch
from perennial.lang.ops import FitContext, Learner, Parameter, State
from perennial.lang.types import Record, Tensor, Type, TypeVar, fresh
from perennial.primitives.columns import rows_of

LONGEST_TEXT = 20_000


class Tfidf(Learner):
    """Sublinear TF-IDF (Spärck Jones 1972) of words and of characters within words, fields side by side.

    Args:
        words: longest run of words that is a term; 0 for none.
        characters: longest run of characters (from 2); 0 for none.
        terms: at most so many a field and kind, the most frequent ones.
        rarest: a term must be in so many texts.
    """

    name, doc = "tfidf", "Weighted counts of words and character n-grams."
    parameters = MappingProxyType(
        {
            "words": Parameter(2, low=0, high=3),
            "characters": Parameter(0, low=0, high=6),
            "terms": Parameter(50_000, low=100, high=500_000, log=True),
            "rarest": Parameter(2, low=1, high=10),
        }
    )

    def infer(self, *types: Type, **parameters: Any) -> Type:
        if len(types) != 1 or not isinstance(types[0], Record | TypeVar):
            raise TypeMismatch(f"`tfidf` takes a record of texts, received {', '.join(map(str, types))}.")
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, **parameters: Any) -> State:
        arrays, texts = {}, {}
        for field, column in inputs[0].items():
            rows = _shortened(column[: context.train_rows])
            for kind, vectoriser in _vectorisers(len(rows), **parameters):
                try:
                    vectoriser.fit(rows)
                except ValueError:  # nothing but stop words or empty cells
                    continue
                key = f"{field}/{kind}"
                terms = sorted(vectoriser.vocabulary_, key=vectoriser.vocabulary_.get)
                texts[key], arrays[key] = json.dumps(terms, ensure_ascii=False), vectoriser.idf_
        return State(arrays, texts)

    def call(self, *inputs: Any, state: State, **parameters: Any) -> Any:
        from scipy import sparse

        parts = [sparse.csr_matrix((rows_of(inputs[0]), 0))]
        if not rows_of(inputs[0]):
            return sparse.csr_matrix((0, sum(map(len, state.arrays.values()))))
        for field, column in inputs[0].items():
            rows = _shortened(column)
            for kind, vectoriser in _vectorisers(len(rows), **parameters):
                key = f"{field}/{kind}"
                if key not in state.texts:
                    continue
                vectoriser.vocabulary = {
                    term: number for number, term in enumerate(json.loads(state.texts[key]))
                }
                vectoriser.idf_ = state.arrays[key]
                parts.append(vectoriser.transform(rows))
        return sparse.hstack(parts, format="csr")


class TruncatedSvd(Learner):
    """The strongest directions of a sparse matrix (latent semantic analysis, Deerwester et al. 1990)."""

    name, doc = "truncated_svd", "The strongest directions of a sparse matrix."
    parameters = MappingProxyType({"components": Parameter(64, low=2, high=512, log=True)})

    def infer(self, *types: Type, **parameters: Any) -> Type:
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, components: int = 64) -> State:
        from sklearn.utils.extmath import randomized_svd

        rows = inputs[0][: context.train_rows]
        count = max(1, min(components, min(rows.shape) - 1))
        _, _, directions = randomized_svd(rows, count, n_iter=3, random_state=context.seed)
        return State({"directions": np.ascontiguousarray(directions.T)})

    def call(self, *inputs: Any, state: State, components: int = 64) -> np.ndarray:
        return np.asarray(inputs[0] @ state.arrays["directions"])


class TermRatios(Learner):
    """Terms weighted by their log-count ratio between a class and the rest (NB-SVM, Wang and Manning 2012).

    One weighting for each class but the first, side by side; without classes the terms pass unchanged.
    """

    name, doc = "term_ratios", "Terms weighted by how much more often they occur in a class than elsewhere."
    parameters = MappingProxyType({"smoothing": Parameter(1.0, low=0.01, high=10.0, log=True)})

    def infer(self, *types: Type, **parameters: Any) -> Type:
        return Tensor(fresh("d"))

    def fit(self, inputs: tuple, target: Any, context: FitContext, *, smoothing: float = 1.0) -> State:
        truth = np.asarray(target)[: context.train_rows]
        if truth.dtype.kind not in "iu" or truth.ndim != 1:
            return State({"ratios": np.ones((1, inputs[0].shape[1]))})
        rows, ratios = abs(inputs[0][: context.train_rows]), []
        for code in range(1, max(2, int(truth.max()) + 1)):
            inside = np.asarray(rows[truth == code].sum(axis=0)).ravel() + smoothing
            outside = np.asarray(rows[truth != code].sum(axis=0)).ravel() + smoothing
            ratios.append(np.log((inside / inside.sum()) / (outside / outside.sum())))
        return State({"ratios": np.vstack(ratios)})

    def call(self, *inputs: Any, state: State, smoothing: float = 1.0) -> Any:
        from scipy import sparse

        return sparse.hstack(
            [sparse.csr_matrix(inputs[0].multiply(ratio)) for ratio in state.arrays["ratios"]], format="csr"
        )


def _vectorisers(rows: int, *, words: int = 2, characters: int = 0, terms: int = 50_000, rarest: int = 2):
    from sklearn.feature_extraction.text import TfidfVectorizer

    common = {
        "sublinear_tf": True,
        "max_features": terms,
        "min_df": rarest if rows >= 200 else 1,
        "strip_accents": "unicode",
    }
    if words:
        yield "words", TfidfVectorizer(ngram_range=(1, words), token_pattern=r"(?u)\b\w+\b|[!?]", **common)
    if characters >= 2:
        yield "characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, characters), **common)


def _shortened(column: np.ndarray) -> list[str]:
    return [text[:LONGEST_TEXT] for text in column]


tfidf = Tfidf()
truncated_svd = TruncatedSvd()
term_ratios = TermRatios()
