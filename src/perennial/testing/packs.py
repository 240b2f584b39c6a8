"""Packs that are not what they claim to be: each is made from a sound one, and every library must refuse it.

`ATTACKS` maps what is wrong, in words, to a function that writes such a pack from the members of a sound one, which holds
a solution with weights, a solution without, and a record with evidence.
"""

from __future__ import annotations

import hashlib
import json
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from perennial.lang.ops import State
from perennial.library.pack import MANIFEST, MOST_MEMBERS
from perennial.library.records import canonical
from perennial.weights import Weights

__all__ = ["ATTACKS", "listed", "members", "written"]

Members = dict[str, bytes]


def members(path: Path) -> Members:
    """The members of a pack that is believed."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(
    path: Path, parts: Members, compression: int = zipfile.ZIP_STORED, mode: int = stat.S_IFREG | 0o644,
    more: Iterable[tuple[str, bytes]] = (),
) -> Path:  # fmt: skip
    """A zip of members, which may have other properties than a pack has."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of members that are there twice
        for name, data in [*parts.items(), *more]:
            told = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            told.external_attr, told.create_system, told.compress_type = mode << 16, 3, compression
            archive.writestr(told, data)
    return path


def _manifest_changed(parts: Members, change: Callable[[dict], Any]) -> Members:
    told = json.loads(parts[MANIFEST])
    change(told)
    return {**parts, MANIFEST: canonical(told)}


def listed(parts: Members) -> Members:
    """The manifest's list of blobs made true again."""
    blobs = sorted(name[6:] for name in parts if name != MANIFEST)
    return _manifest_changed(
        parts,
        lambda told: told.update(blobs=[{"sha256": d, "size": len(parts[f"blobs/{d}"])} for d in blobs]),
    )


def _record_changed(parts: Members, kind: str, **changes: Any) -> Members:
    """A record with other content, under its own new hash, everywhere where the old one was named."""
    told = json.loads(parts[MANIFEST])
    for each in told["records"]:
        data = parts[f"blobs/{each['id']}"]
        if json.loads(data)["kind"] == kind and b"row" in data:
            record = json.loads(data)
            for name, value in changes.items():
                record[name] = value(record[name]) if callable(value) else value
            return _with_blob(parts, each["id"], canonical(record))
    raise AssertionError("there is no such record")


def _with_blob(parts: Members, digest: str, data: bytes) -> Members:
    new = hashlib.sha256(data).hexdigest()
    changed = {name: content for name, content in parts.items() if name != f"blobs/{digest}"}
    changed[MANIFEST] = changed[MANIFEST].replace(digest.encode(), new.encode())
    return listed({**changed, f"blobs/{new}": data})


def _weights_changed(parts: Members, change: Callable[[bytes], bytes]) -> Members:
    """The weights of the table's model replaced by others, under their own hashes."""
    told = json.loads(parts[MANIFEST])
    for each in told["records"]:
        record = json.loads(parts[f"blobs/{each['id']}"])
        if record["weights"] and "row" in record["source"]:
            old = record["weights"][0]
            data = change(parts[f"blobs/{old}"])
            new = hashlib.sha256(data).hexdigest()
            record["weights"][0] = new
            changed = {name: content for name, content in parts.items() if name != f"blobs/{old}"}
            return _with_blob({**changed, f"blobs/{new}": data}, each["id"], canonical(record))
    raise AssertionError("no record has weights")


def _lying_about_size(path: Path, parts: Members) -> Path:
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


def _bomb(path: Path, parts: Members) -> Path:
    zeros = b"\0" * 50_000_000
    digest = hashlib.sha256(zeros).hexdigest()
    return written(path, {**parts, f"blobs/{digest}": zeros}, compression=zipfile.ZIP_DEFLATED)


def _bomb_inside(path: Path, parts: Members) -> Path:
    inner = zlib.compress(b"\0" * 10_000_000)
    return written(path, {**parts, "blobs/bomb.z": inner})


def _encrypted(path: Path, parts: Members) -> Path:
    written(path, parts)
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(sign)
        data[place + offset] |= 1
    path.write_bytes(bytes(data))
    return path


def _golden_of_others(parts: Members) -> Members:
    def change(told):
        first, second = [each["card"] for each in told["records"] if each["card"]["golden"]]
        first["golden"], second["golden"] = second["golden"], first["golden"]

    return _manifest_changed(parts, change)


def _without_golden(parts: Members) -> Members:
    golden = [
        each["card"]["golden"] for each in json.loads(parts[MANIFEST])["records"] if each["card"]["golden"]
    ]

    def change(told):
        for each in told["records"]:
            each["card"]["golden"] = ""

    kept = {name: data for name, data in parts.items() if name[6:] not in golden}
    return listed(_manifest_changed(kept, change))


def _booster_changed(parts: Members, name: str, value: str) -> Members:
    """The weights of the table's model as a booster, one array of which leads nowhere."""

    def spoilt(data: bytes) -> bytes:
        states = Weights.from_bytes(data)
        texts = {
            key: "\n".join(
                f"{name}={' '.join(value for _ in line.split(' '))}" if line.startswith(f"{name}=") else line
                for line in text.split("\n")
            )
            for state in states.values()
            for key, text in state.texts.items()
        }
        return Weights(
            {
                key: State(dict(state.arrays), {k: texts[k] for k in state.texts})
                for key, state in states.items()
            }
        ).to_bytes()

    return _weights_changed(parts, spoilt)


def _huge_arrays(data: bytes) -> bytes:
    """A safetensors header that claims an array far larger than the file."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [10**12]
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + data[8 + size :]


def _text_file(path: Path, parts: Members) -> Path:
    path.write_text("hello", encoding="utf-8")
    return path


def _empty_file(path: Path, parts: Members) -> Path:
    path.write_bytes(b"")
    return path


def _half(path: Path, parts: Members) -> Path:
    data = written(path, parts).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


ATTACKS: dict[str, Callable[[Path, Members], Path]] = {
    "a path that climbs out": lambda p, m: written(p, {**m, "../../evil": b"x"}),
    "a path from the root": lambda p, m: written(p, {**m, "/etc/evil": b"x"}),
    "a path with backslashes": lambda p, m: written(p, {**m, "..\\evil": b"x"}),
    "a path of another drive": lambda p, m: written(p, {**m, "C:/evil": b"x"}),
    "a file beside the blobs": lambda p, m: written(p, {**m, "setup.py": b"import os"}),
    "a pickle among the blobs": lambda p, m: written(p, {**m, "blobs/model.pkl": b"\x80\x04."}),
    "a link": lambda p, m: written(p, {**m, "blobs/" + "a" * 64: b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777),
    "a device": lambda p, m: written(p, m, mode=stat.S_IFCHR | 0o644),
    "a folder": lambda p, m: written(p, {**m, "blobs/": b""}),
    "a compression bomb": _bomb,
    "a bomb in a stored member": _bomb_inside,
    "compressed members": lambda p, m: written(p, m, compression=zipfile.ZIP_DEFLATED),
    "a size that is a lie": _lying_about_size,
    "an encrypted member": _encrypted,
    "more members than are read": lambda p, m: written(
        p, {**m, **{f"blobs/{n:064x}": b"" for n in range(MOST_MEMBERS + 1)}}
    ),
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
    "a manifest of another version": lambda p, m: written(p, _manifest_changed(m, lambda t: t.update(perennial=2))),
    "a name that is a path": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["names"].append(["../x", t["records"][0]["id"]]))
    ),
    "a name of nothing": lambda p, m: written(p, _manifest_changed(m, lambda t: t["names"].append(["x/y", "a" * 64]))),
    "an edge that leads out": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["edges"].append([t["records"][0]["id"], "a" * 64, "extracted"]))
    ),
    "evidence that is no number": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["evidence"][0].update(value={"$": "x"}))
    ),
    "a card that is no card": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["records"][0]["card"].update(created="__import__"))
    ),
    "a program that calls Python": lambda p, m: written(
        p, _record_changed(m, "solution", source='lambda row: __import__("os").system("touch /tmp/evil")')
    ),
    "a program with an attribute": lambda p, m: written(
        p, _record_changed(m, "solution", source="lambda row: row.__class__.__mro__")
    ),
    "a word that does not exist": lambda p, m: written(
        p, _record_changed(m, "solution", source="lambda row: keras_lambda(row)")
    ),
    "a type that is no type": lambda p, m: written(p, _record_changed(m, "solution", input="Evil[")),
    "a codec that does not exist": lambda p, m: written(
        p, _record_changed(m, "solution", details=lambda d: {**d, "codec": {"modality": "pickle"}})
    ),
    "weights of another program": lambda p, m: written(
        p, _weights_changed(m, lambda data: Weights({"ab": State({}, {"kind": "x"})}).to_bytes())
    ),
    "weights that are a pickle": lambda p, m: written(
        p, _weights_changed(m, lambda data: b"\x80\x04\x95" + b"cos\nsystem\n" * 20)
    ),
    "weights that claim to be huge": lambda p, m: written(p, _weights_changed(m, _huge_arrays)),
    "a booster whose trees never end": lambda p, m: written(p, _booster_changed(m, "left_child", "0")),
    "a booster that leads outside": lambda p, m: written(p, _booster_changed(m, "left_child", "900000000")),
    "evidence of what is not in it": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["evidence"].append({**t["evidence"][0], "record": "a" * 64}))
    ),
    "a task that nothing was learnt on": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["tasks"].append({**t["tasks"][0], "fingerprint": "a" * 64}))
    ),
    "a name that commands the terminal": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["tasks"][0].update(name="\x1b]0;owned\x07"))
    ),
    "an edge that commands the terminal": lambda p, m: written(
        p, _manifest_changed(m, lambda t: t["edges"].append([t["records"][0]["id"], t["records"][1]["id"], "\x1b[2J"]))
    ),
    "a program that commands the terminal": lambda p, m: written(
        p, _record_changed(m, "solution", source=lambda source: f"{source}  # \x1b[2J")
    ),
    "golden outputs of another model": lambda p, m: written(p, _golden_of_others(m)),
    "a model without golden outputs": lambda p, m: written(p, _without_golden(m)),
    "a text file": _text_file,
    "an empty file": _empty_file,
    "half a pack": _half,
}  # fmt: skip
