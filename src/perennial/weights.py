"""What the fitted words of a program remember: one `State` a word, keyed by the hash of its sub-program.

On disk and in blobs it is one safetensors file: arrays as they are, texts as UTF-8 bytes. Reading runs
nothing, and refuses what is not of this form or too large.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from perennial.errors import DamagedFile
from perennial.lang.ops import State

LARGEST_BYTES, LARGEST_HEADER = 8 * 2**30, 100 * 2**20
ARRAY, TEXT = "a", "t"


class Weights(Mapping[str, State]):
    """An immutable mapping from the hash of a fitted word's node to its state.

    >>> weights = Weights({"ab": State({"mean": np.zeros(2)}, {"kind": "x"})})
    >>> Weights.from_bytes(weights.to_bytes())["ab"].texts["kind"]
    'x'
    """

    def __init__(self, states: Mapping[str, State] | None = None) -> None:
        self._states = dict(states or {})

    def __getitem__(self, key: str) -> State:
        return self._states[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def to_bytes(self) -> bytes:
        """All states as one safetensors file; equal weights give equal bytes."""
        from safetensors.numpy import save

        tensors: dict[str, np.ndarray] = {}
        keys = sorted(self._states)
        for number, key in enumerate(keys):
            for name, array in sorted(self._states[key].arrays.items()):
                tensors[f"{ARRAY}/{number}/{name}"] = np.ascontiguousarray(array)
            for name, text in sorted(self._states[key].texts.items()):
                tensors[f"{TEXT}/{number}/{name}"] = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
        return save(tensors, metadata={"keys": json.dumps(keys)})

    @staticmethod
    def from_bytes(data: bytes) -> Weights:
        """The inverse of `to_bytes`.

        Raises:
            DamagedFile: the bytes are no weights of perennial.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        if len(data) > LARGEST_BYTES:
            raise DamagedFile(f"The weights are larger than {LARGEST_BYTES} bytes.")
        try:
            keys = _keys(data)
            parts: list[tuple[dict, dict]] = [({}, {}) for _ in keys]
            for name, array in load(data).items():
                kind, number, label = name.split("/", 2)
                if kind not in (ARRAY, TEXT) or not number.isdecimal():
                    raise ValueError(f"the name {name[:60]!r} is not one of ours")
                arrays, texts = parts[int(number)]
                if kind == TEXT:
                    texts[label] = array.tobytes().decode("utf-8")
                else:
                    arrays[label] = array
        except (SafetensorError, KeyError, ValueError, TypeError, IndexError, RecursionError) as error:
            raise DamagedFile(
                f"These bytes are no weights: {error}.", todo="Restore the file from a copy."
            ) from error
        return Weights({key: State(arrays, texts) for key, (arrays, texts) in zip(keys, parts, strict=True)})

    def save(self, path: Path) -> None:
        """Writes one file, whole or not at all."""
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(self.to_bytes())
        os.replace(temporary, path)

    @staticmethod
    def load(path: Path) -> Weights:
        """Reads what `save` wrote.

        Raises:
            DamagedFile: the file is missing, too large or no weights.
        """
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise DamagedFile(f"The weights are larger than {LARGEST_BYTES} bytes.", where=str(path))
            return Weights.from_bytes(path.read_bytes())
        except OSError as error:
            raise DamagedFile(f"The weights cannot be read: {error}.", where=str(path)) from error


def _keys(data: bytes) -> list[str]:
    """The hashes that the states belong to, from the header of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, LARGEST_HEADER):
        raise ValueError("the header is longer than the file")
    keys = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["keys"])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("the header names no states")
    if len(set(keys)) != len(keys):
        raise ValueError("a state is named twice")
    return keys
