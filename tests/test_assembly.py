"""From members to one program: the joint program under joint weights predicts the weighted mean of its members."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from perennial import assembly
from perennial.assembly import Member
from perennial.evaluate import Bench, evaluate, predict
from perennial.lang import parse, to_source
from perennial.metrics import resolve
from perennial.primitives import vocabulary
from perennial.protocol import Protocol
from perennial.task import Task
from perennial.weights import Weights

SOURCES = (
    "lambda row: linear(standardise(impute(numbers(row))))",
    "lambda row: extra_trees(numbers(row), trees=20)",
    "lambda row: k_nearest(standardise(impute(numbers(row))), neighbours=5)",
)


@dataclass(frozen=True)
class Trial:
    number: int


@dataclass(frozen=True)
class Record:
    source: str
    trial: Trial


@pytest.fixture(scope="module")
def bench():
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(240, 4))
    label = np.where(numbers[:, 0] + numbers[:, 1] ** 2 + generator.normal(0, 0.7, 240) > 1, "yes", "no")
    task = Task.from_data((numbers, label))
    return Bench(task, Protocol.propose(task, kind="kfold", folds=3), resolve("log_loss"))


@pytest.fixture(scope="module")
def members(bench):
    return [member(bench, number, source) for number, source in enumerate(SOURCES)]


def member(bench, number, source):
    outcome = evaluate(bench, source=source, seed=3)
    return Member(Record(source, Trial(number)), outcome.covered, outcome.predictions, outcome.blobs)


def test_a_single_member_keeps_its_program_and_its_weights(bench, members):
    answer = assembly.single(members[0], bench.metric, bench.task.target)
    assert (answer.kind, answer.source, answer.replicas) == ("single", SOURCES[0], members[0].replicas)
    assert answer.value == pytest.approx(-answer.score)


def test_the_average_is_as_good_as_the_best_member_and_its_program_computes_it(bench, members):
    target = bench.task.target
    answer = assembly.average(members, bench.metric, target, seed=0)
    best = min(bench.metric(target, each.predictions) for each in members)
    assert answer.value <= best + 1e-9
    shares = dict(answer.members)
    if answer.kind == "ensemble":
        inputs = bench.task.inputs
        joint = predict(bench, source=answer.source, blobs=answer.replicas, inputs=inputs)
        alone = [
            predict(bench, source=each.record.source, blobs=each.replicas, inputs=inputs)
            * shares.get(number, 0.0)
            for number, each in enumerate(members)
        ]
        assert np.allclose(joint, sum(alone) / sum(shares.values()), atol=1e-9)


def standing(members, reusing, monkeypatch):
    """Says of these members that they stand on a library."""
    sources = {members[place].record.source for place in reusing}
    monkeypatch.setattr(assembly, "_stands_on_others", lambda member: member.record.source in sources)


def heard(bench, members):
    kept = assembly.heard(members, bench.metric, bench.task.target, seed=0)
    assert [number for number, member in enumerate(members) if any(member is each for each in kept)] == [
        each.record.trial.number for each in kept
    ], "in their order"
    return [each.record.trial.number for each in kept]


def test_a_library_has_one_voice_unless_it_knows_best(bench, members, monkeypatch):
    scores = [bench.metric.score(bench.task.target, each.predictions) for each in members]
    best = int(np.argmax(scores))
    others = [number for number in range(len(members)) if number != best]
    standing(members, others, monkeypatch)
    assert heard(bench, members) == sorted([best, max(others, key=lambda number: scores[number])])
    standing(members, [best, others[0]], monkeypatch)
    assert heard(bench, members) == [0, 1, 2], "what is best may be many"


@pytest.mark.parametrize("reusing", [[], [1], [0, 1, 2]])
def test_where_the_library_has_one_member_or_all_every_one_is_heard(bench, members, monkeypatch, reusing):
    standing(members, reusing, monkeypatch)
    assert heard(bench, members) == [0, 1, 2]


def test_on_many_rows_every_member_is_heard(bench, members, monkeypatch):
    scores = [bench.metric.score(bench.task.target, each.predictions) for each in members]
    standing(members, [number for number in range(3) if number != int(np.argmax(scores))], monkeypatch)
    monkeypatch.setattr(assembly.ensemble, "SMALL_ROWS", bench.task.rows)
    assert heard(bench, members) == [0, 1, 2]


def spared(bench, members, reusing, monkeypatch, worse=0.0, constant=-np.inf):
    """The answer when these members stand on a library, with predictions that are this much more like a coin."""
    reusing = [members[place] for place in reusing]
    worsened = {
        id(each): replace(each, predictions=(1 - worse) * each.predictions + worse / 2) for each in reusing
    }
    places = [place for place, each in enumerate(members) if id(each) in worsened]
    members = [worsened.get(id(each), each) for each in members]
    standing(members, places, monkeypatch)
    joint = assembly.average(members, bench.metric, bench.task.target, 0)
    return joint, assembly.sparing(joint, members, bench.metric, bench.task.target, 0, constant)


def test_what_reuses_and_is_clearly_worse_is_not_taken(bench, members, monkeypatch):
    _, taken = spared(bench, members, [0], monkeypatch, worse=1.0)
    assert [number for number, _ in taken.members] != [0], "a coin is no answer"


def test_without_a_library_the_best_average_stays(bench, members, monkeypatch):
    joint, taken = spared(bench, members, [], monkeypatch)
    assert taken is joint


def test_one_standard_error_is_the_limit(bench, members, monkeypatch):
    joint, _ = spared(bench, members, [0], monkeypatch)
    for mean, taken in ((-0.9, "single"), (-1.1, joint.kind)):
        interval = (mean, mean - 1.96, mean + 1.96)
        monkeypatch.setattr(assembly, "paired_difference", lambda *_, found=interval, **__: found)
        assert spared(bench, members, [0], monkeypatch)[1].kind == taken


def test_no_more_than_a_hundredth_of_the_gain_is_given_away(bench, members, monkeypatch):
    joint, _ = spared(bench, members, [0], monkeypatch)
    gain = 50.0
    for mean, taken in ((-0.49, "single"), (-0.51, joint.kind)):
        interval = (mean, mean - 1.96, mean + 1.96)
        monkeypatch.setattr(assembly, "paired_difference", lambda *_, found=interval, **__: found)
        assert spared(bench, members, [0], monkeypatch, constant=joint.score - gain)[1].kind == taken


def sized(members, sizes, monkeypatch):
    """Says of these members how many parts of their own they have, none of them shared."""
    own = {
        member.record.source: {f"{place} {part}" for part in range(size)}
        for place, (member, size) in enumerate(zip(members, sizes, strict=True))
    }

    def of(each):
        source = each.source if isinstance(each, assembly.Candidate) else each.record.source
        return frozenset().union(*(parts for held, parts in own.items() if _holds(source, held)))

    monkeypatch.setattr(assembly, "_own", of)


def _holds(source, held):
    body = parse(held, vocabulary()).body
    return any(node == body for node in parse(source, vocabulary()).walk())


def test_an_average_of_smaller_members_may_take_the_place_of_all(bench, members, monkeypatch):
    sized(members, (9, 6, 3), monkeypatch)
    monkeypatch.setattr(assembly, "paired_difference", lambda *_, **__: (0.0, -1.0, 1.0))
    joint, taken = spared(bench, members, [0], monkeypatch)
    numbers = [number for number, _ in taken.members]
    assert 0 not in numbers, "the largest went, though it stands on the library"
    assert assembly.parts_of(taken) < assembly.parts_of(joint)


@pytest.mark.parametrize("left", [1, 2])
def test_an_average_without_one_member_may_take_the_place_of_all(bench, members, monkeypatch, left):
    others = [members[place].record.trial.number for place in (0, 1, 2) if place != left]
    sized(members, (1, 5, 5), monkeypatch)
    monkeypatch.setattr(assembly.ensemble, "steady", lambda predictions, *_, **__: np.ones(len(predictions)))
    wanted = np.mean([members[number].predictions for number in others], axis=0)

    def difference(metric, target, ours, theirs, seed):
        mean = 0.0 if np.allclose(ours, wanted) else -100.0
        return mean, mean - 1.0, mean + 1.0

    monkeypatch.setattr(assembly, "paired_difference", difference)
    _, taken = spared(bench, members, [0], monkeypatch)
    assert [number for number, _ in taken.members] == others


def test_own_parts_are_counted_once_and_without_what_is_reused(bench, members):
    twin = member(bench, 9, "lambda row: linear(standardise(impute(numbers(row))), penalty=50.0)")
    joint = assembly._built(
        assembly._Mixture((members[0], twin), (0.5, 0.5), members[0].predictions, 0.0),
        bench.metric,
        bench.task.target,
    )
    assert assembly.parts_of(joint) == 4, "two learners; what fills and what scales is shared"
    assert assembly._own(joint) == assembly._own(members[0]) | assembly._own(twin)
    assert len(assembly._own(members[0])) == 3


def test_an_averaged_program_names_one_argument_and_parses_back():
    programs = [
        parse("lambda row: linear(standardise(numbers(row)))", vocabulary()),
        parse("lambda x: extra_trees(numbers(x))", vocabulary()),
    ]
    joint = assembly.averaged(programs, (0.25, 0.75))
    assert joint.names == ("row",)
    assert parse(to_source(joint), vocabulary()) == joint


def test_a_shared_sub_program_is_kept_once(bench, members):
    twin = member(bench, 9, "lambda row: linear(standardise(impute(numbers(row))), penalty=50.0)")
    joint = assembly.merge([members[0].replicas, twin.replicas])
    one, other = (Weights.from_bytes(blobs[0]) for blobs in (members[0].replicas, twin.replicas))
    assert set(Weights.from_bytes(joint[0])) == set(one) | set(other)
    assert len(set(one) & set(other)) == 2


@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_calibration_finds_the_temperature_that_was_put_in(bench, members, factor):
    target = bench.task.target
    honest = assembly.calibrated(assembly.single(members[0], bench.metric, target), target, True)[0]
    spoilt = assembly.apply_temperature(honest.predictions, factor)
    candidate = assembly.Candidate(**{**honest.__dict__, "predictions": spoilt, "source": SOURCES[0]})
    cured, told = assembly.calibrated(candidate, target, True)
    assert told["temperature"] == pytest.approx(1 / factor, rel=0.15) and told["after"] < told["before"]
    assert "calibrate" in cured.source
    assert np.allclose(cured.predictions, honest.predictions, atol=0.02)


def test_numbers_are_never_calibrated(bench, members):
    candidate = assembly.single(members[0], bench.metric, bench.task.target)
    assert assembly.calibrated(candidate, bench.task.target, False) == (candidate, {"temperature": 1.0})


def test_the_kind_of_a_program_is_its_outermost_fitted_word():
    assert assembly.learner_of(SOURCES[1]) == "extra_trees"
