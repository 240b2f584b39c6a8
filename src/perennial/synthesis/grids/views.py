"""A puzzle of grids, and other ways to look at it that may be easier; answers find their way back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perennial.errors import NoAnswer
from perennial.lang import Grid, Program, Var, call
from perennial.primitives import grids as g
from perennial.synthesis.grids.bank import Bank, State


class Puzzle:
    """Pairs of grids and grids without an answer, with all that is known about them so far."""

    def __init__(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], asked: Sequence[np.ndarray]
    ):
        self.inputs, self.outputs, self.asked = list(inputs), list(outputs), list(asked)
        self.labelled = len(self.outputs)
        self.bank = Bank(self.labelled)
        self.start = State(Grid, [*self.inputs, *self.asked], 1.0)
        self.bank.add(self.start)
        self.output_shapes = tuple(grid.shape for grid in self.outputs)
        self.target_colours = sorted({c for grid in outputs for c in np.unique(grid).tolist()})

        self.input_colours = sorted({c for grid in inputs for c in np.unique(grid).tolist()} - {0})

    def fits(self, state: State) -> bool:
        """Whether the state has the shapes of the outputs."""
        return state.kind == Grid and state.shapes[: self.labelled] == self.output_shapes

    def right(self, state: State) -> bool:
        """Whether the state is every output."""
        return self.fits(state) and all(map(np.array_equal, state.values, self.outputs))


class View:
    """A puzzle and the way back from its answers to those of the task; this one is the puzzle itself."""

    cost = 0.0

    def __init__(self, inputs: Sequence, outputs: Sequence, asked: Sequence) -> None:
        self.asked = asked
        self.puzzle = Puzzle(inputs, outputs, asked)

    def back(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Answers of the task."""
        return values

    def program(self, state: State) -> Program:
        """The program on the task's own grid."""
        return state.program(Var("grid"))


class Emptied(View):
    """The background of each input exchanged with the empty colour."""

    cost = 4.0

    def __init__(self, inputs: Sequence, outputs: Sequence, asked: Sequence) -> None:
        outputs = [_exchanged(grid, given) for grid, given in zip(outputs, inputs, strict=True)]
        super().__init__(
            [_exchanged(grid, grid) for grid in inputs], outputs, [_exchanged(a, a) for a in asked]
        )
        self.asked = asked

    def back(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Backgrounds exchanged back."""
        return [_exchanged(value, given) for value, given in zip(values, self.asked, strict=True)]

    def program(self, state: State) -> Program:
        """Exchange, what was found, exchange."""
        grid = Var("grid")
        colour = call(g.background, grid)
        return call(g.swapped, state.program(call(g.swapped, grid, 0, colour)), 0, colour)


class Tabled(View):
    """Each part between lines as one cell."""

    cost = 4.0

    def __init__(self, inputs: Sequence, outputs: Sequence, asked: Sequence) -> None:
        small = [[g.table_of_lines.kernel(grid) for grid in grids] for grids in (inputs, outputs, asked)]
        super().__init__(*small)
        self.asked = asked
        if not all(map(np.array_equal, map(g.table_filled.kernel, inputs, small[1]), outputs)):
            raise NoAnswer("The outputs are no filled tables.")

    def back(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Tables filled."""
        return [g.table_filled.kernel(given, value) for value, given in zip(values, self.asked, strict=True)]

    def program(self, state: State) -> Program:
        """The table, what was found, the table filled."""
        grid = Var("grid")
        return call(g.table_filled, grid, state.program(call(g.table_of_lines, grid)))


def _exchanged(grid: np.ndarray, given: np.ndarray) -> np.ndarray:
    return g.swapped.kernel(grid, 0, g.background.kernel(given))


def views(inputs: Sequence, outputs: Sequence, asked: Sequence) -> list[View]:
    """How to look at the puzzle: as a table, as it is, and with backgrounds emptied when they are not."""
    other = any(g.background.kernel(grid) != 0 for grid in inputs)
    found = []
    for kind in [Tabled, View] + [Emptied] * other:
        try:
            found.append(kind(inputs, outputs, asked))
        except NoAnswer:
            continue
    return found
