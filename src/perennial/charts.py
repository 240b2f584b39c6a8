"""The charts of the report as Vega-Lite specifications: plain dictionaries with their data inside.

Only values are taken from data; expressions and field names are ours, so a hostile column name is drawn, never run.
"""

from __future__ import annotations

from typing import Any

from perennial.history import History

WIDTH, HEIGHT = 560, 260


def all_charts(history: History) -> dict[str, dict[str, Any]]:
    """The charts that the history has data for, by the name of their place in the report."""
    charts = {
        "search": search(history),
        "curves": curves(history),
        "confusion": confusion(history.analysis.get("confusion")),
        "residuals": residuals(history.analysis.get("residuals")),
        "reliability": reliability(history.analysis.get("reliability")),
        "importance": importance(history.analysis.get("importance")),
    }
    return {name: chart for name, chart in charts.items() if chart is not None}


def search(history: History) -> dict[str, Any] | None:
    """One dot a candidate over time, the best so far as a line, baselines as rules."""
    scored = [record for record in history.records if record.value is not None]
    if not scored:
        return None
    best, steps = None, []
    for record in scored:
        if best is None or record.trial.score > best.trial.score:
            best = record
        steps.append({"seconds": record.at, "value": best.value})
    dots = [
        {
            "seconds": r.at,
            "value": r.value,
            "stage": r.trial.stage,
            "origin": r.trial.origin,
            "number": r.trial.number,
        }
        for r in scored
    ]
    rules = [
        {"value": b["value"], "name": b["name"]} for b in history.baselines if b.get("value") is not None
    ]
    x = {"field": "seconds", "type": "quantitative", "title": "seconds"}
    y = {
        "field": "value",
        "type": "quantitative",
        "title": history.protocol.get("metric", "score"),
        "scale": {"zero": False},
    }
    tooltip = [{"field": name} for name in ("number", "stage", "origin", "value", "seconds")]
    return _chart(
        layer=[
            {"data": {"values": rules}, "mark": {"type": "rule", "strokeDash": [4, 4], "color": "#888"},
             "encoding": {"y": y, "tooltip": [{"field": "name"}, {"field": "value"}]}},
            {"data": {"values": dots}, "mark": {"type": "point", "filled": True, "opacity": 0.7, "size": 45},
             "encoding": {"x": x, "y": y, "shape": {"field": "stage", "type": "nominal"},
                          "color": {"field": "stage", "type": "nominal"}, "tooltip": tooltip}},
            {"data": {"values": steps}, "mark": {"type": "line", "interpolate": "step-after", "color": "#333"},
             "encoding": {"x": x, "y": y}},
        ]
    )  # fmt: skip


def curves(history: History) -> dict[str, Any] | None:
    """Training and validation by step, of the best candidate that kept a curve."""
    record = next((record for record in history.scored if record.trial.curve), None)
    if record is None:
        return None
    values = [
        {"step": point["step"], "rows": rows, "value": point[rows]}
        for point in record.trial.curve
        for rows in ("train", "validation")
        if point.get(rows) is not None
    ]
    return _chart(
        data={"values": values},
        mark={"type": "line", "point": len(values) < 60},
        encoding={
            "x": {"field": "step", "type": "quantitative"},
            "y": {"field": "value", "type": "quantitative", "scale": {"zero": False}, "title": "loss"},
            "color": {"field": "rows", "type": "nominal"},
            "strokeDash": {"field": "rows", "type": "nominal"},
        },
    )


def confusion(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """True class by predicted class; colour is the share of the true class, the number is the count."""
    if not data:
        return None
    values = [
        {"actual": actual, "predicted": predicted, "count": count, "share": count / max(1, sum(row))}
        for actual, row in zip(data["classes"], data["counts"], strict=True)
        for predicted, count in zip(data["classes"], row, strict=True)
    ]
    x = {"field": "predicted", "type": "nominal", "sort": data["classes"]}
    y = {"field": "actual", "type": "nominal", "sort": data["classes"]}
    side = min(WIDTH, 60 * len(data["classes"]) + 60)
    return _chart(
        data={"values": values},
        width=side,
        height=side * 0.75,
        encoding={"x": x, "y": y},
        layer=[
            {"mark": "rect", "encoding": {"color": {"field": "share", "type": "quantitative", "scale": {"scheme": "blues", "domain": [0, 1]}}}},
            {"mark": "text", "encoding": {"text": {"field": "count"}, "color": {"condition": {"test": "datum.share > 0.5", "value": "white"}, "value": "black"}}},
        ],
    )  # fmt: skip


def residuals(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """Predicted against true values, with the diagonal of a perfect model."""
    if not data:
        return None
    values = [{"actual": a, "predicted": p} for a, p in zip(data["actual"], data["predicted"], strict=True)]
    ends = [min(data["actual"]), max(data["actual"])]
    x = {"field": "actual", "type": "quantitative", "scale": {"zero": False}}
    y = {"field": "predicted", "type": "quantitative", "scale": {"zero": False}}
    return _chart(
        layer=[
            {"data": {"values": values}, "mark": {"type": "point", "opacity": 0.4}, "encoding": {"x": x, "y": y}},
            {"data": {"values": [{"actual": end, "predicted": end} for end in ends]},
             "mark": {"type": "line", "strokeDash": [4, 4], "color": "#888"}, "encoding": {"x": x, "y": y}},
        ]
    )  # fmt: skip


def reliability(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """How often it happened against how probable it was said to be."""
    if not data:
        return None
    values = [entry for entry in data["bins"] if entry["n"]]
    x = {
        "field": "predicted",
        "type": "quantitative",
        "title": "predicted probability",
        "scale": {"domain": [0, 1]},
    }
    y = {
        "field": "observed",
        "type": "quantitative",
        "title": "observed frequency",
        "scale": {"domain": [0, 1]},
    }
    return _chart(
        width=320,
        height=300,
        layer=[
            {"data": {"values": [{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}]},
             "mark": {"type": "line", "strokeDash": [4, 4], "color": "#888"}, "encoding": {"x": x, "y": y}},
            {"data": {"values": values}, "mark": {"type": "line", "point": True},
             "encoding": {"x": x, "y": y, "tooltip": [{"field": "n"}, {"field": "predicted"}, {"field": "observed"}]}},
        ],
    )  # fmt: skip


def importance(data: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    """The twenty columns whose shuffling hurts most."""
    if not data:
        return None
    return _chart(
        data={"values": data[:20]},
        mark="bar",
        height=22 * min(20, len(data)) + 20,
        encoding={
            "x": {"field": "fall", "type": "quantitative", "title": "fall of the score when shuffled"},
            "y": {"field": "column", "type": "nominal", "sort": None, "title": None},
        },
    )


def _chart(**parts: Any) -> dict[str, Any]:
    frame = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "width": WIDTH, "height": HEIGHT}
    return {**frame, "background": None, **parts}
