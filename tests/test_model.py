"""A model predicts, is written whole, and reads nothing that was tampered with."""

import json

import numpy as np
import pytest

import perennial.model as module
from perennial.errors import DamagedFile, PerennialError, ProgramError
from perennial.lang import Lambda, Var, call, evaluate
from perennial.lang.types import Dist, Real
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.testing.trainers import example
from perennial.trainers import resolve

WORDS = vocabulary()


class Codec:
    """A codec in the small: data are the columns already."""

    classes, targets = ("no", "yes"), ("answer",)

    def __init__(self, problem="binary"):
        self.problem = problem

    def encode(self, data):
        return data

    def argument(self, columns):
        return columns

    def row_names(self, data):
        return None

    def encode_with_notes(self, data, impute_missing=False):
        return data, ["a note"]

    def decode(self, prediction, decision=None):
        if self.problem == "regression":
            return prediction
        threshold = (decision or {}).get("threshold", 0.5)
        return np.array(self.classes)[(prediction[:, 1] >= threshold).astype(int)]

    def to_json(self):
        return {"problem": self.problem}


@pytest.fixture(autouse=True)
def small_codec(monkeypatch):
    monkeypatch.setattr(module, "codec_from_json", lambda told: Codec(told["problem"]))


def grown(output=None, word="linear", replicas=2, **parameters):
    output = output or Dist(2)
    row = Var("row")
    scaled = call(WORDS["standardise"], call(WORDS["numbers"], row))
    program = Lambda(("row",), call(WORDS[word], scaled, **parameters))
    found = []
    for seed in range(replicas):
        batch, context = example(output, seed=seed)
        found.append(resolve(program).fit(program, batch, context).weights)
    codec = Codec("regression" if output is Real else "binary")
    return Model(program, tuple(found), codec, {"report": "fine", "score": np.float64(0.5)}), example(output)[
        0
    ].arguments[0]


def test_a_prediction_is_the_mean_over_the_replicas():
    model, columns = grown()
    parts = [evaluate(model.program, columns, states=replica) for replica in model.replicas]
    assert not np.array_equal(*parts)
    assert np.allclose(model.predict_values(columns), np.mean(parts, axis=0))


def test_large_data_are_predicted_in_parts_with_the_same_result(monkeypatch):
    model, columns = grown()
    whole = model.predict_values(columns)
    monkeypatch.setattr(module, "CHUNK_ROWS", 7)
    assert np.allclose(model.predict_values(columns), whole)


@pytest.mark.parametrize(("word", "parameters"), [("linear", {}), ("mlp", {"width": 16, "steps": 40})])
@pytest.mark.parametrize("output", [Dist(2), Real], ids=str)
def test_a_model_that_was_saved_and_loaded_predicts_bit_for_bit_the_same(tmp_path, word, parameters, output):
    model, columns = grown(output, word, **parameters)
    model.save(tmp_path / "best")
    again = Model.load(tmp_path / "best")
    assert again.program is model.program
    assert np.array_equal(again.predict_values(columns), model.predict_values(columns))
    assert again.report == "fine" and again.information["score"] == 0.5


def test_labels_follow_the_decision():
    model, columns = grown()
    eager = Model(model.program, model.replicas, model.codec, decision={"threshold": 0.0})
    assert set(eager(columns)) == {"yes"}
    assert set(model.predict(columns)) == {"no", "yes"}
    assert model.predict_proba(columns).shape == (300, 2)


def test_a_model_of_numbers_has_no_probabilities():
    model, columns = grown(Real)
    with pytest.raises(ProgramError, match="numbers"):
        model.predict_proba(columns)


def test_a_prediction_table_names_its_columns():
    model, columns = grown()
    names, values, notes = model.prediction_table(columns)
    assert names == ["answer", "probability:no", "probability:yes"] and notes == ["a note"]
    assert np.allclose(values[1] + values[2], 1)


class Named(Codec):
    """A codec whose target is called as a column of predictions is, for rows that have names."""

    def __init__(self, problem, target):
        super().__init__(problem)
        self.targets = (target,)

    def row_names(self, data):
        return "file", np.arange(300).astype(str)


@pytest.mark.parametrize(
    ("output", "target", "names"),
    [
        (Real, "low", ["file", "low", "low_2", "high"]),
        (Real, "high", ["file", "high", "low", "high_2"]),
        (Real, "file", ["file_2", "file", "low", "high"]),
        (Dist(2), "probability:yes", ["file", "probability:yes", "probability:no", "probability:yes_2"]),
        (Real, "answer", ["file", "answer", "low", "high"]),
    ],
)
def test_a_target_keeps_its_name_beside_columns_of_the_same_name(output, target, names):
    model, columns = grown(output)
    codec = Named(model.codec.problem, target)
    model = Model(model.program, model.replicas, codec, {"interval": (-1.0, 1.0)})
    told, values, _ = model.prediction_table(columns)
    assert told == names and len(values) == len(names) and values[0][:2].tolist() == ["0", "1"]
    assert np.array_equal(values[names.index(target)], model.predict(columns))


def test_saving_again_replaces_the_folder_and_leaves_nothing_beside(tmp_path):
    model, _ = grown()
    model.save(tmp_path / "best")
    (tmp_path / "best" / "replica-99.safetensors").write_bytes(b"old")
    model.with_information(report="better").save(tmp_path / "best")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert Model.load(tmp_path / "best").report == "better"
    assert not (tmp_path / "best" / "replica-99.safetensors").exists()


@pytest.fixture
def saved(tmp_path):
    grown()[0].save(tmp_path / "best")
    return tmp_path / "best"


def retell(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_one_changed_byte_of_the_weights_is_found(saved):
    path = saved / "replica-00.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match="hash"):
        Model.load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"perennial": 99},
        {"replicas": {"../outside": "0"}},
        {"replicas": {}},
        {"replicas": ["x"]},
        {"program": 5},
        {"program": "def model(row):\n    return __import__('os').system('true')"},
        {"program": "def model(row):\n    return no_such_word(row)"},
        {"program": "def model(row):\n    return linear(numbers(row))"},
        {"codec": None},
    ],
    ids=str,
)
def test_a_description_that_was_tampered_with_is_refused(saved, changes):
    retell(saved, **changes)
    with pytest.raises(DamagedFile):
        Model.load(saved)


def test_files_that_are_missing_or_cut_are_refused(saved):
    text = (saved / "model.json").read_text()
    (saved / "model.json").write_text(text[: len(text) // 2])
    with pytest.raises(PerennialError, match="no model that can be read"):
        Model.load(saved)
    (saved / "model.json").unlink()
    with pytest.raises(DamagedFile):
        Model.load(saved)


def test_a_link_to_another_file_is_not_followed(saved, tmp_path):
    secret = tmp_path / "secret"
    (saved / "replica-00.safetensors").rename(secret)
    (saved / "replica-00.safetensors").symlink_to(secret)
    with pytest.raises(DamagedFile, match="outside"):
        Model.load(saved)
