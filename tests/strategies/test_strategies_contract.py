"""Every strategy on the shelf, under every scheduler, keeps the contract; clever ones beat random search."""

from functools import lru_cache, partial

import numpy as np
import pytest

from perennial import scheduler, strategies
from perennial.errors import UsageError
from perennial.spaces import Space, one_of
from perennial.strategies.evolution import RegularizedEvolution
from perennial.testing.strategies import best_so_far, check_replays, check_strategy, known_spaces, run

MEMBERS = sorted(strategies.members())
CLEVER = [name for name in MEMBERS if name != "random"]
KNOWN = {known.name: known for known in known_spaces()}
SEEDS, TRIALS = 10, 60


def make(name, under, space, seed):
    return scheduler.resolve(under, strategies.resolve(name, space, seed))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_strategy_keeps_the_contract(name):
    check_strategy(partial(strategies.resolve, name))


@pytest.mark.parametrize("under", list(scheduler.SCHEDULERS))
@pytest.mark.parametrize("name", MEMBERS)
def test_a_scheduled_strategy_keeps_the_contract(name, under):
    check_strategy(partial(make, name, under), trials=14)


@pytest.mark.parametrize("under", list(scheduler.SCHEDULERS))
@pytest.mark.parametrize("name", MEMBERS)
def test_replaying_a_longer_run_gives_the_same_next_proposals(name, under):
    check_replays(partial(make, name, under), KNOWN["mixed"], trials=36)


@lru_cache
def final_scores(name, space):
    """The best score after 60 trials, one for each of 10 seeds."""
    known = KNOWN[space]
    return np.array(
        [
            best_so_far(run(strategies.resolve(name, known.space, seed), known, TRIALS))[-1]
            for seed in range(SEEDS)
        ]
    )


@pytest.mark.parametrize("space", KNOWN)
@pytest.mark.parametrize("name", CLEVER)
def test_a_clever_strategy_beats_random_search_on_average_over_ten_seeds(name, space):
    clever, random = final_scores(name, space), final_scores("random", space)
    error = np.sqrt(clever.var() / SEEDS + random.var() / SEEDS)
    assert clever.mean() > random.mean() + error, (
        f"{name} {clever.mean():.4g}, random {random.mean():.4g} on {space}"
    )


@pytest.mark.parametrize("space", KNOWN)
def test_the_mixture_stays_close_to_its_best_member(space):
    random = final_scores("random", space).mean()
    best = max(final_scores(name, space).mean() for name in CLEVER)
    assert final_scores("mixture", space).mean() > random + 0.7 * (best - random)


@pytest.mark.parametrize("name", MEMBERS)
def test_asking_stays_cheap_with_three_hundred_trials(name):
    import time

    known = KNOWN["mixed"]
    asker = strategies.resolve(name, known.space, 0)
    for trial in run(strategies.resolve("random", known.space, 1), known, 300):
        asker.tell(trial)
    asker.ask(1)
    seconds = []
    for _ in range(9):
        start = time.process_time()
        asker.ask(1)
        seconds.append(time.process_time() - start)
    assert np.median(seconds) < 0.05


def test_a_name_a_function_and_an_object_all_resolve():
    space = Space(one_of("a", [1, 2]))
    made = strategies.resolve(partial(RegularizedEvolution, population=50), space, 3)
    assert (made.population, made.seed) == (50, 3)
    assert strategies.resolve(made, space) is made
    assert strategies.resolve("local", space, 2).name == "local"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'evolution'"):
        strategies.resolve("evolutoin", Space(one_of("a", [1, 2])))


def test_every_strategy_has_a_name_and_says_which_paper_it_is():
    for name, member in strategies.members().items():
        assert member.name == name and member.__doc__
