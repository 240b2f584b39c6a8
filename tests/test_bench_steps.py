"""The bench of training steps: networks that both sides share, and one small run."""

import numpy as np
import pytest

from perennial.bench import steps


@pytest.mark.parametrize("name", steps.CASES)
def test_the_plain_network_answers_for_every_class(name):
    import torch

    case = steps.CASES[name]
    values, target = steps._rows(case.type, 4)
    assert case.plain()(torch.from_numpy(values)).shape == (4, steps.CLASSES)
    assert values.shape == (4, *case.type.dims) and target.max() < steps.CLASSES


def test_the_bench_compares_the_trainer_with_a_plain_loop():
    figures = steps.run(data=None, seconds=0.05, seeds=1, only=["mlp"])
    [row], [bar] = figures["rows"], figures["bars"]
    assert row["what"] == "mlp" and row["milliseconds"] > 0 and row["plain"] > 0
    assert bar["goal"] == 1.3 and np.isclose(bar["value"], row["ratio"], atol=1e-3)
