"""What suggestions gained before says what they may gain: compared with the same sums done the other way round."""

import numpy as np
import pytest

from perennial.library import Card, Evidence, Learnt, Library, Record
from perennial.library.distances import SAME_TYPES, Distances
from perennial.library.gains import (
    ANY,
    EXPECTED,
    MORE,
    NEAR,
    SAME,
    USUAL,
    Gains,
    Predicted,
    mean_gains,
    tried,
)
from perennial.library.records import Batch

ROLE = "recipe"


def learnt(number, rows=100, types="Real", baseline=0.5, **figures):
    told = {"rows": float(np.log(rows)), **figures}
    return Learnt(
        f"{number:064x}",
        f"task {number}",
        "table",
        "binary",
        types,
        "Dist[2]",
        rows,
        "accuracy",
        baseline,
        told,
    )


def recipe(number):
    return Record("recipe", f"lambda row: {number}", "Real", "Dist[2]")


def proof(record, task, gain, scratch=0.75, study="oak-1", told=1.0, role=ROLE, metric="accuracy"):
    value = None if gain is None else scratch + gain
    return Evidence(record.id, task.fingerprint, role, metric, value, scratch, gain, study=study, told=told)


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "library") as opened:
        yield opened


def keep(library, tasks, records=(), proofs=()):
    """Records, each with the task that it is from, and what became of them."""
    cards = tuple((record, Card(0.0, task=task.fingerprint)) for record, task in records)
    library.store.commit(Batch(cards, evidence=tuple(proofs), tasks=tuple(tasks)))


def test_a_gain_is_a_share_of_the_way_from_common_sense(library):
    task, one = learnt(1, baseline=0.5), recipe(1)
    keep(library, [task], [(one, task)], [proof(one, task, 0.05)])
    [told] = tried(library)
    assert told.helped and told.gain == pytest.approx(0.05 / 0.25)
    assert mean_gains(library) == {one.id: pytest.approx(0.2)}


def test_what_failed_got_nowhere_and_what_cannot_be_compared_has_no_gain(library):
    task, unknown, level = learnt(1), learnt(2, baseline=None), learnt(3, baseline=0.75)
    records = [recipe(number) for number in range(4)]
    keep(
        library, [task, unknown, level], [(each, task) for each in records],
        [
            proof(records[0], task, None), proof(records[1], unknown, 0.1), proof(records[2], level, 0.1),
            proof(records[3], task, 0.1, metric="roc_auc"),
        ],
    )  # fmt: skip
    told = {each.record: (each.helped, each.gain) for each in tried(library)}
    assert told[records[0].id] == (False, -1.0)
    assert [told[each.id] for each in records[1:]] == [(True, None)] * 3
    assert list(mean_gains(library)) == [records[0].id]


def test_the_best_candidate_counts_of_what_a_study_told_last(library):
    task, one = learnt(1), recipe(1)
    early, late = [0.25, 0.1], [-0.1, -0.05, -0.2]
    proofs = [proof(one, task, gain, told=10.0 + 1e-3 * n) for n, gain in enumerate(early)]
    proofs += [proof(one, task, gain, told=70.0 + 1e-3 * n) for n, gain in enumerate(late)]
    keep(library, [task], [(one, task)], [*proofs, proof(one, task, 0.125, study="elm-2", told=80.0)])
    assert [(each.helped, each.gain) for each in tried(library)] == [
        (False, pytest.approx(-0.2)),
        (True, 0.5),
    ]


def test_what_nobody_suggested_is_not_counted(library):
    task, one = learnt(1), recipe(1)
    keep(library, [task], [(one, task)], [Evidence(one.id, task.fingerprint, ROLE, "accuracy", 0.9)])
    assert tried(library) == []


def test_before_any_evidence_a_little_is_expected_of_what_comes_from_near(library):
    near, far, asked = learnt(1), learnt(2, rows=10**6, types="Text", classes=40.0), learnt(3)
    records = [recipe(1), recipe(2)]
    keep(library, [near, far], list(zip(records, (near, far), strict=True)))
    first, second, unknown = Gains(library, asked, ROLE).predicted([*(each.id for each in records), "f" * 64])
    assert 0.9 * EXPECTED < first.mean <= EXPECTED and second.mean < 0.75 * first.mean and unknown.mean == 0.0
    assert first.low < -USUAL and USUAL < first.high
    assert first.mean - first.low == pytest.approx(first.high - first.mean)


def some_history(library, seed, records=6, tasks=12, effect=0.0, noise=0.02):
    """Recipes of a few tasks, tried on others; gains are what is common to all, and chance."""
    generator = np.random.default_rng(seed)
    known = [
        learnt(n, int(10 ** generator.uniform(1.5, 4.5)), classes=float(generator.integers(2, 9)))
        for n in range(tasks)
    ]
    kept = [(recipe(n), known[n]) for n in range(records)]
    proofs = [
        proof(
            record,
            task,
            0.25 * (effect + noise * generator.normal()),
            study=f"oak-{place}",
            told=10.0 * place,
        )
        for place, (record, task) in enumerate((r, t) for r, _ in kept for t in known[records:])
    ]
    keep(library, known, kept, proofs)
    return [record for record, _ in kept]


def test_the_posterior_is_that_of_a_linear_model_with_one_column_for_each_record(library):
    """The kernel is the inner product of these columns; here their weights are found, as in any ridge regression."""
    records = some_history(library, seed=0, effect=0.1, noise=0.3)
    asked = learnt(99, rows=700, classes=3.0)
    gains, known = Gains(library, asked, ROLE), tried(library)
    tasks = {each.fingerprint: each for each in [*library.store.tasks(), asked]}
    places = {print_: place for place, print_ in enumerate(tasks)}
    distances = Distances(list(tasks.values()))

    def columns(record, target):
        source = tasks[library.store.header(record).card.task]
        near = np.exp(-distances.to(places[target.fingerprint])[places[source.fingerprint]])
        more = np.tanh(np.log10(source.rows / target.rows))
        own = [SAME**0.5 * (record == each.id) for each in records]
        return [ANY**0.5, NEAR**0.5 * near, MORE**0.5 * more, *own], EXPECTED * near

    seen, expected = map(
        np.array, zip(*(columns(each.record, tasks[each.task]) for each in known), strict=True)
    )
    new, before = map(np.array, zip(*(columns(each.id, asked) for each in records), strict=True))
    above = np.array([each.gain for each in known]) - expected
    precision = seen.T @ seen + np.eye(seen.shape[1])
    means, spread = gains.posterior([each.id for each in records])
    assert np.allclose(means, before + new @ np.linalg.solve(precision, seen.T @ above), atol=1e-9)
    within = above @ above - above @ seen @ np.linalg.solve(precision, seen.T @ above)
    scale = (4.0 * USUAL**2 + within) / (4.0 + len(known))
    assert np.allclose(spread, scale * new @ np.linalg.solve(precision, new.T), atol=1e-9)


@pytest.mark.parametrize("effect", [-0.2, 0.0, 0.3])
def test_what_all_gained_is_expected_of_the_next(library, effect):
    records = some_history(library, seed=1, effect=effect)
    told = Gains(library, learnt(50, rows=300, classes=4.0), ROLE).predicted([each.id for each in records])
    assert all(each.low < effect < each.high and abs(each.mean - effect) < 0.05 for each in told)
    assert all(each.high - each.low < 0.3 for each in told)


def test_intervals_hold_what_is_seen_about_as_often_as_they_say(tmp_path):
    held = []
    for seed in range(12):
        with Library(tmp_path / str(seed)) as library:
            effect, noise = 0.05 * seed - 0.3, 0.02 + 0.02 * seed
            records = some_history(library, seed, effect=effect, noise=noise)
            told = Gains(library, learnt(50, rows=300, classes=4.0), ROLE).predicted(
                [each.id for each in records]
            )
            seen = np.clip(
                effect + noise * np.random.default_rng([seed, 1]).normal(size=(100, len(told))), -1, 1
            )
            held += [
                ((each.low <= seen[:, n]) & (seen[:, n] <= each.high)).mean() for n, each in enumerate(told)
            ]
    assert 0.93 <= np.mean(held) <= 0.999


def test_roles_and_other_kinds_of_data_are_told_apart(library):
    some_history(library, seed=2, effect=-0.3)
    one, image = (
        recipe(1),
        Learnt("e" * 64, "photos", "image", "binary", "Image[8, 8, 1]", "Dist[2]", 90, "accuracy", 0.5, {}),
    )
    asked = learnt(50)
    assert Gains(library, asked, "whole").evidence == 0 and Gains(library, image, ROLE).evidence == 0
    assert (
        Gains(library, asked, "whole").predicted([one.id])[0].mean
        > 0
        > Gains(library, asked, ROLE).predicted([one.id])[0].mean
    )


def test_a_draw_is_one_of_the_ways_that_it_may_be(library):
    records = [each.id for each in some_history(library, seed=3, records=3, tasks=5, noise=0.3)]
    gains = Gains(library, learnt(50, rows=900), ROLE)
    generator = np.random.default_rng(0)
    drawn = np.array([gains.draw(records, generator) for _ in range(4000)])
    means, spread = gains.posterior(records)
    assert np.allclose(drawn.mean(axis=0), means, atol=4 * np.sqrt(np.diag(spread).max() / 4000))
    assert np.allclose(np.cov(drawn.T), spread, rtol=0.2, atol=0.05 * spread.max())


def test_only_the_same_data_have_no_distance_and_the_same_types_are_near():
    tasks = [learnt(1), learnt(2), learnt(3, types="Text"), learnt(4, rows=10**5, types="Text")]
    apart = Distances(tasks).to(0)
    assert apart[0] == 0.0 and 0.0 < apart[1] <= apart[2] < apart[3]
    far, near = (
        Distances([learnt(1), learnt(4, rows=10**5, types=types)]).to(0)[1] for types in ("Text", "Real")
    )
    assert near == pytest.approx(SAME_TYPES * far)
    assert Distances([learnt(1, rows=5)] * 2).to(1).tolist() == [0.0, 0.0]


def test_a_predicted_gain_is_told_in_percent():
    assert str(Predicted(-0.071, -0.3, 0.0)) == "-7 % [-30, +0]"
