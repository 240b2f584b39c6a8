"""Words on columns, predictions and first weights: closed forms, invariances, and what they refuse."""

import numpy as np
import pytest
from scipy import stats
from sklearn.preprocessing import QuantileTransformer

from perennial.errors import ProgramError, TypeMismatch
from perennial.lang import Categories, Dist, FitContext, Image, Marginals, Real, Record, Tensor, Text, TypeVar
from perennial.primitives import vocabulary

WORD = vocabulary()
ROWS = 200
OPEN = TypeVar("a")
CATEGORIES = Record({"f0001": Categories(3), "f0002": Categories(40)})


def context(output=Real, rows=ROWS, types=(), seed=0):
    return FitContext(output=output, train_rows=rows, types=types, seed=seed)


def fit_call(name, value, target=None, about=None, **parameters):
    parameters = WORD[name].complete(parameters)
    return WORD[name].fit_call((value,), target, about or context(), **parameters)


def skewed(seed=0):
    return np.exp(np.random.default_rng(seed).normal(size=(ROWS, 2)))


@pytest.mark.parametrize("name", ["standardise", "robust_scale"])
@pytest.mark.parametrize("scale, shift", [(7.0, 0.0), (1e-3, 5.0), (1e6, -1e6)])
def test_scaling_takes_unit_and_origin_away(name, scale, shift):
    expected = fit_call(name, skewed())[1]
    assert fit_call(name, scale * skewed() + shift)[1] == pytest.approx(expected, abs=1e-6)


def test_columns_whose_quartiles_coincide_are_scaled_by_their_range():
    values = np.zeros((ROWS, 1))
    values[:3, 0] = [-2.0, 4.0, np.nan]
    scaled = fit_call("robust_scale", values)[1]
    assert scaled[:2, 0].tolist() == [-2 / 3, 4 / 3] and np.isnan(scaled[2, 0])
    assert (scaled[3:] == 0).all()


def test_a_column_without_any_value_stays_missing_when_it_is_scaled():
    for name in ("standardise", "robust_scale", "quantile_normal"):
        assert np.isnan(fit_call(name, np.full((ROWS, 1), np.nan))[1]).all()


def test_only_the_order_of_numbers_counts_for_quantiles():
    ours = fit_call("quantile_normal", skewed(), quantiles=ROWS)[1]
    assert fit_call("quantile_normal", skewed() ** 3, quantiles=ROWS)[1] == pytest.approx(ours, abs=1e-9)
    theirs = QuantileTransformer(n_quantiles=ROWS, output_distribution="normal").fit_transform(skewed())
    inside = abs(theirs) < 3
    assert ours[inside] == pytest.approx(theirs[inside], abs=1e-9)
    assert abs(ours).max() == pytest.approx(stats.norm.ppf(1 - 1e-3))


def test_numbers_beyond_those_seen_fill_all_bins_or_none():
    state, _ = fit_call("piecewise_linear", np.arange(ROWS, dtype=float)[:, None], bins=4)
    asked = np.array([[-1e9], [1e9]])
    assert WORD["piecewise_linear"].call(asked, state=state, bins=4).tolist() == [[0] * 4, [1] * 4]


def test_indicators_of_many_levels_are_the_same_but_sparse():
    codes = np.random.default_rng(0).integers(-2, 300, ROWS).astype(np.int32)
    columns = {"f0001": codes, "f0002": codes[::-1].copy()}
    about = context(types=(Record({"f0001": Categories(300), "f0002": Categories(300)}),))
    state, dense = fit_call("one_hot", columns, about=about, max_levels=100)
    many, thin = fit_call("one_hot", columns, about=about, max_levels=250)
    assert state.arrays["widths"].tolist() == [100] * 2 and many.arrays["widths"].tolist() == [250] * 2
    expected = [column[:, None] == np.arange(250) for column in columns.values()]
    assert (thin.toarray() == np.hstack(expected)).all()
    assert (dense == np.hstack([each[:, :100] for each in expected])).all()


def test_means_of_classes_are_smoothed_shares_of_all_classes_but_the_first():
    codes = np.array([0, 0, 0, 1], dtype=np.int32)
    target = np.array([0, 1, 2, 2])
    state = WORD["target_mean"].fit(({"f0001": codes},), target, context(Dist(3), 4), smoothing=4.0)
    values = WORD["target_mean"].call({"f0001": np.array([0, 1, -1], dtype=np.int32)}, state=state)
    prior = np.array([1 / 4, 2 / 4])
    expected = [(np.array([1, 1]) + 4 * prior) / 7, (np.array([0, 1]) + 4 * prior) / 5, prior]
    assert values == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    "output, columns", [(Marginals(3), 3), (Tensor(2), 2), (Real, 1), (Dist(2), 1)], ids=str
)
def test_every_number_that_is_predicted_has_its_own_mean(output, columns):
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, (ROWS, columns))
    target = target[:, 0] if columns == 1 else target
    codes = {"f0001": generator.integers(0, 4, ROWS).astype(np.int32)}
    about = context(output)
    state = WORD["target_mean"].fit((codes,), target, about, smoothing=1e-9)
    values = WORD["target_mean"].call(codes, state=state)
    for level in range(4):
        inside = codes["f0001"] == level
        expected = np.broadcast_to(target[inside].reshape(-1, columns).mean(axis=0), values[inside].shape)
        assert values[inside] == pytest.approx(expected, abs=1e-6)


def test_a_dictionary_without_columns_gives_no_numbers():
    for name in ("numbers", "date_parts", "ordinal"):
        assert WORD[name].call({}).shape == (0, 0)
    assert fit_call("one_hot", {})[1].shape == (0, 0)


@pytest.mark.parametrize(
    "name", ["numbers", "categories", "dates", "texts", "date_parts", "ordinal", "one_hot", "target_mean"]
)
def test_a_word_for_records_waits_for_a_type_and_refuses_what_is_no_record(name):
    assert WORD[name].infer(OPEN).variables
    for types in ((), (CATEGORIES, CATEGORIES)):
        with pytest.raises(TypeMismatch, match=f"`{name}` takes one record.* received {len(types)}"):
            WORD[name].infer(*types)
    with pytest.raises(TypeMismatch, match=f"`{name}` takes a record.*Tensor"):
        WORD[name].infer(Tensor(3))


@pytest.mark.parametrize(
    "name",
    ["impute", "standardise", "robust_scale", "smooth_clip", "quantile_normal", "piecewise_linear", "kernel_features"],
)  # fmt: skip
def test_a_word_for_tensors_waits_for_a_type_and_refuses_what_is_no_tensor(name):
    assert isinstance(WORD[name].infer(OPEN), Tensor)
    with pytest.raises(TypeMismatch, match=f"`{name}` takes one tensor, received 2"):
        WORD[name].infer(Tensor(3), Tensor(3))
    with pytest.raises(TypeMismatch, match=f"`{name}` takes a tensor, received Text"):
        WORD[name].infer(Text)


@pytest.mark.parametrize(
    "name, types, message",
    [
        ("one_hot", (Record({"f0001": Text}),), "takes a record of categories"),
        ("join", (), "at least one tensor"),
        ("tfidf", (Real,), "takes a record of texts"),
        ("linear_score", (Real,), "takes one tensor"),
        ("weighted_average", (), "at least one prediction"),
        ("calibrate", (Dist(2), Dist(2)), "one prediction, received 2"),
        ("hog", (Tensor(3),), "takes an image"),
        ("hog", (), "takes one image"),
        ("recalled", (), "takes the input of a model"),
        ("frozen", (), "features of one network"),
        ("frozen", (Tensor(3, 4),), "a row of features"),
        ("frozen", (Real,), "a row of features"),
    ],
)
def test_wrong_types_are_named_by_the_word_that_refuses_them(name, types, message):
    with pytest.raises(TypeMismatch, match=f"`{name}`.*{message}|{message}.*`{name}`"):
        WORD[name].infer(*types, **WORD[name].complete({}))


def test_the_widths_of_tensors_are_known_from_the_types():
    assert WORD["join"].infer(Tensor(2), Tensor(3), Tensor(0)) == Tensor(5)
    assert WORD["join"].infer(Tensor(2), OPEN).variables
    assert WORD["one_hot"].infer(CATEGORIES, max_levels=8) == Tensor(3 + 8)
    assert WORD["ordinal"].infer(CATEGORIES) == Tensor(2)
    assert WORD["frozen"].infer(OPEN).name == "TypeVar" or WORD["frozen"].infer(OPEN).variables
    images = np.zeros((2, 9, 14, 3), np.uint8)
    for cells, orientations in ((1, 4), (3, 9), (9, 2)):
        told = WORD["hog"].infer(Image(9, 14, 3), cells=cells, orientations=orientations)
        assert WORD["hog"](images, cells=cells, orientations=orientations).shape == (2, *told.dims)


@pytest.mark.parametrize("name", ["recalled", "frozen"])
def test_what_was_learnt_elsewhere_computes_only_inside_a_fitted_program(name):
    with pytest.raises(ProgramError, match=f"`{name}` computes only inside a program that was fitted"):
        WORD[name].call(np.zeros((2, 3)), of="3f2a")


# --- images and probabilities ---


def stripes(direction, size=16):
    rows, columns = np.indices((size, size))
    wave = 127 + 100 * np.sin((columns if direction == "upright" else rows) * np.pi / 4)
    return wave.astype(np.uint8)[None, :, :, None]


def test_histograms_of_gradients_turn_with_the_image():
    upright, flat = (WORD["hog"](stripes(way), cells=1, orientations=4)[0] for way in ("upright", "flat"))
    assert upright == pytest.approx(np.roll(flat, -1), abs=1e-5) or upright == pytest.approx(
        np.roll(flat, 1), abs=1e-5
    )
    assert np.linalg.norm(upright) == pytest.approx(1.0, abs=1e-4)


def test_histograms_of_gradients_heed_neither_brightness_nor_contrast():
    image = np.random.default_rng(0).integers(50, 100, (1, 12, 12, 1)).astype(np.uint8)
    expected = WORD["hog"](image, cells=3)
    assert WORD["hog"](2 * image + 30, cells=3) == pytest.approx(expected, abs=1e-3)
    assert not WORD["hog"](np.full_like(image, 77), cells=3).any()


def test_a_temperature_is_undone_by_its_inverse_and_keeps_the_order():
    given = np.random.default_rng(0).dirichlet(np.full(4, 5.0), 50)
    for temperature in (0.5, 1.0, 3.0):
        bent = WORD["calibrate"].call(given, temperature=temperature)
        assert bent.sum(axis=1) == pytest.approx(np.ones(50))
        assert (bent.argmax(axis=1) == given.argmax(axis=1)).all()
        assert (bent.max(axis=1) > given.max(axis=1)).all() == (temperature < 1)
        assert WORD["calibrate"].call(bent, temperature=1 / temperature) == pytest.approx(given, abs=1e-6)


# --- first weights of layers ---


def drawn(name, variable, shape):
    return WORD[name].draw(variable, shape, np.random.default_rng(0))


@pytest.mark.parametrize("name, gates", [("gru", 3), ("lstm", 4)])
def test_every_gate_begins_with_an_orthogonal_matrix(name, gates):
    units = 32
    blocks = np.hsplit(drawn(name, "recurrent_kernel", (units, gates * units)), gates)
    assert all(block @ block.T == pytest.approx(np.eye(units), abs=1e-9) for block in blocks)
    assert abs(blocks[0] - blocks[1]).max() > 0.1
    kernel = drawn(name, "kernel", (100, gates * units))
    assert kernel.var() == pytest.approx(2 / (100 + units), rel=0.05)


@pytest.mark.parametrize(
    "name, variable, shape, variance",
    [
        ("attention", "kernel", (64, 4, 16), 2 / (64 + 4 * 16)),
        ("attention", "kernel", (4, 16, 64), 2 / (4 + 16 * 64)),
        ("embedding", "embeddings", (500, 25), 1 / 25),
        ("depthwise_conv", "kernel", (5, 5, 200, 1), 2 / 25),
        ("transposed_conv", "kernel", (3, 3, 20, 40), 2 / (9 * 40)),
        ("conv", "kernel", (3, 3, 20, 40), 2 / (9 * 20)),
        ("dense", "kernel", (50, 80), 2 / 50),
    ],
)
def test_first_weights_have_the_variance_of_the_recipe(name, variable, shape, variance):
    weights = drawn(name, variable, shape)
    assert weights.shape == shape
    assert weights.var() == pytest.approx(variance, rel=0.1)
    assert abs(weights.mean()) < 4 * (variance / weights.size) ** 0.5
