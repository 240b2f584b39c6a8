"""Files that are not what they seem: one named test per row of the catalogue of bad inputs."""

import bz2
import gzip
import os
import pickle
import pickletools
import time
import unicodedata
import zipfile
import zlib
from argparse import Namespace
from collections import Counter
from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from perennial.errors import DataError, UnreadableData, UnsafeData
from perennial.modalities import files, reading
from perennial.modalities.csv_rows import read_csv
from perennial.modalities.reading import read_table

TABLE = "a,b\n1,x\n2,y\n"


class Bomb:
    """An object whose pickle would run code when loaded."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


def refused(path, *parts, kind=UnsafeData):
    with pytest.raises(kind) as caught:
        read_table(path)
    for part in parts:
        assert part in str(caught.value), f"{part!r} is missing in:\n{caught.value}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [Bomb(), {"a": 1}, [1, 2]], ids=["bomb", "dict", "list"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_57_a_pickle_is_refused_under_any_name(tmp_path, monkeypatch, protocol, value, packed):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(value, protocol)
    path = tmp_path / "data.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    refused(path, "run code", "to_parquet", "pickle")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [{}, [[]], set(), b"a", 1j, Counter, Counter("ab"), (Counter, 1), Namespace(a=1), Fraction(1, 2), np.arange(3)]
    + [date(2024, 2, 29), os.mkdir],
    ids=str,
)  # fmt: skip
def test_57_pickles_of_every_protocol_are_known_by_their_first_bytes(tmp_path, protocol, value):
    (tmp_path / "data.csv").write_bytes(pickle.dumps(value, protocol))
    refused(tmp_path / "data.csv", "a Python pickle")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value", [Bomb(), {1}, Namespace(a=1), Fraction(1, 2)], ids=["bomb", "set", "own", "pair"]
)
def test_57_a_pickle_that_remembers_nothing_is_refused_too(tmp_path, protocol, value):
    (tmp_path / "data.csv").write_bytes(pickletools.optimize(pickle.dumps(value, protocol)))
    refused(tmp_path / "data.csv", "a Python pickle")


@pytest.mark.parametrize(
    "text",
    [
        "lqi,rssi,y\n1,2,3\n4,5,6\n", "dq_flag,y\n1,2\n3,4\n", "city\nparis\nquebec\n", "lp1\n1\n2\n",
        "id\nfoo\np12\n", "country\nfrance\n(unknown)\n", "ORCID,papers,y\n1,2,3\n4,5,6\n", "ARROW1,y\n1,2\n3,4\n",
        "RIFF,y\n1,2\n3,4\n", "BZh,y\n1,2\n3,4\n", "GIF8,y\n1,2\n3,4\n", "%PDF-files,y\n1,2\n3,4\n",
        "SQLite format 3,y\n1,2\n3,4\n", "PAR1,PAR2\n1,2\n3,4\n", "RDX2\n1\n2\n",
    ],
    ids=lambda text: text.splitlines()[0],
)  # fmt: skip
def test_57_text_that_begins_like_another_format_is_a_table(tmp_path, text):
    (tmp_path / "data.csv").write_text(text)
    frame = read_table(tmp_path / "data.csv")
    assert (frame.names, frame.rows) == (tuple(text.splitlines()[0].split(",")), 2)


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".pt", ".h5", ".PTH", ".pkl.gz", ".keras", ".RData"])
def test_57_names_of_stored_objects_are_refused_whatever_they_hold(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    path.write_text(TABLE)
    refused(path, "run code")


def test_57_hdf5_and_pytorch_files_are_refused_under_a_csv_name(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refused(path, "HDF5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")
    refused(path, "PyTorch")


def test_57_numpy_files_of_objects_are_refused_and_plain_ones_explained(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    refused(tmp_path / "objects.npy", "Python objects")
    np.save(
        tmp_path / "records.npy", np.array([(1, None)], dtype=[("a", int), ("b", object)]), allow_pickle=True
    )
    refused(tmp_path / "records.npy", "Python objects")
    np.save(tmp_path / "plain.npy", np.zeros(3))
    refused(tmp_path / "plain.npy", "numpy.load", kind=UnreadableData)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"ARROW1\0\0", "Arrow"),
        (b"ORC\n\x03\0", "ORC"),
        (b"RIFF$\0\0\0WAVEfmt ", "RIFF"),
        (b"GIF89a", "GIF"),
        (bz2.compress(b"a"), "bzip2"),
        (bz2.compress(b""), "bzip2"),
    ],
)
def test_57_other_formats_are_named(tmp_path, content, what):
    path = tmp_path / "data.csv"
    path.write_bytes(content + bytes(50))
    refused(path, what, kind=UnreadableData)


def test_57_an_excel_workbook_says_how_to_convert_it(tmp_path):
    path = tmp_path / "data.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    refused(path, "Excel", "Save the sheet as CSV", kind=UnreadableData)


@pytest.mark.parametrize(
    "name",
    [
        "two words.csv",
        "größe 🦋.csv",
        "dots..csv.",
        "$HOME.csv",
        "~.csv",
        "-rf.csv",
        "x[1]*?.csv",
        "a'b\".csv",
        "n" * 250,
    ]
    + ["line\nbreak.csv", "percent%41.csv", "a=b.csv", "C:\\x.csv"],
)
@pytest.mark.parametrize("quick", [False, True], ids=["careful", "quick"])
def test_58_paths_of_any_characters_work(tmp_path, monkeypatch, name, quick):
    from perennial.modalities import csv_text

    if quick:
        monkeypatch.setattr(csv_text, "IN_MEMORY_BYTES", 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(TABLE)
    assert read_table(name).rows == 2
    assert read_table(tmp_path / name).rows == 2


def test_58_the_home_directory_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.csv").write_text(TABLE)
    assert read_table("~/x.csv").rows == 2


@pytest.mark.parametrize(("stored", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_58_accents_may_be_composed_either_way(tmp_path, stored, asked):
    (tmp_path / unicodedata.normalize(stored, "é.csv")).write_text(TABLE)
    assert read_table(tmp_path / unicodedata.normalize(asked, "é.csv")).rows == 2


@pytest.mark.parametrize(
    "name", ["n" * 300 + ".csv", "a\0b.csv", "", "x/" * 3000], ids=["300", "NUL", "empty", "deep"]
)
def test_58_impossible_paths_are_refused_early(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(name, kind=DataError)


def test_58_a_misspelt_path_gets_a_suggestion(tmp_path):
    (tmp_path / "customers.csv").write_text(TABLE)
    refused(tmp_path / "custmers.csv", "no such file", "customers.csv", kind=DataError)


def test_59_a_directory_a_pipe_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("/dev/zero")
    start = time.monotonic()
    refused(tmp_path, "a directory")
    refused(tmp_path / "pipe.csv", "a pipe")
    refused("/dev/zero", "a device")
    refused(tmp_path / "link.csv", "a device")
    assert time.monotonic() - start < 1


def test_59_a_link_to_a_regular_file_is_read_and_a_broken_or_circular_one_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text(TABLE)
    (tmp_path / "good.csv").symlink_to("x.csv")
    assert read_table(tmp_path / "good.csv").rows == 2
    (tmp_path / "broken.csv").symlink_to("nowhere.csv")
    refused(tmp_path / "broken.csv", kind=DataError)
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    refused(tmp_path / "loop.csv", kind=DataError)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read every file"
)
def test_59_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(TABLE)
    path.chmod(0)
    refused(path, "permissions", kind=DataError)


@pytest.mark.parametrize("change", ["grown", "rewritten", "gone"])
def test_59_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change):
    path = tmp_path / "x.csv"
    path.write_text(TABLE)

    def read_and_change(source, wishes):
        frame = read_csv(source, wishes)
        if change == "grown":
            path.write_text(TABLE + "3,z\n")
        elif change == "rewritten":
            os.utime(path, ns=(0, 0))
        else:
            path.unlink()
        return frame

    monkeypatch.setattr(reading, "_reader", lambda source: read_and_change)
    refused(path, "changed while it was read", kind=DataError)


@pytest.mark.parametrize("damage", ["cut", "flipped", "tail"])
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    content = bytearray(gzip.compress((TABLE * 500).encode()))
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    else:
        content += b"garbage"
    (tmp_path / "x.csv.gz").write_bytes(bytes(content))
    refused(tmp_path / "x.csv.gz", "gzip", kind=DataError)


def test_56_a_gzip_bomb_is_stopped_on_its_actual_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BOMB_BYTES", 10**6)
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 10**6))
    assert zlib.decompress(path.read_bytes(), 31).count(b"\n") == 10**6 + 1
    refused(path, "over 200 times")
