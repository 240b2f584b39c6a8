"""A grown model: a program, the weights of its replicas, and the codec between people's data and values."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from perennial.compiler import apart, check_states, compiled, mean_of, states_of, together
from perennial.errors import DamagedFile, ProgramError
from perennial.lang import Program, evaluate, parse, to_source
from perennial.modalities import codec_from_json
from perennial.modalities.examples import object_array, plain
from perennial.modalities.examples.reading import unique_names
from perennial.primitives import vocabulary
from perennial.weights import LARGEST_BYTES, Weights

MODEL_FILE, VERSION = "model.json", 1
LARGEST_JSON = 256 * 2**20
CHUNK_ROWS, CHUNK_NUMBERS = 50_000, 50_000_000


class Model:
    """A callable that predicts; its prediction is the mean over its replicas (bagged fold models).

    Args:
        program: from a row to a prediction.
        replicas: one set of weights for each fold it was trained on.
        codec: reads data into columns and turns predictions back into labels or numbers.
        information: what is worth knowing: study, metric, result, report.
        decision: how probabilities become labels; `None` takes the most probable class.
    """

    def __init__(
        self,
        program: Program,
        replicas: tuple[Weights, ...],
        codec: Any,
        information: dict[str, Any] | None = None,
        decision: dict[str, Any] | None = None,
    ) -> None:
        self.program, self.replicas, self.codec = program, tuple(replicas), codec
        self.information, self.decision = dict(information or {}), decision or {}

    @cached_property
    def _joined(self) -> Program:
        """The program with its layers joined to networks."""
        return compiled(self.program)

    @cached_property
    def _states(self) -> list[dict[str, Any]]:
        return states_of(self.program, self.replicas)

    @property
    def report(self) -> str:
        """How it was grown, in a few lines."""
        return self.information.get("report", "")

    @property
    def result(self) -> dict[str, Any]:
        """The figures, as `perennial grow --json` prints them."""
        return self.information.get("result", {})

    def with_information(self, **more: Any) -> Model:
        """The same model with more to say about it."""
        return Model(self.program, self.replicas, self.codec, {**self.information, **more}, self.decision)

    def __call__(self, *data: Any) -> Any:
        """A prediction for rows of data; of a program from examples, the output for one input."""
        if getattr(self.codec, "batched", True):
            return self.predict(*data)
        return plain(evaluate(self.program, *self.codec.arguments(data)))

    def predict_values(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """The prediction for canonical columns: probabilities `(n, k)`, values `(n,)` or `(n, m)`."""
        if not getattr(self.codec, "batched", True):
            return self._one_by_one(columns)
        rows = len(next(iter(columns.values()))) if columns else 0
        parts, chunk = [], _rows_at_once(columns)
        for start in range(0, max(1, rows), chunk):
            part = {name: column[start : start + chunk] for name, column in columns.items()}
            argument = self.codec.argument(part)
            parts.append(mean_of(self._joined, argument, self._states))
        return np.concatenate(parts)

    def _one_by_one(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Outputs of a program that takes one example; None where it has no answer."""
        said = []
        for row in self.codec.rows(columns):
            try:
                said.append(evaluate(self.program, *row))
            except ProgramError:
                said.append(None)
        return object_array(said)

    def predict(self, data: Any) -> np.ndarray:
        """Labels or numbers for rows of data: a path, a data frame, arrays, or a dictionary of columns."""
        return self.codec.decode(self.predict_values(self.codec.encode(data)), self.decision)

    def predict_proba(self, data: Any) -> np.ndarray:
        """Probabilities `(n, k)` in the order of `codec.classes`; for several labels `(n, m)`.

        Raises:
            ProgramError: the model predicts numbers.
        """
        if self.codec.problem not in ("binary", "multiclass", "multilabel"):
            raise ProgramError("This model predicts numbers, not classes.", todo="Use predict.")
        return self.predict_values(self.codec.encode(data))

    def prediction_table(
        self, data: Any, impute_missing: bool = False
    ) -> tuple[list[str], list[np.ndarray], list[str]]:
        """Names and columns of a prediction file, and notes on what was odd in the data.

        The target's name holds the prediction; `probability:<class>` columns follow for classes, `low` and
        `high` (a 90 % interval from the errors on held-out rows) for a number. File names of images come first, as
        the column `file`. Names that a target has already get a number, as in `low_2`.
        """
        columns, notes = self.codec.encode_with_notes(data, impute_missing=impute_missing)
        values = self.predict_values(columns)
        decoded = self.codec.decode(values, self.decision)
        targets = list(self.codec.targets)
        names = targets if len(targets) > 1 else targets[:1]
        result = list(decoded.T) if decoded.ndim == 2 else [decoded]
        if self.codec.problem in ("binary", "multiclass"):
            names = [*names, *(f"probability:{label}" for label in self.codec.classes)]
            result += list(values.T)
        elif self.codec.problem == "multilabel":
            labels = self.codec.classes if len(result) != len(targets) or len(targets) == 1 else targets
            names = [*names, *(f"probability:{label}" for label in labels)]
            result += list(values.T)
        elif self.codec.problem == "regression" and "interval" in self.information:
            low, high = self.information["interval"]
            names = [*names, "low", "high"]
            result += [values + low, values + high]
        told_apart = self.codec.row_names(data)
        if told_apart is None:
            return list(unique_names(names)), result, notes
        *names, first = unique_names([*names, told_apart[0]])
        return [first, *names], [told_apart[1], *result], notes

    def check(self) -> None:
        """Whether its weights can belong to its program; nothing is built.

        Raises:
            DamagedFile: they cannot.
        """
        if not self.replicas:
            raise DamagedFile("The model has no weights.")
        for replica in self.replicas:
            check_states(self.program, replica)

    def save(self, folder: str | Path) -> None:
        """Writes a folder of JSON and safetensors, whole or not at all; an older one is replaced."""
        folder = Path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        files = {}
        for number, replica in enumerate(apart(self.program, self.replicas)):
            name = f"replica-{number:02d}.safetensors"
            data = replica.to_bytes()
            (fresh / name).write_bytes(data)
            files[name] = hashlib.sha256(data).hexdigest()
        told = {
            "perennial": VERSION, "program": to_source(self.program), "codec": self.codec.to_json(),
            "decision": self.decision, "information": self.information, "replicas": files,
        }  # fmt: skip
        (fresh / MODEL_FILE).write_text(
            json.dumps(told, ensure_ascii=False, indent=1, default=_plain), encoding="utf-8"
        )
        os.chmod(fresh, 0o755)
        _exchange(fresh, folder)

    @staticmethod
    def load(folder: str | Path) -> Model:
        """Reads what `save` wrote. Nothing in the files can run code: the program is parsed word by word.

        Raises:
            DamagedFile: a file is missing, does not match its hash, or is of another version.
        """
        folder = Path(folder)
        try:
            path = folder / MODEL_FILE
            if path.stat().st_size > LARGEST_JSON:
                raise DamagedFile("The description of the model is too large.", where=str(path))
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["perennial"] != VERSION:
                raise DamagedFile(
                    f"The model is of version {told['perennial']}, known here is {VERSION}.",
                    where=str(path),
                    todo="Upgrade perennial.",
                )
            replicas = tuple(_replica(folder, name, digest) for name, digest in told["replicas"].items())
            program = parse(told["program"], vocabulary())
            codec = codec_from_json(told["codec"])
            model = Model(program, together(program, replicas), codec, told["information"], told["decision"])
            model.check()
            return model
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ProgramError) as error:
            raise DamagedFile(
                f"This is no model that can be read: {error}.",
                where=str(folder),
                todo="Restore the folder from a copy.",
            ) from error


def _rows_at_once(columns: dict[str, np.ndarray]) -> int:
    """How many rows are predicted together: fewer when each is large, such as an image."""
    numbers = sum(math.prod(column.shape[1:]) for column in columns.values())
    return max(1, min(CHUNK_ROWS, CHUNK_NUMBERS // max(1, numbers)))


def _replica(folder: Path, name: str, digest: str) -> Weights:
    if Path(name).name != name or (folder / name).is_symlink():
        raise DamagedFile("A file of the model lies outside its folder.", where=name)
    if (folder / name).stat().st_size > LARGEST_BYTES:
        raise DamagedFile("A file of the model is too large.", where=str(folder / name))
    data = (folder / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise DamagedFile(
            "A file of the model does not match its hash.",
            where=str(folder / name),
            todo="Restore it from a copy.",
        )
    return Weights.from_bytes(data)


def _exchange(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def _plain(value: Any) -> Any:
    return (
        value.item() if hasattr(value, "item") else value.tolist() if hasattr(value, "tolist") else str(value)
    )
