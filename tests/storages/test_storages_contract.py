"""Every storage on the shelf keeps the promises of its base."""

import inspect

import pytest

from perennial import storages
from perennial.storages import Storage
from perennial.testing.storages import check_reopening, check_storage

MEMBERS = {
    name: member
    for name, member in vars(storages).items()
    if inspect.isclass(member) and issubclass(member, Storage) and not inspect.isabstract(member)
}
HOW_TO_MAKE = {
    "Memory": lambda folder: storages.Memory(),
    "SQLite": lambda folder: storages.SQLite(folder / "study"),
}
FORGETFUL = {"Memory": "keeps nothing beyond its own life"}


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_storage_keeps_its_promises(name, tmp_path):
    check_storage(lambda: HOW_TO_MAKE[name](tmp_path))


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_storage_outlives_its_object(name, tmp_path):
    if name in FORGETFUL:
        pytest.skip(FORGETFUL[name])
    check_reopening(lambda: HOW_TO_MAKE[name](tmp_path))
