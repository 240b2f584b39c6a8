"""One rival on one split in a process of its own: `python -m perennial.bench.rival_process JSON`.

A rival with a clock of its own may forget it, and a process can be killed. The last line that it prints is the seconds
that the rival took, without imports and reading, and its predictions are in the file named by `out`.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from perennial.bench.rivals import RIVALS, task_of


def main(told: dict) -> None:
    task = task_of(told["train"], told["test"], told["targets"], told["problem"])
    start = time.monotonic()
    prediction = RIVALS[told["name"]](task, told["metric"], told["seconds"], told["seed"])
    seconds = time.monotonic() - start
    np.save(told["out"], prediction, allow_pickle=False)
    print(f"\n{seconds:.3f}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
