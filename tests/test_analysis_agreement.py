"""Explanations, pictures, drawings and lines of talk, against scikit-learn, NumPy and brute force."""

import io
import xml.etree.ElementTree as xml
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, confusion_matrix, hamming_loss

from perennial import analysis, analysis_images, architecture, doctor, grow, metrics, terminal
from perennial.architecture import Box
from perennial.baseline import baselines
from perennial.errors import DataError
from perennial.library import Library
from perennial.task import Task

# -- analysis --------------------------------------------------------------------------------------------------------


def schema(classes=(), levels=("red", "blue")):
    return SimpleNamespace(
        display_name=lambda field: field.upper(), level_names=lambda field: list(levels), classes=classes
    )


def probabilities(generator, n, k):
    raw = generator.random((n, k)) + 0.01
    return raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "multilabel", "regression", "multiregression"])
def test_the_loss_of_rows_is_what_its_formula_says(problem):
    generator = np.random.default_rng(0)
    if problem in ("binary", "multiclass"):
        target, prediction = generator.integers(0, 3, 40), probabilities(generator, 40, 3)
        wanted = [1 - row[code] for row, code in zip(prediction, target, strict=True)]
    elif problem == "multilabel":
        target, prediction = generator.integers(0, 2, (40, 3)), generator.random((40, 3))
        wanted = [hamming_loss(one, row >= 0.5) for one, row in zip(target, prediction, strict=True)]
    else:
        shape = (40,) if problem == "regression" else (40, 2)
        target, prediction = generator.normal(size=shape), generator.normal(size=shape)
        wanted = np.abs(target - prediction).reshape(40, -1).mean(axis=1)
    assert analysis.row_loss(problem, target, prediction) == pytest.approx(np.array(wanted))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_confusion_is_that_of_scikit_learn(pairs):
    target, decided = np.array(pairs).T
    task = SimpleNamespace(schema=schema(("a", "b", "c", "d")), problem="multiclass")
    told = analysis.confusion(task, target, np.eye(4)[decided], None)
    assert told["counts"] == confusion_matrix(target, decided, labels=range(4)).tolist()
    assert told["classes"] == ["a", "b", "c", "d"]


def test_of_very_many_classes_the_most_frequent_are_shown_in_their_order(monkeypatch):
    monkeypatch.setattr(analysis, "SHOWN_CLASSES", 2)
    target = np.array([0] * 2 + [1] + [2] * 5 + [3])
    told = analysis.confusion(SimpleNamespace(schema=schema("wxyz")), target, np.eye(4)[target], None)
    assert told == {"classes": ["w", "y"], "counts": [[2, 0], [0, 5]]}


@pytest.mark.parametrize("k", [2, 4])
def test_reliability_counts_every_row_once_and_its_brier_score_is_that_of_scikit_learn(k):
    generator = np.random.default_rng(1)
    target, prediction = generator.integers(0, k, 300), probabilities(generator, 300, k)
    told = analysis.reliability("binary" if k == 2 else "multiclass", target, prediction)
    assert sum(entry["n"] for entry in told["bins"]) == 300
    said = prediction[:, 1] if k == 2 else prediction.max(axis=1)
    came = target if k == 2 else (prediction.argmax(axis=1) == target).astype(int)
    assert told["brier"] == pytest.approx(brier_score_loss(came, said))
    weighed = sum(e["n"] * e["observed"] for e in told["bins"] if e["n"])
    assert weighed == pytest.approx(came.sum())


@given(st.integers(1, 1500), st.integers(0, 99))
def test_a_scatter_has_at_most_five_hundred_points_and_both_ends(n, seed):
    generator = np.random.default_rng(seed)
    target, prediction = generator.normal(size=n), generator.normal(size=n)
    told = analysis.residuals(target, prediction)
    assert len(told["actual"]) == len(told["predicted"]) == min(n, 500)
    assert (told["actual"][0], told["actual"][-1]) == (target[0], target[-1])
    assert set(zip(told["actual"], told["predicted"], strict=True)) <= set(
        zip(target, prediction, strict=True)
    )


def test_groups_of_a_column_are_its_levels_its_quarters_and_what_is_missing():
    task = SimpleNamespace(schema=schema())
    codes = np.array([0] * 5 + [1] * 4 + [-1] * 3 + [2] * 2, dtype=np.int32)
    found = dict(analysis._groups(task, "c", codes))
    assert {name: int(mask.sum()) for name, mask in found.items()} == {
        "missing": 3,
        "red": 5,
        "blue": 4,
        "2": 2,
    }
    numbers = np.append(np.arange(100.0), [np.nan] * 7)
    masks = [mask for _, mask in analysis._groups(task, "n", numbers)]
    assert [int(mask.sum()) for mask in masks] == [7, 25, 25, 25, 25]
    assert (np.sum(masks, axis=0) == 1).all(), "each row is in one of them"
    few = dict(analysis._groups(task, "n", np.append(np.arange(79.0), np.nan)))
    assert list(few) == ["missing"], "fewer than twenty a quarter say nothing"
    assert list(analysis._groups(task, "t", np.array(["a", None], dtype=object))) == []


def test_a_slice_has_the_mean_and_the_interval_of_its_rows():
    generator = np.random.default_rng(2)
    column = np.repeat(np.array([0, 1], dtype=np.int32), [150, 50])
    loss = generator.random(200) + column
    task = SimpleNamespace(inputs={"c": column, "image": np.zeros((200, 2, 2, 1))}, schema=schema())
    [worst] = analysis.slices(task, np.arange(200), loss)
    own = loss[column == 1]
    half = 1.96 * own.std() / np.sqrt(50)
    assert (worst["column"], worst["value"], worst["n"]) == ("C", "blue", 50)
    assert (worst["loss"], worst["low"], worst["high"]) == pytest.approx(
        (own.mean(), own.mean() - half, own.mean() + half)
    )
    assert worst["overall"] == pytest.approx(loss.mean())


def test_importance_ends_with_its_time_but_never_without_a_column():
    """Many rows are shuffled a column at a time."""
    n = 10_001
    task = SimpleNamespace(
        inputs={f"f{c}": np.arange(float(n)) for c in range(3)}, target=np.arange(float(n)), schema=schema()
    )
    asked = (task, np.arange(n), lambda inputs: inputs["f0"], metrics.resolve("rmse"))
    assert [entry["column"] for entry in analysis.importance(*asked, -1.0, 0)] == ["F0"]
    falls = {entry["column"]: entry["fall"] for entry in analysis.importance(*asked, 60.0, 0)}
    assert falls["F1"] == falls["F2"] == 0.0
    assert falls["F0"] == pytest.approx(n / np.sqrt(6), rel=0.03), "two independent draws of 0 to n"


def test_what_predictions_tell_depends_on_the_problem():
    generator = np.random.default_rng(3)
    labels = Task.from_data(
        (generator.normal(size=(60, 2)), generator.integers(0, 2, (60, 2))), problem="multilabel"
    )
    told = analysis.of_predictions(
        labels, np.arange(60), labels.target, generator.random((60, 2)), metrics.resolve("f1_micro"), None
    )
    assert set(told) == {"metric", "rows", "slices", "worst"} and told["rows"] == 60
    losses = [entry["loss"] for entry in told["worst"]]
    assert losses == sorted(losses, reverse=True) and len(losses) == analysis.SHOWN_ROWS


# -- pictures and drawings -------------------------------------------------------------------------------------------


def decoded(uri):
    import base64

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


@pytest.mark.parametrize("shape", [(5, 7, 1), (48, 48, 3), (4, 6, 4), (3, 2, 2)])
def test_a_small_picture_is_kept_pixel_by_pixel(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    wanted = image[..., :3] if shape[2] >= 3 else image[..., 0]
    assert np.array_equal(decoded(analysis_images.picture(image)), wanted)


@pytest.mark.parametrize(
    ("shape", "size"), [((96, 192, 3), (24, 48)), ((480, 96, 1), (48, 10)), ((1000, 2, 1), (48, 1))]
)
def test_a_large_picture_is_made_smaller_and_keeps_its_form(shape, size):
    assert decoded(analysis_images.picture(np.full(shape, 200, np.uint8))).shape[:2] == size


def test_a_strip_has_white_gaps_between_its_images():
    images = np.zeros((3, 4, 5, 1), np.uint8)
    strip = decoded(analysis_images.strip(images))
    assert strip.shape == (4, 3 * 5 + 2 * analysis_images.GAP)
    white = np.flatnonzero(strip[0] == analysis_images.BACKGROUND)
    assert white.tolist() == [5, 6, 12, 13] and strip.sum() == 255 * 4 * 4


def test_the_part_that_the_answer_depends_on_is_where_the_map_is_largest():
    image = np.zeros((16, 16, 1), np.uint8)
    image[8:12, 4:8] = 255
    falls = analysis_images.occlusion_map(
        image, lambda images: images[:, 8:12, 4:8, 0].mean(axis=(1, 2)) / 255, cells=4
    )
    assert falls.shape == (4, 4) and np.unravel_index(falls.argmax(), falls.shape) == (2, 1)
    assert falls.min() >= 0 and falls[0, 3] == pytest.approx(0.0)


boxes = st.lists(st.lists(st.integers(0, 8), max_size=3), min_size=1, max_size=9).map(
    lambda told: [
        Box(f"w{n}", "", "Real", tuple(place for place in inputs if place < n))
        for n, inputs in enumerate(told)
    ]
)


@given(boxes)
def test_arcs_that_overlap_never_share_a_lane_and_the_drawing_is_xml(shown):
    lanes = architecture._lanes(shown)
    assert set(lanes) == {(s, t) for s, t in architecture._edges(shown) if t - s > 1}
    for (start, end), lane in lanes.items():
        for (other, last), taken in lanes.items():
            if (start, end) != (other, last) and start < last and other < end:
                assert lane != taken or lane == architecture.MOST_LANES - 1
    root = xml.fromstring(architecture.svg(shown))
    rows = [node for node in root.iter() if node.tag == "rect"]
    paths = [node for node in root if node.tag == "path"]
    assert len(rows) == len(shown) and len(paths) == len(architecture._edges(shown))


def test_baselines_are_the_mean_and_the_shares_that_numpy_gives():
    generator = np.random.default_rng(5)
    numbers = generator.normal(size=(80, 2))
    train, judged = np.arange(60), np.arange(60, 80)
    line = Task.from_data((numbers, numbers[:, 0] * 3 + 1), problem="regression")
    mean, rule = baselines(line, train, metrics.resolve("rmse"), judged)
    wanted = np.sqrt(np.mean((line.target[judged] - line.target[train].mean()) ** 2))
    assert mean.value == pytest.approx(wanted) and mean.score == -mean.value and rule.value < mean.value
    median, _ = baselines(line, train, metrics.resolve("mae"), judged)
    assert median.name == "median"
    assert median.value == pytest.approx(np.abs(line.target[judged] - np.median(line.target[train])).mean())
    classes = Task.from_data((numbers, np.where(np.arange(80) % 4 == 0, "rare", "usual")))
    shares, _ = baselines(classes, np.arange(80), metrics.resolve("accuracy"))
    assert shares.value == 0.75
    assert np.allclose(shares.predict(classes.inputs), np.bincount(classes.target) / 80, atol=0.02)


# -- doctor ----------------------------------------------------------------------------------------------------------


def test_a_check_that_raises_is_wrong_and_the_others_go_on(monkeypatch):
    def broken():
        raise OSError("no such disk")

    for name in ("_python", "_packages", "_networks", "_workers", "_memory", "_library"):
        monkeypatch.setattr(doctor, name, lambda: (True, "fine"))
    monkeypatch.setattr(doctor, "_disk", broken)
    checks = {check["name"]: check for check in doctor.examine()}
    assert not checks["disk"]["ok"] and checks["disk"]["text"] == "OSError: no such disk"
    assert (
        all(check["ok"] for name, check in checks.items() if name != "disk")
        and "SQLite" in checks["journal"]["text"]
    )
    lines = doctor.text(list(checks.values())).splitlines()
    assert "WRONG disk: OSError: no such disk" in lines and len(lines) == len(checks)


def test_models_of_the_library_are_asked_again(monkeypatch, tmp_path):
    place = tmp_path / "library"
    monkeypatch.setenv("PERENNIAL_LIBRARY", str(place))
    assert doctor._library() == (True, f"nothing is remembered yet in {place}")
    task = Task.from_examples([([3, 1, 2], [1, 2, 3]), ([9, 7], [7, 9])], name="in order")
    grow(task, seconds=10, library=place)
    assert doctor._library() == (True, f"1 model in {place}, 1 asked again, 1 the same bit for bit")
    with Library(place) as library:
        [header] = library.walk(kind="solution")
    (place / "blobs" / header.card.golden[:2] / header.card.golden).write_bytes(b"spoilt")
    good, text = doctor._library()
    assert not good and header.id[:12] in text


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False), ((4, 0), False)]
)
def test_the_tested_versions_of_python_are_told_apart(monkeypatch, version, ok):
    monkeypatch.setattr(doctor.sys, "version_info", (*version, 0))
    good, text = doctor._python()
    assert good is ok and ("3.11 to 3.13 are tested" in text) is not ok


@pytest.mark.parametrize(
    ("wanted", "ok", "text"),
    [
        (["numpy>=1", "nothing-like-it; extra == 'more'"], True, "1 packages in the wanted versions"),
        (["numpy>=99"], False, f"numpy {np.__version__}, wanted >=99"), (["nothing-like-it"], False, "nothing-like-it is missing"),
        (["nothing-like-it; python_version < '3'"], True, "0 packages"), (None, True, "0 packages"),
    ],
)  # fmt: skip
def test_packages_are_compared_with_what_is_wanted(monkeypatch, wanted, ok, text):
    monkeypatch.setattr(doctor, "requires", lambda _: wanted)
    assert doctor._packages()[0] is ok and text in doctor._packages()[1]


def test_a_data_file_is_counted_with_its_warnings(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{n % 7},{'no' if n % 2 else 'yes'}\n" for n in range(40)))
    good, text = doctor._data(str(path))
    assert good and text.startswith("40 rows, binary, ")
    with pytest.raises(DataError):
        doctor._data(str(tmp_path / "none.csv"))


# -- talk ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("baseline", {"name": "mean", "value": 1.23456}, "  baseline mean: 1.235"),
        ("baseline", {"name": "linear", "value": None}, "  baseline linear: failed"),
        ("protocol", {"kind": "kfold", "train_rows": 8, "test_rows": 2, "reasons": ["few rows"]},
         "  kfold, 8 rows to learn from, 2 sealed for the test\n  few rows"),
        ("test", {"value": 0.5, "low": 0.25, "high": 0.75, "n": 9, "baseline": 0.125}, "  test 0.5 [0.25, 0.75] on 9 rows; baseline 0.125"),
        ("recalled", {"suggestions": []}, "  nothing that fits is remembered"),
        ("recalled", {"suggestions": [{"name": "a@1", "reason": "like it"}]}, "  a@1: like it"),
        ("chosen", {"kind": "single", "value": 0.5}, "  chosen: single, 0.5 on validation"),
        ("chosen", {"kind": "program", "value": 1.0, "judged_on": "all"}, "  chosen: program, 1 on all"),
        ("kept", {"name": "a@1"}, "  kept in the library as a@1"),
        ("sensed", {"rows": 3, "columns": [], "findings": [], "input_type": "List[Int]"}, "  3 rows; each is List[Int]"),
        ("trial", {}, None),
    ],
)  # fmt: skip
def test_an_event_is_told_in_its_line(kind, data, line):
    assert terminal.describe(kind, data) == line


@pytest.mark.parametrize(("left", "best", "line"), [
    (np.inf, None, "5s · 2 tried, 0 failed"), (-3.0, None, "5s, 0s left · 2 tried, 0 failed"),
    (9.6, 0.5, "5s, 10s left · 2 tried, 0 failed · rmse 0.5 against baseline 2"),
])  # fmt: skip
def test_a_status_line_tells_what_is_known(left, best, line):
    told = {
        "elapsed": 5.2,
        "left": left,
        "trials": 2,
        "failed": 0,
        "metric": "rmse",
        "best": best,
        "baseline": 2.0,
    }
    assert terminal.status_line(told) == line


def test_a_line_comes_at_least_every_ten_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = terminal.Lines(stream)
    told = {
        "elapsed": 1.0,
        "left": 9.0,
        "trials": 0,
        "failed": 0,
        "metric": "rmse",
        "best": None,
        "baseline": 2.0,
    }
    for second, trials, wanted in ((5.0, 1, 0), (11.0, 0, 0), (12.0, 3, 0), (22.0, 3, 1), (23.0, 3, 1)):
        now[0] = second
        lines.on_tick({**told, "trials": trials})
        assert len(stream.getvalue().splitlines()) == wanted, second
