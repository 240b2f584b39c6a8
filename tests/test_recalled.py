"""Whole models of other tasks, as one word of a program: what they say, that they stay, and whom they may serve."""

import shutil

import numpy as np
import pytest

from perennial import Protocol, Study, Task, compiler
from perennial.errors import DamagedFile, ProgramError, TypeMismatch
from perennial.history import History
from perennial.lang import Dist, FitContext, Image, Lambda, Real, State, Tensor, Var, call, parse, to_source
from perennial.library import Card, Library, Record, features
from perennial.model import Model
from perennial.primitives import vocabulary
from perennial.spaces import Limits
from perennial.trainers import Batch, resolve
from perennial.weights import Weights
from perennial.workflow import grow_study

WORDS = vocabulary()
SIZE = Image(8, 8, 1)
OLD = parse("lambda image: linear(hog(image, cells=2), penalty=1.0)", WORDS)
CLASSES = 3


def directions(rows, seed, classes=CLASSES, noise=20.0):
    """Classes are directions of stripes of any phase, in noise."""
    generator = np.random.default_rng(seed)
    target = np.arange(rows) % classes
    down, across = np.indices(SIZE.dims[:2])
    waves = [down, across, down + across, down - across]
    phases = generator.integers(0, 4, rows)
    images = np.stack([((waves[k] + p) % 4 < 2) * 120.0 for k, p in zip(target, phases, strict=True)])
    images += generator.normal(60.0, noise, images.shape)
    return images.clip(0, 255).astype(np.uint8)[..., None], target


THREE = Dist(CLASSES)


def names(target):
    return np.array(["a", "b", "c", "d"])[target]


def fitted(program, images, target, output=THREE, **more):
    context = FitContext(output=output, train_rows=len(target), types=(SIZE,), **more)
    return resolve(program).fit(program, Batch((images,), target, len(target)), context)


@pytest.fixture(scope="module")
def packed():
    replicas = tuple(fitted(OLD, *directions(90, seed, noise=90.0)).weights for seed in (0, 1))
    return compiler.Packed(OLD, replicas, SIZE, Dist(CLASSES))


def on(learner="linear", of="abc", size=CLASSES):
    part = call(WORDS["recalled"], Var("image"), of=of, size=size)
    return Lambda(("image",), call(WORDS[learner], part)), part


def test_it_says_the_logarithms_of_what_the_replicas_say_on_average(packed):
    images, _ = directions(20, 5)
    codec = Task.from_data((directions(30, 0)[0], np.array(["a", "b", "c"] * 10))).schema
    model = Model(OLD, packed.replicas, codec)
    wanted = np.log(np.clip(model.predict_proba(images), 1e-3, 1.0))
    _, part = on()
    found = compiler.word_of(part).call(images, state=packed.state)
    assert found.shape == (20, CLASSES) and np.allclose(found, wanted, atol=1e-6)
    assert compiler.word_of(part).call(images[:0], state=packed.state).shape == (0, CLASSES)


def test_numbers_are_said_as_they_are():
    images, target = directions(60, 0)
    weights = fitted(OLD, images, target * 2.5, output=Real).weights
    state = compiler.Packed(OLD, (weights,), SIZE, Real).state
    _, part = on(size=1)
    said = compiler.word_of(part).call(images, state=state)
    assert said.shape == (60, 1) and np.corrcoef(said[:, 0], target)[0, 1] > 0.8


def test_a_state_is_written_and_read_back(packed):
    again = compiler.Packed.of(packed.state)
    assert (again.program, again.input, again.output) == (OLD, SIZE, Dist(CLASSES))
    assert [each.to_bytes() for each in again.replicas] == [each.to_bytes() for each in packed.replicas]


def test_a_learner_on_it_knows_classes_with_other_names_from_few_rows(packed):
    images, target = directions(6, 3, noise=110.0)
    turned = (target + 1) % CLASSES
    program, part = on()
    told = fitted(program, images, turned, initial={part.hash: packed.state})
    asked, truth = directions(300, 4, noise=110.0)
    codec = Task.from_data((images, names(turned))).schema
    model = Model(program, (told.weights,), codec)
    recalled = (model.predict(asked) == names((truth + 1) % CLASSES)).mean()
    scratch = Model(OLD, (fitted(OLD, images, turned).weights,), codec)
    alone = (scratch.predict(asked) == names((truth + 1) % CLASSES)).mean()
    assert recalled > alone + 0.05


def test_the_model_is_saved_with_it_and_stays_as_it_is(packed, tmp_path):
    images, target = directions(30, 3)
    program, part = on()
    weights = fitted(program, images, target, initial={part.hash: packed.state}).weights
    codec = Task.from_data((images, names(target))).schema
    Model(program, (weights,), codec).save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    assert to_source(again.program) == to_source(program)
    assert compiler.Packed.of(again.replicas[0][part.hash]).program == OLD
    kept, given = again.replicas[0][part.hash], packed.state
    assert all(np.array_equal(kept.arrays[name], given.arrays[name]) for name in given.arrays)


def test_without_the_model_at_hand_it_says_what_to_do():
    program, _ = on()
    with pytest.raises(ProgramError, match=r"(?s)recalled.*abc.*not at hand.*library"):
        fitted(program, *directions(30, 0))
    with pytest.raises(ProgramError, match="only inside a program"):
        WORDS["recalled"].call(np.zeros((1, 8, 8, 1)))


def nested(packed):
    program, part = on()
    weights = fitted(program, *directions(30, 0), initial={part.hash: packed.state}).weights
    return compiler.Packed(program, (weights,), SIZE, Dist(CLASSES)).state


@pytest.mark.parametrize(
    "lie",
    [
        lambda told: State(told.arrays, {**told.texts, "output": "Dist[4]"}),
        lambda told: State(told.arrays, {**told.texts, "output": "Image[9"}),
        lambda told: State(told.arrays, {**told.texts, "source": "lambda image: eval(image)"}),
        lambda told: State(told.arrays, {**told.texts, "source": "lambda image: linear(image)"}),
        lambda told: State({}, told.texts),
        lambda told: State(told.arrays, {**told.texts, "fields": "{"}),
        lambda told: State(told.arrays, {**told.texts, "fields": "[[1]]"}),
        lambda told: State({"replica_000": np.zeros(9, np.uint8)}, told.texts),
        lambda told: State(told.arrays, {}),
    ],
)
def test_a_state_that_lies_is_refused_before_anything_is_built(packed, lie):
    program, part = on()
    told = Weights({part.hash: lie(packed.state)})
    with pytest.raises(DamagedFile):
        compiler.check_states(program.body.arguments[0], told)


def test_a_model_that_recalls_one_itself_is_not_recalled(packed):
    _, part = on(of="abd")
    with pytest.raises(DamagedFile, match="recalls another"):
        compiler.word_of(part).check(nested(packed))


def test_what_would_cost_too_much_is_refused_before_it_is_built(packed, monkeypatch):
    large = "lambda image: linear(frozen(global_pool(transposed_conv(pixels(image), width=64, kernel=3, stride=16)), of='x'))"
    program, (_, part) = parse(large, WORDS), on()
    monkeypatch.setattr("perennial.compiler.programs.LARGEST", Limits(flops=1e4))
    state = compiler.Packed(program, packed.replicas, SIZE, Dist(CLASSES)).state
    with pytest.raises(DamagedFile):
        compiler.word_of(part).check(state)


def test_the_word_takes_one_input():
    assert WORDS["recalled"].infer(SIZE, of="a", size=4) == Tensor(4)
    with pytest.raises(TypeMismatch, match="received 2"):
        WORDS["recalled"].infer(SIZE, SIZE, of="a", size=4)


# -- from task to task -----------------------------------------------------------------------------------------------


def task(rows, seed, name="next"):
    images, target = directions(rows, seed, classes=4)
    return Task.from_data((images, names(target)), name=name)


def grown(asked, library, out=None, trials=1):
    protocol = Protocol.propose(asked, kind="kfold", folds=3)
    with (
        Library(library) as opened,
        Study(asked, out=out, sized_for=5.0, workers=0, protocol=protocol) as study,
    ):
        model = grow_study(study, float("inf"), trials=trials, library=opened)
    return model


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library") / "library"
    grown(task(160, 0, "before"), folder)
    return folder


def test_a_later_task_of_such_images_tries_it(library, tmp_path):
    library = shutil.copytree(library, tmp_path / "library")
    asked = task(24, 1)
    with Library(library) as opened:
        assert [part.kind for part in features.parts_for(opened, asked)] == ["solution"]
    grown(asked, library, tmp_path / "s", trials=3)
    history = History.read(tmp_path / "s")
    assert history.suggestions[0]["role"] == "whole"
    tried = [record for record in history.records if "recalled(" in record.source]
    assert tried and all(record.trial.status == "scored" for record in tried)
    with Study(asked, out=tmp_path / "s", sized_for=5.0, workers=0) as again:
        assert [part.kind for part in again.parts] == ["solution"]


def test_rows_that_it_has_seen_are_not_asked_of_it(library):
    with Library(library) as opened:
        assert features.parts_for(opened, task(160, 0)) == []
        images, target = directions(160, 0, classes=4)
        other, kinds = directions(100, 2, classes=4)
        mixed = Task.from_data(
            (np.concatenate([images[:5], other]), names(np.concatenate([target[:5], kinds])))
        )
        assert features.parts_for(opened, mixed) == []


def test_a_model_whose_learner_lies_harms_no_other(library):
    asked = task(24, 1)
    with Library(library) as opened:
        [part] = features.parts_for(opened, asked)
    state = features.only_state(part.weights)
    model = compiler.Packed.of(state)
    empty = Weights({key: State({}, {}) for key in model.replicas[0]})
    broken = compiler.Packed(model.program, (empty,), model.input, model.output).state
    wrong = features.Part(**{**vars(part), "weights": Weights({"features": broken}).to_bytes()})
    good, bad = features.scores([part], asked, 0), features.scores([wrong], asked, 0)
    assert bad == [None] and good[0] > 0.5


def test_of_a_whole_model_of_images_the_first_replica_is_asked_about_some_rows(library, monkeypatch):
    asked, said = [], compiler.RecalledModel._said_of

    def counted(self, rows, state):
        asked.append((len(rows), len(compiler.Packed.of(state).replicas)))
        return said(self, rows, state)

    monkeypatch.setattr(compiler.RecalledModel, "_said_of", counted)
    monkeypatch.setattr(features, "IMAGES_FOR_WHOLE", 30)
    with Library(library) as opened:
        [part] = features.parts_for(opened, task(60, 1))
    assert len(compiler.Packed.of(features.only_state(part.weights)).replicas) > 1
    [score] = features.scores([part], task(60, 1), 0)
    assert asked == [(30, 1)] and score > 0.5


def test_a_study_of_an_earlier_version_opens(library, tmp_path):
    place = shutil.copytree(library, tmp_path / "library")
    grown(task(24, 1), place, tmp_path / "s")
    with Study(task(24, 1), out=tmp_path / "s", sized_for=5.0, workers=0) as again:
        for module in again.history.recalled["modules"]:
            for name in ("kind", "size", "seen"):
                module.pop(name)
        assert [part.kind for part in again._recalled_parts()] == ["module"]


def test_images_of_another_size_do_not_ask_it(library):
    images, target = directions(40, 1)
    larger = Task.from_data((images.repeat(2, axis=1).repeat(2, axis=2), names(target)))
    with Library(library) as opened:
        assert features.parts_for(opened, larger) == []


# -- tables ----------------------------------------------------------------------------------------------------------

BEFORE = 190  # too few for the network of tables, which takes long


def rows(count, seed, levels=("red", "green", "blue"), order=("size", "colour", "weight")):
    """A table whose target is a formula of all its columns, in some order of columns."""
    generator = np.random.default_rng(seed)
    colours = generator.choice(levels, count)
    columns = {
        "size": generator.normal(size=count).round(6),
        "weight": generator.uniform(1, 9, count).round(6),
        "colour": colours,
    }
    effect = np.array([{"red": 0.0, "green": 2.0, "blue": -1.0, "pink": 5.0}[c] for c in colours])
    target = 3 * columns["size"] + np.sqrt(columns["weight"]) * effect + generator.normal(0, 0.2, count)
    return {**{name: columns[name] for name in order}, "price": target.round(6)}


def table(count, seed, **more):
    return Task.from_data(rows(count, seed, **more), "price", name="prices")


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prices") / "library"
    grown(table(BEFORE, 0), folder, trials=4)
    return folder


def said(library, asked):
    """What the model of the library says of the rows of a task."""
    with Library(library) as opened:
        [part] = features.parts_for(opened, asked)
        model = opened.model("prices/solution")
    word, state = features.adapted(part, asked.input_type)
    return word.call(asked.schema.argument(asked.inputs), state=state)[:, 0], model


@pytest.mark.parametrize(
    "more", [{}, {"order": ("weight", "size", "colour")}, {"levels": ("blue", "pink", "red")}], ids=str
)
def test_rows_are_read_by_the_names_of_columns_and_levels(prices, more):
    data = rows(150, 7, **more)
    found, model = said(prices, table(150, 7, **more))
    replicas = Model(model.program, model.replicas[: features.MOST_REPLICAS], model.codec)
    wanted = replicas.predict({name: column for name, column in data.items() if name != "price"})
    assert np.allclose(found, wanted, rtol=1e-5)


def test_tables_without_its_columns_or_of_its_rows_do_not_ask_it(prices):
    with Library(prices) as opened:
        fewer = {name: column for name, column in rows(90, 3).items() if name != "weight"}
        assert features.parts_for(opened, Task.from_data(fewer, "price")) == []
        assert features.parts_for(opened, table(BEFORE, 0)) == []
        half = {
            name: np.concatenate([rows(BEFORE, 0)[name][:60], column]) for name, column in rows(90, 3).items()
        }
        assert features.parts_for(opened, Task.from_data(half, "price")) == []


def test_a_later_table_needs_fewer_rows(prices, tmp_path):
    place = shutil.copytree(prices, tmp_path / "library")
    few, tested = table(40, 5), rows(500, 6)
    truth = tested.pop("price")
    warm = grown(few, place, tmp_path / "warm", trials=5)
    cold = grown(few, tmp_path / "empty", tmp_path / "cold", trials=5)
    errors = [np.sqrt(np.mean((model.predict(tested) - truth) ** 2)) for model in (warm, cold)]
    assert "recalled(" in to_source(warm.program)
    assert errors[0] < 0.8 * errors[1], errors
    again = Model.load(tmp_path / "warm" / "best")
    assert np.array_equal(again.predict(tested), warm.predict(tested))


def test_a_table_in_other_units_is_read_in_those_of_the_model(prices, tmp_path):
    place = shutil.copytree(prices, tmp_path / "library")
    data = rows(60, 5)
    for name in ("size", "weight"):
        data[name] = 1.8 * data[name] + 32.0
    asked = Task.from_data(data, "price", name="prices")
    with Library(place) as opened:
        parts = features.parts_for(opened, asked)
        ranked = features.ranked(parts, features.scores(parts, asked, 0))
    assert [part.units for part in parts] == ["1.8 x + 32", ""]
    assert [part.units for part, _ in ranked] == ["1.8 x + 32"], "of one record the way that tells more"
    grown(asked, place, tmp_path / "s", trials=3)
    suggestions = History.read(tmp_path / "s").suggestions
    assert "1.8 x + 32" in suggestions[0]["reason"]


def test_recipes_stand_on_what_is_known(prices, tmp_path):
    place = shutil.copytree(prices, tmp_path / "library")
    grown(table(60, 5), place, tmp_path / "s", trials=2)
    suggestions = History.read(tmp_path / "s").suggestions
    roles = [each["role"] for each in suggestions]
    assert roles[:3] == ["whole", "whole", "recipe"]
    assert "by the recipe of prices/recipe-" in suggestions[1]["reason"]


@pytest.mark.parametrize(
    "lie",
    [{"f0001": [10**400] * 11}, {"f0001": ["x"] * 11}, [], {"f0001": 3}],
    ids=["huge", "text", "list", "number"],
)
def test_a_record_that_lies_about_its_columns_harms_nothing(prices, tmp_path, lie):
    place = shutil.copytree(prices, tmp_path / "library")
    asked = table(60, 5)
    with Library(place) as opened:
        record = Record.from_bytes(opened.store.get(opened.find("prices/solution")))
        bad = Record(
            record.kind,
            record.source,
            record.input,
            record.output,
            record.weights,
            {**record.details, "profiles": lie},
        )
        opened.add(bad, Card(1e12), name="prices/solution")
        parts = features.parts_for(opened, asked)
    assert record.id in {part.record for part in parts}


class Counted(compiler.RecalledModel):
    """Counts the rows that the model is asked about."""

    asked = 0

    def _said_of(self, rows, state):
        Counted.asked += len(rows)
        return super()._said_of(rows, state)


def test_a_model_is_asked_once_about_a_row_while_a_search_lasts(packed):
    Counted.asked = 0
    images, _ = directions(30, 5)
    images = np.concatenate([images, images[:3]])
    _, part = on()
    state = compiler.Packed.of(packed.state).state
    word = Counted(part)
    plain = word.call(images, state=state)
    assert Counted.asked == 33
    compiler.keep_answers(part, state)
    for asked, more in (
        (images[:10], 10),
        (images[5:20], 10),
        (images[::-1], 10),
        (images[:0], 0),
        (images, 0),
    ):
        before = Counted.asked
        found = word.call(asked, state=state)
        assert (
            Counted.asked == before + more
            and found.dtype == np.float32
            and found.shape == (len(asked), CLASSES)
        )
    assert np.allclose(word.call(images, state=state), plain, atol=1e-6)


def test_answers_that_would_take_too_much_room_are_not_kept(packed, monkeypatch):
    monkeypatch.setattr("perennial.compiler.programs.MOST_ANSWERS", 10 * CLASSES)
    Counted.asked = 0
    images, _ = directions(25, 5)
    _, part = on()
    state = compiler.Packed.of(packed.state).state
    compiler.keep_answers(part, state)
    word = Counted(part)
    for many, asked in ((10, 10), (25, 25), (25, 40), (10, 40)):
        assert word.call(images[:many], state=state).shape == (many, CLASSES)
        assert Counted.asked == asked


@pytest.fixture
def asked(monkeypatch):
    """How many rows the model was asked about, each time."""
    times = []
    said_of = compiler.RecalledModel._said_of

    def counted(self, rows, state):
        times.append(len(rows))
        return said_of(self, rows, state)

    monkeypatch.setattr(compiler.RecalledModel, "_said_of", counted)
    return times


def replicas_on(*states):
    """A program on the model, learnt from other rows each time, and its weights after they were written and read."""
    program, part = on()
    weights = [
        fitted(program, *directions(40, seed), initial={part.hash: state}).weights
        for seed, state in enumerate(states)
    ]
    return program, tuple(Weights.from_bytes(each.to_bytes()) for each in weights)


def test_all_replicas_of_a_model_ask_it_once(packed, asked):
    program, replicas = replicas_on(packed.state, packed.state, packed.state)
    images, _ = directions(20, 5)
    each = [
        compiler.mean_of(compiler.compiled(program), images, compiler.states_of(program, [replica]))
        for replica in replicas
    ]
    asked.clear()
    shared = compiler.states_of(program, replicas)
    said = compiler.mean_of(compiler.compiled(program), images, shared)
    assert asked == [20] and np.array_equal(said, np.mean(each, axis=0))
    assert (
        len({id(state) for states in shared for state in states.values()}) == 4
    )  # of the model, and of three learners


def test_replicas_that_stand_on_different_models_ask_each(packed, asked):
    other = compiler.Packed(OLD, packed.replicas[:1], SIZE, THREE).state
    program, replicas = replicas_on(packed.state, other)
    images, _ = directions(20, 5)
    asked.clear()
    said = compiler.mean_of(compiler.compiled(program), images, compiler.states_of(program, replicas))
    assert asked == [20, 20]
    each = [
        compiler.mean_of(compiler.compiled(program), images, compiler.states_of(program, [replica]))
        for replica in replicas
    ]
    assert np.array_equal(said, np.mean(each, axis=0)) and not np.array_equal(each[0], each[1])


def saved_sizes(folder):
    return sorted(path.stat().st_size for path in folder.glob("replica-*"))


def test_a_saved_model_holds_what_its_replicas_share_once(packed, tmp_path):
    program, replicas = replicas_on(packed.state, packed.state, packed.state)
    images, target = directions(30, 3)
    model = Model(program, replicas, Task.from_data((images, names(target))).schema)
    model.save(tmp_path / "model")
    small, again, whole = saved_sizes(tmp_path / "model")
    assert (
        small == again and whole > small + sum(array.nbytes for array in packed.state.arrays.values()) - 1000
    )
    loaded = Model.load(tmp_path / "model")
    assert [each.to_bytes() for each in loaded.replicas] == [each.to_bytes() for each in replicas]
    assert np.array_equal(loaded.predict_proba(images), model.predict_proba(images))


def test_what_replicas_do_not_share_is_written_with_each(packed, tmp_path):
    other = compiler.Packed(OLD, packed.replicas[:1], SIZE, THREE).state
    program, replicas = replicas_on(packed.state, other)
    assert compiler.apart(program, replicas) == list(replicas)
    images, target = directions(30, 3)
    Model(program, replicas, Task.from_data((images, names(target))).schema).save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert [each.to_bytes() for each in loaded.replicas] == [each.to_bytes() for each in replicas]


def test_a_model_that_lost_what_its_replicas_share_is_refused(packed, tmp_path):
    program, replicas = replicas_on(packed.state, packed.state)
    images, target = directions(30, 3)
    lean = compiler.apart(program, replicas)[1:]
    model = Model(program, (*lean, *lean), Task.from_data((images, names(target))).schema)
    with pytest.raises(DamagedFile, match="have no weights"):
        model.check()


def test_a_library_keeps_what_replicas_share_once(packed, tmp_path):
    program, replicas = replicas_on(packed.state, packed.state)
    images, target = directions(30, 3)
    of = Task.from_data((images, names(target)), name="shared")
    model = Model(program, replicas, of.schema)
    with Library(tmp_path / "library") as library:
        name = library.keep(model, of, metric="accuracy", value=None, baseline=0.3, card=Card(0.0))
        whole, lean = (len(library.store.get(digest)) for digest in library.get(name).weights)
        again = library.model(name)
    assert lean < whole and [each.to_bytes() for each in again.replicas] == [
        each.to_bytes() for each in replicas
    ]
    assert np.array_equal(again.predict_proba(images), model.predict_proba(images))
