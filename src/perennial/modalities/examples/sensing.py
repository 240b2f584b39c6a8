"""What is found out about examples before a program is looked for: contradictions, and how few they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from perennial.errors import DataError
from perennial.modalities.base import Finding, Sensed, counted
from perennial.modalities.examples.codec import ExamplesCodec
from perennial.modalities.examples.reading import (
    ExampleSet,
)
from perennial.modalities.examples.values import (
    object_array,
    plain,
    shown,
)

FEW_EXAMPLES = 2


def sense_examples(examples: ExampleSet, name: str | None = None, tolerance: float = 0.0) -> Sensed:
    """What a task is built from.

    Args:
        examples: typed pairs.
        name: short.
        tolerance: share of the examples that may be wrong; without it a contradiction is an error.

    Raises:
        DataError: two examples contradict each other; it shows both.
    """
    findings = [*_contradictions(examples, tolerance), *_too_few(examples)]
    codec = ExamplesCodec(examples.names, examples.types, examples.output_type, examples.table)
    path = examples.origin.get("path")
    parts = (examples.inputs, examples.outputs, examples.unlabelled, examples.known)
    told = json.dumps(list(map(plain, parts)), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()
    hashes = np.frombuffer(digest, dtype=np.uint64)
    return Sensed(
        "examples",
        name or (Path(path).stem if path else "examples"),
        codec,
        codec.as_columns(examples.inputs),
        object_array(examples.outputs),
        hashes,
        tuple(findings),
        origin={**examples.origin, "tolerance": tolerance},
        unlabelled=codec.as_columns(examples.unlabelled),
        held_back=object_array(examples.known),
    )


def _contradictions(examples: ExampleSet, tolerance: float) -> list[Finding]:
    seen: dict[str, int] = {}
    found = []
    for number, row in enumerate(examples.inputs):
        before = seen.setdefault(repr(row), number)
        if examples.outputs[before] != examples.outputs[number]:
            found.append((before, number))
    if not found:
        return []
    one, other = found[0]
    where = (
        f"examples {one + 1} and {other + 1}: {shown(examples.inputs[one])} gives "
        f"{shown(examples.outputs[one])} and {shown(examples.outputs[other])}"
    )
    if len(found) > tolerance * len(examples.outputs):
        raise DataError(
            "Two examples have the same input and different outputs.",
            where=where,
            why="No program can give both.",
            todo="Correct one of them, or allow errors with --tolerance 0.1.",
        )
    return [
        Finding("contradictions", "warning", f"{counted(len(found), 'example')} contradict others.", where)
    ]


def _too_few(examples: ExampleSet) -> list[Finding]:
    different = len(set(map(repr, examples.inputs)))
    if different > FEW_EXAMPLES:
        return []
    return [
        Finding(
            "few_examples",
            "warning",
            f"There {'is one example' if different == 1 else 'are two examples'}: many programs may fit.",
            why="The simplest program is chosen, which may not be the one you mean.",
            action="Programs that differ on new inputs are shown.",
            flag="--ask asks for the most telling example",
        )
    ]
