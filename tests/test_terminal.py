"""What people see while a study grows."""

import io
from types import SimpleNamespace

from perennial import terminal

SNAPSHOT = {
    "doing": "tune: lightgbm", "stage": "tune", "elapsed": 3.0, "left": 7.0, "trials": 2, "failed": 0,
    "metric": "rmse", "best": 1.5, "baseline": 2.0,
}  # fmt: skip


def event(kind, **data):
    return SimpleNamespace(kind=kind, data=data)


def test_lines_tell_steps_and_each_new_best_once():
    stream = io.StringIO()
    lines = terminal.Lines(stream)
    lines.on_event(event("stage", name="tune", text="searching"))
    lines.on_tick(SNAPSHOT)
    lines.on_tick(SNAPSHOT)
    assert stream.getvalue().splitlines() == [
        "▸ tune: searching",
        "  3s, 7s left · 2 tried, 0 failed · rmse 1.5 against baseline 2",
    ]


def test_events_that_are_not_worth_a_line_are_passed_over():
    stream = io.StringIO()
    terminal.Lines(stream).on_event(event("trial", number=1))
    assert stream.getvalue() == ""


def test_a_reader_that_went_away_does_not_end_the_study():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    lines = terminal.Lines(Gone())
    lines.on_event(event("stage", name="tune", text="searching"))
    lines.on_event(event("stage", name="test", text="once"))


def test_warnings_about_the_data_are_shown_and_notes_are_not():
    findings = [{"level": "warning", "what": "A leak."}, {"level": "info", "what": "A note."}]
    told = terminal.describe("sensed", {"rows": 9, "columns": [{"kind": "number"}] * 2, "findings": findings})
    assert "9 rows; columns: 2 number" in told and "A leak." in told and "A note." not in told


def test_a_file_gets_lines():
    assert isinstance(terminal.listener(io.StringIO()), terminal.Lines)


def test_a_terminal_gets_a_panel_with_the_work_at_hand(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen()
    assert isinstance(terminal.listener(screen, lively=False), terminal.Lines)
    live = terminal.listener(screen)
    assert isinstance(live, terminal.Live)
    live.on_event(event("stage", name="tune", text="searching"))
    live.on_tick(SNAPSHOT)
    live.close()
    assert "searching" in screen.getvalue()
