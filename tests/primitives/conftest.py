"""Small grids on which the words for grids are compared with plain loops."""

import numpy as np
import pytest

SHAPES = ((1, 1), (1, 6), (5, 1), (2, 3), (4, 4), (5, 7), (6, 6), (7, 5))


def drawn(seed, shape, colours, density):
    generator = np.random.default_rng(seed)
    cells = generator.integers(1, colours + 1, shape) * (generator.random(shape) < density)
    return tuple(map(tuple, cells.tolist()))


@pytest.fixture(scope="session")
def pictures():
    """Grids of all shapes, thin and dense, of one to three colours; none of them is empty."""
    settings = [(1, 0.3), (1, 0.7), (2, 0.5), (3, 0.8), (3, 1.0)]
    found = [
        drawn(place, shape, *setting)
        for place, (shape, setting) in enumerate((s, t) for s in SHAPES for t in settings)
    ]
    return [grid for grid in found if any(map(any, grid))]
