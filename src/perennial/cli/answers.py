"""Answers go to stdout as text or as one JSON object, talk goes to stderr."""

from __future__ import annotations

import json as jsonlib
import os
import sys
from pathlib import Path
from typing import Any

from perennial.cli.app import EXIT_FAILED, EXIT_GOOD, EXIT_INTERRUPTED, EXIT_NOT_BEATEN


def answer(figures: Any, json: bool, text: str) -> int:
    """Prints figures as one line of JSON, in which a number that is not finite is null, or else the text."""
    print(_one_line(figures) if json else text)
    return EXIT_GOOD


def answer_grown(model: Any, folder: Path, json: bool) -> int:
    result = dict(model.result)
    beaten, interrupted = result.pop("beaten"), result.pop("interrupted")
    if interrupted:
        say("Interrupted: the best so far is saved. The same command goes on.")
    elif not beaten:
        say(
            "Nothing beat the baseline; the baseline is saved and can be used. More time or more rows may help."
        )
    answer(result, json, model.report)
    return EXIT_INTERRUPTED if interrupted else EXIT_GOOD if beaten else EXIT_NOT_BEATEN


def say(text: str) -> None:
    print(text, file=sys.stderr)


def complain(text: str, code: int) -> int:
    print(f"perennial: {text}", file=sys.stderr)
    return code


def confess(error: Exception) -> int:
    """A mistake of ours: one sentence and the place; the whole traceback with PERENNIAL_DEBUG=1."""
    import traceback

    if os.environ.get("PERENNIAL_DEBUG"):
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = f"A bug in perennial: {type(error).__name__}: {error}\n  where: {Path(last.filename).name}, line {last.lineno}"
    return complain(
        f"{text}\n  to do: Please report it; PERENNIAL_DEBUG=1 shows the whole story.", EXIT_FAILED
    )


def _one_line(figures: Any) -> str:
    plain = jsonlib.loads(jsonlib.dumps(figures, default=_jsonable), parse_constant=lambda name: None)
    return jsonlib.dumps(plain, ensure_ascii=False, allow_nan=False)


def _jsonable(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
