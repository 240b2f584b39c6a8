"""The search on grids: what it finds on puzzles whose rule we made up, and what it promises."""

import json
import time

import numpy as np
import pytest

from perennial.bench import grids as bench
from perennial.bench.kept import Kept
from perennial.errors import DataError
from perennial.lang import Grid, evaluate
from perennial.primitives import cells as c
from perennial.primitives import grids as g
from perennial.spaces.grammar import Grammar
from perennial.synthesis.base import Budget, Examples
from perennial.synthesis.grids import GridSearch, guesses
from perennial.synthesis.grids.bank import Bank, State, fingerprint
from perennial.synthesis.grids.views import views


def picture(seed, shape=(7, 8), share=0.3, colours=(1, 2, 3)):
    generator = np.random.default_rng(seed)
    cells = generator.choice(colours, shape)
    return np.where(generator.random(shape) < share, cells, 0).astype(np.int16)


def boxes(seed):
    """Two hollow rectangles of different colours and sizes."""
    generator = np.random.default_rng(seed)
    grid = np.zeros((12, 12), dtype=np.int16)
    for corner, colour in (((0, 0), 3), ((6, 5), 4)):
        high, wide = generator.integers(3, 6, 2)
        top, left = corner
        grid[top : top + high, left : left + wide] = colour
        grid[top + 1 : top + high - 1, left + 1 : left + wide - 1] = 0
    return grid


def lines(grid):
    """Every 1 is drawn to the right border."""
    result = grid.copy()
    for row, column in zip(*np.nonzero(grid), strict=True):
        result[row, column:] = grid[row, column]
    return result


RULES = {
    "mirrored": (picture, lambda x: x[:, ::-1]),
    "turned and doubled": (picture, lambda x: np.rot90(x).repeat(2, 0).repeat(2, 1)),
    "colours exchanged": (picture, lambda x: np.array([0, 2, 1, 5])[x]),
    "holes filled": (boxes, lambda x: np.where(c.enclosed.kernel(x, 0) == 1, 7, x)),
    "one colour cut out": (boxes, lambda x: g.crop.kernel(np.where(x == 4, x, 0))),
    "tiled with its mirror": (picture, lambda x: np.hstack([x, x[:, ::-1]])),
    "shifted": (picture, lambda x: np.pad(x, ((1, 0), (0, 0)))[:-1]),
    "lines to the border": (lambda seed: picture(seed, share=0.05, colours=(1,)), lines),
    "corners marked": (
        lambda seed: picture(seed, share=0.05, colours=(2,)),
        lambda x: np.where((x == 0) & (c.touching.kernel(x, 2, 1) > 0), 4, x),
    ),
    "each cell becomes the picture": (
        lambda seed: picture(seed, (3, 3), 0.6, (6,)),
        lambda x: np.kron(x != 0, x),
    ),
}


def solved(make, rule, seconds=6.0):
    inputs = [make(seed) for seed in range(4)]
    outputs = [np.asarray(rule(grid)).astype(np.int16) for grid in inputs]
    asked = make(50)
    found = guesses(inputs, outputs, [asked], seconds)
    return found, asked, np.asarray(rule(asked)), inputs, outputs


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_is_found_and_its_program_says_what_the_guess_says(name):
    found, asked, wanted, inputs, outputs = solved(*RULES[name])
    assert any(np.array_equal(guess.outputs[0], wanted) for guess in found[:2])
    for grid, output in zip([*inputs, asked], [*outputs, found[0].outputs[0]], strict=True):
        assert evaluate(found[0].program, g.to_tuple(grid)) == g.to_tuple(output)


def test_a_background_that_is_not_empty_is_emptied_first():
    def make(seed):
        return np.where(boxes(seed) == 0, 8, boxes(seed)).astype(np.int16)

    found, _, wanted, *_ = solved(
        make, lambda x: np.where(c.enclosed.kernel(np.where(x == 8, 0, x), 0), 1, x)
    )
    assert any(np.array_equal(guess.outputs[0], wanted) for guess in found[:2])


def test_a_table_between_lines_is_seen_as_small_grid():
    table = g.scale.kernel(picture(1, (3, 3)), 2)
    lined = np.full((8, 8), 5, dtype=np.int16)
    for row in range(3):
        for column in range(3):
            lined[3 * row : 3 * row + 2, 3 * column : 3 * column + 2] = table[2 * row, 2 * column]
    kinds = [type(view).__name__ for view in views([lined], [lined], [lined])]
    assert "Tabled" in kinds


def test_two_guesses_differ_and_the_first_is_the_cheaper():
    found, *_ = solved(*RULES["lines to the border"])
    answers = {fingerprint(guess.outputs[0]) for guess in found}
    assert len(answers) == len(found)
    assert [guess.cost for guess in found] == sorted(guess.cost for guess in found)


def test_noise_is_not_explained_and_the_clock_is_kept():
    inputs = [picture(seed, (20, 20)) for seed in range(4)]
    outputs = [picture(seed + 90, (20, 20)) for seed in range(4)]
    start = time.monotonic()
    found = guesses(inputs, outputs, [picture(33, (20, 20))], 4.0)
    assert time.monotonic() - start < 9.0
    assert not found or found[0].cost > 60


def test_the_engine_gives_programs_that_the_interpreter_finds_right():
    inputs = tuple((g.to_tuple(boxes(seed)),) for seed in range(3))
    outputs = tuple(g.to_tuple(boxes(seed)[::-1]) for seed in range(3))
    examples = Examples(("picture",), (Grid,), Grid, inputs, outputs, (inputs[0],))
    engine = GridSearch()
    assert engine.can_run(examples, None)
    found = list(engine.run(examples, Grammar((), {"picture": Grid}, Grid), Budget(4.0)))
    assert found and found[0].complete
    assert [each.cost for each in found] == sorted((each.cost for each in found), reverse=True)
    assert found[0].program.names == ("picture",)


def test_the_engine_gives_what_misses_least_when_nothing_fits():
    grids_in = [picture(seed, (6, 6)) for seed in range(3)]
    outputs = [grids_in[0][::-1], grids_in[1][::-1], picture(77, (6, 6))]
    examples = Examples(
        ("grid",), (Grid,), Grid, tuple((g.to_tuple(x),) for x in grids_in), tuple(map(g.to_tuple, outputs))
    )
    found = list(GridSearch().run(examples, Grammar((), {"grid": Grid}, Grid), Budget(0.3)))
    assert found and max(sum(each.satisfied) for each in found) >= 2


def test_a_bank_stops_at_its_memory():
    bank = Bank(1, memory=1)
    start = State(Grid, [np.array([[1, 2]], dtype=np.int16)], 1.0)
    assert bank.add(start) is start
    assert bank.apply(g.mirror, (start,), 2.0) is None


def test_a_bank_keeps_the_first_of_equal_columns():
    bank = Bank(1)
    start = State(Grid, [np.array([[1, 2]], dtype=np.int16)], 1.0)
    assert bank.add(start) is start
    turned = bank.apply(g.mirror, (start,), 2.0)
    assert turned is not None and bank.apply(g.half_turn, (start,), 2.0) is None
    assert bank.known([np.array([[2, 1]], dtype=np.int16)]) is turned
    assert bank.apply(g.trim, (start,), 2.0) is None


def test_the_bench_reads_files_it_has_never_seen(tmp_path):
    pair = {"input": [[1, 0], [2, 2]], "output": [[0, 1], [2, 2]]}
    other = {"input": [[3, 0], [0, 0]], "output": [[0, 3], [0, 0]]}
    (tmp_path / "new.json").write_text(
        json.dumps({"train": [pair, other], "test": [{"input": [[5, 6]], "output": [[6, 5]]}]})
    )
    figures = bench.run(data=str(tmp_path), seconds=2.0, seeds=1, only=(), kept=Kept(None))
    assert [row["right"] for row in figures["rows"]] == [True]
    empty = tmp_path / "nothing"
    empty.mkdir()
    with pytest.raises(DataError):
        bench.read_puzzles(empty)
