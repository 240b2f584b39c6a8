"""What a report shows of images is right, small, and nothing but pictures."""

import base64
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from perennial import analysis, analysis_images, report
from perennial.history import History

LARGEST_BYTES = 3 * 2**20
NAMES = ("cat", '<img src=x onerror="alert(1)">', "dog")


def task_of(images, target, problem="multiclass", classes=NAMES):
    schema = SimpleNamespace(classes=classes)
    return SimpleNamespace(
        inputs={"image": images}, target=target, problem=problem, schema=schema, rows=len(target)
    )


def noise(n, side=16, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels)).astype(np.uint8)


def pixels_of(uri):
    head, data = uri.split(",", 1)
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.fixture
def task():
    return task_of(noise(60), np.repeat([0, 1, 2], [10, 20, 30]))


def test_a_picture_is_the_image_itself():
    image = noise(1, 20)[0]
    assert np.array_equal(pixels_of(analysis_images.picture(image)), image)
    assert np.array_equal(pixels_of(analysis_images.picture(image[..., :1])), image[..., 0])


def test_a_large_image_becomes_a_thumbnail_of_the_same_shape():
    shown = pixels_of(analysis_images.picture(noise(1, 200)[0][:, :100]))
    assert shown.shape == (48, 24, 3)


def test_samples_come_from_their_class_with_its_count(task):
    told = analysis_images.samples(task)["image_samples"]
    assert [(entry["name"], entry["rows"]) for entry in told] == [
        ("dog", 30),
        (NAMES[1][:40], 20),
        ("cat", 10),
    ]
    first = pixels_of(told[2]["picture"])[:, :16]
    assert any(np.array_equal(first, image) for image in task.inputs["image"][:10])


def test_samples_of_numbers_go_from_low_to_high_quarters():
    task = task_of(noise(40), np.arange(40.0), "regression", ())
    told = analysis_images.samples(task)["image_samples"]
    assert len(told) == 4 and sum(entry["rows"] for entry in told) == 40
    assert (
        len(analysis_images.samples(task_of(noise(5), np.full(5, 2.0), "regression", ()))["image_samples"])
        == 1
    )


def test_samples_of_labels_stand_under_each_label():
    task = task_of(noise(4), np.array([[1, 0], [1, 1], [0, 0], [0, 1]]), "multilabel", ("sun", "rain"))
    told = analysis_images.samples(task)["image_samples"]
    assert [(entry["name"], entry["rows"]) for entry in told] == [("sun", 2), ("rain", 2)]


def test_the_worst_errors_are_errors_and_the_worst_come_first(task):
    rows = np.array([3, 15, 40, 50])
    probability = np.array([[0.4, 0.3, 0.3], [0.9, 0.06, 0.04], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
    target = task.target[rows]
    loss = analysis.row_loss("multiclass", target, probability)
    told = analysis_images.errors(task, rows, target, probability, loss)["image_errors"]
    assert [entry["row"] for entry in told] == [15, 40]
    assert (told[0]["predicted"], told[0]["probability"], told[0]["chance"]) == ("cat", 0.9, 0.06)


def test_occlusion_finds_the_only_part_that_a_model_looks_at():
    image = np.full((32, 32, 1), 200, np.uint8)
    image[4:12, 20:28] = 20

    def predict(images):
        dark = 1.0 - images[:, 4:12, 20:28, 0].mean(axis=(1, 2)) / 255.0
        return np.column_stack([dark, 1 - dark])

    falls = analysis_images.occlusion_map(image, predict)
    row, column = np.unravel_index(falls.argmax(), falls.shape)
    assert 1 <= row <= 2 and 5 <= column <= 6
    assert np.allclose(falls[5:, :4], 0.0)


@pytest.mark.parametrize("size", [(3, 3), (1, 9), (50, 20)])
def test_occlusion_takes_images_of_any_size(size):
    falls = analysis_images.occlusion_map(
        noise(1, 64)[0][: size[0], : size[1]], lambda x: x.mean(axis=(1, 2, 3))
    )
    assert falls.shape == (min(8, size[0]), min(8, size[1])) and np.isfinite(falls).all()


def test_occlusion_shows_right_and_wrong_images_and_keeps_its_time(task):
    rows = np.arange(60)
    probability = np.full((60, 3), 0.2)
    probability[np.arange(60), np.where(rows % 2, task.target, 0)] = 0.6
    arguments = (task, rows, task.target, probability, lambda images: np.full((len(images), 3), 1 / 3))
    told = analysis_images.occlusion(*arguments, 60.0)["image_occlusion"]
    assert len(told) == 6 and {entry["expected"] == entry["predicted"] for entry in told} == {True, False}
    assert len(analysis_images.occlusion(*arguments, 0.0)["image_occlusion"]) == 1


def test_augmentations_begin_with_the_image_as_it_is(task):
    told = analysis_images.augmentations(task, lambda images, seed: images[:, :, ::-1], "Mirrored.")[
        "image_augmentations"
    ]
    shown = pixels_of(told["pictures"][0])
    assert np.array_equal(shown[:, :16], shown[:, 18:34][:, ::-1]) and told["text"] == "Mirrored."


def test_a_recipe_is_told_in_words_and_changes_images_as_training_does():
    from perennial.trainers.descent.recipe import Recipe

    recipe = Recipe(shift=0.125, flip=True, cutout=0.25)
    told = analysis_images.recipe_in_words(recipe)
    assert (
        told
        == "Moved by up to 12% of the side, mirrored half of the time, a square of 25% of the side cut out."
    )
    assert analysis_images.recipe_in_words(Recipe()) == ""
    before = noise(5)
    after = analysis_images.augment_by(recipe)(before, 3)
    assert after.shape == before.shape and after.dtype == np.uint8 and not np.array_equal(after, before)
    assert np.array_equal(after, analysis_images.augment_by(recipe)(before, 3))


def test_a_program_without_a_network_has_no_augmentation():
    assert analysis_images.augmentation_of("lambda image: linear(hog(image))") is None


def everything(images, classes):
    target = np.arange(len(images)) % len(classes)
    task = task_of(images, target, classes=classes)
    probability = np.random.default_rng(0).dirichlet(np.ones(len(classes)), len(images))
    loss = analysis.row_loss("multiclass", target, probability)
    rows = np.arange(len(images))

    def predict(asked):
        return np.full((len(asked), len(classes)), 1 / len(classes))

    return {
        **analysis_images.samples(task),
        **analysis_images.errors(task, rows, target, probability, loss),
        **analysis_images.occlusion(task, rows, target, probability, predict, 60.0),
        **analysis_images.augmentations(task, lambda copies, seed: copies, "Nothing."),
        "confusion": analysis.confusion(task, target, probability, None),
        "worst": analysis.worst(task, rows, target, probability, loss),
    }


def history_of(found, classes):
    history = History()
    history.created = {"name": "oak-1", "data": "photos", "fingerprint": "0" * 64, "seed": 0, "versions": {},
                       "machine": {"cores": 1, "system": "", "processor": ""}}  # fmt: skip
    history.protocol = {"metric": "accuracy", "direction": "maximize", "kind": "holdout", "train_rows": 8, "test_rows": 2,
                        "reasons": []}  # fmt: skip
    history.sensed = {"rows": 10, "columns": [], "findings": [], "problem": "multiclass", "decided": [], "modality": "image",
                      "classes": list(classes), "input_type": "Image[64, 64, 3]", "output_type": f"Dist[{len(classes)}]"}  # fmt: skip
    history.baselines = [
        {"name": "class shares", "value": 0.5, "score": 0.5, "program": "lambda row: constant(row)"}
    ]
    history.chosen = {"kind": "single", "value": 0.9, "score": 0.9, "confirmed": False,
                      "program": "lambda row: linear(join(hog(row, cells=4), hog(row)))"}  # fmt: skip
    history.analysis = json.loads(json.dumps(found, allow_nan=False))
    return history


def test_the_report_of_the_most_pictures_that_can_be_stays_small():
    classes = tuple(f"class {number}" for number in range(40))
    page = report.render(history_of(everything(noise(400, 64), classes), classes))
    assert len(page.encode()) < LARGEST_BYTES


def test_the_report_shows_every_section_of_images_and_draws_the_program():
    page = report.render(history_of(everything(noise(60), NAMES), NAMES))
    for section in (
        "Samples",
        "Worst errors",
        "What it looks at",
        "What it saw in training",
        "The same as a drawing",
    ):
        assert f"<h3>{section}</h3>" in page, section
    assert "Worst rows" not in page and "<h3>Columns</h3>" not in page
    assert "Tensor[" in page and 'class="architecture"' in page


def test_hostile_class_names_are_shown_and_never_run():
    page = report.render(history_of(everything(noise(60), NAMES), NAMES))
    assert "<img src=x" not in page and "&lt;img src=x" in page


def test_pictures_of_the_report_are_inside_it():
    page = report.render(history_of(everything(noise(60), NAMES), NAMES))
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    sources = re.findall(r'<img[^>]* src="([^"]*)"', markup)
    assert len(sources) > 20 and all(source.startswith("data:image/png;base64,") for source in sources)


def test_a_program_that_cannot_be_drawn_becomes_a_sentence():
    history = history_of({}, NAMES)
    history.chosen["program"] = "lambda row: no_such_word(row)"
    assert "could not be drawn" in report.render(history)
