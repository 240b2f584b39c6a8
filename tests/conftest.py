"""Shared by all tests: where the example data are, and one small grown study that many tests look at."""

import itertools
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "data"
SHARED_DATA = ROOT.parent / "shared" / "data"

os.environ.setdefault("KERAS_BACKEND", "torch")

DATA_HOME, TESTS = tempfile.TemporaryDirectory(prefix="perennial-tests-"), itertools.count()
os.environ["XDG_DATA_HOME"] = DATA_HOME.name

# The same examples in every run; `HYPOTHESIS_PROFILE=explore pytest` (and `make slow`) looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def perennial(*arguments, cwd, timeout=180, check=None):
    """Runs the command line in a process of its own; `check` is the exit code that is expected."""
    done = subprocess.run(
        [sys.executable, "-m", "perennial", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def command():
    return perennial


@pytest.fixture(scope="session")
def examples():
    return EXAMPLES


@pytest.fixture(scope="session")
def shared_data():
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder ../shared/data with the benchmark tables is not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def grown(tmp_path_factory):
    """A study of the penguins, grown by six trials with the command line."""
    folder = tmp_path_factory.mktemp("grown")
    out = folder / "penguins"
    done = perennial(
        "grow", EXAMPLES / "penguins.csv", "--target", "species", "--trials", "3", "--workers", "1",
        "--out", out, "--json", cwd=folder, check=0,
    )  # fmt: skip
    (folder / "stdout.json").write_text(done.stdout)
    return out


def draw(path, seed=0, size=(24, 24), mode="RGB", **saving):
    """Saves an image of random blocks, the same for the same seed; sizes are `(height, width)`."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(seed)
    height, width = size
    blocks = generator.integers(0, 256, (6, 6, 3)).astype(np.uint8)
    image = Image.fromarray(blocks).resize((width, height), Image.Resampling.BILINEAR).convert(mode)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **saving)
    return path


@pytest.fixture(name="draw", scope="session")
def drawing():
    return draw


@pytest.fixture
def class_folders(tmp_path):
    """Makes a folder of classes with images that all differ."""

    def make(name="pets", classes=("cat", "dog"), images=10, **how):
        root = tmp_path / name
        for code, label in enumerate(classes):
            for number in range(images):
                draw(root / label / f"{number:03d}.png", seed=(code, number, len(name)), **how)
        return root

    return make


@pytest.fixture(autouse=True)
def no_memory(monkeypatch):
    """No test sees what another has grown, nor the library of whoever runs it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(Path(DATA_HOME.name) / str(next(TESTS))))
    monkeypatch.delenv("PERENNIAL_LIBRARY", raising=False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """perennial never opens a connection; a test that tries fails."""
    connect = socket.socket.connect

    def refuse(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"a connection to {address} was attempted")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
