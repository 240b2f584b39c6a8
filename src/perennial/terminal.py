"""What a person sees while a study grows: a live panel on a terminal, plain lines anywhere else.

Everything goes to stderr, so that stdout stays data. No meaning is in colour alone.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any, TextIO

PLAIN_LINE_SECONDS = 10.0


def listener(stream: TextIO | None = None, lively: bool = True):
    """The listener that fits the stream: a live panel on a terminal, lines otherwise, or where questions are asked."""
    stream = stream or sys.stderr
    return Live(stream) if lively and stream.isatty() and not _dumb() else Lines(stream)


class Lines:
    """One line per step, per new best and at least one every ten seconds; survives a closed stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._last, self._best = stream, time.monotonic(), None

    def on_event(self, event: Any) -> None:
        text = describe(event.kind, event.data)
        if text:
            self._say(text)

    def on_tick(self, snapshot: dict[str, Any]) -> None:
        news = snapshot["best"] != self._best
        if news or time.monotonic() - self._last > PLAIN_LINE_SECONDS:
            self._best, self._last = snapshot["best"], time.monotonic()
            if snapshot["trials"]:
                self._say("  " + status_line(snapshot))

    def close(self) -> None:
        """Nothing to close."""

    def _say(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except (BrokenPipeError, ValueError):
            self._stream = open_nothing()


class Live:
    """Steps scroll by; below them one panel is redrawn: step, time, trials, best against baseline, and the work at hand."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._console = Console(file=stream, stderr=True)
        self._live = RichLive(console=self._console, refresh_per_second=5, transient=True)
        self._live.start()

    def on_event(self, event: Any) -> None:
        text = describe(event.kind, event.data)
        if text:
            self._live.console.print(text, markup=False, highlight=False)

    def on_tick(self, snapshot: dict[str, Any]) -> None:
        from rich.panel import Panel
        from rich.text import Text

        self._live.update(
            Panel(Text(status_line(snapshot) + "\n" + snapshot["doing"]), title=snapshot["stage"])
        )

    def close(self) -> None:
        """Removes the panel."""
        self._live.stop()


def status_line(snapshot: dict[str, Any]) -> str:
    """One line: time, trials, best against baseline.

    >>> status_line({"elapsed": 12.3, "left": 47.7, "trials": 8, "failed": 1, "metric": "rmse", "best": 2.1, "baseline": 3.2})
    '12s, 48s left · 8 tried, 1 failed · rmse 2.1 against baseline 3.2'
    """
    left = snapshot["left"]
    parts = [
        f"{snapshot['elapsed']:.0f}s" + ("" if left == float("inf") else f", {max(0.0, left):.0f}s left"),
        f"{snapshot['trials']} tried, {snapshot['failed']} failed",
    ]
    if snapshot["best"] is not None and snapshot["baseline"] is not None:
        parts.append(
            f"{snapshot['metric']} {snapshot['best']:.4g} against baseline {snapshot['baseline']:.4g}"
        )
    return " · ".join(parts)


def describe(kind: str, data: dict[str, Any]) -> str | None:
    """An event as a line for people, or None when it is not worth one."""
    writer = _LINES.get(kind)
    return writer(data) if writer else None


def _sensed(data: dict[str, Any]) -> str:
    kinds = Counter(column["kind"] for column in data["columns"])
    inputs = "columns: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    lines = [f"  {data['rows']} rows; {inputs if kinds else 'each is ' + data['input_type']}"]
    lines += [
        f"  {finding['level']}: {finding['what']}"
        for finding in data["findings"]
        if finding["level"] != "info"
    ]
    return "\n".join(lines)


def _protocol(data: dict[str, Any]) -> str:
    head = (
        f"  {data['kind']}, {data['train_rows']} rows to learn from, {data['test_rows']} sealed for the test"
    )
    return "\n".join([head, *(f"  {reason}" for reason in data["reasons"])])


def _baseline(data: dict[str, Any]) -> str:
    return f"  baseline {data['name']}: " + ("failed" if data["value"] is None else f"{data['value']:.4g}")


def _test(data: dict[str, Any]) -> str:
    return (
        f"  test {data['value']:.4g} [{data['low']:.4g}, {data['high']:.4g}] on {data['n']} rows; "
        f"baseline {data['baseline']:.4g}"
    )


def _recalled(data: dict[str, Any]) -> str:
    lines = [f"  {each['name']}: {each['reason']}" for each in data["suggestions"]]
    return "\n".join(lines) if lines else "  nothing that fits is remembered"


def _chosen(data: dict[str, Any]) -> str:
    return f"  chosen: {data['kind']}, {data['value']:.4g} on {data.get('judged_on', 'validation')}"


_LINES = {
    "stage": lambda data: f"▸ {data['name']}: {data['text']}",
    "sensed": _sensed,
    "protocol": _protocol,
    "baseline": _baseline,
    "verdict": lambda data: f"  {data['text']}",
    "chosen": _chosen,
    "recalled": _recalled,
    "kept": lambda data: f"  kept in the library as {data['name']}",
    "test": _test,
    "interrupted": lambda data: "  interrupted: the best so far is saved; the same command goes on",
}


def open_nothing() -> TextIO:
    """A stream that swallows everything, for when the reader of ours has gone away."""
    import io

    return io.StringIO()


def _dumb() -> bool:
    import os

    return os.environ.get("TERM", "") in ("", "dumb") or "NO_COLOR" in os.environ and not sys.stderr.isatty()
