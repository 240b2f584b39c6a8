"""A task: data, what to predict from them, and everything that was found out before learning. Never
changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perennial.lang.types import Type
from perennial.modalities.base import Codec, Finding, Sensed
from perennial.modalities.checks import content_hashes
from perennial.modalities.examples import (
    examples_from,
    is_examples,
    read_examples,
    sense_examples,
    table_examples,
)
from perennial.modalities.images import ImageWishes, is_images, sense_images, unpacked_table
from perennial.modalities.tabular import sense_table

__all__ = ["Task", "content_hashes"]


@dataclass(frozen=True, eq=False)
class Task:
    """Examples with a target, as canonical columns.

    Args:
        name: short.
        modality: `table`, `image` or `examples`.
        problem: `binary multiclass multilabel regression multiregression program`.
        schema: the codec between people's data and the columns here.
        inputs: field name → column `(n,)`; of images `{"image": (n, height, width, channels)}` as uint8.
        target: `(n,)` or `(n, m)`.
        findings: what people should know about the data.
        groups: rows with one code stay on one side of every split; None when there are none.
        times: seconds since 1970 of each row when they order the rows; else None.
        fingerprint: sha256 of the content.
        origin: where the data came from.
        test: data to test on that the user gave.
        sample_weight: how much each row counts, `(n,)`; None when all count alike.
        unlabelled: of examples, columns of inputs without an output; None when there are none.
        held_back: of examples, outputs of the unlabelled inputs where people gave them.
    """

    name: str
    modality: str
    problem: str
    schema: Codec
    inputs: dict[str, np.ndarray]
    target: np.ndarray
    findings: tuple[Finding, ...] = ()
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    fingerprint: str = ""
    origin: dict[str, Any] = field(default_factory=dict)
    test: Task | None = None
    sample_weight: np.ndarray | None = None
    unlabelled: dict[str, np.ndarray] | None = None
    held_back: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.target)

    @property
    def cells(self) -> int:
        """How much there is to learn from: numbers, codes, pixels and characters of text."""
        return sum(
            sum(map(len, column)) if column.dtype == object else column.size
            for column in self.inputs.values()
        )

    @property
    def argument(self) -> Any:
        """What a program over this task receives: the columns by name, or the images."""
        return self.schema.argument(self.inputs)

    @property
    def input_type(self) -> Type:
        """The type of one row."""
        return self.schema.input_type

    @property
    def output_type(self) -> Type:
        """The type of a prediction."""
        return self.schema.output_type

    @property
    def target_type(self) -> Type:
        """The type of a true value."""
        return self.schema.target_type

    @staticmethod
    def from_data(
        data: Any,
        target: str | Sequence[str] | None = None,
        *,
        test: Any = None,
        name: str | None = None,
        kinds: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        group: str | None = None,
        time: str | None = None,
        problem: str | None = None,
        drop_unlabelled: bool = False,
        drop_leaky: bool = False,
        allow_overlap: bool = False,
        encoding: str | None = None,
        delimiter: str | None = None,
        skip_bad_lines: bool = False,
        sample_weight: Any = None,
        image_size: int | tuple[int, int] | None = None,
        image_fit: str | None = None,
        skip_bad_images: bool = False,
        memory: int | None = None,
    ) -> Task:
        """A task from a table or from images; which of them is seen from the data.

        Args:
            data: of a table a path, a data frame, a dictionary of columns, an array with the target as its last
                column, or a pair `(x, y)`; of images a folder or zip of class folders, a folder of IDX files,
                an `.npz` file, or a pair `(x, y)` whose `x` has three or four dimensions.
            target: the column or columns to predict; `None` guesses and says so.
            test: data of the same form to test on at the end.
            name: short; the file's name by default.
            kinds: column → what it is, where sensing is wrong.
            drop: columns to leave out.
            group: column whose values must not be on both sides of a split.
            time: column that orders the rows.
            problem: when the guess is wrong.
            drop_unlabelled: leave out rows without target instead of refusing.
            drop_leaky: leave out columns that give the target away.
            allow_overlap: accept test rows that are training rows as well.
            encoding, delimiter, skip_bad_lines: of a text file.
            sample_weight: how much each row counts, `(n,)`, or the name of a column that says so.
            image_size: pixels of the longer side, or `(height, width)`; `None` chooses with a reason.
            image_fit: `pad`, `crop` or `stretch` images of another shape.
            skip_bad_images: leave out images that cannot be read, however many they are.
            memory: bytes that one process may use; images take at most a quarter of it.

        Raises:
            DataError: what cannot be learnt from, with the place and the remedy.
        """
        reading = {"encoding": encoding, "delimiter": delimiter, "skip_bad_lines": skip_bad_lines}
        if is_examples(data) and target is None:
            return Task.from_examples(data, name=name)
        data, test = unpacked_table(data, test)
        shared = {
            "test": test,
            "name": name,
            "kinds": kinds,
            "drop": (drop,) if isinstance(drop, str) else tuple(drop),
            "group": group,
            "time": time,
            "problem": problem,
            "drop_unlabelled": drop_unlabelled,
            "allow_overlap": allow_overlap,
            "sample_weight": sample_weight,
            "reading": reading,
        }
        wishes = ImageWishes(image_size, image_fit, skip_bad_images, memory)
        if is_images(data):
            return Task.of(sense_images(data, target, wishes=wishes, **shared))
        wishes.refuse_for_tables()
        return Task.of(sense_table(data, target, drop_leaky=drop_leaky, **shared))

    @staticmethod
    def from_examples(
        examples: Any,
        test: Iterable[Any] = (),
        *,
        names: Sequence[str] | None = None,
        name: str | None = None,
        tolerance: float = 0.0,
    ) -> Task:
        """A task to find a program that gives these outputs for these inputs.

        Args:
            examples: pairs `(input, output)`, mappings with `input` (or `inputs`) and `output`, or the path of a
                JSON file of such. An input that is a tuple holds several arguments; a list is one value.
            test: inputs to predict, with or without outputs; they help to choose among programs that fit.
            names: of the arguments.
            name: short.
            tolerance: share of the examples that may be wrong, 0 to 1.

        Raises:
            DataError: types differ between examples, or two examples contradict each other; it shows them.

        >>> task = Task.from_examples([([3, 1, 2], [1, 2, 3]), ([9, 7], [7, 9])])
        >>> task.rows, task.input_type, task.output_type
        (2, List[Int], List[Int])
        """
        if isinstance(examples, str | os.PathLike):
            found = read_examples(examples)
        else:
            found = examples_from(examples, test, names=names)
        return Task.of(sense_examples(found, name, tolerance))

    @staticmethod
    def fill(
        data: Any,
        target: str,
        sources: Sequence[str] = (),
        *,
        numbers: bool = False,
        name: str | None = None,
        tolerance: float = 0.0,
        **reading: Any,
    ) -> Task:
        """A task to fill the empty cells of a column by the example of the others.

        Args:
            data: path of a table.
            target: column to fill.
            sources: columns to fill it from; all others by default.
            numbers: read cells as numbers, for a formula; else as the text that was written.
            name: short.
            tolerance: share of the filled cells that may be wrong.
            reading: `encoding`, `delimiter`, `skip_bad_lines`.
        """
        found = table_examples(data, target, sources, numbers=numbers, **reading)
        return Task.of(sense_examples(found, name, tolerance))

    @staticmethod
    def of(sensed: Sensed) -> Task:
        """The task that a modality sensed."""
        held_out = None if sensed.test is None else Task.of(sensed.test)
        return Task(
            sensed.name,
            sensed.modality,
            sensed.schema.problem,
            sensed.schema,
            sensed.inputs,
            sensed.target,
            sensed.findings,
            sensed.groups,
            sensed.times,
            _fingerprint(sensed.hashes, sensed.target, held_out),
            sensed.origin,
            held_out,
            sensed.sample_weight,
            sensed.unlabelled,
            sensed.held_back,
        )

    def take(self, rows: np.ndarray) -> Task:
        """The task of some rows; it has no test data."""
        return replace(
            self,
            inputs={name: column[rows] for name, column in self.inputs.items()},
            target=self.target[rows],
            groups=None if self.groups is None else self.groups[rows],
            times=None if self.times is None else self.times[rows],
            sample_weight=None if self.sample_weight is None else self.sample_weight[rows],
            test=None,
        )

    def describe(self) -> dict[str, Any]:
        """What was sensed, as JSON for the journal and the report."""
        columns = [
            {
                name: value
                for name, value in column.to_json().items()
                if name in ("name", "kind", "reason", "missing", "unique", "examples")
            }
            for column in self.schema.columns
        ]
        return {
            "rows": self.rows,
            "modality": self.modality,
            "problem": self.problem,
            "columns": columns,
            "findings": [finding.to_json() for finding in self.findings],
            "input_type": str(self.input_type),
            "output_type": str(self.output_type),
            "classes": [str(name) for name in self.schema.classes],
            "decided": list(self.schema.decided),
            **({"images": self.origin["images"]} if "images" in self.origin else {}),
        }

    def hashes(self) -> np.ndarray:
        """A hash of each row, features and target together."""
        return content_hashes(self.inputs, self.target)


def _fingerprint(hashes: np.ndarray, goal: np.ndarray, test: Task | None) -> str:
    digest = hashlib.sha256(hashes.tobytes())
    digest.update(
        repr(goal.tolist()).encode() if goal.dtype == object else np.ascontiguousarray(goal).tobytes()
    )
    if test is not None:
        digest.update(test.hashes().tobytes())
    return digest.hexdigest()
