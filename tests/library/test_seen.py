"""Sketches of the rows that a record has learnt from: exact for few rows, close for many, careful where nothing can be told."""

import base64

import numpy as np
import pytest

from perennial.compiler import Field
from perennial.errors import DamagedFile
from perennial.library.seen import MOST, asked_of, shared, told_of
from perennial.library.seen import knows as knows_of
from perennial.task import Task


def knows(told, task, fields=()):
    return knows_of(told, asked_of(task, fields))


def images(first, last):
    """Images that are told apart by their numbers."""
    numbers = np.arange(first, last)
    pixels = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=1).astype(np.uint8)
    pixels = np.repeat(pixels, 12, axis=1).reshape(len(numbers), 6, 6, 1)
    pixels[:, 0, 0] = 255
    return pixels


def task(first, last, **more):
    labels = np.array(["even", "odd"])[np.arange(first, last) % 2]
    return Task.from_data((images(first, last), labels), **more)


def test_rows_that_were_learnt_from_are_known_and_others_are_not():
    told = told_of(task(0, 300))
    assert knows(told, task(0, 300)) and knows(told, task(290, 400))
    assert not knows(told, task(300, 600))
    assert not knows(told, task(299, 500)), "one row in two hundred is chance"


def test_labels_do_not_matter():
    pixels, labels = images(0, 60), np.array(["a", "b"] * 30)
    one, other = Task.from_data((pixels, labels)), Task.from_data((pixels, labels[::-1]))
    assert knows(told_of(one), other)


def test_a_few_test_rows_among_many_others_are_found():
    told = told_of(task(5_000, 5_010))
    assert knows(told, task(0, 2_000, test=(images(5_000, 5_010), np.array(["even", "odd"] * 5))))
    assert not knows(told, task(0, 2_000, test=(images(6_000, 6_010), np.array(["even", "odd"] * 5))))


def test_what_stands_on_a_record_has_seen_what_it_has_seen():
    first = told_of(task(0, 100))
    second = told_of(task(100, 200), first)
    assert knows(second, task(0, 100)) and knows(second, task(100, 200))
    assert not knows(second, task(200, 300))
    assert told_of(task(100, 200), {}) == told_of(task(100, 200))


def hashes(count, seed):
    return np.unique(np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32))


def test_of_many_rows_a_sample_tells_the_share():
    rows = hashes(200_000, 0)
    known = rows[:MOST]
    mixed = np.unique(np.concatenate([rows[::20], hashes(10_000, 1)]))
    assert shared(known, mixed) == pytest.approx(0.5, abs=0.05)
    assert shared(known, hashes(10_000, 2)) < 0.01


def test_where_a_sample_cannot_tell_it_is_taken_as_known():
    rows = hashes(1_000_000, 0)
    assert shared(rows[:MOST], hashes(24, 3)) == 1.0
    assert shared(np.array([], np.uint32), hashes(24, 3)) == 0.0


def test_rows_that_repeat_by_chance_are_no_sign():
    generator = np.random.default_rng(0)

    def draw(rows):
        columns = generator.integers(0, 3, (rows, 4)).astype(float) / 7
        return Task.from_data((columns, generator.normal(size=rows)))

    told = told_of(draw(300))
    assert told["twins"] > 0.9 and not knows(told, draw(300))


def test_columns_are_read_in_the_words_of_the_record():
    generator = np.random.default_rng(0)
    numbers, target = generator.normal(size=(80, 3)), generator.normal(size=80)
    known = Task.from_data((numbers, target))
    turned = Task.from_data((numbers[:, ::-1], target))
    names = sorted(known.inputs)
    fields = [Field(name, other) for name, other in zip(names, reversed(names), strict=True)]
    assert knows(told_of(known), turned, fields) and not knows(told_of(known), turned)


@pytest.mark.parametrize(
    "lie",
    [
        {}, {"twins": 0.0}, {"sketch": "", "twins": "?"}, {"sketch": "%", "twins": 0.0}, {"sketch": None, "twins": 0.0},
        {"sketch": "AAAAAAAAAAA=", "twins": 0.0}, {"sketch": "AA==", "twins": 0.0},
        {"sketch": base64.b64encode(np.arange(MOST + 1, dtype="<u4").tobytes()).decode(), "twins": 0.0},
    ],
)  # fmt: skip
def test_what_is_no_sketch_is_told(lie):
    with pytest.raises(DamagedFile, match="sketch|seen"):
        knows(lie, task(0, 10))
