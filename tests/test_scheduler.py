from collections import Counter
from functools import partial

import pytest

from perennial import strategies
from perennial.errors import UsageError
from perennial.scheduler import Full, Hyperband, SuccessiveHalving, resolve
from perennial.spaces import Space, one_of
from perennial.testing.strategies import KnownSpace, outcome, quadratic_space, run
from perennial.trial import Proposal


def around(kind, known=None, seed=0, **options):
    known = known or quadratic_space()
    return kind(strategies.resolve("random", known.space, seed), **options)


def test_full_tries_everything_in_full():
    assert {trial.fidelity for trial in run(around(Full), quadratic_space(), 20)} == {1.0}


def test_the_rungs_go_up_by_the_factor_to_one():
    assert around(SuccessiveHalving).fidelities == pytest.approx((1 / 9, 1 / 3, 1.0))
    assert around(SuccessiveHalving, minimum=1 / 16, factor=4).fidelities == pytest.approx(
        (1 / 16, 1 / 4, 1.0)
    )
    assert around(SuccessiveHalving, minimum=1.0).fidelities == (1.0,)


def test_one_of_three_is_promoted_and_only_the_best():
    known = quadratic_space()
    trials = run(around(SuccessiveHalving), known, 130)
    rungs = Counter(round(trial.fidelity, 3) for trial in trials)
    # promoting early lets some through that later ones push out of the best third (Li et al. 2020)
    for low, high in ((0.111, 0.333), (0.333, 1.0)):
        assert rungs[low] // 3 <= rungs[high] <= 1.35 * (rungs[low] // 3)
    first = sorted((t for t in trials if t.fidelity < 0.2), key=lambda t: -t.score)
    promoted = {t.genotype for t in trials if 0.2 < t.fidelity < 1.0}
    assert {t.genotype for t in first[: len(first) // 4]} <= promoted


def test_a_promotion_names_the_trial_it_came_from():
    trials = run(around(SuccessiveHalving), quadratic_space(), 40)
    promotions = [trial for trial in trials if trial.origin == "promotion"]
    assert promotions
    for trial in promotions:
        parent = trials[trial.parents[0]]
        assert parent.genotype == trial.genotype and parent.fidelity == pytest.approx(trial.fidelity / 3)


def test_workers_never_wait_for_a_rung_to_fill():
    scheduler, known = around(SuccessiveHalving), quadratic_space()
    waiting = scheduler.ask(50)
    assert len(waiting) == 50
    for number, proposal in enumerate(waiting[:3]):
        scheduler.tell(outcome(known, proposal, number))
    assert [each.fidelity for each in scheduler.ask(2)] == pytest.approx([1 / 3, 1 / 9])


def test_failed_candidates_are_never_promoted_and_fill_their_rung():
    scheduler, known = around(SuccessiveHalving), quadratic_space()
    trials = run(scheduler, known, 90, status=lambda number: "failed" if number % 2 else "scored")
    promotions = [trial for trial in trials if trial.origin == "promotion"]
    assert promotions and all(trials[trial.parents[0]].status == "scored" for trial in promotions)
    assert not any(
        t.origin == "promotion" for t in run(around(SuccessiveHalving), known, 60, status=lambda n: "failed")
    )


def test_halving_saves_most_of_the_cost_and_finds_as_good_a_candidate():
    known = quadratic_space()
    full = run(around(Full), known, 100)
    halving = run(around(SuccessiveHalving), known, 150)
    assert len({trial.genotype for trial in halving}) >= 100
    assert sum(trial.fidelity for trial in halving) < 0.4 * 100
    best = max(t.score for t in halving if t.fidelity == 1.0)
    assert best >= max(t.score for t in full) - 1e-9


def test_hyperband_starts_on_every_rung_in_its_proportions():
    trials = run(around(Hyperband), quadratic_space(), 400)
    starts = Counter(round(trial.fidelity, 3) for trial in trials if trial.origin != "promotion")
    # Li et al. 2017, η = 3, three brackets: 9, 9/2 (rounded up to 5 there) and 3 starts
    assert starts[0.111] / starts[1.0] == pytest.approx(3.0, rel=0.05)
    assert starts[0.333] / starts[1.0] == pytest.approx(1.5, rel=0.05)


def test_a_space_smaller_than_the_factor_still_gets_a_full_trial():
    space = Space(one_of("a", [1, 2]))
    known = KnownSpace("tiny", space, lambda genotype: float(genotype["a"]))
    trials = run(around(SuccessiveHalving, known), known, 50)
    assert [trial.fidelity for trial in trials] == pytest.approx([1 / 9, 1 / 9, 1 / 3, 1.0])
    assert trials[-1].genotype["a"] == 1


def test_full_trials_of_openers_need_no_promotion():
    known = quadratic_space()
    scheduler = around(SuccessiveHalving)
    for number in range(9):
        genotype = known.space.neighbours(known.space.default())[number]
        scheduler.tell(outcome(known, Proposal(genotype, origin="opener"), number))
    assert [proposal.fidelity for proposal in scheduler.ask(3)] == pytest.approx([1 / 9] * 3)


@pytest.mark.parametrize("options", [{"minimum": 0.0}, {"minimum": 1.5}, {"factor": 1}])
def test_impossible_rungs_are_refused(options):
    with pytest.raises(UsageError, match="minimum"):
        around(SuccessiveHalving, **options)


def test_a_name_a_function_and_an_object_all_resolve():
    strategy = strategies.resolve("random", quadratic_space().space)
    made = resolve(partial(SuccessiveHalving, minimum=1 / 27), strategy)
    assert len(made.fidelities) == 4 and resolve(made, strategy) is made
    assert isinstance(resolve("hyperband", strategy), Hyperband)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'halving'"):
        resolve("halvin", strategies.resolve("random", quadratic_space().space))
