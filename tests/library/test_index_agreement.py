"""The index against plain Python and against SQLite itself, and the small formulas of the library against their definitions."""

import base64
import json
import sqlite3
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial import Task
from perennial.errors import DamagedFile, ProgramError, StoreError, UsageError
from perennial.lang.ops import State
from perennial.library import Card, Evidence, Library, features, recall
from perennial.library.base import reachable
from perennial.library.description import description
from perennial.library.embedding import SIDE, _small
from perennial.library.features import Part
from perennial.library.gains import tried
from perennial.library.golden import PROBES, difference, golden_bytes, probes
from perennial.library.records import Batch, Edge, split_name
from perennial.library.seen import MOST, _mixed, asked_of, knows, shared, told_of
from perennial.testing.libraries import some_record, some_task
from perennial.weights import Weights

# -- the index -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Forty records of several kinds, types and tasks, half of them with names."""
    folder = tmp_path_factory.mktemp("filled") / "library"
    generator = np.random.default_rng(0)
    with Library(folder) as library:
        for number in range(40):
            kind = ("solution", "module", "recipe")[generator.integers(3)]
            record, task = some_record(number, kind=kind), some_task(int(generator.integers(4)))
            names = {f"base-{generator.integers(5)}/one": record.id} if generator.random() < 0.5 else {}
            proofs = tuple(
                Evidence(record.id, some_task(int(place)).fingerprint, "recipe", "roc_auc", float(place))
                for place in generator.integers(0, 4, generator.integers(0, 3))
            )
            card = Card(float(number), task=task.fingerprint)
            library.store.commit(Batch(((record, card),), names, proofs, (task,)))
        yield library


def rows(library, question):
    with sqlite3.connect(f"file:{library.store.place}/index.db?mode=ro", uri=True) as database:
        found = database.execute(question).fetchall()
    database.close()
    return found


@pytest.mark.parametrize("kind", ["", "solution", "module", "recipe", "poem"])
@pytest.mark.parametrize("task", ["", some_task(1).fingerprint, "f" * 64])
def test_headers_are_those_that_sqlite_has_in_order(filled, kind, task):
    wanted = sorted(
        id for id, *told in rows(filled, "SELECT id, kind, task FROM record")
        if kind in ("", told[0]) and task in ("", told[1])
    )  # fmt: skip
    assert [header.id for header in filled.store.headers(kind=kind, task=task)] == wanted
    assert [header.id for header in filled.walk(kind=kind, task=task)] == wanted


@pytest.mark.parametrize("piece", [1, 7, 40, 41])
def test_pieces_of_any_size_are_all_headers_once(filled, monkeypatch, piece):
    monkeypatch.setattr("perennial.library.library.PIECE", piece)
    ids = [header.id for header in filled.walk()]
    assert ids == sorted(id for (id,) in rows(filled, "SELECT id FROM record")) and len(ids) == 40
    assert [header.id for header in filled.store.headers(after=ids[5], limit=piece)] == ids[6 : 6 + piece]


def test_evidence_is_that_of_a_record_and_of_a_task(filled):
    everything = [
        Evidence.from_json(json.loads(data)) for (data,) in rows(filled, "SELECT data FROM evidence")
    ]
    assert filled.store.evidence() == sorted(everything, key=lambda each: each.digest) and everything
    for asked in {
        "record": {each.record for each in everything},
        "task": {each.task for each in everything},
    }.items():
        for value in asked[1]:
            found = filled.store.evidence(**{asked[0]: value})
            assert {each.digest for each in found} == {
                each.digest for each in everything if getattr(each, asked[0]) == value
            }


def test_names_and_listing_agree_with_the_index(filled):
    told = {(base, n): id for base, n, id in rows(filled, "SELECT base, version, record FROM name")}
    assert filled.store.names() == told
    for base in {base for base, _ in told}:
        own = {key: id for key, id in told.items() if key[0] == base}
        assert filled.store.names(base) == own
        assert sorted(n for _, n in own) == list(range(1, len(own) + 1))
        newest = max(n for _, n in own)
        assert filled.find(base) == own[base, newest]
        assert filled.newest(base, own[base, newest]) == f"{base}@{newest}"
    named = [line.name for line in filled.listing() if "@" in line.name]
    assert named == [f"{base}@{n}" for base, n in sorted(told)] and len(filled.listing()) >= 40


def test_every_record_is_found_by_any_beginning_that_is_its_own(filled):
    ids = sorted(id for (id,) in rows(filled, "SELECT id FROM record"))
    for id in ids[::5]:
        assert all(filled.find(id[:length]) == id for length in (6, 9, 63, 64))
    with pytest.raises(UsageError, match="has no"):
        filled.find("000000" if not ids[0].startswith("000000") else "ffffff")


def test_a_beginning_of_two_ids_is_refused(filled, monkeypatch):
    first = filled.store.headers(limit=1)[0]
    twin = first.id[:8] + ("0" if first.id[8] != "0" else "1") + first.id[9:]
    with sqlite3.connect(f"{filled.store.place}/index.db") as database:
        database.execute("INSERT INTO record SELECT ?, kind, input, output, task, weights, card FROM record WHERE id = ?", (twin, first.id))  # fmt: skip
    try:
        with pytest.raises(UsageError, match="begins several ids"):
            filled.find(first.id[:8])
        assert filled.find(first.id[:9]) == first.id
    finally:
        database.execute("DELETE FROM record WHERE id = ?", (twin,))
        database.commit()
        database.close()


def test_a_record_whose_weights_were_never_put_is_not_committed(tmp_path):
    with Library(tmp_path / "library") as library:
        record = some_record(1, weights=("a" * 64,))
        with pytest.raises(
            StoreError, match="names the blob aaaaaaaaaaaa, which is not in the library"
        ) as caught:
            library.add(record, Card(0.0), name="some/name")
        assert "Put it again" in caught.value.todo
        assert library.store.header(record.id) is None and library.store.names() == {}


edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14)


@given(edges, st.sets(st.integers(0, 7), max_size=3))
def test_what_is_reachable_is_the_transitive_closure(pairs, named):
    reach = np.eye(8, dtype=bool)
    for child, parent in pairs:
        reach[child, parent] = True
    for middle in range(8):  # Warshall 1962
        reach |= np.outer(reach[:, middle], reach[middle])
    wanted = {f"r{place}" for place in range(8) if any(reach[start, place] for start in named)}
    told = [Edge(f"r{child}", f"r{parent}", "grafted") for child, parent in pairs]
    assert reachable([f"r{start}" for start in named], told) == wanted


part = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,5}", fullmatch=True)


@given(st.lists(part, min_size=1, max_size=4), st.one_of(st.none(), st.integers(1, 10**9 - 1)))
def test_a_name_is_taken_apart_where_it_was_joined(parts, version):
    base = "/".join(parts)
    assert split_name(base if version is None else f"{base}@{version}") == (base, version)


# -- what was seen ---------------------------------------------------------------------------------------------------


def test_hashes_are_mixed_as_splitmix64_mixes_them():
    """Against whole numbers of Python; no two of many are mixed to one."""

    def wanted(number):
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
        return number ^ number >> 31

    numbers = [0, 1, 2**63, 2**64 - 1, *range(1000, 3000)]
    assert _mixed(np.array(numbers, dtype=np.uint64)).tolist() == list(map(wanted, numbers))
    assert len(set(map(wanted, numbers))) == len(numbers)


@given(st.sets(st.integers(0, 200), max_size=60), st.sets(st.integers(0, 200), max_size=60))
def test_the_share_that_is_shared_is_that_of_the_sets(known, asked):
    found = shared(*(np.array(sorted(each), dtype=np.uint32) for each in (known, asked)))
    assert found == pytest.approx(len(known & asked) / len(asked) if asked else 0.0)


@settings(max_examples=15)
@given(st.integers(0, 40), st.integers(0, 10**6))
def test_a_record_knows_a_task_by_a_hundredth_of_its_rows(common, seed):
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(80, 3))
    others = np.vstack([numbers[:common], generator.normal(size=(40 - common, 3))])
    labels = np.array(["a", "b"])
    told = told_of(Task.from_data((numbers, labels[np.arange(80) % 2])))
    asked = asked_of(Task.from_data((others, labels[np.arange(40) % 2])))
    assert knows(told, asked) == (common / 40 > 0.01)


def test_a_sketch_holds_the_smallest_hashes_sorted_and_each_once():
    numbers = np.random.default_rng(0).normal(size=(MOST + 500, 1))
    task = Task.from_data((np.vstack([numbers, numbers[:200]]), np.tile(["a", "b"], (MOST + 700) // 2)))
    sketch = np.frombuffer(base64.b64decode(told_of(task)["sketch"]), "<u4").astype(np.int64)
    assert len(sketch) == MOST and (np.diff(sketch) > 0).all()


# -- figures ---------------------------------------------------------------------------------------------------------


def test_a_description_is_what_numpy_counts():
    generator = np.random.default_rng(1)
    frame = {
        "n": [None if number % 4 == 0 else float(number) for number in range(100)],
        "c": generator.choice(["red", "green", "blue"], 100),
        "y": np.where(np.arange(100) < 80, "no", "yes"),
    }
    told = description(Task.from_data(frame, "y"))
    assert told["rows"] == pytest.approx(np.log(100)) and told["cells"] == pytest.approx(np.log(2))
    assert told["missing"] == pytest.approx((0.25 + 0.0) / 2) and told["classes"] == 2
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert told["imbalance"] == pytest.approx(1 - entropy / np.log(2))


@pytest.mark.parametrize("shape", [(16, 16), (32, 64), (48, 16)])
def test_an_image_becomes_the_means_of_its_blocks(shape):
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3)).astype(np.uint8)
    height, width = (side // SIDE for side in shape)
    blocks = image.astype(float).mean(axis=2).reshape(SIDE, height, SIDE, width).mean(axis=(1, 3)) / 255
    assert np.allclose(_small(image), blocks, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (17, 3)])
def test_an_image_of_any_size_has_its_shades(shape):
    image = np.full((*shape, 1), 51, np.uint8)
    assert np.allclose(_small(image), 0.2) and _small(image).shape == (SIDE, SIDE)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([None, -0.1, 0.0, 0.2])), max_size=25
    )
)
def test_of_a_study_that_goes_on_the_last_telling_counts(told):
    proofs = [
        Evidence(f"r{record}", f"t{task}", "recipe", "accuracy", 0.5, scratch=0.4, gain=gain, study="s", told=9.0 * place)
        for place, (record, task, gain) in enumerate(told)
    ]  # fmt: skip
    proofs.append(Evidence("r9", "t9", "recipe", "accuracy", 0.5))
    library = SimpleNamespace(store=SimpleNamespace(tasks=list, evidence=lambda: proofs))
    last = {(record, task): gain for record, task, gain in told}
    wanted = {(f"r{r}", f"t{t}"): gain is not None and gain > 0 for (r, t), gain in last.items()}
    assert {(each.record, each.task): each.helped for each in tried(library)} == wanted
    for record in ("r0", "r9"):
        judged = [helped for (name, _), helped in wanted.items() if name == record]
        said = f"{sum(judged)} of {len(judged)}" if judged else "not tried yet"
        assert recall.helped(tried(library), record) == said


# -- parts and golden outputs ----------------------------------------------------------------------------------------


def a_part(source="lambda image: image", kind="module", record="a" * 64, weights=b"", **more):
    return Part(record, "some/name@1", source, weights, kind, **more)


def test_the_best_few_parts_are_kept_once_each_and_those_without_a_score_are_not():
    parts = [
        a_part(record=f"{name:0>64}", units=units)
        for name, units in zip("aabcde", "x y".split() + [""] * 4, strict=True)
    ]
    found = features.ranked(parts, [0.5, 0.9, None, 0.7, 0.95, 0.1])
    assert [(part.record[-1], part.units, score) for part, score in found] == [
        ("d", "", 0.95),
        ("a", "y", 0.9),
        ("c", "", 0.7),
    ]


def test_a_whole_model_that_tells_less_than_half_of_what_a_network_tells_is_left_out():
    parts = [a_part(record=f"{name:0>64}", kind=kind) for name, kind in zip("abc", ["solution", "solution", "module"], strict=True)]  # fmt: skip

    def left(*scores):
        return "".join(part.record[-1] for part, _ in features.ranked(parts, scores))

    assert left(0.39, 0.41, 0.8) == "cb"
    assert left(0.39, 0.41, None) == "ba", "tables have no networks to compare with"
    assert left(0.9, 0.1, 0.3) == "ac"
    assert left(-2.0, -1.0, -0.5) == "cba", "log evidence below zero has no half"


@pytest.mark.parametrize("source", ["lambda a, b: add(a, b)", "1"])
def test_what_is_reused_must_be_a_function_of_one_input(source):
    with pytest.raises(ProgramError, match="function of one input"):
        str(a_part(source=source).function)


@pytest.mark.parametrize("states", [{}, {"a": State({}, {}), "b": State({}, {})}])
def test_weights_of_a_part_are_one_state(states):
    with pytest.raises(DamagedFile, match=f"one state, these are {len(states)}"):
        features.only_state(Weights(states).to_bytes())


def test_a_part_comes_back_from_a_journal_of_any_version():
    part = a_part(kind="solution", size=3, seen={"twins": 0.0}, units="1.8 x", weights=b"bytes")
    told = json.loads(json.dumps(part.to_json("d" * 64)))
    assert told["weights"] == "d" * 64 and Part.from_json(told, b"bytes") == part
    older = {name: told[name] for name in ("record", "name", "source")} | {"of later": 1}
    assert Part.from_json(older, b"bytes") == a_part(weights=b"bytes") and part.role == "whole"


def test_probes_are_drawn_cell_by_cell_from_the_column_of_the_cell(solved):
    task, _ = solved["table"]
    asked = probes(task)
    assert {len(column) for column in asked.values()} == {PROBES}
    for name, column in asked.items():
        assert np.isin(column[column == column], task.inputs[name]).all()
    assert len(next(iter(probes(task, count=10**6).values()))) == task.rows


def test_golden_outputs_of_another_model_are_refused_or_far_away(solved):
    (table, model), (lists, program) = solved["table"], solved["lists"]
    asked = probes(table)
    said = model.predict_values(asked)
    assert difference(model, golden_bytes(asked, said)) == (True, 0.0)
    same, apart = difference(model, golden_bytes(asked, said[:, :2]))
    assert not same and apart == np.inf
    same, apart = difference(model, golden_bytes(asked, said + 0.25 * said.max()))
    assert not same and 0.19 < apart <= 0.25
    golden = golden_bytes(probes(lists), program.predict_values(probes(lists)))
    assert difference(program, golden) == (True, 0.0)
    for broken in (golden, Weights({}).to_bytes()):
        with pytest.raises(DamagedFile):
            difference(model, broken)
