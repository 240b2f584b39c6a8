"""Worker processes on this machine.

`supervisor.py` is the executor; `worker.py` runs at the other end; `handle.py` is what the supervisor knows
of one worker; `channel.py` and `payload.py` carry objects; `memory.py` measures.
"""

from perennial.executors.processes.supervisor import Processes

__all__ = ["Processes"]
