"""What rows look like: the same for all machines, near for what looks alike, and exact to look up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.library import Learnt
from perennial.library.embedding import EMBEDDING, SIZE, Neighbours, embedding, nearness
from perennial.task import Task


def stripes(width, rows=60, seed=0, side=16, channels=1):
    generator = np.random.default_rng(seed)
    phases = generator.integers(0, width, (rows, 1, 1))
    shades = 60.0 + 120.0 * ((np.arange(side)[None, None] + phases) // (width / 2) % 2)
    shades = np.repeat(shades, side, axis=1) + generator.normal(0, 10, (rows, side, side))
    images = np.repeat(shades.clip(0, 255).astype(np.uint8)[..., None], channels, axis=3)
    return Task.from_data((images, np.array(["a", "b"] * (rows // 2))))


def table(*names, rows=30):
    columns = {name: np.random.default_rng(place).normal(size=rows) for place, name in enumerate(names)}
    return Task.from_data({**columns, "y": np.arange(rows) % 2 == 0}, "y")


def apart(one, other, *more):
    known = np.array([embedding(each) for each in (one, other, *more)])
    return Neighbours(known).distances(known[0])


def test_what_looks_alike_is_near():
    near, fine, coarse = apart(stripes(4), stripes(4, seed=1), stripes(10, seed=2))[1:], 0, 1
    assert near[fine] < 0.5 * near[coarse]


@pytest.mark.parametrize("more", [{"side": 32}, {"side": 21}, {"channels": 3}, {"rows": 400}], ids=str)
def test_size_channels_and_rows_hardly_count(more):
    scale = more.get("side", 16) / 16
    other = stripes(round(4 * scale), seed=1, **more)
    near = apart(stripes(4), other, stripes(10, seed=2), stripes(16, seed=3))[1:]
    assert near[0] == min(near)


def test_it_is_the_same_again_and_takes_images_of_any_size():
    assert embedding(stripes(4)) == embedding(stripes(4))
    for side in (8, 15, 17, 50):
        told = embedding(stripes(4, side=side))
        assert len(told) == SIZE and np.isfinite(told).all()


def test_tables_are_near_by_the_names_of_their_columns():
    names = [f"column {number}" for number in range(8)]
    near = apart(table(*names), table(*reversed(names)), table(*names[:7], "other"), table(*"abcdefgh"))
    assert near[0] == near[1] < near[2] < near[3]


def test_examples_have_none():
    assert embedding(Task.from_examples([(1, 2), (2, 3), (5, 6)])) == []


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_distances_are_those_of_the_formula(rows, seed):
    generator = np.random.default_rng(seed)
    table, asked = generator.normal(size=(rows, 5)).round(1), generator.normal(size=5)
    scale = np.maximum(table.std(axis=0), 1e-3)
    wanted = np.sqrt((((table - asked) / scale) ** 2).mean(axis=1))
    assert np.allclose(Neighbours(table).distances(asked), wanted, rtol=1e-3, atol=1e-2 * wanted.max())


def learnt(name, task, numbers):
    told = {} if numbers is None else {EMBEDDING: numbers}
    return Learnt(name, name, task.modality, "binary", "", "", 10, "accuracy", None, told)


def test_only_tasks_of_such_data_with_sound_embeddings_are_compared():
    asked, other = stripes(4), table("a", "b")
    known = [
        learnt("good", asked, embedding(asked)),
        learnt("old", asked, None),
        learnt("short", asked, [0.0]),
        learnt("text", asked, ["x"] * SIZE),
        learnt("huge", asked, [1e299] * SIZE),
        learnt("larger", asked, [10**400] * SIZE),
        learnt("nan", asked, [float("nan")] * SIZE),
        learnt("table", other, embedding(other)),
    ]
    assert list(nearness(known, learnt("asked", asked, embedding(asked)))) == ["good"]
    assert nearness(known[1:3], learnt("asked", asked, embedding(asked))) == {}
    assert nearness(known, learnt("asked", asked, [])) == {}
