import itertools
import json
import math

import pytest

from perennial.errors import UsageError
from perennial.spaces import Genotype
from perennial.trial import STATUSES, Proposal, Trial, rank_key


def trial(number=0, score=0.5, **changes):
    return Trial(
        number, Genotype({"depth": number}), "abc", changes.pop("status", "scored"), score, **changes
    )


def test_a_trial_comes_back_from_json_as_it_was():
    full = trial(
        scores=(0.4, 0.6), fidelity=1 / 3, seconds=1.25, seed=7, origin="evolution", parents=(1, 2),
        curve=({"step": 1, "train": 0.5, "validation": 0.4},), train_score=0.9, cost=1.0, stage="tune",
    )  # fmt: skip
    assert Trial.from_json(json.loads(json.dumps(full.to_json(), allow_nan=False))) == full
    assert hash(Trial.from_json(full.to_json())) == hash(full)


def test_a_trial_without_genotype_score_or_scores_comes_back_too():
    failed = Trial(3, None, "abc", "failed", error="ValueError: no rows")
    assert Trial.from_json(json.loads(json.dumps(failed.to_json()))) == failed


def test_what_json_lacks_becomes_none():
    data = trial(score=math.nan, scores=(0.1, math.inf), curve=({"step": 1, "train": math.nan},)).to_json()
    assert (
        data["score"] is None
        and data["scores"] == [0.1, None]
        and data["curve"] == [{"step": 1, "train": None}]
    )
    json.dumps(data, allow_nan=False)


def test_keys_of_a_newer_version_are_left_out():
    assert Trial.from_json(trial().to_json() | {"mood": "good"}) == trial()


def test_ranking_is_total_whatever_the_scores_hold():
    trials = [
        trial(number, score)
        for number, score in enumerate([0.5, None, math.nan, 0.9, math.inf, -math.inf, 0.5])
    ]
    trials.append(trial(7, 2.0, status="diverged"))
    orders = {
        tuple(each.number for each in sorted(order, key=rank_key))
        for order in itertools.islice(itertools.permutations(trials), 0, 40320, 97)
    }
    assert orders == {(3, 0, 6, 1, 2, 4, 5, 7)}


def test_a_full_evaluation_ranks_before_a_partial_one_with_a_better_score():
    assert min([trial(0, 0.9, fidelity=0.1), trial(1, 0.5)], key=rank_key).number == 1


def test_only_a_scored_trial_with_a_finite_score_is_usable():
    assert trial().usable
    assert not any(trial(score=score).usable for score in (None, math.nan, math.inf))
    assert not any(trial(status=status).usable for status in STATUSES if status != "scored")


def test_an_unknown_status_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="over_budget"):
        trial(status="exploded")


@pytest.mark.parametrize("fidelity", [0.0, -0.5, 1.01, math.nan])
def test_a_fidelity_outside_its_range_is_refused(fidelity):
    with pytest.raises(UsageError, match="share of a full evaluation"):
        Proposal(Genotype(), fidelity=fidelity)
    with pytest.raises(UsageError, match="share of a full evaluation"):
        trial(fidelity=fidelity)
