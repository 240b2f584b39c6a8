"""Where studies are kept: a folder (`SQLite`) or memory (`Memory`)."""

from perennial.storages.base import Event, Storage
from perennial.storages.memory import Memory
from perennial.storages.sqlite import SQLite, holder

__all__ = ["Event", "Memory", "SQLite", "Storage", "holder"]
