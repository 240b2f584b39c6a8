"""What every strategy reads of the trials, and what mixture, surrogate and schedulers compute, against their definitions."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from perennial import strategies
from perennial.errors import UsageError
from perennial.scheduler import SCHEDULERS, Hyperband, SuccessiveHalving
from perennial.spaces import Space, one_of
from perennial.strategies.mixture import GOOD_SHARE, MEMORY, Mixture
from perennial.strategies.random import Random
from perennial.strategies.surrogate import Surrogate, _expected_improvement
from perennial.testing.strategies import mixed_space, outcome, quadratic_space
from perennial.trial import Proposal, Trial, rank_key

WIDTHS = [8, 16, 32, 64, 128]


@pytest.fixture
def small():
    return Space(one_of("width", WIDTHS))


def trial(space, number, score, width=None, status="scored", fidelity=1.0, **more):
    genotype = list(space.genotypes())[number % len(WIDTHS) if width is None else WIDTHS.index(width)]
    return Trial(number, genotype, f"h{number}", status, score, fidelity=fidelity, **more)


# -- what was told ---------------------------------------------------------------------------------------------------

tried = st.lists(
    st.tuples(st.sampled_from(WIDTHS), st.one_of(st.none(), st.floats(-9, 9), st.just(math.nan)), st.sampled_from([0.25, 0.5, 1.0])),
    max_size=12,
)  # fmt: skip


@given(tried)
def test_of_each_genotype_the_last_trial_of_the_highest_fidelity_is_known(made):
    space = Space(one_of("width", WIDTHS))
    strategy, wanted = Random(space), {}
    for number, (width, score, fidelity) in enumerate(made):
        told = trial(space, number, score, width, fidelity=fidelity)
        strategy.tell(told)
        if width not in wanted or fidelity >= wanted[width].fidelity:
            wanted[width] = told
    assert strategy.known == list(wanted.values()) and len(strategy.trials) == len(made)
    usable = sorted((each for each in wanted.values() if each.usable), key=rank_key)
    assert strategy.best(3) == usable[:3]
    new = [WIDTHS[genotype["width"]] for genotype in space.genotypes() if strategy.is_new(genotype)]
    assert new == [width for width in WIDTHS if width not in wanted]


def test_two_trials_are_compared_at_the_highest_fidelity_that_both_have(small):
    strategy = Random(small)
    told = [
        trial(small, 0, 0.3, 8, fidelity=0.5),
        trial(small, 1, 0.9, 8),
        trial(small, 2, 0.4, 16, fidelity=0.5),
    ]
    for each in told:
        strategy.tell(each)
    assert strategy.beats(told[2], told[1]), "0.4 against 0.3 at half; that 0.9 was for twice as much"
    assert not strategy.beats(told[1], told[2])
    strategy.tell(other := trial(small, 3, 0.8, 32))
    assert strategy.beats(told[1], other) and not strategy.beats(other, told[1])
    assert strategy.beats(other, told[2]), "nothing is shared: the scores as they are"
    assert strategy.beats(told[0], None)


def test_a_baseline_is_no_trial_of_the_space(small):
    strategy = Random(small)
    strategy.tell(Trial(0, None, "h", "scored", 0.9))
    assert strategy.trials == [] and strategy.known == [] and len(strategy.ask(9)) == len(WIDTHS)


def test_what_is_being_tried_is_expected_until_it_is_told(small):
    strategy = Random(small)
    first, second = strategy.ask(2)
    assert strategy.expected == [first, second]
    strategy.tell(Trial(0, first.genotype, "h", "failed"))
    assert strategy.expected == [second] and not strategy.is_new(first.genotype)


@pytest.mark.parametrize("name", sorted(strategies.members()))
def test_every_strategy_gives_a_small_space_whole_and_once(small, name):
    strategy, number = strategies.resolve(name, small, 3), 0
    seen = []
    while proposals := strategy.ask(2):
        for proposal in proposals:
            seen.append(WIDTHS[proposal.genotype["width"]])
            strategy.tell(
                Trial(number, proposal.genotype, "h", "scored", float(number % 3), origin=proposal.origin)
            )
            number += 1
    assert sorted(seen) == WIDTHS and strategy.ask(1) == []


def test_names_functions_and_objects_resolve_and_a_wrong_name_is_answered(small):
    made = Random(small, 5)
    assert strategies.resolve(made, small) is made
    assert strategies.resolve(partial(Surrogate, initial=3), small, 2).initial == 3
    with pytest.raises(UsageError) as caught:
        strategies.resolve("evolutoin", small)
    assert caught.value.todo == "Did you mean 'evolution'?" and "surrogate" in caught.value.what
    with pytest.raises(UsageError, match="give a function of"):
        strategies.resolve("zzz", small)


# -- the bandit ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["random", "local", "opener"]), st.floats(-5, 5)), max_size=15))
def test_shares_are_the_faded_successes_of_each_member(told):
    known = quadratic_space()
    mixture = Mixture(known.space, members=("random", "local"))
    rng = np.random.default_rng(0)
    earned = {"random": [0.0, 0.0], "local": [0.0, 0.0]}
    before = []
    for number, (origin, score) in enumerate(told):
        mixture.tell(Trial(number, known.space.sample(rng), "h", "scored", score, origin=origin))
        good = sum(each >= score for each in before) <= GOOD_SHARE * len(before)
        for pair in earned.values():
            pair[:] = [MEMORY * each for each in pair]
        if origin in earned:
            earned[origin][0 if good else 1] += 1.0
        before.append(score)
    for name, (good, bad) in earned.items():
        assert mixture.shares[name] == pytest.approx((1 + good) / (2 + good + bad))


def test_a_failure_earns_nothing_and_other_fidelities_are_not_compared():
    known = quadratic_space()
    rng = np.random.default_rng(0)
    mixture = Mixture(known.space, members=("random", "local"))

    def tell(number, score, fidelity=1.0, status="scored"):
        before = mixture.shares["random"]
        told = Trial(number, known.space.sample(rng), "h", status, score, fidelity=fidelity, origin="random")
        mixture.tell(told)
        return mixture.shares["random"] - before

    assert tell(0, 5.0) > 0 and tell(1, 1.0, fidelity=0.5) > 0, "the first at its fidelity"
    assert tell(2, 0.5, fidelity=0.5) < 0 and tell(3, None, status="failed") < 0 and tell(4, 6.0) > 0


# -- the surrogate ---------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.floats(-3, 3), st.floats(0.05, 3), st.floats(-3, 3))
def test_expected_improvement_is_its_integral(mean, spread, bar):
    wanted, _ = quad(lambda y: (y - bar) * norm.pdf(y, mean, spread), bar, max(bar, mean) + 12 * spread)
    found = _expected_improvement(np.array([mean]), np.array([spread]), bar)
    assert found[0] == pytest.approx(wanted, rel=1e-4, abs=1e-7) and found[0] >= -1e-12


def test_observations_have_a_unit_a_floor_and_liars_in_the_middle():
    known = mixed_space()
    surrogate, rng = Surrogate(known.space), np.random.default_rng(0)
    scores = [-4.0, -2.0, -1.0, -100.0, None, math.nan]
    genotypes = [known.space.sample(rng) for _ in range(8)]
    for number, score in enumerate(scores):
        status = "failed" if score is None else "scored"
        surrogate.tell(
            Trial(
                number, genotypes[number], "h", status, score, cost=None if number == 1 else float(number + 1)
            )
        )
    surrogate.expect(Proposal(genotypes[6]))
    places, targets, unit = surrogate._observations()
    usable = np.array([-4.0, -2.0, -1.0, -100.0]) / 100.0
    floor = np.median(usable) - 2 * (usable.max() - np.median(usable))
    assert unit == 100.0 and places.shape == (7, len(known.space.encode(genotypes[0])) + 1)
    assert targets[:3, 0] == pytest.approx(usable[:3]) and targets[3:6, 0] == pytest.approx(
        [floor] * 3, abs=1e-5
    )
    assert targets[6, 0] == pytest.approx(np.median(usable))
    costs = np.log([1.0, 3.0, 4.0, 5.0, 6.0])
    assert targets[1, 1] == pytest.approx(np.median(costs)) and targets[0, 1] == 0.0
    assert (places[:, -1] == 1.0).all(), "everything was tried in full"


# -- schedulers ------------------------------------------------------------------------------------------------------


@given(st.sampled_from([2, 3, 4]), st.integers(0, 5))
def test_rungs_are_powers_of_the_factor_up_to_one(factor, steps):
    scheduler = SuccessiveHalving(
        Random(quadratic_space().space), minimum=float(factor) ** -steps, factor=factor
    )
    assert scheduler.fidelities == pytest.approx(
        [float(factor) ** (place - steps) for place in range(steps + 1)]
    )


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from(["halving", "hyperband"]), st.integers(5, 60))
def test_who_climbs_is_among_the_best_third_of_a_rung_that_was_told(seed, name, count):
    known = quadratic_space()
    scheduler = SCHEDULERS[name](Random(known.space, seed))
    told = {fidelity: {} for fidelity in scheduler.fidelities}
    for number in range(count):
        [proposal] = scheduler.ask(1)
        if proposal.origin == "promotion":
            below = scheduler.fidelities[scheduler.fidelities.index(proposal.fidelity) - 1]
            ranked = sorted(told[below].values(), key=rank_key)
            assert proposal.genotype in [each.genotype for each in ranked[: len(ranked) // 3]]
            assert proposal.genotype not in told[proposal.fidelity]
            assert proposal.parents == (told[below][proposal.genotype].number,)
        made = outcome(known, proposal, number)
        told[proposal.fidelity][proposal.genotype] = made
        scheduler.tell(made)


def test_hyperband_gives_every_rung_about_the_same_cost_of_starts():
    known = quadratic_space()
    scheduler = Hyperband(Random(known.space, 0))
    started = dict.fromkeys(scheduler.fidelities, 0)
    for number in range(400):
        [proposal] = scheduler.ask(1)
        started[proposal.fidelity] += proposal.origin != "promotion"
        scheduler.tell(outcome(known, proposal, number))
    top = len(started) - 1
    shares = [3 ** (top - rung) * (top + 1) / (top - rung + 1) for rung in range(top + 1)]
    counts = np.array(list(started.values()))
    assert np.allclose(counts / counts.sum(), np.array(shares) / sum(shares), atol=1 / counts.sum() * 2)


def test_a_trial_of_another_fidelity_stands_on_the_nearest_rung():
    known = quadratic_space()
    scheduler = SuccessiveHalving(Random(known.space, 0))
    rng = np.random.default_rng(1)
    for number, fidelity in enumerate([0.1, 0.12, 0.09]):
        proposal = Proposal(known.space.sample(rng), fidelity=fidelity)
        scheduler.tell(Trial(number, proposal.genotype, "h", "scored", float(-number), fidelity=fidelity))
    [promoted] = scheduler.ask(1)
    assert promoted.fidelity == pytest.approx(1 / 3) and promoted.parents == (0,)
