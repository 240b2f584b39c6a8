"""Networks that were trained elsewhere: cut below the head, put below something else, with weights that stay."""

import numpy as np
import pytest

from perennial import compiler
from perennial.errors import DamagedFile, ProgramError, TypeMismatch
from perennial.lang import Dist, FitContext, Image, Lambda, State, call, parse, to_source
from perennial.lang.types import Real, Tensor
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.task import Task
from perennial.trainers import Backprop, Batch, resolve
from perennial.weights import Weights

WORDS = vocabulary()
SIZE = Image(12, 10, 1)
NETWORK = parse(
    """
def model(image):
    stem = relu(batch_norm(conv(pixels(image), width=6, kernel=3)))
    pooled = global_pool(relu(batch_norm(conv(max_pool(stem, size=2), width=9, kernel=3))))
    return head(dropout(pooled, rate=0.2), epochs=4, batch=16, learning_rate=0.01)
""",
    WORDS,
)


def images(rows=80, size=SIZE, seed=0):
    """Stripes across or down, in noise."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, rows)
    across, down = np.indices(size.dims[:2]) % 4 < 2
    stripes = np.where(target[:, None, None] == 0, across, down)[..., None] * 150.0
    noise = generator.normal(50.0, 20.0, (rows, *size.dims))
    return (stripes + noise).clip(0, 255).astype(np.uint8), target


def context(types=(SIZE,), **more):
    return FitContext(output=Dist(2), train_rows=60, types=types, **more)


@pytest.fixture(scope="module")
def trained():
    values, target = images()
    return Backprop().fit(NETWORK, Batch((values,), target, 60), context()).weights


@pytest.fixture(scope="module")
def cut(trained):
    return compiler.features_of(NETWORK, trained)


def on(features, learner="linear", of="abc", **parameters):
    part = call(WORDS["frozen"], features.body, of=of)
    return Lambda(features.names, call(WORDS[learner], part, **parameters)), part


def test_what_is_cut_is_the_network_below_its_head_without_dropout(trained, cut):
    features, state = cut
    assert features.names == ("image",) and features.body is NETWORK.body.arguments[0].arguments[0]
    assert state.texts["type"] == "Tensor[9]"
    model = compiler.keras_model(NETWORK, trained)
    keras = pytest.importorskip("keras")
    values, _ = images(7)
    inner = keras.Model(model.input, model.get_layer(compiler.layer_name(features.body)).output)
    wanted = inner(values, training=False).detach().cpu().numpy()
    _, part = on(features)
    network = compiler.FrozenNetwork(part)
    given = context(initial={part.hash: state})
    found = network.call(values, state=network.fit((values,), None, given))
    assert np.allclose(found, wanted, atol=1e-5)


def test_a_learner_on_frozen_features_is_fitted_without_gradients_and_the_weights_stay(cut):
    features, state = cut
    program, part = on(features)
    values, target = images(seed=1)
    trainer = resolve(program)
    assert type(trainer).__name__ == "Direct"
    fitted = trainer.fit(program, Batch((values,), target, 60), context(initial={part.hash: state}))
    assert (fitted.predictions[60:].argmax(axis=1) == target[60:]).mean() > 0.9
    kept = fitted.weights[part.hash]
    assert all(np.array_equal(kept.arrays[name], array) for name, array in state.arrays.items())


class Counted(compiler.FrozenNetwork):
    asked = 0

    def _seen_in(self, inputs, state):
        Counted.asked += len(inputs[0])
        return super()._seen_in(inputs, state)


def test_a_network_is_asked_once_about_an_image_while_a_search_lasts(cut, monkeypatch):
    features, state = cut
    given, (values, _) = State(dict(state.arrays), dict(state.texts)), images(30)
    _, part = on(features)
    shifted = call(WORDS["frozen"], features.body, of="abc", shifted=True)
    plain = [
        compiler.FrozenNetwork(node).call(
            values, state=compiler.FrozenNetwork(node).taken(given, (values,), context())
        )
        for node in (part, shifted)
    ]
    compiler.keep_answers(part, given)
    Counted.asked = 0
    for rows, asked in ((slice(0), 0), (slice(20), 40), (slice(5, None), 60), (slice(None, None, -1), 60)):
        for node, wanted in zip((part, shifted), plain, strict=True):
            word = Counted(node)  # each candidate has a word of its own, and all the same state
            state = word.fit((values[rows],), None, context(initial={node.hash: given}))
            assert np.allclose(word.call(values[rows], state=state), wanted[rows], atol=1e-5)
        assert Counted.asked == asked, "each image once by each of the two"
    monkeypatch.setattr("perennial.compiler.programs.MOST_SEEN", 10)
    other, word = State(dict(state.arrays), dict(state.texts)), Counted(part)
    compiler.keep_answers(part, other)
    for _ in range(2):
        before = Counted.asked
        word.call(values, state=word.taken(other, (values,), context()))
        assert Counted.asked == before + len(values), "what takes too much room is asked again"


def test_a_network_may_stand_on_a_frozen_one(cut):
    features, state = cut
    part = call(WORDS["frozen"], features.body, of="abc")
    settings = {"epochs": 5, "batch": 16, "learning_rate": 0.02}
    program = Lambda(("image",), call(WORDS["head"], call(WORDS["dense"], part, units=4), **settings))
    values, target = images(seed=1)
    fitted = resolve(program).fit(program, Batch((values,), target, 60), context(initial={part.hash: state}))
    assert set(fitted.weights) == {program.body.hash, part.hash}
    kept = fitted.weights[part.hash]
    assert all(np.array_equal(kept.arrays[name], array) for name, array in state.arrays.items())


def test_a_model_with_frozen_features_is_saved_and_loaded_by_itself(cut, tmp_path):
    features, state = cut
    program, part = on(features)
    values, target = images(seed=1)
    fitted = resolve(program).fit(program, Batch((values,), target, 60), context(initial={part.hash: state}))
    codec = Task.from_data((values, target)).schema
    Model(program, (fitted.weights,), codec).save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    assert to_source(again.program) == to_source(program) and "of='abc'" in to_source(program)
    assert np.allclose(again.predict_proba(values)[60:], fitted.predictions[60:])


def test_images_of_another_size_have_features_of_the_same_width(cut):
    features, state = cut
    program, part = on(features)
    size = Image(16, 16, 1)
    values, target = images(size=size)
    told = context(types=(size,), initial={part.hash: state})
    fitted = resolve(program).fit(program, Batch((values,), target, 60), told)
    assert fitted.weights[part.hash].texts["layout"] == '{"types": ["Image[16, 16, 1]"]}'


def test_weights_that_are_not_at_hand_or_do_not_fit_are_told(cut):
    features, state = cut
    program, part = on(features)
    values, target = images()
    with pytest.raises(ProgramError, match=r"(?s)abc.*not at hand.*library"):
        resolve(program).fit(program, Batch((values,), target, 60), context())
    colours = np.repeat(values, 3, axis=3)
    told = context(types=(Image(12, 10, 3),), initial={part.hash: state})
    with pytest.raises(ProgramError, match="do not fit"):
        resolve(program).fit(program, Batch((colours,), target, 60), told)


@pytest.mark.parametrize(
    "lie", [{"type": "Tensor[8]"}, {"layout": '{"types": ["Image[12, 10, 2]"]}'}, {"layout": "?"}]
)
def test_a_state_that_lies_is_refused_before_anything_is_built(cut, lie, monkeypatch):
    features, state = cut
    program, part = on(features)
    monkeypatch.setattr(compiler.Compiled, "build", lambda *_: pytest.fail("it was built"))
    told = Weights({part.hash: State(dict(state.arrays), {**state.texts, **lie})})
    with pytest.raises(DamagedFile):
        compiler.check_states(program, told)


def test_two_records_of_one_architecture_are_two_words(cut):
    features, _ = cut
    assert on(features, of="abc")[1].hash != on(features, of="abd")[1].hash


def test_only_a_network_alone_has_features_to_cut(trained):
    words = "lambda row: linear(standardise(numbers(row)))"
    assert compiler.features_of(parse(words, WORDS), {}) is None
    part, _ = compiler.features_of(NETWORK, trained)
    program = Lambda(("image",), call(WORDS["head"], call(WORDS["frozen"], part.body)))
    assert compiler.features_of(program, trained) is None


def test_the_word_takes_one_row_of_features_and_computes_nothing_by_itself():
    word = WORDS["frozen"]
    assert word.infer(Tensor(5)) == Tensor(5)
    with pytest.raises(TypeMismatch, match="row of features"):
        word.infer(Tensor(5, 5))
    with pytest.raises(TypeMismatch, match="row of features"):
        word.infer(Real)
    with pytest.raises(TypeMismatch, match="one network"):
        word.infer(Tensor(5), Tensor(5))
    with pytest.raises(ProgramError, match="only inside a program"):
        word.call(np.zeros((1, 5)))


def test_a_network_that_holds_the_layers_may_start_from_their_weights(cut):
    features, state = cut
    program = Lambda(("image",), call(WORDS["head"], features.body, epochs=1, batch=16, learning_rate=1e-6))
    learnt = compiler.layer_states(features.body, state)
    values, target = images(seed=1)
    data = Batch((values,), target, 60)
    fitted = resolve(program).fit(program, data, context(initial=learnt))
    again, told = compiler.features_of(program, fitted.weights)
    assert again is features.body or again.body is features.body
    assert set(told.arrays) == set(state.arrays)
    trained = [name for name, array in state.arrays.items() if array.ndim > 1]
    assert all(np.allclose(told.arrays[name], state.arrays[name], atol=1e-3) for name in trained)
    fresh = compiler.features_of(program, resolve(program).fit(program, data, context()).weights)[1]
    assert not any(np.allclose(fresh.arrays[name], state.arrays[name], atol=1e-2) for name in trained)
