"""The report: one offline page, safe with hostile data, that tells what the journal holds."""

import hashlib
import re
from importlib.resources import files

import pytest

from perennial import charts, report
from perennial.errors import StoreError
from perennial.history import History, Record
from perennial.storages import SQLite
from perennial.trial import Trial

LARGEST_BYTES = 3 * 2**20


@pytest.fixture(scope="module")
def history(grown):
    storage = SQLite(grown, mode="ro")
    yield History.of(storage.events())
    storage.close()


@pytest.fixture(scope="module")
def page(grown):
    return (grown / "report.html").read_text(encoding="utf-8")


def test_the_page_is_one_small_offline_file(page):
    assert len(page.encode()) < LARGEST_BYTES
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", markup)
    assert "default-src 'none'" in markup


@pytest.mark.parametrize(
    "section", ["What the data are", "How candidates were judged", "Common sense first", "Leaderboard", "The model is a program",
                "Where it errs", "How it was made", "Confusion", "Which columns it uses"]
)  # fmt: skip
def test_the_page_has_every_promised_section(page, section):
    assert section in page


def test_the_page_tells_the_figures_of_the_journal(page, history):
    assert f"{history.chosen['value']:.4g}" in page and f"{history.test['value']:.4g}" in page
    assert history.created["name"] in page


def test_a_hostile_column_name_is_shown_and_never_run(history):
    bad = '</script><img src=x onerror="alert(1)">'
    hostile = History(**{**history.__dict__, "analysis": {**history.analysis, "importance": [{"column": bad, "fall": 1.0}]},
                         "sensed": {**history.sensed, "columns": [{**history.sensed["columns"][0], "name": bad}]}})  # fmt: skip
    page = report.render(hostile)
    assert "<img src=x" not in page and "&lt;img src=x" in page


def test_a_chart_that_fails_becomes_a_sentence_and_the_rest_stays(history):
    broken = History(
        **{
            **history.__dict__,
            "analysis": {**history.analysis, "reliability": {"bins": 3, "ece": 0.0, "brier": 0.0}},
        }
    )
    page = report.render(broken)
    assert "could not be drawn" in page and "Leaderboard" in page


def test_the_vendored_scripts_are_the_ones_that_were_reviewed():
    folder = files("perennial") / "templates" / "vendor"
    stated = dict(re.findall(r"\| `([\w.-]+\.js)` \|.*`([0-9a-f]{64})`", (folder / "README.md").read_text()))
    assert set(stated) == set(report.SCRIPTS)
    for name, digest in stated.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
        assert (folder / name.replace(".min.js", ".LICENSE")).is_file()


def test_charts_hold_values_only_where_data_come_in(history):
    for chart in charts.all_charts(history).values():
        assert chart["$schema"].endswith("v6.json")


def test_a_study_with_nothing_but_a_baseline_still_has_a_report():
    history = History()
    history.created = {
        "name": "oak-1",
        "data": "x.csv",
        "fingerprint": "0" * 64,
        "seed": 0,
        "versions": {},
        "machine": {"cores": 1, "system": "", "processor": ""},
    }
    history.protocol = {
        "metric": "rmse",
        "direction": "minimize",
        "kind": "kfold",
        "train_rows": 8,
        "test_rows": 2,
        "reasons": [],
    }
    history.sensed = {
        "rows": 10,
        "columns": [],
        "findings": [],
        "problem": "regression",
        "decided": [],
        "modality": "table",
    }
    history.baselines = [
        {"name": "mean", "value": 1.0, "score": -1.0, "program": "lambda row: constant(numbers(row))"}
    ]
    assert "Only the baseline" in report.render(history)


def test_the_model_card_has_figures_limits_and_the_program(grown, history):
    card = (grown / "card.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "## Limits" in card and "```python" in card
    assert f"{history.test['value']:.4g}" in card


def test_a_report_that_cannot_be_written_leaves_nothing_half_written(history, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(StoreError, match="report.html could not be written: No space left on device"):
        report.write(history, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_status_tells_how_well_the_workers_were_used(history):
    told = report.status(history)
    assert told["state"] == "finished" and told["trials"] == 3
    assert told["between_trials"] is None or 0 <= told["between_trials"] < 1


def test_the_share_between_trials_counts_every_stage_of_the_search_and_both_workers():
    def ran(stage, end, seconds):
        return Record(Trial(0, None, "h", status="scored", seconds=seconds, stage=stage), "x", 0.5, at=end)

    told = History(sessions=[{"workers": 2}])
    told.records = [ran("overfit", 4.0, 4.0), ran("tune", 6.0, 3.0), ran("regularise", 10.0, 5.0)]
    assert report.between_trials(told) == pytest.approx(1 - 12 / 20)


def test_a_table_lines_up():
    lines = report.table([{"name": "a", "value": 1.23456}, {"name": "bcd", "value": None}]).splitlines()
    assert len({len(line) for line in lines}) == 1 and "1.235" in lines[1] and lines[2].endswith("-")
