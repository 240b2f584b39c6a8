"""`perennial library` on records that were written by hand: what is listed, shown, forgotten, swept and packed."""

import json
import os

import pytest

from perennial.cli import run
from perennial.lang.ops import State
from perennial.library import Card, Evidence, Learnt, Library, Record
from perennial.library.records import Batch, Edge
from perennial.weights import Weights

TASK = Learnt("f" * 64, "hands", "table", "binary", "Record[a=Real]", "Dist[2]", 30, "accuracy", 0.5)


def module(number, *weights, input="Int", output="Int"):
    return Record("module", f"lambda x: add(x, {number})", input, output, weights)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two named modules, a younger version of one, and one that a record was made from."""
    monkeypatch.setenv("PERENNIAL_LIBRARY", str(tmp_path / "lib"))
    monkeypatch.chdir(tmp_path)
    with Library(tmp_path / "lib") as library:
        blob = library.store.put(Weights({"layer": State({}, {"a": "b"})}).to_bytes())
        first, second, third = module(1, blob), module(2), module(3)
        proofs = (
            Evidence(first.id, TASK.fingerprint, "solution", "accuracy", 0.75, gain=0.125, low=0.5, high=1.0, n=30),
            Evidence(first.id, TASK.fingerprint, "prefix", "accuracy", None),
        )  # fmt: skip
        library.store.commit(
            Batch(
                ((first, Card(1.0, study="oak-1", task=TASK.fingerprint, licence="MIT")), (second, Card(2.0)), (third, Card(3.0))),
                {"hands/solution": first.id, "eyes/solution": second.id}, proofs, (TASK,), (Edge(second.id, third.id, "grafted"),),
            )
        )  # fmt: skip
        library.add(module(4), Card(4.0), name="hands/solution")
    return tmp_path / "lib"


@pytest.fixture
def said(capsys):
    def ask(*arguments, code=0):
        capsys.readouterr()
        assert run(["library", *map(str, arguments)]) == code
        return capsys.readouterr()

    return ask


def listed(said, *arguments):
    return json.loads(said("list", *arguments, "--json").out)


def test_names_come_first_in_order_then_records_without_a_name(place, said):
    rows = listed(said)
    names = [row["name"] for row in rows]
    assert names[:3] == ["eyes/solution@1", "hands/solution@1", "hands/solution@2"]
    assert names[3:] == [module(3).id[:12]] == [rows[3]["id"]]
    told = rows[1]
    assert (told["task"], told["metric"], told["value"], told["evidence"]) == ("hands", "accuracy", 0.75, 2)
    assert (rows[0]["task"], rows[0]["metric"], rows[0]["value"], rows[0]["evidence"]) == ("", "", None, 0)


def test_a_pattern_is_of_names_without_their_version(place, said):
    assert [row["name"] for row in listed(said, "hands/*")] == ["hands/solution@1", "hands/solution@2"]
    assert listed(said, "*@1") == []
    assert said("list", "*@1").out == "No name looks like *@1.\n"


def test_a_type_that_is_long_is_cut_in_the_list_and_whole_in_the_record(place, said):
    long = f"Record[{', '.join(f'column{n}=Real' for n in range(9))}]"
    with Library(place) as library:
        library.add(module(5, input=long), Card(5.0), name="long/one")
    [row] = listed(said, "long/*")
    assert len(row["input"]) == 40 and row["input"] == f"{long[:39]}…"
    assert json.loads(said("show", "long/one", "--json").out)["input"] == long


def test_a_record_is_shown_with_its_evidence_and_what_it_was_made_from(place, said):
    lines = said("show", "hands/solution@1").out.splitlines()
    assert lines[0] == "lambda x: add(x, 1)" and "1 sets of weights" in lines
    assert f"module {module(1, *weights(place)).id[:12]}: Int -> Int" in lines
    assert (
        "licence: MIT" in lines
        and "study: oak-1" in lines
        and not any(line.startswith("golden") for line in lines)
    )
    task = TASK.fingerprint[:12]
    assert f"solution on task {task}: accuracy 0.75 [0.5, 1], +0.125 against scratch" in lines
    assert f"prefix on task {task}: accuracy no value" in lines
    lines = said("show", "eyes/solution").out.splitlines()
    assert lines[-1] == f"{module(2).id[:12]} grafted from {module(3).id[:12]}"


def weights(place):
    with Library(place) as library:
        return library.get("hands/solution@1").weights


def test_the_beginning_of_an_id_stands_for_the_record(place, said):
    id = module(3).id
    assert json.loads(said("show", id[:8], "--json").out)["id"] == id
    assert "Did you mean hands/solution?" in said("show", "hand/solution", code=2).err


def test_a_name_that_was_forgotten_is_gone_and_its_version_is_not_given_again(place, said):
    assert json.loads(said("forget", "hands/solution", "--json").out) == {"forgotten": "hands/solution@2"}
    assert [row["name"] for row in listed(said, "hands/*")] == ["hands/solution@1"]
    assert "has no 'hands/solution@2'" in said("forget", "hands/solution@2", code=2).err
    with Library(place) as library:
        assert library.add(module(6), Card(6.0), name="hands/solution") == "hands/solution@3"


def test_gc_takes_what_no_name_reaches_once_it_is_old(place, said):
    said("forget", "eyes/solution")
    old = {module(2).id, module(3).id}
    young = json.loads(said("gc", "--json").out)
    assert young["records"] == [] and young["young"] > 0
    dry = json.loads(said("gc", "--grace", "0", "--dry-run", "--json").out)
    assert set(dry["records"]) == old and dry["dry_run"]
    assert "2 records" in said("gc", "--grace", "0s").out
    assert {row["id"] for row in listed(said)} & {id[:12] for id in old} == set()
    assert said("verify").out.endswith("nothing is wrong\n")


def test_verify_exits_1_and_names_who_needs_a_blob_that_is_gone(place, said):
    [digest] = weights(place)
    (place / "blobs" / digest[:2] / digest).unlink()
    told = said("verify", code=1).out
    assert "WRONG hands/solution@1: A blob that a record needs is gone." in told
    assert told.endswith("1 problem\n")
    [problem] = json.loads(said("verify", "--json", code=1).out)["problems"]
    assert problem["digest"] == digest and problem["names"] == ["hands/solution@1"]


def test_blobs_that_nothing_needs_are_counted_and_no_problem(place, said):
    with Library(place) as library:
        library.store.put(b"of no use")
    assert "1 blob that nothing needs; perennial library gc removes them" in said("verify").out


def test_a_pack_carries_what_a_name_was_made_from_and_its_licence(place, said, tmp_path):
    assert json.loads(said("pack", "p.pern", "--names", "eyes/*", "--json").out) == {
        "pack": "p.pern", "names": ["eyes/solution@1"],
        "records": sorted([module(2).id, module(3).id]), "keeps_rows": [],
    }  # fmt: skip
    other = tmp_path / "other"
    assert "licence 'none'" in said("unpack", "p.pern", "--licence", "MIT", "--library", other, code=2).err
    told = said("unpack", "p.pern", "--library", other)
    assert told.out == "eyes/solution@1\n" and f"{other}: 1 names from p.pern" in told.err
    with Library(other) as library:
        assert {header.id for header in library.walk()} == {module(2).id, module(3).id}
        assert library.store.edges() == [Edge(module(2).id, module(3).id, "grafted")]


def test_a_pack_gives_a_licence_to_what_has_none(place, said, tmp_path):
    assert said("pack", "p.pern", "--licence", "CC0-1.0").out == "3 names and 4 records written to p.pern\n"
    said("unpack", "p.pern", "--licence", "MIT", "--licence", "CC0-1.0", "--library", tmp_path / "other")
    with Library(tmp_path / "other") as library:
        assert sorted(header.card.licence for header in library.walk()) == ["CC0-1.0"] * 3 + ["MIT"]
    with Library(place) as library:
        assert sum(header.card.licence == "" for header in library.walk()) == 3, "here nothing is changed"


def test_who_packs_is_told_of_words_that_keep_rows(place, said):
    with Library(place) as library:
        near = Record(
            "module", "lambda row: k_nearest(standardise(impute(numbers(row))))", "Record[a=Real]", "Dist[2]"
        )
        library.add(near, Card(5.0), name="near/solution")
    assert "kept by k_nearest" in said("pack", "p.pern").out
    assert "kept by" not in said("pack", "q.pern", "hands/*").out


def test_a_pack_that_is_refused_makes_no_library(place, said, tmp_path):
    (tmp_path / "p.pern").write_bytes(b"no pack")
    said("unpack", "p.pern", "--library", tmp_path / "new", code=1)
    said("pack", "q.pern")
    said("unpack", "q.pern", "--licence", "MIT", "--library", tmp_path / "new", code=2)
    assert not (tmp_path / "new").exists()


def test_a_pack_that_cannot_be_written_is_told(place, said, tmp_path):
    assert "The pack could not be written" in said("pack", tmp_path, code=1).err


def test_a_grace_without_a_unit_is_told_by_its_own_name(place, said):
    told = said("gc", "--grace", "5", code=2).err
    assert "--grace" in told and "--time" not in told


def test_half_an_interval_is_shown_without_it(place, said):
    with Library(place) as library:
        record = library.find("eyes/solution")
        library.note(Evidence(record, TASK.fingerprint, "solution", "accuracy", 0.5, low=0.25))
    assert "accuracy 0.5\n" in said("show", "eyes/solution").out


def test_a_pattern_that_fits_nothing_writes_no_pack(place, said):
    assert "No name looks like 'none/*'" in said("pack", "p.pern", "--names", "none/*", code=2).err
    assert not os.path.exists("p.pern")


def test_a_folder_that_is_no_library_is_not_made_one(tmp_path, said):
    for verb in (["list"], ["verify"], ["gc"], ["show", "a"], ["forget", "a"], ["pack", "p"]):
        assert "There is no library here." in said(*verb, "--library", tmp_path / "new", code=2).err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_library_says_so(tmp_path, said):
    Library(tmp_path / "empty").close()
    assert said("list", "--library", tmp_path / "empty").out == "The library is empty.\n"
