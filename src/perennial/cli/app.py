"""The application that the verbs join, their exit codes and the kinds of their options."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import App, Parameter

EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_BAD_DATA, EXIT_NOT_BEATEN, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130

app = App(
    name="perennial",
    help="Grows a model from your data by the universal workflow of machine learning.",
    version_flags=["--version"],
    config=[
        cyclopts.config.Toml("perennial.toml", must_exist=False, search_parents=False),
        cyclopts.config.Env("PERENNIAL_"),
    ],
)

Many = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=False)]
Flag = Annotated[bool, Parameter(negative=())]
