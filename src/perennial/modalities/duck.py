"""A private duckdb: in memory, one thread, no extensions fetched, no network, nothing spilled to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

SETTINGS = {
    "threads": "1",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
}


def connect() -> duckdb.DuckDBPyConnection:
    """A fresh connection; the caller closes it."""
    import duckdb

    connection = duckdb.connect(":memory:", config=SETTINGS)
    connection.execute("SET enable_progress_bar = false")
    return connection
