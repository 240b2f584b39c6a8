"""Every engine in the house keeps the contract; a new one joins by existing."""

import importlib
import pkgutil

import pytest

from perennial import synthesis
from perennial.synthesis.base import Engine
from perennial.testing.engines import check_engine


def engines():
    for module in pkgutil.walk_packages(synthesis.__path__, "perennial.synthesis."):
        importlib.import_module(module.name)
    found, waiting = set(), [Engine]
    while waiting:
        waiting += (kinds := waiting.pop().__subclasses__())
        found |= {kind for kind in kinds if kind.__module__.startswith("perennial.")}
    return sorted(found, key=lambda kind: kind.name)


def test_the_engines_are_found():
    assert {"text witnesses", "grids", "lists", "enumeration", "portfolio"} <= {
        kind.name for kind in engines()
    }


@pytest.mark.parametrize("kind", engines(), ids=lambda kind: kind.name)
def test_an_engine_keeps_the_contract(kind):
    check_engine(kind)
