"""The codec of images: it survives JSON, encodes whatever holds images alike, and predicts folders by file name."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from perennial.errors import DataError
from perennial.lang import FitContext, Lambda, Var, call
from perennial.lang.types import Image as ImageType
from perennial.modalities import codec_from_json
from perennial.model import Model
from perennial.primitives.baselines import constant
from perennial.task import Task
from perennial.testing.modalities import check_image_codec
from perennial.trainers import Batch, resolve


@pytest.fixture
def mixed(tmp_path, draw):
    """Class folders of images of two sizes, in colour."""
    for number in range(24):
        size = (24, 24) if number % 3 else (20, 36)
        draw(tmp_path / "mixed" / "ab"[number % 2] / f"{number:02d}.png", seed=number, size=size)
    return tmp_path / "mixed"


@pytest.mark.parametrize("channels", ["RGB", "L"])
def test_the_codec_keeps_the_contract(class_folders, channels):
    root = class_folders(images=8, mode=channels)
    check_image_codec(Task.from_data(root).schema, root)


def test_the_codec_of_mixed_sizes_keeps_the_contract(mixed):
    check_image_codec(Task.from_data(mixed).schema, mixed)


def test_encoding_the_training_folder_again_gives_the_same_pixels(mixed):
    task = Task.from_data(mixed)
    again = codec_from_json(json.loads(json.dumps(task.schema.to_json())))
    assert again == task.schema
    assert np.array_equal(again.encode(mixed)["image"], task.argument)
    assert np.array_equal(again.encode_target(mixed), task.target)
    assert again.input_type == ImageType(*task.argument.shape[1:])
    assert again.argument(task.inputs) is task.inputs["image"]


def test_deep_images_are_scaled_with_the_levels_of_the_training_set(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(20):
        folder = tmp_path / "deep" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 4096, (16, 16)).astype(np.uint16)).save(
            folder / f"{number}.png"
        )
    schema = Task.from_data(tmp_path / "deep").schema
    assert schema.levels == (0.0, 4095.0)
    dark = tmp_path / "dark.png"
    Image.fromarray(np.full((16, 16), 819, dtype=np.uint16)).save(dark)
    assert (schema.encode(dark)["image"] == 51).all()


def test_floats_and_bytes_of_the_same_images_are_encoded_alike_whichever_was_learnt_from():
    stack = np.random.default_rng(0).integers(0, 256, (20, 12, 12)).astype(np.uint8)
    forms = [stack, stack / 255.0, stack.astype(np.uint16) * 257, stack.astype(np.float32)]
    for learnt in forms:
        schema = Task.from_data((learnt, np.arange(20) % 2)).schema
        for form in forms:
            assert np.array_equal(schema.encode(form)["image"][..., 0], stack), (learnt.dtype, form.dtype)
        assert schema.encode(stack // 8)["image"].max() == 31, "a dark batch of bytes was made brighter"


def test_everything_that_holds_images_is_encoded_alike(class_folders, tmp_path):
    root = class_folders(images=5)
    schema = Task.from_data(root).schema
    paths = sorted(root.rglob("*.png"))
    arrays = []
    for path in paths:
        with Image.open(path) as image:
            arrays.append(np.asarray(image))
    stack = np.stack(arrays)
    np.savez(tmp_path / "x.npz", x=stack)
    np.save(tmp_path / "x.npy", stack)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.relative_to(root))
    for data in (
        root, str(root), paths, list(map(str, paths)), arrays, stack, stack / 255.0, np.moveaxis(stack, 3, 1),
        [Image.fromarray(array) for array in arrays], tmp_path / "x.npz", tmp_path / "x.npy", tmp_path / "x.zip",
        {"x": stack}, {"image": stack},
    ):  # fmt: skip
        assert np.array_equal(schema.encode(data)["image"], stack), type(data)
    for alone in (paths[0], arrays[0], Image.fromarray(arrays[0]), [paths[0]]):
        assert np.array_equal(schema.encode(alone)["image"], stack[:1]), type(alone)


def test_colours_are_left_out_for_a_model_of_grey_images_with_a_note(class_folders):
    schema = Task.from_data(class_folders(images=6, mode="L")).schema
    columns, notes = schema.encode_with_notes(class_folders("coloured", images=2))
    assert columns["image"].shape == (4, 24, 24, 1) and "4 images have colours" in notes[0]


def test_images_of_another_size_are_fitted(class_folders, draw, tmp_path):
    schema = Task.from_data(class_folders(images=6)).schema
    assert schema.encode(draw(tmp_path / "wide.png", size=(50, 200)))["image"].shape == (1, 24, 24, 3)
    assert schema.encode(np.zeros((7, 40, 30, 3), np.uint8))["image"].shape == (7, 24, 24, 3)


def test_broken_images_are_refused_by_name_or_taken_for_blank(class_folders, tmp_path):
    root = class_folders(images=6)
    schema = Task.from_data(root).schema
    (root / "cat" / "001.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 12") as caught:
        schema.encode(root)
    assert "cat/001.png" in caught.value.where
    columns, notes = schema.encode_with_notes(root, impute_missing=True)
    assert len(columns["image"]) == 12 and "cat/001.png" in notes[0]
    with pytest.raises(DataError, match="1 of 1 images"):
        schema.encode([tmp_path / "nowhere.png"])


@pytest.mark.parametrize("data", [3, np.zeros(5), {"a": 1, "b": 2}, "no such folder", object()])
def test_what_holds_no_images_is_an_error(class_folders, data):
    schema = Task.from_data(class_folders(images=6)).schema
    with pytest.raises(DataError):
        schema.encode(data)


def test_a_table_is_no_folder_of_images(class_folders, examples):
    schema = Task.from_data(class_folders(images=6)).schema
    with pytest.raises(DataError, match="holds no images"):
        schema.encode(examples / "penguins.csv")


# -- true values -------------------------------------------------------------------------------------------------------


@pytest.fixture
def tabled(tmp_path, draw):
    """Makes a folder of images with a table beside them, whose rows stand in the reverse order of the names."""

    def make(name="tabled", images=12, seed=0):
        names = [f"{number:02d}.png" for number in range(images)]
        for number, file in enumerate(names):
            draw(tmp_path / name / file, seed=(seed, number))
        rows = [f"{file},{number * 1.5},{'ab'[number % 2]}" for number, file in enumerate(names)]
        (tmp_path / name / "about.csv").write_text("\n".join(["file,size,kind", *reversed(rows)]))
        return tmp_path / name

    return make


def test_the_table_beside_the_images_says_what_they_show_in_the_order_of_the_images(tabled):
    root = tabled()
    task = Task.from_data(root, target="size")
    check_image_codec(task.schema, root)
    names = [str(name) for name in task.schema.row_names(root)[1]]
    assert names == sorted(names)
    assert task.schema.encode_target(root).tolist() == [1.5 * int(name[:2]) for name in names]
    kinds = Task.from_data(root, target="kind").schema
    assert kinds.encode_target(root).tolist() == [0, 1] * 6
    with zipfile.ZipFile(root.parent / "x.zip", "w") as archive:
        for path in root.iterdir():
            archive.write(path, path.name)
    assert kinds.encode_target(root.parent / "x.zip").tolist() == [0, 1] * 6


def test_a_table_for_each_part_and_tables_within_the_parts_are_found(tabled):
    schema = Task.from_data(tabled(), target="size").schema
    apart = tabled("all/train").parent
    tabled("all/test", images=3, seed=1)
    assert schema.encode_target(apart).tolist() == [0, 1.5, 3, *(1.5 * number for number in range(12))]
    beside = tabled("new", images=4, seed=2)
    (beside / "about.csv").rename(beside / "test.csv")
    assert schema.encode_target(beside).tolist() == [0, 1.5, 3, 4.5]


def test_class_folders_are_the_classes_unless_a_table_says_what_these_are(class_folders):
    root = class_folders(images=2)
    schema = Task.from_data(root).schema
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
    (root / "about.csv").write_text(
        "file,size\n" + "\n".join(f"{name},{n}.5" for n, name in enumerate(names))
    )
    graded = Task.from_data(root, target="size").schema
    assert schema.encode_target(root).tolist() == [0, 0, 1, 1]
    assert graded.encode_target(root).tolist() == [0.5, 1.5, 2.5, 3.5]
    (root / "about.csv").write_text("file,class\n" + "\n".join(f"{name},{name[-5]}" for name in names))
    spoken = Task.from_data(root).schema
    assert spoken.encode_target(root).tolist() == [0, 1, 0, 1]


def test_class_folders_within_the_parts_are_the_classes(class_folders):
    class_folders("all/train", images=3)
    class_folders("all/test", images=1)
    root = class_folders("pets").parent / "all"
    schema = Task.from_data(root).schema
    assert schema.encode_target(root).tolist() == [0, 1, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("change", ["unnamed", "twice", "gone", "other"])
def test_images_without_one_true_value_each_are_refused(tabled, draw, change):
    root = tabled()
    schema = Task.from_data(root, target="size").schema
    table = root / "about.csv"
    if change == "unnamed":
        draw(root / "99.png", seed=99)
        said = "missing or infinite in 1 of 13 rows"
    elif change == "twice":
        table.write_text(table.read_text() + "\n03.png,9.0,a")
        said = "named twice"
    elif change == "gone":
        table.unlink()
        said = "Nothing says what these images show"
    else:
        table.write_text(table.read_text().replace("size", "weight"))
        said = "There is no column 'size'"
    with pytest.raises(DataError) as caught:
        schema.encode_target(root)
    assert said in str(caught.value)


def test_a_pair_says_what_its_images_show_whatever_the_targets_are_called(class_folders, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 12, 12)).astype(np.uint8)
    names = np.array(["cat", "dog"] * 10, dtype=object)
    for schema in (
        Task.from_data(class_folders(mode="L", size=(12, 12))).schema,
        Task.from_data((pixels, names)).schema,
    ):
        assert schema.encode_target((pixels, names)).tolist() == [0, 1] * 10
        assert schema.encode_target((list(pixels), names)).tolist() == [0, 1] * 10
    codes = Task.from_data((pixels, np.arange(20) % 4)).schema
    np.savez(tmp_path / "x.npz", x=pixels, y=np.arange(20) % 4)
    for data in ((pixels, np.eye(4)[np.arange(20) % 4]), tmp_path / "x.npz"):
        assert codes.encode_target(data).tolist() == list(range(4)) * 5
    several = Task.from_data((pixels, np.random.default_rng(1).integers(0, 2, (20, 3)))).schema
    assert several.encode_target((pixels[:3], np.eye(3))).tolist() == np.eye(3).tolist()
    with pytest.raises(DataError, match="20 images and targets of shape"):
        codes.encode_target((pixels, np.arange(5)))
    with pytest.raises(DataError, match="There is no column 'target'"):
        codes.encode_target((pixels, np.arange(40.0).reshape(20, 2)))


def test_perennial_evaluate_takes_a_folder_with_a_table_in_any_order(tabled, command, tmp_path):
    one, other = tabled("one", images=24), tabled("other", images=8, seed=1)
    command(
        "grow", one, "--target", "kind", "--trials", "1", "--workers", "1", "--out", "study", cwd=tmp_path
    )
    done = command("evaluate", "study", other, "--json", cwd=tmp_path, check=0)
    assert json.loads(done.stdout)["n"] == 8
    done = command("evaluate", "study", one, cwd=tmp_path, check=3)
    assert "24 of 24 rows were in the data" in done.stderr


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_a_task_of_images_describes_itself_as_json(mixed):
    told = json.loads(json.dumps(Task.from_data(mixed).describe()))
    assert told["modality"] == "image" and told["input_type"].startswith("Image[")
    assert told["images"]["sizes"] == [[24, 24, 16], [20, 36, 8]] and told["images"]["classes"] == {
        "a": 12,
        "b": 12,
    }
    assert told["classes"] == ["a", "b"] and told["columns"] == []


def test_the_fingerprint_follows_the_content_and_not_the_place(class_folders, tmp_path):
    root = class_folders(images=6)
    fingerprint = Task.from_data(root).fingerprint
    moved = root.rename(tmp_path / "moved")
    assert Task.from_data(moved).fingerprint == fingerprint
    (moved / "cat" / "000.png").write_bytes((moved / "cat" / "001.png").read_bytes())
    assert Task.from_data(moved).fingerprint != fingerprint


def test_rows_can_be_taken_and_hashed(mixed):
    task = Task.from_data(mixed)
    part = task.take(np.array([3, 5]))
    assert np.array_equal(part.argument, task.argument[[3, 5]])
    assert np.array_equal(part.hashes(), task.hashes()[[3, 5]])
    assert len(np.unique(task.hashes())) == task.rows


def test_sample_weights_follow_the_images_that_are_kept(class_folders):
    root = class_folders(images=10)
    (root / "cat" / "002.png").write_bytes(b"")
    weights = np.arange(20) + 1.0
    task = Task.from_data(root, sample_weight=weights, skip_bad_images=True)
    assert task.sample_weight.tolist() == np.delete(weights, 2).tolist()


# -- predicting --------------------------------------------------------------------------------------------------------


def grown(task):
    """A model that always predicts the shares of the classes."""
    program = Lambda(("image",), call(constant, Var("image")))
    context = FitContext(output=task.output_type, train_rows=task.rows, seed=0, types=(task.input_type,))
    fitted = resolve(program).fit(program, Batch((task.argument,), task.target, task.rows), context)
    return Model(program, (fitted.weights,), task.schema)


def test_a_model_of_images_is_saved_and_predicts_folders_by_file_name(class_folders, tmp_path):
    root = class_folders(images=6)
    model = grown(Task.from_data(root))
    model.save(tmp_path / "best")
    names, columns, _ = Model.load(tmp_path / "best").prediction_table(root)
    assert names == ["file", "class", "probability:cat", "probability:dog"]
    assert columns[0][0] == "cat/000.png" and len(columns[0]) == 12
    names, columns, _ = model.prediction_table(np.zeros((3, 24, 24, 3), np.uint8))
    assert names[0] == "class" and len(columns[0]) == 3


def test_perennial_predict_takes_a_folder_an_archive_and_a_single_image(class_folders, tmp_path, command):
    root = class_folders(images=4)
    grown(Task.from_data(root)).save(tmp_path / "study" / "best")
    (tmp_path / "study" / "study.db").touch()
    done = command("predict", "study", root, cwd=tmp_path, check=0)
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == ["file", "class", "probability:cat", "probability:dog"] and len(rows) == 9
    assert [row[0] for row in rows[1:3]] == ["cat/000.png", "cat/001.png"]
    command("predict", "study", root / "dog" / "001.png", "--output", "one.csv", cwd=tmp_path, check=0)
    assert (tmp_path / "one.csv").read_text().splitlines()[1].split(",")[0].endswith("001.png")
    (root / "dog" / "003.png").write_bytes(b"<html>")
    done = command("predict", "study", root, cwd=tmp_path, check=3)
    assert "dog/003.png" in done.stderr
