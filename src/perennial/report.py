"""What a study has to say: leaderboard, status, explanation, the HTML report and the model card.

All of it is read from the journal, so it can be written again at any time and tells nothing that was not recorded. A
chart or section that fails becomes a grey box with the reason; the model is saved before any of this begins.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

from perennial.charts import all_charts
from perennial.history import History, Record
from perennial.modalities.reading import write_whole
from perennial.storages.sqlite.disk import cannot_write

SCRIPTS = ("vega.min.js", "vega-lite.min.js", "vega-embed.min.js")
BROKEN = ("failed", "crashed", "out_of_memory")
LONGEST_VALUE = 60
REPORT_NAME, CARD_NAME, README_NAME = "report.html", "card.md", "README.txt"


def write(history: History, folder: Path) -> tuple[Path, Path]:
    """Writes `report.html`, `card.md` and `README.txt` into the study folder.

    Returns:
        the paths of the report and of the card.
    """
    report, card = folder / REPORT_NAME, folder / CARD_NAME
    _write(report, render(history))
    _write(card, _template("card.md", autoescape=False).render(**context(history)))
    _write(folder / README_NAME, _template("README.txt", autoescape=False).render(**context(history)))
    return report, card


def render(history: History) -> str:
    """The report as one self-contained HTML page: no request leaves it."""
    charts, problem = {}, None
    try:
        charts = all_charts(history)
    except Exception as error:
        problem = f"The charts could not be drawn: {type(error).__name__}: {error}"
    scripts = [
        (files("perennial") / "templates" / "vendor" / name).read_text(encoding="utf-8") for name in SCRIPTS
    ]
    return _template("report.html").render(
        **context(history),
        charts={name: _embedded(spec) for name, spec in charts.items()},
        chart_problem=problem,
        scripts=scripts if charts else [],
        boxes=_boxes(history),
        drawing=_drawing(history),
    )


def context(history: History) -> dict[str, Any]:
    """What the templates fill in."""
    chosen = history.chosen
    return {
        "history": history,
        "created": history.created,
        "sensed": history.sensed,
        "protocol": history.protocol,
        "chosen": chosen,
        "test": history.tested,
        "baseline": history.common_sense,
        "board": board(history)[:40],
        "program": chosen["program"]
        if chosen
        else history.baselines[0]["program"]
        if history.baselines
        else "",
        "analysis": history.analysis,
        "findings": history.sensed.get("findings", []),
        "verdict": verdict(history),
        "summary": summary(history),
        "status": status(history),
        "failures": failures(history),
        "recalled": history.suggestions,
        "members": members(history),
    }


def board(history: History) -> list[dict[str, Any]]:
    """The leaderboard, best first: confirmed value where there is one, spread over folds, time and ancestors."""
    confirmed: dict[int, list[float]] = {}
    for record in history.confirmations:
        if record.value is not None:
            confirmed.setdefault(record.trial.parents[0], []).append(record.value)
    rows = []
    for place, record in enumerate(history.scored, start=1):
        again = confirmed.get(record.trial.number)
        rows.append(
            {
                "place": place,
                "trial": record.trial.number,
                "learner": learner(record),
                "value": record.value,
                "spread": _spread(record),
                "confirmed": sum(again) / len(again) if again else None,
                "train": _raw(history, record.trial.train_score),
                "seconds": round(record.trial.seconds, 2),
                "stage": record.trial.stage,
                "origin": record.trial.origin,
                "parents": list(record.trial.parents),
            }
        )
    return rows


def programs(history: History) -> list[dict[str, Any]]:
    """The programs that were found from examples and were better than all before, best first."""
    rows = [
        {name: entry[name] for name in ("value", "engine", "cost", "at", "program")}
        for entry in reversed(history.found)
    ]
    return [
        {"place": place, **row, "program": _one_line(row["program"])} for place, row in enumerate(rows, 1)
    ]


def _one_line(source: str) -> str:
    """The body of a printed program, its lines joined."""
    return "; ".join(line.strip() for line in source.strip().splitlines()[1:])


def status(history: History) -> dict[str, Any]:
    """Where a study stands, and which part of the workers' time went to candidates.

    `between_trials` is the share of the search in which a worker had nothing to do; it counts from the first candidate
    to the last, over all stages.
    """
    best = history.chosen or ({"value": history.best.value} if history.best else None)
    best = history.current if history.found else best
    state = "finished" if history.finished else "interrupted" if history.interrupted else "unfinished"
    return {
        "study": history.created.get("name"),
        "state": state,
        "stage": history.stages[-1]["name"] if history.stages else None,
        "metric": history.protocol.get("metric"),
        "baseline": history.common_sense["value"] if history.common_sense else None,
        "best": best["value"] if best else None,
        "test": history.tested["value"] if history.tested else None,
        "trials": len(history.records) + len(history.found),
        "failed": len(history.failed),
        "seconds": round(history.seconds_spent, 1),
        "budget": history.sessions[-1].get("budget") if history.sessions else None,
        "between_trials": between_trials(history),
    }


def between_trials(history: History) -> float | None:
    """The idle share of the workers' time, from the start of the first candidate of the search to the last one's end."""
    runs = history.records
    if len(runs) < 2 or not history.sessions:
        return None
    start = min(record.at - record.trial.seconds for record in runs)
    end = max(record.at for record in runs)
    workers = max(1, history.sessions[-1].get("workers") or 1)
    busy = sum(record.trial.seconds for record in runs)
    return round(max(0.0, 1.0 - busy / (workers * (end - start))), 4) if end > start else None


def verdict(history: History) -> str:
    """The study in one sentence."""
    chosen, baseline = history.chosen, history.common_sense
    if history.found and history.current is not chosen:
        return f"Not finished; the best program so far has {history.protocol['metric']} {history.current['value']:.4g}."
    if not chosen or not baseline:
        return "Only the baseline was fitted."
    metric = history.protocol["metric"]
    if chosen["kind"] == "baseline":
        return (
            f"Nothing beat the baseline ({metric} {baseline['value']:.4g}); the baseline is what was saved."
        )
    judged = chosen.get("judged_on", "validation")
    told = f"{metric} {chosen['value']:.4g} on {judged} against {baseline['value']:.4g} by common sense"
    if test := history.tested:
        told += f"; {test['value']:.4g} [{test['low']:.4g}, {test['high']:.4g}] on {test['n']} test rows, opened once"
    return told + "."


def summary(history: History) -> str:
    """A few lines for the terminal and for `print(model.report)`."""
    lines = [f"{history.created.get('name', 'study')}: {verdict(history)}"]
    if history.ensemble:
        shares = ", ".join(f"{member['learner']} {member['weight']:.2f}" for member in members(history))
        lines.append(f"an average of {shares}")
    lines.append(
        f"{len(history.records)} candidates tried, {len(history.failed)} failed, {history.seconds_spent:.0f} s"
    )
    if broken := most_broken(history):
        lines.append(broken)
    return "\n".join(lines)


def explanation(history: History) -> tuple[dict[str, Any], str]:
    """Why the model is what it is: decisions with reasons, what the columns give, where it errs."""
    figures = {
        "decided": history.sensed.get("decided", []),
        "protocol": history.protocol.get("reasons", []),
        "verdicts": [entry["text"] for entry in history.verdicts],
        "recalled": history.suggestions,
        "kept": [entry["name"] for entry in history.kept],
        "importance": history.analysis.get("importance", []),
        "slices": history.analysis.get("slices", []),
        "worst": history.analysis.get("worst", []),
        "missed": [pair for pair in history.analysis.get("pairs", []) if not pair["right"]],
        "findings": [
            f"{finding['what']} {finding['where']}" for finding in history.sensed.get("findings", [])
        ],
        "columns": [
            {"name": c["name"], "kind": c["kind"], "reason": c["reason"]}
            for c in history.sensed.get("columns", [])
        ],
    }
    lines = [verdict(history)]
    if figures["columns"]:
        lines += ["", "Columns:"]
        lines += [
            f"  {column['name']}: {column['kind']} — {column['reason']}" for column in figures["columns"]
        ]
    if figures["recalled"]:
        lines += ["", "What the library suggested:"]
        lines += [f"  {_suggestion(each)}" for each in figures["recalled"]]
    for title, key in (("Decided:", "decided"), ("Judged by:", "protocol"), ("On the way:", "verdicts")):
        if figures[key]:
            lines += ["", title, *(f"  {text}" for text in figures[key])]
    if figures["missed"]:
        lines += ["", "Examples that it misses:"]
        lines += [
            f"  row {pair['place'] + 1}: {_short(pair['inputs'])} should give {_short(pair['output'])}, gives {_short(pair['given'])}"
            for pair in figures["missed"]
        ]
    if figures["importance"]:
        lines += ["", "The score falls by this much when a column is shuffled:"]
        lines += [f"  {entry['fall']:+.4f}  {entry['column']}" for entry in figures["importance"][:15]]
    if figures["slices"]:
        lines += ["", "Worse than average on:"]
        lines += [
            f"  {s['column']} = {s['value']}: loss {s['loss']:.3g} against {s['overall']:.3g}, n = {s['n']}"
            for s in figures["slices"]
        ]
    return figures, "\n".join(lines)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _suggestion(each: dict[str, Any]) -> str:
    """One suggestion of the library and what became of it.

    >>> told = {"name": "a/recipe-1@1", "reason": "like it", "status": "scored", "value": 0.9, "gain": 0.02, "reused": True}
    >>> _suggestion(told)
    'a/recipe-1@1 (like it): 0.9, +0.02 against the other openers, part of the answer'
    """
    told = each["status"] if each["value"] is None else f"{each['value']:.4g}"
    if each["value"] is not None and each["status"] != "scored":
        told += f", {each['status']}"
    gain = "" if each["gain"] is None else f", {each['gain']:+.4g} against the other openers"
    return (
        f"{each['name']} ({each['reason']}): {told}{gain}{', part of the answer' if each['reused'] else ''}"
    )


def failures(history: History) -> list[dict[str, Any]]:
    """Why candidates failed, most frequent reason first."""
    counts: dict[tuple[str, str], int] = {}
    for record in history.failed:
        key = (record.trial.status, record.trial.error or "")
        counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [{"status": status, "error": error, "n": n} for (status, error), n in ordered]


def most_broken(history: History) -> str:
    """What failed most often though it should not have, in a sentence; limits that were kept are none of it."""
    broken = Counter(
        (learner(record), (record.trial.error or record.trial.status).splitlines()[0])
        for record in history.failed
        if record.trial.status in BROKEN
    )
    if not broken:
        return ""
    (kind, reason), times = broken.most_common(1)[0]
    return f"most often failed: {kind} ({times}x): {reason}"


def members(history: History) -> list[dict[str, Any]]:
    """The members of the ensemble with their kind and weight."""
    if not history.ensemble:
        return []
    known = {record.trial.number: record for record in [*history.records, *history.confirmations]}
    return [
        {"trial": entry["trial"], "weight": entry["weight"], "learner": learner(known[entry["trial"]])}
        for entry in history.ensemble["members"]
    ]


def learner(record: Record) -> str:
    """The kind of model of a record: the outermost fitted word of its program."""
    from perennial.assembly import learner_of

    return learner_of(record.source)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as an aligned text table.

    >>> print(table([{"a": 1, "b": 0.5}, {"a": 20, "b": None}]))
     a    b
     1  0.5
    20    -
    """
    if not rows:
        return "nothing yet"
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in [names, *cells]
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _spread(record: Record) -> float | None:
    scores = record.trial.scores or ()
    if len(scores) < 2:
        return None
    mean = sum(scores) / len(scores)
    return (sum((score - mean) ** 2 for score in scores) / (len(scores) - 1)) ** 0.5


def _raw(history: History, score: float | None) -> float | None:
    """A larger-is-better score as people read the metric."""
    if score is None or score != score:
        return None
    return score if history.protocol.get("direction") == "maximize" else -score


def _boxes(history: History) -> str:
    from perennial.lang import parse, to_html
    from perennial.primitives import vocabulary

    source = (
        history.chosen["program"]
        if history.chosen
        else history.baselines[0]["program"]
        if history.baselines
        else None
    )
    if source is None:
        return ""
    try:
        return to_html(parse(source, vocabulary()))
    except Exception as error:
        return f'<p class="grey">The program could not be drawn: {html.escape(str(error))}</p>'


def _drawing(history: History) -> str:
    """The program of an image study as boxes with shapes; a sentence when it cannot be drawn."""
    if history.sensed.get("modality") != "image" or not history.chosen:
        return ""
    from perennial.architecture import drawing
    from perennial.lang import parse, parse_type
    from perennial.primitives import vocabulary

    types = (parse_type(history.sensed[name]) for name in ("input_type", "output_type"))
    try:
        return drawing(parse(history.chosen["program"], vocabulary()), *types)
    except Exception as error:
        return f'<p class="grey">The architecture could not be drawn: {html.escape(str(error))}</p>'


def _embedded(spec: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    return (
        json.dumps(spec, allow_nan=False, default=str)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    )


def _template(name: str, autoescape: bool = True) -> Any:
    import jinja2

    loader = jinja2.PackageLoader("perennial", "templates")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _cell
    return environment.get_template(name)


def _write(path: Path, text: str) -> None:
    """Writes a file of the study whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        write_whole(path, lambda stream: stream.write(text))
    except OSError as error:
        raise cannot_write(f"The file {path.name}", path.parent, error.strerror or error) from error
