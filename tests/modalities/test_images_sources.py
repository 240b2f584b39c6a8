"""Where images come from: folders, archives, tables beside them, IDX files and arrays."""

import gzip
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from perennial.errors import DataError, UnreadableData, UnsafeData, UsageError
from perennial.modalities.images.arrays import could_be_images, oriented
from perennial.modalities.images.sources import images_of, is_images
from perennial.task import Task


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def idx(array, path):
    code = {"u1": 8, "i4": 12, "f4": 13}[array.dtype.str[1:]]
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    data += array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def digits(count, seed=0, side=12):
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % 4).astype(np.uint8)
    return generator.integers(0, 256, (count, side, side)).astype(np.uint8), labels


# -- class folders -----------------------------------------------------------------------------------------------------


def test_class_folders_give_classes_in_order_and_images_of_one_size(class_folders):
    task = Task.from_data(class_folders(images=12))
    assert (task.modality, task.problem, task.rows, task.name) == ("image", "binary", 24, "pets")
    assert task.schema.classes == ("cat", "dog") and task.schema.targets == ("class",)
    assert task.target.tolist() == [0] * 12 + [1] * 12
    assert str(task.input_type) == "Image[24, 24, 3]" and task.argument.shape == (24, 24, 24, 3)
    assert task.argument.dtype == np.uint8 and task.test is None
    assert any("the folder an image lies in" in sentence for sentence in task.schema.decided)


def test_a_zip_of_class_folders_gives_the_same_task_as_the_folder(class_folders, tmp_path):
    folder = class_folders(images=8)
    one, other = Task.from_data(folder), Task.from_data(zipped(folder, tmp_path / "pets.zip"))
    assert one.fingerprint == other.fingerprint and np.array_equal(one.argument, other.argument)


def test_train_and_test_folders_are_recognised(class_folders, draw):
    root = class_folders("all/train", images=10).parent
    for code, label in enumerate(("cat", "dog")):
        for number in range(3):
            draw(root / "test" / label / f"{number}.png", seed=(9, code, number))
    (root / "README.txt").write_text("about")
    task = Task.from_data(root)
    assert (task.rows, task.test.rows) == (20, 6)
    assert task.test.target.tolist() == [0, 0, 0, 1, 1, 1] and task.name == "all"


@pytest.mark.parametrize("has_test", [True, False])
def test_a_validation_folder_is_learnt_from_or_is_the_test(class_folders, draw, has_test):
    root = class_folders("all/train", images=10).parent
    for part in ["val", *["test"] * has_test]:
        for code, label in enumerate(("cat", "dog")):
            draw(root / part / label / "a.png", seed=(code, len(part), 5))
    task = Task.from_data(root)
    assert (task.rows, task.test.rows) == ((22, 2) if has_test else (20, 2))
    assert any("validation part" in finding.what for finding in task.findings)


def test_archives_called_train_and_test_count_as_folders(class_folders, draw, tmp_path):
    inner = class_folders("inner", images=6)
    folder = tmp_path / "packed"
    folder.mkdir()
    zipped(inner, folder / "train.zip")
    for path in inner.rglob("*.png"):
        draw(path, seed=hash(path.stem + path.parent.name) % 2**31 + 77)
    zipped(inner, folder / "test.zip")
    task = Task.from_data(folder)
    assert (task.rows, task.test.rows) == (12, 12)


def test_folders_called_train_and_test_may_be_classes_when_others_are_there(class_folders):
    task = Task.from_data(class_folders(classes=("bus", "test", "train"), images=6))
    assert task.schema.classes == ("bus", "test", "train") and task.test is None


def test_a_test_given_apart_wins_and_its_new_classes_are_told(class_folders):
    task = Task.from_data(class_folders(), test=class_folders("later", ("cat", "newt"), 3))
    assert task.test.rows == 6 and (task.test.target == [0, 0, 0, 2, 2, 2]).all()
    assert any(finding.code == "new classes" and "newt" in finding.where for finding in task.findings)


def test_the_extension_may_be_wrong_or_missing(class_folders):
    root = class_folders(images=6)
    (root / "cat" / "000.png").rename(root / "cat" / "000.jpg")
    (root / "cat" / "001.png").rename(root / "cat" / "001")
    (root / "dog" / "notes.txt").write_text("a note")
    task = Task.from_data(root)
    assert task.rows == 12
    assert any(finding.code == "other files" and "notes.txt" in finding.what for finding in task.findings)


def test_numbers_as_folder_names_are_classes_unless_the_user_says_otherwise(class_folders):
    root = class_folders(classes=[str(age) for age in range(20, 35)], images=6)
    assert Task.from_data(root).problem == "multiclass"
    assert Task.from_data(root, problem="regression").target.max() == 34.0


# -- tables beside the images ------------------------------------------------------------------------------------------


def album(draw, root, count=24):
    for number in range(count):
        draw(root / "images" / f"p{number:02d}.png", seed=number)
    return root


def test_a_table_beside_the_images_gives_numbers(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    rows = [f"p{number:02d}.png,{number % 7},{20.5 + number}" for number in range(24)]
    (root / "ages.csv").write_text("file,person,age\n" + "\n".join(rows))
    task = Task.from_data(root, "age", group="person")
    assert task.problem == "regression" and task.target.tolist() == [20.5 + number for number in range(24)]
    assert len(np.unique(task.groups)) == 7
    assert any("ages.csv" in sentence or "you said so" in sentence for sentence in task.schema.decided)


@pytest.mark.parametrize(
    "key", ["images/p{:02d}.png", "p{:02d}.png", "p{:02d}", "./images/p{:02d}.png", "old\\p{:02d}.png"]
)
def test_images_are_named_by_path_name_or_stem(draw, tmp_path, key):
    root = album(draw, tmp_path / "faces")
    lines = "\n".join(f"{key.format(number)},{'ab'[number % 2]}" for number in reversed(range(24)))
    (root / "labels.csv").write_text("picture,label\n" + lines)
    task = Task.from_data(root)
    assert task.problem == "binary" and task.target.tolist() == [1, 0] * 12
    assert task.schema.targets == ("label",)


def test_several_label_columns_are_several_labels(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    lines = "\n".join(f"p{n:02d}.png,{n % 2},{n % 3 % 2},{n % 5 % 2}" for n in range(24))
    (root / "attributes.csv").write_text("id,smiles,hat,beard\n" + lines)
    task = Task.from_data(root)
    assert task.problem == "multilabel" and task.schema.classes == ("smiles", "hat", "beard")
    assert task.target.shape == (24, 3)
    assert Task.from_data(root, ["hat", "beard"]).schema.classes == ("hat", "beard")


def test_json_beside_the_images_may_be_a_mapping_to_lists_of_labels(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    told = {f"p{n:02d}.png": ["day"] * (n % 2) + ["sea"] * (n % 3 == 0) + ["hill"] for n in range(24)}
    (root / "labels.json").write_text(json.dumps(told))
    task = Task.from_data(root)
    assert task.problem == "multilabel" and task.schema.classes == ("day", "hill", "sea")


def test_json_rows_and_json_lines_beside_the_images_work_too(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    rows = [{"file": f"p{n:02d}.png", "speed": n * 1.5} for n in range(24)]
    (root / "rows.json").write_text(json.dumps(rows))
    assert Task.from_data(root).target[3] == 4.5
    (root / "rows.json").unlink()
    (root / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert Task.from_data(root).target[3] == 4.5


def test_rows_without_image_are_an_error_when_they_are_many(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    lines = "\n".join(f"p{n:02d}.png,{n % 2}" for n in range(30))
    (root / "labels.csv").write_text("file,label\n" + lines)
    with pytest.raises(DataError, match="6 of 30 rows") as caught:
        Task.from_data(root)
    assert "p24.png" in caught.value.where


def test_images_that_the_table_does_not_name_are_left_out_with_a_warning(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    (root / "labels.csv").write_text("file,label\n" + "\n".join(f"p{n:02d}.png,{n % 2}" for n in range(20)))
    task = Task.from_data(root)
    assert task.rows == 20
    assert any("4 images not named" in finding.what for finding in task.findings)


def test_images_without_a_word_on_what_they_show_are_an_error(draw, tmp_path):
    root = album(draw, tmp_path / "faces") / "images"
    with pytest.raises(DataError, match="nothing says what they show") as caught:
        Task.from_data(root)
    assert "CSV" in caught.value.todo


def test_rows_without_target_are_refused_or_left_out(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    lines = "\n".join(f"p{n:02d}.png,{'' if n == 5 else 'ab'[n % 2]}" for n in range(24))
    (root / "labels.csv").write_text("file,label\n" + lines)
    with pytest.raises(DataError, match="missing"):
        Task.from_data(root)
    assert Task.from_data(root, drop_unlabelled=True).rows == 23


def test_train_and_test_tables_beside_one_folder_of_images(draw, tmp_path):
    root = album(draw, tmp_path / "faces")
    for part, numbers in (("train", range(18)), ("test", range(18, 24))):
        (root / f"{part}.csv").write_text(
            "file,label\n" + "\n".join(f"p{n:02d}.png,{n % 2}" for n in numbers)
        )
    task = Task.from_data(root)
    assert (task.rows, task.test.rows) == (18, 6)


def test_a_path_that_leads_nowhere_is_no_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~.csv").write_text("a,b\n1,2\n")
    assert not is_images("~.csv") and not is_images("~nobody-is-called-so/x")
    for name, told in (("~nobody-is-called-so", "no such file or folder"), ("x" * 300, "cannot be read")):
        with pytest.raises(DataError, match=told):
            images_of(name)


def test_a_column_that_is_not_there_is_named(class_folders):
    with pytest.raises(DataError, match="no column 'age'"):
        Task.from_data(class_folders(), "age")


# -- IDX ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_of_idx_files_gives_train_and_test(tmp_path, ending):
    for part, count in (("train", 60), ("t10k", 20)):
        x, y = digits(count, seed=count)
        idx(x, tmp_path / f"{part}-images-idx3-ubyte{ending}")
        idx(y, tmp_path / f"{part}-labels-idx1-ubyte{ending}")
    (tmp_path / "classes.json").write_text('["a", "b", "c", "d"]')
    task = Task.from_data(tmp_path)
    assert (task.rows, task.test.rows, task.problem) == (60, 20, "multiclass")
    assert task.schema.classes == (0, 1, 2, 3) and task.schema.targets == ("label",)
    assert np.array_equal(task.argument[..., 0], digits(60, seed=60)[0])
    only = Task.from_data(tmp_path / f"train-images-idx3-ubyte{ending}")
    assert only.rows == 60 and only.test is None


def test_an_idx_file_that_is_cut_short_is_an_error_that_says_so(tmp_path):
    x, y = digits(20)
    idx(x, tmp_path / "train-images-idx3-ubyte")
    idx(y, tmp_path / "train-labels-idx1-ubyte")
    data = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(data[:-100])
    with pytest.raises(UnreadableData, match="20 x 12 x 12"):
        Task.from_data(tmp_path)


def test_idx_images_without_labels_are_an_error_with_the_names_to_use(tmp_path):
    idx(digits(20)[0], tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match="no labels") as caught:
        Task.from_data(tmp_path)
    assert "train-labels-idx1-ubyte" in caught.value.todo


def test_idx_images_and_labels_of_different_length_are_an_error(tmp_path):
    idx(digits(20)[0], tmp_path / "train-images-idx3-ubyte")
    idx(digits(19)[1], tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(DataError, match="20 images and targets"):
        Task.from_data(tmp_path)


def test_an_idx_header_that_claims_the_world_is_refused(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(
        struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**15, 2**15)
    )
    idx(digits(20)[1], tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(UnsafeData):
        Task.from_data(tmp_path)


# -- arrays ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((20, 12, 14), (12, 14, 1)),
        ((20, 12, 14, 1), (12, 14, 1)),
        ((20, 12, 14, 3), (12, 14, 3)),
        ((20, 3, 12, 14), (12, 14, 3)),
        ((20, 1, 12, 14), (12, 14, 1)),
        ((20, 12, 14, 4), (12, 14, 3)),
    ],
)
def test_axes_are_recognised_with_a_reason(shape, size):
    x = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    task = Task.from_data((x, np.arange(20) % 2))
    assert task.argument.shape == (20, *size)
    assert any(finding.code == "axes" and str(shape) in finding.what for finding in task.findings)


@pytest.mark.parametrize("shape", [(5, 28, 28, 28), (5, 2, 300), (5, 7), (2, 2, 2, 2, 2), (5, 12, 14, 5)])
def test_arrays_of_other_shapes_are_no_images(shape):
    with pytest.raises(DataError, match="holds no images"):
        oriented(np.zeros(shape))


def test_npz_with_train_and_test_and_channels_first(tmp_path):
    x, y = digits(40)
    np.savez_compressed(
        tmp_path / "d.npz", X_train=x[:30], y_train=y[:30, None], x_test=x[30:], y_test=y[30:]
    )
    task = Task.from_data(tmp_path / "d.npz")
    assert (task.rows, task.test.rows, task.problem, task.name) == (30, 10, "multiclass", "d")


def test_npz_of_rows_is_a_table_with_its_test_part(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 3))
    y = (x[:, 0] > 0).astype(int)
    np.savez(tmp_path / "rows.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    task = Task.from_data(tmp_path / "rows.npz")
    assert (task.modality, task.rows, task.test.rows) == ("table", 60, 20)


def test_npz_of_python_objects_is_refused(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.array([{}, None], dtype=object), y=np.arange(2))
    with pytest.raises(UnsafeData, match="pickle"):
        Task.from_data(tmp_path / "d.npz")


def test_npz_without_known_names_lists_what_is_there(tmp_path):
    np.savez(tmp_path / "d.npz", pictures=np.zeros((5, 8, 8)))
    with pytest.raises(DataError, match="No arrays to learn from") as caught:
        Task.from_data(tmp_path / "d.npz")
    assert "pictures" in caught.value.where


@pytest.mark.parametrize(
    ("y", "problem", "classes"),
    [
        (np.arange(60) % 3, "multiclass", (0, 1, 2)),
        ((np.arange(60) % 3)[:, None], "multiclass", (0, 1, 2)),
        (np.eye(3)[np.arange(60) % 3], "multiclass", (0, 1, 2)),
        (np.arange(60) % 2 == 0, "binary", (False, True)),
        (np.array(["a", "b"] * 30), "binary", ("a", "b")),
        (np.arange(60) * 0.5, "regression", ()),
        (np.column_stack([np.arange(60) % 2, np.arange(60) % 3 % 2]), "multilabel", ("target_0", "target_1")),
        (np.random.default_rng(0).normal(size=(60, 2)), "multiregression", ()),
        ([["sea"], ["sea", "sky"], ["sky"]] * 20, "multilabel", ("sea", "sky")),
        (np.arange(60) % 15 + 20, "regression", ()),
    ],
)
def test_targets_in_arrays_are_recognised(y, problem, classes):
    task = Task.from_data((digits(60)[0], y))
    assert task.problem == problem and task.schema.classes == classes


def test_the_codes_of_many_classes_are_classes():
    y = np.arange(600) % 40
    assert Task.from_data((digits(600)[0], y)).problem == "multiclass"
    assert Task.from_data((digits(600)[0], y), problem="regression").problem == "regression"


def test_floats_16_bits_and_channels_first_give_the_same_images():
    x, y = digits(30)
    plain = Task.from_data((x, y)).argument
    assert np.array_equal(Task.from_data((x / 255.0, y)).argument, plain)
    assert np.array_equal(Task.from_data((x.astype(np.uint16) * 257, y)).argument, plain)
    assert np.array_equal(Task.from_data((x[:, None], y)).argument, plain)
    assert np.array_equal(Task.from_data((x.astype(np.float64), y)).argument, plain)


def test_small_numbers_as_pixels_use_the_whole_range():
    x = np.random.default_rng(0).integers(0, 17, (40, 8, 8)).astype(np.float64)
    task = Task.from_data((x, np.arange(40) % 2))
    assert task.argument.max() == 255 and task.schema.levels == (0.0, 16.0)


def test_lists_of_pillow_images_arrays_and_paths_are_images(draw, tmp_path):
    y = ["a", "b"] * 10
    paths = [draw(tmp_path / f"{number}.png", seed=number) for number in range(20)]
    pictures = []
    for path in paths:
        with Image.open(path) as image:
            pictures.append(image.copy())
    arrays = [np.asarray(image) for image in pictures]
    tasks = [Task.from_data((x, y)) for x in (paths, pictures, arrays, np.stack(arrays))]
    for task in tasks:
        assert task.modality == "image" and np.array_equal(task.argument, np.stack(arrays))


def test_lists_of_arrays_of_different_sizes_are_images():
    generator = np.random.default_rng(0)
    x = [generator.integers(0, 256, (10 + n % 3, 12, 3)).astype(np.uint8) for n in range(20)]
    assert Task.from_data((x, ["a", "b"] * 10)).argument.shape[0] == 20
    floats = [image / 255.0 for image in x]
    assert np.array_equal(
        Task.from_data((x, ["a", "b"] * 10)).argument, Task.from_data((floats, ["a", "b"] * 10)).argument
    )


def test_a_dictionary_of_arrays_is_like_an_npz_file():
    x, y = digits(40)
    task = Task.from_data({"x_train": x[:30], "y_train": y[:30], "x_test": x[30:], "y_test": y[30:]})
    assert (task.modality, task.rows, task.test.rows) == ("image", 30, 10)


def test_images_without_targets_say_how_to_give_them():
    with pytest.raises(UsageError, match="without targets") as caught:
        Task.from_data(digits(10)[0])
    assert "(images, targets)" in caught.value.todo


def test_images_and_targets_of_different_length_are_an_error():
    with pytest.raises(DataError, match="10 images and targets of shape"):
        Task.from_data((digits(10)[0], np.arange(9)))


# -- which modality ----------------------------------------------------------------------------------------------------


def test_tables_are_never_taken_for_images(tmp_path, examples):
    import pandas as pd

    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        archive.writestr("xl/media/image1.png", "x")
    tables = [tmp_path / "t.csv", str(tmp_path / "t.csv"), tmp_path / "no such file", tmp_path / "book.xlsx"]
    tables += [np.zeros((5, 3)), {"a": [1, 2]}, [{"a": 1}], [[1, 2], [3, 4]], (np.zeros((5, 3)), np.zeros(5))]
    tables += [
        pd.DataFrame({"a": [1]}),
        ([["x"], ["y"]], [0, 1]),
        (["a.png", "b.png"], [0, 1]),
        examples / "credit.csv",
    ]
    for data in tables:
        assert not is_images(data), data
    assert not could_be_images(np.zeros((5, 3)))


def test_wishes_about_images_are_refused_for_tables():
    with pytest.raises(UsageError, match="are a table"):
        Task.from_data({"a": [1.0, 2.0] * 10, "y": [0, 1] * 10}, "y", image_size=32)


def test_wishes_about_columns_are_refused_for_images(class_folders):
    for wish in ({"kinds": {"a": "date"}}, {"time": "when"}, {"group": "person"}):
        with pytest.raises(UsageError):
            Task.from_data(class_folders(), **wish)


def test_importing_perennial_does_not_import_pillow():
    import subprocess
    import sys

    code = "import sys, perennial.task; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0


# -- real data ---------------------------------------------------------------------------------------------------------


def test_the_example_images_are_read_and_nobody_is_in_both_parts(examples):
    task = Task.from_data(examples / "sign-digits")
    assert (task.rows, task.test.rows, len(task.schema.classes)) == (200, 50, 10)
    assert (examples / "sign-digits" / "LICENCE.txt").exists()


def test_fashion_mnist_is_read_whole(shared_data):
    task = Task.from_data(shared_data / "fashion-mnist")
    assert task.argument.shape == (60_000, 28, 28, 1) and task.test.rows == 10_000
    assert np.bincount(task.target).tolist() == [6_000] * 10


def test_the_mean_of_mnist_is_the_published_one(shared_data):
    task = Task.from_data(shared_data / "mnist")
    assert task.argument.mean() == pytest.approx(33.318, abs=1e-3)
    assert task.test.argument.mean() == pytest.approx(33.791, abs=1e-3)
