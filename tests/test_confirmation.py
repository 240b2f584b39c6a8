"""Which candidates are trained again, and on how many folds, follows from what they cost before."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.confirmation import SPARE, affordable, confirm, patiently, shortlist
from perennial.history import Record
from perennial.metrics import resolve
from perennial.spaces import Genotype
from perennial.trial import Trial

NETWORK, KERNEL = "lambda image: head(pixels(image))", "lambda image: kernel_ridge(hog(image))"


def record(number, seconds, folds=1, source=KERNEL):
    genotype = Genotype({"number": number})
    return Record(
        Trial(number, genotype, "", "scored", score=-number, scores=(-number,) * folds, seconds=seconds),
        source,
        0.0,
    )


def test_with_time_enough_all_are_trained_on_all_folds():
    records = [record(number, 1.0) for number in range(6)]
    assert affordable(records, 5, 60.0, 2) == (records, None)


def test_slow_candidates_get_fewer_folds_rather_than_less_time():
    records = [record(0, 10.0), record(1, 16.0), record(2, 1.0)]
    assert affordable(records, 3, 25.0, 2) == ([records[0], records[2]], 2)


def test_the_best_is_never_left_out_for_cheaper_ones():
    records = [record(0, 10.0), record(1, 0.1), record(2, 0.1)]
    chosen, folds = affordable(records, 4, 13.0, 2)
    assert chosen[0] is records[0] and folds == 1


def test_when_not_even_the_best_fits_nobody_is_confirmed():
    assert affordable([record(0, 10.0), record(1, 0.1)], 3, 9.0, 2) == ([], None)


def test_seconds_of_several_folds_are_shared_among_them():
    records = [record(0, 10.0, folds=5)]
    assert affordable(records, 5, 12.0, 1) == (records, None)
    assert affordable(records, 5, 11.0, 1) == (records, 4)


@given(
    costs=st.lists(st.floats(0.01, 50), min_size=1, max_size=8),
    folds=st.integers(1, 8),
    seconds=st.floats(0, 200),
    workers=st.integers(1, 4),
)
def test_what_was_chosen_fits_into_the_time_of_all_workers(costs, folds, seconds, workers):
    records = [record(number, cost) for number, cost in enumerate(costs)]
    chosen, count = affordable(records, folds, seconds, workers)
    spent = sum(SPARE * (count or folds) * each.trial.seconds for each in chosen)
    assert spent <= workers * seconds * (1 + 1e-9)
    assert [each.trial.number for each in chosen] == sorted(each.trial.number for each in chosen)


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_to_confirm_is_fine(workers):
    assert affordable([], 3, 10.0, workers)[0] == []


def test_networks_get_all_the_time_and_cheap_candidates_go_first():
    records = [record(n, 40.0, source=NETWORK) for n in range(3)]
    quick, slow = record(3, 2.0), record(4, 60.0)
    chosen, folds = patiently([*records, quick, slow], 5, 300.0, 2, 3.0)
    assert (chosen, folds) == ([quick, *records[:2]], 2)


def test_many_that_cost_little_are_judged_again_in_a_fifth_of_the_time():
    network, quick = record(0, 1.2, source=NETWORK), [record(n, 0.1) for n in range(1, 6)]
    assert patiently([network, *quick], 5, 15.0, 2, 1.0) == ([*quick, network], None)
    assert patiently([network, *quick], 5, 6.0, 2, 1.0) == ([*quick[:4], network], None)
    cheapest, slow = record(6, 0.01), record(7, 0.9)
    assert patiently([slow, network, *quick], 5, 6.0, 2, 1.0)[0] == [slow, *quick[:4], network], (
        "the best beside it"
    )
    assert patiently([network, *quick, cheapest], 5, 6.0, 2, 1.0)[0] == [*quick[:4], cheapest, network]


@pytest.mark.parametrize(
    ("seconds", "longer", "folds"), [(300.0, 1.0, None), (100.0, 3.0, 1), (10.0, 1.0, 1)]
)
def test_folds_are_as_many_as_leave_networks_their_time(seconds, longer, folds):
    records = [record(0, 40.0, source=NETWORK)]
    assert patiently(records, 5, seconds, 2, longer) == (records, folds)


def test_what_is_best_without_a_network_is_confirmed_on_as_many_folds_as_there_is_time_for():
    best, networks = record(0, 1.2), [record(n, 1.6, source=NETWORK) for n in (1, 2)]
    assert patiently([best, *networks], 5, 14.0, 2, 1.0) == ([best, *networks], None)
    assert patiently([best, *networks], 5, 9.0, 2, 1.0) == ([best, networks[0]], None), "it takes a worker"
    assert patiently([best, *networks], 5, 5.0, 2, 1.0) == ([best, networks[0]], 3)
    assert patiently([networks[0], best], 5, 9.0, 2, 1.0) == ([networks[0]], None), "it is not the best"
    assert patiently([best, *networks], 5, 9.0, 1, 1.0) == ([best, networks[0]], 3), "half of the time for it"


def made(errors, seeds, sources):
    """A study of which only the scored records are there; each predicts a number with errors of its own."""
    target = np.random.default_rng(9).normal(size=400)
    metric = resolve("rmse")
    predictions, records = {}, []
    for number, (error, seed, source) in enumerate(zip(errors, seeds, sources, strict=True)):
        noise = np.random.default_rng(seed).normal(size=400)
        predictions[number] = target + error * noise
        score = metric.score(target, predictions[number])
        trial = Trial(number, Genotype({"number": number}), "h", "scored", score=score, scores=(score,))
        records.append(Record(trial, source, -score, predictions="there"))
    return SimpleNamespace(
        history=SimpleNamespace(scored=records, common_sense={"score": metric.score(target, 0 * target)}),
        training=SimpleNamespace(target=target), metric=metric, seed=0,
        covered=lambda *_: np.arange(400), predictions=lambda record: predictions[record.trial.number],
    )  # fmt: skip


FOREST, LINEAR = "lambda row: extra_trees(numbers(row))", "lambda row: linear(numbers(row))"


def test_a_candidate_that_an_average_would_take_comes_before_another_kind_that_is_far_behind():
    """The third errs elsewhere than the first two; the linear model is of a kind of its own, and of no use."""
    study = made([0.30, 0.31, 0.33, 0.45], [1, 1, 2, 1], [FOREST, FOREST, FOREST, LINEAR])
    numbers = [record.trial.number for record in shortlist(study, 4)]
    assert numbers[:2] == [0, 2] and set(numbers) == {0, 1, 2, 3}
    assert [record.trial.number for record in shortlist(study, 3)][:2] == [0, 2]


def test_a_single_candidate_is_the_shortlist():
    study = made([0.3], [1], [FOREST])
    assert [record.trial.number for record in shortlist(study, 5)] == [0]
    study.history.scored = []
    assert shortlist(study, 5) == []


def test_candidates_judged_on_other_folds_are_not_averaged_and_not_lost():
    study = made([0.3, 0.4], [1, 2], [FOREST, FOREST])
    study.history.scored[1] = replace(study.history.scored[1], folds=(3, None))
    assert [record.trial.number for record in shortlist(study, 5)] == [0, 1]


# -- an earlier session ------------------------------------------------------------------------------------------------


class Late:
    """A study whose time is over, with two candidates that an earlier session confirmed."""

    stopping, workers, seed = None, 2, 0
    clock = SimpleNamespace(elapsed=100.0)

    def __init__(self, kept=(2, 2), confirmed=True):
        searched = [replace(record(number, 1.0), weights=("s",) * count) for number, count in enumerate(kept)]
        again = [
            replace(
                each,
                trial=replace(each.trial, number=7 + each.trial.number),
                weights=("c", "c"),
                folds=(1, 2),
            )
            for each in searched
        ]
        self.history = SimpleNamespace(records=searched, confirmations=again if confirmed else [])
        self.begun = []

    def search(self, source, screening, seconds):
        self.begun += source.ask(9)
        return []

    def covered(self, fold_seed, limit):
        return np.arange(4)

    def predictions(self, record):
        return np.full(4, float(record.trial.number))

    def replicas(self, record):
        return [blob.encode() for blob in record.weights]


PLAN = SimpleNamespace(confirm_end=54.0, confirmed=5, patient=False)


def test_when_the_time_is_over_what_an_earlier_session_confirmed_still_counts():
    study = Late()
    members = confirm(study, PLAN, trials=None)
    assert study.begun == [] and [member.record.trial.number for member in members] == [7, 8]
    assert [member.replicas for member in members] == [(b"c", b"c", b"s", b"s")] * 2
    assert confirm(Late(confirmed=False), PLAN, trials=None) == []


@pytest.mark.parametrize("kept", [(1, 2), (0, 2), (0, 0)])
def test_models_of_the_search_help_only_where_all_members_have_as_many(kept):
    members = confirm(Late(kept), PLAN, trials=None)
    assert [member.replicas for member in members] == [(b"c", b"c")] * 2
