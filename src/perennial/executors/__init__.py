"""Where candidates run: worker processes (`Processes`) or this process (`Inline`)."""

from perennial.executors.base import Executor, Future, Job
from perennial.executors.inline import Inline
from perennial.executors.processes import Processes

__all__ = ["Executor", "Future", "Inline", "Job", "Processes"]
