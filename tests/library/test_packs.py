"""A pack carries records from library to library, byte for byte; a pack from a stranger cannot do harm."""

import os

import numpy as np
import pytest

from perennial import Protocol, Task, compiler
from perennial.cli import run
from perennial.errors import UsageError
from perennial.evaluate import Bench, evaluate
from perennial.lang import Lambda, call, parse, to_source
from perennial.library import Card, Library
from perennial.library.features import Part, part_of, with_parts
from perennial.library.pack import inspect, pack, replay, unpack
from perennial.library.records import Batch
from perennial.library.upkeep import verify
from perennial.metrics import resolve
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.spaces import Limits
from perennial.testing.libraries import some_evidence, some_record, some_task
from perennial.testing.packs import ATTACKS, listed, members, written
from perennial.weights import Weights


@pytest.fixture
def packed(library, tmp_path):
    record = some_record(1)
    card = Card(3.0, task=some_task().fingerprint, licence="MIT")
    batch = Batch(((record, card),), {"numbers/next": record.id}, (some_evidence(record),), (some_task(),))
    library.store.commit(batch)
    path = tmp_path / "all.pern"
    pack(library, [], path)
    return path


def state_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def test_pack_unpack_pack_gives_the_same_bytes(library, packed, tmp_path):
    with Library(tmp_path / "other") as other:
        names = unpack(other, packed)
        assert names == ["in-order/solution@1", "numbers/next@1", "penguins/solution@1"]
        pack(other, [], tmp_path / "again.pern")
        assert (tmp_path / "again.pern").read_bytes() == packed.read_bytes()
        assert not verify(other).problems and verify(other).exact == 2
        assert (
            other.store.evidence() == library.store.evidence()
            and other.store.tasks() == library.store.tasks()
        )
        assert unpack(other, packed) == names and len(list(other.walk())) == 3, (
            "unpacking again changes nothing"
        )


def test_a_pattern_takes_only_what_it_names(library, packed, tmp_path):
    assert pack(library, ["penguins/*"], tmp_path / "some.pern") == ["penguins/solution@1"]
    assert len(inspect(tmp_path / "some.pern").batch.records) == 1
    assert pack(library, ["numbers/next@1", "in-order/solution"], tmp_path / "two.pern") == [
        "in-order/solution@1", "numbers/next@1",
    ]  # fmt: skip
    assert pack(library, [library.find("numbers/next")[:9]], tmp_path / "id.pern") == ["numbers/next@1"]
    for nothing in ("digits/*", "digits/x"):
        with pytest.raises(UsageError):
            pack(library, [nothing], tmp_path / "none.pern")
    assert not (tmp_path / "none.pern").exists()


def test_a_name_that_is_taken_gets_the_next_version(packed, tmp_path):
    with Library(tmp_path / "other") as other:
        other.add(some_record(9), Card(0.0), name="numbers/next")
        assert "numbers/next@2" in unpack(other, packed)
        assert other.get("numbers/next@1") == some_record(9) and other.get("numbers/next") == some_record(1)


def test_licences_can_be_demanded(packed, tmp_path):
    with Library(tmp_path / "other") as other:
        with pytest.raises(UsageError, match="--licence"):
            unpack(other, packed, ["MIT"])
        assert list(other.walk()) == []
        assert len(unpack(other, packed, ["MIT", ""])) == 3


# -- packs from strangers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_a_pack_that_is_not_what_it_claims_is_refused_and_nothing_is_written(
    attack, packed, tmp_path, capsys
):
    evil = tmp_path / "evil.pern"
    ATTACKS[attack](evil, members(packed))
    with Library(tmp_path / "other") as other:
        other.store.names()
    before = state_of(tmp_path)
    assert run(["library", "unpack", str(evil), "--library", str(tmp_path / "other")]) in (1, 2)
    said = capsys.readouterr()
    assert "pack" in said.err and "Traceback" not in said.err and "bug" not in said.err
    assert [name for name in state_of(tmp_path) if "snapshots" not in name and "tmp" not in name] == [
        name for name in before if "snapshots" not in name and "tmp" not in name
    ]
    with Library(tmp_path / "other") as other:
        known = (other.store.headers(), other.store.evidence(), other.store.tasks(), other.store.edges())
        assert known == ([], [], [], []) and other.store.names() == {}
    assert not os.path.exists("/tmp/evil")


def test_the_pack_that_the_attacks_begin_with_is_sound(packed, tmp_path):
    written(tmp_path / "same.pern", listed(members(packed)))
    assert len(inspect(tmp_path / "same.pern").batch.records) == 3
    assert packed.read_bytes() == (tmp_path / "same.pern").read_bytes()


def on_top_of(source, blob, task):
    source, _, weights = part_of(parse(source, vocabulary()), Weights.from_bytes(blob), (task.input_type,))
    return source, weights


@pytest.mark.parametrize("frozen", [False, True])
def test_a_network_larger_than_its_bounds_is_refused_before_it_is_built(tmp_path, monkeypatch, frozen):
    images = np.random.default_rng(0).integers(0, 255, (24, 8, 8, 1)).astype(np.uint8)
    task = Task.from_data((images, np.array(["one", "two"] * 12)))
    source = (
        "lambda image: head(global_pool(relu(conv(pixels(image), width=4, kernel=3))), epochs=1, batch=8)"
    )
    bench = Bench(task, Protocol.propose(task, kind="holdout"), resolve("accuracy"))
    fitted, parts = evaluate(bench, source=source, seed=0), []
    if frozen:
        part = Part("ab" * 32, "first/features@1", *on_top_of(source, fitted.blobs[0], task))
        parts.append(part)
        source = to_source(Lambda(("image",), call(vocabulary()["linear"], part.function.body, penalty=1.0)))
        node = compiler.reused_parts(parse(source, vocabulary()))[0]
        fitted = evaluate(bench, source=source, seed=0, known={node.hash: part.weights})
    program, own = parse(source, vocabulary()), [Weights.from_bytes(blob) for blob in fitted.blobs]
    model = Model(program, with_parts(program, own, parts, task.input_type), task.schema)
    with Library(tmp_path / "library") as library:
        library.keep(model, task, metric="accuracy", baseline=0.5, value=0.5)
        assert verify(library).exact == 1
        pack(library, [], tmp_path / "network.pern")
    assert len(inspect(tmp_path / "network.pern").batch.records) == 1
    monkeypatch.setattr("perennial.library.pack.LARGEST_NETWORK", Limits(parameters=10))
    monkeypatch.setattr(compiler.Compiled, "build", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(ValueError, match="too large: it has .* parameters"):
        replay(None, str(tmp_path / "network.pern"))
