"""How much memory there is, how much a process holds, and how much it held at most."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

SHARE_OF_AVAILABLE = 0.8
LEAST = 2**30
CONTROL_GROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def fair_share(workers: int) -> int:
    """Bytes that each of so many workers may use: of four fifths of what is available, at least 1 GiB."""
    import psutil

    free = min(psutil.virtual_memory().available, _free_in_control_group())
    return max(LEAST, int(free * SHARE_OF_AVAILABLE / max(1, workers)))


def _free_in_control_group(root: Path = Path("/sys/fs/cgroup")) -> float:
    """What a container or a batch system leaves us; infinite without a limit."""
    for limit, usage in CONTROL_GROUPS:
        with contextlib.suppress(OSError, ValueError):  # no such group, or the word "max"
            return max(0, int((root / limit).read_text()) - int((root / usage).read_text()))
    return float("inf")


def resident(pid: int) -> int:
    """Bytes of resident memory of a process now; 0 when it is gone."""
    if sys.platform.startswith("linux"):
        try:
            return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def restart_peak() -> None:
    """Forgets the highest point of this process so far, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes of resident memory of this process at its highest point since `restart_peak`."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
