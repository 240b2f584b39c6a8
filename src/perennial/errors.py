"""Every error that perennial raises on purpose, drawn as a tree.

PerennialError                 exit code 1
├── UsageError                 2   a wrong option, name or value
├── DataError                  3   the data cannot be used as they are
│   ├── UnsafeData                 the file may run code, or is not a regular file
│   └── UnreadableData             the bytes do not parse
├── ProgramError               1   a program is wrong
│   ├── TypeMismatch               two types do not unify
│   ├── SyntaxRefused              source text outside the small language
│   ├── UnknownWord                a name that the vocabulary lacks
│   ├── NoAnswer                   a word has no value for these arguments
│   ├── FuelExhausted              more steps than allowed
│   └── TooLarge                   a value or a program over its bound
├── SpaceError                 1   a space, genotype or choice is inconsistent
├── SealBroken                 1   the test set was asked for a second time
├── Diverged                   1   training produced NaN or infinity
├── Rejected                   1   a candidate costs more than is allowed, known before it is built
├── StoreError                 1
│   ├── StudyLocked                another process is growing this study
│   ├── StudyChanged               the data or the configuration differ from the stored ones
│   └── DamagedFile                a stored file does not match its hash
└── WorkerError                1   a candidate failed in its process; `.status` says how

Every message answers four questions: what happened, where, why it matters, what to do next.
"""

from __future__ import annotations


class PerennialError(Exception):
    """Base of all deliberate errors.

    Args:
        what: one sentence: what was expected and what was received.
        where: file, line, column, row numbers or the place in a program (at most five examples).
        why: why it matters for the result.
        todo: what to do next, as an exact command or call where there is one.

    >>> print(PerennialError("The file has no rows.", where="empty.csv", todo="Check the export."))
    The file has no rows.
      where: empty.csv
      to do: Check the export.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", todo: str = "") -> None:
        self.what, self.where, self.why, self.todo = what, where, why, todo
        lines = [what]
        lines += [
            f"  {label}: {text}" for label, text in (("where", where), ("why", why), ("to do", todo)) if text
        ]
        super().__init__("\n".join(lines))

    def __reduce__(self):
        return _rebuild, (type(self), self.what, self.where, self.why, self.todo)


def _rebuild(kind, what, where, why, todo):
    return kind(what, where=where, why=why, todo=todo)


class UsageError(PerennialError):
    """A wrong option, name or value was given."""

    exit_code = 2


class DataError(PerennialError):
    """The data cannot be used as they are."""

    exit_code = 3


class UnsafeData(DataError):
    """The input may run code when read, or is not a regular file."""


class UnreadableData(DataError):
    """The bytes do not parse as the format they claim."""


class ProgramError(PerennialError):
    """A program is not well formed."""


class TypeMismatch(ProgramError):
    """Two types do not unify."""


class SyntaxRefused(ProgramError):
    """Source text uses something outside the small language of programs."""


class UnknownWord(ProgramError):
    """A program names a word that the vocabulary does not hold."""


class NoAnswer(ProgramError):
    """A word has no value for these arguments, as the first item of an empty list.

    It is the only error that a word may raise on values of its types; a search reads it as "not here".
    """


class FuelExhausted(ProgramError):
    """A program took more steps than it was allowed."""


class TooLarge(ProgramError):
    """A value or a program is larger than its bound."""


class SpaceError(PerennialError):
    """A space, a genotype or a choice is inconsistent."""


class SealBroken(PerennialError):
    """The sealed test set was asked for a second time."""


class Diverged(PerennialError):
    """Training produced NaN or infinity."""


class Rejected(PerennialError):
    """A candidate costs more than is allowed, known before anything of it was built."""


class StoreError(PerennialError):
    """A study or a library cannot be read or written."""


class StudyLocked(StoreError):
    """Another living process is growing this study."""


class StudyChanged(StoreError):
    """The data or the configuration differ from those the study was started with."""


class DamagedFile(StoreError):
    """A stored file does not match its recorded hash or bounds."""


class WorkerError(PerennialError):
    """A candidate failed in its worker process.

    `status` is one of `failed diverged rejected over_budget out_of_memory crashed`.
    """

    def __init__(
        self, what: str, *, where: str = "", why: str = "", todo: str = "", status: str = "failed"
    ) -> None:
        super().__init__(what, where=where, why=why, todo=todo)
        self.status = status

    def __reduce__(self):
        return _rebuild_worker, (self.what, self.where, self.why, self.todo, self.status)


def _rebuild_worker(what, where, why, todo, status):
    return WorkerError(what, where=where, why=why, todo=todo, status=status)
