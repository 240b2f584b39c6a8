"""Growing with a library: what did well before is tried early, what became of it is written down, and nothing can hurt."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from perennial import Task, grow
from perennial.errors import StoreError
from perennial.history import History, Record
from perennial.library import Card, Library
from perennial.library.recall import RECIPE
from perennial.remembering import Chances, as_good, chances
from perennial.spaces import Genotype
from perennial.testing.libraries import misremember
from perennial.trial import Proposal, Trial


def table(seed, rows=150):
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, rows))
    return Task.from_data(
        {"x": x, "z": z, "y": np.where(x * z + 0.2 * x > 0, "up", "down")}, "y", name=f"table {seed}"
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two tables of one kind, grown one after the other with one library."""
    folder = tmp_path_factory.mktemp("two")
    models = [
        grow(
            table(seed),
            trials=5,
            workers=0,
            seed=seed,
            out=folder / f"s{seed}",
            library=folder / "library",
            reuse="recipes",
        )  # fmt: skip
        for seed in (1, 2)
    ]
    return folder, models


def test_the_first_study_has_nothing_to_recall_and_leaves_recipes(two):
    folder, (first, _) = two
    assert History.read(folder / "s1").recalled["suggestions"] == [] and first.result["reused"] == []
    assert first.result["kept"] == ["table-1/solution@1"]
    with Library(folder / "library") as library:
        assert ("table-1/recipe-1", 1) in library.store.names()


def test_the_second_tries_what_did_well_after_the_first_openers(two):
    folder, (_, second) = two
    told = History.read(folder / "s2")
    suggestions = told.recalled["suggestions"]
    assert suggestions and all("table 1" in each["reason"] for each in suggestions)
    tried = [dict(record.trial.genotype) for record in told.records]
    known = [each["genotype"] for each in suggestions]
    assert any(genotype in known for genotype in tried)
    assert set(second.result["reused"]) <= {each["name"] for each in suggestions}
    origins = [record.trial.origin for record in told.records]
    assert origins[0] == "opener"


def replays(folder):
    return [entry for entry in History.read(folder).verdicts if entry["stage"] == "replay"]


def test_older_models_are_asked_again_after_each_study_that_leaves_one(two):
    folder, _ = two
    assert replays(folder / "s1") == []
    assert [entry["text"] for entry in replays(folder / "s2")] == [
        "1 older model of the library asked again: 1 the same bit for bit"
    ]
    assert "1 the same bit for bit" in (folder / "s2" / "report.html").read_text()


def test_an_older_model_that_says_something_else_is_told(two, tmp_path):
    folder, _ = two
    shutil.copytree(folder / "library", tmp_path / "library")
    with Library(tmp_path / "library") as library:
        wrong = library.store.header(library.find("table-2/solution")).card.golden
        library.forget("table-2/solution")
        misremember(library, "table-1/solution", wrong)
    grow(table(3), trials=2, workers=0, seed=3, out=tmp_path / "s", library=tmp_path / "library", reuse="off")
    wrong, last = (entry["text"] for entry in replays(tmp_path / "s"))
    assert wrong.startswith("table-1/solution@2 of the library: A model does not say what it said")
    assert last == "1 older model of the library asked again: 0 the same bit for bit"


def test_an_older_model_that_cannot_be_built_any_more_is_told(two, tmp_path):
    folder, _ = two
    shutil.copytree(folder / "library", tmp_path / "library")
    with Library(tmp_path / "library") as library:
        record = library.get("table-1/solution")
        golden = library.store.header(record.id).card.golden
        broken = replace(record, details={**record.details, "codec": {"modality": "x"}})
        library.add(broken, Card(0.0, golden=golden), name="table-1/solution")
        library.forget("table-1/solution@1")
        library.forget("table-2/solution")
    grow(table(3), trials=2, workers=0, seed=3, out=tmp_path / "s", library=tmp_path / "library", reuse="off")
    [told] = replays(tmp_path / "s")
    assert told["text"].startswith("table-1/solution@2 of the library cannot be asked any more: ")


def test_an_older_model_whose_file_is_damaged_is_told_and_harms_nothing(two, tmp_path):
    folder, _ = two
    shutil.copytree(folder / "library", tmp_path / "library")
    with Library(tmp_path / "library") as library:
        for n in (1, 2):
            golden = library.store.header(library.find(f"table-{n}/solution")).card.golden
            (tmp_path / "library" / "blobs" / golden[:2] / golden).write_bytes(b"spoilt")
    model = grow(
        table(3), trials=2, workers=0, seed=3, out=tmp_path / "s", library=tmp_path / "library", reuse="off"
    )
    assert model.result["kept"] == ["table-3/solution@1"]
    [told] = replays(tmp_path / "s")
    assert told["text"].startswith("an older model of the library cannot be asked again")


def test_what_became_of_a_suggestion_is_evidence_good_or_bad(two):
    folder, _ = two
    told, task = History.read(folder / "s2"), table(2)
    with Library(folder / "library") as library:
        proofs = [each for each in library.store.evidence(task=task.fingerprint) if each.study == "s2"]
    own = [each for each in told.suggestions if each["scratch"] is not None]
    assert {each["record"] for each in own} == {each.record for each in proofs}
    tried_anyway = {
        dict_ for each in told.records if each.trial.origin == "opener" for dict_ in [each.trial.genotype]
    }
    for each in told.suggestions:
        usual = Genotype(
            next(s["genotype"] for s in told.recalled["suggestions"] if s["name"] == each["name"])
        )
        assert (usual in tried_anyway) <= (each["gain"] is None), "what is tried in any case earns nothing"
    sign = 1 if told.protocol["direction"] == "maximize" else -1
    for each in proofs:
        assert each.role == RECIPE
        assert each.value is None or each.gain == pytest.approx(sign * (each.value - each.scratch))


def test_gains_are_of_what_only_the_library_brought():
    def trial(number, genotype, value, origin, status="scored"):
        told = Trial(
            number, Genotype(genotype), "h", status=status, score=value, stage="overfit", origin=origin
        )
        return Record(told, "x", value)

    told = History(protocol={"direction": "maximize"}, chosen={"members": [2]})
    told.records = [
        trial(0, {"a": 0}, 0.7, "opener"), trial(1, {"a": 1}, 0.9, "opener"), trial(2, {"a": 2}, 0.95, "recalled"),
        trial(3, {"a": 3}, None, "recalled", status="failed"),
    ]  # fmt: skip
    told.recalled = {
        "suggestions": [
            {"name": f"r{n}", "record": str(n), "reason": "", "genotype": {"a": n}} for n in (1, 2, 3, 4)
        ]
    }
    usual, better, failed, late = told.suggestions
    assert usual["gain"] is None and usual["scratch"] is None and usual["status"] == "tried in any case"
    assert better["gain"] == pytest.approx(0.05) and better["reused"] and better["scratch"] == 0.9
    assert failed["gain"] is None and failed["scratch"] == 0.9 and failed["status"] == "failed"
    assert late["status"] == "not tried" and late["scratch"] is None and not late["reused"]


def on_trial(waiting, records, seconds, scores, took=1.0):
    """Which proposals are tried, one after another, when each has this score."""
    proposals = [
        Proposal(Genotype({"a": n}), origin="recalled" if n in records else "opener") for n in waiting
    ]
    source = Chances(proposals, {Genotype({"a": n}): record for n, record in records.items()}, seconds)
    tried = []
    while asked := source.ask(1):
        number = asked[0].genotype["a"]
        tried.append(number)
        status = "failed" if scores[number] is None else "scored"
        source.tell(Trial(number, asked[0].genotype, "h", status=status, score=scores[number], seconds=took))
    return tried


ON_ONE = dict.fromkeys((1, 2, 3, 4), "whole")


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ({0: 0.9, 1: 0.8, 2: 0.85, 3: 0.99, 4: 0.99, 5: 0.5}, [0, 1, 2, 5]),
        ({0: 0.9, 1: 0.8, 2: 0.91, 3: 0.1, 4: 0.2, 5: 0.5}, [0, 1, 2, 3, 4, 5]),
        ({0: 0.9, 1: None, 2: None, 3: 0.99, 4: 0.99, 5: 0.5}, [0, 1, 2, 5]),
        ({0: None, 1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4, 5: 0.5}, [0, 1, 2, 3, 4, 5]),
    ],
    ids=["behind", "ahead", "failed", "nothing to be behind of"],
)
def test_what_stands_on_the_library_must_be_worth_its_time(scores, wanted):
    assert on_trial(range(6), ON_ONE, 1.5, scores) == wanted


def test_what_takes_little_time_has_all_its_chances():
    scores = {0: 0.9, 1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4, 5: 0.5}
    assert on_trial(range(6), ON_ONE, 1.5, scores, took=0.3) == [0, 1, 2, 3, 4, 5]
    assert on_trial(range(6), {**ON_ONE, 3: "other", 4: "other"}, 1.5, scores) == [0, 1, 2, 3, 4, 5]


def test_each_record_has_chances_of_its_own_and_so_have_several_asked_for_at_once():
    records = {1: "a", 2: "a", 3: "a", 4: "b", 5: "b"}
    proposals = [Proposal(Genotype({"a": n}), origin="recalled") for n in records]
    source = Chances(proposals, {Genotype({"a": n}): record for n, record in records.items()}, 0.0)
    source.tell(Trial(9, Genotype({"a": 9}), "h", status="scored", score=0.5, seconds=1.0))
    assert [each.genotype["a"] for each in source.ask(2)] == [1, 2]
    for number in (1, 2):
        source.tell(Trial(number, Genotype({"a": number}), "h", status="scored", score=0.1, seconds=1.0))
    assert [each.genotype["a"] for each in source.ask(3)] == [4, 5] and source.ask(1) == []


@pytest.mark.parametrize(
    ("modality", "deterministic", "wanted"),
    [("table", False, [7]), ("table", True, [3, 4, 7]), ("image", False, [3, 4, 7])],
)
def test_a_study_that_goes_on_remembers_which_chances_were_had(modality, deterministic, wanted):
    def record(number, origin, score):
        genotype = Genotype({"a": number})
        return Record(
            Trial(number, genotype, "h", status="scored", score=score, origin=origin, seconds=3.0), "x", score
        )

    told = [{"genotype": {"a": n}, "record": "whole"} for n in (1, 2, 3, 4)]
    history = History(
        records=[record(0, "opener", 0.9), record(1, "recalled", 0.8), record(2, "recalled", 0.7)]
    )
    history.recalled = {"suggestions": told}
    study = SimpleNamespace(
        history=history, space=SimpleNamespace(from_json=Genotype), workers=2, deterministic=deterministic,
        task=SimpleNamespace(modality=modality),
    )  # fmt: skip
    waiting = [Proposal(Genotype({"a": n}), origin="opener" if n == 7 else "recalled") for n in (3, 4, 7)]
    assert [each.genotype["a"] for each in chances(study, waiting, 30.0).ask(9)] == wanted


def test_a_confirmation_stands_for_the_trial_that_it_confirms():
    told = History(chosen={"members": [7]})
    searched = Record(Trial(0, Genotype({"a": 1}), "h", status="scored", score=0.5), "x", 0.5)
    confirmed = Record(
        Trial(7, Genotype({"a": 1, "epochs": 200}), "h", status="scored", score=0.6, parents=(0,)), "x", 0.6
    )
    told.records, told.confirmations = [searched], [confirmed]
    assert told.members == [searched]


def test_a_study_that_has_ended_can_be_kept_later(tmp_path):
    settings = {"trials": 2, "workers": 0, "out": tmp_path / "s"}
    first = grow(table(5), **settings)
    assert first.result["kept"] == []
    for _ in range(2):
        again = grow(table(5), **settings, library=tmp_path / "library")
        assert again.result["kept"] == ["table-5/solution@1"]
    assert [entry["name"] for entry in History.read(tmp_path / "s").kept] == ["table-5/solution@1"]
    with Library(tmp_path / "library") as library:
        assert ("table-5/recipe-1", 1) in library.store.names()


def test_a_study_is_kept_once_in_each_of_two_libraries(tmp_path):
    settings = {"trials": 2, "workers": 0, "out": tmp_path / "s"}
    grow(table(5), **settings, library=tmp_path / "one")
    for _ in range(2):
        grow(table(5), **settings, library=tmp_path / "other")
    places = [entry["library"] for entry in History.read(tmp_path / "s").kept]
    assert len(places) == 2 and len(set(places)) == 2
    with Library(tmp_path / "other") as library:
        assert len(library.store.evidence()) == len(Library(tmp_path / "one").store.evidence())


def test_a_study_that_goes_on_keeps_the_suggestions_that_it_began_with(two, tmp_path):
    folder, _ = two
    place = shutil.copytree(folder / "library", tmp_path / "library")
    grow(table(3), trials=2, workers=0, out=tmp_path / "s", library=place)
    before = History.read(tmp_path / "s").recalled
    with Library(place) as library:
        for base, version in list(library.store.names()):
            library.forget(f"{base}@{version}")
    model = grow(table(3), trials=4, workers=0, out=tmp_path / "s")
    assert History.read(tmp_path / "s").recalled == before and before["suggestions"]
    assert model.result["trials"] == 4


def test_a_library_that_cannot_be_read_is_told_and_harms_nothing(two, monkeypatch, tmp_path):
    folder, _ = two

    def damaged(*_, **__):
        raise StoreError("The index is damaged.")

    monkeypatch.setattr("perennial.library.recall.suggest", damaged)
    monkeypatch.setattr(Library, "keep", damaged)
    model = grow(table(4), trials=2, workers=0, out=tmp_path / "s", library=folder / "library")
    texts = [entry["text"] for entry in History.read(tmp_path / "s").verdicts]
    assert any("could not be asked: The index is damaged." in text for text in texts)
    assert any("not kept in the library" in text for text in texts) and model.result["beaten"]


def test_the_same_data_again_leave_no_second_model_unless_it_is_better(two, tmp_path):
    folder, _ = two
    library = shutil.copytree(folder / "library", tmp_path / "library")
    settings = {"trials": 5, "workers": 0, "seed": 1, "library": library, "reuse": "off"}
    again = grow(table(1), out=tmp_path / "again", **settings)
    told = History.read(tmp_path / "again")
    assert again.result["kept"] == []
    assert [each["text"] for each in told.verdicts if each["stage"] == "remember"] == [
        "not kept in the library: table-1/solution@1 is of the same data and as good on validation"
    ]

    with Library(library) as opened:
        before = len(opened.store.evidence())
    grow(table(1), out=tmp_path / "again", **settings)
    with Library(library) as opened:
        assert len(opened.store.evidence()) == before, "a study that has ended is told once"

    def known(value, seed=1, better=False, **protocol):
        judged = SimpleNamespace(
            chosen={"value": value}, protocol={**told.protocol, **protocol}, created=told.created
        )
        with Library(library) as opened:
            return as_good(opened, judged, table(seed), better)

    value = told.chosen["value"]
    assert known(value) == known(value - 0.1) == "table-1/solution@1"
    assert known(value + 0.001) is None, "a better one is kept"
    assert known(value, better=True) is None and known(value - 0.1, better=True) is not None
    reasons = {**told.protocol["settings"], "reasons": ["as you asked"]}
    assert known(value, settings=reasons) is not None, "why it was judged so changes nothing"
    assert known(value, metric="log_loss") is None, "other metrics cannot be compared"
    assert known(value, kind="time") is None, "nor other protocols"
    assert known(value, seed=3) is None, "nor other data"
    with Library(library) as opened:
        opened.forget("table-1/solution@1")
    assert known(value) is None, "what has no name is not there"


def test_a_library_that_cannot_be_walked_is_no_reason_to_keep_nothing(two, monkeypatch):
    folder, _ = two

    def damaged(*_, **__):
        raise StoreError("The index is damaged.")

    monkeypatch.setattr(Library, "walk", damaged)
    judged = SimpleNamespace(chosen={"value": 0.5}, protocol={"direction": "maximize"}, created={})
    with Library(folder / "library") as opened:
        assert as_good(opened, judged, table(1)) is None
