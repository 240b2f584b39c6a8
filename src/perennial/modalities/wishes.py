"""What the user says about a column, on the command line or in `kinds`."""

from __future__ import annotations

from dataclasses import dataclass

from perennial.errors import UsageError
from perennial.modalities.calendars import PATTERNS
from perennial.modalities.columns import KINDS

CHOOSABLE = KINDS[:7]


@dataclass(frozen=True)
class Wish:
    """What the user says about a column: `category`, `number:,` (the decimal mark) or
    `date:month-day-year`."""

    kind: str = ""
    detail: str = ""

    @property
    def as_written(self) -> bool:
        """Whether the wish is about how cells are written, which a column that comes typed has lost."""
        return self.kind == "text" or bool(self.detail)

    @staticmethod
    def of(name: str, text: str | None) -> Wish:
        """Raises UsageError for what cannot be wished for."""
        if text is None:
            return Wish()
        kind, _, detail = text.partition(":")
        allowed = {"number": (".", ","), "date": tuple(PATTERNS)}.get(kind, ())
        if kind not in (*CHOOSABLE, "ignored"):
            raise UsageError(
                f"A column is one of {', '.join(CHOOSABLE)}; received {kind!r}.",
                where=f"--type {name}={text}",
                todo=f"Write for instance --type {name}=category; to predict it use --target {name}.",
            )
        if detail and detail not in allowed:
            raise UsageError(
                f"{kind!r} can be followed by {' or '.join(map(repr, allowed)) or 'nothing'}; received "
                f"{detail!r}.",
                where=f"--type {name}={text}",
                todo=f"Write --type {name}={kind}.",
            )
        return Wish(kind, detail)
