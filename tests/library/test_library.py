"""A library gives back what it was given, under a name, bit for bit; and says what it does not know."""

import numpy as np
import pytest

from perennial.errors import DamagedFile, UsageError
from perennial.library import Card, Library, Record
from perennial.library.golden import difference, golden_bytes, probes
from perennial.library.library import ENVIRONMENT, default_place
from perennial.model import Model
from perennial.testing.libraries import some_record


def test_a_model_comes_back_as_it_was_kept(library, solved, examples):
    for (task, model), name in zip(solved.values(), ["penguins/solution", "in-order/solution"], strict=True):
        again = library.model(name)
        assert again.program == model.program and again.decision == model.decision
        columns = task.inputs
        first, second = model.predict_values(columns), again.predict_values(columns)
        assert first.dtype == second.dtype and first.tolist() == second.tolist()
    assert library.model("in-order/solution")([5, 2, 8]) == [2, 5, 8]
    assert (library.model("penguins/solution").predict(examples / "penguins.csv") == "Adelie").sum() > 100


def test_the_same_model_is_kept_once_and_another_one_gets_the_next_version(library, solved):
    task, model = solved["table"]
    again = library.keep(model, task, metric="accuracy", baseline=0.4, value=0.98, interval=(0.95, 1.0), n=69)
    assert again == "penguins/solution@1" and len(library.store.evidence()) == 2
    other = Model(model.program, model.replicas[:1], model.codec, model.information, model.decision)
    assert library.keep(other, task, metric="accuracy", baseline=0.4, value=0.9) == "penguins/solution@2"
    assert len(library.model("penguins/solution").replicas) == 1
    assert len(library.model("penguins/solution@1").replicas) == len(model.replicas)


def test_what_is_known_stands_beside_it(library, solved):
    [line] = [line for line in library.listing() if line.name == "penguins/solution@1"]
    task, _ = solved["table"]
    assert line.task.name == "penguins" and line.task.rows == task.rows and line.task.baseline == 0.4
    [proof] = line.evidence
    assert (proof.value, proof.low, proof.high, proof.n, proof.role) == (0.98, 0.95, 1.0, 69, "solution")


def test_probes_hold_no_row_of_the_data(solved):
    task, _ = solved["table"]
    mixed = probes(task)
    assert {len(column) for column in mixed.values()} == {32} and list(mixed) == list(task.inputs)
    rows = {tuple(map(repr, row)) for row in zip(*task.inputs.values(), strict=True)}
    assert not rows & {tuple(map(repr, row)) for row in zip(*mixed.values(), strict=True)}
    for name, column in mixed.items():
        assert (
            np.isin(column, task.inputs[name]).sum() + np.isnan(np.asarray(column, dtype=float)).sum() >= 32
        )


def test_a_record_holds_no_examples_of_cells(library):
    columns = library.get("penguins/solution").details["codec"]["columns"]
    assert columns and all(column["examples"] == [] for column in columns)
    assert library.model("penguins/solution").codec.columns


def test_golden_outputs_notice_the_smallest_change(solved):
    for task, model in solved.values():
        asked = probes(task)
        golden = golden_bytes(asked, model.predict_values(asked))
        assert difference(model, golden) == (True, 0.0)
    task, model = solved["table"]
    half = Model(model.program, model.replicas[:1], model.codec)
    asked = probes(task)
    same, apart = difference(half, golden_bytes(asked, model.predict_values(asked)))
    assert not same and apart > 0
    with pytest.raises(DamagedFile):
        difference(model, model.replicas[0].to_bytes())


def test_a_record_is_found_by_name_by_id_and_by_the_beginning_of_its_id(library):
    id = library.find("penguins/solution")
    assert library.find("penguins/solution@1") == library.find(id) == library.find(id[:8]) == id
    assert library.get(id[:10]).kind == "solution"


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("pengins/solution", "penguins/solution"),
        ("penguins/solution@7", ""),
        ("ffffff", "list"),
        ("No Name", "@2"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(library, reference, hint):
    with pytest.raises(UsageError, match=f"(?s).*{hint}"):
        library.find(reference)


def test_a_name_that_is_forgotten_lets_the_one_before_show(library, solved):
    task, model = solved["table"]
    other = Model(model.program, model.replicas[:1], model.codec)
    library.keep(other, task, metric="accuracy", baseline=0.4, value=0.9)
    assert library.forget("penguins/solution") == "penguins/solution@2"
    assert len(library.model("penguins/solution").replicas) == len(model.replicas)
    library.forget("penguins/solution@1")
    for name in ("penguins/solution", "penguins/solution@1"):
        with pytest.raises(UsageError):
            library.forget(name)


def test_a_module_is_no_model_and_a_name_gets_its_version_from_the_library(library):
    assert library.add(some_record(), Card(0.0), name="numbers/next") == "numbers/next@1"
    assert library.add(some_record(), Card(0.0)) == some_record().id[:12]
    with pytest.raises(UsageError, match="module"):
        library.model("numbers/next")
    with pytest.raises(UsageError, match="given by the library"):
        library.add(some_record(), Card(0.0), name="numbers/next@3")


def test_a_solution_whose_parts_do_not_fit_is_refused(library):
    sound = library.get("penguins/solution")
    told = dict(sound.details)
    for wrong in (
        Record("solution", sound.source, sound.input, sound.output, (), told),
        Record("solution", sound.source, sound.input, sound.output, sound.weights, {**told, "codec": {"modality": "x"}}),
        Record("solution", sound.source, sound.input, sound.output, sound.weights, {}),
    ):  # fmt: skip
        name = library.add(wrong, Card(0.0))
        with pytest.raises(DamagedFile):
            library.model(name)


def test_the_folder_is_told_by_the_environment_or_lies_in_the_users_data(monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "mine"))
    with Library() as library:
        assert library.store.place == str(tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(ENVIRONMENT, "~/mine")
    assert default_place() == tmp_path / "mine", "where no shell has written it out"
    monkeypatch.delenv(ENVIRONMENT)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_place() == tmp_path / "data" / "perennial" / "library"
