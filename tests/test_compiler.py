"""Programs of layer words become plain Keras models: trained, predicted with, stored, cut, and run on other backends."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import perennial.model
from perennial import compiler
from perennial.errors import DamagedFile, ProgramError
from perennial.lang import (
    Call,
    FitContext,
    Image,
    Lambda,
    Layer,
    State,
    Var,
    call,
    evaluate,
    parse,
    to_source,
)
from perennial.lang.types import Dist, Marginals, Real, Tensor
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.primitives.layers.combinators import apart, branches, layer, residual
from perennial.spaces.limits import cost_of
from perennial.trainers import Backprop, Batch
from perennial.trainers.descent import machine
from perennial.weights import Weights

WORDS = vocabulary()
SIZE = Image(10, 8, 3)
SHORT = "epochs=3, batch=32, learning_rate=0.01"
SOURCE = f"""
def model(image):
    stem = relu(batch_norm(conv(pixels(image), width=8, kernel=3)))
    side = batch_norm(separable_conv(stem, width=8, kernel=3))
    joined = relu(sum_of(stem, side, batch_norm(conv(stem, width=8, kernel=3, branch=1))))
    pooled = max_pool(average_pool(joined, size=2), size=2)
    return head(dropout(global_pool(pooled), rate=0.1), {SHORT})
"""
PROGRAM = parse(SOURCE, WORDS)
CLASSES = Dist(3)


def images(rows=120, size=SIZE, seed=0):
    """Images whose class is how bright they are."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, rows)
    noise = generator.normal(0.0, 30.0, (rows, *size.dims))
    return (60.0 + 60.0 * target[:, None, None, None] + noise).clip(0, 255).astype(np.uint8), target


def context(output=CLASSES, rows=90, types=(SIZE,), **more):
    return FitContext(output=output, train_rows=rows, types=types, **more)


def fitted(program=PROGRAM, output=CLASSES, **more):
    values, target = images()
    truth = (
        target
        if output == Dist(3)
        else np.stack([target, target > 1], axis=1)[:, : 1 if output is Real else 2]
    )
    truth = truth[:, 0].astype(float) if output is Real else truth
    return Backprop().fit(program, Batch((values,), truth, 90), context(output, **more)), values


@pytest.fixture(scope="module")
def trained():
    found, values = fitted()
    return found.weights, values, found.predictions


def states_equal(first, second):
    return set(first) == set(second) and all(
        np.array_equal(first[key].arrays[name], second[key].arrays[name])
        for key in first
        for name in first[key].arrays
    )


# -- training and predicting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", [Dist(3), Real, Tensor(2), Marginals(2)], ids=str)
def test_a_program_of_layers_is_fitted_and_predicts(output):
    found, values = fitted(output=output)
    assert found.predictions.shape == ((120,) if output is Real else (120, output.arguments[0]))
    assert np.isfinite(found.predictions).all()
    again = Weights.from_bytes(found.weights.to_bytes())
    joined, states = compiler.compiled(PROGRAM), compiler.compiled_states(PROGRAM, again)
    assert np.array_equal(evaluate(joined, values, states=states), found.predictions)


def test_what_was_just_trained_predicts_without_being_built_again(monkeypatch):
    monkeypatch.setattr(compiler.networks.Compiled, "_restored", lambda *_: pytest.fail("built again"))
    fitted(deadline=0.0)


def test_predictions_come_in_parts_that_stay_small(trained, monkeypatch):
    weights, values, predictions = trained
    monkeypatch.setitem(machine.NUMBERS_AT_ONCE, "cpu", 7 * 10 * 8 * 8)
    again = Weights.from_bytes(weights.to_bytes())
    joined, states = compiler.compiled(PROGRAM), compiler.compiled_states(PROGRAM, again)
    assert machine.rows_at_once(compiler.keras_model(PROGRAM, again)) == 7
    assert np.allclose(evaluate(joined, values, states=states), predictions, atol=1e-5)


def test_it_learns(trained):
    _, _, predictions = trained
    assert (predictions[90:].argmax(axis=1) == images()[1][90:]).mean() > 0.9


def test_a_row_alone_is_predicted_like_a_row_among_others(trained):
    weights, values, predictions = trained
    joined, states = compiler.compiled(PROGRAM), compiler.compiled_states(PROGRAM, weights)
    one = evaluate(joined, values[7:8], states=states)
    assert np.allclose(one, predictions[7:8], atol=1e-5)
    assert evaluate(joined, values[:0], states=states).shape == (0, 3)


def test_training_and_prediction_are_what_keras_computes(trained):
    weights, values, predictions = trained
    raw = compiler.keras_model(PROGRAM, weights)(values, training=False).detach().cpu().numpy().astype(float)
    odds = np.exp(raw - raw.max(axis=1, keepdims=True))
    assert np.allclose(odds / odds.sum(axis=1, keepdims=True), predictions, atol=1e-5)


def test_an_image_of_another_size_is_refused(trained):
    joined, states = compiler.compiled(PROGRAM), compiler.compiled_states(PROGRAM, trained[0])
    with pytest.raises(ProgramError, match="received"):
        evaluate(joined, images(size=Image(9, 8, 3))[0], states=states)


def test_two_networks_in_one_program_are_fitted_each():
    def member(width):
        return f"head(global_pool(relu(conv(pixels(image), width={width}, kernel=3))), {SHORT})"

    source = f"lambda image: weighted_average({member(4)}, {member(6)}, weights=(0.5, 0.5))"
    found, _ = fitted(parse(source, WORDS))
    assert len(found.weights) == 2 and np.allclose(found.predictions.sum(axis=1), 1.0)


def test_layers_learn_from_what_other_words_give():
    program = parse(f"lambda image: head(relu(dense(hog(image), units=16)), {SHORT})", WORDS)
    found, _ = fitted(program)
    assert found.predictions.shape == (120, 3)


# -- sharing ---------------------------------------------------------------------------------------------------------


def built(program, seed=0, output=CLASSES, kind=SIZE):
    [head] = compiler.heads(program)
    return compiler.Compiled(head).build((kind,), output, seed)


def network(body):
    return Lambda(("image",), call(WORDS["head"], call(WORDS["global_pool"], body)))


def test_a_sub_program_that_occurs_twice_is_one_layer():
    twice = layer(WORDS["conv"], width=4)
    pixels = call(WORDS["pixels"], Var("image"))
    shared = network(
        call(WORDS["sum_of"], Call(twice, ()).function.body.substitute({"x": pixels}), pixels_conv(4))
    )
    assert len([each for each in built(shared).layers if each.weights]) == 2


def pixels_conv(width, **more):
    return call(WORDS["conv"], call(WORDS["pixels"], Var("image")), width=width, **more)


def test_branches_of_the_same_body_have_weights_of_their_own():
    pixels = call(WORDS["pixels"], Var("image"))
    body = layer(WORDS["conv"], width=4)
    program = network(branches(body, body, joined_by=WORDS["sum_of"]).body.substitute({"x": pixels}))
    kernels = [each.kernel for each in built(program).layers if each.name.startswith("conv")]
    assert len(kernels) == 2
    assert not np.allclose(*[kernel.value.detach().cpu().numpy() for kernel in kernels])
    assert apart(body, 0) is body


def test_a_residual_block_begins_as_its_shortcut_plus_its_body():
    block = residual(layer(WORDS["conv"], width=3), layer(WORDS["dense"], units=3))
    assert str(block) == "lambda x: sum_of(dense(x, units=3), conv(x, width=3))"


def test_one_seed_gives_a_layer_the_same_weights_in_every_program():
    first, second = network(pixels_conv(4)), network(call(WORDS["relu"], pixels_conv(4)))
    states = [compiler.initial_states(each, (SIZE,), Dist(3), 5) for each in (first, second)]
    key = pixels_conv(4).hash
    assert np.array_equal(states[0][key].arrays["kernel"], states[1][key].arrays["kernel"])
    other = compiler.initial_states(first, (SIZE,), Dist(3), 6)
    assert not np.array_equal(states[0][key].arrays["kernel"], other[key].arrays["kernel"])


def test_first_weights_keep_the_size_of_what_goes_through():
    text = "pixels(image)"
    for _ in range(8):
        text = f"relu(conv({text}, width=64, kernel=3))"
    deep = built(parse(f"lambda image: head(global_pool({text}))", WORDS), kind=Image(16, 16, 3))
    import keras

    cut = keras.Model(deep.input, deep.layers[-3].output)
    noise = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    assert 0.1 < cut(noise, training=False).detach().cpu().numpy().std() < 3.0


def test_a_program_without_a_head_stays_as_it_is():
    program = parse("lambda x: ridge(x)", WORDS) if "ridge" in WORDS else Lambda(("x",), Var("x"))
    assert compiler.compiled(program) is program


# -- weights, layer by layer -----------------------------------------------------------------------------------------


def test_split_weights_join_to_the_same_weights(trained):
    weights = trained[0]
    states = compiler.split(PROGRAM, weights)
    layers = [node for node in PROGRAM.walk() if isinstance(node, Call) and isinstance(node.function, Layer)]
    assert set(states) <= {node.hash for node in layers}
    assert states_equal(compiler.joined(PROGRAM, states), dict(weights))
    stored = Weights.from_bytes(Weights(states).to_bytes())
    assert states_equal(compiler.joined(PROGRAM, stored), dict(weights))


def test_training_starts_from_the_weights_it_is_given(trained):
    weights, _, predictions = trained
    again, _ = fitted(initial=compiler.split(PROGRAM, weights), deadline=0.0)
    assert np.allclose(again.predictions, predictions, atol=0.2)
    fresh, _ = fitted(deadline=0.0)
    distance = [np.abs(each.predictions - predictions).mean() for each in (again, fresh)]
    assert distance[0] < 0.2 * distance[1]


def test_weights_of_another_shape_are_no_start(trained):
    states = compiler.split(PROGRAM, trained[0])
    key = next(
        key for key, state in states.items() if state.arrays["bias"].shape == (8,) if "bias" in state.arrays
    )
    wrong = State({name: array[..., :4] for name, array in states[key].arrays.items()})
    with pytest.raises(DamagedFile, match="shape"):
        fitted(initial={key: wrong})


def test_a_layer_without_weights_cannot_be_joined(trained):
    states = compiler.split(PROGRAM, trained[0])
    [head] = compiler.heads(PROGRAM)
    with pytest.raises(DamagedFile, match="needs"):
        compiler.joined(PROGRAM, {head.hash: states[head.hash]})


# -- sizes and damage ------------------------------------------------------------------------------------------------


def test_sizes_are_known_before_anything_is_built():
    told = cost_of(PROGRAM, (SIZE,), Dist(3))
    assert told.parameters == built(PROGRAM).count_params()
    assert told.flops > 0 and told.activations > 10 * 8 * 8


def test_a_network_beyond_all_bounds_is_measured_without_building():
    huge = network(pixels_conv(8192, kernel=64))
    assert cost_of(huge, (Image(4096, 4096, 3),), Dist(3)).activations > 1e11


def lying(state, **texts):
    return State(state.arrays, {**state.texts, **texts})


LIES = [
    {"layout": json.dumps({"types": ["Image[100000, 100000, 4000]"]})},
    {"type": "Dist[1000000000]"},
    {"layout": json.dumps({"types": ["Text"]})},
    {"layout": json.dumps({"types": []})},
    {"layout": json.dumps([])},
    {"layout": "{"},
    {"type": "what"},
    {"type": "Int"},
]


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_description_that_lies_is_refused_before_anything_is_built(trained, lie, monkeypatch):
    def build(self, *arguments, **more):
        raise AssertionError("built")

    monkeypatch.setattr(compiler.Compiled, "build", build)
    weights, values, _ = trained
    states = {key: lying(state, **lie) for key, state in weights.items()}
    with pytest.raises(DamagedFile):
        compiler.check_states(PROGRAM, states)
    with pytest.raises(DamagedFile):
        evaluate(compiler.compiled(PROGRAM), values, states=compiler.compiled_states(PROGRAM, states))


def test_weights_in_another_order_are_refused(trained):
    [(key, state)] = trained[0].items()
    names = sorted(name for name in state.arrays if name.startswith("variable_"))
    turned = dict(zip(names, [state.arrays[name] for name in reversed(names)], strict=True))
    forged = State({**state.arrays, **turned}, state.texts)
    with pytest.raises(DamagedFile, match="shape"):
        compiler.keras_model(PROGRAM, {key: forged})


class Codec:
    """A codec in the small: data are the columns already."""

    problem, classes, targets = "multiclass", ("dark", "grey", "bright"), ("how",)

    def encode(self, data):
        return data

    def argument(self, columns):
        return columns["image"]

    def decode(self, prediction, decision=None):
        return np.array(self.classes)[prediction.argmax(axis=1)]

    def to_json(self):
        return {}


def saved(folder, weights, monkeypatch):
    monkeypatch.setattr(perennial.model, "codec_from_json", lambda told: Codec())
    Model(PROGRAM, (weights, weights), Codec()).save(folder)


def test_a_model_of_layers_is_saved_loaded_and_predicts(trained, tmp_path, monkeypatch):
    weights, values, predictions = trained
    saved(tmp_path / "model", weights, monkeypatch)
    model = Model.load(tmp_path / "model")
    assert np.allclose(model.predict_values({"image": values}), predictions)
    assert model.predict({"image": values}).tolist() == [
        Codec.classes[code] for code in predictions.argmax(axis=1)
    ]


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_model_whose_weights_lie_is_not_loaded(trained, lie, tmp_path, monkeypatch):
    monkeypatch.setattr(compiler.Compiled, "build", lambda *arguments, **more: pytest.fail("built"))
    saved(
        tmp_path / "model", Weights({k: lying(state, **lie) for k, state in trained[0].items()}), monkeypatch
    )
    with pytest.raises(DamagedFile):
        Model.load(tmp_path / "model")


# -- Keras alone -----------------------------------------------------------------------------------------------------


def in_a_process(script, *arguments, python=sys.executable, **environment):
    paths = sys.path if python == sys.executable else [str(Path(compiler.__file__).parents[2])]
    told = subprocess.run(
        [python, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


LOAD = """
import sys
import numpy as np
import keras
model = keras.saving.load_model(sys.argv[1] + "/model.keras")
np.save(sys.argv[1] + "/raw.npy", keras.ops.convert_to_numpy(model(np.load(sys.argv[1] + "/images.npy"), training=False)))
assert not [name for name in sys.modules if name.startswith("perennial")]
print(keras.backend.backend())
"""


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras and NumPy 2
def test_the_model_is_saved_and_loaded_by_keras_alone(trained, tmp_path):
    weights, values, _ = trained
    model = compiler.keras_model(PROGRAM, weights)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", values[:9])
    in_a_process(LOAD, tmp_path, KERAS_BACKEND="torch")
    expected = model(values[:9], training=False).detach().cpu().numpy()
    assert np.allclose(np.load(tmp_path / "raw.npy"), expected, atol=1e-5)


def test_the_model_can_be_copied_and_cut(trained):
    import keras

    weights, values, _ = trained
    model = compiler.keras_model(PROGRAM, weights)
    copy = keras.models.clone_model(model)
    for new, old in zip(copy.weights, model.weights, strict=True):
        new.assign(old.value)
    expected = model(values, training=False).detach().cpu().numpy()
    assert np.allclose(copy(values, training=False).detach().cpu().numpy(), expected, atol=1e-6)
    [node] = [each for each in PROGRAM.walk() if isinstance(each, Call) and each.function.name == "max_pool"]
    below = keras.Model(model.input, model.get_layer(compiler.layer_name(node)).output)
    assert below(values, training=False).shape == (120, 3, 2, 8)
    above = keras.Model(model.get_layer(compiler.layer_name(node)).output, model.output)
    assert np.allclose(above(below(values)).detach().cpu().numpy(), expected, atol=1e-5)


def test_only_one_network_alone_is_one_keras_model(trained):
    with pytest.raises(ProgramError, match="one network"):
        compiler.keras_model(Lambda(("x",), Var("x")), {})


def test_importing_the_compiler_imports_no_keras():
    script = "import sys, perennial.compiler; assert not {'keras', 'torch'} & set(sys.modules)"
    in_a_process(script)


# -- other backends --------------------------------------------------------------------------------------------------

JAX_PYTHON = sys.executable if importlib.util.find_spec("jax") else os.environ.get("PERENNIAL_JAX_PYTHON")
needs_jax = pytest.mark.skipif(
    not JAX_PYTHON, reason="JAX is not installed, and PERENNIAL_JAX_PYTHON names no Python that has it"
)
PREDICT = """
import sys
from pathlib import Path
import numpy as np
from perennial import compiler
from perennial.lang import Dist, Image, evaluate, parse
from perennial.primitives import vocabulary
from perennial.weights import Weights
folder = Path(sys.argv[1])
program = parse((folder / "program.txt").read_text(), vocabulary())
states = compiler.compiled_states(program, Weights.load(folder / "weights.safetensors"))
np.save(folder / "predicted.npy", evaluate(compiler.compiled(program), np.load(folder / "images.npy"), states=states))
fresh = compiler.initial_states(program, (Image(10, 8, 3),), Dist(3), 4)
Weights(fresh).save(folder / "fresh.safetensors")
import keras
assert keras.backend.backend() == "jax" and "torch" not in sys.modules
"""


@needs_jax
def test_what_was_trained_here_predicts_the_same_on_another_backend(trained, tmp_path):
    weights, values, predictions = trained
    weights.save(tmp_path / "weights.safetensors")
    (tmp_path / "program.txt").write_text(to_source(PROGRAM))
    np.save(tmp_path / "images.npy", values)
    in_a_process(PREDICT, tmp_path, python=JAX_PYTHON, KERAS_BACKEND="jax")
    assert np.abs(np.load(tmp_path / "predicted.npy") - predictions).max() < 1e-4
    fresh = Weights.load(tmp_path / "fresh.safetensors")
    assert states_equal(fresh, compiler.initial_states(PROGRAM, (SIZE,), Dist(3), 4))


ANSWER = """
import sys
import numpy as np
from perennial.lang import Layer
from perennial.primitives import vocabulary
from perennial.testing.layers import answers
found = {}
for word in vocabulary().values():
    if isinstance(word, Layer):
        found |= answers(word)
np.savez(sys.argv[1], **{key.replace("/", " "): value for key, value in found.items()})
"""


@needs_jax
def test_every_layer_computes_the_same_on_another_backend(tmp_path):
    in_a_process(ANSWER, tmp_path / "jax.npz", python=JAX_PYTHON, KERAS_BACKEND="jax")
    in_a_process(ANSWER, tmp_path / "torch.npz", KERAS_BACKEND="torch")
    here, there = np.load(tmp_path / "torch.npz"), np.load(tmp_path / "jax.npz")
    assert set(here.files) == set(there.files) and len(here.files) > 100
    apart_ = {key: float(np.abs(here[key] - there[key]).max()) for key in here.files}
    assert not {key: distance for key, distance in apart_.items() if not distance < 1e-4}
