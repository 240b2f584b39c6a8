"""Records are named by what they hold; nothing but a record is read as one."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.errors import DamagedFile, UsageError
from perennial.library.records import Card, Evidence, Learnt, Record, canonical, name_part, split_name
from perennial.testing.libraries import some_evidence, some_record, some_task

WORDS = st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(source=WORDS, input=WORDS, details=st.dictionaries(WORDS, VALUES, max_size=4))
def test_a_record_comes_back_from_its_bytes_with_the_same_id(source, input, details):
    record = Record("module", source, input, "Int", ("a" * 64,), details)
    again = Record.from_bytes(record.to_bytes())
    assert again == record and again.id == record.id and again.to_bytes() == record.to_bytes()


def test_the_order_of_details_does_not_matter_and_everything_else_does():
    record = Record("module", "x", "Int", "Int", (), {"a": 1, "b": 2})
    assert Record("module", "x", "Int", "Int", (), {"b": 2, "a": 1}).id == record.id
    changed = [
        {"kind": "recipe"}, {"source": "y"}, {"input": "Real"}, {"output": "Real"}, {"weights": ("b" * 64,)},
        {"details": {"a": 1, "b": 3}},
    ]  # fmt: skip
    ids = {dataclasses.replace(record, **change).id for change in changed}
    assert len(ids) == len(changed) and record.id not in ids


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="solution, module, recipe"):
        Record("poem", "x", "Int", "Int")


def changed(**changes):
    told = json.loads(some_record().to_bytes())
    return canonical({**told, **changes})


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000, some_record().to_bytes() + b" ",
        json.dumps(json.loads(some_record().to_bytes()), indent=1).encode(),
        changed(perennial=99), changed(kind="poem"), changed(source=3), changed(input=None), changed(weights=["short"]),
        changed(weights=["../../etc/passwd".ljust(64, "0")]), changed(weights="a" * 64), changed(details=[1]),
        changed(extra="field"), changed(weights=["a" * 64] * 10_001),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(data):
    with pytest.raises(DamagedFile):
        Record.from_bytes(data)


@pytest.mark.parametrize(
    "value", [Card(1.5, "oak-1", licence="MIT"), some_evidence(some_record()), some_task()]
)
def test_what_is_known_of_records_comes_back_from_json_and_later_keys_are_left_out(value):
    told = json.loads(json.dumps({**value.to_json(), "of a later version": 1}))
    assert type(value).from_json(told) == value


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Card, {}), (Card, {"created": "now"}), (Card, {"created": 1.0, "recipe": [1]}), (Card, []),
        (Evidence, {**some_evidence(some_record()).to_json(), "value": "high"}),
        (Evidence, {**some_evidence(some_record()).to_json(), "n": 1.5}),
        (Learnt, {**some_task().to_json(), "rows": True}),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_refused(kind, told):
    with pytest.raises(DamagedFile):
        kind.from_json(told)


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "../a", "/a", "a/", "a@", "a@0", "a@x", "a@-1", "a/b/c/d/e", "a" * 65, "é", "a\n"],
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError):
        split_name(name)


def test_tasks_whose_names_have_no_letter_of_a_name_are_told_apart():
    assert name_part("销售") != name_part("库存")


@given(st.text(max_size=80))
def test_any_text_makes_a_part_of_a_name(text):
    base, version = split_name(f"{name_part(text)}/solution@7")
    assert base.endswith("/solution") and version == 7
