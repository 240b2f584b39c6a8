"""What is particular to each strategy."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import ExtraTreesRegressor

from perennial.errors import UsageError
from perennial.lang import call
from perennial.spaces import Genotype, Space, integer, one_of, real
from perennial.strategies.evolution import RegularizedEvolution
from perennial.strategies.local import LocalSearch
from perennial.strategies.mixture import Mixture
from perennial.strategies.random import Random
from perennial.strategies.surrogate import Surrogate, _expected_improvement, _Trees
from perennial.testing.strategies import (
    KnownSpace,
    cell_space,
    mixed_space,
    outcome,
    quadratic_space,
    run,
    together,
)
from perennial.trial import Proposal, Trial


def scored(number, genotype, score, **more):
    return Trial(number, genotype, genotype.key, "scored", score, **more)


# -- base ----------------------------------------------------------------------------------------------------


def test_a_genotype_counts_once_with_its_highest_fidelity():
    strategy, genotype = Random(quadratic_space().space), quadratic_space().space.default()
    for number, fidelity in enumerate([1 / 3, 1.0, 1 / 9]):
        strategy.tell(scored(number, genotype, -0.1 * number, fidelity=fidelity))
    assert [trial.fidelity for trial in strategy.known] == [1.0] and len(strategy.trials) == 3


def test_two_trials_are_compared_at_the_highest_fidelity_they_share():
    strategy = Random(one := Space(one_of("a", [1, 2, 3])))
    first, second, third = one.genotypes()
    early = scored(0, first, 0.1, fidelity=1 / 3)
    late = scored(1, first, 0.9)
    other = scored(2, second, 0.2, fidelity=1 / 3)
    alone = scored(3, third, 0.5)
    for trial in (early, late, other, alone):
        strategy.tell(trial)
    assert strategy.beats(other, late)
    assert strategy.beats(late, alone) and strategy.beats(alone, other) and strategy.beats(other, None)


def test_a_baseline_without_a_genotype_changes_nothing():
    strategy = Random(quadratic_space().space)
    before = Random(quadratic_space().space).ask(1)
    strategy.tell(Trial(0, None, "abc", "scored", 0.5))
    assert strategy.ask(1) == before


# -- random --------------------------------------------------------------------------------------------------


def test_random_search_is_uniform_over_the_space():
    trials = run(Random(quadratic_space().space, 1), quadratic_space(), 500)
    for label in ("x0", "x3"):
        assert stats.kstest([trial.genotype[label] for trial in trials], "uniform").pvalue > 0.01


def growing_space():
    return Space(call(together, integer("depth", 1, 9), real("rate", 0.0, 1.0)), growing=["depth"])


def test_children_start_with_their_parents_weights_where_the_space_says_what_grows():
    known = KnownSpace("growing", growing_space(), lambda genotype: -genotype["depth"] - genotype["rate"])
    strategy = RegularizedEvolution(known.space, seed=1)
    told = run(strategy, known, 40)
    by_number = {trial.number: trial.genotype for trial in told}
    children = [trial for trial in told if trial.parents]
    grown = [each for each in children if each.genotype in known.space.morphs(by_number[each.parents[0]])]
    assert len(children) // 4 < len(grown) < len(children)
    assert all(each.weights_from == "parent" and len(each.parents) == 1 for each in strategy.ask(10))


def test_random_starts_and_evolution_without_inheritance_train_from_nothing():
    known = KnownSpace("growing", growing_space(), lambda genotype: -genotype["depth"] - genotype["rate"])
    assert all(proposal.weights_from is None for proposal in RegularizedEvolution(known.space).ask(5))
    apart, together_ = (
        RegularizedEvolution(known.space, seed=1, inherit=inherit) for inherit in (False, True)
    )
    for strategy in (apart, together_):
        run(strategy, known, 12)
    one, other = apart.ask(6), together_.ask(6)
    assert [p.genotype for p in one] == [p.genotype for p in other]
    assert all(proposal.weights_from is None for proposal in one)


def test_mutants_of_a_space_that_does_not_grow_train_from_nothing():
    known = mixed_space()
    strategy = RegularizedEvolution(known.space, seed=0)
    run(strategy, known, 12)
    assert all(proposal.weights_from is None for proposal in strategy.ask(5))


# -- local search --------------------------------------------------------------------------------------------


def test_local_search_starts_from_the_default_and_tries_neighbours():
    known = quadratic_space()
    trials = run(LocalSearch(known.space), known, 10)
    assert trials[0].genotype == known.space.default()
    by_number = {trial.number: trial for trial in trials}
    for trial in trials[1:]:
        (parent,) = trial.parents
        assert trial.genotype in known.space.neighbours(by_number[parent].genotype)


def test_local_search_moves_at_the_first_improvement():
    known = cell_space()
    trials = run(LocalSearch(known.space), known, 40)
    best = trials[0]
    for trial in trials[1:]:
        assert trial.parents in ((best.number,), ())
        if trial.score > best.score:
            best = trial


def test_local_search_starts_anew_at_a_local_best_and_reaches_the_global_one():
    scores = [3.0, 0.0, 0.0, 5.0, 0.0]
    trap = Space(one_of("a", [one_of("b", range(3)), one_of("c", range(2))]))
    known = KnownSpace("trap", trap, lambda g: scores[g["b"]] if g["a"] == 0 else scores[4 - g["c"]])
    trials = run(LocalSearch(trap), known, 5)
    assert max(trial.score for trial in trials) == 5.0


def test_local_search_joins_a_better_trial_that_it_did_not_propose():
    known = quadratic_space()
    strategy = LocalSearch(known.space)
    strategy.tell(outcome(known, Proposal(known.space.default()), 0))
    best = known.space.repair({f"x{n}": 0.15 * n + 0.1 for n in range(6)})
    strategy.tell(outcome(known, Proposal(best, origin="opener"), 1))
    assert strategy.ask(1)[0].parents == (1,)


# -- evolution -----------------------------------------------------------------------------------------------


def test_evolution_mutates_only_the_young():
    known = cell_space()
    strategy = RegularizedEvolution(known.space, 0, population=5, sample=2, initial=5)
    for trial in run(strategy, known, 40)[10:]:
        assert trial.parents and trial.number - trial.parents[0] <= 5


def test_evolution_with_a_full_tournament_mutates_the_best_of_the_population():
    known = cell_space()
    trials = run(RegularizedEvolution(known.space, 0, population=6, sample=6, initial=6), known, 30)
    for trial in trials[8:]:
        alive = [other for other in trials[: trial.number] if other.number >= trial.number - 6]
        assert trial.parents == (max(alive, key=lambda other: other.score).number,)


@pytest.mark.parametrize("sizes", [{"sample": 0}, {"population": 3, "sample": 4}, {"initial": 0}])
def test_evolution_refuses_sizes_that_do_not_fit(sizes):
    with pytest.raises(UsageError, match="population"):
        RegularizedEvolution(quadratic_space().space, **sizes)


# -- surrogate -----------------------------------------------------------------------------------------------


def test_expected_improvement_is_what_a_simulation_gives():
    rng = np.random.default_rng(0)
    for mean, spread, bar in [(0.0, 1.0, 0.5), (2.0, 0.1, 1.0), (-1.0, 2.0, 0.0)]:
        simulated = np.maximum(mean + spread * rng.normal(size=400_000) - bar, 0.0).mean()
        exact = _expected_improvement(np.array([mean]), np.array([spread]), bar)[0]
        assert exact == pytest.approx(simulated, rel=0.02)


def test_the_trees_agree_with_scikit_learns_forest_and_are_sure_only_where_they_have_seen():
    rng = np.random.default_rng(0)
    places = rng.random((200, 4))
    target = np.column_stack([np.sin(3 * places[:, 0]) + places[:, 1], 5.0 + 2.0 * places[:, 2]])
    new = rng.random((100, 4))
    mean, spread, log_cost = _Trees(places, target, 50, rng).predict(new)
    forest = ExtraTreesRegressor(200, max_features=0.7, random_state=0).fit(places, target).predict(new)
    assert np.corrcoef(mean, forest[:, 0])[0, 1] > 0.98
    assert np.corrcoef(log_cost, forest[:, 1])[0, 1] > 0.98
    assert np.abs(log_cost - forest[:, 1]).max() < 0.3
    seen_mean, seen_spread, _ = _Trees(places, target, 50, rng).predict(places)
    assert np.allclose(seen_mean, target[:, 0], atol=1e-5) and seen_spread.max() < 1e-4 < np.median(spread)


def test_the_surrogate_leaves_a_region_that_fails():
    known = quadratic_space()
    strategy = Surrogate(known.space, 0)
    for number in range(50):
        (proposal,) = strategy.ask(1)
        broken = proposal.genotype["x5"] > 0.6
        strategy.tell(outcome(known, proposal, number, "failed" if broken else "scored"))
    late = [trial for trial in strategy.trials[25:]]
    assert np.mean([trial.status == "failed" for trial in late]) < 0.25


def test_between_equal_scores_the_surrogate_prefers_what_costs_less():
    space = Space(one_of("kind", [real("cheap", 0.0, 1.0), real("dear", 0.0, 1.0)]))
    places = np.linspace(0.0, 1.0, 11)
    genotypes = [Genotype({"kind": 0, "cheap": x}) for x in places] + [
        Genotype({"kind": 1, "dear": x}) for x in places
    ]

    def cheap_share(exponent):
        chosen = []
        for seed in range(20):
            strategy = Surrogate(space, seed, cost_exponent=exponent)
            for number, genotype in enumerate(genotypes):
                x = genotype.get("cheap", genotype.get("dear"))
                cost = 100.0 if genotype["kind"] else 1.0
                strategy.tell(scored(number, genotype, -abs(x - 0.43), cost=cost))
            chosen.append(strategy.ask(1)[0].genotype["kind"] == 0)
        return np.mean(chosen)

    assert cheap_share(0.5) > 0.8 > cheap_share(0.0)


def test_the_surrogate_reckons_with_cost_and_never_with_the_clock():
    known = mixed_space()
    first, second = Surrogate(known.space, 0), Surrogate(known.space, 0)
    for trial in run(Random(known.space, 3), known, 30):
        first.tell(trial)
        second.tell(replace(trial, seconds=trial.number * 17.0))
    assert first.ask(3) == second.ask(3)


def test_the_surrogate_takes_one_terrible_score_in_its_stride():
    known = quadratic_space()
    plain, shocked = Surrogate(known.space, 0), Surrogate(known.space, 0)
    for trial in run(Random(known.space, 3), known, 40):
        plain.tell(trial)
        shocked.tell(replace(trial, score=-1e12) if trial.number == 5 else trial)
    scores = [
        np.mean([known.score(proposal.genotype) for proposal in each.ask(8)]) for each in (plain, shocked)
    ]
    assert scores[1] > scores[0] - 0.2


def test_several_proposals_at_once_are_not_all_in_one_place():
    known = quadratic_space()
    strategy = Surrogate(known.space, 0)
    for trial in run(Random(known.space, 3), known, 40):
        strategy.tell(trial)
    places = np.array([known.space.encode(proposal.genotype) for proposal in strategy.ask(6)])
    assert len(np.unique(places, axis=0)) == 6


@pytest.mark.parametrize("sizes", [{"initial": 1}, {"trees": 1}])
def test_the_surrogate_refuses_sizes_that_tell_no_spread(sizes):
    with pytest.raises(UsageError, match="at least 2"):
        Surrogate(quadratic_space().space, **sizes)


# -- mixture -------------------------------------------------------------------------------------------------


class Fixed(Random):
    """Proposes genotypes with a given first coordinate: good or bad on purpose."""

    place = 0.0

    def propose(self, rng):
        genotype = self.space.repair(dict(self.space.sample(rng)) | {"x": self.place})
        return self.proposal(genotype if self.is_new(genotype) else None)


class Good(Fixed):
    name, place = "good", 1.0


class Bad(Fixed):
    name, place = "bad", 0.0


def line():
    from perennial.lang import call
    from perennial.testing.strategies import together

    space = Space(call(together, real("x", 0.0, 1.0), real("y", 0.0, 1.0)))
    return KnownSpace("line", space, lambda g: g["x"] + 0.01 * g["y"])


def test_the_member_that_earns_more_is_asked_more_and_the_other_is_never_shut_out():
    known = line()
    mixture = Mixture(known.space, 0, members=(Good, Bad))
    origins = [trial.origin for trial in run(mixture, known, 150)][50:]
    assert origins.count("good") > 3 * origins.count("bad") > 0
    assert mixture.shares["good"] > mixture.shares["bad"]


def test_a_member_that_becomes_good_late_gets_its_turn():
    known = line()
    late = KnownSpace("late", known.space, lambda g: 2.0 * (1.0 - g["x"]) + 0.01 * g["y"])
    mixture = Mixture(known.space, 0, members=(Good, Bad))
    first = run(mixture, known, 60)
    for number in range(60, 200):
        (proposal,) = mixture.ask(1)
        mixture.tell(outcome(late, proposal, number))
    origins = [trial.origin for trial in mixture.trials]
    assert [trial.origin for trial in first].count("good") > 30
    assert origins[150:].count("bad") > origins[150:].count("good")


def test_every_member_hears_every_trial_and_what_is_being_tried():
    known = quadratic_space()
    mixture = Mixture(known.space, 0)
    run(mixture, known, 12)
    waiting = mixture.ask(4)
    for member in mixture._members.values():
        assert member.trials == mixture.trials
        assert {proposal.genotype for proposal in member.expected} == {
            proposal.genotype for proposal in waiting
        }


def test_openers_earn_nobody_anything():
    known = quadratic_space()
    mixture = Mixture(known.space, 0)
    before = mixture.shares
    for trial in run(Random(known.space, 1), known, 10):
        mixture.tell(replace(trial, origin="opener"))
    assert mixture.shares == before


def test_when_one_member_has_nothing_another_is_asked():
    class Silent(Random):
        name = "silent"

        def propose(self, rng):
            return None

    known = quadratic_space()
    trials = run(Mixture(known.space, 0, members=(Silent, "random")), known, 10)
    assert [trial.origin for trial in trials] == ["random"] * 10
    assert Mixture(known.space, 0, members=(Silent,)).ask(3) == []


@pytest.mark.parametrize("members", [(), ("random", "random")])
def test_a_mixture_of_nobody_or_of_twins_is_refused(members):
    with pytest.raises(UsageError, match="members of different names"):
        Mixture(quadratic_space().space, 0, members=members)


def test_telling_a_thousand_trials_is_quick():
    known = quadratic_space()
    mixture = Mixture(known.space, 0)
    trials = run(Random(known.space, 1), known, 1000)
    start = time.process_time()
    for trial in trials:
        mixture.tell(trial)
    assert time.process_time() - start < 2.0
    assert math.isfinite(mixture.shares["random"]) and isinstance(trials[0].genotype, Genotype)
