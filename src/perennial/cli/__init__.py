"""The command line: the verbs of perennial, one function each.

Data go to stdout, talk goes to stderr. Exit codes: 0 good, 1 failed, 2 usage, 3 bad data, 4 nothing beat the baseline,
130 interrupted with the best so far saved. Heavy libraries are imported inside the verbs, so `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import cyclopts

from perennial.cli import checking, growing, library, looking, using
from perennial.cli.answers import complain, confess
from perennial.cli.app import EXIT_GOOD, EXIT_INTERRUPTED, EXIT_USAGE, app
from perennial.errors import PerennialError

__all__ = ["app", "checking", "growing", "library", "looking", "main", "run", "using"]

app.command(library.app)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the `perennial` command; turns every error into a message and an exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; nothing but a bug leaves a traceback."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else EXIT_GOOD
    except cyclopts.CycloptsError as error:
        return complain(
            f"{error}\n  to do: perennial {verb_of(arguments)} --help shows what is allowed.", EXIT_USAGE
        )
    except PerennialError as error:
        return complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return complain("Interrupted. What was scored is saved; the same command goes on.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_GOOD
    except Exception as error:
        return confess(error)


def verb_of(arguments: Sequence[str]) -> str:
    return arguments[0] if arguments and not arguments[0].startswith("-") else ""
