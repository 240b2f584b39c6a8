"""What perennial adds to training: the share of the search in which workers wait, and how late a study ends.

Each shipped example (or each CSV below `--data`) is grown once a seed with the command line; `between trials` is what
`perennial status` reports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perennial.bench import bar
from perennial.errors import UsageError

DEFAULT_SECONDS = 30.0
EXAMPLES = {"credit.csv": "credit_risk", "penguins.csv": "species", "abalone.csv": "rings"}


def run(*, data: str | None, seconds: float | None, seeds: int, only: Sequence[str]) -> dict[str, Any]:
    """Grows each table and reads its status."""
    seconds = seconds or DEFAULT_SECONDS
    folder = Path(data or "examples/data")
    tables = [path for path in sorted(folder.glob("*.csv")) if not only or path.stem in only]
    if not tables:
        raise UsageError(
            "No CSV files found.", where=str(folder), todo="Run in the project's folder, or give --data DIR."
        )
    rows = [_grow(path, seconds, seed) for path in tables for seed in range(seeds)]
    waits = [row["between_trials"] for row in rows if row["between_trials"] is not None]
    return {
        "bars": [
            bar(
                "largest share of the search in which workers wait",
                max(waits, default=None),
                0.03,
                "minimize",
            ),
            bar("latest end after the budget, seconds", max(row["late"] for row in rows), 5.0, "minimize"),
        ],
        "rows": rows,
    }


def _grow(path: Path, seconds: float, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "study"
        command = [sys.executable, "-m", "perennial"]
        target = ["--target", EXAMPLES[path.name]] if path.name in EXAMPLES else []
        start = time.monotonic()
        done = subprocess.run(
            [*command, "grow", str(path), *target, "--time", f"{seconds:g}s", "--seed", str(seed), "--out", str(out), "--json", "--no-library"],
            capture_output=True, text=True,
        )  # fmt: skip
        wall = time.monotonic() - start
        told = json.loads(
            subprocess.run([*command, "status", str(out), "--json"], capture_output=True, text=True).stdout
        )
    return {
        "table": path.stem, "seed": seed, "exit": done.returncode, "trials": told["trials"], "failed": told["failed"],
        "between_trials": told["between_trials"], "wall": round(wall, 2), "late": round(wall - seconds, 2),
    }  # fmt: skip
