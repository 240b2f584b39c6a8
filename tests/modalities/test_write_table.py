"""Writing tables: exact, complete or not at all; and the frame as a value."""

import io
import os
import stat

import numpy as np
import pytest

from perennial.errors import DataError
from perennial.modalities import reading
from perennial.modalities.reading import Frame, read_table, write_table


def test_what_is_written_reads_back(tmp_path):
    names = ["whole", "real", "text", "date, time", "code"]
    columns = [
        np.array([1, -(2**60)]),
        np.array([0.1 + 0.2, np.nan]),
        np.array(['say "hi"\r\n, you', None], dtype=object),
        np.array(["2024-02-29T12:30:00.000001", "NaT"], dtype="datetime64[us]"),
        ["007", "012"],
    ]
    write_table(tmp_path / "x.csv", names, columns)
    frame = read_table(tmp_path / "x.csv")
    assert frame == Frame(tuple(names), (*columns[:4], np.array(columns[4], dtype=object)))


def test_a_table_can_be_written_to_a_stream():
    stream = io.StringIO()
    write_table(stream, ["a", "probability:1"], [np.array(["x", "y"]), np.array([0.25, 1.0])])
    assert stream.getvalue() == "a,probability:1\nx,0.25\ny,1.0\n"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("old\n1\n")

    def fail(stream, names, cells):
        stream.write("half of a ta")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "_write_rows", fail)
    with pytest.raises(DataError, match="No space left"):
        write_table(path, ["a"], [[1]])
    assert path.read_text() == "old\n1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.csv"]


def test_permissions_and_links_survive_a_rewrite(tmp_path):
    path, link = tmp_path / "x.csv", tmp_path / "link.csv"
    path.write_text("old\n")
    path.chmod(0o600)
    link.symlink_to(path)
    write_table(link, ["a"], [[1]])
    assert link.is_symlink()
    assert path.read_text() == "a\n1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_folder_and_unequal_columns_are_refused(tmp_path):
    with pytest.raises(DataError, match="folder exists"):
        write_table(tmp_path / "no" / "x.csv", ["a"], [[1]])
    with pytest.raises(DataError, match="do not make a table"):
        write_table(tmp_path / "x.csv", ["a", "b"], [[1], [1, 2]])
    assert not os.listdir(tmp_path)


def test_a_device_can_be_written_to():
    write_table("/dev/null", ["a"], [[1]])


def test_a_frame_selects_takes_and_compares():
    frame = Frame(
        ("a", "b"), (np.array([1, 2, 3]), np.array(["x", None, "z"], dtype=object)), {"path": "p.csv"}
    )
    assert frame.take([2, 0]).column("b").tolist() == ["z", "x"]
    assert frame.take(np.array([False, True, False])).rows == 1
    assert frame.select(["b"]).names == ("b",)
    assert frame.take([]).rows == 0
    assert frame == frame.take([0, 1, 2])
    assert frame != frame.take([0, 1])
    assert repr(frame) == "Frame(3 rows: a int64, b object)"


def test_an_unknown_column_is_answered_with_a_suggestion():
    frame = Frame(("Income", "age"), (np.zeros(1), np.zeros(1)))
    with pytest.raises(DataError, match="Did you mean 'Income'"):
        frame.column("incom")
    with pytest.raises(DataError, match="columns above"):
        frame.column("zzz")
