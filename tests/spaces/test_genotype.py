import json
import math
import subprocess
import sys

import numpy as np
import pytest

from perennial.errors import SpaceError
from perennial.spaces import Genotype


def test_equal_decisions_are_equal_genotypes_whatever_their_order():
    first, second = Genotype({"b": 1, "a": 0.5}), Genotype({"a": 0.5, "b": 1})
    assert first == second and hash(first) == hash(second) and first.key == second.key
    assert list(first) == ["a", "b"]


def test_a_genotype_is_frozen_and_no_mapping_of_another_kind_equals_it():
    genotype = Genotype({"a": 1})
    with pytest.raises(AttributeError, match="frozen"):
        genotype.a = 2
    assert genotype != {"a": 1}


def test_numbers_of_numpy_become_numbers_of_python():
    genotype = Genotype({"count": np.int64(3), "rate": np.float64(0.25), "yes": np.bool_(True)})
    assert [type(value) for value in genotype.values()] == [int, float, bool]


@pytest.mark.parametrize("value", [math.nan, math.inf, "text", None, [1], np.array([1, 2])], ids=repr)
def test_a_value_that_is_no_finite_number_or_bool_is_refused_with_its_label(value):
    with pytest.raises(SpaceError, match="width"):
        Genotype({"width": value})


def test_a_label_that_is_no_text_is_refused():
    with pytest.raises(SpaceError, match="label"):
        Genotype({3: 1})


def test_json_brings_a_genotype_back_with_types_and_key():
    genotype = Genotype({"yes": True, "one": 1, "real": 1.0, "tiny": 1e-300, "third": 1 / 3})
    again = Genotype.from_json(json.loads(json.dumps(genotype.to_json())))
    assert again == genotype and again.key == genotype.key
    assert [type(value) for value in again.values()] == [type(value) for value in genotype.values()]


def test_the_key_is_the_same_in_another_process():
    code = "from perennial.spaces import Genotype; print(Genotype({'b': 2.5, 'a': True}).key)"
    keys = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        command = [sys.executable, "-c", code]
        keys.add(subprocess.check_output(command, env=environment, text=True).strip())
    assert keys == {Genotype({"a": True, "b": 2.5}).key}
