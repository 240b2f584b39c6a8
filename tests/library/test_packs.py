"""A pack carries records from library to library, byte for byte; a pack from a stranger cannot do harm."""

import os
from dataclasses import replace

import numpy as np
import pytest

from perennial import Protocol, Task, compiler
from perennial.cli import run
from perennial.errors import DamagedFile, UsageError
from perennial.evaluate import Bench, evaluate
from perennial.lang import Lambda, call, parse, to_source
from perennial.lang.ops import State
from perennial.library import Card, Library, Record
from perennial.library.features import Part, part_of, with_parts
from perennial.library.pack import check, inspect, pack, unpack
from perennial.library.records import Batch, Header
from perennial.library.upkeep import replay_of, verify
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
    assert pack(library, ["penguins/*"], tmp_path / "some.pern").names == ("penguins/solution@1",)
    assert len(inspect(tmp_path / "some.pern").batch.records) == 1
    two = pack(library, ["numbers/next@1", "in-order/solution"], tmp_path / "two.pern")
    assert two.names == ("in-order/solution@1", "numbers/next@1") and len(two.records) == 2
    one = pack(library, [library.find("numbers/next")[:9]], tmp_path / "id.pern")
    assert one.names == ("numbers/next@1",) and one.records == (library.find("numbers/next"),)
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
        assert len(unpack(other, packed, iter(["MIT", ""]))) == 3, "an iterator is asked once"


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


NETWORK = "lambda image: head(global_pool(relu(conv(pixels(image), width=4, kernel=3))), epochs=1, batch=8)"


def few_images():
    images = np.random.default_rng(0).integers(0, 255, (24, 8, 8, 1)).astype(np.uint8)
    return Task.from_data((images, np.array(["one", "two"] * 12)))


def on_top_of(source, blob, task):
    source, _, weights = part_of(parse(source, vocabulary()), Weights.from_bytes(blob), (task.input_type,))
    return source, weights


def test_what_would_not_be_read_again_is_not_written(library, monkeypatch, tmp_path):
    for bound in ("MOST_MEMBERS", "LARGEST_TOTAL", "LARGEST_MANIFEST"):
        with monkeypatch.context() as bounds:
            bounds.setattr(f"perennial.library.pack.{bound}", 2)
            with pytest.raises(UsageError, match="too much for one pack"):
                pack(library, [], tmp_path / "p.pern")
    assert not (tmp_path / "p.pern").exists()


def test_what_is_too_much_is_not_even_loaded(library, monkeypatch, tmp_path):
    monkeypatch.setattr("perennial.library.pack.LARGEST_TOTAL", 2)
    monkeypatch.setattr(library.store, "get", lambda digest: pytest.fail("a blob was loaded"))
    with pytest.raises(UsageError, match="too much for one pack"):
        pack(library, [], tmp_path / "p.pern")


def test_a_table_of_very_many_columns_travels(library, tmp_path):
    columns = ", ".join(f"c{number:05}=Real" for number in range(9_000))
    wide = replace(some_task(), input=f"Record[{columns}]")
    record = some_record(1)
    card = Card(3.0, task=wide.fingerprint)
    library.store.commit(Batch(((record, card),), {"wide/next": record.id}, (), (wide,)))
    pack(library, ["wide/*"], tmp_path / "p.pern")
    assert inspect(tmp_path / "p.pern").batch.tasks == (wide,)


@pytest.mark.parametrize("sound", [True, False])
def test_a_part_of_a_network_has_the_weights_that_its_types_say(tmp_path, sound):
    task = few_images()
    bench = Bench(task, Protocol.propose(task, kind="holdout"), resolve("accuracy"))
    source, weights = on_top_of(NETWORK, evaluate(bench, source=NETWORK, seed=0).blobs[0], task)
    if not sound:
        [(key, state)] = Weights.from_bytes(weights).items()
        arrays = {name: array[..., :-1] for name, array in state.arrays.items()}
        weights = Weights({key: State(arrays, dict(state.texts))}).to_bytes()
    with Library(tmp_path / "library") as library:
        digest = library.store.put(weights)
        part = Record("module", source, str(task.input_type), "Image[4, 4, 4]", (digest,), {"seen": {}})
        library.add(part, Card(0.0), name="first/features")
        pack(library, [], tmp_path / "p.pern")
    if sound:
        assert len(inspect(tmp_path / "p.pern").batch.records) == 1
    else:
        with pytest.raises(DamagedFile, match="not what it claims to be"):
            inspect(tmp_path / "p.pern")


@pytest.mark.parametrize("frozen", [False, True])
def test_a_network_larger_than_its_bounds_is_refused_before_it_is_built(tmp_path, monkeypatch, frozen):
    task, source, parts = few_images(), NETWORK, []
    bench = Bench(task, Protocol.propose(task, kind="holdout"), resolve("accuracy"))
    fitted = evaluate(bench, source=source, seed=0)
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
    contents = inspect(tmp_path / "network.pern")
    [(record, card)] = contents.batch.records
    monkeypatch.setattr("perennial.library.pack.LARGEST_NETWORK", Limits(parameters=10))
    monkeypatch.setattr(compiler.Compiled, "build", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(ValueError, match="too large: it has .* parameters"):
        check(None, **replay_of(Header.of(record, card), contents.blobs.__getitem__))
