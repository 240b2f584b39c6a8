"""Networks that stay in the library, and what becomes of them on the next task of images."""

import dataclasses
import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from perennial import Protocol, Study, Task, compiler, grow, remembering, workflow
from perennial.errors import UsageError, WorkerError
from perennial.history import History
from perennial.lang import parse, to_source
from perennial.library import Library, features
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.spaces.networks import network_space
from perennial.weights import Weights
from perennial.workflow import grow_study

SIDE, SECONDS = 8, 5.0


def stripes(seed, rows=120, classes=3):
    """Classes are directions of stripes of any phase; they are seen after a convolution, not pixel by pixel."""
    generator = np.random.default_rng(seed)
    target = np.arange(rows) % classes
    down, across = np.indices((SIDE, SIDE))
    waves = [down, across, down + across, down - across][:classes]
    phases = generator.integers(0, 4, rows)
    images = np.stack([((waves[k] + p) % 4 < 2) * 120.0 for k, p in zip(target, phases, strict=True)])
    images += generator.normal(60.0, 15.0, images.shape)
    return images.clip(0, 255).astype(np.uint8)[..., None], np.array([f"c{k}" for k in target])


def task(seed, name, **settings):
    return Task.from_data(stripes(seed, **settings), name=name)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A library with what one network learnt."""
    folder = tmp_path_factory.mktemp("library") / "library"
    known = task(0, "stripes")
    space = network_space(known.input_type, known.output_type, 100, SECONDS, features=False)
    judging = Protocol.propose(known, kind="holdout")
    with Library(folder) as opened, Study(known, space=space, protocol=judging, workers=0) as study:
        grow_study(study, float("inf"), trials=1, library=opened)
    return folder


def grown(task, library, out=None, trials=1, **settings):
    """A study of a few trials that begins with what the library knows; its networks are small."""
    kept = {"out": out, "protocol": Protocol.propose(task, kind="holdout")}
    with Library(library) as opened, Study(task, sized_for=SECONDS, workers=0, **kept) as study:
        return grow_study(study, float("inf"), trials=trials, library=opened, **settings)


def part_in(library, of):
    with Library(library) as opened:
        return [part for part in features.parts_for(opened, of) if part.kind == "module"]


def kept_in(library, of):
    """The part as it was kept, without the cuts."""
    [part] = [part for part in part_in(library, of) if "global_pool" in part.source]
    return part


def test_a_network_leaves_its_features_beside_the_solution(library):
    with Library(library) as opened:
        assert {base for base, _ in opened.store.names()} == {
            "stripes/solution",
            "stripes/features",
            "stripes/recipe-1",
        }
        record = opened.get("stripes/features")
        [proof] = opened.store.evidence(record=record.id)
    assert (record.kind, record.input, record.output[:6]) == ("module", f"Image[{SIDE}, {SIDE}, 1]", "Tensor")
    assert proof.role == "prefix" and proof.gain is None and proof.value is not None


@pytest.fixture
def copied(library, tmp_path):
    """That library, to be changed."""
    return shutil.copytree(library, tmp_path / "library")


@pytest.fixture(scope="module")
def second(library, tmp_path_factory):
    """Another task, with few images, grown with a copy of that library, which lies beside the study."""
    folder = tmp_path_factory.mktemp("second") / "study"
    place = shutil.copytree(library, folder.parent / "library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "OPENERS_FIRST", 1)  # a network takes longer than all the rest
        model = grown(task(1, "few", rows=60), place, folder, trials=3)
    return model, folder


def test_the_next_task_tries_a_learner_on_what_the_network_sees(second):
    model, folder = second
    told = History.read(folder)
    tried = [record for record in told.records if record.trial.origin == "recalled"]
    assert ["frozen(" in record.source for record in tried] == [True, False]
    assert "head(" in tried[1].source
    assert all(record.trial.status == "scored" for record in tried)
    assert max(record.value for record in tried) > told.common_sense["value"]
    row = told.suggestions[0]
    assert (
        row["name"] == "stripes/features@1"
        and row["role"] == "prefix"
        and "a linear model on its features" in row["reason"]
    )
    with Library(folder.parent / "library") as opened:
        proofs = opened.store.evidence(record=row["record"])
    assert [proof.gain for proof in proofs if proof.study] and all(proof.role == "prefix" for proof in proofs)


def test_the_study_and_its_model_stand_without_the_library(second, tmp_path):
    model, folder = second
    told = History.read(folder)
    source = next(record.source for record in told.records if "frozen(" in record.source)
    images, _ = stripes(5, rows=9)
    again = Model.load(folder / "best")
    assert np.array_equal(again.predict(images), model.predict(images))
    with Study(task(1, "few", rows=60), out=folder, sized_for=SECONDS, workers=0) as opened:
        assert {part.name for part in opened.parts} == {"stripes/features@1", "stripes/solution@1"}
        genotype = next(record.trial.genotype for record in told.records if record.source == source)
        assert to_source(opened.space.freeze(genotype)) == source


def test_the_study_keeps_what_was_reused_once_and_not_with_each_candidate(second):
    model, folder = second
    told = History.read(folder)
    with Study(task(1, "few", rows=60), out=folder, sized_for=SECONDS, workers=0) as opened:
        record = next(record for record in told.records if "frozen(" in record.source and record.weights)
        program = parse(record.source, vocabulary())
        [node] = compiler.reused_parts(program)
        lean = [Weights.from_bytes(blob) for blob in opened.replicas(record)]
        whole = features.with_parts(program, lean, opened.parts, opened.task.input_type)
    assert lean and all(node.hash not in each for each in lean) and all(node.hash in each for each in whole)
    for each in whole:
        compiler.check_states(program, each)
    assert all(set(a) == set(b) - {node.hash} for a, b in zip(lean, whole, strict=True))
    again = features.without_parts(program, whole[0], {node.hash})
    assert again.to_bytes() == lean[0].to_bytes()


def test_the_report_tells_what_was_reused(second):
    _, folder = second
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "What the library suggested" in page and "stripes/features@1" in page


@pytest.mark.parametrize(
    ("reuse", "roles"), [("recipes", {"recipe"}), ("frozen", {"prefix", "whole"}), ("off", set())]
)
def test_one_says_what_is_reused(copied, tmp_path, reuse, roles):
    grown(task(2, "other", rows=60), copied, tmp_path / "s", reuse=reuse)
    assert {row["role"] for row in History.read(tmp_path / "s").suggestions} == roles


def test_a_wrong_word_for_reuse_is_refused():
    with pytest.raises(UsageError, match="all, recipes, frozen, off"):
        grow(task(2, "other"), trials=1, reuse="everything")


def test_images_in_colour_see_what_was_learnt_in_grey_and_tables_do_not(library):
    images, labels = stripes(3)
    faint = (images.astype(int) * [[[1.0, 0.8, 0.6]]]).astype(np.uint8)
    colours = Task.from_data((faint, labels))
    parts = part_in(library, colours)
    assert {part.name for part in parts} == {"stripes/features@1"} and len(parts) > 1
    assert max(features.scores(parts, colours, 0)) > 0.8
    table = Task.from_data(([[1.0], [2.0]] * 20, ["a", "b"] * 20))
    assert part_in(library, table) == []


def test_what_would_be_too_much_for_many_rows_is_not_offered(library, monkeypatch):
    monkeypatch.setattr(features, "MOST_CELLS", 120)
    [part] = part_in(library, task(3, "grey"))
    assert "global_pool" in part.source


def test_scores_tell_useful_features_from_useless_ones(library):
    part = kept_in(library, task(3, "grey"))
    seen = task(3, "grey")
    images, labels = stripes(3)
    shuffled = Task.from_data((images, np.random.default_rng(0).permutation(labels)))
    [good] = features.scores([part], seen, 0)
    [bad] = features.scores([part], shuffled, 0)
    assert good > 0.8 > 0.6 > bad


@pytest.mark.parametrize(
    "lie",
    [
        {"source": "lambda image: head(image)"},
        {"source": "lambda image: global_pool(pixels(image))"},
        {"source": "lambda a, b: global_pool(pixels(a))"},
        {"source": "global_pool"},
        {"source": "lambda image: relu(dense(global_pool(pixels(image)), units=65536))"},
        {"weights": b"nothing"},
    ],
)
def test_a_part_that_lies_is_left_out(library, lie):
    part = kept_in(library, task(3, "grey"))
    wrong = features.Part(**{**vars(part), **lie})
    with pytest.raises(Exception) as caught:
        features.check(wrong, task(3, "grey").input_type)
    assert type(caught.value).__name__ in ("ProgramError", "DamagedFile", "TypeMismatch", "UnknownWord")
    assert features.scores([wrong], task(3, "grey"), 0) == [None]


def test_the_command_line_shows_it_before_anything_is_fitted(library, command, tmp_path):
    images, labels = stripes(4, rows=40)
    np.savez(tmp_path / "new.npz", x=images, y=labels)
    done = command("library", "search", tmp_path / "new.npz", "--library", library, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows[0]["name"] == "stripes/features@1" and "a linear model on its features" in rows[0]["reason"]
    assert rows[0]["gain"]["low"] < rows[0]["gain"]["mean"] < rows[0]["gain"]["high"]
    told = command("library", "search", tmp_path / "new.npz", "--library", library, cwd=tmp_path).stdout
    assert (
        "not tried yet" in told
        and re.search(r"[+-]\d+ % \[-\d+, \+\d+\]", told)
        and "\ngain: expected" in told
    )


def test_few_rows_are_seen_in_five_places_and_many_or_costly_ones_in_one(library, monkeypatch):
    part, new = kept_in(library, task(3, "grey")), task(3, "grey")
    assert part.shifted and "shifted=True" in to_source(part.function)
    [seen], [plain] = (
        [word.call(new.inputs["image"], state=state)]
        for word, state in (features.adapted(each, new.input_type) for each in (part, unshifted(part)))
    )
    wide = np.pad(new.inputs["image"], ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    moves = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    word, state = features.adapted(unshifted(part), new.input_type)
    each = [
        word.call(wide[:, down : down + SIDE, right : right + SIDE], state=state) for down, right in moves
    ]
    np.testing.assert_allclose(seen, np.mean(each, axis=0), atol=1e-4)
    assert np.abs(seen - plain).max() > 1e-3
    for limit in ("FEW_IMAGES", "MOST_VIEWED"):
        with monkeypatch.context() as patch:
            patch.setattr(features, limit, 10)
            assert not kept_in(library, task(3, "grey")).shifted


def unshifted(part):
    return dataclasses.replace(part, shifted=False)


def test_what_there_is_no_time_to_ask_has_no_score(library):
    """The first answer may take longer: what it waits for is imported once."""
    part, asked = kept_in(library, task(3, "grey")), []
    study = asking(lambda each: 0.5, asked)
    assert remembering._scores(study, [part, part], seconds=0.0) == [0.5, None]
    assert remembering._scores(study, [part, part], seconds=9.0) == [0.5, 0.5]
    assert [limit > 9.0 for _, limit in asked] == [True, True, False]


def test_parts_are_judged_by_all_workers_and_one_that_fails_harms_no_other(library):
    part, asked, told = kept_in(library, task(3, "grey")), [], []
    parts = [dataclasses.replace(part, name=name) for name in "abc"]

    def answer(each):
        return WorkerError("no memory", status="out_of_memory") if each["part"].name == "a" else 0.5

    study = asking(answer, asked, workers=2, emit=lambda kind, **event: told.append(event["text"]))
    assert remembering._scores(study, parts, seconds=9.0) == [None, 0.5, 0.5]
    assert [names for names, _ in asked] == ["ab", "c"]
    assert told == ["a could not be judged: no memory"]


@pytest.mark.parametrize(("each_takes", "groups"), [(0.3, ["a", "bcde", "fgh"]), (2.5, ["a", "b", "c", "d"])])
def test_where_answers_come_quickly_several_are_asked_for_at_once(library, monkeypatch, each_takes, groups):
    part, asked, clock = kept_in(library, task(3, "grey")), [], [0.0]
    parts = [dataclasses.replace(part, name=name) for name in "abcdefgh"]
    monkeypatch.setattr(remembering, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def answer(each):
        clock[0] += each_takes
        return 0.5

    found = remembering._scores(asking(answer, asked), parts, seconds=6.0)
    assert [names for names, _ in asked] == groups
    assert found == [0.5] * len("".join(groups)) + [None] * (8 - len("".join(groups)))


def asking(answer, asked, workers=1, **more):
    """A study whose workers answer so; what they were asked is written down."""

    def attempts(function, each, limit):
        asked.append(("".join(one["part"].name for one in each), limit))
        return [answer(one) for one in each]

    return SimpleNamespace(attempts=attempts, seed=0, workers=workers, **more)
