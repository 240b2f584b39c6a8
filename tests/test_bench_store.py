"""The bench of the store measures what it says, and notices a store that loses."""

import pytest

from perennial import bench
from perennial.bench import store
from perennial.errors import UsageError
from perennial.library.embedded import Embedded


@pytest.fixture
def small(monkeypatch):
    sizes = {
        "WRITERS": 2,
        "COMMITS": 6,
        "KILLS": 2,
        "LONGEST_LIFE": 0.1,
        "FLIPS": 10,
        "MODULES": 2000,
        "OPENED": 2,
    }
    for name, value in sizes.items():
        monkeypatch.setattr(store, name, value)


def test_all_parts_hold_in_small(small, tmp_path):
    figures = bench.run("store", data=str(tmp_path), seeds=1)
    assert [row["part"] for row in figures["rows"]] == ["together", "kills", "flips", "packs", "opening"]
    assert len(figures["bars"]) == 8 and all(entry["ok"] for entry in figures["bars"]), figures["bars"]
    assert list(tmp_path.iterdir()) == []


def test_flips_that_nobody_notices_are_counted(small, monkeypatch, tmp_path):
    monkeypatch.setattr(Embedded, "get", lambda self, digest: self._path(digest).read_bytes())
    [entry] = bench.run("store", data=str(tmp_path), only=["flips"])["bars"]
    assert entry["value"] > 0 and not entry["ok"]


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="together"):
        bench.run("store", only=["speed"])
