"""Before the first search the kernels are compiled, once per machine."""

import time

import pytest

from perennial.synthesis import readiness


@pytest.fixture(scope="session", autouse=True)
def kernels():
    while not readiness.compiled() and readiness.compiling():
        time.sleep(0.1)
