"""Every store that a library can be kept in keeps the promises of its base."""

import inspect

import pytest

from perennial.library import embedded
from perennial.library.base import Store
from perennial.testing.libraries import check_store, check_together

MEMBERS = {
    name: member
    for name, member in vars(embedded).items()
    if inspect.isclass(member) and issubclass(member, Store) and not inspect.isabstract(member)
}


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_store_keeps_its_promises(name, tmp_path):
    check_store(lambda: MEMBERS[name](tmp_path / "library"))


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_several_commit_at_the_same_time(name, tmp_path):
    check_together(lambda: MEMBERS[name](tmp_path / "library"))
