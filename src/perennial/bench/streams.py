"""What the streams of images and of tables share: their lists are frozen, and what the data folder lacks is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from perennial.errors import UsageError


def frozen(name: str) -> dict[str, Any]:
    """The frozen lists of a suite."""
    return json.loads((files("perennial.bench") / f"{name}.json").read_text(encoding="utf-8"))


def with_others(
    names: Mapping[str, str], found: Mapping[str, Path], others: Callable[[], Sequence[Path]], what: str, data: Path
) -> dict[str, Path]:  # fmt: skip
    """A folder for each slot of a list; where the wanted one is not there another, in the order of `others`.

    Args:
        names: the wanted folder of each slot.
        found: those that are there.
        others: all folders that would do; looked for only when some are missing.
        what: such as "tables with one target".
        data: where they are looked for.

    Raises:
        UsageError: there are too few.
    """
    missing = [slot for slot in names if slot not in found]
    if not missing:
        return dict(found)
    spare = [path for path in others() if path not in found.values()]
    if len(spare) < len(missing):
        raise UsageError(
            f"The stream needs {len(names)} {what}, found {len(found) + len(spare)}.", where=str(data),
            todo=f"Bring {', '.join(names.values())}, or others instead.",
        )  # fmt: skip
    return {**found, **dict(zip(missing, spare, strict=False))}
