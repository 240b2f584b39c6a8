"""Studies whose journals are written by hand: what status, board, report, charts and the verbs tell of them."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial import charts, report
from perennial.cli import run
from perennial.history import History, Record
from perennial.journal import Journal
from perennial.modalities.base import Finding
from perennial.spaces import Genotype
from perennial.storages.sqlite.lock import HOLDER_NAME, _born
from perennial.trial import Trial

MEAN = "lambda row: constant(numbers(row), statistic='mean')"
TREES = "lambda row: lightgbm(impute(numbers(row)), rounds=20)"
LINE = "lambda row: linear(standardise(impute(numbers(row))))"
CREATED = {
    "name": "oak-1", "data": "x.csv", "task": "x", "fingerprint": "0" * 64, "seed": 0,
    "versions": {"python": "3.12", "perennial": "0"}, "machine": {"cores": 2, "system": "Linux", "processor": "x"},
}  # fmt: skip
SENSED = {
    "rows": 40, "findings": [Finding("duplicates", "warning", "Two rows are alike.", "rows 3, 9").to_json()],
    "columns": [
        {"name": "size", "kind": "number", "reason": "all cells are numbers", "missing": 0, "unique": 9, "examples": ["1"]}
    ],
    "problem": "regression", "decided": ["numbers are predicted"], "modality": "table", "classes": [],
    "input_type": "Record[size=Real]", "output_type": "Real",
}  # fmt: skip
PROTOCOL = {
    "metric": "rmse", "direction": "minimize", "kind": "kfold", "train_rows": 32, "test_rows": 8,
    "reasons": ["few rows are judged by folds"],
}  # fmt: skip


def tried(number, value, at, source=TREES, status="scored", **changes):
    score = None if value is None else -value
    trial = Trial(
        number, Genotype({"n": number}), f"h{number}", status, score, **{"stage": "tune", **changes}
    )
    return Record(trial, source, value, at=at)


RECORDS = [
    tried(0, 3.0, 2.0, LINE, seconds=2.0, scores=(-2.0, -4.0), stage="overfit", train_score=-2.5),
    tried(1, 1.5, 5.0, seconds=3.0, scores=(-1.0, -1.5, -2.0), origin="local", parents=(0,),
          curve=({"step": 1, "train": 2.0, "validation": 3.0}, {"step": 2, "train": 1.0, "validation": None})),
    tried(2, None, 6.0, status="failed", error="ValueError: no rows\nat line 3", seconds=1.0),
    tried(3, None, 7.0, status="failed", error="ValueError: no rows\nat line 9", seconds=1.0),
    tried(4, None, 9.0, LINE, status="over_budget", error="Took 9 s.", seconds=1.0),
    tried(5, 2.0, 10.0, LINE, seconds=1.0),
]  # fmt: skip
CONFIRMED = [
    tried(6, 1.8, 11.0, stage="confirm", parents=(1,)),
    tried(7, 2.2, 12.0, stage="confirm", parents=(1,)),
]


def events(chosen=True):
    yield "created", CREATED
    yield "sensed", SENSED
    yield "protocol", PROTOCOL
    yield "session", {"pid": 1, "budget": 60.0, "workers": 2}
    yield "stage", {"name": "tune", "text": "searching", "at": 0.5}
    yield "baseline", {"name": "mean", "value": 5.0, "score": -5.0, "program": MEAN, "at": 0.1}
    yield "baseline", {"name": "one rule", "value": None, "score": None, "program": MEAN, "at": 0.2}
    yield from (("trial", record.to_json()) for record in RECORDS)
    if not chosen:
        return
    yield from (("confirm", record.to_json()) for record in CONFIRMED)
    yield "verdict", {"stage": "ensemble", "text": "two are better than one", "data": {}}
    yield "ensemble", {"members": [{"trial": 1, "weight": 0.75}, {"trial": 5, "weight": 0.25}]}
    yield (
        "chosen",
        {
            "kind": "ensemble",
            "program": TREES,
            "value": 1.4,
            "score": -1.4,
            "members": [1, 5],
            "confirmed": True,
            "at": 13.0,
        },
    )
    yield "opened", {"rows": 8}
    yield "test", {"value": 1.6, "low": 1.2, "high": 2.1, "n": 8, "baseline": 5.2, "program": TREES}
    yield "analysis", {
        "slices": [{"column": "size", "value": "1 to 2", "n": 9, "loss": 3.0, "low": 2.0, "high": 4.0, "overall": 1.0}],
        "worst": [], "rows": 32, "importance": [{"column": "size", "fall": 0.5}],
    }  # fmt: skip
    yield "finished", {"seconds": 14.0, "result": {}}


def written(folder, **options):
    journal = Journal(folder)
    for kind, data in events(**options):
        journal.emit(kind, **data)
    journal.close()
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return written(tmp_path_factory.mktemp("written") / "oak-1")


@pytest.fixture(scope="module")
def history(study):
    return History.read(study)


@pytest.fixture
def half(tmp_path):
    """A study that nobody has chosen an answer for."""
    return History.read(written(tmp_path / "half", chosen=False))


# -- figures ---------------------------------------------------------------------------------------------------------


def test_status_counts_what_the_journal_holds(history):
    told = report.status(history)
    assert told["state"] == "finished" and told["stage"] == "tune" and told["budget"] == 60.0
    assert (told["trials"], told["failed"], told["baseline"], told["best"], told["test"]) == (
        6,
        3,
        5.0,
        1.4,
        1.6,
    )
    assert told["seconds"] == 12.0, "the last confirmation ended then"


def test_without_a_choice_the_best_of_the_search_is_told(half):
    told = report.status(half)
    assert told["state"] == "unfinished" and told["best"] == 1.5 and told["test"] is None
    assert report.verdict(half) == "Only the baseline was fitted."


def test_the_board_ranks_by_value_and_averages_the_confirmations(history):
    rows = report.board(history)
    assert [row["trial"] for row in rows] == [1, 5, 0] and [row["place"] for row in rows] == [1, 2, 3]
    assert [row["confirmed"] for row in rows] == [pytest.approx((1.8 + 2.2) / 2), None, None]
    assert rows[0]["spread"] == pytest.approx(np.std([1.0, 1.5, 2.0], ddof=1)) and rows[1]["spread"] is None
    assert rows[2]["train"] == 2.5 and rows[0]["train"] is None, "a loss is shown as people read it"
    assert rows[0]["parents"] == [0] and rows[0]["learner"] != rows[1]["learner"]


def test_workers_waited_for_what_the_trials_leave_of_the_search(history):
    busy = sum(record.trial.seconds for record in RECORDS)
    assert report.between_trials(history) == pytest.approx(1 - busy / (2 * 10.0), abs=1e-4)


@given(
    st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.0, 1.0)), min_size=2, max_size=8), st.integers(1, 4)
)
def test_the_idle_share_lies_between_nothing_and_all(ran, workers):
    told = History(sessions=[{"workers": workers}])
    told.records = [
        Record(Trial(n, None, "h", "scored", seconds=share * end), "x", 0.5, at=end)
        for n, (end, share) in enumerate(ran)
    ]
    idle = report.between_trials(told)
    assert idle is None or 0.0 <= idle <= 1.0


def test_failures_are_counted_by_status_and_sentence(history):
    rows = report.failures(history)
    assert sum(row["n"] for row in rows) == len(history.failed) == 3
    assert {(row["status"], row["error"].splitlines()[0]) for row in rows} == {
        ("failed", "ValueError: no rows"), ("over_budget", "Took 9 s.")
    }  # fmt: skip


def test_what_broke_most_often_is_said_and_a_limit_that_was_kept_is_not(history):
    kind = report.learner(RECORDS[2])
    assert report.most_broken(history) == f"most often failed: {kind} (2x): ValueError: no rows"
    assert report.most_broken(History(records=[RECORDS[4]])) == ""


def test_the_verdict_tells_value_baseline_and_the_one_test(history):
    told = report.verdict(history)
    assert told == (
        "rmse 1.4 on validation against 5 by common sense; 1.6 [1.2, 2.1] on 8 test rows, opened once."
    )
    lines = report.summary(history).splitlines()
    assert lines[0] == f"oak-1: {told}" and re.fullmatch(r"an average of \S.* 0\.75, \S.* 0\.25", lines[1])
    assert lines[2] == "6 candidates tried, 3 failed, 12 s" and lines[3] == report.most_broken(history)


def test_a_baseline_that_nothing_beats_is_what_was_saved(half):
    half.chosen = {
        "kind": "baseline",
        "value": 5.0,
        "program": MEAN,
        "members": [],
        "confirmed": False,
        "at": 20.0,
    }
    assert report.verdict(half) == "Nothing beat the baseline (rmse 5); the baseline is what was saved."


def test_a_program_that_was_found_is_told_before_the_study_has_ended(half):
    half.found = [
        {"value": value, "engine": "rules", "cost": 9.0, "at": 20.0 + value, "program": "def model(xs):\n    a = xs\n    return a\n"}
        for value in (0.5, 0.75)
    ]  # fmt: skip
    assert report.verdict(half) == "Not finished; the best program so far has rmse 0.75."
    assert report.status(half)["best"] == 0.75 and report.status(half)["trials"] == 8
    assert [(row["place"], row["value"]) for row in report.programs(half)] == [(1, 0.75), (2, 0.5)]
    assert report.programs(half)[0]["program"] == "a = xs; return a"


def test_an_explanation_has_a_line_for_each_decision_column_and_slice(history):
    figures, text = report.explanation(history)
    assert "  size: number — all cells are numbers" in text.splitlines()
    for line in (*figures["decided"], *figures["protocol"], *figures["verdicts"]):
        assert f"  {line}" in text.splitlines()
    assert "  +0.5000  size" in text and "  size = 1 to 2: loss 3 against 1, n = 9" in text
    assert figures["findings"] == ["Two rows are alike. rows 3, 9"] and figures["missed"] == []


def test_examples_that_are_missed_are_shown_shortened(half):
    long = list(range(100))
    half.analysis = {"pairs": [
        {"place": 0, "inputs": [1], "output": 2, "given": 2, "right": True},
        {"place": 4, "inputs": [long], "output": "ä", "given": None, "right": False},
    ]}  # fmt: skip
    figures, text = report.explanation(half)
    [line] = [line for line in text.splitlines() if line.startswith("  row ")]
    shown = json.dumps([long])[: report.LONGEST_VALUE - 1] + "…"
    assert line == f'  row 5: {shown} should give "ä", gives null' and len(figures["missed"]) == 1


# -- text and pages --------------------------------------------------------------------------------------------------

cells = st.one_of(
    st.none(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False), st.text("abäß ", max_size=9),
    st.lists(st.integers(0, 9), max_size=3),
)  # fmt: skip


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "bb", "ccc"]), cells, min_size=1), min_size=1, max_size=5)
)
def test_every_row_of_a_table_is_a_line_of_one_width_with_every_column(rows):
    lines = report.table(rows).splitlines()
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert len(lines) == 1 + len(rows) and len({len(line) for line in lines}) == 1
    assert lines[0].split() == names


def test_a_table_of_nothing_says_so():
    assert report.table([]) == "nothing yet"


@given(st.recursive(st.one_of(st.none(), st.integers(), st.text()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_a_chart_in_the_page_is_its_json_and_cannot_end_the_script(value):
    text = report._embedded({"data": value})
    assert json.loads(text) == {"data": value} and not set("<>&") & set(text)


def test_files_of_a_study_are_written_again_from_its_journal(history, tmp_path):
    page, card = report.write(history, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "card.md", "report.html"]
    assert (
        "oak-1" in page.read_text() and "1.6" in card.read_text() and TREES.split("(")[1] in card.read_text()
    )
    before = page.read_bytes()
    report.write(history, tmp_path)
    assert page.read_bytes() == before and page.stat().st_mode & 0o777 == 0o644


def test_a_program_that_cannot_be_drawn_is_a_sentence_in_the_page(half):
    half.chosen = {
        "kind": "single",
        "value": 1.0,
        "program": "lambda row: <b>",
        "members": [],
        "confirmed": False,
        "at": 20.0,
    }
    assert report._boxes(half).startswith('<p class="grey">The program could not be drawn')
    assert "<b>" not in report._boxes(half)
    assert report._boxes(History()) == "" and report._drawing(half) == ""


# -- charts ----------------------------------------------------------------------------------------------------------


def test_the_search_chart_steps_along_the_best_so_far_in_the_direction_of_better(history):
    rules, dots, steps = (layer["data"]["values"] for layer in charts.search(history)["layer"])
    assert [dot["value"] for dot in dots] == [3.0, 1.5, 2.0]
    assert [step["value"] for step in steps] == np.minimum.accumulate([3.0, 1.5, 2.0]).tolist()
    assert [step["seconds"] for step in steps] == [2.0, 5.0, 10.0]
    assert rules == [{"value": 5.0, "name": "mean"}], "a baseline without a value is no line"


def test_curves_leave_out_what_was_not_measured(history):
    values = charts.curves(history)["data"]["values"]
    assert {(each["step"], each["rows"]): each["value"] for each in values} == {
        (1, "train"): 2.0, (1, "validation"): 3.0, (2, "train"): 1.0
    }  # fmt: skip


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=3, max_size=3))
def test_shares_of_a_confusion_chart_are_those_of_each_true_class(counts):
    classes = ["a", "b", "c"]
    values = charts.confusion({"classes": classes, "counts": counts})["data"]["values"]
    shares = np.array([each["share"] for each in values]).reshape(3, 3)
    totals = np.array(counts).sum(axis=1, keepdims=True)
    assert np.allclose(shares, np.divide(counts, totals, out=np.zeros((3, 3)), where=totals > 0))
    assert [(each["actual"], each["predicted"]) for each in values] == [
        (a, p) for a in classes for p in classes
    ]


def test_charts_without_data_are_left_out():
    assert charts.all_charts(History()) == {}
    assert all(
        draw(None) is None
        for draw in (charts.confusion, charts.residuals, charts.reliability, charts.importance)
    )


def test_empty_bins_make_no_point_and_the_diagonals_reach_from_end_to_end():
    bins = [{"n": 0, "predicted": None, "observed": None}, {"n": 3, "predicted": 0.4, "observed": 0.5}]
    diagonal, line = (layer["data"]["values"] for layer in charts.reliability({"bins": bins})["layer"])
    assert line == bins[1:] and [point["predicted"] for point in diagonal] == [0, 1]
    dots, ends = (layer["data"]["values"] for layer in charts.residuals({"actual": [3.0, -1.0, 2.0], "predicted": [1, 2, 3]})["layer"])  # fmt: skip
    assert [(end["actual"], end["predicted"]) for end in ends] == [(-1.0, -1.0), (3.0, 3.0)] and len(
        dots
    ) == 3


def test_at_most_twenty_columns_are_drawn_and_few_ones_need_less_room():
    falls = [{"column": f"c{number}", "fall": 1.0 / (1 + number)} for number in range(30)]
    assert charts.importance(falls)["data"]["values"] == falls[:20]
    assert charts.importance(falls[:2])["height"] < charts.importance(falls)["height"]


# -- the verbs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def said(capsys):
    def ask(*arguments, code=0):
        capsys.readouterr()
        assert run(list(map(str, arguments))) == code
        return capsys.readouterr()

    return ask


def test_verbs_print_the_figures_of_the_report(study, history, said):
    assert json.loads(said("status", study, "--json").out) == report.status(history)
    assert json.loads(said("board", study, "--json").out) == report.board(history)
    assert json.loads(said("explain", study, "--json").out) == report.explanation(history)[0]
    assert json.loads(said("show", study, "--json").out) == {"program": TREES}
    assert said("show", study).out == f"{TREES}\n" and said("explain", study).out.startswith("rmse 1.4")
    assert said("status", study).out.splitlines()[0] == "study: oak-1"


def test_the_board_shows_as_many_rows_as_asked_and_programs_where_there_are_some(study, said, tmp_path):
    assert [row["trial"] for row in json.loads(said("board", study, "--top", "2", "--json").out)] == [1, 5]
    journal = Journal(tmp_path / "found")
    journal.emit(
        "found", value=1.0, engine="rules", cost=3.0, at=1.0, program="def model(x):\n    return x\n"
    )
    journal.close()
    [row] = json.loads(said("board", tmp_path / "found", "--json").out)
    assert row["program"] == "return x" and row["engine"] == "rules"


def test_report_writes_the_files_and_says_where(tmp_path, said):
    folder = written(tmp_path / "s")
    told = json.loads(said("report", folder, "--json").out)
    assert told == {"report": str(folder / "report.html"), "card": str(folder / "card.md")}
    assert all(os.path.getsize(path) > 500 for path in told.values())


def test_a_study_without_a_model_says_what_goes_on(study, said, tmp_path):
    (tmp_path / "new.csv").write_text("size\n1\n")
    told = said("predict", study, tmp_path / "new.csv", code=3)
    assert "no saved model" in told.err and f"perennial grow again; it goes on in {study}" in told.err
    assert told.out == ""


def test_nobody_is_asked_to_stop_where_nobody_grows(study, said):
    assert json.loads(said("stop", study, "--json").out) == {"stopped": False}
    assert said("stop", study).out == "Nobody is growing this study.\n"


def test_who_grows_a_study_is_asked_to_stop(tmp_path, said):
    folder = written(tmp_path / "s")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        note = {"pid": process.pid, "host": os.uname().nodename, "since": "now", "born": _born(process.pid)}
        (folder / HOLDER_NAME).write_text(json.dumps(note))
        told = json.loads(said("stop", folder, "--json").out)
        assert told["stopped"] and told["pid"] == process.pid and told["since"] == "now"
        assert process.wait(timeout=20) == -15
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def sleeper():
    """A process of this machine that does nothing but live."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def signed(folder, **told):
    (folder / HOLDER_NAME).write_text(json.dumps({"since": "now", "born": 1, **told}))
    return folder


def test_a_study_that_grows_on_another_machine_is_stopped_there_and_no_process_here_is_touched(
    tmp_path, said, sleeper
):
    folder = signed(written(tmp_path / "s"), pid=sleeper.pid, host="another-machine")
    told = said("stop", folder, "--json", code=1)
    assert told.out == "" and f"process {sleeper.pid} on another-machine, since now" in told.err
    assert f"run there: perennial stop {folder}" in told.err
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(timeout=0.5)


def test_a_process_that_may_not_be_stopped_is_named_with_the_reason(tmp_path, said, sleeper, monkeypatch):
    folder = signed(
        written(tmp_path / "s"), pid=sleeper.pid, host=os.uname().nodename, born=_born(sleeper.pid)
    )

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", refuse)
        told = said("stop", folder, code=1).err
    assert f"Process {sleeper.pid} cannot be asked to stop: Operation not permitted." in told


@pytest.mark.parametrize("kinds", [(), ("created",), ("created", "session", "sensed")])
def test_a_study_too_young_for_a_report_or_a_program_says_so(tmp_path, said, kinds):
    """Killed, or still growing, before its first baseline."""
    journal = Journal(tmp_path / "young")
    for kind, data in events():
        if kind in kinds:
            journal.emit(kind, **data)
    journal.close()
    for verb, lack in (("show", "no program"), ("report", "nothing to report")):
        for options in ((), ("--json",)):
            told = said(verb, tmp_path / "young", *options, code=3)
            assert f"This study has {lack} yet." in told.err and told.out == ""
            assert f"perennial grow again; it goes on in {tmp_path / 'young'}" in told.err
    assert not (tmp_path / "young" / "report.html").exists()
    for verb in ("status", "board", "explain"):
        assert said(verb, tmp_path / "young").out
