"""Words on columns against scikit-learn, the calendar of the standard library and closed forms."""

import datetime

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import OneHotEncoder, RobustScaler, StandardScaler

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang import Categories, Date, Dist, FitContext, Real, Record, Tensor, Text, Var, call, infer
from perennial.primitives import vocabulary
from perennial.primitives.columns import DATE_PARTS

WORD = vocabulary()
ROWS = 120


def context(rows=ROWS, types=(), seed=0):
    return FitContext(output=Real, train_rows=rows, types=types, seed=seed)


def fitted(name, value, target=None, types=(), **parameters):
    parameters = WORD[name].complete(parameters)
    return WORD[name].fit_call((value,), target, context(types=types), **parameters)


def numbers(missing=True):
    values = np.random.default_rng(0).normal(3, 2, (ROWS, 3)) ** 2
    if missing:
        values[::7, 1] = np.nan
    return values


def test_the_fields_of_a_record_are_chosen_by_their_type():
    row = {
        "f0001": np.array([1.0, np.nan]),
        "f0002": np.array([0, -1], dtype=np.int32),
        "f0003": np.array(["2024-01-01", "NaT"], dtype="datetime64[s]"),
        "f0004": np.array(["a", ""], dtype=object),
    }
    assert WORD["numbers"].call(row).shape == (2, 1)
    for word, field in {"categories": "f0002", "dates": "f0003", "texts": "f0004"}.items():
        assert list(WORD[word].call(row)) == [field]
    kind = Record({"f0001": Real, "f0002": Categories(3), "f0003": Date, "f0004": Text})
    assert infer(call(WORD["numbers"], Var("row")), environment={"row": kind}) == Tensor(1)
    assert WORD["categories"].infer(kind) == Record({"f0002": Categories(3)})
    with pytest.raises(TypeMismatch, match="takes a record"):
        WORD["numbers"].infer(Real)


def test_date_parts_are_those_of_the_calendar():
    moments = [
        datetime.datetime(1969, 12, 31, 23, 59),
        datetime.datetime(2024, 2, 29, 13, 5),
        datetime.datetime(1600, 1, 1),
    ]
    column = np.array([*moments, None], dtype="datetime64[s]")
    parts = WORD["date_parts"].call({"f0001": column})
    assert np.isnan(parts[3]).all()
    for moment, row in zip(moments, parts, strict=False):
        told = dict(zip(DATE_PARTS, row, strict=True))
        days = (moment - datetime.datetime(1970, 1, 1)).total_seconds() / 86_400
        assert told["days"] == pytest.approx(days)
        expected = (
            moment.year,
            moment.month,
            moment.day,
            moment.weekday(),
            moment.timetuple().tm_yday,
            moment.hour,
            moment.minute,
        )
        names = ("year", "month", "day", "weekday", "day_of_year", "hour", "minute")
        assert tuple(told[name] for name in names) == expected
        assert told["hour_sin"] == pytest.approx(
            np.sin(2 * np.pi * (moment.hour + moment.minute / 60) / 24), abs=1e-9
        )


def test_ordinal_keeps_codes_and_sets_missing_and_unseen_apart():
    values = WORD["ordinal"].call({"f0001": np.array([0, 2, -1, -2], dtype=np.int32)})
    assert values[:2, 0].tolist() == [0.0, 2.0]
    assert np.isnan(values[2, 0]) and values[3, 0] == 3.0


def test_join_is_sparse_when_a_part_is():
    dense, thin = np.ones((2, 1)), sparse.csr_matrix(np.eye(2))
    assert WORD["join"].call(dense, dense).tolist() == [[1, 1], [1, 1]]
    assert WORD["join"].call(dense, thin).toarray().tolist() == [[1, 1, 0], [1, 0, 1]]
    assert WORD["join"].infer(Tensor(2), Tensor(3)) == Tensor(5)


def test_impute_agrees_with_scikit_learn():
    _, values = fitted("impute", numbers())
    assert values == pytest.approx(
        SimpleImputer(strategy="median", add_indicator=True).fit_transform(numbers())
    )


def test_impute_fills_a_column_without_any_value():
    _, values = fitted("impute", np.full((4, 1), np.nan), indicators=False)
    assert values.tolist() == [[0.0]] * 4


def test_scalers_agree_with_scikit_learn_and_keep_missing_values():
    for name, theirs in (("standardise", StandardScaler()), ("robust_scale", RobustScaler())):
        _, values = fitted(name, numbers())
        assert values == pytest.approx(theirs.fit_transform(numbers()), nan_ok=True)


def test_a_constant_column_is_scaled_to_zero():
    for name in ("standardise", "robust_scale"):
        assert fitted(name, np.full((5, 1), 3.0))[1].tolist() == [[0.0]] * 5


def test_smooth_clip_stays_within_three_and_keeps_small_numbers():
    values = WORD["smooth_clip"].call(np.array([[-1e9, 0.01, 1e9]]))
    assert values == pytest.approx(np.array([[-3.0, 0.01, 3.0]]), abs=1e-4)


def test_quantile_normal_gives_a_normal_column_whatever_came_in():
    values = np.exp(3 * np.random.default_rng(0).normal(size=(5_000, 1)))
    state = WORD["quantile_normal"].fit((values,), None, context(5_000), quantiles=200)
    normal = WORD["quantile_normal"].call(values, state=state, quantiles=200)
    assert np.mean(normal) == pytest.approx(0, abs=0.02)
    assert np.std(normal) == pytest.approx(1, abs=0.03)
    assert (np.argsort(normal[:, 0], kind="stable") == np.argsort(values[:, 0], kind="stable")).mean() > 0.98


def test_piecewise_linear_is_one_below_and_zero_above_a_value():
    _, values = fitted("piecewise_linear", np.arange(ROWS, dtype=float)[:, None], bins=4)
    assert values.shape == (ROWS, 4)
    assert values[0].tolist() == [0, 0, 0, 0] and values[-1].tolist() == [1, 1, 1, 1]
    assert values.sum(axis=1) == pytest.approx(np.arange(ROWS) / (ROWS - 1) * 4)


def test_one_hot_agrees_with_scikit_learn_for_known_levels():
    codes = np.random.default_rng(0).integers(0, 4, ROWS).astype(np.int32)
    kind = Record({"f0001": Categories(4)})
    _, values = fitted("one_hot", {"f0001": codes}, types=(kind,))
    assert (values == OneHotEncoder(sparse_output=False).fit_transform(codes[:, None])).all()
    assert WORD["one_hot"].infer(kind, max_levels=3) == Tensor(3)


def test_one_hot_has_no_indicator_for_missing_unseen_and_rare_levels():
    codes = {"f0001": np.array([0, 1, 2, -1, -2], dtype=np.int32)}
    state = WORD["one_hot"].fit((codes,), None, context(5, (Record({"f0001": Categories(3)}),)), max_levels=2)
    assert WORD["one_hot"].call(codes, state=state, max_levels=2).tolist() == [
        [1, 0],
        [0, 1],
        [0, 0],
        [0, 0],
        [0, 0],
    ]


def test_target_means_are_smoothed_to_the_overall_mean():
    codes, target = np.array([0, 0, 1, -1], dtype=np.int32), np.array([1.0, 3.0, 8.0, 0.0])
    state = WORD["target_mean"].fit(({"f0001": codes},), target, context(4), smoothing=2.0)
    values = WORD["target_mean"].call({"f0001": np.array([0, 1, -1, -2, 9], dtype=np.int32)}, state=state)
    assert values[:, 0] == pytest.approx(
        [(4 + 2 * 3) / 4, (8 + 6) / 3, (0 + 6) / 3, (0 + 6) / 3, (0 + 6) / 3]
    )


def test_target_means_of_training_rows_do_not_know_their_own_answer():
    codes = np.arange(ROWS, dtype=np.int32)  # every row a level of its own
    target = np.random.default_rng(0).normal(size=ROWS)
    _, values = fitted("target_mean", {"f0001": codes}, target, smoothing=0.1)
    assert abs(np.corrcoef(values[:, 0], target)[0, 1]) < 0.5


def test_kernel_features_reproduce_the_kernel_of_all_landmarks():
    values = np.random.default_rng(0).normal(size=(60, 4))
    word = WORD["kernel_features"]
    state = word.fit((values,), None, context(60), landmarks=100, width=1.0)
    features = word.call(values, state=state, landmarks=100, width=1.0)
    assert features @ features.T == pytest.approx(
        rbf_kernel(values, gamma=state.arrays["gamma"][0]), abs=1e-5
    )


def test_tfidf_agrees_with_scikit_learn_and_reads_unseen_words():
    lines = ["red apple", "green apple", "red red pear", "", "Äpfel! 42"] * 60
    rows = np.array(lines, dtype=object)
    word, parameters = WORD["tfidf"], WORD["tfidf"].complete({"words": 2, "rarest": 2})
    state = word.fit(({"f0001": rows},), None, context(len(rows)), **parameters)
    theirs = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        min_df=2,
        strip_accents="unicode",
        token_pattern=r"(?u)\b\w+\b|[!?]",
    ).fit(lines)
    asked = ["red pear", "nothing known", ""]
    given = word.call({"f0001": np.array(asked, dtype=object)}, state=state, **parameters)
    assert given.toarray() == pytest.approx(theirs.transform(asked).toarray())


def test_texts_without_any_word_give_no_terms():
    rows = np.array([""] * 10, dtype=object)
    state, values = fitted("tfidf", {"f0001": rows})
    assert values.shape == (10, 0) and not state.arrays


def test_truncated_svd_spans_the_directions_of_scikit_learn():
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(0.5, (ROWS, 20)) * np.linspace(1, 4, 20))
    _, ours = fitted("truncated_svd", counts, components=3)
    theirs = TruncatedSVD(3, algorithm="arpack", random_state=0).fit_transform(counts)
    assert abs(ours) == pytest.approx(abs(theirs), abs=0.05 * abs(theirs).max())


def test_term_ratios_weigh_terms_by_the_class_they_speak_for():
    counts = sparse.csr_matrix(np.array([[1.0, 0, 1], [0, 1.0, 1]] * 10))
    state, _ = fitted("term_ratios", counts, np.array([1, 0] * 10))
    assert state.arrays["ratios"][0] == pytest.approx([np.log(11), -np.log(11), 0.0])


def test_linear_scores_of_training_rows_are_out_of_fold():
    generator = np.random.default_rng(0)
    noise, target = generator.normal(size=(ROWS, 300)), generator.integers(0, 2, ROWS)
    _, scores = fitted("linear_score", noise, target, penalty=1e-3)
    assert scores.shape == (ROWS, 1)
    assert ((scores[:, 0] > 0) == target).mean() < 0.7  # the model itself gets every training row right


def test_weighted_average_and_calibrate_keep_probabilities():
    left, right = np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])
    assert WORD["weighted_average"].call(left, right, weights=(3.0, 1.0)) == pytest.approx(
        np.array([[0.8, 0.2]])
    )
    assert WORD["weighted_average"].call(left, right) == pytest.approx(np.array([[0.7, 0.3]]))
    with pytest.raises(ProgramError, match="2 predictions and 3 weights"):
        WORD["weighted_average"].call(left, right, weights=(1.0, 1.0, 1.0))
    assert WORD["calibrate"].call(left, temperature=2.0) == pytest.approx(np.array([[0.75, 0.25]]))
    assert WORD["weighted_average"].arrow(2).inputs[0] == WORD["weighted_average"].arrow(2).result
    assert infer(call(WORD["calibrate"], Var("p")), environment={"p": Dist(2)}) == Dist(2)
