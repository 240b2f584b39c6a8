"""Every trainer of the shelf keeps the contract; a new member joins by existing."""

import importlib
import inspect
import pkgutil

import pytest

import perennial.trainers as shelf
from perennial.lang import Lambda, Var, call
from perennial.primitives import vocabulary
from perennial.testing.trainers import OUTPUTS, check_trainer
from perennial.trainers import Backprop, Direct, Trainer


def members():
    found = set()
    for module in pkgutil.iter_modules(shelf.__path__):
        for value in vars(importlib.import_module(f"{shelf.__name__}.{module.name}")).values():
            if inspect.isclass(value) and issubclass(value, Trainer) and not inspect.isabstract(value):
                found.add(value)
    return sorted(found, key=lambda member: member.__name__)


def program_for(member):
    words, row = vocabulary(), Var("row")
    scaled = call(words["standardise"], call(words["numbers"], row))
    if member is Direct:
        joined = call(words["join"], scaled, call(words["one_hot"], call(words["categories"], row)))
        return Lambda(("row",), call(words["linear"], joined))
    return Lambda(("row",), call(words["mlp"], scaled, call(words["categories"], row), width=32, steps=300))


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@pytest.mark.parametrize("member", members(), ids=lambda member: member.__name__)
def test_a_trainer_keeps_the_contract(member, output):
    check_trainer(member(), program_for(member), outputs=(output,))


def test_the_shelf_lists_its_members():
    assert members() == [Backprop, Direct]
