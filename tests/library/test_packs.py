"""A pack carries records from library to library, byte for byte; a pack from a stranger cannot do harm."""

import hashlib
import io
import json
import os
import stat
import struct
import zipfile
import zlib

import numpy as np
import pytest

from perennial import Protocol, Task, compiler
from perennial.cli import run
from perennial.errors import DamagedFile, UsageError
from perennial.evaluate import Bench, evaluate
from perennial.lang import parse
from perennial.lang.ops import State
from perennial.library import Card, Library
from perennial.library.pack import MANIFEST, inspect, pack, unpack
from perennial.library.records import canonical
from perennial.library.upkeep import verify
from perennial.metrics import resolve
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.spaces import Limits
from perennial.testing.libraries import some_evidence, some_record
from perennial.weights import Weights


@pytest.fixture
def packed(library, tmp_path):
    library.add(
        some_record(1),
        Card(3.0, licence="MIT"),
        name="numbers/next",
        evidence=[some_evidence(some_record(1))],
    )
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


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path, parts, compression=zipfile.ZIP_STORED, mode=stat.S_IFREG | 0o644, more=()):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in [*parts.items(), *more]:
            told = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            told.external_attr, told.create_system, told.compress_type = mode << 16, 3, compression
            archive.writestr(told, data)
    return path


def manifest_changed(parts, change):
    told = json.loads(parts[MANIFEST])
    change(told)
    return {**parts, MANIFEST: canonical(told)}


def listed(parts):
    """The manifest's list of blobs made true again."""
    blobs = sorted(name[6:] for name in parts if name != MANIFEST)
    return manifest_changed(
        parts,
        lambda told: told.update(blobs=[{"sha256": d, "size": len(parts[f"blobs/{d}"])} for d in blobs]),
    )


def record_changed(parts, kind, **changes):
    """A record with other content, under its own new hash, everywhere where the old one was named."""
    told = json.loads(parts[MANIFEST])
    for each in told["records"]:
        data = parts[f"blobs/{each['id']}"]
        if json.loads(data)["kind"] == kind and b"row" in data:
            record = json.loads(data)
            for name, value in changes.items():
                record[name] = value(record[name]) if callable(value) else value
            return with_blob(parts, each["id"], canonical(record))
    raise AssertionError("there is no such record")


def with_blob(parts, digest, data):
    new = hashlib.sha256(data).hexdigest()
    changed = {name: content for name, content in parts.items() if name != f"blobs/{digest}"}
    changed[MANIFEST] = changed[MANIFEST].replace(digest.encode(), new.encode())
    return listed({**changed, f"blobs/{new}": data})


def weights_changed(parts, change):
    """The weights of the table's model replaced by others, under their own hashes."""
    told = json.loads(parts[MANIFEST])
    for each in told["records"]:
        record = json.loads(parts[f"blobs/{each['id']}"])
        if record["weights"]:
            old = record["weights"][0]
            data = change(parts[f"blobs/{old}"])
            new = hashlib.sha256(data).hexdigest()
            record["weights"][0] = new
            changed = {name: content for name, content in parts.items() if name != f"blobs/{old}"}
            return with_blob({**changed, f"blobs/{new}": data}, each["id"], canonical(record))
    raise AssertionError("no record has weights")


def lying_about_size(path, parts):
    """A member whose header says fewer bytes than there are, in the local and in the central part."""
    written(path, parts)
    data = bytearray(path.read_bytes())
    name = sorted(name for name in parts if name != MANIFEST)[0].encode()
    for sign, offset, names in ((b"PK\x03\x04", 18, 30), (b"PK\x01\x02", 20, 46)):
        place = data.find(sign)
        while place >= 0:
            if data[place + names : place + names + len(name)] == name:
                data[place + offset : place + offset + 8] = struct.pack("<II", 1, 1)
            place = data.find(sign, place + 4)
    path.write_bytes(bytes(data))
    return path


def bomb(path, parts):
    zeros = b"\0" * 50_000_000
    digest = hashlib.sha256(zeros).hexdigest()
    return written(path, {**parts, f"blobs/{digest}": zeros}, compression=zipfile.ZIP_DEFLATED)


def bombs_in_a_stored_member(path, parts):
    inner = zlib.compress(b"\0" * 10_000_000)
    return written(path, {**parts, "blobs/bomb.z": inner})


def encrypted(path, parts):
    written(path, parts)
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(sign)
        data[place + offset] |= 1
    path.write_bytes(bytes(data))
    return path


def golden_of_others(parts):
    def change(told):
        first, second = [each["card"] for each in told["records"] if each["card"]["golden"]]
        first["golden"], second["golden"] = second["golden"], first["golden"]

    return manifest_changed(parts, change)


def huge_arrays(data):
    """A safetensors header that claims an array far larger than the file."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [10**12]
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + data[8 + size :]


def doubled(parts, told):
    told["records"].append(told["records"][0])


ATTACKS = {
    "a path that climbs out": lambda p, m: written(p, {**m, "../../evil": b"x"}),
    "a path from the root": lambda p, m: written(p, {**m, "/etc/evil": b"x"}),
    "a path with backslashes": lambda p, m: written(p, {**m, "..\\evil": b"x"}),
    "a path of another drive": lambda p, m: written(p, {**m, "C:/evil": b"x"}),
    "a file beside the blobs": lambda p, m: written(p, {**m, "setup.py": b"import os"}),
    "a pickle among the blobs": lambda p, m: written(p, {**m, "blobs/model.pkl": b"\x80\x04."}),
    "a link": lambda p, m: written(p, {**m, "blobs/" + "a" * 64: b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777),
    "a device": lambda p, m: written(p, m, mode=stat.S_IFCHR | 0o644),
    "a folder": lambda p, m: written(p, {**m, "blobs/": b""}),
    "a compression bomb": bomb,
    "a bomb in a stored member": bombs_in_a_stored_member,
    "compressed members": lambda p, m: written(p, m, compression=zipfile.ZIP_DEFLATED),
    "a size that is a lie": lying_about_size,
    "an encrypted member": encrypted,
    "ten thousand members and more": lambda p, m: written(p, {**m, **{f"blobs/{n:064x}": b"" for n in range(10_001)}}),
    "a member twice": lambda p, m: written(p, m, more=[(MANIFEST, m[MANIFEST])]),
    "a wrong hash": lambda p, m: written(p, listed({**m, "blobs/" + "a" * 64: b"x"})),
    "a blob that is not listed": lambda p, m: written(p, {**m, "blobs/" + hashlib.sha256(b"x").hexdigest(): b"x"}),
    "a blob that nothing needs": lambda p, m: written(
        p, listed({**m, "blobs/" + hashlib.sha256(b"x").hexdigest(): b"x"})
    ),
    "a blob that is missing": lambda p, m: written(
        p, listed({n: d for n, d in m.items() if n != sorted(k for k in m if k != MANIFEST)[0]})
    ),
    "no manifest": lambda p, m: written(p, {n: d for n, d in m.items() if n != MANIFEST}),
    "a manifest that is no JSON": lambda p, m: written(p, {**m, MANIFEST: b"not json"}),
    "a manifest nested beyond reason": lambda p, m: written(p, {**m, MANIFEST: b"[" * 200_000}),
    "a manifest of another version": lambda p, m: written(p, manifest_changed(m, lambda t: t.update(perennial=2))),
    "a name that is a path": lambda p, m: written(
        p, manifest_changed(m, lambda t: t["names"].append(["../x", t["records"][0]["id"]]))
    ),
    "a name of nothing": lambda p, m: written(p, manifest_changed(m, lambda t: t["names"].append(["x/y", "a" * 64]))),
    "an edge that leads out": lambda p, m: written(
        p, manifest_changed(m, lambda t: t["edges"].append([t["records"][0]["id"], "a" * 64, "extracted"]))
    ),
    "evidence that is no number": lambda p, m: written(
        p, manifest_changed(m, lambda t: t["evidence"][0].update(value={"$": "x"}))
    ),
    "a card that is no card": lambda p, m: written(
        p, manifest_changed(m, lambda t: t["records"][0]["card"].update(created="__import__"))
    ),
    "a program that calls Python": lambda p, m: written(
        p, record_changed(m, "solution", source='lambda row: __import__("os").system("touch /tmp/evil")')
    ),
    "a program with an attribute": lambda p, m: written(
        p, record_changed(m, "solution", source="lambda row: row.__class__.__mro__")
    ),
    "a word that does not exist": lambda p, m: written(
        p, record_changed(m, "solution", source="lambda row: keras_lambda(row)")
    ),
    "a type that is no type": lambda p, m: written(p, record_changed(m, "solution", input="Evil[")),
    "a codec that does not exist": lambda p, m: written(
        p, record_changed(m, "solution", details=lambda d: {**d, "codec": {"modality": "pickle"}})
    ),
    "weights of another program": lambda p, m: written(
        p, weights_changed(m, lambda data: Weights({"ab": State({}, {"kind": "x"})}).to_bytes())
    ),
    "weights that are a pickle": lambda p, m: written(
        p, weights_changed(m, lambda data: b"\x80\x04\x95" + b"cos\nsystem\n" * 20)
    ),
    "weights that claim to be huge": lambda p, m: written(p, weights_changed(m, huge_arrays)),
    "golden outputs of another model": lambda p, m: written(p, golden_of_others(m)),
    "a text file": lambda p, m: p.write_text("hello") and p,
    "an empty file": lambda p, m: p.write_bytes(b"") or p,
    "half a pack": lambda p, m: written(p, m) and (p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]) or 1) and p,
}  # fmt: skip


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_a_pack_that_is_not_what_it_claims_is_refused_and_nothing_is_written(
    attack, packed, tmp_path, capsys
):
    evil = tmp_path / "evil.pern"
    with pytest.warns(UserWarning) if attack == "a member twice" else _quietly():
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
    assert not os.path.exists("/tmp/evil")


class _quietly:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_the_pack_that_the_attacks_begin_with_is_sound(packed, tmp_path):
    written(tmp_path / "same.pern", listed(members(packed)))
    assert len(inspect(tmp_path / "same.pern").batch.records) == 3
    assert io.BytesIO(packed.read_bytes()).getvalue() == (tmp_path / "same.pern").read_bytes()


def test_a_network_larger_than_its_bounds_is_refused_before_it_is_built(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 255, (24, 8, 8, 1)).astype(np.uint8)
    task = Task.from_data((images, np.array(["one", "two"] * 12)))
    source = (
        "lambda image: head(global_pool(relu(conv(pixels(image), width=4, kernel=3))), epochs=1, batch=8)"
    )
    bench = Bench(task, Protocol.propose(task, kind="holdout"), resolve("accuracy"))
    fitted = evaluate(bench, source=source, seed=0)
    model = Model(parse(source, vocabulary()), tuple(map(Weights.from_bytes, fitted.blobs)), task.schema)
    with Library(tmp_path / "library") as library:
        library.keep(model, task, metric="accuracy", baseline=0.5, value=0.5)
        assert verify(library).exact == 1
        pack(library, [], tmp_path / "network.pern")
    assert len(inspect(tmp_path / "network.pern").batch.records) == 1
    monkeypatch.setattr("perennial.library.pack.LARGEST_NETWORK", Limits(parameters=10))
    monkeypatch.setattr(compiler.Compiled, "build", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(DamagedFile, match="too large: it has .* parameters"):
        inspect(tmp_path / "network.pern")
